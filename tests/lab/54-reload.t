#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A reload moves the services to other ports: what runs goes on, what is new finds
# MPTCP where it is now, and plain TCP where it was.  All under the filter of system calls.
set -u
. "$(dirname "$0")/lib.sh"
need_daemon
# enough that it is under way for some seconds
# shellcheck disable=SC2034
LAB_SIZES="100000 50000000"
lab_test

# on_port PORT: what curl gets there, and whether the daemon heard of it (1) or not (0).
on_port() {
	local before
	before=$(ctl_get mp_capable_in)
	on_client mptcpize run curl -sS -o "$LAB_TMP/out/p$1" "http://$SRV:$1/f100000"
	cmp -s "$LAB_TMP/www/f100000" "$LAB_TMP/out/p$1" || echo wrong
	echo $(($(ctl_get mp_capable_in) > before))
}
reload() { # reload SECTION.KEY=VALUE...
	daemon_conf "$LAB_TMP/daemon.conf" "$@"
	check "reload: $*" ctl reload
}

# As each segment is traced, by the time that the daemon has ended.
traced() { grep -c "trace: $1 .*$2" "$LAB_TMP/daemon.log"; }

# How many filters each thread of the daemon has.
filters() { awk '/^Seccomp_filters:/ { print $2 }' /proc/"$DAEMON_PID"/task/*/status | sort -u; }

daemon_start web.port=80 proxy.seccomp=no
none=$(filters)
daemon_stop
daemon_start web.port=80
is "$(filters)" $((none + 1)) "system calls are filtered, in all threads"
is "$(on_port 80)" 1 "port 80 is served"
is "$(on_port 8080)" 0 "port 8080 is not"
from=$(nic_bytes c1 rx)
get v4 50000000 "$LAB_TMP/out/long" &
long=$!
check "a download is under way" wait_for 20 passed c1 rx "$from" 1000000
reload web.port=8080
goes_on() { ! pid_gone "$long"; }
check "it still is" goes_on
is "$(on_port 8080)" 1 "now port 8080 is served"
is "$(on_port 80)" 0 "and port 80 is not"
check "the download that was under way ends well" wait $long
same "$LAB_TMP/www/f50000000" "$LAB_TMP/out/long" "and every byte of it is right"
reload web.port=1-65535
is "$(on_port 80)" 1 "all ports: 80"
is "$(on_port 8080)" 1 "all ports: 8080"
is "$(traced in '')" 0 "nothing is traced unless asked for"
reload web.port=80 proxy.log=trace
is "$(on_port 80)" 1 "port 80 is served"
reload web.port=80 proxy.log=info
cmp_ok "$(traced in "$C1:.*capable v1")" '>=' 2 "each segment of the client is traced"
cmp_ok "$(traced out "$SRV:80 > $C1:.*dss.* dsn")" '>=' 1 "... and each to the client"
daemon_stop

# The sets of flows get larger by a reload, not smaller, and keep what is in them.
room() {
	on_gw nft list sets inet 2>/dev/null |
		awk '/^\tset/ { ours = $2 ~ /^flows/ } ours && /size/ { print $2 }' | sort -u
}
elements() { on_gw nft list set inet mptcp_proxy flows4 2>/dev/null | grep -c "\. $P_ECHO "; }
daemon_start proxy.max_connections=17000
is "$(room)" 68000 "room for four paths of 17000 connections"
spawn "$NS_C" hold "$LAB_DIR/peer.py" hold $SRV $P_ECHO --wait 300 --until "$LAB_TMP/enough"
holder=$SPAWNED
two_paths() { [ "$(elements)" = 2 ]; }
check "a connection, of two paths" wait_for 20 two_paths
reload proxy.max_connections=18000
is "$(room)" 72000 "now there is more"
check "... with the elements that were there" two_paths
reload proxy.max_connections=17000
is "$(room)" 72000 "and no less again"
touch "$LAB_TMP/enough"
check "the connection has gone on" wait "$holder"
is "$(grep -c 'sets of flows' "$LAB_TMP/daemon.log")" 0 "nothing failed"
done_testing
