#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The gateway announces addresses of its own, IPv4 and IPv6, with a port and without: the
# client's kernel echoes them and joins there, by its other NIC, although nothing listens.
# (It opens subflows of the connection's own family only.)
set -u
. "$(dirname "$0")/lib.sh"
need_daemon
lab_test

# The way to them is by c2, and so only a client that was told of them gets there.
ip -n "$NS_G" addr add 10.2.0.9/24 dev g2
ip -n "$NS_G" addr add fd00:2::9/64 dev g2 nodad
on_client ip mptcp endpoint flush
for i in 4,10.2.0.9, 4,10.2.0.9,4430 6,fd00:2::9, 6,fd00:2::9,4431; do
	IFS=, read -r family address port <<<"$i"
	what="$address${port:+ port $port}"
	daemon_start ep1.address="$address" ${port:+ep1.port=$port}
	like "$(ctl endpoints)" "ep1 +\[?$address\]?${port:+:$port} " "$what: shown by mptcp-proxyctl"
	mib_mark
	capture_start all c1 c2
	download_bg download 20000000 "$family"
	pid=$SPAWNED
	check "$what: the path by c2 is in use" wait_for 20 busy c2 rx 50000
	id=$(ctl connections | awk 'NR == 2 { print $1 }')
	like "$(ctl connection "$id")" "$address\]?(:[0-9]+)? +gateway +1 +told" \
		"$what: told, says mptcp-proxyctl"
	wait $pid
	is $? 0 "$what: every byte is right"
	capture_stop
	# once, or again where the echo took more than a second
	said=$(frames 'tcp.options.mptcp.subtype == 3 && tcp.srcport == 7007')
	cmp_ok "$said" '>=' 1 "$what: ADD_ADDR on the wire"
	is "$(mib_diff AddAddr)" "$said" "$what: the client got it"
	is "$(mib_diff MPJoinSynAckRx)" 1 "$what: and joined"
	is "$(mib_diff "$FALLBACKS")" 0 "$what: no fallback"
	is "$(frames 'tcp.options.mptcp.subtype == 3 && tcp.dstport == 7007')" "$said" "$what: an echo each"
	cmp_ok "$(frames "tcp.flags.syn == 1 && tcp.flags.ack == 0 && tcp.dstport == ${port:-7007} &&
		(ip.dst == 10.2.0.9 || ipv6.dst == fd00:2::9)")" '>=' 1 \
		"$what: the join goes to port ${port:-7007}"
	no_expert_errors
	daemon_stop
done
done_testing
