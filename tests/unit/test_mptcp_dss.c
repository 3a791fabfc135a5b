/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scenarios of RFC 8684, section 3.3: mappings and DATA_ACKs of all lengths, in all orders,
 * at all ends of the sequence spaces, right and wrong; and what middleboxes make of them.
 */
#include "mptcp_script.h"

/* ---- lengths ------------------------------------------------------------------ */

START_TEST(all_lengths_of_dsn_and_data_ack)
{
	static const char *const data[] = {
		"< a PA len 5 dss(A0 M0+5@1)", "< a PA len 5 dss(A0 m0+5@1)",
		"< a PA len 5 dss(a0 M0+5@1)", "< a PA len 5 dss(a0 m0+5@1)",
		"< a PA len 5 dss(M0+5@1)", "< a PA len 5 dss(m0+5@1)",
	};
	static const char *const acks[] = { "< a A dss(A1000)", "< a A dss(a1000)" };

	for (size_t i = 0; i < sizeof(data) / sizeof(data[0]); i++)
		for (size_t k = 0; k < 2; k++)
			SCRIPT(1, OPEN,
			       data[i],
			       "= 5",
			       "+ 50ms",
			       strchr(data[i], 'm') ? "> a A dss(a5)" : "> a A dss(A5)",
			       "! write 1000",
			       "> a PA len 1000 dss(A5 M0+1000@1)",
			       acks[k],
			       "! write 10",
			       "> a PA len 10 dss(A5 M1000+10@1001)");
}
END_TEST

START_TEST(whole_dsns_get_whole_data_acks)
{
	SCRIPT_BOTH(OPEN, "< a PA len 5 dss(a0 m0+5@1)", "+ 50ms", "> a A dss(a5)",
		    /* Beside a mapping only what is not acknowledged yet, ... */
		    "! write 10", "> a PA len 10 dss(A5 M0+10@1)",
		    "< a PA len 5 dss(a10 m5+5@6)",
		    "! write 10", "> a PA len 10 dss(a10 M10+10@11)",
		    /* ... and short ones as ever, ... */
		    "< a PA len 5 dss(a20 M10+5@11)", "+ 50ms", "> a A dss(A15)",
		    /* ... but not if they acknowledge both kinds. */
		    "< a PA len 5 dss(a20 m15+5@16)", "< a PA len 5 dss(a20 M20+5@21)",
		    "+ 50ms", "> a A dss(a25)",
		    /* SACK blocks want the room of repetitions only. */
		    "< a PA len 5 seq 31 of 30 dss(a20 m30+5@31)",
		    "> a A ack 26 sack 31-36 dss(A25)",
		    "< a PA len 4 seq 26 of 25 dss(a20 m25+4@26)",
		    "> a A ack 30 sack 31-36 dss(a29)");
	/* DATA_FIN, too; ours, alone, is always whole. */
	SCRIPT_BOTH(OPEN, "< a A dss(a0 m0+1@0 F)", "> a A dss(a1)",
		    "! shutdown", "> a A dss(A1 m0+1@0 F)");
}
END_TEST

/* From 4 GiB in two minutes on, the low half could be taken for another. */
START_TEST(fast_streams_have_whole_numbers)
{
	struct mptcp_conn *conn;

	script_begin(1);
	SCRIPT_LINES(OPEN, JOIN_B);
	conn = script_.p.conn;
	/* As if a GiB had gone each way within ten seconds ... */
	conn->snd_pace.begin -= 1u << 30;
	conn->rcv_pace.begin -= 1u << 30;
	script_.p.now_us += 10 * 1000000;
	SCRIPT_LINES("! write 10", "> a PA len 10 dss(A0 m0+10@1)",
		     "< a A dss(a10)",
		     "< a PA len 5 dss(a10 m0+5@1)",
		     "+ 50ms",
		     "> a A dss(a5)",
		     /* ... never both in one option ... */
		     "! write 10", "> a PA len 10 dss(A5 m10+10@11)",
		     "< a A dss(a20)",
		     /* ... and not where SACK blocks want the room ... */
		     "< a A len 5 seq 11 of 10 dss(a20 m10+5@11)",
		     "> a A ack 6 sack 11-16 dss(A5)");
	/* ... and the next one in a minute. */
	conn->snd_pace.begin -= 1u << 30;
	conn->rcv_pace.begin -= 1u << 30;
	script_.p.now_us += 60 * 1000000;
	SCRIPT_LINES("! write 10", "> a PA ack 6 len 10 sack 11-16 dss(A5 M20+10@21)", "< a A dss(a30)");
	script_end();
}
END_TEST

/* ---- order ---------------------------------------------------------------------- */

START_TEST(mapping_ahead_of_its_data)
{
	SCRIPT(1, OPEN,
	       "< a A dss(a0 m0+10@1)",
	       "< a A len 4 of 0 dss(a0)",
	       "< a PA len 6 of 4 dss(a0)",
	       "= 10",
	       "+ 50ms",
	       "> a A dss(a10)");
}
END_TEST

START_TEST(several_mappings_announced_in_any_order)
{
	SCRIPT(1, OPEN,
	       "< a A dss(a0 m10+5@11)",
	       "< a A dss(a0 m0+5@1)",
	       "< a A dss(a0 m5+5@6)",
	       "< a PA len 15 of 0 dss(a0)",
	       "= 15",
	       "+ 50ms",
	       "> a A dss(a15)");
}
END_TEST

START_TEST(mapping_boundary_within_a_segment)
{
	/* Two mappings, cut elsewhere by a middlebox that copies options. */
	SCRIPT(1, OPEN,
	       "< a A len 3 dss(a0 m0+5@1)",
	       "< a A len 4 of 3 dss(a0 m5+5@6)",
	       "< a PA len 3 of 7 dss(a0)",
	       "= 10",
	       "+ 50ms",
	       "> a A dss(a10)");
}
END_TEST

START_TEST(mappings_of_one_segment_out_of_stream_order)
{
	/* The later part of the stream first: it waits. */
	SCRIPT(1, OPEN,
	       "< a A dss(a0 m0+5@6)",
	       "< a PA len 5 dss(a0 m5+5@1)",
	       "= 0",
	       "+ 50ms",
	       "> a A dss(a0)",
	       "< a PA len 5 of 0 dss(a0)",
	       "= 10",
	       "+ 50ms",
	       "> a A dss(a10)");
}
END_TEST

START_TEST(mapping_that_extends_another)
{
	SCRIPT(1, OPEN,
	       "< a A dss(a0 m0+5@1)",
	       "< a A dss(a0 m10+5@11)",
	       /* Over both, the gap between them and what is behind. */
	       "< a A dss(a0 m0+20@1)",
	       "< a PA len 20 of 0 dss(a0)",
	       "= 20",
	       "? mp_bad_mapping 0",
	       "+ 50ms",
	       "> a A dss(a20)");
}
END_TEST

START_TEST(mapping_of_used_bytes_extends_them)
{
	SCRIPT(1, OPEN,
	       "< a PA len 5 dss(a0 m0+5@1)",
	       "< a PA len 5 dss(a0 m0+10@1)",
	       "= 10",
	       "+ 50ms",
	       "> a A dss(a10)");
}
END_TEST

START_TEST(half_a_mapping_has_no_checksum)
{
	/* Its first half was used; on the only subflow, what is left is the stream anyway. */
	SCRIPT(1, "! checksum", "< a S capable", "! accept", "> a SA capable(flags AH)",
	       "< a A capable(flags AH)", "+ 10ms", "> a A dss(A0)",
	       "< a PA len 5 dss(a0 m0+5@1 sum)",
	       "< a PA len 5 dss(a0 m0+10@1 sum)",
	       "= 10",
	       "? mp_bad_checksum 0",
	       "? mode fallback",
	       "> a A dss(A10 m0+0@1 sum)");
}
END_TEST

START_TEST(contradicting_mapping_is_void)
{
	SCRIPT(1, OPEN,
	       "< a A dss(a0 m0+5@1)",
	       "< a A dss(a0 m100+5@3)",
	       "? mp_bad_mapping 1",
	       "< a PA len 5 of 0 dss(a0)",
	       "= 5",
	       "+ 50ms",
	       "> a A dss(a5)");
}
END_TEST

START_TEST(repeated_mapping_and_data)
{
	SCRIPT(1, OPEN,
	       "< a PA len 5 dss(a0 m0+5@1)",
	       "+ 50ms",
	       "> a A dss(a5)",
	       /* By TCP, which says so, and by MPTCP on new bytes of the subflow. */
	       "< a PA len 5 seq 1 dss(a0 m0+5@1)",
	       "> a A sack 1-6 dss(a5)",
	       "< a PA len 5 dss(a0 m0+5@6)",
	       "= 5",
	       "? mp_dup 5",
	       "+ 50ms",
	       "> a A dss(a5)");
}
END_TEST

START_TEST(mapping_longer_than_what_is_sent)
{
	SCRIPT(1, OPEN, JOIN_B,
	       "< b PA len 5 dss(a0 m0+65535@1)",
	       "= 5",
	       "+ 50ms",
	       "> b A dss(a5)",
	       /* The rest comes on the other subflow, and this one ends. */
	       "< b FA dss(a0)",
	       "> b FA dss(a5)",
	       "< a PA len 5 dss(a0 m5+5@1)",
	       "= 10",
	       "+ 50ms",
	       "> a A dss(a10)");
}
END_TEST

/* ---- middleboxes -------------------------------------------------------------------- */

START_TEST(split_segments_repeat_their_mapping)
{
	/* As segmentation offload does. */
	SCRIPT_BOTH(OPEN,
		    "< a A len 4 dss(a0 m0+12@1)",
		    "< a A len 4 dss(a0 m0+12@1)",
		    "< a PA len 4 dss(a0 m0+12@1)",
		    "= 12",
		    "+ 50ms",
		    "> a A dss(a12)");
}
END_TEST

START_TEST(split_segments_lose_their_mapping)
{
	/* Only the first part has it, which covers the others. */
	SCRIPT(1, OPEN,
	       "< a A len 4 dss(a0 m0+12@1)",
	       "< a A len 4 of 4",
	       "< a PA len 4 of 8",
	       "= 12",
	       "? mode mptcp",
	       "+ 50ms",
	       "> a A dss(a12)");
}
END_TEST

START_TEST(merged_segments_lose_a_mapping)
{
	/* Two of five bytes in one, with the options of the first.  On the only subflow, which
	 * is all there is, the bytes are the stream anyway. */
	SCRIPT_BOTH(OPEN,
		    "< a PA len 10 dss(a0 m0+5@1)",
		    "= 10",
		    "? mode fallback",
		    "+ 50ms",
		    "> a A dss(a10)");
}
END_TEST

START_TEST(mapping_behind_its_data)
{
	/* A middlebox that moved an option to another segment, or its sender's choice. */
	SCRIPT_BOTH(OPEN, JOIN_B,
		    "< b PA len 5 of 0 dss(a0)",
		    "= 0",
		    "+ 50ms",
		    "> b A dss(A0)",
		    "< b PA len 5 of 5 dss(a0 m0+10@1)",
		    "= 10",
		    "+ 50ms",
		    "> b A dss(a10)",
		    "< b PA len 5 of 10 dss(a0)",
		    "< b A dss(a0 m10+5@11)",
		    "= 15",
		    "+ 50ms",
		    "> b A dss(a15)");
}
END_TEST

START_TEST(merged_segments_lose_a_mapping_among_two)
{
	/* Here they wait, until it is clear that it is lost; then they come again. */
	SCRIPT(1, OPEN, JOIN_B,
	       "< b PA len 10 dss(a0 m0+5@1)",
	       "= 5",
	       "+ 50ms",
	       "> b A dss(a5)",
	       "< b PA len 5 dss(a0 m10+5@11)",
	       "? mp_unmapped 5",
	       "+ 50ms",
	       "> b A dss(a5)",
	       "< a PA len 5 dss(a0 m5+5@1)",
	       "= 15",
	       "+ 50ms",
	       "> a A dss(a15)",
	       "? subflows 2");
}
END_TEST

START_TEST(mapping_behind_data_without_options)
{
	/* Behind data with a DSS, which shows that options pass, such without may wait, too. */
	SCRIPT_BOTH(OPEN, JOIN_B,
		    "< b PA len 5 of 0 dss(a0)",
		    "+ 60s",
		    "> b A dss(A0)",
		    "< b PA len 5 of 5 dss(a0)",
		    "< b PA len 5 of 10",
		    "+ 5s",
		    "> b A dss(A0)",
		    "< b PA len 5 of 15",
		    "< b A dss(a0 m0+20@1)",
		    "= 20",
		    "+ 50ms",
		    "> b A dss(a20)",
		    /* A path on which nothing comes behind what waits is not given up, nor one on
		     * which what comes is mapped. */
		    "< b PA len 10 dss(a0 m20+5@21)",
		    "= 25",
		    "+ 3600s",
		    "> b A dss(a25)",
		    "< b A dss(a0 m25+5@31)",
		    "< b PA len 5 of 25",
		    "= 30",
		    "? mp_unmapped 5",
		    "+ 50ms",
		    "> b A dss(a30)",
		    "? subflows 2");
}
END_TEST

START_TEST(options_lost_behind_what_waits_resets_one)
{
	SCRIPT(1, OPEN, JOIN_B,
	       /* A packet that has options fills a gap before one that has lost them. */
	       "< b PA len 5 of 0 seq 6",
	       "> b A ack 1 sack 6-11 dss(A0)",
	       "< b PA len 5 seq 1 dss(a0 m0+5@1)",
	       "> b A dss(a5)",
	       "= 5",
	       /* The peer misses the DATA_ACK of what came first, and sends that again. */
	       "< b PA len 5 of 5",
	       "+ 50ms",
	       "> b A dss(a5)",
	       "+ 15s",
	       "< b PA len 5 of 5",
	       "> b RA tcprst(6)",
	       "? mp_no_mapping 1",
	       "? subflows 1",
	       "< a PA len 5 dss(a0 m5+5@1)",
	       "= 10",
	       "+ 50ms",
	       "> a A dss(a10)");
}
END_TEST

START_TEST(unmapped_data_is_bounded)
{
	static char line[40];
	int n;

	script_begin(1);
	script_.p.cfg.rcvbuf_initial = script_.p.cfg.rcvbuf_max = 65536;
	SCRIPT_LINES(OPEN, JOIN_B);
	/* A window of it, and once that again; then the path counts as broken. */
	for (n = 0; n < 200 && script_.p.conn->subflow_count == 2; n++) {
		snprintf(line, sizeof(line), "< b A len 1400 of %d dss(a0)", 1400 * n);
		SCRIPT_LINES(line);
		peer_run(&script_.p);
		peer_forget(&script_.p);
		ck_assert_uint_le(script_.p.pool.used_bytes, 3 * 65536 + POOL_BLOCK);
	}
	ck_assert_int_ge(n, 65536 / 1400);
	ck_assert_int_le(n, 4 * 65536 / 1400);
	peer_forget(&script_.p);
	SCRIPT_LINES("? subflows 1", "= 0");
	script_end();
}
END_TEST

/* ---- ends of the sequence spaces ------------------------------------------------------ */

/* Puts both streams of an open connection at `dsn`. */
static void move_streams(uint64_t dsn)
{
	struct mptcp_conn *conn = script_.p.conn;

	conn->snd_una = conn->snd_nxt = dsn;
	conn->snd_wnd_edge = dsn + 65535;
	stream_fini(&conn->sendq);
	stream_init(&conn->sendq, conn->env->pool, dsn);
	conn->rcv_nxt = conn->consumed = dsn;
	conn->rcv_adv = conn->rcv_told = dsn + conn->rcvbuf;
	conn->rcv_round_dsn = conn->rcv_pace.begin = conn->snd_pace.begin = dsn;
	script_.idsn = script_.peer_idsn = dsn - 1;
}

START_TEST(data_sequence_numbers_wrap)
{
	/* The low half, and all of it. */
	static const uint64_t places[] = { 0x1fffffffcu, 0xfffffffffffffffcu };

	for (int i = 0; i < 2; i++) {
		script_begin(1);
		SCRIPT_LINES(OPEN);
		move_streams(places[i]);
		SCRIPT_LINES("< a PA len 3 dss(A0 M0+3@1)",
			     "< a PA len 3 dss(a0 M3+3@4)",
			     "< a PA len 3 dss(A0 m6+3@7)",
			     "= 9",
			     "+ 50ms",
			     "> a A dss(a9)",
			     /* So close to the end of the low half all are whole. */
			     "! write 3",
			     "> a PA len 3 dss(A9 m0+3@1)",
			     "! write 3",
			     "> a PA len 3 dss(A9 m3+3@4)",
			     "< a A dss(A6)",
			     "! write 3",
			     "> a PA len 3 dss(A9 m6+3@7)",
			     "< a A dss(A9)",
			     "! shutdown",
			     "> a A dss(A9 m9+1@0 F)",
			     "< a A dss(A10 M9+1@0 F)",
			     "? state TIME_WAIT",
			     "> a FA dss(a10)");
		script_end();
	}
}
END_TEST

/*
 * Without timestamps a segment of the subflow's last turn of sequence numbers looks like one of
 * today, but for its mapping: it delivers nothing.  What it took the place of is no more than
 * lost, and comes again at the level of data.
 */
START_TEST(segment_of_the_last_turn)
{
	SCRIPT_BOTH(OPEN, "< a PA len 5 dss(a0 m0+5@1)", "= 5", "+ 50ms", "> a A dss(a5)",
		    /* 4 GiB ago in both sequence spaces. */
		    "< a PA len 5 of 0 dss(a0 m18446744069414584325+5@6)",
		    "= 5", "+ 50ms", "> a A dss(a5)",
		    "< a PA seq 6 len 5 of 5 dss(a0 m5+5@6)",
		    "= 5", "> a A sack 6-11 dss(a5)",
		    "< a PA seq 11 len 5 of 5 dss(a0 m5+5@11)",
		    "= 10", "+ 50ms", "> a A dss(a10)");
}
END_TEST

START_TEST(data_fin_at_the_wrap)
{
	/* The streams end with the last number there is; DATA_FIN has 0. */
	script_begin(1);
	SCRIPT_LINES(OPEN);
	move_streams(UINT64_MAX - 2);
	SCRIPT_LINES("< a PA len 3 dss(a0 m0+4@1 F)",
		     "= 3",
		     "? event fin",
		     "> a A dss(a4)",
		     "! write 3 end",
		     "> a PA len 3 dss(A4 m0+4@1 F)",
		     "< a A dss(A4)",
		     "? state TIME_WAIT",
		     "> a FA dss(a4)");
	ck_assert_uint_eq(script_.p.conn->rcv_nxt, 1);
	script_end();
}
END_TEST

START_TEST(subflow_sequence_numbers_wrap)
{
	struct tcp_conn *tcp;

	for (int sums = 0; sums < 2; sums++) {
		script_begin(1);
		script_.p.cfg.checksum = sums;
		SCRIPT_LINES("< a S capable", "! accept",
			     sums ? "> a SA capable(flags AH)" : "> a SA capable",
			     sums ? "< a A capable(flags AH)" : "< a A capable",
			     "+ 10ms", "> a A dss(A0)");
		/* As if nearly 4 GiB had gone each way. */
		tcp = &script_.flow[0].f.sf->tcp;
		tcp->irs -= 0xfffffffcu;
		tcp->iss -= 0xfffffffcu;
		script_.flow[0].f.isn -= 0xfffffffcu;
		script_.flow[0].f.peer_isn -= 0xfffffffcu;
		SCRIPT_LINES(sums ? "< a PA len 5 dss(a0 m0+5@4294967293 sum)"
				  : "< a PA len 5 dss(a0 m0+5@4294967293)",
			     sums ? "< a PA len 5 dss(a0 m5+5@2 sum)"
				  : "< a PA len 5 dss(a0 m5+5@2)",
			     "= 10",
			     "+ 50ms",
			     "> a A dss(a10)",
			     "! write 5",
			     sums ? "> a PA len 5 dss(A10 M0+5@4294967293 sum)"
				  : "> a PA len 5 dss(A10 M0+5@4294967293)",
			     "! write 5",
			     sums ? "> a PA len 5 dss(A10 M5+5@2 sum)"
				  : "> a PA len 5 dss(A10 M5+5@2)",
			     "< a A dss(a10)");
		script_end();
	}
}
END_TEST

/* ---- out of the window ---------------------------------------------------------------- */

START_TEST(data_out_of_the_window_is_not_acknowledged)
{
	SCRIPT_BOTH(OPEN, JOIN_B,
		    /* Far ahead, and far behind. */
		    "< b PA len 5 dss(a0 m1000000000+5@1)",
		    "? mp_bad_mapping 1",
		    "+ 50ms",
		    "> b A dss(a0)",
		    "< b PA len 5 dss(a0 m-1000000+5@6)",
		    "= 0",
		    "+ 50ms",
		    "> b A dss(a0)",
		    "? subflows 2");
}
END_TEST

/* The window is one for all subflows; the one that is left has room of its own, and is asked
 * whether that has become true of the window, in case that the peer's word of it got lost. */
START_TEST(shut_window_is_probed_where_tcp_has_room)
{
	SCRIPT_BOTH("< a S win 160 capable", "! accept", "> a SA capable",
		    "< a A win 10 capable", "+ 10ms", "> a A dss(A0)",      /* times 16 */
		    "< b S win 160 join(2)", "> b SA join(0)",
		    "< b A win 10 join", "> b A dss(A0)",
		    "! write 200",
		    "> a PA len 160 dss(A0 M0+160@1)",
		    "< a A win 0 dss(a160)",
		    "< a R",
		    "? subflows 1",
		    "+ 250ms",
		    "> b A seq 0 dss(A0)",
		    "? tcp_zero_probe 1",
		    "< b A win 10 dss(a160)",
		    "> b PA len 40 dss(A0 m160+40@1)");
}
END_TEST

/* Windows of 160 bytes. */
#define OPEN_SMALL "< a S win 160 capable", "! accept", "> a SA capable", \
		   "< a A win 10 capable", "+ 10ms", "> a A dss(A0)"
#define JOIN_SMALL "< b S win 160 join(2)", "> b SA join(0)", "< b A win 10 join", "> b A dss(A0)"

/* Some middlebox may have made one smaller: the largest edge told counts, and on each subflow
 * its own window besides (section 3.3.5). */
START_TEST(largest_window_counts)
{
	SCRIPT_BOTH(OPEN_SMALL, JOIN_SMALL,
		    "< b A win 2 dss(a0)",
		    "! write 400",
		    "> a PA len 160 dss(A0 M0+160@1)",
		    "< b A win 20 dss(a0)",
		    "> b PA len 160 dss(A0 m160+160@1)",
		    "< a A win 20 dss(a160)",
		    "> a PA len 80 dss(A0 M320+80@161)");
}
END_TEST

/* To `a' it would be no news, but `b' has gone. */
START_TEST(opened_window_is_told_where_another_was_shut)
{
	SCRIPT_BOTH("! rcvbuf 8192", OPEN, JOIN_B,
		    "< b PA len 8192 dss(a0 M0+8192@1)",
		    "= 8192",
		    "> b A win 0 dss(A8192)",
		    "< b R",
		    "? subflows 1",
		    "! consume 1000",
		    "! consume 7192",
		    "> a A dss(A8192)",
		    "< a PA len 10 dss(a0 M8192+10@1)",
		    "= 8202",
		    "+ 50ms",
		    "> a A dss(A8202)");
}
END_TEST

UNIT_MAIN("mptcp_dss", largest_window_counts, opened_window_is_told_where_another_was_shut,
	  all_lengths_of_dsn_and_data_ack, whole_dsns_get_whole_data_acks,
	  fast_streams_have_whole_numbers,
	  mapping_ahead_of_its_data, several_mappings_announced_in_any_order,
	  mapping_boundary_within_a_segment, mappings_of_one_segment_out_of_stream_order,
	  mapping_that_extends_another, mapping_of_used_bytes_extends_them,
	  half_a_mapping_has_no_checksum,
	  contradicting_mapping_is_void, repeated_mapping_and_data,
	  mapping_longer_than_what_is_sent, split_segments_repeat_their_mapping,
	  split_segments_lose_their_mapping, merged_segments_lose_a_mapping,
	  mapping_behind_its_data, merged_segments_lose_a_mapping_among_two,
	  mapping_behind_data_without_options, options_lost_behind_what_waits_resets_one,
	  unmapped_data_is_bounded,
	  data_sequence_numbers_wrap, segment_of_the_last_turn, data_fin_at_the_wrap,
	  subflow_sequence_numbers_wrap,
	  data_out_of_the_window_is_not_acknowledged,
	  shut_window_is_probed_where_tcp_has_room)
