/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The deadline heap against a plain array that is searched for its minimum. */
#include "base/timer.h"

#include "unit.h"

START_TEST(fires_in_order)
{
	static const uint64_t deadlines[] = { 50, 10, 40, 10, 30, UINT64_MAX - 1, 0 };
	enum { N = sizeof(deadlines) / sizeof(deadlines[0]) };
	struct timer_node nodes[N], *n;
	struct timer_heap h;
	uint64_t last = 0;
	int fired = 0;

	timer_heap_init(&h);
	ck_assert_uint_eq(timer_next(&h), TIMER_NEVER);
	ck_assert_ptr_null(timer_pop(&h, UINT64_MAX));
	for (int i = 0; i < N; i++) {
		timer_node_init(&nodes[i]);
		ck_assert_int_eq(timer_set(&h, &nodes[i], deadlines[i]), 0);
	}
	ck_assert_uint_eq(timer_next(&h), 0);
	while ((n = timer_pop(&h, 39))) {
		ck_assert_uint_ge(deadlines[n - nodes], last);
		last = deadlines[n - nodes];
		ck_assert_uint_eq(n->slot, 0);
		fired++;
	}
	ck_assert_int_eq(fired, 4);
	ck_assert_uint_eq(timer_next(&h), 40);
	timer_heap_fini(&h);
}
END_TEST

START_TEST(never_and_cancel_take_out)
{
	struct timer_heap h;
	struct timer_node n;

	timer_heap_init(&h);
	timer_node_init(&n);
	timer_cancel(&h, &n);
	ck_assert_int_eq(timer_set(&h, &n, TIMER_NEVER), 0);
	ck_assert_uint_eq(h.count, 0);
	timer_set(&h, &n, 5);
	timer_set(&h, &n, TIMER_NEVER);
	ck_assert_uint_eq(h.count, 0);
	ck_assert_uint_eq(n.slot, 0);
	timer_set(&h, &n, 5);
	timer_cancel(&h, &n);
	timer_cancel(&h, &n);
	ck_assert_uint_eq(timer_next(&h), TIMER_NEVER);
	timer_heap_fini(&h);
}
END_TEST

START_TEST(random_against_model)
{
	enum { N = 300 };
	static struct timer_node nodes[N];
	uint64_t model[N], seed = 3, now = 1000;
	struct timer_heap h;

	timer_heap_init(&h);
	for (int i = 0; i < N; i++) {
		timer_node_init(&nodes[i]);
		model[i] = TIMER_NEVER;
	}
	for (uint64_t round = unit_rounds(50000); round--;) {
		size_t i = unit_random_below(&seed, N);
		uint64_t next = TIMER_NEVER;
		struct timer_node *n;

		switch (unit_random_below(&seed, 8)) {
		case 0:
			timer_cancel(&h, &nodes[i]);
			model[i] = TIMER_NEVER;
			break;
		case 1:
			now += unit_random_below(&seed, 40);
			while ((n = timer_pop(&h, now))) {
				ck_assert_uint_le(model[n - nodes], now);
				for (int j = 0; j < N; j++)
					if (model[j] < model[n - nodes])
						ck_abort_msg("not the earliest");
				model[n - nodes] = TIMER_NEVER;
			}
			break;
		default:
			model[i] = now + unit_random_below(&seed, 500);
			ck_assert_int_eq(timer_set(&h, &nodes[i], model[i]), 0);
			break;
		}
		for (int j = 0; j < N; j++)
			if (model[j] < next)
				next = model[j];
		ck_assert_uint_eq(timer_next(&h), next);
	}
	timer_heap_fini(&h);
}
END_TEST

UNIT_MAIN("timer", fires_in_order, never_and_cancel_take_out, random_against_model)
