#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A worker hangs (a debugger holds its thread), while the rest of the daemon goes on: the
# daemon notices, with or without a service manager, removes its rules and gives up, so
# that traffic passes.  Likewise when it is told to end meanwhile.
set -u
. "$(dirname "$0")/lib.sh"
need_daemon
lab_test

tables() { on_gw nft list tables | grep -c 'inet mptcp_proxy'; }
freeze() {
	spawn "$NS_G" freeze "$LAB_PY" "$LAB_DIR/peer.py" freeze "$DAEMON_PID" "$1"
	check "$1 is stopped" wait_for 5 grep -q stopped "$LAB_TMP/freeze.log"
	: >"$LAB_TMP/freeze.log"
}
# gave_up HOW: the daemon is gone, by itself.
gave_up() {
	check "$1: the daemon ends" wait_for 30 pid_gone "$DAEMON_PID"
	wait "$DAEMON_PID" 2>/dev/null
	is $? $((128 + $(kill -l ABRT))) "$1: by SIGABRT, which a service manager answers with a restart"
	DAEMON_PID=
	is "$(tables)" 0 "$1: the rules are gone"
	is "$(on_client "$LAB_DIR/peer.py" probe $SRV $P_ECHO --timeout 10)" "ok tcp" \
		"$1: new connections are plain TCP"
}

daemon_start proxy.workers=2
like "$(on_client "$LAB_DIR/peer.py" probe $SRV $P_ECHO --wait 1)" "^ok mptcp" "MPTCP before"
freeze "worker 1"
gave_up "it hangs"
check "... and says which worker" grep -q "worker 1 hangs" "$LAB_TMP/daemon.log"

daemon_start proxy.workers=2 proxy.drain_timeout=0
like "$(on_client "$LAB_DIR/peer.py" probe $SRV $P_ECHO --wait 1)" "^ok mptcp" "MPTCP again"
freeze "worker 0"
kill "$DAEMON_PID"
gave_up "it hangs and is stopped"
done_testing
