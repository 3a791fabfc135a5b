/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RACK-TLP loss detection (RFC 8985).
 *
 * RACK: a record is lost when something sent later was delivered and a
 * reordering window has passed.  The window starts at nothing once three
 * segments were SACKed, and grows with the reordering that is seen.  TLP: when
 * acknowledgements stop at the tail of a flight, the last segment is sent again
 * to make the receiver speak before the retransmission timeout must.
 *
 * Only used where the peer has SACK; recovery.c falls back to NewReno otherwise.
 */
#include "tcp/tcp_internal.h"

#define TLP_ACK_DELAY_US 200000u        /* a lone segment's ACK may be delayed so long */
#define TLP_SLACK_US     2000u
#define REO_WND_PERSIST  16u            /* recoveries that a widened window outlives */

/* RACK_sent_after() (section 6.2, step 2). */
static bool sent_after(uint64_t t1, uint32_t end1, uint64_t t2, uint32_t end2)
{
	return t1 > t2 || (t1 == t2 && seq32_gt(end1, end2));
}

void tcp_rack_delivered(struct tcp_conn *tc, const struct tcp_record *r, uint32_t end,
			const struct tcp_ack *a)
{
	uint32_t rtt = (uint32_t)(a->now_us - r->sent_us);

	/* Step 3: reordering is a first transmission that arrives below the highest. */
	if (seq32_gt(end, tc->rack.fack))
		tc->rack.fack = end;
	else if (r->transmissions == 1)
		tc->rack.reordering_seen = true;

	/*
	 * Steps 1 and 2; an ACK that may be of the original says nothing.  The
	 * timestamp is an echo of what moved the left edge, so it tells about that
	 * segment only.
	 */
	if (r->transmissions > 1) {
		if (a->advanced && r->seq == a->prior_una && a->has_ecr &&
		    seq32_lt(a->ecr, tcp_ts_now(tc, r->sent_us)))
			return;
		if (rtt < tc->min_rtt_us)
			return;
	}
	tc->rack.rtt_us = rtt;
	if (sent_after(r->sent_us, end, tc->rack.xmit_us, tc->rack.end_seq)) {
		tc->rack.xmit_us = r->sent_us;
		tc->rack.end_seq = end;
	}
}

static void update_reo_wnd(struct tcp_conn *tc, const struct tcp_ack *a)
{
	uint64_t wnd;

	/*
	 * Both copies arrived: the first was late, not lost.  Step 3 does not see that, since it
	 * was sent again before it was acknowledged.  Not what answers a probe or a timeout,
	 * which a timer sent and not a suspicion of loss.
	 */
	bool late = a && a->has_dsack && !a->dsack_of_probe;

	if (late && tc->fast_last)
		tc->rack.reordering_seen = true;
	if (late && tc->rack.reordering_seen &&
	    (!tc->rack.dsack_round_set || seq32_geq(tc->snd_una, tc->rack.dsack_round))) {
		tc->rack.dsack_round_set = true;
		tc->rack.dsack_round = tc->snd_nxt;
		if (tc->rack.reo_wnd_mult < UINT8_MAX)
			tc->rack.reo_wnd_mult++;
		tc->rack.reo_wnd_persist = REO_WND_PERSIST;
	}
	if (!tc->rack.reordering_seen &&
	    (tcp_repairing(tc) || tc->sacked_count >= TCP_DUP_THRESH ||
	     tc->sacked_bytes >= TCP_DUP_THRESH * tcp_smss(tc))) {
		tc->rack.reo_wnd_us = 0;
		return;
	}
	wnd = (uint64_t)tc->rack.reo_wnd_mult * tc->min_rtt_us / 4;
	tc->rack.reo_wnd_us = wnd > tc->srtt_us ? tc->srtt_us : (uint32_t)wnd;
}

void tcp_rack_recovery_ended(struct tcp_conn *tc)
{
	if (tc->rack.reo_wnd_persist)
		tc->rack.reo_wnd_persist--;
	if (!tc->rack.reo_wnd_persist) {
		tc->rack.reo_wnd_mult = 1;
		tc->rack.dsack_round_set = false;
	}
}

/* At a timeout (section 6.3): older than a round trip and the reordering window. */
bool tcp_rack_overdue(const struct tcp_conn *tc, const struct tcp_record *r, uint64_t now_us)
{
	uint32_t rtt_us = tc->rack.rtt_us ? tc->rack.rtt_us : tc->srtt_us;

	return r->sent_us + rtt_us + tc->rack.reo_wnd_us <= now_us;
}

bool tcp_rack_detect(struct tcp_conn *tc, const struct tcp_ack *a, uint64_t now_us)
{
	struct tcp_record *r, *tmp;
	uint64_t timeout = 0;
	bool found = false;

	if (!tc->sack_on)
		return false;
	update_reo_wnd(tc, a);
	tcp_timer_off(tc, TCP_TIMER_REORDER);
	if (!tc->rack.xmit_us)
		return false;
	list_for_each_safe(r, tmp, &tc->sent, by_time) {
		uint64_t due;

		if (!sent_after(tc->rack.xmit_us, tc->rack.end_seq, r->sent_us, tcp_rec_end(r)))
			break;
		due = r->sent_us + tc->rack.rtt_us + tc->rack.reo_wnd_us;
		if (due <= now_us) {
			tcp_rec_mark_lost(tc, r);
			/* A probe of the path's MTU that is lost says nothing else. */
			found |= !tcp_mtu_lost(tc, r);
		} else if (due > timeout) {
			timeout = due;
		}
	}
	if (timeout)
		tc->deadline_us[TCP_TIMER_REORDER] = timeout;
	return found;
}

/* ---- tail loss probes (section 7) ----------------------------------------------- */

void tcp_arm_tlp(struct tcp_conn *tc, uint64_t now_us)
{
	uint64_t pto;

	tcp_timer_off(tc, TCP_TIMER_TLP);
	/* Without a round trip measured since the last probe: section 7.3. */
	if (!tc->sack_on || !tc->flight_bytes || tc->tlp_out || tc->tlp_due ||
	    !tc->tlp_measured || tcp_repairing(tc) || tc->sacked_bytes || tc->lost_bytes)
		return;
	pto = now_us + 2ull * tc->srtt_us;
	pto += tc->flight_bytes <= tcp_smss(tc) ? TLP_ACK_DELAY_US : TLP_SLACK_US;
	if (tcp_timer_on(tc, TCP_TIMER_RTO) && pto > tc->deadline_us[TCP_TIMER_RTO])
		pto = tc->deadline_us[TCP_TIMER_RTO];
	tc->deadline_us[TCP_TIMER_TLP] = pto;
}

void tcp_tlp_timeout(struct tcp_conn *tc, uint64_t now_us)
{
	if (!tc->flight_bytes || tc->tlp_out || tcp_repairing(tc))
		return;
	tc->tlp_due = true;
	tc->tlp_new = false;
	/* The probe gets a full timeout of its own. */
	tc->deadline_us[TCP_TIMER_RTO] = now_us + tcp_rtt_timeout(tc, tc->backoff);
}

bool tcp_tlp_may_be_new(const struct tcp_conn *tc)
{
	int32_t window = (int32_t)(tc->snd_una + tc->snd_wnd - tc->snd_nxt);

	return tc->tlp_due && tc->want_send && window >= (int32_t)tcp_smss(tc);
}

void tcp_tlp_sent_new(struct tcp_conn *tc)
{
	tc->tlp_due = tc->tlp_new = tc->tlp_retrans = tc->tlp_measured = false;
	tc->tlp_out = true;
	tc->tlp_end_seq = tc->snd_nxt;
	counter_inc(tc->env->counters, CNT_TCP_TLP);
}

struct tcp_record *tcp_tlp_record(struct tcp_conn *tc, uint32_t max_len)
{
	struct tcp_record *r = list_last(&tc->records, struct tcp_record, by_seq);
	uint32_t mss = tcp_smss(tc);

	/*
	 * New data, where there is any, tells as much and is of use (section 7.3): for once
	 * cwnd does not hold it back.  If none has come by the next call, old data must do.
	 */
	if (!tc->tlp_new && tcp_tlp_may_be_new(tc)) {
		tc->tlp_new = true;
		return NULL;
	}
	tc->tlp_due = false;
	if (!r || r->sacked || tcp_repairing(tc))
		return NULL;
	if (mss > max_len)
		mss = max_len;
	if (r->len > mss)
		r = mss ? tcp_rec_split(tc, r, r->len - mss) : NULL;
	if (r) {
		tc->tlp_out = tc->tlp_retrans = true;
		tc->tlp_measured = false;
		tc->tlp_len = r->len;
		tc->tlp_end_seq = tc->snd_nxt;
		counter_inc(tc->env->counters, CNT_TCP_TLP);
	}
	return r;
}

void tcp_tlp_ack(struct tcp_conn *tc, const struct tcp_ack *a)
{
	if (!tc->tlp_out || seq32_lt(a->ack, tc->tlp_end_seq))
		return;
	if (!tc->tlp_retrans) {
		tc->tlp_out = false;            /* it repaired nothing: it was new */
	} else if (a->has_dsack && a->dsack.end == tc->tlp_end_seq) {
		tc->tlp_out = false;            /* both copies arrived: nothing was lost */
	} else if (seq32_gt(a->ack, tc->tlp_end_seq)) {
		/* More than the probe is acknowledged without a DSACK: it repaired a loss. */
		tc->tlp_out = false;
		if (tc->recovery == TCP_RECOVERY_NONE) {
			tcp_cwv_loss(tc, a->prior_flight_bytes - a->prior_sacked_bytes, a->now_us);
			tc->cfg.cc->on_loss(tc, a->now_us);
			if (tc->cwnd_bytes > tc->ssthresh_bytes)
				tc->cwnd_bytes = tc->ssthresh_bytes;
			tcp_ecn_reduced(tc);
		}
	} else if (!a->advanced && !a->not_dup && !a->sacked_bytes) {
		tc->tlp_out = false;
	}
}
