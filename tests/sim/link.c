/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Paths between client and server: each direction has a rate, a drop-tail queue, a
 * delay and its ways to harm packets.
 *
 * What the engine emits is cut as a device with segmentation offload would cut it,
 * then harmed packet by packet, and may be merged again on arrival as the kernel's
 * GRO does: consecutive segments of one flow with the same acknowledgement number
 * and byte-identical options.
 */
#include "sim.h"

#include <stdlib.h>
#include <string.h>

#include "wire/bytes.h"
#include "wire/checksum.h"

static size_t ip_header_len(const uint8_t *data)
{
	return data[0] >> 4 == 4 ? (size_t)(data[0] & 15) * 4 : 40;
}

static void ip_set_len(uint8_t *data, size_t len)
{
	if (data[0] >> 4 == 6) {
		bytes_put16(data + 4, (uint16_t)(len - 40));
		return;
	}
	bytes_put16(data + 2, (uint16_t)len);
	bytes_put16(data + 10, 0);
	csum_store(data + 10, (uint16_t)~csum_fold(csum_add(0, data, ip_header_len(data))));
}

static unsigned ecn_bits(const struct sim_packet *p)
{
	return p->data[0] >> 4 == 4 ? p->data[1] & 3u : p->data[1] >> 4 & 3u;
}

static void ecn_set(struct sim_packet *p, unsigned bits)
{
	if (p->data[0] >> 4 == 4) {
		p->data[1] = (uint8_t)((p->data[1] & ~3u) | bits);
		ip_set_len(p->data, p->len);
	} else {
		p->data[1] = (uint8_t)((p->data[1] & ~0x30u) | bits << 4);
	}
}

void link_fix_checksum(struct sim_packet *p)
{
	size_t ip = ip_header_len(p->data);
	struct ip_addr src, dst;
	uint64_t sum;

	if (p->data[0] >> 4 == 4) {
		ip_addr_from_v4(&src, p->data + 12);
		ip_addr_from_v4(&dst, p->data + 16);
	} else {
		ip_addr_from_v6(&src, p->data + 8);
		ip_addr_from_v6(&dst, p->data + 24);
	}
	bytes_put16(p->data + ip + 16, 0);
	sum = csum_pseudo(&src, &dst, 6, (uint32_t)(p->len - ip));
	sum = csum_add(sum, p->data + ip, p->len - ip);
	csum_store(p->data + ip + 16, (uint16_t)~csum_fold(sum));
}

void link_strip_mptcp(struct sim_packet *p, struct packet *parsed)
{
	size_t ip = ip_header_len(p->data), head = (size_t)(p->data[ip + 12] >> 4) * 4;
	uint8_t *o = p->data + ip + 20, *end = p->data + ip + head;

	while (o < end && *o) {
		if (*o == 1) {
			o++;
		} else if (*o == TCPOPT_MPTCP) {
			uint8_t len = o[1];

			memset(o, 1, len);
			o += len;
		} else {
			o += o[1];
		}
	}
	link_fix_checksum(p);
	parsed->tcp.mptcp.present = 0;
}

/* Breaks the HMAC in an MP_JOIN option that has one. */
static void tamper_join(struct sim_packet *p)
{
	size_t ip = ip_header_len(p->data), head = (size_t)(p->data[ip + 12] >> 4) * 4;
	uint8_t *o = p->data + ip + 20, *end = p->data + ip + head;

	while (o < end && *o) {
		if (*o == 1) {
			o++;
			continue;
		}
		if (*o == TCPOPT_MPTCP && o[2] >> 4 == MPTCP_SUB_JOIN && o[1] >= 16)
			o[5] ^= 0x40;
		o += o[1];
	}
	link_fix_checksum(p);
}

/* Breaks the checksum of a DSS option that has one. */
static void break_sum(struct sim_packet *p, struct packet *parsed)
{
	size_t ip = ip_header_len(p->data), head = (size_t)(p->data[ip + 12] >> 4) * 4;
	uint8_t *o = p->data + ip + 20, *end = p->data + ip + head;

	if (!(parsed->tcp.mptcp.present & MPOPT_DSS) || !parsed->tcp.mptcp.dss.has_checksum ||
	    !parsed->tcp.mptcp.dss.data_len)
		return;
	while (o < end && *o) {
		if (*o == 1) {
			o++;
			continue;
		}
		if (*o == TCPOPT_MPTCP && o[2] >> 4 == MPTCP_SUB_DSS)
			o[o[1] - 1] ^= 0x40;
		o += o[1];
	}
	link_fix_checksum(p);
}

static void mangle(struct link_dir *d, struct sim_packet *p)
{
	p->data[p->len - 1] ^= MANGLE_BITS;
	link_fix_checksum(p);
	d->link->sim->mangled++;
}

static bool is_out(const struct link *l, int dir)
{
	uint64_t now = l->sim->now_us - 1000 * SECOND;

	if (l->outage_dirs && !(l->outage_dirs >> dir & 1))
		return false;
	for (int i = 0; i < l->outage_count; i++) {
		if (now >= l->outages[i].from_us && now < l->outages[i].to_us)
			return true;
	}
	return false;
}

/* What middleboxes do on purpose; false: lost. */
static bool middlebox(struct link_dir *d, struct sim_packet *p, struct packet *parsed)
{
	const struct link_params *lp = &d->p;
	bool syn = parsed->tcp.flags & TCP_SYN;

	if (syn) {
		unsigned conn = parsed->tuple.dst.port - CLIENT_PORT;

		if (lp->strip_syn ||
		    (d->dir == DOWN && conn < CONN_MAX && d->link->plain_conns >> conn & 1))
			link_strip_mptcp(p, parsed);
	} else {
		d->plain_count++;
		if (d->plain_count == 1 && lp->lose_third_ack)
			return false;
		if (d->plain_count == 1 && lp->strip_third_ack)
			link_strip_mptcp(p, parsed);
	}
	if (parsed->payload_len) {
		d->data_count++;
		if (d->data_count == 1 && lp->lose_first_data)
			return false;
	}
	if (lp->strip_data_from && d->data_count >= lp->strip_data_from &&
	    (!lp->strip_packets || d->strip_count++ < lp->strip_packets))
		link_strip_mptcp(p, parsed);
	if (lp->mangle_data && parsed->payload_len && d->data_count == lp->mangle_data)
		mangle(d, p);
	if (lp->break_sum_from && parsed->payload_len && d->data_count >= lp->break_sum_from &&
	    d->data_count < lp->break_sum_from + 50)
		break_sum(p, parsed);
	if (lp->tamper_join && parsed->tcp.mptcp.present & (MPOPT_JOIN_SYNACK | MPOPT_JOIN_ACK))
		tamper_join(p);
	return !d->filter || d->filter(d, p, parsed);
}

static bool is_lost(struct link_dir *d)
{
	struct rng *r = &d->link->sim->rng;

	if (d->link->sim->now_us < d->burst_until_us)
		return true;
	if (rng_chance(r, d->p.burst_begin)) {
		d->burst_until_us = d->link->sim->now_us + rng_below(r, d->p.burst_us + 1);
		return true;
	}
	return rng_chance(r, d->p.loss);
}

static void rearm(struct link_dir *d)
{
	struct sim_packet *first = list_first(&d->queue, struct sim_packet, link);

	sim_arm(&d->timer, first ? first->arrival_us + d->p.gro_us : TIMER_NEVER);
}

static void enqueue(struct link_dir *d, struct sim_packet *p)
{
	struct sim_packet *at = list_last(&d->queue, struct sim_packet, link);

	while (at && at->arrival_us > p->arrival_us)
		at = list_prev(&d->queue, at, struct sim_packet, link);
	list_insert_after(at ? &at->link : &d->queue, &p->link);
	if (!at)
		rearm(d);
}

static struct sim_packet *packet_dup(const struct sim_packet *p)
{
	struct sim_packet *q = malloc(sizeof(*q) + p->len);

	memcpy(q, p, sizeof(*p) + p->len);
	return q;
}

/* Takes `p` over. */
/*
 * A NAT that at some time gives all flows other ports: the server sees the client's plus
 * REBIND_PORTS, and what still comes for the old ones is dropped.  False: that.
 */
#define REBIND_PORTS 20000u

static bool rebind(struct link_dir *d, struct sim_packet *p)
{
	size_t at = ip_header_len(p->data) + (d->dir == UP ? 0 : 2);
	uint16_t port = bytes_get16(p->data + at);

	if (!d->link->rebind_us || d->link->sim->now_us < d->link->rebind_us)
		return true;
	if (d->dir == DOWN && port < 2 * REBIND_PORTS)
		return false;
	bytes_put16(p->data + at, (uint16_t)(d->dir == UP ? port + REBIND_PORTS
							  : port - REBIND_PORTS));
	link_fix_checksum(p);
	return true;
}

static void send_one(struct link_dir *d, struct sim_packet *p)
{
	struct sim *sim = d->link->sim;
	struct rng *r = &sim->rng;
	const char *fate = "lost";
	uint64_t now = sim->now_us, backlog;
	struct packet parsed;

	if (packet_parse(p->data, p->len, &parsed) || parsed.kind != PACKET_TCP) {
		parsed.tcp.mptcp.present = 0;
		parsed.tcp.flags = 0;
		parsed.payload_len = 0;
	}
	sim_hash(sim, &now, sizeof(now));
	sim_hash(sim, p->data, p->len);
	sim_pcap_write(sim, p->data, p->len);
	d->bytes_in += p->len;
	if (!middlebox(d, p, &parsed)) {
		fate = "taken";
		goto lost;
	}
	if (!rebind(d, p)) {
		fate = "not the NAT's";
		goto lost;
	}
	if (is_out(d->link, d->dir) || is_lost(d))
		goto lost;
	if (d->p.mtu && p->len > d->p.mtu) {
		fate = "too big";
		if (d->p.too_big)
			link_too_big(&d->link->dir[!d->dir], p, d->p.mtu);
		goto lost;
	}

	if (d->busy_until_us < now)
		d->busy_until_us = now;
	backlog = (d->busy_until_us - now) * d->p.rate_bps / 8000000;
	if (backlog + p->len > d->p.queue_bytes) {
		fate = "full";
		goto lost;
	}
	if (d->p.mark_bytes && backlog > d->p.mark_bytes && ecn_bits(p) != PACKET_ECN_NONE)
		ecn_set(p, PACKET_ECN_CE);
	if (d->p.bleach)
		ecn_set(p, PACKET_ECN_NONE);
	d->busy_until_us += (p->len * 8000000 + d->p.rate_bps - 1) / d->p.rate_bps;
	p->arrival_us = d->busy_until_us + d->p.delay_us + rng_below(r, d->p.jitter_us + 1);
	/* Jitter alone keeps the order. */
	if (p->arrival_us < d->last_arrival_us)
		p->arrival_us = d->last_arrival_us;
	if (rng_chance(r, d->p.reorder))
		p->arrival_us += rng_below(r, d->p.reorder_us + 1);
	else
		d->last_arrival_us = p->arrival_us;

	fate = "sent";
	if (rng_chance(r, d->p.duplicate)) {
		struct sim_packet *q = packet_dup(p);

		q->arrival_us += rng_below(r, 2 * d->p.delay_us + 1);
		enqueue(d, q);
		fate = "sent twice";
	}
	if (rng_chance(r, d->p.corrupt)) {
		size_t ip = ip_header_len(p->data);
		size_t at = ip + rng_below(r, p->len - ip);

		p->data[at] ^= (uint8_t)(1 << rng_below(r, 8));
		fate = "corrupted";
	}
	sim_trace_packet(sim, fate, d->link->index, d->dir, p->data, p->len);
	enqueue(d, p);
	return;
lost:
	sim_trace_packet(sim, fate, d->link->index, d->dir, p->data, p->len);
	free(p);
}

void link_send_raw(struct link_dir *d, const uint8_t *data, size_t len)
{
	struct sim_packet *p = malloc(sizeof(*p) + len);

	memset(p, 0, sizeof(*p));
	p->len = len;
	memcpy(p->data, data, len);
	send_one(d, p);
}

static void check_partial_checksum(struct sim *sim, const struct packet_out *out)
{
	const uint8_t *tcp = out->headers + out->ip_len;
	size_t tcp_len = out->headers_len - out->ip_len + out->payload_len;
	uint8_t want[2];

	csum_store(want, csum_fold(csum_pseudo(&out->tuple->src.addr, &out->tuple->dst.addr, 6,
					       (uint32_t)tcp_len)));
	if (memcmp(want, tcp + 16, 2))
		sim_fail(sim, "emitted packet: checksum field is not the pseudo-header's sum");
}

void link_emit(struct link_dir *d, const struct packet_out *out)
{
	static uint8_t payload[PACKET_MAX];
	struct sim *sim = d->link->sim;
	size_t total = 0, off = 0, seg = out->segment_len, ip = out->ip_len;
	uint32_t seq = bytes_get32(out->headers + ip + 4);
	uint16_t id = bytes_get16(out->headers + 4);
	uint8_t flags = out->headers[ip + 13];

	check_partial_checksum(sim, out);
	if (!out->payload_len && (ip == 40 ? out->headers[1] & 0x30 : out->headers[1] & 3))
		sim_fail(sim, "emitted packet without data is ECN-capable");
	for (int i = 0; i < out->payload_iovs; i++) {
		if (total + out->payload[i].iov_len > sizeof(payload)) {
			sim_fail(sim, "emitted packet longer than %u", PACKET_MAX);
			return;
		}
		memcpy(payload + total, out->payload[i].iov_base, out->payload[i].iov_len);
		total += out->payload[i].iov_len;
	}
	if (total != out->payload_len || out->headers_len + total > PACKET_MAX) {
		sim_fail(sim, "emitted packet: %zu bytes of payload for %zu", total,
			 out->payload_len);
		return;
	}
	if (total <= seg || !seg)
		seg = total;
	if (out->headers_len + seg > MTU) {
		sim_fail(sim, "emitted segment of %zu bytes exceeds the MTU (%zu of payload, "
			 "segment_len %u)", out->headers_len + seg, total, out->segment_len);
		return;
	}
	if (total > seg && flags & (TCP_SYN | TCP_RST | TCP_URG))
		sim_fail(sim, "emitted super-segment with flags %02x", flags);
	do {
		size_t piece = total - off < seg ? total - off : seg;
		struct sim_packet *p = malloc(sizeof(*p) + out->headers_len + piece);
		uint8_t *tcp = p->data + ip;

		memset(p, 0, sizeof(*p));
		p->len = out->headers_len + piece;
		memcpy(p->data, out->headers, out->headers_len);
		memcpy(p->data + out->headers_len, payload + off, piece);
		bytes_put32(tcp + 4, seq + (uint32_t)off);
		if (off + piece < total)
			tcp[13] &= (uint8_t)~(TCP_FIN | TCP_PSH);
		if (off)
			tcp[13] &= (uint8_t)~TCP_CWR;
		if (p->data[0] >> 4 == 4)
			bytes_put16(p->data + 4, id++);
		ip_set_len(p->data, p->len);
		link_fix_checksum(p);
		send_one(d, p);
		off += piece;
	} while (off < total);
}

/* ---- arrival ------------------------------------------------------------------ */

/* Whether `q` may be merged behind `p`, of `first_len` bytes of payload per segment. */
static bool may_merge(const struct sim_packet *p, const struct sim_packet *q, size_t first_len,
		      size_t last_len)
{
	size_t ip = ip_header_len(p->data), head = (size_t)(p->data[ip + 12] >> 4) * 4;
	const uint8_t *a = p->data + ip, *b = q->data + ip;
	size_t len = p->len - ip - head, more;

	if (p->data[0] >> 4 != q->data[0] >> 4 || ip_header_len(q->data) != ip ||
	    (size_t)(b[12] >> 4) * 4 != head)
		return false;
	more = q->len - ip - head;
	if (ecn_bits(p) != ecn_bits(q))
		return false;
	/* Addresses, ports, acknowledgement number, window, options. */
	if (p->data[0] >> 4 == 4 ? memcmp(p->data + 12, q->data + 12, 8) :
				   memcmp(p->data + 8, q->data + 8, 32))
		return false;
	if (memcmp(a, b, 4) || memcmp(a + 8, b + 8, 4) || memcmp(a + 14, b + 14, 2) ||
	    memcmp(a + 20, b + 20, head - 20))
		return false;
	if ((a[13] & ~TCP_PSH) != TCP_ACK || (b[13] & ~(TCP_PSH | TCP_FIN)) != TCP_ACK ||
	    a[13] & TCP_PSH)
		return false;
	if (!more || last_len != first_len || more > first_len || p->len + more > 65531)
		return false;
	return bytes_get32(b + 4) == bytes_get32(a + 4) + len;
}

static bool checksum_ok(const struct sim_packet *p)
{
	struct packet parsed;

	return !packet_parse(p->data, p->len, &parsed) && parsed.kind == PACKET_TCP &&
	       packet_checksum_ok(&parsed);
}

static void gro(struct list *batch)
{
	struct sim_packet *p, *q, *next;
	size_t ip, head, first_len, last_len;

	for (p = list_first(batch, struct sim_packet, link); p;
	     p = list_next(batch, p, struct sim_packet, link)) {
		if (!checksum_ok(p))
			continue;
		ip = ip_header_len(p->data);
		head = (size_t)(p->data[ip + 12] >> 4) * 4;
		first_len = last_len = p->len - ip - head;
		if (!first_len)
			continue;
		while ((q = list_next(batch, p, struct sim_packet, link)) && checksum_ok(q) &&
		       may_merge(p, q, first_len, last_len)) {
			next = malloc(sizeof(*next) + p->len + q->len);
			last_len = q->len - ip - head;
			memcpy(next, p, sizeof(*p) + p->len);
			memcpy(next->data + p->len, q->data + ip + head, last_len);
			next->data[ip + 13] |= q->data[ip + 13];
			next->len = p->len + last_len;
			next->merged = true;
			ip_set_len(next->data, next->len);
			list_remove(&q->link);
			free(q);
			list_insert_after(&p->link, &next->link);
			list_remove(&p->link);
			free(p);
			p = next;
		}
	}
}

static void arrive(struct sim_timer *t)
{
	struct link_dir *d = container_of(t, struct link_dir, timer);
	struct sim *sim = t->sim;
	struct sim_packet *p;
	struct list batch;

	list_init(&batch);
	while ((p = list_first(&d->queue, struct sim_packet, link)) &&
	       p->arrival_us <= sim->now_us) {
		list_remove(&p->link);
		list_push_back(&batch, &p->link);
		d->bytes_out += p->len;
	}
	rearm(d);
	if (d->p.gro_us)
		gro(&batch);
	if (!list_empty(&batch))
		d->receive(d->receive_ctx, &batch);
	while ((p = list_first(&batch, struct sim_packet, link))) {
		list_remove(&p->link);
		/* A use after the batch shows as wrong bytes even without a sanitizer. */
		memset(p->data, 0xdb, p->len);
		free(p);
	}
}

void link_init(struct link *l, struct sim *sim, int index, const struct link_params p[2])
{
	memset(l, 0, sizeof(*l));
	l->sim = sim;
	l->index = index;
	for (int i = 0; i < 2; i++) {
		struct link_dir *d = &l->dir[i];

		d->link = l;
		d->dir = i;
		d->p = p[i];
		list_init(&d->queue);
		sim_timer_init(sim, &d->timer, arrive);
	}
}

void link_fini(struct link *l)
{
	struct sim_packet *p;

	for (int i = 0; i < 2; i++) {
		while ((p = list_first(&l->dir[i].queue, struct sim_packet, link))) {
			list_remove(&p->link);
			free(p);
		}
		sim_arm(&l->dir[i].timer, TIMER_NEVER);
	}
}

/* ---- addresses ---------------------------------------------------------------- */

void link_client_addr(struct ip_addr *out, int index, bool v6)
{
	const uint8_t v4[4] = { 10, 0, (uint8_t)index, 2 };
	const uint8_t b[16] = { 0x20, 1, 0xd, 0xb8, 0, (uint8_t)index, [15] = 2 };

	if (v6)
		ip_addr_from_v6(out, b);
	else
		ip_addr_from_v4(out, v4);
}

void link_server_addr(struct ip_addr *out, bool v6)
{
	static const uint8_t v4[4] = { 192, 0, 2, 1 };
	static const uint8_t b[16] = { 0x20, 1, 0xd, 0xb8, 0, 99, [15] = 1 };

	if (v6)
		ip_addr_from_v6(out, b);
	else
		ip_addr_from_v4(out, v4);
}

int link_of(const struct ip_addr *client)
{
	struct ip_addr a;

	for (int i = 0; i < LINK_MAX; i++) {
		link_client_addr(&a, i, !ip_addr_is_v4(client));
		if (ip_addr_equal(&a, client))
			return i;
	}
	return -1;
}

void link_too_big(struct link_dir *back, const struct sim_packet *p, uint32_t mtu)
{
	bool v6 = p->data[0] >> 4 == 6;
	size_t ip = v6 ? 40 : 20, quote = p->len < 500 ? p->len : 500;
	struct sim_packet *q = calloc(1, sizeof(*q) + ip + 8 + quote);
	uint8_t *icmp = q->data + ip;
	struct ip_addr src, dst;
	uint64_t sum = 0;

	q->len = ip + 8 + quote;
	/* From the router that the packet was on its way to, as far as that matters. */
	if (v6) {
		q->data[0] = 0x60;
		q->data[6] = 58;
		q->data[7] = 64;
		memcpy(q->data + 8, p->data + 24, 16);
		memcpy(q->data + 24, p->data + 8, 16);
		icmp[0] = 2;
		bytes_put32(icmp + 4, mtu);
		ip_addr_from_v6(&src, q->data + 8);
		ip_addr_from_v6(&dst, q->data + 24);
		sum = csum_pseudo(&src, &dst, 58, (uint32_t)(8 + quote));
	} else {
		q->data[0] = 0x45;
		q->data[8] = 64;
		q->data[9] = 1;
		memcpy(q->data + 12, p->data + 16, 4);
		memcpy(q->data + 16, p->data + 12, 4);
		icmp[0] = 3;
		icmp[1] = 4;
		bytes_put16(icmp + 6, (uint16_t)mtu);
	}
	memcpy(icmp + 8, p->data, quote);
	ip_set_len(q->data, q->len);
	sum = csum_add(sum, icmp, 8 + quote);
	csum_store(icmp + 2, (uint16_t)~csum_fold(sum));
	send_one(back, q);
}

void link_refuse(struct link_dir *back, const struct packet *p)
{
	struct sim_packet *q = calloc(1, sizeof(*q) + PACKET_HEADER_MAX);
	struct flow_tuple tuple;
	struct tcp_header h;
	size_t ip_len;

	memset(&h, 0, sizeof(h));
	if (!tcp_reset_for(p, &h)) {
		free(q);
		return;
	}
	flow_tuple_reverse(&tuple, &p->tuple);
	h.src_port = tuple.src.port;
	h.dst_port = tuple.dst.port;
	q->len = packet_build_tcp(q->data, &tuple, &h, NULL, 0, 0, 0, 0, &ip_len);
	packet_finish_checksum(q->data, q->len, ip_len, 0);
	send_one(back, q);
}
