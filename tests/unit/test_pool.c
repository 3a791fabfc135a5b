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
	ck_assert_uint_le(p.free_bytes, 2 * POOL_BLOCK);
	pool_fini(&p);
	for (int i = 0; i < POOL_CLASSES; i++)
		ck_assert_ptr_null(p.free_list[i]);
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
	ck_assert_uint_eq(p.free_bytes, 0);
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
	for (uint64_t round = unit_rounds(20000); round--;) {
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
		ck_assert_uint_le(p.free_bytes, 16 * POOL_BLOCK);
	}
	for (size_t i = 0; i < 64; i++)
		if (held[i])
			pool_put(&p, held[i]);
	pool_fini(&p);
}
END_TEST

START_TEST(sizes)
{
	uint8_t *b[POOL_CLASSES];
	struct pool p;

	ck_assert_uint_eq(POOL_BLOCK_MIN << (POOL_CLASSES - 1), POOL_BLOCK);
	ck_assert_uint_eq(pool_size_for(0), POOL_BLOCK_MIN);
	ck_assert_uint_eq(pool_size_for(POOL_BLOCK_MIN), POOL_BLOCK_MIN);
	ck_assert_uint_eq(pool_size_for(POOL_BLOCK_MIN + 1), 2 * POOL_BLOCK_MIN);
	ck_assert_uint_eq(pool_size_for(2049), 4096);
	ck_assert_uint_eq(pool_size_for(8193), POOL_BLOCK);
	ck_assert_uint_eq(pool_size_for(1 << 20), POOL_BLOCK);
	pool_init(&p, 2 * POOL_BLOCK, POOL_BLOCK);
	for (int i = 0; i < POOL_CLASSES; i++) {
		b[i] = pool_get_size(&p, (size_t)POOL_BLOCK_MIN << i);
		ck_assert_ptr_nonnull(b[i]);
		memset(b[i], i, (size_t)POOL_BLOCK_MIN << i);
	}
	ck_assert_uint_eq(p.used_bytes, 2 * POOL_BLOCK - POOL_BLOCK_MIN);
	ck_assert_ptr_null(pool_get_size(&p, 4096));
	for (int i = 0; i < POOL_CLASSES; i++)
		pool_put_size(&p, b[i], (size_t)POOL_BLOCK_MIN << i);
	ck_assert_uint_eq(p.used_bytes, 0);
	ck_assert_uint_le(p.free_bytes, POOL_BLOCK);
	/* A kept block serves its own size only. */
	b[0] = pool_get(&p);
	memset(b[0], 1, POOL_BLOCK);
	pool_put(&p, b[0]);
	pool_fini(&p);
}
END_TEST

START_TEST(charges)
{
	struct pool p;
	uint8_t *b;

	pool_init(&p, POOL_BLOCK + 100, 0);
	ck_assert(pool_try_charge(&p, 100));
	ck_assert(!pool_try_charge(&p, POOL_BLOCK + 1));
	b = pool_get(&p);
	ck_assert_ptr_nonnull(b);
	ck_assert(!pool_try_charge(&p, 1));
	pool_charge(&p, 50);
	ck_assert_uint_eq(p.used_bytes, POOL_BLOCK + 150);
	ck_assert_ptr_null(pool_get_size(&p, POOL_BLOCK_MIN));
	pool_uncharge(&p, 50);
	pool_put(&p, b);
	pool_uncharge(&p, 100);
	ck_assert_uint_eq(p.used_bytes, 0);
	pool_fini(&p);
}
END_TEST

/* Two pools, one limit. */
START_TEST(shared_limit)
{
	struct pool_budget budget = { 0 };
	uint8_t *b[2][256];
	int n[2] = { 0 };
	struct pool p[2];

	for (int i = 0; i < 2; i++) {
		pool_init(&p[i], 8 * POOL_GRAIN, 0);
		pool_share(&p[i], &budget);
	}
	for (bool any = true; any;) {
		any = false;
		for (int i = 0; i < 2; i++) {
			b[i][n[i]] = pool_get(&p[i]);
			if (b[i][n[i]]) {
				n[i]++;
				any = true;
			}
		}
	}
	ck_assert_int_eq(n[0] + n[1], 128);
	ck_assert_uint_eq(pool_pressure(&p[0]), 100);
	/* What one gives back the other gets, but for what it keeps at hand. */
	while (n[0])
		pool_put(&p[0], b[0][--n[0]]);
	ck_assert_uint_le(p[0].granted_bytes, 2 * POOL_GRAIN);
	while ((b[1][n[1]] = pool_get(&p[1])))
		n[1]++;
	ck_assert_int_ge(n[1], 96);
	/* Past the limit too, where it must be. */
	pool_charge(&p[0], 8 * POOL_GRAIN);
	ck_assert_uint_gt(pool_pressure(&p[1]), 100);
	pool_uncharge(&p[0], 8 * POOL_GRAIN);
	while (n[1])
		pool_put(&p[1], b[1][--n[1]]);
	for (int i = 0; i < 2; i++)
		pool_fini(&p[i]);
	ck_assert_uint_eq(budget.granted_bytes, 0);
}
END_TEST

UNIT_MAIN("pool", shared_limit, limit_is_kept, half_pressure, unlimited, random_use, sizes, charges)
