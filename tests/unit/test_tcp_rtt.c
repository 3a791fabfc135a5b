/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Round-trip time, retransmission timeout, and whose samples count. */
#include "tcp/tcp_internal.h"
#include "tcp_script.h"

START_TEST(formula)
{
	memset(&tc, 0, sizeof(tc));
	tcp_config_default(&tc.cfg);
	tcp_rtt_init(&tc);
	ck_assert_uint_eq(tc.rto_us, 1000000);
	tcp_rtt_sample(&tc, 400000, 1000);
	ck_assert_uint_eq(tc.srtt_us, 400000);
	ck_assert_uint_eq(tc.rttvar_us, 200000);
	ck_assert_uint_eq(tc.rto_us, 1200000);
	tcp_rtt_sample(&tc, 480000, 2000);
	ck_assert_uint_eq(tc.rttvar_us, 170000);
	ck_assert_uint_eq(tc.srtt_us, 410000);
	ck_assert_uint_eq(tc.rto_us, 1090000);
	/* A steady path: the slack never falls below the minimum. */
	for (int i = 0; i < 100; i++)
		tcp_rtt_sample(&tc, 400000, 3000);
	ck_assert_uint_ge(tc.rto_us, 600000);
	ck_assert_uint_lt(tc.rto_us, 601000);
	ck_assert_uint_eq(tcp_rtt_timeout(&tc, 1), 2ull * tc.rto_us);
	ck_assert_uint_eq(tcp_rtt_timeout(&tc, 40), 60 * SEC);
	/* The minimum ages. */
	ck_assert_uint_eq(tc.min_rtt_us, 400000);
	tcp_rtt_sample(&tc, 300000, 4000);
	tcp_rtt_sample(&tc, 500000, 5000);
	ck_assert_uint_eq(tc.min_rtt_us, 300000);
	tcp_rtt_sample(&tc, 500000, 301 * SEC);
	ck_assert_uint_eq(tc.min_rtt_us, 500000);
}
END_TEST

START_TEST(karn)
{
	uint32_t srtt;

	establish();
	ck_assert_uint_eq(tc.srtt_us, 10000);
	srtt = tc.srtt_us;
	send_data(1000);
	tc.tlp_out = true;              /* no probe: wait for the timeout */
	tcp_timeout(&tc, now);
	now = tc.deadline_us[TCP_TIMER_RTO];
	tcp_timeout(&tc, now);
	expect(TCP_ACK, 1, 1, 1000);
	ck_assert_uint_eq(tc.backoff, 1);
	now += 3 * MS;
	/* Of which transmission? Without timestamps there is no telling, so the timeout that
	 * was backed off is all that is known, until something is acknowledged that was sent
	 * once (RFC 6298, section 5). */
	input(seg(TCP_ACK, 1, 1001, 0));
	ck_assert_uint_eq(tc.srtt_us, srtt);
	ck_assert_uint_eq(tc.backoff, 1);
	ck_assert_uint_eq(tcp_deadline(&tc), TIMER_NEVER);
	send_data(1000);
	ck_assert_uint_eq(tc.deadline_us[TCP_TIMER_RTO], now + 2 * tc.rto_us);
	now += 12 * MS;
	input(seg(TCP_ACK, 1, 2001, 0));
	ck_assert_uint_ne(tc.srtt_us, srtt);
	ck_assert_uint_eq(tc.backoff, 0);
	send_data(1000);
	ck_assert_uint_eq(tc.deadline_us[TCP_TIMER_RTO], now + tc.rto_us);
	finish();
}
END_TEST

/*
 * Whose SYN/ACK timed out waits longer for the first data (RFC 6298, section 5.7), and where that
 * happened more than once begins with one segment (RFC 6928, section 2).
 */
START_TEST(lost_handshake)
{
	for (int losses = 0; losses < 4; losses++) {
		setup();
		if (losses == 3)
			cfg.rto_max_us = 2 * SEC;
		tcp_init_passive(&tc, &env, &cfg, syn(), our_iss, 0, now);
		tcp_set_window(&tc, 1 << 20);
		tcp_accept(&tc, now);
		expect(TCP_SYN | TCP_ACK, 0, 1, 0);
		for (int i = 0; i < losses; i++) {
			fire();
			expect(TCP_SYN | TCP_ACK, 0, 1, 0);
		}
		now += 10 * MS;
		input(seg(TCP_ACK, 1, 1, 0));
		ck_assert_int_eq(tc.state, TCP_ESTABLISHED);
		ck_assert_uint_eq(tc.srtt_us, losses ? 0 : 10 * MS);
		ck_assert_uint_le(tc.rto_us, cfg.rto_max_us);
		ck_assert_uint_eq(tc.cwnd_bytes, (losses > 1 ? 1 : 10) * 1460);
		tc.tlp_out = true;      /* no probe: the timeout is what is looked at */
		send_data(1000);
		if (losses)
			ck_assert_uint_eq(tc.deadline_us[TCP_TIMER_RTO],
					  now + (losses == 3 ? 2 : 3) * SEC);
		else
			ck_assert_uint_lt(tc.deadline_us[TCP_TIMER_RTO], now + SEC);
		finish();
	}
}
END_TEST

/* The path has become slower than the timeout, and only one segment at a time is sent: each
 * would be repeated in vain for ever, if what is known of the path were the round trip alone. */
START_TEST(slow_path_is_learnt)
{
	uint32_t acked = 0;

	establish();
	for (int i = 0; i < 12; i++) {
		uint64_t answer_us = now + 2 * SEC;

		send_data(100);
		acked += 100;
		while (tcp_deadline(&tc) < answer_us) {
			fire();
			while (output())
				;
		}
		now = answer_us;
		input(seg(TCP_ACK, 1, 1 + acked, 0));
		ck_assert(!tc.flight_bytes);
	}
	ck_assert_uint_le(COUNT(TCP_RTO), 8);
	ck_assert_uint_gt(tc.srtt_us, SEC);
	finish();
}
END_TEST

/* Timeouts with progress between them are of different segments: each is a congestion event of
 * its own, and reduces ssthresh anew (RFC 5681, section 3.1), whatever the timer stands at. */
START_TEST(progress_between_timeouts)
{
	uint32_t ssthresh;

	establish();
	for (int i = 0; i < 4; i++)
		send_data(400);
	tc.tlp_out = true;
	now = tc.deadline_us[TCP_TIMER_RTO];
	tcp_timeout(&tc, now);
	expect(TCP_ACK, 1, 1, 400);
	ssthresh = tc.ssthresh_bytes;
	/* The same once more: nothing is reduced. */
	now = tc.deadline_us[TCP_TIMER_RTO];
	tcp_timeout(&tc, now);
	expect(TCP_ACK, 1, 1, 400);
	ck_assert_uint_eq(tc.ssthresh_bytes, ssthresh);
	ck_assert(!tc.frto);
	now += 3 * MS;
	input(seg(TCP_ACK, 1, 401, 0));
	ck_assert_uint_eq(tc.backoff, 2);
	expect(TCP_ACK, 401, 1, 400);
	now = tc.deadline_us[TCP_TIMER_RTO];
	tcp_timeout(&tc, now);
	ck_assert(tc.frto);
	finish();
}
END_TEST

/*
 * All of a flight is lost, and there is no SACK.  The new data that F-RTO sends (RFC 5682, section
 * 2.1, step 2.b) arrives, but stays unacknowledged behind the rest: taken for being under way, it
 * would leave no room for a whole segment where the ACK before was of a small one.  The rest goes
 * out by ACKs, not by a timeout for each piece.
 */
START_TEST(repairs_after_frto_without_sack)
{
	struct packet *p;

	setup();
	p = syn();
	p->tcp.opt.sack_permitted = false;
	establish_from(p);
	for (int i = 0; i < 4; i++)
		send_data(i == 1 ? 540 : 1460);
	tc.tlp_out = true;
	tc.want_send = true;
	now = tc.deadline_us[TCP_TIMER_RTO];
	tcp_timeout(&tc, now);
	expect(TCP_ACK, 1, 1, 1460);
	now += 10 * MS;
	input(seg(TCP_ACK, 1, 1461, 0));
	expect_nothing();
	send_data(2920);
	now += 10 * MS;
	input(seg(TCP_ACK, 1, 1461, 0));
	expect(TCP_ACK, 1461, 1, 540);
	for (uint32_t seq = 2001; seq < 4921;) {
		now += 10 * MS;
		input(seg(TCP_ACK, 1, seq, 0));
		ck_assert_msg(output(), "nothing at %u", seq);
		ck_assert_uint_eq(hdr.seq - our_iss, seq);
		seq += tx.len;
	}
	now += 10 * MS;
	input(seg(TCP_ACK, 1, 7841, 0));
	expect_nothing();
	ck_assert_uint_eq(tc.flight_bytes, 0);
	ck_assert_int_eq(tc.recovery, TCP_RECOVERY_NONE);
	ck_assert_uint_eq(COUNT(TCP_RTO), 1);
	finish();
}
END_TEST

/*
 * The same where nobody sends the new data after all: half a round trip later the repair goes on.
 */
START_TEST(repairs_if_frto_sends_nothing)
{
	establish();
	for (int i = 0; i < 4; i++)
		send_data(1460);
	tc.tlp_out = true;
	tc.want_send = true;
	now = tc.deadline_us[TCP_TIMER_RTO];
	tcp_timeout(&tc, now);
	expect(TCP_ACK, 1, 1, 1460);
	now += 10 * MS;
	input(seg(TCP_ACK, 1, 1461, 0));
	expect_nothing();
	ck_assert(tc.frto_hold);
	ck_assert_uint_eq(tcp_deadline(&tc), now + tc.srtt_us / 2);
	fire();
	expect(TCP_ACK, 1461, 1, 1460);
	finish();
}
END_TEST

START_TEST(timestamps_tell)
{
	uint32_t echo;

	setup();
	establish_from(with_ts(syn(), 1000, 0));
	send_data(1000);
	tc.tlp_out = true;
	now = tc.deadline_us[TCP_TIMER_RTO];
	tcp_timeout(&tc, now);
	expect(TCP_ACK, 1, 1, 1000);
	echo = hdr.opt.ts_val;
	now += 50 * MS;
	input(with_ts(seg(TCP_ACK, 1, 1001, 0), 1100, echo));
	ck_assert_uint_eq(tc.srtt_us, (7 * 10000 + 50000) / 8);
	ck_assert_uint_eq(COUNT(TCP_SPURIOUS), 0);
	finish();
}
END_TEST

START_TEST(eifel)
{
	uint32_t echo, cwnd;

	setup();
	establish_from(with_ts(syn(), 1000, 0));
	cwnd = tc.cwnd_bytes;
	send_data(1000);
	echo = hdr.opt.ts_val;
	tc.tlp_out = true;
	now = tc.deadline_us[TCP_TIMER_RTO];
	tcp_timeout(&tc, now);
	ck_assert_uint_lt(tc.cwnd_bytes, cwnd);
	expect(TCP_ACK, 1, 1, 1000);
	now += 5 * MS;
	input(with_ts(seg(TCP_ACK, 1, 1001, 0), 1100, echo));
	ck_assert_uint_eq(COUNT(TCP_SPURIOUS), 1);
	ck_assert_uint_ge(tc.cwnd_bytes, cwnd);
	ck_assert_uint_eq(tc.ssthresh_bytes, UINT32_MAX);
	ck_assert_int_eq(tc.recovery, TCP_RECOVERY_NONE);
	finish();
}
END_TEST

/* Of a peer whose echo is of long ago the round trip is not believed. */
START_TEST(eifel_with_an_old_echo)
{
	uint32_t rto_us;

	setup();
	establish_from(with_ts(syn(), 1000, 0));
	send_data(1000);
	tc.tlp_out = true;
	now = tc.deadline_us[TCP_TIMER_RTO];
	tcp_timeout(&tc, now);
	expect(TCP_ACK, 1, 1, 1000);
	rto_us = tc.rto_us;
	now += 5 * MS;
	input(with_ts(seg(TCP_ACK, 1, 1001, 0), 1100, hdr.opt.ts_val - 1000 * 1000));
	ck_assert_uint_eq(COUNT(TCP_SPURIOUS), 1);
	ck_assert_uint_eq(tc.rto_us, rto_us);
	finish();
}
END_TEST

UNIT_MAIN("tcp rtt", formula, karn, lost_handshake, slow_path_is_learnt, progress_between_timeouts,
	  repairs_after_frto_without_sack, repairs_if_frto_sends_nothing, timestamps_tell, eifel,
	  eifel_with_an_old_echo)
