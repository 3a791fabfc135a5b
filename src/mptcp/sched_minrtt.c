/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * minrtt: of the subflows that have room, the one with the shortest round-trip time.  The
 * scheduler that multipath TCP began with; it never leaves a path idle.
 */
#include "mptcp/internal.h"

static struct mptcp_subflow *pick(struct mptcp_conn *conn, uint32_t len,
				  const struct mptcp_subflow *avoid, uint64_t now_us)
{
	(void)now_us;
	return mptcp_sched_fastest(conn, len, avoid);
}

const struct mptcp_sched_ops mptcp_sched_minrtt = {
	.name = "minrtt",
	.pick = pick,
};
