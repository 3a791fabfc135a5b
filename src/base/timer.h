/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A binary min-heap of deadlines.  One heap per worker (or simulator) holds one
 * node per object that has a `_deadline`; the object embeds the node.  Times are
 * microseconds of whichever clock the caller latches.
 */
#ifndef BASE_TIMER_H
#define BASE_TIMER_H

#include <stdint.h>

#define TIMER_NEVER UINT64_MAX

struct timer_node {
	uint64_t deadline_us;
	uint32_t slot;          /* place in the heap plus one; 0: not in a heap */
};

struct timer_heap {
	struct timer_node **nodes;
	uint32_t count, capacity;
};

void timer_heap_init(struct timer_heap *h);
/* Frees the heap's own memory; nodes still in it are left as they are. */
void timer_heap_fini(struct timer_heap *h);
void timer_node_init(struct timer_node *n);
/*
 * Puts `n` into the heap, or moves it, to fire at `deadline_us`; TIMER_NEVER
 * takes it out.  Returns 0, or -ENOMEM (only when `n` was not in the heap).
 */
int timer_set(struct timer_heap *h, struct timer_node *n, uint64_t deadline_us);
void timer_cancel(struct timer_heap *h, struct timer_node *n);
/* The earliest deadline, or TIMER_NEVER. */
uint64_t timer_next(const struct timer_heap *h);
/* Takes out and returns the earliest node due at or before `now_us`, or NULL. */
struct timer_node *timer_pop(struct timer_heap *h, uint64_t now_us);

#endif
