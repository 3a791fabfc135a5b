/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A circular doubly linked list, embedded in its elements.  A head and an
 * element are the same struct; an element that is on no list points at itself.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next, *prev;
};

#define container_of(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))

static inline void list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool list_empty(const struct list *head)
{
	return head->next == head;
}

static inline void list_insert_after(struct list *at, struct list *e)
{
	e->prev = at;
	e->next = at->next;
	at->next->prev = e;
	at->next = e;
}

static inline void list_push_front(struct list *head, struct list *e)
{
	list_insert_after(head, e);
}

static inline void list_push_back(struct list *head, struct list *e)
{
	list_insert_after(head->prev, e);
}

/* Takes `e` off its list and leaves it pointing at itself. */
static inline void list_remove(struct list *e)
{
	e->prev->next = e->next;
	e->next->prev = e->prev;
	list_init(e);
}

#define list_entry(ptr, type, member) container_of(ptr, type, member)
#define list_first(head, type, member) \
	(list_empty(head) ? NULL : list_entry((head)->next, type, member))
#define list_last(head, type, member) \
	(list_empty(head) ? NULL : list_entry((head)->prev, type, member))
/* The element after `e`, or NULL at the end of the list. */
#define list_next(head, e, type, member) \
	((e)->member.next == (head) ? NULL : list_entry((e)->member.next, type, member))
#define list_prev(head, e, type, member) \
	((e)->member.prev == (head) ? NULL : list_entry((e)->member.prev, type, member))

#define list_for_each(pos, head, member)                                       \
	for (pos = list_entry((head)->next, __typeof__(*pos), member);         \
	     &pos->member != (head);                                           \
	     pos = list_entry(pos->member.next, __typeof__(*pos), member))
/* The body may remove or free `pos`. */
#define list_for_each_safe(pos, tmp, head, member)                             \
	for (pos = list_entry((head)->next, __typeof__(*pos), member),         \
	     tmp = list_entry(pos->member.next, __typeof__(*pos), member);     \
	     &pos->member != (head);                                           \
	     pos = tmp, tmp = list_entry(tmp->member.next, __typeof__(*pos), member))

#endif
