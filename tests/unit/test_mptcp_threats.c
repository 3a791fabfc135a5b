/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a peer that is established but ill-natured can do with the options of its packets;
 * see doc/threats.md.
 */
#include "mptcp_peer.h"

static struct peer p;

/* Optimistic acknowledgements must not free what was not sent, nor open the window. */
START_TEST(data_ack_of_what_was_not_sent_is_ignored)
{
	struct packet ack;
	uint64_t edge;

	peer_init(&p);
	peer_open(&p);
	peer_queue(&p, 1000);
	peer_run(&p);
	edge = p.conn->snd_wnd_edge;
	for (uint64_t i = 0; i < 63; i++) {
		ack = peer_ack(&p, &p.first, 1000 + (1ull << i));
		peer_send(&p, &p.first, &ack);
	}
	ck_assert_uint_eq(p.counters.v[CNT_MP_BAD_ACK], 63);
	ck_assert_uint_eq(p.conn->snd_una, p.server_idsn + 1);
	ck_assert_uint_eq(p.conn->snd_wnd_edge, edge);
	ack = peer_ack(&p, &p.first, 1000);
	peer_send(&p, &p.first, &ack);
	ck_assert_uint_eq(p.conn->snd_una, p.server_idsn + 1001);
	peer_fini(&p);
}
END_TEST

/* ACKs that announce mappings for bytes that never come. */
START_TEST(announced_mappings_are_bounded)
{
	struct packet ack;

	peer_init(&p);
	peer_open(&p);
	for (uint32_t i = 0; i < 10000 && !p.first.sf->reset_pending; i++) {
		ack = peer_ack(&p, &p.first, 0);
		ack.tcp.mptcp.dss.has_map = ack.tcp.mptcp.dss.dsn_is64 = true;
		ack.tcp.mptcp.dss.dsn = peer_dsn(&p, 100 + 2 * i);
		ack.tcp.mptcp.dss.ssn = 100 + 2 * i;
		ack.tcp.mptcp.dss.data_len = 1;
		peer_send(&p, &p.first, &ack);
		ck_assert_uint_le(p.first.sf->map_count, MPTCP_MAPS_MAX);
		ck_assert_uint_eq(p.pool.used_bytes,
				  p.first.sf->map_count * sizeof(struct mptcp_map));
	}
	ck_assert(p.first.sf->reset_pending);
	ck_assert_uint_eq(p.counters.v[CNT_MP_BAD_MAPPING], 1);
	peer_fini(&p);

	/* When memory is short, a few are still possible. */
	peer_init(&p);
	peer_open(&p);
	p.pool.limit_bytes = 1;
	for (uint32_t i = 0; i < 100 && !p.first.sf->reset_pending; i++) {
		ack = peer_ack(&p, &p.first, 0);
		ack.tcp.mptcp.dss.has_map = ack.tcp.mptcp.dss.dsn_is64 = true;
		ack.tcp.mptcp.dss.dsn = peer_dsn(&p, 100 + 2 * i);
		ack.tcp.mptcp.dss.ssn = 100 + 2 * i;
		ack.tcp.mptcp.dss.data_len = 1;
		peer_send(&p, &p.first, &ack);
		ck_assert_int_eq(p.first.sf->reset_pending, i == 64);
	}
	ck_assert(p.first.sf->reset_pending);
	peer_fini(&p);
}
END_TEST

UNIT_MAIN("mptcp/threats", data_ack_of_what_was_not_sent_is_ignored, announced_mappings_are_bounded)
