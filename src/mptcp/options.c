/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which MPTCP options an outgoing segment carries, and the segment itself.
 *
 * The option space is 40 bytes.  Timestamps, where they are used, take 10; a mapping with its
 * DATA_ACK takes 18, or 22 with a whole DSN (never 26: a client in the field misreads DSN and
 * DATA_ACK of 8 bytes each).  Linux answers a short DSN with short DATA_ACKs, which saves the
 * same on the way up.  What comes with a whole DSN is acknowledged by a whole DATA_ACK (RFC
 * 8684, section 3.3.2), except beside a whole DSN of ours.  Of signals only MP_FAIL waits for
 * the next pure ACK; those of address.c have ACKs of their own.
 */
#include <assert.h>
#include <string.h>

#include "base/seq.h"
#include "mptcp/internal.h"
#include "wire/checksum.h"

/* What a sequence number may advance by in MSL_US before 32 bits of it are ambiguous, and
 * the part of both that is timed. */
#define MSL_US 120000000u
#define PACE_PART 4u
#define PACE_BYTES ((UINT32_MAX / PACE_PART) + 1ull)

/*
 * Where the low half of a number could come round within the MSL, it is ambiguous (RFC
 * 8684, section 3.3.1): from 4 GiB in two minutes on.  Each GiB is timed, and what comes
 * after a fast one goes out whole.
 */
static bool is_fast(struct mptcp_pace *pace, uint64_t next, uint64_t now_us)
{
	if (next - pace->begin >= PACE_BYTES) {
		pace->fast = now_us - pace->begin_us < MSL_US / PACE_PART;
		pace->begin = next;
		pace->begin_us = now_us;
	}
	return pace->fast;
}

uint16_t mptcp_options_usual(const struct mptcp_conn *conn, bool timestamps)
{
	/* DATA_ACK, DSN, SSN, length */
	size_t dss = 4 + 4 + (conn->snd_pace.fast ? 8 : 4) + 4 + 2;

	if (conn->checksum_on)
		return (uint16_t)((timestamps ? 12 : 0) + dss + 2);
	return (uint16_t)(timestamps ? 10 + dss : dss + 2);
}

static size_t capable_for_syn(const struct mptcp_conn *conn, uint8_t *out)
{
	struct mptcp_capable c = {
		.version = conn->version,
		.flags = MPTCP_CAP_HMAC_SHA | (conn->checksum_on ? MPTCP_CAP_CHECKSUM : 0) |
			 (conn->cfg.no_join_initial && conn->version ? MPTCP_CAP_NO_JOIN_INITIAL : 0),
		.key_count = conn->active && conn->version >= 1 ? 0 : 1,
		.sender_key = conn->local_key,
	};

	return mptcp_option_build_capable(out, &c);
}

static size_t join_for_syn(const struct mptcp_subflow *sf, uint8_t *out)
{
	const struct mptcp_conn *conn = sf->conn;
	struct mptcp_join j = {
		.addr_id = sf->local_id,
		.backup = sf->backup,
		.token = conn->remote_token,
		.nonce = sf->local_nonce,
	};

	if (sf->tcp.active)
		return mptcp_option_build_join_syn(out, &j);
	mptcp_join_mac(conn->version, conn->local_key, conn->remote_key, sf->local_nonce,
		       sf->remote_nonce, j.mac);
	return mptcp_option_build_join_synack(out, &j);
}

static size_t join_ack(const struct mptcp_subflow *sf, uint8_t *out)
{
	const struct mptcp_conn *conn = sf->conn;
	struct mptcp_join j = { .addr_id = sf->local_id };

	mptcp_join_mac(conn->version, conn->local_key, conn->remote_key, sf->local_nonce,
		       sf->remote_nonce, j.mac);
	return mptcp_option_build_join_ack(out, &j);
}

static size_t fail(struct mptcp_subflow *sf, uint8_t *out)
{
	sf->fail_pending = false;
	sf->fail_sent = true;
	counter_inc(sf->conn->env->counters, CNT_MP_FAIL_OUT);
	return mptcp_option_build_fail(out, sf->fail_dsn);
}

/* Counted once for each connection: it is repeated, and goes on several RSTs. */
static size_t fastclose(struct mptcp_conn *conn, uint8_t *out)
{
	if (!conn->fastclose_counted)
		counter_inc(conn->env->counters, CNT_MP_FASTCLOSE_OUT);
	conn->fastclose_counted = true;
	return mptcp_option_build_fastclose(out, conn->remote_key);
}

static size_t reset_options(struct mptcp_subflow *sf, uint8_t *out, size_t room)
{
	struct mptcp_conn *conn = sf->conn;
	size_t n = 0;

	/* Both are of use only to a peer that speaks MPTCP on this subflow. */
	if (conn->mode == MPTCP_MODE_FALLBACK || (!sf->join && conn->mode != MPTCP_MODE_MPTCP))
		return 0;
	/* Of a connection that ends, what failed in it does not matter.  Who has not proved to be
	 * the peer is not told its key. */
	if (conn->fastclose_on_rst && room >= 12 &&
	    (sf->state != MPTCP_SUBFLOW_HANDSHAKE || sf->mac_sent))
		n += fastclose(conn, out);
	else if (sf->fail_pending && room >= 12)
		n += fail(sf, out);
	if (conn->version == 1 && room >= n + 4) {
		counter_inc(conn->env->counters, CNT_MP_TCPRST_OUT);
		n += mptcp_option_build_tcprst(out + n, sf->reset_flags, sf->reset_reason);
	}
	return n;
}

/* The first subflow of an active open repeats both keys until it has heard MPTCP, in
 * version 1 on its first data, too. */
static size_t capable_ack(const struct mptcp_subflow *sf, const struct tcp_tx *tx, uint8_t *out)
{
	const struct mptcp_conn *conn = sf->conn;
	struct mptcp_capable c = {
		.version = conn->version,
		.flags = MPTCP_CAP_HMAC_SHA | (conn->checksum_on ? MPTCP_CAP_CHECKSUM : 0),
		.key_count = 2,
		.sender_key = conn->local_key,
		.receiver_key = conn->remote_key,
	};

	if (tx->len) {
		c.has_data_len = true;
		c.data_len = tx->map_len;
		c.has_checksum = conn->checksum_on;
		c.checksum = tx->map_checksum;
	}
	return mptcp_option_build_capable(out, &c);
}

/*
 * Whether the low half of a DSN is enough (RFC 8684, section 3.3.1).  Linux extends it by
 * the mapping before it on the same subflow, so that one must have the same high half, and
 * neither may be near the end of the low one.  What is sent again is read in its turn, too,
 * so it may be short as it was at first: behind the last mapping that had to be whole.  Other
 * receivers extend it by what the connection expects: a stale subflow's must not be far behind.
 */
static bool short_dsn_fits(const struct mptcp_subflow *sf, const struct tcp_tx *tx, uint64_t dsn)
{
	const uint32_t last = UINT32_MAX - (1u << 24);

	return sf->mapped && dsn >> 32 == sf->last_map_dsn >> 32 && (uint32_t)dsn < last &&
	       (uint32_t)sf->last_map_dsn < last &&
	       (!tx->retransmission || (seq32_gt(tx->map_seq, sf->whole_map_seq) &&
					seq64_gt(dsn + (1u << 30), sf->conn->snd_una)));
}

/* A mapping's checksum, made without the DATA_FIN that its length now counts. */
static uint16_t checksum_plus_one(uint16_t checksum)
{
	static const uint8_t one[2] = { 0, 1 };

	return (uint16_t)~csum_fold(csum_add((uint16_t)~checksum, one, sizeof(one)));
}

/* Whether DSNs go out whole because of the rate; the segments' size depends on it. */
static bool whole_dsn(struct mptcp_conn *conn, uint64_t now_us)
{
	bool before = conn->snd_pace.fast, fast = is_fast(&conn->snd_pace, conn->snd_nxt, now_us);
	struct mptcp_subflow *sf;

	if (fast != before && conn->mode == MPTCP_MODE_MPTCP)
		list_for_each(sf, &conn->subflows, link)
			sf->tcp.option_len = mptcp_options_usual(conn, sf->tcp.ts_on);
	return fast;
}

/* Whether what was received with whole DSNs is not yet acknowledged by a whole DATA_ACK. */
static bool whole_ack_due(const struct mptcp_conn *conn)
{
	return seq64_gt(seq64_min(conn->rcv_whole, conn->rcv_nxt), conn->acked_whole);
}

/* Whether a DATA_ACK without a mapping beside it is whole. */
static bool whole_ack(struct mptcp_subflow *sf, uint64_t now_us)
{
	struct mptcp_conn *conn = sf->conn;

	if (whole_ack_due(conn))
		return true;
	/* A repetition; where SACK blocks need the room, they are worth more. */
	return !sf->tcp.sack_count && (is_fast(&conn->rcv_pace, conn->rcv_nxt, now_us) ||
				       seq64_geq(conn->rcv_whole, conn->rcv_nxt));
}

static void fill_dss(struct mptcp_subflow *sf, const struct tcp_tx *tx, uint64_t now_us,
		     struct mptcp_dss *d)
{
	struct mptcp_conn *conn = sf->conn;

	memset(d, 0, sizeof(*d));
	d->has_ack = true;
	d->data_ack = conn->rcv_nxt;
	if ((tx->len || !conn->fin_sent) && mptcp_infinite_for(sf, tx, d))
		return;
	if (conn->mode == MPTCP_MODE_FALLBACK && !conn->fallback_maps)
		return;
	if (tx->len) {
		d->has_map = true;
		d->dsn = tx->offset - (tx->seq - tx->map_seq);
		d->dsn_is64 = !short_dsn_fits(sf, tx, d->dsn);
		if (d->dsn_is64 && !tx->retransmission)
			sf->whole_map_seq = tx->map_seq;
		d->dsn_is64 |= whole_dsn(conn, now_us);
		d->ack_is64 = !d->dsn_is64 && whole_ack_due(conn);
		if (!tx->retransmission) {
			sf->last_map_dsn = d->dsn;
			sf->mapped = true;
		}
		d->ssn = tx->map_seq - sf->tcp.iss;
		d->data_len = tx->map_len;
		d->has_checksum = conn->checksum_on;
		d->checksum = tx->map_checksum;
		if (conn->fin_queued && d->data_len < UINT16_MAX &&
		    d->dsn + d->data_len == conn->sendq.end) {
			conn->fin_carried = d->data_fin = true;
			d->data_len++;
			d->checksum = checksum_plus_one(d->checksum);
		}
	} else if (conn->fin_sent && !conn->fin_acked) {
		/* Linux before 5.9 does not extend a short one here. */
		d->has_map = d->dsn_is64 = d->data_fin = true;
		d->dsn = conn->sendq.end;
		d->data_len = 1;
		d->has_checksum = conn->checksum_on;
		if (d->has_checksum)
			d->checksum = mptcp_dss_checksum(d->dsn, 0, 1, 0);
	} else {
		d->ack_is64 = whole_ack(sf, now_us);
	}
}

/* Encodes a DSS that is sent. */
static size_t put_dss(struct mptcp_conn *conn, const struct mptcp_dss *d, uint8_t *out)
{
	if (d->ack_is64)
		conn->acked_whole = d->data_ack;
	return mptcp_option_build_dss(out, d);
}

static size_t dss(struct mptcp_subflow *sf, const struct tcp_tx *tx, uint64_t now_us, uint8_t *out)
{
	struct mptcp_dss d;

	fill_dss(sf, tx, now_us, &d);
	return put_dss(sf->conn, &d, out);
}

/* The keys and our DATA_FIN do not fit into one ACK: they take turns. */
static bool fin_turn(const struct mptcp_conn *conn)
{
	return conn->fin_sent && !conn->fin_acked && conn->rto_backoff & 1;
}

size_t mptcp_options_for(struct mptcp_subflow *sf, const struct tcp_tx *tx, uint64_t now_us,
			 uint8_t out[TCP_OPTIONS_MAX], size_t room)
{
	struct mptcp_conn *conn = sf->conn;
	size_t n = 0;

	if (tx->flags & TCP_SYN)
		return sf->join ? join_for_syn(sf, out) : capable_for_syn(conn, out);
	if (tx->flags & TCP_RST)
		return reset_options(sf, out, room);
	if ((conn->state == MPTCP_FASTCLOSE_WAIT || sf->fastclose_due) &&
	    conn->mode == MPTCP_MODE_MPTCP && !tx->len)
		return fastclose(conn, out);
	if (sf->fail_pending && !tx->len && room >= 20) {
		n += fail(sf, out);
		/* A mapping does not fit beside it. */
		if (conn->mode == MPTCP_MODE_MPTCP) {
			struct mptcp_dss d = { .has_ack = true, .data_ack = (uint32_t)conn->rcv_nxt };

			if (conn->infinite_out || (conn->fin_sent && !conn->fin_acked))
				tcp_request_ack(&sf->tcp);
			return n + mptcp_option_build_dss(out + n, &d);
		}
	}
	if (conn->mode == MPTCP_MODE_FALLBACK) {
		if (conn->fallback_maps || (conn->infinite_out && tx->len) ||
		    (conn->fallback_acks && !tx->len && room >= n + 8))
			n += dss(sf, tx, now_us, out + n);
		return n;
	}
	if (conn->mode != MPTCP_MODE_MPTCP)
		return 0;
	if (sf->tcp.active && sf->mac_sent)
		return join_ack(sf, out);
	if (sf->tcp.active && !sf->join && !sf->confirmed &&
	    (tx->len ? conn->version >= 1 && tx->map_seq == sf->tcp.iss + 1
		     : sf->keys_asked || !fin_turn(conn))) {
		sf->keys_asked = false;
		return capable_ack(sf, tx, out);
	}
	if (sf->state == MPTCP_SUBFLOW_HANDSHAKE)
		return 0;
	n += dss(sf, tx, now_us, out + n);
	return n;
}

/* Whether MPTCP options of `len` bytes fit beside timestamps, as tcp_options_build() does. */
static bool fits(bool timestamps, size_t len)
{
	if (timestamps && len % 4 == 2)
		return 10 + len <= TCP_OPTIONS_MAX;
	return (timestamps ? 12 : 0) + ((len + 3) & ~(size_t)3) <= TCP_OPTIONS_MAX;
}

/* The options of an ACK that is sent for a signal: with a DATA_ACK unless the signal, such as
 * an ADD_ADDR of IPv6, needs all the room. */
static size_t options_with_signal(struct mptcp_subflow *sf, const struct tcp_tx *tx,
				  const struct mptcp_signal *signal, bool timestamps,
				  uint64_t now_us, uint8_t out[TCP_OPTIONS_MAX])
{
	struct mptcp_dss d;
	size_t n = 0;

	fill_dss(sf, tx, now_us, &d);
	if (fits(timestamps, mptcp_option_dss_len(&d) + signal->len))
		n = put_dss(sf->conn, &d, out);
	assert(fits(timestamps, n + signal->len));
	memcpy(out + n, signal->data, signal->len);
	return n + signal->len;
}

static void emit(struct mptcp_subflow *sf, const struct tcp_tx *tx,
		 const struct mptcp_signal *signal, const struct packet_sink *sink, uint64_t now_us)
{
	struct mptcp_conn *conn = sf->conn;
	uint8_t headers[PACKET_HEADER_MAX], options[TCP_OPTIONS_MAX], mp[TCP_OPTIONS_MAX];
	struct iovec iov[PACKET_IOV_MAX];
	struct packet_out out = { .headers = headers, .payload = iov, .tuple = &sf->tx };
	struct tcp_header h;
	size_t mp_len, plain;
	int opt_len, pieces = 0;

	memset(&h, 0, sizeof(h));
	tcp_fill_header(&sf->tcp, tx, now_us, &h);
	if ((conn->mode == MPTCP_MODE_MPTCP || conn->fallback_acks) &&
	    !(h.flags & (TCP_SYN | TCP_RST)))
		mptcp_recv_told(sf, h.window);
	h.src_port = sf->tx.src.port;
	h.dst_port = sf->tx.dst.port;
	plain = (h.opt.has_ts ? 12 : 0) + (h.flags & TCP_SYN ? 8 : 0);
	mp_len = signal ? options_with_signal(sf, tx, signal, h.opt.has_ts, now_us, mp)
			: mptcp_options_for(sf, tx, now_us, mp, TCP_OPTIONS_MAX - plain);
	opt_len = tcp_options_build(options, &h.opt, mp, mp_len);
	if (opt_len < 0) {
		/* Cannot be: the sums above leave room.  Better a bare segment than none. */
		assert(!"options do not fit");
		opt_len = 0;
	}
	if (tx->len) {
		pieces = mptcp_hoard_has(sf, tx->seq, tx->len)
				 ? mptcp_hoard_gather(sf, tx->seq, tx->len, iov, PACKET_IOV_MAX)
				 : stream_gather(&conn->sendq, tx->offset, tx->len, iov,
						 PACKET_IOV_MAX);
		assert(pieces > 0);
	}
	out.payload_iovs = pieces;
	out.payload_len = tx->len;
	out.segment_len = tx->whole ? (uint16_t)tx->len
				    : (uint16_t)tcp_payload_mss(&sf->tcp, (uint32_t)opt_len);
	out.headers_len = packet_build_tcp(headers, &sf->tx, &h, options, (size_t)opt_len,
					   tx->len, tx->ect ? PACKET_ECN_ECT0 : PACKET_ECN_NONE,
					   sf->ip_id, &out.ip_len);
	sf->ip_id += tx->len ? (uint16_t)(tx->len / out.segment_len + 1) : 1;
	sink->emit(sink->ctx, &out);
}

void mptcp_emit(struct mptcp_subflow *sf, const struct tcp_tx *tx,
		const struct packet_sink *sink, uint64_t now_us)
{
	emit(sf, tx, NULL, sink, now_us);
}

void mptcp_emit_signal(struct mptcp_subflow *sf, const struct mptcp_signal *signal,
		       const struct packet_sink *sink, uint64_t now_us)
{
	struct tcp_tx tx = { .seq = sf->tcp.snd_nxt, .flags = TCP_ACK };
	struct mptcp_dss d;

	fill_dss(sf, &tx, now_us, &d);
	/* To TCP it is an ACK like any other: a DATA_ACK that is owed and finds no room beside
	 * the signal would be forgotten. */
	if (sf->tcp.last_ack_sent != sf->tcp.rcv_nxt &&
	    !fits(sf->tcp.ts_on, mptcp_option_dss_len(&d) + signal->len))
		mptcp_emit(sf, &tx, sink, now_us);
	emit(sf, &tx, signal, sink, now_us);
}

void mptcp_refuse_join(struct counters *counters, uint8_t version, const struct packet *p,
		       enum mptcp_reset_reason reason, const struct packet_sink *sink)
{
	uint8_t headers[PACKET_HEADER_MAX], options[TCP_OPTIONS_MAX], mp[TCP_OPTIONS_MAX];
	struct packet_out out = { .headers = headers };
	struct flow_tuple tx;
	struct tcp_header h;
	size_t mp_len = 0;
	int opt_len;

	memset(&h, 0, sizeof(h));
	if (!tcp_reset_for(p, &h))
		return;
	flow_tuple_reverse(&tx, &p->tuple);
	h.src_port = tx.src.port;
	h.dst_port = tx.dst.port;
	if (version >= 1) {
		mp_len = mptcp_option_build_tcprst(mp, reason == MPTCP_RST_RESOURCES
							       ? MPTCP_TCPRST_TRANSIENT
							       : 0,
						   reason);
		counter_inc(counters, CNT_MP_TCPRST_OUT);
	}
	opt_len = tcp_options_build(options, &h.opt, mp, mp_len);
	if (opt_len < 0)
		return;
	out.tuple = &tx;
	out.headers_len = packet_build_tcp(headers, &tx, &h, options, (size_t)opt_len, 0, 0, 0,
					   &out.ip_len);
	out.segment_len = 1;
	counter_inc(counters, CNT_TCP_RST_OUT);
	sink->emit(sink->ctx, &out);
}
