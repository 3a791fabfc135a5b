/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whole IP packets.  Parsing goes in two steps: ip_parse() finds the addresses and
 * the upper-layer protocol behind options and extension headers, of a whole packet
 * as well as of the beginning quoted in an ICMP error; then TCP or ICMP is read.
 * Nothing is copied: a packet points into the parsed buffer, which the caller owns.
 * The IPv4 header checksum is the kernel's business, which checks it before any
 * hook.  Owns nothing; calls wire/checksum and wire/tcp_header.
 */
#include "wire/packet.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "wire/bytes.h"
#include "wire/checksum.h"

#define IP4_HEADER_MIN 20u
#define IP6_HEADER     40u
#define ICMP_HEADER    8u
#define IP4_DF         0x4000
#define IP4_MF         0x2000
#define IP4_OFFSET     0x1fff
#define DEFAULT_TTL    64

#define PROTO_HOPOPTS  0
#define PROTO_ICMP     1
#define PROTO_TCP      6
#define PROTO_ROUTING  43
#define PROTO_FRAGMENT 44
#define PROTO_ICMPV6   58
#define PROTO_DSTOPTS  60
#define PROTO_UNKNOWN  255	/* reserved: something that is passed on unread */

#define ICMP_UNREACH       3
#define ICMP_TIME_EXCEEDED 11

#define ICMP6_UNREACH       1
#define ICMP6_TOO_BIG       2
#define ICMP6_TIME_EXCEEDED 3
#define ICMP6_PARAM_PROBLEM 4

/* How long an ICMP error may be: RFC 1812, 4.3.2.3; RFC 4443, 3.1. */
#define ICMP4_ERROR_MAX 576u
#define ICMP6_ERROR_MAX 1280u

struct ip_view {
	struct ip_addr src, dst;
	bool v6;
	bool fragment;          /* a part of a packet, the first one or a later one */
	bool later_fragment;    /* without the upper-layer header */
	uint8_t protocol;       /* of the upper layer, or PROTO_UNKNOWN */
	uint8_t ecn, ttl;
	const uint8_t *upper;
	size_t upper_len;       /* up to the end of the IP packet, or of what is there */
	bool cut;               /* the IP packet is longer than what is there */
};

static int ip4_parse(const uint8_t *data, size_t len, struct ip_view *v)
{
	size_t header_len, total;
	uint16_t frag;

	if (len < IP4_HEADER_MIN)
		return -EINVAL;
	header_len = (size_t)(data[0] & 0x0f) * 4;
	total = bytes_get16(data + 2);
	if (header_len < IP4_HEADER_MIN || total < header_len)
		return -EINVAL;
	v->cut = total > len;
	if (v->cut) {
		total = len;
		if (total < header_len)
			return -EMSGSIZE;
	}
	frag = bytes_get16(data + 6);
	v->v6 = false;
	v->ecn = data[1] & 3;
	v->ttl = data[8];
	v->protocol = data[9];
	v->fragment = frag & (IP4_MF | IP4_OFFSET);
	v->later_fragment = frag & IP4_OFFSET;
	ip_addr_from_v4(&v->src, data + 12);
	ip_addr_from_v4(&v->dst, data + 16);
	v->upper = data + header_len;
	v->upper_len = total - header_len;
	return 0;
}

static int ip6_parse(const uint8_t *data, size_t len, bool quoted, struct ip_view *v)
{
	size_t rest, skip;
	const uint8_t *p;
	uint8_t next;

	if (len < IP6_HEADER)
		return -EINVAL;
	rest = bytes_get16(data + 4);
	next = data[6];
	/* A jumbogram, whose length is elsewhere (RFC 2675), or nothing at all. */
	if (!rest)
		next = PROTO_UNKNOWN;
	v->cut = rest > len - IP6_HEADER;
	if (v->cut)
		rest = len - IP6_HEADER;
	v->v6 = true;
	v->ecn = data[1] >> 4 & 3;
	v->ttl = data[7];
	v->fragment = false;
	v->later_fragment = false;
	ip_addr_from_v6(&v->src, data + 8);
	ip_addr_from_v6(&v->dst, data + 24);
	/*
	 * A mapped address on the wire (forbidden: RFC 4291, section 2.5.5.2) would be
	 * taken for the IPv4 address, and so for another host's flow.
	 */
	if (ip_addr_is_v4(&v->src) || ip_addr_is_v4(&v->dst))
		next = PROTO_UNKNOWN;

	for (p = data + IP6_HEADER;; p += skip, rest -= skip) {
		switch (next) {
		case PROTO_HOPOPTS:
		case PROTO_DSTOPTS:
		case PROTO_ROUTING:
			if (rest < 8)
				return v->cut ? -EMSGSIZE : -EINVAL;
			skip = ((size_t)p[1] + 1) * 8;
			break;
		case PROTO_FRAGMENT:
			if (rest < 8)
				return v->cut ? -EMSGSIZE : -EINVAL;
			skip = 8;
			break;
		default:
			v->protocol = next;
			v->upper = p;
			v->upper_len = rest;
			return 0;
		}
		if (skip > rest)
			return v->cut ? -EMSGSIZE : -EINVAL;
		/* With segments left, the destination address is not yet the flow's. */
		if (next == PROTO_ROUTING && p[3]) {
			next = PROTO_UNKNOWN;
		} else if (next == PROTO_FRAGMENT && (bytes_get16(p + 2) & 0xfff9)) {
			v->fragment = true;
			v->later_fragment = bytes_get16(p + 2) & 0xfff8;
			/* What follows in a later part is payload, not headers. */
			next = v->later_fragment ? PROTO_UNKNOWN : p[0];
		} else {
			next = p[0];
		}
		/* A part is passed on; its headers need not even be complete. */
		if (v->fragment && !quoted)
			next = PROTO_UNKNOWN;
	}
}

/*
 * `quoted`: `data` is the beginning of a packet, as long as the sender of an ICMP
 * error liked, not a whole one.
 */
static int ip_parse(const uint8_t *data, size_t len, bool quoted, struct ip_view *v)
{
	if (!len)
		return -EINVAL;
	switch (data[0] >> 4) {
	case 4:
		return ip4_parse(data, len, v);
	case 6:
		return ip6_parse(data, len, quoted, v);
	default:
		return -EINVAL;
	}
}

/* Both tables: RFC 792, RFC 1122 (3.2.2.1), RFC 1812 (5.2.7.1), RFC 4443 (3.1). */
static enum icmp_error icmp4_unreach_error(uint8_t code)
{
	switch (code) {
	case 0:         /* net unreachable, unknown, unreachable for this TOS */
	case 6:
	case 11:
		return ICMP_ERROR_NET_UNREACHABLE;
	case 1:         /* host unreachable, unknown, isolated, unreachable for this TOS */
	case 7:
	case 8:
	case 12:
		return ICMP_ERROR_HOST_UNREACHABLE;
	case 3:
		return ICMP_ERROR_PORT_UNREACHABLE;
	case 4:
		return ICMP_ERROR_TOO_BIG;
	case 9:
	case 10:
	case 13:
		return ICMP_ERROR_ADMIN_PROHIBITED;
	default:
		return ICMP_ERROR_OTHER;
	}
}

static enum icmp_error icmp6_unreach_error(uint8_t code)
{
	switch (code) {
	case 0:
		return ICMP_ERROR_NET_UNREACHABLE;
	case 1:
	case 5:         /* source address failed policy */
	case 6:         /* reject route */
		return ICMP_ERROR_ADMIN_PROHIBITED;
	case 2:         /* beyond scope of source address */
	case 3:
		return ICMP_ERROR_HOST_UNREACHABLE;
	case 4:
		return ICMP_ERROR_PORT_UNREACHABLE;
	default:
		return ICMP_ERROR_OTHER;
	}
}

/*
 * Reads type and code of an ICMP message.  False if it is no error.  A zero MTU is
 * that of a router from before RFC 1191; the caller must know.
 */
static bool icmp_parse_type(const struct ip_view *v, struct packet *out)
{
	const uint8_t *p = v->upper;

	if (v->v6) {
		switch (p[0]) {
		case ICMP6_UNREACH:
			out->icmp_error = icmp6_unreach_error(p[1]);
			return true;
		case ICMP6_TOO_BIG:
			out->icmp_error = ICMP_ERROR_TOO_BIG;
			out->icmp_mtu = bytes_get32(p + 4);
			return true;
		case ICMP6_TIME_EXCEEDED:
		case ICMP6_PARAM_PROBLEM:
			out->icmp_error = ICMP_ERROR_OTHER;
			return true;
		}
		return false;
	}
	switch (p[0]) {
	case ICMP_UNREACH:
		out->icmp_error = icmp4_unreach_error(p[1]);
		if (out->icmp_error == ICMP_ERROR_TOO_BIG)
			out->icmp_mtu = bytes_get16(p + 6);
		return true;
	case ICMP_TIME_EXCEEDED:
		out->icmp_error = ICMP_ERROR_OTHER;
		return true;
	}
	return false;
}

/* False: no ICMP error about a TCP segment; *out may have been touched. */
static bool icmp_parse(const struct ip_view *v, struct packet *out)
{
	uint64_t sum = 0;
	struct ip_view in;

	if (v->cut || v->upper_len < ICMP_HEADER || !icmp_parse_type(v, out))
		return false;
	/* Unlike TCP's, nobody has checked this one, and there is no offload for it. */
	if (v->v6)
		sum = csum_pseudo(&v->src, &v->dst, PROTO_ICMPV6, (uint32_t)v->upper_len);
	if (csum_fold(csum_add(sum, v->upper, v->upper_len)) != 0xffff)
		return false;

	if (ip_parse(v->upper + ICMP_HEADER, v->upper_len - ICMP_HEADER, true, &in))
		return false;
	/* Ports and sequence number are all that must be there. */
	if (in.v6 != v->v6 || in.later_fragment || in.protocol != PROTO_TCP ||
	    in.upper_len < 8)
		return false;
	out->tuple.src.addr = in.src;
	out->tuple.dst.addr = in.dst;
	out->tuple.src.port = bytes_get16(in.upper);
	out->tuple.dst.port = bytes_get16(in.upper + 2);
	out->icmp_seq = bytes_get32(in.upper + 4);
	return true;
}

int packet_parse(const uint8_t *data, size_t len, struct packet *out)
{
	struct ip_view v;
	int ret;

	ret = ip_parse(data, len, false, &v);
	if (ret)
		return ret;

	out->kind = PACKET_OTHER;
	out->tuple.src.addr = v.src;
	out->tuple.dst.addr = v.dst;
	out->tuple.src.port = 0;
	out->tuple.dst.port = 0;
	out->ecn = v.ecn;
	out->ttl = v.ttl;
	out->payload = NULL;
	out->payload_len = 0;
	out->tcp_start = NULL;
	out->tcp_len = 0;
	out->truncated = false;
	out->icmp_error = ICMP_ERROR_OTHER;
	out->icmp_mtu = 0;
	out->icmp_seq = 0;
	if (v.fragment)
		return 0;

	if (v.protocol == PROTO_TCP) {
		ret = tcp_header_parse(v.upper, v.upper_len, &out->tcp);
		if (ret < 0)
			return v.cut && v.upper_len < TCP_HEADER_MIN + TCP_OPTIONS_MAX ?
				-EMSGSIZE : ret;
		out->kind = PACKET_TCP;
		out->truncated = v.cut;
		/* The FIN is behind what is missing. */
		if (v.cut)
			out->tcp.flags &= (uint8_t)~TCP_FIN;
		out->tuple.src.port = out->tcp.src_port;
		out->tuple.dst.port = out->tcp.dst_port;
		out->payload = v.upper + ret;
		out->payload_len = v.upper_len - (size_t)ret;
		out->tcp_start = v.upper;
		out->tcp_len = v.upper_len;
	} else if (v.protocol == (v.v6 ? PROTO_ICMPV6 : PROTO_ICMP)) {
		if (icmp_parse(&v, out))
			out->kind = PACKET_ICMP_ERROR;
	}
	return 0;
}

bool packet_checksum_ok(const struct packet *p)
{
	uint64_t sum = csum_pseudo(&p->tuple.src.addr, &p->tuple.dst.addr, PROTO_TCP,
				   (uint32_t)p->tcp_len);

	return csum_fold(csum_add(sum, p->tcp_start, p->tcp_len)) == 0xffff;
}

/* Writes an IP header for `upper_len` bytes of `protocol`; returns its length. */
static size_t ip_build(uint8_t *out, const struct ip_addr *src, const struct ip_addr *dst,
		       uint8_t protocol, size_t upper_len, uint8_t tos, uint16_t id)
{
	if (ip_addr_is_v4(src)) {
		assert(ip_addr_is_v4(dst));
		out[0] = 0x45;
		out[1] = tos;
		bytes_put16(out + 2, (uint16_t)(IP4_HEADER_MIN + upper_len));
		bytes_put16(out + 4, id);
		bytes_put16(out + 6, IP4_DF);
		out[8] = DEFAULT_TTL;
		out[9] = protocol;
		bytes_put16(out + 10, 0);
		memcpy(out + 12, ip_addr_v4(src), 4);
		memcpy(out + 16, ip_addr_v4(dst), 4);
		csum_store(out + 10, (uint16_t)~csum_fold(csum_add(0, out, IP4_HEADER_MIN)));
		return IP4_HEADER_MIN;
	}
	assert(!ip_addr_is_v4(dst));
	bytes_put32(out, 6u << 28 | (uint32_t)tos << 20);
	bytes_put16(out + 4, (uint16_t)upper_len);
	out[6] = protocol;
	out[7] = DEFAULT_TTL;
	memcpy(out + 8, src->b, 16);
	memcpy(out + 24, dst->b, 16);
	return IP6_HEADER;
}

size_t packet_build_tcp(uint8_t out[PACKET_HEADER_MAX], const struct flow_tuple *tuple,
			const struct tcp_header *tcp, const uint8_t *options,
			size_t opt_len, size_t payload_len, uint8_t ecn, uint16_t id,
			size_t *ip_len)
{
	size_t tcp_len = TCP_HEADER_MIN + opt_len + payload_len;
	uint8_t *p;

	assert(opt_len <= TCP_OPTIONS_MAX && opt_len % 4 == 0);
	assert(payload_len <= PACKET_MAX);

	*ip_len = ip_build(out, &tuple->src.addr, &tuple->dst.addr, PROTO_TCP, tcp_len,
			   ecn & 3, id);
	assert(*ip_len + tcp_len <= PACKET_MAX);
	p = out + *ip_len;
	tcp_header_build(p, tcp, opt_len);
	if (opt_len)
		memcpy(p + TCP_HEADER_MIN, options, opt_len);
	csum_store(p + 16, csum_fold(csum_pseudo(&tuple->src.addr, &tuple->dst.addr,
						 PROTO_TCP, (uint32_t)tcp_len)));
	return *ip_len + TCP_HEADER_MIN + opt_len;
}

void packet_finish_checksum(uint8_t *headers, size_t headers_len, size_t ip_len,
			    uint64_t payload_sum)
{
	/* The field holds the pseudo-header's sum, and so is summed with the rest. */
	payload_sum = csum_add(payload_sum, headers + ip_len, headers_len - ip_len);
	csum_store(headers + ip_len + 16, (uint16_t)~csum_fold(payload_sum));
}

/* An address that an error may come from and be sent to (RFC 1122, section 3.2.2). */
static bool is_unicast(const struct ip_addr *a)
{
	static const struct ip_addr unspecified;

	/* This net, multicast, reserved and broadcast have no place in a TCP flow. */
	if (ip_addr_is_v4(a))
		return ip_addr_v4(a)[0] != 0 && ip_addr_v4(a)[0] < 224;
	return a->b[0] != 0xff && memcmp(a, &unspecified, sizeof(*a)) != 0;
}

int packet_build_unreachable(uint8_t *out, const uint8_t *orig, size_t orig_len,
			     enum icmp_error code)
{
	/* Of enum icmp_error: the codes of ICMP type 3 and of ICMPv6 type 1. */
	static const uint8_t codes[][2] = {
		[ICMP_ERROR_NET_UNREACHABLE] = { 0, 0 },
		[ICMP_ERROR_HOST_UNREACHABLE] = { 1, 3 },
		[ICMP_ERROR_ADMIN_PROHIBITED] = { 13, 1 },
		[ICMP_ERROR_PORT_UNREACHABLE] = { 3, 4 },
	};
	const struct ip_addr *from, *to;
	size_t quote, max, ip_len;
	struct packet p;
	uint64_t sum = 0;
	uint8_t *icmp;
	bool v6;

	if ((size_t)code >= sizeof(codes) / sizeof(codes[0]))
		return -EINVAL;
	if (packet_parse(orig, orig_len, &p) || p.kind != PACKET_TCP || p.truncated)
		return -EINVAL;
	from = &p.tuple.dst.addr;
	to = &p.tuple.src.addr;
	if (!is_unicast(from) || !is_unicast(to))
		return -EINVAL;

	v6 = !ip_addr_is_v4(to);
	quote = (size_t)(p.tcp_start - orig) + p.tcp_len;
	max = v6 ? ICMP6_ERROR_MAX - IP6_HEADER - ICMP_HEADER
		 : ICMP4_ERROR_MAX - IP4_HEADER_MIN - ICMP_HEADER;
	if (quote > max)
		quote = max;
	/* Extension headers without end: what is left would tell nobody anything. */
	if (quote < (size_t)(p.tcp_start - orig) + 8)
		return -EINVAL;

	/* IPv4 errors have the precedence of network control (RFC 1812, 4.3.2.5). */
	ip_len = ip_build(out, from, to, v6 ? PROTO_ICMPV6 : PROTO_ICMP,
			  ICMP_HEADER + quote, v6 ? 0 : 0xc0, 0);
	icmp = out + ip_len;
	icmp[0] = v6 ? ICMP6_UNREACH : ICMP_UNREACH;
	icmp[1] = codes[code][v6];
	memset(icmp + 2, 0, 6);
	memcpy(icmp + ICMP_HEADER, orig, quote);
	if (v6)
		sum = csum_pseudo(from, to, PROTO_ICMPV6, (uint32_t)(ICMP_HEADER + quote));
	sum = csum_add(sum, icmp, ICMP_HEADER + quote);
	csum_store(icmp + 2, (uint16_t)~csum_fold(sum));
	return (int)(ip_len + ICMP_HEADER + quote);
}
