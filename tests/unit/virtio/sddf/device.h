/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * In place of include/sddf/device.h: every access and every barrier goes to a device model
 * (virtio_model.c, e1000e_model.c), which is the device, checks what the driver does, and may do
 * something itself before any of them.
 */
#pragma once

#include <stdint.h>

uint8_t sddf_device_read8(uintptr_t address);
uint16_t sddf_device_read16(uintptr_t address);
uint32_t sddf_device_read32(uintptr_t address);
uint64_t sddf_device_read64(uintptr_t address);
void sddf_device_write8(uintptr_t address, uint8_t value);
void sddf_device_write16(uintptr_t address, uint16_t value);
void sddf_device_write32(uintptr_t address, uint32_t value);
void sddf_device_write64(uintptr_t address, uint64_t value);

uint16_t sddf_device_load16(const uint16_t *word);
uint32_t sddf_device_load32(const uint32_t *word);
uint64_t sddf_device_load64(const uint64_t *word);
void sddf_device_store16(uint16_t *word, uint16_t value);
void sddf_device_store32(uint32_t *word, uint32_t value);
void sddf_device_store64(uint64_t *word, uint64_t value);

void sddf_device_before_index(void);
void sddf_device_after_index(void);
void sddf_device_store_then_look(void);
void sddf_device_before_doorbell(void);
void sddf_device_after_register(void);
