/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The TUN device: how packets of the user-space stack leave.  The kernel routes them,
 * cuts super-segments and fills in checksums (virtio-net header).
 */
#ifndef IO_TUN_H
#define IO_TUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/counters.h"
#include "wire/sink.h"

struct tun;

/*
 * Creates the device `name` and brings it up, as the first of `queues`; or opens one more
 * queue of a device that was created so, if `first` is false.  It disappears with the last
 * descriptor.  NULL on failure, with one line in `err`.
 */
struct tun *tun_new(const char *name, unsigned queues, bool first, struct counters *counters,
		    char *err, size_t err_len);
/*
 * Lowers the priority of the kernel's threads that forward what goes to a device of this
 * name, when all its queues are open; in other network namespaces, too.  Those that have
 * been given another priority already, or that the process may not see or change, are left
 * as they are.
 */
void tun_settle_threads(const char *device);
void tun_free(struct tun *t);
int tun_fd(const struct tun *t);

/* The sink for TCP; `ctx` is the struct tun. */
void tun_emit(void *ctx, const struct packet_out *p);
/* One finished packet that is not TCP (an ICMP error), checksums and all. */
void tun_emit_raw(struct tun *t, const uint8_t *data, size_t len);
/*
 * Reads and throws away what the kernel routed to the device.  0, or -ENODEV when somebody
 * has deleted it: then its descriptor is readable for ever, and takes nothing any more.
 */
int tun_discard(struct tun *t);
/* False: somebody has taken the device down, and until it is up again nothing leaves. */
bool tun_is_up(const struct tun *t);

#endif
