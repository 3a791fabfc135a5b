#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Line coverage of the engine, from what gcov finds in a build directory that was configured with
# --enable-coverage, in which tests have run (`make coverage').
#
#	tests/coverage.sh [-l]          in the build directory; -l lists the lines never run
#
# Prints a line per file and one per layer; exit status 1 if a layer of those with a bound is
# below it.
set -u
least=90
bounded='wire tcp mptcp proxy'
list=no
[ "${1:-}" = -l ] && list=yes
top=$(cd "${srcdir:-.}" && pwd) || exit 1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
build=$PWD
status=0

for layer in base wire tcp mptcp proxy; do
	hit=0
	all=0
	for source in "$top/src/$layer"/*.c; do
		name=$(basename "$source" .c)
		# What no test ever linked has no counts at all: none of its lines ran.
		if [ ! -f "src/$layer/$name.gcno" ]; then
			echo "coverage: $build/src/$layer/$name.gcno is missing: configure with --enable-coverage" >&2
			exit 1
		fi
		(cd "$work" && "${GCOV:-gcov}" -o "$build/src/$layer" "$build/src/$layer/$name.o" \
			>gcov.out 2>&1)
		# Lines of code have a count, "#####" or "=====" before their number.
		counts=$(awk -F: '$1 ~ /[0-9#=]/ { n++; if ($1 !~ /[#=]/) hit++ }
			END { print hit + 0, n + 0 }' "$work/$name.c.gcov")
		[ "$list" = yes ] && grep -E '^ *[#=]{5}' "$work/$name.c.gcov" |
			sed "s|^ *[#=]*: *|src/$layer/$name.c:|"
		echo "$counts" | awk -v f="src/$layer/$name.c" \
			'{ printf "%-32s %5.1f %% of %4d\n", f, $2 ? 100 * $1 / $2 : 100, $2 }'
		hit=$((hit + ${counts% *}))
		all=$((all + ${counts#* }))
		rm -f "$work"/*.gcov
	done
	awk -v l="src/$layer" -v h=$hit -v n=$all \
		'BEGIN { printf "%-32s %5.1f %% of %4d lines\n\n", l, 100 * h / n, n }'
	case " $bounded " in
	*" $layer "*)
		if [ $((hit * 100)) -lt $((least * all)) ]; then
			echo "coverage: src/$layer is below $least %" >&2
			status=1
		fi ;;
	esac
done
exit $status
