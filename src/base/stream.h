/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A window onto a byte stream, addressed by 64-bit offset: bytes are appended
 * at the end, read anywhere in [begin, end), and released from the front.
 *
 * It is the send queue of a connection (released as the peer acknowledges) and
 * the relay's overflow towards a slow server (released as it is written).
 * Memory comes from a pool, block by block; an empty stream holds no block.
 * Offsets may start anywhere and wrap.
 */
#ifndef BASE_STREAM_H
#define BASE_STREAM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/pool.h"

struct stream {
	struct pool *pool;
	uint64_t begin, end;    /* offsets of the first byte held and of the next to come */
	uint8_t **blocks;       /* ring of blocks; the first holds `begin` */
	uint32_t first, count, capacity;
	uint32_t head_skip;     /* bytes of the first block before `begin` */
};

void stream_init(struct stream *s, struct pool *pool, uint64_t offset);
void stream_fini(struct stream *s);
static inline size_t stream_len(const struct stream *s) { return s->end - s->begin; }
/* Bytes of the blocks held. */
static inline size_t stream_memory(const struct stream *s)
{
	return (size_t)s->count * POOL_BLOCK;
}
/*
 * Room for up to `want` bytes at the end, as at most `iov_max` pieces; returns
 * the number of pieces (0: no memory).  Follow with stream_commit().
 */
int stream_reserve(struct stream *s, size_t want, struct iovec *iov, int iov_max);
/* Makes the first `len` bytes of what was reserved part of the stream and gives
 * back whole blocks that stay unused. */
void stream_commit(struct stream *s, size_t len);
/* Appends a copy; returns how many bytes fitted (less than `len`: no memory). */
size_t stream_append(struct stream *s, const void *data, size_t len);
/*
 * Describes [offset, offset + len), which must lie inside the stream, as pieces
 * in place; returns their number, or -1 if it takes more than `iov_max`.
 */
int stream_gather(const struct stream *s, uint64_t offset, size_t len,
		  struct iovec *iov, int iov_max);
/* Releases everything before `offset`, which must lie in [begin, end]. */
void stream_release(struct stream *s, uint64_t offset);

#endif
