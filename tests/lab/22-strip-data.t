#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A middlebox takes the MPTCP options off the data packets, from about the fifth
# on: towards the client, towards the server, or both.
#
# On the only path this must end in plain TCP with every byte right.  With a second
# path that is clean, the robbed one is reset and the connection goes on.  (The
# kernel as a server fails much of this, with wrong bytes where the client falls
# back and the server does not notice, so in native mode it is only told.)
set -u
. "$(dirname "$0")/lib.sh"
need_mptcp
lab_test
daemon_start
[ "$LAB_MODE" = daemon ] || export LAB_TIMEOUT=40

# transfer DESCRIPTION [SIZE]: both ways, compared
transfer() {
	local rc size=${2:-1000000}
	mib_mark
	get v4 $size "$LAB_TMP/out/x"
	rc=$?
	diag "$1, download: status $rc, $SPEED Mbit/s, stripped $(strip_count): $(mib_all)"
	check "$1: download$(todo)" cmp -s "$LAB_TMP/www/f$size" "$LAB_TMP/out/x"
	rm -f "$LAB_TMP/out/x" "$LAB_TMP/put/x"
	mib_mark
	put v4 $size x
	rc=$?
	diag "$1, upload: status $rc, $SPEED Mbit/s, stripped $(strip_count): $(mib_all)"
	check "$1: upload$(todo)" cmp -s "$LAB_TMP/www/f$size" "$LAB_TMP/put/x"
}

on_client ip mptcp endpoint flush
for way in in out both; do
	strip_on $way c1
	transfer "one path, data $way"
done

client_endpoints
for way in in out both; do
	strip_on $way c2
	transfer "two paths, data $way on the second" 5000000
done
for way in in out both; do
	strip_on $way c1 2000000
	transfer "two paths, data $way on the first, late" 5000000
done
# While the join is under way: the client cannot fall back any more, but need not notice.
strip_on out c1 300000
transfer "two paths, data out on the first, during the join" 5000000
strip_off
transfer "nothing stripped any more"
[ "$LAB_MODE" != daemon ] || is "$(ctl_get robbed)" 0 "none of them was broken"
done_testing
