/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The decision of limits.h, as a function of the load alone.
 */
#include "proxy/limits.h"

#include "proxy/proxy.h"

static bool reached(uint32_t count, uint32_t limit)
{
	return limit && count >= limit;
}

bool limits_admit(const struct proxy_config *config, const struct limits_load *load,
		  enum counter_id *why)
{
	if (load->draining)
		*why = CNT_SHED_DRAINING;
	else if (load->device_down)
		*why = CNT_SHED_DEVICE;
	else if (reached(load->sessions, config->max_connections))
		*why = CNT_SHED_CONNECTIONS;
	else if (reached(load->half_open, config->max_half_open))
		*why = CNT_SHED_HALF_OPEN;
	else if (reached(load->source_sessions, config->max_per_source))
		*why = CNT_SHED_SOURCE;
	else if (load->memory_percent >= LIMITS_MEMORY_PERCENT)
		*why = CNT_SHED_MEMORY;
	else if (load->files_short)
		*why = CNT_SHED_FILES;
	else
		return true;
	return false;
}
