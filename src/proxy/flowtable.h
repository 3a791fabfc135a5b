/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one worker knows by key: flows by tuple, connections by token, and the number
 * of sessions per client address.  All keys come from strangers, so that all tables
 * hash with SipHash.
 *
 * A flow is a live subflow, or an old one.  Old flows stay known for a while: in
 * TIME-WAIT (RFC 9293, section 3.3.2), or closed, where stray packets are answered as
 * a closed TCP does.  Without that they would reach the server, which may have a
 * connection with the very same addresses and ports: the proxy's own.  A flow may also be
 * away, with another worker.
 *
 * The table owns its entries; it calls base/ and the TIME-WAIT functions of tcp/.
 */
#ifndef PROXY_FLOWTABLE_H
#define PROXY_FLOWTABLE_H

#include <stdint.h>
#include <uthash.h>

#include "base/addr.h"
#include "base/hash.h"
#include "base/list.h"
#include "tcp/tcp.h"

struct session;
struct mptcp_subflow;

enum flow_kind {
	FLOW_SUBFLOW,           /* `session` and `sf` are valid */
	FLOW_TIMEWAIT,          /* `tw` is valid */
	FLOW_CLOSED,
	FLOW_AWAY,              /* another worker has it: `peer` */
};

struct flow {
	UT_hash_handle hh;
	struct flow_tuple tuple;        /* as packets come in */
	enum flow_kind kind;
	/* Of a flow whose packets come in with another worker than the one that has its
	 * connection; see proxy/shard.h. */
	uint32_t generation;            /* 0: there is no such worker */
	uint16_t peer;                  /* the other worker of the two */
	struct list fifo;               /* old flows: oldest first */
	union {
		struct {
			struct session *session;
			struct mptcp_subflow *sf;
		};
		struct {
			struct tcp_timewait tw;
			uint32_t time_wait_us;
		};
		uint64_t closed_until_us;
	};
};

/* Embedded in a session. */
struct token_entry {
	UT_hash_handle hh;
	uint32_t token;
	struct session *session;        /* NULL: not in the table */
};

struct source_entry;

struct flowtable {
	struct hash_key key;
	struct flow *flows;
	struct token_entry *tokens;
	struct source_entry *sources;
	struct list timewait, closed;
	uint32_t old_count, old_max;
};

/* `old_max` bounds the old flows of both kinds. */
void flowtable_init(struct flowtable *t, const struct hash_key *key, uint32_t old_max);
/* Frees every flow; sessions take their token entries out first. */
void flowtable_fini(struct flowtable *t);

struct flow *flowtable_find(struct flowtable *t, const struct flow_tuple *tuple);
/* A new live flow without a subflow yet; NULL when out of memory. */
struct flow *flowtable_add(struct flowtable *t, const struct flow_tuple *tuple,
			   struct session *session);
/* A new flow that `worker` has; NULL when out of memory. */
struct flow *flowtable_add_away(struct flowtable *t, const struct flow_tuple *tuple,
				uint16_t worker);
/* Takes the flow out and frees it. */
void flowtable_remove(struct flowtable *t, struct flow *f);

/* A live flow becomes an old one; `tc` is in TIME-WAIT. */
void flowtable_set_timewait(struct flowtable *t, struct flow *f, const struct tcp_conn *tc,
			    uint64_t now_us);
void flowtable_set_closed(struct flowtable *t, struct flow *f, uint64_t until_us);
/* An old flow's time was set anew. */
void flowtable_renew(struct flowtable *t, struct flow *f);
/* When the next old flow is due. */
uint64_t flowtable_deadline(const struct flowtable *t);
/* The next old flow that is due, or one too many, still in the table; or NULL. */
struct flow *flowtable_expired(struct flowtable *t, uint64_t now_us);

/* 0, -EEXIST or -ENOMEM. */
int flowtable_token_add(struct flowtable *t, struct token_entry *e, uint32_t token,
			struct session *session);
struct session *flowtable_token_find(struct flowtable *t, uint32_t token);
/* Does nothing for an entry that is not in the table. */
void flowtable_token_remove(struct flowtable *t, struct token_entry *e);

/* Sessions counted for `addr`. */
uint32_t flowtable_source_count(struct flowtable *t, const struct ip_addr *addr);
/* Counts one more; 0 or -ENOMEM. */
int flowtable_source_get(struct flowtable *t, const struct ip_addr *addr);
void flowtable_source_put(struct flowtable *t, const struct ip_addr *addr);

#endif
