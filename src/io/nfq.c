// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * NFQUEUE over netlink.
 *
 * libmnl speaks to the kernel while the queue is set up; packets are then taken with
 * recvmmsg() into a fixed buffer, one slot per message, and parsed in place.  Verdicts of
 * a batch go out in one send: ACCEPT for each packet that passes, then one batch verdict
 * DROP, which the kernel applies to everything up to that id which has no verdict yet.
 *
 * The socket never reports ENOBUFS: that would put it into a state in which the kernel
 * refuses every packet until the receive buffer is empty.  What the kernel dropped is known
 * all the same: it numbers a packet before it finds the buffer full, so that each leaves a gap.
 * The queue has its own bound, which comes before the number and shows only in a file that is
 * root's; it is set to what the buffer cannot hold.
 *
 * Owns the socket and the buffers.
 */
#include "io/nfq.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

/* A whole message, and so arranged that slots do not share cache sets. */
#define SLOT_BYTES (68u * 1024 + 64)
/* Bytes of messages that the kernel keeps for us; it doubles that, and counts at least some
 * hundreds for each. */
#define RECEIVE_BYTES (32 << 20)
#define QUEUE_PACKETS (2 * RECEIVE_BYTES / 256u)
/* ACCEPT for each packet of a batch, or fewer and one DROP. */
#define VERDICT_BYTES (NFQ_BATCH * 64)

struct nfq {
	struct mnl_socket *nl;
	int fd;
	uint16_t number;
	uint32_t last_id;       /* of the packet that came last */
	struct counters *counters;
	uint8_t *buffer;        /* NFQ_BATCH slots */
	struct mmsghdr msgs[NFQ_BATCH];
	struct iovec iovs[NFQ_BATCH];
	uint8_t verdicts[VERDICT_BYTES];
};

static struct nlmsghdr *put_header(void *at, int type, uint16_t queue, uint16_t flags)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(at);
	struct nfgenmsg *nfg;

	nlh->nlmsg_type = (NFNL_SUBSYS_QUEUE << 8) | type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = AF_UNSPEC;
	nfg->version = NFNETLINK_V0;
	nfg->res_id = htons(queue);
	return nlh;
}

/*
 * Sends one request and waits for its acknowledgement.  The receive timeout bounds the
 * wait; packets that come in between are thrown away (and dropped by the first verdict).
 */
static int request(struct nfq *q, struct nlmsghdr *nlh)
{
	struct nlmsghdr *reply = (struct nlmsghdr *)q->buffer;
	int ret;

	if (mnl_socket_sendto(q->nl, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	for (;;) {
		ret = (int)mnl_socket_recvfrom(q->nl, q->buffer, SLOT_BYTES);
		if (ret < 0)
			return -errno;
		if (!mnl_nlmsg_ok(reply, ret) || reply->nlmsg_type != NLMSG_ERROR)
			continue;
		return ((struct nlmsgerr *)mnl_nlmsg_get_payload(reply))->error;
	}
}

static int configure(struct nfq *q)
{
	struct nfqnl_msg_config_params params = {
		.copy_range = htonl(0xffff), .copy_mode = NFQNL_COPY_PACKET,
	};
	struct nfqnl_msg_config_cmd cmd = {
		.command = NFQNL_CFG_CMD_BIND, .pf = htons(AF_UNSPEC),
	};
	uint8_t buf[256];
	struct nlmsghdr *nlh;
	int ret;

	nlh = put_header(buf, NFQNL_MSG_CONFIG, q->number, NLM_F_ACK);
	mnl_attr_put(nlh, NFQA_CFG_CMD, sizeof(cmd), &cmd);
	ret = request(q, nlh);
	if (ret)
		return ret;
	/* Flags and length first: with the copy mode packets begin to come. */
	nlh = put_header(buf, NFQNL_MSG_CONFIG, q->number, NLM_F_ACK);
	mnl_attr_put_u32(nlh, NFQA_CFG_FLAGS, htonl(NFQA_CFG_F_GSO));
	mnl_attr_put_u32(nlh, NFQA_CFG_MASK,
			 htonl(NFQA_CFG_F_GSO | NFQA_CFG_F_FAIL_OPEN));
	mnl_attr_put_u32(nlh, NFQA_CFG_QUEUE_MAXLEN, htonl(QUEUE_PACKETS));
	ret = request(q, nlh);
	if (ret)
		return ret;
	nlh = put_header(buf, NFQNL_MSG_CONFIG, q->number, NLM_F_ACK);
	mnl_attr_put(nlh, NFQA_CFG_PARAMS, sizeof(params), &params);
	return request(q, nlh);
}

static int open_socket(struct nfq *q)
{
	struct timeval timeout = { .tv_sec = 5 };
	int on = 1, size = RECEIVE_BYTES;

	q->nl = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!q->nl)
		return -errno;
	q->fd = mnl_socket_get_fd(q->nl);
	if (mnl_socket_bind(q->nl, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	mnl_socket_setsockopt(q->nl, NETLINK_NO_ENOBUFS, &on, sizeof(on));
	setsockopt(q->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	if (setsockopt(q->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(q->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	return 0;
}

struct nfq *nfq_new(uint16_t number, struct counters *counters, char *err, size_t err_len)
{
	struct nfq *q = calloc(1, sizeof(*q));
	int ret = -ENOMEM;

	if (!q)
		goto fail_alloc;
	q->number = number;
	q->counters = counters;
	q->buffer = mmap(NULL, (size_t)NFQ_BATCH * SLOT_BYTES, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (q->buffer == MAP_FAILED)
		goto fail_buffer;
	for (int i = 0; i < NFQ_BATCH; i++) {
		q->iovs[i].iov_base = q->buffer + (size_t)i * SLOT_BYTES;
		q->iovs[i].iov_len = SLOT_BYTES;
		q->msgs[i].msg_hdr.msg_iov = &q->iovs[i];
		q->msgs[i].msg_hdr.msg_iovlen = 1;
	}
	ret = open_socket(q);
	if (!ret)
		ret = configure(q);
	if (ret)
		goto fail_socket;
	return q;

fail_socket:
	if (q->nl)
		mnl_socket_close(q->nl);
	munmap(q->buffer, (size_t)NFQ_BATCH * SLOT_BYTES);
fail_buffer:
	free(q);
fail_alloc:
	/* The kernel's answer when the queue belongs to another socket.  (That the process may
	 * bind queues was found out before.) */
	if (ret == -EPERM)
		ret = -EBUSY;
	snprintf(err, err_len, "cannot bind NFQUEUE %u: %s", number,
		 ret == -EBUSY ? "in use by another process; [proxy] queue sets another number" :
		 strerror(-ret));
	errno = -ret;
	return NULL;
}

void nfq_free(struct nfq *q)
{
	if (!q)
		return;
	/* Unbinds; the kernel drops what has no verdict. */
	mnl_socket_close(q->nl);
	munmap(q->buffer, (size_t)NFQ_BATCH * SLOT_BYTES);
	free(q);
}

int nfq_fd(const struct nfq *q)
{
	return q->fd;
}

static uint32_t get_be32(const struct nlattr *attr)
{
	uint32_t v;

	memcpy(&v, mnl_attr_get_payload(attr), sizeof(v));
	return ntohl(v);
}

/* False: no packet. */
static bool parse_message(const struct nlmsghdr *nlh, struct nfq_packet *out)
{
	const struct nfqnl_msg_packet_hdr *header = NULL;
	const struct nlattr *attr;
	uint32_t flags = 0;

	if (nlh->nlmsg_type != ((NFNL_SUBSYS_QUEUE << 8) | NFQNL_MSG_PACKET))
		return false;
	out->data = NULL;
	out->len = 0;
	mnl_attr_for_each(attr, nlh, sizeof(struct nfgenmsg)) {
		switch (mnl_attr_get_type(attr)) {
		case NFQA_PACKET_HDR:
			if (mnl_attr_get_payload_len(attr) >= sizeof(*header))
				header = mnl_attr_get_payload(attr);
			break;
		case NFQA_SKB_INFO:
			if (mnl_attr_get_payload_len(attr) >= sizeof(flags))
				flags = get_be32(attr);
			break;
		case NFQA_PAYLOAD:
			out->data = mnl_attr_get_payload(attr);
			out->len = mnl_attr_get_payload_len(attr);
			break;
		}
	}
	if (!header)
		return false;
	memcpy(&out->id, (const uint8_t *)header, sizeof(out->id));
	out->id = ntohl(out->id);
	out->local = header->hook == NF_INET_LOCAL_OUT;
	out->checksum_known = !(flags & NFQA_SKB_CSUM_NOTVERIFIED);
	return true;
}

int nfq_receive(struct nfq *q, struct nfq_packet out[NFQ_BATCH])
{
	int n, count = 0;

	do {
		n = recvmmsg(q->fd, q->msgs, NFQ_BATCH, MSG_DONTWAIT, NULL);
	} while (n < 0 && errno == EINTR);
	if (n < 0) {
		if (errno == EAGAIN)
			return 0;
		return errno == ENOBUFS ? 0 : -errno;
	}
	for (int i = 0; i < n; i++) {
		const struct nlmsghdr *nlh = q->iovs[i].iov_base;

		/* One packet per message; else it is an error about a verdict that came too
		 * late, which is nobody's loss. */
		if (!mnl_nlmsg_ok(nlh, (int)q->msgs[i].msg_len) ||
		    !parse_message(nlh, &out[count]))
			continue;
		counter_add(q->counters, CNT_RX_OVERRUN, out[count].id - q->last_id - 1);
		q->last_id = out[count].id;
		counter_inc(q->counters, CNT_RX_PACKETS);
		counter_add(q->counters, CNT_RX_BYTES, out[count].len);
		count++;
	}
	return count;
}

static struct nlmsghdr *put_verdict(struct nfq *q, void *at, int type, uint32_t verdict,
				    uint32_t id)
{
	struct nfqnl_msg_verdict_hdr header = { .verdict = htonl(verdict), .id = htonl(id) };
	struct nlmsghdr *nlh = put_header(at, type, q->number, 0);

	mnl_attr_put(nlh, NFQA_VERDICT_HDR, sizeof(header), &header);
	return nlh;
}

void nfq_verdict(struct nfq *q, const struct nfq_packet *packets, int n, uint32_t pass)
{
	uint32_t all = n < 32 ? (1u << n) - 1 : UINT32_MAX;
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	uint8_t *at = q->verdicts;
	ssize_t ret;

	if (n <= 0)
		return;
	pass &= all;
	if (pass != all) {
		for (int i = 0; i < n; i++) {
			if (pass & 1u << i)
				at += put_verdict(q, at, NFQNL_MSG_VERDICT, NF_ACCEPT,
						  packets[i].id)->nlmsg_len;
		}
	}
	at += put_verdict(q, at, NFQNL_MSG_VERDICT_BATCH, pass == all ? NF_ACCEPT : NF_DROP,
			  packets[n - 1].id)->nlmsg_len;
	do {
		ret = sendto(q->fd, q->verdicts, (size_t)(at - q->verdicts), 0,
			     (struct sockaddr *)&kernel, sizeof(kernel));
	} while (ret < 0 && errno == EINTR);
}
