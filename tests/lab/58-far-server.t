#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A router between gateway and server has something to say: no way, no port, no packets of
# this size.  Its ICMP errors are about connections of the daemon's, but go to the client's
# address.  The kernel's sockets here must get them, past a firewall that tracks connections,
# and the client learns what it would have learnt without a proxy.  Plain TCP's errors go
# through to the client.
#
#   g1, g2 - P-gw - gr 10.5.0.1 --- rg 10.5.0.2 - P-link - rs 198.51.100.1 --- s1 .2 - P-srv
#                   fd00:5::1       fd00:5::2              2001:db8:2::1       ::2
set -u
. "$(dirname "$0")/lib.sh"
need_daemon
lab_test unshaped
FAR=198.51.100.2 FAR_6=2001:db8:2::2

on_link sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.default.disable_ipv6=0 \
	net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
	net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0
ip -n "$NS_G" link add gr type veth peer name rg netns "$NS_L"
ip -n "$NS_L" link add rs type veth peer name s1 netns "$NS_S"
addr "$NS_G" gr 10.5.0.1/24 fd00:5::1/64
addr "$NS_L" rg 10.5.0.2/24 fd00:5::2/64
addr "$NS_L" rs 198.51.100.1/24 2001:db8:2::1/64
addr "$NS_S" s1 $FAR/24 $FAR_6/64
ip -n "$NS_G" route add 198.51.100.0/24 via 10.5.0.2
ip -n "$NS_G" -6 route add 2001:db8:2::/64 via fd00:5::2
ip -n "$NS_L" route add default via 10.5.0.1
ip -n "$NS_L" -6 route add default via fd00:5::1
ip -n "$NS_S" route replace default via 198.51.100.1
ip -n "$NS_S" -6 route replace default via 2001:db8:2::1
on_link nft -f - <<-END
	table inet router {
		chain forward {
			type filter hook forward priority 0
			tcp dport 7091 reject with icmpx host-unreachable
			tcp dport 7092 reject with icmpx port-unreachable
			tcp dport 7093 reject with icmpx admin-prohibited
		}
	}
END
on_gw nft -f - <<-END
	table inet firewall {
		chain input {
			type filter hook input priority filter
			policy drop
			iifname lo accept
			icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
			ct state established,related accept
		}
		chain forward {
			type filter hook forward priority filter
			ct state invalid drop
		}
	}
END
daemon_start web.address="192.0.2.0/24, 198.51.100.0/24, 2001:db8:1::/64, 2001:db8:2::/64"

# attempt ADDRESS PORT [-t]: how a connection fails; the daemon's share of it in SERVED
attempt() {
	local before
	before=$(ctl_get sessions)
	GOT=$(on_client "$LAB_DIR/peer.py" connect "$@")
	SERVED=$(($(ctl_get sessions) - before))
}
# No SYN without the option, which would go past the daemon.
on_client sysctl -qw net.mptcp.syn_retrans_before_tcp_fallback=99 2>/dev/null ||
	on_client sysctl -qw net.ipv4.tcp_syn_retries=1
for to in $FAR $FAR_6; do
	wait_for 5 on_client "$LAB_PY" "$LAB_DIR/peer.py" probe -t $to $P_ECHO
	for port in 7091 7092 7093; do
		attempt $to $port -t
		wanted=$GOT
		attempt $to $port
		is "$GOT" "$wanted" "$to, port $port: the client learns what plain TCP does ($wanted)"
		cmp_ok $SERVED ">" 0 "by the daemon"
	done
done

# Its link becomes narrow, while data go there, and for connections that begin then.  The
# kernel probes for black holes only where it is asked to, so nothing goes on without the error.
narrow() { ip -n "$NS_L" link set rs mtu "$1"; }
flowing() { [ "$(nic_bytes c1 tx)" -gt $((before + 3000000)) ]; }
upload() { spawn "$NS_C" upload "$LAB_DIR/peer.py" upload "$@"; }
on_gw sysctl -qw net.ipv4.tcp_mtu_probing=0
for to in $FAR $FAR_6; do
	narrow 1500
	before=$(nic_bytes c1 tx)
	upload $to $P_SINK --bytes 3000000 --until "$LAB_TMP/narrow-$to"
	check "$to: an upload is under way" wait_for 10 flowing
	narrow 1300
	touch "$LAB_TMP/narrow-$to"
	check "$to, narrow in mid-upload: it goes on" wait "$SPAWNED"
	like "$(ip -n "$NS_G" route get $to)" "mtu 1300" "$to: the kernel heeded the error"
	upload $to $P_SINK --bytes 2000000
	check "$to, narrow from the beginning" wait "$SPAWNED"
done
is "$(grep -c '^ok .*mptcp' "$LAB_TMP/upload.log")" 4 "by the daemon"
while read -r _ _ _ _ bytes sha _; do
	grep -q "sha=$sha " "$LAB_TMP/upload.log"
	ok $? "$bytes bytes, all right"
done < <(grep ^sink "$LAB_TMP/peer.events")
done_testing
