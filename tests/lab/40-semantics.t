#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the client sees is what it would have seen without a proxy: refusal, reset,
# unreachable, silence, half-close; and the server sees the client's reset.
set -u
. "$(dirname "$0")/lib.sh"
lab_test
daemon_start
p() { on_client timeout 120 "$LAB_DIR/peer.py" "$@" 2>&1; }
events() { wait_for 5 grep -q "^$1" "$LAB_TMP/peer.events"; grep "^$1" "$LAB_TMP/peer.events"; }

for host in $SRV $SRV_6; do
	: >"$LAB_TMP/peer.events"
	me=$C1
	[ $host = $SRV_6 ] && me=$C1_6
	is "$(p connect $host $P_REFUSED)" ECONNREFUSED "$host: refused"
	is "$(p connect $host $P_SILENT --timeout 3)" ETIMEDOUT "$host: a silent server stays silent"
	is "$(p expect-rst $host $P_RST)" ECONNRESET "$host: the server's reset arrives"
	is "$(p early $host $P_EARLY)" ok "$host: so does what the server said before one"
	is "$(p rst $host $P_WATCH)" ok "$host: the client resets"
	like "$(events watch)" "^watch $me [0-9]+ reset" "$host: the server sees the reset"
	is "$(p clifin $host $P_CLIFIN)" ok "$host: the client ends first, the answer still comes"
	like "$(events clifin)" "^clifin $me [0-9]+ eof 300000 " "$host: the server saw the end"
	out=$(p srvfin $host $P_SRVFIN)
	like "$out" '^ok ' "$host: the server ends first, all that it sent arrives, urgent or not"
	is "$(events srvfin | awk '{ print $4, $5, $6 }')" "eof 300000 ${out#ok }" \
		"$host: and it still receives"
	is "$(p finrst $host $P_FINRST --timeout 20)" "ok 0" \
		"$host: a reset after the end arrives, though nobody writes"
done
# One of two paths is dead, which nobody has noticed: the other one tells of the reset.
if [ "$LAB_MODE" = daemon ]; then
	for cut in 1 2; do
		spawn "$NS_C" later$cut "$LAB_DIR/peer.py" expect-rst $SRV $P_LATER --timeout 60
		pid=$SPAWNED
		sleep 1.5                       # with both
		link_cut $cut
		wait $pid
		is "$(cat "$LAB_TMP/later$cut.log")" ECONNRESET "path $cut is dead: a reset arrives"
		link_restore $cut
	done
fi
like "$(p connect $NET_UNREACH 80)" '^E(HOST|NET)UNREACH$' "an unreachable network"
like "$(p connect 192.0.2.99 80 --timeout 20)" '^E(HOSTUNREACH|TIMEDOUT)$' "an absent host"
done_testing
