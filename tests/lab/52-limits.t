#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Past max_connections a new client is not refused: it gets plain TCP.
set -u
. "$(dirname "$0")/lib.sh"
need_daemon
lab_test
daemon_start proxy.max_connections=2

for n in 1 2; do
	spawn "$NS_C" hold$n "$LAB_DIR/peer.py" hold $SRV $P_ECHO --wait 300 --until "$LAB_TMP/enough"
	held+=("$SPAWNED")
	wait_for 20 grep -q ok "$LAB_TMP/hold$n.log"
	like "$(head -n 1 "$LAB_TMP/hold$n.log")" "^ok mptcp" "connection $n: MPTCP"
done
is "$(on_client "$LAB_DIR/peer.py" probe $SRV $P_ECHO)" "ok tcp" "connection 3: plain TCP"
check "connection 4: a download" get v4 1000000 "$LAB_TMP/out/four"
same "$LAB_TMP/www/f1000000" "$LAB_TMP/out/four" "connection 4: every byte is right"
touch "$LAB_TMP/enough"
for pid in "${held[@]}"; do
	wait "$pid"
	is $? 0 "a held connection still works"
done
served() { [[ $(on_client "$LAB_DIR/peer.py" probe $SRV $P_ECHO) == "ok mptcp"* ]]; }
check "when they are gone, MPTCP again" wait_for 20 served
daemon_stop

# Fewer files than max_connections asks for: connections leave enough for all else.
real=$(cd "$(build_dir)" && pwd)
mkdir "$LAB_TMP/bin"
ln -s "$real/mptcp-proxyctl" "$LAB_TMP/bin/"
printf '#!/bin/sh\nexec prlimit --nofile=100:100 setpriv --bounding-set=-sys_resource %s "$@"\n' \
	"$real/mptcp-proxyd" >"$LAB_TMP/bin/mptcp-proxyd"
chmod +x "$LAB_TMP/bin/mptcp-proxyd"
MPTCP_PROXY_BUILD=$LAB_TMP/bin
daemon_start proxy.workers=2
check "the log says so" grep -q "warning: the limit of open files allows max_connections = 12, not 100000" \
	"$LAB_TMP/daemon.log"
spawn "$NS_C" many mptcpize run "$LAB_PY" -c "import socket, time
held = [socket.create_connection(('$SRV', $P_ECHO)) for _ in range(100)]
print('all', flush=True)
time.sleep(60)"
check "many connections: all are there" wait_for 20 grep -q all "$LAB_TMP/many.log"
is "$(ctl_get connections)" 12 "as many are MPTCP as there are files for"
# A SYN that is repeated counts again.
cmp_ok "$(ctl_get shed_connections)" '>=' 88 "the others passed"
is "$(ctl_get shed_files)" 0 "... and not for want of files"
check "a reload" ctl reload
is "$(ctl_get max_connections)" 12 "... changes nothing about that"
stop_pid "$SPAWNED"
done_testing
