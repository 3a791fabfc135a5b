/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every unit test shares: the main() around the `check' library, and a small
 * seeded generator for randomized rounds, the same in every run.
 */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <check.h>
#include <stdint.h>
#include <stdlib.h>

/* Defines main(): runs the START_TEST()s named after the suite's name. */
#define UNIT_MAIN(name, ...)                                                               \
	int main(void)                                                                     \
	{                                                                                  \
		const TTest *unit_tests_[] = { __VA_ARGS__ };                              \
                                                                                           \
		return unit_run_(name, unit_tests_,                                        \
				 sizeof(unit_tests_) / sizeof(unit_tests_[0]));            \
	}

static inline int unit_run_(const char *name, const TTest **tests, size_t count)
{
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create(name);
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 120);
	for (size_t i = 0; i < count; i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* splitmix64: any seed, including 0, is good. */
static inline uint64_t unit_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15u);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/*
 * How many of `all' random rounds to do: 1/UNIT_ROUNDS_DIVISOR of them, where the environment
 * has that, so that they come to an end under valgrind; but always one.
 */
static inline uint64_t unit_rounds(uint64_t all)
{
	const char *text = getenv("UNIT_ROUNDS_DIVISOR");
	uint64_t divisor = text ? strtoull(text, NULL, 10) : 1;

	return divisor > all ? 1 : divisor ? all / divisor : all;
}

/* A number in [0, below). */
static inline uint64_t unit_random_below(uint64_t *state, uint64_t below)
{
	return unit_random(state) % below;
}

#endif
