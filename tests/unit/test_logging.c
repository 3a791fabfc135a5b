/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log's sink, when whoever reads it does not keep up: nobody waits for that.  And the
 * limit to lines that strangers cause.
 */
#include "daemon/logging.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/clock.h"
#include "unit.h"

static int fds[2], before;      /* the reader's end, the writer's; stderr */
static char text[1 << 22];

static void begin(bool as_socket, enum log_level level)
{
	if (as_socket)
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	else
		ck_assert_int_eq(pipe(fds), 0);
	before = dup(STDERR_FILENO);
	ck_assert_int_ge(dup2(fds[1], STDERR_FILENO), 0);
	unsetenv("JOURNAL_STREAM");
	logging_init(level);
}

/* Puts stderr back, so that a failure can be told. */
static void end(void)
{
	dup2(before, STDERR_FILENO);
	close(before);
	close(fds[0]);
	close(fds[1]);
}

/* All that waits, as a string. */
static void read_all(void)
{
	ssize_t n;
	size_t len = 0;

	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	while ((n = read(fds[0], text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = 0;
}

/* Each line that came is whole; how many there are with `word` in them. */
static unsigned lines_with(const char *word)
{
	unsigned count = 0;

	for (char *line = text, *stop; *line; line = stop + 1) {
		stop = strchr(line, '\n');
		ck_assert_ptr_nonnull(stop);
		*stop = 0;
		count += strstr(line, word) != NULL;
		ck_assert_ptr_nonnull(strstr(line, ": "));
		*stop = '\n';
	}
	return count;
}

#define LINES 20000u

static void overfill(bool as_socket)
{
	unsigned long lost = 0;
	unsigned came;
	char *at;

	begin(as_socket, LOG_LEVEL_INFO);
	for (unsigned i = 0; i < LINES; i++)
		log_warning("line %u of those that nobody reads", i);
	read_all();
	came = lines_with("nobody reads");
	log_warning("one more");
	read_all();
	dup2(before, STDERR_FILENO);
	ck_assert_uint_gt(came, 0);
	ck_assert_uint_lt(came, LINES);
	at = strstr(text, "warning: ");
	ck_assert_msg(at != NULL, "%s", text);
	ck_assert_int_eq(sscanf(at, "warning: %lu lines of the log were lost", &lost), 1);
	ck_assert_uint_eq(came + lost, LINES);
	ck_assert_uint_eq(lines_with("one more"), 1);
	end();
}

START_TEST(full_pipe)
{
	overfill(false);
}
END_TEST

START_TEST(full_socket)
{
	overfill(true);
}
END_TEST

static void *flood(void *arg)
{
	for (unsigned i = 0; i < LINES; i++)
		log_warning("line %u of thread %s", i, (const char *)arg);
	return NULL;
}

/* What several threads write does not mix, nor does one of them wait for ever. */
START_TEST(several_threads)
{
	static char names[][2] = { "a", "b", "c", "d" };
	pthread_t threads[4];

	begin(false, LOG_LEVEL_INFO);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, flood, names[i]), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	read_all();
	dup2(before, STDERR_FILENO);
	ck_assert_uint_gt(lines_with("of thread "), 0);
	end();
}
END_TEST

/* Nobody reads any more. */
START_TEST(reader_gone)
{
	begin(false, LOG_LEVEL_INFO);
	signal(SIGPIPE, SIG_IGN);
	close(fds[0]);
	log_warning("a line");
	log_warning("another");
	end();
}
END_TEST

#define PERIOD_US (LOGGING_LIMIT_SECONDS * 1000000ull)

/* So many in a period; the rest is told of once, when that is over. */
START_TEST(limit_counts_what_it_leaves_out)
{
	struct logging_limit l = { .begin_us = 0 };
	uint64_t now_us = 1234567890123;

	for (unsigned i = 0; i < LOGGING_LIMIT_LINES; i++)
		ck_assert(logging_limit_take(&l, now_us + i));
	for (unsigned i = 0; i < 17; i++)
		ck_assert(!logging_limit_take(&l, now_us + PERIOD_US - 1));
	ck_assert_uint_eq(logging_limit_tell(&l, now_us + PERIOD_US - 1), 0);
	ck_assert_uint_eq(logging_limit_tell(&l, now_us + PERIOD_US), 17);
	ck_assert_uint_eq(logging_limit_tell(&l, now_us + PERIOD_US), 0);

	/* A period begins with its first line. */
	now_us += 5 * PERIOD_US;
	for (unsigned i = 0; i < LOGGING_LIMIT_LINES; i++)
		ck_assert(logging_limit_take(&l, now_us));
	ck_assert(!logging_limit_take(&l, now_us));
	ck_assert(logging_limit_take(&l, now_us + PERIOD_US));
	ck_assert_uint_eq(logging_limit_tell(&l, now_us + PERIOD_US), 0);
	ck_assert_uint_eq(logging_limit_tell(&l, now_us + 2 * PERIOD_US), 1);
}
END_TEST

/* How many of many lines of `level` come, where the threshold is another. */
static unsigned lines_of(enum log_level level, enum log_level threshold)
{
	unsigned came = 0;

	begin(false, threshold);
	for (unsigned i = 0; i < LOGGING_LIMIT_LINES * 4; i++) {
		log_at(level, "a line like many");
		read_all();
		came += lines_with("like many");
	}
	end();
	return came;
}

/* Connections cannot flood the log; what else there is to say is said. */
START_TEST(lines_of_connections_are_limited)
{
	unsigned came = lines_of(LOG_LEVEL_INFO, LOG_LEVEL_INFO);

	ck_assert_uint_ge(came, LOGGING_LIMIT_LINES);
	ck_assert_uint_lt(came, LOGGING_LIMIT_LINES * 4);
	ck_assert_uint_eq(lines_of(LOG_LEVEL_NOTICE, LOG_LEVEL_INFO), LOGGING_LIMIT_LINES * 4);
	ck_assert_uint_eq(lines_of(LOG_LEVEL_INFO, LOG_LEVEL_DEBUG), LOGGING_LIMIT_LINES * 4);
}
END_TEST

/* The sum of all numbers of lines left out that were told. */
static unsigned long told_left_out(void)
{
	unsigned long sum = 0, n;

	for (const char *at = text; (at = strstr(at, "info: ")); at++)
		if (sscanf(at, "info: %lu more lines about connections were left out", &n) == 1)
			sum += n;
	return sum;
}

/* Nobody has to log something for that. */
START_TEST(what_was_left_out_is_told_without_another_line)
{
	unsigned long told;
	unsigned came;
	uint64_t now_us;

	begin(false, LOG_LEVEL_INFO);
	logging_tell(monotonic_us() + PERIOD_US);       /* of the tests before */
	read_all();
	for (unsigned i = 0; i < LOGGING_LIMIT_LINES * 4; i++)
		log_info("a line like many");
	now_us = monotonic_us() + PERIOD_US;
	logging_tell(now_us);
	read_all();
	came = lines_with("like many");
	told = told_left_out();
	/* Once. */
	logging_tell(now_us + PERIOD_US);
	read_all();
	end();
	ck_assert_uint_eq(came + told, LOGGING_LIMIT_LINES * 4);
	ck_assert_str_eq(text, "");
}
END_TEST

/* Nor for those that found no room. */
START_TEST(what_was_lost_is_told_without_another_line)
{
	unsigned long told = 0;
	unsigned came;
	char *at;

	begin(false, LOG_LEVEL_INFO);
	for (unsigned i = 0; i < LINES; i++)
		log_warning("a line like many");
	logging_tell(monotonic_us());   /* there is no room for that, either */
	read_all();
	came = lines_with("like many");
	logging_tell(monotonic_us());
	read_all();
	end();
	at = strstr(text, "warning: ");
	ck_assert_msg(at != NULL, "%s", text);
	ck_assert_int_eq(sscanf(at, "warning: %lu lines of the log were lost", &told), 1);
	ck_assert_uint_eq(came + told, LINES);
}
END_TEST

UNIT_MAIN("daemon/logging", full_pipe, full_socket, several_threads, reader_gone,
	  limit_counts_what_it_leaves_out, lines_of_connections_are_limited,
	  what_was_left_out_is_told_without_another_line,
	  what_was_lost_is_told_without_another_line)
