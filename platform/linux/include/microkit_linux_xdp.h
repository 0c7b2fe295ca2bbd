/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The AF_XDP device as its driver sees it: five regions, in this order in the board file.
 *
 *     rx_ring          the kernel produces, the driver consumes    struct xdp_desc
 *     tx_ring          the driver produces, the kernel consumes    struct xdp_desc
 *     fill_ring        the driver produces, the kernel consumes    uint64_t, a chunk's address
 *     completion_ring  the kernel produces, the driver consumes    uint64_t, a chunk's address
 *     layout           struct linux_xdp_layout, written once by the loader
 *
 * Where in a ring the indices, the flags and the entries are is the kernel's own affair and differs
 * between machines; the kernel tells whoever opens the socket (XDP_MMAP_OFFSETS), and the layout
 * region hands that on.
 */
#pragma once

#include <stdint.h>

enum linux_xdp_region {
    LINUX_XDP_RX,
    LINUX_XDP_TX,
    LINUX_XDP_FILL,
    LINUX_XDP_COMPLETION,
    LINUX_XDP_RINGS,
    LINUX_XDP_LAYOUT = LINUX_XDP_RINGS,
    LINUX_XDP_REGIONS,
};

#define LINUX_XDP_LAYOUT_MAGIC 0x4c504458u /* "XDPL" as bytes */

/* Byte offsets into a ring's region. */
struct linux_xdp_ring {
    uint32_t producer;
    uint32_t consumer;
    uint32_t flags;
    uint32_t entries;
    uint32_t count; /* entries, a power of two */
    uint32_t reserved;
};

struct linux_xdp_layout {
    uint32_t magic;
    uint32_t chunk_size;
    uint64_t umem_size; /* IO addresses are below this */
    struct linux_xdp_ring ring[LINUX_XDP_RINGS];
};

/* Linux's own interface, as linux/if_xdp.h has it. */
#define LINUX_XDP_NEED_WAKEUP 1u

struct linux_xdp_desc {
    uint64_t address;
    uint32_t length;
    uint32_t options;
};
