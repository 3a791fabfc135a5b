/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Running another program, at start and stop only: without a shell, found in the system's
 * own directories.
 */
#ifndef DAEMON_CHILD_H
#define DAEMON_CHILD_H

#include <stddef.h>

/*
 * Runs argv[0] (a bare name), feeds it `input` (NULL: nothing), and waits for it.  What it
 * writes to standard output is thrown away, what it writes to standard error ends up in
 * `err`, on one line.  0 if it exited with status 0; -ENOENT if there is no such program;
 * -EIO if it failed; another -errno if it could not be run.
 */
int child_run(const char *const argv[], const char *input, char *err, size_t err_len);

#endif
