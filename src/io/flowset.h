/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's sets of flows to be caught (flows4, flows6 of the ruleset's table), as
 * seen by the daemon: the kernel adds elements by itself; here they are taken out when
 * a flow need not be caught any more, and kept from expiring while it must.
 *
 * Elements to be taken out are collected and sent as one netlink transaction; nothing waits
 * for an answer.  Errors are counted: a set that is not there is no reason to stop.
 */
#ifndef IO_FLOWSET_H
#define IO_FLOWSET_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

struct flowset;

/*
 * `table` (family inet) holds the sets, and a rule that knows by `mark` what is sent to refresh
 * an element.  NULL on failure, with one line in `err`.
 */
struct flowset *flowset_new(const char *table, uint32_t mark, char *err, size_t err_len);
void flowset_free(struct flowset *f);

/* `tuple` is in the direction of the client's packets. */
void flowset_forget(struct flowset *f, const struct flow_tuple *tuple);
/* Puts the flow (back) into its set, with a whole timeout ahead of it. */
void flowset_refresh(struct flowset *f, const struct flow_tuple *tuple);
/*
 * A flow was begun (a SYN was taken): if it is one that was forgotten lately, the removal
 * may have hit, or may yet hit, the new flow, and is undone; with the timeout of a SYN's.
 */
void flowset_confirm(struct flowset *f, const struct flow_tuple *tuple);

/* How many removals wait to be sent. */
size_t flowset_pending(const struct flowset *f);
/* Sends what waits. */
void flowset_flush(struct flowset *f);
/* Reads the kernel's answers, if any, and counts errors. */
void flowset_drain(struct flowset *f);
uint64_t flowset_errors(const struct flowset *f);

#endif
