/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Deadlines: in every state each one is either served or not waited for, whoever set it.
 */
#include "mptcp_script.h"

/* Brings a connection into each of these states; false: no such state here. */
static bool reach(enum mptcp_state state)
{
	script_begin(1);
	switch (state) {
	case MPTCP_SYN_RECEIVED:
		SCRIPT_LINES("< a S capable");
		break;
	case MPTCP_ESTABLISHED:
		SCRIPT_LINES(OPEN, JOIN_B, "! write 10", "> a PA len 10 dss(A0 M0+10@1)");
		break;
	case MPTCP_FIN_WAIT_1:
		SCRIPT_LINES(OPEN, "! shutdown", "> a A dss(A0 m0+1@0 F)");
		break;
	case MPTCP_CLOSE_WAIT:
		SCRIPT_LINES(OPEN, "< a A dss(a0 M0+1@0 F)", "> a A dss(A1)");
		break;
	case MPTCP_TIME_WAIT:
		SCRIPT_LINES(OPEN, "! shutdown", "> a A dss(A0 m0+1@0 F)",
			     "< a A dss(a1 M0+1@0 F)", "> a FA dss(A1)");
		break;
	case MPTCP_FASTCLOSE_WAIT:
		SCRIPT_LINES(OPEN, "! abort", "> a A fastclose");
		break;
	default:
		peer_fini(&script_.p);
		return false;
	}
	ck_assert_int_eq(script_.p.conn->state, state);
	return true;
}

static void expect_served(int state, int t)
{
	struct peer *p = &script_.p;

	/* What one timer sets off may be due at once, but not for ever. */
	for (int i = 0; i < 3 && mptcp_deadline(p->conn) <= p->now_us; i++)
		peer_run(p);
	ck_assert_msg(mptcp_deadline(p->conn) > p->now_us, "state %s, timer %d: not served",
		      mptcp_state_name((enum mptcp_state)state), t);
	peer_fini(p);
}

START_TEST(timers_of_a_connection)
{
	for (int t = 0; t < MPTCP_TIMER_MAX; t++) {
		/* Each counts somewhere, and brings the deadline forward there. */
		bool counts = false;

		for (int state = 0; state <= MPTCP_CLOSED; state++) {
			if (!reach((enum mptcp_state)state))
				continue;
			script_.p.conn->deadline_us[t] = script_.p.now_us;
			counts = counts || mptcp_deadline(script_.p.conn) == script_.p.now_us;
			expect_served(state, t);
		}
		ck_assert_msg(counts, "timer %d is never waited for", t);
	}
}
END_TEST

START_TEST(timers_of_a_subflow)
{
	for (int t = 0; t < MPTCP_SUBFLOW_TIMER_MAX; t++) {
		for (int state = 0; state <= MPTCP_CLOSED; state++) {
			struct mptcp_subflow *sf;

			if (!reach((enum mptcp_state)state))
				continue;
			list_for_each(sf, &script_.p.conn->subflows, link)
				sf->deadline_us[t] = script_.p.now_us;
			expect_served(state, t);
		}
	}
}
END_TEST

/* The data-level timer is TCP's in kind (RFC 6298, section 5.3): progress starts it anew. */
START_TEST(data_ack_starts_the_data_timer_anew)
{
	SCRIPT_BOTH(OPEN,
		    "! write 30",
		    "> a PA len 30 dss(A0 M0+30@1)",
		    "+ 10ms",
		    "< a A dss(a0)",                /* TCP has it all, the peer's stream nothing */
		    "+ 400ms",
		    "< a A dss(a10)",
		    "+ 400ms",
		    "? mp_rto 0",
		    "+ 100ms",
		    "? mp_rto 1",
		    "> a PA len 20 dss(A0 M10+20@31)",
		    /* And what it was backed off to is over. */
		    "< a A dss(a30)",
		    "! write 10",
		    "> a PA len 10 dss(A0 M30+10@51)",
		    "+ 10ms",
		    "< a A dss(a30)",
		    "+ 500ms",
		    "? mp_rto 2",
		    "> a PA len 10 dss(A0 M30+10@61)");
}
END_TEST

/* What the last subflow's TCP had acknowledged goes at once when there is another one. */
START_TEST(acknowledged_data_outlives_the_last_subflow)
{
	SCRIPT_BOTH(OPEN,
		    "! write 10",
		    "> a PA len 10 dss(A0 M0+10@1)",
		    "+ 10ms",
		    "< a A dss(a0)",
		    "< a RA", "? subflows 0",
		    "< b S join(2)", "> b SA join(0)", "< b A join",
		    "> b PA len 10 dss(A0 m0+10@1)",
		    "? mp_rto 0");
}
END_TEST

UNIT_MAIN("mptcp/timers", timers_of_a_connection, timers_of_a_subflow,
	  data_ack_starts_the_data_timer_anew, acknowledged_data_outlives_the_last_subflow)
