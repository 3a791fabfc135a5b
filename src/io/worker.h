/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A worker: one thread's event loop with its own interception queue, TUN queue, proxy
 * and counters.  Nothing mutable is shared between workers.
 *
 * The thread that calls worker_run() owns the worker; only worker_stop() may be called
 * from elsewhere.  Other events (signals, a control socket) may live on worker_base():
 * their callbacks run between packets and may call the proxy's functions for status,
 * worker_set_config() and worker_drain().
 */
#ifndef IO_WORKER_H
#define IO_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/counters.h"
#include "proxy/proxy.h"

struct event_base;
struct worker;

struct worker_config {
	unsigned index, count;          /* this worker's number, and how many there are */
	const char *device;             /* of the TUN device; copied */
	uint16_t queue;                 /* this worker's NFQUEUE number */
	bool fail_open;                 /* a full queue passes packets instead of dropping */
	const char *table;              /* nft table that holds the flow sets, in family
					 * inet; NULL: no sets (copied) */
	uint32_t flow_timeout_s;        /* of the sets' elements; 0: never refresh them */
	const struct proxy_config *proxy;       /* borrowed until worker_set_config() */
};

/*
 * Opens everything.  NULL on failure, with one line of explanation in `err`.  Needs
 * CAP_NET_ADMIN and CAP_NET_RAW now, and either for each server socket.
 */
struct worker *worker_new(const struct worker_config *config, char *err, size_t err_len);
/* Resets all sessions, tells the peers, and closes everything. */
void worker_free(struct worker *w);

/*
 * Runs until worker_stop(), or until worker_drain() was called and the last session is
 * gone.  Returns 0, or -errno when the loop itself failed.
 */
int worker_run(struct worker *w);
/* Ends worker_run() soon; may be called from any thread and from event callbacks. */
void worker_stop(struct worker *w);
/* New sessions are passed on; worker_run() returns when none is left. */
void worker_drain(struct worker *w);
/* Replaces the configuration.  0: the old one may be freed; or -ENOMEM: it stays in use. */
int worker_set_config(struct worker *w, const struct proxy_config *config);

struct event_base *worker_base(struct worker *w);
struct proxy *worker_proxy(struct worker *w);
const struct counters *worker_counters(const struct worker *w);
/* Monotonic microseconds as latched for this turn of the loop. */
uint64_t worker_now(const struct worker *w);
/* Server sockets that are open. */
size_t worker_server_count(const struct worker *w);
/* Elements of the flow sets that could not be changed. */
uint64_t worker_flowset_errors(const struct worker *w);

#endif
