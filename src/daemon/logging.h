/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where log lines go: the standard error output, with priorities for the journal if that
 * is what it is connected to, with the time and the level's name otherwise.  A line that
 * could not be written without waiting is lost, and counted in a later one.
 */
#ifndef DAEMON_LOGGING_H
#define DAEMON_LOGGING_H

#include "base/log.h"

void logging_init(enum log_level level);

#endif
