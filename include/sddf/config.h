/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Configuration: what the tool tells a protection domain about the system around it.
 *
 * Each class declares one struct per role (driver, virtualiser, client, ...) and one symbol by
 * which the tool finds it in the program's ELF: sddf_net_config, sddf_timer_config and so on. The
 * program defines the symbol, zeroed; the tool includes the very same header, fills the struct in
 * and writes its bytes over the symbol, in a copy of the ELF per protection domain (or in memory,
 * on Linux). Fixed-width fields only, so that the layout is the same on every target.
 *
 * Whoever wrote the configuration also wrote the page tables, so it is trusted. It is still
 * checked at init, because a program and a tool of different versions may meet.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SDDF_CONFIG_MAGIC   0x46444453u /* "SDDF" as bytes on a little-endian machine */
#define SDDF_CONFIG_VERSION 1

/* What a configuration is for. The role is checked too: a copier is not started as a client. */
enum sddf_role {
    SDDF_ROLE_NONE = 0,
    SDDF_ROLE_NET_DRIVER = 1,
    SDDF_ROLE_NET_VIRT_RX = 2,
    SDDF_ROLE_NET_VIRT_TX = 3,
    SDDF_ROLE_NET_COPY = 4,
    SDDF_ROLE_NET_ARP = 5,
    SDDF_ROLE_NET_CLIENT = 6,
    SDDF_ROLE_TIMER_DRIVER = 16,
    SDDF_ROLE_TIMER_CLIENT = 17,
    SDDF_ROLE_SERIAL_DRIVER = 32,
    SDDF_ROLE_SERIAL_VIRT_RX = 33,
    SDDF_ROLE_SERIAL_VIRT_TX = 34,
    SDDF_ROLE_SERIAL_CLIENT = 35,
    SDDF_ROLE_IDLE_COUNTER = 48,
    SDDF_ROLE_IDLE_CLIENT = 49,
};

struct sddf_config_header {
    uint32_t magic;
    uint16_t version;
    uint16_t role; /* enum sddf_role */
    uint32_t size; /* of the whole struct that begins with this header */
    uint32_t reserved;
};

/* A region as this PD sees it. io_address: as the device sees it; 0 where no device does. */
struct sddf_region_config {
    uint64_t vaddr;
    uint64_t size;
    uint64_t io_address;
};

/* One queue: where its two regions lie in this PD. */
struct sddf_queue_config {
    uint64_t producer; /* struct sddf_queue_producer_region */
    uint64_t consumer; /* struct sddf_queue_consumer_region */
    uint32_t capacity;
    uint32_t reserved;
};

/* A channel that a PD does not have (an optional neighbour that the description leaves out). */
#define SDDF_NO_CHANNEL 0xff

/* A device's registers (or rings, or whatever its driver calls them) and its interrupts. */
#define SDDF_DEVICE_REGIONS 8
#define SDDF_DEVICE_IRQS    4
struct sddf_device_config {
    uint32_t region_count;
    uint32_t irq_count;
    struct sddf_region_config region[SDDF_DEVICE_REGIONS];
    uint8_t irq[SDDF_DEVICE_IRQS]; /* channels */
    uint32_t ring_size;            /* entries of each hardware ring at most; 0: as many as fit */
};

/* Is this the configuration that a program of this role and version expects? */
/*@ requires \valid_read(header);
  @ assigns \nothing;
  @ ensures \result ==> header->role == role && header->size == size;
  @*/
static inline bool sddf_config_ok(const struct sddf_config_header *header, enum sddf_role role,
                                  uint32_t size)
{
    return header->magic == SDDF_CONFIG_MAGIC && header->version == SDDF_CONFIG_VERSION &&
           header->role == role && header->size == size;
}
