/* SPDX-License-Identifier: BSD-2-Clause */
/* A reflector: every UDP datagram goes back in its buffer, without an IP stack; ARP is answered. */
#include "../echo_frame.h"

#include "dpdk.h"

static struct echo_addresses addresses = {.count = 1};

bool dpdk_answers_init(struct rte_mempool *pool, struct in_addr address)
{
    (void)pool;
    addresses.address[0] = address;
    return true;
}

uint16_t dpdk_answers(struct rte_mbuf **in, uint16_t count, struct rte_mbuf **out)
{
    uint16_t answers = 0;
    for (uint16_t i = 0; i < count; i++) {
        if (echo_answer(&addresses, rte_pktmbuf_mtod(in[i], char *), in[i]->data_len)) {
            out[answers++] = in[i];
        } else {
            rte_pktmbuf_free(in[i]);
        }
    }
    return answers;
}
