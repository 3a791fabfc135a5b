/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Log: threshold, names, formatting and truncation. */
#include "base/log.h"

#include <errno.h>
#include <string.h>

#include "unit.h"

static char last_line[4096];
static enum log_level last_level;
static int lines, evaluated;

static void sink(enum log_level level, const char *line)
{
	last_level = level;
	strcpy(last_line, line);
	lines++;
}

static int evaluate(void)
{
	return ++evaluated;
}

START_TEST(threshold)
{
	log_set_sink(sink);
	log_set_level(LOG_LEVEL_INFO);
	log_info("one %d", evaluate());
	ck_assert_int_eq(lines, 1);
	ck_assert_str_eq(last_line, "one 1");
	ck_assert_int_eq(last_level, LOG_LEVEL_INFO);
	log_debug("two %d", evaluate());
	log_trace("two %d", evaluate());
	ck_assert_int_eq(lines, 1);
	ck_assert_int_eq(evaluated, 1);
	log_error("three %s", "x");
	ck_assert_int_eq(lines, 2);
	ck_assert_int_eq(last_level, LOG_LEVEL_ERROR);
	log_set_level(LOG_LEVEL_TRACE);
	log_trace("four");
	ck_assert_int_eq(lines, 3);
}
END_TEST

START_TEST(level_names)
{
	enum log_level level;

	for (int i = LOG_LEVEL_ERROR; i <= LOG_LEVEL_TRACE; i++) {
		ck_assert_int_eq(log_level_parse(log_level_name((enum log_level)i), &level), 0);
		ck_assert_int_eq(level, i);
	}
	ck_assert_int_eq(log_level_parse("", &level), -EINVAL);
	ck_assert_int_eq(log_level_parse("Error", &level), -EINVAL);
	ck_assert_int_eq(log_level_parse("debugx", &level), -EINVAL);
}
END_TEST

START_TEST(long_lines_are_cut)
{
	char text[3000];

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	log_set_sink(sink);
	log_error("%s", text);
	ck_assert_uint_lt(strlen(last_line), sizeof(text) - 1);
	ck_assert_str_eq(last_line + strlen(last_line) - 4, "a...");
}
END_TEST

UNIT_MAIN("log", threshold, level_names, long_lines_are_cut)
