/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stands in for include/sddf/device.h: the target is the device. As in sddf/atomic.h here, the
 * neighbours, of which the device is one, may do something before each access.
 */
#pragma once

#include <stdint.h>

#include "sddf/atomic.h"

uint64_t fuzz_register_read(uintptr_t address, uint32_t bytes);
void fuzz_register_write(uintptr_t address, uint32_t bytes, uint64_t value);

#define FUZZ_DEVICE_ACCESS(bits)                                                                   \
    static inline uint##bits##_t sddf_device_read##bits(uintptr_t address)                         \
    {                                                                                              \
        return (uint##bits##_t)fuzz_register_read(address, bits / 8);                              \
    }                                                                                              \
    static inline void sddf_device_write##bits(uintptr_t address, uint##bits##_t value)            \
    {                                                                                              \
        fuzz_register_write(address, bits / 8, value);                                             \
    }                                                                                              \
    static inline uint##bits##_t sddf_device_load##bits(const uint##bits##_t *word)                \
    {                                                                                              \
        fuzz_access();                                                                             \
        return *(const volatile uint##bits##_t *)word;                                             \
    }                                                                                              \
    static inline void sddf_device_store##bits(uint##bits##_t *word, uint##bits##_t value)         \
    {                                                                                              \
        fuzz_access();                                                                             \
        *(volatile uint##bits##_t *)word = value;                                                  \
    }

FUZZ_DEVICE_ACCESS(8)
FUZZ_DEVICE_ACCESS(16)
FUZZ_DEVICE_ACCESS(32)
FUZZ_DEVICE_ACCESS(64)

static inline void sddf_device_before_index(void)
{
}

static inline void sddf_device_after_index(void)
{
}

static inline void sddf_device_store_then_look(void)
{
}

static inline void sddf_device_before_doorbell(void)
{
}

static inline void sddf_device_after_register(void)
{
}
