/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See recent.h.
 */
#include "base/recent.h"

#include <assert.h>
#include <string.h>

/* Times are counted in ticks, modulo this. */
#define TICK_BITS 24
#define TICK_MASK ((1u << TICK_BITS) - 1)

void recent_init(struct recent *r, const struct hash_key *key)
{
	memset(r, 0, sizeof(*r));
	r->key = *key;
}

/* The set of a thing, and what its entry has above the time; never 0. */
static _Atomic uint64_t *set_of(struct recent *r, const void *what, size_t len, uint64_t *mark)
{
	uint64_t hash = hash_bytes(&r->key, what, len);

	*mark = (hash >> TICK_BITS | 1) << TICK_BITS;
	return &r->entries[hash % RECENT_SETS * RECENT_WAYS];
}

static uint32_t tick_of(uint64_t us)
{
	return (uint32_t)(us / RECENT_TICK_US) & TICK_MASK;
}

/* For how many ticks an entry still counts; 0 if it does not, or is unused. */
static uint32_t ticks_left(uint64_t entry, uint64_t now_us)
{
	uint32_t left = ((uint32_t)entry - tick_of(now_us)) & TICK_MASK;

	return entry && left <= RECENT_KEEP_MAX_US / RECENT_TICK_US + 2 ? left : 0;
}

void recent_note(struct recent *r, const void *what, size_t len, uint64_t keep_us,
		 uint64_t now_us)
{
	uint32_t left, least = UINT32_MAX;
	_Atomic uint64_t *set, *to;
	uint64_t mark, entry;

	assert(keep_us <= RECENT_KEEP_MAX_US);
	to = set = set_of(r, what, len, &mark);
	for (unsigned i = 0; i < RECENT_WAYS; i++) {
		entry = atomic_load_explicit(&set[i], memory_order_relaxed);
		left = ticks_left(entry, now_us);
		if ((entry & ~(uint64_t)TICK_MASK) == mark) {
			to = &set[i];
			break;
		}
		if (left < least) {
			least = left;
			to = &set[i];
		}
	}
	entry = mark | ((tick_of(now_us + keep_us) + 1) & TICK_MASK);
	atomic_store_explicit(to, entry, memory_order_relaxed);
}

bool recent_knows(struct recent *r, const void *what, size_t len, uint64_t now_us)
{
	_Atomic uint64_t *set;
	uint64_t mark, entry;

	set = set_of(r, what, len, &mark);
	for (unsigned i = 0; i < RECENT_WAYS; i++) {
		entry = atomic_load_explicit(&set[i], memory_order_relaxed);
		if ((entry & ~(uint64_t)TICK_MASK) == mark && ticks_left(entry, now_us))
			return true;
	}
	return false;
}
