// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * connload - how many HTTP connections or requests per second a path can do.
 *
 * Keeps -c connections going for -t seconds, on MPTCP sockets (TCP with -T), from
 * one thread: each connects without blocking, sends a small GET, reads the answer
 * and closes, and another takes its place.  With -k a connection stays and sends the
 * next request (the answer's length is learnt from the first Content-Length).
 * SIGTERM ends it before its time, in order.
 *
 * Prints one line: what was counted per second, how many errors, the median and
 * 99th percentile of the time from connect (or request, with -k) to the last byte.
 * Owns its sockets only; the standard library and epoll.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

enum { CONNECTING, READING };

/* One client: a slot that is filled again when its connection ends. */
struct slot {
	int fd, state;
	size_t got, want;       /* of the answer, bytes; want 0: not yet known */
	uint64_t start_us;
	char head[1024];        /* the beginning of the answer */
};

static struct addrinfo *target;
static bool keepalive, plain_tcp;
static char request[512];
static int ep;
static volatile sig_atomic_t told_to_end;
static uint64_t done, errors, bytes;

/* Times, in a histogram of 64 steps per power of two; exact enough for a table. */
static uint64_t hist[64 * 64];

static uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void hist_add(uint64_t us)
{
	unsigned log2 = 63 - __builtin_clzll(us | 64);

	hist[(log2 - 6) * 64 + ((us >> (log2 - 6)) & 63)]++;
}

static uint64_t hist_percentile(double p)
{
	uint64_t sum = 0, seen = 0;
	unsigned i;

	for (i = 0; i < 64 * 64; i++)
		sum += hist[i];
	for (i = 0; i < 64 * 64; i++) {
		seen += hist[i];
		if (seen >= sum * p && seen)
			return i < 64 ? i : (uint64_t)(64 + i % 64) << (i / 64);
	}
	return 0;
}

static void slot_open(struct slot *s)
{
	struct epoll_event ev = { .events = EPOLLOUT, .data.ptr = s };
	int one = 1;

	s->fd = socket(target->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
		       plain_tcp ? 0 : IPPROTO_MPTCP);
	if (s->fd < 0) {
		perror("connload: socket");
		exit(1);
	}
	setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	s->state = CONNECTING;
	s->got = s->want = 0;
	s->start_us = now_us();
	if (connect(s->fd, target->ai_addr, target->ai_addrlen) && errno != EINPROGRESS) {
		perror("connload: connect");
		exit(1);
	}
	if (epoll_ctl(ep, EPOLL_CTL_ADD, s->fd, &ev)) {
		perror("connload: epoll_ctl");
		exit(1);
	}
}

/* Ends the connection; the next one starts in its place. */
static void slot_next(struct slot *s, bool good)
{
	if (good) {
		done++;
		hist_add(now_us() - s->start_us);
	} else {
		errors++;
	}
	close(s->fd);
	slot_open(s);
}

static bool slot_request(struct slot *s)
{
	size_t len = strlen(request);

	s->got = 0;
	return send(s->fd, request, len, MSG_NOSIGNAL) == (ssize_t)len;
}

/* The length of head and body together, once the head is whole. */
static size_t answer_length(struct slot *s)
{
	char *end, *cl;

	s->head[s->got < sizeof(s->head) - 1 ? s->got : sizeof(s->head) - 1] = 0;
	end = strstr(s->head, "\r\n\r\n");
	cl = strcasestr(s->head, "content-length:");
	if (!end || !cl || cl > end)
		return 0;
	return (size_t)(end + 4 - s->head) + strtoul(cl + 15, NULL, 10);
}

static void slot_read(struct slot *s)
{
	static char buf[65536];

	for (;;) {
		ssize_t n = recv(s->fd, buf, sizeof(buf), 0);

		if (n < 0) {
			if (errno != EAGAIN && errno != EINTR)
				slot_next(s, false);
			return;
		}
		if (n == 0) {
			slot_next(s, !keepalive && s->got >= 12 && s->want && s->got == s->want &&
				  !memcmp(s->head + 8, " 200", 4));
			return;
		}
		if (s->got < sizeof(s->head) - 1) {
			size_t room = sizeof(s->head) - 1 - s->got;

			memcpy(s->head + s->got, buf, (size_t)n < room ? (size_t)n : room);
		}
		s->got += n;
		bytes += n;
		if (!s->want)
			s->want = answer_length(s);
		if (keepalive && s->want && s->got >= s->want) {
			done++;
			hist_add(now_us() - s->start_us);
			s->start_us = now_us();
			if (!slot_request(s))
				slot_next(s, false);
			return;
		}
	}
}

static void slot_event(struct slot *s)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = s };
	socklen_t len = sizeof(int);
	int err = 0;

	if (s->state == READING) {
		slot_read(s);
		return;
	}
	getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &err, &len);
	if (err || !slot_request(s)) {
		slot_next(s, false);
		return;
	}
	s->state = READING;
	epoll_ctl(ep, EPOLL_CTL_MOD, s->fd, &ev);
}

static void on_term(int sig)
{
	(void)sig;
	told_to_end = 1;
}

int main(int argc, char **argv)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct epoll_event ev[256];
	unsigned clients = 50, seconds = 5, i;
	struct slot *slots;
	uint64_t start, end;
	int opt;

	while ((opt = getopt(argc, argv, "c:t:kT")) != -1) {
		switch (opt) {
		case 'c': clients = strtoul(optarg, NULL, 10); break;
		case 't': seconds = strtoul(optarg, NULL, 10); break;
		case 'k': keepalive = true; break;
		case 'T': plain_tcp = true; break;
		default: goto usage;
		}
	}
	if (argc - optind != 3 || !clients || !seconds)
		goto usage;
	if (getaddrinfo(argv[optind], argv[optind + 1], &hints, &target)) {
		fprintf(stderr, "connload: no such address\n");
		return 1;
	}
	snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: lab\r\n%s\r\n",
		 argv[optind + 2], keepalive ? "" : "Connection: close\r\n");
	ep = epoll_create1(EPOLL_CLOEXEC);
	slots = calloc(clients, sizeof(*slots));
	if (ep < 0 || !slots)
		return 1;
	signal(SIGTERM, on_term);
	for (i = 0; i < clients; i++)
		slot_open(&slots[i]);
	start = now_us();
	end = start + seconds * 1000000ull;
	while (now_us() < end && !told_to_end) {
		int n = epoll_wait(ep, ev, 256, 100);

		while (n-- > 0)
			slot_event(ev[n].data.ptr);
	}
	printf("%.0f /s errors %llu p50 %llu us p99 %llu us\n",
	       done * 1e6 / (now_us() - start), (unsigned long long)errors,
	       (unsigned long long)hist_percentile(0.5),
	       (unsigned long long)hist_percentile(0.99));
	free(slots);
	freeaddrinfo(target);
	return done ? 0 : 1;
usage:
	fprintf(stderr, "usage: connload [-c CLIENTS] [-t SECONDS] [-k] [-T] HOST PORT PATH\n");
	return 2;
}
