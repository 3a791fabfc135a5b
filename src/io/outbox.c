/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See outbox.h.  Owns the messages that wait; calls io/inbox.
 */
#include "io/outbox.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

struct outbox_waiting {
	uint16_t to;
	struct inbox_message message;   /* without a packet */
};

static uint64_t bit(uint16_t worker)
{
	return UINT64_C(1) << worker;
}

void outbox_init(struct outbox *out, struct inbox *const *inboxes, struct counters *counters)
{
	memset(out, 0, sizeof(*out));
	out->inboxes = inboxes;
	out->counters = counters;
}

void outbox_fini(struct outbox *out)
{
	free(out->waiting);
	out->waiting = NULL;
	out->count = out->capacity = 0;
}

static bool put(struct outbox *out, uint16_t to, const struct inbox_message *m)
{
	if (!inbox_put(out->inboxes[to], m))
		return false;
	out->to_wake |= bit(to);
	return true;
}

static void keep(struct outbox *out, uint16_t to, const struct inbox_message *m)
{
	struct outbox_waiting *e;

	if (out->count == out->capacity) {
		size_t capacity = out->capacity ? out->capacity * 2 : 64;

		e = reallocarray(out->waiting, capacity, sizeof(*e));
		if (!e) {
			log_error("out of memory: worker %u is not told of a flow", to);
			return;
		}
		out->waiting = e;
		out->capacity = capacity;
	}
	e = &out->waiting[out->count++];
	e->to = to;
	e->message = *m;
	if (m->m.kind == PROXY_MESSAGE_RETURNED)
		counter_inc(out->counters, CNT_HANDOVER_LOST);
	e->message.m.kind = PROXY_MESSAGE_GONE;
	e->message.m.data = NULL;
	e->message.m.len = 0;
	out->full |= bit(to);
}

bool outbox_send(struct outbox *out, uint16_t to, const struct inbox_message *m)
{
	/* Nothing overtakes what waits. */
	if (!(out->full & bit(to)) && put(out, to, m))
		return true;
	if (m->m.kind == PROXY_MESSAGE_PACKET)
		return false;
	keep(out, to, m);
	return true;
}

size_t outbox_retry(struct outbox *out)
{
	size_t left = 0;

	out->full = 0;
	for (size_t i = 0; i < out->count; i++) {
		struct outbox_waiting *e = &out->waiting[i];

		/* Nor does what waits overtake itself, when room is made meanwhile. */
		if (!(out->full & bit(e->to)) && put(out, e->to, &e->message))
			continue;
		out->full |= bit(e->to);
		out->waiting[left++] = *e;
	}
	out->count = left;
	return left;
}

void outbox_wake(struct outbox *out)
{
	while (out->to_wake) {
		int i = __builtin_ctzll(out->to_wake);

		out->to_wake &= out->to_wake - 1;
		inbox_signal(out->inboxes[i]);
	}
}
