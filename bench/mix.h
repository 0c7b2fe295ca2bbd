/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Payload sizes of a stream's datagrams: one size, or a mix of several in fixed proportions. The
 * size follows from the datagram's number alone, so that the receiver knows what to expect; sizes
 * of a mix are spread as evenly as they can be, so that the load in bytes is even too.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define MIX_SIZE_MIN 8    /* the sequence number */
#define MIX_SIZE_MAX 1472 /* an Ethernet frame's worth */
#define MIX_LENGTH   64   /* the sum of all weights is at most that */

struct mix {
    unsigned length; /* datagram n has size[n % length] */
    unsigned largest;
    uint16_t size[MIX_LENGTH];
};

/*
 * "512": that size. "64:7,512:4,1472:1": seven parts of 64 bytes and so on. "imix": the simple
 * Internet mix, frames of 64, 594 and 1518 bytes (frame check sequence included), 7 to 4 to 1.
 * False if the text says nothing of the kind.
 */
bool mix_parse(struct mix *mix, const char *text);

static inline unsigned mix_size(const struct mix *mix, uint64_t number)
{
    return mix->size[mix->length == 1 ? 0 : number % mix->length];
}

double mix_mean(const struct mix *mix);
