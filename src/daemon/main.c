/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mptcp-proxyd: options, start, reload, end.
 *
 * Order at start: configuration, privileges, the helper that runs nft, workers (queues and
 * device), control socket, whether another daemon runs, the threads, return routes, and the
 * ruleset last, because from then on packets come; when all is there, the filter of system
 * calls.  The end is the reverse.  Whatever fails at start is told in one line, and nothing is
 * left behind.
 *
 * The first thread has an event loop of its own, for signals, the control socket and the
 * watchdog, and has the workers do what concerns them, see io/crew.h.  struct daemon owns
 * the configuration in force.
 */
#include <errno.h>
#include <event2/event.h>
#include <getopt.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "daemon/child.h"
#include "daemon/config.h"
#include "daemon/control.h"
#include "daemon/logging.h"
#include "daemon/routes.h"
#include "daemon/ruleset.h"
#include "daemon/sandbox.h"
#include "daemon/status.h"
#include "io/addrwatch.h"
#include "io/clock.h"
#include "io/crew.h"
#include "io/nfq.h"
#include "io/worker.h"

#define EXIT_USAGE 2

/* Descriptors besides one for each server connection: the first thread's, and each worker's. */
#define SPARE_FILES        60
#define SPARE_FILES_WORKER 14
/*
 * The queue that a daemon holds as long as it lives, so that none begins beside it in the same
 * network and replaces its rules.  The kernel takes it back, however the daemon ended.
 */
#define ALONE_QUEUE 0x4d50
/* How long before drain_timeout ends systemd is told to wait on. */
#define STOP_MARGIN_US 15000000ull
/* How often to look whether draining is done. */
#define DRAIN_LOOK_US 50000
/* So many clients that gave up, and none that did not, mean that none hears us. */
#define UNHEARD_MIN 5
/* How often to look whether the workers turn, and after how many looks in vain to give up. */
#define LOOK_SECONDS  2
#define LOOKS_IN_VAIN 5

struct daemon {
	const char *config_path;
	struct config *config;
	struct event_base *base;
	struct nfq *alone;
	struct crew *crew;
	struct control *control;
	struct addrwatch *addresses;
	uint32_t absent_endpoints;      /* bit i: config->proxy.endpoints[i] */
	struct event *sigterm, *sigint, *sighup, *look, *watchdog, *drain_end, *drain_look, *failed,
		*refused;
	uint64_t started_us;
	bool rules, routes;     /* are installed */
	bool rules_lost;        /* were removed by somebody else, and cannot be made again */
	bool routes_lost;       /* likewise */
	unsigned still_looks;   /* since a worker turned; 0: all do */
	bool heard;             /* by a client, or it was told that there is none */
	bool draining;
	bool stopping;          /* by signal, so with an end */
};

static void report_stderr(void *ctx, const char *message)
{
	(void)ctx;
	fprintf(stderr, "%s\n", message);
}

static struct ruleset_config ruleset_of(const struct config *c)
{
	uint64_t flows = (uint64_t)c->proxy.max_connections * 4;

	return (struct ruleset_config){
		.services = c->proxy.services,
		.service_count = c->proxy.service_count,
		.endpoints = c->proxy.endpoints,
		.endpoint_count = c->proxy.endpoint_count,
		.device = c->device,
		.queue = c->queue,
		.queue_count = (uint16_t)c->workers,
		.mark = c->mark,
		.mark_mask = c->mark_mask,
		.flow_max = flows < 65536 ? 65536 : flows > 1u << 20 ? 1u << 20 : (uint32_t)flows,
	};
}

/* ---- privileges and limits ---------------------------------------------------------- */

/*
 * Checks that the capabilities are there.  Without root they are made ambient, so that
 * nft, which is run as a child, has them too.
 */
static int check_capabilities(void)
{
	static const struct {
		int number;
		const char *name;
	} needed[] = { { CAP_NET_ADMIN, "CAP_NET_ADMIN" }, { CAP_NET_RAW, "CAP_NET_RAW" } };
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };
	uint32_t mask = 0;

	if (syscall(SYS_capget, &head, data)) {
		log_error("cannot read this process's capabilities: %s", strerror(errno));
		return -1;
	}
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		mask |= 1u << needed[i].number;
		if (data[0].effective & (1u << needed[i].number))
			continue;
		log_error("%s is missing: run mptcp-proxyd as root, or from the systemd unit, "
			  "which grants CAP_NET_ADMIN and CAP_NET_RAW", needed[i].name);
		return -1;
	}
	if (!geteuid())
		return 0;
	data[0].inheritable |= mask;
	if (syscall(SYS_capset, &head, data))
		return 0;       /* nft will say what it misses */
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, needed[i].number, 0, 0);
	return 0;
}

/* Whether the kernel lets sockets have foreign addresses (TPROXY support). */
static int check_transparent(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1, err = 0;

	if (fd < 0 || setsockopt(fd, SOL_IP, IP_TRANSPARENT, &one, sizeof(one))) {
		err = -errno;
		log_error("sockets cannot have the clients' addresses (IP_TRANSPARENT): %s",
			  strerror(errno));
	}
	if (fd >= 0)
		close(fd);
	return err;
}

/*
 * Raises the limit of open files to what max_connections needs, or else lowers that: the
 * control socket, a reload and the look after the rules need files, too, and most when there
 * are too many connections.  Returns what max_connections was.
 */
static uint32_t fit_file_limit(struct config *c)
{
	uint32_t asked = c->proxy.max_connections;
	rlim_t spare = SPARE_FILES + SPARE_FILES_WORKER * c->workers;
	rlim_t want = (rlim_t)c->proxy.max_connections + spare;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= want)
		return asked;
	if (limit.rlim_max < want) {
		struct rlimit more = { .rlim_cur = want, .rlim_max = want };

		if (!setrlimit(RLIMIT_NOFILE, &more))
			return asked;
	}
	limit.rlim_cur = limit.rlim_max < want ? limit.rlim_max : want;
	if (setrlimit(RLIMIT_NOFILE, &limit) && getrlimit(RLIMIT_NOFILE, &limit))
		return asked;
	if (limit.rlim_cur >= want)
		return asked;
	c->proxy.max_connections = limit.rlim_cur > spare ? (uint32_t)(limit.rlim_cur - spare) : 1;
	return asked;
}

static void tell_file_limit(const struct config *c, uint32_t asked)
{
	if (c->proxy.max_connections != asked)
		log_warning("the limit of open files allows max_connections = %u, not %u (raise it "
			    "with LimitNOFILE= or ulimit -n)", c->proxy.max_connections, asked);
}

/* Whether no other daemon runs.  0, or -errno with one line in `err`. */
static int be_alone(struct daemon *d, char *err, size_t err_len)
{
	static struct counters unused;
	const struct config *c = d->config;

	/* Then a worker's own queue does it. */
	if (c->queue <= ALONE_QUEUE && c->queue + c->workers > ALONE_QUEUE)
		return 0;
	d->alone = nfq_new(ALONE_QUEUE, &unused, err, err_len);
	if (d->alone)
		return 0;
	if (errno == EBUSY)
		snprintf(err, err_len, "another mptcp-proxyd runs in this network (it has NFQUEUE "
			 "%u): one serves all", ALONE_QUEUE);
	return -EBUSY;
}

/* ---- endpoints ------------------------------------------------------------------------ */

/* An endpoint that this machine never had may be routed here, and is not missed. */
static uint32_t find_absent(const struct daemon *d, const struct proxy_config *p)
{
	uint32_t absent = 0;

	for (size_t i = 0; i < p->endpoint_count; i++)
		if (addrwatch_lost(d->addresses, &p->endpoints[i].ep.local.addr))
			absent |= 1u << i;
	return absent;
}

static void set_absent(struct worker *w, void *ctx)
{
	const struct daemon *d = ctx;

	proxy_set_absent(worker_proxy(w), d->absent_endpoints);
}

static void on_addresses(void *ctx)
{
	struct daemon *d = ctx;
	const struct proxy_config *p = &d->config->proxy;
	uint32_t absent = find_absent(d, p), changed = absent ^ d->absent_endpoints;
	char addr[IP_ADDR_STRLEN];

	if (!changed)
		return;
	for (size_t i = 0; i < p->endpoint_count; i++)
		if (changed & 1u << i)
			log_notice("endpoint %s: %s is %s", p->endpoints[i].name,
				   ip_addr_format(&p->endpoints[i].ep.local.addr, addr),
				   absent & 1u << i ? "gone from this machine: withdrawn"
						    : "back: announced again");
	d->absent_endpoints = absent;
	for (unsigned i = 0; i < crew_count(d->crew); i++)
		if (crew_call(d->crew, i, set_absent, d))
			log_error("worker %u does not take the news", i);
}

/* ---- forwarding ------------------------------------------------------------------------ */

/* Warns where packets of a service would not be forwarded. */
static void check_forwarding(const struct proxy_config *p)
{
	bool v4 = false, v6 = false;

	for (size_t i = 0; i < p->service_count; i++) {
		for (size_t j = 0; j < p->services[i].prefix_count; j++) {
			v4 |= p->services[i].prefixes[j].is_v4;
			v6 |= !p->services[i].prefixes[j].is_v4;
		}
	}
	routes_check_forwarding(v4, v6);
}

/* ---- clients that do not hear us --------------------------------------------------------- */

struct hearing {
	uint64_t done, gave_up;
};

static void add_hearing(struct worker *w, void *ctx)
{
	const struct counters *c = proxy_counters(worker_proxy(w));
	struct hearing *h = ctx;

	h->done += c->v[CNT_MP_CAPABLE_DONE];
	h->gave_up += c->v[CNT_STEP_ASIDE_PLAIN_SYN];
}

/*
 * Where a firewall keeps back what we send, each client waits for seconds and goes to the server
 * by itself, and nothing else looks wrong.
 */
static void check_heard(struct daemon *d)
{
	struct hearing h = { 0 };

	if (d->heard)
		return;
	for (unsigned i = 0; i < crew_count(d->crew); i++)
		if (crew_call(d->crew, i, add_hearing, &h))
			return;
	d->heard = h.done || h.gave_up >= UNHEARD_MIN;
	if (d->heard && !h.done)
		log_warning("no client has heard an answer, and %llu gave up: does the firewall "
			    "let pass what is forwarded from %s, and connections from here to the "
			    "servers, and do these answer?", (unsigned long long)h.gave_up,
			    d->config->device);
}

/* ---- servers on this machine ---------------------------------------------------------- */

/*
 * Answers of this machine's own servers to a client's address go to the client, and never
 * to the socket that has its address.  0, or -EINVAL with one line in `err`.
 */
static int check_upstreams(const struct daemon *d, const struct proxy_config *p, char *err,
			   size_t err_len)
{
	char addr[IP_ADDR_STRLEN];

	for (size_t i = 0; i < p->service_count; i++) {
		const struct proxy_service *s = &p->services[i];

		if (s->upstream_original || s->source != PROXY_SOURCE_CLIENT ||
		    !addrwatch_has(d->addresses, &s->upstream.addr))
			continue;
		snprintf(err, err_len, "[service %s] upstream: %s is an address of this machine, "
			 "whose servers would answer the clients themselves: set source = gateway",
			 s->name, ip_addr_format(&s->upstream.addr, addr));
		return -EINVAL;
	}
	return 0;
}

/* ---- reload ------------------------------------------------------------------------- */

struct reload_report {
	char first[512];
	unsigned count;
};

static void report_reload(void *ctx, const char *message)
{
	struct reload_report *r = ctx;

	log_error("%s", message);
	if (!r->count++)
		snprintf(r->first, sizeof(r->first), "%s", message);
}

/*
 * Who loads a firewall flushes all rules first, as a rule, and ours with them.  Without them,
 * or with a part of them, the connections that are proxied stand still.
 */
static void keep_rules(struct daemon *d)
{
	struct ruleset_config ruleset = ruleset_of(d->config);
	char err[256];

	if (!d->rules || !ruleset_missing())
		return;
	if (ruleset_restore(&ruleset, err, sizeof(err))) {
		if (!d->rules_lost)
			log_error("somebody removed the rules, and: %s", err);
		d->rules_lost = true;
		return;
	}
	d->rules_lost = false;
	log_warning("somebody removed the rules; they are made again");
	crew_refresh_flows(d->crew);
}

/* The same for the way back from servers. */
static void keep_routes(struct daemon *d)
{
	char err[256];

	if (!d->routes || !routes_missing())
		return;
	if (!routes_restore(err, sizeof(err)))
		log_warning("addresses, routes or settings of the way back from servers were "
			    "missing; they are made again");
	else if (!d->routes_lost)
		log_error("%s", err);
	d->routes_lost = routes_missing();
}

/* Keeps what only a restart may change. */
static void keep_start_values(struct config *new, const struct config *old)
{
	char keys[128];

	if (config_restart_keys(old, new, keys, sizeof(keys)))
		log_warning("reload: changes of %s come into force with a restart", keys);
	new->workers = old->workers;
	memcpy(new->device, old->device, sizeof(new->device));
	new->queue = old->queue;
	new->mark = old->mark;
	new->mark_mask = old->mark_mask;
	memcpy(new->control, old->control, sizeof(new->control));
	new->seccomp = old->seccomp;
}

static int reload(struct daemon *d, char *err, size_t err_len)
{
	struct reload_report report = { .count = 0 };
	struct ruleset_config ruleset;
	struct config *new, *old = d->config;
	uint32_t asked;
	char why[256];
	int ret;

	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)monotonic_us());
	new = config_load(d->config_path, report_reload, &report);
	if (!new) {
		if (report.count > 1)
			snprintf(err, err_len, "%s (and %u more)", report.first,
				 report.count - 1);
		else
			snprintf(err, err_len, "%s", report.first);
		goto fail;
	}
	keep_start_values(new, old);
	asked = fit_file_limit(new);
	if (check_upstreams(d, &new->proxy, err, err_len)) {
		log_error("%s", err);
		goto fail;
	}
	new->proxy.absent_endpoints = find_absent(d, &new->proxy);
	keep_rules(d);
	ruleset = ruleset_of(new);
	if (ruleset_update(&ruleset, why, sizeof(why))) {
		snprintf(err, err_len, "%s", why);
		log_error("%s", why);
		goto fail;
	}
	ret = crew_set_config(d->crew, &new->proxy);
	if (ret) {
		snprintf(err, err_len, "the workers: %s", strerror(-ret));
		log_error("%s", err);
		ruleset = ruleset_of(old);
		if (ruleset_update(&ruleset, why, sizeof(why)))
			log_error("%s", why);
		new = NULL;     /* kept, see crew_set_config() */
		goto fail;
	}
	d->config = new;
	d->absent_endpoints = new->proxy.absent_endpoints;
	config_free(old);
	log_set_level(new->log_level);
	tell_file_limit(new, asked);
	check_forwarding(&new->proxy);
	log_notice("configuration reloaded, %zu service%s", new->proxy.service_count,
		   new->proxy.service_count == 1 ? "" : "s");
	sd_notify(0, "READY=1");
	return 0;
fail:
	config_free(new);
	log_error("reload: the old configuration stays in force");
	sd_notify(0, "READY=1");
	return -EINVAL;
}

/* ---- the end ------------------------------------------------------------------------ */

static void end(struct daemon *d)
{
	event_base_loopbreak(d->base);
}

static void on_drain_look(evutil_socket_t fd, short what, void *ctx)
{
	struct daemon *d = ctx;

	(void)fd;
	(void)what;
	if (!crew_sessions(d->crew))
		end(d);
}

static void begin_drain(struct daemon *d)
{
	static const struct timeval look = { .tv_usec = DRAIN_LOOK_US };

	if (d->draining)
		return;
	d->draining = true;
	log_notice("draining: new connections pass, %zu of ours go on", crew_sessions(d->crew));
	crew_drain(d->crew);
	event_add(d->drain_look, &look);
}

static void on_drain_end(evutil_socket_t fd, short what, void *ctx)
{
	struct daemon *d = ctx;

	(void)fd;
	(void)what;
	log_notice("drain_timeout is over: %zu connections are reset", crew_sessions(d->crew));
	end(d);
}

/* SIGTERM and SIGINT: the first drains, the second ends. */
static void on_stop(evutil_socket_t number, short what, void *ctx)
{
	struct daemon *d = ctx;
	uint64_t bound_us = d->config->drain_timeout_us;
	struct timeval tv = { .tv_sec = (time_t)(bound_us / 1000000) };

	(void)what;
	if (d->stopping) {
		log_notice("signal %d again: ending at once", (int)number);
		end(d);
		return;
	}
	d->stopping = true;
	sd_notifyf(0, "STOPPING=1\nSTATUS=Draining\nEXTEND_TIMEOUT_USEC=%llu",
		   (unsigned long long)(bound_us + STOP_MARGIN_US));
	begin_drain(d);
	if (bound_us)
		evtimer_add(d->drain_end, &tv);
	else
		end(d);
}

static void on_hangup(evutil_socket_t number, short what, void *ctx)
{
	char err[512];

	(void)number;
	(void)what;
	reload(ctx, err, sizeof(err));  /* logs by itself */
}

static void remove_rules(struct daemon *d)
{
	if (d->rules)
		ruleset_remove();
	if (d->routes)
		routes_remove();
	d->rules = d->routes = false;
}

/*
 * A worker hangs, so its packets do, and nothing but the end of the process gives its queue
 * back.  Leaves a core, where those are kept, to tell why.
 */
static _Noreturn void give_up(struct daemon *d)
{
	remove_rules(d);
	abort();
}

/* Counts looks instead of time, which also passes while a whole machine is suspended. */
static void on_look(evutil_socket_t fd, short what, void *ctx)
{
	struct daemon *d = ctx;
	unsigned worker = 0;

	(void)fd;
	(void)what;
	logging_tell(monotonic_us());
	d->still_looks = crew_look(d->crew, &worker);
	if (!d->still_looks) {
		keep_rules(d);
		keep_routes(d);
		check_heard(d);
	}
	if (d->still_looks < LOOKS_IN_VAIN)
		return;
	log_error("worker %u hangs: removing the rules and giving up, so that traffic passes",
		  worker);
	give_up(d);
}

/* The daemon is as alive as the least of its workers. */
static void on_watchdog(evutil_socket_t fd, short what, void *ctx)
{
	struct daemon *d = ctx;

	(void)fd;
	(void)what;
	if (d->still_looks < 2)
		sd_notify(0, "WATCHDOG=1");
}

static void on_failed(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	end(ctx);
}

static void on_refused(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	(void)ctx;
	sandbox_report();
}

/* ---- the control socket's commands ---------------------------------------------------- */

static json_t *do_status(void *ctx, char *err, size_t err_len)
{
	struct daemon *d = ctx;
	const struct proxy_config *p = &d->config->proxy;

	return status_summary(d->crew, d->draining, monotonic_us() - d->started_us,
			      p->max_connections, p->memory_bytes, err, err_len);
}

static json_t *do_counters(void *ctx, char *err, size_t err_len)
{
	struct daemon *d = ctx;

	return status_counters(d->crew, err, err_len);
}

static json_t *do_connections(void *ctx, uint64_t offset, char *err, size_t err_len)
{
	struct daemon *d = ctx;

	return status_connections(d->crew, offset, err, err_len);
}

static json_t *do_connection(void *ctx, uint64_t id, char *err, size_t err_len)
{
	struct daemon *d = ctx;
	json_t *found = status_connection(d->crew, id, err, err_len);

	return found ? json_pack("{s:o}", "connection", found) : NULL;
}

static json_t *do_endpoints(void *ctx, char *err, size_t err_len)
{
	struct daemon *d = ctx;

	(void)err;
	(void)err_len;
	return status_endpoints(&d->config->proxy, d->absent_endpoints);
}

static json_t *do_reload(void *ctx, char *err, size_t err_len)
{
	return reload(ctx, err, err_len) ? NULL : json_object();
}

static json_t *do_drain(void *ctx, char *err, size_t err_len)
{
	struct daemon *d = ctx;

	(void)err;
	(void)err_len;
	begin_drain(d);
	return json_pack("{s:I}", "connections",
			 (json_int_t)crew_sessions(d->crew));
}

static const struct control_ops control_ops = {
	.status = do_status,
	.counters = do_counters,
	.connections = do_connections,
	.connection = do_connection,
	.endpoints = do_endpoints,
	.reload = do_reload,
	.drain = do_drain,
};

/* ---- start --------------------------------------------------------------------------- */

/* What held before holds again when the event is freed: one more signal is ignored then, so
 * that nothing cuts the end short, which takes the rules away. */
static struct event *add_signal(struct daemon *d, int number, event_callback_fn fn)
{
	struct event *ev = evsignal_new(d->base, number, fn, d);

	signal(number, SIG_IGN);
	if (ev)
		evsignal_add(ev, NULL);
	return ev;
}

static int add_events(struct daemon *d)
{
	static const struct timeval look = { .tv_sec = LOOK_SECONDS };
	struct event_base *base = d->base;
	uint64_t watchdog_us = 0;

	d->sigterm = add_signal(d, SIGTERM, on_stop);
	d->sigint = add_signal(d, SIGINT, on_stop);
	d->sighup = add_signal(d, SIGHUP, on_hangup);
	d->drain_end = evtimer_new(base, on_drain_end, d);
	d->look = event_new(base, -1, EV_PERSIST, on_look, d);
	d->watchdog = event_new(base, -1, EV_PERSIST, on_watchdog, d);
	d->drain_look = event_new(base, -1, EV_PERSIST, on_drain_look, d);
	d->failed = event_new(base, crew_failed_fd(d->crew), EV_READ, on_failed, d);
	if (!d->sigterm || !d->sigint || !d->sighup || !d->drain_end || !d->look ||
	    !d->watchdog || !d->drain_look || !d->failed || event_add(d->failed, NULL) ||
	    event_add(d->look, &look))
		return -ENOMEM;
	if (sd_watchdog_enabled(0, &watchdog_us) > 0) {
		struct timeval half = {
			.tv_sec = (time_t)(watchdog_us / 2000000),
			.tv_usec = (suseconds_t)(watchdog_us / 2 % 1000000),
		};

		event_add(d->watchdog, &half);
	}
	return 0;
}

static void remove_events(struct daemon *d)
{
	struct event *events[] = {
		d->sigterm, d->sigint, d->sighup, d->drain_end, d->look, d->watchdog,
		d->drain_look, d->failed, d->refused
	};

	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		if (events[i])
			event_free(events[i]);
}

/* Gives up what only the start needed. */
static int confine(struct daemon *d, char *err, size_t err_len)
{
	int ret = sandbox_enter(err, err_len);

	if (ret || sandbox_fd() < 0)
		return ret;
	d->refused = event_new(d->base, sandbox_fd(), EV_READ | EV_PERSIST, on_refused, d);
	if (d->refused && !event_add(d->refused, NULL))
		return 0;
	snprintf(err, err_len, "out of memory");
	return -ENOMEM;
}

/* 0, or -errno with one line in `err`; what was made until then is for clean_up(). */
static int start(struct daemon *d, char *err, size_t err_len)
{
	struct config *c = d->config;
	uint32_t asked = fit_file_limit(c);
	struct ruleset_config ruleset = ruleset_of(c);
	struct crew_config crew = {
		.workers = c->workers,
		.device = c->device,
		.queue = c->queue,
		.table = RULESET_TABLE,
		.flow_timeout_s = RULESET_FLOW_TIMEOUT_S,
		.mark = c->mark,
		.proxy = &c->proxy,
	};
	int ret;

	d->started_us = monotonic_us();
	ret = ruleset_helper_start();
	if (ret) {
		snprintf(err, err_len, "cannot start a process: %s", strerror(-ret));
		return ret;
	}
	d->base = event_base_new();
	if (!d->base) {
		snprintf(err, err_len, "out of memory");
		return -ENOMEM;
	}
	d->crew = crew_new(&crew, err, err_len);
	if (!d->crew)
		return -EIO;
	ret = add_events(d);
	if (ret) {
		snprintf(err, err_len, "out of memory");
		return ret;
	}
	d->control = control_new(d->base, c->control, &control_ops, d, err, err_len);
	if (!d->control)
		return -EIO;
	d->addresses = addrwatch_new(d->base, on_addresses, d, err, err_len);
	if (!d->addresses)
		return -EIO;
	ret = check_upstreams(d, &c->proxy, err, err_len);
	if (ret)
		return ret;
	ret = be_alone(d, err, err_len);
	if (ret)
		return ret;
	ret = crew_start(d->crew);
	if (ret) {
		snprintf(err, err_len, "cannot start a thread: %s", strerror(-ret));
		return ret;
	}
	ret = routes_install(err, err_len);
	if (ret)
		return ret;
	d->routes = true;
	ret = ruleset_install(&ruleset, err, err_len);
	if (ret)
		return ret;
	d->rules = true;
	check_forwarding(&c->proxy);
	tell_file_limit(c, asked);
	return c->seccomp ? confine(d, err, err_len) : 0;
}

/* Until a signal, a command or a failure ends it: 0, or -errno of the failure. */
static int serve(struct daemon *d)
{
	const struct config *c = d->config;
	int ret, stopped;

	log_notice("mptcp-proxyd %s is ready, %zu service%s, %u worker%s", PACKAGE_VERSION,
		   c->proxy.service_count, c->proxy.service_count == 1 ? "" : "s", c->workers,
		   c->workers == 1 ? "" : "s");
	sd_notify(0, "READY=1");
	ret = event_base_dispatch(d->base) < 0 ? -EIO : 0;
	/* The rest is done without their threads. */
	stopped = crew_stop(d->crew);
	if (stopped == -ETIMEDOUT)
		give_up(d);
	if (stopped)
		ret = stopped;
	if (ret)
		log_error("an event loop failed");
	sd_notify(0, "STOPPING=1");
	return ret;
}

static void clean_up(struct daemon *d)
{
	/* Sessions first: their resets still need the rules. */
	control_free(d->control);
	addrwatch_free(d->addresses);
	remove_events(d);
	crew_free(d->crew);
	if (d->base)
		event_base_free(d->base);
	remove_rules(d);
	nfq_free(d->alone);
	child_helper_stop();
	sandbox_report();
}

static int run(struct daemon *d)
{
	char err[512] = "";
	int ret = start(d, err, sizeof(err));

	if (ret)
		log_error("%s", err);
	else
		ret = serve(d);
	clean_up(d);
	if (ret)
		return EXIT_FAILURE;
	log_notice("ended");
	return EXIT_SUCCESS;
}

/* The exit status of what only had to say something. */
static int told(void)
{
	if (!fflush(stdout) && !ferror(stdout))
		return EXIT_SUCCESS;
	fprintf(stderr, "mptcp-proxyd: cannot write the answer: %s\n", strerror(errno));
	return EXIT_FAILURE;
}

static void usage(FILE *out)
{
	fprintf(out,
		"usage: mptcp-proxyd [-c FILE] [--check | --print-ruleset]\n"
		"\n"
		"  -c, --config FILE   instead of " CONFIG_DEFAULT_FILE "\n"
		"      --check         check the file, name each mistake, and end\n"
		"      --print-ruleset show the netfilter rules that would be made, and end\n"
		"      --version       show the version, and end\n"
		"  -h, --help          show this, and end\n"
		"\n"
		"The daemon stays in the foreground.  SIGHUP reloads, SIGTERM drains and ends.\n");
}

enum { OPT_CHECK = 256, OPT_PRINT_RULESET, OPT_VERSION };

static const struct option options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "check", no_argument, NULL, OPT_CHECK },
	{ "print-ruleset", no_argument, NULL, OPT_PRINT_RULESET },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

int main(int argc, char **argv)
{
	struct daemon d = { .config_path = CONFIG_DEFAULT_FILE };
	bool check = false, print = false;
	int opt, rc;

	while ((opt = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		switch (opt) {
		case 'c':
			d.config_path = optarg;
			break;
		case OPT_CHECK:
			check = true;
			break;
		case OPT_PRINT_RULESET:
			print = true;
			break;
		case OPT_VERSION:
			printf("mptcp-proxyd %s\n", PACKAGE_VERSION);
			return told();
		case 'h':
			usage(stdout);
			return told();
		default:
			usage(stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc || (check && print)) {
		usage(stderr);
		return EXIT_USAGE;
	}

	d.config = config_load(d.config_path, report_stderr, NULL);
	if (!d.config)
		return EXIT_FAILURE;
	if (check) {
		printf("%s: OK\n", d.config_path);
		rc = told();
		goto out;
	}
	if (print) {
		struct ruleset_config ruleset = ruleset_of(d.config);

		ruleset_print(stdout, &ruleset, ruleset_queue_detect());
		rc = told();
		goto out;
	}

	logging_init(d.config->log_level);
	signal(SIGPIPE, SIG_IGN);
	rc = EXIT_FAILURE;
	if (!check_capabilities() && !check_transparent())
		rc = run(&d);
out:
	config_free(d.config);
	return rc;
}
