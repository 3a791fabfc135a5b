/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HyStart++ (RFC 9406): leaves slow start when the round-trip time begins to
 * rise, before the bottleneck's queue overflows.
 */
#ifndef TCP_HYSTART_H
#define TCP_HYSTART_H

#include <stdbool.h>
#include <stdint.h>

struct hystart {
	uint32_t window_end;            /* sequence number that ends the round */
	uint32_t last_min_rtt_us, min_rtt_us;   /* 0: none yet */
	uint32_t css_baseline_us;
	uint8_t samples;
	uint8_t css_rounds;
	bool css;                       /* in Conservative Slow Start */
	bool done;
	bool was_done;                  /* before the last reduction */
};

/* Begins with the round that what is sent up to `snd_nxt` makes up. */
void hystart_init(struct hystart *h, uint32_t snd_nxt);
/*
 * An ACK up to `ack` during slow start, with a sample (0: none).  Returns the
 * divisor of growth: 1 in slow start, 4 in CSS, 0 when slow start is to end now.
 */
unsigned hystart_ack(struct hystart *h, uint32_t ack, uint32_t snd_nxt, uint32_t rtt_us);
/* The window was reduced: slow start has ended.  hystart_undo(): it was not needed. */
void hystart_reduced(struct hystart *h);
void hystart_undo(struct hystart *h);

#endif
