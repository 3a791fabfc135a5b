/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the congestion controllers of one connection's subflows know of each other.
 *
 * A coupling lists its members, endpoints that carry parts of one stream.  Whoever owns
 * the endpoints makes them members once they may carry data, and takes them out when they
 * end; a controller looks at the sums over all members that are active now.
 */
#ifndef TCP_COUPLING_H
#define TCP_COUPLING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

struct tcp_conn;

struct tcp_coupling {
	struct list members;            /* struct tcp_conn, by coupling_link */
};

/*
 * Sums over active members.  Windows w are in bytes, round-trip times in microseconds; one
 * without a round-trip time is not counted.
 */
struct tcp_coupling_sum {
	unsigned active;
	double window;                  /* sum of w */
	double rate;                    /* sum of w / rtt */
	double best;                    /* greatest w / rtt^2 */
	double fastest;                 /* greatest w / rtt */
	double widest;                  /* greatest w */
	double squares;                 /* sum of w^2 / rtt */
	double cubes;                   /* sum of w^3 / rtt^2 */
};

void tcp_coupling_init(struct tcp_coupling *c);
/* Makes `tc` a member; no effect if it is one. */
void tcp_coupling_join(struct tcp_coupling *c, struct tcp_conn *tc);
/* Takes `tc` out of its coupling, if it is in one. */
void tcp_coupling_leave(struct tcp_conn *tc);

/*
 * Whether `tc` is using its path: it has data outstanding, or had within its last
 * retransmission timeout, and no timeout has been repeated.  A subflow that the scheduler
 * leaves idle, or whose path is dead, takes no share from the others.
 */
bool tcp_coupling_is_active(const struct tcp_conn *tc, uint64_t now_us);
/* cwnd, or ssthresh while that shrinks after a loss or a mark (RFC 6356, section 3). */
double tcp_coupling_cwnd(const struct tcp_conn *tc);
/* The window that counts: what the controller says, else the above. */
double tcp_coupling_window(const struct tcp_conn *tc);
/*
 * Sums over `tc`, which counts as active, and the other members of its coupling.  False,
 * and then nothing is coupled, if there is no other, or `tc` has no round-trip time yet.
 */
bool tcp_coupling_sum(const struct tcp_conn *tc, uint64_t now_us, struct tcp_coupling_sum *out);
/* The aggressiveness of RFC 6356, section 3:  window * best / rate^2. */
double tcp_coupling_alpha(const struct tcp_coupling_sum *sum);

#endif
