// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The MTU of routes: that of the loopback device, which any machine has; and how long an
 * answer is believed.
 */
#include "unit.h"

#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/pathmtu.h"

static struct pathmtu pm;

static struct ip_addr address(const char *text)
{
	struct ip_addr a;

	ck_assert_int_eq(ip_addr_parse(text, &a), 0);
	return a;
}

static uint32_t ask(const char *text, uint64_t now_us)
{
	struct ip_addr a = address(text);

	return pathmtu_of(&pm, &a, now_us);
}

static uint32_t loopback_mtu(void)
{
	struct ifreq ifr = { .ifr_name = "lo" };
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(s, 0);
	ck_assert_int_eq(ioctl(s, SIOCGIFMTU, &ifr), 0);
	close(s);
	/* It may be one more than the largest packet. */
	return ifr.ifr_mtu < 65535 ? (uint32_t)ifr.ifr_mtu : 65535;
}

START_TEST(device)
{
	pathmtu_init(&pm);
	ck_assert_uint_eq(ask("127.0.0.1", 1), loopback_mtu());
	pathmtu_fini(&pm);
}
END_TEST

START_TEST(cached)
{
	uint32_t mtu = loopback_mtu();

	pathmtu_init(&pm);
	ck_assert_uint_eq(ask("127.0.0.1", 5000000), mtu);
	/* Nobody can be asked any more. */
	pathmtu_fini(&pm);
	ck_assert_uint_eq(ask("127.0.0.1", 5999999), mtu);
	/* In the same place of the table. */
	ck_assert_uint_eq(ask("127.0.1.65", 5999999), 0);
	ck_assert_uint_eq(ask("127.0.0.1", 5999999), 0);
}
END_TEST

START_TEST(expiry)
{
	uint32_t mtu = loopback_mtu();

	pathmtu_init(&pm);
	ck_assert_uint_eq(ask("127.0.0.1", 5000000), mtu);
	pathmtu_fini(&pm);
	ck_assert_uint_eq(ask("127.0.0.1", 6000000), 0);
	/* What is not known is no more lasting. */
	pathmtu_init(&pm);
	ck_assert_uint_eq(ask("127.0.0.1", 6000000), mtu);
	pathmtu_fini(&pm);
}
END_TEST

UNIT_MAIN("io/pathmtu", device, cached, expiry)
