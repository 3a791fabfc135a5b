#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A client whose SYN got no answer repeats it without MP_CAPABLE: because the server is silent,
# or because the SYN/ACK is lost on its way.  The daemon steps aside, and the client gets its
# plain TCP connection, from the very same port.
set -u
. "$(dirname "$0")/lib.sh"
need_daemon
lab_test
daemon_start
on_client sysctl -qw net.mptcp.syn_retrans_before_tcp_fallback=0

deaf() { # deaf NAMESPACE RULE: drops what comes in there and matches
	ip netns exec "$1" nft -f - <<-EOF
	table inet lab_deaf {
		chain in {
			type filter hook input priority 0
			$2 drop
		}
	}
	EOF
}
hear() { ip netns exec "$1" nft delete table inet lab_deaf; }
stepped_aside() { [ "$(ctl_get step_aside_plain_syn)" = "$1" ]; }

n=0
for i in "$NS_S|tcp flags & (syn|ack) == syn|a silent server" \
	"$NS_C|tcp flags & (syn|ack) == (syn|ack)|a lost SYN/ACK"; do
	ns=${i%%|*}
	what=${i##*|}
	rule=${i#*|}
	rule=${rule%|*}
	n=$((n + 1))
	deaf "$ns" "$rule"
	mib_mark
	get v4 5000000 "$LAB_TMP/out/$n" &
	pid=$!
	wait_for 6 stepped_aside $n
	hear "$ns"
	wait $pid
	ok $? "$what: the download completes"
	same "$LAB_TMP/out/$n" "$LAB_TMP/www/f5000000" "$what: every byte is right"
	is "$(ctl_get step_aside_plain_syn)" $n "$what: the daemon stepped aside, once"
	is "$(mib_diff MPCapableSYNACKRX)" 0 "$what: it is plain TCP"
	is "$(ctl --json connections | grep -c '"id"')" 0 "$what: and no session is left"
done
is "$(on_client "$LAB_DIR/peer.py" probe $SRV $P_ECHO --joins 1)" "ok mptcp 1" "others are served"
done_testing
