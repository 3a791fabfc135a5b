/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MPTCP options (TCP option kind 30): RFC 8684, section 3 (version 1), and RFC
 * 6824, section 3 (version 0).  Pure codec: options to and from host-order
 * structs.  `present` bits are set only after an option's length was checked, so
 * that a set bit means that its fields are valid.
 */
#ifndef WIRE_MPTCP_OPTION_H
#define WIRE_MPTCP_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

#define TCPOPT_MPTCP 30

enum mptcp_subtype {            /* RFC 8684, section 8.2 */
	MPTCP_SUB_CAPABLE   = 0x0,
	MPTCP_SUB_JOIN      = 0x1,
	MPTCP_SUB_DSS       = 0x2,
	MPTCP_SUB_ADD_ADDR  = 0x3,
	MPTCP_SUB_REMOVE_ADDR = 0x4,
	MPTCP_SUB_PRIO      = 0x5,
	MPTCP_SUB_FAIL      = 0x6,
	MPTCP_SUB_FASTCLOSE = 0x7,
	MPTCP_SUB_TCPRST    = 0x8,
};

/* Flags of MP_CAPABLE (RFC 8684, section 3.1). */
#define MPTCP_CAP_CHECKSUM   0x80	/* A */
#define MPTCP_CAP_EXTENSIBLE 0x40	/* B */
#define MPTCP_CAP_NO_JOIN_INITIAL 0x20	/* C: no joins to the initial address and port */
#define MPTCP_CAP_HMAC_SHA   0x01	/* H: SHA-256 in v1, SHA-1 in v0 */

/* Reason codes of MP_TCPRST (RFC 8684, section 3.6). */
enum mptcp_reset_reason {
	MPTCP_RST_UNSPECIFIED = 0,
	MPTCP_RST_SPECIFIC = 1,         /* MPTCP-specific error */
	MPTCP_RST_RESOURCES = 2,
	MPTCP_RST_PROHIBITED = 3,
	MPTCP_RST_TOO_MUCH_DATA = 4,
	MPTCP_RST_PERFORMANCE = 5,
	MPTCP_RST_MIDDLEBOX = 6,
};
#define MPTCP_TCPRST_TRANSIENT 0x01	/* T flag */

/* Bits of mptcp_options.present: one per option form. */
enum mptcp_option_bit {
	MPOPT_CAPABLE     = 1u << 0,
	MPOPT_JOIN_SYN    = 1u << 1,    /* 12 bytes: token and nonce */
	MPOPT_JOIN_SYNACK = 1u << 2,    /* 16 bytes: truncated HMAC and nonce */
	MPOPT_JOIN_ACK    = 1u << 3,    /* 24 bytes: full HMAC */
	MPOPT_DSS         = 1u << 4,
	MPOPT_ADD_ADDR    = 1u << 5,
	MPOPT_REMOVE_ADDR = 1u << 6,
	MPOPT_PRIO        = 1u << 7,
	MPOPT_FAIL        = 1u << 8,
	MPOPT_FASTCLOSE   = 1u << 9,
	MPOPT_TCPRST      = 1u << 10,
};

struct mptcp_capable {
	uint8_t version;
	uint8_t flags;          /* MPTCP_CAP_* */
	uint8_t key_count;      /* 0, 1 or 2 keys are present */
	bool has_data_len;      /* v1 third ACK with data: data_len is valid */
	bool has_checksum;
	uint64_t sender_key, receiver_key;
	uint16_t data_len;
	uint16_t checksum;      /* as stored in the packet, see wire/checksum.h */
};

struct mptcp_join {
	uint8_t addr_id;
	bool backup;
	uint32_t token;         /* SYN */
	uint32_t nonce;         /* SYN and SYN/ACK */
	uint8_t mac[20];        /* SYN/ACK: 8 bytes valid; ACK: 20 */
};

struct mptcp_dss {
	bool has_ack, ack_is64;
	bool has_map, dsn_is64;
	bool has_checksum;      /* part of the mapping */
	bool data_fin;          /* only with has_map */
	uint64_t data_ack;      /* low half only unless ack_is64 */
	uint64_t dsn;           /* low half only unless dsn_is64 */
	uint32_t ssn;           /* relative to the subflow's ISN; first byte is 1 */
	uint16_t data_len;      /* 0 with has_map: infinite mapping */
	uint16_t checksum;      /* as stored in the packet */
};

struct mptcp_add_addr {
	struct ip_addr addr;
	uint16_t port;          /* 0: not given */
	uint8_t addr_id;
	bool echo;              /* v1 */
	bool has_mac;
	uint8_t mac[8];         /* v1, truncated HMAC */
};

#define MPTCP_REMOVE_MAX 37	/* what 40 bytes of options can hold */

struct mptcp_options {
	uint32_t present;       /* MPOPT_* */
	struct mptcp_capable capable;
	struct mptcp_join join;
	struct mptcp_dss dss;
	struct mptcp_add_addr add_addr;
	struct {
		uint8_t count;
		uint8_t ids[MPTCP_REMOVE_MAX];
	} remove_addr;
	struct {
		bool backup;
		bool has_addr_id;       /* v0 only */
		uint8_t addr_id;
	} prio;
	struct {
		uint64_t dsn;
	} fail;
	struct {
		uint64_t key;
	} fastclose;
	struct {
		uint8_t flags;          /* MPTCP_TCPRST_TRANSIENT */
		uint8_t reason;
	} tcprst;
};

/*
 * Parses one option of kind 30.  `opt` points at the kind byte and `len` is the
 * option's length field (bounds already checked by the caller).  `syn` and `ack`
 * tell the packet's flags; MP_CAPABLE and MP_JOIN must have the form that belongs
 * to them.  An option whose length fits no form of its subtype is ignored (0 is
 * returned and no bit set), as is a repeated one: the first good one wins.  Returns
 * the bit that was set, or 0.
 *
 * Both versions are read by length: MP_CAPABLE's version field selects its form
 * (versions above 1 are ignored); ADD_ADDR is v1 if it has a MAC or flag E (an echo,
 * which has no MAC), and v0 if it has neither and the nibble is its IP version.
 */
uint32_t mptcp_option_parse(const uint8_t *opt, size_t len, bool syn, bool ack,
			    struct mptcp_options *out);

/*
 * Builders: each writes one option of the given version at `out` and returns its
 * length in bytes.  Lengths need not be multiples of four; the caller pads with
 * NOPs.  `out` must have room for 40 bytes.
 */
size_t mptcp_option_build_capable(uint8_t *out, const struct mptcp_capable *c);
size_t mptcp_option_build_join_syn(uint8_t *out, const struct mptcp_join *j);
size_t mptcp_option_build_join_synack(uint8_t *out, const struct mptcp_join *j);
size_t mptcp_option_build_join_ack(uint8_t *out, const struct mptcp_join *j);
size_t mptcp_option_build_dss(uint8_t *out, const struct mptcp_dss *d);
/* `version` 0 or 1; a v1 echo carries no MAC. */
size_t mptcp_option_build_add_addr(uint8_t *out, const struct mptcp_add_addr *a,
				   uint8_t version);
size_t mptcp_option_build_remove_addr(uint8_t *out, const uint8_t *ids, size_t count);
size_t mptcp_option_build_prio(uint8_t *out, bool backup);
size_t mptcp_option_build_fail(uint8_t *out, uint64_t dsn);
size_t mptcp_option_build_fastclose(uint8_t *out, uint64_t key);
size_t mptcp_option_build_tcprst(uint8_t *out, uint8_t flags, uint8_t reason);

/* The length of the DSS option that mptcp_option_build_dss() would write. */
size_t mptcp_option_dss_len(const struct mptcp_dss *d);

/*
 * The checksum over a mapping (RFC 8684, section 3.3.1): `payload_sum` is the
 * running csum_add() over the mapped bytes.  Returns the value to store in the
 * option; a received mapping is right when this equals dss.checksum.
 */
uint16_t mptcp_dss_checksum(uint64_t dsn, uint32_t ssn, uint16_t data_len,
			    uint64_t payload_sum);

#endif
