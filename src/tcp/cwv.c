/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Congestion window validation (RFC 7661): a window that the application has not filled for
 * a while is neither thrown away nor believed for ever.
 *
 * What a round trip delivers at most ("pipeACK") tells how much of the window is in use: it
 * is validated while that is half of it.  A window that is not, after a pause or because the
 * application sends little, does not grow (the controllers see to that), and is kept for
 * five minutes, then halved every five minutes down to the initial one.  When a loss comes
 * meanwhile, what was really delivered or in flight is what gets reduced.  Pacing keeps a
 * kept window from leaving as one burst.
 */
#include "tcp/tcp_internal.h"

#define CWV_KEEP_US   300000000ull
#define CWV_SAMPLE_US 1000000u          /* pipeACK is the most within so long, or three RTT */

static uint32_t pipe_ack(const struct tcp_conn *tc)
{
	uint32_t most = tc->cwv.most[0] > tc->cwv.most[1] ? tc->cwv.most[0] : tc->cwv.most[1];

	return most > tc->cwv.delivered ? most : tc->cwv.delivered;
}

static uint32_t initial_window(const struct tcp_conn *tc)
{
	return tc->cfg.initial_cwnd_segments * tcp_smss(tc);
}

static bool validated(const struct tcp_conn *tc)
{
	return pipe_ack(tc) >= tc->cwnd_bytes / 2 || tc->cwnd_bytes <= initial_window(tc);
}

static void forget_old(struct tcp_conn *tc, uint64_t now_us)
{
	uint64_t half_us = 3ull * tc->srtt_us / 2;

	if (half_us < CWV_SAMPLE_US / 2)
		half_us = CWV_SAMPLE_US / 2;
	if (now_us < tc->cwv.turn_us)
		return;
	tc->cwv.most[1] = now_us < tc->cwv.turn_us + half_us ? tc->cwv.most[0] : 0;
	tc->cwv.most[0] = 0;
	tc->cwv.turn_us = now_us + half_us;
}

void tcp_cwv_ack(struct tcp_conn *tc, uint32_t delivered, uint64_t now_us)
{
	forget_old(tc, now_us);
	tc->cwv.delivered += delivered;
	if (seq32_geq(tc->snd_una, tc->cwv.round_end)) {
		if (tc->cwv.most[0] < tc->cwv.delivered)
			tc->cwv.most[0] = tc->cwv.delivered;
		tc->cwv.delivered = 0;
		tc->cwv.round_end = tc->snd_nxt;
	}
	if (validated(tc))
		tc->cwv.valid_us = now_us;
}

void tcp_cwv_send(struct tcp_conn *tc, uint64_t now_us)
{
	uint32_t least = initial_window(tc), keep;

	if (!tc->cwv.valid_us)
		tc->cwv.valid_us = now_us;
	while (now_us - tc->cwv.valid_us >= CWV_KEEP_US) {
		if (tc->cwnd_bytes <= least) {
			tc->cwv.valid_us = now_us;
			break;
		}
		tc->cwv.valid_us += CWV_KEEP_US;
		keep = tc->cwnd_bytes / 4 * 3;
		if (tc->ssthresh_bytes < keep)
			tc->ssthresh_bytes = keep;
		tc->cwnd_bytes = tc->cwnd_bytes / 2 > least ? tc->cwnd_bytes / 2 : least;
	}
}

void tcp_cwv_loss(struct tcp_conn *tc, uint32_t in_flight, uint64_t now_us)
{
	uint32_t used;

	forget_old(tc, now_us);
	if (validated(tc))
		return;
	used = pipe_ack(tc) > in_flight ? pipe_ack(tc) : in_flight;
	if (used < initial_window(tc))
		used = initial_window(tc);
	if (tc->cwnd_bytes > used)
		tc->cwnd_bytes = used;
}
