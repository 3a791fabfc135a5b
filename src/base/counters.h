/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Event counters: one per drop, fallback, reset and notable event.
 *
 * The list below is the single place that names a counter: its enum constant,
 * the name that users see in `mptcp-proxyctl status` and in metrics, and what it
 * counts.  Each worker owns one struct counters.
 */
#ifndef BASE_COUNTERS_H
#define BASE_COUNTERS_H

#include <stdint.h>

#define COUNTERS(X)                                                                          \
	/* packets as they come in */                                                        \
	X(RX_PACKETS, "rx_packets", "packets received from the interception queue")          \
	X(RX_BYTES, "rx_bytes", "bytes of IP received from the interception queue")          \
	X(RX_PASSED, "rx_passed", "packets passed on untouched")                             \
	X(RX_MALFORMED, "rx_malformed", "packets dropped or passed: no whole TCP/IP packet") \
	X(RX_CHECKSUM, "rx_checksum", "packets dropped: bad TCP checksum")                   \
	X(RX_TRUNCATED, "rx_truncated", "packets dropped: longer than a queue message")      \
	X(RX_OVERRUN, "rx_overrun", "packets that the kernel dropped: the queue was full")      \
	X(HANDED_OVER, "handed_over", "packets handed to the worker that has their connection") \
	X(HANDED_IN, "handed_in", "packets that another worker handed over")                 \
	X(HANDOVER_LOST, "handover_lost", "packets lost on the way to or from another worker") \
	X(TX_PACKETS, "tx_packets", "packets (before segmentation) emitted to clients")      \
	X(TX_BYTES, "tx_bytes", "bytes of IP emitted to clients")                            \
	X(TX_ERRORS, "tx_errors", "packets that the device refused")                         \
	/* TCP */                                                                            \
	X(TCP_OUT_OF_WINDOW, "tcp_out_of_window", "segments outside the receive window")     \
	X(TCP_PAWS, "tcp_paws", "segments dropped: old timestamp (RFC 7323)")                \
	X(TCP_CHALLENGE_ACK, "tcp_challenge_ack", "challenge ACKs sent (RFC 5961)")          \
	X(TCP_BAD_ACK, "tcp_bad_ack", "segments dropped: ACK outside the valid range")       \
	X(TCP_OOO, "tcp_ooo", "segments kept out of order")                                  \
	X(TCP_OOO_DROPPED, "tcp_ooo_dropped", "out-of-order segments dropped: no room")      \
	X(TCP_DUP, "tcp_dup", "segments that brought nothing new")                           \
	X(TCP_RETRANS, "tcp_retrans", "segments retransmitted")                              \
	X(TCP_FAST_RECOVERY, "tcp_fast_recovery", "times fast recovery was entered")         \
	X(TCP_RTO, "tcp_rto", "retransmission timeouts")                                     \
	X(TCP_TLP, "tcp_tlp", "tail loss probes sent (RFC 8985)")                            \
	X(TCP_SPURIOUS, "tcp_spurious", "retransmissions found needless and undone")         \
	X(TCP_MTU_TOO_BIG, "tcp_mtu_too_big", "times a router said that segments are too big") \
	X(TCP_MTU_BLACK_HOLE, "tcp_mtu_black_hole", "times segments were made smaller because full-sized ones vanished") \
	X(TCP_MTU_PROBE, "tcp_mtu_probe", "segments sent to find out whether larger ones pass") \
	X(TCP_ECN_CE, "tcp_ecn_ce", "segments received that the network had marked (ECN)")  \
	X(TCP_ECN_CWR, "tcp_ecn_cwr", "windows reduced because a client reported marks")    \
	X(TCP_ZERO_PROBE, "tcp_zero_probe", "zero-window probes sent")                       \
	X(TCP_KEEPALIVE, "tcp_keepalive", "keepalive probes sent")                           \
	X(TCP_TIMEOUT, "tcp_timeout", "subflows closed after too many timeouts")             \
	X(TCP_RST_IN, "tcp_rst_in", "valid RSTs received")                                   \
	X(TCP_RST_OUT, "tcp_rst_out", "RSTs sent")                                           \
	/* MPTCP */                                                                          \
	X(MP_CAPABLE_IN, "mp_capable_in", "MP_CAPABLE SYNs received for a service")          \
	X(MP_CAPABLE_DONE, "mp_capable_done", "connections established with MPTCP")          \
	X(MP_JOIN_IN, "mp_join_in", "MP_JOIN SYNs received for a connection of ours")        \
	X(MP_JOIN_DONE, "mp_join_done", "joins whose HMAC was right")                        \
	X(MP_JOIN_BAD_MAC, "mp_join_bad_mac", "joins refused: wrong HMAC")                   \
	X(MP_JOIN_REFUSED, "mp_join_refused", "joins refused: fallback, state or no memory")     \
	X(MP_JOIN_SUBFLOWS, "mp_join_subflows", "joins refused: max_subflows reached")       \
	X(MP_JOIN_PENDING, "mp_join_pending", "SYNs of joins dropped: as many are under way as may be") \
	X(MP_JOIN_DISPLACED, "mp_join_displaced", "joins under way for long that gave way to another") \
	X(MP_JOIN_EARLY, "mp_join_early", "SYNs of joins dropped: the connection is not established yet") \
	X(MP_JOIN_ADDRESS, "mp_join_address", "joins refused: to an address that is not open to them") \
	X(MP_JOIN_UNKNOWN, "mp_join_unknown", "joins passed on: token not of ours")          \
	X(MP_FALLBACK_HANDSHAKE, "mp_fallback_handshake", "fallbacks: no option in the third ACK or first data") \
	X(MP_FALLBACK_DATA, "mp_fallback_data", "fallbacks: options lost after the handshake") \
	X(MP_FALLBACK_CHECKSUM, "mp_fallback_checksum", "fallbacks: DSS checksum wrong, one subflow") \
	X(MP_FALLBACK_PEER, "mp_fallback_peer", "fallbacks asked by the peer (infinite mapping, MP_FAIL)") \
	X(MP_BAD_ACK, "mp_bad_ack", "DATA_ACKs ignored: of what was not sent")               \
	X(MP_BAD_MAPPING, "mp_bad_mapping", "DSS mappings that contradict or exceed limits") \
	X(MP_BAD_CHECKSUM, "mp_bad_checksum", "DSS checksums that were wrong")               \
	X(MP_NO_CHECKSUM, "mp_no_checksum", "subflows reset: DSS checksum agreed on but missing") \
	X(MP_UNAGREED_CHECKSUM, "mp_unagreed_checksum",                                \
	  "subflows reset: DSS checksum not agreed on")                                  \
	X(MP_FAIL_IN, "mp_fail_in", "MP_FAIL received: what we sent was changed on the way") \
	X(MP_FAIL_OUT, "mp_fail_out", "MP_FAIL sent")                                        \
	X(MP_INFINITE_IN, "mp_infinite_in", "infinite mappings received")                    \
	X(MP_INFINITE_OUT, "mp_infinite_out", "infinite mappings sent")                      \
	X(MP_NO_MAPPING, "mp_no_mapping", "subflows reset: data without a mapping that cannot be understood")          \
	X(MP_NO_WINDOW, "mp_no_window", "subflows reset: the peer's window opens, but no DATA_ACK tells so") \
	X(MP_UNMAPPED, "mp_unmapped", "bytes dropped: their mapping was lost, that of those behind them not") \
	X(MP_OOO, "mp_ooo", "data kept out of order at connection level")                    \
	X(MP_OOO_DROPPED, "mp_ooo_dropped", "data dropped at connection level: no room out of order") \
	X(MP_DUP, "mp_dup", "bytes received twice at connection level")                      \
	X(MP_REINJECT, "mp_reinject", "ranges sent again on another subflow")                \
	X(MP_OPPORTUNISTIC, "mp_opportunistic", "ranges sent again early: a slow subflow had shut the window") \
	X(MP_PENALIZED, "mp_penalized", "times a subflow's congestion window was reduced for that") \
	X(MP_REDUNDANT, "mp_redundant", "bytes sent on one more subflow by scheduler redundant") \
	X(MP_RTO, "mp_rto", "data-level retransmission timeouts")                            \
	X(MP_ADD_ADDR_IN, "mp_add_addr_in", "ADD_ADDR received and echoed")                  \
	X(MP_ADD_ADDR_OUT, "mp_add_addr_out", "ADD_ADDR sent, repetitions included")         \
	X(MP_ADD_ADDR_ECHOED, "mp_add_addr_echoed", "addresses of ours that the peer echoed") \
	X(MP_ADD_ADDR_UNANSWERED, "mp_add_addr_unanswered", "addresses of ours that the peer never echoed") \
	X(MP_ADD_ADDR_BAD_MAC, "mp_add_addr_bad_mac", "ADD_ADDR ignored: wrong HMAC")        \
	X(MP_ADD_ADDR_IGNORED, "mp_add_addr_ignored", "ADD_ADDR ignored: its id has another address") \
	X(MP_ADDRESSES_FULL, "mp_addresses_full", "addresses of either side left out: as many are known as may be") \
	X(MP_REMOVE_ADDR_IN, "mp_remove_addr_in", "addresses that peers removed")            \
	X(MP_REMOVE_ADDR_OUT, "mp_remove_addr_out", "REMOVE_ADDR sent, repetitions included") \
	X(MP_PRIO_IN, "mp_prio_in", "MP_PRIO received")                                      \
	X(MP_PRIO_OUT, "mp_prio_out", "MP_PRIO sent, repetitions included")                  \
	X(MP_SUBFLOW_REMOVED, "mp_subflow_removed", "subflows ended because either side removed an address") \
	X(MP_FASTCLOSE_IN, "mp_fastclose_in", "MP_FASTCLOSE received")                       \
	X(MP_FASTCLOSE_OUT, "mp_fastclose_out", "connections that MP_FASTCLOSE was sent for")    \
	X(MP_TCPRST_IN, "mp_tcprst_in", "MP_TCPRST received")                                \
	X(MP_TCPRST_OUT, "mp_tcprst_out", "MP_TCPRST sent")                                  \
	X(MP_SUBFLOW_LOST, "mp_subflow_lost", "subflows that died while their connection lived") \
	X(MP_ORPHANED, "mp_orphaned", "connections left without a subflow")                  \
	X(MP_ORPHAN_TIMEOUT, "mp_orphan_timeout", "connections closed: no subflow came back") \
	/* the relay */                                                                      \
	X(SESSIONS, "sessions", "sessions begun")                                            \
	X(SESSIONS_DONE, "sessions_done", "sessions that ended with both streams complete")  \
	X(SESSIONS_RESET, "sessions_reset", "sessions that ended by a reset of either side") \
	X(SERVER_REFUSED, "server_refused", "connections that the server refused")           \
	X(SERVER_UNREACHABLE, "server_unreachable", "connections to an unreachable server")  \
	X(SERVER_TIMEOUT, "server_timeout", "connections that a silent server never answered") \
	X(SERVER_PORT_TAKEN, "server_port_taken", "server connections from another port than the client's") \
	X(SHED_CONNECTIONS, "shed_connections", "SYNs passed on: max_connections reached")   \
	X(SHED_MEMORY, "shed_memory", "SYNs passed on: memory limit reached")                \
	X(SHED_HALF_OPEN, "shed_half_open", "SYNs passed on: too many half-open connections") \
	X(SHED_SOURCE, "shed_source", "SYNs passed on: too many sessions of one client address") \
	X(SHED_DRAINING, "shed_draining", "SYNs passed on: the daemon is draining")          \
	X(SHED_DEVICE, "shed_device", "SYNs passed on: the TUN device is down")              \
	X(SHED_FILES, "shed_files", "SYNs passed on: no socket left, or none with the client's port") \
	X(SHED_REPEATED, "shed_repeated", "SYNs passed on: repetitions of one that was passed on before") \
	X(ROBBED, "robbed", "connections broken because a middlebox took options off")      \
	X(ROBBED_PASSED, "robbed_passed", "SYNs passed on: a connection of that client was broken so") \
	X(STATELESS_SENT, "stateless_sent", "SYNs answered without keeping state, under pressure") \
	X(STATELESS_DONE, "stateless_done", "sessions begun by the ACK of such an answer")   \
	X(STATELESS_REFUSED, "stateless_refused", "such ACKs reset: a limit was reached meanwhile") \
	X(EVICTED, "evicted", "sessions reset: memory was short, and they did not move")    \
	X(STEP_ASIDE_FORM, "step_aside_form", "SYNs passed on: a version or flags of MP_CAPABLE that are not served") \
	X(STEP_ASIDE_SYN_DATA, "step_aside_syn_data", "SYNs passed on: they carry data (TCP Fast Open)") \
	X(STEP_ASIDE_PLAIN_SYN, "step_aside_plain_syn", "handshakes given up: the client retried without MPTCP") \
	X(BYTES_TO_SERVER, "bytes_to_server", "payload bytes relayed to servers")            \
	X(BYTES_TO_CLIENT, "bytes_to_client", "payload bytes relayed to clients")            \
	X(COPIED_BYTES, "copied_bytes", "payload bytes that had to be copied on the way to a server")

#define COUNTER_ENUM(id, name, text) CNT_##id,
enum counter_id {
	COUNTERS(COUNTER_ENUM)
	CNT_MAX
};
#undef COUNTER_ENUM

struct counters {
	uint64_t v[CNT_MAX];
};

static inline void counter_add(struct counters *c, enum counter_id id, uint64_t n)
{
	c->v[id] += n;
}

static inline void counter_inc(struct counters *c, enum counter_id id)
{
	c->v[id]++;
}

const char *counter_name(enum counter_id id);
const char *counter_text(enum counter_id id);

#endif
