/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All workers of the daemon, a thread for each, and what they share.
 *
 * The functions here are for the thread that made the crew, which is none of the workers':
 * it has time to wait for them.
 */
#ifndef IO_CREW_H
#define IO_CREW_H

#include <stddef.h>
#include <stdint.h>

struct crew;
struct proxy_config;
struct worker;

struct crew_config {
	unsigned workers;               /* up to WORKERS_MAX of io/worker.h */
	const char *device;             /* of the TUN device; copied */
	uint16_t queue;                 /* NFQUEUE number of the first; the others follow */
	const char *table;              /* see struct worker_config */
	uint32_t flow_timeout_s;
	uint32_t mark;
	const struct proxy_config *proxy;       /* borrowed until crew_set_config() */
};

/* Opens everything.  NULL on failure, with one line of explanation in `err`. */
struct crew *crew_new(const struct crew_config *config, char *err, size_t err_len);
/* Stops the threads, resets all sessions, tells the peers, and closes everything; nothing of
 * that when a worker hangs. */
void crew_free(struct crew *c);

/* Starts the threads, with all signals blocked but SIGSYS.  0 or -errno. */
int crew_start(struct crew *c);
/*
 * Stops the threads and waits for them.  Returns 0; -errno of a loop that failed; or
 * -ETIMEDOUT when a worker hangs: then nothing may be freed, but the process be ended.
 */
int crew_stop(struct crew *c);
/* Becomes readable when a worker's loop ended although nobody stopped it. */
int crew_failed_fd(const struct crew *c);

unsigned crew_count(const struct crew *c);
/* Lets worker `i` call fn(), see worker_call(). */
int crew_call(struct crew *c, unsigned i, void (*fn)(struct worker *w, void *ctx), void *ctx);
/* Sessions of all workers. */
size_t crew_sessions(const struct crew *c);
/*
 * Looks whether the workers turn, which each does at least once a second; so ask less often.
 * Returns for how many looks in a row, this one included, one of them has not, and which in
 * `which`; 0 when all are well.
 */
unsigned crew_look(struct crew *c, unsigned *which);

/*
 * Replaces the configuration.  0: the old one may be freed; or -errno: it stays in use, and
 * the new one must be kept as well, for a worker that could not go back.
 */
int crew_set_config(struct crew *c, const struct proxy_config *config);
/* Puts all living flows back into the kernel's sets, which somebody has emptied. */
void crew_refresh_flows(struct crew *c);
/* New sessions are passed on. */
void crew_drain(struct crew *c);

#endif
