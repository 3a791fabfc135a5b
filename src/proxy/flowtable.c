/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tables of flowtable.h, on uthash.  It owns flows and source counts; token entries
 * belong to their sessions.
 *
 * The two FIFOs of old flows are in order of expiry as long as all entries of a kind
 * have the same lifetime; where services differ in it, an entry may stay somewhat
 * longer than it should, behind one that is due later.
 */
/* Every function here calls its table `t`. */
#define HASH_FUNCTION(keyptr, keylen, hashv)                                   \
	((hashv) = (unsigned)hash_bytes(&t->key, (keyptr), (keylen)))
/* An element that could not be added has no table. */
#define HASH_NONFATAL_OOM 1
#include "proxy/flowtable.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/timer.h"

struct source_entry {
	UT_hash_handle hh;
	struct ip_addr addr;
	uint32_t count;
};

void flowtable_init(struct flowtable *t, const struct hash_key *key, uint32_t old_max)
{
	memset(t, 0, sizeof(*t));
	t->key = *key;
	t->old_max = old_max;
	list_init(&t->timewait);
	list_init(&t->closed);
}

void flowtable_fini(struct flowtable *t)
{
	struct source_entry *s, *s_next;
	struct flow *f, *f_next;

	assert(!t->tokens);
	HASH_ITER(hh, t->flows, f, f_next) {
		HASH_DEL(t->flows, f);
		free(f);
	}
	HASH_ITER(hh, t->sources, s, s_next) {
		HASH_DEL(t->sources, s);
		free(s);
	}
}

/* ---- flows ------------------------------------------------------------------ */

struct flow *flowtable_find(struct flowtable *t, const struct flow_tuple *tuple)
{
	struct flow *f;

	HASH_FIND(hh, t->flows, tuple, sizeof(*tuple), f);
	return f;
}

struct flow *flowtable_add(struct flowtable *t, const struct flow_tuple *tuple,
			   struct session *session)
{
	struct flow *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->tuple = *tuple;
	f->kind = FLOW_SUBFLOW;
	f->session = session;
	list_init(&f->fifo);
	HASH_ADD(hh, t->flows, tuple, sizeof(f->tuple), f);
	if (!f->hh.tbl) {
		free(f);
		return NULL;
	}
	return f;
}

struct flow *flowtable_add_away(struct flowtable *t, const struct flow_tuple *tuple,
				uint16_t worker)
{
	struct flow *f = flowtable_add(t, tuple, NULL);

	if (!f)
		return NULL;
	f->kind = FLOW_AWAY;
	f->peer = worker;
	return f;
}

void flowtable_remove(struct flowtable *t, struct flow *f)
{
	if (f->kind == FLOW_TIMEWAIT || f->kind == FLOW_CLOSED) {
		list_remove(&f->fifo);
		t->old_count--;
	}
	HASH_DEL(t->flows, f);
	free(f);
}

static void retire(struct flowtable *t, struct flow *f, enum flow_kind kind)
{
	assert(f->kind == FLOW_SUBFLOW);
	f->kind = kind;
	t->old_count++;
	flowtable_renew(t, f);
}

void flowtable_set_timewait(struct flowtable *t, struct flow *f, const struct tcp_conn *tc,
			    uint64_t now_us)
{
	retire(t, f, FLOW_TIMEWAIT);
	tcp_timewait_init(&f->tw, tc, now_us);
	f->time_wait_us = tc->cfg.time_wait_us;
}

void flowtable_set_closed(struct flowtable *t, struct flow *f, uint64_t until_us)
{
	retire(t, f, FLOW_CLOSED);
	f->closed_until_us = until_us;
}

void flowtable_renew(struct flowtable *t, struct flow *f)
{
	list_remove(&f->fifo);
	list_push_back(f->kind == FLOW_TIMEWAIT ? &t->timewait : &t->closed, &f->fifo);
}

static uint64_t flow_until(const struct flow *f)
{
	return f->kind == FLOW_TIMEWAIT ? f->tw.until_us : f->closed_until_us;
}

/* Of the heads of both FIFOs the one that is due first. */
static struct flow *oldest(const struct flowtable *t)
{
	struct flow *a = list_first(&t->timewait, struct flow, fifo);
	struct flow *b = list_first(&t->closed, struct flow, fifo);

	if (!a || !b)
		return a ? a : b;
	return flow_until(a) <= flow_until(b) ? a : b;
}

uint64_t flowtable_deadline(const struct flowtable *t)
{
	struct flow *f = oldest(t);

	if (!f)
		return TIMER_NEVER;
	return t->old_count > t->old_max ? 0 : flow_until(f);
}

struct flow *flowtable_expired(struct flowtable *t, uint64_t now_us)
{
	struct flow *f = oldest(t);

	if (f && (t->old_count > t->old_max || flow_until(f) <= now_us))
		return f;
	return NULL;
}

/* ---- tokens ----------------------------------------------------------------- */

static struct token_entry *token_lookup(struct flowtable *t, uint32_t token)
{
	struct token_entry *e;

	HASH_FIND(hh, t->tokens, &token, sizeof(token), e);
	return e;
}

int flowtable_token_add(struct flowtable *t, struct token_entry *e, uint32_t token,
			struct session *session)
{
	if (token_lookup(t, token))
		return -EEXIST;
	e->token = token;
	HASH_ADD(hh, t->tokens, token, sizeof(e->token), e);
	if (!e->hh.tbl)
		return -ENOMEM;
	e->session = session;
	return 0;
}

struct session *flowtable_token_find(struct flowtable *t, uint32_t token)
{
	struct token_entry *e = token_lookup(t, token);

	return e ? e->session : NULL;
}

void flowtable_token_remove(struct flowtable *t, struct token_entry *e)
{
	if (!e->session)
		return;
	HASH_DEL(t->tokens, e);
	e->session = NULL;
}

/* ---- sources ---------------------------------------------------------------- */

static struct source_entry *source_lookup(struct flowtable *t, const struct ip_addr *addr)
{
	struct source_entry *s;

	HASH_FIND(hh, t->sources, addr, sizeof(*addr), s);
	return s;
}

uint32_t flowtable_source_count(struct flowtable *t, const struct ip_addr *addr)
{
	struct source_entry *s = source_lookup(t, addr);

	return s ? s->count : 0;
}

int flowtable_source_get(struct flowtable *t, const struct ip_addr *addr)
{
	struct source_entry *s = source_lookup(t, addr);

	if (!s) {
		s = calloc(1, sizeof(*s));
		if (!s)
			return -ENOMEM;
		s->addr = *addr;
		HASH_ADD(hh, t->sources, addr, sizeof(s->addr), s);
		if (!s->hh.tbl) {
			free(s);
			return -ENOMEM;
		}
	}
	s->count++;
	return 0;
}

void flowtable_source_put(struct flowtable *t, const struct ip_addr *addr)
{
	struct source_entry *s = source_lookup(t, addr);

	assert(s && s->count);
	if (--s->count)
		return;
	HASH_DEL(t->sources, s);
	free(s);
}
