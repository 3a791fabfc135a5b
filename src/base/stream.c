/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The byte stream window.  Blocks stand in a ring of pointers; the byte at
 * begin + n is in block (head_skip + n) / POOL_BLOCK of the ring.  Between
 * stream_reserve() and stream_commit() the ring may hold blocks after the end.
 * It owns its blocks and the ring; it calls the pool.
 */
#include "base/stream.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void stream_init(struct stream *s, struct pool *pool, uint64_t offset)
{
	memset(s, 0, sizeof(*s));
	s->pool = pool;
	s->begin = s->end = offset;
}

/* The ring's capacity is a power of two. */
static uint8_t **block_at(const struct stream *s, uint32_t i)
{
	return &s->blocks[(s->first + i) & (s->capacity - 1)];
}

/* Gives back the blocks from number `keep` on. */
static void trim_tail(struct stream *s, uint32_t keep)
{
	while (s->count > keep)
		pool_put(s->pool, *block_at(s, --s->count));
}

void stream_fini(struct stream *s)
{
	trim_tail(s, 0);
	free(s->blocks);
	stream_init(s, s->pool, s->end);
}

static int grow_ring(struct stream *s)
{
	uint32_t capacity = s->capacity ? s->capacity * 2 : 4;
	uint8_t **blocks;

	blocks = malloc((size_t)capacity * sizeof(*blocks));
	if (!blocks)
		return -1;
	for (uint32_t i = 0; i < s->count; i++)
		blocks[i] = *block_at(s, i);
	free(s->blocks);
	s->blocks = blocks;
	s->capacity = capacity;
	s->first = 0;
	return 0;
}

static int add_block(struct stream *s)
{
	uint8_t *block;

	if (s->count == s->capacity && grow_ring(s))
		return -1;
	block = pool_get(s->pool);
	if (!block)
		return -1;
	s->count++;
	*block_at(s, s->count - 1) = block;
	return 0;
}

int stream_reserve(struct stream *s, size_t want, struct iovec *iov, int iov_max)
{
	size_t at = s->head_skip + stream_len(s);
	int n = 0;

	for (; want && n < iov_max; n++) {
		uint32_t i = (uint32_t)(at / POOL_BLOCK), skip = (uint32_t)(at % POOL_BLOCK);
		size_t room = POOL_BLOCK - skip;

		if (i >= s->count && add_block(s))
			break;
		if (room > want)
			room = want;
		iov[n].iov_base = *block_at(s, i) + skip;
		iov[n].iov_len = room;
		at += room;
		want -= room;
	}
	return n;
}

void stream_commit(struct stream *s, size_t len)
{
	size_t at = s->head_skip + stream_len(s) + len;

	assert(at <= (size_t)s->count * POOL_BLOCK);
	s->end += len;
	trim_tail(s, (uint32_t)((at + POOL_BLOCK - 1) / POOL_BLOCK));
}

size_t stream_append(struct stream *s, const void *data, size_t len)
{
	size_t done = 0;
	struct iovec iov;

	while (done < len && stream_reserve(s, len - done, &iov, 1)) {
		memcpy(iov.iov_base, (const uint8_t *)data + done, iov.iov_len);
		stream_commit(s, iov.iov_len);
		done += iov.iov_len;
	}
	return done;
}

int stream_gather(const struct stream *s, uint64_t offset, size_t len, struct iovec *iov,
		  int iov_max)
{
	size_t at = offset - s->begin;
	int n;

	assert(at <= stream_len(s) && len <= stream_len(s) - at);
	at += s->head_skip;
	for (n = 0; len; n++) {
		uint32_t skip = (uint32_t)(at % POOL_BLOCK);
		size_t piece = POOL_BLOCK - skip;

		if (n == iov_max)
			return -1;
		if (piece > len)
			piece = len;
		iov[n].iov_base = *block_at(s, (uint32_t)(at / POOL_BLOCK)) + skip;
		iov[n].iov_len = piece;
		at += piece;
		len -= piece;
	}
	return n;
}

void stream_release(struct stream *s, uint64_t offset)
{
	size_t at = s->head_skip + (size_t)(offset - s->begin);

	assert(offset - s->begin <= stream_len(s));
	s->begin = offset;
	if (s->begin == s->end) {
		trim_tail(s, 0);
		s->head_skip = 0;
		return;
	}
	for (; at >= POOL_BLOCK; at -= POOL_BLOCK) {
		pool_put(s->pool, *block_at(s, 0));
		s->first = (s->first + 1) & (s->capacity - 1);
		s->count--;
	}
	s->head_skip = (uint32_t)at;
}
