/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sending: the send queue, the choice of subflow for each range, reinjection, and the
 * data-level retransmission timer (RFC 8684, section 3.3).
 *
 * The queue holds every byte until the peer has DATA_ACKed it and no live subflow may
 * still have to retransmit it: a subflow must repeat just the bytes that it sent first
 * (section 3.3.6); a stale one, and one far behind the others, has them in a hoard of its
 * own (hoard.c).  `snd_nxt` is the next byte never sent; ranges to be sent again, on
 * whatever subflow, wait in `reinject`, sorted and disjoint, and go first.
 *
 * One call of mptcp_output() first lets each subflow repeat what TCP says is lost, then
 * schedules ranges, then sends the ACKs that no data segment has carried.
 *
 * Head-of-line blocking.  When what a slow subflow carries is all that keeps the window
 * shut, and a faster one would bring it sooner, the faster one sends it too (opportunistic
 * retransmission), and the slow one's congestion window is reduced (penalization): Raiciu et
 * al., "How Hard Can It Be? Designing and Implementing a Deployable Multipath TCP", NSDI
 * 2012, section 4.2.
 */
#include <string.h>

#include "base/log.h"
#include "base/seq.h"
#include "base/timer.h"
#include "mptcp/internal.h"
#include "wire/checksum.h"

/* Data-level timeouts are not shorter than this whatever the subflows think. */
#define DATA_RTO_MIN_US 300000u
#define DATA_RTO_MAX_US 60000000u
/* Data-level timeouts in a row before the peer counts as gone, as TCP's retries. */
#define DATA_RETRIES 12
/* A window that has less room than this is shut. */
#define WINDOW_SHUT_BYTES 1500u
/* What one data-level timeout sends again. */
#define DATA_RTO_BURST  65536u
/* ... and a DATA_ACK after that at most. */
#define REPAIR_MAX      (1u << 20)

/* ---- space ------------------------------------------------------------------- */

static uint64_t unacked(const struct mptcp_conn *conn)
{
	return seq64_gt(conn->sendq.end, conn->snd_una) ? conn->sendq.end - conn->snd_una : 0;
}

size_t mptcp_send_space(const struct mptcp_conn *conn)
{
	uint64_t held = unacked(conn);
	uint32_t sndbuf = mptcp_buffers_send(conn);

	if (conn->mode == MPTCP_MODE_PENDING || conn->fin_queued ||
	    conn->state >= MPTCP_TIME_WAIT || held >= sndbuf)
		return 0;
	return sndbuf - held;
}

int mptcp_send_reserve(struct mptcp_conn *conn, size_t want, struct iovec *iov, int iov_max)
{
	size_t space = mptcp_send_space(conn);
	int n = 0;

	if (want > space)
		want = space;
	if (want)
		n = stream_reserve(&conn->sendq, want, iov, iov_max);
	if (!n)
		conn->send_blocked = true;
	return n;
}

void mptcp_send_commit(struct mptcp_conn *conn, size_t len)
{
	stream_commit(&conn->sendq, len);
}

/* The lowest stream byte that `sf` may have to repeat, if it is below `until`. */
static uint64_t oldest_held(const struct mptcp_subflow *sf, uint64_t until)
{
	const struct tcp_record *rec;

	if (!sf->reinjected_records && !stream_len(&sf->hoard))
		return seq64_min(until, tcp_oldest_offset(&sf->tcp, until));
	/* Reinjections are not in the order of the stream. */
	if (sf->tcp.state != TCP_CLOSED)
		list_for_each(rec, &sf->tcp.records, by_seq)
			if (rec->len && !mptcp_hoard_has(sf, rec->seq, rec->len))
				until = seq64_min(until, rec->offset);
	return until;
}

/*
 * The peer has had from elsewhere what subflows still have to repeat, and it is as much as
 * the queue may hold: they keep it for themselves.  Returns what the queue has to keep.
 */
static uint64_t free_of_laggards(struct mptcp_conn *conn, uint64_t until)
{
	uint64_t all = seq64_min(conn->snd_una, conn->sendq.end), kept = all;
	struct mptcp_subflow *sf;

	list_for_each(sf, &conn->subflows, link) {
		if (conn->snd_una - oldest_held(sf, all) > conn->sndbuf / 2)
			mptcp_hoard_fill(sf);
		kept = oldest_held(sf, kept);
	}
	return seq64_max(kept, until);
}

void mptcp_send_release(struct mptcp_conn *conn)
{
	struct mptcp_subflow *sf;
	uint64_t until = seq64_min(conn->snd_una, conn->sendq.end);

	list_for_each(sf, &conn->subflows, link) {
		if (!sf->tcp.record_count)
			sf->reinjected_records = 0;
		until = oldest_held(sf, until);
	}
	if (conn->snd_una - until > conn->sndbuf && seq64_gt(conn->snd_una, until))
		until = free_of_laggards(conn, until);
	if (seq64_gt(until, conn->sendq.begin))
		stream_release(&conn->sendq, until);
	if (conn->send_blocked && mptcp_send_space(conn) >= mptcp_buffers_send(conn) / 4) {
		conn->send_blocked = false;
		conn->events |= MPTCP_EVENT_SENDABLE;
	}
}

/*
 * A stale subflow for whose hoard there was no memory keeps bytes in the queue that the
 * peer has had from elsewhere long ago: beyond a bound it is given up.
 */
static void reset_hoarders(struct mptcp_conn *conn)
{
	struct mptcp_subflow *sf;

	if (conn->snd_una - conn->sendq.begin <= 2ull * conn->cfg.sndbuf_max ||
	    seq64_lt(conn->snd_una, conn->sendq.begin))
		return;
	list_for_each(sf, &conn->subflows, link)
		if (!sf->reset_pending && sf->stale &&
		    oldest_held(sf, conn->snd_una) == conn->sendq.begin)
			mptcp_subflow_reset(sf, MPTCP_RST_TOO_MUCH_DATA, "does not deliver");
}

static void repair_more(struct mptcp_conn *conn);

/* ---- acknowledgements ------------------------------------------------------------ */

static void trim_reinject(struct mptcp_conn *conn)
{
	int gone = 0;

	while (gone < conn->reinject_count &&
	       seq64_leq(conn->reinject[gone].end, conn->snd_una))
		gone++;
	if (gone) {
		conn->reinject_count -= gone;
		memmove(conn->reinject, conn->reinject + gone,
			sizeof(conn->reinject[0]) * (size_t)conn->reinject_count);
	}
	if (conn->reinject_count && seq64_lt(conn->reinject[0].begin, conn->snd_una))
		conn->reinject[0].begin = conn->snd_una;
}

void mptcp_send_acked(struct mptcp_conn *conn, uint64_t ack, uint64_t now_us)
{
	if (seq64_leq(ack, conn->snd_una) || seq64_gt(ack, conn->snd_nxt + conn->fin_sent))
		return;
	conn->snd_una = ack;
	conn->left_out = false;
	if (conn->fin_sent && ack == conn->sendq.end + 1)
		conn->fin_acked = true;
	trim_reinject(conn);
	repair_more(conn);
	conn->rto_backoff = conn->rto_unanswered = 0;
	conn->deadline_us[MPTCP_TIMER_RTO] = TIMER_NEVER;
	mptcp_send_arm_rto(conn, now_us);
	mptcp_buffers_tune_send(conn, now_us);
	mptcp_send_release(conn);
}

void mptcp_send_left_out(struct mptcp_subflow *sf)
{
	const struct tcp_record *rec = list_first(&sf->tcp.records, struct tcp_record, by_seq);
	uint64_t next = sf->conn->snd_nxt;

	/* With checksums a mapping counts when all of it is there. */
	if (rec && rec->len)
		next = rec->offset - (rec->seq - rec->map_seq);
	if (seq64_lt(sf->conn->snd_una, next))
		sf->conn->left_out = true;
}

/* ---- reinjection ------------------------------------------------------------------ */

void mptcp_send_reinject_range(struct mptcp_conn *conn, uint64_t begin, uint64_t end)
{
	struct mptcp_range *r = conn->reinject;
	int i = 0, j;

	begin = seq64_max(begin, conn->snd_una);
	end = seq64_min(end, conn->snd_nxt);
	if (seq64_geq(begin, end))
		return;
	/* [i, j) are the ranges that touch the new one. */
	while (i < conn->reinject_count && seq64_lt(r[i].end, begin))
		i++;
	for (j = i; j < conn->reinject_count && seq64_leq(r[j].begin, end); j++) {
		begin = seq64_min(begin, r[j].begin);
		end = seq64_max(end, r[j].end);
	}
	if (i == j) {
		if (conn->reinject_count == MPTCP_REINJECT_MAX) {
			/* No room: the nearest neighbour grows over the gap, which is only
			 * sent once more than needed. */
			if (i == MPTCP_REINJECT_MAX)
				r[i - 1].end = end;
			else
				r[i].begin = begin;
			return;
		}
		memmove(r + i + 1, r + i, sizeof(*r) * (size_t)(conn->reinject_count - i));
		conn->reinject_count++;
	} else {
		memmove(r + i + 1, r + j, sizeof(*r) * (size_t)(conn->reinject_count - j));
		conn->reinject_count -= j - i - 1;
	}
	r[i].begin = begin;
	r[i].end = end;
}

void mptcp_send_reinject(struct mptcp_subflow *sf)
{
	struct mptcp_conn *conn = sf->conn;
	const struct tcp_record *rec;

	if (conn->mode != MPTCP_MODE_MPTCP)
		return;
	/* What TCP has SACKed counts too: the peer drops it with the subflow. */
	list_for_each(rec, &sf->tcp.records, by_seq)
		if (rec->len)
			mptcp_send_reinject_range(conn, rec->offset, rec->offset + rec->len);
}

/* ---- the data-level timer ----------------------------------------------------------- */

/*
 * Whether anything may be sent again at the data level.  As long as the first subflow has carried
 * everything, the peer may fall back, or have done so: it has read what TCP has delivered, and reads
 * it again if it comes again and its mapping is lost.  So there only what a DATA_ACK left out is sent
 * again, and once an MP_FAIL has come or gone, nothing.
 */
static bool may_reinject(const struct mptcp_conn *conn)
{
	return !mptcp_failing(conn) && (conn->left_out || !mptcp_peer_may_fall_back(conn));
}

/* Whether data (or DATA_FIN) is sent and not yet DATA_ACKed. */
static bool outstanding(const struct mptcp_conn *conn)
{
	return seq64_lt(conn->snd_una, conn->snd_nxt) || (conn->fin_sent && !conn->fin_acked);
}

void mptcp_send_arm_rto(struct mptcp_conn *conn, uint64_t now_us)
{
	const struct mptcp_subflow *sf;
	uint64_t rto_us = DATA_RTO_MIN_US;

	if (conn->mode != MPTCP_MODE_MPTCP || !outstanding(conn) ||
	    conn->state == MPTCP_FASTCLOSE_WAIT || conn->state == MPTCP_CLOSED) {
		conn->deadline_us[MPTCP_TIMER_RTO] = TIMER_NEVER;
		return;
	}
	if (conn->deadline_us[MPTCP_TIMER_RTO] != TIMER_NEVER)
		return;
	list_for_each(sf, &conn->subflows, link)
		if (sf->state == MPTCP_SUBFLOW_ACTIVE && !sf->stale && sf->tcp.rto_us > rto_us)
			rto_us = sf->tcp.rto_us;
	/* The peer's delayed ACK comes on top of what TCP's timer allows for. */
	rto_us = (rto_us + rto_us / 2) << conn->rto_backoff;
	if (rto_us > DATA_RTO_MAX_US)
		rto_us = DATA_RTO_MAX_US;
	conn->deadline_us[MPTCP_TIMER_RTO] = now_us + rto_us;
}

/* The subflow whose TCP still carries stream byte `dsn`, and its record; a live one
 * rather than a stale one. */
static struct mptcp_subflow *find_holder(struct mptcp_conn *conn, uint64_t dsn,
					 const struct tcp_record **record)
{
	struct mptcp_subflow *sf, *found = NULL;
	const struct tcp_record *rec;

	list_for_each(sf, &conn->subflows, link) {
		if (found && sf->stale)
			continue;
		list_for_each(rec, &sf->tcp.records, by_seq) {
			uint64_t begin = rec->offset;

			/* With checksums no byte of a mapping is DATA_ACKed before its last. */
			if (conn->checksum_on)
				begin -= rec->seq - rec->map_seq;
			if (seq64_leq(begin, dsn) && seq64_lt(dsn, rec->offset + rec->len)) {
				found = sf;
				*record = rec;
				break;
			}
		}
		if (found && !found->stale)
			break;
	}
	return found;
}

bool mptcp_send_held(struct mptcp_conn *conn, uint64_t dsn)
{
	const struct tcp_record *rec;

	return find_holder(conn, dsn, &rec);
}

/* Whether TCP is still busy with the oldest unacknowledged byte, on the only subflow or
 * on one that is not stale. */
static bool in_good_hands(struct mptcp_conn *conn)
{
	const struct tcp_record *rec;
	struct mptcp_subflow *sf = find_holder(conn, conn->snd_una, &rec);

	return sf && (!sf->stale || conn->subflow_count == 1);
}

/*
 * A subflow that dies may take along what its TCP had acknowledged: Linux drops with it what its
 * reader has not got to, or what could not be mapped.  Nothing tells how much that is.  So once
 * the timer has sent the beginning again, a DATA_ACK of all that was sent again brings the next
 * part, if nobody carries that; twice as much if it stops just there.  While all subflows live
 * the same DATA_ACKs are those of a slow reader, to whom more would be no help.
 */
void mptcp_send_subflow_lost(struct mptcp_subflow *sf)
{
	struct mptcp_conn *conn = sf->conn;

	if (sf->bytes_sent)
		conn->repair_end = conn->snd_nxt;
}

static void repair(struct mptcp_conn *conn, uint32_t len)
{
	conn->repair_len = len;
	conn->repaired = seq64_min(conn->snd_una + len, conn->snd_nxt);
	mptcp_send_reinject_range(conn, conn->snd_una, conn->repaired);
}

/* The next step of that. */
static void repair_more(struct mptcp_conn *conn)
{
	if (!conn->repair_len || seq64_lt(conn->snd_una, conn->repaired))
		return;
	if (seq64_geq(conn->snd_una, conn->repair_end))
		conn->repair_len = 0;
	else if (!in_good_hands(conn))
		repair(conn, conn->snd_una != conn->repaired ? DATA_RTO_BURST
			     : conn->repair_len < REPAIR_MAX ? 2 * conn->repair_len
							     : REPAIR_MAX);
}

void mptcp_send_timeout(struct mptcp_conn *conn, uint64_t now_us)
{
	struct mptcp_subflow *sf;

	if (!outstanding(conn))
		return;
	if (conn->infinite_out) {
		/* Not data again, which would not be contiguous: our infinite mapping is. */
		tcp_request_ack(&mptcp_first_subflow(conn)->tcp);
	} else if (seq64_lt(conn->snd_una, conn->snd_nxt) && !in_good_hands(conn)) {
		counter_inc(conn->env->counters, CNT_MP_RTO);
		repair(conn, DATA_RTO_BURST);
		/* The answer tells, by its DATA_ACK or by having none. */
		if (!may_reinject(conn))
			tcp_request_probe(&mptcp_first_subflow(conn)->tcp);
	}
	if (conn->fin_sent && !conn->fin_acked)
		list_for_each(sf, &conn->subflows, link)
			if (sf->state == MPTCP_SUBFLOW_ACTIVE)
				tcp_request_ack(&sf->tcp); /* DATA_FIN rides on it */
	if (conn->rto_unanswered >= DATA_RETRIES && !mptcp_send_held(conn, conn->snd_una)) {
		/* TCP has nothing to give up for: DATA_FINs on ACKs are not answered. */
		mptcp_give_up(conn, "no DATA_ACK");
		return;
	}
	if (conn->rto_unanswered < DATA_RETRIES)
		conn->rto_unanswered++;
	if (conn->rto_backoff < DATA_RETRIES)
		conn->rto_backoff++;
	mptcp_send_arm_rto(conn, now_us);
}

/* ---- scheduling --------------------------------------------------------------------- */

bool mptcp_subflow_usable(const struct mptcp_subflow *sf)
{
	return sf->state == MPTCP_SUBFLOW_ACTIVE && !sf->reset_pending &&
	       ((!sf->stale && !mptcp_removal_pending(sf) &&
		 sf->deadline_us[MPTCP_SUBFLOW_TIMER_WITHDRAWAL] == TIMER_NEVER) ||
		sf->conn->subflow_count == 1);
}

uint32_t mptcp_subflow_room(const struct mptcp_subflow *sf, uint32_t len)
{
	uint32_t mss = tcp_payload_mss(&sf->tcp, sf->tcp.option_len);
	uint32_t room = tcp_send_room(&sf->tcp), probe = tcp_mtu_probe_len(&sf->tcp);

	/* One segment, to see whether it passes. */
	if (probe && probe <= len && probe <= MPTCP_SEGMENT_MAX)
		return probe;
	if (len <= room && len <= MPTCP_SEGMENT_MAX)
		return len;
	/* More waits: whole segments only. */
	if (room > MPTCP_SEGMENT_MAX)
		room = MPTCP_SEGMENT_MAX;
	if (room > len)
		room = len;
	if (room >= mss)
		return room - room % mss;
	/* Less than a segment fits: only if nothing is coming back that would make room. */
	return sf->tcp.flight_bytes ? 0 : room;
}

static bool is_redundant(const struct mptcp_conn *conn)
{
	return conn->cfg.sched->redundant && conn->mode == MPTCP_MODE_MPTCP;
}

/* Whether there is something that `sf` could send. */
static bool wants_data(const struct mptcp_subflow *sf)
{
	const struct mptcp_conn *conn = sf->conn;

	if (sf->state != MPTCP_SUBFLOW_ACTIVE)
		return false;
	return (conn->reinject_count && may_reinject(conn)) ||
	       seq64_lt(conn->snd_nxt, conn->sendq.end) ||
	       (is_redundant(conn) &&
		seq64_lt(seq64_max(sf->copied_to, conn->snd_una), conn->snd_nxt));
}

/* TCP has to know that something waits, and whether it waits for a word of the peer's: the
 * window of the subflow may have room where that of the connection has none, because others
 * have used it up. */
static void tell_tcp(struct mptcp_subflow *sf)
{
	const struct mptcp_conn *conn = sf->conn;

	/* A silent one is probed, whatever waits. */
	sf->tcp.want_send = wants_data(sf) ||
			    (sf->stale && sf->state == MPTCP_SUBFLOW_ACTIVE && !sf->tcp.snd_wnd);
	sf->tcp.window_shut = conn->mode == MPTCP_MODE_MPTCP && !conn->reinject_count &&
			      conn->snd_una == conn->snd_nxt &&
			      seq64_leq(conn->snd_wnd_edge, conn->snd_nxt);
}

/* Sends [begin, end), or its beginning, on `sf`; returns how much, 0 when it could not. */
static uint32_t send_range(struct mptcp_subflow *sf, uint64_t begin, uint32_t len,
			   const struct packet_sink *sink, uint64_t now_us)
{
	struct mptcp_conn *conn = sf->conn;
	struct tcp_tx tx;

	len = mptcp_subflow_room(sf, len);
	if (!len || tcp_send(&sf->tcp, begin, len, now_us, &tx))
		return 0;
	if (conn->checksum_on) {
		struct iovec iov[PACKET_IOV_MAX];
		int n = stream_gather(&conn->sendq, begin, len, iov, PACKET_IOV_MAX);
		size_t at = 0;
		uint64_t sum = 0;

		for (int i = 0; i < n; i++) {
			sum = csum_add_at(sum, iov[i].iov_base, iov[i].iov_len, at);
			at += iov[i].iov_len;
		}
		tcp_tx_set_checksum(&sf->tcp, &tx,
				    mptcp_dss_checksum(begin, tx.seq - sf->tcp.iss, len, sum));
	}
	sf->bytes_sent += len;
	mptcp_emit(sf, &tx, sink, now_us);
	return len;
}

/* Takes `len` bytes off the front of the reinjection list. */
static void reinject_done(struct mptcp_conn *conn, uint64_t len)
{
	conn->reinject[0].begin += len;
	if (conn->reinject[0].begin != conn->reinject[0].end)
		return;
	conn->reinject_count--;
	memmove(conn->reinject, conn->reinject + 1,
		sizeof(conn->reinject[0]) * (size_t)conn->reinject_count);
}

/*
 * The first range of the reinjection list that is worth sending again: skips what a
 * subflow that has come back to life repeats by itself.  Sets *holder to the subflow
 * that carries the range already, if any.  Returns its length, 0 if nothing is left.
 */
static uint32_t next_reinjection(struct mptcp_conn *conn, struct mptcp_subflow **holder)
{
	while (conn->reinject_count) {
		uint64_t begin = conn->reinject[0].begin;
		uint64_t len = conn->reinject[0].end - begin;
		const struct tcp_record *rec;

		*holder = find_holder(conn, begin, &rec);
		if (*holder && len > rec->offset + rec->len - begin)
			len = rec->offset + rec->len - begin;
		if (!*holder || (*holder)->stale)
			return len > UINT32_MAX ? UINT32_MAX : (uint32_t)len;
		reinject_done(conn, len);
	}
	return 0;
}

static void send_reinjections(struct mptcp_conn *conn, const struct packet_sink *sink,
			      uint64_t now_us)
{
	struct mptcp_subflow *sf, *holder;
	uint32_t len;

	while (may_reinject(conn) && (len = next_reinjection(conn, &holder)) > 0) {
		sf = conn->cfg.sched->pick(conn, len, holder, now_us);
		if (!sf)
			return;
		len = send_range(sf, conn->reinject[0].begin, len, sink, now_us);
		if (!len)
			return;
		sf->reinjected_records++;
		conn->bytes_reinjected += len;
		counter_inc(conn->env->counters, CNT_MP_REINJECT);
		reinject_done(conn, len);
	}
}

/* ---- head-of-line blocking -------------------------------------------------------------- */

/* Whether nothing but the window, or the bound of our queue, keeps us from sending more. */
static bool is_blocked(const struct mptcp_conn *conn)
{
	if (conn->mode != MPTCP_MODE_MPTCP || conn->reinject_count ||
	    conn->snd_una == conn->snd_nxt)
		return false;
	if (seq64_lt(conn->snd_nxt, conn->sendq.end))
		return seq64_lt(conn->snd_wnd_edge, conn->snd_nxt + WINDOW_SHUT_BYTES);
	return conn->send_blocked && !conn->fin_queued;
}

/* At most once per round trip, and not while congestion is being answered anyway. */
static void penalize(struct mptcp_subflow *sf, uint64_t now_us)
{
	if (now_us - sf->penalized_us < sf->tcp.srtt_us ||
	    sf->tcp.recovery != TCP_RECOVERY_NONE)
		return;
	sf->penalized_us = now_us;
	counter_inc(sf->conn->env->counters, CNT_MP_PENALIZED);
	tcp_penalize(&sf->tcp, now_us);
}

/*
 * Sends the beginning of what is outstanding on a faster subflow, too, where it would arrive
 * there before it does where it is.  `unblocked` is the end of what was treated so.
 */
static void unblock(struct mptcp_conn *conn, const struct packet_sink *sink, uint64_t now_us)
{
	while (is_blocked(conn)) {
		uint64_t begin = seq64_max(conn->unblocked, conn->snd_una);
		struct mptcp_subflow *sf, *holder;
		const struct tcp_record *rec;
		uint32_t len;

		conn->sched.blocked = true;
		if (begin == conn->snd_nxt)
			return;
		holder = find_holder(conn, begin, &rec);
		if (!holder || holder->stale)
			return;
		len = rec->len - (uint32_t)(begin - rec->offset);
		sf = mptcp_sched_fastest(conn, len, holder);
		if (!sf || now_us + sf->tcp.srtt_us >= rec->sent_us + holder->tcp.srtt_us)
			return;
		len = send_range(sf, begin, len, sink, now_us);
		if (!len)
			return;
		sf->reinjected_records++;
		conn->unblocked = begin + len;
		conn->bytes_reinjected += len;
		counter_inc(conn->env->counters, CNT_MP_OPPORTUNISTIC);
		penalize(holder, now_us);
	}
}

/* ---- new data ------------------------------------------------------------------------- */

/*
 * What `sf` could send of [from, snd_nxt) that others carry and it does not itself: its begin
 * and length.  False if there is none.
 */
static bool next_copy(const struct mptcp_subflow *sf, uint64_t from, uint64_t *begin,
		      uint32_t *len)
{
	const struct mptcp_conn *conn = sf->conn;
	const struct mptcp_subflow *other;
	const struct tcp_record *rec;
	uint64_t until;

	/* Past what it carries; its records need not be in the order of the stream. */
	for (bool again = true; again;) {
		again = false;
		list_for_each(rec, &sf->tcp.records, by_seq) {
			if (rec->len && seq64_leq(rec->offset, from) &&
			    seq64_lt(from, rec->offset + rec->len)) {
				from = rec->offset + rec->len;
				again = true;
			}
		}
	}
	*begin = until = conn->snd_nxt;
	list_for_each(other, &conn->subflows, link) {
		if (other == sf)
			continue;
		list_for_each(rec, &other->tcp.records, by_seq) {
			uint64_t at = seq64_max(rec->offset, from);

			if (seq64_lt(at, rec->offset + rec->len) && seq64_lt(at, *begin)) {
				*begin = at;
				until = rec->offset + rec->len;
			}
		}
	}
	list_for_each(rec, &sf->tcp.records, by_seq)
		if (rec->len && seq64_leq(*begin, rec->offset) && seq64_lt(rec->offset, until))
			until = rec->offset;
	*len = (uint32_t)(until - *begin);
	return seq64_lt(*begin, until);
}

/* Fills windows that have room with what other subflows have in flight, see
 * sched_redundant.c. */
static void send_copies(struct mptcp_conn *conn, const struct packet_sink *sink,
			uint64_t now_us)
{
	struct mptcp_subflow *sf;

	list_for_each(sf, &conn->subflows, link) {
		uint64_t begin = seq64_max(sf->copied_to, conn->snd_una);
		uint32_t len;

		while (mptcp_sched_eligible(sf) && mptcp_subflow_room(sf, UINT32_MAX) &&
		       next_copy(sf, begin, &begin, &len)) {
			len = send_range(sf, begin, len, sink, now_us);
			if (!len)
				break;
			sf->reinjected_records++;
			counter_add(conn->env->counters, CNT_MP_REDUNDANT, len);
			begin += len;
		}
		sf->copied_to = begin;
	}
}

static uint32_t at_most(uint32_t len, uint32_t most)
{
	return len < most ? len : most;
}

static void send_new(struct mptcp_conn *conn, const struct packet_sink *sink, uint64_t now_us)
{
	uint32_t turn = conn->mode == MPTCP_MODE_FALLBACK ? 0 : conn->cfg.sched->turn_segments;

	while (seq64_lt(conn->snd_nxt, conn->sendq.end)) {
		uint64_t end = seq64_min(conn->sendq.end, conn->snd_wnd_edge);
		struct mptcp_subflow *sf;
		uint32_t len;

		if (seq64_leq(end, conn->snd_nxt))
			break;
		len = end - conn->snd_nxt > UINT32_MAX ? UINT32_MAX
						       : (uint32_t)(end - conn->snd_nxt);
		sf = conn->mode == MPTCP_MODE_FALLBACK
			     ? mptcp_first_subflow(conn)
			     : conn->cfg.sched->pick(conn, len, NULL, now_us);
		if (!sf)
			return;
		if (turn)
			len = at_most(len, turn * tcp_payload_mss(&sf->tcp, sf->tcp.option_len));
		len = send_range(sf, conn->snd_nxt, len, sink, now_us);
		if (!len)
			return;
		conn->snd_nxt += len;
		conn->bytes_sent += len;
	}
	unblock(conn, sink, now_us);
}

/* Our stream's end: DATA_FIN once everything before it was sent. */
static void send_fin(struct mptcp_conn *conn, uint64_t now_us)
{
	struct mptcp_subflow *sf;

	if (!conn->fin_queued || conn->fin_sent || conn->snd_nxt != conn->sendq.end ||
	    conn->state < MPTCP_ESTABLISHED || conn->state >= MPTCP_TIME_WAIT ||
	    !conn->subflow_count)
		return;
	conn->fin_sent = true;
	if (conn->mode == MPTCP_MODE_FALLBACK) {
		tcp_close(&mptcp_first_subflow(conn)->tcp, now_us);
		mptcp_advance_close(conn, now_us);
		return;
	}
	list_for_each(sf, &conn->subflows, link) {
		if (!conn->fin_carried && mptcp_subflow_usable(sf))
			tcp_request_ack(&sf->tcp);
		/* Of this one the peer's half is closed; it was the last, and kept for this. */
		if (sf->tcp.state == TCP_CLOSE_WAIT && sf->state == MPTCP_SUBFLOW_ACTIVE) {
			mptcp_subflow_set_state(sf, MPTCP_SUBFLOW_CLOSING,
						"our stream ended, too");
			tcp_close(&sf->tcp, now_us);
		}
	}
	mptcp_advance_close(conn, now_us);
}

/* Version 0 wants the third packet to carry MP_CAPABLE, for which data has no room. */
static bool third_ack_due(const struct mptcp_subflow *sf)
{
	return sf->conn->version == 0 && sf->tcp.active && !sf->join && !sf->confirmed &&
	       sf->tcp.snd_nxt == sf->tcp.iss + 1;
}

/* A pure ACK, which a data segment may still make needless. */
static bool is_plain_ack(const struct mptcp_subflow *sf, const struct tcp_tx *tx)
{
	return !tx->len && tx->flags == TCP_ACK && tx->seq == sf->tcp.snd_nxt &&
	       !tcp_gap_ack_due(&sf->tcp) && !third_ack_due(sf);
}

static void drain_tcp(struct mptcp_subflow *sf, bool acks, const struct packet_sink *sink,
		      uint64_t now_us)
{
	struct tcp_tx tx;

	while (!sf->reset_pending && tcp_output(&sf->tcp, now_us, MPTCP_SEGMENT_MAX, &tx)) {
		if (!acks && is_plain_ack(sf, &tx))
			return;
		mptcp_emit(sf, &tx, sink, now_us);
	}
}

static void send_reset(struct mptcp_subflow *sf, const struct packet_sink *sink, uint64_t now_us)
{
	struct tcp_tx tx = { .flags = TCP_ACK, .seq = sf->tcp.snd_nxt };

	if (sf->fastclose_due)
		mptcp_emit(sf, &tx, sink, now_us);
	if (tcp_abort(&sf->tcp, &tx))
		mptcp_emit(sf, &tx, sink, now_us);
	sf->reset_pending = false;
	mptcp_subflow_died(sf, "reset sent", now_us);
}

void mptcp_output(struct mptcp_conn *conn, const struct packet_sink *sink, uint64_t now_us)
{
	struct mptcp_subflow *sf, *tmp;
	uint32_t window;

	reset_hoarders(conn);
	list_for_each_safe(sf, tmp, &conn->subflows, link)
		if (sf->reset_pending)
			send_reset(sf, sink, now_us);
	if (conn->state == MPTCP_FASTCLOSE_WAIT) {
		sf = mptcp_first_subflow(conn);
		if (sf && mptcp_timer_due(conn, MPTCP_TIMER_FASTCLOSE_AGAIN, now_us)) {
			struct tcp_tx tx = { .flags = TCP_ACK };

			/* Apple's clients take it only where they expect the next byte: that
			 * is after all that was sent or, if that got lost, before. */
			tx.seq = conn->fastclose_sent % 2 ? sf->tcp.snd_una : sf->tcp.snd_nxt;
			conn->deadline_us[MPTCP_TIMER_FASTCLOSE_AGAIN] =
				now_us + ((uint64_t)sf->tcp.rto_us << conn->fastclose_sent++);
			mptcp_emit(sf, &tx, sink, now_us);
		}
		mptcp_advance_close(conn, now_us);
		return;
	}
	window = mptcp_recv_window(conn);
	list_for_each(sf, &conn->subflows, link) {
		tcp_set_window(&sf->tcp, window);
		tell_tcp(sf);
		/* MP_FAIL has no room beside data. */
		drain_tcp(sf, sf->fail_pending, sink, now_us);
	}
	if (conn->state >= MPTCP_ESTABLISHED && conn->state < MPTCP_TIME_WAIT) {
		mptcp_buffers_idle(conn, now_us);
		send_reinjections(conn, sink, now_us);
		send_new(conn, sink, now_us);
		if (is_redundant(conn))
			send_copies(conn, sink, now_us);
		send_fin(conn, now_us);
	}
	list_for_each(sf, &conn->subflows, link) {
		tell_tcp(sf);
		drain_tcp(sf, true, sink, now_us);
	}
	/* Those that owed the ACK of a FIN. */
	if (conn->mode == MPTCP_MODE_MPTCP && conn->state < MPTCP_TIME_WAIT)
		list_for_each_safe(sf, tmp, &conn->subflows, link)
			if (sf->tcp.state == TCP_TIME_WAIT && !sf->reset_pending)
				mptcp_subflow_died(sf, "closed", now_us);
	if (mptcp_timer_due(conn, MPTCP_TIMER_SIGNALS, now_us))
		mptcp_signals_output(conn, sink, now_us);
	mptcp_send_arm_rto(conn, now_us);
	mptcp_advance_close(conn, now_us);
}
