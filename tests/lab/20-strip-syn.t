#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A middlebox takes the MPTCP options off the SYNs.  On the first path: a plain
# TCP connection, which is none of the proxy's business.  On the second path: a
# plain SYN comes instead of a join, and the connection goes on with one path.
set -u
. "$(dirname "$0")/lib.sh"
lab_test
daemon_start

strip_on syn c1
for family in v4 v6; do
	check "$family: download" get $family 5000000 "$LAB_TMP/out/$family"
	same "$LAB_TMP/www/f5000000" "$LAB_TMP/out/$family" "$family: download is right"
	check "$family: upload" put $family 5000000 $family
	same "$LAB_TMP/www/f5000000" "$LAB_TMP/put/$family" "$family: upload is right"
done
cmp_ok "$(strip_count)" '>=' 4 "options were stripped"
is "$(on_client "$LAB_DIR/peer.py" probe $SRV $P_ECHO)" "ok tcp" "it is plain TCP"

strip_on syn c2
mib_mark
check "second path: download" get v4 5000000 "$LAB_TMP/out/j"
same "$LAB_TMP/www/f5000000" "$LAB_TMP/out/j" "second path: download is right"
check "second path: upload" put v4 5000000 j
same "$LAB_TMP/www/f5000000" "$LAB_TMP/put/j" "second path: upload is right"
if [ $LAB_MODE != plain ]; then
	is "$(on_client "$LAB_DIR/peer.py" probe $SRV $P_ECHO --wait 1)" "ok mptcp 0" "MPTCP on one path"
	is "$(mib_diff MPJoinSynAckRx)" 0 "no join came through"
fi
strip_off
done_testing
