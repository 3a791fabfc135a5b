/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target for the configuration file: any bytes give either a configuration that
 * holds what the daemon relies on, or at least one message.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config.h"

static void check(int holds)
{
	if (!holds)
		abort();
}

static void count(void *ctx, const char *message)
{
	check(!strchr(message, '\n') && strlen(message) < 1024);
	(*(int *)ctx)++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int messages = 0;
	struct config *c = config_parse("f", (const char *)data, size, count, &messages);

	check((messages == 0) == (c != NULL) && messages <= CONFIG_MAX_ERRORS);
	if (!c)
		return 0;
	check(c->proxy.service_count > 0 && c->workers >= 1 && c->workers <= CONFIG_MAX_WORKERS);
	check(c->device[0] && c->control[0] == '/');
	check(c->mark && !(c->mark & ~c->mark_mask));
	for (size_t i = 0; i < c->proxy.service_count; i++) {
		const struct proxy_service *s = &c->proxy.services[i];

		check(s->name[0] && s->prefix_count && s->port_count);
		check(s->mptcp.tcp.cc && s->mptcp.sched && s->mptcp.max_subflows);
		check(s->upstream_original || s->upstream.port);
		for (size_t j = 0; j < s->port_count; j++)
			check(s->ports[j].first && s->ports[j].first <= s->ports[j].last);
	}
	config_free(c);
	return 0;
}
