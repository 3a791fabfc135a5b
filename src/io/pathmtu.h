/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel's routing knows of the way to a client.
 */
#ifndef IO_PATHMTU_H
#define IO_PATHMTU_H

#include <stdint.h>

#include "base/addr.h"

/* Answers that are kept, one for each remainder of a client's address. */
#define PATHMTU_CACHE 64

struct pathmtu_answer {
	struct ip_addr to;
	uint32_t mtu;
	uint64_t until_us;              /* 0: no answer */
};

struct pathmtu {
	int fd4, fd6;                   /* datagram sockets that never send; -1: none */
	struct pathmtu_answer cache[PATHMTU_CACHE];
};

/* Cannot fail: without sockets nothing is known. */
void pathmtu_init(struct pathmtu *pm);
void pathmtu_fini(struct pathmtu *pm);
/*
 * The MTU of the route to `to`, as large as the kernel knew it to be within the last second;
 * 0: not known.
 */
uint32_t pathmtu_of(struct pathmtu *pm, const struct ip_addr *to, uint64_t now_us);

#endif
