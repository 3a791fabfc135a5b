/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SipHash-2-4 against the table of its authors: key 00..0f, input 00, 01, 02, ... */
#include "base/hash.h"

#include <string.h>

#include "unit.h"

static const struct hash_key key = { 0x0706050403020100u, 0x0f0e0d0c0b0a0908u };

START_TEST(official_vectors)
{
	/* The first 16 of 64 entries: inputs of 0 to 15 bytes. */
	static const uint64_t vectors[] = {
		0x726fdb47dd0e0e31u, 0x74f839c593dc67fdu, 0x0d6c8009d9a94f5au,
		0x85676696d7fb7e2du, 0xcf2794e0277187b7u, 0x18765564cd99a68du,
		0xcbc9466e58fee3ceu, 0xab0200f58b01d137u, 0x93f5f5799a932462u,
		0x9e0082df0ba9e4b0u, 0x7a5dbbc594ddb9f3u, 0xf4b32f46226bada7u,
		0x751e8fbc860ee5fbu, 0x14ea5627c0843d90u, 0xf723ca908e7af2eeu,
		0xa129ca6149be45e5u,
	};
	uint8_t in[64];

	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)i;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		ck_assert_uint_eq(hash_bytes(&key, in, i), vectors[i]);
	/* The last one: 63 bytes. */
	ck_assert_uint_eq(hash_bytes(&key, in, 63), 0x958a324ceb064572u);
}
END_TEST

START_TEST(any_alignment)
{
	uint8_t buf[80];
	uint64_t want;

	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)(i * 7);
	want = hash_bytes(&key, buf, 36);
	for (size_t shift = 1; shift < 16; shift++) {
		memmove(buf + shift, buf + shift - 1, 36);
		ck_assert_uint_eq(hash_bytes(&key, buf + shift, 36), want);
	}
}
END_TEST

START_TEST(key_and_each_bit_matter)
{
	struct hash_key other = key;
	uint8_t in[36] = { 0 };
	uint64_t want = hash_bytes(&key, in, sizeof(in));

	other.k1 ^= 1;
	ck_assert_uint_ne(hash_bytes(&other, in, sizeof(in)), want);
	for (size_t i = 0; i < sizeof(in) * 8; i++) {
		in[i / 8] ^= (uint8_t)(1u << (i % 8));
		ck_assert_uint_ne(hash_bytes(&key, in, sizeof(in)), want);
		in[i / 8] ^= (uint8_t)(1u << (i % 8));
	}
}
END_TEST

UNIT_MAIN("hash", official_vectors, any_alignment, key_and_each_bit_matter)
