/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What leaves: which segment is due, header fields, and the timers that sending
 * starts.  Payload is named by offset only; the caller puts the bytes there.
 *
 * Whenever something is outstanding the RTO runs; the tail loss probe and the
 * reordering timer run beside it and are never later.  With nothing outstanding
 * and a shut window the persist timer runs.  So no connection can get stuck.  What
 * waits for a peer that has gone is found by keepalives.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "tcp/tcp_internal.h"

uint32_t tcp_pipe(const struct tcp_conn *tc)
{
	uint32_t pipe = tc->flight_bytes - tc->sacked_bytes - tc->lost_bytes + tc->retrans_bytes;

	if (!tc->sack_on && tc->dupacks) {
		/* Each duplicate ACK is a segment that has left the network. */
		uint32_t left = tc->dupacks * tcp_smss(tc);

		pipe -= left < pipe ? left : pipe;
	}
	return pipe;
}

uint32_t tcp_cwnd_room(const struct tcp_conn *tc)
{
	uint32_t pipe = tcp_pipe(tc);

	return tc->cwnd_bytes > pipe ? tc->cwnd_bytes - pipe : 0;
}

static bool may_send(const struct tcp_conn *tc)
{
	return (tc->state == TCP_ESTABLISHED || tc->state == TCP_CLOSE_WAIT) && !tc->fin_queued;
}

bool tcp_retrans_waits(const struct tcp_conn *tc)
{
	return tc->pending_bytes && !tc->frto_hold;
}

uint32_t tcp_window_room(const struct tcp_conn *tc)
{
	uint32_t room, enough;
	int32_t window;

	/* What was lost goes first, and takes all of cwnd. */
	if (!may_send(tc) || tcp_retrans_waits(tc))
		return 0;
	window = (int32_t)(tc->snd_una + tc->snd_wnd - tc->snd_nxt);
	if (window <= 0)
		return 0;
	room = tcp_cwnd_room(tc);
	if (tc->tlp_new && tcp_tlp_may_be_new(tc) && room < tcp_smss(tc))
		room = tcp_smss(tc);
	if (room > (uint32_t)window)
		room = (uint32_t)window;
	/* Silly window avoidance (RFC 9293, section 3.8.6.2.1). */
	enough = tcp_smss(tc);
	if (enough > tc->snd_wnd_max / 2)
		enough = tc->snd_wnd_max / 2;
	if (tc->flight_bytes && room < enough)
		return 0;
	return room;
}

uint32_t tcp_send_room(const struct tcp_conn *tc)
{
	return tcp_pace_room(tc, tcp_window_room(tc));
}

/* ---- timers ------------------------------------------------------------------------ */

void tcp_arm_rto(struct tcp_conn *tc, uint64_t now_us)
{
	tc->deadline_us[TCP_TIMER_RTO] = now_us + tcp_rtt_timeout(tc, tc->backoff);
}

bool tcp_needs_persist(const struct tcp_conn *tc)
{
	return tc->want_send && may_send(tc) && !tc->flight_bytes &&
	       (!tc->snd_wnd || tc->window_shut);
}

void tcp_arm_persist(struct tcp_conn *tc, uint64_t now_us)
{
	if (!tcp_needs_persist(tc)) {
		tcp_timer_off(tc, TCP_TIMER_PERSIST);
		tc->probe_due = false;
		tc->persist_backoff = 0;
	} else if (!tcp_timer_on(tc, TCP_TIMER_PERSIST)) {
		tc->deadline_us[TCP_TIMER_PERSIST] =
			now_us + tcp_rtt_timeout(tc, tc->persist_backoff);
	}
}

/* Tells the controller of time in which nothing was sent; may be called at any time. */
static void check_idle(struct tcp_conn *tc, uint64_t now_us)
{
	uint64_t mark = tc->idle_mark_us > tc->last_send_us ? tc->idle_mark_us : tc->last_send_us;
	uint64_t rounds;

	tcp_cwv_send(tc, now_us);
	if (tc->flight_bytes || !tc->last_send_us || now_us < mark + tc->rto_us)
		return;
	rounds = (now_us - mark) / tc->rto_us;
	tc->idle_mark_us = mark + rounds * tc->rto_us;
	tc->cfg.cc->on_idle(tc, now_us, rounds * tc->rto_us);
}

/* ---- segments ---------------------------------------------------------------------- */

/* A record leaves (again): describes it in *tx. */
static void describe(const struct tcp_record *r, struct tcp_tx *tx)
{
	tx->seq = r->seq;
	tx->flags = TCP_ACK | (r->fin ? TCP_FIN : TCP_PSH);
	tx->len = r->len;
	tx->offset = r->offset;
	tx->map_seq = r->map_seq;
	tx->map_len = r->map_len;
	tx->map_checksum = r->map_checksum;
}

static void send_again(struct tcp_conn *tc, struct tcp_record *r, uint64_t now_us,
		       struct tcp_tx *tx)
{
	uint32_t span = tcp_rec_span(r);

	if (tc->recovery != TCP_RECOVERY_NONE && !tc->undo_us)
		tc->undo_us = now_us;
	/* A probe after the episode, too: its DSACK must not stand for another's. */
	if (tc->recovery != TCP_RECOVERY_NONE || tc->undo_possible) {
		tc->undo_retrans += span;
		tc->undo_end = seq32_max(tc->undo_end, tcp_rec_end(r));
	}
	tc->prr_out += span;
	tcp_rec_mark_sent_again(tc, r, now_us);
	tcp_pace_spend(tc, span);
	describe(r, tx);
	tx->retransmission = true;
	tc->bytes_retrans += r->len;
	tc->last_send_us = now_us;
	counter_inc(tc->env->counters, CNT_TCP_RETRANS);
	if (r->seq == tc->snd_una || !tcp_timer_on(tc, TCP_TIMER_RTO))
		tcp_arm_rto(tc, now_us);
}

/* The next lost record, or what of it cwnd and `max_len` allow. */
static bool send_lost(struct tcp_conn *tc, uint64_t now_us, uint32_t max_len, struct tcp_tx *tx)
{
	uint32_t room, mss = tcp_smss(tc), len;
	struct tcp_record *r;

	if (!tcp_retrans_waits(tc))
		return false;
	r = tcp_rec_next_pending(tc);
	room = tcp_cwnd_room(tc);
	if (room < (r->len < mss ? tcp_rec_span(r) : mss))
		return false;
	/* The first lost segment holds all back: it does not wait for the pace. */
	if (r->seq == tc->snd_una && tcp_pace_room(tc, mss) < mss) {
		room = mss;
	} else {
		uint32_t due = tcp_pace_room(tc, room < tc->pending_bytes ? room
									  : tc->pending_bytes);

		if (!due)
			return false;
		if (due < room)
			room = due;
	}
	len = r->len;
	if (len > room)
		len = room - room % mss;
	if (len > max_len)
		len = max_len;
	if (len < r->len && (!len || !tcp_rec_split(tc, r, len)))
		return false;
	send_again(tc, r, now_us, tx);
	return true;
}

static void send_syn(struct tcp_conn *tc, uint64_t now_us, struct tcp_tx *tx)
{
	tc->syn_due = false;
	tx->seq = tc->iss;
	tx->flags = tc->state == TCP_SYN_SENT ? TCP_SYN : TCP_SYN | TCP_ACK;
	tx->retransmission = tc->syn_transmissions > 0;
	if (tc->syn_transmissions < UINT8_MAX)
		tc->syn_transmissions++;
	tc->snd_nxt = tc->iss + 1;
	tc->syn_sent_us = now_us;
	if (!tcp_timer_on(tc, TCP_TIMER_RTO))
		tcp_arm_rto(tc, now_us);
}

static bool send_fin(struct tcp_conn *tc, uint64_t now_us, struct tcp_tx *tx)
{
	struct tcp_record *r = tcp_rec_append(tc, 0, true, 0, now_us);

	if (!r) {
		tcp_arm_rto(tc, now_us);        /* no memory: try again then */
		return false;
	}
	describe(r, tx);
	tc->fin_sent = true;
	tc->fin_seq = tc->snd_nxt;
	tc->snd_nxt++;
	if (!tcp_timer_on(tc, TCP_TIMER_RTO))
		tcp_arm_rto(tc, now_us);
	tcp_arm_tlp(tc, now_us);
	return true;
}

static bool output(struct tcp_conn *tc, uint64_t now_us, uint32_t max_len, struct tcp_tx *tx)
{
	memset(tx, 0, sizeof(*tx));
	if (tc->state == TCP_CLOSED)
		return false;
	if (tc->syn_due) {
		send_syn(tc, now_us, tx);
		return true;
	}
	if (tc->state == TCP_SYN_SENT || tc->state == TCP_SYN_RECEIVED) {
		/* Nothing but the SYN; a challenge ACK only once the SYN/ACK is out. */
		if (!tc->ack_now || !tc->syn_transmissions || tc->state == TCP_SYN_SENT) {
			tc->ack_now = false;
			return false;
		}
		tx->seq = tc->snd_nxt;
		tx->flags = TCP_ACK;
		return true;
	}
	check_idle(tc, now_us);
	tcp_pace_refill(tc, now_us);
	if (now_us >= tc->mtu.next_us || tc->mtu.try_mss)
		tcp_mtu_turn(tc, now_us);
	if (tcp_gap_ack_due(tc)) {
		tx->seq = tc->snd_nxt;
		tx->flags = TCP_ACK;
		return true;
	}
	if (send_lost(tc, now_us, max_len, tx))
		return true;
	if (tc->tlp_due) {
		struct tcp_record *r = tcp_tlp_record(tc, max_len);

		if (r) {
			send_again(tc, r, now_us, tx);
			return true;
		}
	}
	if (tc->fin_queued && !tc->fin_sent && send_fin(tc, now_us, tx))
		return true;
	tcp_arm_persist(tc, now_us);
	if (tc->probe_due) {
		/* Below the window, so that the peer must answer (RFC 9293, 3.8.6.1). */
		tc->probe_due = false;
		tx->seq = tc->snd_una - 1;
		tx->flags = TCP_ACK;
		counter_inc(tc->env->counters, CNT_TCP_ZERO_PROBE);
		return true;
	}
	if (tc->keepalive_due) {
		/* Neither does this carry data: RFC 9293, section 3.8.4. */
		tc->keepalive_due = false;
		tx->seq = tc->snd_una - 1;
		tx->flags = TCP_ACK;
		counter_inc(tc->env->counters, CNT_TCP_KEEPALIVE);
		return true;
	}
	if (tc->ack_now) {
		tx->seq = tc->snd_nxt;
		tx->flags = TCP_ACK;
		return true;
	}
	return false;
}

bool tcp_output(struct tcp_conn *tc, uint64_t now_us, uint32_t max_len, struct tcp_tx *tx)
{
	if (tcp_timer_due(tc, TCP_TIMER_DELACK, now_us)) {
		tcp_timer_off(tc, TCP_TIMER_DELACK);
		tc->ack_now = true;
	}
	return output(tc, now_us, max_len, tx);
}

/* Notes whether cwnd or the caller limits sending, over one round (as RFC 7661). */
static void note_usage(struct tcp_conn *tc)
{
	bool limited = tcp_cwnd_room(tc) < tcp_smss(tc);

	if (limited || seq32_geq(tc->snd_una, tc->cwnd_usage_seq) ||
	    (!tc->cwnd_limited && tc->flight_bytes > tc->max_flight_bytes)) {
		tc->cwnd_limited = limited;
		tc->max_flight_bytes = tc->flight_bytes;
		tc->cwnd_usage_seq = tc->snd_nxt;
	}
}

int tcp_send(struct tcp_conn *tc, uint64_t offset, uint32_t len, uint64_t now_us,
	     struct tcp_tx *tx)
{
	struct tcp_record *r;

	assert(may_send(tc) && len > 0 && len <= UINT16_MAX);
	check_idle(tc, now_us);
	r = tcp_rec_append(tc, len, false, offset, now_us);
	if (!r)
		return -ENOMEM;
	memset(tx, 0, sizeof(*tx));
	describe(r, tx);
	tcp_pace_spend(tc, len);
	tx->ect = tc->ecn_on;
	tcp_mtu_sent(tc, len, tx);
	tc->snd_nxt += len;
	tc->last_send_us = now_us;
	tc->prr_out += len;
	if (tc->tlp_due)
		tcp_tlp_sent_new(tc);
	if (!tcp_timer_on(tc, TCP_TIMER_RTO))
		tcp_arm_rto(tc, now_us);
	tcp_timer_off(tc, TCP_TIMER_PERSIST);
	tcp_arm_tlp(tc, now_us);
	note_usage(tc);
	return 0;
}

void tcp_tx_set_checksum(struct tcp_conn *tc, struct tcp_tx *tx, uint16_t checksum)
{
	struct tcp_record *r = list_last(&tc->records, struct tcp_record, by_seq);

	assert(r && r->seq == tx->seq);
	tx->map_checksum = checksum;
	r->map_checksum = checksum;
}

/* ---- headers ----------------------------------------------------------------------- */

/*
 * The window field: scaled down, so that no more is announced than is allowed,
 * and advancing the edge only by steps worth it (RFC 9293, section 3.8.6.2.2).
 * The edge never moves back, apart from that rounding.
 */
static uint16_t window_field(struct tcp_conn *tc, bool syn)
{
	unsigned shift = tc->wscale_on && !syn ? tc->cfg.rcv_wscale : 0;
	uint32_t edge = tc->rcv_nxt + tc->rcv_wnd, step = tc->rcv_wnd_max / 2, wnd;

	if (step > tc->cfg.mss)
		step = tc->cfg.mss;
	if (seq32_lt(edge, tc->rcv_adv + (syn ? 0 : step)))
		edge = tc->rcv_adv;
	wnd = seq32_gt(edge, tc->rcv_nxt) ? (edge - tc->rcv_nxt) >> shift : 0;
	if (wnd > UINT16_MAX)
		wnd = UINT16_MAX;
	tc->rcv_adv = seq32_max(tc->rcv_adv, tc->rcv_nxt + (wnd << shift));
	return (uint16_t)wnd;
}

void tcp_drop_dsack(struct tcp_conn *tc)
{
	tc->dsack_count--;
	memmove(tc->dsacks, tc->dsacks + 1, tc->dsack_count * sizeof(tc->dsacks[0]));
}

static void fill_sack(struct tcp_conn *tc, struct tcp_options *o)
{
	if (tc->dsack_count) {
		o->sack[o->sack_count++] = tc->dsacks[0];
		tcp_drop_dsack(tc);
	}
	for (unsigned i = 0; i < tc->sack_count && o->sack_count < TCP_SACK_MAX; i++) {
		struct tcp_sack_block *b = &o->sack[o->sack_count++];

		b->begin = tc->rcv_nxt + (uint32_t)(tc->sacks[i].begin - tc->rcv_offset);
		b->end = tc->rcv_nxt + (uint32_t)(tc->sacks[i].end - tc->rcv_offset);
	}
}

void tcp_fill_header(struct tcp_conn *tc, const struct tcp_tx *tx, uint64_t now_us,
		     struct tcp_header *h)
{
	struct tcp_options *o = &h->opt;
	bool syn = tx->flags & TCP_SYN, answer = tx->flags & TCP_ACK;

	h->seq = tx->seq;
	h->ack = answer ? tc->rcv_nxt : 0;
	h->flags = tx->flags | tcp_ecn_flags(tc, tx);
	h->urgent = 0;
	h->checksum = 0;
	memset(o, 0, sizeof(*o));
	tc->segments_out++;
	if (syn) {
		/* A SYN offers, a SYN/ACK accepts what was offered. */
		o->has_mss = true;
		o->mss = tc->cfg.mss - tc->mss_spare;
		o->has_wscale = answer ? tc->wscale_on : true;
		o->wscale = tc->cfg.rcv_wscale;
		o->sack_permitted = answer ? tc->sack_on : tc->cfg.sack;
	}
	if (syn && !answer ? tc->cfg.timestamps : tc->ts_on) {
		o->has_ts = true;
		o->ts_val = tcp_ts_now(tc, now_us);
		o->ts_ecr = answer ? tc->ts_recent : 0;
	}
	if (tx->flags & TCP_RST) {
		h->window = 0;
		return;
	}
	h->window = window_field(tc, syn);
	if (!answer)
		return;
	if (!syn && tc->sack_on)
		fill_sack(tc, o);
	tc->ack_now = tc->dsack_count > 0;
	tc->ack_pending_bytes = 0;
	tc->last_ack_sent = tc->rcv_nxt;
	tcp_timer_off(tc, TCP_TIMER_DELACK);
}

void tcp_request_ack(struct tcp_conn *tc)
{
	tc->ack_now = true;
}

void tcp_request_ack_soon(struct tcp_conn *tc, uint64_t now_us)
{
	if (!tc->ack_now && !tcp_timer_on(tc, TCP_TIMER_DELACK))
		tc->deadline_us[TCP_TIMER_DELACK] = now_us + TCP_QUICK_ACK_US;
}

void tcp_set_window(struct tcp_conn *tc, uint32_t bytes)
{
	uint32_t limit = (uint32_t)UINT16_MAX << (tc->wscale_on ? tc->cfg.rcv_wscale : 0);
	uint32_t edge, step;

	/* What the field cannot tell would seem to be news for ever. */
	if (bytes > limit)
		bytes = limit;
	tc->rcv_wnd = bytes;
	if (tc->rcv_wnd_max < bytes)
		tc->rcv_wnd_max = bytes;
	if (tc->state < TCP_ESTABLISHED || tc->fin_delivered)
		return;
	/* An ACK that is due soon will tell, as long as the peer has enough to go on with. */
	if (tcp_timer_on(tc, TCP_TIMER_DELACK) &&
	    tc->rcv_adv - tc->rcv_nxt >= TCP_WINDOW_ENOUGH)
		return;
	edge = tc->rcv_nxt + bytes;
	step = tc->rcv_wnd_max / 2;
	if (step > 2u * tc->cfg.mss)
		step = 2u * tc->cfg.mss;
	if (step && seq32_geq(edge, tc->rcv_adv + step))
		tc->ack_now = true;
}
