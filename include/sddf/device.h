/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Talking to a device: its registers, the memory that it reads and writes by itself (DMA memory:
 * rings, descriptors, headers), and the barriers between the two.
 *
 * sddf/atomic.h is for other programs, whose accesses the C memory model knows; a device's are
 * outside of it. So what a driver shares with a device goes through the operations below and
 * nothing else: single, volatile accesses of the width in the name, and barriers that are strong
 * enough for a weakly ordered core and say what they order. The barriers also hold the compiler.
 *
 * Assumed of the mappings: registers are device memory (not cached, not gathered, in order among
 * themselves: nGnRE on AArch64, an I/O region on RISC-V, UC on x86), DMA memory is normal memory
 * that the device sees coherently. Devices are little-endian, and so are all cores that we run on.
 *
 * A test puts a file of its own in place of this one, by include path, to be the device.
 */
#pragma once

#include <stdint.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "devices' words are used as they are");

/* ---- registers ----------------------------------------------------------------------------- */

/* `address` is a multiple of the width, in a mapping of the device's registers. */

static inline uint8_t sddf_device_read8(uintptr_t address)
{
    return *(const volatile uint8_t *)address;
}

static inline uint16_t sddf_device_read16(uintptr_t address)
{
    return *(const volatile uint16_t *)address;
}

static inline uint32_t sddf_device_read32(uintptr_t address)
{
    return *(const volatile uint32_t *)address;
}

static inline uint64_t sddf_device_read64(uintptr_t address)
{
    return *(const volatile uint64_t *)address;
}

static inline void sddf_device_write8(uintptr_t address, uint8_t value)
{
    *(volatile uint8_t *)address = value;
}

static inline void sddf_device_write16(uintptr_t address, uint16_t value)
{
    *(volatile uint16_t *)address = value;
}

static inline void sddf_device_write32(uintptr_t address, uint32_t value)
{
    *(volatile uint32_t *)address = value;
}

static inline void sddf_device_write64(uintptr_t address, uint64_t value)
{
    *(volatile uint64_t *)address = value;
}

/* ---- DMA memory ---------------------------------------------------------------------------- */

/* One access, neither torn nor repeated: the device may write to the word at any moment. */

static inline uint16_t sddf_device_load16(const uint16_t *word)
{
    return *(const volatile uint16_t *)word;
}

static inline uint32_t sddf_device_load32(const uint32_t *word)
{
    return *(const volatile uint32_t *)word;
}

static inline uint64_t sddf_device_load64(const uint64_t *word)
{
    return *(const volatile uint64_t *)word;
}

static inline void sddf_device_store16(uint16_t *word, uint16_t value)
{
    *(volatile uint16_t *)word = value;
}

static inline void sddf_device_store32(uint32_t *word, uint32_t value)
{
    *(volatile uint32_t *)word = value;
}

static inline void sddf_device_store64(uint64_t *word, uint64_t value)
{
    *(volatile uint64_t *)word = value;
}

/* ---- barriers ------------------------------------------------------------------------------ */

/*
 * On AArch64 the outer-shareable domain is the one that has devices in it. x86 keeps loads in
 * order, stores in order, and stores behind loads, UC registers included; what is left to do there
 * is to hold the compiler, and to order a store against a later load.
 */
#if defined(__x86_64__)
#define SDDF_DEVICE_STORES_STORES   ""
#define SDDF_DEVICE_LOADS_ALL       ""
#define SDDF_DEVICE_ALL_ALL         "mfence"
#define SDDF_DEVICE_STORES_REGISTER ""
#define SDDF_DEVICE_REGISTER_ALL    "mfence"
#elif defined(__aarch64__)
#define SDDF_DEVICE_STORES_STORES   "dmb oshst"
#define SDDF_DEVICE_LOADS_ALL       "dmb oshld"
#define SDDF_DEVICE_ALL_ALL         "dmb osh"
#define SDDF_DEVICE_STORES_REGISTER "dmb oshst"
#define SDDF_DEVICE_REGISTER_ALL    "dsb osh" /* a dmb would order it, but not wait for it */
#elif defined(__riscv) && __riscv_xlen == 64
#define SDDF_DEVICE_STORES_STORES   "fence w, w"
#define SDDF_DEVICE_LOADS_ALL       "fence r, rw"
#define SDDF_DEVICE_ALL_ALL         "fence rw, rw"
#define SDDF_DEVICE_STORES_REGISTER "fence w, o"
#define SDDF_DEVICE_REGISTER_ALL    "fence io, iorw"
#else
#error "sddf/device.h does not know this architecture's barriers"
#endif

#define SDDF_DEVICE_BARRIER(instruction) __asm__ volatile(instruction ::: "memory")

/*
 * Before the store of an index that hands something over: the device that sees the index sees all
 * that was stored to DMA memory before (descriptors, headers; and, through the acquire with which
 * this PD learnt of them, the frames that other PDs wrote).
 */
static inline void sddf_device_before_index(void)
{
    SDDF_DEVICE_BARRIER(SDDF_DEVICE_STORES_STORES);
}

/*
 * After the load of an index that the device hands something over with, before looking at what it
 * handed over: neither the loads nor the reuse of the memory may come before the index.
 */
static inline void sddf_device_after_index(void)
{
    SDDF_DEVICE_BARRIER(SDDF_DEVICE_LOADS_ALL);
}

/*
 * Between a store that the device looks for and the load of what the device answers with: our index
 * and then its wish to be notified; our wish to be interrupted and then its index. The device has
 * one such barrier between its own two, so at least one side sees the other's store.
 */
static inline void sddf_device_store_then_look(void)
{
    SDDF_DEVICE_BARRIER(SDDF_DEVICE_ALL_ALL);
}

/*
 * Before a doorbell (a write to a register that makes the device look): it finds at least what was
 * stored to DMA memory before.
 */
static inline void sddf_device_before_doorbell(void)
{
    SDDF_DEVICE_BARRIER(SDDF_DEVICE_STORES_REGISTER);
}

/*
 * After a write to a register that has to have happened before DMA memory is looked at: an
 * interrupt acknowledged late would take the next event, which we have not seen, with it.
 */
static inline void sddf_device_after_register(void)
{
    SDDF_DEVICE_BARRIER(SDDF_DEVICE_REGISTER_ALL);
}
