/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Running another program, at start, reload and stop only: without a shell, found in the
 * system's own directories.
 *
 * A process that gives up the right to do so, by a filter of its system calls, has a helper
 * do it.  For one thread of a process.
 */
#ifndef DAEMON_CHILD_H
#define DAEMON_CHILD_H

#include <stddef.h>

/*
 * Runs argv[0] (a bare name), feeds it `input` (NULL: nothing), and waits for it.  What it
 * writes to standard output is thrown away, what it writes to standard error ends up in
 * `err`, on one line.  0 if it exited with status 0; -ENOENT if there is no such program;
 * -EIO if it failed; -EPIPE if there is no helper any more, though there should be; another
 * -errno if it could not be run.
 */
int child_run(const char *const argv[], const char *input, char *err, size_t err_len);

/*
 * Starts the helper: another process, which from now on runs this one command for
 * child_run().  To be called while there is one thread, and nothing is open that the helper
 * should not have.  `argv` is borrowed for as long as it lives.  0 or -errno.
 */
int child_helper_start(const char *const argv[]);
/* Ends the helper; nothing if there is none. */
void child_helper_stop(void);

#endif
