/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Levelled log lines.  The library formats and hands each line to one sink,
 * which the daemon (stderr or journal) or a test sets at start.  A level that
 * is off costs one comparison.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

enum log_level {
	LOG_LEVEL_ERROR,        /* an operator must act */
	LOG_LEVEL_WARNING,      /* something is wrong, the daemon goes on */
	LOG_LEVEL_NOTICE,       /* start, stop, reload */
	LOG_LEVEL_INFO,         /* one line per connection */
	LOG_LEVEL_DEBUG,        /* state changes */
	LOG_LEVEL_TRACE,        /* per segment */
};

typedef void (*log_sink_fn)(enum log_level level, const char *line);

extern _Atomic(enum log_level) log_threshold;

void log_set_sink(log_sink_fn sink);
void log_set_level(enum log_level level);
/* Names as in the configuration ("error" ... "trace"); 0 or -EINVAL. */
int log_level_parse(const char *name, enum log_level *out);
const char *log_level_name(enum log_level level);
void log_write(enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#define log_at(level, ...)                                                     \
	do {                                                                   \
		if ((level) <= log_threshold)                                  \
			log_write(level, __VA_ARGS__);                         \
	} while (0)
#define log_error(...)   log_at(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_at(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...)  log_at(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...)    log_at(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_at(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_trace(...)   log_at(LOG_LEVEL_TRACE, __VA_ARGS__)

#endif
