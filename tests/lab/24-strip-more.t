#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The other places at which a middlebox may take MPTCP options off (RFC 8684, section 3.7):
# the third ACK and all ACKs behind it; the first data, up, down or both ways; the third ACK
# of a join; and data where checksums were agreed on.  Whatever it is, every byte is right.
set -u
. "$(dirname "$0")/lib.sh"
need_daemon
lab_test
daemon_start

# transfer DESCRIPTION: both ways, compared
transfer() {
	mib_mark
	check "$1: download" get v4 1000000 "$LAB_TMP/out/x"
	same "$LAB_TMP/www/f1000000" "$LAB_TMP/out/x" "$1: download is right"
	check "$1: upload" put v4 1000000 x
	same "$LAB_TMP/www/f1000000" "$LAB_TMP/put/x" "$1: upload is right"
	diag "$1: stripped $(strip_count): $(mib_all)"
	rm -f "$LAB_TMP/out/x" "$LAB_TMP/put/x"
}

on_client ip mptcp endpoint flush
strip_on ack c1
transfer "third ACK, and all ACKs out"
for way in out in both; do
	strip_on $way c1 1
	transfer "first data $way"
done
cmp_ok "$(ctl_get mp_fallback_handshake)" '>' 0 "some connections never became MPTCP"

on_client sysctl -qw net.mptcp.checksum_enabled=1
for way in out in both; do
	strip_on $way c1
	transfer "with checksums, data $way"
done
on_client sysctl -qw net.mptcp.checksum_enabled=0

client_endpoints
strip_on ack c2
transfer "two paths, third ACK of the join"
cmp_ok "$(strip_count)" '>' 0 "options were stripped"
strip_off
done_testing
