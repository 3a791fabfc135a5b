/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reassembly: bytes that arrived before their turn, addressed by 64-bit offset.
 *
 * TCP uses it for segments after a gap (RFC 9293, section 3.10.7.4), MPTCP for
 * data that came over a faster path than the bytes before it (RFC 8684, section
 * 3.3.1).  In-order bytes never pass through here.  Overlaps keep the bytes
 * that came first.  Neighbouring small pieces share a block, and what stands alone gets
 * a block of its own size, so that a peer who sends tiny fragments pays with its own
 * bytes: memory used stays within REASM_FACTOR times the bytes held, plus REASM_SLACK.
 * What would need more is refused.
 */
#ifndef BASE_REASM_H
#define BASE_REASM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/pool.h"

/* Bounds on the memory of one queue, see above. */
#define REASM_FACTOR 4u
#define REASM_SLACK  (16u * POOL_BLOCK)

struct reasm_range {
	uint64_t begin, end;
};

struct reasm {
	struct pool *pool;
	struct list chunks;     /* struct reasm_chunk, by offset, disjoint */
	uint32_t chunk_count;   /* blocks in use */
	size_t memory;          /* bytes of those */
	uint32_t range_count;   /* maximal contiguous ranges, each behind a gap */
	uint32_t chunk_max;     /* bound on range_count; inserts beyond fail */
	size_t bytes;           /* payload held */
	struct reasm_range last;        /* found by the last insert; empty: none */
};

void reasm_init(struct reasm *r, struct pool *pool, uint32_t chunk_max);
void reasm_fini(struct reasm *r);
/*
 * Keeps a copy of what is new in [offset, offset + len).  Returns the number of
 * bytes that were new (0: all held already), or -ENOMEM or -ENOBUFS (too many
 * gaps, or too little in too much memory), in which case nothing of the piece is kept.  `where`, if not NULL,
 * receives the contiguous range held around the piece (what a first SACK block
 * reports, RFC 2018, section 4).
 */
long reasm_insert(struct reasm *r, uint64_t offset, const uint8_t *data, size_t len,
		  struct reasm_range *where);
/*
 * The first stretch of [offset, offset + len) that is held already, into *held; false if
 * none is.
 */
bool reasm_held(const struct reasm *r, uint64_t offset, size_t len, struct reasm_range *held);
/*
 * The bytes held at `offset`, in place: sets *data and returns how many are
 * contiguous there in one piece; 0 if `offset` is not held.  Bytes before
 * `offset` are dropped.  They stay valid until reasm_drop().
 */
size_t reasm_peek(struct reasm *r, uint64_t offset, const uint8_t **data);
/* Where the last byte held ends; `none` if none is. */
uint64_t reasm_end(const struct reasm *r, uint64_t none);
/* Drops everything before `offset`. */
void reasm_drop(struct reasm *r, uint64_t offset);
/* Fills up to `max` disjoint, maximal contiguous ranges in order; returns how many. */
int reasm_ranges(const struct reasm *r, struct reasm_range *out, int max);

#endif
