#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A service at an address of the gateway, where the gateway itself serves it: passes
# untouched, without a wait.  One whose server is elsewhere is served.
set -u
. "$(dirname "$0")/lib.sh"
need_daemon
lab_test
GW=192.0.2.1 GW_6=2001:db8:1::1

spawn "$NS_G" local "$LAB_PY" -m http.server 80 --bind "::" --directory "$LAB_TMP/www"
wait_for 10 on_gw "$LAB_PY" "$LAB_DIR/peer.py" ready $GW 80
fetch() { on_client timeout 60 mptcpize run curl -sS -o "$LAB_TMP/out/x" "http://$1/f10000" &&
	cmp -s "$LAB_TMP/www/f10000" "$LAB_TMP/out/x"; }

daemon_start
check "IPv4: the gateway's own server" fetch $GW
check "IPv6: the gateway's own server" fetch "[$GW_6]"
is "$(ctl_get mp_capable_in)" 0 "their SYNs were not caught"
check "a server behind it" fetch $SRV
is "$(ctl_get sessions)" 1 "is served"
daemon_stop

daemon_start web.upstream=$SRV:80 web.address=$GW
check "the gateway's address, with an upstream elsewhere" fetch $GW
is "$(ctl_get sessions)" 1 "is served"
done_testing
