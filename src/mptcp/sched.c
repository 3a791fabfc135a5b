/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of schedulers, and minrtt: the usable subflow with the lowest smoothed
 * round-trip time that has room.  Backup subflows (RFC 8684, section 3.3.8) are used
 * only when no other subflow is usable.
 */
#include <string.h>

#include "mptcp/internal.h"

static bool is_backup(const struct mptcp_subflow *sf)
{
	return sf->backup || sf->peer_backup;
}

/*
 * Whether what waits to be sent would be through sooner on `fast`, although its window
 * is full now, than if `slow` took the next part: the last bytes of a transfer must not
 * sit in the queue of a slow path while a fast one idles.  In one round trip a subflow
 * delivers a window.
 */
static bool better_wait(const struct mptcp_conn *conn, const struct mptcp_subflow *fast,
			const struct mptcp_subflow *slow)
{
	uint64_t waiting = conn->sendq.end - conn->snd_nxt;
	uint64_t cwnd = fast->tcp.cwnd_bytes ? fast->tcp.cwnd_bytes : 1;
	uint64_t fast_us = fast->tcp.srtt_us + fast->tcp.srtt_us * waiting / cwnd;

	return fast->tcp.recovery == TCP_RECOVERY_NONE && fast_us < slow->tcp.srtt_us;
}

static struct mptcp_subflow *minrtt_pick(struct mptcp_conn *conn, uint32_t len,
					 const struct mptcp_subflow *avoid, uint64_t now_us)
{
	struct mptcp_subflow *sf, *best = NULL, *fast = NULL;
	bool regular = false;

	(void)now_us;
	list_for_each(sf, &conn->subflows, link)
		if (mptcp_subflow_usable(sf) && !is_backup(sf))
			regular = true;
	list_for_each(sf, &conn->subflows, link) {
		if (sf == avoid || !mptcp_subflow_usable(sf) || (regular && is_backup(sf)))
			continue;
		if (!fast || sf->tcp.srtt_us < fast->tcp.srtt_us)
			fast = sf;
		if (!mptcp_subflow_room(sf, len))
			continue;
		if (!best || sf->tcp.srtt_us < best->tcp.srtt_us)
			best = sf;
	}
	if (best && best != fast && !avoid && better_wait(conn, fast, best))
		return NULL;
	return best;
}

const struct mptcp_sched_ops mptcp_sched_minrtt = {
	.name = "minrtt",
	.pick = minrtt_pick,
};

static const struct mptcp_sched_ops *const schedulers[] = {
	&mptcp_sched_minrtt,
};

const struct mptcp_sched_ops *mptcp_sched_find(const char *name)
{
	for (size_t i = 0; i < sizeof(schedulers) / sizeof(schedulers[0]); i++)
		if (!strcmp(schedulers[i]->name, name))
			return schedulers[i];
	return NULL;
}
