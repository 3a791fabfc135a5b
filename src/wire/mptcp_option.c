/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The codec of TCP option 30: RFC 8684 (version 1) and RFC 6824 (version 0),
 * section 3 of each.  A form is told by subtype, length and the packet's SYN and
 * ACK flags; only when all of them fit are its fields written and its bit set, so
 * that nothing here can be half read.  Owns nothing; calls wire/checksum only.
 */
#include "wire/mptcp_option.h"

#include <string.h>

#include "wire/bytes.h"
#include "wire/checksum.h"

/* Flags of the DSS option (RFC 8684, section 3.3). */
#define DSS_ACK   0x01	/* A */
#define DSS_ACK64 0x02	/* a */
#define DSS_MAP   0x04	/* M */
#define DSS_DSN64 0x08	/* m */
#define DSS_FIN   0x10	/* F */

#define JOIN_BACKUP    0x01
#define PRIO_BACKUP    0x01
#define ADD_ADDR_ECHO  0x01

static uint16_t get_csum(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint32_t parse_capable(const uint8_t *opt, size_t len, bool syn, bool ack,
			      struct mptcp_capable *c)
{
	uint8_t version = opt[2] & 0x0f;

	/* The forms of later versions are not known: as if there were no option. */
	if (version > 1)
		return 0;
	if (syn) {
		if (len != (version == 1 && !ack ? 4 : 12))
			return 0;
	} else {
		if (!ack || (len != 20 && (version == 0 || (len != 22 && len != 24))))
			return 0;
	}
	memset(c, 0, sizeof(*c));
	c->version = version;
	c->flags = opt[3];
	if (len >= 12) {
		c->sender_key = bytes_get64(opt + 4);
		c->key_count = 1;
	}
	if (len >= 20) {
		c->receiver_key = bytes_get64(opt + 12);
		c->key_count = 2;
	}
	if (len >= 22) {
		c->data_len = bytes_get16(opt + 20);
		c->has_data_len = true;
	}
	if (len == 24) {
		c->checksum = get_csum(opt + 22);
		c->has_checksum = true;
	}
	return MPOPT_CAPABLE;
}

static uint32_t parse_join(const uint8_t *opt, size_t len, bool syn, bool ack,
			   struct mptcp_join *j)
{
	if (len != (!syn ? 24 : ack ? 16 : 12) || (!syn && !ack))
		return 0;
	memset(j, 0, sizeof(*j));
	if (!syn) {
		memcpy(j->mac, opt + 4, 20);
		return MPOPT_JOIN_ACK;
	}
	j->backup = opt[2] & JOIN_BACKUP;
	j->addr_id = opt[3];
	if (ack) {
		memcpy(j->mac, opt + 4, 8);
		j->nonce = bytes_get32(opt + 12);
		return MPOPT_JOIN_SYNACK;
	}
	j->token = bytes_get32(opt + 4);
	j->nonce = bytes_get32(opt + 8);
	return MPOPT_JOIN_SYN;
}

static size_t dss_len(uint8_t flags)
{
	size_t len = 4;

	if (flags & DSS_ACK)
		len += flags & DSS_ACK64 ? 8 : 4;
	if (flags & DSS_MAP)
		len += flags & DSS_DSN64 ? 14 : 10;
	return len;
}

static uint32_t parse_dss(const uint8_t *opt, size_t len, struct mptcp_dss *d)
{
	const uint8_t *p = opt + 4;
	uint8_t flags;
	size_t need;

	if (len < 4)
		return 0;
	flags = opt[3];
	need = dss_len(flags);
	if (len != need && (len != need + 2 || !(flags & DSS_MAP)))
		return 0;
	memset(d, 0, sizeof(*d));
	if (flags & DSS_ACK) {
		d->has_ack = true;
		d->ack_is64 = flags & DSS_ACK64;
		d->data_ack = d->ack_is64 ? bytes_get64(p) : bytes_get32(p);
		p += d->ack_is64 ? 8 : 4;
	}
	if (flags & DSS_MAP) {
		d->has_map = true;
		d->dsn_is64 = flags & DSS_DSN64;
		/* Without a mapping, a DATA_FIN has no place in the sequence. */
		d->data_fin = flags & DSS_FIN;
		d->dsn = d->dsn_is64 ? bytes_get64(p) : bytes_get32(p);
		p += d->dsn_is64 ? 8 : 4;
		d->ssn = bytes_get32(p);
		d->data_len = bytes_get16(p + 4);
		if (len != need) {
			d->has_checksum = true;
			d->checksum = get_csum(p + 6);
		}
	}
	return MPOPT_DSS;
}

/*
 * The versions have forms of different lengths: version 1 has a MAC unless flag E is set, and
 * version 0, whose nibble is an IP version, has none.  So the other three flags of version 1,
 * which mean nothing yet (RFC 8684, section 3.4.1), can be told from version 0's numbers.
 */
static uint32_t parse_add_addr(const uint8_t *opt, size_t len, struct mptcp_add_addr *a)
{
	bool echo, has_mac, v6;
	uint8_t low;
	size_t rest = len;
	struct ip_addr addr;

	if (len < 4)
		return 0;
	low = opt[2] & 0x0f;
	echo = low & ADD_ADDR_ECHO;
	has_mac = !echo && (len == 16 || len == 18 || len == 28 || len == 30);
	if (has_mac)
		rest -= 8;
	if (rest == 8 || rest == 10)
		v6 = false;
	else if (rest == 20 || rest == 22)
		v6 = true;
	else
		return 0;
	if (!echo && !has_mac && low != (v6 ? 6 : 4))
		return 0;

	if (v6) {
		ip_addr_from_v6(&addr, opt + 4);
		/* Not to be taken for IPv4: never valid on the wire (RFC 4291, 2.5.5.2). */
		if (ip_addr_is_v4(&addr))
			return 0;
	} else {
		ip_addr_from_v4(&addr, opt + 4);
	}
	memset(a, 0, sizeof(*a));
	a->addr = addr;
	a->addr_id = opt[3];
	a->echo = echo;
	if (rest == 10 || rest == 22)
		a->port = bytes_get16(opt + rest - 2);
	if (has_mac) {
		a->has_mac = true;
		memcpy(a->mac, opt + rest, 8);
	}
	return MPOPT_ADD_ADDR;
}

uint32_t mptcp_option_parse(const uint8_t *opt, size_t len, bool syn, bool ack,
			    struct mptcp_options *out)
{
	/* By subtype: what may be there at most once. */
	static const uint32_t bits[] = {
		[MPTCP_SUB_CAPABLE] = MPOPT_CAPABLE,
		[MPTCP_SUB_JOIN] = MPOPT_JOIN_SYN | MPOPT_JOIN_SYNACK | MPOPT_JOIN_ACK,
		[MPTCP_SUB_DSS] = MPOPT_DSS,
		[MPTCP_SUB_ADD_ADDR] = MPOPT_ADD_ADDR,
		[MPTCP_SUB_REMOVE_ADDR] = MPOPT_REMOVE_ADDR,
		[MPTCP_SUB_PRIO] = MPOPT_PRIO,
		[MPTCP_SUB_FAIL] = MPOPT_FAIL,
		[MPTCP_SUB_FASTCLOSE] = MPOPT_FASTCLOSE,
		[MPTCP_SUB_TCPRST] = MPOPT_TCPRST,
	};
	uint32_t bit = 0;
	uint8_t sub;

	if (len < 3)
		return 0;
	sub = opt[2] >> 4;
	if (sub >= sizeof(bits) / sizeof(bits[0]) || (out->present & bits[sub]))
		return 0;

	switch ((enum mptcp_subtype)sub) {
	case MPTCP_SUB_CAPABLE:
		bit = parse_capable(opt, len, syn, ack, &out->capable);
		break;
	case MPTCP_SUB_JOIN:
		bit = parse_join(opt, len, syn, ack, &out->join);
		break;
	case MPTCP_SUB_DSS:
		bit = parse_dss(opt, len, &out->dss);
		break;
	case MPTCP_SUB_ADD_ADDR:
		bit = parse_add_addr(opt, len, &out->add_addr);
		break;
	case MPTCP_SUB_REMOVE_ADDR:
		if (len < 4 || len - 3 > MPTCP_REMOVE_MAX)
			break;
		out->remove_addr.count = (uint8_t)(len - 3);
		memcpy(out->remove_addr.ids, opt + 3, len - 3);
		bit = MPOPT_REMOVE_ADDR;
		break;
	case MPTCP_SUB_PRIO:
		if (len > 4)
			break;
		out->prio.backup = opt[2] & PRIO_BACKUP;
		out->prio.has_addr_id = len == 4;
		out->prio.addr_id = len == 4 ? opt[3] : 0;
		bit = MPOPT_PRIO;
		break;
	case MPTCP_SUB_FAIL:
		if (len != 12)
			break;
		out->fail.dsn = bytes_get64(opt + 4);
		bit = MPOPT_FAIL;
		break;
	case MPTCP_SUB_FASTCLOSE:
		if (len != 12)
			break;
		out->fastclose.key = bytes_get64(opt + 4);
		bit = MPOPT_FASTCLOSE;
		break;
	case MPTCP_SUB_TCPRST:
		if (len != 4)
			break;
		out->tcprst.flags = opt[2] & 0x0f;
		out->tcprst.reason = opt[3];
		bit = MPOPT_TCPRST;
		break;
	}
	out->present |= bit;
	return bit;
}

/* Kind, length, subtype and the four bits beside it. */
static size_t put_head(uint8_t *out, size_t len, enum mptcp_subtype sub, uint8_t low)
{
	out[0] = TCPOPT_MPTCP;
	out[1] = (uint8_t)len;
	out[2] = (uint8_t)((unsigned int)sub << 4 | (low & 0x0f));
	return len;
}

size_t mptcp_option_build_capable(uint8_t *out, const struct mptcp_capable *c)
{
	size_t len = 4;

	out[3] = c->flags;
	if (c->key_count >= 1) {
		bytes_put64(out + 4, c->sender_key);
		len = 12;
	}
	if (c->key_count >= 2) {
		bytes_put64(out + 12, c->receiver_key);
		len = 20;
		if (c->version >= 1 && c->has_data_len) {
			bytes_put16(out + 20, c->data_len);
			len = 22;
			if (c->has_checksum) {
				csum_store(out + 22, c->checksum);
				len = 24;
			}
		}
	}
	return put_head(out, len, MPTCP_SUB_CAPABLE, c->version);
}

size_t mptcp_option_build_join_syn(uint8_t *out, const struct mptcp_join *j)
{
	out[3] = j->addr_id;
	bytes_put32(out + 4, j->token);
	bytes_put32(out + 8, j->nonce);
	return put_head(out, 12, MPTCP_SUB_JOIN, j->backup ? JOIN_BACKUP : 0);
}

size_t mptcp_option_build_join_synack(uint8_t *out, const struct mptcp_join *j)
{
	out[3] = j->addr_id;
	memcpy(out + 4, j->mac, 8);
	bytes_put32(out + 12, j->nonce);
	return put_head(out, 16, MPTCP_SUB_JOIN, j->backup ? JOIN_BACKUP : 0);
}

size_t mptcp_option_build_join_ack(uint8_t *out, const struct mptcp_join *j)
{
	out[3] = 0;
	memcpy(out + 4, j->mac, 20);
	return put_head(out, 24, MPTCP_SUB_JOIN, 0);
}

static uint8_t dss_flags(const struct mptcp_dss *d)
{
	uint8_t flags = 0;

	if (d->has_ack)
		flags |= d->ack_is64 ? DSS_ACK | DSS_ACK64 : DSS_ACK;
	if (d->has_map) {
		flags |= d->dsn_is64 ? DSS_MAP | DSS_DSN64 : DSS_MAP;
		flags |= d->data_fin ? DSS_FIN : 0;
	}
	return flags;
}

size_t mptcp_option_dss_len(const struct mptcp_dss *d)
{
	return dss_len(dss_flags(d)) + (d->has_map && d->has_checksum ? 2 : 0);
}

size_t mptcp_option_build_dss(uint8_t *out, const struct mptcp_dss *d)
{
	uint8_t *p = out + 4;

	out[3] = dss_flags(d);
	if (d->has_ack)
		p = d->ack_is64 ? bytes_put64(p, d->data_ack)
				: bytes_put32(p, (uint32_t)d->data_ack);
	if (d->has_map) {
		p = d->dsn_is64 ? bytes_put64(p, d->dsn) : bytes_put32(p, (uint32_t)d->dsn);
		p = bytes_put32(p, d->ssn);
		p = bytes_put16(p, d->data_len);
		if (d->has_checksum) {
			csum_store(p, d->checksum);
			p += 2;
		}
	}
	return put_head(out, (size_t)(p - out), MPTCP_SUB_DSS, 0);
}

size_t mptcp_option_build_add_addr(uint8_t *out, const struct mptcp_add_addr *a,
				   uint8_t version)
{
	bool v4 = ip_addr_is_v4(&a->addr);
	uint8_t *p = out + 4;
	uint8_t low;

	out[3] = a->addr_id;
	if (v4)
		memcpy(p, ip_addr_v4(&a->addr), 4);
	else
		memcpy(p, a->addr.b, 16);
	p += v4 ? 4 : 16;
	if (a->port)
		p = bytes_put16(p, a->port);
	if (version == 0) {
		low = v4 ? 4 : 6;
	} else if (a->echo) {
		low = ADD_ADDR_ECHO;
	} else {
		low = 0;
		memcpy(p, a->mac, 8);
		p += 8;
	}
	return put_head(out, (size_t)(p - out), MPTCP_SUB_ADD_ADDR, low);
}

size_t mptcp_option_build_remove_addr(uint8_t *out, const uint8_t *ids, size_t count)
{
	if (count > MPTCP_REMOVE_MAX)
		count = MPTCP_REMOVE_MAX;
	memcpy(out + 3, ids, count);
	return put_head(out, 3 + count, MPTCP_SUB_REMOVE_ADDR, 0);
}

size_t mptcp_option_build_prio(uint8_t *out, bool backup)
{
	return put_head(out, 3, MPTCP_SUB_PRIO, backup ? PRIO_BACKUP : 0);
}

size_t mptcp_option_build_fail(uint8_t *out, uint64_t dsn)
{
	out[3] = 0;
	bytes_put64(out + 4, dsn);
	return put_head(out, 12, MPTCP_SUB_FAIL, 0);
}

size_t mptcp_option_build_fastclose(uint8_t *out, uint64_t key)
{
	out[3] = 0;
	bytes_put64(out + 4, key);
	return put_head(out, 12, MPTCP_SUB_FASTCLOSE, 0);
}

size_t mptcp_option_build_tcprst(uint8_t *out, uint8_t flags, uint8_t reason)
{
	out[3] = reason;
	return put_head(out, 4, MPTCP_SUB_TCPRST, flags);
}

uint16_t mptcp_dss_checksum(uint64_t dsn, uint32_t ssn, uint16_t data_len,
			    uint64_t payload_sum)
{
	uint8_t pseudo[16] = { 0 };

	bytes_put64(pseudo, dsn);
	bytes_put32(pseudo + 8, ssn);
	bytes_put16(pseudo + 12, data_len);
	return (uint16_t)~csum_fold(csum_add(payload_sum, pseudo, sizeof(pseudo)));
}
