/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pool: the limit, the pressure and the bounded free list. */
#include "base/pool.h"

#include <string.h>

#include "unit.h"

START_TEST(limit_is_kept)
{
	uint8_t *blocks[4];
	struct pool p;

	pool_init(&p, 4 * POOL_BLOCK + 100, 2 * POOL_BLOCK);
	ck_assert_uint_eq(pool_pressure(&p), 0);
	for (int i = 0; i < 4; i++) {
		blocks[i] = pool_get(&p);
		ck_assert_ptr_nonnull(blocks[i]);
		memset(blocks[i], i, POOL_BLOCK);
	}
	ck_assert_ptr_null(pool_get(&p));
	ck_assert_uint_eq(p.used_bytes, 4 * POOL_BLOCK);
	ck_assert_uint_ge(pool_pressure(&p), 99);
	pool_put(&p, blocks[0]);
	blocks[0] = pool_get(&p);
	ck_assert_ptr_nonnull(blocks[0]);
	for (int i = 0; i < 4; i++)
		pool_put(&p, blocks[i]);
	ck_assert_uint_eq(p.used_bytes, 0);
	ck_assert_uint_le(p.free_count, 2);
	pool_fini(&p);
	ck_assert_ptr_null(p.free_list);
}
END_TEST

START_TEST(half_pressure)
{
	struct pool p;
	uint8_t *b;

	pool_init(&p, 2 * POOL_BLOCK, 0);
	b = pool_get(&p);
	ck_assert_uint_eq(pool_pressure(&p), 50);
	pool_put(&p, b);
	pool_fini(&p);
}
END_TEST

START_TEST(unlimited)
{
	uint8_t *blocks[100];
	struct pool p;

	pool_init(&p, 0, 0);
	for (int i = 0; i < 100; i++) {
		blocks[i] = pool_get(&p);
		ck_assert_ptr_nonnull(blocks[i]);
	}
	ck_assert_uint_eq(pool_pressure(&p), 0);
	for (int i = 0; i < 100; i++)
		pool_put(&p, blocks[i]);
	ck_assert_uint_eq(p.free_count, 0);
	pool_fini(&p);
}
END_TEST

START_TEST(random_use)
{
	uint8_t *held[64] = { NULL };
	uint64_t seed = 7;
	size_t count = 0;
	struct pool p;

	pool_init(&p, 48 * POOL_BLOCK, 16 * POOL_BLOCK);
	for (int round = 0; round < 20000; round++) {
		size_t i = unit_random_below(&seed, 64);

		if (held[i]) {
			for (size_t at = 0; at < POOL_BLOCK; at += 4095)
				ck_assert_uint_eq(held[i][at], i);
			pool_put(&p, held[i]);
			held[i] = NULL;
			count--;
		} else {
			held[i] = pool_get(&p);
			ck_assert_int_eq(held[i] != NULL, count < 48);
			if (held[i]) {
				memset(held[i], (int)i, POOL_BLOCK);
				count++;
			}
		}
		ck_assert_uint_eq(p.used_bytes, count * POOL_BLOCK);
		ck_assert_uint_le(p.free_count, 16);
	}
	for (size_t i = 0; i < 64; i++)
		if (held[i])
			pool_put(&p, held[i]);
	pool_fini(&p);
}
END_TEST

UNIT_MAIN("pool", limit_is_kept, half_pressure, unlimited, random_use)
