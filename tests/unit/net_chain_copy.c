/* SPDX-License-Identifier: BSD-2-Clause */
/* The copier under names of its own, to stand beside the Rx virtualiser in one process. */
#define sddf_net_config chain_copy_config
#define init            chain_copy_init
#define notified        chain_copy_notified
#include "network/copy.c"
