#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The daemon dies (kill -9) under traffic: what is new works at once, as plain TCP.
# After a restart it is MPTCP again, with one ruleset, not two.  After SIGTERM
# nothing of it is left: no table, no rule, no device; also if the helper that runs nft has died,
# and if the signal comes again and again.
set -u
. "$(dirname "$0")/lib.sh"
need_daemon
lab_test

rules() { on_gw ip rule; on_gw ip -6 rule; }
links() { on_gw ip -o link | sed 's/^[0-9]*: \([^:@]*\).*/\1/' | sort | tr '\n' ' '; }
tables() { on_gw nft list tables | grep -c 'inet mptcp_proxy'; }
# native, or the xt target: that nft prints as iptables would write it, where this is installed
queue_rules() {
	on_gw nft list chain inet mptcp_proxy take0 2>&1 |
		grep -cE 'queue .*4210|XT target NFQUEUE not found'
}
rules_before=$(rules) links_before=$(links)
routes_before=$(on_gw ip route show table all | sort; on_gw ip -6 route show table all | sort)

daemon_start
like "$(on_client "$LAB_DIR/peer.py" probe $SRV $P_ECHO)" "^ok mptcp" "MPTCP before"
is "$(tables)" 1 "one ruleset"
is "$(queue_rules)" 1 "one queue rule"

from=$(nic_bytes c1 rx)
spawn "$NS_C" traffic "$LAB_DIR/peer.py" download $SRV $P_SOURCE --bytes 50000000 --timeout 5
check "a download is under way" wait_for 20 passed c1 rx "$from" 1000000
daemon_kill9
is "$(on_client "$LAB_DIR/peer.py" probe $SRV $P_ECHO)" "ok tcp" \
	"after kill -9, a new connection works, as plain TCP"
check "after kill -9, a download" get v4 1000000 "$LAB_TMP/out/dead"
same "$LAB_TMP/www/f1000000" "$LAB_TMP/out/dead" "after kill -9, every byte is right"
check "after kill -9, IPv6 too" get v6 1000000 "$LAB_TMP/out/dead6"
same "$LAB_TMP/www/f1000000" "$LAB_TMP/out/dead6" "after kill -9, IPv6: every byte is right"

nobody_left() { [ -z "$(ip netns pids "$NS_G")" ]; }
check "after kill -9, its helper ended, too" wait_for 10 nobody_left

daemon_start
is "$(on_client "$LAB_DIR/peer.py" probe $SRV $P_ECHO --joins 1)" "ok mptcp 1" \
	"after the restart, MPTCP again"
is "$(tables)" 1 "one ruleset, the old one is gone"
is "$(queue_rules)" 1 "one queue rule"
check "after the restart, a download" get v4 5000000 "$LAB_TMP/out/again"
same "$LAB_TMP/www/f5000000" "$LAB_TMP/out/again" "after the restart, every byte is right"

daemon_stop
is "$(tables)" 0 "after SIGTERM, no ruleset"
is "$(queue_rules)" 0 "after SIGTERM, no queue rule"
is "$(rules)" "$rules_before" "after SIGTERM, no ip rule"
is "$(links)" "$links_before" "after SIGTERM, no device"
is "$(on_gw ip route show table all | sort; on_gw ip -6 route show table all | sort)" \
	"$routes_before" "after SIGTERM, no route"
is "$(on_client "$LAB_DIR/peer.py" probe $SRV $P_ECHO)" "ok tcp" "after SIGTERM, plain TCP"

daemon_start
helper=$(ip netns pids "$NS_G" | while read -r p; do
	grep -qx proxyd-helper "/proc/$p/comm" && echo "$p"; done)
check "the helper is killed" kill -9 "$helper"
like "$(ctl reload 2>&1)" "the process that runs it is gone" "a reload needs it, and says so"
like "$(on_client "$LAB_DIR/peer.py" probe $SRV $P_ECHO)" "^ok mptcp" "what runs goes on"
daemon_stop
is "$(tables)" 0 "after SIGTERM, no ruleset"

daemon_start
until pid_gone "$DAEMON_PID"; do
	kill "$DAEMON_PID" 2>/dev/null
done
wait "$DAEMON_PID" 2>/dev/null
is $? 0 "after SIGTERM upon SIGTERM, it ends in order"
DAEMON_PID=
is "$(tables)" 0 "... and there is no ruleset"
is "$(rules)" "$rules_before" "... and no ip rule"
done_testing
