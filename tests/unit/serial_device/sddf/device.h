/* SPDX-License-Identifier: BSD-2-Clause */
/* Comes before the true one in tests of serial drivers: the test is the device. */
#pragma once

#include <stdint.h>

uint8_t sddf_device_read8(uintptr_t address);
uint32_t sddf_device_read32(uintptr_t address);
void sddf_device_write8(uintptr_t address, uint8_t value);
void sddf_device_write32(uintptr_t address, uint32_t value);
