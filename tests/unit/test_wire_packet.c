/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wire/packet: both families, extension headers, fragments, cut packets, ICMP
 * errors, and what the builders make, parsed again.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "wire/checksum.h"
#include "wire/describe.h"
#include "wire/packet.h"

static struct packet pkt;

/* Parses a copy in a block of its own size, so that a sanitizer sees reads past it. */
static int parse(const uint8_t *data, size_t len)
{
	static uint8_t *copy;

	free(copy);
	copy = malloc(len ? len : 1);
	if (len)
		memcpy(copy, data, len);
	memset(&pkt, 0xa5, sizeof(pkt));
	return packet_parse(copy, len, &pkt);
}

static struct flow_tuple tuple_of(bool v6)
{
	struct flow_tuple t;

	ck_assert(!ip_endpoint_parse(v6 ? "[2001:db8::1]:40000" : "192.0.2.1:40000", &t.src));
	ck_assert(!ip_endpoint_parse(v6 ? "[2001:db8:1::2]:443" : "198.51.100.2:443",
				     &t.dst));
	return t;
}

/* A whole packet with a good checksum; returns its length. */
static size_t build(uint8_t *out, bool v6, size_t payload_len)
{
	const uint8_t opts[] = { 1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2 };
	struct tcp_header h = { .src_port = 40000, .dst_port = 443, .seq = 0x01020304,
				.ack = 0x05060708, .flags = TCP_ACK | TCP_PSH,
				.window = 1000 };
	struct flow_tuple t = tuple_of(v6);
	size_t ip_len, n;

	n = packet_build_tcp(out, &t, &h, opts, sizeof(opts), payload_len, 2, 0x1234, &ip_len);
	ck_assert_uint_eq(ip_len, v6 ? 40 : 20);
	ck_assert_uint_eq(n, ip_len + 32);
	for (size_t i = 0; i < payload_len; i++)
		out[n + i] = (uint8_t)(i * 7);
	packet_finish_checksum(out, n, ip_len, csum_add(0, out + n, payload_len));
	return n + payload_len;
}

static void check_tcp(bool v6, size_t payload_len)
{
	struct flow_tuple t = tuple_of(v6);

	ck_assert_int_eq(pkt.kind, PACKET_TCP);
	ck_assert(flow_tuple_equal(&pkt.tuple, &t));
	ck_assert_uint_eq(pkt.ecn, 2);
	ck_assert_uint_eq(pkt.ttl, 64);
	ck_assert_uint_eq(pkt.tcp.seq, 0x01020304);
	ck_assert_uint_eq(pkt.tcp.ack, 0x05060708);
	ck_assert_uint_eq(pkt.tcp.flags, TCP_ACK | TCP_PSH);
	ck_assert(pkt.tcp.opt.has_ts);
	ck_assert_uint_eq(pkt.payload_len, payload_len);
	ck_assert_uint_eq(pkt.tcp_len, payload_len + 32);
	ck_assert_ptr_eq(pkt.tcp_start + 32, pkt.payload);
	for (size_t i = 0; i < payload_len; i++)
		ck_assert_uint_eq(pkt.payload[i], (uint8_t)(i * 7));
	ck_assert(packet_checksum_ok(&pkt));
}

START_TEST(round_trip)
{
	static const size_t sizes[] = { 0, 1, 2, 3, 1400, 1401, 65000 };
	static uint8_t data[65600];

	for (int v6 = 0; v6 < 2; v6++)
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			size_t len = build(data, v6, sizes[i]);

			ck_assert_int_eq(parse(data, len), 0);
			check_tcp(v6, sizes[i]);
			data[len - 1] ^= 0x10;
			ck_assert_int_eq(parse(data, len), 0);
			ck_assert(!packet_checksum_ok(&pkt));
			data[len - 1] ^= 0x10;
			/* Addresses are covered, too. */
			data[v6 ? 23 : 15] ^= 1;
			ck_assert_int_eq(parse(data, len), 0);
			ck_assert(!packet_checksum_ok(&pkt));
		}
}
END_TEST

START_TEST(exact_headers)
{
	/* Both made independently. */
	const uint8_t v4[] = {
		0x45, 0x01, 0x00, 0x28, 0x12, 0x34, 0x40, 0x00, 0x40, 0x06, 0x3c, 0x64,
		192, 0, 2, 1, 198, 51, 100, 2 };
	const uint8_t v6[] = {
		0x60, 0x10, 0x00, 0x00, 0x00, 0x14, 0x06, 0x40,
		0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
		0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2 };
	struct tcp_header h = { .src_port = 40000, .dst_port = 443, .flags = TCP_RST,
				.checksum = 0x7777 };
	uint8_t out[PACKET_HEADER_MAX];
	struct flow_tuple t = tuple_of(false);
	size_t ip_len;

	ck_assert_uint_eq(packet_build_tcp(out, &t, &h, NULL, 0, 0, 1, 0x1234, &ip_len), 40);
	ck_assert_mem_eq(out, v4, 20);
	ck_assert_uint_eq(csum_fold(csum_add(0, out, 20)), 0xffff);
	t = tuple_of(true);
	ck_assert_uint_eq(packet_build_tcp(out, &t, &h, NULL, 0, 0, 1, 0x1234, &ip_len), 60);
	ck_assert_mem_eq(out, v6, 40);
}
END_TEST

START_TEST(offload_checksum)
{
	/* What a device does that is given the pseudo-header's sum in the field. */
	for (int v6 = 0; v6 < 2; v6++) {
		struct tcp_header h = { .src_port = 40000, .dst_port = 443 };
		struct flow_tuple t = tuple_of(v6);
		uint8_t out[200];
		size_t ip_len, n;

		n = packet_build_tcp(out, &t, &h, NULL, 0, 99, 0, 0, &ip_len);
		memset(out + n, 'z', 99);
		csum_store(out + ip_len + 16,
			   (uint16_t)~csum_fold(csum_add(0, out + ip_len, 20 + 99)));
		ck_assert_int_eq(parse(out, n + 99), 0);
		ck_assert(packet_checksum_ok(&pkt));
	}
}
END_TEST

START_TEST(cut_and_trailing)
{
	for (int v6 = 0; v6 < 2; v6++) {
		uint8_t data[300];
		size_t len = build(data, v6, 100);

		for (size_t cut = 0; cut < len; cut++) {
			if (cut < len - 100) {
				ck_assert_int_eq(parse(data, cut),
						 cut < (v6 ? 40 : 20) ? -EINVAL : -EMSGSIZE);
				continue;
			}
			ck_assert_int_eq(parse(data, cut), 0);
			ck_assert_int_eq(pkt.kind, PACKET_TCP);
			ck_assert(pkt.truncated);
			ck_assert_uint_eq(pkt.payload_len, cut - (len - 100));
		}
		/* A FIN comes after the bytes that are missing. */
		data[(v6 ? 40 : 20) + 13] |= TCP_FIN;
		ck_assert_int_eq(parse(data, len), 0);
		ck_assert(!pkt.truncated && (pkt.tcp.flags & TCP_FIN));
		ck_assert_int_eq(parse(data, len - 1), 0);
		ck_assert(pkt.truncated && !(pkt.tcp.flags & TCP_FIN));
		len = build(data, v6, 100);
		memset(data + len, 0xff, sizeof(data) - len);
		ck_assert_int_eq(parse(data, sizeof(data)), 0);
		check_tcp(v6, 100);
		/* An IP length that cuts the TCP header. */
		for (size_t tcp_len = 1; tcp_len < 32; tcp_len++) {
			data[v6 ? 4 : 2] = 0;
			data[v6 ? 5 : 3] = (uint8_t)(tcp_len + (v6 ? 0 : 20));
			ck_assert_int_eq(parse(data, sizeof(data)), -EINVAL);
		}
	}
}
END_TEST

START_TEST(malformed_v4)
{
	uint8_t data[300];
	size_t len = build(data, false, 10);

	for (unsigned int version = 0; version < 16; version++) {
		data[0] = (uint8_t)(version << 4 | 5);
		if (version != 4 && version != 6)
			ck_assert_int_eq(parse(data, len), -EINVAL);
	}
	for (uint8_t words = 0; words < 5; words++) {
		data[0] = 0x40 | words;
		ck_assert_int_eq(parse(data, len), -EINVAL);
	}
	data[0] = 0x45;
	for (uint8_t total = 0; total < 20; total++) {
		data[3] = total;
		ck_assert_int_eq(parse(data, len), -EINVAL);
	}
	/* Header longer than the packet. */
	data[0] = 0x4f;
	data[3] = 59;
	ck_assert_int_eq(parse(data, len), -EINVAL);
}
END_TEST

START_TEST(v4_options)
{
	uint8_t data[300], with[320];
	size_t len = build(data, false, 10);

	memcpy(with, data, 20);
	memset(with + 20, 1, 8);
	memcpy(with + 28, data + 20, len - 20);
	with[0] = 0x47;
	with[3] = (uint8_t)(len + 8);
	ck_assert_int_eq(parse(with, len + 8), 0);
	check_tcp(false, 10);
}
END_TEST

START_TEST(v4_fragments_and_others)
{
	uint8_t data[300];
	size_t len = build(data, false, 10);

	static const uint8_t frags[][2] = { { 0x20, 0 }, { 0, 1 }, { 0x20, 1 }, { 0x1f, 0xff } };
	for (size_t i = 0; i < 4; i++) {
		data[6] = frags[i][0];
		data[7] = frags[i][1];
		ck_assert_int_eq(parse(data, len), 0);
		ck_assert_int_eq(pkt.kind, PACKET_OTHER);
		ck_assert_uint_eq(pkt.tuple.src.port, 0);
	}
	data[6] = data[7] = 0;
	ck_assert_int_eq(parse(data, len), 0);
	ck_assert_int_eq(pkt.kind, PACKET_TCP);
	for (unsigned int proto = 0; proto < 256; proto++) {
		data[9] = (uint8_t)proto;
		ck_assert_int_eq(parse(data, len), 0);
		ck_assert_int_eq(pkt.kind, proto == 6 ? PACKET_TCP : PACKET_OTHER);
	}
}
END_TEST

/* The packet of build() with `ext` between its headers. */
static size_t with_ext(uint8_t *out, uint8_t first, const uint8_t *ext, size_t ext_len)
{
	size_t len = build(out, true, 10);

	memmove(out + 40 + ext_len, out + 40, len - 40);
	memcpy(out + 40, ext, ext_len);
	out[6] = first;
	out[5] = (uint8_t)(len - 40 + ext_len);
	return len + ext_len;
}

START_TEST(v6_extension_headers)
{
	/* Hop-by-hop (8), routing with nothing left (24), destination options (16),
	 * atomic fragment (8). */
	const uint8_t ext[56] = { 43, 0, 1, 4, [8] = 60, 2, 4, 0, [32] = 44, 1,
				  [48] = 6, 0, 0, 0, 1, 2, 3, 4 };
	uint8_t data[300];
	size_t len = with_ext(data, 0, ext, sizeof(ext));

	ck_assert_int_eq(parse(data, len), 0);
	check_tcp(true, 10);

	/* The IPv6 length ends within the headers. */
	for (uint8_t rest = 1; rest < 56 + 32; rest++) {
		data[5] = rest;
		ck_assert_int_eq(parse(data, len), -EINVAL);
	}

	/* A routing header with a segment left: not there yet. */
	len = with_ext(data, 0, ext, sizeof(ext));
	data[40 + 8 + 3] = 1;
	ck_assert_int_eq(parse(data, len), 0);
	ck_assert_int_eq(pkt.kind, PACKET_OTHER);

	/* Fragments. */
	static const uint8_t frags[][2] = { { 0, 1 }, { 0, 8 }, { 0, 9 }, { 0xff, 0xf8 } };
	for (size_t i = 0; i < 4; i++) {
		len = with_ext(data, 0, ext, sizeof(ext));
		memcpy(data + 40 + 48 + 2, frags[i], 2);
		ck_assert_int_eq(parse(data, len), 0);
		ck_assert_int_eq(pkt.kind, PACKET_OTHER);
	}
	/* Reserved bits do not make a fragment. */
	data[40 + 48 + 2] = 0;
	data[40 + 48 + 3] = 6;
	ck_assert_int_eq(parse(data, len), 0);
	check_tcp(true, 10);

	/* Headers that are not known here: AH, ESP, none, mobility, and reserved. */
	static const uint8_t others[] = { 51, 50, 59, 135, 17, 1, 255 };
	for (size_t i = 0; i < sizeof(others); i++) {
		len = with_ext(data, others[i], ext, sizeof(ext));
		ck_assert_int_eq(parse(data, len), 0);
		ck_assert_int_eq(pkt.kind, PACKET_OTHER);
	}
}
END_TEST

START_TEST(v6_jumbo_and_mapped)
{
	uint8_t data[300];
	size_t len = build(data, true, 10);

	data[4] = data[5] = 0;
	ck_assert_int_eq(parse(data, len), 0);
	ck_assert_int_eq(pkt.kind, PACKET_OTHER);

	for (int at = 8; at <= 24; at += 16) {
		const uint8_t mapped[16] = { [10] = 0xff, 0xff, 192, 0, 2, 1 };

		len = build(data, true, 10);
		memcpy(data + at, mapped, 16);
		ck_assert_int_eq(parse(data, len), 0);
		ck_assert_int_eq(pkt.kind, PACKET_OTHER);
	}
}
END_TEST

/* ---- ICMP ------------------------------------------------------------------- */

/* An ICMP message about `quote`, from 203.0.113.9 or 2001:db8:9::9 to the source. */
static size_t build_icmp(uint8_t *out, bool v6, uint8_t type, uint8_t code, uint32_t word,
			 const uint8_t *quote, size_t quote_len)
{
	const uint8_t router4[] = { 203, 0, 113, 9 };
	const uint8_t router6[16] = { 0x20, 1, 0x0d, 0xb8, 0, 9, [15] = 9 };
	size_t ip_len = v6 ? 40 : 20, len = 8 + quote_len;
	struct flow_tuple t = tuple_of(v6);
	uint8_t *icmp = out + ip_len;
	struct ip_addr router;
	uint64_t sum = 0;

	memset(out, 0, ip_len + 8);
	if (v6) {
		out[0] = 0x60;
		out[4] = (uint8_t)(len >> 8);
		out[5] = (uint8_t)len;
		out[6] = 58;
		memcpy(out + 8, router6, 16);
		memcpy(out + 24, t.src.addr.b, 16);
		ip_addr_from_v6(&router, router6);
		sum = csum_pseudo(&router, &t.src.addr, 58, (uint32_t)len);
	} else {
		out[0] = 0x45;
		out[2] = (uint8_t)((len + 20) >> 8);
		out[3] = (uint8_t)(len + 20);
		out[9] = 1;
		memcpy(out + 12, router4, 4);
		memcpy(out + 16, ip_addr_v4(&t.src.addr), 4);
	}
	icmp[0] = type;
	icmp[1] = code;
	icmp[4] = (uint8_t)(word >> 24);
	icmp[5] = (uint8_t)(word >> 16);
	icmp[6] = (uint8_t)(word >> 8);
	icmp[7] = (uint8_t)word;
	memcpy(icmp + 8, quote, quote_len);
	csum_store(icmp + 2, (uint16_t)~csum_fold(csum_add(sum, icmp, len)));
	return ip_len + len;
}

static void check_icmp(bool v6, enum icmp_error error)
{
	struct flow_tuple t = tuple_of(v6);

	ck_assert_int_eq(pkt.kind, PACKET_ICMP_ERROR);
	ck_assert(flow_tuple_equal(&pkt.tuple, &t));
	ck_assert_int_eq(pkt.icmp_error, error);
	ck_assert_uint_eq(pkt.icmp_seq, 0x01020304);
}

START_TEST(icmp_types)
{
	/* Type and code of what is known; all others of the type are OTHER. */
	static const struct {
		uint8_t v6, type, code;
		enum icmp_error error;
	} known[] = {
		{ 0, 3, 0, ICMP_ERROR_NET_UNREACHABLE }, { 0, 3, 6, ICMP_ERROR_NET_UNREACHABLE },
		{ 0, 3, 11, ICMP_ERROR_NET_UNREACHABLE },
		{ 0, 3, 1, ICMP_ERROR_HOST_UNREACHABLE },
		{ 0, 3, 7, ICMP_ERROR_HOST_UNREACHABLE },
		{ 0, 3, 8, ICMP_ERROR_HOST_UNREACHABLE },
		{ 0, 3, 12, ICMP_ERROR_HOST_UNREACHABLE },
		{ 0, 3, 3, ICMP_ERROR_PORT_UNREACHABLE }, { 0, 3, 4, ICMP_ERROR_TOO_BIG },
		{ 0, 3, 9, ICMP_ERROR_ADMIN_PROHIBITED },
		{ 0, 3, 10, ICMP_ERROR_ADMIN_PROHIBITED },
		{ 0, 3, 13, ICMP_ERROR_ADMIN_PROHIBITED },
		{ 1, 1, 0, ICMP_ERROR_NET_UNREACHABLE },
		{ 1, 1, 1, ICMP_ERROR_ADMIN_PROHIBITED },
		{ 1, 1, 2, ICMP_ERROR_HOST_UNREACHABLE },
		{ 1, 1, 3, ICMP_ERROR_HOST_UNREACHABLE },
		{ 1, 1, 4, ICMP_ERROR_PORT_UNREACHABLE },
		{ 1, 1, 5, ICMP_ERROR_ADMIN_PROHIBITED },
		{ 1, 1, 6, ICMP_ERROR_ADMIN_PROHIBITED },
	};

	for (int v6 = 0; v6 < 2; v6++) {
		uint8_t orig[200], data[400];
		size_t orig_len = build(orig, v6, 20);

		for (unsigned int type = 0; type < 256; type++)
			for (unsigned int code = 0; code < 20; code++) {
				enum icmp_error want = ICMP_ERROR_OTHER;
				size_t len = build_icmp(data, v6, (uint8_t)type, (uint8_t)code,
							1280, orig, orig_len);

				ck_assert_int_eq(parse(data, len), 0);
				if (v6 ? type < 1 || type > 4 : type != 3 && type != 11) {
					ck_assert_int_eq(pkt.kind, PACKET_OTHER);
					continue;
				}
				for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
					if (known[i].v6 == v6 && known[i].type == type &&
					    known[i].code == code)
						want = known[i].error;
				if (v6 && type == 2)
					want = ICMP_ERROR_TOO_BIG;
				check_icmp(v6, want);
				ck_assert_uint_eq(pkt.icmp_mtu,
						  want == ICMP_ERROR_TOO_BIG ? 1280 : 0);
			}
	}
}
END_TEST

START_TEST(icmp_mtu_width)
{
	uint8_t orig[200], data[400];
	size_t orig_len = build(orig, false, 20), len;

	/* The upper half of the word is no part of IPv4's MTU. */
	len = build_icmp(data, false, 3, 4, 0x12345678, orig, orig_len);
	ck_assert_int_eq(parse(data, len), 0);
	ck_assert_uint_eq(pkt.icmp_mtu, 0x5678);
	orig_len = build(orig, true, 20);
	len = build_icmp(data, true, 2, 0, 0x12345678, orig, orig_len);
	ck_assert_int_eq(parse(data, len), 0);
	ck_assert_uint_eq(pkt.icmp_mtu, 0x12345678);
}
END_TEST

START_TEST(icmp_short_quotes)
{
	for (int v6 = 0; v6 < 2; v6++) {
		uint8_t orig[200], data[400];
		size_t orig_len = build(orig, v6, 20), need = (v6 ? 40 : 20) + 8;

		for (size_t n = 0; n <= orig_len; n++) {
			size_t len = build_icmp(data, v6, v6 ? 1 : 3, 1, 0, orig, n);

			ck_assert_int_eq(parse(data, len), 0);
			if (n >= need)
				check_icmp(v6, v6 ? ICMP_ERROR_ADMIN_PROHIBITED
						  : ICMP_ERROR_HOST_UNREACHABLE);
			else
				ck_assert_int_eq(pkt.kind, PACKET_OTHER);
		}
		/* Not even a whole ICMP header. */
		for (uint8_t n = 1; n < 8; n++) {
			build_icmp(data, v6, v6 ? 1 : 3, 1, 0, orig, orig_len);
			data[v6 ? 4 : 2] = 0;
			data[v6 ? 5 : 3] = (uint8_t)(n + (v6 ? 0 : 20));
			ck_assert_int_eq(parse(data, sizeof(data)), 0);
			ck_assert_int_eq(pkt.kind, PACKET_OTHER);
		}
	}
}
END_TEST

START_TEST(icmp_wrong_checksum)
{
	for (int v6 = 0; v6 < 2; v6++) {
		uint8_t orig[200], data[400];
		size_t orig_len = build(orig, v6, 20);
		size_t len = build_icmp(data, v6, v6 ? 2 : 3, 4, 1400, orig, orig_len);

		data[(v6 ? 40 : 20) + 7] ^= 4;
		ck_assert_int_eq(parse(data, len), 0);
		ck_assert_int_eq(pkt.kind, PACKET_OTHER);
	}
}
END_TEST

START_TEST(icmp_quotes_of_others)
{
	uint8_t orig[200], data[400];
	size_t orig_len, len;

	/* UDP; a later fragment; a first one, which is good; the wrong family. */
	orig_len = build(orig, false, 20);
	orig[9] = 17;
	len = build_icmp(data, false, 3, 1, 0, orig, orig_len);
	ck_assert_int_eq(parse(data, len), 0);
	ck_assert_int_eq(pkt.kind, PACKET_OTHER);
	orig[9] = 6;
	orig[7] = 1;
	len = build_icmp(data, false, 3, 1, 0, orig, orig_len);
	ck_assert_int_eq(parse(data, len), 0);
	ck_assert_int_eq(pkt.kind, PACKET_OTHER);
	orig[6] = 0x20;
	orig[7] = 0;
	len = build_icmp(data, false, 3, 1, 0, orig, orig_len);
	ck_assert_int_eq(parse(data, len), 0);
	check_icmp(false, ICMP_ERROR_HOST_UNREACHABLE);
	orig_len = build(orig, true, 20);
	len = build_icmp(data, false, 3, 1, 0, orig, orig_len);
	ck_assert_int_eq(parse(data, len), 0);
	ck_assert_int_eq(pkt.kind, PACKET_OTHER);

	for (unsigned int frag = 0; frag < 3; frag++) {
		const uint8_t ext[8] = { 6, 0, 0, frag == 0 ? 0 : frag == 1 ? 1 : 8 };

		orig_len = with_ext(orig, 44, ext, 8);
		len = build_icmp(data, true, 1, 3, 0, orig, orig_len);
		ck_assert_int_eq(parse(data, len), 0);
		if (frag < 2)
			check_icmp(true, ICMP_ERROR_HOST_UNREACHABLE);
		else
			ck_assert_int_eq(pkt.kind, PACKET_OTHER);
	}
}
END_TEST

START_TEST(icmp_in_fragments)
{
	uint8_t orig[200], data[400];
	size_t orig_len = build(orig, false, 20);
	size_t len = build_icmp(data, false, 3, 1, 0, orig, orig_len);

	data[6] = 0x20;
	ck_assert_int_eq(parse(data, len), 0);
	ck_assert_int_eq(pkt.kind, PACKET_OTHER);
}
END_TEST

START_TEST(unreachable)
{
	static const enum icmp_error codes[] = {
		ICMP_ERROR_NET_UNREACHABLE, ICMP_ERROR_HOST_UNREACHABLE,
		ICMP_ERROR_ADMIN_PROHIBITED, ICMP_ERROR_PORT_UNREACHABLE };
	static const size_t sizes[] = { 0, 1, 516, 517, 1160, 1161, 60000 };
	static uint8_t orig[65600];

	for (int v6 = 0; v6 < 2; v6++)
		for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++)
			for (size_t i = 0; i < 4; i++) {
				size_t orig_len = build(orig, v6, sizes[s]), ip = v6 ? 40 : 20;
				size_t want = ip + 8 + orig_len, max = v6 ? 1280 : 576;
				uint8_t out[1300];
				int len;

				memset(out, 0xee, sizeof(out));
				/* Bytes past the packet are not quoted. */
				len = packet_build_unreachable(out, orig, orig_len + 3, codes[i]);
				ck_assert_int_eq(len, (int)(want < max ? want : max));
				ck_assert_uint_eq(out[len], 0xee);
				ck_assert_int_eq(parse(out, (size_t)len), 0);
				check_icmp(v6, codes[i]);
				ck_assert_mem_eq(out + ip + 8, orig, (size_t)len - ip - 8);
				/* From the destination to the source. */
				ck_assert_mem_eq(out + (v6 ? 8 : 12), orig + (v6 ? 24 : 16),
						 v6 ? 16 : 4);
				ck_assert_mem_eq(out + (v6 ? 24 : 16), orig + (v6 ? 8 : 12),
						 v6 ? 16 : 4);
				if (!v6)
					ck_assert_uint_eq(csum_fold(csum_add(0, out, 20)), 0xffff);
			}
}
END_TEST

START_TEST(unreachable_refused)
{
	uint8_t orig[300], out[1280], icmp[400];
	size_t len = build(orig, false, 5), icmp_len;

	ck_assert_int_eq(packet_build_unreachable(out, orig, len, ICMP_ERROR_TOO_BIG), -EINVAL);
	ck_assert_int_eq(packet_build_unreachable(out, orig, len, ICMP_ERROR_OTHER), -EINVAL);
	ck_assert_int_eq(packet_build_unreachable(out, orig, len - 1,
						  ICMP_ERROR_HOST_UNREACHABLE), -EINVAL);
	ck_assert_int_eq(packet_build_unreachable(out, orig, 0, ICMP_ERROR_HOST_UNREACHABLE),
			 -EINVAL);
	/* Not about an ICMP error. */
	icmp_len = build_icmp(icmp, false, 3, 1, 0, orig, len);
	ck_assert_int_eq(packet_build_unreachable(out, icmp, icmp_len,
						  ICMP_ERROR_HOST_UNREACHABLE), -EINVAL);
	/* Nor from or to what is no host's address. */
	static const uint8_t bad[] = { 0, 224, 239, 255 };
	for (size_t i = 0; i < sizeof(bad); i++)
		for (int at = 12; at <= 16; at += 4) {
			build(orig, false, 5);
			orig[at] = bad[i];
			ck_assert_int_eq(packet_build_unreachable(out, orig, len,
								  ICMP_ERROR_HOST_UNREACHABLE),
					 -EINVAL);
		}
	for (int at = 8; at <= 24; at += 16) {
		len = build(orig, true, 5);
		orig[at] = 0xff;
		ck_assert_int_eq(packet_build_unreachable(out, orig, len,
							  ICMP_ERROR_HOST_UNREACHABLE), -EINVAL);
		memset(orig + at, 0, 16);
		ck_assert_int_eq(packet_build_unreachable(out, orig, len,
							  ICMP_ERROR_HOST_UNREACHABLE), -EINVAL);
	}
}
END_TEST

START_TEST(described)
{
	const uint8_t opts[] = { 1, 1, 5, 10, 0, 0, 0, 7, 0, 0, 0, 9,
				 30, 4, 0x80, 6,                        /* MP_TCPRST */
				 30, 8, 0x20, 1, 0, 0, 0, 5 };          /* DSS with DATA_ACK */
	struct tcp_header h = { .src_port = 40000, .dst_port = 443, .seq = 1, .ack = 2,
				.flags = TCP_ACK | TCP_RST, .window = 3 };
	struct mptcp_options *m = &pkt.tcp.mptcp;
	struct flow_tuple t = tuple_of(true);
	char text[PACKET_DESCRIBE_MAX];
	uint8_t buf[PACKET_HEADER_MAX];
	size_t ip_len, n;

	n = packet_build_tcp(buf, &t, &h, opts, sizeof(opts), 0, 0, 0, &ip_len);
	ck_assert_int_eq(parse(buf, n), 0);
	ck_assert_str_eq(packet_describe(&pkt, text),
			 "[2001:db8::1]:40000 > [2001:db8:1::2]:443 [R.] seq 1 len 0 ack 2 win 3 "
			 "sack 7-9 dss ack 5 tcprst 6");
	/* The longest of all. */
	memset(pkt.tcp.opt.sack, 0xff, sizeof(pkt.tcp.opt.sack));
	pkt.tcp.opt.sack_count = TCP_SACK_MAX;
	m->present = UINT32_MAX;
	m->capable.has_data_len = m->join.backup = true;
	m->dss.has_ack = m->dss.has_map = m->dss.has_checksum = m->dss.data_fin = true;
	m->dss.data_ack = m->dss.dsn = m->fail.dsn = UINT64_MAX;
	m->dss.ssn = m->join.token = UINT32_MAX;
	m->dss.data_len = m->dss.checksum = m->capable.data_len = UINT16_MAX;
	ck_assert_uint_lt(strlen(packet_describe(&pkt, text)), PACKET_DESCRIBE_MAX - 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("wire/packet");
	TCase *t = tcase_create("packet");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_test(t, round_trip);
	tcase_add_test(t, exact_headers);
	tcase_add_test(t, offload_checksum);
	tcase_add_test(t, cut_and_trailing);
	tcase_add_test(t, malformed_v4);
	tcase_add_test(t, v4_options);
	tcase_add_test(t, v4_fragments_and_others);
	tcase_add_test(t, v6_extension_headers);
	tcase_add_test(t, v6_jumbo_and_mapped);
	tcase_add_test(t, icmp_types);
	tcase_add_test(t, icmp_mtu_width);
	tcase_add_test(t, icmp_short_quotes);
	tcase_add_test(t, icmp_wrong_checksum);
	tcase_add_test(t, icmp_quotes_of_others);
	tcase_add_test(t, icmp_in_fragments);
	tcase_add_test(t, unreachable);
	tcase_add_test(t, unreachable_refused);
	tcase_add_test(t, described);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
