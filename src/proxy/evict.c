/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See evict.h.  Progress is what the client has acknowledged and the server has taken; it
 * is compared from one look to the next, so that nothing is done per packet.
 */
#include "proxy/evict.h"

#include "proxy/session.h"

/* Sessions that one look may end. */
#define EVICT_MAX 32

uint64_t evict_deadline(const struct proxy *proxy)
{
	return proxy->evict_due_us;
}

void evict_watch(struct proxy *proxy, uint64_t now_us)
{
	if (proxy->evict_due_us == TIMER_NEVER &&
	    pool_pressure(&proxy->pool) >= EVICT_WATCH_PERCENT)
		proxy->evict_due_us = now_us + EVICT_PERIOD_US;
}

static size_t session_memory(const struct session *s)
{
	return mptcp_memory(s->conn) + stream_memory(&s->overflow);
}

/* Whether nothing has moved for too long. */
static bool stalled(struct session *s, uint64_t now_us)
{
	uint64_t progress = s->conn->snd_una + s->bytes_to_server;

	if (!s->progress_us || progress != s->progress) {
		s->progress = progress;
		s->progress_us = now_us;
		return false;
	}
	return now_us - s->progress_us >= EVICT_STALL_US;
}

/* Keeps the EVICT_MAX largest, in falling order. */
static size_t keep_largest(struct session *top[EVICT_MAX], size_t count, struct session *s)
{
	size_t memory = session_memory(s), at = count;

	while (at && session_memory(top[at - 1]) < memory)
		at--;
	if (!memory || at == EVICT_MAX)
		return count;
	if (count < EVICT_MAX)
		count++;
	for (size_t i = count - 1; i > at; i--)
		top[i] = top[i - 1];
	top[at] = s;
	return count;
}

void evict_timeout(struct proxy *proxy, uint64_t now_us)
{
	struct session *top[EVICT_MAX], *s;
	size_t count = 0;

	if (now_us < proxy->evict_due_us)
		return;
	if (pool_pressure(&proxy->pool) < EVICT_WATCH_PERCENT) {
		/* What was noted is too old by the next time. */
		list_for_each(s, &proxy->sessions, link)
			s->progress_us = 0;
		proxy->evict_due_us = TIMER_NEVER;
		return;
	}
	proxy->evict_due_us = now_us + EVICT_PERIOD_US;
	list_for_each(s, &proxy->sessions, link)
		if (s->state != SESSION_DONE && stalled(s, now_us))
			count = keep_largest(top, count, s);
	for (size_t i = 0; i < count; i++) {
		if (pool_pressure(&proxy->pool) < LIMITS_MEMORY_PERCENT)
			break;
		counter_inc(proxy->counters, CNT_EVICTED);
		session_kill(top[i], "memory is short, and nothing moved", now_us);
	}
}
