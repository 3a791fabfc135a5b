/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ends sessions that hold memory and move nothing, while memory is short.
 *
 * A client may keep its receive window closed for ever and TCP has to put up with it
 * (RFC 9293, section 3.8.6.1), and so may a server that does not read.  Thousands of
 * them would use up what is there for everybody.  RFC 6429 says what may be done: a
 * connection may be ended for want of resources.  So only while so much memory is in use
 * that nobody new is let in (limits.h), those that have not moved a byte for
 * EVICT_STALL_US are reset, the largest first.
 */
#ifndef PROXY_EVICT_H
#define PROXY_EVICT_H

#include <stdint.h>

struct proxy;

/* Share of the memory limit, in percent, from which on progress is watched. */
#define EVICT_WATCH_PERCENT 75u
#define EVICT_PERIOD_US 1000000u
#define EVICT_STALL_US 30000000u

/* When evict_timeout() is to be called, or TIMER_NEVER. */
uint64_t evict_deadline(const struct proxy *proxy);
/* Starts to watch when memory gets short. */
void evict_watch(struct proxy *proxy, uint64_t now_us);
/* Looks at all sessions, and ends some; not from within a walk of them. */
void evict_timeout(struct proxy *proxy, uint64_t now_us);

#endif
