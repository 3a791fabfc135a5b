/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a client without our options would repeat.
 *
 * A Linux client whose options and ours are both lost in mid-upload does not notice: it goes
 * on up to the right edge of the last window that it was told, stops there, and sends all
 * from its last DATA_ACK on again, unmapped like the rest.  To take that for new data would
 * make a wrong stream.  But who has heard of our windows may stop at an edge, too, because
 * the server is slow, and then goes on with what is new.
 *
 * So it is kept what each ACK told, DATA_ACK and edge, and the first bytes of the stream
 * behind that DATA_ACK.  Unmapped data after a pause (which a repetition takes: the client
 * waits until nothing is under way) right at an edge is a repetition if it begins like what
 * follows a DATA_ACK that was told with this edge.  Where bytes repeat themselves the doubt
 * remains, and is decided against the connection.
 *
 * This only matters while the connection may fall back, that is before a second subflow, and
 * for what lies between the last data and the last edge.  Before the fallback the last few
 * ACKs are kept; of older ones it is known that they were not far before those, and a pause
 * there is not believed either.  In the fallback all are.
 */
#include <stdlib.h>
#include <string.h>

#include "base/seq.h"
#include "mptcp/internal.h"

/* How far before the last edge told with mappings a client may stop, because it does not know
 * the last ACKs. */
#define DOUBT_BYTES 65536u
#define FIRST_BYTES 16u
#define TOLD_INITIAL 4u
/* ACKs kept before a fallback, and in it: more than there are in the largest window, of every
 * second segment. */
#define TOLD_MAX          32u
#define TOLD_MAX_FALLBACK 4096u

struct told {
	uint32_t edge, ack;             /* the low halves of data sequence numbers */
	uint8_t first[FIRST_BYTES];     /* of the stream from `ack` on, as far as rcv_nxt */
};

/* Ascending by both numbers. */
struct mptcp_told {
	uint32_t first, count, size;
	struct told ring[];
};

static size_t bytes_of(uint32_t size)
{
	return sizeof(struct mptcp_told) + size * sizeof(struct told);
}

static struct told *at(struct mptcp_told *t, uint32_t i)
{
	return &t->ring[(t->first + i) % t->size];
}

static void drop_oldest(struct mptcp_told *t)
{
	t->first = (t->first + 1) % t->size;
	t->count--;
}

/* Room for twice as many, in place of `old`, which may be NULL; NULL if there is no memory. */
static struct mptcp_told *grow(struct mptcp_conn *conn, struct mptcp_told *old)
{
	uint32_t size = old ? 2 * old->size : TOLD_INITIAL;
	struct mptcp_told *t;

	if (!pool_try_charge(conn->env->pool, bytes_of(size)))
		return NULL;
	t = malloc(bytes_of(size));
	if (!t) {
		pool_uncharge(conn->env->pool, bytes_of(size));
		return NULL;
	}
	t->first = t->count = 0;
	t->size = size;
	for (uint32_t i = 0; old && i < old->count; i++)
		t->ring[t->count++] = *at(old, i);
	mptcp_told_free(conn);
	conn->told = t;
	return t;
}

/* Of this edge nothing is known from now on. */
static void lose(struct mptcp_conn *conn, uint32_t edge)
{
	conn->told_lost = true;
	conn->told_lost_edge = conn->rcv_nxt + (uint64_t)(int32_t)(edge - (uint32_t)conn->rcv_nxt);
}

void mptcp_told_free(struct mptcp_conn *conn)
{
	if (conn->told)
		pool_uncharge(conn->env->pool, bytes_of(conn->told->size));
	free(conn->told);
	conn->told = NULL;
}

size_t mptcp_told_memory(const struct mptcp_conn *conn)
{
	return conn->told ? bytes_of(conn->told->size) : 0;
}

/* That an ACK of all that was received told this right edge. */
static void note(struct mptcp_conn *conn, uint32_t edge)
{
	bool fallback = conn->mode == MPTCP_MODE_FALLBACK;
	uint32_t ack = (uint32_t)conn->rcv_nxt;
	struct mptcp_told *t = conn->told;
	struct told *last;

	/* Those that the peer has passed. */
	while (t && t->count && seq32_lt(at(t, 0)->edge, ack))
		drop_oldest(t);
	if (t && t->count) {
		last = at(t, t->count - 1);
		/* The peer keeps the greatest. */
		if (seq32_lt(edge, last->edge))
			edge = last->edge;
		if (last->edge == edge && last->ack == ack)
			return;
	}
	if (!t || (t->count == t->size && t->size < (fallback ? TOLD_MAX_FALLBACK : TOLD_MAX)))
		t = grow(conn, t);
	if (!t && !conn->told) {
		lose(conn, edge);
		return;
	}
	t = conn->told;
	if (t->count == t->size) {
		lose(conn, at(t, 0)->edge);
		drop_oldest(t);
	}
	*at(t, t->count++) = (struct told){ .edge = edge, .ack = ack };
}

void mptcp_told_window(struct mptcp_conn *conn, uint64_t edge)
{
	if (conn->told || conn->mode == MPTCP_MODE_FALLBACK)
		note(conn, (uint32_t)edge);
}

void mptcp_told_data(struct mptcp_conn *conn, const uint8_t *data, size_t len)
{
	uint32_t from = (uint32_t)conn->rcv_nxt;

	if (conn->mode == MPTCP_MODE_FALLBACK ? !conn->fallback_acks : conn->joined_once) {
		mptcp_told_free(conn);
		return;
	}
	/* The ACKs before the first data told the same. */
	if (!conn->told && !conn->bytes_received)
		note(conn, (uint32_t)conn->rcv_told);
	for (uint32_t i = conn->told ? conn->told->count : 0; i--;) {
		struct told *t = at(conn->told, i);
		uint32_t has = from - t->ack;

		if (has >= FIRST_BYTES)
			break;
		memcpy(t->first + has, data, len < FIRST_BYTES - has ? len : FIRST_BYTES - has);
	}
}

bool mptcp_told_repeats(const struct mptcp_conn *conn, uint64_t dsn, const uint8_t *data,
			size_t len)
{
	struct mptcp_told *t = conn->told;

	/* At an edge of which nothing is known any more? */
	if (conn->told_lost && seq64_leq(dsn, conn->told_lost_edge) &&
	    (seq64_gt(dsn, conn->rcv_adv) || conn->rcv_adv - dsn <= DOUBT_BYTES))
		return true;
	for (uint32_t i = 0; t && i < t->count; i++) {
		const struct told *a = at(t, i);
		size_t n = (uint32_t)conn->rcv_nxt - a->ack;

		/* Of one that has all acknowledged, nothing is left to be repeated. */
		if (a->edge != (uint32_t)dsn || a->ack == (uint32_t)dsn)
			continue;
		if (n > FIRST_BYTES)
			n = FIRST_BYTES;
		if (n > len)
			n = len;
		/* Where no bytes are there to compare, the doubt remains. */
		if (!n || memcmp(a->first, data, n) == 0)
			return true;
	}
	return false;
}
