/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One session's life.
 *
 *	CONNECTING -> HANDSHAKE -> ESTABLISHED -> CLOSING -> DONE
 *	any of them -> ABORTED -> DONE, or straight to DONE
 *
 * With connect-first the client's SYN/ACK waits in CONNECTING, so that a server that
 * refuses is seen to refuse.  With accept-first both handshakes run at once and the
 * session may go from CONNECTING to ESTABLISHED.
 *
 * A session ends when the server's handle is closed and the connection says that
 * nothing more will come of it.  What it waits for is bounded everywhere: connecting
 * by connect_timeout, the client's handshake and every form of its leaving by MPTCP's
 * own deadlines, a server that does not read what a client left behind by
 * SESSION_LINGER_US.
 *
 * A session owns its mptcp_conn, its server handle, its entries in the token table and
 * those flows that its subflows own; when a subflow ends, its flow goes over to the
 * flow table as an old one.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/session.h"

/* Rounds of events and output that one flush does at most. */
#define SESSION_FLUSH_ROUNDS 4

static const char *const state_names[SESSION_STATES] = {
	[SESSION_CONNECTING] = "connecting",
	[SESSION_HANDSHAKE] = "handshake",
	[SESSION_ESTABLISHED] = "established",
	[SESSION_CLOSING] = "closing",
	[SESSION_ABORTED] = "aborted",
	[SESSION_DONE] = "done",
};

const char *session_state_name(enum session_state state)
{
	return state < SESSION_STATES ? state_names[state] : "?";
}

/* One line about the session, with what is in `why`. */
static void log_session(const struct session *s, enum log_level level, const char *what,
			const char *why)
{
	char client[IP_ENDPOINT_STRLEN], server[IP_ENDPOINT_STRLEN];

	if (level > log_threshold)
		return;
	ip_endpoint_format(&s->client, client);
	ip_endpoint_format(&s->server_addr, server);
	log_write(level, "session %llu %s > %s (%s) %s: %s", (unsigned long long)s->id, client,
		  server, s->service, what, why);
}

static void set_half_open(struct session *s, bool half_open)
{
	if (s->half_open == half_open)
		return;
	s->half_open = half_open;
	atomic_fetch_add_explicit(&s->proxy->load->half_open, half_open ? 1u : UINT32_MAX,
				  memory_order_relaxed);
}

/* The only writer of s->state. */
static void set_state(struct session *s, enum session_state state, const char *why)
{
	static const uint8_t allowed[SESSION_STATES] = {
		[SESSION_CONNECTING] = 1u << SESSION_HANDSHAKE | 1u << SESSION_ESTABLISHED |
				       1u << SESSION_ABORTED | 1u << SESSION_DONE,
		[SESSION_HANDSHAKE] = 1u << SESSION_ESTABLISHED | 1u << SESSION_ABORTED |
				      1u << SESSION_DONE,
		[SESSION_ESTABLISHED] = 1u << SESSION_CLOSING | 1u << SESSION_ABORTED |
					1u << SESSION_DONE,
		[SESSION_CLOSING] = 1u << SESSION_ABORTED | 1u << SESSION_DONE,
		[SESSION_ABORTED] = 1u << SESSION_DONE,
	};

	if (s->state == state)
		return;
	assert(allowed[s->state] & 1u << state);
	if (log_threshold >= LOG_LEVEL_DEBUG)
		log_write(LOG_LEVEL_DEBUG, "session %llu: %s > %s (%s)", (unsigned long long)s->id,
			  session_state_name(s->state), session_state_name(state), why);
	if (state == SESSION_DONE)
		counter_inc(s->proxy->counters,
			    s->reset ? CNT_SESSIONS_RESET : CNT_SESSIONS_DONE);
	s->state = state;
	set_half_open(s, state < SESSION_ESTABLISHED);
}

void session_touch(struct session *s)
{
	if (list_empty(&s->dirty))
		list_push_back(&s->proxy->dirty, &s->dirty);
}

static void close_server(struct session *s, bool reset)
{
	if (!s->server)
		return;
	s->proxy->ops->server_close(s->proxy->ops_ctx, s->server, reset);
	s->server = NULL;
	s->server_up = false;
	relay_discard(s);
}

/* ---- flows ------------------------------------------------------------------ */

/* The subflow will not be looked for any more. */
static void release_flow(struct session *s, struct mptcp_subflow *sf, uint64_t now_us)
{
	struct flowtable *flows = &s->proxy->flows;
	struct flow *f = sf->owner;

	if (!f)
		return;
	sf->owner = NULL;
	if (s->forget_flows || !s->accepted)
		proxy_forget_flow(s->proxy, f);
	else if (sf->tcp.state == TCP_TIME_WAIT)
		flowtable_set_timewait(flows, f, &sf->tcp, now_us);
	else
		flowtable_set_closed(flows, f, now_us + SESSION_CLOSED_FLOW_US);
}

static void reap_subflows(struct session *s, uint64_t now_us)
{
	struct mptcp_subflow *sf;

	while ((sf = mptcp_reap(s->conn))) {
		release_flow(s, sf, now_us);
		mptcp_subflow_free(sf);
	}
}

static void forget_token(struct session *s)
{
	struct proxy *proxy = s->proxy;

	if (s->token.session && proxy->ops->token_known)
		proxy->ops->token_known(proxy->ops_ctx, s->token.token, false);
	flowtable_token_remove(&proxy->flows, &s->token);
}

/* No packet and no join will find the connection any more. */
static void detach_conn(struct session *s, uint64_t now_us)
{
	struct mptcp_subflow *sf;

	reap_subflows(s, now_us);
	list_for_each(sf, &s->conn->subflows, link)
		release_flow(s, sf, now_us);
	forget_token(s);
	s->conn_closed = true;
}

static struct mptcp_subflow *first_subflow(const struct session *s)
{
	return list_first(&s->conn->subflows, struct mptcp_subflow, link);
}

/* ---- beginning -------------------------------------------------------------- */

static void copy_syn(struct session *s, const struct packet *p, const uint8_t *data, size_t len)
{
	s->syn_len = (uint8_t)(len < SESSION_SYN_MAX ? len : SESSION_SYN_MAX);
	memcpy(s->syn, data, s->syn_len);
	s->syn_seq = p->tcp.seq;
}

static void free_session(struct session *s)
{
	struct proxy *proxy = s->proxy;

	set_half_open(s, false);
	forget_token(s);
	flowtable_source_put(&proxy->flows, &s->client.addr);
	if (proxy->ops->source_sessions)
		proxy->ops->source_sessions(proxy->ops_ctx, &s->client.addr, -1);
	timer_cancel(&proxy->timers, &s->timer);
	list_remove(&s->dirty);
	endpoints_forget(proxy, s);
	list_remove(&s->link);
	proxy->session_count--;
	atomic_fetch_sub_explicit(&proxy->load->sessions, 1, memory_order_relaxed);
	if (s->conn)
		mptcp_free(s->conn);
	relay_fini(s);
	free(s);
}

static struct session *new_session(struct proxy *proxy, const struct proxy_service *service,
				   const struct packet *p, uint64_t now_us)
{
	struct session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	if (flowtable_source_get(&proxy->flows, &p->tuple.src.addr)) {
		free(s);
		return NULL;
	}
	s->proxy = proxy;
	list_init(&s->dirty);
	timer_node_init(&s->timer);
	s->id = ++proxy->sequence * proxy->workers + proxy->worker;
	s->state = SESSION_CONNECTING;
	memcpy(s->service, service->name, sizeof(s->service));
	s->service[sizeof(s->service) - 1] = 0;
	s->handshake = service->handshake;
	s->client = p->tuple.src;
	s->server_addr = service->upstream_original ? p->tuple.dst : service->upstream;
	s->created_us = now_us;
	s->connect_deadline_us = now_us + proxy->config->connect_timeout_us;
	s->linger_deadline_us = s->retry_us = TIMER_NEVER;
	relay_init(s);
	list_push_back(&proxy->sessions, &s->link);
	proxy->session_count++;
	atomic_fetch_add_explicit(&proxy->load->sessions, 1, memory_order_relaxed);
	if (proxy->ops->source_sessions)
		proxy->ops->source_sessions(proxy->ops_ctx, &s->client.addr, 1);
	set_half_open(s, true);
	return s;
}

/* Segments fit the route to the client, of each path its own. */
static void heed_route(struct session *s, struct mptcp_subflow *sf, uint64_t now_us)
{
	const struct ip_addr *to = &sf->rx.src.addr;
	uint32_t headers = (ip_addr_is_v4(to) ? 20u : 40u) + TCP_HEADER_MIN, mtu;

	if (!s->proxy->ops->route_mtu)
		return;
	mtu = s->proxy->ops->route_mtu(s->proxy->ops_ctx, to);
	if (mtu > PACKET_MAX)
		mtu = PACKET_MAX;
	if (mtu > headers)
		tcp_route_mtu(&sf->tcp, (uint16_t)(mtu - headers), now_us);
}

int session_begin(struct proxy *proxy, const struct proxy_service *service,
		  const struct packet *p, const uint8_t *data, size_t len,
		  const struct mptcp_drawn *drawn, uint64_t now_us)
{
	struct mptcp_subflow *sf;
	struct flow *f = NULL;
	struct session *s;
	int err = -ENOMEM;

	s = new_session(proxy, service, p, now_us);
	if (!s)
		return -ENOMEM;
	if (data)
		copy_syn(s, p, data, len);
	s->conn = mptcp_new_passive_drawn(&proxy->env, &service->mptcp, p, drawn, s,
					  relay_deliver, now_us);
	if (!s->conn) {
		err = -EPROTO;
		goto fail;
	}
	err = flowtable_token_add(&proxy->flows, &s->token, s->conn->local_token, s);
	if (err)
		goto fail;
	if (proxy->ops->token_known)
		proxy->ops->token_known(proxy->ops_ctx, s->token.token, true);
	err = -ENOMEM;
	f = flowtable_add(&proxy->flows, &p->tuple, s);
	if (!f)
		goto fail;
	err = proxy->ops->server_open(proxy->ops_ctx, s,
				      service->source == PROXY_SOURCE_CLIENT ? &s->client : NULL,
				      &s->server_addr, &s->server);
	if (err)
		goto fail;
	sf = first_subflow(s);
	f->sf = sf;
	sf->owner = f;
	heed_route(s, sf, now_us);
	if (drawn || s->handshake == PROXY_ACCEPT_FIRST) {
		s->accepted = true;
		if (drawn)
			mptcp_accept_sent(s->conn);
		else
			mptcp_accept(s->conn, now_us);
	}
	counter_inc(proxy->counters, CNT_SESSIONS);
	log_session(s, LOG_LEVEL_DEBUG, "begins", mptcp_state_name(s->conn->state));
	session_touch(s);
	return 0;
fail:
	s->server = NULL;
	/* The caller passes the SYN on, which forgets the flow. */
	if (f)
		flowtable_remove(&proxy->flows, f);
	free_session(s);
	return err;
}

void session_join(struct session *s, const struct packet *p, uint64_t now_us)
{
	struct proxy *proxy = s->proxy;
	enum mptcp_reset_reason reason = MPTCP_RST_RESOURCES;
	struct mptcp_subflow *sf = NULL;
	struct flow *f;

	if (mptcp_join_must_wait(s->conn, now_us))
		return;
	f = flowtable_add(&proxy->flows, &p->tuple, s);
	session_touch(s);
	if (f)
		sf = mptcp_join_passive(s->conn, p, now_us, &reason);
	if (sf) {
		f->sf = sf;
		sf->owner = f;
		heed_route(s, sf, now_us);
		return;
	}
	mptcp_refuse_join(proxy->counters, s->conn->version, p, reason, proxy->sink);
	/* Stray packets of this client must not meet the server's own connection. */
	if (f)
		flowtable_set_closed(&proxy->flows, f, now_us + SESSION_CLOSED_FLOW_US);
}

/* ---- ending ----------------------------------------------------------------- */

/* Before anything was promised to the client: nothing is left of the session. */
static void withdraw(struct session *s, const char *why, uint64_t now_us)
{
	close_server(s, true);
	s->reset = true;
	detach_conn(s, now_us);
	log_session(s, LOG_LEVEL_INFO, "given up", why);
	set_state(s, SESSION_DONE, why);
	session_touch(s);
}

/* Resets both sides; the client's may take a while. */
static void abort_session(struct session *s, const char *why, uint64_t now_us)
{
	if (s->state >= SESSION_ABORTED)
		return;
	s->reset = true;
	s->aborted = why;
	close_server(s, true);
	relay_discard(s);
	set_state(s, SESSION_ABORTED, why);
	if (!s->conn_closed)
		mptcp_abort(s->conn, now_us);
	session_touch(s);
}

/* Tells the client, to which nothing was sent yet, what the server's side told us. */
static void refuse_client(struct session *s, int error)
{
	struct proxy *proxy = s->proxy;
	enum icmp_error code = ICMP_ERROR_HOST_UNREACHABLE;
	const struct mptcp_subflow *sf = first_subflow(s);
	uint8_t icmp[1280];
	int len;

	if (!sf)
		return;
	switch (error) {
	case ECONNREFUSED:
	case ECONNRESET: {
		struct packet syn = { .kind = PACKET_TCP, .tuple = sf->rx };
		struct tcp_header h = { .flags = 0 };

		syn.tcp.flags = TCP_SYN;
		syn.tcp.seq = s->syn_seq;
		if (tcp_reset_for(&syn, &h))
			proxy_emit_answer(proxy, &sf->rx, &h);
		return;
	}
	case ENETUNREACH:
		code = ICMP_ERROR_NET_UNREACHABLE;
		break;
	case EACCES:
	case EPERM:
		code = ICMP_ERROR_ADMIN_PROHIBITED;
		break;
	case EHOSTUNREACH:
	case EHOSTDOWN:
		break;
	default:
		/* A time-out, or something about this machine: silence, and the client tries
		 * again. */
		return;
	}
	len = packet_build_unreachable(icmp, s->syn, s->syn_len, code);
	if (len > 0)
		proxy->ops->emit_raw(proxy->ops_ctx, icmp, (size_t)len);
}

static void connect_failed(struct session *s, int error, uint64_t now_us)
{
	struct counters *counters = s->proxy->counters;
	const char *why = "server unreachable";

	switch (error) {
	case ECONNREFUSED:
	case ECONNRESET:
		counter_inc(counters, CNT_SERVER_REFUSED);
		why = "server refused";
		break;
	case ETIMEDOUT:
		counter_inc(counters, CNT_SERVER_TIMEOUT);
		why = "server silent";
		break;
	case EADDRINUSE:
	case EADDRNOTAVAIL:
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		counter_inc(counters, CNT_SHED_FILES);
		why = "no socket";
		break;
	default:
		counter_inc(counters, CNT_SERVER_UNREACHABLE);
		break;
	}
	if (s->accepted) {
		abort_session(s, why, now_us);
		return;
	}
	refuse_client(s, error);
	withdraw(s, why, now_us);
}

void session_kill(struct session *s, const char *why, uint64_t now_us)
{
	if (s->state != SESSION_DONE)
		abort_session(s, why, now_us);
	log_session(s, LOG_LEVEL_INFO, "reset", why);
	close_server(s, true);
	if (!s->conn_closed) {
		mptcp_abort_now(s->conn, now_us);
		/* Who waits for the server is not refused in its place: the next SYN passes. */
		if (s->accepted)
			mptcp_output(s->conn, s->proxy->sink, now_us);
		detach_conn(s, now_us);
	}
	set_state(s, SESSION_DONE, why);
	free_session(s);
}

/* ---- input ------------------------------------------------------------------ */

enum proxy_verdict session_packet(struct session *s, struct mptcp_subflow *sf,
				  const struct packet *p, uint64_t now_us)
{
	session_touch(s);
	mptcp_input(s->conn, sf, p, now_us);
	if (!(s->conn->events & MPTCP_EVENT_PLAIN_SYN))
		return PROXY_TAKE;
	/* This attempt is to reach the server as if we had never been here.  The verdict
	 * forgets the packet's own flow. */
	counter_inc(s->proxy->counters, CNT_STEP_ASIDE_PLAIN_SYN);
	flowtable_remove(&s->proxy->flows, sf->owner);
	sf->owner = NULL;
	s->forget_flows = true;
	withdraw(s, "client retried without MPTCP", now_us);
	return PROXY_PASS;
}

void proxy_server_connected(struct session *s, int error, uint64_t now_us)
{
	if (s->state != SESSION_CONNECTING || s->server_up)
		return;
	session_touch(s);
	if (error) {
		connect_failed(s, error, now_us);
		return;
	}
	s->server_up = true;
	if (s->client_up) {
		set_state(s, SESSION_ESTABLISHED, "server connected");
		return;
	}
	set_state(s, SESSION_HANDSHAKE, "server connected");
	if (!s->accepted) {
		s->accepted = true;
		mptcp_accept(s->conn, now_us);
	}
}

void proxy_server_ready(struct session *s, bool readable, bool writable, uint64_t now_us)
{
	uint64_t before = s->bytes_to_server;

	if (!s->server || !s->server_up)
		return;
	session_touch(s);
	if (writable)
		relay_write_overflow(s);
	if (s->conn_closed && s->bytes_to_server != before)
		s->linger_deadline_us = now_us + SESSION_LINGER_US;
	if (readable)
		relay_read(s, now_us);
}

void proxy_server_lost(struct session *s)
{
	s->server_lost = true;
	session_touch(s);
}

void session_timeout(struct session *s, uint64_t now_us)
{
	session_touch(s);
	if (s->state == SESSION_DONE)
		return;
	if (s->state == SESSION_CONNECTING && now_us >= s->connect_deadline_us) {
		connect_failed(s, ETIMEDOUT, now_us);
		return;
	}
	if (now_us >= s->linger_deadline_us) {
		abort_session(s, "server does not read", now_us);
		return;
	}
	if (now_us >= s->retry_us) {
		s->retry_us = TIMER_NEVER;
		s->read_blocked = false;
	}
	if (!s->conn_closed && mptcp_deadline(s->conn) <= now_us)
		mptcp_timeout(s->conn, now_us);
}

/* ---- flush ------------------------------------------------------------------ */

/* The connection is over: the server may still have to take the rest. */
static void conn_ended(struct session *s, uint64_t now_us)
{
	bool complete = s->client_fin && s->server_eof && !s->reset;

	detach_conn(s, now_us);
	if (complete) {
		s->linger_deadline_us = now_us + SESSION_LINGER_US;
		return;
	}
	abort_session(s, s->conn->close_reason, now_us);
}

/* What was broken once is left alone from now on. */
static void note_robbed(struct session *s, uint64_t now_us)
{
	struct proxy *proxy = s->proxy;
	char text[IP_ADDR_STRLEN];

	counter_inc(proxy->counters, CNT_ROBBED);
	if (!robbed_knows(&proxy->load->robbed, &s->conn->robbed_addr, now_us))
		log_info("options of %s get lost on the way: its new connections pass for %u minutes",
			 ip_addr_format(&s->conn->robbed_addr, text),
			 (unsigned)(ROBBED_KEEP_US / 60000000u));
	robbed_note(&proxy->load->robbed, &s->conn->robbed_addr, now_us);
}

static void take_events(struct session *s, uint64_t now_us)
{
	uint32_t events = s->conn->events;

	s->conn->events = 0;
	if (events & MPTCP_EVENT_FALLBACK)
		log_session(s, LOG_LEVEL_DEBUG, "falls back", "plain TCP");
	if (events & MPTCP_EVENT_ROBBED)
		note_robbed(s, now_us);
	if (events & MPTCP_EVENT_SENDABLE)
		s->read_blocked = false;
	if (events & MPTCP_EVENT_ESTABLISHED) {
		s->client_up = true;
		session_tell_endpoints(s, now_us);
		if (s->state == SESSION_HANDSHAKE)
			set_state(s, SESSION_ESTABLISHED, "client accepted");
	}
	if (events & MPTCP_EVENT_FIN)
		s->client_fin = true;
	if ((events & MPTCP_EVENT_RESET) && s->state < SESSION_ABORTED) {
		s->reset = true;
		close_server(s, true);
		relay_discard(s);
		set_state(s, SESSION_ABORTED, s->conn->close_reason);
	}
	if (events & MPTCP_EVENT_CLOSED)
		conn_ended(s, now_us);
}

/* Passes the end of each stream on, and the end of both. */
static void advance_close(struct session *s)
{
	struct proxy *proxy = s->proxy;

	if (s->state == SESSION_ESTABLISHED && (s->client_fin || s->server_eof))
		set_state(s, SESSION_CLOSING, s->client_fin ? "client's FIN" : "server's FIN");
	if (s->client_fin && !s->server_shut && s->server_up && relay_drained(s)) {
		/* Otherwise it is closed right away. */
		if (!s->server_eof)
			proxy->ops->server_shutdown(proxy->ops_ctx, s->server);
		s->server_shut = true;
	}
	if (s->server && s->server_shut && s->server_eof)
		close_server(s, false);
	if (s->server || !s->conn_closed || s->state == SESSION_DONE)
		return;
	if (log_threshold >= LOG_LEVEL_INFO) {
		char text[96];

		snprintf(text, sizeof(text), "%s, %llu bytes to server, %llu to client, %u subflow%s",
			 s->aborted ? s->aborted : s->conn->close_reason,
			 (unsigned long long)s->bytes_to_server,
			 (unsigned long long)s->bytes_to_client, s->conn->subflows_total,
			 s->conn->subflows_total == 1 ? "" : "s");
		log_session(s, LOG_LEVEL_INFO, s->reset ? "reset" : "done", text);
	}
	set_state(s, SESSION_DONE, "both sides closed");
}

/* The server is gone, which a write may have been told of before its last words were read.  They
 * go ahead of the reset, as without us: a server says there why it does not read on. */
static void end_for_server(struct session *s, uint64_t now_us)
{
	if (s->server_error == ENOMEM) {
		abort_session(s, "out of memory", now_us);
		return;
	}
	relay_read(s, now_us);
	mptcp_output(s->conn, s->proxy->sink, now_us);
	abort_session(s, "server's reset", now_us);
}

/* A server that failed after its stream ended: who waits for nothing but to send is told, who still
 * takes that stream first gets all of it, and who has ended its own misses nothing. */
static bool lost_for_client(const struct session *s)
{
	return s->server_lost && s->conn->fin_acked && !s->client_fin;
}

static void flush_conn(struct session *s, uint64_t now_us)
{
	for (int round = 0; round < SESSION_FLUSH_ROUNDS; round++) {
		relay_write_pending(s);
		if (s->server_error && s->state < SESSION_ABORTED)
			end_for_server(s, now_us);
		if (s->consumed) {
			mptcp_consumed(s->conn, s->consumed, now_us);
			s->consumed = 0;
		}
		take_events(s, now_us);
		if (s->conn_closed)
			return;
		if (lost_for_client(s))
			abort_session(s, "server's reset", now_us);
		mptcp_output(s->conn, s->proxy->sink, now_us);
		if (!(s->conn->events & ~(uint32_t)MPTCP_EVENT_DEAD))
			break;
	}
	if (s->conn->events & ~(uint32_t)MPTCP_EVENT_DEAD)
		session_touch(s);
	reap_subflows(s, now_us);
}

static uint64_t session_deadline(const struct session *s)
{
	uint64_t t = s->linger_deadline_us < s->retry_us ? s->linger_deadline_us : s->retry_us;

	if (s->state == SESSION_CONNECTING && s->connect_deadline_us < t)
		t = s->connect_deadline_us;
	if (!s->conn_closed && mptcp_deadline(s->conn) < t)
		t = mptcp_deadline(s->conn);
	return t;
}

void session_flush(struct session *s, uint64_t now_us)
{
	if (!s->conn_closed)
		flush_conn(s, now_us);
	else if (s->server_error)
		abort_session(s, "server's reset", now_us);
	advance_close(s);
	if (s->state == SESSION_DONE) {
		free_session(s);
		return;
	}
	relay_update_want(s);
	/* Without room in the heap the session is looked at in each turn. */
	if (timer_set(&s->proxy->timers, &s->timer, session_deadline(s)))
		session_touch(s);
}
