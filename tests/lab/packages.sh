# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# The Debian packages that building, testing and the demonstration take, and how to
# get those that are missing.  Sourced by run-tests.sh and run-demo.sh.

PACKAGES_BUILD=(
	autoconf automake gcc make pkg-config libc6-dev
	libevent-dev libmnl-dev libnetfilter-queue-dev libnftnl-dev libinih-dev nettle-dev
	uthash-dev libsystemd-dev libseccomp-dev libjansson-dev check
)
PACKAGES_LAB=(
	conntrack curl debootstrap ethtool haproxy iperf3 iproute2 jq kmod mptcpize
	nftables nginx-light openssh-client openssh-server openssl perl procps python3
	socat systemd-container tcpdump tshark util-linux wrk
)

# need_packages PACKAGE...: installs those that are not, as root.
need_packages() {
	local p missing=()

	for p in "$@"; do
		[ "$(dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null)" = installed ] ||
			missing+=("$p")
	done
	[ ${#missing[@]} -eq 0 ] && return 0
	if [ "$(id -u)" -ne 0 ]; then
		echo "missing packages (run as root, or install them): ${missing[*]}" >&2
		return 1
	fi
	echo "installing: ${missing[*]}"
	export DEBIAN_FRONTEND=noninteractive
	# No service of a package just installed may start: the lab runs its own.
	local policy=/usr/sbin/policy-rc.d made=
	if [ ! -e "$policy" ]; then
		printf '#!/bin/sh\nexit 101\n' > "$policy" && chmod +x "$policy" && made=1
	fi
	apt-get update -qq </dev/null &&
		apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null >/dev/null
	local rc=$?
	[ -n "$made" ] && rm -f "$policy"
	return $rc
}
