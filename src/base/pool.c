/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The block pool.  It owns the blocks on its free list; the rest belong to whoever
 * got them.  A free block's first bytes hold the link to the next one.
 *
 * Under the address sanitizer nothing is kept: a freed block goes back to the
 * allocator, so that a use after pool_put() is found.
 */
#include "base/pool.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define POOL_KEEP 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POOL_KEEP 0
#endif
#endif
#ifndef POOL_KEEP
#define POOL_KEEP 1
#endif

void pool_init(struct pool *p, size_t limit_bytes, size_t keep_bytes)
{
	p->limit_bytes = limit_bytes;
	p->used_bytes = 0;
	p->free_list = NULL;
	p->free_count = 0;
	p->free_max = POOL_KEEP ? keep_bytes / POOL_BLOCK : 0;
}

void pool_fini(struct pool *p)
{
	assert(!p->used_bytes);
	while (p->free_list) {
		void *block = p->free_list;

		memcpy(&p->free_list, block, sizeof(p->free_list));
		free(block);
	}
	p->free_count = 0;
}

uint8_t *pool_get(struct pool *p)
{
	void *block;

	if (p->limit_bytes && p->used_bytes + POOL_BLOCK > p->limit_bytes)
		return NULL;
	block = p->free_list;
	if (block) {
		memcpy(&p->free_list, block, sizeof(p->free_list));
		p->free_count--;
	} else {
		block = malloc(POOL_BLOCK);
		if (!block)
			return NULL;
	}
	p->used_bytes += POOL_BLOCK;
	return block;
}

void pool_put(struct pool *p, uint8_t *block)
{
	assert(p->used_bytes >= POOL_BLOCK);
	p->used_bytes -= POOL_BLOCK;
	if (p->free_count >= p->free_max) {
		free(block);
		return;
	}
	memcpy(block, &p->free_list, sizeof(p->free_list));
	p->free_list = block;
	p->free_count++;
}

unsigned pool_pressure(const struct pool *p)
{
	if (!p->limit_bytes)
		return 0;
	return (unsigned)((uint64_t)p->used_bytes * 100 / p->limit_bytes);
}
