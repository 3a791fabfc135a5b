/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Coupled congestion control: formulas against values computed by hand, and membership. */
#include <math.h>
#include <string.h>

#include "tcp/cc.h"
#include "tcp/tcp.h"
#include "unit.h"

#define MSS 1000u
#define SEC 1000000ull

/*
 * Path 0: 10 segments at 100 ms, path 1: 20 segments at 50 ms.  So, in segments and seconds,
 * w / rtt is 100 and 400, w / rtt^2 is 1000 and 8000.
 */
static struct tcp_conn tc[3];
static struct tcp_coupling coupling;
static uint64_t now;

static void begin_one(int i, const char *name, uint32_t segments, uint32_t rtt_us)
{
	struct tcp_conn *t = &tc[i];

	memset(t, 0, sizeof(*t));
	tcp_config_default(&t->cfg);
	t->cfg.cc = tcp_cc_find(name);
	ck_assert_ptr_nonnull(t->cfg.cc);
	t->mss = MSS;
	t->srtt_us = rtt_us;
	t->rto_us = 300000;
	t->cwnd_bytes = t->ssthresh_bytes = segments * MSS;
	t->flight_bytes = MSS;
	t->cfg.cc->init(t, now);
	tcp_coupling_join(&coupling, t);
}

static void begin(const char *name)
{
	now = 100 * SEC;
	tcp_coupling_init(&coupling);
	begin_one(0, name, 10, 100000);
	begin_one(1, name, 20, 50000);
}

static void ack(int i, uint32_t bytes, bool limited)
{
	struct tcp_ack_sample s = { .now_us = now, .acked_bytes = bytes,
				    .rtt_us = tc[i].srtt_us, .cwnd_limited = limited };

	tc[i].snd_una += bytes;
	tc[i].snd_nxt = tc[i].snd_una + tc[i].cwnd_bytes;
	tc[i].cfg.cc->on_ack(&tc[i], &s);
}

/* What one acknowledged segment adds to the window of `i`, in bytes. */
static double growth(int i)
{
	uint32_t cwnd = tc[i].cwnd_bytes;
	double grown;

	ack(i, MSS, true);
	grown = (double)tc[i].cwnd_bytes - cwnd;
	tc[i].cwnd_bytes = cwnd;
	return grown;
}

#define expect_growth(i, want) \
	do { \
		double have_ = growth(i); \
		ck_assert_msg(fabs(have_ - (want)) <= 1, "path %d grows by %f, not %f", i, have_, \
			      (double)(want)); \
	} while (0)

/* alpha = 30 * 8000 / 500^2 = 0.96; 0.96 / 30 of a segment per segment on either path. */
START_TEST(lia)
{
	struct tcp_coupling_sum sum;

	begin("lia");
	ck_assert(tcp_coupling_sum(&tc[0], now, &sum));
	ck_assert_uint_eq(sum.active, 2);
	ck_assert_double_eq_tol(tcp_coupling_alpha(&sum), 0.96, 1e-9);
	expect_growth(0, 32);
	expect_growth(1, 32);
	/* A wide window on a slow path: 1 / w is less there (alpha 4.09, sum 110). */
	tc[0].cwnd_bytes = tc[0].ssthresh_bytes = 100 * MSS;
	tc[0].srtt_us = 1000000;
	tc[1].cwnd_bytes = tc[1].ssthresh_bytes = 10 * MSS;
	tc[1].srtt_us = 50000;
	expect_growth(0, 10);
	expect_growth(1, 110 * 4000.0 / (300.0 * 300) / 110 * 1000);
	tc[0].cfg.cc->on_loss(&tc[0], now);
	ck_assert_uint_eq(tc[0].ssthresh_bytes, 50 * MSS);
}
END_TEST

START_TEST(balia)
{
	begin("balia");
	/* alpha = 4: 100 / (0.1 * 500^2) * 5 / 2 * 8 / 5. */
	expect_growth(0, 16);
	/* alpha = 1: 400 / (0.05 * 500^2). */
	expect_growth(1, 32);
	/* Losses: by 1.5 / 2, and by 1 / 2. */
	tc[0].cfg.cc->on_loss(&tc[0], now);
	ck_assert_uint_eq(tc[0].ssthresh_bytes, 2500);
	tc[1].cfg.cc->on_loss(&tc[1], now);
	ck_assert_uint_eq(tc[1].ssthresh_bytes, 10 * MSS);
}
END_TEST

START_TEST(olia)
{
	begin("olia");
	/* Path 1 is the best and has the greatest window, too: alpha is 0 for both. */
	ack(0, 100 * MSS, false);
	ack(1, 100 * MSS, false);
	expect_growth(0, 4);            /* 1000 / 500^2 */
	expect_growth(1, 32);           /* 8000 / 500^2 */
	/* Now path 0 is: window moves there, by (1 / 2) / w each way. */
	ack(0, 1000 * MSS, false);
	expect_growth(0, 4 + 50);
	expect_growth(1, 32 - 25);
	/* What was delivered between the last two losses counts as long as it is more. */
	tc[0].cfg.cc->on_loss(&tc[0], now);
	ck_assert_uint_eq(tc[0].ssthresh_bytes, 5 * MSS);
	tc[0].ssthresh_bytes = tc[0].cwnd_bytes;
	expect_growth(0, 4 + 50);
	tc[0].cfg.cc->on_loss(&tc[0], now);
	tc[0].ssthresh_bytes = tc[0].cwnd_bytes;
	expect_growth(0, 4);
	/* A loss that was none joins the two stretches. */
	ack(0, 1000 * MSS, false);
	tc[0].cfg.cc->on_loss(&tc[0], now);
	tc[0].cfg.cc->on_loss(&tc[0], now);
	tc[0].cfg.cc->on_undo(&tc[0], now);
	tc[0].ssthresh_bytes = tc[0].cwnd_bytes;
	expect_growth(0, 4);
	/* A window never shrinks below a segment by the negative term. */
	tc[0].cwnd_bytes = tc[0].ssthresh_bytes = 2 * MSS;
	tc[1].cwnd_bytes = tc[1].ssthresh_bytes = MSS;
	tc[1].srtt_us = 1000;
	ack(1, 100000 * MSS, false);
	for (int i = 0; i < 100; i++)
		ack(0, MSS, true);
	ck_assert_uint_ge(tc[0].cwnd_bytes, MSS);
}
END_TEST

/* Alone, all of them are Reno: 1 / w, and half. */
static void expect_reno(int i, double segments)
{
	uint32_t ssthresh = tc[i].ssthresh_bytes;

	expect_growth(i, 1000 / segments);
	tc[i].cfg.cc->on_loss(&tc[i], now);
	ck_assert_uint_eq(tc[i].ssthresh_bytes, (uint32_t)(segments * MSS / 2));
	tc[i].ssthresh_bytes = ssthresh;
}

/* Far from the 100 bytes of Reno. */
static void expect_linked(int i)
{
	ck_assert_double_lt(growth(i), 0.9 * 1000 * MSS / tc[i].cwnd_bytes);
}

static void check_alone(const char *name)
{
	begin(name);
	expect_linked(0);
	/* The other has no round-trip time yet. */
	tc[1].srtt_us = 0;
	expect_reno(0, 10);
	expect_reno(1, 20);
	tc[1].srtt_us = 50000;
	expect_linked(0);
	/* It is idle: nothing outstanding for a retransmission timeout. */
	tc[1].flight_bytes = 0;
	tc[1].last_send_us = now - 299999;
	expect_linked(0);
	tc[1].last_send_us = now - 300000;
	expect_reno(0, 10);
	/* ... but itself it is linked to one that is active. */
	expect_linked(1);
	/* Its path is dead: a timeout was repeated. */
	tc[1].flight_bytes = MSS;
	tc[1].unanswered = 1;
	expect_linked(0);
	tc[1].unanswered = 2;
	expect_reno(0, 10);
	tc[1].unanswered = 0;
	/* It ends. */
	tcp_coupling_leave(&tc[1]);
	tcp_coupling_leave(&tc[1]);
	expect_reno(0, 10);
	expect_reno(1, 20);
	tcp_coupling_join(&coupling, &tc[1]);
	tcp_coupling_join(&coupling, &tc[1]);
	expect_linked(0);
}

static const char *const linked[] = { "lia", "olia", "balia" };

START_TEST(alone)
{
	for (int i = 0; i < 3; i++)
		check_alone(linked[i]);
}
END_TEST

/* Slow start is each one's own, and what is not used does not grow. */
START_TEST(slow_start)
{
	for (int k = 0; k < 3; k++) {
		begin(linked[k]);
		tc[0].ssthresh_bytes = UINT32_MAX;
		expect_growth(0, 1000);
		tc[0].ssthresh_bytes = tc[0].cwnd_bytes;
		for (int i = 0; i < 100; i++)
			ack(0, MSS, false);
		ck_assert_uint_eq(tc[0].cwnd_bytes, 10 * MSS);
	}
}
END_TEST

/* While it shrinks the others see ssthresh, whatever PRR makes of cwnd meanwhile. */
START_TEST(recovery)
{
	struct tcp_coupling_sum sum;

	begin("lia");
	tc[1].recovery = TCP_RECOVERY_FAST;
	tc[1].cwnd_bytes = 3 * MSS;
	ck_assert(tcp_coupling_sum(&tc[0], now, &sum));
	ck_assert_double_eq_tol(sum.window, 30 * MSS, 1e-9);
	tc[1].recovery = TCP_RECOVERY_CWR;
	ck_assert(tcp_coupling_sum(&tc[0], now, &sum));
	ck_assert_double_eq_tol(sum.window, 30 * MSS, 1e-9);
	tc[1].recovery = TCP_RECOVERY_NONE;
	ck_assert(tcp_coupling_sum(&tc[0], now, &sum));
	ck_assert_double_eq_tol(sum.window, 13 * MSS, 1e-9);
}
END_TEST

/* ---- auto ---------------------------------------------------------------------- */

static void round_trip(int i)
{
	uint32_t n = tc[i].cwnd_bytes / MSS;
	uint64_t end = now + tc[i].srtt_us;

	for (uint32_t k = 0; k < n; k++) {
		now += tc[i].srtt_us / n;
		ack(i, MSS, true);
	}
	now = end;
}

static void lose(int i)
{
	tc[i].cfg.cc->on_loss(&tc[i], now);
	tc[i].cwnd_bytes = tc[i].ssthresh_bytes;
}

static double segments(int i)
{
	return tc[i].cwnd_bytes / (double)MSS;
}

static void expect_curve(double c, double w_max, double k, double t)
{
	double want = c * pow(t - k, 3) + w_max, have = segments(0);

	ck_assert_msg(fabs(have - want) < 0.01 * want + 3, "at %f: %f, not %f", t, have, want);
}

/* `n` equal subflows: each is the n-th part of a CUBIC flow, with C / n^4. */
START_TEST(auto_curve)
{
	for (int n = 1; n <= 3; n++) {
		double c = 0.4 / pow(n, 4), k = cbrt(300 / c);
		uint64_t start;

		now = 100 * SEC;
		tcp_coupling_init(&coupling);
		for (int i = 0; i < n; i++) {
			begin_one(i, "auto", 1000, 100000);
			lose(i);
		}
		/* Where the others are between loss and loss does not matter. */
		start = now;
		while (now < start + 20 * SEC) {
			for (int i = 1; i < n; i++)
				tc[i].cwnd_bytes = tc[0].cwnd_bytes > 1000 * MSS ?
					tc[0].cwnd_bytes : (900 + (uint32_t)(now % 100)) * MSS;
			round_trip(0);
			expect_curve(c, 1000, k, (double)(now - start) / 1e6);
		}
	}
}
END_TEST

/* Slow start that ended without a loss: the whole of CUBIC's curve until there is one. */
START_TEST(auto_before_a_loss)
{
	uint64_t start;

	now = 100 * SEC;
	tcp_coupling_init(&coupling);
	begin_one(0, "auto", 1000, 100000);
	begin_one(1, "auto", 1000, 100000);
	start = now;
	while (now < start + 5 * SEC)
		round_trip(0);
	expect_curve(0.4, 1000, 0, 5);
}
END_TEST

/* Reno-friendly: alpha of RFC 9438, section 4.3, times 1 / n^2. */
START_TEST(auto_friendly)
{
	double before;

	now = 100 * SEC;
	tcp_coupling_init(&coupling);
	for (int i = 0; i < 2; i++) {
		begin_one(i, "auto", 20, 10000);
		lose(i);
	}
	before = segments(0);
	for (int i = 0; i < 20; i++)
		round_trip(0);
	ck_assert_double_eq_tol(segments(0) - before, 20 * 0.5294 / 4, 0.2);
}
END_TEST

/* The other subflow stops and begins in mid-epoch: no jump, and the other curve from there. */
START_TEST(auto_transition)
{
	double half = 0.4 / 16, before, w;
	uint64_t start;

	now = 100 * SEC;
	tcp_coupling_init(&coupling);
	for (int i = 0; i < 2; i++) {
		begin_one(i, "auto", 1000, 100000);
		lose(i);
	}
	start = now;
	while (now < start + 5 * SEC)
		round_trip(0);
	w = segments(0);
	expect_curve(half, 1000, cbrt(300 / half), 5);
	tc[1].flight_bytes = 0;         /* idle from now on */
	before = segments(0);
	round_trip(0);
	ck_assert_double_ge(segments(0), before);
	ck_assert_double_lt(segments(0), before + 10);
	start = now;
	while (now < start + 3 * SEC)
		round_trip(0);
	expect_curve(0.4, 1000, cbrt((1000 - w) / 0.4), 3.1);
	while (segments(0) < 1050)
		round_trip(0);
	/* Above the old maximum, too. */
	tc[1].flight_bytes = MSS;
	tc[1].cwnd_bytes = tc[0].cwnd_bytes;
	w = before = segments(0);
	round_trip(0);
	ck_assert_double_ge(segments(0), before);
	ck_assert_double_lt(segments(0), before + 10);
	start = now;
	while (now < start + 3 * SEC) {
		tc[1].cwnd_bytes = tc[0].cwnd_bytes;
		round_trip(0);
	}
	expect_curve(half, 1000, -cbrt((w - 1000) / half), 3.1);
}
END_TEST

/* A needless reduction gives the curve back, with the fraction that it was made for. */
START_TEST(auto_undo)
{
	double half = 0.4 / 16;
	uint64_t start;

	now = 100 * SEC;
	tcp_coupling_init(&coupling);
	for (int i = 0; i < 2; i++) {
		begin_one(i, "auto", 1000, 100000);
		lose(i);
	}
	start = now;
	while (now < start + 8 * SEC) {
		uint32_t cwnd = tc[0].cwnd_bytes;

		if (now == start + 5 * SEC) {
			lose(0);
			tc[1].flight_bytes = 0;
			for (int i = 0; i < 3; i++)
				ack(0, MSS, true);
			tc[1].flight_bytes = MSS;
			tc[0].cwnd_bytes = tc[0].ssthresh_bytes = cwnd;
			tc[0].cfg.cc->on_undo(&tc[0], now);
		}
		tc[1].cwnd_bytes = tc[0].cwnd_bytes;
		round_trip(0);
	}
	expect_curve(half, 1000, cbrt(300 / half), 8);
}
END_TEST

/* A window of so many segments, and a loss at this round-trip time. */
static void lose_from(int i, uint32_t window, uint32_t rtt_us, bool mark)
{
	tc[i].cwnd_bytes = tc[i].ssthresh_bytes = window * MSS;
	tc[i].rack.rtt_us = rtt_us;
	(mark ? tc[i].cfg.cc->on_ecn : tc[i].cfg.cc->on_loss)(&tc[i], now);
	tc[i].cwnd_bytes = tc[i].ssthresh_bytes;
}

static void lose_at(int i, uint32_t rtt_us, bool mark)
{
	lose_from(i, 1000, rtt_us, mark);
}

/* Two subflows that have lost packets in full queues, `windows` segments each time. */
static void two_congested(uint32_t min_rtt_us, const uint32_t windows[2], int losses)
{
	now += 100 * SEC;
	tcp_coupling_init(&coupling);
	for (int i = 0; i < 2; i++) {
		begin_one(i, "auto", windows[i], 100000);
		tc[i].min_rtt_us = min_rtt_us;
		for (int k = 0; k < losses; k++)
			lose_from(i, windows[i], 150000, false);
	}
}

/* The curve after the last loss, for a fifth of its time; `f` is the fraction of a flow. */
static void expect_fraction(double f)
{
	double c = 0.4 * pow(f, 4), k = cbrt(300 / c);
	uint64_t start = now;

	while (now < start + (uint64_t)(k / 5 * 1e6))
		round_trip(0);
	expect_curve(c, 1000, k, (double)(now - start) / 1e6);
}

/* The fractions of paths that are unlike: f = W * sum(W^3) / sum(W^2)^2, at one round trip. */
START_TEST(auto_unequal)
{
	two_congested(100000, (const uint32_t[]){ 1000, 500 }, 2);
	expect_fraction(1.125 / (1.25 * 1.25));
	two_congested(100000, (const uint32_t[]){ 1000, 2000 }, 2);
	expect_fraction(9.0 / 25);
}
END_TEST

/* What subflows have got by chance is no better path: means of eight losses count. */
START_TEST(auto_means)
{
	two_congested(100000, (const uint32_t[]){ 1000, 1000 }, 8);
	lose_from(1, 1400, 150000, false);
	/* W is 1000 and 1050; 1400 would make it 0.43. */
	expect_fraction((1 + pow(1.05, 3)) / pow(1 + 1.05 * 1.05, 2));
	/* And the window grown since, if it is much. */
	two_congested(100000, (const uint32_t[]){ 1000, 1000 }, 8);
	tc[1].cwnd_bytes = tc[1].ssthresh_bytes = 1200 * MSS;
	expect_fraction(0.5);
	two_congested(100000, (const uint32_t[]){ 1000, 1000 }, 8);
	tc[1].cwnd_bytes = tc[1].ssthresh_bytes = 2000 * MSS;
	expect_fraction((1 + pow(1.6, 3)) / pow(1 + 1.6 * 1.6, 2));
}
END_TEST

/* A window that was reached with half of CUBIC's growth stands for one of twice the size. */
START_TEST(auto_fraction_in_use)
{
	two_congested(100000, (const uint32_t[]){ 1000, 1000 }, 1);
	for (int i = 0; i < 2; i++)
		ack(i, MSS, true);
	/* Both lose at half now: alike still. */
	for (int k = 0; k < 8; k++)
		lose_from(1, 500, 150000, false);
	lose_at(0, 150000, false);
	/* W is 1500 and 1000. */
	expect_fraction(1.5 * (pow(1.5, 3) + 1) / pow(1.5 * 1.5 + 1, 2));
}
END_TEST

/* Three losses in a row without a queue: the path is not congested, nothing is coupled. */
START_TEST(auto_clear_losses)
{
	static const struct {
		uint32_t min_rtt_us, rtt_us[4];         /* up to 0 */
		enum { LOSS, NEEDLESS, MARK } then;
		uint32_t then_rtt_us;
		double fraction;
	} c[] = {
		{ 100000, { 104000, 100000 }, LOSS, 150000, 0.5 },
		{ 100000, { 104000, 100000 }, LOSS, 104000, 1 },
		{ 100000, { 104000, 100000, 104000 }, LOSS, 104000, 1 },
		/* A reduction that was needless changes nothing. */
		{ 100000, { 104000, 100000, 104000 }, NEEDLESS, 104001, 1 },
		/* A queue; a mark, whatever the queue. */
		{ 100000, { 104000, 100000, 104000 }, LOSS, 104001, 0.5 },
		{ 100000, { 100000, 100000, 100000 }, MARK, 100000, 0.5 },
		/* A short path: a millisecond. */
		{ 5000, { 6001, 6001 }, LOSS, 6001, 0.5 },
		{ 5000, { 6000, 6000 }, LOSS, 6000, 1 },
		/* Nobody knows: coupled. */
		{ 5000, { 6000, 6000, 6000 }, LOSS, 0, 0.5 },
	};

	for (size_t i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
		two_congested(c[i].min_rtt_us, (const uint32_t[]){ 1000, 1000 }, 1);
		for (int k = 0; k < 4 && c[i].rtt_us[k]; k++)
			lose_at(0, c[i].rtt_us[k], false);
		lose_at(0, c[i].then_rtt_us, c[i].then == MARK);
		if (c[i].then == NEEDLESS) {
			tc[0].cfg.cc->on_undo(&tc[0], now);
			lose_at(0, 104000, false);
		}
		expect_fraction(c[i].fraction);
	}
}
END_TEST

/* Timeouts of segments that were too large: coupled as before, but the window stays small. */
START_TEST(auto_black_hole)
{
	now = 100 * SEC;
	tcp_coupling_init(&coupling);
	for (int i = 0; i < 2; i++)
		begin_one(i, "auto", 20, 10000);
	for (int congested = 0; congested < 2; congested++) {
		double fraction = congested ? 0.25 : 1, before;

		for (int i = 0; congested && i < 2; i++) {
			tc[i].cwnd_bytes = tc[i].ssthresh_bytes = 20 * MSS;
			lose(i);
		}
		tc[0].cwnd_bytes = tc[0].ssthresh_bytes = 20 * MSS;
		tc[0].cfg.cc->on_rto(&tc[0], now);
		tc[0].cfg.cc->on_black_hole(&tc[0]);
		ck_assert_uint_eq(tc[0].ssthresh_bytes, 14 * MSS);
		tc[0].cwnd_bytes = 14 * MSS;
		before = segments(0);
		for (int i = 0; i < 10; i++)
			round_trip(0);
		ck_assert_double_eq_tol(segments(0) - before, 10 * 0.5294 * fraction, 0.4);
	}
}
END_TEST

/* cubic is not coupled. */
START_TEST(cubic_alone)
{
	double k = cbrt(300 / 0.4);
	uint64_t start;

	now = 100 * SEC;
	tcp_coupling_init(&coupling);
	begin_one(0, "cubic", 1000, 100000);
	begin_one(1, "cubic", 700, 100000);
	lose(0);
	start = now;
	while (now < start + 5 * SEC)
		round_trip(0);
	expect_curve(0.4, 1000, k, 5);
}
END_TEST

UNIT_MAIN("coupled congestion control", lia, balia, olia, alone, slow_start, recovery,
	  auto_curve, auto_before_a_loss, auto_friendly, auto_transition, auto_undo,
	  auto_unequal, auto_means, auto_fraction_in_use, auto_clear_losses, auto_black_hole,
	  cubic_alone)
