/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What was noted a while ago, by hash: a memory of fixed size for things that strangers
 * choose.
 *
 * A set-associative cache under a keyed hash, in which a new entry replaces the one of its
 * set that has least time left.  So it may forget early, which whoever asks must be able to
 * bear, and confuses two things once in 2^40.  An entry is one word, 40 bits of the hash and
 * the time until when it counts, so that threads share a table without a lock; two that
 * write the same set at once may lose one entry.
 */
#ifndef BASE_RECENT_H
#define BASE_RECENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"

#define RECENT_SETS        1024u
#define RECENT_WAYS        4u
/* How long something is remembered at most, and how much longer than asked for: two ticks. */
#define RECENT_KEEP_MAX_US 3600000000ull
#define RECENT_TICK_US     (1ull << 26)

struct recent {
	struct hash_key key;
	_Atomic uint64_t entries[RECENT_SETS * RECENT_WAYS];    /* 0: unused */
};

/* Forgets all, and draws from `key` from now on. */
void recent_init(struct recent *r, const struct hash_key *key);
/* The `len` bytes at `what` are known for `keep_us` from now on. */
void recent_note(struct recent *r, const void *what, size_t len, uint64_t keep_us,
		 uint64_t now_us);
bool recent_knows(struct recent *r, const void *what, size_t len, uint64_t now_us);

#endif
