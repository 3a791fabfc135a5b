/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The byte window against a byte generator: byte at offset o is fill(o). */
#include "base/stream.h"

#include <string.h>

#include "unit.h"

static struct pool pool;
static uint8_t scratch[400000];

static uint8_t fill(uint64_t offset)
{
	return (uint8_t)(offset * 0x9e3779b97f4a7c15u >> 56);
}

static void append(struct stream *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		scratch[i] = fill(s->end + i);
	ck_assert_uint_eq(stream_append(s, scratch, len), len);
}

static void verify(const struct stream *s, uint64_t offset, size_t len)
{
	struct iovec iov[64];
	int n = stream_gather(s, offset, len, iov, 64);

	ck_assert_int_ge(n, 0);
	for (int i = 0; i < n; i++) {
		const uint8_t *p = iov[i].iov_base;

		ck_assert_uint_gt(iov[i].iov_len, 0);
		for (size_t j = 0; j < iov[i].iov_len; j++, offset++)
			if (p[j] != fill(offset))
				ck_abort_msg("wrong byte");
		ck_assert_uint_le(iov[i].iov_len, len);
		len -= iov[i].iov_len;
	}
	ck_assert_uint_eq(len, 0);
}

START_TEST(empty_holds_no_block)
{
	struct stream s;
	struct iovec iov[4];

	pool_init(&pool, 0, 0);
	stream_init(&s, &pool, 42);
	ck_assert_uint_eq(stream_len(&s), 0);
	ck_assert_int_eq(stream_gather(&s, 42, 0, iov, 0), 0);
	append(&s, 10);
	ck_assert_uint_eq(pool.used_bytes, POOL_BLOCK);
	stream_release(&s, 52);
	ck_assert_uint_eq(pool.used_bytes, 0);
	ck_assert_int_eq(stream_reserve(&s, 40000, iov, 4), 3);
	stream_commit(&s, 0);
	ck_assert_uint_eq(pool.used_bytes, 0);
	ck_assert_int_eq(stream_reserve(&s, 0, iov, 4), 0);
	stream_fini(&s);
	pool_fini(&pool);
}
END_TEST

START_TEST(reserve_and_commit)
{
	struct stream s;
	struct iovec iov[8];
	int n;

	pool_init(&pool, 0, 0);
	stream_init(&s, &pool, UINT64_MAX - 20000);
	append(&s, 1000);
	n = stream_reserve(&s, 3 * POOL_BLOCK, iov, 2);
	ck_assert_int_eq(n, 2);
	ck_assert_uint_eq(iov[0].iov_len, POOL_BLOCK - 1000);
	ck_assert_uint_eq(iov[1].iov_len, POOL_BLOCK);
	n = stream_reserve(&s, 3 * POOL_BLOCK, iov, 8);
	ck_assert_int_eq(n, 4);
	ck_assert_uint_eq(iov[3].iov_len, 1000);
	for (int i = 0, at = 0; i < n; i++)
		for (size_t j = 0; j < iov[i].iov_len; j++)
			((uint8_t *)iov[i].iov_base)[j] = fill(s.end + (uint64_t)at++);
	stream_commit(&s, POOL_BLOCK);
	ck_assert_uint_eq(stream_len(&s), POOL_BLOCK + 1000);
	ck_assert_uint_eq(pool.used_bytes, 2 * POOL_BLOCK);
	verify(&s, s.begin, stream_len(&s));
	stream_fini(&s);
	pool_fini(&pool);
}
END_TEST

START_TEST(gather_limits)
{
	struct stream s;
	struct iovec iov[3];

	pool_init(&pool, 0, 0);
	stream_init(&s, &pool, 0);
	append(&s, 3 * POOL_BLOCK);
	ck_assert_int_eq(stream_gather(&s, 0, 3 * POOL_BLOCK, iov, 3), 3);
	ck_assert_int_eq(stream_gather(&s, 0, 3 * POOL_BLOCK, iov, 2), -1);
	ck_assert_int_eq(stream_gather(&s, 1, 2 * POOL_BLOCK, iov, 3), 3);
	ck_assert_int_eq(stream_gather(&s, POOL_BLOCK, POOL_BLOCK, iov, 1), 1);
	ck_assert_int_eq(stream_gather(&s, 3 * POOL_BLOCK, 0, iov, 1), 0);
	stream_fini(&s);
	pool_fini(&pool);
}
END_TEST

START_TEST(append_stops_at_the_limit)
{
	struct stream s;
	struct iovec iov[4];

	pool_init(&pool, 2 * POOL_BLOCK, 0);
	stream_init(&s, &pool, 5);
	ck_assert_uint_eq(stream_append(&s, scratch, 100000), 2 * POOL_BLOCK);
	ck_assert_int_eq(stream_reserve(&s, 1, iov, 4), 0);
	stream_release(&s, 5 + 100);
	ck_assert_uint_eq(stream_append(&s, scratch, 100), 0);
	stream_release(&s, 5 + POOL_BLOCK);
	ck_assert_uint_eq(stream_append(&s, scratch, 100), 100);
	stream_fini(&s);
	ck_assert_uint_eq(pool.used_bytes, 0);
	pool_fini(&pool);
}
END_TEST

/* Offsets pass through 2^32 and 2^64 on the way. */
static void random_rounds(uint64_t seed, uint64_t start)
{
	struct stream s;

	pool_init(&pool, 40 * POOL_BLOCK, 8 * POOL_BLOCK);
	stream_init(&s, &pool, start);
	for (uint64_t round = unit_rounds(1500); round--;) {
		size_t len = stream_len(&s), n;
		struct iovec iov[4];
		int pieces;

		switch (unit_random_below(&seed, 5)) {
		case 0:
		case 1:
			n = unit_random_below(&seed, unit_random_below(&seed, 4) ? 3000 : 60000);
			if (len + n < 38 * POOL_BLOCK)
				append(&s, n);
			break;
		case 2:
			pieces = stream_reserve(&s, 1 + unit_random_below(&seed, 50000), iov, 4);
			n = 0;
			for (int i = 0; i < pieces; i++)
				for (size_t j = 0; j < iov[i].iov_len; j++)
					((uint8_t *)iov[i].iov_base)[j] = fill(s.end + n++);
			stream_commit(&s, n ? unit_random_below(&seed, n + 1) : 0);
			break;
		case 3:
			n = unit_random_below(&seed, 3) ? unit_random_below(&seed, len + 1) : len;
			stream_release(&s, s.begin + n);
			break;
		default:
			n = unit_random_below(&seed, len + 1);
			verify(&s, s.begin + n, unit_random_below(&seed, len - n + 1));
			break;
		}
		len = stream_len(&s);
		if (!len)
			ck_assert_uint_eq(pool.used_bytes, 0);
		else
			ck_assert_uint_lt(pool.used_bytes, len + 2 * POOL_BLOCK);
	}
	verify(&s, s.begin, stream_len(&s));
	stream_fini(&s);
	ck_assert_uint_eq(pool.used_bytes, 0);
	pool_fini(&pool);
}

START_TEST(random_from_zero)
{
	random_rounds(1, 0);
}
END_TEST

START_TEST(random_through_2_32)
{
	random_rounds(2, UINT32_MAX - 200000);
}
END_TEST

START_TEST(random_through_2_64)
{
	random_rounds(3, UINT64_MAX - 200000);
	random_rounds(4, UINT64_MAX - 10);
}
END_TEST

START_TEST(random_through_2_63)
{
	random_rounds(5, INT64_MAX - 200000);
}
END_TEST

UNIT_MAIN("stream", empty_holds_no_block, reserve_and_commit, gather_limits,
	  append_stops_at_the_limit, random_from_zero, random_through_2_32, random_through_2_64,
	  random_through_2_63)
