/* SPDX-License-Identifier: BSD-2-Clause */
#include "checksum.h"

#include "sddf/words.h"

/*
 * One's complement addition does not care about the width of the words: the sum of 64-bit words,
 * carries added back in at the low end, folds to the sum of the 16-bit words.
 */
static inline uint64_t add(uint64_t sum, uint64_t word)
{
    return sddf_words_add(sum, word);
}

static inline uint64_t load(const uint8_t *from)
{
    return sddf_words_load(from);
}

/* The builtin, by name: a freestanding compiler would call memcpy for eight bytes. */
static inline void store(uint8_t *to, uint64_t word)
{
    __builtin_memcpy(to, &word, sizeof(word));
}

uint64_t net_checksum_add(uint64_t sum, const void *data, uint32_t length)
{
    const uint8_t *from = data;
    sum = sddf_words_sum(sum, from, length / 64);
    from += length / 64 * 64;
    for (length %= 64; length >= 8; length -= 8, from += 8) {
        sum = add(sum, load(from));
    }
    /* The rest keeps its places in memory, so that this is right in either byte order. */
    if ((length & 4) != 0) {
        uint32_t word;
        __builtin_memcpy(&word, from, sizeof(word));
        sum = add(sum, word);
        from += 4;
    }
    if ((length & 2) != 0) {
        uint16_t word;
        __builtin_memcpy(&word, from, sizeof(word));
        sum = add(sum, word);
        from += 2;
    }
    if ((length & 1) != 0) {
        const uint8_t bytes[2] = {*from, 0};
        uint16_t word;
        __builtin_memcpy(&word, bytes, sizeof(word));
        sum = add(sum, word);
    }
    return sum;
}

uint16_t net_checksum(const void *data, int length)
{
    return net_checksum_fold(net_checksum_add(0, data, (uint32_t)length));
}

uint16_t net_checksum_copy(void *to_bytes, const void *data, uint16_t length)
{
    const uint8_t *from = data;
    uint8_t *to = to_bytes;
    uint64_t a = 0, b = 0, c = 0, d = 0;
    int left = length;

    /* Each word is read once: what is summed is what is stored, whoever else writes to it. */
    for (; left >= 32; left -= 32, from += 32, to += 32) {
        uint64_t w = load(from), x = load(from + 8), y = load(from + 16), z = load(from + 24);
        store(to, w);
        store(to + 8, x);
        store(to + 16, y);
        store(to + 24, z);
        a = add(a, w);
        b = add(b, x);
        c = add(c, y);
        d = add(d, z);
    }
    for (; left >= 8; left -= 8, from += 8, to += 8) {
        uint64_t w = load(from);
        store(to, w);
        a = add(a, w);
    }
    if (left > 0) {
        uint8_t rest[8] = {0};
        for (int i = 0; i < left; i++) {
            rest[i] = from[i];
            to[i] = rest[i];
        }
        b = add(b, load(rest));
    }
    return net_checksum_fold(add(add(a, b), add(c, d)));
}

uint16_t net_checksum_without(uint16_t field, uint64_t rest)
{
    /* field = ~(payload + rest); in one's complement, subtracting is adding the inverse. */
    return net_checksum_fold((uint64_t)(uint16_t)~field + (uint16_t)~net_checksum_fold(rest));
}
