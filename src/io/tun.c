// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The TUN device.  Each packet is one writev() of a virtio-net header, the built headers
 * and the payload in place.  The kernel treats it as received from the device: it goes
 * through netfilter, is routed, and is cut into segments on its way out, or by the network
 * card itself.
 *
 * All of that would be done within our system call, often as far as the receiver's socket.
 * So the device has NAPI: a write only puts the packet into the queue's own list, which a
 * thread of the kernel works off (another processor, if one is free; many packets in a row).
 * The thread must be asked for through /sys, whose files are root's whatever capabilities
 * others have; without it the list is worked off at once, by the writer.  What waits in the
 * list is bounded as the socket's send buffer, and a write beyond it fails.  Where processors
 * are scarce, the thread had better come after those who write: then it finds more in the
 * list, and is woken less often.  So it gets a lower priority than theirs.
 *
 * The device is configured by ioctl and /proc when it is opened; it goes away with its
 * last descriptor.  ICMP errors leave by raw sockets.
 *
 * Owns the descriptors; a write may fail, which is counted and left to TCP.  That somebody has
 * taken the device down or deleted it, the owner is told when it asks.
 */
#include "io/tun.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/log.h"
#include "wire/packet.h"

/* Offset in a TCP header. */
#define TCP_CHECKSUM_AT 16
#define TX_QUEUE_PACKETS 1000
/* Memory of the packets that wait for the kernel's thread, per queue; several time slices of
 * the fastest of transfers. */
#define NAPI_QUEUE_BYTES (32 << 20)
/* How long to wait, at the end, for the kernel's thread to take what was written. */
#define TAKEN_MS 1000
/* A third of the share that others get of a processor for which they contend. */
#define FORWARDER_NICE 5

struct tun {
	int fd;
	int raw4, raw6;         /* raw IP sockets; -1: none */
	char name[IFNAMSIZ];
	struct counters *counters;
};

static int ioctl_errno(int fd, unsigned long request, void *arg)
{
	return ioctl(fd, request, arg) < 0 ? -errno : 0;
}

/* Sets a sysctl of this device; not fatal where IPv6 or the key does not exist. */
static int set_sysctl(const struct tun *t, const char *family, const char *key, const char *value)
{
	char path[128];
	int fd, ret = 0;

	snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", family, t->name, key);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, value, strlen(value)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

static int open_device(struct tun *t, bool multi_queue, bool first)
{
	struct ifreq ifr = { .ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR };
	unsigned int offload = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
	int header_len = sizeof(struct virtio_net_hdr), queue_bytes = NAPI_QUEUE_BYTES;
	unsigned int features;
	int ret;

	t->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (t->fd < 0)
		return -errno;
	/* Since Linux 4.15. */
	if (ioctl(t->fd, TUNGETFEATURES, &features) == 0 && (features & IFF_NAPI))
		ifr.ifr_flags |= IFF_NAPI;
	memcpy(ifr.ifr_name, t->name, sizeof(ifr.ifr_name));
	/* Of a device with several queues, another process could open one more. */
	if (multi_queue)
		ifr.ifr_flags |= IFF_MULTI_QUEUE | (first ? IFF_TUN_EXCL : 0);
	ret = ioctl_errno(t->fd, TUNSETIFF, &ifr);
	if (!ret)
		ret = ioctl_errno(t->fd, TUNSETVNETHDRSZ, &header_len);
	if (!ret)
		ret = ioctl_errno(t->fd, TUNSETSNDBUF, &queue_bytes);
	if (!ret && ioctl(t->fd, TUNSETOFFLOAD, (unsigned long)offload) < 0)
		ret = -errno;
	return ret;
}

/* Asks for a kernel thread per queue, also of those that are opened later. */
static void use_threads(const struct tun *t)
{
	char path[64];
	int fd, err = 0;

	snprintf(path, sizeof(path), "/sys/class/net/%s/threaded", t->name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "1", 1) < 0)
		err = errno;
	if (fd >= 0)
		close(fd);
	if (err)
		log_debug("%s: %s: workers forward their packets themselves", path,
			  strerror(err));
}

/* Of a thread of the kernel; NULL if `pid' is none. */
static const char *thread_name(const char *pid, char buf[256])
{
	char path[64], *name, *end;
	FILE *f;
	size_t len;

	/* pid (name) state parent ...; all are children of kthreadd, which is always 2. */
	snprintf(path, sizeof(path), "/proc/%.16s/stat", pid);
	f = fopen(path, "re");
	if (!f)
		return NULL;
	len = fread(buf, 1, 255, f);
	fclose(f);
	buf[len] = '\0';
	name = strchr(buf, '(');
	end = strrchr(buf, ')');
	if (!name || !end || strncmp(end, ") ", 2) || strncmp(end + 3, " 2 ", 3))
		return NULL;
	*end = '\0';
	return name + 1;
}

static int lower_priority(pid_t pid)
{
	struct sched_param param = { 0 };

	/* What an administrator has chosen stays. */
	if (sched_getscheduler(pid) != SCHED_OTHER || getpriority(PRIO_PROCESS, (id_t)pid))
		return 0;
	if (sched_setscheduler(pid, SCHED_BATCH, &param) < 0 ||
	    setpriority(PRIO_PROCESS, (id_t)pid, FORWARDER_NICE) < 0)
		return -errno;
	return 0;
}

void tun_settle_threads(const char *device)
{
	char wanted[32], buf[256];
	const char *name;
	struct dirent *entry;
	DIR *proc = opendir("/proc");
	int ret;

	if (!proc)
		return;
	snprintf(wanted, sizeof(wanted), "napi/%s-", device);
	while ((entry = readdir(proc))) {
		if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
			continue;
		name = thread_name(entry->d_name, buf);
		if (!name || strncmp(name, wanted, strlen(wanted)))
			continue;
		ret = lower_priority((pid_t)strtol(entry->d_name, NULL, 10));
		if (ret)
			log_debug("thread %s: its priority stays: %s", name, strerror(-ret));
	}
	closedir(proc);
}

/* The IPv4 dummy address (RFC 7600, section 4.8), good for a device that needs one. */
#define DUMMY_ADDRESS 0xc0000008u

static int bring_up(struct tun *t)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(DUMMY_ADDRESS),
	};
	struct ifreq ifr = { 0 };
	int ret, s;

	/* No link-local address, no router solicitations: nobody is at the other end. */
	set_sysctl(t, "ipv6", "addr_gen_mode", "1");
	set_sysctl(t, "ipv6", "accept_ra", "0");
	set_sysctl(t, "ipv6", "router_solicitations", "0");
	/* Sources here are servers, which are reached through other devices, or endpoints,
	 * which may be addresses of this machine. */
	set_sysctl(t, "ipv4", "accept_local", "1");
	ret = set_sysctl(t, "ipv4", "rp_filter", "2");
	if (ret)
		return ret;

	s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s < 0)
		return -errno;
	memcpy(ifr.ifr_name, t->name, sizeof(ifr.ifr_name));
	ifr.ifr_qlen = TX_QUEUE_PACKETS;
	ret = ioctl_errno(s, SIOCSIFTXQLEN, &ifr);
	/* With rp_filter, the kernel drops whatever a device without an address brings. */
	memcpy(&ifr.ifr_addr, &addr, sizeof(addr));
	if (!ret)
		ret = ioctl_errno(s, SIOCSIFADDR, &ifr);
	if (!ret)
		ret = ioctl_errno(s, SIOCGIFFLAGS, &ifr);
	if (!ret) {
		ifr.ifr_flags |= IFF_UP;
		ret = ioctl_errno(s, SIOCSIFFLAGS, &ifr);
	}
	close(s);
	return ret;
}

struct tun *tun_new(const char *name, unsigned queues, bool first, struct counters *counters,
		    char *err, size_t err_len)
{
	struct tun *t = calloc(1, sizeof(*t));
	const char *why = NULL;
	int ret = -ENOMEM;

	if (!t)
		goto fail;
	t->fd = -1;
	t->raw4 = -1;
	t->raw6 = -1;
	t->counters = counters;
	if (!*name || strlen(name) >= sizeof(t->name)) {
		ret = -EINVAL;
		why = "a device name has 1 to 15 characters";
		goto fail;
	}
	strcpy(t->name, name);
	ret = open_device(t, queues > 1, first);
	if (ret == -EBUSY)
		why = queues > 1 ? "there is such a device, perhaps another process's; [proxy] "
				   "device sets another name"
				 : "the device is in use by another process; [proxy] device sets "
				   "another name";
	else if (ret == -EINVAL)
		why = "a device of this name exists and is not a TUN device of this kind, with as "
		      "many queues; [proxy] device sets another name";
	else if (ret == -ENOENT || ret == -ENODEV)
		why = "no /dev/net/tun: is the kernel module `tun' loaded?";
	else if (ret == -EPERM || ret == -EACCES)
		why = "permission denied: CAP_NET_ADMIN and /dev/net/tun are needed";
	if (!ret && first)
		ret = bring_up(t);
	if (ret)
		goto fail;
	if (first)
		use_threads(t);
	/* IPPROTO_RAW: the packet brings its own header.  IPv6 may be missing. */
	t->raw4 = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	t->raw6 = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	if (t->raw4 < 0) {
		ret = -errno;
		why = ret == -EPERM ? "raw sockets need CAP_NET_RAW" : NULL;
		goto fail;
	}
	return t;

fail:
	snprintf(err, err_len, "cannot open TUN device %s: %s", name,
		 why ? why : strerror(-ret));
	tun_free(t);
	return NULL;
}

/*
 * What still waits in the kernel's list would be thrown away with the descriptor: at the end, the
 * resets that tell clients of it.  A queue is writable while what waits is less than half of the
 * bound: of the least one, while nothing does.
 */
static void wait_until_taken(struct tun *t)
{
	struct pollfd p = { .fd = t->fd, .events = POLLOUT };
	int least = 4, all = NAPI_QUEUE_BYTES;

	/* The bound is the device's, and other queues go on. */
	if (t->raw4 < 0 || !tun_is_up(t) || ioctl(t->fd, TUNSETSNDBUF, &least) < 0)
		return;
	poll(&p, 1, TAKEN_MS);
	ioctl(t->fd, TUNSETSNDBUF, &all);
}

void tun_free(struct tun *t)
{
	if (!t)
		return;
	if (t->fd >= 0) {
		wait_until_taken(t);
		close(t->fd);
	}
	if (t->raw4 >= 0)
		close(t->raw4);
	if (t->raw6 >= 0)
		close(t->raw6);
	free(t);
}

int tun_fd(const struct tun *t)
{
	return t->fd;
}

static void count_sent(struct tun *t, ssize_t ret, size_t len)
{
	if (ret < 0) {
		counter_inc(t->counters, CNT_TX_ERRORS);
		return;
	}
	counter_inc(t->counters, CNT_TX_PACKETS);
	counter_add(t->counters, CNT_TX_BYTES, len);
}

static void send_packet(struct tun *t, const struct iovec *iov, int n, size_t len)
{
	ssize_t ret;

	do {
		ret = writev(t->fd, iov, n);
	} while (ret < 0 && errno == EINTR);
	count_sent(t, ret, len);
}

void tun_emit(void *ctx, const struct packet_out *p)
{
	/* All fields are in host order (legacy virtio), which is what the device expects. */
	struct virtio_net_hdr vnet = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.csum_start = (uint16_t)p->ip_len,
		.csum_offset = TCP_CHECKSUM_AT,
	};
	struct iovec iov[2 + PACKET_IOV_MAX];
	int n = p->payload_iovs;

	if (p->payload_len > p->segment_len) {
		vnet.gso_type = ip_addr_is_v4(&p->tuple->src.addr) ? VIRTIO_NET_HDR_GSO_TCPV4
								   : VIRTIO_NET_HDR_GSO_TCPV6;
		/* CWR belongs on the first of the segments only (RFC 3168, section 6.1.2). */
		if (p->headers[p->ip_len + TCP_FLAGS_AT] & TCP_CWR)
			vnet.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
		vnet.gso_size = p->segment_len;
		vnet.hdr_len = (uint16_t)p->headers_len;
	}
	iov[0].iov_base = &vnet;
	iov[0].iov_len = sizeof(vnet);
	iov[1].iov_base = p->headers;
	iov[1].iov_len = p->headers_len;
	for (int i = 0; i < n; i++)
		iov[2 + i] = p->payload[i];
	send_packet(ctx, iov, 2 + n, p->headers_len + p->payload_len);
}

/*
 * By a raw socket, so as a packet of this machine: the source may be an address for which
 * the machine has no route (that is what the error tells), and which the kernel would not
 * accept from a device.
 */
void tun_emit_raw(struct tun *t, const uint8_t *data, size_t len)
{
	struct sockaddr_in6 to6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in to4 = { .sin_family = AF_INET };
	ssize_t ret;

	if (data[0] >> 4 == 4) {
		memcpy(&to4.sin_addr, data + 16, 4);
		ret = sendto(t->raw4, data, len, MSG_DONTWAIT, (struct sockaddr *)&to4,
			     sizeof(to4));
	} else {
		memcpy(&to6.sin6_addr, data + 24, 16);
		ret = sendto(t->raw6, data, len, MSG_DONTWAIT, (struct sockaddr *)&to6,
			     sizeof(to6));
	}
	count_sent(t, ret, len);
}

int tun_discard(struct tun *t)
{
	uint8_t buf[sizeof(struct virtio_net_hdr) + PACKET_MAX];

	for (int i = 0; i < 64; i++) {
		if (read(t->fd, buf, sizeof(buf)) < 0)
			return errno == EBADFD ? -ENODEV : 0;
	}
	return 0;
}

bool tun_is_up(const struct tun *t)
{
	struct ifreq ifr = { 0 };

	memcpy(ifr.ifr_name, t->name, sizeof(ifr.ifr_name));
	/* In doubt it is; that it is gone comes by tun_discard(). */
	return ioctl(t->raw4, SIOCGIFFLAGS, &ifr) < 0 || (ifr.ifr_flags & IFF_UP);
}
