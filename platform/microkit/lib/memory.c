/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memcpy and memset in place of picolibc's, which go byte by byte where that is small. Blocks of
 * constant size become the widest moves that the flags allow; the last block overlaps the one
 * before it, so that no tail is left over. Only for processors that read and write words at any
 * address: for others the compiler would make calls of memcpy of the blocks.
 */
#include <stddef.h>
#include <stdint.h>

/* The compiler would make calls of memcpy of the loops. */
#pragma GCC optimize("no-tree-loop-distribute-patterns")

void *memcpy(void *restrict to_bytes, const void *restrict from_bytes, size_t length)
{
    uint8_t *to = to_bytes;
    const uint8_t *from = from_bytes;
    if (length >= 64) {
        const size_t last = length - 64;
        size_t i = 0;
        for (; i + 64 < last; i += 128) {
            __builtin_memcpy(to + i, from + i, 64);
            __builtin_memcpy(to + i + 64, from + i + 64, 64);
        }
        if (i < last) {
            __builtin_memcpy(to + i, from + i, 64);
        }
        __builtin_memcpy(to + last, from + last, 64);
    } else if (length >= 32) {
        __builtin_memcpy(to, from, 32);
        __builtin_memcpy(to + length - 32, from + length - 32, 32);
    } else if (length >= 16) {
        __builtin_memcpy(to, from, 16);
        __builtin_memcpy(to + length - 16, from + length - 16, 16);
    } else if (length >= 8) {
        __builtin_memcpy(to, from, 8);
        __builtin_memcpy(to + length - 8, from + length - 8, 8);
    } else {
        for (size_t i = 0; i < length; i++) {
            to[i] = from[i];
        }
    }
    return to_bytes;
}

void *memset(void *to_bytes, int value, size_t length)
{
    uint8_t *to = to_bytes;
    const uint64_t word = (uint8_t)value * UINT64_C(0x0101010101010101);
    if (length < 8) {
        for (size_t i = 0; i < length; i++) {
            to[i] = (uint8_t)value;
        }
        return to_bytes;
    }
    const size_t last = length - 8;
    for (size_t i = 0; i < last; i += 8) {
        __builtin_memcpy(to + i, &word, 8);
    }
    __builtin_memcpy(to + last, &word, 8);
    return to_bytes;
}
