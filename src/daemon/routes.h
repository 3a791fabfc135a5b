/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Policy routing for the return path: packets with the ruleset's mark are delivered
 * locally, whatever their destination address (one `ip rule` and one local default route
 * in a table of this project's own, per family).
 */
#ifndef DAEMON_ROUTES_H
#define DAEMON_ROUTES_H

#include <stddef.h>
#include <stdint.h>

/* The routing table, also the mark by default ("MP"). */
#define ROUTES_TABLE    0x4d50
/* Of the ip rules: before `main`, after `local`. */
#define ROUTES_PRIORITY 4210

/*
 * Adds the rules and routes, after removing what an earlier run may have left.  A
 * machine without IPv6 gets the IPv4 part.  Also switches net.ipv4.tcp_early_demux off,
 * which would keep packets to clients from being forwarded.  0, or -errno with one line in `err`; then
 * nothing is left behind.
 */
int routes_install(uint32_t mark, uint32_t mark_mask, char *err, size_t err_len);
/* Removes them and puts the sysctl back; silent where there are none. */
void routes_remove(void);
/* Logs a warning for each family that the kernel does not forward. */
void routes_check_forwarding(void);

#endif
