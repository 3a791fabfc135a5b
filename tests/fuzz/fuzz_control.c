/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target for requests on the control socket: whatever a line holds, the answer is one
 * line of JSON that says whether it was done, a command runs at most once, and never with
 * arguments that it did not name.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/control.h"

static void check(int holds)
{
	if (!holds)
		abort();
}

static int calls;

static json_t *done(uint64_t n)
{
	calls++;
	return json_pack("{s:I}", "n", (json_int_t)n);
}

static json_t *status(void *ctx, char *err, size_t err_len)
{
	(void)ctx;
	(void)err;
	(void)err_len;
	return done(0);
}

static json_t *refuse(void *ctx, char *err, size_t err_len)
{
	(void)ctx;
	calls++;
	snprintf(err, err_len, "\"no\" \xff\xfe\\");
	return NULL;
}

static json_t *number(void *ctx, uint64_t n, char *err, size_t err_len)
{
	(void)ctx;
	(void)err;
	(void)err_len;
	check(n <= INT64_MAX);
	return done(n);
}

static const struct control_ops ops = {
	.status = status, .connections = number, .connection = number, .reload = refuse,
	.drain = status, .counters = status, .endpoints = status,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;
	json_t *answer, *ok;

	calls = 0;
	text = control_answer(&ops, NULL, (const char *)data, size);
	check(calls <= 1);
	check(text && !strchr(text, '\n'));
	answer = json_loads(text, 0, NULL);
	ok = json_object_get(answer, "ok");
	check(json_is_boolean(ok));
	check(json_is_true(ok) ? calls == 1 : json_is_string(json_object_get(answer, "error")));
	json_decref(answer);
	free(text);
	return 0;
}
