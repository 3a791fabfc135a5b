/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The byte budget and free list behind every payload buffer.
 *
 * Payload lives in blocks of POOL_BLOCK bytes, and where that would be a waste, in
 * halves of that, quarters and so on, down to POOL_BLOCK_MIN.  A pool hands them out,
 * keeps a bounded number of free ones, and counts what is in use against a limit, so that
 * a worker's payload memory is bounded whatever its peers do.  What peers can make grow and
 * is not payload is charged to the same budget.
 *
 * Not thread-safe: one pool per worker.  Pools of several workers may share one limit: each
 * takes from the common budget by the grain, a few blocks at a time, so that they
 * seldom touch the same cache line.
 */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POOL_BLOCK     16384u
#define POOL_BLOCK_MIN 128u
#define POOL_CLASSES   8        /* block sizes: POOL_BLOCK_MIN, doubled up to POOL_BLOCK */

#define POOL_GRAIN (16 * POOL_BLOCK)

/* What the pools that share a limit have been granted together. */
struct pool_budget {
	_Atomic size_t granted_bytes;
};

struct pool {
	size_t limit_bytes;     /* of blocks in use and charges; 0: unlimited */
	size_t used_bytes;
	struct pool_budget *budget;     /* shared with other pools; NULL: alone */
	size_t granted_bytes;   /* of the budget, for this pool; not less than is used */
	void *free_list[POOL_CLASSES];
	size_t free_bytes, free_max;
};

/* Keeps at most `keep_bytes` of freed blocks for reuse. */
void pool_init(struct pool *p, size_t limit_bytes, size_t keep_bytes);
/*
 * The limit is from now on that of all pools with this budget together.  Before the first
 * block; `budget` is borrowed.  A pool holds on to up to two grains that it does not use.
 */
void pool_share(struct pool *p, struct pool_budget *budget);
/* Frees the kept blocks; every block must have come back. */
void pool_fini(struct pool *p);
/*
 * A block of `size` uninitialised bytes, or NULL at the limit or out of memory.  `size` is
 * one of the block sizes, and has to be told again when the block is given back.
 */
uint8_t *pool_get_size(struct pool *p, size_t size);
void pool_put_size(struct pool *p, uint8_t *block, size_t size);
static inline uint8_t *pool_get(struct pool *p)
{
	return pool_get_size(p, POOL_BLOCK);
}
static inline void pool_put(struct pool *p, uint8_t *block)
{
	pool_put_size(p, block, POOL_BLOCK);
}
/* The smallest block size that holds `len` bytes, POOL_BLOCK if none does. */
size_t pool_size_for(size_t len);
/* Counts `len` bytes that the caller holds elsewhere, past the limit too. */
void pool_charge(struct pool *p, size_t len);
/* The same, but false, and nothing is counted, if that would be past the limit. */
bool pool_try_charge(struct pool *p, size_t len);
void pool_uncharge(struct pool *p, size_t len);
/* Share of the limit in use, in percent (0 when unlimited). */
unsigned pool_pressure(const struct pool *p);

#endif
