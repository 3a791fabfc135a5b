/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JSON of sessions, subflows and counters.  Only reads; what looks into a worker runs on its
 * thread, between packets.
 */
#include "daemon/status.h"

#include <stdio.h>

#include "base/addr.h"
#include "io/crew.h"
#include "io/worker.h"
#include "mptcp/mptcp.h"
#include "proxy/proxy.h"

static json_t *endpoint_json(const struct ip_endpoint *e)
{
	char buf[IP_ENDPOINT_STRLEN];

	return json_string(ip_endpoint_format(e, buf));
}

static json_int_t usec_to_msec(uint64_t now_us, uint64_t then_us)
{
	return now_us > then_us ? (json_int_t)((now_us - then_us) / 1000) : 0;
}

static json_t *subflow_json(const struct mptcp_subflow *sf, uint64_t now_us)
{
	const struct tcp_conn *tc = &sf->tcp;
	struct tcp_coupling_sum sum;

	return json_pack(
		"{s:o, s:o, s:s, s:s, s:I, s:I, s:s, s:b, s:I, s:I, s:i, s:I, s:I, s:I, s:I, s:i, "
		"s:i, s:b, s:b, s:b}",
		"local", endpoint_json(&sf->tx.src), "remote", endpoint_json(&sf->tx.dst),
		"state", mptcp_subflow_state_name(sf->state),
		"tcp_state", tcp_state_name(tc->state),
		"srtt_us", (json_int_t)tc->srtt_us, "min_rtt_us", (json_int_t)tc->min_rtt_us,
		"congestion_control", tc->cfg.cc->name,
		"coupled", tc->cfg.cc->coupled && tcp_coupling_sum(tc, now_us, &sum),
		"cwnd_bytes", (json_int_t)tc->cwnd_bytes,
		"flight_bytes", (json_int_t)tc->flight_bytes, "mss", (int)tc->mss,
		"bytes_sent", (json_int_t)sf->bytes_sent,
		"bytes_received", (json_int_t)sf->bytes_received,
		"bytes_retransmitted", (json_int_t)tc->bytes_retrans,
		"timeouts", (json_int_t)tc->timeouts, "local_id", sf->local_id,
		"remote_id", sf->remote_id, "join", sf->join,
		"backup", sf->backup || sf->peer_backup, "stale", sf->stale);
}

/* An address of ours or the peer's; without a port it is that of the connection. */
static json_t *address_json(const struct ip_endpoint *e)
{
	char buf[IP_ENDPOINT_STRLEN];

	return json_string(e->port ? ip_endpoint_format(e, buf) : ip_addr_format(&e->addr, buf));
}

static json_t *announced_json(const struct mptcp_conn *conn)
{
	json_t *list = json_array();

	for (unsigned i = 0; conn && conn->addresses && i < MPTCP_LOCAL_MAX; i++) {
		const struct mptcp_local_address *l = &conn->addresses->local[i];

		if (l->state != MPTCP_ADDRESS_FREE)
			json_array_append_new(list, json_pack(
				"{s:i, s:o, s:s, s:b, s:i}", "id", l->id,
				"address", address_json(&l->ep.announced),
				"state", mptcp_address_state_name(l->state),
				"backup", l->ep.backup, "sent", l->sent));
	}
	return list;
}

static json_t *received_json(const struct mptcp_conn *conn)
{
	json_t *list = json_array();

	for (unsigned i = 0; conn && conn->addresses && i < MPTCP_REMOTE_MAX; i++) {
		const struct mptcp_remote_address *r = &conn->addresses->remote[i];

		if (r->known)
			json_array_append_new(list, json_pack("{s:i, s:o}", "id", r->id,
							      "address", address_json(&r->ep)));
	}
	return list;
}

static json_t *session_json(const struct session_info *s, uint64_t now_us)
{
	static const char *const modes[] = {
		[MPTCP_MODE_PENDING] = "pending",
		[MPTCP_MODE_MPTCP] = "mptcp",
		[MPTCP_MODE_FALLBACK] = "fallback",
	};
	json_t *subflows = json_array();
	const struct mptcp_subflow *sf;

	if (s->conn) {
		list_for_each(sf, &s->conn->subflows, link)
			json_array_append_new(subflows, subflow_json(sf, now_us));
	}
	return json_pack(
		"{s:I, s:o, s:o, s:s, s:s, s:s, s:i, s:s, s:s, s:I, s:I, s:I, s:I, s:b, s:o, s:o, s:o}",
		"id", (json_int_t)s->id, "client", endpoint_json(&s->client),
		"server", endpoint_json(&s->server), "service", s->service ? s->service : "",
		"state", s->state ? s->state : "", "mode", s->conn ? modes[s->conn->mode] : "pending",
		"mptcp_version", s->conn ? s->conn->version : 0,
		"mptcp_state", s->conn ? mptcp_state_name(s->conn->state) : "none",
		"scheduler", s->conn ? s->conn->cfg.sched->name : "none",
		"age_ms", usec_to_msec(now_us, s->created_us),
		"bytes_to_server", (json_int_t)s->bytes_to_server,
		"bytes_to_client", (json_int_t)s->bytes_to_client,
		"bytes_reinjected", (json_int_t)(s->conn ? s->conn->bytes_reinjected : 0),
		"checksum", s->conn && s->conn->checksum_on, "subflows", subflows,
		"announced", announced_json(s->conn), "received", received_json(s->conn));
}

static json_t *no_answer(unsigned worker, char *err, size_t err_len)
{
	snprintf(err, err_len, "worker %u does not answer", worker);
	return NULL;
}

/* What one worker adds to a page. */
struct page {
	json_t *list;
	uint64_t now_us, skip;
	bool full;
};

static bool add_to_page(void *ctx, const struct session_info *s)
{
	struct page *page = ctx;

	if (page->skip) {
		page->skip--;
		return true;
	}
	if (json_array_size(page->list) == STATUS_PAGE) {
		page->full = true;
		return false;
	}
	json_array_append_new(page->list, session_json(s, page->now_us));
	return true;
}

static void fill_page(struct worker *w, void *ctx)
{
	struct page *page = ctx;
	size_t count = proxy_session_count(worker_proxy(w));

	if (page->skip >= count) {
		page->skip -= count;
		return;
	}
	page->now_us = worker_now(w);
	proxy_sessions(worker_proxy(w), add_to_page, page);
}

json_t *status_connections(struct crew *c, uint64_t offset, char *err, size_t err_len)
{
	struct page page = { .list = json_array(), .skip = offset };
	json_t *answer;

	for (unsigned i = 0; i < crew_count(c) && !page.full; i++) {
		if (crew_call(c, i, fill_page, &page)) {
			json_decref(page.list);
			return no_answer(i, err, err_len);
		}
	}
	answer = json_pack("{s:o}", "connections", page.list);
	if (page.full)
		json_object_set_new(answer, "next", json_integer((json_int_t)(offset + STATUS_PAGE)));
	return answer;
}

struct wanted {
	uint64_t id, now_us;
	json_t *found;
};

static bool compare_wanted(void *ctx, const struct session_info *s)
{
	struct wanted *wanted = ctx;

	if (s->id != wanted->id)
		return true;
	wanted->found = session_json(s, wanted->now_us);
	return false;
}

static void find_wanted(struct worker *w, void *ctx)
{
	struct wanted *wanted = ctx;

	wanted->now_us = worker_now(w);
	proxy_sessions(worker_proxy(w), compare_wanted, wanted);
}

json_t *status_endpoints(const struct proxy_config *config, uint32_t absent)
{
	json_t *list = json_array();

	for (size_t i = 0; i < config->endpoint_count; i++) {
		const struct proxy_endpoint *e = &config->endpoints[i];

		json_array_append_new(list, json_pack(
			"{s:s, s:o, s:o, s:b, s:b}", "name", e->name,
			"address", address_json(&e->ep.announced),
			"local", address_json(&e->ep.local), "backup", e->ep.backup,
			"present", !(absent & 1u << i)));
	}
	return json_pack("{s:o}", "endpoints", list);
}

json_t *status_connection(struct crew *c, uint64_t id, char *err, size_t err_len)
{
	struct wanted wanted = { .id = id };
	/* See proxy_set_worker(). */
	unsigned worker = (unsigned)(id % crew_count(c));

	if (crew_call(c, worker, find_wanted, &wanted))
		return no_answer(worker, err, err_len);
	if (!wanted.found)
		snprintf(err, err_len, "there is no connection %llu", (unsigned long long)id);
	return wanted.found;
}

struct sum {
	struct counters counters;
	size_t memory, sockets;
	uint64_t flow_set_errors;
	json_t *per_worker;
};

static void add_to_sum(struct worker *w, void *ctx)
{
	const struct counters *c = worker_counters(w);
	struct proxy *proxy = worker_proxy(w);
	struct sum *sum = ctx;

	for (int i = 0; i < CNT_MAX; i++)
		sum->counters.v[i] += c->v[i];
	sum->memory += proxy_memory(proxy);
	sum->sockets += worker_server_count(w);
	sum->flow_set_errors += worker_flowset_errors(w);
	json_array_append_new(sum->per_worker, json_integer((json_int_t)proxy_session_count(proxy)));
}

/* Of all workers.  0, or -errno with one line in `err`, and nothing to free. */
static int add_up(struct crew *c, struct sum *sum, char *err, size_t err_len)
{
	for (unsigned i = 0; i < crew_count(c); i++) {
		int ret = crew_call(c, i, add_to_sum, sum);

		if (!ret)
			continue;
		json_decref(sum->per_worker);
		no_answer(i, err, err_len);
		return ret;
	}
	return 0;
}

json_t *status_summary(struct crew *c, bool draining, uint64_t uptime_us,
		       uint32_t max_connections, size_t memory_bytes, char *err, size_t err_len)
{
	struct sum sum = { .per_worker = json_array() };
	json_t *counters;

	if (add_up(c, &sum, err, err_len))
		return NULL;
	counters = json_object();
	for (int i = 0; i < CNT_MAX; i++)
		json_object_set_new(counters, counter_name((enum counter_id)i),
				    json_integer((json_int_t)sum.counters.v[i]));
	return json_pack("{s:s, s:I, s:b, s:I, s:o, s:I, s:I, s:I, s:I, s:I, s:o}",
			 "version", PACKAGE_VERSION,
			 "uptime_ms", (json_int_t)(uptime_us / 1000),
			 "draining", draining,
			 "connections", (json_int_t)crew_sessions(c),
			 "connections_per_worker", sum.per_worker,
			 "max_connections", (json_int_t)max_connections,
			 "memory_bytes", (json_int_t)sum.memory,
			 "memory_limit_bytes", (json_int_t)memory_bytes,
			 "server_sockets", (json_int_t)sum.sockets,
			 "flow_set_errors", (json_int_t)sum.flow_set_errors,
			 "counters", counters);
}

json_t *status_counters(struct crew *c, char *err, size_t err_len)
{
	struct sum sum = { .per_worker = json_array() };
	json_t *counters;

	if (add_up(c, &sum, err, err_len))
		return NULL;
	json_decref(sum.per_worker);
	counters = json_object();
	for (int i = 0; i < CNT_MAX; i++) {
		enum counter_id id = (enum counter_id)i;

		json_object_set_new(counters, counter_name(id),
				    json_pack("{s:I, s:s}", "value", (json_int_t)sum.counters.v[i],
					      "counts", counter_text(id)));
	}
	return json_pack("{s:o}", "counters", counters);
}
