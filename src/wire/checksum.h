/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Internet checksum (RFC 1071), as partial sums that can be added up over
 * scattered pieces.  Sums are kept in the byte order of memory; only bytes are
 * read, so that no struct is aliased.
 */
#ifndef WIRE_CHECKSUM_H
#define WIRE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

/*
 * Adds `len` bytes to a running sum.  A piece of odd length may only be the
 * last one, unless the caller uses csum_add_at().
 */
uint64_t csum_add(uint64_t sum, const void *data, size_t len);
/* Adds a piece that begins at byte `offset` of the whole (odd offsets included). */
uint64_t csum_add_at(uint64_t sum, const void *data, size_t len, size_t offset);
/* Folds to 16 bits, not complemented, in network byte order once stored as bytes by
 * csum_store(). */
uint16_t csum_fold(uint64_t sum);
/* Stores a folded sum into a header field. */
void csum_store(uint8_t field[2], uint16_t folded);
/* The sum of the TCP pseudo-header (RFC 9293, section 3.1; RFC 8200, section 8.1). */
uint64_t csum_pseudo(const struct ip_addr *src, const struct ip_addr *dst,
		     uint8_t protocol, uint32_t len);

#endif
