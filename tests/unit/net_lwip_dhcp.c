/* SPDX-License-Identifier: BSD-2-Clause */
/* A client without an address: DHCP, and the ARP component's leave to use what it offers. */
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

enum { DISCOVER = 1, OFFER, REQUEST, DECLINE, DHCP_ACK, NAK, RELEASE };

extern struct timer_client_config sddf_timer_config; /* timer/client.c */

static unsigned seen[9]; /* messages of the client's, by type */

/* The message type of a frame to the DHCP server, or 0. */
static unsigned dhcp_type(const uint8_t *frame, uint16_t length)
{
    if (length < 42 + 243 || get16(frame + 12) != 0x0800 || get16(frame + 36) != 67) {
        return 0;
    }
    for (const uint8_t *o = frame + 42 + 240; o < frame + length && *o != 255;) {
        if (*o == 53) {
            return o[2];
        }
        o += *o == 0 ? 1 : 2 + o[1];
    }
    return 0;
}

static void answer(const uint8_t *question, uint8_t type)
{
    uint8_t frame[NET_BUFFER_SIZE];
    uint8_t *bootp = frame + 42;
    memset(frame, 0, sizeof(frame));
    bootp[0] = 2;
    bootp[1] = 1;
    bootp[2] = 6;
    memcpy(bootp + 4, question + 42 + 4, 4); /* the transaction */
    memcpy(bootp + 16, client_ip, 4);
    memcpy(bootp + 28, client_mac, 6);
    const uint8_t options[] = {99, 130, 83, 99, 53, 1,  type, 54, 4,   10,  0,   0, 1,
                               51, 4,   0,  0,  14, 16, 1,    4,  255, 255, 255, 0, 255};
    memcpy(bootp + 236, options, sizeof(options));
    uint16_t udp = 8 + 236 + sizeof(options);
    put16(frame + 34, 67);
    put16(frame + 36, 68);
    put16(frame + 38, udp);
    make_ip(frame, 17, udp);
    finish_transport(frame, udp, frame + 40);
    assert_true(peer_deliver(frame, (uint16_t)(34 + udp), 0, 0));
}

/* The server's part, for a while. */
static void serve(unsigned ms)
{
    uint8_t frame[NET_BUFFER_SIZE];
    for (unsigned t = 0; t < ms; t += 50) {
        peer.now += 50 * SDDF_NS_PER_MS;
        notified(PEER_TIMER_CHANNEL);
        uint16_t n;
        while ((n = peer_collect(frame)) != 0) {
            if (get16(frame + 12) == 0x0806 && memcmp(frame + 38, peer_ip, 4) == 0) {
                assert_true(peer_deliver(frame, make_arp_reply(frame), 0, 0));
                notified(PEER_RX_CHANNEL);
                continue;
            }
            unsigned type = dhcp_type(frame, n);
            seen[type < 8 ? type : 0]++;
            if (type == DISCOVER || type == REQUEST) {
                answer(frame, type == DISCOVER ? OFFER : DHCP_ACK);
                notified(PEER_RX_CHANNEL);
            }
        }
    }
}

static int start(void **state)
{
    (void)state;
    peer_setup(32);
    peer_provide_tx();
    sddf_net_config.ipv4 = 0;
    sddf_net_config.prefix = 0;
    sddf_net_config.arp_channel = PEER_ARP_CHANNEL;
    sddf_timer_config = (struct timer_client_config){
        .header = {SDDF_CONFIG_MAGIC, SDDF_CONFIG_VERSION, SDDF_ROLE_TIMER_CLIENT,
                   sizeof(struct timer_client_config), 0},
        .channel = PEER_TIMER_CHANNEL,
    };
    peer.claim_refused = true;
    init();
    return 0;
}

static int stop(void **state)
{
    (void)state;
    peer_teardown();
    return 0;
}

static void releases_what_is_refused(void **state)
{
    (void)state;
    serve(5000);
    assert_true(seen[DISCOVER] >= 1 && seen[REQUEST] >= 1);
    assert_int_equal(seen[RELEASE], 1);
    assert_int_equal(peer.claimed, 0);
    assert_non_null(strstr(peer.said, "does not grant"));
    assert_null(strstr(peer.said, "is up"));
    assert_int_equal(peer_stat(NET_STAT_REFUSED_CLAIM), 1);
}

static void claims_and_comes_up(void **state)
{
    (void)state;
    peer.claim_refused = false;
    serve(20000);
    assert_memory_equal(&peer.claimed, client_ip, 4);
    assert_non_null(strstr(peer.said, "client: 10.0.0.10 is up"));

    uint8_t frame[NET_BUFFER_SIZE], got[NET_BUFFER_SIZE];
    assert_true(peer_deliver(frame, make_udp(frame, 4000, 7, 40, 1), 0, 0));
    notified(PEER_RX_CHANNEL);
    uint16_t n = peer_collect(got);
    assert_true(is_udp_echo(got, n, 4000, 7, 40, 1));
    assert_int_equal(net_client_held(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(releases_what_is_refused),
        cmocka_unit_test(claims_and_comes_up),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
