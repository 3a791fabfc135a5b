/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * roundrobin: subflows with room take turns, each of at most ROUNDROBIN_TURN full segments.
 *
 * As long as the windows have room, all carry the same; when data always waits, the windows
 * decide, as with any scheduler.  The turn is that of the subflow that had its last one
 * longest ago; a new one begins with a turn.
 */
#include "mptcp/internal.h"

#define ROUNDROBIN_TURN 10u

static struct mptcp_subflow *pick(struct mptcp_conn *conn, uint32_t len,
				  const struct mptcp_subflow *avoid, uint64_t now_us)
{
	struct mptcp_subflow *sf, *next = NULL;
	uint32_t turns = conn->sched.turns;

	(void)now_us;
	list_for_each(sf, &conn->subflows, link) {
		if (sf == avoid || (next && turns - sf->last_turn <= turns - next->last_turn) ||
		    !mptcp_sched_eligible(sf) || !mptcp_subflow_room(sf, len))
			continue;
		next = sf;
	}
	if (next)
		next->last_turn = ++conn->sched.turns;
	return next;
}

const struct mptcp_sched_ops mptcp_sched_roundrobin = {
	.name = "roundrobin",
	.pick = pick,
	.turn_segments = ROUNDROBIN_TURN,
};
