/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Segment sizes: routes, routers' words, black holes, and the way up again. */
#include "tcp_pair.h"

static struct tcp_config cfg;
static struct pair p;

#define COUNT(id) p.counters.v[CNT_##id]
#define OPTIONS 12u     /* timestamps */

/* Side 0 sends `total` bytes over 20 ms and 50 Mbit/s. */
static void begin(uint64_t total)
{
	pair_init(&p, 5);
	tcp_config_default(&cfg);
	p.s[0].total = total;
	p.s[0].buffer = p.s[1].buffer = 8 << 20;
	p.s[0].out.rate_bps = 50000000;
	p.s[0].out.queue_bytes = 250000;
	p.s[0].keep_open = true;
}

static struct tcp_conn *sender(void)
{
	return &p.s[0].tc;
}

/* Until side 1 has received `bytes`. */
static void run_to(uint64_t bytes)
{
	while (p.s[1].received < bytes) {
		ck_assert_msg(pair_step(&p), "stuck at %llu", (unsigned long long)p.s[1].received);
		ck_assert_uint_lt(p.now_us, 10000000000ull);
	}
}

/* As a router does when it drops what is larger: 5 ms later, quoting the first. */
static void too_big(uint16_t mss)
{
	p.now_us += 5000;
	tcp_path_mtu(sender(), mss, p.now_us);
	tcp_check(sender());
	pair_flush(&p, 0);
}

/* After a while there is more to send. */
static void send_more(uint64_t after_us, uint64_t bytes)
{
	p.now_us += after_us;
	p.s[0].total += bytes;
	pair_flush(&p, 0);
}

/* The path takes segments of `mss`. */
static void begin_narrow(uint16_t mss, uint64_t total)
{
	begin(total);
	p.s[0].out.mtu_mss = mss;
	pair_start(&p, &cfg);
}

/* ... and a router said so when the first was sent; that was ten minutes ago. */
static void begin_told(uint16_t mss, uint64_t total)
{
	begin_narrow(mss, total);
	while (!sender()->flight_bytes)
		ck_assert(pair_step(&p));
	too_big(mss);
	run_to(total);
	p.now_us += 600000000;
}

/* The path is dead for a while. */
static void run_past_an_outage(uint64_t total, uint64_t from_us)
{
	begin(total);
	p.s[0].out.down_from_us = from_us;
	p.s[0].out.down_to_us = 4000000;
	pair_start(&p, &cfg);
	run_to(total);
}

START_TEST(router_says_too_big)
{
	uint32_t cwnd;

	begin_narrow(1360, 3000000);
	while (!sender()->flight_bytes)
		ck_assert(pair_step(&p));
	cwnd = sender()->cwnd_bytes;
	too_big(1360);
	ck_assert_uint_eq(sender()->mss, 1360);
	ck_assert_uint_eq(sender()->cwnd_bytes, cwnd);
	run_to(3000000);
	ck_assert_uint_eq(COUNT(TCP_RTO), 0);
	ck_assert_uint_eq(COUNT(TCP_MTU_TOO_BIG), 1);
	/* Nothing larger is tried for ten minutes. */
	ck_assert_uint_eq(COUNT(TCP_MTU_PROBE), 0);
	ck_assert_uint_ge(sender()->mtu.next_us, 600000000);
	/* A larger one than we use is no news. */
	too_big(1400);
	ck_assert_uint_eq(sender()->mss, 1360);
	pair_fini(&p);
}
END_TEST

/* ... and after ten minutes one segment finds out that the path is a better one now. */
START_TEST(word_expires)
{
	begin(1000000);
	p.s[0].out.rate_bps = 0;                /* no losses but the probes */
	pair_start(&p, &cfg);
	run_to(1000000);
	too_big(1000);
	send_more(0, 1000000);
	run_to(2000000);
	ck_assert_uint_eq(sender()->mss, 1000);
	p.counters.v[CNT_TCP_RETRANS] = 0;
	send_more(600000000, 1000000);
	run_to(3000000);
	ck_assert_uint_eq(COUNT(TCP_MTU_PROBE), 1);
	ck_assert_uint_eq(sender()->mss, 1460);
	ck_assert_uint_eq(COUNT(TCP_RETRANS), 0);
	ck_assert_uint_eq(sender()->mtu.next_us, TIMER_NEVER);
	pair_fini(&p);
}
END_TEST

/* A probe is of an exact size, which leaves no room for SACK blocks: it waits until there is
 * nothing to report. */
START_TEST(no_probe_beside_sack)
{
	begin(1000000);
	p.s[0].out.rate_bps = 0;
	p.s[1].keep_open = true;
	pair_start(&p, &cfg);
	run_to(1000000);
	too_big(1000);
	p.now_us += 600000000;
	p.s[1].out.drop_times = 1;
	p.s[1].total = 5000;
	pair_flush(&p, 1);
	while (!sender()->sack_count)
		ck_assert(pair_step(&p));
	send_more(0, 100000);
	ck_assert_uint_gt(sender()->flight_bytes, 0);
	ck_assert_uint_eq(COUNT(TCP_MTU_PROBE), 0);
	while (p.s[0].received < 5000)
		ck_assert(pair_step(&p));
	send_more(0, 1000000);
	run_to(2100000);
	ck_assert_uint_eq(COUNT(TCP_MTU_PROBE), 1);
	ck_assert_uint_eq(sender()->mss, 1460);
	pair_fini(&p);
}
END_TEST

/* It still is as narrow: the probe gets lost, which costs a segment and no window. */
START_TEST(lost_probe_is_no_congestion)
{
	begin_told(1000, 1000000);
	p.counters.v[CNT_TCP_FAST_RECOVERY] = 0;
	p.counters.v[CNT_TCP_RETRANS] = 0;
	p.s[0].out.rate_bps = 0;                /* no losses but the probes */
	send_more(0, 19000000);
	run_to(20000000);
	ck_assert_uint_gt(COUNT(TCP_MTU_PROBE), 2);
	ck_assert_uint_le(COUNT(TCP_MTU_PROBE), 6);
	ck_assert_uint_le(COUNT(TCP_RETRANS), 2 * COUNT(TCP_MTU_PROBE));
	ck_assert_uint_eq(COUNT(TCP_FAST_RECOVERY), 0);
	ck_assert_uint_eq(COUNT(TCP_RTO), 0);
	ck_assert_uint_ge(sender()->mss, 1000 - 4);
	ck_assert_uint_le(sender()->mss, 1004);
	/* The search is at its end for another ten minutes. */
	ck_assert_uint_gt(sender()->mtu.next_us, p.now_us + 500000000);
	pair_fini(&p);
}
END_TEST

/* The probe itself is told to be too big: what the router names is tried next. */
START_TEST(probe_told_too_big)
{
	begin_told(1000, 1000000);
	p.s[0].out.mtu_mss = 1400;
	send_more(0, 1000000);
	while (!sender()->mtu.probe)
		ck_assert(pair_step(&p));
	ck_assert_uint_eq(sender()->mtu.probe, 1460);
	too_big(1400);
	ck_assert_uint_gt(sender()->lost_bytes + sender()->retrans_bytes, 0);
	run_to(2000000);
	ck_assert_uint_eq(sender()->mss, 1400);
	ck_assert_uint_eq(COUNT(TCP_MTU_PROBE), 2);
	pair_fini(&p);
}
END_TEST

/* A router that drops in silence: after two timeouts segments shrink; then the search
 * brings them near to what passes. */
START_TEST(black_hole)
{
	uint64_t from;

	begin_narrow(1300, 500000);
	from = p.now_us;
	run_to(500000);
	ck_assert_uint_eq(COUNT(TCP_MTU_BLACK_HOLE), 1);
	ck_assert_uint_eq(COUNT(TCP_RTO), 2);
	ck_assert_uint_eq(sender()->mss, 1220);
	ck_assert_uint_lt(p.now_us - from, 2000000);
	send_more(10000000, 4000000);
	run_to(4500000);
	ck_assert_uint_gt(sender()->mss, 1300 - 40);
	ck_assert_uint_le(sender()->mss, 1304);
	ck_assert_uint_eq(COUNT(TCP_RTO), 2);
	pair_fini(&p);
}
END_TEST

/* Narrower than all the usual: down step by step. */
START_TEST(deep_black_hole)
{
	begin_narrow(540, 100000);
	run_to(100000);
	ck_assert_uint_eq(COUNT(TCP_MTU_BLACK_HOLE), 3);
	ck_assert_uint_eq(sender()->mss, 512);
	pair_fini(&p);
}
END_TEST

/* Small segments, and always enough to send: pacing lets two of them go at a time, which is never
 * room for all of the probe. */
START_TEST(probe_amid_small_segments)
{
	begin(6000000);
	p.s[0].out.rate_bps = 10000000;
	pair_start(&p, &cfg);
	run_to(100000);
	too_big(512);
	run_to(4000000);
	sender()->mtu.next_us = p.now_us;
	run_to(5000000);
	ck_assert_uint_eq(COUNT(TCP_MTU_PROBE), 1);
	ck_assert_uint_eq(sender()->mss, 1460);
	pair_fini(&p);
}
END_TEST

/* A peer's window that has no room for the probe keeps it back. */
START_TEST(probe_within_window)
{
	begin(100000);
	p.s[1].buffer = 1400;
	pair_start(&p, &cfg);
	run_to(1);
	too_big(512);
	sender()->mtu.next_us = p.now_us;
	run_to(100000);
	ck_assert_uint_eq(COUNT(TCP_MTU_PROBE), 0);
	pair_fini(&p);
}
END_TEST

/* It was the path that was dead: one probe, and all is as before. */
START_TEST(dead_path_comes_back)
{
	run_past_an_outage(5000000, 1300000);
	ck_assert_uint_ge(COUNT(TCP_MTU_BLACK_HOLE), 1);
	send_more(10000000, 1000000);
	run_to(6000000);
	ck_assert_uint_eq(COUNT(TCP_MTU_PROBE), 1);
	ck_assert_uint_eq(sender()->mss, 1460);
	pair_fini(&p);
}
END_TEST

/* ... soon, while there is more to send all the time: little of it goes in small segments. */
START_TEST(full_size_after_an_outage)
{
	uint64_t small;

	begin(20000000);
	p.s[0].out.down_from_us = 1300000;
	p.s[0].out.down_to_us = 6300000;
	pair_start(&p, &cfg);
	while (COUNT(TCP_MTU_BLACK_HOLE) < 3)
		ck_assert(pair_step(&p));
	small = p.s[1].received;
	while (sender()->mss < 1460) {
		ck_assert(pair_step(&p));
		ck_assert_uint_lt(p.s[1].received - small, 1000000);
	}
	ck_assert_uint_gt(p.now_us, 6300000);
	run_to(20000000);
	ck_assert_uint_eq(COUNT(TCP_MTU_PROBE), 1);
	pair_fini(&p);
}
END_TEST

/* Small segments that time out say nothing about large ones. */
START_TEST(small_segments)
{
	run_past_an_outage(100, 1015000);
	ck_assert_uint_ge(COUNT(TCP_RTO), 2);
	ck_assert_uint_eq(COUNT(TCP_MTU_BLACK_HOLE), 0);
	ck_assert_uint_eq(sender()->mss, 1460);
	pair_fini(&p);
}
END_TEST

/* What the route takes is announced and used, more or less than the configuration says. */
START_TEST(route)
{
	static const struct {
		uint16_t route, announced, used;
	} cases[] = { { 1360, 1360, 1360 }, { 8960, 8960, 4000 }, { 1460, 1460, 1460 } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct packet syn = { .kind = PACKET_TCP };
		struct counters counters = { 0 };
		struct tcp_env env;
		struct tcp_header h;
		struct tcp_conn tc;
		struct tcp_tx tx;
		struct pool pool;

		pool_init(&pool, 0, 0);
		tcp_env_init(&env, &counters, &pool);
		tcp_config_default(&cfg);
		syn.tcp.flags = TCP_SYN;
		syn.tcp.opt.has_mss = true;
		syn.tcp.opt.mss = 4000;
		tcp_init_passive(&tc, &env, &cfg, &syn, 1, 0, 1000000);
		ck_assert_uint_eq(tc.mss, 1460);
		tcp_route_mtu(&tc, cases[i].route, 1000000);
		tcp_accept(&tc, 1000000);
		ck_assert(tcp_output(&tc, 1000000, 65000, &tx));
		tcp_fill_header(&tc, &tx, 1000000, &h);
		ck_assert_uint_eq(h.opt.mss, cases[i].announced);
		ck_assert_uint_eq(tc.mss, cases[i].used);
		ck_assert_uint_eq(tc.cwnd_bytes, 10u * cases[i].used);
		/* Too late: only what is less counts now. */
		tcp_route_mtu(&tc, 9000, 1000000);
		ck_assert_uint_eq(tc.mss, cases[i].used);
		tcp_route_mtu(&tc, 1200, 1000000);
		ck_assert_uint_eq(tc.mss, 1200);
		tcp_fini(&tc);
		tcp_env_fini(&env);
		pool_fini(&pool);
	}
}
END_TEST

UNIT_MAIN("tcp mtu", router_says_too_big, word_expires, no_probe_beside_sack,
	  lost_probe_is_no_congestion, probe_told_too_big, black_hole, deep_black_hole,
	  probe_amid_small_segments, probe_within_window, dead_path_comes_back,
	  full_size_after_an_outage, small_segments, route)
