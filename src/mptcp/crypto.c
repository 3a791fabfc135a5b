/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keys, tokens and message authentication (RFC 8684, section 3.2; RFC 6824 for
 * version 0).  Hashes come from nettle; nothing here keeps state.
 */
#include <string.h>

#include <nettle/hmac.h>
#include <nettle/memops.h>
#include <nettle/sha1.h>
#include <nettle/sha2.h>

#include "mptcp/internal.h"

static void put_be32(uint8_t *p, uint32_t v)
{
	p[0] = v >> 24;
	p[1] = v >> 16;
	p[2] = v >> 8;
	p[3] = v;
}

static void put_be64(uint8_t *p, uint64_t v)
{
	put_be32(p, v >> 32);
	put_be32(p + 4, (uint32_t)v);
}

static uint32_t get_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

void mptcp_key_derive(uint8_t version, uint64_t key, uint32_t *token, uint64_t *idsn)
{
	uint8_t digest[SHA256_DIGEST_SIZE], bytes[8];
	const uint8_t *last;

	put_be64(bytes, key);
	if (version == 0) {
		struct sha1_ctx ctx;

		sha1_init(&ctx);
		sha1_update(&ctx, sizeof(bytes), bytes);
		sha1_digest(&ctx, SHA1_DIGEST_SIZE, digest);
		last = digest + SHA1_DIGEST_SIZE - 8;
	} else {
		struct sha256_ctx ctx;

		sha256_init(&ctx);
		sha256_update(&ctx, sizeof(bytes), bytes);
		sha256_digest(&ctx, SHA256_DIGEST_SIZE, digest);
		last = digest + SHA256_DIGEST_SIZE - 8;
	}
	*token = get_be32(digest);
	*idsn = (uint64_t)get_be32(last) << 32 | get_be32(last + 4);
}

void mptcp_join_mac(uint8_t version, uint64_t key1, uint64_t key2, uint32_t nonce1,
		    uint32_t nonce2, uint8_t mac[20])
{
	uint8_t key[16], msg[8];

	put_be64(key, key1);
	put_be64(key + 8, key2);
	put_be32(msg, nonce1);
	put_be32(msg + 4, nonce2);
	if (version == 0) {
		struct hmac_sha1_ctx ctx;

		hmac_sha1_set_key(&ctx, sizeof(key), key);
		hmac_sha1_update(&ctx, sizeof(msg), msg);
		hmac_sha1_digest(&ctx, 20, mac);
	} else {
		struct hmac_sha256_ctx ctx;

		hmac_sha256_set_key(&ctx, sizeof(key), key);
		hmac_sha256_update(&ctx, sizeof(msg), msg);
		hmac_sha256_digest(&ctx, 20, mac);
	}
}

void mptcp_add_addr_mac(uint64_t sender_key, uint64_t receiver_key,
			const struct mptcp_add_addr *a, uint8_t mac[8])
{
	uint8_t key[16], msg[19], digest[SHA256_DIGEST_SIZE];
	bool v4 = ip_addr_is_v4(&a->addr);
	size_t len = v4 ? 4 : 16;
	struct hmac_sha256_ctx ctx;

	put_be64(key, sender_key);
	put_be64(key + 8, receiver_key);
	/* The port counts with two octets also where the option has none. */
	msg[0] = a->addr_id;
	memcpy(msg + 1, v4 ? ip_addr_v4(&a->addr) : a->addr.b, len);
	msg[1 + len] = a->port >> 8;
	msg[2 + len] = a->port & 0xff;
	hmac_sha256_set_key(&ctx, sizeof(key), key);
	hmac_sha256_update(&ctx, len + 3, msg);
	hmac_sha256_digest(&ctx, sizeof(digest), digest);
	memcpy(mac, digest + sizeof(digest) - 8, 8);
}

bool mptcp_mac_equal(const uint8_t *a, const uint8_t *b, size_t len)
{
	return memeql_sec(a, b, len);
}
