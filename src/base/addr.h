/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IP addresses, endpoints and flow tuples, for both families alike.
 *
 * An IPv4 address is held as its IPv4-mapped IPv6 form (::ffff:a.b.c.d), so
 * that all code but the codecs handles one shape.  Structs have no padding and
 * may be hashed and compared as bytes.
 */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include <stdbool.h>
#include <stdint.h>

struct ip_addr {
	uint8_t b[16];          /* network byte order */
};

struct ip_endpoint {
	struct ip_addr addr;
	uint16_t port;          /* host byte order */
};

/* One direction of a TCP connection; `src` is who sent the packet. */
struct flow_tuple {
	struct ip_endpoint src;
	struct ip_endpoint dst;
};

#define IP_ADDR_STRLEN     46
#define IP_ENDPOINT_STRLEN 56	/* "[v6]:65535" */

bool ip_addr_is_v4(const struct ip_addr *a);
bool ip_addr_equal(const struct ip_addr *a, const struct ip_addr *b);
/* Byte-wise order of two addresses, as memcmp(). */
int ip_addr_cmp(const struct ip_addr *a, const struct ip_addr *b);
/* Whether only a part of the Internet can reach it: private, shared, unique local, link-local
 * and loopback addresses (RFC 1918, 6598, 4193, 3927, 4291). */
bool ip_addr_is_private(const struct ip_addr *a);
void ip_addr_from_v4(struct ip_addr *out, const uint8_t v4[4]);
void ip_addr_from_v6(struct ip_addr *out, const uint8_t v6[16]);
/* The four bytes of an address for which ip_addr_is_v4() holds. */
const uint8_t *ip_addr_v4(const struct ip_addr *a);
/* Parses either family's text form; 0 or -EINVAL. */
int ip_addr_parse(const char *text, struct ip_addr *out);
/* Writes the usual text form; returns `buf`, which holds IP_ADDR_STRLEN bytes. */
const char *ip_addr_format(const struct ip_addr *a, char *buf);
/* "a.b.c.d:port" or "[v6]:port"; `buf` holds IP_ENDPOINT_STRLEN bytes. */
const char *ip_endpoint_format(const struct ip_endpoint *e, char *buf);
/* Parses what ip_endpoint_format() writes; 0 or -EINVAL. */
int ip_endpoint_parse(const char *text, struct ip_endpoint *out);
bool ip_endpoint_equal(const struct ip_endpoint *a, const struct ip_endpoint *b);
bool flow_tuple_equal(const struct flow_tuple *a, const struct flow_tuple *b);
void flow_tuple_reverse(struct flow_tuple *out, const struct flow_tuple *t);

/* An address block such as 192.0.2.0/24; a lone address has the full length. */
struct ip_prefix {
	struct ip_addr addr;    /* host bits are zero */
	uint8_t len;            /* in the family's own terms: 0-32 or 0-128 */
	uint8_t is_v4;
};

/* Parses "ADDR" or "ADDR/LEN"; -EINVAL if malformed or host bits are set. */
int ip_prefix_parse(const char *text, struct ip_prefix *out);
bool ip_prefix_contains(const struct ip_prefix *p, const struct ip_addr *a);

#endif
