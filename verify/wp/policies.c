/* SPDX-License-Identifier: BSD-2-Clause */
/* The Tx virtualiser's policies; sets of clients are bits. */
#define WP_BITS
#include "tx_priority.h"
#include "tx_round_robin.h"
#include "tx_signalled.h"
