/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Going on as plain TCP (RFC 8684, section 3.7): when, and how both ends come to agree.
 *
 * Only a connection whose first subflow has carried everything, each byte once, can do
 * without mappings; on any other a subflow in trouble is reset.
 *
 * Where options are missing in the handshake, on data or on its acknowledgements, the
 * fallback is immediate: mptcp_fall_back().  The peer may not have noticed, if ours still
 * reach it: so DATA_ACKs go on (`fallback_acks`), and mappings with them, which whoever
 * has fallen back ignores.  (Linux resets a subflow on an infinite mapping if it has ever
 * begun a join, even one that failed.)  With checksums, mappings would have to be right
 * about bytes that a middlebox may change: an infinite one goes out instead.
 *
 * A wrong DSS checksum takes longer.  Who sees it sends MP_FAIL on its ACKs and keeps all
 * bytes from that mapping on to itself (`failed`), because a sender that does not agree
 * sends them again.  Each ACK that a packet asks for has it, as long as none of these was the
 * answer: a DATA_ACK that comes alone, because an MP_FAIL was lost, tells a sender to repeat
 * what it leaves out.  Should such a repetition lose its options, too, it looks like data of a
 * peer that has fallen back; so data without options is no answer, but ends the subflow.
 *
 * The sender answers with MP_FAIL, by which what was kept becomes the stream, as the middlebox
 * made it (`fail_agreed`); where both fail, each takes the other's for the answer.  It puts an
 * infinite mapping on its next data (`infinite_out`), retroactive to the last DATA_ACK, and has
 * fallen back when TCP has acknowledged that data; the receiver has when the mapping arrives.
 * Until then both still read DSS options, and without more data the connection ends by DATA_FIN
 * as ever.  The mapping goes on ACKs, too, where Linux overlooks it; a receiver that does not
 * shows by packets without options that it has fallen back, and so does the sender then.
 *
 * An infinite mapping says from which byte of the subflow on which byte of the stream
 * continues.  That is mostly where the receiver is; it differs when the sender put it on
 * data that it sends again.  (Linux may, and takes all that it sent before for
 * acknowledged then.  It does so only if its data was not DATA_ACKed for long, which is one
 * more reason to do that as soon as it has agreed.)
 */
#include "base/log.h"
#include "base/seq.h"
#include "base/timer.h"
#include "mptcp/internal.h"

/* DSS with a DATA_ACK of 4 bytes, a DSN of 8 and a checksum. */
#define INFINITE_LEN (4 + 4 + 14 + 2)
/* How long a peer may take to answer MP_FAIL before its subflow is reset. */
#define FAIL_WAIT_US 30000000u

bool mptcp_may_fall_back(const struct mptcp_conn *conn)
{
	const struct mptcp_subflow *sf = mptcp_first_subflow(conn);

	/* Contiguous: whatever was sent or received took this one way, once.  Joins that
	 * are not complete have carried nothing; but once the peer has our third ACK, it may
	 * send on one, and counts it among what was joined, even if it fails here. */
	return conn->mode != MPTCP_MODE_FALLBACK && sf && !sf->join && !conn->joined_once &&
	       !conn->mac_sent && !conn->ooo.bytes && !conn->bytes_reinjected;
}

bool mptcp_peer_may_fall_back(const struct mptcp_conn *conn)
{
	const struct mptcp_subflow *sf = mptcp_first_subflow(conn);

	/* A join that is not complete here may not be there, either. */
	return sf && !sf->join && !conn->joined_once;
}

/* Those under way: a fallback knows no other subflow. */
static void reset_joins(struct mptcp_subflow *sf)
{
	struct mptcp_subflow *other;

	list_for_each(other, &sf->conn->subflows, link)
		if (other != sf)
			mptcp_subflow_reset(other, MPTCP_RST_MIDDLEBOX, "fallback");
}

/* From the last DATA_ACK on, the subflow's bytes are the stream. */
static void start_infinite(struct mptcp_subflow *sf)
{
	struct mptcp_conn *conn = sf->conn;

	if (conn->infinite_out)
		return;
	conn->infinite_out = true;
	conn->infinite_sum = conn->checksum_on;
	conn->infinite_dsn = conn->snd_una;
	conn->infinite_ssn = sf->tcp.snd_nxt - sf->tcp.fin_sent - sf->tcp.iss -
			     (uint32_t)(conn->snd_nxt - conn->snd_una);
	/* Also on an ACK, in case that nothing is left to be sent. */
	tcp_request_ack(&sf->tcp);
}

/* The size of segments depends on what options data carries in the fallback. */
static void set_option_len(struct mptcp_subflow *sf)
{
	const struct mptcp_conn *conn = sf->conn;

	if (conn->fallback_maps)
		sf->tcp.option_len = mptcp_options_usual(conn, sf->tcp.ts_on);
	else
		sf->tcp.option_len = (sf->tcp.ts_on ? 12 : 0) +
				     (conn->infinite_out ? INFINITE_LEN : 0);
}

void mptcp_fall_back(struct mptcp_conn *conn, enum counter_id reason, const char *why,
		     uint64_t now_us)
{
	struct mptcp_subflow *sf = mptcp_first_subflow(conn);

	log_debug("conn %08x: fallback to TCP (%s)", conn->local_token, why);
	reset_joins(sf);
	counter_inc(conn->env->counters, reason);
	conn->mode = MPTCP_MODE_FALLBACK;
	conn->events |= MPTCP_EVENT_FALLBACK;
	conn->reinject_count = 0;
	conn->deadline_us[MPTCP_TIMER_RTO] = TIMER_NEVER;
	conn->fallback_maps = conn->fallback_acks && !conn->checksum_on;
	if (conn->fallback_acks && conn->checksum_on)
		start_infinite(sf);
	conn->checksum_on = false;
	set_option_len(sf);
	sf->confirmed = true;
	conn->failed = conn->fail_agreed = false;
	conn->deadline_us[MPTCP_TIMER_FAIL] = TIMER_NEVER;
	mptcp_recv_fall_back(sf, now_us);
	/* From here on the subflow's ACKs clear the send queue, and its FIN is the end. */
	if (sf->tcp.state >= TCP_ESTABLISHED)
		mptcp_send_acked(conn, tcp_oldest_offset(&sf->tcp, conn->snd_nxt), now_us);
	if (conn->fin_sent)
		tcp_close(&sf->tcp, now_us);
}

/* ---- MP_FAIL -------------------------------------------------------------------- */

static void want_fail(struct mptcp_subflow *sf, uint64_t dsn)
{
	sf->fail_pending = true;
	sf->fail_dsn = dsn;
	tcp_request_ack(&sf->tcp);
}

bool mptcp_fail_begin(struct mptcp_subflow *sf, uint64_t dsn, uint64_t now_us)
{
	struct mptcp_conn *conn = sf->conn;

	counter_inc(conn->env->counters, CNT_MP_BAD_CHECKSUM);
	want_fail(sf, dsn);
	/* Not while a join is pending: the peer may use it already. */
	if (!mptcp_may_fall_back(conn) || conn->subflow_count > 1) {
		mptcp_subflow_reset(sf, MPTCP_RST_MIDDLEBOX, "DSS checksum wrong");
		return false;
	}
	log_debug("conn %08x: DSS checksum wrong, MP_FAIL", conn->local_token);
	conn->failed = true;
	/* A peer that has sent MP_FAIL takes ours for the answer. */
	conn->fail_agreed = conn->infinite_out;
	if (!conn->fail_agreed)
		conn->deadline_us[MPTCP_TIMER_FAIL] = now_us + FAIL_WAIT_US;
	return true;
}

void mptcp_fail_again(struct mptcp_conn *conn)
{
	struct mptcp_subflow *sf = mptcp_first_subflow(conn);

	if (sf && conn->failed && !conn->fail_agreed)
		sf->fail_pending = true;
}

void mptcp_fail_timeout(struct mptcp_conn *conn)
{
	struct mptcp_subflow *sf = mptcp_first_subflow(conn);

	if (sf && conn->failed) {
		sf->fail_pending = true;
		mptcp_subflow_reset(sf, MPTCP_RST_MIDDLEBOX, "MP_FAIL not answered");
	}
}

void mptcp_fail_received(struct mptcp_subflow *sf, uint64_t dsn, bool rst, uint64_t now_us)
{
	struct mptcp_conn *conn = sf->conn;

	counter_inc(conn->env->counters, CNT_MP_FAIL_IN);
	if (rst || !mptcp_may_fall_back(conn)) {
		/* The peer discards all that came on it from there on, though TCP has
		 * acknowledged it. */
		if (!rst)
			mptcp_subflow_reset(sf, MPTCP_RST_MIDDLEBOX, "MP_FAIL");
		if (seq64_geq(dsn, conn->snd_una) && conn->subflow_count > 1)
			mptcp_send_reinject_range(conn, dsn, conn->snd_nxt);
		return;
	}
	reset_joins(sf);
	if (conn->failed && !conn->fail_agreed) {
		conn->fail_agreed = true;
		conn->deadline_us[MPTCP_TIMER_FAIL] = TIMER_NEVER;
		/* One that came before ours was sent is no answer, but waits for one. */
		if (sf->fail_sent)
			sf->fail_pending = false;
		mptcp_recv_release(sf, now_us);
		tcp_request_ack(&sf->tcp);
	} else if (!conn->infinite_out) {
		want_fail(sf, conn->rcv_nxt);
	}
	start_infinite(sf);
}

/* ---- infinite mappings ------------------------------------------------------------ */

void mptcp_infinite_received(struct mptcp_subflow *sf, uint64_t dsn, uint32_t seq,
			     uint64_t now_us)
{
	struct mptcp_conn *conn = sf->conn;
	uint64_t offset = mptcp_rcv_offset(sf, seq);
	bool failed = conn->failed;

	counter_inc(conn->env->counters, CNT_MP_INFINITE_IN);
	if (!mptcp_may_fall_back(conn)) {
		mptcp_subflow_reset(sf, MPTCP_RST_MIDDLEBOX, "infinite mapping");
		return;
	}
	if (seq64_gt(dsn, mptcp_recv_contiguous(sf, offset))) {
		/* Bytes of the stream would be missing. */
		counter_inc(conn->env->counters, CNT_MP_BAD_MAPPING);
		mptcp_subflow_reset(sf, MPTCP_RST_SPECIFIC, "infinite mapping ahead");
		return;
	}
	conn->infinite_in = true;
	conn->infinite_in_dsn = dsn;
	conn->infinite_in_offset = offset;
	conn->infinite_out = false;
	mptcp_fall_back(conn, failed ? CNT_MP_FALLBACK_CHECKSUM : CNT_MP_FALLBACK_PEER,
			"infinite mapping", now_us);
	/* Without options: the peer learns that its signal came through. */
	tcp_request_ack(&sf->tcp);
}

void mptcp_infinite_acked(struct mptcp_subflow *sf, uint64_t now_us)
{
	struct mptcp_conn *conn = sf->conn;

	if (!conn->infinite_sent || sf->reset_pending ||
	    seq32_lt(sf->tcp.snd_una, conn->infinite_end))
		return;
	conn->infinite_out = false;
	if (conn->mode == MPTCP_MODE_FALLBACK)
		set_option_len(sf);
	else if (mptcp_may_fall_back(conn))
		mptcp_fall_back(conn, CNT_MP_FALLBACK_PEER, "MP_FAIL", now_us);
	else
		mptcp_subflow_reset(sf, MPTCP_RST_MIDDLEBOX, "MP_FAIL");
}

bool mptcp_infinite_for(struct mptcp_subflow *sf, const struct tcp_tx *tx, struct mptcp_dss *d)
{
	struct mptcp_conn *conn = sf->conn;

	if (!conn->infinite_out)
		return false;
	d->has_map = d->dsn_is64 = true;
	d->dsn = conn->infinite_dsn;
	d->ssn = conn->infinite_ssn;
	d->data_len = 0;
	d->has_checksum = conn->infinite_sum;
	d->checksum = 0;
	if (tx->len && !tx->retransmission && !conn->infinite_sent) {
		conn->infinite_sent = true;
		conn->infinite_end = tx->seq + tx->len;
		counter_inc(conn->env->counters, CNT_MP_INFINITE_OUT);
	}
	return true;
}
