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
download_bg client 90000000
pid=$SPAWNED
check "client's backup: joined" wait_for 20 grew MPJoinSynAckRx 1
check "client's backup: the other path is in use" wait_for 20 busy c1 rx 100000
check "client's backup: but it is idle" wait_for 20 idle c2 rx 5000
on_client ip mptcp endpoint change $C2 nobackup
check "not a backup any more: the path is used" wait_for 20 busy c2 rx 50000
is "$(mib_diff MPPrioTx)" 1 "not a backup any more: said with MP_PRIO"
on_client ip mptcp endpoint change $C2 backup
check "backup again: the path is idle" wait_for 20 idle c2 rx 5000
check "backup again: the other one is not" wait_for 20 busy c1 rx 100000
link_cut 1
check "backup again: it stands in when the other is cut" wait_for 20 busy c2 rx 50000
link_restore 1
wait $pid
is $? 0 "client's backup: every byte is right"

# A reader that stops, until the window is shut; meanwhile its path dies, which no retransmission
# finds out.
download_bg stopped 30000000
pid=$SPAWNED
check "client's reader stops: the path is in use" wait_for 20 busy c1 rx 100000
kill -STOP $pid
check "client's reader stops: it is idle" wait_for 20 idle c1 rx 5000
link_cut 1
sleep 1
kill -CONT $pid
check "client's reader goes on: the backup stands in" wait_for 20 busy c2 rx 50000
link_restore 1
wait $pid
is $? 0 "client's reader goes on: every byte is right"

# An upload: it is the client that must leave the path alone.
ip -n "$NS_G" addr add 10.2.0.9/24 dev g2
on_client ip mptcp endpoint flush
daemon_reload ep1.address=10.2.0.9 ep1.backup=yes
mib_mark
capture_start all c1 c2
upload_bg gateway 45000000
pid=$SPAWNED
check "gateway's backup: the client joined" wait_for 20 grew MPJoinSynAckRx 1
is "$(mib_diff MPJoinSynAckBackupRx)" 1 "gateway's backup: with B in the SYN/ACK"
check "gateway's backup: the other path is in use" wait_for 20 busy c1 tx 100000
check "gateway's backup: but it is idle" wait_for 20 idle c2 tx 5000
daemon_reload ep1.address=10.2.0.9 ep1.backup=no
check "not a backup any more: said with MP_PRIO" wait_for 20 grew MPPrioRx 1
check "not a backup any more: the path is used" wait_for 20 busy c2 tx 50000
wait $pid
is $? 0 "gateway's backup: every byte is right"
capture_stop
is "$(mib_diff "$FALLBACKS")" 0 "no fallback"
no_expert_errors
done_testing
