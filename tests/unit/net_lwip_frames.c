/* SPDX-License-Identifier: BSD-2-Clause */
#include "net_lwip_frames.h"

#include <string.h>

const uint8_t client_mac[6] = {2, 0, 0, 0, 0, 1}, peer_mac[6] = {2, 0, 0, 0, 0, 0x99};
const uint8_t client_ip[4] = {10, 0, 0, 10}, peer_ip[4] = {10, 0, 0, 1};

uint16_t get16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

uint32_t get32(const uint8_t *at)
{
    return (uint32_t)get16(at) << 16 | get16(at + 2);
}

void put16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

void put32(uint8_t *at, uint32_t value)
{
    put16(at, (uint16_t)(value >> 16));
    put16(at + 2, (uint16_t)value);
}

uint16_t sum_of(const uint8_t *from, uint16_t length, uint32_t sum)
{
    for (uint16_t i = 0; i < length; i++) {
        sum += i % 2 == 0 ? (uint32_t)from[i] << 8 : from[i];
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)sum;
}

void fill(uint8_t *at, uint32_t length, uint32_t seed)
{
    for (uint32_t i = 0; i < length; i++) {
        at[i] = (uint8_t)((i + seed) * 2654435761u >> 13);
    }
}

static void make_ethernet(uint8_t *frame, uint16_t type)
{
    memcpy(frame, client_mac, 6);
    memcpy(frame + 6, peer_mac, 6);
    put16(frame + 12, type);
}

void finish_ip(uint8_t *frame)
{
    put16(frame + 24, 0);
    put16(frame + 24, (uint16_t)~sum_of(frame + 14, 20, 0));
}

void make_ip(uint8_t *frame, uint8_t protocol, uint16_t length)
{
    make_ethernet(frame, 0x0800);
    memset(frame + 14, 0, 20);
    frame[14] = 0x45;
    put16(frame + 16, (uint16_t)(20 + length));
    frame[22] = 64;
    frame[23] = protocol;
    memcpy(frame + 26, peer_ip, 4);
    memcpy(frame + 30, client_ip, 4);
    finish_ip(frame);
}

/* The sum over the pseudo-header of the frame. */
static uint16_t pseudo(const uint8_t *frame, uint16_t length)
{
    return sum_of(frame + 26, 8, (uint32_t)frame[23] + length);
}

void finish_transport(uint8_t *frame, uint16_t length, uint8_t *field)
{
    put16(field, 0);
    uint16_t checksum = (uint16_t)~sum_of(frame + 34, length, pseudo(frame, length));
    put16(field, checksum == 0 ? 0xffff : checksum);
}

uint16_t make_arp_reply(uint8_t *frame)
{
    make_ethernet(frame, 0x0806);
    const uint8_t head[8] = {0, 1, 8, 0, 6, 4, 0, 2};
    memcpy(frame + 14, head, 8);
    memcpy(frame + 22, peer_mac, 6);
    memcpy(frame + 28, peer_ip, 4);
    memcpy(frame + 32, client_mac, 6);
    memcpy(frame + 38, client_ip, 4);
    return 42;
}

uint16_t make_udp(uint8_t *frame, uint16_t from, uint16_t to, uint16_t size, uint32_t seed)
{
    make_ip(frame, 17, (uint16_t)(8 + size));
    put16(frame + 34, from);
    put16(frame + 36, to);
    put16(frame + 38, (uint16_t)(8 + size));
    fill(frame + 42, size, seed);
    finish_transport(frame, (uint16_t)(8 + size), frame + 40);
    return (uint16_t)(42 + size);
}

uint16_t make_ping(uint8_t *frame, uint16_t size, uint32_t seed)
{
    make_ip(frame, 1, (uint16_t)(8 + size));
    memset(frame + 34, 0, 8);
    frame[34] = 8;
    put16(frame + 38, 0x4321);
    put16(frame + 40, (uint16_t)seed);
    fill(frame + 42, size, seed);
    put16(frame + 36, (uint16_t)~sum_of(frame + 34, (uint16_t)(8 + size), 0));
    return (uint16_t)(42 + size);
}

bool is_udp_echo(const uint8_t *frame, uint16_t length, uint16_t from, uint16_t to, uint16_t size,
                 uint32_t seed)
{
    uint8_t payload[1472];
    fill(payload, size, seed);
    return length == 42 + size && memcmp(frame, peer_mac, 6) == 0 &&
           memcmp(frame + 6, client_mac, 6) == 0 && get16(frame + 12) == 0x0800 &&
           sum_of(frame + 14, 20, 0) == 0xffff && get16(frame + 16) == 28 + size &&
           memcmp(frame + 26, client_ip, 4) == 0 && memcmp(frame + 30, peer_ip, 4) == 0 &&
           get16(frame + 34) == to && get16(frame + 36) == from && get16(frame + 38) == 8 + size &&
           get16(frame + 40) != 0 &&
           sum_of(frame + 34, (uint16_t)(8 + size), pseudo(frame, (uint16_t)(8 + size))) ==
               0xffff &&
           memcmp(frame + 42, payload, size) == 0;
}
