/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keepalives: a peer that has gone is found, one that answers may be idle for ever. */
#include "tcp_script.h"

#define IDLE (7200 * SEC)
#define INTERVAL (75 * SEC)
#define PROBES 9

static void establish_with_keepalive(void)
{
	setup();
	tcp_config_default(&cfg);
	establish_from(syn());
}

/* Runs what is due until `until`; returns how many keepalives came out. */
static int run_until(uint64_t until)
{
	int n = 0;

	while (tc.state != TCP_CLOSED && tcp_deadline(&tc) <= until) {
		fire();
		while (output()) {
			ck_assert_uint_eq(hdr.flags, TCP_ACK);
			ck_assert_uint_eq(hdr.seq, tc.snd_una - 1);
			ck_assert_uint_eq(hdr.ack, tc.rcv_nxt);
			ck_assert_uint_eq(tx.len, 0);
			n++;
		}
	}
	now = until;
	return n;
}

START_TEST(defaults)
{
	tcp_config_default(&cfg);
	ck_assert_uint_eq(cfg.keepalive_idle_us, IDLE);
	ck_assert_uint_eq(cfg.keepalive_interval_us, INTERVAL);
	ck_assert_uint_eq(cfg.keepalive_probes, PROBES);
}
END_TEST

/* Probes have to wait for two hours, then all must go unanswered. */
START_TEST(peer_has_gone)
{
	uint64_t start;

	establish_with_keepalive();
	start = now;
	ck_assert_uint_eq(tcp_deadline(&tc), start + IDLE);
	ck_assert_int_eq(run_until(start + IDLE - 1), 0);
	for (int i = 0; i < PROBES; i++) {
		ck_assert_int_eq(run_until(start + IDLE + i * INTERVAL), 1);
		ck_assert_int_eq(tc.state, TCP_ESTABLISHED);
	}
	ck_assert_int_eq(run_until(start + IDLE + PROBES * INTERVAL - 1), 0);
	ck_assert_uint_eq(take_events(), 0);
	ck_assert_int_eq(run_until(start + IDLE + PROBES * INTERVAL), 0);
	ck_assert_int_eq(tc.state, TCP_CLOSED);
	ck_assert_uint_eq(take_events(), TCP_EVENT_TIMEOUT);
	ck_assert_uint_eq(tcp_deadline(&tc), TIMER_NEVER);
	ck_assert_uint_eq(COUNT(TCP_KEEPALIVE), PROBES);
	ck_assert_uint_eq(COUNT(TCP_TIMEOUT), 1);
	finish();
}
END_TEST

/* The last probe's answer is as good as the first one's. */
START_TEST(peer_answers)
{
	establish_with_keepalive();
	for (int i = 0; i < 50; i++) {
		uint64_t last = now + IDLE + (uint64_t)(i % PROBES) * INTERVAL;

		ck_assert_int_eq(run_until(last), i % PROBES + 1);
		now += 100 * MS;
		input(seg(TCP_ACK, 1, 1, 0));
		ck_assert(rx.acceptable);
		expect_nothing();
		ck_assert_uint_eq(tcp_deadline(&tc), now + IDLE);
	}
	ck_assert_uint_eq(take_events(), 0);
	finish();
}
END_TEST

/* A peer that was booted anew answers with RST. */
START_TEST(peer_refuses)
{
	establish_with_keepalive();
	ck_assert_int_eq(run_until(now + IDLE), 1);
	input(seg(TCP_RST, 1, 0, 0));
	ck_assert_int_eq(tc.state, TCP_CLOSED);
	ck_assert_uint_eq(take_events(), TCP_EVENT_RESET);
	finish();
}
END_TEST

/* What is not acceptable is no sign of life: anybody could send it. */
START_TEST(stranger)
{
	uint64_t deadline;

	establish_with_keepalive();
	deadline = tcp_deadline(&tc);
	now += SEC;
	input(seg(TCP_ACK, 50000000, 1, 10));
	output();
	input(seg(TCP_ACK, 1, 5000, 0));
	output();
	input(seg(TCP_SYN, 1, 0, 0));
	output();
	ck_assert_uint_eq(tcp_deadline(&tc), deadline);
	finish();
}
END_TEST

/* Data of the peer moves the time; data of ours is the retransmission timer's matter. */
START_TEST(traffic)
{
	establish_with_keepalive();
	now += 7000 * SEC;
	input(seg(TCP_ACK, 1, 1, 100));
	expect_nothing();
	fire();                                 /* the delayed ACK */
	expect(TCP_ACK, 1, 101, 0);
	ck_assert_uint_ge(tcp_deadline(&tc), now + IDLE - SEC);
	now += 7199 * SEC;
	send_data(100);
	for (int i = 0; i < 40 && tc.state != TCP_CLOSED; i++) {
		fire();
		while (output())
			ck_assert_uint_eq(hdr.seq, tc.snd_una);
	}
	ck_assert_int_eq(tc.state, TCP_CLOSED);
	ck_assert_uint_eq(COUNT(TCP_KEEPALIVE), 0);
	ck_assert_uint_eq(take_events() & TCP_EVENT_TIMEOUT, TCP_EVENT_TIMEOUT);
	finish();
}
END_TEST

/* A shut window is the persist timer's matter, for as long as it lasts. */
START_TEST(zero_window)
{
	uint64_t end;
	struct packet *p;

	establish_with_keepalive();
	p = seg(TCP_ACK, 1, 1, 0);
	p->tcp.window = 0;
	input(p);
	tc.want_send = true;
	for (end = now + 3 * IDLE; now < end;) {
		fire();
		if (!output())
			continue;
		p = seg(TCP_ACK, 1, 1, 0);
		p->tcp.window = 0;
		input(p);
	}
	ck_assert_int_eq(tc.state, TCP_ESTABLISHED);
	ck_assert_uint_eq(COUNT(TCP_KEEPALIVE), 0);
	finish();
}
END_TEST

/* The peer has ended its stream and vanished: we may have nothing to say for hours. */
START_TEST(half_closed)
{
	establish_with_keepalive();
	input(seg(TCP_ACK | TCP_FIN, 1, 1, 0));
	expect(TCP_ACK, 1, 2, 0);
	ck_assert_int_eq(tc.state, TCP_CLOSE_WAIT);
	take_events();
	ck_assert_int_eq(run_until(now + 2 * IDLE), PROBES);
	ck_assert_int_eq(tc.state, TCP_CLOSED);
	ck_assert_uint_eq(take_events(), TCP_EVENT_TIMEOUT);
	finish();

	establish_with_keepalive();
	tcp_close(&tc, now);
	expect(TCP_FIN | TCP_ACK, 1, 1, 0);
	input(seg(TCP_ACK, 1, 2, 0));
	ck_assert_int_eq(tc.state, TCP_FIN_WAIT_2);
	take_events();
	ck_assert_int_eq(run_until(now + 2 * IDLE), PROBES);
	ck_assert_int_eq(tc.state, TCP_CLOSED);
	finish();
}
END_TEST

START_TEST(time_wait_and_off)
{
	establish_with_keepalive();
	tcp_close(&tc, now);
	expect(TCP_FIN | TCP_ACK, 1, 1, 0);
	input(seg(TCP_ACK | TCP_FIN, 1, 2, 0));
	expect(TCP_ACK, 2, 2, 0);
	ck_assert_int_eq(tc.state, TCP_TIME_WAIT);
	ck_assert_uint_eq(tc.deadline_us[TCP_TIMER_KEEPALIVE], TIMER_NEVER);
	input(seg(TCP_ACK | TCP_FIN, 1, 2, 0));
	ck_assert_uint_eq(tc.deadline_us[TCP_TIMER_KEEPALIVE], TIMER_NEVER);
	finish();

	establish();                            /* without keepalives */
	input(seg(TCP_ACK, 1, 1, 0));
	ck_assert_uint_eq(tcp_deadline(&tc), TIMER_NEVER);
	finish();
}
END_TEST

UNIT_MAIN("tcp keepalive", defaults, peer_has_gone, peer_answers, peer_refuses, stranger, traffic,
	  zero_window, half_closed, time_wait_and_off)
