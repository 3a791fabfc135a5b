/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Directed scenarios for the proxy: servers that answer, and servers that do not.
 */
#include "sim.h"

static void check_complete(struct run *run)
{
	run_expect_complete(run, 0);
	run_expect(run, run->gateway.opened == 1, "%llu server connections",
		   (unsigned long long)run->gateway.opened);
}

static void make_small(struct scenario *s)
{
	scenario_default(s, true);
	s->plan[0][0].total = 200;
	s->plan[0][1].total = 5000;
	s->plan[0][1].start_after = 200;
	s->check = check_complete;
}

static void make_both_ways(struct scenario *s)
{
	scenario_default(s, true);
	s->plan[0][0].total = s->plan[0][1].total = 3000000;
	s->check = check_complete;
}

static void make_accept_first(struct scenario *s)
{
	make_both_ways(s);
	s->accept_first = true;
	s->server[0].connect_us = SECOND;
}

/* The client must not be accepted before the server has answered. */
static void check_slow_connect(struct run *run)
{
	run_expect_complete(run, 0);
	run_expect(run, run_app(run, 0, 0)->started_us > 1005 * SECOND, "accepted too early");
}

static void make_slow_connect(struct scenario *s)
{
	make_small(s);
	s->server[0].connect_us = 5 * SECOND;
	s->check = check_slow_connect;
}

static void check_refused(struct run *run)
{
	run_expect(run, run->client.ep[0].was_reset && !run_app(run, 0, 0)->started,
		   "the client was not refused");
	run_expect(run, run->sim.now_us < 1002 * SECOND, "it took too long");
}

static void make_refused(struct scenario *s)
{
	make_small(s);
	s->server[0].kind = SERVER_REFUSES;
	s->may_reset = true;
	s->check = check_refused;
}

/* A silent server: the client hears nothing either. */
static void check_silent(struct run *run)
{
	run_expect(run, !run_app(run, 0, 0)->started, "the client was accepted");
	run_expect(run, run->sim.now_us > 1010 * SECOND, "given up early");
}

static void make_silent(struct scenario *s)
{
	make_small(s);
	s->server[0].kind = SERVER_SILENT;
	s->may_reset = true;
	s->check = check_silent;
}

static void check_server_reset(struct run *run)
{
	run_expect(run, run_app(run, 0, 0)->reset && !run_app(run, 0, 0)->eof,
		   "the client saw no reset");
	run_expect(run, run->sim.now_us < 1010 * SECOND, "it took too long");
}

static void make_server_reset(struct scenario *s)
{
	make_both_ways(s);
	s->plan[0][1].abort_received = 1000000;
	s->may_reset = true;
	s->check = check_server_reset;
}

static void check_client_abort(struct run *run)
{
	run_expect(run, run_app(run, 1, 0)->reset && !run_app(run, 1, 0)->eof,
		   "the server saw no reset");
	run_expect(run, run->sim.now_us < 1010 * SECOND, "it took too long");
}

static void make_client_abort(struct scenario *s)
{
	make_both_ways(s);
	s->plan[0][0].abort_received = 1000000;
	s->may_reset = true;
	s->check = check_client_abort;
}

/* A server that reads slowly must slow the client down, not fill the memory. */
static void check_slow_reader(struct run *run)
{
	run_expect_complete(run, 0);
}

static void make_slow_reader(struct scenario *s)
{
	scenario_default(s, true);
	s->plan[0][0].total = 5000000;
	s->plan[0][1].read_chunk = 20000;
	s->plan[0][1].read_gap_us = 20 * MS;
	s->server[0].pipe_bytes = 30000;
	s->check = check_slow_reader;
}

static void make_server_eof_early(struct scenario *s)
{
	make_both_ways(s);
	s->plan[0][1].total = 1000;
	s->plan[0][1].close = APP_CLOSE_WHEN_SENT;
}

static void make_server_paused(struct scenario *s)
{
	make_both_ways(s);
	s->plan[0][0].total = 8000000;
	s->plan[0][1].pause_at = 500000;
	s->plan[0][1].pause_us = 120 * SECOND;
	s->bound_us = 500 * SECOND;
}

static void make_lossy(struct scenario *s)
{
	make_both_ways(s);
	for (int i = 0; i < 2; i++)
		s->link[i][UP].loss = s->link[i][DOWN].loss = 10000;
}

static void check_strip(struct run *run)
{
	run_expect_complete(run, 0);
	run_expect(run, run->client.ep[0].fell_back, "the client did not fall back");
}

static void make_strip_synack(struct scenario *s)
{
	make_both_ways(s);
	s->link_count = 1;
	s->join_links = 0;
	s->link[0][DOWN].strip_syn = true;
	s->check = check_strip;
}

/* A stop of the daemon resets the client. */
static void check_stop(struct run *run)
{
	run_expect(run, run_app(run, 0, 0)->reset, "the client was not told");
	run_expect(run, run_app(run, 1, 0)->reset, "the server was not told");
	run_expect(run, run->sim.now_us < 1010 * SECOND, "it took too long");
}

static void make_stop(struct scenario *s)
{
	make_both_ways(s);
	s->plan[0][1].total = 10000000;
	s->proxy_stop_us = SECOND;
	s->may_reset = true;
	s->check = check_stop;
}

/* While draining, what runs goes on and what is new is passed on. */
static void check_drain(struct run *run)
{
	run_expect_complete(run, 0);
	run_expect(run, !run_app(run, 0, 1)->started, "a new session while draining");
}

static void make_drain(struct scenario *s)
{
	make_both_ways(s);
	s->conn_count = 2;
	s->open_us[1] = SECOND;
	s->drain_us = SECOND / 2;
	s->may_reset = true;
	s->check = check_drain;
}

static void check_sum(struct run *run)
{
	int side = run->s->plan[0][0].total > run->s->plan[0][1].total;
	uint64_t bps = run_goodput_bps(run, side);

	run_expect_complete(run, 0);
	sim_note(&run->sim, "goodput %.1f Mbit/s", (double)bps / 1e6);
	run_expect(run, bps > 70000000ull * 93 / 100 * 9 / 10,
		   "goodput %.1f Mbit/s of two paths that sum to 70", (double)bps / 1e6);
}

static void make_sum_download(struct scenario *s)
{
	scenario_default(s, true);
	for (int d = 0; d < 2; d++) {
		s->link[0][d].rate_bps = 50000000;
		s->link[0][d].delay_us = 10 * MS;
		s->link[0][d].queue_bytes = 150000;
		s->link[1][d].rate_bps = 20000000;
		s->link[1][d].delay_us = 40 * MS;
		s->link[1][d].queue_bytes = 200000;
		s->link[0][d].gro_us = s->link[1][d].gro_us = 50;
	}
	s->server[0].pipe_bytes = 2000000;
	s->plan[0][1].total = 40000000;
	s->check_every = 16;
	s->check = check_sum;
}

static void make_sum_upload(struct scenario *s)
{
	make_sum_download(s);
	s->plan[0][0].total = 40000000;
	s->plan[0][1].total = 0;
}

/* All but the first subflow come in with other workers than the connection's. */
static void check_workers(struct run *run)
{
	const struct counters *c = &run->gateway.counters;

	check_complete(run);
	run_expect(run, c->v[CNT_MP_JOIN_DONE] == 1, "%llu joins",
		   (unsigned long long)c->v[CNT_MP_JOIN_DONE]);
	run_expect(run, c->v[CNT_HANDED_OVER] > 100 &&
		   c->v[CNT_HANDED_IN] == c->v[CNT_HANDED_OVER], "%llu packets handed over, %llu in",
		   (unsigned long long)c->v[CNT_HANDED_OVER],
		   (unsigned long long)c->v[CNT_HANDED_IN]);
	run_expect(run, !c->v[CNT_HANDOVER_LOST], "packets were lost between workers");
}

static void make_workers(struct scenario *s)
{
	make_both_ways(s);
	s->workers = 2;
	s->quiet = true;
	s->check = check_workers;
}

const struct directed directed_proxy[] = {
	{ "proxy-small", make_small },
	{ "proxy-both-ways", make_both_ways },
	{ "proxy-accept-first", make_accept_first },
	{ "proxy-slow-connect", make_slow_connect },
	{ "proxy-refused", make_refused },
	{ "proxy-silent", make_silent },
	{ "proxy-server-reset", make_server_reset },
	{ "proxy-client-abort", make_client_abort },
	{ "proxy-slow-reader", make_slow_reader },
	{ "proxy-server-eof-early", make_server_eof_early },
	{ "proxy-server-paused", make_server_paused },
	{ "proxy-lossy", make_lossy },
	{ "proxy-strip-synack", make_strip_synack },
	{ "proxy-stop", make_stop },
	{ "proxy-drain", make_drain },
	{ "proxy-workers", make_workers },
	{ "proxy-sum-download", make_sum_download },
	{ "proxy-sum-upload", make_sum_upload },
	{ NULL, NULL },
};
