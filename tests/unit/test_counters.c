/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counters: every one has a unique name fit for metrics, and a description. */
#include "base/counters.h"

#include <string.h>

#include "unit.h"

START_TEST(names_are_fit_and_unique)
{
	for (int i = 0; i < CNT_MAX; i++) {
		const char *name = counter_name((enum counter_id)i);

		ck_assert_ptr_nonnull(name);
		ck_assert_uint_gt(strlen(name), 0);
		ck_assert_uint_eq(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_"),
				  strlen(name));
		ck_assert_ptr_nonnull(counter_text((enum counter_id)i));
		for (int j = 0; j < i; j++)
			ck_assert_str_ne(name, counter_name((enum counter_id)j));
	}
}
END_TEST

START_TEST(counting)
{
	struct counters c = { .v = { 0 } };

	counter_inc(&c, CNT_RX_PACKETS);
	counter_inc(&c, CNT_RX_PACKETS);
	counter_add(&c, CNT_RX_BYTES, 5000000000u);
	ck_assert_uint_eq(c.v[CNT_RX_PACKETS], 2);
	ck_assert_uint_eq(c.v[CNT_RX_BYTES], 5000000000u);
	ck_assert_str_eq(counter_name(CNT_RX_PACKETS), "rx_packets");
}
END_TEST

UNIT_MAIN("counters", names_are_fit_and_unique, counting)
