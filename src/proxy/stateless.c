/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See stateless.h.  Pure but for the time of the last answer.
 */
#include "proxy/stateless.h"

#include <string.h>

/* Tries for a key whose token is this worker's. */
#define KEY_TRIES 256u

/* Low bits of the timestamp. */
#define TS_SCALE_MASK 0x0fu
#define TS_NO_SCALE   0x0fu
#define TS_SACK       0x10u
#define TS_BITS       0x1fu

static const uint16_t mss_table[8] = { 88, 536, 1200, 1300, 1400, 1440, 1460, 8940 };

enum draw { DRAW_ISS, DRAW_TS, DRAW_KEY };

struct seed {
	struct flow_tuple tuple;
	uint32_t isn, period, what;
};

static uint64_t draw(const struct stateless *st, const struct seed *s, uint32_t what)
{
	struct seed in;

	memset(&in, 0, sizeof(in)); /* padding is hashed too */
	in.tuple = s->tuple;
	in.isn = s->isn;
	in.period = s->period;
	in.what = what;
	return hash_bytes(&st->key, &in, sizeof(in));
}

static uint32_t draw_iss(const struct stateless *st, const struct seed *s, unsigned mss)
{
	return ((uint32_t)draw(st, s, DRAW_ISS) & ~7u) | mss;
}

static bool draw_key(const struct stateless *st, const struct seed *s, uint8_t version,
		     uint64_t *key)
{
	uint32_t token;
	uint64_t idsn;

	for (uint32_t i = 0; i < KEY_TRIES; i++) {
		*key = draw(st, s, DRAW_KEY + i);
		mptcp_key_derive(version, *key, &token, &idsn);
		if (token % st->workers == st->worker)
			return true;
	}
	return false;
}

static unsigned mss_index(const struct packet *syn)
{
	uint16_t mss = tcp_syn_mss(syn);
	unsigned i = sizeof(mss_table) / sizeof(mss_table[0]) - 1;

	while (i && mss_table[i] > mss)
		i--;
	return i;
}

static uint32_t ts_code(const struct packet *syn)
{
	const struct tcp_options *o = &syn->tcp.opt;
	uint32_t code = o->has_wscale ? (o->wscale > TCP_WSCALE_MAX ? TCP_WSCALE_MAX : o->wscale)
				      : TS_NO_SCALE;

	return o->sack_permitted ? code | TS_SACK : code;
}

bool stateless_draw(struct stateless *st, struct packet *syn, uint64_t now_us,
		    struct mptcp_drawn *drawn)
{
	struct seed s = {
		.tuple = syn->tuple,
		.isn = syn->tcp.seq,
		.period = (uint32_t)(now_us / STATELESS_PERIOD_US),
	};
	uint32_t ts_ms = (uint32_t)(now_us / 1000);

	if (!draw_key(st, &s, syn->tcp.mptcp.capable.version, &drawn->key))
		return false;
	drawn->iss = draw_iss(st, &s, mss_index(syn));
	drawn->ts_offset = (uint32_t)draw(st, &s, DRAW_TS);
	/* Put back, by less than 32 ms, so that the low bits say what they should. */
	drawn->ts_offset -= (drawn->ts_offset + ts_ms - ts_code(syn)) & TS_BITS;
	/* ECN would be what RFC 3168, section 6.1.1, makes of the flags. */
	syn->tcp.flags = TCP_SYN;
	if (!syn->tcp.opt.has_ts)
		syn->tcp.opt.has_ts = syn->tcp.opt.has_wscale = syn->tcp.opt.sack_permitted = false;
	st->last_us = now_us;
	return true;
}

bool stateless_recent(const struct stateless *st, uint64_t now_us)
{
	return st->last_us && now_us - st->last_us < 2 * (uint64_t)STATELESS_PERIOD_US;
}

static void rebuild_syn(const struct packet *ack, uint32_t iss, struct packet *syn)
{
	const struct mptcp_options *keys = &ack->tcp.mptcp;
	struct tcp_options o = { .has_mss = true, .mss = mss_table[iss & 7] };

	if (ack->tcp.opt.has_ts) {
		uint32_t code = ack->tcp.opt.ts_ecr & TS_BITS;

		o.has_ts = true;
		o.ts_val = ack->tcp.opt.ts_val;
		o.sack_permitted = code & TS_SACK;
		o.has_wscale = (code & TS_SCALE_MASK) != TS_NO_SCALE;
		o.wscale = o.has_wscale ? code & TS_SCALE_MASK : 0;
	}
	*syn = *ack;
	syn->payload = NULL;
	syn->payload_len = 0;
	syn->tcp.flags = TCP_SYN;
	syn->tcp.seq = ack->tcp.seq - 1;
	syn->tcp.ack = 0;
	syn->tcp.opt = o;
	memset(&syn->tcp.mptcp, 0, sizeof(syn->tcp.mptcp));
	syn->tcp.mptcp.present = MPOPT_CAPABLE;
	syn->tcp.mptcp.capable.version = 1;
	syn->tcp.mptcp.capable.flags = MPTCP_CAP_HMAC_SHA;
	if (!(keys->present & MPOPT_CAPABLE))
		return;
	syn->tcp.mptcp.capable.version = keys->capable.version;
	syn->tcp.mptcp.capable.flags = keys->capable.flags;
	if (keys->capable.version == 0) {
		syn->tcp.mptcp.capable.key_count = 1;
		syn->tcp.mptcp.capable.sender_key = keys->capable.sender_key;
	}
}

bool stateless_check(const struct stateless *st, const struct packet *ack, uint64_t now_us,
		     struct packet *syn, struct mptcp_drawn *drawn)
{
	const struct mptcp_options *o = &ack->tcp.mptcp;
	struct seed s = {
		.tuple = ack->tuple,
		.isn = ack->tcp.seq - 1,
		.period = (uint32_t)(now_us / STATELESS_PERIOD_US),
	};
	uint32_t iss = ack->tcp.ack - 1;

	if (draw_iss(st, &s, iss & 7) != iss) {
		s.period--;
		if (draw_iss(st, &s, iss & 7) != iss)
			return false;
	}
	/* Without any option they were lost: plain TCP, as it would be with state.  But wrong
	 * keys come from somebody else, and a DSS without keys cannot be read. */
	if (o->present && !(o->present & MPOPT_CAPABLE))
		return false;
	if (!draw_key(st, &s, o->present ? o->capable.version : 1, &drawn->key))
		return false;
	if (o->present && (o->capable.key_count != 2 || o->capable.receiver_key != drawn->key))
		return false;
	drawn->iss = iss;
	drawn->ts_offset = (uint32_t)draw(st, &s, DRAW_TS);
	rebuild_syn(ack, iss, syn);
	return true;
}
