#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Proves the layering from the includes: a layer includes only itself and layers to
# its left, and the engine (the first five) touches no event loop, socket, clock
# or source of randomness.  Prints each offending line; exit status 1 if any.
set -u
cd "${srcdir:-.}/src" || exit 1
bad=0

# offend REASON DIRECTORY PATTERN
offend() {
	if out=$(grep -rnE --include='*.[ch]' -e "$3" "$2"); then
		printf '%s:\n%s\n' "$1" "$out"
		bad=1
	fi
}

right='wire tcp mptcp proxy io daemon ctl'
for layer in base wire tcp mptcp proxy io daemon; do
	for other in $right; do
		offend "src/$layer must not include $other/" "$layer" \
			"^[[:space:]]*#[[:space:]]*include[[:space:]]*[\"<](\.\./)*$other/"
	done
	right=${right#"$layer" }
	right=${right#* }
done
offend 'src/ctl speaks to the daemon through its socket only' ctl \
	'^[[:space:]]*#[[:space:]]*include[[:space:]]*"(\.\./)*(base|wire|tcp|mptcp|proxy|io|daemon)/'

headers='event2/|event\.h|sys/socket\.h|sys/epoll\.h|poll\.h|sys/select\.h|netdb\.h|time\.h|sys/time\.h|sys/timerfd\.h|unistd\.h|sys/random\.h|pthread\.h|nettle/yarrow|systemd/|libmnl/|libnetfilter_queue/'
calls='(getrandom|getentropy|rand|srand|random|srandom|rand_r|drand48|lrand48|mrand48|arc4random|clock_gettime|gettimeofday|time|clock|nanosleep|usleep|socket|setsockopt|sendto|recvfrom|sendmsg|recvmsg|writev|readv)'
for layer in base wire tcp mptcp proxy; do
	[ -d "$layer" ] || continue
	offend "src/$layer must do no I/O and read no clock" "$layer" \
		"^[[:space:]]*#[[:space:]]*include[[:space:]]*[\"<]($headers)"
	# A call at the start of an expression, outside comments and names.
	if out=$(grep -rnE --include='*.[ch]' -e "(^|[^[:alnum:]_.>\"])${calls}[[:space:]]*\(" "$layer" |
			grep -vE '^[^:]*:[0-9]+:[[:space:]]*(/?\*|//)' | grep -vE '/\*.*'"$calls"'[[:space:]]*\('); then
		printf 'src/%s must not call these:\n%s\n' "$layer" "$out"
		bad=1
	fi
done
exit $bad
