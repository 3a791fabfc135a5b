/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Internet checksum (RFC 1071) over words of 64 bits: 2^16 - 1 divides
 * 2^64 - 1, so a sum with end-around carry may be taken in any width and folded
 * at the end, and in memory order on any machine.  Owns nothing, calls nothing.
 */
#include "wire/checksum.h"

#include <string.h>

#include "wire/bytes.h"

static inline uint64_t load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint64_t add_carry(uint64_t sum, uint64_t v)
{
	sum += v;
	return sum + (sum < v);
}

uint64_t csum_add(uint64_t sum, const void *data, size_t len)
{
	const uint8_t *p = data;

	/*
	 * Halves of 32 bits added into 64-bit lanes: no carry to wait for, so the
	 * lanes run side by side (and in vector registers, where there are any).
	 * Each lane gains below 2^33 a round, so that it cannot overflow within
	 * the 2^30 bytes of one block.
	 */
	while (len >= 64) {
		size_t block = len < (1u << 30) ? len : 1u << 30;
		uint64_t lane[8] = { 0 };

		len -= block;
		for (; block >= 64; block -= 64, p += 64) {
			for (int i = 0; i < 8; i++) {
				uint64_t v = load64(p + i * 8);

				lane[i] += (v & 0xffffffffu) + (v >> 32);
			}
		}
		len += block;
		for (int i = 0; i < 8; i++)
			sum = add_carry(sum, lane[i]);
	}
	for (; len >= 8; len -= 8, p += 8)
		sum = add_carry(sum, load64(p));
	if (len) {
		uint8_t tail[8] = { 0 };

		memcpy(tail, p, len);
		sum = add_carry(sum, load64(tail));
	}
	return sum;
}

uint64_t csum_add_at(uint64_t sum, const void *data, size_t len, size_t offset)
{
	uint16_t piece;

	if (offset % 2 == 0)
		return csum_add(sum, data, len);
	/* RFC 1071, section 2 (B): a sum of swapped bytes is the swapped sum. */
	piece = csum_fold(csum_add(0, data, len));
	return add_carry(sum, (uint16_t)(piece << 8 | piece >> 8));
}

uint16_t csum_fold(uint64_t sum)
{
	sum = (sum & 0xffffffffu) + (sum >> 32);
	sum = (sum & 0xffffffffu) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

void csum_store(uint8_t field[2], uint16_t folded)
{
	memcpy(field, &folded, 2);
}

uint64_t csum_pseudo(const struct ip_addr *src, const struct ip_addr *dst,
		     uint8_t protocol, uint32_t len)
{
	uint8_t tail[8];
	uint64_t sum;

	/*
	 * One form for both families: what the mapped form of an IPv4 address has
	 * in front is ten zeros and 0xffff, which is zero in this arithmetic.
	 */
	bytes_put32(tail, len);
	bytes_put32(tail + 4, protocol);
	sum = csum_add(0, src->b, sizeof(src->b));
	sum = csum_add(sum, dst->b, sizeof(dst->b));
	return csum_add(sum, tail, sizeof(tail));
}
