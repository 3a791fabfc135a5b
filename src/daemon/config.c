/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration file: lines, sections, and what concerns several keys.
 *
 * libinih takes lines apart.  It is fed line by line from memory, so that the reader
 * below knows each line's number and kind: section headers are handled here (the
 * library would pass over an empty section, and merge two of the same name), and a
 * line that the library's handler never got to see is a syntax error.
 *
 * A key that begins a line always begins a new value; indented lines without `=` go on
 * the list above them.  The library sees no comments: it would take those of such lines
 * for a part of the list.  Values are checked by the setters of config_key.c; what a service
 * does not set is filled in from [mptcp] and [proxy] at the end of the file.
 */
#include "daemon/config_impl.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <limits.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/sandbox.h"

#define SECTION_SKIPPED UINT_MAX        /* already complained about: keys are ignored */

#define SEC  1000000ull

/* How long a silent server keeps a client waiting. */
#define CONNECT_TIMEOUT_US (60 * SEC)

__attribute__((format(printf, 3, 4)))
static void complain(struct config_parser *p, unsigned line, const char *fmt, ...)
{
	char text[640], message[1024];
	va_list ap;

	if (p->errors++ >= CONFIG_MAX_ERRORS)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* A file may hold anything, a terminal should not get it. */
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	if (p->errors == CONFIG_MAX_ERRORS)
		snprintf(text, sizeof(text), "too many mistakes; the rest is not told");
	if (line)
		snprintf(message, sizeof(message), "%s:%u: %s", p->name, line, text);
	else
		snprintf(message, sizeof(message), "%s: %s", p->name, text);
	p->report(p->report_ctx, message);
}

/* Levenshtein distance, for short words; more than `SIMILAR_MAX` is not told apart. */
#define WORD_MAX    24
#define SIMILAR_MAX 2

static unsigned distance(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b);
	unsigned row[WORD_MAX + 1];

	if (la > WORD_MAX || lb > WORD_MAX)
		return UINT_MAX;
	for (size_t j = 0; j <= lb; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= la; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= lb; j++) {
			unsigned above = row[j];
			unsigned best = diagonal + (tolower((unsigned char)a[i - 1]) !=
						    tolower((unsigned char)b[j - 1]));

			if (above + 1 < best)
				best = above + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			diagonal = above;
			row[j] = best;
		}
	}
	return row[lb];
}

/* The name in `names` (of `n`) that `text` is most likely meant to be, or NULL. */
static const char *most_similar(const char *text, const char *const *names, size_t n)
{
	unsigned least = SIMILAR_MAX + 1;
	const char *best = NULL;

	for (size_t i = 0; i < n; i++) {
		unsigned d = distance(text, names[i]);

		if (d < least && 2 * d <= strlen(names[i])) {
			least = d;
			best = names[i];
		}
	}
	return best;
}

/* ---- sections ------------------------------------------------------------------ */

static bool name_is_good(const char *name)
{
	size_t len = strlen(name);

	if (!len || len >= CONFIG_NAME_BYTES)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)name[i]) && !strchr("_.-", name[i]))
			return false;
	return true;
}

/* A section that was begun on `line` comes again. */
static void begun_already(struct config_parser *p, unsigned line)
{
	complain(p, p->line, "%s was begun on line %u already", p->header, line);
}

static void begin_service(struct config_parser *p, const char *name)
{
	struct config_service *s;

	for (size_t i = 0; i < p->service_count; i++) {
		if (!strcmp(p->services[i].svc.name, name)) {
			begun_already(p, p->services[i].line);
			return;
		}
	}
	s = reallocarray(p->services, p->service_count + 1, sizeof(*s));
	if (!s) {
		p->out_of_memory = true;
		return;
	}
	p->services = s;
	s = &p->services[p->service_count++];
	memset(s, 0, sizeof(*s));
	snprintf(s->svc.name, sizeof(s->svc.name), "%s", name);
	s->svc.upstream_original = true;
	s->line = p->line;
	p->service = s;
	p->section = CONFIG_SERVICE;
}

static void begin_endpoint(struct config_parser *p, const char *name)
{
	struct config_endpoint *e;

	for (size_t i = 0; i < p->endpoint_count; i++) {
		if (!strcmp(p->endpoints[i].e.name, name)) {
			begun_already(p, p->endpoints[i].line);
			return;
		}
	}
	if (p->endpoint_count == PROXY_ENDPOINTS_MAX) {
		complain(p, p->line, "%s: one endpoint too many; allowed: %u", p->header,
			 PROXY_ENDPOINTS_MAX);
		return;
	}
	e = &p->endpoints[p->endpoint_count++];
	snprintf(e->e.name, sizeof(e->e.name), "%s", name);
	e->line = p->line;
	p->endpoint = e;
	p->section = CONFIG_ENDPOINT;
}

static void begin_single(struct config_parser *p, unsigned section, unsigned *first_line)
{
	if (*first_line) {
		begun_already(p, *first_line);
		return;
	}
	*first_line = p->line;
	p->section = section;
}

/* A line that begins with '[', which `text` points behind; it ends at `end`. */
static void section_header(struct config_parser *p, const char *text, const char *end)
{
	static const char allowed[] = "[proxy], [mptcp], [service NAME] and [endpoint NAME]";
	static const char *const types[] = { "proxy", "mptcp", "service", "endpoint" };
	char word[64], *type, *name;
	const char *close = memchr(text, ']', (size_t)(end - text)), *rest, *similar;

	p->section = SECTION_SKIPPED;
	p->service = NULL;
	p->endpoint = NULL;
	p->have_key = false;
	if (!close) {
		complain(p, p->line, "the section's name is not closed by \"]\"");
		return;
	}
	for (rest = close + 1; rest < end && isspace((unsigned char)*rest); rest++)
		;
	if (rest < end && *rest != ';' && *rest != '#') {
		complain(p, p->line, "more than a section's name on the line");
		return;
	}
	if (close - text >= (ptrdiff_t)sizeof(word)) {
		complain(p, p->line, "the section's name is too long");
		return;
	}
	memcpy(word, text, (size_t)(close - text));
	word[close - text] = 0;
	type = strtok_r(word, " \t", &name);
	if (!type)
		type = word + strlen(word), name = type;
	name += strspn(name, " \t");
	for (size_t len = strlen(name); len && isspace((unsigned char)name[len - 1]); len--)
		name[len - 1] = 0;
	snprintf(p->header, sizeof(p->header), *name ? "[%s %s]" : "[%s]", type, name);

	if (!strcmp(type, "proxy") || !strcmp(type, "mptcp")) {
		if (*name)
			complain(p, p->line, "%s: there is one [%s] only, without a name",
				 p->header, type);
		else if (*type == 'p')
			begin_single(p, CONFIG_PROXY, &p->proxy_line);
		else
			begin_single(p, CONFIG_MPTCP, &p->mptcp_line);
	} else if (!strcmp(type, "service") || !strcmp(type, "endpoint")) {
		if (!name_is_good(name))
			complain(p, p->line, "%s: %s; allowed: a name of 1 to %zu letters, "
				 "digits, \"_\", \".\" or \"-\"", p->header,
				 *name ? "not a name" : *type == 's' ? "the service has no name"
								     : "the endpoint has no name",
				 CONFIG_NAME_BYTES - 1);
		else if (*type == 's')
			begin_service(p, name);
		else
			begin_endpoint(p, name);
	} else {
		similar = most_similar(type, types, 4);
		if (similar)
			complain(p, p->line, "%s: no such section, did you mean \"%s\"?; "
				 "allowed: %s", p->header, similar, allowed);
		else
			complain(p, p->line, "%s: no such section; allowed: %s", p->header,
				 allowed);
	}
}

/* ---- keys ---------------------------------------------------------------------- */

static void unknown_key(struct config_parser *p, const char *name)
{
	const char *names[64] = { NULL }, *similar;
	const struct config_key *k;
	char hint[64] = "", elsewhere[64] = "";
	char allowed[400] = "";
	size_t n = 0, len;

	for (k = config_keys; k->name; k++)
		if (k->sections & p->section)
			names[n++] = k->name;
	similar = most_similar(name, names, n);
	if (similar)
		snprintf(hint, sizeof(hint), ", did you mean \"%s\"?", similar);
	for (k = config_keys; k->name; k++)
		if (!strcmp(k->name, name))
			snprintf(elsewhere, sizeof(elsewhere), ", it belongs in %s",
				 k->sections & CONFIG_SERVICE ? "[service NAME]" :
				 k->sections & CONFIG_MPTCP ? "[mptcp]" :
				 k->sections & CONFIG_ENDPOINT ? "[endpoint NAME]" : "[proxy]");
	for (size_t i = 0; i < n; i++) {
		len = strlen(allowed);
		snprintf(allowed + len, sizeof(allowed) - len, "%s%s", i ? ", " : "", names[i]);
	}
	complain(p, p->line, "%s %.50s: no such key here%s; allowed: %s", p->header,
		 *name ? name : "(nothing)", *elsewhere ? elsewhere : hint, allowed);
}

static uint64_t *seen_bits(struct config_parser *p)
{
	switch (p->section) {
	case CONFIG_PROXY: return &p->proxy_seen;
	case CONFIG_MPTCP: return &p->mptcp_seen;
	case CONFIG_ENDPOINT: return &p->endpoint->keys_seen;
	default: return &p->service->keys_seen;
	}
}

/* libinih: one value.  Its own idea of sections and errors is not needed. */
static int handle_value(void *user, const char *section, const char *name, const char *value)
{
	struct config_parser *p = user;
	const struct config_key *k;
	uint64_t bit;
	int err;

	(void)section;
	p->unread = false;
	if (p->out_of_memory)
		return 1;
	if (!p->section) {
		complain(p, p->line, "%.50s: a key before the first section; allowed: [proxy], "
			 "[mptcp], [service NAME] and [endpoint NAME]", name);
		return 1;
	}
	if (p->continuation) {
		k = p->key;
		if (!k->list) {
			p->key_failed = true;
			complain(p, p->line, "%s %s: the value cannot go on over several lines; "
				 "allowed: %s", p->header, k->name, k->allowed);
			return 1;
		}
	} else {
		for (k = config_keys; k->name; k++)
			if ((k->sections & p->section) && !strcmp(k->name, name))
				break;
		p->have_key = true;
		p->key = k->name ? k : NULL;
		p->key_failed = !k->name;
		if (!k->name) {
			unknown_key(p, name);
			return 1;
		}
		bit = 1ull << (k - config_keys);
		if (*seen_bits(p) & bit) {
			p->key_failed = true;
			complain(p, p->line, "%s %s: the key is here for the second time; "
				 "allowed: once", p->header, k->name);
			return 1;
		}
		*seen_bits(p) |= bit;
	}
	p->why[0] = 0;
	err = k->set(p, value);
	if (err == -ENOMEM) {
		p->out_of_memory = true;
	} else if (err) {
		p->key_failed = true;
		complain(p, p->line, "%s %s: %s; allowed: %s", p->header, k->name, p->why,
			 k->allowed);
	}
	return 1;
}

static void flush_unread(struct config_parser *p)
{
	if (p->unread)
		complain(p, p->line, "neither \"[section]\", \"key = value\" nor a comment");
	p->unread = false;
}

/* Where the text of a line ends: before white space, and a comment behind that. */
static const char *text_end(const char *start, const char *end)
{
	for (const char *c = start; c < end; c++)
		if (*c == ';' && c > start && isspace((unsigned char)c[-1]))
			end = c;
	while (end > start && isspace((unsigned char)end[-1]))
		end--;
	return end;
}

/*
 * libinih: the next line, at most `num` bytes with the final NUL, as fgets().  What the
 * library need not see is replaced by an empty line.
 */
static char *read_line(char *str, int num, void *stream)
{
	struct config_parser *p = stream;
	const char *text, *end, *start;
	size_t len;

	flush_unread(p);
	if (p->at == p->end || num < 2)
		return NULL;
	text = p->at;
	end = memchr(text, '\n', (size_t)(p->end - text));
	if (!end)
		end = p->end;
	p->at = end < p->end ? end + 1 : end;
	p->line++;
	for (start = text; start < end && isspace((unsigned char)*start); start++)
		;
	end = text_end(start, end);

	strcpy(str, "\n");
	if (start == end || *start == ';' || *start == '#')
		return str;
	if (memchr(start, 0, (size_t)(end - start))) {
		complain(p, p->line, "a NUL byte");
		return str;
	}
	if (*start == '[') {
		section_header(p, start + 1, end);
		/* The library only has to forget its last key. */
		strcpy(str, num > 4 ? "[s]\n" : "\n");
		return str;
	}
	/* An indented line goes on the one before, unless it looks like a key. */
	p->continuation = start > text && p->have_key &&
			  !memchr(start, '=', (size_t)(end - start));
	if (p->section == SECTION_SKIPPED || (p->continuation && p->key_failed))
		return str;
	len = (size_t)(end - start);
	if (len + 3 > (size_t)num) {
		complain(p, p->line, "the line is longer than %d bytes; allowed: a list that goes "
			 "on over several indented lines", num - 3);
		p->have_key = p->key_failed = true;
		return str;
	}
	p->unread = true;
	if (p->continuation)
		*str++ = ' ';
	memcpy(str, start, len);
	strcpy(str + len, "\n");
	return p->continuation ? str - 1 : str;
}

/* ---- the whole file --------------------------------------------------------------- */

unsigned config_auto_workers(void)
{
	cpu_set_t set;
	int n = 0;

	CPU_ZERO(&set);
	/* Fails where there are more processors than fit: then there are enough. */
	n = sched_getaffinity(0, sizeof(set), &set) ? (int)CONFIG_MAX_WORKERS : CPU_COUNT(&set);
	if (n < 1)
		return 1;
	return (unsigned)n < CONFIG_MAX_WORKERS ? (unsigned)n : CONFIG_MAX_WORKERS;
}

static struct config *config_new(void)
{
	struct config *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->proxy.max_connections = 100000;
	c->proxy.memory_bytes = 1u << 30;
	c->proxy.connect_timeout_us = CONNECT_TIMEOUT_US;
	c->workers = config_auto_workers();
	c->syn_cookies = true;
	snprintf(c->device, sizeof(c->device), "mptcp0");
	c->queue = 4210;
	c->mark = 0x4d500000;
	c->mark_mask = 0xfff00000;
	snprintf(c->control, sizeof(c->control), "/run/mptcp-proxyd/control.sock");
	c->log_level = LOG_LEVEL_INFO;
	c->drain_timeout_us = 30 * SEC;
	c->seccomp = sandbox_available();
	return c;
}

void config_free(struct config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < config->proxy.service_count; i++) {
		free(config->proxy.services[i].prefixes);
		free(config->proxy.services[i].ports);
	}
	free(config->proxy.services);
	free(config);
}

static void check_overlap(struct config_parser *p, const struct config_service *a,
			  const struct config_service *b)
{
	char one[IP_ADDR_STRLEN + 4], other[IP_ADDR_STRLEN + 4];
	const struct port_range *port = NULL;

	for (size_t i = 0; i < b->svc.port_count && !port; i++)
		for (size_t j = 0; j < a->svc.port_count && !port; j++)
			if (config_ports_overlap(&b->svc.ports[i], &a->svc.ports[j]))
				port = b->svc.ports[i].first > a->svc.ports[j].first ?
				       &b->svc.ports[i] : &a->svc.ports[j];
	if (!port)
		return;
	for (size_t i = 0; i < b->svc.prefix_count; i++) {
		for (size_t j = 0; j < a->svc.prefix_count; j++) {
			if (!config_prefix_overlap(&b->svc.prefixes[i], &a->svc.prefixes[j]))
				continue;
			complain(p, b->address_line,
				 "[service %s] address: %s port %u belongs to [service %s] too "
				 "(%s, line %u); allowed: one service for each address and port",
				 b->svc.name, config_prefix_format(&b->svc.prefixes[i], one),
				 port->first, a->svc.name,
				 config_prefix_format(&a->svc.prefixes[j], other),
				 a->address_line);
			return;
		}
	}
}

/* Where only this machine connects to: also by the unspecified addresses. */
static bool is_loopback(const struct ip_addr *addr)
{
	static const char *const prefixes[] = { "0.0.0.0/8", "127.0.0.0/8", "::/127" };
	struct ip_prefix prefix;

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (!ip_prefix_parse(prefixes[i], &prefix) && ip_prefix_contains(&prefix, addr))
			return true;
	return false;
}

/* Fills in what the service does not set, and checks the whole. */
static void finish_service(struct config_parser *p, struct config_service *s)
{
	const struct config_common *c = &s->common, *d = &p->common;
	struct proxy_service *svc = &s->svc;

	if (!s->address_line)
		complain(p, s->line, "[service %s] address: the key is missing", svc->name);
	if (!s->port_line)
		complain(p, s->line, "[service %s] port: the key is missing", svc->name);

	svc->handshake = c->set & COMMON_HANDSHAKE ? c->handshake : d->handshake;
	svc->source = c->set & COMMON_SOURCE ? c->source : d->source;
	mptcp_config_default(&svc->mptcp);
	svc->mptcp.versions = c->set & COMMON_VERSIONS ? c->versions : d->versions;
	svc->mptcp.checksum = c->set & COMMON_CHECKSUM ? c->checksum : d->checksum;
	svc->mptcp.no_join_initial = c->set & COMMON_JOIN_SERVICE ? c->no_join_service :
				     d->no_join_service;
	svc->mptcp.max_subflows = c->set & COMMON_MAX_SUBFLOWS ? c->max_subflows :
				  d->max_subflows;
	svc->mptcp.tcp.timestamps = c->set & COMMON_TIMESTAMPS ? c->timestamps : d->timestamps;
	svc->mptcp.tcp.cc = c->set & COMMON_CC ? c->cc : d->cc;
	svc->mptcp.sched = c->set & COMMON_SCHEDULER ? c->sched : d->sched;
	svc->mptcp.tcp.ecn = d->ecn;

	if (svc->upstream_original || svc->source != PROXY_SOURCE_CLIENT || !svc->upstream.port)
		return;
	if (is_loopback(&svc->upstream.addr)) {
		complain(p, s->upstream_line,
			 "[service %s] upstream: what answers on this machine to the address of "
			 "a client answers the client; allowed: a server elsewhere, or source = "
			 "gateway", svc->name);
		return;
	}
	for (size_t i = 0; i < svc->prefix_count; i++) {
		if (svc->prefixes[i].is_v4 == ip_addr_is_v4(&svc->upstream.addr))
			continue;
		complain(p, s->upstream_line,
			 "[service %s] upstream: an IPv%d server cannot be reached from the "
			 "address of an IPv%d client; allowed: a server of the same family, or "
			 "source = gateway", svc->name,
			 svc->prefixes[i].is_v4 ? 6 : 4, svc->prefixes[i].is_v4 ? 4 : 6);
		return;
	}
}

static bool same_place(const struct ip_endpoint *a, const struct ip_endpoint *b)
{
	return ip_addr_equal(&a->addr, &b->addr) &&
	       (a->port == b->port || !a->port || !b->port);
}

static void finish_endpoint(struct config_parser *p, struct config_endpoint *e)
{
	char addr[IP_ADDR_STRLEN];

	if (!e->address_line) {
		complain(p, e->line, "[endpoint %s] address: the key is missing", e->e.name);
		return;
	}
	if (!e->has_local)
		e->e.ep.local = e->e.ep.announced;
	for (const struct config_endpoint *other = p->endpoints; other < e; other++) {
		if (!other->address_line)
			continue;
		if (same_place(&other->e.ep.announced, &e->e.ep.announced))
			complain(p, e->address_line, "[endpoint %s] address: %s belongs to [endpoint "
				 "%s] too (line %u); allowed: one endpoint for each address and port",
				 e->e.name, ip_addr_format(&e->e.ep.announced.addr, addr),
				 other->e.name, other->address_line);
		else if (same_place(&other->e.ep.local, &e->e.ep.local))
			complain(p, e->line, "[endpoint %s] local: joins to %s belong to [endpoint "
				 "%s] too (line %u); allowed: one endpoint for each address and port",
				 e->e.name, ip_addr_format(&e->e.ep.local.addr, addr),
				 other->e.name, other->line);
	}
}

static void finish(struct config_parser *p)
{
	struct proxy_config *proxy = &p->config->proxy;
	uint32_t half = proxy->max_connections / 2;

	if (!p->service_count)
		complain(p, 0, "there is no [service NAME], so there is nothing to do; "
			 "allowed: one or more");
	for (size_t i = 0; i < p->service_count; i++) {
		finish_service(p, &p->services[i]);
		for (size_t j = 0; j < i; j++)
			check_overlap(p, &p->services[j], &p->services[i]);
	}
	for (size_t i = 0; i < p->endpoint_count; i++) {
		finish_endpoint(p, &p->endpoints[i]);
		proxy->endpoints[proxy->endpoint_count++] = p->endpoints[i].e;
	}
	proxy->max_half_open = half < 1024 ? 1024 : half > 65536 ? 65536 : half;
	proxy->stateless_half_open = p->config->syn_cookies ? proxy->max_half_open / 2 : UINT32_MAX;
	if (p->config->queue + p->config->workers - 1 > UINT16_MAX)
		complain(p, 0, "[proxy] queue: %u is too high for the queues of %u workers; "
			 "allowed: 0 to %u", p->config->queue, p->config->workers,
			 UINT16_MAX + 1 - p->config->workers);
	if (p->errors || !p->service_count)
		return;
	proxy->services = calloc(p->service_count, sizeof(*proxy->services));
	if (!proxy->services) {
		p->out_of_memory = true;
		return;
	}
	proxy->service_count = p->service_count;
	for (size_t i = 0; i < p->service_count; i++) {
		proxy->services[i] = p->services[i].svc;
		p->services[i].svc.prefixes = NULL;
		p->services[i].svc.ports = NULL;
	}
}

struct config *config_parse(const char *name, const char *text, size_t len,
			    config_report_fn report, void *ctx)
{
	struct mptcp_config defaults;
	struct config_parser p = {
		.config = config_new(),
		.report = report,
		.report_ctx = ctx,
		.name = name,
		.at = text,
		.end = text + len,
	};

	mptcp_config_default(&defaults);
	p.common.versions = defaults.versions;
	p.common.checksum = defaults.checksum;
	p.common.max_subflows = defaults.max_subflows;
	p.common.cc = defaults.tcp.cc;
	p.common.sched = defaults.sched;
	p.common.ecn = defaults.tcp.ecn;
	/* The engine can use them; beside MPTCP's options they cost more than they tell, see
	 * doc/architecture.md. */
	p.common.timestamps = false;
	if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
		p.at += 3;

	if (!p.config) {
		p.out_of_memory = true;
	} else if (len > CONFIG_MAX_BYTES) {
		complain(&p, 0, "the file is longer than %u bytes", CONFIG_MAX_BYTES);
	} else {
		if (ini_parse_stream(read_line, &p, handle_value, &p) == -2)
			p.out_of_memory = true;
		flush_unread(&p);
		if (!p.out_of_memory)
			finish(&p);
	}
	if (p.out_of_memory)
		complain(&p, 0, "out of memory");
	for (size_t i = 0; i < p.service_count; i++) {
		free(p.services[i].svc.prefixes);
		free(p.services[i].svc.ports);
	}
	free(p.services);
	if (p.errors) {
		config_free(p.config);
		return NULL;
	}
	return p.config;
}

struct config *config_load(const char *path, config_report_fn report, void *ctx)
{
	struct config *config = NULL;
	char message[512];
	char *text = NULL;
	FILE *f = fopen(path, "re");
	size_t len;

	if (!f)
		goto fail;
	/* One byte more than allowed, so that config_parse() sees the excess. */
	text = malloc(CONFIG_MAX_BYTES + 1);
	if (!text)
		goto fail;
	len = fread(text, 1, CONFIG_MAX_BYTES + 1, f);
	if (ferror(f))
		goto fail;
	config = config_parse(path, text, len, report, ctx);
	goto out;
fail:
	snprintf(message, sizeof(message), "%s: %s", path, strerror(errno));
	report(ctx, message);
out:
	free(text);
	if (f)
		fclose(f);
	return config;
}

int config_restart_keys(const struct config *old, const struct config *new, char *buf, size_t size)
{
	const struct {
		const char *name;
		bool differs;
	} keys[] = {
		{ "workers", old->workers != new->workers },
		{ "device", strcmp(old->device, new->device) != 0 },
		{ "queue", old->queue != new->queue },
		{ "mark", old->mark != new->mark || old->mark_mask != new->mark_mask },
		{ "control", strcmp(old->control, new->control) != 0 },
		{ "seccomp", old->seccomp != new->seccomp },
	};
	int n = 0;

	buf[0] = 0;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		size_t len = strlen(buf);

		if (keys[i].differs)
			snprintf(buf + len, size - len, "%s%s", n++ ? ", " : "", keys[i].name);
	}
	return n;
}
