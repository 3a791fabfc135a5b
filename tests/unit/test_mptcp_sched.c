/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Schedulers, head-of-line blocking, and how much a connection may hold. */
#include "mptcp_peer.h"

#define MSS 1000u

static struct peer p;

/* Two subflows that data may go over, with the round-trip times and windows given. */
static void open_two(const struct mptcp_sched_ops *sched, uint32_t srtt1_us, uint32_t cwnd1,
		     uint32_t srtt2_us, uint32_t cwnd2)
{
	struct packet ack;

	peer_init(&p);
	p.cfg.sched = sched;
	p.cfg.tcp.pacing = false;
	peer_open(&p);
	peer_join(&p);
	/* The first ACKs tell of the whole window. */
	ack = peer_ack(&p, &p.first, 0);
	peer_send(&p, &p.first, &ack);
	ack = peer_ack(&p, &p.second, 0);
	peer_send(&p, &p.second, &ack);
	p.first.sf->tcp.mss = p.second.sf->tcp.mss = MSS + p.first.sf->tcp.option_len;
	p.first.sf->tcp.srtt_us = srtt1_us;
	p.second.sf->tcp.srtt_us = srtt2_us;
	p.first.sf->tcp.cwnd_bytes = cwnd1;
	p.second.sf->tcp.cwnd_bytes = cwnd2;
	peer_run(&p);
	peer_forget(&p);
}

/* Takes the packets that were sent: payload bytes on the first and on the second. */
static void sent(uint32_t bytes[2])
{
	const struct packet *out;

	bytes[0] = bytes[1] = 0;
	while ((out = peer_next(&p)) != NULL)
		bytes[out->tuple.dst.port == p.second.tuple.src.port] += out->payload_len;
}

static void expect_sent(uint32_t first, uint32_t second)
{
	uint32_t bytes[2];

	peer_run(&p);
	sent(bytes);
	ck_assert_uint_eq(bytes[0], first);
	ck_assert_uint_eq(bytes[1], second);
}

/* The client has all that was sent on `f`, and `stream` bytes of the stream. */
static void acknowledge(struct peer_flow *f, uint64_t stream)
{
	struct packet ack;

	f->ack = f->sf->tcp.snd_nxt;
	ack = peer_ack(&p, f, stream);
	peer_send(&p, f, &ack);
}

#define SCHEDULERS 5

static const char *const names[SCHEDULERS] = {
	"blest", "minrtt", "roundrobin", "redundant", "cost",
};

START_TEST(each_has_its_name)
{
	for (int i = 0; i < SCHEDULERS; i++) {
		ck_assert_str_eq(mptcp_sched_find(names[i])->name, names[i]);
		ck_assert_ptr_null(mptcp_sched_find("best"));
	}
}
END_TEST

START_TEST(each_spares_backup_subflows)
{
	for (int i = 0; i < 2 * SCHEDULERS; i++) {
		open_two(mptcp_sched_find(names[i / 2]), 20000, 10 * MSS, 10000, 10 * MSS);
		/* Whoever says so. */
		p.second.sf->peer_backup = i % 2;
		p.second.sf->backup = !(i % 2);
		peer_queue(&p, 15 * MSS);
		expect_sent(10 * MSS, 0);
		/* ... until there is no other. */
		mptcp_subflow_silent(p.first.sf, p.now_us);
		ck_assert(p.first.sf->stale);
		peer_run(&p);
		ck_assert_uint_eq(p.second.sf->bytes_sent, 10 * MSS);
		peer_fini(&p);
	}
}
END_TEST

START_TEST(each_skips_stale_subflows)
{
	for (int i = 0; i < SCHEDULERS; i++) {
		open_two(mptcp_sched_find(names[i]), 10000, 10 * MSS, 20000, 10 * MSS);
		p.first.sf->stale = true;
		peer_queue(&p, 5 * MSS);
		expect_sent(0, 5 * MSS);
		peer_fini(&p);
	}
}
END_TEST

START_TEST(each_fills_all_windows)
{
	for (int i = 0; i < SCHEDULERS; i++) {
		uint32_t bytes[2];

		open_two(mptcp_sched_find(names[i]), 20000, 20 * MSS, 30000, 10 * MSS);
		peer_queue(&p, 500000);
		peer_run(&p);
		sent(bytes);
		ck_assert_uint_eq(bytes[0], 20 * MSS);
		ck_assert_uint_eq(bytes[1], 10 * MSS);
		peer_fini(&p);
	}
}
END_TEST

START_TEST(minrtt_takes_the_fastest_with_room)
{
	open_two(&mptcp_sched_minrtt, 300000, 20 * MSS, 10000, 10 * MSS);
	peer_queue(&p, 13 * MSS);
	expect_sent(3 * MSS, 10 * MSS);
	acknowledge(&p.second, 0);
	p.second.sf->tcp.cwnd_bytes = 10 * MSS;
	peer_queue(&p, 4 * MSS);
	expect_sent(0, 4 * MSS);
	peer_fini(&p);
}
END_TEST

START_TEST(roundrobin_takes_turns)
{
	open_two(&mptcp_sched_roundrobin, 10000, 60 * MSS, 90000, 60 * MSS);
	for (int i = 0; i < 10; i++) {
		peer_queue(&p, 2 * MSS);
		expect_sent(i % 2 ? 0 : 2 * MSS, i % 2 ? 2 * MSS : 0);
	}
	/* Much at once is cut into turns. */
	peer_queue(&p, 40 * MSS);
	expect_sent(20 * MSS, 20 * MSS);
	peer_fini(&p);
}
END_TEST

START_TEST(blest_waits_if_the_fast_path_ends_sooner)
{
	/* Of 14 segments the fast path has 10 out; two round trips more are less than 200 ms. */
	open_two(&mptcp_sched_blest, 20000, 10 * MSS, 200000, 10 * MSS);
	peer_queue(&p, 14 * MSS);
	expect_sent(10 * MSS, 0);
	acknowledge(&p.first, 10 * MSS);
	expect_sent(4 * MSS, 0);
	peer_fini(&p);
}
END_TEST

START_TEST(blest_waits_if_the_window_would_shut)
{
	/* 10 segments each 10 ms, growing by one, are 735 in 300 ms: with 400 allowed, the slow
	 * path would be in the way; with 1000 it is not.  Neither is through sooner. */
	for (int wide = 0; wide < 2; wide++) {
		open_two(&mptcp_sched_blest, 10000, 10 * MSS, 300000, 10 * MSS);
		p.conn->sndbuf = wide ? 1000 * MSS : 400 * MSS;
		ck_assert_uint_ge(p.conn->snd_wnd_edge - p.conn->snd_una, 1000 * MSS);
		peer_queue(&p, p.conn->sndbuf);
		expect_sent(10 * MSS, wide ? 10 * MSS : 0);
		peer_fini(&p);
	}
}
END_TEST

/* The estimate is corrected by what came of it, once in a round trip of the slow path. */
START_TEST(blest_learns_from_shut_windows)
{
	open_two(&mptcp_sched_blest, 10000, 10 * MSS, 300000, 10 * MSS);
	p.conn->sndbuf = 400 * MSS;
	peer_queue(&p, p.conn->sndbuf);
	expect_sent(10 * MSS, 0);
	ck_assert_uint_eq(p.conn->sched.lambda_percent, 100);
	for (unsigned i = 1; i <= 80; i++) {
		uint32_t before = p.conn->sched.lambda_percent;

		p.conn->sched.blocked = i <= 40;
		/* Its ACKs are only late. */
		p.first.sf->tcp.deadline_us[TCP_TIMER_TLP] = TIMER_NEVER;
		p.first.sf->tcp.deadline_us[TCP_TIMER_RTO] = p.now_us + 1000000;
		p.now_us += 299999;
		peer_run(&p);
		ck_assert_uint_eq(p.conn->sched.lambda_percent, before);
		p.now_us += 1;
		peer_run(&p);
		peer_forget(&p);
		ck_assert_uint_eq(p.conn->sched.lambda_percent,
				  i <= 30 ? 100 + 10 * i : i <= 40 ? 400 :
				  i <= 70 ? 800 - 10 * i : 100);
	}
	peer_fini(&p);
}
END_TEST

/* What waits for the first path, of two with these round trips, goes over the other one. */
static void spills_over_after_a_timeout(const struct mptcp_sched_ops *sched, uint32_t first_rtt_us,
					uint32_t second_rtt_us)
{
	open_two(sched, first_rtt_us, 10 * MSS, second_rtt_us, 10 * MSS);
	peer_queue(&p, 14 * MSS);
	expect_sent(10 * MSS, 0);
	p.first.sf->tcp.recovery = TCP_RECOVERY_RTO;
	expect_sent(0, 4 * MSS);
	peer_fini(&p);
}

START_TEST(blest_does_not_wait_for_a_path_that_timed_out)
{
	spills_over_after_a_timeout(&mptcp_sched_blest, 20000, 200000);
}
END_TEST

/* Nothing is under way whose acknowledgement would end the wait. */
START_TEST(nobody_waits_for_a_path_without_anything_in_flight)
{
	for (int i = 0; i < SCHEDULERS; i++) {
		open_two(mptcp_sched_find(names[i]), 20000, 10 * MSS, 200000, 10 * MSS);
		p.first.sf->tcp.snd_wnd = 0;
		peer_queue(&p, 4 * MSS);
		expect_sent(0, 4 * MSS);
		peer_fini(&p);
	}
}
END_TEST

START_TEST(cost_spills_over_what_is_too_much)
{
	/* The join has address id 2.  It is faster, and not used: in 200 ms the cheap path
	 * carries 50 segments. */
	open_two(&mptcp_sched_cost, 40000, 10 * MSS, 10000, 10 * MSS);
	peer_queue(&p, 50 * MSS);
	expect_sent(10 * MSS, 0);
	acknowledge(&p.first, 10 * MSS);
	p.first.sf->tcp.cwnd_bytes = 10 * MSS;
	p.first.sf->tcp.srtt_us = 40000;
	expect_sent(10 * MSS, 0);
	peer_queue(&p, 100 * MSS);
	expect_sent(0, 10 * MSS);
	peer_fini(&p);
}
END_TEST

START_TEST(cost_spills_over_when_half_the_queue_waits)
{
	open_two(&mptcp_sched_cost, 40000, 10 * MSS, 10000, 10 * MSS);
	p.conn->sndbuf = 70 * MSS;
	peer_queue(&p, 44 * MSS);
	expect_sent(10 * MSS, 0);
	peer_queue(&p, 1 * MSS);
	expect_sent(0, 10 * MSS);
	peer_fini(&p);
}
END_TEST

START_TEST(cost_does_not_wait_for_a_path_that_timed_out)
{
	spills_over_after_a_timeout(&mptcp_sched_cost, 40000, 10000);
}
END_TEST

START_TEST(redundant_copies_where_there_is_room)
{
	/* blest would leave the slow path alone for this. */
	open_two(&mptcp_sched_redundant, 10000, 10 * MSS, 100000, 4 * MSS);
	peer_queue(&p, 6 * MSS);
	expect_sent(6 * MSS, 4 * MSS);
	ck_assert_uint_eq(p.conn->bytes_sent, 6 * MSS);
	ck_assert_uint_eq(p.counters.v[CNT_MP_REDUNDANT], 4 * MSS);
	/* Nothing twice on one path. */
	expect_sent(0, 0);
	/* What has arrived is not copied any more. */
	acknowledge(&p.first, 6 * MSS);
	acknowledge(&p.second, 6 * MSS);
	expect_sent(0, 0);
	peer_queue(&p, 2 * MSS);
	expect_sent(2 * MSS, 2 * MSS);
	peer_fini(&p);
}
END_TEST

START_TEST(redundant_copies_both_ways_and_new_data_first)
{
	open_two(&mptcp_sched_redundant, 20000, 10 * MSS, 30000, 20 * MSS);
	peer_queue(&p, 15 * MSS);
	/* Ten and five; the room for fifteen on the second is filled with the first's ten. */
	expect_sent(10 * MSS, (5 + 10) * MSS);
	/* The first may send again: the five that it has not. */
	p.first.ack += 10 * MSS;
	acknowledge(&p.first, 10 * MSS);
	expect_sent(5 * MSS, 0);
	ck_assert_uint_eq(p.conn->bytes_sent, 15 * MSS);
	peer_fini(&p);
}
END_TEST

/* What the slow subflow still has to repeat does not make the queue grow without end. */
START_TEST(redundant_laggard_does_not_hold_up_the_queue)
{
	open_two(&mptcp_sched_redundant, 10000, 50 * MSS, 900000, 10 * MSS);
	p.conn->cfg.sndbuf_max = p.conn->sndbuf;
	for (int i = 0; i < 60; i++) {
		peer_queue(&p, 50 * MSS);
		peer_run(&p);
		peer_forget(&p);
		acknowledge(&p.first, p.conn->bytes_sent);
		p.first.sf->tcp.cwnd_bytes = 50 * MSS;
		ck_assert_uint_le(stream_len(&p.conn->sendq), p.conn->sndbuf + 50 * MSS);
	}
	ck_assert_uint_eq(p.second.sf->tcp.flight_bytes, 10 * MSS);
	/* It can still repeat it. */
	ck_assert_uint_gt(stream_len(&p.second.sf->hoard), 0);
	peer_fini(&p);
}
END_TEST

/* The slow path has the beginning, the fast one may take the rest of the window. */
static void block(void)
{
	open_two(&mptcp_sched_minrtt, 10000, 40 * MSS, 300000, 10 * MSS);
	p.first.sf->stale = true;
	peer_queue(&p, 10 * MSS);
	expect_sent(0, 10 * MSS);
	p.first.sf->stale = false;
	p.conn->snd_wnd_edge = p.conn->snd_una + 20 * MSS;
	peer_queue(&p, 20 * MSS);
}

START_TEST(head_of_line_is_sent_again_and_the_slow_path_reduced)
{
	block();
	expect_sent((10 + 10) * MSS, 0);
	ck_assert_uint_eq(p.counters.v[CNT_MP_OPPORTUNISTIC], 1);
	ck_assert_uint_eq(p.counters.v[CNT_MP_PENALIZED], 1);
	ck_assert_uint_eq(p.second.sf->tcp.cwnd_bytes, 5 * MSS);
	/* Once. */
	expect_sent(0, 0);
	/* It has arrived: the window opens, and so for what was waiting. */
	acknowledge(&p.first, 20 * MSS);
	expect_sent(10 * MSS, 0);
	peer_fini(&p);
}
END_TEST

START_TEST(head_of_line_is_not_sent_again_on_a_slower_path)
{
	block();
	p.first.sf->tcp.srtt_us = 310000;
	expect_sent(10 * MSS, 0);
	ck_assert_uint_eq(p.counters.v[CNT_MP_OPPORTUNISTIC], 0);
	peer_fini(&p);
}
END_TEST

START_TEST(penalty_in_congestion_avoidance_moves_ssthresh)
{
	block();
	p.second.sf->tcp.ssthresh_bytes = 8 * MSS;
	peer_run(&p);
	ck_assert_uint_lt(p.second.sf->tcp.cwnd_bytes, 10 * MSS);
	ck_assert_uint_eq(p.second.sf->tcp.cwnd_bytes, p.second.sf->tcp.ssthresh_bytes);
	peer_fini(&p);
}
END_TEST

/* ---- buffers ------------------------------------------------------------------------ */

START_TEST(send_queue_covers_the_slowest_path)
{
	/* 400 KB in 40 ms are 10 MB/s; 100 KB in 100 ms are 1 MB/s: 2.2 MB in two rounds. */
	open_two(&mptcp_sched_minrtt, 40000, 400000, 100000, 100000);
	peer_queue(&p, MSS);
	peer_run(&p);
	p.now_us += 40000;
	acknowledge(&p.first, MSS);
	ck_assert_uint_gt(p.conn->sndbuf, 2150000);
	ck_assert_uint_lt(p.conn->sndbuf, 2250000);
	/* A while without an acknowledgement is not one without traffic ... */
	peer_queue(&p, MSS);
	peer_run(&p);
	p.now_us += 6000000;
	peer_run(&p);
	ck_assert_uint_gt(p.conn->sndbuf, p.cfg.sndbuf_initial);
	acknowledge(&p.first, 2 * MSS);
	/* ... after which it is as at the beginning. */
	p.now_us += 4000000;
	peer_run(&p);
	ck_assert_uint_gt(p.conn->sndbuf, p.cfg.sndbuf_initial);
	p.now_us += 1100000;
	peer_run(&p);
	ck_assert_uint_eq(p.conn->sndbuf, p.cfg.sndbuf_initial);
	peer_fini(&p);
}
END_TEST

static void receive(uint64_t *at, size_t len)
{
	static char block[60000];
	struct packet d;

	ck_assert_uint_le(len, sizeof(block));
	d = peer_data(&p, &p.first, *at, block, len);
	peer_send(&p, &p.first, &d);
	mptcp_consumed(p.conn, len, p.now_us);
	*at += len;
	peer_run(&p);
	peer_forget(&p);
}

START_TEST(receive_window_follows_the_slowest_path_and_falls_back)
{
	uint64_t at = 0, edge;

	peer_init(&p);
	p.cfg.rcvbuf_initial = 100000;
	peer_open(&p);
	peer_join(&p);
	p.first.sf->tcp.srtt_us = 10000;
	p.second.sf->tcp.srtt_us = 100000;
	/* 3 MB/s, that is 300 KB in 100 ms. */
	for (int i = 0; i < 12; i++) {
		receive(&at, 30000);
		p.now_us += 10000;
	}
	ck_assert_uint_gt(p.conn->rcvbuf, 400000);
	ck_assert_uint_lt(p.conn->rcvbuf, 700000);
	/* It stays, also when less comes, or nothing for a while. */
	for (int i = 0; i < 30; i++) {
		receive(&at, 10000);
		p.now_us += 10000;
		ck_assert_uint_gt(p.conn->rcvbuf, 400000);
	}
	p.now_us += 4000000;
	receive(&at, 100);
	ck_assert_uint_gt(p.conn->rcvbuf, 400000);
	edge = p.conn->rcv_adv;
	p.now_us += 6000000;
	receive(&at, 100);
	ck_assert_uint_eq(p.conn->rcvbuf, 100000);
	/* What was told stays valid. */
	ck_assert_uint_eq(p.conn->rcv_adv, edge);
	peer_fini(&p);
}
END_TEST

START_TEST(memory_that_gets_short_is_shared)
{
	size_t whole, some;

	open_two(&mptcp_sched_minrtt, 40000, 10 * MSS, 100000, 10 * MSS);
	p.conn->sndbuf = 1 << 20;
	whole = mptcp_send_space(p.conn);
	ck_assert_uint_eq(whole, 1 << 20);
	p.pool.limit_bytes = 1000000;
	pool_charge(&p.pool, 850000);
	some = mptcp_send_space(p.conn);
	ck_assert_uint_lt(some, whole * 6 / 10);
	ck_assert_uint_gt(some, whole * 4 / 10);
	/* And nobody's permission grows. */
	p.conn->sndbuf = p.conn->rcvbuf = 100000;
	p.first.sf->tcp.cwnd_bytes = 1 << 20;
	mptcp_buffers_tune_send(p.conn, p.now_us);
	ck_assert_uint_eq(p.conn->sndbuf, 100000);
	p.conn->rcv_round_dsn = p.conn->rcv_nxt - 1000000;
	p.conn->rcv_round_us = p.now_us - 200000;
	mptcp_buffers_tune_receive(p.conn, p.now_us);
	ck_assert_uint_eq(p.conn->rcvbuf, 100000);
	p.conn->rcv_round_dsn = p.conn->rcv_nxt;
	p.conn->sndbuf = 1 << 20;
	pool_charge(&p.pool, 140000);
	/* Everybody may have a little. */
	ck_assert_uint_eq(mptcp_send_space(p.conn), 65536);
	pool_uncharge(&p.pool, 990000);
	ck_assert_uint_eq(mptcp_send_space(p.conn), whole);
	peer_fini(&p);
}
END_TEST

UNIT_MAIN("mptcp_sched", each_has_its_name, each_spares_backup_subflows,
	  each_skips_stale_subflows, each_fills_all_windows, minrtt_takes_the_fastest_with_room,
	  roundrobin_takes_turns, blest_waits_if_the_fast_path_ends_sooner,
	  blest_waits_if_the_window_would_shut, blest_learns_from_shut_windows,
	  blest_does_not_wait_for_a_path_that_timed_out,
	  nobody_waits_for_a_path_without_anything_in_flight, cost_spills_over_what_is_too_much,
	  cost_spills_over_when_half_the_queue_waits, cost_does_not_wait_for_a_path_that_timed_out,
	  redundant_copies_where_there_is_room,
	  redundant_copies_both_ways_and_new_data_first,
	  redundant_laggard_does_not_hold_up_the_queue,
	  head_of_line_is_sent_again_and_the_slow_path_reduced,
	  head_of_line_is_not_sent_again_on_a_slower_path,
	  penalty_in_congestion_avoidance_moves_ssthresh, send_queue_covers_the_slowest_path,
	  receive_window_follows_the_slowest_path_and_falls_back,
	  memory_that_gets_short_is_shared)
