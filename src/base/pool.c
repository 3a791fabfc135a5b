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

#include "base/sanitizer.h"

#define POOL_KEEP (!SANITIZE_ADDRESS)

void pool_init(struct pool *p, size_t limit_bytes, size_t keep_bytes)
{
	memset(p, 0, sizeof(*p));
	p->limit_bytes = limit_bytes;
	p->free_max = POOL_KEEP ? keep_bytes : 0;
}

void pool_fini(struct pool *p)
{
	assert(!p->used_bytes);
	for (int i = 0; i < POOL_CLASSES; i++) {
		while (p->free_list[i]) {
			void *block = p->free_list[i];

			memcpy(&p->free_list[i], block, sizeof(p->free_list[i]));
			free(block);
		}
	}
	p->free_bytes = 0;
	if (p->budget)
		atomic_fetch_sub_explicit(&p->budget->granted_bytes, p->granted_bytes,
					  memory_order_relaxed);
	p->granted_bytes = 0;
}

void pool_share(struct pool *p, struct pool_budget *budget)
{
	assert(!p->used_bytes && !p->granted_bytes);
	p->budget = budget;
}

/* Gets `len` bytes more than are used from the budget; `force` past the limit too. */
static bool get_grant(struct pool *p, size_t len, bool force)
{
	size_t missing = p->used_bytes + len - p->granted_bytes;
	size_t want = (missing + POOL_GRAIN - 1) / POOL_GRAIN * POOL_GRAIN, before;

	before = atomic_fetch_add_explicit(&p->budget->granted_bytes, want,
					   memory_order_relaxed);
	if (!force && p->limit_bytes && before + want > p->limit_bytes) {
		atomic_fetch_sub_explicit(&p->budget->granted_bytes, want, memory_order_relaxed);
		return false;
	}
	p->granted_bytes += want;
	return true;
}

static void return_grant(struct pool *p)
{
	size_t spare = (p->granted_bytes - p->used_bytes) / POOL_GRAIN * POOL_GRAIN;

	if (spare <= POOL_GRAIN)
		return;
	/* One is kept, for the next block. */
	spare -= POOL_GRAIN;
	p->granted_bytes -= spare;
	atomic_fetch_sub_explicit(&p->budget->granted_bytes, spare, memory_order_relaxed);
}

static int class_of(size_t size)
{
	int i = 0;

	while (((size_t)POOL_BLOCK_MIN << i) < size)
		i++;
	assert(i < POOL_CLASSES && ((size_t)POOL_BLOCK_MIN << i) == size);
	return i;
}

size_t pool_size_for(size_t len)
{
	size_t size = POOL_BLOCK_MIN;

	while (size < len && size < POOL_BLOCK)
		size *= 2;
	return size;
}

void pool_charge(struct pool *p, size_t len)
{
	if (p->budget && p->used_bytes + len > p->granted_bytes)
		get_grant(p, len, true);
	p->used_bytes += len;
}

bool pool_try_charge(struct pool *p, size_t len)
{
	if (p->budget) {
		if (p->used_bytes + len > p->granted_bytes && !get_grant(p, len, false))
			return false;
	} else if (p->limit_bytes && p->used_bytes + len > p->limit_bytes) {
		return false;
	}
	p->used_bytes += len;
	return true;
}

void pool_uncharge(struct pool *p, size_t len)
{
	assert(p->used_bytes >= len);
	p->used_bytes -= len;
	if (p->budget)
		return_grant(p);
}

uint8_t *pool_get_size(struct pool *p, size_t size)
{
	int class = class_of(size);
	void *block;

	if (!pool_try_charge(p, size))
		return NULL;
	block = p->free_list[class];
	if (block) {
		memcpy(&p->free_list[class], block, sizeof(p->free_list[class]));
		p->free_bytes -= size;
		return block;
	}
	block = malloc(size);
	if (!block)
		pool_uncharge(p, size);
	return block;
}

void pool_put_size(struct pool *p, uint8_t *block, size_t size)
{
	int class = class_of(size);

	pool_uncharge(p, size);
	if (p->free_bytes + size > p->free_max) {
		free(block);
		return;
	}
	memcpy(block, &p->free_list[class], sizeof(p->free_list[class]));
	p->free_list[class] = block;
	p->free_bytes += size;
}

unsigned pool_pressure(const struct pool *p)
{
	uint64_t used = p->used_bytes;

	if (!p->limit_bytes)
		return 0;
	if (p->budget)
		used = atomic_load_explicit(&p->budget->granted_bytes, memory_order_relaxed);
	return (unsigned)(used * 100 / p->limit_bytes);
}
