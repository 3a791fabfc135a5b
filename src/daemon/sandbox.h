/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The filter of system calls that the daemon puts itself under when it has started.
 *
 * What the engine, the control socket and a reload need is allowed; a call that is not fails
 * with EPERM, and is told in the log, once for each.  The process goes on: a gateway that
 * stops because a library had a new idea is worse than one whose library is told no.
 */
#ifndef DAEMON_SANDBOX_H
#define DAEMON_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

/* Whether this build can do it (libseccomp). */
bool sandbox_available(void);

/*
 * Puts all threads of the process under the filter, for good; no thread may block SIGSYS.
 * 0, or -errno with one line in `err`.
 */
int sandbox_enter(char *err, size_t err_len);

/* Becomes readable when a call was refused that was not before; -1: it is not told. */
int sandbox_fd(void);
/* Logs what was refused since the last time.  Not for signal handlers. */
void sandbox_report(void);

#endif
