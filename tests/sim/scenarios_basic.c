/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Directed scenarios: ways to end, windows that stay shut, lost handshakes.
 */
#include "sim.h"

static void check_complete(struct run *run)
{
	run_expect_complete(run, 0);
	run_expect(run, !run->client.ep[0].fell_back, "fell back");
}

static void make_empty(struct scenario *s)
{
	scenario_default(s, false);
	s->check = check_complete;
}

static void make_small(struct scenario *s)
{
	make_empty(s);
	s->plan[0][0].total = 200;
	s->plan[0][1].total = 5000;
	s->plan[0][1].start_after = 200;
}

static void make_both_ways(struct scenario *s)
{
	make_empty(s);
	s->plan[0][0].total = 3000000;
	s->plan[0][1].total = 3000000;
}

static void make_ipv6(struct scenario *s)
{
	make_both_ways(s);
	s->v6 = true;
	s->cfg[0].tcp.mss = s->cfg[1].tcp.mss = MTU - 60;
}

static void make_checksum(struct scenario *s)
{
	make_both_ways(s);
	s->cfg[0].checksum = true;
	for (int i = 0; i < 2; i++)
		s->link[i][UP].gro_us = s->link[i][DOWN].gro_us = 300;
}

static void make_no_timestamps(struct scenario *s)
{
	make_both_ways(s);
	s->cfg[0].tcp.timestamps = false;
	s->cfg[1].tcp.timestamps = false;
	s->link[0][DOWN].loss = s->link[1][UP].loss = 5000;
}

static void make_no_sack(struct scenario *s)
{
	make_both_ways(s);
	s->cfg[0].tcp.sack = false;
	s->link[0][DOWN].loss = s->link[1][UP].loss = 5000;
}

/* The client ends first, the server goes on to send for a while. */
static void check_half_close(struct run *run)
{
	struct app *c = run_app(run, 0, 0), *s = run_app(run, 1, 0);

	run_expect_complete(run, 0);
	run_expect(run, s->eof_us + SECOND < c->eof_us, "the streams ended together");
}

static void make_half_close_client(struct scenario *s)
{
	scenario_default(s, false);
	s->plan[0][0].total = 10000;
	s->plan[0][1].total = 1000000;
	s->plan[0][1].write_chunk = 10000;
	s->plan[0][1].write_gap_us = 30 * MS;
	s->check = check_half_close;
}

static void check_half_close_server(struct run *run)
{
	struct app *c = run_app(run, 0, 0), *s = run_app(run, 1, 0);

	run_expect_complete(run, 0);
	run_expect(run, c->eof_us + SECOND < s->eof_us, "the streams ended together");
}

static void make_half_close_server(struct scenario *s)
{
	scenario_default(s, false);
	s->plan[0][1].total = 10000;
	s->plan[0][1].close = APP_CLOSE_WHEN_SENT;
	s->plan[0][0].total = 1000000;
	s->plan[0][0].write_chunk = 10000;
	s->plan[0][0].write_gap_us = 30 * MS;
	s->check = check_half_close_server;
}

static void make_close_together(struct scenario *s)
{
	make_empty(s);
	s->plan[0][0].total = s->plan[0][1].total = 1000;
	s->plan[0][1].close = APP_CLOSE_WHEN_SENT;
	s->plan[0][0].start_us = s->plan[0][1].start_us = SECOND;
}

/* The consumer stops for five minutes in mid-stream; nothing may be given up. */
static void check_zero_window(struct run *run)
{
	run_expect_complete(run, 0);
	run_expect(run, run_app(run, 0, 0)->eof_us > 1300 * SECOND, "the pause did not hold");
	run_expect(run, run_app(run, 0, 0)->eof_us < 1302 * SECOND + 60 * SECOND,
		   "slow to go on after the pause");
}

static void make_zero_window(struct scenario *s)
{
	scenario_default(s, false);
	s->plan[0][1].total = 20000000;
	s->plan[0][0].pause_at = 1000000;
	s->plan[0][0].pause_us = 300 * SECOND;
	s->cfg[0].rcvbuf_initial = 500000;
	s->cfg[0].rcvbuf_max = 1000000;
	s->bound_us = 600 * SECOND;
	s->check = check_zero_window;
}

/* MP_FASTCLOSE: the other end sees a reset, not an end of stream. */
static void check_fastclose(struct run *run)
{
	int aborter = run->s->plan[0][0].abort_received == NO_ABORT;

	run_expect(run, run_app(run, aborter, 0)->aborted, "nobody aborted");
	run_expect(run, run_app(run, !aborter, 0)->reset, "the peer saw no reset");
	run_expect(run, !run_app(run, !aborter, 0)->eof, "the peer saw an end of stream");
	run_expect(run, run->sim.now_us < 1010 * SECOND, "it took too long");
}

static void make_fastclose_client(struct scenario *s)
{
	scenario_default(s, false);
	s->plan[0][0].total = s->plan[0][1].total = 5000000;
	s->plan[0][0].abort_received = 1000000;
	s->may_reset = true;
	s->check = check_fastclose;
}

static void make_fastclose_server(struct scenario *s)
{
	scenario_default(s, false);
	s->plan[0][0].total = s->plan[0][1].total = 5000000;
	s->plan[0][1].abort_received = 1000000;
	s->may_reset = true;
	s->check = check_fastclose;
}

static void make_fastclose_lossy(struct scenario *s)
{
	make_fastclose_client(s);
	for (int i = 0; i < 2; i++)
		s->link[i][UP].loss = s->link[i][DOWN].loss = 100000;
	s->check = NULL;
}

static void make_third_ack_lost(struct scenario *s)
{
	make_empty(s);
	s->plan[0][0].total = s->plan[0][1].total = 10000;
	s->link[0][UP].lose_third_ack = true;
}

/* The server speaks first, so that nothing of the client's repeats the keys soon. */
static void make_third_ack_lost_server_first(struct scenario *s)
{
	make_third_ack_lost(s);
	s->plan[0][0].start_after = 10000;
}

static void make_first_data_lost(struct scenario *s)
{
	make_empty(s);
	s->plan[0][0].total = s->plan[0][1].total = 10000;
	s->link[0][UP].lose_first_data = true;
}

static void make_third_ack_and_data_lost(struct scenario *s)
{
	make_first_data_lost(s);
	s->link[0][UP].lose_third_ack = true;
}

static void make_first_data_lost_server(struct scenario *s)
{
	make_empty(s);
	s->plan[0][0].total = s->plan[0][1].total = 10000;
	s->link[0][DOWN].lose_first_data = true;
}

const struct directed directed_basic[] = {
	{ "empty", make_empty },
	{ "small", make_small },
	{ "both-ways", make_both_ways },
	{ "ipv6", make_ipv6 },
	{ "checksum", make_checksum },
	{ "no-timestamps", make_no_timestamps },
	{ "no-sack", make_no_sack },
	{ "half-close-client", make_half_close_client },
	{ "half-close-server", make_half_close_server },
	{ "close-together", make_close_together },
	{ "zero-window", make_zero_window },
	{ "fastclose-client", make_fastclose_client },
	{ "fastclose-server", make_fastclose_server },
	{ "fastclose-lossy", make_fastclose_lossy },
	{ "third-ack-lost", make_third_ack_lost },
	{ "third-ack-lost-server-first", make_third_ack_lost_server_first },
	{ "first-data-lost", make_first_data_lost },
	{ "third-ack-and-data-lost", make_third_ack_and_data_lost },
	{ "first-data-lost-server", make_first_data_lost_server },
	{ NULL, NULL },
};
