/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clients on whose way a middlebox takes MPTCP options off in mid-connection.
 *
 * Mostly such a connection falls back and completes, and where it cannot, it has to be
 * reset.  Without the proxy it would have been plain TCP and gone through.  So whose
 * connection broke for that reason is remembered for a while, and its next connections
 * pass untouched: what the proxy breaks it breaks once.
 *
 * Remembered are addresses (IPv4) and networks of 64 bits (IPv6, where one client has many
 * addresses), in a table of fixed size: a set-associative cache under a keyed hash, in which
 * a new entry replaces the oldest of its set.  An entry is one word, 40 bits of the hash and
 * the time until when it counts, so that all workers share the table without a lock; two
 * that write the same set at once may lose one entry.
 */
#ifndef PROXY_ROBBED_H
#define PROXY_ROBBED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/hash.h"

#define ROBBED_SETS    1024u
#define ROBBED_WAYS    4u
/* How long a client is remembered after its last connection that broke; up to two ticks
 * more. */
#define ROBBED_KEEP_US 3600000000ull
#define ROBBED_TICK_US (1ull << 26)

struct robbed {
	struct hash_key key;
	_Atomic uint64_t entries[ROBBED_SETS * ROBBED_WAYS];    /* 0: unused */
};

/* Forgets all, and draws from `key` from now on. */
void robbed_init(struct robbed *r, const struct hash_key *key);
/* From now on the client is known. */
void robbed_note(struct robbed *r, const struct ip_addr *client, uint64_t now_us);
bool robbed_knows(struct robbed *r, const struct ip_addr *client, uint64_t now_us);

#endif
