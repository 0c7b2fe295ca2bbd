/* SPDX-License-Identifier: BSD-2-Clause */
/* The element <serial>, as it was written. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "system/component.h"

/* Entries of seven bytes; a line with what may stand before it takes 44. */
#define SERIAL_QUEUE_TX_DEFAULT 512
#define SERIAL_QUEUE_RX_DEFAULT 64
#define SERIAL_QUEUE_TX_MIN     64
#define SERIAL_QUEUE_MAX        16384

/*
 * The driver's little work is done before the device loses a keystroke; the virtualisers come
 * behind all of the network's components.
 */
#define SERIAL_PRIORITY_DRIVER  145
#define SERIAL_PRIORITY_VIRT_RX 108
#define SERIAL_PRIORITY_VIRT_TX 107

struct serial_client {
    size_t pd;       /* SYSTEM_NONE if there is no such PD */
    char *name;      /* before its lines; NULL: the PD's */
    unsigned colour; /* of the name, as sddf/serial.h counts them; 0: what its place gives it */
    uint64_t tx;     /* capacities; powers of two */
    uint64_t rx;
    struct system_place place;
};

struct system_serial {
    char *device;
    bool names, colours;
    uint64_t escape;
    struct serial_client *clients;
    size_t client_count;
    struct system_component driver, virt_rx, virt_tx;
    struct system_place place;
};
