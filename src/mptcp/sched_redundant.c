/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * redundant: everything on every path that has room for it, for the shortest delay.
 *
 * New data goes where blest would put it.  Room that is left on any path is then filled with
 * copies of what is under way on the others, the oldest first, and what arrives first counts.
 * A loss costs no time if another path brings the same bytes; of an answer that fits into
 * the windows every byte is sent on every path.  With much to send, new data takes all the
 * room there is, and copies only what blest leaves idle: the sum of the paths is not given up.
 *
 * (A scheduler that sends the whole stream on each path on its own was tried.  When windows
 * are small because of losses, that made answers of 100 KB slower than a single path did:
 * every path had to carry all of them.)
 *
 * The copying is in send.c: it is no choice of one subflow.
 */
#include "mptcp/internal.h"

static struct mptcp_subflow *pick(struct mptcp_conn *conn, uint32_t len,
				  const struct mptcp_subflow *avoid, uint64_t now_us)
{
	return mptcp_sched_blest.pick(conn, len, avoid, now_us);
}

const struct mptcp_sched_ops mptcp_sched_redundant = {
	.name = "redundant",
	.pick = pick,
	.redundant = true,
};
