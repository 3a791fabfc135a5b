/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket: a stream socket on which each line is a request and each answer a
 * line, both JSON objects.
 *
 *	{"command": "status"}
 *	{"command": "connections", "offset": N}		offset may be left out
 *	{"command": "connection", "id": N}
 *	{"command": "counters"}
 *	{"command": "endpoints"}
 *	{"command": "reload"}
 *	{"command": "drain"}
 *
 * An answer has "ok": true and what was asked for, or "ok": false and "error".
 *
 * It lives on the event base of the daemon's first thread and trusts its clients no further than the
 * socket's mode says: their number, the length of a request, their patience and the
 * answers not yet taken are bounded.
 */
#ifndef DAEMON_CONTROL_H
#define DAEMON_CONTROL_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct control;
struct event_base;

/* What commands do; each returns a new object that the answer is made of, or NULL with
 * one line in `err`. */
struct control_ops {
	json_t *(*status)(void *ctx, char *err, size_t err_len);
	json_t *(*connections)(void *ctx, uint64_t offset, char *err, size_t err_len);
	json_t *(*connection)(void *ctx, uint64_t id, char *err, size_t err_len);
	json_t *(*counters)(void *ctx, char *err, size_t err_len);
	json_t *(*endpoints)(void *ctx, char *err, size_t err_len);
	json_t *(*reload)(void *ctx, char *err, size_t err_len);
	json_t *(*drain)(void *ctx, char *err, size_t err_len);
};

/*
 * The answer to one request line, without line ends: text of the caller's, to be freed, or
 * NULL when out of memory.
 */
char *control_answer(const struct control_ops *ops, void *ctx, const char *line, size_t len);

/*
 * Listens on `path` (mode 0660); its directory is made if missing, and a socket that nobody
 * listens on is replaced.  NULL on failure, with one line in `err`.
 */
struct control *control_new(struct event_base *base, const char *path,
			    const struct control_ops *ops, void *ctx, char *err, size_t err_len);
/* Closes everything and removes the socket.  NULL is allowed. */
void control_free(struct control *c);

#endif
