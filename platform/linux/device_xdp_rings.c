/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The memory of an AF_XDP device (Documentation/networking/af_xdp.rst): the UMEM, which is its
 * IOMMU domain, and the four rings and the page that says how they are laid out, which are its
 * registers.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/if_xdp.h>

#include "device_xdp.h"
#include "platform/linux/include/microkit_linux_xdp.h"
#include "sddf/net.h"

#define RING_ENTRIES 2048
#define HUGE_PAGE    (UINT64_C(2) << 20)

/* Newer than Debian's headers: how many frames one sendto may take from the Tx ring. */
#ifndef XDP_MAX_TX_SKB_BUDGET
#define XDP_MAX_TX_SKB_BUDGET 9
#endif

/* A burst of the whole Tx ring must not fail for want of socket memory. */
#define SEND_BUFFER (RING_ENTRIES * 4096)

_Static_assert(sizeof(struct xdp_desc) == sizeof(struct linux_xdp_desc) &&
                   XDP_RING_NEED_WAKEUP == LINUX_XDP_NEED_WAKEUP,
               "microkit_linux_xdp.h says what linux/if_xdp.h says");

/* ---- the UMEM ------------------------------------------------------------------------------ */

static const struct system_io_space *io_space_of(const struct system *system, const char *device)
{
    for (size_t i = 0; i < system->io_space_count; i++) {
        if (strcmp(system->io_spaces[i].name, device) == 0) {
            return &system->io_spaces[i];
        }
    }
    return NULL;
}

static const struct system_iomap *map_at(const struct system_io_space *space, uint64_t iovaddr)
{
    for (size_t i = 0; i < space->map_count; i++) {
        if (space->maps[i].iovaddr == iovaddr) {
            return &space->maps[i];
        }
    }
    return NULL;
}

/*
 * Maps the regions at their IO addresses, relative to state->umem. The kernel pins all of the UMEM,
 * so there may be no hole in it. A region of huge pages may be longer than the description says;
 * then the next one must leave that much room.
 */
bool xdp_umem_map(struct xdp_state *state, const struct linux_device *device,
                  const struct system *system, const struct linux_memory *memory, char **why)
{
    const char *name = device->board->name;
    const struct system_io_space *space = io_space_of(system, name);
    if (space == NULL || space->map_count == 0) {
        return linux_device_fail(why,
                                 "%s: no io_address_space names this device, so there is no "
                                 "memory for packets",
                                 name);
    }
    for (size_t i = 0; i < space->map_count; i++) {
        state->reserved_size += memory[space->maps[i].region].size;
    }
    state->reserved_size += HUGE_PAGE;
    state->reserved = mmap(NULL, state->reserved_size, PROT_NONE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (state->reserved == MAP_FAILED) {
        state->reserved = NULL;
        return linux_device_fail(why, "%s: no address space for packets: %s", name,
                                 strerror(errno));
    }
    uint64_t start = (uint64_t)(uintptr_t)state->reserved;
    state->umem = state->reserved + ((start + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE - start);
    uint64_t at = 0;
    for (size_t i = 0; i < space->map_count; i++) {
        const struct system_iomap *map = map_at(space, device->board->io_base + at);
        if (map == NULL) {
            return linux_device_fail(why,
                                     "%s: an iomap must begin at IO address 0x%llx: the UMEM has "
                                     "no holes and no overlaps",
                                     name, (unsigned long long)(device->board->io_base + at));
        }
        const struct linux_memory *region = &memory[map->region];
        if (region->rw < 0 || at % region->page_size != 0) {
            return linux_device_fail(
                why, "%s: the region %s cannot lie at IO address 0x%llx: %s", name,
                system->regions[map->region].name, (unsigned long long)map->iovaddr,
                region->rw < 0 ? "it is a device's own" : "its pages are larger than that allows");
        }
        if (mmap(state->umem + at, region->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
                 region->rw, 0) == MAP_FAILED) {
            return linux_device_fail(why, "%s: cannot map the region %s: %s", name,
                                     system->regions[map->region].name, strerror(errno));
        }
        at += region->size;
    }
    state->umem_size = at;
    return true;
}

/* ---- the rings ----------------------------------------------------------------------------- */

/* af_xdp.rst, "XDP_UMEM_REG setsockopt", "XDP_{RX|TX|UMEM_FILL|UMEM_COMPLETION}_RING". */
bool xdp_rings_make(const struct linux_device *device, const struct xdp_state *state, char **why)
{
    int fd = device->fd;
    struct xdp_umem_reg umem = {
        .addr = (uint64_t)(uintptr_t)state->umem,
        .len = state->umem_size,
        .chunk_size = NET_BUFFER_SIZE,
    };
    if (setsockopt(fd, SOL_XDP, XDP_UMEM_REG, &umem, sizeof(umem)) != 0) {
        return linux_device_fail(why, "%s: cannot register %llu KiB of packet memory: %s%s",
                                 device->interface, (unsigned long long)state->umem_size / 1024,
                                 strerror(errno),
                                 errno == ENOBUFS || errno == ENOMEM
                                     ? " (it is locked in memory: raise \"ulimit -l\", or give "
                                       "CAP_IPC_LOCK)"
                                     : "");
    }
    static const int rings[] = {XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING, XDP_RX_RING,
                                XDP_TX_RING};
    const int entries = RING_ENTRIES;
    for (size_t i = 0; i < sizeof(rings) / sizeof(rings[0]); i++) {
        if (setsockopt(fd, SOL_XDP, rings[i], &entries, sizeof(entries)) != 0) {
            return linux_device_fail(why, "%s: cannot make the rings of an AF_XDP socket: %s",
                                     device->interface, strerror(errno));
        }
    }
    /* Fewer and longer system calls per burst; kernels that do not know these do without. */
    const int bytes = SEND_BUFFER;
    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes));
    setsockopt(fd, SOL_XDP, XDP_MAX_TX_SKB_BUDGET, &entries, sizeof(entries));
    return true;
}

/* The driver gets a descriptor that only reads, of a page that nobody can write any more. */
static bool write_layout(struct linux_device *device, struct xdp_state *state,
                         const struct linux_xdp_layout *layout, char **why)
{
    struct linux_resource *region = &device->region[LINUX_XDP_LAYOUT];
    char path[32];
    int fd = memfd_create("layout", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd >= 0 && ftruncate(fd, (off_t)region->size) == 0 &&
        pwrite(fd, layout, sizeof(*layout), 0) == (ssize_t)sizeof(*layout) &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == 0) {
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        state->layout = open(path, O_RDONLY | O_CLOEXEC);
    }
    if (state->layout < 0) {
        linux_device_fail(why, "%s: the layout page: %s", device->board->name, strerror(errno));
    }
    if (fd >= 0) {
        close(fd);
    }
    region->fd = state->layout;
    return state->layout >= 0;
}

/* af_xdp.rst, "XDP_MMAP_OFFSETS": the driver learns this from the layout region. */
bool xdp_rings_lay_out(struct linux_device *device, struct xdp_state *state, char **why)
{
    static const char *const names[LINUX_XDP_REGIONS] = {"rx_ring", "tx_ring", "fill_ring",
                                                         "completion_ring", "layout"};
    static const uint64_t page_offset[LINUX_XDP_RINGS] = {XDP_PGOFF_RX_RING, XDP_PGOFF_TX_RING,
                                                          XDP_UMEM_PGOFF_FILL_RING,
                                                          XDP_UMEM_PGOFF_COMPLETION_RING};
    struct xdp_mmap_offsets offsets;
    socklen_t length = sizeof(offsets);
    if (getsockopt(device->fd, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &length) != 0 ||
        length != sizeof(offsets)) {
        return linux_device_fail(why,
                                 "%s: this kernel's AF_XDP is too old: Linux 5.4 or later is "
                                 "needed",
                                 device->interface);
    }
    const struct xdp_ring_offset *kernel[LINUX_XDP_RINGS] = {&offsets.rx, &offsets.tx, &offsets.fr,
                                                             &offsets.cr};
    struct linux_xdp_layout layout = {
        .magic = LINUX_XDP_LAYOUT_MAGIC,
        .chunk_size = NET_BUFFER_SIZE,
        .umem_size = state->umem_size,
    };
    const struct board_device *board = device->board;
    for (size_t i = 0; i < LINUX_XDP_REGIONS; i++) {
        if (board->region_count != LINUX_XDP_REGIONS ||
            strcmp(board->regions[i].name, names[i]) != 0) {
            return linux_device_fail(why,
                                     "the board's device %s must have the regions rx_ring, "
                                     "tx_ring, fill_ring, completion_ring, layout, in this "
                                     "order",
                                     board->name);
        }
        uint64_t size = sizeof(layout);
        if (i < LINUX_XDP_RINGS) {
            bool frames = i == LINUX_XDP_RX || i == LINUX_XDP_TX;
            layout.ring[i] = (struct linux_xdp_ring){
                .producer = (uint32_t)kernel[i]->producer,
                .consumer = (uint32_t)kernel[i]->consumer,
                .flags = (uint32_t)kernel[i]->flags,
                .entries = (uint32_t)kernel[i]->desc,
                .count = RING_ENTRIES,
            };
            size = kernel[i]->desc +
                   RING_ENTRIES * (frames ? sizeof(struct xdp_desc) : sizeof(uint64_t));
            device->region[i].offset = page_offset[i];
        }
        size = (size + 0xfff) & ~UINT64_C(0xfff);
        if (board->regions[i].size != size) {
            return linux_device_fail(why,
                                     "the board says that %s of %s has 0x%llx bytes; on this "
                                     "kernel it has 0x%llx",
                                     names[i], board->name,
                                     (unsigned long long)board->regions[i].size,
                                     (unsigned long long)size);
        }
        device->region[i].size = size;
        device->region[i].fd = device->fd;
    }
    return write_layout(device, state, &layout, why);
}
