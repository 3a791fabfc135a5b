/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs experiments: makes scenarios of their cases, takes measures, prints tables.
 */
#include "experiment.h"

#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "mptcp/sched.h"
#include "tcp/cc.h"

#define ENDLESS_BYTES (1ull << 50)
#define TURNS_MAX     100000
#define COLUMNS_MAX   12
/* IP, TCP, and a DSS with 8-byte DSN and 4-byte DATA_ACK. */
#define HEADER_BYTES  (20 + 20 + 24)

static const struct experiment *const lists[] = { exp_coupled, exp_paths, exp_single };

/* ---- a scenario of a case ------------------------------------------------------- */

static uint32_t ppm(double percent)
{
	return (uint32_t)lround(percent * 10000);
}

static uint64_t ms(double v)
{
	return (uint64_t)llround(v * 1000);
}

static uint64_t us(double seconds)
{
	return (uint64_t)llround(seconds * 1e6);
}

static void build_link(struct scenario *s, int i, const struct exp_link *l)
{
	for (int d = 0; d < 2; d++) {
		struct link_params *p = &s->link[i][d];
		double mbit = d == UP && l->up_mbit > 0 ? l->up_mbit : l->mbit;
		double queue = mbit * 1e6 / 8 * (l->queue_ms > 0 ? l->queue_ms : l->rtt_ms) / 1e3;

		p->rate_bps = (uint64_t)llround(mbit * 1e6);
		p->delay_us = (uint32_t)ms(l->rtt_ms / 2);
		if (l->queue_ms <= 0 && queue < 15000)
			queue = 15000;
		p->queue_bytes = (uint32_t)queue;
		p->loss = ppm(l->loss);
		p->reorder = ppm(l->reorder);
		p->reorder_us = (uint32_t)ms(l->reorder_ms);
		p->jitter_us = (uint32_t)ms(l->jitter_ms);
		p->gro_us = 50;
	}
	if (l->cut_s > 0) {
		s->outages[i][0].from_us = us(l->cut_s);
		s->outages[i][0].to_us = l->uncut_s > 0 ? us(l->uncut_s) : UINT64_MAX;
		s->outage_count[i] = 1;
	}
}

static bool set_names(const struct exp_flow *f, struct mptcp_config cfg[2])
{
	const struct tcp_cc_ops *cc = f->cc ? tcp_cc_find(f->cc) : cfg[0].tcp.cc;
	const struct mptcp_sched_ops *sched = f->sched ? mptcp_sched_find(f->sched) :
							 cfg[0].sched;

	if (!cc || !sched) {
		fprintf(stderr, "no such %s: %s\n", cc ? "scheduler" : "congestion control",
			cc ? f->sched : f->cc);
		return false;
	}
	cfg[0].tcp.cc = cfg[1].tcp.cc = cc;
	cfg[0].sched = cfg[1].sched = sched;
	return true;
}

static int path_count(const struct exp_flow *f)
{
	return f->paths && !f->plain ? f->paths : 1;
}

static int flow_count(const struct exp_case *c)
{
	return c->flows ? c->flows : 1;
}

static bool is_endless(const struct exp_flow *f)
{
	return f->bytes <= 0 && f->turns <= 0;
}

static bool build_flow(struct scenario *s, int i, const struct exp_flow *f, int first_path)
{
	struct app_plan *client = &s->plan[i][0], *server = &s->plan[i][1];
	struct app_plan *sender = f->upload ? client : server;

	s->has_own_cfg[i] = true;
	memcpy(s->own_cfg[i], s->cfg, sizeof(s->cfg));
	if (!set_names(f, s->own_cfg[i]))
		return false;
	if (f->tune)
		f->tune(s->own_cfg[i]);
	s->first_path[i] = (uint8_t)first_path;
	for (int k = 0; k < path_count(f); k++) {
		s->via[first_path + k] = f->link[k];
		s->own_paths[i] |= 1u << (first_path + k);
		if (f->backup >> k & 1)
			s->backup_links |= 1u << (first_path + k);
	}
	if (f->plain)
		s->plain_conns |= 1u << i;
	s->server[i].pipe_bytes = 4000000;
	if (f->turns > 0) {
		client->turn_bytes = server->peer_turn_bytes = (uint64_t)f->request;
		server->turn_bytes = client->peer_turn_bytes = (uint64_t)f->response;
		client->total = client->turn_bytes * (uint64_t)f->turns;
		server->total = server->turn_bytes * (uint64_t)f->turns;
		client->think_us = ms(f->think_ms);
		client->speaks_first = true;
	} else {
		sender->total = is_endless(f) ? ENDLESS_BYTES : (uint64_t)f->bytes;
	}
	return true;
}

static bool build(struct exp_run *r)
{
	const struct exp_case *c = r->c;
	struct scenario *s = &r->s;
	int paths = 0;
	struct rng rng;
	bool ends = false;

	scenario_default(s, true);
	s->cfg[0].tcp.timestamps = s->cfg[1].tcp.timestamps = false;    /* as the daemon's */
	s->seed = r->seed;
	s->name = c->label;
	s->check_every = 1000;
	rng_seed(&rng, r->seed ^ 0x657870);
	for (s->link_count = 0; s->link_count < LINK_MAX && c->link[s->link_count].mbit > 0;
	     s->link_count++)
		build_link(s, s->link_count, &c->link[s->link_count]);
	s->conn_count = flow_count(c);
	s->join_links = UINT32_MAX;
	for (int i = 0; i < s->conn_count; i++) {
		const struct exp_flow *f = &c->flow[i];

		if (paths + path_count(f) > LINK_MAX || f->link[0] >= s->link_count) {
			fprintf(stderr, "%s: too many paths, or no such link\n", c->label);
			return false;
		}
		if (!build_flow(s, i, f, paths))
			return false;
		paths += path_count(f);
		s->open_us[i] = us(f->open_s) + rng_below(&rng, 100 * MS);
		for (int side = 0; side < 2; side++)
			s->plan[i][side].gap_from_us = us(c->gap_from_s);
		ends |= !is_endless(f);
	}
	s->stop_us = us(c->seconds > 0 ? c->seconds : ends ? 600 : 30);
	s->bound_us = UINT64_MAX / 2;
	s->mark_us = us(c->warmup_s);
	return true;
}

/* ---- a run ------------------------------------------------------------------------ */

static struct exp_run *exp_of(struct run *run)
{
	return container_of((struct scenario *)(uintptr_t)run->s, struct exp_run, s);
}

/* The application that flow `i`'s payload goes to. */
static struct app *receiver(const struct exp_run *r, int i)
{
	return run_app(r->run, r->c->flow[i].upload, i);
}

static uint64_t path_bytes(const struct exp_run *r, int path)
{
	uint64_t n = 0;

	for (int i = 0; i < r->s.conn_count; i++)
		n += host_path_bytes(&r->run->client.ep[i], path);
	return n;
}

/* Loses `burst_packets` data packets in a row, every `burst_s`. */
static bool burst_filter(struct link_dir *d, struct sim_packet *p, struct packet *parsed)
{
	const struct exp_link *l = &exp_of(container_of(d->link->sim, struct run, sim))->c
					    ->link[d->link->index];
	uint64_t now = d->link->sim->now_us, *left = &d->filter_state[0];

	(void)p;
	if (!parsed->payload_len)
		return true;
	if (!d->filter_state[1])
		d->filter_state[1] = now + us(l->burst_s);
	if (now >= d->filter_state[1]) {
		d->filter_state[1] += us(l->burst_s);
		*left = (uint64_t)l->burst_packets;
	}
	if (!*left)
		return true;
	--*left;
	return false;
}

static void prepare(struct run *run)
{
	struct exp_run *r = exp_of(run);

	r->run = run;
	r->start_us = run->sim.now_us;
	for (int i = 0; i < r->s.conn_count; i++) {
		struct app *client = run_app(run, 0, i);

		client->turn_us = r->turn_us[i];
		client->turn_max = r->turn_us[i] ? TURNS_MAX : 0;
	}
	for (int i = 0; i < r->s.link_count; i++) {
		if (r->c->link[i].burst_packets > 0)
			run->link[i].dir[UP].filter = run->link[i].dir[DOWN].filter = burst_filter;
	}
}

static void mark(struct run *run)
{
	struct exp_run *r = exp_of(run);

	r->mark_us = run->sim.now_us;
	for (int i = 0; i < r->s.conn_count; i++)
		r->mark_received[i] = receiver(r, i)->received;
	for (int i = 0; i < LINK_MAX; i++)
		r->mark_path[i] = path_bytes(r, i);
}

static bool finished(const struct exp_run *r, int i)
{
	const struct app *a = receiver(r, i);

	return !is_endless(&r->c->flow[i]) && a->received == a->peer->plan.total;
}

static bool done(struct run *run)
{
	struct exp_run *r = exp_of(run);
	bool any = false;

	for (int i = 0; i < r->s.conn_count; i++) {
		if (is_endless(&r->c->flow[i]))
			continue;
		if (!finished(r, i))
			return false;
		any = true;
	}
	return any;
}

/* ---- measures ----------------------------------------------------------------------- */

void exp_add(struct exp_values *out, double v)
{
	if (out->count == out->room) {
		out->room = out->room ? 2 * out->room : 64;
		out->v = realloc(out->v, out->room * sizeof(*out->v));
		if (!out->v)
			abort();
	}
	out->v[out->count++] = v;
}

double exp_flow_mbit(const struct exp_run *r, int i)
{
	const struct app *a = receiver(r, i);
	uint64_t from = r->mark_us, to = r->run->sim.now_us, bytes;

	if (!is_endless(&r->c->flow[i])) {
		from = r->start_us + r->s.open_us[i];
		to = finished(r, i) ? a->last_byte_us : to;
		bytes = a->received;
	} else {
		bytes = a->received - r->mark_received[i];
	}
	return to > from ? (double)bytes * 8 / (double)(to - from) : 0;
}

void exp_goodput(const struct exp_run *r, int arg, struct exp_values *out)
{
	exp_add(out, exp_flow_mbit(r, arg));
}

void exp_ratio(const struct exp_run *r, int arg, struct exp_values *out)
{
	double others = 0;

	for (int i = 1; i <= arg; i++)
		others += exp_flow_mbit(r, i) / arg;
	exp_add(out, others > 0 ? exp_flow_mbit(r, 0) / others : 0);
}

void exp_utilization(const struct exp_run *r, int arg, struct exp_values *out)
{
	double carried = 0, capacity = 0;

	(void)arg;
	for (int i = 0; i < r->s.conn_count; i++)
		carried += exp_flow_mbit(r, i);
	for (int i = 0; i < r->s.link_count; i++)
		capacity += r->c->link[i].mbit * (MTU - HEADER_BYTES) / MTU;
	exp_add(out, carried / capacity);
}

void exp_path_percent(const struct exp_run *r, int arg, struct exp_values *out)
{
	uint64_t sum = 0, mine = 0;

	for (int i = 0; i < path_count(&r->c->flow[0]); i++) {
		uint64_t n = path_bytes(r, i) - r->mark_path[i];

		sum += n;
		if (i == arg)
			mine = n;
	}
	exp_add(out, sum ? 100.0 * (double)mine / (double)sum : 0);
}

void exp_seconds(const struct exp_run *r, int arg, struct exp_values *out)
{
	if (finished(r, arg))
		exp_add(out, (double)(receiver(r, arg)->last_byte_us - r->start_us -
				      r->s.open_us[arg]) / 1e6);
}

void exp_longest_gap(const struct exp_run *r, int arg, struct exp_values *out)
{
	const struct app *a = receiver(r, arg);
	uint64_t gap = a->longest_gap_us;

	/* One that has not ended yet counts, too. */
	if (!finished(r, arg) && r->run->sim.now_us - a->last_byte_us > gap)
		gap = r->run->sim.now_us - a->last_byte_us;
	exp_add(out, (double)gap / 1e3);
}

void exp_turns(const struct exp_run *r, int arg, struct exp_values *out)
{
	const struct app *a = run_app(r->run, 0, arg);

	for (int i = 0; i < a->turn_count; i++)
		exp_add(out, a->turn_us[i] / 1e3);
}

void exp_unfinished(const struct exp_run *r, int arg, struct exp_values *out)
{
	exp_add(out, !finished(r, arg));
}

void exp_counter(const struct exp_run *r, int arg, struct exp_values *out)
{
	exp_add(out, (double)r->run->gateway.counters.v[arg]);
}

/* ---- tables --------------------------------------------------------------------------- */

static const struct exp_measure *measures;
static struct exp_values values[COLUMNS_MAX];

static void take(struct run *run)
{
	struct exp_run *r = exp_of(run);

	for (int m = 0; measures[m].column; m++)
		measures[m].take(r, measures[m].arg, &values[m]);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* By nearest rank; `v` is sorted. */
static double percentile(const struct exp_values *v, double p)
{
	size_t rank = (size_t)ceil(p / 100 * (double)v->count);

	return v->v[rank ? rank - 1 : 0];
}

static void print_cell(const struct exp_measure *m, struct exp_values *v)
{
	int digits = m->digits < 0 ? 0 : m->digits ? m->digits : 2;
	double sum = 0;

	if (!v->count) {
		printf(" - |");
		return;
	}
	switch (m->form) {
	case EXP_RANGE:
		printf(" %.*f (%.*f-%.*f) |", digits, percentile(v, 50), digits, v->v[0], digits,
		       v->v[v->count - 1]);
		break;
	case EXP_TAIL:
		printf(" %.*f / %.*f |", digits, percentile(v, 50), digits, percentile(v, 99));
		break;
	case EXP_COUNT:
		for (size_t i = 0; i < v->count; i++)
			sum += v->v[i];
		printf(" %.*f |", m->digits > 0 ? digits : 0, sum);
		break;
	}
}

/* One row; false: a run failed or a bound was missed. */
static bool run_case(const struct exp_case *c, int seeds, uint64_t one, bool verbose,
		     const char *pcap)
{
	static struct exp_run r;
	struct result res;
	bool good = true, low, high;

	for (int m = 0; measures[m].column; m++)
		values[m].count = 0;
	for (uint64_t seed = one ? one : 1; one ? seed == one : seed <= (uint64_t)seeds; seed++) {
		memset(&r, 0, sizeof(r));
		r.c = c;
		r.seed = seed;
		if (!build(&r))
			exit(2);
		for (int i = 0; i < r.s.conn_count; i++) {
			if (c->flow[i].turns > 0)
				r.turn_us[i] = calloc(TURNS_MAX, sizeof(*r.turn_us[i]));
		}
		r.s.prepare = prepare;
		r.s.mark = mark;
		r.s.done = done;
		r.s.check = take;
		scenario_run(&r.s, verbose, pcap, &res);
		for (int i = 0; i < r.s.conn_count; i++)
			free(r.turn_us[i]);
		if (res.failed) {
			printf("FAILED %s, seed %llu: %s\n", c->label, (unsigned long long)seed,
			       res.reason);
			good = false;
		}
	}
	for (int m = 0; measures[m].column; m++)
		qsort(values[m].v, values[m].count, sizeof(*values[m].v), compare);
	printf("| %s |", c->label);
	for (int m = 0; measures[m].column; m++)
		print_cell(&measures[m], &values[m]);
	low = c->least != 0 && (!values[0].count || percentile(&values[0], 50) < c->least);
	high = c->most != 0 && (!values[0].count || percentile(&values[0], 50) > c->most);
	if (low || high)
		printf(" MISSED: %s %g", low ? "less than" : "more than",
		       low ? c->least : c->most);
	putchar('\n');
	return good && !low && !high;
}

static bool run_experiment(const struct experiment *e, int seeds, uint64_t one, const char *only,
			   bool verbose, const char *pcap)
{
	bool good = true;

	measures = e->measures;
	printf("%s: %s (%d seeds)\n\n| case |", e->name, e->what, one ? 1 : seeds);
	for (int m = 0; measures[m].column; m++) {
		if (m == COLUMNS_MAX)
			abort();
		printf(" %s |", measures[m].column);
	}
	printf("\n|---|");
	for (int m = 0; measures[m].column; m++)
		printf("---|");
	putchar('\n');
	for (int n = 0;; n++) {
		static struct exp_case made;
		const struct exp_case *c = e->cases ? &e->cases[n] : &made;

		if (!e->cases) {
			memset(&made, 0, sizeof(made));
			if (!e->make(n, &made))
				break;
		} else if (!c->label) {
			break;
		}
		if (!only || !strcmp(only, c->label))
			good &= run_case(c, seeds, one, verbose, pcap);
		fflush(stdout);
	}
	putchar('\n');
	return good;
}

static const struct experiment *find(const char *name)
{
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		for (const struct experiment *e = lists[i]; e->name; e++) {
			if (!strcmp(e->name, name))
				return e;
		}
	}
	return NULL;
}

/* Everything that `make check` holds; or, with `list`, what there is. */
static bool each(bool list)
{
	bool good = true;

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		for (const struct experiment *e = lists[i]; e->name; e++) {
			if (list)
				printf("%-24s %s\n", e->name, e->what);
			else if (e->check_seeds)
				good &= run_experiment(e, e->check_seeds, 0, NULL, false, NULL);
		}
	}
	return good;
}

static int usage(const char *self)
{
	fprintf(stderr,
		"usage: %s                                  lists experiments\n"
		"       %s NAME... [--seeds N] [--case LABEL] [--seed SEED [-v] [--pcap FILE]]\n"
		"       %s --check                          those with bounds, few seeds\n",
		self, self, self);
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seeds", required_argument, NULL, 'n' },
		{ "seed", required_argument, NULL, 's' },
		{ "case", required_argument, NULL, 'c' },
		{ "pcap", required_argument, NULL, 'p' },
		{ "check", no_argument, NULL, 'k' },
		{ NULL, 0, NULL, 0 },
	};
	const char *only = NULL, *pcap = NULL;
	bool verbose = false, check = false, good = true;
	uint64_t one = 0;
	int seeds = 0, c;

	while ((c = getopt_long(argc, argv, "v", options, NULL)) != -1) {
		switch (c) {
		case 'n':
			seeds = atoi(optarg);
			break;
		case 's':
			one = strtoull(optarg, NULL, 0);
			break;
		case 'c':
			only = optarg;
			break;
		case 'p':
			pcap = optarg;
			break;
		case 'k':
			check = true;
			break;
		case 'v':
			verbose = true;
			break;
		default:
			return usage(argv[0]);
		}
	}
	if (seeds < 0 || (check && optind < argc))
		return usage(argv[0]);
	if (optind == argc)
		good = each(!check);
	for (int i = optind; i < argc; i++) {
		const struct experiment *e = find(argv[i]);

		if (!e) {
			fprintf(stderr, "%s: no experiment %s\n", argv[0], argv[i]);
			return 2;
		}
		good &= run_experiment(e, seeds ? seeds : e->seeds, one, only, verbose, pcap);
	}
	for (int m = 0; m < COLUMNS_MAX; m++)
		free(values[m].v);
	return good ? 0 : 1;
}
