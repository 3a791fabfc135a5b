/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state machine, segment arrival and acknowledgements, packet by packet.  Both
 * sequence spaces wrap early on.
 */
#include "tcp_script.h"

static void expect_state(enum tcp_state s)
{
	ck_assert_str_eq(tcp_state_name(tc.state), tcp_state_name(s));
}

/* ---- opening ---------------------------------------------------------------------- */

START_TEST(passive_open)
{
	setup();
	tcp_init_passive(&tc, &env, &cfg, syn(), our_iss, 5, now);
	tcp_set_window(&tc, 1 << 20);
	expect_state(TCP_SYN_RECEIVED);
	ck_assert_uint_eq(tcp_deadline(&tc), TIMER_NEVER);
	expect_nothing();
	/* The peer grows impatient while the answer is held back. */
	input(syn());
	ck_assert_uint_eq(take_events(), TCP_EVENT_SYN_AGAIN);
	expect_nothing();
	tcp_accept(&tc, now);
	expect(TCP_SYN | TCP_ACK, 0, 1, 0);
	ck_assert(hdr.opt.has_mss && hdr.opt.has_wscale && hdr.opt.sack_permitted);
	ck_assert(!hdr.opt.has_ts);
	ck_assert_uint_eq(hdr.opt.mss, 1460);
	ck_assert_uint_eq(hdr.window, 65535);
	ck_assert_uint_eq(tc.snd_wnd, 65535);
	/* Its time-out, with back-off, and a repeated SYN. */
	ck_assert_uint_eq(tcp_deadline(&tc), now + SEC);
	fire();
	expect(TCP_SYN | TCP_ACK, 0, 1, 0);
	ck_assert_uint_eq(tcp_deadline(&tc), now + 2 * SEC);
	input(syn());
	ck_assert_uint_eq(take_events(), TCP_EVENT_SYN_AGAIN);
	expect(TCP_SYN | TCP_ACK, 0, 1, 0);
	expect_nothing();
	/* A wrong ACK does not open. */
	input(seg(TCP_ACK, 1, 2, 0));
	expect_state(TCP_SYN_RECEIVED);
	ck_assert(!rx.acceptable);
	/* The third ACK may carry data. */
	input(seg(TCP_ACK, 1, 1, 100));
	expect_state(TCP_ESTABLISHED);
	ck_assert(rx.acceptable && rx.ack_advanced && rx.in_sequence);
	ck_assert_uint_eq(rx.len, 100);
	ck_assert_ptr_eq(rx.data, pkt.payload);
	ck_assert_uint_eq(rx.seq, peer_iss + 1);
	ck_assert_uint_eq(tc.snd_wnd, 65535u << 7);
	/* An answer may still carry the ACK. */
	expect_nothing();
	fire();
	expect(TCP_ACK, 1, 101, 0);
	ck_assert_uint_eq(hdr.window, (1 << 20) >> 8);
	finish();
}
END_TEST

START_TEST(syn_defaults)
{
	struct packet *p;

	/* What a peer takes that does not say (RFC 9293, section 3.7.1). */
	setup();
	p = seg(TCP_SYN, 0, 0, 0);
	ck_assert_int_eq(ip_addr_parse("2001:db8::1", &p->tuple.src.addr), 0);
	tcp_init_passive(&tc, &env, &cfg, p, our_iss, 0, now);
	ck_assert_uint_eq(tc.mss, 1220);
	finish();
	setup();
	p = seg(TCP_SYN, 0, 0, 0);
	ck_assert_int_eq(ip_addr_parse("192.0.2.1", &p->tuple.src.addr), 0);
	establish_from(p);
	ck_assert_uint_eq(tc.mss, 536);
	ck_assert(!tc.sack_on && !tc.wscale_on && !tc.ts_on);
	ck_assert_uint_eq(tc.snd_wnd, 65535);
	/* No scaling: a larger window does not fit the field, and one byte is no news. */
	input(seg(TCP_ACK, 1, 1, 1));
	tcp_request_ack(&tc);
	expect(TCP_ACK, 1, 2, 0);
	ck_assert_uint_eq(hdr.window, 65534);
	expect_nothing();
	tcp_set_window(&tc, 1 << 20);
	expect_nothing();
	finish();
	/* A silly MSS does not make us send silly segments. */
	setup();
	p = syn();
	p->tcp.opt.mss = 1;
	tcp_init_passive(&tc, &env, &cfg, p, our_iss, 0, now);
	ck_assert_uint_ge(tc.mss, 88);
	finish();
}
END_TEST

START_TEST(syn_ack_gives_up)
{
	setup();
	cfg.syn_retries = 3;
	tcp_init_passive(&tc, &env, &cfg, syn(), our_iss, 0, now);
	tcp_accept(&tc, now);
	for (int i = 0; i < 4; i++) {
		expect(TCP_SYN | TCP_ACK, 0, 1, 0);
		fire();
	}
	expect_state(TCP_CLOSED);
	ck_assert(take_events() & TCP_EVENT_TIMEOUT);
	ck_assert_uint_eq(tcp_deadline(&tc), TIMER_NEVER);
	finish();
}
END_TEST

START_TEST(refuse)
{
	setup();
	tcp_init_passive(&tc, &env, &cfg, syn(), our_iss, 0, now);
	ck_assert(tcp_abort(&tc, &tx));
	tcp_fill_header(&tc, &tx, now, &hdr);
	ck_assert_uint_eq(hdr.flags, TCP_RST | TCP_ACK);
	ck_assert_uint_eq(hdr.seq, 0);
	ck_assert_uint_eq(hdr.ack, peer_iss + 1);
	expect_state(TCP_CLOSED);
	ck_assert(!tcp_abort(&tc, &tx));
	finish();
}
END_TEST

static void active(void)
{
	setup();
	tcp_init_active(&tc, &env, &cfg, our_iss, 0, now);
	tcp_set_window(&tc, 100000);
	expect(TCP_SYN | TCP_ECE | TCP_CWR, 0, 0, 0);
	ck_assert(hdr.opt.has_ts && hdr.opt.has_mss && hdr.opt.sack_permitted);
}

static struct packet *syn_ack(uint32_t ack)
{
	struct packet *p = syn();

	p->tcp.flags |= TCP_ACK;
	p->tcp.ack = our_iss + ack;
	return p;
}

START_TEST(active_open)
{
	active();
	input(syn_ack(2));                      /* not our SYN */
	expect_state(TCP_SYN_SENT);
	input(seg(TCP_RST | TCP_ACK, 0, 2, 0)); /* nor this */
	expect_state(TCP_SYN_SENT);
	input(syn_ack(1));
	expect_state(TCP_ESTABLISHED);
	ck_assert(rx.acceptable);
	expect(TCP_ACK, 1, 1, 0);
	finish();

	active();
	input(seg(TCP_RST | TCP_ACK, 0, 1, 0));
	expect_state(TCP_CLOSED);
	ck_assert_uint_eq(take_events(), TCP_EVENT_RESET);
	finish();

	/* Both at once. */
	active();
	input(syn());
	expect_state(TCP_SYN_RECEIVED);
	expect(TCP_SYN | TCP_ACK, 0, 1, 0);
	input(syn_ack(1));
	expect_state(TCP_ESTABLISHED);
	finish();
}
END_TEST

/* ---- closing ---------------------------------------------------------------------- */

START_TEST(we_close_first)
{
	establish();
	send_data(100);
	tcp_close(&tc, now);
	expect_state(TCP_FIN_WAIT_1);
	ck_assert_uint_eq(tcp_send_room(&tc), 0);
	expect(TCP_FIN | TCP_ACK, 101, 1, 0);
	expect_nothing();
	input(seg(TCP_ACK, 1, 101, 0));
	expect_state(TCP_FIN_WAIT_1);
	input(seg(TCP_ACK, 1, 102, 0));
	expect_state(TCP_FIN_WAIT_2);
	ck_assert_uint_eq(tcp_deadline(&tc), TIMER_NEVER);
	/* Half-closed: data still comes in. */
	input(seg(TCP_ACK, 1, 102, 50));
	ck_assert_uint_eq(rx.len, 50);
	input(seg(TCP_ACK | TCP_FIN, 51, 102, 0));
	expect_state(TCP_TIME_WAIT);
	ck_assert_uint_eq(take_events() & ~TCP_EVENT_ACKED, TCP_EVENT_FIN | TCP_EVENT_CLOSED);
	expect(TCP_ACK, 102, 52, 0);
	/* A repeated FIN restarts the wait. */
	now += 30 * SEC;
	input(seg(TCP_ACK | TCP_FIN, 51, 102, 0));
	expect(TCP_ACK, 102, 52, 0);
	ck_assert_uint_eq(tcp_deadline(&tc), now + 60 * SEC);
	fire();
	expect_state(TCP_CLOSED);
	finish();
}
END_TEST

START_TEST(peer_closes_first)
{
	establish();
	input(seg(TCP_ACK | TCP_FIN, 1, 1, 10));
	ck_assert_uint_eq(rx.len, 10);
	expect_state(TCP_CLOSE_WAIT);
	ck_assert(take_events() & TCP_EVENT_FIN);
	expect(TCP_ACK, 1, 12, 0);
	send_data(1000);
	tcp_close(&tc, now);
	expect_state(TCP_LAST_ACK);
	expect(TCP_FIN | TCP_ACK, 1001, 12, 0);
	/* The FIN is lost. */
	input(seg(TCP_ACK, 12, 1001, 0));
	fire();
	while (!output())
		fire();
	ck_assert_uint_eq(hdr.flags, TCP_FIN | TCP_ACK);
	ck_assert_uint_eq(hdr.seq, our_iss + 1001);
	input(seg(TCP_ACK, 12, 1002, 0));
	expect_state(TCP_CLOSED);
	ck_assert(take_events() & TCP_EVENT_CLOSED);
	finish();
}
END_TEST

START_TEST(both_close)
{
	establish();
	tcp_close(&tc, now);
	expect(TCP_FIN | TCP_ACK, 1, 1, 0);
	input(seg(TCP_ACK | TCP_FIN, 1, 1, 0));
	expect_state(TCP_CLOSING);
	expect(TCP_ACK, 2, 2, 0);
	input(seg(TCP_ACK, 2, 2, 0));
	expect_state(TCP_TIME_WAIT);
	finish();

	/* FIN and the ACK of ours in one segment. */
	establish();
	tcp_close(&tc, now);
	expect(TCP_FIN | TCP_ACK, 1, 1, 0);
	input(seg(TCP_ACK | TCP_FIN, 1, 2, 0));
	expect_state(TCP_TIME_WAIT);
	finish();
}
END_TEST

START_TEST(orphan_is_bounded)
{
	establish();
	tcp_close(&tc, now);
	expect(TCP_FIN | TCP_ACK, 1, 1, 0);
	input(seg(TCP_ACK, 1, 2, 0));
	expect_state(TCP_FIN_WAIT_2);
	tc.orphan = true;
	fire();
	ck_assert_uint_eq(tcp_deadline(&tc), now + 60 * SEC);
	fire();
	expect_state(TCP_CLOSED);
	finish();
}
END_TEST

START_TEST(fin_beyond_gap)
{
	const uint8_t *data;
	uint32_t seq;

	establish();
	input(seg(TCP_ACK | TCP_FIN, 101, 1, 100));
	expect_state(TCP_ESTABLISHED);
	expect(TCP_ACK, 1, 1, 0);
	input(seg(TCP_ACK, 1, 1, 100));
	ck_assert_uint_eq(rx.len, 100);
	expect_state(TCP_ESTABLISHED);
	ck_assert_uint_eq(tcp_rx_pop(&tc, &data, &seq, now), 100);
	ck_assert_uint_eq(seq, peer_iss + 101);
	ck_assert_mem_eq(data, bytes + 101, 100);
	ck_assert_uint_eq(tcp_rx_pop(&tc, &data, &seq, now), 0);
	expect_state(TCP_CLOSE_WAIT);
	ck_assert(take_events() & TCP_EVENT_FIN);
	expect(TCP_ACK, 1, 202, 0);
	finish();
}
END_TEST

/* ---- attacks ---------------------------------------------------------------------- */

START_TEST(resets)
{
	establish();
	input(seg(TCP_RST, 2, 0, 0));           /* in the window, not exact */
	expect_state(TCP_ESTABLISHED);
	expect(TCP_ACK, 1, 1, 0);
	input(seg(TCP_RST, 0x40000000, 0, 0));  /* outside */
	expect_nothing();
	input(seg(TCP_RST, 1, 0, 0));
	expect_state(TCP_CLOSED);
	ck_assert(rx.acceptable);
	ck_assert_uint_eq(take_events(), TCP_EVENT_RESET);
	finish();
}
END_TEST

START_TEST(challenge_acks_are_limited)
{
	int n = 0;

	establish();
	for (int i = 0; i < 50; i++) {
		input(seg(TCP_SYN, 1000, 0, 0));
		n += output();
	}
	ck_assert_int_eq(n, 10);
	ck_assert_uint_eq(COUNT(TCP_CHALLENGE_ACK), 10);
	now += SEC;
	input(seg(TCP_SYN, 0, 0, 0));
	expect(TCP_ACK, 1, 1, 0);
	expect_state(TCP_ESTABLISHED);
	/* ACKs of what was never sent, and from long ago. */
	input(seg(TCP_ACK, 1, 2, 10));
	ck_assert(!rx.acceptable && !rx.len);
	expect(TCP_ACK, 1, 1, 0);
	input(seg(TCP_ACK, 1, 0x80000100u, 10));
	ck_assert(!rx.acceptable && !rx.len);
	expect(TCP_ACK, 1, 1, 0);
	ck_assert_uint_eq(COUNT(TCP_BAD_ACK), 2);
	/* No ACK at all. */
	input(seg(0, 1, 0, 10));
	ck_assert(!rx.acceptable && !rx.len);
	finish();
}
END_TEST

START_TEST(paws)
{
	uint32_t val = 0xfffffff0u;

	setup();
	establish_from(with_ts(syn(), val, 0));
	ck_assert(tc.ts_on);
	input(with_ts(seg(TCP_ACK, 1, 1, 10), val + 100, 0));
	ck_assert_uint_eq(rx.len, 10);
	ck_assert_uint_eq(tc.ts_recent, val + 100);
	tcp_request_ack(&tc);
	expect(TCP_ACK, 1, 11, 0);
	ck_assert_uint_eq(hdr.opt.ts_ecr, val + 100);
	input(with_ts(seg(TCP_ACK, 11, 1, 10), val + 99, 0));
	ck_assert(!rx.acceptable && !rx.len);
	ck_assert_uint_eq(COUNT(TCP_PAWS), 1);
	expect(TCP_ACK, 1, 11, 0);
	/* A segment beyond a gap does not move TS.Recent. */
	input(with_ts(seg(TCP_ACK, 21, 1, 10), val + 300, 0));
	ck_assert_uint_eq(tc.ts_recent, val + 100);
	/* RST needs no timestamp (RFC 7323, section 5.2); old ones count for nothing
	 * after 24 days. */
	now += 25ull * 24 * 3600 * SEC;
	input(with_ts(seg(TCP_ACK, 11, 1, 10), val - 5, 0));
	ck_assert_uint_eq(rx.len, 10);
	ck_assert_uint_eq(tc.ts_recent, val - 5);
	finish();
}
END_TEST

/* ---- receiving -------------------------------------------------------------------- */

START_TEST(delayed_ack)
{
	establish();
	input(seg(TCP_ACK, 1, 1, 1420));
	expect_nothing();
	ck_assert_uint_eq(tcp_deadline(&tc), now + 40 * MS);
	input(seg(TCP_ACK, 1421, 1, 1420));
	expect(TCP_ACK, 1, 2841, 0);
	ck_assert_uint_eq(tcp_deadline(&tc), TIMER_NEVER);
	input(seg(TCP_ACK, 2841, 1, 1));
	expect_nothing();
	fire();
	expect(TCP_ACK, 1, 2842, 0);
	/* Sending takes the ACK along. */
	input(seg(TCP_ACK, 2842, 1, 1));
	send_data(10);
	ck_assert_uint_eq(hdr.ack, peer_iss + 2843);
	expect_nothing();
	/* A super-segment is acknowledged at once. */
	input(seg(TCP_ACK, 2843, 11, 30000));
	expect(TCP_ACK, 11, 32843, 0);
	finish();
}
END_TEST

/* Where the peer's link takes less than ours, two of its full-sized segments are two, too. */
START_TEST(delayed_ack_of_smaller_segments)
{
	struct packet p;

	setup();
	p = *syn();
	p.tcp.opt.mss = 1388;
	establish_from(&p);
	input(seg(TCP_ACK, 1, 1, 1348));
	expect_nothing();
	input(seg(TCP_ACK, 1349, 1, 1348));
	expect(TCP_ACK, 1, 2697, 0);
	finish();
}
END_TEST

START_TEST(quick_acks)
{
	establish();
	tc.quick_acks = 16;
	for (uint32_t i = 0; i < 15; i++) {
		input(seg(TCP_ACK, 1 + i, 1, 1));
		expect_nothing();
		ck_assert_uint_eq(tcp_deadline(&tc), now + 5000);
		fire();
		expect(TCP_ACK, 1, 2 + i, 0);
	}
	/* A whole segment is the beginning of more. */
	input(seg(TCP_ACK, 16, 1, 1460));
	expect(TCP_ACK, 1, 1476, 0);
	input(seg(TCP_ACK, 1476, 1, 1));
	expect_nothing();
	ck_assert_uint_eq(tcp_deadline(&tc), now + 40000);
	finish();
}
END_TEST

static void expect_sack(unsigned i, uint32_t begin, uint32_t end)
{
	ck_assert_uint_lt(i, hdr.opt.sack_count);
	ck_assert_uint_eq(hdr.opt.sack[i].begin - peer_iss, begin);
	ck_assert_uint_eq(hdr.opt.sack[i].end - peer_iss, end);
}

/* The `len` bytes that are in order now, from sequence number `seq` on. */
static void expect_popped(uint32_t seq, size_t len)
{
	const uint8_t *data;
	size_t n, got = 0;
	uint32_t at;

	while ((n = tcp_rx_pop(&tc, &data, &at, now))) {
		ck_assert_uint_eq(at, peer_iss + seq + got);
		ck_assert_mem_eq(data, bytes + seq + got, n);
		got += n;
	}
	ck_assert_uint_eq(got, len);
}

START_TEST(sack_blocks)
{
	establish();
	input(seg(TCP_ACK, 101, 1, 100));
	expect(TCP_ACK, 1, 1, 0);
	ck_assert_uint_eq(hdr.opt.sack_count, 1);
	expect_sack(0, 101, 201);
	input(seg(TCP_ACK, 301, 1, 100));
	expect(TCP_ACK, 1, 1, 0);
	expect_sack(0, 301, 401);
	expect_sack(1, 101, 201);
	input(seg(TCP_ACK, 501, 1, 100));
	expect(TCP_ACK, 1, 1, 0);
	/* The first one grows and comes to the front. */
	input(seg(TCP_ACK, 201, 1, 50));
	expect(TCP_ACK, 1, 1, 0);
	ck_assert_uint_eq(hdr.opt.sack_count, 3);
	expect_sack(0, 101, 251);
	expect_sack(1, 501, 601);
	expect_sack(2, 301, 401);
	/* Two merge. */
	input(seg(TCP_ACK, 251, 1, 50));
	expect(TCP_ACK, 1, 1, 0);
	ck_assert_uint_eq(hdr.opt.sack_count, 2);
	expect_sack(0, 101, 401);
	/* DSACK: inside what is held, then below the ACK. */
	input(seg(TCP_ACK, 301, 1, 100));
	expect(TCP_ACK, 1, 1, 0);
	expect_sack(0, 301, 401);
	expect_sack(1, 101, 401);
	input(seg(TCP_ACK, 1, 1, 100));
	ck_assert_uint_eq(rx.len, 100);
	expect_popped(101, 300);
	expect(TCP_ACK, 1, 401, 0);
	ck_assert_uint_eq(hdr.opt.sack_count, 1);
	expect_sack(0, 501, 601);
	input(seg(TCP_ACK, 301, 1, 100));
	ck_assert_uint_eq(rx.len, 0);
	expect(TCP_ACK, 1, 401, 0);
	ck_assert_uint_eq(hdr.opt.sack_count, 2);
	expect_sack(0, 301, 401);
	expect_sack(1, 501, 601);
	/* Told once. */
	tcp_request_ack(&tc);
	expect(TCP_ACK, 1, 401, 0);
	ck_assert_uint_eq(hdr.opt.sack_count, 1);
	/* Part of a segment is held: at its end, at its beginning. */
	input(seg(TCP_ACK, 451, 1, 100));
	expect(TCP_ACK, 1, 401, 0);
	ck_assert_uint_eq(hdr.opt.sack_count, 2);
	expect_sack(0, 501, 551);
	expect_sack(1, 451, 601);
	input(seg(TCP_ACK, 551, 1, 100));
	expect(TCP_ACK, 1, 401, 0);
	expect_sack(0, 551, 601);
	expect_sack(1, 451, 651);
	/* Two parts: the first one. */
	input(seg(TCP_ACK, 701, 1, 50));
	expect(TCP_ACK, 1, 401, 0);
	input(seg(TCP_ACK, 601, 1, 200));
	expect(TCP_ACK, 1, 401, 0);
	expect_sack(0, 601, 651);
	expect_sack(1, 451, 801);
	/* Of one that fills the gap: what is behind it; before it goes what is older. */
	input(seg(TCP_ACK, 401, 1, 100));
	expect_popped(501, 300);
	expect(TCP_ACK, 1, 801, 0);
	ck_assert_uint_eq(hdr.opt.sack_count, 1);
	expect_sack(0, 451, 501);
	input(seg(TCP_ACK, 851, 1, 50));
	expect(TCP_ACK, 1, 801, 0);
	input(seg(TCP_ACK, 751, 1, 150));
	expect(TCP_ACK, 1, 901, 0);
	ck_assert_uint_eq(hdr.opt.sack_count, 1);
	expect_sack(0, 751, 801);
	finish();
}
END_TEST

/* Duplicates of one batch: each is reported, on an ACK of its own (RFC 2883, section 4) ... */
START_TEST(dsack_each)
{
	establish();
	input(seg(TCP_ACK, 1, 1, 1000));
	input(seg(TCP_ACK, 1001, 1, 1000));
	input(seg(TCP_ACK, 3001, 1, 1000));
	expect(TCP_ACK, 1, 2001, 0);
	input(seg(TCP_ACK, 1, 1, 100));
	input(seg(TCP_ACK, 501, 1, 100));
	input(seg(TCP_ACK, 501, 1, 100));
	input(seg(TCP_ACK, 3001, 1, 1000));
	input(seg(TCP_ACK, 2001, 1, 100));
	expect(TCP_ACK, 1, 2101, 0);
	expect_sack(0, 1, 101);
	expect_sack(1, 3001, 4001);
	expect(TCP_ACK, 1, 2101, 0);
	expect_sack(0, 501, 601);
	expect(TCP_ACK, 1, 2101, 0);
	expect_sack(0, 501, 601);
	expect(TCP_ACK, 1, 2101, 0);
	expect_sack(0, 3001, 4001);
	expect_sack(1, 3001, 4001);
	expect_nothing();
	/* ... but of segments in a row all at once. */
	for (uint32_t i = 0; i < 6; i++)
		input(seg(TCP_ACK, 501 + i * 100, 1, 100));
	expect(TCP_ACK, 1, 2101, 0);
	expect_sack(0, 501, 1101);
	expect_nothing();
	/* The first of too many go untold. */
	for (uint32_t i = 0; i < 10; i++)
		input(seg(TCP_ACK, 1 + i * 200, 1, 100));
	for (uint32_t i = 6; i < 10; i++) {
		expect(TCP_ACK, 1, 2101, 0);
		expect_sack(0, 1 + i * 200, 101 + i * 200);
	}
	expect_nothing();
	finish();
}
END_TEST

START_TEST(overlap)
{
	establish();
	input(seg(TCP_ACK, 1, 1, 100));
	input(seg(TCP_ACK, 51, 1, 100));
	ck_assert_uint_eq(rx.len, 50);
	ck_assert_uint_eq(rx.seq, peer_iss + 101);
	ck_assert_ptr_eq(rx.data, pkt.payload + 50);
	expect(TCP_ACK, 1, 151, 0);
	expect_sack(0, 51, 101);
	finish();
}
END_TEST

START_TEST(receive_window)
{
	setup();
	cfg.rcv_wscale = 4;
	establish_from(syn());
	tcp_set_window(&tc, 1000);
	tcp_request_ack(&tc);
	/* 65535 were announced with the SYN/ACK: the edge must not move back. */
	expect(TCP_ACK, 1, 1, 0);
	ck_assert_uint_eq(hdr.window, 65535 >> 4);
	input(seg(TCP_ACK, 1, 1, 65000));
	ck_assert_uint_eq(rx.len, 65000);
	/* A step below one segment is not told. */
	expect(TCP_ACK, 1, 65001, 0);
	ck_assert_uint_eq(hdr.window, (65536 - 65001) >> 4);
	tcp_set_window(&tc, 3000);
	tcp_request_ack(&tc);
	expect(TCP_ACK, 1, 65001, 0);
	ck_assert_uint_eq(hdr.window, 3000 >> 4);
	tcp_set_window(&tc, 0);
	/* The announced edge stands; beyond it nothing is taken. */
	input(seg(TCP_ACK, 65001, 1, 4000));
	ck_assert_uint_eq(rx.len, (3000 >> 4) << 4);
	expect(TCP_ACK, 1, 65001 + 2992, 0);
	ck_assert_uint_eq(hdr.window, 0);
	/* Window zero: ACKs count, data does not. */
	send_data(10);
	input(seg(TCP_ACK, 67993, 11, 100));
	ck_assert(rx.ack_advanced);
	ck_assert_uint_eq(rx.len, 0);
	expect(TCP_ACK, 11, 67993, 0);
	/* A probe from below is answered. */
	input(seg(TCP_ACK, 67992, 11, 0));
	expect(TCP_ACK, 11, 67993, 0);
	/* Small openings are not worth an ACK, large ones are. */
	tcp_set_window(&tc, 1000);
	expect_nothing();
	tcp_set_window(&tc, 600000);
	expect(TCP_ACK, 11, 67993, 0);
	ck_assert_uint_eq(hdr.window, 600000 >> 4);
	finish();
}
END_TEST

START_TEST(keepalive)
{
	establish();
	input(seg(TCP_ACK, 0, 1, 0));
	ck_assert(!rx.acceptable);
	expect(TCP_ACK, 1, 1, 0);
	input(seg(TCP_ACK, 0, 1, 1));
	expect(TCP_ACK, 1, 1, 0);
	finish();
}
END_TEST

START_TEST(urgent_is_data)
{
	establish();
	input(seg(TCP_ACK | TCP_URG, 1, 1, 10));
	ck_assert_uint_eq(rx.len, 10);
	finish();
}
END_TEST

/* ---- sending ---------------------------------------------------------------------- */

START_TEST(zero_window_probe)
{
	struct packet *p;

	establish();
	p = seg(TCP_ACK, 1, 1, 0);
	p->tcp.window = 0;
	input(p);
	ck_assert_uint_eq(tcp_send_room(&tc), 0);
	tc.want_send = true;
	fire();
	expect_nothing();
	ck_assert_uint_gt(tcp_deadline(&tc), now);
	for (int i = 0; i < 30; i++) {
		uint64_t before = now;

		fire();
		expect(TCP_ACK, 0, 1, 0);       /* below snd_una */
		expect_nothing();
		ck_assert_uint_le(now - before, 60 * SEC);
		p = seg(TCP_ACK, 1, 1, 0);
		p->tcp.window = 0;
		input(p);
	}
	input(seg(TCP_ACK, 1, 1, 0));
	ck_assert_uint_gt(tcp_send_room(&tc), 0);
	ck_assert_uint_eq(tcp_deadline(&tc), TIMER_NEVER);
	/* A peer that answers nothing is given up. */
	p = seg(TCP_ACK, 1, 1, 0);
	p->tcp.window = 0;
	input(p);
	for (int i = 0; i < 14 && tc.state != TCP_CLOSED; i++) {
		fire();
		output();
	}
	expect_state(TCP_CLOSED);
	ck_assert(take_events() & TCP_EVENT_TIMEOUT);
	finish();
}
END_TEST

START_TEST(mapping_is_kept)
{
	establish();
	send_data(14600);
	tcp_tx_set_checksum(&tc, &tx, 0x1234);
	ck_assert_uint_eq(tx.map_seq, our_iss + 1);
	ck_assert_uint_eq(tx.map_len, 14600);
	/* All is lost; what comes again is one segment, with the mapping of the whole. */
	tc.tlp_out = true;
	fire();
	while (!output())
		fire();
	ck_assert(tx.retransmission);
	ck_assert_uint_le(tx.len, 1460);
	ck_assert_uint_eq(tx.map_seq, our_iss + 1);
	ck_assert_uint_eq(tx.map_len, 14600);
	ck_assert_uint_eq(tx.map_checksum, 0x1234);
	ck_assert_uint_eq(tx.offset, tx.seq - our_iss - 1);
	finish();
}
END_TEST

START_TEST(abort_states)
{
	establish();
	send_data(100);
	ck_assert(tcp_abort(&tc, &tx));
	ck_assert_uint_eq(tx.flags, TCP_RST | TCP_ACK);
	ck_assert_uint_eq(tx.seq, our_iss + 101);
	expect_state(TCP_CLOSED);
	ck_assert_uint_eq(tcp_deadline(&tc), TIMER_NEVER);
	expect_nothing();
	input(seg(TCP_ACK, 1, 1, 10));
	ck_assert(!rx.acceptable);
	finish();
}
END_TEST

/* Round trips of 10 ms that use all of the window, until it is more than `bytes`. */
static void use_window(uint32_t bytes)
{
	uint32_t acked = (uint32_t)sent;

	while (tc.cwnd_bytes <= bytes) {
		for (int i = 0; i < 40; i++) {
			uint32_t room;

			expect_nothing();
			while ((room = tcp_send_room(&tc)))
				send_data(room > 65000 ? 65000 : room);
			now += MS / 4;
			if (i == 35)
				acked = (uint32_t)sent;
		}
		input(seg(TCP_ACK, 1, acked + 1, 0));
	}
	now += 10 * MS;
	input(seg(TCP_ACK, 1, (uint32_t)sent + 1, 0));
}

START_TEST(idle_window)
{
	uint32_t cwnd;

	establish();
	use_window(100000);
	cwnd = tc.cwnd_bytes;
	/* RFC 7661: kept for five minutes, however long the pause is beside an RTO. */
	now += 299 * SEC;
	expect_nothing();
	ck_assert_uint_eq(tc.cwnd_bytes, cwnd);
	/* But not in one burst: a part now, and the rest at its pace. */
	ck_assert_uint_ge(tcp_send_room(&tc), 14600);
	ck_assert_uint_lt(tcp_send_room(&tc), cwnd / 4);
	now += 2 * SEC;
	tc.ssthresh_bytes = 20000;
	expect_nothing();
	ck_assert_uint_eq(tc.cwnd_bytes, cwnd / 2);
	ck_assert_uint_eq(tc.ssthresh_bytes, cwnd / 4 * 3);
	now += 3600 * SEC;
	expect_nothing();
	ck_assert_uint_eq(tc.cwnd_bytes, 14600);
	finish();
}
END_TEST

/* For three seconds one segment at a time. */
static void grow_a_window_and_leave_it_unused(void)
{
	use_window(100000);
	for (int i = 0; i < 300; i++) {
		send_data(1460);
		now += 10 * MS;
		input(seg(TCP_ACK, 1, (uint32_t)sent + 1, 0));
		expect_nothing();
	}
}

/* A loss while little of the window was in use: what was used is reduced, not the window. */
START_TEST(loss_of_an_unused_window)
{
	uint32_t begin;

	establish();
	grow_a_window_and_leave_it_unused();
	ck_assert_uint_gt(tc.cwnd_bytes, 100000);
	begin = (uint32_t)sent + 1;
	for (int i = 0; i < 5; i++)
		send_data(1460);
	now += 10 * MS;
	input(with_sack(seg(TCP_ACK, 1, begin, 0), begin + 1460, begin + 5 * 1460));
	ck_assert_int_eq(tc.recovery, TCP_RECOVERY_FAST);
	/* Which counts as the initial window at least. */
	ck_assert_uint_le(tc.ssthresh_bytes, 14600);
	ck_assert_uint_ge(tc.ssthresh_bytes, 14600 / 2);
	finish();
}
END_TEST

/* The same where a tail loss probe has repaired it. */
START_TEST(probed_loss_of_an_unused_window)
{
	establish();
	grow_a_window_and_leave_it_unused();
	send_data(1460);
	fire();
	expect(TCP_ACK, (uint32_t)sent + 1 - 1460, 1, 1460);
	ck_assert_uint_eq(COUNT(TCP_TLP), 1);
	now += 10 * MS;
	input(seg(TCP_ACK, 1, (uint32_t)sent + 1, 0));
	send_data(1460);
	now += 10 * MS;
	ck_assert_uint_gt(tc.cwnd_bytes, 100000);
	input(seg(TCP_ACK, 1, (uint32_t)sent + 1, 0));
	ck_assert(!tc.tlp_out);
	ck_assert_uint_le(tc.ssthresh_bytes, 14600);
	finish();
}
END_TEST

/* A pause at the same time: nothing was in flight, and the window is as good as before. */
START_TEST(used_window_is_validated)
{
	uint32_t cwnd, begin;

	establish();
	use_window(100000);
	expect_nothing();
	begin = (uint32_t)sent + 1;
	while (tcp_send_room(&tc))
		send_data(1460);
	now += 10 * MS;
	cwnd = tc.cwnd_bytes;
	input(with_sack(seg(TCP_ACK, 1, begin, 0), begin + 1460, begin + 5 * 1460));
	ck_assert_int_eq(tc.recovery, TCP_RECOVERY_FAST);
	ck_assert_uint_ge(tc.ssthresh_bytes, cwnd / 2);
	finish();
}
END_TEST

/* `n` segments a round trip, each acknowledged. */
static void use_segments(int rounds, uint32_t n)
{
	for (int i = 0; i < rounds; i++) {
		uint32_t una = (uint32_t)sent + 1;

		for (uint32_t k = 0; k < n; k++)
			send_data(1460);
		now += 10 * MS;
		for (uint32_t k = 1; k <= n; k++)
			input(seg(TCP_ACK, 1, una + k * 1460, 0));
	}
}

START_TEST(window_grows_only_with_use)
{
	setup();
	cfg.pacing = false;
	establish_from(syn());
	ck_assert_uint_eq(tc.cwnd_bytes, 10 * 1460);
	/* In slow start more than half of it is use enough. */
	use_segments(40, 5);
	ck_assert_uint_eq(tc.cwnd_bytes, 10 * 1460);
	use_segments(40, 6);
	ck_assert_uint_eq(tc.cwnd_bytes, 12 * 1460);
	finish();
}
END_TEST

static void fill_window(void)
{
	while (tcp_send_room(&tc) >= 1460)
		send_data(1460);
}

/* What the window allows is sent, and acknowledged segment by segment `rtt_us` later. */
static void keep_window_full(int rounds, uint64_t rtt_us)
{
	fill_window();
	for (int i = 0; i < rounds; i++) {
		uint32_t at = tc.snd_una - our_iss, end = tc.snd_nxt - our_iss;

		now += rtt_us;
		while (at != end) {
			input(seg(TCP_ACK, 1, at += 1460, 0));
			fill_window();
		}
	}
}

/* HyStart++ counts rounds from the first byte on, whatever its number is. */
START_TEST(slow_start_ends_when_queues_grow)
{
	static const uint32_t numbers[] = { 0, 0x70000000u, 0x90000000u };

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		setup();
		cfg.pacing = false;
		our_iss = numbers[i];
		establish_from(syn());
		keep_window_full(3, 10 * MS);
		ck_assert_uint_eq(tc.ssthresh_bytes, UINT32_MAX);
		keep_window_full(7, 30 * MS);
		ck_assert_uint_lt(tc.ssthresh_bytes, UINT32_MAX);
		finish();
	}
}
END_TEST

UNIT_MAIN("tcp state", passive_open, syn_defaults, syn_ack_gives_up, refuse, active_open,
	  we_close_first, peer_closes_first, both_close, orphan_is_bounded, fin_beyond_gap, resets,
	  challenge_acks_are_limited, paws, delayed_ack, delayed_ack_of_smaller_segments,
	  quick_acks, sack_blocks, dsack_each, overlap, receive_window, keepalive, urgent_is_data,
	  zero_window_probe, mapping_is_kept, abort_states, idle_window, loss_of_an_unused_window,
	  probed_loss_of_an_unused_window, used_window_is_validated, window_grows_only_with_use,
	  slow_start_ends_when_queues_grow)
