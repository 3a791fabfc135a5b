/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The addresses of this machine's interfaces, followed over rtnetlink.
 *
 * Lives on an event base and runs on its thread.  It only notes and tells; what a missing
 * address means is the caller's business.
 */
#ifndef IO_ADDRWATCH_H
#define IO_ADDRWATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"

struct addrwatch;
struct event_base;

/*
 * Begins to watch; `changed` is called from the loop after addresses came or went.  NULL on
 * failure, with one line in `err`.
 */
struct addrwatch *addrwatch_new(struct event_base *base, void (*changed)(void *ctx), void *ctx,
				char *err, size_t err_len);
/* NULL is allowed. */
void addrwatch_free(struct addrwatch *w);
/* Whether an interface of this machine has the address. */
bool addrwatch_has(const struct addrwatch *w, const struct ip_addr *addr);
/* Whether one had it since addrwatch_new(), and none has it now. */
bool addrwatch_lost(const struct addrwatch *w, const struct ip_addr *addr);

#endif
