/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The watcher of this machine's addresses, in a network namespace of its own: what comes,
 * what goes, and what it must not take for gone when it missed something.  Where no
 * namespace may be made there is nothing to see, and the tests pass without looking.
 */
#include <arpa/inet.h>
#include <event2/event.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "io/addrwatch.h"
#include "unit.h"

#define LOOPBACK 1
/* Many more than fit into the watcher's receive buffer. */
#define FLOOD 3000u

static struct mnl_socket *nl;
static struct event_base *base;
static struct addrwatch *watch;
static unsigned changes;

static void on_change(void *ctx)
{
	(void)ctx;
	changes++;
}

static struct ip_addr numbered(unsigned i)
{
	uint8_t v4[4] = { 10, 0, (uint8_t)(i >> 8), (uint8_t)i };
	struct ip_addr addr;

	ip_addr_from_v4(&addr, v4);
	return addr;
}

static bool has(unsigned i)
{
	struct ip_addr addr = numbered(i);

	return addrwatch_has(watch, &addr);
}

static bool lost(unsigned i)
{
	struct ip_addr addr = numbered(i);

	return addrwatch_lost(watch, &addr);
}

/* The kernel adds address number `i`, or takes it away. */
static void address(bool add, unsigned i)
{
	uint8_t buf[256];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ip_addr addr = numbered(i);
	struct ifaddrmsg *ifa;
	ssize_t n;

	nlh->nlmsg_type = add ? RTM_NEWADDR : RTM_DELADDR;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | (add ? NLM_F_CREATE | NLM_F_EXCL : 0);
	ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));
	ifa->ifa_family = AF_INET;
	ifa->ifa_prefixlen = 32;
	ifa->ifa_index = LOOPBACK;
	mnl_attr_put(nlh, IFA_LOCAL, 4, ip_addr_v4(&addr));
	ck_assert_int_gt(mnl_socket_sendto(nl, nlh, nlh->nlmsg_len), 0);
	n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
	ck_assert_int_gt(n, 0);
	ck_assert_int_ge(mnl_cb_run(buf, (size_t)n, 0, 0, NULL, NULL), 0);
}

static void loop(unsigned ms)
{
	const struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	event_base_loopexit(base, &tv);
	event_base_dispatch(base);
}

/* False where this is not allowed. */
static bool begin(void)
{
	char err[256];

	if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET))
		return false;
	nl = mnl_socket_open(NETLINK_ROUTE);
	ck_assert_ptr_nonnull(nl);
	ck_assert_int_eq(mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID), 0);
	base = event_base_new();
	ck_assert_ptr_nonnull(base);
	address(true, 1);
	watch = addrwatch_new(base, on_change, NULL, err, sizeof(err));
	ck_assert_msg(watch, "%s", err);
	return true;
}

static void end(void)
{
	addrwatch_free(watch);
	event_base_free(base);
	mnl_socket_close(nl);
}

START_TEST(addresses_come_and_go)
{
	if (!begin())
		return;
	ck_assert(has(1) && !lost(1));
	/* One that never was here is not missed. */
	ck_assert(!has(2) && !lost(2));
	loop(20);
	ck_assert_uint_eq(changes, 0);
	address(true, 2);
	loop(20);
	ck_assert(has(2));
	ck_assert_uint_eq(changes, 1);
	address(false, 1);
	loop(20);
	ck_assert(!has(1) && lost(1));
	ck_assert_uint_eq(changes, 2);
	address(true, 1);
	loop(20);
	ck_assert(has(1) && !lost(1));
	end();
}
END_TEST

START_TEST(lost_messages_are_made_up_for)
{
	if (!begin())
		return;
	address(false, 1);
	for (unsigned i = 2; i < FLOOD; i++)
		address(true, i);
	loop(50);
	ck_assert(!has(1) && lost(1));
	for (unsigned i = 2; i < FLOOD; i++)
		ck_assert_msg(has(i), "address %u", i);
	end();
}
END_TEST

/* What was kept of the messages is older than the list. */
START_TEST(news_from_before_a_loss_are_no_news)
{
	if (!begin())
		return;
	address(false, 1);
	for (unsigned i = 2; i < FLOOD; i++)
		address(true, i);
	address(true, 1);
	loop(50);
	ck_assert(has(1) && !lost(1));
	end();
}
END_TEST

/* To take all addresses for gone would end the paths of every connection. */
START_TEST(list_that_cannot_be_read_changes_nothing)
{
	struct rlimit limit, none;

	if (!begin())
		return;
	for (unsigned i = 2; i < FLOOD; i++)
		address(true, i);
	address(false, 2);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 0;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	loop(50);
	ck_assert(has(1) && !lost(1));
	ck_assert(!has(FLOOD - 1));
	/* It is tried again. */
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	loop(1200);
	ck_assert(has(1) && has(FLOOD - 1));
	ck_assert(!has(2) && lost(2));
	end();
}
END_TEST

UNIT_MAIN("io/addrwatch", addresses_come_and_go, lost_messages_are_made_up_for,
	  news_from_before_a_loss_are_no_news, list_that_cannot_be_read_changes_nothing)
