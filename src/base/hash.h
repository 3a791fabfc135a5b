/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SipHash-2-4 (Aumasson and Bernstein, 2012): the keyed hash of every table that
 * a stranger can fill, so that nobody can choose colliding keys.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash_key {
	uint64_t k0, k1;        /* drawn at random once per process */
};

uint64_t hash_bytes(const struct hash_key *key, const void *data, size_t len);

#endif
