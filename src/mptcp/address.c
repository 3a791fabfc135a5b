/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses: ADD_ADDR and REMOVE_ADDR, both ways (RFC 8684, section 3.4), and the ACKs that
 * carry them and MP_PRIO.
 *
 * Ours.  The caller says which addresses the peer may join (mptcp_set_endpoints()); this file
 * tells the peer what that changes.
 *
 *	WAITING -> TOLD         ADD_ADDR was echoed, or a join came there
 *	        -> UNANSWERED   said ADD_ADDR_SENDS times, further and further apart
 *	any of them -> WITHDRAWN -> FREE, once REMOVE_ADDR was said REMOVE_SENDS times
 *
 * What is withdrawn may work still, or be gone.  Its subflows get no new data; the peer is told
 * and closes them.  (Linux expects that: it accepts another address in exchange for one whose
 * subflow it closed itself.)  If it does not, we do a little later, by FIN as section 3.4.2 wants
 * it for what works, or by RST for what is gone.
 *
 * REMOVE_ADDR has no echo, so it is repeated; and an address that comes back gets a new id,
 * lest a late repetition take it away again.  Version 0 has no echoes at all: ADD_ADDR is
 * said twice.
 *
 * The peer's.  What it announces is checked, noted and echoed; this side never connects to it,
 * except as an active opener (the caller does, by MPTCP_EVENT_ADDRESS).  An address that it
 * removes may be a lie of someone on the path, so its subflows are probed first, as section
 * 3.4.2 advises, while others carry their data; one that answers stays.
 *
 * Signals.  Option space is short, so each goes on an ACK of its own, at most two of which
 * follow each other without anything between them (section 3.4.1), and at most one ADD_ADDR
 * waits for its echo within a retransmission timeout.  Repetitions take another subflow.
 *
 * Owns conn->addresses; calls options.c to encode and path.c to end subflows.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/timer.h"
#include "mptcp/internal.h"

#define ADD_ADDR_SENDS    6u    /* the last wait ends about a minute after the first */
#define ADD_ADDR_V0_SENDS 2u
#define REMOVE_SENDS      3u
#define PRIO_SENDS        2u    /* nothing answers it either */
#define SIGNALS_IN_ROW    2u
#define REMOVAL_PROBES    3u
/* Between repetitions, and for the answer to a probe; longer where the path is. */
#define ADD_ADDR_WAIT_US  1000000u
#define PROBE_WAIT_US     300000u
/* For a REMOVE_ADDR, repeated perhaps, to be heeded before we close subflows ourselves. */
#define WITHDRAW_WAIT_US  2000000u

static const char *const state_names[] = {
	[MPTCP_ADDRESS_FREE] = "free",
	[MPTCP_ADDRESS_WAITING] = "waiting",
	[MPTCP_ADDRESS_TOLD] = "told",
	[MPTCP_ADDRESS_UNANSWERED] = "unanswered",
	[MPTCP_ADDRESS_WITHDRAWN] = "withdrawn",
};

const char *mptcp_address_state_name(enum mptcp_address_state state)
{
	return state_names[state];
}

/* ---- the tables --------------------------------------------------------------- */

static bool get_table(struct mptcp_conn *conn)
{
	if (!conn->addresses)
		conn->addresses = calloc(1, sizeof(*conn->addresses));
	return conn->addresses;
}

/* The only writer of an address's state. */
static void set_state(struct mptcp_conn *conn, struct mptcp_local_address *l,
		      enum mptcp_address_state state, uint64_t now_us)
{
	if (log_threshold >= LOG_LEVEL_DEBUG) {
		char addr[IP_ENDPOINT_STRLEN];

		log_write(LOG_LEVEL_DEBUG, "conn %08x: address %u %s: %s -> %s",
			  conn->local_token, l->id,
			  ip_endpoint_format(&l->ep.announced, addr), state_names[l->state],
			  state_names[state]);
	}
	l->state = state;
	l->sent = 0;
	l->due_us = now_us;
	mptcp_signals_look(conn);
}

/* Whether what is sent to `to` is meant for `e`; a port of 0 stands for any. */
static bool leads_to(const struct ip_endpoint *to, const struct ip_endpoint *e)
{
	return ip_addr_equal(&to->addr, &e->addr) && (!e->port || e->port == to->port);
}

static bool same_endpoint(const struct mptcp_endpoint *a, const struct mptcp_endpoint *b)
{
	return ip_endpoint_equal(&a->announced, &b->announced) &&
	       ip_endpoint_equal(&a->local, &b->local);
}

static bool in_force(const struct mptcp_local_address *l)
{
	return l->state != MPTCP_ADDRESS_FREE && l->state != MPTCP_ADDRESS_WITHDRAWN;
}

static struct mptcp_local_address *find_endpoint(const struct mptcp_conn *conn,
						 const struct mptcp_endpoint *e)
{
	for (unsigned i = 0; i < MPTCP_LOCAL_MAX; i++) {
		struct mptcp_local_address *l = &conn->addresses->local[i];

		if (in_force(l) && same_endpoint(&l->ep, e))
			return l;
	}
	return NULL;
}

static bool has_subflow(const struct mptcp_conn *conn, uint8_t id)
{
	const struct mptcp_subflow *sf;

	list_for_each(sf, &conn->subflows, link)
		if (sf->local_id == id)
			return true;
	return false;
}

static bool id_in_use(const struct mptcp_conn *conn, uint8_t id)
{
	const struct mptcp_addresses *a = conn->addresses;

	for (unsigned i = 0; a && i < MPTCP_LOCAL_MAX; i++)
		if (a->local[i].state != MPTCP_ADDRESS_FREE && a->local[i].id == id)
			return true;
	for (unsigned i = 0; a && i < MPTCP_JOINED_MAX; i++)
		if (a->joined[i].id == id)
			return true;
	return has_subflow(conn, id);
}

/* Ids are far more than addresses and subflows can be. */
static uint8_t new_id(struct mptcp_conn *conn)
{
	do {
		conn->last_local_id = conn->last_local_id == UINT8_MAX ? 1
								       : conn->last_local_id + 1;
	} while (id_in_use(conn, conn->last_local_id));
	return conn->last_local_id;
}

/* The id of one that is not announced: that of earlier joins to it, if it is remembered.  The
 * oldest that no subflow has is forgotten for a new one. */
static uint8_t joined_id(struct mptcp_conn *conn, const struct ip_addr *addr)
{
	struct mptcp_joined_address *joined;
	unsigned at;

	if (!get_table(conn))
		return new_id(conn);
	joined = conn->addresses->joined;
	for (unsigned i = 0; i < MPTCP_JOINED_MAX; i++)
		if (joined[i].id && ip_addr_equal(&joined[i].addr, addr))
			return joined[i].id;
	for (unsigned i = 0; i < MPTCP_JOINED_MAX; i++) {
		at = (conn->addresses->joined_next + i) % MPTCP_JOINED_MAX;
		if (joined[at].id && has_subflow(conn, joined[at].id))
			continue;
		joined[at].addr = *addr;
		joined[at].id = new_id(conn);
		conn->addresses->joined_next = (uint8_t)((at + 1) % MPTCP_JOINED_MAX);
		return joined[at].id;
	}
	return new_id(conn);
}

/* The id that joins to the address have from before it was announced, or a new one.  It is not
 * remembered beyond that: an address that comes back has another. */
static uint8_t id_to_announce(struct mptcp_conn *conn, const struct ip_endpoint *local)
{
	struct mptcp_joined_address *joined = conn->addresses->joined;

	for (unsigned i = 0; i < MPTCP_JOINED_MAX && !local->port; i++) {
		if (joined[i].id && ip_addr_equal(&joined[i].addr, &local->addr)) {
			uint8_t id = joined[i].id;

			joined[i].id = 0;
			return id;
		}
	}
	return new_id(conn);
}

/* ---- ours ----------------------------------------------------------------------- */

static void set_backups(struct mptcp_conn *conn, uint8_t id, bool backup, uint64_t now_us)
{
	struct mptcp_subflow *sf;

	list_for_each(sf, &conn->subflows, link)
		if (sf->local_id == id)
			mptcp_subflow_set_backup(sf, backup, now_us);
}

static void announce(struct mptcp_conn *conn, const struct mptcp_endpoint *e, uint64_t now_us)
{
	struct mptcp_local_address *l = conn->addresses->local;

	while (l < conn->addresses->local + MPTCP_LOCAL_MAX && l->state != MPTCP_ADDRESS_FREE)
		l++;
	if (l == conn->addresses->local + MPTCP_LOCAL_MAX) {
		counter_inc(conn->env->counters, CNT_MP_ADDRESSES_FULL);
		return;
	}
	l->ep = *e;
	if (!conn->initial_withdrawn && leads_to(&conn->initial.dst, &e->local)) {
		l->id = 0;
		set_state(conn, l, MPTCP_ADDRESS_TOLD, now_us);
	} else {
		l->id = id_to_announce(conn, &e->local);
		set_state(conn, l, MPTCP_ADDRESS_WAITING, now_us);
	}
	set_backups(conn, l->id, e->backup, now_us);
}

/* Whether a subflow with another address of ours could take over. */
static bool others_usable(const struct mptcp_conn *conn, uint8_t id)
{
	const struct mptcp_subflow *sf;

	list_for_each(sf, &conn->subflows, link)
		if (sf->local_id != id && mptcp_subflow_usable(sf))
			return true;
	return false;
}

static void withdraw(struct mptcp_conn *conn, struct mptcp_local_address *l, bool gone,
		     uint64_t now_us)
{
	bool spare = others_usable(conn, l->id), unknown;
	struct mptcp_subflow *sf;

	if (!l->id)
		conn->initial_withdrawn = true;
	list_for_each(sf, &conn->subflows, link) {
		if (sf->local_id != l->id || sf->reset_pending)
			continue;
		if (sf->state == MPTCP_SUBFLOW_HANDSHAKE) {
			counter_inc(conn->env->counters, CNT_MP_SUBFLOW_REMOVED);
			mptcp_subflow_reset(sf, MPTCP_RST_UNSPECIFIED, "our address was withdrawn");
		} else if (spare && sf->state == MPTCP_SUBFLOW_ACTIVE) {
			counter_inc(conn->env->counters, CNT_MP_SUBFLOW_REMOVED);
			sf->deadline_us[MPTCP_SUBFLOW_TIMER_WITHDRAWAL] =
				now_us + WITHDRAW_WAIT_US;
			sf->withdrawn_gone = gone;
			if (gone)
				mptcp_subflow_silent(sf, now_us);
		}
	}
	/* What the peer does not know need not be taken back. */
	unknown = l->state == MPTCP_ADDRESS_WAITING && !l->sent && !has_subflow(conn, l->id);
	set_state(conn, l, unknown ? MPTCP_ADDRESS_FREE : MPTCP_ADDRESS_WITHDRAWN, now_us);
}

void mptcp_set_endpoints(struct mptcp_conn *conn, const struct mptcp_endpoint *list, size_t count,
			 uint64_t now_us)
{
	if (conn->mode != MPTCP_MODE_MPTCP || conn->state >= MPTCP_TIME_WAIT ||
	    (!count && !conn->addresses) || !get_table(conn))
		return;
	for (unsigned i = 0; i < MPTCP_LOCAL_MAX; i++) {
		struct mptcp_local_address *l = &conn->addresses->local[i];
		size_t k = 0;

		while (k < count && !same_endpoint(&list[k], &l->ep))
			k++;
		if (in_force(l) && (k == count || list[k].gone))
			withdraw(conn, l, k < count, now_us);
	}
	for (size_t k = 0; k < count; k++) {
		struct mptcp_local_address *l = find_endpoint(conn, &list[k]);

		if (list[k].gone)
			continue;
		if (!l) {
			announce(conn, &list[k], now_us);
		} else if (l->ep.backup != list[k].backup) {
			l->ep.backup = list[k].backup;
			set_backups(conn, l->id, l->ep.backup, now_us);
		}
	}
}

void mptcp_withdrawal_timeout(struct mptcp_subflow *sf, uint64_t now_us)
{
	if (sf->state != MPTCP_SUBFLOW_ACTIVE)
		return;
	/* Meanwhile it may have become the only one, or be no worse than the others.  With
	 * nothing under way it would not be heard again. */
	if (!others_usable(sf->conn, sf->local_id)) {
		if (!sf->tcp.flight_bytes)
			mptcp_subflow_heard(sf);
		return;
	}
	if (sf->withdrawn_gone || sf->stale) {
		mptcp_subflow_reset(sf, MPTCP_RST_UNSPECIFIED, "our address was withdrawn");
		return;
	}
	mptcp_subflow_set_state(sf, MPTCP_SUBFLOW_CLOSING, "our address was withdrawn");
	sf->tcp.orphan = true;
	tcp_close(&sf->tcp, now_us);
}

bool mptcp_address_of_join(struct mptcp_conn *conn, const struct ip_endpoint *dst, uint8_t *id,
			   bool *backup)
{
	bool initial = ip_endpoint_equal(dst, &conn->initial.dst), withdrawn = false;

	*backup = false;
	/* Version 0 has no flag to say so. */
	if (initial && conn->cfg.no_join_initial && conn->version)
		return false;
	for (unsigned i = 0; conn->addresses && i < MPTCP_LOCAL_MAX; i++) {
		const struct mptcp_local_address *l = &conn->addresses->local[i];

		if (l->state == MPTCP_ADDRESS_FREE || !leads_to(dst, &l->ep.local))
			continue;
		if (l->state == MPTCP_ADDRESS_WITHDRAWN) {
			withdrawn = true;
			continue;
		}
		*id = l->id;
		*backup = l->ep.backup;
		return true;
	}
	if (withdrawn || (initial && conn->initial_withdrawn))
		return false;
	*id = initial ? 0 : joined_id(conn, &dst->addr);
	return true;
}

void mptcp_address_joined(struct mptcp_conn *conn, uint8_t id, uint64_t now_us)
{
	for (unsigned i = 0; conn->addresses && i < MPTCP_LOCAL_MAX; i++) {
		struct mptcp_local_address *l = &conn->addresses->local[i];

		if (l->id == id && (l->state == MPTCP_ADDRESS_WAITING ||
				    l->state == MPTCP_ADDRESS_UNANSWERED)) {
			set_state(conn, l, MPTCP_ADDRESS_TOLD, now_us);
			conn->announce_next_us = now_us;
		}
	}
}

/* ---- the peer's ------------------------------------------------------------------- */

static void recv_echo(struct mptcp_conn *conn, const struct mptcp_add_addr *a, uint64_t now_us)
{
	for (unsigned i = 0; conn->addresses && i < MPTCP_LOCAL_MAX; i++) {
		struct mptcp_local_address *l = &conn->addresses->local[i];

		if (l->id != a->addr_id || !ip_addr_equal(&l->ep.announced.addr, &a->addr) ||
		    (l->state != MPTCP_ADDRESS_WAITING && l->state != MPTCP_ADDRESS_UNANSWERED))
			continue;
		counter_inc(conn->env->counters, CNT_MP_ADD_ADDR_ECHOED);
		set_state(conn, l, MPTCP_ADDRESS_TOLD, now_us);
		conn->announce_next_us = now_us;
	}
}

/* The entry of the address, an old one or a new one; NULL if it must be ignored. */
static struct mptcp_remote_address *note_address(struct mptcp_conn *conn,
						 const struct mptcp_add_addr *a)
{
	struct mptcp_remote_address *r, *free_entry = NULL;

	if (!get_table(conn))
		return NULL;
	for (unsigned i = 0; i < MPTCP_REMOTE_MAX; i++) {
		r = &conn->addresses->remote[i];
		if (!r->known) {
			if (!free_entry)
				free_entry = r;
		} else if (r->id == a->addr_id) {
			/* An id stands for one address until it is removed; the port may be
			 * another one. */
			if (!ip_addr_equal(&r->ep.addr, &a->addr)) {
				counter_inc(conn->env->counters, CNT_MP_ADD_ADDR_IGNORED);
				return NULL;
			}
			if (r->ep.port != a->port) {
				r->ep.port = a->port;
				conn->events |= MPTCP_EVENT_ADDRESS;
			}
			return r;
		}
	}
	if (!free_entry) {
		counter_inc(conn->env->counters, CNT_MP_ADDRESSES_FULL);
		return NULL;
	}
	*free_entry = (struct mptcp_remote_address){
		.ep = { .addr = a->addr, .port = a->port },
		.id = a->addr_id,
		.known = true,
	};
	conn->events |= MPTCP_EVENT_ADDRESS;
	return free_entry;
}

static void recv_add_addr(struct mptcp_subflow *sf, const struct mptcp_add_addr *a)
{
	struct mptcp_conn *conn = sf->conn;
	struct mptcp_remote_address *r;
	uint8_t mac[8];

	if (!conn->version && a->has_mac)
		return; /* no form of this version's */
	if (conn->version) {
		mptcp_add_addr_mac(conn->remote_key, conn->local_key, a, mac);
		if (!a->has_mac || !mptcp_mac_equal(mac, a->mac, sizeof(mac))) {
			counter_inc(conn->env->counters, CNT_MP_ADD_ADDR_BAD_MAC);
			return;
		}
	}
	r = note_address(conn, a);
	if (!r)
		return;
	counter_inc(conn->env->counters, CNT_MP_ADD_ADDR_IN);
	if (!conn->version)
		return;
	sf->echoes |= 1u << (r - conn->addresses->remote);
	mptcp_signals_look(conn);
}

static void probe(struct mptcp_subflow *sf, uint64_t now_us)
{
	uint32_t wait_us = 2 * sf->tcp.rto_us;

	sf->removal_probes++;
	sf->removal_probe_us = now_us + sf->tcp.min_rtt_us;
	sf->deadline_us[MPTCP_SUBFLOW_TIMER_REMOVAL] =
		now_us + (wait_us < PROBE_WAIT_US ? PROBE_WAIT_US : wait_us);
	tcp_request_probe(&sf->tcp);
}

static void remove_subflow(struct mptcp_subflow *sf)
{
	sf->deadline_us[MPTCP_SUBFLOW_TIMER_REMOVAL] = TIMER_NEVER;
	counter_inc(sf->conn->env->counters, CNT_MP_SUBFLOW_REMOVED);
	mptcp_subflow_reset(sf, MPTCP_RST_UNSPECIFIED, "the peer removed its address");
}

static void recv_remove(struct mptcp_conn *conn, uint8_t id, uint64_t now_us)
{
	struct mptcp_subflow *sf;

	counter_inc(conn->env->counters, CNT_MP_REMOVE_ADDR_IN);
	for (unsigned i = 0; conn->addresses && i < MPTCP_REMOTE_MAX; i++) {
		struct mptcp_remote_address *r = &conn->addresses->remote[i];

		if (!r->known || r->id != id)
			continue;
		r->known = false;
		conn->events |= MPTCP_EVENT_ADDRESS;
		list_for_each(sf, &conn->subflows, link)
			sf->echoes &= ~(1u << i);
	}
	list_for_each(sf, &conn->subflows, link) {
		if (sf->remote_id != id || sf->reset_pending)
			continue;
		if (sf->state == MPTCP_SUBFLOW_HANDSHAKE) {
			remove_subflow(sf);
		} else if (sf->state == MPTCP_SUBFLOW_ACTIVE &&
			   !mptcp_removal_pending(sf)) {
			sf->removal_probes = 0;
			probe(sf, now_us);
			mptcp_subflow_silent(sf, now_us);
		}
	}
}

void mptcp_address_heard(struct mptcp_subflow *sf, uint64_t now_us)
{
	if (!mptcp_removal_pending(sf) || now_us < sf->removal_probe_us)
		return;
	sf->deadline_us[MPTCP_SUBFLOW_TIMER_REMOVAL] = TIMER_NEVER;
	mptcp_subflow_heard(sf);
}

void mptcp_removal_timeout(struct mptcp_subflow *sf, uint64_t now_us)
{
	if (sf->state != MPTCP_SUBFLOW_ACTIVE)
		return;
	if (sf->removal_probes < REMOVAL_PROBES)
		probe(sf, now_us);
	else
		remove_subflow(sf);
}

void mptcp_address_options(struct mptcp_subflow *sf, const struct packet *p, uint64_t now_us)
{
	const struct mptcp_options *o = &p->tcp.mptcp;

	if (o->present & MPOPT_ADD_ADDR) {
		if (!o->add_addr.echo)
			recv_add_addr(sf, &o->add_addr);
		else if (sf->conn->version)
			recv_echo(sf->conn, &o->add_addr, now_us);
	}
	if (o->present & MPOPT_REMOVE_ADDR)
		for (int i = 0; i < o->remove_addr.count; i++)
			recv_remove(sf->conn, o->remove_addr.ids[i], now_us);
}

/* ---- signals ------------------------------------------------------------------------ */

/* State of one pass over what is due. */
struct pass {
	const struct packet_sink *sink;
	uint64_t now_us;
	uint64_t next_us;               /* when the next pass is due */
};

static void due_at(struct pass *pass, uint64_t when_us)
{
	if (when_us < pass->next_us)
		pass->next_us = when_us;
}

static bool can_carry(const struct mptcp_subflow *sf)
{
	return sf->state == MPTCP_SUBFLOW_ACTIVE && !sf->reset_pending && sf->confirmed;
}

/* Sends a signal, unless too many went in a row already: then later. */
static bool send_signal(struct mptcp_subflow *sf, const struct mptcp_signal *signal,
			struct pass *pass)
{
	if (sf->signal_seq != sf->tcp.snd_nxt || sf->signal_ack != sf->tcp.rcv_nxt ||
	    pass->now_us - sf->signal_us >= sf->tcp.rto_us)
		sf->signals_in_row = 0;
	if (sf->signals_in_row >= SIGNALS_IN_ROW) {
		due_at(pass, sf->signal_us + sf->tcp.rto_us);
		return false;
	}
	sf->signals_in_row++;
	sf->signal_us = pass->now_us;
	sf->signal_seq = sf->tcp.snd_nxt;
	sf->signal_ack = sf->tcp.rcv_nxt;
	mptcp_emit_signal(sf, signal, pass->sink, pass->now_us);
	return true;
}

static void send_echoes(struct mptcp_subflow *sf, struct pass *pass)
{
	for (unsigned i = 0; sf->echoes && i < MPTCP_REMOTE_MAX; i++) {
		const struct mptcp_remote_address *r = &sf->conn->addresses->remote[i];
		struct mptcp_add_addr a = {
			.addr = r->ep.addr, .port = r->ep.port, .addr_id = r->id, .echo = true,
		};
		struct mptcp_signal signal;

		if (!(sf->echoes & 1u << i))
			continue;
		signal.len = (uint8_t)mptcp_option_build_add_addr(signal.data, &a,
								  sf->conn->version);
		if (!send_signal(sf, &signal, pass))
			return;
		sf->echoes &= ~(1u << i);
	}
}

static void send_prio(struct mptcp_subflow *sf, struct pass *pass)
{
	struct mptcp_signal signal;

	if (!sf->prio_left)
		return;
	if (sf->prio_due_us > pass->now_us) {
		due_at(pass, sf->prio_due_us);
		return;
	}
	signal.len = (uint8_t)mptcp_option_build_prio(signal.data, sf->backup);
	if (!send_signal(sf, &signal, pass))
		return;
	counter_inc(sf->conn->env->counters, CNT_MP_PRIO_OUT);
	sf->prio_due_us = pass->now_us + sf->tcp.rto_us;
	if (--sf->prio_left)
		due_at(pass, sf->prio_due_us);
}

static bool is_withdrawn(const struct mptcp_conn *conn, uint8_t id)
{
	for (unsigned i = 0; i < MPTCP_LOCAL_MAX; i++)
		if (conn->addresses->local[i].state == MPTCP_ADDRESS_WITHDRAWN &&
		    conn->addresses->local[i].id == id)
			return true;
	return false;
}

/* Whether what is sent on `sf` is likely to arrive. */
static bool is_trusty(const struct mptcp_subflow *sf)
{
	return !sf->stale && !mptcp_removal_pending(sf) &&
	       !is_withdrawn(sf->conn, sf->local_id);
}

/* The subflow for an address's n-th signal: each trusty one in turn, if there is one. */
static struct mptcp_subflow *carrier(struct mptcp_conn *conn, unsigned n)
{
	struct mptcp_subflow *sf;
	unsigned count[2] = { 0 };

	list_for_each(sf, &conn->subflows, link)
		if (can_carry(sf))
			count[is_trusty(sf)]++;
	n %= count[1] ? count[1] : count[0] ? count[0] : 1;
	list_for_each(sf, &conn->subflows, link)
		if (can_carry(sf) && is_trusty(sf) == (count[1] > 0) && !n--)
			return sf;
	return NULL;
}

/* All that are due in one option: they fit beside a DSS. */
static void send_removals(struct mptcp_conn *conn, struct pass *pass)
{
	struct mptcp_local_address *due[MPTCP_LOCAL_MAX];
	uint8_t ids[MPTCP_LOCAL_MAX];
	struct mptcp_signal signal;
	struct mptcp_subflow *sf;
	unsigned n = 0;

	for (unsigned i = 0; i < MPTCP_LOCAL_MAX; i++) {
		struct mptcp_local_address *l = &conn->addresses->local[i];

		if (l->state != MPTCP_ADDRESS_WITHDRAWN)
			continue;
		if (l->due_us > pass->now_us) {
			due_at(pass, l->due_us);
			continue;
		}
		ids[n] = l->id;
		due[n++] = l;
	}
	/* Without a subflow it waits for one. */
	sf = n ? carrier(conn, due[0]->sent) : NULL;
	if (!sf)
		return;
	signal.len = (uint8_t)mptcp_option_build_remove_addr(signal.data, ids, n);
	if (!send_signal(sf, &signal, pass))
		return;
	counter_inc(conn->env->counters, CNT_MP_REMOVE_ADDR_OUT);
	for (unsigned i = 0; i < n; i++) {
		if (++due[i]->sent == REMOVE_SENDS) {
			set_state(conn, due[i], MPTCP_ADDRESS_FREE, pass->now_us);
			continue;
		}
		due[i]->due_us = pass->now_us + ((uint64_t)sf->tcp.rto_us << due[i]->sent);
		due_at(pass, due[i]->due_us);
	}
}

static void send_add_addr(struct mptcp_conn *conn, struct mptcp_local_address *l,
			  struct pass *pass)
{
	struct mptcp_add_addr a = {
		.addr = l->ep.announced.addr, .port = l->ep.announced.port, .addr_id = l->id,
	};
	struct mptcp_subflow *sf = carrier(conn, l->sent);
	struct mptcp_signal signal;
	uint64_t wait_us;

	if (!sf)
		return;
	wait_us = 2 * (uint64_t)sf->tcp.rto_us;
	/* Without a port the peer takes that of the subflow which tells it. */
	if (!a.port && sf->rx.dst.port != conn->initial.dst.port)
		a.port = conn->initial.dst.port;
	if (conn->version)
		mptcp_add_addr_mac(conn->local_key, conn->remote_key, &a, a.mac);
	signal.len = (uint8_t)mptcp_option_build_add_addr(signal.data, &a, conn->version);
	if (!send_signal(sf, &signal, pass))
		return;
	counter_inc(conn->env->counters, CNT_MP_ADD_ADDR_OUT);
	l->sent++;
	l->due_us = pass->now_us +
		    ((wait_us < ADD_ADDR_WAIT_US ? ADD_ADDR_WAIT_US : wait_us) << (l->sent - 1));
	conn->announce_next_us = pass->now_us + sf->tcp.rto_us;
}

static void send_announcements(struct mptcp_conn *conn, struct pass *pass)
{
	for (unsigned i = 0; i < MPTCP_LOCAL_MAX; i++) {
		struct mptcp_local_address *l = &conn->addresses->local[i];
		uint64_t when_us;

		if (l->state != MPTCP_ADDRESS_WAITING)
			continue;
		if (conn->version ? l->sent == ADD_ADDR_SENDS && l->due_us <= pass->now_us
				  : l->sent == ADD_ADDR_V0_SENDS) {
			if (conn->version)
				counter_inc(conn->env->counters, CNT_MP_ADD_ADDR_UNANSWERED);
			set_state(conn, l, conn->version ? MPTCP_ADDRESS_UNANSWERED
							 : MPTCP_ADDRESS_TOLD, pass->now_us);
			continue;
		}
		if (l->due_us <= pass->now_us && conn->announce_next_us <= pass->now_us)
			send_add_addr(conn, l, pass);
		/* What could not be sent waits for a subflow, or for its turn. */
		when_us = l->due_us > conn->announce_next_us ? l->due_us : conn->announce_next_us;
		if (when_us > pass->now_us)
			due_at(pass, when_us);
	}
}

void mptcp_signals_output(struct mptcp_conn *conn, const struct packet_sink *sink, uint64_t now_us)
{
	struct pass pass = { sink, now_us, TIMER_NEVER };
	struct mptcp_subflow *sf;

	/* After an MP_FAIL there will be no other subflow. */
	if (conn->mode == MPTCP_MODE_MPTCP && !mptcp_failing(conn) &&
	    conn->state < MPTCP_TIME_WAIT) {
		list_for_each(sf, &conn->subflows, link) {
			if (!can_carry(sf))
				continue;
			send_echoes(sf, &pass);
			send_prio(sf, &pass);
		}
		if (conn->addresses) {
			send_removals(conn, &pass);
			send_announcements(conn, &pass);
		}
	}
	conn->deadline_us[MPTCP_TIMER_SIGNALS] = pass.next_us;
}

void mptcp_subflow_set_backup(struct mptcp_subflow *sf, bool backup, uint64_t now_us)
{
	if (sf->backup == backup)
		return;
	sf->backup = backup;
	sf->prio_left = PRIO_SENDS;
	sf->prio_due_us = now_us;
	mptcp_signals_look(sf->conn);
}
