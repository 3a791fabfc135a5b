// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The netfilter rules.
 *
 * One chain sees every packet, in prerouting before conntrack (raw - 1), so that a caught
 * flow costs no entry there:
 *
 *	to a service's port     flows in the flow sets, and SYNs with an MPTCP option to a
 *	                        service, whose flow it puts there, go to `take'
 *	from such a port        what the TUN device brings is ours: nothing tracks or catches
 *	                        it; packets for a transparent socket get the mark
 *	ICMP errors             about servers' connections likewise, about clients' to `take'
 *
 * The same in the output hook for ICMP errors of this machine.  `take' queues, by nft's
 * `queue' or, where the kernel has none, by the xt target NFQUEUE in its place.
 *
 * Packets with the mark are to be delivered here, though their destination is a client's
 * address.  The last chain of prerouting, after conntrack and whoever else looks at
 * addresses, puts a local one in its place (routes.c), and the original's first 32 bits into
 * the packet's priority, which means nothing on the way in; the first chain of input puts
 * them back.  In between there is only the kernel's decision about the route.  No checksum
 * follows, because none is looked at there, and in the end nothing has changed.
 *
 * What is not ours is nearly everything, and pays for each expression (some 10 ns): so what
 * comes first is the one test that tells most directions apart, a mask of the ports' common
 * high bits (clients' own ports are high), then one look-up in a hash table or one of a
 * socket.  Sets with intervals, which cost several times as much, are asked last, where there
 * is a hit.
 *
 * With several workers there is a queue for each.  Some bits of the client's port choose
 * the worker, so that all packets of a flow come to the same one, and the ports that
 * a client uses one after the other to different ones.  (The kernel's own ways to spread
 * packets go by addresses alone, or by the processor.)  An ICMP error goes to the worker of
 * the flow that it is about: the port is in the packet that it quotes.
 *
 * nft's intervals of concatenated fields must not overlap, while services may.  So the
 * ports of each distinct prefix are collected in a bitmap, and what a wider prefix covers
 * already is left out.
 *
 * Rules are loaded by running nft(8), which is found in the system's own directories,
 * whatever PATH says, and run without a shell.  It can write neither xt targets nor a
 * priority into a packet; those rules are added over netlink, by which the table is also
 * looked at and removed.
 */
#include "daemon/ruleset.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/xt_NFQUEUE.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "daemon/child.h"
#include "daemon/routes.h"
#include "io/netlink.h"

#define PORTS 65536u

/* Bits of a client's port that choose the worker.  The lowest is left out: Linux gives
 * nearly all outgoing connections ports of one parity. */
#define BUCKET_SHIFT 1
#define BUCKETS      64u

/* Bytes of destination addresses in their headers, the first four of which are exchanged. */
#define DADDR4_AT 16u
#define DADDR6_AT 24u
/* The chains that put them back. */
#define RESTORE4 "restore4"
#define RESTORE6 "restore6"

struct block {
	struct ip_prefix prefix;
	uint16_t first, last;
};

struct blocks {
	struct block *v;
	size_t count, capacity;
	bool failed;            /* out of memory */
};

/* The least and the greatest of some ports; none at all if first > last. */
struct port_span {
	uint16_t first, last;
};

/*
 * Servers that connections may have been opened to since the rules were installed, and the
 * ports that have been caught: those of a service that is gone must still get their packets.
 */
static struct blocks upstreams_ever;
static struct port_span ports_ever = { UINT16_MAX, 0 };

/*
 * The kernel's numbers of the table's rules, of which none is used twice: whoever deletes,
 * replaces or flushes rules takes some of them away.  In the kernel's order of bytes.
 */
#define HANDLES_MAX 512u
#define LIST_TRIES  3
struct handles {
	size_t count;
	uint64_t v[HANDLES_MAX];
};
static struct handles in_force;

/* How many flows each of the flow sets has room for. */
static uint32_t room_in_force;

/* ---- what is caught ------------------------------------------------------------- */

static void add_block(struct blocks *b, const struct ip_prefix *prefix, uint16_t first,
		      uint16_t last)
{
	if (b->count == b->capacity) {
		size_t capacity = b->capacity ? b->capacity * 2 : 64;
		struct block *v = reallocarray(b->v, capacity, sizeof(*v));

		if (!v) {
			b->failed = true;
			return;
		}
		b->v = v;
		b->capacity = capacity;
	}
	b->v[b->count++] = (struct block){ *prefix, first, last };
}

static void add_endpoint(struct blocks *b, const struct ip_endpoint *e)
{
	struct ip_prefix p = { .addr = e->addr, .is_v4 = ip_addr_is_v4(&e->addr) };

	p.len = p.is_v4 ? 32 : 128;
	/* Advertised without a port: that of any service. */
	add_block(b, &p, e->port ? e->port : 1, e->port ? e->port : PORTS - 1);
}

static int compare_blocks(const void *a, const void *b)
{
	const struct block *x = a, *y = b;
	int c;

	if (x->prefix.is_v4 != y->prefix.is_v4)
		return x->prefix.is_v4 ? -1 : 1;
	c = ip_addr_cmp(&x->prefix.addr, &y->prefix.addr);
	return c ? c : (int)x->prefix.len - (int)y->prefix.len;
}

static void span_add(struct port_span *span, uint16_t first, uint16_t last)
{
	if (first < span->first)
		span->first = first;
	if (last > span->last)
		span->last = last;
}

/* The ports that packets to and from us may have at the server's end. */
static struct port_span collect_ports(const struct ruleset_config *c)
{
	struct port_span span = ports_ever;

	for (size_t i = 0; i < c->service_count; i++) {
		const struct proxy_service *s = &c->services[i];

		for (size_t r = 0; r < s->port_count; r++)
			span_add(&span, s->ports[r].first, s->ports[r].last);
		if (!s->upstream_original)
			span_add(&span, s->upstream.port, s->upstream.port);
	}
	for (size_t i = 0; i < c->endpoint_count; i++) {
		const struct mptcp_endpoint *e = &c->endpoints[i].ep;
		/* A NAT that is said to change the address only leaves the port as it is. */
		uint16_t port = e->local.port ? e->local.port : e->announced.port;

		if (port)
			span_add(&span, port, port);
	}
	return span;
}

static void sort_blocks(struct blocks *b)
{
	if (b->count)
		qsort(b->v, b->count, sizeof(*b->v), compare_blocks);
}

static void collect_service(struct blocks *b, const struct proxy_service *s)
{
	for (size_t p = 0; p < s->prefix_count; p++) {
		for (size_t r = 0; r < s->port_count; r++)
			add_block(b, &s->prefixes[p], s->ports[r].first, s->ports[r].last);
	}
}

static void collect_services(struct blocks *b, const struct ruleset_config *c)
{
	for (size_t i = 0; i < c->service_count; i++)
		collect_service(b, &c->services[i]);
	for (size_t i = 0; i < c->endpoint_count; i++)
		add_endpoint(b, &c->endpoints[i].ep.local);
	sort_blocks(b);
}

static void collect_upstreams(struct blocks *b, const struct ruleset_config *c)
{
	for (size_t i = 0; i < c->service_count; i++) {
		if (c->services[i].upstream_original)
			collect_service(b, &c->services[i]);
		else
			add_endpoint(b, &c->services[i].upstream);
	}
	sort_blocks(b);
}

static bool same_block(const struct block *a, const struct block *b)
{
	return compare_blocks(a, b) == 0 && a->first == b->first && a->last == b->last;
}

/* Adds `from` to `to`, each block once. */
static void merge(struct blocks *to, const struct blocks *from)
{
	size_t old = to->count;

	for (size_t i = 0; i < from->count; i++) {
		size_t k = 0;

		while (k < old && !same_block(&to->v[k], &from->v[i]))
			k++;
		if (k == old)
			add_block(to, &from->v[i].prefix, from->v[i].first, from->v[i].last);
	}
	sort_blocks(to);
}

static bool same_prefix(const struct block *a, const struct block *b)
{
	return compare_blocks(a, b) == 0;
}

static bool covers(const struct block *wide, const struct block *narrow)
{
	return wide->prefix.is_v4 == narrow->prefix.is_v4 &&
	       wide->prefix.len < narrow->prefix.len &&
	       ip_prefix_contains(&wide->prefix, &narrow->prefix.addr);
}

/* ---- text ----------------------------------------------------------------------- */

struct writer {
	FILE *out;
	const char *separator;
};

static void print_prefix(FILE *out, const struct ip_prefix *p)
{
	char text[IP_ADDR_STRLEN];

	fputs(ip_addr_format(&p->addr, text), out);
	if (p->len < (p->is_v4 ? 32 : 128))
		fprintf(out, "/%u", p->len);
}

static void print_element(struct writer *w, const struct ip_prefix *p, uint32_t first,
			  uint32_t last)
{
	fputs(w->separator, w->out);
	w->separator = ",\n\t\t\t";
	print_prefix(w->out, p);
	fprintf(w->out, " . %" PRIu32, first);
	if (last > first)
		fprintf(w->out, "-%" PRIu32, last);
}

/* Disjoint elements of one family. */
static void print_ports(struct writer *w, const struct blocks *b, bool v4)
{
	uint8_t *ports = malloc(PORTS);

	for (size_t i = 0, end; ports && i < b->count; i = end) {
		for (end = i + 1; end < b->count && same_prefix(&b->v[i], &b->v[end]); end++)
			;
		if (b->v[i].prefix.is_v4 != v4)
			continue;
		memset(ports, 0, PORTS);
		for (size_t k = i; k < end; k++)
			memset(ports + b->v[k].first, 1,
			       (size_t)b->v[k].last - b->v[k].first + 1);
		for (size_t k = 0; k < b->count; k++) {
			if (covers(&b->v[k], &b->v[i]))
				memset(ports + b->v[k].first, 0,
				       (size_t)b->v[k].last - b->v[k].first + 1);
		}
		for (uint32_t first = 0, last; first < PORTS; first = last + 1) {
			for (last = first; last + 1 < PORTS && ports[last + 1] == ports[first];)
				last++;
			if (ports[first])
				print_element(w, &b->v[i].prefix, first, last);
		}
	}
	free(ports);
}

/* The addresses alone, disjoint. */
static void print_addresses(struct writer *w, const struct blocks *b, bool v4)
{
	for (size_t i = 0; i < b->count; i++) {
		bool covered = i && same_prefix(&b->v[i - 1], &b->v[i]);

		if (b->v[i].prefix.is_v4 != v4)
			continue;
		for (size_t k = 0; k < b->count && !covered; k++)
			covered = covers(&b->v[k], &b->v[i]);
		if (covered)
			continue;
		fputs(w->separator, w->out);
		w->separator = ",\n\t\t\t";
		print_prefix(w->out, &b->v[i].prefix);
	}
}

/* `line` introduces the elements and is only written if there are any. */
static void print_elements(FILE *out, const char *line, const char *end,
			   void (*print)(struct writer *, const struct blocks *, bool),
			   const struct blocks *b, bool v4)
{
	struct writer w = { out, line };

	print(&w, b, v4);
	if (w.separator != line)
		fputs(end, out);
}

/* What is caught, and what connections go to. */
struct places {
	struct blocks services;
	struct blocks servers;          /* that new connections go to */
	struct blocks upstreams;        /* and older ones, too */
};

static void free_places(struct places *p)
{
	free(p->services.v);
	free(p->servers.v);
	free(p->upstreams.v);
}

/* -ENOMEM, and then nothing is to be freed. */
static int collect_all(const struct ruleset_config *c, struct places *p)
{
	*p = (struct places){ 0 };
	collect_services(&p->services, c);
	collect_upstreams(&p->servers, c);
	collect_upstreams(&p->upstreams, c);
	merge(&p->upstreams, &upstreams_ever);
	if (!p->services.failed && !p->servers.failed && !p->upstreams.failed)
		return 0;
	free_places(p);
	return -ENOMEM;
}

/* The sets that come from the configuration; their names go on with 4 or 6. */
static const struct {
	const char *name;
	size_t blocks;                  /* in struct places */
	bool ports;                     /* else addresses alone */
} place_sets[] = {
	{ "services", offsetof(struct places, services), true },
	{ "servers", offsetof(struct places, servers), true },
	{ "upstreams", offsetof(struct places, upstreams), false },
	{ "hosts", offsetof(struct places, services), false },
};
#define PLACE_SETS (sizeof(place_sets) / sizeof(place_sets[0]))

static void print_place(FILE *out, size_t set, const char *line, const char *end,
			const struct places *p, bool v4)
{
	print_elements(out, line, end, place_sets[set].ports ? print_ports : print_addresses,
		       (const void *)((const char *)p + place_sets[set].blocks), v4);
}

static void print_config_sets(FILE *out, const struct places *p, bool v4)
{
	for (size_t i = 0; i < PLACE_SETS; i++) {
		fprintf(out, "\tset %s%d {\n\t\ttype %s%s\n\t\tflags interval\n",
			place_sets[i].name, v4 ? 4 : 6, v4 ? "ipv4_addr" : "ipv6_addr",
			place_sets[i].ports ? " . inet_service" : "");
		print_place(out, i, "\t\telements = {\n\t\t\t", "\n\t\t}\n", p, v4);
		fprintf(out, "\t}\n");
	}
}

static uint32_t flow_room(const struct ruleset_config *c)
{
	return c->flow_max ? c->flow_max : PORTS;
}

static void print_flow_set(FILE *out, const struct ruleset_config *c, bool v4)
{
	const char *type = v4 ? "ipv4_addr" : "ipv6_addr";

	fprintf(out,
		"\tset flows%d {\n"
		"\t\ttype %s . inet_service . %s . inet_service\n"
		"\t\tsize %" PRIu32 "\n"
		"\t\tflags dynamic,timeout\n"
		"\t\ttimeout %" PRIu32 "s\n"
		"\t}\n", v4 ? 4 : 6, type, type, flow_room(c),
		c->flow_timeout_s ? c->flow_timeout_s : RULESET_FLOW_TIMEOUT_S);
}

/*
 * Writes "th FIELD and MASK == VALUE ": the high bits that all ports of the span share.
 * Lets other ports pass, too, but is the cheapest test there is.
 */
static void print_port_test(FILE *out, const char *field, const struct port_span *span)
{
	unsigned mask = UINT16_MAX;

	/* No port at all: none is 0. */
	if (span->first > span->last) {
		fprintf(out, "th %s 0 ", field);
		return;
	}
	while ((span->first & mask) != (span->last & mask))
		mask = mask << 1 & UINT16_MAX;
	if (mask == UINT16_MAX)
		fprintf(out, "th %s %u ", field, span->first);
	else if (mask)
		fprintf(out, "th %s and 0x%04x == 0x%04x ", field, mask, span->first & mask);
}

/* `th' spares the test of the protocol that `tcp' implies. */
static void print_catch(FILE *out, const struct port_span *span)
{
	fprintf(out,
		"\tchain catch {\n"
		"\t\ttype filter hook prerouting priority -301\n"
		"\t\tpolicy accept\n"
		"\t\tmeta l4proto != tcp goto other\n\t\t");
	print_port_test(out, "dport", span);
	fprintf(out, "jump to_service\n\t\t");
	print_port_test(out, "sport", span);
	fprintf(out, "goto from_server\n\t}\n");
}

#define TUN_TYPE "65534"        /* ARPHRD_NONE */

#define FLOW4 "ip saddr . th sport . ip daddr . th dport"
#define FLOW6 "ip6 saddr . th sport . ip6 daddr . th dport"

/* The octet of the flags: of FIN, SYN, RST and ACK there is SYN. */
#define IS_SYN "@th,104,8 and 0x17 == 0x02 "

/*
 * Flows that are caught, and SYNs that begin one; whatever the services are by now.  The place
 * that a SYN takes in the set is its own for as long as a handshake lasts, and only what
 * follows gets it for long: forged SYNs, which are all that is kept of a flood, would else
 * fill the set for an hour.
 */
static void print_tcp_chains(FILE *out, const struct ruleset_config *c)
{
	fprintf(out,
		"\tchain syn {\n"
		/* What this machine serves itself: its answers would not come back to us.  Joins
		 * (subtype 1) to an advertised address of this machine are something else. */
		"\t\ttcp option mptcp subtype 0 fib daddr type local ip daddr . th dport "
		"@servers4 return\n"
		"\t\ttcp option mptcp subtype 0 fib daddr type local ip6 daddr . th dport "
		"@servers6 return\n"
		"\t\tip daddr . th dport @services4 update @flows4 { " FLOW4 " timeout %us } goto take\n"
		"\t\tip6 daddr . th dport @services6 update @flows6 { " FLOW6 " timeout %us } goto take\n"
		"\t}\n"
		"\tchain caught4 {\n"
		"\t\t" IS_SYN "goto take\n"
		"\t\tupdate @flows4 { " FLOW4 " } goto take\n"
		"\t}\n"
		"\tchain caught6 {\n"
		"\t\t" IS_SYN "goto take\n"
		"\t\tupdate @flows6 { " FLOW6 " } goto take\n"
		"\t}\n"
		"\tchain to_service {\n"
		"\t\t" FLOW4 " @flows4 goto caught4\n"
		"\t\t" FLOW6 " @flows6 goto caught6\n"
		"\t\t" IS_SYN "tcp option mptcp exists goto syn\n"
		"\t}\n",
		RULESET_SYN_TIMEOUT_S, RULESET_SYN_TIMEOUT_S);
	fprintf(out,
		/* Without the port, which would cost more than all the rest here.  A packet for
		 * another program's transparent socket gets there all the same. */
		"\tchain answer {\n"
		"\t\tip saddr @upstreams4 goto local\n"
		"\t\tip6 saddr @upstreams6 goto local\n"
		"\t}\n"
		"\tchain from_server {\n"
		/* Our own packets to the client have the very tuple of the server's to us.  To
		 * compare a name is dear, so the devices' type (no addresses) comes first. */
		"\t\tmeta iiftype " TUN_TYPE " iifname \"%s\" notrack accept\n"
		"\t\tsocket transparent 1 goto answer\n"
		"\t}\n", c->device);
}

#define ICMP4_ERRORS "icmp type { destination-unreachable, time-exceeded }"
#define ICMP6_ERRORS \
	"icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, " \
	"parameter-problem }"

static unsigned workers(const struct ruleset_config *c)
{
	return c->queue_count ? c->queue_count : 1;
}

/* The chain that queues packets for a worker. */
static const char *take_name(const struct ruleset_config *c, unsigned worker, char out[16])
{
	if (workers(c) == 1)
		strcpy(out, "take");
	else
		snprintf(out, 16, "take%u", worker);
	return out;
}

/* Goes to one of these; `port` is an expression for the client's port. */
static void print_goto_take(FILE *out, const struct ruleset_config *c, const char *port)
{
	char name[16];

	if (workers(c) == 1) {
		fprintf(out, "goto take\n");
		return;
	}
	fprintf(out, "%s and 0x%x vmap {", port, (BUCKETS - 1) << BUCKET_SHIFT);
	for (unsigned b = 0; b < BUCKETS; b++)
		fprintf(out, "%s%s%u : goto %s", b ? "," : "", b % 8 ? " " : "\n\t\t\t",
			b << BUCKET_SHIFT, take_name(c, b % workers(c), name));
	fprintf(out, "\n\t\t}\n");
}

static void print_take_chains(FILE *out, const struct ruleset_config *c, enum ruleset_queue how)
{
	char name[16];

	for (unsigned i = 0; i < workers(c); i++) {
		fprintf(out, "\tchain %s {\n", take_name(c, i, name));
		if (how == RULESET_QUEUE_NFT)
			fprintf(out, "\t\tqueue flags bypass to %u\n", c->queue + i);
		fprintf(out, "\t}\n");
	}
	if (workers(c) == 1)
		return;
	fprintf(out, "\tchain take {\n\t\t");
	print_goto_take(out, c, "th sport");
	fprintf(out, "\t}\n");
}

/* The port is in the TCP header that follows the IP header which is quoted; ours have no
 * IP options, and a packet with them is at worst not known to the worker that gets it. */
static void print_icmp_rule(FILE *out, const struct ruleset_config *c, bool v4,
			    const char *condition, const char *port)
{
	fprintf(out, "\t\t%s%s", v4 ? ICMP4_ERRORS : ICMP6_ERRORS, condition);
	print_goto_take(out, c, port);
}

/* What is marked is taken for local while its route is decided. */
static void print_return_path(FILE *out, const struct ruleset_config *c)
{
	char ours[64];

	snprintf(ours, sizeof(ours), "meta mark and 0x%08" PRIx32 " == 0x%08" PRIx32, c->mark_mask,
		 c->mark);
	fprintf(out,
		"\tchain hide {\n"
		"\t\tmeta nfproto ipv4 meta priority set @nh,%u,32 @nh,%u,32 set 0x%08x\n"
		"\t\tmeta nfproto ipv6 meta priority set @nh,%u,32 @nh,%u,32 set 0x%08x\n"
		"\t}\n"
		"\tchain divert {\n"
		"\t\ttype filter hook prerouting priority %d\n"
		"\t\tpolicy accept\n"
		"\t\t%s goto hide\n"
		"\t}\n", DADDR4_AT * 8, DADDR4_AT * 8, ROUTES_LOCAL4, DADDR6_AT * 8,
		DADDR6_AT * 8, ROUTES_LOCAL6, INT_MAX, ours);
	fprintf(out,
		"\tchain " RESTORE4 " {\n"
		"\t}\n"
		"\tchain " RESTORE6 " {\n"
		"\t}\n"
		"\tchain restore {\n"
		"\t\tmeta nfproto ipv4 goto " RESTORE4 "\n"
		"\t\tmeta nfproto ipv6 goto " RESTORE6 "\n"
		"\t}\n"
		"\tchain arrive {\n"
		"\t\ttype filter hook input priority %d\n"
		"\t\tpolicy accept\n"
		"\t\t%s goto restore\n"
		/* Nobody else has anything to do with these. */
		"\t\tip6 daddr " ROUTES_LOCAL6_TEXT " drop\n"
		"\t}\n", INT_MIN, ours);
}

static void print_chains(FILE *out, const struct ruleset_config *c,
			 const struct port_span *span, enum ruleset_queue how)
{
	print_take_chains(out, c, how);
	fprintf(out,
		"\tchain local {\n"
		"\t\tmeta mark set meta mark and 0x%08" PRIx32 " or 0x%08" PRIx32 "\n"
		"\t}\n", ~c->mark_mask, c->mark);
	print_return_path(out, c);
	print_tcp_chains(out, c);
	fprintf(out,
		"\tchain other {\n"
		"\t\tiifname \"%s\" notrack accept\n"
		"\t\t" ICMP4_ERRORS " socket transparent 1 goto local\n"
		"\t\t" ICMP6_ERRORS " socket transparent 1 goto local\n", c->device);
	print_icmp_rule(out, c, true, " ip daddr @hosts4 ", "@th,240,16");
	print_icmp_rule(out, c, false, " ip6 daddr @hosts6 ", "@th,400,16");
	/* Those about TCP: the protocol field of the packet that is quoted.  To a service's
	 * address go errors about our packets to clients, others are about a client's packet
	 * or one of our own to the server. */
	fprintf(out, "\t}\n");
	print_catch(out, span);
	/* What io/flowset sends, which goes nowhere: TCP with no flag, or only URG, and with the mark,
	 * which a reset in answer to a marked packet may have, too (fwmark_reflect). */
	fprintf(out,
		"\tchain refresh_syn {\n"
		"\t\tupdate @flows4 { " FLOW4 " timeout %us } drop\n"
		"\t\tupdate @flows6 { " FLOW6 " timeout %us } drop\n"
		"\t\tdrop\n"
		"\t}\n"
		"\tchain refresh {\n"
		"\t\t@th,104,8 0x20 goto refresh_syn\n"
		"\t\tupdate @flows4 { " FLOW4 " } drop\n"
		"\t\tupdate @flows6 { " FLOW6 " } drop\n"
		"\t\tdrop\n"
		"\t}\n"
		"\tchain catch_local {\n"
		"\t\ttype filter hook output priority -301\n"
		"\t\tpolicy accept\n"
		"\t\tmeta mark 0x%08" PRIx32 " meta l4proto tcp @th,104,8 and 0xdf == 0 goto refresh\n",
		RULESET_SYN_TIMEOUT_S, RULESET_SYN_TIMEOUT_S, c->mark);
	if (workers(c) > 1) {
		print_icmp_rule(out, c, true, " @th,136,8 6 ip daddr @hosts4 ", "@th,240,16");
		print_icmp_rule(out, c, false, " @th,112,8 6 ip6 daddr @hosts6 ", "@th,400,16");
	}
	print_icmp_rule(out, c, true, " @th,136,8 6 ", "@th,224,16");
	print_icmp_rule(out, c, false, " @th,112,8 6 ", "@th,384,16");
	fprintf(out, "\t}\n");
}

/* Out of memory, it writes nothing. */
void ruleset_print(FILE *out, const struct ruleset_config *c, enum ruleset_queue how)
{
	struct port_span ports = collect_ports(c);
	struct places places;

	if (collect_all(c, &places))
		return;
	/* Made if missing, so that it can be deleted, and made anew: one transaction. */
	fprintf(out, "table inet " RULESET_TABLE "\ndelete table inet " RULESET_TABLE "\n"
		"table inet " RULESET_TABLE " {\n");
	for (int v4 = 1; v4 >= 0; v4--) {
		print_config_sets(out, &places, v4);
		print_flow_set(out, c, v4);
	}
	print_chains(out, c, &ports, how);
	fprintf(out, "}\n");
	free_places(&places);
	fprintf(out, "# and, where nft cannot write it, in chain " RESTORE4
		": @nh,%u,32 set meta priority\n"
		"# and in chain " RESTORE6 ": @nh,%u,32 set meta priority\n",
		DADDR4_AT * 8, DADDR6_AT * 8);
	if (how == RULESET_QUEUE_XT)
		for (unsigned i = 0; i < workers(c); i++) {
			char name[16];

			fprintf(out, "# and in chain %s, where nft cannot write it, the xt target "
				"NFQUEUE: queue %u, bypass\n", take_name(c, i, name), c->queue + i);
		}
}

/* ---- in force ------------------------------------------------------------------- */

static const char *const nft_file[] = { "nft", "-f", "-", NULL };

static int run_nft(const char *text, char *err, size_t err_len)
{
	char why[240];
	int ret = child_run(nft_file, text, why, sizeof(why));

	if (ret == -ENOENT)
		snprintf(err, err_len, "nft not found: install nftables");
	else if (ret)
		snprintf(err, err_len, "nft: %s", why);
	return ret;
}

int ruleset_helper_start(void)
{
	return child_helper_start(nft_file);
}

enum ruleset_queue ruleset_queue_detect(void)
{
	char err[256];
	int ret;

	/* One transaction that leaves nothing behind, and fails where the kernel has no
	 * such expression. */
	ret = run_nft("table inet " RULESET_TABLE "_try {\n"
		       "\tchain try {\n\t\tqueue flags bypass to 0\n\t}\n}\n"
		       "delete table inet " RULESET_TABLE "_try\n", err, sizeof(err));
	/* Who may not try gets what most kernels have. */
	if (!ret || strstr(err, "not permitted"))
		return RULESET_QUEUE_NFT;
	return RULESET_QUEUE_XT;
}

/* A message of nftables' part of netlink. */
static struct nlmsghdr *put_header(uint8_t *at, uint16_t type, uint16_t flags, uint8_t family,
				   uint16_t res_id)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(at);
	struct nfgenmsg *nfg;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = family;
	nfg->version = NFNETLINK_V0;
	nfg->res_id = htons(res_id);
	return nlh;
}

/* Begins a rule at the end of a chain; its expressions follow. */
static struct nlattr *put_rule(struct nlmsghdr *nlh, const char *chain)
{
	mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, RULESET_TABLE);
	mnl_attr_put_strz(nlh, NFTA_RULE_CHAIN, chain);
	return mnl_attr_nest_start(nlh, NFTA_RULE_EXPRESSIONS);
}

/* Begins an expression; its attributes follow. */
static struct nlattr *put_expression(struct nlmsghdr *nlh, const char *name, struct nlattr **data)
{
	struct nlattr *element = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);

	mnl_attr_put_strz(nlh, NFTA_EXPR_NAME, name);
	*data = mnl_attr_nest_start(nlh, NFTA_EXPR_DATA);
	return element;
}

static void end_expression(struct nlmsghdr *nlh, struct nlattr *element, struct nlattr *data)
{
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, element);
}

#define NEW_RULE       (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE)
#define NEW_RULE_FLAGS (NLM_F_CREATE | NLM_F_APPEND)

/* The rule of a worker's chain: "xt target NFQUEUE". */
static size_t put_xt_rule(uint8_t *at, const struct ruleset_config *c, unsigned worker)
{
	struct xt_NFQ_info_v3 queue = {
		.queuenum = (uint16_t)(c->queue + worker),
		.queues_total = 1,
		.flags = NFQ_FLAG_BYPASS,
	};
	struct nlmsghdr *nlh = put_header(at, NEW_RULE, NEW_RULE_FLAGS, NFPROTO_INET, 0);
	struct nlattr *expressions, *element, *data;
	uint8_t info[8] = { 0 };        /* aligned as x_tables would */
	char name[16];

	memcpy(info, &queue, sizeof(queue));
	expressions = put_rule(nlh, take_name(c, worker, name));
	element = put_expression(nlh, "target", &data);
	mnl_attr_put_strz(nlh, NFTA_TARGET_NAME, "NFQUEUE");
	mnl_attr_put_u32(nlh, NFTA_TARGET_REV, htonl(3));
	mnl_attr_put(nlh, NFTA_TARGET_INFO, sizeof(info), info);
	end_expression(nlh, element, data);
	mnl_attr_nest_end(nlh, expressions);
	return nlh->nlmsg_len;
}

/* The rule "@nh,OFFSET,32 set meta priority"; the last of the transaction asks for an answer. */
static size_t put_restore_rule(uint8_t *at, const char *chain, unsigned offset, bool last)
{
	struct nlmsghdr *nlh = put_header(at, NEW_RULE, NEW_RULE_FLAGS | (last ? NLM_F_ACK : 0),
					  NFPROTO_INET, 0);
	struct nlattr *expressions = put_rule(nlh, chain), *element, *data;

	element = put_expression(nlh, "meta", &data);
	mnl_attr_put_u32(nlh, NFTA_META_KEY, htonl(NFT_META_PRIORITY));
	mnl_attr_put_u32(nlh, NFTA_META_DREG, htonl(NFT_REG_1));
	end_expression(nlh, element, data);
	element = put_expression(nlh, "payload", &data);
	mnl_attr_put_u32(nlh, NFTA_PAYLOAD_SREG, htonl(NFT_REG_1));
	mnl_attr_put_u32(nlh, NFTA_PAYLOAD_BASE, htonl(NFT_PAYLOAD_NETWORK_HEADER));
	mnl_attr_put_u32(nlh, NFTA_PAYLOAD_OFFSET, htonl(offset));
	mnl_attr_put_u32(nlh, NFTA_PAYLOAD_LEN, htonl(sizeof(uint32_t)));
	mnl_attr_put_u32(nlh, NFTA_PAYLOAD_CSUM_TYPE, htonl(NFT_PAYLOAD_CSUM_NONE));
	end_expression(nlh, element, data);
	mnl_attr_nest_end(nlh, expressions);
	return nlh->nlmsg_len;
}

/* Sends one transaction and returns the kernel's answer, 0 or -errno. */
static int transact(const uint8_t *message, size_t len)
{
	struct mnl_socket *nl = netlink_open(NETLINK_NETFILTER);
	int ret;

	if (!nl)
		return -errno;
	ret = netlink_ask(nl, message, len);
	mnl_socket_close(nl);
	return ret;
}

#define XT_RULES_MAX 64u

/* Completes chains of the rules, which are in force already, and let pass until then. */
static int complete(const struct ruleset_config *c, enum ruleset_queue how, char *err,
		    size_t err_len)
{
	uint8_t message[(XT_RULES_MAX + 4) * 256], *at = message;
	int ret;

	assert(workers(c) <= XT_RULES_MAX);

	at += put_header(at, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES)->nlmsg_len;
	for (unsigned i = 0; how == RULESET_QUEUE_XT && i < workers(c); i++)
		at += put_xt_rule(at, c, i);
	at += put_restore_rule(at, RESTORE4, DADDR4_AT, false);
	at += put_restore_rule(at, RESTORE6, DADDR6_AT, true);
	at += put_header(at, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES)->nlmsg_len;
	ret = transact(message, (size_t)(at - message));
	if (ret == -ENOENT && how == RULESET_QUEUE_XT)
		snprintf(err, err_len, "this kernel cannot queue packets from nft rules: load its "
			 "module nft_queue, or nft_compat and xt_NFQUEUE");
	else if (ret)
		snprintf(err, err_len, "rules over netlink: %s", strerror(-ret));
	return ret;
}

/* Needs nobody's help: it is also what is done when everything else fails. */
static void remove_table(void)
{
	uint8_t message[512], *at = message;
	struct nlmsghdr *nlh;

	at += put_header(at, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES)->nlmsg_len;
	nlh = put_header(at, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELTABLE, NLM_F_ACK, NFPROTO_INET,
			 0);
	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, RULESET_TABLE);
	at += nlh->nlmsg_len;
	at += put_header(at, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES)->nlmsg_len;
	transact(message, (size_t)(at - message));
}

/* ---- whether they still are ------------------------------------------------------- */

static int compare_handles(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* An attribute's text is `text`. */
static bool attr_is(const struct nlattr *attr, const char *text)
{
	return attr && mnl_attr_get_payload_len(attr) == strlen(text) + 1 &&
	       !memcmp(mnl_attr_get_payload(attr), text, strlen(text) + 1);
}

/* Kernels before 4.6 tell all tables' rules, whatever they are asked. */
static int note_rule(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *attr, *table = NULL, *handle = NULL;
	struct handles *h = data;

	mnl_attr_for_each(attr, nlh, sizeof(struct nfgenmsg)) {
		if (mnl_attr_get_type(attr) == NFTA_RULE_TABLE)
			table = attr;
		else if (mnl_attr_get_type(attr) == NFTA_RULE_HANDLE)
			handle = attr;
	}
	if (!attr_is(table, RULESET_TABLE) || !handle ||
	    mnl_attr_get_payload_len(handle) != sizeof(h->v[0]))
		return MNL_CB_OK;
	if (h->count == HANDLES_MAX) {
		errno = E2BIG;
		return MNL_CB_ERROR;
	}
	memcpy(&h->v[h->count++], mnl_attr_get_payload(handle), sizeof(h->v[0]));
	return MNL_CB_OK;
}

/* The handles of the table's rules, sorted.  -EINTR: they changed meanwhile. */
static int list_handles(struct handles *h)
{
	uint8_t buf[256];
	struct nlmsghdr *nlh = put_header(buf, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETRULE, 0,
					  NFPROTO_INET, 0);
	int ret;

	mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, RULESET_TABLE);
	h->count = 0;
	ret = netlink_dump(NETLINK_NETFILTER, nlh, note_rule, h);
	qsort(h->v, h->count, sizeof(h->v[0]), compare_handles);
	return ret;
}

/* Without a list, only a missing table will be noticed. */
static void remember_handles(void)
{
	int ret = -EINTR;

	for (int i = 0; i < LIST_TRIES && ret == -EINTR; i++)
		ret = list_handles(&in_force);
	if (ret)
		in_force.count = 0;
}

int ruleset_restore(const struct ruleset_config *c, char *err, size_t err_len)
{
	enum ruleset_queue how = ruleset_queue_detect();
	char *text = NULL;
	size_t len;
	FILE *out;
	int ret;

	out = open_memstream(&text, &len);
	if (!out)
		goto no_memory;
	ruleset_print(out, c, how);
	if (fclose(out) || !len)
		goto no_memory;
	ret = run_nft(text, err, err_len);
	free(text);
	if (!ret)
		ret = complete(c, how, err, err_len);
	room_in_force = flow_room(c);
	if (ret)
		remove_table();
	else
		remember_handles();
	return ret;

no_memory:
	free(text);
	snprintf(err, err_len, "rules: %s", strerror(ENOMEM));
	return -ENOMEM;
}

int ruleset_install(const struct ruleset_config *c, char *err, size_t err_len)
{
	int ret;

	ruleset_remove();
	ret = ruleset_restore(c, err, err_len);
	if (!ret) {
		collect_upstreams(&upstreams_ever, c);
		ports_ever = collect_ports(c);
	}
	return ret;
}

bool ruleset_missing(void)
{
	uint8_t message[256];
	struct nlmsghdr *nlh = put_header(message, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE,
					  NLM_F_ACK, NFPROTO_INET, 0);
	struct handles now;
	size_t at = 0;

	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, RULESET_TABLE);
	if (transact(message, nlh->nlmsg_len) == -ENOENT)
		return true;
	if (list_handles(&now))
		return false;
	for (size_t i = 0; i < in_force.count; i++) {
		while (at < now.count && compare_handles(&now.v[at], &in_force.v[i]) < 0)
			at++;
		if (at == now.count || now.v[at] != in_force.v[i])
			return true;
	}
	return false;
}

/* Of a flow set: how many elements it has room for. */
static int note_room(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *attr, *table = NULL, *name = NULL, *desc = NULL;
	uint32_t *room = data, size_be;

	mnl_attr_for_each(attr, nlh, sizeof(struct nfgenmsg)) {
		if (mnl_attr_get_type(attr) == NFTA_SET_TABLE)
			table = attr;
		else if (mnl_attr_get_type(attr) == NFTA_SET_NAME)
			name = attr;
		else if (mnl_attr_get_type(attr) == NFTA_SET_DESC)
			desc = attr;
	}
	if (!attr_is(table, RULESET_TABLE) || !attr_is(name, "flows6") || !desc)
		return MNL_CB_OK;
	mnl_attr_for_each_nested(attr, desc) {
		if (mnl_attr_get_type(attr) != NFTA_SET_DESC_SIZE ||
		    mnl_attr_get_payload_len(attr) != sizeof(size_be))
			continue;
		memcpy(&size_be, mnl_attr_get_payload(attr), sizeof(size_be));
		*room = ntohl(size_be);
	}
	return MNL_CB_OK;
}

/* A kernel that cannot change the size leaves it, and calls that success (before Linux 6.5). */
static int check_room(uint32_t wanted)
{
	uint8_t buf[256];
	struct nlmsghdr *nlh = put_header(buf, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETSET, 0,
					  NFPROTO_INET, 0);
	uint32_t room = 0;
	int ret;

	mnl_attr_put_strz(nlh, NFTA_SET_TABLE, RULESET_TABLE);
	ret = netlink_dump(NETLINK_NETFILTER, nlh, note_room, &room);
	return ret ? ret : room == wanted ? 0 : -EOPNOTSUPP;
}

/*
 * Declares the flow sets again, as larger ones.  Never as smaller ones: a rule adds to a set until
 * its count equals the size, and of a set that has more already it would not be bound.
 */
static void widen_flow_sets(const struct ruleset_config *c)
{
	char *text = NULL, why[256] = "";
	size_t len;
	FILE *out;
	int ret = -ENOMEM;

	if (flow_room(c) <= room_in_force)
		return;
	out = open_memstream(&text, &len);
	if (out) {
		fprintf(out, "table inet " RULESET_TABLE " {\n");
		print_flow_set(out, c, true);
		print_flow_set(out, c, false);
		fprintf(out, "}\n");
		ret = fclose(out) ? -ENOMEM : run_nft(text, why, sizeof(why));
	}
	free(text);
	if (!ret)
		ret = check_room(flow_room(c));
	if (!ret)
		room_in_force = flow_room(c);
	else
		log_warning("the sets of flows have room for %" PRIu32 " until a restart: %s",
			    room_in_force, *why ? why : strerror(-ret));
}

int ruleset_update(const struct ruleset_config *c, char *err, size_t err_len)
{
	struct port_span ports = collect_ports(c);
	struct places places;
	char *text = NULL, line[96];
	size_t len;
	FILE *out;
	int ret = -ENOMEM;

	snprintf(err, err_len, "rules: %s", strerror(ENOMEM));
	if (collect_all(c, &places))
		return ret;
	out = open_memstream(&text, &len);
	if (!out)
		goto out_text;
	for (int v4 = 1; v4 >= 0; v4--) {
		for (size_t i = 0; i < PLACE_SETS; i++) {
			const char *name = place_sets[i].name;

			fprintf(out, "flush set inet " RULESET_TABLE " %s%d\n", name, v4 ? 4 : 6);
			snprintf(line, sizeof(line), "add element inet " RULESET_TABLE
				 " %s%d {\n\t\t\t", name, v4 ? 4 : 6);
			print_place(out, i, line, "\n}\n", &places, v4);
		}
	}
	fprintf(out, "flush chain inet " RULESET_TABLE " catch\ntable inet " RULESET_TABLE
		" {\n");
	print_catch(out, &ports);
	fprintf(out, "}\n");
	if (fclose(out))
		goto out_text;
	ret = run_nft(text, err, err_len);
	if (ret)
		goto out_text;
	remember_handles();
	widen_flow_sets(c);
	ports_ever = ports;
	/* What was there before is part of it. */
	free(upstreams_ever.v);
	upstreams_ever = places.upstreams;
	places.upstreams = (struct blocks){ 0 };
out_text:
	free(text);
	free_places(&places);
	return ret;
}

void ruleset_remove(void)
{
	remove_table();
	free(upstreams_ever.v);
	upstreams_ever = (struct blocks){ 0 };
	ports_ever = (struct port_span){ UINT16_MAX, 0 };
}
