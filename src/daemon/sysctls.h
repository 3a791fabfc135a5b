/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one kernel setting that has to change for the whole network namespace: TCP early
 * demultiplexing.
 *
 * A server connection from the client's own address and port has the very tuple of the
 * packets that are emitted to the client.  Early demux would find its socket for each of
 * them, and the kernel drops packets that it is to forward while a socket hangs on them.
 * The kernel's documentation advises to switch it off on routers anyway.
 */
#ifndef DAEMON_SYSCTLS_H
#define DAEMON_SYSCTLS_H

#include <stddef.h>

/* Sets what is needed.  0, or -errno with one line in `err`. */
int sysctls_install(char *err, size_t err_len);
/* Puts back what sysctls_install() found, if it changed it. */
void sysctls_remove(void);

#endif
