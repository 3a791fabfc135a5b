/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sessions from begin to end: a client that is a real MPTCP engine, the proxy, and a
 * scripted server behind struct proxy_ops, in virtual time and without losses.
 */
#include "proxy/proxy.h"

#include <errno.h>
#include <string.h>

#include "base/timer.h"
#include "proxy/limits.h"
#include "wire/checksum.h"
#include "unit.h"

#define SECOND 1000000ull
#define MAX_SERVERS 4
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
};

/* ---- packets under way ---------------------------------------------------------- */

struct wire {
	struct flight {
		size_t len;
		uint8_t *data;
	} *q;
	size_t count, capacity;
};

static void wire_add(struct wire *w, const uint8_t *data, size_t len)
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

static void wire_clear(struct wire *w)
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

static uint8_t fill(uint64_t seed, uint64_t offset)
{
	return (uint8_t)((offset + seed) * 0x9e3779b97f4a7c15u >> 56);
}

#define TO_SERVER 11
#define TO_CLIENT 22

static void check_bytes(uint64_t seed, uint64_t offset, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (data[i] != fill(seed, offset + i))
			ck_abort_msg("wrong byte at %llu", (unsigned long long)(offset + i));
}

static void make_bytes(uint64_t seed, uint64_t offset, uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		data[i] = fill(seed, offset + i);
}

static void fake_random(void *ctx, void *buf, size_t len)
{
	uint8_t *p = buf;

	(void)ctx;
	while (len--)
		*p++ = (uint8_t)unit_random(&w.seed);
}

static int fake_open(void *ctx, struct session *session, const struct ip_endpoint *from,
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

static size_t bound(const struct server *s, uint64_t n)
{
	return s->io_max && n > s->io_max ? s->io_max : n;
}

static ssize_t fake_writev(void *ctx, void *server, const struct iovec *iov, int n)
{
	struct server *s = server;
	size_t room = bound(s, s->room), done = 0;

	(void)ctx;
	ck_assert(s->open && s->connected && !s->shut);
	ck_assert_int_gt(n, 0);
	if (s->error)
		return -s->error;
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

static ssize_t fake_readv(void *ctx, void *server, const struct iovec *iov, int n)
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

static void fake_want(void *ctx, void *server, bool readable, bool writable)
{
	struct server *s = server;

	(void)ctx;
	ck_assert(s->open);
	s->want_r = readable;
	s->want_w = writable;
}

static void fake_shutdown(void *ctx, void *server)
{
	struct server *s = server;

	(void)ctx;
	ck_assert(s->open && !s->shut);
	s->shut = true;
}

static void fake_close(void *ctx, void *server, bool reset)
{
	struct server *s = server;

	(void)ctx;
	ck_assert(s->open);
	s->open = false;
	s->closed = true;
	s->reset = reset;
}

static void fake_forget(void *ctx, const struct flow_tuple *tuple)
{
	(void)ctx;
	(void)tuple;
	w.forgotten++;
}

static void fake_raw(void *ctx, const uint8_t *data, size_t len)
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

static void sink_emit(void *ctx, const struct packet_out *p)
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

static void client_deliver(void *owner, const uint8_t *data, size_t len, bool transient)
{
	(void)owner;
	(void)transient;
	check_bytes(TO_CLIENT, w.received, data, len);
	w.received += len;
	w.unread += len;
}

static void world_begin(enum proxy_handshake handshake)
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

static void world_end(void)
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

static void client_tuple(struct flow_tuple *tx, const char *from)
{
	memset(tx, 0, sizeof(*tx));
	ck_assert_int_eq(ip_endpoint_parse(from, &tx->src), 0);
	ck_assert_int_eq(ip_endpoint_parse("198.51.100.1:80", &tx->dst), 0);
}

static void client_write(void)
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

static void client_turn(void)
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

static void client_open(void)
{
	struct flow_tuple tx;

	client_tuple(&tx, "192.0.2.1:4000");
	w.conn = mptcp_new_active(&w.env, &w.mptcp, &tx, NULL, client_deliver, w.now);
	ck_assert_ptr_nonnull(w.conn);
	client_turn();
}

/* All that is under way to the client arrives. */
static void client_receive(void)
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

static void flush(void)
{
	proxy_flush(w.proxy, w.now);
	if (proxy_memory(w.proxy) > w.memory_peak)
		w.memory_peak = proxy_memory(w.proxy);
}

/* All that is under way to the proxy arrives, in batches. */
static void proxy_receive(void)
{
	struct wire in = w.up;

	memset(&w.up, 0, sizeof(w.up));
	for (size_t i = 0; i < in.count; i++) {
		if (proxy_packet(w.proxy, in.q[i].data, in.q[i].len, false, w.now) != PROXY_TAKE)
			w.passed++;
		if (i % BATCH == BATCH - 1)
			flush();
	}
	flush();
	wire_clear(&in);
	free(in.q);
}

static bool servers_ready(void)
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
static void run(uint64_t us)
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

static void connected(int i, int error)
{
	w.server[i].connected = !error;
	proxy_server_connected(w.server[i].session, error, w.now);
	flush();
}

/* A client with an established connection to server 0. */
static void establish(void)
{
	client_open();
	run(5000);
	ck_assert_int_eq(w.opened, 1);
	connected(0, 0);
	run(SECOND / 10);
	ck_assert(w.events & MPTCP_EVENT_ESTABLISHED);
	ck_assert_int_eq(w.conn->mode, MPTCP_MODE_MPTCP);
}

static uint64_t count(enum counter_id id)
{
	return w.counters.v[id];
}

/* ---- packets by hand ------------------------------------------------------------ */

/* A packet from `from`, with MP_CAPABLE or, if `token` is not 0, with MP_JOIN. */
static size_t make_packet(uint8_t *out, const char *from, uint8_t flags, uint32_t seq, bool capable,
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

static enum proxy_verdict give(const char *from, uint8_t flags, uint32_t seq, bool capable,
			       uint32_t token)
{
	uint8_t data[256];
	size_t len = make_packet(data, from, flags, seq, capable, token, 0);
	enum proxy_verdict v = proxy_packet(w.proxy, data, len, false, w.now);

	flush();
	return v;
}

static enum proxy_verdict give_capable(const char *from)
{
	return give(from, TCP_SYN, 1000, true, 0);
}

/* ---- connecting ----------------------------------------------------------------- */

START_TEST(refused_is_refused)
{
	struct packet p;

	world_begin(PROXY_CONNECT_FIRST);
	client_open();
	run(5000);
	ck_assert_int_eq(w.opened, 1);
	ck_assert(w.server[0].has_from);
	ck_assert_int_eq(w.server[0].from.port, 4000);
	ck_assert_int_eq(w.server[0].to.port, 80);
	ck_assert_uint_eq(w.down.count, 0);
	connected(0, ECONNREFUSED);
	ck_assert_uint_eq(w.down.count, 1);
	ck_assert_int_eq(packet_parse(w.down.q[0].data, w.down.q[0].len, &p), 0);
	ck_assert_int_eq(p.tcp.flags, TCP_RST | TCP_ACK);
	run(SECOND);
	ck_assert(w.events & MPTCP_EVENT_RESET);
	ck_assert_uint_eq(proxy_session_count(w.proxy), 0);
	ck_assert_int_eq(w.forgotten, 1);
	ck_assert_uint_eq(count(CNT_SERVER_REFUSED), 1);
	world_end();
}
END_TEST

START_TEST(unreachable_is_told)
{
	static const struct { int error; uint8_t code; } cases[] = {
		{ EHOSTUNREACH, 1 }, { ENETUNREACH, 0 }, { EACCES, 13 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		world_begin(PROXY_CONNECT_FIRST);
		ck_assert_int_eq(give_capable("192.0.2.1:4000"), PROXY_TAKE);
		connected(0, cases[i].error);
		ck_assert_uint_gt(w.icmp_len, 28);
		ck_assert_int_eq(w.icmp[20], 3);
		ck_assert_int_eq(w.icmp[21], cases[i].code);
		ck_assert_uint_eq(w.down.count, 0);
		ck_assert_uint_eq(proxy_session_count(w.proxy), 0);
		ck_assert_uint_eq(count(CNT_SERVER_UNREACHABLE), 1);
		world_end();
	}
}
END_TEST

START_TEST(silence_is_silence)
{
	world_begin(PROXY_CONNECT_FIRST);
	ck_assert_int_eq(give_capable("192.0.2.1:4000"), PROXY_TAKE);
	run(9 * SECOND);
	ck_assert_uint_eq(proxy_session_count(w.proxy), 1);
	run(2 * SECOND);
	ck_assert_uint_eq(proxy_session_count(w.proxy), 0);
	ck_assert(w.server[0].closed);
	ck_assert_uint_eq(w.down.count, 0);
	ck_assert_uint_eq(w.icmp_len, 0);
	ck_assert_uint_eq(count(CNT_SERVER_TIMEOUT), 1);
	ck_assert_int_eq(w.forgotten, 1);
	world_end();
}
END_TEST

START_TEST(client_gives_up_while_connecting)
{
	world_begin(PROXY_CONNECT_FIRST);
	give_capable("192.0.2.1:4000");
	ck_assert_int_eq(give("192.0.2.1:4000", TCP_RST, 1001, false, 0), PROXY_TAKE);
	ck_assert(w.server[0].closed && w.server[0].reset);
	ck_assert_uint_eq(proxy_session_count(w.proxy), 0);
	world_end();
}
END_TEST

START_TEST(handshake_is_bounded)
{
	world_begin(PROXY_CONNECT_FIRST);
	give_capable("192.0.2.1:4000");
	connected(0, 0);
	run(300 * SECOND);
	ck_assert(w.server[0].closed && w.server[0].reset);
	ck_assert_uint_eq(proxy_session_count(w.proxy), 0);
	world_end();
}
END_TEST

START_TEST(source_may_be_the_gateway)
{
	world_begin(PROXY_CONNECT_FIRST);
	w.service.source = PROXY_SOURCE_GATEWAY;
	w.service.upstream_original = false;
	ck_assert_int_eq(ip_endpoint_parse("203.0.113.9:8080", &w.service.upstream), 0);
	give_capable("192.0.2.1:4000");
	ck_assert(!w.server[0].has_from);
	ck_assert(ip_endpoint_equal(&w.server[0].to, &w.service.upstream));
	world_end();
}
END_TEST

/* ---- passing on ----------------------------------------------------------------- */

START_TEST(others_are_passed)
{
	uint8_t data[256];
	size_t len;

	world_begin(PROXY_CONNECT_FIRST);
	ck_assert_int_eq(give("192.0.2.1:4000", TCP_SYN, 1, false, 0), PROXY_PASS);
	ck_assert_int_eq(give("192.0.2.1:4000", TCP_ACK, 1, false, 0), PROXY_PASS);
	ck_assert_int_eq(give("192.0.2.1:4000", TCP_SYN, 1, false, 99), PROXY_PASS);
	ck_assert_uint_eq(count(CNT_MP_JOIN_UNKNOWN), 1);
	w.port.first = w.port.last = 81;
	ck_assert_int_eq(give_capable("192.0.2.1:4000"), PROXY_PASS);
	w.port.first = w.port.last = 80;
	len = make_packet(data, "192.0.2.1:4000", TCP_SYN, 1, true, 0, 0);
	ck_assert_int_eq(proxy_packet(w.proxy, data, len - 1, false, w.now), PROXY_PASS_KEEP);
	ck_assert_uint_eq(count(CNT_RX_TRUNCATED), 1);
	data[32] = 0;
	ck_assert_int_eq(proxy_packet(w.proxy, data, len, false, w.now), PROXY_PASS_KEEP);
	ck_assert_uint_eq(count(CNT_RX_MALFORMED), 1);
	ck_assert_int_eq(proxy_packet(w.proxy, data, 0, false, w.now), PROXY_PASS_KEEP);
	ck_assert_int_eq(w.opened, 0);
	ck_assert_uint_eq(count(CNT_RX_PASSED), 7);
	world_end();
}
END_TEST

START_TEST(damaged_packets_of_ours_are_dropped)
{
	uint8_t data[256];
	size_t len;

	world_begin(PROXY_CONNECT_FIRST);
	len = make_packet(data, "192.0.2.1:4000", TCP_SYN, 1000, true, 0, 0);
	data[36] ^= 1;
	ck_assert_int_eq(proxy_packet(w.proxy, data, len, false, w.now), PROXY_TAKE);
	ck_assert_uint_eq(count(CNT_RX_CHECKSUM), 1);
	ck_assert_int_eq(w.opened, 0);
	give_capable("192.0.2.1:4000");
	ck_assert_int_eq(w.opened, 1);
	len = make_packet(data, "192.0.2.1:4000", TCP_ACK, 1001, false, 0, 8);
	ck_assert_int_eq(proxy_packet(w.proxy, data, len - 1, false, w.now), PROXY_TAKE);
	ck_assert_uint_eq(count(CNT_RX_TRUNCATED), 1);
	/* Not even a TCP header is left, but the ports are. */
	ck_assert_int_eq(proxy_packet(w.proxy, data, 30, false, w.now), PROXY_TAKE);
	ck_assert_uint_eq(count(CNT_RX_TRUNCATED), 2);
	data[len - 1] ^= 1;
	ck_assert_int_eq(proxy_packet(w.proxy, data, len, false, w.now), PROXY_TAKE);
	ck_assert_uint_eq(count(CNT_RX_CHECKSUM), 2);
	flush();
	ck_assert_uint_eq(proxy_session_count(w.proxy), 1);
	world_end();
}
END_TEST

START_TEST(limits_shed)
{
	world_begin(PROXY_CONNECT_FIRST);
	w.config.max_connections = 2;
	ck_assert_int_eq(give_capable("192.0.2.1:1"), PROXY_TAKE);
	ck_assert_int_eq(give_capable("192.0.2.1:2"), PROXY_TAKE);
	ck_assert_int_eq(give_capable("192.0.2.1:3"), PROXY_PASS);
	ck_assert_uint_eq(count(CNT_SHED_CONNECTIONS), 1);
	/* A repeated SYN is not a new one. */
	ck_assert_int_eq(give_capable("192.0.2.1:2"), PROXY_TAKE);
	w.config.max_connections = 100;
	w.config.max_half_open = 2;
	ck_assert_int_eq(give_capable("192.0.2.1:3"), PROXY_PASS);
	ck_assert_uint_eq(count(CNT_SHED_HALF_OPEN), 1);
	w.config.max_half_open = 0;
	w.config.max_per_source = 2;
	ck_assert_int_eq(give_capable("192.0.2.1:3"), PROXY_PASS);
	ck_assert_uint_eq(count(CNT_SHED_SOURCE), 1);
	ck_assert_int_eq(give_capable("192.0.2.2:3"), PROXY_TAKE);
	connected(2, ECONNREFUSED);
	proxy_drain(w.proxy);
	ck_assert_int_eq(give_capable("192.0.2.2:3"), PROXY_PASS);
	ck_assert_uint_eq(count(CNT_SHED_DRAINING), 1);
	ck_assert_int_eq(w.opened, 3);
	world_end();
}
END_TEST

START_TEST(ended_sessions_count_no_more)
{
	world_begin(PROXY_CONNECT_FIRST);
	w.config.max_connections = w.config.max_half_open = w.config.max_per_source = 1;
	for (int i = 0; i < MAX_SERVERS; i++) {
		ck_assert_int_eq(give_capable("192.0.2.1:4000"), PROXY_TAKE);
		connected(i, EHOSTUNREACH);
	}
	world_end();
}
END_TEST

START_TEST(no_socket_sheds_for_a_while)
{
	world_begin(PROXY_CONNECT_FIRST);
	w.open_error = EMFILE;
	ck_assert_int_eq(give_capable("192.0.2.1:1"), PROXY_PASS);
	ck_assert_uint_eq(proxy_session_count(w.proxy), 0);
	w.open_error = 0;
	ck_assert_int_eq(give_capable("192.0.2.1:1"), PROXY_PASS);
	ck_assert_uint_eq(count(CNT_SHED_FILES), 2);
	run(LIMITS_FILES_PAUSE_US);
	ck_assert_int_eq(give_capable("192.0.2.1:1"), PROXY_TAKE);
	w.open_error = EADDRNOTAVAIL;
	ck_assert_int_eq(give_capable("192.0.2.1:2"), PROXY_PASS);
	w.open_error = 0;
	ck_assert_int_eq(give_capable("192.0.2.1:2"), PROXY_TAKE);
	world_end();
}
END_TEST

START_TEST(memory_sheds)
{
	struct limits_load load = { .memory_percent = LIMITS_MEMORY_PERCENT - 1 };
	enum counter_id why = CNT_MAX;

	world_begin(PROXY_CONNECT_FIRST);
	ck_assert(limits_admit(&w.config, &load, &why));
	load.memory_percent++;
	ck_assert(!limits_admit(&w.config, &load, &why));
	ck_assert_int_eq(why, CNT_SHED_MEMORY);
	world_end();
}
END_TEST

START_TEST(plain_syn_steps_aside)
{
	for (int answered = 0; answered < 2; answered++) {
		world_begin(PROXY_CONNECT_FIRST);
		give_capable("192.0.2.1:4000");
		if (answered)
			connected(0, 0);
		ck_assert_int_eq(give("192.0.2.1:4000", TCP_SYN, 1000, false, 0), PROXY_PASS);
		ck_assert(w.server[0].closed && w.server[0].reset);
		ck_assert_uint_eq(proxy_session_count(w.proxy), 0);
		ck_assert_uint_eq(count(CNT_STEP_ASIDE_PLAIN_SYN), 1);
		/* What follows belongs to the plain connection. */
		ck_assert_int_eq(give("192.0.2.1:4000", TCP_ACK, 1001, false, 0), PROXY_PASS);
		world_end();
	}
}
END_TEST

/* ---- relaying ------------------------------------------------------------------- */

START_TEST(both_ways_client_ends_first)
{
	world_begin(PROXY_CONNECT_FIRST);
	establish();
	w.to_send = 3000000;
	w.shut = true;
	w.server[0].out_total = 2000000;
	run(20 * SECOND);
	ck_assert_uint_eq(w.server[0].in, 3000000);
	ck_assert(w.server[0].shut);
	ck_assert_uint_eq(w.received, 2000000);
	ck_assert(!(w.events & MPTCP_EVENT_FIN));
	/* The other half stays open as long as the server likes. */
	run(1000 * SECOND);
	ck_assert_uint_eq(proxy_session_count(w.proxy), 1);
	w.server[0].out_total += 500000;
	w.server[0].fin = true;
	run(5 * SECOND);
	ck_assert_uint_eq(w.received, 2500000);
	ck_assert(w.events & MPTCP_EVENT_FIN);
	ck_assert(w.server[0].closed && !w.server[0].reset);
	ck_assert_uint_eq(proxy_session_count(w.proxy), 0);
	ck_assert_uint_eq(count(CNT_SESSIONS_DONE), 1);
	ck_assert_uint_eq(count(CNT_BYTES_TO_SERVER), 3000000);
	ck_assert_uint_eq(count(CNT_BYTES_TO_CLIENT), 2500000);
	ck_assert_uint_eq(w.passed, 0);
	ck_assert_uint_eq(proxy_memory(w.proxy), 0);
	/* Nothing is left to do once all old flows have expired. */
	run(600 * SECOND);
	ck_assert_int_eq(w.forgotten, 1);
	ck_assert_uint_eq(proxy_deadline(w.proxy), TIMER_NEVER);
	world_end();
}
END_TEST

START_TEST(server_ends_first)
{
	world_begin(PROXY_CONNECT_FIRST);
	establish();
	w.server[0].out_total = 700000;
	w.server[0].fin = true;
	run(5 * SECOND);
	ck_assert_uint_eq(w.received, 700000);
	ck_assert(w.events & MPTCP_EVENT_FIN);
	ck_assert(!w.server[0].closed);
	run(1000 * SECOND);
	ck_assert_uint_eq(proxy_session_count(w.proxy), 1);
	w.to_send = 400000;
	w.shut = true;
	client_turn();
	run(20 * SECOND);
	ck_assert_uint_eq(w.server[0].in, 400000);
	ck_assert(w.server[0].closed && !w.server[0].reset);
	ck_assert_uint_eq(proxy_session_count(w.proxy), 0);
	ck_assert_uint_eq(count(CNT_SESSIONS_DONE), 1);
	world_end();
}
END_TEST

START_TEST(partial_reads_and_writes)
{
	world_begin(PROXY_CONNECT_FIRST);
	establish();
	w.server[0].io_max = 777;
	w.to_send = 300000;
	w.shut = true;
	w.server[0].out_total = 300000;
	w.server[0].fin = true;
	run(60 * SECOND);
	ck_assert_uint_eq(w.server[0].in, 300000);
	ck_assert_uint_eq(w.received, 300000);
	ck_assert_uint_gt(count(CNT_COPIED_BYTES), 0);
	ck_assert(w.server[0].closed && !w.server[0].reset);
	ck_assert_uint_eq(proxy_session_count(w.proxy), 0);
	world_end();
}
END_TEST

START_TEST(server_that_does_not_read)
{
	world_begin(PROXY_CONNECT_FIRST);
	w.service.mptcp.rcvbuf_initial = 100000;
	w.service.mptcp.rcvbuf_max = 300000;
	establish();
	w.server[0].room = 50000;
	w.to_send = 5000000;
	client_turn();
	run(30 * SECOND);
	ck_assert_uint_eq(w.server[0].in, 50000);
	ck_assert_uint_le(w.memory_peak, 300000 + 4 * POOL_BLOCK);
	ck_assert(w.server[0].want_w);
	/* It wakes up: everything comes, in order. */
	w.server[0].room = UINT64_MAX;
	w.shut = true;
	run(120 * SECOND);
	ck_assert_uint_eq(w.server[0].in, 5000000);
	ck_assert(w.server[0].shut);
	ck_assert(!w.server[0].want_w);
	world_end();
}
END_TEST

START_TEST(client_that_does_not_read)
{
	world_begin(PROXY_CONNECT_FIRST);
	w.service.mptcp.sndbuf_initial = 100000;
	w.service.mptcp.sndbuf_max = 200000;
	w.mptcp.rcvbuf_initial = w.mptcp.rcvbuf_max = 50000;
	establish();
	w.read_slowly = true;
	w.server[0].out_total = 5000000;
	run(30 * SECOND);
	ck_assert_uint_le(w.received, 60000);
	ck_assert_uint_le(w.server[0].out, 50000 + 200000 + 10000);
	ck_assert(!w.server[0].want_r);
	w.read_slowly = false;
	client_turn();
	w.server[0].fin = true;
	run(120 * SECOND);
	ck_assert_uint_eq(w.received, 5000000);
	ck_assert(w.events & MPTCP_EVENT_FIN);
	world_end();
}
END_TEST

START_TEST(client_leaves_bytes_behind)
{
	world_begin(PROXY_CONNECT_FIRST);
	establish();
	w.server[0].room = 0;
	w.server[0].fin = true;
	w.to_send = 100000;
	w.shut = true;
	client_turn();
	run(30 * SECOND);
	/* The client is done, the server has not read: the session waits, not for ever. */
	ck_assert(w.events & MPTCP_EVENT_CLOSED);
	ck_assert_uint_eq(proxy_session_count(w.proxy), 1);
	w.server[0].room = 60000;
	run(50 * SECOND);
	ck_assert_uint_eq(w.server[0].in, 60000);
	ck_assert_uint_eq(proxy_session_count(w.proxy), 1);
	w.server[0].room = UINT64_MAX;
	run(SECOND);
	ck_assert_uint_eq(w.server[0].in, 100000);
	ck_assert(w.server[0].closed && !w.server[0].reset);
	ck_assert_uint_eq(proxy_session_count(w.proxy), 0);
	world_end();
}
END_TEST

START_TEST(server_never_reads_what_is_left)
{
	world_begin(PROXY_CONNECT_FIRST);
	establish();
	w.server[0].room = 0;
	w.server[0].fin = true;
	w.to_send = 100000;
	w.shut = true;
	client_turn();
	/* A server may pause for minutes. */
	run(600 * SECOND);
	ck_assert(!w.server[0].closed);
	run(400 * SECOND);
	ck_assert(w.server[0].closed && w.server[0].reset);
	ck_assert_uint_eq(proxy_session_count(w.proxy), 0);
	ck_assert_uint_eq(count(CNT_SESSIONS_RESET), 1);
	ck_assert_uint_eq(proxy_memory(w.proxy), 0);
	world_end();
}
END_TEST

START_TEST(memory_runs_out)
{
	world_begin(PROXY_CONNECT_FIRST);
	w.config.memory_bytes = 1 << 20;
	ck_assert_int_eq(proxy_set_config(w.proxy, &w.config), 0);
	w.service.mptcp.rcvbuf_initial = w.service.mptcp.rcvbuf_max = 4 << 20;
	establish();
	w.server[0].room = 0;
	w.to_send = 4 << 20;
	client_turn();
	run(60 * SECOND);
	/* More was promised than there is: the bound holds, the connection does not. */
	ck_assert_uint_le(w.memory_peak, (1 << 20) + (1 << 18));
	ck_assert(w.server[0].closed && w.server[0].reset);
	ck_assert_uint_eq(proxy_session_count(w.proxy), 0);
	ck_assert_uint_eq(proxy_memory(w.proxy), 0);
	world_end();
}
END_TEST

/* ---- resets --------------------------------------------------------------------- */

START_TEST(server_resets)
{
	for (int writing = 0; writing < 2; writing++) {
		world_begin(PROXY_CONNECT_FIRST);
		establish();
		w.server[0].error = writing ? EPIPE : ECONNRESET;
		if (writing) {
			w.server[0].want_r = false;
			w.to_send = 1000;
			client_turn();
		}
		run(SECOND);
		ck_assert(w.server[0].closed);
		ck_assert(w.events & MPTCP_EVENT_RESET);
		ck_assert_uint_eq(count(CNT_MP_FASTCLOSE_OUT), 1);
		run(20 * SECOND);
		ck_assert_uint_eq(proxy_session_count(w.proxy), 0);
		ck_assert_uint_eq(count(CNT_SESSIONS_RESET), 1);
		world_end();
	}
}
END_TEST

START_TEST(client_resets)
{
	world_begin(PROXY_CONNECT_FIRST);
	establish();
	w.server[0].room = 0;
	w.to_send = 50000;
	client_turn();
	run(SECOND);
	mptcp_abort(w.conn, w.now);
	client_turn();
	run(SECOND);
	ck_assert(w.server[0].closed && w.server[0].reset);
	run(20 * SECOND);
	ck_assert_uint_eq(proxy_session_count(w.proxy), 0);
	ck_assert_uint_eq(count(CNT_SESSIONS_RESET), 1);
	ck_assert_uint_eq(proxy_memory(w.proxy), 0);
	world_end();
}
END_TEST

START_TEST(client_vanishes_with_data_under_way)
{
	world_begin(PROXY_CONNECT_FIRST);
	establish();
	w.cut = true;
	mptcp_free(w.conn);
	w.conn = NULL;
	w.server[0].out_total = 100000;
	run(3600 * SECOND);
	ck_assert(w.server[0].closed && w.server[0].reset);
	ck_assert_uint_eq(proxy_session_count(w.proxy), 0);
	world_end();
}
END_TEST

START_TEST(shutdown_tells_the_client)
{
	world_begin(PROXY_CONNECT_FIRST);
	establish();
	w.server[0].out_total = 100000;
	proxy_free(w.proxy, w.now);
	ck_assert(w.server[0].closed && w.server[0].reset);
	client_receive();
	ck_assert(w.events & MPTCP_EVENT_RESET);
	w.proxy = NULL;
	world_end();
}
END_TEST

/* ---- accept-first --------------------------------------------------------------- */

START_TEST(accept_first_keeps_early_data)
{
	world_begin(PROXY_ACCEPT_FIRST);
	w.to_send = 50000;
	w.shut = true;
	client_open();
	run(SECOND);
	ck_assert(w.events & MPTCP_EVENT_ESTABLISHED);
	ck_assert_uint_eq(w.sent, 50000);
	ck_assert_uint_eq(w.server[0].in, 0);
	connected(0, 0);
	run(SECOND);
	ck_assert_uint_eq(w.server[0].in, 50000);
	ck_assert(w.server[0].shut);
	w.server[0].fin = true;
	run(5 * SECOND);
	ck_assert(w.server[0].closed && !w.server[0].reset);
	ck_assert_uint_eq(proxy_session_count(w.proxy), 0);
	world_end();
}
END_TEST

START_TEST(accept_first_refused_resets)
{
	for (int silent = 0; silent < 2; silent++) {
		world_begin(PROXY_ACCEPT_FIRST);
		w.to_send = 1000;
		client_open();
		run(SECOND);
		ck_assert(w.events & MPTCP_EVENT_ESTABLISHED);
		if (!silent)
			connected(0, ECONNREFUSED);
		run(30 * SECOND);
		ck_assert(w.events & MPTCP_EVENT_RESET);
		ck_assert_uint_eq(count(silent ? CNT_SERVER_TIMEOUT : CNT_SERVER_REFUSED), 1);
		ck_assert_uint_eq(proxy_session_count(w.proxy), 0);
		world_end();
	}
}
END_TEST

/* ---- subflows ------------------------------------------------------------------- */

START_TEST(joins_find_their_session)
{
	struct flow_tuple tx;

	world_begin(PROXY_CONNECT_FIRST);
	establish();
	proxy_drain(w.proxy);
	client_tuple(&tx, "192.0.2.77:5000");
	ck_assert_ptr_nonnull(mptcp_join_active(w.conn, &tx, 1, false, w.now));
	client_turn();
	run(SECOND);
	ck_assert_uint_eq(count(CNT_MP_JOIN_DONE), 1);
	w.to_send = 1000000;
	w.shut = true;
	w.server[0].out_total = 1000000;
	w.server[0].fin = true;
	client_turn();
	run(20 * SECOND);
	ck_assert_uint_eq(w.server[0].in, 1000000);
	ck_assert_uint_eq(w.received, 1000000);
	ck_assert_uint_eq(proxy_session_count(w.proxy), 0);
	ck_assert_int_eq(w.opened, 1);
	run(600 * SECOND);
	ck_assert_int_eq(w.forgotten, 2);
	world_end();
}
END_TEST

START_TEST(joins_before_establishment_are_refused)
{
	struct packet p;
	uint32_t token;

	world_begin(PROXY_CONNECT_FIRST);
	client_open();
	run(5000);
	connected(0, 0);
	client_receive();
	token = w.conn->remote_token;
	wire_clear(&w.up);
	ck_assert_int_eq(give("192.0.2.9:9", TCP_SYN, 1, false, token), PROXY_TAKE);
	ck_assert_uint_eq(w.down.count, 1);
	ck_assert_int_eq(packet_parse(w.down.q[0].data, w.down.q[0].len, &p), 0);
	ck_assert(p.tcp.flags & TCP_RST);
	ck_assert_int_eq(p.tuple.dst.port, 9);
	world_end();
}
END_TEST

START_TEST(path_mtu_is_believed_with_care)
{
	uint8_t icmp[128] = { 0 };
	struct packet p;
	uint64_t sum;
	size_t len;

	world_begin(PROXY_CONNECT_FIRST);
	give_capable("192.0.2.1:4000");
	connected(0, 0);
	ck_assert_uint_eq(w.down.count, 1);
	ck_assert_int_eq(packet_parse(w.down.q[0].data, w.down.q[0].len, &p), 0);
	/* "Fragmentation needed" about the SYN/ACK. */
	len = 28;
	memcpy(icmp, w.down.q[0].data, 20);
	icmp[9] = 1;
	icmp[20] = 3;
	icmp[21] = 4;
	icmp[26] = 1000 >> 8;
	icmp[27] = 1000 & 0xff;
	memcpy(icmp + len, w.down.q[0].data, 40);
	len += 40;
	icmp[2] = 0;
	icmp[3] = (uint8_t)len;
	icmp[10] = icmp[11] = 0;
	sum = csum_add(0, icmp, 20);
	csum_store(icmp + 10, (uint16_t)~csum_fold(sum));
	sum = csum_add(0, icmp + 20, len - 20);
	csum_store(icmp + 22, (uint16_t)~csum_fold(sum));
	ck_assert_int_eq(packet_parse(icmp, len, &p), 0);
	ck_assert_int_eq(p.kind, PACKET_ICMP_ERROR);
	ck_assert_int_eq(proxy_packet(w.proxy, icmp, len, false, w.now), PROXY_TAKE);
	flush();
	ck_assert_uint_eq(proxy_session_count(w.proxy), 1);
	/* About a flow that is not ours. */
	icmp[28 + 22] ^= 1;
	icmp[22] = icmp[23] = 0;
	sum = csum_add(0, icmp + 20, len - 20);
	csum_store(icmp + 22, (uint16_t)~csum_fold(sum));
	ck_assert_int_eq(proxy_packet(w.proxy, icmp, len, false, w.now), PROXY_PASS_KEEP);
	world_end();
}
END_TEST

/* ---- after the end -------------------------------------------------------------- */

START_TEST(old_flows_answer)
{
	struct packet p;

	world_begin(PROXY_CONNECT_FIRST);
	establish();
	w.server[0].error = ECONNRESET;
	run(3 * SECOND);
	ck_assert_uint_eq(proxy_session_count(w.proxy), 0);
	ck_assert_int_eq(w.forgotten, 0);
	/* A stray segment must not reach the server. */
	wire_clear(&w.down);
	ck_assert_int_eq(give("192.0.2.1:4000", TCP_ACK, 77, false, 0), PROXY_TAKE);
	ck_assert_uint_eq(w.down.count, 1);
	ck_assert_int_eq(packet_parse(w.down.q[0].data, w.down.q[0].len, &p), 0);
	ck_assert(p.tcp.flags & TCP_RST);
	ck_assert_int_eq(give("192.0.2.1:4000", TCP_RST, 77, false, 0), PROXY_TAKE);
	ck_assert_uint_eq(w.down.count, 1);
	/* A new connection from the same port is welcome. */
	ck_assert_int_eq(give_capable("192.0.2.1:4000"), PROXY_TAKE);
	ck_assert_int_eq(w.opened, 2);
	world_end();
}
END_TEST

/* A session that ends by FINs from both sides leaves its flow in TIME-WAIT; returns
 * the sequence number that is expected on it. */
static uint32_t leave_time_wait(void)
{
	struct packet p;

	world_begin(PROXY_CONNECT_FIRST);
	establish();
	w.server[0].fin = true;
	run(SECOND);
	w.shut = true;
	client_turn();
	run(3 * SECOND);
	ck_assert_uint_eq(proxy_session_count(w.proxy), 0);
	wire_clear(&w.down);
	ck_assert_int_eq(give("192.0.2.1:4000", TCP_ACK | TCP_FIN, 77, false, 0), PROXY_TAKE);
	ck_assert_uint_eq(w.down.count, 1);
	ck_assert_int_eq(packet_parse(w.down.q[0].data, w.down.q[0].len, &p), 0);
	ck_assert_uint_eq(p.tcp.flags, TCP_ACK);
	wire_clear(&w.down);
	return p.tcp.ack;
}

/* RFC 9293, section 3.10.7.4 */
START_TEST(time_wait_answers)
{
	uint32_t seq = leave_time_wait();

	ck_assert_int_eq(give("192.0.2.1:4000", TCP_ACK, seq, false, 0), PROXY_TAKE);
	ck_assert_uint_eq(w.down.count, 0);
	ck_assert_int_eq(w.forgotten, 0);
	ck_assert_int_eq(give("192.0.2.1:4000", TCP_RST, seq, false, 0), PROXY_TAKE);
	ck_assert_uint_eq(w.down.count, 0);
	ck_assert_int_eq(w.forgotten, 1);
	ck_assert_int_eq(give("192.0.2.1:4000", TCP_ACK, seq, false, 0), PROXY_PASS);
	world_end();

	seq = leave_time_wait();
	ck_assert_int_eq(give("192.0.2.1:4000", TCP_SYN, seq + 1000, true, 0), PROXY_TAKE);
	ck_assert_int_eq(w.opened, 2);
	ck_assert_uint_eq(proxy_session_count(w.proxy), 1);
	world_end();
}
END_TEST

START_TEST(arbitrary_packets_do_no_harm)
{
	uint64_t seed = 3;
	uint8_t data[256];

	for (int round = 0; round < 40; round++) {
		world_begin(round % 2 ? PROXY_ACCEPT_FIRST : PROXY_CONNECT_FIRST);
		w.config.max_half_open = 2;
		establish();
		for (int i = 0; i < 2000 && w.opened < MAX_SERVERS; i++) {
			uint8_t flags = (uint8_t)unit_random(&seed);
			bool capable = !unit_random_below(&seed, 8);
			size_t len = make_packet(data, "192.0.2.1:4000", flags & 0x3f,
						 (uint32_t)unit_random(&seed), capable,
						 w.conn->remote_token, 20);
			bool known = unit_random_below(&seed, 8);

			if (unit_random_below(&seed, 2))
				data[unit_random_below(&seed, len)] ^= (uint8_t)unit_random(&seed);
			if (!unit_random_below(&seed, 8))
				len = unit_random_below(&seed, len + 1);
			proxy_packet(w.proxy, data, len, known, w.now);
			if (!unit_random_below(&seed, 4))
				run(unit_random_below(&seed, 200000));
		}
		for (int i = 1; i < w.opened; i++)
			if (w.server[i].open)
				connected(i, i % 2 ? 0 : ECONNREFUSED);
		run(1000 * SECOND);
		world_end();
	}
}
END_TEST

static bool count_session(void *ctx, const struct session_info *info)
{
	int *n = ctx;

	ck_assert_str_eq(info->service, "web");
	ck_assert_ptr_nonnull(info->conn);
	ck_assert_uint_eq(info->id % 4, 3);
	return ++*n < 2;
}

START_TEST(status_lists_sessions)
{
	int n = 0;

	world_begin(PROXY_CONNECT_FIRST);
	proxy_set_worker(w.proxy, 3, 4);
	give_capable("192.0.2.1:1");
	give_capable("192.0.2.1:2");
	give_capable("192.0.2.1:3");
	proxy_sessions(w.proxy, count_session, &n);
	ck_assert_int_eq(n, 2);
	ck_assert_uint_eq(proxy_session_count(w.proxy), 3);
	world_end();
}
END_TEST

START_TEST(config_is_replaced)
{
	struct proxy_config other;
	struct proxy_service moved;
	struct port_range port = { 8080, 8080 };

	world_begin(PROXY_CONNECT_FIRST);
	other = w.config;
	moved = w.service;
	moved.ports = &port;
	other.services = &moved;
	establish();
	ck_assert_int_eq(proxy_set_config(w.proxy, &other), 0);
	memset(&w.service, 0xee, sizeof(w.service));
	memset(&w.config, 0xee, sizeof(w.config));
	ck_assert_int_eq(give_capable("192.0.2.1:9"), PROXY_PASS);
	w.to_send = 10000;
	client_turn();
	run(SECOND);
	ck_assert_uint_eq(w.server[0].in, 10000);
	world_end();
}
END_TEST

UNIT_MAIN("proxy/session", refused_is_refused, unreachable_is_told, silence_is_silence,
	  client_gives_up_while_connecting, handshake_is_bounded, source_may_be_the_gateway,
	  others_are_passed, damaged_packets_of_ours_are_dropped, limits_shed,
	  ended_sessions_count_no_more, no_socket_sheds_for_a_while, memory_sheds,
	  plain_syn_steps_aside, both_ways_client_ends_first, server_ends_first,
	  partial_reads_and_writes, server_that_does_not_read, client_that_does_not_read,
	  client_leaves_bytes_behind, server_never_reads_what_is_left, memory_runs_out,
	  server_resets, client_resets,
	  client_vanishes_with_data_under_way, shutdown_tells_the_client,
	  accept_first_keeps_early_data, accept_first_refused_resets, joins_find_their_session,
	  joins_before_establishment_are_refused, path_mtu_is_believed_with_care,
	  old_flows_answer, time_wait_answers,
	  arbitrary_packets_do_no_harm, status_lists_sessions, config_is_replaced)
