/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The deadline heap.  It owns the array of pointers, never the nodes.  The array
 * grows by doubling and is not shrunk: its size follows the number of objects.
 */
#include "base/timer.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

void timer_heap_init(struct timer_heap *h)
{
	h->nodes = NULL;
	h->count = h->capacity = 0;
}

void timer_heap_fini(struct timer_heap *h)
{
	free(h->nodes);
	timer_heap_init(h);
}

void timer_node_init(struct timer_node *n)
{
	n->deadline_us = TIMER_NEVER;
	n->slot = 0;
}

static void place(struct timer_heap *h, uint32_t i, struct timer_node *n)
{
	h->nodes[i] = n;
	n->slot = i + 1;
}

static void sift_up(struct timer_heap *h, uint32_t i, struct timer_node *n)
{
	while (i) {
		uint32_t parent = (i - 1) / 2;

		if (h->nodes[parent]->deadline_us <= n->deadline_us)
			break;
		place(h, i, h->nodes[parent]);
		i = parent;
	}
	place(h, i, n);
}

static void sift_down(struct timer_heap *h, uint32_t i, struct timer_node *n)
{
	for (;;) {
		uint32_t child = 2 * i + 1;

		if (child >= h->count)
			break;
		if (child + 1 < h->count &&
		    h->nodes[child + 1]->deadline_us < h->nodes[child]->deadline_us)
			child++;
		if (n->deadline_us <= h->nodes[child]->deadline_us)
			break;
		place(h, i, h->nodes[child]);
		i = child;
	}
	place(h, i, n);
}

/* Puts `n`, which belongs near place `i`, where its deadline wants it. */
static void settle(struct timer_heap *h, uint32_t i, struct timer_node *n)
{
	if (i && n->deadline_us < h->nodes[(i - 1) / 2]->deadline_us)
		sift_up(h, i, n);
	else
		sift_down(h, i, n);
}

static int grow(struct timer_heap *h)
{
	uint32_t capacity = h->capacity ? h->capacity * 2 : 64;
	struct timer_node **nodes;

	if (capacity <= h->capacity)
		return -ENOMEM;
	nodes = realloc(h->nodes, (size_t)capacity * sizeof(*nodes));
	if (!nodes)
		return -ENOMEM;
	h->nodes = nodes;
	h->capacity = capacity;
	return 0;
}

int timer_set(struct timer_heap *h, struct timer_node *n, uint64_t deadline_us)
{
	if (deadline_us == TIMER_NEVER) {
		timer_cancel(h, n);
		return 0;
	}
	if (n->slot) {
		assert(h->nodes[n->slot - 1] == n);
		if (n->deadline_us == deadline_us)
			return 0;
		n->deadline_us = deadline_us;
		settle(h, n->slot - 1, n);
		return 0;
	}
	if (h->count == h->capacity && grow(h))
		return -ENOMEM;
	n->deadline_us = deadline_us;
	sift_up(h, h->count++, n);
	return 0;
}

void timer_cancel(struct timer_heap *h, struct timer_node *n)
{
	uint32_t i = n->slot;
	struct timer_node *last;

	timer_node_init(n);
	if (!i--)
		return;
	assert(i < h->count && h->nodes[i] == n);
	last = h->nodes[--h->count];
	if (last != n)
		settle(h, i, last);
}

uint64_t timer_next(const struct timer_heap *h)
{
	return h->count ? h->nodes[0]->deadline_us : TIMER_NEVER;
}

struct timer_node *timer_pop(struct timer_heap *h, uint64_t now_us)
{
	struct timer_node *n;

	if (!h->count || h->nodes[0]->deadline_us > now_us)
		return NULL;
	n = h->nodes[0];
	timer_cancel(h, n);
	return n;
}
