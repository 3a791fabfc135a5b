// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sends one TCP packet over and over from a device, and tells what each cost, in
 * nanoseconds.  Between veth devices a packet is carried within the sender's system call
 * as far as it goes, so on one processor the call's time is that of its whole way: through
 * a gateway in between, too.  Much less noisy than the speed of a connection.
 *
 * Whoever runs it must see to it that the packets are dropped in the end.
 *
 * usage: pktload DEVICE SOURCE-MAC DEST-MAC SOURCE SPORT DEST DPORT COUNT
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define PAYLOAD_BYTES 1000
#define BATCH         64

static uint8_t frame[14 + 40 + 20 + PAYLOAD_BYTES];

static void put16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static unsigned sum(const uint8_t *data, size_t len, unsigned sum)
{
	for (size_t i = 0; i < len; i++)
		sum += i & 1 ? data[i] : (unsigned)data[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static bool put_mac(uint8_t *at, const char *text)
{
	unsigned v[6];

	if (sscanf(text, "%x:%x:%x:%x:%x:%x", v, v + 1, v + 2, v + 3, v + 4, v + 5) != 6)
		return false;
	for (int i = 0; i < 6; i++)
		at[i] = (uint8_t)v[i];
	return true;
}

/* Fills in the frame, an ACK with data; its length, or 0 where an argument is wrong. */
static size_t build(char **argv)
{
	bool v6 = strchr(argv[4], ':');
	size_t ip_len = v6 ? 40 : 20, addr_len = v6 ? 16 : 4, tcp_len = 20 + PAYLOAD_BYTES;
	uint8_t *ip = frame + 14, *tcp = ip + ip_len, *addrs = ip + (v6 ? 8 : 12);

	if (!put_mac(frame, argv[3]) || !put_mac(frame + 6, argv[2]) ||
	    inet_pton(v6 ? AF_INET6 : AF_INET, argv[4], addrs) != 1 ||
	    inet_pton(v6 ? AF_INET6 : AF_INET, argv[6], addrs + addr_len) != 1)
		return 0;
	put16(frame + 12, v6 ? 0x86dd : 0x0800);
	if (v6) {
		ip[0] = 0x60;
		put16(ip + 4, (unsigned)tcp_len);
		ip[6] = IPPROTO_TCP;
		ip[7] = 64;
	} else {
		ip[0] = 0x45;
		put16(ip + 2, (unsigned)(ip_len + tcp_len));
		ip[8] = 64;
		ip[9] = IPPROTO_TCP;
		put16(ip + 10, ~sum(ip, ip_len, 0));
	}
	put16(tcp, (unsigned)atoi(argv[5]));
	put16(tcp + 2, (unsigned)atoi(argv[7]));
	tcp[12] = 0x50;
	tcp[13] = 0x10;
	put16(tcp + 14, 1000);
	put16(tcp + 16, ~sum(tcp, tcp_len, sum(addrs, 2 * addr_len,
					       IPPROTO_TCP + (unsigned)tcp_len)));
	return 14 + ip_len + tcp_len;
}

static double now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

int main(int argc, char **argv)
{
	struct sockaddr_ll device = { .sll_family = AF_PACKET };
	struct mmsghdr batch[BATCH] = { 0 };
	struct iovec iov = { .iov_base = frame };
	int fd, one = 1;
	double begin;
	long count, sent = 0;

	if (argc != 9 || !(iov.iov_len = build(argv)) || (count = atol(argv[8])) <= 0) {
		fprintf(stderr, "usage: pktload DEVICE SOURCE-MAC DEST-MAC SOURCE SPORT DEST DPORT "
			"COUNT\n");
		return 2;
	}
	device.sll_ifindex = (int)if_nametoindex(argv[1]);
	fd = socket(AF_PACKET, SOCK_RAW, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&device, sizeof(device)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one))) {
		perror(argv[1]);
		return 1;
	}
	for (int i = 0; i < BATCH; i++) {
		batch[i].msg_hdr.msg_iov = &iov;
		batch[i].msg_hdr.msg_iovlen = 1;
	}
	begin = now_ns();
	while (sent < count) {
		int n = sendmmsg(fd, batch, BATCH, 0);

		if (n < 0 && errno != ENOBUFS) {
			perror("sendmmsg");
			return 1;
		}
		sent += n > 0 ? n : 0;
	}
	printf("%.0f\n", (now_ns() - begin) / (double)sent);
	return 0;
}
