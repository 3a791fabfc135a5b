/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of the workers and of their connections as JSON, for the control socket.
 * mptcp-proxyctl(8) documents the members.
 */
#ifndef DAEMON_STATUS_H
#define DAEMON_STATUS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "proxy/proxy.h"

struct crew;

/* Connections in one answer: an answer is made within one turn of the worker's loop. */
#define STATUS_PAGE 256

/* All return a new reference, or NULL with one line in `err`. */

/* The endpoints of the configuration; bit i of `absent`: the address is gone. */
json_t *status_endpoints(const struct proxy_config *config, uint32_t absent);
/* Version, load and limits, counters of all workers together. */
json_t *status_summary(struct crew *c, bool draining, uint64_t uptime_us,
		       uint32_t max_connections, size_t memory_bytes, char *err, size_t err_len);
/* {"counters": {NAME: {"value": N, "counts": TEXT}, ...}} */
json_t *status_counters(struct crew *c, char *err, size_t err_len);
/*
 * {"connections": [...], "next": OFFSET}: at most STATUS_PAGE connections, after
 * passing over `offset`, worker by worker; "next" is there if more may follow.
 */
json_t *status_connections(struct crew *c, uint64_t offset, char *err, size_t err_len);
/* One connection. */
json_t *status_connection(struct crew *c, uint64_t id, char *err, size_t err_len);

#endif
