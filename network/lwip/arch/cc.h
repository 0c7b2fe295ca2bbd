/* SPDX-License-Identifier: BSD-2-Clause */
/* The compiler and the platform, as lwIP wants to know them. */
#pragma once

#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h> /* ssize_t; lwIP defines one of its own where there is no SSIZE_MAX */

#ifndef SSIZE_MAX
#define SSIZE_MAX LONG_MAX
#endif

#define LWIP_NO_UNISTD_H 1
#define LWIP_NO_CTYPE_H  1

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define BYTE_ORDER BIG_ENDIAN
#endif

/*
 * What lwIP asserts may depend on what arrives, so a program that serves must not stop at it. The
 * tests do: they are built with SDDF_LWIP_ASSERT.
 */
#ifdef SDDF_LWIP_ASSERT
#include <stdio.h>
#include <stdlib.h>
#define LWIP_PLATFORM_ASSERT(message)                                                              \
    do {                                                                                           \
        fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, message);                               \
        abort();                                                                                   \
    } while (0)
#else
#define LWIP_NOASSERT 1
#define LWIP_PLATFORM_ASSERT(message)
#endif
#define LWIP_PLATFORM_DIAG(message)

/* Ports and transaction numbers; see net_lwip.c for how random this is. */
uint32_t net_lwip_random(void);
#define LWIP_RAND() net_lwip_random()

/* Lengths known when compiling: no call, even in a freestanding program. */
#define SMEMCPY(to, from, len) __builtin_memcpy(to, from, len)

/* One instruction, where lwIP has functions. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define lwip_htons(x) __builtin_bswap16(x)
#define lwip_htonl(x) __builtin_bswap32(x)
#endif
