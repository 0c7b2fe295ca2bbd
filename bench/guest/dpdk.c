/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An echo over DPDK: dpdk_reflect.c or dpdk_lwip.c says what becomes of a burst of frames. At the
 * end it says how many instructions it has spent on how many frames, from a burst that had some to
 * the end of its transmission, and how many on polls that found nothing. Instructions are what the
 * time-stamp counter counts under "-icount shift=0".
 *
 *     dpdk_WHICH EAL-OPTIONS... -- IPV4_ADDRESS
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "dpdk.h"

#define RING 1024

static volatile sig_atomic_t stop, mark;

static struct {
    uint64_t busy, empty, frames, bursts;
} spent;

static void on_signal(int number)
{
    *(number == SIGUSR1 ? &mark : &stop) = 1;
}

static void pass(uint16_t port)
{
    struct rte_mbuf *come[DPDK_BATCH], *answer[DPDK_SEND];
    const uint64_t start = rte_rdtsc();
    const uint16_t got = rte_eth_rx_burst(port, 0, come, DPDK_BATCH);
    if (got == 0) {
        spent.empty += rte_rdtsc() - start;
        return;
    }
    const uint16_t answers = dpdk_answers(come, got, answer);
    uint16_t sent = rte_eth_tx_burst(port, 0, answer, answers);
    spent.frames += sent;
    while (sent < answers) {
        rte_pktmbuf_free(answer[sent++]);
    }
    spent.bursts++;
    spent.busy += rte_rdtsc() - start;
}

/* Received checksums are the card's to check, as this system's driver has it. */
static int open_port(uint16_t port, struct rte_mempool *pool)
{
    struct rte_eth_dev_info card;
    struct rte_eth_conf how = {0};
    int error = rte_eth_dev_info_get(port, &card);
    how.rxmode.offloads =
        card.rx_offload_capa & (RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM);
    error = error ? error : rte_eth_dev_configure(port, 1, 1, &how);
    error = error ? error : rte_eth_rx_queue_setup(port, 0, RING, SOCKET_ID_ANY, NULL, pool);
    error = error ? error : rte_eth_tx_queue_setup(port, 0, RING, SOCKET_ID_ANY, NULL);
    error = error ? error : rte_eth_dev_start(port);
    /* The frames are for a MAC address that is not the interface's. */
    return error ? error : rte_eth_promiscuous_enable(port);
}

static void say(void)
{
    printf("{\"busy\": %" PRIu64 ", \"empty\": %" PRIu64 ", \"frames\": %" PRIu64
           ", \"bursts\": %" PRIu64 "}\n",
           spent.busy, spent.empty, spent.frames, spent.bursts);
    fflush(stdout);
    memset(&spent, 0, sizeof(spent));
    mark = 0;
}

int main(int argc, char **argv)
{
    int taken = rte_eal_init(argc, argv);
    struct in_addr address;
    if (taken < 0 || argc - taken != 2 || inet_aton(argv[taken + 1], &address) == 0) {
        fprintf(stderr, "usage: dpdk EAL-OPTIONS... -- IPV4_ADDRESS\n");
        return 2;
    }
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGUSR1, &action, NULL); /* what has been spent so far, and from zero again */

    struct rte_mempool *pool = rte_pktmbuf_pool_create("packets", DPDK_BUFFERS, 256, 8,
                                                       RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    int error = pool == NULL ? -rte_errno : rte_eth_dev_count_avail() != 1 ? -ENODEV : 0;
    error = error ? error : dpdk_answers_init(pool, address) ? 0 : -EINVAL;
    error = error ? error : open_port(0, pool);
    if (error != 0) {
        fprintf(stderr, "dpdk: %s\n", strerror(-error));
        return 1;
    }
    puts("dpdk: ready");
    fflush(stdout);
    while (!stop) {
        pass(0);
        if (mark) {
            say();
        }
    }
    rte_eth_dev_stop(0);
    rte_eth_dev_close(0);
    rte_eal_cleanup();
    return 0;
}
