/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The same bare echo over DPDK: its poll-mode driver for AF_XDP or AF_PACKET on a Linux interface,
 * one core, one queue each way. Like every program of DPDK's it polls without ever sleeping.
 *
 * usage: echo_dpdk EAL-OPTIONS... -- IPV4_ADDRESS...
 */
#include "echo_frame.h"

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <signal.h>
#include <stdio.h>

#define BUFFERS 8191
#define RING    2048
#define BATCH   64

static struct echo_addresses addresses;
static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

static void pass(uint16_t port)
{
    struct rte_mbuf *packet[BATCH];
    uint16_t got = rte_eth_rx_burst(port, 0, packet, BATCH), answers = 0;
    for (uint16_t i = 0; i < got; i++) {
        struct rte_mbuf *p = packet[i];
        if (echo_answer(&addresses, rte_pktmbuf_mtod(p, char *), p->data_len)) {
            packet[answers++] = p;
        } else {
            rte_pktmbuf_free(p);
        }
    }
    /* Also without an answer: some drivers push out in it what an earlier call has left. */
    uint16_t sent = rte_eth_tx_burst(port, 0, packet, answers);
    while (sent < answers) {
        rte_pktmbuf_free(packet[sent++]);
    }
}

static int open_port(uint16_t port, struct rte_mempool *pool)
{
    struct rte_eth_conf how = {0};
    int error = rte_eth_dev_configure(port, 1, 1, &how);
    error = error ? error : rte_eth_rx_queue_setup(port, 0, RING, SOCKET_ID_ANY, NULL, pool);
    error = error ? error : rte_eth_tx_queue_setup(port, 0, RING, SOCKET_ID_ANY, NULL);
    error = error ? error : rte_eth_dev_start(port);
    /* The frames are for a MAC address that is not the interface's. */
    return error ? error : rte_eth_promiscuous_enable(port);
}

int main(int argc, char **argv)
{
    int taken = rte_eal_init(argc, argv);
    if (taken < 0 || !echo_addresses_parse(&addresses, argc - taken - 1, argv + taken + 1)) {
        fprintf(stderr, "usage: echo_dpdk EAL-OPTIONS... -- IPV4_ADDRESS...\n");
        return 2;
    }
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);

    struct rte_mempool *pool = rte_pktmbuf_pool_create("packets", BUFFERS, 256, 0,
                                                       RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    int error = pool == NULL ? -rte_errno : rte_eth_dev_count_avail() != 1 ? -ENODEV : 0;
    error = error ? error : open_port(0, pool);
    if (error != 0) {
        fprintf(stderr, "echo_dpdk: %s\n", strerror(-error));
        return 1;
    }
    while (!stop) {
        pass(0);
    }
    rte_eth_dev_stop(0);
    rte_eth_dev_close(0);
    rte_eal_cleanup();
    return 0;
}
