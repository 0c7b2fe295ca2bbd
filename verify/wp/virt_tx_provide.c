/* SPDX-License-Identifier: BSD-2-Clause */
/* The Tx virtualiser's way out. */
#define WP_BITS
#define WP_HOLDERS
#define WP_MEMBERS
#include "../../network/virt_tx_provide.c"
