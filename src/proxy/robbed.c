/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See robbed.h.
 */
#include "proxy/robbed.h"

#include <string.h>

static struct ip_addr client_of(const struct ip_addr *addr)
{
	struct ip_addr client = *addr;

	if (!ip_addr_is_v4(addr))
		memset(client.b + 8, 0, 8);
	return client;
}

void robbed_init(struct robbed *r, const struct hash_key *key)
{
	recent_init(&r->clients, key);
}

void robbed_note(struct robbed *r, const struct ip_addr *addr, uint64_t now_us)
{
	struct ip_addr client = client_of(addr);

	recent_note(&r->clients, &client, sizeof(client), ROBBED_KEEP_US, now_us);
}

bool robbed_knows(struct robbed *r, const struct ip_addr *addr, uint64_t now_us)
{
	struct ip_addr client = client_of(addr);

	return recent_knows(&r->clients, &client, sizeof(client), now_us);
}
