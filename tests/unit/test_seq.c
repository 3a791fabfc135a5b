/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sequence numbers around the wrap, and the list they have no module of their own for. */
#include "base/list.h"
#include "base/seq.h"

#include "unit.h"

START_TEST(seq32_wraps)
{
	static const uint32_t bases[] = { 0, 1, 0x7fffffff, 0x80000000, 0xffffffff };

	for (size_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
		uint32_t a = bases[i], b = a + 1, c = a + 0x7fffffff;

		ck_assert(seq32_lt(a, b) && seq32_leq(a, b) && seq32_gt(b, a) && seq32_geq(b, a));
		ck_assert(!seq32_lt(b, a) && !seq32_leq(b, a) && !seq32_gt(a, b));
		ck_assert(seq32_lt(a, c) && seq32_gt(c, a));
		ck_assert(!seq32_lt(a, a) && seq32_leq(a, a) && seq32_geq(a, a));
		ck_assert_uint_eq(seq32_max(a, b), b);
		ck_assert_uint_eq(seq32_max(b, a), b);
	}
}
END_TEST

START_TEST(seq64_wraps)
{
	static const uint64_t bases[] = { 0, UINT32_MAX, INT64_MAX, UINT64_MAX };

	for (size_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
		uint64_t a = bases[i], b = a + 1, c = a + INT64_MAX;

		ck_assert(seq64_lt(a, b) && seq64_leq(a, b) && seq64_gt(b, a) && seq64_geq(b, a));
		ck_assert(seq64_lt(a, c) && seq64_gt(c, a));
		ck_assert(!seq64_lt(a, a) && seq64_leq(a, a) && seq64_geq(a, a));
		ck_assert_uint_eq(seq64_max(a, b), b);
		ck_assert_uint_eq(seq64_min(b, a), a);
	}
}
END_TEST

START_TEST(extend_finds_the_nearest)
{
	uint64_t seed = 11;

	ck_assert_uint_eq(seq64_extend(0x1fffffff0u, 5), 0x200000005u);
	ck_assert_uint_eq(seq64_extend(0x200000005u, 0xfffffff0), 0x1fffffff0u);
	ck_assert_uint_eq(seq64_extend(UINT64_MAX, 3), 3);
	ck_assert_uint_eq(seq64_extend(3, 0xffffffff), UINT64_MAX);
	for (int i = 0; i < 10000; i++) {
		uint64_t near = unit_random(&seed);
		uint64_t far = near + (uint64_t)(int64_t)(int32_t)unit_random(&seed);

		ck_assert_uint_eq(seq64_extend(near, (uint32_t)far), far);
	}
}
END_TEST

struct item {
	int value;
	struct list link;
};

START_TEST(list_order_and_removal)
{
	struct item items[5], *pos, *tmp;
	struct list head;
	int want = 0;

	list_init(&head);
	ck_assert(list_empty(&head));
	ck_assert_ptr_null(list_first(&head, struct item, link));
	ck_assert_ptr_null(list_last(&head, struct item, link));
	for (int i = 0; i < 5; i++) {
		items[i].value = i;
		if (i < 4)
			list_push_back(&head, &items[i].link);
	}
	items[4].value = -1;
	list_push_front(&head, &items[4].link);
	list_remove(&items[4].link);
	ck_assert(list_empty(&items[4].link));
	list_for_each(pos, &head, link)
		ck_assert_int_eq(pos->value, want++);
	ck_assert_int_eq(want, 4);
	ck_assert_ptr_eq(list_next(&head, &items[1], struct item, link), &items[2]);
	ck_assert_ptr_eq(list_prev(&head, &items[1], struct item, link), &items[0]);
	ck_assert_ptr_null(list_next(&head, &items[3], struct item, link));
	ck_assert_ptr_null(list_prev(&head, &items[0], struct item, link));
	list_for_each_safe(pos, tmp, &head, link)
		if (pos->value % 2)
			list_remove(&pos->link);
	ck_assert_ptr_eq(list_first(&head, struct item, link), &items[0]);
	ck_assert_ptr_eq(list_last(&head, struct item, link), &items[2]);
}
END_TEST

UNIT_MAIN("seq", seq32_wraps, seq64_wraps, extend_finds_the_nearest, list_order_and_removal)
