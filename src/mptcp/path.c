/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Paths: silent subflows, priorities (RFC 8684, section 3.3.8), and the end of a subflow.
 *
 * A subflow whose retransmission timed out, or that does not say whether its window is still
 * shut, is stale: others carry its data, it is probed, and used again as soon as it answers.
 * A client's kernel does not join again by itself after a reset, so a stale one is given up
 * only after cfg.stale_us.
 *
 * A connection survives its subflows: one that dies hands its data to the others, and
 * without any the connection waits for the peer to join again, for cfg.orphan_us.
 */
#include "base/log.h"
#include "base/timer.h"
#include "mptcp/internal.h"

void mptcp_subflow_reset(struct mptcp_subflow *sf, enum mptcp_reset_reason reason,
			 const char *why)
{
	if (sf->reset_pending || sf->state == MPTCP_SUBFLOW_DEAD)
		return;
	log_debug("conn %08x: resetting a subflow: %s", sf->conn->local_token, why);
	sf->reset_pending = true;
	sf->reset_reason = reason;
	/* A path that merely does not deliver may do so later. */
	sf->reset_flags = reason == MPTCP_RST_PERFORMANCE || reason == MPTCP_RST_RESOURCES ||
					  reason == MPTCP_RST_TOO_MUCH_DATA
				  ? MPTCP_TCPRST_TRANSIENT
				  : 0;
}

/* TCP's own patience, or that of a path which others stand in for. */
static void set_patience(struct mptcp_subflow *sf, bool probing)
{
	const struct mptcp_config *cfg = &sf->conn->cfg;

	/* What was probed in vain meanwhile does not count. */
	if (!probing && sf->tcp.cfg.retries == UINT8_MAX)
		sf->tcp.unanswered = 0;
	sf->tcp.cfg.rto_max_us = cfg->tcp.rto_max_us;
	sf->tcp.cfg.retries = cfg->tcp.retries;
	if (!probing)
		return;
	/* Its end is decided here, by time. */
	sf->tcp.cfg.retries = UINT8_MAX;
	sf->tcp.cfg.rto_max_us = 2 * sf->tcp.rto_us;
	if (sf->tcp.cfg.rto_max_us < cfg->probe_us)
		sf->tcp.cfg.rto_max_us = cfg->probe_us;
}

static bool others_work(const struct mptcp_subflow *sf)
{
	const struct mptcp_subflow *other;

	list_for_each(other, &sf->conn->subflows, link)
		if (other != sf && other->state == MPTCP_SUBFLOW_ACTIVE && !other->stale)
			return true;
	return false;
}

void mptcp_subflow_silent(struct mptcp_subflow *sf, uint64_t now_us)
{
	struct mptcp_conn *conn = sf->conn;

	if (!sf->stale) {
		sf->stale = true;
		sf->stale_since_us = now_us;
	}
	mptcp_send_reinject(sf);
	/* With exponential back-off alone a path that was away for seconds would be found
	 * again as much later; one segment now and then harms nobody. */
	if (conn->subflow_count > 1) {
		set_patience(sf, true);
		mptcp_hoard_fill(sf);
	}
	if (now_us - sf->stale_since_us >= conn->cfg.stale_us && others_work(sf))
		mptcp_subflow_reset(sf, MPTCP_RST_PERFORMANCE, "silent for too long");
}

void mptcp_subflow_heard(struct mptcp_subflow *sf)
{
	/* Of a removed address only the answer to a probe counts: see address.c. */
	if (!sf->stale || mptcp_removal_pending(sf))
		return;
	sf->stale = false;
	set_patience(sf, false);
}

bool mptcp_orphaned(const struct mptcp_conn *conn)
{
	const struct mptcp_subflow *sf;

	list_for_each(sf, &conn->subflows, link)
		if (sf->state != MPTCP_SUBFLOW_HANDSHAKE)
			return false;
	return true;
}

void mptcp_subflow_died(struct mptcp_subflow *sf, const char *why, uint64_t now_us)
{
	struct mptcp_conn *conn = sf->conn;

	if (sf->state == MPTCP_SUBFLOW_DEAD)
		return;
	mptcp_send_reinject(sf);
	mptcp_subflow_set_state(sf, MPTCP_SUBFLOW_DEAD, why);
	list_remove(&sf->link);
	list_push_back(&conn->dead, &sf->link);
	conn->subflow_count--;
	conn->events |= MPTCP_EVENT_DEAD;
	if (conn->state >= MPTCP_TIME_WAIT) {
		if (conn->state == MPTCP_FASTCLOSE_WAIT && !conn->subflow_count)
			mptcp_set_state(conn, MPTCP_CLOSED, "aborted");
		mptcp_advance_close(conn, now_us);
		return;
	}
	/* A join that the fallback overtook, or is about to: it has carried nothing. */
	if (sf->join && (conn->mode == MPTCP_MODE_FALLBACK ||
			 (mptcp_failing(conn) && !conn->joined_once)))
		return;
	conn->failed = conn->fail_agreed = false;
	conn->deadline_us[MPTCP_TIMER_FAIL] = TIMER_NEVER;
	if (conn->mode != MPTCP_MODE_MPTCP || conn->infinite_sent) {
		mptcp_terminate(conn, why);
		mptcp_advance_close(conn, now_us);
		return;
	}
	if (!conn->subflow_count && mptcp_streams_done(conn)) {
		/* Who answers our DATA_FIN with RST knows of nothing any more: the end. */
		mptcp_set_state(conn, MPTCP_CLOSED, "fin");
		mptcp_advance_close(conn, now_us);
		return;
	}
	conn->infinite_out = false;
	counter_inc(conn->env->counters, CNT_MP_SUBFLOW_LOST);
	mptcp_send_subflow_lost(sf);
	mptcp_send_release(conn);
	if (conn->subflow_count == 1)
		set_patience(mptcp_first_subflow(conn), false);
	if (!conn->subflow_count) {
		if (conn->robbed)
			conn->events |= MPTCP_EVENT_ROBBED;
		/* What the last subflow's TCP acknowledged may never have been read. */
		mptcp_send_reinject_range(conn, conn->snd_una, conn->snd_nxt);
	}
	/* Attempts to join that fail must not keep it for ever. */
	if (mptcp_orphaned(conn) && conn->deadline_us[MPTCP_TIMER_ORPHAN] == TIMER_NEVER) {
		counter_inc(conn->env->counters, CNT_MP_ORPHANED);
		conn->deadline_us[MPTCP_TIMER_ORPHAN] = now_us + conn->cfg.orphan_us;
	}
}

/*
 * The peer's wish about the path that it was sent on; in version 0 it may name another by
 * address id (RFC 6824, section 3.3.8).
 */
static void recv_prio(struct mptcp_subflow *sf, const struct mptcp_options *o)
{
	struct mptcp_subflow *other;

	counter_inc(sf->conn->env->counters, CNT_MP_PRIO_IN);
	if (!o->prio.has_addr_id) {
		sf->peer_backup = o->prio.backup;
		return;
	}
	if (sf->conn->version >= 1)
		return;
	list_for_each(other, &sf->conn->subflows, link)
		if (other->remote_id == o->prio.addr_id)
			other->peer_backup = o->prio.backup;
}

void mptcp_path_options(struct mptcp_subflow *sf, const struct packet *p, uint64_t now_us)
{
	if (p->tcp.mptcp.present & MPOPT_PRIO)
		recv_prio(sf, &p->tcp.mptcp);
	mptcp_address_options(sf, p, now_us);
}
