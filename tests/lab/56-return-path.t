#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What servers answer comes to the daemon without an ip rule, past a firewall of the gateway's
# own that tracks connections, and past strict checks of sources.  Nobody but the kernel's
# routing sees the destination that it has meanwhile.  Connections that a crashed daemon leaves
# behind still end.
set -u
. "$(dirname "$0")/lib.sh"
need_daemon
lab_test unshaped

rules() { on_gw ip rule; on_gw ip -6 rule; }
rules_before=$(rules)

# In the hooks' usual places, a destination that is no client's is counted.
on_gw nft -f - <<-END
	table inet firewall {
		counter strange {
		}
		counter answers {
		}
		chain prerouting {
			type filter hook prerouting priority 10
			iifname gs ip daddr != { 10.0.0.0/8, 192.0.2.1 } counter name strange
			iifname gs ip6 daddr != { fd00::/8, fe80::/10, ff00::/8, 2001:db8:1::1 } counter name strange
		}
		chain input {
			type filter hook input priority filter
			policy drop
			iifname lo accept
			ip protocol icmp accept
			meta l4proto icmpv6 accept
			iifname gs ip daddr 10.1.0.2 counter name answers
			iifname gs ip6 daddr fd00:1::2 counter name answers
			ct state established,related accept
		}
		chain output {
			type filter hook output priority filter
			policy drop
			oifname lo accept
			meta l4proto { icmp, icmpv6 } accept
			ct state invalid drop
			ct state new,established,related accept
		}
	}
END
on_gw sysctl -qw net.ipv4.conf.all.rp_filter=1
counted() { on_gw nft list counter inet firewall "$1" | sed -n 's/.*packets \([0-9]*\).*/\1/p'; }

daemon_start
is "$(rules)" "$rules_before" "no ip rule"
for family in v4 v6; do
	mib_mark
	before=$(counted answers)
	check "$family: download" get $family 5000000 "$LAB_TMP/out/$family"
	same "$LAB_TMP/www/f5000000" "$LAB_TMP/out/$family" "$family: every byte is right"
	check "$family: upload" put $family 5000000 $family
	same "$LAB_TMP/www/f5000000" "$LAB_TMP/put/$family" "$family: every byte is right"
	mptcp_ok "$family"
	cmp_ok "$(counted answers)" '>' "$before" "$family: the firewall saw answers to the client"
done
is "$(counted strange)" 0 "no other destination was seen"

# The server's end of what is left: its FIN has to be acknowledged by the kernel here.
server_has() { [ "$(on_srv ss -Htn "sport = :$P_ECHO" | wc -l)" = "$1" ]; }
for to in $SRV $SRV_6; do
	spawn "$NS_C" hold "$LAB_DIR/peer.py" hold $to $P_ECHO --wait 300
done
check "two connections" wait_for 5 server_has 2
daemon_kill9
check "after a crash, the server's ends of them close" wait_for 10 server_has 0

# A machine gets its IPv6 later.  What it does not forward matters where it is served.
says() { grep -c "$1" "$LAB_TMP/daemon.log"; }
on_gw sysctl -qw net.ipv6.conf.lo.disable_ipv6=1 net.ipv6.conf.all.forwarding=0
daemon_start web.address="192.0.2.0/24"
like "$(on_client "$LAB_DIR/peer.py" probe $SRV $P_ECHO)" "^ok mptcp" "without IPv6, IPv4 is served"
is "$(says 'does not forward IPv6')" 0 "... without a word about forwarding"
on_gw sysctl -qw net.ipv6.conf.lo.disable_ipv6=0
daemon_conf "$LAB_TMP/daemon.conf"
check "IPv6 is switched on" wait_for 10 says "the way back from servers were missing"
check "... and served, too" ctl reload
is "$(says 'does not forward IPv6')" 1 "... with a word about forwarding"
on_gw sysctl -qw net.ipv6.conf.all.forwarding=1
like "$(on_client "$LAB_DIR/peer.py" probe $SRV_6 $P_ECHO)" "^ok mptcp" "IPv6 is served"
is "$(says 'no client has heard')" 0 "that clients hear the daemon needs no word"
daemon_stop

# A firewall that forwards what is known to it, and that alone.
on_gw nft -f - <<-END
	table inet forwarding {
		chain forward {
			type filter hook forward priority filter
			policy drop
			iifname { g1, g2, gs } accept
		}
	}
END
daemon_start
pids=()
for ((i = 0; i < 5; i++)); do
	spawn "$NS_C" unheard "$LAB_DIR/peer.py" probe $SRV $P_ECHO --timeout 60
	pids+=("$SPAWNED")
done
wait "${pids[@]}"
is "$(grep -c '^ok tcp' "$LAB_TMP/unheard.log")" 5 "clients that do not hear the daemon get plain TCP"
check "... and the daemon tells that" wait_for 10 says "no client has heard"
done_testing
