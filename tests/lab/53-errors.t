#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What can go wrong at start: one clear line, a non-zero exit, nothing left behind.
set -u
. "$(dirname "$0")/lib.sh"
need_daemon
lab_test
bin=$(build_dir) || lab_die "no mptcp-proxyd"

# All that a daemon changes, and its processes.
state() {
	on_gw nft list tables
	on_gw cat /proc/sys/net/ipv4/tcp_early_demux
	on_gw ip -o link | sed 's/^[0-9]*: //; s/[:@].*//' | sort
	on_gw ip -o addr show dev lo | grep -o 'inet6* [^ ]*'
	on_gw ip route show table 19792 2>/dev/null
	on_gw ip -6 route show table local | grep 3fff
	ls "$LAB_TMP"/*.sock 2>/dev/null
	ip netns pids "$NS_G" | wc -l
}

# attempt NAME COMMAND...: fails, with one line that is not a crash's
attempt() {
	local name=$1 rc lines before
	shift
	before=$(state)
	on_gw timeout 60 "$@" >"$LAB_TMP/err-$name.txt" 2>&1
	rc=$?
	cmp_ok $rc '>' 0 "$name: exit status is not 0"
	cmp_ok $rc '<' 124 "$name: no hang, no crash"
	lines=$(grep -c . "$LAB_TMP/err-$name.txt")
	is "$lines" 1 "$name: one line"
	diag "$(head -n 5 "$LAB_TMP/err-$name.txt")"
	unchanged() { [ "$(state)" = "$before" ]; }
	check "$name: nothing left behind" wait_for 5 unchanged ||
		diag "$(diff <(echo "$before") <(state))"
}
daemon_conf "$LAB_TMP/e.conf"

# unprivileged: a copy, since the build directory may not be readable to nobody
pub=$(mktemp -d "${TMPDIR:-/tmp}/$LAB_PREFIX-pub.XXXXXX")
cp "$bin/mptcp-proxyd" "$LAB_TMP/e.conf" "$pub/"
chmod -R a+rX "$pub"
attempt unprivileged setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all \
	"$pub/mptcp-proxyd" -c "$pub/e.conf"
rm -rf "$pub"

# nft is hidden from this process alone
# shellcheck disable=SC2016
attempt no-nft unshare -m sh -c 'mount --bind /dev/null "$(readlink -f "$(command -v nft)")" && exec "$@"' \
	sh "$bin/mptcp-proxyd" -c "$LAB_TMP/e.conf"
like "$(cat "$LAB_TMP/err-no-nft.txt")" nft "no-nft: the line names nft"

attempt no-file "$bin/mptcp-proxyd" -c "$LAB_TMP/nonexistent.conf"

daemon_conf "$LAB_TMP/bad.conf" proxy.max_connections=many
line=$(grep -n max_connections "$LAB_TMP/bad.conf" | cut -d : -f 1)
attempt bad-value "$bin/mptcp-proxyd" --check -c "$LAB_TMP/bad.conf"
like "$(cat "$LAB_TMP/err-bad-value.txt")" "bad.conf.*$line.*max_connections" \
	"bad-value: file, line and key are named"

# An answer that does not get out is not given.
for what in --check --print-ruleset --version; do
	# shellcheck disable=SC2016
	attempt "full$what" sh -c 'exec "$@" >/dev/full' sh "$bin/mptcp-proxyd" -c "$LAB_TMP/e.conf" $what
done
# shellcheck disable=SC2016
attempt ctl-full sh -c 'exec "$@" >/dev/full' sh "$bin/mptcp-proxyctl" --version

on_gw ip link set lo down
attempt lo-down "$bin/mptcp-proxyd" -c "$LAB_TMP/e.conf"
like "$(cat "$LAB_TMP/err-lo-down.txt")" "lo is down" "lo-down: the line says so"
like "$(cat "$LAB_TMP/err-lo-down.txt")" "ip link set lo up" "lo-down: ... and what to do"
on_gw ip link set lo up

touch "$LAB_TMP/file"
daemon_conf "$LAB_TMP/bad.conf" proxy.control="$LAB_TMP/file"
attempt no-socket "$bin/mptcp-proxyd" -c "$LAB_TMP/bad.conf"
like "$(cat "$LAB_TMP/err-no-socket.txt")" "$LAB_TMP/file" "no-socket: the line names the file"
check "no-socket: the file is still there" test -f "$LAB_TMP/file"

daemon_start
daemon_conf "$LAB_TMP/e.conf" proxy.control="$LAB_TMP/other.sock" proxy.device=mptcp1
attempt queue-in-use "$bin/mptcp-proxyd" -c "$LAB_TMP/e.conf"
like "$(cat "$LAB_TMP/err-queue-in-use.txt")" "[0-9].*\[proxy\] queue" \
	"queue-in-use: the line names the queue and the key"
daemon_conf "$LAB_TMP/e.conf" proxy.control="$LAB_TMP/other.sock" proxy.queue=4310
attempt device-in-use "$bin/mptcp-proxyd" -c "$LAB_TMP/e.conf"
like "$(cat "$LAB_TMP/err-device-in-use.txt")" "mptcp0.*\[proxy\] device" \
	"device-in-use: the line names the device and the key"
daemon_conf "$LAB_TMP/e.conf" proxy.device=mptcp1 proxy.queue=4310
attempt control-in-use "$bin/mptcp-proxyd" -c "$LAB_TMP/e.conf"
like "$(cat "$LAB_TMP/err-control-in-use.txt")" "control.sock.*\[proxy\] control" \
	"control-in-use: the line names the socket and the key"
like "$(on_client "$LAB_DIR/peer.py" probe $SRV $P_ECHO)" "^ok mptcp" \
	"the running daemon was not disturbed"
is "$(on_gw nft list tables | grep -c mptcp_proxy)" 1 "its ruleset is still there"
done_testing
