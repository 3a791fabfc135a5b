/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names and descriptions of the counters, from the one list in counters.h.
 */
#include "base/counters.h"

#define COUNTER_NAME(id, name, text) [CNT_##id] = name,
#define COUNTER_TEXT(id, name, text) [CNT_##id] = text,

static const char *const names[CNT_MAX] = { COUNTERS(COUNTER_NAME) };
static const char *const texts[CNT_MAX] = { COUNTERS(COUNTER_TEXT) };

const char *counter_name(enum counter_id id)
{
	return names[id];
}

const char *counter_text(enum counter_id id)
{
	return texts[id];
}
