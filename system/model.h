/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How the model is built up and looked through, for the files of this folder. Memory that runs out
 * ends the tool: a description is small, and there is nothing to unwind while it is read.
 */
#pragma once

#include <stddef.h>

#include "system/system.h"

/*
 * Makes room for one more element in an array (`array` is the address of the pointer to it), and
 * returns the new element, zeroed. Elements move: keep indices, not pointers.
 */
void *model_append(void *array, size_t *count, size_t size);

char *model_string(const char *text);
char *model_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Indices by name, or SYSTEM_NONE. */
size_t model_pd(const struct system *system, const char *name);
size_t model_region(const struct system *system, const char *name);

/* What a <serial> has on the heap. */
void model_free_serial(struct system_serial *serial);

/*
 * The candidate that `name` was probably meant to be: the nearest by edit distance, if it is near
 * at all. NULL otherwise.
 */
const char *model_nearest(const char *name, const char *const *candidates, size_t count);

/* "did you mean ..." or "there are ..." as the end of a message; to be freed. */
char *model_suggest(const char *name, const char *const *candidates, size_t count,
                    const char *plural);

static inline uint64_t model_round_up(uint64_t value, uint64_t alignment)
{
    return (value + alignment - 1) / alignment * alignment;
}
