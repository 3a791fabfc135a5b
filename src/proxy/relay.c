/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes between the two sides of a session.
 *
 * Client to server: MPTCP offers in-order payload in place, inside the captured
 * packets.  The pieces are noted in `pending` and written with one call at the end
 * of the batch.  What the server's socket does not take, and what comes while
 * something older still waits, is copied to `overflow`.  Only bytes that the socket
 * took count as consumed, so the client's receive window bounds both.
 *
 * Server to client: bytes are read straight into the connection's send queue; when
 * that is full, the session stops asking for readability until there is room again.
 *
 * Nothing here calls into MPTCP from relay_deliver(), which runs inside
 * mptcp_input(): errors and consumption are noted and dealt with in session_flush().
 */
#include <errno.h>
#include <stdlib.h>

#include "proxy/session.h"

/* Bytes relayed per session and direction in one turn of the loop. */
#define RELAY_BUDGET 262144u
#define RELAY_IOV_MAX 16
#define RELAY_CHUNK_MIN POOL_BLOCK
#define RELAY_CHUNK_MAX (RELAY_IOV_MAX * POOL_BLOCK)

void relay_init(struct session *s)
{
	stream_init(&s->overflow, &s->proxy->pool, 0);
	s->read_chunk = RELAY_CHUNK_MIN;
}

static struct relay_pending *pending_get(struct proxy *proxy)
{
	struct relay_pending *p = list_first(&proxy->free_pending, struct relay_pending, link);

	if (p)
		list_remove(&p->link);
	else
		p = malloc(sizeof(*p));
	if (!p)
		return NULL;
	list_init(&p->link);
	p->count = 0;
	return p;
}

/* As many are kept as sessions ever had data in one batch, which the batch bounds. */
static void pending_put(struct proxy *proxy, struct relay_pending *p)
{
	list_push_front(&proxy->free_pending, &p->link);
}

void relay_free_spares(struct proxy *proxy)
{
	struct relay_pending *p, *next;

	list_for_each_safe(p, next, &proxy->free_pending, link)
		free(p);
	list_init(&proxy->free_pending);
}

void relay_discard(struct session *s)
{
	if (s->pending)
		pending_put(s->proxy, s->pending);
	s->pending = NULL;
	stream_fini(&s->overflow);
}

void relay_fini(struct session *s)
{
	relay_discard(s);
}

/* ---- client to server ------------------------------------------------------- */

static void fail(struct session *s, int error)
{
	if (!s->server_error)
		s->server_error = error;
	relay_discard(s);
}

/*
 * Copies what cannot be written now.  These bytes lie inside a window that was
 * advertised, so they may go over the memory limit by a quarter, rather than cost
 * the client its connection.
 */
static void overflow_append(struct session *s, const uint8_t *data, size_t len)
{
	struct pool *pool = &s->proxy->pool;
	size_t limit = pool->limit_bytes, done;

	if (!len)
		return;
	done = stream_append(&s->overflow, data, len);
	if (done < len && limit) {
		pool->limit_bytes = limit + limit / 4;
		done += stream_append(&s->overflow, data + done, len - done);
		pool->limit_bytes = limit;
	}
	counter_add(s->proxy->counters, CNT_COPIED_BYTES, done);
	if (done < len)
		fail(s, ENOMEM);
}

/* Writes to the server; returns the bytes taken, 0 also on failure. */
static size_t write_server(struct session *s, const struct iovec *iov, int n)
{
	struct proxy *proxy = s->proxy;
	ssize_t r;

	do {
		r = proxy->ops->server_writev(proxy->ops_ctx, s->server, iov, n);
	} while (r == -EINTR);
	if (r < 0) {
		if (r != -EAGAIN && r != -EWOULDBLOCK)
			fail(s, (int)-r);
		return 0;
	}
	s->consumed += (size_t)r;
	s->bytes_to_server += (uint64_t)r;
	counter_add(proxy->counters, CNT_BYTES_TO_SERVER, (uint64_t)r);
	return (size_t)r;
}

void relay_write_pending(struct session *s)
{
	struct relay_pending *p = s->pending;
	size_t done;

	if (!p)
		return;
	s->pending = NULL;
	done = write_server(s, p->iov, p->count);
	for (int i = 0; i < p->count && !s->server_error; i++) {
		const struct iovec *v = &p->iov[i];

		if (done >= v->iov_len) {
			done -= v->iov_len;
			continue;
		}
		overflow_append(s, (const uint8_t *)v->iov_base + done, v->iov_len - done);
		done = 0;
	}
	pending_put(s->proxy, p);
}

void relay_write_overflow(struct session *s)
{
	struct iovec iov[RELAY_IOV_MAX + 1];
	size_t budget = RELAY_BUDGET;

	if (!s->server_up || !s->server)
		return;
	while (budget && stream_len(&s->overflow)) {
		size_t len = stream_len(&s->overflow), done;
		int n;

		if (len > budget)
			len = budget;
		if (len > RELAY_CHUNK_MAX)
			len = RELAY_CHUNK_MAX;
		n = stream_gather(&s->overflow, s->overflow.begin, len, iov, RELAY_IOV_MAX + 1);
		done = write_server(s, iov, n);
		/* A failure has emptied the stream already. */
		if (!done)
			break;
		stream_release(&s->overflow, s->overflow.begin + done);
		budget -= done;
		if (done < len)
			break;
	}
}

void relay_deliver(void *owner, const uint8_t *data, size_t len, bool transient)
{
	struct session *s = owner;
	struct relay_pending *p;
	struct iovec *last;

	if (!len || s->server_error || s->state >= SESSION_ABORTED)
		return;
	if (!s->pending && s->server_up && !stream_len(&s->overflow))
		s->pending = pending_get(s->proxy);
	p = s->pending;
	if (!p) {
		overflow_append(s, data, len);
		return;
	}
	last = p->count ? &p->iov[p->count - 1] : NULL;
	if (last && (const uint8_t *)last->iov_base + last->iov_len == data) {
		last->iov_len += len;
	} else {
		p->iov[p->count].iov_base = (void *)data;
		p->iov[p->count++].iov_len = len;
	}
	if (transient || p->count == SESSION_PENDING_MAX)
		relay_write_pending(s);
}

/* ---- server to client ------------------------------------------------------- */

/* One read; returns whether another one makes sense. */
static bool read_server(struct session *s, size_t want, size_t *budget, uint64_t now_us)
{
	struct proxy *proxy = s->proxy;
	struct iovec iov[RELAY_IOV_MAX];
	size_t room = 0;
	ssize_t r;
	int n;

	n = mptcp_send_reserve(s->conn, want, iov, RELAY_IOV_MAX);
	if (!n) {
		/* Memory that others hold comes back without a word to this session. */
		if (mptcp_send_space(s->conn))
			s->retry_us = now_us + SESSION_MEMORY_RETRY_US;
		s->read_blocked = true;
		return false;
	}
	for (int i = 0; i < n; i++)
		room += iov[i].iov_len;
	do {
		r = proxy->ops->server_readv(proxy->ops_ctx, s->server, iov, n);
	} while (r == -EINTR);
	mptcp_send_commit(s->conn, r > 0 ? (size_t)r : 0);
	if (r > 0) {
		s->bytes_to_client += (uint64_t)r;
		counter_add(proxy->counters, CNT_BYTES_TO_CLIENT, (uint64_t)r);
		*budget -= (size_t)r;
		/* Reserve about as much as comes. */
		if ((size_t)r == room && s->read_chunk < RELAY_CHUNK_MAX)
			s->read_chunk *= 2;
		else if ((size_t)r < s->read_chunk / 4 && s->read_chunk > RELAY_CHUNK_MIN)
			s->read_chunk /= 2;
		/* With the end known, it can go along with the last bytes. */
		return (size_t)r == room ||
		       (proxy->ops->server_ended &&
			proxy->ops->server_ended(proxy->ops_ctx, s->server));
	}
	if (!r && s->server_error) {
		/* Of a socket that was reset this tells nothing about the stream. */
	} else if (!r) {
		s->server_eof = true;
		mptcp_shutdown(s->conn, now_us);
	} else if (r != -EAGAIN && r != -EWOULDBLOCK) {
		fail(s, (int)-r);
	}
	return false;
}

/* Whether bytes from the server have somewhere to go; what came before its reset, too. */
static bool can_read(const struct session *s)
{
	return s->server && s->server_up && s->client_up && !s->conn_closed &&
	       s->state < SESSION_ABORTED && !s->server_eof && !s->read_blocked;
}

void relay_read(struct session *s, uint64_t now_us)
{
	size_t budget = RELAY_BUDGET, want;

	while (budget && can_read(s)) {
		want = s->read_chunk < budget ? s->read_chunk : budget;
		if (!read_server(s, want, &budget, now_us))
			break;
	}
}

void relay_update_want(struct session *s)
{
	bool readable = can_read(s);
	bool writable = s->server_up && stream_len(&s->overflow);

	if (!s->server || (readable == s->want_readable && writable == s->want_writable))
		return;
	s->want_readable = readable;
	s->want_writable = writable;
	s->proxy->ops->server_want(s->proxy->ops_ctx, s->server, readable, writable);
}
