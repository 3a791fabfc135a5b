/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The keys of the configuration file: one table, and one setter for each kind of
 * value.
 *
 * A setter checks and stores one value, nothing else; what concerns several keys is
 * checked at the end of the file by config.c.  The table's `allowed` texts appear in
 * messages, and the tests compare its names with the manual page.
 */
#include "daemon/config_impl.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/sandbox.h"

int config_refuse(struct config_parser *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->why, sizeof(p->why), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static int not_a_value(struct config_parser *p, const char *value)
{
	if (!*value)
		return config_refuse(p, "the value is empty");
	return config_refuse(p, "\"%.100s\" is not a value of this key", value);
}

/* Where keys that a service may set for itself go: the section's own, or what is for all. */
static struct config_common *common_of(struct config_parser *p)
{
	return p->service ? &p->service->common : &p->common;
}

/* A value that is one of two words; whether it is the first. */
static int read_choice(struct config_parser *p, const char *value, const char *first,
		       const char *second, bool *is_first)
{
	if (strcmp(value, first) && strcmp(value, second))
		return not_a_value(p, value);
	*is_first = !strcmp(value, first);
	return 0;
}

/* The same for a field of common_of(), where `bit` then says that it is set. */
static int read_common_choice(struct config_parser *p, const char *value, const char *first,
			      const char *second, bool *is_first, unsigned bit)
{
	int ret = read_choice(p, value, first, second, is_first);

	if (!ret)
		common_of(p)->set |= bit;
	return ret;
}

static int not_yet(struct config_parser *p, const char *value)
{
	return config_refuse(p, "\"%.100s\" is not supported by this version", value);
}

/* Whether `value` is one of `names`, which ends with NULL. */
static bool one_of(const char *value, const char *const *names)
{
	for (; *names; names++)
		if (!strcmp(value, *names))
			return true;
	return false;
}

/* An unsigned decimal (or, if `hex`, 0x) number that ends at the returned pointer. */
static const char *number(const char *s, bool hex, uint64_t max, uint64_t *out)
{
	unsigned base = hex && s[0] == '0' && (s[1] == 'x' || s[1] == 'X') ? 16 : 10;
	uint64_t v = 0;
	const char *start;

	if (base == 16)
		s += 2;
	for (start = s; isxdigit((unsigned char)*s); s++) {
		unsigned digit = isdigit((unsigned char)*s) ? (unsigned)(*s - '0') :
				 (unsigned)(tolower((unsigned char)*s) - 'a' + 10);

		if (digit >= base)
			break;
		if (v > (max - digit) / base)
			return NULL;
		v = v * base + digit;
	}
	if (s == start || v > max)
		return NULL;
	*out = v;
	return s;
}

static int whole_number(struct config_parser *p, const char *value, uint64_t min, uint64_t max,
			uint64_t *out)
{
	const char *end;

	if (!*value)
		return not_a_value(p, value);
	end = number(value, false, UINT64_MAX, out);
	if (!end || *end)
		return config_refuse(p, "\"%.100s\" is not a whole number", value);
	if (*out < min || *out > max)
		return config_refuse(p, "%s is out of range", value);
	return 0;
}

/* The next item of a comma-separated list, trimmed, in `item`; NULL at the end. */
static const char *list_item(const char *at, char *item, size_t size)
{
	size_t len;

	while (isspace((unsigned char)*at) || *at == ',')
		at++;
	if (!*at)
		return NULL;
	len = strcspn(at, ",");
	snprintf(item, size, "%.*s", (int)(len < size ? len : size - 1), at);
	at += len;
	for (len = strlen(item); len && isspace((unsigned char)item[len - 1]); len--)
		item[len - 1] = 0;
	return at;
}

/* ---- [proxy] ---------------------------------------------------------------- */

static int set_workers(struct config_parser *p, const char *value)
{
	uint64_t n;
	int err;

	if (!strcmp(value, "auto")) {
		p->config->workers = config_auto_workers();
		return 0;
	}
	err = whole_number(p, value, 1, CONFIG_MAX_WORKERS, &n);
	if (!err)
		p->config->workers = (unsigned)n;
	return err;
}

static int set_max_connections(struct config_parser *p, const char *value)
{
	uint64_t n;
	int err = whole_number(p, value, 1, 10000000, &n);

	if (!err)
		p->config->proxy.max_connections = (uint32_t)n;
	return err;
}

static int set_memory(struct config_parser *p, const char *value)
{
	static const char suffixes[] = "KMGT";
	const char *end, *suffix;
	unsigned shift = 0;
	uint64_t n;

	if (!*value)
		return not_a_value(p, value);
	end = number(value, false, UINT64_MAX, &n);
	if (!end)
		return config_refuse(p, "\"%.100s\" is not a size", value);
	if (*end) {
		suffix = strchr(suffixes, toupper((unsigned char)*end));
		if (!suffix || end[1])
			return config_refuse(p, "\"%.100s\" is not a size", value);
		shift = 10 * (unsigned)(suffix - suffixes + 1);
	}
	if (n > (SIZE_MAX / 2) >> shift || n << shift < (8u << 20))
		return config_refuse(p, "%s is out of range", value);
	p->config->proxy.memory_bytes = (size_t)(n << shift);
	return 0;
}

static int set_max_per_source(struct config_parser *p, const char *value)
{
	uint64_t n;
	int err = whole_number(p, value, 0, 10000000, &n);

	if (!err)
		p->config->proxy.max_per_source = (uint32_t)n;
	return err;
}

static int set_syn_cookies(struct config_parser *p, const char *value)
{
	return read_choice(p, value, "on", "off", &p->config->syn_cookies);
}

static int set_handshake(struct config_parser *p, const char *value)
{
	struct config_common *c = common_of(p);

	if (!strcmp(value, "connect-first"))
		c->handshake = PROXY_CONNECT_FIRST;
	else if (!strcmp(value, "accept-first"))
		c->handshake = PROXY_ACCEPT_FIRST;
	else
		return not_a_value(p, value);
	c->set |= COMMON_HANDSHAKE;
	return 0;
}

static int set_step_aside(struct config_parser *p, const char *value)
{
	if (!strcmp(value, "never"))
		return 0;
	return !strcmp(value, "learn") ? not_yet(p, value) : not_a_value(p, value);
}

static int set_source(struct config_parser *p, const char *value)
{
	struct config_common *c = common_of(p);

	if (!strcmp(value, "client"))
		c->source = PROXY_SOURCE_CLIENT;
	else if (!strcmp(value, "gateway"))
		c->source = PROXY_SOURCE_GATEWAY;
	else
		return not_a_value(p, value);
	c->set |= COMMON_SOURCE;
	return 0;
}

static int set_device(struct config_parser *p, const char *value)
{
	size_t len = strlen(value);

	if (!len)
		return not_a_value(p, value);
	if (len >= sizeof(p->config->device))
		return config_refuse(p, "\"%.100s\" is too long for a device name", value);
	/* It is also put into the ruleset, between quotes. */
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)value[i]) && !strchr("_.-", value[i]))
			return config_refuse(p, "\"%s\" is not a device name", value);
	if (!strcmp(value, ".") || !strcmp(value, "..") || !strcmp(value, "all") ||
	    !strcmp(value, "default"))
		return config_refuse(p, "\"%s\" cannot be the name of a device", value);
	snprintf(p->config->device, sizeof(p->config->device), "%s", value);
	return 0;
}

static int set_queue(struct config_parser *p, const char *value)
{
	uint64_t n;
	int err = whole_number(p, value, 0, 65535, &n);

	if (!err)
		p->config->queue = (uint16_t)n;
	return err;
}

static int set_mark(struct config_parser *p, const char *value)
{
	uint64_t mark, mask = UINT32_MAX;
	const char *end;

	if (!*value)
		return not_a_value(p, value);
	end = number(value, true, UINT32_MAX, &mark);
	if (end && *end == '/')
		end = number(end + 1, true, UINT32_MAX, &mask);
	if (!end || *end)
		return config_refuse(p, "\"%.100s\" is not a mark", value);
	if (!mark)
		return config_refuse(p, "the mark is zero, like that of any other packet");
	if (mark & ~mask)
		return config_refuse(p, "0x%08x has bits outside its mask 0x%08x",
				     (unsigned)mark, (unsigned)mask);
	p->config->mark = (uint32_t)mark;
	p->config->mark_mask = (uint32_t)mask;
	return 0;
}

static int set_control(struct config_parser *p, const char *value)
{
	if (!*value)
		return not_a_value(p, value);
	if (value[0] != '/')
		return config_refuse(p, "\"%.100s\" is not an absolute path", value);
	if (strlen(value) >= sizeof(p->config->control))
		return config_refuse(p, "the path is longer than %zu bytes",
				     sizeof(p->config->control) - 1);
	snprintf(p->config->control, sizeof(p->config->control), "%s", value);
	return 0;
}

static int set_metrics(struct config_parser *p, const char *value)
{
	return *value ? not_yet(p, value) : 0;
}

static int set_drain_timeout(struct config_parser *p, const char *value)
{
	uint64_t n;
	int err = whole_number(p, value, 0, 86400, &n);

	if (!err)
		p->config->drain_timeout_us = n * 1000000;
	return err;
}

static int set_log(struct config_parser *p, const char *value)
{
	return log_level_parse(value, &p->config->log_level) ? not_a_value(p, value) : 0;
}

static int set_seccomp(struct config_parser *p, const char *value)
{
	int ret = read_choice(p, value, "yes", "no", &p->config->seccomp);

	if (!ret && p->config->seccomp && !sandbox_available())
		return config_refuse(p, "this build cannot (libseccomp was missing)");
	return ret;
}

/* ---- [mptcp] ---------------------------------------------------------------- */

static int set_versions(struct config_parser *p, const char *value)
{
	struct config_common *c = common_of(p);
	char item[64];
	const char *at = value;

	if (!p->continuation)
		c->versions = 0;
	while ((at = list_item(at, item, sizeof(item)))) {
		if (strcmp(item, "0") && strcmp(item, "1"))
			return not_a_value(p, item);
		c->versions |= MPTCP_VERSION_BIT(item[0] - '0');
	}
	if (!c->versions)
		return not_a_value(p, "");
	c->set |= COMMON_VERSIONS;
	return 0;
}

static int set_checksum(struct config_parser *p, const char *value)
{
	return read_common_choice(p, value, "always", "on-request", &common_of(p)->checksum,
				  COMMON_CHECKSUM);
}

static int set_ecn(struct config_parser *p, const char *value)
{
	return read_choice(p, value, "on", "off", &p->common.ecn);
}

static int set_timestamps(struct config_parser *p, const char *value)
{
	return read_common_choice(p, value, "on", "off", &common_of(p)->timestamps,
				  COMMON_TIMESTAMPS);
}

static int set_max_subflows(struct config_parser *p, const char *value)
{
	struct config_common *c = common_of(p);
	uint64_t n;
	int err = whole_number(p, value, 1, 32, &n);

	if (err)
		return err;
	c->max_subflows = (uint8_t)n;
	c->set |= COMMON_MAX_SUBFLOWS;
	return 0;
}

static int set_congestion_control(struct config_parser *p, const char *value)
{
	struct config_common *c = common_of(p);
	const struct tcp_cc_ops *cc = tcp_cc_find(value);

	if (!cc)
		return not_a_value(p, value);
	c->cc = cc;
	c->set |= COMMON_CC;
	return 0;
}

static int set_scheduler(struct config_parser *p, const char *value)
{
	struct config_common *c = common_of(p);
	const struct mptcp_sched_ops *sched = mptcp_sched_find(value);

	if (!sched)
		return not_a_value(p, value);
	c->sched = sched;
	c->set |= COMMON_SCHEDULER;
	return 0;
}

static int set_join_service(struct config_parser *p, const char *value)
{
	return read_common_choice(p, value, "no", "yes", &common_of(p)->no_join_service,
				  COMMON_JOIN_SERVICE);
}

/* ---- [endpoint NAME] ----------------------------------------------------------- */

/* An address that one host has and others can be told of. */
static int host_address(struct config_parser *p, const char *value, struct ip_addr *out)
{
	static const char *const others[] = {
		"0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3", "::/127", "ff00::/8", "fe80::/10",
	};
	struct ip_prefix prefix;

	if (!*value)
		return not_a_value(p, value);
	if (ip_addr_parse(value, out))
		return config_refuse(p, "\"%.100s\" is not an address", value);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (!ip_prefix_parse(others[i], &prefix) && ip_prefix_contains(&prefix, out))
			return config_refuse(p, "clients cannot connect to %.100s", value);
	return 0;
}

static int set_endpoint_address(struct config_parser *p, const char *value)
{
	p->endpoint->address_line = p->line;
	return host_address(p, value, &p->endpoint->e.ep.announced.addr);
}

static int set_endpoint_port(struct config_parser *p, const char *value)
{
	uint64_t n;
	int err = whole_number(p, value, 1, 65535, &n);

	if (!err)
		p->endpoint->e.ep.announced.port = (uint16_t)n;
	return err;
}

static int set_endpoint_local(struct config_parser *p, const char *value)
{
	struct ip_endpoint *local = &p->endpoint->e.ep.local;

	p->endpoint->has_local = true;
	if (ip_endpoint_parse(value, local) == 0) {
		char addr[IP_ADDR_STRLEN];

		if (!local->port)
			return config_refuse(p, "\"%.100s\" has the port 0", value);
		return host_address(p, ip_addr_format(&local->addr, addr), &local->addr);
	}
	local->port = 0;
	return host_address(p, value, &local->addr);
}

static int set_endpoint_backup(struct config_parser *p, const char *value)
{
	return read_choice(p, value, "yes", "no", &p->endpoint->e.ep.backup);
}

/* ---- [service NAME] ------------------------------------------------------------ */

bool config_prefix_overlap(const struct ip_prefix *a, const struct ip_prefix *b)
{
	return a->len <= b->len ? ip_prefix_contains(a, &b->addr) :
				  ip_prefix_contains(b, &a->addr);
}

bool config_ports_overlap(const struct port_range *a, const struct port_range *b)
{
	return a->first <= b->last && b->first <= a->last;
}

const char *config_prefix_format(const struct ip_prefix *p, char *buf)
{
	ip_addr_format(&p->addr, buf);
	if (p->len != (p->is_v4 ? 32 : 128))
		sprintf(buf + strlen(buf), "/%u", p->len);
	return buf;
}

/* Why ip_prefix_parse() does not take `text`. */
static int bad_prefix(struct config_parser *p, const char *text)
{
	char addr[IP_ADDR_STRLEN], buf[IP_ADDR_STRLEN + 4];
	const char *slash = strchr(text, '/');
	struct ip_prefix fixed = { .len = 0 };
	uint64_t len;
	const char *end;
	unsigned bits;

	if (!slash || (size_t)(slash - text) >= sizeof(addr))
		return config_refuse(p, "\"%.100s\" is not an address", text);
	memcpy(addr, text, (size_t)(slash - text));
	addr[slash - text] = 0;
	if (ip_addr_parse(addr, &fixed.addr))
		return config_refuse(p, "\"%.100s\" is not an address", addr);
	fixed.is_v4 = ip_addr_is_v4(&fixed.addr);
	end = number(slash + 1, false, fixed.is_v4 ? 32 : 128, &len);
	if (!end || *end)
		return config_refuse(p, "\"%.100s\" has a bad prefix length; it is 0 to %d", text,
				     fixed.is_v4 ? 32 : 128);
	fixed.len = (uint8_t)len;
	for (bits = fixed.is_v4 ? 96u + fixed.len : fixed.len; bits < 128; bits++)
		fixed.addr.b[bits / 8] &= (uint8_t)~(0x80u >> (bits % 8));
	return config_refuse(p, "\"%.100s\" has host bits set; did you mean %s?", text,
			     config_prefix_format(&fixed, buf));
}

/* Appends to a malloc'd array. */
static int append(void **array, size_t *count, const void *item, size_t size)
{
	void *bigger = reallocarray(*array, *count + 1, size);

	if (!bigger)
		return -ENOMEM;
	memcpy((char *)bigger + *count * size, item, size);
	*array = bigger;
	(*count)++;
	return 0;
}

static int set_address(struct config_parser *p, const char *value)
{
	struct proxy_service *svc = &p->service->svc;
	char item[80], one[IP_ADDR_STRLEN + 4], other[IP_ADDR_STRLEN + 4];
	const char *at = value;
	void *array;
	int err;

	p->service->address_line = p->line;
	while ((at = list_item(at, item, sizeof(item)))) {
		struct ip_prefix prefix;

		if (ip_prefix_parse(item, &prefix))
			return bad_prefix(p, item);
		for (size_t i = 0; i < svc->prefix_count; i++)
			if (config_prefix_overlap(&prefix, &svc->prefixes[i]))
				return config_refuse(p, "%s overlaps %s",
						     config_prefix_format(&prefix, one),
						     config_prefix_format(&svc->prefixes[i],
									  other));
		if (p->prefix_count == CONFIG_MAX_PREFIXES)
			return config_refuse(p, "more than %d addresses in all",
					     CONFIG_MAX_PREFIXES);
		array = svc->prefixes;
		err = append(&array, &svc->prefix_count, &prefix, sizeof(prefix));
		if (err)
			return err;
		svc->prefixes = array;
		p->prefix_count++;
	}
	return svc->prefix_count ? 0 : not_a_value(p, "");
}

static int set_port(struct config_parser *p, const char *value)
{
	struct proxy_service *svc = &p->service->svc;
	const char *at = value;
	char item[64];
	void *array;
	int err;

	p->service->port_line = p->line;
	while ((at = list_item(at, item, sizeof(item)))) {
		uint64_t first, last;
		struct port_range range;
		const char *end = number(item, false, 65535, &first);

		last = first;
		if (end) {
			while (*end == ' ')
				end++;
			if (*end == '-') {
				for (end++; *end == ' '; end++)
					;
				end = number(end, false, 65535, &last);
			}
		}
		if (!end || *end || !first)
			return config_refuse(p, "\"%s\" is not a port", item);
		if (last < first)
			return config_refuse(p, "\"%s\" ends before it begins", item);
		range = (struct port_range){ (uint16_t)first, (uint16_t)last };
		for (size_t i = 0; i < svc->port_count; i++)
			if (config_ports_overlap(&range, &svc->ports[i]))
				return config_refuse(p, "\"%s\" is listed already", item);
		if (svc->port_count == CONFIG_MAX_PORTS)
			return config_refuse(p, "more than %d ranges", CONFIG_MAX_PORTS);
		array = svc->ports;
		err = append(&array, &svc->port_count, &range, sizeof(range));
		if (err)
			return err;
		svc->ports = array;
	}
	return svc->port_count ? 0 : not_a_value(p, "");
}

static int set_upstream(struct config_parser *p, const char *value)
{
	struct proxy_service *svc = &p->service->svc;

	p->service->upstream_line = p->line;
	svc->upstream_original = !strcmp(value, "original");
	if (svc->upstream_original)
		return 0;
	if (!*value)
		return not_a_value(p, value);
	if (ip_endpoint_parse(value, &svc->upstream) || !svc->upstream.port)
		return config_refuse(p, "\"%.100s\" is not an address with a port", value);
	return 0;
}

static int set_proxy_protocol(struct config_parser *p, const char *value)
{
	static const char *const later[] = { "v1", "v2", NULL };

	if (!strcmp(value, "off"))
		return 0;
	return one_of(value, later) ? not_yet(p, value) : not_a_value(p, value);
}

/* ---- the table ---------------------------------------------------------------- */

const struct config_key config_keys[] = {
	{ "workers", CONFIG_PROXY, false, "auto or 1 to 64", set_workers },
	{ "max_connections", CONFIG_PROXY, false, "1 to 10000000", set_max_connections },
	{ "max_per_source", CONFIG_PROXY, false, "0 (no bound) to 10000000", set_max_per_source },
	{ "memory", CONFIG_PROXY, false, "8M or more, as bytes or with K, M, G or T", set_memory },
	{ "syn_cookies", CONFIG_PROXY, false, "on or off", set_syn_cookies },
	{ "handshake", CONFIG_PROXY | CONFIG_SERVICE, false, "connect-first or accept-first",
	  set_handshake },
	{ "step_aside", CONFIG_PROXY, false, "never", set_step_aside },
	{ "source", CONFIG_PROXY | CONFIG_SERVICE, false, "client or gateway", set_source },
	{ "device", CONFIG_PROXY, false, "1 to 15 letters, digits, \"_\", \".\" or \"-\"",
	  set_device },
	{ "queue", CONFIG_PROXY, false, "0 to 65535", set_queue },
	{ "mark", CONFIG_PROXY, false, "MARK or MARK/MASK, as 0x4d500000/0xfff00000", set_mark },
	{ "control", CONFIG_PROXY, false, "the absolute path of a socket, at most 107 bytes",
	  set_control },
	{ "metrics", CONFIG_PROXY, false, "nothing", set_metrics },
	{ "drain_timeout", CONFIG_PROXY, false, "0 to 86400, in seconds", set_drain_timeout },
	{ "log", CONFIG_PROXY, false, "error, warning, notice, info, debug or trace", set_log },
	{ "seccomp", CONFIG_PROXY, false, "yes or no", set_seccomp },

	{ "versions", CONFIG_MPTCP | CONFIG_SERVICE, true, "0 and 1", set_versions },
	{ "checksum", CONFIG_MPTCP | CONFIG_SERVICE, false, "on-request or always",
	  set_checksum },
	{ "ecn", CONFIG_MPTCP, false, "on or off", set_ecn },
	{ "timestamps", CONFIG_MPTCP | CONFIG_SERVICE, false, "on or off", set_timestamps },
	{ "max_subflows", CONFIG_MPTCP | CONFIG_SERVICE, false, "1 to 32", set_max_subflows },
	{ "congestion_control", CONFIG_MPTCP | CONFIG_SERVICE, false,
	  "auto, lia, olia, balia, cubic or reno",
	  set_congestion_control },
	{ "scheduler", CONFIG_MPTCP | CONFIG_SERVICE, false,
	  "blest, minrtt, roundrobin, redundant or cost", set_scheduler },

	{ "join_service", CONFIG_MPTCP | CONFIG_SERVICE, false, "yes or no", set_join_service },

	{ "address", CONFIG_ENDPOINT, false, "one address, IPv4 or IPv6", set_endpoint_address },
	{ "port", CONFIG_ENDPOINT, false, "1 to 65535", set_endpoint_port },
	{ "local", CONFIG_ENDPOINT, false, "ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT",
	  set_endpoint_local },
	{ "backup", CONFIG_ENDPOINT, false, "yes or no", set_endpoint_backup },

	{ "address", CONFIG_SERVICE, true,
	  "ADDRESS or ADDRESS/LENGTH, IPv4 or IPv6, separated by commas", set_address },
	{ "port", CONFIG_SERVICE, true, "1 to 65535 or FIRST-LAST, separated by commas",
	  set_port },
	{ "upstream", CONFIG_SERVICE, false, "original, ADDRESS:PORT or [ADDRESS]:PORT",
	  set_upstream },
	{ "proxy_protocol", CONFIG_SERVICE, false, "off", set_proxy_protocol },
	{ NULL, 0, false, NULL, NULL },
};
