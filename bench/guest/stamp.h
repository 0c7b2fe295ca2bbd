/* SPDX-License-Identifier: BSD-2-Clause */
/* What a guest answers to a datagram of STAMP_BYTES on STAMP_PORT: words of 64 bits, in this order.
 * The first two come back as they were sent. */
#pragma once

#define STAMP_PORT  1240
#define STAMP_BYTES 512

enum stamp_word {
    STAMP_MAGIC,
    STAMP_NUMBER,
    STAMP_COUNTER,   /* the generic timer's, in ticks */
    STAMP_FREQUENCY, /* ... of which there are so many in a second */
    STAMP_IDLE,      /* ticks that nobody wanted */
    STAMP_PACKETS,   /* frames sent so far */
    STAMP_ACCOUNTS,  /* how many there are of the following */
    STAMP_ACCOUNT,   /* cycles of one protection domain outside of the kernel */
};

#define STAMP_MAGIC_VALUE 0x504d415453ULL /* "STAMP" */

#define STAMP_ACCOUNTS_MAX (STAMP_BYTES / 8 - STAMP_ACCOUNT)
