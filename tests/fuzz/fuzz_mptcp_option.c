/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arbitrary bytes as a TCP header with options: byte 0 holds the TCP flags, the
 * rest is the option list.  What was read must be read again from what the
 * builders make of it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wire/tcp_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(x) do { if (!(x)) abort(); } while (0)

/* Builds an option from `o` with the builder of `bit`; 0 if it has none. */
static size_t build(uint8_t *out, uint32_t bit, const struct mptcp_options *o)
{
	const struct mptcp_add_addr *a = &o->add_addr;

	switch ((enum mptcp_option_bit)bit) {
	case MPOPT_CAPABLE:
		return mptcp_option_build_capable(out, &o->capable);
	case MPOPT_JOIN_SYN:
		return mptcp_option_build_join_syn(out, &o->join);
	case MPOPT_JOIN_SYNACK:
		return mptcp_option_build_join_synack(out, &o->join);
	case MPOPT_JOIN_ACK:
		return mptcp_option_build_join_ack(out, &o->join);
	case MPOPT_DSS:
		REQUIRE(mptcp_option_dss_len(&o->dss) == mptcp_option_build_dss(out, &o->dss));
		return mptcp_option_dss_len(&o->dss);
	case MPOPT_ADD_ADDR:
		return mptcp_option_build_add_addr(out, a, a->echo || a->has_mac);
	case MPOPT_REMOVE_ADDR:
		REQUIRE(o->remove_addr.count && o->remove_addr.count <= MPTCP_REMOVE_MAX);
		return mptcp_option_build_remove_addr(out, o->remove_addr.ids,
						      o->remove_addr.count);
	case MPOPT_PRIO:
		return o->prio.has_addr_id ? 0 : mptcp_option_build_prio(out, o->prio.backup);
	case MPOPT_FAIL:
		return mptcp_option_build_fail(out, o->fail.dsn);
	case MPOPT_FASTCLOSE:
		return mptcp_option_build_fastclose(out, o->fastclose.key);
	case MPOPT_TCPRST:
		return mptcp_option_build_tcprst(out, o->tcprst.flags, o->tcprst.reason);
	}
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t opts[TCP_OPTIONS_MAX], full[TCP_HEADER_MIN + TCP_OPTIONS_MAX], *packet;
	struct tcp_header h, h2;
	size_t opt_len;
	int ret;

	if (!size)
		return 0;
	/* The header's length is that of the input, rounded down to words. */
	opt_len = (size - 1) & ~(size_t)3;
	if (opt_len > TCP_OPTIONS_MAX)
		opt_len = TCP_OPTIONS_MAX;
	packet = calloc(1, TCP_HEADER_MIN + opt_len);
	REQUIRE(packet);
	h = (struct tcp_header){ .flags = data[0] };
	tcp_header_build(packet, &h, opt_len);
	memcpy(packet + TCP_HEADER_MIN, data + 1, opt_len);

	ret = tcp_header_parse(packet, TCP_HEADER_MIN + opt_len, &h);
	free(packet);
	if (ret < 0)
		return 0;
	REQUIRE(ret == (int)(TCP_HEADER_MIN + opt_len));
	REQUIRE(h.flags == data[0]);
	REQUIRE(h.opt.wscale <= TCP_WSCALE_MAX && h.opt.sack_count <= TCP_SACK_MAX);

	for (uint32_t bit = 1; bit <= MPOPT_TCPRST; bit <<= 1) {
		struct mptcp_options o = { 0 };
		uint8_t out[40], again[40];
		size_t n;

		if (!(h.mptcp.present & bit))
			continue;
		n = build(out, bit, &h.mptcp);
		if (!n)
			continue;
		REQUIRE(n <= sizeof(out) && out[0] == TCPOPT_MPTCP && out[1] == n);
		REQUIRE(mptcp_option_parse(out, n, data[0] & TCP_SYN, data[0] & TCP_ACK, &o) ==
			bit);
		REQUIRE(build(again, bit, &o) == n && !memcmp(out, again, n));
	}

	/* The plain ones fit again, since they did; all but SACK where padding grew. */
	ret = tcp_options_build(opts, &h.opt, NULL, 0);
	REQUIRE(ret >= 0 && ret <= (int)TCP_OPTIONS_MAX && ret % 4 == 0);
	tcp_header_build(full, &h, (size_t)ret);
	memcpy(full + TCP_HEADER_MIN, opts, (size_t)ret);
	REQUIRE(tcp_header_parse(full, TCP_HEADER_MIN + (size_t)ret, &h2) ==
		(int)TCP_HEADER_MIN + ret);
	REQUIRE(h2.opt.has_mss == h.opt.has_mss && h2.opt.mss == h.opt.mss);
	REQUIRE(h2.opt.has_wscale == h.opt.has_wscale && h2.opt.wscale == h.opt.wscale);
	REQUIRE(h2.opt.sack_permitted == h.opt.sack_permitted);
	REQUIRE(h2.opt.has_ts == h.opt.has_ts && h2.opt.ts_val == h.opt.ts_val &&
		h2.opt.ts_ecr == h.opt.ts_ecr);
	REQUIRE(h2.opt.sack_count <= h.opt.sack_count);
	REQUIRE(!memcmp(h2.opt.sack, h.opt.sack, h2.opt.sack_count * sizeof(h.opt.sack[0])));
	return 0;
}
