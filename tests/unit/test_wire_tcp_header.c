/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wire/tcp_header: fixed fields, each option, malformed lists, and the layout of
 * what is built.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "wire/tcp_header.h"

/* A header with the given options; the list must be a multiple of four long. */
static int parse_with(uint8_t flags, const uint8_t *opts, size_t n, struct tcp_header *h)
{
	uint8_t *data = calloc(1, 20 + n);
	int ret;

	ck_assert_uint_eq(n % 4, 0);
	data[12] = (uint8_t)((20 + n) / 4 << 4);
	data[13] = flags;
	if (n)
		memcpy(data + 20, opts, n);
	ret = tcp_header_parse(data, 20 + n, h);
	free(data);
	return ret;
}
#define PARSE(flags, h, ...) \
	parse_with(flags, (const uint8_t[]){ __VA_ARGS__ }, \
		   sizeof((const uint8_t[]){ __VA_ARGS__ }), h)

START_TEST(fixed_fields)
{
	const uint8_t data[] = { 0x30, 0x39, 0x01, 0xbb, 0xde, 0xad, 0xbe, 0xef,
				 0x01, 0x02, 0x03, 0x04, 0x50, 0xd9, 0xff, 0xfe,
				 0x12, 0x34, 0x56, 0x78, 'x' };
	struct tcp_header h;
	uint8_t csum[2], out[20], want[20];

	ck_assert_int_eq(tcp_header_parse(data, sizeof(data), &h), 20);
	ck_assert_uint_eq(h.src_port, 12345);
	ck_assert_uint_eq(h.dst_port, 443);
	ck_assert_uint_eq(h.seq, 0xdeadbeef);
	ck_assert_uint_eq(h.ack, 0x01020304);
	ck_assert_uint_eq(h.flags, TCP_CWR | TCP_ECE | TCP_ACK | TCP_PSH | TCP_FIN);
	ck_assert_uint_eq(h.window, 0xfffe);
	ck_assert_uint_eq(h.urgent, 0x5678);
	memcpy(csum, &h.checksum, 2);
	ck_assert_mem_eq(csum, data + 16, 2);
	ck_assert_uint_eq(h.mptcp.present, 0);
	ck_assert(!h.opt.has_mss && !h.opt.has_wscale && !h.opt.has_ts &&
		  !h.opt.sack_permitted && !h.opt.sack_count);

	tcp_header_build(out, &h, 0);
	memcpy(want, data, 20);
	want[16] = want[17] = 0;
	ck_assert_mem_eq(out, want, 20);
	tcp_header_build(out, &h, 40);
	ck_assert_uint_eq(out[12], 0xf0);
}
END_TEST

START_TEST(truncated)
{
	uint8_t full[60] = { [12] = 0xf0, [13] = TCP_SYN };
	struct tcp_header h;

	memset(full + 20, 1, 40);
	for (size_t len = 0; len < 60; len++) {
		uint8_t *data = malloc(len ? len : 1);

		memcpy(data, full, len);
		ck_assert_int_eq(tcp_header_parse(data, len, &h), -EINVAL);
		free(data);
	}
	ck_assert_int_eq(tcp_header_parse(full, 60, &h), 60);
	for (unsigned int words = 0; words < 5; words++) {
		full[12] = (uint8_t)(words << 4);
		ck_assert_int_eq(tcp_header_parse(full, 60, &h), -EINVAL);
	}
}
END_TEST

START_TEST(syn_options)
{
	struct tcp_header h;

	ck_assert_int_eq(PARSE(TCP_SYN, &h, 2, 4, 0x05, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 5, 6,
			       7, 8, 1, 3, 3, 7), 40);
	ck_assert(h.opt.has_mss && h.opt.has_ts && h.opt.sack_permitted && h.opt.has_wscale);
	ck_assert_uint_eq(h.opt.mss, 1460);
	ck_assert_uint_eq(h.opt.ts_val, 0x01020304);
	ck_assert_uint_eq(h.opt.ts_ecr, 0x05060708);
	ck_assert_uint_eq(h.opt.wscale, 7);
	/* Without SYN only the timestamps mean something. */
	ck_assert_int_eq(PARSE(TCP_ACK, &h, 2, 4, 0x05, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 5, 6,
			       7, 8, 1, 3, 3, 7), 40);
	ck_assert(!h.opt.has_mss && h.opt.has_ts && !h.opt.sack_permitted &&
		  !h.opt.has_wscale);
}
END_TEST

START_TEST(wscale_is_bounded)
{
	struct tcp_header h;

	ck_assert_int_eq(PARSE(TCP_SYN, &h, 3, 3, 14, 1), 24);
	ck_assert_uint_eq(h.opt.wscale, 14);
	ck_assert_int_eq(PARSE(TCP_SYN, &h, 3, 3, 255, 1), 24);
	ck_assert_uint_eq(h.opt.wscale, 14);
	ck_assert_int_eq(PARSE(TCP_SYN, &h, 3, 3, 0, 1), 24);
	ck_assert(h.opt.has_wscale && h.opt.wscale == 0);
}
END_TEST

START_TEST(sack_blocks)
{
	uint8_t opts[40];
	struct tcp_header h;

	for (unsigned int n = 0; n <= 4; n++) {
		memset(opts, 1, sizeof(opts));
		opts[2] = 5;
		opts[3] = (uint8_t)(2 + 8 * n);
		for (unsigned int i = 0; i < 8 * n; i++)
			opts[4 + i] = (uint8_t)i;
		ck_assert_int_eq(parse_with(TCP_ACK, opts, 40, &h), 60);
		ck_assert_uint_eq(h.opt.sack_count, n);
		for (unsigned int i = 0; i < n; i++) {
			ck_assert_uint_eq(h.opt.sack[i].begin, 0x00010203 + 0x08080808 * i);
			ck_assert_uint_eq(h.opt.sack[i].end, 0x04050607 + 0x08080808 * i);
		}
	}
	/* Not a whole number of blocks. */
	for (uint8_t len = 3; len < 38; len++) {
		memset(opts, 1, sizeof(opts));
		opts[0] = 5;
		opts[1] = len;
		ck_assert_int_eq(parse_with(TCP_ACK, opts, 40, &h), 60);
		ck_assert_uint_eq(h.opt.sack_count, len % 8 == 2 ? len / 8 : 0);
	}
}
END_TEST

START_TEST(wrong_lengths_are_skipped)
{
	static const struct {
		uint8_t kind, good;
	} kinds[] = { { 2, 4 }, { 3, 3 }, { 4, 2 }, { 8, 10 } };

	for (unsigned int k = 0; k < 4; k++)
		for (uint8_t len = 2; len <= 36; len++) {
			uint8_t opts[40];
			struct tcp_header h;

			memset(opts, 1, sizeof(opts));
			opts[0] = kinds[k].kind;
			opts[1] = len;
			/* What follows is found all the same. */
			opts[len] = k ? 2 : 3;
			opts[len + 1] = k ? 4 : 3;
			ck_assert_int_eq(parse_with(TCP_SYN, opts, 40, &h), 60);
			ck_assert_int_eq(h.opt.has_mss, k || len == 4);
			ck_assert_int_eq(h.opt.has_wscale, !k || (k == 1 && len == 3));
			ck_assert_int_eq(h.opt.sack_permitted, k == 2 && len == 2);
			ck_assert_int_eq(h.opt.has_ts, k == 3 && len == 10);
		}
}
END_TEST

START_TEST(malformed_lists)
{
	struct tcp_header h;

	ck_assert_int_eq(PARSE(0, &h, 2, 0, 0, 0), -EINVAL);
	ck_assert_int_eq(PARSE(0, &h, 200, 0, 0, 0), -EINVAL);
	ck_assert_int_eq(PARSE(0, &h, 2, 1, 0, 0), -EINVAL);
	ck_assert_int_eq(PARSE(0, &h, 2, 5, 0, 0), -EINVAL);
	ck_assert_int_eq(PARSE(0, &h, 2, 255, 0, 0), -EINVAL);
	ck_assert_int_eq(PARSE(0, &h, 1, 1, 1, 8), -EINVAL);
	ck_assert_int_eq(PARSE(0, &h, 1, 1, 30, 3), -EINVAL);
	ck_assert_int_eq(PARSE(0, &h, 1, 1, 30, 2), 24);
	ck_assert_int_eq(PARSE(0, &h, 200, 4, 0, 0), 24);
	/* What follows the end of the list is not looked at. */
	ck_assert_int_eq(PARSE(TCP_SYN, &h, 3, 3, 1, 0, 2, 0, 3, 99), 28);
	ck_assert(h.opt.has_wscale && !h.opt.has_mss);
	ck_assert_int_eq(PARSE(TCP_SYN, &h, 0, 2, 4, 1), 24);
	/* A payload after the header does not lend its bytes to options. */
	uint8_t data[64] = { [12] = 0x60, [20] = 1, 1, 2, 4 };
	ck_assert_int_eq(tcp_header_parse(data, sizeof(data), &h), -EINVAL);
}
END_TEST

START_TEST(repeated_first_wins)
{
	struct tcp_header h;

	ck_assert_int_eq(PARSE(TCP_SYN, &h, 2, 4, 0, 1, 2, 4, 0, 2, 3, 3, 1, 3, 3, 2,
			       4, 2), 36);
	ck_assert_uint_eq(h.opt.mss, 1);
	ck_assert_uint_eq(h.opt.wscale, 1);
	ck_assert_int_eq(PARSE(0, &h, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2,
			       8, 10, 0, 0, 0, 3, 0, 0, 0, 4), 40);
	ck_assert_uint_eq(h.opt.ts_val, 1);
	ck_assert_uint_eq(h.opt.ts_ecr, 2);
	ck_assert_int_eq(PARSE(0, &h, 5, 10, 0, 0, 0, 1, 0, 0, 0, 2,
			       5, 10, 0, 0, 0, 3, 0, 0, 0, 4), 40);
	ck_assert_uint_eq(h.opt.sack_count, 1);
	ck_assert_uint_eq(h.opt.sack[0].begin, 1);
}
END_TEST

START_TEST(mptcp_options)
{
	struct tcp_header h;

	ck_assert_int_eq(PARSE(TCP_SYN, &h, 30, 4, 0x01, 0x01), 24);
	ck_assert_uint_eq(h.mptcp.present, MPOPT_CAPABLE);
	/* The flags of the segment get there. */
	ck_assert_int_eq(PARSE(TCP_SYN | TCP_ACK, &h, 30, 4, 0x01, 0x01), 24);
	ck_assert_uint_eq(h.mptcp.present, 0);
	ck_assert_int_eq(PARSE(TCP_ACK, &h, 30, 8, 0x20, 1, 0, 0, 0, 9, 30, 3, 0x51, 30, 8,
			       0x20, 1, 0, 0, 0, 8, 1), 40);
	ck_assert_uint_eq(h.mptcp.present, MPOPT_DSS | MPOPT_PRIO);
	ck_assert_uint_eq(h.mptcp.dss.data_ack, 9);
}
END_TEST

START_TEST(build_layout)
{
	struct tcp_options o = { .has_mss = true, .mss = 1400, .has_wscale = true,
				 .wscale = 9, .has_ts = true, .ts_val = 1, .ts_ecr = 2,
				 .sack_permitted = true };
	const uint8_t syn[] = { 2, 4, 0x05, 0x78, 1, 3, 3, 9, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0,
				0, 2, 30, 4, 1, 1 };
	const uint8_t capable[] = { 30, 4, 1, 1 };
	const uint8_t prio[] = { 30, 3, 0x51 };
	const uint8_t ack[] = { 1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 30, 3, 0x51, 1, 1, 1, 5,
				10, 0, 0, 0, 7, 0, 0, 0, 8 };
	const uint8_t six[] = { 30, 6, 0x20, 0, 0, 9 };
	const uint8_t tight[] = { 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 30, 6, 0x20, 0, 0, 9 };
	const uint8_t perm[] = { 1, 1, 4, 2 };
	uint8_t out[40];

	ck_assert_int_eq(tcp_options_build(out, &o, capable, 4), 24);
	ck_assert_mem_eq(out, syn, 24);
	o = (struct tcp_options){ .has_ts = true, .ts_val = 1, .ts_ecr = 2, .sack_count = 1,
				  .sack = { { 7, 8 } } };
	ck_assert_int_eq(tcp_options_build(out, &o, prio, 3), 28);
	ck_assert_mem_eq(out, ack, 28);
	o.sack_count = 0;
	ck_assert_int_eq(tcp_options_build(out, &o, six, 6), 16);
	ck_assert_mem_eq(out, tight, 16);
	o = (struct tcp_options){ .sack_permitted = true };
	ck_assert_int_eq(tcp_options_build(out, &o, NULL, 0), 4);
	ck_assert_mem_eq(out, perm, 4);
	o = (struct tcp_options){ 0 };
	ck_assert_int_eq(tcp_options_build(out, &o, NULL, 0), 0);
}
END_TEST

/* Every set of plain options with every length of MPTCP options: bounds and order. */
START_TEST(build_all)
{
	for (unsigned int set = 0; set < 16 * 6; set++)
		for (size_t mptcp_len = 0; mptcp_len <= 44; mptcp_len++) {
			struct tcp_options o = { .has_mss = set & 1, .has_wscale = set & 2,
						 .has_ts = set & 4, .sack_permitted = set & 8,
						 .mss = 1460, .wscale = 20, .ts_val = 5,
						 .ts_ecr = 6, .sack_count = (uint8_t)(set / 16) };
			uint8_t mptcp[44], out[48];
			struct tcp_header h;
			size_t need, fit;
			int n;

			if (mptcp_len == 1)     /* no option is that short */
				continue;
			for (unsigned int i = 0; i < 4; i++)
				o.sack[i] = (struct tcp_sack_block){ i, i + 100 };
			memset(mptcp, 0xaa, sizeof(mptcp));
			mptcp[0] = 99;
			mptcp[1] = (uint8_t)mptcp_len;
			memset(out, 0xee, sizeof(out));
			n = tcp_options_build(out, &o, mptcp, mptcp_len);

			need = (mptcp_len + 3) / 4 * 4 + (set & 1 ? 4 : 0) + (set & 2 ? 4 : 0) +
			       (set & 4 ? 12 : set & 8 ? 4 : 0);
			/* Neither is padded where both fill whole words together. */
			if ((set & 12) == 4 && mptcp_len % 4 == 2)
				need -= 4;
			if (need > 40) {
				ck_assert_int_eq(n, -ENOSPC);
				continue;
			}
			fit = 40 - need < 12 ? 0 : (40 - need - 4) / 8;
			if (fit > o.sack_count)
				fit = o.sack_count;
			if (fit > 4)
				fit = 4;
			ck_assert_int_eq(n, (int)(need + (fit ? 4 + 8 * fit : 0)));
			for (int i = n; i < 48; i++)
				ck_assert_uint_eq(out[i], 0xee);

			ck_assert_int_eq(parse_with(TCP_SYN, out, (size_t)n, &h), 20 + n);
			ck_assert_int_eq(h.opt.has_mss, o.has_mss);
			ck_assert_int_eq(h.opt.has_wscale, o.has_wscale);
			ck_assert_int_eq(h.opt.has_ts, o.has_ts);
			ck_assert_int_eq(h.opt.sack_permitted, o.sack_permitted);
			ck_assert_uint_eq(h.opt.sack_count, fit);
			ck_assert(!memcmp(h.opt.sack, o.sack, fit * sizeof(o.sack[0])));
			if (o.has_mss)
				ck_assert_uint_eq(h.opt.mss, 1460);
			if (o.has_wscale)
				ck_assert_uint_eq(h.opt.wscale, 14);
			if (o.has_ts)
				ck_assert(h.opt.ts_val == 5 && h.opt.ts_ecr == 6);
		}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("wire/tcp_header");
	TCase *t = tcase_create("tcp_header");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_test(t, fixed_fields);
	tcase_add_test(t, truncated);
	tcase_add_test(t, syn_options);
	tcase_add_test(t, wscale_is_bounded);
	tcase_add_test(t, sack_blocks);
	tcase_add_test(t, wrong_lengths_are_skipped);
	tcase_add_test(t, malformed_lists);
	tcase_add_test(t, repeated_first_wins);
	tcase_add_test(t, mptcp_options);
	tcase_add_test(t, build_layout);
	tcase_add_test(t, build_all);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
