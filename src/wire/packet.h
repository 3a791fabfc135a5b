/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whole IP packets: parsing what the kernel hands over, building headers of what
 * is emitted (RFC 791, RFC 8200, RFC 792, RFC 4443).
 */
#ifndef WIRE_PACKET_H
#define WIRE_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "wire/tcp_header.h"

/* Room for the largest IP and TCP header that this project builds. */
#define PACKET_HEADER_MAX (40u + 60u)
/* The largest packet, and so super-segment, that is ever built or accepted. */
#define PACKET_MAX 65535u

enum packet_kind {
	PACKET_TCP,
	PACKET_ICMP_ERROR,      /* an error about one of our TCP segments */
	PACKET_OTHER,           /* not for this daemon: pass it on */
};

/* The two ECN bits of an IP header (RFC 3168, section 5). */
#define PACKET_ECN_NONE 0u
#define PACKET_ECN_ECT1 1u
#define PACKET_ECN_ECT0 2u
#define PACKET_ECN_CE   3u

enum icmp_error {
	ICMP_ERROR_NET_UNREACHABLE,
	ICMP_ERROR_HOST_UNREACHABLE,
	ICMP_ERROR_ADMIN_PROHIBITED,
	ICMP_ERROR_PORT_UNREACHABLE,
	ICMP_ERROR_TOO_BIG,             /* `mtu` is set */
	ICMP_ERROR_OTHER,
};

struct packet {
	enum packet_kind kind;
	struct flow_tuple tuple;        /* of an ICMP error: of the embedded packet */
	uint8_t ecn;                    /* PACKET_ECN_* */
	uint8_t ttl;
	/* PACKET_TCP */
	struct tcp_header tcp;
	const uint8_t *payload;         /* inside the parsed buffer */
	size_t payload_len;
	const uint8_t *tcp_start;       /* the TCP header, for the checksum */
	size_t tcp_len;                 /* header and payload */
	bool truncated;                 /* the end of the payload was not captured */
	/* PACKET_ICMP_ERROR */
	enum icmp_error icmp_error;
	uint32_t icmp_mtu;              /* not checked: may be 0 or absurdly small */
	uint32_t icmp_seq;              /* sequence number of the embedded segment */
};

/*
 * Parses an IPv4 or IPv6 packet of `len` bytes, all or nothing.  Returns 0 and
 * fills *out; -EINVAL if malformed; -EMSGSIZE if the IP length exceeds `len` (cut
 * short) and headers are missing.  A TCP packet whose headers are there is parsed
 * as if it ended with what was captured: without FIN, and with a checksum that
 * cannot be verified (`truncated`).  Bytes past the IP length are ignored.
 *
 * PACKET_OTHER are fragments and protocols other than TCP and ICMP errors, IPv6
 * jumbograms, IPv6 packets with a mapped IPv4 address or with routing segments left,
 * and ICMP errors that are cut, have a wrong checksum or do not quote the beginning
 * of a TCP segment.  Of such packets only the addresses are set.  The TCP checksum
 * is not looked at.
 */
int packet_parse(const uint8_t *data, size_t len, struct packet *out);

/* Whether the TCP checksum of a parsed packet is right. */
bool packet_checksum_ok(const struct packet *p);

/*
 * Builds IP and TCP headers with options for a packet from `tuple->src` to
 * `tuple->dst` with `payload_len` bytes to follow.  The IPv4 header checksum is
 * filled in; the TCP checksum field gets the folded pseudo-header sum (not
 * complemented), which is what checksum offload expects; see
 * packet_finish_checksum().  Sets *ip_len (bytes of IP header) and returns the
 * bytes of all headers.  IPv4 packets have DF set; `ecn` is a PACKET_ECN_*; `id` is the
 * IPv4 identification.
 */
size_t packet_build_tcp(uint8_t out[PACKET_HEADER_MAX], const struct flow_tuple *tuple,
			const struct tcp_header *tcp, const uint8_t *options,
			size_t opt_len, size_t payload_len, uint8_t ecn, uint16_t id,
			size_t *ip_len);

/*
 * Completes the TCP checksum of headers from packet_build_tcp() over the whole
 * payload, given as its csum_add() sum: for sinks without offload.
 */
void packet_finish_checksum(uint8_t *headers, size_t headers_len, size_t ip_len,
			    uint64_t payload_sum);

/*
 * Builds an ICMP or ICMPv6 "destination unreachable" (or "administratively
 * prohibited") about the packet `orig`, from the packet's destination to its
 * source, quoting as much as the RFCs allow (RFC 792; RFC 4443, section 3.1).
 * `out` holds 1280 bytes.  Returns the length, or -EINVAL when `orig` cannot be
 * quoted (no TCP, not whole, or an address that errors must not be sent to or come from), or
 * when `code` is ICMP_ERROR_TOO_BIG or ICMP_ERROR_OTHER.
 */
int packet_build_unreachable(uint8_t *out, const uint8_t *orig, size_t orig_len,
			     enum icmp_error code);

#endif
