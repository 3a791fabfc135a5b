/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where built packets go: the TUN device, or a simulated link.
 */
#ifndef WIRE_SINK_H
#define WIRE_SINK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/addr.h"

/* Pieces of payload that one packet may be scattered over. */
#define PACKET_IOV_MAX 8

struct packet_out {
	uint8_t *headers;       /* from packet_build_tcp(); the sink may change them */
	size_t headers_len, ip_len;
	struct iovec *payload;  /* in place, valid during the call only */
	int payload_iovs;
	size_t payload_len;
	uint16_t segment_len;   /* payload of each cut segment; a packet whose payload is
				 * longer is a super-segment to be cut (TSO) */
	const struct flow_tuple *tuple;
};

struct packet_sink {
	void *ctx;
	/* Sends one packet, or drops it: TCP repairs.  Must not keep pointers. */
	void (*emit)(void *ctx, const struct packet_out *p);
};

#endif
