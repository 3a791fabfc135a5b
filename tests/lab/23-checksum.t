#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# DSS checksums, asked for by the client or by the configuration; and a middlebox that
# changes one byte of the payload and mends TCP's checksum (RFC 8684, section 3.7).
#
# With two paths the one that changes data is reset, and no wrong byte arrives.  With one
# path, the connection's first, there is nothing to send it again on: both ends go on as
# plain TCP, over which a middlebox may change what it likes.  Then all but the changed
# bytes must be right, and in their places.
set -u
. "$(dirname "$0")/lib.sh"
need_daemon
lab_test

# under_way get|put NAME NIC: a transfer of 20 MB in the background, which is in its middle
under_way() {
	local dir=rx from
	[ "$1" = put ] && dir=tx
	from=$(nic_bytes "$3" $dir)
	if [ "$1" = get ]; then
		get v4 20000000 "$LAB_TMP/out/$2" &
	else
		put v4 20000000 "$2" &
	fi
	TRANSFER=$!
	check "$2: under way" wait_for 20 passed "$3" $dir "$from" 200000
}
# mangle_one LINK ab|ba: one byte of one packet, from now on
mangle_one() { link_set "$1" "$2" mangle=100,mangles=1; }
mangle_end() { link_set "$1" both mangle=0; }
# bytes_wrong FILE FILE: how many differ; "size" if the lengths do
bytes_wrong() {
	[ "$(stat -c %s "$1")" = "$(stat -c %s "$2")" ] || { echo size; return; }
	cmp -l "$1" "$2" | wc -l
}
both_ways() { # both_ways DESCRIPTION: identical, and nothing wrong counted
	local family bad
	for family in v4 v6; do
		check "$1, $family: download" get $family 5000000 "$LAB_TMP/out/$family"
		same "$LAB_TMP/www/f5000000" "$LAB_TMP/out/$family" "$1, $family: download is right"
		check "$1, $family: upload" put $family 5000000 $family
		same "$LAB_TMP/www/f5000000" "$LAB_TMP/put/$family" "$1, $family: upload is right"
	done
	bad=$(ctl_get mp_bad_checksum)
	is "$bad $(ctl_get mp_no_checksum)" "0 0" "$1: none was wrong or missing"
}

daemon_start
on_client sysctl -qw net.mptcp.checksum_enabled=1
mib_mark
both_ways "the client asks"
mptcp_ok "the client asks"
is "$(mib_diff 'DataCsumErr|DSSCorruption.*')" 0 "the client found none wrong"

# Two paths, one of which changes data.
mib_mark
under_way put up2 c2
mangle_one 2 ab
check "changed on the second path: upload" wait $TRANSFER
mangle_end 2
diag "$(mib_all)"
same "$LAB_TMP/www/f20000000" "$LAB_TMP/put/up2" "changed on the second path: upload is right"
cmp_ok "$(ctl_get mp_bad_checksum)" '>' 0 "it was found"
cmp_ok "$(mib_diff MPFailRx)" '>' 0 "and the client was told"
mib_mark
under_way get down2 c2
mangle_one 2 ba
check "changed on the second path: download" wait $TRANSFER
mangle_end 2
diag "$(mib_all)"
same "$LAB_TMP/www/f20000000" "$LAB_TMP/out/down2" "changed on the second path: download is right"
cmp_ok "$(mib_diff DataCsumErr)" '>' 0 "the client found it"
cmp_ok "$(ctl_get mp_fail_in)" '>' 0 "and told"

# One path: plain TCP from there on.
on_client ip mptcp endpoint flush
bad=$(ctl_get mp_bad_checksum) told=$(ctl_get mp_fail_in)
mib_mark
under_way put up1 c1
mangle_one 1 ab
check "changed on the only path: upload" wait $TRANSFER
mangle_end 1
diag "$(mib_all)"
is "$(bytes_wrong "$LAB_TMP/www/f20000000" "$LAB_TMP/put/up1")" 1 \
	"changed on the only path: the upload has one wrong byte"
cmp_ok "$(ctl_get mp_bad_checksum)" '>' "$bad" "it was found"
cmp_ok "$(ctl_get mp_fallback_checksum)" '>' 0 "the connection went on as plain TCP"
mib_mark
under_way get down1 c1
mangle_one 1 ba
check "changed on the only path: download" wait $TRANSFER
mangle_end 1
diag "$(mib_all)"
is "$(bytes_wrong "$LAB_TMP/www/f20000000" "$LAB_TMP/out/down1")" 1 \
	"changed on the only path: the download has one wrong byte"
cmp_ok "$(ctl_get mp_fail_in)" '>' "$told" "the client told"
client_endpoints
daemon_stop

daemon_start mptcp.checksum=always
on_client sysctl -qw net.mptcp.checksum_enabled=0
mib_mark
both_ways "the configuration asks"
mptcp_ok "the configuration asks"
done_testing
