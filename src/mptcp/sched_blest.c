/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * blest: minrtt, unless the slow path would be in the way of a faster one.
 *
 * When the fastest subflow F has no room, minrtt takes the next one, S.  Two things speak
 * against it, and then nothing is sent until F has room again:
 *
 * The send window.  What S takes stays unacknowledged for a round trip of S.  If F could
 * meanwhile send more than the window has left beside it, F will be stopped by the window
 * and the connection gets slower than F alone.  The estimate is that of Ferlin, Alay,
 * Mehani and Boreli, "BLEST: Blocking Estimation-based MPTCP Scheduler for Heterogeneous
 * Networks", IFIP Networking 2016, section III: F sends its window, growing by a segment per
 * round trip, as often as its round trip goes into that of S.  A factor lambda corrects the
 * estimate: it grows with every round in which the window was met, and falls otherwise.
 *
 * The end of the data.  If F would be through with all that waits before the first byte on
 * S arrived, S would only delay the end.  (So Lim, Nahum, Towsley and Gibbens, "ECF: An MPTCP
 * Path Scheduler to Manage Heterogeneous Paths", CoNEXT 2017; here with F's window as it is.)
 */
#include "base/seq.h"
#include "mptcp/internal.h"

#define LAMBDA_MIN  100u                /* percent */
#define LAMBDA_MAX  400u
#define LAMBDA_STEP 10u

/* Bytes that the connection may have in flight: the peer's window, and our own queue. */
static uint64_t send_window(const struct mptcp_conn *conn)
{
	uint64_t peers = seq64_gt(conn->snd_wnd_edge, conn->snd_una)
				 ? conn->snd_wnd_edge - conn->snd_una
				 : 0;

	return peers < conn->sndbuf ? peers : conn->sndbuf;
}

/* Once per round trip of the slow path. */
static void adapt_lambda(struct mptcp_conn *conn, const struct mptcp_subflow *slow,
			 uint64_t now_us)
{
	struct mptcp_sched_state *st = &conn->sched;

	if (!st->lambda_percent) {
		st->lambda_percent = LAMBDA_MIN;
		st->round_us = now_us;
		st->blocked = false;
	}
	if (now_us - st->round_us < slow->tcp.srtt_us)
		return;
	if (st->blocked && st->lambda_percent < LAMBDA_MAX)
		st->lambda_percent += LAMBDA_STEP;
	else if (!st->blocked && st->lambda_percent > LAMBDA_MIN)
		st->lambda_percent -= LAMBDA_STEP;
	st->blocked = false;
	st->round_us = now_us;
}

/* Whether `slow`, with `len` bytes more, would let the window stop `fast`. */
static bool would_block(struct mptcp_conn *conn, const struct mptcp_subflow *fast,
			const struct mptcp_subflow *slow, uint32_t len)
{
	uint64_t fast_us = fast->tcp.srtt_us ? fast->tcp.srtt_us : 1;
	uint64_t rounds = slow->tcp.srtt_us / fast_us;
	uint64_t mss = tcp_payload_mss(&fast->tcp, fast->tcp.option_len);
	uint64_t could = (fast->tcp.cwnd_bytes + (rounds ? rounds - 1 : 0) * mss / 2) * rounds;
	uint64_t taken = (uint64_t)slow->tcp.flight_bytes + len, window = send_window(conn);

	if (rounds < 2)
		return false;
	return taken > window || could * conn->sched.lambda_percent / 100 > window - taken;
}

/*
 * Whether what waits would be through sooner on `fast`, although its window is full now.  In
 * one round trip a subflow delivers a window.
 */
static bool ends_sooner(const struct mptcp_conn *conn, const struct mptcp_subflow *fast,
			const struct mptcp_subflow *slow)
{
	uint64_t waiting = conn->sendq.end - conn->snd_nxt;
	uint64_t cwnd = fast->tcp.cwnd_bytes ? fast->tcp.cwnd_bytes : 1;

	return fast->tcp.srtt_us + fast->tcp.srtt_us * waiting / cwnd < slow->tcp.srtt_us;
}

static struct mptcp_subflow *pick(struct mptcp_conn *conn, uint32_t len,
				  const struct mptcp_subflow *avoid, uint64_t now_us)
{
	struct mptcp_subflow *fast = mptcp_sched_fastest(conn, 0, avoid);
	struct mptcp_subflow *slow = mptcp_sched_fastest(conn, len, avoid);
	uint32_t room;

	if (!slow || slow == fast || avoid)
		return slow;
	adapt_lambda(conn, slow, now_us);
	/* After a timeout nobody knows when the fast one will be fast again; and without
	 * anything in flight no acknowledgement would end the wait. */
	if (fast->tcp.recovery == TCP_RECOVERY_RTO || !fast->tcp.flight_bytes)
		return slow;
	room = mptcp_subflow_room(slow, len);
	if (ends_sooner(conn, fast, slow) || would_block(conn, fast, slow, room))
		return NULL;
	return slow;
}

const struct mptcp_sched_ops mptcp_sched_blest = {
	.name = "blest",
	.pick = pick,
};
