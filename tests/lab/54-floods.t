#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Floods of SYNs and of joins from forged sources: the server sees few of them, and a
# client that is there gets MPTCP all the same.
set -u
. "$(dirname "$0")/lib.sh"
need_daemon
lab_test unshaped
ip -n "$NS_G" route add blackhole 10.9.0.0/16
# 1024 half-open sessions, and from 512 on answers without state
daemon_start proxy.max_connections=2000 proxy.log=warning

# more COUNTER THAN
more() { [ "$(ctl_get "$1")" -gt "$2" ]; }

# flood KIND COUNTER: while it lasts, that is after it had its effect on the counter, a
# connection that stays, a download and an upload.
flood() {
	local pid holder joins
	spawn "$NS_C" flood-$1 "$LAB_PY" "$LAB_DIR/flood.py" "$1" 30000 $SRV 80
	pid=$SPAWNED
	check "$1 flood: it has begun" wait_for 20 more "$2" 100
	mib_mark
	# Only a connection that stays is sure to complete its join: a transfer may end before.
	joins=$(ctl_get mp_join_done)
	spawn "$NS_C" "hold-$1" "$LAB_DIR/peer.py" hold $SRV $P_ECHO --wait 300 --until "$LAB_TMP/enough-$1"
	holder=$SPAWNED
	check "$1 flood: the second path joins" wait_for 30 more mp_join_done "$joins"
	check "$1 flood: a download" get v4 5000000 "$LAB_TMP/out/$1"
	same "$LAB_TMP/www/f5000000" "$LAB_TMP/out/$1" "$1 flood: every byte is right"
	check "$1 flood: an upload" put v4 1000000 "$1"
	same "$LAB_TMP/www/f1000000" "$LAB_TMP/put/$1" "$1 flood: every byte is right"
	touch "$LAB_TMP/enough-$1"
	check "$1 flood: the connection that stays is served" wait "$holder"
	is "$(mib_diff MPCapableSYNACKRX)" 3 "$1 flood: the connections are MPTCP"
	is "$(mib_diff MPJoinSynAckHMacFailure)" 0 "$1 flood: our joins are right for the client"
	is "$(mib_diff '.*Fallback.*')" 0 "$1 flood: no fallback"
	wait "$pid"
	like "$(cat "$LAB_TMP/flood-$1.log")" '^sent (29|30)...$' "$1 flood: the flood was sent"
}

flood syn stateless_sent
cmp_ok "$(ctl_get stateless_sent)" '>' 10000 "SYNs were answered without state"
cmp_ok "$(ctl_get stateless_done)" '>=' 3 "the client's were among them, and went on"
held=$(on_srv ss -Htn state established state syn-recv dst 10.9.0.0/16 | wc -l)
cmp_ok "$held" '<=' 600 "the server has few connections of forged sources"
diag "of 30000 forged SYNs the server saw $held"

# What is left of them in the kernel is not there for long.
lasting=$(on_gw nft list set inet mptcp_proxy flows4 2>/dev/null | grep -o 'expires [0-9a-z]*' |
	awk '{ h = m = 0; t = $2
		if (match(t, /[0-9]+h/)) h = substr(t, RSTART, RLENGTH - 1)
		if (match(t, /[0-9]+m($|[0-9])/)) { m = substr(t, RSTART); sub(/m.*/, "", m) }
		n++; if (h * 60 + m >= 4) long++ } END { print n + 0, long + 0 }')
cmp_ok "${lasting% *}" '>' 20000 "the set of flows has elements of forged sources"
cmp_ok "${lasting#* }" '<' 700 "... that time out soon"

spawn "$NS_C" hold "$LAB_DIR/peer.py" hold $SRV $P_ECHO --wait 300
holder=$SPAWNED
check "a connection" wait_for 10 grep -q "^ok mptcp" "$LAB_TMP/hold.log"
cmp_ok "$(on_gw nft list set inet mptcp_proxy flows4 2>/dev/null | tr ',' '\n' |
	grep -F "$C1 . " | grep -F ". $P_ECHO " | grep -c 'expires 5[0-9]m')" '>=' 1 "... stays in it for long"
stop_pid $holder

flood join mp_join_unknown
cmp_ok "$(ctl_get mp_join_unknown)" '>' 10000 "joins of unknown tokens were passed on"
is "$(ctl_get mp_join_bad_mac)" 0 "... and none of the client's was wrong"

# The set gets full; and then, flows that were passed on and taken again are put back into it.
spawn "$NS_C" flood-full "$LAB_PY" "$LAB_DIR/flood.py" syn 150000 $SRV 80 2
full=$SPAWNED
on_client "$LAB_PY" "$LAB_DIR/flood.py" pair 100000 $SRV 80 3
wait "$full"
elements=$(on_gw nft list set inet mptcp_proxy flows4 2>/dev/null | grep -c expires)
cmp_ok "$elements" '>' 60000 "the set of flows is full"
cmp_ok "$elements" '<=' 65536 "... and no more than that"
done_testing
