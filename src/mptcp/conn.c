/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A connection's life: creation, state, closing, and the verbs that the caller uses.
 *
 * Closing (RFC 8684, section 3.3.3).  The two streams end on their own: ours by
 * fin_queued -> fin_sent -> fin_acked, the peer's by fin_known -> fin_delivered.  The
 * state names the combination as TCP does.  Once both have ended, each subflow sends
 * its FIN; the connection is finished when none of them has anything more to send.
 * After a fallback (fallback.c) the subflow's own FINs are the stream's ends.
 *
 * This file owns the states of connections and subflows: every change goes through
 * the two setters.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/seq.h"
#include "base/timer.h"
#include "mptcp/internal.h"

/* DSS with DATA_ACK and DSN of 8 bytes and a checksum. */
#define INFINITE_MAP_LEN (4 + 8 + 14 + 2)
/* Gaps kept in connection-level reassembly; beyond that data is dropped and comes again. */
#define OOO_GAPS_MAX 4096u
/* How long a finished connection waits for the answers to its subflows' FINs, as Linux does.
 * The peer may have missed our last DATA_ACK, and what it sends again must not be answered with
 * RST. */
#define LAST_FIN_US 60000000u
/* Keys drawn until one has a token that may be used, which of many workers is one in many. */
#define KEY_TRIES 1024
/* Joins of one connection that may be under way: SYNs beyond that are dropped, not refused,
 * because a client does not try again after a refusal. */
#define JOINS_PENDING_MAX 4u

static const char *const state_names[] = {
	[MPTCP_SYN_SENT] = "SYN_SENT",         [MPTCP_SYN_RECEIVED] = "SYN_RECEIVED",
	[MPTCP_ESTABLISHED] = "ESTABLISHED",   [MPTCP_FIN_WAIT_1] = "FIN_WAIT_1",
	[MPTCP_FIN_WAIT_2] = "FIN_WAIT_2",     [MPTCP_CLOSE_WAIT] = "CLOSE_WAIT",
	[MPTCP_CLOSING] = "CLOSING",           [MPTCP_LAST_ACK] = "LAST_ACK",
	[MPTCP_TIME_WAIT] = "TIME_WAIT",       [MPTCP_FASTCLOSE_WAIT] = "FASTCLOSE_WAIT",
	[MPTCP_CLOSED] = "CLOSED",
};

const char *mptcp_state_name(enum mptcp_state state)
{
	return state_names[state];
}

static const char *const subflow_state_names[] = {
	[MPTCP_SUBFLOW_HANDSHAKE] = "HANDSHAKE",
	[MPTCP_SUBFLOW_ACTIVE] = "ACTIVE",
	[MPTCP_SUBFLOW_CLOSING] = "CLOSING",
	[MPTCP_SUBFLOW_DEAD] = "DEAD",
};

const char *mptcp_subflow_state_name(enum mptcp_subflow_state state)
{
	return subflow_state_names[state];
}

#define BIT(s) (1u << (s))

/* From which states each state may be entered. */
static const uint32_t entered_from[] = {
	[MPTCP_SYN_SENT] = 0,
	[MPTCP_SYN_RECEIVED] = 0,
	[MPTCP_ESTABLISHED] = BIT(MPTCP_SYN_SENT) | BIT(MPTCP_SYN_RECEIVED),
	[MPTCP_FIN_WAIT_1] = BIT(MPTCP_ESTABLISHED),
	[MPTCP_FIN_WAIT_2] = BIT(MPTCP_FIN_WAIT_1),
	[MPTCP_CLOSE_WAIT] = BIT(MPTCP_ESTABLISHED),
	[MPTCP_CLOSING] = BIT(MPTCP_FIN_WAIT_1),
	[MPTCP_LAST_ACK] = BIT(MPTCP_CLOSE_WAIT),
	[MPTCP_TIME_WAIT] = BIT(MPTCP_FIN_WAIT_2) | BIT(MPTCP_CLOSING) | BIT(MPTCP_LAST_ACK),
	[MPTCP_FASTCLOSE_WAIT] = ~(BIT(MPTCP_CLOSED) | BIT(MPTCP_FASTCLOSE_WAIT)),
	[MPTCP_CLOSED] = ~BIT(MPTCP_CLOSED),
};

void mptcp_set_state(struct mptcp_conn *conn, enum mptcp_state state, const char *why)
{
	if (conn->state == state)
		return;
	assert(entered_from[state] & BIT(conn->state));
	log_debug("conn %08x: %s -> %s (%s)", conn->local_token, state_names[conn->state],
		  state_names[state], why);
	conn->state = state;
	if (state == MPTCP_CLOSED || state == MPTCP_FASTCLOSE_WAIT || state == MPTCP_TIME_WAIT)
		snprintf(conn->close_reason, sizeof(conn->close_reason), "%s", why);
}

void mptcp_subflow_set_state(struct mptcp_subflow *sf, enum mptcp_subflow_state state,
			     const char *why)
{
	if (sf->state == state)
		return;
	assert(state > sf->state); /* they only go forward */
	if (log_threshold >= LOG_LEVEL_DEBUG) {
		char peer[IP_ENDPOINT_STRLEN];

		log_write(LOG_LEVEL_DEBUG, "conn %08x: subflow %s: %s -> %s (%s)",
			  sf->conn->local_token, ip_endpoint_format(&sf->rx.src, peer),
			  subflow_state_names[sf->state], subflow_state_names[state], why);
	}
	sf->state = state;
	if (state == MPTCP_SUBFLOW_ACTIVE)
		tcp_coupling_join(&sf->conn->coupling, &sf->tcp);
	else if (state == MPTCP_SUBFLOW_DEAD)
		tcp_coupling_leave(&sf->tcp);
	/* What waited for a subflow can go. */
	if (state == MPTCP_SUBFLOW_ACTIVE && (sf->conn->addresses || sf->prio_left))
		mptcp_signals_look(sf->conn);
}

/* ---- life ----------------------------------------------------------------- */

void mptcp_config_default(struct mptcp_config *c)
{
	memset(c, 0, sizeof(*c));
	tcp_config_default(&c->tcp);
	c->tcp.cc = &tcp_cc_auto;
	c->versions = MPTCP_VERSION_BIT(0) | MPTCP_VERSION_BIT(1);
	c->sched = &mptcp_sched_blest;
	c->max_subflows = 8;
	c->rcvbuf_initial = 384 * 1024;
	c->rcvbuf_max = 8 * 1024 * 1024;
	c->sndbuf_initial = 512 * 1024;
	c->sndbuf_max = 8 * 1024 * 1024;
	c->orphan_us = 60 * 1000000ull;
	c->handshake_us = 60 * 1000000ull;
	c->fastclose_us = 5 * 1000000ull;
	c->probe_us = 1000000;
	c->stale_us = 180 * 1000000ull;
}

void mptcp_env_init(struct mptcp_env *env, struct counters *counters, struct pool *pool)
{
	memset(env, 0, sizeof(*env));
	env->counters = counters;
	env->pool = pool;
	tcp_env_init(&env->tcp, counters, pool);
	list_init(&env->free_maps);
}

void mptcp_env_fini(struct mptcp_env *env)
{
	mptcp_recv_free_spares(env);
	tcp_env_fini(&env->tcp);
}

/* Draws a key whose token is free; false if the source of tokens is exhausted. */
static bool draw_key(struct mptcp_conn *conn, const struct mptcp_drawn *drawn, uint64_t *idsn)
{
	struct mptcp_env *env = conn->env;

	if (drawn) {
		conn->local_key = drawn->key;
		mptcp_key_derive(conn->version, conn->local_key, &conn->local_token, idsn);
		return true;
	}
	for (int i = 0; i < KEY_TRIES; i++) {
		env->random(env->ctx, &conn->local_key, sizeof(conn->local_key));
		/* As good as any, but some implementations take it for none. */
		if (!conn->local_key)
			continue;
		mptcp_key_derive(conn->version, conn->local_key, &conn->local_token, idsn);
		if (!env->token_usable || env->token_usable(env->ctx, conn->local_token))
			return true;
	}
	return false;
}

static struct mptcp_conn *conn_new(struct mptcp_env *env, const struct mptcp_config *cfg,
				   uint8_t version, const struct mptcp_drawn *drawn, void *owner,
				   mptcp_deliver_fn deliver, uint64_t now_us)
{
	struct mptcp_conn *conn = calloc(1, sizeof(*conn));
	uint64_t idsn;

	if (!conn)
		return NULL;
	conn->env = env;
	conn->cfg = *cfg;
	conn->owner = owner;
	conn->deliver = deliver;
	conn->version = version;
	list_init(&conn->subflows);
	list_init(&conn->dead);
	tcp_coupling_init(&conn->coupling);
	if (!draw_key(conn, drawn, &idsn)) {
		free(conn);
		return NULL;
	}
	/* The SYN takes the first octet of the data sequence space (section 3.1). */
	conn->snd_una = conn->snd_nxt = idsn + 1;
	conn->snd_wnd_edge = conn->unblocked = conn->repair_end = conn->snd_una;
	stream_init(&conn->sendq, env->pool, conn->snd_una);
	reasm_init(&conn->ooo, env->pool, OOO_GAPS_MAX);
	conn->sndbuf = cfg->sndbuf_initial;
	conn->rcvbuf = cfg->rcvbuf_initial;
	conn->checksum_on = cfg->checksum;
	for (int i = 0; i < MPTCP_TIMER_MAX; i++)
		conn->deadline_us[i] = TIMER_NEVER;
	conn->deadline_us[MPTCP_TIMER_HANDSHAKE] = now_us + cfg->handshake_us;
	conn->created_us = now_us;
	return conn;
}

static struct mptcp_subflow *subflow_new(struct mptcp_conn *conn, const struct flow_tuple *rx,
					 uint64_t now_us)
{
	struct mptcp_subflow *sf = calloc(1, sizeof(*sf));

	if (!sf)
		return NULL;
	sf->conn = conn;
	sf->rx = *rx;
	flow_tuple_reverse(&sf->tx, rx);
	sf->created_us = now_us;
	for (int i = 0; i < MPTCP_SUBFLOW_TIMER_MAX; i++)
		sf->deadline_us[i] = TIMER_NEVER;
	list_init(&sf->maps);
	stream_init(&sf->hoard, conn->env->pool, 0);
	sf->copied_to = conn->snd_una;
	stream_init(&sf->held, conn->env->pool, 0);
	list_push_back(&conn->subflows, &sf->link);
	conn->subflow_count++;
	conn->subflows_total++;
	conn->env->random(conn->env->ctx, &sf->local_nonce, sizeof(sf->local_nonce));
	return sf;
}

/* The subflow's TCP settings: IPv6 headers leave 20 bytes less (RFC 6691). */
static struct tcp_config subflow_config(const struct mptcp_subflow *sf)
{
	struct tcp_config cfg = sf->conn->cfg.tcp;

	if (!ip_addr_is_v4(&sf->rx.src.addr))
		cfg.mss -= 20;
	return cfg;
}

static void subflow_start_passive(struct mptcp_subflow *sf, const struct packet *syn,
				  const struct mptcp_drawn *drawn, uint64_t now_us)
{
	struct mptcp_conn *conn = sf->conn;
	struct tcp_config cfg = subflow_config(sf);
	uint32_t iss_ts[2];

	if (drawn) {
		iss_ts[0] = drawn->iss;
		iss_ts[1] = drawn->ts_offset;
		cfg.timestamps = true;
	} else {
		const uint32_t *after = conn->env->iss_after;

		conn->env->random(conn->env->ctx, iss_ts, sizeof(iss_ts));
		/* Anywhere in the quarter of the numbers behind it. */
		if (after && !seq32_gt(iss_ts[0], *after))
			iss_ts[0] = *after + 1 + (iss_ts[0] >> 2);
	}
	tcp_init_passive(&sf->tcp, &conn->env->tcp, &cfg, syn, iss_ts[0], iss_ts[1], now_us);
	/* What was agreed to stays; the next connection on this tuple does as configured. */
	sf->tcp.cfg.timestamps = conn->cfg.tcp.timestamps;
	sf->tcp.option_len = mptcp_options_usual(conn, sf->tcp.ts_on);
	/* What we announce, not what we send: Linux (6.18) puts its infinite mapping on a
	 * segment that it has made as long as plain TCP's may be.  Without room for it within
	 * the MTU, a connection whose checksum failed would be stuck for ever. */
	if (conn->checksum_on)
		sf->tcp.mss_spare = INFINITE_MAP_LEN;
	sf->map_offset = mptcp_rcv_offset(sf, sf->tcp.irs + 1);
	tcp_set_window(&sf->tcp, mptcp_recv_window(conn));
}

static void subflow_start_active(struct mptcp_subflow *sf, uint64_t now_us)
{
	struct mptcp_conn *conn = sf->conn;
	struct tcp_config cfg = subflow_config(sf);
	uint32_t iss_ts[2];

	conn->env->random(conn->env->ctx, iss_ts, sizeof(iss_ts));
	tcp_init_active(&sf->tcp, &conn->env->tcp, &cfg, iss_ts[0], iss_ts[1], now_us);
	sf->tcp.option_len = mptcp_options_usual(conn, conn->cfg.tcp.timestamps);
	tcp_set_window(&sf->tcp, mptcp_recv_window(conn));
}

struct mptcp_conn *mptcp_new_passive(struct mptcp_env *env, const struct mptcp_config *cfg,
				     const struct packet *syn, void *owner,
				     mptcp_deliver_fn deliver, uint64_t now_us)
{
	return mptcp_new_passive_drawn(env, cfg, syn, NULL, owner, deliver, now_us);
}

struct mptcp_conn *mptcp_new_passive_drawn(struct mptcp_env *env, const struct mptcp_config *cfg,
					   const struct packet *syn,
					   const struct mptcp_drawn *drawn, void *owner,
					   mptcp_deliver_fn deliver, uint64_t now_us)
{
	const struct mptcp_options *o = &syn->tcp.mptcp;
	struct mptcp_conn *conn;
	struct mptcp_subflow *sf;

	/* What cannot be answered in its own version is not answered at all: a version 1 SYN
	 * has no key for version 0 (section 3.1). */
	if (!(o->present & MPOPT_CAPABLE) ||
	    !(cfg->versions & MPTCP_VERSION_BIT(o->capable.version)) ||
	    o->capable.key_count != (o->capable.version == 0) ||
	    !mptcp_capable_flags_ok(&o->capable))
		return NULL;
	conn = conn_new(env, cfg, o->capable.version, drawn, owner, deliver, now_us);
	if (!conn)
		return NULL;
	conn->state = MPTCP_SYN_RECEIVED;
	mptcp_take_capable_flags(conn, &o->capable);
	if (o->capable.key_count)
		mptcp_learn_peer_key(conn, o->capable.sender_key);
	conn->initial = syn->tuple;
	sf = subflow_new(conn, &syn->tuple, now_us);
	if (!sf) {
		mptcp_free(conn);
		return NULL;
	}
	subflow_start_passive(sf, syn, drawn, now_us);
	return conn;
}

void mptcp_accept(struct mptcp_conn *conn, uint64_t now_us)
{
	struct mptcp_subflow *sf = mptcp_first_subflow(conn);

	if (conn->state != MPTCP_SYN_RECEIVED || !sf)
		return;
	/* The wait for the server does not count against the client. */
	conn->deadline_us[MPTCP_TIMER_HANDSHAKE] = now_us + conn->cfg.handshake_us;
	tcp_accept(&sf->tcp, now_us);
}

void mptcp_accept_sent(struct mptcp_conn *conn)
{
	tcp_accept_sent(&mptcp_first_subflow(conn)->tcp);
}

struct mptcp_conn *mptcp_new_active(struct mptcp_env *env, const struct mptcp_config *cfg,
				    const struct flow_tuple *tx, void *owner,
				    mptcp_deliver_fn deliver, uint64_t now_us)
{
	uint8_t version = cfg->versions & MPTCP_VERSION_BIT(1) ? 1 : 0;
	struct mptcp_conn *conn = conn_new(env, cfg, version, NULL, owner, deliver, now_us);
	struct mptcp_subflow *sf;
	struct flow_tuple rx;

	if (!conn)
		return NULL;
	conn->state = MPTCP_SYN_SENT;
	conn->active = true;
	flow_tuple_reverse(&rx, tx);
	conn->initial = rx;
	sf = subflow_new(conn, &rx, now_us);
	if (!sf) {
		mptcp_free(conn);
		return NULL;
	}
	subflow_start_active(sf, now_us);
	return conn;
}

/*
 * Who knows the token, and no more, can fill the places of a connection with SYNs whose
 * SYN/ACKs nobody answers (RFC 7430, section 3).  So the oldest that has not answered the
 * first one in time gives way; without a word, because a client repeats what got lost.
 */
bool mptcp_join_must_wait(struct mptcp_conn *conn, uint64_t now_us)
{
	struct mptcp_subflow *sf, *oldest = NULL;
	unsigned pending = 0;

	if (conn->state < MPTCP_ESTABLISHED) {
		counter_inc(conn->env->counters, CNT_MP_JOIN_EARLY);
		return true;
	}
	list_for_each(sf, &conn->subflows, link) {
		if (!sf->join || sf->state != MPTCP_SUBFLOW_HANDSHAKE)
			continue;
		pending++;
		if (!oldest && !sf->tcp.active && sf->tcp.unanswered)
			oldest = sf;
	}
	if (!pending || (pending < JOINS_PENDING_MAX &&
			 conn->subflow_count < conn->cfg.max_subflows))
		return false;
	if (!oldest) {
		counter_inc(conn->env->counters, CNT_MP_JOIN_PENDING);
		return true;
	}
	counter_inc(conn->env->counters, CNT_MP_JOIN_DISPLACED);
	mptcp_subflow_died(oldest, "another join wants its place", now_us);
	return false;
}

struct mptcp_subflow *mptcp_join_passive(struct mptcp_conn *conn, const struct packet *syn,
					 uint64_t now_us, enum mptcp_reset_reason *reason)
{
	const struct mptcp_join *join = &syn->tcp.mptcp.join;
	enum counter_id why = CNT_MP_JOIN_REFUSED;
	struct mptcp_subflow *sf;
	uint8_t local_id;
	bool backup;

	if (conn->mode != MPTCP_MODE_MPTCP || !conn->peer_key_known || mptcp_failing(conn) ||
	    conn->state == MPTCP_TIME_WAIT || conn->state >= MPTCP_FASTCLOSE_WAIT) {
		*reason = MPTCP_RST_PROHIBITED;
		goto refuse;
	}
	if (conn->subflow_count >= conn->cfg.max_subflows) {
		*reason = MPTCP_RST_RESOURCES;
		why = CNT_MP_JOIN_SUBFLOWS;
		goto refuse;
	}
	if (!mptcp_address_of_join(conn, &syn->tuple.dst, &local_id, &backup)) {
		*reason = MPTCP_RST_PROHIBITED;
		why = CNT_MP_JOIN_ADDRESS;
		goto refuse;
	}
	sf = subflow_new(conn, &syn->tuple, now_us);
	if (!sf) {
		*reason = MPTCP_RST_RESOURCES;
		goto refuse;
	}
	sf->join = true;
	sf->local_id = local_id;
	sf->backup = backup;
	sf->peer_backup = join->backup;
	sf->remote_id = join->addr_id;
	sf->remote_nonce = join->nonce;
	subflow_start_passive(sf, syn, NULL, now_us);
	tcp_accept(&sf->tcp, now_us);
	counter_inc(conn->env->counters, CNT_MP_JOIN_IN);
	return sf;
refuse:
	counter_inc(conn->env->counters, why);
	return NULL;
}

struct mptcp_subflow *mptcp_join_active(struct mptcp_conn *conn, const struct flow_tuple *tx,
					uint8_t local_id, bool backup, uint64_t now_us)
{
	struct mptcp_subflow *sf;
	struct flow_tuple rx;

	if (conn->mode != MPTCP_MODE_MPTCP || !conn->peer_key_known || mptcp_failing(conn) ||
	    conn->state == MPTCP_TIME_WAIT || conn->state >= MPTCP_FASTCLOSE_WAIT ||
	    conn->subflow_count >= conn->cfg.max_subflows)
		return NULL;
	if (conn->peer_no_join_initial && ip_endpoint_equal(&tx->dst, &conn->initial.src))
		return NULL;
	/* Not before the peer has shown that it got our key: it may have fallen back, and
	 * so may we have to (RFC 8684, section 3.2). */
	sf = mptcp_first_subflow(conn);
	if (sf && !sf->join && !sf->confirmed)
		return NULL;
	flow_tuple_reverse(&rx, tx);
	sf = subflow_new(conn, &rx, now_us);
	if (!sf)
		return NULL;
	sf->join = true;
	sf->backup = backup;
	sf->local_id = local_id;
	subflow_start_active(sf, now_us);
	return sf;
}

void mptcp_subflow_free(struct mptcp_subflow *sf)
{
	mptcp_recv_forget_maps(sf);
	if (sf->map_buffer)
		pool_uncharge(sf->conn->env->pool, UINT16_MAX);
	free(sf->map_buffer);
	stream_fini(&sf->hoard);
	stream_fini(&sf->held);
	tcp_fini(&sf->tcp);
	free(sf);
}

struct mptcp_subflow *mptcp_reap(struct mptcp_conn *conn)
{
	struct mptcp_subflow *sf = list_first(&conn->dead, struct mptcp_subflow, link);

	if (sf)
		list_remove(&sf->link);
	return sf;
}

void mptcp_free(struct mptcp_conn *conn)
{
	struct mptcp_subflow *sf, *tmp;

	list_for_each_safe(sf, tmp, &conn->subflows, link)
		mptcp_subflow_free(sf);
	list_for_each_safe(sf, tmp, &conn->dead, link)
		mptcp_subflow_free(sf);
	stream_fini(&conn->sendq);
	reasm_fini(&conn->ooo);
	mptcp_told_free(conn);
	free(conn->addresses);
	free(conn);
}

size_t mptcp_memory(const struct mptcp_conn *conn)
{
	size_t n = stream_memory(&conn->sendq) + conn->ooo.memory;
	const struct mptcp_subflow *sf;

	list_for_each(sf, &conn->subflows, link) {
		n += sf->tcp.ooo.memory + stream_memory(&sf->hoard) + stream_memory(&sf->held);
		n += sf->map_count * sizeof(struct mptcp_map);
		if (sf->map_buffer)
			n += UINT16_MAX;
	}
	return n + mptcp_told_memory(conn);
}

/* ---- input ------------------------------------------------------------------ */

static bool others_usable(const struct mptcp_subflow *sf)
{
	const struct mptcp_subflow *other;

	list_for_each(other, &sf->conn->subflows, link)
		if (other != sf && mptcp_subflow_usable(other))
			return true;
	return false;
}

void mptcp_subflow_events(struct mptcp_subflow *sf, uint64_t now_us)
{
	struct mptcp_conn *conn = sf->conn;
	uint32_t events = sf->tcp.events;

	sf->tcp.events = 0;
	if (events & (TCP_EVENT_ACKED | TCP_EVENT_ANSWERED))
		mptcp_subflow_heard(sf);
	if (events & TCP_EVENT_ACKED) {
		mptcp_hoard_acked(sf);
		mptcp_infinite_acked(sf, now_us);
		/* The last ACK of all, of our FIN in LAST-ACK, has closed TCP already. */
		if (conn->mode == MPTCP_MODE_FALLBACK &&
		    (sf->tcp.state >= TCP_ESTABLISHED || events & TCP_EVENT_CLOSED)) {
			bool fin = conn->fin_sent && sf->tcp.fin_acked;

			mptcp_send_acked(conn, tcp_oldest_offset(&sf->tcp, conn->snd_nxt) + fin,
					 now_us);
		}
	}
	/* One that is being closed may still carry data that nobody else does. */
	if (events & (TCP_EVENT_RTO | TCP_EVENT_UNANSWERED) && conn->mode == MPTCP_MODE_MPTCP &&
	    (sf->state == MPTCP_SUBFLOW_ACTIVE ||
	     (sf->state == MPTCP_SUBFLOW_CLOSING && conn->state < MPTCP_TIME_WAIT)))
		mptcp_subflow_silent(sf, now_us);
	/* Where bytes before it could not be read, it ends nothing. */
	if (events & TCP_EVENT_FIN && !sf->reset_pending) {
		if (conn->mode == MPTCP_MODE_FALLBACK)
			mptcp_recv_fin(conn, conn->rcv_nxt);
		else if (conn->mode == MPTCP_MODE_MPTCP && sf->state < MPTCP_SUBFLOW_CLOSING) {
			/* The peer is done with this subflow; what it carries is still ours to
			 * finish (RFC 8684, section 3.3.3).  The last one after a DATA_FIN stays
			 * half open, as our stream does, also beside silent ones.  But a peer
			 * that may have fallen back would take our FIN for the end of a stream
			 * that has not ended. */
			if (conn->fin_known && !others_usable(sf) && !conn->fin_sent) {
				log_debug("conn %08x: the last subflow is half closed",
					  conn->local_token);
			} else if (mptcp_peer_may_fall_back(conn) && !conn->fin_sent) {
				mptcp_subflow_reset(sf, MPTCP_RST_SPECIFIC, "FIN without DATA_FIN");
			} else {
				mptcp_subflow_set_state(sf, MPTCP_SUBFLOW_CLOSING, "FIN received");
				tcp_close(&sf->tcp, now_us);
			}
		}
	}
	if (events & TCP_EVENT_RESET)
		mptcp_subflow_died(sf, "RST received", now_us);
	else if (events & TCP_EVENT_TIMEOUT)
		mptcp_subflow_died(sf, "timed out", now_us);
	else if (events & TCP_EVENT_CLOSED && conn->mode == MPTCP_MODE_MPTCP &&
		 conn->state < MPTCP_TIME_WAIT && !(sf->tcp.state == TCP_TIME_WAIT && sf->tcp.ack_now))
		mptcp_subflow_died(sf, "closed", now_us);
}

void mptcp_input(struct mptcp_conn *conn, struct mptcp_subflow *sf, const struct packet *p,
		 uint64_t now_us)
{
	const uint8_t *data;
	uint64_t end = 0;
	struct tcp_rx rx;
	bool unmapped;
	uint32_t seq;
	size_t len;

	assert(sf->conn == conn);
	if (sf->state == MPTCP_SUBFLOW_DEAD || sf->reset_pending)
		return;
	if (sf->state == MPTCP_SUBFLOW_HANDSHAKE && !mptcp_handshake_before(sf, p))
		return;
	unmapped = conn->mode == MPTCP_MODE_FALLBACK && conn->fallback_acks && p->payload_len;
	if (unmapped)
		end = reasm_end(&sf->tcp.ooo, sf->tcp.rcv_offset);
	if (p->tcp.flags & TCP_SYN) /* perhaps again: our third ACK has not come through */
		sf->keys_asked = true;
	tcp_input(&sf->tcp, p, now_us, &rx);
	if (unmapped && rx.acceptable)
		mptcp_recv_unmapped(sf, p, end, now_us);
	if (rx.acceptable) {
		mptcp_address_heard(sf, now_us);
		if (sf->state == MPTCP_SUBFLOW_HANDSHAKE)
			mptcp_handshake_after(sf, p, &rx, now_us);
		if (sf->state != MPTCP_SUBFLOW_DEAD && !(p->tcp.flags & TCP_SYN))
			mptcp_recv_options(sf, p, &rx, now_us);
	}
	if (rx.len && !sf->reset_pending)
		mptcp_recv_payload(sf, rx.data, rx.len, rx.seq, false, now_us);
	while (sf->state != MPTCP_SUBFLOW_DEAD && !sf->reset_pending &&
	       (len = tcp_rx_pop(&sf->tcp, &data, &seq, now_us)) > 0)
		mptcp_recv_payload(sf, data, len, seq, true, now_us);
	mptcp_subflow_events(sf, now_us);
	mptcp_fail_again(conn);
	if (rx.acceptable && conn->mode == MPTCP_MODE_FALLBACK) {
		/* The subflow's window is the stream's. */
		uint64_t edge = conn->snd_una + sf->tcp.snd_wnd;

		if (seq64_gt(edge, conn->snd_wnd_edge))
			conn->snd_wnd_edge = edge;
	}
	mptcp_advance_close(conn, now_us);
}

/* ---- closing ------------------------------------------------------------------ */

void mptcp_terminate(struct mptcp_conn *conn, const char *why)
{
	struct mptcp_subflow *sf;

	if (conn->state == MPTCP_CLOSED)
		return;
	list_for_each(sf, &conn->subflows, link)
		if (sf->state != MPTCP_SUBFLOW_DEAD)
			sf->reset_pending = true;
	mptcp_set_state(conn, MPTCP_CLOSED, why);
	if (!mptcp_streams_done(conn))
		conn->events |= MPTCP_EVENT_RESET | (conn->robbed ? MPTCP_EVENT_ROBBED : 0);
}

bool mptcp_streams_done(const struct mptcp_conn *conn)
{
	return conn->fin_delivered && conn->fin_sent &&
	       seq64_geq(conn->snd_una, conn->sendq.end);
}

void mptcp_robbed(struct mptcp_subflow *sf)
{
	/* A peer that answers MP_FAIL leaves them out on purpose. */
	if (sf->conn->infinite_out)
		return;
	sf->conn->robbed = true;
	sf->conn->robbed_addr = sf->rx.src.addr;
}

/* Whether a subflow still has something to say (the ACK of the peer's FIN is the last),
 * or must still listen. */
static bool subflow_busy(const struct mptcp_subflow *sf)
{
	switch (sf->tcp.state) {
	case TCP_CLOSED:
		return sf->reset_pending;
	case TCP_TIME_WAIT:
		return sf->reset_pending || sf->tcp.ack_now;
	default:
		return true;
	}
}

/* What is left is for TCP to do, within bounds. */
static void both_ended(struct mptcp_conn *conn, uint64_t now_us)
{
	mptcp_set_state(conn, MPTCP_TIME_WAIT, "fin");
	conn->deadline_us[MPTCP_TIMER_LAST_FIN] = now_us + LAST_FIN_US;
}

void mptcp_last_fin_timeout(struct mptcp_conn *conn)
{
	struct mptcp_subflow *sf;

	list_for_each(sf, &conn->subflows, link)
		if (subflow_busy(sf))
			mptcp_subflow_reset(sf, MPTCP_RST_PERFORMANCE, "FIN not answered");
}

void mptcp_advance_close(struct mptcp_conn *conn, uint64_t now_us)
{
	struct mptcp_subflow *sf;

	if (conn->state == MPTCP_ESTABLISHED) {
		if (conn->fin_sent)
			mptcp_set_state(conn, MPTCP_FIN_WAIT_1, "our stream ended");
		else if (conn->fin_delivered)
			mptcp_set_state(conn, MPTCP_CLOSE_WAIT, "the peer's stream ended");
	}
	if (conn->state == MPTCP_FIN_WAIT_1) {
		if (conn->fin_delivered)
			mptcp_set_state(conn, MPTCP_CLOSING, "both streams ended");
		else if (conn->fin_acked)
			mptcp_set_state(conn, MPTCP_FIN_WAIT_2, "our end was acknowledged");
	}
	if (conn->state == MPTCP_FIN_WAIT_2 && conn->fin_delivered)
		both_ended(conn, now_us);
	if (conn->state == MPTCP_CLOSING && conn->fin_acked)
		both_ended(conn, now_us);
	if (conn->state == MPTCP_CLOSE_WAIT && conn->fin_sent)
		mptcp_set_state(conn, MPTCP_LAST_ACK, "both streams ended");
	if (conn->state == MPTCP_LAST_ACK && conn->fin_acked)
		both_ended(conn, now_us);

	if (conn->state == MPTCP_TIME_WAIT) {
		list_for_each(sf, &conn->subflows, link) {
			if (sf->state == MPTCP_SUBFLOW_HANDSHAKE)
				mptcp_subflow_reset(sf, MPTCP_RST_PROHIBITED, "connection closed");
			else if (sf->state == MPTCP_SUBFLOW_ACTIVE) {
				mptcp_subflow_set_state(sf, MPTCP_SUBFLOW_CLOSING, "all data done");
				tcp_close(&sf->tcp, now_us);
			}
			sf->tcp.orphan = true;
		}
	}
	if (conn->state == MPTCP_TIME_WAIT || conn->state == MPTCP_CLOSED) {
		list_for_each(sf, &conn->subflows, link)
			if (subflow_busy(sf))
				return;
		if (!conn->finished) {
			conn->finished = true;
			conn->deadline_us[MPTCP_TIMER_LAST_FIN] = TIMER_NEVER;
			conn->events |= MPTCP_EVENT_CLOSED;
		}
	}
}

void mptcp_shutdown(struct mptcp_conn *conn, uint64_t now_us)
{
	(void)now_us;
	conn->fin_queued = true;
}

/* The subflow on which MP_FASTCLOSE is likely to arrive first; NULL if none can carry it. */
static struct mptcp_subflow *fastclose_carrier(const struct mptcp_conn *conn)
{
	struct mptcp_subflow *sf, *best = NULL;

	if (conn->mode != MPTCP_MODE_MPTCP || !conn->peer_key_known)
		return NULL;
	list_for_each(sf, &conn->subflows, link)
		if (sf->state == MPTCP_SUBFLOW_ACTIVE && !sf->reset_pending &&
		    (!best || best->stale > sf->stale ||
		     (best->stale == sf->stale && sf->tcp.srtt_us < best->tcp.srtt_us)))
			best = sf;
	return best;
}

void mptcp_abort(struct mptcp_conn *conn, uint64_t now_us)
{
	struct mptcp_subflow *sf, *best;

	if (conn->state == MPTCP_CLOSED || conn->state == MPTCP_FASTCLOSE_WAIT)
		return;
	best = fastclose_carrier(conn);
	list_for_each(sf, &conn->subflows, link)
		if (sf != best && sf->state != MPTCP_SUBFLOW_DEAD) {
			sf->fastclose_due = best && !conn->version &&
					    sf->state == MPTCP_SUBFLOW_ACTIVE;
			sf->reset_pending = true;
		}
	/* The RSTs say so, too, in version 0 ACKs before them: nobody knows which paths still
	 * work.  Not if nothing breaks. */
	conn->fastclose_on_rst = conn->version && conn->peer_key_known &&
				 !mptcp_streams_done(conn);
	if (!best) {
		mptcp_set_state(conn, MPTCP_CLOSED, "aborted");
		mptcp_advance_close(conn, now_us);
		return;
	}
	/* Option A of RFC 8684, section 3.5: on an ACK, until the peer answers with RST. */
	mptcp_set_state(conn, MPTCP_FASTCLOSE_WAIT, "aborted");
	conn->deadline_us[MPTCP_TIMER_FASTCLOSE] = now_us + conn->cfg.fastclose_us;
	conn->deadline_us[MPTCP_TIMER_FASTCLOSE_AGAIN] = now_us;
	conn->deadline_us[MPTCP_TIMER_RTO] = TIMER_NEVER;
}

/* Has the RSTs that will end the connection say so. */
static void fastclose_with_resets(struct mptcp_conn *conn)
{
	/* Version 0 has no MP_FASTCLOSE on a RST: it goes ahead of one (RFC 6824, section
	 * 3.5), unless it was said before and nobody answered. */
	struct mptcp_subflow *sf = conn->version || conn->fastclose_sent ? NULL
									 : fastclose_carrier(conn);

	if (sf)
		sf->fastclose_due = true;
	conn->fastclose_on_rst = conn->version && conn->peer_key_known;
}

void mptcp_give_up(struct mptcp_conn *conn, const char *why)
{
	fastclose_with_resets(conn);
	mptcp_terminate(conn, why);
}

void mptcp_abort_now(struct mptcp_conn *conn, uint64_t now_us)
{
	struct mptcp_subflow *sf;

	if (conn->state == MPTCP_CLOSED)
		return;
	fastclose_with_resets(conn);
	list_for_each(sf, &conn->subflows, link)
		sf->reset_pending = true;
	mptcp_set_state(conn, MPTCP_CLOSED, "aborted");
	mptcp_advance_close(conn, now_us);
}

/* ---- checks ------------------------------------------------------------------- */

void mptcp_check(const struct mptcp_conn *conn)
{
	const struct mptcp_subflow *sf;
	bool sending = false;
	int n = 0;

	assert(seq64_leq(conn->sendq.begin, conn->snd_una + 1));
	assert(seq64_leq(conn->snd_una, conn->snd_nxt + conn->fin_sent));
	assert(seq64_leq(conn->snd_nxt, conn->sendq.end));
	assert(seq64_leq(conn->consumed, conn->rcv_nxt));
	assert(!conn->fin_sent || conn->fin_queued);
	assert(!conn->fin_acked || conn->fin_sent);
	assert(!conn->fin_delivered || conn->fin_known);
	list_for_each(sf, &conn->subflows, link) {
		assert(sf->conn == conn && sf->state != MPTCP_SUBFLOW_DEAD);
		assert(conn->mode != MPTCP_MODE_FALLBACK || !sf->join || sf->reset_pending);
		assert(!stream_len(&sf->held) || conn->failed || conn->joined_once ||
		       sf->reset_pending);
		tcp_check(&sf->tcp);
		if (sf->state == MPTCP_SUBFLOW_ACTIVE)
			sending = true;
		n++;
	}
	assert(n == conn->subflow_count);
	for (int i = 0; i < conn->reinject_count; i++) {
		assert(seq64_lt(conn->reinject[i].begin, conn->reinject[i].end));
		assert(i == 0 || seq64_lt(conn->reinject[i - 1].end, conn->reinject[i].begin));
	}
	/* Not stuck: what is unacknowledged has a timer somewhere. */
	if (conn->mode == MPTCP_MODE_MPTCP && conn->state < MPTCP_TIME_WAIT && sending &&
	    seq64_lt(conn->snd_una, conn->snd_nxt + conn->fin_sent))
		assert(conn->deadline_us[MPTCP_TIMER_RTO] != TIMER_NEVER);
	if (conn->state >= MPTCP_ESTABLISHED && conn->state < MPTCP_TIME_WAIT &&
	    mptcp_orphaned(conn))
		assert(conn->deadline_us[MPTCP_TIMER_ORPHAN] != TIMER_NEVER);
}
