/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Experiments: one sender on one path.  The cells of tests/bench/loss, where the Linux
 * kernel's own sender is beside it, and what pacing does to some of them.
 */
#include "experiment.h"

#define SINGLE(label_, least_, ...)                                                      \
	{ label_, .link = { { 50, 40, __VA_ARGS__ } }, .seconds = 5, .least = least_,    \
	  .flow = { { .cc = "cubic" } } }

static const struct exp_case single[] = {
	SINGLE("clean", 42, .queue_ms = 100),
	SINGLE("loss 0.1 %", 18, .queue_ms = 100, .loss = 0.1),
	SINGLE("loss 1 %", 3, .queue_ms = 100, .loss = 1),
	SINGLE("loss 3 %", 1.3, .queue_ms = 100, .loss = 3),
	SINGLE("reordering 3 %, 5 ms", 40, .queue_ms = 100, .reorder = 3, .reorder_ms = 5),
	SINGLE("queue of 1 BDP", 42, .queue_ms = 40),
	SINGLE("queue of 0.1 BDP", 30, .queue_ms = 4),
	SINGLE("30 packets lost, once in 2 s", 38, .queue_ms = 100, .burst_s = 2,
	       .burst_packets = 30),
	{ NULL }
};

static const struct exp_measure single_measures[] = {
	{ "Mbit/s", .take = exp_goodput },
	{ "sent again", .take = exp_counter, .arg = CNT_TCP_RETRANS, .digits = -1 },
	{ "timeouts", .take = exp_counter, .arg = CNT_TCP_RTO, .digits = -1 },
	{ "undone", .take = exp_counter, .arg = CNT_TCP_SPURIOUS, .digits = -1 },
	{ NULL }
};

static void unpaced(struct mptcp_config cfg[2])
{
	cfg[0].tcp.pacing = cfg[1].tcp.pacing = false;
}

#define PACING(label_, tune_, queue_)                                                    \
	{ label_, .link = { { 50, 40, .queue_ms = queue_ } }, .seconds = 5,              \
	  .flow = { { .cc = "cubic", .tune = tune_ } } }

static const struct exp_case pacing[] = {
	PACING("queue of 0.1 BDP, paced", NULL, 4),
	PACING("queue of 0.1 BDP, unpaced", unpaced, 4),
	PACING("queue of 0.25 BDP, paced", NULL, 10),
	PACING("queue of 0.25 BDP, unpaced", unpaced, 10),
	PACING("queue of 1 BDP, paced", NULL, 40),
	PACING("queue of 1 BDP, unpaced", unpaced, 40),
	{ NULL }
};

const struct experiment exp_single[] = {
	{ "single-path", "one sender on 50 Mbit/s, 40 ms: loss, reordering, short queues", single,
	  single_measures, .seeds = 20, .check_seeds = 3 },
	{ "pacing", "the same with and without pacing, on short queues", pacing, single_measures,
	  .seeds = 20 },
	{ NULL }
};
