/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket's listener and clients.
 *
 * Each client is a bufferevent.  One request is answered at a time: while an answer is
 * not taken completely, no more is read, so that a client costs at most one answer and
 * one request of memory.
 */
#include "daemon/control.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/list.h"
#include "base/log.h"

#define REQUEST_BYTES 4096
#define CLIENTS       16
#define IDLE_SECONDS  30

struct client {
	struct list link;
	struct control *control;
	struct bufferevent *bev;
};

struct control {
	struct evconnlistener *listener;
	struct event *retry;            /* accepting again after an error */
	const struct control_ops *ops;
	void *ctx;
	struct list clients;
	unsigned client_count;
	struct sockaddr_un addr;
};

static void client_free(struct client *c)
{
	list_remove(&c->link);
	c->control->client_count--;
	bufferevent_free(c->bev);
	free(c);
}

/* ---- requests -------------------------------------------------------------------- */

/* A number that is there and not negative; true if so. */
static bool get_number(const json_t *request, const char *name, uint64_t *out)
{
	const json_t *v = json_object_get(request, name);

	if (!json_is_integer(v) || json_integer_value(v) < 0)
		return false;
	*out = (uint64_t)json_integer_value(v);
	return true;
}

static json_t *run_command(const struct control_ops *ops, void *ctx, const json_t *request,
			   char *err, size_t err_len)
{
	const char *name = json_string_value(json_object_get(request, "command"));
	uint64_t n = 0;

	if (!name) {
		snprintf(err, err_len, "the request has no command");
		return NULL;
	}
	if (!strcmp(name, "status"))
		return ops->status(ctx, err, err_len);
	if (!strcmp(name, "reload"))
		return ops->reload(ctx, err, err_len);
	if (!strcmp(name, "counters"))
		return ops->counters(ctx, err, err_len);
	if (!strcmp(name, "endpoints"))
		return ops->endpoints(ctx, err, err_len);
	if (!strcmp(name, "drain"))
		return ops->drain(ctx, err, err_len);
	if (!strcmp(name, "connections")) {
		if (!get_number(request, "offset", &n) && json_object_get(request, "offset")) {
			snprintf(err, err_len, "offset: not a number");
			return NULL;
		}
		return ops->connections(ctx, n, err, err_len);
	}
	if (!strcmp(name, "connection")) {
		if (!get_number(request, "id", &n)) {
			snprintf(err, err_len, "id: missing, or not a number");
			return NULL;
		}
		return ops->connection(ctx, n, err, err_len);
	}
	snprintf(err, err_len, "there is no such command: %.50s", name);
	return NULL;
}

/* A refusal.  Its text may quote what is not UTF-8: of a request, or of a file. */
static json_t *refusal(char *why)
{
	json_t *text = json_string(why);

	if (!text) {
		for (char *p = why; *p; p++)
			if ((unsigned char)*p >= 0x80)
				*p = '?';
		text = json_string(why);
	}
	return json_pack("{s:b, s:o*}", "ok", 0, "error", text);
}

char *control_answer(const struct control_ops *ops, void *ctx, const char *line, size_t len)
{
	char err[512] = "out of memory";
	json_error_t where;
	json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, &where), *result = NULL;
	char *text;

	if (request)
		result = run_command(ops, ctx, request, err, sizeof(err));
	else
		snprintf(err, sizeof(err), "the request is not JSON: %.200s", where.text);
	if (result)
		json_object_set_new(result, "ok", json_true());
	else
		result = refusal(err);
	text = result ? json_dumps(result, JSON_COMPACT) : NULL;
	json_decref(result);
	json_decref(request);
	return text;
}

/* False without memory for any. */
static bool answer(struct client *client, const char *line, size_t len)
{
	static const char no_memory[] = "{\"ok\":false,\"error\":\"out of memory\"}\n";
	struct control *c = client->control;
	char *text = control_answer(c->ops, c->ctx, line, len);
	int ret = -1;

	if (text)
		ret = evbuffer_add_printf(bufferevent_get_output(client->bev), "%s\n", text);
	free(text);
	return ret >= 0 || !bufferevent_write(client->bev, no_memory, sizeof(no_memory) - 1);
}

/* ---- clients --------------------------------------------------------------------- */

/* Answers the next request if there is a whole one. */
static void next_request(struct client *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	size_t len;
	char *line = evbuffer_readln(in, &len, EVBUFFER_EOL_LF);

	if (line) {
		bufferevent_disable(c->bev, EV_READ);
		/* With nothing to be sent, nothing would end its turn. */
		if (!answer(c, line, len)) {
			log_warning("control: no memory for an answer");
			client_free(c);
		}
		free(line);
	} else if (evbuffer_get_length(in) >= REQUEST_BYTES) {
		log_warning("control: a client's request is too long");
		client_free(c);
	} else {
		bufferevent_enable(c->bev, EV_READ);
	}
}

static void on_read(struct bufferevent *bev, void *ctx)
{
	if (!evbuffer_get_length(bufferevent_get_output(bev)))
		next_request(ctx);
}

/* The answer is gone. */
static void on_write(struct bufferevent *bev, void *ctx)
{
	(void)bev;
	next_request(ctx);
}

static void on_event(struct bufferevent *bev, short what, void *ctx)
{
	(void)bev;
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR | BEV_EVENT_TIMEOUT))
		client_free(ctx);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *addr,
		      int addr_len, void *ctx)
{
	static const struct timeval idle = { .tv_sec = IDLE_SECONDS };
	struct control *control = ctx;
	struct client *c = NULL;

	(void)addr;
	(void)addr_len;
	if (control->client_count < CLIENTS)
		c = calloc(1, sizeof(*c));
	if (!c)
		goto refuse;
	c->bev = bufferevent_socket_new(evconnlistener_get_base(listener), fd,
					BEV_OPT_CLOSE_ON_FREE);
	if (!c->bev)
		goto refuse;
	c->control = control;
	list_push_back(&control->clients, &c->link);
	control->client_count++;
	bufferevent_setcb(c->bev, on_read, on_write, on_event, c);
	bufferevent_setwatermark(c->bev, EV_READ, 0, REQUEST_BYTES);
	bufferevent_set_timeouts(c->bev, &idle, &idle);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
	return;
refuse:
	free(c);
	evutil_closesocket(fd);
}

/* Out of descriptors or the like: try again later instead of spinning. */
static void on_accept_error(struct evconnlistener *listener, void *ctx)
{
	static const struct timeval later = { .tv_sec = 1 };
	struct control *c = ctx;

	log_warning("control: cannot accept a client: %s", strerror(errno));
	evconnlistener_disable(listener);
	evtimer_add(c->retry, &later);
}

static void on_retry(evutil_socket_t fd, short what, void *ctx)
{
	struct control *c = ctx;

	(void)fd;
	(void)what;
	evconnlistener_enable(c->listener);
}

/* ---- life ------------------------------------------------------------------------ */

static int make_directory(const char *path)
{
	char copy[sizeof(((struct sockaddr_un *)0)->sun_path)];

	snprintf(copy, sizeof(copy), "%s", path);
	return mkdir(dirname(copy), 0755) && errno != EEXIST ? -errno : 0;
}

/* Removes a socket that an earlier run left; -EADDRINUSE if somebody listens, -EEXIST if it is
 * nothing of ours, such as another program's socket of another kind. */
static int remove_stale(const struct sockaddr_un *addr)
{
	struct stat st;
	int fd, err = 0;

	if (lstat(addr->sun_path, &st))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (!connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) || errno == EAGAIN)
		err = -EADDRINUSE;
	else if (errno != ECONNREFUSED)
		err = errno == EPROTOTYPE ? -EEXIST : -errno;
	close(fd);
	if (!err && unlink(addr->sun_path) && errno != ENOENT)
		err = -errno;
	return err;
}

static int listen_on(const struct sockaddr_un *addr)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), err;
	mode_t mask;

	if (fd < 0)
		return -errno;
	mask = umask(0117);
	err = bind(fd, (const struct sockaddr *)addr, sizeof(*addr)) ? -errno : 0;
	umask(mask);
	if (!err && listen(fd, CLIENTS)) {
		err = -errno;
		unlink(addr->sun_path);
	}
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

struct control *control_new(struct event_base *base, const char *path,
			    const struct control_ops *ops, void *ctx, char *err, size_t err_len)
{
	struct control *c = calloc(1, sizeof(*c));
	int fd = -1;

	if (!c) {
		snprintf(err, err_len, "control: out of memory");
		return NULL;
	}
	c->ops = ops;
	c->ctx = ctx;
	list_init(&c->clients);
	c->addr.sun_family = AF_UNIX;
	snprintf(c->addr.sun_path, sizeof(c->addr.sun_path), "%s", path);
	fd = make_directory(path);
	if (!fd)
		fd = remove_stale(&c->addr);
	if (!fd)
		fd = listen_on(&c->addr);
	if (fd == -EADDRINUSE) {
		snprintf(err, err_len, "control: %s: another mptcp-proxyd is running; [proxy] "
			 "control sets another path", path);
		goto fail;
	}
	if (fd == -EEXIST) {
		snprintf(err, err_len, "control: %s: what is there is no socket of mptcp-proxyd, and "
			 "stays; [proxy] control sets another path", path);
		goto fail;
	}
	if (fd < 0) {
		snprintf(err, err_len, "control: %s: %s", path, strerror(-fd));
		goto fail;
	}
	c->listener = evconnlistener_new(base, on_accept, c,
					 LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	c->retry = evtimer_new(base, on_retry, c);
	if (!c->listener || !c->retry) {
		if (c->listener)
			evconnlistener_free(c->listener);
		else
			close(fd);
		if (c->retry)
			event_free(c->retry);
		snprintf(err, err_len, "control: the event loop does not take the socket");
		unlink(path);
		goto fail;
	}
	evconnlistener_set_error_cb(c->listener, on_accept_error);
	return c;
fail:
	free(c);
	return NULL;
}

/* An answer that was given in the loop's last turn, as far as the socket takes it. */
static void send_rest(struct client *c)
{
	struct evbuffer *out = bufferevent_get_output(c->bev);
	size_t len = evbuffer_get_length(out);
	const unsigned char *data = evbuffer_pullup(out, -1);

	if (len && data && send(bufferevent_getfd(c->bev), data, len,
				MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_debug("control: the last answer is lost: %s", strerror(errno));
}

void control_free(struct control *c)
{
	struct client *client, *next;

	if (!c)
		return;
	list_for_each_safe(client, next, &c->clients, link) {
		send_rest(client);
		client_free(client);
	}
	event_free(c->retry);
	evconnlistener_free(c->listener);
	unlink(c->addr.sun_path);
	free(c);
}
