// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The netfilter rules.
 *
 * The way of a packet through prerouting:
 *
 *	raw - 1   `catch': marks packets of flows that are in the flow sets, SYNs with an
 *	          MPTCP option to a service, whose flow it puts there, and ICMP errors
 *	raw - 1   ... and queues them, where nft has `queue';
 *	raw       else an iptables chain queues what is marked
 *	raw + 1   `passed': what got here was not taken by the daemon; the mark goes
 *	mangle    `answers': packets for transparent sockets get the mark, by which the
 *	          ip rule of routes.c delivers them locally
 *
 * The same in the output hook for ICMP errors of this machine.  All before conntrack, so
 * that a caught flow costs no entry there.
 *
 * nft's intervals of concatenated fields must not overlap, while services may.  So the
 * ports of each distinct prefix are collected in a bitmap, and what a wider prefix covers
 * already is left out.
 *
 * Rules are loaded by running nft(8) and iptables(8); they are found in the system's own
 * directories, whatever PATH says, and run without a shell.
 */
#include "daemon/ruleset.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/child.h"

#define XT_CHAIN "MPTCP_PROXY"
#define PORTS    65536u

struct block {
	struct ip_prefix prefix;
	uint16_t first, last;
};

struct blocks {
	struct block *v;
	size_t count, capacity;
	bool failed;            /* out of memory */
};

/*
 * Servers that connections may have been opened to since the rules were installed: those
 * of a service that is gone must still get their answers back.
 */
static struct blocks upstreams_ever;

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
		add_endpoint(b, &c->endpoints[i]);
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

static void print_config_sets(FILE *out, const struct blocks *services,
			      const struct blocks *upstreams, bool v4)
{
	const char *begin = "\t\telements = {\n\t\t\t", *end = "\n\t\t}\n";
	const char *type = v4 ? "ipv4_addr" : "ipv6_addr";
	int f = v4 ? 4 : 6;

	fprintf(out, "\tset services%d {\n\t\ttype %s . inet_service\n\t\tflags interval\n", f,
		type);
	print_elements(out, begin, end, print_ports, services, v4);
	fprintf(out, "\t}\n\tset upstreams%d {\n\t\ttype %s . inet_service\n\t\tflags interval\n",
		f, type);
	print_elements(out, begin, end, print_ports, upstreams, v4);
	fprintf(out, "\t}\n\tset hosts%d {\n\t\ttype %s\n\t\tflags interval\n", f, type);
	print_elements(out, begin, end, print_addresses, services, v4);
	fprintf(out, "\t}\n");
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
		"\t}\n", v4 ? 4 : 6, type, type, c->flow_max ? c->flow_max : PORTS,
		c->flow_timeout_s ? c->flow_timeout_s : RULESET_FLOW_TIMEOUT_S);
}

static void print_set_mark(FILE *out, const struct ruleset_config *c)
{
	fprintf(out, "meta mark set meta mark and 0x%08" PRIx32 " or 0x%08" PRIx32,
		~c->mark_mask, c->mark);
}

static void print_queue_numbers(FILE *out, const struct ruleset_config *c, const char *separator)
{
	fprintf(out, "%u", c->queue);
	if (c->queue_count > 1)
		fprintf(out, "%s%u", separator, c->queue + c->queue_count - 1u);
}

/* Flows that are caught, and SYNs that begin one; whatever the services are by now. */
static void print_tcp_chains(FILE *out)
{
	char key[2][96];

	for (int i = 0; i < 2; i++) {
		const char *ip = i ? "ip6" : "ip";

		snprintf(key[i], sizeof(key[i]), "%s saddr . tcp sport . %s daddr . tcp dport", ip,
			 ip);
	}
	fprintf(out, "\tchain syn {\n");
	for (int i = 0; i < 2; i++)
		fprintf(out, "\t\t%s daddr . tcp dport @services%d update @flows%d { %s } goto take\n",
			i ? "ip6" : "ip", i ? 6 : 4, i ? 6 : 4, key[i]);
	fprintf(out, "\t}\n\tchain tcp_packet {\n");
	for (int i = 0; i < 2; i++)
		fprintf(out, "\t\t%s @flows%d update @flows%d { %s } goto take\n", key[i],
			i ? 6 : 4, i ? 6 : 4, key[i]);
	fprintf(out, "\t\ttcp flags & (fin | syn | rst | ack) == syn tcp option mptcp exists "
		"goto syn\n\t}\n");
}

#define ICMP4_ERRORS "icmp type { destination-unreachable, time-exceeded }"
#define ICMP6_ERRORS \
	"icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, " \
	"parameter-problem }"

static void print_chains(FILE *out, const struct ruleset_config *c, enum ruleset_queue how)
{
	fprintf(out, "\tchain take {\n\t\t");
	print_set_mark(out, c);
	if (how == RULESET_QUEUE_NFT) {
		fprintf(out, "\n\t\tqueue flags bypass to ");
		print_queue_numbers(out, c, "-");
	}
	fprintf(out, "\n\t}\n");
	print_tcp_chains(out);
	fprintf(out,
		"\tchain catch {\n"
		"\t\ttype filter hook prerouting priority -301\n"
		"\t\tpolicy accept\n"
		"\t\tiifname \"%s\" notrack accept\n"
		"\t\tmeta l4proto tcp goto tcp_packet\n"
		"\t\t" ICMP4_ERRORS " ip daddr @hosts4 goto take\n"
		"\t\t" ICMP6_ERRORS " ip6 daddr @hosts6 goto take\n"
		"\t}\n", c->device);
	/* Those about TCP: the protocol field of the packet that is quoted. */
	fprintf(out,
		"\tchain catch_local {\n"
		"\t\ttype filter hook output priority -301\n"
		"\t\tpolicy accept\n"
		"\t\t" ICMP4_ERRORS " @th,136,8 6 goto take\n"
		"\t\t" ICMP6_ERRORS " @th,112,8 6 goto take\n"
		"\t}\n");
	for (int i = 0; i < 2; i++)
		fprintf(out,
			"\tchain %s {\n"
			"\t\ttype filter hook %s priority -299\n"
			"\t\tpolicy accept\n"
			"\t\tmeta mark and 0x%08" PRIx32 " == 0x%08" PRIx32
			" meta mark set meta mark and 0x%08" PRIx32 "\n"
			"\t}\n", i ? "passed_local" : "passed", i ? "output" : "prerouting",
			c->mark_mask, c->mark, ~c->mark_mask);
	fprintf(out, "\tchain local {\n\t\t");
	print_set_mark(out, c);
	fprintf(out,
		"\n\t}\n"
		"\tchain answers {\n"
		"\t\ttype filter hook prerouting priority -150\n"
		"\t\tpolicy accept\n"
		/* Our own packets to the client have the very tuple of the server's to us. */
		"\t\tiifname \"%s\" accept\n"
		"\t\tip saddr . tcp sport @upstreams4 socket transparent 1 goto local\n"
		"\t\tip6 saddr . tcp sport @upstreams6 socket transparent 1 goto local\n"
		"\t\t" ICMP4_ERRORS " socket transparent 1 goto local\n"
		"\t\t" ICMP6_ERRORS " socket transparent 1 goto local\n"
		"\t}\n", c->device);
}

static void print_xt(FILE *out, const struct ruleset_config *c)
{
	fprintf(out, "*raw\n:" XT_CHAIN " - [0:0]\n"
		"-I PREROUTING -j " XT_CHAIN "\n-I OUTPUT -j " XT_CHAIN "\n"
		"-A " XT_CHAIN " -m mark --mark 0x%" PRIx32 "/0x%" PRIx32 " -j NFQUEUE %s ",
		c->mark, c->mark_mask,
		c->queue_count > 1 ? "--queue-balance" : "--queue-num");
	print_queue_numbers(out, c, ":");
	fprintf(out, " --queue-bypass\nCOMMIT\n");
}

/* -ENOMEM, having written nothing. */
static int collect_all(const struct ruleset_config *c, struct blocks *services,
		       struct blocks *upstreams)
{
	collect_services(services, c);
	collect_upstreams(upstreams, c);
	merge(upstreams, &upstreams_ever);
	if (!services->failed && !upstreams->failed)
		return 0;
	free(services->v);
	free(upstreams->v);
	return -ENOMEM;
}

void ruleset_print(FILE *out, const struct ruleset_config *c, enum ruleset_queue how)
{
	struct blocks services = { 0 }, upstreams = { 0 };

	if (collect_all(c, &services, &upstreams))
		return;
	/* Made if missing, so that it can be deleted, and made anew: one transaction. */
	fprintf(out, "table inet " RULESET_TABLE "\ndelete table inet " RULESET_TABLE "\n"
		"table inet " RULESET_TABLE " {\n");
	for (int v4 = 1; v4 >= 0; v4--) {
		print_config_sets(out, &services, &upstreams, v4);
		print_flow_set(out, c, v4);
	}
	print_chains(out, c, how);
	fprintf(out, "}\n");
	free(services.v);
	free(upstreams.v);
	if (how == RULESET_QUEUE_XT) {
		char *text = NULL, *line, *save;
		size_t len;
		FILE *mem = open_memstream(&text, &len);

		fprintf(out, "# and for iptables-restore and ip6tables-restore, --noflush:\n");
		if (mem) {
			print_xt(mem, c);
			fclose(mem);
		}
		for (line = text ? strtok_r(text, "\n", &save) : NULL; line;
		     line = strtok_r(NULL, "\n", &save))
			fprintf(out, "#\t%s\n", line);
		free(text);
	}
}

/* ---- in force ------------------------------------------------------------------- */

static const char *const nft_file[] = { "nft", "-f", "-", NULL };

/* Families of iptables commands, in order of preference. */
static const char *const xt_commands[][4] = {
	{ "iptables", "ip6tables", "iptables-restore", "ip6tables-restore" },
	{ "iptables-nft", "ip6tables-nft", "iptables-nft-restore", "ip6tables-nft-restore" },
	{ "iptables-legacy", "ip6tables-legacy", "iptables-legacy-restore",
	  "ip6tables-legacy-restore" },
};
#define XT_KINDS (sizeof(xt_commands) / sizeof(xt_commands[0]))

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

static void xt(const char *command, const char *const args[])
{
	const char *argv[16] = { command, "-w", "5", "-t", "raw" };
	char err[256];
	size_t n = 5;

	for (size_t i = 0; args[i] && n + 1 < sizeof(argv) / sizeof(argv[0]); i++)
		argv[n++] = args[i];
	argv[n] = NULL;
	child_run(argv, NULL, err, sizeof(err));
}

static bool xt_chain_exists(const char *command)
{
	const char *const argv[] = { command, "-w", "5", "-t", "raw", "-S", XT_CHAIN, NULL };
	char err[256];

	return child_run(argv, NULL, err, sizeof(err)) == 0;
}

/* Asking the old kind would load its modules, unless they are there. */
static bool xt_legacy_in_use(void)
{
	return access("/proc/net/ip_tables_names", F_OK) == 0 ||
	       access("/proc/net/ip6_tables_names", F_OK) == 0;
}

static void xt_remove(void)
{
	for (size_t i = 0; i < XT_KINDS; i++) {
		if (!strcmp(xt_commands[i][0], "iptables-legacy") && !xt_legacy_in_use())
			continue;
		for (int f = 0; f < 2; f++) {
			const char *command = xt_commands[i][f];

			if (!xt_chain_exists(command))
				continue;
			xt(command, (const char *const[]){ "-D", "PREROUTING", "-j", XT_CHAIN,
							   NULL });
			xt(command, (const char *const[]){ "-D", "OUTPUT", "-j", XT_CHAIN, NULL });
			xt(command, (const char *const[]){ "-F", XT_CHAIN, NULL });
			xt(command, (const char *const[]){ "-X", XT_CHAIN, NULL });
		}
	}
}

/* IPv6 may be missing from the machine; IPv4 may not. */
static int xt_install(const struct ruleset_config *c, char *err, size_t err_len)
{
	char *text = NULL, why[256] = "";
	FILE *out;
	size_t len;
	int ret = -ENOENT;

	out = open_memstream(&text, &len);
	if (!out)
		return -ENOMEM;
	print_xt(out, c);
	if (fclose(out)) {
		free(text);
		return -ENOMEM;
	}
	for (size_t i = 0; ret && i < XT_KINDS; i++) {
		for (int f = 0; f < 2; f++) {
			const char *const argv[] = { xt_commands[i][2 + f], "-w", "5",
						     "--noflush", NULL };
			int r = child_run(argv, text, why, sizeof(why));

			if (!f) {
				/* Tell of one that is there rather than of one that is not. */
				if (r && (r != -ENOENT || ret == -ENOENT))
					snprintf(err, err_len, "%s: %s", argv[0], why);
				ret = r;
				if (r)
					break;
			} else if (r) {
				log_warning("%s: %s: IPv6 is not intercepted", argv[0], why);
			}
		}
	}
	if (ret == -ENOENT)
		snprintf(err, err_len, "this kernel's nft has no queue, and iptables was not "
			 "found: install iptables, or load the kernel module nft_queue");
	free(text);
	return ret;
}

int ruleset_install(const struct ruleset_config *c, char *err, size_t err_len)
{
	enum ruleset_queue how;
	char *text = NULL;
	size_t len;
	FILE *out;
	int ret;

	ruleset_remove();
	how = ruleset_queue_detect();
	out = open_memstream(&text, &len);
	if (!out)
		goto no_memory;
	ruleset_print(out, c, how);
	if (fclose(out) || !len)
		goto no_memory;
	ret = run_nft(text, err, err_len);
	free(text);
	if (!ret && how == RULESET_QUEUE_XT)
		ret = xt_install(c, err, err_len);
	if (ret)
		ruleset_remove();
	else
		collect_upstreams(&upstreams_ever, c);
	return ret;

no_memory:
	free(text);
	snprintf(err, err_len, "rules: %s", strerror(ENOMEM));
	return -ENOMEM;
}

int ruleset_update(const struct ruleset_config *c, char *err, size_t err_len)
{
	struct blocks services = { 0 }, upstreams = { 0 };
	char *text = NULL, line[96];
	size_t len;
	FILE *out;
	int ret = -ENOMEM;

	snprintf(err, err_len, "rules: %s", strerror(ENOMEM));
	if (collect_all(c, &services, &upstreams))
		return ret;
	out = open_memstream(&text, &len);
	if (!out)
		goto out_text;
	for (int v4 = 1; v4 >= 0; v4--) {
		static const char *const names[] = { "services", "upstreams", "hosts" };

		for (int i = 0; i < 3; i++) {
			fprintf(out, "flush set inet " RULESET_TABLE " %s%d\n", names[i],
				v4 ? 4 : 6);
			snprintf(line, sizeof(line), "add element inet " RULESET_TABLE
				 " %s%d {\n\t\t\t", names[i], v4 ? 4 : 6);
			print_elements(out, line, "\n}\n", i == 2 ? print_addresses : print_ports,
				       i == 1 ? &upstreams : &services, v4);
		}
	}
	if (fclose(out))
		goto out_text;
	ret = run_nft(text, err, err_len);
	if (ret)
		goto out_text;
	/* What was there before is part of it. */
	free(upstreams_ever.v);
	upstreams_ever = upstreams;
	upstreams = (struct blocks){ 0 };
out_text:
	free(text);
	free(services.v);
	free(upstreams.v);
	return ret;
}

void ruleset_remove(void)
{
	char err[256];

	run_nft("table inet " RULESET_TABLE "\ndelete table inet " RULESET_TABLE "\n", err,
		sizeof(err));
	xt_remove();
	free(upstreams_ever.v);
	upstreams_ever = (struct blocks){ 0 };
}
