/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What config.c (the file and its sections) and config_key.c (keys and their
 * values) share.  For no one else.
 */
#ifndef DAEMON_CONFIG_IMPL_H
#define DAEMON_CONFIG_IMPL_H

#include "daemon/config.h"

#define CONFIG_MAX_PREFIXES 4096        /* of all services together */
#define CONFIG_MAX_PORTS    256         /* ranges of one service */
#define CONFIG_NAME_BYTES   sizeof(((struct proxy_service *)0)->name)

/* Keys that a service may set for itself; `set` has a bit per field. */
struct config_common {
	enum {
		COMMON_HANDSHAKE    = 1u << 0,
		COMMON_SOURCE       = 1u << 1,
		COMMON_CHECKSUM     = 1u << 2,
		COMMON_MAX_SUBFLOWS = 1u << 3,
		COMMON_CC           = 1u << 4,
		COMMON_SCHEDULER    = 1u << 5,
		COMMON_VERSIONS     = 1u << 6,
		COMMON_JOIN_SERVICE = 1u << 7,
		COMMON_TIMESTAMPS   = 1u << 8,
	} set;
	enum proxy_handshake handshake;
	enum proxy_source source;
	bool checksum;
	uint8_t max_subflows;
	uint8_t versions;               /* MPTCP_VERSION_BIT() */
	bool no_join_service;
	bool timestamps;
	const struct tcp_cc_ops *cc;
	const struct mptcp_sched_ops *sched;
	bool ecn;                       /* of [mptcp] only */
};

/* A [service] section as it is read. */
struct config_service {
	struct proxy_service svc;
	struct config_common common;
	unsigned line;                  /* of the section's header */
	unsigned address_line, port_line, upstream_line;
	uint64_t keys_seen;             /* bit i: config_keys[i] */
};

/* An [endpoint] section as it is read. */
struct config_endpoint {
	struct proxy_endpoint e;
	bool has_local;
	unsigned line, address_line;
	uint64_t keys_seen;
};

struct config_parser {
	struct config *config;
	config_report_fn report;
	void *report_ctx;
	const char *name;
	unsigned errors;
	bool out_of_memory;

	/* the reader */
	const char *at, *end;
	unsigned line;
	bool unread;                    /* the line is neither blank, comment nor header,
					 * and the handler has not seen it */
	bool continuation;              /* the line is indented and goes on the one before */

	/* the section that lines belong to */
	unsigned section;               /* enum config_section; 0: none yet */
	char header[64];                /* "[service web]", for messages */
	bool have_key;                  /* a line with a key came before in the section */
	const struct config_key *key;   /* that key, if it is known */
	bool key_failed;                /* ... and complained about */
	uint64_t proxy_seen, mptcp_seen;
	unsigned proxy_line, mptcp_line;

	struct config_common common;    /* [proxy] and [mptcp] */
	struct config_service *services;
	size_t service_count;
	struct config_service *service; /* current */
	size_t prefix_count;            /* of all services */
	struct config_endpoint endpoints[PROXY_ENDPOINTS_MAX];
	size_t endpoint_count;
	struct config_endpoint *endpoint;       /* current */

	char why[256];                  /* a setter's complaint */
};

/* Says why a value is refused and returns -EINVAL. */
int config_refuse(struct config_parser *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

bool config_prefix_overlap(const struct ip_prefix *a, const struct ip_prefix *b);
bool config_ports_overlap(const struct port_range *a, const struct port_range *b);
/* "192.0.2.0/24"; `buf` holds IP_ADDR_STRLEN + 4 bytes. */
const char *config_prefix_format(const struct ip_prefix *p, char *buf);

#endif
