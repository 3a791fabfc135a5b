/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One TCP endpoint (RFC 9293), without I/O: what a subflow is made of.
 *
 * The caller owns the struct, the clock and the wire.  Packets go in by
 * tcp_input(), time by tcp_timeout(); what is to be sent comes out of
 * tcp_output() and tcp_send(), one segment descriptor at a time.  The endpoint
 * keeps sequence state, retransmission records and out-of-order bytes, never the
 * payload that it sends: a record names a range of the caller's send stream by
 * 64-bit offset, and the caller keeps those bytes until they are acknowledged
 * here.
 *
 * Order of calls for one received packet:
 *
 *	tcp_input(tc, packet, now, &rx);
 *	if (rx.acceptable) { read the packet's MPTCP options }
 *	use rx.data[0 .. rx.len), then tcp_rx_pop() until it returns 0
 *	read and clear tc->events
 *	... at the end of the batch of packets ...
 *	tc->want_send = data is waiting;
 *	while (tcp_output(tc, now, max_len, &tx)) { tcp_fill_header(); put it on the wire }
 *	while (n = min(tcp_send_room(), data)) { tcp_send(); ...the same }
 *	arm a timer for tcp_deadline()
 *
 * Files: tcp.c (life and state), timers.c (deadlines), input.c (RFC 9293, 3.10.7), output.c,
 * txrec.c (retransmission records), rack.c (loss detection, RFC 8985),
 * recovery.c (fast recovery, PRR, RTO), ecn.c, pacing.c, cwv.c, mtu.c, rtt.c (RFC 6298),
 * cc.c, cc_*.c, hystart.c (RFC 9406), coupling.c (what endpoints of one connection know of
 * each other), timewait.c.
 */
#ifndef TCP_TCP_H
#define TCP_TCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/counters.h"
#include "base/list.h"
#include "base/pool.h"
#include "base/reasm.h"
#include "tcp/cc.h"
#include "tcp/coupling.h"
#include "wire/packet.h"

enum tcp_state {                /* RFC 9293, section 3.3.2 */
	TCP_CLOSED,
	TCP_SYN_SENT,
	TCP_SYN_RECEIVED,
	TCP_ESTABLISHED,
	TCP_FIN_WAIT_1,
	TCP_FIN_WAIT_2,
	TCP_CLOSE_WAIT,
	TCP_CLOSING,
	TCP_LAST_ACK,
	TCP_TIME_WAIT,
};
const char *tcp_state_name(enum tcp_state state);

enum tcp_timer {                /* in the order of being served, see timers.c */
	TCP_TIMER_DELACK,
	TCP_TIMER_REORDER,      /* RACK: until a gap counts as a loss */
	TCP_TIMER_TLP,          /* tail loss probe */
	TCP_TIMER_RTO,          /* retransmission (also of SYN, SYN/ACK and FIN) */
	TCP_TIMER_PERSIST,      /* zero-window probe */
	TCP_TIMER_KEEPALIVE,    /* probe of a peer that has been silent for long */
	TCP_TIMER_STATE,        /* end of TIME-WAIT, or of a FIN-WAIT-2 nobody owns */
	TCP_TIMER_MAX,
};

/* Duplicates of one batch that are told of; the latest, if there are more. */
#define TCP_DSACK_MAX 4

/* Upward signals, set in tc->events and cleared by the caller. */
enum tcp_event {
	TCP_EVENT_ESTABLISHED = 1u << 0,  /* handshake complete */
	TCP_EVENT_ACKED       = 1u << 1,  /* snd_una advanced or SACK brought news */
	TCP_EVENT_FIN         = 1u << 2,  /* the peer's FIN is in order; all data before it is popped */
	TCP_EVENT_RESET       = 1u << 3,  /* a valid RST ended it (now TCP_CLOSED) */
	TCP_EVENT_TIMEOUT     = 1u << 4,  /* given up after too many timeouts (now TCP_CLOSED) */
	TCP_EVENT_CLOSED      = 1u << 5,  /* both FINs exchanged: TIME_WAIT or TCP_CLOSED */
	TCP_EVENT_RTO         = 1u << 6,  /* a retransmission timeout fired */
	TCP_EVENT_SYN_AGAIN   = 1u << 7,  /* SYN-RECEIVED: the peer repeated its SYN */
	TCP_EVENT_UNANSWERED  = 1u << 8,  /* two probes of a shut window in a row were not answered */
	TCP_EVENT_ANSWERED    = 1u << 9,  /* one was, after such that were not */
};

/* Per-worker surroundings that all endpoints share. */
struct tcp_env {
	struct counters *counters;
	struct pool *pool;              /* payload kept out of order */
	struct list free_records;       /* struct tcp_record, for reuse */
	uint32_t free_record_count;
};
void tcp_env_init(struct tcp_env *env, struct counters *counters, struct pool *pool);
void tcp_env_fini(struct tcp_env *env);

struct tcp_config {
	const struct tcp_cc_ops *cc;
	uint16_t mss;                   /* what we announce, from the device's MTU */
	uint8_t rcv_wscale;             /* shift that we announce */
	bool timestamps, sack;          /* offered or accepted */
	bool pacing;                    /* see pacing.c */
	bool ecn;                       /* asked for and agreed to, see ecn.c */
	uint32_t initial_cwnd_segments; /* 10: RFC 6928 */
	uint32_t rto_min_us, rto_max_us;
	uint8_t syn_retries, retries;   /* time-outs in a row before giving up */
	uint32_t time_wait_us;
	uint32_t fin_wait2_us;          /* bound once the owner has let go */
	/* RFC 9293, section 3.8.4: silence before the first probe (0: no keepalives),
	 * time between probes, and how many of them in a row may go unanswered. */
	uint64_t keepalive_idle_us;
	uint32_t keepalive_interval_us;
	uint8_t keepalive_probes;
};
/* RFC defaults: mss 1460, scale 8, rto 200 ms to 60 s, 5 and 12 retries, 60 s;
 * keepalives after two hours, nine of them 75 s apart. */
void tcp_config_default(struct tcp_config *c);

/*
 * A range of the send stream that has been sent: one per (super-)segment, split
 * where SACK or loss splits it.  `map_*` is the DSS mapping that the segment was
 * first sent with; every retransmission carries the same one, because a receiver
 * may hold only one mapping for a stretch of the subflow (RFC 8684, section 3.3.1).
 */
struct tcp_record {
	struct list by_seq;             /* tcp_conn.records */
	struct list by_time;            /* tcp_conn.sent, oldest transmission first */
	uint32_t seq, len;              /* SSN range; a lone FIN has len 0 and `fin` */
	uint64_t offset;                /* of the first byte in the send stream */
	uint32_t map_seq;               /* where the mapping begins */
	uint16_t map_len, map_checksum;
	bool sacked, lost, retransmitted, fin;
	uint8_t transmissions;
	uint64_t sent_us;               /* latest transmission */
	uint64_t again_us;              /* first retransmission; 0: none */
};

/* A segment to put on the wire. */
struct tcp_tx {
	uint32_t seq;
	uint8_t flags;                  /* TCP_* of wire/tcp_header.h */
	uint32_t len;                   /* payload bytes, [offset, offset + len) */
	uint64_t offset;
	bool retransmission;
	bool ect;                       /* to be sent as ECN-capable */
	bool whole;                     /* not to be cut, whatever its size */
	uint32_t map_seq;               /* as in struct tcp_record; map_len 0: no payload */
	uint16_t map_len, map_checksum;
};

/* What tcp_input() found. */
struct tcp_rx {
	bool acceptable;        /* in window, not dropped: its options may be believed */
	bool ack_advanced;      /* acknowledged something new */
	bool in_sequence;       /* SEG.SEQ == RCV.NXT at arrival */
	const uint8_t *data;    /* new in-order payload, in place */
	size_t len;
	uint32_t seq;           /* sequence number of data[0] */
};

struct tcp_conn {
	struct tcp_env *env;
	struct tcp_config cfg;
	enum tcp_state state;
	uint32_t events;                /* enum tcp_event */
	uint64_t deadline_us[TCP_TIMER_MAX];
	bool active;                    /* we sent the first SYN */
	bool orphan;                    /* the owner has let go: FIN-WAIT-2 is bounded */
	bool want_send;                 /* set by the caller: it has new data waiting ... */
	bool window_shut;               /* ... and the window that it knows of is shut */
	bool accepted;                  /* SYN-RECEIVED: tcp_accept() was called */
	bool syn_due;                   /* SYN or SYN/ACK is to be sent */
	uint8_t syn_transmissions;
	uint64_t syn_sent_us;

	/* send side (RFC 9293, section 3.3.1) */
	uint32_t iss, snd_una, snd_nxt, snd_wl1, snd_wl2;
	uint32_t snd_wnd;               /* bytes, scaled */
	uint32_t snd_wnd_max;
	uint8_t snd_wscale;             /* the peer's shift */
	uint16_t mss;                   /* bytes after the 20-byte TCP header, options included */
	uint16_t option_len;            /* usual options of a data segment, set by the caller */
	uint16_t mss_spare;             /* announced less than cfg.mss, set by the caller */
	bool fin_queued, fin_sent, fin_acked;
	uint32_t fin_seq;
	struct list records, sent;
	uint32_t record_count;
	uint32_t flight_bytes;          /* sent, not yet acknowledged cumulatively */
	uint32_t sacked_bytes, lost_bytes, retrans_bytes; /* parts of flight_bytes */
	uint32_t pending_bytes;         /* lost and not yet sent again */
	uint32_t sacked_count;          /* records */
	struct tcp_record *retrans_hint; /* nothing before it is pending; NULL: the head */
	struct tcp_record *sack_hint;   /* where the last SACK block was found */
	struct tcp_sack_block sack_seen[TCP_SACK_MAX]; /* of the last ACK */
	uint8_t sack_seen_count;
	uint32_t dupacks;               /* when the peer has no SACK */
	bool tlp_due, probe_due;        /* a probe is to be sent */
	bool tlp_new;                   /* ... by tcp_send(), if the caller has new data */
	uint8_t persist_backoff;
	uint8_t unanswered;             /* timeouts in a row without a sign of life */
	bool keepalive_due;             /* a keepalive is to be sent */
	uint8_t keepalive_unanswered;   /* keepalives in a row without a sign of life */

	/* receive side */
	uint32_t irs, rcv_nxt;
	uint32_t rcv_wnd;               /* to advertise, set by tcp_set_window() */
	uint32_t rcv_adv;               /* right edge last advertised; never moves back */
	bool fin_received;              /* FIN seen, perhaps beyond a gap, at rcv_fin_seq */
	bool fin_delivered;
	uint32_t rcv_fin_seq;
	struct reasm ooo;               /* offset = rcv_offset of the byte */
	uint64_t rcv_offset;            /* rcv_nxt, extended to 64 bits */
	struct reasm_range sacks[TCP_SACK_MAX]; /* latest first (RFC 2018, section 4) */
	uint8_t sack_count;
	uint32_t rcv_wnd_max;           /* largest rcv_wnd: the buffer, for SWS avoidance */
	struct tcp_sack_block dsacks[TCP_DSACK_MAX];    /* to report, on an ACK each (RFC 2883) */
	uint8_t dsack_count;

	/* acknowledgements */
	bool ack_now;
	uint32_t ack_pending_bytes;     /* received since the last ACK sent */
	uint32_t quick_acks;            /* segments still acknowledged at once */
	uint32_t last_ack_sent;
	uint64_t challenge_window_us;   /* RFC 5961, section 7: rate limit */
	uint8_t challenge_count;

	/* options */
	bool ts_on, sack_on, wscale_on, ecn_on;
	uint32_t ts_recent, ts_offset;
	uint64_t ts_recent_us;          /* when ts_recent was set */

	/* round-trip time (RFC 6298) */
	uint32_t srtt_us, rttvar_us, rto_us;
	uint32_t min_rtt_us;
	uint64_t min_rtt_stamp_us;
	uint8_t backoff;                /* doublings of rto_us, until it is measured anew */

	/* loss detection and recovery */
	struct {
		uint64_t xmit_us;       /* RACK.xmit_ts */
		uint32_t end_seq;       /* RACK.end_seq */
		uint32_t rtt_us;
		uint32_t reo_wnd_us;
		uint8_t reo_wnd_mult, reo_wnd_persist;
		bool reordering_seen;
		bool dsack_round_set;
		uint32_t dsack_round;   /* snd_nxt when a DSACK last widened reo_wnd */
		uint32_t fack;          /* highest sequence delivered */
	} rack;
	bool tlp_out, tlp_retrans;      /* a probe is out; it repeated old data */
	bool tlp_measured;              /* a round trip was since the last one, or ever */
	uint32_t tlp_end_seq, tlp_len;
	enum {
		TCP_RECOVERY_NONE,
		TCP_RECOVERY_CWR,       /* nothing is lost; the window shrinks for ECN */
		TCP_RECOVERY_FAST,
		TCP_RECOVERY_RTO,
	} recovery;
	uint32_t recovery_end;          /* snd_nxt when recovery began */
	uint32_t prr_delivered, prr_out, recover_flight;
	/* undo (RFC 3522, RFC 4015, RFC 5682) */
	uint32_t undo_cwnd, undo_ssthresh, undo_retrans;
	uint64_t undo_us;               /* the first retransmission since; 0: none */
	bool undo_possible;
	uint32_t undo_una, undo_end;    /* what may have been sent again since is between them */
	bool frto;                      /* F-RTO under way */
	bool frto_hold;                 /* new data goes before retransmissions */
	bool fast_last;                 /* what was repaired last was found by RACK, not by a timeout */

	/* explicit congestion notification */
	bool ece_echo;                  /* every ACK carries ECE until CWR comes */
	bool cwr_due;                   /* the next new data carries CWR */
	uint32_t ecn_end;               /* ECEs up to this ACK are answered already */

	/* congestion control */
	uint32_t cwnd_bytes, ssthresh_bytes;
	bool cwnd_limited;
	uint32_t cwnd_usage_seq, max_flight_bytes; /* of the current round */
	uint64_t idle_mark_us;          /* idle time before it was accounted for */
	uint64_t last_send_us;          /* of data */
	uint64_t cc_state[16];          /* belongs to cfg.cc */
	struct tcp_coupling *coupling;  /* NULL: none */
	struct list coupling_link;
	struct {                        /* mtu.c; sizes as `mss` */
		uint16_t peer, max;     /* what the peer takes; what both ends and the route do */
		uint32_t high;          /* from here on nothing passes, as far as known */
		bool bisect;            /* the search is between `mss` and that */
		uint16_t probe;         /* the size of a probe under way; 0: none */
		uint16_t try_mss;       /* ... of one to be sent */
		uint32_t probe_seq, probe_end;
		uint64_t next_us;       /* when to look for a larger size */
	} mtu;
	struct {                        /* cwv.c */
		uint32_t round_end, delivered;  /* this round trip */
		uint32_t most[2];       /* of a round trip, lately and before */
		uint64_t turn_us;       /* when `most` moves on */
		uint64_t valid_us;      /* when half of cwnd was in use last */
	} cwv;
	uint32_t pace_bytes;            /* what pacing lets go now */
	uint64_t pace_us;               /* when that was true */

	/* statistics */
	uint64_t bytes_acked, bytes_received, bytes_retrans, bytes_dsacked;
	uint32_t segments_in, segments_out, timeouts;
};

/* The segment size that a SYN or SYN/ACK announces, or by its silence implies (RFC 9293,
 * section 3.7.1). */
uint16_t tcp_syn_mss(const struct packet *syn);

/* ---- life ----------------------------------------------------------------- */

/*
 * Begins a passive open from a received SYN: state SYN-RECEIVED.  The SYN/ACK is
 * sent by tcp_output() once tcp_accept() was called, so that the caller may hold
 * it back.  `iss` and `ts_offset` are random (RFC 6528; RFC 7323, section 5.4).
 */
void tcp_init_passive(struct tcp_conn *tc, struct tcp_env *env,
		      const struct tcp_config *cfg, const struct packet *syn,
		      uint32_t iss, uint32_t ts_offset, uint64_t now_us);
void tcp_accept(struct tcp_conn *tc, uint64_t now_us);
/* The SYN/ACK was sent before there was an endpoint (SYN cookies). */
void tcp_accept_sent(struct tcp_conn *tc);
/* Begins an active open: tcp_output() yields the SYN.  State SYN-SENT. */
void tcp_init_active(struct tcp_conn *tc, struct tcp_env *env,
		     const struct tcp_config *cfg, uint32_t iss, uint32_t ts_offset,
		     uint64_t now_us);
/* Gives back records and out-of-order bytes; the struct may then be freed. */
void tcp_fini(struct tcp_conn *tc);

/* ---- input ---------------------------------------------------------------- */

void tcp_input(struct tcp_conn *tc, const struct packet *p, uint64_t now_us,
	       struct tcp_rx *rx);
/*
 * The next in-order bytes from the reassembly queue: sets *data and *seq, advances
 * RCV.NXT past them and returns their number; 0 when there are none (then, if the
 * peer's FIN is next, it is taken and TCP_EVENT_FIN set).  The bytes stay valid
 * until the next call of any tcp_ function on `tc`.
 */
size_t tcp_rx_pop(struct tcp_conn *tc, const uint8_t **data, uint32_t *seq,
		  uint64_t now_us);
/*
 * Sending less would help others: reduces cwnd as for a loss.  In slow start ssthresh stays,
 * so that a subflow that was slowed down too early finds its window again (Paasch et al.,
 * "Experimental Evaluation of Multipath TCP Schedulers", CSWS 2014, section 3).
 */
void tcp_penalize(struct tcp_conn *tc, uint64_t now_us);
/* Sets the receive window to advertise; an opening worth telling asks for an ACK. */
void tcp_set_window(struct tcp_conn *tc, uint32_t bytes);

/* ---- output --------------------------------------------------------------- */

/*
 * The next segment that is due now other than new data: SYN, SYN/ACK,
 * retransmission, probe, FIN, ACK.  Payload of at most `max_len` bytes.  Each
 * segment must be followed by tcp_fill_header() before the next call.
 */
bool tcp_output(struct tcp_conn *tc, uint64_t now_us, uint32_t max_len,
		struct tcp_tx *tx);
/*
 * Bytes of new data that cwnd, the peer's subflow window and the pace allow now; 0 while
 * lost data waits to be sent again.  Less than a segment (or half the peer's largest
 * window) is given only when nothing is in flight: the caller never has to wait for
 * more, and decides itself whether to hold back a small tail.  As of the last
 * tcp_output(), which fills up what pacing allows.
 */
uint32_t tcp_send_room(const struct tcp_conn *tc);
/*
 * Whether what waits (`want_send`, or lost data) is held back by pacing alone: it goes
 * within moments, without an ACK having to come.  tcp_deadline() tells when.
 */
bool tcp_paced(const struct tcp_conn *tc);
/* The pace in bytes per second; UINT64_MAX: not paced. */
uint64_t tcp_pace_rate(const struct tcp_conn *tc);
/*
 * Sends new data [offset, offset + len) of the send stream: appends a record and
 * fills *tx.  `len` is at most 65535 and was allowed by tcp_send_room() or asked
 * for by tcp_mtu_probe_len().  Returns 0, or -ENOMEM.  The caller sets tx->map_checksum
 * and calls tcp_tx_set_checksum() if the connection uses DSS checksums.
 */
int tcp_send(struct tcp_conn *tc, uint64_t offset, uint32_t len, uint64_t now_us,
	     struct tcp_tx *tx);
void tcp_tx_set_checksum(struct tcp_conn *tc, struct tcp_tx *tx, uint16_t checksum);
/*
 * Fills header fields and plain options of a segment as it leaves: ports are the
 * caller's.  Everything that an outgoing ACK implies (delayed-ACK state, advertised
 * edge, a DSACK told) is taken as done.
 */
void tcp_fill_header(struct tcp_conn *tc, const struct tcp_tx *tx, uint64_t now_us,
		     struct tcp_header *h);
/* Bytes of payload per cut segment, given `option_len` bytes of options (padded). */
static inline uint32_t tcp_payload_mss(const struct tcp_conn *tc, uint32_t option_len)
{
	return tc->mss - option_len;
}
/*
 * Whether an ACK is due that must leave before any data, and without: it tells of a gap or a
 * duplicate.  Beside a mapping there is little room for that, beside timestamps, too, none, and what
 * is cut into segments would tell it with each.  And to who has no SACK it is a duplicate ACK (RFC
 * 5681, section 2).
 */
static inline bool tcp_gap_ack_due(const struct tcp_conn *tc)
{
	return tc->ack_now && (tc->ooo.bytes || tc->dsack_count);
}
/* Asks for an ACK at the next tcp_output() (MPTCP signals need one). */
void tcp_request_ack(struct tcp_conn *tc);
/* Sends a keepalive, which the peer must answer, whether one is due or not. */
void tcp_request_probe(struct tcp_conn *tc);
/* The same, but an answer that comes within a millisecond may carry it. */
void tcp_request_ack_soon(struct tcp_conn *tc, uint64_t now_us);
/*
 * Queues a FIN behind all data sent so far; no tcp_send() afterwards.
 */
void tcp_close(struct tcp_conn *tc, uint64_t now_us);
/*
 * Ends it at once: fills *tx with the RST to send (RFC 9293, section 3.10.5) and
 * goes to TCP_CLOSED.  Returns false when no RST is due (already closed).
 */
bool tcp_abort(struct tcp_conn *tc, struct tcp_tx *tx);
/* Window of bytes between snd_una and what was sent: in flight by RFC 6675's pipe. */
uint32_t tcp_pipe(const struct tcp_conn *tc);
/* The oldest stream offset that this endpoint may still have to retransmit, or
 * `none` if there is nothing outstanding. */
uint64_t tcp_oldest_offset(const struct tcp_conn *tc, uint64_t none);

/* ---- time ----------------------------------------------------------------- */

/*
 * When tcp_timeout() is to be called next, or TIMER_NEVER.  It is 0 (at once) when
 * the caller set `want_send` or `orphan` since and that needs a timer.
 */
uint64_t tcp_deadline(const struct tcp_conn *tc);
void tcp_timeout(struct tcp_conn *tc, uint64_t now_us);

/*
 * The MTU of a path or route, as `mtu_mss`: less the IP and the fixed TCP header.
 * tcp_path_mtu(): a router said "too big" (and quoted what is under way): lowers the
 * segment size for a while and sends again what does not fit.  tcp_route_mtu(): what the
 * route to the peer takes, more or less than the configuration said; it is also announced
 * if the SYN or SYN/ACK is not out yet.
 */
void tcp_path_mtu(struct tcp_conn *tc, uint16_t mtu_mss, uint64_t now_us);
void tcp_route_mtu(struct tcp_conn *tc, uint16_t mtu_mss, uint64_t now_us);
/*
 * Bytes of payload with which tcp_send() should be called next, to find out whether a
 * larger segment passes, be it more than tcp_send_room(); 0: any.  If there is less to send,
 * it may wait.
 */
uint32_t tcp_mtu_probe_len(const struct tcp_conn *tc);

/* The TCP timestamp clock of `tc` at `now_us` (milliseconds plus its offset). */
static inline uint32_t tcp_ts_now(const struct tcp_conn *tc, uint64_t now_us)
{
	return (uint32_t)(now_us / 1000) + tc->ts_offset;
}

/* Aborts the program if the counts and lists of `tc` contradict each other (tests). */
void tcp_check(const struct tcp_conn *tc);

/* ---- TIME-WAIT without an endpoint ----------------------------------------- */

/*
 * What is left of an endpoint in TIME-WAIT: enough to acknowledge a repeated FIN
 * and to tell a new SYN from an old one (RFC 9293, section 3.10.7.4; RFC 6191).
 */
struct tcp_timewait {
	uint32_t snd_nxt, rcv_nxt;
	uint32_t ts_recent, ts_offset;
	uint64_t until_us;
	bool ts_on;
	bool ts_next;                   /* a new connection would have timestamps, too */
};
void tcp_timewait_init(struct tcp_timewait *tw, const struct tcp_conn *tc,
		       uint64_t now_us);
enum tcp_timewait_action {
	TCP_TIMEWAIT_DROP,
	TCP_TIMEWAIT_ACK,               /* answer with tcp_timewait_header() */
	TCP_TIMEWAIT_END,               /* an acceptable RST: forget the entry */
	TCP_TIMEWAIT_NEW,               /* a new connection: forget and handle as SYN */
};
enum tcp_timewait_action tcp_timewait_input(struct tcp_timewait *tw,
					    const struct packet *p, uint64_t now_us,
					    uint32_t time_wait_us);
void tcp_timewait_header(const struct tcp_timewait *tw, uint64_t now_us,
			 struct tcp_header *h);

/*
 * The RST that answers a segment for which there is no connection (RFC 9293,
 * section 3.10.7.1).  Returns false if `p` is itself an RST.
 */
bool tcp_reset_for(const struct packet *p, struct tcp_header *h);

#endif
