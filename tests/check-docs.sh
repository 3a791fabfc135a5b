#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Proves that the tables of doc/rfc*.md and doc/threats.md name what exists.  Rows of the
# former are
#
#	| Section | Level | Requirement | What the code does | Test |
#
# Level is the RFC's word (MUST, MUST NOT, SHOULD, SHOULD NOT, MAY), or `text' for what it
# says without one.  The code's cell names files below src/ like `mptcp/recv.c'.  The tests'
# cell names, each in backquotes and separated by commas,
#
#	`name'          a START_TEST() of tests/unit
#	`sim:name'      a scenario of tests/sim
#	`fuzz_name'     a target of tests/fuzz
#	`10-name.t'     a script of tests/lab
#
# and is - only where the code's cell begins with "Does not apply:" or "Not done:" and says
# why.  Prints each row that is wrong; exit status 1 if any.
set -u
cd "${srcdir:-.}" || exit 1
tab=$(printf '\t')
bad=0

complain() {
	printf '%s: %s\n' "$1" "$2"
	bad=1
}

test_exists() {
	case $1 in
	sim:*)  grep -qF "{ \"${1#sim:}\"," tests/sim/scenario*.c ;;
	fuzz_*) [ -f "tests/fuzz/$1.c" ] ;;
	*.t)    [ -f "tests/lab/$1" ] ;;
	*)      grep -qF "START_TEST($1)" tests/unit/*.c ;;
	esac
}

# Rows as "FILE:LINE<tab>LEVEL<tab>CODE<tab>TESTS<tab>FIELDS".
rows() {
	awk -F ' *[|] *' -v OFS="$tab" '/^[|]/ && $2 != "Section" && $2 !~ /^:?-+:?$/ {
		print FILENAME ":" FNR, $3 == "" ? "?" : $3, $5 == "" ? "?" : $5,
		      $6 == "" ? "?" : $6, NF }' "$@"
}

names() {
	printf '%s\n' "$1" | grep -o '`[^`]*`' | tr -d '`'
}

# doc/threats.md: Threat | Told of in | What bounds it | Counter | Test, where counters are
# those of counters.h.
threats=$(awk -F ' *[|] *' -v OFS="$tab" '/^[|]/ && $2 != "Threat" && $2 !~ /^:?-+:?$/ {
	print FILENAME ":" FNR, $4 == "" ? "?" : $4, $5, $6, NF }' doc/threats.md)
while IFS="$tab" read -r where code counters tests fields; do
	[ "$fields" = 7 ] || { complain "$where" "has not five cells"; continue; }
	for f in $(names "$code" | grep -E '^[a-z/_0-9]+\.[ch]$'); do
		[ -f "src/$f" ] || complain "$where" "there is no src/$f"
	done
	[ -n "$(names "$counters")" ] || complain "$where" "names no counter"
	for c in $(names "$counters"); do
		grep -qF "\"$c\"" src/base/counters.h || complain "$where" "there is no counter $c"
	done
	[ -n "$(names "$tests")" ] || complain "$where" "names no test"
	for t in $(names "$tests"); do
		test_exists "$t" || complain "$where" "there is no test $t"
	done
done <<END
$threats
END

set -- doc/rfc*.md
[ -f "$1" ] || exit $bad
list=$(rows "$@")
while IFS="$tab" read -r where level code tests fields; do
	[ "$fields" = 7 ] || { complain "$where" "has not five cells"; continue; }
	case $level in
	MUST | 'MUST NOT' | SHOULD | 'SHOULD NOT' | MAY | text) ;;
	*) complain "$where" "what level is $level?" ;;
	esac
	for f in $(names "$code" | grep -E '^[a-z/_0-9]+\.[ch]$'); do
		[ -f "src/$f" ] || complain "$where" "there is no src/$f"
	done
	if [ "$tests" = - ]; then
		case $code in
		'Does not apply: '* | 'Not done: '*) ;;
		*) complain "$where" "no test, and no reason" ;;
		esac
		continue
	fi
	[ -n "$(names "$tests")" ] || complain "$where" "names no test"
	for t in $(names "$tests"); do
		test_exists "$t" || complain "$where" "there is no test $t"
	done
done <<END
$list
END
exit $bad
