/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Scenarios of the handshakes, for both versions of the protocol. */
#include "mptcp_script.h"

START_TEST(join_synack_and_third_ack_lost)
{
	SCRIPT(1, OPEN,
	       "< b S join(2)",
	       "> b SA join(0)",
	       "+ 1100ms",
	       "> b SA seq 0 join(0)",
	       "< b A join",
	       "> b A dss(A0)",
	       "? subflows 2");
}
END_TEST

START_TEST(data_both_ways)
{
	SCRIPT(1, OPEN, JOIN_B,
	       "< b PA len 5 dss(a0 m0+5@1)",
	       "= 5",
	       "+ 50ms",
	       "> b A dss(A5)",
	       "! write 1000",
	       "> a PA len 1000 dss(A5 M0+1000@1)",
	       "< a A dss(a1000)",
	       "! shutdown",
	       "> a A dss(A5 m1000+1@0 F)",
	       "> b A dss(A5 m1000+1@0 F)");
}
END_TEST

START_TEST(active_open)
{
	SCRIPT(1, "! connect",
	       "> a S capable",
	       "< a SA capable",
	       "> a A capable",
	       "! write 10",
	       "> a PA len 10 capable(len 10)");
}
END_TEST

UNIT_MAIN("mptcp_versions", join_synack_and_third_ack_lost, data_both_ways, active_open)
