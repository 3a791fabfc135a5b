#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# join_service = no: the C flag keeps the client's kernel from joining the service's own
# address, but not the endpoint's.  Then the bound on subflows, with all endpoints meshed.
set -u
. "$(dirname "$0")/lib.sh"
need_daemon
lab_test

daemon_start mptcp.join_service=no
mib_mark
capture_start all c1 c2
check "download" get v4 5000000 "$LAB_TMP/out/d"
same "$LAB_TMP/out/d" "$LAB_TMP/www/f5000000" "every byte is right"
capture_stop
is "$(mib_diff MPJoinSynTx)" 0 "the client did not try to join"
flagged='tcp.flags.syn == 1 && tcp.srcport == 80 && tcp.options.mptcp.nomoresubflows.flag == 1'
cmp_ok "$(frames "$flagged")" '>=' 1 "tshark reads the flag in the SYN/ACK"
daemon_stop

ip -n "$NS_G" addr add 10.2.0.9/24 dev g2
on_client ip mptcp endpoint flush
daemon_start mptcp.join_service=no ep1.address=10.2.0.9
mib_mark
check "download" get v4 20000000 "$LAB_TMP/out/d"
same "$LAB_TMP/out/d" "$LAB_TMP/www/f20000000" "every byte is right"
is "$(mib_diff MPJoinSynAckRx)" 1 "the client joined at the endpoint"
daemon_stop

# Both NICs with both of our addresses are four, and three are allowed.  While another is under way
# the last SYN is dropped, and its repetition after a second is refused.
on_client ip mptcp endpoint flush
on_client ip mptcp endpoint add $C1 dev c1 subflow fullmesh
on_client ip mptcp endpoint add $C2 dev c2 subflow fullmesh
on_client sysctl -qw net.ipv4.conf.all.rp_filter=0
daemon_start mptcp.max_subflows=3 ep1.address=10.2.0.9
mib_mark
check "full mesh: download" get v4 20000000 "$LAB_TMP/out/d"
same "$LAB_TMP/out/d" "$LAB_TMP/www/f20000000" "full mesh: every byte is right"
is "$(mib_diff MPJoinSynAckRx)" 2 "full mesh: as many joins as max_subflows allows"
cmp_ok "$(ctl_get mp_join_subflows)" '>=' 1 "full mesh: the other was refused, and counted"
diag "$(mib_all)"
done_testing
