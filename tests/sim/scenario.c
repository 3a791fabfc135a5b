/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scenarios: random ones from a seed, and a run of one from begin to end with the
 * verdict on it.
 *
 * About a third of the random scenarios harm nothing, so that what goes wrong there
 * is not blamed on the network; the others lose, delay, repeat, reorder and corrupt
 * packets, cut paths, take options out, or have applications that misbehave.
 */
#include "sim.h"

#include <stdlib.h>
#include <string.h>

#include "mptcp/sched.h"
#include "tcp/cc.h"

void scenario_default(struct scenario *s, bool proxy)
{
	memset(s, 0, sizeof(*s));
	s->proxy = proxy;
	s->link_count = 2;
	for (int i = 0; i < LINK_MAX; i++) {
		for (int d = 0; d < 2; d++) {
			s->link[i][d].rate_bps = 20000000;
			s->link[i][d].delay_us = 10 * MS;
			s->link[i][d].queue_bytes = 100000;
		}
		s->via[i] = (uint8_t)i;
	}
	s->conn_count = 1;
	for (int i = 0; i < CONN_MAX; i++) {
		app_plan_default(&s->plan[i][0]);
		app_plan_default(&s->plan[i][1]);
		s->plan[i][1].close = APP_CLOSE_AFTER_PEER;
		s->server[i].connect_us = 5 * MS;
		s->server[i].pipe_bytes = 200000;
	}
	mptcp_config_default(&s->cfg[0]);
	mptcp_config_default(&s->cfg[1]);
	/* With keepalives nothing would ever count as stuck. */
	s->cfg[0].tcp.keepalive_idle_us = s->cfg[1].tcp.keepalive_idle_us = 0;
	s->join_links = 2;
	s->join_delay_us = 20 * MS;
	s->rejoin_delay_us = 500 * MS;
	s->rejoin = true;
	s->proxy_stop_us = TIMER_NEVER;
	s->bound_us = 300 * SECOND;
	s->check_every = 1;
}

const struct mptcp_config *scenario_cfg(const struct scenario *s, int i, int side)
{
	return s->has_own_cfg[i] ? &s->own_cfg[i][side] : &s->cfg[side];
}

uint16_t scenario_server_port(const struct scenario *s, int i)
{
	return (uint16_t)(SERVER_PORT + (s->has_own_cfg[i] ? (unsigned)i : 0));
}

uint32_t scenario_joins(const struct scenario *s, int i)
{
	return s->join_links & (s->own_paths[i] ? s->own_paths[i] : UINT32_MAX);
}

/* ---- random scenarios ----------------------------------------------------------- */

/* After three seconds a timer may be at twice that, and another behind it may have waited. */
#define MUTE_SILENCE (20 * SECOND)

enum profile { ANY = -1, CLEAN, MILD, NASTY, MIDDLEBOX, RUDE };

static void random_link(struct scenario *s, struct rng *r, int i, enum profile profile)
{
	struct link_params *p = s->link[i];

	p[UP].rate_bps = rng_log(r, 1000000, 200000000);
	p[DOWN].rate_bps = rng_percent(r, 50) ? p[UP].rate_bps : rng_log(r, 1000000, 200000000);
	p[UP].delay_us = p[DOWN].delay_us = (uint32_t)rng_log(r, 100, 150 * MS);
	if (rng_percent(r, 20))
		p[DOWN].delay_us = (uint32_t)rng_log(r, 100, 150 * MS);
	for (int d = 0; d < 2; d++) {
		uint64_t bdp = p[d].rate_bps / 8 * (p[UP].delay_us + p[DOWN].delay_us) / SECOND;

		p[d].queue_bytes = (uint32_t)(30000 + bdp * rng_range(r, 0, 200) / 100);
		if (rng_percent(r, 40))
			p[d].gro_us = (uint32_t)rng_log(r, 10, 1000);
		if (profile == CLEAN)
			continue;
		if (rng_percent(r, 50))
			p[d].jitter_us = (uint32_t)rng_log(r, 10, 20 * MS);
		if (rng_percent(r, 50))
			p[d].loss = (uint32_t)rng_log(r, 100, profile == MILD ? 10000 : 50000);
		if (rng_percent(r, 30)) {
			p[d].reorder = (uint32_t)rng_log(r, 1000, 200000);
			p[d].reorder_us = (uint32_t)rng_log(r, 100, profile == MILD ? 5 * MS :
										      100 * MS);
		}
		if (rng_percent(r, 30))
			p[d].duplicate = (uint32_t)rng_log(r, 100, 50000);
		if (rng_percent(r, 30))
			p[d].corrupt = (uint32_t)rng_log(r, 100, 10000);
		if (profile == NASTY && rng_percent(r, 30)) {
			p[d].burst_begin = (uint32_t)rng_log(r, 10, 2000);
			p[d].burst_us = (uint32_t)rng_log(r, 1 * MS, 300 * MS);
		}
	}
	if (profile == NASTY && rng_percent(r, 50)) {
		int n = (int)rng_range(r, 1, OUTAGE_MAX);
		uint64_t t = 0;

		for (int k = 0; k < n; k++) {
			t += rng_log(r, 100 * MS, 5 * SECOND);
			s->outages[i][k].from_us = t;
			t += rng_log(r, 10 * MS, 6 * SECOND);
			s->outages[i][k].to_us = t;
		}
		s->outage_count[i] = n;
	}
	if (profile == MIDDLEBOX) {
		struct link_params *q = &p[rng_below(r, 2)];

		switch (rng_below(r, 7)) {
		case 0:
			q->strip_syn = true;
			break;
		case 1:
			p[UP].strip_third_ack = true;
			break;
		case 2:
			q->strip_data_from = (uint32_t)rng_range(r, 1, 30);
			break;
		case 3:
			p[0].strip_data_from = p[1].strip_data_from = (uint32_t)rng_range(r, 1, 10);
			break;
		case 4:
			p[UP].lose_third_ack = true;
			break;
		case 5:
			q->lose_first_data = true;
			break;
		case 6:
			q->tamper_join = true;
			break;
		}
	}
}

static uint64_t random_size(struct rng *r, bool small)
{
	switch (rng_below(r, 8)) {
	case 0:
		return 0;
	case 1:
	case 2:
		return rng_log(r, 1, 3000);
	case 7:
		if (!small && rng_percent(r, 20))
			return rng_log(r, 1000000, 5000000);
		/* fall through */
	default:
		return rng_log(r, 1000, small ? 200000 : 400000);
	}
}

static void random_plan(const struct scenario *s, struct app_plan *p, struct rng *r,
			enum profile profile)
{
	app_plan_default(p);
	p->total = random_size(r, profile != CLEAN);
	if (rng_percent(r, 20))
		p->start_us = rng_log(r, 100, 2 * SECOND);
	if (rng_percent(r, 25)) {
		p->write_chunk = p->total / rng_range(r, 1, 60) + 1;
		p->write_gap_us = rng_log(r, 10, 200 * MS);
	}
	if (rng_percent(r, 25)) {
		p->read_gap_us = rng_log(r, 10, 200 * MS);
		p->read_chunk = rng_log(r, 1000, 100000);
	}
	if (rng_percent(r, 12)) {
		p->pause_at = rng_below(r, 300000);
		p->pause_us = rng_log(r, 10 * MS, 90 * SECOND);
	}
	if (rng_percent(r, 30))
		p->close_delay_us = rng_log(r, 10, 3 * SECOND);
	/* A gateway gives a server that does not read a minute after the client's end. */
	if (s->proxy && p->pause_us > 45 * SECOND)
		p->pause_us = 45 * SECOND;
}

/* How long reading `bytes` by `p` takes at most. */
static uint64_t read_us(const struct app_plan *p, uint64_t bytes)
{
	return (p->read_gap_us ? (bytes / p->read_chunk + 1) * p->read_gap_us : 0) + p->pause_us;
}

static uint64_t write_us(const struct app_plan *p)
{
	return (p->write_gap_us ? (p->total / p->write_chunk + 1) * p->write_gap_us : 0) +
	       p->start_us + p->close_delay_us;
}

static void random_config(struct mptcp_config *c, struct rng *r, const struct scenario *s)
{
	static const char *const ccs[] = { "cubic", "reno", "lia", "olia", "balia" };
	static const char *const scheds[] = {
		"minrtt", "blest", "roundrobin", "redundant", "cost",
	};
	const struct tcp_cc_ops *cc = tcp_cc_find(ccs[rng_below(r, 5)]);
	const struct mptcp_sched_ops *sched = mptcp_sched_find(scheds[rng_below(r, 5)]);

	if (cc)
		c->tcp.cc = cc;
	if (sched)
		c->sched = sched;
	c->checksum = rng_percent(r, 20);
	c->tcp.mss = s->v6 ? MTU - 60 : MTU - 40;
	if (rng_percent(r, 15))
		c->tcp.mss = (uint16_t)rng_range(r, 536, c->tcp.mss);
	c->tcp.timestamps = rng_percent(r, 50);
	c->tcp.sack = rng_percent(r, 90);
	if (rng_percent(r, 20))
		c->tcp.rcv_wscale = (uint8_t)rng_range(r, 0, 14);
	if (rng_percent(r, 25)) {
		c->rcvbuf_initial = (uint32_t)rng_log(r, 8192, 200000);
		c->rcvbuf_max = c->rcvbuf_initial * (uint32_t)rng_range(r, 1, 8);
	}
	/* Windows of less than a few units of the scale are none. */
	while (c->tcp.rcv_wscale && c->rcvbuf_initial >> c->tcp.rcv_wscale < 16)
		c->tcp.rcv_wscale--;
	if (rng_percent(r, 25)) {
		c->sndbuf_initial = (uint32_t)rng_log(r, 16384, 200000);
		c->sndbuf_max = c->sndbuf_initial * (uint32_t)rng_range(r, 1, 8);
	}
}

/*
 * What came to the links later has draws of its own, so that a seed goes on to mean the
 * rest of what it meant.
 */
static void random_links_more(struct scenario *s, uint64_t seed)
{
	struct rng r;

	rng_seed(&r, seed ^ 0x65636e206d7475u);
	for (int i = 0; i < s->link_count; i++) {
		for (int d = 0; d < 2; d++) {
			struct link_params *p = &s->link[i][d];

			if (rng_percent(&r, 40))
				p->mark_bytes = (uint32_t)rng_range(&r, p->queue_bytes / 10,
								    p->queue_bytes);
			p->bleach = rng_percent(&r, 5);
			if (rng_percent(&r, 20)) {
				p->mtu = (uint32_t)rng_range(&r, s->v6 ? 1280 : 576, MTU);
				p->too_big = rng_percent(&r, 60);
			}
		}
	}
	for (int side = 0; side < 2; side++)
		s->cfg[side].tcp.ecn = rng_percent(&r, 80);
}

static void random_addresses(struct scenario *s, uint64_t seed)
{
	struct rng r;

	rng_seed(&r, seed ^ 0x61646472u);
	s->endpoints = rng_percent(&r, 50) ? (uint32_t)rng_range(&r, 1, ENDPOINT_MAX) : 0;
	if (s->endpoints && rng_percent(&r, 60)) {
		s->withdraw_us = rng_log(&r, 1 * MS, 5 * SECOND);
		if (rng_percent(&r, 60))
			s->restore_us = s->withdraw_us + rng_log(&r, 1 * MS, 3 * SECOND);
	}
	if (rng_percent(&r, 30))
		s->prio_us = rng_log(&r, 20 * MS, 3 * SECOND);
	s->cfg[1].no_join_initial = s->endpoints > 1 && rng_percent(&r, 20);
	/* On the first link a SYN must keep its port, by which the server knows it. */
	for (int i = 1; i < s->link_count; i++)
		if (rng_percent(&r, 20))
			s->rebind_us[i] = rng_log(&r, 50 * MS, 10 * SECOND);
	/* What a subflow carries is lost with it. */
	for (int i = 0; i < s->link_count; i++)
		if (s->withdraw_us || s->rebind_us[i])
			s->quiet = false;
}

int scenario_phase(const struct scenario *s, uint64_t age_us, uint64_t *end_us)
{
	*end_us = TIMER_NEVER;
	if (!s->withdraw_us || age_us < s->withdraw_us) {
		if (s->withdraw_us)
			*end_us = s->withdraw_us;
		return 0;
	}
	if (!s->restore_us || age_us < s->restore_us) {
		if (s->restore_us)
			*end_us = s->restore_us;
		return 1;
	}
	return 2;
}

size_t scenario_endpoints(const struct scenario *s, int phase, struct mptcp_endpoint *list)
{
	size_t n = 0;

	for (uint32_t i = phase == 1; i < s->endpoints; i++) {
		struct mptcp_endpoint *e = &list[n++];

		memset(e, 0, sizeof(*e));
		link_server_addr(&e->announced.addr, s->v6);
		e->announced.addr.b[15] = (uint8_t)(101 + i);
		e->announced.port = i == 1 ? 4430 : 0;
		e->local = e->announced;
		e->backup = i == 2;
	}
	return n;
}

/* A fault of the middleboxes on a path, in one direction or both. */
static void random_fault(struct scenario *s, struct rng *r, int i)
{
	uint64_t kind = rng_below(r, 10), dirs = rng_range(r, 1, 3);

	for (int d = 0; d < 2; d++) {
		struct link_params *p = &s->link[i][d];

		if (!(dirs >> d & 1))
			continue;
		switch (kind) {
		case 0:
		case 1:
		case 2:
			p->strip_data_from = (uint32_t)rng_log(r, 1, 200);
			break;
		case 3:
			p->strip_data_from = (uint32_t)rng_log(r, 1, 200);
			p->strip_packets = (uint32_t)rng_log(r, 1, 100);
			break;
		case 4:
		case 5:
		case 6:
			p->break_sum_from = (uint32_t)rng_log(r, 1, 200);
			break;
		case 7:
			p->mangle_data = (uint32_t)rng_log(r, 1, 200);
			break;
		case 8:
			p->burst_begin = (uint32_t)rng_log(r, 1000, 20000);
			p->burst_us = (uint32_t)rng_log(r, 1 * MS, 300 * MS);
			break;
		case 9:
			p->lose_first_data = rng_percent(r, 50);
			p->tamper_join = !p->lose_first_data;
			break;
		}
	}
}

static void random_middleboxes(struct scenario *s, uint64_t seed)
{
	struct rng r;

	rng_seed(&r, seed ^ 0x6d626f78u);
	for (int i = 0; i < s->link_count; i++)
		for (int n = 0; n < 2; n++)
			random_fault(s, &r, i);
	/* Without checksums a changed byte is nobody's to find. */
	if (rng_percent(&r, 60))
		s->cfg[rng_below(&r, 2)].checksum = true;
	if (!s->cfg[0].checksum && !s->cfg[1].checksum)
		for (int i = 0; i < s->link_count; i++)
			s->link[i][UP].mangle_data = s->link[i][DOWN].mangle_data = 0;
}

static void random_scenario(struct scenario *s, uint64_t seed, bool proxy, enum profile only)
{
	static const enum profile profiles[] = { CLEAN, CLEAN, CLEAN, MILD, MILD, MILD, NASTY,
						 NASTY, MIDDLEBOX, RUDE };
	uint64_t slowest = UINT64_MAX, bytes = 0, bound = 0;
	enum profile profile;
	uint32_t heavy;
	struct rng r;

	rng_seed(&r, seed ^ (proxy ? 0x70726f7879u : 0));
	scenario_default(s, proxy);
	s->seed = seed;
	profile = profiles[rng_below(&r, 10)];
	if (only != ANY)
		profile = only;
	s->v6 = rng_percent(&r, 25);
	s->link_count = (int)rng_range(&r, 1, rng_percent(&r, 20) ? 4 : 2);
	for (int i = 0; i < s->link_count; i++) {
		random_link(s, &r, i, profile);
		for (int d = 0; d < 2; d++) {
			if (s->link[i][d].rate_bps < slowest)
				slowest = s->link[i][d].rate_bps;
		}
		for (int k = 0; k < s->outage_count[i]; k++)
			bound += 4 * s->outages[i][k].to_us;
	}
	s->conn_count = rng_percent(&r, 15) ? (int)rng_range(&r, 2, 3) : 1;
	heavy = seed > SEED_HEAVY && rng_percent(&r, 50) ? (uint32_t)rng_range(&r, 2, 12) : 1;
	if (only == MIDDLEBOX)
		heavy = 1;
	for (int i = 0; i < s->conn_count; i++) {
		struct app_plan *p = s->plan[i];

		random_plan(s, &p[0], &r, profile);
		random_plan(s, &p[1], &r, profile);
		p[0].total *= p[0].total < 1000000 ? heavy : 1;
		p[1].total *= p[1].total < 1000000 ? heavy : 1;
		if (rng_percent(&r, 50))
			p[rng_below(&r, 2)].close = APP_CLOSE_AFTER_PEER;
		if (rng_percent(&r, 40))
			p[1].start_after = rng_below(&r, p[0].total + 1);
		if (rng_percent(&r, 30))
			s->open_us[i] = rng_log(&r, 1, SECOND);
		s->server[i].connect_us = rng_log(&r, 10, 200 * MS);
		s->server[i].pipe_bytes = rng_log(&r, 2000, 1000000);
		s->server[i].short_io = rng_percent(&r, 30);
		bytes += p[0].total + p[1].total;
		bound += 2 * (read_us(&p[0], p[1].total) + read_us(&p[1], p[0].total) +
			      write_us(&p[0]) + write_us(&p[1])) + s->open_us[i];
	}
	s->accept_us = rng_percent(&r, 30) ? rng_log(&r, 10, 300 * MS) : 0;
	random_config(&s->cfg[0], &r, s);
	random_config(&s->cfg[1], &r, s);
	s->quiet = profile == CLEAN;
	s->join_links = (uint32_t)rng_below(&r, 1u << s->link_count);
	if (rng_percent(&r, 60))
		s->join_links = (1u << s->link_count) - 2;
	s->backup_links = rng_percent(&r, 20) ? (uint32_t)rng_below(&r, 16) : 0;
	s->join_delay_us = rng_log(&r, 10, SECOND);
	s->rejoin_delay_us = rng_log(&r, 50 * MS, 2 * SECOND);
	s->rejoin = rng_percent(&r, 70);
	s->accept_first = rng_percent(&r, 25);
	if (profile == MIDDLEBOX) {
		s->may_reset = true;
		if (rng_percent(&r, 30))
			s->link[0][rng_below(&r, 2)].break_sum_from = (uint32_t)rng_range(&r, 1, 100);
	}
	if (profile == RUDE) {
		struct app_plan *p = &s->plan[0][rng_below(&r, 2)];

		s->may_reset = true;
		switch (rng_below(&r, proxy ? 8 : 5)) {
		case 0:
			p->abort_sent = rng_below(&r, p->total + 1);
			break;
		case 1:
			p->abort_received = rng_below(&r, 200000);
			break;
		case 2:
			p->abort_us = rng_log(&r, 1, 5 * SECOND);
			break;
		case 3:
			s->plan[0][0].abort_us = rng_log(&r, 1, 5 * SECOND);
			s->plan[0][1].abort_us = s->plan[0][0].abort_us + rng_below(&r, 100 * MS);
			break;
		case 4: {       /* a path dies for good */
			int i = (int)rng_below(&r, (uint64_t)s->link_count);

			s->outages[i][0].from_us = rng_log(&r, 1 * MS, 5 * SECOND);
			s->outages[i][0].to_us = UINT64_MAX;
			s->outage_count[i] = 1;
			break;
		}
		case 5:
		case 6:
			s->server[0].kind = (enum server_kind)rng_range(&r, 1, 4);
			break;
		case 7:
			s->proxy_stop_us = rng_log(&r, 1 * MS, 5 * SECOND);
			break;
		}
	}
	s->stateless = proxy && rng_percent(&r, 10);
	/* A third ACK and first data that are both lost, in a full queue too, reach the
	 * server, which resets. */
	if (s->stateless) {
		s->may_reset = true;
		s->quiet = false;
	}
	/* The seeds before that were found and kept when there was version 1 alone. */
	if (seed > SEED_HEAVY && rng_percent(&r, 30))
		s->cfg[0].versions = MPTCP_VERSION_BIT(0);
	random_links_more(s, seed);
	if (proxy && seed > SEED_WORKERS)
		s->workers = (int)rng_range(&r, 1, WORKER_MAX);
	if (seed > SEED_ADDRESSES)
		random_addresses(s, seed);
	if (only == MIDDLEBOX)
		random_middleboxes(s, seed);
	s->bound_us = bound + 200 * SECOND + bytes * 200 + bytes * 80 * SECOND / slowest;
	if (s->may_reset)
		s->bound_us += 3600 * SECOND;
}

void scenario_random(struct scenario *s, uint64_t seed, bool proxy)
{
	random_scenario(s, seed, proxy, ANY);
}

void scenario_middlebox(struct scenario *s, uint64_t seed, bool proxy)
{
	random_scenario(s, seed, proxy, MIDDLEBOX);
}

/*
 * All that one side sends vanishes for a while, as where a gateway's device is down.  Nobody
 * is told, so what gets things going again are timers, which have backed off meanwhile.
 */
void scenario_mute(struct scenario *s, uint64_t seed, bool proxy)
{
	struct rng r;
	uint64_t from, to;
	bool full;

	random_scenario(s, seed, proxy, CLEAN);
	rng_seed(&r, seed ^ 0x6d757465u);
	from = rng_log(&r, 1 * MS, 4 * SECOND);
	to = from + rng_range(&r, 500 * MS, 3 * SECOND);
	s->outage_dirs = 1u << rng_below(&r, 2);
	for (int i = 0; i < s->link_count; i++) {
		s->outages[i][0] = (struct outage){ from, to };
		s->outage_count[i] = 1;
		/* A black hole takes timeouts of its own to be found. */
		for (int d = 0; d < 2; d++)
			s->link[i][d].mtu = s->link[i][d].too_big ? s->link[i][d].mtu : 0;
	}
	/* Windows close often, or never; not for long. */
	full = rng_percent(&r, 50);
	for (int side = 0; side < 2; side++) {
		struct mptcp_config *c = &s->cfg[side];

		for (int i = 0; i < s->conn_count; i++) {
			struct app_plan *p = &s->plan[i][side];

			p->pause_us = 0;
			p->read_gap_us = full ? rng_log(&r, 10, 200 * MS) : 0;
			p->read_chunk = rng_log(&r, 8000, 100000);
		}
		if (full) {
			c->rcvbuf_initial = c->rcvbuf_max = (uint32_t)rng_log(&r, 8192, 65536);
			while (c->tcp.rcv_wscale && c->rcvbuf_initial >> c->tcp.rcv_wscale < 16)
				c->tcp.rcv_wscale--;
		}
	}
	s->quiet = false;
	s->silence_us = MUTE_SILENCE;
}

static void print_link(const struct link_params *p, const char *name, FILE *out)
{
	fprintf(out, "    %s: %.1f Mbit/s %.1f ms", name, (double)p->rate_bps / 1e6,
		(double)p->delay_us / 1e3);
	fprintf(out, " queue %u", p->queue_bytes);
#define SHOW(field, unit)                                                      \
	do {                                                                   \
		if (p->field)                                                  \
			fprintf(out, " " #field " %u" unit, p->field);         \
	} while (0)
	SHOW(jitter_us, "");
	SHOW(loss, "ppm");
	SHOW(burst_begin, "ppm");
	SHOW(burst_us, "");
	SHOW(reorder, "ppm");
	SHOW(reorder_us, "");
	SHOW(duplicate, "ppm");
	SHOW(corrupt, "ppm");
	SHOW(gro_us, "");
	SHOW(mark_bytes, "");
	SHOW(bleach, "");
	SHOW(mtu, "");
	SHOW(too_big, "");
	SHOW(strip_syn, "");
	SHOW(strip_third_ack, "");
	SHOW(strip_data_from, "");
	SHOW(strip_packets, "");
	SHOW(mangle_data, "");
	SHOW(lose_third_ack, "");
	SHOW(lose_first_data, "");
	SHOW(tamper_join, "");
	SHOW(break_sum_from, "");
#undef SHOW
	fputc('\n', out);
}

static void print_plan(const struct app_plan *p, const char *name, FILE *out)
{
	fprintf(out, "    %s: sends %llu", name, (unsigned long long)p->total);
#define SHOW(field, none)                                                      \
	do {                                                                   \
		if (p->field != (none))                                        \
			fprintf(out, " " #field " %llu", (unsigned long long)p->field); \
	} while (0)
	SHOW(start_after, 0);
	SHOW(start_us, 0);
	SHOW(write_chunk, 0);
	SHOW(write_gap_us, 0);
	SHOW(read_chunk, 0);
	SHOW(read_gap_us, 0);
	SHOW(pause_at, 0);
	SHOW(pause_us, 0);
	SHOW(close_delay_us, 0);
	SHOW(abort_sent, NO_ABORT);
	SHOW(abort_received, NO_ABORT);
	SHOW(abort_us, NO_ABORT);
#undef SHOW
	fprintf(out, "%s\n", p->close == APP_CLOSE_AFTER_PEER ? ", closes after the peer" : "");
}

void scenario_print(const struct scenario *s, FILE *out)
{
	fprintf(out, "  %s v%d %s%s, joins over %x%s after %llu us, backup %x%s\n",
		s->proxy ? "proxy" : "engine", s->cfg[0].versions & MPTCP_VERSION_BIT(1) ? 1 : 0,
		s->v6 ? "IPv6" : "IPv4",
		s->stateless ? " stateless" : s->accept_first ? " accept-first" : "",
		s->join_links, s->rejoin ? " again" : "",
		(unsigned long long)s->join_delay_us, s->backup_links,
		s->may_reset ? ", may be reset" : "");
	if (s->proxy_stop_us != TIMER_NEVER)
		fprintf(out, "  proxy stops at %llu us\n", (unsigned long long)s->proxy_stop_us);
	for (int d = 0; d < 2; d++)
		fprintf(out, "  %s: %s %s mss %u checksum %d ts %d sack %d scale %u rcvbuf %u-%u "
			"sndbuf %u-%u\n",
			d ? "server" : "client", s->cfg[d].tcp.cc->name, s->cfg[d].sched->name,
			s->cfg[d].tcp.mss, s->cfg[d].checksum, s->cfg[d].tcp.timestamps,
			s->cfg[d].tcp.sack, s->cfg[d].tcp.rcv_wscale, s->cfg[d].rcvbuf_initial,
			s->cfg[d].rcvbuf_max,
			s->cfg[d].sndbuf_initial, s->cfg[d].sndbuf_max);
	for (int i = 0; i < s->link_count; i++) {
		fprintf(out, "  link %d\n", i);
		print_link(&s->link[i][UP], "up", out);
		print_link(&s->link[i][DOWN], "down", out);
		for (int k = 0; k < s->outage_count[i]; k++)
			fprintf(out, "    out from %.3f to %.3f s\n",
				(double)s->outages[i][k].from_us / 1e6,
				(double)s->outages[i][k].to_us / 1e6);
	}
	for (int i = 0; i < s->conn_count; i++) {
		fprintf(out, "  connection %d opens at %llu us", i,
			(unsigned long long)s->open_us[i]);
		if (s->proxy)
			fprintf(out, ", server kind %d connects in %llu us, pipe %llu%s",
				s->server[i].kind, (unsigned long long)s->server[i].connect_us,
				(unsigned long long)s->server[i].pipe_bytes,
				s->server[i].short_io ? ", short" : "");
		fputc('\n', out);
		print_plan(&s->plan[i][0], "client", out);
		print_plan(&s->plan[i][1], "server", out);
	}
}

/* ---- a run ------------------------------------------------------------------------ */

struct app *run_app(struct run *run, int side, int i)
{
	if (side == 0)
		return &run->client.ep[i].app;
	return run->s->proxy ? &run->gateway.server[i].app : &run->host.ep[i].app;
}

struct link *run_link(struct run *run, const struct ip_addr *client)
{
	int i = link_of(client);

	if (i < 0 || run->s->via[i] >= run->s->link_count) {
		sim_fail(&run->sim, "packet to nowhere");
		return NULL;
	}
	return &run->link[run->s->via[i]];
}

static bool all_done(struct run *run)
{
	if (run->s->done && run->s->done(run))
		return true;
	for (int i = 0; i < run->s->conn_count; i++) {
		if (!run->client.ep[i].closed)
			return false;
		if (!run->s->proxy && run->host.ep[i].conn)
			return false;
	}
	return !run->s->proxy || gateway_done(&run->gateway);
}

void run_expect_complete(struct run *run, int i)
{
	for (int side = 0; side < 2 && !run->sim.failed; side++) {
		struct app *a = run_app(run, side, i);

		run_expect(run, !a->reset, "%s: was reset after %llu of %llu bytes", a->name,
			   (unsigned long long)a->received,
			   (unsigned long long)a->peer->plan.total);
		run_expect(run, a->received == a->peer->plan.total, "%s: received %llu of %llu",
			   a->name, (unsigned long long)a->received,
			   (unsigned long long)a->peer->plan.total);
		run_expect(run, a->eof, "%s: no end of stream", a->name);
	}
}

uint64_t run_goodput_bps(struct run *run, int side)
{
	struct app *a = run_app(run, side, 0);
	uint64_t us = a->last_byte_us - a->first_byte_us;

	return us ? a->received * 8000000 / us : 0;
}

/*
 * Nothing will happen any more, but an end is open.  That is right only where the
 * other end is gone and could not tell, and nothing waits to be sent.
 */
static void judge_silence(struct run *run)
{
	for (int i = 0; i < run->s->conn_count; i++) {
		struct endpoint *c = &run->client.ep[i], *h = &run->host.ep[i];
		bool server_open = run->s->proxy ? run->gateway.server[i].open : h->conn != NULL;

		if (c->closed && !server_open)
			continue;
		if (!run->s->may_reset || (!c->closed && server_open)) {
			sim_fail(&run->sim, "stuck: nothing will happen any more (connection %d: "
				 "client %s, server %s)", i,
				 c->conn ? mptcp_state_name(c->conn->state) : "closed",
				 run->s->proxy ? (server_open ? "open" : "closed") :
				 h->conn ? mptcp_state_name(h->conn->state) : "closed");
		}
	}
}

static void sample(struct sim_timer *t)
{
	struct run *run = container_of(t, struct run, sampler);
	struct sample *s;

	if (run->sample_count == SAMPLE_MAX || all_done(run))
		return;
	s = &run->samples[run->sample_count++];
	s->received[0] = run_app(run, 0, 0)->received;
	s->received[1] = run_app(run, 1, 0)->received;
	for (int i = 0; i < run->s->link_count; i++)
		s->link_bytes[i] = run->link[i].dir[0].bytes_out + run->link[i].dir[1].bytes_out;
	sim_arm(t, t->sim->now_us + SAMPLE_US);
}

static void mark(struct sim_timer *t)
{
	struct run *run = container_of(t, struct run, marker);

	run->s->mark(run);
}

static void drain(struct sim_timer *t)
{
	struct run *run = container_of(t, struct run, drainer);

	gateway_drain(&run->gateway);
}

static bool strips(const struct scenario *s)
{
	if (s->plain_conns)
		return true;
	for (int i = 0; i < s->link_count; i++) {
		for (int d = 0; d < 2; d++) {
			const struct link_params *p = &s->link[i][d];

			if (p->strip_syn || p->strip_third_ack || p->strip_data_from ||
			    p->break_sum_from || p->mangle_data)
				return true;
		}
	}
	return false;
}

/* What an engine that talks to itself over honest paths must never count. */
static void run_expect_no_violation(struct run *run)
{
	static const enum counter_id never[] = {
		CNT_MP_BAD_MAPPING, CNT_MP_BAD_CHECKSUM, CNT_MP_NO_MAPPING,
	};
	const struct counters *server = run->s->proxy ? &run->gateway.counters :
							&run->host.counters;

	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		run_expect(run, !run->client.counters.v[never[i]] && !server->v[never[i]],
			   "%s is %llu and %llu", counter_name(never[i]),
			   (unsigned long long)run->client.counters.v[never[i]],
			   (unsigned long long)server->v[never[i]]);
	if (run->s->quiet && !run->client.counters.v[CNT_TCP_RTO] && !server->v[CNT_TCP_RTO])
		run_expect(run, !run->client.counters.v[CNT_MP_RTO] && !server->v[CNT_MP_RTO],
			   "data-level timeouts without harm: %llu and %llu",
			   (unsigned long long)run->client.counters.v[CNT_MP_RTO],
			   (unsigned long long)server->v[CNT_MP_RTO]);
}

/* Nobody waited for longer than timers take that have backed off. */
static void judge_silences(struct run *run, int i)
{
	for (int side = 0; side < 2; side++) {
		const struct app *a = run_app(run, side, i);
		uint64_t due_us = a->last_byte_us > a->peer->shut_us ? a->last_byte_us :
								       a->peer->shut_us;

		if (a->reset)
			continue;
		run_expect(run, a->longest_gap_us < run->s->silence_us, "%s: silent for %.3f s",
			   a->name, (double)a->longest_gap_us / SECOND);
		run_expect(run, !a->eof || a->eof_us < due_us + run->s->silence_us,
			   "%s: heard of the end %.3f s late", a->name,
			   (double)(a->eof_us - due_us) / SECOND);
	}
}

static void judge(struct run *run)
{
	const struct scenario *s = run->s;

	if (!all_done(run))
		judge_silence(run);
	for (int i = 0; i < s->conn_count && !run->sim.failed; i++) {
		/* All SYNs may meet outages. */
		if (!s->may_reset && (!s->outage_count[0] || run->client.ep[i].established))
			run_expect_complete(run, i);
		if (s->silence_us)
			judge_silences(run, i);
		if (!strips(s) && !s->prepare) {
			run_expect_no_violation(run);
			run_expect(run, !run->client.ep[i].fell_back && !run->host.ep[i].fell_back,
				   "connection %d fell back to TCP without a cause", i);
		}
	}
	if (s->check && !run->sim.failed)
		s->check(run);
}

void scenario_run(const struct scenario *s, bool verbose, const char *pcap, struct result *out)
{
	struct run *run = calloc(1, sizeof(*run));
	struct sim *sim = &run->sim;
	uint64_t start;

	run->s = s;
	sim_init(sim, s->seed);
	sim->verbose = verbose;
	sim->check_every = s->check_every;
	if (pcap)
		sim_pcap_open(sim, pcap);
	sim_set_current(sim);
	start = sim->now_us;
	for (int i = 0; i < s->link_count; i++) {
		struct link *l = &run->link[i];

		link_init(l, sim, i, s->link[i]);
		memcpy(l->outages, s->outages[i], sizeof(l->outages));
		l->rebind_us = s->rebind_us[i] ? start + s->rebind_us[i] : 0;
		l->outage_count = s->outage_count[i];
		l->outage_dirs = s->outage_dirs;
		l->plain_conns = s->plain_conns;
	}
	host_init(&run->client, run, true);
	if (s->proxy)
		gateway_init(&run->gateway, run);
	else
		host_init(&run->host, run, false);
	for (int i = 0; i < s->link_count; i++) {
		run->link[i].dir[DOWN].receive = host_receive;
		run->link[i].dir[DOWN].receive_ctx = &run->client;
		run->link[i].dir[UP].receive = s->proxy ? gateway_receive : host_receive;
		run->link[i].dir[UP].receive_ctx = s->proxy ? (void *)&run->gateway :
							      (void *)&run->host;
	}
	host_start(&run->client);
	sim_timer_init(sim, &run->sampler, sample);
	sim_timer_init(sim, &run->drainer, drain);
	sim_timer_init(sim, &run->marker, mark);
	if (s->mark)
		sim_arm(&run->marker, sim->now_us + s->mark_us);
	if (s->check) {
		run->samples = calloc(SAMPLE_MAX, sizeof(*run->samples));
		sim_arm(&run->sampler, sim->now_us);
	}
	if (s->drain_us)
		sim_arm(&run->drainer, sim->now_us + s->drain_us);
	if (s->prepare)
		s->prepare(run);

	while (!all_done(run) && (!s->stop_us || sim->now_us < start + s->stop_us) &&
	       sim_step(sim)) {
		if (sim->now_us > start + s->bound_us) {
			judge_silence(run);
			sim_fail(sim, "not done within %llu s (client %s, received %llu and %llu)",
				 (unsigned long long)(s->bound_us / SECOND),
				 run->client.ep[0].conn ?
				 mptcp_state_name(run->client.ep[0].conn->state) : "closed",
				 (unsigned long long)run_app(run, 0, 0)->received,
				 (unsigned long long)run_app(run, 1, 0)->received);
		}
		if (sim->events > 30000000)
			sim_fail(sim, "too many events");
	}
	if (!sim->failed && s->stop_us)
		s->check(run);
	else if (!sim->failed)
		judge(run);

	host_fini(&run->client);
	if (s->proxy)
		gateway_fini(&run->gateway);
	else
		host_fini(&run->host);
	for (int i = 0; i < s->link_count; i++)
		link_fini(&run->link[i]);
	sim_set_current(NULL);
	memset(out, 0, sizeof(*out));
	out->failed = sim->failed;
	memcpy(out->reason, sim->reason, sizeof(out->reason));
	out->hash = sim->hash;
	out->events = sim->events;
	out->end_us = sim->now_us - start;
	for (int i = 0; i < s->conn_count; i++) {
		out->fallbacks += run->client.ep[i].fell_back;
		out->resets += run->client.ep[i].was_reset;
	}
	free(run->samples);
	sim_fini(sim);
	free(run);
}
