// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Questions over netlink, of the kind that anybody may ask: what the kernel says, and what
 * comes of an answer that is not wanted.  Lists of many datagrams are test_io_addrwatch's.
 */
#include "io/netlink.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <unistd.h>

#include "unit.h"

/* No message of rtnetlink's. */
#define UNKNOWN (RTM_MAX + 100)

static union {
	uint8_t bytes[256];
	struct nlmsghdr align;
} buf;
static bool found;
static unsigned calls;

static struct nlmsghdr *message(uint16_t type, uint16_t flags)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf.bytes);

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = flags;
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
	return nlh;
}

static int on_link(const struct nlmsghdr *nlh, void *ctx)
{
	const struct ifinfomsg *link = mnl_nlmsg_get_payload(nlh);

	calls++;
	if (nlh->nlmsg_type == RTM_NEWLINK && link->ifi_index == *(int *)ctx)
		found = true;
	return MNL_CB_OK;
}

static int on_link_refuse(const struct nlmsghdr *nlh, void *ctx)
{
	(void)nlh;
	(void)ctx;
	calls++;
	errno = E2BIG;
	return MNL_CB_ERROR;
}

START_TEST(list_has_what_there_is)
{
	int lo = (int)if_nametoindex("lo");

	ck_assert_int_gt(lo, 0);
	ck_assert_int_eq(netlink_dump(NETLINK_ROUTE, message(RTM_GETLINK, 0), on_link, &lo), 0);
	ck_assert(found);
}
END_TEST

START_TEST(who_reads_a_list_may_end_it)
{
	calls = 0;
	ck_assert_int_eq(netlink_dump(NETLINK_ROUTE, message(RTM_GETLINK, 0), on_link_refuse, NULL),
			 -E2BIG);
	ck_assert_uint_eq(calls, 1);
}
END_TEST

START_TEST(list_that_does_not_exist)
{
	int lo = 1;

	calls = 0;
	ck_assert_int_eq(netlink_dump(NETLINK_ROUTE, message(UNKNOWN, 0), on_link, &lo),
			 -EOPNOTSUPP);
	ck_assert_uint_eq(calls, 0);
}
END_TEST

START_TEST(answers)
{
	struct mnl_socket *nl = netlink_open(NETLINK_ROUTE);
	struct nlmsghdr *nlh;

	ck_assert_ptr_nonnull(nl);
	nlh = message(UNKNOWN, NLM_F_REQUEST | NLM_F_ACK);
	ck_assert_int_eq(netlink_ask(nl, nlh, nlh->nlmsg_len), -EOPNOTSUPP);
	nlh = message(NLMSG_NOOP, NLM_F_REQUEST | NLM_F_ACK);
	ck_assert_int_eq(netlink_ask(nl, nlh, nlh->nlmsg_len), 0);
	/* A link, not an acknowledgement. */
	nlh = message(RTM_GETLINK, NLM_F_REQUEST);
	((struct ifinfomsg *)mnl_nlmsg_get_payload(nlh))->ifi_index = (int)if_nametoindex("lo");
	ck_assert_int_eq(netlink_ask(nl, nlh, nlh->nlmsg_len), -EPROTO);
	mnl_socket_close(nl);
}
END_TEST

/* Leaves room for `more` descriptors. */
static void limit_descriptors(unsigned more)
{
	int first = dup(STDERR_FILENO);
	struct rlimit limit;

	ck_assert_int_ge(first, 0);
	close(first);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = (rlim_t)first + more;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

START_TEST(no_descriptor_is_left)
{
	struct rlimit limit;
	int lo = 1;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit_descriptors(0);
	ck_assert_int_eq(netlink_dump(NETLINK_ROUTE, message(RTM_GETLINK, 0), on_link, &lo),
			 -EMFILE);
	errno = 0;
	ck_assert_ptr_null(netlink_open(NETLINK_ROUTE));
	ck_assert_int_eq(errno, EMFILE);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}
END_TEST

START_TEST(lists_close_their_sockets)
{
	struct rlimit limit;
	int lo = 1;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit_descriptors(1);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(netlink_dump(NETLINK_ROUTE, message(RTM_GETLINK, 0), on_link, &lo),
				 0);
		ck_assert_int_eq(
			netlink_dump(NETLINK_ROUTE, message(RTM_GETLINK, 0), on_link_refuse, NULL),
			-E2BIG);
		ck_assert_int_eq(netlink_dump(NETLINK_ROUTE, message(UNKNOWN, 0), on_link, &lo),
				 -EOPNOTSUPP);
	}
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}
END_TEST

UNIT_MAIN("io/netlink", list_has_what_there_is, who_reads_a_list_may_end_it,
	  list_that_does_not_exist, answers, no_descriptor_is_left, lists_close_their_sockets)
