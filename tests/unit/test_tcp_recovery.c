/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loss recovery on links with scripted losses: which mechanism repairs what, how
 * fast, and what it costs.
 */
#include "tcp_pair.h"

static struct tcp_config cfg;
static struct pair p;

/* One sender (side 0), 20 ms round trip, 50 Mbit/s with a deep queue. */
static void begin(uint64_t seed, uint64_t total)
{
	pair_init(&p, seed);
	tcp_config_default(&cfg);
	p.s[0].total = total;
	p.s[0].buffer = p.s[1].buffer = 8 << 20;
	p.s[0].out.rate_bps = 50000000;
}

static double run(void)
{
	uint64_t from = p.now_us;

	pair_start(&p, &cfg);
	if (!pair_run(&p, 300000000)) {
		pair_print(&p);
		ck_abort_msg("not finished");
	}
	return (double)(p.now_us - from) / 1e6;
}

/* Starts, and goes on until the receiver has it all. */
static void run_to_last_byte(void)
{
	pair_start(&p, &cfg);
	while (p.s[1].received < p.s[0].total && pair_step(&p))
		;
}

/* Starts, and after a while stops both links for longer than a timeout. */
static void run_with_a_stall(uint32_t stall_us)
{
	pair_start(&p, &cfg);
	while (p.now_us < 1200000 && pair_step(&p))
		;
	for (uint32_t i = 0; i < p.count; i++)
		p.queue[i].at_us += stall_us;
	p.s[0].out.free_us += stall_us;
	p.s[1].out.free_us += stall_us;
	ck_assert(pair_run(&p, 60000000));
}

#define COUNT(id) p.counters.v[CNT_##id]

START_TEST(no_loss)
{
	double t;

	begin(1, 20000000);
	t = run();
	/* 3.2 s of data at the link's rate, with headers. */
	ck_assert_msg(t < 3.7, "took %f", t);
	ck_assert_uint_eq(COUNT(TCP_RETRANS), 0);
	ck_assert_uint_eq(COUNT(TCP_RTO), 0);
	/* A million bytes of ACKs: no more than one per two segments, about. */
	ck_assert_uint_lt(p.s[1].out.passed, p.s[0].out.passed / 2 + 200);
	pair_fini(&p);
}
END_TEST

START_TEST(single_loss)
{
	begin(2, 200000);
	p.s[0].out.drop_from = 20;
	p.s[0].out.drop_to = 21;
	ck_assert(run() < 0.3);
	ck_assert_uint_eq(COUNT(TCP_RETRANS), 1);
	ck_assert_uint_eq(COUNT(TCP_FAST_RECOVERY), 1);
	ck_assert_uint_eq(COUNT(TCP_RTO), 0);
	ck_assert_uint_eq(COUNT(TCP_SPURIOUS), 0);
	pair_fini(&p);
}
END_TEST

START_TEST(burst_loss)
{
	double t;

	begin(3, 1000000);
	p.s[0].out.drop_from = 100;
	p.s[0].out.drop_to = 140;
	t = run();
	ck_assert_msg(t < 0.7, "took %f", t);
	ck_assert_uint_eq(COUNT(TCP_FAST_RECOVERY), 1);
	ck_assert_uint_eq(COUNT(TCP_RTO), 0);
	pair_fini(&p);
}
END_TEST

/* The last segments of the stream are lost: a probe finds out, not the timeout. */
START_TEST(tail_loss)
{
	double t;

	begin(4, 14480);
	p.s[0].keep_open = true;
	p.s[0].out.drop_from = 8;
	p.s[0].out.drop_to = 10;
	run_to_last_byte();
	t = (double)p.now_us / 1e6 - 1;
	ck_assert_uint_eq(p.s[1].received, 14480);
	ck_assert_msg(t < 0.15, "took %f", t);
	ck_assert_uint_eq(COUNT(TCP_TLP), 1);
	ck_assert_uint_eq(COUNT(TCP_RTO), 0);
	ck_assert_uint_eq(COUNT(TCP_FAST_RECOVERY), 1);
	pair_fini(&p);
}
END_TEST

/* The probe itself repairs the loss: whether the window is to be reduced shows later. */
START_TEST(tail_loss_repaired_by_probe)
{
	begin(5, 14480);
	p.s[0].keep_open = true;
	p.s[0].out.drop_from = 9;
	p.s[0].out.drop_to = 10;
	run_to_last_byte();
	while (p.s[0].tc.flight_bytes && pair_step(&p))
		;
	ck_assert_uint_eq(COUNT(TCP_TLP), 1);
	ck_assert_uint_eq(COUNT(TCP_RTO), 0);
	ck_assert_uint_eq(COUNT(TCP_FAST_RECOVERY), 0);
	/* Nothing beyond the probe is acknowledged yet: the verdict waits (RFC 8985, 7.4). */
	ck_assert(p.s[0].tc.tlp_out);
	ck_assert_uint_eq(p.s[0].tc.ssthresh_bytes, UINT32_MAX);
	pair_fini(&p);
}
END_TEST

/* A retransmission is lost too: RACK sees it within a round trip. */
START_TEST(lost_retransmission)
{
	double t;

	begin(6, 400000);
	p.s[0].out.drop_offset = 30000;
	p.s[0].out.drop_times = 2;
	t = run();
	ck_assert_uint_eq(p.s[0].out.drop_times, 0);
	ck_assert_uint_eq(COUNT(TCP_RETRANS), 2);
	ck_assert_uint_eq(COUNT(TCP_FAST_RECOVERY), 1);
	ck_assert_uint_eq(p.s[1].received, 400000);
	ck_assert_msg(t < 0.5, "took %f", t);
	ck_assert_uint_eq(COUNT(TCP_RTO), 0);
	pair_fini(&p);
}
END_TEST

/* The path is dead for a while: one timeout after another, then all goes on. */
START_TEST(outage)
{
	double t;

	begin(7, 2000000);
	p.s[0].out.down_from_us = 1100000;
	p.s[0].out.down_to_us = 2000000;
	t = run();
	ck_assert_msg(t < 2.5, "took %f", t);
	ck_assert_uint_ge(COUNT(TCP_RTO), 2);
	ck_assert(p.s[0].events & TCP_EVENT_RTO);
	pair_fini(&p);
}
END_TEST

START_TEST(gives_up)
{
	begin(8, 2000000);
	cfg.retries = 4;
	p.s[0].out.down_from_us = 1100000;
	p.s[0].out.down_to_us = UINT64_MAX;
	pair_start(&p, &cfg);
	while (p.s[0].tc.state != TCP_CLOSED && pair_step(&p))
		;
	ck_assert(p.s[0].events & TCP_EVENT_TIMEOUT);
	ck_assert_uint_eq(COUNT(TCP_RTO), 4);
	ck_assert_uint_eq(COUNT(TCP_TIMEOUT), 1);
	pair_fini(&p);
}
END_TEST

/* ACKs stand still longer than the timeout: F-RTO finds it needless. */
START_TEST(spurious_timeout)
{
	begin(9, 3000000);
	run_with_a_stall(900000);
	ck_assert_uint_ge(COUNT(TCP_RTO), 1);
	ck_assert_uint_ge(COUNT(TCP_SPURIOUS), 1);
	ck_assert_uint_lt(COUNT(TCP_RETRANS), 5);
	pair_fini(&p);
}
END_TEST

/* Without timestamps too, and without SACK, if one timeout is all. */
START_TEST(spurious_timeout_no_timestamps)
{
	for (int sack = 0; sack < 2; sack++) {
		begin(10, 3000000);
		cfg.timestamps = false;
		cfg.sack = sack;
		run_with_a_stall(500000);
		ck_assert_uint_eq(COUNT(TCP_RTO), 1);
		ck_assert_uint_eq(COUNT(TCP_SPURIOUS), 1);
		ck_assert_uint_lt(COUNT(TCP_RETRANS), 5);
		pair_fini(&p);
	}
}
END_TEST

/*
 * Without either, a second timeout in a row is taken for a loss (RFC 5682, section 2.1), and all
 * is sent again.  The duplicate ACKs of that are no new loss (RFC 6582, section 3.2).
 */
START_TEST(duplicates_after_a_timeout_are_no_loss)
{
	begin(10, 3000000);
	cfg.timestamps = cfg.sack = false;
	run_with_a_stall(900000);
	ck_assert_uint_eq(COUNT(TCP_RTO), 2);
	ck_assert_uint_eq(COUNT(TCP_SPURIOUS), 0);
	ck_assert_uint_eq(COUNT(TCP_FAST_RECOVERY), 0);
	pair_fini(&p);
}
END_TEST

/* Steady reordering must not keep the window small. */
START_TEST(reordering)
{
	double t;

	begin(11, 10000000);
	p.s[0].out.reorder_ppm = 10000;
	p.s[0].out.reorder_us = 4000;
	t = run();
	ck_assert_msg(t < 3.5, "took %f", t);
	ck_assert_uint_eq(COUNT(TCP_RTO), 0);
	ck_assert_uint_lt(COUNT(TCP_FAST_RECOVERY), 20);
	pair_fini(&p);
}
END_TEST

START_TEST(random_loss)
{
	double t;

	begin(12, 10000000);
	p.s[0].out.loss_ppm = 1000;
	t = run();
	ck_assert_msg(t < 8, "took %f", t);
	ck_assert_uint_eq(COUNT(TCP_RTO), 0);
	/* Little is sent twice in vain. */
	ck_assert_uint_lt(p.s[0].tc.bytes_retrans, 60000);
	pair_fini(&p);
}
END_TEST

START_TEST(overflowing_queue)
{
	double t;

	begin(13, 20000000);
	p.s[0].out.queue_bytes = 125000;
	t = run();
	ck_assert_msg(t < 4.5, "took %f", t);
	ck_assert_uint_eq(COUNT(TCP_RTO), 0);
	pair_fini(&p);
}
END_TEST

START_TEST(no_sack)
{
	double t;

	begin(14, 2000000);
	cfg.sack = false;
	p.s[0].out.drop_from = 100;
	p.s[0].out.drop_to = 103;
	t = run();
	ck_assert_msg(t < 1, "took %f", t);
	ck_assert_uint_eq(COUNT(TCP_FAST_RECOVERY), 1);
	ck_assert_uint_eq(COUNT(TCP_RTO), 0);
	pair_fini(&p);
}
END_TEST

/* The peer's reader sleeps: probes, no timeouts, no end however long. */
START_TEST(zero_window)
{
	begin(15, 300000);
	p.s[1].buffer = 20000;
	p.s[1].read_per_tick = 20000;
	p.s[1].not_before_us = 2000000000ull;
	pair_start(&p, &cfg);
	ck_assert(pair_run(&p, 3000000000ull));
	ck_assert_uint_ge(COUNT(TCP_ZERO_PROBE), 20);
	ck_assert_uint_eq(COUNT(TCP_TIMEOUT), 0);
	pair_fini(&p);
}
END_TEST

/* The path's MTU drops: what was sent with the old one is cut anew. */
START_TEST(path_mtu)
{
	uint32_t cwnd;

	begin(16, 500000);
	pair_start(&p, &cfg);
	while (p.s[0].tc.snd_una - p.s[0].tc.iss < 50000 && pair_step(&p))
		;
	cwnd = p.s[0].tc.cwnd_bytes;
	tcp_path_mtu(&p.s[0].tc, 1000, p.now_us);
	tcp_check(&p.s[0].tc);
	ck_assert_uint_eq(p.s[0].tc.mss, 1000);
	ck_assert_uint_eq(p.s[0].tc.cwnd_bytes, cwnd);
	ck_assert_uint_gt(p.s[0].tc.pending_bytes, 0);
	pair_flush(&p, 0);
	ck_assert(pair_run(&p, 60000000));
	pair_fini(&p);
}
END_TEST

UNIT_MAIN("tcp recovery", no_loss, single_loss, burst_loss, tail_loss,
	  tail_loss_repaired_by_probe, lost_retransmission, outage, gives_up, spurious_timeout,
	  spurious_timeout_no_timestamps, duplicates_after_a_timeout_are_no_loss, reordering,
	  random_loss, overflowing_queue, no_sack, zero_window, path_mtu)
