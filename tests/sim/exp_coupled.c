/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Experiments: several subflows and the flows that they share bottlenecks with.
 */
#include "experiment.h"

/* One bottleneck of 20 Mbit/s and 40 ms, MPTCP against one plain TCP flow. */
#define SHARED_LINK { 20, 40, .jitter_ms = 1 }
#define SHARED(label_, cc_, n_, tcp_)                                                    \
	{ label_, .link = { SHARED_LINK }, .flows = 2, .seconds = 120, .warmup_s = 20,   \
	  .flow = { { .paths = n_, .cc = cc_ }, { .plain = true, .cc = tcp_ } } }
#define SHARED3(cc_, tcp_) \
	SHARED(cc_ ", 1 subflow, against " tcp_, cc_, 1, tcp_), \
	SHARED(cc_ ", 2 subflows, against " tcp_, cc_, 2, tcp_), \
	SHARED(cc_ ", 4 subflows, against " tcp_, cc_, 4, tcp_)

static const struct exp_case shared[] = {
	SHARED3("cubic", "cubic"),
	SHARED3("auto", "cubic"),
	SHARED3("reno", "reno"),
	SHARED3("lia", "reno"),
	SHARED3("olia", "reno"),
	SHARED3("balia", "reno"),
	{ NULL }
};

static const struct exp_measure shared_measures[] = {
	{ "MPTCP / TCP", .take = exp_ratio, .arg = 1 },
	{ "MPTCP, Mbit/s", .take = exp_goodput },
	{ "TCP, Mbit/s", .take = exp_goodput, .arg = 1 },
	{ "utilization", .take = exp_utilization },
	{ NULL }
};

/* 50 Mbit/s at 20 ms and 20 Mbit/s at 80 ms of round trip, nobody else there. */
#define TWO_PATHS(label_, cc_, least_)                                                   \
	{ label_, .link = { { 50, 20, .queue_ms = 100 }, { 20, 80, .queue_ms = 200 } },  \
	  .flow = { { .paths = 2, .link = { 0, 1 }, .cc = cc_ } },                       \
	  .seconds = 60, .warmup_s = 10, .least = least_ }

static const struct exp_case two_paths[] = {
	TWO_PATHS("auto", "auto", 0.92),
	TWO_PATHS("lia", "lia", 0.92),
	TWO_PATHS("olia", "olia", 0.92),
	TWO_PATHS("balia", "balia", 0.92),
	TWO_PATHS("cubic", "cubic", 0.92),
	{ NULL }
};

static const struct exp_measure two_paths_measures[] = {
	{ "utilization", .take = exp_utilization },
	{ "Mbit/s", .take = exp_goodput },
	{ "% on the first path", .take = exp_path_percent, .digits = 1 },
	{ NULL }
};

const struct experiment exp_coupled[] = {
	{ "shared-bottleneck", "1, 2 and 4 subflows against one TCP flow on one link", shared,
	  shared_measures, .seeds = 10 },
	{ "two-paths", "steady state over 50 Mbit/s, 20 ms and 20 Mbit/s, 80 ms", two_paths,
	  two_paths_measures, .seeds = 5, .check_seeds = 1 },
	{ NULL }
};
