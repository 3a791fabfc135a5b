/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CUBIC congestion control (RFC 9438) with HyStart++ (RFC 9406).
 *
 * Windows are in segments and time in seconds, as in the RFC; the connection's
 * cwnd_bytes is the truth, `fraction` holds the part of a byte of growth that is
 * not yet in it.
 */
#include <math.h>
#include <string.h>

#include "tcp/cc.h"
#include "tcp/hystart.h"
#include "tcp/tcp_internal.h"

#define CUBIC_C    0.4
#define CUBIC_BETA 0.7

/* What a needless reduction must give back. */
struct cubic_epoch {
	uint64_t start_us;              /* of congestion avoidance; 0: not begun */
	float w_max, k, w_est, cwnd_prior;
};

struct cubic {
	struct cubic_epoch now, prior;
	struct hystart hystart;
	uint64_t last_ack_us;
	float fraction;
} __attribute__((may_alias));

_Static_assert(sizeof(struct cubic) <= sizeof(((struct tcp_conn *)0)->cc_state), "cc_state");

static struct cubic *cubic(struct tcp_conn *tc)
{
	return (struct cubic *)tc->cc_state;
}

static void cubic_init(struct tcp_conn *tc, uint64_t now_us)
{
	(void)now_us;
	memset(cubic(tc), 0, sizeof(struct cubic));
	hystart_init(&cubic(tc)->hystart, tc->snd_nxt);
}

static void begin_epoch(struct tcp_conn *tc, struct cubic *c, uint64_t now_us)
{
	double cwnd = (double)tc->cwnd_bytes / tcp_cc_smss(tc);

	c->now.start_us = now_us;
	c->now.w_est = (float)cwnd;
	c->fraction = 0;
	if (c->now.w_max < cwnd) {
		/* After slow start, or after a timeout: the curve begins at its middle. */
		c->now.w_max = (float)cwnd;
		c->now.k = 0;
	} else {
		c->now.k = (float)cbrt((c->now.w_max - cwnd) / CUBIC_C);
	}
	if (c->now.cwnd_prior == 0)
		c->now.cwnd_prior = (float)cwnd;
}

/* W_cubic(t) of section 4.2. */
static double w_cubic(const struct cubic *c, double t)
{
	double d = t - c->now.k;

	return CUBIC_C * d * d * d + c->now.w_max;
}

static void avoid(struct tcp_conn *tc, struct cubic *c, uint32_t acked_bytes, uint64_t now_us)
{
	double mss = tcp_cc_smss(tc), cwnd = tc->cwnd_bytes / mss, acked = acked_bytes / mss;
	double t, w, target, alpha, grown;

	if (!c->now.start_us)
		begin_epoch(tc, c, now_us);
	t = (double)(now_us - c->now.start_us) / 1e6;
	w = w_cubic(c, t);
	target = w_cubic(c, t + tc->srtt_us / 1e6);
	if (target < cwnd)
		target = cwnd;
	if (target > 1.5 * cwnd)
		target = 1.5 * cwnd;

	/* Reno-friendly region (section 4.3). */
	alpha = c->now.w_est < c->now.cwnd_prior ?
		3 * (1 - CUBIC_BETA) / (1 + CUBIC_BETA) : 1;
	c->now.w_est += (float)(alpha * acked / cwnd);
	if (w < c->now.w_est)
		grown = c->now.w_est > cwnd ? c->now.w_est - cwnd : 0;
	else
		grown = (target - cwnd) / cwnd * acked;
	if (grown > acked / 2)
		grown = acked / 2;              /* never faster than half of slow start */

	grown = grown * mss + c->fraction;
	if (grown > TCP_CWND_MAX - (double)tc->cwnd_bytes)
		grown = 0;
	tc->cwnd_bytes += (uint32_t)grown;
	c->fraction = (float)(grown - floor(grown));
}

static void cubic_on_ack(struct tcp_conn *tc, const struct tcp_ack_sample *s)
{
	struct cubic *c = cubic(tc);
	uint32_t left = s->acked_bytes;
	uint64_t since = c->last_ack_us ? s->now_us - c->last_ack_us : 0;
	unsigned divisor = 1;

	c->last_ack_us = s->now_us;
	if (tc->cwnd_bytes < tc->ssthresh_bytes)
		divisor = hystart_ack(&c->hystart, tc->snd_una, tc->snd_nxt, s->rtt_us);
	if (!s->cwnd_limited) {
		/* Time that the application held back does not move the curve (5.8). */
		if (c->now.start_us)
			c->now.start_us += since;
		return;
	}
	if (tc->cwnd_bytes < tc->ssthresh_bytes) {
		if (!divisor)
			tc->ssthresh_bytes = tc->cwnd_bytes;
		else
			left = tcp_cc_slow_start(tc, left / divisor);
	}
	if (left && tc->cwnd_bytes >= tc->ssthresh_bytes)
		avoid(tc, c, left, s->now_us);
}

static void cubic_on_loss(struct tcp_conn *tc, uint64_t now_us)
{
	struct cubic *c = cubic(tc);
	uint32_t mss = tcp_cc_smss(tc);
	double cwnd = (double)tc->cwnd_bytes / mss, reduced = cwnd * CUBIC_BETA;

	(void)now_us;
	c->prior = c->now;
	/* Fast convergence (section 4.7): a shrinking share is given up sooner. */
	if (cwnd < c->now.w_max)
		c->now.w_max = (float)(cwnd * (1 + CUBIC_BETA) / 2);
	else
		c->now.w_max = (float)cwnd;
	c->now.cwnd_prior = (float)cwnd;
	c->now.start_us = 0;
	if (reduced < 2)
		reduced = 2;
	tc->ssthresh_bytes = (uint32_t)(reduced * mss + 0.5);
	c->hystart.done = true;
}

static void cubic_on_rto(struct tcp_conn *tc, uint64_t now_us)
{
	cubic_on_loss(tc, now_us);
}

static void cubic_on_undo(struct tcp_conn *tc, uint64_t now_us)
{
	struct cubic *c = cubic(tc);

	c->now = c->prior;
	/* The curve stood still meanwhile. */
	if (c->now.start_us && c->last_ack_us && now_us > c->last_ack_us)
		c->now.start_us += now_us - c->last_ack_us;
}

static void cubic_on_idle(struct tcp_conn *tc, uint64_t now_us, uint64_t idle_us)
{
	struct cubic *c = cubic(tc);

	if (c->now.start_us) {
		c->now.start_us += idle_us;
		if (c->now.start_us > now_us)
			c->now.start_us = now_us;
	}
	tcp_cc_restart(tc);
}

const struct tcp_cc_ops tcp_cc_cubic = {
	.name = "cubic",
	.init = cubic_init,
	.on_ack = cubic_on_ack,
	.on_loss = cubic_on_loss,
	.on_rto = cubic_on_rto,
	.on_undo = cubic_on_undo,
	.on_idle = cubic_on_idle,
};
