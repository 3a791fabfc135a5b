/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses, endpoints, tuples and prefixes: comparison and text forms.  Owns
 * nothing; calls only the C library's conversions.
 */
#include "base/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const uint8_t v4_mapped[12] = { [10] = 0xff, [11] = 0xff };

bool ip_addr_is_v4(const struct ip_addr *a)
{
	return !memcmp(a->b, v4_mapped, sizeof(v4_mapped));
}

bool ip_addr_equal(const struct ip_addr *a, const struct ip_addr *b)
{
	return !memcmp(a->b, b->b, sizeof(a->b));
}

int ip_addr_cmp(const struct ip_addr *a, const struct ip_addr *b)
{
	return memcmp(a->b, b->b, sizeof(a->b));
}

bool ip_addr_is_private(const struct ip_addr *a)
{
	const uint8_t *b = a->b;
	struct ip_addr loopback = { .b = { [15] = 1 } };

	if (!ip_addr_is_v4(a))
		return (b[0] & 0xfe) == 0xfc || (b[0] == 0xfe && (b[1] & 0xc0) == 0x80) ||
		       ip_addr_equal(a, &loopback);
	b = ip_addr_v4(a);
	return b[0] == 10 || b[0] == 127 || (b[0] == 172 && (b[1] & 0xf0) == 16) ||
	       (b[0] == 192 && b[1] == 168) || (b[0] == 169 && b[1] == 254) ||
	       (b[0] == 100 && (b[1] & 0xc0) == 64);
}

void ip_addr_from_v4(struct ip_addr *out, const uint8_t v4[4])
{
	memcpy(out->b, v4_mapped, sizeof(v4_mapped));
	memcpy(out->b + sizeof(v4_mapped), v4, 4);
}

void ip_addr_from_v6(struct ip_addr *out, const uint8_t v6[16])
{
	memcpy(out->b, v6, sizeof(out->b));
}

const uint8_t *ip_addr_v4(const struct ip_addr *a)
{
	return a->b + sizeof(v4_mapped);
}

int ip_addr_parse(const char *text, struct ip_addr *out)
{
	uint8_t raw[16];

	if (inet_pton(AF_INET, text, raw) == 1)
		ip_addr_from_v4(out, raw);
	else if (inet_pton(AF_INET6, text, raw) == 1)
		ip_addr_from_v6(out, raw);
	else
		return -EINVAL;
	return 0;
}

const char *ip_addr_format(const struct ip_addr *a, char *buf)
{
	if (ip_addr_is_v4(a))
		inet_ntop(AF_INET, ip_addr_v4(a), buf, IP_ADDR_STRLEN);
	else
		inet_ntop(AF_INET6, a->b, buf, IP_ADDR_STRLEN);
	return buf;
}

const char *ip_endpoint_format(const struct ip_endpoint *e, char *buf)
{
	char text[IP_ADDR_STRLEN];

	ip_addr_format(&e->addr, text);
	snprintf(buf, IP_ENDPOINT_STRLEN, ip_addr_is_v4(&e->addr) ? "%s:%u" : "[%s]:%u", text,
		 e->port);
	return buf;
}

/* A decimal number without sign or blanks, at most `max`; -1 if it is none. */
static long parse_number(const char *text, long max)
{
	long v = 0;

	if (!*text)
		return -1;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		v = v * 10 + (*text - '0');
		if (v > max)
			return -1;
	}
	return v;
}

/* Parses the address in text[0..len). */
static int parse_part(const char *text, size_t len, struct ip_addr *out)
{
	char part[IP_ADDR_STRLEN];

	if (len >= sizeof(part))
		return -EINVAL;
	memcpy(part, text, len);
	part[len] = 0;
	return ip_addr_parse(part, out);
}

int ip_endpoint_parse(const char *text, struct ip_endpoint *out)
{
	const char *colon = strrchr(text, ':');
	bool bracket = *text == '[';
	struct ip_addr addr;
	long port;
	int err;

	if (!colon)
		return -EINVAL;
	if (bracket) {
		if (colon < text + 2 || colon[-1] != ']')
			return -EINVAL;
		err = parse_part(text + 1, (size_t)(colon - text) - 2, &addr);
	} else {
		/* Without brackets the last group of an IPv6 address would pass for a port. */
		if (memchr(text, ':', (size_t)(colon - text)))
			return -EINVAL;
		err = parse_part(text, (size_t)(colon - text), &addr);
	}
	port = parse_number(colon + 1, 65535);
	if (err || port < 0)
		return -EINVAL;
	out->addr = addr;
	out->port = (uint16_t)port;
	return 0;
}

bool ip_endpoint_equal(const struct ip_endpoint *a, const struct ip_endpoint *b)
{
	return a->port == b->port && ip_addr_equal(&a->addr, &b->addr);
}

bool flow_tuple_equal(const struct flow_tuple *a, const struct flow_tuple *b)
{
	return ip_endpoint_equal(&a->src, &b->src) && ip_endpoint_equal(&a->dst, &b->dst);
}

void flow_tuple_reverse(struct flow_tuple *out, const struct flow_tuple *t)
{
	/* Through a copy: `out` may be `t`. */
	struct flow_tuple r = { .src = t->dst, .dst = t->src };

	*out = r;
}

/* Are the first `bits` bits of both the same? */
static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	if (memcmp(a, b, whole))
		return false;
	return !rest || !((a[whole] ^ b[whole]) >> (8 - rest));
}

int ip_prefix_parse(const char *text, struct ip_prefix *out)
{
	const char *slash = strchr(text, '/');
	struct ip_prefix p = { .len = 0 };
	unsigned bits;
	long len, max;

	if (parse_part(text, slash ? (size_t)(slash - text) : strlen(text), &p.addr))
		return -EINVAL;
	p.is_v4 = ip_addr_is_v4(&p.addr);
	max = p.is_v4 ? 32 : 128;
	len = slash ? parse_number(slash + 1, max) : max;
	if (len < 0)
		return -EINVAL;
	p.len = (uint8_t)len;
	for (bits = p.is_v4 ? 96u + p.len : p.len; bits < 128; bits++)
		if (p.addr.b[bits / 8] & (0x80u >> (bits % 8)))
			return -EINVAL;
	*out = p;
	return 0;
}

bool ip_prefix_contains(const struct ip_prefix *p, const struct ip_addr *a)
{
	/* ::/0 is not meant to take in IPv4, although the mapped form lies in it. */
	if ((bool)p->is_v4 != ip_addr_is_v4(a))
		return false;
	return same_bits(p->addr.b, a->b, p->is_v4 ? 96u + p->len : p->len);
}
