/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Directed scenarios: what the network tells the sender, or fails to: congestion marks,
 * and that packets are too big.
 */
#include "sim.h"

/* One path of 20 Mbit/s and 40 ms, 5 MB from server to client. */
static void one_path(struct scenario *s)
{
	scenario_default(s, false);
	s->link_count = 1;
	s->join_links = 0;
	for (int d = 0; d < 2; d++) {
		s->link[0][d].rate_bps = 20000000;
		s->link[0][d].delay_us = 20 * MS;
		s->link[0][d].queue_bytes = 200000;
	}
	s->plan[0][1].total = 5000000;
}

/* A queue that marks at a third: nothing is lost, nothing sent twice, and it stays full. */
static void check_marks(struct run *run)
{
	const struct counters *client = &run->client.counters, *host = &run->host.counters;
	uint64_t bps = run_goodput_bps(run, 0);

	run_expect_complete(run, 0);
	run_expect(run, client->v[CNT_TCP_ECN_CE] > 0, "the client saw no mark");
	run_expect(run, host->v[CNT_TCP_ECN_CWR] > 0, "the sender reduced for no mark");
	run_expect(run, host->v[CNT_TCP_RETRANS] == 0, "something was sent again");
	run_expect(run, bps > 17000000, "goodput %.1f Mbit/s of 20", (double)bps / 1e6);
}

static void make_marks(struct scenario *s)
{
	one_path(s);
	s->link[0][DOWN].mark_bytes = 60000;
	s->check = check_marks;
}

static void make_marks_v6(struct scenario *s)
{
	make_marks(s);
	s->v6 = true;
	s->cfg[0].tcp.mss = s->cfg[1].tcp.mss = MTU - 60;
}

/* A router that takes the bits out: the queue overflows, as without ECN. */
static void check_bleached(struct run *run)
{
	run_expect_complete(run, 0);
	run_expect(run, !run->client.counters.v[CNT_TCP_ECN_CE], "a mark got through");
	run_expect(run, !run->host.counters.v[CNT_TCP_ECN_CWR], "the sender reduced for no mark");
}

static void make_bleached(struct scenario *s)
{
	make_marks(s);
	s->link[0][DOWN].bleach = true;
	s->check = check_bleached;
}

/* One side does not want it: nobody marks anything. */
static void make_not_agreed(struct scenario *s)
{
	make_marks(s);
	s->cfg[0].tcp.ecn = false;
	s->check = check_bleached;
}

/* A link of an MTU of 1400, behind a router that says so. */
static void check_mtu(struct run *run)
{
	const struct counters *c = run->s->proxy ? &run->gateway.counters : &run->host.counters;
	uint64_t bps = run_goodput_bps(run, 0);

	run_expect_complete(run, 0);
	run_expect(run, c->v[CNT_TCP_MTU_TOO_BIG] == 1, "told %llu times",
		   (unsigned long long)c->v[CNT_TCP_MTU_TOO_BIG]);
	run_expect(run, c->v[CNT_TCP_RTO] == 0, "timed out");
	run_expect(run, bps > 15000000, "goodput %.1f Mbit/s of 20", (double)bps / 1e6);
}

static void make_mtu(struct scenario *s)
{
	one_path(s);
	s->link[0][DOWN].mtu = 1400;
	s->link[0][DOWN].too_big = true;
	s->check = check_mtu;
}

static void make_mtu_v6(struct scenario *s)
{
	make_mtu(s);
	s->v6 = true;
	s->link[0][DOWN].mtu = 1280;
	s->cfg[0].tcp.mss = s->cfg[1].tcp.mss = MTU - 60;
}

/* Through the proxy, which gets the error from the network as all packets. */
static void make_mtu_proxy(struct scenario *s)
{
	make_mtu(s);
	s->proxy = true;
}

/* The same without a word: found out by timeouts, within two seconds. */
static void check_black_hole(struct run *run)
{
	const struct counters *c = &run->host.counters;
	uint64_t bps = run_goodput_bps(run, 0);

	run_expect_complete(run, 0);
	run_expect(run, c->v[CNT_TCP_MTU_BLACK_HOLE] == 1, "noticed %llu times",
		   (unsigned long long)c->v[CNT_TCP_MTU_BLACK_HOLE]);
	run_expect(run, bps > 8000000, "goodput %.1f Mbit/s of 20", (double)bps / 1e6);
}

static void make_black_hole(struct scenario *s)
{
	one_path(s);
	s->link[0][DOWN].mtu = 1400;
	s->check = check_black_hole;
}

/* One of two paths is such a hole: it is used all the same. */
static void check_half_hole(struct run *run)
{
	run_expect_complete(run, 0);
	run_expect(run, run->link[0].dir[DOWN].bytes_out > 2000000, "path 0 carried %llu bytes",
		   (unsigned long long)run->link[0].dir[DOWN].bytes_out);
}

static void make_half_hole(struct scenario *s)
{
	scenario_default(s, false);
	for (int i = 0; i < 2; i++)
		for (int d = 0; d < 2; d++) {
			s->link[i][d].rate_bps = 20000000;
			s->link[i][d].delay_us = 20 * MS;
			s->link[i][d].queue_bytes = 200000;
		}
	s->link[0][DOWN].mtu = 1400;
	s->plan[0][1].total = 10000000;
	s->check = check_half_hole;
}

/*
 * A path that takes nothing for five seconds is no such hole, though it looks like one: soon
 * after it is back, segments are of the full size again.
 */
#define OUT_FROM (2 * SECOND)
#define OUT_TO   (7 * SECOND)

static bool count_small(struct link_dir *d, struct sim_packet *p, struct packet *parsed)
{
	if (d->link->sim->now_us >= OUT_TO && p->len < 1280)
		d->filter_state[0] += parsed->payload_len;
	return true;
}

static void prepare_outage(struct run *run)
{
	run->link[0].dir[DOWN].filter = count_small;
}

static void check_outage(struct run *run)
{
	const struct counters *c = &run->host.counters;
	uint64_t small = run->link[0].dir[DOWN].filter_state[0];

	run_expect_complete(run, 0);
	run_expect(run, c->v[CNT_TCP_MTU_BLACK_HOLE] == 3, "noticed %llu times",
		   (unsigned long long)c->v[CNT_TCP_MTU_BLACK_HOLE]);
	run_expect(run, c->v[CNT_TCP_MTU_PROBE] == 1, "%llu probes",
		   (unsigned long long)c->v[CNT_TCP_MTU_PROBE]);
	run_expect(run, small < 3000000, "%llu bytes in small segments",
		   (unsigned long long)small);
}

static void make_outage(struct scenario *s)
{
	one_path(s);
	s->plan[0][1].total = 15000000;
	s->outages[0][0].from_us = OUT_FROM;
	s->outages[0][0].to_us = OUT_TO;
	s->outage_count[0] = 1;
	s->prepare = prepare_outage;
	s->check = check_outage;
}

const struct directed directed_net[] = {
	{ "ecn-marks", make_marks },
	{ "ecn-marks-v6", make_marks_v6 },
	{ "ecn-bleached", make_bleached },
	{ "ecn-not-agreed", make_not_agreed },
	{ "mtu", make_mtu },
	{ "mtu-v6", make_mtu_v6 },
	{ "mtu-proxy", make_mtu_proxy },
	{ "mtu-black-hole", make_black_hole },
	{ "mtu-half-hole", make_half_hole },
	{ "mtu-outage", make_outage },
	{ NULL, NULL },
};
