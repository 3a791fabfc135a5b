/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One Multipath TCP connection (RFC 8684; RFC 6824 for version 0), without I/O.
 * Sections named alone are those of RFC 8684, which RFC 6824 shares but where it is said.
 *
 * A connection owns its subflows, the send queue that they share, and what
 * arrived before its turn.  The caller owns clocks, wires and tables: it finds the
 * subflow that a packet belongs to and passes both in.
 *
 *	mptcp_input(conn, subflow, packet, now)     for each packet
 *	... at the end of the batch ...
 *	read and clear conn->events
 *	mptcp_output(conn, sink, now)
 *	while ((sf = mptcp_reap(conn))) { forget sf; mptcp_subflow_free(sf); }
 *	arm a timer for mptcp_deadline(conn); on expiry mptcp_timeout(), then as above
 *
 * Data for the peer is put in place by mptcp_send_reserve()/mptcp_send_commit().
 * Data from the peer is offered in place to `deliver`, the only callback; the
 * consumer takes all of it and later reports, with mptcp_consumed(), how much has
 * left its hands, which opens the shared receive window again.
 *
 * When options do not survive the path, the connection falls back to plain TCP on
 * its only subflow (RFC 8684, section 3.7) and the same calls go on to work.
 *
 * Stream offsets are data sequence numbers, also after a fallback.
 *
 * Files: conn.c (life, state, closing), handshake.c (MP_CAPABLE, MP_JOIN), recv.c
 * (DSS in), send.c (DSS out, reinjection), sched*.c, hoard.c, buffers.c, fallback.c (plain
 * TCP, MP_FAIL, infinite mappings), told.c (what came before once more), options.c (which
 * options go on a segment), path.c (priorities, subflow death), address.c (ADD_ADDR,
 * REMOVE_ADDR, and the ACKs that carry such signals), timers.c, crypto.c.
 */
#ifndef MPTCP_MPTCP_H
#define MPTCP_MPTCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/list.h"
#include "base/reasm.h"
#include "base/stream.h"
#include "mptcp/sched.h"
#include "tcp/tcp.h"
#include "wire/packet.h"
#include "wire/sink.h"

/* Connection states: the data-level analogue of TCP's (RFC 8684, section 3.3.3). */
enum mptcp_state {
	MPTCP_SYN_SENT,
	MPTCP_SYN_RECEIVED,
	MPTCP_ESTABLISHED,
	MPTCP_FIN_WAIT_1,       /* our DATA_FIN is out */
	MPTCP_FIN_WAIT_2,       /* ... and acknowledged */
	MPTCP_CLOSE_WAIT,       /* the peer's DATA_FIN came */
	MPTCP_CLOSING,
	MPTCP_LAST_ACK,
	MPTCP_TIME_WAIT,        /* both DATA_FINs acknowledged; subflows are closing */
	MPTCP_FASTCLOSE_WAIT,   /* MP_FASTCLOSE sent, waiting for the peer's RST */
	MPTCP_CLOSED,
};
const char *mptcp_state_name(enum mptcp_state state);

enum mptcp_mode {
	MPTCP_MODE_PENDING,     /* handshake not complete */
	MPTCP_MODE_MPTCP,
	MPTCP_MODE_FALLBACK,    /* plain TCP on one subflow */
};

/* Upward signals in conn->events. */
enum mptcp_event {
	MPTCP_EVENT_ESTABLISHED = 1u << 0,  /* data may flow (MPTCP or fallback) */
	MPTCP_EVENT_SENDABLE    = 1u << 1,  /* room in the send queue again */
	MPTCP_EVENT_FIN         = 1u << 2,  /* the peer's stream is complete and delivered */
	MPTCP_EVENT_RESET       = 1u << 3,  /* ended by the peer (MP_FASTCLOSE, RST) or by errors,
					     * before both streams were complete */
	MPTCP_EVENT_CLOSED      = 1u << 4,  /* nothing more will be sent or delivered; subflows
					     * left are in TIME-WAIT: conn may be freed */
	MPTCP_EVENT_FALLBACK    = 1u << 5,
	MPTCP_EVENT_DEAD        = 1u << 6,  /* mptcp_reap() has subflows to give back */
	MPTCP_EVENT_PLAIN_SYN   = 1u << 7,  /* the client repeated its SYN without MP_CAPABLE */
	MPTCP_EVENT_ROBBED      = 1u << 8,  /* broken, because the path of `robbed_addr` takes
					     * options off: reset, or without a subflow */
	MPTCP_EVENT_ADDRESS     = 1u << 9,  /* the peer announced or withdrew an address */
};

/* Bits of mptcp_config.versions. */
#define MPTCP_VERSION_BIT(version) (1u << (version))
#define MPTCP_VERSIONS 2                /* 0: RFC 6824, 1: RFC 8684 */

struct mptcp_config {
	struct tcp_config tcp;          /* tcp.mss for IPv4; IPv6 has 20 less */
	uint8_t versions;               /* that are spoken, at least one; the highest is offered */
	const struct mptcp_sched_ops *sched;
	bool checksum;                  /* ask for DSS checksums (A flag) in any case */
	bool no_join_initial;           /* C flag: no joins to our side of the first subflow */
	uint8_t max_subflows;
	uint32_t rcvbuf_initial, rcvbuf_max;    /* bytes of the shared receive window */
	uint32_t sndbuf_initial, sndbuf_max;    /* bytes not yet DATA_ACKed */
	uint64_t orphan_us;             /* how long to wait for a join without a subflow */
	uint64_t handshake_us;          /* bound from SYN to established */
	uint64_t fastclose_us;          /* bound of FASTCLOSE_WAIT */
	uint32_t probe_us;              /* longest wait between probes of a stale subflow, while
					 * another one works */
	uint64_t stale_us;              /* ... after which it is given up */
};
void mptcp_config_default(struct mptcp_config *c);

/* Surroundings shared by all connections of a worker. */
struct mptcp_env {
	struct tcp_env tcp;
	struct counters *counters;
	struct pool *pool;
	void *ctx;
	/* Fills `len` bytes from a cryptographic source. */
	void (*random)(void *ctx, void *buf, size_t len);
	/* Whether a token drawn for a new connection may be used here (unique). */
	bool (*token_usable)(void *ctx, uint32_t token);
	/* Set by the caller around a SYN that ends TIME-WAIT: the sequence number that ours
	 * must come behind (RFC 9293, section 3.6.1).  NULL: any. */
	const uint32_t *iss_after;
	struct list free_maps;          /* struct mptcp_map, for reuse */
	uint32_t free_map_count;
};
void mptcp_env_init(struct mptcp_env *env, struct counters *counters, struct pool *pool);
void mptcp_env_fini(struct mptcp_env *env);

/*
 * Takes `len` in-order bytes of the peer's stream.  They stay valid until the
 * caller's mptcp_input() batch ends, unless `transient`: then only during the call.
 */
typedef void (*mptcp_deliver_fn)(void *owner, const uint8_t *data, size_t len,
				 bool transient);

/* A DSS mapping received (RFC 8684, section 3.3.1). */
struct mptcp_map {
	struct list link;
	uint64_t dsn;
	uint64_t ssn;                   /* as an offset like tcp.rcv_offset */
	uint32_t len;                   /* of the bytes, without DATA_FIN */
	bool fin;                       /* DATA_FIN counted in the length on the wire */
	uint16_t checksum;
};

/* ---- addresses (RFC 8684, section 3.4) ---------------------------------------- */

/* Addresses of ours, withdrawn ones included, and of the peer's, that one connection knows. */
#define MPTCP_LOCAL_MAX  16u
#define MPTCP_REMOTE_MAX 8u
/* Addresses of ours that were joined and had not been announced, of which the ids are kept. */
#define MPTCP_JOINED_MAX 8u

/* An address of ours that the peer may join. */
struct mptcp_endpoint {
	struct ip_endpoint announced;   /* what the peer is told; port 0: that of the first
					 * subflow */
	struct ip_endpoint local;       /* what its joins are sent to when they arrive here
					 * (differs behind a NAT); port 0: any */
	bool backup;
	bool gone;                      /* it cannot be reached at present: as if it were not on
					 * the list, but its subflows are past saving, too */
};

enum mptcp_address_state {
	MPTCP_ADDRESS_FREE,
	MPTCP_ADDRESS_WAITING,          /* ADD_ADDR is due, or not yet echoed */
	MPTCP_ADDRESS_TOLD,             /* the peer knows it */
	MPTCP_ADDRESS_UNANSWERED,       /* never echoed: given up */
	MPTCP_ADDRESS_WITHDRAWN,        /* REMOVE_ADDR is due, or said not often enough yet */
};
const char *mptcp_address_state_name(enum mptcp_address_state state);

struct mptcp_local_address {
	struct mptcp_endpoint ep;
	enum mptcp_address_state state;
	uint8_t id;                     /* 0: our side of the first subflow */
	uint8_t sent;                   /* signals sent in this state */
	uint64_t due_us;                /* of the next one */
};

struct mptcp_remote_address {
	struct ip_endpoint ep;          /* port 0: that of the first subflow */
	uint8_t id;
	bool known;                     /* the entry is in use */
};

struct mptcp_joined_address {
	struct ip_addr addr;
	uint8_t id;                     /* 0: the entry is free */
};

/* Only there once something was announced, by either side, or joined without that. */
struct mptcp_addresses {
	struct mptcp_local_address local[MPTCP_LOCAL_MAX];
	struct mptcp_remote_address remote[MPTCP_REMOTE_MAX];
	struct mptcp_joined_address joined[MPTCP_JOINED_MAX];
	uint8_t joined_next;            /* the entry that was filled longest ago */
};

/* ---- subflows and connections --------------------------------------------------- */

/* Deadlines besides those of TCP, in the order in which they are looked at; timers.c has what
 * happens then, and in which states. */
enum mptcp_timer {
	MPTCP_TIMER_RTO,                /* data-level retransmission */
	MPTCP_TIMER_HANDSHAKE,          /* bound of the handshake */
	MPTCP_TIMER_FAIL,               /* our MP_FAIL was not answered */
	MPTCP_TIMER_LAST_FIN,           /* subflows that are not closed then, are reset */
	MPTCP_TIMER_ORPHAN,             /* no join is complete, and no other subflow left */
	MPTCP_TIMER_FASTCLOSE,          /* MP_FASTCLOSE was not answered */
	MPTCP_TIMER_FASTCLOSE_AGAIN,    /* it is due (again) */
	MPTCP_TIMER_SIGNALS,            /* some are due (address.c) */
	MPTCP_TIMER_MAX,
};
enum mptcp_subflow_timer {
	MPTCP_SUBFLOW_TIMER_JOIN_ACK,   /* active join: the third ACK is to be repeated */
	MPTCP_SUBFLOW_TIMER_WITHDRAWAL, /* we removed our address: it is closed now at the latest */
	MPTCP_SUBFLOW_TIMER_REMOVAL,    /* the peer removed its own, and is silent: reset */
	MPTCP_SUBFLOW_TIMER_MAX,
};

enum mptcp_subflow_state {
	MPTCP_SUBFLOW_HANDSHAKE,        /* until the third (join: verified) ACK */
	MPTCP_SUBFLOW_ACTIVE,
	MPTCP_SUBFLOW_CLOSING,          /* a FIN was sent or received: no new data */
	MPTCP_SUBFLOW_DEAD,             /* waits to be reaped */
};

struct mptcp_subflow {
	struct list link;               /* conn->subflows, or conn->dead */
	struct mptcp_conn *conn;
	struct tcp_conn tcp;
	struct flow_tuple rx, tx;       /* as packets come in, as they go out */
	void *owner;                    /* the caller's (flow table entry) */
	enum mptcp_subflow_state state;
	bool join;
	bool backup, peer_backup;       /* MP_PRIO/MP_JOIN B flag: ours, the peer's wish */
	bool stale;                     /* timed out, not yet heard of again */
	uint64_t stale_since_us;
	struct stream hoard;            /* what a stale subflow has to repeat, see hoard.c */
	bool confirmed;                 /* the peer has shown that it speaks MPTCP here */
	bool keys_asked;                /* active open: a SYN/ACK has come, without an answer yet */
	bool mac_sent;                  /* active join: third ACK not yet acknowledged ... */
	uint8_t mac_repeats;            /* ... and so often repeated */
	bool reset_pending;             /* an RST is to be sent */
	bool fastclose_due;             /* ... behind an ACK with MP_FASTCLOSE */
	uint8_t reset_reason, reset_flags;
	uint8_t local_id, remote_id;
	uint32_t local_nonce, remote_nonce;
	uint16_t ip_id;

	/* received mappings not yet used up, by ssn; all offsets as tcp.rcv_offset */
	uint64_t map_offset;            /* of the next subflow byte to be mapped */
	struct list maps;
	uint32_t map_count;
	uint8_t *map_buffer;            /* payload of an unfinished mapping (checksums only) */
	uint32_t map_buffered;
	struct stream held;             /* bytes that wait for a mapping or, after a wrong
					 * checksum, for the peer's fallback */
	uint64_t held_us;               /* when the last that came with a DSS began to wait */
	bool dss_here;                  /* the last packet had a DSS */

	uint32_t echoes;                /* bit i: addresses->remote[i] is to be echoed here */
	uint8_t prio_left;              /* MP_PRIO is to be sent so many times */
	uint64_t prio_due_us;
	uint8_t signals_in_row;         /* ACKs sent for signals alone, since ... */
	uint32_t signal_seq, signal_ack;        /* ... this was sent and acknowledged */
	uint64_t signal_us;             /* ... and when the last one was */
	uint64_t deadline_us[MPTCP_SUBFLOW_TIMER_MAX];
	uint64_t removal_probe_us;      /* the peer removed its address: what is heard before
					 * that proves nothing */
	uint8_t removal_probes;
	bool withdrawn_gone;            /* we removed our address, which is gone: RST, not FIN */
	bool data_acked;                /* a DATA_ACK has come this way */
	uint8_t bare_window;            /* ... since which a window probe, that with this number,
					 * was answered by an open window without one; 0: none */
	bool fail_pending;              /* MP_FAIL to be sent (again) */
	bool fail_sent;                 /* ... which it has been at least once */
	uint64_t fail_dsn;
	uint64_t last_map_dsn;          /* of the newest mapping sent here */
	bool mapped;                    /* last_map_dsn is valid */
	uint32_t whole_map_seq;         /* of the last mapping whose DSN had to be whole */
	uint32_t reinjected_records;    /* ranges sent here out of DSN order */
	uint64_t copied_to;             /* redundant: what is before was copied, or need not be */
	uint64_t penalized_us;          /* when it last was, for being in the way of others */
	uint32_t last_turn;             /* of scheduler roundrobin */

	uint64_t created_us;
	uint64_t bytes_sent, bytes_received;    /* payload, reinjections included */
};

struct mptcp_range {
	uint64_t begin, end;
};

/* How fast sequence numbers go by, for the choice of their length: see options.c. */
struct mptcp_pace {
	uint64_t begin, begin_us;       /* of the bytes that are being timed */
	bool fast;                      /* as the last ones were */
};

/* Beyond it neighbours are joined; what lies between them and is in good hands is skipped. */
#define MPTCP_REINJECT_MAX 16

struct mptcp_conn {
	struct mptcp_env *env;
	struct mptcp_config cfg;
	void *owner;
	mptcp_deliver_fn deliver;
	enum mptcp_state state;
	enum mptcp_mode mode;
	uint32_t events;
	uint8_t version;
	bool active;                    /* we opened it */
	bool checksum_on;
	bool peer_key_known;
	bool joined_once;               /* a second subflow carried data: no more fallback */
	bool mac_sent;                  /* ... or may have for the peer: it has our HMAC */
	bool peer_no_join_initial;      /* C flag (v1) */
	bool fallback_acks;             /* fell back for lack of the peer's options: ours go on,
					 * in case they still reach it and it has not noticed */
	uint64_t unmapped_us;           /* ... when unmapped data came last */
	struct mptcp_told *told;        /* what ACKs told, see told.c; or NULL */
	bool told_lost;                 /* ... of which nothing is known up to this edge */
	uint64_t told_lost_edge;
	bool robbed;                    /* options got lost after the handshake ... */
	struct ip_addr robbed_addr;     /* ... of packets from here */
	bool fallback_maps;             /* ... mappings too (not where checksums were agreed) */
	bool failed;         /* we sent MP_FAIL and wait for the peer's fallback */
	bool fail_agreed;               /* ... which it has promised */
	bool infinite_in;               /* the peer's infinite mapping: from subflow offset */
	uint64_t infinite_in_offset, infinite_in_dsn;
	bool infinite_out;              /* ours is to go on data, until that is acknowledged */
	bool infinite_sent;             /* ... which has been sent up to infinite_end */
	bool infinite_sum;              /* ... and has a checksum, of 0 */
	uint64_t infinite_dsn;
	uint32_t infinite_ssn, infinite_end;
	bool finished;                  /* MPTCP_EVENT_CLOSED was raised */
	uint64_t local_key, remote_key;
	uint32_t local_token, remote_token;
	struct flow_tuple initial;      /* of the first subflow, as packets come in */

	uint64_t deadline_us[MPTCP_TIMER_MAX];

	struct mptcp_addresses *addresses;
	uint8_t last_local_id;
	bool initial_withdrawn;         /* address 0 of ours was removed */
	uint64_t announce_next_us;      /* no ADD_ADDR before that */

	struct list subflows;
	uint8_t subflow_count;          /* on `subflows` */
	struct list dead;
	struct tcp_coupling coupling;   /* of the subflows that may carry data */
	uint32_t subflows_total;        /* ever */

	/* send side, all DSNs */
	struct stream sendq;            /* [begin, end): kept; snd_una in between */
	uint64_t snd_una, snd_nxt;
	uint64_t snd_wnd_edge;          /* DATA_ACK + window */
	uint32_t sndbuf;                /* current bound */
	uint64_t snd_progress_us;       /* when snd_una last advanced */
	uint64_t unblocked;             /* sent again early up to here, see send.c */
	struct mptcp_sched_state sched;
	bool send_blocked;              /* the caller was refused: tell it of room */
	bool fin_queued, fin_sent, fin_acked;
	bool left_out;                  /* what is next was left out by a DATA_ACK, see send.c */
	bool fin_carried;               /* the last data brought DATA_FIN along */
	struct mptcp_pace snd_pace;
	struct mptcp_range reinject[MPTCP_REINJECT_MAX];
	int reinject_count;
	uint64_t repair_end;            /* what is before may have died with a subflow, see send.c */
	uint64_t repaired;              /* ... and was sent again up to here ... */
	uint32_t repair_len;            /* ... the last time so much; 0: not since */
	uint8_t rto_backoff;
	uint8_t rto_unanswered;         /* timeouts in a row without a sign of life */

	/* receive side */
	uint64_t rcv_nxt;
	uint64_t rcv_adv;               /* right edge of the shared window */
	uint64_t rcv_told;              /* ... as segments told it, perhaps further: see recv.c */
	uint64_t rcv_whole;             /* end of what came with DSNs of 8 bytes ... */
	uint64_t acked_whole;           /* ... and the last DATA_ACK of 8 bytes: see options.c */
	uint64_t consumed;              /* DSN up to which the consumer is done */
	struct reasm ooo;
	uint32_t rcvbuf;
	uint64_t rcv_round_dsn, rcv_round_us;   /* autotuning: a window's start */
	struct mptcp_pace rcv_pace;
	bool fin_known;                 /* the peer's DATA_FIN is at fin_dsn */
	bool fin_delivered;
	uint64_t fin_dsn;

	uint8_t fastclose_sent;         /* how often */
	bool fastclose_on_rst;          /* RSTs carry MP_FASTCLOSE */
	bool fastclose_counted;         /* one was sent */

	uint64_t created_us;
	uint64_t bytes_sent, bytes_received;    /* of the streams, each byte once */
	uint64_t bytes_reinjected;
	char close_reason[32];          /* "fin", "reset", "fastclose", ... for logs */
};

/* ---- life ----------------------------------------------------------------- */

/*
 * A connection for a received MP_CAPABLE SYN; its first subflow is the first of
 * conn->subflows.  The SYN/ACK waits for mptcp_accept().  NULL when out of memory or
 * when the SYN's MP_CAPABLE cannot be served (version, flags): pass it on.
 */
struct mptcp_conn *mptcp_new_passive(struct mptcp_env *env, const struct mptcp_config *cfg,
				     const struct packet *syn, void *owner,
				     mptcp_deliver_fn deliver, uint64_t now_us);
/*
 * What our side of a connection begins with, where it is not drawn at random.  Its first
 * subflow agrees to timestamps, whatever the configuration says of them: who draws the
 * offset has a use for their echo.
 */
struct mptcp_drawn {
	uint64_t key;
	uint32_t iss, ts_offset;
};
/* The same with numbers that the caller drew. */
struct mptcp_conn *mptcp_new_passive_drawn(struct mptcp_env *env, const struct mptcp_config *cfg,
					   const struct packet *syn,
					   const struct mptcp_drawn *drawn, void *owner,
					   mptcp_deliver_fn deliver, uint64_t now_us);
/* The server answered: let the SYN/ACK go. */
void mptcp_accept(struct mptcp_conn *conn, uint64_t now_us);
/* The SYN/ACK went earlier, without a trace here: expect the third ACK. */
void mptcp_accept_sent(struct mptcp_conn *conn);
/* Opens a connection; `tx` is the tuple of outgoing packets. */
struct mptcp_conn *mptcp_new_active(struct mptcp_env *env, const struct mptcp_config *cfg,
				    const struct flow_tuple *tx, void *owner,
				    mptcp_deliver_fn deliver, uint64_t now_us);
/* Frees the connection with all its subflows, dead ones included, sending nothing. */
void mptcp_free(struct mptcp_conn *conn);

/*
 * A join for this connection: `syn` carries MP_JOIN with its token.  Returns the new
 * subflow, or NULL with *reason set for an RST with MP_TCPRST (the caller sends it
 * with mptcp_refuse_join()).
 */
struct mptcp_subflow *mptcp_join_passive(struct mptcp_conn *conn, const struct packet *syn,
					 uint64_t now_us, enum mptcp_reset_reason *reason);
/* Sends an RST, in version 1 with MP_TCPRST, in answer to `p`. */
void mptcp_refuse_join(struct counters *counters, uint8_t version, const struct packet *p,
		       enum mptcp_reset_reason reason, const struct packet_sink *sink);
/*
 * Whether to drop the SYN of a join, which is repeated then: as many are under way as may be, or
 * the connection is not established yet, so that no HMAC can be made (section 3.2).  If it need
 * not wait, one whose SYN/ACK was never answered may have given way to it.
 */
bool mptcp_join_must_wait(struct mptcp_conn *conn, uint64_t now_us);
/* Opens another subflow; NULL if the connection cannot have one now, or the peer forbade
 * joins to its address of the first subflow and `tx` leads there. */
struct mptcp_subflow *mptcp_join_active(struct mptcp_conn *conn, const struct flow_tuple *tx,
					uint8_t local_id, bool backup, uint64_t now_us);

/* ---- the three verbs, and the fourth ---------------------------------------- */

void mptcp_input(struct mptcp_conn *conn, struct mptcp_subflow *sf,
		 const struct packet *p, uint64_t now_us);
void mptcp_output(struct mptcp_conn *conn, const struct packet_sink *sink, uint64_t now_us);
void mptcp_timeout(struct mptcp_conn *conn, uint64_t now_us);
uint64_t mptcp_deadline(const struct mptcp_conn *conn);

/* The next subflow that ended, taken off the connection; the caller frees it. */
struct mptcp_subflow *mptcp_reap(struct mptcp_conn *conn);
void mptcp_subflow_free(struct mptcp_subflow *sf);

/* ---- addresses and priorities ---------------------------------------------- */

/*
 * The addresses that the peer may join from now on, at most MPTCP_LOCAL_MAX / 2.  Compared
 * with those of the call before: new ones are announced with ADD_ADDR, missing ones withdrawn
 * with REMOVE_ADDR and their subflows closed (unless no other is usable), changed priorities
 * told with MP_PRIO.  The address of the first subflow, which is id 0, is not announced, but
 * withdrawn when it was in a list and is no more.  Does nothing before the connection is
 * established or after a fallback.
 */
void mptcp_set_endpoints(struct mptcp_conn *conn, const struct mptcp_endpoint *list, size_t count,
			 uint64_t now_us);
/* Makes a subflow a backup or a regular one, and tells the peer with MP_PRIO. */
void mptcp_subflow_set_backup(struct mptcp_subflow *sf, bool backup, uint64_t now_us);

/* ---- data ----------------------------------------------------------------- */

/* Bytes that may be queued for the peer now. */
size_t mptcp_send_space(const struct mptcp_conn *conn);
/*
 * Room for at most `want` bytes at the end of the send queue, in place; returns the
 * number of pieces.  0: no room, and MPTCP_EVENT_SENDABLE will come.
 */
int mptcp_send_reserve(struct mptcp_conn *conn, size_t want, struct iovec *iov, int iov_max);
void mptcp_send_commit(struct mptcp_conn *conn, size_t len);
/* No more data will be queued: DATA_FIN (or FIN) follows the last byte. */
void mptcp_shutdown(struct mptcp_conn *conn, uint64_t now_us);
/* Ends the connection: MP_FASTCLOSE on an ACK until it is answered (RFC 8684, section 3.5,
 * option A) and on the RSTs of the other subflows, or RST after a fallback. */
void mptcp_abort(struct mptcp_conn *conn, uint64_t now_us);
/* The same at once, when nobody will be there for an answer: MP_FASTCLOSE on RSTs of all
 * subflows (option R), in version 0 on an ACK before them. The next mptcp_output() sends it. */
void mptcp_abort_now(struct mptcp_conn *conn, uint64_t now_us);
/* `len` more delivered bytes have left the consumer. */
void mptcp_consumed(struct mptcp_conn *conn, size_t len, uint64_t now_us);

/* ---- for schedulers, status and tests --------------------------------------- */

/* Whether `sf` may be given new data at all (state, not stale). */
bool mptcp_subflow_usable(const struct mptcp_subflow *sf);
/* The largest useful amount that `sf` may send now; 0 if it must wait. */
uint32_t mptcp_subflow_room(const struct mptcp_subflow *sf, uint32_t len);
const char *mptcp_subflow_state_name(enum mptcp_subflow_state state);
/* Bytes of payload memory that the connection holds, both directions. */
size_t mptcp_memory(const struct mptcp_conn *conn);
/* Aborts the program if the connection's state contradicts itself (tests). */
void mptcp_check(const struct mptcp_conn *conn);

/* Token and initial data sequence number of a key (RFC 8684, section 3.2). */
void mptcp_key_derive(uint8_t version, uint64_t key, uint32_t *token, uint64_t *idsn);

#endif
