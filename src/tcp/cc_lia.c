/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * LIA, the Linked Increases Algorithm (RFC 6356): Reno whose growth is shared out.
 *
 * In congestion avoidance each acknowledged byte opens the window by
 *
 *	min(alpha / sum(w), 1 / w)      with   alpha = sum(w) * max(w / rtt^2) / sum(w / rtt)^2
 *
 * (section 3), so that all subflows together take what one TCP flow would on the best of
 * their paths, and none takes more than a TCP flow would on its own.  Slow start, which
 * HyStart++ may end early, and the reaction to losses are TCP's.
 */
#include <string.h>

#include "tcp/cc.h"
#include "tcp/coupling.h"
#include "tcp/hystart.h"
#include "tcp/tcp_internal.h"

struct lia {
	struct hystart hystart;
	float fraction;
} __attribute__((may_alias));

_Static_assert(sizeof(struct lia) <= sizeof(((struct tcp_conn *)0)->cc_state), "cc_state");

static struct lia *lia(struct tcp_conn *tc)
{
	return (struct lia *)tc->cc_state;
}

static void lia_init(struct tcp_conn *tc, uint64_t now_us)
{
	(void)now_us;
	memset(lia(tc), 0, sizeof(struct lia));
	hystart_init(&lia(tc)->hystart, tc->snd_nxt);
}

static void lia_on_ack(struct tcp_conn *tc, const struct tcp_ack_sample *s)
{
	uint32_t left = tcp_cc_slow_start_hystart(tc, &lia(tc)->hystart, s);
	double per_byte = 1.0 / tc->cwnd_bytes;
	struct tcp_coupling_sum sum;

	if (!left)
		return;
	if (tcp_coupling_sum(tc, s->now_us, &sum)) {
		double linked = tcp_coupling_alpha(&sum) / sum.window;

		if (linked < per_byte)
			per_byte = linked;
	}
	tcp_cc_grow(tc, per_byte * left * tcp_cc_smss(tc), &lia(tc)->fraction);
}

static void lia_on_loss(struct tcp_conn *tc, uint64_t now_us)
{
	(void)now_us;
	tcp_cc_set_ssthresh(tc, tc->cwnd_bytes / 2.0);
	lia(tc)->fraction = 0;
	hystart_reduced(&lia(tc)->hystart);
}

static void lia_on_undo(struct tcp_conn *tc, uint64_t now_us)
{
	(void)now_us;
	lia(tc)->fraction = 0;
	hystart_undo(&lia(tc)->hystart);
}

static void lia_on_idle(struct tcp_conn *tc, uint64_t now_us, uint64_t idle_us)
{
	(void)now_us;
	(void)idle_us;
	tcp_cc_restart(tc);
}

const struct tcp_cc_ops tcp_cc_lia = {
	.name = "lia",
	.coupled = true,
	.init = lia_init,
	.on_ack = lia_on_ack,
	.on_loss = lia_on_loss,
	.on_rto = lia_on_loss,
	.on_undo = lia_on_undo,
	.on_idle = lia_on_idle,
};
