// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A ring of bytes.  `tail` is where the next record goes and is moved by senders, under a
 * lock among themselves; `head` is the first record that is still in use and is moved by the
 * receiver, which needs no lock.  Both only grow.  Records do not wrap: where one does not
 * fit before the end of the ring, an empty one fills it.
 *
 * Owns the ring and the eventfd.
 */
#include "io/inbox.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#define ALIGN 16u
#define RING_MIN (512u << 10)

struct record {
	uint32_t bytes;         /* to the next one */
	bool filler;
	struct inbox_message message;
};

struct inbox {
	uint8_t *ring;
	size_t size;
	int fd;
	pthread_mutex_t lock;   /* among senders */
	_Alignas(64) _Atomic uint64_t tail;
	atomic_bool signalled;
	_Alignas(64) _Atomic uint64_t head;
	uint64_t next;          /* the receiver's: the next to be taken */
};

struct inbox *inbox_new(size_t bytes)
{
	struct inbox *in = aligned_alloc(64, sizeof(*in));
	int err;

	if (!in)
		return NULL;
	memset(in, 0, sizeof(*in));
	for (in->size = RING_MIN; in->size < bytes;)
		in->size *= 2;
	pthread_mutex_init(&in->lock, NULL);
	in->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	in->ring = mmap(NULL, in->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			-1, 0);
	if (in->fd >= 0 && in->ring != MAP_FAILED)
		return in;
	err = errno;
	if (in->ring == MAP_FAILED)
		in->ring = NULL;
	inbox_free(in);
	errno = err;
	return NULL;
}

void inbox_free(struct inbox *in)
{
	if (!in)
		return;
	if (in->ring)
		munmap(in->ring, in->size);
	if (in->fd >= 0)
		close(in->fd);
	pthread_mutex_destroy(&in->lock);
	free(in);
}

static struct record *record_at(struct inbox *in, uint64_t at)
{
	return (struct record *)(void *)(in->ring + (at & (in->size - 1)));
}

bool inbox_put(struct inbox *in, const struct inbox_message *m)
{
	size_t bytes = (sizeof(struct record) + m->m.len + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	size_t reserve = m->m.kind == PROXY_MESSAGE_PACKET ? in->size / INBOX_RESERVE : 0;
	uint64_t tail, used;
	struct record *r;
	size_t rest;
	bool fits;

	pthread_mutex_lock(&in->lock);
	tail = atomic_load_explicit(&in->tail, memory_order_relaxed);
	used = tail - atomic_load_explicit(&in->head, memory_order_acquire);
	rest = in->size - (tail & (in->size - 1));
	if (rest >= bytes)
		rest = 0;
	fits = used + rest + bytes + reserve <= in->size;
	if (fits) {
		if (rest) {
			r = record_at(in, tail);
			r->bytes = (uint32_t)rest;
			r->filler = true;
			tail += rest;
		}
		r = record_at(in, tail);
		r->bytes = (uint32_t)bytes;
		r->filler = false;
		r->message = *m;
		if (m->m.len)
			memcpy(r + 1, m->m.data, m->m.len);
		atomic_store_explicit(&in->tail, tail + bytes, memory_order_release);
	}
	pthread_mutex_unlock(&in->lock);
	return fits;
}

void inbox_signal(struct inbox *in)
{
	uint64_t one = 1;

	/* Either this sees that the receiver is awake, and it the message, or it is woken. */
	if (atomic_exchange(&in->signalled, true))
		return;
	/* It can fail only when it is readable already. */
	if (write(in->fd, &one, sizeof(one)) < 0)
		return;
}

int inbox_fd(const struct inbox *in)
{
	return in->fd;
}

void inbox_woken(struct inbox *in)
{
	atomic_exchange(&in->signalled, false);
}

bool inbox_take(struct inbox *in, struct inbox_message *m)
{
	uint64_t tail = atomic_load_explicit(&in->tail, memory_order_acquire);
	struct record *r;

	while (in->next != tail) {
		r = record_at(in, in->next);
		in->next += r->bytes;
		if (r->filler)
			continue;
		*m = r->message;
		m->m.data = m->m.len ? (const uint8_t *)(r + 1) : NULL;
		return true;
	}
	return false;
}

void inbox_release(struct inbox *in)
{
	atomic_store_explicit(&in->head, in->next, memory_order_release);
}
