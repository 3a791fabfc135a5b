/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many sessions each client address has in all workers together.  Any thread may ask;
 * it is asked when sessions begin and end only, so that locks do.
 */
#ifndef IO_SOURCES_H
#define IO_SOURCES_H

#include <stdint.h>

#include "base/addr.h"
#include "base/hash.h"

struct sources;

/* `key`: random, addresses come from strangers.  NULL when out of memory. */
struct sources *sources_new(const struct hash_key *key);
void sources_free(struct sources *s);
/* Adds `change`, and returns how many there are then.  Without memory, a session is not
 * counted. */
uint32_t sources_add(struct sources *s, const struct ip_addr *addr, int change);

#endif
