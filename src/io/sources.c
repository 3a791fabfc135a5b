// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A hash table in stripes, each with a lock of its own.
 */
/* Every function here calls its stripe `s'. */
#define HASH_FUNCTION(keyptr, keylen, hashv)                                   \
	((hashv) = (unsigned)hash_bytes(&s->key, (keyptr), (keylen)))
/* An element that could not be added has no table. */
#define HASH_NONFATAL_OOM 1
#include "io/sources.h"

#include <pthread.h>
#include <stdlib.h>
#include <uthash.h>

#define STRIPES 16

struct source {
	UT_hash_handle hh;
	struct ip_addr addr;
	uint32_t count;
};

struct stripe {
	pthread_mutex_t lock;
	struct hash_key key;
	struct source *table;
};

struct sources {
	struct hash_key key;
	struct stripe stripe[STRIPES];
};

struct sources *sources_new(const struct hash_key *key)
{
	struct sources *sources = calloc(1, sizeof(*sources));

	if (!sources)
		return NULL;
	sources->key = *key;
	for (int i = 0; i < STRIPES; i++) {
		pthread_mutex_init(&sources->stripe[i].lock, NULL);
		sources->stripe[i].key = *key;
	}
	return sources;
}

void sources_free(struct sources *sources)
{
	if (!sources)
		return;
	for (int i = 0; i < STRIPES; i++) {
		struct stripe *s = &sources->stripe[i];
		struct source *e, *next;

		HASH_ITER(hh, s->table, e, next) {
			HASH_DEL(s->table, e);
			free(e);
		}
		pthread_mutex_destroy(&s->lock);
	}
	free(sources);
}

static struct source *add_source(struct stripe *s, const struct ip_addr *addr)
{
	struct source *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->addr = *addr;
	HASH_ADD(hh, s->table, addr, sizeof(e->addr), e);
	if (e->hh.tbl)
		return e;
	free(e);
	return NULL;
}

static uint32_t change_count(struct stripe *s, const struct ip_addr *addr, int change)
{
	struct source *e;

	HASH_FIND(hh, s->table, addr, sizeof(*addr), e);
	if (!e && change > 0)
		e = add_source(s, addr);
	/* One that was not counted for want of memory ends. */
	if (!e || (change < 0 && e->count < (uint32_t)-change))
		return 0;
	e->count += (uint32_t)change;
	if (e->count)
		return e->count;
	HASH_DEL(s->table, e);
	free(e);
	return 0;
}

uint32_t sources_add(struct sources *sources, const struct ip_addr *addr, int change)
{
	/* Other bits than those that choose a place within the stripe. */
	uint64_t hash = hash_bytes(&sources->key, addr, sizeof(*addr));
	struct stripe *s = &sources->stripe[hash >> 32 & (STRIPES - 1)];
	uint32_t count;

	pthread_mutex_lock(&s->lock);
	count = change_count(s, addr, change);
	pthread_mutex_unlock(&s->lock);
	return count;
}
