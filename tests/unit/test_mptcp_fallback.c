/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scenarios of RFC 8684, section 3.7 (RFC 6824, section 3.6): options that get lost,
 * checksums that are wrong, MP_FAIL and infinite mappings, from either side.
 */
#include "mptcp_script.h"

/* The handshake of a connection with checksums, up to the first DSS. */
#define OPEN_SUM "! checksum", "< a S capable", "! accept", "> a SA capable(flags AH)", \
		 "< a A capable(flags AH)", "+ 10ms", "> a A dss(A0)"

/* ---- checksums ---------------------------------------------------------------- */

START_TEST(checksum_covers_data_fin)
{
	/* The length that is summed counts the DATA_FIN. */
	SCRIPT_BOTH(OPEN_SUM,
		    "< a PA len 5 dss(a0 m0+6@1 F sum)",
		    "= 5",
		    "? event fin",
		    "> a A dss(a6)",
		    /* ... and so it does on the way back. */
		    "! write 7 end",
		    "> a PA len 7 dss(A6 M0+8@1 F sum)",
		    "< a A dss(a8)",
		    "? state TIME_WAIT",
		    "> a FA dss(a6)");
}
END_TEST

START_TEST(checksum_of_data_fin_alone)
{
	SCRIPT_BOTH(OPEN_SUM,
		    "< a A dss(a0 m0+1@0 F badsum)",
		    "? mp_bad_checksum 1",
		    "? state ESTABLISHED",
		    "< a A dss(a0 m0+1@0 F sum)",
		    "? state CLOSE_WAIT",
		    "> a A dss(a1)",
		    "! shutdown",
		    "> a A dss(A1 m0+1@0 F sum)");
}
END_TEST

START_TEST(missing_checksum_resets)
{
	SCRIPT_BOTH(OPEN_SUM,
		    "< a PA len 5 dss(a0 m0+5@1)",
		    "= 0",
		    "? mp_no_checksum 1",
		    "> a RA tcprst(1)",
		    "? subflows 0");
	SCRIPT(1, "! checksum", "< a S capable", "! accept", "> a SA capable(flags AH)",
	       "< a PA len 5 of 0 capable(flags AH len 5)",
	       "= 0",
	       "> a RA tcprst(1)");
}
END_TEST

START_TEST(checksum_not_agreed_resets)
{
	SCRIPT(1, OPEN,
	       "< a PA len 5 dss(a0 m0+5@1 sum)",
	       "= 0",
	       "? mp_unagreed_checksum 1",
	       "> a RA tcprst(1)",
	       "? subflows 0");
	SCRIPT(1, OPEN, JOIN_B,
	       "< b A dss(a0 m0+1@0 F sum)",
	       "> b RA tcprst(1)",
	       "? subflows 1", "? state ESTABLISHED");
	SCRIPT(1, "< a S capable", "! accept", "> a SA capable",
	       "< a PA len 5 of 0 capable(len 5 sum)",
	       "= 0",
	       "> a RA tcprst(1)");
}
END_TEST

START_TEST(v0_checksum_not_agreed_is_ignored)
{
	SCRIPT(0, OPEN,
	       "< a PA len 5 dss(a0 m0+5@1 badsum)",
	       "= 5",
	       "+ 50ms",
	       "> a A dss(a5)");
}
END_TEST

START_TEST(checksum_over_several_segments)
{
	SCRIPT_BOTH(OPEN_SUM,
		    "< a A len 5 dss(a0 m0+12@1 sum)",
		    "= 0",
		    "< a A len 4 seq 6 of 5 dss(a0)",
		    "= 0",
		    "< a PA len 3 seq 10 of 9 dss(a0)",
		    "= 12",
		    "+ 50ms",
		    "> a A dss(a12)");
}
END_TEST

START_TEST(checksum_on_first_data_with_keys)
{
	SCRIPT(1, "! checksum", "< a S capable", "! accept", "> a SA capable(flags AH)",
	       "< a PA len 5 of 0 capable(flags AH len 5 sum)",
	       "= 5",
	       "+ 50ms",
	       "> a A dss(A5)");
}
END_TEST

/* ---- wrong checksums received --------------------------------------------------- */

START_TEST(bad_checksum_falls_back_by_infinite_mapping)
{
	SCRIPT_BOTH(OPEN_SUM,
		    "< a PA len 5 dss(a0 m0+5@1 sum)",
		    "+ 50ms",
		    "> a A dss(a5)",
		    "< a PA len 5 dss(a0 m5+5@6 badsum)",
		    "? mp_bad_checksum 1",
		    /* Neither read nor DATA_ACKed, and what comes behind it neither. */
		    "= 5",
		    "> a A dss(A5) fail(5)",
		    "< a PA len 5 dss(a0 m10+5@11 sum)",
		    "+ 50ms",
		    "> a A dss(A5) fail(5)",
		    "= 5",
		    "? mode mptcp",
		    /* Agreed.  Our infinite mapping, too, goes on data; there is none. */
		    "< a A fail(0) dss(a0)",
		    "= 15",
		    "> a A dss(A15 m0+0@1 sum)",
		    "< a PA len 5 dss(a0 m15+0@16)",
		    "= 20",
		    "? mode fallback",
		    "? mp_fallback_checksum 1",
		    "> a A",
		    "< a PA len 5 of 20",
		    "= 25",
		    "! write 10",
		    "> a PA len 10",
		    "? event fallback");
}
END_TEST

START_TEST(agreed_and_then_only_the_end)
{
	/* No more data that could carry the infinite mapping. */
	SCRIPT_BOTH(OPEN_SUM,
		    "< a PA len 5 dss(a0 m0+5@1 badsum)",
		    "> a A dss(A0) fail(0)",
		    "< a A dss(a0) fail(0)",
		    "= 5",
		    "> a A dss(A5 m0+0@1 sum)",
		    "< a A dss(a0 m5+1@0 F sum)",
		    "? event fin",
		    "> a A dss(A6 m0+0@1 sum)",
		    "! shutdown",
		    "> a A dss(A6 m0+1@0 F sum)",
		    "< a A dss(a1)",
		    "> a FA dss(a6)");
}
END_TEST

START_TEST(agreed_and_then_beyond_the_window)
{
	script_begin(1);
	script_.p.cfg.rcvbuf_initial = script_.p.cfg.rcvbuf_max = 8192;
	SCRIPT_LINES(OPEN_SUM,
		     "< a PA len 5 dss(a0 m0+5@1 badsum)",
		     "> a A dss(A0) fail(0)",
		     /* More than was offered at the data level cannot be dropped here. */
		     "< a PA len 5000 of 5 dss(a0 m5+5000@6 sum)",
		     "> a A dss(A0) fail(0)",
		     "< a PA len 5000 of 5005 dss(a0 m5005+5000@5006 sum)",
		     "> a A dss(A0) fail(0)",
		     "< a A dss(a0) fail(0)",
		     "> a RA tcprst(1)",
		     "? mp_bad_mapping 1");
	script_end();
}
END_TEST

START_TEST(infinite_mapping_on_repeated_data)
{
	/* The sender had nothing new: it puts the mapping on what was not DATA_ACKed. */
	SCRIPT_BOTH(OPEN_SUM,
		    "< a PA len 5 dss(a0 m0+5@1 badsum)",
		    "> a A dss(A0) fail(0)",
		    "= 0",
		    "< a PA len 5 seq 6 dss(a0 m0+0@6)",
		    "= 5",
		    "> a A",
		    "< a FA",
		    "= 5",
		    "? event fin",
		    "> a A");
}
END_TEST

START_TEST(infinite_mapping_retroactive)
{
	SCRIPT_BOTH(OPEN_SUM,
		    "< a PA len 5 dss(a0 m0+5@1 sum)",
		    "+ 50ms",
		    "> a A dss(a5)",
		    "< a PA len 5 dss(a0 m5+5@6 badsum)",
		    "> a A dss(A5) fail(5)",
		    "< a PA len 5 dss(a0 m0+0@1) of 10",
		    "= 15",
		    "> a A");
}
END_TEST

START_TEST(repetition_before_the_infinite_mapping)
{
	/* Repeated with a mapping, before the sender heard of MP_FAIL. */
	SCRIPT_BOTH(OPEN_SUM,
		    "< a PA len 5 dss(a0 m0+5@1 badsum)",
		    "> a A dss(A0) fail(0)",
		    "< a PA len 5 dss(a0 m0+5@6 sum)",
		    "+ 50ms",
		    "> a A dss(A0) fail(0)",
		    "< a PA len 5 dss(a0 m5+0@11)",
		    "= 10",
		    "> a A");
}
END_TEST

START_TEST(bare_data_does_not_answer_mp_fail)
{
	/* It may be new, or a repetition by a peer that was never told, options lost. */
	SCRIPT_BOTH(OPEN_SUM,
		    "< a PA len 5 dss(a0 m0+5@1 badsum)",
		    "> a A dss(A0) fail(0)",
		    "< a PA len 5 of 0",
		    "= 0",
		    "? mp_no_mapping 1",
		    "> a RA fail(0) tcprst(6)",
		    "? subflows 0");
	/* Once it has answered, it has fallen back. */
	SCRIPT_BOTH(OPEN_SUM,
		    "< a PA len 5 dss(a0 m0+5@1 badsum)",
		    "> a A dss(A0) fail(0)",
		    "< a A fail(0) dss(a0)",
		    "> a A dss(A5 m0+0@1 sum)",
		    "< a PA len 5 of 5",
		    "= 10",
		    "? mode fallback",
		    "+ 50ms",
		    "> a A");
}
END_TEST

START_TEST(mp_fail_is_repeated_until_it_is_answered)
{
	/* As far as the peer tells, ours was lost: whatever asks for an ACK gets it again. */
	SCRIPT_BOTH(OPEN_SUM,
		    "< a PA len 5 dss(a0 m0+5@1 badsum)",
		    "> a A dss(A0) fail(0)",
		    "< a PA seq 1 len 5 dss(a0 m0+5@1 badsum)",
		    "> a A sack 1-6 dss(A0) fail(0)",
		    "< a A seq 5 dss(a0)",
		    "> a A dss(A0) fail(0)",
		    "< a A fail(0) dss(a0)",
		    "= 5",
		    "> a A dss(A5 m0+0@1 sum)",
		    "< a PA seq 1 len 5 dss(a0 m0+5@1 badsum)",
		    "> a A sack 1-6 dss(A5 m0+0@1 sum)");
}
END_TEST

START_TEST(fastclose_goes_before_mp_fail)
{
	/* MP_FAIL is due on the next ACK, but the connection is at its end. */
	SCRIPT_BOTH(OPEN_SUM,
		    "< a PA len 5 dss(a0 m0+5@1 badsum)",
		    "> a A dss(A0) fail(0)",
		    "< a PA len 5 dss(a0 m5+5@6 sum)",
		    "! abort",
		    "> a A fastclose");
	/* On RSTs, too. */
	SCRIPT_BEGIN(1, OPEN_SUM,
		     "< a PA len 5 dss(a0 m0+5@1 badsum)",
		     "> a A dss(A0) fail(0)",
		     "< a PA len 5 dss(a0 m5+5@6 sum)");
	mptcp_abort_now(script_.p.conn, script_.p.now_us);
	SCRIPT_LINES("> a RA fastclose tcprst(0)");
	script_end();
}
END_TEST

START_TEST(unanswered_mp_fail_resets)
{
	SCRIPT_BOTH(OPEN_SUM,
		    "< a PA len 5 dss(a0 m0+5@1 badsum)",
		    "> a A dss(A0) fail(0)",
		    "+ 31s",
		    "> a RA fail(0) tcprst(6)",
		    "= 0",
		    "? subflows 0",
		    "? state ESTABLISHED");
}
END_TEST

START_TEST(infinite_mapping_ahead_resets)
{
	/* Bytes 5 to 9 would be missing. */
	SCRIPT_BOTH(OPEN,
		    "< a PA len 5 dss(a0 m0+5@1)",
		    "= 5",
		    "< a PA len 5 dss(a0 m10+0@6)",
		    "> a RA tcprst(1)",
		    "? mp_bad_mapping 1");
}
END_TEST

START_TEST(infinite_mapping_of_a_peer_that_fell_back)
{
	SCRIPT_BOTH(OPEN,
		    "< a PA len 5 dss(a0 m0+5@1)",
		    "< a PA len 5 dss(a0 m5+0@6)",
		    "= 10",
		    "? mode fallback",
		    "? mp_fallback_peer 1",
		    "> a A",
		    "< a FA",
		    "? event fin",
		    "> a A");
}
END_TEST

START_TEST(infinite_mapping_among_two_resets)
{
	SCRIPT_BOTH(OPEN, JOIN_B,
		    "< b PA len 5 dss(a0 m0+0@1)",
		    "= 0",
		    "> b RA tcprst(6)",
		    "? subflows 1",
		    "? mode mptcp");
}
END_TEST

START_TEST(bad_checksum_among_two_resets)
{
	SCRIPT_BOTH(OPEN_SUM, JOIN_B,
		    "< b PA len 5 dss(a0 m0+5@1 badsum)",
		    "> b RA fail(0) tcprst(6)",
		    "= 0",
		    "? subflows 1",
		    "< a PA len 5 dss(a0 m0+5@1 sum)",
		    "= 5",
		    "+ 50ms",
		    "> a A dss(a5)");
}
END_TEST

START_TEST(bad_checksum_on_the_last_joined_resets)
{
	/* The only subflow, but not the first: its data need not be all there is. */
	SCRIPT_BOTH(OPEN_SUM, JOIN_B,
		    "< a R",
		    "? subflows 1",
		    "< b PA len 5 dss(a0 m0+5@1 badsum)",
		    "> b RA fail(0) tcprst(6)",
		    "? subflows 0",
		    "? state ESTABLISHED");
}
END_TEST

/* ---- MP_FAIL received ------------------------------------------------------------- */

START_TEST(mp_fail_is_answered_with_infinite_mapping)
{
	SCRIPT_BOTH(OPEN_SUM,
		    "! write 10",
		    "> a PA len 10 dss(A0 M0+10@1 sum)",
		    "< a A dss(a10)",
		    "! write 10",
		    "> a PA len 10 dss(A0 M10+10@11 sum)",
		    "< a A fail(10) dss(a10)",
		    "? mp_fail_in 1",
		    /* From the last DATA_ACK on: bytes 10 and on are at 11 and on. */
		    "> a A dss(A0) fail(0)",
		    "> a A dss(A0 m10+0@11 sum)",
		    "! write 10",
		    "> a PA len 10 dss(A0 m10+0@11 sum)",
		    "? mode mptcp",
		    /* The DATA_ACK counts no more, the subflow's does. */
		    "< a A",
		    "? mode fallback",
		    "? mp_infinite_out 1",
		    "? mp_fallback_peer 1",
		    "! write 10",
		    "> a PA len 10",
		    "< a PA len 5 of 0",
		    "= 5",
		    "! shutdown",
		    "> a FA");
}
END_TEST

START_TEST(mp_fail_sender_may_go_on_with_options)
{
	/* Linux does until it has the infinite mapping. */
	SCRIPT_BOTH(OPEN_SUM,
		    "! write 10",
		    "> a PA len 10 dss(A0 M0+10@1 sum)",
		    "< a A fail(0) dss(a0)",
		    "> a A dss(A0) fail(0)",
		    "> a A dss(A0 m0+0@1 sum)",
		    "< a PA len 5 dss(a0 m0+5@1 sum)",
		    "= 5",
		    "+ 50ms",
		    "> a A dss(A5 m0+0@1 sum)",
		    "! write 10",
		    "> a PA len 10 dss(A5 m0+0@1 sum)",
		    "< a A dss(a10)",
		    "? mode fallback",
		    "? mp_fallback_peer 1",
		    "< a PA len 5 of 5",
		    "= 10");
}
END_TEST

START_TEST(mp_fail_with_nothing_left_to_send)
{
	/* All that is left is the end, which needs no mapping of data. */
	SCRIPT_BOTH(OPEN_SUM,
		    "! write 10",
		    "> a PA len 10 dss(A0 M0+10@1 sum)",
		    "< a A fail(0) dss(a10)",
		    "> a A dss(A0) fail(0)",
		    "> a A dss(A0 m10+0@11 sum)",
		    "! shutdown",
		    "> a A dss(A0 m10+1@0 F sum)",
		    "< a A dss(a11 m0+1@0 F sum)",
		    "? state TIME_WAIT",
		    "> a FA dss(a1)");
}
END_TEST

START_TEST(packet_without_options_answers_infinite_mapping)
{
	/* The peer has fallen back by the mapping on our ACK: its windows are TCP's now. */
	SCRIPT_BOTH(OPEN_SUM,
		    "! write 10",
		    "> a PA len 10 dss(A0 M0+10@1 sum)",
		    "< a A win 0 fail(10) dss(a10)",
		    "> a A dss(A0) fail(0)",
		    "> a A dss(A0 m10+0@11 sum)",
		    "! write 10",
		    "< a A win 1000",
		    "? mode fallback",
		    "? mp_fallback_peer 1",
		    /* It costs nothing to say so once more. */
		    "> a PA len 10 dss(A0 m10+0@11 sum)",
		    "< a A",
		    "! write 10 end",
		    "> a PA len 10",
		    "> a FA");
}
END_TEST

START_TEST(end_without_options_answers_infinite_mapping)
{
	/* Nothing is left to be sent, so that no data can tell. */
	SCRIPT_BOTH(OPEN_SUM,
		    "! write 10",
		    "> a PA len 10 dss(A0 M0+10@1 sum)",
		    "< a A fail(0) dss(a0)",
		    "> a A dss(A0) fail(0)",
		    "> a A dss(A0 m0+0@1 sum)",
		    "! shutdown",
		    "> a A dss(A0 m10+1@0 F sum)",
		    "< a FA",
		    "? mode fallback",
		    "? event fin",
		    "> a FA",
		    "< a A",
		    "? event closed");
}
END_TEST

START_TEST(both_fail_and_one_has_fallen_back)
{
	SCRIPT_BOTH(OPEN_SUM,
		    "! write 10",
		    "> a PA len 10 dss(A0 M0+10@1 sum)",
		    "< a PA len 5 dss(a10 m0+5@1 badsum)",
		    "> a A dss(A0) fail(0)",
		    "< a A win 0 dss(a10) fail(10)",
		    "= 5",
		    "> a A dss(A5 m10+0@11 sum)",
		    "! write 10",
		    "< a A win 1000",
		    "? mode fallback",
		    "? mp_fallback_checksum 1",
		    "> a PA len 10",
		    "< a PA len 5 of 5",
		    "= 10",
		    "! drop");
}
END_TEST

START_TEST(both_fail_and_the_first_was_answered)
{
	/* The peer takes ours for the answer to its own, and will not answer it. */
	SCRIPT_BOTH(OPEN_SUM,
		    "! write 10",
		    "> a PA len 10 dss(A0 M0+10@1 sum)",
		    "< a A fail(0) dss(a0)",
		    "> a A dss(A0) fail(0)",
		    "> a A dss(A0 m0+0@1 sum)",
		    "< a PA len 5 dss(a0 m0+5@1 badsum)",
		    "= 5",
		    "? mp_bad_checksum 1",
		    "> a A dss(A5) fail(0)",
		    "> a A dss(A5 m0+0@1 sum)",
		    "< a FA",
		    "? mode fallback",
		    "? mp_fallback_checksum 1",
		    "? event fin",
		    "> a A",
		    "! write 10",
		    "> a PA len 10");
}
END_TEST

/* What came before ours went out is no answer, but waits for one. */
START_TEST(both_fail_in_one_batch)
{
	SCRIPT_BOTH(OPEN_SUM,
		    "! write 10",
		    "> a PA len 10 dss(A0 M0+10@1 sum)",
		    "< a PA len 5 dss(a0 m0+5@1 badsum)",
		    "& a A fail(0) dss(a0)",
		    "= 5",
		    "> a A dss(A5) fail(0)",
		    "> a A dss(A5 m0+0@1 sum)",
		    "? mp_fail_out 1",
		    "< a A dss(a0)",
		    "+ 50ms",
		    "! drop");
}
END_TEST

START_TEST(mp_fail_is_repeated_instead_of_data)
{
	/* What TCP has acknowledged waits for the infinite mapping at the other end. */
	SCRIPT_BOTH(OPEN_SUM,
		    "! write 10",
		    "> a PA len 10 dss(A0 M0+10@1 sum)",
		    "< a A fail(0) dss(a0)",
		    "> a A dss(A0) fail(0)",
		    "> a A dss(A0 m0+0@1 sum)",
		    "+ 500ms",
		    "> a A dss(A0 m0+0@1 sum)",
		    "? mp_reinject 0",
		    "< a A dss(a0)",
		    "? mode mptcp",
		    "! drop");
}
END_TEST

START_TEST(mp_fail_after_a_timeout_of_tcp)
{
	/* What was to be sent again for want of an answer would be new bytes to the peer now. */
	SCRIPT_BOTH(OPEN_SUM,
		    "! write 10",
		    "> a PA len 10 dss(A0 M0+10@1 sum)",
		    "+ 300ms",
		    "> a PA seq 1 len 10 dss(A0 M0+10@1 sum)",
		    "< a A fail(0) dss(a0)",
		    "> a A dss(A0) fail(0)",
		    "> a A dss(A0 m0+0@1 sum)",
		    "? mp_reinject 0",
		    "! write 5",
		    "> a PA len 5 dss(A0 m0+0@1 sum)");
}
END_TEST

START_TEST(mp_fail_ends_joins_under_way)
{
	/* ... and they do not end what was agreed. */
	SCRIPT_BOTH(OPEN_SUM,
		    "! write 10",
		    "> a PA len 10 dss(A0 M0+10@1 sum)",
		    "< b S join(2)",
		    "> b SA join(0)",
		    "< a A fail(0) dss(a0)",
		    "> b RA tcprst(6)",
		    "> a A dss(A0) fail(0)",
		    "> a A dss(A0 m0+0@1 sum)",
		    "+ 500ms",
		    "> a A dss(A0 m0+0@1 sum)",
		    "? mp_reinject 0",
		    "! write 5",
		    "> a PA len 5 dss(A0 m0+0@1 sum)",
		    "< a A",
		    "? mode fallback");
}
END_TEST

START_TEST(nothing_is_repeated_while_mp_fail_is_unanswered)
{
	/* The peer may have answered and fallen back: what came here had lost its options.  Only
	 * MP_FAIL is, on what asks for the DATA_ACK. */
	SCRIPT_BOTH(OPEN_SUM,
		    "< a PA len 5 dss(a0 m0+5@1 badsum)",
		    "> a A dss(A0) fail(0)",
		    "! write 10",
		    "> a PA len 10 dss(A0 M0+10@1 sum)",
		    "< a A",
		    "? mode mptcp",
		    "+ 500ms",
		    "> a A seq 10 dss(A0) fail(0)",
		    "< a A dss(a0)",
		    "+ 900ms",
		    "> a A seq 10 dss(A0) fail(0)",
		    "? mp_rto 2",
		    "? mp_reinject 0");
}
END_TEST

START_TEST(mp_fail_on_rst_hands_data_over)
{
	SCRIPT_BOTH(OPEN_SUM, JOIN_B,
		    "! write 10",
		    "> a PA len 10 dss(A0 M0+10@1 sum)",
		    /* TCP has it, MPTCP will not. */
		    "< a A dss(a0)",
		    "< a RA fail(0)",
		    "? subflows 1",
		    "> b PA len 10 dss(A0 m0+10@1 sum)");
}
END_TEST

START_TEST(mp_fail_on_ack_among_two_resets)
{
	SCRIPT_BOTH(OPEN_SUM, JOIN_B,
		    "! write 10",
		    "> a PA len 10 dss(A0 M0+10@1 sum)",
		    "< a A fail(0) dss(a0)",
		    "> a RA tcprst(6)",
		    "> b PA len 10 dss(A0 m0+10@1 sum)",
		    "? subflows 1");
}
END_TEST

START_TEST(no_joins_after_mp_fail)
{
	SCRIPT_BOTH(OPEN_SUM,
		    "< a PA len 5 dss(a0 m0+5@1 badsum)",
		    "> a A dss(A0) fail(0)",
		    "< b S join(2)",
		    "> b RA tcprst(3)",
		    "? mp_join_refused 1");
}
END_TEST

/* ---- options that get lost ------------------------------------------------------------ */

START_TEST(options_lost_with_checksums_end_in_infinite_mapping)
{
	/* The peer may not have noticed: its options are gone, ours perhaps not. */
	SCRIPT(1, OPEN_SUM,
	       "! write 10",
	       "> a PA len 10 dss(A0 M0+10@1 sum)",
	       "< a A",
	       "? mode fallback",
	       "? mp_fallback_data 1",
	       "> a A dss(A0 m0+0@1 sum)",
	       "! write 10",
	       "> a PA len 10 dss(A0 m0+0@1 sum)",
	       "< a PA len 5 of 0",
	       "= 5",
	       "! write 10",
	       "> a PA len 10",
	       "+ 50ms",
	       "? mp_infinite_out 1");
}
END_TEST

/* A connection that falls back for ACKs without options and hears nothing for a while, with the
 * edge of its window near. */
#define SMALL_WINDOW "! rcvbuf 8192"
#define LOSE_OPTIONS(data_ack) \
	"! write 10", "> a PA len 10 dss(" data_ack " M0+10@1)", "< a A", "? mode fallback", \
	"+ 100ms"

START_TEST(data_ack_missing_on_the_ack)
{
	/* Another option may leave it no room; the next packet has no options at all. */
	SCRIPT_BOTH(OPEN,
		    "! write 10",
		    "> a PA len 10 dss(A0 M0+10@1)",
		    "< a A prio()",
		    "? mode mptcp",
		    "< a A",
		    "? mode fallback",
		    "? mp_fallback_data 1");
}
END_TEST

START_TEST(data_ack_missing_is_asked_for)
{
	/* To a peer that has fallen back without our knowing, data again would be new data. */
	SCRIPT_BOTH(OPEN,
		    "! write 10",
		    "> a PA len 10 dss(A0 M0+10@1)",
		    "< a A prio()",
		    "+ 500ms",
		    "> a A seq 10 dss(A0)",
		    "? mp_rto 1",
		    "? mp_reinject 0",
		    "< a A",
		    "? mode fallback");
	/* ... and to one that has not, it is sent again when the answer leaves it out. */
	SCRIPT_BOTH(OPEN,
		    "! write 10",
		    "> a PA len 10 dss(A0 M0+10@1)",
		    "< a A prio()",
		    "+ 500ms",
		    "> a A seq 10 dss(A0)",
		    "< a A dss(a0)",
		    "> a PA len 10 dss(A0 M0+10@11)",
		    "? mp_reinject 1");
}
END_TEST

START_TEST(no_fallback_after_a_repetition)
{
	/* These may be new bytes or the rest of what was repeated. */
	SCRIPT_BOTH(OPEN,
		    "< a PA len 10 dss(a0 m0+10@1)",
		    "= 10",
		    "< a PA len 5 dss(a0 m0+5@11)",
		    "= 10",
		    "+ 50ms",
		    "> a A dss(a10)",
		    "< a PA len 5 of 5",
		    "= 10",
		    "> a RA tcprst(6)",
		    "? mp_no_mapping 1");
	/* The same where an ACK has no options; data will tell. */
	SCRIPT_BOTH(OPEN,
		    "< a PA len 10 dss(a0 m0+10@1)",
		    "< a PA len 5 dss(a0 m0+5@11)",
		    "! write 5",
		    "> a PA len 5 dss(a10 M0+5@1)",
		    "< a A",
		    "? mode mptcp",
		    "< a PA len 5 of 5",
		    "= 10",
		    "> a RA tcprst(6)");
}
END_TEST

START_TEST(fin_of_a_broken_connection_is_no_end)
{
	/* What came before once more, at the edge: it cannot be read, so neither can its end. */
	SCRIPT_BOTH(SMALL_WINDOW, OPEN,
		    "< a PA len 5 dss(a0 m0+5@1)",
		    "= 5",
		    LOSE_OPTIONS("a5"),
		    "< a PA len 8187 of 5",
		    "= 8192",
		    "> a A win 0 dss(A8192)", "! consume 8192", "> a A dss(A8192)",
		    "+ 100ms",
		    "< a FPA len 5 of 0",
		    "= 8192",
		    "? event reset",
		    "? no event fin",
		    "> a RA");
}
END_TEST

START_TEST(no_fallback_after_a_join_that_the_peer_may_have_completed)
{
	SCRIPT_BOTH(CONNECT, CONNECT_B,
		    "< b R",
		    "? subflows 1",
		    "! write 5",
		    "> a PA len 5 dss(A0 M0+5@1)",
		    "< a A",
		    "? mode mptcp");
}
END_TEST

START_TEST(fin_is_not_answered_with_fin_beside_a_pending_join)
{
	/* The peer may have fallen back; it would take ours for the end of our stream. */
	SCRIPT_BOTH(CONNECT, CONNECT_B,
		    "< a FA",
		    "> a RA tcprst(1)",
		    "? no event fin",
		    "? subflows 1");
}
END_TEST

START_TEST(first_data_repeats_nothing)
{
	SCRIPT_BOTH(SMALL_WINDOW, OPEN, LOSE_OPTIONS("A0"),
		    "< a FPA len 5 of 0",
		    "= 5",
		    "? event fin",
		    "> a A dss(A5)");
}
END_TEST

/* Segments leave room for the infinite mapping as long as it goes on them, and no longer. */
START_TEST(segments_with_the_infinite_mapping_fit)
{
	const struct tcp_conn *tc;

	script_begin(1);
	SCRIPT_LINES(OPEN_SUM,
		     "! write 10",
		     "> a PA len 10 dss(A0 M0+10@1 sum)",
		     "< a A",
		     "? mode fallback",
		     "> a A dss(A0 m0+0@1 sum)");
	tc = &mptcp_first_subflow(script_.p.conn)->tcp;
	ck_assert_uint_eq(tc->option_len, 4 + 4 + 8 + 4 + 2 + 2);
	SCRIPT_LINES("! write 10",
		     "> a PA len 10 dss(A0 m0+0@1 sum)",
		     "< a A",
		     "! write 10",
		     "> a PA len 10");
	ck_assert_uint_eq(tc->option_len, 0);
	script_end();
}
END_TEST

START_TEST(ack_without_options_on_a_join_resets)
{
	SCRIPT_BOTH(OPEN, JOIN_B,
		    "< a R",
		    "! write 10",
		    "> b PA len 10 dss(A0 m0+10@1)",
		    "< b A",
		    "> b RA tcprst(6)",
		    "? subflows 0");
}
END_TEST

START_TEST(ack_without_options_after_data_acks)
{
	/* This path carried DATA_ACKs before: the data timer will find out. */
	SCRIPT_BOTH(OPEN, JOIN_B,
		    "< a R",
		    "! write 10",
		    "> b PA len 10 dss(A0 m0+10@1)",
		    "< b A dss(a10)",
		    "! write 10",
		    "> b PA len 10 dss(A0 M10+10@11)",
		    "< b A",
		    "? subflows 1",
		    "+ 500ms",
		    "> b PA len 10 dss(A0 M10+10@21)",
		    "? mp_rto 1");
}
END_TEST

START_TEST(ack_without_options_within_a_mapping)
{
	/* Of a part of a mapping with a checksum there is no DATA_ACK yet, and a peer need not
	 * repeat the one before. */
	SCRIPT_BOTH(OPEN_SUM,
		    "! write 10",
		    "> a PA len 10 dss(A0 M0+10@1 sum)",
		    "< a A dss(a10)",
		    "! write 3000",
		    "> a PA len 3000 dss(A0 M10+3000@11 sum)",
		    "< a A ack 1411",
		    "? mode mptcp",
		    "< a A ack 3011 dss(a3010)",
		    "? mode mptcp",
		    "! write 3000",
		    "> a PA len 3000 dss(A0 M3010+3000@3011 sum)",
		    "< a A ack 4411",
		    "? mode mptcp",
		    /* All of it is acknowledged: now there should be one. */
		    "< a A ack 6011",
		    "? mode fallback",
		    "> a A dss(A0 m3010+0@3011 sum)");
}
END_TEST

UNIT_MAIN("mptcp_fallback", ack_without_options_within_a_mapping, checksum_covers_data_fin, checksum_of_data_fin_alone,
	  missing_checksum_resets, checksum_not_agreed_resets,
	  v0_checksum_not_agreed_is_ignored,
	  checksum_over_several_segments, checksum_on_first_data_with_keys,
	  bad_checksum_falls_back_by_infinite_mapping, agreed_and_then_only_the_end,
	  agreed_and_then_beyond_the_window,
	  infinite_mapping_on_repeated_data,
	  infinite_mapping_retroactive, repetition_before_the_infinite_mapping,
	  bare_data_does_not_answer_mp_fail, mp_fail_is_repeated_until_it_is_answered,
	  fastclose_goes_before_mp_fail, unanswered_mp_fail_resets,
	  infinite_mapping_ahead_resets,
	  infinite_mapping_of_a_peer_that_fell_back, infinite_mapping_among_two_resets,
	  bad_checksum_among_two_resets, bad_checksum_on_the_last_joined_resets,
	  mp_fail_is_answered_with_infinite_mapping, mp_fail_sender_may_go_on_with_options,
	  mp_fail_with_nothing_left_to_send, packet_without_options_answers_infinite_mapping,
	  end_without_options_answers_infinite_mapping, both_fail_and_one_has_fallen_back,
	  both_fail_and_the_first_was_answered, both_fail_in_one_batch,
	  mp_fail_is_repeated_instead_of_data, mp_fail_after_a_timeout_of_tcp,
	  mp_fail_ends_joins_under_way, nothing_is_repeated_while_mp_fail_is_unanswered,
	  mp_fail_on_rst_hands_data_over, mp_fail_on_ack_among_two_resets,
	  no_joins_after_mp_fail, options_lost_with_checksums_end_in_infinite_mapping,
	  data_ack_missing_on_the_ack, data_ack_missing_is_asked_for,
	  no_fallback_after_a_repetition,
	  fin_of_a_broken_connection_is_no_end,
	  no_fallback_after_a_join_that_the_peer_may_have_completed,
	  fin_is_not_answered_with_fin_beside_a_pending_join, first_data_repeats_nothing,
	  segments_with_the_infinite_mapping_fit, ack_without_options_on_a_join_resets,
	  ack_without_options_after_data_acks)
