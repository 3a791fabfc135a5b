/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TIME-WAIT in a few bytes, after the endpoint itself is gone.
 */
#include <string.h>

#include "tcp/tcp_internal.h"

void tcp_timewait_init(struct tcp_timewait *tw, const struct tcp_conn *tc, uint64_t now_us)
{
	memset(tw, 0, sizeof(*tw));
	tw->snd_nxt = tc->snd_nxt;
	tw->rcv_nxt = tc->rcv_nxt;
	tw->ts_recent = tc->ts_recent;
	tw->ts_offset = tc->ts_offset;
	tw->ts_on = tc->ts_on;
	tw->ts_next = tc->cfg.timestamps;
	tw->until_us = tcp_timer_on(tc, TCP_TIMER_STATE) ? tc->deadline_us[TCP_TIMER_STATE] :
							   now_us + tc->cfg.time_wait_us;
}

enum tcp_timewait_action tcp_timewait_input(struct tcp_timewait *tw, const struct packet *p,
					    uint64_t now_us, uint32_t time_wait_us)
{
	const struct tcp_header *h = &p->tcp;
	bool ts = tw->ts_on && h->opt.has_ts;

	if (h->flags & TCP_RST)
		return h->seq == tw->rcv_nxt ? TCP_TIMEWAIT_END : TCP_TIMEWAIT_DROP;
	if ((h->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN) {
		/* RFC 6191: a newer timestamp, which is no use without PAWS afterwards, or a
		 * sequence number past the old ones. */
		if (ts && tw->ts_next && h->opt.ts_val != tw->ts_recent ?
		    seq32_gt(h->opt.ts_val, tw->ts_recent) : seq32_gt(h->seq, tw->rcv_nxt))
			return TCP_TIMEWAIT_NEW;
		return TCP_TIMEWAIT_ACK;
	}
	if (h->flags & TCP_SYN)
		return TCP_TIMEWAIT_ACK;
	if (h->flags & TCP_FIN) {
		/* The peer did not hear our last ACK: wait anew. */
		if (!ts || seq32_geq(h->opt.ts_val, tw->ts_recent))
			tw->until_us = now_us + time_wait_us;
		return TCP_TIMEWAIT_ACK;
	}
	if (p->payload_len)
		return TCP_TIMEWAIT_ACK;
	/* A bare ACK in place needs no answer, or two ends could go on for ever. */
	return TCP_TIMEWAIT_DROP;
}

void tcp_timewait_header(const struct tcp_timewait *tw, uint64_t now_us, struct tcp_header *h)
{
	memset(&h->opt, 0, sizeof(h->opt));
	h->seq = tw->snd_nxt;
	h->ack = tw->rcv_nxt;
	h->flags = TCP_ACK;
	h->window = 0;
	h->urgent = 0;
	h->checksum = 0;
	if (tw->ts_on) {
		h->opt.has_ts = true;
		h->opt.ts_val = (uint32_t)(now_us / 1000) + tw->ts_offset;
		h->opt.ts_ecr = tw->ts_recent;
	}
}

bool tcp_reset_for(const struct packet *p, struct tcp_header *h)
{
	const struct tcp_header *in = &p->tcp;

	if (in->flags & TCP_RST)
		return false;
	memset(&h->opt, 0, sizeof(h->opt));
	h->window = 0;
	h->urgent = 0;
	h->checksum = 0;
	if (in->flags & TCP_ACK) {
		h->seq = in->ack;
		h->ack = 0;
		h->flags = TCP_RST;
	} else {
		h->seq = 0;
		h->ack = in->seq + (uint32_t)p->payload_len + !!(in->flags & TCP_SYN) +
			 !!(in->flags & TCP_FIN);
		h->flags = TCP_RST | TCP_ACK;
	}
	return true;
}
