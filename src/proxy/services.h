/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which service a destination belongs to: the first one, in the order of the
 * configuration, that has a prefix and a port range around it.
 *
 * All prefixes of all services stand in one array, sorted by family, length and
 * address, so that a lookup is one binary search per prefix length that occurs.  The
 * table points into the configuration, which must outlive it.
 */
#ifndef PROXY_SERVICES_H
#define PROXY_SERVICES_H

#include <stddef.h>

#include "base/addr.h"

struct proxy_config;
struct proxy_service;

struct services {
	const struct proxy_config *config;
	struct services_entry *entries;
	size_t entry_count;
	struct services_group *groups;  /* runs of entries with one family and length */
	size_t group_count;
};

/* 0 or -ENOMEM, then nothing needs to be freed. */
int services_init(struct services *s, const struct proxy_config *config);
void services_fini(struct services *s);
/* NULL if no service covers `to`. */
const struct proxy_service *services_find(const struct services *s,
					  const struct ip_endpoint *to);

#endif
