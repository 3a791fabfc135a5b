/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wire/checksum against a plain byte-wise reference, and known values.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "wire/checksum.h"

static uint8_t buf[70000];

/* RFC 1071 as written: big-endian 16-bit words. */
static uint16_t reference(const uint8_t *p, size_t len, size_t offset)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += (i + offset) % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* As a number, what csum_store() leaves in a field. */
static uint16_t stored(uint64_t sum)
{
	uint8_t f[2];

	csum_store(f, csum_fold(sum));
	return (uint16_t)(f[0] << 8 | f[1]);
}

static void fill(void)
{
	srand(1);
	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)rand();
}

START_TEST(known_values)
{
	/* RFC 1071, section 3. */
	const uint8_t rfc[] = { 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7 };
	/* A well-known IPv4 header: the sum with its checksum in place is 0xffff. */
	uint8_t ip[] = { 0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11,
			 0x00, 0x00, 0xc0, 0xa8, 0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7 };

	ck_assert_uint_eq(stored(csum_add(0, rfc, sizeof(rfc))), 0xddf2);
	ck_assert_uint_eq(stored(csum_add(0, rfc, 0)), 0);
	csum_store(ip + 10, (uint16_t)~csum_fold(csum_add(0, ip, sizeof(ip))));
	ck_assert_uint_eq(ip[10], 0xb8);
	ck_assert_uint_eq(ip[11], 0x61);
	ck_assert_uint_eq(stored(csum_add(0, ip, sizeof(ip))), 0xffff);
}
END_TEST

START_TEST(every_length_and_alignment)
{
	fill();
	for (size_t at = 0; at < 9; at++)
		for (size_t len = 0; len < 300; len++)
			ck_assert_uint_eq(stored(csum_add(0, buf + at, len)),
					  reference(buf + at, len, 0));
	for (size_t len = 65500; len < 65600; len++)
		ck_assert_uint_eq(stored(csum_add(0, buf + 1, len)),
				  reference(buf + 1, len, 0));
}
END_TEST

START_TEST(carries)
{
	memset(buf, 0xff, sizeof(buf));
	for (size_t len = 2; len < 70000; len += 998)
		ck_assert_uint_eq(stored(csum_add(0, buf, len)), reference(buf, len, 0));
	/* A running sum about to overflow: 0xffff is zero. */
	ck_assert_uint_eq(stored(csum_add(UINT64_MAX, buf, 64)), 0xffff);
	ck_assert_uint_eq(stored(UINT64_MAX), 0xffff);
	for (unsigned i = 0; i < 64; i++) {
		uint64_t sum = UINT64_MAX << i;
		uint8_t raw[8];

		memcpy(raw, &sum, 8);
		ck_assert_uint_eq(stored(sum), reference(raw, 8, 0));
		/* The sum and what comes after: as if it were one piece. */
		fill();
		memcpy(buf, raw, 8);
		ck_assert_uint_eq(stored(csum_add(sum, buf + 8, 200)),
				  reference(buf, 208, 0));
	}
}
END_TEST

START_TEST(pieces)
{
	fill();
	for (int round = 0; round < 2000; round++) {
		size_t total = (size_t)rand() % 3000, at = 0;
		uint64_t sum = 0;

		while (at < total) {
			size_t n = 1 + (size_t)rand() % (total - at);

			sum = csum_add_at(sum, buf + 3 + at, n, at);
			at += n;
		}
		ck_assert_uint_eq(stored(sum), reference(buf + 3, total, 0));
	}
	ck_assert_uint_eq(stored(csum_add_at(0, buf, 5, 7)), reference(buf, 5, 7));
}
END_TEST

START_TEST(pseudo_headers)
{
	const uint8_t v4[] = { 192, 0, 2, 1, 198, 51, 100, 7, 0, 6, 0x12, 0x34 };
	uint8_t v6[40] = { 0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 2, 0xff, 0xfe, 3, 4, 5, 6, 7, 8,
			   0xfe, 0x80, [31] = 9, [32] = 0, 1, 0xe2, 0x40, 0, 0, 0, 58 };
	struct ip_addr a, b;

	ip_addr_from_v4(&a, v4);
	ip_addr_from_v4(&b, v4 + 4);
	ck_assert_uint_eq(stored(csum_pseudo(&a, &b, 6, 0x1234)), reference(v4, 12, 0));
	ip_addr_from_v6(&a, v6);
	ip_addr_from_v6(&b, v6 + 16);
	ck_assert_uint_eq(stored(csum_pseudo(&a, &b, 58, 123456)), reference(v6, 40, 0));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("wire/checksum");
	TCase *t = tcase_create("checksum");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_test(t, known_values);
	tcase_add_test(t, every_length_and_alignment);
	tcase_add_test(t, carries);
	tcase_add_test(t, pieces);
	tcase_add_test(t, pseudo_headers);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
