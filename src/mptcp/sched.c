/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of schedulers, and what they share: who may be chosen at all.
 */
#include <string.h>

#include "mptcp/internal.h"

static const struct mptcp_sched_ops *const schedulers[] = {
	&mptcp_sched_blest, &mptcp_sched_minrtt, &mptcp_sched_roundrobin, &mptcp_sched_redundant,
	&mptcp_sched_cost,
};

const struct mptcp_sched_ops *mptcp_sched_find(const char *name)
{
	for (size_t i = 0; i < sizeof(schedulers) / sizeof(schedulers[0]); i++)
		if (!strcmp(schedulers[i]->name, name))
			return schedulers[i];
	return NULL;
}

static bool is_backup(const struct mptcp_subflow *sf)
{
	return sf->backup || sf->peer_backup;
}

bool mptcp_sched_eligible(const struct mptcp_subflow *sf)
{
	const struct mptcp_subflow *other;

	if (!mptcp_subflow_usable(sf))
		return false;
	if (!is_backup(sf))
		return true;
	/* RFC 8684, section 3.3.8: only if there is no regular one. */
	list_for_each(other, &sf->conn->subflows, link)
		if (mptcp_subflow_usable(other) && !is_backup(other))
			return false;
	return true;
}

struct mptcp_subflow *mptcp_sched_fastest(struct mptcp_conn *conn, uint32_t room_for,
					  const struct mptcp_subflow *avoid)
{
	struct mptcp_subflow *sf, *best = NULL;

	list_for_each(sf, &conn->subflows, link) {
		if (sf == avoid || (best && sf->tcp.srtt_us >= best->tcp.srtt_us) ||
		    !mptcp_sched_eligible(sf))
			continue;
		if (!room_for || mptcp_subflow_room(sf, room_for))
			best = sf;
	}
	return best;
}
