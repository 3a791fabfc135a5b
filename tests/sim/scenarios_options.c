/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Directed scenarios: middleboxes that take MPTCP options out, or that make DSS checksums
 * wrong (RFC 8684, section 3.7).  With one subflow the connection falls back and completes;
 * a joined subflow is reset and the others go on.  Never may a wrong byte come out.
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

/*
 * On the only path there is no way around it: MP_FAIL, an infinite mapping, plain TCP.
 * So that every byte can be verified it is the option's checksum that is broken, of a few
 * packets so that a whole mapping has none that is right.
 */
static void check_failed(struct run *run)
{
	const struct counters *c = &run->client.counters, *s = &run->host.counters;

	check_fallback(run);
	run_expect(run, c->v[CNT_MP_BAD_CHECKSUM] + s->v[CNT_MP_BAD_CHECKSUM] > 0,
		   "no checksum was wrong");
	run_expect(run, c->v[CNT_MP_FAIL_OUT] && c->v[CNT_MP_FAIL_IN] && s->v[CNT_MP_FAIL_OUT] &&
		   s->v[CNT_MP_FAIL_IN], "MP_FAIL was not sent by both");
	run_expect(run, c->v[CNT_MP_INFINITE_IN] || s->v[CNT_MP_INFINITE_IN],
		   "there was no infinite mapping");
	run_expect(run, !c->v[CNT_MP_ORPHANED], "the subflow was reset");
}

static void make_bad_sum(struct scenario *s, bool up, bool down)
{
	one_path(s);
	s->plan[0][0].total = s->plan[0][1].total = 1000000;
	s->cfg[0].checksum = true;
	s->link[0][UP].break_sum_from = up ? 100 : 0;
	s->link[0][DOWN].break_sum_from = down ? 100 : 0;
	s->check = check_failed;
}

static void make_bad_sum_up(struct scenario *s)
{
	make_bad_sum(s, true, false);
}

static void make_bad_sum_down(struct scenario *s)
{
	make_bad_sum(s, false, true);
}

static void make_bad_sum_both(struct scenario *s)
{
	make_bad_sum(s, true, true);
}

static void make_bad_sum_lossy(struct scenario *s)
{
	make_bad_sum(s, true, true);
	for (int d = 0; d < 2; d++) {
		s->link[0][d].loss = 20000;
		s->link[0][d].reorder = 20000;
		s->link[0][d].reorder_us = 5 * MS;
	}
}

/* The last data there is, so that the end has to do without an infinite mapping. */
static void check_last(struct run *run)
{
	run_expect_complete(run, 0);
	run_expect(run, run->client.counters.v[CNT_MP_FAIL_OUT] &&
		   run->host.counters.v[CNT_MP_FAIL_OUT], "MP_FAIL was not sent by both");
}

static void make_bad_sum_last(struct scenario *s)
{
	one_path(s);
	s->plan[0][0].total = 0;
	s->plan[0][1].total = 1000;
	s->cfg[0].checksum = true;
	s->link[0][DOWN].break_sum_from = 1;
	s->check = check_last;
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
	{ "bad-sum-up", make_bad_sum_up },
	{ "bad-sum-down", make_bad_sum_down },
	{ "bad-sum-both", make_bad_sum_both },
	{ "bad-sum-lossy", make_bad_sum_lossy },
	{ "bad-sum-last", make_bad_sum_last },
	{ NULL, NULL },
};
