// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Makes workers in order, because the first creates the TUN device that the others open a
 * queue of, and their threads when all is in place.  A thread does nothing but
 * worker_run().
 *
 * Owns the workers, their inboxes and directories, and the counts for the limits.
 */
#include "io/crew.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "io/directory.h"
#include "io/inbox.h"
#include "io/sources.h"
#include "io/tun.h"
#include "io/worker.h"

/* Of all inboxes together, but each has room for some of the largest packets. */
#define INBOX_BYTES_ALL (16u << 20)
#define INBOX_BYTES_MAX (4u << 20)
/* How long crew_stop() waits for threads. */
#define STOP_SECONDS 5

struct member {
	struct crew *crew;
	struct worker *worker;
	pthread_t thread;
	bool started;
	bool ended;             /* or is about to, and needs nothing any more; crew.lock */
	int error;              /* of worker_run() */
	unsigned turns;         /* at the last look */
	unsigned still;         /* looks since there was one */
};

struct crew {
	struct worker_shared shared;
	const struct proxy_config *config;
	int failed_fd;
	pthread_mutex_t lock;
	pthread_cond_t some_ended;      /* waited for by the clock that nobody sets */
	struct member members[WORKERS_MAX];
};

/* ---- life ----------------------------------------------------------------------- */

static int make_shared(struct crew *c, const struct crew_config *config)
{
	size_t inbox_bytes = INBOX_BYTES_ALL / config->workers;
	struct hash_key key;

	if (getrandom(&key, sizeof(key), 0) != (ssize_t)sizeof(key))
		return -errno;
	c->shared.count = config->workers;
	c->shared.sources = sources_new(&key);
	if (!c->shared.sources)
		return -ENOMEM;
	if (inbox_bytes > INBOX_BYTES_MAX)
		inbox_bytes = INBOX_BYTES_MAX;
	for (unsigned i = 0; i < config->workers; i++) {
		/* All connections may be one worker's. */
		c->shared.directory[i] = directory_new(config->proxy->max_connections,
						       config->workers);
		if (!c->shared.directory[i])
			return -ENOMEM;
		c->shared.inbox[i] = inbox_new(inbox_bytes);
		if (!c->shared.inbox[i])
			return -errno;
	}
	c->failed_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return c->failed_fd < 0 ? -errno : 0;
}

static void init_ends(struct crew *c)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&c->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c->some_ended, &attr);
	pthread_condattr_destroy(&attr);
}

struct crew *crew_new(const struct crew_config *config, char *err, size_t err_len)
{
	struct crew *c = calloc(1, sizeof(*c));
	int ret;

	if (!c) {
		snprintf(err, err_len, "workers: %s", strerror(ENOMEM));
		return NULL;
	}
	c->failed_fd = -1;
	init_ends(c);
	c->config = config->proxy;
	ret = make_shared(c, config);
	if (ret) {
		snprintf(err, err_len, "workers: %s", strerror(-ret));
		goto fail;
	}
	for (unsigned i = 0; i < config->workers; i++) {
		struct worker_config worker = {
			.index = i,
			.shared = &c->shared,
			.device = config->device,
			.queue = (uint16_t)(config->queue + i),
			.table = config->table,
			.flow_timeout_s = config->flow_timeout_s,
			.mark = config->mark,
			.proxy = config->proxy,
		};

		c->members[i].crew = c;
		c->members[i].worker = worker_new(&worker, err, err_len);
		if (!c->members[i].worker)
			goto fail;
	}
	tun_settle_threads(config->device);
	return c;
fail:
	crew_free(c);
	return NULL;
}

void crew_free(struct crew *c)
{
	/* What a thread may still use cannot be taken away. */
	if (!c || crew_stop(c) == -ETIMEDOUT)
		return;
	/* They still write to each other while they end. */
	for (unsigned i = 0; i < c->shared.count; i++)
		worker_free(c->members[i].worker);
	for (unsigned i = 0; i < c->shared.count; i++) {
		inbox_free(c->shared.inbox[i]);
		directory_free(c->shared.directory[i]);
	}
	sources_free(c->shared.sources);
	if (c->failed_fd >= 0)
		close(c->failed_fd);
	pthread_cond_destroy(&c->some_ended);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

/* ---- threads -------------------------------------------------------------------- */

static void *run_worker(void *arg)
{
	struct member *m = arg;
	uint64_t one = 1;

	m->error = worker_run(m->worker);
	if (m->error && write(m->crew->failed_fd, &one, sizeof(one)) < 0)
		log_error("worker %d cannot tell that it failed", (int)(m - m->crew->members));
	pthread_mutex_lock(&m->crew->lock);
	m->ended = true;
	pthread_cond_signal(&m->crew->some_ended);
	pthread_mutex_unlock(&m->crew->lock);
	return NULL;
}

int crew_start(struct crew *c)
{
	sigset_t all, before;
	int ret = 0;

	sigfillset(&all);
	/* Comes from what the thread itself does, and kills where it is blocked. */
	sigdelset(&all, SIGSYS);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (unsigned i = 0; i < c->shared.count && !ret; i++) {
		struct member *m = &c->members[i];
		char name[24];

		worker_set_running(m->worker, true);
		ret = -pthread_create(&m->thread, NULL, run_worker, m);
		if (ret) {
			worker_set_running(m->worker, false);
			break;
		}
		m->started = true;
		snprintf(name, sizeof(name), "worker %u", i);     /* at most 15 bytes */
		pthread_setname_np(m->thread, name);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return ret;
}

/* Whether the thread has ended by then. */
static bool join(struct member *m, const struct timespec *until)
{
	struct crew *c = m->crew;
	bool ended;

	pthread_mutex_lock(&c->lock);
	while (!m->ended && !pthread_cond_timedwait(&c->some_ended, &c->lock, until))
		;
	ended = m->ended;
	pthread_mutex_unlock(&c->lock);
	if (ended)
		pthread_join(m->thread, NULL);
	return ended;
}

int crew_stop(struct crew *c)
{
	struct timespec until;
	bool hangs = false;
	int ret = 0;

	for (unsigned i = 0; i < c->shared.count; i++) {
		if (c->members[i].started)
			worker_stop(c->members[i].worker);
	}
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += STOP_SECONDS;
	for (unsigned i = 0; i < c->shared.count; i++) {
		struct member *m = &c->members[i];

		if (m->started && !join(m, &until)) {
			log_error("worker %u does not end", i);
			hangs = true;
			continue;
		}
		m->started = false;
		if (m->error)
			ret = m->error;
	}
	return hangs ? -ETIMEDOUT : ret;
}

int crew_failed_fd(const struct crew *c)
{
	return c->failed_fd;
}

/* ---- all of them ---------------------------------------------------------------- */

unsigned crew_count(const struct crew *c)
{
	return c->shared.count;
}

int crew_call(struct crew *c, unsigned i, void (*fn)(struct worker *w, void *ctx), void *ctx)
{
	return worker_call(c->members[i].worker, fn, ctx);
}

size_t crew_sessions(const struct crew *c)
{
	return atomic_load_explicit(&c->shared.load.sessions, memory_order_relaxed);
}

unsigned crew_look(struct crew *c, unsigned *which)
{
	unsigned longest = 0;

	for (unsigned i = 0; i < c->shared.count; i++) {
		struct member *m = &c->members[i];
		unsigned turns = worker_turns(m->worker);

		m->still = turns == m->turns ? m->still + 1 : 0;
		m->turns = turns;
		if (m->still > longest) {
			longest = m->still;
			*which = i;
		}
	}
	return longest;
}

struct change {
	const struct proxy_config *config;
	int ret;
};

static void change_config(struct worker *w, void *ctx)
{
	struct change *change = ctx;

	change->ret = worker_set_config(w, change->config);
}

int crew_set_config(struct crew *c, const struct proxy_config *config)
{
	unsigned done;
	int ret = 0;

	for (done = 0; done < c->shared.count; done++) {
		struct change change = { .config = config };

		ret = crew_call(c, done, change_config, &change);
		if (!ret)
			ret = change.ret;
		if (ret)
			break;
	}
	if (!ret) {
		c->config = config;
		return 0;
	}
	while (done--) {
		struct change back = { .config = c->config };

		if (crew_call(c, done, change_config, &back) || back.ret)
			log_error("worker %u keeps a configuration that the others refused", done);
	}
	return ret;
}

static void refresh_flows(struct worker *w, void *ctx)
{
	(void)ctx;
	worker_refresh_flows(w);
}

void crew_refresh_flows(struct crew *c)
{
	for (unsigned i = 0; i < c->shared.count; i++)
		crew_call(c, i, refresh_flows, NULL);
}

static void drain(struct worker *w, void *ctx)
{
	(void)ctx;
	worker_drain(w);
}

void crew_drain(struct crew *c)
{
	for (unsigned i = 0; i < c->shared.count; i++) {
		if (crew_call(c, i, drain, NULL))
			log_error("worker %u does not answer", i);
	}
}
