/* SPDX-License-Identifier: GPL-2.0-or-later */
/* MP_CAPABLE and MP_JOIN, packet by packet (RFC 8684, sections 3.1, 3.2 and 3.7). */
#include "mptcp_script.h"

static struct peer p;

START_TEST(keys_in_third_ack)
{
	peer_init(&p);
	peer_open(&p);
	ck_assert_uint_eq(p.counters.v[CNT_MP_CAPABLE_DONE], 1);
	peer_fini(&p);
}
END_TEST

START_TEST(keys_on_first_data)
{
	const struct packet *ack;
	struct packet d;

	peer_init(&p);
	peer_syn(&p);
	d = peer_third_ack(&p);
	d.tcp.mptcp.capable.has_data_len = true;
	d.tcp.mptcp.capable.data_len = 5;
	d.payload = (const uint8_t *)"hello";
	d.payload_len = 5;
	peer_send(&p, &p.first, &d);
	ck_assert_int_eq(p.conn->mode, MPTCP_MODE_MPTCP);
	ck_assert_uint_eq(p.received_len, 5);
	ck_assert_mem_eq(p.received, "hello", 5);
	peer_advance(&p, 5000);
	ack = peer_next(&p);
	ck_assert_ptr_nonnull(ack);
	ck_assert_uint_eq(ack->tcp.mptcp.present, MPOPT_DSS);
	ck_assert_uint_eq((uint32_t)ack->tcp.mptcp.dss.data_ack, (uint32_t)peer_dsn(&p, 5));
	/* The same once more: nothing is delivered twice. */
	p.first.seq -= 5;
	peer_send(&p, &p.first, &d);
	ck_assert_uint_eq(p.received_len, 5);
	peer_fini(&p);
}
END_TEST

START_TEST(synack_is_repeated)
{
	const struct packet *synack;

	peer_init(&p);
	peer_syn(&p);
	peer_advance(&p, 1500000);
	synack = peer_next(&p);
	ck_assert_ptr_nonnull(synack);
	ck_assert_uint_eq(synack->tcp.flags, TCP_SYN | TCP_ACK);
	ck_assert_uint_eq(synack->tcp.mptcp.capable.sender_key, p.server_key);
	peer_fini(&p);
}
END_TEST

START_TEST(data_before_the_keys_is_not_read)
{
	struct packet d, ack;

	peer_init(&p);
	peer_syn(&p);
	/* The second segment overtakes the third ACK: nothing can be read of it yet. */
	p.first.seq += 5;
	d = peer_data(&p, &p.first, 5, "world", 5);
	mptcp_input(p.conn, p.first.sf, &d, p.now_us);
	ck_assert_int_eq(p.conn->mode, MPTCP_MODE_PENDING);
	p.first.seq -= 5;
	ack = peer_third_ack(&p);
	peer_send(&p, &p.first, &ack);
	ck_assert_int_eq(p.conn->mode, MPTCP_MODE_MPTCP);
	peer_fini(&p);
}
END_TEST

START_TEST(plain_third_ack_falls_back)
{
	const struct packet *out;
	struct packet ack, d;

	peer_init(&p);
	peer_syn(&p);
	ack = peer_packet(&p.first, TCP_ACK);
	peer_send(&p, &p.first, &ack);
	ck_assert_int_eq(p.conn->mode, MPTCP_MODE_FALLBACK);
	ck_assert(p.conn->events & MPTCP_EVENT_ESTABLISHED);
	ck_assert(p.conn->events & MPTCP_EVENT_FALLBACK);
	ck_assert_uint_eq(p.counters.v[CNT_MP_FALLBACK_HANDSHAKE], 1);
	d = peer_packet(&p.first, TCP_ACK);
	d.payload = (const uint8_t *)"plain";
	d.payload_len = 5;
	peer_send(&p, &p.first, &d);
	ck_assert_mem_eq(p.received, "plain", 5);
	peer_queue(&p, 3000);
	peer_run(&p);
	out = peer_next(&p);
	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(out->tcp.mptcp.present, 0);
	ck_assert_uint_eq(out->payload_len, 3000);
	peer_fini(&p);
}
END_TEST

START_TEST(foreign_key_falls_back)
{
	struct packet ack;

	peer_init(&p);
	peer_syn(&p);
	ack = peer_third_ack(&p);
	ack.tcp.mptcp.capable.receiver_key ^= 1;
	peer_send(&p, &p.first, &ack);
	ck_assert_int_eq(p.conn->mode, MPTCP_MODE_FALLBACK);
	peer_fini(&p);
}
END_TEST

START_TEST(plain_syn_again_is_told)
{
	struct packet syn;

	peer_init(&p);
	peer_syn(&p);
	p.first.seq--;
	syn = peer_packet(&p.first, TCP_SYN);
	mptcp_input(p.conn, p.first.sf, &syn, p.now_us);
	ck_assert(p.conn->events & MPTCP_EVENT_PLAIN_SYN);
	peer_fini(&p);
}
END_TEST

START_TEST(silent_client_times_out)
{
	peer_init(&p);
	peer_syn(&p);
	peer_advance(&p, 300 * 1000000ull);
	ck_assert(p.conn->events & MPTCP_EVENT_RESET);
	ck_assert(p.conn->events & MPTCP_EVENT_CLOSED);
	peer_fini(&p);
}
END_TEST

START_TEST(segment_size_fits_the_family)
{
	static const uint8_t v6[16] = { 0x20, 0x01, 0x0d, 0xb8 };

	for (int family = 4; family <= 6; family += 2) {
		const struct packet *synack;
		struct packet syn;

		peer_init(&p);
		peer_flow_init(&p.first, 10, 1);
		if (family == 6) {
			ip_addr_from_v6(&p.first.tuple.src.addr, v6);
			ip_addr_from_v6(&p.first.tuple.dst.addr, v6);
		}
		syn = peer_capable_syn(&p.first);
		p.conn = mptcp_new_passive(&p.env, &p.cfg, &syn, &p, peer_deliver_, p.now_us);
		ck_assert_ptr_nonnull(p.conn);
		mptcp_accept(p.conn, p.now_us);
		peer_run(&p);
		synack = peer_next(&p);
		ck_assert_ptr_nonnull(synack);
		ck_assert_uint_eq(synack->tcp.opt.mss, family == 6 ? 1440 : 1460);
		peer_fini(&p);
	}
}
END_TEST

/* Linux makes its infinite mapping's segment as long as a plain one may be. */
START_TEST(segment_size_leaves_room_for_an_infinite_mapping)
{
	const struct packet *synack;
	struct packet syn;

	peer_init(&p);
	peer_flow_init(&p.first, 10, 1);
	syn = peer_capable_syn(&p.first);
	syn.tcp.mptcp.capable.flags |= MPTCP_CAP_CHECKSUM;
	p.conn = mptcp_new_passive(&p.env, &p.cfg, &syn, &p, peer_deliver_, p.now_us);
	/* What the route takes does not change that. */
	tcp_route_mtu(&mptcp_first_subflow(p.conn)->tcp, 1460, p.now_us);
	mptcp_accept(p.conn, p.now_us);
	peer_run(&p);
	synack = peer_next(&p);
	ck_assert_ptr_nonnull(synack);
	ck_assert_uint_eq(synack->tcp.opt.mss, 1460 - (4 + 8 + 8 + 4 + 2 + 2));
	ck_assert_uint_eq(mptcp_first_subflow(p.conn)->tcp.mss, 1460);
	peer_fini(&p);
}
END_TEST

START_TEST(join_with_right_mac)
{
	const struct packet *fourth;

	peer_init(&p);
	peer_open(&p);
	peer_join(&p);
	peer_forget(&p);
	peer_run(&p);
	fourth = peer_next(&p);
	ck_assert_ptr_nonnull(fourth);
	ck_assert_uint_eq(fourth->tcp.flags, TCP_ACK);
	ck_assert_uint_eq(fourth->tcp.mptcp.present, MPOPT_DSS);
	ck_assert_uint_eq(fourth->tuple.dst.port, p.second.tuple.src.port);
	ck_assert_uint_eq(p.conn->subflow_count, 2);
	peer_fini(&p);
}
END_TEST

START_TEST(join_with_wrong_mac_is_reset)
{
	const struct packet *rst;
	struct packet ack;

	peer_init(&p);
	peer_open(&p);
	peer_join_half(&p, 99);
	ack = peer_packet(&p.second, TCP_ACK);
	ack.tcp.mptcp.present = MPOPT_JOIN_ACK;
	memset(ack.tcp.mptcp.join.mac, 0x5a, 20);
	peer_send(&p, &p.second, &ack);
	peer_forget(&p);
	peer_run(&p);
	rst = peer_next(&p);
	ck_assert_ptr_nonnull(rst);
	ck_assert(rst->tcp.flags & TCP_RST);
	ck_assert(rst->tcp.mptcp.present & MPOPT_TCPRST);
	ck_assert_uint_eq(rst->tcp.mptcp.tcprst.reason, MPTCP_RST_SPECIFIC);
	ck_assert_uint_eq(p.counters.v[CNT_MP_JOIN_BAD_MAC], 1);
	ck_assert_uint_eq(p.conn->subflow_count, 1);
	ck_assert_int_eq(p.conn->state, MPTCP_ESTABLISHED);
	peer_fini(&p);
}
END_TEST

START_TEST(join_without_option_is_reset)
{
	const struct packet *rst;
	struct packet ack;

	peer_init(&p);
	peer_open(&p);
	peer_join_half(&p, 99);
	ack = peer_packet(&p.second, TCP_ACK);
	peer_send(&p, &p.second, &ack);
	peer_forget(&p);
	peer_run(&p);
	rst = peer_next(&p);
	ck_assert_ptr_nonnull(rst);
	ck_assert(rst->tcp.flags & TCP_RST);
	ck_assert_uint_eq(rst->tcp.mptcp.tcprst.reason, MPTCP_RST_SPECIFIC);
	ck_assert_uint_eq(p.conn->subflow_count, 1);
	peer_fini(&p);
}
END_TEST

START_TEST(repeated_third_ack_of_a_join_gets_a_fourth)
{
	const struct packet *fourth;
	struct packet ack;

	peer_init(&p);
	peer_open(&p);
	peer_join(&p);
	peer_run(&p);
	peer_forget(&p);
	ack = peer_packet(&p.second, TCP_ACK);
	ack.tcp.mptcp.present = MPOPT_JOIN_ACK;
	peer_send(&p, &p.second, &ack);
	peer_run(&p);
	fourth = peer_next(&p);
	ck_assert_ptr_nonnull(fourth);
	ck_assert_uint_eq(fourth->tcp.mptcp.present, MPOPT_DSS);
	peer_fini(&p);
}
END_TEST

START_TEST(too_many_joins_are_refused)
{
	enum mptcp_reset_reason reason = 0;
	const struct packet *rst;
	struct peer_flow third;
	struct packet syn;

	peer_init(&p);
	p.cfg.max_subflows = 2;
	peer_open(&p);
	peer_join(&p);
	peer_flow_init(&third, 30, 1);
	syn = peer_join_syn(&third, p.conn->local_token, 1);
	ck_assert_ptr_null(mptcp_join_passive(p.conn, &syn, p.now_us, &reason));
	ck_assert_int_eq(reason, MPTCP_RST_RESOURCES);
	peer_forget(&p);
	mptcp_refuse_join(&p.counters, p.conn->version, &syn, reason, &p.sink);
	rst = peer_next(&p);
	ck_assert_ptr_nonnull(rst);
	ck_assert(rst->tcp.flags & TCP_RST);
	ck_assert_uint_eq(rst->tcp.ack, third.isn + 1);
	ck_assert_uint_eq(rst->tcp.mptcp.tcprst.reason, MPTCP_RST_RESOURCES);
	peer_fini(&p);
}
END_TEST

/* ---- what is drawn ------------------------------------------------------------ */

static void random_5a(void *ctx, void *buf, size_t len)
{
	(void)ctx;
	memset(buf, 0x5a, len);
}

/* Initial sequence numbers, of joins too, are no business of the engine's (section 3). */
START_TEST(initial_numbers_are_drawn)
{
	peer_init(&p);
	p.env.random = random_5a;
	peer_open(&p);
	ck_assert_uint_eq(p.first.sf->tcp.iss, 0x5a5a5a5a);
	ck_assert_uint_eq(p.first.peer_isn, 0x5a5a5a5a);
	ck_assert_uint_eq(peer_join_half(&p, 99), 0x5a5a5a5a);
	ck_assert_uint_eq(p.second.peer_isn, 0x5a5a5a5a);
	peer_fini(&p);
}
END_TEST

static uint32_t offered[3];
static int offers;

static bool third_token_is_free(void *ctx, uint32_t token)
{
	(void)ctx;
	ck_assert_int_lt(offers, 3);
	offered[offers++] = token;
	return offers == 3;
}

/* Section 3.1. */
START_TEST(keys_are_drawn_until_their_token_is_free)
{
	offers = 0;
	peer_init(&p);
	p.env.token_usable = third_token_is_free;
	peer_open(&p);
	ck_assert_int_eq(offers, 3);
	ck_assert_uint_eq(p.conn->local_token, offered[2]);
	ck_assert_uint_ne(offered[0], offered[1]);
	ck_assert_uint_ne(offered[1], offered[2]);
	peer_fini(&p);
}
END_TEST

START_TEST(unservable_syns_are_left_alone)
{
	struct packet syn;

	peer_init(&p);
	peer_flow_init(&p.first, 10, 1);
	syn = peer_capable_syn(&p.first);
	syn.tcp.mptcp.capable.flags |= MPTCP_CAP_EXTENSIBLE;
	ck_assert_ptr_null(mptcp_new_passive(&p.env, &p.cfg, &syn, &p, peer_deliver_, p.now_us));
	syn.tcp.mptcp.capable.flags = 0;
	ck_assert_ptr_null(mptcp_new_passive(&p.env, &p.cfg, &syn, &p, peer_deliver_, p.now_us));
	mptcp_env_fini(&p.env);
	pool_fini(&p.pool);
}
END_TEST

/* ---- what overtakes the third ACK ------------------------------------------------- */

START_TEST(later_data_decides_nothing)
{
	SCRIPT_BOTH("< a S capable", "! accept", "> a SA capable",
		    "< a PA seq 6 len 5 of 5",
		    "? mode pending",
		    "< a A seq 1 capable",
		    "? mode mptcp",
		    "+ 10ms", "> a A ack 1 dss(A0)");
	/* Nor does it end a join. */
	SCRIPT_BOTH(OPEN, "< b S join(2)", "> b SA join(0)",
		    "< b PA seq 6 len 5 of 5",
		    "< b A seq 1 join", "> b A ack 1 dss(A0)",
		    "? mp_join_done 1");
}
END_TEST

START_TEST(early_fastclose_needs_the_right_ack)
{
	SCRIPT_BOTH("< a S capable", "! accept", "> a SA capable",
		    "< a A ack 5 fastclose",
		    "? mp_fastclose_in 0", "? state SYN_RECEIVED",
		    "< a A ack 1 fastclose",
		    "? mp_fastclose_in 1", "? state CLOSED",
		    "> a RA");
}
END_TEST

/* ---- joins -------------------------------------------------------------------------- */

START_TEST(join_ends_the_wait_for_one)
{
	SCRIPT_BOTH(OPEN, "< a RA", "? subflows 0", "+ 50s", JOIN_B,
		    "+ 50s",
		    "? state ESTABLISHED", "? subflows 1", "? mp_orphan_timeout 0");
}
END_TEST

START_TEST(syn_ack_of_a_join_tells_of_the_path)
{
	for (int version = 0; version < 2; version++) {
		script_begin((uint8_t)version);
		SCRIPT_LINES(CONNECT, "! join b 2", "> b S join(2)", "< b SA join(7 backup)",
			     "> b A join");
		ck_assert_uint_eq(script_.flow[1].f.sf->remote_id, 7);
		ck_assert(script_.flow[1].f.sf->peer_backup);
		script_end();
	}
}
END_TEST

UNIT_MAIN("mptcp_handshake", initial_numbers_are_drawn,
	  keys_are_drawn_until_their_token_is_free, keys_in_third_ack, keys_on_first_data, synack_is_repeated,
	  data_before_the_keys_is_not_read, plain_third_ack_falls_back, foreign_key_falls_back,
	  plain_syn_again_is_told, silent_client_times_out, segment_size_fits_the_family,
	  segment_size_leaves_room_for_an_infinite_mapping, join_with_right_mac,
	  join_with_wrong_mac_is_reset, join_without_option_is_reset,
	  repeated_third_ack_of_a_join_gets_a_fourth, too_many_joins_are_refused,
	  unservable_syns_are_left_alone,
	  later_data_decides_nothing, early_fastclose_needs_the_right_ack, join_ends_the_wait_for_one,
	  syn_ack_of_a_join_tells_of_the_path)
