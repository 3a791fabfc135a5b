/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arbitrary bytes as an IP packet.  What is parsed lies within the buffer, is the
 * same with bytes after it, is not there when cut short, and can be built again.
 * Packets that look like ICMP are also tried with a good checksum, which is hard
 * to come by at random.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wire/checksum.h"
#include "wire/packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(x) do { if (!(x)) abort(); } while (0)

static void check_rebuilt(const struct packet *p)
{
	static uint8_t out[PACKET_MAX + 100];
	size_t opt_len = p->tcp_len - p->payload_len - TCP_HEADER_MIN;
	uint8_t headers[PACKET_HEADER_MAX];
	struct packet q;
	size_t ip_len, n;

	/* IPv6 allows for more than is ever built. */
	if (p->tcp_len + 40 > PACKET_MAX)
		return;
	n = packet_build_tcp(headers, &p->tuple, &p->tcp, p->tcp_start + TCP_HEADER_MIN,
			     opt_len, p->payload_len, p->ecn, 1, &ip_len);
	REQUIRE(n == ip_len + TCP_HEADER_MIN + opt_len);
	packet_finish_checksum(headers, n, ip_len, csum_add(0, p->payload, p->payload_len));
	memcpy(out, headers, n);
	memcpy(out + n, p->payload, p->payload_len);

	REQUIRE(packet_parse(out, n + p->payload_len, &q) == 0);
	REQUIRE(q.kind == PACKET_TCP && packet_checksum_ok(&q));
	REQUIRE(flow_tuple_equal(&q.tuple, &p->tuple) && q.ecn == p->ecn);
	REQUIRE(q.payload_len == p->payload_len);
	q.tcp.checksum = p->tcp.checksum;
	/* Both were zeroed first, so that padding is the same, too. */
	REQUIRE(!memcmp(&q.tcp, &p->tcp, sizeof(q.tcp)));
}

static void check_unreachable(const uint8_t *data, size_t size, const struct packet *p)
{
	uint8_t out[1280];
	struct packet q;
	int n;

	n = packet_build_unreachable(out, data, size, ICMP_ERROR_ADMIN_PROHIBITED);
	if (n < 0)
		return;
	REQUIRE(p->kind == PACKET_TCP && n <= (int)sizeof(out));
	REQUIRE(packet_parse(out, (size_t)n, &q) == 0);
	REQUIRE(q.kind == PACKET_ICMP_ERROR && flow_tuple_equal(&q.tuple, &p->tuple));
	REQUIRE(q.icmp_error == ICMP_ERROR_ADMIN_PROHIBITED && q.icmp_seq == p->tcp.seq);
}

static void check(const uint8_t *data, size_t size)
{
	struct packet p, q;
	int ret = packet_parse(data, size, &p);

	REQUIRE(ret == 0 || ret == -EINVAL || ret == -EMSGSIZE);
	if (ret)
		return;
	REQUIRE(p.kind == PACKET_TCP || p.kind == PACKET_ICMP_ERROR || p.kind == PACKET_OTHER);
	REQUIRE(ip_addr_is_v4(&p.tuple.src.addr) == ip_addr_is_v4(&p.tuple.dst.addr) ||
		p.kind == PACKET_OTHER);
	REQUIRE(p.ecn < 4);
	if (p.kind == PACKET_TCP) {
		REQUIRE(p.tcp_start > data && p.tcp_start + p.tcp_len <= data + size);
		REQUIRE(p.payload >= p.tcp_start + TCP_HEADER_MIN);
		REQUIRE(p.payload + p.payload_len == p.tcp_start + p.tcp_len);
		REQUIRE(p.tcp_len <= PACKET_MAX);
		packet_checksum_ok(&p);
		check_rebuilt(&p);
		/* One byte less than what it needs. */
		ret = packet_parse(data, (size_t)(p.payload + p.payload_len - data) - 1, &q);
		REQUIRE(ret == (p.payload_len ? 0 : -EMSGSIZE));
		REQUIRE(ret || (q.truncated && q.payload_len == p.payload_len - 1));
		REQUIRE(ret || !(q.tcp.flags & TCP_FIN));
	} else if (p.kind == PACKET_ICMP_ERROR) {
		REQUIRE(p.icmp_error <= ICMP_ERROR_OTHER);
		REQUIRE(p.icmp_error == ICMP_ERROR_TOO_BIG || p.icmp_mtu == 0);
	}
	check_unreachable(data, size, &p);
}

/* Gives ICMP without extension headers a good checksum.  False: it is none. */
static bool fix_icmp(uint8_t *data, size_t size)
{
	struct ip_addr src, dst;
	size_t at, end;
	uint64_t sum = 0;

	if (size >= 28 && data[0] >> 4 == 4 && data[9] == 1) {
		at = (size_t)(data[0] & 15) * 4;
		end = (size_t)data[2] << 8 | data[3];
		if (end > size || at + 8 > end)
			return false;
	} else if (size >= 48 && data[0] >> 4 == 6 && data[6] == 58) {
		at = 40;
		end = 40 + ((size_t)data[4] << 8 | data[5]);
		if (end > size || at + 8 > end)
			return false;
		ip_addr_from_v6(&src, data + 8);
		ip_addr_from_v6(&dst, data + 24);
		sum = csum_pseudo(&src, &dst, 58, (uint32_t)(end - at));
	} else {
		return false;
	}
	data[at + 2] = data[at + 3] = 0;
	csum_store(data + at + 2, (uint16_t)~csum_fold(csum_add(sum, data + at, end - at)));
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy;

	check(data, size);
	copy = malloc(size ? size : 1);
	REQUIRE(copy);
	if (size)
		memcpy(copy, data, size);
	if (fix_icmp(copy, size))
		check(copy, size);
	free(copy);
	return 0;
}
