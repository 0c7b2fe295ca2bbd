/* SPDX-License-Identifier: BSD-2-Clause */
/* The copier, between the Rx virtualiser and its client. */
#include "neighbours.h"

#include "network/copy.c"

enum { VIRT_RX, CLIENT };
enum { DMA, DATA };

static void prepare(void)
{
    struct net_copy_config *c = &sddf_net_config;
    c->header = (struct sddf_config_header){SDDF_CONFIG_MAGIC, SDDF_CONFIG_VERSION,
                                            SDDF_ROLE_NET_COPY, sizeof(*c), 0};
    c->dma = fuzz_add_data(0, false, true); /* whose buffer it is, virt_rx knows */
    c->data = fuzz_add_data(0, true, false);
    c->rx = fuzz_add_neighbour(
        (struct fuzz_neighbour){.sends = true, .writes = true, .data = 1 << DMA}, FUZZ_CAPACITY);
    c->client = fuzz_add_neighbour((struct fuzz_neighbour){.data = 1 << DATA}, FUZZ_CAPACITY);
    c->stats = fuzz_stats();
    c->dma_buffer_count = FUZZ_BUFFERS;
    c->buffer_count = FUZZ_BUFFERS;
}

static void fuzz_frame(uint32_t neighbour, uint8_t *frame, uint32_t length)
{
    (void)neighbour;
    memset(frame, fuzz_u8(), length < 64 ? length : 64);
}

static void fuzz_frame_leaves(uint32_t neighbour, const struct net_entry *entry,
                              const uint8_t *frame)
{
    (void)neighbour;
    (void)frame;
    fuzz_check((entry->flags & ~NET_CSUM_VERIFIED) == 0, "flags leave that nobody knows");
}

static void fuzz_account(void)
{
    for (uint32_t i = 0; i < FUZZ_BUFFERS; i++) {
        fuzz_check(fuzz_data[DMA].credit[i] == 0, "a DMA buffer is lost");
        fuzz_check(fuzz_neighbour[CLIENT].hostile || fuzz_data[DATA].holders[i] != 0,
                   "an honest client's buffer is lost");
    }
}

static void fuzz_run(void)
{
    if (fuzz_neighbour_count == 0) {
        prepare();
    }
    uint8_t mode = fuzz_u8();
    uint8_t more = fuzz_u8();
    fuzz_reset(mode & 3);
    fuzz_data_reset(DMA, VIRT_RX);
    fuzz_data_reset(DATA, CLIENT);
    fuzz_data[DATA].counted = fuzz_neighbour[CLIENT].hostile; /* it may offer one twice */
    fuzz_concurrent = (mode & 16) != 0;
    const struct net_copy_config good = sddf_net_config;
    switch (more) {
    case 255:
        sddf_net_config.header.size--;
        break;
    case 254:
        sddf_net_config.dma_buffer_count = 0;
        break;
    case 253:
        sddf_net_config.buffer_count = 65;
        break;
    case 252:
        sddf_net_config.stats.vaddr = 0;
        break;
    case 251:
        sddf_net_config.rx.free.capacity = 5;
        break;
    default:
        break;
    }
    fuzz_steps_begin();
    init();
    if (more >= 251) {
        fuzz_check(!running, "it runs with a bad configuration");
        notified(1);
        sddf_net_config = good;
        return;
    }
    fuzz_at_rest();
    for (uint32_t i = 0; i < 200 && fuzz_bytes_left > 0; i++) {
        uint8_t act = fuzz_u8();
        if (act < 80) {
            fuzz_neighbour_notifies(act % fuzz_neighbour_count);
        } else {
            fuzz_neighbours_act();
        }
    }
    bool honest = fuzz_settle();
    fuzz_check(!honest ||
                   fuzz_neighbour[VIRT_RX].out.consumer->head == fuzz_neighbour[VIRT_RX].tail,
               "frames are left, and nobody will look at them");
}
