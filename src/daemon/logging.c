/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's log sink.  One write() per line, so that lines of several processes
 * (the daemon, nft) do not mix.
 *
 * Who logs is mostly a worker, whose packets must not wait for whoever reads the log.  The
 * descriptor may be shared, so it is not made non-blocking; but where it takes something,
 * it takes a line: one is shorter than what a pipe guarantees then, and than the room of a
 * socket.  The lock keeps it so from asking to writing.  Lines that find no room are counted,
 * which is told when there is room again.
 *
 * A line for each connection is what strangers decide about: they must not fill a disk, nor
 * have the journal leave out the lines of all levels, as it does with who writes too much.
 * So there is a limit to these, by periods; what exceeds it is only counted, which is told
 * when the period is over.
 *
 * Either is told ahead of the next line, or by logging_tell(), as there may be none for long.
 */
#include "daemon/logging.h"

#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "io/clock.h"

#define OUT_BYTES 1200
_Static_assert(OUT_BYTES <= PIPE_BUF, "a pipe takes a line at once");

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* Under the lock. */
static unsigned long lost;
static struct logging_limit limit;
/* Set at start: puts a head before it, and writes it. */
static void (*put_line)(enum log_level level, const char *line);

static bool is_over(const struct logging_limit *l, uint64_t now_us)
{
	/* It may have begun since `now_us` was read, by another thread's line. */
	return now_us >= l->begin_us + LOGGING_LIMIT_SECONDS * 1000000ull;
}

bool logging_limit_take(struct logging_limit *l, uint64_t now_us)
{
	if (is_over(l, now_us)) {
		l->begin_us = now_us;
		l->taken = 0;
	}
	if (l->taken < LOGGING_LIMIT_LINES) {
		l->taken++;
		return true;
	}
	l->left_out++;
	return false;
}

unsigned long logging_limit_tell(struct logging_limit *l, uint64_t now_us)
{
	unsigned long n = l->left_out;

	if (!n || !is_over(l, now_us))
		return 0;
	l->left_out = 0;
	return n;
}

static bool has_room(void)
{
	struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };

	return poll(&p, 1, 0) == 1;
}

static void put(const char *head, const char *line)
{
	char out[OUT_BYTES];
	int len = snprintf(out, sizeof(out), "%s%s\n", head, line);

	if (len >= (int)sizeof(out)) {
		len = (int)sizeof(out) - 1;
		out[len - 1] = '\n';
	}
	for (int i = 0; i < len - 1; i++)
		if (out[i] == '\n')
			out[i] = ' ';
	if (len > 0 && (!has_room() || write(STDERR_FILENO, out, (size_t)len) < 0))
		lost++;
}

static void tell_lost(void)
{
	unsigned long before = lost;
	char text[64];

	if (!before || !has_room())
		return;
	lost = 0;
	snprintf(text, sizeof(text), "%lu lines of the log were lost", before);
	put_line(LOG_LEVEL_WARNING, text);
	if (lost)
		lost = before;
}

static void tell_left_out(uint64_t now_us)
{
	unsigned long n = has_room() ? logging_limit_tell(&limit, now_us) : 0;
	char text[128];

	if (!n)
		return;
	snprintf(text, sizeof(text), "%lu more lines about connections were left out "
		 "(within %u seconds; log = debug has all)", n, LOGGING_LIMIT_SECONDS);
	put_line(LOG_LEVEL_INFO, text);
}

static void put_journal(enum log_level level, const char *line)
{
	static const char *const priorities[] = {
		[LOG_LEVEL_ERROR] = SD_ERR,
		[LOG_LEVEL_WARNING] = SD_WARNING,
		[LOG_LEVEL_NOTICE] = SD_NOTICE,
		[LOG_LEVEL_INFO] = SD_INFO,
		[LOG_LEVEL_DEBUG] = SD_DEBUG,
		[LOG_LEVEL_TRACE] = SD_DEBUG,
	};

	put(priorities[level], line);
}

static void put_plain(enum log_level level, const char *line)
{
	char head[80];
	struct timespec ts;
	struct tm tm;
	size_t len;

	clock_gettime(CLOCK_REALTIME, &ts);
	localtime_r(&ts.tv_sec, &tm);
	len = strftime(head, sizeof(head), "%Y-%m-%d %H:%M:%S", &tm);
	snprintf(head + len, sizeof(head) - len, ".%03ld %s: ", ts.tv_nsec / 1000000,
		 log_level_name(level));
	put(head, line);
}

/* How many lines are missing. */
static void tell(uint64_t now_us)
{
	tell_lost();
	if (limit.left_out)
		tell_left_out(now_us);
}

static void sink(enum log_level level, const char *line)
{
	uint64_t now_us;

	pthread_mutex_lock(&lock);
	now_us = monotonic_us();
	tell(now_us);
	if (level != LOG_LEVEL_INFO || log_threshold > LOG_LEVEL_INFO ||
	    logging_limit_take(&limit, now_us))
		put_line(level, line);
	pthread_mutex_unlock(&lock);
}

void logging_tell(uint64_t now_us)
{
	pthread_mutex_lock(&lock);
	tell(now_us);
	pthread_mutex_unlock(&lock);
}

/* JOURNAL_STREAM names the device and inode of the journal's end of our stderr. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	return stream && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 &&
	       !fstat(STDERR_FILENO, &st) && st.st_dev == dev && st.st_ino == ino;
}

void logging_init(enum log_level level)
{
	put_line = stderr_is_journal() ? put_journal : put_plain;
	log_set_sink(sink);
	log_set_level(level);
}
