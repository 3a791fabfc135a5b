/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether this is a build with the address sanitizer, which gcc and clang tell in different
 * ways: SANITIZE_ADDRESS is 1 or 0.
 */
#ifndef BASE_SANITIZER_H
#define BASE_SANITIZER_H

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZE_ADDRESS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZE_ADDRESS 1
#endif
#endif
#ifndef SANITIZE_ADDRESS
#define SANITIZE_ADDRESS 0
#endif

#endif
