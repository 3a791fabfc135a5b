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

#define OUT_BYTES 1200
_Static_assert(OUT_BYTES <= PIPE_BUF, "a pipe takes a line at once");

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* Under the lock. */
static unsigned long lost;

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

/* Writes a line, and before it how many are missing, each with its head. */
static void put_all(enum log_level level, const char *line,
		    void (*put_line)(enum log_level level, const char *line))
{
	unsigned long before;
	char text[64];

	pthread_mutex_lock(&lock);
	before = lost;
	if (before && has_room()) {
		lost = 0;
		snprintf(text, sizeof(text), "%lu lines of the log were lost", before);
		put_line(LOG_LEVEL_WARNING, text);
		if (lost)
			lost = before;
	}
	put_line(level, line);
	pthread_mutex_unlock(&lock);
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

static void sink_journal(enum log_level level, const char *line)
{
	put_all(level, line, put_journal);
}

static void sink_plain(enum log_level level, const char *line)
{
	put_all(level, line, put_plain);
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
	log_set_sink(stderr_is_journal() ? sink_journal : sink_plain);
	log_set_level(level);
}
