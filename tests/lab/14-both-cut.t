#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Both paths silent for ten seconds in the middle of a transfer: it resumes.
set -u
. "$(dirname "$0")/lib.sh"
lab_test
daemon_start

still_there() { ! pid_gone "$pid"; }

for way in download upload; do
	port=$P_SOURCE dir=rx
	[ $way = upload ] && port=$P_SINK dir=tx
	one=$(nic_bytes c1 $dir) two=$(nic_bytes c2 $dir)
	spawn "$NS_C" $way "$LAB_DIR/peer.py" $way $SRV $port --bytes 20000000
	pid=$SPAWNED
	check "$way: path 1 is in use" wait_for 20 passed c1 $dir "$one" 1000000
	check "$way: path 2 is in use" wait_for 20 passed c2 $dir "$two" 200000
	link_cut 1
	link_cut 2
	sleep 10
	check "$way: still there after ten seconds of silence" still_there
	link_restore 1
	link_restore 2
	wait $pid
	is $? 0 "$way: resumed and done"
	diag "$(cat "$LAB_TMP/$way.log")"
done
wait_for 20 grep -q '^sink' "$LAB_TMP/peer.events"
read -r _ _ _ _ bytes sha gap < <(grep '^sink' "$LAB_TMP/peer.events")
is "$bytes" 20000000 "upload: the server got all"
like "$(cat "$LAB_TMP/upload.log")" "sha=$sha" "upload: every byte is right"
diag "upload: the server heard nothing for $gap s"
done_testing
