/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A scripted MPTCP client against one passive connection: exact packets in, exact
 * packets out, under a clock that the test moves.
 *
 *	struct peer p;
 *	peer_init(&p);                          then p.cfg may be changed
 *	peer_open(&p);                          SYN in, SYN/ACK out, ACK with both keys in
 *	data = peer_data(&p, &p.first, 0, "hello", 5);
 *	peer_send(&p, &p.first, &data);
 *	peer_run(&p);                           lets the connection send
 *	out = peer_next(&p);                    the packets it sent, one by one
 *	peer_fini(&p);
 *
 * A `flow` is the client's side of one subflow.  Streams are plain arrays, compared by
 * the tests themselves.
 */
#ifndef TESTS_MPTCP_PEER_H
#define TESTS_MPTCP_PEER_H

#include <string.h>

#include "base/timer.h"
#include "mptcp/mptcp.h"
#include "mptcp/internal.h"
#include "unit.h"
#include "wire/packet.h"

#define PEER_KEY  0x0706050403020100u
#define PEER_OUT_MAX 256

struct peer_flow {
	struct mptcp_subflow *sf;
	struct flow_tuple tuple;        /* client to server */
	uint32_t seq, ack;              /* next to send, next expected */
	uint32_t isn, peer_isn;
	uint16_t window;
};

struct peer_out {
	struct packet p;
	uint8_t data[PACKET_MAX];
	size_t len;
};

struct peer {
	struct counters counters;
	struct pool pool;
	struct mptcp_env env;
	struct mptcp_config cfg;
	struct mptcp_conn *conn;
	uint64_t now_us, random_state;
	uint16_t window;                /* announced by the first subflow; 0: 65535 */
	struct peer_flow first, second;
	uint64_t server_key, server_idsn, client_idsn;
	struct packet_sink sink;
	struct peer_out *out[PEER_OUT_MAX];
	int out_count, out_read;
	uint8_t received[1 << 20];      /* what the connection delivered */
	size_t received_len;
};

static void peer_random_(void *ctx, void *buf, size_t len)
{
	struct peer *p = ctx;
	uint8_t *b = buf;

	while (len--)
		*b++ = (uint8_t)unit_random(&p->random_state);
}

static void peer_deliver_(void *owner, const uint8_t *data, size_t len, bool transient)
{
	struct peer *p = owner;

	(void)transient;
	ck_assert_uint_le(p->received_len + len, sizeof(p->received));
	memcpy(p->received + p->received_len, data, len);
	p->received_len += len;
}

static void peer_emit_(void *ctx, const struct packet_out *o)
{
	struct peer *p = ctx;
	struct peer_out *out;

	ck_assert_int_lt(p->out_count, PEER_OUT_MAX);
	out = p->out[p->out_count++] = malloc(sizeof(*out));
	memcpy(out->data, o->headers, o->headers_len);
	out->len = o->headers_len;
	for (int i = 0; i < o->payload_iovs; i++) {
		memcpy(out->data + out->len, o->payload[i].iov_base, o->payload[i].iov_len);
		out->len += o->payload[i].iov_len;
	}
	ck_assert_int_eq(packet_parse(out->data, out->len, &out->p), 0);
	ck_assert_int_eq(out->p.kind, PACKET_TCP);
	ck_assert_uint_eq(out->p.payload_len, o->payload_len);
}

static inline void peer_init(struct peer *p)
{
	memset(p, 0, sizeof(*p));
	pool_init(&p->pool, 0, 1 << 20);
	mptcp_env_init(&p->env, &p->counters, &p->pool);
	p->env.ctx = p;
	p->env.random = peer_random_;
	p->now_us = 1000000;
	p->random_state = 7;
	p->sink.ctx = p;
	p->sink.emit = peer_emit_;
	mptcp_config_default(&p->cfg);
}

static inline void peer_flow_init(struct peer_flow *f, uint8_t host, uint32_t isn)
{
	uint8_t client[4] = { 192, 0, 2, host }, server[4] = { 198, 51, 100, 1 };

	memset(f, 0, sizeof(*f));
	ip_addr_from_v4(&f->tuple.src.addr, client);
	f->tuple.src.port = 40000 + host;
	ip_addr_from_v4(&f->tuple.dst.addr, server);
	f->tuple.dst.port = 80;
	f->isn = isn;
	f->seq = isn;
	f->window = 65535;
}

static inline struct packet peer_packet(const struct peer_flow *f, uint8_t flags)
{
	struct packet pkt;

	memset(&pkt, 0, sizeof(pkt));
	pkt.kind = PACKET_TCP;
	pkt.tuple = f->tuple;
	pkt.tcp.src_port = f->tuple.src.port;
	pkt.tcp.dst_port = f->tuple.dst.port;
	pkt.tcp.seq = f->seq;
	pkt.tcp.ack = flags & TCP_ACK ? f->ack : 0;
	pkt.tcp.flags = flags;
	pkt.tcp.window = f->window;
	if (flags & TCP_SYN) {
		pkt.tcp.opt.has_mss = true;
		pkt.tcp.opt.mss = 1460;
		pkt.tcp.opt.has_wscale = true;
		pkt.tcp.opt.wscale = 4;
		pkt.tcp.opt.sack_permitted = true;
	}
	return pkt;
}

/* Lets the connection do what is due, without moving the clock. */
static inline void peer_run(struct peer *p)
{
	if (mptcp_deadline(p->conn) <= p->now_us)
		mptcp_timeout(p->conn, p->now_us);
	mptcp_output(p->conn, &p->sink, p->now_us);
	mptcp_check(p->conn);
}

static inline void peer_advance(struct peer *p, uint64_t us)
{
	uint64_t until = p->now_us + us;

	while (mptcp_deadline(p->conn) <= until) {
		if (mptcp_deadline(p->conn) > p->now_us)
			p->now_us = mptcp_deadline(p->conn);
		peer_run(p);
	}
	p->now_us = until;
}

/* The next packet that was sent, or NULL. */
static inline const struct packet *peer_next(struct peer *p)
{
	return p->out_read < p->out_count ? &p->out[p->out_read++]->p : NULL;
}

static inline void peer_forget(struct peer *p)
{
	p->out_read = p->out_count;
}

/* Makes room for more. */
static inline void peer_clear(struct peer *p)
{
	for (int i = 0; i < p->out_count; i++)
		free(p->out[i]);
	p->out_count = p->out_read = 0;
}

static inline void peer_send(struct peer *p, struct peer_flow *f, struct packet *pkt)
{
	pkt->tcp_len = 20 + pkt->payload_len;
	mptcp_input(p->conn, f->sf, pkt, p->now_us);
	f->seq += pkt->payload_len + !!(pkt->tcp.flags & TCP_SYN) + !!(pkt->tcp.flags & TCP_FIN);
	mptcp_check(p->conn);
}

static inline struct packet peer_capable_syn(struct peer_flow *f)
{
	struct packet syn = peer_packet(f, TCP_SYN);

	syn.tcp.mptcp.present = MPOPT_CAPABLE;
	syn.tcp.mptcp.capable.version = 1;
	syn.tcp.mptcp.capable.flags = MPTCP_CAP_HMAC_SHA;
	return syn;
}

/* SYN in, accepted, SYN/ACK out; the third ACK is the caller's. */
static inline void peer_syn(struct peer *p)
{
	const struct packet *synack;
	struct packet syn;
	uint32_t token;

	peer_flow_init(&p->first, 10, 0xfffffff0u); /* the ISN wraps soon */
	if (p->window)
		p->first.window = p->window;
	syn = peer_capable_syn(&p->first);
	p->conn = mptcp_new_passive(&p->env, &p->cfg, &syn, p, peer_deliver_, p->now_us);
	ck_assert_ptr_nonnull(p->conn);
	p->first.sf = list_first(&p->conn->subflows, struct mptcp_subflow, link);
	p->first.seq++;
	peer_run(p);
	ck_assert_ptr_null(peer_next(p));
	mptcp_accept(p->conn, p->now_us);
	peer_run(p);
	synack = peer_next(p);
	ck_assert_ptr_nonnull(synack);
	ck_assert_uint_eq(synack->tcp.flags, TCP_SYN | TCP_ACK);
	ck_assert_uint_eq(synack->tcp.ack, p->first.seq);
	ck_assert_uint_eq(synack->tcp.mptcp.present, MPOPT_CAPABLE);
	ck_assert_uint_eq(synack->tcp.mptcp.capable.key_count, 1);
	p->server_key = synack->tcp.mptcp.capable.sender_key;
	p->first.peer_isn = synack->tcp.seq;
	p->first.ack = synack->tcp.seq + 1;
	mptcp_key_derive(1, p->server_key, &token, &p->server_idsn);
	ck_assert_uint_eq(token, p->conn->local_token);
	mptcp_key_derive(1, PEER_KEY, &token, &p->client_idsn);
}

static inline struct packet peer_third_ack(struct peer *p)
{
	struct packet ack = peer_packet(&p->first, TCP_ACK);

	ack.tcp.mptcp.present = MPOPT_CAPABLE;
	ack.tcp.mptcp.capable.version = 1;
	ack.tcp.mptcp.capable.flags = MPTCP_CAP_HMAC_SHA;
	ack.tcp.mptcp.capable.key_count = 2;
	ack.tcp.mptcp.capable.sender_key = PEER_KEY;
	ack.tcp.mptcp.capable.receiver_key = p->server_key;
	return ack;
}

static inline void peer_open(struct peer *p)
{
	struct packet ack;

	peer_syn(p);
	ack = peer_third_ack(p);
	peer_send(p, &p->first, &ack);
	ck_assert_int_eq(p->conn->mode, MPTCP_MODE_MPTCP);
	ck_assert_int_eq(p->conn->state, MPTCP_ESTABLISHED);
	ck_assert(p->conn->events & MPTCP_EVENT_ESTABLISHED);
	p->conn->events = 0;
}

static inline struct packet peer_join_syn(struct peer_flow *f, uint32_t token, uint32_t nonce)
{
	struct packet syn = peer_packet(f, TCP_SYN);

	syn.tcp.mptcp.present = MPOPT_JOIN_SYN;
	syn.tcp.mptcp.join.addr_id = 2;
	syn.tcp.mptcp.join.token = token;
	syn.tcp.mptcp.join.nonce = nonce;
	return syn;
}

/* Joins p->second up to and without the third ACK; returns the server's nonce. */
static inline uint32_t peer_join_half(struct peer *p, uint32_t nonce)
{
	enum mptcp_reset_reason reason;
	const struct packet *synack;
	struct packet syn;
	uint8_t mac[20];

	peer_flow_init(&p->second, 20, 5000);
	syn = peer_join_syn(&p->second, p->conn->local_token, nonce);
	p->second.sf = mptcp_join_passive(p->conn, &syn, p->now_us, &reason);
	ck_assert_ptr_nonnull(p->second.sf);
	p->second.seq++;
	peer_forget(p);
	peer_run(p);
	synack = peer_next(p);
	ck_assert_ptr_nonnull(synack);
	ck_assert_uint_eq(synack->tcp.mptcp.present, MPOPT_JOIN_SYNACK);
	mptcp_join_mac(1, p->server_key, PEER_KEY, synack->tcp.mptcp.join.nonce, nonce, mac);
	ck_assert_mem_eq(mac, synack->tcp.mptcp.join.mac, 8);
	p->second.peer_isn = synack->tcp.seq;
	p->second.ack = synack->tcp.seq + 1;
	return synack->tcp.mptcp.join.nonce;
}

static inline void peer_join(struct peer *p)
{
	uint32_t nonce = peer_join_half(p, 0x1234);
	struct packet ack = peer_packet(&p->second, TCP_ACK);

	ack.tcp.mptcp.present = MPOPT_JOIN_ACK;
	mptcp_join_mac(1, PEER_KEY, p->server_key, 0x1234, nonce, ack.tcp.mptcp.join.mac);
	peer_send(p, &p->second, &ack);
	ck_assert_int_eq(p->second.sf->state, MPTCP_SUBFLOW_ACTIVE);
}

/* The client's data sequence number of stream byte `offset`. */
static inline uint64_t peer_dsn(const struct peer *p, uint64_t offset)
{
	return p->client_idsn + 1 + offset;
}

/* An ACK with a DATA_ACK of the first `stream` bytes of the server's stream. */
static inline struct packet peer_ack(const struct peer *p, const struct peer_flow *f,
				     uint64_t stream)
{
	struct packet ack = peer_packet(f, TCP_ACK);

	ack.tcp.mptcp.present = MPOPT_DSS;
	ack.tcp.mptcp.dss.has_ack = ack.tcp.mptcp.dss.ack_is64 = true;
	ack.tcp.mptcp.dss.data_ack = p->server_idsn + 1 + stream;
	return ack;
}

/* Data at stream offset `at`, mapped as a whole by its own segment. */
static inline struct packet peer_data(const struct peer *p, const struct peer_flow *f,
				      uint64_t at, const void *data, size_t len)
{
	struct packet d = peer_ack(p, f, 0);

	d.tcp.flags |= TCP_PSH;
	d.payload = data;
	d.payload_len = len;
	d.tcp.mptcp.dss.has_map = d.tcp.mptcp.dss.dsn_is64 = true;
	d.tcp.mptcp.dss.dsn = peer_dsn(p, at);
	d.tcp.mptcp.dss.ssn = f->seq - f->isn;
	d.tcp.mptcp.dss.data_len = (uint16_t)len;
	return d;
}

/* Queues `len` bytes of a pattern for the client. */
static inline void peer_queue(struct peer *p, size_t len)
{
	while (len) {
		struct iovec iov;

		ck_assert_int_eq(mptcp_send_reserve(p->conn, len, &iov, 1), 1);
		memset(iov.iov_base, 'd', iov.iov_len);
		mptcp_send_commit(p->conn, iov.iov_len);
		len -= iov.iov_len;
	}
}

static inline void peer_fini(struct peer *p)
{
	struct mptcp_subflow *sf;

	while (p->conn && (sf = mptcp_reap(p->conn)) != NULL)
		mptcp_subflow_free(sf);
	if (p->conn)
		mptcp_free(p->conn);
	mptcp_env_fini(&p->env);
	ck_assert_uint_eq(p->pool.used_bytes, 0);
	pool_fini(&p->pool);
	peer_clear(p);
}

#endif
