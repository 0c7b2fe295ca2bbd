/* SPDX-License-Identifier: BSD-2-Clause */
#include "hardware.h"

/*
 * How often a bit is looked at that the device is to change. A read takes about a microsecond on a
 * real bus, and the longest that the datasheet speaks of is 100 ms, for the end of all requests.
 */
#ifndef LOOKS_MAX
#define LOOKS_MAX 100000u
#endif

/*
 * Interrupt throttling (7.4.4), in units of 256 ns. The first interrupt comes at once, whatever the
 * interval, so it delays nobody who waits for one frame at a time.
 * bench/guest/moderation.py: up to 100 us nothing changes, for the system needs as long for what
 * has come; 200 us save a sixth of the instructions and make round trips longer by a tenth or two,
 * 400 us a third, and by two thirds. Half of what costs nothing there is left for faster machines.
 */
#ifndef E1000E_TRAFFIC_INTERVAL
#define E1000E_TRAFFIC_INTERVAL 195u /* 50 us */
#endif
#define OTHER_INTERVAL 62500u /* 16 ms: link changes, overruns */

void e1000e_attach(struct e1000e *device, uintptr_t registers, bool vectors)
{
    device->registers = registers;
    device->vectors = vectors;
    /* 10.2.4.1: which bits of ICR stand for the queues depends on the kind of interrupt. */
    device->rx_cause = vectors ? E1000E_INT_RXQ0 : E1000E_INT_RXQ0 | E1000E_INT_RXT0;
    device->tx_cause = vectors ? E1000E_INT_TXQ0 : E1000E_INT_TXQ0 | E1000E_INT_TXDW;
    device->other_cause = E1000E_INT_OTHER | E1000E_INT_LSC | E1000E_INT_RXO;
}

uint32_t e1000e_status(const struct e1000e *device)
{
    return e1000e_read(device, E1000E_STATUS);
}

/* Waits for all the bits of `mask` to be 0. All ones is no answer. */
static bool clears(const struct e1000e *device, uint32_t offset, uint32_t mask)
{
    for (uint32_t i = 0; i < LOOKS_MAX; i++) {
        const uint32_t value = e1000e_read(device, offset);
        if (value == E1000E_ALL_ONES) {
            return false;
        }
        if ((value & mask) == 0) {
            return true;
        }
    }
    return false;
}

bool e1000e_reset(const struct e1000e *device)
{
    if (e1000e_status(device) == E1000E_ALL_ONES) {
        return false;
    }
    /* 4.6.1: no interrupts, before the reset and after it. */
    e1000e_disarm(device, UINT32_MAX);
    /*
     * 10.2.2.1, "GIO Master Disable": first it ends its requests on the bus; a reset in the midst
     * of one may leave it unable to make another. If it does not end them, the reset has to.
     */
    const uint32_t ctrl = e1000e_read(device, E1000E_CTRL);
    e1000e_write(device, E1000E_CTRL, ctrl | E1000E_CTRL_MASTER_DISABLE);
    const bool quiet = clears(device, E1000E_STATUS, E1000E_STATUS_MASTER);
    e1000e_write(device, E1000E_CTRL, ctrl | E1000E_CTRL_MASTER_DISABLE | E1000E_CTRL_RST);
    if (!clears(device, E1000E_CTRL, E1000E_CTRL_RST)) {
        return false;
    }
    if (!quiet) { /* once more, now that nothing is under way */
        e1000e_write(device, E1000E_CTRL, E1000E_CTRL_RST);
        if (!clears(device, E1000E_CTRL, E1000E_CTRL_RST)) {
            return false;
        }
    }
    e1000e_disarm(device, UINT32_MAX);
    e1000e_read(device, E1000E_ICR);
    return true;
}

/* 4.6.5 Receive Initialization */
static void start_receive(const struct e1000e *device, const struct e1000e_place *ring)
{
    /*
     * 7.1.1: all unicast, for clients' addresses are virt_rx's business; broadcast; and of
     * multicast what the table of hashes says, which is nothing: nobody asks for any.
     */
    for (uint32_t i = 0; i < E1000E_MTA_WORDS; i++) {
        e1000e_write(device, E1000E_MTA + 4 * i, 0);
    }
    e1000e_write(device, E1000E_RFCTL, 0); /* legacy descriptors */
    e1000e_write(device, E1000E_RXCSUM, E1000E_RXCSUM_IPOFL | E1000E_RXCSUM_TUOFL);
    e1000e_write(device, E1000E_RDTR, 0); /* its interrupts are throttled by EITR */
    e1000e_write(device, E1000E_RADV, 0);
    e1000e_write(device, E1000E_RXDCTL, E1000E_DCTL_GRAN); /* written back one by one */
    e1000e_write(device, E1000E_RDBAL, (uint32_t)ring->io_address);
    e1000e_write(device, E1000E_RDBAH, (uint32_t)(ring->io_address >> 32));
    e1000e_write(device, E1000E_RDLEN, ring->bytes);
    e1000e_write(device, E1000E_RDH, 0);
    e1000e_write(device, E1000E_RDT, 0);
    e1000e_write(device, E1000E_RCTL,
                 E1000E_RCTL_EN | E1000E_RCTL_UPE | E1000E_RCTL_BAM | E1000E_RCTL_SECRC);
}

/* 4.6.6 Transmit Initialization. TIPG is after a reset as it should be. */
static void start_transmit(const struct e1000e *device, const struct e1000e_place *ring)
{
    e1000e_write(device, E1000E_TIDV, 0);
    e1000e_write(device, E1000E_TXDCTL, E1000E_DCTL_GRAN | E1000E_TXDCTL_RESERVED);
    e1000e_write(device, E1000E_TDBAL, (uint32_t)ring->io_address);
    e1000e_write(device, E1000E_TDBAH, (uint32_t)(ring->io_address >> 32));
    e1000e_write(device, E1000E_TDLEN, ring->bytes);
    e1000e_write(device, E1000E_TDH, 0);
    e1000e_write(device, E1000E_TDT, 0);
    e1000e_write(device, E1000E_TCTL,
                 E1000E_TCTL_EN | E1000E_TCTL_PSP | E1000E_TCTL_CT(15u) | E1000E_TCTL_COLD(63u));
}

/* 7.4.1, 7.4.2 */
static void start_interrupts(const struct e1000e *device)
{
    if (device->vectors) {
        e1000e_write(device, E1000E_EITR(0), E1000E_TRAFFIC_INTERVAL);
        e1000e_write(device, E1000E_EITR(1), OTHER_INTERVAL);
        /* A message clears and masks its causes, so ICR need not be read, nor IMC written. */
        e1000e_write(device, E1000E_EIAC, E1000E_INT_RXQ0 | E1000E_INT_TXQ0 | E1000E_INT_OTHER);
        e1000e_write(device, E1000E_CTRL_EXT, E1000E_CTRL_EXT_DRV_LOAD);
    } else {
        e1000e_write(device, E1000E_ITR, E1000E_TRAFFIC_INTERVAL);
        e1000e_write(device, E1000E_EITR(0), E1000E_TRAFFIC_INTERVAL);
        e1000e_write(device, E1000E_EIAC, 0);
        /* A read of ICR clears all causes and masks all that this driver uses. */
        e1000e_write(device, E1000E_IAM, device->rx_cause | device->tx_cause | device->other_cause);
        e1000e_write(device, E1000E_CTRL_EXT, E1000E_CTRL_EXT_DRV_LOAD | E1000E_CTRL_EXT_IAME);
    }
    const uint32_t other = device->vectors ? 1 : 0;
    e1000e_write(device, E1000E_IVAR,
                 E1000E_IVAR_RXQ0(0u) | E1000E_IVAR_TXQ0(0u) | E1000E_IVAR_OTHER(other));
}

void e1000e_start(const struct e1000e *device, const struct e1000e_place *rx,
                  const struct e1000e_place *tx)
{
    /*
     * 4.6.3.2: speed and duplex as the PHY finds them. No flow control: whoever may send pause
     * frames on this wire could stop us.
     */
    const uint32_t ctrl = e1000e_read(device, E1000E_CTRL);
    const uint32_t off = E1000E_CTRL_MASTER_DISABLE | E1000E_CTRL_ILOS | E1000E_CTRL_FRCSPD |
                         E1000E_CTRL_FRCDPLX | E1000E_CTRL_RFCE | E1000E_CTRL_TFCE |
                         E1000E_CTRL_VME;
    e1000e_write(device, E1000E_CTRL, (ctrl & ~off) | E1000E_CTRL_SLU);
    for (uint32_t i = 0; i < E1000E_STATISTICS_WORDS; i++) { /* 4.6.4 */
        e1000e_read(device, E1000E_STATISTICS + 4 * i);
    }
    start_interrupts(device);
    start_receive(device, rx);
    start_transmit(device, tx);
    e1000e_arm(device, device->other_cause);
}

void e1000e_address(const struct e1000e *device, uint8_t mac[6])
{
    const uint64_t address =
        e1000e_read(device, E1000E_RAL) | (uint64_t)e1000e_read(device, E1000E_RAH) << 32;
    for (uint32_t i = 0; i < 6; i++) {
        mac[i] = (uint8_t)(address >> (8 * i));
    }
}

struct e1000e_losses e1000e_losses(const struct e1000e *device)
{
    static const uint32_t damaged[] = {E1000E_CRCERRS, E1000E_RXERRC, E1000E_RUC,
                                       E1000E_RFC,     E1000E_ROC,    E1000E_RJC};
    struct e1000e_losses losses = {.missed = e1000e_read(device, E1000E_MPC)};
    for (uint32_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
        losses.damaged += e1000e_read(device, damaged[i]);
    }
    /* It has gone while we asked: its sum would be of seven answers that are none. */
    return losses.missed != E1000E_ALL_ONES ? losses : (struct e1000e_losses){0, 0};
}
