/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pacing: how much leaves at once, and when the rest follows. */
#include "tcp_pair.h"

static struct tcp_config cfg;
static struct pair p;

/* A sender of `total` bytes over 40 ms round trip and 50 Mbit/s. */
static void begin(uint64_t total)
{
	pair_init(&p, 1);
	tcp_config_default(&cfg);
	cfg.keepalive_idle_us = 0;
	p.s[0].total = total;
	p.s[0].buffer = p.s[1].buffer = 8 << 20;
	p.s[0].out.rate_bps = 50000000;
	p.s[0].out.delay_us = p.s[1].out.delay_us = 20000;
}

/* Runs to the end; returns the largest burst (bytes sent at one moment) once `after` bytes
 * were sent, and in *times at how many moments something was sent. */
static uint32_t largest_burst(uint64_t after, uint32_t *times)
{
	uint32_t largest = 0;

	*times = 0;
	pair_start(&p, &cfg);
	while (!p.s[1].fin) {
		uint64_t before = p.s[0].sent;
		uint64_t now = p.now_us;

		ck_assert(pair_step(&p));
		ck_assert_uint_lt(p.now_us, 100000000);
		ck_assert(p.now_us > now || p.s[0].sent == before || before == 0);
		if (p.s[0].sent == before)
			continue;
		(*times)++;
		if (before >= after && p.s[0].sent - before > largest)
			largest = (uint32_t)(p.s[0].sent - before);
	}
	return largest;
}

/* The initial window goes at once; what follows never in bursts of more than a quantum. */
START_TEST(no_bursts)
{
	uint32_t times, largest;

	begin(3000000);
	largest = largest_burst(14480, &times);
	/* A quarter of a millisecond of two windows of 1 MB per 40 ms at most. */
	ck_assert_msg(largest <= 12500, "burst of %u", largest);
	ck_assert_uint_gt(times, 100);
	pair_fini(&p);
}
END_TEST

START_TEST(initial_window_at_once)
{
	begin(14480);
	pair_start(&p, &cfg);
	while (!p.s[0].sent)
		ck_assert(pair_step(&p));
	ck_assert_uint_eq(p.s[0].sent, 14480);
	pair_fini(&p);
}
END_TEST

/* On a path of less than two milliseconds a window leaves whole. */
START_TEST(short_path_not_paced)
{
	begin(3000000);
	p.s[0].out.rate_bps = 0;
	p.s[0].out.delay_us = p.s[1].out.delay_us = 500;
	pair_start(&p, &cfg);
	while (!p.s[1].fin) {
		ck_assert(pair_step(&p));
		ck_assert(!tcp_paced(&p.s[0].tc));
	}
	ck_assert_uint_eq(tcp_pace_rate(&p.s[0].tc), UINT64_MAX);
	pair_fini(&p);
}
END_TEST

/* An established sender with `cwnd` free bytes of window. */
static void established(uint32_t cwnd)
{
	begin(10000000);
	pair_start(&p, &cfg);
	while (p.s[0].tc.snd_una - p.s[0].tc.iss < 20000)
		ck_assert(pair_step(&p));
	p.s[0].tc.cwnd_bytes = cwnd + p.s[0].tc.flight_bytes;
	p.s[0].tc.ssthresh_bytes = p.s[0].tc.cwnd_bytes;
	pair_flush(&p, 0);
}

/* The deadline tells when a quantum is there, and then it is sent, and no more. */
START_TEST(timer_brings_a_quantum)
{
	uint64_t rate, before, due;

	established(400000);
	ck_assert(tcp_paced(&p.s[0].tc));
	ck_assert_uint_eq(tcp_send_room(&p.s[0].tc), 0);
	rate = tcp_pace_rate(&p.s[0].tc);
	for (int i = 0; i < 5; i++) {
		before = p.s[0].sent;
		due = tcp_deadline(&p.s[0].tc);
		ck_assert_uint_gt(due, p.now_us);
		ck_assert_uint_le(due, p.now_us + 350);
		p.now_us = due;
		tcp_timeout(&p.s[0].tc, p.now_us);
		pair_flush(&p, 0);
		ck_assert_uint_ge(p.s[0].sent - before, rate / 4000 - 1448);
		ck_assert_uint_le(p.s[0].sent - before, rate * 3 / 8000);
	}
	pair_fini(&p);
}
END_TEST

/* A timer that fires late is made good, up to a bound. */
START_TEST(late_timer)
{
	uint64_t rate, before;

	established(400000);
	rate = tcp_pace_rate(&p.s[0].tc);
	before = p.s[0].sent;
	p.now_us += 5000;
	tcp_timeout(&p.s[0].tc, p.now_us);
	pair_flush(&p, 0);
	ck_assert_uint_ge(p.s[0].sent - before, rate * 4 / 1000);
	ck_assert_uint_le(p.s[0].sent - before, rate * 5 / 1000 + 1448);
	before = p.s[0].sent;
	p.now_us += 20000;
	tcp_timeout(&p.s[0].tc, p.now_us);
	pair_flush(&p, 0);
	ck_assert_uint_le(p.s[0].sent - before, rate * 9 / 1000 + 1448);
	pair_fini(&p);
}
END_TEST

/* What the application did not use is not kept: after a pause, no burst beyond a quantum
 * while something is in flight. */
START_TEST(no_credit_for_silence)
{
	uint64_t rate, before;

	established(400000);
	rate = tcp_pace_rate(&p.s[0].tc);
	before = p.s[0].total;
	p.s[0].total = p.s[0].sent;
	p.s[0].keep_open = true;
	p.s[0].tc.want_send = false;
	ck_assert(!tcp_paced(&p.s[0].tc));
	p.now_us += 6000;
	tcp_timeout(&p.s[0].tc, p.now_us);
	p.s[0].total = before;
	before = p.s[0].sent;
	pair_flush(&p, 0);
	ck_assert_uint_le(p.s[0].sent - before, rate / 4000 + 1448);
	pair_fini(&p);
}
END_TEST

/* A queue of a tenth of the bandwidth-delay product: pacing loses less and is done sooner. */
START_TEST(shallow_queue)
{
	uint64_t dropped[2], end[2];

	for (int paced = 0; paced < 2; paced++) {
		begin(10000000);
		p.s[0].out.queue_bytes = 25000;
		cfg.pacing = paced;
		pair_start(&p, &cfg);
		ck_assert(pair_run(&p, 60000000));
		dropped[paced] = p.s[0].out.dropped;
		end[paced] = p.now_us;
		pair_fini(&p);
	}
	ck_assert_msg(end[1] < end[0], "paced %llu us and %llu lost, unpaced %llu us and %llu lost",
		      (unsigned long long)end[1], (unsigned long long)dropped[1],
		      (unsigned long long)end[0], (unsigned long long)dropped[0]);
}
END_TEST

UNIT_MAIN("tcp pacing", no_bursts, initial_window_at_once, short_path_not_paced,
	  timer_brings_a_quantum, late_timer, no_credit_for_silence, shallow_queue)
