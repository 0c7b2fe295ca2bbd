/* SPDX-License-Identifier: BSD-2-Clause */
/* Section and option numbers are the draft's; everything is in this machine's byte order. */
#include <string.h>

#include "tool/pcapng.h"

#define SECTION_HEADER  0x0a0d0d0au /* 4.1 */
#define INTERFACE       1u          /* 4.2 */
#define ENHANCED_PACKET 6u          /* 4.3 */

#define END_OF_OPTIONS    0 /* 3.5 */
#define SHB_USERAPPL      4
#define IF_NAME           2
#define IF_TSRESOL        9
#define EPB_FLAGS         2
#define LINKTYPE_ETHERNET 1

static size_t padded(size_t size)
{
    return (size + 3) / 4 * 4;
}

static void put32(FILE *file, uint32_t word)
{
    fwrite(&word, sizeof(word), 1, file);
}

static void put_padded(FILE *file, const void *bytes, size_t size)
{
    static const char zeroes[4];
    fwrite(bytes, 1, size, file);
    fwrite(zeroes, 1, padded(size) - size, file);
}

static void put_option(FILE *file, uint16_t code, const void *bytes, size_t size)
{
    put32(file, (uint32_t)(code | size << 16));
    put_padded(file, bytes, size);
}

static size_t option_size(size_t size)
{
    return 4 + padded(size);
}

void pcapng_begin(FILE *file, const char *application)
{
    const uint32_t any_length[2] = {UINT32_MAX, UINT32_MAX};
    uint32_t size = (uint32_t)(28 + option_size(strlen(application)) + 4);
    put32(file, SECTION_HEADER);
    put32(file, size);
    put32(file, 0x1a2b3c4d);
    put32(file, 1); /* version 1.0 */
    fwrite(any_length, sizeof(any_length), 1, file);
    put_option(file, SHB_USERAPPL, application, strlen(application));
    put32(file, END_OF_OPTIONS);
    put32(file, size);
}

void pcapng_interface(FILE *file, const char *name, uint32_t longest)
{
    const uint8_t nanoseconds = 9;
    uint32_t size = (uint32_t)(20 + option_size(strlen(name)) + option_size(1) + 4);
    put32(file, INTERFACE);
    put32(file, size);
    put32(file, LINKTYPE_ETHERNET);
    put32(file, longest);
    put_option(file, IF_NAME, name, strlen(name));
    put_option(file, IF_TSRESOL, &nanoseconds, 1);
    put32(file, END_OF_OPTIONS);
    put32(file, size);
}

void pcapng_packet(FILE *file, uint32_t interface, uint64_t ns, enum pcapng_direction direction,
                   const void *bytes, uint32_t size)
{
    const uint32_t flags = direction;
    uint32_t total = (uint32_t)(32 + padded(size) + option_size(sizeof(flags)) + 4);
    put32(file, ENHANCED_PACKET);
    put32(file, total);
    put32(file, interface);
    put32(file, (uint32_t)(ns >> 32));
    put32(file, (uint32_t)ns);
    put32(file, size);
    put32(file, size);
    put_padded(file, bytes, size);
    put_option(file, EPB_FLAGS, &flags, sizeof(flags));
    put32(file, END_OF_OPTIONS);
    put32(file, total);
}
