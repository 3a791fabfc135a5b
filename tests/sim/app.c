/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Applications: what each end wants to write, read, close or abort, and when.  They
 * are pumped by their transport, host.c or gateway.c.
 *
 * Every byte of a stream follows from the stream's seed and the byte's offset, so
 * that a lost, doubled or misplaced byte is found where it is delivered.
 */
#include "sim.h"

#include <string.h>

static uint64_t content_word(uint64_t seed, uint64_t index)
{
	return rng_mix(seed + index * 0x9e3779b97f4a7c15u);
}

void app_plan_default(struct app_plan *p)
{
	memset(p, 0, sizeof(*p));
	p->abort_sent = p->abort_received = p->abort_us = NO_ABORT;
}

void app_init(struct app *a, struct sim *sim, const char *name, const struct app_plan *plan,
	      uint64_t content, struct app *peer)
{
	memset(a, 0, sizeof(*a));
	a->sim = sim;
	a->name = name;
	a->plan = *plan;
	a->peer = peer;
	a->content = content;
}

void app_start(struct app *a)
{
	if (a->started)
		return;
	a->started = true;
	a->started_us = a->sim->now_us;
	a->next_write_us = a->started_us + a->plan.start_us;
	a->next_read_us = a->started_us;
}

static bool may_start(const struct app *a)
{
	return a->started && !a->reset && !a->aborted && a->received >= a->plan.start_after;
}

uint64_t app_want_write(struct app *a)
{
	uint64_t left = a->plan.total - a->sent;

	if (!may_start(a) || a->shut || a->sim->now_us < a->started_us + a->plan.start_us)
		return 0;
	if (a->plan.turn_bytes) {
		uint64_t turns = a->received / a->plan.peer_turn_bytes + a->plan.speaks_first;
		uint64_t may = turns * a->plan.turn_bytes - a->sent;

		if (a->sim->now_us < a->turn_from_us)
			return 0;
		left = may < left ? may : left;
	}
	if (!a->plan.write_gap_us)
		return left;
	if (!a->write_left && a->sim->now_us >= a->next_write_us) {
		a->write_left = a->plan.write_chunk;
		a->next_write_us = a->sim->now_us + a->plan.write_gap_us;
	}
	return left < a->write_left ? left : a->write_left;
}

void app_generate(struct app *a, uint8_t *out, size_t len)
{
	uint64_t off = a->sent;

	if (a->plan.turn_bytes && off % a->plan.turn_bytes == 0)
		a->turn_begun_us = a->sim->now_us;
	a->sent += len;
	if (a->plan.write_gap_us)
		a->write_left -= len;
	while (len) {
		uint64_t w = content_word(a->content, off / 8);
		size_t skip = off % 8, n = 8 - skip < len ? 8 - skip : len;

		if (n == 8)
			memcpy(out, &w, 8);
		else
			memcpy(out, (const uint8_t *)&w + skip, n);
		out += n;
		off += n;
		len -= n;
	}
}

/* The stream has grown to `end`: what its reader waited for. */
static void note_delivery(struct app *a, uint64_t end)
{
	uint64_t now = a->sim->now_us, turn = a->plan.turn_bytes ? a->plan.peer_turn_bytes : 0;

	if (!a->first_byte_us)
		a->first_byte_us = now;
	else if (now >= a->started_us + a->plan.gap_from_us &&
		 now - a->last_byte_us > a->longest_gap_us)
		a->longest_gap_us = now - a->last_byte_us;
	if (turn && end / turn != a->received / turn) {
		a->turn_from_us = now + a->plan.think_us;
		if (a->turn_us && a->turn_count < a->turn_max)
			a->turn_us[a->turn_count++] = (uint32_t)(now - a->turn_begun_us);
	}
	a->received = end;
	a->last_byte_us = now;
}

/* Whether what is wrong with `n` bytes is a middlebox's work. */
static bool is_mangled(struct app *a, const uint8_t *data, const uint8_t *want, size_t n)
{
	struct sim *sim = a->sim;

	if (!a->unprotected)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (data[i] == want[i])
			continue;
		if ((data[i] ^ want[i]) != MANGLE_BITS || sim->mangled_seen == sim->mangled)
			return false;
		sim->mangled_seen++;
	}
	return true;
}

void app_verify(struct app *a, uint64_t offset, const uint8_t *data, size_t len)
{
	uint64_t off = offset;

	if (offset != a->received) {
		sim_fail(a->sim, "%s: got bytes at %llu, expected %llu", a->name,
			 (unsigned long long)offset, (unsigned long long)a->received);
		return;
	}
	if (a->eof) {
		sim_fail(a->sim, "%s: %zu bytes after the end", a->name, len);
		return;
	}
	if (offset + len > a->peer->sent) {
		sim_fail(a->sim, "%s: got bytes up to %llu of %llu that were sent", a->name,
			 (unsigned long long)(offset + len), (unsigned long long)a->peer->sent);
		return;
	}
	while (len) {
		uint64_t w = content_word(a->peer->content, off / 8);
		size_t skip = off % 8, n = 8 - skip < len ? 8 - skip : len;

		/* Whole words are nearly all there is, and a call for each is dear. */
		if ((n == 8 ? memcmp(data, &w, 8) : memcmp(data, (const uint8_t *)&w + skip, n)) &&
		    !is_mangled(a, data, (const uint8_t *)&w + skip, n)) {
			sim_fail(a->sim, "%s: wrong byte near offset %llu", a->name,
				 (unsigned long long)off);
			return;
		}
		data += n;
		off += n;
		len -= n;
	}
	note_delivery(a, off);
}

uint64_t app_want_read(struct app *a)
{
	uint64_t have = a->received - a->consumed, now = a->sim->now_us;

	if (!a->started || a->aborted)
		return 0;
	if (a->plan.pause_us && !a->pause_done) {
		if (!a->paused && a->consumed >= a->plan.pause_at) {
			a->paused = true;
			a->next_read_us = now + a->plan.pause_us;
		}
		if (a->paused && now >= a->next_read_us) {
			a->pause_done = true;
			a->read_left = 0;
		} else if (a->paused) {
			return 0;
		} else if (have > a->plan.pause_at - a->consumed) {
			have = a->plan.pause_at - a->consumed;
		}
	}
	if (!a->plan.read_gap_us || !have)
		return have;
	if (!a->read_left && now >= a->next_read_us) {
		a->read_left = a->plan.read_chunk;
		a->next_read_us = now + a->plan.read_gap_us;
	}
	return have < a->read_left ? have : a->read_left;
}

void app_read(struct app *a, uint64_t len)
{
	a->consumed += len;
	if (a->plan.read_gap_us)
		a->read_left -= len < a->read_left ? len : a->read_left;
}

bool app_want_shutdown(struct app *a)
{
	if (!may_start(a) || a->shut || a->sent < a->plan.total)
		return false;
	if (a->plan.close == APP_CLOSE_AFTER_PEER && (!a->eof || a->consumed < a->received))
		return false;
	if (!a->closing_us)
		a->closing_us = a->sim->now_us + a->plan.close_delay_us;
	return a->sim->now_us >= a->closing_us;
}

void app_did_shutdown(struct app *a)
{
	a->shut = true;
	a->shut_us = a->sim->now_us;
	sim_note(a->sim, "   %s: shuts at %llu", a->name, (unsigned long long)a->sent);
}

bool app_want_abort(struct app *a)
{
	if (a->aborted || a->reset || !a->started)
		return false;
	return a->sent >= a->plan.abort_sent || a->received >= a->plan.abort_received ||
	       (a->plan.abort_us != NO_ABORT &&
		a->sim->now_us >= a->started_us + a->plan.abort_us);
}

void app_did_abort(struct app *a)
{
	a->aborted = true;
	sim_note(a->sim, "   %s: aborts", a->name);
}

void app_eof(struct app *a)
{
	sim_note(a->sim, "   %s: end of stream at %llu", a->name, (unsigned long long)a->received);
	if (a->eof)
		sim_fail(a->sim, "%s: end of stream twice", a->name);
	if (!a->peer->shut)
		sim_fail(a->sim, "%s: end of stream at %llu that the peer did not send", a->name,
			 (unsigned long long)a->received);
	else if (a->received != a->peer->sent)
		sim_fail(a->sim, "%s: end of stream at %llu of %llu", a->name,
			 (unsigned long long)a->received, (unsigned long long)a->peer->sent);
	a->eof = true;
	a->eof_us = a->sim->now_us;
}

void app_reset(struct app *a)
{
	sim_note(a->sim, "   %s: reset", a->name);
	a->reset = true;
}

static uint64_t later(const struct app *a, uint64_t when, uint64_t next)
{
	return when > a->sim->now_us && when < next ? when : next;
}

uint64_t app_next(const struct app *a)
{
	uint64_t next = TIMER_NEVER;

	if (!a->started || a->reset || a->aborted)
		return next;
	if (!a->shut) {
		next = later(a, a->started_us + a->plan.start_us, next);
		next = later(a, a->turn_from_us, next);
		if (a->plan.write_gap_us && a->sent < a->plan.total)
			next = later(a, a->next_write_us, next);
		if (a->closing_us)
			next = later(a, a->closing_us, next);
	}
	if (a->consumed < a->received || a->paused)
		next = later(a, a->next_read_us, next);
	if (a->plan.abort_us != NO_ABORT)
		next = later(a, a->started_us + a->plan.abort_us, next);
	return next;
}
