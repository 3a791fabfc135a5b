// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Netlink, as far as its answers are waited for.  The kernel answers before sendto() returns, or,
 * a list, as it is read, so no wait here is one for somebody else.
 *
 * A list comes in several datagrams, of which the last says that it is the last.  When it is given
 * up before, the rest stays in the socket and would be taken for the answer to what is asked next;
 * hence a socket for each list.
 *
 * Keeps nothing; calls libmnl.
 */
#include "io/netlink.h"

#include <errno.h>
#include <stdint.h>
#include <sys/socket.h>

#define ANSWER_BYTES 4096
/* A list's first datagram has up to 8 KiB, the others as much as the reader has room for. */
#define LIST_BYTES 16384

struct mnl_socket *netlink_open(int bus)
{
	struct mnl_socket *nl = mnl_socket_open2(bus, SOCK_CLOEXEC);
	int error;

	if (!nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) == 0)
		return nl;
	error = errno;
	mnl_socket_close(nl);
	errno = error;
	return NULL;
}

int netlink_ask(struct mnl_socket *nl, const void *message, size_t len)
{
	uint8_t buf[ANSWER_BYTES];
	const struct nlmsghdr *answer = (const struct nlmsghdr *)buf;
	ssize_t n;

	if (mnl_socket_sendto(nl, message, len) < 0)
		return -errno;
	n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
	if (n < 0)
		return -errno;
	if (!mnl_nlmsg_ok(answer, (int)n) || answer->nlmsg_type != NLMSG_ERROR)
		return -EPROTO;
	return ((const struct nlmsgerr *)mnl_nlmsg_get_payload(answer))->error;
}

int netlink_dump(int bus, struct nlmsghdr *request, mnl_cb_t on_message, void *ctx)
{
	struct mnl_socket *nl = netlink_open(bus);
	uint8_t buf[LIST_BYTES];
	ssize_t n;
	int ret;

	if (!nl)
		return -errno;
	request->nlmsg_flags |= NLM_F_REQUEST | NLM_F_DUMP;
	if (mnl_socket_sendto(nl, request, request->nlmsg_len) < 0) {
		ret = -errno;
		goto out;
	}
	do {
		n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		ret = n < 0 ? -1 : mnl_cb_run(buf, (size_t)n, 0, 0, on_message, ctx);
	} while (ret > MNL_CB_STOP);
	ret = ret < 0 ? -errno : 0;
out:
	mnl_socket_close(nl);
	return ret;
}
