/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Several proxies (workers), each with connections of its own.
 *
 * Packets of one tuple always come in with the same worker, whatever that is: the *lander*.
 * For the first subflow of a connection it is also the *owner*, the worker that has the
 * connection.  A join comes from another tuple and may land elsewhere.  Its token tells
 * the owner (token % workers), and whether the owner knows it can be asked
 * (proxy_ops.token_elsewhere).  The lander then
 *
 *	keeps an entry in its flow table, FLOW_AWAY, and
 *	hands this packet and all that follow to the owner, by messages,
 *
 * until the owner tells that the flow is gone, TIME-WAIT included.  The owner answers the
 * client by itself.  Whatever else is about the tuple (ICMP errors, SYNs that are
 * repeated) takes the same way.
 *
 * A flow may end while the next one with the same tuple is already on its way to the owner.
 * So the lander numbers the SYNs that it hands over, and the entry has the number of the
 * last one, its generation.  Every message carries one; what is about an older generation
 * does not end the entry.  Messages between two workers arrive in order or, if they are
 * packets, not at all.
 *
 * A SYN that the owner has no use for (it wants a new connection: same tuple, no known
 * token) is returned, and the lander deals with it as if it had just come in.  All it
 * cannot do any more is to pass it on: then it is lost, and the client's next one passes.
 */
#ifndef PROXY_SHARD_H
#define PROXY_SHARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct flow;
struct packet;
struct proxy;

/*
 * Hands a packet of the flow `f`, which is away, to its owner.  `syn`: it may begin a flow.
 * If it cannot be handed over it is lost.
 */
void shard_forward(struct proxy *proxy, struct flow *f, bool syn, const uint8_t *data, size_t len,
		   bool checksum_known);
/* Whether a join with this token belongs to another worker, which is then *owner. */
bool shard_token_elsewhere(const struct proxy *proxy, uint32_t token, uint16_t *owner);
/* Hands over the first packet of a flow. */
void shard_join(struct proxy *proxy, const struct packet *p, uint16_t owner, const uint8_t *data,
		size_t len, bool checksum_known);
/* A flow that another worker hands us is no more. */
void shard_tell_gone(struct proxy *proxy, const struct flow *f);

#endif
