#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The gateway's own firewall is saved and loaded anew while connections go on, by a file that
# flushes all rules first.  The daemon's come back, and nobody notices but its log.  So they do
# where somebody flushes or deletes a part of them, while what somebody added is left alone.
set -u
. "$(dirname "$0")/lib.sh"
need_daemon
lab_test
saved=$LAB_TMP/saved.nft

on_gw nft -f - <<-END
	table inet firewall {
		chain forward {
			type filter hook forward priority filter
			tcp dport 1 drop
		}
	}
END
daemon_start
# as the manual page says
# shellcheck disable=SC2016
on_gw sh -c 'nft list tables | grep -v mptcp_proxy | while read -r t; do nft list $t; done' >"$saved"
check "the saved rules can be read" on_gw nft -c -f "$saved"
is "$(grep -c '^table' "$saved")" 1 "they are the firewall's alone"
{ echo "flush ruleset"; cat "$saved"; } >"$LAB_TMP/load.nft"

present() { on_gw nft list table inet mptcp_proxy 2>/dev/null | grep -q 'chain catch '; }
load() { check "$1: a firewall is loaded" on_gw nft -f "$LAB_TMP/load.nft"; }
# removed WHAT: how often the daemon said that this was missing, and was made again
removed() { grep -c "$1.* made again" "$LAB_TMP/daemon.log"; }
made_again() { [ "$(removed "$1")" -gt "$2" ]; }
download_bg long-4 40000000
four=$SPAWNED
download_bg long-6 40000000 6
six=$SPAWNED
upload_bg up 40000000
up=$SPAWNED
three() { [ "$(ctl_get connections)" = 3 ]; }
check "three transfers" wait_for 10 three
load "in mid-transfer"
check "... and the daemon notices that its rules are gone" wait_for 20 made_again "the rules" 0
check "... and makes them again" present
for pid in $four $six $up; do
	check "the transfer goes on" wait "$pid"
done
is "$(cat "$LAB_TMP"/long-?.log "$LAB_TMP/up.log" | grep -c '^ok .*mptcp')" 3 "all with MPTCP, and right"
like "$(on_client "$LAB_DIR/peer.py" probe $SRV $P_ECHO)" "^ok mptcp" "a new connection, too"
load "before a reload"
check "reload" ctl reload
check "... makes the rules" present
like "$(on_client "$LAB_DIR/peer.py" probe $SRV $P_ECHO)" "^ok mptcp" "and they work"

# Rules of ours, by the numbers that nft gives to all things.
things() { on_gw nft -a list table inet mptcp_proxy 2>/dev/null | grep -c '# handle'; }
all=$(things)
whole() { [ "$(things)" = "$all" ]; }
# part NFT-COMMAND...
part() {
	check "$*" on_gw nft "$@"
	check "... and the rules are whole again" wait_for 20 whole
}
part flush chain inet mptcp_proxy catch
part flush chain inet mptcp_proxy restore4
part delete rule inet mptcp_proxy divert handle \
	"$(on_gw nft -a list chain inet mptcp_proxy divert | sed -n 's/.*goto hide # handle //p')"
download_bg part-4 60000000
four=$SPAWNED
check "a transfer" wait_for 10 eval '[ "$(ctl_get connections)" = 1 ]'
part flush table inet mptcp_proxy
check "the transfer goes on" wait $four
like "$(cat "$LAB_TMP/part-4.log")" "^ok .*mptcp" "with MPTCP, and right"
like "$(on_client "$LAB_DIR/peer.py" probe $SRV $P_ECHO)" "^ok mptcp" "and a new connection"
made=$(removed '')
check "a rule is added to ours" on_gw nft insert rule inet mptcp_proxy catch counter
check "reload" ctl reload
check "another one, after the reload" on_gw nft insert rule inet mptcp_proxy catch counter
sleep 5
is "$(removed '')" "$made" "that is left alone"

# The way back from servers is kept, too.
made=$(removed addresses)
check "the way back is undone" on_gw ip -6 route del local 3fff:d50::/32 table local
on_gw sysctl -qw net.ipv4.tcp_early_demux=1
way_back() {
	on_gw ip -6 route get 3fff:d50::7 2>/dev/null | grep -q '^local' &&
		[ "$(on_gw sysctl -n net.ipv4.tcp_early_demux)" = 0 ]
}
check "... which the daemon notices" wait_for 20 made_again addresses "$made"
check "... and it is made again" wait_for 20 way_back
like "$(on_client "$LAB_DIR/peer.py" probe $SRV $P_ECHO)" "^ok mptcp" "a new connection"
like "$(on_client "$LAB_DIR/peer.py" probe $SRV_6 $P_ECHO)" "^ok mptcp" "a new connection of IPv6"

is "$(on_gw nft list tables | sort | tr '\n' ' ')" "table inet firewall table inet mptcp_proxy " \
	"both firewalls' tables are there"
daemon_stop
is "$(on_gw nft list tables)" "table inet firewall" "and the daemon's goes with it"
done_testing
