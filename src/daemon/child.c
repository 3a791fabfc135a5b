// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Children: posix_spawn() with a temporary file as standard input and another as standard
 * error, so that nothing can block on a full pipe.
 *
 * The helper is a fork of this process that does so on request.  A request is a byte with
 * the two files on a pair of sockets, the answer a struct outcome; which command it is was
 * settled before the fork, so that a request cannot ask for another.  It ends when the other
 * end of the sockets is closed, by whatever way this process ends, and ignores the signals
 * that are meant for this process but reach a whole group.
 *
 * Owns the helper and its socket; otherwise nothing beyond the call.
 */
#include "daemon/child.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const directories[] = {
	"/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/bin", "/bin",
};

/* What became of a command. */
struct outcome {
	int ret;                /* 0: it ran; or -errno */
	int status;             /* as from waitpid() */
};

static struct {
	const char *const *argv;        /* what it runs; NULL: there is no helper */
	pid_t pid;
	int fd;
} helper;

static bool find_program(const char *name, char *path, size_t len)
{
	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
		snprintf(path, len, "%s/%s", directories[i], name);
		if (access(path, X_OK) == 0)
			return true;
	}
	return false;
}

/* A file in memory with `text` in it, to be read from its beginning. */
static int memory_file(const char *name, const char *text)
{
	int fd = memfd_create(name, MFD_CLOEXEC);
	size_t len = text ? strlen(text) : 0;

	if (fd < 0)
		return -errno;
	while (len) {
		ssize_t n = write(fd, text, len);

		if (n < 0) {
			int ret = -errno;

			if (ret == -EINTR)
				continue;
			close(fd);
			return ret;
		}
		text += n;
		len -= (size_t)n;
	}
	lseek(fd, 0, SEEK_SET);
	return fd;
}

/* What was written, on one line, as much as fits. */
static void read_line(int fd, char *out, size_t len)
{
	ssize_t n = pread(fd, out, len - 1, 0);
	size_t to = 0;
	bool space = false;

	if (n < 0)
		n = 0;
	for (ssize_t i = 0; i < n; i++) {
		if (isspace((unsigned char)out[i])) {
			space = to > 0;
		} else {
			char c = out[i];

			if (space)
				out[to++] = ' ';
			space = false;
			out[to++] = c;
		}
	}
	out[to] = '\0';
}

static int spawn(const char *path, const char *const argv[], int in, int errors, pid_t *pid)
{
	char *environment[] = { "PATH=/usr/sbin:/sbin:/usr/bin:/bin", "LC_ALL=C", NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int ret;

	ret = posix_spawn_file_actions_init(&actions);
	if (ret)
		return -ret;
	ret = posix_spawnattr_init(&attr);
	if (ret)
		goto out_actions;
	/* Signals as a fresh program expects them. */
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	ret = posix_spawn_file_actions_adddup2(&actions, in, 0);
	if (!ret)
		ret = posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	if (!ret)
		ret = posix_spawn_file_actions_adddup2(&actions, errors, 2);
	if (!ret)
		ret = posix_spawn(pid, path, &actions, &attr, (char *const *)(uintptr_t)argv,
				  environment);
	posix_spawnattr_destroy(&attr);
out_actions:
	posix_spawn_file_actions_destroy(&actions);
	return -ret;
}

/* Runs a command and waits for it. */
static struct outcome execute(const char *const argv[], int in, int errors)
{
	struct outcome o = { 0 };
	char path[128];
	pid_t pid;

	if (!find_program(argv[0], path, sizeof(path))) {
		o.ret = -ENOENT;
		return o;
	}
	o.ret = spawn(path, argv, in, errors, &pid);
	if (o.ret) {
		/* Not to be taken for a program that is not there. */
		if (o.ret == -ENOENT)
			o.ret = -EIO;
		return o;
	}
	while (waitpid(pid, &o.status, 0) < 0) {
		if (errno == EINTR)
			continue;
		o.ret = -errno;
		break;
	}
	return o;
}

/* ---- the helper ----------------------------------------------------------------- */

/* Room for the control message that carries the two files. */
union files_buffer {
	struct cmsghdr head;
	char room[CMSG_SPACE(2 * sizeof(int))];
};

static struct msghdr request_of(struct iovec *iov, union files_buffer *files)
{
	return (struct msghdr){
		.msg_iov = iov,
		.msg_iovlen = 1,
		.msg_control = files,
		.msg_controllen = sizeof(*files),
	};
}

static ssize_t receive_request(int fd, int files[2])
{
	union files_buffer buffer;
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr m = request_of(&iov, &buffer);
	struct cmsghdr *c;
	ssize_t n;

	do
		n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
	if (!c || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(2 * sizeof(int)))
		return 0;
	memcpy(files, CMSG_DATA(c), 2 * sizeof(int));
	return n;
}

static _Noreturn void serve(int fd, const char *const argv[])
{
	static const int ignored[] = { SIGHUP, SIGINT, SIGTERM, SIGPIPE };
	int files[2];

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	prctl(PR_SET_NAME, "proxyd-helper");
	while (receive_request(fd, files) > 0) {
		struct outcome o = execute(argv, files[0], files[1]);

		close(files[0]);
		close(files[1]);
		if (send(fd, &o, sizeof(o), 0) != sizeof(o))
			break;
	}
	_exit(0);
}

/* The outcome of the helper's command with these files. */
static struct outcome ask_helper(int in, int errors)
{
	int files[2] = { in, errors };
	union files_buffer buffer = { .head = {
		.cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS,
		.cmsg_len = CMSG_LEN(sizeof(files)),
	} };
	struct iovec iov = { "", 1 };
	struct msghdr m = request_of(&iov, &buffer);
	struct outcome o = { 0 };
	ssize_t n;

	memcpy(CMSG_DATA(&buffer.head), files, sizeof(files));
	do
		n = sendmsg(helper.fd, &m, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n > 0) {
		do
			n = recv(helper.fd, &o, sizeof(o), 0);
		while (n < 0 && errno == EINTR);
	}
	if (n != sizeof(o))
		o.ret = -EPIPE;
	return o;
}

int child_helper_start(const char *const argv[])
{
	int fds[2], ret;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds))
		return -errno;
	pid = fork();
	if (!pid) {
		close(fds[0]);
		serve(fds[1], argv);
	}
	ret = pid < 0 ? -errno : 0;
	close(fds[1]);
	if (ret) {
		close(fds[0]);
		return ret;
	}
	helper.argv = argv;
	helper.pid = pid;
	helper.fd = fds[0];
	return 0;
}

void child_helper_stop(void)
{
	if (!helper.argv)
		return;
	helper.argv = NULL;
	close(helper.fd);
	while (waitpid(helper.pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static bool is_helpers(const char *const argv[])
{
	size_t i = 0;

	if (!helper.argv)
		return false;
	while (argv[i] && helper.argv[i] && !strcmp(argv[i], helper.argv[i]))
		i++;
	return !argv[i] && !helper.argv[i];
}

/* ---- both ways ------------------------------------------------------------------ */

int child_run(const char *const argv[], const char *input, char *err, size_t err_len)
{
	struct outcome o = { 0 };
	int in, errors;

	in = memory_file("input", input);
	errors = memory_file("errors", NULL);
	if (in < 0 || errors < 0)
		o.ret = in < 0 ? in : errors;
	else
		o = is_helpers(argv) ? ask_helper(in, errors) : execute(argv, in, errors);
	if (o.ret) {
		snprintf(err, err_len, "%s", o.ret == -ENOENT ? "not found" :
			 o.ret == -EPIPE ? "the process that runs it is gone" : strerror(-o.ret));
	} else if (o.status) {
		o.ret = -EIO;
		read_line(errors, err, err_len);
		if (!*err)
			snprintf(err, err_len, "failed with status %d",
				 WIFEXITED(o.status) ? WEXITSTATUS(o.status)
						     : 128 + WTERMSIG(o.status));
	}
	if (in >= 0)
		close(in);
	if (errors >= 0)
		close(errors);
	return o.ret;
}
