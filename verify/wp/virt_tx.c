/* SPDX-License-Identifier: BSD-2-Clause */
/* The Tx virtualiser. */
#define WP_BITS
#include "../../network/virt_tx.h"
