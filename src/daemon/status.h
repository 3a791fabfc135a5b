/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of a worker and of its connections as JSON, for the control socket.
 * mptcp-proxyctl(8) documents the members.
 */
#ifndef DAEMON_STATUS_H
#define DAEMON_STATUS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct worker;

/* Connections in one answer: an answer is made within one turn of the worker's loop. */
#define STATUS_PAGE 256

/* All return a new reference, or NULL when out of memory. */

/* Version, load and limits, counters. */
json_t *status_summary(struct worker *w, bool draining, uint64_t started_us,
		       uint32_t max_connections, size_t memory_bytes);
/*
 * {"connections": [...], "next": OFFSET}: at most STATUS_PAGE connections, after
 * passing over `offset`; "next" is there if more follow.
 */
json_t *status_connections(struct worker *w, uint64_t offset);
/* One connection, or JSON null if there is none with this id. */
json_t *status_connection(struct worker *w, uint64_t id);

#endif
