#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A middlebox takes the MPTCP options off the SYN/ACKs.  On the first path the
# client believes in plain TCP while the proxy has answered with MPTCP: the
# client's third packet without MP_CAPABLE tells, and the proxy falls back.  On the
# second path the client gives up the join, and the connection goes on.
set -u
. "$(dirname "$0")/lib.sh"
lab_test
daemon_start

strip_on synack c1
for family in v4 v6; do
	check "$family: download" get $family 5000000 "$LAB_TMP/out/$family"
	same "$LAB_TMP/www/f5000000" "$LAB_TMP/out/$family" "$family: download is right"
	check "$family: upload" put $family 5000000 $family
	same "$LAB_TMP/www/f5000000" "$LAB_TMP/put/$family" "$family: upload is right"
done
cmp_ok "$(strip_count)" '>=' 4 "options were stripped"
is "$(on_client "$LAB_DIR/peer.py" probe $SRV $P_ECHO)" "ok tcp" "the client speaks plain TCP"
is "$(on_client "$LAB_DIR/peer.py" clifin $SRV $P_CLIFIN)" ok "half-close after the fallback"
check "the server's address list: the client's own" wait_for 10 grep -q "^$C1 GET" "$LAB_TMP/access.log"

strip_on synack c2
check "second path: download" get v4 5000000 "$LAB_TMP/out/j"
same "$LAB_TMP/www/f5000000" "$LAB_TMP/out/j" "second path: download is right"
check "second path: upload" put v4 5000000 j
same "$LAB_TMP/www/f5000000" "$LAB_TMP/put/j" "second path: upload is right"
[ $LAB_MODE = plain ] ||
	is "$(on_client "$LAB_DIR/peer.py" probe $SRV $P_ECHO --wait 1)" "ok mptcp 0" "MPTCP on one path"
strip_off
done_testing
