/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The interception queue (NFQUEUE): whole packets, also GSO super-packets, from the
 * kernel in batches, and verdicts back in batches.
 */
#ifndef IO_NFQ_H
#define IO_NFQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/counters.h"

/* Packets that one nfq_receive() can return. */
#define NFQ_BATCH 32

struct nfq;

struct nfq_packet {
	const uint8_t *data;    /* from the IP header on */
	size_t len;             /* captured; may be less than the IP length */
	uint32_t id;
	bool checksum_known;    /* verified by the kernel, or to be filled in by a device */
	bool local;             /* made by this machine (output hook) */
};

/*
 * Binds queue `number`.  When it is full the kernel drops packets, also those that would pass:
 * most belong to flows that are proxied, and the server must not get these.  NULL on failure,
 * with one line in `err` and errno: EBUSY if another process has the queue.
 */
struct nfq *nfq_new(uint16_t number, struct counters *counters, char *err, size_t err_len);
void nfq_free(struct nfq *q);
int nfq_fd(const struct nfq *q);

/*
 * Takes up to NFQ_BATCH packets that are waiting, and no more than are there.  Returns
 * how many (0: none left), or -errno when the socket is broken.  Their memory stays
 * valid until the next call.
 */
int nfq_receive(struct nfq *q, struct nfq_packet out[NFQ_BATCH]);
/*
 * Verdicts on all `n` packets of the last batch: bit i of `pass` set lets packet i go
 * on, otherwise it is dropped.
 */
void nfq_verdict(struct nfq *q, const struct nfq_packet *packets, int n, uint32_t pass);

#endif
