#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Each path in turn is cut for five seconds in the middle of a transfer and comes
# back: the transfer goes on by the other path, and uses both again afterwards.
# How long the reader waited at most is told; the bound is generous (the client's
# own retransmission on an upload is the kernel's business).
#
# What the kernel's client does by itself (Linux 6.18), and what not:
#   - a silent path: it keeps the subflow, which comes back by retransmission; this
#     is so when the NIC was down and up, too;
#   - a subflow that was reset: it never joins again by itself, whether an endpoint
#     stands for the address or not.  So whoever resets a stale subflow loses the path;
#   - an endpoint deleted: REMOVE_ADDR; made again: it joins again.
# The second half holds the last two to it.
set -u
. "$(dirname "$0")/lib.sh"
need_mptcp
lab_test
daemon_start

for cut in 1 2; do
	for way in download upload; do
		nic=c$cut dir=rx port=$P_SOURCE
		[ $way = upload ] && dir=tx port=$P_SINK
		# well over the five seconds at the rate of the path that remains
		bytes=80000000
		[ $cut = 1 ] && bytes=40000000
		# a kernel as the sender resends what the dead path owes at a crawl at first
		least=10000
		[ $LAB_MODE = daemon ] && [ $way = download ] && least=200000
		: >"$LAB_TMP/peer.events"
		spawn "$NS_C" "$way-cut$cut" "$LAB_DIR/peer.py" $way $SRV $port --bytes $bytes
		pid=$SPAWNED
		sleep 2
		cmp_ok "$(moved $nic $dir 0.5)" '>' 100000 "$way: path $cut is in use"
		link_cut $cut
		sleep 1
		cmp_ok "$(moved c$((3 - cut)) $dir 1)" ">" "$least" "$way: path $cut cut, the other one carries on"
		sleep 3
		link_restore $cut
		# what the path still has to say: its retransmission timer has backed off
		back=0
		for _ in 1 2 3 4 5 6; do
			back=$(moved $nic $dir 1)
			[ "$back" -gt 100000 ] && break
			pid_gone $pid && break
		done
		diag "path $cut after its return: $back bytes/s"
		cmp_ok "$back" '>' 100000 "$way: path $cut is used again"
		wait $pid
		is $? 0 "$way: done, every byte is right"
		result=$(cat "$LAB_TMP/$way-cut$cut.log")
		diag "$result"
		if [ $way = download ]; then
			gap=${result#*gap=} gap=${gap%% *}
		else
			wait_for 5 grep -q '^sink' "$LAB_TMP/peer.events"
			read -r _ _ _ _ _ sha gap < <(grep '^sink' "$LAB_TMP/peer.events")
			like "$result" "sha=$sha" "upload: the server got every byte"
		fi
		diag "$way, path $cut cut: longest silence ${gap} s (wanted: 1)"
		cmp_ok "$gap" '<' 4 "$way: the transfer did not wait for path $cut to return"
	done
done

# A NIC that goes away, and comes back.
mib_mark
spawn "$NS_C" download-nic "$LAB_DIR/peer.py" download $SRV $P_SOURCE --bytes 60000000
pid=$SPAWNED
sleep 2
on_client ip mptcp endpoint delete id "$(on_client ip mptcp endpoint show | awk "/$C2 / { print \$3 }")"
ip -n "$NS_C" link set c2 down
sleep 2
is "$(mib_diff RmAddrTx)" 1 "NIC down: the client withdrew its address"
ip -n "$NS_C" link set c2 up
ip -n "$NS_C" -6 addr replace $C2_6/64 dev c2 nodad
client_routes
joins=$(mib_diff MPJoinSynAckRx)
client_endpoints
wait_for 5 test "$(moved c2 rx 1)" -gt 100000
cmp_ok "$(mib_diff MPJoinSynAckRx)" '>' "$joins" "NIC up: the path joined again"
cmp_ok "$(moved c2 rx 1)" '>' 100000 "NIC up: the path is used again"
wait $pid
is $? 0 "download: done, every byte is right"
diag "$(cat "$LAB_TMP/download-nic.log")"

# A middlebox that resets the second subflow, as seen from the client.
mib_mark
spawn "$NS_C" download-rst "$LAB_DIR/peer.py" download $SRV $P_SOURCE --bytes 40000000
pid=$SPAWNED
sleep 2
on_gw nft -f - <<-END
table inet resetter {
	chain f {
		type filter hook prerouting priority -400;
		iifname g2 meta l4proto tcp reject with tcp reset
	}
}
END
sleep 1
on_gw nft delete table inet resetter
cmp_ok "$(moved c1 rx 0.5)" '>' 100000 "reset: the other path carries on"
client_endpoints
sleep 1
is "$(mib_diff MPJoinSynAckRx)" 2 "reset: the path joined again when the endpoint was made again"
cmp_ok "$(moved c2 rx 1)" '>' 100000 "reset: the path is used again"
wait $pid
is $? 0 "reset: download done, every byte is right"
diag "$(cat "$LAB_TMP/download-rst.log")"
diag "$(mib_all)"
done_testing
