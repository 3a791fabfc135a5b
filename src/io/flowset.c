// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Elements of the flow sets, removed over netlink and refreshed by packets.
 *
 * What is to be forgotten is kept in an array; a flush turns it into one nftables transaction.
 * Kernels before 6.3 cannot destroy an element that may be missing, and fail the whole
 * transaction when one that is to be deleted has expired by itself; they get a transaction
 * per element.  Which kind it is, is tried at start.
 *
 * An element gets its timeout anew as from the client's packets, by a rule that updates the set: a
 * packet of this flow, with no flag of TCP's that means anything, is sent to the machine itself and
 * goes no further than that rule, in the output hook.  A transaction could do it, too, on all kernels
 * only by adding the element anew.  But a set counts what a transaction adds before what it
 * removes, and a rule only asks whether the count equals the size: when one adds to a full set,
 * rules that add meanwhile go past it, and nothing bounds the set any more.  Floods fill sets.
 *
 * A flow may be begun anew (same addresses and ports) while its removal is on the way, in
 * which case the new flow would lose its element.  So forgotten flows are remembered for a
 * while, by hash, and flowset_confirm() puts one that is alive again back.
 *
 * Owns the sockets; never waits for an answer.
 */
#include "io/flowset.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/hash.h"
#include "wire/packet.h"

/* Since Linux 6.3; not in the headers of older systems. */
#define MSG_DESTROYSETELEM 30
#define PENDING_MAX 256
/* An IPv6 element takes 64 bytes. */
#define MESSAGE_BYTES (PENDING_MAX * 64 + 2048)
#define SEND_BUFFER (1 << 20)
#define RECENT_SLOTS 4096u

struct flowset {
	struct mnl_socket *nl;
	int raw4, raw6;                 /* -1: none */
	char table[64];
	bool can_destroy;
	uint32_t seq;
	uint64_t errors;
	size_t count;
	struct flow_tuple pending[PENDING_MAX]; /* to be removed */
	struct hash_key key;
	uint32_t recent[RECENT_SLOTS];  /* part of the hash of what was forgotten; 0: none */
	uint8_t message[MESSAGE_BYTES];
};

static struct nlmsghdr *put_header(struct flowset *f, void *at, uint16_t type, uint16_t flags,
				   uint8_t family, uint16_t res_id)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(at);
	struct nfgenmsg *nfg;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nlh->nlmsg_seq = f->seq++;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = family;
	nfg->version = NFNETLINK_V0;
	nfg->res_id = htons(res_id);
	return nlh;
}

static size_t put_boundary(struct flowset *f, uint8_t *at, uint16_t type)
{
	return put_header(f, at, type, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES)->nlmsg_len;
}

/* The element's key: fields in order, each padded to four bytes. */
static size_t build_key(const struct flow_tuple *t, uint8_t key[40])
{
	const struct ip_endpoint *ends[] = { &t->src, &t->dst };
	bool v4 = ip_addr_is_v4(&t->src.addr);
	size_t n = 0;

	memset(key, 0, 40);
	for (int i = 0; i < 2; i++) {
		uint16_t port_be = htons(ends[i]->port);

		if (v4)
			memcpy(key + n, ip_addr_v4(&ends[i]->addr), 4);
		else
			memcpy(key + n, ends[i]->addr.b, 16);
		n += v4 ? 4 : 16;
		memcpy(key + n, &port_be, 2);
		n += 4;
	}
	return n;
}

static void put_element(struct nlmsghdr *nlh, const struct flow_tuple *t)
{
	struct nlattr *element, *wrap;
	uint8_t key[40];
	size_t len = build_key(t, key);

	element = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
	wrap = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_KEY);
	mnl_attr_put(nlh, NFTA_DATA_VALUE, len, key);
	mnl_attr_nest_end(nlh, wrap);
	mnl_attr_nest_end(nlh, element);
}

/* One message about all of a family among `n` flows; 0 if there are none. */
static size_t put_elements(struct flowset *f, uint8_t *at, uint8_t type, bool v4,
			   const struct flow_tuple *flows, size_t n)
{
	struct nlmsghdr *nlh = NULL;
	struct nlattr *list = NULL;

	for (size_t i = 0; i < n; i++) {
		if (ip_addr_is_v4(&flows[i].src.addr) != v4)
			continue;
		if (!nlh) {
			nlh = put_header(f, at, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), 0,
					 NFPROTO_INET, 0);
			mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, f->table);
			mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, v4 ? "flows4" : "flows6");
			list = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
		}
		put_element(nlh, &flows[i]);
	}
	if (!nlh)
		return 0;
	mnl_attr_nest_end(nlh, list);
	return nlh->nlmsg_len;
}

static void send_message(struct flowset *f, size_t len)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	if (sendto(mnl_socket_get_fd(f->nl), f->message, len, MSG_DONTWAIT,
		   (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		f->errors++;
}

static void send_removals(struct flowset *f, uint8_t type, const struct flow_tuple *flows, size_t n)
{
	uint8_t *at = f->message;

	at += put_boundary(f, at, NFNL_MSG_BATCH_BEGIN);
	for (int v4 = 0; v4 < 2; v4++)
		at += put_elements(f, at, type, v4, flows, n);
	at += put_boundary(f, at, NFNL_MSG_BATCH_END);
	send_message(f, (size_t)(at - f->message));
}

/* Reads answers; returns the last error, or 0. */
static int read_answers(struct flowset *f, bool count)
{
	uint8_t buf[16384];
	int ret = 0;
	ssize_t n;

	while ((n = recv(mnl_socket_get_fd(f->nl), buf, sizeof(buf), MSG_DONTWAIT)) != 0) {
		struct nlmsghdr *nlh = (struct nlmsghdr *)buf;
		int left = (int)n;

		if (n < 0) {
			if (errno == EINTR)
				continue;
			if (errno != EAGAIN)
				f->errors += count;
			if (errno == ENOBUFS)
				continue;
			break;
		}
		for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
			struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);

			if (nlh->nlmsg_type != NLMSG_ERROR || !e->error)
				continue;
			ret = e->error;
			/* An element that expired before it was deleted is as it should be. */
			if (ret != -ENOENT || f->can_destroy)
				f->errors += count;
		}
	}
	return ret;
}

/* A raw socket for whole packets with this mark, or -1. */
static int open_raw(int family, uint32_t mark)
{
	int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW), error;

	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) < 0) {
		error = errno;
		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

struct flowset *flowset_new(const char *table, uint32_t mark, char *err, size_t err_len)
{
	struct flow_tuple nobody = { 0 };
	struct flowset *f = calloc(1, sizeof(*f));
	int size = SEND_BUFFER, on = 1, ret;

	if (!f) {
		snprintf(err, err_len, "flow sets: %s", strerror(ENOMEM));
		return NULL;
	}
	snprintf(f->table, sizeof(f->table), "%s", table);
	/* There may be no IPv6. */
	f->raw4 = open_raw(AF_INET, mark);
	f->raw6 = open_raw(AF_INET6, mark);
	if (f->raw4 < 0)
		goto fail;
	if (getrandom(&f->key, sizeof(f->key), 0) != (ssize_t)sizeof(f->key))
		goto fail;
	f->nl = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!f->nl || mnl_socket_bind(f->nl, 0, MNL_SOCKET_AUTOPID) < 0)
		goto fail;
	setsockopt(mnl_socket_get_fd(f->nl), SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	/* Errors with nothing but the header of what caused them. */
	mnl_socket_setsockopt(f->nl, NETLINK_CAP_ACK, &on, sizeof(on));

	/* Requests are carried out within send(): the answer is there already. */
	ip_addr_from_v4(&nobody.src.addr, (const uint8_t[4]){ 0, 0, 0, 0 });
	nobody.dst.addr = nobody.src.addr;
	send_removals(f, MSG_DESTROYSETELEM, &nobody, 1);
	ret = read_answers(f, false);
	/* The table may be made later; an unknown request is EINVAL. */
	f->can_destroy = !ret || ret == -ENOENT;
	return f;

fail:
	snprintf(err, err_len, "flow sets: %s", strerror(errno));
	flowset_free(f);
	return NULL;
}

void flowset_free(struct flowset *f)
{
	if (!f)
		return;
	if (f->nl)
		mnl_socket_close(f->nl);
	if (f->raw4 >= 0)
		close(f->raw4);
	if (f->raw6 >= 0)
		close(f->raw6);
	free(f);
}

static size_t find_pending(const struct flowset *f, const struct flow_tuple *tuple)
{
	size_t i = 0;

	while (i < f->count && !flow_tuple_equal(&f->pending[i], tuple))
		i++;
	return i;
}

/* The slot of a flow and, in *mark, what tells it from the others; never 0. */
static uint32_t *recent_slot(struct flowset *f, const struct flow_tuple *tuple, uint32_t *mark)
{
	uint64_t hash = hash_bytes(&f->key, tuple, sizeof(*tuple));

	*mark = (uint32_t)(hash >> 32) | 1;
	return &f->recent[hash % RECENT_SLOTS];
}

void flowset_forget(struct flowset *f, const struct flow_tuple *tuple)
{
	uint32_t mark, *slot = recent_slot(f, tuple, &mark);

	*slot = mark;
	if (find_pending(f, tuple) < f->count)
		return;
	if (f->count == PENDING_MAX)
		flowset_flush(f);
	f->pending[f->count++] = *tuple;
}

/*
 * The rule drops it, which is told as EPERM.  Without the rules it comes back to this machine and is
 * nobody's: its checksum is not completed.
 */
static void send_packet(struct flowset *f, const struct flow_tuple *tuple, uint8_t flags)
{
	struct sockaddr_in to4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 to6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct tcp_header h = {
		.src_port = tuple->src.port, .dst_port = tuple->dst.port, .flags = flags,
	};
	uint8_t packet[PACKET_HEADER_MAX];
	size_t ip_len, len;
	ssize_t ret;

	len = packet_build_tcp(packet, tuple, &h, NULL, 0, 0, PACKET_ECN_NONE, 0, &ip_len);
	do {
		if (ip_addr_is_v4(&tuple->dst.addr))
			ret = sendto(f->raw4, packet, len, MSG_DONTWAIT, (struct sockaddr *)&to4,
				     sizeof(to4));
		else
			ret = sendto(f->raw6, packet, len, MSG_DONTWAIT, (struct sockaddr *)&to6,
				     sizeof(to6));
	} while (ret < 0 && errno == EINTR);
	if (ret >= 0 || errno != EPERM)
		f->errors++;
}

static void put_back(struct flowset *f, const struct flow_tuple *tuple, uint8_t flags)
{
	size_t i = find_pending(f, tuple);

	if (i < f->count)
		f->pending[i] = f->pending[--f->count];
	send_packet(f, tuple, flags);
}

void flowset_refresh(struct flowset *f, const struct flow_tuple *tuple)
{
	put_back(f, tuple, 0);
}

void flowset_confirm(struct flowset *f, const struct flow_tuple *tuple)
{
	uint32_t mark, *slot = recent_slot(f, tuple, &mark);

	if (*slot != mark)
		return;
	*slot = 0;
	put_back(f, tuple, TCP_URG);
}

size_t flowset_pending(const struct flowset *f)
{
	return f->count;
}

void flowset_flush(struct flowset *f)
{
	if (!f->count)
		return;
	if (f->can_destroy) {
		send_removals(f, MSG_DESTROYSETELEM, f->pending, f->count);
	} else {
		for (size_t i = 0; i < f->count; i++)
			send_removals(f, NFT_MSG_DELSETELEM, &f->pending[i], 1);
		/* There may be many, which would not wait for their turn. */
		read_answers(f, true);
	}
	f->count = 0;
}

void flowset_drain(struct flowset *f)
{
	read_answers(f, true);
}

uint64_t flowset_errors(const struct flowset *f)
{
	return f->errors;
}
