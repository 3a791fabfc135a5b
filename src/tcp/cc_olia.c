/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * OLIA, the Opportunistic Linked Increases Algorithm (draft-khalili-mptcp-congestion-
 * control-05; Khalili, Gast, Popovic, Le Boudec: "MPTCP is not Pareto-Optimal").
 *
 * Each acknowledged segment opens the window, in segments, by
 *
 *	(w / rtt^2) / sum(w / rtt)^2 + alpha / w
 *
 * The first term shares the growth out as resource pooling wants it; the second moves
 * window between paths.  With l the bytes delivered between the last two losses, or since
 * the last one if that is more, a path is among the best if l / rtt^2 is greatest: that
 * orders paths by the rate of a TCP flow, for which 1 / l stands for the loss rate.  With n
 * paths, if some of the best do not have the greatest window,
 *
 *	alpha = +1 / (n * how many those are)               for them,
 *	alpha = -1 / (n * how many have the greatest window) for these, 0 for all others;
 *
 * else it is 0 for all.  Slow start, which HyStart++ may end early, and the reaction to
 * losses are TCP's.
 */
#include <string.h>

#include "tcp/cc.h"
#include "tcp/coupling.h"
#include "tcp/hystart.h"
#include "tcp/tcp_internal.h"

struct olia {
	uint64_t between_bytes, since_bytes;    /* the two candidates for l */
	struct hystart hystart;
	float fraction;
} __attribute__((may_alias));

_Static_assert(sizeof(struct olia) <= sizeof(((struct tcp_conn *)0)->cc_state), "cc_state");

static struct olia *olia(const struct tcp_conn *tc)
{
	return (struct olia *)(uintptr_t)tc->cc_state;
}

static void olia_init(struct tcp_conn *tc, uint64_t now_us)
{
	(void)now_us;
	memset(olia(tc), 0, sizeof(struct olia));
	hystart_init(&olia(tc)->hystart, tc->snd_nxt);
}

/* l / rtt^2. */
static double quality(const struct tcp_conn *tc)
{
	const struct olia *o = olia(tc);
	uint64_t l = o->since_bytes > o->between_bytes ? o->since_bytes : o->between_bytes;

	return (double)l / tc->srtt_us / tc->srtt_us;
}

static bool counts(const struct tcp_conn *tc, const struct tcp_conn *m, uint64_t now_us)
{
	return m == tc || (m->cfg.cc == &tcp_cc_olia && tcp_coupling_is_active(m, now_us));
}

static double alpha(const struct tcp_conn *tc, const struct tcp_coupling_sum *sum,
		    uint64_t now_us)
{
	unsigned widest = 0, collected = 0;
	const struct tcp_conn *m;
	double best = 0;

	list_for_each(m, &tc->coupling->members, coupling_link)
		if (counts(tc, m, now_us) && quality(m) > best)
			best = quality(m);
	list_for_each(m, &tc->coupling->members, coupling_link) {
		if (!counts(tc, m, now_us))
			continue;
		if (tcp_coupling_window(m) >= sum->widest)
			widest++;
		else if (quality(m) >= best)
			collected++;
	}
	if (!collected || !widest)
		return 0;
	if (tcp_coupling_window(tc) >= sum->widest)
		return -1.0 / (sum->active * widest);
	return quality(tc) >= best ? 1.0 / (sum->active * collected) : 0;
}

static void olia_on_ack(struct tcp_conn *tc, const struct tcp_ack_sample *s)
{
	uint32_t left, mss = tcp_cc_smss(tc);
	struct tcp_coupling_sum sum;
	double per_byte;

	olia(tc)->since_bytes += s->acked_bytes;
	left = tcp_cc_slow_start_hystart(tc, &olia(tc)->hystart, s);
	if (!left)
		return;
	per_byte = 1.0 / tc->cwnd_bytes;
	if (tcp_coupling_sum(tc, s->now_us, &sum)) {
		double rtt = tc->srtt_us;

		per_byte = tc->cwnd_bytes / (rtt * rtt * sum.rate * sum.rate) +
			   alpha(tc, &sum, s->now_us) / tc->cwnd_bytes;
	}
	tcp_cc_grow(tc, per_byte * left * mss, &olia(tc)->fraction);
}

static void olia_on_loss(struct tcp_conn *tc, uint64_t now_us)
{
	struct olia *o = olia(tc);

	(void)now_us;
	o->between_bytes = o->since_bytes;
	o->since_bytes = 0;
	tcp_cc_set_ssthresh(tc, tc->cwnd_bytes / 2.0);
	o->fraction = 0;
	hystart_reduced(&o->hystart);
}

static void olia_on_undo(struct tcp_conn *tc, uint64_t now_us)
{
	(void)now_us;
	/* There was no loss, so the two stretches are one. */
	olia(tc)->since_bytes += olia(tc)->between_bytes;
	olia(tc)->fraction = 0;
	hystart_undo(&olia(tc)->hystart);
}

static void olia_on_idle(struct tcp_conn *tc, uint64_t now_us, uint64_t idle_us)
{
	(void)now_us;
	(void)idle_us;
	tcp_cc_restart(tc);
}

const struct tcp_cc_ops tcp_cc_olia = {
	.name = "olia",
	.coupled = true,
	.init = olia_init,
	.on_ack = olia_on_ack,
	.on_loss = olia_on_loss,
	.on_rto = olia_on_loss,
	.on_undo = olia_on_undo,
	.on_idle = olia_on_idle,
};
