/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of src/tcp share among themselves.  Nobody else includes this.
 */
#ifndef TCP_TCP_INTERNAL_H
#define TCP_TCP_INTERNAL_H

#include "base/seq.h"
#include "base/timer.h"
#include "tcp/tcp.h"

#define TCP_DELACK_US       40000u
/* The first segments, with which the peer opens its window, are acknowledged sooner, but so
 * that the answer of a busy server still carries the ACK. */
#define TCP_QUICK_ACKS      16u
#define TCP_QUICK_ACK_US    5000u
#define TCP_WINDOW_ENOUGH   32768u      /* more than a peer sends at first */
#define TCP_CHALLENGE_MAX   10u         /* per second and connection */
#define TCP_PAWS_EXPIRY_US  (24ull * 24 * 3600 * 1000000)
#define TCP_DUP_THRESH      3u
#define TCP_MSS_MIN         88u         /* of any peer or path: options fit, with data */
#define TCP_RTO_INITIAL_US  1000000u    /* RFC 6298, section 2 */
#define TCP_OOO_CHUNKS      1024u       /* gaps kept in reassembly */
#define TCP_CWND_MAX        (1u << 30)

/* What one ACK changed, gathered while the records are walked. */
struct tcp_ack {
	uint64_t now_us;
	uint32_t ack;
	uint32_t prior_una, prior_flight_bytes, prior_sacked_bytes;
	uint32_t acked_bytes;           /* cumulatively */
	uint32_t sacked_bytes;          /* newly SACKed */
	uint32_t delivered_bytes;       /* either, each byte once */
	bool has_ecr;
	uint32_t ecr;
	bool advanced;
	bool duplicate;                 /* RFC 5681, section 2 */
	bool not_dup;                   /* carried data or moved the window */
	uint64_t head_again_us;         /* when the first byte acknowledged was first repeated */
	bool orig_delivered;            /* something sent once, before recovery_end */
	bool congested;                 /* ECE, for a window that is not yet reduced */
	bool sack_refused;
	bool has_dsack, dsack_of_probe;
	struct tcp_sack_block dsack;
	uint64_t oldest_sent_us;        /* of what was sent once; 0: none */
	uint64_t newest_sent_us;
};

static inline uint32_t tcp_rec_span(const struct tcp_record *r)
{
	return r->len + (r->fin ? 1 : 0);
}

static inline uint32_t tcp_rec_end(const struct tcp_record *r)
{
	return r->seq + tcp_rec_span(r);
}

static inline uint32_t tcp_smss(const struct tcp_conn *tc)
{
	return tc->mss > tc->option_len + 16u ? (uint32_t)tc->mss - tc->option_len : 16u;
}

/* Whether losses are being repaired. */
static inline bool tcp_repairing(const struct tcp_conn *tc)
{
	return tc->recovery == TCP_RECOVERY_FAST || tc->recovery == TCP_RECOVERY_RTO;
}

static inline bool tcp_timer_on(const struct tcp_conn *tc, enum tcp_timer t)
{
	return tc->deadline_us[t] != TIMER_NEVER;
}

static inline void tcp_timer_off(struct tcp_conn *tc, enum tcp_timer t)
{
	tc->deadline_us[t] = TIMER_NEVER;
}

/* tcp.c */
void tcp_set_state(struct tcp_conn *tc, enum tcp_state state);
void tcp_established(struct tcp_conn *tc, uint64_t now_us);
void tcp_enter_time_wait(struct tcp_conn *tc, uint64_t now_us);
void tcp_give_up(struct tcp_conn *tc);
/* The window that a connection begins with. */
void tcp_init_window(struct tcp_conn *tc, uint64_t now_us);
/* The peer's options of a SYN or SYN/ACK. */
void tcp_take_syn_options(struct tcp_conn *tc, const struct packet *p, uint64_t now_us);

/* timers.c */
/* Whether it may run in the present state. */
bool tcp_timer_allowed(const struct tcp_conn *tc, enum tcp_timer t);
bool tcp_timer_due(const struct tcp_conn *tc, enum tcp_timer t, uint64_t now_us);
/* FIN-WAIT-2 lasts only so long from now on, if nobody owns it. */
void tcp_arm_bound(struct tcp_conn *tc, uint64_t now_us);
/* The peer has shown that it lives: the next keepalive is far away. */
void tcp_heard(struct tcp_conn *tc, uint64_t now_us);

/* output.c */
void tcp_arm_rto(struct tcp_conn *tc, uint64_t now_us);
void tcp_arm_tlp(struct tcp_conn *tc, uint64_t now_us);
void tcp_arm_persist(struct tcp_conn *tc, uint64_t now_us);
bool tcp_needs_persist(const struct tcp_conn *tc);
/* The free part of cwnd. */
uint32_t tcp_cwnd_room(const struct tcp_conn *tc);
/* The first duplicate in the list was reported, or is not to be. */
void tcp_drop_dsack(struct tcp_conn *tc);
/* As tcp_send_room(), whatever the pace. */
uint32_t tcp_window_room(const struct tcp_conn *tc);
/* Lost data is to be sent before anything new. */
bool tcp_retrans_waits(const struct tcp_conn *tc);

/* ecn.c */
/* The flags of the peer's SYN or SYN/ACK. */
void tcp_ecn_syn(struct tcp_conn *tc, uint8_t flags);
/* An acceptable packet: marks and CWR. */
void tcp_ecn_input(struct tcp_conn *tc, const struct packet *p);
/* Whether its ACK asks for a reduction that was not made yet. */
bool tcp_ecn_congested(const struct tcp_conn *tc, const struct packet *p);
/* The window was reduced, for whatever reason. */
void tcp_ecn_reduced(struct tcp_conn *tc);
/* What goes into the header of *tx on top of its flags. */
uint8_t tcp_ecn_flags(struct tcp_conn *tc, const struct tcp_tx *tx);

/* cwv.c */
void tcp_cwv_ack(struct tcp_conn *tc, uint32_t delivered, uint64_t now_us);
/* Something is to be sent: is the window still good? */
void tcp_cwv_send(struct tcp_conn *tc, uint64_t now_us);
/* Before the window is reduced for a loss: what was not used is not counted. */
void tcp_cwv_loss(struct tcp_conn *tc, uint32_t in_flight, uint64_t now_us);

/* mtu.c */
void tcp_mtu_init(struct tcp_conn *tc, uint32_t peer_mss);
/* A retransmission timeout of `head`; true: segments have been too large, and shrink. */
bool tcp_mtu_timeout(struct tcp_conn *tc, const struct tcp_record *head, uint64_t now_us);
/* Is it time for a probe? */
void tcp_mtu_turn(struct tcp_conn *tc, uint64_t now_us);
/* tcp_send() sent `len` bytes, as *tx: the probe? */
void tcp_mtu_sent(struct tcp_conn *tc, uint32_t len, struct tcp_tx *tx);
/* `r`, or its part up to `end`, was delivered. */
void tcp_mtu_delivered(struct tcp_conn *tc, const struct tcp_record *r, uint32_t end);
/* `r` was lost; true if it was the probe. */
bool tcp_mtu_lost(struct tcp_conn *tc, const struct tcp_record *r);

/* pacing.c */
/* Brings what may leave up to date; to be called before anything changes the windows. */
void tcp_pace_refill(struct tcp_conn *tc, uint64_t now_us);
/* How much of `room` may leave. */
uint32_t tcp_pace_room(const struct tcp_conn *tc, uint32_t room);
void tcp_pace_spend(struct tcp_conn *tc, uint32_t bytes);
/* When tcp_paced() will not hold any more, or TIMER_NEVER. */
uint64_t tcp_pace_deadline(const struct tcp_conn *tc);

/* txrec.c */
struct tcp_record *tcp_rec_append(struct tcp_conn *tc, uint32_t span_len, bool fin,
				  uint64_t offset, uint64_t now_us);
/*
 * Cuts `r` so that it keeps `len` bytes and a new record takes the rest.  Returns
 * the new record, or NULL when out of memory.
 */
struct tcp_record *tcp_rec_split(struct tcp_conn *tc, struct tcp_record *r, uint32_t len);
void tcp_rec_mark_lost(struct tcp_conn *tc, struct tcp_record *r);
void tcp_rec_mark_sent_again(struct tcp_conn *tc, struct tcp_record *r, uint64_t now_us);
/* Lost records that were not sent again count as in flight once more. */
void tcp_rec_unmark_lost(struct tcp_conn *tc);
/* Forgets all SACKs: the peer reneged (RFC 2018, section 8). */
void tcp_rec_forget_sacks(struct tcp_conn *tc);
/* The lost record to send next, or NULL. */
struct tcp_record *tcp_rec_next_pending(struct tcp_conn *tc);
/* Takes off everything before a->ack. */
void tcp_rec_ack(struct tcp_conn *tc, struct tcp_ack *a);
/* Notes in *a what `p` reports as received twice (RFC 2883); true: its first block does. */
bool tcp_rec_dsack(struct tcp_conn *tc, const struct packet *p, struct tcp_ack *a);
/* Applies the SACK blocks of `p`. */
void tcp_rec_sack(struct tcp_conn *tc, const struct packet *p, struct tcp_ack *a);
void tcp_rec_free_all(struct tcp_conn *tc);

/* rack.c (RFC 8985) */
/* A record, or its part up to `end`, was delivered. */
void tcp_rack_delivered(struct tcp_conn *tc, const struct tcp_record *r, uint32_t end,
			const struct tcp_ack *a);
/* Marks what counts as lost and arms the reordering timer; true if anything was new. */
bool tcp_rack_detect(struct tcp_conn *tc, const struct tcp_ack *a, uint64_t now_us);
bool tcp_rack_overdue(const struct tcp_conn *tc, const struct tcp_record *r, uint64_t now_us);
void tcp_rack_recovery_ended(struct tcp_conn *tc);
void tcp_tlp_timeout(struct tcp_conn *tc, uint64_t now_us);
/* The record for a tail loss probe, at most one segment long; NULL: none, or not yet. */
struct tcp_record *tcp_tlp_record(struct tcp_conn *tc, uint32_t max_len);
/* Whether the probe that is due could be new data; tcp_tlp_sent_new(): it was. */
bool tcp_tlp_may_be_new(const struct tcp_conn *tc);
void tcp_tlp_sent_new(struct tcp_conn *tc);
/* Judges what an ACK tells about a probe that is out (section 7.4). */
void tcp_tlp_ack(struct tcp_conn *tc, const struct tcp_ack *a);

/* recovery.c */
void tcp_recovery_ack(struct tcp_conn *tc, const struct tcp_ack *a);
void tcp_recovery_rto(struct tcp_conn *tc, uint64_t now_us);
void tcp_recovery_reorder_timeout(struct tcp_conn *tc, uint64_t now_us);

/* rtt.c */
void tcp_rtt_init(struct tcp_conn *tc);
void tcp_rtt_sample(struct tcp_conn *tc, uint32_t rtt_us, uint64_t now_us);
/* A coarse sample, from timestamps: feeds the RTO only. */
void tcp_rtt_sample_coarse(struct tcp_conn *tc, uint32_t rtt_us);
/* A timeout proved needless (RFC 4015, section 3.2): `rtt_us` is how long it took. */
void tcp_rtt_spurious(struct tcp_conn *tc, uint32_t rtt_us);
/* The current timeout, with back-off. */
uint64_t tcp_rtt_timeout(const struct tcp_conn *tc, unsigned backoff);

#endif
