#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the client's path manager says: ADD_ADDR is echoed, REMOVE_ADDR ends the subflow,
# a new endpoint joins, all in mid-transfer; limits are heeded on both sides.
set -u
. "$(dirname "$0")/lib.sh"
need_mptcp
lab_test
daemon_start

endpoint_id() { on_client ip mptcp endpoint show | awk "/^$1 / { print \$3 }"; }

# Announced from the start, and one more while it runs.
on_client ip mptcp endpoint flush
on_client ip mptcp endpoint add $C2 dev c2 signal
ip -n "$NS_C" addr add 10.2.0.7/24 dev c2
mib_mark
capture_start all c1 c2
spawn "$NS_C" monitor ip mptcp monitor
monitor=$SPAWNED
download_bg announce 40000000
pid=$SPAWNED
check "announced: the first address was said" wait_for 20 grew EchoAdd 1
on_client ip mptcp endpoint add 10.2.0.7 dev c2 signal
check "announced: and the second one" wait_for 20 grew EchoAdd 2
id=$(ctl connections | awk 'NR == 2 { print $1 }')
[ $LAB_MODE = daemon ] && like "$(ctl connection "$id")" "10.2.0.7 +client +" "shown by mptcp-proxyctl"
wait $pid
is $? 0 "announced: every byte is right"
capture_stop
stop_pid $monitor
is "$(mib_diff AddAddrTx)" 2 "announced: two ADD_ADDRs"
is "$(mib_diff EchoAdd)" 2 "announced: two echoes came"
is "$(frames 'tcp.options.mptcp.subtype == 3 && tcp.dstport == 7007')" 2 "announced: nothing was repeated"
no_expert_errors

# A subflow endpoint goes and comes.
one_subflow() { [ "$(ctl --json connections | grep -c '"remote"')" = 1 ]; }
on_client ip mptcp endpoint flush
client_endpoints
for way in download upload; do
	mib_mark
	dir=rx
	[ $way = upload ] && dir=tx
	${way}_bg $way 70000000
	pid=$SPAWNED
	check "$way: both paths are in use" wait_for 20 busy c2 $dir 50000
	on_client ip mptcp endpoint delete id "$(endpoint_id $C2)"
	check "$way: the path is not used any more" wait_for 20 idle c2 $dir 2000
	is "$(mib_diff RmAddrTx)" 1 "$way: the client removed its address"
	[ $LAB_MODE = daemon ] && check "$way: its subflow is gone" wait_for 20 one_subflow
	on_client ip mptcp endpoint add $C2 dev c2 subflow
	check "$way: the path is in use again" wait_for 20 busy c2 $dir 50000
	is "$(mib_diff MPJoinSynAckRx)" 2 "$way: the client joined again"
	wait $pid
	is $? 0 "$way: every byte is right"
	is "$(mib_diff "$FALLBACKS")" 0 "$way: no fallback"
done

# The address of the first subflow: number 0.
mib_mark
download_bg zero 30000000
pid=$SPAWNED
check "address 0: both paths are in use" wait_for 20 busy c2 rx 50000
on_client ip mptcp endpoint delete id 0 $C1
check "address 0: the first path is not used any more" wait_for 20 idle c1 rx 2000
is "$(mib_diff RmAddrTx)" 1 "address 0: the client removed it"
check "address 0: the other one is" wait_for 20 busy c2 rx 50000
wait $pid
is $? 0 "address 0: every byte is right on the other path"

# A silent one: the address is gone before the client can say so on that path.
mib_mark
download_bg silent 40000000
pid=$SPAWNED
check "NIC without its address: both paths were in use" wait_for 20 busy c2 rx 50000
ip -n "$NS_C" addr del $C2/24 dev c2
on_client ip mptcp endpoint delete id "$(endpoint_id $C2)"
sleep 0.5
check "NIC without its address: the other path carries on" wait_for 20 busy c1 rx 100000
wait $pid
is $? 0 "NIC without its address: every byte is right"
done_testing
