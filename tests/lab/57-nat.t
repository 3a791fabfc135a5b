#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Rules of the gateway's own that rewrite addresses, and servers on the gateway itself.
# Destination NAT: the daemon looks first and connects by itself, so a service behind it is
# served if `upstream' names the server, and otherwise passes as it was.  Source NAT, and
# servers on the gateway: with `source = gateway'.
set -u
. "$(dirname "$0")/lib.sh"
need_daemon
lab_test
GW=192.0.2.1

spawn "$NS_G" local "$LAB_PY" -m http.server 8080 --bind "::" --directory "$LAB_TMP/www"
wait_for 10 on_gw "$LAB_PY" "$LAB_DIR/peer.py" ready $GW 8080
on_gw nft -f - <<-END
table ip operator {
	chain pre {
		type nat hook prerouting priority dstnat;
		iifname { g1, g2 } ip daddr $GW tcp dport 80 dnat to $SRV:80
	}
	chain post {
		type nat hook postrouting priority srcnat;
	}
}
END
fetch() { on_client timeout 60 mptcpize run curl -sS -o "$LAB_TMP/out/x" "http://$1/f100000" &&
	cmp -s "$LAB_TMP/www/f100000" "$LAB_TMP/out/x"; }
# served DESCRIPTION COUNT: how many connections the daemon has taken
served() { is "$(ctl_get sessions)" "$2" "$1"; }
# refused WHAT SECTION.KEY=VALUE...: the daemon does not start, and says why
refused() {
	local what=$1
	shift
	daemon_conf "$LAB_TMP/r.conf" "$@"
	on_gw timeout 60 "$(build_dir)/mptcp-proxyd" -c "$LAB_TMP/r.conf" >"$LAB_TMP/refused.txt" 2>&1
	is $? 1 "$what: refused"
	like "$(cat "$LAB_TMP/refused.txt")" "upstream: .*source = gateway" "$what: and told why"
}

check "destination NAT, without the daemon" fetch $GW
daemon_start web.address=$GW web.port=80
check "destination NAT, upstream = original" fetch $GW
served "passes as it was" 0
check "reload" daemon_reload web.address=$GW web.port=80 web.upstream=$SRV:80
check "destination NAT, upstream = the server" fetch $GW
served "is served" 1
# seen_from ADDRESS N: the server's N-th request
seen_from() { sed -n "$2p" "$LAB_TMP/access.log" | grep -q "^$1 "; }
check "from the client's address" wait_for 10 seen_from $C1 3

daemon_reload web.address=$GW web.port=80 web.upstream=$GW:8080 2>"$LAB_TMP/reload.txt"
cmp_ok $? '!=' 0 "reload with a server on the gateway, source = client: refused"
like "$(cat "$LAB_TMP/reload.txt")" "upstream: $GW is an address of this machine" "and told why"
check "meanwhile, the old configuration" fetch $GW
daemon_stop
refused "a server on the gateway" web.upstream=$GW:8080
refused "one on loopback" web.upstream=127.0.0.1:8080

on_gw nft add rule ip operator post oifname gs ip saddr 10.0.0.0/8 masquerade
for upstream in $GW:8080 127.0.0.1:8080 $SRV:80 original; do
	daemon_start web.address=192.0.2.0/24 web.port=80 web.source=gateway web.upstream=$upstream
	check "source = gateway, upstream = $upstream" fetch $SRV
	served "is served" 1
	daemon_stop
done
check "source NAT: from the gateway's address" wait_for 10 seen_from $GW 6
done_testing
