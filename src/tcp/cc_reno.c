/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reno congestion control (RFC 5681), counting bytes (RFC 3465).
 */
#include "tcp/cc.h"
#include "tcp/tcp_internal.h"

struct reno {
	uint32_t acked_bytes;           /* towards the next segment of growth */
} __attribute__((may_alias));

static struct reno *reno(struct tcp_conn *tc)
{
	return (struct reno *)tc->cc_state;
}

static void reno_init(struct tcp_conn *tc, uint64_t now_us)
{
	(void)now_us;
	reno(tc)->acked_bytes = 0;
}

static void reno_on_ack(struct tcp_conn *tc, const struct tcp_ack_sample *s)
{
	uint32_t left, mss = tcp_cc_smss(tc);

	if (!s->cwnd_limited)
		return;
	left = tcp_cc_slow_start(tc, s->acked_bytes);
	if (!left)
		return;
	reno(tc)->acked_bytes += left;
	while (reno(tc)->acked_bytes >= tc->cwnd_bytes && tc->cwnd_bytes < TCP_CWND_MAX) {
		reno(tc)->acked_bytes -= tc->cwnd_bytes;
		tc->cwnd_bytes += mss;
	}
}

static void reno_on_loss(struct tcp_conn *tc, uint64_t now_us)
{
	uint32_t half = tc->cwnd_bytes / 2, least = 2 * tcp_cc_smss(tc);

	(void)now_us;
	tc->ssthresh_bytes = half > least ? half : least;
	reno(tc)->acked_bytes = 0;
}

static void reno_on_undo(struct tcp_conn *tc, uint64_t now_us)
{
	reno_init(tc, now_us);
}

static void reno_on_idle(struct tcp_conn *tc, uint64_t now_us, uint64_t idle_us)
{
	(void)now_us;
	(void)idle_us;
	tcp_cc_restart(tc);
}

const struct tcp_cc_ops tcp_cc_reno = {
	.name = "reno",
	.init = reno_init,
	.on_ack = reno_on_ack,
	.on_loss = reno_on_loss,
	.on_rto = reno_on_loss,
	.on_undo = reno_on_undo,
	.on_idle = reno_on_idle,
};
