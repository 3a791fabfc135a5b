/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows of the list of seeds that once failed: { proxy, seed, what was wrong }. */
