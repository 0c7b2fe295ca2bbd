/* SPDX-License-Identifier: BSD-2-Clause */
/* What an echo over DPDK does with a burst of frames; dpdk.c does the rest. */
#pragma once

#include <netinet/in.h>
#include <rte_mbuf.h>
#include <stdbool.h>
#include <stdint.h>

#define DPDK_BUFFERS 4095 /* packets that there are in the pool */
#define DPDK_BATCH   64   /* received at a time */
#define DPDK_SEND    (2 * DPDK_BATCH)

/* Once, with the address that it answers for. */
bool dpdk_answers_init(struct rte_mempool *pool, struct in_addr address);

/* Takes `count` frames, and leaves in `out`, which has room for DPDK_SEND, those to send: how many.
 */
uint16_t dpdk_answers(struct rte_mbuf **in, uint16_t count, struct rte_mbuf **out);
