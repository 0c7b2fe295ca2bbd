/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdint.h>

/* Writes the numbers of the buffers that a component holds by itself (of this client, if it keeps
 * them apart); how many they are. */
unsigned peek_spare(uint32_t client, uint32_t *buffers);
