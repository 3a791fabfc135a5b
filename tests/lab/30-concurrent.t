#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# 200 clients at once, files of 0 B to 5 MB mixed, both families, downloads and
# uploads: each compared.  The links are faster here, or they would be the test.
set -u
. "$(dirname "$0")/lib.sh"
# shellcheck disable=SC2034
LINK1=rate=400,delay=5,queue=100ms LINK2=rate=200,delay=10,queue=100ms
lab_test
daemon_start proxy.workers=2
# A SYN whose answer takes long on a busy machine is not repeated without the option.
on_client sysctl -qw net.mptcp.syn_retrans_before_tcp_fallback=99 2>/dev/null
mib_mark

cat >"$LAB_TMP/one.sh" <<END
# one client: number, way, size
host=http://$SRV
[ \$((\$1 % 3)) = 0 ] && host='http://[$SRV_6]'
f=$LAB_TMP/www/f\$3
if [ \$2 = get ]; then
	mptcpize run curl -sS -g -f -m 400 -o $LAB_TMP/out/n\$1 "\$host/f\$3" || echo "\$* failed"
	[ \$3 = 0 ] && [ ! -e $LAB_TMP/out/n\$1 ] && : >$LAB_TMP/out/n\$1
	cmp -s \$f $LAB_TMP/out/n\$1 || echo "\$* differs"
else
	mptcpize run curl -sS -g -f -m 400 -o /dev/null -T \$f -H Expect: "\$host/put/n\$1" || echo "\$* failed"
	cmp -s \$f $LAB_TMP/put/n\$1 || echo "\$* differs"
fi
rm -f $LAB_TMP/out/n\$1 $LAB_TMP/put/n\$1
END
sizes=(0 1 100 1000 10000 100000 1000000 5000000)
for ((i = 0; i < 200; i++)); do
	way="get"
	[ $((i % 5)) = 4 ] && way=put
	echo "$i $way ${sizes[i / 5 % 8]}"
done >"$LAB_TMP/jobs"
on_client xargs -P 200 -L 1 sh "$LAB_TMP/one.sh" <"$LAB_TMP/jobs" >"$LAB_TMP/concurrent.txt" 2>&1
is "$(grep -c . "$LAB_TMP/concurrent.txt")" 0 "200 clients, each byte right" ||
	diag "$(head -n 20 "$LAB_TMP/concurrent.txt")"
# It writes that down when it has answered.
logged() { [ "$(wc -l <"$LAB_TMP/access.log")" -ge 200 ]; }
wait_for 10 logged
is "$(grep -c ' PUT .* 201 ' "$LAB_TMP/access.log")" 40 "the server stored 40 files"
is "$(grep -c ' GET .* 200 ' "$LAB_TMP/access.log")" 160 "the server sent 160 files"
if [ $LAB_MODE != plain ]; then
	is "$(mib_diff MPCapableSYNACKRX)" 200 "200 MPTCP connections"
	is "$(mib_diff "$FALLBACKS")" 0 "no fallback"
	cmp_ok "$(mib_diff MPJoinSynAckRx)" '>' 50 "second paths joined"
	[ $LAB_MODE != daemon ] ||
		cmp_ok "$(ctl_get handed_over)" '>' 100 "and many came in with the other worker"
	diag "$(mib_all)"
fi
done_testing
