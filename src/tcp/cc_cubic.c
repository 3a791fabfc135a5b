/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CUBIC (RFC 9438) with HyStart++ (RFC 9406): `cubic`, and `auto`, which is CUBIC on one
 * subflow and a coupled CUBIC on several.
 *
 * Windows are in segments and time in seconds, as in the RFC; the connection's
 * cwnd_bytes is the truth, `fraction` holds the part of a byte of growth that is
 * not yet in it.
 *
 * The coupling.  Subflow i is to behave as the fraction f of a CUBIC flow: to have f times
 * the window that CUBIC would have on its path.  CUBIC's mean window goes with the fourth
 * root of C (RFC 9438, section 5.1), and in the Reno-friendly region with the square root of
 * alpha (section 4.3), so C is multiplied by f^4 and alpha by f^2; losses are answered as
 * ever.  The fractions are those by which RFC 6356 makes subflows less aggressive than Reno:
 * its increase of alpha_LIA / sum(w) in place of 1 / w amounts to
 *
 *	f^2 = min(1, alpha_LIA * w / sum(w)) = w * max(w / rtt^2) / sum(w / rtt)^2
 *
 * Where the RFC derives alpha_LIA, the law of Reno enters only as "a TCP flow on path i
 * would have the window w / f".  That holds here for CUBIC's law, so its goals are kept with
 * CUBIC for TCP (but for a floor of f): together the subflows take what one CUBIC flow takes on
 * the best path; none takes more than one would on its own; and w is proportional to the square of CUBIC's
 * window on the path, so load moves away from loss.  With one active subflow f is 1.
 *
 * What stands for w is the height that the window had at the last loss, or has now if that
 * is more.  Sawtooths of several subflows do not rise and fall together; by momentary windows
 * the greatest would always be one near its height, and the sum of all too large: with four
 * subflows by a tenth and more.
 *
 * Until a subflow has lost something, f is 1: slow start is not coupled, and HyStart++, which
 * ends it early, only guesses that the path is full.  Segments that a path swallows because they
 * are too large for it do not count: a small window is hard to raise once it is coupled.
 *
 * Losses that are no congestion.  The coupling keeps subflows from taking more of a full
 * bottleneck than one flow would, and moves them off it.  A loss that comes while the
 * round-trip time is at its least is not that of a full bottleneck but, say, of a radio, and to
 * yield there helps nobody; coupled, a connection with a lossy best path would get less than
 * one flow there, because small windows suffer more from loss than CUBIC's law says.  So when
 * several losses in a row came without a queue, f is 1 on that path, until one comes with a
 * queue, or the network marks a packet.  The sign is that of Fu and Liew, "TCP Veno: TCP
 * Enhancement for Transmission Over Wireless Access Networks", IEEE JSAC 21(2), 2003.  It is not
 * there where the bottleneck has (nearly) no queue; there each subflow is a flow of its own.
 *
 * A change of f in mid-epoch must not move cwnd: the curve of the new C begins where that of
 * the old one has come to.
 */
#include <math.h>
#include <string.h>

#include "tcp/cc.h"
#include "tcp/coupling.h"
#include "tcp/hystart.h"
#include "tcp/tcp_internal.h"

#define CUBIC_C    0.4
#define CUBIC_BETA 0.7
/* Least f^2: with less, a subflow would never find out that its path has become better. */
#define SHARE_MIN  (1.0 / 64)
/* A change of f^2 by less than that is not worth a new curve. */
#define SHARE_STEP 0.1
/* So many losses in a row without a queue are not taken for congestion. */
#define CLEAR_LOSSES 3
/* What the round-trip time may exceed its least by, without a queue: a 16th, within bounds. */
#define CLEAR_RTT_DIVISOR 16u
#define CLEAR_MIN_US      1000u
#define CLEAR_MAX_US      4000u

/* What a needless reduction must give back. */
struct cubic_epoch {
	uint64_t start_us;              /* of congestion avoidance; 0: not begun */
	float w_max, k, w_est, cwnd_prior;
	float share;                    /* f^2 that k was computed with */
	uint8_t clear_losses;           /* the last so many came without a queue */
	bool congested;                 /* there was a loss */
};

struct cubic {
	struct cubic_epoch now, prior;
	struct hystart hystart;
	uint64_t last_ack_us;
	float fraction;
} __attribute__((may_alias));

_Static_assert(sizeof(struct cubic) <= sizeof(((struct tcp_conn *)0)->cc_state), "cc_state");

static struct cubic *cubic(const struct tcp_conn *tc)
{
	return (struct cubic *)(uintptr_t)tc->cc_state;
}

static void cubic_init(struct tcp_conn *tc, uint64_t now_us)
{
	(void)now_us;
	memset(cubic(tc), 0, sizeof(struct cubic));
	hystart_init(&cubic(tc)->hystart, tc->snd_nxt);
}

static double cubic_window(const struct tcp_conn *tc)
{
	double cwnd = tcp_coupling_cwnd(tc);
	double height = (double)cubic(tc)->now.cwnd_prior * tcp_cc_smss(tc);

	return height > cwnd ? height : cwnd;
}

/* f^2 of this subflow now. */
static double share_now(const struct tcp_conn *tc, const struct cubic *c, uint64_t now_us)
{
	struct tcp_coupling_sum sum;
	double share;

	if (tc->cfg.cc != &tcp_cc_auto || !c->now.congested || c->now.clear_losses >= CLEAR_LOSSES ||
	    !tcp_coupling_sum(tc, now_us, &sum))
		return 1;
	share = tcp_coupling_alpha(&sum) * tcp_coupling_window(tc) / sum.window;
	return share > 1 ? 1 : share < SHARE_MIN ? SHARE_MIN : share;
}

/* C of this subflow. */
static double steepness(const struct cubic *c)
{
	return CUBIC_C * c->now.share * c->now.share;
}

/* Makes the curve for `share` pass through (now, w): K as in section 4.2 where w is below
 * w_max, and negative where it is above. */
static void place_curve(struct cubic *c, double share, double w, uint64_t now_us)
{
	c->now.share = (float)share;
	c->now.start_us = now_us;
	c->now.k = (float)cbrt((c->now.w_max - w) / steepness(c));
}

static void begin_epoch(struct tcp_conn *tc, struct cubic *c, double share, uint64_t now_us)
{
	double cwnd = (double)tc->cwnd_bytes / tcp_cc_smss(tc);

	c->now.w_est = (float)cwnd;
	c->fraction = 0;
	/* After slow start, or after a timeout: the curve begins at its middle. */
	if (c->now.w_max < cwnd)
		c->now.w_max = (float)cwnd;
	if (c->now.cwnd_prior == 0)
		c->now.cwnd_prior = (float)cwnd;
	place_curve(c, share, cwnd, now_us);
}

/* W_cubic(t) of section 4.2. */
static double w_cubic(const struct cubic *c, double t)
{
	double d = t - c->now.k;

	return steepness(c) * d * d * d + c->now.w_max;
}

static void avoid(struct tcp_conn *tc, struct cubic *c, uint32_t acked_bytes, uint64_t now_us)
{
	double mss = tcp_cc_smss(tc), cwnd = tc->cwnd_bytes / mss, acked = acked_bytes / mss;
	double t, w, target, alpha, grown, share = share_now(tc, c, now_us);

	if (!c->now.start_us)
		begin_epoch(tc, c, share, now_us);
	t = (double)(now_us - c->now.start_us) / 1e6;
	w = w_cubic(c, t);
	if (fabs(share - c->now.share) > SHARE_STEP * c->now.share) {
		place_curve(c, share, w, now_us);
		t = 0;
	}
	target = w_cubic(c, t + tc->srtt_us / 1e6);
	if (target < cwnd)
		target = cwnd;
	if (target > 1.5 * cwnd)
		target = 1.5 * cwnd;

	/* Reno-friendly region (section 4.3). */
	alpha = c->now.w_est < c->now.cwnd_prior ?
		3 * (1 - CUBIC_BETA) / (1 + CUBIC_BETA) : 1;
	c->now.w_est += (float)(alpha * c->now.share * acked / cwnd);
	if (w < c->now.w_est)
		grown = c->now.w_est > cwnd ? c->now.w_est - cwnd : 0;
	else
		grown = (target - cwnd) / cwnd * acked;
	if (grown > acked / 2)
		grown = acked / 2;              /* never faster than half of slow start */
	tcp_cc_grow(tc, grown * mss, &c->fraction);
}

static void cubic_on_ack(struct tcp_conn *tc, const struct tcp_ack_sample *s)
{
	struct cubic *c = cubic(tc);
	uint64_t since = c->last_ack_us ? s->now_us - c->last_ack_us : 0;
	uint32_t left = tcp_cc_slow_start_hystart(tc, &c->hystart, s);

	c->last_ack_us = s->now_us;
	/* Time that the application held back does not move the curve (5.8). */
	if (!s->cwnd_limited && c->now.start_us)
		c->now.start_us += since;
	if (left && tc->cwnd_bytes >= tc->ssthresh_bytes)
		avoid(tc, c, left, s->now_us);
}

/* Whether there was a queue, by the segment that was delivered last. */
static bool is_queued(const struct tcp_conn *tc)
{
	uint32_t allowed = tc->min_rtt_us / CLEAR_RTT_DIVISOR;

	if (allowed < CLEAR_MIN_US)
		allowed = CLEAR_MIN_US;
	if (allowed > CLEAR_MAX_US)
		allowed = CLEAR_MAX_US;
	return !tc->rack.rtt_us || tc->rack.rtt_us > tc->min_rtt_us + allowed;
}

static void cubic_on_loss(struct tcp_conn *tc, uint64_t now_us)
{
	struct cubic *c = cubic(tc);
	double cwnd = (double)tc->cwnd_bytes / tcp_cc_smss(tc);

	(void)now_us;
	c->prior = c->now;
	/* Fast convergence (section 4.7): a shrinking share is given up sooner. */
	if (cwnd < c->now.w_max)
		c->now.w_max = (float)(cwnd * (1 + CUBIC_BETA) / 2);
	else
		c->now.w_max = (float)cwnd;
	c->now.cwnd_prior = (float)cwnd;
	c->now.start_us = 0;
	if (is_queued(tc))
		c->now.clear_losses = 0;
	else if (c->now.clear_losses < UINT8_MAX)
		c->now.clear_losses++;
	tcp_cc_set_ssthresh(tc, tc->cwnd_bytes * CUBIC_BETA);
	c->hystart.done = true;
	c->now.congested = true;
}

static void cubic_on_ecn(struct tcp_conn *tc, uint64_t now_us)
{
	cubic_on_loss(tc, now_us);
	cubic(tc)->now.clear_losses = 0;
}

static void cubic_on_rto(struct tcp_conn *tc, uint64_t now_us)
{
	cubic_on_loss(tc, now_us);
	/* The next curve begins where slow start ends, with K = 0 (section 4.8). */
	cubic(tc)->now.w_max = 0;
}

static void cubic_on_black_hole(struct tcp_conn *tc)
{
	struct cubic *c = cubic(tc);

	c->now.congested = c->prior.congested;
	c->now.clear_losses = c->prior.clear_losses;
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
	.on_ecn = cubic_on_ecn,
	.on_rto = cubic_on_rto,
	.on_black_hole = cubic_on_black_hole,
	.on_undo = cubic_on_undo,
	.on_idle = cubic_on_idle,
};

const struct tcp_cc_ops tcp_cc_auto = {
	.name = "auto",
	.coupled = true,
	.window = cubic_window,
	.init = cubic_init,
	.on_ack = cubic_on_ack,
	.on_loss = cubic_on_loss,
	.on_ecn = cubic_on_ecn,
	.on_rto = cubic_on_rto,
	.on_black_hole = cubic_on_black_hole,
	.on_undo = cubic_on_undo,
	.on_idle = cubic_on_idle,
};
