/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wire/mptcp_option: every form of both versions against bytes written by hand
 * from the RFCs' figures, parsed and built; lengths and flags that fit no form;
 * repeated options.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "wire/checksum.h"
#include "wire/mptcp_option.h"

#define KEY1 0x0102030405060708u
#define KEY2 0x1112131415161718u
#define KEY1_BYTES 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08
#define KEY2_BYTES 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18
#define MAC_BYTES  0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7
#define MAC20_BYTES MAC_BYTES, 0xb0, 0xb1, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xc0, 0xc1, \
	0xc2, 0xc3
#define V6_BYTES   0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x42

enum { SYN = 1, ACK = 2, SYNACK = 3 };

static uint16_t csum_of(uint8_t hi, uint8_t lo)
{
	uint8_t b[2] = { hi, lo };
	uint16_t v;

	memcpy(&v, b, 2);
	return v;
}

/*
 * All forms, each with the packet flags it belongs to.  `want` is what parsing
 * gives; building from that must give the bytes again, except for `no_build`.
 */
struct form {
	const char *name;
	uint8_t bytes[40];
	uint8_t flags;
	uint32_t bit;
	bool any_flags;         /* the form does not depend on them */
	bool no_build;
	uint8_t version;        /* for ADD_ADDR */
	struct mptcp_options want;
};

#define ADDR4 { .b = { [10] = 0xff, 0xff, 192, 0, 2, 33 } }
#define ADDR6 { .b = { V6_BYTES } }

static struct form forms[] = {
	{ "capable v1 syn", { 30, 4, 0x01, 0x81 }, SYN, MPOPT_CAPABLE,
	  .want.capable = { .version = 1, .flags = 0x81 } },
	{ "capable v1 syn/ack", { 30, 12, 0x01, 0x01, KEY1_BYTES }, SYNACK, MPOPT_CAPABLE,
	  .want.capable = { .version = 1, .flags = 0x01, .key_count = 1,
			    .sender_key = KEY1 } },
	{ "capable v1 ack", { 30, 20, 0x01, 0x21, KEY1_BYTES, KEY2_BYTES }, ACK,
	  MPOPT_CAPABLE,
	  .want.capable = { .version = 1, .flags = 0x21, .key_count = 2,
			    .sender_key = KEY1, .receiver_key = KEY2 } },
	{ "capable v1 data", { 30, 22, 0x01, 0x01, KEY1_BYTES, KEY2_BYTES, 0x05, 0xb4 }, ACK,
	  MPOPT_CAPABLE,
	  .want.capable = { .version = 1, .flags = 0x01, .key_count = 2,
			    .sender_key = KEY1, .receiver_key = KEY2,
			    .has_data_len = true, .data_len = 0x5b4 } },
	{ "capable v1 data checksum",
	  { 30, 24, 0x01, 0x81, KEY1_BYTES, KEY2_BYTES, 0x05, 0xb4, 0xde, 0xad }, ACK,
	  MPOPT_CAPABLE,
	  .want.capable = { .version = 1, .flags = 0x81, .key_count = 2,
			    .sender_key = KEY1, .receiver_key = KEY2,
			    .has_data_len = true, .data_len = 0x5b4,
			    .has_checksum = true } },
	{ "capable v0 syn", { 30, 12, 0x00, 0x81, KEY1_BYTES }, SYN, MPOPT_CAPABLE,
	  .want.capable = { .flags = 0x81, .key_count = 1, .sender_key = KEY1 } },
	{ "capable v0 syn/ack", { 30, 12, 0x00, 0x01, KEY1_BYTES }, SYNACK, MPOPT_CAPABLE,
	  .want.capable = { .flags = 0x01, .key_count = 1, .sender_key = KEY1 } },
	{ "capable v0 ack", { 30, 20, 0x00, 0x01, KEY1_BYTES, KEY2_BYTES }, ACK,
	  MPOPT_CAPABLE,
	  .want.capable = { .flags = 0x01, .key_count = 2, .sender_key = KEY1,
			    .receiver_key = KEY2 } },

	{ "join syn", { 30, 12, 0x10, 7, 0xca, 0xfe, 0xba, 0xbe, 0x12, 0x34, 0x56, 0x78 },
	  SYN, MPOPT_JOIN_SYN,
	  .want.join = { .addr_id = 7, .token = 0xcafebabe, .nonce = 0x12345678 } },
	{ "join syn backup",
	  { 30, 12, 0x11, 255, 0xca, 0xfe, 0xba, 0xbe, 0x12, 0x34, 0x56, 0x78 },
	  SYN, MPOPT_JOIN_SYN,
	  .want.join = { .addr_id = 255, .backup = true, .token = 0xcafebabe,
			 .nonce = 0x12345678 } },
	{ "join syn/ack", { 30, 16, 0x11, 9, MAC_BYTES, 0x12, 0x34, 0x56, 0x78 },
	  SYNACK, MPOPT_JOIN_SYNACK,
	  .want.join = { .addr_id = 9, .backup = true, .nonce = 0x12345678,
			 .mac = { MAC_BYTES } } },
	{ "join ack", { 30, 24, 0x10, 0, MAC20_BYTES }, ACK, MPOPT_JOIN_ACK,
	  .want.join = { .mac = { MAC20_BYTES } } },

	{ "dss empty", { 30, 4, 0x20, 0 }, ACK, MPOPT_DSS, .any_flags = true },
	{ "dss ack32", { 30, 8, 0x20, 0x01, 1, 2, 3, 4 }, ACK, MPOPT_DSS, .any_flags = true,
	  .want.dss = { .has_ack = true, .data_ack = 0x01020304 } },
	{ "dss ack64", { 30, 12, 0x20, 0x03, KEY1_BYTES }, ACK, MPOPT_DSS, .any_flags = true,
	  .want.dss = { .has_ack = true, .ack_is64 = true, .data_ack = KEY1 } },
	{ "dss map32", { 30, 14, 0x20, 0x04, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }, ACK, MPOPT_DSS,
	  .any_flags = true,
	  .want.dss = { .has_map = true, .dsn = 0x01020304, .ssn = 0x05060708,
			.data_len = 0x090a } },
	{ "dss map32 checksum", { 30, 16, 0x20, 0x04, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0xde, 0xad },
	  ACK, MPOPT_DSS, .any_flags = true,
	  .want.dss = { .has_map = true, .dsn = 0x01020304, .ssn = 0x05060708,
			.data_len = 0x090a, .has_checksum = true } },
	{ "dss map64", { 30, 18, 0x20, 0x0c, KEY1_BYTES, 5, 6, 7, 8, 9, 10 }, ACK, MPOPT_DSS,
	  .any_flags = true,
	  .want.dss = { .has_map = true, .dsn_is64 = true, .dsn = KEY1, .ssn = 0x05060708,
			.data_len = 0x090a } },
	{ "dss map64 checksum",
	  { 30, 20, 0x20, 0x0c, KEY1_BYTES, 5, 6, 7, 8, 9, 10, 0xde, 0xad }, ACK, MPOPT_DSS,
	  .any_flags = true,
	  .want.dss = { .has_map = true, .dsn_is64 = true, .dsn = KEY1, .ssn = 0x05060708,
			.data_len = 0x090a, .has_checksum = true } },
	{ "dss ack32 map32",
	  { 30, 18, 0x20, 0x05, 0xf1, 0xf2, 0xf3, 0xf4, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 },
	  ACK, MPOPT_DSS, .any_flags = true,
	  .want.dss = { .has_ack = true, .data_ack = 0xf1f2f3f4, .has_map = true,
			.dsn = 0x01020304, .ssn = 0x05060708, .data_len = 0x090a } },
	{ "dss ack32 map32 checksum",
	  { 30, 20, 0x20, 0x05, 0xf1, 0xf2, 0xf3, 0xf4, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
	    0xde, 0xad },
	  ACK, MPOPT_DSS, .any_flags = true,
	  .want.dss = { .has_ack = true, .data_ack = 0xf1f2f3f4, .has_map = true,
			.dsn = 0x01020304, .ssn = 0x05060708, .data_len = 0x090a,
			.has_checksum = true } },
	{ "dss ack64 map32",
	  { 30, 22, 0x20, 0x07, KEY2_BYTES, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 },
	  ACK, MPOPT_DSS, .any_flags = true,
	  .want.dss = { .has_ack = true, .ack_is64 = true, .data_ack = KEY2, .has_map = true,
			.dsn = 0x01020304, .ssn = 0x05060708, .data_len = 0x090a } },
	{ "dss ack64 map32 checksum",
	  { 30, 24, 0x20, 0x07, KEY2_BYTES, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0xde, 0xad },
	  ACK, MPOPT_DSS, .any_flags = true,
	  .want.dss = { .has_ack = true, .ack_is64 = true, .data_ack = KEY2, .has_map = true,
			.dsn = 0x01020304, .ssn = 0x05060708, .data_len = 0x090a,
			.has_checksum = true } },
	{ "dss ack32 map64",
	  { 30, 22, 0x20, 0x0d, 0xf1, 0xf2, 0xf3, 0xf4, KEY1_BYTES, 5, 6, 7, 8, 9, 10 },
	  ACK, MPOPT_DSS, .any_flags = true,
	  .want.dss = { .has_ack = true, .data_ack = 0xf1f2f3f4, .has_map = true,
			.dsn_is64 = true, .dsn = KEY1, .ssn = 0x05060708,
			.data_len = 0x090a } },
	{ "dss ack32 map64 checksum",
	  { 30, 24, 0x20, 0x0d, 0xf1, 0xf2, 0xf3, 0xf4, KEY1_BYTES, 5, 6, 7, 8, 9, 10,
	    0xde, 0xad },
	  ACK, MPOPT_DSS, .any_flags = true,
	  .want.dss = { .has_ack = true, .data_ack = 0xf1f2f3f4, .has_map = true,
			.dsn_is64 = true, .dsn = KEY1, .ssn = 0x05060708,
			.data_len = 0x090a, .has_checksum = true } },
	{ "dss ack64 map64",
	  { 30, 26, 0x20, 0x0f, KEY2_BYTES, KEY1_BYTES, 5, 6, 7, 8, 9, 10 },
	  ACK, MPOPT_DSS, .any_flags = true,
	  .want.dss = { .has_ack = true, .ack_is64 = true, .data_ack = KEY2, .has_map = true,
			.dsn_is64 = true, .dsn = KEY1, .ssn = 0x05060708,
			.data_len = 0x090a } },
	{ "dss data_fin, all 64, checksum",
	  { 30, 28, 0x20, 0x1f, KEY2_BYTES, KEY1_BYTES, 0, 0, 0, 0, 0, 1, 0xde, 0xad },
	  ACK, MPOPT_DSS, .any_flags = true,
	  .want.dss = { .has_ack = true, .ack_is64 = true, .data_ack = KEY2, .has_map = true,
			.dsn_is64 = true, .dsn = KEY1, .data_len = 1, .data_fin = true,
			.has_checksum = true } },
	{ "dss infinite map", { 30, 14, 0x20, 0x04, 1, 2, 3, 4, 0, 0, 0, 9, 0, 0 },
	  ACK, MPOPT_DSS, .any_flags = true,
	  .want.dss = { .has_map = true, .dsn = 0x01020304, .ssn = 9 } },
	/* Width flags without the field that they are about mean nothing. */
	{ "dss stray a, m and F", { 30, 4, 0x20, 0x1a }, ACK, MPOPT_DSS, .any_flags = true,
	  .no_build = true },
	{ "dss reserved bits", { 30, 8, 0x2f, 0xe1, 1, 2, 3, 4 }, ACK, MPOPT_DSS,
	  .any_flags = true, .no_build = true,
	  .want.dss = { .has_ack = true, .data_ack = 0x01020304 } },

	{ "add_addr v1 v4 echo", { 30, 8, 0x31, 5, 192, 0, 2, 33 }, ACK, MPOPT_ADD_ADDR,
	  .any_flags = true, .version = 1,
	  .want.add_addr = { .addr = ADDR4, .addr_id = 5, .echo = true } },
	{ "add_addr v1 v4 port echo", { 30, 10, 0x31, 5, 192, 0, 2, 33, 0x1f, 0x90 }, ACK,
	  MPOPT_ADD_ADDR, .any_flags = true, .version = 1,
	  .want.add_addr = { .addr = ADDR4, .addr_id = 5, .echo = true, .port = 8080 } },
	{ "add_addr v1 v4", { 30, 16, 0x30, 5, 192, 0, 2, 33, MAC_BYTES }, ACK,
	  MPOPT_ADD_ADDR, .any_flags = true, .version = 1,
	  .want.add_addr = { .addr = ADDR4, .addr_id = 5, .has_mac = true,
			     .mac = { MAC_BYTES } } },
	{ "add_addr v1 v4 port", { 30, 18, 0x30, 5, 192, 0, 2, 33, 0x1f, 0x90, MAC_BYTES },
	  ACK, MPOPT_ADD_ADDR, .any_flags = true, .version = 1,
	  .want.add_addr = { .addr = ADDR4, .addr_id = 5, .port = 8080, .has_mac = true,
			     .mac = { MAC_BYTES } } },
	{ "add_addr v1 v6 echo", { 30, 20, 0x31, 6, V6_BYTES }, ACK, MPOPT_ADD_ADDR,
	  .any_flags = true, .version = 1,
	  .want.add_addr = { .addr = ADDR6, .addr_id = 6, .echo = true } },
	{ "add_addr v1 v6 port echo", { 30, 22, 0x31, 6, V6_BYTES, 0x1f, 0x90 }, ACK,
	  MPOPT_ADD_ADDR, .any_flags = true, .version = 1,
	  .want.add_addr = { .addr = ADDR6, .addr_id = 6, .echo = true, .port = 8080 } },
	{ "add_addr v1 v6", { 30, 28, 0x30, 6, V6_BYTES, MAC_BYTES }, ACK, MPOPT_ADD_ADDR,
	  .any_flags = true, .version = 1,
	  .want.add_addr = { .addr = ADDR6, .addr_id = 6, .has_mac = true,
			     .mac = { MAC_BYTES } } },
	{ "add_addr v1 v6 port", { 30, 30, 0x30, 6, V6_BYTES, 0x1f, 0x90, MAC_BYTES }, ACK,
	  MPOPT_ADD_ADDR, .any_flags = true, .version = 1,
	  .want.add_addr = { .addr = ADDR6, .addr_id = 6, .port = 8080, .has_mac = true,
			     .mac = { MAC_BYTES } } },
	{ "add_addr v0 v4", { 30, 8, 0x34, 5, 192, 0, 2, 33 }, ACK, MPOPT_ADD_ADDR,
	  .any_flags = true,
	  .want.add_addr = { .addr = ADDR4, .addr_id = 5 } },
	{ "add_addr v0 v4 port", { 30, 10, 0x34, 5, 192, 0, 2, 33, 0x1f, 0x90 }, ACK,
	  MPOPT_ADD_ADDR, .any_flags = true,
	  .want.add_addr = { .addr = ADDR4, .addr_id = 5, .port = 8080 } },
	{ "add_addr v0 v6", { 30, 20, 0x36, 6, V6_BYTES }, ACK, MPOPT_ADD_ADDR,
	  .any_flags = true,
	  .want.add_addr = { .addr = ADDR6, .addr_id = 6 } },
	{ "add_addr v0 v6 port", { 30, 22, 0x36, 6, V6_BYTES, 0x1f, 0x90 }, ACK,
	  MPOPT_ADD_ADDR, .any_flags = true,
	  .want.add_addr = { .addr = ADDR6, .addr_id = 6, .port = 8080 } },

	{ "remove_addr one", { 30, 4, 0x40, 3 }, ACK, MPOPT_REMOVE_ADDR, .any_flags = true,
	  .want.remove_addr = { .count = 1, .ids = { 3 } } },
	{ "remove_addr five", { 30, 8, 0x40, 3, 1, 4, 1, 5 }, ACK, MPOPT_REMOVE_ADDR,
	  .any_flags = true,
	  .want.remove_addr = { .count = 5, .ids = { 3, 1, 4, 1, 5 } } },

	{ "prio", { 30, 3, 0x50 }, ACK, MPOPT_PRIO, .any_flags = true },
	{ "prio backup", { 30, 3, 0x51 }, ACK, MPOPT_PRIO, .any_flags = true,
	  .want.prio = { .backup = true } },
	{ "prio v0 with id", { 30, 4, 0x51, 8 }, ACK, MPOPT_PRIO, .any_flags = true,
	  .no_build = true,
	  .want.prio = { .backup = true, .has_addr_id = true, .addr_id = 8 } },
	{ "fail", { 30, 12, 0x60, 0, KEY1_BYTES }, ACK, MPOPT_FAIL, .any_flags = true,
	  .want.fail.dsn = KEY1 },
	{ "fastclose", { 30, 12, 0x70, 0, KEY2_BYTES }, ACK, MPOPT_FASTCLOSE,
	  .any_flags = true, .want.fastclose.key = KEY2 },
	{ "tcprst", { 30, 4, 0x81, 6 }, ACK, MPOPT_TCPRST, .any_flags = true,
	  .want.tcprst = { .flags = MPTCP_TCPRST_TRANSIENT, .reason = MPTCP_RST_MIDDLEBOX } },
};
#define FORMS (sizeof(forms) / sizeof(forms[0]))

static void setup(void)
{
	for (size_t i = 0; i < FORMS; i++) {
		struct form *f = &forms[i];

		f->want.present = f->bit;
		if (f->want.capable.has_checksum)
			f->want.capable.checksum = csum_of(0xde, 0xad);
		if (f->want.dss.has_checksum)
			f->want.dss.checksum = csum_of(0xde, 0xad);
	}
}

static uint32_t parse(const uint8_t *opt, size_t len, unsigned int flags,
		      struct mptcp_options *o)
{
	return mptcp_option_parse(opt, len, flags & SYN, flags & ACK, o);
}

static bool same(const struct mptcp_options *a, const struct mptcp_options *b)
{
#define SAME(f) (a->f == b->f)
	return SAME(present) && SAME(capable.version) && SAME(capable.flags) &&
	       SAME(capable.key_count) && SAME(capable.has_data_len) &&
	       SAME(capable.has_checksum) && SAME(capable.sender_key) &&
	       SAME(capable.receiver_key) && SAME(capable.data_len) &&
	       SAME(capable.checksum) && SAME(join.addr_id) && SAME(join.backup) &&
	       SAME(join.token) && SAME(join.nonce) &&
	       !memcmp(a->join.mac, b->join.mac, sizeof(a->join.mac)) &&
	       SAME(dss.has_ack) && SAME(dss.ack_is64) && SAME(dss.has_map) &&
	       SAME(dss.dsn_is64) && SAME(dss.has_checksum) && SAME(dss.data_fin) &&
	       SAME(dss.data_ack) && SAME(dss.dsn) && SAME(dss.ssn) && SAME(dss.data_len) &&
	       SAME(dss.checksum) && ip_addr_equal(&a->add_addr.addr, &b->add_addr.addr) &&
	       SAME(add_addr.port) && SAME(add_addr.addr_id) && SAME(add_addr.echo) &&
	       SAME(add_addr.has_mac) &&
	       !memcmp(a->add_addr.mac, b->add_addr.mac, sizeof(a->add_addr.mac)) &&
	       SAME(remove_addr.count) &&
	       !memcmp(a->remove_addr.ids, b->remove_addr.ids, a->remove_addr.count) &&
	       SAME(prio.backup) && SAME(prio.has_addr_id) && SAME(prio.addr_id) &&
	       SAME(fail.dsn) && SAME(fastclose.key) && SAME(tcprst.flags) &&
	       SAME(tcprst.reason);
#undef SAME
}

static size_t build(uint8_t *out, const struct form *f)
{
	const struct mptcp_options *o = &f->want;

	switch ((enum mptcp_option_bit)f->bit) {
	case MPOPT_CAPABLE:
		return mptcp_option_build_capable(out, &o->capable);
	case MPOPT_JOIN_SYN:
		return mptcp_option_build_join_syn(out, &o->join);
	case MPOPT_JOIN_SYNACK:
		return mptcp_option_build_join_synack(out, &o->join);
	case MPOPT_JOIN_ACK:
		return mptcp_option_build_join_ack(out, &o->join);
	case MPOPT_DSS:
		ck_assert_uint_eq(mptcp_option_dss_len(&o->dss), f->bytes[1]);
		return mptcp_option_build_dss(out, &o->dss);
	case MPOPT_ADD_ADDR:
		return mptcp_option_build_add_addr(out, &o->add_addr, f->version);
	case MPOPT_REMOVE_ADDR:
		return mptcp_option_build_remove_addr(out, o->remove_addr.ids,
						      o->remove_addr.count);
	case MPOPT_PRIO:
		return mptcp_option_build_prio(out, o->prio.backup);
	case MPOPT_FAIL:
		return mptcp_option_build_fail(out, o->fail.dsn);
	case MPOPT_FASTCLOSE:
		return mptcp_option_build_fastclose(out, o->fastclose.key);
	case MPOPT_TCPRST:
		return mptcp_option_build_tcprst(out, o->tcprst.flags, o->tcprst.reason);
	}
	ck_abort_msg("no builder");
	return 0;
}

START_TEST(form_parse)
{
	const struct form *f = &forms[_i];
	struct mptcp_options o = { 0 };

	ck_assert_msg(parse(f->bytes, f->bytes[1], f->flags, &o) == f->bit, "%s", f->name);
	ck_assert_msg(same(&o, &f->want), "%s", f->name);
	/* Nothing of what was there before shows through. */
	memset(&o, 0xff, sizeof(o));
	o.present = 0;
	ck_assert_uint_eq(parse(f->bytes, f->bytes[1], f->flags, &o), f->bit);
	if (f->bit == MPOPT_DSS)
		ck_assert(!memcmp(&o.dss.data_ack, &f->want.dss.data_ack, 8) &&
			  o.dss.has_checksum == f->want.dss.has_checksum &&
			  o.dss.data_fin == f->want.dss.data_fin);
}
END_TEST

START_TEST(form_build)
{
	const struct form *f = &forms[_i];
	uint8_t out[40];

	if (f->no_build)
		return;
	memset(out, 0xee, sizeof(out));
	ck_assert_msg(build(out, f) == f->bytes[1], "%s", f->name);
	ck_assert_msg(!memcmp(out, f->bytes, f->bytes[1]), "%s", f->name);
	for (size_t i = f->bytes[1]; i < sizeof(out); i++)
		ck_assert_uint_eq(out[i], 0xee);
}
END_TEST

/* A form is told by flags: MP_CAPABLE and MP_JOIN only where they belong. */
START_TEST(form_flags)
{
	const struct form *f = &forms[_i];

	for (unsigned int flags = 0; flags < 4; flags++) {
		struct mptcp_options o = { 0 };
		bool want = f->any_flags || flags == f->flags;

		/* The only form of one length with two sets of flags. */
		if (f->bytes[2] == 0x00 && f->bytes[1] == 12)
			want = flags & SYN;
		ck_assert_msg(parse(f->bytes, f->bytes[1], flags, &o) == (want ? f->bit : 0),
			      "%s with flags %u", f->name, flags);
	}
}
END_TEST

/* Whether `len` is a good length for the beginning (four bytes) of form `f`. */
static bool length_fits(const struct form *f, size_t len)
{
	for (size_t i = 0; i < FORMS; i++)
		if (forms[i].bytes[1] == len && forms[i].bytes[2] == f->bytes[2] &&
		    forms[i].flags == f->flags &&
		    (f->bit != MPOPT_DSS || forms[i].bytes[3] == f->bytes[3]))
			return true;
	if (f->bit == MPOPT_DSS && (f->bytes[3] & 4)) {
		size_t need = 14 + (f->bytes[3] & 1 ? 4 : 0) + (f->bytes[3] & 8 ? 4 : 0) +
			      ((f->bytes[3] & 3) == 3 ? 4 : 0);

		return len == need || len == need + 2;
	}
	/* With a MAC the nibble is flags. */
	if (f->bit == MPOPT_ADD_ADDR && !(f->bytes[2] & 1) &&
	    (len == 16 || len == 18 || len == 28 || len == 30))
		return true;
	if (f->bit == MPOPT_PRIO)
		return len == 3 || len == 4;
	return f->bit == MPOPT_REMOVE_ADDR && len >= 4 && len <= 40;
}

START_TEST(form_lengths)
{
	const struct form *f = &forms[_i];

	for (size_t len = 0; len <= 40; len++) {
		struct mptcp_options o = { 0 }, zero = { 0 };
		/* A block of its own size, so that a sanitizer sees reads past it. */
		uint8_t *opt = malloc(len ? len : 1);
		uint32_t ret;

		memcpy(opt, f->bytes, len);
		if (len >= 2)
			opt[1] = (uint8_t)len;
		ret = parse(opt, len, f->flags, &o);
		ck_assert_msg(ret == (length_fits(f, len) ? f->bit : 0), "%s of length %zu",
			      f->name, len);
		if (!ret)
			ck_assert_msg(same(&o, &zero), "%s of length %zu", f->name, len);
		free(opt);
	}
}
END_TEST

START_TEST(repeated_first_wins)
{
	const struct form *f = &forms[_i];
	struct mptcp_options o = { 0 };
	uint8_t other[40];

	memcpy(other, f->bytes, sizeof(other));
	for (size_t i = f->bit == MPOPT_DSS ? 4 : 3; i < other[1]; i++)
		other[i] ^= 0x55;
	/* One of a wrong length does not count as the first. */
	ck_assert_uint_eq(parse(other, f->bit == MPOPT_REMOVE_ADDR ? 3 : 5, f->flags, &o), 0);
	ck_assert_uint_eq(parse(f->bytes, f->bytes[1], f->flags, &o), f->bit);
	ck_assert_uint_eq(parse(other, other[1], f->flags, &o), 0);
	ck_assert_msg(same(&o, &f->want), "%s", f->name);
}
END_TEST

START_TEST(several_kinds_together)
{
	struct mptcp_options o = { 0 };
	uint32_t bits = 0;

	for (size_t i = 0; i < FORMS; i++)
		bits |= parse(forms[i].bytes, forms[i].bytes[1], ACK, &o);
	ck_assert_uint_eq(bits, 0x7ff & ~(MPOPT_JOIN_SYN | MPOPT_JOIN_SYNACK));
	ck_assert_uint_eq(o.present, bits);
}
END_TEST

START_TEST(unknown_subtypes_and_versions)
{
	uint8_t opt[40] = { 30 };

	for (unsigned int sub = 9; sub < 16; sub++)
		for (size_t len = 0; len <= 40; len++) {
			struct mptcp_options o = { 0 };

			opt[2] = (uint8_t)(sub << 4);
			ck_assert_uint_eq(parse(opt, len, ACK, &o), 0);
			ck_assert_uint_eq(o.present, 0);
		}
	for (unsigned int version = 2; version < 16; version++)
		for (size_t len = 0; len <= 40; len++)
			for (unsigned int flags = 0; flags < 4; flags++) {
				struct mptcp_options o = { 0 };

				opt[2] = (uint8_t)version;
				ck_assert_uint_eq(parse(opt, len, flags, &o), 0);
			}
}
END_TEST

START_TEST(add_addr_nibbles)
{
	/* Which lengths are good for each value of the nibble beside the subtype: of version
	 * 1 the flag E decides and the others are ignored, version 0 has an IP version. */
	const uint64_t macs = 1ull << 16 | 1ull << 18 | 1ull << 28 | 1ull << 30;
	const uint64_t echoes = 1ull << 8 | 1ull << 10 | 1ull << 20 | 1ull << 22;
	uint8_t opt[40] = { 30, 0, 0, 1, V6_BYTES };

	for (unsigned int low = 0; low < 16; low++)
		for (size_t len = 0; len <= 40; len++) {
			uint64_t good = low & 1 ? echoes : macs;
			struct mptcp_options o = { 0 };

			if (low == 4)
				good |= 1ull << 8 | 1ull << 10;
			if (low == 6)
				good |= 1ull << 20 | 1ull << 22;
			opt[2] = (uint8_t)(0x30 | low);
			ck_assert_uint_eq(parse(opt, len, ACK, &o),
					  good >> len & 1 ? MPOPT_ADD_ADDR : 0);
			if (!o.present)
				continue;
			ck_assert_int_eq(o.add_addr.echo, low & 1);
			ck_assert_int_eq(o.add_addr.has_mac, !(low & 1) && macs >> len & 1);
		}
}
END_TEST

START_TEST(add_addr_mapped_is_ignored)
{
	const uint8_t opt[20] = { 30, 20, 0x31, 1, [14] = 0xff, 0xff, 192, 0, 2, 1 };
	struct mptcp_options o = { 0 };

	ck_assert_uint_eq(parse(opt, sizeof(opt), ACK, &o), 0);
}
END_TEST

START_TEST(remove_addr_most)
{
	uint8_t opt[40] = { 30, 40, 0x40 }, out[40];
	struct mptcp_options o = { 0 };

	for (uint8_t i = 0; i < 37; i++)
		opt[3 + i] = i;
	ck_assert_uint_eq(parse(opt, 40, ACK, &o), MPOPT_REMOVE_ADDR);
	ck_assert_uint_eq(o.remove_addr.count, 37);
	ck_assert_uint_eq(mptcp_option_build_remove_addr(out, o.remove_addr.ids, 37), 40);
	ck_assert_mem_eq(out, opt, 40);
	/* Cannot be in a packet, but must not hurt. */
	o.present = 0;
	ck_assert_uint_eq(parse(opt, 41, ACK, &o), 0);
}
END_TEST

START_TEST(dss_high_halves_are_cut)
{
	const uint8_t want[] = { 30, 18, 0x20, 0x05, 0x15, 0x16, 0x17, 0x18, 5, 6, 7, 8,
				 0, 0, 0, 1, 0, 100 };
	struct mptcp_dss d = { .has_ack = true, .data_ack = KEY2, .has_map = true,
			       .dsn = KEY1, .ssn = 1, .data_len = 100 };
	uint8_t out[40];

	ck_assert_uint_eq(mptcp_option_build_dss(out, &d), sizeof(want));
	ck_assert_mem_eq(out, want, sizeof(want));
}
END_TEST

START_TEST(dss_without_map)
{
	/* Neither DATA_FIN nor checksum make sense without a mapping. */
	struct mptcp_dss d = { .has_ack = true, .data_ack = 1, .data_fin = true,
			       .has_checksum = true, .dsn_is64 = true };
	const uint8_t want[] = { 30, 8, 0x20, 0x01, 0, 0, 0, 1 };
	uint8_t out[40];

	ck_assert_uint_eq(mptcp_option_dss_len(&d), 8);
	ck_assert_uint_eq(mptcp_option_build_dss(out, &d), 8);
	ck_assert_mem_eq(out, want, 8);
}
END_TEST

START_TEST(add_addr_v0_never_has_mac)
{
	struct mptcp_add_addr a = { .addr = ADDR4, .addr_id = 1, .has_mac = true, .echo = true };
	uint8_t out[40];

	ck_assert_uint_eq(mptcp_option_build_add_addr(out, &a, 0), 8);
	ck_assert_uint_eq(out[2], 0x34);
	/* Nor does an echo. */
	ck_assert_uint_eq(mptcp_option_build_add_addr(out, &a, 1), 8);
	ck_assert_uint_eq(out[2], 0x31);
}
END_TEST

START_TEST(data_checksum)
{
	/* DSN, SSN, length, zero, and four bytes of data: added up by hand. */
	const uint8_t data[] = { 0xff, 0xff, 0x12, 0x34 };
	uint32_t sum = 0x0102 + 0x0304 + 0x0506 + 0x0708 + 0x0000 + 0x0001 + 0x0004 +
		       0xffff + 0x1234;
	uint16_t got = mptcp_dss_checksum(KEY1, 1, 4, csum_add(0, data, sizeof(data)));
	uint8_t bytes[2];

	sum = (sum & 0xffff) + (sum >> 16);
	csum_store(bytes, got);
	ck_assert_uint_eq((uint16_t)(bytes[0] << 8 | bytes[1]), (uint16_t)~sum);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("wire/mptcp_option");
	TCase *t = tcase_create("mptcp_option");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_loop_test(t, form_parse, 0, FORMS);
	tcase_add_loop_test(t, form_build, 0, FORMS);
	tcase_add_loop_test(t, form_flags, 0, FORMS);
	tcase_add_loop_test(t, form_lengths, 0, FORMS);
	tcase_add_loop_test(t, repeated_first_wins, 0, FORMS);
	tcase_add_test(t, several_kinds_together);
	tcase_add_test(t, unknown_subtypes_and_versions);
	tcase_add_test(t, add_addr_nibbles);
	tcase_add_test(t, add_addr_mapped_is_ignored);
	tcase_add_test(t, remove_addr_most);
	tcase_add_test(t, dss_high_halves_are_cut);
	tcase_add_test(t, dss_without_map);
	tcase_add_test(t, add_addr_v0_never_has_mac);
	tcase_add_test(t, data_checksum);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
