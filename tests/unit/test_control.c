/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket: answers, and what clients must not be able to do to it.
 */
#include "daemon/control.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "unit.h"

static char dir[64], path[108];
static struct event_base *base;
static struct control *control;
static char err[512];
static int reloads;
static size_t big;
static bool memory_ends;        /* while an answer is made */
static bool no_memory;          /* for libevent */

static void *scarce_malloc(size_t n)
{
	return no_memory ? NULL : malloc(n);
}

static void *scarce_realloc(void *p, size_t n)
{
	return no_memory ? NULL : realloc(p, n);
}

static json_t *status(void *ctx, char *e, size_t n)
{
	(void)e;
	(void)n;
	no_memory = memory_ends;
	return json_pack("{s:s}", "ctx", (const char *)ctx);
}

static json_t *connections(void *ctx, uint64_t offset, char *e, size_t n)
{
	char *filler = malloc(big + 1);
	json_t *answer;

	(void)ctx;
	(void)e;
	(void)n;
	memset(filler, 'x', big);
	filler[big] = 0;
	answer = json_pack("{s:I, s:s}", "offset", (json_int_t)offset, "filler", filler);
	free(filler);
	return answer;
}

static json_t *connection(void *ctx, uint64_t id, char *e, size_t n)
{
	(void)ctx;
	snprintf(e, n, "no %d", (int)id);
	return NULL;
}

static json_t *reload(void *ctx, char *e, size_t n)
{
	(void)ctx;
	(void)e;
	(void)n;
	reloads++;
	return json_object();
}

static json_t *drain(void *ctx, char *e, size_t n)
{
	(void)e;
	(void)n;
	event_base_loopbreak(base);
	return json_pack("{s:s}", "ctx", (const char *)ctx);
}

static const struct control_ops ops = {
	.status = status, .connections = connections, .connection = connection,
	.counters = status, .endpoints = status, .reload = reload, .drain = drain,
};

static void log_nothing(enum log_level level, const char *line)
{
	(void)level;
	(void)line;
}

static void begin(void)
{
	strcpy(dir, "/tmp/test_control.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/run/sock", dir);
	base = event_base_new();
	log_set_sink(log_nothing);
	control = control_new(base, path, &ops, "the ctx", err, sizeof(err));
	ck_assert_msg(control != NULL, "%s", err);
}

static void end(void)
{
	char run[80];

	control_free(control);
	event_base_free(base);
	ck_assert_int_ne(access(path, F_OK), 0);
	snprintf(run, sizeof(run), "%s/run", dir);
	ck_assert_int_eq(rmdir(run), 0);
	ck_assert_int_eq(rmdir(dir), 0);
}

static int dial(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	memcpy(addr.sun_path, path, sizeof(addr.sun_path));
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

static void turn(void)
{
	for (int i = 0; i < 50; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

/* Sends `request`, lets the loop turn, and returns what came back. */
static const char *exchange(int fd, const char *request)
{
	static char answer[65536];
	ssize_t n;

	ck_assert_int_eq(send(fd, request, strlen(request), MSG_NOSIGNAL),
			 (int)strlen(request));
	turn();
	n = recv(fd, answer, sizeof(answer) - 1, 0);
	answer[n < 0 ? 0 : n] = 0;
	return answer;
}

START_TEST(answers)
{
	struct stat st;
	int fd;

	begin();
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0660);
	fd = dial();
	big = 3;
	ck_assert_str_eq(exchange(fd, "{\"command\":\"status\"}\n"),
			 "{\"ctx\":\"the ctx\",\"ok\":true}\n");
	ck_assert_str_eq(exchange(fd, "{\"command\":\"connections\"}\r\n"),
			 "{\"offset\":0,\"filler\":\"xxx\",\"ok\":true}\n");
	ck_assert_str_eq(exchange(fd, "{\"command\":\"connections\",\"offset\":7}\n"),
			 "{\"offset\":7,\"filler\":\"xxx\",\"ok\":true}\n");
	ck_assert_str_eq(exchange(fd, "{\"command\":\"connection\",\"id\":9}\n"),
			 "{\"ok\":false,\"error\":\"no 9\"}\n");
	/* Several at once, and one in pieces. */
	ck_assert_str_eq(exchange(fd, "{\"command\":\"reload\"}\n{\"command\":\"reload\"}\n{\"comm"),
			 "{\"ok\":true}\n{\"ok\":true}\n");
	ck_assert_int_eq(reloads, 2);
	ck_assert_str_eq(exchange(fd, "and\":\"reload\"}\n"), "{\"ok\":true}\n");
	close(fd);
	end();
}
END_TEST

START_TEST(mistakes)
{
	int fd;

	begin();
	fd = dial();
	ck_assert_str_eq(exchange(fd, "{}\n"),
			 "{\"ok\":false,\"error\":\"the request has no command\"}\n");
	ck_assert_str_eq(exchange(fd, "{\"command\":\"stop\"}\n"),
			 "{\"ok\":false,\"error\":\"there is no such command: stop\"}\n");
	ck_assert_str_eq(exchange(fd, "{\"command\":\"connection\"}\n"),
			 "{\"ok\":false,\"error\":\"id: missing, or not a number\"}\n");
	ck_assert_str_eq(exchange(fd, "{\"command\":\"connection\",\"id\":-1}\n"),
			 "{\"ok\":false,\"error\":\"id: missing, or not a number\"}\n");
	ck_assert_str_eq(exchange(fd, "{\"command\":\"connections\",\"offset\":\"x\"}\n"),
			 "{\"ok\":false,\"error\":\"offset: not a number\"}\n");
	ck_assert_ptr_nonnull(strstr(exchange(fd, "status\n"), "the request is not JSON: "));
	ck_assert_ptr_nonnull(strstr(exchange(fd, "\n"), "\"ok\":false"));
	ck_assert_ptr_nonnull(strstr(exchange(fd, "[\"command\"]\n"), "has no command"));
	close(fd);
	end();
}
END_TEST

/* A request without end, and one client more than allowed, are closed; others go on. */
START_TEST(bounds)
{
	char flood[8192];
	int fds[17], fd;
	char c;

	begin();
	fd = dial();
	memset(flood, '[', sizeof(flood));
	flood[sizeof(flood) - 1] = 0;
	ck_assert_str_eq(exchange(fd, flood), "");
	ck_assert(recv(fd, &c, 1, 0) == 0 || errno == ECONNRESET);
	close(fd);
	turn();

	for (int i = 0; i < 17; i++) {
		fds[i] = dial();
		turn();
	}
	ck_assert_int_eq((int)recv(fds[16], &c, 1, 0), 0);
	ck_assert_str_eq(exchange(fds[15], "{\"command\":\"reload\"}\n"), "{\"ok\":true}\n");
	close(fds[0]);
	turn();
	fd = dial();
	ck_assert_str_eq(exchange(fd, "{\"command\":\"reload\"}\n"), "{\"ok\":true}\n");
	for (int i = 1; i < 17; i++)
		close(fds[i]);
	close(fd);
	end();
}
END_TEST

/* A client that asks much and reads nothing gets one answer at a time. */
START_TEST(slow_reader)
{
	static char buffer[1 << 16];
	size_t total = 0, lines = 0;
	int fd;

	begin();
	big = 4 << 20;
	fd = dial();
	for (int i = 0; i < 3; i++)
		ck_assert_int_gt((int)send(fd, "{\"command\":\"connections\"}\n", 26, 0), 0);
	turn();
	for (int i = 0; i < 100000 && lines < 3; i++) {
		ssize_t n = recv(fd, buffer, sizeof(buffer), 0);

		event_base_loop(base, EVLOOP_NONBLOCK);
		for (ssize_t k = 0; k < n; k++)
			lines += buffer[k] == '\n';
		total += n > 0 ? (size_t)n : 0;
	}
	ck_assert_uint_eq(lines, 3);
	ck_assert_uint_gt(total, 3 * big);
	close(fd);
	end();
}
END_TEST

/* Whose answer finds no memory is let go: nothing else would ever end its turn. */
START_TEST(answer_without_memory)
{
	char answer[128];
	int fd;

	event_set_mem_functions(scarce_malloc, scarce_realloc, free);
	begin();
	fd = dial();
	turn();
	memory_ends = true;
	ck_assert_int_gt((int)send(fd, "{\"command\":\"status\"}\n", 21, 0), 0);
	turn();
	memory_ends = no_memory = false;
	turn();
	ck_assert_int_eq((int)recv(fd, answer, sizeof(answer), 0), 0);
	close(fd);
	end();
}
END_TEST

/* The answer to what ends the loop still arrives. */
START_TEST(last_answer)
{
	char answer[128] = "";
	int fd;

	begin();
	fd = dial();
	ck_assert_int_gt((int)send(fd, "{\"command\":\"drain\"}\n", 20, 0), 0);
	event_base_dispatch(base);
	end();
	ck_assert_int_gt((int)recv(fd, answer, sizeof(answer) - 1, 0), 0);
	ck_assert_str_eq(answer, "{\"ctx\":\"the ctx\",\"ok\":true}\n");
	close(fd);
}
END_TEST

START_TEST(the_path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char other[108];
	int fd;

	begin();
	/* Somebody listens. */
	ck_assert_ptr_null(control_new(base, path, &ops, NULL, err, sizeof(err)));
	ck_assert_ptr_nonnull(strstr(err, "another mptcp-proxyd is running"));

	/* Nobody does. */
	snprintf(other, sizeof(other), "%.60s/stale", dir);
	strcpy(addr.sun_path, other);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	close(fd);
	turn();
	control_free(control);
	control = control_new(base, other, &ops, "the ctx", err, sizeof(err));
	ck_assert_msg(control != NULL, "%s", err);
	control_free(control);
	ck_assert_int_ne(access(other, F_OK), 0);

	/* Not a socket: not ours to remove. */
	fd = open(other, O_CREAT | O_WRONLY, 0600);
	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert_ptr_null(control_new(base, other, &ops, NULL, err, sizeof(err)));
	ck_assert_ptr_nonnull(strstr(err, "no socket of mptcp-proxyd, and stays"));
	ck_assert_int_eq(unlink(other), 0);

	/* Somebody else's, as /dev/log is. */
	strcpy(addr.sun_path, other);
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	ck_assert_ptr_null(control_new(base, other, &ops, NULL, err, sizeof(err)));
	ck_assert_ptr_nonnull(strstr(err, "no socket of mptcp-proxyd, and stays"));
	ck_assert_int_eq(access(other, F_OK), 0);
	close(fd);
	ck_assert_int_eq(unlink(other), 0);

	ck_assert_ptr_null(control_new(base, "/nonexistent/dir/sock", &ops, NULL, err,
				       sizeof(err)));
	ck_assert_str_eq(err, "control: /nonexistent/dir/sock: No such file or directory");
	control = NULL;
	end();
}
END_TEST

static json_t *reload_badly(void *ctx, char *e, size_t n)
{
	(void)ctx;
	snprintf(e, n, "f:1: \"caf\xe9\" is wrong");
	return NULL;
}

/* A configuration in another encoding is refused with its own text, as far as that goes. */
START_TEST(refusals_may_quote_anything)
{
	struct control_ops bad = ops;
	char *text;

	bad.reload = reload_badly;
	text = control_answer(&bad, NULL, "{\"command\":\"reload\"}", 20);
	ck_assert_str_eq(text, "{\"ok\":false,\"error\":\"f:1: \\\"caf?\\\" is wrong\"}");
	free(text);
}
END_TEST

UNIT_MAIN("control", refusals_may_quote_anything, answers, mistakes, bounds, slow_reader, answer_without_memory,
	  last_answer, the_path)
