/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtual time, verdicts and traces.
 */
#include "sim.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "wire/describe.h"

static struct sim *current;

void sim_init(struct sim *sim, uint64_t seed)
{
	memset(sim, 0, sizeof(*sim));
	/* Far from zero, so that times before the start can be told. */
	sim->now_us = 1000 * SECOND;
	timer_heap_init(&sim->timers);
	rng_seed(&sim->rng, seed);
	sim->hash = 0xcbf29ce484222325u;
	sim->check_every = 1;
}

void sim_fini(struct sim *sim)
{
	timer_heap_fini(&sim->timers);
	if (sim->pcap)
		fclose(sim->pcap);
}

void sim_timer_init(struct sim *sim, struct sim_timer *t, void (*fire)(struct sim_timer *))
{
	timer_node_init(&t->node);
	t->sim = sim;
	t->fire = fire;
}

void sim_arm(struct sim_timer *t, uint64_t when_us)
{
	if (when_us < t->sim->now_us)
		when_us = t->sim->now_us;
	if (timer_set(&t->sim->timers, &t->node, when_us))
		abort();
}

bool sim_step(struct sim *sim)
{
	uint64_t next = timer_next(&sim->timers);
	struct timer_node *n;
	struct sim_timer *t;

	if (sim->failed || next == TIMER_NEVER)
		return false;
	if (next > sim->now_us)
		sim->now_us = next;
	n = timer_pop(&sim->timers, sim->now_us);
	t = container_of(n, struct sim_timer, node);
	sim->events++;
	t->fire(t);
	return !sim->failed;
}

void sim_fail(struct sim *sim, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (sim->failed)
		return;
	sim->failed = true;
	n = snprintf(sim->reason, sizeof(sim->reason), "at %.6f s: ",
		     (double)(sim->now_us - 1000 * SECOND) / 1e6);
	va_start(ap, fmt);
	vsnprintf(sim->reason + n, sizeof(sim->reason) - (size_t)n, fmt, ap);
	va_end(ap);
	sim_note(sim, "FAILED %s", sim->reason);
}

void sim_note(struct sim *sim, const char *fmt, ...)
{
	va_list ap;

	if (!sim->verbose)
		return;
	printf("%11.6f ", (double)(sim->now_us - 1000 * SECOND) / 1e6);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

/* FNV-1a over words: not strong, but any difference shows. */
void sim_hash(struct sim *sim, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t h = sim->hash, w;

	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&w, p, 8);
		h = (h ^ w) * 0x100000001b3u;
		h ^= h >> 29;
	}
	for (; len; p++, len--)
		h = (h ^ *p) * 0x100000001b3u;
	sim->hash = h;
}

static void log_line(enum log_level level, const char *line)
{
	if (current)
		sim_note(current, "      %s: %s", log_level_name(level), line);
}

void sim_set_current(struct sim *sim)
{
	current = sim;
	log_set_sink(log_line);
	log_set_level(sim && sim->verbose ? LOG_LEVEL_TRACE : LOG_LEVEL_ERROR);
}

/* ---- traces ------------------------------------------------------------------ */

void sim_trace_packet(struct sim *sim, const char *what, int link, int dir,
		      const uint8_t *data, size_t len)
{
	char text[PACKET_DESCRIBE_MAX];
	struct packet p;

	if (!sim->verbose)
		return;
	if (packet_parse(data, len, &p) || p.kind != PACKET_TCP)
		sim_note(sim, "%d%c %s not TCP, %zu bytes", link, dir == UP ? '>' : '<', what, len);
	else
		sim_note(sim, "%d%c %s %s", link, dir == UP ? '>' : '<', what,
			 packet_describe(&p, text));
}

void sim_pcap_open(struct sim *sim, const char *path)
{
	/* Microseconds, LINKTYPE_RAW. */
	static const uint32_t head[6] = { 0xa1b2c3d4, 0x00040002, 0, 0, 65535, 101 };

	sim->pcap = fopen(path, "wb");
	if (!sim->pcap || fwrite(head, sizeof(head), 1, sim->pcap) != 1) {
		perror(path);
		exit(2);
	}
}

void sim_pcap_write(struct sim *sim, const uint8_t *data, size_t len)
{
	uint32_t head[4] = { (uint32_t)(sim->now_us / SECOND), (uint32_t)(sim->now_us % SECOND),
			     (uint32_t)len, (uint32_t)len };

	if (sim->pcap && (fwrite(head, sizeof(head), 1, sim->pcap) != 1 ||
			  fwrite(data, len, 1, sim->pcap) != 1)) {
		perror("pcap");
		exit(2);
	}
}
