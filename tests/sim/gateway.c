/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The gateway: src/proxy between the links and servers that are made of two bounded
 * pipes and an application each.
 *
 * A pipe holds no bytes: what goes in is verified at once, and what comes out is
 * generated from the stream's seed, so that a count of bytes is all there is to keep.
 *
 * The proxy may have several workers, each with a share of the tuples.  Messages between
 * them take no time, but wait until the batch in which they were sent is flushed.
 */
#include "sim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/session.h"

#define TURN_US 5

static void wake(struct gateway *g, uint64_t when)
{
	if (g->timer.node.slot == 0 || when < g->timer.node.deadline_us)
		sim_arm(&g->timer, when);
}

struct mail {
	struct list link;
	struct proxy_message m;
	uint8_t data[];
};

/* The workers' proxies have themselves as the context of struct proxy_ops. */
static struct gateway *gateway_of(void *ctx)
{
	return ((struct sim_worker *)ctx)->gateway;
}

/* ---- struct proxy_ops ----------------------------------------------------------- */

static int op_server_open(void *ctx, struct session *session, const struct ip_endpoint *from,
			  const struct ip_endpoint *to, void **server)
{
	struct gateway *g = gateway_of(ctx);
	const struct scenario *s = g->run->s;
	struct ip_addr want;
	struct server *sv;
	unsigned index;

	link_server_addr(&want, s->v6);
	index = from ? from->port - CLIENT_PORT : CONN_MAX;
	if (index >= CONN_MAX || !ip_addr_equal(&to->addr, &want) ||
	    to->port != scenario_server_port(s, (int)index)) {
		sim_fail(g->sim, "server connection to or from a wrong address");
		return -EINVAL;
	}
	sv = &g->server[index];
	if (sv->open) {
		sim_fail(g->sim, "second server connection for one client");
		return -EADDRINUSE;
	}
	if (s->server[index].kind == SERVER_NO_FILES)
		return -EMFILE;
	if (sv->app.started) {
		/* The client's port is new to the server only once. */
		return -EADDRNOTAVAIL;
	}
	sim_note(g->sim, "   gateway: opens server connection %u", index);
	g->opened++;
	sv->session = session;
	sv->open = true;
	sv->connected = sv->announced = false;
	sv->error = 0;
	sv->connect_at_us = s->server[index].kind == SERVER_SILENT ? TIMER_NEVER :
			    g->sim->now_us + s->server[index].connect_us;
	*server = sv;
	wake(g, sv->connect_at_us);
	return 0;
}

static uint64_t pipe_limit(struct server *sv)
{
	const struct server_plan *plan = &sv->gateway->run->s->server[sv->index];

	return plan->pipe_bytes;
}

/* How much of `want` one call moves. */
static uint64_t some(struct server *sv, uint64_t want)
{
	struct gateway *g = sv->gateway;

	if (want > 1 && g->run->s->server[sv->index].short_io && rng_percent(&g->sim->rng, 40))
		return rng_range(&g->sim->rng, 1, want);
	return want;
}

static ssize_t op_writev(void *ctx, void *server, const struct iovec *iov, int n)
{
	struct gateway *g = gateway_of(ctx);
	struct server *sv = server;
	uint64_t room, done = 0;

	if (!sv->open || !sv->connected || sv->fin_in) {
		sim_fail(g->sim, "gateway: write to a server connection that is not open");
		return -EBADF;
	}
	if (sv->error)
		return -sv->error;
	room = pipe_limit(sv) - sv->in_fill;
	if (!room)
		return -EAGAIN;
	room = some(sv, room);
	for (int i = 0; i < n && room; i++) {
		size_t len = iov[i].iov_len < room ? iov[i].iov_len : room;

		sv->app.unprotected |= host_unprotected(sv->session->conn);
		app_verify(&sv->app, sv->app.received, iov[i].iov_base, len);
		room -= len;
		done += len;
	}
	sv->in_fill += done;
	wake(g, g->sim->now_us);
	return (ssize_t)done;
}

static ssize_t op_readv(void *ctx, void *server, const struct iovec *iov, int n)
{
	struct gateway *g = gateway_of(ctx);
	struct server *sv = server;
	struct app copy;
	uint64_t want = 0, done = 0;

	if (!sv->open || !sv->connected) {
		sim_fail(g->sim, "gateway: read of a server connection that is not open");
		return -EBADF;
	}
	if (sv->error)
		return -sv->error;
	if (!sv->out_fill)
		return sv->app.shut ? 0 : -EAGAIN;
	for (int i = 0; i < n; i++)
		want += iov[i].iov_len;
	if (!want) {
		sim_fail(g->sim, "gateway: read of nothing");
		return 0;
	}
	want = some(sv, want < sv->out_fill ? want : sv->out_fill);
	/* A copy of the application says those bytes once more. */
	copy = sv->app;
	copy.sent = sv->out_offset;
	copy.plan.write_gap_us = 0;
	for (int i = 0; i < n && want; i++) {
		size_t len = iov[i].iov_len < want ? iov[i].iov_len : want;

		app_generate(&copy, iov[i].iov_base, len);
		want -= len;
		done += len;
	}
	sv->out_offset += done;
	sv->out_fill -= done;
	wake(g, g->sim->now_us);
	return (ssize_t)done;
}

static void op_want(void *ctx, void *server, bool readable, bool writable)
{
	struct gateway *g = gateway_of(ctx);
	struct server *sv = server;

	sv->want_read = readable;
	sv->want_write = writable;
	wake(g, g->sim->now_us);
}

static void op_shutdown(void *ctx, void *server)
{
	struct gateway *g = gateway_of(ctx);
	struct server *sv = server;

	if (!sv->open || sv->fin_in) {
		sim_fail(g->sim, "gateway: shutdown of a closed server connection");
		return;
	}
	sv->fin_in = true;
	if (!sv->error)
		app_eof(&sv->app);
	wake(g, g->sim->now_us);
}

static void op_close(void *ctx, void *server, bool reset)
{
	struct gateway *g = gateway_of(ctx);
	struct server *sv = server;

	if (!sv->open) {
		sim_fail(g->sim, "gateway: server connection closed twice");
		return;
	}
	sim_note(g->sim, "   gateway: closes server connection %d%s", sv->index,
		 reset ? " with a reset" : "");
	sv->open = false;
	sv->session = NULL;
	if (sv->connected && !sv->error) {
		if (reset)
			app_reset(&sv->app);
		else if (!sv->fin_in)
			app_eof(&sv->app);
		else if (!sv->app.shut)
			app_reset(&sv->app);    /* what it still sends meets no one */
	}
	sv->dead = sv->app.started;
}

static void op_forget(void *ctx, const struct flow_tuple *tuple)
{
	(void)ctx;
	(void)tuple;
}

static void op_emit_raw(void *ctx, const uint8_t *data, size_t len)
{
	struct gateway *g = gateway_of(ctx);

	/* To the client's address it goes; hosts here do not listen to ICMP. */
	sim_hash(g->sim, data, len);
	sim_note(g->sim, "   gateway: emits an ICMP error of %zu bytes", len);
}

static void op_random(void *ctx, void *buf, size_t len)
{
	struct gateway *g = gateway_of(ctx);
	uint8_t *p = buf;

	while (len--)
		*p++ = (uint8_t)rng_next(&g->rng);
}

static bool op_send(void *ctx, uint16_t to, const struct proxy_message *m)
{
	struct gateway *g = gateway_of(ctx);
	struct mail *mail;

	/* As if there were no room. */
	if (m->kind == PROXY_MESSAGE_PACKET && !g->run->s->quiet && rng_percent(&g->rng, 1))
		return false;
	mail = malloc(sizeof(*mail) + m->len);
	mail->m = *m;
	if (m->len)
		memcpy(mail->data, m->data, m->len);
	mail->m.data = mail->data;
	list_push_back(&g->worker[to].inbox, &mail->link);
	return true;
}

static void op_token_known(void *ctx, uint32_t token, bool known)
{
	struct sim_worker *w = ctx;

	for (int i = 0; i < CONN_MAX; i++) {
		if (w->token[i] == (known ? 0 : token)) {
			w->token[i] = known ? token : 0;
			return;
		}
	}
	sim_fail(w->gateway->sim, "a token is forgotten that was not known, or there are too many");
}

static bool op_token_elsewhere(void *ctx, uint16_t worker, uint32_t token)
{
	struct gateway *g = gateway_of(ctx);

	for (int i = 0; i < CONN_MAX; i++) {
		if (g->worker[worker].token[i] == token)
			return true;
	}
	return false;
}

static const struct proxy_ops ops = {
	.server_open = op_server_open,
	.server_writev = op_writev,
	.server_readv = op_readv,
	.server_want = op_want,
	.server_shutdown = op_shutdown,
	.server_close = op_close,
	.flow_forget = op_forget,
	.emit_raw = op_emit_raw,
	.random = op_random,
	.send = op_send,
	.token_known = op_token_known,
	.token_elsewhere = op_token_elsewhere,
};

static void emit(void *ctx, const struct packet_out *out)
{
	struct gateway *g = ctx;
	struct link *l = run_link(g->run, &out->tuple->dst.addr);

	if (l)
		link_emit(&l->dir[DOWN], out);
}

/* ---- the servers' applications ---------------------------------------------------- */

static void server_pump(struct server *sv)
{
	struct app *a = &sv->app;
	uint64_t n, room;

	if (!sv->open || !sv->connected || sv->error)
		return;
	while ((n = app_want_read(a))) {
		if (n > sv->in_fill)
			n = sv->in_fill;
		if (!n)
			break;
		app_read(a, n);
		sv->in_fill -= n;
	}
	while ((n = app_want_write(a)) && (room = pipe_limit(sv) - sv->out_fill)) {
		uint8_t scratch[4096];

		n = n < room ? n : room;
		n = n < sizeof(scratch) ? n : sizeof(scratch);
		if (a->plan.abort_sent != NO_ABORT && a->sent + n > a->plan.abort_sent)
			n = a->plan.abort_sent > a->sent ? a->plan.abort_sent - a->sent : 0;
		if (!n)
			break;
		app_generate(a, scratch, n);
		sv->out_fill += n;
	}
	if (app_want_shutdown(a))
		app_did_shutdown(a);
	if (app_want_abort(a)) {
		app_did_abort(a);
		sv->error = ECONNRESET;
		sv->out_fill = 0;
	}
}

static bool server_readable(const struct server *sv)
{
	return sv->open && sv->connected && sv->want_read &&
	       (sv->out_fill || sv->app.shut || sv->error);
}

static bool server_writable(const struct server *sv)
{
	const struct server_plan *plan = &sv->gateway->run->s->server[sv->index];

	return sv->open && sv->connected && sv->want_write &&
	       (sv->in_fill < plan->pipe_bytes || sv->error);
}

/* ---- turns of the loop ------------------------------------------------------------ */

/* What a connection delivers now may wait for room at its server until the connection is another:
 * the bytes are as they were. */
static void note_unprotected(struct gateway *g)
{
	for (int i = 0; i < CONN_MAX; i++) {
		struct server *sv = &g->server[i];

		if (sv->open)
			sv->app.unprotected |= host_unprotected(sv->session->conn);
	}
}

/* Delivers what workers have sent each other, and what follows from that. */
static void deliver_mail(struct gateway *g)
{
	for (bool any = true; any;) {
		any = false;
		for (int i = 0; i < g->workers; i++) {
			struct sim_worker *w = &g->worker[i];
			struct list box;
			struct mail *mail, *next;

			if (list_empty(&w->inbox))
				continue;
			any = true;
			list_init(&box);
			list_insert_after(&w->inbox, &box);
			list_remove(&w->inbox);
			list_for_each(mail, &box, link)
				proxy_message(w->proxy, &mail->m, g->sim->now_us);
			note_unprotected(g);
			proxy_flush(w->proxy, g->sim->now_us);
			list_for_each_safe(mail, next, &box, link)
				free(mail);
		}
	}
}

static uint64_t flush_workers(struct gateway *g)
{
	uint64_t now_us = g->sim->now_us, next = TIMER_NEVER;

	for (int i = 0; i < g->workers; i++) {
		struct proxy *proxy = g->worker[i].proxy;

		if (proxy_deadline(proxy) <= now_us)
			proxy_timeout(proxy, now_us);
		proxy_flush(proxy, now_us);
	}
	deliver_mail(g);
	for (int i = 0; i < g->workers; i++) {
		if (proxy_deadline(g->worker[i].proxy) < next)
			next = proxy_deadline(g->worker[i].proxy);
	}
	return next;
}

/* The first endpoint's address is gone for a while, for all connections at once. */
static void set_absent(struct gateway *g)
{
	const struct scenario *s = g->run->s;
	int phase = scenario_phase(s, g->sim->now_us - g->began_us, &g->phase_end_us);

	if (g->phase_end_us != TIMER_NEVER)
		g->phase_end_us += g->began_us;
	if (!s->endpoints || phase == g->phase)
		return;
	sim_note(g->sim, "   gateway: endpoints, phase %d", phase);
	g->phase = phase;
	for (int i = 0; i < g->workers; i++)
		proxy_set_absent(g->worker[i].proxy, phase == 1);
}

static void turn(struct gateway *g)
{
	struct sim *sim = g->sim;
	uint64_t next;

	if (!g->workers)
		return;
	for (int i = 0; i < CONN_MAX; i++) {
		struct server *sv = &g->server[i];

		if (sv->open && !sv->announced && sv->connect_at_us <= sim->now_us) {
			static const int errors[] = {
				[SERVER_REFUSES] = ECONNREFUSED,
				[SERVER_UNREACHABLE] = EHOSTUNREACH,
				[SERVER_NO_FILES] = 0,
			};
			int error = errors[g->run->s->server[i].kind];

			sv->announced = true;
			sv->connected = !error;
			if (!error)
				app_start(&sv->app);
			proxy_server_connected(sv->session, error, sim->now_us);
		}
		server_pump(sv);
	}
	for (int i = 0; i < CONN_MAX; i++) {
		struct server *sv = &g->server[i];
		bool r = server_readable(sv), w = server_writable(sv);

		if (r || w)
			proxy_server_ready(sv->session, r, w, sim->now_us);
	}
	set_absent(g);
	next = flush_workers(g);
	if (next <= sim->now_us)
		next = sim->now_us + 1;
	if (g->stop_us < next)
		next = g->stop_us;
	if (g->phase_end_us < next)
		next = g->phase_end_us;
	for (int i = 0; i < CONN_MAX; i++) {
		struct server *sv = &g->server[i];
		uint64_t at;

		if (!sv->open)
			continue;
		server_pump(sv);
		if (!sv->announced && sv->connect_at_us < next)
			next = sv->connect_at_us;
		if (sv->connected && !sv->error && (at = app_next(&sv->app)) < next)
			next = at;
		if ((server_readable(sv) || server_writable(sv)) && sim->now_us + TURN_US < next)
			next = sim->now_us + TURN_US;
	}
	sim_arm(&g->timer, next);
}

static void free_workers(struct gateway *g)
{
	struct mail *mail, *next;

	for (int i = 0; i < g->workers; i++)
		proxy_free(g->worker[i].proxy, g->sim->now_us);
	for (int i = 0; i < g->workers; i++) {
		list_for_each_safe(mail, next, &g->worker[i].inbox, link)
			free(mail);
	}
	g->workers = 0;
}

static void fire(struct sim_timer *t)
{
	struct gateway *g = container_of(t, struct gateway, timer);

	if (g->workers && g->sim->now_us >= g->stop_us) {
		sim_note(g->sim, "   gateway: stops");
		free_workers(g);
		for (int i = 0; i < CONN_MAX; i++) {
			if (g->server[i].open)
				sim_fail(g->sim, "proxy_free() left a server connection open");
		}
		return;
	}
	turn(g);
}

/* With which worker a packet comes in.  The rules go by the client's end, which an ICMP error
 * quotes as the destination. */
static struct proxy *lander(struct gateway *g, const struct sim_packet *sp)
{
	const struct ip_endpoint *client;
	struct packet p;

	if (!g->workers)
		return NULL;
	if (packet_parse(sp->data, sp->len, &p) || p.kind == PACKET_OTHER)
		return g->worker[0].proxy;
	client = p.kind == PACKET_TCP ? &p.tuple.src : &p.tuple.dst;
	return g->worker[(client->port + client->addr.b[15]) % g->workers].proxy;
}

void gateway_receive(void *ctx, struct list *batch)
{
	struct gateway *g = ctx;
	struct sim_packet *sp;
	struct packet p;

	list_for_each(sp, batch, link) {
		struct proxy *proxy = lander(g, sp);

		if (proxy && proxy_packet(proxy, sp->data, sp->len, sp->merged,
					  g->sim->now_us) == PROXY_TAKE) {
			note_unprotected(g);
			continue;
		}
		/* The server behind knows nothing of it. */
		if (packet_parse(sp->data, sp->len, &p) || p.kind != PACKET_TCP ||
		    (!sp->merged && !packet_checksum_ok(&p)))
			continue;
		sim_note(g->sim, "   gateway: passes a packet from :%u on", p.tuple.src.port);
		link_refuse(&run_link(g->run, &p.tuple.src.addr)->dir[DOWN], &p);
	}
	turn(g);
}

bool gateway_done(const struct gateway *g)
{
	for (int i = 0; i < CONN_MAX; i++) {
		if (g->server[i].open)
			return false;
	}
	for (int i = 0; i < g->workers; i++) {
		if (proxy_session_count(g->worker[i].proxy))
			return false;
	}
	return true;
}

void gateway_drain(struct gateway *g)
{
	for (int i = 0; i < g->workers; i++)
		proxy_drain(g->worker[i].proxy);
}

static void add_service(struct gateway *g, int conn)
{
	const struct scenario *s = g->run->s;
	size_t n = g->config.service_count++;
	struct proxy_service *service = &g->service[n];

	snprintf(service->name, sizeof(service->name), "web%d", conn);
	service->prefixes = g->prefixes;
	service->prefix_count = 2;
	g->port[n].first = g->port[n].last = scenario_server_port(s, conn);
	service->ports = &g->port[n];
	service->port_count = 1;
	service->upstream_original = true;
	service->handshake = s->accept_first ? PROXY_ACCEPT_FIRST : PROXY_CONNECT_FIRST;
	service->source = PROXY_SOURCE_CLIENT;
	service->mptcp = *scenario_cfg(s, conn, 1);
}

void gateway_init(struct gateway *g, struct run *run)
{
	struct mptcp_endpoint endpoints[ENDPOINT_MAX];
	static const char *const names[CONN_MAX] = {
		"server", "server 1", "server 2", "server 3", "server 4", "server 5",
	};
	const struct scenario *s = run->s;

	memset(g, 0, sizeof(*g));
	g->run = run;
	g->sim = &run->sim;
	g->sink.ctx = g;
	g->sink.emit = emit;
	g->stop_us = s->proxy_stop_us == TIMER_NEVER ? TIMER_NEVER :
		     run->sim.now_us + s->proxy_stop_us;
	rng_seed(&g->rng, s->seed * 2);
	ip_prefix_parse("192.0.2.0/24", &g->prefixes[0]);
	ip_prefix_parse("2001:db8:63::/48", &g->prefixes[1]);
	g->config.services = g->service;
	for (int i = 0; i < CONN_MAX; i++) {
		/* Connections that have no settings of their own share the first service. */
		if (i == 0 || s->has_own_cfg[i])
			add_service(g, i);
	}
	g->config.endpoint_count = scenario_endpoints(s, 0, endpoints);
	for (size_t i = 0; i < g->config.endpoint_count; i++)
		g->config.endpoints[i].ep = endpoints[i];
	g->began_us = run->sim.now_us;
	g->config.max_connections = 100;
	g->config.max_half_open = 100;
	g->config.stateless_half_open = s->stateless ? 0 : UINT32_MAX;
	g->config.memory_bytes = 256 << 20;
	g->config.connect_timeout_us = 20 * SECOND;
	sim_timer_init(g->sim, &g->timer, fire);
	for (int i = 0; i < CONN_MAX; i++) {
		g->server[i].gateway = g;
		g->server[i].index = i;
		app_init(&g->server[i].app, g->sim, names[i], &s->plan[i][1],
			 rng_mix(s->seed * 8 + (uint64_t)i * 2), run_app(run, 0, i));
	}
	for (int i = 0; i < (s->workers ? s->workers : 1); i++) {
		struct sim_worker *w = &g->worker[i];

		w->gateway = g;
		w->index = i;
		list_init(&w->inbox);
		w->proxy = proxy_new(&g->config, &ops, w, &g->sink, &g->counters);
		if (!w->proxy) {
			sim_fail(g->sim, "proxy_new() failed");
			return;
		}
		g->workers++;
		proxy_set_worker(w->proxy, (uint32_t)i, s->workers ? (uint32_t)s->workers : 1,
				 &g->load);
	}
	sim_arm(&g->timer, g->stop_us);
}

void gateway_fini(struct gateway *g)
{
	for (int i = 0; i < g->workers; i++) {
		struct proxy *proxy = g->worker[i].proxy;

		if (!g->sim->failed && !proxy_session_count(proxy) && proxy_memory(proxy))
			sim_fail(g->sim, "the proxy leaks %zu bytes of payload memory",
				 proxy_memory(proxy));
	}
	free_workers(g);
	if (g->load.sessions || g->load.half_open || g->load.memory.granted_bytes)
		sim_fail(g->sim, "the common counts are not zero at the end");
	sim_arm(&g->timer, TIMER_NEVER);
}
