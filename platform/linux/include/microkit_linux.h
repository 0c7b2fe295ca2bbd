/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What only Linux has. For drivers of the Linux board's devices: the descriptor behind an
 * interrupt, on which the device's own system calls are permitted (platform/linux/device.h), and a
 * bare system call. For tests: the system's end. Portable components never include this.
 */
#pragma once

#include <microkit.h>

/* The device's descriptor; -1 if the channel is no interrupt of this PD's. */
int microkit_linux_irq_fd(microkit_channel ch);

/* A system call without errno: the kernel's answer, negative error numbers included. */
long microkit_linux_syscall(long number, long a, long b, long c, long d, long e, long f);

/*
 * The interrupt on this channel comes at the latest when this PD has slept for `ns`, masked or not,
 * whether the device has anything to say or not: for what Linux has no readiness for (a frame that
 * has left, an interface that is up again). Holds for the next sleep only; a second call replaces
 * the first, with 0 by nothing.
 */
void microkit_linux_irq_after(microkit_channel ch, uint64_t ns);

/*
 * Ends the whole system: `sddf run` exits, with status 0, or 1 if `status` is not 0. Does not
 * return, unless the description does not permit it (shutdown="true"), which is said.
 */
void microkit_linux_end(unsigned status);
