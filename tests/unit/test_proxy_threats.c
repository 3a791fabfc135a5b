/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Attacks on the proxy (RFC 6181, RFC 7430; doc/threats.md names what each meets): each
 * test attacks, and checks the bound and the counter.
 */
#include "proxy_world.h"

#include "proxy/evict.h"

/* ---- memory --------------------------------------------------------------------- */

static void server_sends(uint64_t len)
{
	w.server[0].out_total += len;
}

/* A client that never reads, while the server has much for it. */
static void fill_memory(void)
{
	world_begin(PROXY_CONNECT_FIRST);
	w.config.memory_bytes = 1 << 20;
	ck_assert_int_eq(proxy_set_config(w.proxy, &w.config), 0);
	establish();
	w.read_slowly = true;
	server_sends(64 << 20);
	run(5 * SECOND);
	ck_assert_uint_ge(proxy_memory(w.proxy), (1u << 20) / 100 * EVICT_WATCH_PERCENT);
}

START_TEST(never_reading_is_ended_when_memory_is_short)
{
	fill_memory();
	/* Nobody new meanwhile. */
	ck_assert_int_eq(give_capable("192.0.2.9:1000"), PROXY_PASS);
	ck_assert_uint_eq(count(CNT_SHED_MEMORY), 1);
	run(20 * SECOND);
	ck_assert_uint_eq(count(CNT_EVICTED), 0);
	run(20 * SECOND);
	ck_assert_uint_eq(count(CNT_EVICTED), 1);
	ck_assert_uint_eq(proxy_session_count(w.proxy), 0);
	ck_assert_uint_eq(proxy_memory(w.proxy), 0);
	ck_assert(w.server[0].closed && w.server[0].reset);
	ck_assert(w.events & MPTCP_EVENT_RESET);
	ck_assert_int_eq(give_capable("192.0.2.9:1000"), PROXY_TAKE);
	world_end();
}
END_TEST

START_TEST(reading_slowly_is_put_up_with)
{
	fill_memory();
	for (int i = 0; i < 90; i++) {
		/* Enough to be worth a window update, now and then. */
		if (i % 10 == 0) {
			size_t n = w.unread < 65536 ? w.unread : 65536;

			mptcp_consumed(w.conn, n, w.now);
			w.unread -= n;
			client_turn();
		}
		run(SECOND);
	}
	ck_assert_uint_eq(count(CNT_EVICTED), 0);
	ck_assert_uint_eq(proxy_session_count(w.proxy), 1);
	world_end();
}
END_TEST

/* With memory to spare a closed window is nobody's business but the client's. */
START_TEST(zero_window_may_last_for_hours)
{
	world_begin(PROXY_CONNECT_FIRST);
	w.service.mptcp.sndbuf_max = 4 << 20;
	establish();
	w.read_slowly = true;
	server_sends(64 << 20);
	run(6 * 3600 * SECOND);
	ck_assert_uint_eq(proxy_session_count(w.proxy), 1);
	ck_assert_uint_eq(count(CNT_EVICTED), 0);
	ck_assert_uint_le(w.memory_peak, 5 << 20);
	w.read_slowly = false;
	client_turn();
	run(60 * SECOND);
	ck_assert_uint_eq(w.received, 64 << 20);
	world_end();
}
END_TEST

/* A client of one connection, and a server that does not read. */
START_TEST(server_that_never_reads_is_ended_when_memory_is_short)
{
	world_begin(PROXY_CONNECT_FIRST);
	w.config.memory_bytes = 1 << 20;
	ck_assert_int_eq(proxy_set_config(w.proxy, &w.config), 0);
	w.service.mptcp.rcvbuf_initial = 2 << 20;
	establish();
	w.server[0].room = 1000;
	w.to_send = 8 << 20;
	client_turn();
	run(10 * SECOND);
	ck_assert_uint_le(w.memory_peak, (1 << 20) + (1 << 18));
	run(40 * SECOND);
	ck_assert_uint_eq(proxy_session_count(w.proxy), 0);
	ck_assert_uint_eq(proxy_memory(w.proxy), 0);
	ck_assert(w.events & MPTCP_EVENT_RESET);
	world_end();
}
END_TEST

UNIT_MAIN("proxy/threats", never_reading_is_ended_when_memory_is_short,
	  reading_slowly_is_put_up_with, zero_window_may_last_for_hours,
	  server_that_never_reads_is_ended_when_memory_is_short)
