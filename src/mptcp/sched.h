/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The scheduler interface: which subflow sends the next range of data.
 *
 * A scheduler only chooses; it never sends.  mptcp_subflow_room() tells what a subflow
 * may send.
 */
#ifndef MPTCP_SCHED_H
#define MPTCP_SCHED_H

#include <stdint.h>

struct mptcp_conn;
struct mptcp_subflow;

struct mptcp_sched_ops {
	const char *name;
	/*
	 * The subflow for the next up to `len` bytes, or NULL to wait.  `avoid`, if not
	 * NULL, carries the range already (a reinjection) and is chosen never.
	 */
	struct mptcp_subflow *(*pick)(struct mptcp_conn *conn, uint32_t len,
				      const struct mptcp_subflow *avoid, uint64_t now_us);
};

extern const struct mptcp_sched_ops mptcp_sched_minrtt;

/* Finds a scheduler by its configuration name; NULL if there is none. */
const struct mptcp_sched_ops *mptcp_sched_find(const char *name);

#endif
