/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages between the proxies of several workers, see shard.h.  The worker sends and
 * receives them (proxy_ops.send, proxy_message()); what to do with a packet that was handed
 * over is decided by proxy.c, as for any other.
 */
#include "proxy/shard.h"

#include "proxy/session.h"

static bool send(struct proxy *proxy, uint16_t to, enum proxy_message_kind kind,
		 const struct flow *f, const uint8_t *data, size_t len, bool checksum_known)
{
	struct proxy_message m = {
		.kind = kind,
		.from = (uint16_t)proxy->worker,
		.generation = f->generation,
		.checksum_known = checksum_known,
		.tuple = f->tuple,
		.data = data,
		.len = len,
	};

	return proxy->ops->send(proxy->ops_ctx, to, &m);
}

/* ---- the lander ----------------------------------------------------------------- */

static uint32_t next_generation(struct proxy *proxy)
{
	if (!++proxy->generation)
		proxy->generation = 1;
	return proxy->generation;
}

void shard_forward(struct proxy *proxy, struct flow *f, bool syn, const uint8_t *data, size_t len,
		   bool checksum_known)
{
	uint32_t before = f->generation;

	if (syn)
		f->generation = next_generation(proxy);
	if (send(proxy, f->peer, PROXY_MESSAGE_PACKET, f, data, len, checksum_known)) {
		counter_inc(proxy->counters, CNT_HANDED_OVER);
		return;
	}
	/* The owner never heard of it. */
	f->generation = before;
	counter_inc(proxy->counters, CNT_HANDOVER_LOST);
}

bool shard_token_elsewhere(const struct proxy *proxy, uint32_t token, uint16_t *owner)
{
	*owner = (uint16_t)(token % proxy->workers);
	return *owner != proxy->worker && proxy->ops->token_elsewhere &&
	       proxy->ops->token_elsewhere(proxy->ops_ctx, *owner, token);
}

void shard_join(struct proxy *proxy, const struct packet *p, uint16_t owner, const uint8_t *data,
		size_t len, bool checksum_known)
{
	struct flow *f = flowtable_add_away(&proxy->flows, &p->tuple, owner);

	/* Without memory, or room on the way, it is as if the SYN had been lost. */
	if (!f) {
		counter_inc(proxy->counters, CNT_HANDOVER_LOST);
		return;
	}
	shard_forward(proxy, f, true, data, len, checksum_known);
	if (!f->generation)
		proxy_forget_flow(proxy, f);
}

/* ---- the owner ------------------------------------------------------------------ */

void shard_tell_gone(struct proxy *proxy, const struct flow *f)
{
	send(proxy, f->peer, PROXY_MESSAGE_GONE, f, NULL, 0, false);
}

static void receive_packet(struct proxy *proxy, const struct proxy_message *m, uint64_t now_us)
{
	enum proxy_verdict verdict = proxy_dispatch(proxy, m->data, m->len, m->checksum_known,
						    PACKET_HANDED, now_us);
	struct flow *f = flowtable_find(&proxy->flows, &m->tuple);
	struct flow none = { .tuple = m->tuple, .generation = m->generation, .peer = m->from };

	counter_inc(proxy->counters, CNT_HANDED_IN);
	if (f && verdict == PROXY_TAKE) {
		f->generation = m->generation;
		f->peer = m->from;
		return;
	}
	/* It ended, or did not begin. */
	if (verdict == PROXY_TAKE)
		shard_tell_gone(proxy, &none);
	else
		send(proxy, m->from, PROXY_MESSAGE_RETURNED, &none, m->data, m->len,
		     m->checksum_known);
}

/* ---- both ----------------------------------------------------------------------- */

void proxy_message(struct proxy *proxy, const struct proxy_message *m, uint64_t now_us)
{
	struct flow *f;

	if (m->kind == PROXY_MESSAGE_PACKET) {
		receive_packet(proxy, m, now_us);
		return;
	}
	f = flowtable_find(&proxy->flows, &m->tuple);
	if (!f || f->kind != FLOW_AWAY || f->peer != m->from || f->generation != m->generation)
		return;
	if (m->kind == PROXY_MESSAGE_RETURNED) {
		/* The kernel catches the tuple since its SYN, and goes on where we take it. */
		flowtable_remove(&proxy->flows, f);
		if (proxy_dispatch(proxy, m->data, m->len, m->checksum_known, PACKET_RETURNED,
				   now_us) == PROXY_TAKE)
			return;
		counter_inc(proxy->counters, CNT_HANDOVER_LOST);
		proxy->ops->flow_forget(proxy->ops_ctx, &m->tuple);
		return;
	}
	f->generation = 0;
	proxy_forget_flow(proxy, f);
}
