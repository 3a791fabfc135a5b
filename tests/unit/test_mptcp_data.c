/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DSS both ways, closing, reinjection and fallback (RFC 8684, sections 3.3 to 3.7). */
#include "base/seq.h"
#include "mptcp_peer.h"
#include "wire/checksum.h"

static struct peer p;

static void data(struct peer_flow *f, uint64_t at, const char *text)
{
	struct packet d = peer_data(&p, f, at, text, strlen(text));

	peer_send(&p, f, &d);
}

static void expect(const char *text)
{
	ck_assert_uint_eq(p.received_len, strlen(text));
	ck_assert_mem_eq(p.received, text, strlen(text));
}

/* The low half of the DATA_ACK that stands for `n` bytes received. */
static uint32_t acked(uint64_t n)
{
	return (uint32_t)peer_dsn(&p, n);
}

static const struct packet *last_on(const struct peer_flow *f)
{
	const struct packet *pkt, *last = NULL;

	while ((pkt = peer_next(&p)) != NULL)
		if (pkt->tuple.dst.port == f->tuple.src.port)
			last = pkt;
	return last;
}

START_TEST(data_over_two_subflows_is_one_stream)
{
	const struct packet *ack;

	peer_init(&p);
	peer_open(&p);
	peer_join(&p);
	data(&p.second, 5, "67890");
	expect("");
	ck_assert_uint_eq(p.counters.v[CNT_MP_OOO], 1);
	data(&p.first, 0, "12345");
	expect("1234567890");
	peer_forget(&p);
	peer_run(&p);
	peer_advance(&p, 50000);
	ack = last_on(&p.first);
	ck_assert_ptr_nonnull(ack);
	ck_assert_uint_eq((uint32_t)ack->tcp.mptcp.dss.data_ack, acked(10));
	peer_fini(&p);
}
END_TEST

START_TEST(overlap_and_duplicate_are_delivered_once)
{
	peer_init(&p);
	peer_open(&p);
	peer_join(&p);
	data(&p.first, 0, "12345");
	data(&p.second, 3, "45678");
	data(&p.second, 0, "123");
	expect("12345678");
	ck_assert_uint_eq(p.counters.v[CNT_MP_DUP], 5);
	peer_fini(&p);
}
END_TEST

START_TEST(one_mapping_over_several_segments)
{
	struct packet d;

	peer_init(&p);
	peer_open(&p);
	d = peer_data(&p, &p.first, 0, "1234567890", 10);
	d.payload_len = 4;
	peer_send(&p, &p.first, &d);
	/* The rest has no option of its own. */
	d = peer_ack(&p, &p.first, 0);
	d.payload = (const uint8_t *)"567890";
	d.payload_len = 6;
	peer_send(&p, &p.first, &d);
	expect("1234567890");
	ck_assert_int_eq(p.conn->mode, MPTCP_MODE_MPTCP);
	peer_fini(&p);
}
END_TEST

START_TEST(short_numbers_wrap)
{
	struct packet d;

	peer_init(&p);
	peer_open(&p);
	/* Just before the low half of the DSN wraps. */
	p.conn->rcv_nxt = p.conn->consumed = 0x1fffffffcull;
	p.conn->rcv_adv = p.conn->rcv_nxt + 65536;
	p.client_idsn = p.conn->rcv_nxt - 1;
	for (int i = 0; i < 2; i++) {
		d = peer_data(&p, &p.first, (uint64_t)(4 * i), "abcd", 4);
		d.tcp.mptcp.dss.dsn_is64 = false;
		d.tcp.mptcp.dss.dsn = (uint32_t)d.tcp.mptcp.dss.dsn;
		peer_send(&p, &p.first, &d);
	}
	expect("abcdabcd");
	ck_assert_uint_eq(p.conn->rcv_nxt, 0x200000004ull);
	peer_fini(&p);
}
END_TEST

START_TEST(mapping_out_of_subflow_order)
{
	peer_init(&p);
	peer_open(&p);
	p.first.seq += 3;
	data(&p.first, 3, "456");
	expect("");
	p.first.seq -= 6;
	data(&p.first, 0, "123");
	expect("123456");
	peer_fini(&p);
}
END_TEST

START_TEST(server_data_is_mapped_and_acknowledged)
{
	const struct packet *out;
	struct packet ack;

	peer_init(&p);
	peer_open(&p);
	peer_queue(&p, 1000);
	peer_run(&p);
	out = peer_next(&p);
	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(out->payload_len, 1000);
	ck_assert(out->tcp.mptcp.dss.has_map && out->tcp.mptcp.dss.has_ack);
	ck_assert(!out->tcp.mptcp.dss.dsn_is64);
	ck_assert_uint_eq(out->tcp.mptcp.dss.dsn, (uint32_t)(p.server_idsn + 1));
	ck_assert_uint_eq(out->tcp.mptcp.dss.ssn, 1);
	ck_assert_uint_eq(out->tcp.mptcp.dss.data_len, 1000);
	/* A subflow ACK alone does not release the data; the DATA_ACK does. */
	p.first.ack += 1000;
	ack = peer_ack(&p, &p.first, 0);
	peer_send(&p, &p.first, &ack);
	ck_assert_uint_eq(p.conn->sendq.end - p.conn->snd_una, 1000);
	ack = peer_ack(&p, &p.first, 1000);
	peer_send(&p, &p.first, &ack);
	ck_assert_uint_eq(p.conn->sendq.end - p.conn->snd_una, 0);
	ck_assert_uint_eq(p.pool.used_bytes, 0);
	peer_fini(&p);
}
END_TEST

/*
 * Data may carry an ACK, but not one that tells of a gap or a duplicate: timestamps and a mapping
 * leave no room for that, and each segment that a device cuts out of the data would repeat it.
 */
START_TEST(gaps_are_told_on_acks_of_their_own)
{
	for (int dup = 0; dup < 2; dup++) {
		const struct packet *out;

		peer_init(&p);
		peer_open(&p);
		if (dup)
			data(&p.first, 0, "12345");
		peer_run(&p);
		peer_forget(&p);
		/* The latter goes to the place of the former, or a byte after it. */
		p.first.seq += dup ? (uint32_t)-5 : 1;
		data(&p.first, !dup, "12345");
		peer_queue(&p, 10000);
		peer_run(&p);
		out = peer_next(&p);
		ck_assert_ptr_nonnull(out);
		ck_assert_uint_eq(out->payload_len, 0);
		ck_assert_uint_eq(out->tcp.opt.sack_count, 1);
		out = peer_next(&p);
		ck_assert_ptr_nonnull(out);
		ck_assert_uint_gt(out->payload_len, 0);
		ck_assert_ptr_null(peer_next(&p));
		peer_fini(&p);
	}
}
END_TEST

/* Sends one byte at `dsn`, as the subflow's byte `seq`, and tells whether its DSN went out whole. */
static bool sent_whole_at(struct peer_flow *f, uint64_t dsn, uint32_t seq, bool again)
{
	uint8_t option[TCP_OPTIONS_MAX];
	struct tcp_tx tx = {
		.seq = f->sf->tcp.iss + 1 + seq,
		.flags = TCP_ACK,
		.len = 1,
		.offset = dsn,
		.map_seq = f->sf->tcp.iss + 1 + seq,
		.map_len = 1,
		.retransmission = again,
	};
	struct mptcp_options parsed = { 0 };
	size_t len = mptcp_options_for(f->sf, &tx, p.now_us, option, TCP_OPTIONS_MAX);

	ck_assert_uint_eq(mptcp_option_parse(option, len, false, true, &parsed), MPOPT_DSS);
	ck_assert_uint_eq((uint32_t)parsed.dss.dsn, (uint32_t)dsn);
	return parsed.dss.dsn_is64;
}

static bool sent_whole(struct peer_flow *f, uint64_t dsn)
{
	return sent_whole_at(f, dsn, f->sf->tcp.snd_nxt - f->sf->tcp.iss - 1, false);
}

START_TEST(dsn_is_whole_where_it_could_be_misread)
{
	peer_init(&p);
	peer_open(&p);
	peer_join(&p);
	/* The first mapping of a joined subflow, then one like it. */
	ck_assert(sent_whole(&p.second, 0x100000000u));
	ck_assert(!sent_whole(&p.second, 0x100000001u));
	/* Close to the end of the low half, and after it. */
	ck_assert(sent_whole(&p.second, 0x1fffffff0u));
	ck_assert(sent_whole(&p.second, 0x200000000u));
	ck_assert(!sent_whole(&p.second, 0x200000001u));
	/* Back to a range from before the wrap, sent again. */
	ck_assert(sent_whole(&p.second, 0x180000000u));
	peer_fini(&p);
}
END_TEST

/*
 * Sent again as it was at first, or it would not fit into as many bytes; but the receiver reads
 * it behind the mapping that was before it, not behind the last.
 */
START_TEST(dsn_sent_again_is_whole_where_it_was)
{
	uint64_t una;

	peer_init(&p);
	peer_open(&p);
	peer_join(&p);
	/* The first subflow has one before its first: the initial one. */
	ck_assert(!sent_whole_at(&p.first, p.server_idsn + 1, 0, false));
	ck_assert(!sent_whole_at(&p.first, p.server_idsn + 1, 0, true));
	una = p.conn->snd_una;
	p.conn->snd_una = 0x100000000u;
	ck_assert(sent_whole_at(&p.second, 0x100000000u, 0, false));
	ck_assert(!sent_whole_at(&p.second, 0x100000001u, 1, false));
	ck_assert(!sent_whole_at(&p.second, 0x100000001u, 1, true));
	ck_assert(sent_whole_at(&p.second, 0x100000000u, 0, true));
	/* Across a change of the high half, which the other subflow carried. */
	ck_assert(sent_whole_at(&p.second, 0x200000000u, 2, false));
	ck_assert(!sent_whole_at(&p.second, 0x200000001u, 3, false));
	ck_assert(!sent_whole_at(&p.second, 0x200000001u, 3, true));
	ck_assert(sent_whole_at(&p.second, 0x200000000u, 2, true));
	ck_assert(sent_whole_at(&p.second, 0x100000001u, 1, true));
	/* Of a subflow that the others have left far behind. */
	p.conn->snd_una = 0x240000001u;
	ck_assert(sent_whole_at(&p.second, 0x200000001u, 3, true));
	p.conn->snd_una--;
	ck_assert(!sent_whole_at(&p.second, 0x200000001u, 3, true));
	p.conn->snd_una = una;
	peer_fini(&p);
}
END_TEST

START_TEST(full_segment_is_sent_again_in_one)
{
	const struct packet *out;
	const uint32_t len = 1460 - 20;         /* of options: a mapping with DATA_ACK */
	struct packet ack;

	peer_init(&p);
	peer_open(&p);
	peer_queue(&p, 14400);
	peer_run(&p);
	out = peer_next(&p);
	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(out->payload_len % len, 0);
	peer_forget(&p);
	ack = peer_ack(&p, &p.first, 0);
	ack.tcp.opt.sack_count = 1;
	ack.tcp.opt.sack[0] = (struct tcp_sack_block){ p.first.ack + len, p.first.ack + 5 * len };
	peer_send(&p, &p.first, &ack);
	peer_run(&p);
	out = peer_next(&p);
	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(out->tcp.seq, p.first.ack);
	ck_assert_uint_eq(out->payload_len, len);
	ck_assert(!out->tcp.mptcp.dss.dsn_is64);
	peer_fini(&p);
}
END_TEST

START_TEST(missing_data_ack_is_repaired)
{
	const struct packet *out;
	struct packet ack;

	peer_init(&p);
	peer_open(&p);
	peer_queue(&p, 1000);
	peer_run(&p);
	p.first.ack += 1000;
	ack = peer_ack(&p, &p.first, 0); /* TCP has it, MPTCP does not say so */
	peer_send(&p, &p.first, &ack);
	peer_forget(&p);
	peer_advance(&p, 5000000);
	out = peer_next(&p);
	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(out->payload_len, 1000);
	ck_assert_uint_eq((uint32_t)out->tcp.mptcp.dss.dsn, (uint32_t)(p.server_idsn + 1));
	ck_assert_uint_eq(out->tcp.mptcp.dss.ssn, 1001);
	ck_assert_uint_ge(p.counters.v[CNT_MP_RTO], 1);
	peer_fini(&p);
}
END_TEST

/* All that was sent is acknowledged, but no DATA_ACK moves: so Linux answers when its reader has
 * stopped and small segments have used up the buffer, whatever window it tells. */
static void answer_without_progress(uint16_t window)
{
	const struct packet *out;
	struct packet ack;

	while ((out = peer_next(&p)) != NULL) {
		uint32_t end = out->tcp.seq + (uint32_t)out->payload_len;

		if (seq32_gt(end, p.first.ack))
			p.first.ack = end;
		ack = peer_ack(&p, &p.first, 0);
		ack.tcp.window = window;
		peer_send(&p, &p.first, &ack);
	}
	peer_run(&p);
}

START_TEST(data_may_be_left_out_for_hours)
{
	static const uint16_t windows[] = { 0, 2000 };
	struct packet ack;

	for (size_t i = 0; i < sizeof(windows) / sizeof(windows[0]); i++) {
		peer_init(&p);
		peer_open(&p);
		peer_queue(&p, 1000);
		mptcp_shutdown(p.conn, p.now_us);
		peer_run(&p);
		peer_forget(&p);
		p.first.ack += 1000;
		ack = peer_ack(&p, &p.first, 0);
		ack.tcp.window = windows[i];
		peer_send(&p, &p.first, &ack);
		for (int s = 0; s < 2 * 3600; s++) {
			peer_advance(&p, 1000000);
			answer_without_progress(windows[i]);
			ck_assert_int_eq(p.conn->state, MPTCP_FIN_WAIT_1);
			peer_clear(&p);
		}
		ack = peer_ack(&p, &p.first, 1001);
		peer_send(&p, &p.first, &ack);
		ck_assert_int_eq(p.conn->state, MPTCP_FIN_WAIT_2);
		peer_fini(&p);
	}
}
END_TEST

/* ... as long as it answers at all. */
START_TEST(data_that_is_left_out_in_silence_ends)
{
	struct packet ack;

	peer_init(&p);
	peer_open(&p);
	peer_queue(&p, 1000);
	peer_run(&p);
	peer_forget(&p);
	p.first.ack += 1000;
	ack = peer_ack(&p, &p.first, 0);
	peer_send(&p, &p.first, &ack);
	for (int s = 0; s < 600; s++) {
		peer_advance(&p, 1000000);
		answer_without_progress(0);
		peer_clear(&p);
	}
	ck_assert_int_eq(p.conn->state, MPTCP_ESTABLISHED);
	for (int s = 0; s < 3600; s++) {
		peer_advance(&p, 1000000);
		peer_clear(&p);
	}
	ck_assert_int_eq(p.conn->state, MPTCP_CLOSED);
	ck_assert(p.conn->events & MPTCP_EVENT_RESET);
	peer_fini(&p);
}
END_TEST

START_TEST(dead_subflow_hands_its_data_over)
{
	const struct packet *out;
	struct peer_flow *from, *to;
	struct packet rst;

	peer_init(&p);
	peer_open(&p);
	peer_join(&p);
	peer_run(&p);
	peer_forget(&p);
	peer_queue(&p, 700);
	peer_run(&p);
	out = peer_next(&p);
	ck_assert_ptr_nonnull(out);
	from = out->tuple.dst.port == p.first.tuple.src.port ? &p.first : &p.second;
	to = from == &p.first ? &p.second : &p.first;
	rst = peer_packet(from, TCP_RST | TCP_ACK);
	peer_send(&p, from, &rst);
	peer_run(&p);
	out = last_on(to);
	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(out->payload_len, 700);
	ck_assert_uint_eq(out->tcp.mptcp.dss.dsn, p.server_idsn + 1);
	ck_assert_uint_eq(p.counters.v[CNT_MP_REINJECT], 1);
	ck_assert_uint_eq(p.conn->subflow_count, 1);
	peer_fini(&p);
}
END_TEST

#define TAKEN_ALONG 400000u

/* The stream at a client whose TCP acknowledges all, but which drops what comes on its second
 * subflow. */
static struct {
	bool has[TAKEN_ALONG];
	size_t data_acked;
} client;

static void client_takes(const struct packet *out)
{
	struct peer_flow *f = out->tuple.dst.port == p.first.tuple.src.port ? &p.first : &p.second;
	uint64_t at = seq64_extend(p.server_idsn + 1, (uint32_t)out->tcp.mptcp.dss.dsn) -
		      (p.server_idsn + 1);
	uint32_t end = out->tcp.seq + (uint32_t)out->payload_len;
	struct packet ack;

	if (!out->payload_len || seq32_leq(end, f->ack))
		return;
	f->ack = end;
	for (size_t i = 0; f == &p.first && i < out->payload_len; i++)
		client.has[at + i] = true;
	while (client.data_acked < TAKEN_ALONG && client.has[client.data_acked])
		client.data_acked++;
	ack = peer_ack(&p, f, client.data_acked);
	peer_send(&p, f, &ack);
}

/* Takes what was sent 20 ms ago. */
static void client_turn(void)
{
	int n;

	peer_advance(&p, 20000);
	n = p.out_count;
	for (int i = 0; i < n; i++) {
		client_takes(&p.out[i]->p);
		free(p.out[i]);
	}
	p.out_count -= n;
	memmove(p.out, p.out + n, sizeof(p.out[0]) * (size_t)p.out_count);
	peer_run(&p);
}

/* What a subflow took along although its TCP had acknowledged it is not sent again a little for
 * each timeout. */
START_TEST(dead_subflow_takes_acknowledged_data_along)
{
	struct packet rst;

	peer_init(&p);
	peer_open(&p);
	peer_join(&p);
	peer_run(&p);
	peer_clear(&p);
	memset(&client, 0, sizeof(client));
	peer_queue(&p, TAKEN_ALONG);
	while (p.conn->snd_nxt != p.conn->sendq.end)
		client_turn();
	client_turn();
	ck_assert_uint_lt(client.data_acked, TAKEN_ALONG / 4);
	rst = peer_packet(&p.second, TCP_RST | TCP_ACK);
	peer_send(&p, &p.second, &rst);
	p.counters.v[CNT_MP_RTO] = 0;
	while (client.data_acked < TAKEN_ALONG)
		client_turn();
	ck_assert_uint_le(p.counters.v[CNT_MP_RTO], 1);
	ck_assert_uint_eq(p.conn->snd_una, p.conn->sendq.end);
	peer_fini(&p);
}
END_TEST

/* All that was sent is acknowledged on its subflow, and the first `stream` bytes by DATA_ACK. */
static void client_acknowledges(uint64_t stream)
{
	struct peer_flow *flows[] = { &p.first, &p.second };

	for (int i = 0; i < 2; i++) {
		struct packet ack;

		flows[i]->ack = flows[i]->sf->tcp.snd_nxt;
		ack = peer_ack(&p, flows[i], stream);
		peer_send(&p, flows[i], &ack);
	}
	peer_run(&p);
	peer_clear(&p);
}

/* While all subflows live it is a reader that is slow, to whom that would only be more work. */
START_TEST(what_a_slow_reader_leaves_out_is_not_sent_again)
{
	uint64_t again;

	peer_init(&p);
	peer_open(&p);
	peer_join(&p);
	peer_run(&p);
	peer_queue(&p, 300000);
	for (int i = 0; i < 50; i++) {
		peer_advance(&p, 20000);
		client_acknowledges(0);
	}
	ck_assert_uint_eq(p.conn->snd_nxt, p.conn->sendq.end);
	again = p.conn->bytes_reinjected;
	ck_assert_uint_gt(again, 0);
	for (uint64_t n = 0; n <= 300000; n += 10000)
		client_acknowledges(n);
	ck_assert_uint_eq(p.conn->bytes_reinjected, again);
	peer_fini(&p);
}
END_TEST

START_TEST(silent_subflow_hands_its_data_over)
{
	const struct packet *out;
	struct peer_flow *from, *to;

	peer_init(&p);
	peer_open(&p);
	peer_join(&p);
	peer_queue(&p, 700);
	peer_forget(&p);
	peer_run(&p);
	do {
		out = peer_next(&p);
		ck_assert_ptr_nonnull(out);
	} while (!out->payload_len);
	from = out->tuple.dst.port == p.first.tuple.src.port ? &p.first : &p.second;
	to = from == &p.first ? &p.second : &p.first;
	peer_advance(&p, 3000000);
	out = last_on(to);
	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(out->tcp.mptcp.dss.dsn, p.server_idsn + 1);
	ck_assert(from->sf->stale);
	ck_assert_uint_eq(p.conn->subflow_count, 2);
	peer_fini(&p);
}
END_TEST

START_TEST(stale_subflow_repeats_from_its_hoard)
{
	const struct packet *out;
	struct peer_flow *from, *to;
	struct packet ack;
	bool repeated = false;

	peer_init(&p);
	peer_open(&p);
	peer_join(&p);
	peer_queue(&p, 400);
	peer_forget(&p);
	peer_run(&p);
	do {
		out = peer_next(&p);
		ck_assert_ptr_nonnull(out);
	} while (!out->payload_len);
	from = out->tuple.dst.port == p.first.tuple.src.port ? &p.first : &p.second;
	to = from == &p.first ? &p.second : &p.first;
	/* The other subflow delivers it: the send queue is free of it ... */
	peer_advance(&p, 3000000);
	ck_assert(from->sf->stale);
	out = last_on(to);
	ck_assert_ptr_nonnull(out);
	to->ack = out->tcp.seq + (uint32_t)out->payload_len;
	ack = peer_ack(&p, to, 400);
	peer_send(&p, to, &ack);
	ck_assert_uint_eq(stream_len(&p.conn->sendq), 0);
	/* ... and the silent one still repeats the same bytes with the same mapping. */
	peer_advance(&p, 5000000);
	while ((out = peer_next(&p)) != NULL) {
		if (out->tuple.dst.port != from->tuple.src.port || !out->payload_len)
			continue;
		repeated = true;
		ck_assert_uint_eq(out->payload_len, 400);
		for (size_t i = 0; i < 400; i++)
			ck_assert_uint_eq(out->payload[i], 'd');
		ck_assert_uint_eq((uint32_t)out->tcp.mptcp.dss.dsn, (uint32_t)(p.server_idsn + 1));
		ck_assert_uint_eq(out->tcp.mptcp.dss.data_len, 400);
	}
	ck_assert(repeated);
	from->ack += 400;
	ack = peer_ack(&p, from, 400);
	peer_send(&p, from, &ack);
	ck_assert(!from->sf->stale);
	ck_assert_uint_eq(p.pool.used_bytes, 0);
	peer_fini(&p);
}
END_TEST

START_TEST(stale_subflow_is_probed_then_given_up)
{
	const struct packet *out;
	struct peer_flow *from, *to;
	uint64_t before_us, longest_us = 0, start_us;
	struct packet ack;

	peer_init(&p);
	peer_open(&p);
	peer_join(&p);
	peer_queue(&p, 700);
	peer_forget(&p);
	peer_run(&p);
	do {
		out = peer_next(&p);
		ck_assert_ptr_nonnull(out);
	} while (!out->payload_len);
	from = out->tuple.dst.port == p.first.tuple.src.port ? &p.first : &p.second;
	to = from == &p.first ? &p.second : &p.first;
	start_us = before_us = p.now_us;
	while (p.conn->subflow_count == 2 && p.now_us < start_us + 2 * p.cfg.stale_us) {
		peer_advance(&p, 100000);
		while ((out = peer_next(&p)) != NULL) {
			if (out->tuple.dst.port == to->tuple.src.port && out->payload_len) {
				/* The other subflow works. */
				to->ack = out->tcp.seq + (uint32_t)out->payload_len;
				ack = peer_ack(&p, to, 700);
				peer_send(&p, to, &ack);
			}
			if (out->tuple.dst.port != from->tuple.src.port)
				continue;
			if (p.now_us - before_us > longest_us)
				longest_us = p.now_us - before_us;
			before_us = p.now_us;
		}
		for (int i = 0; i < p.out_count; i++)
			free(p.out[i]);
		p.out_count = p.out_read = 0;
	}
	ck_assert_uint_le(longest_us, p.cfg.probe_us + 200000);
	ck_assert_uint_eq(p.conn->subflow_count, 1);
	ck_assert_uint_ge(p.now_us - start_us, p.cfg.stale_us);
	ck_assert_uint_le(p.now_us - start_us, p.cfg.stale_us + 5000000);
	peer_fini(&p);
}
END_TEST

START_TEST(without_subflow_it_waits_then_closes)
{
	struct packet rst;

	peer_init(&p);
	peer_open(&p);
	rst = peer_packet(&p.first, TCP_RST | TCP_ACK);
	peer_send(&p, &p.first, &rst);
	ck_assert_int_eq(p.conn->state, MPTCP_ESTABLISHED);
	ck_assert_uint_eq(p.conn->subflow_count, 0);
	/* Make after break: a join brings it back. */
	peer_join(&p);
	data(&p.second, 0, "back");
	expect("back");
	rst = peer_packet(&p.second, TCP_RST | TCP_ACK);
	peer_send(&p, &p.second, &rst);
	peer_advance(&p, p.cfg.orphan_us + 1000000);
	ck_assert_int_eq(p.conn->state, MPTCP_CLOSED);
	ck_assert(p.conn->events & MPTCP_EVENT_RESET);
	peer_fini(&p);
}
END_TEST

static unsigned coupled(void)
{
	const struct tcp_conn *tc;
	unsigned n = 0;

	list_for_each(tc, &p.conn->coupling.members, coupling_link)
		n++;
	return n;
}

/* Congestion control couples the subflows that may carry data. */
START_TEST(subflows_are_coupled_while_they_live)
{
	struct packet rst;

	peer_init(&p);
	peer_open(&p);
	ck_assert_uint_eq(coupled(), 1);
	peer_join_half(&p, 7);
	ck_assert_uint_eq(coupled(), 1);
	peer_fini(&p);

	peer_init(&p);
	peer_open(&p);
	peer_join(&p);
	ck_assert_uint_eq(coupled(), 2);
	rst = peer_packet(&p.first, TCP_RST | TCP_ACK);
	peer_send(&p, &p.first, &rst);
	ck_assert_uint_eq(coupled(), 1);
	ck_assert_ptr_eq(p.second.sf->tcp.coupling, &p.conn->coupling);
	peer_fini(&p);
}
END_TEST

START_TEST(data_fin_from_the_client)
{
	const struct packet *out;
	struct packet fin, ack;

	peer_init(&p);
	peer_open(&p);
	fin = peer_data(&p, &p.first, 0, "bye", 3);
	fin.tcp.mptcp.dss.data_fin = true;
	fin.tcp.mptcp.dss.data_len = 4;
	peer_send(&p, &p.first, &fin);
	expect("bye");
	ck_assert(p.conn->events & MPTCP_EVENT_FIN);
	ck_assert_int_eq(p.conn->state, MPTCP_CLOSE_WAIT);
	peer_run(&p);
	out = peer_next(&p);
	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq((uint32_t)out->tcp.mptcp.dss.data_ack, acked(4));
	/* The other half is still open. */
	peer_queue(&p, 10);
	mptcp_shutdown(p.conn, p.now_us);
	peer_run(&p);
	ck_assert_int_eq(p.conn->state, MPTCP_LAST_ACK);
	out = peer_next(&p);
	ck_assert_uint_eq(out->payload_len, 10);
	/* The end goes along with the last bytes, and not once more. */
	ck_assert(out->tcp.mptcp.dss.data_fin);
	ck_assert_uint_eq(out->tcp.mptcp.dss.data_len, 11);
	ck_assert_ptr_null(peer_next(&p));
	p.first.ack += 10;
	ack = peer_ack(&p, &p.first, 11);
	peer_send(&p, &p.first, &ack);
	ck_assert_int_eq(p.conn->state, MPTCP_TIME_WAIT);
	peer_run(&p);
	out = peer_next(&p);
	ck_assert_ptr_nonnull(out);
	ck_assert(out->tcp.flags & TCP_FIN);
	p.first.ack += 1;
	fin = peer_packet(&p.first, TCP_FIN | TCP_ACK);
	peer_send(&p, &p.first, &fin);
	/* Not before the ACK of that FIN has left. */
	ck_assert(!(p.conn->events & MPTCP_EVENT_CLOSED));
	peer_run(&p);
	out = peer_next(&p);
	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(out->tcp.ack, p.first.seq);
	ck_assert(p.conn->events & MPTCP_EVENT_CLOSED);
	peer_fini(&p);
}
END_TEST

START_TEST(lost_data_fin_is_repeated)
{
	const struct packet *out;
	int fins = 0;

	peer_init(&p);
	peer_open(&p);
	mptcp_shutdown(p.conn, p.now_us);
	peer_run(&p);
	peer_advance(&p, 4000000);
	while ((out = peer_next(&p)) != NULL)
		fins += out->tcp.mptcp.dss.data_fin;
	ck_assert_int_ge(fins, 2);
	ck_assert_int_eq(p.conn->state, MPTCP_FIN_WAIT_1);
	peer_fini(&p);
}
END_TEST

START_TEST(fastclose_in_on_ack_and_on_rst)
{
	for (int form = 0; form < 2; form++) {
		const struct packet *out;
		struct packet fc;

		peer_init(&p);
		peer_open(&p);
		peer_forget(&p);
		fc = peer_packet(&p.first, form ? TCP_RST | TCP_ACK : TCP_ACK);
		fc.tcp.mptcp.present = MPOPT_FASTCLOSE;
		fc.tcp.mptcp.fastclose.key = p.server_key;
		peer_send(&p, &p.first, &fc);
		ck_assert(p.conn->events & MPTCP_EVENT_RESET);
		ck_assert_str_eq(p.conn->close_reason, "fastclose");
		peer_run(&p);
		out = peer_next(&p);
		if (form) {
			ck_assert_ptr_null(out);
		} else {
			ck_assert_ptr_nonnull(out);
			ck_assert(out->tcp.flags & TCP_RST);
		}
		ck_assert(p.conn->events & MPTCP_EVENT_CLOSED);
		peer_fini(&p);
	}
}
END_TEST

START_TEST(fastclose_with_a_wrong_key_is_ignored)
{
	struct packet fc;

	peer_init(&p);
	peer_open(&p);
	fc = peer_packet(&p.first, TCP_ACK);
	fc.tcp.mptcp.present = MPOPT_FASTCLOSE;
	fc.tcp.mptcp.fastclose.key = p.server_key ^ 1;
	peer_send(&p, &p.first, &fc);
	ck_assert_int_eq(p.conn->state, MPTCP_ESTABLISHED);
	peer_fini(&p);
}
END_TEST

START_TEST(fastclose_out_until_answered)
{
	const struct packet *out;
	struct packet rst;

	peer_init(&p);
	peer_open(&p);
	peer_forget(&p);
	mptcp_abort(p.conn, p.now_us);
	peer_run(&p);
	out = peer_next(&p);
	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(out->tcp.flags, TCP_ACK);
	ck_assert_uint_eq(out->tcp.seq, p.first.ack);
	ck_assert_uint_eq(out->tcp.mptcp.fastclose.key, PEER_KEY);
	peer_advance(&p, 2500000);
	out = peer_next(&p);
	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(out->tcp.mptcp.present, MPOPT_FASTCLOSE);
	rst = peer_packet(&p.first, TCP_RST | TCP_ACK);
	peer_send(&p, &p.first, &rst);
	ck_assert(p.conn->events & MPTCP_EVENT_CLOSED);
	peer_fini(&p);
}
END_TEST

START_TEST(unanswered_fastclose_ends_in_rst)
{
	const struct packet *out;

	peer_init(&p);
	peer_open(&p);
	mptcp_abort(p.conn, p.now_us);
	peer_advance(&p, p.cfg.fastclose_us + 1000000);
	out = last_on(&p.first);
	ck_assert_ptr_nonnull(out);
	ck_assert(out->tcp.flags & TCP_RST);
	ck_assert(p.conn->events & MPTCP_EVENT_CLOSED);
	peer_fini(&p);
}
END_TEST

/* The next bytes of the first subflow, without options. */
static void bare(const char *block, uint32_t len)
{
	struct packet d = peer_packet(&p.first, TCP_ACK);

	d.payload = (const uint8_t *)block;
	d.payload_len = len;
	peer_send(&p, &p.first, &d);
}

START_TEST(options_lost_with_one_subflow_falls_back)
{
	struct packet d;

	peer_init(&p);
	peer_open(&p);
	data(&p.first, 0, "mapped ");
	bare("bare", 4);
	expect("mapped bare");
	ck_assert_int_eq(p.conn->mode, MPTCP_MODE_FALLBACK);
	ck_assert_uint_eq(p.counters.v[CNT_MP_FALLBACK_DATA], 1);
	d = peer_packet(&p.first, TCP_FIN | TCP_ACK);
	peer_send(&p, &p.first, &d);
	ck_assert(p.conn->events & MPTCP_EVENT_FIN);
	peer_fini(&p);
}
END_TEST

#define BLOCK 10240u

/* Byte `at` of the stream of a client that has lost its options. */
static char bare_byte(uint64_t at)
{
	uint32_t v = (uint32_t)at * 2654435761u;

	return (char)(v >> 24 ^ v >> 13);
}

/* Unmapped bytes of that stream, which are read by the server, and acknowledged. */
static void bare_data(uint64_t from, size_t len)
{
	static char block[BLOCK];
	size_t had = p.received_len;

	ck_assert_uint_le(len, sizeof(block));
	for (size_t i = 0; i < len; i++)
		block[i] = bare_byte(from + i);
	bare(block, (uint32_t)len);
	if (p.conn->state != MPTCP_ESTABLISHED)
		return;
	if (p.received_len > had)
		mptcp_consumed(p.conn, p.received_len - had, p.now_us);
	tcp_request_ack(&p.first.sf->tcp);
	peer_run(&p);
}

/* Ten blocks of window; six mapped bytes, and a fallback at the next. */
static void bare_begin(void)
{
	peer_init(&p);
	p.cfg.rcvbuf_initial = p.cfg.rcvbuf_max = 10 * BLOCK;
	peer_open(&p);
	peer_run(&p);
	data(&p.first, 0, "mapped");
	mptcp_consumed(p.conn, 6, p.now_us);
	tcp_request_ack(&p.first.sf->tcp);
	peer_run(&p);
	p.first.sf->tcp.srtt_us = 20000;
}

/*
 * A client without our options goes on to the edge of the last window that it was told, and
 * then repeats what follows the DATA_ACK in that ACK.  `at` is where it stops.
 */
static void bare_upload(uint64_t at)
{
	bare_begin();
	for (uint64_t from = 6; from < at; from += BLOCK)
		bare_data(from, at - from < BLOCK ? at - from : BLOCK);
	ck_assert_int_eq(p.conn->mode, MPTCP_MODE_FALLBACK);
	ck_assert_uint_eq(p.received_len, at);
}

/* After that and `pause_us`, data from `from` on is taken for new, or not. */
static void bare_goes_on(uint64_t from, size_t len, uint64_t pause_us, bool believed)
{
	size_t had = p.received_len;

	p.now_us += pause_us;
	bare_data(from, len);
	ck_assert_int_eq(p.conn->state, believed ? MPTCP_ESTABLISHED : MPTCP_CLOSED);
	ck_assert_uint_eq(!!(p.conn->events & MPTCP_EVENT_ROBBED), !believed);
	ck_assert_uint_eq(p.received_len, had + (believed ? len : 0));
	peer_run(&p);
	peer_fini(&p);
}

#define PAUSE_US 25000u

START_TEST(unmapped_data_that_repeats_is_not_believed)
{
	/* Told with mappings: from 6 to 6 + 10 * BLOCK; the ACK before that: from 0. */
	bare_upload(6 + 10 * BLOCK);
	bare_goes_on(6, 1000, PAUSE_US, false);
	bare_upload(10 * BLOCK);
	bare_data(10 * BLOCK, 6);
	bare_goes_on(6, 3, PAUSE_US, false);
	/* Told in the fallback: from 6 + 20 * BLOCK on. */
	bare_upload(6 + 30 * BLOCK);
	bare_goes_on(6 + 20 * BLOCK, 1000, PAUSE_US, false);
}
END_TEST

START_TEST(unmapped_data_after_a_stop_is_believed_if_it_is_new)
{
	/* A slow server, whose client waits at the edge of the window. */
	bare_upload(6 + 10 * BLOCK);
	bare_goes_on(6 + 10 * BLOCK, 1000, PAUSE_US, true);
	bare_upload(6 + 30 * BLOCK);
	bare_goes_on(6 + 30 * BLOCK, 1000, PAUSE_US, true);
	/* Slow start over a long path pauses wherever it is, edges are not special. */
	for (unsigned n = 1; n < 10; n++) {
		bare_upload(6 + n * BLOCK + 500);
		bare_goes_on(6, 1000, PAUSE_US, true);
	}
	/* Without a pause, the same bytes are the application's. */
	bare_upload(6 + 10 * BLOCK);
	bare_goes_on(6, 1000, 1000, true);
}
END_TEST

/* What ACKs told is only known as far as there is memory for it; the rest is in doubt. */
START_TEST(unmapped_data_is_not_believed_where_memory_was_short)
{
	for (int none = 0; none < 2; none++) {
		bare_begin();
		if (none)
			mptcp_told_free(p.conn);
		p.pool.limit_bytes = 1;
		for (unsigned n = 0; n < 10; n++)
			bare_data(6 + n * BLOCK, BLOCK);
		ck_assert_uint_eq(p.received_len, 6 + 10 * BLOCK);
		/* With memory this would be. */
		bare_goes_on(6 + 10 * BLOCK, 1000, PAUSE_US, false);
	}
}
END_TEST

/* In mid-upload a segment gets lost, and behind it the client goes on to the edge. */
static uint32_t bare_gap(void)
{
	uint32_t lost = 0;

	bare_begin();
	for (unsigned i = 0; i < 10; i++) {
		if (i == 5) {
			lost = p.first.seq;
			p.first.seq += BLOCK;
		} else {
			bare_data(6 + i * BLOCK, BLOCK);
		}
	}
	ck_assert_uint_eq(p.received_len, 6 + 5 * BLOCK);
	p.now_us += PAUSE_US;
	return lost;
}

START_TEST(gaps_in_unmapped_data_are_no_stop)
{
	uint32_t seq, lost;

	/* The lost one comes late. */
	lost = bare_gap();
	seq = p.first.seq;
	p.first.seq = lost;
	bare_data(6 + 5 * BLOCK, BLOCK);
	p.first.seq = seq;
	ck_assert_int_eq(p.conn->state, MPTCP_ESTABLISHED);
	ck_assert_uint_eq(p.received_len, 6 + 10 * BLOCK);
	peer_fini(&p);
	/* New data does, before that. */
	bare_gap();
	bare_data(6 + 10 * BLOCK, 1000);
	ck_assert_int_eq(p.conn->state, MPTCP_ESTABLISHED);
	peer_fini(&p);
	/* What came before the gap does. */
	bare_gap();
	bare_data(6, 1000);
	ck_assert_int_eq(p.conn->state, MPTCP_CLOSED);
	peer_fini(&p);
	/* Something does, but not its beginning. */
	bare_gap();
	p.first.seq += 1000;
	bare_data(6 + 10 * BLOCK + 1000, 1000);
	ck_assert_int_eq(p.conn->state, MPTCP_CLOSED);
	peer_fini(&p);
}
END_TEST

/* More was told before the fallback than is kept: a stop where that was is in doubt. */
START_TEST(unmapped_data_at_an_edge_that_was_forgotten_is_not_believed)
{
	for (int doubt = 0; doubt < 2; doubt++) {
		uint64_t at = 6;

		bare_begin();
		/* Mapped still, and many ACKs, which hardly move the edge. */
		for (; at < 6 + 150; at++) {
			data(&p.first, at, "x");
			mptcp_consumed(p.conn, 1, p.now_us);
			tcp_request_ack(&p.first.sf->tcp);
			peer_run(&p);
		}
		for (uint64_t end = 6 + 10 * BLOCK + (doubt ? 0 : 151); at < end; at += BLOCK)
			bare_data(at, end - at < BLOCK ? end - at : BLOCK);
		ck_assert_int_eq(p.conn->mode, MPTCP_MODE_FALLBACK);
		bare_goes_on(BLOCK, 1000, PAUSE_US, !doubt);
	}
}
END_TEST

START_TEST(options_lost_while_a_join_is_pending)
{
	const struct packet *out;
	struct packet d, ack;
	uint32_t nonce;

	peer_init(&p);
	peer_open(&p);
	data(&p.first, 0, "mapped ");
	nonce = peer_join_half(&p, 7);
	d = peer_packet(&p.first, TCP_ACK);
	d.payload = (const uint8_t *)"bare";
	d.payload_len = 4;
	peer_forget(&p);
	peer_send(&p, &p.first, &d);
	/* No fallback: the client may have joined, and sends it again over there. */
	expect("mapped ");
	peer_run(&p);
	out = last_on(&p.first);
	ck_assert_ptr_nonnull(out);
	ck_assert(out->tcp.flags & TCP_RST);
	ck_assert_uint_eq(out->tcp.mptcp.tcprst.reason, MPTCP_RST_MIDDLEBOX);
	ack = peer_packet(&p.second, TCP_ACK);
	ack.tcp.mptcp.present = MPOPT_JOIN_ACK;
	mptcp_join_mac(1, PEER_KEY, p.server_key, 7, nonce, ack.tcp.mptcp.join.mac);
	peer_send(&p, &p.second, &ack);
	data(&p.second, 7, "again");
	expect("mapped again");
	ck_assert_int_eq(p.conn->state, MPTCP_ESTABLISHED);
	peer_fini(&p);
}
END_TEST

START_TEST(fallback_for_acks_ends_a_pending_join_only)
{
	const struct packet *out;
	struct packet ack;

	peer_init(&p);
	peer_open(&p);
	peer_queue(&p, 1000);
	peer_run(&p);
	peer_join_half(&p, 7);
	p.first.ack += 1000;
	ack = peer_packet(&p.first, TCP_ACK);
	peer_forget(&p);
	peer_send(&p, &p.first, &ack);
	ck_assert_int_eq(p.conn->mode, MPTCP_MODE_FALLBACK);
	peer_run(&p);
	out = last_on(&p.second);
	ck_assert_ptr_nonnull(out);
	ck_assert(out->tcp.flags & TCP_RST);
	ck_assert_int_eq(p.conn->state, MPTCP_ESTABLISHED);
	ck_assert_uint_eq(p.conn->subflow_count, 1);
	peer_fini(&p);
}
END_TEST

START_TEST(options_lost_on_acks_falls_back)
{
	const struct packet *out;
	struct packet ack;

	peer_init(&p);
	peer_open(&p);
	peer_queue(&p, 3000);
	peer_run(&p);
	peer_forget(&p);
	p.first.ack += 3000;
	ack = peer_packet(&p.first, TCP_ACK);
	peer_send(&p, &p.first, &ack);
	ck_assert_int_eq(p.conn->mode, MPTCP_MODE_FALLBACK);
	ck_assert_uint_eq(p.conn->sendq.end - p.conn->snd_una, 0);
	peer_queue(&p, 100);
	mptcp_shutdown(p.conn, p.now_us);
	peer_run(&p);
	out = peer_next(&p);
	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(out->payload_len, 100);
	/* Ours go on: perhaps only the client's are lost, and it has not noticed. */
	ck_assert(out->tcp.mptcp.dss.has_map);
	ck_assert_uint_eq((uint32_t)out->tcp.mptcp.dss.dsn, (uint32_t)(p.server_idsn + 1 + 3000));
	out = peer_next(&p);
	ck_assert_ptr_nonnull(out);
	ck_assert(out->tcp.flags & TCP_FIN);
	ck_assert(out->tcp.mptcp.dss.data_fin);
	peer_fini(&p);
}
END_TEST

START_TEST(options_lost_with_two_subflows_resets_one)
{
	const struct packet *out;
	struct packet d;

	peer_init(&p);
	peer_open(&p);
	peer_join(&p);
	peer_forget(&p);
	d = peer_packet(&p.second, TCP_ACK);
	d.payload = (const uint8_t *)"bare";
	d.payload_len = 4;
	peer_send(&p, &p.second, &d);
	expect("");
	peer_run(&p);
	out = last_on(&p.second);
	ck_assert_ptr_nonnull(out);
	ck_assert(out->tcp.flags & TCP_RST);
	ck_assert_uint_eq(out->tcp.mptcp.tcprst.reason, MPTCP_RST_MIDDLEBOX);
	ck_assert_uint_eq(p.conn->subflow_count, 1);
	data(&p.first, 0, "goes on");
	expect("goes on");
	peer_fini(&p);
}
END_TEST

/* A connection whose client asked for checksums. */
static void open_with_checksums(void)
{
	struct packet ack;

	peer_init(&p);
	p.cfg.checksum = true;
	peer_syn(&p);
	ck_assert(p.out[0]->p.tcp.mptcp.capable.flags & MPTCP_CAP_CHECKSUM);
	ack = peer_third_ack(&p);
	ack.tcp.mptcp.capable.flags |= MPTCP_CAP_CHECKSUM;
	peer_send(&p, &p.first, &ack);
	ck_assert(p.conn->checksum_on);
}

static void checked_data(struct peer_flow *f, uint64_t at, const char *text, bool good)
{
	struct packet d = peer_data(&p, f, at, text, strlen(text));
	struct mptcp_dss *dss = &d.tcp.mptcp.dss;

	dss->has_checksum = true;
	dss->checksum = mptcp_dss_checksum(dss->dsn, dss->ssn, dss->data_len,
					   csum_add(0, text, strlen(text)));
	if (!good)
		dss->checksum ^= 0x0101;
	peer_send(&p, f, &d);
}

START_TEST(checksums_both_ways)
{
	const struct packet *out;

	open_with_checksums();
	checked_data(&p.first, 0, "checked", true);
	expect("checked");
	peer_queue(&p, 501);
	peer_forget(&p);
	peer_run(&p);
	out = peer_next(&p);
	ck_assert_ptr_nonnull(out);
	ck_assert(out->tcp.mptcp.dss.has_checksum);
	ck_assert_uint_eq(out->tcp.mptcp.dss.checksum,
			  mptcp_dss_checksum(p.server_idsn + 1, out->tcp.mptcp.dss.ssn, 501,
					     csum_add(0, out->payload, 501)));
	peer_fini(&p);
}
END_TEST

START_TEST(wrong_checksum_after_data_fin_delivers_nothing)
{
	struct packet fin;

	open_with_checksums();
	fin = peer_ack(&p, &p.first, 0);
	fin.tcp.mptcp.dss.has_map = fin.tcp.mptcp.dss.dsn_is64 = true;
	fin.tcp.mptcp.dss.dsn = peer_dsn(&p, 0);
	fin.tcp.mptcp.dss.data_len = 1;
	fin.tcp.mptcp.dss.data_fin = true;
	fin.tcp.mptcp.dss.has_checksum = true;
	fin.tcp.mptcp.dss.checksum = mptcp_dss_checksum(peer_dsn(&p, 0), 0, 1, 0);
	peer_send(&p, &p.first, &fin);
	ck_assert(p.conn->events & MPTCP_EVENT_FIN);
	checked_data(&p.first, 0, "late", false);
	expect("");
	peer_fini(&p);
}
END_TEST

START_TEST(unread_data_closes_the_window)
{
	static char block[10240];
	uint32_t window = 0;
	const struct packet *out;

	peer_init(&p);
	p.cfg.rcvbuf_initial = p.cfg.rcvbuf_max = 102400;
	peer_open(&p);
	peer_advance(&p, 5000); /* the SYN/ACK's window was not scaled */
	for (int i = 0; i < 10; i++) {
		struct packet d = peer_data(&p, &p.first, (uint64_t)i * sizeof(block), block,
					    sizeof(block));

		peer_send(&p, &p.first, &d);
	}
	ck_assert_uint_eq(p.received_len, 102400);
	peer_forget(&p);
	peer_run(&p);
	peer_advance(&p, 50000);
	out = last_on(&p.first);
	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(out->tcp.window, 0);
	mptcp_consumed(p.conn, 51200, p.now_us);
	peer_run(&p);
	out = last_on(&p.first);
	ck_assert_ptr_nonnull(out);
	window = (uint32_t)out->tcp.window << p.cfg.tcp.rcv_wscale;
	ck_assert_uint_le(window, 51200);
	ck_assert_uint_gt(window, 51000);
	peer_fini(&p);
}
END_TEST

START_TEST(peer_window_is_data_level)
{
	const struct packet *out;
	size_t sent = 0;
	struct packet ack;

	peer_init(&p);
	p.window = 1000; /* scaled by 4: 16000 bytes */
	peer_open(&p);
	ack = peer_ack(&p, &p.first, 0);
	peer_send(&p, &p.first, &ack);
	peer_queue(&p, 40000);
	p.first.sf->tcp.cwnd_bytes = 1000000;
	peer_forget(&p);
	peer_run(&p);
	while ((out = peer_next(&p)) != NULL)
		sent += out->payload_len;
	ck_assert_uint_le(sent, 16000);
	ck_assert_uint_gt(sent, 14000);
	peer_fini(&p);
}
END_TEST

START_TEST(reinjection_ranges_merge)
{
	struct mptcp_conn *c;
	uint64_t b;

	peer_init(&p);
	peer_open(&p);
	c = p.conn;
	b = c->snd_una;
	c->snd_nxt = b + 1000000; /* as if sent */
	for (uint64_t i = 0; i < MPTCP_REINJECT_MAX; i++)
		mptcp_send_reinject_range(c, b + 1000 * i, b + 1000 * i + 10);
	ck_assert_int_eq(c->reinject_count, MPTCP_REINJECT_MAX);
	/* Full: the list grows no more, and covers what was asked. */
	mptcp_send_reinject_range(c, b + 500, b + 510);
	ck_assert_int_eq(c->reinject_count, MPTCP_REINJECT_MAX);
	ck_assert_uint_le(c->reinject[1].begin, b + 500);
	ck_assert_uint_ge(c->reinject[1].end, b + 510);
	mptcp_send_reinject_range(c, b, b + 900000);
	ck_assert_int_eq(c->reinject_count, 1);
	ck_assert_uint_eq(c->reinject[0].begin, b);
	ck_assert_uint_eq(c->reinject[0].end, b + 900000);
	c->reinject_count = 0;
	c->snd_nxt = b;
	peer_fini(&p);
}
END_TEST

START_TEST(data_beyond_window_or_end_is_not_kept)
{
	uint64_t edge;

	peer_init(&p);
	peer_open(&p);
	peer_join(&p);
	peer_run(&p);
	edge = p.conn->rcv_told - peer_dsn(&p, 0);
	data(&p.second, edge, "beyond");
	data(&p.second, edge - 2, "partly");
	ck_assert_uint_eq(p.counters.v[CNT_MP_BAD_MAPPING], 2);
	ck_assert_uint_eq(p.conn->ooo.bytes, 2);
	peer_fini(&p);

	peer_init(&p);
	peer_open(&p);
	peer_join(&p);
	mptcp_recv_fin(p.conn, peer_dsn(&p, 4));
	/* An end that is not where the first one was. */
	mptcp_recv_fin(p.conn, peer_dsn(&p, 6));
	data(&p.second, 4, "beyond");
	data(&p.second, 2, "34beyond");
	data(&p.first, 0, "12");
	expect("1234");
	ck_assert_uint_eq(p.counters.v[CNT_MP_BAD_MAPPING], 3);
	ck_assert(p.conn->events & MPTCP_EVENT_FIN);
	peer_fini(&p);
}
END_TEST

START_TEST(first_mapping_of_a_byte_counts)
{
	struct packet d;

	peer_init(&p);
	peer_open(&p);
	d = peer_data(&p, &p.first, 0, "12345", 5);
	d.tcp.mptcp.dss.data_len = 10;
	peer_send(&p, &p.first, &d);
	/* Elsewhere, and then where it was. */
	d = peer_data(&p, &p.first, 100, "678", 3);
	peer_send(&p, &p.first, &d);
	ck_assert_uint_eq(p.counters.v[CNT_MP_BAD_MAPPING], 1);
	d = peer_data(&p, &p.first, 8, "90", 2);
	peer_send(&p, &p.first, &d);
	ck_assert_uint_eq(p.counters.v[CNT_MP_BAD_MAPPING], 1);
	expect("1234567890");
	peer_fini(&p);
}
END_TEST

UNIT_MAIN("mptcp_data", data_over_two_subflows_is_one_stream,
	  overlap_and_duplicate_are_delivered_once, one_mapping_over_several_segments,
	  short_numbers_wrap, mapping_out_of_subflow_order,
	  server_data_is_mapped_and_acknowledged, gaps_are_told_on_acks_of_their_own,
	  dsn_is_whole_where_it_could_be_misread,
	  dsn_sent_again_is_whole_where_it_was, full_segment_is_sent_again_in_one,
	  missing_data_ack_is_repaired, data_may_be_left_out_for_hours,
	  data_that_is_left_out_in_silence_ends,
	  dead_subflow_hands_its_data_over, dead_subflow_takes_acknowledged_data_along,
	  what_a_slow_reader_leaves_out_is_not_sent_again, silent_subflow_hands_its_data_over,
	  stale_subflow_repeats_from_its_hoard, stale_subflow_is_probed_then_given_up, without_subflow_it_waits_then_closes,
	  subflows_are_coupled_while_they_live, data_fin_from_the_client,
	  lost_data_fin_is_repeated, fastclose_in_on_ack_and_on_rst,
	  fastclose_with_a_wrong_key_is_ignored, fastclose_out_until_answered,
	  unanswered_fastclose_ends_in_rst, options_lost_with_one_subflow_falls_back,
	  unmapped_data_that_repeats_is_not_believed,
	  unmapped_data_after_a_stop_is_believed_if_it_is_new,
	  unmapped_data_is_not_believed_where_memory_was_short,
	  gaps_in_unmapped_data_are_no_stop,
	  unmapped_data_at_an_edge_that_was_forgotten_is_not_believed,
	  options_lost_while_a_join_is_pending, fallback_for_acks_ends_a_pending_join_only, options_lost_on_acks_falls_back, options_lost_with_two_subflows_resets_one,
	  checksums_both_ways,
	  wrong_checksum_after_data_fin_delivers_nothing,
	  unread_data_closes_the_window,
	  peer_window_is_data_level, reinjection_ranges_merge,
	  data_beyond_window_or_end_is_not_kept, first_mapping_of_a_byte_counts)
