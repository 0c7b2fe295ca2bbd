/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A long history of a network driver's neighbours, who keep account of every buffer. The model's
 * rig comes before this header, and has wake(), model_content and model_frame_length.
 */
#pragma once

struct history {
    uint64_t rx_mine[BUFFERS], tx_mine[BUFFERS];
    unsigned rx_count, tx_count;
    unsigned lost; /* frames that resets may have cost */
    uint32_t next_frame;
    unsigned given, taken;
    unsigned asked; /* free Tx buffers that are worth a signal */
};

static struct history h;

static void history_take(bool resets)
{
    struct net_entry entry = {0};
    while (take_rx(&entry)) {
        const unsigned buffer = (unsigned)((entry.address - MODEL_RX_IO) / NET_BUFFER_SIZE);
        const uint32_t number = model_content[buffer];
        assert_true(buffer < BUFFERS && h.rx_count < BUFFERS);
        assert_true(resets ? number >= h.next_frame : number == h.next_frame);
        assert_int_equal(entry.length, model_frame_length[number % 4096]);
        h.next_frame = number + 1;
        h.rx_mine[h.rx_count++] = rx_buffer(buffer);
        h.taken++;
    }
    if (h.taken % 3 == 0) {
        sddf_queue_request_signal(&rx_active);
    }
    while (net_queue_dequeue(&tx_free, &entry)) {
        assert_true(h.tx_count < BUFFERS);
        h.tx_mine[h.tx_count++] = entry.address;
    }
    sddf_queue_request_signal_at(&tx_free, h.asked);
}

static void history_give(uint32_t dice)
{
    for (unsigned n = dice % 40; n > 0 && h.tx_count > 0; n--) {
        give_tx((struct net_entry){.address = h.tx_mine[--h.tx_count],
                                   .length = (uint16_t)(14 + (dice + 31 * n) % 1501)});
        h.given++;
    }
    for (unsigned n = dice / 40 % 40; n > 0 && h.rx_count > 0; n--) {
        give_rx(h.rx_mine[--h.rx_count]);
    }
    /* As virtualisers do it: they signal if, and only if, the driver asked for it. */
    if (sddf_queue_needs_signal(&tx_active)) {
        wake(TX);
    }
    if (sddf_queue_needs_signal(&rx_free)) {
        wake(RX);
    }
}

static void history_check(void)
{
    static bool seen[2][BUFFERS];
    memset(seen, 0, sizeof(seen));
    for (unsigned i = 0; i < BUFFERS; i++) {
        const uint64_t r = (h.rx_mine[i] - MODEL_RX_IO) / NET_BUFFER_SIZE;
        const uint64_t t = (h.tx_mine[i] - MODEL_TX_IO) / NET_BUFFER_SIZE;
        assert_true(r < BUFFERS && t < BUFFERS && !seen[0][r] && !seen[1][t]);
        seen[0][r] = seen[1][t] = true;
    }
}
