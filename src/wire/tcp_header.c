/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The codec of the TCP header and its options.  One walk over the option list:
 * lengths are checked against the header before anything of an option is read.
 * Owns nothing; calls wire/mptcp_option for kind 30.
 */
#include "wire/tcp_header.h"

#include <errno.h>
#include <string.h>

#include "wire/bytes.h"

#define OPT_EOL       0
#define OPT_NOP       1
#define OPT_MSS       2
#define OPT_WSCALE    3
#define OPT_SACK_PERM 4
#define OPT_SACK      5
#define OPT_TS        8

/* The first one of each kind wins; other lengths than the right one are skipped. */
static void parse_option(const uint8_t *opt, size_t len, uint8_t flags,
			 struct tcp_header *h)
{
	struct tcp_options *o = &h->opt;

	switch (opt[0]) {
	case OPT_TS:
		if (len != 10 || o->has_ts)
			return;
		o->has_ts = true;
		o->ts_val = bytes_get32(opt + 2);
		o->ts_ecr = bytes_get32(opt + 6);
		return;
	case TCPOPT_MPTCP:
		mptcp_option_parse(opt, len, flags & TCP_SYN, flags & TCP_ACK, &h->mptcp);
		return;
	case OPT_SACK:
		if (len < 10 || len > 2 + 8 * TCP_SACK_MAX || len % 8 != 2 || o->sack_count)
			return;
		o->sack_count = (uint8_t)(len / 8);
		for (unsigned int i = 0; i < o->sack_count; i++) {
			o->sack[i].begin = bytes_get32(opt + 2 + 8 * i);
			o->sack[i].end = bytes_get32(opt + 6 + 8 * i);
		}
		return;
	}

	/* The rest has a meaning on SYN only (RFC 9293, 3.7.1; RFC 7323; RFC 2018). */
	if (!(flags & TCP_SYN))
		return;
	switch (opt[0]) {
	case OPT_MSS:
		if (len != 4 || o->has_mss)
			return;
		o->has_mss = true;
		o->mss = bytes_get16(opt + 2);
		return;
	case OPT_WSCALE:
		if (len != 3 || o->has_wscale)
			return;
		o->has_wscale = true;
		/* More than 14 is taken as 14 (RFC 7323, section 2.3). */
		o->wscale = opt[2] < TCP_WSCALE_MAX ? opt[2] : TCP_WSCALE_MAX;
		return;
	case OPT_SACK_PERM:
		if (len == 2)
			o->sack_permitted = true;
		return;
	}
}

int tcp_header_parse(const uint8_t *data, size_t len, struct tcp_header *out)
{
	const uint8_t *p, *end;
	size_t header_len;

	if (len < TCP_HEADER_MIN)
		return -EINVAL;
	header_len = (size_t)(data[12] >> 4) * 4;
	if (header_len < TCP_HEADER_MIN || header_len > len)
		return -EINVAL;

	memset(out, 0, sizeof(*out));
	out->src_port = bytes_get16(data);
	out->dst_port = bytes_get16(data + 2);
	out->seq = bytes_get32(data + 4);
	out->ack = bytes_get32(data + 8);
	out->flags = data[13];
	out->window = bytes_get16(data + 14);
	memcpy(&out->checksum, data + 16, 2);
	out->urgent = bytes_get16(data + 18);

	p = data + TCP_HEADER_MIN;
	end = data + header_len;
	while (p < end) {
		size_t opt_len;

		if (*p == OPT_NOP) {
			p++;
			continue;
		}
		if (*p == OPT_EOL)
			break;
		if (end - p < 2)
			return -EINVAL;
		opt_len = p[1];
		if (opt_len < 2 || opt_len > (size_t)(end - p))
			return -EINVAL;
		parse_option(p, opt_len, out->flags, out);
		p += opt_len;
	}
	return (int)header_len;
}

int tcp_options_build(uint8_t out[TCP_OPTIONS_MAX], const struct tcp_options *o,
		      const uint8_t *mptcp, size_t mptcp_len)
{
	/* Two bytes too many make up for the timestamps' two: no NOPs for either. */
	bool tight = o->has_ts && !o->sack_permitted && mptcp_len % 4 == 2;
	size_t mptcp_padded = tight ? mptcp_len : (mptcp_len + 3) & ~(size_t)3;
	size_t need = mptcp_padded;
	unsigned int blocks;
	uint8_t *p = out;

	/* SACK-permitted takes the place of the NOPs before the timestamps. */
	need += (o->has_mss ? 4u : 0) + (o->has_wscale ? 4u : 0);
	need += tight ? 10u : o->has_ts ? 12u : o->sack_permitted ? 4u : 0;
	if (mptcp_len > TCP_OPTIONS_MAX || need > TCP_OPTIONS_MAX)
		return -ENOSPC;

	if (o->has_mss) {
		*p++ = OPT_MSS;
		*p++ = 4;
		p = bytes_put16(p, o->mss);
	}
	if (o->has_wscale) {
		*p++ = OPT_NOP;
		*p++ = OPT_WSCALE;
		*p++ = 3;
		*p++ = o->wscale < TCP_WSCALE_MAX ? o->wscale : TCP_WSCALE_MAX;
	}
	if (o->sack_permitted && o->has_ts) {
		*p++ = OPT_SACK_PERM;
		*p++ = 2;
	} else if (o->sack_permitted) {
		*p++ = OPT_NOP;
		*p++ = OPT_NOP;
		*p++ = OPT_SACK_PERM;
		*p++ = 2;
	} else if (o->has_ts && !tight) {
		*p++ = OPT_NOP;
		*p++ = OPT_NOP;
	}
	if (o->has_ts) {
		*p++ = OPT_TS;
		*p++ = 10;
		p = bytes_put32(p, o->ts_val);
		p = bytes_put32(p, o->ts_ecr);
	}
	if (mptcp_len) {
		memcpy(p, mptcp, mptcp_len);
		memset(p + mptcp_len, OPT_NOP, mptcp_padded - mptcp_len);
		p += mptcp_padded;
	}

	blocks = o->sack_count < TCP_SACK_MAX ? o->sack_count : TCP_SACK_MAX;
	while (blocks && need + 4 + 8 * blocks > TCP_OPTIONS_MAX)
		blocks--;
	if (blocks) {
		*p++ = OPT_NOP;
		*p++ = OPT_NOP;
		*p++ = OPT_SACK;
		*p++ = (uint8_t)(2 + 8 * blocks);
		for (unsigned int i = 0; i < blocks; i++) {
			p = bytes_put32(p, o->sack[i].begin);
			p = bytes_put32(p, o->sack[i].end);
		}
	}
	return (int)(p - out);
}

void tcp_header_build(uint8_t out[TCP_HEADER_MIN], const struct tcp_header *h,
		      size_t opt_len)
{
	bytes_put16(out, h->src_port);
	bytes_put16(out + 2, h->dst_port);
	bytes_put32(out + 4, h->seq);
	bytes_put32(out + 8, h->ack);
	out[12] = (uint8_t)((TCP_HEADER_MIN + opt_len) / 4 << 4);
	out[13] = h->flags;
	bytes_put16(out + 14, h->window);
	bytes_put16(out + 16, 0);
	bytes_put16(out + 18, h->urgent);
}
