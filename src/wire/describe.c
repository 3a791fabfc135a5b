// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One line of text about one packet: what a reader of a trace looks for first, in the order of the
 * header.  Numbers are as on the wire, in decimal but for tokens, flags and checksums.
 */
#include "wire/describe.h"

#include <stdarg.h>
#include <stdio.h>

/* What is appended to; what finds no room is left out. */
struct text {
	char *buf;
	size_t len;
};

__attribute__((format(printf, 2, 3)))
static void put(struct text *t, const char *fmt, ...)
{
	size_t room = PACKET_DESCRIBE_MAX - t->len;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->buf + t->len, room, fmt, ap);
	va_end(ap);
	if (n > 0)
		t->len += (size_t)n < room ? (size_t)n : room - 1;
}

static void put_mptcp(struct text *t, const struct mptcp_options *m)
{
	if (m->present & MPOPT_CAPABLE)
		put(t, " capable v%u flags %02x keys %u", m->capable.version, m->capable.flags,
		    m->capable.key_count);
	if (m->present & MPOPT_CAPABLE && m->capable.has_data_len)
		put(t, " len %u", m->capable.data_len);
	if (m->present & MPOPT_JOIN_SYN)
		put(t, " join id %u token %08x%s", m->join.addr_id, m->join.token,
		    m->join.backup ? " backup" : "");
	if (m->present & MPOPT_JOIN_SYNACK)
		put(t, " join-synack id %u", m->join.addr_id);
	if (m->present & MPOPT_JOIN_ACK)
		put(t, " join-ack");
	if (m->present & MPOPT_DSS) {
		put(t, " dss");
		if (m->dss.has_ack)
			put(t, " ack %llu", (unsigned long long)m->dss.data_ack);
		if (m->dss.has_map)
			put(t, " dsn %llu ssn %u len %u", (unsigned long long)m->dss.dsn, m->dss.ssn,
			    m->dss.data_len);
		if (m->dss.has_map && m->dss.has_checksum)
			put(t, " csum %04x", m->dss.checksum);
		if (m->dss.data_fin)
			put(t, " fin");
	}
	if (m->present & MPOPT_ADD_ADDR)
		put(t, " add-addr id %u", m->add_addr.addr_id);
	if (m->present & MPOPT_REMOVE_ADDR)
		put(t, " remove-addr");
	if (m->present & MPOPT_PRIO)
		put(t, " prio");
	if (m->present & MPOPT_FAIL)
		put(t, " fail %llu", (unsigned long long)m->fail.dsn);
	if (m->present & MPOPT_FASTCLOSE)
		put(t, " fastclose");
	if (m->present & MPOPT_TCPRST)
		put(t, " tcprst %u", m->tcprst.reason);
}

const char *packet_describe(const struct packet *p, char buf[PACKET_DESCRIBE_MAX])
{
	static const char flag_names[] = "FSRP.UEW";
	char src[IP_ENDPOINT_STRLEN], dst[IP_ENDPOINT_STRLEN], flags[9];
	struct text t = { .buf = buf };
	int n = 0;

	for (int i = 0; i < 8; i++) {
		if (p->tcp.flags & 1 << i)
			flags[n++] = flag_names[i];
	}
	flags[n] = 0;
	put(&t, "%s > %s [%s] seq %u len %zu ack %u win %u",
	    ip_endpoint_format(&p->tuple.src, src), ip_endpoint_format(&p->tuple.dst, dst), flags,
	    p->tcp.seq, p->payload_len, p->tcp.ack, p->tcp.window);
	for (unsigned i = 0; i < p->tcp.opt.sack_count; i++)
		put(&t, " sack %u-%u", p->tcp.opt.sack[i].begin, p->tcp.opt.sack[i].end);
	put_mptcp(&t, &p->tcp.mptcp);
	return buf;
}
