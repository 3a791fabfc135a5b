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
 * addresses).  All workers share the table.
 */
#ifndef PROXY_ROBBED_H
#define PROXY_ROBBED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/recent.h"

/* How long a client is remembered after its last connection that broke. */
#define ROBBED_KEEP_US RECENT_KEEP_MAX_US

struct robbed {
	struct recent clients;
};

/* Forgets all, and draws from `key` from now on. */
void robbed_init(struct robbed *r, const struct hash_key *key);
/* From now on the client is known. */
void robbed_note(struct robbed *r, const struct ip_addr *addr, uint64_t now_us);
bool robbed_knows(struct robbed *r, const struct ip_addr *addr, uint64_t now_us);

#endif
