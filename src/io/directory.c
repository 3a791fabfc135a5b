// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An array of buckets of one cache line: 15 slots and the count of tokens that found them
 * taken.  Nothing ever moves, so that a look sees each token that stays, whatever else
 * is added or removed meanwhile.  A token 0 cannot be told from a free slot and is counted.
 */
#include "io/directory.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#define SLOTS 15
/* Tokens per bucket that the size is chosen for: then one in some thousands does not fit. */
#define LOAD  6

struct bucket {
	_Atomic uint32_t slot[SLOTS];
	_Atomic uint32_t more;
};

struct directory {
	struct bucket *buckets;
	uint32_t mask, step;
};

struct directory *directory_new(size_t tokens, uint32_t step)
{
	struct directory *d = calloc(1, sizeof(*d));
	size_t count = 1;

	if (!d)
		return NULL;
	while (count < tokens / LOAD && count < 1u << 30)
		count *= 2;
	d->mask = (uint32_t)(count - 1);
	d->step = step;
	/* Zeroed pages cost nothing before they are used. */
	d->buckets = calloc(count, sizeof(*d->buckets));
	if (!d->buckets) {
		free(d);
		return NULL;
	}
	return d;
}

void directory_free(struct directory *d)
{
	if (!d)
		return;
	free(d->buckets);
	free(d);
}

static struct bucket *bucket_of(const struct directory *d, uint32_t token)
{
	return &d->buckets[token / d->step & d->mask];
}

/* The slot that holds `value`, or NULL. */
static _Atomic uint32_t *find(struct bucket *b, uint32_t value)
{
	for (int i = 0; i < SLOTS; i++) {
		if (atomic_load_explicit(&b->slot[i], memory_order_relaxed) == value)
			return &b->slot[i];
	}
	return NULL;
}

void directory_add(struct directory *d, uint32_t token)
{
	struct bucket *b = bucket_of(d, token);
	_Atomic uint32_t *slot = token ? find(b, 0) : NULL;

	if (slot)
		atomic_store_explicit(slot, token, memory_order_release);
	else
		atomic_fetch_add_explicit(&b->more, 1, memory_order_release);
}

void directory_remove(struct directory *d, uint32_t token)
{
	struct bucket *b = bucket_of(d, token);
	_Atomic uint32_t *slot = token ? find(b, token) : NULL;

	if (slot) {
		atomic_store_explicit(slot, 0, memory_order_release);
		return;
	}
	assert(atomic_load_explicit(&b->more, memory_order_relaxed));
	atomic_fetch_sub_explicit(&b->more, 1, memory_order_release);
}

bool directory_has(const struct directory *d, uint32_t token)
{
	struct bucket *b = bucket_of(d, token);

	return (token && find(b, token)) ||
	       atomic_load_explicit(&b->more, memory_order_relaxed);
}
