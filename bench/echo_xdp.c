/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ceiling: a bare AF_XDP echo in one process. It trusts everything, isolates nothing and knows
 * no protocol but ARP and UDP as far as it must (echo_frame.h); what it reaches, no arrangement of
 * isolated parts over the same kernel interface can exceed by much.
 *
 * usage: echo_xdp INTERFACE ADDRESS...: answers ARP for the addresses, and every UDP datagram.
 */
#include "echo_frame.h"

#include <errno.h>
#include <linux/if_link.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <xdp/xsk.h>

#define BUFFERS 4096
#define SIZE    2048
#define BATCH   64
#define RING    2048

static struct xsk_ring_prod fill, tx;
static struct xsk_ring_cons completion, rx;
static char *buffer;
static struct echo_addresses addresses;
static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

static void give_back(uint64_t at)
{
    uint32_t i;
    if (xsk_ring_prod__reserve(&fill, 1, &i) == 1) {
        *xsk_ring_prod__fill_addr(&fill, i) = at;
        xsk_ring_prod__submit(&fill, 1);
    }
}

static void pass(int fd)
{
    uint32_t from, to;
    unsigned done = xsk_ring_cons__peek(&completion, RING, &from);
    for (unsigned i = 0; i < done; i++) {
        give_back(*xsk_ring_cons__comp_addr(&completion, from + i) / SIZE * SIZE);
    }
    xsk_ring_cons__release(&completion, done);

    unsigned got = xsk_ring_cons__peek(&rx, BATCH, &from);
    for (unsigned i = 0; i < got; i++) {
        struct xdp_desc d = *xsk_ring_cons__rx_desc(&rx, from + i);
        if (echo_answer(&addresses, buffer + d.addr, d.len) &&
            xsk_ring_prod__reserve(&tx, 1, &to) == 1) {
            *xsk_ring_prod__tx_desc(&tx, to) = d;
            xsk_ring_prod__submit(&tx, 1);
        } else {
            give_back(d.addr / SIZE * SIZE);
        }
    }
    xsk_ring_cons__release(&rx, got);

    /* A kick sends 32 frames at most and then says EAGAIN. */
    while (xsk_ring_prod__needs_wakeup(&tx) && sendto(fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 &&
           errno == EAGAIN) {
    }
    if (got == 0) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        poll(&p, 1, -1);
    }
}

int main(int argc, char **argv)
{
    if (argc < 3 || !echo_addresses_parse(&addresses, argc - 2, argv + 2)) {
        fprintf(stderr, "usage: echo_xdp INTERFACE IPV4_ADDRESS...\n");
        return 2;
    }
    /* No SA_RESTART: the poll is to end. */
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);

    struct xsk_umem_config shape = {.fill_size = 2 * RING, .comp_size = RING, .frame_size = SIZE};
    struct xsk_socket_config how = {.rx_size = RING,
                                    .tx_size = RING,
                                    .xdp_flags = XDP_FLAGS_DRV_MODE,
                                    .bind_flags = XDP_COPY | XDP_USE_NEED_WAKEUP};
    struct xsk_umem *umem;
    struct xsk_socket *xsk;
    buffer = mmap(NULL, BUFFERS * SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int error = buffer == MAP_FAILED
                    ? -errno
                    : xsk_umem__create(&umem, buffer, BUFFERS * SIZE, &fill, &completion, &shape);
    if (error == 0) {
        /* The kernel lets go of an earlier socket a moment after its process has ended. */
        for (int tries = 0; tries < 100; tries++) {
            error = xsk_socket__create(&xsk, argv[1], 0, umem, &rx, &tx, &how);
            if (error != -EBUSY) {
                break;
            }
            usleep(10000);
        }
    }
    if (error != 0) {
        fprintf(stderr, "echo_xdp: %s: %s\n", argv[1], strerror(-error));
        return 1;
    }
    for (unsigned i = 0; i < BUFFERS; i++) {
        give_back((uint64_t)i * SIZE);
    }
    while (!stop) {
        pass(xsk_socket__fd(xsk));
    }
    xsk_socket__delete(xsk);
    xsk_umem__delete(umem);
    return 0;
}
