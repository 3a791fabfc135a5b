#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Each path in turn is cut for five seconds in the middle of a transfer and comes
# back: the transfer goes on by the other path, and uses both again afterwards.
# How long the reader waited at most is told; it must be less than the path was away (the
# client's own retransmission on an upload is the kernel's business).
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

since() { awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.3f", b - a }'; }
# again NIC RX|TX BYTES: busy before the transfer ends
again() {
	until busy "$@"; do
		pid_gone "$pid" && return 1
	done
	return 0
}

for cut in 1 2; do
	for way in download upload; do
		nic=c$cut other=c$((3 - cut)) dir=rx port=$P_SOURCE
		[ $way = upload ] && dir=tx port=$P_SINK
		# well over the five seconds, and a timer that has backed off to as much again, at
		# the rate of the path that remains
		bytes=100000000
		[ $cut = 1 ] && bytes=60000000
		# a kernel as the sender resends what the dead path owes at a crawl at first
		least=5000
		[ $LAB_MODE = daemon ] && [ $way = download ] && least=100000
		: >"$LAB_TMP/peer.events"
		spawn "$NS_C" "$way-cut$cut" "$LAB_DIR/peer.py" $way $SRV $port --bytes $bytes
		pid=$SPAWNED
		check "$way: path $cut is in use" wait_for 10 busy $nic $dir 50000
		sleep 1                         # with both
		link_cut $cut
		from=$EPOCHREALTIME
		sleep 1                         # what was on its way
		check "$way: path $cut cut, the other one carries on" \
			wait_for 20 busy $other $dir $least
		sleep "$(awk -v t="$(since "$from")" 'BEGIN { print t < 5 ? 5 - t : 0 }')"
		cut_for=$(since "$from")
		link_restore $cut
		# what the path still has to say: its retransmission timer has backed off
		check "$way: path $cut is used again" again $nic $dir 50000
		diag "path $cut was away for $cut_for s, and used after $(since "$from") s"
		wait $pid
		is $? 0 "$way: done, every byte is right"
		result=$(cat "$LAB_TMP/$way-cut$cut.log")
		diag "$result"
		if [ $way = download ]; then
			gap=${result#*gap=} gap=${gap%% *}
		else
			check "upload: the server saw the end" \
				wait_for 20 grep -q '^sink' "$LAB_TMP/peer.events"
			read -r _ _ _ _ _ sha gap < <(grep '^sink' "$LAB_TMP/peer.events")
			like "$result" "sha=$sha" "upload: the server got every byte"
		fi
		diag "$way, path $cut cut: longest silence ${gap} s (wanted: 1)"
		cmp_ok "$gap" '<' "$cut_for" "$way: the transfer did not wait for path $cut to return"
	done
done

# A NIC that goes away, and comes back.
mib_mark
spawn "$NS_C" download-nic "$LAB_DIR/peer.py" download $SRV $P_SOURCE --bytes 80000000
pid=$SPAWNED
check "NIC: the path is in use" wait_for 10 busy c2 rx 50000
on_client ip mptcp endpoint delete id "$(on_client ip mptcp endpoint show | awk "/$C2 / { print \$3 }")"
ip -n "$NS_C" link set c2 down
withdrawn() { [ "$(mib_diff RmAddrTx)" = 1 ]; }
check "NIC down: the client withdrew its address" wait_for 20 withdrawn
sleep 2
ip -n "$NS_C" link set c2 up
ip -n "$NS_C" -6 addr replace $C2_6/64 dev c2 nodad
client_routes
joins=$(mib_diff MPJoinSynAckRx)
client_endpoints
joined() { [ "$(mib_diff MPJoinSynAckRx)" -gt "$joins" ]; }
check "NIC up: the path joined again" wait_for 20 joined
check "NIC up: the path is used again" again c2 rx 50000
wait $pid
is $? 0 "download: done, every byte is right"
diag "$(cat "$LAB_TMP/download-nic.log")"

# A middlebox that resets the second subflow, as seen from the client.
mib_mark
spawn "$NS_C" download-rst "$LAB_DIR/peer.py" download $SRV $P_SOURCE --bytes 60000000
pid=$SPAWNED
check "reset: the path is in use" wait_for 10 busy c2 rx 50000
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
check "reset: the other path carries on" wait_for 20 busy c1 rx 50000
is "$(mib_diff MPJoinSynAckRx)" 1 "reset: the path has not joined by itself"
joins=1
client_endpoints
check "reset: the path joined again when the endpoint was made again" wait_for 20 joined
check "reset: the path is used again" again c2 rx 50000
wait $pid
is $? 0 "reset: download done, every byte is right"
diag "$(cat "$LAB_TMP/download-rst.log")"
diag "$(mib_all)"
done_testing
