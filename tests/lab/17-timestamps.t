#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# TCP timestamps with the kernel's client, which offers them: not agreed to, on no subflow,
# and with timestamps = on agreed to, and then on every segment but RSTs (RFC 7323, section
# 3.2).  Without them an acknowledgement beside a DATA_ACK has room for three SACK blocks.
set -u
. "$(dirname "$0")/lib.sh"
need_daemon
lab_test

# count WHAT FILTER: packets in the captures of this round
count() {
	local n=0 nic

	for nic in c1 c2; do
		n=$((n + $(tshark -r "$LAB_TMP/$round-$nic.pcap" -Y "$1" 2>/dev/null | wc -l)))
	done
	echo "$n"
}
transfers() { # transfers: one each way, over both families, with captures
	capture_start "$round" c1 c2
	for family in v4 v6; do
		mib_mark
		check "$round, $family: download" get $family 5000000 "$LAB_TMP/out/$family"
		same "$LAB_TMP/www/f5000000" "$LAB_TMP/out/$family" "$round, $family: download is right"
		check "$round, $family: upload" put $family 5000000 $round$family
		same "$LAB_TMP/www/f5000000" "$LAB_TMP/put/$round$family" "$round, $family: upload is right"
		mptcp_ok "$family"
	done
	capture_stop
}
link_set 1 loss=1
link_set 2 loss=1

round=off
daemon_start
transfers
cmp_ok "$(count 'tcp.flags.syn == 1 && tcp.flags.ack == 0 && tcp.option_kind == 8')" '>' 7 \
	"off: the client offered timestamps"
is "$(count 'tcp.srcport == 80 && tcp.option_kind == 8')" 0 "off: we sent none"
is "$(count 'tcp.dstport == 80 && tcp.flags.syn == 0 && tcp.option_kind == 8')" 0 "off: nor did the client"
# It takes three holes at a time, which this loss makes by chance: some attempts more.
three='tcp.srcport == 80 && tcp.options.sack.count == 3 && tcp.options.mptcp.dataackpresent.flag == 1'
for round in off off2 off3 off4 off5; do
	if [ $round != off ]; then
		capture_start $round c1 c2
		put v4 5000000 $round
		capture_stop
	fi
	seen=$(count "$three")
	[ "$seen" = 0 ] || break
done
cmp_ok "$seen" '>' 0 "off: three SACK blocks beside a DATA_ACK"
diag "$seen in the captures $round"
daemon_stop

round=on
daemon_start mptcp.timestamps=on
transfers
cmp_ok "$(count 'tcp.srcport == 80 && tcp.flags.syn == 1 && tcp.option_kind == 8')" '>' 7 \
	"on: we agreed, on joins, too"
is "$(count 'tcp.flags.reset == 0 && !(tcp.option_kind == 8)')" 0 "on: every segment has them"
done_testing
