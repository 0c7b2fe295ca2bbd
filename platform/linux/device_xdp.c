/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A Linux network interface, driven through AF_XDP as if it were hardware
 * (Documentation/networking/af_xdp.rst):
 *
 *     its IOMMU domain   the UMEM: the regions that the device's io_address_space names, mapped
 *                        side by side in this process; an IO address is an offset into it
 *     its registers      the four rings of the socket, and a page that says how they are laid out
 *     its doorbell       sendto (Tx) and recvfrom (fill), with nothing to send and nowhere to put
 *     its interrupt      the socket is readable: the Rx ring is not empty
 *
 * Of a veth, the other end's transmit checksumming must be off ("ethtool -K PEER tx off"), or
 * frames arrive with checksums that nobody has computed: a veth leaves that to a receiver who can
 * tell, and AF_XDP cannot. It does not show from this end; whoever checks the checksums counts them
 * as wrong.
 *
 * All of it goes when this process does: the socket, the XDP program (a BPF link) and the
 * interface's additional MAC addresses (a packet socket's memberships) are descriptors.
 */
#include "platform/linux/device.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/if_xdp.h>
#include <linux/sockios.h>

#include "platform/linux/include/microkit_linux_xdp.h"
#include "platform/linux/xdp/attach.h"
#include "sddf/net.h"

#define RING_ENTRIES 2048
#define HUGE_PAGE    (UINT64_C(2) << 20)
#define MTU_MAX      1500
#define BIND_TRIES   400 /* 5 ms apart */

/* Newer than Debian's headers: how many frames one sendto may take from the Tx ring. */
#ifndef XDP_MAX_TX_SKB_BUDGET
#define XDP_MAX_TX_SKB_BUDGET 9
#endif

/* A burst of the whole Tx ring must not fail for want of socket memory. */
#define SEND_BUFFER (RING_ENTRIES * 4096)

_Static_assert(sizeof(struct xdp_desc) == sizeof(struct linux_xdp_desc) &&
                   XDP_RING_NEED_WAKEUP == LINUX_XDP_NEED_WAKEUP,
               "microkit_linux_xdp.h says what linux/if_xdp.h says");

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

/* ---- the interface ------------------------------------------------------------------------- */

static bool request(int number, struct ifreq *ifreq, const char *interface)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return false;
    }
    snprintf(ifreq->ifr_name, sizeof(ifreq->ifr_name), "%s", interface);
    int result = ioctl(fd, (unsigned long)number, ifreq);
    close(fd);
    return result == 0;
}

static bool check_interface(const char *interface, bool *up, char **why)
{
    struct ifreq ifreq = {0};
    if (strlen(interface) >= IFNAMSIZ || if_nametoindex(interface) == 0) {
        return linux_device_fail(why,
                                 "there is no network interface \"%s\" here; \"ip link\" lists "
                                 "those that there are",
                                 interface);
    }
    if (request(SIOCGIFFLAGS, &ifreq, interface) && (ifreq.ifr_flags & IFF_LOOPBACK) != 0) {
        return linux_device_fail(
            why,
            "%s is the loopback interface, which has no other end; name one that "
            "has, or make two with \"ip link add veth0 type veth peer name "
            "veth1\" and name one of them",
            interface);
    }
    if (!request(SIOCGIFMTU, &ifreq, interface)) {
        return linux_device_fail(why, "%s: cannot read the MTU: %s", interface, strerror(errno));
    }
    if (ifreq.ifr_mtu > MTU_MAX) {
        return linux_device_fail(why,
                                 "%s: its MTU is %d, and buffers are for at most %d; \"ip link set "
                                 "dev %s mtu %d\"",
                                 interface, ifreq.ifr_mtu, MTU_MAX, interface, MTU_MAX);
    }
    /* An interface that cannot be asked has one queue. */
    struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
    ifreq = (struct ifreq){.ifr_data = (char *)&channels};
    if (request(SIOCETHTOOL, &ifreq, interface) &&
        channels.combined_count + channels.rx_count > 1) {
        return linux_device_fail(why,
                                 "%s: it has %u Rx queues, and AF_XDP serves one of them; "
                                 "\"ethtool -L %s %s 1\"",
                                 interface, channels.combined_count + channels.rx_count, interface,
                                 channels.combined_count > 1 ? "combined" : "rx");
    }
    ifreq = (struct ifreq){0};
    *up = request(SIOCGIFFLAGS, &ifreq, interface) && (ifreq.ifr_flags & IFF_UP) != 0;
    return true;
}

/*
 * Makes the interface take frames for the clients' MAC addresses, which are not its own: by its
 * address filter, or, if it has none, promiscuously. (Linux' packet(7), PACKET_MR_UNICAST.)
 */
static bool add_addresses(struct xdp_state *state, const char *interface, char **why)
{
    state->addresses = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0); /* receives nothing */
    if (state->addresses < 0) {
        return linux_device_fail(why, "%s: packet socket: %s (it needs CAP_NET_RAW)", interface,
                                 strerror(errno));
    }
    for (unsigned i = 0; i < state->filter.receiver_count; i++) {
        struct packet_mreq member = {
            .mr_ifindex = (int)if_nametoindex(interface),
            .mr_type = PACKET_MR_UNICAST,
            .mr_alen = 6,
        };
        memcpy(member.mr_address, state->filter.receiver[i], 6);
        if (setsockopt(state->addresses, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &member,
                       sizeof(member)) != 0) {
            return linux_device_fail(why, "%s: cannot take frames for a client's MAC address: %s",
                                     interface, strerror(errno));
        }
    }
    return true;
}

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
static bool map_umem(struct xdp_state *state, const struct linux_device *device,
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

/* ---- the socket ---------------------------------------------------------------------------- */

/* af_xdp.rst, "XDP_UMEM_REG setsockopt", "XDP_{RX|TX|UMEM_FILL|UMEM_COMPLETION}_RING". */
static bool make_rings(const struct linux_device *device, const struct xdp_state *state, char **why)
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
static bool lay_out(struct linux_device *device, struct xdp_state *state, char **why)
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

/* af_xdp.rst, "XDP_COPY and XDP_ZEROCOPY bind flags", "XDP_USE_NEED_WAKEUP bind flag". */
static bool bind_socket(struct linux_device *device, char **why)
{
    struct sockaddr_xdp address = {
        .sxdp_family = AF_XDP,
        .sxdp_flags = XDP_USE_NEED_WAKEUP,
        .sxdp_ifindex = if_nametoindex(device->interface),
        .sxdp_queue_id = 0,
    };
    device->need_wakeup = true;
    /* Zero-copy would bypass a program in generic mode. Without XDP_COPY the kernel tries it. */
    address.sxdp_flags |= device->native ? 0 : XDP_COPY;
    /*
     * The kernel lets go of a queue some time after its last socket was closed, so a system that
     * follows upon another has to wait a little.
     */
    const struct timespec pause = {.tv_nsec = 5000000};
    int result = bind(device->fd, (struct sockaddr *)&address, sizeof(address));
    for (int i = 0; i < BIND_TRIES && result != 0 && errno == EBUSY; i++) {
        nanosleep(&pause, NULL);
        result = bind(device->fd, (struct sockaddr *)&address, sizeof(address));
    }
    if (result != 0) {
        return linux_device_fail(why, "%s: cannot bind an AF_XDP socket to queue 0: %s%s",
                                 device->interface, strerror(errno),
                                 errno == EBUSY ? " (another AF_XDP socket has it: end the program "
                                                  "that holds it)"
                                                : "");
    }
    struct xdp_options options = {0};
    socklen_t length = sizeof(options);
    device->zero_copy = getsockopt(device->fd, SOL_XDP, XDP_OPTIONS, &options, &length) == 0 &&
                        (options.flags & XDP_OPTIONS_ZEROCOPY) != 0;
    return true;
}

/* The doorbells, with every argument fixed: the driver can ring them and do nothing else. */
static void permit_calls(struct linux_device *device)
{
    static const int numbers[] = {SYS_sendto, SYS_recvfrom};
    for (size_t i = 0; i < 2; i++) {
        device->call[i] = (struct linux_call){
            .number = numbers[i],
            .checked = 0x3f,
            .value = {0, 0, 0, MSG_DONTWAIT, 0, 0},
        };
    }
    device->call_count = 2;
}

/* ---- open and close ------------------------------------------------------------------------ */

static void xdp_close(struct linux_device *device)
{
    struct xdp_state *state = device->state;
    if (state != NULL) {
        xdp_filter_close(&state->filter); /* first: from here on all frames are the host's */
        if (state->addresses >= 0) {
            close(state->addresses);
        }
        if (state->layout >= 0) {
            close(state->layout);
        }
        if (state->watch >= 0) {
            close(state->watch);
        }
    }
    if (device->fd >= 0) {
        close(device->fd);
        device->fd = -1;
    }
    if (state != NULL && state->reserved != NULL) {
        munmap(state->reserved, state->reserved_size);
    }
    free(state);
    device->state = NULL;
}

static bool start(struct linux_device *device, struct xdp_state *state, const struct system *system,
                  const struct linux_memory *memory, const struct linux_device_options *options,
                  char **why)
{
    bool up = false;
    if (options->netdev == NULL) {
        return linux_device_fail(why,
                                 "%s is a network interface of this machine: say which with "
                                 "\"--netdev IFACE\"",
                                 device->board->name);
    }
    if (!check_interface(options->netdev, &up, why)) {
        return false;
    }
    snprintf(device->interface, sizeof(device->interface), "%s", options->netdev);
    state->watch = linux_link_watch(); /* first, or its end could be missed */
    state->index = if_nametoindex(device->interface);
    device->fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (device->fd < 0) {
        return linux_device_fail(why, "cannot make an AF_XDP socket: %s%s", strerror(errno),
                                 errno == EPERM ? " (it needs CAP_NET_RAW; without it use the "
                                                  "board linux_tap)"
                                                : "");
    }
    if (!map_umem(state, device, system, memory, why) || !make_rings(device, state, why) ||
        !lay_out(device, state, why) ||
        !xdp_filter_load(&state->filter, system, device->board->name, device->interface, why) ||
        !xdp_filter_attach(&state->filter, device->interface, options->allow_generic,
                           &device->native, why) ||
        !bind_socket(device, why) || !add_addresses(state, device->interface, why) ||
        !xdp_filter_direct(&state->filter, device->fd, why)) {
        return false;
    }
    permit_calls(device);
    snprintf(device->text, sizeof(device->text), "%s: %s XDP, %s mode, need-wakeup%s",
             device->interface, device->native ? "native" : "generic",
             device->zero_copy ? "zero-copy" : "copy",
             up ? "" : ", but the interface is down: \"ip link set\" brings it up");
    return true;
}

static bool xdp_open(struct linux_device *device, const struct system *system,
                     const struct linux_memory *memory, const struct linux_device_options *options,
                     char **why)
{
    struct xdp_state *state = calloc(1, sizeof(*state));
    if (state == NULL) {
        return linux_device_fail(why, "out of memory");
    }
    state->filter.link = -1;
    state->addresses = -1;
    state->layout = -1;
    state->watch = -1;
    device->state = state;
    if (!start(device, state, system, memory, options, why)) {
        xdp_close(device);
        return false;
    }
    return true;
}

static void xdp_poll(struct linux_device *device, struct pollfd *polled)
{
    const struct xdp_state *state = device->state;
    polled[0] = (struct pollfd){.fd = state->watch, .events = POLLIN};
}

static void xdp_serve(struct linux_device *device, const struct pollfd *polled)
{
    struct xdp_state *state = device->state;
    if (polled[0].revents != 0 && state->watch >= 0) {
        linux_link_serve(device, &state->watch, state->index);
    }
}

const struct linux_device_kind linux_device_xdp = {
    .name = "af_xdp",
    .open = xdp_open,
    .close = xdp_close,
    .poll = xdp_poll,
    .serve = xdp_serve,
};
