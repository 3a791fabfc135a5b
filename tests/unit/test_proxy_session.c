/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sessions from begin to end, in the world of proxy_world.h.
 */
#include <stdio.h>

#include "proxy_world.h"

#include "base/log.h"
#include "base/seq.h"
#include "proxy/limits.h"
#include "proxy/robbed.h"
#include "proxy/session.h"
#include "wire/bytes.h"

/* ---- connecting ----------------------------------------------------------------- */

START_TEST(refused_is_refused)
{
	struct packet p;

	world_begin(PROXY_CONNECT_FIRST);
	client_open();
	run(5000);
	ck_assert_int_eq(w.opened, 1);
	ck_assert(w.server[0].has_from);
	ck_assert_int_eq(w.server[0].from.port, 4000);
	ck_assert_int_eq(w.server[0].to.port, 80);
	ck_assert_uint_eq(w.down.count, 0);
	connected(0, ECONNREFUSED);
	ck_assert_uint_eq(w.down.count, 1);
	ck_assert_int_eq(packet_parse(w.down.q[0].data, w.down.q[0].len, &p), 0);
	ck_assert_int_eq(p.tcp.flags, TCP_RST | TCP_ACK);
	run(SECOND);
	ck_assert(w.events & MPTCP_EVENT_RESET);
	ck_assert_uint_eq(proxy_session_count(w.proxy), 0);
	ck_assert_int_eq(w.forgotten, 1);
	ck_assert_uint_eq(count(CNT_SERVER_REFUSED), 1);
	world_end();
}
END_TEST

START_TEST(unreachable_is_told)
{
	static const struct { int error; uint8_t code; } cases[] = {
		{ EHOSTUNREACH, 1 }, { ENETUNREACH, 0 }, { EACCES, 13 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		world_begin(PROXY_CONNECT_FIRST);
		ck_assert_int_eq(give_capable("192.0.2.1:4000"), PROXY_TAKE);
		connected(0, cases[i].error);
		ck_assert_uint_gt(w.icmp_len, 28);
		ck_assert_int_eq(w.icmp[20], 3);
		ck_assert_int_eq(w.icmp[21], cases[i].code);
		ck_assert_uint_eq(w.down.count, 0);
		ck_assert_uint_eq(proxy_session_count(w.proxy), 0);
		ck_assert_uint_eq(count(CNT_SERVER_UNREACHABLE), 1);
		world_end();
	}
}
END_TEST

START_TEST(silence_is_silence)
{
	world_begin(PROXY_CONNECT_FIRST);
	ck_assert_int_eq(give_capable("192.0.2.1:4000"), PROXY_TAKE);
	run(9 * SECOND);
	ck_assert_uint_eq(proxy_session_count(w.proxy), 1);
	run(2 * SECOND);
	ck_assert_uint_eq(proxy_session_count(w.proxy), 0);
	ck_assert(w.server[0].closed);
	ck_assert_uint_eq(w.down.count, 0);
	ck_assert_uint_eq(w.icmp_len, 0);
	ck_assert_uint_eq(count(CNT_SERVER_TIMEOUT), 1);
	ck_assert_int_eq(w.forgotten, 1);
	world_end();
}
END_TEST

START_TEST(client_gives_up_while_connecting)
{
	world_begin(PROXY_CONNECT_FIRST);
	give_capable("192.0.2.1:4000");
	ck_assert_int_eq(give("192.0.2.1:4000", TCP_RST, 1001, false, 0), PROXY_TAKE);
	expect_ended(true);
	world_end();
}
END_TEST

START_TEST(handshake_is_bounded)
{
	world_begin(PROXY_CONNECT_FIRST);
	give_capable("192.0.2.1:4000");
	connected(0, 0);
	run(300 * SECOND);
	expect_ended(true);
	world_end();
}
END_TEST

START_TEST(source_may_be_the_gateway)
{
	world_begin(PROXY_CONNECT_FIRST);
	w.service.source = PROXY_SOURCE_GATEWAY;
	w.service.upstream_original = false;
	ck_assert_int_eq(ip_endpoint_parse("203.0.113.9:8080", &w.service.upstream), 0);
	give_capable("192.0.2.1:4000");
	ck_assert(!w.server[0].has_from);
	ck_assert(ip_endpoint_equal(&w.server[0].to, &w.service.upstream));
	world_end();
}
END_TEST

/* ---- passing on ----------------------------------------------------------------- */

START_TEST(others_are_passed)
{
	uint8_t data[256];
	size_t len;

	world_begin(PROXY_CONNECT_FIRST);
	ck_assert_int_eq(give("192.0.2.1:4000", TCP_SYN, 1, false, 0), PROXY_PASS);
	ck_assert_int_eq(give("192.0.2.1:4000", TCP_ACK, 1, false, 0), PROXY_PASS);
	ck_assert_int_eq(give("192.0.2.1:4000", TCP_SYN, 1, false, 99), PROXY_PASS);
	ck_assert_uint_eq(count(CNT_MP_JOIN_UNKNOWN), 1);
	w.port.first = w.port.last = 81;
	ck_assert_int_eq(give_capable("192.0.2.1:4000"), PROXY_PASS);
	w.port.first = w.port.last = 80;
	len = make_packet(data, "192.0.2.1:4000", TCP_SYN, 1, true, 0, 0);
	ck_assert_int_eq(proxy_packet(w.proxy, data, len - 1, false, w.now), PROXY_PASS_KEEP);
	ck_assert_uint_eq(count(CNT_RX_TRUNCATED), 1);
	data[32] = 0;
	ck_assert_int_eq(proxy_packet(w.proxy, data, len, false, w.now), PROXY_PASS_KEEP);
	ck_assert_uint_eq(count(CNT_RX_MALFORMED), 1);
	ck_assert_int_eq(proxy_packet(w.proxy, data, 0, false, w.now), PROXY_PASS_KEEP);
	ck_assert_int_eq(w.opened, 0);
	ck_assert_uint_eq(count(CNT_RX_PASSED), 7);
	world_end();
}
END_TEST

START_TEST(syns_that_cannot_be_served_pass)
{
	uint8_t data[256];
	size_t len;

	world_begin(PROXY_CONNECT_FIRST);
	/* Fast Open: with data. */
	len = make_packet(data, "192.0.2.1:4001", TCP_SYN, 1000, true, 0, 8);
	ck_assert_int_eq(proxy_packet(w.proxy, data, len, false, w.now), PROXY_PASS);
	ck_assert_uint_eq(count(CNT_STEP_ASIDE_SYN_DATA), 1);
	/* Another version than what is configured. */
	w.service.mptcp.versions = MPTCP_VERSION_BIT(0);
	ck_assert_int_eq(give_capable("192.0.2.1:4000"), PROXY_PASS);
	ck_assert_uint_eq(count(CNT_STEP_ASIDE_FORM), 1);
	w.service.mptcp.versions |= MPTCP_VERSION_BIT(1);
	ck_assert_int_eq(w.opened, 0);
	/* The same without what was in the way is served. */
	ck_assert_int_eq(give_capable("192.0.2.1:4000"), PROXY_TAKE);
	ck_assert_int_eq(w.opened, 1);
	world_end();
}
END_TEST

/* Linux repeats it without the data; the server may have answered the first. */
START_TEST(syn_with_data_passes_again_without)
{
	uint8_t data[256];
	size_t len;

	world_begin(PROXY_CONNECT_FIRST);
	len = make_packet(data, "192.0.2.1:4000", TCP_SYN, 1000, true, 0, 8);
	ck_assert_int_eq(proxy_packet(w.proxy, data, len, false, w.now), PROXY_PASS);
	run(SECOND);
	ck_assert_int_eq(give_capable("192.0.2.1:4000"), PROXY_PASS);
	ck_assert_uint_eq(count(CNT_STEP_ASIDE_SYN_DATA), 1);
	ck_assert_uint_eq(count(CNT_SHED_REPEATED), 1);
	ck_assert_int_eq(w.opened, 0);
	/* Other numbers, another connection. */
	ck_assert_int_eq(give("192.0.2.1:4000", TCP_SYN, 2000, true, 0), PROXY_TAKE);
	world_end();
}
END_TEST

/* A packet of another kind than could be ours, or in pieces, of one flow that is and one that is not. */
static void give_part(const uint8_t *data, size_t len, bool ours)
{
	uint64_t before = count(CNT_RX_MALFORMED);

	ck_assert_int_eq(proxy_packet(w.proxy, data, len, true, w.now),
			 ours ? PROXY_TAKE : PROXY_PASS_KEEP);
	ck_assert_uint_eq(count(CNT_RX_MALFORMED), before + ours);
}

START_TEST(parts_of_ours_do_not_reach_the_server)
{
	/* Options, then a fragment: the first one. */
	static const uint8_t extensions[16] = { 44, 0, 1, 4, 0, 0, 0, 0, 6, 0, 0, 1, 0, 0, 0, 1 };
	struct tcp_header h = { .seq = 1, .flags = TCP_ACK, .src_port = 4000, .dst_port = 80 };
	struct flow_tuple tuple;
	uint8_t data[256];
	size_t len, ip_len;

	world_begin_established();
	for (int ours = 0; ours < 2; ours++) {
		len = make_packet(data, ours ? "192.0.2.1:4000" : "192.0.2.1:4001", TCP_ACK, 1, false,
				  0, 8);
		data[6] = 0x20;
		give_part(data, len, ours);
		/* Later fragments tell nothing. */
		data[7] = 1;
		give_part(data, len, false);
	}
	for (int ours = 0; ours < 2; ours++) {
		ck_assert_int_eq(ip_endpoint_parse("[2001:db8::1]:4000", &tuple.src), 0);
		ck_assert_int_eq(ip_endpoint_parse("[2001:db8::2]:80", &tuple.dst), 0);
		if (ours)
			flowtable_add_away(&w.proxy->flows, &tuple, 0);
		len = packet_build_tcp(data, &tuple, &h, NULL, 0, 16, 0, 0, &ip_len);
		memmove(data + 40 + 16, data + 40, len - 40);
		memcpy(data + 40, extensions, 16);
		data[6] = 0;
		give_part(data, len + 16, ours);
		give_part(data, 50, false);
		data[40 + 8 + 2] = 1;
		give_part(data, len + 16, false);
		data[40 + 8 + 2] = 0;
		/* A jumbogram. */
		data[4] = data[5] = 0;
		give_part(data, len + 16, ours);
	}
	world_end();
}
END_TEST

START_TEST(damaged_packets_of_ours_are_dropped)
{
	uint8_t data[256];
	size_t len;

	world_begin(PROXY_CONNECT_FIRST);
	len = make_packet(data, "192.0.2.1:4000", TCP_SYN, 1000, true, 0, 0);
	data[36] ^= 1;
	ck_assert_int_eq(proxy_packet(w.proxy, data, len, false, w.now), PROXY_TAKE);
	ck_assert_uint_eq(count(CNT_RX_CHECKSUM), 1);
	ck_assert_int_eq(w.opened, 0);
	give_capable("192.0.2.1:4000");
	ck_assert_int_eq(w.opened, 1);
	len = make_packet(data, "192.0.2.1:4000", TCP_ACK, 1001, false, 0, 8);
	ck_assert_int_eq(proxy_packet(w.proxy, data, len - 1, false, w.now), PROXY_TAKE);
	ck_assert_uint_eq(count(CNT_RX_TRUNCATED), 1);
	/* Not even a TCP header is left, but the ports are. */
	ck_assert_int_eq(proxy_packet(w.proxy, data, 30, false, w.now), PROXY_TAKE);
	ck_assert_uint_eq(count(CNT_RX_TRUNCATED), 2);
	data[len - 1] ^= 1;
	ck_assert_int_eq(proxy_packet(w.proxy, data, len, false, w.now), PROXY_TAKE);
	ck_assert_uint_eq(count(CNT_RX_CHECKSUM), 2);
	flush();
	ck_assert_uint_eq(proxy_session_count(w.proxy), 1);
	world_end();
}
END_TEST

/* Of packets that cannot be parsed, those that belong to a flow of ours do not reach the server. */
START_TEST(remains_of_our_packets_are_dropped)
{
	static const struct {
		const char *client, *other;
		size_t ip_len;
		unsigned protocol_at;
	} cases[] = {
		{ "192.0.2.1:4000", "192.0.2.1:4001", 20, 9 },
		{ "[2001:db8::1]:4000", "[2001:db8::1]:4001", 40, 6 },
	};
	uint8_t data[256];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const size_t ports_end = cases[i].ip_len + 4;

		world_begin(PROXY_CONNECT_FIRST);
		if (i)
			ck_assert_int_eq(ip_prefix_parse("2001:db8:1::/48", &w.prefix), 0);
		ck_assert_int_eq(proxy_set_config(w.proxy, &w.config), 0);
		ck_assert_int_eq(give_capable(cases[i].client), PROXY_TAKE);
		make_packet(data, cases[i].client, TCP_ACK, 1001, false, 0, 8);
		ck_assert_int_eq(proxy_packet(w.proxy, data, ports_end, false, w.now), PROXY_TAKE);
		ck_assert_int_eq(proxy_packet(w.proxy, data, ports_end - 1, false, w.now),
				 PROXY_PASS_KEEP);
		data[cases[i].protocol_at] = 17;
		ck_assert_int_eq(proxy_packet(w.proxy, data, ports_end, false, w.now),
				 PROXY_PASS_KEEP);
		make_packet(data, cases[i].other, TCP_ACK, 1001, false, 0, 8);
		ck_assert_int_eq(proxy_packet(w.proxy, data, ports_end, false, w.now),
				 PROXY_PASS_KEEP);
		world_end();
	}
}
END_TEST

START_TEST(limits_shed)
{
	world_begin(PROXY_CONNECT_FIRST);
	w.config.max_connections = 2;
	ck_assert_int_eq(give_capable("192.0.2.1:1"), PROXY_TAKE);
	ck_assert_int_eq(give_capable("192.0.2.1:2"), PROXY_TAKE);
	ck_assert_int_eq(give_capable("192.0.2.1:3"), PROXY_PASS);
	ck_assert_uint_eq(count(CNT_SHED_CONNECTIONS), 1);
	/* A repeated SYN is not a new one. */
	ck_assert_int_eq(give_capable("192.0.2.1:2"), PROXY_TAKE);
	w.config.max_connections = 100;
	w.config.max_half_open = 2;
	ck_assert_int_eq(give_capable("192.0.2.1:4"), PROXY_PASS);
	ck_assert_uint_eq(count(CNT_SHED_HALF_OPEN), 1);
	w.config.max_half_open = 0;
	w.config.max_per_source = 2;
	ck_assert_int_eq(give_capable("192.0.2.1:5"), PROXY_PASS);
	ck_assert_uint_eq(count(CNT_SHED_SOURCE), 1);
	ck_assert_int_eq(give_capable("192.0.2.2:3"), PROXY_TAKE);
	connected(2, ECONNREFUSED);
	proxy_set_device(w.proxy, false);
	ck_assert_int_eq(give_capable("192.0.2.2:4"), PROXY_PASS);
	ck_assert_uint_eq(count(CNT_SHED_DEVICE), 1);
	proxy_set_device(w.proxy, true);
	proxy_drain(w.proxy);
	ck_assert_int_eq(give_capable("192.0.2.2:3"), PROXY_PASS);
	ck_assert_uint_eq(count(CNT_SHED_DRAINING), 1);
	ck_assert_int_eq(w.opened, 3);
	world_end();
}
END_TEST

/* What the server got once stays its own: its connection would be broken by ours. */
START_TEST(passed_syn_passes_again)
{
	world_begin(PROXY_CONNECT_FIRST);
	w.config.max_connections = 1;
	ck_assert_int_eq(give_capable("192.0.2.1:1"), PROXY_TAKE);
	ck_assert_int_eq(give_capable("192.0.2.1:2"), PROXY_PASS);
	w.config.max_connections = 100;
	run(SECOND);
	ck_assert_int_eq(give_capable("192.0.2.1:2"), PROXY_PASS);
	run(62 * SECOND);
	ck_assert_int_eq(give_capable("192.0.2.1:2"), PROXY_PASS);
	ck_assert_uint_eq(count(CNT_SHED_CONNECTIONS), 1);
	ck_assert_uint_eq(count(CNT_SHED_REPEATED), 2);
	/* Other numbers, another connection. */
	ck_assert_int_eq(give("192.0.2.1:2", TCP_SYN, 2000, true, 0), PROXY_TAKE);
	ck_assert_int_eq(give_capable("192.0.2.1:3"), PROXY_TAKE);
	/* Much later even the same. */
	w.config.max_connections = 1;
	ck_assert_int_eq(give_capable("192.0.2.1:4"), PROXY_PASS);
	w.config.max_connections = 100;
	run(400 * SECOND);
	ck_assert_int_eq(give_capable("192.0.2.1:4"), PROXY_TAKE);
	world_end();
}
END_TEST

START_TEST(ended_sessions_count_no_more)
{
	world_begin(PROXY_CONNECT_FIRST);
	w.config.max_connections = w.config.max_half_open = w.config.max_per_source = 1;
	for (int i = 0; i < MAX_SERVERS; i++) {
		ck_assert_int_eq(give_capable("192.0.2.1:4000"), PROXY_TAKE);
		connected(i, EHOSTUNREACH);
	}
	world_end();
}
END_TEST

START_TEST(no_socket_sheds_for_a_while)
{
	world_begin(PROXY_CONNECT_FIRST);
	w.open_error = EMFILE;
	ck_assert_int_eq(give_capable("192.0.2.1:1"), PROXY_PASS);
	ck_assert_uint_eq(proxy_session_count(w.proxy), 0);
	w.open_error = 0;
	ck_assert_int_eq(give_capable("192.0.2.1:2"), PROXY_PASS);
	ck_assert_uint_eq(count(CNT_SHED_FILES), 2);
	run(LIMITS_FILES_PAUSE_US);
	ck_assert_int_eq(give_capable("192.0.2.1:3"), PROXY_TAKE);
	w.open_error = EADDRNOTAVAIL;
	ck_assert_int_eq(give_capable("192.0.2.1:4"), PROXY_PASS);
	w.open_error = 0;
	ck_assert_int_eq(give_capable("192.0.2.1:5"), PROXY_TAKE);
	world_end();
}
END_TEST

START_TEST(memory_sheds)
{
	struct limits_load load = { .memory_percent = LIMITS_MEMORY_PERCENT - 1 };
	enum counter_id why = CNT_MAX;

	world_begin(PROXY_CONNECT_FIRST);
	ck_assert(limits_admit(&w.config, &load, &why));
	load.memory_percent++;
	ck_assert(!limits_admit(&w.config, &load, &why));
	ck_assert_int_eq(why, CNT_SHED_MEMORY);
	world_end();
}
END_TEST

START_TEST(plain_syn_steps_aside)
{
	for (int answered = 0; answered < 2; answered++) {
		world_begin(PROXY_CONNECT_FIRST);
		give_capable("192.0.2.1:4000");
		if (answered)
			connected(0, 0);
		ck_assert_int_eq(give("192.0.2.1:4000", TCP_SYN, 1000, false, 0), PROXY_PASS);
		expect_ended(true);
		ck_assert_uint_eq(count(CNT_STEP_ASIDE_PLAIN_SYN), 1);
		/* What follows belongs to the plain connection. */
		ck_assert_int_eq(give("192.0.2.1:4000", TCP_ACK, 1001, false, 0), PROXY_PASS);
		/* So does an earlier SYN that was overtaken. */
		ck_assert_int_eq(give_capable("192.0.2.1:4000"), PROXY_PASS);
		ck_assert_uint_eq(count(CNT_SHED_REPEATED), 1);
		world_end();
	}
}
END_TEST

/* ---- relaying ------------------------------------------------------------------- */

START_TEST(both_ways_client_ends_first)
{
	world_begin_established();
	w.to_send = 3000000;
	w.shut = true;
	w.server[0].out_total = 2000000;
	run(20 * SECOND);
	ck_assert_uint_eq(w.server[0].in, 3000000);
	ck_assert(w.server[0].shut);
	ck_assert_uint_eq(w.received, 2000000);
	ck_assert(!(w.events & MPTCP_EVENT_FIN));
	/* The other half stays open as long as the server likes. */
	run(1000 * SECOND);
	ck_assert_uint_eq(proxy_session_count(w.proxy), 1);
	w.server[0].out_total += 500000;
	w.server[0].fin = true;
	run(5 * SECOND);
	ck_assert_uint_eq(w.received, 2500000);
	ck_assert(w.events & MPTCP_EVENT_FIN);
	expect_ended(false);
	ck_assert_uint_eq(count(CNT_SESSIONS_DONE), 1);
	ck_assert_uint_eq(count(CNT_BYTES_TO_SERVER), 3000000);
	ck_assert_uint_eq(count(CNT_BYTES_TO_CLIENT), 2500000);
	ck_assert_uint_eq(w.passed, 0);
	ck_assert_uint_eq(proxy_memory(w.proxy), 0);
	/* Nothing is left to do once all old flows have expired. */
	run(600 * SECOND);
	ck_assert_int_eq(w.forgotten, 1);
	ck_assert_uint_eq(proxy_deadline(w.proxy), TIMER_NEVER);
	world_end();
}
END_TEST

START_TEST(server_ends_first)
{
	world_begin_established();
	server_sends_all(700000);
	run(5 * SECOND);
	ck_assert_uint_eq(w.received, 700000);
	ck_assert(w.events & MPTCP_EVENT_FIN);
	ck_assert(!w.server[0].closed);
	run(1000 * SECOND);
	ck_assert_uint_eq(proxy_session_count(w.proxy), 1);
	client_sends_all(400000);
	run(20 * SECOND);
	ck_assert_uint_eq(w.server[0].in, 400000);
	expect_ended(false);
	ck_assert_uint_eq(count(CNT_SESSIONS_DONE), 1);
	world_end();
}
END_TEST

START_TEST(partial_reads_and_writes)
{
	world_begin_established();
	w.server[0].io_max = 777;
	w.to_send = 300000;
	w.shut = true;
	server_sends_all(300000);
	run(60 * SECOND);
	ck_assert_uint_eq(w.server[0].in, 300000);
	ck_assert_uint_eq(w.received, 300000);
	ck_assert_uint_gt(count(CNT_COPIED_BYTES), 0);
	expect_ended(false);
	world_end();
}
END_TEST

START_TEST(server_that_does_not_read)
{
	world_begin(PROXY_CONNECT_FIRST);
	w.service.mptcp.rcvbuf_initial = 100000;
	w.service.mptcp.rcvbuf_max = 300000;
	establish();
	w.server[0].room = 50000;
	w.to_send = 5000000;
	client_turn();
	run(30 * SECOND);
	ck_assert_uint_eq(w.server[0].in, 50000);
	ck_assert_uint_le(w.memory_peak, 300000 + 4 * POOL_BLOCK);
	ck_assert(w.server[0].want_w);
	/* It wakes up: everything comes, in order. */
	w.server[0].room = UINT64_MAX;
	w.shut = true;
	run(120 * SECOND);
	ck_assert_uint_eq(w.server[0].in, 5000000);
	ck_assert(w.server[0].shut);
	ck_assert(!w.server[0].want_w);
	world_end();
}
END_TEST

START_TEST(client_that_does_not_read)
{
	world_begin(PROXY_CONNECT_FIRST);
	w.service.mptcp.sndbuf_initial = 100000;
	w.service.mptcp.sndbuf_max = 200000;
	w.mptcp.rcvbuf_initial = w.mptcp.rcvbuf_max = 50000;
	establish();
	w.read_slowly = true;
	w.server[0].out_total = 5000000;
	run(30 * SECOND);
	ck_assert_uint_le(w.received, 60000);
	ck_assert_uint_le(w.server[0].out, 50000 + 200000 + 10000);
	ck_assert(!w.server[0].want_r);
	w.read_slowly = false;
	client_turn();
	w.server[0].fin = true;
	run(120 * SECOND);
	ck_assert_uint_eq(w.received, 5000000);
	ck_assert(w.events & MPTCP_EVENT_FIN);
	world_end();
}
END_TEST

START_TEST(client_leaves_bytes_behind)
{
	world_begin_established();
	w.server[0].room = 0;
	w.server[0].fin = true;
	client_sends_all(100000);
	run(30 * SECOND);
	/* The client is done, the server has not read: the session waits, not for ever. */
	ck_assert(w.events & MPTCP_EVENT_CLOSED);
	ck_assert_uint_eq(proxy_session_count(w.proxy), 1);
	w.server[0].room = 60000;
	run(50 * SECOND);
	ck_assert_uint_eq(w.server[0].in, 60000);
	ck_assert_uint_eq(proxy_session_count(w.proxy), 1);
	w.server[0].room = UINT64_MAX;
	run(SECOND);
	ck_assert_uint_eq(w.server[0].in, 100000);
	expect_ended(false);
	world_end();
}
END_TEST

START_TEST(server_never_reads_what_is_left)
{
	world_begin_established();
	w.server[0].room = 0;
	w.server[0].fin = true;
	client_sends_all(100000);
	/* A server may pause for minutes. */
	run(600 * SECOND);
	ck_assert(!w.server[0].closed);
	run(400 * SECOND);
	expect_ended(true);
	ck_assert_uint_eq(count(CNT_SESSIONS_RESET), 1);
	ck_assert_uint_eq(proxy_memory(w.proxy), 0);
	world_end();
}
END_TEST

START_TEST(memory_runs_out)
{
	world_begin(PROXY_CONNECT_FIRST);
	w.config.memory_bytes = 1 << 20;
	ck_assert_int_eq(proxy_set_config(w.proxy, &w.config), 0);
	w.service.mptcp.rcvbuf_initial = w.service.mptcp.rcvbuf_max = 4 << 20;
	establish();
	w.server[0].room = 0;
	w.to_send = 4 << 20;
	client_turn();
	run(60 * SECOND);
	/* More was promised than there is: the bound holds, the connection does not. */
	ck_assert_uint_le(w.memory_peak, (1 << 20) + (1 << 18));
	expect_ended(true);
	ck_assert_uint_eq(proxy_memory(w.proxy), 0);
	world_end();
}
END_TEST

/* ---- resets --------------------------------------------------------------------- */

static char last_line[256];

static void keep_line(enum log_level level, const char *line)
{
	if (level <= LOG_LEVEL_INFO)
		snprintf(last_line, sizeof(last_line), "%s", line);
}

START_TEST(server_resets)
{
	log_set_sink(keep_line);
	log_set_level(LOG_LEVEL_INFO);
	for (int writing = 0; writing < 2; writing++) {
		world_begin_established();
		w.server[0].error = writing ? EPIPE : ECONNRESET;
		if (writing) {
			w.server[0].want_r = false;
			w.to_send = 1000;
			client_turn();
		}
		run(SECOND);
		ck_assert(w.server[0].closed);
		ck_assert(w.events & MPTCP_EVENT_RESET);
		ck_assert_uint_eq(count(CNT_MP_FASTCLOSE_OUT), 1);
		run(20 * SECOND);
		ck_assert_uint_eq(proxy_session_count(w.proxy), 0);
		ck_assert_uint_eq(count(CNT_SESSIONS_RESET), 1);
		/* The log tells who it was. */
		ck_assert_ptr_nonnull(strstr(last_line, "reset: server's reset, "));
		world_end();
	}
}
END_TEST

/* After its stream nothing of the server's is read any more.  Who waits is told at once, and who has
 * not got all of the stream gets that first. */
START_TEST(server_resets_after_its_end)
{
	for (int slow = 0; slow < 2; slow++) {
		world_begin_established();
		w.cut = slow;
		server_sends_all(1000);
		run(SECOND / 10);
		ck_assert(!w.server[0].want_r);
		proxy_server_lost(w.server[0].session);
		run(SECOND / 10);
		if (slow) {
			ck_assert(!w.server[0].closed);
			ck_assert_uint_eq(w.received, 0);
			w.cut = false;
			run(5 * SECOND);
		}
		ck_assert(w.server[0].closed && w.server[0].reset);
		ck_assert_uint_eq(w.received, 1000);
		ck_assert(w.events & MPTCP_EVENT_FIN);
		ck_assert(w.events & MPTCP_EVENT_RESET);
		ck_assert_uint_eq(count(CNT_MP_FASTCLOSE_OUT), 1);
		run(20 * SECOND);
		expect_ended(true);
		world_end();
	}
}
END_TEST

/* Nobody misses it then: all that it had to take it has got. */
START_TEST(server_resets_when_both_have_ended)
{
	world_begin_established();
	w.cut = true;
	server_sends_all(1000);
	run(SECOND / 10);
	client_sends_all(1000);
	client_turn();
	proxy_server_lost(w.server[0].session);
	w.cut = false;
	run(20 * SECOND);
	ck_assert_uint_eq(w.received, 1000);
	ck_assert_uint_eq(w.server[0].in, 1000);
	ck_assert(!(w.events & MPTCP_EVENT_RESET));
	expect_ended(false);
	world_end();
}
END_TEST

/* As of a server that refuses a request of which it has not read all. */
START_TEST(answer_before_a_reset_arrives)
{
	for (int i = 0; i < 4; i++) {
		bool overflow = i & 1;

		world_begin_established();
		w.to_send = 1000;
		client_turn();
		if (overflow) {
			w.server[0].room = 0;
			run(SECOND);
		}
		/* Both have come, and who writes is told first. */
		w.server[0].out_total = 500;
		w.server[0].write_error = ECONNRESET;
		/* Where there is no answer, a read tells of an end: the write had the error. */
		if (i & 2) {
			w.server[0].out_total = 0;
			w.server[0].fin = true;
		}
		if (overflow)
			proxy_server_ready(w.server[0].session, false, true, w.now);
		proxy_receive();
		run(SECOND);
		ck_assert_uint_eq(w.received, w.server[0].out_total);
		ck_assert(w.server[0].closed && w.server[0].reset);
		ck_assert(w.events & MPTCP_EVENT_RESET);
		ck_assert(!(w.events & MPTCP_EVENT_FIN));
		run(20 * SECOND);
		expect_ended(true);
		world_end();
	}
}
END_TEST

START_TEST(client_resets)
{
	world_begin_established();
	w.server[0].room = 0;
	w.to_send = 50000;
	client_turn();
	run(SECOND);
	mptcp_abort(w.conn, w.now);
	client_turn();
	run(SECOND);
	ck_assert(w.server[0].closed && w.server[0].reset);
	run(20 * SECOND);
	ck_assert_uint_eq(proxy_session_count(w.proxy), 0);
	ck_assert_uint_eq(count(CNT_SESSIONS_RESET), 1);
	ck_assert_uint_eq(proxy_memory(w.proxy), 0);
	world_end();
}
END_TEST

/* A middlebox: MPTCP options of what is under way to the proxy become NOPs. */
static void rob(void)
{
	for (size_t i = 0; i < w.up.count; i++) {
		uint8_t *tcp = w.up.q[i].data + 20, *end = tcp + (tcp[12] >> 4) * 4;
		struct packet p;
		uint32_t len;

		for (uint8_t *o = tcp + 20; o < end && *o; o += *o == 1 ? 1 : o[1])
			if (*o == 30)
				memset(o, 1, o[1]);
		memset(tcp + 16, 0, 2);
		ck_assert_int_eq(packet_parse(w.up.q[i].data, w.up.q[i].len, &p), 0);
		len = (uint32_t)(w.up.q[i].data + w.up.q[i].len - tcp);
		csum_store(tcp + 16, (uint16_t)~csum_fold(csum_add(
				csum_pseudo(&p.tuple.src.addr, &p.tuple.dst.addr, 6, len), tcp,
				len)));
	}
}

/* A client that is known as robbed is served again some time, but not the last SYN that passed,
 * whose repetitions pass as well. */
static void after_robbed(void)
{
	char last[32] = "", next[32];

	w.now += ROBBED_KEEP_US - 10 * SECOND;
	for (int port = 8;; port++) {
		snprintf(next, sizeof(next), "192.0.2.1:%d", port);
		if (give_capable(next) == PROXY_TAKE)
			break;
		w.now += 10 * SECOND;
		ck_assert_uint_le(w.now, 2 * ROBBED_KEEP_US);
		memcpy(last, next, sizeof(last));
	}
	ck_assert_str_ne(last, "");
	ck_assert_int_eq(give_capable(last), PROXY_PASS);
}

START_TEST(robbed_client_is_left_alone)
{
	log_set_level(LOG_LEVEL_WARNING);
	/* What falls back and ends well is none; what is broken is. */
	for (int broken = 0; broken < 2; broken++) {
		world_begin_established();
		w.to_send = 3000;
		client_turn();
		rob();
		run(SECOND);
		ck_assert_uint_eq(count(CNT_MP_FALLBACK_DATA), 1);
		ck_assert_uint_eq(w.server[0].in, 3000);
		ck_assert_uint_eq(count(CNT_ROBBED), 0);
		if (broken)
			mptcp_abort(w.conn, w.now);
		else
			w.shut = w.server[0].fin = true;
		client_turn();
		run(20 * SECOND);
		ck_assert_uint_eq(count(CNT_ROBBED), broken);
		if (broken) {
			ck_assert(w.server[0].reset);
			ck_assert_int_eq(give_capable("192.0.2.1:7"), PROXY_PASS);
			ck_assert_uint_eq(count(CNT_ROBBED_PASSED), 1);
			ck_assert_int_eq(give_capable("192.0.2.2:7"), PROXY_TAKE);
			after_robbed();
		}
		world_end();
	}
}
END_TEST

START_TEST(client_vanishes_with_data_under_way)
{
	world_begin_established();
	w.cut = true;
	mptcp_free(w.conn);
	w.conn = NULL;
	w.server[0].out_total = 100000;
	run(3600 * SECOND);
	expect_ended(true);
	world_end();
}
END_TEST

/* Puts an acknowledgement number into a packet of make_packet(), whose checksum is wrong then. */
static void set_ack(uint8_t *data, uint32_t ack)
{
	bytes_put32(data + 20 + 8, ack);
}

/*
 * A client that has said all (DATA_FIN and FIN) and is gone in the middle of its download: no
 * answer comes any more; or RSTs, from a host that knows of nothing; or ACKs of what it had
 * before, from who knows where.  The server does not go on for ever.
 */
START_TEST(client_that_has_ended_its_stream_vanishes)
{
	static const uint8_t answers[] = { 0, TCP_RST, TCP_ACK };

	for (int i = 0; i < 3; i++) {
		uint32_t ack = 0;
		uint64_t begin;

		world_begin_established();
		client_sends_all(100);
		run(SECOND);
		ck_assert(w.server[0].shut);
		w.server[0].out_total = UINT32_MAX;
		run(SECOND / 100);
		ck_assert_uint_gt(w.received, 0);
		wire_clear(&w.down);
		mptcp_free(w.conn);
		w.conn = NULL;
		begin = w.now;
		for (int n = 0; n < 10000 && proxy_session_count(w.proxy); n++) {
			struct wire in;

			servers_ready();
			if (proxy_deadline(w.proxy) > w.now)
				w.now = proxy_deadline(w.proxy);
			proxy_timeout(w.proxy, w.now);
			flush();
			in = w.down;
			memset(&w.down, 0, sizeof(w.down));
			for (size_t k = 0; answers[i] && k < in.count; k++) {
				uint8_t data[256];
				struct packet p;
				size_t len;

				ck_assert_int_eq(packet_parse(in.q[k].data, in.q[k].len, &p), 0);
				if (p.tcp.flags & TCP_RST)
					continue;
				ack = ack ? ack : p.tcp.seq;
				len = make_packet(data, "192.0.2.1:4000", answers[i], p.tcp.ack,
						  false, 0, 0);
				if (answers[i] & TCP_ACK)
					set_ack(data, ack);
				proxy_packet(w.proxy, data, len, true, w.now);
			}
			flush();
			wire_clear(&in);
			free(in.q);
		}
		ck_assert_uint_eq(proxy_session_count(w.proxy), 0);
		ck_assert(w.server[0].closed && w.server[0].reset);
		ck_assert_uint_lt(w.now - begin, 3600 * SECOND);
		world_end();
	}
}
END_TEST

START_TEST(shutdown_tells_the_client)
{
	world_begin_established();
	w.server[0].out_total = 100000;
	proxy_free(w.proxy, w.now);
	ck_assert(w.server[0].closed && w.server[0].reset);
	client_receive();
	ck_assert(w.events & MPTCP_EVENT_RESET);
	w.proxy = NULL;
	world_end();
}
END_TEST

/* Its server may still answer, and the next SYN passes. */
START_TEST(shutdown_refuses_nobody_who_waits)
{
	world_begin(PROXY_CONNECT_FIRST);
	client_open();
	run(5000);
	ck_assert_int_eq(w.opened, 1);
	proxy_free(w.proxy, w.now);
	ck_assert_uint_eq(w.down.count, 0);
	w.proxy = NULL;
	world_end();
}
END_TEST

/* ---- accept-first --------------------------------------------------------------- */

START_TEST(accept_first_keeps_early_data)
{
	world_begin(PROXY_ACCEPT_FIRST);
	w.to_send = 50000;
	w.shut = true;
	client_open();
	run(SECOND);
	ck_assert(w.events & MPTCP_EVENT_ESTABLISHED);
	ck_assert_uint_eq(w.sent, 50000);
	ck_assert_uint_eq(w.server[0].in, 0);
	connected(0, 0);
	run(SECOND);
	ck_assert_uint_eq(w.server[0].in, 50000);
	ck_assert(w.server[0].shut);
	w.server[0].fin = true;
	run(5 * SECOND);
	expect_ended(false);
	world_end();
}
END_TEST

START_TEST(accept_first_refused_resets)
{
	for (int silent = 0; silent < 2; silent++) {
		world_begin(PROXY_ACCEPT_FIRST);
		w.to_send = 1000;
		client_open();
		run(SECOND);
		ck_assert(w.events & MPTCP_EVENT_ESTABLISHED);
		if (!silent)
			connected(0, ECONNREFUSED);
		run(30 * SECOND);
		ck_assert(w.events & MPTCP_EVENT_RESET);
		ck_assert_uint_eq(count(silent ? CNT_SERVER_TIMEOUT : CNT_SERVER_REFUSED), 1);
		ck_assert_uint_eq(proxy_session_count(w.proxy), 0);
		world_end();
	}
}
END_TEST

/* ---- subflows ------------------------------------------------------------------- */

START_TEST(joins_find_their_session)
{
	struct flow_tuple tx;

	world_begin_established();
	proxy_drain(w.proxy);
	client_tuple(&tx, "192.0.2.77:5000");
	ck_assert_ptr_nonnull(mptcp_join_active(w.conn, &tx, 1, false, w.now));
	client_turn();
	run(SECOND);
	ck_assert_uint_eq(count(CNT_MP_JOIN_DONE), 1);
	exchange_all(1000000);
	ck_assert_uint_eq(proxy_session_count(w.proxy), 0);
	ck_assert_int_eq(w.opened, 1);
	run(600 * SECOND);
	ck_assert_int_eq(w.forgotten, 2);
	world_end();
}
END_TEST

START_TEST(joins_before_establishment_wait)
{
	struct wire third_ack;
	struct packet p;
	uint32_t token;

	world_begin(PROXY_CONNECT_FIRST);
	client_open();
	run(5000);
	connected(0, 0);
	client_receive();
	token = w.conn->remote_token;
	third_ack = w.up;
	memset(&w.up, 0, sizeof(w.up));
	ck_assert_int_eq(give("192.0.2.9:9", TCP_SYN, 1, false, token), PROXY_TAKE);
	ck_assert_uint_eq(w.down.count, 0);
	ck_assert_uint_eq(count(CNT_MP_JOIN_EARLY), 1);
	/* Nothing was left of it: it is answered when it comes again. */
	w.up = third_ack;
	proxy_receive();
	ck_assert_int_eq(give("192.0.2.9:9", TCP_SYN, 1, false, token), PROXY_TAKE);
	ck_assert_uint_eq(w.down.count, 1);
	ck_assert_int_eq(packet_parse(w.down.q[0].data, w.down.q[0].len, &p), 0);
	ck_assert(p.tcp.flags == (TCP_SYN | TCP_ACK));
	ck_assert_int_eq(p.tuple.dst.port, 9);
	world_end();
}
END_TEST

/* Those who know a token and no key hold up a client's joins until they time out, no longer;
 * other clients not at all. */
START_TEST(joins_under_way_are_bounded_for_each_client)
{
	char from[32];
	uint32_t token;

	world_begin_established();
	token = w.conn->remote_token;
	for (int i = 0; i < 4; i++) {
		snprintf(from, sizeof(from), "192.0.2.66:%d", 1000 + i);
		ck_assert_int_eq(give(from, TCP_SYN, 1, false, token), PROXY_TAKE);
	}
	ck_assert_uint_eq(w.down.count, 4);
	for (int i = 0; i < 50; i++) {
		snprintf(from, sizeof(from), "192.0.2.66:%d", 2000 + i);
		ck_assert_int_eq(give(from, TCP_SYN, 1, false, token), PROXY_TAKE);
	}
	ck_assert_uint_eq(w.down.count, 4);
	ck_assert_uint_eq(count(CNT_MP_JOIN_PENDING), 50);
	ck_assert_uint_eq(count(CNT_MP_JOIN_IN), 4);
	/* A SYN of one of the four that comes again is no fifth. */
	ck_assert_int_eq(give("192.0.2.66:1000", TCP_SYN, 1, false, token), PROXY_TAKE);
	ck_assert_uint_eq(w.down.count, 5);
	run(120 * SECOND);
	ck_assert_int_eq(give("192.0.2.9:9", TCP_SYN, 1, false, token), PROXY_TAKE);
	ck_assert_uint_eq(count(CNT_MP_JOIN_PENDING), 50);
	ck_assert_uint_eq(count(CNT_MP_JOIN_IN), 5);
	ck_assert_int_eq(w.conn->state, MPTCP_ESTABLISHED);
	world_end();
}
END_TEST

static int source_count;

static uint32_t count_source(void *ctx, const struct ip_addr *addr, int change)
{
	(void)ctx;
	(void)addr;
	source_count += change;
	return (uint32_t)source_count;
}

/* Where others count the sessions of a client, each is told of once, and taken back. */
START_TEST(sessions_of_a_source_are_given_back)
{
	struct proxy_ops counting = ops;

	counting.source_sessions = count_source;
	world_begin(PROXY_CONNECT_FIRST);
	proxy_free(w.proxy, w.now);
	w.config.max_per_source = 1;
	w.proxy = proxy_new(&w.config, &counting, &w, &w.down_sink, &w.counters);
	ck_assert_int_eq(give_capable("192.0.2.1:4000"), PROXY_TAKE);
	ck_assert_int_eq(source_count, 1);
	ck_assert_int_eq(give_capable("192.0.2.1:4001"), PROXY_PASS);
	ck_assert_uint_eq(count(CNT_SHED_SOURCE), 1);
	connected(0, ECONNREFUSED);
	ck_assert_int_eq(source_count, 0);
	/* Also one that does not begin after all. */
	w.open_error = EMFILE;
	ck_assert_int_eq(give_capable("192.0.2.1:4002"), PROXY_PASS);
	ck_assert_int_eq(source_count, 0);
	world_end();
}
END_TEST

/* A client that has left waits for its bytes to be read, as long as some are. */
START_TEST(slow_server_is_waited_for_while_it_reads)
{
	world_begin_established();
	w.server[0].room = 0;
	w.server[0].fin = true;
	client_sends_all(100000);
	run(10 * SECOND);
	ck_assert(w.events & MPTCP_EVENT_CLOSED);
	for (int i = 0; i < 3; i++) {
		run(SESSION_LINGER_US - 20 * SECOND);
		ck_assert_uint_eq(proxy_session_count(w.proxy), 1);
		w.server[0].room += 1000;
		run(SECOND);
	}
	run(SESSION_LINGER_US + SECOND);
	expect_ended(true);
	world_end();
}
END_TEST

/* ---- endpoints ------------------------------------------------------------------ */

static void add_endpoint(const char *address)
{
	struct mptcp_endpoint *ep = &w.config.endpoints[w.config.endpoint_count++].ep;

	ck_assert_int_eq(ip_addr_parse(address, &ep->announced.addr), 0);
	ep->local = ep->announced;
}

/* The ids that the client knows, as bits. */
static unsigned known_ids(void)
{
	unsigned ids = 0;

	for (unsigned i = 0; w.conn->addresses && i < MPTCP_REMOTE_MAX; i++)
		if (w.conn->addresses->remote[i].known)
			ids |= 1u << w.conn->addresses->remote[i].id;
	return ids;
}

/* A private address is of use to clients that have one themselves. */
START_TEST(endpoints_are_announced_to_whom_they_help)
{
	for (int private = 0; private < 2; private++) {
		world_begin(PROXY_CONNECT_FIRST);
		add_endpoint("203.0.113.9");
		add_endpoint("10.9.9.9");
		client_open_from(private ? "10.0.0.1:4000" : "192.0.2.1:4000");
		run(5000);
		connected(0, 0);
		run(3 * SECOND);
		ck_assert_uint_eq(known_ids(), private ? 1u << 1 | 1u << 2 : 1u << 1);
		world_end();
	}
}
END_TEST

START_TEST(endpoints_come_and_go)
{
	world_begin(PROXY_CONNECT_FIRST);
	add_endpoint("203.0.113.9");
	add_endpoint("203.0.113.10");
	establish();
	run(3 * SECOND);
	ck_assert_uint_eq(known_ids(), 1u << 1 | 1u << 2);
	proxy_set_absent(w.proxy, 1);
	/* All are told by the turns that follow at once. */
	ck_assert_uint_eq(proxy_deadline(w.proxy), 0);
	flush();
	ck_assert_uint_gt(proxy_deadline(w.proxy), w.now);
	run(5 * SECOND);
	ck_assert_uint_eq(known_ids(), 1u << 2);
	proxy_set_absent(w.proxy, 0);
	run(5 * SECOND);
	ck_assert_uint_eq(known_ids(), 1u << 2 | 1u << 3);
	w.config.endpoint_count = 1;
	ck_assert_int_eq(proxy_set_config(w.proxy, &w.config), 0);
	run(5 * SECOND);
	ck_assert_uint_eq(known_ids(), 1u << 3);
	world_end();
}
END_TEST

START_TEST(path_mtu_is_believed_with_care)
{
	uint8_t icmp[128] = { 0 };
	struct packet p;
	uint64_t sum;
	size_t len;

	world_begin(PROXY_CONNECT_FIRST);
	give_capable("192.0.2.1:4000");
	connected(0, 0);
	ck_assert_uint_eq(w.down.count, 1);
	ck_assert_int_eq(packet_parse(w.down.q[0].data, w.down.q[0].len, &p), 0);
	/* "Fragmentation needed" about the SYN/ACK. */
	len = 28;
	memcpy(icmp, w.down.q[0].data, 20);
	icmp[9] = 1;
	icmp[20] = 3;
	icmp[21] = 4;
	icmp[26] = 1000 >> 8;
	icmp[27] = 1000 & 0xff;
	memcpy(icmp + len, w.down.q[0].data, 40);
	len += 40;
	icmp[2] = 0;
	icmp[3] = (uint8_t)len;
	icmp[10] = icmp[11] = 0;
	sum = csum_add(0, icmp, 20);
	csum_store(icmp + 10, (uint16_t)~csum_fold(sum));
	sum = csum_add(0, icmp + 20, len - 20);
	csum_store(icmp + 22, (uint16_t)~csum_fold(sum));
	ck_assert_int_eq(packet_parse(icmp, len, &p), 0);
	ck_assert_int_eq(p.kind, PACKET_ICMP_ERROR);
	ck_assert_int_eq(proxy_packet(w.proxy, icmp, len, false, w.now), PROXY_TAKE);
	flush();
	ck_assert_uint_eq(proxy_session_count(w.proxy), 1);
	/* About a flow that is not ours. */
	icmp[28 + 22] ^= 1;
	icmp[22] = icmp[23] = 0;
	sum = csum_add(0, icmp + 20, len - 20);
	csum_store(icmp + 22, (uint16_t)~csum_fold(sum));
	ck_assert_int_eq(proxy_packet(w.proxy, icmp, len, false, w.now), PROXY_PASS_KEEP);
	world_end();
}
END_TEST

/* ---- after the end -------------------------------------------------------------- */

START_TEST(old_flows_answer)
{
	struct packet p;

	world_begin_established();
	w.server[0].error = ECONNRESET;
	run(3 * SECOND);
	ck_assert_uint_eq(proxy_session_count(w.proxy), 0);
	ck_assert_int_eq(w.forgotten, 0);
	/* A stray segment must not reach the server. */
	wire_clear(&w.down);
	ck_assert_int_eq(give("192.0.2.1:4000", TCP_ACK, 77, false, 0), PROXY_TAKE);
	ck_assert_uint_eq(w.down.count, 1);
	ck_assert_int_eq(packet_parse(w.down.q[0].data, w.down.q[0].len, &p), 0);
	ck_assert(p.tcp.flags & TCP_RST);
	ck_assert_int_eq(give("192.0.2.1:4000", TCP_RST, 77, false, 0), PROXY_TAKE);
	ck_assert_uint_eq(w.down.count, 1);
	/* A new connection from the same port is welcome. */
	ck_assert_int_eq(give_capable("192.0.2.1:4000"), PROXY_TAKE);
	ck_assert_int_eq(w.opened, 2);
	world_end();
}
END_TEST

/* A session that ends by FINs from both sides leaves its flow in TIME-WAIT; returns
 * the sequence number that is expected on it, and in *snd_nxt the next of ours. */
static uint32_t leave_time_wait(uint32_t *snd_nxt)
{
	struct packet p;

	world_begin_established();
	w.server[0].fin = true;
	run(SECOND);
	w.shut = true;
	client_turn();
	run(3 * SECOND);
	ck_assert_uint_eq(proxy_session_count(w.proxy), 0);
	wire_clear(&w.down);
	ck_assert_int_eq(give("192.0.2.1:4000", TCP_ACK | TCP_FIN, 77, false, 0), PROXY_TAKE);
	ck_assert_uint_eq(w.down.count, 1);
	ck_assert_int_eq(packet_parse(w.down.q[0].data, w.down.q[0].len, &p), 0);
	ck_assert_uint_eq(p.tcp.flags, TCP_ACK);
	wire_clear(&w.down);
	*snd_nxt = p.tcp.seq;
	return p.tcp.ack;
}

/* RFC 9293, section 3.10.7.4 */
START_TEST(time_wait_answers)
{
	uint32_t snd_nxt, seq = leave_time_wait(&snd_nxt);

	ck_assert_int_eq(give("192.0.2.1:4000", TCP_ACK, seq, false, 0), PROXY_TAKE);
	ck_assert_uint_eq(w.down.count, 0);
	ck_assert_int_eq(w.forgotten, 0);
	ck_assert_int_eq(give("192.0.2.1:4000", TCP_RST, seq, false, 0), PROXY_TAKE);
	ck_assert_uint_eq(w.down.count, 0);
	ck_assert_int_eq(w.forgotten, 1);
	ck_assert_int_eq(give("192.0.2.1:4000", TCP_ACK, seq, false, 0), PROXY_PASS);
	world_end();

	seq = leave_time_wait(&snd_nxt);
	ck_assert_int_eq(give("192.0.2.1:4000", TCP_SYN, seq + 1000, true, 0), PROXY_TAKE);
	ck_assert_int_eq(w.opened, 2);
	ck_assert_uint_eq(proxy_session_count(w.proxy), 1);
	world_end();
}
END_TEST

/* A SYN that ends TIME-WAIT: what is left of the old connection on its way to the client must
 * not fit the new one, so that one begins behind it (RFC 9293, section 3.6.1). */
START_TEST(time_wait_reopens_behind_the_old)
{
	for (uint64_t i = 0; i < 16; i++) {
		uint32_t snd_nxt, seq = leave_time_wait(&snd_nxt);
		struct packet p;

		w.seed = i;
		ck_assert_int_eq(give("192.0.2.1:4000", TCP_SYN, seq + 1000, true, 0), PROXY_TAKE);
		connected(1, 0);
		ck_assert_uint_eq(w.down.count, 1);
		ck_assert_int_eq(packet_parse(w.down.q[0].data, w.down.q[0].len, &p), 0);
		ck_assert_uint_eq(p.tcp.flags & (TCP_SYN | TCP_ACK), TCP_SYN | TCP_ACK);
		ck_assert_msg(seq32_geq(p.tcp.seq, snd_nxt), "round %llu: %u after %u",
			      (unsigned long long)i, p.tcp.seq, snd_nxt);
		world_end();
	}
}
END_TEST

START_TEST(arbitrary_packets_do_no_harm)
{
	uint64_t seed = 3;
	uint8_t data[256];

	for (uint64_t round = unit_rounds(40); round--;) {
		world_begin(round % 2 ? PROXY_ACCEPT_FIRST : PROXY_CONNECT_FIRST);
		w.config.max_half_open = 2;
		establish();
		for (int i = 0; i < 2000 && w.opened < MAX_SERVERS; i++) {
			uint8_t flags = (uint8_t)unit_random(&seed);
			bool capable = !unit_random_below(&seed, 8);
			size_t len = make_packet(data, "192.0.2.1:4000", flags & 0x3f,
						 (uint32_t)unit_random(&seed), capable,
						 w.conn->remote_token, 20);
			bool known = unit_random_below(&seed, 8);

			if (unit_random_below(&seed, 2))
				data[unit_random_below(&seed, len)] ^= (uint8_t)unit_random(&seed);
			if (!unit_random_below(&seed, 8))
				len = unit_random_below(&seed, len + 1);
			proxy_packet(w.proxy, data, len, known, w.now);
			if (!unit_random_below(&seed, 4))
				run(unit_random_below(&seed, 200000));
		}
		for (int i = 1; i < w.opened; i++)
			if (w.server[i].open)
				connected(i, i % 2 ? 0 : ECONNREFUSED);
		run(1000 * SECOND);
		world_end();
	}
}
END_TEST

static bool count_session(void *ctx, const struct session_info *info)
{
	int *n = ctx;

	ck_assert_str_eq(info->service, "web");
	ck_assert_ptr_nonnull(info->conn);
	ck_assert_uint_eq(info->id % 4, 3);
	return ++*n < 2;
}

START_TEST(status_lists_sessions)
{
	static struct proxy_load load;
	int n = 0;

	world_begin(PROXY_CONNECT_FIRST);
	proxy_set_worker(w.proxy, 3, 4, &load);
	give_capable("192.0.2.1:1");
	give_capable("192.0.2.1:2");
	give_capable("192.0.2.1:3");
	proxy_sessions(w.proxy, count_session, &n);
	ck_assert_int_eq(n, 2);
	ck_assert_uint_eq(proxy_session_count(w.proxy), 3);
	world_end();
}
END_TEST

START_TEST(config_is_replaced)
{
	struct proxy_config other;
	struct proxy_service moved;
	struct port_range port = { 8080, 8080 };

	world_begin(PROXY_CONNECT_FIRST);
	other = w.config;
	moved = w.service;
	moved.ports = &port;
	other.services = &moved;
	establish();
	ck_assert_int_eq(proxy_set_config(w.proxy, &other), 0);
	memset(&w.service, 0xee, sizeof(w.service));
	memset(&w.config, 0xee, sizeof(w.config));
	ck_assert_int_eq(give_capable("192.0.2.1:9"), PROXY_PASS);
	w.to_send = 10000;
	client_turn();
	run(SECOND);
	ck_assert_uint_eq(w.server[0].in, 10000);
	world_end();
}
END_TEST

UNIT_MAIN("proxy/session", refused_is_refused, unreachable_is_told, silence_is_silence,
	  client_gives_up_while_connecting, handshake_is_bounded, source_may_be_the_gateway,
	  others_are_passed, syns_that_cannot_be_served_pass,
	  syn_with_data_passes_again_without, parts_of_ours_do_not_reach_the_server,
	  damaged_packets_of_ours_are_dropped,
	  remains_of_our_packets_are_dropped, limits_shed,
	  passed_syn_passes_again, ended_sessions_count_no_more, no_socket_sheds_for_a_while, memory_sheds,
	  plain_syn_steps_aside, both_ways_client_ends_first, server_ends_first,
	  partial_reads_and_writes, server_that_does_not_read, client_that_does_not_read,
	  client_leaves_bytes_behind, server_never_reads_what_is_left, memory_runs_out,
	  server_resets, server_resets_after_its_end, server_resets_when_both_have_ended,
	  answer_before_a_reset_arrives, client_resets, robbed_client_is_left_alone,
	  client_vanishes_with_data_under_way,
	  client_that_has_ended_its_stream_vanishes, shutdown_tells_the_client,
	  shutdown_refuses_nobody_who_waits,
	  accept_first_keeps_early_data, accept_first_refused_resets, joins_find_their_session,
	  joins_before_establishment_wait,
	  joins_under_way_are_bounded_for_each_client,
	  sessions_of_a_source_are_given_back, slow_server_is_waited_for_while_it_reads,
	  endpoints_are_announced_to_whom_they_help, endpoints_come_and_go, path_mtu_is_believed_with_care,
	  old_flows_answer, time_wait_answers,
	  time_wait_reopens_behind_the_old,
	  arbitrary_packets_do_no_harm, status_lists_sessions, config_is_replaced)
