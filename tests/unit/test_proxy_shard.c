/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two proxies, one of which has the connection while the packets of its second subflow come
 * in with the other.
 */
#include "proxy/session.h"

#include "proxy_world.h"

#define JOIN_FROM "192.0.2.77:5000"

/* Worker 0, the owner, is w.proxy. */
static struct proxy *lander;
static struct proxy_ops shard_ops;
static struct proxy_load load;

static struct mail {
	uint16_t to;
	struct proxy_message m;
	uint8_t *data;
} mail[64];
static size_t mail_count;
static bool hold;                       /* messages stay under way */
static bool full;                       /* packets find no room */
static uint32_t known_token;

static bool fake_send(void *ctx, uint16_t to, const struct proxy_message *m)
{
	struct mail *e = &mail[mail_count];

	(void)ctx;
	if (full && m->kind == PROXY_MESSAGE_PACKET)
		return false;
	ck_assert_uint_lt(mail_count, 64);
	e->to = to;
	e->m = *m;
	/* Of just this size, so that reads past the end are found. */
	e->data = malloc(m->len ? m->len : 1);
	if (m->len)
		memcpy(e->data, m->data, m->len);
	e->m.data = e->data;
	mail_count++;
	return true;
}

static void fake_known(void *ctx, uint32_t token, bool known)
{
	(void)ctx;
	if (token % 2 == 0)
		known_token = known ? token : 0;
}

static bool fake_elsewhere(void *ctx, uint16_t worker, uint32_t token)
{
	(void)ctx;
	return worker == 0 && token && token == known_token;
}

static struct proxy *proxy_of(uint16_t worker)
{
	return worker ? lander : w.proxy;
}

static void exchange(void)
{
	for (size_t i = 0; i < mail_count && !hold; i++) {
		struct proxy *to = proxy_of(mail[i].to);

		proxy_message(to, &mail[i].m, w.now);
		proxy_flush(to, w.now);
		free(mail[i].data);
		if (i == mail_count - 1)
			mail_count = 0;
	}
}

/* Port 5000 lands with the lander, all else with the owner. */
static struct proxy *choose(const uint8_t *data, size_t len)
{
	struct packet p;

	ck_assert_int_eq(packet_parse(data, len, &p), 0);
	return p.tuple.src.port == 5000 ? lander : w.proxy;
}

static void shard_begin(void)
{
	world_begin(PROXY_CONNECT_FIRST);
	proxy_free(w.proxy, w.now);
	memset(&load, 0, sizeof(load));
	mail_count = 0;
	hold = full = false;
	known_token = 0;
	shard_ops = ops;
	shard_ops.send = fake_send;
	shard_ops.token_known = fake_known;
	shard_ops.token_elsewhere = fake_elsewhere;
	w.proxy = proxy_new(&w.config, &shard_ops, &w, &w.down_sink, &w.counters);
	lander = proxy_new(&w.config, &shard_ops, &w, &w.down_sink, &w.counters);
	proxy_set_worker(w.proxy, 0, 2, &load);
	proxy_set_worker(lander, 1, 2, &load);
	w.lander = choose;
	w.exchange = exchange;
	establish();
	ck_assert_uint_eq(known_token, w.conn->remote_token);
}

static void shard_end(void)
{
	hold = false;
	proxy_free(lander, w.now);
	world_end();
	for (size_t i = 0; i < mail_count; i++)
		free(mail[i].data);
	ck_assert_uint_eq(load.sessions, 0);
	ck_assert_uint_eq(load.half_open, 0);
	ck_assert_uint_eq(load.memory.granted_bytes, 0);
}

static void join(void)
{
	struct flow_tuple tx;

	client_tuple(&tx, JOIN_FROM);
	ck_assert_ptr_nonnull(mptcp_join_active(w.conn, &tx, 1, false, w.now));
	client_turn();
	run(SECOND);
	ck_assert_uint_eq(count(CNT_MP_JOIN_DONE), 1);
}

static struct flow *away(void)
{
	struct flow_tuple rx;

	client_tuple(&rx, JOIN_FROM);
	return flowtable_find(&lander->flows, &rx);
}

/* What the client's path does with a packet that comes in with the lander. */
static enum proxy_verdict land(uint8_t flags, uint32_t seq, bool capable, uint32_t token)
{
	uint8_t data[256];
	size_t len = make_packet(data, JOIN_FROM, flags, seq, capable, token, 0);
	enum proxy_verdict v = proxy_packet(lander, data, len, false, w.now);

	proxy_flush(lander, w.now);
	flush();
	return v;
}

static void transfer_all(void)
{
	exchange_all(1000000);
	ck_assert_uint_eq(load.sessions, 0);
}

START_TEST(packets_are_handed_over)
{
	shard_begin();
	join();
	ck_assert_ptr_nonnull(away());
	ck_assert_int_eq(away()->kind, FLOW_AWAY);
	transfer_all();
	ck_assert_uint_gt(count(CNT_HANDED_OVER), 20);
	ck_assert_uint_eq(count(CNT_HANDED_OVER), count(CNT_HANDED_IN));
	ck_assert_uint_eq(count(CNT_HANDOVER_LOST), 0);
	/* In TIME-WAIT it is still away; then nobody knows of it, and neither does the kernel. */
	ck_assert_int_eq(land(TCP_ACK, 1, false, 0), PROXY_TAKE);
	run(600 * SECOND);
	ck_assert_ptr_null(away());
	ck_assert_int_eq(w.forgotten, 2);
	ck_assert_int_eq(land(TCP_ACK, 1, false, 0), PROXY_PASS);
	shard_end();
}
END_TEST

START_TEST(foreign_joins_pass)
{
	shard_begin();
	/* Neither proxy's, whatever the remainder says. */
	ck_assert_int_eq(land(TCP_SYN, 1, false, known_token + 2), PROXY_PASS);
	ck_assert_int_eq(land(TCP_SYN, 1, false, known_token + 1), PROXY_PASS);
	ck_assert_ptr_null(away());
	ck_assert_uint_eq(count(CNT_MP_JOIN_UNKNOWN), 2);
	ck_assert_uint_eq(count(CNT_HANDED_OVER), 0);
	shard_end();
}
END_TEST

/* The connection ends while a join is on its way to its owner. */
START_TEST(join_comes_too_late)
{
	shard_begin();
	known_token += 2;
	ck_assert_int_eq(land(TCP_SYN, 1, false, known_token), PROXY_TAKE);
	ck_assert_uint_eq(count(CNT_HANDOVER_LOST), 1);
	/* Returned, and not handed over again, even if the owner still seems to have it. */
	ck_assert_ptr_null(away());
	ck_assert_uint_eq(count(CNT_HANDED_OVER), 1);
	known_token -= 2;
	ck_assert_int_eq(land(TCP_SYN, 1, false, known_token + 2), PROXY_PASS);
	shard_end();
}
END_TEST

START_TEST(refused_joins_are_forgotten)
{
	shard_begin();
	/* The client is gone without a word. */
	mptcp_free(w.conn);
	w.conn = NULL;
	for (uint32_t i = 0; i < 40; i++)
		ck_assert_int_eq(land(TCP_SYN, 1 + i, false, known_token), PROXY_TAKE);
	ck_assert_ptr_nonnull(away());
	run(600 * SECOND);
	ck_assert_ptr_null(away());
	shard_end();
}
END_TEST

/* The tuple of an old subflow is used for a new connection. */
START_TEST(new_connection_is_returned)
{
	struct flow_tuple rx;
	struct flow *old;
	int forgotten;

	shard_begin();
	join();
	transfer_all();
	ck_assert_int_eq(away()->kind, FLOW_AWAY);
	ck_assert_int_eq(w.opened, 1);
	run(10 * SECOND);
	client_tuple(&rx, JOIN_FROM);
	old = flowtable_find(&w.proxy->flows, &rx);
	ck_assert_ptr_nonnull(old);
	ck_assert_int_eq(old->kind, FLOW_TIMEWAIT);
	forgotten = w.forgotten;
	ck_assert_int_eq(land(TCP_SYN, old->tw.rcv_nxt + 100000, true, 0), PROXY_TAKE);
	ck_assert_int_eq(w.opened, 2);
	ck_assert_int_eq(away()->kind, FLOW_SUBFLOW);
	/* The kernel has caught the SYN, and must go on. */
	ck_assert_int_eq(w.forgotten, forgotten);
	ck_assert_uint_eq(proxy_session_count(lander), 1);
	ck_assert_uint_eq(count(CNT_HANDOVER_LOST), 0);
	shard_end();
}
END_TEST

/* What is about an earlier flow of this tuple does not end the present one. */
START_TEST(generations)
{
	struct proxy_message m = { .kind = PROXY_MESSAGE_GONE, .from = 0 };
	uint32_t first;

	shard_begin();
	join();
	first = away()->generation;
	client_tuple(&m.tuple, JOIN_FROM);
	m.generation = first;
	hold = true;
	ck_assert_int_eq(land(TCP_SYN, 5, false, known_token), PROXY_TAKE);
	ck_assert_uint_gt(away()->generation, first);
	proxy_message(lander, &m, w.now);
	ck_assert_ptr_nonnull(away());
	/* Nor does what another worker says. */
	m.generation = away()->generation;
	m.from = 7;
	proxy_message(lander, &m, w.now);
	ck_assert_ptr_nonnull(away());
	hold = false;
	transfer_all();
	shard_end();
}
END_TEST

START_TEST(no_room)
{
	struct flow_tuple tx;

	shard_begin();
	full = true;
	client_tuple(&tx, JOIN_FROM);
	ck_assert_ptr_nonnull(mptcp_join_active(w.conn, &tx, 1, false, w.now));
	client_turn();
	run(SECOND / 10);
	/* As if the SYN had been lost. */
	ck_assert_uint_eq(count(CNT_HANDOVER_LOST), 1);
	ck_assert_ptr_null(away());
	full = false;
	run(5 * SECOND);
	ck_assert_uint_eq(count(CNT_MP_JOIN_DONE), 1);
	full = true;
	run(SECOND);
	full = false;
	transfer_all();
	shard_end();
}
END_TEST

/* "Packet too big" about a segment of ours on the subflow that is away. */
START_TEST(errors_are_handed_over)
{
	uint8_t data[64] = { 0x45, 0, 0, 56, 0, 0, 0, 0, 64, 1 };
	struct mptcp_subflow *sf, *joined = NULL;
	struct session *s;
	uint32_t mss;

	shard_begin();
	join();
	s = list_first(&w.proxy->sessions, struct session, link);
	list_for_each(sf, &s->conn->subflows, link)
		if (sf->join)
			joined = sf;
	ck_assert_ptr_nonnull(joined);
	mss = joined->tcp.mss;
	/* From a router at 192.0.2.254 to the service: type 3, code 4, MTU 1000. */
	memcpy(data + 12, (uint8_t[]){ 192, 0, 2, 254, 198, 51, 100, 1 }, 8);
	memcpy(data + 20, (uint8_t[]){ 3, 4, 0, 0, 0, 0, 1000 >> 8, 1000 & 255 }, 8);
	memcpy(data + 28, (uint8_t[]){ 0x45, 0, 5, 0xdc, 0, 0, 0x40, 0, 64, 6, 0, 0 }, 12);
	memcpy(data + 40, (uint8_t[]){ 198, 51, 100, 1, 192, 0, 2, 77, 0, 80, 5000 >> 8, 5000 & 255 },
	       12);
	for (int i = 0; i < 4; i++)
		data[52 + i] = (uint8_t)((joined->tcp.snd_nxt - 1) >> (24 - 8 * i));
	joined->tcp.snd_una = joined->tcp.snd_nxt - 1;
	csum_store(data + 22, (uint16_t)~csum_fold(csum_add(0, data + 20, 36)));
	csum_store(data + 10, (uint16_t)~csum_fold(csum_add(0, data, 20)));
	ck_assert_int_eq(proxy_packet(lander, data, 56, true, w.now), PROXY_TAKE);
	flush();
	ck_assert_uint_lt(joined->tcp.mss, mss);
	shard_end();
}
END_TEST

START_TEST(limits_are_common)
{
	shard_begin();
	w.config.max_connections = 2;
	ck_assert_int_eq(give_capable("192.0.2.1:9"), PROXY_TAKE);
	ck_assert_int_eq(land(TCP_SYN, 1, true, 0), PROXY_PASS);
	ck_assert_uint_eq(count(CNT_SHED_CONNECTIONS), 1);
	shard_end();
}
END_TEST

UNIT_MAIN("proxy/shard", packets_are_handed_over, foreign_joins_pass, join_comes_too_late,
	  refused_joins_are_forgotten, new_connection_is_returned, generations, no_room,
	  errors_are_handed_over, limits_are_common)
