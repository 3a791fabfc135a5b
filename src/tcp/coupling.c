/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Couplings: the members of one connection, and sums over them.
 *
 * Sums are made anew for each acknowledgement: members are few, and a cached one would
 * have to be told of each loss, idle period and death of the others.
 */
#include <string.h>

#include "tcp/coupling.h"
#include "tcp/tcp_internal.h"

void tcp_coupling_init(struct tcp_coupling *c)
{
	list_init(&c->members);
}

void tcp_coupling_join(struct tcp_coupling *c, struct tcp_conn *tc)
{
	if (tc->coupling)
		return;
	tc->coupling = c;
	list_push_back(&c->members, &tc->coupling_link);
}

void tcp_coupling_leave(struct tcp_conn *tc)
{
	if (!tc->coupling)
		return;
	list_remove(&tc->coupling_link);
	tc->coupling = NULL;
}

bool tcp_coupling_is_active(const struct tcp_conn *tc, uint64_t now_us)
{
	if (!tc->srtt_us || tc->unanswered > 1)
		return false;
	return tc->flight_bytes || (tc->last_send_us && now_us - tc->last_send_us < tc->rto_us);
}

double tcp_coupling_cwnd(const struct tcp_conn *tc)
{
	/* While proportional rate reduction is at work, cwnd is what that makes it. */
	if (tc->recovery == TCP_RECOVERY_FAST || tc->recovery == TCP_RECOVERY_CWR)
		return tc->ssthresh_bytes;
	return tc->cwnd_bytes;
}

double tcp_coupling_window(const struct tcp_conn *tc)
{
	return tc->cfg.cc->window ? tc->cfg.cc->window(tc) : tcp_coupling_cwnd(tc);
}

static void add(struct tcp_coupling_sum *sum, const struct tcp_conn *tc)
{
	double w = tcp_coupling_window(tc), rate = w / tc->srtt_us, quality = rate / tc->srtt_us;

	sum->active++;
	sum->window += w;
	sum->rate += rate;
	if (quality > sum->best)
		sum->best = quality;
	if (rate > sum->fastest)
		sum->fastest = rate;
	if (w > sum->widest)
		sum->widest = w;
	sum->squares += w * rate;
	sum->cubes += w * rate * rate;
}

bool tcp_coupling_sum(const struct tcp_conn *tc, uint64_t now_us, struct tcp_coupling_sum *out)
{
	const struct tcp_conn *m;

	memset(out, 0, sizeof(*out));
	if (!tc->coupling || !tc->srtt_us)
		return false;
	list_for_each(m, &tc->coupling->members, coupling_link)
		if (m == tc || tcp_coupling_is_active(m, now_us))
			add(out, m);
	return out->active > 1 && out->rate > 0;
}

double tcp_coupling_alpha(const struct tcp_coupling_sum *sum)
{
	return sum->window * sum->best / (sum->rate * sum->rate);
}
