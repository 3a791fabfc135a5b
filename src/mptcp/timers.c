/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Time: when a connection has to be looked at next, and what happens then.
 *
 * Each deadline has a row here: in which states it counts, and what is called when it is over.
 * mptcp_deadline() and mptcp_timeout() both go by the rows, so that none can be waited for that
 * is not served, or the other way round.  A deadline is taken back before its function is
 * called, which may set a new one.
 *
 * Two things are no rows: the timers of TCP, which has both verbs of its own, and an RST that is
 * to be sent, which is due at once.
 */
#include "base/timer.h"
#include "mptcp/internal.h"

#define BIT(s) (1u << (s))
/* States before ESTABLISHED; from there on until both streams have ended. */
#define OPENING (BIT(MPTCP_ESTABLISHED) - 1u)
#define OPEN    ((BIT(MPTCP_TIME_WAIT) - 1u) & ~OPENING)

static void handshake_timeout(struct mptcp_conn *conn, uint64_t now_us)
{
	(void)now_us;
	mptcp_terminate(conn, "handshake timed out");
}

static void fail_timeout(struct mptcp_conn *conn, uint64_t now_us)
{
	(void)now_us;
	mptcp_fail_timeout(conn);
}

static void last_fin_timeout(struct mptcp_conn *conn, uint64_t now_us)
{
	(void)now_us;
	mptcp_last_fin_timeout(conn);
}

static void orphan_timeout(struct mptcp_conn *conn, uint64_t now_us)
{
	(void)now_us;
	counter_inc(conn->env->counters, CNT_MP_ORPHAN_TIMEOUT);
	mptcp_terminate(conn, "no subflow left");
}

static const struct {
	uint32_t states;                /* bits: those in which it counts */
	void (*fire)(struct mptcp_conn *conn, uint64_t now_us); /* NULL: mptcp_output() looks */
} conn_timers[MPTCP_TIMER_MAX] = {
	[MPTCP_TIMER_RTO] = { OPEN, mptcp_send_timeout },
	[MPTCP_TIMER_HANDSHAKE] = { OPENING, handshake_timeout },
	[MPTCP_TIMER_FAIL] = { OPEN, fail_timeout },
	[MPTCP_TIMER_LAST_FIN] = { BIT(MPTCP_TIME_WAIT), last_fin_timeout },
	[MPTCP_TIMER_ORPHAN] = { OPEN, orphan_timeout },
	[MPTCP_TIMER_FASTCLOSE] = { BIT(MPTCP_FASTCLOSE_WAIT), mptcp_abort_now },
	[MPTCP_TIMER_FASTCLOSE_AGAIN] = { BIT(MPTCP_FASTCLOSE_WAIT), NULL },
	[MPTCP_TIMER_SIGNALS] = { OPEN, NULL },
};

static void (*const subflow_timers[MPTCP_SUBFLOW_TIMER_MAX])(struct mptcp_subflow *sf,
							     uint64_t now_us) = {
	[MPTCP_SUBFLOW_TIMER_JOIN_ACK] = mptcp_join_ack_timeout,
	[MPTCP_SUBFLOW_TIMER_WITHDRAWAL] = mptcp_withdrawal_timeout,
	[MPTCP_SUBFLOW_TIMER_REMOVAL] = mptcp_removal_timeout,
};

static bool timer_counts(const struct mptcp_conn *conn, enum mptcp_timer t)
{
	return conn_timers[t].states & BIT(conn->state);
}

/* Whether the subflow's own timers and those of its TCP count: of one that only repeats
 * MP_FASTCLOSE nothing else is wanted. */
static bool subflow_counts(const struct mptcp_subflow *sf)
{
	return !sf->reset_pending && sf->conn->state != MPTCP_FASTCLOSE_WAIT;
}

bool mptcp_timer_due(const struct mptcp_conn *conn, enum mptcp_timer t, uint64_t now_us)
{
	return timer_counts(conn, t) && now_us >= conn->deadline_us[t];
}

static uint64_t earlier(uint64_t a_us, uint64_t b_us)
{
	return a_us < b_us ? a_us : b_us;
}

uint64_t mptcp_deadline(const struct mptcp_conn *conn)
{
	const struct mptcp_subflow *sf;
	uint64_t next_us = TIMER_NEVER;

	list_for_each(sf, &conn->subflows, link) {
		if (sf->reset_pending)
			return 0;
		if (!subflow_counts(sf))
			continue;
		for (int i = 0; i < MPTCP_SUBFLOW_TIMER_MAX; i++)
			next_us = earlier(next_us, sf->deadline_us[i]);
		next_us = earlier(next_us, tcp_deadline(&sf->tcp));
	}
	for (int i = 0; i < MPTCP_TIMER_MAX; i++)
		if (timer_counts(conn, i))
			next_us = earlier(next_us, conn->deadline_us[i]);
	return next_us;
}

static void subflow_timeout(struct mptcp_subflow *sf, uint64_t now_us)
{
	for (int i = 0; i < MPTCP_SUBFLOW_TIMER_MAX; i++) {
		if (now_us < sf->deadline_us[i])
			continue;
		sf->deadline_us[i] = TIMER_NEVER;
		subflow_timers[i](sf, now_us);
	}
	if (now_us >= tcp_deadline(&sf->tcp)) {
		tcp_timeout(&sf->tcp, now_us);
		mptcp_subflow_events(sf, now_us);
	}
}

void mptcp_timeout(struct mptcp_conn *conn, uint64_t now_us)
{
	struct mptcp_subflow *sf, *tmp;

	list_for_each_safe(sf, tmp, &conn->subflows, link)
		if (subflow_counts(sf))
			subflow_timeout(sf, now_us);
	for (int i = 0; i < MPTCP_TIMER_MAX; i++) {
		if (!conn_timers[i].fire || !mptcp_timer_due(conn, i, now_us))
			continue;
		conn->deadline_us[i] = TIMER_NEVER;
		conn_timers[i].fire(conn, now_us);
	}
	mptcp_advance_close(conn, now_us);
}
