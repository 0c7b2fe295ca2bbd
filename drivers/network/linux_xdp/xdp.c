/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ethernet driver for the Linux board: an AF_XDP socket (Documentation/networking/af_xdp.rst),
 * which the loader made to look like a device.
 *
 *            Rx                                   Tx
 *     fill ring    Rx ring              Tx ring       completion ring
 *         ^           |                    ^                 |
 *     rx_provide  rx_return            tx_provide        tx_return
 *         |           v                    |                 v
 *       free        active               active            free
 *            virt_rx                              virt_tx
 *
 * It moves descriptors and maps no packet data. IO addresses are offsets into the UMEM. A received
 * frame begins 256 bytes into its chunk (the kernel's XDP_PACKET_HEADROOM), and its address goes on
 * as the kernel gave it; a buffer is named by any address inside it.
 *
 * The rings are memory: whatever the wake-up was for, all four are served, until nothing moves.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <sys/socket.h>
#include <sys/syscall.h>

#include <microkit.h>
#include <microkit_linux.h>

#include "../driver.h"
#include "ring.h"

/*
 * AF_XDP has no interrupt for "a frame has left" nor for "the interface is up again", so while
 * somebody waits for frames on their way out the driver does not sleep longer than this.
 */
#define RETRY_NS      (UINT64_C(200) * 1000)
#define RETRY_DOWN_NS (UINT64_C(10) * 1000 * 1000)

/*
 * A kick in copy mode sends a bounded number of frames and says EAGAIN (32 per call, where the
 * loader could not raise it). This many are enough for a full Tx ring, with some to spare.
 */
#define KICKS_MAX 96

struct net_driver_config sddf_net_config;

static bool running;
static uint8_t irq;
static int fd; /* the socket, for the two doorbells */
static uint64_t umem_size;
static uint32_t chunk_mask;

/*
 * What the device may write to: the Rx DMA region, which is the first in the configuration. The
 * UMEM itself has no rights per region, so a fill address elsewhere would let virt_rx have the
 * device write over what a client sends.
 */
static uint64_t rx_base, rx_size;

static struct ring rx_ring, fill_ring;

static struct ring tx_ring, completion_ring;
static uint32_t tx_in_flight; /* given to the Tx ring and not yet completed */

static uint64_t retry; /* ns until the next look at a device that says nothing; 0: none is due */

static void retry_after(uint64_t ns)
{
    if (retry == 0 || ns > retry) {
        retry = ns; /* the longest: a short one is no use while the interface is down */
    }
}

/* ---- attach -------------------------------------------------------------------------------- */

/* af_xdp.rst, "XDP_MMAP_OFFSETS": the loader asked, the layout region says. */
static bool attach_rings(const struct sddf_device_config *device)
{
    if (device->region_count != LINUX_XDP_REGIONS || device->irq_count != 1 ||
        device->region[LINUX_XDP_LAYOUT].size < sizeof(struct linux_xdp_layout)) {
        return false;
    }
    struct linux_xdp_layout layout;
    memcpy(&layout, (const void *)(uintptr_t)device->region[LINUX_XDP_LAYOUT].vaddr,
           sizeof(layout));
    if (layout.magic != LINUX_XDP_LAYOUT_MAGIC || layout.chunk_size != NET_BUFFER_SIZE) {
        return false;
    }
    static const struct {
        struct ring *ring;
        uint32_t words;
        bool producer;
    } rings[LINUX_XDP_RINGS] = {
        [LINUX_XDP_RX] = {&rx_ring, RING_DESC_WORDS, false},
        [LINUX_XDP_TX] = {&tx_ring, RING_DESC_WORDS, true},
        [LINUX_XDP_FILL] = {&fill_ring, RING_ADDRESS_WORDS, true},
        [LINUX_XDP_COMPLETION] = {&completion_ring, RING_ADDRESS_WORDS, false},
    };
    for (uint32_t i = 0; i < LINUX_XDP_RINGS; i++) {
        if (!ring_attach(rings[i].ring, &layout.ring[i], device->region[i].vaddr,
                         device->region[i].size, rings[i].words, rings[i].producer)) {
            return false;
        }
    }
    umem_size = layout.umem_size;
    chunk_mask = layout.chunk_size - 1;
    irq = device->irq[0];
    fd = microkit_linux_irq_fd(irq);
    /*
     * After a restart frames may still be on their way. Both rings begin at 0, and each frame that
     * was put into the one comes back by the other, so the difference is what has not come back;
     * if that is impossible, what is seen of it.
     */
    tx_in_flight = tx_ring.own - completion_ring.own;
    if (tx_in_flight > tx_ring.count + completion_ring.count) {
        tx_in_flight = ring_pending(&tx_ring) + ring_available(&completion_ring);
    }
    return fd >= 0;
}

static bool attach(void)
{
    if (!attach_config() || sddf_net_config.data_count == 0) {
        return false;
    }
    rx_base = sddf_net_config.data[0].io_address;
    rx_size = sddf_net_config.data[0].size;
    return attach_rings(&sddf_net_config.device) && attach_neighbours();
}

/* ---- Rx ------------------------------------------------------------------------------------ */

/*
 * af_xdp.rst, "UMEM Fill Ring": empty buffers, from virt_rx to the kernel. True if there may be
 * more to do.
 */
static bool rx_provide(void)
{
    uint32_t ready = sddf_queue_available(&rx_free);
    uint32_t space = ring_space(&fill_ring, ready);
    uint32_t n = ready < space ? ready : space;
    uint32_t refused = 0;
    struct net_entry entry;
    for (uint32_t i = 0; i < n && net_queue_dequeue(&rx_free, &entry); i++) {
        if (entry.address - rx_base >= rx_size) {
            refused++; /* no buffer to receive in: there is nothing to give back */
            continue;
        }
        ring_put_address(&fill_ring, entry.address);
    }
    ring_publish(&fill_ring);
    count(NET_STAT_REFUSED_ADDRESS, refused);
    if (n != 0) {
        /*
         * af_xdp.rst, "XDP_USE_NEED_WAKEUP bind flag". The fence orders our index before our look
         * at the flag, against a kernel that raises the flag and then looks at the index again.
         */
        sddf_fence_seq_cst();
        if (ring_needs_wakeup(&fill_ring)) {
            microkit_linux_syscall(SYS_recvfrom, fd, 0, 0, MSG_DONTWAIT, 0, 0);
            count(NET_STAT_KICKS, 1);
        }
    }
    if (n < ready) {
        /* More buffers than slots. The next slots come with frames, and those wake us. */
        sddf_queue_release(&rx_free);
        return false;
    }
    /*
     * Late on purpose: each interrupt has us look here anyway, and one comes before the kernel has
     * used up what it has. Nobody needs to wake us while it has as much again as is waiting.
     */
    uint32_t left = ring_pending(&fill_ring) / 2;
    uint32_t enough = left < rx_free.capacity / 2 ? left : rx_free.capacity / 2;
    return !sddf_queue_request_signal_at(&rx_free, enough == 0 ? 1 : enough);
}

/* af_xdp.rst, "RX Ring": frames, from the kernel to virt_rx. True if there may be more to do. */
static bool rx_return(void)
{
    uint32_t ready = ring_available(&rx_ring);
    uint32_t space = sddf_queue_space(&rx_active, ready);
    uint32_t n = ready < space ? ready : space;
    uint64_t bytes = 0;
    uint32_t errors = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct linux_xdp_desc desc = ring_take_desc(&rx_ring);
        if (desc.address >= umem_size) {
            errors++; /* names no buffer, so none is lost */
            continue;
        }
        if (desc.length > NET_BUFFER_SIZE - (desc.address & chunk_mask)) {
            errors++;
            desc.length = 0; /* the buffer goes back all the same; virt_rx drops the frame */
        }
        bytes += desc.length;
        net_queue_enqueue(&rx_active, (struct net_entry){.address = desc.address,
                                                         .length = (uint16_t)desc.length});
    }
    if (n == 0) {
        return false;
    }
    ring_publish(&rx_ring);
    sddf_queue_publish(&rx_active);
    count(NET_STAT_RX_PACKETS, n - errors);
    count(NET_STAT_RX_BYTES, bytes);
    count(NET_STAT_DEVICE_ERRORS, errors);
    return n == ready;
}

/* ---- Tx ------------------------------------------------------------------------------------ */

/* Frames that have left the Tx ring or, dropped on the way, come back without having left it. */
static uint32_t tx_progress(void)
{
    return sddf_load_relaxed_u32(tx_ring.peer_word) +
           sddf_load_relaxed_u32(completion_ring.peer_word);
}

/*
 * af_xdp.rst, "TX Ring": in copy mode a sendto is what sends, as many frames as it likes. So it is
 * repeated for as long as it moves any:
 *
 *     EAGAIN               there is more (or the interface's queue is full, and nothing moves)
 *     EBUSY                the interface dropped a frame: no carrier, or its queue is full
 *     ENOBUFS              no memory, or no room in the completion ring
 *     ENETDOWN             the interface is down; the frames wait for it
 *     ENXIO and the rest   the interface is gone
 */
static void tx_kick(void)
{
    uint32_t kicks = 0;
    uint32_t errors = 0;
    while (ring_pending(&tx_ring) != 0 && ring_needs_wakeup(&tx_ring)) {
        uint32_t before = tx_progress();
        long error = -microkit_linux_syscall(SYS_sendto, fd, 0, 0, MSG_DONTWAIT, 0, 0);
        kicks++;
        if (error <= 0) {
            break; /* all sent, or (zero-copy) the device is at it */
        }
        if (error != EAGAIN) {
            errors++;
        }
        if (error != EAGAIN && error != EBUSY && error != ENOBUFS) {
            retry_after(RETRY_DOWN_NS);
            break;
        }
        if (kicks == KICKS_MAX || tx_progress() == before) {
            break;
        }
    }
    count(NET_STAT_KICKS, kicks);
    count(NET_STAT_DEVICE_ERRORS, errors);
}

/* A frame that the kernel would throw away without a word, buffer and all. */
static bool tx_refused(const struct net_entry *entry)
{
    enum net_stat why;
    if (entry->address >= umem_size) {
        why = NET_STAT_REFUSED_ADDRESS;
    } else if (entry->length < NET_FRAME_MIN || entry->length > NET_FRAME_MAX ||
               entry->length > NET_BUFFER_SIZE - (entry->address & chunk_mask)) {
        why = NET_STAT_REFUSED_LENGTH;
    } else if (entry->flags != 0) {
        why = NET_STAT_REFUSED_FLAGS; /* this device fills no checksums in */
    } else {
        return false;
    }
    count(why, 1);
    /* It goes back where it came from. No room for it: then it was not one of virt_tx's buffers. */
    net_queue_enqueue(&tx_free, *entry);
    sddf_queue_publish(&tx_free);
    return true;
}

/* Frames, from virt_tx to the kernel. True if there may be more to do. */
static bool tx_provide(void)
{
    uint32_t ready = sddf_queue_available(&tx_active);
    uint32_t space = ring_space(&tx_ring, ready);
    uint32_t n = ready < space ? ready : space;
    uint32_t put = 0;
    uint64_t bytes = 0;
    struct net_entry entry;
    for (uint32_t i = 0; i < n && net_queue_dequeue(&tx_active, &entry); i++) {
        if (tx_refused(&entry)) {
            continue;
        }
        ring_put_desc(&tx_ring, entry.address, entry.length);
        bytes += entry.length;
        put++;
    }
    tx_in_flight += put;
    ring_publish(&tx_ring);
    count(NET_STAT_TX_PACKETS, put);
    count(NET_STAT_TX_BYTES, bytes);
    if (tx_in_flight != 0) {
        sddf_fence_seq_cst(); /* as in rx_provide: our index before our look at the flag */
        tx_kick();
    }
    if (n < ready) {
        sddf_queue_release(&tx_active); /* the ring is full: tx_return and the retry go on */
        return false;
    }
    return !sddf_queue_request_signal(&tx_active);
}

/*
 * af_xdp.rst, "UMEM Completion Ring": empty buffers, from the kernel to virt_tx. True if there may
 * be more to do.
 */
static bool tx_return(void)
{
    uint32_t ready = ring_available(&completion_ring);
    uint32_t space = sddf_queue_space(&tx_free, ready);
    uint32_t n = ready < space ? ready : space;
    uint32_t errors = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t address = ring_take_address(&completion_ring);
        if (address >= umem_size) {
            errors++;
            continue;
        }
        net_queue_enqueue(&tx_free, (struct net_entry){.address = address});
    }
    tx_in_flight -= n < tx_in_flight ? n : tx_in_flight;
    if (n == 0) {
        return false;
    }
    ring_publish(&completion_ring);
    sddf_queue_publish(&tx_free);
    count(NET_STAT_DEVICE_ERRORS, errors);
    return n == ready;
}

/*
 * Must somebody look again soon? Not if what is on its way, come back all at once, would not be
 * worth a signal to virt_tx: then it can wait for the next wake-up, whatever that is for. What
 * virt_tx wants can have changed only with something that it sent, of which we were told. A timer
 * is not free: it is set and taken back each time that we sleep.
 */
static bool tx_return_awaited(void)
{
    if (ring_pending(&tx_ring) != 0) {
        return true; /* not even sent: a kick has failed */
    }
    const uint32_t distance = sddf_queue_signal_distance(&tx_free); /* 0: not known */
    return distance <= tx_in_flight;
}

/* ---- interrupt ----------------------------------------------------------------------------- */

static void serve(void)
{
    retry = 0;
    bool more;
    do {
        more = rx_return();
        more |= rx_provide();
        more |= tx_provide();
        more |= tx_return(); /* after the kick: most frames have left when it returns */
        wake(&rx_active, sddf_net_config.rx.channel);
        wake(&tx_free, sddf_net_config.tx.channel);
    } while (more);
    if (tx_in_flight != 0 && tx_return_awaited()) {
        retry_after(RETRY_NS);
    }
    /*
     * The interrupt is "the Rx ring is not empty". While virt_rx has no room for what is there, it
     * stays masked, or this would be a loop.
     */
    if (ring_available(&rx_ring) == 0) {
        microkit_irq_ack(irq);
    } else {
        retry_after(RETRY_NS);
    }
    microkit_linux_irq_after(irq, retry);
}

void notified(microkit_channel ch)
{
    (void)ch;
    if (running) {
        count(NET_STAT_WAKEUPS, 1);
        serve();
    }
}

void init(void)
{
    running = attach();
    if (!running) {
        refuse_configuration();
        return;
    }
    serve();
}
