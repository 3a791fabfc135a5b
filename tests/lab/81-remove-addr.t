#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# An announced address vanishes from the gateway's NIC in mid-transfer and comes back, then
# the configuration drops it: REMOVE_ADDR, ADD_ADDR with a new number, REMOVE_ADDR.
set -u
. "$(dirname "$0")/lib.sh"
need_daemon
lab_test

ip -n "$NS_G" addr add 10.2.0.9/24 dev g2
on_client ip mptcp endpoint flush
# Not one more than is in use: the client has to take the new one in exchange for the old one.
on_client ip mptcp limits set subflow 1 add_addr_accepted 1
daemon_start ep1.address=10.2.0.9
mib_mark
capture_start all c1 c2
download_bg download 120000000
pid=$SPAWNED
check "the path to the endpoint is in use" wait_for 20 busy c2 rx 50000

ip -n "$NS_G" addr del 10.2.0.9/24 dev g2
check "address gone: the client got REMOVE_ADDR" wait_for 20 grew RmAddr 1
check "address gone: the path is not used any more" wait_for 20 idle c2 rx 2000
like "$(ctl endpoints)" "ep1 .* gone" "address gone: says mptcp-proxyctl"
grep -q '10.2.0.9 is gone' "$LAB_TMP/daemon.log"
ok $? "address gone: says the log"

ip -n "$NS_G" addr add 10.2.0.9/24 dev g2
check "address back: the path is in use again" wait_for 20 busy c2 rx 50000
cmp_ok "$(mib_diff AddAddr)" '>=' 2 "address back: the client got ADD_ADDR again"

removed=$(mib_diff RmAddr)
daemon_reload
check "endpoint dropped from the file: REMOVE_ADDR" wait_for 20 grew RmAddr $((removed + 1))
check "endpoint dropped from the file: the path is not used any more" wait_for 20 idle c2 rx 2000
daemon_reload ep1.address=10.2.0.9
check "endpoint in the file again: the path is in use" wait_for 20 busy c2 rx 50000
wait $pid
is $? 0 "every byte is right"
capture_stop
is "$(frames 'tcp.options.mptcp.subtype == 4 && tcp.srcport == 7007 && tcp.options.mptcp.addrid == 1')" \
	3 "REMOVE_ADDR of the first number was said three times" ||
	diag "of any: $(frames 'tcp.options.mptcp.subtype == 4 && tcp.srcport == 7007')"
is "$(mib_diff MPJoinSynAckRx)" 3 "the client joined each time"
is "$(frames 'tcp.flags.reset == 1 && tcp.srcport == 7007')" 0 \
	"we reset no subflow: the client closes those it is told of"
is "$(mib_diff "$FALLBACKS")" 0 "no fallback"
no_expert_errors
diag "$(mib_all)"
done_testing
