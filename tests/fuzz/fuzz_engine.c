/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sequences of packets, time and calls against a whole MPTCP connection, bare or behind
 * the proxy.  The input's first bytes choose the set-up: bare and passive, bare and
 * active, or a proxy with a scripted server.  The handshake is a valid one; then each
 * operation takes a few bytes of the input.  Segments are those of a well-behaved peer
 * unless the input bends them: flags, numbers, window, options, payload.
 *
 * What must hold whatever comes: mptcp_check(), well-formed packets out, the right bytes
 * in each mapping sent, a clock that gets ahead, an end to every aborted connection, and
 * no memory kept.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/timer.h"
#include "mptcp/internal.h"
#include "mptcp/mptcp.h"
#include "proxy/proxy.h"
#include "wire/checksum.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(x) do { if (!(x)) abort(); } while (0)

#define PEER_KEY 0x0706050403020100u
#define SECOND 1000000ull
#define FLOWS 6
#define SERVERS 4
#define OPS_MAX 400
#define QUEUE_MAX (4u << 20)            /* bytes for the peer, so that runs are short */
#define HELD_MAX 64

struct flow_state {
	bool used;
	struct flow_tuple tuple;        /* peer to engine */
	uint32_t isn, seq;              /* ours: the next byte to send */
	uint32_t irs, ack;              /* the engine's: the next byte to expect */
	uint32_t nonce, engine_nonce;
	bool join;
	int life;                       /* of which connection: w.life then */
};

struct server {
	struct session *session;
	bool open, asked, connected, shut, want_r, want_w, fin, read_out;
	uint64_t out, out_total, room;
	int error;
};

/* Everything of one input. */
static struct {
	const uint8_t *data;
	size_t size;
	bool proxied, active, lazy;     /* lazy: the server's answer is an operation */
	uint64_t now, random;
	uint16_t mss;                   /* what our SYNs say */
	uint8_t wscale;
	uint8_t sum;                    /* of all bytes delivered, so that they are read */
	struct counters counters;
	struct packet_sink sink;
	struct flow_state flow[FLOWS];
	int life;                       /* behind the proxy: how often there was a new one */
	uint8_t version;
	uint64_t engine_key, engine_idsn, idsn;
	bool engine_key_known;
	uint64_t dsn, data_ack;         /* next to send; next to expect */

	/* bare */
	struct mptcp_env env;
	struct pool pool;
	struct mptcp_conn *conn;
	struct mptcp_config cfg;
	uint64_t unread, queued;

	/* behind the proxy */
	struct proxy *proxy;
	struct proxy_config config;
	struct proxy_service service;
	struct ip_prefix prefix;
	struct port_range port;
	struct server server[SERVERS];
	int servers;
	uint8_t *held[HELD_MAX];        /* packets of this batch */
	int held_count;
} w;

/* ---- the input -------------------------------------------------------------------- */

static uint8_t get8(void)
{
	if (!w.size)
		return 0;
	w.size--;
	return *w.data++;
}

static uint32_t get16(void)
{
	uint32_t hi = get8();

	return hi << 8 | get8();
}

static uint32_t get32(void)
{
	uint32_t hi = get16();

	return hi << 16 | get16();
}

/* A number near 0, or anything. */
static uint32_t get_delta(unsigned kind)
{
	switch (kind & 3) {
	case 0:
		return 0;
	case 1:
		return (uint32_t)(int32_t)(int8_t)get8();
	case 2:
		return (uint32_t)(int32_t)(int16_t)get16();
	default:
		return get32();
	}
}

static uint8_t fill(uint32_t offset)
{
	return (uint8_t)(offset * 0x9e3779b1u >> 24);
}

/* ---- what the engine asks for ----------------------------------------------------- */

static void fake_random(void *ctx, void *buf, size_t len)
{
	uint8_t *p = buf;

	(void)ctx;
	while (len--) {
		w.random = w.random * 6364136223846793005u + 1442695040888963407u;
		*p++ = (uint8_t)(w.random >> 56);
	}
}

static void deliver(void *owner, const uint8_t *data, size_t len, bool transient)
{
	(void)owner;
	(void)transient;
	for (size_t i = 0; i < len; i++)
		w.sum ^= data[i];
	w.unread += len;
}

static int fake_open(void *ctx, struct session *session, const struct ip_endpoint *from,
		     const struct ip_endpoint *to, void **server)
{
	struct server *s;

	(void)ctx;
	(void)from;
	(void)to;
	if (w.servers == SERVERS)
		return -EMFILE;
	s = &w.server[w.servers++];
	s->session = session;
	s->open = true;
	s->room = UINT64_MAX;
	*server = s;
	return 0;
}

static ssize_t fake_writev(void *ctx, void *server, const struct iovec *iov, int n)
{
	struct server *s = server;
	size_t done = 0;

	(void)ctx;
	REQUIRE(s->open && s->connected && !s->shut && n > 0);
	if (s->error)
		return -s->error;
	for (int i = 0; i < n; i++) {
		const uint8_t *p = iov[i].iov_base;

		for (size_t j = 0; j < iov[i].iov_len && done < s->room; j++, done++)
			w.sum ^= p[j];
	}
	if (!done)
		return -EAGAIN;
	if (s->room != UINT64_MAX)
		s->room -= done;
	return (ssize_t)done;
}

static ssize_t fake_readv(void *ctx, void *server, const struct iovec *iov, int n)
{
	struct server *s = server;
	size_t done = 0;

	(void)ctx;
	REQUIRE(s->open && s->connected && n > 0);
	if (s->error)
		return -s->error;
	if (s->out == s->out_total) {
		s->read_out = s->fin;
		return s->fin ? 0 : -EAGAIN;
	}
	for (int i = 0; i < n; i++) {
		uint8_t *p = iov[i].iov_base;

		for (size_t j = 0; j < iov[i].iov_len && s->out < s->out_total; j++, done++)
			p[j] = fill((uint32_t)s->out++);
	}
	return (ssize_t)done;
}

static void fake_want(void *ctx, void *server, bool readable, bool writable)
{
	struct server *s = server;

	(void)ctx;
	REQUIRE(s->open);
	s->want_r = readable;
	s->want_w = writable;
}

static void fake_shutdown(void *ctx, void *server)
{
	struct server *s = server;

	(void)ctx;
	REQUIRE(s->open && !s->shut);
	s->shut = true;
}

static void fake_close(void *ctx, void *server, bool reset)
{
	struct server *s = server;

	(void)ctx;
	(void)reset;
	REQUIRE(s->open);
	s->open = false;
}

static void fake_forget(void *ctx, const struct flow_tuple *tuple)
{
	(void)ctx;
	(void)tuple;
}

static void fake_raw(void *ctx, const uint8_t *data, size_t len)
{
	struct packet p;

	(void)ctx;
	REQUIRE(packet_parse(data, len, &p) == 0 && p.kind == PACKET_ICMP_ERROR);
}

static const struct proxy_ops ops = {
	.server_open = fake_open, .server_writev = fake_writev, .server_readv = fake_readv,
	.server_want = fake_want, .server_shutdown = fake_shutdown, .server_close = fake_close,
	.flow_forget = fake_forget, .emit_raw = fake_raw, .random = fake_random,
};

/* ---- what the engine sends -------------------------------------------------------- */

static struct flow_state *find_flow(const struct flow_tuple *rx)
{
	for (int i = 0; i < FLOWS; i++)
		if (w.flow[i].used && flow_tuple_equal(&w.flow[i].tuple, rx))
			return &w.flow[i];
	return NULL;
}

static void learn_key(const struct mptcp_capable *c)
{
	uint32_t token;

	w.version = c->version;
	w.engine_key = c->sender_key;
	w.engine_key_known = true;
	mptcp_key_derive(w.version, w.engine_key, &token, &w.engine_idsn);
	mptcp_key_derive(w.version, PEER_KEY, &token, &w.idsn);
	w.data_ack = w.engine_idsn + 1;
	w.dsn = w.idsn + 1;
}

/* Who may have sent it: an old connection can linger on the same addresses. */
struct senders {
	const struct flow_tuple *rx;
	const struct mptcp_conn *conn[SERVERS];
	int count;
};

static void add_sender(struct senders *who, const struct mptcp_conn *conn)
{
	const struct mptcp_subflow *sf;

	list_for_each(sf, &conn->subflows, link)
		if (flow_tuple_equal(&sf->rx, who->rx) && who->count < SERVERS) {
			who->conn[who->count++] = conn;
			return;
		}
}

static bool add_session(void *ctx, const struct session_info *info)
{
	if (info->conn)
		add_sender(ctx, info->conn);
	return true;
}

/* Whether the bytes of a mapping are those of its place in this connection's stream. */
static bool mapping_right(const struct mptcp_conn *conn, const struct flow_state *f,
			  const struct packet *p)
{
	const struct mptcp_dss *d = &p->tcp.mptcp.dss;
	uint32_t len = d->data_len - d->data_fin, offset, token;
	uint32_t at = p->tcp.seq - f->irs - d->ssn;     /* of the payload, in the mapping */
	uint64_t idsn;

	mptcp_key_derive(conn->version, conn->local_key, &token, &idsn);
	offset = (uint32_t)d->dsn - (uint32_t)(idsn + 1);
	for (uint32_t i = 0; i < p->payload_len; i++)
		if (at + i < len && p->payload[i] != fill(offset + at + i))
			return false;
	if (d->has_checksum && !at && p->payload_len == len &&
	    d->checksum != mptcp_dss_checksum(idsn + 1 + offset, d->ssn, d->data_len,
					      csum_add(0, p->payload, len)))
		return false;
	return true;
}

static void check_mapping(const struct flow_state *f, const struct packet *p)
{
	const struct mptcp_dss *d = &p->tcp.mptcp.dss;
	struct senders who = { .rx = &f->tuple };
	uint64_t end;
	int right = 0;

	if (!d->data_len)
		return;
	if (w.proxied)
		proxy_sessions(w.proxy, add_session, &who);
	else if (w.conn)
		add_sender(&who, w.conn);
	for (int i = 0; i < who.count; i++)
		right += mapping_right(who.conn[i], f, p);
	REQUIRE(right || !who.count);
	/* The peer acknowledges what was mapped, as if nothing were lost. */
	end = w.data_ack + (uint64_t)(int64_t)(int32_t)((uint32_t)d->dsn + d->data_len -
							(uint32_t)w.data_ack);
	if ((int64_t)(end - w.data_ack) > 0)
		w.data_ack = end;
}

static void emit(void *ctx, const struct packet_out *o)
{
	static uint8_t data[PACKET_MAX + PACKET_HEADER_MAX];
	size_t len = o->headers_len, payload_len = 0;
	struct flow_state *f;
	struct flow_tuple rx;
	struct packet p;

	(void)ctx;
	REQUIRE(o->headers_len + o->payload_len <= PACKET_MAX);
	for (int i = 0; i < o->payload_iovs; i++) {
		memcpy(data + len, o->payload[i].iov_base, o->payload[i].iov_len);
		len += o->payload[i].iov_len;
	}
	payload_len = len - o->headers_len;
	REQUIRE(payload_len == o->payload_len);
	packet_finish_checksum(o->headers, o->headers_len, o->ip_len,
			       csum_add(0, data + o->headers_len, payload_len));
	memcpy(data, o->headers, o->headers_len);
	REQUIRE(packet_parse(data, len, &p) == 0 && p.kind == PACKET_TCP);
	REQUIRE(packet_checksum_ok(&p) && p.payload_len == payload_len);
	flow_tuple_reverse(&rx, &p.tuple);
	f = find_flow(&rx);
	if (!f || p.tcp.flags & TCP_RST)
		return;
	if (p.tcp.mptcp.present & MPOPT_CAPABLE && p.tcp.mptcp.capable.key_count &&
	    !w.engine_key_known && f->life == w.life)
		learn_key(&p.tcp.mptcp.capable);
	if (p.tcp.flags & TCP_SYN) {
		f->irs = p.tcp.seq;
		f->ack = p.tcp.seq + 1;
		if (p.tcp.mptcp.present & (MPOPT_JOIN_SYN | MPOPT_JOIN_SYNACK))
			f->engine_nonce = p.tcp.mptcp.join.nonce;
		return;
	}
	len = payload_len + !!(p.tcp.flags & TCP_FIN);
	if ((int32_t)(p.tcp.seq + (uint32_t)len - f->ack) > 0)
		f->ack = p.tcp.seq + (uint32_t)len;
	if (p.tcp.mptcp.present & MPOPT_DSS && p.tcp.mptcp.dss.has_map && w.engine_key_known)
		check_mapping(f, &p);
}

/* ---- driving it ------------------------------------------------------------------- */

static bool check_session(void *ctx, const struct session_info *info)
{
	(void)ctx;
	if (info->conn)
		mptcp_check(info->conn);
	return true;
}

static void check(void)
{
	if (w.proxied)
		proxy_sessions(w.proxy, check_session, NULL);
	else if (w.conn)
		mptcp_check(w.conn);
}

static uint64_t deadline(void)
{
	if (w.proxied)
		return proxy_deadline(w.proxy);
	return w.conn ? mptcp_deadline(w.conn) : TIMER_NEVER;
}

static void serve(struct server *s)
{
	bool readable, writable;

	if (s->open && !s->connected) {
		if (!s->asked)
			return;
		s->connected = !s->error;
		s->asked = false;
		proxy_server_connected(s->session, s->error, w.now);
		return;
	}
	if (!s->open)
		return;
	readable = s->want_r && (s->out < s->out_total || s->fin || s->error);
	writable = s->want_w && (s->room || s->error);
	if (readable || writable)
		proxy_server_ready(s->session, readable, writable, w.now);
	if (s->read_out && s->error)
		proxy_server_lost(s->session);
}

static void free_conn(void)
{
	struct mptcp_subflow *sf;

	while ((sf = mptcp_reap(w.conn)))
		mptcp_subflow_free(sf);
	mptcp_free(w.conn);
	w.conn = NULL;
}

static void run_once(void)
{
	struct mptcp_subflow *sf;

	if (w.proxied) {
		for (int i = 0; i < w.servers; i++)
			serve(&w.server[i]);
		proxy_timeout(w.proxy, w.now);
		proxy_flush(w.proxy, w.now);
		for (int i = 0; i < w.held_count; i++)
			free(w.held[i]);
		w.held_count = 0;
		for (int i = 0; !w.lazy && i < w.servers; i++)
			w.server[i].asked = true;
	} else if (w.conn) {
		if (mptcp_deadline(w.conn) <= w.now)
			mptcp_timeout(w.conn, w.now);
		mptcp_output(w.conn, &w.sink, w.now);
		while ((sf = mptcp_reap(w.conn)))
			mptcp_subflow_free(sf);
		if (w.conn->events & MPTCP_EVENT_CLOSED)
			free_conn();
		else
			w.conn->events = 0;
	}
	check();
}

/* Until all is done that can be done now. */
static void run(void)
{
	int rounds = 0;

	do {
		run_once();
		REQUIRE(rounds++ < 1000);
	} while (deadline() <= w.now);
	if (w.proxied)
		run_once();
}

static void advance(uint64_t us)
{
	uint64_t until = w.now + us, next;

	run();
	for (int i = 0; i < 100; i++) {
		next = deadline();
		if (next > until)
			break;
		if (next > w.now)
			w.now = next;
		run();
	}
	if (until > w.now)
		w.now = until;
	run();
}

/* ---- packets to the engine -------------------------------------------------------- */

struct segment {
	struct tcp_header h;
	uint8_t mptcp[TCP_OPTIONS_MAX + 60];
	size_t mptcp_len;
	uint8_t *payload;
	size_t payload_len;
};

static struct mptcp_subflow *find_subflow(const struct flow_tuple *rx)
{
	struct mptcp_subflow *sf;

	if (w.conn)
		list_for_each(sf, &w.conn->subflows, link)
			if (flow_tuple_equal(&sf->rx, rx))
				return sf;
	return NULL;
}

static void input_bare(const struct packet *p)
{
	struct mptcp_subflow *sf = find_subflow(&p->tuple);
	enum mptcp_reset_reason reason;

	if (sf)
		mptcp_input(w.conn, sf, p, w.now);
	else if (w.conn && p->tcp.mptcp.present & MPOPT_JOIN_SYN &&
		 p->tcp.mptcp.join.token == w.conn->local_token &&
		 (p->tcp.flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN &&
		 !mptcp_join_passive(w.conn, p, w.now, &reason))
		mptcp_refuse_join(&w.counters, w.conn->version, p, reason, &w.sink);
}

static void input(uint8_t *data, size_t len)
{
	struct packet p;

	if (w.proxied) {
		if (w.held_count == HELD_MAX)
			run_once();
		w.held[w.held_count++] = data;
		proxy_packet(w.proxy, data, len, false, w.now);
		return;
	}
	if (!packet_parse(data, len, &p) && p.kind == PACKET_TCP && packet_checksum_ok(&p)) {
		if (!w.conn && !w.active && p.tcp.mptcp.present & MPOPT_CAPABLE &&
		    (p.tcp.flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN)
			w.conn = mptcp_new_passive(&w.env, &w.cfg, &p, NULL, deliver, w.now);
		else
			input_bare(&p);
	}
	free(data);
}

/* The packet goes into a block of its exact size, so that reads past it are seen. */
static void send_segment(const struct flow_state *f, struct segment *s)
{
	uint8_t headers[PACKET_HEADER_MAX], options[TCP_OPTIONS_MAX], *data;
	size_t ip_len, n;
	int opt_len;

	if (s->mptcp_len > TCP_OPTIONS_MAX)
		s->mptcp_len = TCP_OPTIONS_MAX;
	s->h.src_port = f->tuple.src.port;
	s->h.dst_port = f->tuple.dst.port;
	opt_len = tcp_options_build(options, &s->h.opt, s->mptcp, s->mptcp_len);
	if (opt_len < 0) {
		memset(&s->h.opt, 0, sizeof(s->h.opt));
		opt_len = tcp_options_build(options, &s->h.opt, s->mptcp, s->mptcp_len);
		REQUIRE(opt_len >= 0);
	}
	n = packet_build_tcp(headers, &f->tuple, &s->h, options, (size_t)opt_len, s->payload_len,
			     0, 0, &ip_len);
	packet_finish_checksum(headers, n, ip_len, csum_add(0, s->payload, s->payload_len));
	data = malloc(n + s->payload_len);
	REQUIRE(data);
	memcpy(data, headers, n);
	if (s->payload_len)
		memcpy(data + n, s->payload, s->payload_len);
	input(data, n + s->payload_len);
}

static void segment_init(struct segment *s, const struct flow_state *f, uint8_t flags)
{
	memset(s, 0, sizeof(*s));
	s->h.flags = flags;
	s->h.seq = f->seq;
	s->h.ack = flags & TCP_ACK ? f->ack : 0;
	s->h.window = 65535;
	if (flags & TCP_SYN) {
		s->h.opt.has_mss = s->h.opt.has_wscale = s->h.opt.sack_permitted = true;
		s->h.opt.mss = w.mss;
		s->h.opt.wscale = w.wscale;
	}
}

static void add_capable(struct segment *s, uint8_t keys, uint16_t data_len)
{
	struct mptcp_capable c = {
		.version = w.version, .flags = MPTCP_CAP_HMAC_SHA, .key_count = keys,
		.sender_key = PEER_KEY, .receiver_key = w.engine_key,
		.has_data_len = data_len != 0, .data_len = data_len,
	};

	if (w.cfg.checksum)
		c.flags |= MPTCP_CAP_CHECKSUM;
	s->mptcp_len = mptcp_option_build_capable(s->mptcp, &c);
}

static void add_join(struct segment *s, const struct flow_state *f, unsigned kind)
{
	struct mptcp_join j = { .addr_id = (uint8_t)(f - w.flow), .nonce = f->nonce };
	uint64_t idsn;

	switch (kind) {
	case 0:
		mptcp_key_derive(w.version, w.engine_key, &j.token, &idsn);
		s->mptcp_len = mptcp_option_build_join_syn(s->mptcp, &j);
		break;
	case 1:
		mptcp_join_mac(w.version, PEER_KEY, w.engine_key, f->nonce, f->engine_nonce,
			       j.mac);
		s->mptcp_len = mptcp_option_build_join_synack(s->mptcp, &j);
		break;
	default:
		mptcp_join_mac(w.version, PEER_KEY, w.engine_key, f->nonce, f->engine_nonce,
			       j.mac);
		s->mptcp_len = mptcp_option_build_join_ack(s->mptcp, &j);
		break;
	}
}

static void add_dss(struct segment *s, const struct flow_state *f, bool map, bool fin)
{
	struct mptcp_dss d = {
		.has_ack = true, .ack_is64 = true, .data_ack = w.data_ack,
		.has_map = map || fin, .dsn_is64 = true, .dsn = w.dsn,
		.ssn = map ? s->h.seq - f->isn : 0,
		.data_len = (uint16_t)((map ? s->payload_len : 0) + fin), .data_fin = fin,
	};

	if (d.has_map && w.cfg.checksum) {
		d.has_checksum = true;
		d.checksum = mptcp_dss_checksum(d.dsn, d.ssn, d.data_len,
						csum_add(0, s->payload, map ? s->payload_len : 0));
	}
	s->mptcp_len = mptcp_option_build_dss(s->mptcp, &d);
}

static struct flow_state *flow_open(int i, bool join, uint8_t kind)
{
	struct flow_state *f = &w.flow[i];
	uint8_t peer[4] = { 192, 0, 2, (uint8_t)(10 + i) }, engine[4] = { 198, 51, 100, 1 };

	memset(f, 0, sizeof(*f));
	f->used = true;
	f->join = join;
	f->life = w.life;
	ip_addr_from_v4(&f->tuple.src.addr, peer);
	ip_addr_from_v4(&f->tuple.dst.addr, engine);
	f->tuple.src.port = (uint16_t)(40000 + i);
	f->tuple.dst.port = 80;
	f->isn = f->seq = kind & 1 ? 0xfffffff0u : 5000u * (uint32_t)(i + 1);
	f->nonce = 0x1234u + (uint32_t)i;
	return f;
}

/* The next step of a well-behaved handshake. */
static void op_handshake(struct flow_state *f)
{
	bool started = f->irs || f->ack;
	struct segment s;

	if (!f->used)
		return;
	if (w.active) {
		segment_init(&s, f, TCP_SYN | TCP_ACK);
		s.h.seq = f->isn;
		f->seq = f->isn + 1;
		if (f->join)
			add_join(&s, f, 1);
		else
			add_capable(&s, 1, 0);
	} else if (!started) {
		segment_init(&s, f, TCP_SYN);
		s.h.seq = f->isn;
		f->seq = f->isn + 1;
		if (f->join)
			add_join(&s, f, 0);
		else
			add_capable(&s, w.version ? 0 : 1, 0);
	} else {
		segment_init(&s, f, TCP_ACK);
		if (f->join)
			add_join(&s, f, 2);
		else
			add_capable(&s, 2, 0);
	}
	send_segment(f, &s);
}

/* ---- operations ------------------------------------------------------------------- */

static struct flow_state *get_flow(uint8_t code)
{
	struct flow_state *f = &w.flow[(code >> 4) % FLOWS];

	return f->used ? f : &w.flow[0];
}

/* Data, or only an acknowledgement, as it should be. */
static void op_good(struct flow_state *f, size_t len, bool fin)
{
	static uint8_t payload[2048];
	struct segment s;

	if (len > 1400)
		len = 1400;
	segment_init(&s, f, TCP_ACK);
	s.payload = payload;
	s.payload_len = len;
	for (size_t i = 0; i < len; i++)
		payload[i] = fill((uint32_t)(w.dsn + i));
	add_dss(&s, f, len, fin);
	send_segment(f, &s);
	f->seq += (uint32_t)len;
	w.dsn += len + fin;
}

static void bend_dss(struct segment *s, const struct flow_state *f)
{
	uint8_t a = get8(), b = get8();
	struct mptcp_dss d = {
		.has_ack = a & 1, .ack_is64 = a & 2, .has_map = a & 4, .dsn_is64 = a & 8,
		.data_fin = (a & 0x14) == 0x14,
	};
	size_t n = s->payload_len;

	d.data_ack = w.data_ack + (uint64_t)(int64_t)(int32_t)get_delta(b);
	d.dsn = w.dsn + (uint64_t)(int64_t)(int32_t)get_delta(b >> 2);
	if (!d.ack_is64)
		d.data_ack = (uint32_t)d.data_ack;
	if (!d.dsn_is64)
		d.dsn = (uint32_t)d.dsn;
	d.ssn = s->h.seq - f->isn + get_delta(b >> 4);
	d.data_len = (uint16_t)(n + d.data_fin + get_delta(b >> 6));
	d.has_checksum = d.has_map && w.cfg.checksum != !!(a & 0x20);
	if ((a & 0x84) == 0x84) {
		/* An infinite mapping, here or retroactive. */
		d.data_len = 0;
		d.data_fin = false;
	} else if (d.has_checksum) {
		if (d.data_len < n)
			n = d.data_len;
		d.checksum = (uint16_t)(mptcp_dss_checksum(d.dsn, d.ssn, d.data_len,
							   csum_add(0, s->payload, n)) +
					!!(a & 0x40));
	}
	s->mptcp_len = mptcp_option_build_dss(s->mptcp, &d);
}

static void bend_options(struct segment *s, const struct flow_state *f)
{
	uint8_t kind = get8(), ids[3];
	struct mptcp_add_addr a = { .addr_id = 3 };
	struct mptcp_capable c;
	uint8_t *out = s->mptcp + s->mptcp_len;

	switch (kind % 16) {
	case 0:
		break;
	case 1:
		s->mptcp_len = 0;
		break;
	case 2:
	case 3:
	case 4:
		bend_dss(s, f);
		break;
	case 5:
		add_capable(s, (kind >> 4) % 3, kind & 0x80 ? (uint16_t)s->payload_len : 0);
		break;
	case 6:
		memset(&c, 0, sizeof(c));
		c.version = kind >> 4 & 1;
		c.flags = get8();
		c.key_count = get8() % 3;
		c.sender_key = get8() & 1 ? PEER_KEY : get32();
		c.receiver_key = w.engine_key;
		c.data_len = (uint16_t)get16();
		c.has_data_len = c.key_count == 2 && c.version;
		c.has_checksum = c.has_data_len && c.flags & MPTCP_CAP_CHECKSUM;
		c.checksum = (uint16_t)get16();
		s->mptcp_len = mptcp_option_build_capable(s->mptcp, &c);
		break;
	case 7:
		add_join(s, f, (kind >> 4) % 3);
		break;
	case 8:
		ip_addr_from_v4(&a.addr, (const uint8_t[]){ 192, 0, 2, 77 });
		a.echo = kind & 0x10;
		a.has_mac = !a.echo && w.version;
		a.port = kind & 0x20 ? 4321 : 0;
		if (s->mptcp_len + 20 <= TCP_OPTIONS_MAX)
			s->mptcp_len += mptcp_option_build_add_addr(out, &a, w.version);
		break;
	case 9:
		ids[0] = get8();
		ids[1] = get8();
		ids[2] = get8();
		s->mptcp_len += mptcp_option_build_remove_addr(out, ids, 1 + (kind >> 4) % 3);
		break;
	case 10:
		s->mptcp_len += mptcp_option_build_prio(out, kind & 0x10);
		break;
	case 11:
		if (s->mptcp_len + 12 <= TCP_OPTIONS_MAX)
			s->mptcp_len += mptcp_option_build_fail(
				out, w.data_ack + (uint64_t)(int64_t)(int32_t)
				get_delta(kind >> 4));
		break;
	case 12:
		if (s->mptcp_len + 12 <= TCP_OPTIONS_MAX)
			s->mptcp_len += mptcp_option_build_fastclose(
				out, w.engine_key + !!(kind & 0x10));
		break;
	case 13:
		s->mptcp_len += mptcp_option_build_tcprst(out, kind >> 4 & 1, kind >> 5);
		break;
	default:
		s->mptcp_len = kind >> 4;
		for (size_t i = 0; i < s->mptcp_len; i++)
			s->mptcp[i] = get8();
		break;
	}
}

/* A segment, with whatever the input wants changed. */
static void op_bent(struct flow_state *f)
{
	static uint8_t payload[20000];
	uint8_t what = get8(), shape;
	struct segment s;

	segment_init(&s, f, TCP_ACK);
	s.payload = payload;
	if (what & 1)
		s.h.flags = get8();
	shape = get8();
	s.h.seq += get_delta(shape);
	s.h.ack += get_delta(shape >> 2);
	switch (shape >> 4 & 3) {
	case 1:
		s.payload_len = get8();
		break;
	case 2:
		s.payload_len = 1400;
		break;
	case 3:
		s.payload_len = get16() % sizeof(payload);
		break;
	}
	for (size_t i = 0; i < s.payload_len; i++)
		payload[i] = fill((uint32_t)(w.dsn + i));
	if (what & 2)
		s.h.window = (uint16_t)(get8() << (shape >> 6 & 3) * 2);
	if (w.engine_key_known)
		add_dss(&s, f, s.payload_len, false);
	if (what & 4)
		bend_options(&s, f);
	if (what & 8) {
		s.h.opt.sack_count = (uint8_t)(1 + get8() % TCP_SACK_MAX);
		for (int i = 0; i < s.h.opt.sack_count; i++) {
			s.h.opt.sack[i].begin = f->ack - get16();
			s.h.opt.sack[i].end = s.h.opt.sack[i].begin + get16();
		}
	}
	if (what & 0x10) {
		s.h.opt.has_ts = true;
		s.h.opt.ts_val = (uint32_t)(w.now / 1000) + get_delta(shape);
		s.h.opt.ts_ecr = get_delta(shape >> 2);
	}
	if (s.h.flags & TCP_SYN && what & 0x20) {
		s.h.opt.has_mss = true;
		s.h.opt.mss = (uint16_t)get16();
		s.h.opt.has_wscale = true;
		s.h.opt.wscale = get8();
		s.h.opt.sack_permitted = true;
	}
	send_segment(f, &s);
	if (what & 0x40) {
		f->seq += (uint32_t)s.payload_len + !!(s.h.flags & TCP_FIN);
		w.dsn += s.payload_len;
	}
}

/* An ICMP error about a segment of the engine, or bytes of the input. */
static void op_raw(struct flow_state *f)
{
	uint8_t kind = get8(), *data;
	size_t len = kind & 1 ? 56 : get8();

	data = calloc(1, len ? len : 1);
	REQUIRE(data);
	if (kind & 1) {
		uint32_t seq = f->ack - get16(), at = 0;

		memcpy(data, (const uint8_t[]){ 0x45, 0, 0, 56, 0, 0, 0, 0, 64, 1, 0, 0,
						10, 0, 0, 1, 198, 51, 100, 1 }, 20);
		data[20] = 3;
		data[21] = kind & 2 ? 4 : get8();
		at = get16();
		data[26] = (uint8_t)(at >> 8);
		data[27] = (uint8_t)at;
		memcpy(data + 28, (const uint8_t[]){ 0x45, 0, 5, 220, 0, 0, 0, 0, 64, 6, 0, 0,
						     198, 51, 100, 1, 192, 0, 2, 0,
						     0, 80 }, 22);
		data[47] = (uint8_t)(10 + (f - w.flow));
		data[50] = (uint8_t)(f->tuple.src.port >> 8);
		data[51] = (uint8_t)f->tuple.src.port;
		for (int i = 0; i < 4; i++)
			data[52 + i] = (uint8_t)(seq >> (24 - 8 * i));
		csum_store(data + 22, (uint16_t)~csum_fold(csum_add(0, data + 20, 36)));
	} else {
		for (size_t i = 0; i < len; i++)
			data[i] = get8();
	}
	if (w.proxied)
		input(data, len);
	else
		free(data);
}

static void queue(size_t len)
{
	struct iovec iov[8];
	size_t done = 0;
	int n;

	if (!w.conn || w.conn->mode == MPTCP_MODE_PENDING || w.conn->fin_queued)
		return;
	n = mptcp_send_reserve(w.conn, len, iov, 8);
	for (int i = 0; i < n; i++) {
		uint8_t *p = iov[i].iov_base;

		for (size_t j = 0; j < iov[i].iov_len; j++, done++)
			p[j] = fill((uint32_t)(w.queued + done));
	}
	if (n)
		mptcp_send_commit(w.conn, done);
	w.queued += done;
}

static void op_queue(size_t len)
{
	if (!w.proxied) {
		if (w.queued < QUEUE_MAX)
			queue(len);
		return;
	}
	for (int i = 0; i < w.servers; i++)
		if (w.server[i].open && w.server[i].out_total < QUEUE_MAX)
			w.server[i].out_total += len;
}

static void op_consume(size_t len)
{
	if (w.proxied) {
		for (int i = 0; i < w.servers; i++)
			w.server[i].room = len == 65535 ? UINT64_MAX : len;
		return;
	}
	if (len > w.unread)
		len = w.unread;
	if (w.conn && len)
		mptcp_consumed(w.conn, len, w.now);
	w.unread -= len;
}

static void op_shutdown(void)
{
	if (w.proxied) {
		for (int i = 0; i < w.servers; i++)
			w.server[i].fin = true;
	} else if (w.conn && w.conn->mode != MPTCP_MODE_PENDING && !w.conn->fin_queued) {
		mptcp_shutdown(w.conn, w.now);
	}
}

static void op_abort(uint8_t kind)
{
	static const int errors[] = { ECONNRESET, ECONNREFUSED, EPIPE, ETIMEDOUT, EHOSTUNREACH };

	if (!w.proxied) {
		if (w.conn)
			mptcp_abort(w.conn, w.now);
	} else if (kind & 1) {
		proxy_drain(w.proxy);
	} else if (w.servers) {
		w.server[kind % w.servers].error = errors[(kind >> 3) % 5];
	}
}

static void op_accept(void)
{
	if (w.proxied)
		for (int i = 0; i < w.servers; i++)
			w.server[i].asked = true;
	else if (w.conn && !w.active && w.conn->mode == MPTCP_MODE_PENDING)
		mptcp_accept(w.conn, w.now);
}

static void op_join(int i, uint8_t kind)
{
	struct flow_state *f = &w.flow[i];
	struct flow_tuple tx;

	/* Not the addresses of a subflow that lives. */
	if (!w.proxied && f->used && find_subflow(&f->tuple))
		return;
	f = flow_open(i, !(w.proxied && kind & 0x80), kind);
	if (w.active && !w.proxied) {
		flow_tuple_reverse(&tx, &f->tuple);
		if (!w.conn || w.conn->mode != MPTCP_MODE_MPTCP ||
		    !mptcp_join_active(w.conn, &tx, (uint8_t)i, kind & 2, w.now))
			f->used = false;
		run();
		if (kind & 4)
			op_handshake(f);
		return;
	}
	if (!f->join) {
		w.engine_key_known = false;
		f->life = ++w.life;
	}
	op_handshake(f);
	run();
	if (kind & 4)
		op_handshake(f);
}

static void step(void)
{
	uint8_t code = get8();
	struct flow_state *f = get_flow(code);
	uint8_t arg;

	switch (code & 15) {
	case 0:
	case 1:
	case 2:
	case 3:
		op_bent(f);
		break;
	case 4:
		op_good(f, get16(), false);
		break;
	case 5:
		op_good(f, 0, false);
		break;
	case 6:
		op_good(f, get8(), true);
		break;
	case 7:
		arg = get8();
		advance(arg & 0x80 ? (arg & 0x7f) * SECOND : arg * 2000u);
		break;
	case 8:
		if (deadline() != TIMER_NEVER && deadline() > w.now)
			w.now = deadline();
		run();
		break;
	case 9:
		op_queue(get16());
		break;
	case 10:
		op_consume(get16());
		break;
	case 11:
		arg = get8();
		if (arg & 1)
			op_shutdown();
		else if (arg & 2)
			op_abort(arg >> 2);
		else
			op_accept();
		break;
	case 12:
		arg = get8();
		op_join(1 + (code >> 4) % (FLOWS - 1), arg);
		break;
	case 13:
		op_handshake(f);
		break;
	case 14:
		op_raw(f);
		break;
	case 15:
		/* Some packets are in one batch. */
		run();
		return;
	}
	check();
	if (code & 0x80)
		run();
}

/* ---- begin and end ---------------------------------------------------------------- */

static void begin(void)
{
	uint8_t a = get8(), b = get8();
	struct mptcp_config *c = &w.cfg;

	memset(w.flow, 0, sizeof(w.flow));
	w.now = SECOND;
	w.random = 7;
	w.proxied = a & 1;
	w.active = !w.proxied && a & 2;
	w.lazy = a & 4;
	w.version = a & 8 ? 0 : 1;
	w.sink = (struct packet_sink){ NULL, emit };
	mptcp_config_default(c);
	c->checksum = a & 16;
	if (!w.version)
		c->versions = MPTCP_VERSION_BIT(0);
	if (b & 1)
		c->sndbuf_initial = 8192;
	if (b & 2)
		c->rcvbuf_initial = c->rcvbuf_max = 16384;
	if (b & 4)
		c->tcp.timestamps = !c->tcp.timestamps;
	if (b & 8)
		c->max_subflows = 2;
	if (b & 16)
		c->orphan_us = SECOND;
	if (b & 32)
		c->tcp.sack = false;
	if (w.proxied) {
		REQUIRE(!ip_prefix_parse("198.51.100.0/24", &w.prefix));
		w.port = (struct port_range){ 80, 80 };
		strcpy(w.service.name, "web");
		w.service.prefixes = &w.prefix;
		w.service.prefix_count = 1;
		w.service.ports = &w.port;
		w.service.port_count = 1;
		w.service.upstream_original = true;
		w.service.handshake = a & 2 ? PROXY_ACCEPT_FIRST : PROXY_CONNECT_FIRST;
		w.service.source = PROXY_SOURCE_CLIENT;
		w.service.mptcp = *c;
		w.config.services = &w.service;
		w.config.service_count = 1;
		w.config.max_connections = 3;
		w.config.stateless_half_open = b & 128 ? 1 : UINT32_MAX;
		w.config.memory_bytes = b & 64 ? 1 << 20 : 64 << 20;
		w.config.connect_timeout_us = 10 * SECOND;
		w.proxy = proxy_new(&w.config, &ops, &w, &w.sink, &w.counters);
		REQUIRE(w.proxy);
	} else {
		pool_init(&w.pool, b & 64 ? 1 << 20 : 0, 0);
		mptcp_env_init(&w.env, &w.counters, &w.pool);
		w.env.random = fake_random;
	}
}

static void open_first(bool whole)
{
	struct flow_state *f = flow_open(0, false, 1);
	struct flow_tuple tx;

	if (w.active) {
		flow_tuple_reverse(&tx, &f->tuple);
		w.conn = mptcp_new_active(&w.env, &w.cfg, &tx, NULL, deliver, w.now);
		REQUIRE(w.conn);
	} else {
		op_handshake(f);
		if (!w.proxied && !w.conn)
			return;
	}
	run();
	if (!w.lazy)
		op_accept();
	run();
	if (whole && !w.lazy)
		op_handshake(f);
	run();
}

static void end(void)
{
	if (w.proxied) {
		run();
		proxy_free(w.proxy, w.now);
		for (int i = 0; i < w.servers; i++)
			REQUIRE(!w.server[i].open);
		return;
	}
	if (w.conn) {
		mptcp_abort(w.conn, w.now);
		run();
	}
	/* Nobody answers any more. */
	for (int i = 0; w.conn && i < 10000 && deadline() != TIMER_NEVER; i++) {
		if (deadline() > w.now)
			w.now = deadline();
		run();
	}
	REQUIRE(!w.conn);
	mptcp_env_fini(&w.env);
	REQUIRE(!w.pool.used_bytes);
	pool_fini(&w.pool);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t how;

	memset(&w, 0, sizeof(w));
	w.data = data;
	w.size = size;
	begin();
	how = get8();
	w.mss = how & 2 ? (uint16_t)get16() : 1460;
	w.wscale = how & 4 ? get8() : 4;
	open_first(!(how & 1));
	for (int i = 0; w.size && i < OPS_MAX; i++)
		step();
	run();
	end();
	return 0;
}
