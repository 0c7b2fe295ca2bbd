/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sums of memory in words as wide as the machine has: what processors have an instruction for (an
 * addition with the carry of the one before) and C has not.
 */
#pragma once

#include <stdint.h>

/* One's complement addition: the carry comes back in at the low end. */
static inline uint64_t sddf_words_add(uint64_t sum, uint64_t word)
{
    sum += word;
    return sum + (sum < word);
}

static inline uint64_t sddf_words_load(const uint8_t *from)
{
    uint64_t word;
    __builtin_memcpy(&word, from, sizeof(word));
    return word;
}

/*
 * Adds `blocks` times 64 bytes, at any alignment, to a one's complement sum of 64-bit words. Every
 * word is read once.
 */
static inline uint64_t sddf_words_sum(uint64_t sum, const uint8_t *from, uint32_t blocks)
{
#if defined(__aarch64__)
    if (blocks != 0) {
        uint64_t a, b, c, d;
        /* The loop's own instructions leave the carry alone. */
        __asm__("cmn xzr, xzr\n\t" /* no carry */
                "1: ldp %[a], %[b], [%[from]]\n\t"
                "ldp %[c], %[d], [%[from], #16]\n\t"
                "adcs %[sum], %[sum], %[a]\n\t"
                "adcs %[sum], %[sum], %[b]\n\t"
                "adcs %[sum], %[sum], %[c]\n\t"
                "adcs %[sum], %[sum], %[d]\n\t"
                "ldp %[a], %[b], [%[from], #32]\n\t"
                "ldp %[c], %[d], [%[from], #48]\n\t"
                "adcs %[sum], %[sum], %[a]\n\t"
                "adcs %[sum], %[sum], %[b]\n\t"
                "adcs %[sum], %[sum], %[c]\n\t"
                "adcs %[sum], %[sum], %[d]\n\t"
                "add %[from], %[from], #64\n\t"
                "sub %w[blocks], %w[blocks], #1\n\t"
                "cbnz %w[blocks], 1b\n\t"
                "adcs %[sum], %[sum], xzr\n\t"
                "adc %[sum], %[sum], xzr"
                : [sum] "+&r"(sum), [from] "+&r"(from), [blocks] "+&r"(blocks), [a] "=&r"(a),
                  [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d)
                :
                : "cc", "memory");
    }
    return sum;
#else
    /* Four lanes, because each addition waits for the one before it in its own lane only. */
    uint64_t a = sum, b = 0, c = 0, d = 0;
    for (; blocks > 0; blocks--, from += 64) {
        a = sddf_words_add(a, sddf_words_load(from));
        b = sddf_words_add(b, sddf_words_load(from + 8));
        c = sddf_words_add(c, sddf_words_load(from + 16));
        d = sddf_words_add(d, sddf_words_load(from + 24));
        a = sddf_words_add(a, sddf_words_load(from + 32));
        b = sddf_words_add(b, sddf_words_load(from + 40));
        c = sddf_words_add(c, sddf_words_load(from + 48));
        d = sddf_words_add(d, sddf_words_load(from + 56));
    }
    return sddf_words_add(sddf_words_add(a, b), sddf_words_add(c, d));
#endif
}
