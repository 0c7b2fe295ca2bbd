/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counts as fast as it can, at idle priority, on the core it was started on: what it counts,
 * against what it counts on an empty core, is the time that nothing else wanted, interrupts
 * included.
 *
 * usage: idle FD: the count is the first 64-bit word of that file (a memfd), which the caller maps.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

int main(int argc, char **argv)
{
    struct sched_param zero = {0};
    int fd = argc == 2 ? atoi(argv[1]) : -1;
    volatile unsigned long *count =
        mmap(NULL, sizeof(*count), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (count == MAP_FAILED || sched_setscheduler(0, SCHED_IDLE, &zero) != 0) {
        perror("idle");
        return 1;
    }
    for (;;) {
        /* A word in a register; the other core's reads of the shared one must not slow it. */
        for (volatile int i = 0; i < 100; i++) {
        }
        ++*count;
    }
}
