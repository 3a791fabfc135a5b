/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Experiments: what several paths bring, and what schedulers make of them.
 *
 * Where two things are compared, both run side by side in one simulation, each over links
 * of its own with the same numbers.
 */
#include "experiment.h"

#include <stdlib.h>

/* ---- the sum of all paths -------------------------------------------------------- */

#define SUM_CC(label_, cc_, n_, least_, ...)                                             \
	{ label_, .link = { __VA_ARGS__ }, .seconds = 40, .warmup_s = 10, .least = least_, \
	  .flow = { { .paths = n_, .link = { 0, 1, 2, 3 }, .cc = cc_ } } }
#define SUM(label_, n_, least_, ...) SUM_CC(label_, NULL, n_, least_, __VA_ARGS__)

static const struct exp_case sums[] = {
	SUM("50 Mbit/s 20 ms + 20 Mbit/s 80 ms", 2, 0.92,
	    { 50, 20, .queue_ms = 100 }, { 20, 80, .queue_ms = 200 }),
	SUM("10 Mbit/s 10 ms + 1 Mbit/s 300 ms", 2, 0.9, { 10, 10 }, { 1, 300 }),
	SUM("20 Mbit/s 40 ms, twice, one with 1 % loss", 2, 0.55, { 20, 40 }, { 20, 40, .loss = 1 }),
	SUM_CC("the same, each path by itself (cubic)", "cubic", 2, 0,
	       { 20, 40 }, { 20, 40, .loss = 1 }),
	SUM("3 paths: 50/20, 20/80, 10/40", 3, 0.92, { 50, 20, .queue_ms = 100 },
	    { 20, 80, .queue_ms = 200 }, { 10, 40, .queue_ms = 100 }),
	SUM("4 paths: 50/20, 20/80, 10/40, 5/150", 4, 0.92, { 50, 20, .queue_ms = 100 },
	    { 20, 80, .queue_ms = 200 }, { 10, 40, .queue_ms = 100 },
	    { 5, 150, .queue_ms = 200 }),
	{ 0 }
};

static const struct exp_measure sum_measures[] = {
	{ "share of the sum", .take = exp_utilization },
	{ "Mbit/s", .take = exp_goodput },
	{ "% on the first path", .take = exp_path_percent, .digits = 1 },
	{ 0 }
};

/* ---- against the best single path -------------------------------------------------- */

static void best_ratio(const struct exp_run *r, int arg, struct exp_values *out)
{
	double a = exp_flow_mbit(r, 1), b = exp_flow_mbit(r, 2);

	(void)arg;
	exp_add(out, exp_flow_mbit(r, 0) / (a > b ? a : b));
}

/* Flow 0 over links 0 and 1; flows 1 and 2 over one each that is just like them. */
static void beside_single_paths(struct exp_case *c)
{
	c->link[2] = c->link[0];
	c->link[3] = c->link[1];
	c->flow[0].paths = 2;
	c->flow[0].link[1] = 1;
	for (int i = 1; i <= 2; i++) {
		c->flow[i] = c->flow[0];
		c->flow[i].paths = 1;
		c->flow[i].link[0] = (uint8_t)(1 + i);
		c->flow[i].sched = NULL;
	}
	c->flows = 3;
}

/* A queue of `rtts` round trips, but of five packets at least. */
static double queue_of(double mbit, double rtt_ms, double rtts)
{
	double least_ms = 5 * MTU * 8 / mbit / 1e3;

	return rtts * rtt_ms > least_ms ? rtts * rtt_ms : least_ms;
}

/* The first path has 20 Mbit/s and 40 ms. */
static void grid_cell(struct exp_case *c, double rate, double rtt, double q, double loss0,
		      double loss1)
{
	static char label[100];

	snprintf(label, sizeof(label), "+ %g Mbit/s %g ms, queue %g RTT, loss %g and %g %%", rate,
		 rtt, q, loss0, loss1);
	c->label = label;
	c->link[0] = (struct exp_link){ 20, 40, .queue_ms = queue_of(20, 40, q), .loss = loss0 };
	c->link[1] = (struct exp_link){ rate, rtt, .queue_ms = queue_of(rate, rtt, q),
					.loss = loss1 };
	beside_single_paths(c);
	c->seconds = 30;
	c->least = 0.95;
}

/* 144 combinations. */
static bool make_grid(int n, struct exp_case *c)
{
	static const double rate[] = { 2, 20, 50 }, rtt[] = { 10, 40, 120, 300 };
	static const double queue[] = { 0.2, 1, 4 };    /* round trips */
	static const double loss[][2] = { { 0, 0 }, { 0, 0.1 }, { 0, 1 }, { 1, 0 } };
	const double *l = loss[n / 36 % 4];

	if (n >= 144)
		return false;
	grid_cell(c, rate[n / 3 % 3], rtt[n / 9 % 4], queue[n % 3], l[0], l[1]);
	return true;
}

/* Those of them in which the better path loses packets and the other one is slow. */
static bool make_lossy_best(int n, struct exp_case *c)
{
	static const double rtt[] = { 10, 120, 300 }, queue[] = { 1, 1, 4 };

	if (n >= 3)
		return false;
	grid_cell(c, 2, rtt[n], queue[n], 1, 0);
	return true;
}

static const struct exp_measure grid_measures[] = {
	{ "two paths / best one", .take = best_ratio },
	{ "two, Mbit/s", .take = exp_goodput },
	{ "first, Mbit/s", .take = exp_goodput, .arg = 1 },
	{ "second, Mbit/s", .take = exp_goodput, .arg = 2 },
	{ 0 }
};

/* ---- latency ------------------------------------------------------------------------ */

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* A percentile of the turns of flow `i` in this run, in ms. */
static double turn_percentile(const struct exp_run *r, int i, int percent)
{
	const struct app *a = run_app(r->run, 0, i);
	size_t n = (size_t)a->turn_count, rank = (n * (size_t)percent + 99) / 100;
	uint32_t *v;
	double ms;

	if (!n)
		return 1e9;
	v = malloc(n * sizeof(*v));
	if (!v)
		abort();
	for (size_t k = 0; k < n; k++)
		v[k] = a->turn_us[k];
	qsort(v, n, sizeof(*v), compare);
	ms = v[rank ? rank - 1 : 0] / 1e3;
	free(v);
	return ms;
}

/* Percentile `arg` of flow 0's turns divided by that of the better of the others. */
static void turn_ratio(const struct exp_run *r, int arg, struct exp_values *out)
{
	double best = 1e9;

	for (int i = 1; i < r->s.conn_count; i++) {
		double v = turn_percentile(r, i, arg);

		best = v < best ? v : best;
	}
	exp_add(out, turn_percentile(r, 0, arg) / best);
}

#define ASK_ALONE(link_) { .link = { link_ }, .turns = 200, .request = 200,                \
			   .response = 100e3, .think_ms = 500 }
#define ASK_BY(sched_) { .paths = 2, .link = { 0, 1 }, .turns = 200, .request = 200,       \
			 .response = 100e3, .think_ms = 500, .sched = sched_ }
#define LATENCY(label_, sched_, most_)                                                   \
	{ label_, .link = { { 50, 20 }, { 50, 200 }, { 50, 20 } }, .flows = 2,           \
	  .flow = { ASK_BY(sched_), ASK_ALONE(2) }, .most = most_ }
#define LOSSY(label_, sched_, loss_, most_)                                              \
	{ label_, .link = { { 50, 20, .loss = loss_ }, { 50, 30, .loss = loss_ },        \
			    { 50, 20, .loss = loss_ }, { 50, 30, .loss = loss_ } },      \
	  .flow = { ASK_BY(sched_), ASK_ALONE(2), ASK_ALONE(3) }, .flows = 3, .most = most_ }

static const struct exp_case latencies[] = {
	LATENCY("20 ms + 200 ms, blest", "blest", 1.02),
	LATENCY("20 ms + 200 ms, minrtt", "minrtt", 0),
	LATENCY("20 ms + 200 ms, roundrobin", "roundrobin", 0),
	LATENCY("20 ms + 200 ms, cost", "cost", 0),
	LATENCY("20 ms + 200 ms, redundant", "redundant", 0),
	LOSSY("20 ms + 30 ms, 2 % loss, redundant", "redundant", 2, 1),
	LOSSY("20 ms + 30 ms, 2 % loss, blest", "blest", 2, 0),
	LOSSY("20 ms + 30 ms, 2 % loss, minrtt", "minrtt", 2, 0),
	{ 0 }
};

static const struct exp_measure latency_measures[] = {
	{ "p99 / best path's", .take = turn_ratio, .arg = 99 },
	{ "p50 / best path's", .take = turn_ratio, .arg = 50 },
	{ "ms, p50 / p99", .take = exp_turns, .form = EXP_TAIL, .digits = 1 },
	{ "20 ms alone, ms", .take = exp_turns, .arg = 1, .form = EXP_TAIL, .digits = 1 },
	{ 0 }
};

/* ---- a path that goes away ------------------------------------------------------------ */

#define CUT(label_, up_, r0_, t0_, r1_, t1_)                                             \
	{ label_, .link = { { r0_, t0_, .queue_ms = 100, .cut_s = 5 },                   \
			    { r1_, t1_, .queue_ms = 100 } }, .seconds = 30, .gap_from_s = 4, \
	  .flow = { { .paths = 2, .link = { 0, 1 }, .upload = up_ } } }

static const struct exp_case cuts[] = {
	CUT("20 Mbit/s 40 ms, twice; download", false, 20, 40, 20, 40),
	CUT("20 Mbit/s 40 ms, twice; upload", true, 20, 40, 20, 40),
	CUT("50 Mbit/s 20 ms cut, 20 Mbit/s 80 ms left; download", false, 50, 20, 20, 80),
	CUT("20 Mbit/s 80 ms cut, 50 Mbit/s 20 ms left; download", false, 20, 80, 50, 20),
	{ 0 }
};

static const struct exp_measure cut_measures[] = {
	{ "longest silence, ms, p50 / p99", .take = exp_longest_gap, .form = EXP_TAIL,
	  .digits = -1 },
	{ "Mbit/s", .take = exp_goodput, .digits = 1 },
	{ 0 }
};

/* ---- small buffers --------------------------------------------------------------------- */

static void small_window(struct mptcp_config cfg[2])
{
	cfg[0].rcvbuf_initial = cfg[0].rcvbuf_max = 200000;
}

#define SMALL(label_, sched_, least_)                                                            \
	{ label_, .link = { { 10, 10 }, { 1, 300 }, { 10, 10 } }, .flows = 2,            \
	  .flow = { { .paths = 2, .link = { 0, 1 }, .sched = sched_, .tune = small_window }, \
		    { .link = { 2 }, .tune = small_window } }, .seconds = 60,            \
	  .warmup_s = 5, .least = least_ }

/* A client that has a window of 200 KB, whatever comes. */
static const struct exp_case small[] = {
	SMALL("blest", "blest", 0.95),
	SMALL("minrtt", "minrtt", 0),
	SMALL("roundrobin", "roundrobin", 0),
	SMALL("cost", "cost", 0),
	SMALL("redundant", "redundant", 0.95),
	{ 0 }
};

static const struct exp_measure small_measures[] = {
	{ "10 Mbit/s 10 ms + 1 Mbit/s 300 ms / the first alone", .take = exp_ratio, .arg = 1 },
	{ "Mbit/s", .take = exp_goodput },
	{ "sent again early", .take = exp_counter, .arg = CNT_MP_OPPORTUNISTIC, .digits = -1 },
	{ "penalties", .take = exp_counter, .arg = CNT_MP_PENALIZED, .digits = -1 },
	{ 0 }
};

const struct experiment exp_paths[] = {
	{ "sum", "goodput over several paths", sums, sum_measures, .seeds = 5,
	  .check_seeds = 1 },
	{ "grid", "two paths, against the better one alone", NULL, grid_measures, .seeds = 3,
	  .make = make_grid },
	{ "grid-short", "the same, where the better one loses 1 %", NULL, grid_measures,
	  .seeds = 3, .make = make_lossy_best, .check_seeds = 3 },
	{ "latency", "request and response of 100 KB", latencies, latency_measures, .seeds = 5,
	  .check_seeds = 1 },
	{ "path-cut", "silence after one of two paths was cut in mid-transfer", cuts,
	  cut_measures, .seeds = 100 },
	{ "small-window", "a receive window too small for the slower path", small,
	  small_measures, .seeds = 5, .check_seeds = 1 },
	{ 0 }
};
