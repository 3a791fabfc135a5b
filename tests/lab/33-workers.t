#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Two workers: connections on both, second paths that come in with the other one, and a
# view of all of them.
set -u
. "$(dirname "$0")/lib.sh"
need_daemon
# shellcheck disable=SC2034
LAB_SIZES="0 100 1000000"
lab_test unshaped
connload=$(lab_tool connload tests/bench/connload.c) || exit 1
# A device whose threads are not another lab's.
device=mp$$
daemon_start proxy.workers=2 proxy.device=$device
mib_mark

# worker_policies: the scheduling policy of each thread; SCHED_BATCH is 3, SCHED_RR 2.
worker_policies() {
	"$LAB_PY" -c 'import os, sys
print(*sorted(os.sched_getscheduler(int(t)) for t in os.listdir("/proc/%s/task" % sys.argv[1])))' "$1"
}
is "$(worker_policies "$DAEMON_PID")" "0 3 3" "both workers run as batch jobs, the main thread does not"
is "$(on_gw cat "/sys/class/net/$device/threaded")" 1 "their packets are forwarded by threads of the kernel"
is "$(forwarders $device)" "3 5, 3 5" "... which come after the workers"

# 300 connections that stay, until we have seen enough: more than one page of a list.
spawn "$NS_C" load "$connload" -k -c 300 -t 300 $SRV 80 /quiet/f100
load=$SPAWNED
all_there() { [ "$(ctl_get connections)" = 300 ] && [ "$(mib_diff MPJoinSynAckRx)" -ge 300 ]; }
check "300 connections, and as many joins" wait_for 60 all_there
ctl --json connections >"$LAB_TMP/connections.json"
is "$("$LAB_PY" - "$LAB_TMP/connections.json" <<-'END'
	import json, sys
	c = json.load(open(sys.argv[1]))["connections"]
	print(len(c), len({x["id"] for x in c}), min(sum(x["id"] % 2 == w for x in c) for w in (0, 1)) > 50,
	      sum(len(x["subflows"]) == 2 for x in c) == len(c))
END
)" "300 300 True True" "the list has each once, on both workers, with two subflows"
for id in $("$LAB_PY" -c '
import json, sys
c = json.load(open(sys.argv[1]))["connections"]
print(*[next(x["id"] for x in c if x["id"] % 2 == w) for w in (0, 1)])' "$LAB_TMP/connections.json"); do
	like "$(ctl connection "$id")" "established" "connection $id is shown"
done
is "$(ctl connection 999999 >/dev/null 2>&1; echo $?)" 1 "one that is not there is told"
like "$(ctl status)" "by worker: [0-9]+ \+ [0-9]+" "the status tells how they are spread"
like "$(ctl counters)" "handed_over +[0-9]+  packets handed to the worker" "each counter is explained"
is "$(ctl counters | grep -cvE '^[a-z_]+ +[0-9]+  .')" 0 "... none without"
is "$(ctl --json counters | tr -d '\n' | grep -c '"handed_in": { *"value": [1-9]')" 1 "... or told as JSON"
cmp_ok "$(ctl_get handed_over)" '>' 100 "packets were handed to the other worker"
check "reload" ctl reload
from=$(nic_bytes c1 rx)
check "requests are answered after it" wait_for 20 passed c1 rx "$from" 500000
kill "$load"
wait "$load"
like "$(tail -n 1 "$LAB_TMP/load.log")" "errors 0 " "all requests were answered"
diag "$(tail -n 1 "$LAB_TMP/load.log"), handed over $(ctl_get handed_over), lost $(ctl_get handover_lost)"
is "$(mib_diff "$FALLBACKS")" 0 "no fallback" || diag "$(mib_all)"

# One connection's two subflows with different workers, each byte compared.
for _ in 1 2 3 4 5 6; do
	get v4 1000000 "$LAB_TMP/out/one" && same "$LAB_TMP/www/f1000000" "$LAB_TMP/out/one" "1 MB"
	get v6 1000000 "$LAB_TMP/out/one" && same "$LAB_TMP/www/f1000000" "$LAB_TMP/out/one" "1 MB, IPv6"
done
settled() { [ "$(ctl_get connections)" = 0 ] && [ "$(ctl_get server_sockets)" = 0 ]; }
check "nothing is left" wait_for 30 settled
check "drain ends both" ctl drain
wait_for 30 pid_gone "$DAEMON_PID"
check "the daemon has ended" pid_gone "$DAEMON_PID"

daemon_conf "$LAB_TMP/daemon.conf" proxy.workers=2
spawn "$NS_G" daemon chrt -r 1 "$(build_dir)/mptcp-proxyd" -c "$LAB_TMP/daemon.conf"
DAEMON_PID=$SPAWNED
wait_for 10 daemon_answers
is "$(worker_policies "$DAEMON_PID")" "2 2 2" "a policy that was chosen for them stays"
done_testing
