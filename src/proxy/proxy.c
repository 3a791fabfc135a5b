/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The proxy's life, and what becomes of each captured packet.
 *
 * A packet is looked up by its tuple first.  What belongs to a live subflow goes to its
 * session, what belongs to an old flow is answered from the flow table, and of the
 * rest only SYNs with MP_CAPABLE towards a service, and with MP_JOIN for a token of
 * ours, are taken.  Everything else, and everything that is in doubt, is passed on.
 *
 * It owns the sessions (by way of their list), the tables, the timer heap and the
 * payload pool.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/seq.h"
#include "proxy/evict.h"
#include "proxy/session.h"

/* Old flows that expire in one turn of the loop. */
#define PROXY_EXPIRE_MAX 1024
/* Free payload memory kept for reuse. */
#define PROXY_POOL_KEEP_BYTES (16u << 20)
#define PROXY_OLD_FLOWS_MIN 1024u
#define PROXY_OLD_FLOWS_DEFAULT 65536u
/* MTUs below these are not believed (RFC 1191, section 3, and what Linux takes for the
 * least; RFC 8201, section 4). */
#define PROXY_MTU4_MIN 552u
#define PROXY_MTU6_MIN 1280u
/* For how long clients repeat their SYNs, about (Linux: 63 s). */
#define PROXY_PASSED_KEEP_US 120000000u

/* ---- life ------------------------------------------------------------------- */

static void env_random(void *ctx, void *buf, size_t len)
{
	struct proxy *proxy = ctx;

	proxy->ops->random(proxy->ops_ctx, buf, len);
}

static bool env_token_usable(void *ctx, uint32_t token)
{
	struct proxy *proxy = ctx;

	return token % proxy->workers == proxy->worker &&
	       !flowtable_token_find(&proxy->flows, token);
}

static uint32_t old_flows_max(const struct proxy_config *config)
{
	if (!config->max_connections)
		return PROXY_OLD_FLOWS_DEFAULT;
	if (config->max_connections < PROXY_OLD_FLOWS_MIN)
		return PROXY_OLD_FLOWS_MIN;
	return config->max_connections;
}

struct proxy *proxy_new(const struct proxy_config *config, const struct proxy_ops *ops,
			void *ops_ctx, const struct packet_sink *sink, struct counters *counters)
{
	struct proxy *proxy = calloc(1, sizeof(*proxy));
	struct hash_key key;

	if (!proxy)
		return NULL;
	if (services_init(&proxy->services, config)) {
		free(proxy);
		return NULL;
	}
	proxy->config = config;
	proxy->absent_endpoints = config->absent_endpoints;
	proxy->ops = ops;
	proxy->ops_ctx = ops_ctx;
	proxy->sink = sink;
	proxy->counters = counters;
	proxy->workers = 1;
	proxy->load = &proxy->own_load;
	pool_init(&proxy->pool, config->memory_bytes, PROXY_POOL_KEEP_BYTES);
	mptcp_env_init(&proxy->env, counters, &proxy->pool);
	proxy->env.ctx = proxy;
	proxy->env.random = env_random;
	proxy->env.token_usable = env_token_usable;
	ops->random(ops_ctx, &key, sizeof(key));
	robbed_init(&proxy->own_load.robbed, &key);
	flowtable_init(&proxy->flows, &key, old_flows_max(config));
	recent_init(&proxy->passed, &key);
	ops->random(ops_ctx, &proxy->stateless.key, sizeof(proxy->stateless.key));
	proxy->stateless.workers = 1;
	timer_heap_init(&proxy->timers);
	list_init(&proxy->sessions);
	list_init(&proxy->dirty);
	list_init(&proxy->free_pending);
	proxy->evict_due_us = TIMER_NEVER;
	return proxy;
}

void proxy_free(struct proxy *proxy, uint64_t now_us)
{
	struct session *s;

	if (!proxy)
		return;
	while ((s = list_first(&proxy->sessions, struct session, link)))
		session_kill(s, "shutdown", now_us);
	flowtable_fini(&proxy->flows);
	timer_heap_fini(&proxy->timers);
	services_fini(&proxy->services);
	relay_free_spares(proxy);
	mptcp_env_fini(&proxy->env);
	pool_fini(&proxy->pool);
	free(proxy);
}

int proxy_set_config(struct proxy *proxy, const struct proxy_config *config)
{
	struct services services;
	int err = services_init(&services, config);

	if (err)
		return err;
	services_fini(&proxy->services);
	proxy->services = services;
	proxy->config = config;
	proxy_set_absent(proxy, config->absent_endpoints);
	proxy->pool.limit_bytes = config->memory_bytes;
	proxy->flows.old_max = old_flows_max(config);
	return 0;
}

void proxy_set_absent(struct proxy *proxy, uint32_t absent)
{
	proxy->absent_endpoints = absent;
	endpoints_changed(proxy);
}

void proxy_set_worker(struct proxy *proxy, uint32_t index, uint32_t count,
		      struct proxy_load *load)
{
	if (!index)
		robbed_init(&load->robbed, &proxy->own_load.robbed.clients.key);
	proxy->load = load;
	pool_share(&proxy->pool, &load->memory);
	proxy->worker = index;
	proxy->workers = count ? count : 1;
	proxy->stateless.worker = index;
	proxy->stateless.workers = proxy->workers;
}

void proxy_set_device(struct proxy *proxy, bool up)
{
	proxy->device_down = !up;
}

void proxy_drain(struct proxy *proxy)
{
	proxy->draining = true;
}

size_t proxy_session_count(const struct proxy *proxy)
{
	return proxy->session_count;
}

/* ---- output ----------------------------------------------------------------- */

void proxy_emit_answer(struct proxy *proxy, const struct flow_tuple *rx, struct tcp_header *h)
{
	uint8_t headers[PACKET_HEADER_MAX], options[TCP_OPTIONS_MAX];
	struct packet_out out = { .headers = headers };
	struct flow_tuple tx;
	int opt_len;

	flow_tuple_reverse(&tx, rx);
	h->src_port = tx.src.port;
	h->dst_port = tx.dst.port;
	opt_len = tcp_options_build(options, &h->opt, NULL, 0);
	if (opt_len < 0)
		return;
	out.headers_len = packet_build_tcp(headers, &tx, h, options, (size_t)opt_len, 0, 0, 0,
					   &out.ip_len);
	out.tuple = &tx;
	if (h->flags & TCP_RST)
		counter_inc(proxy->counters, CNT_TCP_RST_OUT);
	proxy->sink->emit(proxy->sink->ctx, &out);
}

void proxy_forget_flow(struct proxy *proxy, struct flow *f)
{
	/* The kernel's set is the business of the worker with which packets come in. */
	if (f->generation)
		shard_tell_gone(proxy, f);
	else
		proxy->ops->flow_forget(proxy->ops_ctx, &f->tuple);
	flowtable_remove(&proxy->flows, f);
}

static void answer_reset(struct proxy *proxy, const struct packet *p)
{
	struct tcp_header h = { .flags = 0 };

	if (tcp_reset_for(p, &h))
		proxy_emit_answer(proxy, &p->tuple, &h);
}

/* ---- new flows -------------------------------------------------------------- */

static uint32_t half_open(const struct proxy *proxy)
{
	return atomic_load_explicit(&proxy->load->half_open, memory_order_relaxed);
}

static bool may_begin(struct proxy *proxy, const struct packet *p, enum counter_id *why,
		      uint64_t now_us)
{
	const struct ip_addr *from = &p->tuple.src.addr;
	struct limits_load load = {
		.sessions = atomic_load_explicit(&proxy->load->sessions, memory_order_relaxed),
		.half_open = half_open(proxy),
		.source_sessions = proxy->ops->source_sessions
					   ? proxy->ops->source_sessions(proxy->ops_ctx, from, 0)
					   : flowtable_source_count(&proxy->flows, from),
		.memory_percent = pool_pressure(&proxy->pool),
		.draining = proxy->draining,
		.device_down = proxy->device_down,
		.files_short = now_us < proxy->files_short_until_us,
	};

	return limits_admit(proxy->config, &load, why);
}

/*
 * A SYN that was passed on is the server's, with all its repetitions: once the server has it, a
 * connection of ours with the same addresses and ports would break that one.  Those that come
 * without MP_CAPABLE in the end may be overtaken (RFC 8684, section 3.1).
 */
struct passed_syn {
	struct flow_tuple tuple;
	uint32_t seq;
};

static struct passed_syn passed_syn(const struct packet *p)
{
	struct passed_syn syn;

	memset(&syn, 0, sizeof(syn)); /* padding is hashed too */
	syn.tuple = p->tuple;
	syn.seq = p->tcp.seq;
	return syn;
}

static bool passed_before(struct proxy *proxy, const struct packet *p, uint64_t now_us)
{
	struct passed_syn syn = passed_syn(p);

	return recent_knows(&proxy->passed, &syn, sizeof(syn), now_us);
}

static void note_passed(struct proxy *proxy, const struct packet *p, uint64_t now_us)
{
	struct passed_syn syn = passed_syn(p);

	recent_note(&proxy->passed, &syn, sizeof(syn), PROXY_PASSED_KEEP_US, now_us);
}

static enum proxy_verdict pass_syn(struct proxy *proxy, const struct packet *p, enum counter_id why,
				   uint64_t now_us)
{
	counter_inc(proxy->counters, why);
	note_passed(proxy, p, now_us);
	return PROXY_PASS;
}

/*
 * Answers the SYN and forgets it, see stateless.h.  The connection that makes the answer
 * lives for that long only.  False if it cannot be answered so.
 */
static bool answer_stateless(struct proxy *proxy, const struct proxy_service *service,
			     const struct packet *p, uint64_t now_us)
{
	struct mptcp_drawn drawn;
	struct packet syn = *p;
	struct mptcp_conn *conn;

	if (!stateless_draw(&proxy->stateless, &syn, now_us, &drawn))
		return false;
	conn = mptcp_new_passive_drawn(&proxy->env, &service->mptcp, &syn, &drawn, NULL, NULL,
				       now_us);
	if (!conn)
		return false;
	/* A key whose token is taken cannot be drawn again (RFC 8684, section 3.1): with state
	 * there is another one. */
	if (flowtable_token_find(&proxy->flows, conn->local_token)) {
		mptcp_free(conn);
		return false;
	}
	mptcp_accept(conn, now_us);
	mptcp_output(conn, proxy->sink, now_us);
	mptcp_free(conn);
	counter_inc(proxy->counters, CNT_STATELESS_SENT);
	return true;
}

static enum proxy_verdict handle_capable(struct proxy *proxy, const struct proxy_service *service,
					 const struct packet *p, const uint8_t *data, size_t len,
					 uint64_t now_us)
{
	enum counter_id why;

	counter_inc(proxy->counters, CNT_MP_CAPABLE_IN);
	/* To take such data without a cookie of ours would be to believe any source address;
	 * and if it is not acknowledged, Linux sends it again without a mapping.
	 * It repeats the SYN itself without the data. */
	if (p->payload_len)
		return pass_syn(proxy, p, CNT_STEP_ASIDE_SYN_DATA, now_us);
	if (robbed_knows(&proxy->load->robbed, &p->tuple.src.addr, now_us))
		return pass_syn(proxy, p, CNT_ROBBED_PASSED, now_us);
	if (passed_before(proxy, p, now_us)) {
		counter_inc(proxy->counters, CNT_SHED_REPEATED);
		return PROXY_PASS;
	}
	if (!may_begin(proxy, p, &why, now_us))
		return pass_syn(proxy, p, why, now_us);
	/* A drawn sequence number would not heed an old connection's. */
	if (half_open(proxy) >= proxy->config->stateless_half_open && !proxy->env.iss_after &&
	    answer_stateless(proxy, service, p, now_us))
		return PROXY_TAKE;
	switch (session_begin(proxy, service, p, data, len, NULL, now_us)) {
	case 0:
		return PROXY_TAKE;
	case -EPROTO:
		counter_inc(proxy->counters, CNT_STEP_ASIDE_FORM);
		return PROXY_PASS;
	case -ENOMEM:
	case -EEXIST:
		return pass_syn(proxy, p, CNT_SHED_MEMORY, now_us);
	case -EMFILE:
	case -ENFILE:
		/* The next SYNs would only cost time. */
		proxy->files_short_until_us = now_us + LIMITS_FILES_PAUSE_US;
		/* fall through */
	default:
		return pass_syn(proxy, p, CNT_SHED_FILES, now_us);
	}
}

/* Whether the packet must be taken for damaged. */
static bool checksum_bad(struct proxy *proxy, const struct packet *p, bool known)
{
	if (known)
		return false;
	if (p->truncated) {
		counter_inc(proxy->counters, CNT_RX_TRUNCATED);
		return true;
	}
	if (packet_checksum_ok(p))
		return false;
	counter_inc(proxy->counters, CNT_RX_CHECKSUM);
	return true;
}

/*
 * The ACK of a stateless answer begins the session that its SYN did not.  False: it is none.
 */
static bool handle_stateless(struct proxy *proxy, const struct packet *p, bool checksum_known,
			     uint64_t now_us)
{
	const struct proxy_service *service;
	struct mptcp_drawn drawn;
	enum counter_id why;
	struct packet syn;
	struct flow *f;

	if ((p->tcp.flags & (TCP_SYN | TCP_ACK | TCP_RST)) != TCP_ACK ||
	    !stateless_recent(&proxy->stateless, now_us) ||
	    !stateless_check(&proxy->stateless, p, now_us, &syn, &drawn))
		return false;
	service = services_find(&proxy->services, &p->tuple.dst);
	if (!service)
		return false;
	if (checksum_bad(proxy, p, checksum_known))
		return true;
	if (!may_begin(proxy, p, &why, now_us) ||
	    session_begin(proxy, service, &syn, NULL, 0, &drawn, now_us)) {
		counter_inc(proxy->counters, CNT_STATELESS_REFUSED);
		answer_reset(proxy, p);
		return true;
	}
	counter_inc(proxy->counters, CNT_STATELESS_DONE);
	f = flowtable_find(&proxy->flows, &p->tuple);
	session_packet(f->session, f->sf, p, now_us);
	return true;
}

/* A SYN with MP_JOIN. */
static enum proxy_verdict handle_join(struct proxy *proxy, const struct packet *p,
				      const uint8_t *data, size_t len, bool checksum_known,
				      enum packet_origin origin, uint64_t now_us)
{
	uint32_t token = p->tcp.mptcp.join.token;
	struct session *s = flowtable_token_find(&proxy->flows, token);
	uint16_t owner = 0;

	if (!s && (origin != PACKET_CAPTURED || !shard_token_elsewhere(proxy, token, &owner))) {
		counter_inc(proxy->counters, CNT_MP_JOIN_UNKNOWN);
		return PROXY_PASS;
	}
	if (checksum_bad(proxy, p, checksum_known))
		return PROXY_TAKE;
	if (s)
		session_join(s, p, now_us);
	else
		shard_join(proxy, p, owner, data, len, checksum_known);
	return PROXY_TAKE;
}

/* A packet of a flow that is not known, or not any more. */
static enum proxy_verdict handle_unknown(struct proxy *proxy, const struct packet *p,
					 const uint8_t *data, size_t len, bool checksum_known,
					 enum packet_origin origin, uint64_t now_us)
{
	uint32_t present = p->tcp.mptcp.present;
	const struct proxy_service *service;

	if (origin != PACKET_HANDED && handle_stateless(proxy, p, checksum_known, now_us))
		return PROXY_TAKE;
	if ((p->tcp.flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) != TCP_SYN)
		return PROXY_PASS;
	if (present & MPOPT_CAPABLE) {
		/* A session begins where its first subflow comes in. */
		if (origin == PACKET_HANDED)
			return PROXY_PASS;
		service = services_find(&proxy->services, &p->tuple.dst);
		if (!service)
			return PROXY_PASS;
		if (checksum_bad(proxy, p, checksum_known))
			return PROXY_TAKE;
		return handle_capable(proxy, service, p, data, len, now_us);
	}
	if (present & MPOPT_JOIN_SYN)
		return handle_join(proxy, p, data, len, checksum_known, origin, now_us);
	return PROXY_PASS;
}

/* ---- old flows -------------------------------------------------------------- */

/* Returns whether the packet is dealt with; if not, the flow is not known any more, and
 * *snd_nxt is the next sequence number that it would have sent. */
static bool handle_timewait(struct proxy *proxy, struct flow *f, const struct packet *p,
			    uint32_t *snd_nxt, uint64_t now_us)
{
	uint64_t until_us = f->tw.until_us;
	struct tcp_header h = { .flags = 0 };

	switch (tcp_timewait_input(&f->tw, p, now_us, f->time_wait_us)) {
	case TCP_TIMEWAIT_DROP:
		break;
	case TCP_TIMEWAIT_ACK:
		if (f->tw.until_us != until_us)
			flowtable_renew(&proxy->flows, f);
		tcp_timewait_header(&f->tw, now_us, &h);
		proxy_emit_answer(proxy, &p->tuple, &h);
		break;
	case TCP_TIMEWAIT_END:
		proxy_forget_flow(proxy, f);
		break;
	case TCP_TIMEWAIT_NEW:
		/* If it is passed on, that forgets the flow; if not, it is caught again. */
		*snd_nxt = f->tw.snd_nxt;
		flowtable_remove(&proxy->flows, f);
		return false;
	}
	return true;
}

static bool handle_closed(struct proxy *proxy, struct flow *f, const struct packet *p)
{
	if ((p->tcp.flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN) {
		flowtable_remove(&proxy->flows, f);
		return false;
	}
	answer_reset(proxy, p);
	return true;
}

/* ---- ICMP ------------------------------------------------------------------- */

/* RFC 1191 and RFC 8201, with the checks of RFC 5927, section 7. */
static void handle_too_big(struct session *s, struct mptcp_subflow *sf, const struct packet *p,
			   uint64_t now_us)
{
	bool v4 = ip_addr_is_v4(&p->tuple.src.addr);
	uint32_t least = v4 ? PROXY_MTU4_MIN : PROXY_MTU6_MIN;
	uint32_t mtu = p->icmp_mtu < least ? least : p->icmp_mtu;
	uint32_t mss = mtu - (v4 ? 20u : 40u) - TCP_HEADER_MIN;

	/* No path has less (RFC 8201, section 4). */
	if (!v4 && p->icmp_mtu < least)
		return;
	if (mss >= sf->tcp.mtu.max || seq32_lt(p->icmp_seq, sf->tcp.snd_una) ||
	    seq32_geq(p->icmp_seq, sf->tcp.snd_nxt))
		return;
	tcp_path_mtu(&sf->tcp, (uint16_t)mss, now_us);
	session_touch(s);
}

static enum proxy_verdict handle_icmp(struct proxy *proxy, const struct packet *p,
				      const uint8_t *data, size_t len, uint64_t now_us)
{
	struct flow_tuple rx;
	struct flow *f;

	flow_tuple_reverse(&rx, &p->tuple);
	f = flowtable_find(&proxy->flows, &rx);
	if (!f)
		return PROXY_PASS_KEEP;
	/* Everything but "too big" is soft: TCP goes on trying (RFC 5927, section 5). */
	if (p->icmp_error == ICMP_ERROR_TOO_BIG && f->kind == FLOW_SUBFLOW)
		handle_too_big(f->session, f->sf, p, now_us);
	else if (f->kind == FLOW_AWAY)
		shard_forward(proxy, f, false, data, len, true);
	return PROXY_TAKE;
}

/* ---- dispatch --------------------------------------------------------------- */

/* Where TCP begins behind an IPv6 header and its extensions; 0: nowhere, or not in this packet. */
static size_t peek_ip6_len(const uint8_t *data, size_t len)
{
	uint8_t next = data[6];
	size_t at = 40;

	while (next != 6) {
		const uint8_t *p;

		if (at > len || len - at < 8)
			return 0;
		p = data + at;
		switch (next) {
		case 43:        /* routing, of which the last destination counts */
			if (p[3])
				return 0;
			/* fall through */
		case 0:         /* options */
		case 60:
			at += ((size_t)p[1] + 1) * 8;
			break;
		case 44:        /* fragment: the first one */
			if (p[2] || p[3] & 0xf8)
				return 0;
			at += 8;
			break;
		default:
			return 0;
		}
		next = p[0];
	}
	return at;
}

/* The tuple of a packet that is not well-formed as a whole; false if there is none. */
static bool peek_tuple(const uint8_t *data, size_t len, struct flow_tuple *out)
{
	const uint8_t *ports;
	size_t ip_len;

	if (len >= 20 && data[0] >> 4 == 4) {
		ip_len = (size_t)(data[0] & 0x0f) * 4;
		/* TCP, and not a later fragment */
		if (ip_len < 20 || data[9] != 6 || (data[6] & 0x1f) || data[7])
			return false;
		ip_addr_from_v4(&out->src.addr, data + 12);
		ip_addr_from_v4(&out->dst.addr, data + 16);
	} else if (len >= 40 && data[0] >> 4 == 6) {
		ip_len = peek_ip6_len(data, len);
		if (!ip_len)
			return false;
		ip_addr_from_v6(&out->src.addr, data + 8);
		ip_addr_from_v6(&out->dst.addr, data + 24);
	} else {
		return false;
	}
	if (len < ip_len + 4)
		return false;
	ports = data + ip_len;
	out->src.port = (uint16_t)(ports[0] << 8 | ports[1]);
	out->dst.port = (uint16_t)(ports[2] << 8 | ports[3]);
	return true;
}

/* Whether the packet would reach a server as part of a connection that ends here. */
static bool is_ours(struct proxy *proxy, const uint8_t *data, size_t len)
{
	struct flow_tuple tuple;

	return peek_tuple(data, len, &tuple) && flowtable_find(&proxy->flows, &tuple);
}

/* What cannot be parsed is the kernel's to judge, unless it is ours. */
static enum proxy_verdict handle_malformed(struct proxy *proxy, const uint8_t *data, size_t len,
					   int err)
{
	counter_inc(proxy->counters, err == -EMSGSIZE ? CNT_RX_TRUNCATED : CNT_RX_MALFORMED);
	return is_ours(proxy, data, len) ? PROXY_TAKE : PROXY_PASS_KEEP;
}

/* So is what is no TCP: without its first fragment, or as a jumbogram, a segment of ours is lost. */
static enum proxy_verdict handle_other(struct proxy *proxy, const uint8_t *data, size_t len)
{
	if (!is_ours(proxy, data, len))
		return PROXY_PASS_KEEP;
	counter_inc(proxy->counters, CNT_RX_MALFORMED);
	return PROXY_TAKE;
}

enum proxy_verdict proxy_dispatch(struct proxy *proxy, const uint8_t *data, size_t len,
				  bool checksum_known, enum packet_origin origin, uint64_t now_us)
{
	enum proxy_verdict verdict;
	uint32_t snd_nxt;
	struct packet p;
	struct flow *f;
	int err;

	err = packet_parse(data, len, &p);
	if (err)
		return handle_malformed(proxy, data, len, err);
	if (p.kind == PACKET_ICMP_ERROR)
		return handle_icmp(proxy, &p, data, len, now_us);
	if (p.kind != PACKET_TCP)
		return handle_other(proxy, data, len);
	f = flowtable_find(&proxy->flows, &p.tuple);
	if (f && f->kind == FLOW_AWAY) {
		shard_forward(proxy, f, (p.tcp.flags & (TCP_SYN | TCP_ACK)) == TCP_SYN, data, len,
			      checksum_known);
		return PROXY_TAKE;
	}
	if (f) {
		if (checksum_bad(proxy, &p, checksum_known))
			return PROXY_TAKE;
		if (f->kind == FLOW_SUBFLOW) {
			verdict = session_packet(f->session, f->sf, &p, now_us);
			if (verdict == PROXY_PASS)
				note_passed(proxy, &p, now_us);
			return verdict;
		}
		if (f->kind == FLOW_TIMEWAIT) {
			if (handle_timewait(proxy, f, &p, &snd_nxt, now_us))
				return PROXY_TAKE;
			proxy->env.iss_after = &snd_nxt;
		} else if (handle_closed(proxy, f, &p)) {
			return PROXY_TAKE;
		}
	}
	verdict = handle_unknown(proxy, &p, data, len, checksum_known, origin, now_us);
	proxy->env.iss_after = NULL;
	return verdict;
}

enum proxy_verdict proxy_packet(struct proxy *proxy, const uint8_t *data, size_t len,
				bool checksum_known, uint64_t now_us)
{
	enum proxy_verdict verdict = proxy_dispatch(proxy, data, len, checksum_known,
						    PACKET_CAPTURED, now_us);

	if (verdict != PROXY_TAKE)
		counter_inc(proxy->counters, CNT_RX_PASSED);
	return verdict;
}

/* ---- time ------------------------------------------------------------------- */

uint64_t proxy_deadline(const struct proxy *proxy)
{
	uint64_t timers = timer_next(&proxy->timers);
	uint64_t flows = flowtable_deadline(&proxy->flows);

	if (!list_empty(&proxy->dirty) || proxy->tell_next)
		return 0;
	if (evict_deadline(proxy) < timers)
		timers = evict_deadline(proxy);
	return timers < flows ? timers : flows;
}

void proxy_timeout(struct proxy *proxy, uint64_t now_us)
{
	struct timer_node *n;
	struct flow *f;

	/* A node comes back to the heap only in proxy_flush(): this ends. */
	while ((n = timer_pop(&proxy->timers, now_us)))
		session_timeout(container_of(n, struct session, timer), now_us);
	for (int i = 0; i < PROXY_EXPIRE_MAX; i++) {
		f = flowtable_expired(&proxy->flows, now_us);
		if (!f)
			break;
		proxy_forget_flow(proxy, f);
	}
	evict_timeout(proxy, now_us);
}

void proxy_flush(struct proxy *proxy, uint64_t now_us)
{
	struct list todo, *l;

	endpoints_tell_some(proxy, now_us);
	/* Whatever is touched from here on is for the next turn. */
	list_init(&todo);
	if (!list_empty(&proxy->dirty)) {
		list_insert_after(&proxy->dirty, &todo);
		list_remove(&proxy->dirty);
	}
	while (!list_empty(&todo)) {
		l = todo.next;
		list_remove(l);
		session_flush(container_of(l, struct session, dirty), now_us);
	}
	evict_watch(proxy, now_us);
}

/* ---- status ----------------------------------------------------------------- */

void proxy_sessions(const struct proxy *proxy,
		    bool (*each)(void *ctx, const struct session_info *), void *ctx)
{
	struct session *s;

	list_for_each(s, &proxy->sessions, link) {
		struct session_info info = {
			.id = s->id,
			.client = s->client,
			.server = s->server_addr,
			.service = s->service,
			.state = session_state_name(s->state),
			.created_us = s->created_us,
			.bytes_to_server = s->bytes_to_server,
			.bytes_to_client = s->bytes_to_client,
			.conn = s->conn,
		};

		if (!each(ctx, &info))
			break;
	}
}

const struct counters *proxy_counters(const struct proxy *proxy)
{
	return proxy->counters;
}

size_t proxy_memory(const struct proxy *proxy)
{
	return proxy->pool.used_bytes;
}
