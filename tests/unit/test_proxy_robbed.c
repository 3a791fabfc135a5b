// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Clients that are remembered because options got lost on their way: which addresses count
 * as the same, for how long, and what gives way when there are too many.
 */
#include "unit.h"

#include "proxy/robbed.h"

static struct robbed table;
static const struct hash_key key = { 1, 2 };

static struct ip_addr addr(const char *text)
{
	struct ip_addr a;

	ck_assert_int_eq(ip_addr_parse(text, &a), 0);
	return a;
}

static void note(const char *text, uint64_t now_us)
{
	struct ip_addr a = addr(text);

	robbed_note(&table, &a, now_us);
}

static bool knows(const char *text, uint64_t now_us)
{
	struct ip_addr a = addr(text);

	return robbed_knows(&table, &a, now_us);
}

START_TEST(prefixes)
{
	robbed_init(&table, &key);
	ck_assert(!knows("192.0.2.1", 0));
	note("192.0.2.1", 0);
	note("2001:db8:1:2::3", 0);
	ck_assert(knows("192.0.2.1", 1));
	ck_assert(!knows("192.0.2.2", 1));
	ck_assert(knows("2001:db8:1:2:ffff::4", 1));
	ck_assert(!knows("2001:db8:1:3::3", 1));
}
END_TEST

START_TEST(time_limit)
{
	uint64_t later = 10 * ROBBED_KEEP_US;

	robbed_init(&table, &key);
	note("192.0.2.1", 1000);
	ck_assert(knows("192.0.2.1", 1000 + ROBBED_KEEP_US - 1));
	ck_assert(!knows("192.0.2.1", 1000 + ROBBED_KEEP_US + 2 * RECENT_TICK_US));
	/* Once more begins anew, and does not take a second place. */
	note("192.0.2.1", later);
	ck_assert(knows("192.0.2.1", later + ROBBED_KEEP_US - 1));
	ck_assert(!knows("192.0.2.1", later + ROBBED_KEEP_US + 2 * RECENT_TICK_US));
	/* At every part of a tick. */
	for (int i = 0; i < 64; i++) {
		later += ROBBED_KEEP_US * 2 + RECENT_TICK_US / 64;
		note("192.0.2.1", later);
		ck_assert(knows("192.0.2.1", later));
		ck_assert(knows("192.0.2.1", later + ROBBED_KEEP_US - 1));
		ck_assert(!knows("192.0.2.1", later + ROBBED_KEEP_US + 2 * RECENT_TICK_US));
	}
	/* Where the time in an entry wraps. */
	later = (RECENT_TICK_US << 24) - 1;
	note("192.0.2.1", later);
	ck_assert(knows("192.0.2.1", later + ROBBED_KEEP_US - 1));
	ck_assert(!knows("192.0.2.1", later + ROBBED_KEEP_US + 2 * RECENT_TICK_US));
}
END_TEST

START_TEST(bounded)
{
	struct ip_addr a = addr("10.0.0.0");
	unsigned known = 0, n = RECENT_SETS * RECENT_WAYS * 2;

	robbed_init(&table, &key);
	for (unsigned i = 0; i < n; i++) {
		a.b[13] = (uint8_t)(i >> 16);
		a.b[14] = (uint8_t)(i >> 8);
		a.b[15] = (uint8_t)i;
		robbed_note(&table, &a, i * 1000ull);
		ck_assert(robbed_knows(&table, &a, i * 1000ull));
		/* One that comes again and again stays. */
		note("192.0.2.1", i * 1000ull);
	}
	ck_assert(knows("192.0.2.1", n * 1000ull));
	for (unsigned i = 0; i < n; i++) {
		a.b[13] = (uint8_t)(i >> 16);
		a.b[14] = (uint8_t)(i >> 8);
		a.b[15] = (uint8_t)i;
		known += robbed_knows(&table, &a, n * 1000ull);
	}
	ck_assert_uint_le(known, RECENT_SETS * RECENT_WAYS);
	ck_assert_uint_gt(known, RECENT_SETS * RECENT_WAYS / 2);
}
END_TEST

UNIT_MAIN("proxy/robbed", prefixes, time_limit, bounded)
