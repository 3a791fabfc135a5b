/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MP_CAPABLE and MP_JOIN handshakes, both sides (RFC 8684 and RFC 6824, sections 3.1 and
 * 3.2).
 *
 * A packet is looked at twice: before TCP sees it, to keep away what must not advance
 * the TCP handshake, and after TCP accepted it, to draw the conclusion.
 *
 *   first subflow, passive   SYN -> SYN/ACK with our key -> ACK (or first data) with both
 *                            keys: MPTCP; an in-sequence ACK without: plain TCP
 *   first subflow, active    SYN/ACK with a key: MPTCP; without: plain TCP
 *   join, passive            ACK with the right HMAC: the subflow is used
 *   join, active             SYN/ACK with the right HMAC, then ours until a fourth ACK
 *
 * In version 0 the SYN brings the client's key already.  So nothing of the third ACK is
 * missed if it gets lost: a DSS proves as much, and the first data carries nothing else.
 */
#include "base/log.h"
#include "base/timer.h"
#include "mptcp/internal.h"

void mptcp_learn_peer_key(struct mptcp_conn *conn, uint64_t key)
{
	uint64_t idsn;

	conn->remote_key = key;
	conn->peer_key_known = true;
	mptcp_key_derive(conn->version, key, &conn->remote_token, &idsn);
	conn->rcv_nxt = conn->consumed = idsn + 1;
	conn->rcv_adv = conn->rcv_told = conn->rcv_nxt + conn->rcvbuf;
	conn->rcv_round_dsn = conn->rcv_nxt;
	conn->acked_whole = conn->rcv_nxt;
	conn->rcv_whole = conn->rcv_nxt - 1;    /* nothing yet */
}

static void established(struct mptcp_subflow *sf, enum mptcp_mode mode, uint64_t now_us)
{
	struct mptcp_conn *conn = sf->conn;

	mptcp_subflow_set_state(sf, MPTCP_SUBFLOW_ACTIVE, "handshake complete");
	if (mode == MPTCP_MODE_FALLBACK) {
		mptcp_fall_back(conn, CNT_MP_FALLBACK_HANDSHAKE, "no option in the handshake",
				now_us);
		conn->snd_wnd_edge = conn->snd_una + sf->tcp.snd_wnd;
	} else {
		conn->mode = mode;
		/* Both sides know the first DSN: a short one will do at once. */
		sf->last_map_dsn = conn->snd_nxt;
		sf->mapped = true;
		sf->whole_map_seq = sf->tcp.iss;
		counter_inc(conn->env->counters, CNT_MP_CAPABLE_DONE);
		conn->snd_wnd_edge = conn->snd_una + sf->tcp.snd_wnd;
	}
	conn->rcv_round_us = now_us;
	conn->snd_pace.begin = conn->snd_nxt;
	conn->rcv_pace.begin = conn->rcv_nxt;
	conn->snd_pace.begin_us = conn->rcv_pace.begin_us = now_us;
	mptcp_set_state(conn, MPTCP_ESTABLISHED, "handshake complete");
	conn->events |= MPTCP_EVENT_ESTABLISHED;
}

bool mptcp_capable_flags_ok(const struct mptcp_capable *c)
{
	return !(c->flags & MPTCP_CAP_EXTENSIBLE) && c->flags & MPTCP_CAP_HMAC_SHA;
}

void mptcp_take_capable_flags(struct mptcp_conn *conn, const struct mptcp_capable *c)
{
	if (c->flags & MPTCP_CAP_CHECKSUM)
		conn->checksum_on = true;
	/* In version 0 this bit would be a hash algorithm. */
	conn->peer_no_join_initial = conn->version >= 1 && c->flags & MPTCP_CAP_NO_JOIN_INITIAL;
}

/* A key pair that belongs to this connection. */
static bool has_our_keys(const struct mptcp_conn *conn, const struct mptcp_options *o)
{
	return o->present & MPOPT_CAPABLE && o->capable.version == conn->version &&
	       o->capable.key_count == 2 && o->capable.receiver_key == conn->local_key &&
	       (!conn->peer_key_known || o->capable.sender_key == conn->remote_key);
}

/* Whether the packet shows that the client has our MP_CAPABLE, and we have its key. */
static bool completes(const struct mptcp_conn *conn, const struct mptcp_options *o)
{
	return has_our_keys(conn, o) ||
	       (conn->version == 0 && o->present & MPOPT_DSS && !(o->present & MPOPT_CAPABLE));
}

static bool join_before(struct mptcp_subflow *sf, const struct packet *p)
{
	struct mptcp_conn *conn = sf->conn;
	const struct mptcp_options *o = &p->tcp.mptcp;
	uint8_t mac[20];

	if (!(o->present & MPOPT_JOIN_ACK)) {
		/* Something else overtook the third ACK, or a middlebox ate its option. */
		if (!o->present && p->tcp.seq == sf->tcp.irs + 1 &&
		    p->tcp.ack == sf->tcp.snd_nxt)
			mptcp_subflow_reset(sf, MPTCP_RST_SPECIFIC, "third ACK without MP_JOIN");
		return false;
	}
	mptcp_join_mac(conn->version, conn->remote_key, conn->local_key, sf->remote_nonce,
		       sf->local_nonce, mac);
	if (!mptcp_mac_equal(mac, o->join.mac, sizeof(mac))) {
		counter_inc(conn->env->counters, CNT_MP_JOIN_BAD_MAC);
		mptcp_subflow_reset(sf, MPTCP_RST_SPECIFIC, "wrong HMAC");
		return false;
	}
	return true;
}

bool mptcp_handshake_before(struct mptcp_subflow *sf, const struct packet *p)
{
	struct mptcp_conn *conn = sf->conn;
	const struct mptcp_options *o = &p->tcp.mptcp;
	bool syn = p->tcp.flags & TCP_SYN, ack = p->tcp.flags & TCP_ACK;

	if (sf->tcp.active || p->tcp.flags & TCP_RST)
		return true;
	if (syn && !ack) {
		/* Linux drops the option from its second or third SYN: let it through. */
		if (!sf->join && !(o->present & MPOPT_CAPABLE)) {
			conn->events |= MPTCP_EVENT_PLAIN_SYN;
			return false;
		}
		return true;
	}
	if (!ack || sf->tcp.state != TCP_SYN_RECEIVED)
		return true;
	if (sf->join)
		return join_before(sf, p);
	/* A client that gives up at once may let MP_FASTCLOSE overtake its third ACK. */
	if (o->present & MPOPT_FASTCLOSE) {
		if (o->fastclose.key == conn->local_key && p->tcp.ack == sf->tcp.snd_nxt) {
			counter_inc(conn->env->counters, CNT_MP_FASTCLOSE_IN);
			mptcp_terminate(conn, "fastclose");
		}
		return false;
	}
	if (completes(conn, o))
		return true;
	/* A DSS whose sender's third ACK was lost: our SYN/ACK again will bring that back. */
	if (o->present && !(o->present & MPOPT_CAPABLE))
		return false;
	/* Without the peer's key nothing after the first bytes can be read.  Only the
	 * packet that begins at the first byte may decide for plain TCP. */
	return p->tcp.seq == sf->tcp.irs + 1;
}

static void passive_after(struct mptcp_subflow *sf, const struct packet *p, uint64_t now_us)
{
	struct mptcp_conn *conn = sf->conn;
	const struct mptcp_capable *c = &p->tcp.mptcp.capable;

	if (sf->join) {
		mptcp_subflow_set_state(sf, MPTCP_SUBFLOW_ACTIVE, "join verified");
		sf->confirmed = true;
		conn->joined_once = true;
		conn->deadline_us[MPTCP_TIMER_ORPHAN] = TIMER_NEVER;
		counter_inc(conn->env->counters, CNT_MP_JOIN_DONE);
		mptcp_address_joined(conn, sf->local_id, now_us);
		tcp_request_ack(&sf->tcp); /* the fourth ACK */
		return;
	}
	if (!completes(conn, &p->tcp.mptcp)) {
		established(sf, MPTCP_MODE_FALLBACK, now_us);
		return;
	}
	if (!conn->peer_key_known)
		mptcp_learn_peer_key(conn, c->sender_key);
	if (p->tcp.mptcp.present & MPOPT_CAPABLE && c->flags & MPTCP_CAP_CHECKSUM)
		conn->checksum_on = true;
	sf->confirmed = true;
	established(sf, MPTCP_MODE_MPTCP, now_us);
	/* Linux does not join before it has heard a DSS. */
	tcp_request_ack_soon(&sf->tcp, now_us);
}

static void active_after(struct mptcp_subflow *sf, const struct packet *p, uint64_t now_us)
{
	struct mptcp_conn *conn = sf->conn;
	const struct mptcp_options *o = &p->tcp.mptcp;
	uint8_t mac[20];

	/* Only the SYN/ACK told whether timestamps are on. */
	sf->tcp.option_len = mptcp_options_usual(conn, sf->tcp.ts_on);
	if (sf->mac_sent) {
		if (!(p->tcp.flags & TCP_ACK) || p->tcp.flags & TCP_SYN)
			return;
		sf->mac_sent = false;
		sf->deadline_us[MPTCP_SUBFLOW_TIMER_JOIN_ACK] = TIMER_NEVER;
		sf->confirmed = true;
		conn->joined_once = true;
		conn->deadline_us[MPTCP_TIMER_ORPHAN] = TIMER_NEVER;
		mptcp_subflow_set_state(sf, MPTCP_SUBFLOW_ACTIVE, "fourth ACK");
		return;
	}
	if (sf->join) {
		sf->map_offset = mptcp_rcv_offset(sf, sf->tcp.irs + 1);
		mptcp_join_mac(conn->version, conn->remote_key, conn->local_key, o->join.nonce,
			       sf->local_nonce, mac);
		if (!(o->present & MPOPT_JOIN_SYNACK) ||
		    !mptcp_mac_equal(mac, o->join.mac, 8)) {
			counter_inc(conn->env->counters, CNT_MP_JOIN_BAD_MAC);
			mptcp_subflow_reset(sf, MPTCP_RST_SPECIFIC, "SYN/ACK without right HMAC");
			return;
		}
		sf->remote_nonce = o->join.nonce;
		sf->remote_id = o->join.addr_id;
		sf->peer_backup = o->join.backup;
		sf->mac_sent = conn->mac_sent = true;
		sf->deadline_us[MPTCP_SUBFLOW_TIMER_JOIN_ACK] = now_us + 2 * (uint64_t)sf->tcp.rto_us;
		return;
	}
	sf->map_offset = mptcp_rcv_offset(sf, sf->tcp.irs + 1);
	if (!(o->present & MPOPT_CAPABLE) || o->capable.version != conn->version ||
	    o->capable.key_count != 1 || !mptcp_capable_flags_ok(&o->capable)) {
		established(sf, MPTCP_MODE_FALLBACK, now_us);
		return;
	}
	mptcp_learn_peer_key(conn, o->capable.sender_key);
	mptcp_take_capable_flags(conn, &o->capable);
	established(sf, MPTCP_MODE_MPTCP, now_us);
}

void mptcp_join_ack_timeout(struct mptcp_subflow *sf, uint64_t now_us)
{
	/* As often as a SYN. */
	if (sf->mac_repeats == sf->tcp.cfg.syn_retries) {
		mptcp_subflow_reset(sf, MPTCP_RST_PERFORMANCE, "third ACK not answered");
		return;
	}
	sf->mac_repeats++;
	sf->deadline_us[MPTCP_SUBFLOW_TIMER_JOIN_ACK] =
		now_us + (2 * (uint64_t)sf->tcp.rto_us << sf->mac_repeats);
	tcp_request_ack(&sf->tcp);
}

void mptcp_handshake_after(struct mptcp_subflow *sf, const struct packet *p,
			   const struct tcp_rx *rx, uint64_t now_us)
{
	(void)rx;
	/* TCP_CLOSED and the SYN states: not there yet, or over already. */
	if (sf->tcp.state < TCP_ESTABLISHED)
		return;
	if (sf->tcp.active)
		active_after(sf, p, now_us);
	else
		passive_after(sf, p, now_us);
}
