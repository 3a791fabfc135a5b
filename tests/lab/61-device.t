#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Somebody takes the TUN device down: what the proxy has stands still until it is up again, and
# new connections pass untouched, at once.  Somebody deletes it: the daemon says so and ends, so
# that traffic passes and a service manager can start it again.  The device's threads have not
# taken all yet when the daemon ends: nothing is lost with it.
set -u
. "$(dirname "$0")/lib.sh"
need_daemon
lab_test

# A device whose threads are not another lab's.
device=mptcp$$
daemon_start proxy.device=$device proxy.drain_timeout=0
spawn "$NS_C" told "$LAB_DIR/peer.py" told $SRV $P_ECHO --count 300 --timeout 20 -o "$LAB_TMP/up"
pid=$SPAWNED
check "300 connections" wait_for 60 test -s "$LAB_TMP/up"
# They get a processor when nobody else wants it, and somebody does.
for stat in /proc/[0-9]*/comm; do
	read -r name 2>/dev/null <"$stat" || continue
	[[ $name != napi/$device-* ]] || chrt -i -p 0 "${stat//[!0-9]/}" >/dev/null
done
hogs=()
for ((i = $(nproc); i > 0; i--)); do
	nice -n 19 bash -c 'while :; do :; done' &
	hogs+=($!)
done
daemon_stop
for hog in "${hogs[@]}"; do
	stop_pid "$hog"
done
wait "$pid"
is "$(cat "$LAB_TMP/told.log")" "ok 300" "... and each is told of the daemon's end"

daemon_start proxy.log=debug            # what a failed run leaves to look at

logged() { grep -q "$1" "$LAB_TMP/daemon.log"; }
probe() { on_client "$LAB_DIR/peer.py" probe $SRV $P_ECHO --timeout 20; }

download_bg down 20000000
pid=$SPAWNED
one() { [ "$(ctl_get connections)" = 1 ]; }
check "a download" wait_for 10 one
on_gw ip link set mptcp0 down
check "the device is down, which the daemon notices" wait_for 10 logged "mptcp0 is down"
is "$(probe)" "ok tcp" "a new connection is plain TCP"
is "$(ctl_get step_aside_plain_syn)" 0 "... from its first SYN on"
cmp_ok "$(ctl_get shed_device)" '>=' 1 "... and is counted"
on_gw ip link set mptcp0 up
check "it is up again, which the daemon notices, too" wait_for 10 logged "mptcp0 is up"
like "$(probe)" "^ok mptcp" "a new connection speaks MPTCP"
wait_for 20 pid_gone "$pid" || { diag "it stands still"; ctl connections | sed 's/^/# /'; }
check "the download goes on" wait "$pid"
like "$(cat "$LAB_TMP/down.log")" "^ok .*mptcp" "... and ends well"

download_bg cut 20000000
pid=$SPAWNED
check "another download" wait_for 10 one
on_gw ip link del mptcp0
check "the device is deleted, and the daemon ends" wait_for 20 pid_gone "$DAEMON_PID"
wait "$DAEMON_PID" 2>/dev/null
is $? 1 "... with an error"
DAEMON_PID=
check "... that it tells" logged "error: TUN device mptcp0: it is gone"
is "$(on_gw nft list tables | grep -c mptcp_proxy)" 0 "the rules are gone"
is "$(probe)" "ok tcp" "a new connection is plain TCP"
done_testing
