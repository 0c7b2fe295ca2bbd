/* SPDX-License-Identifier: BSD-2-Clause */
/* The Tx virtualiser under names of its own, to stand beside the other one in one process. */
#define sddf_net_config scale_virt_tx_config
#define init            scale_virt_tx_init
#define notified        scale_virt_tx_notified
#include "network/virt_tx.c"
#include "network/virt_tx_provide.c"
#include "network/virt_tx_return.c"
