/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A peer that makes no sense: random segments near the valid ranges, random SACK
 * blocks, timestamps and flags, mixed with sending, closing and time-outs.  The
 * endpoint's counts and lists must stay consistent, its timers armed, and what it
 * sends inside what was given to it.
 */
#include "tcp_script.h"

static uint64_t rng;

static uint32_t pick(uint32_t n)
{
	return (uint32_t)unit_random_below(&rng, n);
}

/* Mostly near `at`, sometimes anywhere. */
static uint32_t near(uint32_t at, uint32_t spread)
{
	switch (pick(8)) {
	case 0:
		return (uint32_t)unit_random(&rng);
	case 1:
	case 2:
	case 3:
		return at;
	default:
		return at + pick(2 * spread) - spread;
	}
}

static struct packet *random_segment(void)
{
	static const uint8_t flags[] = { TCP_ACK, TCP_ACK, TCP_ACK, TCP_ACK, TCP_ACK, TCP_ACK,
					 TCP_ACK | TCP_PSH, TCP_ACK | TCP_URG, 0, TCP_SYN,
					 TCP_SYN | TCP_ACK };
	struct packet *p = seg(0, 0, 0, pick(3) ? 0 : pick(3000));

	p->tcp.flags = flags[pick(sizeof(flags))];
	if (!pick(200))
		p->tcp.flags |= pick(3) ? TCP_FIN : TCP_RST;
	p->tcp.seq = near(tc.rcv_nxt, 5000);
	p->tcp.ack = near(tc.snd_una + (tc.flight_bytes ? pick(tc.flight_bytes + 1) : 0), 3000);
	p->tcp.window = pick(6) ? 65535 : (uint16_t)pick(200);
	if (pick(2))
		with_ts(p, near(tc.ts_recent, 20), near(tcp_ts_now(&tc, now), 200));
	for (uint32_t n = pick(5); n; n--) {
		struct tcp_sack_block *b = &p->tcp.opt.sack[p->tcp.opt.sack_count++];

		b->begin = near(tc.snd_una + (tc.flight_bytes ? pick(tc.flight_bytes) : 0), 100);
		b->end = b->begin + pick(5000);
	}
	return p;
}

static void drain(uint64_t *limit)
{
	for (int i = 0; output(); i++) {
		ck_assert_int_lt(i, 2000);
		if (tx.len) {
			ck_assert_uint_le(tx.offset + tx.len, sent);
			ck_assert_uint_eq((uint32_t)tx.offset, tx.seq - tc.iss - 1);
			ck_assert(seq32_leq(tx.map_seq, tx.seq));
			ck_assert(seq32_leq(tx.seq + tx.len, tx.map_seq + tx.map_len));
		}
		ck_assert_uint_gt((*limit)--, 0);
	}
}

static void random_round(uint64_t seed)
{
	uint64_t limit = 1000000;

	rng = seed;
	setup();
	peer_iss = (uint32_t)unit_random(&rng);
	our_iss = (uint32_t)unit_random(&rng);
	cfg.sack = pick(4);
	cfg.timestamps = pick(2);
	cfg.cc = pick(2) ? &tcp_cc_reno : &tcp_cc_cubic;
	if (pick(2))
		establish_from(with_ts(syn(), 5000, 0));
	else
		establish_from(syn());
	for (int i = 0; i < 400 && tc.state != TCP_CLOSED; i++) {
		const uint8_t *data;
		uint32_t seq, room;

		switch (pick(12)) {
		case 0:
			if (tcp_deadline(&tc) != TIMER_NEVER)
				fire();
			break;
		case 1:
			tcp_set_window(&tc, pick(4) ? 1 << 20 : pick(5000));
			break;
		case 2:
			if (!pick(30))
				tcp_close(&tc, now);
			break;
		case 3:
			if (!pick(10))
				tcp_path_mtu(&tc, (uint16_t)(300 + pick(1300)), now);
			break;
		case 4:
		case 5:
			room = tcp_send_room(&tc);
			if (room)
				send_data(1 + pick(room > 65000 ? 65000 : room));
			break;
		default:
			now += pick(20000);
			input(random_segment());
			while (tcp_rx_pop(&tc, &data, &seq, now))
				;
			tcp_check(&tc);
		}
		tc.want_send = pick(2);
		tc.orphan = !pick(50);
		drain(&limit);
		tcp_check(&tc);
		if (tc.flight_bytes && tc.state != TCP_CLOSED)
			ck_assert_uint_ne(tcp_deadline(&tc), TIMER_NEVER);
	}
	finish();
}

START_TEST(random_peer)
{
	const char *one = getenv("SEED");

	if (one) {
		random_round(strtoull(one, NULL, 0));
		return;
	}
	for (uint64_t seed = 1; seed <= unit_rounds(3000); seed++)
		random_round(seed);
}
END_TEST

UNIT_MAIN("tcp random", random_peer)
