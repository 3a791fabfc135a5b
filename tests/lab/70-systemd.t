#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The unit file, under a real systemd: a small system of this machine's own release
# boots in a container whose network is the lab's gateway, and runs the daemon as
# installed.  It starts by Type=notify, has the two capabilities and no more, serves two
# paths, reloads, comes back after kill -9 and after hanging (watchdog), drains when it
# is stopped, and leaves nothing.
#
# The system is made by debootstrap, from where this machine's apt gets its packages,
# and kept in the build directory (sysroot-*) for the next time.
set -u
. "$(dirname "$0")/lib.sh"
need_daemon
# enough that it is under way for some seconds
LAB_SIZES="5000000 50000000"

UNIT=mptcp-proxyd.service
VM_NAME=$LAB_PREFIX-gateway
VM_PID=
NSPAWN_PID=

# ---- the system --------------------------------------------------------------

# Prints URI, codename and components of the repository with the base system.
repository() {
	local codename
	codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
	[ -n "$codename" ] || return 1
	apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT)' \
		"Created-By: Packages" 2>/dev/null |
		awk -v c="$codename" '
			$2 == c && (uri == "" || uri == $1) {
				uri = $1
				if (!seen[$3]++)
					parts = parts (parts == "" ? "" : ",") $3
			}
			END { if (uri == "") exit 1; print uri, c, parts }'
}

# The packages that have the libraries of the daemon, as this machine has them.
library_packages() {
	local file
	ldd "$1/mptcp-proxyd" "$1/mptcp-proxyctl" | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' |
		sort -u | while read -r file; do
		file=$(readlink -f "$file")
		dpkg-query -S "$file" 2>/dev/null || dpkg-query -S "${file#/usr}" 2>/dev/null
	done | sed 's/:.*//' | sort -u | tr '\n' ','
}

# make_sysroot DIR BUILD
make_sysroot() {
	local repo uri suite parts packages
	repo=$(repository) || { WHY="apt knows of no repository for this release"; return 1; }
	read -r uri suite parts <<<"$repo"
	packages=$(library_packages "$2")systemd,systemd-sysv,nftables,iproute2
	if [ -z "${http_proxy:-}" ]; then
		eval "$(apt-config shell http_proxy Acquire::http::Proxy)"
		[ -n "${http_proxy:-}" ] && export http_proxy
	fi
	rm -rf --one-file-system "$1.new"
	diag "making $1, once"
	# with mounts of its own, of which nothing is left whatever happens
	if ! timeout 600 unshare --mount debootstrap --variant=minbase --components="$parts" \
		--include="$packages" "$suite" "$1.new" "$uri" >"$1.log" 2>&1; then
		WHY="debootstrap: $(tail -n 1 "$1.log")"
		rm -rf --one-file-system "$1.new"
		return 1
	fi
	# Nothing that runs by time, and nothing that meddles with this machine's kernel.
	ln -sf /dev/null "$1.new/etc/systemd/system/timers.target"
	ln -sf /dev/null "$1.new/etc/systemd/system/systemd-modules-load.service"
	ln -sf /dev/null "$1.new/etc/systemd/system/modprobe@.service"
	rm -f "$1.log"
	mv "$1.new" "$1"
}

# ---- the container -----------------------------------------------------------

in_vm() {
	nsenter -t "$VM_PID" -m -u -i -n -p -- \
		env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C SYSTEMD_PAGER= "$@"
}
vm_pid() { VM_PID=$(ps -o pid= --ppid "$NSPAWN_PID" | tr -d ' ' | head -n 1); [ -n "$VM_PID" ]; }
vm_booted() { vm_pid && [[ $(in_vm systemctl is-system-running) =~ running|degraded ]]; }

# udev, which a container has not, lets everyone open the TUN device.
vm_start() {
	mknod -m 666 "$LAB_TMP/tun" c 10 200
	SYSTEMD_NSPAWN_API_VFS_WRITABLE=network setsid systemd-nspawn -b -D "$1" -M "$VM_NAME" \
		--network-namespace-path="/run/netns/$NS_G" --keep-unit --register=no \
		--capability=CAP_NET_ADMIN,CAP_NET_RAW --drop-capability=CAP_SYS_MODULE \
		--bind="$LAB_TMP/tun:/dev/net/tun" >"$LAB_TMP/nspawn.log" 2>&1 </dev/null &
	NSPAWN_PID=$!
	wait_for 60 vm_booted
}

vm_stop() {
	[ -n "$NSPAWN_PID" ] || return 0
	if [ "$TAP_FAILED" != 0 ] && [ -n "$VM_PID" ]; then
		in_vm journalctl --no-pager -o short-monotonic >"$LAB_TMP/journal.log" 2>&1
	fi
	kill "$NSPAWN_PID" 2>/dev/null          # an orderly shutdown
	wait_for 20 pid_gone "$NSPAWN_PID" || kill -9 "$VM_PID" "$NSPAWN_PID" 2>/dev/null
	wait "$NSPAWN_PID" 2>/dev/null
	rmdir "/run/systemd/nspawn/propagate/$VM_NAME" 2>/dev/null
	NSPAWN_PID=
}

journal() { in_vm journalctl --no-pager -o cat -u $UNIT; }
unit() { in_vm systemctl show -P "$1" $UNIT; }
main_pid() { unit MainPID; }
# came_back OLD-PID: another process runs and is ready.
came_back() { [ "$(main_pid)" != "$1" ] && [ "$(unit ActiveState)" = active ]; }
status_of() { in_vm cat "/proc/$(main_pid)/status" | awk -v k="$1:" '$1 == k { print $2 }'; }

helper_status() {
	in_vm sh -c 'cat $(grep -l "^Name:.proxyd-helper$" /proc/[0-9]*/status)' |
		awk -v k="$1:" '$1 == k { print $2 }'
}

# is_reloaded N: the daemon says that it was, so often.
is_reloaded() { [ "$(journal | grep -c 'configuration reloaded')" -ge "$1" ]; }

probe() { on_client "$LAB_DIR/peer.py" probe $SRV $P_ECHO; }
# same_traces FILE FILE DESCRIPTION
same_traces() { same "$@" || diag "$(diff "$1" "$2")"; }
# What it makes and must remove.
traces() {
	on_gw nft list tables | grep 'inet mptcp_proxy'
	on_gw ip rule
	on_gw ip -6 rule
	on_gw ip -4 route show table all | sort
	on_gw ip -6 route show table all | sort
	on_gw ip -o link | sed 's/^[0-9]*: \([^:@]*\).*/\1/' | sort
	on_gw sysctl net.ipv4.tcp_early_demux
}

# The rest cannot be tested here.
give_up() { skip 1 "$1"; done_testing; exit 0; }

# ---- the test ----------------------------------------------------------------

for tool in debootstrap systemd-nspawn nsenter apt-get dpkg-query make; do
	command -v $tool >/dev/null || skip_all "needs $tool"
done
build=$(build_dir) || lab_die "no mptcp-proxyd in MPTCP_PROXY_BUILD, ./build or the top"
release=$(. /etc/os-release && echo "${VERSION_CODENAME:-unknown}")
sysroot=$build/sysroot-$release
[ -d "$sysroot" ] || make_sysroot "$sysroot" "$build" || skip_all "$WHY"

lab_test
trap 'rc=$?; vm_stop; (exit $rc); lab_exit' EXIT
root=$LAB_TMP/root
cp -a --reflink=auto "$sysroot" "$root" || lab_die "no room for $root"
make -s -C "$build" install DESTDIR="$root" >"$LAB_TMP/install.log" 2>&1
ok $? "make install"
unit_file=$(find "$root/usr" "$root/lib/systemd" -name $UNIT | head -n 1)
[ -n "$unit_file" ] || give_up "this build installs no unit file"
conf=$(sed -n 's/^ExecStart=.* -c *//p' "$unit_file")
daemon_conf "$root$conf" proxy.control=/run/mptcp-proxyd/control.sock
mkdir -p "$root/etc/systemd/system/$UNIT.d"
# the only deviation from the unit as installed: half a minute is long for a test
printf '[Service]\nWatchdogSec=4\nTimeoutAbortSec=1\n' \
	>"$root/etc/systemd/system/$UNIT.d/quick.conf"
# ... but for a sanitizer, which looks for leaks by it
if grep -q __asan_init "$build/mptcp-proxyd"; then
	printf '[Service]\nSystemCallFilter=ptrace\n' \
		>"$root/etc/systemd/system/$UNIT.d/sanitizer.conf"
fi
vm_start "$root" || give_up "no container boots here: $(tail -n 1 "$LAB_TMP/nspawn.log")"

traces >"$LAB_TMP/before.txt"
check "systemctl enable" in_vm systemctl -q enable $UNIT
check "systemctl start" in_vm systemctl start $UNIT ||
	diag "$(journal | tail -n 20)"
is "$(unit Type) $(unit ActiveState) $(unit SubState)" "notify active running" \
	"it told that it is ready"
is "$(unit NRestarts)" 0 "at the first attempt"
in_vm mptcp-proxyctl status >"$LAB_TMP/status.txt"
ok $? "mptcp-proxyctl status"

for set in CapBnd CapEff CapPrm CapAmb; do
	is "$(status_of $set)" 0000000000003000 "$set: CAP_NET_ADMIN and CAP_NET_RAW only"
done
is "$(status_of NoNewPrivs)" 1 "no new privileges"
is "$(status_of Seccomp)" 2 "system calls are filtered"
is "$(status_of Seccomp_filters)" $(($(helper_status Seccomp_filters) + 1)) \
	"by the unit, and by the daemon itself when its helper was made"
cmp_ok "$(status_of Uid)" '>' 0 "not root"
if in_vm test -w /sys/class/net/mptcp0/threaded; then
	is "$(in_vm cat /sys/class/net/mptcp0/threaded)" 1 "the unit asked for threads of the kernel"
else
	skip 1 "/sys cannot be written in this container"
fi
diag "$(in_vm systemd-analyze security --no-pager $UNIT 2>/dev/null | tail -n 1)"

for family in v4 v6; do
	mib_mark
	check "$family: download" get $family 5000000 "$LAB_TMP/out/$family"
	same "$LAB_TMP/www/f5000000" "$LAB_TMP/out/$family" "$family: every byte is right"
	mptcp_ok "$family"
done
check "the server saw the client's address" \
	wait_for 10 grep -q "^$C1 GET /f5000000 200 5000000" "$LAB_TMP/access.log"

# reload
like "$(probe)" "^ok mptcp" "MPTCP before the reload"
pid=$(main_pid)
daemon_conf "$root$conf" proxy.control=/run/mptcp-proxyd/control.sock web.port=80
check "systemctl reload" in_vm systemctl reload $UNIT
wait_for 5 is_reloaded 1
is "$(probe)" "ok tcp" "a port that is no service any more gets plain TCP"
echo "mistake = 1" >>"$root$conf"
in_vm systemctl reload $UNIT >"$LAB_TMP/reload.log" 2>&1
cmp_ok $? '!=' 0 "systemctl reload fails when the file has a mistake"
is "$(unit ActiveState)" active "which does no harm"
daemon_conf "$root$conf" proxy.control=/run/mptcp-proxyd/control.sock
check "systemctl reload again" in_vm systemctl reload $UNIT
wait_for 5 is_reloaded 2
like "$(probe)" "^ok mptcp" "MPTCP after the reload"
is "$(main_pid) $(unit ActiveState)" "$pid active" "the same process"
traces >"$LAB_TMP/running.txt"

# a crash
in_vm sh -c "kill -9 $pid"
is "$(on_client "$LAB_DIR/peer.py" probe $SRV $P_ECHO | cut -d' ' -f1)" ok \
	"after kill -9, a new connection works at once"
check "after kill -9, it comes back" wait_for 15 came_back "$pid"
like "$(probe)" "^ok mptcp" "after kill -9, MPTCP again"
traces >"$LAB_TMP/killed.txt"
same_traces "$LAB_TMP/running.txt" "$LAB_TMP/killed.txt" "after kill -9, no rule is there twice"

# hanging
pid=$(main_pid)
in_vm sh -c "kill -STOP $pid"
check "when it hangs, the watchdog restarts it" wait_for 20 came_back "$pid"
like "$(probe)" "^ok mptcp" "after hanging, MPTCP again"
traces >"$LAB_TMP/hung.txt"
same_traces "$LAB_TMP/running.txt" "$LAB_TMP/hung.txt" "after hanging, no rule is there twice"
is "$(unit NRestarts)" 2 "two restarts in all"

# drain
from=$(nic_bytes c1 rx)
(
	get v4 50000000 "$LAB_TMP/out/drained" || rm -f "$LAB_TMP/out/drained"
) &
download=$!
check "a download is under way" wait_for 20 passed c1 rx "$from" 1000000
in_vm systemctl stop --no-block $UNIT
drains() { [ "$(unit ActiveState)" = deactivating ]; }
check "while it drains, it is deactivating" wait_for 10 drains
is "$(probe)" "ok tcp" "while it drains, new connections are plain TCP"
wait $download
same "$LAB_TMP/www/f50000000" "$LAB_TMP/out/drained" "a download that was under way is complete"
check "then it ends" in_vm systemctl stop $UNIT
is "$(unit ActiveState) $(unit Result)" "inactive success" "without complaint"
traces >"$LAB_TMP/after.txt"
same_traces "$LAB_TMP/before.txt" "$LAB_TMP/after.txt" "and leaves nothing"
check "... in /run, too" in_vm test ! -e /run/mptcp-proxyd
is "$(probe)" "ok tcp" "afterwards, plain TCP"

complaints=$(journal | grep -iE 'denied|not permitted|read-only|cannot')
is "$complaints" "" "nothing was forbidden that it needs"
is "$(journal | grep -E "$REPORTS")" "" "no failed assertion, no report of a sanitizer"
done_testing
