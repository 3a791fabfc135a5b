/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Flows, tokens and counts per source. */
#include "proxy/flowtable.h"

#include <errno.h>
#include <string.h>

#include "base/timer.h"
#include "unit.h"

static struct flowtable table;
static const struct hash_key key = { 1, 2 };

static void make_tuple(struct flow_tuple *t, uint16_t port)
{
	memset(t, 0, sizeof(*t));
	ck_assert_int_eq(ip_endpoint_parse("192.0.2.1:1000", &t->src), 0);
	ck_assert_int_eq(ip_endpoint_parse("198.51.100.1:80", &t->dst), 0);
	t->src.port = port;
}

static struct flow *add(uint16_t port)
{
	struct flow_tuple t;
	struct flow *f;

	make_tuple(&t, port);
	f = flowtable_add(&table, &t, NULL);
	ck_assert_ptr_nonnull(f);
	return f;
}

static struct flow *find(uint16_t port)
{
	struct flow_tuple t;

	make_tuple(&t, port);
	return flowtable_find(&table, &t);
}

START_TEST(flows_are_found_until_removed)
{
	flowtable_init(&table, &key, 10);
	for (uint16_t i = 1; i <= 2000; i++)
		add(i);
	for (uint16_t i = 1; i <= 2000; i += 2)
		flowtable_remove(&table, find(i));
	for (uint16_t i = 1; i <= 2000; i++)
		ck_assert_int_eq(find(i) != NULL, i % 2 == 0);
	flowtable_fini(&table);
}
END_TEST

START_TEST(direction_matters)
{
	struct flow_tuple t;

	flowtable_init(&table, &key, 10);
	add(7);
	make_tuple(&t, 7);
	flow_tuple_reverse(&t, &t);
	ck_assert_ptr_null(flowtable_find(&table, &t));
	flowtable_fini(&table);
}
END_TEST

START_TEST(old_flows_expire_in_order)
{
	struct tcp_conn tc;
	struct flow *f;

	flowtable_init(&table, &key, 10);
	ck_assert_uint_eq(flowtable_deadline(&table), TIMER_NEVER);
	memset(&tc, 0, sizeof(tc));
	for (int i = 0; i < TCP_TIMER_MAX; i++)
		tc.deadline_us[i] = TIMER_NEVER;
	tc.cfg.time_wait_us = 1000;
	flowtable_set_timewait(&table, add(1), &tc, 100);
	flowtable_set_timewait(&table, add(2), &tc, 200);
	flowtable_set_closed(&table, add(3), 1150);
	add(4);
	ck_assert_uint_eq(flowtable_deadline(&table), 1100);
	ck_assert_ptr_null(flowtable_expired(&table, 1099));
	f = flowtable_expired(&table, 1200);
	ck_assert_ptr_eq(f, find(1));
	flowtable_remove(&table, f);
	f = flowtable_expired(&table, 1200);
	ck_assert_ptr_eq(f, find(3));
	flowtable_remove(&table, f);
	/* A repeated FIN begins the wait anew. */
	f = find(2);
	f->tw.until_us = 5000;
	flowtable_renew(&table, f);
	ck_assert_ptr_null(flowtable_expired(&table, 4999));
	ck_assert_ptr_eq(flowtable_expired(&table, 5000), f);
	flowtable_remove(&table, f);
	ck_assert_ptr_null(flowtable_expired(&table, UINT64_MAX));
	ck_assert_ptr_nonnull(find(4));
	flowtable_fini(&table);
}
END_TEST

START_TEST(old_flows_are_bounded)
{
	struct flow *f;

	flowtable_init(&table, &key, 3);
	for (uint16_t i = 1; i <= 4; i++)
		flowtable_set_closed(&table, add(i), 1000u + i);
	ck_assert_uint_eq(flowtable_deadline(&table), 0);
	f = flowtable_expired(&table, 0);
	ck_assert_ptr_eq(f, find(1));
	flowtable_remove(&table, f);
	ck_assert_ptr_null(flowtable_expired(&table, 0));
	ck_assert_uint_eq(flowtable_deadline(&table), 1002);
	flowtable_fini(&table);
}
END_TEST

START_TEST(tokens_are_unique)
{
	struct token_entry a = { .token = 0 }, b = { .token = 0 };
	struct session *s = (struct session *)&a, *other = (struct session *)&b;

	flowtable_init(&table, &key, 3);
	flowtable_token_remove(&table, &a);
	ck_assert_int_eq(flowtable_token_add(&table, &a, 77, s), 0);
	ck_assert_int_eq(flowtable_token_add(&table, &b, 77, other), -EEXIST);
	ck_assert_int_eq(flowtable_token_add(&table, &b, 78, other), 0);
	ck_assert_ptr_eq(flowtable_token_find(&table, 77), s);
	ck_assert_ptr_eq(flowtable_token_find(&table, 78), other);
	ck_assert_ptr_null(flowtable_token_find(&table, 79));
	flowtable_token_remove(&table, &a);
	flowtable_token_remove(&table, &a);
	ck_assert_ptr_null(flowtable_token_find(&table, 77));
	flowtable_token_remove(&table, &b);
	flowtable_fini(&table);
}
END_TEST

START_TEST(sources_are_counted)
{
	struct ip_addr a, b;

	ck_assert_int_eq(ip_addr_parse("192.0.2.1", &a), 0);
	ck_assert_int_eq(ip_addr_parse("2001:db8::1", &b), 0);
	flowtable_init(&table, &key, 3);
	ck_assert_uint_eq(flowtable_source_count(&table, &a), 0);
	ck_assert_int_eq(flowtable_source_get(&table, &a), 0);
	ck_assert_int_eq(flowtable_source_get(&table, &a), 0);
	ck_assert_int_eq(flowtable_source_get(&table, &b), 0);
	ck_assert_uint_eq(flowtable_source_count(&table, &a), 2);
	flowtable_source_put(&table, &a);
	ck_assert_uint_eq(flowtable_source_count(&table, &a), 1);
	flowtable_source_put(&table, &a);
	ck_assert_uint_eq(flowtable_source_count(&table, &a), 0);
	ck_assert_uint_eq(flowtable_source_count(&table, &b), 1);
	flowtable_fini(&table);
}
END_TEST

/* Whoever does not know the key cannot choose tuples that meet in one bucket: it decides
 * alone where each goes. */
START_TEST(places_depend_on_the_key)
{
	const struct hash_key other = { 1, 3 };
	unsigned same = 0, hash[1000];

	flowtable_init(&table, &key, 10);
	for (uint16_t i = 0; i < 1000; i++)
		hash[i] = add(i)->hh.hashv;
	flowtable_fini(&table);
	flowtable_init(&table, &other, 10);
	for (uint16_t i = 0; i < 1000; i++)
		same += hash[i] % 1024 == add(i)->hh.hashv % 1024;
	flowtable_fini(&table);
	/* One in 1024 by chance. */
	ck_assert_uint_le(same, 10);
}
END_TEST

UNIT_MAIN("proxy/flowtable", places_depend_on_the_key, flows_are_found_until_removed,
	  direction_matters, old_flows_expire_in_order, old_flows_are_bounded, tokens_are_unique,
	  sources_are_counted)
