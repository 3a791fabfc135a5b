/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows of the list of seeds that failed with --profile middlebox, as in regressions.h. */
{ false, 3188532, "MP_FAIL was lost, then the options of what was repeated, which was taken for the answer" },
{ false, 3046458, "the same" },
{ false, 3169428, "an MP_FAIL that crossed the peer's was never answered, and its FIN ended nothing" },
{ false, 3201619, "a window that opened when options got lost stayed shut for ever" },
{ false, 30000381, "data without options waited for its mapping behind such with a DSS, for ever" },
{ true, 50019845, "the same" },
{ true, 80003785, "the simulator took bytes that waited for the server for checked ones, after a reset" },
