/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The byte budget and free list behind every payload buffer.
 *
 * Payload lives in blocks of POOL_BLOCK bytes.  A pool hands them out, keeps a
 * bounded number of free ones, and counts what is in use against a limit, so
 * that a worker's payload memory is bounded whatever its peers do.  Not
 * thread-safe: one pool per worker.
 */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <stddef.h>
#include <stdint.h>

#define POOL_BLOCK 16384u

struct pool {
	size_t limit_bytes;     /* of blocks in use; 0: unlimited */
	size_t used_bytes;
	void *free_list;
	size_t free_count, free_max;
};

/* Keeps at most `keep_bytes` of freed blocks for reuse. */
void pool_init(struct pool *p, size_t limit_bytes, size_t keep_bytes);
/* Frees the kept blocks; every block must have come back. */
void pool_fini(struct pool *p);
/* A block of POOL_BLOCK uninitialised bytes, or NULL at the limit or out of memory. */
uint8_t *pool_get(struct pool *p);
void pool_put(struct pool *p, uint8_t *block);
/* Share of the limit in use, in percent (0 when unlimited). */
unsigned pool_pressure(const struct pool *p);

#endif
