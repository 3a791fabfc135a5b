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

/* The SYN of a join from a forged address, whose SYN/ACK nobody answers. */
static struct mptcp_subflow *forged_join(uint8_t host)
{
	enum mptcp_reset_reason reason;
	struct peer_flow f;
	struct packet syn;

	peer_flow_init(&f, host, 1);
	syn = peer_join_syn(&f, p.conn->local_token, 1);
	return mptcp_join_passive(p.conn, &syn, p.now_us, &reason);
}

/* RFC 7430, section 3: who knows a token fills the places for joins with SYNs. */
START_TEST(half_open_joins_give_way)
{
	peer_init(&p);
	peer_open(&p);
	for (uint8_t i = 0; i < 4; i++) {
		ck_assert(!mptcp_join_must_wait(p.conn, p.now_us));
		ck_assert_ptr_nonnull(forged_join(100 + i));
	}
	ck_assert(mptcp_join_must_wait(p.conn, p.now_us));
	ck_assert_uint_eq(p.counters.v[CNT_MP_JOIN_PENDING], 1);
	/* None has answered its SYN/ACK in time: the oldest ones give way, silently. */
	peer_run(&p);
	peer_advance(&p, 1500000);
	peer_forget(&p);
	ck_assert(!mptcp_join_must_wait(p.conn, p.now_us));
	ck_assert_uint_eq(p.counters.v[CNT_MP_JOIN_DISPLACED], 1);
	ck_assert_int_eq(p.conn->subflow_count, 4);
	peer_run(&p);
	ck_assert_ptr_null(peer_next(&p));
	peer_join(&p);
	ck_assert_int_eq(p.conn->subflow_count, 5);
	/* One that has only just come does not. */
	for (uint8_t i = 0; i < 4; i++) {
		ck_assert(!mptcp_join_must_wait(p.conn, p.now_us));
		ck_assert_ptr_nonnull(forged_join(110 + i));
	}
	ck_assert_uint_eq(p.counters.v[CNT_MP_JOIN_DISPLACED], 4);
	ck_assert(mptcp_join_must_wait(p.conn, p.now_us));
	/* Nor does what has been verified. */
	ck_assert_int_eq(p.second.sf->state, MPTCP_SUBFLOW_ACTIVE);
	peer_fini(&p);
}
END_TEST

/* A refusal is for good; so while a place may still become free there is none. */
START_TEST(half_open_joins_cause_no_refusal)
{
	peer_init(&p);
	p.cfg.max_subflows = 2;
	peer_open(&p);
	ck_assert_ptr_nonnull(forged_join(100));
	ck_assert(mptcp_join_must_wait(p.conn, p.now_us));
	peer_run(&p);
	peer_advance(&p, 1500000);
	ck_assert(!mptcp_join_must_wait(p.conn, p.now_us));
	peer_join(&p);
	/* Now there is no place for another. */
	ck_assert(!mptcp_join_must_wait(p.conn, p.now_us));
	ck_assert_ptr_null(forged_join(101));
	ck_assert_uint_eq(p.counters.v[CNT_MP_JOIN_SUBFLOWS], 1);
	peer_fini(&p);
}
END_TEST

/* RFC 6181, section 5: who joins from a victim's address makes us send nothing but a few
 * SYN/ACKs there, whatever is waiting to be sent. */
START_TEST(unverified_address_gets_no_data)
{
	unsigned count = 0;
	const struct packet *out;

	peer_init(&p);
	peer_open(&p);
	peer_forget(&p);
	ck_assert_ptr_nonnull(forged_join(100));
	/* The first path is full: data waits for another one. */
	peer_queue(&p, 200000);
	peer_run(&p);
	for (int i = 0; i < 120; i++) {
		peer_advance(&p, 1000000);
		while ((out = peer_next(&p)) != NULL) {
			if (out->tuple.dst.port == p.first.tuple.src.port)
				continue;
			ck_assert_uint_eq(out->payload_len, 0);
			ck_assert_uint_eq(out->tcp.flags, TCP_SYN | TCP_ACK);
			count++;
		}
	}
	ck_assert_uint_eq(count, 6);
	/* Nor does it take from the other subflow's patience, which nobody answers either. */
	ck_assert_int_eq(p.conn->subflow_count, 1);
	ck_assert_int_eq(p.first.sf->state, MPTCP_SUBFLOW_ACTIVE);
	ck_assert_uint_eq(p.counters.v[CNT_MP_JOIN_DONE], 0);
	peer_fini(&p);
}
END_TEST

UNIT_MAIN("mptcp/threats", data_ack_of_what_was_not_sent_is_ignored,
	  announced_mappings_are_bounded, half_open_joins_give_way,
	  half_open_joins_cause_no_refusal, unverified_address_gets_no_data)
