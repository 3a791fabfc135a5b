/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Directed scenarios: what several paths bring, and what happens when they break.
 */
#include "sim.h"

/* 50 Mbit/s at 20 ms and 20 Mbit/s at 80 ms of round trip. */
static void two_paths(struct scenario *s)
{
	scenario_default(s, false);
	for (int d = 0; d < 2; d++) {
		s->link[0][d].rate_bps = 50000000;
		s->link[0][d].delay_us = 10 * MS;
		s->link[0][d].queue_bytes = 150000;
		s->link[1][d].rate_bps = 20000000;
		s->link[1][d].delay_us = 40 * MS;
		s->link[1][d].queue_bytes = 200000;
		s->link[0][d].gro_us = s->link[1][d].gro_us = 50;
	}
	s->check_every = 16;
}

/* Of 70 Mbit/s, headers and options take about 7 %. */
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
	two_paths(s);
	s->plan[0][1].total = 40000000;
	s->check = check_sum;
}

static void make_sum_upload(struct scenario *s)
{
	two_paths(s);
	s->plan[0][0].total = 40000000;
	s->check = check_sum;
}

/*
 * A loss-based controller cannot fill such paths: by the Reno formula, 1 % leaves
 * 1.22 * 1460 B / (RTT * 0.1) = 7.1 and 1.8 Mbit/s.  CUBIC is to do no worse.  (Coupled,
 * both together would take what one flow takes on the better path.)
 */
static void check_lossy(struct run *run)
{
	int side = run->s->plan[0][0].total > run->s->plan[0][1].total;
	uint64_t bps = run_goodput_bps(run, side);

	run_expect_complete(run, 0);
	sim_note(&run->sim, "goodput %.1f Mbit/s", (double)bps / 1e6);
	run_expect(run, bps > 7000000, "goodput %.1f Mbit/s with 1 %% loss", (double)bps / 1e6);
}

static void make_lossy_download(struct scenario *s)
{
	two_paths(s);
	s->plan[0][1].total = 10000000;
	for (int i = 0; i < 2; i++) {
		s->link[i][UP].loss = s->link[i][DOWN].loss = 10000;
		s->cfg[i].tcp.cc = &tcp_cc_cubic;
	}
	s->check = check_lossy;
}

static void make_lossy_upload(struct scenario *s)
{
	make_lossy_download(s);
	s->plan[0][1].total = 0;
	s->plan[0][0].total = 10000000;
}

/* ---- cuts ------------------------------------------------------------------------- */

static uint64_t received_between(struct run *run, int side, uint64_t from_us, uint64_t to_us)
{
	int a = (int)(from_us / SAMPLE_US), b = (int)(to_us / SAMPLE_US);

	if (b >= run->sample_count)
		b = run->sample_count - 1;
	return a < b ? run->samples[b].received[side] - run->samples[a].received[side] : 0;
}

static uint64_t link_between(struct run *run, int link, uint64_t from_us, uint64_t to_us)
{
	int a = (int)(from_us / SAMPLE_US), b = (int)(to_us / SAMPLE_US);

	if (b >= run->sample_count)
		b = run->sample_count - 1;
	return a < b ? run->samples[b].link_bytes[link] - run->samples[a].link_bytes[link] : 0;
}

#define CUT_FROM (3 * SECOND)
#define CUT_TO (8 * SECOND)

static void check_cut(struct run *run)
{
	int side = run->s->plan[0][0].total > run->s->plan[0][1].total;
	int cut = run->s->outage_count[0] ? 0 : 1;

	run_expect_complete(run, 0);
	/* In the second after the cut's first, the other path carries the data. */
	run_expect(run, received_between(run, side, CUT_FROM + SECOND, CUT_FROM + 2 * SECOND) >
		   1000000, "no data within 1 s of the cut: %llu bytes in the second after",
		   (unsigned long long)received_between(run, side, CUT_FROM + SECOND,
							CUT_FROM + 2 * SECOND));
	run_expect(run, link_between(run, cut, CUT_TO + 3 * SECOND, CUT_TO + 8 * SECOND) > 1000000,
		   "the cut path was not used again: %llu bytes in five seconds",
		   (unsigned long long)link_between(run, cut, CUT_TO + 3 * SECOND,
						    CUT_TO + 8 * SECOND));
}

static void make_cut(struct scenario *s, int link, int side)
{
	two_paths(s);
	for (int d = 0; d < 2; d++)
		s->link[0][d].rate_bps = s->link[1][d].rate_bps = 20000000;
	s->plan[0][!side].total = 80000000;
	s->outages[link][0].from_us = CUT_FROM;
	s->outages[link][0].to_us = CUT_TO;
	s->outage_count[link] = 1;
	/* A stack may also give the cut path up, and then the client joins over it. */
	s->join_links = 3;
	s->check = check_cut;
	s->check_every = 64;
}

static void make_cut_first_download(struct scenario *s)
{
	make_cut(s, 0, 0);
}

static void make_cut_second_download(struct scenario *s)
{
	make_cut(s, 1, 0);
}

static void make_cut_first_upload(struct scenario *s)
{
	make_cut(s, 0, 1);
}

static void make_cut_second_upload(struct scenario *s)
{
	make_cut(s, 1, 1);
}

/* Backed-off timers may let as much time again pass before a path is tried. */
static void check_both_cut(struct run *run)
{
	run_expect_complete(run, 0);
	run_expect(run, received_between(run, 0, 13 * SECOND, 27 * SECOND) > 1000000,
		   "no data within 14 s of the end of the cut");
}

static void make_both_cut(struct scenario *s)
{
	make_cut(s, 0, 0);
	s->outages[0][0].to_us = CUT_FROM + 10 * SECOND;
	s->outages[1][0] = s->outages[0][0];
	s->outage_count[1] = 1;
	s->check = check_both_cut;
}

/* ---- make before break, and after ------------------------------------------------- */

/* A RST from the middle kills every subflow at 2 s. */
static void kill_subflows(struct sim_timer *t)
{
	struct run *run = container_of(t, struct run, drainer);
	struct host *h = &run->client;
	struct mptcp_subflow *sf;

	if (!h->ep[0].conn)
		return;
	list_for_each(sf, &h->ep[0].conn->subflows, link) {
		for (int d = 0; d < 2; d++) {
			uint8_t buf[PACKET_HEADER_MAX];
			struct flow_tuple tuple;
			struct tcp_header head = { .flags = TCP_RST };
			const struct tcp_conn *tc = &sf->tcp;
			struct mptcp_subflow *other;
			size_t len, ip_len;

			/* The exact number that each end expects (RFC 5961, section 3.2). */
			if (d == UP) {
				if (run->s->proxy)
					continue;
				tuple = sf->tx;
				head.seq = 0;
				list_for_each(other, &run->host.ep[0].conn->subflows, link) {
					if (flow_tuple_equal(&other->rx, &sf->tx))
						head.seq = other->tcp.rcv_nxt;
				}
			} else {
				tuple = sf->rx;
				head.seq = tc->rcv_nxt;
			}
			head.src_port = tuple.src.port;
			head.dst_port = tuple.dst.port;
			len = packet_build_tcp(buf, &tuple, &head, NULL, 0, 0, 0, 0, &ip_len);
			packet_finish_checksum(buf, len, ip_len, 0);
			link_send_raw(&run->link[link_of(&sf->tx.src.addr)].dir[d], buf, len);
		}
	}
}

static void prepare_kill(struct run *run)
{
	run->drainer.fire = kill_subflows;
	sim_arm(&run->drainer, run->sim.now_us + 2 * SECOND);
}

static void check_rejoined(struct run *run)
{
	run_expect_complete(run, 0);
	run_expect(run, run->client.next_port > 20001, "nobody joined again");
}

/* The application is quiet when the last subflow dies, and goes on later. */
static void make_rejoin(struct scenario *s)
{
	scenario_default(s, false);
	s->join_links = 3;
	s->plan[0][0].total = 1000000;
	s->plan[0][1].total = 1000000;
	for (int i = 0; i < 2; i++) {
		s->plan[0][i].write_chunk = 100000;
		s->plan[0][i].write_gap_us = 300 * MS;
	}
	s->prepare = prepare_kill;
	s->check = check_rejoined;
}

static void check_orphaned(struct run *run)
{
	for (int side = 0; side < 2; side++)
		run_expect(run, run_app(run, side, 0)->reset, "%s was not told of the end",
			   run_app(run, side, 0)->name);
}

static void make_no_rejoin(struct scenario *s)
{
	make_rejoin(s);
	s->rejoin = false;
	s->join_links = 2;
	s->may_reset = true;
	s->bound_us = 1000 * SECOND;
	s->check = check_orphaned;
}

/* ---- joins ------------------------------------------------------------------------ */

static void check_one_path(struct run *run)
{
	run_expect_complete(run, 0);
	run_expect(run, run->link[1].dir[UP].bytes_out + run->link[1].dir[DOWN].bytes_out < 20000,
		   "data on a path that could not be joined");
}

static void make_join_wrong_mac_client(struct scenario *s)
{
	scenario_default(s, false);
	s->plan[0][0].total = s->plan[0][1].total = 2000000;
	s->link[1][UP].tamper_join = true;
	s->check = check_one_path;
}

static void make_join_wrong_mac_server(struct scenario *s)
{
	make_join_wrong_mac_client(s);
	s->link[1][UP].tamper_join = false;
	s->link[1][DOWN].tamper_join = true;
}

static void make_join_refused(struct scenario *s)
{
	make_join_wrong_mac_client(s);
	s->link[1][UP].tamper_join = false;
	s->cfg[1].max_subflows = 1;
}

static void check_backup(struct run *run)
{
	run_expect_complete(run, 0);
	run_expect(run, run->link[1].dir[DOWN].bytes_out < 50000,
		   "%llu bytes on the backup path",
		   (unsigned long long)run->link[1].dir[DOWN].bytes_out);
}

static void make_backup(struct scenario *s)
{
	scenario_default(s, false);
	s->plan[0][1].total = 3000000;
	s->backup_links = 2;
	s->check = check_backup;
}

static void check_backup_used(struct run *run)
{
	run_expect_complete(run, 0);
	run_expect(run, run->link[1].dir[DOWN].bytes_out > 100000, "the backup path was not used");
}

static void make_backup_used(struct scenario *s)
{
	make_backup(s);
	s->plan[0][1].total = 6000000;
	s->outages[0][0].from_us = SECOND;
	s->outages[0][0].to_us = 600 * SECOND;
	s->outage_count[0] = 1;
	s->check = check_backup_used;
}

const struct directed directed_paths[] = {
	{ "sum-download", make_sum_download },
	{ "sum-upload", make_sum_upload },
	{ "lossy-download", make_lossy_download },
	{ "lossy-upload", make_lossy_upload },
	{ "cut-first-download", make_cut_first_download },
	{ "cut-second-download", make_cut_second_download },
	{ "cut-first-upload", make_cut_first_upload },
	{ "cut-second-upload", make_cut_second_upload },
	{ "both-cut", make_both_cut },
	{ "rejoin", make_rejoin },
	{ "no-rejoin", make_no_rejoin },
	{ "join-wrong-mac-client", make_join_wrong_mac_client },
	{ "join-wrong-mac-server", make_join_wrong_mac_server },
	{ "join-refused", make_join_refused },
	{ "backup", make_backup },
	{ "backup-used", make_backup_used },
	{ NULL, NULL },
};
