/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What other workers have to say to one: a bounded ring of messages (struct proxy_message,
 * see proxy/shard.h) with their packets.
 *
 * Any thread may put, one takes.  A packet is copied once, into the ring, where the
 * receiver uses it in place.  Waking the receiver is a step of its own, so that a sender
 * does it once for a batch.
 */
#ifndef IO_INBOX_H
#define IO_INBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "proxy/proxy.h"

struct inbox;

/* A packet may take what is left above this part of the ring, the rest of messages all. */
#define INBOX_RESERVE 8

struct inbox_message {
	struct proxy_message m;
	bool local;             /* the packet was made by this machine */
};

/* Of `bytes`, rounded up to a power of two.  NULL on failure, with errno set. */
struct inbox *inbox_new(size_t bytes);
void inbox_free(struct inbox *in);

/* ---- any thread ---- */

/* Adds a copy of the message; false if there is no room. */
bool inbox_put(struct inbox *in, const struct inbox_message *m);
/* Wakes the receiver, if nobody has done so since it last looked. */
void inbox_signal(struct inbox *in);

/* ---- the receiver ---- */

/* An eventfd; to be watched for edges, and never read. */
int inbox_fd(const struct inbox *in);
/* To be called before taking messages: signals that come from now on wake again. */
void inbox_woken(struct inbox *in);
/* The next message, whose data lies in the ring until inbox_release(); false: none. */
bool inbox_take(struct inbox *in, struct inbox_message *m);
/* Gives the room of all messages taken so far back. */
void inbox_release(struct inbox *in);

#endif
