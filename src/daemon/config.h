/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration: read once, checked whole, immutable afterwards.
 *
 * A reload reads a new struct config and swaps it for the old one; nothing ever
 * changes one in place.  Every mistake of a file is reported, not only the first,
 * each as one line
 *
 *	FILE:LINE: [section] key: what is wrong; allowed: ...
 *
 * A key or value whose effect this version does not have is a mistake as well: what
 * was accepted is in force.
 */
#ifndef DAEMON_CONFIG_H
#define DAEMON_CONFIG_H

#include <net/if.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

#include "base/log.h"
#include "proxy/proxy.h"

#define CONFIG_DEFAULT_FILE SYSCONFDIR "/mptcp-proxyd/mptcp-proxyd.conf"
#define CONFIG_MAX_BYTES    (1u << 20)  /* of a file */
#define CONFIG_MAX_ERRORS   100         /* reported for one file */

#define CONFIG_MAX_WORKERS  64u

struct config {
	struct proxy_config proxy;      /* services, endpoints and limits, owned */
	unsigned workers;
	bool syn_cookies;               /* allow proxy.stateless_half_open */
	char device[IFNAMSIZ];          /* the TUN device */
	uint16_t queue;                 /* first NFQUEUE number */
	uint32_t mark, mark_mask;       /* packet mark: (mark & mark_mask) == mark */
	char control[sizeof(((struct sockaddr_un *)0)->sun_path)];
	enum log_level log_level;
	uint64_t drain_timeout_us;
	bool seccomp;                   /* filter system calls, see sandbox.h */
};

/* Takes one complaint, without a line end. */
typedef void (*config_report_fn)(void *ctx, const char *message);

/*
 * Reads a file, or `len` bytes at `text` that are called `name` in messages.  The
 * caller owns the result; NULL after at least one call of `report`.
 */
struct config *config_load(const char *path, config_report_fn report, void *ctx);
struct config *config_parse(const char *name, const char *text, size_t len,
			    config_report_fn report, void *ctx);
/* One worker for each processor that this process may use. */
unsigned config_auto_workers(void);
/* NULL is allowed. */
void config_free(struct config *config);

/*
 * Keys that differ although only a restart could bring `new` into force: writes
 * their names, comma-separated, to `buf` and returns their number.
 */
int config_restart_keys(const struct config *old, const struct config *new, char *buf,
			size_t size);

/* ---- the list of keys, for tests -------------------------------------------- */

enum config_section {
	CONFIG_PROXY   = 1u << 0,
	CONFIG_MPTCP   = 1u << 1,
	CONFIG_SERVICE = 1u << 2,
	CONFIG_ENDPOINT = 1u << 3,
};

struct config_parser;

struct config_key {
	const char *name;
	unsigned sections;              /* enum config_section, or-ed */
	bool list;                      /* may go on over indented lines */
	const char *allowed;            /* for messages */
	/* Stores a value; 0, or -EINVAL with config_parser.why set, or -ENOMEM. */
	int (*set)(struct config_parser *p, const char *value);
};

/* Ends with an entry whose name is NULL. */
extern const struct config_key config_keys[];

#endif
