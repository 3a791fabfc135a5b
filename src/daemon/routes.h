/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Routing of the return path: local destinations that the rules give to servers' answers
 * while the kernel decides where these go.
 */
#ifndef DAEMON_ROUTES_H
#define DAEMON_ROUTES_H

#include <stdbool.h>
#include <stddef.h>

/* For IPv4: the dummy address (RFC 7600, section 4.8). */
#define ROUTES_LOCAL4           0xc0000008u
/* For IPv6: the first bits of all that is local; of those for documentation (RFC 9637),
 * which nobody else uses. */
#define ROUTES_LOCAL6           0x3fff0d50u
#define ROUTES_LOCAL6_BITS      32
#define ROUTES_LOCAL6_TEXT      "3fff:d50::/32"

/* The routing table that keeps notes, also the mark by default ("MP"). */
#define ROUTES_TABLE            0x4d50

/*
 * Makes these destinations local, after removing what an earlier run may have left.  A
 * machine without IPv6 gets the IPv4 part.  Also switches net.ipv4.tcp_early_demux off,
 * which would keep packets to clients from being forwarded.  0, or -errno with one line in
 * `err`; then nothing is left behind.
 */
int routes_install(char *err, size_t err_len);
/* Whether somebody has undone any of it since, or switched IPv6 on.  False if the kernel does
 * not tell. */
bool routes_missing(void);
/* Makes it again.  0, or -errno with one line in `err`. */
int routes_restore(char *err, size_t err_len);
/* Removes them and puts the sysctl back; silent where there are none. */
void routes_remove(void);
/* Logs a warning for each of these families that the kernel does not forward. */
void routes_check_forwarding(bool v4, bool v6);

#endif
