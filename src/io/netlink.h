/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Questions to the kernel over netlink that are waited for: one message with its answer, or a
 * whole list.  For start, end and what is looked at now and then; what is sent per packet or
 * per flow has sockets of its own that nobody waits for (nfq.c, flowset.c).
 */
#ifndef IO_NETLINK_H
#define IO_NETLINK_H

#include <libmnl/libmnl.h>
#include <stddef.h>

/*
 * A socket for netlink_ask().  `bus` is NETLINK_ROUTE or NETLINK_NETFILTER.  NULL with errno on
 * failure; the caller closes it with mnl_socket_close().
 */
struct mnl_socket *netlink_open(int bus);

/*
 * Sends `len` bytes, one message or a batch, of which one message asks for an acknowledgement
 * (NLM_F_ACK).  Returns the kernel's answer, 0 or -errno; -EPROTO if it is not one.
 */
int netlink_ask(struct mnl_socket *nl, const void *message, size_t len);

/*
 * Has the kernel list what `request` asks for, with the flags of a dump added, on a socket of its
 * own.  `on_message` gets each entry with `ctx`; MNL_CB_ERROR, with errno, ends the list.  0, or
 * -errno, and the list was not read to its end; -EINTR: it changed meanwhile.
 */
int netlink_dump(int bus, struct nlmsghdr *request, mnl_cb_t on_message, void *ctx);

#endif
