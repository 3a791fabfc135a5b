/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Directed scenarios: middleboxes that take MPTCP options out (RFC 8684, section
 * 3.7).  With one subflow the connection falls back and completes; a joined subflow
 * is reset and the others go on.  Never may a wrong byte come out.
 */
#include "sim.h"

#include <string.h>

static void check_fallback(struct run *run)
{
	run_expect_complete(run, 0);
	run_expect(run, run->client.ep[0].fell_back, "the client did not fall back");
	run_expect(run, run->s->proxy || run->host.ep[0].fell_back, "the server did not fall back");
}

static void one_path(struct scenario *s)
{
	scenario_default(s, false);
	s->link_count = 1;
	s->join_links = 0;
	s->plan[0][0].total = s->plan[0][1].total = 300000;
}

static void check_refused(struct run *run)
{
	run_expect(run, run->client.ep[0].was_reset, "the client was not told");
	run_expect(run, run->sim.now_us < 1005 * SECOND, "it took too long");
}

/* The passive host serves multipath only; behind a real gateway the server answers. */
static void make_strip_syn(struct scenario *s)
{
	one_path(s);
	s->link[0][UP].strip_syn = true;
	s->may_reset = true;
	s->check = check_refused;
}

static void make_strip_synack(struct scenario *s)
{
	one_path(s);
	s->link[0][DOWN].strip_syn = true;
	s->check = check_fallback;
}

static void make_strip_synack_server_first(struct scenario *s)
{
	make_strip_synack(s);
	s->plan[0][0].start_after = 1000;
}

/*
 * Only the third ACK: the first data packet repeats the keys, so that nothing is
 * lost but the ACK's options.
 */
static void check_done(struct run *run)
{
	run_expect_complete(run, 0);
}

static void make_strip_third_ack(struct scenario *s)
{
	one_path(s);
	s->link[0][UP].strip_third_ack = true;
	s->check = check_done;
}

static void make_strip_all_up(struct scenario *s)
{
	one_path(s);
	s->link[0][UP].strip_third_ack = true;
	s->link[0][UP].strip_data_from = 1;
	s->check = check_done;
}

/* From the fifth data packet on, in one direction or both: done or reset. */
static void check_clean_end(struct run *run)
{
	struct app *c = run_app(run, 0, 0), *s = run_app(run, 1, 0);

	run_expect(run, (c->eof && s->eof) || (c->reset || s->reset),
		   "neither complete nor reset");
}

static void strip_later(struct scenario *s, uint32_t up, uint32_t down)
{
	one_path(s);
	s->link[0][UP].strip_data_from = up;
	s->link[0][DOWN].strip_data_from = down;
	s->may_reset = true;
	s->bound_us = 1000 * SECOND;
	s->check = check_clean_end;
}

static void make_strip_fifth_up(struct scenario *s)
{
	strip_later(s, 5, 0);
}

static void make_strip_fifth_down(struct scenario *s)
{
	strip_later(s, 0, 5);
}

static void make_strip_fifth_both(struct scenario *s)
{
	strip_later(s, 5, 5);
}

static void make_strip_first_down(struct scenario *s)
{
	one_path(s);
	s->link[0][DOWN].strip_data_from = 1;
	s->may_reset = true;
	s->check = check_clean_end;
}

/* A joined path loses its options: it is reset, and the first path completes. */
static void make_strip_joined(struct scenario *s, uint32_t up, uint32_t down)
{
	scenario_default(s, false);
	s->plan[0][0].total = s->plan[0][1].total = 2000000;
	s->link[1][UP].strip_data_from = up;
	s->link[1][DOWN].strip_data_from = down;
	s->rejoin = false;
	s->check = check_done;
}

static void make_strip_joined_up(struct scenario *s)
{
	make_strip_joined(s, 5, 0);
}

static void make_strip_joined_down(struct scenario *s)
{
	make_strip_joined(s, 0, 5);
}

static void make_strip_joined_both(struct scenario *s)
{
	make_strip_joined(s, 1, 1);
}

static void make_strip_join_syn(struct scenario *s)
{
	make_strip_joined(s, 0, 0);
	s->link[1][UP].strip_syn = true;
}

static void make_strip_join_synack(struct scenario *s)
{
	make_strip_joined(s, 0, 0);
	s->link[1][DOWN].strip_syn = true;
}

static void make_strip_join_third_ack(struct scenario *s)
{
	make_strip_joined(s, 0, 0);
	s->link[1][UP].strip_third_ack = true;
}

/* ---- payload changed on the way, checksums fixed (RFC 8684, section 3.3.1) --------- */

static bool mangle(struct link_dir *d, struct sim_packet *p, struct packet *parsed)
{
	if (parsed->payload_len && ++d->filter_state[0] == 100) {
		memset(p->data + p->len - 1, p->data[p->len - 1] ^ 0x55, 1);
		link_fix_checksum(p);
	}
	return true;
}

static void prepare_mangle_first(struct run *run)
{
	run->link[0].dir[DOWN].filter = mangle;
}

static void prepare_mangle_joined(struct run *run)
{
	run->link[1].dir[DOWN].filter = mangle;
}

/* Of two paths, the one whose checksum fails is reset and no wrong byte comes out. */
static void make_mangle_joined(struct scenario *s)
{
	scenario_default(s, false);
	s->plan[0][1].total = 2000000;
	s->cfg[0].checksum = true;
	s->rejoin = false;
	s->prepare = prepare_mangle_joined;
	s->check = check_done;
}

static void make_mangle_first(struct scenario *s)
{
	make_mangle_joined(s);
	s->plan[0][0].total = 100000;
	s->prepare = prepare_mangle_first;
}

const struct directed directed_options[] = {
	{ "strip-syn", make_strip_syn },
	{ "strip-synack", make_strip_synack },
	{ "strip-synack-server-first", make_strip_synack_server_first },
	{ "strip-third-ack", make_strip_third_ack },
	{ "strip-all-up", make_strip_all_up },
	{ "strip-fifth-up", make_strip_fifth_up },
	{ "strip-fifth-down", make_strip_fifth_down },
	{ "strip-fifth-both", make_strip_fifth_both },
	{ "strip-first-down", make_strip_first_down },
	{ "strip-joined-up", make_strip_joined_up },
	{ "strip-joined-down", make_strip_joined_down },
	{ "strip-joined-both", make_strip_joined_both },
	{ "strip-join-syn", make_strip_join_syn },
	{ "strip-join-synack", make_strip_join_synack },
	{ "strip-join-third-ack", make_strip_join_third_ack },
	{ "mangle-joined", make_mangle_joined },
	{ "mangle-first", make_mangle_first },
	{ NULL, NULL },
};
