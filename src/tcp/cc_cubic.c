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
 * ever.
 *
 * RFC 6356 finds the fractions from momentary windows, w_i = f_i * W_i, where W_i is the window
 * that one flow would have on path i.  That holds in equilibrium only.  The sawtooths of several
 * subflows do not rise and fall together, and after a run of luck one has more than its due;
 * taken for a better path, it is given more still, and the sum comes out too large, with two
 * subflows of one bottleneck by a tenth and more.  So W_i is estimated first: the height that the
 * window had at the last losses, each divided by the fraction that it grew with, in the mean; and
 * more when the window rises well above its mean height.  Then, sums over the active subflows,
 *
 *	f_i = W_i * sum(W^3 / rtt^2) / sum(W^2 / rtt)^2
 *
 * As with RFC 6356, w_i goes with the square of W_i, so load moves away from loss (goal 3), and
 * no subflow takes more than one flow would on its path (f <= 1, goal 2).  The rate of all, the
 * sum of f * W / rtt, is the mean of W / rtt, that of one flow, over the bytes that the subflows
 * carry, where the RFC has the greatest W / rtt.  Estimates err, and the greatest of some is
 * always one that is too high; the mean is not.  Where one path is much better, nearly all bytes
 * go there, and it is the same.  Between, it may be up to a tenth less, which errors of the
 * estimates make good (goal 1; tests/sim/exp_coupled.c measures all three).  With one active
 * subflow f is 1.
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
/* The mean height is that of so many losses. */
#define HEIGHTS 8
/* What of the window counts while it rises: beyond 1.25 times the mean it is no chance. */
#define RISING 0.8
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
	float share;                    /* f^2 that k was computed with; 0: none yet */
	/* Mean of the windows at losses, and of these divided by the fraction f in use. */
	float height, alone;
	uint8_t losses;                 /* that they are made of, up to HEIGHTS; 0: there was none */
	uint8_t clear_losses;           /* the last so many came without a queue */
};

struct cubic {
	struct cubic_epoch now, prior;
	struct hystart hystart;
	float fraction;
	uint64_t last_ack_us;           /* or until when the curve has been moved */
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

/* W of this subflow, in bytes. */
static double cubic_window(const struct tcp_conn *tc)
{
	const struct cubic *c = cubic(tc);
	double cwnd = tcp_coupling_cwnd(tc), rise;

	if (!c->now.losses)
		return cwnd;
	rise = RISING * cwnd / tcp_cc_smss(tc) / c->now.height;
	return (double)c->now.alone * tcp_cc_smss(tc) * (rise > 1 ? rise : 1);
}

/* f^2 of this subflow now. */
static double share_now(const struct tcp_conn *tc, const struct cubic *c, uint64_t now_us)
{
	struct tcp_coupling_sum sum;
	double f, share;

	if (tc->cfg.cc != &tcp_cc_auto || !c->now.losses || c->now.clear_losses >= CLEAR_LOSSES ||
	    !tcp_coupling_sum(tc, now_us, &sum))
		return 1;
	f = tcp_coupling_window(tc) * sum.cubes / (sum.squares * sum.squares);
	share = f * f;
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
	double f = c->now.share > 0 ? sqrt(c->now.share) : 1;

	(void)now_us;
	c->prior = c->now;
	/* Fast convergence (section 4.7): a shrinking share is given up sooner. */
	if (cwnd < c->now.w_max)
		c->now.w_max = (float)(cwnd * (1 + CUBIC_BETA) / 2);
	else
		c->now.w_max = (float)cwnd;
	c->now.cwnd_prior = (float)cwnd;
	if (c->now.losses < HEIGHTS)
		c->now.losses++;
	c->now.height += ((float)cwnd - c->now.height) / c->now.losses;
	c->now.alone += ((float)(cwnd / f) - c->now.alone) / c->now.losses;
	c->now.start_us = 0;
	if (is_queued(tc))
		c->now.clear_losses = 0;
	else if (c->now.clear_losses < UINT8_MAX)
		c->now.clear_losses++;
	tcp_cc_set_ssthresh(tc, tc->cwnd_bytes * CUBIC_BETA);
	hystart_reduced(&c->hystart);
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

	c->now.height = c->prior.height;
	c->now.alone = c->prior.alone;
	c->now.losses = c->prior.losses;
	c->now.clear_losses = c->prior.clear_losses;
}

static void cubic_on_undo(struct tcp_conn *tc, uint64_t now_us)
{
	struct cubic *c = cubic(tc);

	c->now = c->prior;
	hystart_undo(&c->hystart);
	/* The curve stood still meanwhile. */
	if (c->now.start_us && c->last_ack_us && now_us > c->last_ack_us)
		c->now.start_us += now_us - c->last_ack_us;
	c->last_ack_us = now_us;
}

static void cubic_on_idle(struct tcp_conn *tc, uint64_t now_us, uint64_t idle_us)
{
	struct cubic *c = cubic(tc);

	if (c->now.start_us) {
		c->now.start_us += idle_us;
		if (c->now.start_us > now_us)
			c->now.start_us = now_us;
	}
	/* Not again with the next ACK: the epoch would begin in the future. */
	c->last_ack_us = now_us;
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
