/* SPDX-License-Identifier: BSD-2-Clause */
/* The Tx virtualiser's way back. */
#define WP_BITS
#define WP_HOLDERS
#define WP_MEMBERS
#include "../../network/virt_tx_return.c"
