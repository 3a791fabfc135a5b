// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Kernel TCP connections to servers.
 *
 * Each connection has two events, one per direction, which are only added or deleted when
 * the proxy changes its mind.  While connecting, the write event waits for the outcome; an
 * outcome that is known at once is made by activating that event, so that the proxy hears
 * of it from the loop and never from within its own call.
 *
 * A server may end its stream and fail later, while the client has nothing to say.  To be asked
 * about that, a socket would have to be asked whether it is readable, which it is for ever after
 * the server's FIN.  So when the stream was read to its end, the socket goes into an epoll of its
 * own that asks for nothing, which means for errors and hang-ups alone.
 *
 * With the client's address, the client's port is tried first, too.  Where another socket
 * holds that pair, any port will do (counted).  While such a connection is under way it is
 * found by its tuple, since the errors about it come as packets, and perhaps many of them:
 * who sends SYNs to hosts that are not there decides how many.
 *
 * Owns the sockets and their events.
 */
/* Every function that looks there calls its environment `env'. */
#define HASH_FUNCTION(keyptr, keylen, hashv)                                   \
	((hashv) = (unsigned)hash_bytes(&env->key, (keyptr), (keylen)))
/* An element that could not be added has no table. */
#define HASH_NONFATAL_OOM 1
#include "io/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <linux/tcp.h>          /* the other header names states that tcp/tcp.h names, too */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <uthash.h>
#include <unistd.h>

#include "proxy/proxy.h"

struct server {
	struct server_env *env;
	struct session *session;
	struct event read_event, write_event;
	UT_hash_handle hh;              /* env->connecting, if hh.tbl */
	struct flow_tuple tuple;        /* its key */
	int fd;
	int error;                      /* of connect(), when known at once */
	bool connecting;
	bool want_read, want_write;     /* what the proxy asked for */
	bool read_added;                /* read_event is */
	bool ended;                     /* the server's FIN has come */
	bool read_out;                  /* and all before it was read */
	bool watched;                   /* by env->lost_fd */
};

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t to_sockaddr(const struct ip_endpoint *e, union address *out)
{
	memset(out, 0, sizeof(*out));
	if (ip_addr_is_v4(&e->addr)) {
		out->v4.sin_family = AF_INET;
		out->v4.sin_port = htons(e->port);
		memcpy(&out->v4.sin_addr, ip_addr_v4(&e->addr), 4);
		return sizeof(out->v4);
	}
	out->v6.sin6_family = AF_INET6;
	out->v6.sin6_port = htons(e->port);
	memcpy(&out->v6.sin6_addr, e->addr.b, 16);
	return sizeof(out->v6);
}

static uint16_t local_port(int fd)
{
	union address a;
	socklen_t len = sizeof(a);

	if (getsockname(fd, &a.any, &len) < 0)
		return 0;
	return ntohs(a.any.sa_family == AF_INET ? a.v4.sin_port : a.v6.sin6_port);
}

#define LOST_MAX 32

static void on_lost(evutil_socket_t fd, short what, void *arg)
{
	struct epoll_event events[LOST_MAX];
	int n = epoll_wait(fd, events, LOST_MAX, 0);

	(void)what;
	(void)arg;
	for (int i = 0; i < n; i++) {
		const struct server *s = events[i].data.ptr;

		proxy_server_lost(s->session);
	}
}

/* Without memory for that, the next write tells.  What is closed is not watched any more. */
static void watch_for_loss(struct server *s)
{
	struct epoll_event nothing = { .events = EPOLLONESHOT, .data.ptr = s };

	if (!s->watched)
		epoll_ctl(s->env->lost_fd, EPOLL_CTL_ADD, s->fd, &nothing);
	s->watched = true;
}

int server_env_init(struct server_env *env, struct event_base *base, struct counters *counters,
		    uint64_t (*now_us)(void *ctx), void *ctx)
{
	if (getrandom(&env->key, sizeof(env->key), 0) != (ssize_t)sizeof(env->key))
		return -errno;
	env->lost_fd = epoll_create1(EPOLL_CLOEXEC);
	if (env->lost_fd < 0)
		return -errno;
	env->lost_event = event_new(base, env->lost_fd, EV_READ | EV_PERSIST, on_lost, env);
	if (!env->lost_event || event_add(env->lost_event, NULL) < 0) {
		if (!env->lost_event)
			close(env->lost_fd);
		server_env_fini(env);
		return -ENOMEM;
	}
	env->base = base;
	env->counters = counters;
	env->now_us = now_us;
	env->ctx = ctx;
	env->connecting = NULL;
	env->open_count = 0;
	return 0;
}

void server_env_fini(struct server_env *env)
{
	if (!env->lost_event)
		return;
	event_free(env->lost_event);
	close(env->lost_fd);
	env->lost_event = NULL;
}

/* Errors of connect() that tell of this machine's want of room, and nothing of the server. */
static bool no_room(int error)
{
	switch (error) {
	case EADDRNOTAVAIL:
	case EADDRINUSE:
	case EAGAIN:
	case ENOBUFS:
	case ENOMEM:
		return true;
	default:
		return false;
	}
}

/*
 * A socket that is connecting from `from` (NULL: the gateway's address), or -errno;
 * *error is the outcome when that is known already, or EINPROGRESS.
 */
static int begin(const struct ip_endpoint *from, const struct ip_endpoint *to, int *error)
{
	bool v4 = ip_addr_is_v4(&to->addr);
	union address a;
	socklen_t len;
	int fd, on = 1, ret;

	fd = socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
		    IPPROTO_TCP);
	if (fd < 0)
		return -errno;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	/* A server that vanishes without a word is found out at last. */
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	/* An urgent byte is one of the stream (RFC 8684, section 3.3.1; RFC 6093); by default it
	 * would be left out. */
	setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
	if (from) {
		ret = v4 ? setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &on, sizeof(on))
			 : setsockopt(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, &on, sizeof(on));
		if (ret < 0)
			goto fail;
		/* A pair that is only in TIME-WAIT may be used again. */
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		if (!from->port)
			setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
		len = to_sockaddr(from, &a);
		if (bind(fd, &a.any, len) < 0)
			goto fail;
	}
	len = to_sockaddr(to, &a);
	*error = connect(fd, &a.any, len) < 0 ? errno : 0;
	if (no_room(*error)) {
		errno = *error;
		goto fail;
	}
	return fd;

fail:
	ret = -errno;
	close(fd);
	return ret;
}

static uint64_t now_us(const struct server *s)
{
	return s->env->now_us(s->env->ctx);
}

static void add_read(struct server *s)
{
	if (!s->read_added)
		event_add(&s->read_event, NULL);
	s->read_added = true;
}

static void delete_read(struct server *s)
{
	if (s->read_added)
		event_del(&s->read_event);
	s->read_added = false;
}

/* Without memory for that, it waits for a time-out where it could know better. */
static void note_connecting(struct server_env *env, struct server *s)
{
	HASH_ADD(hh, env->connecting, tuple, sizeof(s->tuple), s);
}

static void forget_connecting(struct server *s)
{
	if (s->hh.tbl)
		HASH_DEL(s->env->connecting, s);
	s->hh.tbl = NULL;
}

static void finish_connecting(struct server *s)
{
	s->connecting = false;
	forget_connecting(s);
	event_del(&s->write_event);
	/* It will be wanted as soon as the client is there. */
	add_read(s);
	if (s->want_write)
		event_add(&s->write_event, NULL);
}

static void on_read(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;

	(void)fd;
	if (what & EV_CLOSED)
		s->ended = true;
	if (!s->want_read) {
		delete_read(s);
		return;
	}
	proxy_server_ready(s->session, true, false, now_us(s));
}

static void on_write(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;
	socklen_t len = sizeof(int);
	int error = s->error;

	(void)what;
	if (!s->connecting) {
		proxy_server_ready(s->session, false, true, now_us(s));
		return;
	}
	if (error == EINPROGRESS && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	finish_connecting(s);
	proxy_server_connected(s->session, error, now_us(s));
}

int server_open(struct server_env *env, struct session *session, const struct ip_endpoint *from,
		const struct ip_endpoint *to, struct server **out)
{
	struct server *s = calloc(1, sizeof(*s));
	struct ip_endpoint any_port;

	if (!s)
		return -ENOMEM;
	s->fd = begin(from, to, &s->error);
	if ((s->fd == -EADDRINUSE || s->fd == -EADDRNOTAVAIL) && from && from->port) {
		counter_inc(env->counters, CNT_SERVER_PORT_TAKEN);
		any_port = *from;
		any_port.port = 0;
		s->fd = begin(&any_port, to, &s->error);
		if (s->fd >= 0)
			any_port.port = local_port(s->fd);
		from = &any_port;
	}
	if (s->fd < 0) {
		int ret = s->fd;

		free(s);
		return ret;
	}
	s->env = env;
	s->session = session;
	s->connecting = true;
	/* An error about one from the gateway's own address is the socket's. */
	if (from) {
		s->tuple.src = *from;
		s->tuple.dst = *to;
		note_connecting(env, s);
	}
	env->open_count++;
	event_assign(&s->read_event, env->base, s->fd, EV_READ | EV_CLOSED | EV_PERSIST,
		     on_read, s);
	event_assign(&s->write_event, env->base, s->fd, EV_WRITE | EV_PERSIST, on_write, s);
	if (s->error == EINPROGRESS)
		event_add(&s->write_event, NULL);
	else
		event_active(&s->write_event, EV_WRITE, 1);
	*out = s;
	return 0;
}

bool server_unreachable(struct server_env *env, const struct flow_tuple *tuple, int error)
{
	struct server *s;

	HASH_FIND(hh, env->connecting, tuple, sizeof(*tuple), s);
	if (!s)
		return false;
	if (s->error == EINPROGRESS) {
		s->error = error;
		event_active(&s->write_event, EV_WRITE, 1);
	}
	return true;
}

ssize_t server_writev(struct server *s, const struct iovec *iov, int n)
{
	/* As writev(), but without SIGPIPE. */
	struct msghdr msg = { .msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)n };
	ssize_t ret;

	do {
		ret = sendmsg(s->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : ret;
}

ssize_t server_readv(struct server *s, const struct iovec *iov, int n)
{
	ssize_t ret;

	do {
		ret = readv(s->fd, iov, n);
	} while (ret < 0 && errno == EINTR);
	if (!ret)
		s->read_out = true;
	return ret < 0 ? -errno : ret;
}

bool server_ended(const struct server *s)
{
	return s->ended;
}

void server_want(struct server *s, bool readable, bool writable)
{
	/* Often it is wanted again before anything has come: then this has cost nothing.
	 * What has ended is readable for ever. */
	if (!s->connecting && readable)
		add_read(s);
	else if (s->ended)
		delete_read(s);
	if (s->read_out && !readable)
		watch_for_loss(s);
	if (!s->connecting && writable != s->want_write) {
		if (writable)
			event_add(&s->write_event, NULL);
		else
			event_del(&s->write_event);
	}
	s->want_read = readable;
	s->want_write = writable;
}

void server_shutdown(struct server *s)
{
	shutdown(s->fd, SHUT_WR);
}

void server_close(struct server *s, bool reset)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 0 };

	delete_read(s);
	event_del(&s->write_event);
	forget_connecting(s);
	if (reset)
		setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(s->fd);
	s->env->open_count--;
	free(s);
}
