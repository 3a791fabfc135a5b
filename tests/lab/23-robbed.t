#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A middlebox takes all MPTCP options off, both ways, in the middle of a large upload over
# the only path.  A Linux client cannot go on then, so the connection is reset; but its next
# one is left alone, and goes through the same middlebox as plain TCP.
set -u
. "$(dirname "$0")/lib.sh"
need_daemon
lab_test
daemon_start

on_client ip mptcp endpoint flush
strip_on all c1
# its kernel keeps the connection without a subflow: the application has to give up
spawn "$NS_C" first mptcpize run curl -sS -H Expect: -T "$LAB_TMP/www/f5000000" "http://$SRV/put/first"
broken() { [ "$(ctl_get robbed)" = 1 ]; }
check "it is broken, and that is counted" wait_for 20 broken
stop_pid "$SPAWNED"
diag "first upload: $(stat -c %s "$LAB_TMP/put/first" 2>/dev/null || echo 0) bytes stored"
check "the log names the client" grep -q "options of $C1 get lost" "$LAB_TMP/daemon.log"
for i in 1 2; do
	check "upload $i after that" put v4 5000000 again$i
	same "$LAB_TMP/www/f5000000" "$LAB_TMP/put/again$i" "every byte is right"
done
check "a download after that" get v4 5000000 "$LAB_TMP/out/again"
same "$LAB_TMP/www/f5000000" "$LAB_TMP/out/again" "every byte is right"
is "$(ctl_get robbed)" 1 "none of them was broken"
count=$(ctl_get robbed_passed)
cmp_ok "$count" '>=' 3 "they were passed on"
like "$(ctl status)" "robbed_passed +$count" "the status shows how many"
strip_off
mib_mark
check "another address of the client" get v6 100000 "$LAB_TMP/out/six"
cmp_ok "$(mib_diff MPCapableSYNACKRX)" '>' 0 "is served"
done_testing
