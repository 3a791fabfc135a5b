/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tokens of one worker's connections, for the other workers to look at: whether a join
 * that came in with them is one of its connections', before they take it from the kernel.
 *
 * One thread adds and removes, any number looks at the same time, without locks.  A place
 * is found by the token, which is as good as random, and has room for a few; what does
 * not fit is only counted, and makes the answers about that place "maybe".
 */
#ifndef IO_DIRECTORY_H
#define IO_DIRECTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct directory;

/*
 * For about `tokens` tokens; more make it less exact, and cost no memory.  All of them
 * leave the same remainder when divided by `step`.  NULL when out of memory.
 */
struct directory *directory_new(size_t tokens, uint32_t step);
void directory_free(struct directory *d);

/* By the thread that owns it.  A token is added once and removed once. */
void directory_add(struct directory *d, uint32_t token);
void directory_remove(struct directory *d, uint32_t token);

/* By any thread: false only if the token is not there, or not yet, or not any more. */
bool directory_has(const struct directory *d, uint32_t token);

#endif
