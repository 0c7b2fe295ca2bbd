/* SPDX-License-Identifier: BSD-2-Clause */
/* The Rx virtualiser under names of its own, to stand beside a copier in one process. */
#define sddf_net_config chain_virt_rx_config
#define init            chain_virt_rx_init
#define notified        chain_virt_rx_notified
#include "network/virt_rx.c"
