/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much a connection may hold: the send queue and the shared receive window.
 *
 * Both follow the paths in use.  Data of one stream goes over all of them and is in order
 * again only when the slowest has brought its part, so both cover what all paths together
 * carry in a round trip of the slowest (RFC 8684, section 3.3.4, gives the same sum), twice:
 * once for what is under way, and once for what is repeated or waits behind it.
 *
 * Both are permissions, not memory: an idle connection holds no block.  But a permission may
 * be used at any time, so after a while without traffic it falls back to the initial one.
 * (The edge of the receive window never moves back, RFC 9293, section 3.8.6: what was told
 * stays valid until it is used up.)
 *
 * Memory is shared by all connections of a worker.  From BUDGET_TIGHT percent of the limit on
 * nobody's permission grows, and each may use only a part of it, which falls to a floor as
 * the limit comes near.  Those with much wait until they have less; those with little go on.
 * Past LIMITS_MEMORY_PERCENT (proxy/limits.h) nobody new is let in.
 */
#include "base/seq.h"
#include "mptcp/internal.h"

#define BUDGET_TIGHT 75u                /* percent of the memory limit */
#define BUDGET_FULL  95u
#define BUFFER_FLOOR 65536u             /* bytes that anybody may have */
#define BUFFER_IDLE_US 5000000u
/* Rounds of tuning the receive window are not shorter than this. */
#define RECV_ROUND_MIN_US 10000u

static bool is_tight(const struct mptcp_conn *conn)
{
	return pool_pressure(conn->env->pool) >= BUDGET_TIGHT;
}

/* What of a permission of `bytes` may be used now. */
static uint32_t share(const struct mptcp_conn *conn, uint32_t bytes)
{
	unsigned pressure = pool_pressure(conn->env->pool);

	if (pressure < BUDGET_TIGHT || bytes <= BUFFER_FLOOR)
		return bytes;
	if (pressure >= BUDGET_FULL)
		return BUFFER_FLOOR;
	return BUFFER_FLOOR + (uint32_t)((uint64_t)(bytes - BUFFER_FLOOR) *
					 (BUDGET_FULL - pressure) / (BUDGET_FULL - BUDGET_TIGHT));
}

/* ---- sending -------------------------------------------------------------------- */

uint32_t mptcp_buffers_send(const struct mptcp_conn *conn)
{
	return share(conn, conn->sndbuf);
}

void mptcp_buffers_tune_send(struct mptcp_conn *conn, uint64_t now_us)
{
	const struct mptcp_subflow *sf;
	uint64_t rtt_us = 1, want = 0;

	conn->snd_progress_us = now_us;
	list_for_each(sf, &conn->subflows, link)
		if (mptcp_subflow_usable(sf) && sf->tcp.srtt_us > rtt_us)
			rtt_us = sf->tcp.srtt_us;
	/* A window per round trip is the rate. */
	list_for_each(sf, &conn->subflows, link)
		if (mptcp_subflow_usable(sf) && sf->tcp.srtt_us)
			want += (uint64_t)sf->tcp.cwnd_bytes * rtt_us / sf->tcp.srtt_us;
	want *= 2;
	if (want > conn->cfg.sndbuf_max)
		want = conn->cfg.sndbuf_max;
	if (want > conn->sndbuf && !is_tight(conn))
		conn->sndbuf = (uint32_t)want;
}

void mptcp_buffers_idle(struct mptcp_conn *conn, uint64_t now_us)
{
	if (conn->snd_una == conn->snd_nxt && conn->sndbuf > conn->cfg.sndbuf_initial &&
	    now_us - conn->snd_progress_us >= BUFFER_IDLE_US)
		conn->sndbuf = conn->cfg.sndbuf_initial;
}

/* ---- receiving -------------------------------------------------------------------- */

uint32_t mptcp_buffers_receive(const struct mptcp_conn *conn)
{
	return share(conn, conn->rcvbuf);
}

/*
 * Here the rate is what arrived.  The round trips are those of the handshakes or of what we
 * send, without the queues that the peer itself fills: a window made for those would only
 * fill them more.
 */
void mptcp_buffers_tune_receive(struct mptcp_conn *conn, uint64_t now_us)
{
	const struct mptcp_subflow *sf;
	uint64_t rtt_us = RECV_ROUND_MIN_US, took_us = now_us - conn->rcv_round_us, want;

	list_for_each(sf, &conn->subflows, link)
		if (!sf->stale && sf->tcp.srtt_us > rtt_us)
			rtt_us = sf->tcp.srtt_us;
	if (took_us < rtt_us)
		return;
	want = 2 * (conn->rcv_nxt - conn->rcv_round_dsn) * rtt_us / took_us;
	if (want > conn->cfg.rcvbuf_max)
		want = conn->cfg.rcvbuf_max;
	if (took_us >= BUFFER_IDLE_US && conn->rcvbuf > conn->cfg.rcvbuf_initial)
		conn->rcvbuf = conn->cfg.rcvbuf_initial;
	else if (want > conn->rcvbuf && !is_tight(conn))
		conn->rcvbuf = (uint32_t)want;
	conn->rcv_round_dsn = conn->rcv_nxt;
	conn->rcv_round_us = now_us;
}
