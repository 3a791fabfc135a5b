#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A referee that took no part: tshark reads what passed the client's NICs, download,
# upload and their ends, and finds no fault with the MPTCP in it.
set -u
. "$(dirname "$0")/lib.sh"
need_mptcp
lab_test
daemon_start

capture_start all c1 c2
check "download" get v4 5000000 "$LAB_TMP/out/d"
check "upload" put v4 5000000 u
check "IPv6 download" get v6 5000000 "$LAB_TMP/out/d6"
on_client "$LAB_DIR/peer.py" clifin $SRV $P_CLIFIN >/dev/null
on_client "$LAB_DIR/peer.py" srvfin $SRV $P_SRVFIN >/dev/null
sleep 1
capture_stop

# one file, or the joins would be strangers to their connection
mergecap -w "$LAB_TMP/all.pcap" "$LAB_TMP/all-c1.pcap" "$LAB_TMP/all-c2.pcap"
# the payload is no dissector's business: what it holds is cut short, and random
t() { tshark -r "$LAB_TMP/all.pcap" --disable-protocol http --disable-protocol media "$@" 2>/dev/null; }
cmp_ok "$(t -Y mptcp | wc -l)" '>' 1000 "MPTCP was captured"
cmp_ok "$(t -Y 'mptcp && tcp.options.mptcp.subtype == 1 && tcp.flags.syn == 1' | wc -l)" '>=' 2 \
	"joins were captured"
errors=$(t -Y 'mptcp && _ws.expert.severity >= 0x00800000' -T fields -e _ws.expert.message | sort | uniq -c)
is "$errors" "" "no expert error in an MPTCP segment"
notes=$(t -Y 'mptcp && _ws.expert.severity >= 0x00400000' -T fields -e _ws.expert.message | sort | uniq -c | sort -rn)
diag "notes and warnings: ${notes:-none}"
# Linux sends DSNs of 8 bytes
whole=$(t -Y 'tcp.srcport <= 8000 && tcp.options.mptcp.dataack8.flag == 1' | wc -l)
cmp_ok "$whole" '>' 100 "DATA_ACKs of 8 bytes answer them"
is "$(t -Y 'tcp.srcport <= 8000 && tcp.options.mptcp.dataack8.flag == 1 &&
	tcp.options.mptcp.dseqn8.flag == 1' | wc -l)" 0 "never beside a DSN of 8 bytes"
bare=$(t -Y 'tcp.len > 0 && !tcp.options.mptcp.subtype' -T fields -e frame.number -e ip.src -e tcp.srcport -e tcp.seq -e tcp.len)
# a segment inside a mapping that an earlier one carried needs none of its own; none at
# all on a subflow would be wrong
unmapped=$(t -Y 'tcp.len > 0' -T fields -e tcp.stream -e tcp.srcport -e tcp.options.mptcp.datalvllen |
	awk '{ k = $1 " " $2; seen[k]; if ($3 != "") mapped[k] } END { for (k in seen) if (!(k in mapped)) n++; print n + 0 }')
is "$unmapped" 0 "no direction of a subflow carries data without any mapping"
diag "data segments without an MPTCP option: $(grep -c . <<<"$bare")"
# the client's kernel may reset subflows of a connection that is over
diag "resets by the client: $(t -Y 'tcp.flags.reset == 1 && tcp.srcport > 8000' | wc -l)"
# and ours a join that was still under way then: it never carried data
reset=$(t -T fields -e tcp.stream -e tcp.len -e tcp.flags.reset -e tcp.srcport |
	awk '$2 > 0 { used[$1] } $3 ~ /1|True/ && $4 <= 8000 { reset[$1] }
		END { for (s in reset) if (s in used) n++; print n + 0 }')
is "$reset" 0 "no reset from the server's side of a subflow in use$(todo)"
done_testing
