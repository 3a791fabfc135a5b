#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A second daemon in the same network, with a device, queues and a socket of its own: it would
# replace the rules of the first.  It is refused, and the first goes on as if nothing had been;
# also after a first one that was killed.
set -u
. "$(dirname "$0")/lib.sh"
need_daemon
lab_test unshaped

dir=$(build_dir)
daemon_conf "$LAB_TMP/second.conf" proxy.control="$LAB_TMP/second.sock" proxy.device=mptcp1 \
	proxy.queue=5000 web.port=90
second() { on_gw timeout 20 "$dir/mptcp-proxyd" -c "$LAB_TMP/second.conf" >>"$LAB_TMP/second.log" 2>&1; }
rules() { on_gw nft list table inet mptcp_proxy 2>/dev/null | grep -v '^#' | sed 's/ expires [0-9a-z]*//'; }

daemon_start
rules >"$LAB_TMP/before"
second
is $? 1 "a second daemon ends at once"
like "$(tail -n 1 "$LAB_TMP/second.log")" "another mptcp-proxyd runs" "... and says why"
rules >"$LAB_TMP/after"
same "$LAB_TMP/before" "$LAB_TMP/after" "the rules are the first one's"
like "$(on_client "$LAB_DIR/peer.py" probe $SRV $P_ECHO)" "^ok mptcp" "... which serves"

daemon_kill9
daemon_start proxy.queue=5000
like "$(on_client "$LAB_DIR/peer.py" probe $SRV $P_ECHO)" "^ok mptcp" \
	"a daemon that was killed keeps nobody from serving"
done_testing
