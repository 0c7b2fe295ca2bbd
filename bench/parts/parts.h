/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How many instructions a component takes for a packet: one program a component, which plays all of
 * its neighbours with the unit tests' means, gives it batches of frames, and wakes it. Run by
 * bench/parts.py under a tool that counts only what part_wake does.
 *
 * usage: PROGRAM BATCH ROUNDS
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>

enum { PART_BUFFERS = 64, PART_BATCH_MAX = 32, PART_LENGTH = 1514 };

/* Each program's own: its neighbours before the first round, and before and after each wake-up. */
static void part_setup(void);
static void part_offer(unsigned batch);
static void part_take(unsigned batch);

/* The only thing that is counted. */
__attribute__((noinline)) void part_wake(void);

static inline _Noreturn void part_wrong(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(1);
}

int main(int argc, char **argv)
{
    int batch = argc == 3 ? atoi(argv[1]) : 0, rounds = argc == 3 ? atoi(argv[2]) : 0;
    if (batch < 1 || batch > PART_BATCH_MAX || rounds < 1) {
        part_wrong("usage: PROGRAM BATCH ROUNDS; a batch is 1 to 32");
    }
    part_setup();
    for (int i = 0; i < rounds; i++) {
        part_offer((unsigned)batch);
        part_wake();
        part_take((unsigned)batch);
    }
    return 0;
}
