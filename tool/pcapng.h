/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes pcapng files (draft-ietf-opsawg-pcapng), as Wireshark and tcpdump read them. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum pcapng_direction { PCAPNG_INBOUND = 1, PCAPNG_OUTBOUND = 2 };

/* In this order: the file's head, its interfaces (which count from 0), and then packets. */
void pcapng_begin(FILE *file, const char *application);
void pcapng_interface(FILE *file, const char *name, uint32_t longest);
void pcapng_packet(FILE *file, uint32_t interface, uint64_t ns, enum pcapng_direction direction,
                   const void *bytes, uint32_t size);
