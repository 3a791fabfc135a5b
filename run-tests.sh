#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Builds the project and runs every test: unit tests, simulator, fuzz corpora and
# layers (make check), the lab in network namespaces, and the unit tests and the
# simulator once more under sanitizers.  Only when they are asked for, since they take
# long: the lab under sanitizers (lab-sanitizers), and the unit tests and some seeds under
# valgrind.  Meant for Debian 12, as root: it installs the packages that are missing.
# The last line is
#
#	N passed, N failed[, N skipped]
#
# and the exit status is 0 only if something ran and nothing failed.
#
# usage: run-tests.sh [unit] [lab] [sanitizers] [lab-sanitizers] [valgrind]
#        (default: the first three)
# environment: JOBS (parallel make jobs)
set -u
cd "$(dirname "$(readlink -f "$0")")" || exit 1
exec </dev/null
. tests/lab/packages.sh

: "${JOBS:=$(nproc)}"
parts=" ${*:-unit lab sanitizers} "
passed=0 failed=0 skipped=0

step() { printf '\n== %s\n' "$*"; }

# Adds a failure that no test reports by itself.
broken() {
	echo "FAILED: $*"
	failed=$((failed + 1))
}

finish() {
	[ $((passed + failed)) -gt 0 ] || failed=1
	echo
	if [ "$skipped" -gt 0 ]; then
		echo "$passed passed, $failed failed, $skipped skipped"
	else
		echo "$passed passed, $failed failed"
	fi
	[ "$failed" -eq 0 ]
	exit
}

# count_log FILE: prints "passed failed skipped" of one program's output, in any of
# the forms used here: check's summary, "N passed, N failed", or TAP.
count_log() {
	awk '
	/Checks: [0-9]+, Failures: [0-9]+, Errors: [0-9]+/ {
		match($0, /Checks: [0-9]+/); c = substr($0, RSTART + 8, RLENGTH - 8)
		match($0, /Failures: [0-9]+/); f = substr($0, RSTART + 10, RLENGTH - 10)
		match($0, /Errors: [0-9]+/); e = substr($0, RSTART + 8, RLENGTH - 8)
		ok += c - f - e; bad += f + e; next
	}
	/^[0-9]+ passed, [0-9]+ failed/ { ok += $1; bad += $3; skip += $5; next }
	/^(not )?ok([ \t]|$)/ {
		if (/# *[Ss][Kk][Ii][Pp]/) skip++
		else if (/^ok/ || /# *TODO/) ok++
		else bad++
		next
	}
	/^1\.\.0( |$)/ { skip++ }
	END { print ok + 0, bad + 0, skip + 0 }' "$1"
}

# count_build DIR: sums up what `make check` left in DIR.
count_build() {
	local trs log ok bad skip result

	while IFS= read -r trs; do
		log=${trs%.trs}.log
		result=$(sed -n 's/^:global-test-result: //p' "$trs")
		read -r ok bad skip < <(count_log "$log")
		# A program that counts nothing counts as one; one that failed has a failure.
		case $result in
		PASS|XFAIL) [ $((ok + bad + skip)) -gt 0 ] || ok=1 ;;
		SKIP) [ "$skip" -gt 0 ] || skip=1 ;;
		*) [ "$bad" -gt 0 ] || bad=1 ;;
		esac
		printf '%-48s %5d passed %3d failed %3d skipped\n' "${trs#"$1"/}" "$ok" "$bad" "$skip"
		passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
		if [ "$bad" -gt 0 ]; then
			echo "---- $log"
			tail -n 40 "$log"
		fi
	done < <(find "$1" -name '*.trs' | sort)
}

# build DIR CONFIGURE-OPTION...
build() {
	local dir=$1
	shift
	mkdir -p "$dir" && (cd "$dir" && ../configure "$@" && make -j"$JOBS") >"$dir.log" 2>&1 &&
		return 0
	tail -n 40 "$dir.log"
	broken "build in $dir (whole output in $dir.log)"
	return 1
}

# check DIR [make argument...]
check() {
	local dir=$1
	shift
	find "$dir" -name '*.trs' -exec rm -f {} +
	make -C "$dir" -j"$JOBS" check "$@" >"$dir-check.log" 2>&1
	local rc=$? before=$failed
	count_build "$dir"
	if [ $rc -ne 0 ] && [ "$failed" -eq "$before" ]; then
		tail -n 40 "$dir-check.log"
		broken "make check in $dir"
	fi
}

# lab DIR: every test of the lab with the programs of that build.
lab() {
	local dir=$1 rc ok bad skip

	make -C "$dir" tests/lab/linkem >>"$dir.log" 2>&1 || broken 'tests/lab/linkem'
	MPTCP_PROXY_BUILD=$PWD/$dir bash tests/lab/run 2>&1 | tee "$dir/lab.log"
	rc=${PIPESTATUS[0]}
	read -r ok bad skip < <(count_log "$dir/lab.log")
	passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
	[ "$rc" -eq 0 ] || [ "$bad" -gt 0 ] || broken 'tests/lab/run'
	[ $((ok + bad + skip)) -gt 0 ] || broken 'the lab ran nothing'
}

for part in $parts; do
	case $part in
	unit | lab | sanitizers | lab-sanitizers | valgrind) ;;
	*) broken "no part is called '$part'"; finish ;;
	esac
done

step 'packages'
need_packages "${PACKAGES_BUILD[@]}" || { broken 'packages to build'; finish; }
if [[ $parts = *' lab '* || $parts = *' lab-sanitizers '* ]]; then
	need_packages "${PACKAGES_LAB[@]}" || broken 'packages of the lab'
fi
if [[ $parts = *' valgrind '* ]]; then
	need_packages valgrind || broken 'valgrind'
fi

step 'build'
# A tree that was built in place cannot be built from elsewhere as well.
if [ -e config.status ]; then
	echo 'cleaning the build in the source tree (make distclean)'
	make distclean >/dev/null 2>&1 || rm -f config.status
fi
autoreconf -i >build-autoreconf.log 2>&1 || { tail build-autoreconf.log; broken 'autoreconf -i'; finish; }
built=
build build --enable-werror && built=1

if [[ $parts = *' unit '* ]] && [ -n "$built" ]; then
	step 'unit tests, simulator, fuzz corpora, layers'
	check build
fi

if [[ $parts = *' lab '* ]] && [ -n "$built" ]; then
	step 'lab'
	lab build
fi

if [[ $parts = *' valgrind '* ]] && [ -n "$built" ]; then
	step 'unit tests, fuzz corpora and some seeds under valgrind'
	make -C build check-valgrind 2>&1 | tee build/valgrind-check.log
	if [ "${PIPESTATUS[0]}" -eq 0 ]; then
		passed=$((passed + 1))
	else
		broken 'make check-valgrind'
	fi
fi

if [[ $parts = *sanitizers' '* ]]; then
	step 'build with sanitizers'
	built=
	build build-sanitizers --enable-sanitizers CFLAGS='-O1 -g' && built=1
	if [[ $parts = *' sanitizers '* ]] && [ -n "$built" ]; then
		step 'unit tests, simulator and fuzz corpora under sanitizers'
		check build-sanitizers
	fi
	if [[ $parts = *' lab-sanitizers '* ]] && [ -n "$built" ]; then
		step 'lab under sanitizers'
		lab build-sanitizers
	fi
fi

finish
