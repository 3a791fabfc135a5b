/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of congestion controllers, and what they share.
 */
#include <string.h>

#include "tcp/cc.h"
#include "tcp/tcp_internal.h"

static const struct tcp_cc_ops *const controllers[] = { &tcp_cc_cubic, &tcp_cc_reno };

const struct tcp_cc_ops *tcp_cc_find(const char *name)
{
	for (size_t i = 0; i < sizeof(controllers) / sizeof(controllers[0]); i++)
		if (!strcmp(controllers[i]->name, name))
			return controllers[i];
	return NULL;
}

void tcp_set_cc(struct tcp_conn *tc, const struct tcp_cc_ops *cc, uint64_t now_us)
{
	tc->cfg.cc = cc;
	memset(tc->cc_state, 0, sizeof(tc->cc_state));
	cc->init(tc, now_us);
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

void tcp_cc_restart(struct tcp_conn *tc)
{
	tc->cwnd_limited = false;
	tc->max_flight_bytes = 0;
	tc->cwnd_usage_seq = tc->snd_nxt;
}
