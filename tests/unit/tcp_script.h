/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One TCP endpoint against a script: packets are built field by field, with
 * sequence numbers relative to both sides' first ones, and what comes out is
 * looked at the same way.
 */
#ifndef TESTS_TCP_SCRIPT_H
#define TESTS_TCP_SCRIPT_H

#include <string.h>

#include "base/seq.h"
#include "base/timer.h"
#include "tcp/tcp.h"
#include "unit.h"

#define MS 1000ull
#define SEC 1000000ull

static struct counters counters;
static struct pool pool;
static struct tcp_env env;
static struct tcp_config cfg;
static struct tcp_conn tc;
static uint64_t now;
static uint32_t peer_iss, our_iss;
static struct packet pkt;               /* being built */
static uint8_t bytes[65536];
static struct tcp_rx rx;
static struct tcp_tx tx;                /* last output */
static struct tcp_header hdr;
static uint64_t sent;                   /* stream offset */

#define COUNT(id) counters.v[CNT_##id]

static inline void setup(void)
{
	memset(&counters, 0, sizeof(counters));
	pool_init(&pool, 0, 0);
	tcp_env_init(&env, &counters, &pool);
	tcp_config_default(&cfg);
	cfg.keepalive_idle_us = 0;      /* so that nothing due means no deadline */
	now = 100 * SEC;
	peer_iss = 0xfffffff0u;         /* both wrap soon */
	our_iss = 0xffffff00u;
	sent = 0;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
}

static inline void finish(void)
{
	tcp_fini(&tc);
	tcp_env_fini(&env);
	ck_assert_uint_eq(pool.used_bytes, 0);
	pool_fini(&pool);
}

/* A plain segment of the peer; `seq` and `ack` count from the SYNs. */
static inline struct packet *seg(uint8_t flags, uint32_t seq, uint32_t ack, uint32_t len)
{
	memset(&pkt, 0, sizeof(pkt));
	pkt.kind = PACKET_TCP;
	pkt.tcp.flags = flags;
	pkt.tcp.seq = peer_iss + seq;
	pkt.tcp.ack = flags & TCP_ACK ? our_iss + ack : 0;
	pkt.tcp.window = 65535;
	pkt.payload = bytes + (seq & 0xfff);
	pkt.payload_len = len;
	return &pkt;
}

static inline struct packet *with_ts(struct packet *p, uint32_t val, uint32_t ecr)
{
	p->tcp.opt.has_ts = true;
	p->tcp.opt.ts_val = val;
	p->tcp.opt.ts_ecr = ecr;
	return p;
}

static inline struct packet *with_sack(struct packet *p, uint32_t begin, uint32_t end)
{
	struct tcp_sack_block *b = &p->tcp.opt.sack[p->tcp.opt.sack_count++];

	b->begin = our_iss + begin;
	b->end = our_iss + end;
	return p;
}

static inline void input(struct packet *p)
{
	tcp_input(&tc, p, now, &rx);
	tcp_check(&tc);
}

/* The next segment out, with its header; false if there is none. */
static inline bool output(void)
{
	if (!tcp_output(&tc, now, 65000, &tx))
		return false;
	tcp_fill_header(&tc, &tx, now, &hdr);
	tcp_check(&tc);
	return true;
}

static inline void expect(uint8_t flags, uint32_t seq, uint32_t ack, uint32_t len)
{
	ck_assert_msg(output(), "nothing to send");
	ck_assert_uint_eq(hdr.flags & ~TCP_PSH, flags);
	ck_assert_uint_eq(hdr.seq - our_iss, seq);
	if (flags & TCP_ACK)
		ck_assert_uint_eq(hdr.ack - peer_iss, ack);
	ck_assert_uint_eq(tx.len, len);
}

static inline void expect_nothing(void)
{
	ck_assert_msg(!output(), "unexpected segment, flags %x seq +%u ack +%u", hdr.flags,
		      hdr.seq - our_iss, hdr.ack - peer_iss);
}

static inline void send_data(uint32_t len)
{
	ck_assert_uint_ge(tcp_send_room(&tc), len);
	ck_assert_int_eq(tcp_send(&tc, sent, len, now, &tx), 0);
	tcp_fill_header(&tc, &tx, now, &hdr);
	sent += len;
	tcp_check(&tc);
}

/* Lets time pass to the next deadline. */
static inline void fire(void)
{
	ck_assert_uint_ne(tcp_deadline(&tc), TIMER_NEVER);
	if (tcp_deadline(&tc) > now)
		now = tcp_deadline(&tc);
	tcp_timeout(&tc, now);
	tcp_check(&tc);
}

static inline uint32_t take_events(void)
{
	uint32_t e = tc.events;

	tc.events = 0;
	return e;
}

static inline struct packet *syn(void)
{
	struct packet *p = seg(TCP_SYN, 0, 0, 0);

	p->tcp.opt.has_mss = true;
	p->tcp.opt.mss = 1460;
	p->tcp.opt.has_wscale = true;
	p->tcp.opt.wscale = 7;
	p->tcp.opt.sack_permitted = true;
	return p;
}

/* A passive open up to ESTABLISHED, without timestamps unless `p` has them. */
static inline void establish_from(struct packet *p)
{
	bool ts = p->tcp.opt.has_ts;
	uint32_t val = p->tcp.opt.ts_val;

	tcp_init_passive(&tc, &env, &cfg, p, our_iss, 0, now);
	tcp_set_window(&tc, 1 << 20);
	expect_nothing();
	tcp_accept(&tc, now);
	expect(TCP_SYN | TCP_ACK, 0, 1, 0);
	now += 10 * MS;
	p = seg(TCP_ACK, 1, 1, 0);
	if (ts)
		with_ts(p, val, tcp_ts_now(&tc, now - 10 * MS));
	input(p);
	ck_assert(rx.acceptable);
	ck_assert_int_eq(tc.state, TCP_ESTABLISHED);
	ck_assert_uint_eq(take_events(), TCP_EVENT_ESTABLISHED);
	tc.quick_acks = 0;
	tc.ack_now = false;
}

static inline void establish(void)
{
	setup();
	establish_from(syn());
}

#endif
