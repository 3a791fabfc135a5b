#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Applications that were not written with this in mind: scp, iperf3, and a
# WebSocket-like connection that is silent for three minutes (LAB_IDLE_S).
#
# lab: mostly idle
set -u
. "$(dirname "$0")/lib.sh"
lab_test
daemon_start
check "an ssh server runs" sshd_start
: "${LAB_IDLE_S:=180}"

for host in $SRV $SRV_6; do
	spawn "$NS_C" "idle-$host" "$LAB_DIR/peer.py" idle "$host" $P_ECHO --wait "$LAB_IDLE_S"
	idle+=("$SPAWNED")
done

mib_mark
check "scp to the server" on_client mptcpize run scp -q -F "$LAB_TMP/ssh.conf" \
	"$LAB_TMP/www/f20000000" "srv:$LAB_TMP/out/there"
same "$LAB_TMP/www/f20000000" "$LAB_TMP/out/there" "scp to the server: every byte is right"
check "scp from the server" on_client mptcpize run scp -q -F "$LAB_TMP/ssh.conf" \
	"srv:$LAB_TMP/www/f20000000" "$LAB_TMP/out/back"
same "$LAB_TMP/www/f20000000" "$LAB_TMP/out/back" "scp from the server: every byte is right"
is "$(on_client mptcpize run ssh -F "$LAB_TMP/ssh.conf" srv echo hello </dev/null)" hello "ssh runs a command"
mptcp_ok ssh

# iperf3's server takes one client at a time.
free() { [ -z "$(on_srv ss -Htn state established "sport = :5201")" ]; }
for way in "" -R; do
	wait_for 10 free
	mib_mark
	out=$(on_client timeout 120 mptcpize run iperf3 -c $SRV -p 5201 -t 5 $way --json)
	is $? 0 "iperf3 $way"
	diag "iperf3 $way: $("$LAB_PY" -c '
import json, sys
e = json.load(sys.stdin)["end"]
print("sent %.1f, received %.1f Mbit/s" % (e["sum_sent"]["bits_per_second"] / 1e6,
      e["sum_received"]["bits_per_second"] / 1e6))' <<<"$out")"
	mptcp_ok "iperf3 $way"
done

for pid in "${idle[@]}"; do
	wait "$pid"
	is $? 0 "an idle connection lives after $LAB_IDLE_S s"
done
diag "$(cat "$LAB_TMP"/idle-*.log)"
done_testing
