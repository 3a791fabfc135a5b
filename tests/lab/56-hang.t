#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A worker hangs (a debugger holds its thread), while the rest of the daemon goes on: the
# daemon notices, with or without a service manager, removes its rules and gives up, so
# that traffic passes.  Likewise when it is told to end meanwhile.  That somebody sets the clock
# is no reason for that.
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
	is "$(on_client "$LAB_DIR/peer.py" probe $SRV $P_ECHO)" "ok tcp" \
		"$1: new connections are plain TCP"
}

daemon_start proxy.workers=2
like "$(on_client "$LAB_DIR/peer.py" probe $SRV $P_ECHO)" "^ok mptcp" "MPTCP before"
freeze "worker 1"
gave_up "it hangs"
check "... and says which worker" grep -q "worker 1 hangs" "$LAB_TMP/daemon.log"

daemon_start proxy.workers=2 proxy.drain_timeout=0
like "$(on_client "$LAB_DIR/peer.py" probe $SRV $P_ECHO)" "^ok mptcp" "MPTCP again"
freeze "worker 0"
kill "$DAEMON_PID"
gave_up "it hangs and is stopped"

# The clock is set forward by an hour whenever the daemon has just looked.
real=$(cd "$(build_dir)" && pwd)
mkdir "$LAB_TMP/bin"
cat >"$LAB_TMP/bin/clock.c" <<-END
	#define _GNU_SOURCE
	#include <dlfcn.h>
	#include <time.h>
	int clock_gettime(clockid_t id, struct timespec *ts)
	{
		static int (*next)(clockid_t, struct timespec *);
		int ret;

		if (!next)
			*(void **)&next = dlsym(RTLD_NEXT, "clock_gettime");
		ret = next(id, ts);
		if (id == CLOCK_REALTIME)
			ts->tv_sec -= 3600;
		return ret;
	}
END
if ${CC:-cc} -shared -fPIC -o "$LAB_TMP/bin/clock.so" "$LAB_TMP/bin/clock.c"; then
	ln -s "$real/mptcp-proxyctl" "$LAB_TMP/bin/"
	cat >"$LAB_TMP/bin/mptcp-proxyd" <<-END
		#!/bin/sh
		export ASAN_OPTIONS="\$ASAN_OPTIONS:verify_asan_link_order=0" LD_PRELOAD=$LAB_TMP/bin/clock.so
		exec "$real/mptcp-proxyd" "\$@"
	END
	chmod +x "$LAB_TMP/bin/mptcp-proxyd"
	MPTCP_PROXY_BUILD=$LAB_TMP/bin
	daemon_start proxy.workers=2
	failed=0
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		ctl status >/dev/null || failed=$((failed + 1))
	done
	is $failed 0 "the clock is set: the workers answer"
	kill "$DAEMON_PID"
	check "... and the daemon can be ended" wait_for 10 pid_gone "$DAEMON_PID"
	wait "$DAEMON_PID"
	is $? 0 "... as usual"
	DAEMON_PID=
else
	skip 3 "no compiler"
fi
done_testing
