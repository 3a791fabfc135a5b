/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * linkem - a user-space link emulator for Linux (a bump in the wire).
 *
 * linkem joins two Ethernet interfaces (normally two veth ends) and forwards
 * every frame from one to the other through an emulated link.  The two
 * directions are independent.  It needs no netem and no kernel module, only
 * AF_PACKET and CAP_NET_RAW/CAP_NET_ADMIN.
 *
 *        frame in -> loss -> duplicate -> bounded queue + rate -> delay -> out
 *
 * What happens to one frame, in order:
 *   1. split   a GSO super-frame is cut into MTU-sized TCP/UDP segments and an
 *              unfinished checksum is filled in, as a network card would do,
 *              so that all the rest works on real wire packets.  The veth
 *              offloads can thus stay on.
 *   2. loss    dropped with probability `loss` (`burst` gives the mean length
 *              of a run of losses; 1 means independent losses), or because it is
 *              one of the next `drops`.
 *   3. dup     sent twice with probability `dup`.
 *   4. corrupt one random bit flipped after the Ethernet header, checksums left
 *              alone; mangle: one byte of TCP payload changed and the TCP
 *              checksum fixed, as a content-rewriting middlebox would do.
 *   5. queue   tail-dropped if the bytes waiting for the wire would exceed
 *              `queue`; otherwise it leaves after the bytes ahead of it, at
 *              `rate`.  Frames are charged their Ethernet length (no preamble,
 *              FCS or gap).
 *   6. delay   arrives `delay` (plus 0..`jitter`) after it left.  Order is kept,
 *              whatever the jitter, except that with probability `reorder` a
 *              frame is held back by `rdelay` more and is overtaken.
 *
 * All random draws come from one seedable generator per direction.
 *
 * Build: cc -O2 -Wall -Wextra -o linkem linkem.c
 *
 * Known limits: VLAN tags are not carried; GSO frames over 64 KiB (BIG TCP) are
 * dropped and counted as `bad`; IPv4/IPv6 only matter for split and mangle, any
 * other protocol (ARP, ...) is carried as it is.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <math.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

enum {
	RX_BATCH  = 32,              /* frames read by one recvmmsg() */
	TX_BATCH  = 64,              /* frames written by one sendmmsg() */
	RX_BUF    = 68 * 1024,       /* one received frame, GSO included */
	SOCK_BUF  = 64 * 1024 * 1024,/* kernel receive buffer per interface */
	TCP_PROTO = 6,
	UDP_PROTO = 17,
};
#define NSEC 1000000000LL
#define HELD_MAX (512LL * 1024 * 1024) /* bytes held per direction, at most */

/* ---- parameters and state ---------------------------------------------- */

struct params {
	double   rate;       /* bit/s; 0: unlimited */
	int64_t  queue;      /* bytes waiting for the wire; 0: see effective_queue */
	double   queue_ms;   /* the same, as time at `rate`; used when queue is 0 */
	double   delay_ms, jitter_ms, rdelay_ms;
	double   loss, dup, reorder, corrupt, mangle; /* probabilities, 0..1 */
	double   burst;      /* mean length of a loss run, >= 1 */
	double   mangles;    /* frames left to mangle; infinite by default */
	double   drops;      /* frames left to drop, whatever `loss` is */
};

struct stats {
	uint64_t in, out, bytes_out, gso, lost, tail, dup, reorder, corrupt,
	         mangle, bad, tx_err;
	int64_t  max_backlog;
};

struct frame {
	int64_t  due;        /* when it comes out, ns */
	uint64_t order;      /* breaks ties: arrival order */
	uint32_t len;
	uint8_t  data[];
};

/* One direction of the link: from rx_fd's interface to tx_fd's. */
struct dir {
	const char   *name;
	int           rx_fd, tx_fd;
	struct params p;
	struct stats  st;
	uint64_t      rng[4];
	bool          in_burst;     /* Gilbert loss model: in the lossy state */
	int64_t       wire_free;    /* when the wire has sent all it was given */
	int64_t       last_due;     /* latest in-order arrival so far */
	uint64_t      next_order;
	int64_t       held;         /* bytes in the heap */
	struct frame **heap;        /* binary min-heap on (due, order) */
	size_t        n, cap;
};

static struct dir dirs[2] = { { .name = "ab" }, { .name = "ba" } };
static volatile sig_atomic_t stop_flag, stats_flag;

static void die(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "linkem: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NSEC + ts.tv_nsec;
}

/* ---- random numbers: xoshiro256**, seeded by splitmix64 ------------------ */

static uint64_t rotl(uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }

static uint64_t rnd(struct dir *d)
{
	uint64_t *s = d->rng, r = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;

	s[2] ^= s[0]; s[3] ^= s[1]; s[1] ^= s[2]; s[0] ^= s[3];
	s[2] ^= t;    s[3] = rotl(s[3], 45);
	return r;
}

static void rnd_seed(struct dir *d, uint64_t seed)
{
	for (int i = 0; i < 4; i++) {
		uint64_t z = (seed += 0x9e3779b97f4a7c15ULL);

		z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
		z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
		d->rng[i] = z ^ (z >> 31);
	}
}

static double rnd_unit(struct dir *d) { return (rnd(d) >> 11) * 0x1.0p-53; }

/* No draw is spent on an impairment that is off. */
static bool chance(struct dir *d, double p) { return p > 0 && rnd_unit(d) < p; }

/* ---- the delay line: a heap of frames by due time ------------------------ */

static bool earlier(const struct frame *a, const struct frame *b)
{
	return a->due != b->due ? a->due < b->due : a->order < b->order;
}

static void heap_push(struct dir *d, struct frame *f)
{
	size_t i;

	if (d->n == d->cap) {
		d->cap = d->cap ? d->cap * 2 : 1024;
		d->heap = realloc(d->heap, d->cap * sizeof(*d->heap));
		if (!d->heap)
			die("out of memory");
	}
	for (i = d->n++; i && earlier(f, d->heap[(i - 1) / 2]); i = (i - 1) / 2)
		d->heap[i] = d->heap[(i - 1) / 2];
	d->heap[i] = f;
	d->held += f->len;
}

static struct frame *heap_pop(struct dir *d)
{
	struct frame *top = d->heap[0], *last = d->heap[--d->n];
	size_t i = 0, c;

	while ((c = 2 * i + 1) < d->n) {
		if (c + 1 < d->n && earlier(d->heap[c + 1], d->heap[c]))
			c++;
		if (!earlier(d->heap[c], last))
			break;
		d->heap[i] = d->heap[c];
		i = c;
	}
	d->heap[i] = last;
	d->held -= top->len;
	return top;
}

/* ---- checksums ----------------------------------------------------------- */

static uint16_t get16(const uint8_t *p) { return (uint16_t)(p[0] << 8 | p[1]); }
static void put16(uint8_t *p, unsigned v) { p[0] = v >> 8; p[1] = v; }
static void put32(uint8_t *p, uint32_t v) { put16(p, v >> 16); put16(p + 2, v & 0xffff); }
static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static uint64_t sum16(const uint8_t *p, size_t n, uint64_t sum)
{
	for (; n > 1; n -= 2, p += 2)
		sum += get16(p);
	return n ? sum + (p[0] << 8) : sum;
}

static uint16_t fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* Where the headers of an Ethernet frame carrying TCP or UDP over IP are. */
struct layout {
	unsigned l3, l4, payload;   /* offsets in the frame */
	unsigned end;               /* of the packet; Ethernet padding may follow */
	uint8_t  proto;
	bool     v6;
};

static bool parse(const uint8_t *f, size_t len, struct layout *o)
{
	o->l3 = ETH_HLEN;
	if (len < ETH_HLEN + 20)
		return false;
	switch (get16(f + 12)) {
	case ETH_P_IP:
		o->v6 = false;
		o->proto = f[o->l3 + 9];
		o->l4 = o->l3 + (f[o->l3] & 15) * 4;
		o->end = o->l3 + get16(f + o->l3 + 2);
		if (get16(f + o->l3 + 6) & 0x3fff)  /* a fragment */
			return false;
		break;
	case ETH_P_IPV6:
		o->v6 = true;
		if (len < ETH_HLEN + 40)
			return false;
		o->proto = f[o->l3 + 6];
		o->l4 = o->l3 + 40;
		o->end = o->l4 + get16(f + o->l3 + 4);
		while (o->proto != TCP_PROTO && o->proto != UDP_PROTO) {
			/* hop-by-hop, routing, destination options */
			if (o->proto != 0 && o->proto != 43 && o->proto != 60)
				return false;
			if (o->l4 + 8 > len)
				return false;
			o->proto = f[o->l4];
			o->l4 += (f[o->l4 + 1] + 1) * 8;
		}
		break;
	default:
		return false;
	}
	if (o->end > len)
		return false;
	if (o->proto == TCP_PROTO && o->l4 + 20 <= o->end)
		o->payload = o->l4 + (f[o->l4 + 12] >> 4) * 4;
	else if (o->proto == UDP_PROTO && o->l4 + 8 <= o->end)
		o->payload = o->l4 + 8;
	else
		return false;
	return o->payload <= o->end;
}

/* Writes the TCP or UDP checksum of a whole packet, which ends at len. */
static void set_l4_checksum(uint8_t *f, size_t len, const struct layout *o)
{
	uint8_t *c = f + o->l4 + (o->proto == TCP_PROTO ? 16 : 6);
	uint64_t sum = o->proto + (len - o->l4);
	uint16_t v;

	sum = o->v6 ? sum16(f + o->l3 + 8, 32, sum) : sum16(f + o->l3 + 12, 8, sum);
	put16(c, 0);
	v = fold(sum16(f + o->l4, len - o->l4, sum));
	put16(c, v || o->proto == TCP_PROTO ? v : 0xffff);
}

/* ---- the link ------------------------------------------------------------ */

/* The queue limit in bytes; what is asked, else what lasts queue_ms, never
 * less than two full frames; no limit on a link of unlimited rate. */
static int64_t effective_queue(const struct params *p)
{
	int64_t q = p->queue;

	if (!p->rate)
		return INT64_MAX;
	if (!q)
		q = (int64_t)(p->rate / 8 * p->queue_ms / 1000);
	return q < 3028 ? 3028 : q;
}

static bool lose(struct dir *d)
{
	const struct params *p = &d->p;

	if (p->drops >= 1) {
		d->p.drops--;
		return true;
	}
	if (p->loss <= 0 || p->loss >= 1 || p->burst <= 1) {
		d->in_burst = false;
		return chance(d, p->loss);
	}
	/* Gilbert model: all is lost in the bad state, nothing in the good. */
	if (d->in_burst)
		d->in_burst = !chance(d, 1 / p->burst);
	else
		d->in_burst = chance(d, p->loss / (p->burst * (1 - p->loss)));
	return d->in_burst;
}

/* Changes one payload byte of a TCP packet and repairs the checksum. */
static bool mangle(struct dir *d, uint8_t *f, size_t len)
{
	struct layout o;
	size_t at;

	if (!parse(f, len, &o) || o.proto != TCP_PROTO || o.payload == o.end)
		return false;
	at = o.payload + rnd(d) % (o.end - o.payload);
	f[at] ^= 1 + rnd(d) % 255;
	set_l4_checksum(f, o.end, &o);
	return true;
}

/* Puts one wire frame on the link: queue, rate, delay. */
static void transmit(struct dir *d, const uint8_t *data, size_t len, int64_t now)
{
	const struct params *p = &d->p;
	int64_t start = d->wire_free > now ? d->wire_free : now;
	int64_t backlog = (int64_t)((double)(start - now) * p->rate / 8 / NSEC);
	struct frame *f;

	if (backlog + (int64_t)len > effective_queue(p) || d->held > HELD_MAX) {
		d->st.tail++;
		return;
	}
	if (backlog + (int64_t)len > d->st.max_backlog)
		d->st.max_backlog = backlog + len;
	f = malloc(sizeof(*f) + len);
	if (!f)
		die("out of memory");
	memcpy(f->data, data, len);
	f->len = len;
	f->order = d->next_order++;
	d->wire_free = start + (p->rate ? (int64_t)(len * 8 * 1e9 / p->rate) : 0);
	f->due = d->wire_free + (int64_t)(p->delay_ms * 1e6);
	if (p->jitter_ms > 0)
		f->due += (int64_t)(rnd_unit(d) * p->jitter_ms * 1e6);
	if (chance(d, p->reorder)) {
		f->due += (int64_t)(p->rdelay_ms * 1e6);
		d->st.reorder++;
	} else {
		if (f->due < d->last_due)
			f->due = d->last_due;
		d->last_due = f->due;
	}
	if (chance(d, p->corrupt) && len > ETH_HLEN) {
		uint64_t bit = rnd(d) % ((len - ETH_HLEN) * 8);

		f->data[ETH_HLEN + bit / 8] ^= 1 << bit % 8;
		d->st.corrupt++;
	}
	if (d->p.mangles >= 1 && chance(d, p->mangle) && mangle(d, f->data, len)) {
		d->p.mangles--;
		d->st.mangle++;
	}
	heap_push(d, f);
}

/* One wire frame arrives at the link. */
static void arrive(struct dir *d, const uint8_t *data, size_t len, int64_t now)
{
	d->st.in++;
	if (lose(d)) {
		d->st.lost++;
		return;
	}
	if (chance(d, d->p.dup)) {
		d->st.dup++;
		transmit(d, data, len, now);
	}
	transmit(d, data, len, now);
}

/* Cuts a GSO super-frame into segments of at most gso_size payload bytes. */
static void split(struct dir *d, uint8_t *f, size_t len,
		  const struct virtio_net_hdr *vh, int64_t now)
{
	static uint8_t seg[RX_BUF];
	struct layout o;
	size_t mss = vh->gso_size, hdr, off, n;
	unsigned i = 0;

	if (!mss || !parse(f, len, &o)) {
		d->st.bad++;
		return;
	}
	d->st.gso++;
	hdr = o.payload;
	memcpy(seg, f, hdr);
	for (off = 0; off < len - hdr; off += n, i++) {
		bool last;

		n = len - hdr - off < mss ? len - hdr - off : mss;
		last = off + n == len - hdr;
		memcpy(seg + hdr, f + hdr + off, n);
		if (o.v6) {
			put16(seg + o.l3 + 4, hdr + n - o.l3 - 40);
		} else {
			put16(seg + o.l3 + 2, hdr + n - o.l3);
			put16(seg + o.l3 + 4, get16(f + o.l3 + 4) + i);
			put16(seg + o.l3 + 10, 0);
			put16(seg + o.l3 + 10, fold(sum16(seg + o.l3, o.l4 - o.l3, 0)));
		}
		if (o.proto == TCP_PROTO) {
			uint8_t flags = f[o.l4 + 13];

			if (!last)
				flags &= ~0x09;     /* FIN, PSH: on the last only */
			if (i)
				flags &= ~0x80;     /* CWR: on the first only */
			seg[o.l4 + 13] = flags;
			put32(seg + o.l4 + 4, get32(f + o.l4 + 4) + off);
		} else {
			put16(seg + o.l4 + 4, 8 + n);
		}
		set_l4_checksum(seg, hdr + n, &o);
		arrive(d, seg, hdr + n, now);
	}
}

/* One frame as the kernel gave it, its virtio header first. */
static void received(struct dir *d, uint8_t *buf, size_t len, int64_t now)
{
	struct virtio_net_hdr vh;
	uint8_t *f = buf + sizeof(vh);

	if (len < sizeof(vh) + ETH_HLEN) {
		d->st.bad++;
		return;
	}
	memcpy(&vh, buf, sizeof(vh));
	len -= sizeof(vh);
	switch (vh.gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_NONE:
		break;
	case VIRTIO_NET_HDR_GSO_TCPV4:
	case VIRTIO_NET_HDR_GSO_TCPV6:
	case VIRTIO_NET_HDR_GSO_UDP_L4:
		split(d, f, len, &vh, now);
		return;
	default:
		d->st.bad++;
		return;
	}
	if (vh.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		size_t at = (size_t)vh.csum_start + vh.csum_offset;
		uint16_t v;

		if (at + 2 > len) {
			d->st.bad++;
			return;
		}
		/* the field holds the sum of the pseudo-header */
		v = fold(sum16(f + vh.csum_start, len - vh.csum_start, 0));
		put16(f + at, v ? v : 0xffff);
	}
	arrive(d, f, len, now);
}

/* ---- input and output ---------------------------------------------------- */

static void rx(struct dir *d)
{
	static uint8_t bufs[RX_BATCH][RX_BUF];
	static struct iovec iov[RX_BATCH];
	static struct mmsghdr m[RX_BATCH];
	int64_t now;
	int n;

	for (int i = 0; i < RX_BATCH; i++) {
		iov[i] = (struct iovec){ bufs[i], RX_BUF };
		m[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i], .msg_iovlen = 1 };
	}
	n = recvmmsg(d->rx_fd, m, RX_BATCH, MSG_DONTWAIT | MSG_TRUNC, NULL);
	if (n < 0) {
		if (errno == EAGAIN || errno == EINTR || errno == ENETDOWN)
			return;
		die("receive on side %c: %s", d->name[0], strerror(errno));
	}
	now = now_ns();
	for (int i = 0; i < n; i++) {
		if (m[i].msg_hdr.msg_flags & MSG_TRUNC)
			d->st.bad++;
		else
			received(d, bufs[i], m[i].msg_len, now);
	}
}

/* Sends what is due; returns when the next frame is (INT64_MAX: none). */
static int64_t tx(struct dir *d)
{
	struct frame *f[TX_BATCH];
	struct iovec iov[TX_BATCH];
	struct mmsghdr m[TX_BATCH];
	int64_t now = now_ns();

	while (d->n && d->heap[0]->due <= now) {
		int n = 0, done = 0;

		while (n < TX_BATCH && d->n && d->heap[0]->due <= now) {
			f[n] = heap_pop(d);
			iov[n] = (struct iovec){ f[n]->data, f[n]->len };
			m[n].msg_hdr = (struct msghdr){ .msg_iov = &iov[n], .msg_iovlen = 1 };
			n++;
		}
		while (done < n) {
			int r = sendmmsg(d->tx_fd, m + done, n - done, 0);

			if (r > 0) {
				for (int i = done; i < done + r; i++) {
					d->st.out++;
					d->st.bytes_out += f[i]->len;
				}
				done += r;
			} else if (errno != EINTR) {  /* drop the one that fails */
				d->st.tx_err++;
				done++;
			}
		}
		for (int i = 0; i < n; i++)
			free(f[i]);
	}
	return d->n ? d->heap[0]->due : INT64_MAX;
}

static int packet_socket(int ifindex, bool for_rx, const char *what)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), one = 1, v = SOCK_BUF;
	struct packet_mreq mr = { .mr_ifindex = ifindex, .mr_type = PACKET_MR_PROMISC };
	struct sockaddr_ll a = {
		.sll_family = AF_PACKET, .sll_ifindex = ifindex,
		.sll_protocol = for_rx ? htons(ETH_P_ALL) : 0,
	};

	if (fd < 0)
		die("AF_PACKET socket: %s", strerror(errno));
	if (for_rx) {
		if (setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) ||
		    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) ||
		    setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &mr, sizeof(mr)))
			die("%s: packet options: %s", what, strerror(errno));
		if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &v, sizeof(v)))
			setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &v, sizeof(v));
	} else {
		setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one));
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &v, sizeof(v));
	}
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)))
		die("%s: bind: %s", what, strerror(errno));
	return fd;
}

/* Opens "IF" or "NETNS/IF": a socket to read frames, another to write them. */
static void open_if(const char *spec, int *rx_fd, int *tx_fd)
{
	const char *slash = strchr(spec, '/'), *name = slash ? slash + 1 : spec;
	int back = -1, ctl;
	struct ifreq ifr = { 0 };

	if (slash) {
		char path[256];
		int ns;

		snprintf(path, sizeof(path), "/run/netns/%.*s", (int)(slash - spec), spec);
		back = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
		ns = open(path, O_RDONLY | O_CLOEXEC);
		if (ns < 0 || back < 0 || setns(ns, CLONE_NEWNET))
			die("netns of %s: %s", spec, strerror(errno));
		close(ns);
	}
	if (strlen(name) >= IFNAMSIZ)
		die("%s: name too long", spec);
	strcpy(ifr.ifr_name, name);
	ctl = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (ctl < 0 || ioctl(ctl, SIOCGIFFLAGS, &ifr))
		die("%s: %s", spec, strerror(errno));
	ifr.ifr_flags |= IFF_UP;
	if (ioctl(ctl, SIOCSIFFLAGS, &ifr) || ioctl(ctl, SIOCGIFINDEX, &ifr))
		die("%s: %s", spec, strerror(errno));
	close(ctl);
	*rx_fd = packet_socket(ifr.ifr_ifindex, true, spec);
	*tx_fd = packet_socket(ifr.ifr_ifindex, false, spec);
	if (slash) {
		if (setns(back, CLONE_NEWNET))
			die("cannot go back to the first netns: %s", strerror(errno));
		close(back);
	}
}

/* ---- settings ------------------------------------------------------------ */

/* Reads a number and its unit; `units` lists "name=factor," pairs. */
static bool number(const char *s, const char *units, double *out)
{
	char *end, key[16];
	double v = strtod(s, &end), f;
	const char *u;

	if (end == s || !isfinite(v) || v < 0)
		return false;
	if (!*end) {
		*out = v;
		return true;
	}
	if (snprintf(key, sizeof(key), ",%s=", end) >= (int)sizeof(key))
		return false;
	u = strstr(units, key);
	if (!u || (f = atof(u + strlen(key))) <= 0)
		return false;
	*out = v * f;
	return true;
}

static bool percent(const char *s, double *out)
{
	double v;

	if (!number(s, ",%=1,", &v) || v > 100)
		return false;
	*out = v / 100;
	return true;
}

static bool set_one(struct params *p, const char *key, const char *val)
{
	static const char ms[] = ",ms=1,s=1000,us=0.001,";
	static const char bits[] = ",k=0.001,m=1,g=1000,kbit=0.001,mbit=1,gbit=1000,";
	double v;

	if (!strcmp(key, "rate")) {
		if (!number(val, bits, &v))
			return false;
		p->rate = v * 1e6;
		return true;
	}
	if (!strcmp(key, "queue")) {
		size_t n = strlen(val);

		if (n > 2 && !strcmp(val + n - 2, "ms")) {
			p->queue = 0;
			return number(val, ms, &p->queue_ms);
		}
		if (!number(val, ",k=1000,m=1000000,", &v))
			return false;
		p->queue = (int64_t)v;
		return true;
	}
	if (!strcmp(key, "burst"))
		return number(val, ",", &p->burst) && p->burst >= 1;
	if (!strcmp(key, "mangles")) return number(val, ",", &p->mangles);
	if (!strcmp(key, "drops"))   return number(val, ",", &p->drops);
	if (!strcmp(key, "delay"))   return number(val, ms, &p->delay_ms);
	if (!strcmp(key, "jitter"))  return number(val, ms, &p->jitter_ms);
	if (!strcmp(key, "rdelay"))  return number(val, ms, &p->rdelay_ms);
	if (!strcmp(key, "loss"))    return percent(val, &p->loss);
	if (!strcmp(key, "dup"))     return percent(val, &p->dup);
	if (!strcmp(key, "reorder")) return percent(val, &p->reorder);
	if (!strcmp(key, "corrupt")) return percent(val, &p->corrupt);
	if (!strcmp(key, "mangle"))  return percent(val, &p->mangle);
	return false;
}

/* Applies "key=value,key=value" to the directions in mask (1: ab, 2: ba). */
static bool set_params(unsigned mask, const char *text)
{
	char *copy = strdup(text), *save = NULL, *tok;
	bool ok = true;

	for (tok = strtok_r(copy, ",", &save); ok && tok; tok = strtok_r(NULL, ",", &save)) {
		char *eq = strchr(tok, '=');

		if (eq)
			*eq++ = 0;
		for (int i = 0; i < 2; i++)
			if (mask >> i & 1)
				ok = ok && eq && set_one(&dirs[i].p, tok, eq);
		if (!ok)
			fprintf(stderr, "linkem: bad setting '%s%s%s'\n", tok,
				eq ? "=" : "", eq ? eq : "");
	}
	free(copy);
	return ok;
}

static void print_stats(void)
{
	for (int i = 0; i < 2; i++) {
		const struct stats *s = &dirs[i].st;

		fprintf(stderr, "linkem %s: in %" PRIu64 " out %" PRIu64 " (%" PRIu64
			" bytes) lost %" PRIu64 " tail-dropped %" PRIu64 " dup %" PRIu64
			" reordered %" PRIu64 " corrupted %" PRIu64 " mangled %" PRIu64
			" gso %" PRIu64 " bad %" PRIu64 " tx-err %" PRIu64
			" max-queue %" PRId64 " held %zu\n",
			dirs[i].name, s->in, s->out, s->bytes_out, s->lost, s->tail,
			s->dup, s->reorder, s->corrupt, s->mangle, s->gso, s->bad,
			s->tx_err, s->max_backlog, dirs[i].n);
	}
}

/* One line of the control FIFO: "ab|ba|both key=value,..." or "stats". */
static void command(char *line)
{
	char *arg = strpbrk(line, " \t");
	unsigned mask;

	if (!strcmp(line, "stats")) {
		print_stats();
		return;
	}
	if (arg)
		*arg++ = 0;
	mask = !strcmp(line, "ab") ? 1 : !strcmp(line, "ba") ? 2 :
	       !strcmp(line, "both") ? 3 : 0;
	if (!mask || !arg)
		fprintf(stderr, "linkem: bad command '%s'\n", line);
	else
		set_params(mask, arg + strspn(arg, " \t"));
}

static void read_control(int fd)
{
	static char buf[1024];
	static size_t used;
	ssize_t r = read(fd, buf + used, sizeof(buf) - 1 - used);
	char *nl;

	if (r <= 0)
		return;
	used += r;
	buf[used] = 0;
	while ((nl = strchr(buf, '\n'))) {
		*nl = 0;
		if (*buf)
			command(buf);
		used -= nl + 1 - buf;
		memmove(buf, nl + 1, used + 1);
	}
	if (used == sizeof(buf) - 1)
		used = 0;            /* a line too long: forget it */
}

static void on_signal(int sig)
{
	if (sig == SIGUSR1)
		stats_flag = 1;
	else
		stop_flag = 1;
}

static void usage(FILE *to)
{
	fputs(
"usage: linkem [options] A B\n"
"Emulates a link between the Ethernet interfaces A and B, each given as IF or\n"
"NETNS/IF (a name of `ip netns`).  Give them no address; give the far ends of\n"
"the two veth pairs the addresses.  Ends on SIGINT/SIGTERM.\n"
"\n"
"  --both SET   settings of both directions\n"
"  --ab SET     settings of the direction A to B\n"
"  --ba SET     settings of the direction B to A\n"
"  -s SEED      seed of the random draws (default 1)\n"
"  -c FIFO      read settings from a FIFO while running (made if missing), one\n"
"               line each: \"ab|ba|both SET\", or \"stats\"\n"
"  -g USEC      let due frames wait up to USEC for others, which saves CPU time at\n"
"               high rates (default 0)\n"
"  -R           run with real-time priority (steadier timing)\n"
"  -v           print the counters when ending (SIGUSR1 prints them at any time)\n"
"  -h           this help\n"
"\n"
"SET is a list key=value,key=value of:\n"
"  delay=MS     one-way delay (units us, ms, s; default ms)\n"
"  jitter=MS    0..MS more delay, drawn per frame; order is kept\n"
"  rate=MBIT    rate (units k, m, g bit/s; default Mbit/s; 0: unlimited)\n"
"  queue=BYTES  queue limit (units k, m; or NNms of rate; default 100ms)\n"
"  loss=PC      loss, percent; 100 cuts the direction\n"
"  burst=N      mean number of frames lost in a row (default 1: independent)\n"
"  drops=N      drop the next N frames, once\n"
"  dup=PC       duplicated frames\n"
"  reorder=PC   frames held back, to be overtaken\n"
"  rdelay=MS    by how long (default 5)\n"
"  corrupt=PC   frames with one bit flipped, checksums left wrong\n"
"  mangle=PC    TCP data frames with a byte changed and the checksum made right\n"
"  mangles=N    stop after N of these (default: no end)\n"
"\n"
"example, 20 ms RTT, 50 Mbit/s, 0.5% loss one way:\n"
"  linkem --both delay=10,rate=50,queue=50ms --ab loss=0.5 x-lk/l1a x-lk/l1b\n",
	to);
}

int main(int argc, char **argv)
{
	static const struct option longopts[] = {
		{ "ab", required_argument, NULL, 1 },
		{ "ba", required_argument, NULL, 2 },
		{ "both", required_argument, NULL, 3 },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct sigaction sa = { .sa_handler = on_signal };
	uint64_t seed = 1;
	const char *fifo = NULL;
	bool realtime = false, verbose = false;
	int64_t grain = 0;
	int ctl = -1, opt;

	for (int i = 0; i < 2; i++)
		dirs[i].p = (struct params){
			.burst = 1, .mangles = INFINITY, .rdelay_ms = 5, .queue_ms = 100 };
	while ((opt = getopt_long(argc, argv, "s:c:g:Rvh", longopts, NULL)) != -1) {
		switch (opt) {
		case 1: case 2: case 3:
			if (!set_params(opt, optarg))
				return 2;
			break;
		case 's': {
			char *end;

			errno = 0;
			seed = strtoull(optarg, &end, 0);
			if (errno || *end || end == optarg)
				die("bad seed '%s'", optarg);
			break;
		}
		case 'c': fifo = optarg; break;
		case 'g': {
			double us;

			if (!number(optarg, ",us=1,ms=1000,", &us) || us > 1e6)
				die("bad time '%s'", optarg);
			grain = (int64_t)(us * 1000);
			break;
		}
		case 'R': realtime = true; break;
		case 'v': verbose = true; break;
		case 'h': usage(stdout); return 0;
		default:  usage(stderr); return 2;
		}
	}
	if (argc - optind != 2) {
		usage(stderr);
		return 2;
	}
	open_if(argv[optind], &dirs[0].rx_fd, &dirs[1].tx_fd);
	open_if(argv[optind + 1], &dirs[1].rx_fd, &dirs[0].tx_fd);
	rnd_seed(&dirs[0], seed);
	rnd_seed(&dirs[1], ~seed);
	if (fifo) {
		if (mkfifo(fifo, 0600) && errno != EEXIST)
			die("%s: %s", fifo, strerror(errno));
		ctl = open(fifo, O_RDWR | O_NONBLOCK | O_CLOEXEC); /* RDWR: never EOF */
		if (ctl < 0)
			die("%s: %s", fifo, strerror(errno));
	}
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGUSR1, &sa, NULL);
	prctl(PR_SET_TIMERSLACK, 1UL);
	if (realtime) {
		struct sched_param sp = { .sched_priority = 1 };

		if (sched_setscheduler(0, SCHED_FIFO, &sp))
			fprintf(stderr, "linkem: no real-time priority: %s\n", strerror(errno));
	}

	while (!stop_flag) {
		struct pollfd pf[3] = {
			{ .fd = dirs[0].rx_fd, .events = POLLIN },
			{ .fd = dirs[1].rx_fd, .events = POLLIN },
			{ .fd = ctl, .events = POLLIN },
		};
		int64_t a = tx(&dirs[0]), b = tx(&dirs[1]), next = a < b ? a : b;
		struct timespec ts, *tp = NULL;

		if (stats_flag) {
			stats_flag = 0;
			print_stats();
		}
		if (next != INT64_MAX) {
			int64_t left = next - now_ns();

			if (left < grain)
				left = grain;
			ts = (struct timespec){ left / NSEC, left % NSEC };
			tp = &ts;
		}
		if (ppoll(pf, 3, tp, NULL) < 0) {
			if (errno == EINTR)
				continue;
			die("ppoll: %s", strerror(errno));
		}
		for (int i = 0; i < 2; i++)
			if (pf[i].revents)
				rx(&dirs[i]);
		if (pf[2].revents & POLLIN)
			read_control(ctl);
	}
	if (verbose)
		print_stats();
	return 0;
}
