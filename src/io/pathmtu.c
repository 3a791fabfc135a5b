/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The MTU of a route: that of its device, or of the route itself where it has one, or what
 * the kernel has learnt from ICMP.  A datagram socket is connected to the address, which
 * sends nothing but looks up the route, and asked for it: two system calls per subflow.
 *
 * It keeps the address of ours that the first route chose, and looks for others as from there.
 * When that address is gone, none is found until it was disconnected; to do that each time would
 * cost more than the question itself.
 *
 * Packets to clients are forwarded, as from the TUN device; a routing policy that treats
 * those in another way than the gateway's own may have another answer.  Then path MTU
 * discovery finds out, as for all that is further away.
 *
 * Owns two sockets.
 */
#include "io/pathmtu.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PORT_DISCARD 9

void pathmtu_init(struct pathmtu *pm)
{
	pm->fd4 = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	pm->fd6 = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

void pathmtu_fini(struct pathmtu *pm)
{
	if (pm->fd4 >= 0)
		close(pm->fd4);
	if (pm->fd6 >= 0)
		close(pm->fd6);
	pm->fd4 = pm->fd6 = -1;
}

static uint32_t mtu_of(int fd, int level, int option, const struct sockaddr *to, socklen_t len)
{
	const struct sockaddr nobody = { .sa_family = AF_UNSPEC };
	int mtu = 0;
	socklen_t size = sizeof(mtu);

	if (connect(fd, to, len) && (connect(fd, &nobody, sizeof(nobody)) || connect(fd, to, len)))
		return 0;
	if (getsockopt(fd, level, option, &mtu, &size) || mtu < 0)
		return 0;
	return (uint32_t)mtu;
}

uint32_t pathmtu_of(const struct pathmtu *pm, const struct ip_addr *to)
{
	struct sockaddr_in a4 = { .sin_family = AF_INET, .sin_port = htons(PORT_DISCARD) };
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_port = htons(PORT_DISCARD) };

	if (ip_addr_is_v4(to)) {
		memcpy(&a4.sin_addr, ip_addr_v4(to), 4);
		return mtu_of(pm->fd4, IPPROTO_IP, IP_MTU, (struct sockaddr *)&a4, sizeof(a4));
	}
	memcpy(&a6.sin6_addr, to->b, 16);
	return mtu_of(pm->fd6, IPPROTO_IPV6, IPV6_MTU, (struct sockaddr *)&a6, sizeof(a6));
}
