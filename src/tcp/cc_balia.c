/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * BALIA, the Balanced Linked Adaptation algorithm (draft-walid-mptcp-congestion-control-04;
 * Peng, Walid, Hwang, Low: "Multipath TCP: Analysis, Design, and Implementation").
 *
 * With x = w / rtt in segments and alpha = max(x) / x of this subflow, each acknowledged
 * segment opens the window by
 *
 *	x / (rtt * sum(x)^2) * (1 + alpha) / 2 * (4 + alpha) / 5
 *
 * segments, and a loss closes it by min(alpha, 1.5) * w / 2.  With one subflow that is
 * Reno.  Slow start is TCP's, and HyStart++ may end it early.
 */
#include <string.h>

#include "tcp/cc.h"
#include "tcp/coupling.h"
#include "tcp/hystart.h"
#include "tcp/tcp_internal.h"

#define ALPHA_LOSS_MAX 1.5

struct balia {
	struct hystart hystart;
	float fraction;
} __attribute__((may_alias));

_Static_assert(sizeof(struct balia) <= sizeof(((struct tcp_conn *)0)->cc_state), "cc_state");

static struct balia *balia(struct tcp_conn *tc)
{
	return (struct balia *)tc->cc_state;
}

static void balia_init(struct tcp_conn *tc, uint64_t now_us)
{
	(void)now_us;
	memset(balia(tc), 0, sizeof(struct balia));
	hystart_init(&balia(tc)->hystart, tc->snd_nxt);
}

/* max(x) / x. */
static double alpha(const struct tcp_conn *tc, const struct tcp_coupling_sum *sum)
{
	double x = tcp_coupling_window(tc) / tc->srtt_us;

	return x > 0 ? sum->fastest / x : 1;
}

static void balia_on_ack(struct tcp_conn *tc, const struct tcp_ack_sample *s)
{
	uint32_t left = tcp_cc_slow_start_hystart(tc, &balia(tc)->hystart, s);
	double per_byte = 1.0 / tc->cwnd_bytes;
	struct tcp_coupling_sum sum;

	if (!left)
		return;
	if (tcp_coupling_sum(tc, s->now_us, &sum)) {
		double x = (double)tc->cwnd_bytes / tc->srtt_us, a = alpha(tc, &sum);

		per_byte = x / (tc->srtt_us * sum.rate * sum.rate) * (1 + a) / 2 * (4 + a) / 5;
	}
	tcp_cc_grow(tc, per_byte * left * tcp_cc_smss(tc), &balia(tc)->fraction);
}

static void balia_on_loss(struct tcp_conn *tc, uint64_t now_us)
{
	struct tcp_coupling_sum sum;
	double a = 1;

	if (tcp_coupling_sum(tc, now_us, &sum))
		a = alpha(tc, &sum);
	if (a > ALPHA_LOSS_MAX)
		a = ALPHA_LOSS_MAX;
	tcp_cc_set_ssthresh(tc, tc->cwnd_bytes * (1 - a / 2));
	balia(tc)->fraction = 0;
	hystart_reduced(&balia(tc)->hystart);
}

static void balia_on_undo(struct tcp_conn *tc, uint64_t now_us)
{
	(void)now_us;
	balia(tc)->fraction = 0;
	hystart_undo(&balia(tc)->hystart);
}

static void balia_on_idle(struct tcp_conn *tc, uint64_t now_us, uint64_t idle_us)
{
	(void)now_us;
	(void)idle_us;
	tcp_cc_restart(tc);
}

const struct tcp_cc_ops tcp_cc_balia = {
	.name = "balia",
	.coupled = true,
	.init = balia_init,
	.on_ack = balia_on_ack,
	.on_loss = balia_on_loss,
	.on_rto = balia_on_loss,
	.on_undo = balia_on_undo,
	.on_idle = balia_on_idle,
};
