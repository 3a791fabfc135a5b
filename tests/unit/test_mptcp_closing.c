/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scenarios of the ends: DATA_FIN (RFC 8684, section 3.3.3), MP_FASTCLOSE (section 3.5),
 * MP_TCPRST (section 3.6), and subflows that end before their connection does.
 */
#include "mptcp_script.h"

/* ---- DATA_FIN ------------------------------------------------------------------- */

START_TEST(peer_ends_first)
{
	SCRIPT_BOTH(OPEN,
		    "< a PA len 5 dss(a0 m0+6@1 F)",
		    "= 5",
		    "? event fin",
		    "? state CLOSE_WAIT",
		    "> a A dss(a6)",
		    "! write 10",
		    "> a PA len 10 dss(A6 M0+10@1)",
		    "< a A dss(a10)",
		    "! shutdown",
		    "? state LAST_ACK",
		    "> a A dss(A6 m10+1@0 F)",
		    "< a A dss(a11)",
		    "? state TIME_WAIT",
		    "> a FA dss(a6)",
		    "< a FA dss(a11)",
		    "> a A dss(a6)",
		    "? event closed");
}
END_TEST

START_TEST(we_end_first)
{
	SCRIPT_BOTH(OPEN,
		    "! shutdown",
		    "? state FIN_WAIT_1",
		    "> a A dss(A0 m0+1@0 F)",
		    "< a A dss(a1)",
		    "? state FIN_WAIT_2",
		    /* Half open for as long as it takes. */
		    "< a PA len 5 dss(a1 m0+5@1)",
		    "= 5",
		    "+ 50ms",
		    "> a A dss(a5)",
		    "< a A dss(a1 m5+1@0 F)",
		    "? event fin",
		    "? state TIME_WAIT",
		    "> a FA dss(a6)",
		    "< a A dss(a1)",
		    "< a FA dss(a1)",
		    "> a A dss(a6)",
		    "? event closed");
}
END_TEST

START_TEST(both_end_at_once)
{
	SCRIPT_BOTH(OPEN,
		    "! shutdown",
		    "> a A dss(A0 m0+1@0 F)",
		    "< a A dss(a0 m0+1@0 F)",
		    "? event fin",
		    "? state CLOSING",
		    "> a A dss(A1 m0+1@0 F)",
		    "< a A dss(a1)",
		    "? state TIME_WAIT",
		    "> a FA dss(a1)");
}
END_TEST

START_TEST(data_fin_waits_for_missing_data)
{
	SCRIPT_BOTH(OPEN, JOIN_B,
		    "< b A dss(a0 m5+1@0 F)",
		    "? state ESTABLISHED",
		    "< b PA len 2 dss(a0 m3+2@1)",
		    "+ 50ms",
		    "> b A dss(a0)",
		    "< a PA len 3 dss(a0 m0+3@1)",
		    "= 5",
		    "? event fin",
		    "? state CLOSE_WAIT",
		    "> a A dss(a6)",
		    "> b A dss(a6)");
}
END_TEST

START_TEST(repeated_data_fin_is_acknowledged_again)
{
	SCRIPT_BOTH(OPEN,
		    "< a A dss(a0 m0+1@0 F)",
		    "> a A dss(a1)",
		    "< a A dss(a0 m0+1@0 F)",
		    "> a A dss(a1)",
		    "? mp_bad_mapping 0");
}
END_TEST

START_TEST(data_after_the_end_is_dropped)
{
	SCRIPT_BOTH(OPEN,
		    "< a A dss(a0 m0+1@0 F)",
		    "> a A dss(a1)",
		    "< a PA len 5 dss(a0 m1+5@1)",
		    "= 0",
		    "? mp_bad_mapping 1",
		    "+ 50ms",
		    "> a A dss(a1)",
		    /* TCP has it, MPTCP does not; the end is where it was. */
		    "< a A dss(a0 m6+1@0 F)",
		    "> a A dss(a1)",
		    "? state CLOSE_WAIT");
}
END_TEST

START_TEST(data_fin_survives_its_subflow)
{
	SCRIPT_BOTH(OPEN, JOIN_B,
		    "! shutdown",
		    "> a A dss(A0 m0+1@0 F)",
		    "> b A dss(A0 m0+1@0 F)",
		    "< a R",
		    "< b R",
		    "? subflows 0",
		    "? state FIN_WAIT_1",
		    "< c S join(3)", "> c SA join(0)", "< c A join", "> c A dss(A0 m0+1@0 F)",
		    "< c A dss(a1 m0+1@0 F)",
		    "? state TIME_WAIT",
		    "> c FA dss(a1)");
}
END_TEST

/* The peer may not know yet that we have all of its data: what it sends again must not meet
 * an RST after an outage of half a minute. */
START_TEST(last_ack_outlives_an_outage)
{
	SCRIPT_BOTH(OPEN,
		    "! shutdown",
		    "> a A dss(A0 m0+1@0 F)",
		    "< a PA len 5 dss(a1 m0+6@1 F)",
		    "? state TIME_WAIT",
		    "> a FA dss(a6)",
		    "+ 30s",
		    "> a FA seq 1 dss(a6)", "> a FA seq 1 dss(a6)", "> a FA seq 1 dss(a6)",
		    "> a FA seq 1 dss(a6)", "> a FA seq 1 dss(a6)", "> a FA seq 1 dss(a6)",
		    "> a FA seq 1 dss(a6)", "> a FA seq 1 dss(a6)",
		    "< a PA seq 1 ack 1 len 5 of 0 dss(a1 m0+6@1 F)",
		    "> a A sack 1-6 dss(a6)",
		    /* But not for ever. */
		    "+ 60s",
		    "> a FA seq 1 dss(a6)",
		    "> a RA tcprst(5 T)",
		    "? event closed");
}
END_TEST

/* ---- FIN of subflows -------------------------------------------------------------- */

/* As a courtesy to middleboxes, also where nothing was heard for a while (section 3.3.3). */
START_TEST(silent_subflow_gets_its_fin)
{
	SCRIPT_BOTH(OPEN, JOIN_B,
		    "! write 10 end",
		    "> a PA len 10 dss(A0 M0+11@1 F)",
		    "+ 500ms",
		    "> a PA seq 1 len 10 dss(A0 M0+11@1 F)",
		    "> a PA seq 1 len 10 dss(A0 M0+11@1 F)",
		    "> b PA len 10 dss(A0 m0+11@1 F)",
		    "> a A dss(A0 m10+1@0 F)", "> b A dss(A0 m10+1@0 F)",
		    "< b A dss(a11 m0+1@0 F)",
		    "? state TIME_WAIT",
		    "> a FA dss(a1)", "> b FA dss(a1)");
}
END_TEST

START_TEST(fin_with_data_fin_leaves_our_half_open)
{
	/* Both signals in one packet, by a client whose only subflow this is. */
	SCRIPT_BOTH(OPEN,
		    "< a FPA len 5 dss(a0 m0+6@1 F)",
		    "= 5",
		    "? event fin",
		    "> a A dss(a6)",
		    "! write 10",
		    "> a PA len 10 dss(A6 M0+10@1)",
		    "< a A dss(a10)",
		    "! write 10 end",
		    "> a PA len 10 dss(A6 M10+11@11 F)",
		    "> a FA dss(A6 m20+1@0 F)",
		    "< a A dss(a21)",
		    "? state CLOSED",
		    "? no event reset",
		    "? mp_orphaned 0",
		    "? event closed");
}
END_TEST

/* The same of a client that ends all its subflows at once: one of them stays. */
START_TEST(fins_on_all_subflows_leave_one_half_open)
{
	SCRIPT_BOTH(OPEN, JOIN_B,
		    "< a FA dss(a0 m0+1@0 F)",
		    "? event fin",
		    "> a FA dss(a1)", "> b A dss(a1)",
		    "< b FA dss(a0)",
		    "> b A dss(a1)",
		    "< a A dss(a0)",
		    "? subflows 1",
		    "! write 10",
		    "> b PA len 10 dss(A1 m0+10@1)",
		    "< b A dss(a10)",
		    "! shutdown",
		    "> b FA dss(A1 m10+1@0 F)",
		    "< b A dss(a11)",
		    "? no event reset",
		    "? mp_orphaned 0",
		    "? event closed");
	/* The client's socket is gone, and only its TCP is left to answer. */
	SCRIPT_BOTH(OPEN, JOIN_B,
		    "< a R",
		    "< b FA dss(a0 m0+1@0 F)",
		    "> b A dss(a1)",
		    "! shutdown",
		    "> b FA dss(A1 m0+1@0 F)",
		    "< b A",
		    "? event closed");
}
END_TEST

/* Another that is silent is no reason to close the one that works. */
START_TEST(fin_beside_a_silent_subflow_leaves_our_half_open)
{
	SCRIPT_BOTH(OPEN, JOIN_B,
		    "< a A dss(a0) prio(backup)",
		    "! write 10",
		    "> b PA len 10 dss(A0 m0+10@1)",
		    "+ 300ms",
		    "> b PA seq 1 len 10 dss(A0 m0+10@1)",
		    "+ 300ms",
		    "> b PA seq 1 len 10 dss(A0 m0+10@1)",
		    "> a PA len 10 dss(A0 M0+10@1)",
		    "< a FA dss(a10 m0+1@0 F)",
		    "> a A dss(a1)", "> b A dss(a1)",
		    "! write 10 end",
		    "> a PA len 10 dss(A1 M10+11@11 F)",
		    "> a FA dss(A1 m20+1@0 F)",
		    "< a A dss(a21)",
		    "? state TIME_WAIT",
		    "? no event reset",
		    "> b FA dss(a1)");
}
END_TEST

/* What a subflow had sent before it was closed is sent elsewhere if it falls silent. */
START_TEST(silent_closing_subflow_hands_data_over)
{
	SCRIPT_BOTH(OPEN, JOIN_B,
		    "! write 10",
		    "> a PA len 10 dss(A0 M0+10@1)",
		    "< a FA ack 1 dss(a0)",
		    "> a FA dss(A0)",
		    "+ 300ms",
		    "> a FA seq 11 dss(A0)",
		    "+ 200ms",
		    "> a PA seq 1 len 10 dss(A0 M0+10@1)",
		    "> a FA seq 11 dss(A0)",
		    "> b PA len 10 dss(A0 m0+10@1)",
		    "! drop");
}
END_TEST

START_TEST(fin_without_data_fin_ends_one_subflow)
{
	SCRIPT_BOTH(OPEN, JOIN_B,
		    "< b FA dss(a0)",
		    "> b FA dss(A0)",
		    "? state ESTABLISHED",
		    "< b A dss(a0)",
		    "? subflows 1",
		    "! write 10",
		    "> a PA len 10 dss(A0 M0+10@1)",
		    "< a A dss(a10)");
}
END_TEST

START_TEST(fin_of_the_last_joined_subflow_waits_for_a_join)
{
	SCRIPT_BOTH(OPEN, JOIN_B,
		    "< a R",
		    "< b FA dss(a0)",
		    "> b FA dss(A0)",
		    "< b A dss(a0)",
		    "? subflows 0",
		    "? state ESTABLISHED",
		    JOIN_C,
		    "< c PA len 5 dss(a0 m0+5@1)",
		    "= 5",
		    "+ 50ms",
		    "> c A dss(a5)");
}
END_TEST

START_TEST(fin_of_the_only_subflow_is_no_end_of_stream)
{
	/* What may be a plain TCP client's end, or not, is not taken for one: no FIN. */
	SCRIPT_BOTH(OPEN,
		    "< a FA dss(a0)",
		    "> a RA tcprst(1)",
		    "? subflows 0",
		    "? state ESTABLISHED");
}
END_TEST

START_TEST(rst_of_the_last_subflow_after_both_ends)
{
	SCRIPT_BOTH(OPEN,
		    "< a A dss(a0 m0+1@0 F)",
		    "> a A dss(a1)",
		    "! shutdown",
		    "> a A dss(A1 m0+1@0 F)",
		    /* All but our end was acknowledged; who answers with RST knows of nothing. */
		    "< a R",
		    "? state CLOSED",
		    "? event closed");
}
END_TEST

START_TEST(rst_of_the_last_subflow_before_the_end)
{
	SCRIPT_BOTH(OPEN,
		    "! write 10",
		    "> a PA len 10 dss(A0 M0+10@1)",
		    "< a R",
		    "? subflows 0",
		    "? state ESTABLISHED",
		    "< b S join(2)", "> b SA join(0)", "< b A join",
		    "> b PA len 10 dss(A0 m0+10@1)",
		    "< b A dss(a10)");
}
END_TEST

START_TEST(each_subflow_waits_its_time)
{
	SCRIPT_BOTH(OPEN, JOIN_B,
		    "! shutdown",
		    "> a A dss(A0 m0+1@0 F)",
		    "> b A dss(A0 m0+1@0 F)",
		    "< a A dss(a1 m0+1@0 F)",
		    "? state TIME_WAIT",
		    "> a FA dss(a1)",
		    "> b FA dss(a1)",
		    "< a FA dss(a1)",
		    "> a A dss(a1)",
		    "< a FA seq 1 dss(a1)",
		    "> a A dss(a1)",
		    "< b FA dss(a1)",
		    "> b A dss(a1)",
		    "? event closed");
}
END_TEST

/* ---- MP_FASTCLOSE --------------------------------------------------------------------- */

START_TEST(fastclose_on_ack_ends_all_subflows)
{
	SCRIPT(1, OPEN, JOIN_B,
	       "< b A fastclose",
	       "? mp_fastclose_in 1",
	       "? event reset",
	       "> a RA tcprst(0)",
	       "> b RA tcprst(0)",
	       "? event closed");
}
END_TEST

START_TEST(fastclose_on_rst_ends_all_subflows)
{
	SCRIPT(1, OPEN, JOIN_B,
	       "< b RA fastclose",
	       "? mp_fastclose_in 1",
	       "? event reset",
	       "> a RA tcprst(0)",
	       "? event closed");
}
END_TEST

START_TEST(fastclose_with_a_wrong_key)
{
	SCRIPT(1, OPEN, JOIN_B,
	       "< b A fastclose(badkey)",
	       "? state ESTABLISHED",
	       /* On an RST, that still ends the subflow. */
	       "< b RA fastclose(badkey)",
	       "? subflows 1",
	       "? mp_fastclose_in 0");
}
END_TEST

START_TEST(fastclose_is_repeated_then_ends_in_rst)
{
	SCRIPT(1, OPEN, JOIN_B,
	       "! abort",
	       "? state FASTCLOSE_WAIT",
	       /* One subflow asks, the others are reset, and say so: nobody knows who is heard. */
	       "> b RA fastclose tcprst(0)",
	       "> a A fastclose",
	       "+ 210ms",
	       "> a A fastclose",
	       "+ 400ms",
	       "> a A fastclose",
	       "+ 800ms",
	       "> a A fastclose",
	       "+ 1600ms",
	       "> a A fastclose",
	       "+ 2s",
	       "> a RA fastclose tcprst(0)",
	       "? mp_fastclose_out 1",
	       "? event closed");
}
END_TEST

START_TEST(fastclose_is_answered)
{
	SCRIPT(1, OPEN,
	       "! abort",
	       "> a A fastclose",
	       /* Data that was under way asks for nothing. */
	       "< a PA len 5 dss(a0 m0+5@1)",
	       "= 0",
	       "< a R",
	       "? state CLOSED",
	       "? event closed");
}
END_TEST

START_TEST(fastclose_from_both_sides)
{
	SCRIPT(1, OPEN,
	       "! abort",
	       "> a A fastclose",
	       "< a A fastclose",
	       "> a RA tcprst(0)",
	       "? state CLOSED",
	       "? event closed");
}
END_TEST

/* The client has sent and read all; what the server is still to get of it is not taken back. */
START_TEST(fastclose_after_both_ends_breaks_nothing)
{
	SCRIPT_BOTH(OPEN,
		    "! shutdown",
		    "> a A dss(A0 m0+1@0 F)",
		    "< a A dss(a1 m0+1@0 F)",
		    "? state TIME_WAIT",
		    "> a FA dss(a1)",
		    "< a A fastclose",
		    "> a RA tcprst(0)",
		    "? mp_fastclose_in 1",
		    "? no event reset",
		    "? event closed");
	SCRIPT_BOTH(OPEN,
		    "< a PA len 5 dss(a0 m0+6@1 F)",
		    "= 5",
		    "> a A dss(a6)",
		    "! shutdown",
		    "> a A dss(A6 m0+1@0 F)",
		    "? state LAST_ACK",
		    "< a A fastclose",
		    "> a RA tcprst(0)",
		    "? no event reset",
		    "? event closed");
	/* Here the client lacks something. */
	SCRIPT_BOTH(OPEN,
		    "< a PA len 5 dss(a0 m0+6@1 F)",
		    "= 5",
		    "> a A dss(a6)",
		    "! write 10 end",
		    "> a PA len 10 dss(A6 M0+11@1 F)",
		    "? state LAST_ACK",
		    "< a A ack 1 fastclose",
		    "> a RA tcprst(0)",
		    "? event reset");
}
END_TEST

/* Who knows the token can send SYNs, but nothing that would complete a join. */
START_TEST(joins_that_are_never_complete_keep_nothing)
{
	SCRIPT_BOTH(OPEN,
		    "< a R",
		    "? mp_orphaned 1",
		    "+ 10s",
		    "< b S join(2)", "> b SA join(0)", "< b R seq 1",
		    "? subflows 0",
		    "? mp_orphaned 1");
	SCRIPT_BOTH(OPEN,
		    "< b S join(2)", "> b SA join(0)",
		    "< a R",
		    "? subflows 1",
		    "? mp_orphaned 1",
		    "+ 35s",
		    "> b SA seq 0 join(0)", "> b SA seq 0 join(0)", "> b SA seq 0 join(0)",
		    "> b SA seq 0 join(0)", "> b SA seq 0 join(0)",
		    "+ 26s",
		    "? mp_orphan_timeout 1",
		    "? event reset",
		    "> b RA tcprst(0)",
		    "? event closed");
}
END_TEST

START_TEST(fastclose_at_once)
{
	script_begin(1);
	SCRIPT_LINES(OPEN, JOIN_B);
	mptcp_abort_now(script_.p.conn, script_.p.now_us);
	SCRIPT_LINES("> a RA fastclose tcprst(0)",
		     "> b RA fastclose tcprst(0)",
		     "? mp_fastclose_out 1",
		     "? event closed");
	script_end();
}
END_TEST

/* Who might not be the peer does not get its key, and who has had all is not told of a break. */
START_TEST(resets_without_fastclose)
{
	SCRIPT(1, OPEN, "< b S join(2)", "> b SA join(0)",
	       "! abort", "> b RA tcprst(0)", "> a A fastclose");
	SCRIPT_BOTH(OPEN, "< a A dss(a0 m0+1@0 F)", "> a A dss(a1)",
		    "! shutdown", "> a A dss(A1 m0+1@0 F)", "< a A dss(a1)", "> a FA dss(a1)",
		    "! abort", "> a RA tcprst(0)");
}
END_TEST

/* Nobody answers our DATA_FIN: who gives up says so, too. */
START_TEST(giving_up_is_told)
{
	for (uint8_t version = 0; version < 2; version++) {
		SCRIPT_BEGIN(version, OPEN, JOIN_B, "! shutdown",
			     "> a A dss(A0 m0+1@0 F)", "> b A dss(A0 m0+1@0 F)");
		for (int s = 0; s < 3600 && script_.p.conn->state < MPTCP_CLOSED; s++) {
			peer_clear(&script_.p);
			peer_advance(&script_.p, 1000000);
		}
		if (version)
			SCRIPT_LINES("> a RA fastclose tcprst(0)", "> b RA fastclose tcprst(0)");
		else
			SCRIPT_LINES("> a A fastclose", "> a RA", "> b RA");
		SCRIPT_LINES("? event reset", "? event closed");
		script_end();
	}
}
END_TEST

START_TEST(fastclose_that_is_not_sent_is_not_counted)
{
	for (uint8_t version = 0; version < 2; version++) {
		/* There is no subflow ... */
		SCRIPT_BEGIN(version, OPEN, "< a R", "? mp_orphaned 1");
		mptcp_abort_now(script_.p.conn, script_.p.now_us);
		SCRIPT_LINES("? mp_fastclose_out 0", "? event closed");
		script_end();
		/* ... or there was until just now. */
		SCRIPT_BEGIN(version, OPEN);
		mptcp_abort(script_.p.conn, script_.p.now_us);
		mptcp_subflow_died(mptcp_first_subflow(script_.p.conn), "RST received",
				   script_.p.now_us);
		SCRIPT_LINES("? state CLOSED", "? mp_fastclose_out 0", "? event closed");
		script_end();
	}
	/* One that is not complete yet gets an RST, which does not carry it in version 0. */
	SCRIPT_BEGIN(0, OPEN, "< a R", "< b S join(2)", "> b SA join(0)");
	mptcp_abort_now(script_.p.conn, script_.p.now_us);
	SCRIPT_LINES("> b RA", "? mp_fastclose_out 0", "? event closed");
	script_end();
}
END_TEST

/* ---- MP_TCPRST --------------------------------------------------------------------------- */

START_TEST(tcprst_with_any_reason)
{
	char line[100];

	for (int reason = 0; reason < 8; reason++)
		for (int transient = 0; transient < 2; transient++) {
			snprintf(line, sizeof(line), "< b RA tcprst(%d%s)", reason,
				 transient ? " T" : "");
			SCRIPT(1, OPEN, JOIN_B,
			       "! write 10",
			       "> a PA len 10 dss(A0 M0+10@1)",
			       "< a A dss(a10)",
			       line,
			       "? mp_tcprst_in 1",
			       "? subflows 1",
			       "? state ESTABLISHED");
		}
	/* The unassigned flags mean nothing; on an ACK the option means nothing. */
	SCRIPT(1, OPEN, JOIN_B,
	       "< b A raw(1e048e06)",
	       "? mp_tcprst_in 0",
	       "< b RA raw(1e048e06)",
	       "? mp_tcprst_in 1",
	       "? subflows 1");
}
END_TEST

START_TEST(too_much_outstanding_data)
{
	script_begin(1);
	SCRIPT_LINES(OPEN, JOIN_B);
	/* The first subflow falls silent, and there is no memory for a copy of what it still
	 * has to repeat: what the other one has delivered stays in the send queue for it. */
	script_.p.conn->cfg.sndbuf_max = 100;
	SCRIPT_LINES("! write 700", "> a PA len 700 dss(A0 M0+700@1)");
	script_.p.pool.limit_bytes = 1;
	peer_advance(&script_.p, 3000000);
	peer_forget(&script_.p);
	SCRIPT_LINES("< b A ack 701 dss(a700)",
		     "> a RA tcprst(4 T)",
		     "? subflows 1");
	script_end();
}
END_TEST

/* A DATA_ACK of all data is none of the DATA_FIN behind it. */
START_TEST(data_fin_is_acknowledged_by_itself)
{
	SCRIPT_BOTH(OPEN, "! write 10", "! shutdown",
		    "> a PA len 10 dss(A0 M0+11@1 F)",
		    "< a A dss(a10)", "? state FIN_WAIT_1",
		    "< a A dss(a11)", "? state FIN_WAIT_2");
}
END_TEST

UNIT_MAIN("mptcp_closing", silent_subflow_gets_its_fin, peer_ends_first, we_end_first, both_end_at_once,
	  data_fin_waits_for_missing_data, repeated_data_fin_is_acknowledged_again,
	  last_ack_outlives_an_outage,
	  data_after_the_end_is_dropped, data_fin_survives_its_subflow,
	  fin_with_data_fin_leaves_our_half_open,
	  fins_on_all_subflows_leave_one_half_open,
	  fin_beside_a_silent_subflow_leaves_our_half_open, silent_closing_subflow_hands_data_over,
	  fin_without_data_fin_ends_one_subflow,
	  fin_of_the_last_joined_subflow_waits_for_a_join,
	  fin_of_the_only_subflow_is_no_end_of_stream,
	  rst_of_the_last_subflow_after_both_ends, rst_of_the_last_subflow_before_the_end,
	  each_subflow_waits_its_time, fastclose_on_ack_ends_all_subflows,
	  fastclose_on_rst_ends_all_subflows, fastclose_with_a_wrong_key,
	  fastclose_is_repeated_then_ends_in_rst, fastclose_is_answered,
	  fastclose_from_both_sides, fastclose_after_both_ends_breaks_nothing,
	  joins_that_are_never_complete_keep_nothing, fastclose_at_once, resets_without_fastclose,
	  giving_up_is_told,
	  fastclose_that_is_not_sent_is_not_counted, tcprst_with_any_reason,
	  too_much_outstanding_data,
	  data_fin_is_acknowledged_by_itself)
