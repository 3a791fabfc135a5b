/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections to servers: what is told at once and what by the loop.  The system calls that
 * need a network or rights are replaced.
 */
#include "io/server.h"

#include <errno.h>
#include <event2/event.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/proxy.h"
#include "unit.h"

#define COUNT 100

static int connect_errno, outcomes, last_error, readable_times, lost;
/* What a socket is replaced by when it connects; -1: nothing. */
static int line = -1;
static struct session *last_session;
static struct server_env env;
static struct counters counters;

int connect(int fd, const struct sockaddr *to, socklen_t len)
{
	(void)to;
	(void)len;
	if (line >= 0) {
		ck_assert_int_eq(dup2(line, fd), fd);
		close(line);
		line = -1;
		return 0;
	}
	errno = connect_errno;
	return -1;
}

int bind(int fd, const struct sockaddr *from, socklen_t len)
{
	(void)fd;
	(void)from;
	(void)len;
	return 0;
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	(void)fd;
	(void)level;
	(void)name;
	(void)value;
	(void)len;
	return 0;
}

void proxy_server_connected(struct session *session, int error, uint64_t now_us)
{
	(void)now_us;
	outcomes++;
	if (!error)
		return;
	last_session = session;
	last_error = error;
}

void proxy_server_ready(struct session *session, bool readable, bool writable, uint64_t now_us)
{
	(void)writable;
	(void)now_us;
	last_session = session;
	readable_times += readable;
}

void proxy_server_lost(struct session *session)
{
	last_session = session;
	lost++;
}

static uint64_t now(void *ctx)
{
	(void)ctx;
	return 1;
}

static struct ip_endpoint endpoint(const char *text)
{
	struct ip_endpoint e;

	ck_assert_int_eq(ip_endpoint_parse(text, &e), 0);
	return e;
}

static int lowest_fd(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

/* That there is no room on this machine is told by the call, so that the SYN can pass. */
START_TEST(no_room_is_told_at_once)
{
	static const int errors[] = { EADDRNOTAVAIL, EADDRINUSE, EAGAIN, ENOBUFS, ENOMEM };
	struct ip_endpoint from = endpoint("192.0.2.1:1000"), to = endpoint("192.0.2.2:80");
	struct event_base *base = event_base_new();
	struct server *s = NULL;
	int before;

	ck_assert_int_eq(server_env_init(&env, base, &counters, now, NULL), 0);
	before = lowest_fd();
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		connect_errno = errors[i];
		ck_assert_int_eq(server_open(&env, NULL, NULL, &to, &s), -errors[i]);
		ck_assert_int_eq(server_open(&env, NULL, &from, &to, &s), -errors[i]);
	}
	ck_assert_ptr_null(s);
	ck_assert_uint_eq(env.open_count, 0);
	ck_assert_int_eq(lowest_fd(), before);
	server_env_fini(&env);
	event_base_free(base);
}
END_TEST

/* What is about the server comes from the loop, though it is known. */
START_TEST(outcomes_come_later)
{
	struct ip_endpoint to = endpoint("192.0.2.2:80");
	struct event_base *base = event_base_new();
	struct server *s;

	ck_assert_int_eq(server_env_init(&env, base, &counters, now, NULL), 0);
	connect_errno = ECONNREFUSED;
	ck_assert_int_eq(server_open(&env, (struct session *)&to, NULL, &to, &s), 0);
	ck_assert_int_eq(outcomes, 0);
	event_base_loop(base, EVLOOP_NONBLOCK);
	ck_assert_int_eq(outcomes, 1);
	ck_assert_int_eq(last_error, ECONNREFUSED);
	ck_assert_ptr_eq(last_session, (struct session *)&to);
	server_close(s, true);
	ck_assert_uint_eq(env.open_count, 0);
	server_env_fini(&env);
	event_base_free(base);
}
END_TEST

/* An error about a packet finds the connection under way whose packet it was, and no other. */
START_TEST(errors_find_their_connection)
{
	struct ip_endpoint from = endpoint("192.0.2.1:1000"), to = endpoint("192.0.2.2:80");
	struct event_base *base = event_base_new();
	struct flow_tuple tuple = { .src = from, .dst = to };
	static char sessions[COUNT];
	struct server *s[COUNT];

	outcomes = 0;
	ck_assert_int_eq(server_env_init(&env, base, &counters, now, NULL), 0);
	connect_errno = EINPROGRESS;
	for (int i = 0; i < COUNT; i++) {
		from.port = (uint16_t)(1000 + i);
		ck_assert_int_eq(server_open(&env, (struct session *)&sessions[i], &from, &to, &s[i]),
				 0);
	}
	tuple.src.port = 1000 + COUNT;
	ck_assert(!server_unreachable(&env, &tuple, EHOSTUNREACH));
	tuple.src.port = 1050;
	ck_assert(server_unreachable(&env, &tuple, EHOSTUNREACH));
	/* The first one counts. */
	ck_assert(server_unreachable(&env, &tuple, ENETUNREACH));
	ck_assert_int_eq(outcomes, 0);
	/* One that is closed is not found, with others before and behind it. */
	tuple.src.port = 1020;
	server_close(s[20], true);
	ck_assert(!server_unreachable(&env, &tuple, EHOSTUNREACH));

	event_base_loop(base, EVLOOP_NONBLOCK);
	ck_assert_ptr_eq(last_session, (struct session *)&sessions[50]);
	ck_assert_int_eq(last_error, EHOSTUNREACH);
	/* The others have their outcome as well: what is not connected at all is writable. */
	ck_assert_int_eq(outcomes, COUNT - 1);
	tuple.src.port = 1050;
	ck_assert(!server_unreachable(&env, &tuple, EHOSTUNREACH));
	for (int i = 0; i < COUNT; i++)
		if (i != 20)
			server_close(s[i], true);
	ck_assert_uint_eq(env.open_count, 0);
	ck_assert_ptr_null(env.connecting);
	server_env_fini(&env);
	event_base_free(base);
}
END_TEST

/* Turns of the loop, as many as a failure to come to rest would show in. */
static void turn(struct event_base *base)
{
	for (int i = 0; i < 10; i++)
		event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

/*
 * A server ends its stream and fails later, while nobody wants to read or write: that is told,
 * once, and the end alone keeps nobody busy.
 */
START_TEST(failure_after_the_end_is_told)
{
	struct ip_endpoint to = endpoint("192.0.2.2:80");
	struct event_base *base = event_base_new();
	uint8_t buf[16] = "bytes";
	struct iovec iov = { buf, sizeof(buf) };
	struct server *s;
	int ends[2];

	outcomes = lost = 0;
	ck_assert_int_eq(server_env_init(&env, base, &counters, now, NULL), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	line = ends[0];
	ck_assert_int_eq(server_open(&env, (struct session *)&to, NULL, &to, &s), 0);
	turn(base);
	ck_assert_int_eq(outcomes, 1);
	server_want(s, true, false);
	/* So that there is something to fail with. */
	iov.iov_len = 5;
	ck_assert_int_eq(server_writev(s, &iov, 1), 5);
	ck_assert_int_eq(write(ends[1], "last", 4), 4);
	ck_assert_int_eq(shutdown(ends[1], SHUT_WR), 0);
	iov.iov_len = sizeof(buf);

	/* Not wanted, with bytes that are still to be read: a failure is for who reads them. */
	server_want(s, false, false);
	turn(base);
	server_want(s, true, false);
	turn(base);
	ck_assert(server_ended(s));
	ck_assert_int_eq(server_readv(s, &iov, 1), 4);
	ck_assert_int_eq(server_readv(s, &iov, 1), 0);
	server_want(s, false, false);
	readable_times = 0;
	turn(base);
	server_want(s, false, true);
	server_want(s, false, false);
	turn(base);
	ck_assert_int_eq(readable_times, 0);
	ck_assert_int_eq(lost, 0);

	last_session = NULL;
	close(ends[1]);
	turn(base);
	ck_assert_int_eq(lost, 1);
	ck_assert_ptr_eq(last_session, (struct session *)&to);
	server_close(s, true);
	turn(base);
	ck_assert_int_eq(lost, 1);
	server_env_fini(&env);
	event_base_free(base);
}
END_TEST

UNIT_MAIN("io/server", no_room_is_told_at_once, outcomes_come_later, errors_find_their_connection,
	  failure_after_the_end_is_told)
