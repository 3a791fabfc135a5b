/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of src/proxy share among themselves.  Nobody else includes it.
 *
 * A session is touched by whatever happens to it, which puts it on the proxy's dirty
 * list, once; everything that follows from what happened is done in session_flush().
 */
#ifndef PROXY_SESSION_H
#define PROXY_SESSION_H

#include "base/list.h"
#include "base/log.h"
#include "base/recent.h"
#include "base/stream.h"
#include "base/timer.h"
#include "proxy/flowtable.h"
#include "proxy/limits.h"
#include "proxy/proxy.h"
#include "proxy/services.h"
#include "proxy/shard.h"
#include "proxy/stateless.h"

/* Pieces of in-order payload that wait, in place, for the end of the batch. */
#define SESSION_PENDING_MAX 64
/* Enough of a SYN to be quoted in an ICMP error. */
#define SESSION_SYN_MAX 128
/* How long stray packets of a flow that ended without TIME-WAIT are answered. */
#define SESSION_CLOSED_FLOW_US 5000000u
/* A client that is done leaves bytes that the server does not read: how long the
 * session waits for the next of them to go. */
#define SESSION_LINGER_US 900000000u
/* When to try again to read from the server after memory ran short. */
#define SESSION_MEMORY_RETRY_US 50000u

enum session_state {
	SESSION_CONNECTING,     /* to the server */
	SESSION_HANDSHAKE,      /* server connected, client's handshake not complete */
	SESSION_ESTABLISHED,
	SESSION_CLOSING,        /* a stream ended, in one direction or both */
	SESSION_ABORTED,        /* reset; the client's side may still have to be told */
	SESSION_DONE,           /* to be freed by the next flush */
	SESSION_STATES,
};

/* In-order payload inside captured packets.  A session has one only between the first
 * byte of a batch and the flush, so that an idle session does not pay for it. */
struct relay_pending {
	struct list link;
	int count;
	struct iovec iov[SESSION_PENDING_MAX];
};

struct proxy {
	const struct proxy_config *config;
	const struct proxy_ops *ops;
	void *ops_ctx;
	const struct packet_sink *sink;
	struct counters *counters;
	struct pool pool;
	struct mptcp_env env;
	struct services services;
	struct flowtable flows;
	struct timer_heap timers;
	struct list sessions;           /* oldest first */
	struct list dirty;
	struct list free_pending;       /* struct relay_pending, for reuse */
	uint32_t session_count;
	struct proxy_load *load;        /* of all workers */
	struct proxy_load own_load;     /* that of a proxy which is alone */
	uint32_t absent_endpoints;      /* bit i: config->endpoints[i] */
	struct list *tell_next;         /* the next session to be told of a change, or NULL */
	uint64_t files_short_until_us;  /* the system had no socket left */
	uint64_t evict_due_us;          /* evict.c */
	uint64_t sequence;              /* of the last session number */
	uint32_t worker, workers;
	uint32_t generation;            /* of the last SYN handed over, shard.c */
	struct stateless stateless;
	struct recent passed;           /* SYNs that are the server's own */
	bool draining;
	bool device_down;               /* nothing that is sent leaves */
};

struct session {
	struct proxy *proxy;
	struct list link;               /* proxy->sessions */
	struct list dirty;              /* proxy->dirty */
	struct timer_node timer;
	struct token_entry token;
	uint64_t id;
	enum session_state state;
	bool half_open;                 /* counted as such */
	char service[32];
	enum proxy_handshake handshake;
	struct ip_endpoint client, server_addr;
	uint64_t created_us;

	struct mptcp_conn *conn;
	bool conn_closed;               /* only status may still look at `conn` */
	bool accepted;                  /* mptcp_accept() was called */
	bool client_up;                 /* data may flow */
	bool client_fin;                /* the client's stream is complete */
	bool forget_flows;              /* its packets belong to the kernel from now on */

	void *server;                   /* handle, or NULL */
	bool server_up;
	bool server_eof, server_shut;   /* read to the end; written to the end */
	bool want_readable, want_writable;      /* as last asked for */
	int server_error;               /* errno found while relaying; 0: none */
	bool server_lost;               /* failed after its end; the client may not have all yet */
	bool reset;                     /* did not end by two FINs */
	const char *aborted;            /* why we reset it; NULL: we did not */
	uint64_t connect_deadline_us, linger_deadline_us, retry_us;

	/* client to server: first `overflow`, then `pending` */
	struct relay_pending *pending;  /* or NULL; never empty */
	struct stream overflow;         /* while not empty, nothing is added to `pending` */
	size_t consumed;                /* written, mptcp_consumed() not yet told */

	/* server to client */
	bool read_blocked;              /* until MPTCP_EVENT_SENDABLE */
	size_t read_chunk;              /* how much to ask for at once */

	uint64_t bytes_to_server, bytes_to_client;
	uint64_t progress, progress_us; /* when last looked at, evict.c; 0: not */

	uint32_t syn_seq;
	uint8_t syn_len;
	uint8_t syn[SESSION_SYN_MAX];
};

/* ---- proxy.c ---------------------------------------------------------------- */

/* Emits a TCP packet without payload in answer to one that came as `rx`. */
void proxy_emit_answer(struct proxy *proxy, const struct flow_tuple *rx,
		       struct tcp_header *h);
/* Takes an old or unused flow out of the table; it is not caught any more. */
void proxy_forget_flow(struct proxy *proxy, struct flow *f);

enum packet_origin {
	PACKET_CAPTURED,
	PACKET_HANDED,          /* by the worker with which it came in: begins no session */
	PACKET_RETURNED,        /* by its supposed owner: is not handed over again */
};

/* What proxy_packet() does, without counting what is passed. */
enum proxy_verdict proxy_dispatch(struct proxy *proxy, const uint8_t *data, size_t len,
				  bool checksum_known, enum packet_origin origin,
				  uint64_t now_us);

/* ---- session.c -------------------------------------------------------------- */

/*
 * Begins a session for the MP_CAPABLE SYN `p`, whose IP packet is `data`.  Returns 0,
 * or -errno; then nothing is left behind and the SYN is to be passed on.  `drawn` is NULL,
 * or what the SYN was answered with already, statelessly; then `data` may be NULL.
 */
int session_begin(struct proxy *proxy, const struct proxy_service *service,
		  const struct packet *p, const uint8_t *data, size_t len,
		  const struct mptcp_drawn *drawn, uint64_t now_us);
/* A packet of one of its subflows. */
enum proxy_verdict session_packet(struct session *s, struct mptcp_subflow *sf,
				  const struct packet *p, uint64_t now_us);
void session_join(struct session *s, const struct packet *p, uint64_t now_us);
void session_touch(struct session *s);
void session_timeout(struct session *s, uint64_t now_us);
/* Does all that is due; may free the session. */
void session_flush(struct session *s, uint64_t now_us);
/* Resets both sides, as far as they know of each other, and frees the session at once. */
void session_kill(struct session *s, const char *why, uint64_t now_us);
const char *session_state_name(enum session_state state);

/* ---- endpoints.c ------------------------------------------------------------ */

/* Tells the session's client which addresses it may join now. */
void session_tell_endpoints(struct session *s, uint64_t now_us);
/* All sessions have to be told, bit by bit. */
void endpoints_changed(struct proxy *proxy);
/* One of them is told, or will not be there any more. */
void endpoints_forget(struct proxy *proxy, struct session *s);
void endpoints_tell_some(struct proxy *proxy, uint64_t now_us);

/* ---- relay.c ---------------------------------------------------------------- */

void relay_init(struct session *s);
void relay_fini(struct session *s);
/* Frees what is kept for reuse. */
void relay_free_spares(struct proxy *proxy);
/* The mptcp_deliver_fn of every session. */
void relay_deliver(void *owner, const uint8_t *data, size_t len, bool transient);
/* Forgets what was not yet written to the server. */
void relay_discard(struct session *s);
/* Writes what points into the batch's packets; nothing does afterwards. */
void relay_write_pending(struct session *s);
/* Writes what had to be copied, as far as the server takes it. */
void relay_write_overflow(struct session *s);
/* Reads from the server into the connection's send queue. */
void relay_read(struct session *s, uint64_t now_us);
/* Asks for the readiness that the session can make use of. */
void relay_update_want(struct session *s);
static inline bool relay_drained(const struct session *s)
{
	return !s->pending && !stream_len(&s->overflow);
}

#endif
