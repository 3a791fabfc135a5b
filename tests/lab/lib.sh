# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2016
#
# The lab: a multipath client, a gateway and a server, each in a network
# namespace, and everything that the tests need to look at them.  Sourced by
# the tests (NN-name.t), by ./lab (for use by hand), by tests/bench/run and by
# run-demo.sh.
#
#   ns P-client        ns P-link            ns P-gw                 ns P-srv
#   c1 10.1.0.2  --- [ linkem 1 ] --- g1 10.1.0.1 |
#      fd00:1::2                         fd00:1::1| gs 192.0.2.1 --- s0 192.0.2.2 .3 .4
#   c2 10.2.0.2  --- [ linkem 2 ] --- g2 10.2.0.1 |    2001:db8:1::1     2001:db8:1::2
#      fd00:2::2                         fd00:2::1|
#
# With LAB_PATHS=3 or 4 there are c3 and c4, and all that belongs to them, too.
# The client is the kernel's own MPTCP (a second subflow from c2 by an endpoint,
# policy routing so that each source address leaves by its own NIC).  The server
# has MPTCP switched off.  Unshaped, c1-g1 and c2-g2 are plain veth pairs.
# 203.0.113.0/24 lies behind the gateway and is unreachable.
#
# LAB_MODE says who talks MPTCP to the client:
#   daemon  mptcp-proxyd in P-gw (the default)
#   plain   nobody: forwarding only, every connection falls back to plain TCP
#           (LAB_NO_DAEMON=1 is the same); MPTCP checks are skipped
#   native  the server's own kernel: a reference peer, to tell the client's
#           behaviour from the proxy's
#
# Environment: LAB_PREFIX (of the namespaces; labs of different prefixes run side
# by side), LAB_MODE, MPTCP_PROXY_BUILD (where the binaries are), LAB_LINKEM
# (a linkem binary), LAB_ASSERT_SPEED=1 (speeds are checked, not only told),
# LAB_KEEP=1 (leave the lab up), LAB_LOGDIR (logs of failed tests go there),
# LAB_PATIENCE (factor for all time limits of waiting, see wait_for).
#
# Owns: its namespaces, its temporary directory and the processes in those
# namespaces.  Touches nothing else, except that it allows cubic in the root
# namespace's net.ipv4.tcp_allowed_congestion_control, without which no other
# namespace may choose it.

LAB_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
LAB_TOP=$(cd "$LAB_DIR/../.." && pwd)
: "${LAB_PREFIX:=mpx}"
: "${LAB_MODE:=daemon}"
: "${LAB_PATIENCE:=4}"
[ "${LAB_NO_DAEMON:-0}" = 1 ] && LAB_MODE=plain
LAB_PY=/usr/bin/python3
PATH=$PATH:/usr/sbin:/sbin
export LC_ALL=C

NS_C=$LAB_PREFIX-client NS_L=$LAB_PREFIX-link NS_G=$LAB_PREFIX-gw NS_S=$LAB_PREFIX-srv
NS_N=$LAB_PREFIX-nat                            # only where nat_up was called
LAB_STATE=/run/mptcp-proxy-lab.$LAB_PREFIX      # a file: LAB_TMP of a lab that is up

# Addresses, for the tests to use.
C1=10.1.0.2 C2=10.2.0.2 C1_6=fd00:1::2 C2_6=fd00:2::2
SRV=192.0.2.2 SRV_6=2001:db8:1::2
NET_UNREACH=203.0.113.9
# Ports of peer.py, see there.
P_ECHO=7001 P_RST=7002 P_SRVFIN=7003 P_CLIFIN=7004 P_WATCH=7005 P_SINK=7006 P_SOURCE=7007
P_EARLY=7008 P_FINRST=7009 P_LATER=7010 P_SILENT=7098 P_REFUSED=7099

# How many paths there are; a test may ask for more before lab_test.
: "${LAB_PATHS:=2}"
LINK1=rate=50,delay=10,queue=100ms
LINK2=rate=20,delay=40,queue=200ms
LINK3=rate=10,delay=20,queue=100ms
LINK4=rate=5,delay=75,queue=200ms

DAEMON_PID= DAEMON_STARTED= DAEMON_REPORTS=
LAB_TMP=${LAB_TMP:-}

# ---- small helpers ---------------------------------------------------------

lab_die() { printf 'lab: %s\n' "$*" >&2; exit 1; }

on_client() { ip netns exec "$NS_C" "$@"; }
on_link() { ip netns exec "$NS_L" "$@"; }
on_gw() { ip netns exec "$NS_G" "$@"; }
on_srv() { ip netns exec "$NS_S" "$@"; }
peer() { "$LAB_PY" "$LAB_DIR/peer.py" "$@"; }

# wait_for SECONDS COMMAND...: until the command succeeds.  The limit is what a machine that
# is idle never needs; one that is busy or slow has LAB_PATIENCE times as much.
wait_for() {
	local end=$((SECONDS + $1 * LAB_PATIENCE + 1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.05
	done
}

# spawn NS LOG COMMAND...: in the background; its pid in SPAWNED.
spawn() {
	local ns=$1 log=$2
	shift 2
	setsid ip netns exec "$ns" "$@" >>"$LAB_TMP/$log.log" 2>&1 </dev/null &
	SPAWNED=$!
}

# Ends a process that we started: TERM, then KILL after five seconds.
stop_pid() {
	kill "$1" 2>/dev/null || return 0
	wait_for 5 pid_gone "$1" || kill -9 "$1" 2>/dev/null
	wait "$1" 2>/dev/null
	return 0
}

# Gone, or a zombie that only waits for us to look.
pid_gone() {
	local stat
	stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
	stat=${stat##*) }
	[ "${stat%% *}" = Z ]
}

# lab_tool NAME SOURCE: where the compiled tool is; compiles it if the build
# directory has none.
lab_tool() {
	local name=$1 source=$2 d
	for d in ${MPTCP_PROXY_BUILD:+"$MPTCP_PROXY_BUILD"} "$LAB_TOP/build" "$LAB_TOP"; do
		[ -x "$d/${source%.c}" ] && { echo "$d/${source%.c}"; return; }
	done
	if [ ! -x "$LAB_TMP/$name" ]; then
		${CC:-cc} -O2 -o "$LAB_TMP/$name" "$LAB_TOP/$source" -lm >&2 ||
			lab_die "cannot compile $source"
	fi
	echo "$LAB_TMP/$name"
}

# Where mptcp-proxyd and mptcp-proxyctl are.
build_dir() {
	local d
	for d in ${MPTCP_PROXY_BUILD:+"$MPTCP_PROXY_BUILD"} "$LAB_TOP/build" "$LAB_TOP"; do
		[ -x "$d/mptcp-proxyd" ] && { echo "$d"; return; }
	done
	return 1
}

# ---- the topology ----------------------------------------------------------

lab_ns() {
	local ns
	for ns in "$NS_C" "$NS_L" "$NS_G" "$NS_S"; do
		ip netns add "$ns" || lab_die "cannot make namespace $ns"
		# before any device: no address detection, no IPv6 noise where none is wanted
		ip netns exec "$ns" sysctl -qw net.ipv6.conf.default.accept_dad=0 \
			net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_ra=0 \
			net.ipv6.conf.default.router_solicitations=0 \
			net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0
		ip -n "$ns" link set lo up
	done
	on_link sysctl -qw net.ipv6.conf.default.disable_ipv6=1
	case " $(sysctl -n net.ipv4.tcp_allowed_congestion_control) " in
	*" cubic "*) ;;
	*) sysctl -qw net.ipv4.tcp_allowed_congestion_control="reno cubic bbr" 2>/dev/null ||
		sysctl -qw net.ipv4.tcp_allowed_congestion_control="reno cubic" ;;
	esac
	for ns in "$NS_C" "$NS_G" "$NS_S"; do
		ip netns exec "$ns" sysctl -qw net.ipv4.tcp_congestion_control=cubic \
			net.ipv4.tcp_rmem="4096 131072 16777216" \
			net.ipv4.tcp_wmem="4096 131072 16777216" \
			net.ipv4.tcp_no_metrics_save=1 || lab_die "cubic is not available"
	done
}

# addr NS DEV V4/PLEN V6/PLEN
addr() {
	ip -n "$1" addr add "$3" dev "$2"
	ip -n "$1" addr add "$4" dev "$2" nodad
	ip -n "$1" link set "$2" up
}

lab_net() {
	local n
	if [ "$LAB_SHAPE" = shaped ]; then
		for ((n = 1; n <= LAB_PATHS; n++)); do
			ip -n "$NS_C" link add c$n type veth peer name l${n}a netns "$NS_L"
			ip -n "$NS_G" link add g$n type veth peer name l${n}b netns "$NS_L"
			ip -n "$NS_L" link set l${n}a up
			ip -n "$NS_L" link set l${n}b up
		done
	else
		for ((n = 1; n <= LAB_PATHS; n++)); do
			ip -n "$NS_C" link add c$n type veth peer name g$n netns "$NS_G"
		done
	fi
	ip -n "$NS_G" link add gs type veth peer name s0 netns "$NS_S"
	for ((n = 1; n <= LAB_PATHS; n++)); do
		addr "$NS_C" c$n 10.$n.0.2/24 fd00:$n::2/64
		addr "$NS_G" g$n 10.$n.0.1/24 fd00:$n::1/64
	done
	addr "$NS_G" gs 192.0.2.1/24 2001:db8:1::1/64
	addr "$NS_S" s0 192.0.2.2/24 2001:db8:1::2/64
	ip -n "$NS_S" addr add 192.0.2.3/24 dev s0
	ip -n "$NS_S" addr add 192.0.2.4/24 dev s0
	ip -n "$NS_S" addr add 2001:db8:1::3/64 dev s0 nodad

	on_gw sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
		net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0 \
		net.ipv4.conf.all.send_redirects=0
	ip -n "$NS_G" route add unreachable 203.0.113.0/24
	ip -n "$NS_S" route add default via 192.0.2.1
	ip -n "$NS_S" -6 route add default via 2001:db8:1::1
	client_routes
	if [ "$LAB_MODE" = native ]; then
		on_srv sysctl -qw net.mptcp.enabled=1
		on_srv ip mptcp limits set subflow 4 add_addr_accepted 4
	else
		on_srv sysctl -qw net.mptcp.enabled=0
	fi
	# blackhole_timeout: one lost MPTCP SYN too many must not switch MPTCP off
	on_client sysctl -qw net.mptcp.enabled=1
	on_client sysctl -qw net.mptcp.blackhole_timeout=0 2>/dev/null
	on_client ip mptcp limits set subflow 4 add_addr_accepted 4
	client_endpoints
}

# Policy routing of the client; again after a NIC was down and lost its routes.
client_routes() {
	local n
	for ((n = 1; n <= LAB_PATHS; n++)); do
		ip -n "$NS_C" route replace default via 10.$n.0.1 dev c$n table 10$n
		ip -n "$NS_C" -6 route replace default via fd00:$n::1 dev c$n table 10$n
		ip -n "$NS_C" rule del from 10.$n.0.2 lookup 10$n 2>/dev/null
		ip -n "$NS_C" -6 rule del from fd00:$n::2 lookup 10$n 2>/dev/null
		ip -n "$NS_C" rule add from 10.$n.0.2 lookup 10$n
		ip -n "$NS_C" -6 rule add from fd00:$n::2 lookup 10$n
		ip -n "$NS_C" route replace default via 10.$n.0.1 dev c$n metric $n
		ip -n "$NS_C" -6 route replace default via fd00:$n::1 dev c$n metric $n
	done
}

# client_endpoints [PATHS]: every connection has so many (else all), the second from c2.
client_endpoints() {
	local n
	on_client ip mptcp endpoint flush
	for ((n = 2; n <= ${1:-LAB_PATHS}; n++)); do
		on_client ip mptcp endpoint add 10.$n.0.2 dev c$n subflow
		on_client ip mptcp endpoint add fd00:$n::2 dev c$n subflow
	done
}

lab_links() {
	local n linkem
	[ "$LAB_SHAPE" = shaped ] || return 0
	linkem=${LAB_LINKEM:-$(lab_tool linkem tests/lab/linkem.c)} || exit 1
	for ((n = 1; n <= LAB_PATHS; n++)); do
		local set=LINK$n
		setsid "$linkem" -R -v -s "${LAB_SEED:-1}$n" -c "$LAB_TMP/link$n" --both "${!set}" \
			"$NS_L/l${n}a" "$NS_L/l${n}b" >"$LAB_TMP/link$n.log" 2>&1 </dev/null &
		echo $! >>"$LAB_TMP/linkem.pids"
		wait_for 5 test -p "$LAB_TMP/link$n" || lab_die "linkem $n did not start"
	done
}

# A NAT on path 2: the client's c2 is 10.3.0.2 from now on, and the gateway sees 10.2.0.2.
nat_up() {
	ip netns add "$NS_N"
	ip -n "$NS_N" link set lo up
	ip -n "$NS_C" rule del from $C2 lookup 102
	ip -n "$NS_C" link set c2 netns "$NS_N" name wan
	ip -n "$NS_N" addr add 10.2.0.2/24 dev wan
	ip -n "$NS_N" link set wan up
	ip -n "$NS_N" route add default via 10.2.0.1
	ip -n "$NS_C" link add c2 type veth peer name lan netns "$NS_N"
	ip -n "$NS_N" addr add 10.3.0.1/24 dev lan
	ip -n "$NS_N" link set lan up
	ip -n "$NS_C" addr add 10.3.0.2/24 dev c2
	ip -n "$NS_C" link set c2 up
	ip -n "$NS_C" route add default via 10.3.0.1 dev c2 table 103
	ip -n "$NS_C" rule add from 10.3.0.2 lookup 103
	ip netns exec "$NS_N" sysctl -qw net.ipv4.ip_forward=1
	ip netns exec "$NS_N" nft -f - <<-END
	table ip nat {
		chain post {
			type nat hook postrouting priority srcnat;
			oifname wan masquerade fully-random
		}
	}
	END
}
# It forgets all connections: what goes on has another port then.
nat_forget() { ip netns exec "$NS_N" conntrack -F >/dev/null 2>&1; }

# link_set N [ab|ba] SETTINGS, while running; ab is client to gateway.
link_set() {
	local n=$1 dir=both
	[ -p "$LAB_TMP/link$n" ] || lab_die "no link '$n' that is shaped"
	case $2 in ab | ba) dir=$2; shift ;; esac
	echo "$dir $2" >"$LAB_TMP/link$n"
}
link_cut() { link_set "$1" loss=100; }
link_restore() { link_set "$1" loss=0; }

# ---- the servers -----------------------------------------------------------

# Files of random bytes, by name fSIZE.
LAB_SIZES="0 1 100 1000 10000 100000 1000000 5000000 20000000"

lab_files() {
	local n
	mkdir -p "$LAB_TMP/www" "$LAB_TMP/put" "$LAB_TMP/out" "$LAB_TMP/body"
	for n in $LAB_SIZES; do
		head -c "$n" /dev/urandom >"$LAB_TMP/www/f$n"
	done
}

lab_servers() {
	local wrap=()
	[ "$LAB_MODE" = native ] && wrap=(mptcpize run)
	lab_files
	cat >"$LAB_TMP/nginx.conf" <<-END
	user root;
	daemon off;
	worker_processes 1;
	pid $LAB_TMP/nginx.pid;
	error_log $LAB_TMP/nginx-error.log;
	events { worker_connections 4096; }
	http {
		log_format lab '\$remote_addr \$request_method \$uri \$status \$body_bytes_sent';
		access_log $LAB_TMP/access.log lab;
		client_body_temp_path $LAB_TMP/body;
		proxy_temp_path $LAB_TMP/body/p;
		fastcgi_temp_path $LAB_TMP/body/f;
		uwsgi_temp_path $LAB_TMP/body/u;
		scgi_temp_path $LAB_TMP/body/s;
		client_max_body_size 0;
		sendfile on;
		keepalive_requests 1000000;
		server {
			listen 80 backlog=4096;
			listen [::]:80 backlog=4096;
			listen 8080 backlog=4096;
			root $LAB_TMP/www;
			location /put/ {
				root $LAB_TMP;
				dav_methods PUT;
				create_full_put_path on;
			}
			location = /quiet/f100 { access_log off; alias $LAB_TMP/www/f100; }
		}
	}
	END
	spawn "$NS_S" nginx "${wrap[@]}" nginx -c "$LAB_TMP/nginx.conf"
	spawn "$NS_S" iperf3 "${wrap[@]}" iperf3 -s -p 5201
	spawn "$NS_S" peer "${wrap[@]}" "$LAB_PY" "$LAB_DIR/peer.py" serve "$LAB_TMP/peer.events"
	on_srv nft -f - <<-END
	table inet silent {
		chain in {
			type filter hook input priority 0;
			tcp dport $P_SILENT drop
		}
	}
	END
	wait_for 10 on_srv "$LAB_PY" "$LAB_DIR/peer.py" ready $SRV 80 5201 $P_SOURCE ||
		lab_die "servers did not start, see $LAB_TMP"
}

# An ssh server and a key to log in with; on_client ssh -F $LAB_TMP/ssh.conf srv.
sshd_start() {
	local wrap=()
	[ "$LAB_MODE" = native ] && wrap=(mptcpize run)
	mkdir -p /run/sshd
	ssh-keygen -q -t ed25519 -N '' -f "$LAB_TMP/hostkey"
	ssh-keygen -q -t ed25519 -N '' -f "$LAB_TMP/userkey"
	cat >"$LAB_TMP/sshd.conf" <<-END
	Port 22
	HostKey $LAB_TMP/hostkey
	AuthorizedKeysFile $LAB_TMP/userkey.pub
	PidFile none
	StrictModes no
	UsePAM no
	PermitRootLogin prohibit-password
	PasswordAuthentication no
	Subsystem sftp internal-sftp
	END
	cat >"$LAB_TMP/ssh.conf" <<-END
	Host srv
		HostName $SRV
		User root
		IdentityFile $LAB_TMP/userkey
		IdentitiesOnly yes
		StrictHostKeyChecking no
		UserKnownHostsFile /dev/null
		LogLevel ERROR
		BatchMode yes
	END
	spawn "$NS_S" sshd "${wrap[@]}" /usr/sbin/sshd -D -e -f "$LAB_TMP/sshd.conf"
	wait_for 10 on_srv "$LAB_PY" "$LAB_DIR/peer.py" ready $SRV 22
}

# ---- up and down -----------------------------------------------------------

# lab_up [shaped|unshaped]
lab_up() {
	LAB_SHAPE=${1:-shaped}
	[ "$(id -u)" = 0 ] || lab_die "must be root"
	case $LAB_MODE in daemon | plain | native) ;; *) lab_die "unknown LAB_MODE '$LAB_MODE'" ;; esac
	case $LAB_SHAPE in shaped | unshaped) ;; *) lab_die "no shape '$LAB_SHAPE'" ;; esac
	[ -e "$LAB_STATE" ] && lab_die "lab '$LAB_PREFIX' is up already ($LAB_STATE)"
	ip netns list | grep -q "^$LAB_PREFIX-client\b" && lab_die "namespace $NS_C exists"
	LAB_TMP=$(mktemp -d "${TMPDIR:-/tmp}/$LAB_PREFIX.XXXXXX") || exit 1
	printf 'LAB_TMP=%s\nLAB_SHAPE=%s\nLAB_MODE=%s\n' "$LAB_TMP" "$LAB_SHAPE" "$LAB_MODE" \
		>"$LAB_STATE"
	lab_ns
	lab_net
	lab_links
	lab_servers
}

# For another process: the lab that ./lab up left running.
lab_attach() {
	[ -r "$LAB_STATE" ] || lab_die "lab '$LAB_PREFIX' is not up"
	# shellcheck disable=SC1090
	. "$LAB_STATE"
	# only if that process still is one of the gateway's
	[ -r "$LAB_TMP/daemon.pid" ] &&
		DAEMON_PID=$(ip netns pids "$NS_G" | grep -Fx -f "$LAB_TMP/daemon.pid")
	return 0
}

# Ends the processes in our namespaces, then the namespaces and the directory.
lab_down() {
	local ns pid pids=
	[ -n "${LAB_TMP:-}" ] || return 0
	[ -n "$DAEMON_PID" ] && daemon_stop
	for ns in "$NS_C" "$NS_G" "$NS_S" "$NS_N"; do
		pids+=" $(ip netns pids "$ns" 2>/dev/null | tr '\n' ' ')"
	done
	if [ -r "$LAB_TMP/linkem.pids" ]; then
		while read -r pid; do
			grep -qaF "$LAB_TMP/link" "/proc/$pid/cmdline" 2>/dev/null && pids+=" $pid"
		done <"$LAB_TMP/linkem.pids"
	fi
	for pid in $pids; do
		kill "$pid" 2>/dev/null
	done
	for pid in $pids; do
		LAB_PATIENCE=1 wait_for 2 pid_gone "$pid" || kill -9 "$pid" 2>/dev/null
	done
	for ns in "$NS_C" "$NS_L" "$NS_G" "$NS_S" "$NS_N"; do
		ip netns del "$ns" 2>/dev/null
	done
	rm -rf "$LAB_TMP"
	rm -f "$LAB_STATE"
	LAB_TMP=
}

# Logs, not data, for the reader of a failed test.
lab_save_logs() {
	local to
	[ -n "${LAB_LOGDIR:-}" ] && [ -d "${LAB_TMP:-/nonexistent}" ] || return 0
	to=$LAB_LOGDIR/$(basename "$0" .t)
	mkdir -p "$to"
	cp "$LAB_TMP"/*.log "$LAB_TMP"/*.conf "$LAB_TMP"/*.events "$LAB_TMP"/*.txt "$to/" 2>/dev/null
	find "$LAB_TMP" -maxdepth 1 -name '*.pcap' -size -64M -exec cp {} "$to/" \;
	diag "logs: $to"
}

# ---- the daemon ------------------------------------------------------------

# daemon_conf FILE [SECTION.KEY=VALUE...]: the configuration of the lab, with
# overrides; SECTION is proxy, mptcp, web or the name of an endpoint.
daemon_conf() {
	local file=$1 kv k sec endpoints
	declare -A conf=(
		[proxy.control]=$LAB_TMP/control.sock
		[proxy.step_aside]=never
		[proxy.metrics]=""
		[web.address]="192.0.2.0/24, 203.0.113.0/24, 2001:db8:1::/64"
		[web.port]="22, 80, 5201-5210, 7000-7099"
	)
	shift
	for kv; do
		conf[${kv%%=*}]=${kv#*=}
	done
	endpoints=$(printf '%s\n' "${!conf[@]}" | sed 's/\..*//' | grep -vx 'proxy\|mptcp\|web' | sort -u)
	{
		for sec in proxy mptcp web $endpoints; do
			case $sec in
			web) echo "[service web]" ;;
			proxy | mptcp) echo "[$sec]" ;;
			*) echo "[endpoint $sec]" ;;
			esac
			for k in "${!conf[@]}"; do
				[ "${k%%.*}" = $sec ] && echo "${k#*.} = ${conf[$k]}"
			done
		done
	} >"$file"
}

# daemon_start [SECTION.KEY=VALUE...]: returns when the control socket answers.
# In the modes without a daemon this does nothing.
daemon_start() {
	local dir
	[ "$LAB_MODE" = daemon ] || return 0
	dir=$(build_dir) || lab_die "no mptcp-proxyd in MPTCP_PROXY_BUILD, ./build or the top"
	daemon_conf "$LAB_TMP/daemon.conf" "$@"
	spawn "$NS_G" daemon "$dir/mptcp-proxyd" -c "$LAB_TMP/daemon.conf"
	DAEMON_PID=$SPAWNED
	DAEMON_STARTED=1
	echo "$DAEMON_PID" >"$LAB_TMP/daemon.pid"
	if ! wait_for 10 daemon_answers; then
		tail -n 5 "$LAB_TMP/daemon.log" | sed 's/^/# /'
		lab_die "mptcp-proxyd does not answer"
	fi
}

daemon_answers() {
	pid_gone "$DAEMON_PID" && return 0   # no use waiting; ctl fails later
	ctl status
}

# Its output often goes nowhere: reports of a sanitizer go to files, see done_testing().
ctl() {
	on_gw env ASAN_OPTIONS="log_path=$LAB_TMP/ctl-report" UBSAN_OPTIONS="log_path=$LAB_TMP/ctl-report" \
		"$(build_dir)/mptcp-proxyctl" -s "$LAB_TMP/control.sock" "$@"
}

# forwarders DEVICE: policy (SCHED_BATCH is 3) and nice value of each thread of the kernel
# that forwards what comes by a TUN device of this name.
forwarders() {
	"$LAB_PY" -c '
import os, sys
found = []
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        with open("/proc/%s/comm" % pid) as f:
            if f.read().startswith("napi/%s-" % sys.argv[1]):
                found.append("%d %d" % (os.sched_getscheduler(int(pid)),
                                        os.getpriority(os.PRIO_PROCESS, int(pid))))
    except OSError:
        pass
print(*found, sep=", ")' "$1"
}

# ctl_get KEY: the sum of the numbers called KEY anywhere in the status.
ctl_get() {
	ctl --json status 2>/dev/null | "$LAB_PY" -c '
import json, sys
def walk(v):
    if isinstance(v, dict):
        for k, x in v.items():
            if k == sys.argv[1] and isinstance(x, (int, float)):
                yield x
            else:
                yield from walk(x)
    elif isinstance(v, list):
        for x in v:
            yield from walk(x)
found = list(walk(json.load(sys.stdin)))
print(sum(found) if found else "")' "$1"
}

# What the daemon must never have to say.
REPORTS='Sanitizer|runtime error:|Assertion|seccomp:'

# Ends the daemon in order, so that a sanitizer can look for leaks: the first signal drains,
# the second, for connections that stay, ends.
daemon_stop() {
	local pid=$DAEMON_PID
	[ -n "$pid" ] || return 0
	kill "$pid" 2>/dev/null
	LAB_PATIENCE=1 wait_for 5 pid_gone "$pid" || kill "$pid" 2>/dev/null
	wait_for 30 pid_gone "$pid" || DAEMON_REPORTS+="it does not end "
	stop_pid "$pid"
	wait "$pid" 2>/dev/null
	DAEMON_PID=
	rm -f "$LAB_TMP/daemon.pid"
	DAEMON_REPORTS+=$(grep -E -m 3 "$REPORTS" "$LAB_TMP/daemon.log")
}

# daemon_reload [SECTION.KEY=VALUE...]: the same configuration but for these.
daemon_reload() {
	daemon_conf "$LAB_TMP/daemon.conf" "$@"
	ctl reload >/dev/null
}

daemon_kill9() {
	kill -9 "$DAEMON_PID"
	wait "$DAEMON_PID" 2>/dev/null
	DAEMON_PID=
}

# ---- looking ---------------------------------------------------------------

# capture_start NAME [NIC...]: headers of what passes the client's NICs.
capture_start() {
	local name=$1 nic
	shift
	CAPTURES=() CAPTURED=()
	for nic in "${@:-c1}"; do
		rm -f "$LAB_TMP/$name-$nic.pcap"
		spawn "$NS_C" tcpdump-"$nic" tcpdump -i "$nic" -s 160 -B 16384 -U \
			-w "$LAB_TMP/$name-$nic.pcap" tcp
		CAPTURES+=("$SPAWNED") CAPTURED+=("$name-$nic")
		wait_for 5 test -s "$LAB_TMP/$name-$nic.pcap"
	done
}

# marked NAME: tcpdump has written down a SYN to the discard port, of which we send some.  It
# goes to the gateway, and is no MPTCP.
marked() {
	on_client timeout 0.2 bash -c ": </dev/tcp/10.${1##*-c}.0.1/9" 2>/dev/null
	tcpdump -n -r "$LAB_TMP/$1.pcap" tcp dst port 9 2>/dev/null | grep -q .
}

# What was in the kernel's ring before is in the files afterwards.
capture_stop() {
	local pid name
	for name in "${CAPTURED[@]}"; do
		wait_for 10 marked "$name" || diag "$name: the end of the capture is missing"
	done
	for pid in "${CAPTURES[@]}"; do
		stop_pid "$pid"
	done
	CAPTURES=()
}

# The client's MPTCP counters, "Name value" per line.
mib() {
	on_client awk '/^MPTcpExt:/ { if (!n) n = split($0, k); else
		for (i = 2; i <= n; i++) print k[i], $i }' /proc/net/netstat
}
mib_mark() { mib >"$LAB_TMP/mib.mark"; }
# mib_diff REGEX: how much the counters of these names grew since mib_mark.
mib_diff() {
	mib | awk -v re="^($1)$" 'NR == FNR { old[$1] = $2; next }
		$1 ~ re { sum += $2 - old[$1] } END { print sum + 0 }' "$LAB_TMP/mib.mark" -
}
# All that grew, on one line.
mib_all() {
	mib | awk 'NR == FNR { old[$1] = $2; next } $2 != old[$1] {
		printf "%s=%d ", $1, $2 - old[$1] }' "$LAB_TMP/mib.mark" -
}

# frames FILTER: how many packets of the captures "all" pass the filter.  The payload is
# random, and no dissector's business: none may guess what it is.
frames() {
	local nic guess=(--disable-protocol http) h
	# the list is always the same, and takes tshark as long as a small capture
	[ -s "$LAB_TMP/guessers" ] || tshark -G heuristic-decodes 2>/dev/null |
		awk '$1 == "tcp" && $2 != "mptcp" { print $2 }' >"$LAB_TMP/guessers"
	while read -r h; do
		guess+=(--disable-protocol "$h")
	done <"$LAB_TMP/guessers"
	for nic in c1 c2; do
		tshark -r "$LAB_TMP/all-$nic.pcap" "${guess[@]}" -Y "$1" 2>>"$LAB_TMP/tshark.log" ||
			diag "tshark failed: $(tail -n 1 "$LAB_TMP/tshark.log")" >&2
	done | wc -l
}
# The captures have MPTCP in them, and no packet an expert error.
no_expert_errors() {
	cmp_ok "$(frames mptcp)" '>' 100 "tshark read the captures"
	is "$(frames 'mptcp && _ws.expert.severity >= 0x00800000')" 0 "tshark finds no fault"
}

# download_bg NAME BYTES, upload_bg NAME BYTES: in the background, its pid in SPAWNED.
# (IPv6 with "6" as the third argument)
download_bg() { peer_bg "$1" download "$P_SOURCE" "$2" "${3:-}"; }
upload_bg() { peer_bg "$1" upload "$P_SINK" "$2" "${3:-}"; }
peer_bg() {
	local to=$SRV
	[ "$5" = 6 ] && to=$SRV_6
	spawn "$NS_C" "$1" "$LAB_DIR/peer.py" "$2" "$to" "$3" --bytes "$4"
}
# moved NIC RX|TX SECONDS: bytes that passed in that time
moved() {
	local a
	a=$(nic_bytes "$1" "$2")
	sleep "$3"
	echo $(($(nic_bytes "$1" "$2") - a))
}

# busy NIC RX|TX BYTES: so much passes in half a second; for wait_for.
busy() { [ "$(moved "$1" "$2" 0.5)" -gt "$3" ]; }
# idle NIC RX|TX BYTES: less than that does.
idle() { [ "$(moved "$1" "$2" 0.5)" -lt "$3" ]; }
# passed NIC RX|TX FROM BYTES: so much has, since nic_bytes said FROM; for wait_for.
passed() { [ $(($(nic_bytes "$1" "$2") - $3)) -ge "$4" ]; }
# grew REGEX N: the client's counters of these names grew by N or more since mib_mark.
grew() { [ "$(mib_diff "$1")" -ge "$2" ]; }

nic_bytes() { on_client cat "/sys/class/net/$1/statistics/${2}_bytes"; }

# ---- a middlebox that strips MPTCP options ----------------------------------

# strip_on WHAT NIC [BYTES]: on the client's NIC, off goes every MPTCP option of
#   syn      SYNs (out)
#   synack   SYN/ACKs (in)
#   in, out, both   all packets of that way that carry data, from BYTES of data on
#            (each connection its own count; the default is about the fifth packet)
#   all      all packets of both ways, from BYTES out and 2000 in (ACKs mostly) on
#   ack      all packets out without data, at once
# The client's own hooks do it: beyond its IP stack, before the gateway's.
strip_on() {
	local what=$1 nic=$2 bytes=${3:-7000} rules=()
	local over="meta length > 150 update @seen"
	case $what in
	syn) rules=("out oifname $nic tcp flags & (syn | ack) == syn") ;;
	synack) rules=("in iifname $nic tcp flags & (syn | ack) == (syn | ack)") ;;
	all) rules=("out oifname $nic update @seen { tcp sport quota over $bytes bytes }"
		"in iifname $nic update @heard { tcp dport quota over 2000 bytes }") ;;
	ack) rules=("out oifname $nic tcp flags & (syn | ack) == ack meta length <= 150") ;;
	in | both) rules+=("in iifname $nic $over { tcp dport quota over $bytes bytes }") ;;&
	out | both) rules+=("out oifname $nic $over { tcp sport quota over $bytes bytes }") ;;
	esac
	on_client nft -f - <<-END
	table inet strip
	delete table inet strip
	table inet strip {
		set seen { type inet_service; flags dynamic; size 1000; }
		set heard { type inet_service; flags dynamic; size 1000; }
		chain out { type filter hook output priority mangle; }
		chain in { type filter hook prerouting priority -400; }
	}
	$(printf 'add rule inet strip %s counter reset tcp option mptcp\n' "${rules[@]}")
	END
}
strip_off() { on_client nft delete table inet strip; }
# How many packets were robbed.
strip_count() {
	on_client nft list table inet strip 2>/dev/null |
		awk '{ for (i = 1; i < NF; i++) if ($i == "packets") n += $(i + 1) } END { print n + 0 }'
}

# ---- transfers -------------------------------------------------------------

url_host() { case $1 in v6) echo "[$SRV_6]" ;; *) echo $SRV ;; esac; }

# get FAMILY SIZE OUT: downloads fSIZE into OUT; the speed, Mbit/s, in SPEED.
get() {
	local info
	info=$(on_client timeout "${LAB_TIMEOUT:-120}" mptcpize run curl -sS --no-keepalive -o "$3" \
		-w '%{http_code} %{speed_download}' "http://$(url_host "$1")/f$2" 2>>"$LAB_TMP/curl.log")
	local rc=$?
	SPEED=$(mbit "${info#* }")
	[ $rc = 0 ] && [ "${info%% *}" = 200 ]
}

# put FAMILY SIZE NAME: uploads fSIZE; the server keeps it as put/NAME.
put() {
	local info
	info=$(on_client timeout "${LAB_TIMEOUT:-120}" mptcpize run curl -sS -H Expect: \
		-T "$LAB_TMP/www/f$2" -o /dev/null \
		-w '%{http_code} %{speed_upload}' "http://$(url_host "$1")/put/$3" 2>>"$LAB_TMP/curl.log")
	local rc=$?
	SPEED=$(mbit "${info#* }")
	[ $rc = 0 ] && case ${info%% *} in 201 | 204) true ;; *) false ;; esac
}

mbit() { awk -v b="${1:-0}" 'BEGIN { printf "%.1f", b * 8 / 1e6 }'; }

# ---- TAP -------------------------------------------------------------------

TAP_N=0 TAP_FAILED=0

ok() { # ok STATUS DESCRIPTION
	TAP_N=$((TAP_N + 1))
	if [ "$1" = 0 ]; then
		echo "ok $TAP_N - $2"
	else
		case $2 in *"# TODO"*) ;; *) TAP_FAILED=$((TAP_FAILED + 1)) ;; esac
		echo "not ok $TAP_N - $2"
	fi
	return "$1"
}
not_ok() { ok 1 "$1"; }
# check DESCRIPTION COMMAND...: the command succeeds.
check() {
	local what=$1
	shift
	"$@"
	ok $? "$what"
}
# In native mode the peer's known faults are told, not failed: the test is of the proxy.
todo() { [ "$LAB_MODE" = native ] && echo " # TODO the kernel as the server"; }
is() { # is GOT WANTED DESCRIPTION
	local rc=0
	[ "$1" = "$2" ] || rc=1
	ok $rc "$3" || diag "got '$1', wanted '$2'"
}
like() { # like GOT ERE DESCRIPTION
	local rc=0
	[[ $1 =~ $2 ]] || rc=1
	ok $rc "$3" || diag "got '$1', wanted a match of '$2'"
}
cmp_ok() { # cmp_ok A OP B DESCRIPTION, numbers
	local rc=0
	awk -v a="$1" -v b="$3" "BEGIN { exit !(a + 0 $2 b + 0) }" && [ -n "$1" ] || rc=1
	ok $rc "$4" || diag "got '$1', wanted $2 $3"
}
same() { # same FILE FILE DESCRIPTION
	local rc=0
	cmp -s "$1" "$2" || rc=1
	ok $rc "$3" || diag "$(stat -c '%n %s' "$1" "$2" 2>&1 | tr '\n' ' ')"
}
skip() { # skip COUNT WHY
	local i
	for ((i = 0; i < $1; i++)); do
		TAP_N=$((TAP_N + 1))
		echo "ok $TAP_N # SKIP $2"
	done
}
skip_all() { echo "1..0 # SKIP $1"; exit 0; }
need_daemon() { [ "$LAB_MODE" = daemon ] || skip_all "needs mptcp-proxyd (LAB_MODE=$LAB_MODE)"; }
need_mptcp() { [ "$LAB_MODE" != plain ] || skip_all "needs MPTCP (LAB_MODE=plain)"; }
diag() { printf '%s\n' "$*" | sed 's/^/# /'; }
# Ends the daemon, and the test: it must have had nothing to complain of itself.
done_testing() {
	daemon_stop
	[ -z "$DAEMON_STARTED" ] ||
		is "$DAEMON_REPORTS$(cat "$LAB_TMP"/ctl-report.* 2>/dev/null)" "" \
			"the daemon: no failed assertion, no report of a sanitizer"
	echo "1..$TAP_N"
}

# A transfer of each family, not measured: afterwards the neighbours on both links are
# known, which takes a round trip of the link to ask for.
warm_up() {
	get v4 1000000 /dev/null
	get v6 1000000 /dev/null
}

# median VALUES: of an odd number of them.
median() { printf '%s\n' "$@" | sort -g | sed -n "$((($# + 1) / 2))p"; }

# fast_enough MBIT WANTED DESCRIPTION: told always, checked if asked for.
fast_enough() {
	if [ "${LAB_ASSERT_SPEED:-0}" = 1 ] && [ "$LAB_MODE" = daemon ]; then
		diag "$3: $1 Mbit/s"
		cmp_ok "$1" '>=' "$2" "$3: at least $2 Mbit/s"
	else
		diag "$3: $1 Mbit/s (wanted: $2)"
	fi
}

FALLBACKS='.*Fallback.*|InfiniteMap[TR]x|Blackhole|MPFailRx|MPFailTx|DSSNotMatching|DSSCorruption.*'

# mptcp_ok DESCRIPTION: since mib_mark the client spoke MPTCP, on two paths.
mptcp_ok() {
	[ "$LAB_MODE" = plain ] && { skip 3 "plain forwarding"; return; }
	cmp_ok "$(mib_diff MPCapableSYNACKRX)" '>' 0 "$1: MPTCP was agreed on"
	cmp_ok "$(mib_diff MPJoinSynAckRx)" '>' 0 "$1: the second path joined"
	is "$(mib_diff "$FALLBACKS")" 0 "$1: no fallback" || diag "$(mib_all)"
}

# Every test calls this first.
lab_test() {
	trap lab_exit EXIT
	trap 'exit 130' INT TERM
	lab_up "$@"
}
lab_exit() {
	local rc=$?
	trap - EXIT
	if [ $TAP_FAILED != 0 ] || [ $rc != 0 ]; then
		[ -n "$LAB_TMP" ] && lab_save_logs
	fi
	[ "${LAB_KEEP:-0}" = 1 ] || lab_down
	exit $rc
}
