/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two endpoints against each other over bad links: whatever happens on the way,
 * every byte arrives, once and in order, both sides close, and nothing gets stuck.
 */
#include "tcp_pair.h"

static uint32_t pick(struct pair *p, uint32_t n)
{
	return (uint32_t)unit_random_below(&p->rng, n);
}

static void random_link(struct pair *p, struct pair_link *l)
{
	static const uint32_t loss[] = { 0, 0, 1000, 10000, 50000, 150000 };
	static const uint64_t rate[] = { 0, 1000000, 10000000, 100000000 };

	l->delay_us = 100 + pick(p, 3) * 20000 + pick(p, 1000);
	l->loss_ppm = loss[pick(p, 6)];
	l->dup_ppm = pick(p, 4) ? 0 : 20000;
	l->rate_bps = rate[pick(p, 4)];
	l->queue_bytes = pick(p, 2) ? 0 : 20000 + pick(p, 200000);
	l->jitter_us = pick(p, 4) ? 0 : pick(p, 20000);
	if (!pick(p, 4)) {
		l->reorder_ppm = 20000;
		l->reorder_us = pick(p, 30000);
	}
	if (!pick(p, 5)) {
		l->down_from_us = p->now_us + pick(p, 500000);
		l->down_to_us = l->down_from_us + pick(p, 3000000);
	}
}

static void random_round(uint64_t seed)
{
	struct tcp_config cfg;
	struct pair p;

	pair_init(&p, seed);
	tcp_config_default(&cfg);
	cfg.sack = pick(&p, 8) > 0;
	cfg.timestamps = pick(&p, 4) > 0;
	cfg.retries = 30;
	cfg.syn_retries = 20;
	cfg.cc = pick(&p, 2) ? &tcp_cc_cubic : &tcp_cc_reno;
	cfg.rcv_wscale = (uint8_t)pick(&p, 10);
	cfg.mss = pick(&p, 4) ? 1460 : 536;
	for (int i = 0; i < 2; i++) {
		static const uint32_t total[] = { 0, 1, 5000, 60000, 300000 };

		p.s[i].total = total[pick(&p, 5)];
		if (p.s[i].total > 1)
			p.s[i].total += pick(&p, 5000);
		random_link(&p, &p.s[i].out);
		if (!pick(&p, 3)) {
			p.s[i].buffer = 3000 + pick(&p, 60000);
			p.s[i].read_per_tick = 500 + pick(&p, 20000);
			if (!pick(&p, 2))
				p.s[i].not_before_us = p.now_us + pick(&p, 20000000);
		}
	}
	pair_start(&p, &cfg);
	if (!pair_run(&p, 3600ull * 1000000)) {
		pair_print(&p);
		ck_abort_msg("seed %llu did not finish", (unsigned long long)seed);
	}
	ck_assert_uint_eq(p.s[0].received, p.s[1].total);
	ck_assert_uint_eq(p.s[1].received, p.s[0].total);
	/* TIME-WAIT must end too. */
	while (pair_step(&p))
		;
	ck_assert_int_eq(p.s[0].tc.state, TCP_CLOSED);
	ck_assert_int_eq(p.s[1].tc.state, TCP_CLOSED);
	pair_fini(&p);
}

START_TEST(random_links)
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

UNIT_MAIN("tcp pair", random_links)
