#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What can go wrong at start: one clear line, a non-zero exit, nothing left behind.
set -u
. "$(dirname "$0")/lib.sh"
need_daemon
lab_test
bin=$(build_dir) || lab_die "no mptcp-proxyd"

# attempt NAME COMMAND...: fails, with one line that is not a crash's
attempt() {
	local name=$1 rc lines
	shift
	on_gw timeout 10 "$@" >"$LAB_TMP/err-$name.txt" 2>&1
	rc=$?
	cmp_ok $rc '>' 0 "$name: exit status is not 0"
	cmp_ok $rc '<' 124 "$name: no hang, no crash"
	lines=$(grep -c . "$LAB_TMP/err-$name.txt")
	is "$lines" 1 "$name: one line"
	diag "$(head -n 5 "$LAB_TMP/err-$name.txt")"
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

daemon_start
daemon_conf "$LAB_TMP/e.conf" proxy.control="$LAB_TMP/other.sock" proxy.device=mptcp1
attempt queue-in-use "$bin/mptcp-proxyd" -c "$LAB_TMP/e.conf"
daemon_conf "$LAB_TMP/e.conf" proxy.control="$LAB_TMP/other.sock" proxy.queue=4310
attempt device-in-use "$bin/mptcp-proxyd" -c "$LAB_TMP/e.conf"
like "$(cat "$LAB_TMP/err-device-in-use.txt")" mptcp0 "device-in-use: the line names the device"
like "$(on_client "$LAB_DIR/peer.py" probe $SRV $P_ECHO)" "^ok mptcp" \
	"the running daemon was not disturbed"
is "$(on_gw nft list tables | grep -c mptcp_proxy)" 1 "its ruleset is still there"
done_testing
