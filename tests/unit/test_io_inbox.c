/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ring between workers: order, bounds, and what is in it; with threads, too.
 */
#include "io/inbox.h"
#include "io/outbox.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"

#define SENDERS 3
#define EACH    20000u
#define DATA_MAX 70000

static bool put(struct inbox *in, enum proxy_message_kind kind, uint16_t from, uint32_t n, size_t len)
{
	struct inbox_message m = {
		.m = { .kind = kind, .from = from, .generation = n, .len = len },
	};
	uint8_t copy[DATA_MAX];

	memset(copy, (int)(n & 0xff), len);
	m.m.data = copy;
	return inbox_put(in, &m);
}

static void check_data(const struct inbox_message *m)
{
	size_t right = 0;

	while (right < m->m.len && m->m.data[right] == (m->m.generation & 0xff))
		right++;
	ck_assert_uint_eq(right, m->m.len);
}

START_TEST(in_order)
{
	struct inbox *in = inbox_new(1);
	struct inbox_message m;
	uint64_t seed = 1;
	uint32_t sent = 0, taken = 0;

	/* Many times around. */
	while (taken < 5000) {
		for (uint64_t n = unit_random_below(&seed, 20); n--; sent++) {
			if (!put(in, PROXY_MESSAGE_PACKET, 1, sent,
				 unit_random_below(&seed, 65536)))
				break;
		}
		for (uint64_t n = unit_random_below(&seed, 20); n-- && inbox_take(in, &m); taken++) {
			ck_assert_uint_eq(m.m.generation, taken);
			check_data(&m);
		}
		inbox_release(in);
	}
	inbox_free(in);
}
END_TEST

START_TEST(packets_leave_room_for_the_rest)
{
	struct inbox *in = inbox_new(1);
	struct inbox_message m;
	uint32_t packets = 0, others = 0;

	while (put(in, PROXY_MESSAGE_PACKET, 1, packets, 1000))
		packets++;
	while (put(in, PROXY_MESSAGE_GONE, 1, packets + others, 0))
		others++;
	ck_assert_uint_gt(packets, 100);
	ck_assert_uint_gt(others, 100);
	/* Taken is not given back. */
	for (uint32_t i = 0; i < packets + others; i++) {
		ck_assert(inbox_take(in, &m));
		ck_assert_uint_eq(m.m.generation, i);
		ck_assert_int_eq(m.m.kind, i < packets ? PROXY_MESSAGE_PACKET :
				 PROXY_MESSAGE_GONE);
	}
	ck_assert(!inbox_take(in, &m));
	ck_assert(!put(in, PROXY_MESSAGE_GONE, 1, 0, 0));
	inbox_release(in);
	ck_assert(put(in, PROXY_MESSAGE_PACKET, 1, 7, 65535));
	ck_assert(inbox_take(in, &m));
	check_data(&m);
	inbox_free(in);
}
END_TEST

START_TEST(wakes_once)
{
	struct inbox *in = inbox_new(1);
	struct pollfd p = { .fd = inbox_fd(in), .events = POLLIN };

	ck_assert_int_eq(poll(&p, 1, 0), 0);
	inbox_signal(in);
	ck_assert_int_eq(poll(&p, 1, 0), 1);
	inbox_free(in);
}
END_TEST

struct sender {
	struct inbox *in;
	uint16_t number;
};

static void *send_all(void *arg)
{
	struct sender *s = arg;

	for (uint32_t i = 0; i < EACH;) {
		if (put(s->in, i % 5 ? PROXY_MESSAGE_PACKET : PROXY_MESSAGE_GONE, s->number, i,
			i % 5 ? i % 700 : 0))
			i++;
		else
			sched_yield();  /* where threads take turns, as under valgrind */
		if (i % 8 == 0)
			inbox_signal(s->in);
	}
	inbox_signal(s->in);
	return NULL;
}

/* The receiver sleeps whenever there is nothing; a lost wake-up would let it sleep on. */
START_TEST(threads)
{
	struct inbox *in = inbox_new(1);
	struct pollfd p = { .fd = inbox_fd(in), .events = POLLIN };
	uint32_t next[SENDERS] = { 0 }, total = 0;
	struct sender senders[SENDERS];
	pthread_t thread[SENDERS];
	struct inbox_message m;

	for (uint16_t i = 0; i < SENDERS; i++) {
		senders[i] = (struct sender){ in, i };
		ck_assert_int_eq(pthread_create(&thread[i], NULL, send_all, &senders[i]), 0);
	}
	while (total < SENDERS * EACH) {
		uint64_t count;

		ck_assert_int_eq(poll(&p, 1, 60000), 1);
		ck_assert_int_eq(read(p.fd, &count, sizeof(count)), sizeof(count));
		inbox_woken(in);
		while (inbox_take(in, &m)) {
			ck_assert_uint_eq(m.m.generation, next[m.m.from]);
			next[m.m.from]++;
			check_data(&m);
			if (++total % 16 == 0)
				inbox_release(in);
		}
		inbox_release(in);
	}
	for (int i = 0; i < SENDERS; i++)
		pthread_join(thread[i], NULL);
	inbox_free(in);
}
END_TEST

/* Fills what packets may take, and then what is reserved for the rest. */
static void fill(struct inbox *in)
{
	while (put(in, PROXY_MESSAGE_PACKET, 0, 0, 60000))
		;
	while (put(in, PROXY_MESSAGE_GONE, 0, 0, 0))
		;
}

static bool send(struct outbox *out, uint16_t to, enum proxy_message_kind kind, uint32_t n)
{
	struct inbox_message m = { .m = { .kind = kind, .from = 9, .generation = n } };

	return outbox_send(out, to, &m);
}

/* The next message of worker 9. */
static uint32_t take(struct inbox *in)
{
	struct inbox_message m;

	while (inbox_take(in, &m))
		if (m.m.from == 9)
			return m.m.generation;
	return 0;
}

/* One worker's inbox is full: what may not get lost waits, and nothing for others. */
START_TEST(what_waits_keeps_nobody_else_waiting)
{
	struct inbox *in[2] = { inbox_new(1), inbox_new(1) };
	struct counters counters = { 0 };
	struct outbox out;

	outbox_init(&out, in, &counters);
	fill(in[0]);
	ck_assert(!send(&out, 0, PROXY_MESSAGE_PACKET, 1));
	ck_assert(send(&out, 0, PROXY_MESSAGE_GONE, 2));
	ck_assert(send(&out, 0, PROXY_MESSAGE_RETURNED, 3));
	ck_assert_uint_eq(counters.v[CNT_HANDOVER_LOST], 1);
	ck_assert(send(&out, 1, PROXY_MESSAGE_PACKET, 4));
	ck_assert_uint_eq(take(in[1]), 4);
	ck_assert_uint_eq(outbox_retry(&out), 2);
	ck_assert(send(&out, 1, PROXY_MESSAGE_PACKET, 5));
	ck_assert_uint_eq(take(in[1]), 5);

	ck_assert_uint_eq(take(in[0]), 0);
	inbox_release(in[0]);
	/* Room is there, but what waits comes first. */
	ck_assert(!send(&out, 0, PROXY_MESSAGE_PACKET, 6));
	ck_assert_uint_eq(outbox_retry(&out), 0);
	ck_assert(send(&out, 0, PROXY_MESSAGE_PACKET, 7));
	ck_assert_uint_eq(take(in[0]), 2);
	ck_assert_uint_eq(take(in[0]), 3);
	ck_assert_uint_eq(take(in[0]), 7);
	ck_assert_uint_eq(take(in[0]), 0);

	outbox_wake(&out);
	ck_assert_uint_eq(out.to_wake, 0);
	outbox_fini(&out);
	inbox_free(in[0]);
	inbox_free(in[1]);
}
END_TEST

UNIT_MAIN("io/inbox", in_order, packets_leave_room_for_the_rest, wakes_once, threads,
	  what_waits_keeps_nobody_else_waiting)
