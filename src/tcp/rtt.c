/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Round-trip time and retransmission timeout (RFC 6298).
 *
 * A timeout that was backed off stays so until there is a measurement, and what was sent more
 * than once gives none unless by timestamps: both halves of Karn's algorithm.  Without the
 * second, a path that has become slower than the timeout would have each segment repeated.
 *
 * The minimum timeout bounds the variance term rather than the sum: on a steady
 * long path a plain bound would leave no slack for a delayed acknowledgement.
 * The minimum RTT is kept over five minutes (RFC 8985, section 6.2, step 1).
 */
#include "tcp/tcp_internal.h"

#define MIN_RTT_WINDOW_US 300000000ull

void tcp_rtt_init(struct tcp_conn *tc)
{
	tc->srtt_us = 0;
	tc->rttvar_us = 0;
	tc->min_rtt_us = 0;
	tc->tlp_measured = false;
	tc->backoff = 0;
	tc->rto_us = TCP_RTO_INITIAL_US;
	if (tc->rto_us > tc->cfg.rto_max_us)
		tc->rto_us = tc->cfg.rto_max_us;
}

/* After each measurement. */
static void set_rto(struct tcp_conn *tc)
{
	uint64_t rto, var = 4ull * tc->rttvar_us;

	tc->tlp_measured = true;
	tc->backoff = 0;
	if (var < tc->cfg.rto_min_us)
		var = tc->cfg.rto_min_us;
	rto = tc->srtt_us + var;
	tc->rto_us = rto > tc->cfg.rto_max_us ? tc->cfg.rto_max_us : (uint32_t)rto;
}

void tcp_rtt_spurious(struct tcp_conn *tc, uint32_t rtt_us)
{
	if (rtt_us > tc->cfg.rto_max_us)
		return;
	if (tc->srtt_us < rtt_us)
		tc->srtt_us = rtt_us;
	if (tc->rttvar_us < rtt_us / 2)
		tc->rttvar_us = rtt_us / 2;
	set_rto(tc);
}

void tcp_rtt_sample_coarse(struct tcp_conn *tc, uint32_t rtt_us)
{
	if (!rtt_us)
		rtt_us = 1;
	if (!tc->srtt_us) {
		tc->srtt_us = rtt_us;
		tc->rttvar_us = rtt_us / 2;
	} else {
		uint32_t err = rtt_us > tc->srtt_us ? rtt_us - tc->srtt_us : tc->srtt_us - rtt_us;

		tc->rttvar_us = (uint32_t)((3ull * tc->rttvar_us + err) / 4);
		tc->srtt_us = (uint32_t)((7ull * tc->srtt_us + rtt_us) / 8);
		if (!tc->srtt_us)
			tc->srtt_us = 1;
	}
	set_rto(tc);
}

void tcp_rtt_sample(struct tcp_conn *tc, uint32_t rtt_us, uint64_t now_us)
{
	if (!rtt_us)
		rtt_us = 1;
	if (!tc->min_rtt_us || rtt_us <= tc->min_rtt_us ||
	    now_us - tc->min_rtt_stamp_us > MIN_RTT_WINDOW_US) {
		tc->min_rtt_us = rtt_us;
		tc->min_rtt_stamp_us = now_us;
	}
	tcp_rtt_sample_coarse(tc, rtt_us);
}

uint64_t tcp_rtt_timeout(const struct tcp_conn *tc, unsigned backoff)
{
	uint64_t t = (uint64_t)tc->rto_us << (backoff > 16 ? 16 : backoff);

	return t > tc->cfg.rto_max_us ? tc->cfg.rto_max_us : t;
}
