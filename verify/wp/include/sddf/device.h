/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The prover's sddf/device.h: the device as the worst of neighbours. What is read of DMA memory may
 * be anything, each time anew, and what is written there is forgotten. That the words lie in memory
 * has to be proved.
 */
#pragma once

#include <stdint.h>

/*@ requires in_memory: \valid_read(word);
  @ assigns \nothing;
  @*/
uint16_t sddf_device_load16(const uint16_t *word);

/*@ requires in_memory: \valid_read(word);
  @ assigns \nothing;
  @*/
uint32_t sddf_device_load32(const uint32_t *word);

/*@ requires in_memory: \valid_read(word);
  @ assigns \nothing;
  @*/
uint64_t sddf_device_load64(const uint64_t *word);

/*@ requires in_memory: \valid(word);
  @ assigns \nothing;
  @*/
void sddf_device_store16(uint16_t *word, uint16_t value);

/*@ requires in_memory: \valid(word);
  @ assigns \nothing;
  @*/
void sddf_device_store32(uint32_t *word, uint32_t value);

/*@ requires in_memory: \valid(word);
  @ assigns \nothing;
  @*/
void sddf_device_store64(uint64_t *word, uint64_t value);

/*@ assigns \nothing; */
void sddf_device_before_index(void);

/*@ assigns \nothing; */
void sddf_device_after_index(void);

/*@ assigns \nothing; */
void sddf_device_store_then_look(void);
