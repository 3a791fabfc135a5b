/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pacing: a window leaves spread over the round trip, not in bursts that a shallow queue
 * would drop (RFC 9002, section 7.7, says the same for QUIC).
 *
 * A bucket fills at the pace, which is a little more than a window per round trip, and twice
 * a window in slow start; what is sent takes from it.  Data that waits for the bucket alone
 * leaves when it holds a quantum: what the pace gives in a quarter of a millisecond, or two
 * segments.  So a fast path sends super-segments four thousand times a second, whatever its
 * rate, and one of less than a hundred Mbit/s pairs of segments; there is no timer per segment.
 * ACKs clock out what the bucket has, in between.
 *
 * The quantum is so short for fairness.  A full queue drops what comes in bursts first; where
 * bursts grow with the rate, so does what a flow loses of its packets, and it gets less than
 * its part beside several slower ones.  The grid of the timers is short, too: flows that send
 * at the same moments are one burst.
 *
 * The bucket keeps no more than a quantum of what was not used, except
 *   - at the beginning and after a flight has drained: the initial window (RFC 6928);
 *   - for data that stood ready: a timer that fires late must not slow the path down.
 *
 * A path of a round trip below two milliseconds is not paced: it would take too many timers.
 */
#include "tcp/tcp_internal.h"

#define PACE_QUANTUM_US 250u
#define PACE_MIN_RTT_US 2000u
#define PACE_LATE_US    8000u           /* lateness of the timer that is made good */
#define PACE_GRID_US    64u             /* timers of many connections share their moments */
#define PACE_SLOW_START 200u            /* percent of a window per round trip */
#define PACE_AVOIDANCE  120u
#define PACE_UNLIMITED  UINT32_MAX

static bool is_paced(const struct tcp_conn *tc)
{
	return tc->cfg.pacing && tc->srtt_us >= PACE_MIN_RTT_US;
}

uint64_t tcp_pace_rate(const struct tcp_conn *tc)
{
	/* Nearing ssthresh the doubled pace would overshoot it. */
	unsigned percent = tc->cwnd_bytes < tc->ssthresh_bytes / 2 ? PACE_SLOW_START
								   : PACE_AVOIDANCE;
	uint64_t rate;

	if (!is_paced(tc))
		return UINT64_MAX;
	rate = (uint64_t)tc->cwnd_bytes * percent * 10000 / tc->srtt_us;
	return rate ? rate : 1;
}

static uint32_t clamp32(uint64_t bytes)
{
	return bytes < PACE_UNLIMITED ? (uint32_t)bytes : PACE_UNLIMITED - 1;
}

static uint32_t quantum(const struct tcp_conn *tc, uint64_t rate)
{
	uint64_t bytes = rate * PACE_QUANTUM_US / 1000000, two = 2 * tcp_smss(tc);

	return clamp32(bytes > two ? bytes : two);
}

uint32_t tcp_pace_room(const struct tcp_conn *tc, uint32_t room)
{
	uint32_t two = 2 * tcp_smss(tc);

	if (room <= tc->pace_bytes)
		return room;
	return tc->pace_bytes < two ? 0 : tc->pace_bytes;
}

void tcp_pace_refill(struct tcp_conn *tc, uint64_t now_us)
{
	uint64_t rate = tcp_pace_rate(tc), added, cap;

	if (rate == UINT64_MAX) {
		tc->pace_bytes = PACE_UNLIMITED;
		tc->pace_us = now_us;
		return;
	}
	cap = quantum(tc, rate);
	if (!tc->flight_bytes) {
		uint64_t first = (uint64_t)tc->cfg.initial_cwnd_segments * tcp_smss(tc);

		tc->pace_bytes = clamp32(cap > first ? cap : first);
		tc->pace_us = now_us;
		return;
	}
	if (tcp_paced(tc))
		cap += rate * PACE_LATE_US / 1000000;
	/* When a path becomes one that is paced, all is spent. */
	if (tc->pace_bytes == PACE_UNLIMITED)
		tc->pace_bytes = 0;
	if (now_us - tc->pace_us > 1000000)
		tc->pace_us = now_us - 1000000;
	added = rate * (now_us - tc->pace_us) / 1000000;
	if (!added)
		return;
	tc->pace_us = now_us;
	if (tc->pace_bytes < cap)
		tc->pace_bytes = clamp32(tc->pace_bytes + added < cap ? tc->pace_bytes + added
								      : cap);
}

void tcp_pace_spend(struct tcp_conn *tc, uint32_t bytes)
{
	if (tc->pace_bytes != PACE_UNLIMITED)
		tc->pace_bytes -= bytes < tc->pace_bytes ? bytes : tc->pace_bytes;
}

/* What stands ready and may leave as far as the windows go. */
static uint32_t ready(const struct tcp_conn *tc)
{
	uint32_t room;

	if (!tcp_retrans_waits(tc))
		return tc->want_send ? tcp_window_room(tc) : 0;
	room = tcp_cwnd_room(tc);
	return room < tc->pending_bytes ? room : tc->pending_bytes;
}

bool tcp_paced(const struct tcp_conn *tc)
{
	uint32_t room = ready(tc);

	return room && !tcp_pace_room(tc, room);
}

uint64_t tcp_pace_deadline(const struct tcp_conn *tc)
{
	uint64_t rate, due;
	uint32_t need;

	if (!tcp_paced(tc))
		return TIMER_NEVER;
	rate = tcp_pace_rate(tc);
	if (rate == UINT64_MAX)
		return 0;                       /* not paced any more: refill, and go on */
	need = quantum(tc, rate);
	if (need > ready(tc))
		need = ready(tc);
	due = tc->pace_us + ((uint64_t)(need - tc->pace_bytes) * 1000000 + rate - 1) / rate;
	return (due + PACE_GRID_US - 1) / PACE_GRID_US * PACE_GRID_US;
}
