#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Uploads of 20 MB over two unequal paths, IPv4 and IPv6: what the server stored
# is what the client sent, both paths used, no fallback.
#
# lab: alone
set -u
. "$(dirname "$0")/lib.sh"
lab_test
daemon_start
warm_up

for family in v4 v6; do
	mib_mark
	before=$(nic_bytes c2 tx)
	speeds=()
	for i in 1 2 3; do
		check "$family: upload $i" put $family 20000000 $family$i
		speeds+=("$SPEED")
		same "$LAB_TMP/www/f20000000" "$LAB_TMP/put/$family$i" "$family: every byte is right"
	done
	fast_enough "$(median "${speeds[@]}")" 60 "$family upload, median of ${speeds[*]}"
	mptcp_ok "$family"
	diag "bytes sent on c2: $(($(nic_bytes c2 tx) - before))"
done
check "v4: the server saw the client's address" \
	wait_for 10 grep -q "^$C1 PUT /put/v41 201" "$LAB_TMP/access.log"
check "v6: the server saw the client's address" \
	wait_for 10 grep -q "^$C1_6 PUT /put/v61 201" "$LAB_TMP/access.log"
for size in 0 1 100 1000 10000; do
	put v4 $size s$size
	same "$LAB_TMP/www/f$size" "$LAB_TMP/put/s$size" "a file of $size bytes"
done
done_testing
