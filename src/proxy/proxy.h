/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The proxy of one worker: what happens to each packet, and sessions, which pair
 * an MPTCP connection of a client with a TCP connection to the server.
 *
 * Sans-I/O like the layers below: packets enter by proxy_packet(), server events by
 * proxy_server_*(), time by proxy_timeout(); packets leave through a packet_sink and
 * everything else through struct proxy_ops, which src/io implements on a kernel and
 * tests/sim in virtual time.  The proxy owns sessions, the flow table (tuple to
 * subflow, TIME-WAIT entries), the token table and the timer heap.
 *
 * One loop turn of the caller:
 *
 *	proxy_packet() for each captured packet of a batch, keeping the batch's memory
 *	proxy_server_ready() for each server socket that became ready
 *	proxy_timeout() if proxy_deadline() has come
 *	proxy_flush()            writes what was relayed, sends what is due, frees the dead
 *	(now the batch's memory may be reused)
 *
 * Several workers have a proxy each, on a thread each.  They share a struct proxy_load, and
 * exchange messages about flows that come in with one and belong to another (shard.h);
 * how a message gets there is the caller's business.
 *
 * Files: proxy.c (life, dispatch of packets), shard.c (several workers), session.c (one
 * session's life), relay.c (bytes between the two sides), endpoints.c (which addresses clients
 * are told of), stateless.c (SYNs answered without one), evict.c (sessions ended for want of
 * memory), robbed.c (clients whose options get lost), flowtable.c, services.c, limits.c.
 */
#ifndef PROXY_PROXY_H
#define PROXY_PROXY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/addr.h"
#include "base/counters.h"
#include "base/pool.h"
#include "mptcp/mptcp.h"
#include "proxy/robbed.h"

struct proxy;
struct session;

enum proxy_handshake { PROXY_CONNECT_FIRST, PROXY_ACCEPT_FIRST };
enum proxy_source { PROXY_SOURCE_CLIENT, PROXY_SOURCE_GATEWAY };

struct port_range { uint16_t first, last; };

/* One [service] section: which destinations are proxied, and how. */
struct proxy_service {
	char name[32];
	struct ip_prefix *prefixes;
	size_t prefix_count;
	struct port_range *ports;
	size_t port_count;
	bool upstream_original;         /* else `upstream` */
	struct ip_endpoint upstream;
	enum proxy_handshake handshake;
	enum proxy_source source;
	struct mptcp_config mptcp;
};

/* One [endpoint] section: an address that clients are told of with ADD_ADDR. */
struct proxy_endpoint {
	char name[32];
	struct mptcp_endpoint ep;
};
#define PROXY_ENDPOINTS_MAX (MPTCP_LOCAL_MAX / 2)

struct proxy_config {
	struct proxy_service *services;
	size_t service_count;
	struct proxy_endpoint endpoints[PROXY_ENDPOINTS_MAX];
	size_t endpoint_count;
	uint32_t absent_endpoints;      /* bit i: the address of endpoints[i] is gone from this
					 * machine; see proxy_set_absent() */
	/* Limits on the number of sessions; 0: unlimited. */
	uint32_t max_connections;       /* in all */
	uint32_t max_half_open;         /* with a handshake not complete on either side */
	uint32_t stateless_half_open;   /* so many of them: answer SYNs statelessly, see
					 * stateless.h; UINT32_MAX: never */
	uint32_t max_per_source;        /* per client address */
	size_t memory_bytes;            /* payload held, see base/pool.h */
	uint64_t connect_timeout_us;    /* server silent for so long: give up */
};

/* The verdict on a captured packet. */
enum proxy_verdict {
	PROXY_TAKE,             /* it is ours: drop it from the kernel's path */
	PROXY_PASS,             /* untouched, and the flow is not caught any more */
	PROXY_PASS_KEEP,        /* untouched (ICMP errors and the like) */
};

/*
 * What is counted for all workers together, so that the limits are the daemon's and not a
 * worker's.  A worker looks first and counts then: each may exceed a limit by one.
 */
struct proxy_load {
	_Atomic uint32_t sessions, half_open;
	struct pool_budget memory;
	struct robbed robbed;
};

enum proxy_message_kind {
	PROXY_MESSAGE_PACKET,   /* of a flow that the receiver has, or begins */
	PROXY_MESSAGE_RETURNED, /* the receiver of that packet has no such flow */
	PROXY_MESSAGE_GONE,     /* the flow is no more */
};

/* From one worker's proxy to another's, see shard.h. */
struct proxy_message {
	enum proxy_message_kind kind;
	uint16_t from;                  /* worker */
	bool checksum_known;            /* of the packet, as in proxy_packet() */
	uint32_t generation;
	struct flow_tuple tuple;        /* as packets come in */
	const uint8_t *data;            /* a packet, if len is not 0 */
	size_t len;
};

/*
 * What the proxy asks of its surroundings.  `server` is the handle that
 * server_open() returned.  No call may call back into the proxy.
 */
struct proxy_ops {
	/*
	 * Begins a connection to `to`, from address (and if free, port) `from`, or from the
	 * gateway's own address if `from` is NULL.  Returns a handle and 0, or -errno.  The
	 * outcome comes as proxy_server_connected(), later, also if it is known at once.
	 */
	int (*server_open)(void *ctx, struct session *session, const struct ip_endpoint *from,
			   const struct ip_endpoint *to, void **server);
	/* As writev()/readv() on a non-blocking socket, but -errno on failure. */
	ssize_t (*server_writev)(void *ctx, void *server, const struct iovec *iov, int n);
	ssize_t (*server_readv)(void *ctx, void *server, const struct iovec *iov, int n);
	/* Whether the server is known to have ended its stream, so that reading on until 0
	 * is worth a call.  May be NULL. */
	bool (*server_ended)(void *ctx, void *server);
	/* Which readiness to report by proxy_server_ready(), level-triggered.  After the end of
	 * the server's stream a failure comes as proxy_server_lost(), unasked. */
	void (*server_want)(void *ctx, void *server, bool readable, bool writable);
	/* shutdown(SHUT_WR). */
	void (*server_shutdown)(void *ctx, void *server);
	/* Closes the handle; with `reset`, so that the server sees a RST. */
	void (*server_close)(void *ctx, void *server, bool reset);
	/* The flow need not be caught any more (batched by the implementation). */
	void (*flow_forget)(void *ctx, const struct flow_tuple *tuple);
	/* Emits a packet that is not TCP (ICMP errors). */
	void (*emit_raw)(void *ctx, const uint8_t *data, size_t len);
	/* The MTU of the route to a client, 0 if it is not known.  May be NULL. */
	uint32_t (*route_mtu)(void *ctx, const struct ip_addr *to);
	void (*random)(void *ctx, void *buf, size_t len);

	/* With several workers; else all of these may be NULL. */

	/*
	 * Takes a copy of the message, for worker `to`.  Those to one worker arrive in order.
	 * False: there is no room; only PROXY_MESSAGE_PACKET may fail.
	 */
	bool (*send)(void *ctx, uint16_t to, const struct proxy_message *m);
	/* A connection with this token came into being here, or is no more. */
	void (*token_known)(void *ctx, uint32_t token, bool known);
	/* Whether `worker` has told that it has a connection with this token; true in doubt. */
	bool (*token_elsewhere)(void *ctx, uint16_t worker, uint32_t token);
	/* Adds `change` to the sessions of a client address in all workers; returns how many
	 * there are then. */
	uint32_t (*source_sessions)(void *ctx, const struct ip_addr *addr, int change);
};

/*
 * `config` is borrowed and must outlive the proxy or be replaced with
 * proxy_set_config(); sessions copy what they need.  NULL when out of memory.
 */
struct proxy *proxy_new(const struct proxy_config *config, const struct proxy_ops *ops,
			void *ops_ctx, const struct packet_sink *sink,
			struct counters *counters);
/* Resets every session (the peers are told) and frees everything.  Flows are not
 * forgotten one by one: whoever stops catching drops them all. */
void proxy_free(struct proxy *proxy, uint64_t now_us);
/*
 * New sessions follow `config` from now on; existing ones keep theirs.  Returns 0, or
 * -ENOMEM: then the old one stays in force and must be kept.
 */
int proxy_set_config(struct proxy *proxy, const struct proxy_config *config);
/* As config->absent_endpoints, when addresses come and go later: clients are told. */
void proxy_set_absent(struct proxy *proxy, uint32_t absent);
/*
 * Makes session numbers and tokens distinct from those of the other `count` - 1 proxies
 * of this process: both leave the remainder `index`.  `load` is common to them, and
 * borrowed.  To be called before the first packet; without it the proxy is alone.
 */
void proxy_set_worker(struct proxy *proxy, uint32_t index, uint32_t count,
		      struct proxy_load *load);

/*
 * One captured packet of `len` bytes, which is less than its IP length if it was not
 * captured whole.  `data` must stay valid and unchanged until proxy_flush().
 * `checksum_known` tells that the TCP checksum was verified or is to be filled in by
 * the device; otherwise it is verified here.  Counts what is passed and what is wrong
 * with packets; the packets themselves and their bytes are the caller's to count.
 */
enum proxy_verdict proxy_packet(struct proxy *proxy, const uint8_t *data, size_t len,
				bool checksum_known, uint64_t now_us);

/* A message that another worker's proxy sent; its data as with proxy_packet(). */
void proxy_message(struct proxy *proxy, const struct proxy_message *m, uint64_t now_us);

/*
 * The outcome of server_open(): 0 or the errno of connect(), positive.  Like
 * proxy_server_ready(), it must not come after server_close().
 */
void proxy_server_connected(struct session *session, int error, uint64_t now_us);
/* The server connection is readable and/or writable (errors and hang-ups are both). */
void proxy_server_ready(struct session *session, bool readable, bool writable,
			uint64_t now_us);
/* The server connection, whose stream was read to the end, has failed: nobody asks for its
 * readiness any more. */
void proxy_server_lost(struct session *session);

/* When proxy_timeout() and proxy_flush() must be called at the latest; 0: at once,
 * because something is left to do. */
uint64_t proxy_deadline(const struct proxy *proxy);
void proxy_timeout(struct proxy *proxy, uint64_t now_us);
void proxy_flush(struct proxy *proxy, uint64_t now_us);

/* Whether what is sent leaves; while it does not, SYNs are passed on. */
void proxy_set_device(struct proxy *proxy, bool up);
/* No new sessions: SYNs are passed on.  Done when proxy_session_count() is 0. */
void proxy_drain(struct proxy *proxy);
size_t proxy_session_count(const struct proxy *proxy);

/* ---- status ----------------------------------------------------------------- */

/* Whom a session serves, for status; pointers live until the next proxy call. */
struct session_info {
	uint64_t id;                    /* unique per process, never reused */
	struct ip_endpoint client, server;
	const char *service;
	const char *state;              /* "connecting", "established", "closing", ... */
	uint64_t created_us;
	uint64_t bytes_to_server, bytes_to_client;
	const struct mptcp_conn *conn;  /* subflows and all the rest, also when closed */
};
/* Calls `each` for every session until it returns false. */
void proxy_sessions(const struct proxy *proxy, bool (*each)(void *ctx, const struct session_info *),
		    void *ctx);
const struct counters *proxy_counters(const struct proxy *proxy);
/* Payload memory in use, bytes. */
size_t proxy_memory(const struct proxy *proxy);

#endif
