/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Explicit congestion notification (RFC 3168), packet by packet, then over a marking link. */
#include "tcp_script.h"

#define ECN_SETUP (TCP_ECE | TCP_CWR)
#define SEQ(n) (1 + (n) * 1460u)

static struct packet *ecn_syn(void)
{
	struct packet *p = syn();

	p->tcp.flags |= ECN_SETUP;
	return p;
}

/* A passive open by a peer that asks for ECN. */
static void establish_ecn(void)
{
	setup();
	tcp_init_passive(&tc, &env, &cfg, ecn_syn(), our_iss, 0, now);
	tcp_set_window(&tc, 1 << 20);
	tcp_accept(&tc, now);
	expect(TCP_SYN | TCP_ACK | TCP_ECE, 0, 1, 0);
	ck_assert(!tx.ect);
	now += 10 * MS;
	input(seg(TCP_ACK, 1, 1, 0));
	ck_assert_int_eq(tc.state, TCP_ESTABLISHED);
	ck_assert(tc.ecn_on);
	tc.quick_acks = 0;
	tc.ack_now = false;
}

static struct packet *marked(struct packet *p)
{
	p->ecn = PACKET_ECN_CE;
	return p;
}

/* Only data is marked; and an RST tells of nothing. */
START_TEST(marks_on_nothing_and_flags_of_a_reset)
{
	establish_ecn();
	input(marked(seg(TCP_ACK, 1, 1, 0)));
	ck_assert(!tc.ece_echo);
	ck_assert_uint_eq(COUNT(TCP_ECN_CE), 0);
	input(marked(seg(TCP_ACK, 1, 1, 100)));
	ck_assert(tc.ece_echo);
	ck_assert(tcp_abort(&tc, &tx));
	tcp_fill_header(&tc, &tx, now, &hdr);
	ck_assert(hdr.flags & TCP_RST);
	ck_assert(!(hdr.flags & ECN_SETUP));
	finish();
}
END_TEST

/* Section 6.1.1: both flags ask, ECE alone agrees, anything else does not. */
START_TEST(passive_negotiation)
{
	static const uint8_t no[] = { 0, TCP_ECE, TCP_CWR };

	establish_ecn();
	finish();
	for (size_t i = 0; i < sizeof(no); i++) {
		struct packet *p;

		setup();
		p = syn();
		p->tcp.flags |= no[i];
		establish_from(p);
		ck_assert(!tc.ecn_on);
		send_data(1460);
		ck_assert(!tx.ect);
		/* Nobody asked: a mark is nothing to tell of. */
		input(marked(seg(TCP_ACK, 1, 1, 100)));
		tcp_request_ack(&tc);
		expect(TCP_ACK, 1 + 1460, 101, 0);
		finish();
	}
	/* Switched off. */
	setup();
	cfg.ecn = false;
	establish_from(ecn_syn());
	ck_assert(!tc.ecn_on);
	finish();
}
END_TEST

/* A repeated SYN that does not ask any more takes it back. */
START_TEST(passive_repeated_syn)
{
	setup();
	tcp_init_passive(&tc, &env, &cfg, ecn_syn(), our_iss, 0, now);
	tcp_accept(&tc, now);
	expect(TCP_SYN | TCP_ACK | TCP_ECE, 0, 1, 0);
	now += SEC;
	input(syn());
	expect(TCP_SYN | TCP_ACK, 0, 1, 0);
	finish();
}
END_TEST

START_TEST(active_negotiation)
{
	static const struct {
		uint8_t flags;
		bool on;
	} answers[] = { { TCP_ECE, true }, { 0, false }, { ECN_SETUP, false }, { TCP_CWR, false } };

	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		struct packet *p;

		setup();
		tcp_init_active(&tc, &env, &cfg, our_iss, 0, now);
		expect(TCP_SYN | ECN_SETUP, 0, 0, 0);
		ck_assert(!tx.ect);
		now += 10 * MS;
		p = syn();
		p->tcp.flags = TCP_SYN | TCP_ACK | answers[i].flags;
		p->tcp.ack = our_iss + 1;
		input(p);
		ck_assert_int_eq(tc.state, TCP_ESTABLISHED);
		ck_assert_int_eq(tc.ecn_on, answers[i].on);
		expect(TCP_ACK, 1, 1, 0);
		send_data(1000);
		ck_assert_int_eq(tx.ect, answers[i].on);
		finish();
	}
}
END_TEST

/* Section 6.1.1.1: the second SYN asks for nothing. */
START_TEST(active_repeated_syn)
{
	setup();
	tcp_init_active(&tc, &env, &cfg, our_iss, 0, now);
	expect(TCP_SYN | ECN_SETUP, 0, 0, 0);
	fire();
	expect(TCP_SYN, 0, 0, 0);
	finish();
}
END_TEST

/* Section 6.1.3: ECE on every ACK, until CWR; a mark on the packet with CWR is news. */
START_TEST(receiver_echoes)
{
	struct packet *p;

	establish_ecn();
	input(marked(seg(TCP_ACK, 1, 1, 1000)));
	expect(TCP_ACK | TCP_ECE, 1, 1001, 0);
	ck_assert_uint_eq(COUNT(TCP_ECN_CE), 1);
	input(seg(TCP_ACK, 1001, 1, 1000));
	tcp_request_ack(&tc);
	expect(TCP_ACK | TCP_ECE, 1, 2001, 0);
	/* Data carries it, too. */
	send_data(1000);
	ck_assert_uint_eq(hdr.flags & ECN_SETUP, TCP_ECE);
	input(seg(TCP_ACK | TCP_CWR, 2001, 1001, 1000));
	tcp_request_ack(&tc);
	expect(TCP_ACK, 1001, 3001, 0);
	p = marked(seg(TCP_ACK | TCP_CWR, 3001, 1001, 1000));
	input(p);
	expect(TCP_ACK | TCP_ECE, 1001, 4001, 0);
	/* What is outside the window is not believed (section 6.1.6). */
	input(seg(TCP_ACK | TCP_CWR, 0x7000000, 1001, 1000));
	expect(TCP_ACK | TCP_ECE, 1001, 4001, 0);
	finish();
}
END_TEST

/* Section 6.1.2: one reduction per window, told once, on new data. */
START_TEST(sender_reduces_once)
{
	uint32_t cwnd;

	establish_ecn();
	for (int i = 0; i < 10; i++)
		send_data(1460);
	ck_assert(tx.ect);
	cwnd = tc.cwnd_bytes;
	now += 10 * MS;
	input(seg(TCP_ACK | TCP_ECE, 1, SEQ(2), 0));
	ck_assert_uint_eq(COUNT(TCP_ECN_CWR), 1);
	ck_assert_int_eq(tc.recovery, TCP_RECOVERY_CWR);
	ck_assert_uint_lt(tc.ssthresh_bytes, cwnd);
	ck_assert_uint_eq(COUNT(TCP_RETRANS), 0);
	input(seg(TCP_ACK | TCP_ECE, 1, SEQ(6), 0));
	ck_assert_uint_eq(COUNT(TCP_ECN_CWR), 1);
	/* Proportionally: some new data goes out before the window is through. */
	expect_nothing();
	ck_assert_uint_ge(tcp_send_room(&tc), 1460);
	send_data(1460);
	ck_assert_uint_eq(hdr.flags & ECN_SETUP, TCP_CWR);
	ck_assert(tx.ect);
	now += 10 * MS;
	input(seg(TCP_ACK | TCP_ECE, 1, SEQ(10), 0));
	ck_assert_int_eq(tc.recovery, TCP_RECOVERY_NONE);
	ck_assert_uint_eq(tc.cwnd_bytes, tc.ssthresh_bytes);
	ck_assert_uint_eq(COUNT(TCP_ECN_CWR), 1);
	expect_nothing();
	send_data(1460);
	ck_assert_uint_eq(hdr.flags & ECN_SETUP, 0);
	/* The next window's report is another event. */
	now += 10 * MS;
	input(seg(TCP_ACK | TCP_ECE, 1, SEQ(12), 0));
	ck_assert_uint_eq(COUNT(TCP_ECN_CWR), 2);
	finish();
}
END_TEST

/* The last reduction may be more than half of the sequence space ago, or there was none. */
START_TEST(sender_reduces_after_gigabytes)
{
	establish_ecn();
	while (sent < (1ull << 31) + (1 << 24)) {
		uint32_t len = tcp_send_room(&tc);

		send_data(len < 65000 ? len : 65000);
		now += 10 * MS;
		input(seg(TCP_ACK, 1, 1 + (uint32_t)sent, 0));
		expect_nothing();
	}
	ck_assert_uint_eq(COUNT(TCP_ECN_CWR), 0);
	send_data(1460);
	now += 10 * MS;
	input(seg(TCP_ACK | TCP_ECE, 1, 1 + (uint32_t)sent, 0));
	ck_assert_uint_eq(COUNT(TCP_ECN_CWR), 1);
	finish();
}
END_TEST

/* Marked and lost in one window: one reduction; what is sent again is not ECN-capable. */
START_TEST(loss_while_reducing)
{
	uint32_t ssthresh;

	establish_ecn();
	for (int i = 0; i < 10; i++)
		send_data(1460);
	now += 10 * MS;
	input(seg(TCP_ACK | TCP_ECE, 1, SEQ(1), 0));
	ssthresh = tc.ssthresh_bytes;
	input(with_sack(seg(TCP_ACK | TCP_ECE, 1, SEQ(1), 0), SEQ(2), SEQ(5)));
	ck_assert_int_eq(tc.recovery, TCP_RECOVERY_FAST);
	ck_assert_uint_eq(tc.ssthresh_bytes, ssthresh);
	expect(TCP_ACK, SEQ(1), 1, 1460);
	ck_assert(tx.retransmission);
	ck_assert(!tx.ect);
	finish();
}
END_TEST

/* The ACK that shows what a tail loss probe has repaired is marked, too: one reduction. */
START_TEST(probe_and_mark_reduce_once)
{
	establish_ecn();
	for (int i = 0; i < 10; i++)
		send_data(1460);
	now += 10 * MS;
	input(seg(TCP_ACK, 1, SEQ(9), 0));
	fire();
	expect(TCP_ACK, SEQ(9), 1, 1460);
	ck_assert_uint_eq(COUNT(TCP_TLP), 1);
	now += 10 * MS;
	input(seg(TCP_ACK, 1, SEQ(10), 0));
	send_data(1460);
	now += 10 * MS;
	input(seg(TCP_ACK | TCP_ECE, 1, SEQ(11), 0));
	ck_assert(!tc.tlp_out);
	ck_assert_uint_lt(tc.ssthresh_bytes, UINT32_MAX);
	ck_assert_uint_eq(COUNT(TCP_ECN_CWR), 0);
	ck_assert_int_eq(tc.recovery, TCP_RECOVERY_NONE);
	expect_nothing();
	send_data(1460);
	ck_assert_uint_eq(hdr.flags & ECN_SETUP, TCP_CWR);
	finish();
}
END_TEST

/* A loss reduces as well: CWR tells, and the ECE of that window counts no more. */
START_TEST(loss_answers_marks)
{
	uint32_t ssthresh;

	establish_ecn();
	for (int i = 0; i < 10; i++)
		send_data(1460);
	now += 10 * MS;
	input(with_sack(seg(TCP_ACK, 1, SEQ(0), 0), SEQ(1), SEQ(8)));
	ssthresh = tc.ssthresh_bytes;
	expect(TCP_ACK, SEQ(0), 1, 1460);
	input(with_sack(seg(TCP_ACK | TCP_ECE, 1, SEQ(0), 0), SEQ(1), SEQ(10)));
	now += 10 * MS;
	input(seg(TCP_ACK | TCP_ECE, 1, SEQ(10), 0));
	ck_assert_int_eq(tc.recovery, TCP_RECOVERY_NONE);
	ck_assert_uint_eq(tc.ssthresh_bytes, ssthresh);
	ck_assert_uint_eq(COUNT(TCP_ECN_CWR), 0);
	expect_nothing();
	send_data(1460);
	ck_assert_uint_eq(hdr.flags & ECN_SETUP, TCP_CWR);
	finish();
}
END_TEST

/* Sections 6.1.4 to 6.1.6: no ECT on ACKs, probes, repeated data, FIN and RST. */
START_TEST(only_new_data_is_capable)
{
	struct packet *p;

	establish_ecn();
	tcp_request_ack(&tc);
	expect(TCP_ACK, 1, 1, 0);
	ck_assert(!tx.ect);
	send_data(1460);
	ck_assert(tx.ect);
	fire();
	expect(TCP_ACK, 1, 1, 1460);            /* the probe of the tail */
	ck_assert(!tx.ect);
	fire();
	expect(TCP_ACK, 1, 1, 1460);            /* after the timeout */
	ck_assert(!tx.ect);
	p = seg(TCP_ACK, 1, 1461, 0);
	p->tcp.window = 0;
	input(p);
	tc.want_send = true;
	ck_assert_uint_eq(tcp_deadline(&tc), 0);
	tcp_timeout(&tc, now);
	fire();
	expect(TCP_ACK, 1460, 1, 0);            /* of the shut window */
	ck_assert(!tx.ect);
	tc.want_send = false;
	tcp_close(&tc, now);
	expect(TCP_ACK | TCP_FIN, 1461, 1, 0);
	ck_assert(!tx.ect);
	ck_assert(tcp_abort(&tc, &tx));
	tcp_fill_header(&tc, &tx, now, &hdr);
	ck_assert_uint_eq(hdr.flags, TCP_RST | TCP_ACK);
	ck_assert(!tx.ect);
	finish();
}
END_TEST

UNIT_MAIN("tcp ecn", passive_negotiation, marks_on_nothing_and_flags_of_a_reset,
	  passive_repeated_syn, active_negotiation,
	  active_repeated_syn, receiver_echoes, sender_reduces_once, sender_reduces_after_gigabytes,
	  loss_while_reducing, probe_and_mark_reduce_once, loss_answers_marks,
	  only_new_data_is_capable)
