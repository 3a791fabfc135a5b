#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A NAT between the client's second NIC and the gateway: the join comes from another address,
# and the NAT forgets it in mid-transfer.  And a NAT in front of the gateway: the announced
# address is not the one where joins arrive.
set -u
. "$(dirname "$0")/lib.sh"
need_daemon
lab_test
nat_up
on_client ip mptcp endpoint flush
on_client ip mptcp endpoint add 10.3.0.2 dev c2 subflow
daemon_start

for way in upload download; do
	dir=tx
	[ $way = download ] && dir=rx
	mib_mark
	${way}_bg $way 45000000
	pid=$SPAWNED
	check "$way: the path is in use" wait_for 20 busy c2 $dir 50000
	is "$(mib_diff MPJoinSynAckRx)" 1 "$way: the client joined through the NAT"
	like "$(ctl --json connections)" '"remote": "10.2.0.2:' "$way: from the NAT's address"
	nat_forget
	sleep 0.5
	check "$way: the NAT forgot: the other path carries on" wait_for 20 busy c1 $dir 50000
	wait $pid
	is $? 0 "$way: every byte is right"
	is "$(mib_diff "$FALLBACKS")" 0 "$way: no fallback"
	diag "$(mib_all)"
done
daemon_stop

# Clients are told 203.0.113.77:443, which the NAT takes to 10.2.0.9:4430.
ip -n "$NS_G" addr add 10.2.0.9/24 dev g2
ip -n "$NS_C" route add 203.0.113.77 via 10.3.0.1 dev c2 src 10.3.0.2
ip netns exec "$NS_N" nft -f - <<-END
table ip nat {
	chain pre {
		type nat hook prerouting priority dstnat;
		ip daddr 203.0.113.77 tcp dport 443 dnat to 10.2.0.9:4430
	}
}
END
on_client ip mptcp endpoint flush
daemon_start web.address=192.0.2.0/24 ep1.address=203.0.113.77 ep1.port=443 ep1.local=10.2.0.9:4430
mib_mark
download_bg front 20000000
pid=$SPAWNED
check "the path is in use" wait_for 20 busy c2 rx 30000
is "$(mib_diff MPJoinSynAckRx)" 1 "the client joined the address in front of the NAT"
like "$(ctl --json connections)" '"local": "10.2.0.9:4430"' "the join arrived behind it"
wait $pid
is $? 0 "every byte is right"
done_testing
