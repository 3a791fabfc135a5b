/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of congestion controllers, and what they share.
 */
#include <math.h>
#include <string.h>

#include "tcp/cc.h"
#include "tcp/hystart.h"
#include "tcp/tcp_internal.h"

static const struct tcp_cc_ops *const controllers[] = {
	&tcp_cc_auto, &tcp_cc_lia, &tcp_cc_olia, &tcp_cc_balia, &tcp_cc_cubic, &tcp_cc_reno,
};

const struct tcp_cc_ops *tcp_cc_find(const char *name)
{
	for (size_t i = 0; i < sizeof(controllers) / sizeof(controllers[0]); i++)
		if (!strcmp(controllers[i]->name, name))
			return controllers[i];
	return NULL;
}

uint32_t tcp_cc_smss(const struct tcp_conn *tc)
{
	return tcp_smss(tc);
}

uint32_t tcp_cc_slow_start(struct tcp_conn *tc, uint32_t acked_bytes)
{
	uint32_t room = tc->ssthresh_bytes - tc->cwnd_bytes;

	if (tc->cwnd_bytes >= tc->ssthresh_bytes)
		return acked_bytes;
	if (room > acked_bytes)
		room = acked_bytes;
	tc->cwnd_bytes += room;
	if (tc->cwnd_bytes > TCP_CWND_MAX)
		tc->cwnd_bytes = TCP_CWND_MAX;
	return acked_bytes - room;
}

uint32_t tcp_cc_slow_start_hystart(struct tcp_conn *tc, struct hystart *h,
				   const struct tcp_ack_sample *s)
{
	unsigned divisor;

	if (tc->cwnd_bytes >= tc->ssthresh_bytes)
		return s->cwnd_limited ? s->acked_bytes : 0;
	divisor = hystart_ack(h, tc->snd_una, tc->snd_nxt, s->rtt_us);
	/* It is said once only: whether or not the window may grow. */
	if (!divisor)
		tc->ssthresh_bytes = tc->cwnd_bytes;
	if (!s->cwnd_limited)
		return 0;
	if (!divisor)
		return s->acked_bytes;
	return tcp_cc_slow_start(tc, s->acked_bytes / divisor);
}

void tcp_cc_grow(struct tcp_conn *tc, double bytes, float *fraction)
{
	double cwnd = tc->cwnd_bytes + (bytes + (double)*fraction), whole;

	if (!(cwnd >= tcp_smss(tc)))
		cwnd = tcp_smss(tc);
	if (cwnd > TCP_CWND_MAX)
		cwnd = TCP_CWND_MAX;
	whole = floor(cwnd);
	tc->cwnd_bytes = (uint32_t)whole;
	*fraction = (float)(cwnd - whole);
}

void tcp_cc_set_ssthresh(struct tcp_conn *tc, double bytes)
{
	uint32_t least = 2 * tcp_smss(tc);

	tc->ssthresh_bytes = bytes > least ? (uint32_t)(bytes + 0.5) : least;
}

void tcp_cc_restart(struct tcp_conn *tc)
{
	tc->cwnd_limited = false;
	tc->max_flight_bytes = 0;
	tc->cwnd_usage_seq = tc->snd_nxt;
}
