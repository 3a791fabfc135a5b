/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stateless answers to MP_CAPABLE SYNs under pressure: SYN cookies (RFC 4987, section 3.6)
 * for Multipath TCP.
 *
 * A flood of SYNs with forged sources would open as many connections to the server, and
 * fill the table of sessions.  So from proxy_config.stateless_half_open half-open sessions
 * on, a SYN is answered at once and forgotten.  What the answer promised comes back in the
 * client's ACK, and only that begins a session:
 *
 *  - our initial sequence number and our key are drawn, by a keyed hash, from the tuple, the
 *    client's initial sequence number and the time.  A client repeats both keys in its third
 *    ACK (RFC 8684, section 3.1; RFC 6824, section 3.1), so the ACK proves them;
 *  - the client's segment size, rounded down to one of eight, is in the three low bits of
 *    our sequence number;
 *  - its window scale and SACK are in the low bits of our timestamp, which the ACK echoes.
 *    From a client without timestamps there is neither; a service without them uses them
 *    here.
 *
 * Answered so, a client is accepted before the server was asked (as with accept-first), and
 * the SYN/ACK is not repeated: the client repeats its SYN.  A client whose third ACK and
 * first data are both lost or late is reset by the server, which does not know it.
 */
#ifndef PROXY_STATELESS_H
#define PROXY_STATELESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "mptcp/mptcp.h"

/* Numbers are drawn anew so often; an answer is good for one to two of these. */
#define STATELESS_PERIOD_US 64000000u

struct stateless {
	struct hash_key key;
	uint64_t last_us;               /* of the last answer; 0: none yet */
	uint32_t worker, workers;       /* of which worker the tokens must be */
};

/*
 * What our side of a connection begins with, for the SYN `syn`; what nobody will remember of
 * that is taken off, so that it is not answered.  False if no usable key was found.
 */
bool stateless_draw(struct stateless *st, struct packet *syn, uint64_t now_us,
		    struct mptcp_drawn *drawn);
/* Whether an answer may still be under way, so that ACKs are worth a check. */
bool stateless_recent(const struct stateless *st, uint64_t now_us);
/*
 * Whether `ack` is the answer to an answer of ours.  If so, *syn is the client's SYN as far
 * as it matters, and *drawn what it was answered with.
 */
bool stateless_check(const struct stateless *st, const struct packet *ack, uint64_t now_us,
		     struct packet *syn, struct mptcp_drawn *drawn);

#endif
