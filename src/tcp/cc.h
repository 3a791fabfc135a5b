/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The congestion-control interface.
 *
 * A controller is a table of functions and some state inside struct tcp_conn.
 * It owns the window: `cwnd_bytes` and `ssthresh_bytes` of the connection (during
 * fast recovery proportional rate reduction, recovery.c, sets cwnd instead).  It
 * reads the clock only from its arguments.  Coupled ones look at the other subflows of the
 * connection through struct tcp_coupling.
 */
#ifndef TCP_CC_H
#define TCP_CC_H

#include <stdbool.h>
#include <stdint.h>

struct hystart;
struct tcp_conn;

/* What one ACK told; times in microseconds. */
struct tcp_ack_sample {
	uint64_t now_us;
	uint32_t acked_bytes;       /* newly acknowledged, cumulatively or by SACK */
	uint32_t rtt_us;            /* of the newest segment acknowledged; 0: none */
	uint32_t prior_flight_bytes;/* outstanding before this ACK */
	bool cwnd_limited;          /* the window, not the application, limited sending */
};

struct tcp_cc_ops {
	const char *name;
	bool coupled;                   /* takes its coupling's other members into account */
	void (*init)(struct tcp_conn *tc, uint64_t now_us);
	/* Outside recovery: data was acknowledged. */
	void (*on_ack)(struct tcp_conn *tc, const struct tcp_ack_sample *s);
	/* Entering fast recovery: sets ssthresh_bytes (cwnd is PRR's until it ends). */
	void (*on_loss)(struct tcp_conn *tc, uint64_t now_us);
	/* The same, when the network marked packets (ECN) instead of dropping any; NULL: as
	 * on_loss. */
	void (*on_ecn)(struct tcp_conn *tc, uint64_t now_us);
	/* Retransmission timeout: sets ssthresh_bytes; cwnd is set by the caller. */
	void (*on_rto)(struct tcp_conn *tc, uint64_t now_us);
	/*
	 * The timeouts that on_rto was told of may well have been of segments too large for the
	 * path.  The window stays as it is; the path need not count as congested for that.  NULL:
	 * nothing to be done.
	 */
	void (*on_black_hole)(struct tcp_conn *tc);
	/* Recovery was needless: bring back the state from before on_loss/on_rto; the
	 * caller restores cwnd and ssthresh. */
	void (*on_undo)(struct tcp_conn *tc, uint64_t now_us);
	/*
	 * The window that stands for this subflow in its coupling's sums, in bytes: with `auto`,
	 * the one that a flow alone would have.  NULL: cwnd, or ssthresh while that shrinks.
	 */
	double (*window)(const struct tcp_conn *tc);
	/* Sending resumes after `idle_us` without data outstanding. */
	void (*on_idle)(struct tcp_conn *tc, uint64_t now_us, uint64_t idle_us);
};

/* Helpers for controllers. */

/* The sender's segment size in bytes of payload. */
uint32_t tcp_cc_smss(const struct tcp_conn *tc);
/*
 * Slow start by byte counting (RFC 3465): grows cwnd towards ssthresh and returns
 * the acknowledged bytes that are left for congestion avoidance.
 */
uint32_t tcp_cc_slow_start(struct tcp_conn *tc, uint32_t acked_bytes);
/*
 * The same for one ACK, with HyStart++ (RFC 9406), which may end slow start.  To be called
 * for each ACK, in congestion avoidance too, before anything else is done about it.
 */
uint32_t tcp_cc_slow_start_hystart(struct tcp_conn *tc, struct hystart *h,
				   const struct tcp_ack_sample *s);
/* Changes cwnd by `bytes`, which may be negative; `*fraction` keeps what is less than one. */
void tcp_cc_grow(struct tcp_conn *tc, double bytes, float *fraction);
/* ssthresh after a loss: `bytes`, but at least two segments (RFC 5681, section 3.1). */
void tcp_cc_set_ssthresh(struct tcp_conn *tc, double bytes);
/* After a pause it shows anew whether the window limits sending; the window itself stays
 * for a while (RFC 7661, cwv.c). */
void tcp_cc_restart(struct tcp_conn *tc);

extern const struct tcp_cc_ops tcp_cc_auto;
extern const struct tcp_cc_ops tcp_cc_balia;
extern const struct tcp_cc_ops tcp_cc_cubic;
extern const struct tcp_cc_ops tcp_cc_lia;
extern const struct tcp_cc_ops tcp_cc_olia;
extern const struct tcp_cc_ops tcp_cc_reno;

/* Finds a controller by its configuration name; NULL if there is none. */
const struct tcp_cc_ops *tcp_cc_find(const char *name);

#endif
