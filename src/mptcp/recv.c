/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Receiving: from subflow bytes and DSS mappings to one stream (RFC 8684, section
 * 3.3).
 *
 * Each subflow keeps the mappings whose bytes have not come yet, sorted; its in-order
 * payload is cut along them.  A piece that is next in the stream is offered to the
 * consumer where it lies; a later one is copied into the connection's reassembly
 * queue.  With checksums on, a mapping's bytes are first collected whole, because none
 * of them may be used before the checksum was right.  After a fallback the subflow's
 * bytes are the stream as they come (fallback.c).
 *
 * The receive window is one for all subflows: what the consumer has not finished with
 * counts against it, and its right edge never moves back (section 3.3.4).  A subflow's
 * own edge does not move back either, so that while another subflow uses the window up,
 * this one's segments tell DATA_ACK plus a window that is too large.  What was told so
 * is accepted (at most one window more per subflow), because TCP acknowledges it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/seq.h"
#include "mptcp/internal.h"
#include "wire/checksum.h"

/* Mappings kept for reuse, so that packets need no allocation. */
#define FREE_MAPS_MAX 4096u
/* Mappings that a subflow may have even when memory is short. */
#define MAPS_ALWAYS 64u
/* How long after unmapped data with a DSS such without may wait for their mapping, too: TCP may
 * have to send again what is between them. */
#define MAPPING_WAIT_US 10000000u

/* ---- stream ----------------------------------------------------------------- */

static void deliver(struct mptcp_conn *conn, const uint8_t *data, size_t len, bool transient)
{
	mptcp_told_data(conn, data, len);
	conn->rcv_nxt += len;
	conn->bytes_received += len;
	conn->deliver(conn->owner, data, len, transient);
}

static void take_fin(struct mptcp_conn *conn)
{
	if (!conn->fin_known || conn->fin_delivered || conn->rcv_nxt != conn->fin_dsn)
		return;
	conn->fin_delivered = true;
	if (conn->mode == MPTCP_MODE_MPTCP) {
		struct mptcp_subflow *sf;

		/* DATA_FIN takes one octet of the sequence space. */
		conn->rcv_nxt++;
		conn->consumed++;
		list_for_each(sf, &conn->subflows, link)
			if (sf->state == MPTCP_SUBFLOW_ACTIVE)
				tcp_request_ack(&sf->tcp);
	}
	conn->events |= MPTCP_EVENT_FIN;
}

/* The stream bytes [dsn, dsn + len), in order or not, new or not. */
static void recv_stream(struct mptcp_conn *conn, uint64_t dsn, const uint8_t *data, size_t len,
			bool transient, uint64_t now_us)
{
	uint64_t end = dsn + len;

	if (seq64_gt(end, conn->rcv_told) && conn->mode == MPTCP_MODE_MPTCP) {
		/* Beyond the window: not ours to keep; the peer will have to send it again. */
		counter_inc(conn->env->counters, CNT_MP_BAD_MAPPING);
		if (seq64_geq(dsn, conn->rcv_told))
			return;
		len = conn->rcv_told - dsn;
		end = conn->rcv_told;
	}
	if (conn->fin_known && seq64_gt(end, conn->fin_dsn)) {
		counter_inc(conn->env->counters, CNT_MP_BAD_MAPPING);
		if (seq64_geq(dsn, conn->fin_dsn))
			return;
		len = conn->fin_dsn - dsn;
		end = conn->fin_dsn;
	}
	if (seq64_lt(dsn, conn->rcv_nxt)) {
		uint64_t skip = seq64_leq(end, conn->rcv_nxt) ? len : conn->rcv_nxt - dsn;

		counter_add(conn->env->counters, CNT_MP_DUP, skip);
		data += skip;
		dsn += skip;
		len -= skip;
	}
	if (!len)
		return;
	if (dsn != conn->rcv_nxt) {
		long n = reasm_insert(&conn->ooo, dsn, data, len, NULL);

		if (n > 0)
			counter_inc(conn->env->counters, CNT_MP_OOO);
		else if (n < 0) /* not DATA_ACKed: the peer sends it again */
			counter_inc(conn->env->counters, CNT_MP_OOO_DROPPED);
		return;
	}
	deliver(conn, data, len, transient);
	while (conn->ooo.bytes && (len = reasm_peek(&conn->ooo, conn->rcv_nxt, &data)) > 0) {
		deliver(conn, data, len, true);
		reasm_drop(&conn->ooo, conn->rcv_nxt);
	}
	take_fin(conn);
	mptcp_buffers_tune_receive(conn, now_us);
}

void mptcp_recv_fin(struct mptcp_conn *conn, uint64_t dsn)
{
	struct mptcp_subflow *sf;

	if (conn->fin_delivered) {
		/* Our DATA_ACK of it was lost. */
		list_for_each(sf, &conn->subflows, link)
			if (sf->tcp.state >= TCP_ESTABLISHED && sf->tcp.state < TCP_TIME_WAIT)
				tcp_request_ack(&sf->tcp);
		return;
	}
	if (seq64_lt(dsn, conn->rcv_nxt) || (conn->fin_known && dsn != conn->fin_dsn)) {
		counter_inc(conn->env->counters, CNT_MP_BAD_MAPPING);
		return;
	}
	conn->fin_known = true;
	conn->fin_dsn = dsn;
	take_fin(conn);
}

/* Whether the shared window opens that was shut, as far as the peer was told. */
static bool window_opens(const struct mptcp_conn *conn, uint32_t window)
{
	uint32_t mss = conn->cfg.tcp.mss;

	return conn->mode == MPTCP_MODE_MPTCP && window >= 2 * mss &&
	       seq64_lt(conn->rcv_told, conn->rcv_nxt + mss);
}

void mptcp_consumed(struct mptcp_conn *conn, size_t len, uint64_t now_us)
{
	struct mptcp_subflow *sf;
	uint32_t window;
	bool telling = false;

	(void)now_us;
	conn->consumed += len;
	window = mptcp_recv_window(conn);
	list_for_each(sf, &conn->subflows, link) {
		tcp_set_window(&sf->tcp, window);
		if (sf->state == MPTCP_SUBFLOW_ACTIVE && sf->tcp.ack_now)
			telling = true;
	}
	/* To TCP it is no news where the subflow's own window has room, and the one that had none
	 * may have gone. */
	if (telling || !window_opens(conn, window))
		return;
	list_for_each(sf, &conn->subflows, link)
		if (sf->state == MPTCP_SUBFLOW_ACTIVE)
			tcp_request_ack(&sf->tcp);
}

uint32_t mptcp_recv_window(struct mptcp_conn *conn)
{
	uint32_t rcvbuf = mptcp_buffers_receive(conn);
	uint64_t edge;

	if (conn->mode != MPTCP_MODE_MPTCP) {
		uint64_t held = conn->rcv_nxt - conn->consumed;

		return held >= rcvbuf ? 0 : rcvbuf - held;
	}
	edge = seq64_max(conn->consumed + rcvbuf, conn->rcv_adv);
	conn->rcv_adv = edge;
	return seq64_gt(edge, conn->rcv_nxt) ? edge - conn->rcv_nxt : 0;
}

void mptcp_recv_told(struct mptcp_subflow *sf, uint16_t window)
{
	struct mptcp_conn *conn = sf->conn;
	unsigned shift = sf->tcp.wscale_on ? sf->tcp.cfg.rcv_wscale : 0;
	uint64_t edge = conn->rcv_nxt + ((uint64_t)window << shift);

	if (conn->mode == MPTCP_MODE_MPTCP)
		conn->rcv_told = edge = seq64_max(conn->rcv_told, edge);
	mptcp_told_window(conn, edge);
}

/* ---- mappings ----------------------------------------------------------------- */

static struct mptcp_map *map_new(struct mptcp_subflow *sf)
{
	struct mptcp_env *env = sf->conn->env;
	struct mptcp_map *m = list_first(&env->free_maps, struct mptcp_map, link);

	/* A peer may announce much and send little; but a few must always be possible, or
	 * nothing could be read when memory is short. */
	if (sf->map_count < MAPS_ALWAYS)
		pool_charge(env->pool, sizeof(*m));
	else if (!pool_try_charge(env->pool, sizeof(*m)))
		return NULL;
	if (m) {
		list_remove(&m->link);
		env->free_map_count--;
	} else {
		m = malloc(sizeof(*m));
		if (!m)
			pool_uncharge(env->pool, sizeof(*m));
	}
	return m;
}

static void map_free(struct mptcp_subflow *sf, struct mptcp_map *m)
{
	struct mptcp_env *env = sf->conn->env;

	list_remove(&m->link);
	pool_uncharge(env->pool, sizeof(*m));
	sf->map_count--;
	if (env->free_map_count >= FREE_MAPS_MAX) {
		free(m);
		return;
	}
	list_push_front(&env->free_maps, &m->link);
	env->free_map_count++;
}

void mptcp_recv_free_spares(struct mptcp_env *env)
{
	struct mptcp_map *m, *tmp;

	list_for_each_safe(m, tmp, &env->free_maps, link)
		free(m);
	list_init(&env->free_maps);
	env->free_map_count = 0;
}

void mptcp_recv_forget_maps(struct mptcp_subflow *sf)
{
	struct mptcp_map *m, *tmp;

	list_for_each_safe(m, tmp, &sf->maps, link)
		map_free(sf, m);
	sf->map_buffered = 0;
}

uint64_t mptcp_recv_contiguous(const struct mptcp_subflow *sf, uint64_t offset)
{
	uint64_t next = sf->map_offset - sf->map_buffered;

	if (stream_len(&sf->held))
		next = sf->held.begin;
	return sf->conn->rcv_nxt - sf->conn->fin_delivered + (offset - next);
}

/*
 * Bytes of the subflow after a fallback.  They are the stream as they come, except where
 * the peer shows that it repeats itself: by an infinite mapping on data sent before, or by
 * mappings from before it knew.
 */
static void recv_plain(struct mptcp_subflow *sf, uint64_t offset, const uint8_t *data, size_t len,
		       bool transient, uint64_t now_us)
{
	struct mptcp_conn *conn = sf->conn;
	uint64_t dsn;
	size_t n;

	while (len) {
		struct mptcp_map *m = list_first(&sf->maps, struct mptcp_map, link);

		if (m && seq64_leq(m->ssn + m->len, offset)) {
			map_free(sf, m);
			continue;
		}
		n = len;
		dsn = conn->rcv_nxt;
		if (conn->infinite_in && seq64_geq(offset, conn->infinite_in_offset)) {
			dsn = seq64_min(dsn, conn->infinite_in_dsn +
					     (offset - conn->infinite_in_offset));
		} else {
			if (m && seq64_leq(m->ssn, offset)) {
				n = m->ssn + m->len - offset;
				dsn = seq64_min(dsn, m->dsn + (offset - m->ssn));
			} else if (m) {
				n = m->ssn - offset;
			}
			if (conn->infinite_in && n > conn->infinite_in_offset - offset)
				n = conn->infinite_in_offset - offset;
			if (n > len)
				n = len;
			/* The rest of this comes again, where the infinite mapping says. */
			if (conn->infinite_in && seq64_geq(dsn, conn->infinite_in_dsn))
				goto next;
		}
		if (conn->mode == MPTCP_MODE_MPTCP && seq64_gt(dsn + n, conn->rcv_told)) {
			/* Dropped, it would be missing: TCP has acknowledged it. */
			counter_inc(conn->env->counters, CNT_MP_BAD_MAPPING);
			mptcp_subflow_reset(sf, MPTCP_RST_SPECIFIC, "beyond the window");
			return;
		}
		recv_stream(conn, dsn, data, n, transient, now_us);
next:
		data += n;
		len -= n;
		offset += n;
		sf->map_offset = offset;
	}
}

/* Keeps bytes of the subflow that nobody may read yet. */
static void hold(struct mptcp_subflow *sf, uint64_t offset, const uint8_t *data, size_t len)
{
	if (!stream_len(&sf->held)) {
		stream_fini(&sf->held);
		stream_init(&sf->held, sf->conn->env->pool, offset);
	}
	/* Once what the window allowed, and once that again, repeated. */
	if (stream_len(&sf->held) + len > 2 * (sf->conn->rcv_told - sf->conn->rcv_nxt))
		mptcp_subflow_reset(sf, MPTCP_RST_MIDDLEBOX, "too much without a mapping");
	else if (stream_append(&sf->held, data, len) < len)
		mptcp_subflow_reset(sf, MPTCP_RST_RESOURCES, "out of memory");
}

void mptcp_recv_release(struct mptcp_subflow *sf, uint64_t now_us)
{
	struct stream held = sf->held;
	struct iovec iov;

	stream_init(&sf->held, sf->conn->env->pool, 0);
	while (stream_len(&held)) {
		size_t n = stream_len(&held);

		while (stream_gather(&held, held.begin, n, &iov, 1) < 1)
			n = (n + 1) / 2;
		recv_plain(sf, held.begin, iov.iov_base, iov.iov_len, true, now_us);
		stream_release(&held, held.begin + iov.iov_len);
	}
	stream_fini(&held);
}

void mptcp_recv_fall_back(struct mptcp_subflow *sf, uint64_t now_us)
{
	struct mptcp_conn *conn = sf->conn;
	uint32_t len = sf->map_buffered;

	/* A DATA_FIN that was not reached: from now on TCP's FIN is the end. */
	if (!conn->fin_delivered)
		conn->fin_known = false;
	/* TCP has acknowledged these bytes; what their checksum is matters no more. */
	sf->map_buffered = 0;
	if (len)
		recv_plain(sf, sf->map_offset - len, sf->map_buffer, len, true, now_us);
	mptcp_recv_release(sf, now_us);
}

/* Keeps a mapping behind `after`. */
static void map_add(struct mptcp_subflow *sf, struct list *after, uint64_t dsn, uint64_t ssn,
		    uint32_t len, bool fin, uint16_t checksum)
{
	struct mptcp_map *m;

	if (sf->map_count >= MPTCP_MAPS_MAX) {
		counter_inc(sf->conn->env->counters, CNT_MP_BAD_MAPPING);
		mptcp_subflow_reset(sf, MPTCP_RST_RESOURCES, "too many mappings");
		return;
	}
	m = map_new(sf);
	if (!m) {
		mptcp_subflow_reset(sf, MPTCP_RST_RESOURCES, "out of memory");
		return;
	}
	m->dsn = dsn;
	m->ssn = ssn;
	m->len = len;
	m->fin = fin;
	m->checksum = checksum;
	list_insert_after(after, &m->link);
	sf->map_count++;
}

/* The mapping [dsn, dsn + len) at subflow sequence number `seq`; `fin`: the length that the
 * checksum covers counts a DATA_FIN besides. */
static void recv_mapping(struct mptcp_subflow *sf, uint64_t dsn, uint32_t seq, uint32_t len,
			 bool fin, uint16_t checksum)
{
	struct mptcp_conn *conn = sf->conn;
	uint64_t ssn = mptcp_rcv_offset(sf, seq);
	struct list *after = sf->maps.prev;
	struct mptcp_map *m;

	if (seq64_leq(ssn + len, sf->map_offset))
		return; /* all of it has been used */
	/* Of half a mapping there is no checksum. */
	if (conn->checksum_on && seq64_lt(ssn, sf->map_offset - sf->map_buffered))
		return;
	/* Mappings come mostly in order: look from the end. */
	while (after != &sf->maps) {
		m = list_entry(after, struct mptcp_map, link);
		if (m->ssn == ssn && m->len == len && m->dsn == dsn)
			return;
		if (seq64_leq(m->ssn + m->len, ssn))
			break;
		if (seq64_lt(m->ssn, ssn + len)) {
			/* The first mapping for a byte counts.  One that contradicts it is void;
			 * of one that agrees, what it adds is kept, if it needs no checksum. */
			if (m->dsn - m->ssn != dsn - ssn) {
				counter_inc(conn->env->counters, CNT_MP_BAD_MAPPING);
				return;
			}
			if (conn->checksum_on)
				return;
			if (seq64_gt(ssn + len, m->ssn + m->len))
				map_add(sf, after, m->dsn + m->len, m->ssn + m->len,
					(uint32_t)(ssn + len - m->ssn - m->len), false, 0);
			if (seq64_geq(ssn, m->ssn))
				return;
			len = (uint32_t)(m->ssn - ssn);
		}
		after = after->prev;
	}
	map_add(sf, after, dsn, ssn, len, fin, checksum);
}

/*
 * Whether what came on the first subflow, but for its last `pending` bytes, is the stream, each
 * byte once.  Where the peer has repeated something, or something was dropped, what follows may
 * be the rest of the repetition, and the peer will not fall back either.
 */
static bool came_once(const struct mptcp_subflow *sf, size_t pending)
{
	return sf->bytes_received - pending - stream_len(&sf->held) - sf->map_buffered ==
	       sf->conn->bytes_received;
}

/*
 * Whether the bytes of the only subflow, of which `pending` are left, may be taken for the stream
 * from here on.  Not while a join is pending: a fallback would have to reset it, and a client that
 * sees the reset of a subflow (Linux) sends all that was not DATA_ACKed once more on the other.
 */
static bool may_read_unmapped(const struct mptcp_subflow *sf, size_t pending)
{
	return mptcp_may_fall_back(sf->conn) && sf->conn->subflow_count == 1 &&
	       came_once(sf, pending);
}

/*
 * After a pause, which takes a client a round trip at least, unmapped data may be data that we
 * have had, see told.c.  The pause is where the subflow's sequence goes on, at `end`, even if
 * something before it is still missing.
 *
 * It would not help to leave out what is repeated.  No DATA_ACK reaches that client, so that
 * its window never opens again, and not one new byte would come.  It would fall back if it got
 * data without a mapping, of which only the server may have some.
 */
void mptcp_recv_unmapped(struct mptcp_subflow *sf, const struct packet *p, uint64_t end,
			 uint64_t now_us)
{
	struct mptcp_conn *conn = sf->conn;
	uint64_t begin = mptcp_rcv_offset(sf, p->tcp.seq), pause_us = now_us - conn->unmapped_us;
	const uint8_t *data = NULL;
	size_t len = 0;

	conn->unmapped_us = now_us;
	/* What fills a gap is TCP's repetition. */
	if (pause_us < sf->tcp.srtt_us / 2 || seq64_leq(begin + p->payload_len, end))
		return;
	if (seq64_leq(begin, end)) {
		data = p->payload + (end - begin);
		len = p->payload_len - (end - begin);
	}
	if (!conn->bytes_received ||
	    !mptcp_told_repeats(conn, mptcp_recv_contiguous(sf, end), data, len))
		return;
	mptcp_robbed(sf);
	counter_inc(conn->env->counters, CNT_MP_NO_MAPPING);
	mptcp_terminate(conn, "options lost");
}

/* Collects a mapping's bytes; delivers it when complete and right.  Returns how many
 * bytes it took, 0 when the subflow ended. */
static size_t recv_checked(struct mptcp_subflow *sf, struct mptcp_map *m, const uint8_t *data,
			   size_t len, uint64_t now_us)
{
	struct mptcp_conn *conn = sf->conn;
	uint32_t ssn;

	if (!sf->map_buffer) {
		sf->map_buffer = malloc(UINT16_MAX);
		if (!sf->map_buffer) {
			mptcp_subflow_reset(sf, MPTCP_RST_RESOURCES, "out of memory");
			return 0;
		}
		pool_charge(conn->env->pool, UINT16_MAX);
	}
	if (len > m->len - sf->map_buffered)
		len = m->len - sf->map_buffered;
	memcpy(sf->map_buffer + sf->map_buffered, data, len);
	sf->map_buffered += len;
	if (sf->map_buffered < m->len)
		return len;
	ssn = (uint32_t)(sf->tcp.rcv_nxt - sf->tcp.irs -
			 (uint32_t)(sf->tcp.rcv_offset - m->ssn));
	sf->map_buffered = 0;
	if (mptcp_dss_checksum(m->dsn, ssn, (uint16_t)(m->len + m->fin),
			       csum_add(0, sf->map_buffer, m->len)) != m->checksum) {
		if (!mptcp_fail_begin(sf, m->dsn, now_us))
			return len;
		hold(sf, m->ssn, sf->map_buffer, m->len);
		if (conn->fail_agreed)
			mptcp_recv_release(sf, now_us);
		return len;
	}
	recv_stream(conn, m->dsn, sf->map_buffer, m->len, true, now_us);
	return len;
}

/* Takes the bytes at `offset` as far as mappings for them are known; returns how many. */
static size_t recv_mapped(struct mptcp_subflow *sf, uint64_t offset, const uint8_t *data,
			  size_t len, bool transient, uint64_t now_us)
{
	struct mptcp_conn *conn = sf->conn;
	size_t done = 0, n;

	while (done < len && !sf->reset_pending && !conn->failed) {
		struct mptcp_map *m = list_first(&sf->maps, struct mptcp_map, link);

		if (m && seq64_leq(m->ssn + m->len, offset)) {
			map_free(sf, m);
			continue;
		}
		if (!m || seq64_gt(m->ssn, offset))
			break;
		n = m->ssn + m->len - offset;
		if (n > len - done)
			n = len - done;
		if (conn->checksum_on)
			n = recv_checked(sf, m, data + done, n, now_us);
		else
			recv_stream(conn, m->dsn + (offset - m->ssn), data + done, n, transient,
				    now_us);
		done += n;
		offset += n;
		sf->map_offset = offset;
	}
	return done;
}

/*
 * Bytes that came with a DSS option, but without a mapping for them, wait: it may come
 * behind them (section 3.3.1).  If bytes behind them are mapped, a middlebox that merges
 * segments has eaten it; then they are dropped, and for lack of a DATA_ACK the peer sends
 * them again.
 */
static void recv_waiting(struct mptcp_subflow *sf, uint64_t now_us)
{
	struct iovec iov;

	while (stream_len(&sf->held) && !sf->reset_pending) {
		size_t done, n = stream_len(&sf->held);
		const struct mptcp_map *m;

		while (stream_gather(&sf->held, sf->held.begin, n, &iov, 1) < 1)
			n = (n + 1) / 2;
		done = recv_mapped(sf, sf->held.begin, iov.iov_base, iov.iov_len, true, now_us);
		if (!done && !sf->reset_pending) {
			m = list_first(&sf->maps, struct mptcp_map, link);
			if (!m || seq64_geq(m->ssn, sf->held.end))
				return;
			done = m->ssn - sf->held.begin;
			sf->map_offset = m->ssn;
			counter_add(sf->conn->env->counters, CNT_MP_UNMAPPED, done);
		}
		stream_release(&sf->held, sf->held.begin + done);
	}
}

/*
 * Whether bytes have come without any option, long after what waits: no sender leaves a mapping out
 * for so long.  They are its repetition, for lack of a DATA_ACK, and have lost their options again.
 * If they waited, too, we would look like a peer whose reader has stopped, for ever.
 */
static bool waits_in_vain(const struct mptcp_subflow *sf, uint64_t now_us)
{
	return stream_len(&sf->held) && !sf->dss_here && !sf->reset_pending &&
	       now_us - sf->held_us >= MAPPING_WAIT_US;
}

void mptcp_recv_payload(struct mptcp_subflow *sf, const uint8_t *data, size_t len, uint32_t seq,
			bool transient, uint64_t now_us)
{
	struct mptcp_conn *conn = sf->conn;
	uint64_t offset = mptcp_rcv_offset(sf, seq);
	size_t n;

	sf->bytes_received += len;
	if (conn->state == MPTCP_FASTCLOSE_WAIT || conn->state == MPTCP_CLOSED)
		return;
	while (len && !sf->reset_pending) {
		if (conn->mode == MPTCP_MODE_FALLBACK) {
			recv_plain(sf, offset, data, len, transient, now_us);
			return;
		}
		if (conn->fail_agreed) {
			recv_plain(sf, offset, data, len, transient, now_us);
			return;
		}
		if (conn->failed) {
			hold(sf, offset, data, len);
			sf->map_offset = offset + len;
			return;
		}
		n = stream_len(&sf->held) ? 0
					  : recv_mapped(sf, offset, data, len, transient, now_us);
		data += n;
		len -= n;
		offset += n;
		if (n || !len || sf->reset_pending)
			continue;
		if (stream_len(&sf->held) || (conn->joined_once && sf->dss_here)) {
			if (sf->dss_here)
				sf->held_us = now_us;
			hold(sf, offset, data, len);
			recv_waiting(sf, now_us);
			if (!waits_in_vain(sf, now_us))
				return;
		}
		/* Without any option they were lost on the way. */
		mptcp_robbed(sf);
		if (!may_read_unmapped(sf, len) || conn->fin_known) {
			counter_inc(conn->env->counters, CNT_MP_NO_MAPPING);
			mptcp_subflow_reset(sf, MPTCP_RST_MIDDLEBOX, "data without a mapping");
			return;
		}
		/* A peer that has sent MP_FAIL does so on purpose. */
		conn->fallback_acks = !conn->infinite_out;
		conn->unmapped_us = now_us;
		mptcp_fall_back(conn, CNT_MP_FALLBACK_DATA, "data without a mapping", now_us);
	}
}

/* ---- options ------------------------------------------------------------------ */

/*
 * Whether a mapping has a checksum if that was agreed, and has none if not: a subflow that
 * does otherwise is broken (section 3.3).  Version 0 ignores one that was not asked for.
 */
static bool checksum_as_agreed(struct mptcp_subflow *sf, bool has_checksum)
{
	struct mptcp_conn *conn = sf->conn;

	if (has_checksum == conn->checksum_on || (has_checksum && !conn->version))
		return true;
	counter_inc(conn->env->counters,
		    has_checksum ? CNT_MP_UNAGREED_CHECKSUM : CNT_MP_NO_CHECKSUM);
	mptcp_subflow_reset(sf, MPTCP_RST_SPECIFIC,
			    has_checksum ? "DSS checksum not agreed" : "no DSS checksum");
	return false;
}

static void recv_data_ack(struct mptcp_subflow *sf, const struct packet *p, uint64_t now_us)
{
	struct mptcp_conn *conn = sf->conn;
	const struct mptcp_dss *d = &p->tcp.mptcp.dss;

	sf->data_acked = true;
	sf->bare_window = 0;
	/* After an infinite mapping only the subflow's ACKs count (section 3.7). */
	if (!conn->infinite_sent) {
		uint64_t ack = d->ack_is64 ? d->data_ack
					   : seq64_extend(conn->snd_una, (uint32_t)d->data_ack);
		uint64_t edge = ack + ((uint32_t)p->tcp.window << sf->tcp.snd_wscale);

		if (seq64_leq(ack, conn->snd_nxt + conn->fin_sent)) {
			if (seq64_gt(edge, conn->snd_wnd_edge))
				conn->snd_wnd_edge = edge;
			/* A peer whose reader has stopped leaves out, for lack of room, what its
			 * TCP has acknowledged, though its window is open (Linux); that may last
			 * (RFC 9293, section 3.8.6.1). */
			if (seq64_lt(conn->snd_una, conn->snd_nxt))
				conn->rto_unanswered = 0;
			mptcp_send_acked(conn, ack, now_us);
			if (ack == conn->snd_una && p->tcp.ack == sf->tcp.snd_una)
				mptcp_send_left_out(sf);
		} else {
			counter_inc(conn->env->counters, CNT_MP_BAD_ACK);
		}
	}
}

static void recv_dss(struct mptcp_subflow *sf, const struct packet *p, uint64_t now_us)
{
	struct mptcp_conn *conn = sf->conn;
	const struct mptcp_dss *d = &p->tcp.mptcp.dss;

	if (d->has_ack && p->tcp.flags & TCP_ACK)
		recv_data_ack(sf, p, now_us);
	if (d->has_map) {
		uint64_t dsn = d->dsn_is64 ? d->dsn
					   : seq64_extend(conn->rcv_nxt, (uint32_t)d->dsn);
		uint32_t len = d->data_len;

		if (!len) {
			mptcp_infinite_received(sf, dsn, sf->tcp.irs + d->ssn, now_us);
			return;
		}
		if (!checksum_as_agreed(sf, d->has_checksum))
			return;
		if (d->dsn_is64 && seq64_gt(dsn + len, conn->rcv_whole))
			conn->rcv_whole = dsn + len;
		if (d->data_fin) {
			len--;
			/* Alone, it is covered by its pseudo-header (section 3.3.3). */
			if (!len && conn->checksum_on &&
			    mptcp_dss_checksum(dsn, d->ssn, 1, 0) != d->checksum) {
				counter_inc(conn->env->counters, CNT_MP_BAD_CHECKSUM);
				return;
			}
			mptcp_recv_fin(conn, dsn + len);
		}
		if (len)
			recv_mapping(sf, dsn, sf->tcp.irs + d->ssn, len, d->data_fin,
				     d->checksum);
	}
}

/*
 * Whether the peer's window opens here that is shut, without the DATA_ACK beside which alone it
 * would count (section 3.3.2).  No data is under way then whose ACKs could show the same.
 */
static bool opens_without_data_ack(const struct mptcp_subflow *sf, const struct packet *p)
{
	return sf->tcp.window_shut && p->tcp.window && p->tcp.ack == sf->tcp.snd_nxt;
}

/* A packet without any: the path has eaten them, or the peer has fallen back. */
static void recv_no_options(struct mptcp_subflow *sf, const struct packet *p,
			    const struct tcp_rx *rx, uint64_t now_us)
{
	struct mptcp_conn *conn = sf->conn;

	if (conn->fail_agreed) {
		/* Our infinite mapping reached it, or the path has eaten its own. */
		conn->infinite_out = false;
		mptcp_fall_back(conn, CNT_MP_FALLBACK_CHECKSUM, "MP_FAIL answered", now_us);
		return;
	}
	if (conn->failed) {
		/* Data is no answer to MP_FAIL: a peer that was not told, because that was lost,
		 * sends again what was not DATA_ACKed. */
		if (p->payload_len) {
			mptcp_robbed(sf);
			counter_inc(conn->env->counters, CNT_MP_NO_MAPPING);
			mptcp_subflow_reset(sf, MPTCP_RST_MIDDLEBOX, "options lost after MP_FAIL");
		}
		return;
	}
	if (conn->infinite_out && mptcp_may_fall_back(conn)) {
		/* Our infinite mapping reached it on an ACK.  No DATA_ACK will come any more,
		 * and no window but TCP's. */
		mptcp_fall_back(conn, CNT_MP_FALLBACK_PEER, "MP_FAIL", now_us);
		return;
	}
	if (rx->ack_advanced && sf->join && !sf->data_acked && sf->bytes_sent) {
		/* Never a DATA_ACK, on a path that was just added (RFC 8684, section 3.7). */
		mptcp_robbed(sf);
		mptcp_subflow_reset(sf, MPTCP_RST_MIDDLEBOX, "ACK without options");
		return;
	}
	/* A DATA_ACK need not be repeated, and with checksums there is none of half a mapping
	 * (section 3.3.2). */
	if (sf->data_acked && mptcp_send_held(conn, conn->snd_una))
		return;
	/* No DATA_ACK will come any more; with other subflows the data timer finds out. */
	if (mptcp_may_fall_back(conn) && came_once(sf, 0)) {
		if (seq64_leq(tcp_oldest_offset(&sf->tcp, conn->snd_nxt), conn->snd_una) &&
		    !opens_without_data_ack(sf, p))
			return;
		mptcp_robbed(sf);
		conn->fallback_acks = true;
		mptcp_fall_back(conn, CNT_MP_FALLBACK_DATA, "ACK without options", now_us);
		return;
	}
	/* That timer does not run while the window is shut and nothing is under way.  Two probes
	 * have to be answered like this: one answer may be a middlebox's own. */
	if (!opens_without_data_ack(sf, p) || sf->tcp.persist_backoff == sf->bare_window)
		return;
	if (sf->bare_window) {
		mptcp_robbed(sf);
		counter_inc(conn->env->counters, CNT_MP_NO_WINDOW);
		mptcp_subflow_reset(sf, MPTCP_RST_MIDDLEBOX, "window without DATA_ACK");
	}
	sf->bare_window = sf->tcp.persist_backoff;
}

/* Whether MP_CAPABLE brings the mapping of the stream's first bytes (RFC 8684, section 3.1). */
static bool maps_first_data(struct mptcp_subflow *sf, const struct mptcp_options *o)
{
	return o->present & MPOPT_CAPABLE && sf->conn->version >= 1 && !sf->join &&
	       o->capable.has_data_len && o->capable.data_len &&
	       checksum_as_agreed(sf, o->capable.has_checksum);
}

void mptcp_recv_options(struct mptcp_subflow *sf, const struct packet *p,
			const struct tcp_rx *rx, uint64_t now_us)
{
	struct mptcp_conn *conn = sf->conn;
	const struct mptcp_options *o = &p->tcp.mptcp;

	if (o->present & MPOPT_FASTCLOSE && conn->mode == MPTCP_MODE_MPTCP &&
	    o->fastclose.key == conn->local_key) {
		counter_inc(conn->env->counters, CNT_MP_FASTCLOSE_IN);
		/* The answer is a plain RST. */
		conn->fastclose_on_rst = false;
		mptcp_terminate(conn, "fastclose");
		return;
	}
	if (o->present & MPOPT_TCPRST && p->tcp.flags & TCP_RST) {
		counter_inc(conn->env->counters, CNT_MP_TCPRST_IN);
		/* Whether to come back (T) is for who opens subflows to heed. */
		log_debug("conn %08x: the peer resets a subflow: reason %u%s", conn->local_token,
			  o->tcprst.reason,
			  o->tcprst.flags & MPTCP_TCPRST_TRANSIENT ? ", transient" : "");
	}
	sf->dss_here = o->present & MPOPT_DSS;
	if (conn->mode != MPTCP_MODE_MPTCP)
		return;
	if (p->tcp.flags & TCP_RST) {
		if (o->present & MPOPT_FAIL)
			mptcp_fail_received(sf, o->fail.dsn, true, now_us);
		return;
	}
	if (!o->present) {
		recv_no_options(sf, p, rx, now_us);
		return;
	}
	if (maps_first_data(sf, o))
		/* The stream's first byte; rcv_nxt has also counted a DATA_FIN. */
		recv_mapping(sf, conn->rcv_nxt - conn->bytes_received - conn->fin_delivered,
			     sf->tcp.irs + 1, o->capable.data_len, false, o->capable.checksum);
	if (o->present & MPOPT_JOIN_ACK && sf->join)
		tcp_request_ack(&sf->tcp); /* our fourth ACK was lost */
	if (o->present & MPOPT_DSS) {
		if (!sf->confirmed && (conn->addresses || sf->prio_left))
			mptcp_signals_look(conn);
		sf->confirmed = true;
		recv_dss(sf, p, now_us);
		if (conn->joined_once)
			recv_waiting(sf, now_us);
	}
	if (o->present & MPOPT_FAIL && conn->mode == MPTCP_MODE_MPTCP)
		mptcp_fail_received(sf, o->fail.dsn, false, now_us);
	if (o->present & ~(uint32_t)(MPOPT_DSS | MPOPT_CAPABLE | MPOPT_JOIN_ACK))
		mptcp_path_options(sf, p, now_us);
}
