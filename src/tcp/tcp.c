/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The life of an endpoint: opening, closing, and the state machine's one setter (RFC 9293,
 * sections 3.5, 3.6 and 3.10).
 */
#include <assert.h>
#include <string.h>

#include "base/log.h"
#include "tcp/tcp_internal.h"

static const char *const state_names[] = {
	[TCP_CLOSED] = "CLOSED",
	[TCP_SYN_SENT] = "SYN-SENT",
	[TCP_SYN_RECEIVED] = "SYN-RECEIVED",
	[TCP_ESTABLISHED] = "ESTABLISHED",
	[TCP_FIN_WAIT_1] = "FIN-WAIT-1",
	[TCP_FIN_WAIT_2] = "FIN-WAIT-2",
	[TCP_CLOSE_WAIT] = "CLOSE-WAIT",
	[TCP_CLOSING] = "CLOSING",
	[TCP_LAST_ACK] = "LAST-ACK",
	[TCP_TIME_WAIT] = "TIME-WAIT",
};

const char *tcp_state_name(enum tcp_state state)
{
	return (unsigned)state <= TCP_TIME_WAIT ? state_names[state] : "?";
}

/* Where each state may lead (RFC 9293, figure 5), as bits; CLOSED always may. */
#define BIT(s) (1u << (s))
static const uint16_t state_next[] = {
	[TCP_CLOSED] = BIT(TCP_SYN_SENT) | BIT(TCP_SYN_RECEIVED),
	[TCP_SYN_SENT] = BIT(TCP_ESTABLISHED) | BIT(TCP_SYN_RECEIVED),
	[TCP_SYN_RECEIVED] = BIT(TCP_ESTABLISHED),
	[TCP_ESTABLISHED] = BIT(TCP_FIN_WAIT_1) | BIT(TCP_CLOSE_WAIT),
	[TCP_FIN_WAIT_1] = BIT(TCP_FIN_WAIT_2) | BIT(TCP_CLOSING) | BIT(TCP_TIME_WAIT),
	[TCP_FIN_WAIT_2] = BIT(TCP_TIME_WAIT),
	[TCP_CLOSE_WAIT] = BIT(TCP_LAST_ACK),
	[TCP_CLOSING] = BIT(TCP_TIME_WAIT),
	[TCP_LAST_ACK] = 0,
	[TCP_TIME_WAIT] = 0,
};

void tcp_set_state(struct tcp_conn *tc, enum tcp_state state)
{
	assert(state == TCP_CLOSED || (state_next[tc->state] & BIT(state)));
	log_debug("tcp %08x/%08x: %s -> %s", tc->iss, tc->irs, tcp_state_name(tc->state),
		  tcp_state_name(state));
	tc->state = state;
	for (int i = 0; i < TCP_TIMER_MAX; i++)
		if (!tcp_timer_allowed(tc, i))
			tcp_timer_off(tc, i);
	if (state == TCP_CLOSED) {
		tc->syn_due = tc->tlp_due = tc->probe_due = tc->ack_now = false;
		tc->keepalive_due = false;
	}
}

void tcp_config_default(struct tcp_config *c)
{
	*c = (struct tcp_config){
		.cc = &tcp_cc_cubic,
		.mss = 1460,
		.rcv_wscale = 8,
		.timestamps = true,
		.sack = true,
		.pacing = true,
		.ecn = true,
		.initial_cwnd_segments = 10,
		.rto_min_us = 200000,
		.rto_max_us = 60000000,
		.syn_retries = 5,
		.retries = 12,
		.time_wait_us = 60000000,
		.fin_wait2_us = 60000000,
		.keepalive_idle_us = 7200 * 1000000ull,
		.keepalive_interval_us = 75000000,
		.keepalive_probes = 9,
	};
}

/* ---- opening ----------------------------------------------------------------------- */

static void init(struct tcp_conn *tc, struct tcp_env *env, const struct tcp_config *cfg,
		 uint32_t iss, uint32_t ts_offset)
{
	memset(tc, 0, sizeof(*tc));
	tc->env = env;
	tc->cfg = *cfg;
	tc->state = TCP_CLOSED;
	for (int i = 0; i < TCP_TIMER_MAX; i++)
		tcp_timer_off(tc, i);
	tc->iss = tc->snd_una = tc->snd_nxt = iss;
	tc->ts_offset = ts_offset;
	tc->mss = cfg->mss;
	list_init(&tc->records);
	list_init(&tc->sent);
	reasm_init(&tc->ooo, env->pool, TCP_OOO_CHUNKS);
	tc->quick_acks = TCP_QUICK_ACKS;
	tc->recovery_end = tc->ecn_end = iss;
	tc->rack.fack = iss;
	tc->rack.end_seq = iss;
	tc->rack.reo_wnd_mult = 1;
	tcp_rtt_init(tc);
}

/* The window that a connection begins with (RFC 6928). */
void tcp_init_window(struct tcp_conn *tc, uint64_t now_us)
{
	tc->cwnd_bytes = tc->cfg.initial_cwnd_segments * tcp_smss(tc);
	tc->ssthresh_bytes = UINT32_MAX;
	tc->cwnd_usage_seq = tc->snd_nxt;
	tc->cfg.cc->init(tc, now_us);
}

uint16_t tcp_syn_mss(const struct packet *syn)
{
	if (syn->tcp.opt.has_mss)
		return syn->tcp.opt.mss;
	return ip_addr_is_v4(&syn->tuple.src.addr) ? 536 : 1220;
}

void tcp_take_syn_options(struct tcp_conn *tc, const struct packet *p, uint64_t now_us)
{
	const struct tcp_options *o = &p->tcp.opt;
	tc->irs = p->tcp.seq;
	tc->rcv_nxt = tc->rcv_adv = tc->last_ack_sent = tc->irs + 1;
	if (tc->active)                         /* what our SYN announced */
		tc->rcv_adv += tc->rcv_wnd < UINT16_MAX ? tc->rcv_wnd : UINT16_MAX;
	/* Not from zero: what lies before the first byte has an offset too. */
	tc->rcv_offset = (1ull << 32) + tc->rcv_nxt;
	tcp_mtu_init(tc, tcp_syn_mss(p));
	tcp_ecn_syn(tc, p->tcp.flags);
	tc->sack_on = tc->cfg.sack && o->sack_permitted;
	tc->wscale_on = o->has_wscale;
	if (tc->wscale_on)
		tc->snd_wscale = o->wscale > TCP_WSCALE_MAX ? TCP_WSCALE_MAX : o->wscale;
	tc->ts_on = tc->cfg.timestamps && o->has_ts;
	if (tc->ts_on) {
		tc->ts_recent = o->ts_val;
		tc->ts_recent_us = now_us;
		tc->option_len = 12;
	}
	tc->snd_wnd = p->tcp.window;            /* never scaled in a SYN */
	tc->snd_wnd_max = tc->snd_wnd;
	tc->snd_wl1 = p->tcp.seq;
	tcp_init_window(tc, now_us);
}

void tcp_init_passive(struct tcp_conn *tc, struct tcp_env *env, const struct tcp_config *cfg,
		      const struct packet *syn, uint32_t iss, uint32_t ts_offset,
		      uint64_t now_us)
{
	init(tc, env, cfg, iss, ts_offset);
	tc->snd_nxt = iss + 1;
	tcp_take_syn_options(tc, syn, now_us);
	tcp_set_state(tc, TCP_SYN_RECEIVED);
	tc->segments_in = 1;
}

void tcp_accept(struct tcp_conn *tc, uint64_t now_us)
{
	(void)now_us;
	if (tc->state != TCP_SYN_RECEIVED || tc->accepted)
		return;
	tc->accepted = true;
	tc->syn_due = true;
}

void tcp_accept_sent(struct tcp_conn *tc)
{
	tc->accepted = true;
	tc->syn_transmissions = 1; /* at a time that is not known: no sample of the RTT */
	tc->rcv_adv = tc->rcv_nxt + (tc->rcv_wnd < UINT16_MAX ? tc->rcv_wnd : UINT16_MAX);
}

void tcp_init_active(struct tcp_conn *tc, struct tcp_env *env, const struct tcp_config *cfg,
		     uint32_t iss, uint32_t ts_offset, uint64_t now_us)
{
	(void)now_us;
	init(tc, env, cfg, iss, ts_offset);
	tc->active = true;
	tc->snd_nxt = iss + 1;
	tcp_set_state(tc, TCP_SYN_SENT);
	tc->syn_due = true;
}

/* Our SYN is acknowledged: the handshake is complete. */
void tcp_established(struct tcp_conn *tc, uint64_t now_us)
{
	tc->snd_una = tc->iss + 1;
	tc->recovery_end = tc->iss;
	tc->ecn_end = tc->cwv.round_end = tc->snd_una;
	tc->rack.fack = tc->rack.end_seq = tc->snd_una;
	tc->syn_due = false;
	tc->accepted = true;
	tc->backoff = 0;
	tc->unanswered = 0;
	tcp_timer_off(tc, TCP_TIMER_RTO);
	if (tc->syn_transmissions == 1 && tc->syn_sent_us) {
		tcp_rtt_sample(tc, (uint32_t)(now_us - tc->syn_sent_us), now_us);
	} else if (tc->syn_transmissions > 1) {
		/* RFC 6298, section 5.7; RFC 6928: more than one loss starts from one. */
		tc->rto_us = 3 * TCP_RTO_INITIAL_US;
		if (tc->rto_us > tc->cfg.rto_max_us)
			tc->rto_us = tc->cfg.rto_max_us;
		if (tc->syn_transmissions > 2)
			tc->cwnd_bytes = tcp_smss(tc);
	}
	tcp_set_state(tc, TCP_ESTABLISHED);
	tc->events |= TCP_EVENT_ESTABLISHED;
	tcp_heard(tc, now_us);
	if (tc->fin_queued)
		tcp_set_state(tc, TCP_FIN_WAIT_1);
}

void tcp_fini(struct tcp_conn *tc)
{
	tcp_coupling_leave(tc);
	tcp_rec_free_all(tc);
	reasm_fini(&tc->ooo);
	for (int i = 0; i < TCP_TIMER_MAX; i++)
		tcp_timer_off(tc, i);
	tc->state = TCP_CLOSED;
}

/* ---- closing ----------------------------------------------------------------------- */

void tcp_close(struct tcp_conn *tc, uint64_t now_us)
{
	(void)now_us;
	if (tc->fin_queued)
		return;
	switch (tc->state) {
	case TCP_SYN_SENT:
		tcp_set_state(tc, TCP_CLOSED);
		break;
	case TCP_SYN_RECEIVED:          /* the FIN waits for the handshake */
		tc->fin_queued = true;
		break;
	case TCP_ESTABLISHED:
		tc->fin_queued = true;
		tcp_set_state(tc, TCP_FIN_WAIT_1);
		break;
	case TCP_CLOSE_WAIT:
		tc->fin_queued = true;
		tcp_set_state(tc, TCP_LAST_ACK);
		break;
	default:
		break;
	}
}

bool tcp_abort(struct tcp_conn *tc, struct tcp_tx *tx)
{
	bool due;

	switch (tc->state) {
	case TCP_CLOSED:
	case TCP_SYN_SENT:
	case TCP_CLOSING:
	case TCP_LAST_ACK:
	case TCP_TIME_WAIT:
		due = false;
		break;
	default:
		due = true;
	}
	if (due) {
		memset(tx, 0, sizeof(*tx));
		/* Before our SYN/ACK the peer knows no sequence number of ours. */
		tx->seq = tc->state == TCP_SYN_RECEIVED && !tc->syn_transmissions ?
			0 : tc->snd_nxt;
		tx->flags = TCP_RST | TCP_ACK;
		counter_inc(tc->env->counters, CNT_TCP_RST_OUT);
	}
	if (tc->state != TCP_CLOSED)
		tcp_set_state(tc, TCP_CLOSED);
	return due;
}

void tcp_enter_time_wait(struct tcp_conn *tc, uint64_t now_us)
{
	tcp_set_state(tc, TCP_TIME_WAIT);
	tc->events |= TCP_EVENT_CLOSED;
	tc->keepalive_due = false;
	tc->deadline_us[TCP_TIMER_STATE] = now_us + tc->cfg.time_wait_us;
}

void tcp_give_up(struct tcp_conn *tc)
{
	counter_inc(tc->env->counters, CNT_TCP_TIMEOUT);
	tc->events |= TCP_EVENT_TIMEOUT;
	tcp_set_state(tc, TCP_CLOSED);
}

/* ---- the rest ---------------------------------------------------------------------- */

void tcp_request_probe(struct tcp_conn *tc)
{
	if (tc->state >= TCP_ESTABLISHED && tc->state < TCP_TIME_WAIT)
		tc->keepalive_due = true;
}

uint64_t tcp_oldest_offset(const struct tcp_conn *tc, uint64_t none)
{
	struct tcp_record *r = list_first(&tc->records, struct tcp_record, by_seq);

	return tc->state == TCP_CLOSED || !r || !r->len ? none : r->offset;
}

void tcp_check(const struct tcp_conn *tc)
{
	uint32_t seq = tc->snd_una, count = 0, flight = 0, sacked = 0, lost = 0, retrans = 0;
	uint32_t pending = 0, sacked_count = 0, in_network = 0, listed = 0;
	bool before_hint = tc->retrans_hint != NULL;
	const struct tcp_record *r, *last = NULL;

	list_for_each(r, &tc->records, by_seq) {
		uint32_t span = tcp_rec_span(r);

		assert(r->seq == seq && span > 0 && !(r->fin && r->len));
		assert(!last || !last->fin);
		assert(!(r->sacked && (r->lost || r->retransmitted)));
		assert(!r->len || (seq32_leq(r->map_seq, r->seq) &&
				   seq32_leq(r->seq + r->len, r->map_seq + r->map_len)));
		seq += span;
		count++;
		flight += span;
		sacked += r->sacked ? span : 0;
		sacked_count += r->sacked;
		lost += r->lost ? span : 0;
		retrans += r->retransmitted ? span : 0;
		if (r == tc->retrans_hint)
			before_hint = false;
		if (r->lost && !r->retransmitted) {
			assert(!before_hint);
			pending += span;
			assert(list_empty((struct list *)&r->by_time));
		} else if (r->sacked) {
			assert(list_empty((struct list *)&r->by_time));
		} else {
			assert(!list_empty((struct list *)&r->by_time));
			in_network++;
		}
		last = r;
	}
	if (tc->state >= TCP_ESTABLISHED)
		assert(seq == tc->snd_nxt);
	assert(count == tc->record_count && flight == tc->flight_bytes);
	assert(sacked == tc->sacked_bytes && lost == tc->lost_bytes);
	assert(retrans == tc->retrans_bytes && pending == tc->pending_bytes);
	assert(sacked_count == tc->sacked_count);
	assert(!before_hint);
	last = NULL;
	list_for_each(r, &tc->sent, by_time) {
		assert(!last || last->sent_us <= r->sent_us);
		listed++;
		last = r;
	}
	assert(listed == in_network);

	for (int i = 0; i < TCP_TIMER_MAX; i++)
		assert(!tcp_timer_on(tc, i) || tcp_timer_allowed(tc, i));
	if (tc->state == TCP_CLOSED)
		return;
	if (flight)
		assert(tcp_timer_on(tc, TCP_TIMER_RTO));
	if (tcp_timer_on(tc, TCP_TIMER_TLP))
		assert(tc->deadline_us[TCP_TIMER_TLP] <= tc->deadline_us[TCP_TIMER_RTO]);
	if (tc->syn_transmissions && tc->state < TCP_ESTABLISHED)
		assert(tcp_timer_on(tc, TCP_TIMER_RTO) || tc->syn_due);
	if (tc->ack_pending_bytes)
		assert(tc->ack_now || tcp_timer_on(tc, TCP_TIMER_DELACK));
	if (tc->state == TCP_TIME_WAIT)
		assert(tcp_timer_on(tc, TCP_TIMER_STATE));
	if (tc->cfg.keepalive_idle_us && tc->state >= TCP_ESTABLISHED && tc->state < TCP_TIME_WAIT)
		assert(tcp_timer_on(tc, TCP_TIMER_KEEPALIVE));
	assert(seq32_leq(tc->rcv_nxt, tc->rcv_adv) || tc->fin_delivered);
	assert((uint32_t)tc->rcv_offset == tc->rcv_nxt || tc->state == TCP_SYN_SENT);
	assert(tc->fin_queued || !tc->fin_sent);
	assert(tc->state == TCP_SYN_SENT || tc->cwnd_bytes > 0);
}
