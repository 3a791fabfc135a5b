/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A simulator in virtual time for the engine: hosts that run src/mptcp or src/proxy,
 * links that harm packets, and applications that verify every byte.
 *
 * Everything that happens follows from a scenario, and a random scenario from its
 * seed, so that a failure can be run again and looked at (`tests/sim/run --seed N
 * -v`).  Only the engine library is linked: no socket, no clock.
 *
 * Files: sim.c (time, trace), link.c (what happens to packets), app.c (what the two
 * applications want), host.c (an MPTCP host), gateway.c (the proxy and the servers
 * behind it), scenario.c (random scenarios; one run from begin to end),
 * scenarios_*.c (directed ones), main.c (the runner); experiment.c and exp_*.c, which
 * measure instead of judging.
 */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/counters.h"
#include "base/list.h"
#include "base/pool.h"
#include "base/timer.h"
#include "mptcp/mptcp.h"
#include "proxy/proxy.h"
#include "rng.h"
#include "wire/packet.h"
#include "wire/sink.h"

#define LINK_MAX 12             /* also the number of the client's addresses */
#define CONN_MAX 6
#define OUTAGE_MAX 4
#define MTU 1500u
#define ENDPOINT_MAX 3

#define CLIENT_PORT 10000u      /* of connection 0; the others follow */
#define SERVER_PORT 80u

#define MS 1000ull
#define SECOND 1000000ull

/* ---- time and verdicts (sim.c) ---------------------------------------------- */

struct sim;

struct sim_timer {
	struct timer_node node;
	struct sim *sim;
	void (*fire)(struct sim_timer *t);
};

struct sim {
	uint64_t now_us;
	struct timer_heap timers;
	struct rng rng;                 /* chance on links and in applications */
	uint64_t hash;                  /* over everything that happened */
	uint64_t events;
	uint32_t check_every;           /* engine invariants after each so many events */
	uint32_t mangled;               /* packets of which a middlebox has changed a byte ... */
	uint32_t mangled_seen;          /* ... and such bytes that came out at the other end */
	bool failed;
	char reason[400];               /* the first failure */
	bool verbose;
	FILE *pcap;
};

void sim_init(struct sim *sim, uint64_t seed);
void sim_fini(struct sim *sim);
void sim_timer_init(struct sim *sim, struct sim_timer *t, void (*fire)(struct sim_timer *));
void sim_arm(struct sim_timer *t, uint64_t when_us);
/* Fires what is due next; false when nothing ever will be, or the run has failed. */
bool sim_step(struct sim *sim);
/* Notes the first failure, which ends the run. */
void sim_fail(struct sim *sim, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A line of the trace (-v). */
void sim_note(struct sim *sim, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void sim_hash(struct sim *sim, const void *data, size_t len);
/* Times to note engine log lines with; NULL: none running. */
void sim_set_current(struct sim *sim);

struct sim_packet {
	struct list link;
	uint64_t arrival_us;
	size_t len;
	bool merged;                    /* by GRO: its checksum is known to be right */
	uint8_t data[];
};

void sim_trace_packet(struct sim *sim, const char *what, int link, int dir,
		      const uint8_t *data, size_t len);
void sim_pcap_open(struct sim *sim, const char *path);
void sim_pcap_write(struct sim *sim, const uint8_t *data, size_t len);

/* ---- links (link.c) --------------------------------------------------------- */

enum { UP, DOWN };              /* client to server, server to client */

/* One direction of a path; probabilities in millionths. */
struct link_params {
	uint64_t rate_bps;
	uint32_t delay_us, jitter_us;
	uint32_t queue_bytes;
	uint32_t loss;
	uint32_t burst_begin, burst_us;         /* a burst loses all for up to burst_us */
	uint32_t reorder, reorder_us;           /* held back for up to reorder_us */
	uint32_t duplicate, corrupt;
	uint32_t mark_bytes;            /* a queue this long marks what is ECN-capable; 0: none */
	bool bleach;                    /* takes the ECN bits out, as some routers do */
	uint32_t mtu;                   /* what is larger is dropped; 0: none is */
	bool too_big;                   /* ... and the sender is told by ICMP */
	uint32_t gro_us;                /* merge what arrives within this; 0: no GRO */
	/* A middlebox that takes MPTCP options out. */
	bool strip_syn, strip_third_ack;        /* SYN and SYN/ACK; first packet after it */
	uint32_t strip_data_from;       /* from the n-th data packet on; 0: never */
	uint32_t strip_packets;         /* ... of so many packets, with data or not; 0: of all */
	bool lose_third_ack;            /* the first packet after the handshake */
	bool lose_first_data;
	bool tamper_join;               /* breaks the HMACs of joins */
	uint32_t break_sum_from;        /* breaks DSS checksums of 50 data packets; 0: none */
	/* Changes the last byte of the n-th data packet; 0: of none.  Of one, because two changes
	 * in a mapping may leave its checksum as it was. */
	uint32_t mangle_data;
};

struct outage {
	uint64_t from_us, to_us;
};

struct link;

struct link_dir {
	struct link *link;
	int dir;
	struct link_params p;
	struct list queue;              /* struct sim_packet by arrival */
	struct sim_timer timer;
	uint64_t busy_until_us, last_arrival_us;
	uint64_t burst_until_us;
	uint32_t plain_count, data_count;       /* packets without SYN, with payload */
	uint32_t strip_count;           /* those that lost options */
	uint64_t bytes_in, bytes_out;
	/* Receives a batch of packets, which it must not keep. */
	void (*receive)(void *ctx, struct list *batch);
	void *receive_ctx;
	/* Directed scenarios: may change a packet; false: lost. */
	bool (*filter)(struct link_dir *d, struct sim_packet *p, struct packet *parsed);
	uint64_t filter_state[4];
};

struct link {
	struct sim *sim;
	int index;
	struct link_dir dir[2];
	struct outage outages[OUTAGE_MAX];
	int outage_count;
	uint32_t outage_dirs;           /* bits: directions that they concern; 0: both */
	uint32_t plain_conns;           /* bits: connections that lose MPTCP from SYN/ACKs */
	uint64_t rebind_us;             /* a NAT gives all flows other ports then; 0: never */
};

void link_init(struct link *l, struct sim *sim, int index, const struct link_params p[2]);
void link_fini(struct link *l);
/* What a packet_sink does: cuts super-segments and sends the pieces. */
void link_emit(struct link_dir *d, const struct packet_out *out);
/* A packet with a right checksum. */
void link_send_raw(struct link_dir *d, const uint8_t *data, size_t len);
/* Makes NOPs of all MPTCP options. */
void link_strip_mptcp(struct sim_packet *p, struct packet *parsed);
/* How a middlebox changes a byte of the payload. */
#define MANGLE_BITS 0x55
/* Computes the checksum anew after a change. */
void link_fix_checksum(struct sim_packet *p);
/* The link that an address of the client belongs to, or -1. */
int link_of(const struct ip_addr *client);
void link_client_addr(struct ip_addr *out, int index, bool v6);
void link_server_addr(struct ip_addr *out, bool v6);
/* An ICMP error that says that `p` exceeds an MTU of `mtu`, arriving on `back`. */
void link_too_big(struct link_dir *back, const struct sim_packet *p, uint32_t mtu);
/* Answers a packet that nobody wants with a RST. */
void link_refuse(struct link_dir *back, const struct packet *p);

/* ---- applications (app.c) --------------------------------------------------- */

enum app_close {
	APP_CLOSE_WHEN_SENT,
	APP_CLOSE_AFTER_PEER,           /* when the peer has ended and all is read */
};

#define NO_ABORT UINT64_MAX

struct app_plan {
	uint64_t total;                 /* bytes to send */
	uint64_t start_after;           /* ... once so many were received */
	uint64_t start_us;              /* ... and so long after establishment */
	uint64_t write_chunk, write_gap_us;     /* gap 0: as fast as it goes */
	uint64_t read_chunk, read_gap_us;
	uint64_t pause_at, pause_us;    /* stops to read there, once; 0 us: never */
	/*
	 * Turns: after each whole `peer_turn_bytes` received, `turn_bytes` may be sent,
	 * `think_us` later; who speaks first has one turn more.  0: no turns.
	 */
	uint64_t turn_bytes, peer_turn_bytes, think_us;
	bool speaks_first;
	uint64_t gap_from_us;           /* longest_gap_us begins so long after the start */
	enum app_close close;
	uint64_t close_delay_us;
	uint64_t abort_sent, abort_received, abort_us;  /* NO_ABORT: never */
};
void app_plan_default(struct app_plan *p);

struct app {
	struct sim *sim;
	const char *name;
	struct app_plan plan;
	struct app *peer;
	uint64_t content;               /* seed of what it sends */
	bool started;
	uint64_t started_us;
	uint64_t sent;                  /* handed to the transport */
	bool shut;                      /* its end was handed over too */
	uint64_t shut_us;
	uint64_t received;              /* delivered to it, verified */
	uint64_t consumed;              /* ... and read */
	bool unprotected;               /* it comes without checksums (any more), so that bytes may be
					 * as a middlebox made them */
	uint64_t next_write_us, next_read_us;
	uint64_t write_left, read_left; /* of this gap's chunk */
	bool paused, pause_done;
	bool eof, reset, aborted;
	uint64_t first_byte_us, last_byte_us, eof_us, closing_us;
	uint64_t longest_gap_us;        /* between deliveries */
	uint64_t turn_from_us, turn_begun_us;
	/* Durations of its turns, from the first byte sent to the last one received. */
	uint32_t *turn_us;              /* NULL: not wanted */
	int turn_count, turn_max;
};

void app_init(struct app *a, struct sim *sim, const char *name, const struct app_plan *plan,
	      uint64_t content, struct app *peer);
/* The transport is ready for data. */
void app_start(struct app *a);
/* How much it would write now. */
uint64_t app_want_write(struct app *a);
/* Its next `len` bytes. */
void app_generate(struct app *a, uint8_t *out, size_t len);
/* Verifies bytes that came for it, at stream offset `offset`.  Where they are unprotected, as many
 * may have been changed by a middlebox as it did change. */
void app_verify(struct app *a, uint64_t offset, const uint8_t *data, size_t len);
/* How much of what it received it would take now; app_read() takes it. */
uint64_t app_want_read(struct app *a);
void app_read(struct app *a, uint64_t len);
bool app_want_shutdown(struct app *a);
void app_did_shutdown(struct app *a);
bool app_want_abort(struct app *a);
void app_did_abort(struct app *a);
/* The peer's end, as the transport tells it: must be the truth. */
void app_eof(struct app *a);
void app_reset(struct app *a);
/* When it will want something that it does not want now. */
uint64_t app_next(const struct app *a);

/* ---- hosts (host.c) --------------------------------------------------------- */

struct host;

struct endpoint {               /* one connection of a host */
	struct host *host;
	int index;
	struct mptcp_conn *conn;        /* NULL before and after */
	struct app app;
	struct sim_timer timer;
	bool established, closed, fell_back, was_reset;
	uint64_t past_bytes[LINK_MAX];  /* of subflows that are gone, see host_path_bytes() */
	uint64_t accept_us;             /* passive: when to accept; TIMER_NEVER: done */
	int phase;                      /* of scenario_phase(), plus 1: told to the engine */
	uint64_t prio_next_us;
	int prio_changes;
	uint64_t open_us;               /* active: when to open */
	uint64_t closed_us;
	uint64_t delivered;             /* bytes of the stream seen by the callback */
	struct {
		const uint8_t *data;
		size_t len;
		uint64_t offset;
	} held[64];                     /* delivered in place, verified at the batch's end */
	int held_count;
	struct {
		struct mptcp_subflow *sf;
		uint64_t next_us;
		uint32_t tries, waits;
	} path[LINK_MAX];
	uint32_t joins;                 /* subflows that became active by joining */
	char close_reason[32];
	uint64_t idle_turns;
};

struct scenario;
struct run;

struct host {
	struct run *run;
	struct sim *sim;
	bool active;
	struct counters counters;
	struct pool pool;
	struct mptcp_env env;
	struct rng rng;
	struct list flows;
	struct packet_sink sink;
	struct endpoint ep[CONN_MAX];
	uint16_t next_port;
};

void host_init(struct host *h, struct run *run, bool active);
/* Opens the active host's connections at their times. */
void host_start(struct host *h);
void host_receive(void *ctx, struct list *batch);
/* Frees what is left and looks for leaks. */
void host_fini(struct host *h);
void host_turn(struct endpoint *ep);
/* Whether what a connection delivers may be as middleboxes made it: after a fallback, and from
 * the agreement on one on.  `conn` may be NULL, when it is over. */
bool host_unprotected(const struct mptcp_conn *conn);
/* Payload that went over path `i` of `ep`, in both directions, as its subflows know it. */
uint64_t host_path_bytes(const struct endpoint *ep, int i);

/* ---- the gateway (gateway.c) ------------------------------------------------ */

enum server_kind {
	SERVER_ANSWERS,
	SERVER_REFUSES,
	SERVER_UNREACHABLE,
	SERVER_SILENT,
	SERVER_NO_FILES,                /* server_open() itself fails */
};

struct server_plan {
	enum server_kind kind;
	uint64_t connect_us;
	uint64_t pipe_bytes;            /* socket buffer, each direction */
	bool short_io;                  /* reads and writes do less than they could */
};

struct server {
	struct gateway *gateway;
	struct session *session;
	int index;
	bool open, connected, announced, dead;
	int error;                      /* of connect(), then of the connection */
	bool want_read, want_write;
	bool fin_in;                    /* the proxy shut its side */
	uint64_t in_fill, out_fill;     /* bytes in the two pipes */
	uint64_t out_offset;            /* next byte that the proxy reads */
	uint64_t connect_at_us;
	struct app app;
};

#define WORKER_MAX 3

/* One of the gateway's workers: a proxy, which is sent messages by the others. */
struct sim_worker {
	struct gateway *gateway;
	int index;
	struct proxy *proxy;
	uint32_t token[CONN_MAX];       /* of its connections; 0: free */
	struct list inbox;
};

struct gateway {
	struct run *run;
	struct sim *sim;
	struct sim_worker worker[WORKER_MAX];
	int workers;                    /* 0: it was stopped */
	struct proxy_load load;
	struct proxy_config config;
	uint64_t began_us, phase_end_us;
	int phase;                      /* of scenario_phase() */
	struct proxy_service service[CONN_MAX];
	struct ip_prefix prefixes[2];
	struct port_range port[CONN_MAX];
	struct counters counters;
	struct packet_sink sink;
	struct rng rng;
	struct server server[CONN_MAX];
	struct sim_timer timer;
	uint64_t stop_us;               /* proxy_free() then; TIMER_NEVER: at the end */
	uint64_t opened;
};

void gateway_init(struct gateway *g, struct run *run);
void gateway_receive(void *ctx, struct list *batch);
/* No new connections. */
void gateway_drain(struct gateway *g);
bool gateway_done(const struct gateway *g);
void gateway_fini(struct gateway *g);

/* ---- scenarios (scenario.c) ------------------------------------------------- */

struct scenario {
	uint64_t seed;
	const char *name;               /* NULL: random */
	bool proxy, v6;
	int link_count;
	struct link_params link[LINK_MAX][2];
	struct outage outages[LINK_MAX][OUTAGE_MAX];
	int outage_count[LINK_MAX];
	uint32_t outage_dirs;           /* bits: directions that all of them concern; 0: both */
	uint64_t silence_us;            /* the longest that is right; 0: any */
	int conn_count;
	struct app_plan plan[CONN_MAX][2];      /* client, server */
	uint64_t open_us[CONN_MAX];
	uint64_t accept_us;             /* passive host: delay before the SYN/ACK */
	struct mptcp_config cfg[2];
	uint32_t join_links, backup_links;      /* bits */
	uint32_t endpoints;             /* addresses that the server announces, up to ENDPOINT_MAX */
	uint64_t withdraw_us, restore_us;       /* the first of them is gone in between; 0: never */
	uint64_t prio_us;               /* both change the priority of the last subflow so often */
	uint64_t rebind_us[LINK_MAX];   /* see struct link */
	/*
	 * Path i begins at the client's address i and goes over link via[i]: i itself, where
	 * nothing is shared.
	 */
	uint8_t via[LINK_MAX];
	uint8_t first_path[CONN_MAX];   /* over which the connection opens */
	uint32_t own_paths[CONN_MAX];   /* bits: the connection joins only these; 0: all */
	uint32_t plain_conns;           /* bits: connections that fall back at once */
	/* Settings that differ from cfg[], and then a server port of its own. */
	bool has_own_cfg[CONN_MAX];
	struct mptcp_config own_cfg[CONN_MAX][2];
	uint64_t join_delay_us, rejoin_delay_us;
	bool rejoin;
	struct server_plan server[CONN_MAX];
	bool accept_first;
	int workers;                    /* of the proxy */
	bool stateless;                 /* SYNs are answered as in a flood */
	uint64_t proxy_stop_us;         /* TIMER_NEVER: not */
	uint64_t drain_us;
	bool quiet;                     /* no harm on the way but full queues */
	bool may_reset;                 /* ends other than complete are right, too */
	uint64_t bound_us;              /* virtual time within which all must end */
	uint32_t check_every;
	/* Directed scenarios. */
	void (*prepare)(struct run *run);
	void (*check)(struct run *run);
	/* Experiments: no verdict but check(), when `done` says so, at the latest at stop_us. */
	bool (*done)(struct run *run);
	uint64_t stop_us;
	void (*mark)(struct run *run);  /* called at mark_us */
	uint64_t mark_us;
};

#define SAMPLE_US (100 * MS)
#define SAMPLE_MAX 4000

struct sample {                 /* every SAMPLE_US, of connection 0 */
	uint64_t received[2];           /* by client, by server */
	uint64_t link_bytes[LINK_MAX];  /* both directions, arrived */
};

struct run {
	struct sim sim;
	const struct scenario *s;
	struct link link[LINK_MAX];
	struct host client;
	struct host host;               /* engine mode: the passive host */
	struct gateway gateway;         /* proxy mode */
	struct sample *samples;         /* directed scenarios only */
	int sample_count;
	struct sim_timer sampler;
	struct sim_timer drainer;
	struct sim_timer marker;
};

/* Random scenarios from here on may move more bytes through smaller buffers. */
#define SEED_HEAVY 100000u
/* Past this one, proxies have several workers. */
#define SEED_WORKERS 2000000u
/* ... and addresses that come and go, priorities that change, and NATs. */
#define SEED_ADDRESSES 3000000u
/* A scenario without impairments: two links, one connection, defaults. */
void scenario_default(struct scenario *s, bool proxy);
void scenario_random(struct scenario *s, uint64_t seed, bool proxy);
/* The same where each path has two faults of middleboxes, besides being bad otherwise: options
 * lost, checksums broken, payload changed, from some moment on. */
void scenario_middlebox(struct scenario *s, uint64_t seed, bool proxy);
/* Little harm, but that one side is not heard at all for 0.5 to 3 s. */
void scenario_mute(struct scenario *s, uint64_t seed, bool proxy);
/* The phase of a connection: 0 before withdraw_us, 2 after restore_us; and when it ends. */
int scenario_phase(const struct scenario *s, uint64_t age_us, uint64_t *end_us);
/* The addresses that the server announces in a phase; `list` has ENDPOINT_MAX. */
size_t scenario_endpoints(const struct scenario *s, int phase, struct mptcp_endpoint *list);
void scenario_print(const struct scenario *s, FILE *out);
/* What connection `i` has: settings of a side, the server's port, paths to join (bits). */
const struct mptcp_config *scenario_cfg(const struct scenario *s, int i, int side);
uint16_t scenario_server_port(const struct scenario *s, int i);
uint32_t scenario_joins(const struct scenario *s, int i);

struct result {
	bool failed;
	char reason[400];
	uint64_t hash, events, end_us;
	uint32_t fallbacks, resets, joins;
};
void scenario_run(const struct scenario *s, bool verbose, const char *pcap, struct result *out);

/* The two applications of connection `i`. */
struct app *run_app(struct run *run, int side, int i);
/* The link that carries the path of a client's address; NULL: none. */
struct link *run_link(struct run *run, const struct ip_addr *client);
/* Fails the run unless `cond`. */
#define run_expect(run, cond, ...)                                             \
	do {                                                                   \
		if (!(cond))                                                   \
			sim_fail(&(run)->sim, __VA_ARGS__);                    \
	} while (0)
/* Fails the run unless connection `i` ended with both streams complete. */
void run_expect_complete(struct run *run, int i);
/* Payload received by `side` (0: client) between two times, in bits per second. */
uint64_t run_goodput_bps(struct run *run, int side);

struct directed {
	const char *name;
	void (*make)(struct scenario *s);
};
extern const struct directed directed_basic[], directed_paths[], directed_options[],
	directed_proxy[], directed_idle[], directed_net[];

#endif
