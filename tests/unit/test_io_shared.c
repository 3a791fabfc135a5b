/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What workers know of each other: the directories of tokens, and the sessions per source.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "io/directory.h"
#include "io/sources.h"
#include "unit.h"

START_TEST(directory_tells_what_is_there)
{
	struct directory *d = directory_new(1000, 4);
	static uint32_t tokens[1000];
	unsigned maybe = 0;
	uint64_t seed = 3;

	for (int i = 0; i < 1000; i++) {
		tokens[i] = (uint32_t)unit_random(&seed) & ~3u;
		directory_add(d, tokens[i]);
	}
	for (int i = 0; i < 1000; i++)
		ck_assert(directory_has(d, tokens[i]));
	for (int i = 0; i < 10000; i++)
		maybe += directory_has(d, (uint32_t)unit_random(&seed) & ~3u);
	ck_assert_uint_lt(maybe, 200);
	for (int i = 0; i < 1000; i += 2)
		directory_remove(d, tokens[i]);
	for (int i = 1; i < 1000; i += 2)
		ck_assert(directory_has(d, tokens[i]));
	for (int i = 1; i < 1000; i += 2)
		directory_remove(d, tokens[i]);
	for (int i = 0; i < 1000; i++)
		ck_assert(!directory_has(d, tokens[i]));
	directory_free(d);
}
END_TEST

/* More than there is room for: never "no" for what is there, and none is left behind. */
START_TEST(directory_overflows)
{
	struct directory *d = directory_new(1, 1);

	for (uint32_t i = 0; i < 100; i++)
		directory_add(d, i);
	for (uint32_t i = 0; i < 100; i++)
		ck_assert(directory_has(d, i));
	for (uint32_t i = 0; i < 100; i++)
		directory_remove(d, i);
	for (uint32_t i = 0; i < 100; i++)
		ck_assert(!directory_has(d, i));
	directory_free(d);
}
END_TEST

#define STAYING 0x1234567u

static atomic_bool stop;

static void *look(void *arg)
{
	while (!atomic_load(&stop)) {
		if (!directory_has(arg, STAYING))
			return (void *)"missed";
	}
	return NULL;
}

/* A token that stays is seen all the while, whatever comes and goes beside it. */
START_TEST(directory_is_read_meanwhile)
{
	struct directory *d = directory_new(1, 1);
	pthread_t thread;
	void *failed;

	directory_add(d, STAYING);
	ck_assert_int_eq(pthread_create(&thread, NULL, look, d), 0);
	for (uint32_t i = 1; i < 200000; i++) {
		directory_add(d, i);
		if (i > 20)
			directory_remove(d, i - 20);
	}
	atomic_store(&stop, true);
	pthread_join(thread, &failed);
	ck_assert_ptr_null(failed);
	directory_free(d);
}
END_TEST

static struct sources *sources;

static void *count_up_and_down(void *arg)
{
	struct ip_addr addr;

	ip_addr_from_v4(&addr, (const uint8_t[4]){ 192, 0, 2, 1 });
	for (int i = 0; i < 20000; i++) {
		sources_add(sources, &addr, 1);
		if (i)
			sources_add(sources, &addr, -1);
	}
	return arg;
}

START_TEST(sources_are_counted)
{
	struct hash_key key;
	struct ip_addr a, b;
	pthread_t thread[2];

	memset(&key, 7, sizeof(key));
	sources = sources_new(&key);
	ip_addr_from_v4(&a, (const uint8_t[4]){ 192, 0, 2, 1 });
	ip_addr_from_v4(&b, (const uint8_t[4]){ 192, 0, 2, 2 });
	ck_assert_uint_eq(sources_add(sources, &a, 0), 0);
	ck_assert_uint_eq(sources_add(sources, &a, 1), 1);
	ck_assert_uint_eq(sources_add(sources, &b, 1), 1);
	ck_assert_uint_eq(sources_add(sources, &a, 1), 2);
	ck_assert_uint_eq(sources_add(sources, &a, 0), 2);
	ck_assert_uint_eq(sources_add(sources, &a, -1), 1);
	ck_assert_uint_eq(sources_add(sources, &a, -1), 0);
	ck_assert_uint_eq(sources_add(sources, &b, 0), 1);
	/* One that was not counted. */
	ck_assert_uint_eq(sources_add(sources, &a, -1), 0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&thread[i], NULL, count_up_and_down, NULL), 0);
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	ck_assert_uint_eq(sources_add(sources, &a, 0), 2);
	sources_free(sources);
}
END_TEST

UNIT_MAIN("io/shared", directory_tells_what_is_there, directory_overflows,
	  directory_is_read_meanwhile, sources_are_counted)
