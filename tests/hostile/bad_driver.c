/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The AF_XDP driver, which does something wrong besides its work, by orders (see hostile.h): with
 * each wake-up, and it wakes up every millisecond. It keeps account of what the kernel has, so that
 * a buffer that it has said to be in two places does not truly come to be there. The numbers are
 * those of test_hostile.py.
 */
#include "drivers/network/linux_xdp/ring.h"

#define BUFFERS_MAX 4096

static uint8_t in_kernel[BUFFERS_MAX]; /* Rx buffers: in the fill ring, or filled */

static uint8_t *kernel_has(uint64_t address)
{
    return &in_kernel[address / 2048 % BUFFERS_MAX];
}

static void put_once(struct ring *ring, uint64_t address)
{
    if (*kernel_has(address) == 0) {
        *kernel_has(address) = 1;
        ring_put_address(ring, address);
    }
}

static struct linux_xdp_desc take_filled(struct ring *ring)
{
    const struct linux_xdp_desc desc = ring_take_desc(ring);
    *kernel_has(desc.address) = 0;
    return desc;
}

#define init             honest_init
#define notified         honest_notified
#define ring_put_address put_once
#define ring_take_desc   take_filled
#include "drivers/network/linux_xdp/xdp.c"
#undef init
#undef notified

#include "hostile.h"

#define WAKE_NS    (UINT64_C(1000) * 1000)
#define SILENT_FOR 50

enum behaviour {
    HONEST,
    RX_TWICE,
    RX_FOREIGN,
    RX_WILD,
    RX_LENGTHS,
    RX_TAIL,
    RX_HEAD,
    TX_TWICE,
    TX_FOREIGN,
    TX_WILD,
    TX_TAIL,
    TX_HEAD,
    WORDS,
    FLOOD,
    SILENCE,
};

static uint32_t silent;
static bool jumped;
static bool settling; /* everything has been given back: has everybody seen it? */

static microkit_channel virt_rx(void)
{
    return sddf_net_config.rx.channel;
}

static microkit_channel virt_tx(void)
{
    return sddf_net_config.tx.channel;
}

static void rejoin(void)
{
    hostile_rejoin_tail(&rx_active);
    hostile_rejoin_tail(&tx_free);
    jumped = false;
}

/*
 * All Rx buffers that the kernel does not have, as frames of no length, and all Tx buffers when
 * none is on its way out: each is taken back by whoever is missing it, or refused.
 */
static void settle(void)
{
    settling = true;
    for (uint64_t offset = 0; offset < rx_size; offset += NET_BUFFER_SIZE) {
        if (*kernel_has(rx_base + offset) == 0) {
            hostile_put(&rx_active, rx_base + offset, 0);
        }
    }
    for (uint32_t i = 1; i < sddf_net_config.data_count; i++) {
        const struct sddf_region_config *data = &sddf_net_config.data[i];
        for (uint64_t offset = 0; offset < data->size; offset += NET_BUFFER_SIZE) {
            hostile_put(&tx_free, data->io_address + offset, 0);
        }
    }
    hostile_push(&rx_active, virt_rx());
    hostile_push(&tx_free, virt_tx());
}

/* Five times the same, five of another class's, or five from nowhere. */
static void misbehave_with(struct sddf_queue_producer *q, microkit_channel channel, uint32_t kind,
                           uint64_t foreign)
{
    const uint32_t slot = (q->tail - 1) & q->mask;
    uint64_t address = sddf_load_relaxed_u64(&q->own->entries[slot * net_queue_words]);
    for (uint32_t i = 0; i < 5; i++) {
        if (kind == 1) {
            address = foreign + i * NET_BUFFER_SIZE;
        } else if (kind == 2) {
            address = hostile_random() | umem_size;
        }
        hostile_put(q, address, HOSTILE_LENGTH);
    }
    hostile_push(q, channel);
}

/* Buffers that it was given to receive in come back with lengths that are none. */
static void misbehave_with_lengths(void)
{
    static const uint16_t lengths[] = {0, 13, 1515, HOSTILE_LENGTH};
    for (uint64_t offset = 0; offset < rx_size; offset += NET_BUFFER_SIZE) {
        if (*kernel_has(rx_base + offset) != 0) {
            /* It is to be received in; virt_rx gives it back, and put_once lets it be. */
            hostile_put(&rx_active, rx_base + offset, lengths[hostile_acts() % 4]);
            break;
        }
    }
    hostile_push(&rx_active, virt_rx());
}

static void misbehave(enum behaviour what)
{
    const uint64_t tx_begin = sddf_net_config.data[1].io_address;
    if (what == RX_TWICE || what == RX_FOREIGN || what == RX_WILD) {
        misbehave_with(&rx_active, virt_rx(), what - RX_TWICE, tx_begin);
    } else if (what == TX_TWICE || what == TX_FOREIGN || what == TX_WILD) {
        misbehave_with(&tx_free, virt_tx(), what - TX_TWICE, rx_base);
    } else if (what == RX_LENGTHS) {
        misbehave_with_lengths();
    } else if (what == RX_TAIL || what == TX_TAIL) {
        /* Not each time: after that, nothing gets through until the rubbish is taken. */
        jumped = hostile_acts() % 16 == 0;
        if (jumped && what == RX_TAIL) {
            hostile_jump_tail(&rx_active, virt_rx());
        } else if (jumped) {
            hostile_jump_tail(&tx_free, virt_tx());
        }
    } else if (what == RX_HEAD) {
        hostile_jump_head(&rx_free, virt_rx());
    } else if (what == TX_HEAD) {
        hostile_jump_head(&tx_active, virt_tx());
    } else if (what == WORDS) {
        hostile_scribble(&rx_active, &rx_free);
        hostile_scribble(&tx_free, &tx_active);
        microkit_notify(virt_rx());
        microkit_notify(virt_tx());
    } else if (what == FLOOD) {
        hostile_flood(virt_rx(), virt_tx());
    }
    hostile_acted();
}

/* On the way back to honesty: as often as it takes until all was given back, and seen. */
static void reform(microkit_channel ch)
{
    const bool taken = hostile_all_taken(&rx_active) && hostile_all_taken(&tx_free);
    if (taken && !settling && tx_in_flight == 0 && sddf_queue_available(&rx_free) == 0) {
        settle();
        return;
    }
    if (taken && settling) {
        hostile_obeys(HONEST);
    } else if (!taken) {
        rejoin();
    }
    settling = false;
    honest_notified(ch);
}

static void behave_by(uint64_t order, microkit_channel ch)
{
    hostile_obeys(order);
    if (order == SILENCE && silent++ % SILENT_FOR != 0) {
        hostile_acted();
        return;
    }
    if (jumped) {
        rejoin();
    }
    honest_notified(ch);
    if (order != HONEST && order != SILENCE) {
        misbehave((enum behaviour)order);
    }
}

void notified(microkit_channel ch)
{
    const uint64_t order = hostile_order();
    if (order == HONEST && hostile_does() != HONEST) {
        reform(ch);
    } else {
        behave_by(order, ch);
    }
    if (hostile_does() != HONEST) {
        microkit_linux_irq_after(irq, WAKE_NS);
    }
}

void init(void)
{
    honest_init();
    hostile_start(&sddf_net_config.stats);
}
