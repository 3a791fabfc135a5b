/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A worker: one thread's event loop with its own interception queue, TUN queue, proxy
 * and counters.  What workers share is struct worker_shared: the ways to tell each other of
 * packets, and counts for the limits.  crew.h makes them, and their threads.
 *
 * The thread that calls worker_run() owns the worker.  Of the functions here, others may
 * call worker_stop(), worker_call() and worker_turns() only, and with worker_call() let the
 * worker call all the rest, between two turns of its loop.
 */
#ifndef IO_WORKER_H
#define IO_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/counters.h"
#include "io/outbox.h"
#include "proxy/proxy.h"

struct directory;
struct inbox;
struct sources;
struct worker;

#define WORKERS_MAX OUTBOX_WORKERS_MAX

struct worker_shared {
	unsigned count;                 /* of workers */
	struct inbox *inbox[WORKERS_MAX];
	struct directory *directory[WORKERS_MAX];
	struct proxy_load load;
	struct sources *sources;
};

struct worker_config {
	unsigned index;                 /* this worker's number; number 0 is made first */
	struct worker_shared *shared;   /* borrowed */
	const char *device;             /* of the TUN device; copied */
	uint16_t queue;                 /* this worker's NFQUEUE number */
	const char *table;              /* nft table that holds the flow sets, in family
					 * inet; NULL: no sets (copied) */
	uint32_t flow_timeout_s;        /* of the sets' elements; 0: never refresh them */
	uint32_t mark;                  /* by which its rules know what refreshes one */
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
 * Runs until worker_stop().  Returns 0, or -errno when the loop itself failed.
 */
int worker_run(struct worker *w);
/* Tells worker_call() that there will be a thread in worker_run(), or not after all. */
void worker_set_running(struct worker *w, bool running);
/* Ends worker_run() soon; may be called from any thread. */
void worker_stop(struct worker *w);
/*
 * Lets the worker's thread call fn(w, ctx), and waits for that; without such a thread it is
 * called at once.  -ETIMEDOUT when the worker does not answer: then fn is not called.
 */
int worker_call(struct worker *w, void (*fn)(struct worker *w, void *ctx), void *ctx);
/* Turns of the loop so far, of which there is at least one a second. */
unsigned worker_turns(const struct worker *w);
/* New sessions are passed on. */
void worker_drain(struct worker *w);
/* Replaces the configuration.  0: the old one may be freed; or -ENOMEM: it stays in use. */
int worker_set_config(struct worker *w, const struct proxy_config *config);
/* Puts all living flows back into the sets, which somebody has emptied.  On its thread. */
void worker_refresh_flows(struct worker *w);

struct proxy *worker_proxy(struct worker *w);
const struct counters *worker_counters(const struct worker *w);
/* Monotonic microseconds as latched for this turn of the loop. */
uint64_t worker_now(const struct worker *w);
/* Server sockets that are open. */
size_t worker_server_count(const struct worker *w);
/* Elements of the flow sets that could not be changed. */
uint64_t worker_flowset_errors(const struct worker *w);

#endif
