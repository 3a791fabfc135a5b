#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Shows what the project is for, in about a minute: a client with two access links
# downloads from a server that knows nothing of MPTCP, through a gateway that runs
# mptcp-proxyd; and one of the links fails on the way.  All of it in network
# namespaces of this machine (tests/lab/lib.sh), with the Linux kernel as the client.
#
# Meant for Debian 12, as root.  Installs the packages that are missing, builds into
# ./build if nothing was built, and leaves nothing else behind.
set -u
top=$(dirname "$(readlink -f "$0")")
: "${LAB_PREFIX:=mpd$$}"
. "$top/tests/lab/packages.sh"
# shellcheck source=tests/lab/lib.sh
. "$top/tests/lab/lib.sh"

[ "$(id -u)" = 0 ] || lab_die "the demonstration makes network namespaces: run it as root"
need_packages "${PACKAGES_BUILD[@]}" "${PACKAGES_LAB[@]}" || lab_die "packages are missing"
if [ "$LAB_MODE" = daemon ] && ! build_dir >/dev/null; then
	echo "building into $top/build ..."
	mkdir -p "$top/build"
	{
		{ [ -x "$top/configure" ] || (cd "$top" && autoreconf -i); } &&
			cd "$top/build" && ../configure && make -j"$(nproc)"
	} >"$top/build/demo-build.log" 2>&1 || lab_die "the build failed, see $top/build/demo-build.log"
	cd "$top" || exit 1
fi

failed=0
say() { printf '\n%s\n' "$*"; }

# sample START: the client's NICs, ten times a second, until sample_end
sample() {
	spawn "$NS_C" "$1" "$LAB_PY" "$LAB_DIR/peer.py" rates --nics c1,c2 --interval 0.1
	sampler=$SPAWNED
	sample_log=$LAB_TMP/$1.log
}
sample_end() { stop_pid "$sampler"; }

# bars: of what was sampled, a line per half second; # is path 1, = is path 2
bars() {
	awk -v marks="${1:-}" '
	BEGIN { n = split(marks, m, ";"); for (i = 1; i <= n; i++) { split(m[i], kv, "="); at[i] = kv[1]; what[i] = kv[2] } }
	NR == 1 { t0 = t = $1; a = $2; b = $4; next }
	$1 - t >= 0.495 {
		x = ($2 - a) * 8e-6 / ($1 - t); y = ($4 - b) * 8e-6 / ($1 - t)
		if (x + y > 0.5 || seen && x + y >= 0) {
			bar = ""
			for (i = 0; i < x * 0.7 - 0.5; i++) bar = bar "#"
			for (i = 0; i < y * 0.7 - 0.5; i++) bar = bar "="
			note = ""
			for (i = 1; i <= n; i++)
				if (at[i] >= t && at[i] < $1) note = note "  <- " what[i]
			line = sprintf("  %5.1f s |%-52s| %5.1f = %4.1f + %4.1f%s", $1 - t0, bar, x + y, x, y, note)
			if (x + y > 0.5) { printf "%s", held; held = ""; print line } else held = held line "\n"
			seen = 1
		}
		t = $1; a = $2; b = $4
	}' "$sample_log"
}

# fetch BYTES CURL-COMMAND...: a download, compared with the original
fetch() {
	local size=$1 out=$LAB_TMP/out/demo
	shift
	SPEED=$(mbit "$(on_client "$@" -sS -o "$out" -w '%{speed_download}' "http://$SRV/f$size")")
	if cmp -s "$LAB_TMP/www/f$size" "$out"; then
		sha=$(sha256sum <"$out" | cut -c 1-16)
		whole="$size bytes, SHA-256 $sha... as on the server"
	else
		whole="NOT THE SAME as on the server"
		failed=1
	fi
}

LAB_SIZES="10000000 40000000 60000000"
lab_test
daemon_start

cat <<END

mptcp-proxy: a demonstration

  client, two links           gateway                server, plain TCP only
  path 1  50 Mbit/s, 20 ms ---+
                              +--- mptcp-proxyd ---- nginx
  path 2  20 Mbit/s, 80 ms ---+
END

say "1. Each path alone, plain TCP"
fetch 10000000 curl --interface $C1
echo "  path 1: $SPEED Mbit/s   $whole"
one=$SPEED
fetch 10000000 curl --interface $C2
echo "  path 2: $SPEED Mbit/s   $whole"
two=$SPEED

say "2. The same client with MPTCP: both paths, one connection (Mbit/s: both = path 1 # + path 2 =)"
mib_mark
sample both
fetch 40000000 mptcpize run curl
sample_end
bars
echo "  together: $SPEED Mbit/s (alone: $one and $two)   $whole"
echo "  the client's kernel: $(mib_diff MPCapableSYNACKRX) MPTCP connection," \
	"$(mib_diff MPJoinSynAckRx) path joined, $(mib_diff "$FALLBACKS") fallbacks"
echo "  the server's log:    $(tail -n 1 "$LAB_TMP/access.log")"
[ "$(mib_diff MPJoinSynAckRx)" -gt 0 ] || failed=1

say "3. Path 1 fails for four seconds in the middle of a download"
sample cut
(
	sleep 2.5
	link_cut 1
	date +%s.%N >"$LAB_TMP/cut"
	sleep 4
	link_restore 1
	date +%s.%N >"$LAB_TMP/back"
) &
fetch 60000000 mptcpize run curl
wait $!
sample_end
bars "$(cat "$LAB_TMP/cut")=path 1 cut;$(cat "$LAB_TMP/back")=path 1 back"
echo "  one download, $SPEED Mbit/s over all, no error, no restart   $whole"

if [ "$LAB_MODE" = daemon ]; then
	say "4. What the proxy says of itself (mptcp-proxyctl status)"
	ctl status | sed 's/^/  /'
fi
if [ $failed = 0 ]; then
	say "All went as it should."
else
	say "SOMETHING WENT WRONG, see above."
fi
exit $failed
