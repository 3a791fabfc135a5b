/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is different in version 0 (RFC 6824), and what version is spoken (RFC 8684, section
 * 3.1).
 */
#include "mptcp_script.h"

/* ---- which version -------------------------------------------------------------- */

START_TEST(a_client_is_served_in_its_version)
{
	SCRIPT(0, "! versions 3", OPEN, "? mode mptcp");
	SCRIPT(1, "! versions 3", OPEN, "? mode mptcp");
}
END_TEST

START_TEST(versions_not_configured_pass)
{
	SCRIPT(0, "! versions 2", "< a S capable", "? passed");
	SCRIPT(1, "! versions 1", "< a S capable", "? passed");
}
END_TEST

START_TEST(later_versions_pass)
{
	SCRIPT_BOTH("! versions 3", "< a S capable(v2 keys 0)", "? passed");
}
END_TEST

START_TEST(the_highest_version_is_offered)
{
	SCRIPT(1, "! versions 3", "! connect", "> a S capable");
	SCRIPT(0, "! versions 1", "! connect", "> a S capable");
}
END_TEST

START_TEST(an_answer_in_another_version_is_none)
{
	SCRIPT(1, "! connect", "> a S capable",
	       "< a SA capable(v0)",
	       "? mode fallback",
	       "> a A");
	SCRIPT(0, "! connect", "> a S capable",
	       "< a SA capable(v1)",
	       "? mode fallback",
	       "> a A");
}
END_TEST

START_TEST(third_ack_in_another_version_falls_back)
{
	SCRIPT(0, "< a S capable", "! accept", "> a SA capable",
	       "< a A capable(v1)", "? mode fallback", "> a A");
	SCRIPT(1, "< a S capable", "! accept", "> a SA capable",
	       "< a A capable(v0)", "? mode fallback", "> a A");
}
END_TEST

/* ---- the handshake of version 0 -------------------------------------------------- */

START_TEST(v0_dss_completes_the_handshake)
{
	/* The third ACK is lost; the first data has no room for the keys. */
	SCRIPT(0, "< a S capable", "! accept", "> a SA capable",
	       "< a PA len 5 dss(a0 m0+5@1)",
	       "? mode mptcp",
	       "= 5",
	       "+ 10ms",
	       "> a A dss(a5)");
}
END_TEST

START_TEST(v0_second_data_completes_the_handshake)
{
	/* ... and the first data, too. */
	SCRIPT(0, "< a S capable", "! accept", "> a SA capable",
	       "< a PA seq 6 len 5 dss(a0 m5+5@6)",
	       "? mode mptcp",
	       "> a A ack 1 sack 6-11 dss(A0)",
	       "< a PA seq 1 len 5 dss(a0 m0+5@1)",
	       "> a A dss(a10)",
	       "= 10");
}
END_TEST

START_TEST(v0_keys_and_dss_in_one_packet)
{
	SCRIPT(0, "< a S capable", "! accept", "> a SA capable",
	       "< a PA len 5 capable dss(A0 M0+5@1)",
	       "? mode mptcp",
	       "= 5",
	       "+ 10ms",
	       "> a A dss(A5)");
}
END_TEST

START_TEST(v0_third_ack_without_option_falls_back)
{
	SCRIPT(0, "< a S capable", "! accept", "> a SA capable",
	       "< a A",
	       "? mode fallback",
	       "> a A",
	       "< a PA len 5 of 0",
	       "= 5",
	       "+ 50ms",
	       "> a A");
}
END_TEST

START_TEST(v0_wrong_keys_fall_back)
{
	SCRIPT(0, "< a S capable", "! accept", "> a SA capable",
	       "< a A capable(badkey)",
	       "? mode fallback",
	       "> a A");
}
END_TEST

START_TEST(v0_third_packet_has_the_keys)
{
	/* Data is ready at once, and still it comes second. */
	SCRIPT(0, "! connect",
	       "> a S capable",
	       "< a SA capable",
	       "! write 10",
	       "> a A capable",
	       "> a PA len 10 dss(A0 M0+10@1)",
	       "< a A dss(a10)");
}
END_TEST

/* Who repeats its SYN/ACK has not got the keys, whosever turn it is. */
START_TEST(repeated_syn_ack_is_answered_with_the_keys)
{
	SCRIPT_BOTH("! connect",
		    "> a S capable",
		    "< a SA capable",
		    "> a A capable",
		    "! shutdown",
		    "> a A capable",
		    "+ 500ms",
		    "> a A dss(A0 m0+1@0 F)",
		    "< a SA seq 0 capable",
		    "> a A capable");
}
END_TEST

START_TEST(v0_keys_are_repeated_until_a_dss_came)
{
	SCRIPT(0, "! connect",
	       "> a S capable",
	       "< a SA capable",
	       "> a A capable",
	       "+ 1s",
	       "< a SA seq 0 capable",
	       "> a A capable",
	       "< a PA len 5 dss(a0 m0+5@1)",
	       "+ 50ms",
	       "> a A dss(a5)");
}
END_TEST

START_TEST(v0_active_falls_back_without_option)
{
	SCRIPT(0, "! connect", "> a S capable", "< a SA", "? mode fallback", "> a A");
}
END_TEST

START_TEST(c_bit_is_an_algorithm_in_v0)
{
	SCRIPT_BOTH("< a S capable(flags CH)", "! accept", "> a SA capable",
		    "< a A capable(flags CH)", "? mode mptcp", "+ 10ms", "> a A dss(A0)");
	for (uint8_t version = 0; version <= 1; version++) {
		SCRIPT_BEGIN(version, "< a S capable(flags CH)");
		ck_assert_int_eq(script_.p.conn->peer_no_join_initial, version);
		script_end();
	}
}
END_TEST

/* ---- everything else that differs -------------------------------------------------- */

START_TEST(v0_refuses_joins_without_mp_tcprst)
{
	SCRIPT(0, "! max_subflows 1", OPEN, "< b S join(2)", "> b RA");
	SCRIPT(1, "! max_subflows 1", OPEN, "< b S join(2)", "> b RA tcprst(2 T)");
}
END_TEST

START_TEST(v0_resets_without_mp_tcprst)
{
	SCRIPT(0, OPEN, "< b S join(2)", "> b SA join(0)", "< b A join(badmac)",
	       "> b RA", "? mp_join_bad_mac 1", "? subflows 1");
}
END_TEST

START_TEST(v0_checksums_if_either_asks)
{
	/* The client does. */
	SCRIPT_BOTH("< a S capable(flags AH)", "! accept", "> a SA capable(flags AH)",
		    "< a A capable(flags AH)", "+ 10ms", "> a A dss(A0)",
		    "< a PA len 5 dss(a0 m0+5@1 sum)", "= 5", "+ 10ms", "> a A dss(a5)",
		    "! write 10", "> a PA len 10 dss(A5 M0+10@1 sum)");
	/* The configuration does. */
	SCRIPT_BOTH("! checksum", "< a S capable", "! accept", "> a SA capable(flags AH)",
		    "< a A capable", "+ 10ms", "> a A dss(A0)",
		    "! write 10", "> a PA len 10 dss(A0 M0+10@1 sum)");
	/* Nobody does. */
	SCRIPT_BOTH(OPEN, "! write 10", "> a PA len 10 dss(A0 M0+10@1)");
}
END_TEST

START_TEST(v0_add_addr_is_not_echoed)
{
	SCRIPT(0, OPEN,
	       "< a A add_addr(3 192.0.2.30) dss(a0)",
	       "< a A add_addr(4 192.0.2.40 port 8080) dss(a0)",
	       "< a A add_addr(5 2001:db8::5 port 8080) dss(A0)",
	       "+ 1s", "? mp_add_addr_in 3");
}
END_TEST

START_TEST(add_addr_of_another_version_is_ignored)
{
	/* A version 1 option in a version 0 connection, and the reverse. */
	SCRIPT(0, OPEN, "< a A raw(1e103003c000021e0000000000000000) dss(a0)", "+ 1s",
	       "? mp_add_addr_in 0");
	SCRIPT(1, OPEN, "< a A raw(1e083403c000021e) dss(a0)", "+ 1s", "? mp_add_addr_in 0");
	/* An echo ends no announcement where there are none. */
	SCRIPT(0, OPEN, "! endpoint 198.51.100.9", "! endpoints",
	       "> a A dss(A0) add_addr(1 198.51.100.9)",
	       "< a A raw(1e083101c6336409) dss(a0)", "? mp_add_addr_echoed 0",
	       "+ 2s", "> a A dss(A0) add_addr(1 198.51.100.9)");
}
END_TEST

START_TEST(v0_mp_prio_names_an_address)
{
	SCRIPT_BEGIN(0, OPEN, JOIN_B, JOIN_C, "< a A prio(backup id 3) dss(a0)");
	ck_assert(!script_subflow(0)->peer_backup);
	ck_assert(!script_subflow(1)->peer_backup);
	ck_assert(script_subflow(2)->peer_backup);
	SCRIPT_LINES("< a A prio(id 3) dss(a0)", "< b A prio(backup) dss(a0)");
	ck_assert(script_subflow(1)->peer_backup);
	ck_assert(!script_subflow(2)->peer_backup);
	script_end();
	/* No such form in version 1. */
	SCRIPT_BEGIN(1, OPEN, JOIN_B, "< a A prio(backup id 2) dss(a0)");
	ck_assert(!script_subflow(0)->peer_backup);
	ck_assert(!script_subflow(1)->peer_backup);
	script_end();
}
END_TEST

START_TEST(v0_blind_signals_are_not_heard)
{
	/* Neither has an HMAC in this version (RFC 7430, section 2; RFC 8684, section 5): only
	 * the numbers of the segment protect them, sequence and (RFC 5961) acknowledgement. */
	SCRIPT_BEGIN(0, OPEN, JOIN_B,
		     "< a A seq 100000000 ack 1 add_addr(3 192.0.2.66)", "> a A ack 1 dss(A0)",
		     "+ 2s", "< a A seq 1 ack 100000000 add_addr(3 192.0.2.66)",
		     "> a A ack 1 dss(A0)",
		     "+ 2s", "< a A seq 100000000 ack 1 prio(backup id 2)", "> a A ack 1 dss(A0)",
		     "+ 2s", "< a A seq 1 ack 100000000 prio(backup id 2)", "> a A ack 1 dss(A0)",
		     "+ 2s", "< a A seq 1 ack 1 dss(a0)",
		     "? mp_add_addr_in 0", "? mp_prio_in 0", "? mp_remove_addr_in 0");
	ck_assert(!script_subflow(1)->peer_backup);
	script_end();
}
END_TEST

START_TEST(v0_fastclose_at_once)
{
	/* Version 1 has it on the RSTs; here it goes on an ACK, ahead of them (section 3.5). */
	SCRIPT_BEGIN(0, OPEN, JOIN_B, "! write 10", "> a PA len 10 dss(A0 M0+10@1)");
	mptcp_abort_now(script_.p.conn, script_.p.now_us);
	SCRIPT_LINES("> a A fastclose", "> a RA", "> b RA", "? mp_fastclose_out 1",
		     "? event closed");
	script_end();
	/* It was said before, and nobody answered. */
	SCRIPT(0, OPEN, "! abort", "> a A fastclose", "+ 210ms", "> a A fastclose",
	       "+ 410ms", "> a A fastclose", "+ 810ms", "> a A fastclose",
	       "+ 1610ms", "> a A fastclose", "+ 10s", "> a RA", "? mp_fastclose_out 1");
	/* On every path, as nobody knows which of them still work. */
	SCRIPT(0, OPEN, JOIN_B, "! abort", "> b A fastclose", "> b RA", "> a A fastclose",
	       "< a R", "? mp_fastclose_out 1", "? state CLOSED");
	/* It was about to be said. */
	SCRIPT_BEGIN(0, OPEN);
	mptcp_abort(script_.p.conn, script_.p.now_us);
	mptcp_abort_now(script_.p.conn, script_.p.now_us);
	SCRIPT_LINES("> a A fastclose", "> a RA", "? mp_fastclose_out 1");
	script_end();
	/* Its first subflow has gone. */
	SCRIPT_BEGIN(0, OPEN, JOIN_B, "< a R", "? subflows 1");
	mptcp_abort_now(script_.p.conn, script_.p.now_us);
	SCRIPT_LINES("> b A fastclose", "> b RA");
	script_end();
}
END_TEST

START_TEST(v0_fastclose_from_both_sides)
{
	SCRIPT(0, OPEN, "! abort", "> a A fastclose", "< a A fastclose", "> a RA",
	       "? state CLOSED", "? event closed");
}
END_TEST

START_TEST(v0_mp_fail_needs_no_answer)
{
	/* Only the infinite mapping, retroactive, on the next data (section 3.6). */
	SCRIPT(0, "! checksum", "< a S capable", "! accept", "> a SA capable(flags AH)",
	       "< a A capable(flags AH)", "+ 10ms", "> a A dss(A0)",
	       "< a PA len 5 dss(a0 m0+5@1 sum)", "+ 50ms", "> a A dss(a5)",
	       "< a PA len 5 dss(a0 m5+5@6 badsum)", "> a A dss(A5) fail(5)", "= 5",
	       "< a PA len 5 dss(a0 m5+0@6)",
	       "= 15", "? mode fallback", "? mp_fallback_checksum 1", "> a A",
	       "! write 10", "> a PA len 10");
}
END_TEST

START_TEST(v0_options_lost_on_acks_falls_back)
{
	/* Ours go on, as in version 1: the peer may not have noticed. */
	SCRIPT(0, OPEN,
	       "! write 10", "> a PA len 10 dss(A0 M0+10@1)",
	       "< a A", "? mode fallback", "? mp_fallback_data 1",
	       "! write 10", "> a PA len 10 dss(A0 M10+10@11)",
	       "< a PA len 5 dss(a20 m0+5@1)", "= 5",
	       "+ 50ms", "> a A dss(A5)");
}
END_TEST

START_TEST(v0_one_add_addr_of_several_is_read)
{
	/* Several fit into one packet; we have no use for any of them. */
	SCRIPT(0, OPEN, "< a A raw(1e083403c000021e1e083404c000021f)", "? mp_add_addr_in 1",
	       "? mode mptcp");
}
END_TEST

START_TEST(v0_third_ack_cannot_map_data)
{
	/* The form with a data length is version 1's. */
	SCRIPT(0, "< a S capable", "! accept", "> a SA capable",
	       "< a PA len 5 of 0 raw(1e18000107060504030201000000000000000000000500)",
	       "? mode fallback");
}
END_TEST

UNIT_MAIN("mptcp_versions", a_client_is_served_in_its_version, versions_not_configured_pass,
	  later_versions_pass, the_highest_version_is_offered,
	  an_answer_in_another_version_is_none, third_ack_in_another_version_falls_back,
	  v0_dss_completes_the_handshake, v0_second_data_completes_the_handshake,
	  v0_keys_and_dss_in_one_packet, v0_third_ack_without_option_falls_back,
	  v0_wrong_keys_fall_back, v0_third_packet_has_the_keys,
	  repeated_syn_ack_is_answered_with_the_keys,
	  v0_keys_are_repeated_until_a_dss_came, v0_active_falls_back_without_option,
	  c_bit_is_an_algorithm_in_v0, v0_refuses_joins_without_mp_tcprst,
	  v0_resets_without_mp_tcprst, v0_checksums_if_either_asks, v0_add_addr_is_not_echoed,
	  add_addr_of_another_version_is_ignored, v0_mp_prio_names_an_address,
	  v0_blind_signals_are_not_heard, v0_fastclose_at_once, v0_fastclose_from_both_sides, v0_mp_fail_needs_no_answer,
	  v0_options_lost_on_acks_falls_back, v0_one_add_addr_of_several_is_read,
	  v0_third_ack_cannot_map_data)
