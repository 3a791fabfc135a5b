#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Past max_connections a new client is not refused: it gets plain TCP.
set -u
. "$(dirname "$0")/lib.sh"
need_daemon
lab_test
daemon_start proxy.max_connections=2

for n in 1 2; do
	spawn "$NS_C" hold$n "$LAB_DIR/peer.py" hold $SRV $P_ECHO --wait 8
	held+=("$SPAWNED")
	wait_for 5 grep -q ok "$LAB_TMP/hold$n.log"
	like "$(head -n 1 "$LAB_TMP/hold$n.log")" "^ok mptcp" "connection $n: MPTCP"
done
is "$(on_client "$LAB_DIR/peer.py" probe $SRV $P_ECHO)" "ok tcp" "connection 3: plain TCP"
check "connection 4: a download" get v4 1000000 "$LAB_TMP/out/four"
same "$LAB_TMP/www/f1000000" "$LAB_TMP/out/four" "connection 4: every byte is right"
for pid in "${held[@]}"; do
	wait "$pid"
	is $? 0 "a held connection still works"
done
got=
for _ in 1 2 3 4 5 6 7 8; do
	got=$(on_client "$LAB_DIR/peer.py" probe $SRV $P_ECHO)
	[ "$got" = "ok tcp" ] || break
	sleep 1
done
like "$got" "^ok mptcp" "when they are gone, MPTCP again"
done_testing
