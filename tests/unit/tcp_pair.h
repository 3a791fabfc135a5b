/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two TCP endpoints over a virtual link that delays, limits, loses, reorders and
 * duplicates, all from one seed.  Super-segments are cut on the way, as a device
 * does.  Every byte is a function of its offset in the stream, so that the
 * receiver can tell a wrong one; each mapping's checksum is a function of where
 * it begins, so that a retransmission with another mapping shows.
 */
#ifndef TESTS_TCP_PAIR_H
#define TESTS_TCP_PAIR_H

#include <stdio.h>
#include <string.h>

#include "base/seq.h"
#include "base/timer.h"
#include "tcp/tcp.h"
#include "unit.h"

#define PAIR_NEVER TIMER_NEVER

struct pair_link {
	uint32_t delay_us, jitter_us;   /* jitter reorders */
	uint64_t rate_bps;              /* 0: no limit */
	uint32_t queue_bytes;           /* 0: no limit */
	uint32_t mtu_mss;               /* what exceeds it (as tcp_conn.mss) is lost; 0: no limit */
	uint32_t loss_ppm, dup_ppm, reorder_ppm, reorder_us;
	uint64_t free_us;               /* when the link is idle again */
	/* for scripted losses: drop packets number [drop_from, drop_to) with data */
	uint32_t drop_from, drop_to, data_packets;
	/* drop what carries the byte at this offset, so many times */
	uint64_t drop_offset;
	uint32_t drop_times;
	uint64_t down_from_us, down_to_us;
	uint32_t passed, dropped;
};

struct pair_side {
	struct tcp_conn tc;
	uint64_t total;                 /* bytes to send; then a FIN */
	uint64_t sent, received;
	uint32_t buffer, unread;        /* the reader's */
	uint32_t read_per_tick;         /* 0: reads at once */
	uint64_t not_before_us;         /* the reader sleeps till then */
	bool closed, fin, keep_open;
	uint32_t events;                /* all that were ever set */
	struct pair_link out;
};

struct pair_packet {
	uint64_t at_us, order;
	int to;
	struct tcp_header h;
	uint32_t len, options;
	uint64_t offset;
	uint16_t checksum;
};

struct pair {
	struct counters counters;
	struct pool pool;
	struct tcp_env env;
	struct pair_side s[2];          /* 0 opens, 1 accepts */
	struct pair_packet *queue;      /* unsorted: few are under way */
	uint32_t count, capacity;
	uint64_t now_us, order, tick_us, rng;
	bool timed_out, no_passive;
	uint32_t max_cwnd;
};

static inline uint8_t pair_byte(uint64_t offset)
{
	return (uint8_t)((offset * 0x9e3779b97f4a7c15u) >> 56);
}

static inline void pair_init(struct pair *p, uint64_t seed)
{
	memset(p, 0, sizeof(*p));
	p->rng = seed;
	p->now_us = 1000000;
	pool_init(&p->pool, 0, 64 * POOL_BLOCK);
	tcp_env_init(&p->env, &p->counters, &p->pool);
	for (int i = 0; i < 2; i++) {
		p->s[i].buffer = 1 << 20;
		p->s[i].out.delay_us = 10000;
	}
	p->no_passive = true;
}

static inline void pair_fini(struct pair *p)
{
	tcp_fini(&p->s[0].tc);
	if (!p->no_passive)
		tcp_fini(&p->s[1].tc);
	tcp_env_fini(&p->env);
	ck_assert_uint_eq(p->pool.used_bytes, 0);
	pool_fini(&p->pool);
	free(p->queue);
}

static inline void pair_enqueue(struct pair *p, const struct pair_packet *q)
{
	if (p->count == p->capacity) {
		p->capacity = p->capacity ? 2 * p->capacity : 64;
		p->queue = realloc(p->queue, p->capacity * sizeof(*p->queue));
		ck_assert_ptr_nonnull(p->queue);
	}
	p->queue[p->count] = *q;
	p->queue[p->count++].order = p->order++;
}

static inline void pair_transmit(struct pair *p, int from, struct pair_packet *q)
{
	struct pair_link *l = &p->s[from].out;
	uint64_t bits = (q->len + 60) * 8ull, start;
	uint32_t copies = 1;

	if (q->len && l->data_packets++ >= l->drop_from && l->data_packets <= l->drop_to)
		goto drop;
	if (l->drop_times && l->drop_offset >= q->offset && l->drop_offset < q->offset + q->len) {
		l->drop_times--;
		goto drop;
	}
	if (p->now_us >= l->down_from_us && p->now_us < l->down_to_us)
		goto drop;
	if (l->mtu_mss && q->len && q->len + q->options > l->mtu_mss)
		goto drop;
	if (unit_random_below(&p->rng, 1000000) < l->loss_ppm)
		goto drop;
	if (unit_random_below(&p->rng, 1000000) < l->dup_ppm)
		copies = 2;
	start = l->free_us > p->now_us ? l->free_us : p->now_us;
	if (l->rate_bps) {
		if (l->queue_bytes &&
		    (start - p->now_us) * l->rate_bps / 8000000 > l->queue_bytes)
			goto drop;
		start += bits * 1000000 / l->rate_bps;
		l->free_us = start;
	}
	l->passed++;
	while (copies--) {
		q->at_us = start + l->delay_us;
		if (l->jitter_us)
			q->at_us += unit_random_below(&p->rng, l->jitter_us);
		if (unit_random_below(&p->rng, 1000000) < l->reorder_ppm)
			q->at_us += l->reorder_us;
		pair_enqueue(p, q);
	}
	return;
drop:
	l->dropped++;
}

/* Puts a segment on the link, cut to what the path carries. */
static inline void pair_emit(struct pair *p, int from, const struct tcp_tx *tx)
{
	struct tcp_conn *tc = &p->s[from].tc;
	struct pair_packet q = { .to = !from };
	uint32_t mss = tx->whole ? tx->len : tcp_payload_mss(tc, tc->option_len), done = 0;

	tcp_fill_header(tc, tx, p->now_us, &q.h);
	/* Its size would not be the one that is tried. */
	ck_assert(!tx->whole || !q.h.opt.sack_count);
	if (q.h.opt.has_ts && q.h.opt.sack_count > 3)
		q.h.opt.sack_count = 3;
	if (tx->len) {
		ck_assert_uint_eq((uint32_t)tx->offset, tx->seq - (tc->iss + 1));
		ck_assert(seq32_leq(tx->map_seq, tx->seq));
		ck_assert(seq32_leq(tx->seq + tx->len, tx->map_seq + tx->map_len));
		ck_assert_uint_eq(tx->map_checksum, (uint16_t)(tx->map_seq * 40503u));
	}
	do {
		uint32_t n = tx->len - done < mss ? tx->len - done : mss;

		q.len = n;
		q.options = tc->option_len;
		q.offset = tx->offset + done;
		q.h.seq = tx->seq + done;
		q.h.flags = tx->flags;
		done += n;
		if (done < tx->len)
			q.h.flags &= ~(TCP_FIN | TCP_PSH);
		pair_transmit(p, from, &q);
	} while (done < tx->len);
}

static inline void pair_flush(struct pair *p, int i)
{
	struct pair_side *s = &p->s[i];
	struct tcp_tx tx;
	uint32_t room;

	if (i == 1 && p->no_passive)
		return;
	s->tc.want_send = s->sent < s->total;
	tcp_set_window(&s->tc, s->buffer - s->unread);
	while (tcp_output(&s->tc, p->now_us, 65000, &tx))
		pair_emit(p, i, &tx);
	while (s->sent < s->total && (room = tcp_send_room(&s->tc))) {
		uint64_t n = s->total - s->sent;
		uint32_t mss = tcp_payload_mss(&s->tc, s->tc.option_len);
		uint32_t probe = tcp_mtu_probe_len(&s->tc);

		/* Whole segments, while there is more. */
		if (n > room)
			n = room >= mss ? room - room % mss : room;
		if (probe && s->total - s->sent >= probe)
			n = probe;
		if (n > 65000)
			n = 65000;
		ck_assert_int_eq(tcp_send(&s->tc, s->sent, (uint32_t)n, p->now_us, &tx), 0);
		tcp_tx_set_checksum(&s->tc, &tx, (uint16_t)(tx.map_seq * 40503u));
		s->sent += n;
		s->tc.want_send = s->sent < s->total;
		pair_emit(p, i, &tx);
	}
	if (s->sent == s->total && !s->closed && !s->keep_open && s->tc.state >= TCP_ESTABLISHED) {
		s->closed = true;
		tcp_close(&s->tc, p->now_us);
		while (tcp_output(&s->tc, p->now_us, 65000, &tx))
			pair_emit(p, i, &tx);
	}
	if (s->tc.cwnd_bytes > p->max_cwnd)
		p->max_cwnd = s->tc.cwnd_bytes;
	tcp_check(&s->tc);
}

static inline void pair_take(struct pair_side *s, uint32_t seq, const uint8_t *data, size_t len)
{
	ck_assert_uint_eq(seq, (uint32_t)(s->tc.irs + 1 + s->received));
	for (size_t i = 0; i < len; i++)
		if (data[i] != pair_byte(s->received + i))
			ck_abort_msg("wrong byte at %llu", (unsigned long long)(s->received + i));
	s->received += len;
	if (s->read_per_tick)
		s->unread += (uint32_t)len;
	ck_assert_uint_le(s->unread, s->buffer);
}

static inline void pair_deliver(struct pair *p, const struct pair_packet *q)
{
	static uint8_t bytes[65536];
	struct pair_side *s = &p->s[q->to];
	struct packet pkt = { .kind = PACKET_TCP, .tcp = q->h, .payload = bytes,
			      .payload_len = q->len };
	struct tcp_rx rx;
	const uint8_t *data;
	uint32_t seq;
	size_t n;

	for (uint32_t i = 0; i < q->len; i++)
		bytes[i] = pair_byte(q->offset + i);
	if (q->to == 1 && p->no_passive) {
		struct tcp_config cfg = p->s[1].tc.cfg;

		if (!(q->h.flags & TCP_SYN))
			return;
		tcp_init_passive(&s->tc, &p->env, &cfg, &pkt,
				 (uint32_t)unit_random(&p->rng) | 0xfff00000u, 77, p->now_us);
		tcp_accept(&s->tc, p->now_us);
		p->no_passive = false;
		return;
	}
	tcp_input(&s->tc, &pkt, p->now_us, &rx);
	if (rx.len)
		pair_take(s, rx.seq, rx.data, rx.len);
	while ((n = tcp_rx_pop(&s->tc, &data, &seq, p->now_us)))
		pair_take(s, seq, data, n);
	if (s->tc.events & TCP_EVENT_FIN) {
		ck_assert_uint_eq(s->received, p->s[!q->to].total);
		s->fin = true;
	}
	s->events |= s->tc.events;
	s->tc.events = 0;
	tcp_check(&s->tc);
}

static inline void pair_start(struct pair *p, const struct tcp_config *cfg)
{
	p->s[1].tc.cfg = *cfg;
	tcp_init_active(&p->s[0].tc, &p->env, cfg, (uint32_t)unit_random(&p->rng) | 0xfff00000u,
			(uint32_t)unit_random(&p->rng), p->now_us);
	pair_flush(p, 0);
}

static inline bool pair_slow_reader(const struct pair *p)
{
	return (p->s[0].unread && p->s[0].read_per_tick) ||
	       (p->s[1].unread && p->s[1].read_per_tick);
}

/* One step of time; false when nothing is left to happen. */
static inline bool pair_step(struct pair *p)
{
	uint64_t next = PAIR_NEVER;
	int touched = 0;

	for (uint32_t i = 0; i < p->count; i++)
		if (p->queue[i].at_us < next)
			next = p->queue[i].at_us;
	for (int i = 0; i < 2; i++)
		if (i == 0 || !p->no_passive) {
			uint64_t d = tcp_deadline(&p->s[i].tc);

			if (d < next)
				next = d;
		}
	if (pair_slow_reader(p) && p->tick_us < next)
		next = p->tick_us > p->now_us ? p->tick_us : p->now_us;
	if (next == PAIR_NEVER)
		return false;
	if (next > p->now_us)
		p->now_us = next;
	if (pair_slow_reader(p) && p->tick_us <= p->now_us) {
		p->tick_us = p->now_us + 10000;
		for (int i = 0; i < 2; i++) {
			uint32_t n = p->s[i].read_per_tick;

			if (p->now_us < p->s[i].not_before_us)
				n = 0;
			p->s[i].unread -= n < p->s[i].unread ? n : p->s[i].unread;
		}
		touched = 3;
	}
	for (;;) {
		uint32_t best = UINT32_MAX;
		struct pair_packet q;

		for (uint32_t i = 0; i < p->count; i++)
			if (p->queue[i].at_us <= p->now_us &&
			    (best == UINT32_MAX || p->queue[i].at_us < p->queue[best].at_us ||
			     (p->queue[i].at_us == p->queue[best].at_us &&
			      p->queue[i].order < p->queue[best].order)))
				best = i;
		if (best == UINT32_MAX)
			break;
		q = p->queue[best];
		p->queue[best] = p->queue[--p->count];
		pair_deliver(p, &q);
		touched |= 1 << q.to;
	}
	for (int i = 0; i < 2; i++) {
		struct pair_side *s = &p->s[i];

		if (i == 1 && p->no_passive)
			continue;
		if (tcp_deadline(&s->tc) <= p->now_us) {
			tcp_timeout(&s->tc, p->now_us);
			s->events |= s->tc.events;
			s->tc.events = 0;
			touched |= 1 << i;
		}
		if (touched & (1 << i))
			pair_flush(p, i);
	}
	return true;
}

/* Runs until both streams are complete and closed, or `limit_us` from now. */
static inline bool pair_run(struct pair *p, uint64_t limit_us)
{
	uint64_t end = p->now_us + limit_us;

	while (p->now_us < end) {
		bool done = !p->no_passive;

		for (int i = 0; i < 2; i++)
			done = done && p->s[i].fin && p->s[i].tc.fin_acked;
		if (done)
			return true;
		if (!pair_step(p))
			return false;
	}
	return false;
}

static inline void pair_print(const struct pair *p)
{
	for (int i = 0; i < 2; i++) {
		const struct pair_side *s = &p->s[i];

		printf("side %d: %s sent %llu/%llu received %llu una +%u nxt +%u wnd %u cwnd %u "
		       "pipe %u lost %u sacked %u recovery %d events %x deadline %lld\n",
		       i, tcp_state_name(s->tc.state), (unsigned long long)s->sent,
		       (unsigned long long)s->total, (unsigned long long)s->received,
		       s->tc.snd_una - s->tc.iss, s->tc.snd_nxt - s->tc.iss, s->tc.snd_wnd,
		       s->tc.cwnd_bytes, tcp_pipe(&s->tc), s->tc.lost_bytes, s->tc.sacked_bytes,
		       s->tc.recovery, s->events,
		       (long long)(tcp_deadline(&s->tc) - p->now_us));
	}
}

#endif
