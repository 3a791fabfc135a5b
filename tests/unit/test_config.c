/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration file: what is accepted and what it means, each mistake with its
 * exact message, and that example and manual page name every key.
 */
#include "daemon/config.h"
#include "daemon/sandbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"

#define WEB "[service web]\naddress = 192.0.2.0/24\nport = 80\n"

static char messages[16384];
static int message_count;

static void collect(void *ctx, const char *message)
{
	size_t len = strlen(messages);

	(void)ctx;
	message_count++;
	snprintf(messages + len, sizeof(messages) - len, "%s\n", message);
}

static struct config *parse(const char *text)
{
	messages[0] = 0;
	message_count = 0;
	return config_parse("f", text, strlen(text), collect, NULL);
}

static struct config *good(const char *text)
{
	struct config *c = parse(text);

	ck_assert_msg(c != NULL, "refused: %s", messages);
	ck_assert_str_eq(messages, "");
	return c;
}

/* `text` is refused with these messages, and no other. */
static void bad(const char *text, const char *expected)
{
	struct config *c = parse(text);

	ck_assert_str_eq(messages, expected);
	ck_assert_ptr_null(c);
}

/* A wrong line on line 2 of [proxy], [mptcp], or line 4 of a service. */
static void bad_proxy(const char *line, const char *expected)
{
	char text[1024], message[1024];

	snprintf(text, sizeof(text), "[proxy]\n%s\n" WEB, line);
	snprintf(message, sizeof(message), "f:2: [proxy] %s\n", expected);
	bad(text, message);
}

static void bad_mptcp(const char *line, const char *expected)
{
	char text[1024], message[1024];

	snprintf(text, sizeof(text), "[mptcp]\n%s\n" WEB, line);
	snprintf(message, sizeof(message), "f:2: [mptcp] %s\n", expected);
	bad(text, message);
}

static void bad_service(const char *line, const char *expected)
{
	char text[1024], message[1024];

	snprintf(text, sizeof(text), WEB "%s\n", line);
	snprintf(message, sizeof(message), "f:4: [service web] %s\n", expected);
	bad(text, message);
}

START_TEST(test_defaults)
{
	struct config *c = good(WEB);
	const struct proxy_service *s = &c->proxy.services[0];

	ck_assert_uint_eq(c->proxy.service_count, 1);
	ck_assert_uint_eq(c->proxy.max_connections, 100000);
	ck_assert_uint_eq(c->proxy.max_half_open, 50000);
	ck_assert_uint_eq(c->proxy.stateless_half_open, 25000);
	ck_assert_uint_eq(c->proxy.max_per_source, 0);
	ck_assert_uint_eq(c->proxy.memory_bytes, 1u << 30);
	ck_assert_uint_eq(c->workers, config_auto_workers());
	ck_assert_str_eq(c->device, "mptcp0");
	ck_assert_uint_eq(c->queue, 4210);
	ck_assert_uint_eq(c->mark, 0x4d500000);
	ck_assert_uint_eq(c->mark_mask, 0xfff00000);
	ck_assert_str_eq(c->control, "/run/mptcp-proxyd/control.sock");
	ck_assert_int_eq(c->log_level, LOG_LEVEL_INFO);
	ck_assert_uint_eq(c->drain_timeout_us, 30000000);
	ck_assert(c->seccomp == sandbox_available());
	ck_assert_str_eq(s->name, "web");
	ck_assert_uint_eq(s->prefix_count, 1);
	ck_assert_uint_eq(s->prefixes[0].len, 24);
	ck_assert_uint_eq(s->port_count, 1);
	ck_assert_uint_eq(s->ports[0].first, 80);
	ck_assert_uint_eq(s->ports[0].last, 80);
	ck_assert(s->upstream_original);
	ck_assert_int_eq(s->handshake, PROXY_CONNECT_FIRST);
	ck_assert_int_eq(s->source, PROXY_SOURCE_CLIENT);
	ck_assert(!s->mptcp.checksum);
	ck_assert(s->mptcp.tcp.ecn);
	ck_assert(!s->mptcp.tcp.timestamps);
	ck_assert_uint_eq(s->mptcp.max_subflows, 8);
	ck_assert_str_eq(s->mptcp.tcp.cc->name, "auto");
	ck_assert_str_eq(s->mptcp.sched->name, "blest");
	config_free(c);
}
END_TEST

START_TEST(test_everything)
{
	struct config *c = good(
		"; a comment\n"
		"# another\n"
		"[service one]  ; before the sections that it inherits from\r\n"
		"address = 192.0.2.0/24, 2001:db8:1::/64 ; both families\n"
		"port = 80, 443,\n"
		"       8000-8999\n"
		"\n"
		"  [proxy]\n"
		"  workers = auto\n"
		"  max_connections = 10\n"
		"memory=64m\n"
		"max_per_source = 7\n"
		"syn_cookies = off\n"
		"handshake: accept-first\n"
		"step_aside = never\n"
		"source = gateway\n"
		"device = mp-1.0_a\n"
		"queue = 0\n"
		"mark = 0x10/0xf0\n"
		"control = /tmp/a socket\n"
		"metrics =\n"
		"drain_timeout = 0\n"
		"log = debug\n"
		"seccomp = no\n"
		"[mptcp]\n"
		"versions = 1\n"
		"checksum = always\n"
		"ecn = off\n"
		"timestamps = on\n"
		"max_subflows = 3\n"
		"congestion_control = reno\n"
		"scheduler = cost\n"
		"[service two.b-2_]\n"
		"address = 2001:db8:2::5\n"
		"port = 1-65535\n"
		"upstream = [2001:db8::1]:8080\n"
		"proxy_protocol = off\n"
		"handshake = connect-first\n"
		"source = client\n"
		"versions = 0,1\n"
		"checksum = on-request\n"
		"timestamps = off\n"
		"max_subflows = 32\n"
		"congestion_control = cubic\n"
		"scheduler = redundant");
	const struct proxy_service *one = &c->proxy.services[0], *two = &c->proxy.services[1];
	char buf[IP_ENDPOINT_STRLEN];

	ck_assert_uint_eq(c->proxy.service_count, 2);
	ck_assert_uint_eq(c->proxy.max_connections, 10);
	ck_assert_uint_eq(c->proxy.max_half_open, 1024);
	ck_assert_uint_eq(c->proxy.memory_bytes, 64u << 20);
	ck_assert_uint_eq(c->proxy.max_per_source, 7);
	ck_assert_uint_eq(c->proxy.stateless_half_open, UINT32_MAX);
	ck_assert_str_eq(c->device, "mp-1.0_a");
	ck_assert_uint_eq(c->queue, 0);
	ck_assert_uint_eq(c->mark, 0x10);
	ck_assert_uint_eq(c->mark_mask, 0xf0);
	ck_assert_str_eq(c->control, "/tmp/a socket");
	ck_assert_uint_eq(c->drain_timeout_us, 0);
	ck_assert_int_eq(c->log_level, LOG_LEVEL_DEBUG);
	ck_assert(!c->seccomp);

	ck_assert_uint_eq(one->prefix_count, 2);
	ck_assert_uint_eq(one->port_count, 3);
	ck_assert_uint_eq(one->ports[2].first, 8000);
	ck_assert_uint_eq(one->ports[2].last, 8999);
	ck_assert(one->upstream_original);
	ck_assert_int_eq(one->handshake, PROXY_ACCEPT_FIRST);
	ck_assert_int_eq(one->source, PROXY_SOURCE_GATEWAY);
	ck_assert_uint_eq(one->mptcp.versions, MPTCP_VERSION_BIT(1));
	ck_assert(one->mptcp.checksum);
	ck_assert(!one->mptcp.tcp.ecn);
	ck_assert(one->mptcp.tcp.timestamps);
	ck_assert_uint_eq(one->mptcp.max_subflows, 3);
	ck_assert_str_eq(one->mptcp.tcp.cc->name, "reno");

	ck_assert_str_eq(two->name, "two.b-2_");
	ck_assert(!two->upstream_original);
	ck_assert_str_eq(ip_endpoint_format(&two->upstream, buf), "[2001:db8::1]:8080");
	ck_assert_int_eq(two->handshake, PROXY_CONNECT_FIRST);
	ck_assert_int_eq(two->source, PROXY_SOURCE_CLIENT);
	ck_assert_uint_eq(two->mptcp.versions, MPTCP_VERSION_BIT(0) | MPTCP_VERSION_BIT(1));
	ck_assert(!two->mptcp.checksum);
	ck_assert(!two->mptcp.tcp.ecn);
	ck_assert(!two->mptcp.tcp.timestamps);
	ck_assert_uint_eq(two->mptcp.max_subflows, 32);
	ck_assert_str_eq(two->mptcp.tcp.cc->name, "cubic");
	config_free(c);
}
END_TEST

START_TEST(test_memory)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} sizes[] = {
		{ "8M", 8u << 20 }, { "8388608", 8u << 20 }, { "1073741824", 1u << 30 },
		{ "8388608K", 8ull << 30 }, { "3000000000", 3000000000ull },
		{ "8388607T", 8388607ull << 40 },
	};
	char text[128];

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct config *c;

		snprintf(text, sizeof(text), "[proxy]\nmemory = %s\n" WEB, sizes[i].text);
		c = good(text);
		ck_assert_uint_eq(c->proxy.memory_bytes, sizes[i].bytes);
		config_free(c);
	}
}
END_TEST

/* A list over several lines, each of which may have a comment. */
START_TEST(test_commented_lists)
{
	struct config *c = good(
		"[mptcp]\n"
		"versions = 1, ; of today\n"
		"           0  ; of old\n"
		"[service web]\n"
		"address = 192.0.2.1, ; one\n"
		"; between\n"
		"\t192.0.2.2 ; another\n"
		"port = 80,\n"
		"       443,\t; TLS = on\n"
		"\n"
		"       8080 ; 8081\n");
	const struct proxy_service *s = &c->proxy.services[0];

	ck_assert_uint_eq(s->mptcp.versions, MPTCP_VERSION_BIT(0) | MPTCP_VERSION_BIT(1));
	ck_assert_uint_eq(s->prefix_count, 2);
	ck_assert_uint_eq(s->port_count, 3);
	ck_assert_uint_eq(s->ports[2].last, 8080);
	config_free(c);
	bad("[service web]\naddress = 192.0.2.1,\n  192.0.2.2;x\nport = 80\n",
	    "f:3: [service web] address: \"192.0.2.2;x\" is not an address; allowed: ADDRESS or "
	    "ADDRESS/LENGTH, IPv4 or IPv6, separated by commas\n");
}
END_TEST

START_TEST(test_proxy_mistakes)
{
	bad_proxy("workers = 65",
		  "workers: 65 is out of range; allowed: auto or 1 to 64");
	bad_proxy("workers = 0", "workers: 0 is out of range; allowed: auto or 1 to 64");
	bad_proxy("workers = many",
		  "workers: \"many\" is not a whole number; allowed: auto or 1 to 64");
	bad_proxy("workers =", "workers: the value is empty; allowed: auto or 1 to 64");
	bad("[proxy]\nworkers = 4\nqueue = 65533\n" WEB, "f: [proxy] queue: 65533 is too high "
	    "for the queues of 4 workers; allowed: 0 to 65532\n");
	bad_proxy("max_connections = 0",
		  "max_connections: 0 is out of range; allowed: 1 to 10000000");
	bad_proxy("max_connections = -1",
		  "max_connections: \"-1\" is not a whole number; allowed: 1 to 10000000");
	bad_proxy("max_connections = 99999999999999999999999",
		  "max_connections: \"99999999999999999999999\" is not a whole number; "
		  "allowed: 1 to 10000000");
	bad_proxy("memory = 1X",
		  "memory: \"1X\" is not a size; allowed: 8M or more, as bytes or with K, M, G or T");
	bad_proxy("memory = 1MB", "memory: \"1MB\" is not a size; allowed: 8M or more, as bytes or "
		  "with K, M, G or T");
	bad_proxy("memory = 4M",
		  "memory: 4M is out of range; allowed: 8M or more, as bytes or with K, M, G or T");
	bad_proxy("memory = 8388607", "memory: 8388607 is out of range; allowed: 8M or more, as "
		  "bytes or with K, M, G or T");
	bad_proxy("memory = 16777216T", "memory: 16777216T is out of range; allowed: 8M or more, "
		  "as bytes or with K, M, G or T");
	bad_proxy("handshake = first", "handshake: \"first\" is not a value of this key; "
		  "allowed: connect-first or accept-first");
	bad_proxy("step_aside = learn",
		  "step_aside: \"learn\" is not supported by this version; allowed: never");
	bad_proxy("step_aside = always",
		  "step_aside: \"always\" is not a value of this key; allowed: never");
	bad_proxy("source = server", "source: \"server\" is not a value of this key; "
		  "allowed: client or gateway");
	bad_proxy("device = a/b", "device: \"a/b\" is not a device name; allowed: 1 to 15 letters, "
		  "digits, \"_\", \".\" or \"-\"");
	bad_proxy("device = abcdefghijklmnop", "device: \"abcdefghijklmnop\" is too long for a "
		  "device name; allowed: 1 to 15 letters, digits, \"_\", \".\" or \"-\"");
	bad_proxy("device = all", "device: \"all\" cannot be the name of a device; allowed: 1 to "
		  "15 letters, digits, \"_\", \".\" or \"-\"");
	bad_proxy("queue = 65536", "queue: 65536 is out of range; allowed: 0 to 65535");
	bad_proxy("mark = 0", "mark: the mark is zero, like that of any other packet; "
		  "allowed: MARK or MARK/MASK, as 0x4d500000/0xfff00000");
	bad_proxy("mark = 0x11/0x10", "mark: 0x00000011 has bits outside its mask 0x00000010; "
		  "allowed: MARK or MARK/MASK, as 0x4d500000/0xfff00000");
	bad_proxy("mark = 0x1ffffffff", "mark: \"0x1ffffffff\" is not a mark; "
		  "allowed: MARK or MARK/MASK, as 0x4d500000/0xfff00000");
	bad_proxy("control = run/sock", "control: \"run/sock\" is not an absolute path; "
		  "allowed: the absolute path of a socket, at most 107 bytes");
	bad_proxy("metrics = 127.0.0.1:9584", "metrics: \"127.0.0.1:9584\" is not supported by this "
		  "version; allowed: nothing");
	bad_proxy("max_per_source = many", "max_per_source: \"many\" is not a whole number; "
		  "allowed: 0 (no bound) to 10000000");
	bad_proxy("syn_cookies = yes", "syn_cookies: \"yes\" is not a value of this key; "
		  "allowed: on or off");
	bad_proxy("drain_timeout = 1d", "drain_timeout: \"1d\" is not a whole number; "
		  "allowed: 0 to 86400, in seconds");
	bad_proxy("seccomp = on", "seccomp: \"on\" is not a value of this key; "
		  "allowed: yes or no");
	bad_proxy("log = loud", "log: \"loud\" is not a value of this key; "
		  "allowed: error, warning, notice, info, debug or trace");
}
END_TEST

START_TEST(test_mptcp_mistakes)
{
	bad_mptcp("versions = 2", "versions: \"2\" is not a value of this key; allowed: 0 and 1");
	bad_mptcp("versions = 1 0", "versions: \"1 0\" is not a value of this key; "
		  "allowed: 0 and 1");
	bad_mptcp("versions = ,", "versions: the value is empty; allowed: 0 and 1");
	bad_mptcp("checksum = never", "checksum: \"never\" is not a value of this key; "
		  "allowed: on-request or always");
	bad_mptcp("timestamps = no",
		  "timestamps: \"no\" is not a value of this key; allowed: on or off");
	bad_mptcp("ecn = yes", "ecn: \"yes\" is not a value of this key; allowed: on or off");
	bad_mptcp("max_subflows = 33",
		  "max_subflows: 33 is out of range; allowed: 1 to 32");
	bad_mptcp("congestion_control = vegas", "congestion_control: \"vegas\" is not a value of "
		  "this key; allowed: auto, lia, olia, balia, cubic or reno");
	bad_mptcp("scheduler = best", "scheduler: \"best\" is not a value of this key; "
		  "allowed: blest, minrtt, roundrobin, redundant or cost");
}
END_TEST

/* Each name, for all services and for one. */
START_TEST(test_congestion_control)
{
	static const char *const names[] = { "auto", "lia", "olia", "balia", "cubic", "reno" };
	struct config *c = good(WEB);
	char text[256];

	config_free(c);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(text, sizeof(text), "[mptcp]\ncongestion_control = %s\n" WEB, names[i]);
		c = good(text);
		ck_assert_str_eq(c->proxy.services[0].mptcp.tcp.cc->name, names[i]);
		config_free(c);
		snprintf(text, sizeof(text), "[mptcp]\ncongestion_control = reno\n" WEB
			 "congestion_control = %s\n", names[i]);
		c = good(text);
		ck_assert_str_eq(c->proxy.services[0].mptcp.tcp.cc->name, names[i]);
		config_free(c);
	}
}
END_TEST

START_TEST(test_service_mistakes)
{
	bad_service("upstream = web.example", "upstream: \"web.example\" is not an address with a "
		    "port; allowed: original, ADDRESS:PORT or [ADDRESS]:PORT");
	bad_service("upstream = 192.0.2.1:0", "upstream: \"192.0.2.1:0\" is not an address with a "
		    "port; allowed: original, ADDRESS:PORT or [ADDRESS]:PORT");
	bad_service("upstream = [2001:db8::1]:80", "upstream: an IPv6 server cannot be reached from "
		    "the address of an IPv4 client; allowed: a server of the same family, or "
		    "source = gateway");
	bad_service("proxy_protocol = v2",
		    "proxy_protocol: \"v2\" is not supported by this version; allowed: off");
	bad_service("proxy_protocol = on",
		    "proxy_protocol: \"on\" is not a value of this key; allowed: off");
	bad_service("port = 81",
		    "port: the key is here for the second time; allowed: once");
	bad_service("    x", "port: \"x\" is not a port; allowed: 1 to 65535 or FIRST-LAST, "
		    "separated by commas");
	bad_service("address = 192.0.2.0/24",
		    "address: the key is here for the second time; allowed: once");
	bad_service("sheduler = minrtt",
		    "sheduler: no such key here, did you mean \"scheduler\"?; allowed: handshake, "
		    "source, versions, checksum, timestamps, max_subflows, congestion_control, scheduler, join_service, "
		    "address, port, "
		    "upstream, proxy_protocol");
	bad_service("queue = 1", "queue: no such key here, it belongs in [proxy]; allowed: "
		    "handshake, source, versions, checksum, timestamps, max_subflows, congestion_control, scheduler, join_service, "
		    "address, port, upstream, proxy_protocol");
	bad(WEB "handshake = accept-first\n    now\n    or never\n",
	    "f:5: [service web] handshake: the value cannot go on over several lines; "
	    "allowed: connect-first or accept-first\n");
}
END_TEST

static void bad_address(const char *value, const char *expected)
{
	char text[1024], message[1024];

	snprintf(text, sizeof(text), "[service a]\nport = 80\naddress = %s\n", value);
	snprintf(message, sizeof(message), "f:3: [service a] address: %s; allowed: ADDRESS or "
		 "ADDRESS/LENGTH, IPv4 or IPv6, separated by commas\n", expected);
	bad(text, message);
}

static void bad_port(const char *value, const char *expected)
{
	char text[1024], message[1024];

	snprintf(text, sizeof(text), "[service a]\naddress = ::1\nport = %s\n", value);
	snprintf(message, sizeof(message), "f:3: [service a] port: %s; allowed: 1 to 65535 or "
		 "FIRST-LAST, separated by commas\n", expected);
	bad(text, message);
}

START_TEST(test_lists)
{
	bad_address("", "the value is empty");
	bad_address("localhost", "\"localhost\" is not an address");
	bad_address("192.0.2.1/24", "\"192.0.2.1/24\" has host bits set; did you mean 192.0.2.0/24?");
	bad_address("2001:db8::1/64",
		    "\"2001:db8::1/64\" has host bits set; did you mean 2001:db8::/64?");
	bad_address("192.0.2.0/33",
		    "\"192.0.2.0/33\" has a bad prefix length; it is 0 to 32");
	bad_address("::/x", "\"::/x\" has a bad prefix length; it is 0 to 128");
	bad_address("a/8", "\"a\" is not an address");
	bad_address("192.0.2.0/24, 192.0.2.5", "192.0.2.5 overlaps 192.0.2.0/24");
	bad_port("", "the value is empty");
	bad_port("0", "\"0\" is not a port");
	bad_port("http", "\"http\" is not a port");
	bad_port("65536", "\"65536\" is not a port");
	bad_port("80 443", "\"80 443\" is not a port");
	bad_port("90-80", "\"90-80\" ends before it begins");
	bad_port("80-", "\"80-\" is not a port");
	bad_port("80, 70-90", "\"70-90\" is listed already");
}
END_TEST

START_TEST(test_sections)
{
	bad("", "f: there is no [service NAME], so there is nothing to do; allowed: one or more\n");
	bad("queue = 1\n" WEB, "f:1: queue: a key before the first section; allowed: [proxy], "
	    "[mptcp], [service NAME] and [endpoint NAME]\n");
	bad("[proxy]\n[proxy]\nqueue = no\n" WEB, "f:2: [proxy] was begun on line 1 already\n");
	bad(WEB WEB, "f:4: [service web] was begun on line 1 already\n");
	bad("[proxy one]\n" WEB, "f:1: [proxy one]: there is one [proxy] only, without a name\n");
	bad("[proxi]\n" WEB, "f:1: [proxi]: no such section, did you mean \"proxy\"?; "
	    "allowed: [proxy], [mptcp], [service NAME] and [endpoint NAME]\n");
	bad("[global]\nx = 1\n  y\n" WEB, "f:1: [global]: no such section; "
	    "allowed: [proxy], [mptcp], [service NAME] and [endpoint NAME]\n");
	bad(WEB "[service]\n", "f:4: [service]: the service has no name; allowed: a name of 1 to 31 "
	    "letters, digits, \"_\", \".\" or \"-\"\n");
	bad(WEB "[service a b]\n", "f:4: [service a b]: not a name; allowed: a name of 1 to 31 "
	    "letters, digits, \"_\", \".\" or \"-\"\n");
	bad("[proxy\n" WEB, "f:1: the section's name is not closed by \"]\"\n");
	bad("[proxy] queue = 1\n" WEB, "f:1: more than a section's name on the line\n");
	bad("[service empty]\n" WEB, "f:1: [service empty] address: the key is missing\n"
	    "f:1: [service empty] port: the key is missing\n");
	bad("[proxy]\nqueue\n" WEB,
	    "f:2: neither \"[section]\", \"key = value\" nor a comment\n");
	bad(WEB "junk", "f:4: neither \"[section]\", \"key = value\" nor a comment\n");
}
END_TEST

START_TEST(test_endpoints)
{
	struct config *c = parse("[mptcp]\njoin_service = no\n" WEB
		"[endpoint lte]\naddress = 198.51.100.7\nport = 4430\nbackup = yes\n"
		"[endpoint nat]\naddress = 2001:db8::7\nlocal = 10.0.0.7:4431\n");
	const struct proxy_endpoint *e = c->proxy.endpoints;
	char buf[IP_ENDPOINT_STRLEN];

	ck_assert(c->proxy.services[0].mptcp.no_join_initial);
	ck_assert_uint_eq(c->proxy.endpoint_count, 2);
	ck_assert_str_eq(e[0].name, "lte");
	ck_assert_str_eq(ip_endpoint_format(&e[0].ep.announced, buf), "198.51.100.7:4430");
	ck_assert_str_eq(ip_endpoint_format(&e[0].ep.local, buf), "198.51.100.7:4430");
	ck_assert(e[0].ep.backup);
	ck_assert_str_eq(ip_endpoint_format(&e[1].ep.announced, buf), "[2001:db8::7]:0");
	ck_assert_str_eq(ip_endpoint_format(&e[1].ep.local, buf), "10.0.0.7:4431");
	ck_assert(!e[1].ep.backup);
	config_free(c);
}
END_TEST

static void bad_endpoint(const char *lines, const char *what)
{
	char text[512], want[512];

	snprintf(text, sizeof(text), WEB "[endpoint lte]\n%s\n", lines);
	snprintf(want, sizeof(want), "f:%s\n", what);
	bad(text, want);
}

START_TEST(test_endpoint_mistakes)
{
	static const char name[] = "a name of 1 to 31 letters, digits, \"_\", \".\" or \"-\"";
	char many[1024] = WEB, want[256];

	bad_endpoint("", "4: [endpoint lte] address: the key is missing");
	bad_endpoint("address = 192.0.2.0/24", "5: [endpoint lte] address: \"192.0.2.0/24\" is not "
		     "an address; allowed: one address, IPv4 or IPv6");
	bad_endpoint("address = 127.0.0.1", "5: [endpoint lte] address: clients cannot connect to "
		     "127.0.0.1; allowed: one address, IPv4 or IPv6");
	bad_endpoint("address = fe80::1", "5: [endpoint lte] address: clients cannot connect to "
		     "fe80::1; allowed: one address, IPv4 or IPv6");
	bad_endpoint("address = 198.51.100.7\nport = 0", "6: [endpoint lte] port: 0 is out of range; "
		     "allowed: 1 to 65535");
	bad_endpoint("address = 198.51.100.7\nport = 80, 81", "6: [endpoint lte] port: \"80, 81\" is "
		     "not a whole number; allowed: 1 to 65535");
	bad_endpoint("address = 198.51.100.7\nbackup = maybe", "6: [endpoint lte] backup: \"maybe\" "
		     "is not a value of this key; allowed: yes or no");
	bad_endpoint("address = 198.51.100.7\nlocal = 10.0.0.7:0", "6: [endpoint lte] local: "
		     "\"10.0.0.7:0\" has the port 0; allowed: ADDRESS, ADDRESS:PORT or "
		     "[ADDRESS]:PORT");
	bad_endpoint("address = 198.51.100.7\nupstream = original", "6: [endpoint lte] upstream: no "
		     "such key here, it belongs in [service NAME]; allowed: address, port, local, "
		     "backup");
	bad_endpoint("address = 198.51.100.7\n[endpoint lte]\n", "6: [endpoint lte] was begun on "
		     "line 4 already");
	bad_endpoint("address = 198.51.100.7\n[endpoint b]\naddress = 198.51.100.7\nport = 1",
		     "7: [endpoint b] address: 198.51.100.7 belongs to [endpoint lte] too (line 5); "
		     "allowed: one endpoint for each address and port");
	bad_endpoint("address = 198.51.100.7\n[endpoint b]\naddress = 198.51.100.8\n"
		     "local = 198.51.100.7", "6: [endpoint b] local: joins to 198.51.100.7 belong to "
		     "[endpoint lte] too (line 4); allowed: one endpoint for each address and port");
	snprintf(want, sizeof(want), "f:4: [endpoint]: the endpoint has no name; allowed: %s\n", name);
	bad(WEB "[endpoint]\n", want);
	for (int i = 0; i < 9; i++)
		sprintf(many + strlen(many), "[endpoint e%d]\naddress = 198.51.100.%d\n", i, i);
	bad(many, "f:20: [endpoint e8]: one endpoint too many; allowed: 8\n");
}
END_TEST

START_TEST(test_overlap)
{
	bad(WEB "[service b]\naddress = 198.51.100.0/24, 192.0.2.128/25\nport = 443, 70-90\n",
	    "f:5: [service b] address: 192.0.2.128/25 port 80 belongs to [service web] too "
	    "(192.0.2.0/24, line 2); allowed: one service for each address and port\n");
	config_free(good(WEB "[service b]\naddress = 192.0.2.0/24\nport = 81\n"));
	config_free(good(WEB "[service b]\naddress = ::/0\nport = 80\n"));
}
END_TEST

START_TEST(test_all_told)
{
	char *long_line;

	bad("[proxy]\nqueue = x\nmemroy = 1G\nhandshake = fast\n[service web]\nport = 99999\n",
	    "f:2: [proxy] queue: \"x\" is not a whole number; allowed: 0 to 65535\n"
	    "f:3: [proxy] memroy: no such key here, did you mean \"memory\"?; allowed: workers, "
	    "max_connections, max_per_source, memory, syn_cookies, handshake, step_aside, source, device, queue, mark, control, "
	    "metrics, drain_timeout, log, seccomp\n"
	    "f:4: [proxy] handshake: \"fast\" is not a value of this key; allowed: connect-first "
	    "or accept-first\n"
	    "f:6: [service web] port: \"99999\" is not a port; allowed: 1 to 65535 or FIRST-LAST, "
	    "separated by commas\n"
	    "f:5: [service web] address: the key is missing\n");

	long_line = calloc(1, 20000);
	ck_assert_ptr_nonnull(long_line);
	strcpy(long_line, WEB);
	memset(long_line + strlen(WEB), 'x', 10000);
	ck_assert_ptr_null(parse(long_line));
	ck_assert_ptr_nonnull(strstr(messages, "f:4: the line is longer than "));
	ck_assert_int_eq(message_count, 1);

	/* There is an end to it. */
	for (int i = 0; i < 9999; i++)
		long_line[i] = i % 2 ? '\n' : 'x';
	long_line[9999] = 0;
	ck_assert_ptr_null(parse(long_line));
	ck_assert_int_eq(message_count, CONFIG_MAX_ERRORS);
	ck_assert_ptr_nonnull(strstr(messages, "too many mistakes; the rest is not told\n"));
	free(long_line);

	messages[0] = 0;
	ck_assert_ptr_null(config_parse("f", "[proxy]\nlog\0= info\n" WEB,
					sizeof("[proxy]\nlog\0= info\n" WEB) - 1, collect, NULL));
	ck_assert_str_eq(messages, "f:2: a NUL byte\n");
}
END_TEST

START_TEST(test_files)
{
	char name[] = "/tmp/test_config.XXXXXX";
	int fd = mkstemp(name);
	struct config *c;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, WEB, sizeof(WEB) - 1), sizeof(WEB) - 1);
	messages[0] = 0;
	c = config_load(name, collect, NULL);
	ck_assert_msg(c != NULL, "refused: %s", messages);
	ck_assert_uint_eq(c->proxy.service_count, 1);
	config_free(c);
	ck_assert_int_eq(ftruncate(fd, CONFIG_MAX_BYTES), 0);
	ck_assert_ptr_null(config_load(name, collect, NULL));
	ck_assert_ptr_null(strstr(messages, "longer than"));
	ck_assert_int_eq(ftruncate(fd, CONFIG_MAX_BYTES + 1), 0);
	messages[0] = 0;
	ck_assert_ptr_null(config_load(name, collect, NULL));
	ck_assert_ptr_nonnull(strstr(messages, ": the file is longer than "));
	close(fd);
	unlink(name);

	messages[0] = 0;
	ck_assert_ptr_null(config_load("/nonexistent/f", collect, NULL));
	ck_assert_str_eq(messages, "/nonexistent/f: No such file or directory\n");
	messages[0] = 0;
	ck_assert_ptr_null(config_load("/", collect, NULL));
	ck_assert_str_eq(messages, "/: Is a directory\n");
}
END_TEST

/* What is like no key gets no proposal. */
START_TEST(test_proposals)
{
	ck_assert_ptr_null(parse("[proxy]\nmrak = 1\n" WEB));
	ck_assert_ptr_nonnull(strstr(messages, "did you mean \"mark\"?"));
	ck_assert_ptr_null(parse("[proxy]\nfoo = 1\n" WEB));
	ck_assert_ptr_null(strstr(messages, "did you mean"));
}
END_TEST

START_TEST(test_restart_keys)
{
	struct config *a = good(WEB);
	struct config *b = good("[proxy]\nqueue = 1\nmark = 1\nlog = debug\nseccomp = no\n" WEB);
	char keys[128];

	ck_assert_int_eq(config_restart_keys(a, a, keys, sizeof(keys)), 0);
	ck_assert_int_eq(config_restart_keys(a, b, keys, sizeof(keys)), sandbox_available() ? 3 : 2);
	ck_assert_str_eq(keys, sandbox_available() ? "queue, mark, seccomp" : "queue, mark");
	config_free(a);
	config_free(b);
}
END_TEST

static char *slurp(const char *path)
{
	const char *srcdir = getenv("srcdir");
	char full[4096];
	char *text = calloc(1, 1 << 17);
	FILE *f;

	snprintf(full, sizeof(full), "%s/%s", srcdir ? srcdir : ".", path);
	f = fopen(full, "r");
	ck_assert_msg(f && text, "cannot read %s", full);
	ck_assert_uint_gt(fread(text, 1, (1 << 17) - 1, f), 0);
	fclose(f);
	return text;
}

/* `word` stands between `from` and the next `to`. */
static bool is_listed(const char *text, const char *from, const char *to, const char *word)
{
	const char *begin = strstr(text, from), *end = begin ? strstr(begin, to) : NULL;
	const char *at = begin ? strstr(begin, word) : NULL;

	ck_assert_msg(end != NULL, "there is no \"%s\"", from);
	return at && at < end;
}

/* What a service may set for itself is listed as such. */
START_TEST(test_overrides_documented)
{
	char *man = slurp("man/mptcp-proxyd.conf.5"), *example = slurp("conf/mptcp-proxyd.conf");

	for (const struct config_key *k = config_keys; k->name; k++) {
		if (!(k->sections & CONFIG_SERVICE) || k->sections == CONFIG_SERVICE)
			continue;
		ck_assert_msg(is_listed(man, "a service may set", "for itself", k->name),
			      "%s is not in the manual page's list", k->name);
		ck_assert_msg(is_listed(example, "; A service may have its own", "\n\n", k->name),
			      "%s is not in the example's list", k->name);
	}
	free(example);
	free(man);
}
END_TEST

/* Every key is in the manual page, once for each section, with nothing else; and in the example. */
START_TEST(test_documented)
{
	char *man = slurp("man/mptcp-proxyd.conf.5"), *example = slurp("conf/mptcp-proxyd.conf");
	char *uncommented = calloc(1, strlen(example) + 1), *to = uncommented;
	int keys = 0, entries = 0;
	char pattern[64];

	for (const char *at = man; (at = strstr(at, "\n.BI \"")); at++)
		entries++;
	for (const struct config_key *k = config_keys; k->name; k++) {
		keys++;
		snprintf(pattern, sizeof(pattern), "\n.BI \"%s = \"", k->name);
		ck_assert_msg(strstr(man, pattern) != NULL, "%s is not in the manual page",
			      k->name);
		snprintf(pattern, sizeof(pattern), "%s = ", k->name);
		ck_assert_msg(strstr(example, pattern) != NULL, "%s is not in the example",
			      k->name);
	}
	ck_assert_int_eq(entries, keys);
	config_free(good(example));

	/* Its commented-out keys (";key = value") are right as well. */
	for (char *line = strtok(example, "\n"); line; line = strtok(NULL, "\n"))
		to += sprintf(to, "%s\n", line + (line[0] == ';' && line[1] != ' '));
	config_free(good(uncommented));
	free(uncommented);
	free(example);
	free(man);
}
END_TEST

UNIT_MAIN("config", test_defaults, test_everything, test_memory, test_commented_lists,
	  test_proxy_mistakes, test_mptcp_mistakes,
	  test_congestion_control, test_service_mistakes, test_lists, test_sections, test_endpoints, test_endpoint_mistakes, test_overlap,
	  test_all_told, test_files, test_proposals, test_restart_keys, test_overrides_documented, test_documented)
