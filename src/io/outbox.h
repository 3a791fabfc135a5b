/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a worker has to say to the others: puts messages into their inboxes, and keeps those
 * that must not get lost until there is room.
 *
 * One thread uses it.  Messages to one worker arrive in the order in which they were sent;
 * one worker whose inbox is full does not keep messages from the others.
 */
#ifndef IO_OUTBOX_H
#define IO_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/counters.h"
#include "io/inbox.h"

/* More would only split the interception more finely than what hands out packets. */
#define OUTBOX_WORKERS_MAX 64

struct outbox_waiting;

struct outbox {
	struct inbox *const *inboxes;   /* by worker */
	struct counters *counters;
	uint64_t to_wake;               /* workers that were sent something; a bit each */
	uint64_t full;                  /* workers that messages wait for */
	struct outbox_waiting *waiting; /* oldest first */
	size_t count, capacity;
};

/* Both are borrowed. */
void outbox_init(struct outbox *out, struct inbox *const *inboxes, struct counters *counters);
void outbox_fini(struct outbox *out);

/*
 * Sends a copy of the message.  Without room it returns false, if the message is a packet, or
 * else keeps it, without the packet that it may have: that is as if that were lost (counted).
 */
bool outbox_send(struct outbox *out, uint16_t to, const struct inbox_message *m);
/* Tries again with what is kept; returns how much is left. */
size_t outbox_retry(struct outbox *out);
/* Wakes those that were sent something since the last time. */
void outbox_wake(struct outbox *out);

#endif
