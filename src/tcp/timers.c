/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Time: when an endpoint has to be looked at next, and what happens then.
 *
 * Each timer has a row here: in which states it may run, what is called when it is over, and,
 * where a flag that the caller sets asks for it, how it is started.  tcp_deadline() and
 * tcp_timeout() both go by the rows, and so does the setter of the state, which stops what the
 * new state does not have.  Rows are served in their order; a timer is stopped before its
 * function is called, which may start it anew.
 *
 * Pacing is no row: nothing is to be done when its time has come, but to go on sending.
 */
#include "tcp/tcp_internal.h"

#define BIT(s)       (1u << (s))
#define OPENING      (BIT(TCP_SYN_SENT) | BIT(TCP_SYN_RECEIVED))
/* From the handshake on, until there is nothing to be sent or repeated but ACKs. */
#define SYNCHRONIZED ((BIT(TCP_TIME_WAIT) - 1u) & ~(BIT(TCP_ESTABLISHED) - 1u))

static void delack_timeout(struct tcp_conn *tc, uint64_t now_us)
{
	(void)now_us;
	tc->ack_now = true;
}

static void rto_timeout(struct tcp_conn *tc, uint64_t now_us)
{
	if (BIT(tc->state) & OPENING) {
		/* Not counted: SYN/ACKs that answered a repeated SYN. */
		if (tc->unanswered >= tc->cfg.syn_retries) {
			tcp_give_up(tc);
			return;
		}
		tc->unanswered++;
		tc->syn_due = true;
		tc->backoff++;
		tc->timeouts++;
		tcp_arm_rto(tc, now_us);
		return;
	}
	if (list_empty(&tc->records))
		return;
	if (tc->unanswered >= tc->cfg.retries) {
		tcp_give_up(tc);
		return;
	}
	tc->unanswered++;
	tcp_recovery_rto(tc, now_us);
}

static void persist_timeout(struct tcp_conn *tc, uint64_t now_us)
{
	if (!tcp_needs_persist(tc))
		return;
	/* A peer that answers may keep its window shut for ever (3.8.6.1). */
	if (tc->unanswered >= tc->cfg.retries) {
		tcp_give_up(tc);
		return;
	}
	/* One alone may have had no answer because such are limited (RFC 5961, section 7). */
	if (tc->unanswered > 1 && !tc->snd_wnd)
		tc->events |= TCP_EVENT_UNANSWERED;
	tc->unanswered++;
	tc->probe_due = true;
	if (tc->persist_backoff < UINT8_MAX)
		tc->persist_backoff++;
	tcp_arm_persist(tc, now_us);
}

void tcp_heard(struct tcp_conn *tc, uint64_t now_us)
{
	tc->keepalive_due = false;
	tc->keepalive_unanswered = 0;
	if (tc->cfg.keepalive_idle_us && tc->state < TCP_TIME_WAIT)
		tc->deadline_us[TCP_TIMER_KEEPALIVE] = now_us + tc->cfg.keepalive_idle_us;
}

static void keepalive_timeout(struct tcp_conn *tc, uint64_t now_us)
{
	/* What is outstanding, or a shut window, has a timer that finds out sooner. */
	if (tc->flight_bytes || tcp_needs_persist(tc)) {
		tcp_heard(tc, now_us);
		return;
	}
	if (tc->keepalive_unanswered >= tc->cfg.keepalive_probes) {
		tcp_give_up(tc);
		return;
	}
	tc->keepalive_unanswered++;
	tc->keepalive_due = true;
	tc->deadline_us[TCP_TIMER_KEEPALIVE] = now_us + tc->cfg.keepalive_interval_us;
}

static bool needs_bound(const struct tcp_conn *tc)
{
	return tc->state == TCP_FIN_WAIT_2 && tc->orphan;
}

void tcp_arm_bound(struct tcp_conn *tc, uint64_t now_us)
{
	if (needs_bound(tc))
		tc->deadline_us[TCP_TIMER_STATE] = now_us + tc->cfg.fin_wait2_us;
}

static void state_timeout(struct tcp_conn *tc, uint64_t now_us)
{
	(void)now_us;
	if (tc->state == TCP_FIN_WAIT_2)
		tc->events |= TCP_EVENT_TIMEOUT;
	tcp_set_state(tc, TCP_CLOSED);
}

static const struct {
	uint16_t states;                /* bits: those in which it may run */
	void (*fire)(struct tcp_conn *tc, uint64_t now_us);
	/* Whether a flag of the caller asks for it, and what starts it then; NULL: neither. */
	bool (*needed)(const struct tcp_conn *tc);
	void (*start)(struct tcp_conn *tc, uint64_t now_us);
} timers[TCP_TIMER_MAX] = {
	[TCP_TIMER_DELACK] = { SYNCHRONIZED | BIT(TCP_TIME_WAIT), delack_timeout, NULL, NULL },
	[TCP_TIMER_REORDER] = { SYNCHRONIZED, tcp_recovery_reorder_timeout, NULL, NULL },
	[TCP_TIMER_TLP] = { SYNCHRONIZED, tcp_tlp_timeout, NULL, NULL },
	[TCP_TIMER_RTO] = { OPENING | SYNCHRONIZED, rto_timeout, NULL, NULL },
	[TCP_TIMER_PERSIST] = { BIT(TCP_ESTABLISHED) | BIT(TCP_CLOSE_WAIT), persist_timeout,
				tcp_needs_persist, tcp_arm_persist },
	[TCP_TIMER_KEEPALIVE] = { SYNCHRONIZED, keepalive_timeout, NULL, NULL },
	[TCP_TIMER_STATE] = { BIT(TCP_FIN_WAIT_2) | BIT(TCP_TIME_WAIT), state_timeout,
			      needs_bound, tcp_arm_bound },
};

bool tcp_timer_allowed(const struct tcp_conn *tc, enum tcp_timer t)
{
	return timers[t].states & BIT(tc->state);
}

bool tcp_timer_due(const struct tcp_conn *tc, enum tcp_timer t, uint64_t now_us)
{
	return tcp_timer_on(tc, t) && tc->deadline_us[t] <= now_us;
}

/* The caller set a flag since. */
static bool must_start(const struct tcp_conn *tc, enum tcp_timer t)
{
	return timers[t].needed && !tcp_timer_on(tc, t) && timers[t].needed(tc);
}

uint64_t tcp_deadline(const struct tcp_conn *tc)
{
	uint64_t first_us = tcp_pace_deadline(tc);

	for (int i = 0; i < TCP_TIMER_MAX; i++) {
		if (must_start(tc, i))
			return 0;
		if (tc->deadline_us[i] < first_us)
			first_us = tc->deadline_us[i];
	}
	return first_us;
}

void tcp_timeout(struct tcp_conn *tc, uint64_t now_us)
{
	tcp_pace_refill(tc, now_us);
	for (int i = 0; i < TCP_TIMER_MAX; i++) {
		if (!tcp_timer_due(tc, i, now_us))
			continue;
		tcp_timer_off(tc, i);
		timers[i].fire(tc, now_us);
	}
	for (int i = 0; i < TCP_TIMER_MAX; i++)
		if (must_start(tc, i))
			timers[i].start(tc, now_us);
}
