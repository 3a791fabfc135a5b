/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A TCP packet in words, for logs and traces.
 */
#ifndef WIRE_DESCRIBE_H
#define WIRE_DESCRIBE_H

#include "wire/packet.h"

/* Room for the longest text. */
#define PACKET_DESCRIBE_MAX 480

/*
 * Addresses, flags, sequence numbers and options of a packet of kind PACKET_TCP.  Writes into
 * `buf` and returns it.
 */
const char *packet_describe(const struct packet *p, char buf[PACKET_DESCRIBE_MAX]);

#endif
