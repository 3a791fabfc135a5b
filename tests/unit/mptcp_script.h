/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scenarios against one MPTCP connection, a line per packet: exact packets in, exact
 * packets out, for both versions of the protocol and either side of the handshake.
 *
 *	SCRIPT(1, OPEN,
 *	       "< a PA len 5 dss(a0 m0+5@1)",   the peer sends five bytes
 *	       "= 5",                           ... which are delivered
 *	       "+ 50ms",
 *	       "> a A dss(A5)");                ... and acknowledged, in just this way
 *
 * Every packet that the connection sends must be the subject of a `>' line, in order and
 * to the letter: before each `<', `+' and `!' and at the end none may be left over.
 *
 * Lines
 *
 *	< FLOW FLAGS WORD...    a packet of the peer's, built as bytes and parsed
 *	& FLOW FLAGS WORD...    another one, in one batch with the line before
 *	> FLOW FLAGS WORD...    a packet of the connection's, in the words of describe_()
 *	+ 3ms                   time goes by (us, ms, s); timers run
 *	= N                     bytes of the peer's stream delivered so far; verified
 *	! COMMAND               see command_()
 *	? CONDITION             see check_()
 *
 * FLOW is a, b or c, FLAGS are of SFRPA.  All numbers are relative: sequence numbers to the
 * ISNs, data sequence numbers to IDSN + 1, so that both are also offsets (the first byte of
 * a subflow is 1, that of a stream is 0).
 *
 * Words of both directions
 *
 *	len N           payload: bytes of the sender's stream, of which each has a known value
 *	seq N, ack N    where they are not what follows from the packets before
 *	sack B-E        a SACK block
 *	win N           the window field; of outgoing packets only 0 is told
 *	capable(v0 flags AH keys N len N sum badkey)
 *	                nothing in the brackets: the form that belongs to the packet and the
 *	                version, with flag H and right keys
 *	join(ID backup badtoken badmac)
 *	dss(A5 M0+5@1 F sum)
 *	                the RFC's letters: A or a, DATA_ACK of 4 or 8 bytes; M or m, DSN of 4 or
 *	                8 bytes + data-level length @ subflow sequence number; F, DATA_FIN
 *	                (counted in the length); a right checksum, or badsum
 *	add_addr(ID ADDRESS port N echo badmac)
 *	remove_addr(ID ...)
 *	prio(backup id N)
 *	fail(DSN)
 *	fastclose(badkey)
 *	tcprst(REASON T)        (expected in version 1 only)
 *
 * Words of incoming packets only
 *
 *	of N            stream offset of the payload, where no mapping tells
 *	corrupt         changes a byte of the payload
 *	ts, nosack      (on a SYN) this flow has timestamps, no SACK
 *	raw(HEX)        bytes of TCP options
 *	dss(reserved)   with all reserved bits set
 */
#ifndef TESTS_MPTCP_SCRIPT_H
#define TESTS_MPTCP_SCRIPT_H

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

#include <nettle/hmac.h>

#include "base/seq.h"
#include "mptcp_peer.h"
#include "wire/bytes.h"
#include "wire/checksum.h"

#define SCRIPT_FLOWS 3
#define SCRIPT_LINE  400

struct script_flow {
	struct peer_flow f;
	uint32_t seq_max;               /* the most that was sent: what is to be acknowledged */
	uint32_t our_nonce, their_nonce;        /* the peer's; the connection's */
	bool known, ts, heard;
};

struct script {
	struct peer p;
	uint8_t version;
	bool active;                    /* the connection opens */
	bool has_conn;
	uint64_t peer_key;
	uint64_t key;                   /* the connection's, once told */
	uint64_t idsn, peer_idsn;
	uint32_t token;
	struct script_flow flow[SCRIPT_FLOWS];
	uint64_t written;               /* bytes of the connection's stream */
	const char *line;
	int line_number;
	struct mptcp_endpoint endpoints[MPTCP_LOCAL_MAX / 2];
	size_t endpoint_count;
	uint32_t events;                /* seen and not asked for yet */
	bool began;
};

static struct script script_;

/* The handshake of a connection that the peer opens, up to the first DSS. */
#define OPEN "< a S capable", "! accept", "> a SA capable", "< a A capable", \
	     "+ 10ms", "> a A dss(A0)"
/* The join of another subflow. */
#define JOIN_B "< b S join(2)", "> b SA join(0)", "< b A join", "> b A dss(A0)"
#define JOIN_C "< c S join(3)", "> c SA join(0)", "< c A join", "> c A dss(A0)"
/* The same from the side that opens: up to the first DSS, and up to the third ACK of a join. */
#define CONNECT "! connect", "> a S capable", "< a SA capable", "> a A capable", "< a A dss(a0)"
#define CONNECT_B "! join b 2", "> b S join(2)", "< b SA join(0)", "> b A join"

/* The value of byte `at` of the peer's stream, and of the connection's. */
static inline uint8_t script_theirs_(uint64_t at) { return (uint8_t)('a' + at % 23); }
static inline uint8_t script_ours_(uint64_t at) { return (uint8_t)('A' + at % 25); }

__attribute__((format(printf, 1, 2), noreturn))
static inline void script_fail_(const char *fmt, ...)
{
	char text[2 * SCRIPT_LINE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ck_abort_msg("version %u, line %d, \"%s\": %s", script_.version, script_.line_number,
		     script_.line, text);
	abort();
}

/* ---- words ------------------------------------------------------------------ */

/* The next word, with what it has in brackets; false at the end. */
static inline bool script_word_(const char **at, char *word)
{
	const char *p = *at;
	int depth = 0, n = 0;

	while (*p == ' ')
		p++;
	for (; *p && (depth || *p != ' '); p++) {
		depth += (*p == '(') - (*p == ')');
		ck_assert_int_lt(n, SCRIPT_LINE - 1);
		word[n++] = *p;
	}
	word[n] = 0;
	*at = p;
	return n > 0;
}

/* Splits "name(rest)"; returns the rest, empty if there are no brackets. */
static inline char *script_split_(char *word)
{
	char *open = strchr(word, '('), *end = word + strlen(word);

	if (!open)
		return end;
	if (end[-1] != ')')
		script_fail_("bracket missing in %s", word);
	end[-1] = 0;
	*open = 0;
	return open + 1;
}

static inline uint64_t script_number_(const char **at)
{
	char word[SCRIPT_LINE], *end;
	unsigned long long n;

	if (!script_word_(at, word))
		script_fail_("a number is missing");
	n = strtoull(word, &end, 0);
	if (*end)
		script_fail_("%s is not a number", word);
	return n;
}

static inline struct script_flow *script_flow_(const char **at)
{
	char word[SCRIPT_LINE];
	struct script_flow *f;

	if (!script_word_(at, word) || word[1] || word[0] < 'a' || word[0] >= 'a' + SCRIPT_FLOWS)
		script_fail_("no flow");
	f = &script_.flow[word[0] - 'a'];
	if (!f->known) {
		/* The first ISN wraps soon. */
		peer_flow_init(&f->f, (uint8_t)(10 * (1 + word[0] - 'a')),
			       word[0] == 'a' ? 0xfffffff0u : 5000);
		f->seq_max = f->f.seq;
		f->our_nonce = 0x1234u + (uint32_t)word[0];
		f->known = true;
	}
	return f;
}

/* ---- what belongs to the connection's key ----------------------------------------- */

static inline void script_learn_key_(uint64_t key)
{
	script_.key = key;
	mptcp_key_derive(script_.version, key, &script_.token, &script_.idsn);
}

static inline void script_mac_(bool ours, const struct script_flow *f, uint8_t mac[20])
{
	if (ours)
		mptcp_join_mac(script_.version, script_.peer_key, script_.key, f->our_nonce,
			       f->their_nonce, mac);
	else
		mptcp_join_mac(script_.version, script_.key, script_.peer_key, f->their_nonce,
			       f->our_nonce, mac);
}

/* RFC 8684, section 3.4.1: the last 8 bytes of the HMAC, by the key of who announces. */
static inline void script_addr_mac_(bool ours, const struct mptcp_add_addr *a, uint8_t mac[8])
{
	uint8_t key[16], msg[1 + 16 + 2], digest[SHA256_DIGEST_SIZE], *p = msg;
	struct hmac_sha256_ctx ctx;

	bytes_put64(key, ours ? script_.peer_key : script_.key);
	bytes_put64(key + 8, ours ? script_.key : script_.peer_key);
	*p++ = a->addr_id;
	if (ip_addr_is_v4(&a->addr)) {
		memcpy(p, ip_addr_v4(&a->addr), 4);
		p += 4;
	} else {
		memcpy(p, a->addr.b, 16);
		p += 16;
	}
	p = bytes_put16(p, a->port);
	hmac_sha256_set_key(&ctx, sizeof(key), key);
	hmac_sha256_update(&ctx, (size_t)(p - msg), msg);
	hmac_sha256_digest(&ctx, sizeof(digest), digest);
	memcpy(mac, digest + sizeof(digest) - 8, 8);
}

/* The checksum of a mapping of one of the streams; `len` without DATA_FIN. */
static inline uint16_t script_sum_(bool ours, uint64_t at, uint32_t len, uint32_t ssn,
				   uint16_t data_len)
{
	uint8_t *bytes = malloc(len + 1);
	uint64_t base = (ours ? script_.peer_idsn : script_.idsn) + 1;
	uint16_t sum;

	if (!data_len) {
		free(bytes);
		return 0;               /* an infinite mapping has none (RFC 8684, 3.3.1) */
	}
	for (uint32_t i = 0; i < len; i++)
		bytes[i] = ours ? script_theirs_(at + i) : script_ours_(at + i);
	sum = mptcp_dss_checksum(base + at, ssn, data_len, csum_add(0, bytes, len));
	free(bytes);
	return sum;
}

/* ---- incoming ----------------------------------------------------------------------- */

static inline size_t script_raw_(uint8_t *out, const char *hex)
{
	size_t n = 0;
	unsigned int byte;

	while (*hex && sscanf(hex, "%2x", &byte) == 1) {
		out[n++] = (uint8_t)byte;
		hex += 2;
	}
	return n;
}

static inline uint8_t script_cap_flags_(const char *letters)
{
	uint8_t flags = 0;

	for (; *letters; letters++)
		flags |= *letters == 'A' ? 0x80 : *letters == 'B' ? 0x40 : *letters == 'C' ? 0x20 :
			 *letters == 'H' ? 0x01 : 0;
	return flags;
}

static inline size_t script_in_capable_(uint8_t *out, const char *args, uint8_t tcp_flags,
					uint64_t at)
{
	struct mptcp_capable c = { .version = script_.version, .flags = MPTCP_CAP_HMAC_SHA };
	char word[SCRIPT_LINE];
	bool syn = tcp_flags & TCP_SYN, ack = tcp_flags & TCP_ACK, badkey = false;
	int keys = -1;

	while (script_word_(&args, word)) {
		if (word[0] == 'v') {
			c.version = (uint8_t)atoi(word + 1);
		} else if (!strcmp(word, "flags")) {
			script_word_(&args, word);
			c.flags = script_cap_flags_(word);
		} else if (!strcmp(word, "keys")) {
			keys = (int)script_number_(&args);
		} else if (!strcmp(word, "len")) {
			c.data_len = (uint16_t)script_number_(&args);
			c.has_data_len = true;
		} else if (!strcmp(word, "sum") || !strcmp(word, "badsum")) {
			c.has_checksum = true;
			c.checksum = script_sum_(true, at + 1, c.data_len, 1, c.data_len) ^
				     (word[0] == 'b');
		} else if (!strcmp(word, "badkey")) {
			badkey = true;
		} else {
			script_fail_("capable: %s", word);
		}
	}
	if (keys < 0)
		keys = !syn ? 2 : ack || c.version == 0 ? 1 : 0;
	c.key_count = (uint8_t)keys;
	c.sender_key = script_.peer_key;
	c.receiver_key = script_.key ^ badkey;
	return mptcp_option_build_capable(out, &c);
}

static inline size_t script_in_join_(uint8_t *out, const char *args, struct script_flow *f,
				     uint8_t tcp_flags)
{
	struct mptcp_join j = { .token = script_.token, .nonce = f->our_nonce };
	char word[SCRIPT_LINE];
	uint8_t bad = 0;

	while (script_word_(&args, word)) {
		if (isdigit((unsigned char)word[0]))
			j.addr_id = (uint8_t)atoi(word);
		else if (!strcmp(word, "backup"))
			j.backup = true;
		else if (!strcmp(word, "badtoken"))
			j.token ^= 1;
		else if (!strcmp(word, "badmac"))
			bad = 1;
		else
			script_fail_("join: %s", word);
	}
	if ((tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN)
		return mptcp_option_build_join_syn(out, &j);
	script_mac_(true, f, j.mac);
	j.mac[7] ^= bad;
	return tcp_flags & TCP_SYN ? mptcp_option_build_join_synack(out, &j)
				   : mptcp_option_build_join_ack(out, &j);
}

static inline size_t script_in_dss_(uint8_t *out, const char *args, uint64_t *at)
{
	struct mptcp_dss d = { .has_ack = false };
	char word[SCRIPT_LINE];
	bool reserved = false;
	long long dsn = 0;
	size_t len;

	while (script_word_(&args, word)) {
		char *p = word + 1;

		if (toupper((unsigned char)word[0]) == 'A') {
			d.has_ack = true;
			d.ack_is64 = word[0] == 'a';
			d.data_ack = script_.idsn + 1 + (uint64_t)strtoll(p, &p, 10);
		} else if (toupper((unsigned char)word[0]) == 'M') {
			d.has_map = true;
			d.dsn_is64 = word[0] == 'm';
			dsn = strtoll(p, &p, 10);
			d.dsn = script_.peer_idsn + 1 + (uint64_t)dsn;
			if (*p == '+')
				d.data_len = (uint16_t)strtoul(p + 1, &p, 10);
			if (*p == '@')
				d.ssn = (uint32_t)strtoul(p + 1, &p, 10);
		} else if (!strcmp(word, "F")) {
			d.data_fin = true;
		} else if (!strcmp(word, "sum") || !strcmp(word, "badsum")) {
			d.has_checksum = true;
			d.checksum = script_sum_(true, (uint64_t)dsn, d.data_len - d.data_fin, d.ssn,
						 d.data_len) ^ (word[0] == 'b');
		} else if (!strcmp(word, "reserved")) {
			reserved = true;
		} else {
			script_fail_("dss: %s", word);
		}
	}
	if (d.has_map)
		*at = (uint64_t)dsn - d.ssn;
	len = mptcp_option_build_dss(out, &d);
	if (reserved) {
		out[2] |= 0x0f;
		out[3] |= 0xe0;
	}
	return len;
}

static inline size_t script_in_add_addr_(uint8_t *out, const char *args)
{
	struct mptcp_add_addr a = { .addr_id = (uint8_t)script_number_(&args) };
	char word[SCRIPT_LINE];
	uint8_t bad = 0;

	if (!script_word_(&args, word) || ip_addr_parse(word, &a.addr))
		script_fail_("add_addr: no address");
	while (script_word_(&args, word)) {
		if (!strcmp(word, "port"))
			a.port = (uint16_t)script_number_(&args);
		else if (!strcmp(word, "echo"))
			a.echo = true;
		else if (!strcmp(word, "badmac"))
			bad = 1;
		else
			script_fail_("add_addr: %s", word);
	}
	script_addr_mac_(true, &a, a.mac);
	a.mac[0] ^= bad;
	return mptcp_option_build_add_addr(out, &a, script_.version);
}

/* One MPTCP option, from its word. */
static inline size_t script_in_option_(uint8_t *out, char *word, struct script_flow *f,
				       const struct tcp_header *h, uint64_t *at)
{
	const char *args = script_split_(word);
	uint8_t ids[MPTCP_REMOVE_MAX];
	size_t n = 0;

	if (!strcmp(word, "capable"))
		return script_in_capable_(out, args, h->flags, *at);
	if (!strcmp(word, "join"))
		return script_in_join_(out, args, f, h->flags);
	if (!strcmp(word, "dss"))
		return script_in_dss_(out, args, at);
	if (!strcmp(word, "add_addr"))
		return script_in_add_addr_(out, args);
	if (!strcmp(word, "remove_addr")) {
		while (*args)
			ids[n++] = (uint8_t)script_number_(&args);
		return mptcp_option_build_remove_addr(out, ids, n);
	}
	if (!strcmp(word, "prio")) {
		n = mptcp_option_build_prio(out, strstr(args, "backup"));
		if (strstr(args, "id ")) {
			out[1] = (uint8_t)++n;
			out[3] = (uint8_t)atoi(strstr(args, "id ") + 3);
		}
		return n;
	}
	if (!strcmp(word, "fail"))
		return mptcp_option_build_fail(out, script_.idsn + 1 + script_number_(&args));
	if (!strcmp(word, "fastclose"))
		return mptcp_option_build_fastclose(out, script_.key ^ !strcmp(args, "badkey"));
	if (!strcmp(word, "tcprst")) {
		uint8_t reason = (uint8_t)script_number_(&args);

		return mptcp_option_build_tcprst(out, strchr(args, 'T') != NULL, reason);
	}
	if (!strcmp(word, "raw"))
		return script_raw_(out, args);
	script_fail_("what is %s?", word);
}

/* As the caller of the engine does: a known subflow, or a new connection or join. */
static inline void script_give_(struct script_flow *f, const struct packet *pkt)
{
	struct peer *p = &script_.p;
	enum mptcp_reset_reason reason;
	bool new = (pkt->tcp.flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;

	if (f->f.sf && f->f.sf->state == MPTCP_SUBFLOW_DEAD && new)
		f->f.sf = NULL;
	if (f->f.sf) {
		mptcp_input(p->conn, f->f.sf, pkt, p->now_us);
	} else if (new && pkt->tcp.mptcp.present & MPOPT_CAPABLE && !p->conn) {
		p->conn = mptcp_new_passive(&p->env, &p->cfg, pkt, p, peer_deliver_, p->now_us);
		if (p->conn)
			f->f.sf = mptcp_first_subflow(p->conn);
	} else if (new && pkt->tcp.mptcp.present & MPOPT_JOIN_SYN && p->conn) {
		if (mptcp_join_must_wait(p->conn, p->now_us))
			return;
		f->f.sf = mptcp_join_passive(p->conn, pkt, p->now_us, &reason);
		if (!f->f.sf)
			mptcp_refuse_join(&p->counters, p->conn->version, pkt, reason,
					  &p->sink);
	} else if (p->conn) {
		script_fail_("no subflow");
	}
	if (p->conn)
		mptcp_check(p->conn);
}

static inline uint8_t script_flags_(const char *word)
{
	uint8_t flags = 0;

	for (; *word; word++)
		flags |= *word == 'S' ? TCP_SYN : *word == 'F' ? TCP_FIN : *word == 'R' ? TCP_RST :
			 *word == 'P' ? TCP_PSH : *word == 'A' ? TCP_ACK : 0;
	return flags;
}

static inline void script_in_(const char *line)
{
	struct script_flow *f = script_flow_(&line);
	uint8_t bytes[PACKET_HEADER_MAX + 65536], options[TCP_OPTIONS_MAX], mp[3 * TCP_OPTIONS_MAX];
	uint64_t at = UINT64_MAX;       /* stream offset of subflow sequence number 0 */
	size_t mp_len = 0, len = 0, ip_len, headers;
	bool of = false, corrupt = false;
	char word[SCRIPT_LINE];
	struct tcp_header h;
	struct packet pkt;
	int opt_len;

	if (!script_word_(&line, word))
		script_fail_("no flags");
	pkt = peer_packet(&f->f, script_flags_(word));
	h = pkt.tcp;
	if (f->ts && f->heard)
		h.opt.has_ts = true;
	while (script_word_(&line, word)) {
		if (!strcmp(word, "len"))
			len = script_number_(&line);
		else if (!strcmp(word, "seq"))
			h.seq = f->f.isn + (uint32_t)script_number_(&line);
		else if (!strcmp(word, "ack"))
			h.ack = f->f.peer_isn + (uint32_t)script_number_(&line);
		else if (!strcmp(word, "win"))
			f->f.window = h.window = (uint16_t)script_number_(&line);
		else if (!strcmp(word, "of"))
			at = script_number_(&line) - (h.seq - f->f.isn), of = true;
		else if (!strcmp(word, "corrupt"))
			corrupt = true;
		else if (!strcmp(word, "ts"))
			f->ts = h.opt.has_ts = true;
		else if (!strcmp(word, "nosack"))
			h.opt.sack_permitted = false;
		else if (!strcmp(word, "sack")) {
			struct tcp_sack_block *b = &h.opt.sack[h.opt.sack_count++];

			script_word_(&line, word);
			b->begin = f->f.peer_isn + (uint32_t)strtoul(word, NULL, 10);
			b->end = f->f.peer_isn + (uint32_t)strtoul(strchr(word, '-') + 1, NULL, 10);
		} else {
			uint64_t mapped = at;

			mp_len += script_in_option_(mp + mp_len, word, f, &h, &mapped);
			if (!of)
				at = mapped;
		}
	}
	if (h.opt.has_ts)
		h.opt.ts_val = (uint32_t)(script_.p.now_us / 1000);
	opt_len = tcp_options_build(options, &h.opt, mp, mp_len);
	if (opt_len < 0)
		script_fail_("the options do not fit");
	headers = packet_build_tcp(bytes, &f->f.tuple, &h, options, (size_t)opt_len, len, 0, 0,
				   &ip_len);
	for (size_t i = 0; i < len; i++)
		bytes[headers + i] = script_theirs_(at + (h.seq - f->f.isn) + i);
	if (corrupt)
		bytes[headers] ^= 1;
	ck_assert_int_eq(packet_parse(bytes, headers + len, &pkt), 0);
	script_give_(f, &pkt);
	f->f.seq = h.seq + (uint32_t)len + !!(h.flags & TCP_SYN) + !!(h.flags & TCP_FIN);
	if (seq32_gt(f->f.seq, f->seq_max))
		f->seq_max = f->f.seq;
	f->f.seq = f->seq_max;
}

/* ---- outgoing ----------------------------------------------------------------------- */

struct script_text {
	char s[SCRIPT_LINE];
	size_t len;
};

__attribute__((format(printf, 2, 3)))
static inline void script_put_(struct script_text *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	t->len += (size_t)vsnprintf(t->s + t->len, sizeof(t->s) - t->len, fmt, ap);
	va_end(ap);
	ck_assert_uint_lt(t->len, sizeof(t->s));
}

/* An option's word: its arguments, in brackets if there are any. */
static inline void script_put_option_(struct script_text *t, const char *name,
				      const struct script_text *args)
{
	if (args->len)
		script_put_(t, " %s(%s)", name, args->s + 1);
	else
		script_put_(t, " %s", name);
}

static inline void script_out_capable_(struct script_text *t, const struct packet *pkt)
{
	const struct mptcp_capable *c = &pkt->tcp.mptcp.capable;
	bool syn = pkt->tcp.flags & TCP_SYN, ack = pkt->tcp.flags & TCP_ACK;
	struct script_text a = { .len = 0 };

	if (c->key_count && !script_.key)
		script_learn_key_(c->sender_key);
	if (c->version != script_.version)
		script_put_(&a, " v%u", c->version);
	if (c->flags != MPTCP_CAP_HMAC_SHA)
		script_put_(&a, " flags %s%s%s%s", c->flags & 0x80 ? "A" : "",
			    c->flags & 0x40 ? "B" : "", c->flags & 0x20 ? "C" : "",
			    c->flags & 0x01 ? "H" : "");
	if (c->key_count != (!syn ? 2 : ack || !script_.version ? 1 : 0))
		script_put_(&a, " keys %u", c->key_count);
	if (c->has_data_len)
		script_put_(&a, " len %u", c->data_len);
	if (c->has_checksum)
		script_put_(&a, c->checksum == script_sum_(false, 0, c->data_len, 1, c->data_len) ?
			    " sum" : " badsum");
	if ((c->key_count && c->sender_key != script_.key) ||
	    (c->key_count == 2 && c->receiver_key != script_.peer_key))
		script_put_(&a, " badkey");
	script_put_option_(t, "capable", &a);
}

static inline void script_out_join_(struct script_text *t, struct script_flow *f,
				    const struct packet *pkt)
{
	const struct mptcp_join *j = &pkt->tcp.mptcp.join;
	bool syn = pkt->tcp.flags & TCP_SYN, ack = pkt->tcp.flags & TCP_ACK;
	struct script_text a = { .len = 0 };
	uint32_t peer_token;
	uint64_t idsn;
	uint8_t mac[20];

	mptcp_key_derive(script_.version, script_.peer_key, &peer_token, &idsn);
	if (syn) {
		f->their_nonce = j->nonce;
		script_put_(&a, " %u%s", j->addr_id, j->backup ? " backup" : "");
	}
	script_mac_(false, f, mac);
	if (syn && !ack && j->token != peer_token)
		script_put_(&a, " badtoken");
	if (ack && memcmp(mac, j->mac, syn ? 8 : 20))
		script_put_(&a, " badmac");
	script_put_option_(t, "join", &a);
}

/* A number of the data sequence space as an offset from `base`. */
static inline long long script_offset_(uint64_t v, bool is64, uint64_t base)
{
	return is64 ? (long long)(v - base) : (long long)(int32_t)((uint32_t)v - (uint32_t)base);
}

static inline void script_out_dss_(struct script_text *t, const struct packet *pkt,
				   uint32_t seq)
{
	const struct mptcp_dss *d = &pkt->tcp.mptcp.dss;
	struct script_text a = { .len = 0 };
	long long dsn;

	if (d->has_ack)
		script_put_(&a, " %c%lld", d->ack_is64 ? 'a' : 'A',
			    script_offset_(d->data_ack, d->ack_is64, script_.peer_idsn + 1));
	if (d->has_map) {
		dsn = script_offset_(d->dsn, d->dsn_is64, script_.idsn + 1);
		script_put_(&a, " %c%lld+%u@%u%s", d->dsn_is64 ? 'm' : 'M', dsn, d->data_len,
			    d->ssn, d->data_fin ? " F" : "");
		if (d->has_checksum)
			script_put_(&a, d->checksum == script_sum_(false, (uint64_t)dsn,
							d->data_len - d->data_fin, d->ssn,
							d->data_len) ? " sum" : " badsum");
		for (size_t i = 0; d->ssn && i < pkt->payload_len; i++)
			if (pkt->payload[i] != script_ours_((uint64_t)dsn + seq - d->ssn + i))
				script_fail_("the payload is not what its mapping says");
	}
	script_put_option_(t, "dss", &a);
}

static inline void script_out_address_(struct script_text *t, const struct mptcp_options *o)
{
	const struct mptcp_add_addr *add = &o->add_addr;
	struct script_text a = { .len = 0 };
	char address[IP_ADDR_STRLEN];
	uint8_t mac[8];

	if (o->present & MPOPT_ADD_ADDR) {
		script_put_(&a, " %u %s", add->addr_id, ip_addr_format(&add->addr, address));
		if (add->port)
			script_put_(&a, " port %u", add->port);
		if (add->echo)
			script_put_(&a, " echo");
		script_addr_mac_(false, add, mac);
		if (add->has_mac ? memcmp(mac, add->mac, 8) != 0 : script_.version && !add->echo)
			script_put_(&a, " badmac");
		script_put_option_(t, "add_addr", &a);
		a.len = 0;
	}
	if (o->present & MPOPT_REMOVE_ADDR) {
		for (int i = 0; i < o->remove_addr.count; i++)
			script_put_(&a, " %u", o->remove_addr.ids[i]);
		script_put_option_(t, "remove_addr", &a);
	}
}

/* What a packet of the connection's is, in the words of a `>' line. */
static inline void script_describe_(const struct packet *pkt, struct script_text *t)
{
	const struct mptcp_options *o = &pkt->tcp.mptcp;
	struct script_flow *f = NULL;
	uint32_t seq;

	for (int i = 0; i < SCRIPT_FLOWS && !f; i++)
		if (script_.flow[i].known &&
		    ip_endpoint_equal(&pkt->tuple.dst, &script_.flow[i].f.tuple.src))
			f = &script_.flow[i];
	if (!f)
		script_fail_("a packet to nowhere");
	if (pkt->tcp.flags & TCP_SYN && !f->heard) {
		f->heard = true;
		f->f.peer_isn = f->f.ack = pkt->tcp.seq;
	}
	seq = pkt->tcp.seq - f->f.peer_isn;
	script_put_(t, "%c %s%s%s%s%s%s", (int)('a' + (f - script_.flow)),
		    pkt->tcp.flags & TCP_URG ? "U" : "",
		    pkt->tcp.flags & TCP_SYN ? "S" : "", pkt->tcp.flags & TCP_FIN ? "F" : "",
		    pkt->tcp.flags & TCP_RST ? "R" : "", pkt->tcp.flags & TCP_PSH ? "P" : "",
		    pkt->tcp.flags & TCP_ACK ? "A" : "");
	if (f->heard && pkt->tcp.seq != f->f.ack)
		script_put_(t, " seq %u", seq);
	if (pkt->tcp.flags & TCP_ACK && pkt->tcp.ack != f->seq_max)
		script_put_(t, " ack %u", pkt->tcp.ack - f->f.isn);
	if (pkt->payload_len)
		script_put_(t, " len %zu", pkt->payload_len);
	if (!pkt->tcp.window && !(pkt->tcp.flags & TCP_RST))
		script_put_(t, " win 0");
	for (int i = 0; i < pkt->tcp.opt.sack_count; i++)
		script_put_(t, " sack %u-%u", pkt->tcp.opt.sack[i].begin - f->f.isn,
			    pkt->tcp.opt.sack[i].end - f->f.isn);
	if (f->heard && seq32_gt(pkt->tcp.seq + (uint32_t)pkt->payload_len +
				 !!(pkt->tcp.flags & (TCP_SYN | TCP_FIN)), f->f.ack))
		f->f.ack = pkt->tcp.seq + (uint32_t)pkt->payload_len +
			   !!(pkt->tcp.flags & (TCP_SYN | TCP_FIN));

	if (o->present & MPOPT_CAPABLE)
		script_out_capable_(t, pkt);
	if (o->present & (MPOPT_JOIN_SYN | MPOPT_JOIN_SYNACK | MPOPT_JOIN_ACK))
		script_out_join_(t, f, pkt);
	if (o->present & MPOPT_DSS)
		script_out_dss_(t, pkt, seq);
	script_out_address_(t, o);
	if (o->present & MPOPT_PRIO) {
		struct script_text a = { .len = 0 };

		if (o->prio.backup)
			script_put_(&a, " backup");
		if (o->prio.has_addr_id)
			script_put_(&a, " id %u", o->prio.addr_id);
		script_put_option_(t, "prio", &a);
	}
	if (o->present & MPOPT_FAIL)
		script_put_(t, " fail(%lld)", (long long)(o->fail.dsn - script_.peer_idsn - 1));
	if (o->present & MPOPT_FASTCLOSE)
		script_put_(t, " fastclose%s", o->fastclose.key == script_.peer_key ? "" : "(badkey)");
	if (o->present & MPOPT_TCPRST)
		script_put_(t, " tcprst(%u%s)", o->tcprst.reason,
			    o->tcprst.flags & MPTCP_TCPRST_TRANSIENT ? " T" : "");
}

/* The line as this version has it: there is no MP_TCPRST in version 0. */
static inline void script_expected_(const char *line, struct script_text *t)
{
	char word[SCRIPT_LINE];

	while (script_word_(&line, word))
		if (script_.version || strncmp(word, "tcprst(", 7))
			script_put_(t, t->len ? " %s" : "%s", word);
}

static inline void script_out_(const char *line)
{
	const struct packet *pkt = peer_next(&script_.p);
	struct script_text t = { .len = 0 }, expected = { .len = 0 };

	if (!pkt)
		script_fail_("nothing was sent");
	script_expected_(line, &expected);
	script_describe_(pkt, &t);
	if (strcmp(t.s, expected.s))
		script_fail_("sent was \"%s\"", t.s);
}

/* Lets the connection send; what it sends must be expected. */
static inline void script_run_due_(void)
{
	if (script_.p.conn)
		peer_run(&script_.p);
}

static inline void script_nothing_left_(void)
{
	const struct packet *pkt = peer_next(&script_.p);
	struct script_text t = { .len = 0 };

	if (!pkt)
		return;
	script_describe_(pkt, &t);
	script_fail_("before this, \"%s\" was sent", t.s);
}

/* ---- time, commands and conditions --------------------------------------------------- */

static inline void script_time_(const char *line)
{
	char word[SCRIPT_LINE], *unit;
	uint64_t n;

	script_word_(&line, word);
	n = strtoull(word, &unit, 10);
	if (!strcmp(unit, "s"))
		n *= 1000000;
	else if (!strcmp(unit, "ms"))
		n *= 1000;
	else if (strcmp(unit, "us"))
		script_fail_("no unit of time");
	if (script_.p.conn)
		peer_advance(&script_.p, n);
	else
		script_.p.now_us += n;
}

static inline void script_set_key_(uint64_t key)
{
	uint32_t token;

	script_.peer_key = key;
	mptcp_key_derive(script_.version, key, &token, &script_.peer_idsn);
}

static inline void script_write_(uint64_t len)
{
	while (len) {
		struct iovec iov;

		if (mptcp_send_reserve(script_.p.conn, len, &iov, 1) != 1)
			script_fail_("no room in the send queue");
		for (size_t i = 0; i < iov.iov_len; i++)
			((uint8_t *)iov.iov_base)[i] = script_ours_(script_.written++);
		mptcp_send_commit(script_.p.conn, iov.iov_len);
		len -= iov.iov_len;
	}
}

/* ADDRESS [port N] [local ADDRESS [lport N]] [backup] [gone] */
static inline void script_endpoint_(const char *line)
{
	struct mptcp_endpoint *e = &script_.endpoints[script_.endpoint_count++];
	char word[SCRIPT_LINE];

	ck_assert_uint_le(script_.endpoint_count, MPTCP_LOCAL_MAX / 2);
	memset(e, 0, sizeof(*e));
	script_word_(&line, word);
	ck_assert_int_eq(ip_addr_parse(word, &e->announced.addr), 0);
	e->local = e->announced;
	while (script_word_(&line, word)) {
		if (!strcmp(word, "port")) {
			e->announced.port = e->local.port = (uint16_t)script_number_(&line);
		} else if (!strcmp(word, "local")) {
			script_word_(&line, word);
			ck_assert_int_eq(ip_addr_parse(word, &e->local.addr), 0);
		} else if (!strcmp(word, "lport")) {
			e->local.port = (uint16_t)script_number_(&line);
		} else if (!strcmp(word, "backup")) {
			e->backup = true;
		} else if (!strcmp(word, "gone")) {
			e->gone = true;
		} else {
			script_fail_("endpoint: %s", word);
		}
	}
}

/*
 * accept, write N [end], shutdown, abort, consume N: the caller's calls; drop: what was sent
 * and not looked at is forgotten; key N: the peer's; checksum, versions BITS, max_subflows N,
 * no_join_initial, rcvbuf N: configuration, before the first packet; connect: the connection opens to the
 * peer; join FLOW ID [backup]: and adds a path; to FLOW ADDRESS PORT: where the flow goes, before
 * its first packet; endpoint ...: puts one on the list that the next `endpoints' hands over;
 * backup FLOW, regular FLOW: its priority.
 */
static inline void script_command_(const char *line)
{
	struct peer *p = &script_.p;
	char word[SCRIPT_LINE];
	struct script_flow *f;
	struct flow_tuple tx;

	script_word_(&line, word);
	if (!strcmp(word, "accept")) {
		mptcp_accept(p->conn, p->now_us);
	} else if (!strcmp(word, "write")) {
		script_write_(script_number_(&line));
		if (strstr(line, "end"))
			mptcp_shutdown(p->conn, p->now_us);
	} else if (!strcmp(word, "shutdown")) {
		mptcp_shutdown(p->conn, p->now_us);
	} else if (!strcmp(word, "abort")) {
		mptcp_abort(p->conn, p->now_us);
	} else if (!strcmp(word, "consume")) {
		mptcp_consumed(p->conn, script_number_(&line), p->now_us);
	} else if (!strcmp(word, "drop")) {
		peer_forget(p);
	} else if (!strcmp(word, "key")) {
		script_set_key_(script_number_(&line));
	} else if (!strcmp(word, "checksum")) {
		p->cfg.checksum = true;
	} else if (!strcmp(word, "versions")) {
		p->cfg.versions = (uint8_t)script_number_(&line);
	} else if (!strcmp(word, "max_subflows")) {
		p->cfg.max_subflows = (uint8_t)script_number_(&line);
	} else if (!strcmp(word, "no_join_initial")) {
		p->cfg.no_join_initial = true;
	} else if (!strcmp(word, "rcvbuf")) {
		p->cfg.rcvbuf_initial = p->cfg.rcvbuf_max = (uint32_t)script_number_(&line);
	} else if (!strcmp(word, "endpoint")) {
		script_endpoint_(line);
	} else if (!strcmp(word, "endpoints")) {
		mptcp_set_endpoints(p->conn, script_.endpoints, script_.endpoint_count, p->now_us);
		script_.endpoint_count = 0;
	} else if (!strcmp(word, "backup") || !strcmp(word, "regular")) {
		mptcp_subflow_set_backup(script_flow_(&line)->f.sf, word[0] == 'b', p->now_us);
	} else if (!strcmp(word, "to")) {
		f = script_flow_(&line);
		script_word_(&line, word);
		ck_assert_int_eq(ip_addr_parse(word, &f->f.tuple.dst.addr), 0);
		f->f.tuple.dst.port = (uint16_t)script_number_(&line);
	} else if (!strcmp(word, "connect")) {
		const char *a = "a";

		f = script_flow_(&a);
		flow_tuple_reverse(&tx, &f->f.tuple);
		p->conn = mptcp_new_active(&p->env, &p->cfg, &tx, p, peer_deliver_, p->now_us);
		f->f.sf = mptcp_first_subflow(p->conn);
	} else if (!strcmp(word, "join")) {
		uint8_t id;

		f = script_flow_(&line);
		id = (uint8_t)script_number_(&line);
		flow_tuple_reverse(&tx, &f->f.tuple);
		f->f.sf = mptcp_join_active(p->conn, &tx, id, strstr(line, "backup"), p->now_us);
	} else {
		script_fail_("no such command");
	}
}

static inline bool script_event_(const char *name)
{
	static const char *const names[] = { "established", "sendable", "fin", "reset", "closed",
					     "fallback", "dead", "plain_syn", "robbed", "address" };
	bool seen;

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(name, names[i])) {
			seen = script_.events & 1u << i;
			script_.events &= ~(1u << i);
			return seen;
		}
	script_fail_("no such event");
}

/*
 * passed: the SYN was not taken; mode mptcp|fallback|pending; state NAME; subflows N;
 * event NAME, no event NAME: was raised since the last question, or was not; COUNTER N.
 */
static inline void script_check_(const char *line)
{
	static const char *const modes[] = { "pending", "mptcp", "fallback" };
	const struct mptcp_conn *conn = script_.p.conn;
	char word[SCRIPT_LINE];
	uint64_t n;

	script_word_(&line, word);
	if (!strcmp(word, "passed")) {
		if (conn)
			script_fail_("there is a connection");
		return;
	}
	if (!strcmp(word, "mode")) {
		script_word_(&line, word);
		if (strcmp(word, modes[conn->mode]))
			script_fail_("it is %s", modes[conn->mode]);
		return;
	}
	if (!strcmp(word, "state")) {
		script_word_(&line, word);
		if (strcmp(word, mptcp_state_name(conn->state)))
			script_fail_("it is %s", mptcp_state_name(conn->state));
		return;
	}
	if (!strcmp(word, "event")) {
		script_word_(&line, word);
		if (!script_event_(word))
			script_fail_("it was not raised");
		return;
	}
	if (!strcmp(word, "no")) {
		script_word_(&line, word);
		script_word_(&line, word);
		if (script_event_(word))
			script_fail_("it was raised");
		return;
	}
	n = script_number_(&line);
	if (!strcmp(word, "subflows")) {
		if (conn->subflow_count != n)
			script_fail_("there are %u", conn->subflow_count);
		return;
	}
	for (int i = 0; i < CNT_MAX; i++)
		if (!strcmp(word, counter_name((enum counter_id)i))) {
			if (script_.p.counters.v[i] != n)
				script_fail_("it is %llu",
					     (unsigned long long)script_.p.counters.v[i]);
			return;
		}
	script_fail_("no such condition");
}

static inline void script_delivered_(const char *line)
{
	uint64_t n = script_number_(&line);

	if (script_.p.received_len != n)
		script_fail_("delivered were %zu", script_.p.received_len);
	for (uint64_t i = 0; i < n; i++)
		if (script_.p.received[i] != script_theirs_(i))
			script_fail_("byte %llu is wrong", (unsigned long long)i);
}

/* ---- running -------------------------------------------------------------------------- */

static inline void script_begin(uint8_t version)
{
	memset(&script_, 0, sizeof(script_));
	peer_init(&script_.p);
	script_.version = version;
	script_.p.cfg.versions = (uint8_t)MPTCP_VERSION_BIT(version);
	script_set_key_(PEER_KEY);
	script_.began = true;
}

static inline void script_lines(const char *const *lines)
{
	ck_assert(script_.began);
	for (; *lines; lines++) {
		const char *line = *lines + 1;

		script_.line = *lines;
		script_.line_number++;
		/* What a `!' or a `&' does may go along with what is due already. */
		if (!strchr("!&", **lines))
			script_run_due_();
		if (strchr("<+!", **lines))
			script_nothing_left_();
		switch (**lines) {
		case '<':
		case '&': script_in_(line); break;
		case '>': script_out_(line); break;
		case '+': script_time_(line); break;
		case '=': script_delivered_(line); break;
		case '!': script_command_(line); break;
		case '?': script_check_(line); break;
		default: script_fail_("no such line");
		}
		if (script_.p.conn) {
			script_.events |= script_.p.conn->events;
			script_.p.conn->events = 0;
		}
	}
}

static inline void script_end(void)
{
	script_.line = "the end";
	script_run_due_();
	script_nothing_left_();
	peer_fini(&script_.p);
	script_.began = false;
}

/* For what lines cannot ask. */
static inline const struct mptcp_subflow *script_subflow(int flow)
{
	return script_.flow[flow].f.sf;
}

#define SCRIPT_LINES(...) script_lines((const char *const[]){ __VA_ARGS__, NULL })
/* Goes on with SCRIPT_LINES() and code; script_end() follows. */
#define SCRIPT_BEGIN(version, ...)                                                        \
	do {                                                                              \
		script_begin(version);                                                    \
		SCRIPT_LINES(__VA_ARGS__);                                                \
	} while (0)
#define SCRIPT(version, ...)                                                              \
	do {                                                                              \
		SCRIPT_BEGIN(version, __VA_ARGS__);                                       \
		script_end();                                                             \
	} while (0)
/* The same lines in both versions. */
#define SCRIPT_BOTH(...)                                                                  \
	do {                                                                              \
		SCRIPT(0, __VA_ARGS__);                                                   \
		SCRIPT(1, __VA_ARGS__);                                                   \
	} while (0)

#endif
