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
status=0

for layer in base wire tcp mptcp proxy; do
	hit=0
	all=0
	for source in "$top/src/$layer"/*.c; do
		name=$(basename "$source" .c)
		if [ ! -f "src/$layer/$name.gcno" ]; then
			echo "coverage: src/$layer/$name.gcno is missing: configure with --enable-coverage" >&2
			exit 1
		fi
		# In the build directory, from which the compiler's paths to the sources lead.
		"${GCOV:-gcov}" -t -o "src/$layer" "src/$layer/$name.o" 2>/dev/null |
			awk -F: -v f="src/$layer/$name.c" '
				$3 == "Source" { ours = substr($4, length($4) - length(f) + 1) == f }
				ours' >"$work/lines"
		# Lines of code have a count, or "#####" or "=====", before their number.
		counts=$(awk -F: '$1 ~ /[0-9]/ { hit++ } $1 ~ /[#=]/ { missed++ }
			END { print hit + 0, hit + missed }' "$work/lines")
		[ "$list" = yes ] && grep -E '^ *[#=]{5}' "$work/lines" |
			sed "s|^ *[#=]*[*]*: *|src/$layer/$name.c:|"
		echo "$counts" | awk -v f="src/$layer/$name.c" \
			'{ printf "%-32s %5.1f %% of %4d\n", f, $2 ? 100 * $1 / $2 : 100, $2 }'
		hit=$((hit + ${counts% *}))
		all=$((all + ${counts#* }))
	done
	if [ "$all" = 0 ]; then
		echo "coverage: ${GCOV:-gcov} tells nothing of src/$layer" >&2
		exit 1
	fi
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
