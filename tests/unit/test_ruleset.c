// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The text of the netfilter rules: which elements the sets get, that intervals never
 * overlap, and the parts that depend on the configuration.
 */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "daemon/ruleset.h"

#define ALL_MAX 8

static struct ip_prefix prefixes[ALL_MAX];
static struct port_range ports[ALL_MAX];
static struct proxy_service services[ALL_MAX];
static struct ruleset_config config;

static void reset(void)
{
	memset(services, 0, sizeof(services));
	config = (struct ruleset_config){
		.services = services, .device = "mptcp0", .queue = 4210, .queue_count = 1,
		.mark = 0x4d500000, .mark_mask = 0xfff00000, .flow_max = 1000,
	};
}

/* One more service, with one prefix and one range. */
static struct proxy_service *add(const char *prefix, uint16_t first, uint16_t last)
{
	size_t i = config.service_count++;

	ck_assert_int_eq(ip_prefix_parse(prefix, &prefixes[i]), 0);
	ports[i] = (struct port_range){ first, last };
	services[i].prefixes = &prefixes[i];
	services[i].prefix_count = 1;
	services[i].ports = &ports[i];
	services[i].port_count = 1;
	services[i].upstream_original = true;
	return &services[i];
}

/* The caller frees the text. */
static char *text_of(enum ruleset_queue how)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	ck_assert_ptr_nonnull(out);
	ruleset_print(out, &config, how);
	ck_assert_int_eq(fclose(out), 0);
	return text;
}

/* The elements of a set in one line, without white space; "" if it has none. */
static const char *elements(const char *set)
{
	static char out[4096];
	char name[64], *text = text_of(RULESET_QUEUE_NFT), *at, *end, *to = out;

	snprintf(name, sizeof(name), "\tset %s {", set);
	at = strstr(text, name);
	ck_assert_ptr_nonnull(at);
	end = strstr(at, "\n\t}");
	ck_assert_ptr_nonnull(end);
	*end = '\0';
	at = strstr(at, "elements = {");
	if (at) {
		for (at += strlen("elements = {"); *at != '}'; at++)
			if (*at != ' ' && *at != '\t' && *at != '\n')
				*to++ = *at;
	}
	*to = '\0';
	free(text);
	return out;
}

static void expect_text(enum ruleset_queue how, const char *part, bool there)
{
	char *text = text_of(how);

	ck_assert_msg(!!strstr(text, part) == there, "%s: %s", there ? "missing" : "unexpected",
		      part);
	free(text);
}

START_TEST(sets)
{
	reset();
	add("192.0.2.0/24", 80, 80);
	add("192.0.2.7", 8000, 8999);
	add("2001:db8::/32", 443, 443);
	ck_assert_str_eq(elements("services4"), "192.0.2.0/24.80,192.0.2.7.8000-8999");
	ck_assert_str_eq(elements("services6"), "2001:db8::/32.443");
	ck_assert_str_eq(elements("upstreams4"), "192.0.2.0/24");
	ck_assert_str_eq(elements("servers4"), "192.0.2.0/24.80,192.0.2.7.8000-8999");
	ck_assert_str_eq(elements("hosts4"), "192.0.2.0/24");
	ck_assert_str_eq(elements("hosts6"), "2001:db8::/32");
	ck_assert_str_eq(elements("flows4"), "");
}
END_TEST

START_TEST(no_services)
{
	reset();
	ck_assert_str_eq(elements("services4"), "");
	ck_assert_str_eq(elements("services6"), "");
	expect_text(RULESET_QUEUE_NFT, "elements", false);
}
END_TEST

START_TEST(overlaps)
{
	reset();
	/* The same prefix: ranges that overlap, touch, or repeat become one. */
	add("192.0.2.0/24", 80, 90);
	add("192.0.2.0/24", 85, 99);
	add("192.0.2.0/24", 100, 100);
	add("192.0.2.0/24", 80, 90);
	ck_assert_str_eq(elements("services4"), "192.0.2.0/24.80-100");
	/* Inside a wider prefix only what that one has not. */
	add("192.0.2.128/25", 90, 110);
	add("192.0.2.129", 95, 105);
	ck_assert_str_eq(elements("services4"),
			 "192.0.2.0/24.80-100,192.0.2.128/25.101-110");
	ck_assert_str_eq(elements("hosts4"), "192.0.2.0/24");
	/* All ports of the whole family. */
	add("0.0.0.0/0", 1, 65535);
	ck_assert_str_eq(elements("services4"), "0.0.0.0/0.1-65535");
	/* ... which says nothing about the other one. */
	add("::/0", 65535, 65535);
	ck_assert_str_eq(elements("services6"), "::/0.65535");
}
END_TEST

START_TEST(holes)
{
	reset();
	add("198.51.100.1", 1, 1000);
	add("198.51.100.0/24", 200, 300);
	ck_assert_str_eq(elements("services4"),
			 "198.51.100.0/24.200-300,198.51.100.1.1-199,198.51.100.1.301-1000");
}
END_TEST

START_TEST(upstream_and_endpoints)
{
	static struct proxy_endpoint endpoints[2];
	struct proxy_service *s;

	reset();
	s = add("192.0.2.1", 443, 443);
	s->upstream_original = false;
	ck_assert_int_eq(ip_endpoint_parse("[2001:db8::5]:8443", &s->upstream), 0);
	ck_assert_int_eq(ip_endpoint_parse("198.51.100.7:4430", &endpoints[0].ep.local), 0);
	ck_assert_int_eq(ip_endpoint_parse("[2001:db8:9::1]:1", &endpoints[1].ep.local), 0);
	endpoints[1].ep.local.port = 0;
	config.endpoints = endpoints;
	config.endpoint_count = 2;
	ck_assert_str_eq(elements("services4"), "192.0.2.1.443,198.51.100.7.4430");
	ck_assert_str_eq(elements("services6"), "2001:db8:9::1.1-65535");
	ck_assert_str_eq(elements("upstreams4"), "");
	ck_assert_str_eq(elements("upstreams6"), "2001:db8::5");
}
END_TEST

START_TEST(marks_and_queues)
{
	reset();
	add("192.0.2.0/24", 80, 80);
	expect_text(RULESET_QUEUE_NFT, "meta mark set meta mark and 0x000fffff or 0x4d500000", true);
	/* After and before all other chains; what is between sees the other destination. */
	expect_text(RULESET_QUEUE_NFT, "hook prerouting priority 2147483647\n\t\tpolicy accept\n"
		    "\t\tmeta mark and 0xfff00000 == 0x4d500000 goto hide\n", true);
	expect_text(RULESET_QUEUE_NFT, "hook input priority -2147483648\n\t\tpolicy accept\n"
		    "\t\tmeta mark and 0xfff00000 == 0x4d500000 goto restore\n", true);
	expect_text(RULESET_QUEUE_NFT, "meta nfproto ipv4 meta priority set @nh,128,32 "
		    "@nh,128,32 set 0xc0000008\n", true);
	expect_text(RULESET_QUEUE_NFT, "in chain restore4: @nh,128,32 set meta priority\n", true);
	expect_text(RULESET_QUEUE_NFT, "meta nfproto ipv6 meta priority set @nh,192,32 "
		    "@nh,192,32 set 0x3fff0d50\n", true);
	expect_text(RULESET_QUEUE_NFT, "in chain restore6: @nh,192,32 set meta priority\n", true);
	expect_text(RULESET_QUEUE_NFT, "meta mark 0x4d500000 meta l4proto tcp @th,104,8 and 0xdf == 0 "
		    "goto refresh\n", true);
	expect_text(RULESET_QUEUE_NFT, "queue flags bypass to 4210\n", true);
	expect_text(RULESET_QUEUE_NFT, "NFQUEUE", false);
	expect_text(RULESET_QUEUE_XT, "queue flags", false);
	expect_text(RULESET_QUEUE_XT, "xt target NFQUEUE: queue 4210, bypass\n", true);
	expect_text(RULESET_QUEUE_NFT, "iifname \"mptcp0\" notrack accept", true);
	config.queue_count = 4;
	expect_text(RULESET_QUEUE_NFT, "queue flags bypass to 4210\n", true);
	expect_text(RULESET_QUEUE_NFT, "queue flags bypass to 4213\n", true);
	expect_text(RULESET_QUEUE_NFT, "queue flags bypass to 4214\n", false);
	/* Buckets in turn, by the client's port: of the packet, or of the one that an error
	 * quotes. */
	expect_text(RULESET_QUEUE_NFT, "\t\tth sport and 0x7e vmap {\n\t\t\t0 : goto take0, "
		    "2 : goto take1, 4 : goto take2, 6 : goto take3, 8 : goto take0,", true);
	expect_text(RULESET_QUEUE_NFT, "126 : goto take3\n", true);
	expect_text(RULESET_QUEUE_NFT, "ip daddr @hosts4 @th,240,16 and 0x7e vmap {", true);
	expect_text(RULESET_QUEUE_NFT, "ip6 daddr @hosts6 @th,400,16 and 0x7e vmap {", true);
	expect_text(RULESET_QUEUE_XT, "chain take3, where nft cannot write it, the xt target "
		    "NFQUEUE: queue 4213, bypass\n", true);
	config.queue_count = 1;
	config.mark = 1;
	config.mark_mask = UINT32_MAX;
	expect_text(RULESET_QUEUE_NFT, "meta mark and 0x00000000 or 0x00000001", true);
}
END_TEST

START_TEST(set_sizes)
{
	reset();
	expect_text(RULESET_QUEUE_NFT, "size 1000\n", true);
	expect_text(RULESET_QUEUE_NFT, "timeout 3600s\n", true);
	config.flow_timeout_s = 60;
	config.flow_max = 7;
	expect_text(RULESET_QUEUE_NFT, "size 7\n", true);
	expect_text(RULESET_QUEUE_NFT, "timeout 60s\n", true);
}
END_TEST

/* The test of ports, which must let through each that is ours, of either end. */
static void expect_ports(const char *test)
{
	char line[128];

	snprintf(line, sizeof(line), "\t\t%s%s%sjump to_service\n", *test ? "th dport " : "", test,
		 *test ? " " : "");
	expect_text(RULESET_QUEUE_NFT, line, true);
	snprintf(line, sizeof(line), "\t\t%s%s%sgoto from_server\n", *test ? "th sport " : "", test,
		 *test ? " " : "");
	expect_text(RULESET_QUEUE_NFT, line, true);
}

START_TEST(port_masks)
{
	static struct proxy_endpoint endpoint;
	struct proxy_service *s;

	reset();
	expect_ports("0");
	s = add("192.0.2.1", 443, 443);
	expect_ports("443");
	add("192.0.2.1", 440, 447);
	expect_ports("and 0xfff8 == 0x01b8");
	/* One port more, and a bit of it more. */
	add("192.0.2.1", 448, 448);
	expect_ports("and 0xff80 == 0x0180");
	/* Where the server listens, if elsewhere. */
	s->upstream_original = false;
	ck_assert_int_eq(ip_endpoint_parse("198.51.100.7:8443", &s->upstream), 0);
	expect_ports("and 0xc000 == 0x0000");
	/* An endpoint without a port takes joins at the services' own, */
	ck_assert_int_eq(ip_endpoint_parse("198.51.100.7:1", &endpoint.ep.local), 0);
	endpoint.ep.local.port = 0;
	config.endpoints = &endpoint;
	config.endpoint_count = 1;
	expect_ports("and 0xc000 == 0x0000");
	/* or where clients are told that it is. */
	endpoint.ep.announced.port = 20000;
	expect_ports("and 0x8000 == 0x0000");
	endpoint.ep.announced.port = 443;
	endpoint.ep.local.port = 20000;
	expect_ports("and 0x8000 == 0x0000");
	add("192.0.2.1", 1, 65535);
	expect_ports("");
}
END_TEST

UNIT_MAIN("daemon/ruleset", sets, no_services, overlaps, holes, upstream_and_endpoints,
	  marks_and_queues, port_masks, set_sizes)
