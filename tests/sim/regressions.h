/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows of the list of seeds that once failed: { proxy, seed, what was wrong }. */
{ false, 44, "the FIN of a subflow ended the stream of a peer that had fallen back" },
{ false, 145, "the same, the other way round" },
{ false, 100, "a reinjected range was released while a subflow had still to repeat it" },
{ false, 207, "MP_FASTCLOSE in place of the third ACK made a fallback" },
{ false, 550, "an active opener did not fall back on ACKs without options" },
{ false, 748, "the same, and data came twice" },
{ false, 182, "DATA_FIN was repeated for ever to a peer that was gone" },
{ false, 143, "the same, where ACKs lost their options" },
{ false, 783, "attempts to join kept a connection without subflows for ever" },
