/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lookup table of services.h.  It owns two arrays; it calls base/addr only.
 */
#include "proxy/services.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/proxy.h"

struct services_entry {
	struct ip_prefix prefix;
	size_t service;
};

struct services_group {
	uint8_t is_v4, len;
	size_t first, count;
};

/* Family, length, address; then the order of the configuration. */
static int entry_cmp(const void *va, const void *vb)
{
	const struct services_entry *a = va, *b = vb;
	int cmp;

	if (a->prefix.is_v4 != b->prefix.is_v4)
		return a->prefix.is_v4 - b->prefix.is_v4;
	if (a->prefix.len != b->prefix.len)
		return a->prefix.len - b->prefix.len;
	cmp = ip_addr_cmp(&a->prefix.addr, &b->prefix.addr);
	if (cmp)
		return cmp;
	return a->service < b->service ? -1 : a->service > b->service;
}

static bool same_group(const struct services_entry *a, const struct services_entry *b)
{
	return a->prefix.is_v4 == b->prefix.is_v4 && a->prefix.len == b->prefix.len;
}

int services_init(struct services *s, const struct proxy_config *config)
{
	size_t count = 0, n = 0;

	memset(s, 0, sizeof(*s));
	s->config = config;
	for (size_t i = 0; i < config->service_count; i++)
		count += config->services[i].prefix_count;
	if (!count)
		return 0;
	s->entries = calloc(count, sizeof(*s->entries));
	s->groups = calloc(count, sizeof(*s->groups));
	if (!s->entries || !s->groups) {
		services_fini(s);
		return -ENOMEM;
	}
	for (size_t i = 0; i < config->service_count; i++) {
		const struct proxy_service *svc = &config->services[i];

		for (size_t k = 0; k < svc->prefix_count; k++) {
			s->entries[n].prefix = svc->prefixes[k];
			s->entries[n++].service = i;
		}
	}
	s->entry_count = n;
	qsort(s->entries, n, sizeof(*s->entries), entry_cmp);
	for (size_t i = 0; i < n; i++) {
		struct services_entry *e = &s->entries[i];

		if (!i || !same_group(e, e - 1)) {
			s->groups[s->group_count++] = (struct services_group){
				.is_v4 = e->prefix.is_v4, .len = e->prefix.len, .first = i,
			};
		}
		s->groups[s->group_count - 1].count++;
	}
	return 0;
}

void services_fini(struct services *s)
{
	free(s->entries);
	free(s->groups);
	memset(s, 0, sizeof(*s));
}

/* `a` with all but the first `bits` bits cleared. */
static void mask_addr(struct ip_addr *out, const struct ip_addr *a, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	memset(out, 0, sizeof(*out));
	memcpy(out->b, a->b, whole);
	if (rest)
		out->b[whole] = a->b[whole] & (uint8_t)(0xff00u >> rest);
}

static bool port_matches(const struct proxy_service *svc, uint16_t port)
{
	for (size_t i = 0; i < svc->port_count; i++)
		if (port >= svc->ports[i].first && port <= svc->ports[i].last)
			return true;
	return false;
}

/* The number of the first service in `g` with this address and port, or `best`. */
static size_t find_in_group(const struct services *s, const struct services_group *g,
			    const struct ip_endpoint *to, size_t best)
{
	size_t low = g->first, high = g->first + g->count;
	struct ip_addr key;

	mask_addr(&key, &to->addr, g->is_v4 ? 96u + g->len : g->len);
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (ip_addr_cmp(&s->entries[mid].prefix.addr, &key) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < g->first + g->count; low++) {
		const struct services_entry *e = &s->entries[low];

		if (e->service >= best || !ip_addr_equal(&e->prefix.addr, &key))
			break;
		if (port_matches(&s->config->services[e->service], to->port))
			return e->service;
	}
	return best;
}

const struct proxy_service *services_find(const struct services *s,
					  const struct ip_endpoint *to)
{
	bool v4 = ip_addr_is_v4(&to->addr);
	size_t best = SIZE_MAX;

	for (size_t i = 0; i < s->group_count; i++)
		if ((bool)s->groups[i].is_v4 == v4)
			best = find_in_group(s, &s->groups[i], to, best);
	return best == SIZE_MAX ? NULL : &s->config->services[best];
}
