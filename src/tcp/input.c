/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Segment arrival (RFC 9293, section 3.10.7), in the order of the RFC, with the
 * checks of RFC 5961 (blind attacks) and RFC 7323 (timestamps).
 *
 * In-order payload is handed to the caller in place; what comes after a gap is
 * copied into `ooo` and told to the peer by SACK (RFC 2018, RFC 2883).  Urgent
 * data is plain data.
 */
#include <string.h>

#include "base/log.h"
#include "tcp/tcp_internal.h"

/* ---- acknowledging ----------------------------------------------------------------- */

/* Answers what looks like an attack or a stale peer, a bounded number of times. */
static void challenge_ack(struct tcp_conn *tc, uint64_t now_us)
{
	if (now_us - tc->challenge_window_us >= 1000000 || !tc->challenge_window_us) {
		tc->challenge_window_us = now_us;
		tc->challenge_count = 0;
	}
	if (tc->challenge_count >= TCP_CHALLENGE_MAX)
		return;
	tc->challenge_count++;
	tc->ack_now = true;
	counter_inc(tc->env->counters, CNT_TCP_CHALLENGE_ACK);
}

/*
 * A duplicate is to be reported.  One ACK answers a batch of segments: what they repeat in a row is
 * one report, as if it had been one segment, and all else gets ACKs of its own.
 */
static void add_dsack(struct tcp_conn *tc, uint32_t begin, uint32_t end)
{
	if (!tc->sack_on)
		return;
	if (tc->dsack_count && tc->dsacks[tc->dsack_count - 1].end == begin) {
		tc->dsacks[tc->dsack_count - 1].end = end;
		return;
	}
	if (tc->dsack_count == TCP_DSACK_MAX)
		tcp_drop_dsack(tc);
	tc->dsacks[tc->dsack_count++] = (struct tcp_sack_block){ begin, end };
}

/* In-order payload came in (RFC 9293, section 3.8.6.3). */
static void schedule_ack(struct tcp_conn *tc, uint32_t len, bool fills_gap, uint64_t now_us)
{
	/* What is full-sized for both ends may carry up to 40 bytes of options. */
	uint32_t two = 2u * (tc->mtu.max - TCP_OPTIONS_MAX);
	uint32_t delay_us = TCP_DELACK_US;

	tc->ack_pending_bytes += len;
	if (tc->quick_acks) {
		tc->quick_acks--;
		delay_us = TCP_QUICK_ACK_US;
		/* Not an answer to wait for, but the beginning of more. */
		if (len >= two / 2)
			tc->ack_now = true;
	}
	if (fills_gap || tc->ack_pending_bytes >= two)
		tc->ack_now = true;
	else if (!tc->ack_now && !tcp_timer_on(tc, TCP_TIMER_DELACK))
		tc->deadline_us[TCP_TIMER_DELACK] = now_us + delay_us;
}

/* ---- the receive sequence space ---------------------------------------------------- */

static void advance(struct tcp_conn *tc, uint32_t len)
{
	unsigned n = 0;

	tc->rcv_nxt += len;
	tc->rcv_offset += len;
	if (seq32_lt(tc->rcv_adv, tc->rcv_nxt))
		tc->rcv_adv = tc->rcv_nxt;
	for (unsigned i = 0; i < tc->sack_count; i++)
		if (seq64_gt(tc->sacks[i].begin, tc->rcv_offset))
			tc->sacks[n++] = tc->sacks[i];
	tc->sack_count = (uint8_t)n;
}

/* Takes the peer's FIN if everything before it was taken. */
static void take_fin(struct tcp_conn *tc, uint64_t now_us)
{
	if (!tc->fin_received || tc->fin_delivered || tc->rcv_nxt != tc->rcv_fin_seq)
		return;
	advance(tc, 1);
	tc->fin_delivered = true;
	tc->events |= TCP_EVENT_FIN;
	tc->ack_now = true;
	switch (tc->state) {
	case TCP_ESTABLISHED:
		tcp_set_state(tc, TCP_CLOSE_WAIT);
		break;
	case TCP_FIN_WAIT_1:            /* ours is not acknowledged: that came first */
		tcp_set_state(tc, TCP_CLOSING);
		break;
	case TCP_FIN_WAIT_2:
		tcp_enter_time_wait(tc, now_us);
		break;
	default:
		break;
	}
}

/* Puts a range that just grew in front of the SACK blocks. */
static void note_sack(struct tcp_conn *tc, const struct reasm_range *where)
{
	struct reasm_range keep[TCP_SACK_MAX] = { *where };
	unsigned n = 1;

	for (unsigned i = 0; i < tc->sack_count && n < TCP_SACK_MAX; i++)
		if (seq64_lt(tc->sacks[i].end, where->begin) ||
		    seq64_gt(tc->sacks[i].begin, where->end))
			keep[n++] = tc->sacks[i];
	memcpy(tc->sacks, keep, n * sizeof(keep[0]));
	tc->sack_count = (uint8_t)n;
}

/* Of `len` bytes at `seq`, RCV.NXT or after it, the first stretch that is held already is to
 * be reported (RFC 2883, section 4). */
static void note_held(struct tcp_conn *tc, uint32_t seq, size_t len)
{
	uint64_t offset = tc->rcv_offset + (uint32_t)(seq - tc->rcv_nxt);
	struct reasm_range held;

	if (reasm_held(&tc->ooo, offset, len, &held))
		add_dsack(tc, seq + (uint32_t)(held.begin - offset),
			  seq + (uint32_t)(held.end - offset));
}

static void keep_out_of_order(struct tcp_conn *tc, uint32_t seq, const uint8_t *data, size_t len)
{
	uint64_t offset = tc->rcv_offset + (uint32_t)(seq - tc->rcv_nxt);
	struct reasm_range where;
	long n;

	note_held(tc, seq, len);
	n = reasm_insert(&tc->ooo, offset, data, len, &where);
	if (n < 0) {
		counter_inc(tc->env->counters, CNT_TCP_OOO_DROPPED);
		return;
	}
	if (n == 0) {
		counter_inc(tc->env->counters, CNT_TCP_DUP);
	} else {
		counter_inc(tc->env->counters, CNT_TCP_OOO);
		tc->bytes_received += (uint64_t)n;
	}
	note_sack(tc, &where);
}

static void input_data(struct tcp_conn *tc, const struct packet *p, uint64_t now_us,
		       struct tcp_rx *rx)
{
	uint32_t seq = p->tcp.seq, len = (uint32_t)p->payload_len, end = seq + len;
	const uint8_t *data = p->payload;
	bool fin = p->tcp.flags & TCP_FIN, gap = tc->ooo.bytes > 0;

	if (tc->state != TCP_ESTABLISHED && tc->state != TCP_FIN_WAIT_1 &&
	    tc->state != TCP_FIN_WAIT_2) {
		/* After the peer's FIN there is nothing new: answer what repeats it. */
		if (len || fin)
			tc->ack_now = true;
		if (fin && tc->state == TCP_TIME_WAIT)
			tc->deadline_us[TCP_TIMER_STATE] = now_us + tc->cfg.time_wait_us;
		return;
	}
	if (!len && !fin)
		return;
	/* Beyond the window, or beyond a FIN that we have seen. */
	if (seq32_gt(end, tc->rcv_adv)) {
		uint32_t cut = end - tc->rcv_adv;

		tc->ack_now = true;
		fin = false;
		len -= cut < len ? cut : len;
		end = seq + len;
	}
	if (tc->fin_received && seq32_gt(end, tc->rcv_fin_seq)) {
		uint32_t cut = end - tc->rcv_fin_seq;

		fin = false;
		len -= cut < len ? cut : len;
		end = seq + len;
	}
	if (fin && !tc->fin_received && seq32_geq(end, tc->rcv_nxt)) {
		tc->fin_received = true;
		tc->rcv_fin_seq = end;
	}
	/* What is old already. */
	if (len && seq32_lt(seq, tc->rcv_nxt)) {
		uint32_t old = tc->rcv_nxt - seq;

		if (old >= len) {
			counter_inc(tc->env->counters, CNT_TCP_DUP);
			old = len;
		}
		add_dsack(tc, seq, seq + old);
		tc->ack_now = true;
		data += old;
		seq += old;
		len -= old;
	}
	if (fin && seq32_gt(end, tc->rcv_nxt + (seq == tc->rcv_nxt ? len : 0)))
		tc->ack_now = true;             /* a FIN beyond a gap */
	if (len && seq == tc->rcv_nxt) {
		rx->data = data;
		rx->len = len;
		rx->seq = seq;
		if (gap && data == p->payload)  /* else older bytes come first */
			note_held(tc, seq, len);
		advance(tc, len);
		tc->bytes_received += len;
		if (gap)
			reasm_drop(&tc->ooo, tc->rcv_offset);
		schedule_ack(tc, len, gap, now_us);
	} else if (len) {
		keep_out_of_order(tc, seq, data, len);
		tc->ack_now = true;
	}
	take_fin(tc, now_us);
}

size_t tcp_rx_pop(struct tcp_conn *tc, const uint8_t **data, uint32_t *seq, uint64_t now_us)
{
	size_t len;

	/* What was handed out by the call before is used by now. */
	if (tc->ooo.bytes)
		reasm_drop(&tc->ooo, tc->rcv_offset);
	len = tc->ooo.bytes ? reasm_peek(&tc->ooo, tc->rcv_offset, data) : 0;
	if (!len) {
		if (tc->state != TCP_CLOSED)
			take_fin(tc, now_us);
		return 0;
	}
	*seq = tc->rcv_nxt;
	advance(tc, (uint32_t)len);
	return len;
}

/* ---- acknowledgements received ----------------------------------------------------- */

static void update_window(struct tcp_conn *tc, const struct packet *p, struct tcp_ack *a)
{
	uint32_t window = (uint32_t)p->tcp.window << tc->snd_wscale;

	if (!a->advanced && !seq32_lt(tc->snd_wl1, p->tcp.seq) &&
	    !(tc->snd_wl1 == p->tcp.seq && seq32_leq(tc->snd_wl2, a->ack)))
		return;
	if (window != tc->snd_wnd)
		a->not_dup = true;
	tc->snd_wnd = window;
	tc->snd_wl1 = p->tcp.seq;
	tc->snd_wl2 = a->ack;
	if (tc->snd_wnd_max < window)
		tc->snd_wnd_max = window;
}

static void update_rtt(struct tcp_conn *tc, const struct tcp_ack *a)
{
	if (a->oldest_sent_us) {
		tcp_rtt_sample(tc, (uint32_t)(a->now_us - a->oldest_sent_us), a->now_us);
	} else if (a->advanced && a->has_ecr && a->ecr) {
		/* All was sent twice: only the timestamp tells which copy arrived. */
		uint32_t ms = tcp_ts_now(tc, a->now_us) - a->ecr;

		if (ms < 120000)
			tcp_rtt_sample_coarse(tc, ms ? ms * 1000 : 1000);
	}
}

static void input_ack(struct tcp_conn *tc, const struct packet *p, uint64_t now_us,
		      struct tcp_rx *rx)
{
	struct tcp_ack a = {
		.now_us = now_us,
		.ack = p->tcp.ack,
		.prior_una = tc->snd_una,
		.prior_flight_bytes = tc->flight_bytes,
		.prior_sacked_bytes = tc->sacked_bytes,
		.has_ecr = tc->ts_on && p->tcp.opt.has_ts,
		.ecr = p->tcp.opt.ts_ecr,
	};

	if (seq32_lt(a.ack, tc->snd_una)) {
		/* One that others overtook.  A DSACK is said only once: it is news all the same. */
		if (tc->sack_on && tcp_rec_dsack(tc, p, &a) && a.has_dsack)
			tcp_recovery_ack(tc, &a);
		return;
	}
	a.congested = tcp_ecn_congested(tc, p);
	a.advanced = a.ack != tc->snd_una;
	a.not_dup = a.advanced || p->payload_len || (p->tcp.flags & (TCP_SYN | TCP_FIN));
	update_window(tc, p, &a);
	/* One that brings a signal of MPTCP is no sign of a loss (RFC 8684, section 3); but DSS
	 * is on every ACK. */
	a.duplicate = !a.not_dup && tc->flight_bytes &&
		      !(p->tcp.mptcp.present & ~(uint32_t)MPOPT_DSS);

	if (a.advanced) {
		tcp_rec_ack(tc, &a);
		a.acked_bytes = a.ack - tc->snd_una;
		tc->bytes_acked += a.acked_bytes - (tc->fin_acked && tc->fin_sent &&
						    a.ack == tc->snd_nxt);
		tc->snd_una = a.ack;
		rx->ack_advanced = true;
	}
	if (tc->sack_on && p->tcp.opt.sack_count)
		tcp_rec_sack(tc, p, &a);
	else
		tc->sack_seen_count = 0;
	if (a.advanced || a.sacked_bytes)
		tc->events |= TCP_EVENT_ACKED;
	if (a.advanced || !tc->snd_wnd || tcp_timer_on(tc, TCP_TIMER_PERSIST)) {
		/* It lives. */
		if (tc->unanswered && !a.prior_flight_bytes)
			tc->events |= TCP_EVENT_ANSWERED;
		tc->unanswered = 0;
	}

	update_rtt(tc, &a);
	tcp_recovery_ack(tc, &a);

	if (!tc->flight_bytes) {
		tcp_timer_off(tc, TCP_TIMER_RTO);
		tcp_timer_off(tc, TCP_TIMER_TLP);
		tcp_timer_off(tc, TCP_TIMER_REORDER);
		tc->tlp_due = false;
	} else if (a.advanced) {
		tcp_arm_rto(tc, now_us);
	}
	if (a.advanced || a.sacked_bytes)
		tcp_arm_tlp(tc, now_us);
	tcp_arm_persist(tc, now_us);
}

/* Our FIN was acknowledged. */
static void fin_acked(struct tcp_conn *tc, uint64_t now_us)
{
	switch (tc->state) {
	case TCP_FIN_WAIT_1:
		tcp_set_state(tc, TCP_FIN_WAIT_2);
		tcp_arm_bound(tc, now_us);
		break;
	case TCP_CLOSING:
		tcp_enter_time_wait(tc, now_us);
		break;
	case TCP_LAST_ACK:
		tc->events |= TCP_EVENT_CLOSED;
		tcp_set_state(tc, TCP_CLOSED);
		break;
	default:
		break;
	}
}

/* ---- arrival ----------------------------------------------------------------------- */

static void reset(struct tcp_conn *tc, struct tcp_rx *rx)
{
	counter_inc(tc->env->counters, CNT_TCP_RST_IN);
	rx->acceptable = true;
	tc->events |= TCP_EVENT_RESET;
	tcp_set_state(tc, TCP_CLOSED);
}

/* RFC 9293, section 3.10.7.3. */
static void input_syn_sent(struct tcp_conn *tc, const struct packet *p, uint64_t now_us,
			   struct tcp_rx *rx)
{
	uint8_t flags = p->tcp.flags;
	bool acked = (flags & TCP_ACK) && p->tcp.ack == tc->snd_nxt && tc->syn_transmissions;

	if ((flags & TCP_ACK) && !acked) {
		counter_inc(tc->env->counters, CNT_TCP_BAD_ACK);
		return;
	}
	if (flags & TCP_RST) {
		if (acked)
			reset(tc, rx);
		return;
	}
	if (!(flags & TCP_SYN))
		return;
	tcp_take_syn_options(tc, p, now_us);
	rx->acceptable = true;
	if (acked) {
		rx->ack_advanced = true;
		tc->snd_wl2 = p->tcp.ack;
		tcp_established(tc, now_us);
		tc->ack_now = true;
	} else {
		/* Both sides opened at once: answer with a SYN/ACK. */
		tcp_set_state(tc, TCP_SYN_RECEIVED);
		tc->accepted = true;
		tc->syn_due = true;
	}
}

/* The peer's SYN once more: it has not heard our SYN/ACK (or we still hold it). */
static void repeated_syn(struct tcp_conn *tc, const struct packet *p, uint64_t now_us)
{
	if (tc->ts_on && p->tcp.opt.has_ts && seq32_geq(p->tcp.opt.ts_val, tc->ts_recent)) {
		tc->ts_recent = p->tcp.opt.ts_val;
		tc->ts_recent_us = now_us;
	}
	tcp_ecn_syn(tc, p->tcp.flags);
	tc->events |= TCP_EVENT_SYN_AGAIN;
	if (tc->accepted)
		tc->syn_due = true;
}

/*
 * First check: timestamps (RFC 7323, section 5) and sequence number.  Segments
 * are measured from the last ACK we sent, not from RCV.NXT: an ACK that data of
 * the same batch overtook is still good.
 */
static bool sequence_ok(struct tcp_conn *tc, const struct packet *p, uint64_t now_us)
{
	const struct tcp_header *h = &p->tcp;
	uint32_t len = (uint32_t)p->payload_len + !!(h->flags & TCP_SYN) + !!(h->flags & TCP_FIN);
	uint32_t left = tc->last_ack_sent, right = tc->rcv_adv, end = h->seq + len;
	bool ok, old;

	if (tc->ts_on && h->opt.has_ts && !(h->flags & TCP_RST) &&
	    seq32_lt(h->opt.ts_val, tc->ts_recent) &&
	    now_us - tc->ts_recent_us < TCP_PAWS_EXPIRY_US) {
		/* An ACK that others overtook on the way is no news, and no attack. */
		if (!len && seq32_geq(h->seq, left) && seq32_leq(h->ack, tc->snd_una))
			return false;
		counter_inc(tc->env->counters, CNT_TCP_PAWS);
		goto answer;
	}
	if (seq32_lt(right, tc->rcv_nxt))
		right = tc->rcv_nxt;
	/*
	 * An ACK exactly at the right edge is let in: its sender filled the window,
	 * and some of that is still under way.  With a window of zero this is also
	 * what lets ACKs and RSTs through.
	 */
	old = len ? seq32_leq(end, left) : seq32_lt(h->seq, left);
	ok = !old && seq32_leq(h->seq, right);
	if (ok)
		return true;
	if (h->flags & TCP_RST)
		return false;
	if (h->flags & TCP_SYN) {
		challenge_ack(tc, now_us);
		return false;
	}
	counter_inc(tc->env->counters, CNT_TCP_OUT_OF_WINDOW);
answer:
	/* Data must be answered each time, or its sender repeats it; the rest must not. */
	if (p->payload_len && seq32_leq(end, tc->rcv_nxt))
		add_dsack(tc, h->seq, h->seq + (uint32_t)p->payload_len);
	if (p->payload_len || (h->flags & TCP_FIN))
		tc->ack_now = true;
	else
		challenge_ack(tc, now_us);
	if ((h->flags & TCP_FIN) && tc->state == TCP_TIME_WAIT)
		tc->deadline_us[TCP_TIMER_STATE] = now_us + tc->cfg.time_wait_us;
	return false;
}

/* Fifth check: the acknowledgement number (RFC 5961, section 5). */
static bool ack_ok(struct tcp_conn *tc, const struct packet *p, uint64_t now_us)
{
	uint32_t ack = p->tcp.ack;

	if (tc->state == TCP_SYN_RECEIVED) {
		if (tc->syn_transmissions && ack == tc->snd_nxt)
			return true;
	} else if (seq32_leq(ack, tc->snd_nxt) &&
		   seq32_geq(ack, tc->snd_una - tc->snd_wnd_max)) {
		return true;
	}
	counter_inc(tc->env->counters, CNT_TCP_BAD_ACK);
	if (tc->state != TCP_SYN_RECEIVED)
		challenge_ack(tc, now_us);
	return false;
}

static void update_timestamp(struct tcp_conn *tc, const struct packet *p, uint64_t now_us)
{
	const struct tcp_options *o = &p->tcp.opt;

	if (!tc->ts_on || !o->has_ts || seq32_gt(p->tcp.seq, tc->last_ack_sent))
		return;
	if (seq32_geq(o->ts_val, tc->ts_recent) ||
	    now_us - tc->ts_recent_us >= TCP_PAWS_EXPIRY_US) {
		tc->ts_recent = o->ts_val;
		tc->ts_recent_us = now_us;
	}
}

void tcp_input(struct tcp_conn *tc, const struct packet *p, uint64_t now_us, struct tcp_rx *rx)
{
	uint8_t flags = p->tcp.flags;

	memset(rx, 0, sizeof(*rx));
	tc->segments_in++;
	if (tc->state == TCP_CLOSED)
		return;
	tcp_pace_refill(tc, now_us);
	if (tc->state == TCP_SYN_SENT) {
		input_syn_sent(tc, p, now_us, rx);
		return;
	}
	rx->in_sequence = p->tcp.seq == tc->rcv_nxt;
	if (tc->state == TCP_SYN_RECEIVED && (flags & (TCP_SYN | TCP_RST)) == TCP_SYN &&
	    p->tcp.seq == tc->irs && (!(flags & TCP_ACK) || tc->active)) {
		if (!(flags & TCP_ACK)) {
			repeated_syn(tc, p, now_us);
			return;
		}
		/* Simultaneous open: the peer's SYN/ACK counts as an ACK of our SYN. */
		if (p->tcp.ack == tc->snd_nxt) {
			rx->acceptable = rx->ack_advanced = true;
			tcp_established(tc, now_us);
			tc->ack_now = true;
		}
		return;
	}

	if (!sequence_ok(tc, p, now_us))
		return;
	if (flags & TCP_RST) {
		/* Only the exact number resets (RFC 5961, section 3). */
		if (rx->in_sequence)
			reset(tc, rx);
		else
			challenge_ack(tc, now_us);
		return;
	}
	if (flags & TCP_SYN) {
		challenge_ack(tc, now_us);      /* RFC 5961, section 4 */
		return;
	}
	if (!(flags & TCP_ACK) || !ack_ok(tc, p, now_us))
		return;
	rx->acceptable = true;
	tcp_heard(tc, now_us);
	update_timestamp(tc, p, now_us);
	tcp_ecn_input(tc, p);
	if (tc->state == TCP_SYN_RECEIVED) {
		tcp_established(tc, now_us);
		rx->ack_advanced = true;
		tc->snd_wnd = (uint32_t)p->tcp.window << tc->snd_wscale;
		if (tc->snd_wnd_max < tc->snd_wnd)
			tc->snd_wnd_max = tc->snd_wnd;
		tc->snd_wl1 = p->tcp.seq;
		tc->snd_wl2 = p->tcp.ack;
	}
	input_ack(tc, p, now_us, rx);
	if (tc->fin_acked)
		fin_acked(tc, now_us);
	if (tc->state != TCP_CLOSED)
		input_data(tc, p, now_us, rx);
}
