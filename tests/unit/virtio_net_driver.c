/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The driver, and what a test of it needs besides: its records of what the device has are meant to
 * live through a restart, so a test that begins afresh has to take them away.
 */
#include "../../drivers/network/virtio/virtio_net.c"

void virtio_net_driver_forget(void)
{
    rx.slots = tx.slots = 0;
    rx.free_count = tx.free_count = 0;
    rx_held_count = tx_held_count = 0;
    live = configured = false;
}
