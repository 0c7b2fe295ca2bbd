/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The XDP program of the AF_XDP device: loads it, tells it what belongs to the system, and holds it
 * on an interface. Nothing is pinned: the program is held by a BPF link, which is a descriptor, so
 * it is gone when this process is, however that ends.
 */
#pragma once

#include <stdbool.h>

#include "platform/linux/device.h"

struct bpf_object;

#define XDP_RECEIVERS_MAX 64

struct xdp_filter {
    struct bpf_object *object;
    int link; /* -1: not attached */
    unsigned char receiver[XDP_RECEIVERS_MAX][6];
    unsigned receiver_count;
};

/*
 * Loads the program and fills its maps with the addresses of the clients of `device`'s network:
 * from the configurations of its Rx virtualiser and its ARP component, in the expanded system. The
 * addresses of the host are those that the interface has now. False with *why; nothing is kept
 * then.
 */
bool xdp_filter_load(struct xdp_filter *filter, const struct system *system, const char *device,
                     const char *interface, char **why);

/* Attaches, natively if the interface can. *native says how. Frames go to the host still. */
bool xdp_filter_attach(struct xdp_filter *filter, const char *interface, bool allow_generic,
                       bool *native, char **why);

/* From here on the system's frames go to the socket, which must be bound to queue 0. */
bool xdp_filter_direct(struct xdp_filter *filter, int socket, char **why);

/* Idempotent. */
void xdp_filter_close(struct xdp_filter *filter);
