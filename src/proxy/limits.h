/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shedding: whether one more session may begin.  Past any limit a SYN is passed on,
 * and its client gets plain TCP to the server instead of a refusal.  Pure.
 */
#ifndef PROXY_LIMITS_H
#define PROXY_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/counters.h"

struct proxy_config;

/* Share of the memory limit, in percent, from which on nobody new is let in: the rest
 * is for those who are already here. */
#define LIMITS_MEMORY_PERCENT 90u
/* How long to pass SYNs on after the system had no socket left. */
#define LIMITS_FILES_PAUSE_US 100000u

struct limits_load {
	uint32_t sessions, half_open;
	uint32_t source_sessions;       /* of the client's address */
	unsigned memory_percent;
	bool draining;
	bool device_down;               /* no answer would leave */
	bool files_short;               /* the system had no socket left a moment ago */
};

/* Whether a session may begin; if not, *why is the counter of the limit it met. */
bool limits_admit(const struct proxy_config *config, const struct limits_load *load,
		  enum counter_id *why);

#endif
