/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames from a peer on the wire to the client under test, made and judged without lwIP. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

extern const uint8_t client_mac[6], peer_mac[6], client_ip[4], peer_ip[4];

uint16_t get16(const uint8_t *at);
uint32_t get32(const uint8_t *at);
void put16(uint8_t *at, uint16_t value);
void put32(uint8_t *at, uint32_t value);

/* The one's complement sum, in network order, onto `sum`; 0xffff over what has a right checksum. */
uint16_t sum_of(const uint8_t *from, uint16_t length, uint32_t sum);

/* Payload bytes that depend on their place and a seed. */
void fill(uint8_t *at, uint32_t length, uint32_t seed);

/* An IPv4 header with its checksum, in front of `length` bytes at frame + 34; or only the latter.
 */
void make_ip(uint8_t *frame, uint8_t protocol, uint16_t length);
void finish_ip(uint8_t *frame);
/* UDP's or TCP's checksum, at `field`, over `length` bytes at frame + 34. */
void finish_transport(uint8_t *frame, uint16_t length, uint8_t *field);

/* All return the frame's length. */
uint16_t make_arp_reply(uint8_t *frame);
uint16_t make_udp(uint8_t *frame, uint16_t from, uint16_t to, uint16_t size, uint32_t seed);
uint16_t make_ping(uint8_t *frame, uint16_t size, uint32_t seed);

/* Is this the right answer to make_udp() with the same arguments? */
bool is_udp_echo(const uint8_t *frame, uint16_t length, uint16_t from, uint16_t to, uint16_t size,
                 uint32_t seed);
