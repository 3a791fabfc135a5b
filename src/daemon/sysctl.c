/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Switches TCP's early demultiplexing off, and on again at the end if it was on.  After
 * a crash it stays off, which harms nothing.
 */
#include "daemon/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

#define EARLY_DEMUX "/proc/sys/net/ipv4/tcp_early_demux"

static bool was_on;

static int write_value(const char *value)
{
	int fd = open(EARLY_DEMUX, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, value, strlen(value)) < 0)
		err = -errno;
	close(fd);
	return err;
}

int sysctl_install(char *err, size_t err_len)
{
	int fd = open(EARLY_DEMUX, O_RDONLY | O_CLOEXEC), ret;
	char value = '1';

	if (fd < 0 || read(fd, &value, 1) != 1) {
		ret = -errno;
		snprintf(err, err_len, "cannot read " EARLY_DEMUX ": %s", strerror(errno));
		if (fd >= 0)
			close(fd);
		return ret;
	}
	close(fd);
	was_on = value != '0';
	if (!was_on)
		return 0;
	ret = write_value("0");
	if (ret) {
		was_on = false;
		snprintf(err, err_len, "cannot set net.ipv4.tcp_early_demux to 0, without which "
			 "packets to clients are not forwarded: %s", strerror(-ret));
	}
	return ret;
}

void sysctl_remove(void)
{
	int err = was_on ? write_value("1") : 0;

	if (err)
		log_warning("cannot set net.ipv4.tcp_early_demux back to 1: %s", strerror(-err));
	was_on = false;
}
