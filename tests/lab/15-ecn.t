#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Explicit congestion notification with the kernel's client: a router marks one packet in
# two hundred of what is ECN-capable.  The sender slows down and sends nothing again; the
# same for uploads, where the kernel is the sender, and every fortieth of its packets, which
# are not yet cut into segments (5 MB are 77 or more), is marked.  Without agreement nothing
# is marked.
set -u
. "$(dirname "$0")/lib.sh"
need_daemon
lab_test
on_client sysctl -qw net.ipv4.tcp_ecn=1
daemon_start

# What comes to and leaves the client, between its NIC and its TCP.
on_client nft -f - <<-END
table inet marker {
	chain in {
		type filter hook prerouting priority -400;
		ip ecn ect0 numgen random mod 200 < 1 counter ip ecn set ce
		ip6 ecn ect0 numgen random mod 200 < 1 counter ip6 ecn set ce
		ip ecn != not-ect tcp flags & (syn | fin | rst) != 0 counter comment "control"
		ip6 ecn != not-ect tcp flags & (syn | fin | rst) != 0 counter comment "control"
		ip ecn != not-ect meta length < 100 counter comment "control"
		ip6 ecn != not-ect meta length < 120 counter comment "control"
	}
	chain out {
		type filter hook postrouting priority 400;
		ip ecn ect0 numgen inc mod 40 < 1 counter ip ecn set ce
		ip6 ecn ect0 numgen inc mod 40 < 1 counter ip6 ecn set ce
	}
}
END
# packets REGEX: the packets that the rules matched
packets() {
	on_client nft list table inet marker | grep -E "$1" |
		awk '{ for (i = 1; i < NF; i++) if ($i == "packets") n += $(i + 1) } END { print n + 0 }'
}
for family in v4 v6; do
	before=$(packets 'set ce') cwr=$(ctl_get tcp_ecn_cwr)
	mib_mark
	capture_start ecn-$family c1
	check "$family: download" get $family 5000000 "$LAB_TMP/out/$family"
	capture_stop
	same "$LAB_TMP/www/f5000000" "$LAB_TMP/out/$family" "$family: download is right"
	diag "$family download: $SPEED Mbit/s"
	cmp_ok "$(packets 'set ce')" '>' "$before" "$family: packets were ECN-capable, and marked"
	cmp_ok "$(ctl_get tcp_ecn_cwr)" '>' "$cwr" "$family: the sender reduced its window"
	# CWR is on single packets of data, each followed by ECE's end sooner or later
	cwrs=$(tshark -r "$LAB_TMP/ecn-$family-c1.pcap" -Y "tcp.flags.cwr == 1 && tcp.srcport == 80 &&
		tcp.len > 0" 2>/dev/null | wc -l)
	cmp_ok "$cwrs" '>' 0 "$family: it said so with CWR"
	ce=$(ctl_get tcp_ecn_ce)
	check "$family: upload" put $family 5000000 $family
	same "$LAB_TMP/www/f5000000" "$LAB_TMP/put/$family" "$family: upload is right"
	cmp_ok "$(ctl_get tcp_ecn_ce)" '>' "$ce" "$family: marks were seen on the way up"
	mptcp_ok "$family"
done
is "$(packets control)" 0 "no SYN, FIN, RST or pure ACK was ECN-capable"

on_client sysctl -qw net.ipv4.tcp_ecn=0
before=$(packets 'set ce')
check "client without ECN: download" get v4 1000000 "$LAB_TMP/out/off"
is "$(packets 'set ce')" "$before" "client without ECN: nothing was ECN-capable"
on_client sysctl -qw net.ipv4.tcp_ecn=1
daemon_stop
daemon_start mptcp.ecn=off
check "ecn = off: download" get v4 1000000 "$LAB_TMP/out/off"
is "$(packets 'set ce')" "$before" "ecn = off: nothing was ECN-capable"
done_testing
