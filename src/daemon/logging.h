/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where log lines go: the standard error output, with priorities for the journal if that
 * is what it is connected to, with the time and the level's name otherwise.
 */
#ifndef DAEMON_LOGGING_H
#define DAEMON_LOGGING_H

#include "base/log.h"

void logging_init(enum log_level level);

#endif
