/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cost: the cheapest path first; a dearer one only for what the cheaper ones cannot carry.
 *
 * The client says what is cheap, in the order of its addresses: the path that it opened the
 * connection over has address id 0 and costs least, and ids of joins go up in the order in
 * which the client's path manager was told of its interfaces.  A path that must not be used
 * at all while another works is no matter of cost: the client marks it as backup.
 *
 * A full window does not mean that the cheap path cannot carry what there is: a short answer
 * fills it, too, and is through in a few round trips.  It spills over when more waits than
 * the cheaper paths deliver in COST_PATIENCE_US, or than half the send queue holds: then the
 * server is faster than they are.
 */
#include "mptcp/internal.h"

#define COST_PATIENCE_US 200000u

static uint8_t cost(const struct mptcp_subflow *sf)
{
	return sf->conn->active ? sf->local_id : sf->remote_id;
}

/* What `sf` delivers within the patience. */
static uint64_t can_carry(const struct mptcp_subflow *sf)
{
	uint64_t rtt_us = sf->tcp.srtt_us ? sf->tcp.srtt_us : 1;

	return (uint64_t)sf->tcp.cwnd_bytes * COST_PATIENCE_US / rtt_us;
}

static struct mptcp_subflow *pick(struct mptcp_conn *conn, uint32_t len,
				  const struct mptcp_subflow *avoid, uint64_t now_us)
{
	struct mptcp_subflow *sf, *best = NULL;
	uint64_t waiting = conn->sendq.end - conn->snd_nxt, cheaper = 0;

	(void)now_us;
	list_for_each(sf, &conn->subflows, link) {
		if (sf == avoid || (best && cost(sf) >= cost(best)) || !mptcp_sched_eligible(sf) ||
		    !mptcp_subflow_room(sf, len))
			continue;
		best = sf;
	}
	if (!best || avoid || waiting >= conn->sndbuf / 2)
		return best;
	/* After a timeout a path carries nothing that one could count on; and only what is in
	 * flight brings an acknowledgement that ends the wait. */
	list_for_each(sf, &conn->subflows, link)
		if (sf != best && cost(sf) < cost(best) && mptcp_sched_eligible(sf) &&
		    sf->tcp.flight_bytes && sf->tcp.recovery != TCP_RECOVERY_RTO)
			cheaper += can_carry(sf);
	return cheaper && waiting <= cheaper ? NULL : best;
}

const struct mptcp_sched_ops mptcp_sched_cost = {
	.name = "cost",
	.pick = pick,
};
