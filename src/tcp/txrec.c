/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Retransmission records: what is in flight, range by range, and the scoreboard.
 *
 * `records` holds every record in sequence order, without a gap from snd_una to
 * snd_nxt.  `sent` holds those that are in the network as far as we know (not
 * SACKed, and not lost unless sent again), oldest transmission first.  The byte
 * counts of the connection are sums over flags: every change of a flag or length
 * goes through account(), so that they cannot drift apart.
 *
 * A super-segment is one record; it is cut only where a SACK block or a
 * retransmission needs an edge.  An ACK therefore costs a few records, not one
 * step per packet on the wire.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "tcp/tcp_internal.h"

#define FREE_RECORDS_MAX 4096u

void tcp_env_init(struct tcp_env *env, struct counters *counters, struct pool *pool)
{
	env->counters = counters;
	env->pool = pool;
	list_init(&env->free_records);
	env->free_record_count = 0;
}

void tcp_env_fini(struct tcp_env *env)
{
	struct tcp_record *r, *tmp;

	list_for_each_safe(r, tmp, &env->free_records, by_seq) {
		list_remove(&r->by_seq);
		free(r);
	}
	env->free_record_count = 0;
}

static struct tcp_record *rec_get(struct tcp_env *env)
{
	struct tcp_record *r = list_first(&env->free_records, struct tcp_record, by_seq);

	if (r) {
		list_remove(&r->by_seq);
		env->free_record_count--;
	} else {
		r = malloc(sizeof(*r));
		if (!r)
			return NULL;
	}
	memset(r, 0, sizeof(*r));
	list_init(&r->by_seq);
	list_init(&r->by_time);
	return r;
}

static void rec_put(struct tcp_env *env, struct tcp_record *r)
{
	if (env->free_record_count >= FREE_RECORDS_MAX) {
		free(r);
		return;
	}
	list_push_front(&env->free_records, &r->by_seq);
	env->free_record_count++;
}

/* Adds (sign 1) or takes off (-1) what `r` contributes to the sums. */
static void account(struct tcp_conn *tc, const struct tcp_record *r, int sign)
{
	uint32_t span = tcp_rec_span(r) * (uint32_t)sign;

	tc->flight_bytes += span;
	if (r->sacked) {
		tc->sacked_bytes += span;
		tc->sacked_count += (uint32_t)sign;
	}
	if (r->lost)
		tc->lost_bytes += span;
	if (r->retransmitted)
		tc->retrans_bytes += span;
	if (r->lost && !r->retransmitted)
		tc->pending_bytes += span;
}

static void rec_remove(struct tcp_conn *tc, struct tcp_record *r)
{
	account(tc, r, -1);
	if (tc->retrans_hint == r)
		tc->retrans_hint = list_next(&tc->records, r, struct tcp_record, by_seq);
	if (tc->sack_hint == r)
		tc->sack_hint = list_next(&tc->records, r, struct tcp_record, by_seq);
	list_remove(&r->by_seq);
	list_remove(&r->by_time);
	tc->record_count--;
	rec_put(tc->env, r);
}

void tcp_rec_free_all(struct tcp_conn *tc)
{
	struct tcp_record *r;

	while ((r = list_first(&tc->records, struct tcp_record, by_seq)))
		rec_remove(tc, r);
	tc->retrans_hint = NULL;
	tc->sack_hint = NULL;
}

struct tcp_record *tcp_rec_append(struct tcp_conn *tc, uint32_t len, bool fin,
				  uint64_t offset, uint64_t now_us)
{
	struct tcp_record *r = rec_get(tc->env);

	if (!r)
		return NULL;
	r->seq = tc->snd_nxt;
	r->len = len;
	r->fin = fin;
	r->offset = offset;
	r->map_seq = r->seq;
	r->map_len = (uint16_t)len;
	r->transmissions = 1;
	r->sent_us = now_us;
	list_push_back(&tc->records, &r->by_seq);
	list_push_back(&tc->sent, &r->by_time);
	tc->record_count++;
	account(tc, r, 1);
	return r;
}

struct tcp_record *tcp_rec_split(struct tcp_conn *tc, struct tcp_record *r, uint32_t len)
{
	struct tcp_record *n;

	assert(len > 0 && len < r->len && !r->fin);
	n = rec_get(tc->env);
	if (!n)
		return NULL;
	account(tc, r, -1);
	n->seq = r->seq + len;
	n->len = r->len - len;
	n->offset = r->offset + len;
	n->map_seq = r->map_seq;
	n->map_len = r->map_len;
	n->map_checksum = r->map_checksum;
	n->sacked = r->sacked;
	n->lost = r->lost;
	n->retransmitted = r->retransmitted;
	n->transmissions = r->transmissions;
	n->sent_us = r->sent_us;
	n->again_us = r->again_us;
	r->len = len;
	list_insert_after(&r->by_seq, &n->by_seq);
	if (!list_empty(&r->by_time))
		list_insert_after(&r->by_time, &n->by_time);
	tc->record_count++;
	account(tc, r, 1);
	account(tc, n, 1);
	return n;
}

void tcp_rec_mark_lost(struct tcp_conn *tc, struct tcp_record *r)
{
	if (r->sacked || (r->lost && !r->retransmitted))
		return;
	account(tc, r, -1);
	r->lost = true;
	r->retransmitted = false;
	account(tc, r, 1);
	list_remove(&r->by_time);
	if (tc->pending_bytes == tcp_rec_span(r) ||
	    (tc->retrans_hint && seq32_lt(r->seq, tc->retrans_hint->seq)))
		tc->retrans_hint = r;
}

static void mark_sacked(struct tcp_conn *tc, struct tcp_record *r)
{
	account(tc, r, -1);
	r->sacked = true;
	r->lost = false;
	r->retransmitted = false;
	account(tc, r, 1);
	list_remove(&r->by_time);
}

void tcp_rec_mark_sent_again(struct tcp_conn *tc, struct tcp_record *r, uint64_t now_us)
{
	account(tc, r, -1);
	r->retransmitted = true;
	if (r->transmissions < UINT8_MAX)
		r->transmissions++;
	r->sent_us = now_us;
	if (!r->again_us)
		r->again_us = now_us;
	account(tc, r, 1);
	list_remove(&r->by_time);
	list_push_back(&tc->sent, &r->by_time);
}

/* Whether `a` was sent before `b`: RACK_sent_after() reversed (RFC 8985, 6.2). */
static bool sent_before(const struct tcp_record *a, const struct tcp_record *b)
{
	if (a->sent_us != b->sent_us)
		return a->sent_us < b->sent_us;
	return seq32_lt(tcp_rec_end(a), tcp_rec_end(b));
}

void tcp_rec_unmark_lost(struct tcp_conn *tc)
{
	struct list *at = &tc->sent;    /* insert after this one */
	struct tcp_record *r;

	if (!tc->lost_bytes)
		return;
	list_for_each(r, &tc->records, by_seq) {
		if (!r->lost)
			continue;
		account(tc, r, -1);
		r->lost = false;
		account(tc, r, 1);
		if (r->retransmitted)
			continue;
		/* Records were mostly sent in sequence: the place is near the last one. */
		while (at != &tc->sent &&
		       sent_before(r, list_entry(at, struct tcp_record, by_time)))
			at = at->prev;
		while (at->next != &tc->sent &&
		       sent_before(list_entry(at->next, struct tcp_record, by_time), r))
			at = at->next;
		list_insert_after(at, &r->by_time);
		at = &r->by_time;
	}
	tc->retrans_hint = NULL;
}

void tcp_rec_forget_sacks(struct tcp_conn *tc)
{
	struct tcp_record *r;

	list_for_each(r, &tc->records, by_seq) {
		if (!r->sacked)
			continue;
		account(tc, r, -1);
		r->sacked = false;
		r->lost = true;
		account(tc, r, 1);
	}
	tc->retrans_hint = NULL;
	tc->sack_seen_count = 0;
}

struct tcp_record *tcp_rec_next_pending(struct tcp_conn *tc)
{
	struct tcp_record *r = tc->retrans_hint;

	if (!tc->pending_bytes)
		return NULL;
	if (!r)
		r = list_first(&tc->records, struct tcp_record, by_seq);
	while (r && !(r->lost && !r->retransmitted))
		r = list_next(&tc->records, r, struct tcp_record, by_seq);
	assert(r);
	tc->retrans_hint = r;
	return r;
}

/* The bookkeeping that every first delivery of [r->seq, end) needs. */
static void delivered(struct tcp_conn *tc, const struct tcp_record *r, uint32_t end,
		      struct tcp_ack *a)
{
	a->delivered_bytes += end - r->seq;
	if (r->transmissions == 1) {
		if (!a->oldest_sent_us || r->sent_us < a->oldest_sent_us)
			a->oldest_sent_us = r->sent_us;
		if (r->sent_us > a->newest_sent_us)
			a->newest_sent_us = r->sent_us;
		if (tc->recovery != TCP_RECOVERY_NONE && seq32_leq(end, tc->recovery_end))
			a->orig_delivered = true;
	}
	tcp_rack_delivered(tc, r, end, a);
	tcp_mtu_delivered(tc, r, end);
}

void tcp_rec_ack(struct tcp_conn *tc, struct tcp_ack *a)
{
	struct tcp_record *r = list_first(&tc->records, struct tcp_record, by_seq);
	bool filled = false;

	if (r)
		a->head_again_us = r->again_us;
	while (r && seq32_lt(r->seq, a->ack)) {
		struct tcp_record *next = list_next(&tc->records, r, struct tcp_record, by_seq);
		uint32_t end = tcp_rec_end(r);

		if (r->transmissions > 1)
			filled = true;
		if (seq32_gt(end, a->ack)) {
			uint32_t cut = a->ack - r->seq;

			if (!r->sacked)
				delivered(tc, r, a->ack, a);
			account(tc, r, -1);
			r->seq += cut;
			r->len -= cut;
			r->offset += cut;
			account(tc, r, 1);
			break;
		}
		if (!r->sacked)
			delivered(tc, r, end, a);
		if (r->fin)
			tc->fin_acked = true;
		rec_remove(tc, r);
		r = next;
	}
	/* What lay behind a gap at the receiver tells how long the gap was open. */
	if (filled)
		a->oldest_sent_us = a->newest_sent_us = 0;
}

/* The record that holds `seq`, searched from the hint; NULL past the end. */
static struct tcp_record *find(struct tcp_conn *tc, uint32_t seq)
{
	struct tcp_record *r = tc->sack_hint;

	if (!r)
		r = list_first(&tc->records, struct tcp_record, by_seq);
	while (r && seq32_gt(r->seq, seq))
		r = list_prev(&tc->records, r, struct tcp_record, by_seq);
	while (r && seq32_leq(tcp_rec_end(r), seq))
		r = list_next(&tc->records, r, struct tcp_record, by_seq);
	return r;
}

/*
 * Splits at the edge of a SACK block.  A peer that SACKs single bytes must not
 * make us hold a record for each: past a bound its edges are ignored.
 */
static struct tcp_record *sack_split(struct tcp_conn *tc, struct tcp_record *r, uint32_t len,
				     struct tcp_ack *a)
{
	struct tcp_record *n = NULL;

	if (tc->record_count <= 2 * (tc->flight_bytes / tcp_smss(tc)) + 64)
		n = tcp_rec_split(tc, r, len);
	if (!n)
		a->sack_refused = true;
	return n;
}

static void sack_block(struct tcp_conn *tc, uint32_t begin, uint32_t end, struct tcp_ack *a)
{
	struct tcp_record *r = find(tc, begin);

	while (r && seq32_lt(r->seq, end)) {
		if (!r->sacked) {
			if (seq32_lt(r->seq, begin)) {
				r = sack_split(tc, r, begin - r->seq, a);
				if (!r)
					return;
			}
			if (seq32_gt(tcp_rec_end(r), end) &&
			    !sack_split(tc, r, end - r->seq, a))
				return;
			delivered(tc, r, tcp_rec_end(r), a);
			a->sacked_bytes += tcp_rec_span(r);
			mark_sacked(tc, r);
		}
		tc->sack_hint = r;
		r = list_next(&tc->records, r, struct tcp_record, by_seq);
	}
}

/* Skips what the previous ACK's blocks already told: the usual block only grows. */
static void sack_news(struct tcp_conn *tc, struct tcp_sack_block b, struct tcp_ack *a)
{
	for (unsigned i = 0; i < tc->sack_seen_count; i++) {
		const struct tcp_sack_block *s = &tc->sack_seen[i];

		if (seq32_leq(s->begin, b.begin) && seq32_lt(b.begin, s->end)) {
			if (seq32_geq(s->end, b.end))
				return;
			b.begin = s->end;
		} else if (seq32_lt(s->begin, b.end) && seq32_geq(s->end, b.end) &&
			   seq32_lt(b.begin, s->begin)) {
			b.end = s->begin;
		}
	}
	if (seq32_lt(b.begin, tc->snd_una))
		b.begin = tc->snd_una;
	if (seq32_lt(b.begin, b.end))
		sack_block(tc, b.begin, b.end, a);
}

/* More than was ever sent twice: the network makes copies, which says nothing of us. */
static void note_dsack(struct tcp_conn *tc, struct tcp_ack *a, struct tcp_sack_block b)
{
	uint32_t len = b.end - b.begin;

	if (tc->bytes_dsacked + len > tc->bytes_retrans)
		return;
	tc->bytes_dsacked += len;
	a->has_dsack = true;
	a->dsack = b;
	a->dsack_of_probe = tc->tlp_out && tc->tlp_retrans && b.end == tc->tlp_end_seq;
}

bool tcp_rec_dsack(struct tcp_conn *tc, const struct packet *p, struct tcp_ack *a)
{
	const struct tcp_options *o = &p->tcp.opt;
	struct tcp_sack_block b;

	if (!o->sack_count)
		return false;
	b = o->sack[0];
	/* Below the ACK, or inside the second block. */
	if (!seq32_lt(b.begin, b.end) ||
	    (seq32_gt(b.end, a->ack) &&
	     (o->sack_count < 2 || seq32_lt(b.begin, o->sack[1].begin) ||
	      seq32_gt(b.end, o->sack[1].end))))
		return false;
	/* Only what we may have sent, and recently. */
	if (seq32_leq(b.end, tc->snd_nxt) && b.end - b.begin <= tc->snd_wnd_max + 65535u &&
	    seq32_gt(b.begin, a->prior_una - tc->snd_wnd_max - 65535u))
		note_dsack(tc, a, b);
	return true;
}

/* In the order of sequence numbers. */
static void sort_blocks(struct tcp_sack_block *b, unsigned count)
{
	for (unsigned i = 1; i < count; i++) {
		for (unsigned j = i; j && seq32_lt(b[j].begin, b[j - 1].begin); j--) {
			struct tcp_sack_block tmp = b[j];

			b[j] = b[j - 1];
			b[j - 1] = tmp;
		}
	}
}

void tcp_rec_sack(struct tcp_conn *tc, const struct packet *p, struct tcp_ack *a)
{
	const struct tcp_options *o = &p->tcp.opt;
	struct tcp_sack_block news[TCP_SACK_MAX];
	unsigned count = 0;

	for (unsigned i = tcp_rec_dsack(tc, p, a); i < o->sack_count && i < TCP_SACK_MAX; i++) {
		struct tcp_sack_block b = o->sack[i];

		if (!seq32_lt(b.begin, b.end))
			continue;
		if (seq32_lt(b.begin, a->ack) || seq32_gt(b.end, tc->snd_nxt))
			continue;
		news[count++] = b;
	}
	/* The latest comes first.  What all of them bring at once must not look as if it had been
	 * reordered, and the round-trip time that counts is the latest. */
	sort_blocks(news, count);
	for (unsigned i = 0; i < count; i++)
		sack_news(tc, news[i], a);
	/* The next ACK may skip these blocks, unless some of this was ignored. */
	if (a->sack_refused)
		count = 0;
	memcpy(tc->sack_seen, news, count * sizeof(news[0]));
	tc->sack_seen_count = (uint8_t)count;
}
