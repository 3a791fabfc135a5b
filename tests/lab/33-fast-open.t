#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# TCP Fast Open of the kernel's MPTCP client (RFC 8684, appendix B).  A request for a cookie
# is not heard, and the connection is MPTCP.  A SYN with data passes untouched: the kernel
# would send that data again without a mapping.
set -u
. "$(dirname "$0")/lib.sh"
need_daemon
lab_test
daemon_start

# opens with the first 1000 bytes in the SYN; prints what the server says of all 100000
fast_open() {
	on_client timeout 120 "$LAB_PY" - "$1" $P_CLIFIN <<-'END' 2>&1
	import hashlib, os, socket, sys
	MSG_FASTOPEN, IPPROTO_MPTCP = 0x20000000, 262
	family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
	s = socket.socket(family, socket.SOCK_STREAM, IPPROTO_MPTCP)
	data = os.urandom(100000)
	n = s.sendto(data[:1000], MSG_FASTOPEN, (sys.argv[1], int(sys.argv[2])))
	s.sendall(data[n:])
	s.shutdown(socket.SHUT_WR)
	answer = b""
	while piece := s.recv(1000):
	    answer += piece
	want = "%d %s" % (len(data), hashlib.sha256(data).hexdigest())
	print("ok" if answer.decode().strip() == want else "got %r" % answer)
	END
}

for host in $SRV $SRV_6; do
	on_client sysctl -qw net.ipv4.tcp_fastopen=1
	mib_mark
	is "$(fast_open $host)" ok "$host, request for a cookie: the data arrives once, and whole"
	cmp_ok "$(mib_diff MPCapableSYNACKRX)" '>' 0 "$host: MPTCP was agreed on"
	is "$(mib_diff "$FALLBACKS")" 0 "$host: no fallback" || diag "$(mib_all)"
	passed=$(ctl_get step_aside_syn_data) repeated=$(ctl_get shed_repeated)
	on_client sysctl -qw net.ipv4.tcp_fastopen=5    # data without a cookie
	is "$(fast_open $host)" ok "$host, data in the SYN: it arrives once, and whole"
	is "$(ctl_get step_aside_syn_data)" $((passed + 1)) "$host: that SYN passed"

	# The first answer is lost, and the client repeats its SYN without the data: it is the
	# server's still.
	on_srv nft -f - <<-'END'
	table inet lost {
		chain out {
			type filter hook output priority 0
			tcp flags & (syn | ack) == syn | ack numgen inc mod 1000 == 0 drop
		}
	}
	END
	is "$(fast_open $host)" ok "$host, the answer to that is lost: the data arrives once, and whole"
	on_srv nft delete table inet lost
	is "$(ctl_get step_aside_syn_data)" $((passed + 2)) "$host: that SYN passed"
	cmp_ok "$(ctl_get shed_repeated)" '>' "$repeated" "$host: ... and what repeats it"
done
done_testing
