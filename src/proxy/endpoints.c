/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which endpoints each session's client is told of.
 *
 * A list is made for one session at a time, when its connection is established and again
 * whenever the configuration changes or an address comes or goes; the engine finds out what
 * is new in it.  After a change the sessions are gone through a few in each turn, so that a
 * gateway with very many of them does not stand still, nor send them all a packet at once.
 *
 * It owns nothing; it calls mptcp/.
 */
#include "proxy/session.h"

/* Sessions that are told of a change in one turn of the loop. */
#define TELL_PER_TURN 256

/* An address that only its own network can reach helps no client from elsewhere, and some
 * clients distrust whoever announces one. */
static bool is_for(const struct proxy_endpoint *e, const struct session *s)
{
	return !ip_addr_is_private(&e->ep.announced.addr) || ip_addr_is_private(&s->client.addr);
}

void session_tell_endpoints(struct session *s, uint64_t now_us)
{
	const struct proxy_config *config = s->proxy->config;
	struct mptcp_endpoint list[PROXY_ENDPOINTS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < config->endpoint_count; i++) {
		if (!is_for(&config->endpoints[i], s))
			continue;
		list[n] = config->endpoints[i].ep;
		list[n++].gone = s->proxy->absent_endpoints & 1u << i;
	}
	mptcp_set_endpoints(s->conn, list, n, now_us);
}

void endpoints_changed(struct proxy *proxy)
{
	proxy->tell_next = list_empty(&proxy->sessions) ? NULL : proxy->sessions.next;
}

void endpoints_forget(struct proxy *proxy, struct session *s)
{
	if (proxy->tell_next == &s->link)
		proxy->tell_next = s->link.next == &proxy->sessions ? NULL : s->link.next;
}

void endpoints_tell_some(struct proxy *proxy, uint64_t now_us)
{
	for (int i = 0; i < TELL_PER_TURN && proxy->tell_next; i++) {
		struct session *s = list_entry(proxy->tell_next, struct session, link);

		endpoints_forget(proxy, s);
		if (s->conn_closed)
			continue;
		session_tell_endpoints(s, now_us);
		session_touch(s);
	}
}
