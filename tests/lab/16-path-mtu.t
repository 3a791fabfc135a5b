#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A narrow link on the way to the client, which announces the segment size of its own wide
# one: behind another router that says "too big", behind one that says nothing, and at the
# gateway itself, where it becomes narrow in mid-transfer.  Downloads on one path, IPv4 and
# IPv6, are right and go on.
set -u
. "$(dirname "$0")/lib.sh"
need_daemon
lab_test
daemon_start
on_client ip mptcp endpoint flush

# The link of path 1 becomes a router: c1 - l1a [P-link] l1b - g1.
head -n 1 "$LAB_TMP/linkem.pids" | while read -r pid; do stop_pid "$pid"; done
on_link sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.default.disable_ipv6=0 \
	net.ipv6.conf.l1a.disable_ipv6=0 net.ipv6.conf.l1b.disable_ipv6=0 \
	net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
	net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0
ip -n "$NS_G" addr flush dev g1 scope global
addr "$NS_G" g1 10.9.0.1/30 fd00:9::1/64
addr "$NS_L" l1b 10.9.0.2/30 fd00:9::2/64
addr "$NS_L" l1a 10.1.0.1/24 fd00:1::1/64
ip -n "$NS_G" route add 10.1.0.0/24 via 10.9.0.2
ip -n "$NS_G" -6 route add fd00:1::/64 via fd00:9::2
ip -n "$NS_L" route add default via 10.9.0.1
ip -n "$NS_L" -6 route add default via fd00:9::1
wait_for 5 get v4 1000 /dev/null
wait_for 5 get v6 1000 /dev/null

narrow() { ip -n "$NS_L" link set l1a mtu "$1"; } # to the client; it knows nothing of it
silent() { # the router's errors get lost
	on_link nft -f - <<-END
	table inet quiet {
		chain out {
			type filter hook output priority 0;
			icmp type destination-unreachable drop
			icmpv6 type packet-too-big drop
		}
	}
	END
}

# download FAMILY WHAT: right, and never silent for half a minute
download() {
	local host=$SRV gap
	[ "$1" = v6 ] && host=$SRV_6
	gap=$(on_client "$LAB_DIR/peer.py" download "$host" $P_SOURCE --bytes 2000000 --timeout 60)
	like "$gap" '^ok ' "$1, $2: every byte is right"
	gap=${gap#*gap=}
	cmp_ok "${gap%% *}" '<' 30 "$1, $2: no stall"
	diag "longest silence: ${gap%% *} s"
}

for mtu in 1400 1280; do
	narrow $mtu
	for family in v4 v6; do
		told=$(ctl_get tcp_mtu_too_big) hole=$(ctl_get tcp_mtu_black_hole)
		download $family "MTU $mtu, told"
		cmp_ok "$(ctl_get tcp_mtu_too_big)" '>' "$told" "$family, MTU $mtu: the error was heeded"
		is "$(ctl_get tcp_mtu_black_hole)" "$hole" "$family, MTU $mtu: no guess was needed"
	done
done
silent
for family in v4 v6; do
	hole=$(ctl_get tcp_mtu_black_hole)
	download $family "MTU 1280, not told"
	cmp_ok "$(ctl_get tcp_mtu_black_hole)" '>' "$hole" "$family: the black hole was found out"
done

# The gateway's own link: it says so itself, of packets that it forwards for the daemon.
narrow 1500
on_link nft delete table inet quiet
for family in v4 v6; do
	told=$(ctl_get tcp_mtu_too_big) host=$SRV
	[ $family = v6 ] && host=$SRV_6
	ip -n "$NS_G" link set g1 mtu 1500
	from=$(nic_bytes c1 rx)
	spawn "$NS_C" own-$family "$LAB_DIR/peer.py" download $host $P_SOURCE --bytes 100000000 \
		--until "$LAB_TMP/narrow-$family"
	pid=$SPAWNED
	check "$family: a download is under way" wait_for 10 passed c1 rx "$from" 5000000
	ip -n "$NS_G" link set g1 mtu 1300
	touch "$LAB_TMP/narrow-$family"
	wait "$pid"
	is $? 0 "$family, own link becomes narrow: every byte is right"
	cmp_ok "$(ctl_get tcp_mtu_too_big)" '>' "$told" "$family: the gateway's own error was heeded"
	# From the beginning now: the segment size fits the route, and nobody has to complain.
	told=$(ctl_get tcp_mtu_too_big)
	download $family "route of MTU 1300"
	is "$(ctl_get tcp_mtu_too_big)" "$told" "$family: segments fit the route from the beginning"
done
done_testing
