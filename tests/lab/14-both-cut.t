#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Both paths silent for ten seconds in the middle of a transfer: it resumes.
set -u
. "$(dirname "$0")/lib.sh"
lab_test
daemon_start

for way in download upload; do
	port=$P_SOURCE
	[ $way = upload ] && port=$P_SINK
	spawn "$NS_C" $way "$LAB_DIR/peer.py" $way $SRV $port --bytes 20000000
	pid=$SPAWNED
	sleep 1
	link_cut 1
	link_cut 2
	sleep 10
	check "$way: still there after ten seconds of silence" kill -0 $pid
	link_restore 1
	link_restore 2
	wait $pid
	is $? 0 "$way: resumed and done"
	diag "$(cat "$LAB_TMP/$way.log")"
done
wait_for 5 grep -q '^sink' "$LAB_TMP/peer.events"
read -r _ _ _ _ bytes sha gap < <(grep '^sink' "$LAB_TMP/peer.events")
is "$bytes" 20000000 "upload: the server got all"
like "$(cat "$LAB_TMP/upload.log")" "sha=$sha" "upload: every byte is right"
diag "upload: the server heard nothing for $gap s"
done_testing
