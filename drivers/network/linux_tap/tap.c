/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ethernet driver for the Linux board where AF_XDP may not be used: a TAP interface. A frame is one
 * read or one write. There are no rings and no DMA: the kernel copies, at this driver's request, so
 * this driver, as an exception, maps packet data: the Rx DMA region to write, the Tx regions to
 * read.
 *
 *     rx_return    the next frame into the next buffer of `free`, which goes to `active`
 *     tx_return    the next frame of `active` out; its buffer goes to `free`
 *
 * A queue's entry is taken only once the system call has succeeded, so this driver never holds a
 * buffer while it sleeps.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include <sys/syscall.h>

#include <microkit.h>
#include <microkit_linux.h>

#include "../driver.h"

/* A TAP does not say when it has room, or is up, again. */
#define RETRY_NS      (UINT64_C(200) * 1000)
#define RETRY_DOWN_NS (UINT64_C(10) * 1000 * 1000)

struct net_driver_config sddf_net_config;

static bool running;
static uint8_t irq;
static int fd;
static bool rx_drained; /* the TAP had no more frames when last asked */
static uint64_t retry;  /* ns until the next attempt; 0: none is due */

static void retry_after(uint64_t ns)
{
    if (retry == 0 || ns > retry) {
        retry = ns;
    }
}

/* ---- attach -------------------------------------------------------------------------------- */

static bool attach(void)
{
    const struct sddf_device_config *device = &sddf_net_config.device;
    if (!attach_config() || device->irq_count != 1) {
        return false;
    }
    irq = device->irq[0];
    fd = microkit_linux_irq_fd(irq);
    return fd >= 0 && attach_neighbours();
}

/*
 * Where `length` bytes at an IO address lie in this PD; 0 if not in one data region. That a region
 * is only readable here, the kernel finds out (EFAULT).
 */
static uint64_t locate(uint64_t address, uint64_t length)
{
    for (uint32_t i = 0; i < sddf_net_config.data_count; i++) {
        const struct sddf_region_config *data = &sddf_net_config.data[i];
        uint64_t offset = address - data->io_address;
        if (offset < data->size && length <= data->size - offset) {
            return data->vaddr != 0 ? data->vaddr + offset : 0;
        }
    }
    return 0;
}

static long device_call(long number, uint64_t at, uint64_t length)
{
    count(NET_STAT_KICKS, 1);
    return microkit_linux_syscall(number, fd, (long)at, (long)length, 0, 0, 0);
}

/* ---- Rx ------------------------------------------------------------------------------------ */

/* Frames, from the device to virt_rx. True if there may be more to do. */
static bool rx_return(void)
{
    uint32_t ready = sddf_queue_available(&rx_free);
    uint32_t space = sddf_queue_space(&rx_active, ready);
    uint32_t n = ready < space ? ready : space;
    uint64_t packets = 0;
    uint64_t bytes = 0;
    struct net_entry entry, again; /* an entry is read twice, and may differ: the first counts */
    rx_drained = false;
    for (uint32_t i = 0; i < n && net_queue_peek(&rx_free, &entry); i++) {
        entry.address -= entry.address % NET_BUFFER_SIZE;
        uint64_t at = locate(entry.address, NET_BUFFER_SIZE);
        long length = at != 0 ? device_call(SYS_read, at, NET_BUFFER_SIZE) : -EFAULT;
        if (length == -EAGAIN) {
            rx_drained = true;
            break;
        }
        if (length == -EFAULT) {
            net_queue_dequeue(&rx_free, &again); /* no buffer of the device's: not given back */
            count(NET_STAT_REFUSED_ADDRESS, 1);
            continue;
        }
        if (length < 0) {
            count(NET_STAT_DEVICE_ERRORS, 1);
            retry_after(RETRY_DOWN_NS);
            break;
        }
        if (length < NET_FRAME_MIN || length > NET_FRAME_MAX) {
            count(NET_STAT_DROP_MALFORMED, 1); /* the buffer is still the next one */
            continue;
        }
        net_queue_dequeue(&rx_free, &again);
        net_queue_enqueue(&rx_active,
                          (struct net_entry){.address = entry.address, .length = (uint16_t)length});
        packets++;
        bytes += (uint64_t)length;
    }
    if (packets != 0) {
        sddf_queue_publish(&rx_active);
        count(NET_STAT_RX_PACKETS, packets);
        count(NET_STAT_RX_BYTES, bytes);
    }
    if (sddf_queue_available(&rx_free) != 0) {
        sddf_queue_release(&rx_free);
        /* With buffers left, all went well if the device is empty or the retry is set. */
        if (n < ready) {
            retry_after(RETRY_NS); /* virt_rx has no room */
        }
        return !rx_drained && retry == 0;
    }
    return !sddf_queue_request_signal(&rx_free);
}

/* ---- Tx ------------------------------------------------------------------------------------ */

static bool tx_refused(const struct net_entry *entry, uint64_t at)
{
    enum net_stat why;
    if (at == 0) {
        why = NET_STAT_REFUSED_ADDRESS;
    } else if (entry->length < NET_FRAME_MIN || entry->length > NET_FRAME_MAX) {
        why = NET_STAT_REFUSED_LENGTH;
    } else if (entry->flags != 0) {
        why = NET_STAT_REFUSED_FLAGS; /* this device fills no checksums in */
    } else {
        return false;
    }
    count(why, 1);
    return true;
}

/* Frames, from virt_tx to the device, and their buffers back. True if there may be more to do. */
static bool tx_return(void)
{
    uint32_t ready = sddf_queue_available(&tx_active);
    uint32_t space = sddf_queue_space(&tx_free, ready);
    uint32_t n = ready < space ? ready : space;
    uint32_t done = 0;
    uint64_t packets = 0;
    uint64_t bytes = 0;
    struct net_entry entry, again; /* as in rx_return */
    while (done < n && net_queue_peek(&tx_active, &entry)) {
        uint64_t at = locate(entry.address, entry.length);
        if (!tx_refused(&entry, at)) {
            long written = device_call(SYS_write, at, entry.length);
            if (written == -EAGAIN || written == -EIO) {
                retry_after(written == -EIO ? RETRY_DOWN_NS : RETRY_NS); /* no room; down */
                break;
            }
            if (written < 0) {
                count(NET_STAT_DEVICE_ERRORS, 1);
            } else {
                packets++;
                bytes += entry.length;
            }
        }
        net_queue_dequeue(&tx_active, &again);
        net_queue_enqueue(&tx_free, (struct net_entry){.address = entry.address});
        done++;
    }
    if (done != 0) {
        sddf_queue_publish(&tx_free);
        count(NET_STAT_TX_PACKETS, packets);
        count(NET_STAT_TX_BYTES, bytes);
    }
    if (done < ready) {
        sddf_queue_release(&tx_active);
        retry_after(RETRY_NS); /* (also when virt_tx has no room for what is its own) */
        return false;
    }
    return !sddf_queue_request_signal(&tx_active);
}

/* ---- interrupt ----------------------------------------------------------------------------- */

static void serve(void)
{
    retry = 0;
    bool more;
    do {
        more = rx_return();
        more |= tx_return();
        wake(&rx_active, sddf_net_config.rx.channel);
        wake(&tx_free, sddf_net_config.tx.channel);
    } while (more && retry == 0);
    /*
     * The interrupt is "there is a frame". While there is no buffer for it, it stays masked, or
     * this would be a loop; virt_rx signals its next buffer.
     */
    if (rx_drained) {
        microkit_irq_ack(irq);
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
