// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Children: posix_spawn() with a temporary file as standard input and another as standard
 * error, so that nothing can block on a full pipe.  Owns nothing beyond the call.
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
#include <sys/wait.h>
#include <unistd.h>

static const char *const directories[] = {
	"/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/bin", "/bin",
};

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

int child_run(const char *const argv[], const char *input, char *err, size_t err_len)
{
	int in, errors, status, ret;
	char path[128];
	pid_t pid;

	if (!find_program(argv[0], path, sizeof(path))) {
		snprintf(err, err_len, "not found");
		return -ENOENT;
	}
	in = memory_file("input", input);
	errors = memory_file("errors", NULL);
	ret = in < 0 ? in : errors < 0 ? errors : spawn(path, argv, in, errors, &pid);
	if (ret) {
		snprintf(err, err_len, "%s", strerror(-ret));
		/* Not to be taken for a program that is not there. */
		ret = ret == -ENOENT ? -EIO : ret;
		goto out;
	}
	while (waitpid(pid, &status, 0) < 0) {
		if (errno == EINTR)
			continue;
		ret = -errno;
		snprintf(err, err_len, "%s", strerror(-ret));
		goto out;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		goto out;
	ret = -EIO;
	read_line(errors, err, err_len);
	if (!*err)
		snprintf(err, err_len, "failed with status %d",
			 WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
out:
	if (in >= 0)
		close(in);
	if (errors >= 0)
		close(errors);
	return ret;
}
