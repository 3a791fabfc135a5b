/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel's routing knows of the way to a client.
 */
#ifndef IO_PATHMTU_H
#define IO_PATHMTU_H

#include <stdint.h>

#include "base/addr.h"

struct pathmtu {
	int fd4, fd6;                   /* datagram sockets that never send; -1: none */
};

/* Cannot fail: without sockets nothing is known. */
void pathmtu_init(struct pathmtu *pm);
void pathmtu_fini(struct pathmtu *pm);
/* The MTU of the route to `to`, as large as the kernel knows it to be; 0: not known. */
uint32_t pathmtu_of(const struct pathmtu *pm, const struct ip_addr *to);

#endif
