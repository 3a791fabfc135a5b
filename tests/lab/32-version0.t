#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A client of version 0 (RFC 6824), of raw packets and written from the RFC, since the
# kernel speaks version 1 only: whole connections over two paths, and what tshark says.
set -u
. "$(dirname "$0")/lib.sh"
need_daemon
lab_test
daemon_start
# Each line of this file has a port of its own: one met the TIME-WAIT of another.
v0() {
	on_client timeout 240 "$LAB_DIR/v0client.py" "$@" \
		--source-port $((30000 + BASH_LINENO[0])) 2>&1
}
# The client's join comes before its data.
joined_and_heard() {
	[ "$(ctl_get mp_join_done)" -gt "$1" ] &&
		ctl --json connections | grep -q '"bytes_to_server": 5,'
}
events() { wait_for 5 grep -q "^$1" "$LAB_TMP/peer.events"; grep "^$1" "$LAB_TMP/peer.events"; }

# the kernel's own answers to these connections, of which it knows nothing
on_client nft -f - <<-END
	table inet raw_client {
		chain out {
			type filter hook output priority 0;
			tcp sport 30000-30999 tcp flags & rst == rst meta mark != 1 drop
		}
	}
END

capture_start v0 c1 c2
is "$(v0 upload $SRV $P_CLIFIN)" "ok 300000" "upload over two paths"
like "$(events clifin)" "^clifin $C1 [0-9]+ eof 300000 " "the server saw the client's own address"
out=$(v0 download $SRV $P_SOURCE --bytes 3000000)
like "$out" '^ok [0-9]{6,} [0-9]{6,}$' "download, both paths carried much of it"
is "$(v0 upload $SRV $P_CLIFIN --checksum)" "ok 300000" "with DSS checksums"
like "$(v0 download $SRV $P_SOURCE --checksum)" "^ok [0-9]+ [0-9]+$" "download with checksums"
is "$(v0 upload $SRV $P_CLIFIN --timestamps)" "ok 300000" "timestamps offered"
is "$(v0 upload $SRV_6 $P_CLIFIN --from $C1_6 --second $C2_6)" "ok 300000" "IPv6"
is "$(v0 nothird $SRV $P_CLIFIN)" "ok 300000" "third ACK lost"
is "$(v0 badjoin $SRV $P_CLIFIN)" "ok 300000" "a join with a wrong HMAC is reset, no more"
is "$(v0 backup $SRV $P_SOURCE --bytes 1000000)" "ok 1000000 0" "MP_PRIO with an address id"
is "$(v0 addaddr $SRV $P_CLIFIN)" "ok 300000" "ADD_ADDR and REMOVE_ADDR do no harm"
is "$(v0 reset $SRV $P_RST)" ok "the server resets: MP_FASTCLOSE on an ACK in sequence"
: >"$LAB_TMP/peer.events"
is "$(v0 fastclose $SRV $P_WATCH)" ok "the client's MP_FASTCLOSE is answered with RST"
like "$(events watch)" "^watch $C1 [0-9]+ reset" "and the server sees a reset"
capture_stop
is "$(v0 tfo $SRV $P_CLIFIN)" "ok 300000" "a SYN with data passes: plain TCP"
is "$(v0 plainthird $SRV $P_CLIFIN)" "ok 300000" "third ACK without option: plain TCP"

is "$(ctl_get mp_capable_done)" 12 "so many connections were MPTCP"
is "$(ctl_get mp_fallback_handshake)" 1 "one fell back"
cmp_ok "$(ctl_get step_aside_syn_data)" '>=' 1 "and one was not ours"

mergecap -w "$LAB_TMP/v0.pcap" "$LAB_TMP/v0-c1.pcap" "$LAB_TMP/v0-c2.pcap"
t() { tshark -r "$LAB_TMP/v0.pcap" --disable-protocol http "$@" 2>/dev/null; }
cmp_ok "$(t -Y 'tcp.options.mptcp.subtype == 0 && tcp.flags.ack == 1 && tcp.flags.syn == 1' |
	wc -l)" '>' 8 "tshark saw the handshakes"
is "$(t -Y 'tcp.options.mptcp.subtype == 0 && tcp.options.mptcp.version != 0' | wc -l)" 0 \
	"all of version 0"
errors=$(t -Y 'tcp.srcport < 8000 && mptcp && _ws.expert.severity >= 0x00800000' \
	-T fields -e _ws.expert.message | sort | uniq -c)
is "$errors" "" "no expert error in what the daemon sent"

joins=$(ctl_get mp_join_done)
v0 stop $SRV $P_WATCH >"$LAB_TMP/stop.out" &
client=$!
check "a connection has two paths" wait_for 10 joined_and_heard "$joins"
kill "$DAEMON_PID"
wait_for 5 grep -q draining "$LAB_TMP/daemon.log"
daemon_stop
wait $client
is "$(cat "$LAB_TMP/stop.out")" ok "the daemon ends: MP_FASTCLOSE on an ACK, before the RSTs"

# only version 1 served: these clients pass untouched, to a server without MPTCP
daemon_start mptcp.versions=1
like "$(v0 upload $SRV $P_CLIFIN)" "^violation: the SYN/ACK has no MP_CAPABLE" \
	"versions = 1: the SYN passes"
is "$(ctl_get sessions)" 0 "versions = 1: no session"
done_testing
