#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Backup paths: by the client (MP_JOIN with B, MP_PRIO while it runs) and by the gateway's
# endpoint (B in the SYN/ACK, MP_PRIO after a reload).
set -u
. "$(dirname "$0")/lib.sh"
need_daemon
lab_test
daemon_start

on_client ip mptcp endpoint flush
on_client ip mptcp endpoint add $C2 dev c2 subflow backup
mib_mark
download_bg client 50000000
pid=$SPAWNED
sleep 1
cmp_ok "$(moved c2 rx 0.5)" '<' 5000 "client's backup: the path is idle"
is "$(mib_diff MPJoinSynAckRx)" 1 "client's backup: but joined"
on_client ip mptcp endpoint change $C2 nobackup
sleep 0.5
cmp_ok "$(moved c2 rx 0.5)" '>' 50000 "not a backup any more: the path is used"
is "$(mib_diff MPPrioTx)" 1 "not a backup any more: said with MP_PRIO"
on_client ip mptcp endpoint change $C2 backup
sleep 1
cmp_ok "$(moved c2 rx 0.5)" '<' 5000 "backup again: the path is idle"
link_cut 1
sleep 1.5
cmp_ok "$(moved c2 rx 0.5)" '>' 50000 "backup again: it stands in when the other is cut"
link_restore 1
wait $pid
is $? 0 "client's backup: every byte is right"

# An upload: it is the client that must leave the path alone.
ip -n "$NS_G" addr add 10.2.0.9/24 dev g2
on_client ip mptcp endpoint flush
daemon_reload ep1.address=10.2.0.9 ep1.backup=yes
mib_mark
capture_start all c1 c2
upload_bg gateway 30000000
pid=$SPAWNED
sleep 1
is "$(mib_diff MPJoinSynAckRx)" 1 "gateway's backup: the client joined"
is "$(mib_diff MPJoinSynAckBackupRx)" 1 "gateway's backup: with B in the SYN/ACK"
cmp_ok "$(moved c2 tx 0.5)" '<' 5000 "gateway's backup: the path is idle"
daemon_reload ep1.address=10.2.0.9 ep1.backup=no
sleep 1
cmp_ok "$(mib_diff MPPrioRx)" '>=' 1 "not a backup any more: said with MP_PRIO"
cmp_ok "$(moved c2 tx 0.5)" '>' 50000 "not a backup any more: the path is used"
wait $pid
is $? 0 "gateway's backup: every byte is right"
capture_stop
is "$(mib_diff "$FALLBACKS")" 0 "no fallback"
no_expert_errors
done_testing
