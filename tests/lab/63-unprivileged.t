#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The daemon as a user without rights but for the two capabilities of the unit file: it serves,
# passes on clients whose port it may not have, counts what the kernel dropped while it did not
# keep up, and leaves nothing.
set -u
. "$(dirname "$0")/lib.sh"
need_daemon
lab_test unshaped

# Started by a script in the place of the program.
real=$(cd "$(build_dir)" && pwd)
mkdir "$LAB_TMP/bin" "$LAB_TMP/run"
ln -s "$real/mptcp-proxyctl" "$LAB_TMP/bin/"
# Where the device is root's alone, the script has a node of its own.
mknod -m 666 "$LAB_TMP/tun" c 10 200
cat >"$LAB_TMP/bin/mptcp-proxyd" <<-END
	#!/bin/sh
	exec unshare -m sh -c 'mount --bind "$LAB_TMP/tun" /dev/net/tun && exec setpriv \
		--reuid=65534 --regid=65534 --clear-groups --no-new-privs \
		--bounding-set=-all,+net_admin,+net_raw --inh-caps=-all,+net_admin,+net_raw \
		--ambient-caps=-all,+net_admin,+net_raw "$real/mptcp-proxyd" "\$@"' sh "\$@"
END
chmod 755 "$LAB_TMP" "$LAB_TMP/bin/mptcp-proxyd"
chmod 777 "$LAB_TMP/run"
MPTCP_PROXY_BUILD=$LAB_TMP/bin
ctl() { on_gw "$real/mptcp-proxyctl" -s "$LAB_TMP/run/control.sock" "$@"; }
demux=$(on_gw cat /proc/sys/net/ipv4/tcp_early_demux)

# A device whose threads are not another lab's.
device=mptcp$$
daemon_start proxy.control="$LAB_TMP/run/control.sock" proxy.drain_timeout=1 proxy.device=$device
is "$(awk '/^Uid:/ { print $3 } /^CapEff:/ { print $2 }' "/proc/$DAEMON_PID/status" | tr '\n' ' ')" \
	"65534 0000000000003000 " "user nobody, two capabilities"
like "$(on_client "$LAB_DIR/peer.py" probe $SRV $P_ECHO)" "^ok mptcp" "a connection speaks MPTCP"

# What is root's is done by the unit file.
is "$(on_gw cat "/sys/class/net/$device/threaded")" 0 "its packets are forwarded by the workers"
sed -n 's/^ExecStartPost=-+.bin.sh -c .\(.*\).$/\1/p' "$LAB_DIR/../../systemd/mptcp-proxyd.service.in" |
	sed 's/\$\$/$/g; s/%%/%/g' >"$LAB_TMP/post"
is "$(wc -l <"$LAB_TMP/post")" 2 "the unit file has two commands of root's"
on_gw sh "$LAB_TMP/post"
is "$(on_gw cat "/sys/class/net/$device/threaded")" 1 "... then by threads of the kernel"
is "$(forwarders "$device")" "$(for ((i = 0; i < $(nproc); i++)); do echo 3 5; done | paste -sd, | sed 's/,/, /g')" \
	"... which come after the workers"

from_port() { # as a client without MPTCP's own choice of a port
	on_client mptcpize run curl -sS --local-port "$1" -o "$LAB_TMP/out/port" "http://$SRV/f1000"
	same "$LAB_TMP/www/f1000" "$LAB_TMP/out/port" "a download from port $1"
}
from_port 40000
is "$(ctl_get sessions)" 2 "... is served"
from_port 800
is "$(ctl_get sessions)" 2 "... is not"
cmp_ok "$(ctl_get shed_files)" '>=' 1 "... but passes"

# More than fits waits while nobody takes it: the same flows again and again, since there may be
# no more files than for some thousand connections, nor more room in the set of flows.
before=$(ctl_get rx_packets)
kill -STOP "$DAEMON_PID"
for ((i = 0; i < 10; i++)); do
	on_client "$LAB_PY" "$LAB_DIR/flood.py" syn 30000 $SRV 80 >>"$LAB_TMP/flood.log"
done
kill -CONT "$DAEMON_PID"
like "$(on_client "$LAB_DIR/peer.py" probe $SRV $P_ECHO --timeout 60)" "^ok" \
	"a connection is served behind them"
some_in() { [ $(($(ctl_get rx_packets) - before)) -gt 1000 ]; }
check "what fits is taken" wait_for 60 some_in
# What is behind all others in its queue: a gap shows with the next packet.
for ((i = 0; i < 16; i++)); do
	on_client "$LAB_DIR/peer.py" probe $SRV $P_ECHO >/dev/null
done
got=$(($(ctl_get rx_packets) - before))
lost=$(ctl_get rx_overrun)
diag "$(sed 's/sent //' "$LAB_TMP/flood.log" | paste -sd+ -) sent, $got came in, $lost did not"
cmp_ok "$lost" '>' 0 "the kernel dropped some, and that is counted"
cmp_ok $((got + lost)) '>=' 300000 "... one by one"
cmp_ok $((got + lost)) '<' 301000 "... and no others"

daemon_stop
is "$(on_gw nft list tables | grep -c mptcp_proxy)" 0 "at the end, no ruleset"
is "$(on_gw cat /proc/sys/net/ipv4/tcp_early_demux)" "$demux" "... and the setting is as before"
done_testing
