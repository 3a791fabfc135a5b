/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What to do about losses: fast recovery, in which proportional rate reduction sets the
 * window (RFC 6937; of its two bounds the slow-start one is used while recovery makes
 * progress, the conservative one otherwise, as its revision has it), retransmission
 * timeouts (RFC 6298), and taking a reduction back when it proves needless: by timestamps
 * (RFC 3522, RFC 4015), by DSACK (RFC 3708), or by F-RTO (RFC 5682).
 *
 * Marks of the network (ECN) shrink the window in the same way, with nothing to repair.
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
	/* Copies made before, by a probe or in the episode that has just ended, may still be
	 * reported: they alone do not make this one needless. */
	tc->undo_retrans = tc->retrans_bytes;
	if (tc->tlp_out && tc->tlp_retrans && tc->undo_retrans < tc->tlp_len)
		tc->undo_retrans = tc->tlp_len;
	tc->undo_us = 0;
	tc->undo_una = tc->snd_una;
	tc->undo_end = tc->snd_nxt;
}

/*
 * RFC 6937, section 3: how much may go out for this ACK.  `safe`: the left edge moved and
 * nothing more was found lost, so that the window may grow back as in slow start.
 */
static void prr(struct tcp_conn *tc, uint32_t delivered, bool safe)
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
		if (safe)
			limit += mss;
		count = (int64_t)tc->ssthresh_bytes - pipe;
		if (count > limit)
			count = limit;
	}
	/* The fast retransmit itself; and what restarts the ACKs. */
	if (count < mss && ((tc->recovery == TCP_RECOVERY_FAST && !tc->prr_out) || !pipe))
		count = mss;
	if (count < 0)
		count = 0;
	tc->cwnd_bytes = pipe + (uint32_t)count;
}

/* `in_flight`: what was, without what had been SACKed before. */
static void begin_reduction(struct tcp_conn *tc, uint32_t in_flight)
{
	tc->recovery_end = tc->snd_nxt;
	tc->prr_delivered = 0;
	tc->prr_out = 0;
	tc->recover_flight = in_flight;
	tcp_ecn_reduced(tc);
}

static void enter_fast(struct tcp_conn *tc, uint32_t in_flight, uint32_t delivered,
		       uint64_t now_us)
{
	counter_inc(tc->env->counters, CNT_TCP_FAST_RECOVERY);
	if (tc->recovery == TCP_RECOVERY_CWR) {
		/* One reduction is enough for one window, and this one was not needless. */
		tc->recovery_end = tc->snd_nxt;
		tcp_ecn_reduced(tc);
	} else {
		save_for_undo(tc);
		tcp_cwv_loss(tc, in_flight, now_us);
		tc->cfg.cc->on_loss(tc, now_us);
		begin_reduction(tc, in_flight);
	}
	tc->recovery = TCP_RECOVERY_FAST;
	tc->fast_last = true;
	tcp_timer_off(tc, TCP_TIMER_TLP);
	tc->tlp_due = tc->tlp_out = false;
	prr(tc, delivered, false);
}

/* The peer reports that the network marks packets of this window. */
static void enter_cwr(struct tcp_conn *tc, uint32_t in_flight, uint32_t delivered,
		      uint64_t now_us)
{
	const struct tcp_cc_ops *cc = tc->cfg.cc;

	counter_inc(tc->env->counters, CNT_TCP_ECN_CWR);
	tc->undo_possible = false;
	tcp_cwv_loss(tc, in_flight, now_us);
	(cc->on_ecn ? cc->on_ecn : cc->on_loss)(tc, now_us);
	begin_reduction(tc, in_flight);
	tc->recovery = TCP_RECOVERY_CWR;
	prr(tc, delivered, true);
}

static void leave(struct tcp_conn *tc)
{
	if (tc->recovery != TCP_RECOVERY_RTO)
		tc->cwnd_bytes = tc->ssthresh_bytes;
	if (tcp_repairing(tc))
		tcp_rack_recovery_ended(tc);
	tc->recovery = TCP_RECOVERY_NONE;
	tc->frto = tc->frto_hold = false;
	tc->dupacks = 0;
}

static void undo(struct tcp_conn *tc, const struct tcp_ack *a)
{
	uint64_t now_us = a->now_us;

	counter_inc(tc->env->counters, CNT_TCP_SPURIOUS);
	/* A timeout that fired early: the path has become slower than the estimate. */
	if (tc->recovery == TCP_RECOVERY_RTO && a->has_ecr && a->ecr)
		tcp_rtt_spurious(tc, (tcp_ts_now(tc, now_us) - a->ecr) * 1000);
	tcp_rec_unmark_lost(tc);
	/* A fast retransmit that was not needed is what reordering looks like. */
	if (tc->fast_last)
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
	/*
	 * Eifel detection: the ACK echoes a segment from before the retransmission.  It must
	 * be one of this episode: what an earlier one repeated answers with its own time, and
	 * what is repeated later is a probe.
	 */
	if (tc->recovery != TCP_RECOVERY_NONE && a->advanced && a->has_ecr && tc->undo_us &&
	    a->head_again_us >= tc->undo_us &&
	    seq32_lt(a->ecr, tcp_ts_now(tc, a->head_again_us)))
		return true;
	/* Every byte sent again in this episode was reported as a duplicate. */
	if (a->has_dsack && tc->undo_retrans && seq32_geq(a->dsack.begin, tc->undo_una) &&
	    seq32_leq(a->dsack.end, tc->undo_end)) {
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

/*
 * Without SACK nothing tells that the new data of F-RTO has arrived until all before it has.  Left
 * in the pipe it may keep the small window shut, and then each repair waits for a timeout.  So this
 * goes back to the first octet that is not acknowledged, as RFC 5681, section 3.1 has it.
 */
static void forget_flight(struct tcp_conn *tc)
{
	struct tcp_record *r;

	list_for_each(r, &tc->records, by_seq)
		tcp_rec_mark_lost(tc, r);
	tc->recovery_end = tc->snd_nxt;
	tc->dupacks = 0;
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
		if (a->sacked_bytes || a->duplicate) {
			tc->frto = tc->frto_hold = false;       /* step 3.a: a real loss */
			if (!tc->sack_on)
				forget_flight(tc);
		}
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
	bool was_fast = tc->recovery == TCP_RECOVERY_FAST || tc->recovery == TCP_RECOVERY_CWR;
	bool was_rto = tc->recovery == TCP_RECOVERY_RTO;
	uint32_t delivered = a->delivered_bytes;
	uint32_t in_flight = a->prior_flight_bytes - a->prior_sacked_bytes;
	bool lost = false, congested;

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
		if (!tcp_repairing(tc)) {
			/* ACKs at the very end of the last recovery may be of what it sent
			 * again (RFC 6582, section 3.2). */
			if (tc->dupacks >= TCP_DUP_THRESH &&
			    (seq32_gt(tc->snd_una, tc->recovery_end) ||
			     tc->recovery == TCP_RECOVERY_CWR)) {
				mark_head_lost(tc);
				lost = tc->pending_bytes > 0;
			}
		} else if (tc->recovery == TCP_RECOVERY_FAST && a->advanced &&
			   seq32_lt(a->ack, tc->recovery_end)) {
			mark_head_lost(tc);             /* partial ACK */
		}
	}

	tcp_cwv_ack(tc, delivered, a->now_us);
	tcp_tlp_ack(tc, a);
	/* The loss that a probe has repaired may just have been answered. */
	congested = a->congested && seq32_gt(a->ack, tc->ecn_end);

	if (tc->recovery != TCP_RECOVERY_NONE) {
		bool spurious = needless(tc, a);

		if (tc->recovery == TCP_RECOVERY_RTO)
			spurious |= frto_ack(tc, a);
		if (spurious) {
			undo(tc, a);
		} else if (seq32_geq(tc->snd_una, tc->recovery_end)) {
			leave(tc);
			/* What is lost now was sent after the reduction, which was not enough
			 * (RFC 5681, section 4.3). */
			lost |= tc->lost_bytes > 0;
		}
	} else if (needless(tc, a)) {
		/* The last DSACKs come after recovery has ended. */
		undo(tc, a);
	}

	if (news || a->has_dsack)
		lost |= tcp_rack_detect(tc, a, a->now_us);
	if (tc->frto_hold)
		tc->deadline_us[TCP_TIMER_REORDER] =
			a->now_us + (tc->srtt_us ? tc->srtt_us / 2 : TCP_RTO_INITIAL_US / 2);

	if (!tcp_repairing(tc) && lost) {
		enter_fast(tc, in_flight, delivered, a->now_us);
	} else if (tc->recovery == TCP_RECOVERY_NONE && congested) {
		enter_cwr(tc, in_flight, delivered, a->now_us);
	} else if (tc->recovery == TCP_RECOVERY_FAST || tc->recovery == TCP_RECOVERY_CWR) {
		prr(tc, delivered, a->advanced && !lost);
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
	/* Keeps comparisons with both meaningful however much is sent. */
	if (tc->recovery == TCP_RECOVERY_NONE && seq32_lt(tc->recovery_end, tc->snd_una))
		tc->recovery_end = tc->snd_una - 1;
	if (seq32_lt(tc->ecn_end, tc->snd_una))
		tc->ecn_end = tc->snd_una - 1;
}

void tcp_recovery_reorder_timeout(struct tcp_conn *tc, uint64_t now_us)
{
	if (tc->frto_hold) {
		/* New data did go out: its ACK decides, or the next timeout. */
		if (seq32_gt(tc->snd_nxt, tc->recovery_end))
			return;
		tc->frto = tc->frto_hold = false;
	}
	if (tcp_rack_detect(tc, NULL, now_us) && !tcp_repairing(tc))
		enter_fast(tc, tc->flight_bytes - tc->sacked_bytes, 0, now_us);
}

void tcp_recovery_rto(struct tcp_conn *tc, uint64_t now_us)
{
	struct tcp_record *r, *head = list_first(&tc->records, struct tcp_record, by_seq);
	/* Not if it is the same segment's again: something was acknowledged since. */
	bool first = tc->recovery == TCP_RECOVERY_NONE ||
		     (tc->recovery == TCP_RECOVERY_RTO && tc->unanswered <= 1);

	assert(head);
	tc->timeouts++;
	counter_inc(tc->env->counters, CNT_TCP_RTO);
	tc->events |= TCP_EVENT_RTO;

	if (head->sacked)
		tcp_rec_forget_sacks(tc);
	/* A timeout of a retransmission reduces nothing again (RFC 5681, 3.1). */
	if (first) {
		save_for_undo(tc);
		tcp_cwv_loss(tc, tc->flight_bytes - tc->sacked_bytes, now_us);
		tc->cfg.cc->on_rto(tc, now_us);
	}
	tc->frto = first;
	tc->frto_hold = false;
	tc->recovery = TCP_RECOVERY_RTO;
	tc->fast_last = false;
	tc->recovery_end = tc->snd_nxt;
	tcp_ecn_reduced(tc);
	if (tcp_mtu_timeout(tc, head, now_us) && tc->undo_possible && tc->cfg.cc->on_black_hole)
		tc->cfg.cc->on_black_hole(tc);
	tc->dupacks = 0;
	tc->tlp_out = tc->tlp_due = false;
	tcp_timer_off(tc, TCP_TIMER_TLP);
	tcp_timer_off(tc, TCP_TIMER_REORDER);
	list_for_each(r, &tc->records, by_seq)
		if (r == head || !tc->sack_on || tcp_rack_overdue(tc, r, now_us))
			tcp_rec_mark_lost(tc, r);
	/* What may still be under way does not keep the head from being repaired. */
	tc->cwnd_bytes = tcp_pipe(tc) + tcp_smss(tc);
	if (tc->backoff < UINT8_MAX)
		tc->backoff++;
	tc->deadline_us[TCP_TIMER_RTO] = now_us + tcp_rtt_timeout(tc, tc->backoff);
}

/* ---- from outside --------------------------------------------------------------- */

void tcp_penalize(struct tcp_conn *tc, uint64_t now_us)
{
	uint32_t least = 2 * tcp_smss(tc);

	if (tc->recovery != TCP_RECOVERY_NONE)
		return;
	if (tc->cwnd_bytes < tc->ssthresh_bytes) {
		tc->cwnd_bytes = tc->cwnd_bytes / 2 > least ? tc->cwnd_bytes / 2 : least;
		return;
	}
	tc->cfg.cc->on_loss(tc, now_us);
	tc->cwnd_bytes = tc->ssthresh_bytes;
}
