/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Experiments: several subflows, and the flows that they share bottlenecks with.
 *
 * The goals of coupled congestion control (RFC 6356, section 2) are: 1, a connection does at
 * least as well as one flow would on the best of its paths; 2, it takes no more of any
 * resource than one flow would; 3, it moves off its most congested paths as much as the
 * other two allow.  "One flow" is of the same family here: CUBIC for `auto`, Reno for the
 * others, which were made for it.
 */
#include "experiment.h"

#include <stdlib.h>

/* Jitter keeps flows from losing in step for ever; real networks have it. */
#define LINK(mbit_, rtt_, queue_) { mbit_, rtt_, .queue_ms = queue_, .jitter_ms = 1 }

/* Each control and its family, uncoupled ones first for comparison. */
#define FAMILIES(CASE, bound) \
	CASE("cubic", "cubic", 0), CASE("auto", "cubic", bound), CASE("reno", "reno", 0), \
	CASE("lia", "reno", bound), CASE("olia", "reno", bound), CASE("balia", "reno", bound)

/* ---- goal 2: one bottleneck --------------------------------------------------------- */

#define SHARED(cc_, tcp_, n_, what_, most_, ...)                                         \
	{ cc_ ", subflows: " #n_ what_, .link = { __VA_ARGS__ }, .flows = 2,           \
	  .seconds = 220, .warmup_s = 20, .most = most_,                                 \
	  .flow = { { .paths = n_, .cc = cc_ }, { .plain = true, .cc = tcp_ } } }
#define SHARED_ALL(cc_, tcp_, most_) \
	SHARED(cc_, tcp_, 1, "", most_, LINK(20, 40, 40)), \
	SHARED(cc_, tcp_, 2, "", most_, LINK(20, 40, 40)), \
	SHARED(cc_, tcp_, 4, "", most_, LINK(20, 40, 40))

static const struct exp_case shared[] = { FAMILIES(SHARED_ALL, 1.15), { 0 } };

/* The same over other links. */
#define SHARED_LINKS(cc_, tcp_, most_) \
	SHARED(cc_, tcp_, 2, ", 20 Mbit/s, 40 ms, queue 4 ms", most_, LINK(20, 40, 4)), \
	SHARED(cc_, tcp_, 2, ", 20 Mbit/s, 40 ms, queue 8 ms", most_, LINK(20, 40, 8)), \
	SHARED(cc_, tcp_, 2, ", 20 Mbit/s, 40 ms, queue 20 ms", most_, LINK(20, 40, 20)), \
	SHARED(cc_, tcp_, 2, ", 20 Mbit/s, 40 ms, queue 160 ms", most_, LINK(20, 40, 160)), \
	SHARED(cc_, tcp_, 2, ", 10 Mbit/s, 150 ms, queue 150 ms", most_, LINK(10, 150, 150)), \
	SHARED(cc_, tcp_, 2, ", 100 Mbit/s, 20 ms, queue 20 ms", most_, LINK(100, 20, 20)), \
	SHARED(cc_, tcp_, 2, ", the same without jitter", most_, { 100, 20, .queue_ms = 20 })

/* A link that is never full, because it loses packets: there is nothing to be shared. */
#define SHARED_LOSSY(cc_, n_)                                                            \
	SHARED(cc_, "cubic", n_, ", 1 % loss", 0, { 50, 40, .loss = 1, .jitter_ms = 1 })

static const struct exp_case shared_lossy[] = {
	SHARED_LOSSY("cubic", 1), SHARED_LOSSY("cubic", 2), SHARED_LOSSY("auto", 2), { 0 }
};

static const struct exp_case shared_links[] = { FAMILIES(SHARED_LINKS, 1.15), { 0 } };

/* Rates from 10 to 200 Mbit/s, round trips from 10 to 100 ms, queues of 0.5 to 2 of them. */
static bool make_shared_grid(int n, struct exp_case *c)
{
	static const double rate[] = { 10, 50, 100, 200 }, rtt[] = { 10, 20, 40, 100 };
	static const double queue[] = { 0.5, 1, 2 };
	static char label[100];
	double mbit = rate[n / 12 % 4], rtt_ms = rtt[n / 3 % 4], rtts = queue[n % 3];

	if (n >= 48)
		return false;
	snprintf(label, sizeof(label), "%g Mbit/s, %g ms, queue %g RTT", mbit, rtt_ms, rtts);
	*c = (struct exp_case){ label, .link = { LINK(mbit, rtt_ms, rtts * rtt_ms) }, .flows = 2,
				.seconds = 140, .warmup_s = 20, .least = 0.85, .most = 1.15,
				.flow = { { .paths = 2 }, { .plain = true } } };
	return true;
}

static const struct exp_measure shared_measures[] = {
	{ "MPTCP / TCP", .take = exp_ratio, .arg = 1 },
	{ "MPTCP, Mbit/s", .take = exp_goodput },
	{ "TCP, Mbit/s", .take = exp_goodput, .arg = 1 },
	{ 0 }
};

/* ---- goal 1: as good as one flow on the best path ------------------------------------- */

/* Path 0 is shared with one TCP flow, path 1 with three. */
#define UNEQUAL_FLOWS(tcp_)                                                              \
	{ .plain = true, .cc = tcp_ }, { .plain = true, .cc = tcp_, .link = { 1 } },     \
	{ .plain = true, .cc = tcp_, .link = { 1 } },                                    \
	{ .plain = true, .cc = tcp_, .link = { 1 } }
#define UNEQUAL(cc_, tcp_, least_)                                                       \
	{ cc_ ", 2 paths", .link = { LINK(20, 40, 40), LINK(20, 40, 40) }, .flows = 5,   \
	  .seconds = 220, .warmup_s = 20, .least = least_,                               \
	  .flow = { { .paths = 2, .link = { 0, 1 }, .cc = cc_ }, UNEQUAL_FLOWS(tcp_) } }
#define BEST_ONLY(tcp_)                                                                  \
	{ tcp_ ", the best path alone", .link = { LINK(20, 40, 40), LINK(20, 40, 40) },  \
	  .flows = 5, .seconds = 220, .warmup_s = 20,                                    \
	  .flow = { { .paths = 1, .cc = tcp_ }, UNEQUAL_FLOWS(tcp_) } }

static const struct exp_case best_path[] = {
	BEST_ONLY("cubic"), BEST_ONLY("reno"), FAMILIES(UNEQUAL, 9), { 0 }
};

static const struct exp_measure best_path_measures[] = {
	{ "MPTCP, Mbit/s", .take = exp_goodput },
	{ "TCP on path 0", .take = exp_goodput, .arg = 1 },
	{ "TCP on path 1 (one of three)", .take = exp_goodput, .arg = 2 },
	{ "% on path 0", .take = exp_path_percent, .digits = 1 },
	{ 0 }
};

/* ---- goal 3: away from congestion ------------------------------------------------------ */

/* Path 0 is shared with three TCP flows, path 1 is free. */
#define MOVE(cc_, tcp_, most_)                                                           \
	{ cc_, .link = { LINK(20, 40, 40), LINK(20, 40, 40) }, .flows = 4,               \
	  .seconds = 220, .warmup_s = 20, .most = most_,                                 \
	  .flow = { { .paths = 2, .link = { 0, 1 }, .cc = cc_ },                         \
		    { .plain = true, .cc = tcp_ }, { .plain = true, .cc = tcp_ },        \
		    { .plain = true, .cc = tcp_ } } }

static const struct exp_case move[] = { FAMILIES(MOVE, 0.25), { 0 } };

/* What flow 0 gets on path 0, in units of a TCP flow there. */
static void path0_ratio(const struct exp_run *r, int arg, struct exp_values *out)
{
	struct exp_values percent = { NULL, 0, 0 };
	double tcp = 0;

	exp_path_percent(r, 0, &percent);
	for (int i = 1; i <= arg; i++)
		tcp += exp_flow_mbit(r, i) / arg;
	exp_add(out, tcp > 0 ? percent.v[0] / 100 * exp_flow_mbit(r, 0) / tcp : 0);
	free(percent.v);
}

static const struct exp_measure move_measures[] = {
	{ "MPTCP on path 0 / TCP there", .take = path0_ratio, .arg = 3 },
	{ "MPTCP, Mbit/s", .take = exp_goodput },
	{ "% on path 1", .take = exp_path_percent, .arg = 1, .digits = 1 },
	{ "TCP, Mbit/s", .take = exp_goodput, .arg = 1 },
	{ 0 }
};

/* ---- what coupling costs where nobody else is -------------------------------------------- */

#define TWO_PATHS(what_, cc_, least_, ...)                                               \
	{ cc_ what_, .link = { __VA_ARGS__ },                                            \
	  .flow = { { .paths = 2, .link = { 0, 1 }, .cc = cc_ } },                       \
	  .seconds = 60, .warmup_s = 10, .least = least_ }
#define TWO_PATHS_ALL(cc_)                                                               \
	TWO_PATHS(", queues 100 and 200 ms", cc_, 0.92, { 50, 20, .queue_ms = 100 },     \
		  { 20, 80, .queue_ms = 200 }),                                          \
	TWO_PATHS(", queues 10 and 40 ms", cc_, 0, { 50, 20, .queue_ms = 10 },           \
		  { 20, 80, .queue_ms = 40 }),                                           \
	TWO_PATHS(", loss 0.01 %", cc_, 0, { 50, 20, .queue_ms = 100, .loss = 0.01 },    \
		  { 20, 80, .queue_ms = 200, .loss = 0.01 }),                            \
	TWO_PATHS(", loss 0.1 %", cc_, 0, { 50, 20, .queue_ms = 100, .loss = 0.1 },      \
		  { 20, 80, .queue_ms = 200, .loss = 0.1 }),                             \
	TWO_PATHS(", 200 Mbit/s, 100 ms twice", cc_, 0, { 200, .rtt_ms = 100 }, { 200, .rtt_ms = 100 })

static const struct exp_case two_paths[] = {
	TWO_PATHS_ALL("cubic"), TWO_PATHS_ALL("auto"), TWO_PATHS_ALL("reno"),
	TWO_PATHS_ALL("lia"), TWO_PATHS_ALL("olia"), TWO_PATHS_ALL("balia"), { 0 }
};

/* A download of 20 MB, slow start included. */
#define DOWNLOAD(what_, cc_, ...)                                                        \
	{ cc_ what_, .link = { __VA_ARGS__ },                                            \
	  .flow = { { .paths = 2, .link = { 0, 1 }, .cc = cc_, .bytes = 20e6 } } }
#define DOWNLOAD_ALL(cc_)                                                                \
	DOWNLOAD(", queues 100 and 200 ms", cc_, { 50, 20, .queue_ms = 100 },            \
		 { 20, 80, .queue_ms = 200 }),                                           \
	DOWNLOAD(", queues 20 and 80 ms", cc_, { 50, .rtt_ms = 20 }, { 20, .rtt_ms = 80 }),                  \
	DOWNLOAD(", queues 10 and 40 ms", cc_, { 50, 20, .queue_ms = 10 },               \
		 { 20, 80, .queue_ms = 40 })

static const struct exp_case download[] = {
	DOWNLOAD_ALL("cubic"), DOWNLOAD_ALL("auto"), DOWNLOAD_ALL("reno"),
	DOWNLOAD_ALL("lia"), DOWNLOAD_ALL("olia"), DOWNLOAD_ALL("balia"), { 0 }
};

static const struct exp_measure two_paths_measures[] = {
	{ "utilization", .take = exp_utilization },
	{ "Mbit/s", .take = exp_goodput },
	{ "% on the first path", .take = exp_path_percent, .digits = 1 },
	{ 0 }
};

/* ---- for make check: the same in short, with generous bounds -------------------------------- */

#define SHORT(cc_, tcp_, least_, most_)                                                  \
	{ cc_, .link = { LINK(10, 40, 40) }, .flows = 2, .seconds = 70, .warmup_s = 10,  \
	  .least = least_, .most = most_,                                                \
	  .flow = { { .paths = 2, .cc = cc_ }, { .plain = true, .cc = tcp_ } } }

static const struct exp_case short_shared[] = {
	SHORT("auto", "cubic", 0.7, 1.35),
	SHORT("lia", "reno", 0.7, 1.35),
	SHORT("olia", "reno", 0.7, 1.35),
	SHORT("balia", "reno", 0.7, 1.35),
	/* What it is like without coupling. */
	SHORT("cubic", "cubic", 1.6, 0),
	{ 0 }
};

static const struct exp_case short_move[] = {
	{ "auto", .link = { LINK(10, 40, 40), LINK(10, 40, 40) }, .flows = 4, .seconds = 70,
	  .warmup_s = 20, .most = 0.35,
	  .flow = { { .paths = 2, .link = { 0, 1 }, .cc = "auto" },
		    { .plain = true, .cc = "cubic" }, { .plain = true, .cc = "cubic" },
		    { .plain = true, .cc = "cubic" } } },
	{ 0 }
};

static const struct exp_case short_sum[] = {
	TWO_PATHS("", "auto", 0.95, { 50, 20, .queue_ms = 100 }, { 20, 80, .queue_ms = 200 }),
	{ 0 }
};

const struct experiment exp_coupled[] = {
	{ "shared-bottleneck", "goal 2: 1, 2 and 4 subflows against one TCP flow on one link",
	  shared, shared_measures, .seeds = 10 },
	{ "shared-links", "goal 2: 2 subflows against one TCP flow, over other links",
	  shared_links, shared_measures, .seeds = 5 },
	{ "shared-grid", "goal 2: 2 subflows of auto against one TCP flow, over 48 links", NULL,
	  shared_measures, .seeds = 3, .make = make_shared_grid },
	{ "shared-lossy", "goal 2 where no bottleneck is full: nobody pays", shared_lossy,
	  shared_measures, .seeds = 5 },
	{ "best-path", "goal 1: path 0 shared with one TCP flow, path 1 with three", best_path,
	  best_path_measures, .seeds = 5 },
	{ "move-away", "goal 3: path 0 shared with three TCP flows, path 1 free", move,
	  move_measures, .seeds = 5 },
	{ "two-paths", "steady state over 50 Mbit/s, 20 ms and 20 Mbit/s, 80 ms", two_paths,
	  two_paths_measures, .seeds = 5 },
	{ "two-paths-download", "20 MB over 50 Mbit/s, 20 ms and 20 Mbit/s, 80 ms", download,
	  two_paths_measures, .seeds = 5 },
	{ "shared-short", "2 subflows against one TCP flow on one link, one minute", short_shared,
	  shared_measures, .seeds = 3, .check_seeds = 3 },
	{ "move-short", "path 0 shared with three TCP flows, path 1 free, one minute", short_move,
	  move_measures, .seeds = 3, .check_seeds = 1 },
	{ "sum-short", "two paths in steady state", short_sum, two_paths_measures, .seeds = 3,
	  .check_seeds = 1 },
	{ 0 }
};
