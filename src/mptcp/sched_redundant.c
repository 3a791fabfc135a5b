/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * redundant: every subflow sends the whole stream, in order, as far as its own window lets
 * it, and the first copy to arrive counts.  A loss on one path then costs no time if another
 * path brings the same bytes; the price is that all paths together carry no more than the
 * best of them.
 *
 * A subflow that falls behind what the peer has (the cursor before snd_una) goes on from
 * there: what has arrived is of no use any more.  The sending itself is in send.c, because
 * it is not a choice; pick() here only places what has to be sent again out of turn.
 */
#include "mptcp/internal.h"

static struct mptcp_subflow *pick(struct mptcp_conn *conn, uint32_t len,
				  const struct mptcp_subflow *avoid, uint64_t now_us)
{
	(void)now_us;
	return mptcp_sched_fastest(conn, len, avoid);
}

const struct mptcp_sched_ops mptcp_sched_redundant = {
	.name = "redundant",
	.pick = pick,
	.redundant = true,
};
