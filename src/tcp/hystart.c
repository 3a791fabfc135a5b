/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HyStart++ (RFC 9406, section 4).  No limit L is put on the growth per ACK: what
 * leaves here are super-segments, and one ACK often covers dozens of packets.
 */
#include <string.h>

#include "base/seq.h"
#include "tcp/hystart.h"

#define MIN_RTT_THRESH_US  4000u
#define MAX_RTT_THRESH_US  16000u
#define MIN_RTT_DIVISOR    8u
#define N_RTT_SAMPLE       8u
#define CSS_GROWTH_DIVISOR 4u
#define CSS_ROUNDS         5u

void hystart_init(struct hystart *h, uint32_t snd_nxt)
{
	memset(h, 0, sizeof(*h));
	h->window_end = snd_nxt;
}

static void end_round(struct hystart *h, uint32_t snd_nxt)
{
	h->window_end = snd_nxt;
	h->last_min_rtt_us = h->min_rtt_us;
	h->min_rtt_us = 0;
	h->samples = 0;
	if (h->css && ++h->css_rounds >= CSS_ROUNDS)
		h->done = true;
}

unsigned hystart_ack(struct hystart *h, uint32_t ack, uint32_t snd_nxt, uint32_t rtt_us)
{
	if (h->done)
		return 1;
	if (rtt_us) {
		if (!h->min_rtt_us || rtt_us < h->min_rtt_us)
			h->min_rtt_us = rtt_us;
		if (h->samples < UINT8_MAX)
			h->samples++;
	}
	if (!h->css) {
		uint32_t thresh = h->last_min_rtt_us / MIN_RTT_DIVISOR;

		if (thresh < MIN_RTT_THRESH_US)
			thresh = MIN_RTT_THRESH_US;
		if (thresh > MAX_RTT_THRESH_US)
			thresh = MAX_RTT_THRESH_US;
		if (h->samples >= N_RTT_SAMPLE && h->last_min_rtt_us && h->min_rtt_us &&
		    h->min_rtt_us >= h->last_min_rtt_us + thresh) {
			h->css = true;
			h->css_rounds = 0;
			h->css_baseline_us = h->min_rtt_us;
		}
	} else if (h->samples >= N_RTT_SAMPLE && h->min_rtt_us < h->css_baseline_us) {
		h->css = false;                 /* the rise was noise: resume */
		h->css_baseline_us = 0;
	}
	if (seq32_geq(ack, h->window_end)) {
		end_round(h, snd_nxt);
		if (h->done)
			return 0;
	}
	return h->css ? CSS_GROWTH_DIVISOR : 1;
}

void hystart_reduced(struct hystart *h)
{
	h->was_done = h->done;
	h->done = true;
}

void hystart_undo(struct hystart *h)
{
	h->done = h->was_done;
}
