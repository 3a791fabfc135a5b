/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a silent subflow still has to repeat, kept apart from the send queue.
 *
 * A subflow must repeat the very bytes that it sent first (RFC 8684, section 3.3.6), long
 * after the peer has had them by another path.  If they stayed in the send queue, the
 * queue would grow by all that the other paths carry meanwhile.  So when a subflow turns
 * stale, its unacknowledged bytes are copied, by subflow sequence, to its own hoard, which
 * is never larger than its window was; from then on it does not hold up the queue.
 */
#include "base/log.h"
#include "base/seq.h"
#include "mptcp/internal.h"

/* A subflow sequence number as an offset in the hoard. */
static uint64_t hoard_offset(const struct mptcp_subflow *sf, uint32_t seq)
{
	return seq64_extend(sf->hoard.begin, seq);
}

bool mptcp_hoard_has(const struct mptcp_subflow *sf, uint32_t seq, uint32_t len)
{
	uint64_t at = hoard_offset(sf, seq);

	return stream_len(&sf->hoard) && seq64_geq(at, sf->hoard.begin) &&
	       seq64_leq(at + len, sf->hoard.end);
}

int mptcp_hoard_gather(const struct mptcp_subflow *sf, uint32_t seq, uint32_t len,
		       struct iovec *iov, int iov_max)
{
	return stream_gather(&sf->hoard, hoard_offset(sf, seq), len, iov, iov_max);
}

static bool append(struct mptcp_subflow *sf, uint64_t offset, uint32_t len)
{
	struct iovec iov[PACKET_IOV_MAX];
	int n = stream_gather(&sf->conn->sendq, offset, len, iov, PACKET_IOV_MAX);

	for (int i = 0; i < n; i++)
		if (stream_append(&sf->hoard, iov[i].iov_base, iov[i].iov_len) < iov[i].iov_len)
			return false;
	return n > 0;
}

void mptcp_hoard_fill(struct mptcp_subflow *sf)
{
	const struct tcp_record *rec;

	if (!stream_len(&sf->hoard)) {
		stream_fini(&sf->hoard);
		stream_init(&sf->hoard, sf->conn->env->pool, sf->tcp.snd_una);
	}
	list_for_each(rec, &sf->tcp.records, by_seq) {
		uint64_t end = sf->hoard.end;

		if (!rec->len || seq64_lt(hoard_offset(sf, rec->seq), end))
			continue;
		if (hoard_offset(sf, rec->seq) == end && append(sf, rec->offset, rec->len))
			continue;
		/* No memory: the send queue keeps this one and those after it. */
		log_debug("conn %08x: cannot copy what a stale subflow has to repeat",
			  sf->conn->local_token);
		return;
	}
}

void mptcp_hoard_acked(struct mptcp_subflow *sf)
{
	uint64_t until;

	if (!stream_len(&sf->hoard))
		return;
	until = seq64_min(hoard_offset(sf, sf->tcp.snd_una), sf->hoard.end);
	if (seq64_gt(until, sf->hoard.begin))
		stream_release(&sf->hoard, until);
}
