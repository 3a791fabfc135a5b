/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reassembly.  Each chunk is one block of the pool: a header, then payload, so that
 * nothing else is ever allocated.
 *
 * A piece that stands alone gets the smallest block that holds it; a range that grows
 * gets blocks of twice the size each time, up to the largest.  A chunk whose left
 * neighbour touches it and has room for it is joined to that at once.  So a range of
 * more than a few bytes takes about three times its bytes at most, and what makes it
 * worse than that (many ranges of one byte each; the front chunk, which may be partly
 * dropped and is never moved, as it may be in use) is bounded by REASM_SLACK.
 *
 * Only the front chunk has dropped bytes before its first one.
 */
#include "base/reasm.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/seq.h"

struct reasm_chunk {
	struct list link;
	uint64_t begin;         /* offset of the first byte held */
	uint32_t size;          /* of the block, this header included */
	uint32_t skip;          /* payload bytes dropped from the head of the room */
	uint32_t len;
	uint8_t room[];
};

static inline size_t chunk_room(size_t size)
{
	return size - sizeof(struct reasm_chunk);
}

static inline uint64_t chunk_end(const struct reasm_chunk *c)
{
	return c->begin + c->len;
}

static inline size_t chunk_tail_room(const struct reasm_chunk *c)
{
	return chunk_room(c->size) - c->skip - c->len;
}

static inline struct reasm_chunk *chunk_next(const struct reasm *r, const struct reasm_chunk *c)
{
	return list_next(&r->chunks, c, struct reasm_chunk, link);
}

static inline struct reasm_chunk *chunk_prev(const struct reasm *r, const struct reasm_chunk *c)
{
	return list_prev(&r->chunks, c, struct reasm_chunk, link);
}

static inline struct reasm_chunk *chunk_first(const struct reasm *r)
{
	return list_first(&r->chunks, struct reasm_chunk, link);
}

static inline struct reasm_chunk *chunk_last(const struct reasm *r)
{
	return list_last(&r->chunks, struct reasm_chunk, link);
}

void reasm_init(struct reasm *r, struct pool *pool, uint32_t chunk_max)
{
	memset(r, 0, sizeof(*r));
	r->pool = pool;
	r->chunk_max = chunk_max;
	list_init(&r->chunks);
}

static void chunk_free(struct reasm *r, struct reasm_chunk *c)
{
	list_remove(&c->link);
	r->chunk_count--;
	r->memory -= c->size;
	pool_put_size(r->pool, (uint8_t *)c, c->size);
}

void reasm_fini(struct reasm *r)
{
	struct reasm_chunk *c;

	while ((c = chunk_first(r)))
		chunk_free(r, c);
	reasm_init(r, r->pool, r->chunk_max);
}

/*
 * The last chunk that begins at or before `offset`, or NULL.  Most pieces arrive at
 * the end and most repairs at the front: the search starts from the nearer one.
 */
static struct reasm_chunk *find(const struct reasm *r, uint64_t offset)
{
	struct reasm_chunk *c = chunk_last(r), *front = chunk_first(r), *next;

	if (!c || seq64_lt(offset, front->begin))
		return NULL;
	if (seq64_geq(offset, c->begin))
		return c;
	if (offset - front->begin > c->begin - offset) {
		while (seq64_gt(c->begin, offset))
			c = chunk_prev(r, c);
		return c;
	}
	for (c = front; (next = chunk_next(r, c)) && seq64_leq(next->begin, offset);)
		c = next;
	return c;
}

/* A stretch of a piece that is not held yet. */
struct gap {
	uint64_t begin, end;
	struct reasm_chunk *left, *right;       /* neighbours or NULL */
};

static inline bool touches_left(const struct gap *g)
{
	return g->left && chunk_end(g->left) == g->begin;
}

static inline bool touches_right(const struct gap *g)
{
	return g->right && g->right->begin == g->end;
}

/*
 * The next stretch of [*at, end) that is not held; `left` is the last chunk at or
 * before *at.  False when there is none.
 */
static bool next_gap(const struct reasm *r, struct reasm_chunk *left, uint64_t at, uint64_t end,
		     struct gap *g)
{
	for (;;) {
		struct reasm_chunk *right = left ? chunk_next(r, left) : chunk_first(r);

		if (left && seq64_lt(at, chunk_end(left)))
			at = chunk_end(left);
		if (seq64_geq(at, end))
			return false;
		if (!right || seq64_lt(at, right->begin)) {
			g->begin = at;
			g->end = right ? seq64_min(end, right->begin) : end;
			g->left = left;
			g->right = right;
			return true;
		}
		left = right;
	}
}

/* Size of the next block for `len` bytes, behind a block of `left` bytes that they touch
 * (0: none). */
static size_t block_size(size_t left, size_t len)
{
	size_t size = pool_size_for(len + sizeof(struct reasm_chunk));

	return size < 2 * left ? (2 * left < POOL_BLOCK ? 2 * left : POOL_BLOCK) : size;
}

/* Adds the blocks that filling `g` takes to `spare`, in the order of their use. */
static int get_blocks(struct reasm *r, const struct gap *g, struct list *spare, size_t *memory)
{
	size_t need = g->end - g->begin, size = 0, n = 0;
	struct reasm_chunk *c;

	if (touches_left(g)) {
		size = g->left->size;
		n = chunk_tail_room(g->left);
	}
	for (; need > n; need -= n, n = chunk_room(size)) {
		size = block_size(size, need - n);
		c = (void *)pool_get_size(r->pool, size);
		if (!c)
			return -ENOMEM;
		c->size = (uint32_t)size;
		list_push_back(spare, &c->link);
		*memory += size;
	}
	return 0;
}

/* Returns the last chunk that holds bytes of the gap, using blocks of `spare`. */
static struct reasm_chunk *fill(struct reasm *r, const struct gap *g, const uint8_t *data,
				struct list *spare)
{
	struct reasm_chunk *c = g->left;
	uint64_t at = g->begin;

	if (touches_left(g)) {
		size_t n = chunk_tail_room(c);

		if (n > g->end - at)
			n = g->end - at;
		memcpy(c->room + c->skip + c->len, data, n);
		c->len += (uint32_t)n;
		at += n;
	}
	while (at != g->end) {
		struct reasm_chunk *fresh = list_first(spare, struct reasm_chunk, link);
		size_t n = g->end - at;

		if (n > chunk_room(fresh->size))
			n = chunk_room(fresh->size);
		list_remove(&fresh->link);
		list_insert_after(c ? &c->link : &r->chunks, &fresh->link);
		r->chunk_count++;
		r->memory += fresh->size;
		c = fresh;
		c->begin = at;
		c->skip = 0;
		c->len = (uint32_t)n;
		memcpy(c->room, data + (at - g->begin), n);
		at += n;
	}
	r->bytes += g->end - g->begin;
	return c;
}

/* Joins neighbours from `c` on that touch and fit, as far as offset `end`. */
static void join(struct reasm *r, struct reasm_chunk *c, uint64_t end)
{
	struct reasm_chunk *next;

	while (c && (next = chunk_next(r, c)) && seq64_leq(next->begin, end)) {
		if (chunk_end(c) != next->begin || next->len > chunk_tail_room(c)) {
			c = next;
			continue;
		}
		memcpy(c->room + c->skip + c->len, next->room + next->skip, next->len);
		c->len += next->len;
		chunk_free(r, next);
	}
}

/*
 * The range around [offset, end), which is held.  The range found last is kept, so
 * that a long range is not walked for each piece added to it: while the piece lies
 * in it or touches it, its far edge is still an edge.
 */
static void range_around(struct reasm *r, uint64_t offset, uint64_t end, struct reasm_range *out)
{
	const struct reasm_range last = r->last;
	bool known = last.begin != last.end;
	struct reasm_chunk *c = find(r, offset), *d = c, *o;

	for (;; c = o) {
		out->begin = c->begin;
		if (known && seq64_geq(c->begin, last.begin) && seq64_leq(c->begin, last.end)) {
			out->begin = last.begin;
			break;
		}
		o = chunk_prev(r, c);
		if (!o || chunk_end(o) != c->begin)
			break;
	}
	for (;; d = o) {
		out->end = chunk_end(d);
		if (known && seq64_geq(out->end, end) && seq64_geq(out->end, last.begin) &&
		    seq64_leq(out->end, last.end)) {
			out->end = last.end;
			break;
		}
		o = chunk_next(r, d);
		if (!o || o->begin != out->end)
			break;
	}
	r->last = *out;
}

long reasm_insert(struct reasm *r, uint64_t offset, const uint8_t *data, size_t len,
		  struct reasm_range *where)
{
	const uint64_t end = offset + len;
	struct reasm_chunk *left, *c;
	struct list spare;
	size_t before = r->bytes, fresh = 0, memory = 0;
	long ranges = r->range_count;
	uint64_t at;
	struct gap g;
	int err = 0;

	if (where)
		where->begin = where->end = offset;
	if (!len)
		return 0;

	/* What it takes: nothing may be kept if not all can be. */
	left = find(r, offset);
	list_init(&spare);
	for (c = left, at = offset; next_gap(r, c, at, end, &g); c = g.right, at = g.end) {
		err = get_blocks(r, &g, &spare, &memory);
		if (err)
			goto out;
		fresh += g.end - g.begin;
		ranges += 1 - touches_left(&g) - touches_right(&g);
		if (g.end == end)
			break;
	}
	if ((ranges > (long)r->range_count && ranges > (long)r->chunk_max) ||
	    (memory && r->memory + memory > REASM_FACTOR * (r->bytes + fresh) + REASM_SLACK)) {
		err = -ENOBUFS;
		goto out;
	}

	for (c = left, at = offset; next_gap(r, c, at, end, &g); at = g.end)
		c = fill(r, &g, data + (g.begin - offset), &spare);
	assert(list_empty(&spare));
	r->range_count = (uint32_t)ranges;
	if (r->bytes != before)
		join(r, left ? left : chunk_first(r), end);
	if (where)
		range_around(r, offset, end, where);
	else if (r->bytes != before)
		r->last.begin = r->last.end;
out:
	while ((c = list_first(&spare, struct reasm_chunk, link))) {
		list_remove(&c->link);
		pool_put_size(r->pool, (uint8_t *)c, c->size);
	}
	return err ? err : (long)(r->bytes - before);
}

bool reasm_held(const struct reasm *r, uint64_t offset, size_t len, struct reasm_range *held)
{
	const struct reasm_chunk *c = find(r, offset);
	const uint64_t end = offset + len;

	if (!c)
		c = chunk_first(r);
	else if (seq64_leq(chunk_end(c), offset))
		c = chunk_next(r, c);
	if (!c || seq64_geq(c->begin, end))
		return false;
	held->begin = seq64_max(c->begin, offset);
	held->end = chunk_end(c);
	while (seq64_lt(held->end, end) && (c = chunk_next(r, c)) && c->begin == held->end)
		held->end = chunk_end(c);
	held->end = seq64_min(held->end, end);
	return true;
}

size_t reasm_peek(struct reasm *r, uint64_t offset, const uint8_t **data)
{
	const struct reasm_chunk *c;

	reasm_drop(r, offset);
	c = chunk_first(r);
	if (!c || c->begin != offset)
		return 0;
	*data = c->room + c->skip;
	return c->len;
}

void reasm_drop(struct reasm *r, uint64_t offset)
{
	struct reasm_chunk *c, *next;

	while ((c = chunk_first(r)) && seq64_lt(c->begin, offset)) {
		if (seq64_gt(chunk_end(c), offset)) {
			uint32_t n = (uint32_t)(offset - c->begin);

			c->begin = offset;
			c->skip += n;
			c->len -= n;
			r->bytes -= n;
			break;
		}
		next = chunk_next(r, c);
		if (!next || next->begin != chunk_end(c))
			r->range_count--;
		r->bytes -= c->len;
		chunk_free(r, c);
	}
	if (seq64_leq(r->last.end, offset))
		r->last.begin = r->last.end;
	else if (r->last.begin != r->last.end && seq64_lt(r->last.begin, offset))
		r->last.begin = offset;
}

uint64_t reasm_end(const struct reasm *r, uint64_t none)
{
	const struct reasm_chunk *c = chunk_last(r);

	return c ? chunk_end(c) : none;
}

int reasm_ranges(const struct reasm *r, struct reasm_range *out, int max)
{
	const struct reasm_chunk *c;
	int n = 0;

	list_for_each(c, &r->chunks, link) {
		if (n && out[n - 1].end == c->begin) {
			out[n - 1].end = chunk_end(c);
			continue;
		}
		if (n == max)
			break;
		out[n].begin = c->begin;
		out[n].end = chunk_end(c);
		n++;
	}
	return n;
}
