/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What to do about losses: fast recovery paced by proportional rate reduction
 * (RFC 6937, slow-start reduction bound), retransmission timeouts (RFC 6298),
 * and taking a reduction back when it proves needless: by timestamps (RFC 3522),
 * by DSACK (RFC 3708), or by F-RTO (RFC 5682).
 *
 * With SACK, rack.c says what is lost.  Without, duplicate ACKs are counted and
 * one segment per round trip is repaired (RFC 6582).
 */
#include <assert.h>

#include "tcp/tcp_internal.h"

static void save_for_undo(struct tcp_conn *tc)
{
	tc->undo_possible = true;
	tc->undo_cwnd = tc->cwnd_bytes;
	tc->undo_ssthresh = tc->ssthresh_bytes;
	tc->undo_retrans = 0;
	tc->undo_ts = 0;
}

/* RFC 6937, section 3: how much may go out for this ACK. */
static void prr(struct tcp_conn *tc, uint32_t delivered)
{
	uint32_t pipe = tcp_pipe(tc), mss = tcp_smss(tc);
	int64_t count;

	tc->prr_delivered += delivered;
	if (pipe > tc->ssthresh_bytes) {
		uint64_t fs = tc->recover_flight ? tc->recover_flight : 1;

		count = (int64_t)(((uint64_t)tc->prr_delivered * tc->ssthresh_bytes + fs - 1) / fs) -
			tc->prr_out;
	} else {
		int64_t limit = (int64_t)tc->prr_delivered - tc->prr_out;

		if (limit < delivered)
			limit = delivered;
		limit += mss;
		count = (int64_t)tc->ssthresh_bytes - pipe;
		if (count > limit)
			count = limit;
	}
	if (!tc->prr_out && count < mss)
		count = mss;                    /* the fast retransmit itself */
	if (count < 0)
		count = 0;
	tc->cwnd_bytes = pipe + (uint32_t)count;
}

static void enter_fast(struct tcp_conn *tc, uint32_t prior_flight, uint32_t delivered,
		       uint64_t now_us)
{
	counter_inc(tc->env->counters, CNT_TCP_FAST_RECOVERY);
	save_for_undo(tc);
	tc->recovery = TCP_RECOVERY_FAST;
	tc->recovery_end = tc->snd_nxt;
	tc->cfg.cc->on_loss(tc, now_us);
	tc->prr_delivered = 0;
	tc->prr_out = 0;
	tc->recover_flight = prior_flight;
	tcp_timer_off(tc, TCP_TIMER_TLP);
	tc->tlp_due = tc->tlp_out = false;
	prr(tc, delivered);
}

static void leave(struct tcp_conn *tc)
{
	if (tc->recovery == TCP_RECOVERY_FAST)
		tc->cwnd_bytes = tc->ssthresh_bytes;
	tc->recovery = TCP_RECOVERY_NONE;
	tc->frto = tc->frto_hold = false;
	tc->dupacks = 0;
	tcp_rack_recovery_ended(tc);
}

static void undo(struct tcp_conn *tc, uint64_t now_us)
{
	counter_inc(tc->env->counters, CNT_TCP_SPURIOUS);
	tcp_rec_unmark_lost(tc);
	/* A fast retransmit that was not needed is what reordering looks like. */
	if (tc->recovery != TCP_RECOVERY_RTO)
		tc->rack.reordering_seen = true;
	tc->recovery = TCP_RECOVERY_NONE;
	tc->frto = tc->frto_hold = false;
	tc->dupacks = 0;
	tc->undo_possible = false;
	if (tc->cwnd_bytes < tc->undo_cwnd)
		tc->cwnd_bytes = tc->undo_cwnd;
	if (tc->ssthresh_bytes < tc->undo_ssthresh)
		tc->ssthresh_bytes = tc->undo_ssthresh;
	tc->cfg.cc->on_undo(tc, now_us);
	tcp_rack_recovery_ended(tc);
}

/* Whether the ACK shows that no retransmission of this episode was needed. */
static bool needless(struct tcp_conn *tc, const struct tcp_ack *a)
{
	if (!tc->undo_possible)
		return false;
	/* Eifel detection: the ACK echoes a segment from before the retransmission. */
	if (a->advanced && a->head_retransmitted && a->has_ecr && tc->undo_ts &&
	    seq32_lt(a->ecr, tc->undo_ts))
		return true;
	/* Every byte sent again was reported as a duplicate. */
	if (a->has_dsack && tc->undo_retrans) {
		uint32_t len = a->dsack.end - a->dsack.begin;

		tc->undo_retrans -= len < tc->undo_retrans ? len : tc->undo_retrans;
		return !tc->undo_retrans;
	}
	return false;
}

/* Without SACK: the first segment not yet acknowledged is lost. */
static void mark_head_lost(struct tcp_conn *tc)
{
	struct tcp_record *r = list_first(&tc->records, struct tcp_record, by_seq);
	uint32_t mss = tcp_smss(tc);

	if (!r || r->lost)
		return;
	if (r->len > mss && !tcp_rec_split(tc, r, mss))
		return;
	tcp_rec_mark_lost(tc, r);
}

/* F-RTO (RFC 5682, section 3.1): true if the timeout proved spurious. */
static bool frto_ack(struct tcp_conn *tc, const struct tcp_ack *a)
{
	if (!tc->frto)
		return false;
	/*
	 * Step 3.b: data that was sent once only, before the timeout, has arrived.
	 * Without SACK the first ACK may just jump over what the peer held already.
	 */
	if (a->orig_delivered && tc->undo_possible &&
	    (tc->sack_on || seq32_gt(tc->snd_nxt, tc->recovery_end)))
		return true;
	if (seq32_gt(tc->snd_nxt, tc->recovery_end)) {
		if (a->sacked_bytes || a->duplicate)
			tc->frto = tc->frto_hold = false;       /* step 3.a: a real loss */
	} else if (a->advanced && seq32_lt(a->ack, tc->recovery_end)) {
		/*
		 * Step 2.b: try new data before anything more is sent again.  If none
		 * goes out soon after all, the reordering timer ends the wait.
		 */
		uint32_t edge = tc->snd_una + tc->snd_wnd;

		tc->frto_hold = tc->want_send && !tc->fin_queued &&
				(int32_t)(edge - tc->snd_nxt) >= (int32_t)tcp_smss(tc);
		tc->frto = tc->frto_hold;
	}
	return false;
}

void tcp_recovery_ack(struct tcp_conn *tc, const struct tcp_ack *a)
{
	bool news = a->advanced || a->sacked_bytes;
	bool was_fast = tc->recovery == TCP_RECOVERY_FAST;
	bool was_rto = tc->recovery == TCP_RECOVERY_RTO;
	uint32_t delivered = a->delivered_bytes;
	bool lost = false;

	if (a->advanced)
		tc->unanswered = 0;
	if (!tc->sack_on) {
		uint32_t mss = tcp_smss(tc);

		if (a->advanced) {
			/* Duplicate ACKs stood for segments that this ACK now covers. */
			uint32_t seen = tc->dupacks * mss;

			tc->dupacks = 0;
			delivered = delivered > seen + mss ? delivered - seen : mss;
		} else if (a->duplicate) {
			if (tc->dupacks < tc->flight_bytes / mss)
				tc->dupacks++;
			delivered = mss;
		}
		if (tc->recovery == TCP_RECOVERY_NONE) {
			if (tc->dupacks >= TCP_DUP_THRESH &&
			    seq32_geq(tc->snd_una, tc->recovery_end)) {
				mark_head_lost(tc);
				lost = tc->pending_bytes > 0;
			}
		} else if (tc->recovery == TCP_RECOVERY_FAST && a->advanced &&
			   seq32_lt(a->ack, tc->recovery_end)) {
			mark_head_lost(tc);             /* partial ACK */
		}
	}

	tcp_tlp_ack(tc, a);

	if (tc->recovery != TCP_RECOVERY_NONE) {
		bool spurious = needless(tc, a);

		if (tc->recovery == TCP_RECOVERY_RTO)
			spurious |= frto_ack(tc, a);
		if (spurious) {
			undo(tc, a->now_us);
		} else if (seq32_geq(tc->snd_una, tc->recovery_end)) {
			leave(tc);
		}
	} else if (needless(tc, a)) {
		/* The last DSACKs come after recovery has ended. */
		undo(tc, a->now_us);
	}

	if (news || a->has_dsack)
		lost |= tcp_rack_detect(tc, a, a->now_us);
	if (tc->frto_hold)
		tc->deadline_us[TCP_TIMER_REORDER] =
			a->now_us + (tc->srtt_us ? tc->srtt_us / 2 : TCP_RTO_INITIAL_US / 2);

	if (tc->recovery == TCP_RECOVERY_NONE && lost) {
		enter_fast(tc, a->prior_flight_bytes, delivered, a->now_us);
	} else if (tc->recovery == TCP_RECOVERY_FAST) {
		prr(tc, delivered);
	} else if (a->advanced && !was_fast) {
		/*
		 * SACKs grow the window only once they are acknowledged (RFC 5681: not
		 * on duplicate ACKs); what recovery had SACKed before counts no more.
		 */
		struct tcp_ack_sample s = {
			.now_us = a->now_us,
			.acked_bytes = was_rto ? a->delivered_bytes : a->acked_bytes,
			.rtt_us = a->newest_sent_us ?
				(uint32_t)(a->now_us - a->newest_sent_us) : 0,
			.prior_flight_bytes = a->prior_flight_bytes,
			.cwnd_limited = tc->cwnd_limited || tc->recovery == TCP_RECOVERY_RTO,
		};

		/* In slow start a window half used may still grow (as fast as it is used). */
		if (tc->cwnd_bytes < tc->ssthresh_bytes &&
		    tc->cwnd_bytes < 2 * (uint64_t)tc->max_flight_bytes)
			s.cwnd_limited = true;
		tc->cfg.cc->on_ack(tc, &s);
	}
	/* Keeps the comparison with recovery_end meaningful however much is sent. */
	if (tc->recovery == TCP_RECOVERY_NONE && seq32_lt(tc->recovery_end, tc->snd_una))
		tc->recovery_end = tc->snd_una;
}

void tcp_recovery_reorder_timeout(struct tcp_conn *tc, uint64_t now_us)
{
	tcp_timer_off(tc, TCP_TIMER_REORDER);
	if (tc->frto_hold) {
		/* New data did go out: its ACK decides, or the next timeout. */
		if (seq32_gt(tc->snd_nxt, tc->recovery_end))
			return;
		tc->frto = tc->frto_hold = false;
	}
	if (tcp_rack_detect(tc, NULL, now_us) && tc->recovery == TCP_RECOVERY_NONE)
		enter_fast(tc, tc->flight_bytes, 0, now_us);
}

void tcp_recovery_rto(struct tcp_conn *tc, uint64_t now_us)
{
	struct tcp_record *r, *head = list_first(&tc->records, struct tcp_record, by_seq);
	bool first = tc->recovery == TCP_RECOVERY_NONE ||
		     (tc->recovery == TCP_RECOVERY_RTO && !tc->backoff);

	assert(head);
	tc->timeouts++;
	counter_inc(tc->env->counters, CNT_TCP_RTO);
	tc->events |= TCP_EVENT_RTO;

	if (head->sacked)
		tcp_rec_forget_sacks(tc);
	/* A timeout of a retransmission reduces nothing again (RFC 5681, 3.1). */
	if (first) {
		save_for_undo(tc);
		tc->cfg.cc->on_rto(tc, now_us);
	}
	tc->frto = first;
	tc->frto_hold = false;
	tc->recovery = TCP_RECOVERY_RTO;
	tc->recovery_end = tc->snd_nxt;
	tc->cwnd_bytes = tcp_smss(tc);
	tc->dupacks = 0;
	tc->tlp_out = tc->tlp_due = false;
	tcp_timer_off(tc, TCP_TIMER_TLP);
	tcp_timer_off(tc, TCP_TIMER_REORDER);
	list_for_each(r, &tc->records, by_seq)
		tcp_rec_mark_lost(tc, r);
	if (tc->backoff < UINT8_MAX)
		tc->backoff++;
	tc->deadline_us[TCP_TIMER_RTO] = now_us + tcp_rtt_timeout(tc, tc->backoff);
}
