/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A host that runs src/mptcp as its users do: it finds the subflow of each packet,
 * accepts, joins by token, keeps TIME-WAIT entries, pumps the application and keeps
 * the timer.  After every turn it checks the engine's invariants.
 */
#include "sim.h"

#include <stdlib.h>
#include <string.h>

#include "base/seq.h"

#define JOIN_PORT 20000
#define JOIN_TRIES 60
/* Then it is enough: a connection that is left alone must be seen to be. */
#define PRIO_CHANGES 20

struct flow {
	struct list link;
	struct flow_tuple rx;
	struct endpoint *ep;
	struct mptcp_subflow *sf;       /* NULL: in TIME-WAIT */
	struct tcp_timewait tw;
};

static struct flow *flow_find(struct host *h, const struct flow_tuple *rx)
{
	struct flow *f;

	list_for_each(f, &h->flows, link) {
		if (flow_tuple_equal(&f->rx, rx))
			return f;
	}
	return NULL;
}

static void flow_new(struct endpoint *ep, struct mptcp_subflow *sf)
{
	struct flow *f = calloc(1, sizeof(*f));

	f->rx = sf->rx;
	f->ep = ep;
	f->sf = sf;
	sf->owner = f;
	list_push_back(&ep->host->flows, &f->link);
}

static void flow_free(struct flow *f)
{
	list_remove(&f->link);
	free(f);
}

static uint64_t payload_bytes(const struct mptcp_subflow *sf)
{
	return sf->tcp.bytes_acked + sf->tcp.bytes_received;
}

uint64_t host_path_bytes(const struct endpoint *ep, int i)
{
	return ep->past_bytes[i] + (ep->path[i].sf ? payload_bytes(ep->path[i].sf) : 0);
}

/* The engine has let go of `sf`. */
static void flow_end(struct endpoint *ep, struct mptcp_subflow *sf)
{
	struct flow *f = sf->owner;
	uint64_t now = ep->host->sim->now_us;

	for (int i = 0; i < LINK_MAX; i++) {
		if (ep->path[i].sf == sf)
			ep->past_bytes[i] += payload_bytes(sf);
	}
	if (sf->tcp.state == TCP_TIME_WAIT) {
		tcp_timewait_init(&f->tw, &sf->tcp, now);
		f->sf = NULL;
	} else {
		flow_free(f);
	}
	sf->owner = NULL;
}

/* ---- what the engine asks of its surroundings ---------------------------------- */

static void host_random(void *ctx, void *buf, size_t len)
{
	struct host *h = ctx;
	uint8_t *p = buf;

	while (len--)
		*p++ = (uint8_t)rng_next(&h->rng);
}

static bool host_token_usable(void *ctx, uint32_t token)
{
	struct host *h = ctx;

	for (int i = 0; i < CONN_MAX; i++) {
		if (h->ep[i].conn && h->ep[i].conn->local_token == token)
			return false;
	}
	/* Now and then another must be drawn. */
	return token % 16 != 0;
}

static void host_emit(void *ctx, const struct packet_out *out)
{
	struct host *h = ctx;
	struct link *l = run_link(h->run, h->active ? &out->tuple->src.addr : &out->tuple->dst.addr);

	if (l)
		link_emit(&l->dir[h->active ? UP : DOWN], out);
}

bool host_unprotected(const struct mptcp_conn *conn)
{
	return !conn || conn->mode == MPTCP_MODE_FALLBACK || conn->fail_agreed;
}

static void deliver(void *owner, const uint8_t *data, size_t len, bool transient)
{
	struct endpoint *ep = owner;

	ep->app.unprotected = host_unprotected(ep->conn);
	if (!len)
		sim_fail(ep->host->sim, "%s: delivery of nothing", ep->app.name);
	if (!ep->established && !(ep->conn && ep->conn->events & MPTCP_EVENT_ESTABLISHED))
		sim_fail(ep->host->sim, "%s: data before establishment", ep->app.name);
	/* What is to stay valid until the end of the batch is looked at then. */
	if (!transient && ep->held_count < 64) {
		ep->held[ep->held_count].data = data;
		ep->held[ep->held_count].len = len;
		ep->held[ep->held_count].offset = ep->delivered;
		ep->held_count++;
	} else {
		while (ep->held_count) {
			int n = ep->held_count;

			ep->held_count = 0;
			for (int i = 0; i < n; i++)
				app_verify(&ep->app, ep->held[i].offset, ep->held[i].data,
					   ep->held[i].len);
		}
		app_verify(&ep->app, ep->delivered, data, len);
	}
	ep->delivered += len;
}

static void verify_held(struct endpoint *ep)
{
	int n = ep->held_count;

	ep->held_count = 0;
	for (int i = 0; i < n; i++)
		app_verify(&ep->app, ep->held[i].offset, ep->held[i].data, ep->held[i].len);
}

/* ---- one turn of a connection --------------------------------------------------- */

static void end_conn(struct endpoint *ep)
{
	struct mptcp_conn *conn = ep->conn;
	struct mptcp_subflow *sf;

	list_for_each(sf, &conn->subflows, link)
		flow_end(ep, sf);
	sim_note(ep->host->sim, "   %s: connection ends: %s", ep->app.name, conn->close_reason);
	snprintf(ep->close_reason, sizeof(ep->close_reason), "%s", conn->close_reason);
	mptcp_free(conn);
	ep->conn = NULL;
	ep->closed = true;
	ep->closed_us = ep->host->sim->now_us;
	for (int i = 0; i < LINK_MAX; i++)
		ep->path[i].sf = NULL;
	sim_arm(&ep->timer, TIMER_NEVER);
}

static void take_events(struct endpoint *ep)
{
	struct mptcp_conn *conn = ep->conn;
	struct sim *sim = ep->host->sim;
	uint32_t events;

	while ((events = conn->events & ~(uint32_t)(MPTCP_EVENT_CLOSED | MPTCP_EVENT_DEAD))) {
		conn->events &= ~events;
		if (events & MPTCP_EVENT_ESTABLISHED) {
			if (ep->established)
				sim_fail(sim, "%s: established twice", ep->app.name);
			ep->established = true;
			sim_note(sim, "   %s: established", ep->app.name);
			app_start(&ep->app);
		}
		if (events & MPTCP_EVENT_FALLBACK) {
			ep->fell_back = true;
			sim_note(sim, "   %s: fallback", ep->app.name);
		}
		if (events & MPTCP_EVENT_FIN)
			app_eof(&ep->app);
		if (events & MPTCP_EVENT_RESET) {
			ep->was_reset = true;
			app_reset(&ep->app);
		}
		if (events & MPTCP_EVENT_PLAIN_SYN)
			mptcp_abort(conn, sim->now_us);
	}
}

static void pump(struct endpoint *ep)
{
	struct mptcp_conn *conn = ep->conn;
	struct app *a = &ep->app;
	uint64_t now = ep->host->sim->now_us, want, n;
	struct iovec iov[3];

	while ((n = app_want_read(a))) {
		app_read(a, n);
		mptcp_consumed(conn, n, now);
	}
	while ((want = app_want_write(a))) {
		size_t got = 0;
		int pieces;

		if (a->plan.abort_sent != NO_ABORT && a->sent + want > a->plan.abort_sent)
			want = a->plan.abort_sent > a->sent ? a->plan.abort_sent - a->sent : 0;
		if (!want)
			break;
		pieces = mptcp_send_reserve(conn, want, iov, 3);
		for (int i = 0; i < pieces; i++) {
			app_generate(a, iov[i].iov_base, iov[i].iov_len);
			got += iov[i].iov_len;
		}
		if (got > want)
			sim_fail(a->sim, "%s: reserve gave %zu of %llu", a->name, got,
				 (unsigned long long)want);
		if (!pieces)
			break;
		mptcp_send_commit(conn, got);
	}
	if (app_want_shutdown(a)) {
		mptcp_shutdown(conn, now);
		app_did_shutdown(a);
	}
	if (app_want_abort(a)) {
		mptcp_abort(conn, now);
		app_did_abort(a);
	}
}

/* The server's addresses in turn: the first one, and those that it announced. */
static void join_elsewhere(const struct endpoint *ep, int link, struct ip_endpoint *dst)
{
	const struct mptcp_addresses *a = ep->conn->addresses;
	uint32_t skip, known = 0;

	for (unsigned i = 0; a && i < MPTCP_REMOTE_MAX; i++)
		known += a->remote[i].known;
	skip = (ep->path[link].tries + ep->path[link].waits + (uint32_t)link) % (known + 1);
	for (unsigned i = 0; skip && i < MPTCP_REMOTE_MAX; i++) {
		if (!a->remote[i].known || --skip)
			continue;
		dst->addr = a->remote[i].ep.addr;
		if (a->remote[i].ep.port)
			dst->port = a->remote[i].ep.port;
	}
}

static void join(struct endpoint *ep)
{
	struct host *h = ep->host;
	const struct scenario *s = h->run->s;
	struct mptcp_conn *conn = ep->conn;
	struct flow_tuple tx;

	if (!h->active || !ep->established || conn->mode != MPTCP_MODE_MPTCP ||
	    conn->state >= MPTCP_TIME_WAIT)
		return;
	for (int i = 0; i < LINK_MAX; i++) {
		struct mptcp_subflow *sf;

		if (!(scenario_joins(s, ep->index) >> i & 1) || ep->path[i].sf ||
		    ep->path[i].tries >= JOIN_TRIES)
			continue;
		if (!ep->path[i].next_us)
			ep->path[i].next_us = ep->app.started_us + s->join_delay_us;
		if (h->sim->now_us < ep->path[i].next_us)
			continue;
		memset(&tx, 0, sizeof(tx));
		link_client_addr(&tx.src.addr, i, s->v6);
		tx.src.port = h->next_port++;
		link_server_addr(&tx.dst.addr, s->v6);
		tx.dst.port = scenario_server_port(s, ep->index);
		join_elsewhere(ep, i, &tx.dst);
		sf = mptcp_join_active(conn, &tx, (uint8_t)i, s->backup_links >> i & 1,
				       h->sim->now_us);
		if (!sf) {
			/* Not yet, or never: ask ever less often, for a minute. */
			if (++ep->path[i].waits == 100)
				ep->path[i].tries = JOIN_TRIES;
			ep->path[i].next_us = h->sim->now_us + ep->path[i].waits * 10 * MS;
			continue;
		}
		ep->path[i].next_us = h->sim->now_us +
			s->rejoin_delay_us * (ep->path[i].tries < 5 ? ep->path[i].tries + 1 : 5);
		ep->path[i].tries++;
		sim_note(h->sim, "   %s: joins over link %d from port %u", ep->app.name, i,
			 tx.src.port);
		ep->path[i].sf = sf;
		flow_new(ep, sf);
	}
}

/* Addresses that come and go, on the server's side, and priorities, on both. */
static void signal_changes(struct endpoint *ep)
{
	struct host *h = ep->host;
	const struct scenario *s = h->run->s;
	struct mptcp_endpoint list[ENDPOINT_MAX];
	struct mptcp_conn *conn = ep->conn;
	uint64_t now = h->sim->now_us, end;
	struct mptcp_subflow *sf;
	int phase;

	if (!ep->established || conn->mode != MPTCP_MODE_MPTCP || conn->state >= MPTCP_TIME_WAIT)
		return;
	phase = scenario_phase(s, now - ep->app.started_us, &end) + 1;
	if (!h->active && s->endpoints && phase != ep->phase) {
		ep->phase = phase;
		sim_note(h->sim, "   %s: endpoints, phase %d", ep->app.name, phase);
		mptcp_set_endpoints(conn, list, scenario_endpoints(s, phase - 1, list), now);
	}
	if (!s->prio_us || now < ep->prio_next_us || ep->prio_changes == PRIO_CHANGES)
		return;
	ep->prio_changes++;
	sf = list_last(&conn->subflows, struct mptcp_subflow, link);
	if (ep->prio_next_us && sf)
		mptcp_subflow_set_backup(sf, !sf->backup, now);
	ep->prio_next_us = now + s->prio_us;
}

static uint64_t next_change(const struct endpoint *ep)
{
	const struct scenario *s = ep->host->run->s;
	uint64_t next = TIMER_NEVER, end;

	if (!ep->established || ep->conn->mode != MPTCP_MODE_MPTCP ||
	    ep->conn->state >= MPTCP_TIME_WAIT)
		return TIMER_NEVER;
	if (s->prio_us && ep->prio_changes < PRIO_CHANGES)
		next = ep->prio_next_us;
	scenario_phase(s, ep->host->sim->now_us - ep->app.started_us, &end);
	if (!ep->host->active && s->endpoints && end != TIMER_NEVER &&
	    ep->app.started_us + end < next)
		next = ep->app.started_us + end;
	return next;
}

static void reap(struct endpoint *ep)
{
	const struct scenario *s = ep->host->run->s;
	struct mptcp_subflow *sf;

	while ((sf = mptcp_reap(ep->conn))) {
		sim_note(ep->host->sim, "   %s: subflow :%u gone", ep->app.name, sf->rx.dst.port);
		flow_end(ep, sf);
		for (int i = 0; i < LINK_MAX; i++) {
			if (ep->path[i].sf != sf)
				continue;
			ep->path[i].sf = NULL;
			if (!s->rejoin)
				ep->path[i].tries = JOIN_TRIES;
			else if (ep->path[i].next_us < ep->host->sim->now_us + s->rejoin_delay_us)
				ep->path[i].next_us = ep->host->sim->now_us + s->rejoin_delay_us;
		}
		mptcp_subflow_free(sf);
	}
	ep->conn->events &= ~(uint32_t)MPTCP_EVENT_DEAD;
}

static void check(struct endpoint *ep)
{
	const struct mptcp_conn *conn = ep->conn;
	struct sim *sim = ep->host->sim;
	const struct mptcp_subflow *sf;

	if (sim->events % sim->check_every == 0) {
		mptcp_check(conn);
		list_for_each(sf, &conn->subflows, link)
			tcp_check(&sf->tcp);
	}
	if (conn->state < MPTCP_TIME_WAIT && seq64_lt(conn->snd_una, conn->sendq.end) &&
	    mptcp_deadline(conn) == TIMER_NEVER)
		sim_fail(sim, "%s: data to send and no deadline", ep->app.name);
}

static void arm(struct endpoint *ep)
{
	const struct scenario *s = ep->host->run->s;
	uint64_t next = app_next(&ep->app), d = mptcp_deadline(ep->conn);

	if (d < next)
		next = d;
	if (ep->accept_us < next)
		next = ep->accept_us;
	if (next_change(ep) < next)
		next = next_change(ep);
	if (ep->host->active && ep->established && ep->conn->mode == MPTCP_MODE_MPTCP &&
	    ep->conn->state < MPTCP_TIME_WAIT) {
		for (int i = 0; i < LINK_MAX; i++) {
			if (scenario_joins(s, ep->index) >> i & 1 && !ep->path[i].sf &&
			    ep->path[i].tries < JOIN_TRIES && ep->path[i].next_us < next)
				next = ep->path[i].next_us;
		}
	}
	/* A deadline that is always over would spin for ever. */
	if (next <= ep->host->sim->now_us && ++ep->idle_turns > 100)
		sim_fail(ep->host->sim, "%s: the deadline stays in the past (engine %lld us, "
			 "application %lld us)", ep->app.name,
			 (long long)(d - ep->host->sim->now_us),
			 (long long)(app_next(&ep->app) - ep->host->sim->now_us));
	else if (next > ep->host->sim->now_us)
		ep->idle_turns = 0;
	sim_arm(&ep->timer, next);
}

void host_turn(struct endpoint *ep)
{
	struct host *h = ep->host;
	uint64_t now = h->sim->now_us;

	if (!ep->conn)
		return;
	for (int i = 0;; i++) {
		verify_held(ep);
		take_events(ep);
		if (ep->accept_us <= now) {
			ep->accept_us = TIMER_NEVER;
			mptcp_accept(ep->conn, now);
		}
		pump(ep);
		join(ep);
		signal_changes(ep);
		mptcp_output(ep->conn, &h->sink, now);
		reap(ep);
		if (!(ep->conn->events & ~(uint32_t)MPTCP_EVENT_CLOSED))
			break;
		if (i == 100) {
			sim_fail(h->sim, "%s: events without end (%x)", ep->app.name,
				 ep->conn->events);
			return;
		}
	}
	check(ep);
	if (ep->conn->events & MPTCP_EVENT_CLOSED)
		end_conn(ep);
	else
		arm(ep);
}

static void fire(struct sim_timer *t)
{
	struct endpoint *ep = container_of(t, struct endpoint, timer);
	struct host *h = ep->host;
	const struct scenario *s = h->run->s;
	int first = s->first_path[ep->index];
	struct flow_tuple tx;

	if (!ep->conn && h->active && !ep->closed) {
		memset(&tx, 0, sizeof(tx));
		link_client_addr(&tx.src.addr, first, s->v6);
		tx.src.port = (uint16_t)(CLIENT_PORT + ep->index);
		link_server_addr(&tx.dst.addr, s->v6);
		tx.dst.port = scenario_server_port(s, ep->index);
		ep->conn = mptcp_new_active(&h->env, scenario_cfg(s, ep->index, 0), &tx, ep,
					    deliver, h->sim->now_us);
		if (!ep->conn) {
			sim_fail(h->sim, "mptcp_new_active() failed");
			return;
		}
		flow_new(ep, list_first(&ep->conn->subflows, struct mptcp_subflow, link));
		ep->path[first].sf = list_first(&ep->conn->subflows, struct mptcp_subflow, link);
	} else if (ep->conn && mptcp_deadline(ep->conn) <= h->sim->now_us) {
		mptcp_timeout(ep->conn, h->sim->now_us);
	}
	host_turn(ep);
}

/* ---- packets ------------------------------------------------------------------ */

static struct link_dir *way_back(struct host *h, const struct packet *p)
{
	struct link *l = run_link(h->run, h->active ? &p->tuple.dst.addr : &p->tuple.src.addr);

	return &l->dir[h->active ? UP : DOWN];
}

static void passive_open(struct host *h, const struct packet *p)
{
	unsigned index = (unsigned)(p->tuple.src.port - CLIENT_PORT);
	struct endpoint *ep;

	if (index >= CONN_MAX || h->ep[index].conn || h->ep[index].established) {
		link_refuse(way_back(h, p), p);
		return;
	}
	ep = &h->ep[index];
	ep->conn = mptcp_new_passive(&h->env, scenario_cfg(h->run->s, (int)index, 1), p, ep, deliver,
				     h->sim->now_us);
	if (!ep->conn) {
		link_refuse(way_back(h, p), p);
		return;
	}
	ep->closed = false;
	flow_new(ep, list_first(&ep->conn->subflows, struct mptcp_subflow, link));
	ep->accept_us = h->sim->now_us + h->run->s->accept_us;
}

static void passive_join(struct host *h, const struct packet *p)
{
	enum mptcp_reset_reason reason = MPTCP_RST_SPECIFIC;
	struct mptcp_subflow *sf;
	struct packet_sink sink = h->sink;

	for (int i = 0; i < CONN_MAX; i++) {
		struct endpoint *ep = &h->ep[i];

		if (!ep->conn || ep->conn->local_token != p->tcp.mptcp.join.token)
			continue;
		if (mptcp_join_must_wait(ep->conn, h->sim->now_us))
			return;
		sf = mptcp_join_passive(ep->conn, p, h->sim->now_us, &reason);
		if (sf)
			flow_new(ep, sf);
		else
			mptcp_refuse_join(&h->counters, ep->conn->version, p, reason, &sink);
		return;
	}
	/* Whose it was, and so in which version, is not known. */
	mptcp_refuse_join(&h->counters, 0, p, reason, &sink);
}

static void timewait_input(struct host *h, struct flow *f, const struct packet *p)
{
	struct sim_packet *q;
	struct flow_tuple tuple;
	struct tcp_header header;
	size_t ip_len;
	uint8_t options[TCP_OPTIONS_MAX];
	int opt_len;

	switch (tcp_timewait_input(&f->tw, p, h->sim->now_us, h->run->s->cfg[0].tcp.time_wait_us)) {
	case TCP_TIMEWAIT_DROP:
		return;
	case TCP_TIMEWAIT_END:
	case TCP_TIMEWAIT_NEW:
		flow_free(f);
		return;
	case TCP_TIMEWAIT_ACK:
		break;
	}
	memset(&header, 0, sizeof(header));
	tcp_timewait_header(&f->tw, h->sim->now_us, &header);
	flow_tuple_reverse(&tuple, &p->tuple);
	header.src_port = tuple.src.port;
	header.dst_port = tuple.dst.port;
	opt_len = tcp_options_build(options, &header.opt, NULL, 0);
	q = calloc(1, sizeof(*q) + PACKET_HEADER_MAX);
	q->len = packet_build_tcp(q->data, &tuple, &header, options, (size_t)opt_len, 0, 0, 0,
				  &ip_len);
	packet_finish_checksum(q->data, q->len, ip_len, 0);
	link_send_raw(way_back(h, p), q->data, q->len);
	free(q);
}

/* ICMP "too big", checked as RFC 5927 has it; returns the connection's bit. */
static uint32_t too_big(struct host *h, const struct packet *p)
{
	uint32_t headers = ip_addr_is_v4(&p->tuple.src.addr) ? 40 : 60;
	struct flow_tuple rx;
	struct flow *f;

	flow_tuple_reverse(&rx, &p->tuple);
	f = flow_find(h, &rx);
	if (p->icmp_error != ICMP_ERROR_TOO_BIG || !f || !f->sf ||
	    seq32_lt(p->icmp_seq, f->sf->tcp.snd_una) ||
	    seq32_geq(p->icmp_seq, f->sf->tcp.snd_nxt))
		return 0;
	tcp_path_mtu(&f->sf->tcp, (uint16_t)(p->icmp_mtu - headers), h->sim->now_us);
	return 1u << f->ep->index;
}

void host_receive(void *ctx, struct list *batch)
{
	struct host *h = ctx;
	struct sim_packet *sp;
	struct packet p;
	struct flow *f;
	uint32_t touched = 0;

	list_for_each(sp, batch, link) {
		if (packet_parse(sp->data, sp->len, &p))
			continue;
		if (p.kind == PACKET_ICMP_ERROR)
			touched |= too_big(h, &p);
		if (p.kind != PACKET_TCP)
			continue;
		if (!sp->merged && !packet_checksum_ok(&p))
			continue;
		f = flow_find(h, &p.tuple);
		if (f && f->sf) {
			mptcp_input(f->ep->conn, f->sf, &p, h->sim->now_us);
			touched |= 1u << f->ep->index;
		} else if (f) {
			timewait_input(h, f, &p);
		} else if (!h->active && p.tcp.flags & TCP_SYN && !(p.tcp.flags & TCP_ACK) &&
			   p.tcp.mptcp.present & MPOPT_CAPABLE) {
			passive_open(h, &p);
			touched |= 1u << (p.tuple.src.port - CLIENT_PORT) % CONN_MAX;
		} else if (!h->active && p.tcp.flags & TCP_SYN && !(p.tcp.flags & TCP_ACK) &&
			   p.tcp.mptcp.present & MPOPT_JOIN_SYN) {
			passive_join(h, &p);
			touched |= (1u << CONN_MAX) - 1;
		} else {
			link_refuse(way_back(h, &p), &p);
		}
		/* A subflow that died keeps its flow until it is reaped, at the batch's end. */
	}
	for (int i = 0; i < CONN_MAX; i++) {
		if (touched >> i & 1)
			host_turn(&h->ep[i]);
	}
}

/* ---- life ---------------------------------------------------------------------- */

void host_init(struct host *h, struct run *run, bool active)
{
	static const char *const names[2][CONN_MAX] = {
		{ "server", "server 1", "server 2", "server 3", "server 4", "server 5" },
		{ "client", "client 1", "client 2", "client 3", "client 4", "client 5" },
	};
	const struct scenario *s = run->s;

	memset(h, 0, sizeof(*h));
	h->run = run;
	h->sim = &run->sim;
	h->active = active;
	h->next_port = JOIN_PORT;
	h->sink.ctx = h;
	h->sink.emit = host_emit;
	list_init(&h->flows);
	rng_seed(&h->rng, s->seed * 2 + active);
	pool_init(&h->pool, 0, 1 << 20);
	mptcp_env_init(&h->env, &h->counters, &h->pool);
	h->env.ctx = h;
	h->env.random = host_random;
	h->env.token_usable = host_token_usable;
	for (int i = 0; i < CONN_MAX; i++) {
		struct endpoint *ep = &h->ep[i];

		ep->host = h;
		ep->index = i;
		ep->accept_us = TIMER_NEVER;
		sim_timer_init(h->sim, &ep->timer, fire);
		app_init(&ep->app, h->sim, names[active][i], &s->plan[i][!active],
			 rng_mix(s->seed * 8 + (uint64_t)i * 2 + active), run_app(run, active, i));
	}
}

void host_start(struct host *h)
{
	for (int i = 0; i < h->run->s->conn_count; i++)
		sim_arm(&h->ep[i].timer, h->sim->now_us + h->run->s->open_us[i]);
}

void host_fini(struct host *h)
{
	struct flow *f, *tmp;

	for (int i = 0; i < CONN_MAX; i++) {
		if (h->ep[i].conn)
			mptcp_free(h->ep[i].conn);
		sim_arm(&h->ep[i].timer, TIMER_NEVER);
	}
	list_for_each_safe(f, tmp, &h->flows, link)
		flow_free(f);
	if (h->pool.used_bytes)
		sim_fail(h->sim, "%s leaks %zu bytes of its pool", h->active ? "client" : "server",
			 h->pool.used_bytes);
	mptcp_env_fini(&h->env);
	pool_fini(&h->pool);
}
