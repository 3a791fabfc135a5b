/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of src/mptcp share among themselves.  Nobody else includes it.
 */
#ifndef MPTCP_INTERNAL_H
#define MPTCP_INTERNAL_H

#include "base/timer.h"
#include "mptcp/mptcp.h"

/* Mappings kept per subflow that wait for their bytes; a peer that sends more loses
 * the subflow. */
#define MPTCP_MAPS_MAX 8192u
/* Largest payload of a segment that we build, so that headers fit the IP length. */
#define MPTCP_SEGMENT_MAX (PACKET_MAX - PACKET_HEADER_MAX)

/* ---- conn.c ----------------------------------------------------------------- */

/* The only writer of conn->state: checks the transition, logs it. */
void mptcp_set_state(struct mptcp_conn *conn, enum mptcp_state state, const char *why);
void mptcp_subflow_set_state(struct mptcp_subflow *sf, enum mptcp_subflow_state state,
			     const char *why);
/* Ends the connection in every direction, with MPTCP_EVENT_RESET unless that breaks nothing. */
void mptcp_terminate(struct mptcp_conn *conn, const char *why);
/* The same where the peer does not know of it: the RSTs carry MP_FASTCLOSE (RFC 8684, section
 * 3.5, option R), in version 0 an ACK before them. */
void mptcp_give_up(struct mptcp_conn *conn, const char *why);
/* Whether both streams have ended, and the peer has all of ours but for the end perhaps: what
 * comes now is no reset, as in TCP's LAST-ACK (RFC 9293, section 3.10.7.4). */
bool mptcp_streams_done(const struct mptcp_conn *conn);
/* Options of this subflow's packets got lost on the way: if that ends the connection, its
 * owner is told. */
void mptcp_robbed(struct mptcp_subflow *sf);
/* After any change: DATA_FIN exchange complete? all subflows closed? */
void mptcp_advance_close(struct mptcp_conn *conn, uint64_t now_us);
/* Subflows whose FINs were not answered in time are reset. */
void mptcp_last_fin_timeout(struct mptcp_conn *conn);
/* Reads and clears the TCP events of a subflow. */
void mptcp_subflow_events(struct mptcp_subflow *sf, uint64_t now_us);

/* ---- timers.c ----------------------------------------------------------------- */

/* Whether a timer runs in this state, and is over: for those that mptcp_output() serves. */
bool mptcp_timer_due(const struct mptcp_conn *conn, enum mptcp_timer t, uint64_t now_us);

/* ---- fallback.c --------------------------------------------------------------- */

/* Whether the one subflow carries the whole stream contiguously, so that it can go on
 * as plain TCP. */
bool mptcp_may_fall_back(const struct mptcp_conn *conn);
/* Whether the peer may do so, or have done so unknown to us: as far as it has seen, the first
 * subflow is the only one that ever carried anything. */
bool mptcp_peer_may_fall_back(const struct mptcp_conn *conn);
/* Falls back to plain TCP (RFC 8684, section 3.7); mptcp_may_fall_back() holds. */
void mptcp_fall_back(struct mptcp_conn *conn, enum counter_id reason, const char *why,
		     uint64_t now_us);
/* The mapping that begins at `dsn` arrived on `sf` with a wrong checksum.  Returns true if
 * its bytes are to be kept until the peer agrees on a fallback, as it may have before
 * (`fail_agreed`); otherwise the subflow is being reset. */
bool mptcp_fail_begin(struct mptcp_subflow *sf, uint64_t dsn, uint64_t now_us);
/* An MP_FAIL from the peer, on an ACK or on an RST. */
void mptcp_fail_received(struct mptcp_subflow *sf, uint64_t dsn, bool rst, uint64_t now_us);
/* A packet came: if that was not the answer to our MP_FAIL, the next ACK repeats it. */
void mptcp_fail_again(struct mptcp_conn *conn);
/* The peer never answered our MP_FAIL. */
void mptcp_fail_timeout(struct mptcp_conn *conn);
/* Whether an MP_FAIL was sent or received, so that no subflow may be added. */
static inline bool mptcp_failing(const struct mptcp_conn *conn)
{
	return conn->failed || conn->infinite_out;
}
/* An infinite mapping: from `seq` on the subflow's bytes are the stream from `dsn` on. */
void mptcp_infinite_received(struct mptcp_subflow *sf, uint64_t dsn, uint32_t seq,
			     uint64_t now_us);
/* TCP has acknowledged something: perhaps the data that carried our infinite mapping. */
void mptcp_infinite_acked(struct mptcp_subflow *sf, uint64_t now_us);
/* Whether a segment carries our infinite mapping, and then which. */
bool mptcp_infinite_for(struct mptcp_subflow *sf, const struct tcp_tx *tx, struct mptcp_dss *d);

/* ---- handshake.c -------------------------------------------------------------- */

/* The peer's key is known: its token and its first DSN are, too. */
void mptcp_learn_peer_key(struct mptcp_conn *conn, uint64_t key);
/*
 * Whether MP_CAPABLE can be answered: B asks for an extension nobody defined; H is the one
 * hash algorithm of each version (section 3.1 of both RFCs).
 */
bool mptcp_capable_flags_ok(const struct mptcp_capable *c);
/* What the flags of the peer's SYN or SYN/ACK ask for. */
void mptcp_take_capable_flags(struct mptcp_conn *conn, const struct mptcp_capable *c);

/*
 * Looks at a packet before TCP does, while a handshake is under way.  Returns false
 * if the packet must not reach TCP (dropped, or the subflow was reset).
 */
bool mptcp_handshake_before(struct mptcp_subflow *sf, const struct packet *p);
/* The same, after TCP accepted it: completes the handshake. */
void mptcp_handshake_after(struct mptcp_subflow *sf, const struct packet *p,
			   const struct tcp_rx *rx, uint64_t now_us);
/* The third ACK of an active join was not answered. */
void mptcp_join_ack_timeout(struct mptcp_subflow *sf, uint64_t now_us);

/* ---- recv.c ------------------------------------------------------------------- */

/* Reads the options of an acceptable packet. */
void mptcp_recv_options(struct mptcp_subflow *sf, const struct packet *p,
			const struct tcp_rx *rx, uint64_t now_us);
/* In-order payload of a subflow; `seq` is its sequence number. */
void mptcp_recv_payload(struct mptcp_subflow *sf, const uint8_t *data, size_t len,
			uint32_t seq, bool transient, uint64_t now_us);
/* A segment with data, of which TCP had had everything up to `end`, came in a fallback: the
 * connection ends if the data may be what came before once more. */
void mptcp_recv_unmapped(struct mptcp_subflow *sf, const struct packet *p, uint64_t end,
			 uint64_t now_us);
/* The peer's stream ends at `dsn`. */
void mptcp_recv_fin(struct mptcp_conn *conn, uint64_t dsn);
/* Bytes to advertise on every subflow. */
uint32_t mptcp_recv_window(struct mptcp_conn *conn);
/* Frees the subflow's mappings. */
void mptcp_recv_forget_maps(struct mptcp_subflow *sf);
/* Frees the mappings that are kept for reuse. */
void mptcp_recv_free_spares(struct mptcp_env *env);
/* A segment leaves with a DATA_ACK, and with `window` in its header. */
void mptcp_recv_told(struct mptcp_subflow *sf, uint16_t window);
/* The subflow's bytes are the stream from now on, those of an unfinished mapping and those
 * held too. */
void mptcp_recv_fall_back(struct mptcp_subflow *sf, uint64_t now_us);
/* Those held are. */
void mptcp_recv_release(struct mptcp_subflow *sf, uint64_t now_us);
/* Where in the stream the subflow's byte at `offset` is, if all came in order, once. */
uint64_t mptcp_recv_contiguous(const struct mptcp_subflow *sf, uint64_t offset);

/* ---- send.c ------------------------------------------------------------------- */

/* A DATA_ACK (or, after a fallback, what the subflow acknowledged). */
void mptcp_send_acked(struct mptcp_conn *conn, uint64_t ack, uint64_t now_us);
/* Queues everything that `sf` carries and that is not DATA_ACKed for sending again. */
void mptcp_send_reinject(struct mptcp_subflow *sf);
/* The same with these bytes of the stream. */
void mptcp_send_reinject_range(struct mptcp_conn *conn, uint64_t begin, uint64_t end);
/* The subflow is gone, perhaps with data that its TCP had acknowledged. */
void mptcp_send_subflow_lost(struct mptcp_subflow *sf);
/* A DATA_ACK came with an ACK of the subflow that covers more. */
void mptcp_send_left_out(struct mptcp_subflow *sf);
/* The data-level retransmission timer (RFC 8684, section 3.3.6). */
void mptcp_send_arm_rto(struct mptcp_conn *conn, uint64_t now_us);
void mptcp_send_timeout(struct mptcp_conn *conn, uint64_t now_us);
/* Whether some subflow's TCP still carries stream byte `dsn` or, with checksums, a part of its
 * mapping. */
bool mptcp_send_held(struct mptcp_conn *conn, uint64_t dsn);
/* Frees what no subflow and no peer needs any more. */
void mptcp_send_release(struct mptcp_conn *conn);

/* ---- buffers.c ---------------------------------------------------------------- */

/* How many bytes the peer may have left unacknowledged, and how many may be on their way
 * from it, now. */
uint32_t mptcp_buffers_send(const struct mptcp_conn *conn);
uint32_t mptcp_buffers_receive(const struct mptcp_conn *conn);
/* After a DATA_ACK, after data that came in order. */
void mptcp_buffers_tune_send(struct mptcp_conn *conn, uint64_t now_us);
void mptcp_buffers_tune_receive(struct mptcp_conn *conn, uint64_t now_us);
/* Before sending: takes back what a connection that was idle no longer needs. */
void mptcp_buffers_idle(struct mptcp_conn *conn, uint64_t now_us);

/* ---- hoard.c ------------------------------------------------------------------ */

/* Copies what `sf` has sent and not had acknowledged out of the send queue. */
void mptcp_hoard_fill(struct mptcp_subflow *sf);
/* Whether [seq, seq + len) of the subflow is in its hoard. */
bool mptcp_hoard_has(const struct mptcp_subflow *sf, uint32_t seq, uint32_t len);
/* As stream_gather(), by subflow sequence number. */
int mptcp_hoard_gather(const struct mptcp_subflow *sf, uint32_t seq, uint32_t len,
		       struct iovec *iov, int iov_max);
/* Frees what TCP has had acknowledged. */
void mptcp_hoard_acked(struct mptcp_subflow *sf);

/* ---- told.c ------------------------------------------------------------------- */

/* A DATA_ACK of all that was received leaves, and tells this right edge of the window. */
void mptcp_told_window(struct mptcp_conn *conn, uint64_t edge);
/* These are the next bytes of the stream; called before they are counted. */
void mptcp_told_data(struct mptcp_conn *conn, const uint8_t *data, size_t len);
/* Whether unmapped bytes that came after a pause, behind `dsn`, may be such that came before.
 * Those that follow on it; len is 0 if they are still missing. */
bool mptcp_told_repeats(const struct mptcp_conn *conn, uint64_t dsn, const uint8_t *data,
			size_t len);
void mptcp_told_free(struct mptcp_conn *conn);
size_t mptcp_told_memory(const struct mptcp_conn *conn);

/* ---- options.c ---------------------------------------------------------------- */

/* Bytes of options that a segment with data usually has, for the segment size. */
uint16_t mptcp_options_usual(const struct mptcp_conn *conn, bool timestamps);
/* An encoded MPTCP option that goes on an ACK of its own, with a DSS if there is room. */
struct mptcp_signal {
	uint8_t len;
	uint8_t data[TCP_OPTIONS_MAX];
};
/* Sends that ACK. */
void mptcp_emit_signal(struct mptcp_subflow *sf, const struct mptcp_signal *signal,
		       const struct packet_sink *sink, uint64_t now_us);
/* Encodes the MPTCP options of an outgoing segment; returns their length. */
size_t mptcp_options_for(struct mptcp_subflow *sf, const struct tcp_tx *tx, uint64_t now_us,
			 uint8_t out[TCP_OPTIONS_MAX], size_t room);
/* Builds a segment and gives it to the sink. */
void mptcp_emit(struct mptcp_subflow *sf, const struct tcp_tx *tx,
		const struct packet_sink *sink, uint64_t now_us);

/* ---- path.c ------------------------------------------------------------------- */

/* Ends a subflow: an RST with MP_TCPRST follows if TCP is still up. */
void mptcp_subflow_reset(struct mptcp_subflow *sf, enum mptcp_reset_reason reason,
			 const char *why);
/* A retransmission timed out: the subflow is stale, its data may go elsewhere. */
void mptcp_subflow_silent(struct mptcp_subflow *sf, uint64_t now_us);
/* The peer acknowledged something new on it. */
void mptcp_subflow_heard(struct mptcp_subflow *sf);
/* Whether no subflow is left but such as are not complete, and perhaps never will be. */
bool mptcp_orphaned(const struct mptcp_conn *conn);
/* The subflow is gone, by whatever cause: its data is sent elsewhere. */
void mptcp_subflow_died(struct mptcp_subflow *sf, const char *why, uint64_t now_us);
/* What an acceptable packet says of paths and addresses: MP_PRIO, and mptcp_address_options(). */
void mptcp_path_options(struct mptcp_subflow *sf, const struct packet *p, uint64_t now_us);

/* ---- address.c ---------------------------------------------------------------- */

/* ADD_ADDR and REMOVE_ADDR of an acceptable packet. */
void mptcp_address_options(struct mptcp_subflow *sf, const struct packet *p, uint64_t now_us);
/* The address id of a join that came to `dst`; false: nobody may join there. */
bool mptcp_address_of_join(struct mptcp_conn *conn, const struct ip_endpoint *dst, uint8_t *id,
			   bool *backup);
/* A passive join is complete: the peer must know that address. */
void mptcp_address_joined(struct mptcp_conn *conn, uint8_t id, uint64_t now_us);
/* Whether the peer removed its address, and nothing was heard since. */
static inline bool mptcp_removal_pending(const struct mptcp_subflow *sf)
{
	return sf->deadline_us[MPTCP_SUBFLOW_TIMER_REMOVAL] != TIMER_NEVER;
}
/* An acceptable packet came on a subflow whose address the peer removed. */
void mptcp_address_heard(struct mptcp_subflow *sf, uint64_t now_us);
/* ... and none did in time. */
void mptcp_removal_timeout(struct mptcp_subflow *sf, uint64_t now_us);
/* The peer should have closed one whose address we removed. */
void mptcp_withdrawal_timeout(struct mptcp_subflow *sf, uint64_t now_us);
/* Some may be due, or can be sent now that could not before: the next output looks. */
static inline void mptcp_signals_look(struct mptcp_conn *conn)
{
	conn->deadline_us[MPTCP_TIMER_SIGNALS] = 0;
}
/* Sends the signals that are due, each on an ACK of its own. */
void mptcp_signals_output(struct mptcp_conn *conn, const struct packet_sink *sink,
			  uint64_t now_us);

/* ---- crypto.c ----------------------------------------------------------------- */

/*
 * HMAC of MP_JOIN (RFC 8684, section 3.2): keyed with `key1` then `key2`, over
 * `nonce1` then `nonce2`.  Fills 20 bytes: the leftmost 160 bits of HMAC-SHA256 in
 * v1, HMAC-SHA1 in v0.
 */
void mptcp_join_mac(uint8_t version, uint64_t key1, uint64_t key2, uint32_t nonce1,
		    uint32_t nonce2, uint8_t mac[20]);
/*
 * HMAC of ADD_ADDR (RFC 8684, section 3.4.1), with the key of who announces first: fills the
 * 8 bytes that the option carries.  Version 1 only.
 */
void mptcp_add_addr_mac(uint64_t sender_key, uint64_t receiver_key,
			const struct mptcp_add_addr *a, uint8_t mac[8]);
/* Compares without telling by its time where the difference is. */
bool mptcp_mac_equal(const uint8_t *a, const uint8_t *b, size_t len);

static inline struct mptcp_subflow *mptcp_first_subflow(const struct mptcp_conn *conn)
{
	return list_first(&conn->subflows, struct mptcp_subflow, link);
}

/* A subflow sequence number as a 64-bit offset. */
static inline uint64_t mptcp_rcv_offset(const struct mptcp_subflow *sf, uint32_t seq)
{
	return sf->tcp.rcv_offset + (uint64_t)(int64_t)(int32_t)(seq - sf->tcp.rcv_nxt);
}

#endif
