/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Odd clients and odd moments: what clients in the field do, and what the network makes of
 * handshakes, in both versions.
 */
#include "mptcp_script.h"

#define SYNACK "< a S capable", "! accept", "> a SA capable"

/* ---- the first handshake ---------------------------------------------------------- */

START_TEST(syn_repeated_without_option)
{
	/* The client has given MPTCP up: the caller withdraws. */
	SCRIPT_BOTH(SYNACK, "< a S seq 0", "? event plain_syn", "? mode pending");
	SCRIPT_BOTH("< a S capable", "< a S seq 0", "? event plain_syn");
	/* Not after the handshake: then it is somebody else's, or very late. */
	SCRIPT_BOTH(OPEN, "< a S seq 0", "> a A dss(A0)", "? mode mptcp");
}
END_TEST

START_TEST(syn_repeated)
{
	/* The answer is lost, or late. */
	SCRIPT_BOTH("< a S capable", "< a S seq 0 capable", "! accept", "> a SA capable",
		    "< a S seq 0 capable", "> a SA seq 0 capable",
		    "< a A capable", "? mode mptcp", "+ 10ms", "> a A dss(A0)");
}
END_TEST

START_TEST(third_ack_lost)
{
	/* The SYN/ACK again brings another. */
	SCRIPT_BOTH(SYNACK, "+ 1010ms", "> a SA seq 0 capable",
		    "< a A capable", "? mode mptcp", "+ 10ms", "> a A dss(A0)");
}
END_TEST

START_TEST(third_ack_lost_and_data)
{
	SCRIPT(1, SYNACK, "< a PA len 5 capable(len 5)", "? mode mptcp", "= 5",
	       "+ 10ms", "> a A dss(A5)");
	SCRIPT(0, SYNACK, "< a PA len 5 dss(a0 m0+5@1)", "? mode mptcp", "= 5",
	       "+ 10ms", "> a A dss(a5)");
}
END_TEST

START_TEST(first_data_lost)
{
	SCRIPT(1, OPEN,
	       "< a PA seq 6 len 5 dss(a0 m5+5@6)",
	       "> a A ack 1 sack 6-11 dss(A0)",
	       "< a PA seq 1 len 5 capable(len 5)",
	       "> a A dss(a10)",
	       "= 10");
	SCRIPT(0, OPEN,
	       "< a PA seq 6 len 5 dss(a0 m5+5@6)",
	       "> a A ack 1 sack 6-11 dss(A0)",
	       "< a PA seq 1 len 5 dss(a0 m0+5@1)",
	       "> a A dss(a10)",
	       "= 10");
}
END_TEST

START_TEST(third_ack_and_first_data_lost)
{
	/* Version 1 cannot read the second segment without the client's key. */
	SCRIPT(1, SYNACK,
	       "< a PA seq 6 len 5 dss(a0 m5+5@6)",
	       "? mode pending",
	       "< a PA seq 1 len 5 capable(len 5)",
	       "? mode mptcp",
	       "= 5",
	       "+ 10ms",
	       "> a A ack 6 dss(A5)",
	       "< a PA seq 6 len 5 dss(a0 m5+5@6)",
	       "+ 10ms",
	       "> a A dss(a10)",
	       "= 10");
}
END_TEST

START_TEST(third_ack_after_the_data)
{
	SCRIPT(1, SYNACK,
	       "< a PA len 5 capable(len 5)", "< a A seq 1 capable", "= 5",
	       "+ 10ms", "> a A dss(A5)", "? mode mptcp");
	SCRIPT(0, SYNACK,
	       "< a PA len 5 dss(a0 m0+5@1)", "< a A seq 1 capable", "= 5",
	       "+ 10ms", "> a A dss(a5)", "? mode mptcp");
}
END_TEST

START_TEST(fast_open_data_is_left)
{
	/* RFC 8684, appendix B: a request for a cookie with data, and data with a cookie.  No
	 * cookie is given, and the data, which is not acknowledged, comes again mapped. */
	SCRIPT(1, "< a S len 10 of 0 raw(2202) capable", "! accept", "> a SA ack 1 capable",
	       "< a PA seq 1 len 10 capable(len 10)", "= 10", "+ 10ms", "> a A dss(A10)",
	       "? mode mptcp");
	SCRIPT(0, "< a S len 10 of 0 raw(220601020304) capable", "! accept",
	       "> a SA ack 1 capable",
	       "< a A seq 1 capable",
	       "< a PA seq 1 len 10 dss(a0 m0+10@1)", "= 10", "+ 10ms", "> a A dss(a10)");
}
END_TEST

START_TEST(flags_that_cannot_be_served_pass)
{
	/* No common algorithm, an extension nobody knows (section 3.1 of both RFCs). */
	SCRIPT_BOTH("< a S capable(flags A)", "? passed");
	SCRIPT_BOTH("< a S capable(flags BH)", "? passed");
	SCRIPT_BOTH("< a S capable(flags C)", "? passed");
}
END_TEST

START_TEST(answers_with_flags_that_cannot_be_served)
{
	SCRIPT_BOTH("! connect", "> a S capable", "< a SA capable(flags BH)", "? mode fallback",
		    "> a A");
	SCRIPT_BOTH("! connect", "> a S capable", "< a SA capable(flags A)", "? mode fallback",
		    "> a A");
}
END_TEST

START_TEST(lengths_that_do_not_belong_pass)
{
	/* Keys where there should be none, or none where there should be. */
	SCRIPT(1, "< a S capable(keys 1)", "? passed");
	SCRIPT(1, "< a S capable(keys 2)", "? passed");
	SCRIPT(0, "< a S capable(keys 0)", "? passed");
	SCRIPT(0, "< a S capable(keys 2)", "? passed");
	SCRIPT_BOTH("< a S raw(1e03010000)", "? passed");
	SCRIPT_BOTH("< a S raw(1e050101000000)", "? passed");
}
END_TEST

START_TEST(algorithm_bits_are_ignored)
{
	/* D to G may be set; H is chosen. */
	SCRIPT(1, "< a S raw(1e04011f)", "! accept", "> a SA capable");
	SCRIPT(0, "< a S raw(1e0c003f0706050403020100)", "! accept", "> a SA capable",
	       "< a A capable", "? mode mptcp", "+ 10ms", "> a A dss(A0)");
}
END_TEST

START_TEST(unknown_subtypes_are_ignored)
{
	SCRIPT_BOTH(OPEN, "< a PA len 5 dss(a0 m0+5@1) raw(1e04f000)", "= 5",
		    "< a PA len 5 raw(1e0490ff) dss(A0 M5+5@6)", "= 10",
		    "+ 10ms", "> a A dss(a10)", "? mode mptcp");
}
END_TEST

START_TEST(reserved_bits_are_ignored)
{
	SCRIPT_BOTH(OPEN, "< a PA len 5 dss(a0 m0+5@1 reserved)", "= 5", "+ 10ms",
		    "> a A dss(a5)");
}
END_TEST

START_TEST(fallback_stays_silent)
{
	/* After the fallback the client's options mean nothing, and there are none of ours. */
	SCRIPT_BOTH(SYNACK, "< a A", "? mode fallback", "> a A",
		    "< a PA len 5 of 0 dss(a0 m100+5@1)", "= 5", "+ 50ms", "> a A",
		    "! write 10", "> a PA len 10");
}
END_TEST

START_TEST(a_key_of_zero_is_a_key)
{
	SCRIPT_BOTH("! key 0", OPEN, JOIN_B, "< b PA len 5 dss(a0 m0+5@1)", "= 5", "+ 10ms",
		    "> b A dss(a5)");
}
END_TEST

START_TEST(client_resets_in_the_handshake)
{
	SCRIPT_BOTH(SYNACK, "< a R", "? event reset");
}
END_TEST

/* ---- joins -------------------------------------------------------------------------- */

START_TEST(join_before_the_third_ack)
{
	/* Too early (section 3.1).  A refusal would be for good, so it is not answered: the
	 * client repeats it. */
	SCRIPT_BOTH(SYNACK, "< b S join(2)", "? mp_join_early 1", "< a A capable", "+ 10ms",
		    "> a A dss(A0)", "+ 1s",
		    "< b S seq 0 join(2)", "> b SA join(0)", "< b A join", "> b A dss(A0)",
		    "? subflows 2");
}
END_TEST

START_TEST(join_after_fallback)
{
	SCRIPT_BOTH(SYNACK, "< a A", "> a A", "< b S join(2)", "> b RA tcprst(3)",
		    "? subflows 1");
}
END_TEST

START_TEST(join_syn_repeated)
{
	SCRIPT_BOTH(OPEN, "< b S join(2)", "> b SA join(0)",
		    "< b S seq 0 join(2)", "> b SA seq 0 join(0)",
		    "< b A join", "> b A dss(A0)", "? subflows 2");
}
END_TEST

START_TEST(join_synack_lost)
{
	SCRIPT_BOTH(OPEN, "< b S join(2)", "> b SA join(0)",
		    "+ 1010ms", "> b SA seq 0 join(0)",
		    "< b A join", "> b A dss(A0)", "? subflows 2");
}
END_TEST

START_TEST(join_third_ack_lost)
{
	/* Data first cannot be read, as nothing proves whose it is. */
	SCRIPT_BOTH(OPEN, "< b S join(2)", "> b SA join(0)",
		    "< b PA len 5 dss(a0 m0+5@1)", "= 0",
		    "< b A seq 1 join", "> b A ack 1 dss(A0)",
		    "< b PA seq 1 len 5 dss(a0 m0+5@1)", "= 5", "+ 10ms", "> b A dss(a5)");
}
END_TEST

START_TEST(join_fourth_ack_lost)
{
	SCRIPT_BOTH(OPEN, JOIN_B, "< b A join", "> b A dss(A0)", "< b A join", "> b A dss(A0)");
}
END_TEST

START_TEST(active_join_repeats_its_third_ack)
{
	SCRIPT_BOTH(CONNECT, CONNECT_B,
		    "+ 450ms", "> b A join",
		    "< b A dss(a0)", "? subflows 2");
	/* Not for ever. */
	SCRIPT_BOTH(CONNECT, CONNECT_B,
		    "+ 450ms", "> b A join", "+ 900ms", "> b A join", "+ 1800ms", "> b A join",
		    "+ 3600ms", "> b A join", "+ 7200ms", "> b A join",
		    "+ 14400ms", "> b RA tcprst(5 T)", "? subflows 1");
}
END_TEST

START_TEST(active_join_checks_the_answer)
{
	SCRIPT_BOTH(CONNECT,
		    "! join b 2", "> b S join(2)", "< b SA join(0 badmac)", "> b RA tcprst(1)",
		    "! join c 3", "> c S join(3)", "< c SA", "> c RA tcprst(1)");
}
END_TEST

START_TEST(active_join_waits_for_a_dss)
{
	for (uint8_t version = 0; version <= 1; version++) {
		SCRIPT_BEGIN(version, "! connect", "> a S capable", "< a SA capable",
			     "> a A capable", "! join b 2");
		ck_assert_ptr_null(script_subflow(1));
		SCRIPT_LINES("< a A dss(a0)", "! join b 2", "> b S join(2)");
		script_end();
	}
}
END_TEST

START_TEST(join_of_an_address_id_in_use)
{
	/* Two ports of one address, or of the first subflow's own. */
	SCRIPT_BOTH(OPEN, JOIN_B, "< c S join(2)", "> c SA join(0)", "< c A join",
		    "> c A dss(A0)", "? subflows 3");
	SCRIPT_BOTH(OPEN, "< b S join(0)", "> b SA join(0)", "< b A join", "> b A dss(A0)",
		    "? subflows 2");
}
END_TEST

START_TEST(join_with_wrong_mac)
{
	SCRIPT_BOTH(OPEN, "< b S join(2)", "> b SA join(0)", "< b A join(badmac)",
		    "> b RA tcprst(1)", "? mp_join_bad_mac 1", "? subflows 1");
}
END_TEST

START_TEST(join_in_backup_mode)
{
	SCRIPT_BEGIN(0, OPEN, "< b S join(2 backup)", "> b SA join(0)", "< b A join",
		     "> b A dss(A0)");
	ck_assert(script_subflow(1)->peer_backup);
	script_end();
}
END_TEST

START_TEST(join_while_closing)
{
	/* Our stream has ended, the client's has not: more paths are welcome. */
	SCRIPT_BOTH(OPEN, "! shutdown", "> a A dss(A0 m0+1@0 F)",
		    "< b S join(2)", "> b SA join(0)", "< b A join",
		    "> b A dss(A0 m0+1@0 F)", "? subflows 2");
	/* Both have ended. */
	SCRIPT_BOTH(OPEN, "! shutdown", "> a A dss(A0 m0+1@0 F)", "< a A dss(a1 m0+1@0 F)",
		    "? state TIME_WAIT", "> a FA dss(a1)",
		    "< b S join(2)", "> b RA tcprst(3)", "? subflows 1");
}
END_TEST

START_TEST(join_that_the_close_overtakes)
{
	SCRIPT_BOTH(OPEN, "< b S join(2)", "> b SA join(0)",
		    "! shutdown", "> a A dss(A0 m0+1@0 F)",
		    "< a A dss(a1 m0+1@0 F)",
		    "> b RA tcprst(3)",
		    "> a FA dss(a1)",
		    "? state TIME_WAIT");
}
END_TEST

/* ---- closing ------------------------------------------------------------------------ */

START_TEST(fastclose_is_in_sequence)
{
	/* Apple's clients take MP_FASTCLOSE only where they expect the next byte. */
	SCRIPT_BOTH(OPEN, "! write 1000", "> a PA len 1000 dss(A0 M0+1000@1)",
		    "! abort",
		    "> a A fastclose",
		    "+ 210ms",
		    "> a A seq 1 fastclose",
		    "+ 410ms",
		    "> a A fastclose",
		    "< a R",
		    "? state CLOSED");
}
END_TEST

START_TEST(fastclose_from_the_client)
{
	SCRIPT_BOTH(OPEN, JOIN_B, "< a A fastclose", "? event reset", "> a RA tcprst(0)",
		    "> b RA tcprst(0)");
	SCRIPT_BOTH(OPEN, "< a A fastclose(badkey)", "? mode mptcp", "? state ESTABLISHED");
}
END_TEST

START_TEST(fastclose_in_place_of_the_third_ack)
{
	SCRIPT_BOTH(SYNACK, "< a A fastclose", "? event reset", "> a RA");
}
END_TEST

/* ---- data ----------------------------------------------------------------------------- */

START_TEST(dsn_and_data_ack_are_never_both_long)
{
	/* A client in the field misreads them. */
	SCRIPT_BOTH(OPEN, JOIN_B,
		    "< a PA len 5 dss(a0 m0+5@1)", "+ 10ms", "> a A dss(a5)",
		    "! write 100", "> a PA len 100 dss(A5 M0+100@1)",
		    "< a A prio(backup) dss(a100)",
		    "! write 100", "> b PA len 100 dss(A5 m100+100@1)");
}
END_TEST

START_TEST(options_of_unacceptable_segments_are_not_read)
{
	/* Beyond the window: answered by TCP, and what it says about the data is not heard. */
	SCRIPT_BOTH(OPEN, "! write 10", "> a PA len 10 dss(A0 M0+10@1)",
		    "< a A seq 100000000 ack 11 dss(a10)",
		    "> a A ack 1 dss(A0)",
		    "? tcp_out_of_window 1",
		    "< a A seq 1 ack 1 fastclose(badkey)",
		    "< a A seq 100000000 ack 11 fastclose",
		    "> a A ack 1 dss(A0)",
		    "? state ESTABLISHED",
		    "< a A seq 1 ack 11 dss(a10)");
}
END_TEST

START_TEST(keys_on_data_of_a_joined_subflow_map_nothing)
{
	/* MP_CAPABLE with a length maps the first data of the first subflow (section 3.1). */
	SCRIPT(1, OPEN, JOIN_B,
	       "< b PA seq 1 len 5 capable(len 5)",
	       "= 0",
	       "? mp_no_mapping 1",
	       "> b RA tcprst(6)",
	       "? subflows 1",
	       "< a PA len 5 dss(a0 m0+5@1)",
	       "= 5",
	       "+ 50ms",
	       "> a A dss(a5)");
}
END_TEST

START_TEST(window_without_data_ack_is_not_the_streams)
{
	/* RFC 8684, section 3.3.2: the window counts from a DATA_ACK, and only beside one. */
	SCRIPT_BOTH("< a S win 5 capable", "! accept", "> a SA capable",
		    "< a A capable", "+ 10ms", "> a A dss(A0)",
		    "! write 100",
		    "> a PA len 80 dss(A0 M0+80@1)",
		    "< a A ack 1 win 1000",
		    "< b S join(2)", "> b SA join(0)", "< b A win 1000 join", "> b A dss(A0)",
		    "< a A ack 1 dss(a0)",
		    "> a PA len 20 dss(A0 M80+20@81)");
}
END_TEST

START_TEST(window_that_opens_without_options_falls_back)
{
	/* It is not the stream's.  But nothing could be sent, and so no ACK tell that options get
	 * lost now: each probe would be answered like this, for ever. */
	SCRIPT_BOTH("< a S win 5 capable", "! accept", "> a SA capable",
		    "< a A capable", "+ 10ms", "> a A dss(A0)",
		    "! write 100",
		    "> a PA len 80 dss(A0 M0+80@1)",
		    "< a A win 0 dss(a80)",
		    "< a A win 0",
		    "? mode mptcp",
		    "< a A win 1000",
		    "? mode fallback",
		    "? mp_fallback_data 1",
		    "> a PA len 20 dss(A0 M80+20@81)");
}
END_TEST

START_TEST(each_subflow_has_its_window)
{
	/* Section 3.3.5: a middlebox has made the one of `a' smaller. */
	SCRIPT_BOTH("< a S win 5 capable", "! accept", "> a SA capable",
		    "< a A capable", "+ 10ms", "> a A dss(A0)",
		    "< b S win 1000 join(2)", "> b SA join(0)", "< b A win 1000 join",
		    "> b A dss(A0)", "< b A dss(a0)",
		    "! write 100",
		    "> a PA len 80 dss(A0 M0+80@1)", "> b PA len 20 dss(A0 m80+20@1)");
}
END_TEST

START_TEST(data_acks_may_come_only_where_they_advance)
{
	/* Section 3.3.2.  Data without one; an ACK of the subflow, the stream's elsewhere. */
	SCRIPT_BOTH(OPEN, JOIN_B,
		    "! write 10", "> a PA len 10 dss(A0 M0+10@1)",
		    "< a PA ack 11 len 5 dss(m0+5@1)", "= 5",
		    "+ 50ms", "> a A dss(a5)",
		    "< b A dss(a10)",
		    "! write 10", "> a PA len 10 dss(A5 M10+10@11)",
		    "< a A ack 21", "< b A dss(a20)",
		    "? mode mptcp", "? subflows 2");
}
END_TEST

START_TEST(first_data_for_a_number_counts)
{
	/* Section 3.3.1: what comes later for it, and differs, is not delivered. */
	SCRIPT_BOTH(OPEN, JOIN_B,
		    "< b PA len 5 dss(a0 m5+5@1)",
		    "< a PA seq 6 len 5 corrupt dss(a0 m5+5@6)", "> a A ack 1 sack 6-11 dss(A0)",
		    "< a PA seq 1 len 5 dss(a0 m0+5@1)", "> a A dss(a10)",
		    "= 10");
}
END_TEST

START_TEST(signals_are_no_duplicate_acks)
{
	/* A client without SACK: only ACKs that say nothing else may tell of a loss. */
	SCRIPT_BOTH("< a S nosack capable", "! accept", "> a SA capable",
		    "< a A capable", "+ 10ms", "> a A dss(A0)",
		    "! write 5000", "> a PA len 5000 dss(A0 M0+5000@1)",
		    "< a A ack 1 prio(backup)", "< a A ack 1 prio", "< a A ack 1 prio(backup)",
		    "< a A ack 1 prio",
		    "? tcp_fast_recovery 0",
		    "< a A ack 1 dss(a0)", "< a A ack 1 dss(a0)", "< a A ack 1 dss(a0)",
		    "> a PA seq 1 len 1440 dss(A0 M0+5000@1)",
		    "? tcp_fast_recovery 1");
}
END_TEST

/* Plain TCP is out of the question after a join: the subflow is broken (section 3.7). */
START_TEST(window_that_opens_without_options_resets)
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
		    /* One may be a middlebox's own answer; and shut is shut, whoever says so. */
		    "< b A win 10",
		    "< b A win 10",
		    "+ 450ms",
		    "> b A seq 0 dss(A0)",
		    "< b A win 0 dss(a160)",
		    "< b A win 10",
		    "+ 850ms",
		    "> b A seq 0 dss(A0)",
		    "< b A win 0",
		    "? mp_no_window 0",
		    "< b A win 10",
		    "? mp_no_window 1",
		    "> b RA tcprst(6)",
		    "? subflows 0",
		    "? state ESTABLISHED");
}
END_TEST

UNIT_MAIN("mptcp_clients", syn_repeated_without_option, syn_repeated, third_ack_lost,
	  third_ack_lost_and_data, first_data_lost, third_ack_and_first_data_lost,
	  third_ack_after_the_data, fast_open_data_is_left, flags_that_cannot_be_served_pass,
	  answers_with_flags_that_cannot_be_served, lengths_that_do_not_belong_pass,
	  algorithm_bits_are_ignored, unknown_subtypes_are_ignored, reserved_bits_are_ignored,
	  fallback_stays_silent, a_key_of_zero_is_a_key, client_resets_in_the_handshake,
	  join_before_the_third_ack,
	  join_after_fallback, join_syn_repeated, join_synack_lost, join_third_ack_lost,
	  join_fourth_ack_lost, active_join_repeats_its_third_ack,
	  active_join_checks_the_answer, active_join_waits_for_a_dss,
	  join_of_an_address_id_in_use, join_with_wrong_mac, join_in_backup_mode,
	  join_while_closing, join_that_the_close_overtakes, fastclose_is_in_sequence,
	  fastclose_from_the_client, fastclose_in_place_of_the_third_ack,
	  dsn_and_data_ack_are_never_both_long,
	  options_of_unacceptable_segments_are_not_read,
	  keys_on_data_of_a_joined_subflow_map_nothing,
	  window_without_data_ack_is_not_the_streams,
	  window_that_opens_without_options_falls_back,
	  window_that_opens_without_options_resets, each_subflow_has_its_window,
	  data_acks_may_come_only_where_they_advance, first_data_for_a_number_counts, signals_are_no_duplicate_acks)
