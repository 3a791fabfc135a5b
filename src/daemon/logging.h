/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where log lines go: the standard error output, with priorities for the journal if that
 * is what it is connected to, with the time and the level's name otherwise.  A line that
 * could not be written without waiting is lost, and counted in a later one.
 *
 * Lines of the level info are caused by strangers, one for each of their connections: in ten
 * seconds two hundred are written, and how many were left out is told after that.  Who asks for
 * debug or more gets all.
 */
#ifndef DAEMON_LOGGING_H
#define DAEMON_LOGGING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"

#define LOGGING_LIMIT_LINES   200u
#define LOGGING_LIMIT_SECONDS 10u

/* Zeroes are one that nothing was asked of yet. */
struct logging_limit {
	uint64_t begin_us;      /* of the period */
	unsigned taken;         /* in it */
	unsigned long left_out; /* not told yet */
};

/* Whether one more line may be written; if not, it is counted.  Times are monotonic. */
bool logging_limit_take(struct logging_limit *l, uint64_t now_us);
/* How many were left out in a period that is over: each number once, otherwise 0. */
unsigned long logging_limit_tell(struct logging_limit *l, uint64_t now_us);

void logging_init(enum log_level level);
/* To be called every few seconds: tells how many lines are missing, if any are and it can be told
 * now, without waiting for another line to come.  The time is monotonic. */
void logging_tell(uint64_t now_us);

#endif
