/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Directed scenarios in which hours pass: a peer that answers keepalives may be idle
 * for ever, one that has gone without a word is found, and its server is told.
 */
#include "sim.h"

#define HOUR (3600 * SECOND)
#define IDLE (2 * HOUR)
#define PROBES 9
#define PROBING (PROBES * 75 * SECOND)

static void make_idle(struct scenario *s, bool proxy)
{
	struct mptcp_config defaults;

	scenario_default(s, proxy);
	mptcp_config_default(&defaults);
	s->cfg[1].tcp.keepalive_idle_us = defaults.tcp.keepalive_idle_us;
	s->plan[0][0].total = s->plan[0][1].total = 1000;
	s->plan[0][0].close_delay_us = 30 * HOUR;
	s->bound_us = 31 * HOUR;
}

/* The client has nothing to say for a day, and never probes itself. */
static void check_idle_day(struct run *run)
{
	const struct counters *c = run->s->proxy ? &run->gateway.counters : &run->host.counters;

	run_expect_complete(run, 0);
	run_expect(run, run_app(run, 1, 0)->eof_us > 1000 * SECOND + 30 * HOUR, "ended early");
	/* On each of two subflows every two hours one, which is answered. */
	run_expect(run, c->v[CNT_TCP_KEEPALIVE] == 2 * 14, "%llu keepalives",
		   (unsigned long long)c->v[CNT_TCP_KEEPALIVE]);
	run_expect(run, !c->v[CNT_MP_SUBFLOW_LOST], "a subflow was lost");
}

static void make_idle_day(struct scenario *s)
{
	make_idle(s, false);
	s->check = check_idle_day;
}

static void make_idle_day_proxy(struct scenario *s)
{
	make_idle(s, true);
	s->check = check_idle_day;
}

/* Probes and answers get lost as other packets do. */
static void check_idle_lossy(struct run *run)
{
	run_expect_complete(run, 0);
	run_expect(run, run_app(run, 1, 0)->eof_us > 1000 * SECOND + 30 * HOUR, "ended early");
}

static void make_idle_lossy(struct scenario *s)
{
	make_idle(s, true);
	for (int i = 0; i < 2; i++)
		s->link[i][UP].loss = s->link[i][DOWN].loss = 100000;
	s->check = check_idle_lossy;
}

/* Both paths go for good: within three hours the server's side is reset. */
static void check_vanished(struct run *run)
{
	const struct counters *c = &run->gateway.counters;
	uint64_t found_us = 1000 * SECOND + IDLE + PROBING;

	run_expect(run, run_app(run, 1, 0)->reset, "the server's connection was not reset");
	run_expect(run, !run_app(run, 1, 0)->eof, "the server saw an end of stream");
	run_expect(run, c->v[CNT_TCP_KEEPALIVE] == 2 * PROBES, "%llu keepalives",
		   (unsigned long long)c->v[CNT_TCP_KEEPALIVE]);
	run_expect(run, c->v[CNT_TCP_TIMEOUT] == 2, "%llu subflows timed out",
		   (unsigned long long)c->v[CNT_TCP_TIMEOUT]);
	run_expect(run, c->v[CNT_MP_ORPHANED] == 1 && c->v[CNT_MP_ORPHAN_TIMEOUT] == 1,
		   "not orphaned once");
	run_expect(run, run->sim.now_us > found_us + run->s->cfg[1].orphan_us &&
		   run->sim.now_us < found_us + run->s->cfg[1].orphan_us + 10 * SECOND,
		   "ended at %.3f s", (double)run->sim.now_us / 1e6);
}

static void make_vanished(struct scenario *s)
{
	make_idle(s, true);
	/* The client finds out the same way, a little sooner. */
	s->cfg[0].tcp.keepalive_idle_us = IDLE - 600 * SECOND;
	s->rejoin = false;
	for (int i = 0; i < 2; i++) {
		s->outages[i][0].from_us = 5 * SECOND;
		s->outages[i][0].to_us = UINT64_MAX;
		s->outage_count[i] = 1;
	}
	s->may_reset = true;
	s->check = check_vanished;
}

/* One of two paths goes: that subflow ends, the connection lives on the other. */
static void check_path_vanished(struct run *run)
{
	const struct counters *c = &run->gateway.counters;

	run_expect_complete(run, 0);
	run_expect(run, c->v[CNT_TCP_TIMEOUT] == 1 && c->v[CNT_MP_SUBFLOW_LOST] == 1,
		   "%llu subflows timed out, %llu were lost",
		   (unsigned long long)c->v[CNT_TCP_TIMEOUT],
		   (unsigned long long)c->v[CNT_MP_SUBFLOW_LOST]);
	run_expect(run, !c->v[CNT_MP_ORPHANED], "orphaned");
}

static void make_path_vanished(struct scenario *s)
{
	make_idle(s, true);
	s->rejoin = false;
	s->outages[1][0].from_us = 5 * SECOND;
	s->outages[1][0].to_us = UINT64_MAX;
	s->outage_count[1] = 1;
	s->check = check_path_vanished;
}

/* One stream ends at once, the other one goes on ten hours later. */
static void check_half_closed(struct run *run)
{
	run_expect_complete(run, 0);
	run_expect(run, run->sim.now_us > 1000 * SECOND + 10 * HOUR, "ended early");
}

static void make_half_closed_client(struct scenario *s)
{
	make_idle(s, true);
	s->plan[0][0].total = 0;
	s->plan[0][0].close_delay_us = 0;
	s->plan[0][0].close = APP_CLOSE_WHEN_SENT;
	s->plan[0][1].start_us = 10 * HOUR;
	s->check = check_half_closed;
}

static void make_half_closed_server(struct scenario *s)
{
	make_idle(s, true);
	s->plan[0][1].close = APP_CLOSE_WHEN_SENT;
	s->plan[0][0].close_delay_us = 0;
	s->plan[0][0].start_us = 10 * HOUR;
	s->check = check_half_closed;
}

const struct directed directed_idle[] = {
	{ "idle-day", make_idle_day },
	{ "idle-day-proxy", make_idle_day_proxy },
	{ "idle-lossy", make_idle_lossy },
	{ "half-closed-client", make_half_closed_client },
	{ "half-closed-server", make_half_closed_server },
	{ "vanished", make_vanished },
	{ "path-vanished", make_path_vanished },
	{ NULL, NULL },
};
