/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A proxy between a client that is a real MPTCP engine and scripted servers behind struct
 * proxy_ops, in virtual time and without losses; and packets made by hand.
 *
 *	world_begin(handshake); establish(); run(microseconds); ... world_end();
 *
 * There is one world, `w`, per test program.
 */
#ifndef UNIT_PROXY_WORLD_H
#define UNIT_PROXY_WORLD_H

#include <errno.h>
#include <string.h>

#include "base/timer.h"
#include "proxy/proxy.h"
#include "wire/checksum.h"
#include "unit.h"

#define SECOND 1000000ull
#ifndef MAX_SERVERS
#define MAX_SERVERS 4
#endif
#define LATENCY_US 1000
#define BATCH 8

/* ---- the server ----------------------------------------------------------------- */

struct server {
	struct session *session;
	struct ip_endpoint from, to;
	bool has_from, open, connected;
	bool want_r, want_w;
	bool shut, closed, reset;       /* what the proxy did */
	uint64_t in, room;              /* bytes taken, bytes that it would still take */
	uint64_t out, out_total;        /* bytes given, bytes to give */
	size_t io_max;                  /* per call; 0: no bound */
	bool fin;                       /* ends after out_total */
	int error;                      /* of every read and write */
	int write_error;                /* of writes; what was sent before can be read */
};

/* ---- packets under way ---------------------------------------------------------- */

struct wire {
	struct flight {
		size_t len;
		uint8_t *data;
	} *q;
	size_t count, capacity;
};

static inline void wire_add(struct wire *w, const uint8_t *data, size_t len)
{
	if (w->count == w->capacity) {
		w->capacity = w->capacity ? w->capacity * 2 : 64;
		w->q = realloc(w->q, w->capacity * sizeof(*w->q));
	}
	/* A copy of just this size, so that reads past the end are found. */
	w->q[w->count].data = malloc(len);
	memcpy(w->q[w->count].data, data, len);
	w->q[w->count++].len = len;
}

static inline void wire_clear(struct wire *w)
{
	for (size_t i = 0; i < w->count; i++)
		free(w->q[i].data);
	w->count = 0;
}

/* ---- the world ------------------------------------------------------------------ */

static struct {
	struct proxy *proxy;
	struct proxy_config config;
	struct proxy_service service;
	struct ip_prefix prefix;
	struct port_range port;
	struct counters counters;
	struct server server[MAX_SERVERS];
	int opened;
	int open_error;
	int forgotten;
	uint8_t icmp[1280];
	size_t icmp_len;
	uint64_t seed, now;
	size_t memory_peak;

	/* With several proxies: with which of them a packet comes in, and what they have for
	 * each other after a flush. */
	struct proxy *(*lander)(const uint8_t *data, size_t len);
	void (*exchange)(void);

	struct wire up, down;           /* to the proxy, to the client */
	struct packet_sink up_sink, down_sink;
	uint64_t passed;
	bool cut;                       /* packets to the client are lost */

	struct counters client_counters;
	struct pool pool;
	struct mptcp_env env;
	struct mptcp_config mptcp;
	struct mptcp_conn *conn;
	uint64_t to_send, sent, received, unread;
	bool shut, read_slowly;
	uint32_t events;                /* all that ever came */
} w;

static inline uint8_t fill(uint64_t seed, uint64_t offset)
{
	return (uint8_t)((offset + seed) * 0x9e3779b97f4a7c15u >> 56);
}

#define TO_SERVER 11
#define TO_CLIENT 22

static inline void check_bytes(uint64_t seed, uint64_t offset, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (data[i] != fill(seed, offset + i))
			ck_abort_msg("wrong byte at %llu", (unsigned long long)(offset + i));
}

static inline void make_bytes(uint64_t seed, uint64_t offset, uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		data[i] = fill(seed, offset + i);
}

static inline void fake_random(void *ctx, void *buf, size_t len)
{
	uint8_t *p = buf;

	(void)ctx;
	while (len--)
		*p++ = (uint8_t)unit_random(&w.seed);
}

static inline int fake_open(void *ctx, struct session *session, const struct ip_endpoint *from,
		     const struct ip_endpoint *to, void **server)
{
	struct server *s;

	(void)ctx;
	if (w.open_error)
		return -w.open_error;
	ck_assert_int_lt(w.opened, MAX_SERVERS);
	s = &w.server[w.opened++];
	s->session = session;
	s->has_from = from;
	if (from)
		s->from = *from;
	s->to = *to;
	s->open = true;
	*server = s;
	return 0;
}

static inline size_t bound(const struct server *s, uint64_t n)
{
	return s->io_max && n > s->io_max ? s->io_max : n;
}

static inline ssize_t fake_writev(void *ctx, void *server, const struct iovec *iov, int n)
{
	struct server *s = server;
	size_t room = bound(s, s->room), done = 0;

	(void)ctx;
	ck_assert(s->open && s->connected && !s->shut);
	ck_assert_int_gt(n, 0);
	if (s->error || s->write_error)
		return s->error ? -s->error : -s->write_error;
	if (!room)
		return -EAGAIN;
	for (int i = 0; i < n && done < room; i++) {
		size_t len = iov[i].iov_len < room - done ? iov[i].iov_len : room - done;

		check_bytes(TO_SERVER, s->in, iov[i].iov_base, len);
		s->in += len;
		done += len;
	}
	s->room -= done;
	return (ssize_t)done;
}

static inline ssize_t fake_readv(void *ctx, void *server, const struct iovec *iov, int n)
{
	struct server *s = server;
	size_t left = bound(s, s->out_total - s->out), done = 0;

	(void)ctx;
	ck_assert(s->open && s->connected);
	if (s->error)
		return -s->error;
	if (!left)
		return s->fin ? 0 : -EAGAIN;
	for (int i = 0; i < n && done < left; i++) {
		size_t len = iov[i].iov_len < left - done ? iov[i].iov_len : left - done;

		make_bytes(TO_CLIENT, s->out, iov[i].iov_base, len);
		s->out += len;
		done += len;
	}
	return (ssize_t)done;
}

static inline void fake_want(void *ctx, void *server, bool readable, bool writable)
{
	struct server *s = server;

	(void)ctx;
	ck_assert(s->open);
	s->want_r = readable;
	s->want_w = writable;
}

static inline void fake_shutdown(void *ctx, void *server)
{
	struct server *s = server;

	(void)ctx;
	ck_assert(s->open && !s->shut);
	s->shut = true;
}

static inline void fake_close(void *ctx, void *server, bool reset)
{
	struct server *s = server;

	(void)ctx;
	ck_assert(s->open);
	s->open = false;
	s->closed = true;
	s->reset = reset;
}

static inline void fake_forget(void *ctx, const struct flow_tuple *tuple)
{
	(void)ctx;
	(void)tuple;
	w.forgotten++;
}

static inline void fake_raw(void *ctx, const uint8_t *data, size_t len)
{
	(void)ctx;
	ck_assert_uint_le(len, sizeof(w.icmp));
	memcpy(w.icmp, data, len);
	w.icmp_len = len;
}

static const struct proxy_ops ops = {
	.server_open = fake_open, .server_writev = fake_writev, .server_readv = fake_readv,
	.server_want = fake_want, .server_shutdown = fake_shutdown, .server_close = fake_close,
	.flow_forget = fake_forget, .emit_raw = fake_raw, .random = fake_random,
};

static inline void sink_emit(void *ctx, const struct packet_out *p)
{
	struct wire *to = ctx;
	uint8_t data[PACKET_MAX + PACKET_HEADER_MAX];
	size_t len = p->headers_len;
	uint64_t sum = 0;

	if (to == &w.down && w.cut)
		return;
	for (int i = 0; i < p->payload_iovs; i++) {
		memcpy(data + len, p->payload[i].iov_base, p->payload[i].iov_len);
		len += p->payload[i].iov_len;
	}
	sum = csum_add(0, data + p->headers_len, len - p->headers_len);
	packet_finish_checksum(p->headers, p->headers_len, p->ip_len, sum);
	memcpy(data, p->headers, p->headers_len);
	wire_add(to, data, len);
}

static inline void client_deliver(void *owner, const uint8_t *data, size_t len, bool transient)
{
	(void)owner;
	(void)transient;
	check_bytes(TO_CLIENT, w.received, data, len);
	w.received += len;
	w.unread += len;
}

static inline void world_begin(enum proxy_handshake handshake)
{
	memset(&w, 0, sizeof(w));
	w.seed = 7;
	w.now = SECOND;
	ck_assert_int_eq(ip_prefix_parse("198.51.100.0/24", &w.prefix), 0);
	w.port = (struct port_range){ 80, 80 };
	strcpy(w.service.name, "web");
	w.service.prefixes = &w.prefix;
	w.service.prefix_count = 1;
	w.service.ports = &w.port;
	w.service.port_count = 1;
	w.service.upstream_original = true;
	w.service.handshake = handshake;
	w.service.source = PROXY_SOURCE_CLIENT;
	mptcp_config_default(&w.service.mptcp);
	w.config.services = &w.service;
	w.config.service_count = 1;
	w.config.max_connections = 100;
	w.config.max_half_open = 100;
	w.config.stateless_half_open = UINT32_MAX;
	w.config.memory_bytes = 64 << 20;
	w.config.connect_timeout_us = 10 * SECOND;
	for (int i = 0; i < MAX_SERVERS; i++)
		w.server[i].room = UINT64_MAX;
	w.up_sink = (struct packet_sink){ &w.up, sink_emit };
	w.down_sink = (struct packet_sink){ &w.down, sink_emit };
	w.proxy = proxy_new(&w.config, &ops, &w, &w.down_sink, &w.counters);
	ck_assert_ptr_nonnull(w.proxy);
	pool_init(&w.pool, 0, 0);
	mptcp_env_init(&w.env, &w.client_counters, &w.pool);
	w.env.random = fake_random;
	mptcp_config_default(&w.mptcp);
}

static inline void world_end(void)
{
	proxy_free(w.proxy, w.now);
	for (int i = 0; i < w.opened; i++)
		ck_assert(w.server[i].closed);
	if (w.conn)
		mptcp_free(w.conn);
	mptcp_env_fini(&w.env);
	pool_fini(&w.pool);
	wire_clear(&w.up);
	wire_clear(&w.down);
	free(w.up.q);
	free(w.down.q);
}

static inline void client_tuple(struct flow_tuple *tx, const char *from)
{
	memset(tx, 0, sizeof(*tx));
	ck_assert_int_eq(ip_endpoint_parse(from, &tx->src), 0);
	ck_assert_int_eq(ip_endpoint_parse(*from == '[' ? "[2001:db8:1::1]:80" : "198.51.100.1:80",
					   &tx->dst), 0);
}

static inline void client_write(void)
{
	struct iovec iov[16];
	int n;

	while (w.sent < w.to_send && (n = mptcp_send_reserve(w.conn, w.to_send - w.sent, iov, 16))) {
		size_t len = 0;

		for (int i = 0; i < n; i++) {
			make_bytes(TO_SERVER, w.sent + len, iov[i].iov_base, iov[i].iov_len);
			len += iov[i].iov_len;
		}
		mptcp_send_commit(w.conn, len);
		w.sent += len;
	}
	if (w.shut && w.sent == w.to_send && !w.conn->fin_queued)
		mptcp_shutdown(w.conn, w.now);
}

static inline void client_turn(void)
{
	struct mptcp_subflow *sf;

	if (!w.conn)
		return;
	if (!w.read_slowly && w.unread) {
		mptcp_consumed(w.conn, w.unread, w.now);
		w.unread = 0;
	}
	w.events |= w.conn->events;
	w.conn->events = 0;
	client_write();
	mptcp_output(w.conn, &w.up_sink, w.now);
	w.events |= w.conn->events;
	while ((sf = mptcp_reap(w.conn)))
		mptcp_subflow_free(sf);
}

static inline void client_open_from(const char *from)
{
	struct flow_tuple tx;

	client_tuple(&tx, from);
	w.conn = mptcp_new_active(&w.env, &w.mptcp, &tx, NULL, client_deliver, w.now);
	ck_assert_ptr_nonnull(w.conn);
	client_turn();
}

static inline void client_open(void)
{
	client_open_from("192.0.2.1:4000");
}

/* All that is under way to the client arrives. */
static inline void client_receive(void)
{
	struct wire in = w.down;
	struct mptcp_subflow *sf, *found;
	struct packet p;

	memset(&w.down, 0, sizeof(w.down));
	for (size_t i = 0; i < in.count; i++) {
		ck_assert_int_eq(packet_parse(in.q[i].data, in.q[i].len, &p), 0);
		ck_assert(packet_checksum_ok(&p));
		found = NULL;
		if (w.conn)
			list_for_each(sf, &w.conn->subflows, link)
				if (flow_tuple_equal(&sf->rx, &p.tuple))
					found = sf;
		if (found)
			mptcp_input(w.conn, found, &p, w.now);
	}
	client_turn();
	wire_clear(&in);
	free(in.q);
}

static inline void flush(void)
{
	proxy_flush(w.proxy, w.now);
	if (w.exchange)
		w.exchange();
	if (proxy_memory(w.proxy) > w.memory_peak)
		w.memory_peak = proxy_memory(w.proxy);
}

/* All that is under way to the proxy arrives, in batches. */
static inline void proxy_receive(void)
{
	struct wire in = w.up;

	memset(&w.up, 0, sizeof(w.up));
	for (size_t i = 0; i < in.count; i++) {
		struct proxy *to = w.lander ? w.lander(in.q[i].data, in.q[i].len) : w.proxy;

		if (proxy_packet(to, in.q[i].data, in.q[i].len, false, w.now) != PROXY_TAKE)
			w.passed++;
		if (i % BATCH == BATCH - 1)
			flush();
	}
	flush();
	wire_clear(&in);
	free(in.q);
}

static inline bool servers_ready(void)
{
	bool any = false;

	for (int i = 0; i < w.opened; i++) {
		struct server *s = &w.server[i];
		bool r = s->want_r && (s->out < s->out_total || s->fin || s->error);
		bool wr = s->want_w && (s->room || s->error);

		if (!s->open || !s->connected || (!r && !wr))
			continue;
		proxy_server_ready(s->session, r, wr, w.now);
		any = true;
	}
	return any;
}

/* Everything that happens in `us` microseconds of virtual time. */
static inline void run(uint64_t us)
{
	uint64_t end = w.now + us;

	for (;;) {
		bool ready = servers_ready();
		uint64_t next = proxy_deadline(w.proxy);

		flush();
		if (w.up.count || w.down.count || ready) {
			next = w.now + LATENCY_US;
		} else {
			next = proxy_deadline(w.proxy);
			if (w.conn && mptcp_deadline(w.conn) < next &&
			    !(w.events & MPTCP_EVENT_CLOSED))
				next = mptcp_deadline(w.conn);
		}
		if (next > end) {
			w.now = end;
			return;
		}
		if (next > w.now)
			w.now = next;
		proxy_receive();
		client_receive();
		if (proxy_deadline(w.proxy) <= w.now) {
			proxy_timeout(w.proxy, w.now);
			flush();
		}
		if (w.conn && !(w.events & MPTCP_EVENT_CLOSED) &&
		    mptcp_deadline(w.conn) <= w.now) {
			mptcp_timeout(w.conn, w.now);
			client_turn();
		}
	}
}

static inline void connected(int i, int error)
{
	w.server[i].connected = !error;
	proxy_server_connected(w.server[i].session, error, w.now);
	flush();
}

/* A client with an established connection to server 0. */
static inline void establish(void)
{
	client_open();
	run(5000);
	ck_assert_int_eq(w.opened, 1);
	connected(0, 0);
	run(SECOND / 10);
	ck_assert(w.events & MPTCP_EVENT_ESTABLISHED);
	ck_assert_int_eq(w.conn->mode, MPTCP_MODE_MPTCP);
}

static inline void world_begin_established(void)
{
	world_begin(PROXY_CONNECT_FIRST);
	establish();
}

/* `bytes` is all that the client, or server 0, has to say from now on. */
static inline void client_sends_all(uint64_t bytes)
{
	w.to_send = bytes;
	w.shut = true;
	client_turn();
}

static inline void server_sends_all(uint64_t bytes)
{
	w.server[0].out_total = bytes;
	w.server[0].fin = true;
}

/* Both do, and all of it arrives. */
static inline void exchange_all(uint64_t bytes)
{
	server_sends_all(bytes);
	client_sends_all(bytes);
	run(20 * SECOND);
	ck_assert_uint_eq(w.server[0].in, bytes);
	ck_assert_uint_eq(w.received, bytes);
}

/* The only session is gone, and its server was told: by an end of stream or a reset. */
static inline void expect_ended(bool reset)
{
	ck_assert(w.server[0].closed);
	ck_assert_int_eq(w.server[0].reset, reset);
	ck_assert_uint_eq(proxy_session_count(w.proxy), 0);
}

static inline uint64_t count(enum counter_id id)
{
	return w.counters.v[id];
}

/* ---- packets by hand ------------------------------------------------------------ */

/* A packet from `from`, with MP_CAPABLE or, if `token` is not 0, with MP_JOIN. */
static inline size_t make_packet(uint8_t *out, const char *from, uint8_t flags, uint32_t seq, bool capable,
			  uint32_t token, size_t payload)
{
	uint8_t mp[40], opt[TCP_OPTIONS_MAX], zero[64] = { 0 };
	struct tcp_header h = { .seq = seq, .flags = flags, .window = 65535 };
	struct flow_tuple tx;
	size_t mp_len = 0, len, ip_len;
	int opt_len;

	client_tuple(&tx, from);
	h.src_port = tx.src.port;
	h.dst_port = tx.dst.port;
	if (capable) {
		struct mptcp_capable c = { .version = 1, .flags = MPTCP_CAP_HMAC_SHA };

		mp_len = mptcp_option_build_capable(mp, &c);
	} else if (token) {
		struct mptcp_join j = { .addr_id = 1, .token = token, .nonce = 5 };

		mp_len = mptcp_option_build_join_syn(mp, &j);
	}
	if (flags & TCP_SYN)
		h.opt.has_mss = true, h.opt.mss = 1460;
	opt_len = tcp_options_build(opt, &h.opt, mp, mp_len);
	ck_assert_int_ge(opt_len, 0);
	len = packet_build_tcp(out, &tx, &h, opt, (size_t)opt_len, payload, 0, 1, &ip_len);
	packet_finish_checksum(out, len, ip_len, csum_add(0, zero, payload));
	memcpy(out + len, zero, payload);
	return len + payload;
}

static inline enum proxy_verdict give(const char *from, uint8_t flags, uint32_t seq, bool capable,
			       uint32_t token)
{
	uint8_t data[256];
	size_t len = make_packet(data, from, flags, seq, capable, token, 0);
	enum proxy_verdict v = proxy_packet(w.proxy, data, len, false, w.now);

	flush();
	return v;
}

static inline enum proxy_verdict give_capable(const char *from)
{
	return give(from, TCP_SYN, 1000, true, 0);
}

#endif
