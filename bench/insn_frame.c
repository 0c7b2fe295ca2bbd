/* SPDX-License-Identifier: BSD-2-Clause */
#include "insn_frame.h"

#include <string.h>

/* Offsets: Ethernet (IEEE 802.3), IPv4 (RFC 791), UDP (RFC 768), ARP (RFC 826). */
enum {
    ETHERNET_TYPE = 12,
    IP = 14,
    IP_LENGTH = 16,
    IP_TTL = 22,
    IP_PROTOCOL = 23,
    IP_CHECKSUM = 24,
    IP_FROM = 26,
    IP_TO = 30,
    UDP = 34,
    UDP_TO = 36,
    UDP_LENGTH = 38,
    UDP_CHECKSUM = 40,
    ARP_OPERATION = 20,
    ARP_SENDER_MAC = 22,
    ARP_SENDER_IP = 28,
    ARP_TARGET_MAC = 32,
    ARP_TARGET_IP = 38,
    ARP_END = 42,
};

static void put16(uint8_t *to, unsigned value)
{
    to[0] = (uint8_t)(value >> 8);
    to[1] = (uint8_t)value;
}

static unsigned get16(const uint8_t *from)
{
    return (unsigned)from[0] << 8 | from[1];
}

uint16_t frame_checksum(const uint8_t *bytes, size_t length, uint32_t sum)
{
    for (; length > 1; length -= 2, bytes += 2) {
        sum += get16(bytes);
    }
    sum += length != 0 ? (unsigned)bytes[0] << 8 : 0;
    while (sum >> 16 != 0) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)~sum;
}

/* Of a datagram whose checksum field counts as it is: 0 if it is right. */
static uint16_t udp_checksum(const uint8_t *frame, size_t payload)
{
    const unsigned length = (unsigned)payload + 8;
    uint32_t sum = 17 + length;
    for (unsigned i = IP_FROM; i < UDP; i += 2) {
        sum += get16(frame + i);
    }
    return frame_checksum(frame + UDP, length, sum);
}

size_t frame_wrap(uint8_t *frame, const struct frame_peer *from, const struct frame_peer *to,
                  size_t payload)
{
    memset(frame, 0, FRAME_HEADERS);
    memcpy(frame, to->mac, 6);
    memcpy(frame + 6, from->mac, 6);
    put16(frame + ETHERNET_TYPE, 0x0800);
    frame[IP] = 0x45;
    put16(frame + IP_LENGTH, (unsigned)payload + 28);
    frame[IP_TTL] = 64;
    frame[IP_PROTOCOL] = 17;
    memcpy(frame + IP_FROM, from->ip, 4);
    memcpy(frame + IP_TO, to->ip, 4);
    put16(frame + IP_CHECKSUM, frame_checksum(frame + IP, 20, 0));
    put16(frame + UDP, from->port);
    put16(frame + UDP_TO, to->port);
    put16(frame + UDP_LENGTH, (unsigned)payload + 8);
    const uint16_t sum = udp_checksum(frame, payload);
    put16(frame + UDP_CHECKSUM, sum == 0 ? 0xffff : sum);
    return FRAME_HEADERS + payload;
}

/* The word at `place` (in words) of request `number`: the number itself, then a hash of both. */
static uint64_t payload_word(uint64_t number, size_t place)
{
    uint64_t x = number * UINT64_C(0x9e3779b97f4a7c15) + place;
    if (place == 0) {
        return number;
    }
    x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
    return x ^ x >> 32;
}

size_t frame_request(uint8_t *frame, const struct frame_peer *from, const struct frame_peer *to,
                     uint64_t number, size_t payload)
{
    for (size_t i = 0; i < payload; i += 8) {
        const uint64_t word = payload_word(number, i / 8);
        memcpy(frame + FRAME_HEADERS + i, &word, payload - i < 8 ? payload - i : 8);
    }
    return frame_wrap(frame, from, to, payload);
}

const char *frame_udp_fault(const uint8_t *frame, size_t length, const struct frame_peer *from,
                            const struct frame_peer *to, size_t payload)
{
    /* The Ethernet header says 60 bytes at least, and what fills them is nobody's. */
    const size_t wanted = FRAME_HEADERS + payload;
    if (length < wanted || (length > wanted && length > 60)) {
        return "its length";
    }
    if (get16(frame + ETHERNET_TYPE) != 0x0800 || frame[IP] != 0x45 || frame[IP_PROTOCOL] != 17) {
        return "its protocol";
    }
    if (memcmp(frame, to->mac, 6) != 0 || memcmp(frame + 6, from->mac, 6) != 0) {
        return "its MAC addresses";
    }
    if (memcmp(frame + IP_FROM, from->ip, 4) != 0 || memcmp(frame + IP_TO, to->ip, 4) != 0) {
        return "its IP addresses";
    }
    if (get16(frame + UDP) != from->port || get16(frame + UDP_TO) != to->port) {
        return "its ports";
    }
    if (get16(frame + IP_LENGTH) != payload + 28 || get16(frame + UDP_LENGTH) != payload + 8 ||
        (get16(frame + IP + 6) & 0x3fff) != 0) {
        return "what its headers say of its length";
    }
    if (frame_checksum(frame + IP, 20, 0) != 0) {
        return "its IP checksum";
    }
    if (get16(frame + UDP_CHECKSUM) == 0 || udp_checksum(frame, payload) != 0) {
        return "its UDP checksum";
    }
    return NULL;
}

const char *frame_reply_fault(const uint8_t *frame, size_t length, const struct frame_peer *from,
                              const struct frame_peer *to, size_t payload, uint64_t *number)
{
    const char *fault = frame_udp_fault(frame, length, from, to, payload);
    if (fault != NULL) {
        return fault;
    }
    memcpy(number, frame + FRAME_HEADERS, 8);
    for (size_t i = 0; i < payload; i += 8) {
        const uint64_t word = payload_word(*number, i / 8);
        if (memcmp(frame + FRAME_HEADERS + i, &word, payload - i < 8 ? payload - i : 8) != 0) {
            return "its content";
        }
    }
    return NULL;
}

size_t frame_arp_request(uint8_t *frame, const struct frame_peer *from, const struct frame_peer *to)
{
    static const uint8_t kind[] = {0x08, 0x06, 0, 1, 0x08, 0x00, 6, 4, 0, 1};
    memset(frame, 0, 60);
    memset(frame, 0xff, 6);
    memcpy(frame + 6, from->mac, 6);
    memcpy(frame + ETHERNET_TYPE, kind, sizeof(kind));
    memcpy(frame + ARP_SENDER_MAC, from->mac, 6);
    memcpy(frame + ARP_SENDER_IP, from->ip, 4);
    memcpy(frame + ARP_TARGET_IP, to->ip, 4);
    return 60;
}

static bool is_arp(const uint8_t *frame, size_t length, unsigned operation)
{
    return length >= ARP_END && get16(frame + ETHERNET_TYPE) == 0x0806 &&
           get16(frame + ARP_OPERATION) == operation;
}

bool frame_arp_answer(uint8_t *frame, size_t length, const struct frame_peer *own)
{
    if (!is_arp(frame, length, 1) || memcmp(frame + ARP_TARGET_IP, own->ip, 4) != 0) {
        return false;
    }
    memcpy(frame, frame + ARP_SENDER_MAC, 6);
    memcpy(frame + 6, own->mac, 6);
    put16(frame + ARP_OPERATION, 2);
    memcpy(frame + ARP_TARGET_MAC, frame + ARP_SENDER_MAC, 10); /* with the IP address behind */
    memcpy(frame + ARP_SENDER_MAC, own->mac, 6);
    memcpy(frame + ARP_SENDER_IP, own->ip, 4);
    return true;
}

bool frame_arp_learn(const uint8_t *frame, size_t length, struct frame_peer *peer)
{
    if (!is_arp(frame, length, 2) || memcmp(frame + ARP_SENDER_IP, peer->ip, 4) != 0) {
        return false;
    }
    memcpy(peer->mac, frame + ARP_SENDER_MAC, 6);
    return true;
}
