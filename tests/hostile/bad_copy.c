/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A copier that is the honest one for all clients but "mallory", and then does something wrong with
 * each wake-up, by orders (see hostile.h). The numbers are those of test_hostile.py.
 */
#define init     honest_init
#define notified honest_notified
#include "network/copy.c"
#undef init
#undef notified

#include "hostile.h"

enum behaviour {
    HONEST,
    RETURN_TWICE,
    RETURN_FOREIGN,
    RETURN_WILD,
    RETURN_TAIL,
    TAKE_HEAD,
    DELIVER_TWICE,
    DELIVER_WILD,
    DELIVER_LENGTHS,
    DELIVER_TAIL,
    CLIENT_HEAD,
    WORDS,
    FLOOD,
    SILENCE,
};

/* Fewer than the queue holds, or nobody would ever wake this PD again. */
#define SILENT_FOR 40

static uint32_t silent;
static bool jumped;
static bool settling; /* everything has been given back: has everybody seen it? */

static microkit_channel virt_rx(void)
{
    return sddf_net_config.rx.channel;
}

static microkit_channel client(void)
{
    return sddf_net_config.client.channel;
}

static void rejoin(void)
{
    hostile_rejoin_tail(&rx_free);
    hostile_rejoin_tail(&client_active);
    jumped = false;
}

/*
 * Gives everything back: whoever gets a buffer that is not due refuses it. To the client as frames
 * without a length, which it refuses as well, and keeps the buffer.
 */
static void settle(void)
{
    settling = true;
    hostile_rejoin_head(&rx_active);
    hostile_rejoin_head(&client_free);
    for (uint32_t i = 0; i < dma_buffer_count; i++) {
        hostile_put(&rx_free, (uint64_t)i * NET_BUFFER_SIZE, 0);
    }
    for (uint32_t i = 0; i < buffer_count; i++) {
        hostile_put(&client_active, (uint64_t)i * NET_BUFFER_SIZE, 0);
        sent_as[i] = ++sent;
    }
    hostile_push(&rx_free, virt_rx());
    hostile_push(&client_active, client());
}

static void misbehave_to_client(enum behaviour what)
{
    static const uint16_t lengths[] = {0, 13, 1515, HOSTILE_LENGTH};
    if (what == DELIVER_WILD) {
        for (uint32_t i = 0; i < 8; i++) {
            hostile_put(&client_active, (buffer_count + hostile_random() % 99) * NET_BUFFER_SIZE,
                        64);
        }
    } else {
        looks = 1;
        const uint32_t buffer = client_buffer();
        sddf_queue_release(&client_free);
        for (uint32_t i = 0; i < 4 && buffer != BUFFERS_NONE; i++) {
            const uint16_t length = what == DELIVER_TWICE ? 64 : lengths[(hostile_acts() + i) % 4];
            hostile_put(&client_active, (uint64_t)buffer * NET_BUFFER_SIZE, length);
            sent_as[buffer] = ++sent;
        }
    }
    hostile_push(&client_active, client());
}

/*
 * Asks for a signal at the next frame, with the work of those that are there left undone: nothing
 * else wakes this PD, so it must not sleep on a mark that was passed already.
 */
static void put_off(void)
{
    uint32_t tail;
    do {
        tail = sddf_load_acquire_u32(&rx_active.peer->tail);
        sddf_store_relaxed_u32(&rx_active.own->mark, tail);
        sddf_fence_seq_cst();
    } while (tail != sddf_load_acquire_u32(&rx_active.peer->tail));
}

static void misbehave(enum behaviour what)
{
    if (what == RETURN_TWICE) {
        const uint32_t slot = (rx_free.tail - 1) & rx_free.mask;
        hostile_put(&rx_free, sddf_load_relaxed_u64(&rx_free.own->entries[slot * net_queue_words]),
                    0);
        hostile_push(&rx_free, virt_rx());
    } else if (what == RETURN_FOREIGN || what == RETURN_WILD) {
        for (uint32_t i = 0; i < 16; i++) {
            hostile_put(&rx_free,
                        what == RETURN_FOREIGN
                            ? hostile_random() % dma_buffer_count * NET_BUFFER_SIZE
                            : hostile_random() | (uint64_t)dma_buffer_count * NET_BUFFER_SIZE,
                        HOSTILE_LENGTH);
        }
        hostile_push(&rx_free, virt_rx());
    } else if (what == RETURN_TAIL) {
        hostile_jump_tail(&rx_free, virt_rx());
        jumped = true;
    } else if (what == TAKE_HEAD) {
        hostile_jump_head(&rx_active, virt_rx());
        put_off();
    } else if (what == DELIVER_TAIL) {
        hostile_jump_tail(&client_active, client());
        jumped = true;
    } else if (what == CLIENT_HEAD) {
        hostile_jump_head(&client_free, client());
    } else if (what == WORDS) {
        hostile_scribble(&rx_free, &rx_active);
        hostile_scribble(&client_active, &client_free);
        microkit_notify(virt_rx());
        put_off();
    } else if (what == FLOOD) {
        hostile_flood(virt_rx(), client());
    } else {
        misbehave_to_client(what);
    }
    hostile_acted();
}

/* On the way back to honesty: as often as it takes until all was given back, and seen. */
static void reform(microkit_channel ch)
{
    if (ch == client()) {
        return; /* it is in the middle of taking */
    }
    const bool taken = hostile_all_taken(&rx_free) && hostile_all_taken(&client_active);
    if (taken && !settling) {
        settle();
        return;
    }
    if (taken) {
        hostile_obeys(HONEST);
    } else {
        rejoin();
    }
    settling = false;
    honest_notified(ch);
}

void notified(microkit_channel ch)
{
    if (hostile_words == NULL) {
        honest_notified(ch);
        return;
    }
    const uint64_t order = hostile_order();
    if (order == HONEST && hostile_does() != HONEST) {
        reform(ch);
        return;
    }
    hostile_obeys(order);
    if (order == SILENCE && silent++ % SILENT_FOR != 0) {
        put_off();
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

void init(void)
{
    honest_init();
    if (strstr(microkit_name, "mallory") != NULL) {
        hostile_start(&sddf_net_config.stats);
    }
}
