/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Attacks on the proxy (RFC 6181, RFC 7430; doc/threats.md names what each meets): each
 * test attacks, and checks the bound and the counter.
 */
/* More than are ended in one look. */
#define MAX_SERVERS 34
#include "proxy_world.h"

#include <stdio.h>

#include "mptcp/internal.h"
#include "proxy/evict.h"
#include "proxy/session.h"
#include "wire/bytes.h"

/* ---- memory --------------------------------------------------------------------- */

static void server_sends(uint64_t len)
{
	w.server[0].out_total += len;
}

/* A client that never reads, while the server has much for it. */
static void fill_memory(void)
{
	world_begin(PROXY_CONNECT_FIRST);
	w.config.memory_bytes = 128 << 10;      /* little, so that one can fill it */
	ck_assert_int_eq(proxy_set_config(w.proxy, &w.config), 0);
	establish();
	w.read_slowly = true;
	server_sends(64 << 20);
	run(5 * SECOND);
	ck_assert_uint_ge(proxy_memory(w.proxy), (128u << 10) / 100 * LIMITS_MEMORY_PERCENT);
}

START_TEST(never_reading_is_ended_when_memory_is_short)
{
	fill_memory();
	/* Nobody new meanwhile. */
	ck_assert_int_eq(give_capable("192.0.2.9:1000"), PROXY_PASS);
	ck_assert_uint_eq(count(CNT_SHED_MEMORY), 1);
	run(20 * SECOND);
	ck_assert_uint_eq(count(CNT_EVICTED), 0);
	run(20 * SECOND);
	ck_assert_uint_eq(count(CNT_EVICTED), 1);
	ck_assert_uint_eq(proxy_session_count(w.proxy), 0);
	ck_assert_uint_eq(proxy_memory(w.proxy), 0);
	ck_assert(w.server[0].closed && w.server[0].reset);
	ck_assert(w.events & MPTCP_EVENT_RESET);
	ck_assert_int_eq(give_capable("192.0.2.9:1001"), PROXY_TAKE);
	world_end();
}
END_TEST

START_TEST(reading_slowly_is_put_up_with)
{
	fill_memory();
	for (int i = 0; i < 90; i++) {
		/* Enough to be worth a window update, now and then. */
		if (i % 10 == 0) {
			size_t n = w.unread < 65536 ? w.unread : 65536;

			mptcp_consumed(w.conn, n, w.now);
			w.unread -= n;
			client_turn();
		}
		run(SECOND);
	}
	ck_assert_uint_eq(count(CNT_EVICTED), 0);
	ck_assert_uint_eq(proxy_session_count(w.proxy), 1);
	world_end();
}
END_TEST

/* Memory that others gave back is of use although no event tells of it. */
START_TEST(reading_goes_on_when_there_is_memory_again)
{
	size_t others = 63 << 20;

	world_begin_established();
	pool_charge(&w.proxy->pool, others);
	while (pool_try_charge(&w.proxy->pool, POOL_BLOCK_MIN))
		others += POOL_BLOCK_MIN;
	server_sends(1000);
	run(SECOND);
	ck_assert_uint_eq(w.received, 0);
	pool_uncharge(&w.proxy->pool, others);
	run(SECOND);
	ck_assert_uint_eq(w.received, 1000);
	world_end();
}
END_TEST

/* The client of server `i` falls back to plain TCP and sends segments that nobody reads. */
static void stuck_upload(int i, int segments)
{
	uint8_t data[256];
	struct packet p;
	char from[32];
	size_t len;

	snprintf(from, sizeof(from), "192.0.2.1:%d", 4000 + i);
	w.server[i].room = 0;
	ck_assert_int_eq(give_capable(from), PROXY_TAKE);
	connected(i, 0);
	ck_assert_uint_eq(w.down.count, 1);
	ck_assert_int_eq(packet_parse(w.down.q[0].data, w.down.q[0].len, &p), 0);
	for (int k = -1; k < segments; k++) {
		len = make_packet(data, from, TCP_ACK, k < 0 ? 1001 : 1001 + (uint32_t)k * 64, false, 0,
				  k < 0 ? 0 : 64);
		bytes_put32(data + 28, p.tcp.seq + 1);
		ck_assert_int_eq(proxy_packet(w.proxy, data, len, true, w.now), PROXY_TAKE);
		flush();
	}
	wire_clear(&w.down);
}

START_TEST(largest_is_ended_first_and_no_more_than_needed)
{
	world_begin(PROXY_CONNECT_FIRST);
	w.config.memory_bytes = (MAX_SERVERS + 4) * POOL_BLOCK;
	ck_assert_int_eq(proxy_set_config(w.proxy, &w.config), 0);
	for (int i = 0; i < MAX_SERVERS; i++)
		stuck_upload(i, i == MAX_SERVERS - 1 ? POOL_BLOCK / 64 + 1 : 1);
	ck_assert_uint_ge(proxy_memory(w.proxy), (MAX_SERVERS + 1) * POOL_BLOCK);
	run(2 * EVICT_STALL_US);
	ck_assert_uint_eq(count(CNT_EVICTED), 1);
	ck_assert(w.server[MAX_SERVERS - 1].closed && w.server[MAX_SERVERS - 1].reset);
	ck_assert_uint_eq(proxy_session_count(w.proxy), MAX_SERVERS - 1);
	world_end();
}
END_TEST

/* With memory to spare a closed window is nobody's business but the client's. */
START_TEST(zero_window_may_last_for_hours)
{
	world_begin(PROXY_CONNECT_FIRST);
	w.service.mptcp.sndbuf_max = 4 << 20;
	establish();
	w.read_slowly = true;
	server_sends(64 << 20);
	run(6 * 3600 * SECOND);
	ck_assert_uint_eq(proxy_session_count(w.proxy), 1);
	ck_assert_uint_eq(count(CNT_EVICTED), 0);
	ck_assert_uint_le(w.memory_peak, 5 << 20);
	w.read_slowly = false;
	client_turn();
	run(60 * SECOND);
	ck_assert_uint_eq(w.received, 64 << 20);
	world_end();
}
END_TEST

/* A client of one connection, and a server that does not read. */
START_TEST(server_that_never_reads_is_ended_when_memory_is_short)
{
	world_begin(PROXY_CONNECT_FIRST);
	w.config.memory_bytes = 1 << 20;
	ck_assert_int_eq(proxy_set_config(w.proxy, &w.config), 0);
	w.service.mptcp.rcvbuf_initial = (1 << 20) + (1 << 17);
	establish();
	w.server[0].room = 1000;
	w.to_send = 8 << 20;
	client_turn();
	run(10 * SECOND);
	/* What its window allowed is kept, so far past the limit. */
	ck_assert_uint_gt(w.memory_peak, 1 << 20);
	ck_assert_uint_le(w.memory_peak, (1 << 20) + (1 << 18));
	ck_assert_uint_eq(proxy_session_count(w.proxy), 1);
	run(40 * SECOND);
	ck_assert_uint_eq(count(CNT_EVICTED), 1);
	ck_assert_uint_eq(proxy_session_count(w.proxy), 0);
	ck_assert_uint_eq(proxy_memory(w.proxy), 0);
	ck_assert(w.events & MPTCP_EVENT_RESET);
	world_end();
}
END_TEST

static struct mptcp_conn *server_conn(int i)
{
	return w.server[i].session->conn;
}

/* ---- floods --------------------------------------------------------------------- */

/* SYNs from `n` forged sources; returns how many were taken. */
static int flood(int n)
{
	int taken = 0;

	for (int i = 0; i < n; i++) {
		char from[IP_ENDPOINT_STRLEN];

		snprintf(from, sizeof(from), "203.0.113.%d:%d", 1 + i % 250, 1024 + i / 250);
		taken += give_capable(from) == PROXY_TAKE;
	}
	return taken;
}

/* A world in which SYNs are answered statelessly from the `from`-th half-open session on. */
static void under_pressure(uint32_t from)
{
	world_begin(PROXY_CONNECT_FIRST);
	w.config.stateless_half_open = from;
	ck_assert_int_eq(proxy_set_config(w.proxy, &w.config), 0);
}

START_TEST(syn_flood_costs_no_sessions)
{
	under_pressure(2);
	ck_assert_int_eq(flood(5000), 5000);
	ck_assert_int_eq(w.opened, 2);          /* connections to the server */
	ck_assert_uint_eq(proxy_session_count(w.proxy), 2);
	ck_assert_uint_eq(count(CNT_STATELESS_SENT), 4998);
	ck_assert_uint_eq(w.down.count, 4998);
	wire_clear(&w.down);
	/* A client that is where it says gets MPTCP all the same. */
	client_open();
	run(5000);
	ck_assert_uint_eq(count(CNT_STATELESS_DONE), 1);
	ck_assert_int_eq(w.opened, 3);
	connected(2, 0);
	w.to_send = 300000;
	w.shut = true;
	w.server[2].out_total = 500000;
	w.server[2].fin = true;
	client_turn();
	run(10 * SECOND);
	ck_assert_int_eq(w.conn->mode, MPTCP_MODE_MPTCP);
	ck_assert_uint_eq(w.server[2].in, 300000);
	ck_assert_uint_eq(w.received, 500000);
	ck_assert(w.events & MPTCP_EVENT_CLOSED);
	ck_assert_uint_eq(count(CNT_SESSIONS_DONE), 1);
	world_end();
}
END_TEST

START_TEST(syn_flood_is_shed_where_answers_are_off)
{
	world_begin(PROXY_CONNECT_FIRST);
	w.config.max_half_open = 3;
	ck_assert_int_eq(proxy_set_config(w.proxy, &w.config), 0);
	ck_assert_int_eq(flood(1000), 3);
	ck_assert_uint_eq(count(CNT_SHED_HALF_OPEN), 997);
	/* Those whose client never answers go by themselves, the server's side too. */
	for (int i = 0; i < 3; i++)
		connected(i, 0);
	run(100 * SECOND);
	ck_assert_uint_eq(proxy_session_count(w.proxy), 0);
	ck_assert_int_eq(give_capable("203.0.113.7:9"), PROXY_TAKE);
	world_end();
}
END_TEST

/*
 * What the client asked for survives, although nobody remembered it; and for that the answer
 * has timestamps, also where the service has none.
 */
START_TEST(stateless_answer_keeps_the_options)
{
	for (int i = 0; i < 32; i++) {
		const struct tcp_conn *c, *p;

		under_pressure(0);
		w.service.mptcp.tcp.timestamps = !(i & 16);
		ck_assert_int_eq(proxy_set_config(w.proxy, &w.config), 0);
		w.mptcp.tcp.mss = i & 1 ? 1460 : 1300;
		w.mptcp.tcp.timestamps = !(i & 2);
		w.mptcp.tcp.sack = !(i & 4);
		w.mptcp.tcp.rcv_wscale = 9;
		if (i & 8)
			w.mptcp.versions = MPTCP_VERSION_BIT(0);
		client_open();
		run(5000);
		ck_assert_uint_eq(count(CNT_STATELESS_DONE), 1);
		connected(0, 0);
		run(SECOND / 10);
		c = &mptcp_first_subflow(w.conn)->tcp;
		p = &mptcp_first_subflow(server_conn(0))->tcp;
		ck_assert_int_eq(server_conn(0)->mode, MPTCP_MODE_MPTCP);
		ck_assert_uint_eq(server_conn(0)->version, !(i & 8));
		ck_assert_uint_eq(server_conn(0)->remote_key, w.conn->local_key);
		ck_assert_uint_eq(p->mss, i & 1 ? 1460 : 1300);
		ck_assert_int_eq(p->ts_on, !(i & 2));
		ck_assert_int_eq(p->sack_on, !(i & 2) && !(i & 4));
		ck_assert_int_eq(p->wscale_on, !(i & 2));
		if (p->wscale_on)
			ck_assert_uint_eq(p->snd_wscale, 9);
		ck_assert_uint_eq(p->iss, c->irs);
		w.server[0].out_total = 2000000;
		run(20 * SECOND);
		ck_assert_uint_eq(w.received, 2000000);
		world_end();
	}
}
END_TEST

static struct flight answer_to_client(void)
{
	ck_assert_uint_eq(w.down.count, 1);
	return w.down.q[0];
}

/* A packet without payload from `tx`, with these MPTCP options. */
static enum proxy_verdict give_options(const struct flow_tuple *tx, struct tcp_header *h,
				       const uint8_t *mp, size_t mp_len)
{
	uint8_t data[256], opt[TCP_OPTIONS_MAX];
	enum proxy_verdict verdict;
	size_t len, ip_len;
	int opt_len;

	h->src_port = tx->src.port;
	h->dst_port = tx->dst.port;
	opt_len = tcp_options_build(opt, &h->opt, mp, mp_len);
	len = packet_build_tcp(data, tx, h, opt, (size_t)opt_len, 0, 0, 1, &ip_len);
	packet_finish_checksum(data, len, ip_len, 0);
	verdict = proxy_packet(w.proxy, data, len, false, w.now);
	flush();
	return verdict;
}

/* The same with MP_CAPABLE unless that is NULL. */
static enum proxy_verdict give_raw(const struct flow_tuple *tx, struct tcp_header *h,
				   const struct mptcp_capable *c)
{
	uint8_t mp[40];

	return give_options(tx, h, mp, c ? mptcp_option_build_capable(mp, c) : 0);
}

/* The flags of ECN would have to be remembered. */
START_TEST(stateless_answer_agrees_to_no_ecn)
{
	struct packet synack;

	for (int stateless = 0; stateless < 2; stateless++) {
		under_pressure(stateless ? 0 : UINT32_MAX);
		ck_assert_int_eq(give("192.0.2.5:7000", TCP_SYN | TCP_ECE | TCP_CWR, 1000, true, 0),
				 PROXY_TAKE);
		if (!stateless)
			connected(0, 0);
		ck_assert_int_eq(packet_parse(answer_to_client().data, answer_to_client().len,
					      &synack), 0);
		ck_assert_int_eq(synack.tcp.flags,
				 stateless ? TCP_SYN | TCP_ACK : TCP_SYN | TCP_ACK | TCP_ECE);
		world_end();
	}
}
END_TEST

START_TEST(stateless_answers_cannot_be_forged)
{
	struct packet synack;
	struct flow_tuple tx;
	uint64_t begin;

	under_pressure(0);
	begin = w.now;
	give_capable("192.0.2.5:7000");
	ck_assert_int_eq(packet_parse(answer_to_client().data, answer_to_client().len, &synack), 0);
	ck_assert(synack.tcp.mptcp.present & MPOPT_CAPABLE);
	for (int i = 0; i < 8; i++) {
		struct tcp_header h = { .seq = 1001, .ack = synack.tcp.seq + 1, .flags = TCP_ACK,
					.window = 1000 };
		struct mptcp_dss dss = { .has_ack = true, .data_ack = 1 };
		uint8_t mp[40];
		struct mptcp_capable c = {
			.version = 1, .flags = MPTCP_CAP_HMAC_SHA, .key_count = 2, .sender_key = 77,
			.receiver_key = synack.tcp.mptcp.capable.sender_key,
		};
		enum proxy_verdict want = PROXY_PASS;

		client_tuple(&tx, "192.0.2.5:7000");
		/* Two periods of 64 s. */
		w.now = begin + (i < 6 ? SECOND : 126 * SECOND);
		switch (i) {
		case 0: h.ack += 8; break;
		case 1: h.seq++; break;
		case 2: c.receiver_key ^= 1; break;
		case 3: tx.src.port++; break;
		case 4: w.now = begin + 129 * SECOND; break;    /* too late */
		case 5:                                         /* without keys */
			ck_assert_int_eq(give_options(&tx, &h, mp, mptcp_option_build_dss(mp, &dss)),
					 want);
			continue;
		case 6: want = PROXY_TAKE; break;
		case 7: want = PROXY_TAKE; break;               /* again */
		}
		ck_assert_int_eq(give_raw(&tx, &h, &c), want);
		ck_assert_uint_eq(count(CNT_STATELESS_DONE), i >= 6);
		ck_assert_uint_eq(proxy_session_count(w.proxy), i >= 6);
	}
	ck_assert_int_eq(w.opened, 1);
	world_end();
}
END_TEST

/* The same SYN again would draw the same key, while a session has its token. */
START_TEST(stateless_answers_have_unique_tokens)
{
	struct mptcp_capable c = { .version = 1, .flags = MPTCP_CAP_HMAC_SHA, .key_count = 2,
				   .sender_key = 77 };
	struct tcp_header ack = { .seq = 1001, .flags = TCP_ACK, .window = 1000 };
	struct tcp_header rst = { .seq = 1001, .flags = TCP_RST };
	struct packet synack;
	struct flow_tuple tx;

	under_pressure(0);
	give_capable("192.0.2.5:7000");
	ck_assert_int_eq(packet_parse(answer_to_client().data, answer_to_client().len, &synack), 0);
	c.receiver_key = synack.tcp.mptcp.capable.sender_key;
	ack.ack = synack.tcp.seq + 1;
	client_tuple(&tx, "192.0.2.5:7000");
	ck_assert_int_eq(give_raw(&tx, &ack, &c), PROXY_TAKE);
	connected(0, 0);
	/* The connection waits for a join. */
	ck_assert_int_eq(give_raw(&tx, &rst, NULL), PROXY_TAKE);
	ck_assert_uint_eq(proxy_session_count(w.proxy), 1);
	ck_assert_int_eq(give_capable("192.0.2.5:7000"), PROXY_TAKE);
	ck_assert_uint_eq(count(CNT_STATELESS_SENT), 1);
	ck_assert_int_eq(w.opened, 2);
	ck_assert_uint_ne(server_conn(1)->local_token, server_conn(0)->local_token);
	world_end();
}
END_TEST

START_TEST(stateless_ack_past_a_limit_is_reset)
{
	under_pressure(0);
	client_open();
	proxy_receive();
	client_receive();       /* its third ACK is under way */
	w.config.max_connections = 1;
	w.config.stateless_half_open = UINT32_MAX;
	ck_assert_int_eq(proxy_set_config(w.proxy, &w.config), 0);
	ck_assert_int_eq(give_capable("192.0.2.9:1000"), PROXY_TAKE);
	run(SECOND);
	ck_assert_uint_eq(count(CNT_STATELESS_REFUSED), 1);
	ck_assert_uint_eq(w.conn->subflow_count, 0);
	world_end();
}
END_TEST

START_TEST(one_source_cannot_take_all)
{
	world_begin(PROXY_CONNECT_FIRST);
	w.config.max_per_source = 2;
	ck_assert_int_eq(proxy_set_config(w.proxy, &w.config), 0);
	ck_assert_int_eq(give_capable("192.0.2.5:1"), PROXY_TAKE);
	ck_assert_int_eq(give_capable("192.0.2.5:2"), PROXY_TAKE);
	for (int i = 3; i < 100; i++) {
		char from[IP_ENDPOINT_STRLEN];

		snprintf(from, sizeof(from), "192.0.2.5:%d", i);
		ck_assert_int_eq(give_capable(from), PROXY_PASS);
	}
	ck_assert_uint_eq(count(CNT_SHED_SOURCE), 97);
	ck_assert_int_eq(give_capable("192.0.2.6:1"), PROXY_TAKE);
	world_end();
}
END_TEST

/* ---- packets made up by others --------------------------------------------------- */

/* Gives the proxy a packet on the client's first subflow as an attacker would make it. */
static void forge(uint8_t flags, uint32_t seq, uint32_t ack, const void *payload, size_t len)
{
	const struct mptcp_subflow *sf = mptcp_first_subflow(w.conn);
	struct tcp_header h = { .seq = seq, .ack = ack, .flags = flags, .window = 1000 };
	uint8_t data[2048], opt[TCP_OPTIONS_MAX];
	struct tcp_options o = {
		.has_ts = true, .ts_val = tcp_ts_now(&sf->tcp, w.now), .ts_ecr = sf->tcp.ts_recent,
	};
	size_t at, ip_len;
	int opt_len = tcp_options_build(opt, &o, NULL, 0);

	h.src_port = sf->tx.src.port;
	h.dst_port = sf->tx.dst.port;
	at = packet_build_tcp(data, &sf->tx, &h, opt, (size_t)opt_len, len, 0, 1, &ip_len);
	packet_finish_checksum(data, at, ip_len, csum_add(0, payload, len));
	if (len)
		memcpy(data + at, payload, len);
	ck_assert_int_eq(proxy_packet(w.proxy, data, at + len, false, w.now), PROXY_TAKE);
	flush();
}

/* RFC 5961: who does not see the connection cannot end it or write into it, and what he
 * provokes is bounded. */
START_TEST(blind_packets_do_no_harm)
{
	const struct tcp_conn *c, *p;

	world_begin_established();
	c = &mptcp_first_subflow(w.conn)->tcp;
	p = &mptcp_first_subflow(server_conn(0))->tcp;
	w.cut = true;
	for (uint32_t i = 0; i < 4000; i++) {
		uint32_t guess = c->snd_nxt + 1 + i * 65521;    /* never the right one */

		forge(TCP_RST, guess, 0, NULL, 0);
		forge(TCP_SYN, guess, 0, NULL, 0);
		/* Data far before what was acknowledged, or beyond what was sent. */
		forge(TCP_ACK, c->snd_nxt, c->rcv_nxt + 100000 + i, "injected", 8);
		forge(TCP_ACK, c->snd_nxt, c->rcv_nxt - 0x40000000 + i, "injected", 8);
	}
	ck_assert_uint_eq(p->rcv_nxt, c->snd_nxt);
	ck_assert_uint_le(count(CNT_TCP_CHALLENGE_ACK), 10);
	ck_assert_uint_ge(count(CNT_TCP_CHALLENGE_ACK), 1);
	ck_assert_uint_ge(count(CNT_TCP_BAD_ACK), 4000);
	ck_assert_uint_eq(count(CNT_TCP_RST_IN), 0);
	w.cut = false;
	w.to_send = 100000;
	w.server[0].out_total = 100000;
	client_turn();
	run(20 * SECOND);
	ck_assert_uint_eq(w.server[0].in, 100000);
	ck_assert_uint_eq(w.received, 100000);
	world_end();
}
END_TEST

/* Single bytes, none of which touches another, in the whole window of a connection. */
START_TEST(tiny_fragments_hold_little_memory)
{
	const struct tcp_conn *c;

	world_begin_established();
	c = &mptcp_first_subflow(w.conn)->tcp;
	for (uint32_t i = 0; i < 100000; i++)
		forge(TCP_ACK, c->snd_nxt + 2 + i * 3, c->rcv_nxt, "x", 1);
	ck_assert_uint_ge(count(CNT_TCP_OOO_DROPPED), 90000);
	ck_assert_uint_ge(count(CNT_TCP_OOO), 50);
	ck_assert_uint_le(w.memory_peak, REASM_SLACK + REASM_FACTOR * count(CNT_TCP_OOO));
	world_end();
}
END_TEST

/* Of ICMP errors only "too big" means anything to a connection (RFC 5927, section 5). */
START_TEST(icmp_errors_end_nothing)
{
	static const enum icmp_error errors[] = {
		ICMP_ERROR_NET_UNREACHABLE, ICMP_ERROR_HOST_UNREACHABLE,
		ICMP_ERROR_PORT_UNREACHABLE, ICMP_ERROR_ADMIN_PROHIBITED,
	};
	uint8_t icmp[1280];

	world_begin_established();
	w.server[0].out_total = 1000;
	run(200);               /* a segment is under way */
	ck_assert_uint_ge(w.down.count, 1);
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		int len = packet_build_unreachable(icmp, w.down.q[0].data, w.down.q[0].len,
						   errors[i]);

		ck_assert_int_gt(len, 0);
		ck_assert_int_eq(proxy_packet(w.proxy, icmp, (size_t)len, false, w.now),
				 PROXY_TAKE);
		flush();
	}
	w.to_send = w.server[0].out_total = 100000;
	client_turn();
	run(20 * SECOND);
	ck_assert_uint_eq(w.server[0].in, 100000);
	ck_assert_uint_eq(w.received, 100000);
	world_end();
}
END_TEST

/* ---- joins ---------------------------------------------------------------------- */

static void join_from(const char *from)
{
	struct flow_tuple tx;

	client_tuple(&tx, from);
	ck_assert_ptr_nonnull(mptcp_join_active(w.conn, &tx, 1, false, w.now));
	client_turn();
}

START_TEST(guessed_tokens_leave_nothing)
{
	uint64_t seed = 5;

	world_begin_established();
	for (int i = 0; i < 20000; i++) {
		uint32_t token = (uint32_t)unit_random(&seed) | 1;

		ck_assert_int_eq(give("203.0.113.9:99", TCP_SYN, 1, false, token), PROXY_PASS);
	}
	ck_assert_uint_eq(count(CNT_MP_JOIN_UNKNOWN), 20000);
	ck_assert_uint_eq(count(CNT_MP_JOIN_IN), 0);
	ck_assert_uint_eq(w.down.count, 0);
	world_end();
}
END_TEST

/*
 * Somebody who has seen a join, its HMAC included, and repeats it from elsewhere: our nonce
 * is another one each time (RFC 8684, section 3.2).
 */
START_TEST(replayed_join_is_refused)
{
	struct wire seen = { NULL, 0, 0 };
	struct packet p;
	int replayed = 0;

	world_begin_established();
	join_from("192.0.2.77:5000");
	/* SYN, and after the SYN/ACK the third ACK. */
	for (int i = 0; i < 2; i++) {
		for (size_t k = 0; k < w.up.count; k++)
			wire_add(&seen, w.up.q[k].data, w.up.q[k].len);
		run(LATENCY_US);
	}
	run(SECOND);
	ck_assert_uint_eq(count(CNT_MP_JOIN_DONE), 1);
	w.cut = true;
	for (size_t k = 0; k < seen.count; k++) {
		uint8_t *d = seen.q[k].data;
		struct packet synack;
		uint64_t sum;

		ck_assert_int_eq(packet_parse(d, seen.q[k].len, &p), 0);
		if (p.tuple.src.port != 5000)
			continue;
		/* From 192.0.2.78; the attacker sees our SYN/ACK and acknowledges it. */
		d[15] = 78;
		if (!(p.tcp.flags & TCP_SYN)) {
			ck_assert(p.tcp.mptcp.present & MPOPT_JOIN_ACK);
			ck_assert_int_eq(packet_parse(w.down.q[0].data, w.down.q[0].len, &synack), 0);
			ck_assert(synack.tcp.mptcp.present & MPOPT_JOIN_SYNACK);
			d[28] = (uint8_t)((synack.tcp.seq + 1) >> 24);
			d[29] = (uint8_t)((synack.tcp.seq + 1) >> 16);
			d[30] = (uint8_t)((synack.tcp.seq + 1) >> 8);
			d[31] = (uint8_t)(synack.tcp.seq + 1);
			replayed++;
		} else {
			w.cut = false;
		}
		d[10] = d[11] = 0;
		sum = csum_add(0, d, 20);
		csum_store(d + 10, (uint16_t)~csum_fold(sum));
		/* as if the device had verified the TCP checksum */
		ck_assert_int_eq(proxy_packet(w.proxy, d, seen.q[k].len, true, w.now), PROXY_TAKE);
		flush();
	}
	ck_assert_int_eq(replayed, 1);
	ck_assert_uint_eq(count(CNT_MP_JOIN_BAD_MAC), 1);
	ck_assert_uint_eq(count(CNT_MP_JOIN_DONE), 1);
	/* The connection has not noticed. */
	w.to_send = 100000;
	client_turn();
	run(20 * SECOND);
	ck_assert_uint_eq(w.server[0].in, 100000);
	wire_clear(&seen);
	free(seen.q);
	world_end();
}
END_TEST

/* ---- idlers --------------------------------------------------------------------- */

/* Connections that are opened and kept, with a byte now and then: each costs no payload
 * memory, and one source no more of them than its share. */
START_TEST(slow_connections_hold_no_payload)
{
	world_begin(PROXY_CONNECT_FIRST);
	w.config.max_per_source = 1;
	ck_assert_int_eq(proxy_set_config(w.proxy, &w.config), 0);
	establish();
	for (int i = 0; i < 360; i++) {
		w.to_send++;
		client_turn();
		run(10 * SECOND);
		/* The last mapping is kept until the next one, and a little of each of the
		 * last ACKs. */
		ck_assert_uint_le(proxy_memory(w.proxy), sizeof(struct mptcp_map) + 800);
	}
	ck_assert_uint_eq(w.server[0].in, 360);
	ck_assert_int_eq(give_capable("192.0.2.1:4001"), PROXY_PASS);
	ck_assert_uint_eq(count(CNT_SHED_SOURCE), 1);
	world_end();
}
END_TEST

UNIT_MAIN("proxy/threats", icmp_errors_end_nothing, blind_packets_do_no_harm,
	  tiny_fragments_hold_little_memory,
	  guessed_tokens_leave_nothing, replayed_join_is_refused,
	  slow_connections_hold_no_payload,
	  syn_flood_costs_no_sessions, syn_flood_is_shed_where_answers_are_off,
	  stateless_answer_keeps_the_options, stateless_answer_agrees_to_no_ecn,
	  stateless_answers_cannot_be_forged,
	  stateless_answers_have_unique_tokens, stateless_ack_past_a_limit_is_reset, one_source_cannot_take_all,
	  never_reading_is_ended_when_memory_is_short,
	  reading_slowly_is_put_up_with, zero_window_may_last_for_hours,
	  server_that_never_reads_is_ended_when_memory_is_short,
	  largest_is_ended_first_and_no_more_than_needed,
	  reading_goes_on_when_there_is_memory_again)
