/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ethernet driver for the Intel 82574L ("Intel 82574 GbE Controller Family Datasheet"), which QEMU
 * knows as e1000e.
 *
 *            Rx                                   Tx
 *         receive ring                         transmit ring
 *         ^        |                          ^        |
 *   rx_provide  rx_return               tx_provide  tx_return
 *         |        v                          |        v
 *       free     active                    active     free
 *            virt_rx                              virt_tx
 *
 * It moves descriptors and maps no packet data: what a descriptor names is the IO address of a
 * queue's entry. One queue each way.
 *
 * Interrupts. When the device has interrupted for traffic it is masked, until a pass finds nothing
 * more to do; how soon the next interrupt may come is the device's throttle's matter. Frames that
 * have been sent interrupt only when somebody is short of their buffers: virt_tx, which says so by
 * its mark in the free queue, or the driver itself, whose ring is full. Otherwise they are gathered
 * when the next frame goes out. The link and overruns have a vector of their own.
 *
 * Checksums. The device checks those that come in (NET_CSUM_VERIFIED). NET_CSUM_WANTED is refused:
 * it can be asked for in the format of extended descriptors only, which take two for such a frame.
 *
 * The link. While it is down, frames to be sent are dropped: old ones are of no use when it comes
 * back. Those that the device has then, it is made to give back by a reset.
 *
 * The device is a neighbour too. If it says something impossible, or does nothing for a long time
 * with what it was given, it is reset: then it has no buffer any more, those for receiving are
 * given to it again, and those of frames that may or may not have been sent go back to virt_tx. If
 * it cannot be reset (it has been pulled out, say) it keeps what it has; nothing else is held up by
 * it.
 */
#include "../../pci.h"
#include "../dma.h"
#include "descriptors.h"
#include "hardware.h"
#include "sddf/clock.h"

/*
 * The device's regions in the configuration: registers, memory for both rings, and perhaps a copy
 * of its configuration space.
 */
enum { REGION_REGISTERS, REGION_RINGS, REGION_CONFIG };

/* Its interrupts: by MSI-X both, else one for everything. The copy says which. */
enum { IRQ_TRAFFIC, IRQ_OTHER, IRQS };

/* Directions, for a pass to serve. */
#define SERVE_RX 1u
#define SERVE_TX 2u

/* A batch of frames to be sent is at most so long, so that buffers do not come back too late. */
#define BATCH_MAX 32u

/* So many interrupts for nothing are reason to look at the whole of the rings. */
#define IDLE_INTERRUPTS_MAX 16u

/* A device that has sent nothing for so long, with the link up, has stopped. */
#define STALL_NS (2 * SDDF_NS_PER_S)

#define RX_LENGTH(rest) ((uint32_t)(rest)&0xffffu)
#define RX_ERRORS                                                                                  \
    (E1000E_RX_ERROR_CE | E1000E_RX_ERROR_SE | E1000E_RX_ERROR_SEQ | E1000E_RX_ERROR_CXE |         \
     E1000E_RX_ERROR_RXE)

struct net_driver_config sddf_net_config;

static bool configured; /* attached to both virtualisers, and there is a device */
static bool live;       /* the device runs */
static bool broken;     /* ... but has done something impossible in this pass */
static bool link_up;
static bool reset_done; /* in this wake-up */
static struct e1000e device;
static uint32_t ring_size;
static uint32_t idle_interrupts; /* for traffic, of which there was none, in a row */

static struct descriptors rx;
/*
 * Buffers on their way into the ring again, before any of rx_free: together with those in the ring
 * never more than the ring has room for.
 */
static uint64_t rx_held[E1000E_RING_MAX];
static uint32_t rx_held_count;
static bool rx_interrupts; /* not masked */

static struct descriptors tx;
/* Buffers that a reset took from the ring, on their way to tx_free; nothing is sent before. */
static uint64_t tx_held[E1000E_RING_MAX];
static uint32_t tx_held_count;
static uint32_t tx_batch; /* index of the first frame of the batch that has no end yet */
static uint64_t tx_last;  /* what the last frame's descriptor says */
static bool tx_waits;     /* frames wait for room in the ring */
static uint32_t
    tx_armed; /* frames sent that are worth an interrupt, from those taken on; 0: none */
static bool tx_interrupts;        /* not masked, as far as we know */
static uint32_t tx_stalled;       /* index of the first frame that has not been sent... */
static uint64_t tx_stalled_since; /* ...since; 0: or it has */

/* ---- Rx ------------------------------------------------------------------------------------ */

/* True if there may be more to do. */
static bool rx_provide(void)
{
    uint32_t space = descriptors_space(&rx);
    for (; rx_held_count != 0 && space != 0; space--) {
        descriptors_give(&rx, rx_held[--rx_held_count], 0);
    }
    const uint32_t n = min(sddf_queue_available(&rx_free), space);
    uint32_t refused = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct net_entry entry;
        uint64_t buffer;
        net_queue_get(&rx_free, i, &entry);
        if (rx_buffer_of(entry.address, &buffer)) {
            descriptors_give(&rx, buffer, 0);
        } else {
            refused++;
        }
    }
    sddf_queue_consume(&rx_free, n);
    count(NET_STAT_REFUSED_ADDRESS, refused);
    return rx_free_settle(descriptors_in_flight(&rx), descriptors_space(&rx) == 0);
}

/* 7.1.3.2, 7.1.3.3: is it a whole frame, undamaged, of a length that can be? */
static inline bool rx_frame_ok(uint64_t rest)
{
    const uint32_t length = RX_LENGTH(rest);
    if ((rest & (E1000E_RX_EOP | RX_ERRORS)) == E1000E_RX_EOP && length >= NET_FRAME_MIN &&
        length <= NET_FRAME_MAX) {
        return true;
    }
    if ((rest & E1000E_RX_EOP) == 0 || length == 0 || length > NET_BUFFER_SIZE) {
        broken = true; /* frames of more than one descriptor, and of none, there are not */
    }
    return false;
}

/* 7.1.10: has the device found the transport checksum, and the IP header's if there is one, good?
 */
static bool rx_checksum_ok(uint64_t rest)
{
    return (rest & (E1000E_RX_TCPCS | E1000E_RX_UDPCS)) != 0 &&
           (rest & (E1000E_RX_IXSM | E1000E_RX_ERROR_TCPE | E1000E_RX_ERROR_IPE)) == 0;
}

static void rx_return(void)
{
    const uint32_t done = descriptors_done(&rx);
    const uint32_t n = done == 0 ? 0 : min(done, sddf_queue_space(&rx_active, done));
    uint32_t packets = 0;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < n; i++) {
        const uint64_t rest = sddf_device_load64(&rx.memory[rx.seen & (rx.size - 1)].rest);
        const uint64_t address = descriptors_take(&rx);
        if (!rx_frame_ok(rest)) {
            rx_held[rx_held_count++] = address;
            continue;
        }
        const struct net_entry entry = {
            .address = address,
            .length = (uint16_t)RX_LENGTH(rest),
            .flags = rx_checksum_ok(rest) ? NET_CSUM_VERIFIED : 0,
        };
        net_queue_set(&rx_active, packets++, entry);
        bytes += RX_LENGTH(rest);
    }
    if (n != 0) {
        sddf_queue_produce(&rx_active, packets);
        idle_interrupts = 0;
        sddf_queue_publish(&rx_active);
        count(NET_STAT_RX_PACKETS, packets);
        count(NET_STAT_RX_BYTES, bytes);
        count(NET_STAT_DROP_MALFORMED, n - packets);
    }
}

/* ---- Tx ------------------------------------------------------------------------------------ */

/* 7.2.10.1.2: the last frame of the batch is the one that says when all have been sent. */
static void tx_end_batch(void)
{
    if (tx.next != tx_batch) {
        sddf_device_store64(&tx.memory[(tx.next - 1) & (tx.size - 1)].rest, tx_last | E1000E_TX_RS);
        tx.end[tx_batch & (tx.size - 1)] = tx.next;
        tx_batch = tx.next;
    }
}

/*
 * Takes up to so many frames, for which the device's ring has room: as far as they are of one
 * batch, and good; one that is not goes back, and ends them. How many.
 */
static uint32_t tx_give(uint32_t most, uint32_t *packets, uint64_t *bytes)
{
    const uint32_t n = min(most, BATCH_MAX - (tx.next - tx_batch));
    uint32_t taken = 0;
    struct net_entry entry = {0};
    enum net_stat fault = NET_STAT_COUNT;
    while (taken < n && fault == NET_STAT_COUNT) {
        /* Read once: what is there when it is looked at again may be another's. */
        net_queue_get(&tx_active, taken++, &entry);
        fault = tx_fault(&entry, false);
        if (fault == NET_STAT_COUNT) {
            tx_last = entry.length | E1000E_TX_EOP | E1000E_TX_IFCS;
            descriptors_give(&tx, entry.address, tx_last);
            ++*packets;
            *bytes += entry.length;
        }
    }
    sddf_queue_consume(&tx_active, taken);
    if (tx.next - tx_batch == BATCH_MAX) {
        tx_end_batch();
    }
    if (fault != NET_STAT_COUNT) {
        tx_refuse(&entry, fault);
    }
    return taken;
}

/* The next frame, which is there, goes back. */
static void tx_give_back(void)
{
    struct net_entry entry;
    if (net_queue_dequeue(&tx_active, &entry)) {
        tx_refuse(&entry, NET_STAT_DROP_LINK);
    }
}

/* True if there may be more to do. Without a device, or a link, all goes back. */
static bool tx_provide(void)
{
    if (tx_held_count != 0) {
        return false; /* virt_tx has no room for its own buffers */
    }
    uint32_t ready = sddf_queue_available(&tx_active);
    uint32_t packets = 0;
    uint64_t bytes = 0;
    for (; ready > 0 && !(live && link_up); ready--) {
        tx_give_back();
    }
    while (ready > 0 && descriptors_space(&tx) != 0) {
        ready -= tx_give(min(ready, descriptors_space(&tx)), &packets, &bytes);
    }
    count(NET_STAT_TX_PACKETS, packets);
    count(NET_STAT_TX_BYTES, bytes);
    tx_waits = ready > 0; /* for room in the ring, which is full */
    if (tx_waits) {
        sddf_queue_release(&tx_active);
        return false;
    }
    return !sddf_queue_request_signal(&tx_active);
}

/* Frames are on their way and none has been sent: since when? */
static void tx_watch(void)
{
    if (!live || !link_up || descriptors_in_flight(&tx) == 0) {
        tx_stalled_since = 0;
        return;
    }
    const uint64_t now = sddf_clock_now();
    if (tx_stalled_since == 0 || tx_stalled != tx.seen) {
        tx_stalled = tx.seen;
        tx_stalled_since = now;
    } else if (now - tx_stalled_since > STALL_NS) {
        broken = true;
    }
}

/* Buffers of what has been sent. */
static void tx_return(void)
{
    while (tx_held_count != 0 &&
           net_queue_enqueue(&tx_free, (struct net_entry){.address = tx_held[tx_held_count - 1]})) {
        tx_held_count--;
    }
    const uint32_t done = descriptors_batches_done(&tx);
    const uint32_t n = done == 0 ? 0 : min(done, sddf_queue_space(&tx_free, done));
    for (uint32_t i = 0; i < n; i++) {
        net_queue_set(&tx_free, i, (struct net_entry){.address = descriptors_take(&tx)});
    }
    if (n != 0) {
        sddf_queue_produce(&tx_free, n);
        idle_interrupts = 0;
        tx_stalled_since = 0;
    } else if (done == 0) {
        tx_watch();
    }
    sddf_queue_publish(&tx_free);
}

/* Has as much been sent as is worth an interrupt? */
static bool tx_due(void)
{
    return tx_armed != 0 && descriptors_batches_done(&tx) >= tx_armed;
}

/* ---- the device ---------------------------------------------------------------------------- */

/* The largest rings that the memory has room for, and the configuration wants; 0: none. */
static uint32_t largest_ring(void)
{
    const struct sddf_device_config *config = &sddf_net_config.device;
    uint64_t most = config->region[REGION_RINGS].size / 2 / sizeof(struct e1000e_descriptor);
    if (config->ring_size != 0 && config->ring_size < most) {
        most = config->ring_size;
    }
    uint32_t size = E1000E_RING_MAX;
    while (size > most) {
        size /= 2;
    }
    return size >= E1000E_RING_MIN ? size : 0;
}

/* Each ring has one half of the ring memory. */
static struct e1000e_place ring_start(struct descriptors *ring, uint32_t which)
{
    const struct sddf_region_config *rings = &sddf_net_config.device.region[REGION_RINGS];
    const uint64_t offset = which * (rings->size / 2);
    descriptors_start(ring, (struct e1000e_descriptor *)(uintptr_t)(rings->vaddr + offset),
                      ring_size);
    return (struct e1000e_place){
        .io_address = rings->io_address + offset,
        .bytes = ring_size * (uint32_t)sizeof(struct e1000e_descriptor),
    };
}

static void say_link(uint32_t status)
{
    static const char *const speeds[] = {"link is up, 10 Mb/s", "link is up, 100 Mb/s",
                                         "link is up, 1000 Mb/s", "link is up, 1000 Mb/s"};
    say(link_up ? speeds[E1000E_STATUS_SPEED(status)] : "link is down");
}

/*
 * For the first time or again. From the moment that the reset is complete, what the rings had is
 * ours. False: there is no device, or it does not reset; nothing is given to it until the next try.
 */
static bool device_start(void)
{
    live = broken = false;
    if (!e1000e_reset(&device)) {
        return false;
    }
    rx_held_count += descriptors_collect(&rx, &rx_held[rx_held_count]);
    tx_held_count += descriptors_collect(&tx, &tx_held[tx_held_count]);
    const struct e1000e_place rx_place = ring_start(&rx, 0);
    const struct e1000e_place tx_place = ring_start(&tx, 1);
    tx_batch = 0;
    tx_armed = 0;
    tx_stalled_since = 0;
    rx_interrupts = tx_interrupts = false;
    idle_interrupts = 0;
    e1000e_start(&device, &rx_place, &tx_place);
    /* After the link's interrupt is on: a change after this look will be said. */
    const uint32_t status = e1000e_status(&device);
    if (status == E1000E_ALL_ONES) {
        return false;
    }
    link_up = (status & E1000E_STATUS_LU) != 0;
    live = true;
    return true;
}

/* Tells the device what it has been given. */
static void device_doorbells(void)
{
    if (tx.next != tx.published) {
        tx_end_batch();
        if (tx_armed != 0 && !tx_interrupts) {
            e1000e_forget(&device, device.tx_cause); /* of what has been sent before these */
        }
        tx.published = tx.next;
        e1000e_tail(&device, E1000E_TDT, tx.next & (tx.size - 1));
        count(NET_STAT_KICKS, 1);
    }
    if (rx.next != rx.published) {
        rx.published = rx.next;
        e1000e_tail(&device, E1000E_RDT, rx.next & (rx.size - 1));
        count(NET_STAT_KICKS, 1);
    }
}

/*
 * The end of a pass: doorbells, and then interrupts for what is not there yet. The order is what
 * matters: a cause that comes up while it is masked interrupts when it is no longer so. Returns the
 * directions in which there is something to do already.
 */
static unsigned device_settle(unsigned directions)
{
    if ((directions & SERVE_TX) != 0) {
        tx_armed = tx_wanted(descriptors_in_flight(&tx), tx_waits);
    }
    device_doorbells();
    unsigned again = 0;
    uint32_t arm = 0;
    if (descriptors_done(&rx) != 0) {
        again |= sddf_queue_space(&rx_active, 1) != 0 ? SERVE_RX : 0;
    } else if (!rx_interrupts) {
        arm |= device.rx_cause;
        rx_interrupts = true;
    }
    if (tx_due()) {
        again |= sddf_queue_space(&tx_free, 1) != 0 ? SERVE_TX : 0;
    } else if (tx_armed != 0 && !tx_interrupts) {
        arm |= device.tx_cause;
        tx_interrupts = true;
    } else if (tx_armed == 0 && tx_interrupts) {
        e1000e_disarm(&device, device.tx_cause);
        tx_interrupts = false;
    }
    if (arm != 0) {
        e1000e_arm(&device, arm);
    }
    return again;
}

/* ---- passes -------------------------------------------------------------------------------- */

/*
 * Returns the directions in which another pass is worth it: each has its end, in the neighbours'
 * capacities and the rings' sizes.
 */
static unsigned pass(unsigned directions)
{
    unsigned again = 0;
    if ((directions & SERVE_RX) != 0) {
        rx_return();
        again |= !broken && rx_provide() ? SERVE_RX : 0;
    }
    if ((directions & SERVE_TX) != 0) {
        tx_return();
        again |= !broken && tx_provide() ? SERVE_TX : 0;
    }
    if (!broken && live) {
        again |= device_settle(directions);
    }
    if ((directions & SERVE_RX) != 0) {
        wake(&rx_active, sddf_net_config.rx.channel);
    }
    if ((directions & SERVE_TX) != 0) {
        wake(&tx_free, sddf_net_config.tx.channel);
    }
    return again;
}

/*
 * Once a wake-up, so that a device that is broken for good does not keep us. Returns what is to be
 * served then: with no device, frames that are to be sent go back.
 */
static unsigned mend(void)
{
    const bool was_live = live;
    live = broken = false;
    count(NET_STAT_DEVICE_ERRORS, 1);
    if (!reset_done) {
        reset_done = true;
        if (device_start()) {
            return SERVE_RX | SERVE_TX;
        }
    }
    if (was_live) {
        say("the device is gone, or does not reset: it is left alone");
    }
    return SERVE_TX;
}

static void serve(unsigned directions)
{
    while (directions != 0) {
        directions = pass(directions);
        if (broken) {
            directions = mend();
        }
    }
}

/* ---- entry points -------------------------------------------------------------------------- */

/* What happens seldom. 7.4.5: the causes are cleared first, so what changes after this is said. */
static void other_interrupt(void)
{
    if (!live) {
        return;
    }
    e1000e_forget(&device, device.other_cause);
    const uint32_t status = e1000e_status(&device);
    if (status == E1000E_ALL_ONES) {
        serve(mend());
        return;
    }
    const struct e1000e_losses losses = e1000e_losses(&device);
    count(NET_STAT_DROP_NO_BUFFER, losses.missed);
    count(NET_STAT_DROP_MALFORMED, losses.damaged);
    const bool up = (status & E1000E_STATUS_LU) != 0;
    if (up != link_up) {
        link_up = up;
        say_link(status);
        if (!up && descriptors_in_flight(&tx) != 0 && !reset_done) {
            reset_done = true;
            broken = !device_start();
        }
        serve(broken ? mend() : SERVE_RX | SERVE_TX);
    }
    if (live) {
        e1000e_arm(&device, device.other_cause);
    }
}

/* Has the device interrupted for nothing again and again, because it does things out of turn? */
static void look_for_jumps(void)
{
    if (live && ++idle_interrupts >= IDLE_INTERRUPTS_MAX) {
        idle_interrupts = 0;
        broken = descriptors_jumped(&rx, rx.done) ||
                 (tx.done != tx.published &&
                  descriptors_jumped(&tx, tx.end[tx.done & (tx.size - 1)] - 1));
        if (broken) {
            serve(mend());
        }
    }
}

static void traffic_interrupt(void)
{
    if (!live) {
        return;
    }
    if (!device.vectors) {
        const uint32_t causes = e1000e_read(&device, E1000E_ICR);
        if ((causes & device.other_cause) != 0) { /* or all ones */
            other_interrupt();
        } else {
            e1000e_arm(&device, device.other_cause);
        }
    }
    rx_interrupts = tx_interrupts = false; /* masked by the message, or by the read */
    serve(live ? SERVE_RX | (tx_due() ? SERVE_TX : 0) : 0);
    look_for_jumps();
}

/*
 * A virtualiser's channel has its direction, for in the other one whoever has something to say has
 * been asked to say it. An interrupt for traffic speaks of both; but what was sent is left for the
 * next frame that goes out, unless somebody is short of it.
 */
void notified(microkit_channel ch)
{
    if (!configured) {
        return;
    }
    count(NET_STAT_WAKEUPS, 1);
    reset_done = false;
    if (!live) {
        serve(mend());
    }
    if (ch == sddf_net_config.rx.channel) {
        serve(live ? SERVE_RX : 0);
    } else if (ch == sddf_net_config.tx.channel) {
        serve(SERVE_TX);
    } else if (device.vectors && ch == sddf_net_config.device.irq[IRQ_OTHER]) {
        other_interrupt();
        microkit_irq_ack(ch);
    } else {
        traffic_interrupt();
        /* The one deferred signal of this PD: it goes out with the call that waits for the next. */
        microkit_deferred_irq_ack(sddf_net_config.device.irq[IRQ_TRAFFIC]);
    }
}

/* "ethernet0_driver: 82574L 52:54:00:12:34:56, rings of 256, MSI-X" */
static void announce(void)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t mac[6];
    e1000e_address(&device, mac);
    microkit_dbg_puts(microkit_name);
    microkit_dbg_puts(": 82574L");
    for (uint32_t i = 0; i < sizeof(mac); i++) {
        microkit_dbg_putc(i == 0 ? ' ' : ':');
        microkit_dbg_putc(digits[mac[i] >> 4]);
        microkit_dbg_putc(digits[mac[i] & 15]);
    }
    microkit_dbg_puts(", rings of ");
    microkit_dbg_put32(ring_size);
    microkit_dbg_puts(device.vectors ? ", MSI-X\n" : ", one interrupt\n");
    say_link(e1000e_status(&device));
}

static bool attach_device(void)
{
    const struct sddf_device_config *config = &sddf_net_config.device;
    const struct sddf_region_config *rings = &config->region[REGION_RINGS];
    const bool copied = config->region_count > REGION_CONFIG;
    if (config->region_count < REGION_CONFIG || config->irq_count < 1 ||
        config->region[REGION_REGISTERS].size < E1000E_REGISTERS_SIZE ||
        (copied && config->region[REGION_CONFIG].size < PCI_SPACE) ||
        (rings->vaddr | rings->io_address | rings->size / 2) % SDDF_CACHE_LINE != 0) {
        return false;
    }
    const bool vectors =
        config->irq_count >= IRQS &&
        (!copied || pci_has_msix((const uint8_t *)(uintptr_t)config->region[REGION_CONFIG].vaddr));
    e1000e_attach(&device, config->region[REGION_REGISTERS].vaddr, vectors);
    ring_size = largest_ring();
    return ring_size != 0;
}

/*
 * After a restart the private records say which buffers the device had, and the reset gives them
 * back: they are the globals that a restart must find as they were.
 */
void init(void)
{
    configured = false;
    tx_waits = false;
    if (!attach_config() || !attach_data() || !attach_device() || !attach_neighbours()) {
        refuse_configuration();
        return;
    }
    if (!device_start()) {
        say("there is no 82574L at these registers, or it does not reset");
        return;
    }
    configured = true;
    reset_done = false;
    announce();
    serve(SERVE_RX | SERVE_TX);
    for (uint32_t i = 0; i < sddf_net_config.device.irq_count; i++) {
        microkit_irq_ack(sddf_net_config.device.irq[i]); /* one from before a restart */
    }
}
