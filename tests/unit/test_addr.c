/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses, endpoints, tuples and prefixes: text forms and comparisons. */
#include "base/addr.h"

#include <errno.h>
#include <string.h>

#include "unit.h"

static struct ip_addr addr(const char *text)
{
	struct ip_addr a;

	ck_assert_int_eq(ip_addr_parse(text, &a), 0);
	return a;
}

START_TEST(sizes_without_padding)
{
	ck_assert_uint_eq(sizeof(struct ip_addr), 16);
	ck_assert_uint_eq(sizeof(struct ip_endpoint), 18);
	ck_assert_uint_eq(sizeof(struct flow_tuple), 36);
}
END_TEST

START_TEST(addr_text_round_trip)
{
	static const char *const texts[] = {
		"0.0.0.0", "192.0.2.1", "255.255.255.255", "::", "::1", "2001:db8::1",
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fe80::1:2:3:4",
	};
	char buf[IP_ADDR_STRLEN];

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct ip_addr a = addr(texts[i]);

		ck_assert_str_eq(ip_addr_format(&a, buf), texts[i]);
		ck_assert_int_eq(ip_addr_is_v4(&a), !strchr(texts[i], ':'));
	}
}
END_TEST

START_TEST(addr_v4_is_the_mapped_form)
{
	static const uint8_t v4[4] = { 192, 0, 2, 33 };
	struct ip_addr a, b = addr("::ffff:192.0.2.33");

	ip_addr_from_v4(&a, v4);
	ck_assert(ip_addr_equal(&a, &b));
	ck_assert(ip_addr_is_v4(&b));
	ck_assert_mem_eq(ip_addr_v4(&a), v4, 4);
	ip_addr_from_v6(&b, a.b);
	ck_assert(ip_addr_equal(&a, &b));
}
END_TEST

START_TEST(addr_malformed)
{
	static const char *const texts[] = {
		"", " ", "1.2.3", "1.2.3.4.5", "256.0.0.1", "1.2.3.4 ", ":::", "2001:db8",
		"g::1", "1.2.3.4/8", "[::1]", "localhost",
	};
	struct ip_addr a;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ck_assert_int_eq(ip_addr_parse(texts[i], &a), -EINVAL);
}
END_TEST

START_TEST(addr_order)
{
	struct ip_addr a = addr("192.0.2.1"), b = addr("192.0.2.2"), c = addr("2001:db8::");

	ck_assert_int_lt(ip_addr_cmp(&a, &b), 0);
	ck_assert_int_gt(ip_addr_cmp(&c, &b), 0);
	ck_assert_int_eq(ip_addr_cmp(&c, &c), 0);
	ck_assert(!ip_addr_equal(&a, &b));
}
END_TEST

START_TEST(endpoint_text_round_trip)
{
	static const char *const texts[] = {
		"192.0.2.1:0", "192.0.2.1:80", "255.255.255.255:65535", "[::]:1",
		"[2001:db8::1]:443", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
	};
	char buf[IP_ENDPOINT_STRLEN];

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct ip_endpoint e;

		ck_assert_int_eq(ip_endpoint_parse(texts[i], &e), 0);
		ck_assert_str_eq(ip_endpoint_format(&e, buf), texts[i]);
	}
}
END_TEST

START_TEST(endpoint_malformed)
{
	static const char *const texts[] = {
		"", ":", ":80", "192.0.2.1", "192.0.2.1:", "192.0.2.1:65536", "192.0.2.1:-1",
		"192.0.2.1:+1", "192.0.2.1: 1", "192.0.2.1:1 ", "192.0.2.1:99999999999999999999",
		"::1:80", "[::1]", "[::1]:", "[::1:80", "::1]:80", "[]:80", "[::1]x:80", "]:80",
		"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:1",
	};
	struct ip_endpoint e;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ck_assert_int_eq(ip_endpoint_parse(texts[i], &e), -EINVAL);
}
END_TEST

START_TEST(tuple_reverse)
{
	struct flow_tuple t = { .src = { addr("192.0.2.1"), 1234 }, .dst = { addr("::1"), 80 } };
	struct flow_tuple r;

	flow_tuple_reverse(&r, &t);
	ck_assert(ip_endpoint_equal(&r.src, &t.dst));
	ck_assert(ip_endpoint_equal(&r.dst, &t.src));
	ck_assert(!flow_tuple_equal(&r, &t));
	flow_tuple_reverse(&r, &r);
	ck_assert(flow_tuple_equal(&r, &t));
	ck_assert_mem_eq(&r, &t, sizeof(r));
	r.dst.port++;
	ck_assert(!flow_tuple_equal(&r, &t));
}
END_TEST

static bool contains(const char *prefix, const char *text)
{
	struct ip_addr a = addr(text);
	struct ip_prefix p;

	ck_assert_int_eq(ip_prefix_parse(prefix, &p), 0);
	return ip_prefix_contains(&p, &a);
}

START_TEST(prefix_contains)
{
	ck_assert(contains("192.0.2.0/24", "192.0.2.0"));
	ck_assert(contains("192.0.2.0/24", "192.0.2.255"));
	ck_assert(!contains("192.0.2.0/24", "192.0.3.0"));
	ck_assert(!contains("192.0.2.0/24", "192.0.1.255"));
	ck_assert(contains("192.0.2.128/29", "192.0.2.135"));
	ck_assert(!contains("192.0.2.128/29", "192.0.2.136"));
	ck_assert(contains("192.0.2.7", "192.0.2.7"));
	ck_assert(!contains("192.0.2.7", "192.0.2.6"));
	ck_assert(contains("0.0.0.0/0", "203.0.113.9"));
	ck_assert(!contains("0.0.0.0/0", "2001:db8::1"));
	ck_assert(contains("::/0", "2001:db8::1"));
	ck_assert(!contains("::/0", "192.0.2.1"));
	ck_assert(contains("2001:db8:8000::/33", "2001:db8:ffff::1"));
	ck_assert(!contains("2001:db8:8000::/33", "2001:db8:7fff::1"));
	ck_assert(contains("2001:db8::1", "2001:db8::1"));
	ck_assert(!contains("2001:db8::1/128", "2001:db8::"));
}
END_TEST

START_TEST(prefix_malformed)
{
	static const char *const texts[] = {
		"", "/", "/8", "192.0.2.0/", "192.0.2.0/33", "192.0.2.0/-1", "192.0.2.0/24/1",
		"192.0.2.0/ 24", "192.0.2.0/2a", "192.0.2.1/24", "192.0.2.0/22", "0.0.0.1/0",
		"::/129", "2001:db8::1/64", "2001:db8::/16", "x/8",
	};
	struct ip_prefix p;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ck_assert_int_eq(ip_prefix_parse(texts[i], &p), -EINVAL);
}
END_TEST

START_TEST(private_addresses)
{
	static const struct {
		const char *text;
		bool private;
	} rows[] = {
		{ "10.1.2.3", true }, { "11.0.0.1", false }, { "172.15.0.1", false },
		{ "172.16.0.1", true }, { "172.31.255.255", true }, { "172.32.0.1", false },
		{ "192.168.0.1", true }, { "192.169.0.1", false }, { "169.254.7.7", true },
		{ "100.64.0.1", true }, { "100.128.0.1", false }, { "127.0.0.1", true },
		{ "198.51.100.7", false }, { "fc00::1", true }, { "fdff::1", true },
		{ "fe80::1", true }, { "fec0::1", false }, { "::1", true }, { "2001:db8::1", false },
	};
	struct ip_addr a;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ck_assert_int_eq(ip_addr_parse(rows[i].text, &a), 0);
		ck_assert_msg(ip_addr_is_private(&a) == rows[i].private, "%s", rows[i].text);
	}
}
END_TEST

UNIT_MAIN("addr", private_addresses, sizes_without_padding, addr_text_round_trip, addr_v4_is_the_mapped_form,
	  addr_malformed, addr_order, endpoint_text_round_trip, endpoint_malformed, tuple_reverse,
	  prefix_contains, prefix_malformed)
