/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reassembly: directed cases, and thousands of random rounds against a naive model
 * that keeps one byte and one flag per offset.
 */
#include "base/reasm.h"

#include <errno.h>
#include <string.h>

#include "unit.h"

#define MODEL 200000u

static struct pool pool;
static struct reasm r;

static void setup(uint32_t max)
{
	pool_init(&pool, 0, 64 * POOL_BLOCK);
	reasm_init(&r, &pool, max);
}

static void finish(void)
{
	reasm_fini(&r);
	ck_assert_uint_eq(r.bytes, 0);
	ck_assert_uint_eq(pool.used_bytes, 0);
	pool_fini(&pool);
}

static long put(uint64_t offset, const char *text, struct reasm_range *where)
{
	return reasm_insert(&r, offset, (const uint8_t *)text, strlen(text), where);
}

static void expect(uint64_t offset, const char *text)
{
	const uint8_t *data;

	ck_assert_uint_eq(reasm_peek(&r, offset, &data), strlen(text));
	ck_assert_mem_eq(data, text, strlen(text));
}

START_TEST(pieces_share_a_block)
{
	struct reasm_range where;
	const uint8_t *data;

	setup(8);
	ck_assert_int_eq(put(10, "abc", &where), 3);
	ck_assert_uint_eq(where.begin, 10);
	ck_assert_uint_eq(where.end, 13);
	ck_assert_int_eq(put(13, "def", &where), 3);
	ck_assert_uint_eq(where.begin, 10);
	ck_assert_uint_eq(where.end, 16);
	ck_assert_int_eq(put(7, "xyz", &where), 3);
	ck_assert_uint_eq(where.begin, 7);
	ck_assert_uint_eq(where.end, 16);
	ck_assert_uint_eq(pool.used_bytes, POOL_BLOCK_MIN);
	ck_assert_uint_eq(reasm_peek(&r, 6, &data), 0);
	expect(7, "xyzabcdef");
	expect(9, "zabcdef");
	reasm_drop(&r, 16);
	ck_assert_uint_eq(r.bytes, 0);
	ck_assert_uint_eq(pool.used_bytes, 0);
	finish();
}
END_TEST

START_TEST(overlap_keeps_the_first)
{
	struct reasm_range where;

	setup(8);
	ck_assert_int_eq(put(4, "BBBB", NULL), 4);
	ck_assert_int_eq(put(12, "DD", NULL), 2);
	ck_assert_int_eq(put(4, "bbbb", &where), 0);
	ck_assert_uint_eq(where.begin, 4);
	ck_assert_uint_eq(where.end, 8);
	ck_assert_int_eq(put(2, "aaaabbbbccccddd", &where), 9);
	ck_assert_uint_eq(where.begin, 2);
	ck_assert_uint_eq(where.end, 17);
	ck_assert_uint_eq(r.range_count, 1);
	expect(2, "aaBBBBbbccDDddd");
	ck_assert_int_eq(put(5, "", &where), 0);
	finish();
}
END_TEST

START_TEST(large_piece_spans_blocks)
{
	static uint8_t big[65536];
	const uint8_t *data;
	uint64_t at = UINT64_MAX - 30000, end = at + sizeof(big);
	struct reasm_range where, ranges[4];

	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (uint8_t)(i * 31 >> 3);
	setup(1);
	ck_assert_int_eq(reasm_insert(&r, at, big, sizeof(big), &where), sizeof(big));
	ck_assert_uint_eq(where.begin, at);
	ck_assert_uint_eq(where.end, end);
	ck_assert_int_eq(reasm_ranges(&r, ranges, 4), 1);
	ck_assert_uint_eq(ranges[0].end, end);
	ck_assert_uint_eq(r.range_count, 1);
	for (size_t done = 0; done < sizeof(big);) {
		size_t n = reasm_peek(&r, at + done, &data);

		ck_assert_uint_gt(n, 0);
		ck_assert_mem_eq(data, big + done, n);
		done += n;
		reasm_drop(&r, at + done);
	}
	ck_assert_uint_eq(pool.used_bytes, 0);
	finish();
}
END_TEST

START_TEST(too_many_gaps)
{
	struct reasm_range ranges[8];

	setup(3);
	ck_assert_int_eq(put(10, "a", NULL), 1);
	ck_assert_int_eq(put(20, "b", NULL), 1);
	ck_assert_int_eq(put(30, "c", NULL), 1);
	ck_assert_int_eq(put(40, "d", NULL), -ENOBUFS);
	ck_assert_int_eq(put(5, "d", NULL), -ENOBUFS);
	ck_assert_int_eq(put(31, "C", NULL), 1);
	ck_assert_int_eq(put(11, "AAAAAAAAA", NULL), 9);
	ck_assert_uint_eq(r.range_count, 2);
	ck_assert_int_eq(put(40, "d", NULL), 1);
	ck_assert_int_eq(reasm_ranges(&r, ranges, 8), 3);
	ck_assert_uint_eq(ranges[0].begin, 10);
	ck_assert_uint_eq(ranges[0].end, 21);
	ck_assert_uint_eq(ranges[2].begin, 40);
	ck_assert_int_eq(reasm_ranges(&r, ranges, 2), 2);
	finish();
}
END_TEST

START_TEST(no_memory_keeps_nothing)
{
	static uint8_t big[5 * POOL_BLOCK];
	struct reasm_range ranges[2];

	pool_init(&pool, 3 * POOL_BLOCK, 0);
	reasm_init(&r, &pool, 100);
	ck_assert_int_eq(put(100, "x", NULL), 1);
	ck_assert_int_eq(reasm_insert(&r, 0, big, sizeof(big), NULL), -ENOMEM);
	ck_assert_uint_eq(r.bytes, 1);
	ck_assert_uint_eq(r.range_count, 1);
	ck_assert_uint_eq(pool.used_bytes, POOL_BLOCK_MIN);
	ck_assert_int_eq(reasm_ranges(&r, ranges, 2), 1);
	ck_assert_uint_eq(ranges[0].begin, 100);
	expect(100, "x");
	finish();
}
END_TEST

/* A peer that sends single bytes, every other one first, then the rest. */
START_TEST(tiny_fragments_stay_cheap)
{
	enum { N = 2000 };
	uint8_t byte = 'x';

	setup(64);
	for (int base = 0; base < N; base += 64) {
		for (int i = 1; i < 64; i += 2)
			ck_assert_int_eq(reasm_insert(&r, 1000 + base + i, &byte, 1, NULL), 1);
		for (int i = 62; i >= 0; i -= 2)
			ck_assert_int_eq(reasm_insert(&r, 1000 + base + i, &byte, 1, NULL), 1);
	}
	ck_assert_uint_eq(r.range_count, 1);
	ck_assert_uint_le(pool.used_bytes, 3 * N);
	finish();
}
END_TEST

/* An application that writes a few bytes at a time, of which every other piece takes a slower
 * path: what the faster one brings is not refused. */
START_TEST(small_writes_over_two_paths)
{
	uint8_t piece[10] = { 0 };

	setup(4096);
	for (uint64_t i = 0; i < 1000; i++)
		ck_assert_int_eq(reasm_insert(&r, 10 + 20 * i, piece, sizeof(piece), NULL),
				 sizeof(piece));
	ck_assert_uint_eq(r.range_count, 1000);
	finish();
}
END_TEST

START_TEST(backwards_stays_cheap)
{
	static uint8_t piece[1000];
	size_t held = 0;

	setup(4);
	for (int i = 400; i-- > 0;) {
		struct reasm_range where;

		held += sizeof(piece);
		ck_assert_int_eq(reasm_insert(&r, (uint64_t)i * sizeof(piece), piece,
					      sizeof(piece), &where), sizeof(piece));
		ck_assert_uint_eq(where.begin, (uint64_t)i * sizeof(piece));
		ck_assert_uint_eq(where.end, 400 * sizeof(piece));
		ck_assert_uint_le(pool.used_bytes, 2 * held + 2 * POOL_BLOCK);
	}
	finish();
}
END_TEST

/* What a peer can make us hold with pieces that never touch, whatever their length. */
START_TEST(scattered_pieces_are_bounded)
{
	static const size_t lengths[] = { 1, 40, 89, 100, 217, 1448, 2016, 2017, 2500, 4100, 9000 };
	static uint8_t piece[9000];

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		size_t len = lengths[i];
		long ret = 0;
		int n;

		setup(100000);
		for (n = 0; n < 4000 && ret >= 0; n++) {
			ret = reasm_insert(&r, 10 + (uint64_t)n * 10000, piece, len, NULL);
			ck_assert(ret == (long)len || ret == -ENOBUFS);
			ck_assert_uint_le(pool.used_bytes, REASM_FACTOR * r.bytes + REASM_SLACK);
		}
		/* Pieces of more than a few bytes are never refused. */
		ck_assert_int_eq(ret == -ENOBUFS, len < 40);
		/* Bytes in order never come here; they free all. */
		reasm_drop(&r, (uint64_t)n * 10000);
		ck_assert_uint_eq(pool.used_bytes, 0);
		finish();
	}
}
END_TEST

/* One segment after the other behind each of many gaps, as two paths bring them. */
START_TEST(growing_ranges_stay_cheap)
{
	static uint8_t piece[1448];

	setup(1000);
	for (int round = 0; round < 30; round++) {
		for (int i = 0; i < 40; i++)
			ck_assert_int_eq(reasm_insert(&r, (uint64_t)i * 100000 + 1 +
						      (uint64_t)round * sizeof(piece), piece,
						      sizeof(piece), NULL), sizeof(piece));
		ck_assert_uint_le(pool.used_bytes, 3 * r.bytes);
	}
	ck_assert_uint_eq(r.range_count, 40);
	finish();
}
END_TEST

static struct {
	bool held[MODEL];
	uint8_t byte[MODEL];
	size_t low;             /* everything before was dropped */
	size_t bytes;
} model;

/* Maximal runs of the model, compared with what reasm_ranges() says. */
static void compare_ranges(uint64_t start)
{
	static struct reasm_range ranges[256];
	int n = reasm_ranges(&r, ranges, 256), found = 0;
	const bool *stop = model.held + MODEL;

	ck_assert_int_lt(n, 256);
	ck_assert_uint_eq(r.range_count, (unsigned)n);
	for (const bool *p = model.held + model.low; p < stop;) {
		const bool *begin = memchr(p, 1, (size_t)(stop - p)), *end;

		if (!begin)
			break;
		end = memchr(begin, 0, (size_t)(stop - begin));
		if (!end)
			end = stop;
		ck_assert_int_lt(found, n);
		ck_assert_uint_eq(ranges[found].begin, start + (uint64_t)(begin - model.held));
		ck_assert_uint_eq(ranges[found].end, start + (uint64_t)(end - model.held));
		found++;
		p = end;
	}
	ck_assert_int_eq(found, n);
}

static void model_insert(uint64_t *seed, uint64_t start)
{
	static uint8_t data[70000];
	size_t span = MODEL - model.low, at, len, fresh = 0, begin, end;
	bool want_where = unit_random_below(seed, 4) != 0;
	struct reasm_range where;
	long got;

	if (!span)
		return;
	at = model.low + unit_random_below(seed, span);
	/* Often right after bytes that are held, as when a path delivers in order. */
	if (unit_random_below(seed, 2)) {
		static struct reasm_range ranges[256];
		int n = reasm_ranges(&r, ranges, 256);

		if (n)
			at = (size_t)(ranges[unit_random_below(seed, (uint64_t)n)].end - start);
	}
	switch (unit_random_below(seed, 8)) {
	case 0: len = 1 + unit_random_below(seed, 65536); break;
	case 1: len = 1; break;
	default: len = 1 + unit_random_below(seed, 3000); break;
	}
	if (at >= MODEL)
		return;
	if (len > MODEL - at)
		len = MODEL - at;
	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)unit_random(seed);
	for (begin = at; begin < at + len && !model.held[begin]; begin++)
		;
	for (end = begin; end < at + len && model.held[end]; end++)
		;
	ck_assert_int_eq(reasm_held(&r, start + at, len, &where), begin < at + len);
	if (begin < at + len) {
		ck_assert_uint_eq(where.begin, start + begin);
		ck_assert_uint_eq(where.end, start + end);
	}
	got = reasm_insert(&r, start + at, data, len, want_where ? &where : NULL);
	if (got == -ENOBUFS) {
		ck_assert(r.range_count == r.chunk_max ||
			  r.memory + len + 2 * POOL_BLOCK >=
				  REASM_FACTOR * r.bytes + REASM_SLACK);
		ck_assert_uint_eq(r.bytes, model.bytes);
		return;
	}
	for (size_t i = 0; i < len; i++) {
		if (!model.held[at + i]) {
			model.held[at + i] = true;
			model.byte[at + i] = data[i];
			fresh++;
		}
	}
	model.bytes += fresh;
	ck_assert_int_eq(got, (long)fresh);
	if (!want_where)
		return;
	for (begin = at; begin > model.low && model.held[begin - 1]; begin--)
		;
	for (end = at + len; end < MODEL && model.held[end]; end++)
		;
	ck_assert_uint_eq(where.begin, start + begin);
	ck_assert_uint_eq(where.end, start + end);
}

static void model_drop(size_t to)
{
	for (; model.low < to; model.low++) {
		model.bytes -= model.held[model.low];
		model.held[model.low] = false;
	}
}

static void model_read(uint64_t *seed, uint64_t start)
{
	size_t to = model.low + unit_random_below(seed, 8000), n;
	const uint8_t *data;

	if (to > MODEL)
		to = MODEL;
	/* Often where bytes are held. */
	if (unit_random_below(seed, 2)) {
		struct reasm_range first;

		if (reasm_ranges(&r, &first, 1))
			to = (size_t)(first.begin - start);
	}
	n = reasm_peek(&r, start + to, &data);
	model_drop(to);
	if (to < MODEL)
		ck_assert_int_eq(n > 0, model.held[to]);
	for (size_t i = 0; i < n; i++)
		if (!model.held[to + i] || model.byte[to + i] != data[i])
			ck_abort_msg("wrong byte");
	if (n && unit_random_below(seed, 2)) {
		n = 1 + unit_random_below(seed, n);
		reasm_drop(&r, start + to + n);
		model_drop(to + n);
	}
}

/* The invariant that bounds memory, see reasm.c. */
static void check_memory(void)
{
	ck_assert_uint_eq(pool.used_bytes, r.memory);
	ck_assert_uint_le(r.memory, REASM_FACTOR * r.bytes + REASM_SLACK + POOL_BLOCK);
}

static void random_rounds(uint64_t seed, uint64_t start, uint32_t max)
{
	for (uint64_t game = unit_rounds(12); game--;) {
		setup(max);
		memset(&model, 0, sizeof(model));
		for (int round = 0; round < 400 && model.low < MODEL; round++) {
			if (unit_random_below(&seed, 6))
				model_insert(&seed, start);
			else
				model_read(&seed, start);
			ck_assert_uint_eq(r.bytes, model.bytes);
			compare_ranges(start);
			check_memory();
		}
		finish();
	}
}

START_TEST(random_from_zero)
{
	random_rounds(1, 0, 100);
}
END_TEST

START_TEST(random_few_gaps)
{
	random_rounds(2, 12345, 3);
}
END_TEST

START_TEST(random_through_2_32)
{
	random_rounds(3, UINT32_MAX - MODEL / 2, 60);
}
END_TEST

START_TEST(random_through_2_64)
{
	random_rounds(4, UINT64_MAX - MODEL / 2, 60);
}
END_TEST

START_TEST(random_through_2_63)
{
	random_rounds(5, INT64_MAX - MODEL / 2, 60);
}
END_TEST

UNIT_MAIN("reasm", pieces_share_a_block, overlap_keeps_the_first, large_piece_spans_blocks,
	  too_many_gaps, no_memory_keeps_nothing, tiny_fragments_stay_cheap, backwards_stays_cheap,
	  small_writes_over_two_paths, scattered_pieces_are_bounded, growing_ranges_stay_cheap,
	  random_from_zero, random_few_gaps, random_through_2_32, random_through_2_64,
	  random_through_2_63)
