#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Plain TCP to a protected service passes untouched, and never reaches the queue.  Its
# speed without the daemon and with it is told, by turns (tests/bench/ruleset measures better).
#
# lab: alone
set -u
. "$(dirname "$0")/lib.sh"
need_daemon
lab_test unshaped

# The server takes one client at a time, and may not be through with the one before.
speed() {
	measured() {
		on_client timeout 60 iperf3 -c $SRV -p 5201 -t 1 --json | "$LAB_PY" -c '
import json, sys
print("%.2f" % (json.load(sys.stdin)["end"]["sum_received"]["bits_per_second"] / 1e9))' \
			>"$LAB_TMP/speed"
	}
	wait_for 10 measured
	cat "$LAB_TMP/speed"
}
without=() with=()
for round in 1 2 3; do
	without+=("$(speed)")
	daemon_start
	before=$(ctl_get rx_packets)
	like "$before" '^[0-9]+$' "round $round: the status tells rx_packets"
	with+=("$(speed)")
	is "$(ctl_get rx_packets)" "$before" "round $round: no packet was queued"
	[ "$round" = 3 ] || daemon_stop
done
on_client curl -sS -o "$LAB_TMP/out/p" "http://$SRV/f20000000"
same "$LAB_TMP/www/f20000000" "$LAB_TMP/out/p" "download: every byte is right"
on_client curl -sS -H Expect: -T "$LAB_TMP/www/f20000000" "http://[$SRV_6]/put/p"
same "$LAB_TMP/www/f20000000" "$LAB_TMP/put/p" "upload: every byte is right"
is "$(ctl_get rx_packets)" "$before" "no packet was queued"
cmp_ok "$(median "${with[@]}")" '>' 0 "a figure with the daemon"
diag "one plain connection, Gbit/s, median of three: $(median "${without[@]}") without the daemon" \
	"(${without[*]}), $(median "${with[@]}") with it (${with[*]})"
done_testing
