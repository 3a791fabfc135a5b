/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Congestion controllers alone: growth against the closed forms of the RFCs. */
#include <math.h>
#include <string.h>

#include "tcp/cc.h"
#include "tcp/hystart.h"
#include "tcp/tcp.h"
#include "unit.h"

#define MSS 1000u
#define RTT 100000u

static struct tcp_conn tc;
static uint64_t now;
static uint32_t rtt_us;                 /* that ACKs measure */

static void begin(const char *name, uint32_t segments)
{
	memset(&tc, 0, sizeof(tc));
	tcp_config_default(&tc.cfg);
	tc.cfg.cc = tcp_cc_find(name);
	ck_assert_ptr_nonnull(tc.cfg.cc);
	tc.mss = MSS;
	tc.srtt_us = RTT;
	tc.rto_us = 300000;
	tc.cwnd_bytes = segments * MSS;
	tc.ssthresh_bytes = UINT32_MAX;
	now = 1000000;
	rtt_us = RTT;
	tc.cfg.cc->init(&tc, now);
}

static void ack(uint32_t len, bool limited)
{
	struct tcp_ack_sample s = { .now_us = now, .acked_bytes = len, .rtt_us = rtt_us,
				    .prior_flight_bytes = tc.cwnd_bytes,
				    .cwnd_limited = limited };

	tc.snd_una += len;
	tc.snd_nxt = tc.snd_una + tc.cwnd_bytes;
	tc.cfg.cc->on_ack(&tc, &s);
}

/* One round trip in which the whole window is acknowledged, evenly. */
static void round_trip(void)
{
	uint32_t n = tc.cwnd_bytes / MSS;
	uint64_t end = now + RTT;

	for (uint32_t i = 0; i < n; i++) {
		now += RTT / n;
		ack(MSS, true);
	}
	now = end;
}

static void loss(void)
{
	tc.cfg.cc->on_loss(&tc, now);
	tc.cwnd_bytes = tc.ssthresh_bytes;
}

START_TEST(names)
{
	ck_assert_ptr_eq(tcp_cc_find("cubic"), &tcp_cc_cubic);
	ck_assert_ptr_eq(tcp_cc_find("reno"), &tcp_cc_reno);
	ck_assert_ptr_null(tcp_cc_find("vegas"));
}
END_TEST

START_TEST(reno)
{
	begin("reno", 10);
	round_trip();
	ck_assert_uint_eq(tc.cwnd_bytes, 20 * MSS);
	ack(MSS, false);
	ck_assert_uint_eq(tc.cwnd_bytes, 20 * MSS);
	loss();
	ck_assert_uint_eq(tc.cwnd_bytes, 10 * MSS);
	for (int i = 0; i < 10; i++)
		round_trip();
	ck_assert_uint_eq(tc.cwnd_bytes, 20 * MSS);
	/* Slow start ends at ssthresh exactly; the rest counts for avoidance. */
	tc.cwnd_bytes = 5 * MSS;
	ack(100 * MSS, true);
	ck_assert_uint_gt(tc.cwnd_bytes, 10 * MSS);
	tc.cwnd_bytes = 2 * MSS;
	loss();
	ck_assert_uint_eq(tc.cwnd_bytes, 2 * MSS);
}
END_TEST

/* RFC 9438, figure 1, from a loss at 1000 segments. */
START_TEST(cubic_curve)
{
	double k, start;

	begin("cubic", 1000);
	tc.ssthresh_bytes = 1000 * MSS;
	loss();
	ck_assert_uint_eq(tc.cwnd_bytes, 700 * MSS);
	k = cbrt(1000 * 0.3 / 0.4);
	start = (double)now / 1e6;
	for (int i = 0; i < 150; i++) {
		double t, want, have;

		round_trip();
		t = (double)now / 1e6 - start;
		want = 0.4 * pow(t - k, 3) + 1000;
		have = tc.cwnd_bytes / (double)MSS;
		/* W_est is below at this size; the window follows a round trip ahead. */
		ck_assert_msg(fabs(have - want) < 0.02 * want + 5, "t %f: %f, not %f", t, have,
			      want);
	}
	ck_assert_uint_gt(tc.cwnd_bytes, 1050 * MSS);
}
END_TEST

START_TEST(cubic_fast_convergence)
{
	double k, t, want;

	begin("cubic", 1000);
	tc.ssthresh_bytes = 1000 * MSS;
	loss();
	loss();                         /* at 700: below the last maximum */
	ck_assert_uint_eq(tc.cwnd_bytes, 490 * MSS);
	/* W_max is now 700 * 0.85. */
	k = cbrt((595 - 490) / 0.4);
	for (int i = 0; i < 60; i++)
		round_trip();
	t = 6;
	want = 0.4 * pow(t - k, 3) + 595;
	ck_assert_msg(fabs(tc.cwnd_bytes / (double)MSS - want) < 15, "%u, not %f",
		      tc.cwnd_bytes / MSS, want);
}
END_TEST

/* With small windows CUBIC grows as Reno would with its back-off (section 4.3). */
START_TEST(cubic_friendly)
{
	begin("cubic", 20);
	tc.ssthresh_bytes = 20 * MSS;
	loss();
	ck_assert_uint_eq(tc.cwnd_bytes, 14 * MSS);
	for (int i = 0; i < 10; i++)
		round_trip();
	/* 0.53 segments per round trip. */
	ck_assert_uint_ge(tc.cwnd_bytes, 18 * MSS);
	ck_assert_uint_le(tc.cwnd_bytes, 20 * MSS);
}
END_TEST

START_TEST(cubic_undo_and_idle)
{
	uint32_t before;

	begin("cubic", 1000);
	tc.ssthresh_bytes = 1000 * MSS;
	loss();
	for (int i = 0; i < 30; i++)
		round_trip();
	before = tc.cwnd_bytes;
	tc.cfg.cc->on_loss(&tc, now);
	tc.cfg.cc->on_undo(&tc, now);
	tc.ssthresh_bytes = 700 * MSS;
	round_trip();
	ck_assert_uint_ge(tc.cwnd_bytes, before);
	ck_assert_uint_lt(tc.cwnd_bytes, before + 40 * MSS);
	/* Time without a need for the window does not move the curve. */
	before = tc.cwnd_bytes;
	for (int i = 0; i < 100; i++) {
		now += RTT;
		ack(MSS, false);
	}
	ck_assert_uint_eq(tc.cwnd_bytes, before);
	round_trip();
	ck_assert_uint_lt(tc.cwnd_bytes, before + 40 * MSS);
	/* Nor does a pause, which the window outlives (cwv.c). */
	before = tc.cwnd_bytes;
	now += 600000;
	tc.cfg.cc->on_idle(&tc, now, 600000);
	ck_assert_uint_eq(tc.cwnd_bytes, before);
	round_trip();
	ck_assert_uint_lt(tc.cwnd_bytes, before + 40 * MSS);
}
END_TEST

/* The window, which first is not needed, grows by fewer segments than `most`. */
static void little_then_much(uint32_t most)
{
	uint32_t before = tc.cwnd_bytes;

	now += RTT;
	ack(MSS, false);
	ck_assert_uint_eq(tc.cwnd_bytes, before);
	for (int i = 0; i < 3; i++)
		round_trip();
	ck_assert_uint_ge(tc.cwnd_bytes, before);
	ck_assert_uint_lt(tc.cwnd_bytes, before + most * MSS);
}

/*
 * A little is sent after a pause, and then much (section 5.8): the curve goes on where it stood.
 * The pause is time without a need for the window, too, but not twice.
 */
START_TEST(cubic_little_after_a_pause)
{
	uint32_t before;

	begin("cubic", 1000);
	tc.ssthresh_bytes = 1000 * MSS;
	loss();
	for (int i = 0; i < 30; i++)
		round_trip();
	before = tc.cwnd_bytes;
	now += 10000000;
	tc.cfg.cc->on_idle(&tc, now, 10000000);
	ck_assert_uint_eq(tc.cwnd_bytes, before);
	little_then_much(60);
}
END_TEST

/* The same of a needless reduction, which lets the curve stand still. */
START_TEST(cubic_little_after_an_undo)
{
	uint32_t before;

	begin("cubic", 1000);
	tc.ssthresh_bytes = 1000 * MSS;
	loss();
	round_trip();
	before = tc.cwnd_bytes;
	tc.cfg.cc->on_rto(&tc, now);
	now += 3000000;
	tc.cfg.cc->on_undo(&tc, now);
	tc.ssthresh_bytes = 700 * MSS;
	ck_assert_uint_eq(tc.cwnd_bytes, before);
	little_then_much(80);
}
END_TEST

/* After a timeout the curve begins where slow start ends, with K = 0 (section 4.8). */
START_TEST(cubic_timeout)
{
	uint64_t start;

	begin("cubic", 1000);
	tc.ssthresh_bytes = 1000 * MSS;
	tc.cfg.cc->on_rto(&tc, now);
	ck_assert_uint_eq(tc.ssthresh_bytes, 700 * MSS);
	tc.cwnd_bytes = MSS;
	while (tc.cwnd_bytes < tc.ssthresh_bytes)
		round_trip();
	start = now;
	while (now < start + 5 * 1000000)
		round_trip();
	/* Not 700 and 224 more in five seconds, as on the way back to 1000. */
	ck_assert_msg(fabs(tc.cwnd_bytes / (double)MSS - (700 + 0.4 * 125)) < 15, "%u",
		      tc.cwnd_bytes / MSS);
}
END_TEST

/* A steady round trip: slow start goes on.  A rising one: it is left. */
START_TEST(hystart)
{
	struct hystart h;
	uint32_t una = 0xffffff00u, window = 20;
	unsigned divisor = 1, rounds = 0;

	hystart_init(&h, una + window);
	for (int r = 0; r < 10; r++)
		for (uint32_t i = 0; i < window; i++) {
			una++;
			ck_assert_uint_eq(hystart_ack(&h, una, una + window, 50000), 1);
		}
	/* 50 ms / 8 is the threshold: 5 ms more are noise, 7 ms are not. */
	for (uint32_t i = 0; i < window; i++) {
		una++;
		ck_assert_uint_eq(hystart_ack(&h, una, una + window, 55000), 1);
	}
	for (uint32_t i = 0; i < 2 * window; i++) {
		una++;
		divisor = hystart_ack(&h, una, una + window, 62000);
	}
	ck_assert_uint_eq(divisor, 4);
	/* It falls again: resume. */
	for (uint32_t i = 0; i < 2 * window; i++) {
		una++;
		divisor = hystart_ack(&h, una, una + window, 50000);
	}
	ck_assert_uint_eq(divisor, 1);
	/* It stays: out after five rounds. */
	for (uint32_t i = 0; i < 20 * window && divisor; i++) {
		una++;
		divisor = hystart_ack(&h, una, una + window, 70000);
		rounds = i / window;
	}
	ck_assert_uint_eq(divisor, 0);
	ck_assert_uint_ge(rounds, 4);
	ck_assert_uint_le(rounds, 6);
	ck_assert_uint_eq(hystart_ack(&h, una, una + window, 70000), 1);
}
END_TEST

/* Three rounds of `window` samples of `base_us`, then two of what is so much more. */
static unsigned after_rise(struct hystart *h, uint32_t window, uint32_t base_us, uint32_t rise_us)
{
	unsigned divisor = 0;

	hystart_init(h, window);
	for (uint32_t i = 1; i <= 5 * window; i++)
		divisor = hystart_ack(h, i, i + window, i <= 3 * window ? base_us : base_us + rise_us);
	return divisor;
}

/* RFC 9406, section 4.2: an eighth of the round trip, but 4 to 16 ms; of eight samples a round. */
START_TEST(hystart_thresholds)
{
	struct hystart h;

	ck_assert_uint_eq(after_rise(&h, 20, 50000, 6249), 1);
	ck_assert_uint_eq(after_rise(&h, 20, 50000, 6250), 4);
	ck_assert_uint_eq(after_rise(&h, 20, 8000, 3999), 1);
	ck_assert_uint_eq(after_rise(&h, 20, 8000, 4000), 4);
	ck_assert_uint_eq(after_rise(&h, 20, 200000, 15999), 1);
	ck_assert_uint_eq(after_rise(&h, 20, 200000, 16000), 4);
	ck_assert_uint_eq(after_rise(&h, 7, 50000, 50000), 1);
	ck_assert_uint_eq(after_rise(&h, 8, 50000, 50000), 4);
	/* So many, too, for the rise to have been noise. */
	for (uint32_t i = 1; i <= 8; i++)
		ck_assert_uint_eq(hystart_ack(&h, 40 + i, 48 + i, 50000), i < 8 ? 4 : 1);
}
END_TEST

/* Out of slow start also when the last of the rounds does not need the window (section 4.2). */
START_TEST(hystart_out_unlimited)
{
	begin("cubic", 20);
	for (int i = 0; i < 3; i++)
		round_trip();
	rtt_us = 2 * RTT;
	round_trip();
	round_trip();
	ck_assert_uint_eq(tc.ssthresh_bytes, UINT32_MAX);
	for (uint32_t i = 0; i < 6 * tc.cwnd_bytes / MSS; i++) {
		now += RTT / 10;
		ack(MSS, false);
	}
	ck_assert_uint_eq(tc.ssthresh_bytes, tc.cwnd_bytes);
}
END_TEST

/* A needless reduction does not end it for good: slow start goes on, and so does the watch. */
START_TEST(hystart_after_undo)
{
	static const char *const names[] = { "cubic", "lia", "olia", "balia" };

	for (size_t i = 0; i < 2 * sizeof(names) / sizeof(names[0]); i++) {
		bool lost = i % 2;      /* a true one before it does */

		begin(names[i / 2], 20);
		round_trip();
		if (lost)
			loss();
		tc.cfg.cc->on_rto(&tc, now);
		tc.cfg.cc->on_undo(&tc, now);
		tc.ssthresh_bytes = UINT32_MAX;
		round_trip();
		rtt_us = 2 * RTT;
		for (int r = 0; r < 8; r++)
			round_trip();
		ck_assert_msg((tc.ssthresh_bytes == UINT32_MAX) == lost, "%s, %d", names[i / 2],
			      lost);
	}
}
END_TEST

UNIT_MAIN("tcp congestion control", names, reno, cubic_curve, cubic_fast_convergence,
	  cubic_friendly, cubic_undo_and_idle, cubic_little_after_a_pause,
	  cubic_little_after_an_undo, cubic_timeout, hystart, hystart_thresholds,
	  hystart_out_unlimited, hystart_after_undo)
