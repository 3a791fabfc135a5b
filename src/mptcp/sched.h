/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The scheduler interface: which subflow sends the next range of data.
 *
 * A scheduler only chooses; it never sends.  mptcp_subflow_room() tells what a subflow
 * may send.  What all of them keep to is in mptcp_sched_eligible(): nothing goes to a subflow
 * that is stale or closing, and to a backup only when there is no regular one.
 *
 * Files: sched.c (the table, what is shared), sched_NAME.c.
 */
#ifndef MPTCP_SCHED_H
#define MPTCP_SCHED_H

#include <stdbool.h>
#include <stdint.h>

struct mptcp_conn;
struct mptcp_subflow;

struct mptcp_sched_ops {
	const char *name;
	/*
	 * The subflow for the next up to `len` bytes, or NULL to wait.  `avoid`, if not
	 * NULL, carries the range already (a reinjection) and is chosen never; such a
	 * range is late already, and should not be made to wait for a better subflow.
	 */
	struct mptcp_subflow *(*pick)(struct mptcp_conn *conn, uint32_t len,
				      const struct mptcp_subflow *avoid, uint64_t now_us);
	uint32_t turn_segments;         /* what one pick may send at most; 0: all that fits */
	bool redundant;                 /* room that is left is filled with copies, see send.c */
};

/* Scratch of a connection's scheduler, zero at the beginning. */
struct mptcp_sched_state {
	uint64_t round_us;              /* blest: when lambda was last looked at */
	uint32_t lambda_percent;        /* blest */
	bool blocked;                   /* the send window has stopped us since then */
	uint32_t turns;                 /* roundrobin: picks so far */
};

extern const struct mptcp_sched_ops mptcp_sched_blest;
extern const struct mptcp_sched_ops mptcp_sched_cost;
extern const struct mptcp_sched_ops mptcp_sched_minrtt;
extern const struct mptcp_sched_ops mptcp_sched_redundant;
extern const struct mptcp_sched_ops mptcp_sched_roundrobin;

/* Finds a scheduler by its configuration name; NULL if there is none. */
const struct mptcp_sched_ops *mptcp_sched_find(const char *name);

/* ---- for schedulers ----------------------------------------------------------- */

/* Whether `sf` may be given something now. */
bool mptcp_sched_eligible(const struct mptcp_subflow *sf);
/* The eligible subflow with the shortest smoothed round-trip time; with `room_for`, among
 * those that may send some of so many bytes now.  `avoid` (or NULL) is left out. */
struct mptcp_subflow *mptcp_sched_fastest(struct mptcp_conn *conn, uint32_t room_for,
					  const struct mptcp_subflow *avoid);

#endif
