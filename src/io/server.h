/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections to servers: non-blocking kernel TCP sockets, opened from the client's own
 * address where asked (IP_TRANSPARENT).  They implement the server_* part of struct
 * proxy_ops, with an event base and a clock that the worker lends.
 *
 * No function here calls into the proxy; only the event loop does.
 */
#ifndef IO_SERVER_H
#define IO_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/addr.h"
#include "base/counters.h"
#include "base/hash.h"

struct event_base;
struct server;
struct session;

/* What all server connections of a worker share; fields belong to the worker. */
struct server_env {
	struct event_base *base;
	struct counters *counters;
	uint64_t (*now_us)(void *ctx);  /* the latched clock, for the proxy */
	void *ctx;
	struct server *connecting;      /* a hash, of those whose outcome is not yet known */
	struct hash_key key;
	size_t open_count;
	int lost_fd;                    /* an epoll of those that are to be read no more */
	struct event *lost_event;
};

/* 0 or -errno. */
int server_env_init(struct server_env *env, struct event_base *base, struct counters *counters,
		    uint64_t (*now_us)(void *ctx), void *ctx);

/* Of an environment that is zeroed, too. */
void server_env_fini(struct server_env *env);

/*
 * As in struct proxy_ops.  The outcome comes from the event loop, never from within; but that
 * this machine has no room for another connection is an error of the call.
 */
int server_open(struct server_env *env, struct session *session, const struct ip_endpoint *from,
		const struct ip_endpoint *to, struct server **out);
ssize_t server_writev(struct server *s, const struct iovec *iov, int n);
ssize_t server_readv(struct server *s, const struct iovec *iov, int n);
/* Whether the server's FIN has come, perhaps behind bytes that are still to be read. */
bool server_ended(const struct server *s);
void server_want(struct server *s, bool readable, bool writable);
void server_shutdown(struct server *s);
void server_close(struct server *s, bool reset);

/*
 * This machine found the server unreachable while connecting from a client's address: it
 * tells the client, where the error means nothing, instead of the socket.  `tuple` is of
 * the packet that could not be sent, `error` an errno.  True if a connection was waiting
 * for it; its outcome follows from the event loop.
 */
bool server_unreachable(struct server_env *env, const struct flow_tuple *tuple, int error);

#endif
