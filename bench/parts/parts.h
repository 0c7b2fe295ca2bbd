/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How many instructions a component takes for a packet: one program a component, which plays all of
 * its neighbours with the unit tests' means, gives it batches of frames, and wakes it. Run by
 * bench/parts.py under a tool that counts only what part_wake does.
 *
 * usage: PROGRAM BATCH ROUNDS [CLIENTS]
 *
 * With several clients each batch is one client's, in turns: whether it costs more that there are
 * others is what is to be seen.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>

enum { PART_BUFFERS = 64, PART_BATCH_MAX = 32, PART_LENGTH = 1514, PART_CLIENTS_MAX = 60 };

static unsigned part_clients =
    1;                     /* there are; the copier and the client itself have no use for it */
static unsigned part_turn; /* the client whose batch it is */

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
    int batch = argc >= 3 ? atoi(argv[1]) : 0, rounds = argc >= 3 ? atoi(argv[2]) : 0;
    int clients = argc == 4 ? atoi(argv[3]) : 1;
    if (argc > 4 || batch < 1 || batch > PART_BATCH_MAX || rounds < 1 || clients < 1 ||
        clients > PART_CLIENTS_MAX) {
        part_wrong("usage: PROGRAM BATCH ROUNDS [CLIENTS]; a batch is 1 to 32, clients 1 to 60");
    }
    part_clients = (unsigned)clients;
    part_setup();
    for (int i = 0; i < rounds; i++) {
        part_turn = (unsigned)i % part_clients;
        part_offer((unsigned)batch);
        part_wake();
        part_take((unsigned)batch);
    }
    return 0;
}
