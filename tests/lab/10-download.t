#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Downloads of 20 MB over two unequal paths, IPv4 and IPv6: every byte, both
# paths, no fallback, and the server's log shows the client's own address.
#
# lab: alone
set -u
. "$(dirname "$0")/lib.sh"
lab_test
daemon_start
warm_up

for family in v4 v6; do
	mib_mark
	speeds=()
	for i in 1 2 3; do
		check "$family: download $i" get $family 20000000 "$LAB_TMP/out/$family"
		speeds+=("$SPEED")
		same "$LAB_TMP/www/f20000000" "$LAB_TMP/out/$family" "$family: every byte is right"
	done
	fast_enough "$(median "${speeds[@]}")" 60 "$family download, median of ${speeds[*]}"
	mptcp_ok "$family"
done
check "v4: the server saw the client's address" \
	wait_for 10 grep -q "^$C1 GET /f20000000 200 20000000" "$LAB_TMP/access.log"
check "v6: the server saw the client's address" \
	wait_for 10 grep -q "^$C1_6 GET /f20000000 200 20000000" "$LAB_TMP/access.log"
for size in 0 1 100 1000 10000; do
	get v4 $size "$LAB_TMP/out/s$size"
	same "$LAB_TMP/www/f$size" "$LAB_TMP/out/s$size" "a file of $size bytes"
done
done_testing
