// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The return path's routing, over rtnetlink.  Servers answer to clients' addresses, and the
 * kernel would forward that.  So, where it decides, the rules (ruleset.c) have put a
 * destination into these packets that is local: for IPv4 the dummy address, which is put on
 * lo here; for IPv6, where the rules have room for 32 bits only, an address of a prefix
 * that a route here makes local as a whole.  lo, because that outlives the daemon: what it
 * leaves behind when it crashes, sockets that are still closing, must get their answers.
 *
 * The usual way is a mark with an ip rule for it.  But the first ip rule that anybody adds
 * costs each packet of the machine a walk through all rules, twice where sources are
 * validated, look-ups in two tables instead of one, and the reuse of a neighbour's route
 * within a batch; and removing the rule does not undo that.  A local IPv4 route has a part of
 * these effects, hence the address.
 *
 * One sysctl is in the way, tcp_early_demux.  A packet of ours to a client has the very
 * addresses and ports of the server's to the transparent socket; with early demultiplexing
 * the kernel takes it for that socket's before routing it, and then refuses to forward a
 * packet that belongs to a socket.  It is switched off, in this network namespace, until
 * the end.  Machines that mostly forward gain from that, too.  That it was on is noted by a
 * route, in a table that nobody looks up, where the run after a crash finds it.  The file is
 * kept open until the end, when the daemon may not open it any more (sandbox.h).
 *
 * All of this may be undone by somebody who tidies up or starts the network anew, and is made
 * again then: whether addresses are local, the kernel is asked as for a packet.
 */
#include "daemon/routes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "io/netlink.h"

#define BUFFER_BYTES 4096

#define EARLY_DEMUX "/proc/sys/net/ipv4/tcp_early_demux"	/* of IPv6, too */

/* To be put back at the end, by this descriptor. */
static bool restore_early_demux;
static int early_demux_fd = -1;
static bool has_prefix;                 /* else there is no IPv6 */

/* Sends a request and returns the kernel's answer, 0 or -errno. */
static int request(struct mnl_socket *nl, struct nlmsghdr *nlh)
{
	nlh->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	return netlink_ask(nl, nlh, nlh->nlmsg_len);
}

static int open_early_demux(void)
{
	if (early_demux_fd < 0)
		early_demux_fd = open(EARLY_DEMUX, O_WRONLY | O_CLOEXEC);
	return early_demux_fd < 0 ? -errno : 0;
}

static int set_early_demux(char value)
{
	int ret = open_early_demux();

	if (!ret && pwrite(early_demux_fd, &value, 1, 0) != 1)
		ret = -errno;
	return ret;
}

static void close_early_demux(void)
{
	if (early_demux_fd >= 0)
		close(early_demux_fd);
	early_demux_fd = -1;
}

static bool is_zero(const char *path)
{
	FILE *f = fopen(path, "re");
	int c;

	if (!f)
		return false;
	c = fgetc(f);
	fclose(f);
	return c == '0';
}

static void put_early_demux_back(void)
{
	if (restore_early_demux && set_early_demux('1') == 0)
		restore_early_demux = false;
	close_early_demux();
}

static int stop_early_demux(char *err, size_t err_len)
{
	int ret;

	if (is_zero(EARLY_DEMUX)) {
		open_early_demux();
		return 0;
	}
	ret = set_early_demux('0');
	/* A kernel without the switch has not the thing. */
	if (ret == -ENOENT)
		return 0;
	if (ret)
		snprintf(err, err_len, "cannot set net.ipv4.tcp_early_demux to 0, which is "
			 "needed to forward to clients: %s", strerror(-ret));
	else
		restore_early_demux = true;
	return ret;
}

/* The dummy address on lo. */
static int change_address(struct mnl_socket *nl, bool add)
{
	uint8_t buf[BUFFER_BYTES];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifaddrmsg *address;

	nlh->nlmsg_type = add ? RTM_NEWADDR : RTM_DELADDR;
	nlh->nlmsg_flags = add ? NLM_F_CREATE | NLM_F_REPLACE : 0;
	address = mnl_nlmsg_put_extra_header(nlh, sizeof(*address));
	address->ifa_family = AF_INET;
	address->ifa_prefixlen = 32;
	address->ifa_scope = RT_SCOPE_HOST;
	address->ifa_index = if_nametoindex("lo");
	mnl_attr_put_u32(nlh, IFA_LOCAL, htonl(ROUTES_LOCAL4));
	return request(nl, nlh);
}

static int change_route(struct mnl_socket *nl, struct rtmsg route, uint32_t table, bool add)
{
	uint8_t buf[BUFFER_BYTES];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);

	nlh->nlmsg_type = add ? RTM_NEWROUTE : RTM_DELROUTE;
	nlh->nlmsg_flags = add ? NLM_F_CREATE | NLM_F_REPLACE : 0;
	route.rtm_protocol = RTPROT_STATIC;
	memcpy(mnl_nlmsg_put_extra_header(nlh, sizeof(route)), &route, sizeof(route));
	mnl_attr_put_u32(nlh, RTA_TABLE, table);
	if (route.rtm_dst_len) {
		struct in6_addr prefix = { 0 };
		uint32_t first = htonl(ROUTES_LOCAL6);

		memcpy(&prefix, &first, sizeof(first));
		mnl_attr_put(nlh, RTA_DST, sizeof(prefix), &prefix);
		mnl_attr_put_u32(nlh, RTA_OIF, if_nametoindex("lo"));
	}
	return request(nl, nlh);
}

static int change_prefix(struct mnl_socket *nl, bool add)
{
	const struct rtmsg route = {
		.rtm_family = AF_INET6,
		.rtm_dst_len = ROUTES_LOCAL6_BITS,
		.rtm_type = RTN_LOCAL,
	};

	return change_route(nl, route, RT_TABLE_LOCAL, add);
}

/* That early demultiplexing was on. */
static int change_note(struct mnl_socket *nl, bool add)
{
	const struct rtmsg route = {
		.rtm_family = AF_INET,
		.rtm_type = RTN_BLACKHOLE,
	};

	return change_route(nl, route, ROUTES_TABLE, add);
}

static void remove_all(struct mnl_socket *nl)
{
	if (change_note(nl, false) == 0)
		restore_early_demux = true;
	change_address(nl, false);
	change_prefix(nl, false);
}

/* Whether that is how the kernel says that it has no IPv6. */
static bool no_ipv6(int ret)
{
	return ret == -EAFNOSUPPORT || ret == -EOPNOTSUPP || ret == -EACCES;
}

int routes_install(char *err, size_t err_len)
{
	struct mnl_socket *nl = netlink_open(NETLINK_ROUTE);
	int ret = 0;

	if (!nl) {
		ret = -errno;
		snprintf(err, err_len, "routes: netlink socket: %s", strerror(-ret));
		return ret;
	}
	remove_all(nl);
	ret = stop_early_demux(err, err_len);
	if (ret)
		goto out;
	if (restore_early_demux)
		ret = change_note(nl, true);
	if (!ret)
		ret = change_address(nl, true);
	if (!ret) {
		ret = change_prefix(nl, true);
		has_prefix = !ret;
		if (ret && no_ipv6(ret)) {
			log_notice("routes: no IPv6 here (%s)", strerror(-ret));
			ret = 0;
		}
	}
	if (ret) {
		snprintf(err, err_len, "cannot make the way back from servers: %s",
			 ret == -EPERM ? "CAP_NET_ADMIN is missing" :
			 ret == -ENETDOWN ? "the device lo is down (ip link set lo up)" : strerror(-ret));
		remove_all(nl);
		put_early_demux_back();
	}
out:
	mnl_socket_close(nl);
	return ret;
}

/* Whether packets to `addr` would be delivered here; true in doubt. */
static bool is_local(struct mnl_socket *nl, uint8_t family, const void *addr, size_t len)
{
	uint8_t buf[BUFFER_BYTES];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	const struct rtmsg *answer;
	struct rtmsg *route;
	ssize_t n;

	nlh->nlmsg_type = RTM_GETROUTE;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	route = mnl_nlmsg_put_extra_header(nlh, sizeof(*route));
	route->rtm_family = family;
	route->rtm_dst_len = (uint8_t)(len * 8);
	mnl_attr_put(nlh, RTA_DST, len, addr);
	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		return true;
	n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
	if (n < 0 || !mnl_nlmsg_ok(nlh, (int)n))
		return true;
	if (nlh->nlmsg_type == NLMSG_ERROR) {
		const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);

		return e->error != -ENETUNREACH && e->error != -EHOSTUNREACH;
	}
	answer = mnl_nlmsg_get_payload(nlh);
	return nlh->nlmsg_type != RTM_NEWROUTE || answer->rtm_type == RTN_LOCAL;
}

/* Also where IPv6 was switched on since the start. */
static bool wants_prefix(void)
{
	return has_prefix || is_zero("/proc/sys/net/ipv6/conf/lo/disable_ipv6");
}

bool routes_missing(void)
{
	struct mnl_socket *nl = netlink_open(NETLINK_ROUTE);
	uint32_t local4 = htonl(ROUTES_LOCAL4), first = htonl(ROUTES_LOCAL6);
	struct in6_addr local6 = { 0 };
	bool missing;

	if (!nl)
		return false;
	memcpy(&local6, &first, sizeof(first));
	local6.s6_addr[15] = 1;
	missing = !is_local(nl, AF_INET, &local4, sizeof(local4)) ||
		  (wants_prefix() && !is_local(nl, AF_INET6, &local6, sizeof(local6))) ||
		  (early_demux_fd >= 0 && !is_zero(EARLY_DEMUX));
	mnl_socket_close(nl);
	return missing;
}

int routes_restore(char *err, size_t err_len)
{
	struct mnl_socket *nl = netlink_open(NETLINK_ROUTE);
	int ret;

	ret = nl ? change_address(nl, true) : -errno;
	if (!ret && wants_prefix()) {
		ret = change_prefix(nl, true);
		if (!ret)
			has_prefix = true;
	}
	if (!ret && early_demux_fd >= 0)
		ret = set_early_demux('0');
	if (nl)
		mnl_socket_close(nl);
	if (ret)
		snprintf(err, err_len, "the way back from servers cannot be made again: %s",
			 strerror(-ret));
	return ret;
}

void routes_remove(void)
{
	struct mnl_socket *nl = netlink_open(NETLINK_ROUTE);

	if (nl) {
		remove_all(nl);
		mnl_socket_close(nl);
	}
	put_early_demux_back();
}

void routes_check_forwarding(bool v4, bool v6)
{
	if (v4 && is_zero("/proc/sys/net/ipv4/ip_forward"))
		log_warning("net.ipv4.ip_forward is 0: this machine does not forward IPv4");
	if (v6 && is_zero("/proc/sys/net/ipv6/conf/all/forwarding"))
		log_warning("net.ipv6.conf.all.forwarding is 0: this machine does not forward IPv6");
}
