/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cache maintenance, for devices that do not see what the processors' caches hold (the board file
 * says coherent="false"). It is the virtualisers' affair, as they alone know when a buffer goes to
 * the device and when it comes back: once per buffer each way, and one barrier per batch.
 *
 *      to the device     written (by the client) -> clean -> done -> the index that hands it over
 *      from the device   the index -> forget -> done -> the first look (by virt_rx, by others)
 *
 * What a device writes is mapped for reading only, everywhere, so no line of it is ever dirty, and
 * forgetting loses nothing. Forgetting comes after the device has written, and not (only) before:
 * meanwhile a processor may have fetched lines that nobody asked for.
 *
 * On a coherent platform none of this is called. A test puts a file of its own in place of this
 * one.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Lines of the processors with the instructions below; a shorter step would only take longer. */
#define SDDF_CACHE_MAINTAINED_LINE 64

#if defined(__aarch64__)

/*
 * By address, to the point of coherency, where devices look (Arm Architecture Reference Manual for
 * A-profile, DC CVAC and DC CIVAC; the kernel leaves both to programs). They take a readable
 * address; there is no way for a program to forget without writing back first.
 */
#define SDDF_CACHE_EACH_LINE(instruction, start, size)                                             \
    do {                                                                                           \
        uintptr_t line_ = (uintptr_t)(start) & ~(uintptr_t)(SDDF_CACHE_MAINTAINED_LINE - 1);       \
        for (; line_ < (uintptr_t)(start) + (size); line_ += SDDF_CACHE_MAINTAINED_LINE) {         \
            __asm__ volatile(instruction ", %0" : : "r"(line_) : "memory");                        \
        }                                                                                          \
    } while (0)

/* What was written there is to reach memory. */
static inline void sddf_cache_clean(const void *start, size_t size)
{
    SDDF_CACHE_EACH_LINE("dc cvac", start, size);
}

/* What is looked at there is to come from memory. */
static inline void sddf_cache_forget(const void *start, size_t size)
{
    SDDF_CACHE_EACH_LINE("dc civac", start, size);
}

/* All of the above has happened, for the device and for whoever looks next. */
static inline void sddf_cache_done(void)
{
    __asm__ volatile("dsb sy" : : : "memory");
}

#elif defined(__x86_64__) || (defined(__riscv) && __riscv_xlen == 64)

/*
 * Devices of an x86 are coherent. A RISC-V core need not have the instructions (Zicbom), and the
 * tool refuses a board that would want them.
 */
static inline void sddf_cache_clean(const void *start, size_t size)
{
    (void)start;
    (void)size;
}

static inline void sddf_cache_forget(const void *start, size_t size)
{
    (void)start;
    (void)size;
}

static inline void sddf_cache_done(void)
{
}

#else
#error "sddf/cache.h does not know this architecture"
#endif
