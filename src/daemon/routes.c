// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The return path's policy routing, over rtnetlink: per family one rule "fwmark MARK/MASK
 * lookup TABLE" and one route "local default dev lo table TABLE".
 *
 * Everything in the table, and every rule that looks it up, is this project's: what a run
 * that crashed left behind is found by that.
 *
 * One sysctl is in the way, tcp_early_demux.  A packet of ours to a client has the very
 * addresses and ports of the server's to the transparent socket; with early demultiplexing
 * the kernel takes it for that socket's before routing it, and then refuses to forward a
 * packet that belongs to a socket.  It is switched off, in this network namespace, until
 * the end.  Machines that mostly forward gain from that, too.  That it was on is kept in
 * the metric of the IPv4 route, where the run after a crash finds it.  The file is kept open
 * until the end, when the daemon may not open it any more (sandbox.h).
 */
#include "daemon/routes.h"

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

#define BUFFER_BYTES 4096
/* Rules that may have been left behind, per family. */
#define STALE_MAX 16

/* Metrics of the route; 0, in a request to delete, stands for any. */
#define METRIC_PLAIN    1
#define METRIC_RESTORE  2               /* the sysctl is to be put back */

#define EARLY_DEMUX "/proc/sys/net/ipv4/tcp_early_demux"	/* of IPv6, too */

/* To be put back at the end, by this descriptor. */
static bool restore_early_demux;
static int early_demux_fd = -1;

static const int families[] = { AF_INET, AF_INET6 };

/* Sends a request and returns the kernel's answer, 0 or -errno. */
static int request(struct mnl_socket *nl, struct nlmsghdr *nlh)
{
	uint8_t buf[BUFFER_BYTES];
	const struct nlmsghdr *reply = (const struct nlmsghdr *)buf;
	ssize_t n;

	nlh->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
	if (n < 0)
		return -errno;
	if (!mnl_nlmsg_ok(reply, (int)n) || reply->nlmsg_type != NLMSG_ERROR)
		return -EPROTO;
	return ((const struct nlmsgerr *)mnl_nlmsg_get_payload(reply))->error;
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

static int stop_early_demux(char *err, size_t err_len)
{
	int ret;

	if (is_zero(EARLY_DEMUX)) {
		if (restore_early_demux)
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

static int change_rule(struct mnl_socket *nl, int family, bool add, uint32_t mark,
		       uint32_t mark_mask)
{
	uint8_t buf[BUFFER_BYTES];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct fib_rule_hdr *rule;

	nlh->nlmsg_type = add ? RTM_NEWRULE : RTM_DELRULE;
	nlh->nlmsg_flags = add ? NLM_F_CREATE | NLM_F_EXCL : 0;
	rule = mnl_nlmsg_put_extra_header(nlh, sizeof(*rule));
	rule->family = (uint8_t)family;
	rule->action = FR_ACT_TO_TBL;
	mnl_attr_put_u32(nlh, FRA_TABLE, ROUTES_TABLE);
	if (add) {
		mnl_attr_put_u32(nlh, FRA_PRIORITY, ROUTES_PRIORITY);
		mnl_attr_put_u32(nlh, FRA_FWMARK, mark);
		mnl_attr_put_u32(nlh, FRA_FWMASK, mark_mask);
	}
	return request(nl, nlh);
}

static int change_route(struct mnl_socket *nl, int family, bool add, uint32_t metric)
{
	uint8_t buf[BUFFER_BYTES];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct rtmsg *route;

	nlh->nlmsg_type = add ? RTM_NEWROUTE : RTM_DELROUTE;
	nlh->nlmsg_flags = add ? NLM_F_CREATE | NLM_F_REPLACE : 0;
	route = mnl_nlmsg_put_extra_header(nlh, sizeof(*route));
	route->rtm_family = (uint8_t)family;
	route->rtm_table = RT_TABLE_UNSPEC;
	route->rtm_protocol = RTPROT_STATIC;
	route->rtm_scope = RT_SCOPE_HOST;
	route->rtm_type = RTN_LOCAL;
	mnl_attr_put_u32(nlh, RTA_TABLE, ROUTES_TABLE);
	mnl_attr_put_u32(nlh, RTA_OIF, if_nametoindex("lo"));
	if (metric)
		mnl_attr_put_u32(nlh, RTA_PRIORITY, metric);
	return request(nl, nlh);
}

static struct mnl_socket *open_socket(void)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);

	if (nl && mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0) {
		mnl_socket_close(nl);
		return NULL;
	}
	return nl;
}

static void remove_all(struct mnl_socket *nl)
{
	if (change_route(nl, AF_INET, false, METRIC_RESTORE) == 0)
		restore_early_demux = true;
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		for (int n = 0; n < STALE_MAX; n++) {
			if (change_rule(nl, families[i], false, 0, 0))
				break;
		}
		change_route(nl, families[i], false, 0);
	}
}

int routes_install(uint32_t mark, uint32_t mark_mask, char *err, size_t err_len)
{
	struct mnl_socket *nl = open_socket();
	int ret = 0;

	if (!nl) {
		ret = -errno;
		snprintf(err, err_len, "routes: netlink socket: %s", strerror(-ret));
		return ret;
	}
	remove_all(nl);
	ret = stop_early_demux(err, err_len);
	if (ret) {
		mnl_socket_close(nl);
		return ret;
	}
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		bool v6 = families[i] == AF_INET6;

		ret = change_route(nl, families[i], true,
				   !v6 && restore_early_demux ? METRIC_RESTORE : METRIC_PLAIN);
		if (!ret)
			ret = change_rule(nl, families[i], true, mark, mark_mask);
		if (!ret)
			continue;
		if (v6 && (ret == -EAFNOSUPPORT || ret == -EOPNOTSUPP || ret == -EACCES)) {
			log_notice("routes: no IPv6 here (%s)", strerror(-ret));
			ret = 0;
			break;
		}
		snprintf(err, err_len, "cannot add the return route for %s: %s",
			 v6 ? "IPv6" : "IPv4",
			 ret == -EPERM ? "CAP_NET_ADMIN is missing" :
			 ret == -EOPNOTSUPP ? "the kernel has no policy routing" :
			 ret == -ENETDOWN ? "the device lo is down" : strerror(-ret));
		remove_all(nl);
		break;
	}
	mnl_socket_close(nl);
	return ret;
}

void routes_remove(void)
{
	struct mnl_socket *nl = open_socket();

	if (nl) {
		remove_all(nl);
		mnl_socket_close(nl);
	}
	if (restore_early_demux && set_early_demux('1') == 0)
		restore_early_demux = false;
	close_early_demux();
}

void routes_check_forwarding(void)
{
	if (is_zero("/proc/sys/net/ipv4/ip_forward"))
		log_warning("net.ipv4.ip_forward is 0: this machine does not forward IPv4");
	if (is_zero("/proc/sys/net/ipv6/conf/all/forwarding"))
		log_warning("net.ipv6.conf.all.forwarding is 0: this machine does not forward IPv6");
}
