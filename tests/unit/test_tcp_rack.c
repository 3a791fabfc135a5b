/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The scoreboard and RACK-TLP, ACK by ACK. */
#include "tcp/tcp_internal.h"
#include "tcp_script.h"

/* Established with a round trip of 10 ms and ten segments of 1460 bytes sent. */
static void flight(bool one_record)
{
	establish();
	for (int i = 0; i < (one_record ? 1 : 10); i++)
		send_data(one_record ? 14600 : 1460);
	now += 10 * MS;
}

#define SEQ(n) (1 + (n) * 1460u)

START_TEST(three_sacked)
{
	flight(true);
	input(with_sack(seg(TCP_ACK, 1, 1, 0), SEQ(1), SEQ(2)));
	ck_assert_uint_eq(tc.sacked_bytes, 1460);
	ck_assert_uint_eq(tc.lost_bytes, 0);
	ck_assert_uint_ne(tc.deadline_us[TCP_TIMER_REORDER], TIMER_NEVER);
	ck_assert(take_events() & TCP_EVENT_ACKED);
	input(with_sack(seg(TCP_ACK, 1, 1, 0), SEQ(1), SEQ(3)));
	ck_assert_uint_eq(tc.lost_bytes, 0);
	/* Limited transmit: what was SACKed has made room. */
	ck_assert_uint_eq(tcp_send_room(&tc), 2920);
	input(with_sack(seg(TCP_ACK, 1, 1, 0), SEQ(1), SEQ(4)));
	ck_assert_uint_eq(tc.lost_bytes, 1460);
	ck_assert_int_eq(tc.recovery, TCP_RECOVERY_FAST);
	ck_assert_uint_eq(tcp_send_room(&tc), 0);
	expect(TCP_ACK, SEQ(0), 1, 1460);
	ck_assert(tx.retransmission);
	ck_assert_uint_eq(tx.map_len, 14600);
	expect_nothing();
	now += 10 * MS;
	input(seg(TCP_ACK, 1, SEQ(10), 0));
	ck_assert_int_eq(tc.recovery, TCP_RECOVERY_NONE);
	ck_assert_uint_eq(tc.flight_bytes, 0);
	ck_assert_uint_eq(tc.cwnd_bytes, tc.ssthresh_bytes);
	ck_assert_uint_eq(tcp_deadline(&tc), TIMER_NEVER);
	finish();
}
END_TEST

/* Without SACK three duplicates tell of a loss (RFC 5681, section 3.2), counted since the ACK that
 * they repeat. */
START_TEST(three_duplicates)
{
	struct packet *p;

	setup();
	p = syn();
	p->tcp.opt.sack_permitted = false;
	establish_from(p);
	for (int i = 0; i < 10; i++)
		send_data(1460);
	now += 10 * MS;
	for (uint32_t n = 0; n < 2; n++) {
		input(seg(TCP_ACK, 1, SEQ(n), 0));
		input(seg(TCP_ACK, 1, SEQ(n), 0));
		expect_nothing();
	}
	ck_assert_int_eq(tc.recovery, TCP_RECOVERY_NONE);
	input(seg(TCP_ACK, 1, SEQ(1), 0));
	expect_nothing();
	input(seg(TCP_ACK, 1, SEQ(1), 0));
	expect(TCP_ACK, SEQ(1), 1, 1460);
	ck_assert_int_eq(tc.recovery, TCP_RECOVERY_FAST);
	finish();
}
END_TEST

/* One SACK only: the loss is known when a quarter of the round trip has passed. */
START_TEST(reordering_timer)
{
	flight(false);
	input(with_sack(seg(TCP_ACK, 1, 1, 0), SEQ(1), SEQ(2)));
	ck_assert_uint_eq(tcp_deadline(&tc), now + 2500);
	fire();
	ck_assert_int_eq(tc.recovery, TCP_RECOVERY_FAST);
	ck_assert_uint_eq(tc.lost_bytes, 1460);
	expect(TCP_ACK, SEQ(0), 1, 1460);
	finish();
}
END_TEST

/* Late, not lost: the window widens, nothing is sent twice. */
START_TEST(reordering)
{
	flight(false);
	input(with_sack(seg(TCP_ACK, 1, 1, 0), SEQ(1), SEQ(2)));
	now += 1 * MS;
	input(seg(TCP_ACK, 1, SEQ(2), 0));
	ck_assert(tc.rack.reordering_seen);
	ck_assert_uint_eq(COUNT(TCP_RETRANS), 0);
	/* From now on even many SACKs leave time for it. */
	input(with_sack(seg(TCP_ACK, 1, SEQ(2), 0), SEQ(3), SEQ(8)));
	ck_assert_uint_eq(tc.lost_bytes, 0);
	ck_assert_uint_eq(tc.deadline_us[TCP_TIMER_REORDER], now - 1 * MS + 1000 + 2500);
	finish();
}
END_TEST

/* What one ACK tells in several blocks, the latest first (RFC 2018, section 4), came in no order. */
START_TEST(blocks_at_once_are_no_reordering)
{
	flight(false);
	input(with_sack(with_sack(with_sack(seg(TCP_ACK, 1, 1, 0), SEQ(7), SEQ(8)), SEQ(4), SEQ(6)),
			SEQ(1), SEQ(3)));
	ck_assert(!tc.rack.reordering_seen);
	ck_assert_uint_eq(tc.sacked_bytes, 5 * 1460);
	ck_assert_uint_eq(tc.lost_bytes, 3 * 1460);
	/* Below what was told before it did. */
	input(with_sack(with_sack(seg(TCP_ACK, 1, 1, 0), SEQ(3), SEQ(6)), SEQ(7), SEQ(8)));
	ck_assert(tc.rack.reordering_seen);
	finish();
}
END_TEST

START_TEST(dsack_undo)
{
	uint32_t cwnd;
	struct packet *p;

	flight(false);
	cwnd = tc.cwnd_bytes;
	input(with_sack(seg(TCP_ACK, 1, 1, 0), SEQ(1), SEQ(4)));
	ck_assert_int_eq(tc.recovery, TCP_RECOVERY_FAST);
	expect(TCP_ACK, SEQ(0), 1, 1460);
	now += 1 * MS;
	input(seg(TCP_ACK, 1, SEQ(10), 0));     /* the original was only late */
	p = with_sack(seg(TCP_ACK, 1, SEQ(10), 0), SEQ(0), SEQ(1));
	input(p);
	ck_assert_uint_eq(COUNT(TCP_SPURIOUS), 1);
	ck_assert_uint_ge(tc.cwnd_bytes, cwnd);
	finish();
}
END_TEST

/* A later ACK may overtake the one that says it, and will not say it again (RFC 2883, section 4). */
START_TEST(dsack_undo_by_an_overtaken_ack)
{
	uint32_t cwnd, wnd;
	struct packet *p;

	flight(false);
	cwnd = tc.cwnd_bytes;
	input(with_sack(seg(TCP_ACK, 1, 1, 0), SEQ(1), SEQ(4)));
	expect(TCP_ACK, SEQ(0), 1, 1460);
	now += 1 * MS;
	input(seg(TCP_ACK, 1, SEQ(10), 0));
	wnd = tc.snd_wnd;
	/* Below what is acknowledged by now, but not by this one: no DSACK. */
	input(with_sack(seg(TCP_ACK, 1, SEQ(8), 0), SEQ(9), SEQ(10)));
	ck_assert_uint_eq(COUNT(TCP_SPURIOUS), 0);
	p = with_sack(seg(TCP_ACK, 1, SEQ(8), 0), SEQ(0), SEQ(1));
	p->tcp.window = 1000;
	input(p);
	ck_assert_uint_eq(COUNT(TCP_SPURIOUS), 1);
	ck_assert_uint_ge(tc.cwnd_bytes, cwnd);
	ck_assert(tc.rack.reordering_seen);
	/* The rest of it is old. */
	ck_assert(!rx.ack_advanced);
	ck_assert_uint_eq(tc.snd_una - our_iss, SEQ(10));
	ck_assert_uint_eq(tc.snd_wnd, wnd);
	finish();
}
END_TEST

START_TEST(bad_sack_blocks)
{
	flight(true);
	input(with_sack(seg(TCP_ACK, 1, 1, 0), SEQ(5), SEQ(11)));       /* not sent yet */
	input(with_sack(seg(TCP_ACK, 1, 1, 0), SEQ(3), SEQ(2)));        /* backwards */
	input(with_sack(seg(TCP_ACK, 1, 1, 0), 0x80000000u, 0x80000100u));
	input(with_sack(seg(TCP_ACK, 1, 1, 0), SEQ(2), SEQ(2)));        /* empty */
	ck_assert_uint_eq(tc.sacked_bytes, 0);
	ck_assert_uint_eq(tc.record_count, 1);
	/* Single bytes: the number of records stays bounded. */
	for (uint32_t i = 3; i < 14000; i += 2)
		input(with_sack(seg(TCP_ACK, 1, 1, 0), i, i + 1));
	ck_assert_uint_lt(tc.record_count, 100);
	input(seg(TCP_ACK, 1, SEQ(10), 0));
	ck_assert_uint_eq(tc.record_count, 0);
	finish();
}
END_TEST

START_TEST(reneging)
{
	flight(false);
	input(with_sack(seg(TCP_ACK, 1, 1, 0), SEQ(1), SEQ(10)));
	expect(TCP_ACK, SEQ(0), 1, 1460);
	now += 10 * MS;
	input(seg(TCP_ACK, 1, SEQ(1), 0));      /* and no SACK any more */
	ck_assert_uint_eq(tc.sacked_bytes, 9 * 1460);
	while (tc.recovery != TCP_RECOVERY_RTO)
		fire();
	ck_assert_uint_eq(tc.sacked_bytes, 0);
	expect(TCP_ACK, SEQ(1), 1, 1460);
	expect_nothing();
	for (uint32_t i = 2; i <= 10; i++) {
		now += 10 * MS;
		input(seg(TCP_ACK, 1, SEQ(i), 0));
		while (output())
			;
	}
	ck_assert_uint_eq(tc.flight_bytes, 0);
	finish();
}
END_TEST

START_TEST(tail_probe)
{
	flight(false);
	input(seg(TCP_ACK, 1, SEQ(8), 0));
	/* Twice the round trip, and a little. */
	ck_assert_uint_eq(tcp_deadline(&tc), now + 20 * MS + 2000);
	fire();
	expect(TCP_ACK, SEQ(9), 1, 1460);
	ck_assert_uint_eq(COUNT(TCP_TLP), 1);
	expect_nothing();
	/* One only; then the timeout. */
	ck_assert_uint_eq(tcp_deadline(&tc), tc.deadline_us[TCP_TIMER_RTO]);
	now += 10 * MS;
	input(with_sack(seg(TCP_ACK, 1, SEQ(8), 0), SEQ(9), SEQ(10)));
	fire();
	expect(TCP_ACK, SEQ(8), 1, 1460);
	finish();
}
END_TEST

START_TEST(tail_probe_of_a_super_segment)
{
	flight(true);
	fire();
	expect(TCP_ACK, SEQ(9), 1, 1460);
	ck_assert_uint_eq(tx.offset, 9 * 1460);
	/* Both copies arrive: no loss, no reduction. */
	now += 10 * MS;
	input(seg(TCP_ACK, 1, SEQ(10), 0));
	input(with_sack(seg(TCP_ACK, 1, SEQ(10), 0), SEQ(9), SEQ(10)));
	ck_assert(!tc.tlp_out);
	ck_assert_uint_eq(tc.ssthresh_bytes, UINT32_MAX);
	finish();
}
END_TEST

START_TEST(tail_probe_found_a_loss)
{
	flight(true);
	fire();
	expect(TCP_ACK, SEQ(9), 1, 1460);
	now += 10 * MS;
	input(seg(TCP_ACK, 1, SEQ(10), 0));
	ck_assert(tc.tlp_out);
	send_data(1460);
	now += 10 * MS;
	input(seg(TCP_ACK, 1, SEQ(11), 0));     /* no DSACK came: the probe was needed */
	ck_assert(!tc.tlp_out);
	ck_assert_uint_lt(tc.ssthresh_bytes, UINT32_MAX);
	finish();
}
END_TEST

/* Section 7.3: where new data waits, it is the probe, and cwnd does not hold it back. */
START_TEST(tail_probe_of_new_data)
{
	flight(false);
	ck_assert_uint_eq(tc.flight_bytes, tc.cwnd_bytes);
	tc.want_send = true;
	fire();
	expect_nothing();
	ck_assert_uint_eq(tcp_send_room(&tc), 1460);
	send_data(1460);
	ck_assert(tc.tlp_out);
	ck_assert(!tc.tlp_retrans);
	ck_assert_uint_eq(COUNT(TCP_TLP), 1);
	ck_assert_uint_eq(COUNT(TCP_RETRANS), 0);
	expect_nothing();
	ck_assert_uint_eq(tcp_send_room(&tc), 0);
	/* Its ACK tells of no loss (7.4.2). */
	now += 10 * MS;
	input(seg(TCP_ACK, 1, SEQ(11), 0));
	ck_assert(!tc.tlp_out);
	ck_assert_uint_eq(tc.ssthresh_bytes, UINT32_MAX);
	finish();
}
END_TEST

/* Section 7.3: a second probe has to wait until a round trip was measured since the first, or a
 * path that has grown longer would be probed for each segment, and never measured. */
START_TEST(tail_probe_waits_for_a_round_trip)
{
	establish();
	send_data(1460);
	fire();
	expect(TCP_ACK, SEQ(0), 1, 1460);
	now += 10 * MS;
	/* Of which copy is this?  There are no timestamps. */
	input(seg(TCP_ACK, 1, SEQ(1), 0));
	input(with_sack(seg(TCP_ACK, 1, SEQ(1), 0), SEQ(0), SEQ(1)));
	ck_assert(!tc.tlp_out);
	send_data(1460);
	ck_assert_uint_eq(tc.deadline_us[TCP_TIMER_TLP], TIMER_NEVER);
	ck_assert_uint_ne(tc.deadline_us[TCP_TIMER_RTO], TIMER_NEVER);
	now += 10 * MS;
	input(seg(TCP_ACK, 1, SEQ(2), 0));
	send_data(1460);
	ck_assert_uint_ne(tc.deadline_us[TCP_TIMER_TLP], TIMER_NEVER);
	finish();
}
END_TEST

/* The caller has none after all: old data must do, by the next call. */
START_TEST(tail_probe_falls_back)
{
	flight(false);
	tc.want_send = true;
	fire();
	expect_nothing();
	expect(TCP_ACK, SEQ(9), 1, 1460);
	ck_assert(tc.tlp_out);
	ck_assert(tc.tlp_retrans);
	expect_nothing();
	finish();
}
END_TEST

/*
 * Two episodes: the first one's retransmission is acknowledged when the second one has just
 * repeated something else.  Its timestamp is older than that, and yet no sign of needlessness
 * (RFC 3522 compares with the time when the very segment was repeated).
 */
START_TEST(eifel_compares_the_same_segment)
{
	setup();
	establish_from(with_ts(syn(), 1000, 0));
	for (int i = 0; i < 10; i++)
		send_data(1448);
#define TSEQ(n) (1 + (n) * 1448u)
	now += 10 * MS;
	/* First the segments 1 and 8 are lost; both are repeated, at 10 ms. */
	input(with_ts(with_sack(seg(TCP_ACK, 1, TSEQ(1), 0), TSEQ(2), TSEQ(8)), 1001,
		      tcp_ts_now(&tc, now - 10 * MS)));
	expect(TCP_ACK, TSEQ(1), 1, 1448);
	input(with_ts(with_sack(with_sack(seg(TCP_ACK, 1, TSEQ(1), 0), TSEQ(9), TSEQ(10)), TSEQ(2),
				TSEQ(8)), 1001, tcp_ts_now(&tc, now - 10 * MS)));
	tc.undo_possible = true;
	/* A new episode begins 8 ms later. */
	now += 8 * MS;
	tc.undo_us = now;
	tc.undo_una = tc.snd_una;
	now += 2 * MS;
	input(with_ts(with_sack(seg(TCP_ACK, 1, TSEQ(8), 0), TSEQ(9), TSEQ(10)), 1002,
		      tcp_ts_now(&tc, now - 10 * MS)));
	ck_assert_uint_eq(COUNT(TCP_SPURIOUS), 0);
	finish();
}
END_TEST

/* The copy that a probe made is reported while a real loss is repaired: nothing to undo. */
START_TEST(dsack_of_a_probe_is_no_undo)
{
	flight(false);
	input(seg(TCP_ACK, 1, SEQ(8), 0));
	fire();
	expect(TCP_ACK, SEQ(9), 1, 1460);
	now += 10 * MS;
	/* The original of the probe had arrived; what was before it had not. */
	input(with_sack(seg(TCP_ACK, 1, SEQ(8), 0), SEQ(9), SEQ(10)));
	ck_assert_int_eq(tc.recovery, TCP_RECOVERY_FAST);
	expect(TCP_ACK, SEQ(8), 1, 1460);
	input(with_sack(with_sack(seg(TCP_ACK, 1, SEQ(8), 0), SEQ(9), SEQ(10)), SEQ(9), SEQ(10)));
	ck_assert_uint_eq(COUNT(TCP_SPURIOUS), 0);
	now += 10 * MS;
	input(seg(TCP_ACK, 1, SEQ(10), 0));
	ck_assert_uint_eq(COUNT(TCP_SPURIOUS), 0);
	ck_assert_uint_lt(tc.ssthresh_bytes, UINT32_MAX);
	finish();
}
END_TEST

/*
 * Nor is it when the loss has been repaired: the probe is none of what that sent again, and takes
 * no reduction back that was needed.
 */
START_TEST(dsack_of_a_later_probe_is_no_undo)
{
	flight(false);
	input(with_sack(seg(TCP_ACK, 1, 1, 0), SEQ(1), SEQ(4)));
	expect(TCP_ACK, SEQ(0), 1, 1460);
	now += 10 * MS;
	input(seg(TCP_ACK, 1, SEQ(10), 0));
	ck_assert_int_eq(tc.recovery, TCP_RECOVERY_NONE);
	/* Much later an ACK is late, and both copies arrive. */
	now += 10 * SEC;
	send_data(1460);
	fire();
	expect(TCP_ACK, SEQ(10), 1, 1460);
	ck_assert_uint_eq(COUNT(TCP_TLP), 1);
	now += 1 * MS;
	input(seg(TCP_ACK, 1, SEQ(11), 0));
	now += 9 * MS;
	input(with_sack(seg(TCP_ACK, 1, SEQ(11), 0), SEQ(10), SEQ(11)));
	ck_assert(!tc.tlp_out);
	ck_assert_uint_eq(COUNT(TCP_SPURIOUS), 0);
	ck_assert_uint_lt(tc.ssthresh_bytes, UINT32_MAX);
	finish();
}
END_TEST

/* The same by timestamps: the ACK echoes a segment from before the probe. */
START_TEST(eifel_leaves_out_a_later_probe)
{
	uint32_t ecr;

	setup();
	establish_from(with_ts(syn(), 1000, 0));
	for (int i = 0; i < 10; i++)
		send_data(1448);
	ecr = tcp_ts_now(&tc, now);
	now += 10 * MS;
	input(with_ts(with_sack(seg(TCP_ACK, 1, 1, 0), TSEQ(1), TSEQ(4)), 1001, ecr));
	expect(TCP_ACK, TSEQ(0), 1, 1448);
	ecr = tcp_ts_now(&tc, now);
	now += 10 * MS;
	input(with_ts(seg(TCP_ACK, 1, TSEQ(10), 0), 1002, ecr));
	ck_assert_int_eq(tc.recovery, TCP_RECOVERY_NONE);
	ck_assert_uint_eq(COUNT(TCP_SPURIOUS), 0);
	now += 10 * SEC;
	send_data(1448);
	ecr = tcp_ts_now(&tc, now);
	fire();
	expect(TCP_ACK, TSEQ(10), 1, 1448);
	ck_assert_uint_eq(COUNT(TCP_TLP), 1);
	now += 1 * MS;
	input(with_ts(seg(TCP_ACK, 1, TSEQ(11), 0), 1003, ecr));
	ck_assert_uint_eq(COUNT(TCP_SPURIOUS), 0);
	ck_assert_uint_lt(tc.ssthresh_bytes, UINT32_MAX);
	finish();
}
END_TEST

/* Section 6.2, step 4: a DSACK widens the window, but not without reordering ... */
START_TEST(dsack_widens_window)
{
	flight(false);
	tc.rack.reordering_seen = true;
	input(with_sack(seg(TCP_ACK, 1, 1, 0), SEQ(2), SEQ(5)));
	fire();                                 /* the reordering timer */
	expect(TCP_ACK, SEQ(0), 1, 1460);
	input(with_sack(seg(TCP_ACK, 1, 1, 0), SEQ(2), SEQ(7)));
	expect(TCP_ACK, SEQ(1), 1, 1460);
	now += 1 * MS;
	input(with_sack(seg(TCP_ACK, 1, SEQ(7), 0), SEQ(0), SEQ(1)));
	ck_assert_uint_eq(tc.rack.reo_wnd_mult, 2);
	/* once per round trip */
	input(with_sack(seg(TCP_ACK, 1, SEQ(7), 0), SEQ(1), SEQ(2)));
	ck_assert_uint_eq(tc.bytes_dsacked, 2 * 1460);
	ck_assert_uint_eq(tc.rack.reo_wnd_mult, 2);
	input(seg(TCP_ACK, 1, SEQ(10), 0));
	for (int i = 0; i < 4; i++) {
		now += 2 * MS;
		tcp_timeout(&tc, now);  /* paced */
		send_data(1460);
	}
	now += 10 * MS;
	input(with_sack(seg(TCP_ACK, 1, SEQ(10), 0), SEQ(11), SEQ(14)));
	fire();
	expect(TCP_ACK, SEQ(10), 1, 1460);
	now += 1 * MS;
	input(with_sack(seg(TCP_ACK, 1, SEQ(14), 0), SEQ(10), SEQ(11)));
	ck_assert_uint_eq(tc.rack.reo_wnd_mult, 3);
	ck_assert_uint_eq(tc.rack.reo_wnd_us, 3 * tc.min_rtt_us / 4);
	/* A round trip at most. */
	tc.rack.reo_wnd_mult = 40;
	tcp_rack_detect(&tc, NULL, now);
	ck_assert_uint_eq(tc.rack.reo_wnd_us, tc.srtt_us);
	finish();
}
END_TEST

/* ... and wears off (section 6.2, step 4): sixteen episodes without another one. */
START_TEST(widened_window_wears_off)
{
	uint32_t una = 1;

	establish();
	tc.rack.reordering_seen = true;
	tc.rack.reo_wnd_mult = 4;
	tc.rack.reo_wnd_persist = 16;
	for (int i = 0; i < 16; i++) {
		ck_assert_uint_eq(tc.rack.reo_wnd_mult, 4);
		tc.cwnd_bytes = 10 * 1460;
		for (int k = 0; k < 5; k++) {
			now += 10 * MS;         /* paced */
			tcp_timeout(&tc, now);
			send_data(1460);
		}
		now += 20 * MS;
		input(with_sack(seg(TCP_ACK, 1, una, 0), una + 1460, una + 5 * 1460));
		if (!tc.lost_bytes)
			fire();
		ck_assert_int_eq(tc.recovery, TCP_RECOVERY_FAST);
		expect(TCP_ACK, una, 1, 1460);
		now += 20 * MS;
		una += 5 * 1460;
		input(seg(TCP_ACK, 1, una, 0));
		ck_assert_int_eq(tc.recovery, TCP_RECOVERY_NONE);
	}
	ck_assert_uint_eq(tc.rack.reo_wnd_mult, 1);
	finish();
}
END_TEST

/* ... nor for a copy that the network made (RFC 2883, section 5): nothing was sent twice. */
START_TEST(dsack_of_a_copy)
{
	flight(false);
	tc.rack.reordering_seen = true;
	now += 1 * MS;
	input(with_sack(seg(TCP_ACK, 1, SEQ(2), 0), SEQ(0), SEQ(1)));
	ck_assert_uint_eq(tc.rack.reo_wnd_mult, 1);
	finish();
}
END_TEST

/*
 * The drawback that section 6.2 names: what RACK repeats too early it never sees late.  The
 * DSACK tells, also when the next episode has begun and nothing can be taken back any more.
 */
START_TEST(dsack_tells_of_reordering)
{
	flight(false);
	input(with_sack(seg(TCP_ACK, 1, 1, 0), SEQ(1), SEQ(4)));
	expect(TCP_ACK, SEQ(0), 1, 1460);
	now += 1 * MS;
	input(seg(TCP_ACK, 1, SEQ(10), 0));
	for (int i = 0; i < 4; i++) {
		now += 2 * MS;
		tcp_timeout(&tc, now);  /* paced */
		send_data(1460);
	}
	now += 10 * MS;
	input(with_sack(seg(TCP_ACK, 1, SEQ(10), 0), SEQ(11), SEQ(14)));
	expect(TCP_ACK, SEQ(10), 1, 1460);
	ck_assert(!tc.rack.reordering_seen);
	input(with_sack(seg(TCP_ACK, 1, SEQ(10), 0), SEQ(0), SEQ(1)));
	ck_assert(tc.rack.reordering_seen);
	ck_assert_uint_gt(tc.rack.reo_wnd_us, 0);
	finish();
}
END_TEST

/* A timeout was early: slowness, not reordering. */
START_TEST(dsack_of_a_timeout)
{
	flight(false);
	tc.deadline_us[TCP_TIMER_TLP] = TIMER_NEVER;
	fire();
	ck_assert_int_eq(tc.recovery, TCP_RECOVERY_RTO);
	expect(TCP_ACK, SEQ(0), 1, 1460);
	input(seg(TCP_ACK, 1, SEQ(10), 0));
	input(with_sack(seg(TCP_ACK, 1, SEQ(10), 0), SEQ(0), SEQ(1)));
	ck_assert(!tc.rack.reordering_seen);
	ck_assert_uint_eq(tc.rack.reo_wnd_mult, 1);
	finish();
}
END_TEST

/* Section 6.3: a timeout gives up what is old; what was sent just now may still arrive. */
START_TEST(timeout_spares_what_is_young)
{
	establish();
	send_data(1460);
	now += tc.rto_us - 1 * MS;
	tc.deadline_us[TCP_TIMER_TLP] = TIMER_NEVER;
	send_data(1460);
	tc.deadline_us[TCP_TIMER_TLP] = TIMER_NEVER;
	now = tc.deadline_us[TCP_TIMER_RTO];
	tcp_timeout(&tc, now);
	tcp_check(&tc);
	ck_assert_int_eq(tc.recovery, TCP_RECOVERY_RTO);
	ck_assert_uint_eq(tc.lost_bytes, 1460);
	ck_assert_uint_eq(tc.cwnd_bytes, 2920);
	expect(TCP_ACK, 1, 1, 1460);
	expect_nothing();
	finish();
}
END_TEST

/*
 * Of what was sent after the reduction something is lost, too: that is another one (RFC 5681,
 * section 4.3).  It was needless if all that is repeated by then was.
 */
START_TEST(loss_after_the_reduction)
{
	uint32_t ssthresh;

	flight(false);
	input(with_sack(seg(TCP_ACK, 1, 1, 0), SEQ(1), SEQ(4)));
	expect(TCP_ACK, SEQ(0), 1, 1460);
	input(with_sack(seg(TCP_ACK, 1, 1, 0), SEQ(1), SEQ(10)));
	for (int i = 10; i < 15; i++) {
		now += 2 * MS;
		tcp_timeout(&tc, now);          /* paced */
		send_data(1460);
	}
	ssthresh = tc.ssthresh_bytes;
	/* What was repeated and two of the new ones got lost. */
	now += 10 * MS;
	input(with_sack(with_sack(with_sack(seg(TCP_ACK, 1, 1, 0), SEQ(13), SEQ(15)), SEQ(11),
				  SEQ(12)), SEQ(1), SEQ(10)));
	expect(TCP_ACK, SEQ(0), 1, 1460);
	fire();                                 /* paced */
	expect(TCP_ACK, SEQ(10), 1, 1460);
	expect(TCP_ACK, SEQ(12), 1, 1460);
	ck_assert_uint_eq(tc.ssthresh_bytes, ssthresh);
	now += 10 * MS;
	input(with_sack(with_sack(seg(TCP_ACK, 1, SEQ(10), 0), SEQ(13), SEQ(15)), SEQ(11),
			SEQ(12)));
	ck_assert_int_eq(tc.recovery, TCP_RECOVERY_FAST);
	ck_assert_uint_eq(COUNT(TCP_FAST_RECOVERY), 2);
	ck_assert_uint_lt(tc.ssthresh_bytes, ssthresh);
	expect_nothing();
	input(with_sack(seg(TCP_ACK, 1, SEQ(15), 0), SEQ(10), SEQ(11)));
	ck_assert_uint_eq(COUNT(TCP_SPURIOUS), 0);
	input(with_sack(seg(TCP_ACK, 1, SEQ(15), 0), SEQ(12), SEQ(13)));
	ck_assert_uint_eq(COUNT(TCP_SPURIOUS), 1);
	ck_assert_uint_eq(tc.ssthresh_bytes, ssthresh);
	finish();
}
END_TEST

/* Nor is it when the timeout's episode is over by the time that the DSACK comes. */
START_TEST(dsack_after_a_timeout)
{
	flight(false);
	input(seg(TCP_ACK, 1, SEQ(9), 0));
	tc.deadline_us[TCP_TIMER_TLP] = TIMER_NEVER;
	fire();
	ck_assert_int_eq(tc.recovery, TCP_RECOVERY_RTO);
	expect(TCP_ACK, SEQ(9), 1, 1460);
	input(seg(TCP_ACK, 1, SEQ(10), 0));
	ck_assert_int_eq(tc.recovery, TCP_RECOVERY_NONE);
	input(with_sack(seg(TCP_ACK, 1, SEQ(10), 0), SEQ(9), SEQ(10)));
	ck_assert_uint_eq(COUNT(TCP_SPURIOUS), 1);
	ck_assert(!tc.rack.reordering_seen);
	finish();
}
END_TEST

/* What the network doubles later was no part of the episode and takes nothing back. */
START_TEST(dsack_of_a_later_copy_is_no_undo)
{
	flight(false);
	input(with_sack(seg(TCP_ACK, 1, 1, 0), SEQ(1), SEQ(4)));
	expect(TCP_ACK, SEQ(0), 1, 1460);
	now += 10 * MS;
	input(seg(TCP_ACK, 1, SEQ(10), 0));
	ck_assert_int_eq(tc.recovery, TCP_RECOVERY_NONE);
	now += 10 * SEC;
	send_data(1460);
	now += 10 * MS;
	input(seg(TCP_ACK, 1, SEQ(11), 0));
	input(with_sack(seg(TCP_ACK, 1, SEQ(11), 0), SEQ(10), SEQ(11)));
	ck_assert_uint_eq(COUNT(TCP_SPURIOUS), 0);
	ck_assert_uint_lt(tc.ssthresh_bytes, UINT32_MAX);
	finish();
}
END_TEST

/* What the peer sent is lost, too: it hears of that first. */
START_TEST(gap_is_told_before_anything_is_repeated)
{
	flight(false);
	input(with_sack(seg(TCP_ACK, 101, 1, 100), SEQ(1), SEQ(4)));
	expect(TCP_ACK, SEQ(10), 1, 0);
	ck_assert_uint_eq(hdr.opt.sack_count, 1);
	expect(TCP_ACK, SEQ(0), 1, 1460);
	ck_assert(tx.retransmission);
	expect_nothing();
	finish();
}
END_TEST

UNIT_MAIN("tcp rack", three_sacked, three_duplicates, reordering_timer, reordering,
	  blocks_at_once_are_no_reordering, dsack_undo, dsack_undo_by_an_overtaken_ack,
	  bad_sack_blocks, reneging, tail_probe, tail_probe_of_a_super_segment,
	  tail_probe_found_a_loss, tail_probe_of_new_data, tail_probe_waits_for_a_round_trip,
	  tail_probe_falls_back, dsack_tells_of_reordering, dsack_of_a_timeout,
	  dsack_of_a_probe_is_no_undo, dsack_of_a_later_probe_is_no_undo,
	  eifel_compares_the_same_segment, eifel_leaves_out_a_later_probe, dsack_widens_window,
	  widened_window_wears_off, dsack_of_a_copy, loss_after_the_reduction,
	  dsack_after_a_timeout, dsack_of_a_later_copy_is_no_undo,
	  gap_is_told_before_anything_is_repeated, timeout_spares_what_is_young)
