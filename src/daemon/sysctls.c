/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads and writes /proc/sys/net; see sysctls.h for what and why.  After a crash the
 * setting stays as it was made, which costs local connections a route look-up per packet
 * and nothing else.
 */
#include "daemon/sysctls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define EARLY_DEMUX "/proc/sys/net/ipv4/tcp_early_demux"

static bool changed;

static int write_value(char value)
{
	int fd = open(EARLY_DEMUX, O_WRONLY | O_CLOEXEC), ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, &value, 1) != 1)
		ret = errno ? -errno : -EIO;
	close(fd);
	return ret;
}

int sysctls_install(char *err, size_t err_len)
{
	int fd = open(EARLY_DEMUX, O_RDONLY | O_CLOEXEC), ret;
	char value = '1';

	if (fd < 0) {
		/* A kernel without the key has no early demux to switch off. */
		if (errno == ENOENT)
			return 0;
		ret = -errno;
		goto fail;
	}
	if (read(fd, &value, 1) != 1)
		value = '1';
	close(fd);
	if (value == '0')
		return 0;
	ret = write_value('0');
	if (ret)
		goto fail;
	changed = true;
	return 0;
fail:
	snprintf(err, err_len, "cannot set net.ipv4.tcp_early_demux to 0: %s (set it in sysctl.d, "
		 "or let the daemon write to /proc/sys)", strerror(-ret));
	return ret;
}

void sysctls_remove(void)
{
	if (changed)
		write_value('1');
	changed = false;
}
