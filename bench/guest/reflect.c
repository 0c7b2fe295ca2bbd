/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A network client without an IP stack, straight on the driver's queues: every UDP datagram for its
 * address goes back from where it came, in the buffer that it came in, and ARP is answered. What it
 * does with a frame is what bench/guest/dpdk.c does; both copy nothing.
 *
 *      driver --- rx active ---> turned round where it lies --- tx active ---> driver
 *             <-- rx free ----------------------------------- tx free -------
 *
 * There is one neighbour, and one set of buffers, of which this PD keeps no account: a driver that
 * names one twice garbles what is its own to garble. What it names must lie in the region.
 */
#include <microkit.h>

#include "bench/echo_frame.h"
#include "sddf/net.h"

struct net_client_config sddf_net_config;

static struct sddf_queue_consumer rx_active, tx_free;
static struct sddf_queue_producer rx_free, tx_active;
static bool running;
static struct echo_addresses addresses = {.count = 1};
static uint8_t *data;
static uint64_t base, size;

/* Turns the frame round. False: there is no answer to it, or it is not one. */
static bool turn(const struct net_entry *entry)
{
    const uint64_t offset = entry->address - base;
    return offset < size && entry->length <= NET_BUFFER_SIZE - offset % NET_BUFFER_SIZE &&
           echo_answer(&addresses, (char *)data + offset, entry->length);
}

/* What has been sent is to be received in again. */
static void reuse(void)
{
    struct net_entry entry;
    for (uint32_t n = sddf_queue_available(&tx_free); n > 0; n--) {
        if (net_queue_dequeue(&tx_free, &entry)) {
            net_queue_enqueue(&rx_free, (struct net_entry){.address = entry.address});
        }
    }
}

static void reflect(void)
{
    struct net_entry entry;
    for (uint32_t n = sddf_queue_available(&rx_active); n > 0; n--) {
        if (!net_queue_dequeue(&rx_active, &entry)) {
            break;
        }
        const bool answers = turn(&entry);
        entry.flags = 0;
        if (!answers || !net_queue_enqueue(&tx_active, entry)) {
            net_queue_enqueue(&rx_free, (struct net_entry){.address = entry.address});
        }
    }
}

static void tell(struct sddf_queue_producer *queue, const struct net_pair_config *pair)
{
    sddf_queue_publish(queue);
    if (sddf_queue_needs_signal(queue)) {
        microkit_notify(pair->channel);
    }
}

/*
 * Buffers that come back are taken when frames are, and the driver wakes us for them only when half
 * of all are there: then receiving may want for them.
 */
static bool idle(void)
{
    const bool sent = sddf_queue_request_signal_at(&tx_free, sddf_net_config.rx_buffer_count / 2);
    const bool come = sddf_queue_request_signal(&rx_active);
    return sent && come;
}

static void serve(void)
{
    do {
        reuse();
        reflect();
        sddf_queue_release(&rx_active);
        tell(&rx_free, &sddf_net_config.rx);
        tell(&tx_active, &sddf_net_config.tx);
    } while (!idle());
}

static void *at(uint64_t vaddr)
{
    return (void *)(uintptr_t)vaddr;
}

static bool attach(const struct net_pair_config *pair, struct sddf_queue_producer *to,
                   const struct sddf_queue_config *out, struct sddf_queue_consumer *from,
                   const struct sddf_queue_config *in)
{
    return pair->channel < MICROKIT_MAX_CHANNELS &&
           net_queue_producer_attach(to, at(out->producer), at(out->consumer), out->capacity) &&
           net_queue_consumer_attach(from, at(in->consumer), at(in->producer), in->capacity);
}

void init(void)
{
    const struct net_client_config *c = &sddf_net_config;
    running = sddf_config_ok(&c->header, SDDF_ROLE_NET_CLIENT, sizeof(*c)) &&
              c->rx_data.io_address == c->tx_data.io_address &&
              attach(&c->rx, &rx_free, &c->rx.free, &rx_active, &c->rx.active) &&
              attach(&c->tx, &tx_active, &c->tx.active, &tx_free, &c->tx.free);
    if (!running) {
        microkit_dbg_puts("reflect: this configuration is not one of a client with in_place\n");
        return;
    }
    addresses.address[0].s_addr = c->ipv4;
    data = at(c->rx_data.vaddr);
    base = c->rx_data.io_address;
    size = (uint64_t)c->rx_buffer_count * NET_BUFFER_SIZE;
    for (uint32_t i = 0; i < c->rx_buffer_count; i++) {
        net_queue_enqueue(&rx_free,
                          (struct net_entry){.address = base + (uint64_t)i * NET_BUFFER_SIZE});
    }
    serve();
}

void notified(microkit_channel ch)
{
    (void)ch;
    if (running) {
        serve();
    }
}
