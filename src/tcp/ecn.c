/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Explicit congestion notification (RFC 3168; RFC 8311 lifts some of its limits, of which
 * nothing is made use of here).
 *
 * As a receiver: a packet that was marked on its way (CE) makes every ACK carry ECE, until
 * the sender answers with CWR.  As a sender: ECE is a congestion event as a loss is, but
 * nothing is sent again; it counts once per window, and the next new data carries CWR.  Any
 * other reduction of the window answers ECEs as well, so it is told by CWR too.
 *
 * Only new data is sent ECN-capable, ECT(0): not retransmissions, probes, pure ACKs and
 * what opens or closes (sections 6.1.4 to 6.1.6), and nothing before or unless both sides
 * agreed.  A SYN that has to be repeated asks no more: some boxes drop those that do
 * (section 6.1.1.1).
 */
#include "tcp/tcp_internal.h"

#define ECN_SETUP (TCP_ECE | TCP_CWR)

void tcp_ecn_syn(struct tcp_conn *tc, uint8_t flags)
{
	tc->ecn_on = tc->cfg.ecn && (flags & ECN_SETUP) == (flags & TCP_ACK ? TCP_ECE : ECN_SETUP);
}

void tcp_ecn_input(struct tcp_conn *tc, const struct packet *p)
{
	if (!tc->ecn_on)
		return;
	/* In this order: a mark on the very packet that brings CWR is a new one. */
	if (p->tcp.flags & TCP_CWR)
		tc->ece_echo = false;
	if (p->ecn == PACKET_ECN_CE && p->payload_len) {
		counter_inc(tc->env->counters, CNT_TCP_ECN_CE);
		if (!tc->ece_echo)
			tc->ack_now = true;
		tc->ece_echo = true;
	}
}

bool tcp_ecn_congested(const struct tcp_conn *tc, const struct packet *p)
{
	/* What acknowledges data from before the last reduction may not know of it yet. */
	return tc->ecn_on && p->tcp.flags & TCP_ECE && seq32_gt(p->tcp.ack, tc->ecn_end);
}

void tcp_ecn_reduced(struct tcp_conn *tc)
{
	tc->ecn_end = tc->snd_nxt;
	tc->cwr_due = tc->ecn_on;
}

uint8_t tcp_ecn_flags(struct tcp_conn *tc, const struct tcp_tx *tx)
{
	uint8_t flags = 0;

	if (tx->flags & TCP_RST)
		return 0;
	if (tx->flags & TCP_SYN) {
		if (tx->flags & TCP_ACK)
			return tc->ecn_on ? TCP_ECE : 0;
		return tc->cfg.ecn && tc->syn_transmissions <= 1 ? ECN_SETUP : 0;
	}
	if (tc->ece_echo)
		flags |= TCP_ECE;
	if (tx->ect && tc->cwr_due) {
		tc->cwr_due = false;
		flags |= TCP_CWR;
	}
	return flags;
}
