/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ethernet driver for virtio network devices (virtio 1.2, section 5.1), on any transport.
 *
 *            Rx                                   Tx
 *         receiveq1                           transmitq1
 *         ^        |                          ^        |
 *   rx_provide  rx_return               tx_provide  tx_return
 *         |        v                          |        v
 *       free     active                    active     free
 *            virt_rx                              virt_tx
 *
 * It moves descriptors and maps no packet data. The device's header for each frame
 * (struct virtio_net_hdr, 5.1.6) lies in the driver's ring memory, the frame where the queue
 * entry's IO address says, and two descriptors join them: no client can forge a header.
 *
 * Interrupts. Every received frame may interrupt an idle driver. Transmitted ones do so only when
 * somebody is short of their buffers: virt_tx, which says so by its mark in the free queue, or the
 * driver itself, whose ring is full. Otherwise they are left where they are until half of the ring
 * is used up, as are buffers for receiving while the ring is nearly full: what comes one at a time
 * would cost a good part of what it takes to look at.
 *
 * Checksums. NET_CSUM_WANTED needs VIRTIO_NET_F_CSUM and is refused without. With
 * VIRTIO_NET_F_GUEST_CSUM the device vouches for a frame's checksum in two ways (5.1.6.4), and both
 * are NET_CSUM_VERIFIED here: it has checked it (DATA_VALID), or the frame comes from a sender on
 * the same host, is known to be good, and was never given more than the pseudo-header's sum
 * (NEEDS_CSUM). So a receiver that is told "verified" has no use for the frame's checksum field.
 *
 * The device is a neighbour too. If it says something impossible, or that it needs a reset, it is
 * reset: then it has no buffer any more, those for receiving are given to it again, and those of
 * frames that may or may not have been sent go back to virt_tx.
 */
#include <stdbool.h>
#include <stdint.h>

#include <microkit.h>

#include "../dma.h"
#include "transport.h"
#include "virtqueue.h"

/* 5.1.2 Virtqueues, without VIRTIO_NET_F_MQ */
enum { RECEIVEQ, TRANSMITQ };

/* Directions, for a pass to serve. */
#define SERVE_RX 1u
#define SERVE_TX 2u

/* 5.1.3 Feature bits */
#define VIRTIO_NET_F_CSUM       (UINT64_C(1) << 0)
#define VIRTIO_NET_F_GUEST_CSUM (UINT64_C(1) << 1)
#define VIRTIO_NET_F_MAC        (UINT64_C(1) << 5)

#define FEATURES_REQUIRED (VIRTIO_F_VERSION_1 | VIRTQUEUE_FEATURES)
#define FEATURES_WANTED                                                                            \
    (VIRTIO_F_VERSION_1 | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX | VIRTIO_F_ACCESS_PLATFORM | \
     VIRTIO_F_ORDER_PLATFORM | VIRTIO_NET_F_CSUM | VIRTIO_NET_F_GUEST_CSUM | VIRTIO_NET_F_MAC |    \
     VIRTQUEUE_FEATURES)

/*
 * 5.1.6, struct virtio_net_hdr as three words, lowest bits first:
 *   flags (8 bits), gso_type (8), hdr_len (16); gso_size (16), csum_start (16);
 *   csum_offset (16), num_buffers (16)
 */
#define HEADER_LENGTH     12u
#define HEADER_NEEDS_CSUM 1u
#define HEADER_DATA_VALID 2u

struct net_driver_config sddf_net_config;

static bool configured; /* attached to both virtualisers, and there is a device */
static bool live;       /* the device runs */
static bool reset_done; /* in this wake-up */
static struct virtio device;

static struct virtqueue rx;
/*
 * Buffers on their way into the ring again, before any of rx_free: together with those in the ring
 * never more than the ring had room for.
 */
static uint64_t rx_held[VIRTQUEUE_SIZE_MAX];
static uint32_t rx_held_count;
static bool rx_checked; /* the device vouches for checksums */

static struct virtqueue tx;
/* Buffers that a reset took from the ring, on their way to tx_free; nothing is sent before. */
static uint64_t tx_held[VIRTQUEUE_SIZE_MAX];
static uint32_t tx_held_count;
static bool tx_waits; /* frames wait for room in the ring */
static uint32_t
    tx_armed;         /* completions that are worth an interrupt, from those taken on; 0: none */
static bool tx_fills; /* the device fills checksums in */

/* ---- Rx ------------------------------------------------------------------------------------ */

/* Has the device used so many of its buffers that it is worth giving it others? */
static bool rx_provide_due(void)
{
    return virtqueue_space(&rx) > rx.slots / 8 || rx_held_count != 0;
}

/* 5.1.6.3 Setting Up Receive Buffers. True if there may be more to do. */
static bool rx_provide(void)
{
    while (rx_held_count != 0 && virtqueue_space(&rx) != 0) {
        virtqueue_give(&rx, rx_held[--rx_held_count], 0);
    }
    uint32_t ready = sddf_queue_available(&rx_free);
    uint32_t refused = 0;
    struct net_entry entry;
    for (; ready > 0 && virtqueue_space(&rx) != 0 && net_queue_dequeue(&rx_free, &entry); ready--) {
        uint64_t buffer;
        if (!rx_buffer_of(entry.address, &buffer)) {
            refused++;
            continue;
        }
        virtqueue_give(&rx, buffer, 0);
    }
    virtqueue_publish(&rx);
    count(NET_STAT_REFUSED_ADDRESS, refused);
    const uint32_t filled = virtqueue_in_flight(&rx);
    return rx_free_settle(filled, filled == rx.slots);
}

/* 5.1.6.4 Processing of Incoming Packets. */
static void rx_return(void)
{
    const uint32_t used = virtqueue_used(&rx);
    const uint32_t n = used == 0 ? 0 : min(used, sddf_queue_space(&rx_active, used));
    uint32_t packets = 0;
    uint32_t malformed = 0;
    uint64_t bytes = 0;
    struct virtqueue_return back;
    for (uint32_t i = 0; i < n && virtqueue_take(&rx, &back); i++) {
        const uint32_t length = back.length - HEADER_LENGTH; /* of a short one: huge */
        if (length - NET_FRAME_MIN > NET_FRAME_MAX - NET_FRAME_MIN) {
            malformed++;
            rx.broken |= back.length < HEADER_LENGTH || length > NET_BUFFER_SIZE;
            rx_held[rx_held_count++] = back.address;
            continue;
        }
        uint32_t flags = 0;
        if (rx_checked) {
            flags = sddf_device_load32(virtqueue_header(&rx, back.slot)) &
                    (HEADER_NEEDS_CSUM | HEADER_DATA_VALID);
        }
        net_queue_enqueue(&rx_active, (struct net_entry){
                                          .address = back.address,
                                          .length = (uint16_t)length,
                                          .flags = flags != 0 ? NET_CSUM_VERIFIED : 0,
                                      });
        packets++;
        bytes += length;
    }
    if (n != 0) {
        count(NET_STAT_RX_PACKETS, packets);
        count(NET_STAT_RX_BYTES, bytes);
        count(NET_STAT_DROP_MALFORMED, malformed);
    }
}

/* ---- Tx ------------------------------------------------------------------------------------ */

/* 5.1.6.2 Packet Transmission. */
static void tx_give(const struct net_entry *entry)
{
    if (tx_fills) { /* else the header is zero, and stays so */
        const bool wanted = entry->flags != 0;
        uint32_t *header = virtqueue_header(&tx, virtqueue_next_slot(&tx));
        sddf_device_store32(&header[0], wanted ? HEADER_NEEDS_CSUM : 0);
        sddf_device_store32(&header[1], wanted ? (uint32_t)entry->csum_start << 16 : 0);
        sddf_device_store32(&header[2], wanted ? entry->csum_offset : 0);
    }
    virtqueue_give(&tx, entry->address, entry->length);
}

/* True if there may be more to do. */
static bool tx_provide(void)
{
    uint32_t ready = sddf_queue_available(&tx_active);
    uint32_t packets = 0;
    uint64_t bytes = 0;
    struct net_entry entry;
    if (tx_held_count != 0) {
        return false; /* virt_tx has no room for its own buffers */
    }
    for (; ready > 0 && virtqueue_space(&tx) != 0 && net_queue_dequeue(&tx_active, &entry);
         ready--) {
        const enum net_stat fault = tx_fault(&entry, tx_fills);
        if (fault != NET_STAT_COUNT) {
            tx_refuse(&entry, fault);
            continue;
        }
        tx_give(&entry);
        packets++;
        bytes += entry.length;
    }
    virtqueue_publish(&tx);
    count(NET_STAT_TX_PACKETS, packets);
    count(NET_STAT_TX_BYTES, bytes);
    tx_waits = ready > 0; /* for room in the ring, which is full */
    if (tx_waits) {
        sddf_queue_release(&tx_active);
        return false;
    }
    return !sddf_queue_request_signal(&tx_active);
}

/* Buffers of what has been sent. */
static void tx_return(void)
{
    while (tx_held_count != 0 &&
           net_queue_enqueue(&tx_free, (struct net_entry){.address = tx_held[tx_held_count - 1]})) {
        tx_held_count--;
    }
    const uint32_t used = virtqueue_used(&tx);
    const uint32_t n = used == 0 ? 0 : min(used, sddf_queue_space(&tx_free, used));
    struct virtqueue_return back;
    for (uint32_t i = 0; i < n && virtqueue_take(&tx, &back); i++) {
        net_queue_enqueue(&tx_free, (struct net_entry){.address = back.address});
    }
    sddf_queue_publish(&tx_free);
}

/* Has as much been sent as is worth an interrupt? */
static bool tx_due(void)
{
    return tx_armed != 0 && virtqueue_has_used(&tx, tx_armed);
}

/* Is it time to gather what has been sent: for others, for ourselves, or for want of other work? */
static bool tx_return_due(void)
{
    return virtqueue_space(&tx) <= tx.slots / 2 || tx_held_count != 0 || tx_due() ||
           sddf_queue_available(&tx_active) == 0;
}

/* ---- the device ---------------------------------------------------------------------------- */

/* The largest rings that the memory has room for, and the device can have. 0: none at all. */
static uint32_t ring_size(uint32_t queue_max, bool indirect)
{
    const uint32_t smallest = indirect ? 1 : 2;
    uint32_t most = min(queue_max, VIRTQUEUE_SIZE_MAX);
    if (sddf_net_config.device.ring_size != 0) {
        most = min(most, sddf_net_config.device.ring_size);
    }
    const uint64_t half = sddf_net_config.device.region[VIRTIO_REGION_RINGS].size / 2;
    uint32_t size = VIRTQUEUE_SIZE_MAX;
    while (size >= smallest && (size > most || virtqueue_layout(size, indirect).bytes > half)) {
        size /= 2;
    }
    return size >= smallest ? size : 0;
}

/* 3.1.1, step 7. Each queue has one half of the ring memory. */
static bool ring_start(struct virtqueue *q, uint32_t which, struct virtqueue_shape shape)
{
    const struct sddf_region_config *rings = &sddf_net_config.device.region[VIRTIO_REGION_RINGS];
    const bool indirect = (device.features & VIRTIO_F_INDIRECT_DESC) != 0;
    const uint32_t size = ring_size(virtio_queue_max(&device, which), indirect);
    if (size == 0) {
        return false;
    }
    const struct virtqueue_layout layout = virtqueue_layout(size, indirect);
    const uint64_t offset = which * (rings->size / 2);
    const uint64_t io = rings->io_address + offset;
    shape.header_length = HEADER_LENGTH;
    shape.payload_length = NET_BUFFER_SIZE;
    shape.event_index = (device.features & VIRTIO_F_EVENT_IDX) != 0;
    virtqueue_start(q, &layout, &shape, (void *)(uintptr_t)(rings->vaddr + offset), io);
    return virtio_queue_start(&device, which, size, io, io + layout.driver, io + layout.device);
}

/*
 * 3.1.1 Driver Initialization, for the first time or again. From the moment that the reset is
 * complete, what the rings had is ours. False: the device does not do what it should, and nothing
 * is given to it until the next try.
 */
static bool device_start(void)
{
    live = false;
    if (!virtio_reset(&device)) {
        return false;
    }
    rx_held_count += virtqueue_collect(&rx, &rx_held[rx_held_count]);
    tx_held_count += virtqueue_collect(&tx, &tx_held[tx_held_count]);
    if (!virtio_begin(&device, FEATURES_WANTED, FEATURES_REQUIRED) ||
        !ring_start(&rx, RECEIVEQ, (struct virtqueue_shape){.device_writes = true}) ||
        !ring_start(&tx, TRANSMITQ, (struct virtqueue_shape){.device_writes = false})) {
        virtio_fail(&device);
        return false;
    }
    rx_checked = (device.features & VIRTIO_NET_F_GUEST_CSUM) != 0;
    tx_fills = (device.features & VIRTIO_NET_F_CSUM) != 0;
    virtio_go(&device);
    live = true;
    return true;
}

static void doorbell(struct virtqueue *q, uint32_t which)
{
    if (virtqueue_wants_doorbell(q)) {
        virtio_doorbell(&device, which);
        count(NET_STAT_KICKS, 1);
    }
}

/*
 * The end of a pass over some directions: says which completions are worth an interrupt, rings
 * doorbells that are wanted, and looks again. In which directions there is something to do already.
 */
static unsigned device_settle(unsigned directions)
{
    if ((directions & SERVE_RX) != 0) {
        virtqueue_interrupt_after(&rx, 1);
    }
    if ((directions & SERVE_TX) != 0) {
        tx_armed = tx_wanted(virtqueue_in_flight(&tx), tx_waits);
        virtqueue_interrupt_after(&tx, tx_armed);
    }
    /*
     * Orders the stores of the available indices before the looks at what the device wants to be
     * told, and the stores of the event indices before the looks at what it has done.
     */
    sddf_device_store_then_look();
    unsigned again = 0;
    if ((directions & SERVE_RX) != 0) {
        doorbell(&rx, RECEIVEQ);
        if (virtqueue_has_used(&rx, 1) && sddf_queue_space(&rx_active, 1) != 0) {
            again |= SERVE_RX;
        }
    }
    if ((directions & SERVE_TX) != 0) {
        doorbell(&tx, TRANSMITQ);
        if (tx_due() && sddf_queue_space(&tx_free, 1) != 0) {
            again |= SERVE_TX;
        }
    }
    return again;
}

/* ---- entry points -------------------------------------------------------------------------- */

/*
 * Returns the directions in which another pass is worth it: each has its end, in the neighbours'
 * capacities and the rings' sizes. virt_rx has then not been signalled yet.
 */
static unsigned pass(unsigned directions)
{
    unsigned again = 0;
    if ((directions & SERVE_RX) != 0) {
        rx_return();
        again |= !rx.broken && rx_provide_due() && rx_provide() ? SERVE_RX : 0;
    }
    if ((directions & SERVE_TX) != 0) {
        if (tx_return_due()) {
            tx_return();
        }
        again |= !tx.broken && tx_provide() ? SERVE_TX : 0;
    }
    if (!rx.broken && !tx.broken) {
        again |= device_settle(directions);
    }
    if ((directions & SERVE_TX) != 0) {
        wake(&tx_free, sddf_net_config.tx.channel);
    }
    return again;
}

/* Once a wake-up, so that a device that is broken for good does not keep us. */
static bool mend(void)
{
    count(NET_STAT_DEVICE_ERRORS, 1);
    if (reset_done) {
        return false;
    }
    reset_done = true;
    return device_start();
}

/* True: virt_rx wants a signal, which the caller sends. */
static bool serve(unsigned directions)
{
    bool virt_rx_waits = false;
    if (!live) {
        if (!mend()) {
            return false;
        }
        directions = SERVE_RX | SERVE_TX;
    }
    while (directions != 0) {
        directions = pass(directions);
        if (rx.broken || tx.broken) {
            directions = mend() ? SERVE_RX | SERVE_TX : 0;
        }
        if (sddf_queue_hand_over(&rx_active)) {
            count(NET_STAT_SIGNALS, 1);
            virt_rx_waits = directions == 0;
            if (!virt_rx_waits) { /* there is more to do: let it begin */
                microkit_notify(sddf_net_config.rx.channel);
            }
        }
    }
    return virt_rx_waits;
}

/*
 * In a wake-up virt_rx's signal is this PD's one deferred signal: it goes out with the call that
 * waits for the next, and costs no system call, nor that the kernel decides whose turn it is, of
 * its own. (An interrupt's acknowledgement concerns nobody else, so it has less to save.)
 */
static void wake_up(unsigned directions)
{
    if (serve(directions)) {
        microkit_deferred_notify(sddf_net_config.rx.channel);
    }
}

/*
 * Each channel has its direction, for in the other one whoever has something to say has been asked
 * to say it. The device's channel speaks of both; but what was sent is left for frames that go out
 * later, unless somebody is short of it.
 */
void notified(microkit_channel ch)
{
    if (!configured) {
        return;
    }
    count(NET_STAT_WAKEUPS, 1);
    reset_done = false;
    if (ch == sddf_net_config.rx.channel) {
        wake_up(SERVE_RX);
    } else if (ch == sddf_net_config.tx.channel) {
        wake_up(SERVE_TX);
    } else {
        uint32_t which = 0;
        while (which + 1 < sddf_net_config.device.irq_count &&
               sddf_net_config.device.irq[which] != ch) {
            which++;
        }
        const uint32_t why = virtio_interrupt(&device, which);
        if ((why & VIRTIO_INTERRUPT_CONFIG) != 0 && virtio_needs_reset(&device)) {
            live = false;
        }
        wake_up(SERVE_RX | (tx_due() ? SERVE_TX : 0));
        microkit_irq_ack(ch);
    }
}

/* "ethernet0_driver: virtio-net 52:54:00:12:34:56, rings of 256 and 256" and what is agreed upon */
static void announce(void)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t mac[6];
    microkit_dbg_puts(microkit_name);
    microkit_dbg_puts(": virtio-net");
    /* 5.1.4: the address is there if the device offers it. Our clients have their own. */
    if ((device.features & VIRTIO_NET_F_MAC) != 0 && virtio_config(&device, mac, sizeof(mac))) {
        for (uint32_t i = 0; i < sizeof(mac); i++) {
            microkit_dbg_putc(i == 0 ? ' ' : ':');
            microkit_dbg_putc(digits[mac[i] >> 4]);
            microkit_dbg_putc(digits[mac[i] & 15]);
        }
    }
    microkit_dbg_puts(", rings of ");
    microkit_dbg_put32(rx.size);
    microkit_dbg_puts(" and ");
    microkit_dbg_put32(tx.size);
    static const struct {
        uint64_t bit;
        const char *name;
    } features[] = {
        {VIRTIO_F_INDIRECT_DESC, ", indirect"},
        {VIRTIO_F_EVENT_IDX, ", event index"},
        {VIRTIO_NET_F_CSUM, ", checksums out"},
        {VIRTIO_NET_F_GUEST_CSUM, ", checksums in"},
    };
    for (uint32_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
        if ((device.features & features[i].bit) != 0) {
            microkit_dbg_puts(features[i].name);
        }
    }
    microkit_dbg_puts(VIRTQUEUE_NAME "\n");
}

static bool attach_device(const struct sddf_device_config *config)
{
    const struct sddf_region_config *rings = &config->region[VIRTIO_REGION_RINGS];
    if (!virtio_shape_ok(config) ||
        (rings->vaddr | rings->io_address | rings->size / 2) % SDDF_CACHE_LINE != 0) {
        return false;
    }
    for (uint32_t i = 0; i < config->irq_count; i++) {
        if (config->irq[i] >= MICROKIT_MAX_CHANNELS) {
            return false;
        }
    }
    return true;
}

static bool attach(void)
{
    tx_waits = false;
    tx_armed = 0;
    return attach_config() && attach_data() && attach_device(&sddf_net_config.device) &&
           attach_neighbours();
}

/*
 * After a restart the private records say which buffers the device had, and the reset gives them
 * back: they are the globals that a restart must find as they were.
 */
void init(void)
{
    configured = false;
    if (!attach()) {
        refuse_configuration();
        return;
    }
    if (!virtio_find(&device, &sddf_net_config.device, VIRTIO_ID_NETWORK)) {
        say("no virtio network device at these registers (or only a legacy one)");
        return;
    }
    if (!device_start()) {
        say("the virtio network device does not offer what this driver needs");
        return;
    }
    configured = true;
    reset_done = false;
    announce();
    if (serve(SERVE_RX | SERVE_TX)) {
        microkit_notify(sddf_net_config.rx.channel);
    }
    for (uint32_t i = 0; i < sddf_net_config.device.irq_count; i++) {
        microkit_irq_ack(sddf_net_config.device.irq[i]); /* one from before a restart */
    }
}
