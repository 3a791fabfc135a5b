#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The experiments whose figures are promises, with few seeds.
exec tests/sim/experiment --check
