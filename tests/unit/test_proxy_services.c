/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Matching of destinations to services, also against the plain definition. */
#include "proxy/services.h"

#include <string.h>

#include "proxy/proxy.h"
#include "unit.h"

#define SERVICES 12
#define PREFIXES 9

static struct proxy_service list[SERVICES];
static struct ip_prefix prefixes[SERVICES][PREFIXES];
static struct port_range ports[SERVICES][2];
static struct proxy_config config;

static void begin(void)
{
	memset(list, 0, sizeof(list));
	memset(&config, 0, sizeof(config));
	config.services = list;
	for (int i = 0; i < SERVICES; i++) {
		list[i].prefixes = prefixes[i];
		list[i].ports = ports[i];
	}
}

static void add(const char *prefix, uint16_t first, uint16_t last)
{
	size_t i = config.service_count++;

	ck_assert_int_eq(ip_prefix_parse(prefix, &prefixes[i][0]), 0);
	list[i].prefix_count = 1;
	ports[i][0] = (struct port_range){ first, last };
	list[i].port_count = 1;
}

/* The number of the service found for `to`, or -1. */
static int find(const struct services *s, const char *to)
{
	const struct proxy_service *found;
	struct ip_endpoint e;

	ck_assert_int_eq(ip_endpoint_parse(to, &e), 0);
	found = services_find(s, &e);
	return found ? (int)(found - list) : -1;
}

START_TEST(first_match_wins)
{
	struct services s;

	begin();
	add("192.0.2.0/24", 80, 80);
	add("192.0.0.0/16", 80, 443);
	add("192.0.2.7", 443, 443);
	add("0.0.0.0/0", 22, 22);
	add("2001:db8::/32", 1, 65535);
	ck_assert_int_eq(services_init(&s, &config), 0);
	ck_assert_int_eq(find(&s, "192.0.2.7:80"), 0);
	ck_assert_int_eq(find(&s, "192.0.2.7:443"), 1);
	ck_assert_int_eq(find(&s, "192.0.3.7:80"), 1);
	ck_assert_int_eq(find(&s, "192.0.2.7:79"), -1);
	ck_assert_int_eq(find(&s, "192.1.2.7:443"), -1);
	ck_assert_int_eq(find(&s, "192.1.2.7:22"), 3);
	ck_assert_int_eq(find(&s, "[2001:db8:ffff::1]:65535"), 4);
	ck_assert_int_eq(find(&s, "[2001:db9::1]:80"), -1);
	services_fini(&s);
}
END_TEST

START_TEST(families_are_apart)
{
	struct services s;

	begin();
	add("::/0", 80, 80);
	ck_assert_int_eq(services_init(&s, &config), 0);
	ck_assert_int_eq(find(&s, "192.0.2.7:80"), -1);
	ck_assert_int_eq(find(&s, "[::1]:80"), 0);
	services_fini(&s);
	begin();
	add("0.0.0.0/0", 80, 80);
	ck_assert_int_eq(services_init(&s, &config), 0);
	ck_assert_int_eq(find(&s, "192.0.2.7:80"), 0);
	ck_assert_int_eq(find(&s, "[::1]:80"), -1);
	services_fini(&s);
}
END_TEST

START_TEST(no_service_matches_nothing)
{
	struct services s;

	begin();
	ck_assert_int_eq(services_init(&s, &config), 0);
	ck_assert_int_eq(find(&s, "192.0.2.7:80"), -1);
	services_fini(&s);
}
END_TEST

static int find_slowly(const struct ip_endpoint *to)
{
	for (size_t i = 0; i < config.service_count; i++)
		for (size_t k = 0; k < list[i].prefix_count; k++)
			for (size_t r = 0; r < list[i].port_count; r++)
				if (ip_prefix_contains(&prefixes[i][k], &to->addr) &&
				    to->port >= ports[i][r].first && to->port <= ports[i][r].last)
					return (int)i;
	return -1;
}

static void random_addr(struct ip_addr *a, uint64_t *seed, unsigned len, bool *v4)
{
	uint8_t raw[16] = { 0 };

	*v4 = unit_random_below(seed, 2);
	/* Few values per byte, so that prefixes overlap. */
	for (unsigned bit = 0; bit < len && bit < (*v4 ? 32u : 128u); bit++)
		if (!unit_random_below(seed, 4))
			raw[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	if (*v4)
		ip_addr_from_v4(a, raw);
	else
		ip_addr_from_v6(a, raw);
}

START_TEST(random_tables)
{
	uint64_t seed = 1;
	struct services s;
	bool v4;

	for (int round = 0; round < 200; round++) {
		begin();
		config.service_count = SERVICES;
		for (int i = 0; i < SERVICES; i++) {
			list[i].prefix_count = unit_random_below(&seed, PREFIXES + 1);
			for (size_t k = 0; k < list[i].prefix_count; k++) {
				struct ip_prefix *p = &prefixes[i][k];
				uint8_t len = (uint8_t)unit_random_below(&seed, 12);

				random_addr(&p->addr, &seed, len, &v4);
				p->len = len;
				p->is_v4 = v4;
			}
			list[i].port_count = unit_random_below(&seed, 3);
			for (size_t r = 0; r < list[i].port_count; r++) {
				ports[i][r].first = (uint16_t)unit_random_below(&seed, 20);
				ports[i][r].last = (uint16_t)(ports[i][r].first +
							      unit_random_below(&seed, 8));
			}
		}
		ck_assert_int_eq(services_init(&s, &config), 0);
		for (int i = 0; i < 200; i++) {
			const struct proxy_service *found;
			struct ip_endpoint to;

			random_addr(&to.addr, &seed, 14, &v4);
			to.port = (uint16_t)unit_random_below(&seed, 28);
			found = services_find(&s, &to);
			ck_assert_int_eq(found ? (int)(found - list) : -1, find_slowly(&to));
		}
		services_fini(&s);
	}
}
END_TEST

UNIT_MAIN("proxy/services", first_match_wins, families_are_apart, no_service_matches_nothing,
	  random_tables)
