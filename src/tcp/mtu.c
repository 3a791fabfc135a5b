/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The size of segments: what the route takes, what the path takes, and finding out.
 *
 * `mtu.max` is what both ends and the route allow; the segment size `mss` is never more.
 * It shrinks
 *   - when a router says "too big" (RFC 1191, RFC 8201; the caller has checked, as RFC 5927
 *     asks for, that the message quotes a segment under way);
 *   - when large segments time out twice in a row (RFC 4821, section 7.7): routers that
 *     drop in silence are common.  It may be the path itself that is dead, which cannot be
 *     told from here.
 *
 * Paths change, so it grows again (RFC 4821, section 7): ten minutes after a router's word,
 * but a second after a guess, which a dead path that comes back has proved wrong.  One segment
 * of the largest size is sent amid the others, then ones half-way between what passes and what
 * does not.  A probe that gets lost is sent again in pieces; that is no sign of congestion
 * (RFC 4821, section 7.6.2).
 *
 * Sizes are those of `mss`: bytes after the fixed TCP header, options included.
 */
#include "tcp/tcp_internal.h"

#define MTU_FORGET_US     600000000ull  /* RFC 1191, section 6.3 */
#define MTU_SEARCH_US     1000000ull    /* after a guess */
#define MTU_STEP          32u           /* a search this exact is at its end */
#define MTU_PROBE_SLACK   4u            /* options may once be longer than usual */
#define MTU_WINDOW        8u            /* segments of cwnd, so that a loss shows by SACK */
#define MTU_SILENT_RTOS   2u

static void search_again(struct tcp_conn *tc, uint64_t when_us)
{
	tc->mtu.probe = tc->mtu.try_mss = 0;
	tc->mtu.bisect = false;
	tc->mtu.high = tc->mtu.max + 1u;
	tc->mtu.next_us = when_us;
}

static void set_mss(struct tcp_conn *tc, uint32_t mss)
{
	tc->mss = (uint16_t)mss;
	if (tc->cwnd_bytes < tcp_smss(tc))
		tc->cwnd_bytes = tcp_smss(tc);
}

static uint32_t at_least(uint32_t mss)
{
	return mss < TCP_MSS_MIN ? TCP_MSS_MIN : mss;
}

void tcp_mtu_init(struct tcp_conn *tc, uint32_t peer_mss)
{
	tc->mtu.peer = (uint16_t)at_least(peer_mss);
	tc->mtu.max = tc->mtu.peer < tc->cfg.mss ? tc->mtu.peer : tc->cfg.mss;
	tc->mtu.max = (uint16_t)at_least(tc->mtu.max);
	tc->mss = tc->mtu.max;
	search_again(tc, TIMER_NEVER);
}

void tcp_route_mtu(struct tcp_conn *tc, uint16_t mtu_mss, uint64_t now_us)
{
	/* Once it is too late to announce more, nothing more will come of it. */
	if ((tc->state >= TCP_ESTABLISHED || tc->syn_transmissions) && mtu_mss >= tc->mtu.max)
		return;
	tc->cfg.mss = (uint16_t)at_least(mtu_mss);
	if (tc->state == TCP_SYN_SENT)
		return;
	tcp_mtu_init(tc, tc->mtu.peer);
	if (!tc->flight_bytes)
		tcp_init_window(tc, now_us);
}

void tcp_path_mtu(struct tcp_conn *tc, uint16_t mtu_mss, uint64_t now_us)
{
	uint32_t mss = at_least(mtu_mss), fits;
	struct tcp_record *r;

	if (mss >= tc->mss) {
		/* Only the probe was too big; now we know what to try next. */
		if (!tc->mtu.probe || mss >= tc->mtu.probe)
			return;
		tc->mtu.high = mss + 1;
		tc->mtu.probe = 0;
		list_for_each(r, &tc->records, by_seq)
			if (r->seq == tc->mtu.probe_seq)
				tcp_rec_mark_lost(tc, r);
		return;
	}
	counter_inc(tc->env->counters, CNT_TCP_MTU_TOO_BIG);
	set_mss(tc, mss);
	search_again(tc, now_us + MTU_FORGET_US);
	if (tc->state < TCP_ESTABLISHED)
		return;
	/* Not a sign of congestion: cwnd stays. */
	fits = tcp_smss(tc);
	list_for_each(r, &tc->records, by_seq)
		if (r->len > fits)
			tcp_rec_mark_lost(tc, r);
	tcp_timer_off(tc, TCP_TIMER_TLP);
	if (tc->flight_bytes && !tcp_timer_on(tc, TCP_TIMER_RTO))
		tcp_arm_rto(tc, now_us);
}

bool tcp_mtu_timeout(struct tcp_conn *tc, const struct tcp_record *head, uint64_t now_us)
{
	/* What passes nearly everywhere, with IPv6's least MTU; then 1024 and 552. */
	static const uint16_t steps[] = { 1220, 984, 512 };

	/* The size of what does not get through: less is not full-sized, but vanishes, too. */
	uint32_t size = head->len + tc->option_len;

	if (size > tc->mss)
		size = tc->mss;
	tcp_mtu_lost(tc, head);
	if (tc->unanswered < MTU_SILENT_RTOS)
		return false;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (steps[i] >= size)
			continue;
		counter_inc(tc->env->counters, CNT_TCP_MTU_BLACK_HOLE);
		set_mss(tc, steps[i]);
		search_again(tc, now_us + MTU_SEARCH_US);
		return true;
	}
	return false;
}

/* ---- growing again ------------------------------------------------------------------ */

/* The next size to try, or 0 if the search is at its end. */
static uint32_t candidate(const struct tcp_conn *tc)
{
	/* The largest first, or what a router named: where it passes, that is all. */
	if (!tc->mtu.bisect)
		return tc->mtu.high - 1u > tc->mss ? tc->mtu.high - 1u : 0;
	return tc->mtu.high > tc->mss + MTU_STEP ? (tc->mss + tc->mtu.high) / 2u : 0;
}

static uint32_t probe_payload(const struct tcp_conn *tc)
{
	return tc->mtu.try_mss - tc->option_len - MTU_PROBE_SLACK;
}

void tcp_mtu_turn(struct tcp_conn *tc, uint64_t now_us)
{
	tc->mtu.try_mss = 0;
	if (now_us < tc->mtu.next_us || tc->mtu.probe || tc->fin_queued ||
	    (tc->state != TCP_ESTABLISHED && tc->state != TCP_CLOSE_WAIT) ||
	    tc->recovery != TCP_RECOVERY_NONE || tc->lost_bytes || tc->sacked_bytes ||
	    !tc->sack_on || tc->cwnd_bytes < MTU_WINDOW * tcp_smss(tc))
		return;
	/* A tail loss probe is meant to arrive. */
	if (tc->tlp_due)
		return;
	/* SACK blocks would make it longer than what it is to try. */
	if (tc->sack_count || tc->dsack_count)
		return;
	tc->mtu.try_mss = (uint16_t)candidate(tc);
	if (!tc->mtu.try_mss)
		search_again(tc, tc->mss < tc->mtu.max ? now_us + MTU_FORGET_US : TIMER_NEVER);
}

uint32_t tcp_mtu_probe_len(const struct tcp_conn *tc)
{
	int32_t window = (int32_t)(tc->snd_una + tc->snd_wnd - tc->snd_nxt);

	if (!tc->mtu.try_mss || window < (int32_t)probe_payload(tc))
		return 0;
	/*
	 * It goes where a segment of the usual size may.  Pacing and ACKs make room for two of
	 * those at a time: waiting for more, a probe three times as long would never go.
	 */
	return tcp_send_room(tc) >= tcp_smss(tc) ? probe_payload(tc) : 0;
}

void tcp_mtu_sent(struct tcp_conn *tc, uint32_t len, struct tcp_tx *tx)
{
	if (!tc->mtu.try_mss || len != probe_payload(tc))
		return;
	counter_inc(tc->env->counters, CNT_TCP_MTU_PROBE);
	tx->whole = true;
	tc->mtu.probe = tc->mtu.try_mss;
	tc->mtu.try_mss = 0;
	tc->mtu.probe_seq = tx->seq;
	tc->mtu.probe_end = tx->seq + len;
}

void tcp_mtu_delivered(struct tcp_conn *tc, const struct tcp_record *r, uint32_t end)
{
	if (!tc->mtu.probe || r->seq != tc->mtu.probe_seq)
		return;
	if (r->transmissions > 1 || end != tc->mtu.probe_end) {
		/* In pieces: it cannot be told which copy arrived. */
		tcp_mtu_lost(tc, r);
		return;
	}
	set_mss(tc, tc->mtu.probe);
	tc->mtu.probe = 0;
}

bool tcp_mtu_lost(struct tcp_conn *tc, const struct tcp_record *r)
{
	if (!tc->mtu.probe || r->seq != tc->mtu.probe_seq)
		return false;
	tc->mtu.high = tc->mtu.probe;
	tc->mtu.bisect = true;
	tc->mtu.probe = 0;
	return true;
}
