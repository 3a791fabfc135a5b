// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The loop of one thread.
 *
 * libevent waits and calls back; one call of event_base_loop() is one turn.  The clock is
 * read once per turn, when the first callback needs it, and again before each further
 * batch of packets.  A batch is received, judged by the proxy, answered with verdicts and
 * flushed, because its buffer is used again by the next one; everything else that happened
 * in a turn (server sockets, timers, the daemon's own events) shares one flush at its end.
 *
 * Timers of the stack are one timerfd, armed for the proxy's deadline.  A deadline that
 * moves into the future leaves the timer as it is: it then fires for nothing, once, which
 * is cheaper than a system call for every packet.
 *
 * The thread asks the scheduler for SCHED_BATCH.  So a packet that wakes it does not take the
 * processor from whoever runs at that moment, which very often is about to send the next
 * one: where processors are free nothing changes, and where they are not, batches get
 * larger and everybody's caches stay warm, for which a packet waits no longer than a time
 * slice.  A policy that the administrator has chosen is left alone.
 *
 * Messages from other workers are received like a batch of packets, and are flushed
 * before their room in the inbox is given back.  Those to others are put into their inboxes
 * at once; the others are woken at the end of a batch and of a turn.  The inbox of one that
 * does not keep up gets full: then packets are lost, which TCP repairs, and other messages
 * wait in the outbox.
 *
 * Owns the event base and all that hangs on it; calls everything in io/ and the proxy.
 */
#include "io/worker.h"

#include <errno.h>
#include <event2/event.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/list.h"
#include "base/log.h"
#include "base/timer.h"
#include "io/clock.h"
#include "io/directory.h"
#include "io/flowset.h"
#include "io/inbox.h"
#include "io/nfq.h"
#include "io/outbox.h"
#include "io/pathmtu.h"
#include "io/server.h"
#include "io/sources.h"
#include "io/tun.h"
#include "mptcp/mptcp.h"
#include "wire/describe.h"
#include "wire/packet.h"

/* Batches that one turn takes from the queue before server sockets get their share. */
#define BATCHES_PER_TURN 8
/* Changes of flow sets are collected for so long. */
#define FLOWSET_DELAY_US 10000
/* Every so often per timeout, the elements of living flows are refreshed. */
#define REFRESH_PER_TIMEOUT 3
/* At least so many of them per second. */
#define REFRESH_STEP 512
#define RANDOM_BYTES 1024
/* Messages that one turn takes from the inbox, and how many are flushed together. */
#define INBOX_PER_TURN 256
#define INBOX_BATCH    32
/* When to try again after another worker's inbox was full. */
#define BACKLOG_DELAY_US 1000
/* How long to wait for the worker to turn to what it is asked. */
#define CALL_SECONDS 5

struct call {
	struct list link;               /* worker.calls; not linked: taken up */
	void (*fn)(struct worker *w, void *ctx);
	void *ctx;
	bool done;
};

struct worker {
	struct event_base *base;
	struct event *nfq_event, *tun_event, *timer_event, *stop_event, *tick_event, *inbox_event;
	struct worker_shared *shared;
	struct inbox *inbox;            /* ours, of those */
	struct directory *directory;
	unsigned index;
	struct outbox outbox;
	pthread_mutex_t call_lock;      /* of calls and running */
	pthread_cond_t call_done;
	struct list calls;
	bool running;                   /* there is a thread to call */
	atomic_bool called;             /* something is in calls */
	atomic_uint turns;
	struct nfq *nfq;
	struct tun *tun;
	char device[IFNAMSIZ];
	bool device_up;
	struct pathmtu pathmtu;
	struct flowset *flowset;        /* NULL: none */
	struct server_env servers;
	struct proxy *proxy;
	struct counters counters;
	struct packet_sink sink;
	struct proxy_ops ops;
	int timer_fd, stop_fd;
	atomic_bool stopping;
	int error;                      /* why the loop ended by itself */

	uint64_t now_us;
	bool now_latched;
	uint64_t armed_us;              /* when the timer fires, or TIMER_NEVER */
	uint64_t flowset_due_us;

	uint64_t refresh_every_us, refresh_next_us;
	struct flow_tuple *refresh;     /* living flows still to be refreshed */
	size_t refresh_count, refresh_capacity, refresh_step;

	uint8_t random[RANDOM_BYTES];
	size_t random_left;
};

/* ---- clock and timer ---------------------------------------------------------- */

static void latch(struct worker *w)
{
	w->now_us = monotonic_us();
	w->now_latched = true;
}

static uint64_t now(void *ctx)
{
	struct worker *w = ctx;

	if (!w->now_latched)
		latch(w);
	return w->now_us;
}

static void arm_timer(struct worker *w, uint64_t deadline_us)
{
	struct itimerspec spec = { 0 };

	if (deadline_us >= w->armed_us)
		return;
	/* An absolute time of zero would disarm it. */
	spec.it_value.tv_sec = (time_t)(deadline_us / 1000000);
	spec.it_value.tv_nsec = (long)(deadline_us % 1000000 * 1000) + 1;
	if (timerfd_settime(w->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL) == 0)
		w->armed_us = deadline_us;
}

/* Edge-triggered: a timerfd that is set anew need not be read. */
static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;

	(void)fd;
	(void)what;
	w->armed_us = TIMER_NEVER;
}

/* ---- what the proxy asks for ---------------------------------------------------- */

static int op_server_open(void *ctx, struct session *session, const struct ip_endpoint *from,
			  const struct ip_endpoint *to, void **server)
{
	struct worker *w = ctx;
	struct server *s;
	int ret = server_open(&w->servers, session, from, to, &s);

	if (!ret)
		*server = s;
	return ret;
}

static ssize_t op_server_writev(void *ctx, void *server, const struct iovec *iov, int n)
{
	(void)ctx;
	return server_writev(server, iov, n);
}

static ssize_t op_server_readv(void *ctx, void *server, const struct iovec *iov, int n)
{
	(void)ctx;
	return server_readv(server, iov, n);
}

static bool op_server_ended(void *ctx, void *server)
{
	(void)ctx;
	return server_ended(server);
}

static void op_server_want(void *ctx, void *server, bool readable, bool writable)
{
	(void)ctx;
	server_want(server, readable, writable);
}

static void op_server_shutdown(void *ctx, void *server)
{
	(void)ctx;
	server_shutdown(server);
}

static void op_server_close(void *ctx, void *server, bool reset)
{
	(void)ctx;
	server_close(server, reset);
}

static void op_flow_forget(void *ctx, const struct flow_tuple *tuple)
{
	struct worker *w = ctx;

	if (w->flowset)
		flowset_forget(w->flowset, tuple);
}

static void op_emit_raw(void *ctx, const uint8_t *data, size_t len)
{
	struct worker *w = ctx;

	tun_emit_raw(w->tun, data, len);
}

static uint32_t op_route_mtu(void *ctx, const struct ip_addr *to)
{
	struct worker *w = ctx;

	return pathmtu_of(&w->pathmtu, to);
}

static void op_random(void *ctx, void *buf, size_t len)
{
	struct worker *w = ctx;
	uint8_t *out = buf;

	while (len) {
		size_t n;

		if (!w->random_left) {
			ssize_t got = getrandom(w->random, sizeof(w->random), 0);

			if (got <= 0)
				continue;
			w->random_left = (size_t)got;
		}
		n = len < w->random_left ? len : w->random_left;
		w->random_left -= n;
		memcpy(out, w->random + w->random_left, n);
		/* Keys must not be found here later. */
		explicit_bzero(w->random + w->random_left, n);
		out += n;
		len -= n;
	}
}

/* ---- other workers -------------------------------------------------------------- */

static bool op_send(void *ctx, uint16_t to, const struct proxy_message *message)
{
	struct inbox_message m = { .m = *message };
	struct worker *w = ctx;

	return outbox_send(&w->outbox, to, &m);
}

static void op_token_known(void *ctx, uint32_t token, bool known)
{
	struct worker *w = ctx;

	if (known)
		directory_add(w->directory, token);
	else
		directory_remove(w->directory, token);
}

static bool op_token_elsewhere(void *ctx, uint16_t worker, uint32_t token)
{
	struct worker *w = ctx;

	return directory_has(w->shared->directory[worker], token);
}

static uint32_t op_source_sessions(void *ctx, const struct ip_addr *addr, int change)
{
	struct worker *w = ctx;

	return sources_add(w->shared->sources, addr, change);
}

static const struct proxy_ops worker_ops = {
	.server_open = op_server_open,
	.server_writev = op_server_writev,
	.server_readv = op_server_readv,
	.server_ended = op_server_ended,
	.server_want = op_server_want,
	.server_shutdown = op_server_shutdown,
	.server_close = op_server_close,
	.flow_forget = op_flow_forget,
	.emit_raw = op_emit_raw,
	.route_mtu = op_route_mtu,
	.random = op_random,
};

/* What one of several workers has besides. */
static void add_peer_ops(struct proxy_ops *ops)
{
	ops->send = op_send;
	ops->token_known = op_token_known;
	ops->token_elsewhere = op_token_elsewhere;
	ops->source_sessions = op_source_sessions;
}

/* ---- packets -------------------------------------------------------------------- */

static int icmp_errno(enum icmp_error error)
{
	switch (error) {
	case ICMP_ERROR_NET_UNREACHABLE:
		return ENETUNREACH;
	case ICMP_ERROR_HOST_UNREACHABLE:
	case ICMP_ERROR_ADMIN_PROHIBITED:
		return EHOSTUNREACH;
	case ICMP_ERROR_PORT_UNREACHABLE:
		return ECONNREFUSED;
	default:
		return 0;
	}
}

/* The flow of a packet that the proxy let go is not caught any more. */
static void flow_passed(struct worker *w, const struct nfq_packet *q)
{
	struct packet p;

	if (!w->flowset || packet_parse(q->data, q->len, &p) || p.kind != PACKET_TCP)
		return;
	flowset_forget(w->flowset, &p.tuple);
}

/* A flow was begun that may be on its way out of the set. */
static void flow_taken(struct worker *w, const struct nfq_packet *q)
{
	size_t at = q->len && q->data[0] >> 4 == 4 ? (size_t)(q->data[0] & 15) * 4 + 13 : 53;
	struct packet p;

	/* IPv6 extension headers are not worth the time: look at all such packets. */
	if (!w->flowset || q->len <= at)
		return;
	if ((q->data[0] >> 4 == 4 || q->data[6] == 6) &&
	    (q->data[at] & (TCP_SYN | TCP_ACK)) != TCP_SYN)
		return;
	if (!packet_parse(q->data, q->len, &p) && p.kind == PACKET_TCP &&
	    (p.tcp.flags & (TCP_SYN | TCP_ACK)) == TCP_SYN)
		flowset_confirm(w->flowset, &p.tuple);
}

/* Whether the packet is an error of this machine about a server connection. */
static bool local_error(struct worker *w, const uint8_t *data, size_t len)
{
	struct packet p;
	int error;

	if (packet_parse(data, len, &p) || p.kind != PACKET_ICMP_ERROR)
		return false;
	error = icmp_errno(p.icmp_error);
	return error && server_unreachable(&w->servers, &p.tuple, error);
}

/* A server connection from another port than the client's may belong to any worker. */
static void tell_local_error(struct worker *w, const uint8_t *data, size_t len)
{
	struct inbox_message m = {
		.m = { .kind = PROXY_MESSAGE_PACKET, .data = data, .len = len },
		.local = true,
	};

	for (unsigned i = 0; i < w->shared->count; i++) {
		if (i != w->index)
			outbox_send(&w->outbox, (uint16_t)i, &m);
	}
}

static bool passes(struct worker *w, const struct nfq_packet *q)
{
	switch (proxy_packet(w->proxy, q->data, q->len, q->checksum_known, w->now_us)) {
	case PROXY_TAKE:
		flow_taken(w, q);
		return false;
	case PROXY_PASS:
		flow_passed(w, q);
		return true;
	case PROXY_PASS_KEEP:
		if (!q->local)
			return true;
		if (local_error(w, q->data, q->len))
			return false;
		tell_local_error(w, q->data, q->len);
		return true;
	}
	return true;
}

/* ---- log = trace ---------------------------------------------------------------------- */

static void trace_in(const struct nfq_packet *q)
{
	char text[PACKET_DESCRIBE_MAX];
	struct packet p;

	if (!packet_parse(q->data, q->len, &p) && p.kind == PACKET_TCP)
		log_trace("in %s", packet_describe(&p, text));
}

static void trace_out(const struct packet_out *out)
{
	char text[PACKET_DESCRIBE_MAX];
	struct packet p;

	if (packet_parse(out->headers, out->headers_len, &p) || p.kind != PACKET_TCP)
		return;
	/* What the parser takes for cut short has lost its payload, and its FIN. */
	p.payload_len = out->payload_len;
	p.tcp.flags = out->headers[out->ip_len + TCP_FLAGS_AT];
	log_trace("out %s", packet_describe(&p, text));
}

static void emit(void *ctx, const struct packet_out *p)
{
	struct worker *w = ctx;

	if (log_threshold >= LOG_LEVEL_TRACE)
		trace_out(p);
	tun_emit(w->tun, p);
}

static void on_packets(evutil_socket_t fd, short what, void *arg)
{
	struct nfq_packet packets[NFQ_BATCH];
	struct worker *w = arg;

	(void)fd;
	(void)what;
	for (int batch = 0; batch < BATCHES_PER_TURN; batch++) {
		uint32_t pass = 0;
		int n;

		n = nfq_receive(w->nfq, packets);
		if (n < 0) {
			log_error("interception queue: %s", strerror(-n));
			w->error = n;
			return;
		}
		if (!n)
			return;
		latch(w);
		for (int i = 0; i < n; i++) {
			if (log_threshold >= LOG_LEVEL_TRACE)
				trace_in(&packets[i]);
			if (passes(w, &packets[i]))
				pass |= 1u << i;
		}
		nfq_verdict(w->nfq, packets, n, pass);
		outbox_wake(&w->outbox);
		proxy_flush(w->proxy, w->now_us);
		if (n < NFQ_BATCH)
			return;
	}
}

static void on_inbox(evutil_socket_t fd, short what, void *arg)
{
	struct inbox_message m;
	struct worker *w = arg;
	int n = 0;

	(void)fd;
	(void)what;
	inbox_woken(w->inbox);
	latch(w);
	while (n < INBOX_PER_TURN && inbox_take(w->inbox, &m)) {
		if (m.local)
			local_error(w, m.m.data, m.m.len);
		else
			proxy_message(w->proxy, &m.m, w->now_us);
		if (++n % INBOX_BATCH)
			continue;
		proxy_flush(w->proxy, w->now_us);
		inbox_release(w->inbox);
		latch(w);
	}
	proxy_flush(w->proxy, w->now_us);
	inbox_release(w->inbox);
	/* There may be more. */
	if (n == INBOX_PER_TURN)
		event_active(w->inbox_event, EV_READ, 1);
}

static void on_tun(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;
	int ret = tun_discard(w->tun);

	(void)fd;
	(void)what;
	if (!ret)
		return;
	/* Only a process with more rights than are left to us can make another one. */
	w->error = ret;
	/* Each that notices tells: the first to end may end the others before they do. */
	log_error("TUN device %s: it is gone (worker %u)", w->device, w->index);
}

/* ---- flow sets ------------------------------------------------------------------ */

static bool collect_session(void *ctx, const struct session_info *info)
{
	struct worker *w = ctx;
	struct mptcp_subflow *sf;

	if (!info->conn)
		return true;
	list_for_each(sf, &info->conn->subflows, link) {
		if (w->refresh_count == w->refresh_capacity) {
			size_t capacity = w->refresh_capacity ? w->refresh_capacity * 2 : 1024;
			struct flow_tuple *more = reallocarray(w->refresh, capacity,
							       sizeof(*more));

			if (!more)
				return false;
			w->refresh = more;
			w->refresh_capacity = capacity;
		}
		w->refresh[w->refresh_count++] = sf->rx;
	}
	return true;
}

/* Keeps silent but living flows from expiring, a part of them every second. */
static void refresh_flows(struct worker *w)
{
	if (!w->flowset || !w->refresh_every_us)
		return;
	if (!w->refresh_count && w->now_us >= w->refresh_next_us) {
		w->refresh_next_us = w->now_us + w->refresh_every_us;
		proxy_sessions(w->proxy, collect_session, w);
		/* Done within a tenth of the period. */
		w->refresh_step = (size_t)(w->refresh_count /
					   (w->refresh_every_us / 10000000 + 1));
		if (w->refresh_step < REFRESH_STEP)
			w->refresh_step = REFRESH_STEP;
	}
	for (size_t i = 0; i < w->refresh_step && w->refresh_count; i++)
		flowset_refresh(w->flowset, &w->refresh[--w->refresh_count]);
}

void worker_refresh_flows(struct worker *w)
{
	w->refresh_count = 0;
	w->refresh_next_us = w->now_us;
	refresh_flows(w);
	/* The rest of very many in the next three seconds. */
	w->refresh_step += w->refresh_count / 3;
}

/* What is proxied waits for the device; what is not yet need not. */
static void look_at_device(struct worker *w)
{
	bool up = tun_is_up(w->tun);

	if (up == w->device_up)
		return;
	w->device_up = up;
	proxy_set_device(w->proxy, up);
	if (w->index)
		return;
	if (up)
		log_notice("TUN device %s is up again", w->device);
	else
		log_error("TUN device %s is down: new connections pass, ours stand still",
			  w->device);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;

	(void)fd;
	(void)what;
	now(w);
	look_at_device(w);
	if (w->flowset)
		flowset_drain(w->flowset);
	refresh_flows(w);
}

/* Returns when the collected changes are due, having sent them if they are. */
static uint64_t flush_flowset(struct worker *w)
{
	if (!w->flowset || !flowset_pending(w->flowset)) {
		w->flowset_due_us = TIMER_NEVER;
	} else if (w->flowset_due_us == TIMER_NEVER) {
		w->flowset_due_us = w->now_us + FLOWSET_DELAY_US;
	} else if (w->now_us >= w->flowset_due_us) {
		flowset_flush(w->flowset);
		w->flowset_due_us = TIMER_NEVER;
	}
	return w->flowset_due_us;
}

/* ---- life ------------------------------------------------------------------------- */

static void on_stop(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

/* Waits with a bound must not depend on who sets the clock meanwhile. */
static void init_calls(struct worker *w)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->call_done, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&w->call_lock, NULL);
	list_init(&w->calls);
}

static struct event *watch(struct worker *w, int fd, short what, event_callback_fn callback)
{
	struct event *e = event_new(w->base, fd, what | EV_PERSIST, callback, w);

	if (e && event_add(e, NULL) < 0) {
		event_free(e);
		return NULL;
	}
	return e;
}

static int open_loop(struct worker *w)
{
	struct event_config *config = event_config_new();
	struct timeval second = { .tv_sec = 1 };

	if (!config)
		return -ENOMEM;
	/* A socket that was closed may be taken off epoll only later, when its number is another
	 * worker's socket already: that one is not in this worker's epoll, so nothing comes
	 * of it.  (The thread sanitizer goes by numbers, and complains.) */
	event_config_set_flag(config, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
	/* EV_ET of the timer */
	event_config_require_features(config, EV_FEATURE_ET | EV_FEATURE_EARLY_CLOSE);
	w->base = event_base_new_with_config(config);
	event_config_free(config);
	if (!w->base)
		return -ENOMEM;
	w->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	w->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (w->timer_fd < 0 || w->stop_fd < 0)
		return -errno;
	w->timer_event = watch(w, w->timer_fd, EV_READ | EV_ET, on_timer);
	w->stop_event = watch(w, w->stop_fd, EV_READ | EV_ET, on_stop);
	w->nfq_event = watch(w, nfq_fd(w->nfq), EV_READ, on_packets);
	w->tun_event = watch(w, tun_fd(w->tun), EV_READ, on_tun);
	w->inbox_event = watch(w, inbox_fd(w->inbox), EV_READ | EV_ET, on_inbox);
	w->tick_event = event_new(w->base, -1, EV_PERSIST, on_tick, w);
	if (!w->timer_event || !w->stop_event || !w->nfq_event || !w->tun_event ||
	    !w->inbox_event || !w->tick_event || event_add(w->tick_event, &second) < 0)
		return -ENOMEM;
	return 0;
}

struct worker *worker_new(const struct worker_config *config, char *err, size_t err_len)
{
	struct worker *w = calloc(1, sizeof(*w));
	int ret;

	if (!w) {
		snprintf(err, err_len, "worker: %s", strerror(ENOMEM));
		return NULL;
	}
	init_calls(w);
	w->index = config->index;
	w->shared = config->shared;
	w->inbox = w->shared->inbox[w->index];
	w->directory = w->shared->directory[w->index];
	outbox_init(&w->outbox, w->shared->inbox, &w->counters);
	w->timer_fd = -1;
	w->stop_fd = -1;
	w->armed_us = TIMER_NEVER;
	w->flowset_due_us = TIMER_NEVER;
	latch(w);
	pathmtu_init(&w->pathmtu);
	snprintf(w->device, sizeof(w->device), "%s", config->device);
	w->device_up = true;
	w->tun = tun_new(config->device, w->shared->count, !w->index, &w->counters, err, err_len);
	if (!w->tun)
		goto fail;
	w->nfq = nfq_new(config->queue, &w->counters, err, err_len);
	if (!w->nfq)
		goto fail;
	if (config->table) {
		w->flowset = flowset_new(config->table, config->mark, err, err_len);
		if (!w->flowset)
			goto fail;
	}
	ret = open_loop(w);
	if (!ret)
		ret = server_env_init(&w->servers, w->base, &w->counters, now, w);
	if (ret) {
		snprintf(err, err_len, "event loop: %s", strerror(-ret));
		goto fail;
	}
	w->refresh_every_us = config->flow_timeout_s * UINT64_C(1000000) / REFRESH_PER_TIMEOUT;
	w->refresh_next_us = w->now_us + w->refresh_every_us;
	w->sink.ctx = w;
	w->sink.emit = emit;
	w->ops = worker_ops;
	if (w->shared->count > 1)
		add_peer_ops(&w->ops);
	w->proxy = proxy_new(config->proxy, &w->ops, w, &w->sink, &w->counters);
	if (!w->proxy) {
		snprintf(err, err_len, "proxy: %s", strerror(ENOMEM));
		goto fail;
	}
	proxy_set_worker(w->proxy, w->index, w->shared->count, &w->shared->load);
	return w;

fail:
	worker_free(w);
	return NULL;
}

static void free_event(struct event *e)
{
	if (e)
		event_free(e);
}

void worker_free(struct worker *w)
{
	if (!w)
		return;
	latch(w);
	proxy_free(w->proxy, w->now_us);
	if (w->flowset)
		flowset_flush(w->flowset);
	free_event(w->nfq_event);
	free_event(w->tun_event);
	free_event(w->timer_event);
	free_event(w->stop_event);
	free_event(w->tick_event);
	free_event(w->inbox_event);
	server_env_fini(&w->servers);
	if (w->base)
		event_base_free(w->base);
	if (w->timer_fd >= 0)
		close(w->timer_fd);
	if (w->stop_fd >= 0)
		close(w->stop_fd);
	flowset_free(w->flowset);
	nfq_free(w->nfq);
	tun_free(w->tun);
	pathmtu_fini(&w->pathmtu);
	free(w->refresh);
	outbox_fini(&w->outbox);
	pthread_cond_destroy(&w->call_done);
	pthread_mutex_destroy(&w->call_lock);
	explicit_bzero(w->random, sizeof(w->random));
	free(w);
}

/* Does what others asked for; `last`: and will not do any more. */
static void answer_calls(struct worker *w, bool last)
{
	struct call *call;

	pthread_mutex_lock(&w->call_lock);
	while ((call = list_first(&w->calls, struct call, link))) {
		list_remove(&call->link);
		pthread_mutex_unlock(&w->call_lock);
		call->fn(w, call->ctx);
		pthread_mutex_lock(&w->call_lock);
		call->done = true;
		pthread_cond_broadcast(&w->call_done);
	}
	w->running = !last;
	pthread_mutex_unlock(&w->call_lock);
}

/* Everything that follows from a turn's events; returns when to begin the next one. */
static uint64_t finish_turn(struct worker *w)
{
	uint64_t deadline_us, due_us;

	now(w);
	if (proxy_deadline(w->proxy) <= w->now_us)
		proxy_timeout(w->proxy, w->now_us);
	proxy_flush(w->proxy, w->now_us);
	due_us = flush_flowset(w);
	deadline_us = proxy_deadline(w->proxy);
	if (due_us < deadline_us)
		deadline_us = due_us;
	if (outbox_retry(&w->outbox) && deadline_us > w->now_us + BACKLOG_DELAY_US)
		deadline_us = w->now_us + BACKLOG_DELAY_US;
	outbox_wake(&w->outbox);
	return deadline_us;
}

static int loop(struct worker *w)
{
	uint64_t deadline_us = 0;

	while (!atomic_load_explicit(&w->stopping, memory_order_relaxed)) {
		w->now_latched = false;
		/* A deadline of 0 tells that work is left over. */
		if (event_base_loop(w->base,
				    EVLOOP_ONCE | (deadline_us ? 0 : EVLOOP_NONBLOCK)) < 0)
			return -EIO;
		if (w->error)
			return w->error;
		if (atomic_exchange_explicit(&w->called, false, memory_order_acquire))
			answer_calls(w, false);
		deadline_us = finish_turn(w);
		if (deadline_us && deadline_us != TIMER_NEVER)
			arm_timer(w, deadline_us);
		atomic_fetch_add_explicit(&w->turns, 1, memory_order_relaxed);
	}
	return 0;
}

static void choose_scheduling(const struct worker *w)
{
	struct sched_param param = { 0 };

	if (sched_getscheduler(0) != SCHED_OTHER)
		return;
	if (sched_setscheduler(0, SCHED_BATCH, &param) < 0)
		log_debug("worker %u: no batch scheduling: %s", w->index, strerror(errno));
}

int worker_run(struct worker *w)
{
	int ret;

	choose_scheduling(w);
	answer_calls(w, false);
	ret = loop(w);
	answer_calls(w, true);
	return ret;
}

void worker_set_running(struct worker *w, bool running)
{
	pthread_mutex_lock(&w->call_lock);
	w->running = running;
	pthread_mutex_unlock(&w->call_lock);
}

/* Ends the wait for events. */
static void interrupt(struct worker *w)
{
	uint64_t one = 1;

	/* Can fail only when it is readable already. */
	if (write(w->stop_fd, &one, sizeof(one)) < 0)
		return;
}

void worker_stop(struct worker *w)
{
	atomic_store(&w->stopping, true);
	interrupt(w);
}

int worker_call(struct worker *w, void (*fn)(struct worker *w, void *ctx), void *ctx)
{
	struct call call = { .fn = fn, .ctx = ctx };
	struct timespec until;

	list_init(&call.link);
	pthread_mutex_lock(&w->call_lock);
	if (!w->running) {
		pthread_mutex_unlock(&w->call_lock);
		fn(w, ctx);
		return 0;
	}
	list_push_back(&w->calls, &call.link);
	atomic_store_explicit(&w->called, true, memory_order_release);
	interrupt(w);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += CALL_SECONDS;
	while (!call.done) {
		/* What it has begun, it must be let finish. */
		if (list_empty(&call.link))
			pthread_cond_wait(&w->call_done, &w->call_lock);
		else if (pthread_cond_timedwait(&w->call_done, &w->call_lock, &until) &&
			 !list_empty(&call.link))
			break;
	}
	list_remove(&call.link);
	pthread_mutex_unlock(&w->call_lock);
	return call.done ? 0 : -ETIMEDOUT;
}

unsigned worker_turns(const struct worker *w)
{
	return atomic_load_explicit(&w->turns, memory_order_relaxed);
}

void worker_drain(struct worker *w)
{
	proxy_drain(w->proxy);
}

int worker_set_config(struct worker *w, const struct proxy_config *config)
{
	return proxy_set_config(w->proxy, config);
}

struct proxy *worker_proxy(struct worker *w)
{
	return w->proxy;
}

const struct counters *worker_counters(const struct worker *w)
{
	return &w->counters;
}

uint64_t worker_now(const struct worker *w)
{
	return w->now_us;
}

size_t worker_server_count(const struct worker *w)
{
	return w->servers.open_count;
}

uint64_t worker_flowset_errors(const struct worker *w)
{
	return w->flowset ? flowset_errors(w->flowset) : 0;
}
