/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The driver, and what a test of it needs besides: its records of what the device has are meant to
 * live through a restart, so a test that begins afresh has to take them away.
 */
#include "../../drivers/network/e1000e/e1000e.c"

void e1000e_driver_forget(void)
{
    rx.size = tx.size = 0;
    rx.next = rx.seen = tx.next = tx.seen = 0;
    rx_held_count = tx_held_count = 0;
    live = configured = false;
}
