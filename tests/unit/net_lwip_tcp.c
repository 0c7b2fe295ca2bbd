/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The echo program's TCP, against a peer that is a page of C: streams with back-pressure, half
 * closing, loss, and more connections than there is room for. CAPACITY is the client's buffers.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include <microkit.h>

#include "net_lwip_frames.h"
#include "net_peer.h"
#include "sddf/clock.h"
#include "sddf/net_client.h"
#include "sddf/timer.h"

#define MSS    1460
#define STREAM (1u << 20)

enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };

extern struct timer_client_config sddf_timer_config; /* timer/client.c */

/* The peer's end of a connection. Sequence numbers of data count from the first byte. */
struct end {
    uint16_t port; /* ours; the client's is 1236, or `to` */
    uint16_t to;
    uint32_t first_sent; /* sequence number of our first byte of data */
    uint32_t first_got;
    uint32_t sent;  /* bytes of ours that went out, ... */
    uint32_t acked; /* that the client has acknowledged, ... */
    uint32_t got;   /* that have come back, in order */
    uint32_t window;
    uint32_t read; /* of which we have acknowledged so many */
    bool slow;     /* we acknowledge no more */
    bool open, closing, finished, reset;
};

static uint8_t data_at(uint32_t position)
{
    return (uint8_t)(position * 2654435761u >> 24);
}

static void send_segment(struct end *e, uint8_t flags, uint32_t seq, uint16_t length)
{
    uint8_t frame[NET_BUFFER_SIZE];
    uint8_t *tcp = frame + 34;
    uint16_t header = flags & SYN ? 24 : 20;
    memset(tcp, 0, header);
    put16(tcp, e->port);
    put16(tcp + 2, e->to);
    put32(tcp + 4, seq);
    e->read = e->slow ? e->read : e->got + e->finished;
    put32(tcp + 8, flags & ACK ? e->first_got + e->read : 0);
    tcp[12] = (uint8_t)(header / 4 << 4);
    tcp[13] = flags;
    put16(tcp + 14, 65535);
    if (flags & SYN) {
        put32(tcp + 20, 0x02040000 | MSS);
    }
    for (uint32_t i = 0; i < length; i++) {
        tcp[header + i] = data_at(seq - e->first_sent + i);
    }
    make_ip(frame, 6, (uint16_t)(header + length));
    finish_transport(frame, (uint16_t)(header + length), tcp + 16);
    /* No buffer: the copier would drop it. */
    peer_deliver(frame, (uint16_t)(34 + header + length), 0, 0);
}

static void take_segment(struct end *e, const uint8_t *frame)
{
    const uint8_t *tcp = frame + 34;
    uint16_t header = (uint16_t)(tcp[12] >> 4) * 4;
    uint32_t length = get16(frame + 16) - 20u - header;
    uint8_t flags = tcp[13];
    uint32_t seq = get32(tcp + 4);
    assert_int_equal(
        sum_of(tcp, (uint16_t)(header + length), sum_of(frame + 26, 8, 6 + header + length)),
        0xffff);
    if (flags & RST) {
        e->reset = true;
        return;
    }
    if (flags & SYN) {
        e->first_got = seq + 1;
        e->open = true;
    }
    if (flags & ACK) {
        uint32_t acked = get32(tcp + 8) - e->first_sent;
        if (acked - e->acked <= e->sent - e->acked + 1) {
            e->acked = acked;
        }
        e->window = get16(tcp + 14);
    }
    if (flags & SYN || seq != e->first_got + e->got) {
        return;
    }
    for (uint32_t i = 0; i < length; i++) {
        if (tcp[header + i] != data_at(e->got + i)) {
            fail_msg("byte %u came back wrong", e->got + i);
        }
    }
    e->got += length;
    e->finished = e->finished || (flags & FIN) != 0;
}

/* The client runs, and all that it sends is taken. */
static void run(struct end *e)
{
    uint8_t frame[NET_BUFFER_SIZE];
    notified(PEER_RX_CHANNEL);
    while (peer_collect(frame) != 0) {
        if (get16(frame + 12) == 0x0806) {
            if (get16(frame + 20) == 1 && memcmp(frame + 38, peer_ip, 4) == 0) {
                uint8_t reply[64];
                peer_deliver(reply, make_arp_reply(reply), 0, 0);
                notified(PEER_RX_CHANNEL);
            }
        } else if (get16(frame + 36) == e->port) {
            take_segment(e, frame);
        }
    }
}

static void pass_time(struct end *e, uint32_t ms)
{
    peer.now += ms * SDDF_NS_PER_MS;
    notified(PEER_TIMER_CHANNEL);
    run(e);
}

static void acknowledge(struct end *e)
{
    send_segment(e, ACK, e->first_sent + e->sent + e->closing, 0);
    run(e);
}

static void dial(struct end *e, uint16_t port, uint16_t to)
{
    *e = (struct end){.port = port, .to = to, .first_sent = 1000u * port};
    for (int tries = 0; tries < 20 && !e->open && !e->reset; tries++) {
        send_segment(e, SYN, e->first_sent - 1, 0);
        run(e);
    }
    if (e->open) {
        acknowledge(e);
    }
}

/* Sends up to `total`, as far as the client's window lets it. */
static void send_some(struct end *e, uint32_t total, uint32_t size)
{
    while (e->sent < total) {
        uint32_t room = e->acked + e->window - e->sent;
        uint32_t n = total - e->sent < size ? total - e->sent : size;
        if (room < n || e->sent - e->acked > e->window) {
            return;
        }
        send_segment(e, ACK, e->first_sent + e->sent, (uint16_t)n);
        e->sent += n;
        run(e);
    }
}

/* Until all has come back; whatever stalls is sent again from where the client is. */
static void stream(struct end *e, uint32_t total, uint32_t size)
{
    for (uint32_t idle = 0; e->got < total;) {
        uint32_t before = e->got + e->acked;
        send_some(e, total, size);
        acknowledge(e);
        if (e->got + e->acked != before) {
            idle = 0;
            continue;
        }
        pass_time(e, 100);
        acknowledge(e);
        if (++idle % 3 == 0) {
            e->sent = e->acked;
        }
        if (idle == 600 || e->reset) {
            fail_msg("no progress at %u of %u, acked %u, window %u", e->got, total, e->acked,
                     e->window);
        }
    }
}

/* Our FIN, and all that comes before the client's. */
static void hang_up(struct end *e)
{
    for (int tries = 0; tries < 100 && !(e->finished && e->acked > e->sent); tries++) {
        send_segment(e, FIN | ACK, e->first_sent + e->sent, 0);
        e->closing = true;
        run(e);
        pass_time(e, 100);
    }
    assert_true(e->finished);
    assert_false(e->reset);
    acknowledge(e);
    /* The client has forgotten the connection: only now does it reset what comes. */
    assert_false(e->reset);
    acknowledge(e);
    assert_true(e->reset);
}

static int start(void **state)
{
    (void)state;
    peer_setup(CAPACITY);
    peer_provide_tx();
    sddf_timer_config = (struct timer_client_config){
        .header = {SDDF_CONFIG_MAGIC, SDDF_CONFIG_VERSION, SDDF_ROLE_TIMER_CLIENT,
                   sizeof(struct timer_client_config), 0},
        .channel = PEER_TIMER_CHANNEL,
    };
    init();
    return 0;
}

static int stop(void **state)
{
    (void)state;
    peer_teardown();
    return 0;
}

static void echoes_a_stream(void **state)
{
    (void)state;
    struct end e;
    const uint16_t ports[] = {7, 1236};
    for (uint16_t i = 0; i < 2; i++) {
        dial(&e, (uint16_t)(40000 + i), ports[i]);
        assert_true(e.open);
        stream(&e, STREAM, MSS);
        assert_int_equal(e.got, STREAM);
        hang_up(&e);
        assert_int_equal(net_client_held(), 0);
    }
    assert_int_equal(peer_stat(NET_STAT_COPIED_BYTES), 0);
}

/* Segments of a few bytes tie up as many buffers as large ones. */
static void echoes_small_segments(void **state)
{
    (void)state;
    struct end e;
    dial(&e, 40010, 1236);
    assert_true(e.open);
    stream(&e, 20000, 7);
    hang_up(&e);
    assert_int_equal(net_client_held(), 0);
}

/* A peer that does not acknowledge its echo: the window closes, nothing is lost, others go on. */
static void back_pressure(void **state)
{
    (void)state;
    struct end e, other;
    dial(&e, 40020, 1236);
    assert_true(e.open);
    e.slow = true;
    for (int i = 0; i < 300; i++) {
        send_some(&e, STREAM, MSS);
    }
    assert_true(e.sent < 3 * 65536);
    assert_true(e.got < 65536);
    assert_in_range(net_client_held(), 0, CAPACITY - 1);

    dial(&other, 40021, 7);
    assert_true(other.open);
    stream(&other, 5000, 100);
    hang_up(&other);

    e.slow = false;
    stream(&e, STREAM, MSS);
    hang_up(&e);
    assert_int_equal(net_client_held(), 0);
}

/* The peer sends its FIN behind data whose echo it has not taken yet: it gets all of it first. */
static void half_close(void **state)
{
    (void)state;
    struct end e;
    dial(&e, 40030, 1236);
    assert_true(e.open);
    uint32_t total = CAPACITY < 64 ? 8 * MSS : 40 * MSS;
    send_some(&e, total, MSS);
    assert_int_equal(e.sent, total);
    send_segment(&e, FIN | ACK, e.first_sent + e.sent, 0);
    run(&e);
    for (int i = 0; i < 200 && !e.finished; i++) {
        send_segment(&e, ACK, e.first_sent + e.sent + 1, 0);
        run(&e);
        pass_time(&e, 50);
        if (e.acked < e.sent) { /* dropped for want of a buffer: again */
            e.sent = e.acked;
            send_some(&e, total, MSS);
            send_segment(&e, FIN | ACK, e.first_sent + e.sent, 0);
            run(&e);
        }
    }
    assert_int_equal(e.got, total);
    assert_true(e.finished);
    hang_up(&e);
    assert_int_equal(net_client_held(), 0);
}

static void discards(void **state)
{
    (void)state;
    struct end e;
    dial(&e, 40040, 9);
    assert_true(e.open);
    while (e.acked < 200000) {
        send_some(&e, 200000, MSS);
        pass_time(&e, 100);
    }
    assert_int_equal(e.got, 0);
    hang_up(&e);
    assert_int_equal(net_client_held(), 0);
}

/* One more than the echo has room for is told so; and there is room again when one goes. */
static void many_connections(void **state)
{
    (void)state;
    static struct end e[13];
    for (uint16_t i = 0; i < 12; i++) {
        dial(&e[i], (uint16_t)(41000 + i), 1236);
        assert_true(e[i].open);
        stream(&e[i], 3000, 1000);
    }
    dial(&e[12], 41012, 1236);
    assert_true(e[12].reset);
    for (uint16_t i = 0; i < 12; i++) {
        stream(&e[i], 6000, 1000);
    }
    send_segment(&e[5], RST | ACK, e[5].first_sent + e[5].sent, 0);
    run(&e[5]);
    dial(&e[12], 41013, 1236);
    assert_true(e[12].open && !e[12].reset);
    stream(&e[12], 3000, 1000);
    for (uint16_t i = 0; i < 13; i++) {
        if (i != 5) {
            hang_up(&e[i]);
        }
    }
    assert_int_equal(net_client_held(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(echoes_a_stream), cmocka_unit_test(echoes_small_segments),
        cmocka_unit_test(back_pressure),   cmocka_unit_test(half_close),
        cmocka_unit_test(discards),        cmocka_unit_test(many_connections),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
