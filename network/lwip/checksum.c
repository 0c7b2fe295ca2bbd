/* SPDX-License-Identifier: BSD-2-Clause */
#include "checksum.h"

/*
 * One's complement addition does not care about the width of the words: the sum of 64-bit words,
 * carries added back in at the low end, folds to the sum of the 16-bit words. Four lanes, because
 * each addition waits for the carry of the one before it in its own lane only.
 */
static inline uint64_t add(uint64_t sum, uint64_t word)
{
    sum += word;
    return sum + (sum < word);
}

/* The builtin, by name: a freestanding compiler would call memcpy for eight bytes. */
static inline uint64_t load(const uint8_t *from)
{
    uint64_t word;
    __builtin_memcpy(&word, from, sizeof(word));
    return word;
}

static inline void store(uint8_t *to, uint64_t word)
{
    __builtin_memcpy(to, &word, sizeof(word));
}

static inline uint16_t fold(uint64_t sum)
{
    sum = (sum & 0xffffffff) + (sum >> 32);                      /* at most 33 bits */
    sum = (sum & 0xffff) + ((sum >> 16) & 0xffff) + (sum >> 32); /* at most 18 */
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

uint16_t net_checksum(const void *data, int length)
{
    const uint8_t *from = data;
    uint64_t a = 0, b = 0, c = 0, d = 0;
    int left = length;

    for (; left >= 64; left -= 64, from += 64) {
        a = add(a, load(from));
        b = add(b, load(from + 8));
        c = add(c, load(from + 16));
        d = add(d, load(from + 24));
        a = add(a, load(from + 32));
        b = add(b, load(from + 40));
        c = add(c, load(from + 48));
        d = add(d, load(from + 56));
    }
    for (; left >= 8; left -= 8, from += 8) {
        a = add(a, load(from));
    }
    if (left > 0) {
        /* The rest keeps its places in memory, so that this is right in either byte order. */
        uint8_t rest[8] = {0};
        for (int i = 0; i < left; i++) {
            rest[i] = from[i];
        }
        b = add(b, load(rest));
    }
    return fold(add(add(a, b), add(c, d)));
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
    return fold(add(add(a, b), add(c, d)));
}

uint16_t net_checksum_without(uint16_t field, uint64_t rest)
{
    /* field = ~(payload + rest); in one's complement, subtracting is adding the inverse. */
    return fold((uint64_t)(uint16_t)~field + (uint16_t)~fold(rest));
}
