/* SPDX-License-Identifier: BSD-2-Clause */
/* The Tx virtualiser's policies; sets of clients are bits. */
#define WP_BITS
#include "tx_policy.h"
