/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The netfilter rules that bring clients' MPTCP packets to the interception queue, and
 * servers' answers to the transparent sockets.
 *
 * Everything lives in one nft table of this project's own, and is made and removed as a
 * whole.
 */
#ifndef DAEMON_RULESET_H
#define DAEMON_RULESET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "proxy/proxy.h"

/* In family inet; for struct worker_config too. */
#define RULESET_TABLE "mptcp_proxy"

/* How packets get into the queue. */
enum ruleset_queue {
	RULESET_QUEUE_NFT,      /* nft `queue` */
	RULESET_QUEUE_XT,       /* the xt target NFQUEUE, from within the table */
};

struct ruleset_config {
	const struct proxy_service *services;   /* borrowed during the call */
	size_t service_count;
	const struct proxy_endpoint *endpoints;    /* advertised with ADD_ADDR: joins are
						 * caught there; may be NULL */
	size_t endpoint_count;
	const char *device;             /* the TUN device */
	uint16_t queue;                 /* first NFQUEUE number */
	uint16_t queue_count;           /* as many as workers; 0 counts as 1 */
	uint32_t mark, mark_mask;       /* mark lies inside the mask */
	uint32_t flow_max;              /* size of each flow set */
	uint32_t flow_timeout_s;        /* 0: RULESET_FLOW_TIMEOUT_S */
};

#define RULESET_FLOW_TIMEOUT_S 3600
/* Of an element that only a SYN was seen of: longer than the server's answer and then the
 * client's may take, a minute each. */
#define RULESET_SYN_TIMEOUT_S 180u

/*
 * Writes the rules as `nft -f` takes them: a table that replaces an existing one.  With
 * RULESET_QUEUE_XT the one rule that nft cannot write is told in a comment.
 */
void ruleset_print(FILE *out, const struct ruleset_config *config, enum ruleset_queue how);
/* For --print-ruleset: as this machine would have it (tries, if it may). */
enum ruleset_queue ruleset_queue_detect(void);
/*
 * Has nft(8) run by a helper process from now on, see child_helper_start(); to be ended by
 * child_helper_stop().  0 or -errno.
 */
int ruleset_helper_start(void);
/*
 * Puts the rules in force, after removing what an earlier run may have left.  0, or -errno
 * with one line in `err`; then nothing is left behind.
 */
int ruleset_install(const struct ruleset_config *config, char *err, size_t err_len);
/*
 * Follows a changed configuration without losing the flow sets; only services, endpoints and
 * flow_max may differ.  0, or -errno with one line in `err`; then the old rules stay.  The sets
 * get larger where the kernel can do that, else a line in the log tells; never smaller.
 */
int ruleset_update(const struct ruleset_config *config, char *err, size_t err_len);
/*
 * Whether the table or any of its rules is gone: whoever loads a firewall anew may flush all
 * rules of the machine first, ours too.  What somebody added is left alone.  False if the
 * kernel does not tell.
 */
bool ruleset_missing(void);
/*
 * Makes such rules again, for connections of earlier configurations, too; only the flow sets
 * are empty.  0, or -errno with one line in `err`; then there are none.
 */
int ruleset_restore(const struct ruleset_config *config, char *err, size_t err_len);
/* Removes the rules, by itself, without nft(8); silent where there are none. */
void ruleset_remove(void);

#endif
