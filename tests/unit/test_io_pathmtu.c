// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The MTU of routes, as the loopback device of a network namespace of our own shows it.
 */
#include "unit.h"

#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/pathmtu.h"

static struct pathmtu pm;

static uint32_t ask(const char *text)
{
	struct ip_addr a;

	ck_assert_int_eq(ip_addr_parse(text, &a), 0);
	return pathmtu_of(&pm, &a);
}

/* Brings the loopback device up with that MTU. */
static void set_loopback(int mtu)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_mtu = mtu };
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(s, 0);
	ck_assert_int_eq(ioctl(s, SIOCSIFMTU, &ifr), 0);
	ifr.ifr_flags = IFF_UP;
	ck_assert_int_eq(ioctl(s, SIOCSIFFLAGS, &ifr), 0);
	close(s);
}

/* False if this machine lets us have none. */
static bool own_namespace(void)
{
	if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET)) {
		printf("not tested: no network namespace of our own\n");
		return false;
	}
	return true;
}

/* Not every machine has IPv6. */
static bool has_ipv6(void)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int s = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool has = s >= 0 && !bind(s, (struct sockaddr *)&a, sizeof(a));

	if (s >= 0)
		close(s);
	return has;
}

START_TEST(is_that_of_the_device)
{
	if (!own_namespace())
		return;
	set_loopback(1400);
	pathmtu_init(&pm);
	ck_assert_uint_eq(ask("127.0.0.2"), 1400);
	if (has_ipv6())
		ck_assert_uint_eq(ask("::1"), 1400);
	pathmtu_fini(&pm);
}
END_TEST

/* The next subflow of the same client must fit at once. */
START_TEST(changes_with_the_device)
{
	if (!own_namespace())
		return;
	set_loopback(1500);
	pathmtu_init(&pm);
	ck_assert_uint_eq(ask("127.0.0.2"), 1500);
	if (has_ipv6())
		ck_assert_uint_eq(ask("::1"), 1500);
	set_loopback(1300);
	ck_assert_uint_eq(ask("127.0.0.2"), 1300);
	if (has_ipv6())
		ck_assert_uint_eq(ask("::1"), 1300);
	pathmtu_fini(&pm);
}
END_TEST

/* Gives the loopback device this address in the place of the one that it had. */
static void set_address(uint32_t addr)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(addr) };
	struct ifreq ifr = { .ifr_name = "lo" };
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(s, 0);
	memcpy(&ifr.ifr_addr, &a, sizeof(a));
	ck_assert_int_eq(ioctl(s, SIOCSIFADDR, &ifr), 0);
	close(s);
}

/* The address of ours that an earlier route had is gone by the next one. */
START_TEST(is_found_after_a_change_of_address)
{
	if (!own_namespace())
		return;
	set_loopback(1400);
	set_address(0x0a000001);
	pathmtu_init(&pm);
	ck_assert_uint_eq(ask("10.0.0.1"), 1400);
	set_address(0xc0000201);
	ck_assert_uint_eq(ask("192.0.2.1"), 1400);
	pathmtu_fini(&pm);
}
END_TEST

START_TEST(is_unknown_without_a_route)
{
	if (!own_namespace())
		return;
	pathmtu_init(&pm);
	ck_assert_uint_eq(ask("192.0.2.1"), 0);
	ck_assert_uint_eq(ask("2001:db8::1"), 0);
	pathmtu_fini(&pm);
}
END_TEST

START_TEST(is_unknown_without_sockets)
{
	pathmtu_init(&pm);
	pathmtu_fini(&pm);
	ck_assert_uint_eq(ask("127.0.0.2"), 0);
	ck_assert_uint_eq(ask("::1"), 0);
}
END_TEST

UNIT_MAIN("io/pathmtu", is_that_of_the_device, changes_with_the_device,
	  is_found_after_a_change_of_address,
	  is_unknown_without_a_route, is_unknown_without_sockets)
