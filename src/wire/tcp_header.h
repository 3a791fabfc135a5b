/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The TCP header and its options (RFC 9293, section 3.1; RFC 7323; RFC 2018):
 * pure codec to and from host-order structs.
 */
#ifndef WIRE_TCP_HEADER_H
#define WIRE_TCP_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/mptcp_option.h"

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_PSH 0x08
#define TCP_ACK 0x10
#define TCP_URG 0x20
#define TCP_ECE 0x40
#define TCP_CWR 0x80

#define TCP_HEADER_MIN   20u
#define TCP_FLAGS_AT     13u     /* in the header */
#define TCP_OPTIONS_MAX  40u
#define TCP_SACK_MAX     4u
#define TCP_WSCALE_MAX   14u

struct tcp_sack_block {
	uint32_t begin, end;
};

struct tcp_options {
	bool has_mss, has_wscale, has_ts, sack_permitted;
	uint16_t mss;
	uint8_t wscale;
	uint32_t ts_val, ts_ecr;
	uint8_t sack_count;
	struct tcp_sack_block sack[TCP_SACK_MAX];
};

struct tcp_header {
	uint16_t src_port, dst_port;
	uint32_t seq, ack;
	uint8_t flags;          /* TCP_* */
	uint16_t window;        /* as in the packet, not scaled */
	uint16_t checksum;      /* as stored in the packet */
	uint16_t urgent;
	struct tcp_options opt;
	struct mptcp_options mptcp;
};

/*
 * Parses a header at `data`.  Returns its length in bytes, options included, or
 * -EINVAL if it does not fit in `len`, the data offset is below 20, or the option
 * list is malformed (an option's length is 0, 1 or runs past the header).
 * Unknown options are skipped.  All or nothing: on error *out is undefined.
 */
int tcp_header_parse(const uint8_t *data, size_t len, struct tcp_header *out);

/*
 * Writes the plain options given in `o` (those whose flags are set; MSS, window
 * scale and SACK-permitted, then timestamps, then SACK blocks), NOP-aligned to
 * four bytes.  `mptcp`/`mptcp_len` is an encoded MPTCP option list, appended and
 * padded (may be NULL/0); where it and the timestamps fill whole words together,
 * neither is padded.  As many SACK blocks as fit are written, MPTCP options
 * before them.  Returns the length written (a multiple of 4, at most 40), or
 * -ENOSPC when even without SACK it does not fit.
 */
int tcp_options_build(uint8_t out[TCP_OPTIONS_MAX], const struct tcp_options *o,
		      const uint8_t *mptcp, size_t mptcp_len);

/*
 * Writes the 20-byte header with `h->checksum` zero; `opt_len` sets the data
 * offset (the options follow by the caller).
 */
void tcp_header_build(uint8_t out[TCP_HEADER_MIN], const struct tcp_header *h,
		      size_t opt_len);

#endif
