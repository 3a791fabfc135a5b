/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Experiments: the simulator as a measuring instrument.
 *
 * An experiment is a table of cases.  Each case is a network and the connections in it;
 * it runs once per seed, in virtual time, through our engine as proxy (it sends) and our
 * engine as client (it receives), or the other way round.  Measures read figures off each
 * run; the program prints their medians and ranges, or percentiles, as a table.
 *
 * To add one, fill these in exp_*.c, and name the experiment in that file's list:
 *
 *	static const struct exp_case lossy[] = {
 *		{ "1 % loss", .link = { { 50, 40, .loss = 1 } }, .flow = { { .bytes = 20e6 } } },
 *		{ 0 }
 *	};
 *	static const struct exp_measure goodput[] = { { "Mbit/s", .take = exp_goodput }, { 0 } };
 *	const struct experiment exp_mine[] = {
 *		{ "lossy", "goodput over a lossy path", lossy, goodput, .seeds = 10 },
 *		{ 0 }
 *	};
 *
 * A flow is a connection: MPTCP over the links that it names, one path each (the same link
 * twice means two subflows through one bottleneck), or plain TCP: then MPTCP is taken out
 * of its handshake, and both ends fall back.  Flow 0 is what the measures are about unless
 * they say otherwise.
 *
 * Seeds vary what links do by chance and when flows open (by up to 100 ms).  The same seed
 * gives the same figures on every machine.
 */
#ifndef SIM_EXPERIMENT_H
#define SIM_EXPERIMENT_H

#include "sim.h"

/* Tables leave out what is zero. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

/* One link, both directions alike.  Numbers in the units that people use. */
struct exp_link {
	double mbit;                    /* rate; 0: no such link */
	double rtt_ms;                  /* without queueing; half of it each way */
	double queue_ms;                /* drop-tail queue at full rate; 0: one rtt, 15 KB at least */
	double loss;                    /* percent of packets, each direction */
	double reorder, reorder_ms;     /* percent held back, for up to so long */
	double jitter_ms;               /* keeps the order */
	double burst_s, burst_packets;  /* so many data packets in a row are lost, every burst_s */
	double cut_s, uncut_s;          /* nothing passes from then to then (0: to the end) */
	double up_mbit;                 /* from the client; 0: as mbit */
};

struct exp_flow {
	int paths;                      /* 0: one, over link 0 */
	uint8_t link[LINK_MAX];         /* of each path, the first one's opens */
	bool plain;                     /* TCP; of `paths` the first counts */
	bool upload;                    /* the client sends */
	const char *cc, *sched;         /* names; NULL: the default */
	double bytes;                   /* to send; 0: for as long as the run lasts */
	double open_s;
	/* Request and response in turn, `turns` times (`bytes` does not matter then). */
	double turns, request, response, think_ms;
	uint32_t backup;                /* bits: paths joined as backup */
	void (*tune)(struct mptcp_config cfg[2]);       /* client, server; last */
};

struct exp_case {
	const char *label;              /* NULL ends the table */
	struct exp_link link[LINK_MAX];
	struct exp_flow flow[CONN_MAX]; /* up to the first that has no work and no paths */
	int flows;                      /* 0: one */
	/*
	 * A run ends when all flows that have an end are done, at the latest after `seconds`
	 * (0: 600, or, if no flow has an end, 30).
	 */
	double seconds;
	double warmup_s;                /* rates of flows without end are measured from here */
	double gap_from_s;              /* exp_longest_gap() counts from here */
	/* Bounds of the first measure's median, if not 0: a case that misses one says so, and
	 * makes the exit status 1. */
	double least, most;
};

struct exp_values {
	double *v;
	size_t count, room;
};

struct exp_run {
	struct scenario s;
	const struct exp_case *c;
	uint64_t seed;
	struct run *run;                /* as it ended; valid while measures are taken */
	uint64_t start_us;
	/* State at the end of the warm-up. */
	uint64_t mark_us;
	uint64_t mark_received[CONN_MAX];       /* by the flow's receiver */
	uint64_t mark_path[LINK_MAX];           /* payload by path, all flows in a row */
	uint32_t *turn_us[CONN_MAX];
};

enum exp_form {
	EXP_RANGE,                      /* median (least-greatest) */
	EXP_TAIL,                       /* 50th / 99th percentile of all values of all seeds */
	EXP_COUNT,                      /* the sum over all seeds */
};

struct exp_measure {
	const char *column;             /* with the unit */
	void (*take)(const struct exp_run *r, int arg, struct exp_values *out);
	int arg;
	enum exp_form form;
	int digits;                     /* after the point; 0: two, -1: none */
};

struct experiment {
	const char *name, *what;
	const struct exp_case *cases;
	const struct exp_measure *measures;
	int seeds;                      /* default */
	/* For tables that are computed: fills *c (zeroed) with case n, false after the last. */
	bool (*make)(int n, struct exp_case *c);
	int check_seeds;                /* `make check` holds its bounds with so many; 0: not */
};

/* One list per file, ended by a name of NULL. */
extern const struct experiment exp_coupled[], exp_paths[], exp_single[];

/* ---- measures; `arg` is a flow unless said otherwise ------------------------- */

void exp_add(struct exp_values *out, double v);
/* Goodput of flow `i` in Mbit/s: of its bytes until the last, or from warm-up to the end. */
double exp_flow_mbit(const struct exp_run *r, int i);
void exp_goodput(const struct exp_run *r, int arg, struct exp_values *out);
/* Flow 0's goodput divided by the mean of flows 1 to `arg`. */
void exp_ratio(const struct exp_run *r, int arg, struct exp_values *out);
/* Goodput of all flows as share of what the links can carry as payload (MTU 1500). */
void exp_utilization(const struct exp_run *r, int arg, struct exp_values *out);
/* Percent of flow 0's payload that path `arg` carried (from the warm-up on). */
void exp_path_percent(const struct exp_run *r, int arg, struct exp_values *out);
/* Seconds from opening to the last byte; nothing if the flow did not get there. */
void exp_seconds(const struct exp_run *r, int arg, struct exp_values *out);
/* The longest time in ms for which the reader got nothing. */
void exp_longest_gap(const struct exp_run *r, int arg, struct exp_values *out);
/* Milliseconds of each turn of request and response. */
void exp_turns(const struct exp_run *r, int arg, struct exp_values *out);
/* 1 for a flow that did not finish (use EXP_COUNT). */
void exp_unfinished(const struct exp_run *r, int arg, struct exp_values *out);
/* The proxy's counter `arg` (enum counter_id). */
void exp_counter(const struct exp_run *r, int arg, struct exp_values *out);

#endif
