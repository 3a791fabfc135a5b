/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The clock: all times handed to the engine, which has none of its own, come from here.
 */
#ifndef IO_CLOCK_H
#define IO_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Microseconds since some point in the past; never goes back. */
static inline uint64_t monotonic_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

#endif
