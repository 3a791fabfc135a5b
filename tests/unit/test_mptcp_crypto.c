/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keys, tokens and HMACs against values computed with other software. */
#include "mptcp/internal.h"
#include "unit.h"

#define KEY_A 0x0706050403020100u
#define KEY_B 0x0f0e0d0c0b0a0908u

START_TEST(token_and_idsn)
{
	uint32_t token;
	uint64_t idsn;

	mptcp_key_derive(1, KEY_A, &token, &idsn);
	ck_assert_uint_eq(token, 0x033fc8b9);
	ck_assert_uint_eq(idsn, 0x4c63560d71b8a821u);
	mptcp_key_derive(0, KEY_A, &token, &idsn);
	ck_assert_uint_eq(token, 0x9c62f634);
	ck_assert_uint_eq(idsn, 0x4c2288a54513dd15u);
}
END_TEST

START_TEST(hmac)
{
	static const uint8_t v1[20] = { 0x82, 0x83, 0x57, 0xd4, 0x87, 0x4b, 0xc4, 0x57, 0x23, 0x05,
					0x69, 0xb7, 0xa9, 0x5c, 0xcd, 0xc5, 0x1d, 0x1f, 0x75, 0x3d };
	static const uint8_t v0[20] = { 0x84, 0x0f, 0xf6, 0xaf, 0x9c, 0x21, 0xe1, 0x47, 0xa9, 0x16,
					0x64, 0x12, 0xa4, 0x67, 0x2b, 0x29, 0x3d, 0xca, 0x1b, 0xd2 };
	uint8_t mac[20];

	mptcp_join_mac(1, KEY_A, KEY_B, 0x01020304, 0xa1b2c3d4, mac);
	ck_assert_mem_eq(mac, v1, 20);
	mptcp_join_mac(0, KEY_A, KEY_B, 0x01020304, 0xa1b2c3d4, mac);
	ck_assert_mem_eq(mac, v0, 20);
}
END_TEST

START_TEST(comparison)
{
	uint8_t a[8] = { 1, 2, 3, 4, 5, 6, 7, 8 }, b[8] = { 1, 2, 3, 4, 5, 6, 7, 9 };

	ck_assert(mptcp_mac_equal(a, b, 7));
	ck_assert(!mptcp_mac_equal(a, b, 8));
}
END_TEST

UNIT_MAIN("mptcp_crypto", token_and_idsn, hmac, comparison)
