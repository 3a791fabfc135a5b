// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The filter of system calls, from inside.  Each test's checks are made by a child process,
 * because there is no way back, and in a thread that was there before the filter.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/sanitizer.h"
#include "daemon/sandbox.h"

static char logged[4096];
static sem_t entered;
static void (*checks)(void);
static int spare_fd;            /* writable, opened before */

static void sink(enum log_level level, const char *line)
{
	size_t len = strlen(logged);

	(void)level;
	snprintf(logged + len, sizeof(logged) - len, "%s\n", line);
}

static void *run_checks(void *arg)
{
	while (sem_wait(&entered))
		;
	checks();
	return arg;
}

/* Runs fn() under the filter, in another process: what it finds wrong is its failure. */
static void confined(void (*fn)(void))
{
	char err[256] = "";
	pthread_t thread;
	int status;
	pid_t pid;

	if (!sandbox_available())
		return;         /* this build has none */
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid) {
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_msg(WIFEXITED(status) && !WEXITSTATUS(status), "status %x", status);
		return;
	}
	checks = fn;
	log_set_sink(sink);
	spare_fd = memfd_create("spare", MFD_CLOEXEC);
	sem_init(&entered, 0, 0);
	if (spare_fd < 0 || pthread_create(&thread, NULL, run_checks, NULL))
		_exit(2);
	if (sandbox_enter(err, sizeof(err))) {
		fprintf(stderr, "%s\n", err);
		_exit(3);
	}
	sem_post(&entered);
	pthread_join(thread, NULL);
	fn();
	_exit(0);
}

/* In the child, where check's macros would tell nobody. */
#define REQUIRE(condition)                                                                 \
	do {                                                                               \
		if (condition)                                                             \
			break;                                                             \
		fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);    \
		_exit(1);                                                                  \
	} while (0)

#define REFUSED(call)                                                                      \
	do {                                                                               \
		errno = 0;                                                                 \
		REQUIRE((call) == -1 && errno == EPERM);                                   \
	} while (0)

static void refused_checks(void)
{
	char *const argv[] = { "true", NULL };

	REFUSED(execve("/bin/true", argv, NULL));
	REFUSED(open("/dev/null", O_WRONLY));
	REFUSED(open("/dev/null", O_RDWR));
	REFUSED(open("/dev/null", O_RDONLY | O_TRUNC));
	REFUSED(open("/tmp", O_TMPFILE | O_WRONLY, 0600));
	REFUSED(creat("/dev/null", 0600));
	REFUSED(chmod("/dev/null", 0666));
	REFUSED(rename("/no-such-file", "/no-such-file-either"));
	REFUSED(mkdir("/", 0700));
	REFUSED(socket(AF_PACKET, SOCK_RAW, 0));
	REFUSED(socket(AF_INET, SOCK_RAW, IPPROTO_RAW));
	REFUSED(socket(AF_NETLINK, SOCK_RAW, 9 /* NETLINK_AUDIT */));
	REFUSED(socket(AF_VSOCK, SOCK_STREAM, 0));
	REFUSED(chroot("/"));
	REFUSED(unshare(0));
	REFUSED(setns(-1, 0));
	REFUSED(listen(-1, 1));
#if !SANITIZE_ADDRESS
	REFUSED(fork());
	REFUSED(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
	REFUSED(kill(getpid(), 0));
	REFUSED(mprotect(NULL, 0, PROT_READ | PROT_EXEC));
	REQUIRE(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
		MAP_FAILED && errno == EPERM);
#endif
}

START_TEST(refused)
{
	confined(refused_checks);
}
END_TEST

static void allowed_checks(void)
{
	struct sched_param param = { 0 };
	char byte = 0;
	int fd;

	/* A worker's first deed, for which it may be late. */
	REQUIRE(sched_setscheduler(0, SCHED_OTHER, &param) == 0 &&
		sched_setscheduler(0, SCHED_BATCH, &param) == 0 &&
		sched_getscheduler(0) == SCHED_BATCH);
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	REQUIRE(fd >= 0 && read(fd, &byte, 1) == 0 && close(fd) == 0);
	REQUIRE(write(spare_fd, "x", 1) == 1);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	REQUIRE(fd >= 0 && close(fd) == 0);
	fd = socket(AF_INET6, SOCK_DGRAM, 0);
	REQUIRE(fd >= 0 || errno == EAFNOSUPPORT);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	REQUIRE(fd >= 0);
	/* Memory of any size, by whatever call the allocator makes of it. */
	for (size_t size = 16; size < 64u << 20; size *= 4) {
		char *p = malloc(size);

		REQUIRE(p);
		memset(p, 1, size);
		p = realloc(p, size * 2);
		REQUIRE(p);
		free(p);
	}
	sandbox_report();
	REQUIRE(!*logged);
}

START_TEST(allowed)
{
	confined(allowed_checks);
}
END_TEST

/* The first refusal of a call wakes and is told, with its name; others are not. */
static void told_checks(void)
{
	struct pollfd p = { .fd = sandbox_fd(), .events = POLLIN };

	if (p.fd < 0)
		return;         /* not on this machine */
	*logged = '\0';
	REQUIRE(poll(&p, 1, 0) == 0);
	REFUSED(chroot("/"));
	REFUSED(chroot("/"));
	REQUIRE(poll(&p, 1, 0) == 1);
	sandbox_report();
	REQUIRE(poll(&p, 1, 0) == 0);
	REQUIRE(strstr(logged, "the system call chroot ("));
	REQUIRE(strchr(logged, '\n') == strrchr(logged, '\n'));
	_exit(0);
}

START_TEST(told)
{
	confined(told_checks);
}
END_TEST

/* What a program does at its end, which is more with a sanitizer: that looks for leaks. */
static void exit_checks(void)
{
	exit(0);
}

START_TEST(ends)
{
	confined(exit_checks);
}
END_TEST

UNIT_MAIN("daemon/sandbox", refused, allowed, told, ends)
