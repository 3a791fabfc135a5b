// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The addresses of this machine's interfaces.
 *
 * One entry for each pair of address and interface, kept when the address goes, so that an
 * address that was here can be told from one that never was (joins may also be routed to this
 * machine without its having the address).  The kernel's list is read whole at start, and
 * again when messages were lost.  Only a list that was read to its end counts: until then what
 * was known stays, because to withdraw addresses by mistake ends connections' paths.
 *
 * Owns its socket, its event and its entries; calls libmnl.
 */
#include "io/addrwatch.h"

#include <errno.h>
#include <event2/event.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "io/netlink.h"

#define BUFFER_BYTES 16384
/* Machines that make up addresses all the time must not make this grow for ever. */
#define ENTRIES_MAX  4096u
/* A list that changes while it is read is read again, at once and, if need be, later. */
#define READ_TRIES   5
#define RETRY_MS     500

struct entry {
	struct ip_addr addr;
	uint32_t device;
	bool present;
	bool listed;                    /* in the list that is being read */
};

struct addrwatch {
	struct mnl_socket *nl;
	struct event *event, *retry;
	void (*changed)(void *ctx);
	void *ctx;
	struct entry *entries;
	size_t count, capacity;
	bool dirty;                     /* `changed` is to be called */
	bool reading;                   /* a list, not news */
};

static struct entry *find(struct addrwatch *w, const struct ip_addr *addr, uint32_t device)
{
	for (size_t i = 0; i < w->count; i++)
		if (w->entries[i].device == device && ip_addr_equal(&w->entries[i].addr, addr))
			return &w->entries[i];
	return NULL;
}

/* Room for one more, if need be that of an address that is gone; NULL if there is none. */
static struct entry *new_entry(struct addrwatch *w)
{
	size_t capacity = w->capacity ? w->capacity * 2 : 64;
	struct entry *more;

	if (w->count < w->capacity)
		return &w->entries[w->count++];
	if (w->capacity < ENTRIES_MAX) {
		more = reallocarray(w->entries, capacity, sizeof(*more));
		if (more) {
			w->entries = more;
			w->capacity = capacity;
			return &w->entries[w->count++];
		}
	}
	for (size_t i = 0; i < w->count; i++)
		if (!w->entries[i].present)
			return &w->entries[i];
	return NULL;
}

static void note(struct addrwatch *w, const struct ip_addr *addr, uint32_t device, bool present)
{
	struct entry *e = find(w, addr, device);

	if (e)
		e->listed = w->reading;
	if (e ? e->present == present : !present)
		return;
	if (!e)
		e = new_entry(w);
	if (!e)
		return;
	*e = (struct entry){ *addr, device, present, w->reading };
	w->dirty = true;
}

static int on_attribute(const struct nlattr *attr, void *data)
{
	const struct nlattr **attrs = data;

	if (mnl_attr_get_type(attr) <= IFA_MAX)
		attrs[mnl_attr_get_type(attr)] = attr;
	return MNL_CB_OK;
}

static int on_message(const struct nlmsghdr *nlh, void *data)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attrs[IFA_MAX + 1] = { NULL }, *attr;
	struct addrwatch *w = data;
	struct ip_addr addr;

	if (nlh->nlmsg_type != RTM_NEWADDR && nlh->nlmsg_type != RTM_DELADDR)
		return MNL_CB_OK;
	mnl_attr_parse(nlh, sizeof(*ifa), on_attribute, attrs);
	/* IFA_ADDRESS is the peer's on a point-to-point link. */
	attr = attrs[IFA_LOCAL] ? attrs[IFA_LOCAL] : attrs[IFA_ADDRESS];
	if (!attr)
		return MNL_CB_OK;
	if (ifa->ifa_family == AF_INET && mnl_attr_get_payload_len(attr) == 4)
		ip_addr_from_v4(&addr, mnl_attr_get_payload(attr));
	else if (ifa->ifa_family == AF_INET6 && mnl_attr_get_payload_len(attr) == 16)
		ip_addr_from_v6(&addr, mnl_attr_get_payload(attr));
	else
		return MNL_CB_OK;
	note(w, &addr, ifa->ifa_index, nlh->nlmsg_type == RTM_NEWADDR);
	return MNL_CB_OK;
}

/* Reads the kernel's list, once.  -EINTR: it changed meanwhile. */
static int read_list(struct addrwatch *w)
{
	uint8_t buf[64];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	int ret;

	for (size_t i = 0; i < w->count; i++)
		w->entries[i].listed = false;
	nlh->nlmsg_type = RTM_GETADDR;
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifaddrmsg));
	w->reading = true;
	ret = netlink_dump(NETLINK_ROUTE, nlh, on_message, w);
	w->reading = false;
	return ret;
}

/* What is not in the list is gone.  0, or -errno and nothing has changed. */
static int read_all(struct addrwatch *w)
{
	int ret = -EINTR;

	for (int i = 0; i < READ_TRIES && ret == -EINTR; i++)
		ret = read_list(w);
	if (ret)
		return ret;
	for (size_t i = 0; i < w->count; i++) {
		if (!w->entries[i].present || w->entries[i].listed)
			continue;
		w->entries[i].present = false;
		w->dirty = true;
	}
	return 0;
}

static void tell(struct addrwatch *w)
{
	if (!w->dirty)
		return;
	w->dirty = false;
	w->changed(w->ctx);
}

static void resynchronize(struct addrwatch *w)
{
	const struct timeval later = { .tv_usec = RETRY_MS * 1000 };
	int ret = read_all(w);

	if (!ret)
		return;
	log_warning("addresses: the kernel's list cannot be read: %s", strerror(-ret));
	event_add(w->retry, &later);
}

static void on_retry(evutil_socket_t fd, short what, void *ctx)
{
	struct addrwatch *w = ctx;

	(void)fd;
	(void)what;
	resynchronize(w);
	tell(w);
}

/*
 * Of a loss the kernel tells before it hands out what it kept, and loses more until that is read
 * to the end.  What it kept is older than what was lost, so the list comes after it.
 */
static void on_readable(evutil_socket_t fd, short what, void *ctx)
{
	struct addrwatch *w = ctx;
	uint8_t buf[BUFFER_BYTES];
	bool lost = false;
	ssize_t n;

	(void)fd;
	(void)what;
	do {
		n = mnl_socket_recvfrom(w->nl, buf, sizeof(buf));
		if (n > 0)
			mnl_cb_run(buf, (size_t)n, 0, 0, on_message, w);
		/* Messages were lost, or one was not read whole. */
		else if (n < 0 && errno != EAGAIN && errno != EINTR)
			lost = true;
	} while (n > 0 || (n < 0 && (errno == ENOBUFS || errno == ENOSPC)));
	if (lost)
		resynchronize(w);
	tell(w);
}

struct addrwatch *addrwatch_new(struct event_base *base, void (*changed)(void *ctx), void *ctx,
				char *err, size_t err_len)
{
	struct addrwatch *w = calloc(1, sizeof(*w));
	int ret = -ENOMEM;

	if (!w)
		goto fail;
	w->changed = changed;
	w->ctx = ctx;
	w->nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!w->nl || mnl_socket_bind(w->nl, RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR,
				      MNL_SOCKET_AUTOPID) < 0) {
		ret = -errno;
		goto fail;
	}
	/* After the subscription, so that nothing is missed in between. */
	ret = read_all(w);
	if (ret)
		goto fail;
	w->dirty = false;
	ret = -ENOMEM;
	w->event = event_new(base, mnl_socket_get_fd(w->nl), EV_READ | EV_PERSIST, on_readable, w);
	w->retry = evtimer_new(base, on_retry, w);
	if (!w->event || !w->retry || event_add(w->event, NULL) < 0)
		goto fail;
	return w;
fail:
	snprintf(err, err_len, "addresses: cannot follow the machine's own: %s", strerror(-ret));
	addrwatch_free(w);
	return NULL;
}

void addrwatch_free(struct addrwatch *w)
{
	if (!w)
		return;
	if (w->event)
		event_free(w->event);
	if (w->retry)
		event_free(w->retry);
	if (w->nl)
		mnl_socket_close(w->nl);
	free(w->entries);
	free(w);
}

bool addrwatch_has(const struct addrwatch *w, const struct ip_addr *addr)
{
	for (size_t i = 0; i < w->count; i++)
		if (w->entries[i].present && ip_addr_equal(&w->entries[i].addr, addr))
			return true;
	return false;
}

bool addrwatch_lost(const struct addrwatch *w, const struct ip_addr *addr)
{
	bool seen = false;

	for (size_t i = 0; i < w->count; i++) {
		if (!ip_addr_equal(&w->entries[i].addr, addr))
			continue;
		if (w->entries[i].present)
			return false;
		seen = true;
	}
	return seen;
}
