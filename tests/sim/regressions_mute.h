/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows of the list of seeds that failed with --profile mute, as in regressions.h. */
{ true, 140009039, "a backup waited for minutes for a path that had died with its window shut" },
