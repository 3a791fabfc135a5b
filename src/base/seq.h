/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Comparison of sequence numbers that wrap.
 *
 * TCP sequence numbers are 32 bits wide (RFC 9293, section 3.4), data sequence
 * numbers of MPTCP 64 bits, of which often only 32 travel (RFC 8684, section
 * 3.3.1).  Every comparison of either in this project goes through this file.
 * Two numbers compare correctly as long as they are less than half the space
 * apart.
 */
#ifndef BASE_SEQ_H
#define BASE_SEQ_H

#include <stdbool.h>
#include <stdint.h>

static inline bool seq32_lt(uint32_t a, uint32_t b) { return (int32_t)(a - b) < 0; }
static inline bool seq32_leq(uint32_t a, uint32_t b) { return (int32_t)(a - b) <= 0; }
static inline bool seq32_gt(uint32_t a, uint32_t b) { return (int32_t)(a - b) > 0; }
static inline bool seq32_geq(uint32_t a, uint32_t b) { return (int32_t)(a - b) >= 0; }

static inline bool seq64_lt(uint64_t a, uint64_t b) { return (int64_t)(a - b) < 0; }
static inline bool seq64_leq(uint64_t a, uint64_t b) { return (int64_t)(a - b) <= 0; }
static inline bool seq64_gt(uint64_t a, uint64_t b) { return (int64_t)(a - b) > 0; }
static inline bool seq64_geq(uint64_t a, uint64_t b) { return (int64_t)(a - b) >= 0; }

static inline uint32_t seq32_max(uint32_t a, uint32_t b) { return seq32_lt(a, b) ? b : a; }
static inline uint64_t seq64_max(uint64_t a, uint64_t b) { return seq64_lt(a, b) ? b : a; }
static inline uint64_t seq64_min(uint64_t a, uint64_t b) { return seq64_lt(a, b) ? a : b; }

/*
 * The 64-bit number nearest to `near` whose low half is `low` (RFC 8684,
 * section 3.3.1: a 4-byte number is extended by what the receiver expects).
 */
static inline uint64_t seq64_extend(uint64_t near, uint32_t low)
{
	return near + (uint64_t)(int64_t)(int32_t)(low - (uint32_t)near);
}

#endif
