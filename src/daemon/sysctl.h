/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one kernel setting beyond the daemon's own device that it has to change.
 *
 * A packet that the daemon emits to a client has the tuple of the server's packets to the
 * daemon's own transparent socket.  The kernel's early demultiplexing would attach it to
 * that socket, and forwarding drops packets that have one.  So
 * net.ipv4.tcp_early_demux, which is for both families, is switched off; the price is a
 * route look-up for each packet to local TCP sockets.
 */
#ifndef DAEMON_SYSCTL_H
#define DAEMON_SYSCTL_H

#include <stddef.h>

/* 0, or -errno with one line in `err`. */
int sysctl_install(char *err, size_t err_len);
/* Puts back what sysctl_install() found. */
void sysctl_remove(void);

#endif
