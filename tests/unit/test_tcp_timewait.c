/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TIME-WAIT entries, and the RST for segments that belong to nothing. */
#include "tcp_script.h"

static struct tcp_timewait tw;

/* Both closed, the peer last; `ts`: with timestamps. */
static void closed(bool ts)
{
	struct packet *p = syn();

	setup();
	p = syn();
	if (ts)
		with_ts(p, 5000, 0);
	establish_from(p);
	tcp_close(&tc, now);
	expect(TCP_FIN | TCP_ACK, 1, 1, 0);
	p = seg(TCP_ACK | TCP_FIN, 1, 2, 0);
	if (ts)
		with_ts(p, 6000, 0);
	input(p);
	ck_assert_int_eq(tc.state, TCP_TIME_WAIT);
	expect(TCP_ACK, 2, 2, 0);
	tcp_timewait_init(&tw, &tc, now);
	ck_assert_uint_eq(tw.until_us, now + 60 * SEC);
	finish();
}

static enum tcp_timewait_action act(const struct packet *p)
{
	return tcp_timewait_input(&tw, p, now, 60 * SEC);
}

START_TEST(plain)
{
	closed(false);
	now += 10 * SEC;
	ck_assert_int_eq(act(seg(TCP_ACK, 2, 2, 0)), TCP_TIMEWAIT_DROP);
	ck_assert_int_eq(act(seg(TCP_ACK, 1, 2, 10)), TCP_TIMEWAIT_ACK);
	ck_assert_uint_lt(tw.until_us, now + 60 * SEC);
	ck_assert_int_eq(act(seg(TCP_ACK | TCP_FIN, 1, 2, 0)), TCP_TIMEWAIT_ACK);
	ck_assert_uint_eq(tw.until_us, now + 60 * SEC);
	memset(&hdr, 0xff, sizeof(hdr));
	tcp_timewait_header(&tw, now, &hdr);
	ck_assert_uint_eq(hdr.flags, TCP_ACK);
	ck_assert_uint_eq(hdr.seq, our_iss + 2);
	ck_assert_uint_eq(hdr.ack, peer_iss + 2);
	ck_assert(!hdr.opt.has_ts && !hdr.opt.sack_count);
	ck_assert_int_eq(act(seg(TCP_RST, 3, 0, 0)), TCP_TIMEWAIT_DROP);
	ck_assert_int_eq(act(seg(TCP_RST, 2, 0, 0)), TCP_TIMEWAIT_END);
	ck_assert_int_eq(act(seg(TCP_SYN, 2, 0, 0)), TCP_TIMEWAIT_ACK);
	ck_assert_int_eq(act(seg(TCP_SYN, 3, 0, 0)), TCP_TIMEWAIT_NEW);
	ck_assert_int_eq(act(seg(TCP_SYN | TCP_ACK, 3, 0, 0)), TCP_TIMEWAIT_ACK);
}
END_TEST

START_TEST(timestamps)
{
	closed(true);
	now += 10 * SEC;
	ck_assert_int_eq(act(with_ts(seg(TCP_SYN, 0x90000000u, 0, 0), 6001, 0)),
			 TCP_TIMEWAIT_NEW);
	ck_assert_int_eq(act(with_ts(seg(TCP_SYN, 100, 0, 0), 5999, 0)), TCP_TIMEWAIT_ACK);
	ck_assert_int_eq(act(with_ts(seg(TCP_SYN, 100, 0, 0), 6000, 0)), TCP_TIMEWAIT_NEW);
	/* An old copy of the FIN is answered but does not prolong. */
	ck_assert_int_eq(act(with_ts(seg(TCP_ACK | TCP_FIN, 1, 2, 0), 5000, 0)),
			 TCP_TIMEWAIT_ACK);
	ck_assert_uint_lt(tw.until_us, now + 60 * SEC);
	tcp_timewait_header(&tw, now, &hdr);
	ck_assert(hdr.opt.has_ts);
	ck_assert_uint_eq(hdr.opt.ts_ecr, 6000);
}
END_TEST

/* A newer timestamp protects a new connection only if that has timestamps, too (RFC 6191). */
START_TEST(timestamps_no_more)
{
	closed(true);
	tc.cfg.timestamps = false;
	tcp_timewait_init(&tw, &tc, now);
	now += 10 * SEC;
	ck_assert_int_eq(act(with_ts(seg(TCP_SYN, 0x90000000u, 0, 0), 6001, 0)),
			 TCP_TIMEWAIT_ACK);
	ck_assert_int_eq(act(with_ts(seg(TCP_SYN, 100, 0, 0), 5999, 0)), TCP_TIMEWAIT_NEW);
	/* What is left of the old one has them. */
	tcp_timewait_header(&tw, now, &hdr);
	ck_assert(hdr.opt.has_ts);
}
END_TEST

START_TEST(reset_for)
{
	our_iss = 100;
	peer_iss = 0xffffffffu;
	ck_assert(!tcp_reset_for(seg(TCP_RST, 0, 0, 0), &hdr));
	ck_assert(tcp_reset_for(seg(TCP_ACK, 5, 7, 20), &hdr));
	ck_assert_uint_eq(hdr.flags, TCP_RST);
	ck_assert_uint_eq(hdr.seq, 107);
	ck_assert(tcp_reset_for(seg(TCP_SYN, 0, 0, 0), &hdr));
	ck_assert_uint_eq(hdr.flags, TCP_RST | TCP_ACK);
	ck_assert_uint_eq(hdr.seq, 0);
	ck_assert_uint_eq(hdr.ack, 0);
	ck_assert(tcp_reset_for(seg(TCP_FIN, 1, 0, 20), &hdr));
	ck_assert_uint_eq(hdr.ack, 21);
}
END_TEST

UNIT_MAIN("tcp timewait", plain, timestamps, timestamps_no_more, reset_for)
