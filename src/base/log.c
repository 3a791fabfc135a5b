/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Log lines: formatted on the stack, one call of the sink per line.  The sink and
 * the threshold are the only state, set at start and on reload.
 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LINE_MAX_BYTES 1024

static void sink_stderr(enum log_level level, const char *line)
{
	fprintf(stderr, "%s: %s\n", log_level_name(level), line);
}

_Atomic(enum log_level) log_threshold = LOG_LEVEL_NOTICE;
static log_sink_fn current_sink = sink_stderr;

static const char *const names[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_NOTICE] = "notice",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
	[LOG_LEVEL_TRACE] = "trace",
};

#define LEVELS (sizeof(names) / sizeof(names[0]))

void log_set_sink(log_sink_fn sink)
{
	current_sink = sink ? sink : sink_stderr;
}

void log_set_level(enum log_level level)
{
	log_threshold = level;
}

int log_level_parse(const char *name, enum log_level *out)
{
	for (size_t i = 0; i < LEVELS; i++) {
		if (!strcmp(name, names[i])) {
			*out = (enum log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *log_level_name(enum log_level level)
{
	return (size_t)level < LEVELS ? names[level] : "?";
}

void log_write(enum log_level level, const char *fmt, ...)
{
	char line[LINE_MAX_BYTES];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if ((size_t)n >= sizeof(line))
		memcpy(line + sizeof(line) - 4, "...", 4);
	current_sink(level, line);
}
