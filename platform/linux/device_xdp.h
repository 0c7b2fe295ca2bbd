/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside the AF_XDP device: device_xdp.c opens and closes it, by what device_xdp_interface.c does
 * to the interface and device_xdp_rings.c to the socket's memory. All return false with `*why` set.
 */
#pragma once

#include "platform/linux/device.h"
#include "platform/linux/xdp/attach.h"

struct xdp_state {
    struct xdp_filter filter;
    int addresses;           /* packet socket that holds the additional MAC addresses */
    int layout;              /* the layout region's memfd, sealed, opened for reading only */
    unsigned char *reserved; /* address space for the UMEM, and room to align it */
    size_t reserved_size;
    unsigned char *umem;
    uint64_t umem_size;
    unsigned index; /* the interface's */
    int watch;      /* for its end; -1 */
};

/* device_xdp_interface.c: is it one that this device can drive, and is it up? */
bool xdp_interface_check(const char *interface, bool *up, char **why);

/*
 * Makes the interface take frames for the clients' MAC addresses, which are not its own: by its
 * address filter, or, if it has none, promiscuously. (Linux' packet(7), PACKET_MR_UNICAST.)
 */
bool xdp_interface_add_addresses(struct xdp_state *state, const char *interface, char **why);

/* device_xdp_rings.c: the UMEM, the rings, and the page that says how they are laid out */
bool xdp_umem_map(struct xdp_state *state, const struct linux_device *device,
                  const struct system *system, const struct linux_memory *memory, char **why);
bool xdp_rings_make(const struct linux_device *device, const struct xdp_state *state, char **why);
bool xdp_rings_lay_out(struct linux_device *device, struct xdp_state *state, char **why);
