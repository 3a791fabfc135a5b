#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# 1 % loss on both paths, both directions: slower, never wrong, never stuck.
set -u
. "$(dirname "$0")/lib.sh"
lab_test
daemon_start

link_set 1 loss=1
link_set 2 loss=1
for family in v4 v6; do
	mib_mark
	check "$family: download" get $family 5000000 "$LAB_TMP/out/$family"
	diag "$family download under loss: $SPEED Mbit/s"
	same "$LAB_TMP/www/f5000000" "$LAB_TMP/out/$family" "$family: download is right"
	check "$family: upload" put $family 5000000 $family
	diag "$family upload under loss: $SPEED Mbit/s"
	same "$LAB_TMP/www/f5000000" "$LAB_TMP/put/$family" "$family: upload is right"
	mptcp_ok "$family"
done

# bursts of losses, reordering and duplicates on top
link_set 1 loss=1,burst=4,reorder=2,dup=1
link_set 2 loss=1,burst=4,reorder=2,dup=1
result=$(on_client "$LAB_DIR/peer.py" download $SRV $P_SOURCE --bytes 5000000 --timeout 120)
like "$result" '^ok ' "download under bursts, reordering and duplicates"
diag "$result"
gap=${result#*gap=}
cmp_ok "${gap%% *}" '<' 30 "download: never silent for half a minute"
result=$(on_client "$LAB_DIR/peer.py" upload $SRV $P_SINK --bytes 5000000 --timeout 120)
like "$result" '^ok ' "upload under bursts, reordering and duplicates"
diag "$result"
wait_for 5 grep -q '^sink' "$LAB_TMP/peer.events"
read -r _ _ _ _ bytes sha gap < <(grep '^sink' "$LAB_TMP/peer.events")
is "$bytes" 5000000 "upload: the server got all"
like "$result" "sha=$sha" "upload: every byte is right"
cmp_ok "$gap" '<' 30 "upload: never silent for half a minute"
done_testing
