/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtual time, verdicts and traces.
 */
#include "sim.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

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

static int put_mptcp(char *s, size_t room, const struct mptcp_options *m)
{
	int n = 0;

#define PUT(...) \
	do { \
		if ((size_t)n < room) \
			n += snprintf(s + n, room - (size_t)n, __VA_ARGS__); \
	} while (0)
	if (m->present & MPOPT_CAPABLE)
		PUT(" capable v%u flags %02x keys %u", m->capable.version, m->capable.flags,
		    m->capable.key_count);
	if (m->present & MPOPT_CAPABLE && m->capable.has_data_len)
		PUT(" len %u", m->capable.data_len);
	if (m->present & MPOPT_JOIN_SYN)
		PUT(" join id %u token %08x%s", m->join.addr_id, m->join.token,
		    m->join.backup ? " backup" : "");
	if (m->present & MPOPT_JOIN_SYNACK)
		PUT(" join-synack id %u", m->join.addr_id);
	if (m->present & MPOPT_JOIN_ACK)
		PUT(" join-ack");
	if (m->present & MPOPT_DSS) {
		PUT(" dss");
		if (m->dss.has_ack)
			PUT(" ack %llu", (unsigned long long)m->dss.data_ack);
		if (m->dss.has_map)
			PUT(" dsn %llu ssn %u len %u", (unsigned long long)m->dss.dsn, m->dss.ssn,
			    m->dss.data_len);
		if (m->dss.has_map && m->dss.has_checksum)
			PUT(" csum %04x", m->dss.checksum);
		if (m->dss.data_fin)
			PUT(" fin");
	}
	if (m->present & MPOPT_ADD_ADDR)
		PUT(" add-addr id %u", m->add_addr.addr_id);
	if (m->present & MPOPT_REMOVE_ADDR)
		PUT(" remove-addr");
	if (m->present & MPOPT_PRIO)
		PUT(" prio");
	if (m->present & MPOPT_FAIL)
		PUT(" fail %llu", (unsigned long long)m->fail.dsn);
	if (m->present & MPOPT_FASTCLOSE)
		PUT(" fastclose");
	if (m->present & MPOPT_TCPRST)
		PUT(" tcprst %u", m->tcprst.reason);
#undef PUT
	return n;
}

void sim_trace_packet(struct sim *sim, const char *what, int link, int dir,
		      const uint8_t *data, size_t len)
{
	static const char flag_names[] = "FSRP.UEW";
	char flags[9], text[300] = "";
	struct packet p;
	int n = 0;

	if (!sim->verbose)
		return;
	if (packet_parse(data, len, &p) || p.kind != PACKET_TCP) {
		sim_note(sim, "%d%c %s not TCP, %zu bytes", link, dir == UP ? '>' : '<', what, len);
		return;
	}
	for (int i = 0; i < 8; i++) {
		if (p.tcp.flags & 1 << i)
			flags[n++] = flag_names[i];
	}
	flags[n] = 0;
	n = 0;
	for (unsigned i = 0; i < p.tcp.opt.sack_count; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, " sack %u-%u",
			      p.tcp.opt.sack[i].begin, p.tcp.opt.sack[i].end);
	put_mptcp(text + n, sizeof(text) - (size_t)n, &p.tcp.mptcp);
	sim_note(sim, "%d%c %s :%u>:%u [%s] seq %u len %zu ack %u win %u%s", link,
		 dir == UP ? '>' : '<', what, p.tcp.src_port, p.tcp.dst_port, flags, p.tcp.seq,
		 p.payload_len, p.tcp.ack, p.tcp.window, text);
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
