/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ADD_ADDR, REMOVE_ADDR, MP_PRIO and the C flag, packet by packet (RFC 8684, sections 3.1,
 * 3.2, 3.3.8 and 3.4). */
#include "mptcp_script.h"

/* ---- ours ----------------------------------------------------------------------------- */

/* What the connection sends now is of no interest. */
static void look_away(void)
{
	script_run_due_();
	peer_forget(&script_.p);
}

START_TEST(add_addr_is_sent_until_echoed)
{
	SCRIPT(1, OPEN,
	       "! endpoint 198.51.100.9", "! endpoints",
	       "> a A dss(A0) add_addr(1 198.51.100.9)",
	       "+ 999ms",
	       "+ 2s",
	       "> a A dss(A0) add_addr(1 198.51.100.9)",
	       "< a A add_addr(1 198.51.100.9 echo)",
	       "+ 200s",
	       "? mp_add_addr_out 2", "? mp_add_addr_echoed 1", "? mp_add_addr_unanswered 0");
}
END_TEST

START_TEST(add_addr_is_given_up)
{
	SCRIPT(1, OPEN,
	       "! endpoint 198.51.100.9", "! endpoints",
	       "> a A dss(A0) add_addr(1 198.51.100.9)",
	       "+ 2s", "> a A dss(A0) add_addr(1 198.51.100.9)",
	       "+ 4s", "> a A dss(A0) add_addr(1 198.51.100.9)",
	       "+ 8s", "> a A dss(A0) add_addr(1 198.51.100.9)",
	       "+ 16s", "> a A dss(A0) add_addr(1 198.51.100.9)",
	       "+ 32s", "> a A dss(A0) add_addr(1 198.51.100.9)",
	       "+ 600s",
	       "? mp_add_addr_unanswered 1",
	       /* A late echo counts all the same. */
	       "< a A add_addr(1 198.51.100.9 echo)",
	       "? mp_add_addr_echoed 1");
}
END_TEST

/* Who opens has to hear a DSS first: before, the peer may have fallen back. */
START_TEST(add_addr_waits_for_a_dss)
{
	SCRIPT_BOTH("! connect", "> a S capable", "< a SA capable",
		    "! endpoint 198.51.100.9", "! endpoints",
		    "> a A capable",
		    "< a A dss(a0)",
		    "> a A dss(A0) add_addr(1 198.51.100.9)");
}
END_TEST

/* An echo of another address, or with another id, ends nothing. */
START_TEST(foreign_echo_is_ignored)
{
	SCRIPT(1, OPEN,
	       "! endpoint 198.51.100.9", "! endpoints",
	       "> a A dss(A0) add_addr(1 198.51.100.9)",
	       "< a A add_addr(1 198.51.100.8 echo)",
	       "< a A add_addr(2 198.51.100.9 echo)",
	       "? mp_add_addr_echoed 0",
	       "+ 2s", "> a A dss(A0) add_addr(1 198.51.100.9)");
}
END_TEST

/* The option space: 40 bytes, 12 of them for timestamps, or 10 without their NOPs. */
START_TEST(add_addr_fits_beside_timestamps)
{
	static const char *const with_ts[] = {
		"< a S ts capable", "! accept", "> a SA capable", "< a A capable", "+ 10ms",
		"> a A dss(A0)",
		"! endpoint 198.51.100.9", "! endpoints",
		"> a A dss(A0) add_addr(1 198.51.100.9)",
		"< a A add_addr(1 198.51.100.9 echo)",
		"! endpoint 198.51.100.9 port 4430", "! endpoints",
		"> a A dss(A0) remove_addr(1)",
		"+ 201ms",
		"> a A dss(A0) add_addr(2 198.51.100.9 port 4430)",
		"< a A add_addr(2 198.51.100.9 port 4430 echo)",
		"+ 201ms", "> a A dss(A0) remove_addr(1)", "+ 1s", "> a A dss(A0) remove_addr(1)",
		/* The HMAC leaves no room for a DATA_ACK. */
		"! endpoint 198.51.100.9 port 4430", "! endpoint 2001:db8::9", "! endpoints",
		"> a A add_addr(3 2001:db8::9)",
		"< a A add_addr(3 2001:db8::9 echo)",
		"! endpoint 198.51.100.9 port 4430", "! endpoint 2001:db8::9",
		"! endpoint 2001:db8::9 port 4430", "! endpoints",
		"> a A add_addr(4 2001:db8::9 port 4430)",
		"< a A add_addr(4 2001:db8::9 port 4430 echo)",
		"? mp_add_addr_echoed 4", NULL };

	script_begin(1);
	script_lines(with_ts);
	script_end();
}
END_TEST

/* Without room for a DATA_ACK, the one that is owed goes first: TCP's ACK would hide it. */
START_TEST(signal_does_not_swallow_a_data_ack)
{
	SCRIPT(1, "< a S ts capable", "! accept", "> a SA capable", "< a A capable", "+ 10ms",
	       "> a A dss(A0)",
	       "< a PA len 5 dss(a0 m0+5@1)",
	       "! endpoint 2001:db8::9", "! endpoints",
	       "> a A dss(a5)", "> a A add_addr(1 2001:db8::9)",
	       "= 5",
	       "+ 100ms");
}
END_TEST

/* Neither more than two in a row, nor the second ADD_ADDR before the first one's echo or
 * a retransmission timeout. */
START_TEST(announcements_are_paced)
{
	SCRIPT(1, OPEN,
	       "! endpoint 198.51.100.7", "! endpoint 198.51.100.8", "! endpoint 198.51.100.9",
	       "! endpoint 198.51.100.10", "! endpoints",
	       "> a A dss(A0) add_addr(1 198.51.100.7)",
	       "< a A add_addr(1 198.51.100.7 echo)",
	       "> a A dss(A0) add_addr(2 198.51.100.8)",
	       "< a A add_addr(2 198.51.100.8 echo)",
	       /* The third in a row has to wait. */
	       "+ 199ms",
	       "+ 2ms",
	       "> a A dss(A0) add_addr(3 198.51.100.9)",
	       "+ 199ms",
	       "+ 2ms",
	       "> a A dss(A0) add_addr(4 198.51.100.10)",
	       "< a A add_addr(4 198.51.100.10 echo)",
	       "< a A add_addr(3 198.51.100.9 echo)",
	       "+ 60s",
	       "? mp_add_addr_out 4", "? mp_add_addr_echoed 4");
}
END_TEST

/* Version 0 has neither HMAC nor echo. */
START_TEST(add_addr_of_version_0)
{
	SCRIPT(0, OPEN,
	       "! endpoint 198.51.100.9", "! endpoint 2001:db8::9 port 4430", "! endpoints",
	       "> a A dss(A0) add_addr(1 198.51.100.9)",
	       "+ 201ms",
	       "> a A dss(A0) add_addr(2 2001:db8::9 port 4430)",
	       "+ 2s",
	       "> a A dss(A0) add_addr(1 198.51.100.9)",
	       "> a A dss(A0) add_addr(2 2001:db8::9 port 4430)",
	       "+ 200s",
	       "? mp_add_addr_out 4", "? mp_add_addr_unanswered 0",
	       /* Nor is one of the peer's answered. */
	       "< a A dss(a0) add_addr(5 192.0.2.77)",
	       "? mp_add_addr_in 1",
	       "! endpoints", "> a A dss(A0) remove_addr(1 2)");
}
END_TEST

/* A join to the address shows that it is known, and bears its id and priority. */
START_TEST(join_to_an_endpoint)
{
	SCRIPT_BOTH(OPEN,
		    "! endpoint 198.51.100.9 port 4430 backup", "! endpoints",
		    "> a A dss(A0) add_addr(1 198.51.100.9 port 4430)",
		    "! to b 198.51.100.9 4430",
		    "< b S join(2)", "> b SA join(1 backup)", "< b A join", "> b A dss(A0)",
		    "+ 200s",
		    "? mp_add_addr_out 1", "? subflows 2");
}
END_TEST

/* Behind a NAT what is announced is not where joins arrive. */
START_TEST(join_through_a_nat)
{
	SCRIPT(1, OPEN,
	       "! endpoint 203.0.113.7 port 443 local 10.0.0.7 lport 4430", "! endpoints",
	       "> a A dss(A0) add_addr(1 203.0.113.7 port 443)",
	       "! to b 10.0.0.7 4430",
	       "< b S join(2)", "> b SA join(1)", "< b A join", "> b A dss(A0)",
	       /* The same address in front of it is none of ours. */
	       "! to c 203.0.113.7 443",
	       "< c S join(3)", "> c SA join(2)", "< c A join", "> c A dss(A0)",
	       "? subflows 3");
}
END_TEST

/* A service may have many addresses, of which none is announced. */
START_TEST(join_to_an_address_that_was_not_announced)
{
	SCRIPT_BOTH(OPEN,
		    "! to b 198.51.100.9 80",
		    "< b S join(2)", "> b SA join(1)", "< b A join", "> b A dss(A0)",
		    "! endpoint 198.51.100.8", "! endpoints",
		    "> a A dss(A0) add_addr(2 198.51.100.8)",
		    "< b R", "? subflows 1",
		    /* Whatever port it is. */
		    "! to c 198.51.100.9 443",
		    "< c S join(3)", "> c SA join(1)", "< c A join", "> c A dss(A0)");
}
END_TEST

/* One address has one id, whatever the peer learnt it from. */
START_TEST(joined_address_keeps_its_id_when_it_is_announced)
{
	SCRIPT_BOTH(OPEN,
		    "! to b 198.51.100.9 80",
		    "< b S join(2)", "> b SA join(1)", "< b A join", "> b A dss(A0)",
		    "! endpoint 198.51.100.9 backup", "! endpoints",
		    "> b A dss(A0) prio(backup)", "> a A dss(A0) add_addr(1 198.51.100.9)",
		    "! to c 198.51.100.9 80",
		    "< c S join(3)", "> c SA join(1 backup)", "< c A join", "> c A dss(A0)",
		    "! endpoints", "> a A dss(A0) remove_addr(1)",
		    "< b FA dss(a0)", "> b FA dss(A0)", "< b A dss(a0)",
		    "< c FA dss(a0)", "> c FA dss(A0)", "< c A dss(a0)",
		    "? subflows 1",
		    /* Taken back, it has another. */
		    "! endpoint 198.51.100.9", "! endpoints",
		    "+ 250ms",
		    "> a A dss(A0) add_addr(2 198.51.100.9)");
}
END_TEST

/* The id of our address `host` in a join to it, as join number `n`. */
static struct mptcp_subflow *join_to(struct peer *p, uint8_t host, unsigned n)
{
	uint8_t addr[4] = { 198, 51, 100, host };
	enum mptcp_reset_reason reason;
	struct mptcp_subflow *sf;
	struct peer_flow flow;
	struct packet syn;

	peer_flow_init(&flow, 3, 1);
	flow.tuple.src.port = (uint16_t)(20000 + n);
	ip_addr_from_v4(&flow.tuple.dst.addr, addr);
	syn = peer_join_syn(&flow, p->conn->local_token, 1);
	sf = mptcp_join_passive(p->conn, &syn, p->now_us, &reason);
	ck_assert_ptr_nonnull(sf);
	return sf;
}

static void lose(struct peer *p, struct mptcp_subflow *sf)
{
	mptcp_subflow_died(sf, "lost", p->now_us);
	ck_assert_ptr_eq(mptcp_reap(p->conn), sf);
	mptcp_subflow_free(sf);
}

/* As often as there are ids, and more. */
START_TEST(repeated_joins_use_up_no_ids)
{
	struct mptcp_endpoint e = { .backup = false };
	struct mptcp_subflow *kept, *sf;
	unsigned n = 0;
	struct peer p;

	peer_init(&p);
	peer_open(&p);
	kept = join_to(&p, 9, n++);
	ck_assert_uint_eq(kept->local_id, 1);
	ck_assert_int_eq(ip_addr_parse("198.51.100.10", &e.announced.addr), 0);
	e.local = e.announced;
	mptcp_set_endpoints(p.conn, &e, 1, p.now_us);
	for (int i = 0; i < 300; i++) {
		sf = join_to(&p, 11, n++);
		ck_assert_uint_eq(sf->local_id, 3);
		lose(&p, sf);
	}
	/* Each address in turn, which are more than can be remembered: none has the id of one
	 * that is in use. */
	for (int i = 0; i < 600; i++) {
		uint8_t host = (uint8_t)(i % 250 + 1);

		sf = join_to(&p, host, n++);
		ck_assert_int_eq(sf->local_id == 0, host == 1);
		ck_assert_int_eq(sf->local_id == 1, host == 9);
		ck_assert_int_eq(sf->local_id == 2, host == 10);
		lose(&p, sf);
	}
	/* Those that it met last keep theirs. */
	for (int i = 0; i < 300; i++) {
		uint8_t host = (uint8_t)(20 + i % 4);
		static uint8_t ids[4];

		sf = join_to(&p, host, n++);
		if (i >= 4)
			ck_assert_uint_eq(sf->local_id, ids[i % 4]);
		ids[i % 4] = sf->local_id;
		lose(&p, sf);
	}
	peer_fini(&p);
}
END_TEST

/* The peer takes the port from the subflow on which it is told. */
START_TEST(port_of_the_first_subflow_is_meant)
{
	SCRIPT_BOTH(OPEN,
		    "! endpoint 198.51.100.9 port 4430", "! endpoints",
		    "> a A dss(A0) add_addr(1 198.51.100.9 port 4430)",
		    "! to b 198.51.100.9 4430",
		    "< b S join(2)", "> b SA join(1)", "< b A join", "> b A dss(A0)",
		    "! endpoint 198.51.100.9 port 4430", "! endpoint 198.51.100.8", "! endpoints",
		    "> a A dss(A0) add_addr(2 198.51.100.8)",
		    /* The other subflow goes to another port: it must be said. */
		    "+ 2s", "> b A dss(A0) add_addr(2 198.51.100.8 port 80)");
}
END_TEST

START_TEST(address_of_the_first_subflow_is_not_announced)
{
	SCRIPT_BOTH(OPEN,
		    "! endpoint 198.51.100.1", "! endpoints",
		    "+ 10s",
		    "? mp_add_addr_out 0",
		    JOIN_B,
		    /* But it can be taken away, as number 0: with it the subflows that use it. */
		    "! endpoints",
		    "> a A dss(A0) remove_addr(0)",
		    "? subflows 2",
		    "! to c 198.51.100.1 80",
		    "< c S join(3)", "> c RA tcprst(3)",
		    "? mp_join_address 1",
		    "+ 1s", "> b A dss(A0) remove_addr(0)", "+ 3s", "> a A dss(A0) remove_addr(0)",
		    /* It comes back as a new one. */
		    "! endpoint 198.51.100.1", "! endpoints",
		    "> a A dss(A0) add_addr(1 198.51.100.1)");
}
END_TEST

START_TEST(withdrawn_address_takes_its_subflows_along)
{
	SCRIPT(1, OPEN,
	       "! endpoint 198.51.100.9", "! endpoints",
	       "> a A dss(A0) add_addr(1 198.51.100.9)",
	       "! to b 198.51.100.9 80",
	       "< b S join(2)", "> b SA join(1)", "< b A join", "> b A dss(A0)",
	       "! endpoints",
	       "> a A dss(A0) remove_addr(1)",
	       /* It is not used any more, and the client closes it. */
	       "! write 10", "> a PA len 10 dss(A0 M0+10@1)", "< a A dss(a10)",
	       "< b FA dss(a10)", "> b FA dss(A0)", "< b A dss(a10)",
	       "? subflows 1", "? mp_subflow_removed 1",
	       "< c S join(3)", "> c SA join(0)", "< c A join", "> c A dss(A0)",
	       /* Nothing answers REMOVE_ADDR: it is said three times, by all subflows. */
	       "+ 1s", "> c A dss(A0) remove_addr(1)",
	       "+ 3s", "> a A dss(A0) remove_addr(1)",
	       "+ 100s", "? mp_remove_addr_out 3");
}
END_TEST

#define JOIN_ENDPOINT \
	"! endpoint 198.51.100.9", "! endpoints", \
	"> a A dss(A0) add_addr(1 198.51.100.9)", \
	"! to b 198.51.100.9 80", \
	"< b S join(2)", "> b SA join(1)", "< b A join", "> b A dss(A0)"

/* A client that does not: FIN, because the subflow works (section 3.4.2). */
START_TEST(subflow_of_a_withdrawn_address_is_closed)
{
	SCRIPT_BOTH(OPEN, JOIN_ENDPOINT,
		    "! endpoints",
		    "> a A dss(A0) remove_addr(1)",
		    /* It may go on sending there. */
		    "< b PA len 5 dss(a0 m0+5@1)", "= 5",
		    "+ 500ms", "> b A dss(a5)", "> a A dss(a5) remove_addr(1)",
		    "+ 1s", "> a A dss(a5) remove_addr(1)",
		    "? subflows 2",
		    "+ 500ms", "> b FA dss(a5)",
		    "< b PA len 5 dss(a0 m5+5@6)", "= 10",
		    "+ 1s", "> b A dss(a10)",
		    "< b FA dss(a0)", "> b A dss(a10)",
		    "? subflows 1", "? mp_subflow_removed 1");
}
END_TEST

/* Where the address is gone, others carry its data at once, and the FIN is an RST. */
START_TEST(subflow_of_an_address_that_is_gone_is_reset)
{
	SCRIPT_BOTH(OPEN, JOIN_ENDPOINT, "< a A dss(a0) prio(backup)",
		    "! write 100", "> b PA len 100 dss(A0 m0+100@1)",
		    "! endpoint 198.51.100.9 gone", "! endpoints",
		    "> a PA len 100 dss(A0 M0+100@1)",
		    "> a A dss(A0) remove_addr(1)",
		    "< a A dss(a100)",
		    "? subflows 2");
}
END_TEST

/* What was the spare when the address went may not be any more. */
START_TEST(withdrawn_address_is_used_if_nothing_else_is_left)
{
	SCRIPT(1, OPEN, JOIN_ENDPOINT,
	       "! endpoints",
	       "> a A dss(A0) remove_addr(1)",
	       "< a RA", "? subflows 1",
	       "! write 10", "> b PA len 10 dss(A0 m0+10@1)", "< b A dss(a10)",
	       "+ 1s", "> b A dss(A0) remove_addr(1)", "+ 2s", "> b A dss(A0) remove_addr(1)",
	       "+ 60s",
	       "? subflows 1");
}
END_TEST

/* While all others are silent, one whose address was gone for a while may be the one that works. */
START_TEST(address_that_was_gone_is_used_if_nothing_else_answers)
{
	for (uint8_t version = 0; version < 2; version++) {
		SCRIPT_BEGIN(version, OPEN, JOIN_ENDPOINT,
			     "! endpoint 198.51.100.9 gone", "! endpoints",
			     "> a A dss(A0) remove_addr(1)",
			     "! write 100", "> a PA len 100 dss(A0 M0+100@1)");
		for (int i = 0; i < 19; i++) {
			peer_advance(&script_.p, 100000);
			peer_clear(&script_.p);
		}
		SCRIPT_LINES("+ 100ms", "> b PA len 100 dss(A0 m0+100@1)", "< b A dss(a100)");
		script_end();
	}
}
END_TEST

START_TEST(the_last_subflow_outlives_its_address)
{
	SCRIPT_BOTH(OPEN,
		    "! endpoint 198.51.100.9", "! endpoints",
		    "> a A dss(A0) add_addr(1 198.51.100.9)",
		    "! to b 198.51.100.9 80",
		    "< b S join(2)", "> b SA join(1)", "< b A join", "> b A dss(A0)",
		    "< a RA", "? subflows 1",
		    "! endpoints",
		    "> b A dss(A0) remove_addr(1)",
		    "? subflows 1");
}
END_TEST

START_TEST(several_are_removed_at_once)
{
	SCRIPT(1, OPEN,
	       "! endpoint 198.51.100.7", "! endpoint 198.51.100.8", "! endpoint 198.51.100.9",
	       "! endpoints",
	       "> a A dss(A0) add_addr(1 198.51.100.7)", "< a A add_addr(1 198.51.100.7 echo)",
	       "> a A dss(A0) add_addr(2 198.51.100.8)", "< a A add_addr(2 198.51.100.8 echo)",
	       "+ 1s",
	       "> a A dss(A0) add_addr(3 198.51.100.9)", "< a A add_addr(3 198.51.100.9 echo)",
	       "! endpoints",
	       "> a A dss(A0) remove_addr(1 2 3)");
}
END_TEST

/* What the peer was never told is not taken back. */
START_TEST(unsaid_address_is_dropped_silently)
{
	SCRIPT(1, OPEN,
	       "! endpoint 198.51.100.7", "! endpoint 198.51.100.8", "! endpoints",
	       "> a A dss(A0) add_addr(1 198.51.100.7)",
	       "! endpoint 198.51.100.7", "! endpoints",
	       "< a A add_addr(1 198.51.100.7 echo)",
	       "+ 100s",
	       "? mp_add_addr_out 1", "? mp_remove_addr_out 0");
}
END_TEST

/* It has a new number, so that a late REMOVE_ADDR does not hit it. */
START_TEST(address_that_comes_back)
{
	SCRIPT_BOTH(OPEN,
		    "! endpoint 198.51.100.9", "! endpoints",
		    "> a A dss(A0) add_addr(1 198.51.100.9)", "< a A add_addr(1 198.51.100.9 echo)",
		    "! endpoints",
		    "> a A dss(A0) remove_addr(1)",
		    "! endpoint 198.51.100.9", "! endpoints",
		    "+ 201ms",
		    "> a A dss(A0) add_addr(2 198.51.100.9)",
		    "< a A add_addr(2 198.51.100.9 echo)",
		    "+ 201ms",
		    "> a A dss(A0) remove_addr(1)",
		    "! to b 198.51.100.9 80",
		    "< b S join(2)", "> b SA join(2)", "< b A join", "> b A dss(A0)");
}
END_TEST

START_TEST(too_many_addresses_are_counted)
{
	static struct mptcp_endpoint list[MPTCP_LOCAL_MAX / 2];

	script_begin(1);
	SCRIPT_LINES(OPEN);
	/* Two whole exchanges: what was withdrawn is not yet forgotten when the third set comes. */
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < MPTCP_LOCAL_MAX / 2; i++) {
			char text[IP_ADDR_STRLEN];

			snprintf(text, sizeof(text), "198.51.100.%u", 10 + round * 20 + i);
			ck_assert_int_eq(ip_addr_parse(text, &list[i].announced.addr), 0);
			list[i].local = list[i].announced;
		}
		mptcp_set_endpoints(script_.p.conn, list, MPTCP_LOCAL_MAX / 2, script_.p.now_us);
		for (int i = 0; i < (round ? 5 : 20); i++) {
			peer_forget(&script_.p);
			peer_advance(&script_.p, 200000);
		}
		if (!round)
			ck_assert_uint_eq(script_.p.counters.v[CNT_MP_ADDRESSES_FULL], 0);
	}
	ck_assert_uint_gt(script_.p.counters.v[CNT_MP_ADDRESSES_FULL], 0);
	mptcp_set_endpoints(script_.p.conn, NULL, 0, script_.p.now_us);
	mptcp_set_endpoints(script_.p.conn, list, MPTCP_LOCAL_MAX / 2, script_.p.now_us);
	mptcp_set_endpoints(script_.p.conn, NULL, 0, script_.p.now_us);
	peer_forget(&script_.p);
	peer_advance(&script_.p, 300 * 1000000ull);
	peer_forget(&script_.p);
	for (unsigned i = 0; i < MPTCP_LOCAL_MAX; i++)
		ck_assert_int_eq(script_.p.conn->addresses->local[i].state, MPTCP_ADDRESS_FREE);
	script_end();
}
END_TEST

/* ---- the peer's ------------------------------------------------------------------------- */

START_TEST(received_add_addr_is_echoed)
{
	SCRIPT(1, OPEN,
	       "< a A dss(a0) add_addr(5 192.0.2.77)",
	       "> a A dss(A0) add_addr(5 192.0.2.77 echo)",
	       "? event address",
	       /* Said again, because the echo was lost. */
	       "< a A dss(a0) add_addr(5 192.0.2.77)",
	       "> a A dss(A0) add_addr(5 192.0.2.77 echo)",
	       "? no event address",
	       "< a A dss(a0)",
	       "+ 2s",
	       "< a A add_addr(6 2001:db8::77 port 8080)",
	       "> a A dss(A0) add_addr(6 2001:db8::77 port 8080 echo)",
	       "? mp_add_addr_in 3");
}
END_TEST

START_TEST(wrong_hmac_is_ignored)
{
	SCRIPT(1, OPEN,
	       "< a A dss(a0) add_addr(5 192.0.2.77 badmac)",
	       "? mp_add_addr_bad_mac 1", "? mp_add_addr_in 0",
	       "< a A dss(a0) add_addr(5 192.0.2.77)",
	       "> a A dss(A0) add_addr(5 192.0.2.77 echo)");
}
END_TEST

START_TEST(known_id_keeps_its_address)
{
	SCRIPT(1, OPEN,
	       "< a A dss(a0) add_addr(5 192.0.2.77)",
	       "> a A dss(A0) add_addr(5 192.0.2.77 echo)",
	       "? event address",
	       "< a A dss(a0) add_addr(5 192.0.2.78)",
	       "? mp_add_addr_ignored 1", "? no event address",
	       /* Another port is allowed. */
	       "< a A dss(a0) add_addr(5 192.0.2.77 port 99)",
	       "> a A dss(A0) add_addr(5 192.0.2.77 port 99 echo)",
	       "? event address",
	       /* And after it was removed, anything. */
	       "< a A dss(a0) remove_addr(5)",
	       "? event address",
	       "+ 2s",
	       "< a A dss(a0) add_addr(5 192.0.2.78)",
	       "> a A dss(A0) add_addr(5 192.0.2.78 echo)");
	SCRIPT(0, OPEN,
	       "< a A dss(a0) add_addr(5 192.0.2.77)",
	       "< a A dss(a0) add_addr(5 192.0.2.78)",
	       "? mp_add_addr_ignored 1",
	       "< a A dss(a0) add_addr(5 192.0.2.77 port 99)",
	       "< a A dss(a0) remove_addr(5)",
	       "< a A dss(a0) add_addr(5 192.0.2.78)",
	       "? mp_add_addr_ignored 1", "? mp_add_addr_in 3");
}
END_TEST

START_TEST(received_addresses_are_bounded)
{
	char line[64];

	script_begin(1);
	SCRIPT_LINES(OPEN);
	for (unsigned i = 1; i <= 20; i++) {
		snprintf(line, sizeof(line), "< a A dss(a0) add_addr(%u 192.0.2.%u)", i, i);
		SCRIPT_LINES(line);
		look_away();
		SCRIPT_LINES("+ 3s");
		look_away();
	}
	SCRIPT_LINES("? mp_add_addr_in 8", "? mp_addresses_full 12");
	script_end();
}
END_TEST

/* Section 3.4.2: whether the path is really gone is found out first. */
START_TEST(removed_address_is_probed)
{
	SCRIPT_BOTH(OPEN, JOIN_B,
		    "< a A dss(a0) remove_addr(2)",
		    "> b A seq 0 dss(A0)",
		    /* What was under way already is no answer. */
		    "< b A dss(a0)",
		    "+ 402ms",
		    "> b A seq 0 dss(A0)",
		    "+ 10ms",
		    /* It answers: it stays. */
		    "< b A dss(a0)",
		    "+ 60s", "? subflows 2", "? mp_subflow_removed 0", "? mp_remove_addr_in 1");
}
END_TEST

START_TEST(removed_address_that_is_silent_is_reset)
{
	SCRIPT_BOTH(OPEN, JOIN_B,
		    "! write 100",
		    "> a PA len 100 dss(A0 M0+100@1)",
		    "< a A dss(a100) remove_addr(2)",
		    "> b A seq 0 dss(A0)",
		    /* Meanwhile it is not used. */
		    "! write 100",
		    "> a PA len 100 dss(A0 M100+100@101)",
		    "< a A dss(a200)",
		    "+ 402ms",
		    "> b A seq 0 dss(A0)",
		    "+ 402ms",
		    "> b A seq 0 dss(A0)",
		    "+ 402ms",
		    "> b RA tcprst(0)",
		    "? subflows 1", "? mp_subflow_removed 1");
}
END_TEST

/* Others carry its data also when ACKs that were under way still come. */
START_TEST(removed_address_is_not_trusted_meanwhile)
{
	SCRIPT(1, OPEN, JOIN_B,
	       "! write 14000", "> a PA len 14000 dss(A0 M0+14000@1)",
	       "< a A ack 1 dss(a0) prio(backup)",
	       "! write 14000", "> b PA len 14000 dss(A0 m14000+14000@1)",
	       "< a A ack 1 dss(a0) remove_addr(2)",
	       "> b A seq 0 dss(A0)",
	       "< b A ack 1441 dss(a15440)",
	       "< a A dss(a15440)",
	       "> a PA len 12560 dss(A0 M15440+12560@14001)");
}
END_TEST

START_TEST(removed_address_0_is_the_first_subflow)
{
	SCRIPT_BOTH(OPEN, JOIN_B,
		    "< b A dss(a0) remove_addr(0)",
		    "> a A seq 0 dss(A0)",
		    "< a RA",
		    "? subflows 1", "? state ESTABLISHED",
		    "! write 10", "> b PA len 10 dss(A0 m0+10@1)");
}
END_TEST

START_TEST(several_removed_at_once)
{
	SCRIPT_BOTH(OPEN, JOIN_B, JOIN_C,
		    "< a A dss(a0) remove_addr(2 3 77)",
		    "> b A seq 0 dss(A0)", "> c A seq 0 dss(A0)",
		    "< b R", "< c R",
		    "? subflows 1", "? mp_remove_addr_in 3");
}
END_TEST

/* Of a join that is not complete nothing need be found out. */
START_TEST(removed_address_of_a_pending_join)
{
	SCRIPT(1, OPEN,
	       "< b S join(2)", "> b SA join(0)",
	       "< a A dss(a0) remove_addr(2)",
	       "> b RA tcprst(0)",
	       "? subflows 1");
}
END_TEST

/* Nor when the connection is on its way out. */
START_TEST(removed_address_of_an_aborted_connection)
{
	script_begin(1);
	SCRIPT_LINES(OPEN, "< a A dss(a0) remove_addr(0)", "> a A seq 0 dss(A0)",
		     "! abort", "> a A fastclose");
	for (int i = 0; i < 40; i++) {
		SCRIPT_LINES("+ 200ms");
		look_away();
	}
	SCRIPT_LINES("? state CLOSED");
	script_end();
}
END_TEST

/* An ACK outside the window says nothing. */
START_TEST(remove_addr_needs_a_valid_segment)
{
	SCRIPT_BOTH(OPEN, JOIN_B,
		    "< a A seq 100000000 dss(a0) remove_addr(2)",
		    "> a A ack 1 dss(A0)",
		    "? mp_remove_addr_in 0", "? subflows 2");
}
END_TEST

/* ---- priorities --------------------------------------------------------------------------- */

START_TEST(received_prio_changes_the_subflow)
{
	SCRIPT(1, OPEN, JOIN_B,
	       "< a A dss(a0) prio(backup)",
	       "! write 10", "> b PA len 10 dss(A0 m0+10@1)", "< b A dss(a10)",
	       "< a A dss(a10) prio", "< b A dss(a10) prio(backup)",
	       "! write 10", "> a PA len 10 dss(A0 M10+10@1)", "< a A dss(a20)",
	       "? mp_prio_in 3");
}
END_TEST

/* It has no window, nobody knows whether that is still so, and its path is dead. */
START_TEST(backup_stands_in_for_a_shut_window_that_nobody_opens)
{
	SCRIPT_BOTH(OPEN, JOIN_B,
		    "< a A dss(a0) prio(backup)",
		    "! write 10", "> b PA len 10 dss(A0 m0+10@1)",
		    "< b A dss(a10) win 0",
		    "< a A dss(a10)",
		    "! write 20",
		    "+ 201ms", "> b A seq 10 dss(A0)",
		    "+ 402ms", "> b A seq 10 dss(A0)",
		    "+ 804ms",
		    "> b A seq 10 dss(A0)",
		    "> a PA len 20 dss(A0 M10+20@1)",
		    "< a A dss(a30)",
		    "+ 1608ms", "> b A seq 10 dss(A0)",
		    "+ 1s", "> b A seq 10 dss(A0)",
		    "< b A ack 11 dss(a30) win 65535",
		    "! write 10",
		    "> b PA len 10 dss(A0 M30+10@11)");
}
END_TEST

START_TEST(changed_priority_is_told)
{
	SCRIPT_BOTH(OPEN, JOIN_B,
		    "! backup b",
		    "> b A dss(A0) prio(backup)",
		    "+ 2s", "> b A dss(A0) prio(backup)",
		    "+ 60s",
		    "! regular b",
		    "> b A dss(A0) prio",
		    "! regular b",
		    "+ 2s", "> b A dss(A0) prio",
		    "? mp_prio_out 4");
}
END_TEST

START_TEST(endpoint_changes_its_priority)
{
	SCRIPT(1, OPEN,
	       "! endpoint 198.51.100.9", "! endpoints",
	       "> a A dss(A0) add_addr(1 198.51.100.9)",
	       "! to b 198.51.100.9 80",
	       "< b S join(2)", "> b SA join(1)", "< b A join", "> b A dss(A0)",
	       "! endpoint 198.51.100.9 backup", "! endpoints",
	       "> b A dss(A0) prio(backup)",
	       "+ 2s", "> b A dss(A0) prio(backup)",
	       "? mp_add_addr_out 1");
}
END_TEST

/* ---- the C flag and limits ------------------------------------------------------------------ */

START_TEST(joins_to_the_first_address_are_forbidden)
{
	SCRIPT(1, "! no_join_initial",
	       "< a S capable", "! accept", "> a SA capable(flags CH)", "< a A capable",
	       "+ 10ms", "> a A dss(A0)",
	       "< b S join(2)", "> b RA tcprst(3)",
	       "? mp_join_address 1",
	       "! endpoint 198.51.100.9", "! endpoints",
	       "> a A dss(A0) add_addr(1 198.51.100.9)",
	       "! to c 198.51.100.9 80",
	       "< c S join(3)", "> c SA join(1)", "< c A join", "> c A dss(A0)",
	       "? subflows 2");
}
END_TEST

START_TEST(the_peers_c_flag_is_heeded)
{
	struct flow_tuple tx;

	script_begin(1);
	SCRIPT_LINES("! connect", "> a S capable", "< a SA capable(flags CH)", "> a A capable",
		     "< a A dss(a0)",
		     "< a A dss(a0) add_addr(7 203.0.113.7)",
		     "> a A dss(A0) add_addr(7 203.0.113.7 echo)",
		     "? event address");
	flow_tuple_reverse(&tx, &script_.flow[0].f.tuple);
	tx.src.port++;
	ck_assert_ptr_null(mptcp_join_active(script_.p.conn, &tx, 1, false, script_.p.now_us));
	/* The announced address is another matter. */
	tx.dst.addr = script_.p.conn->addresses->remote[0].ep.addr;
	ck_assert_ptr_nonnull(mptcp_join_active(script_.p.conn, &tx, 1, false, script_.p.now_us));
	look_away();
	script_end();
}
END_TEST

START_TEST(joins_under_way_are_bounded)
{
	struct peer_flow flow[6];
	enum mptcp_reset_reason reason;
	struct peer p;

	peer_init(&p);
	p.cfg.max_subflows = 32;
	peer_open(&p);
	for (int i = 0; i < 4; i++) {
		struct packet syn;

		peer_flow_init(&flow[i], (uint8_t)(100 + i), 1);
		syn = peer_join_syn(&flow[i], p.conn->local_token, 1);
		ck_assert(!mptcp_join_must_wait(p.conn, p.now_us));
		ck_assert_ptr_nonnull(mptcp_join_passive(p.conn, &syn, p.now_us, &reason));
	}
	ck_assert(mptcp_join_must_wait(p.conn, p.now_us));
	ck_assert_uint_eq(p.counters.v[CNT_MP_JOIN_PENDING], 1);
	peer_fini(&p);
}
END_TEST

UNIT_MAIN("mptcp_address", add_addr_is_sent_until_echoed, add_addr_is_given_up,
	  add_addr_waits_for_a_dss, foreign_echo_is_ignored, add_addr_fits_beside_timestamps,
	  signal_does_not_swallow_a_data_ack, announcements_are_paced,
	  add_addr_of_version_0, join_to_an_endpoint, join_through_a_nat,
	  join_to_an_address_that_was_not_announced,
	  joined_address_keeps_its_id_when_it_is_announced, repeated_joins_use_up_no_ids,
	  port_of_the_first_subflow_is_meant, address_of_the_first_subflow_is_not_announced,
	  withdrawn_address_takes_its_subflows_along, subflow_of_a_withdrawn_address_is_closed,
	  subflow_of_an_address_that_is_gone_is_reset,
	  withdrawn_address_is_used_if_nothing_else_is_left,
	  address_that_was_gone_is_used_if_nothing_else_answers,
	  the_last_subflow_outlives_its_address, several_are_removed_at_once, unsaid_address_is_dropped_silently, address_that_comes_back,
	  too_many_addresses_are_counted, received_add_addr_is_echoed, wrong_hmac_is_ignored,
	  known_id_keeps_its_address, received_addresses_are_bounded, removed_address_is_probed,
	  removed_address_that_is_silent_is_reset,
	  removed_address_is_not_trusted_meanwhile, removed_address_0_is_the_first_subflow,
	  several_removed_at_once, removed_address_of_a_pending_join,
	  removed_address_of_an_aborted_connection,
	  remove_addr_needs_a_valid_segment, received_prio_changes_the_subflow,
	  backup_stands_in_for_a_shut_window_that_nobody_opens,
	  changed_priority_is_told, endpoint_changes_its_priority,
	  joins_to_the_first_address_are_forbidden, the_peers_c_flag_is_heeded,
	  joins_under_way_are_bounded)
