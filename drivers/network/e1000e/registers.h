/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Registers and descriptors of the Intel 82574L, as far as this driver uses them. Sections are
 * those of the "Intel 82574 GbE Controller Family Datasheet", revision 3.4: 10.2 for registers,
 * 7.1 and 7.2 for descriptors, 7.4 for interrupts.
 */
#pragma once

#include <stdint.h>

#define E1000E_REGISTERS_SIZE 0x20000u /* of the first memory BAR */

/* What a read returns when there is no device any more. */
#define E1000E_ALL_ONES UINT32_MAX

/* 10.2.2 General registers */
#define E1000E_CTRL     0x00000u
#define E1000E_STATUS   0x00008u
#define E1000E_CTRL_EXT 0x00018u

#define E1000E_CTRL_MASTER_DISABLE (1u << 2)
#define E1000E_CTRL_SLU            (1u << 6)  /* set link up */
#define E1000E_CTRL_ILOS           (1u << 7)  /* invert loss of signal */
#define E1000E_CTRL_FRCSPD         (1u << 11) /* force speed */
#define E1000E_CTRL_FRCDPLX        (1u << 12) /* force duplex */
#define E1000E_CTRL_RST            (1u << 26)
#define E1000E_CTRL_RFCE           (1u << 27) /* receive flow control */
#define E1000E_CTRL_TFCE           (1u << 28) /* transmit flow control */
#define E1000E_CTRL_VME            (1u << 30) /* take VLAN tags out */

#define E1000E_STATUS_LU            (1u << 1) /* link up */
#define E1000E_STATUS_SPEED(status) ((status) >> 6 & 3u)
#define E1000E_STATUS_MASTER        (1u << 19) /* the device is a bus master */

#define E1000E_CTRL_EXT_IAME     (1u << 27) /* a read of ICR masks what IAM says */
#define E1000E_CTRL_EXT_DRV_LOAD (1u << 28) /* a driver is at work */

/* 10.2.4 Interrupt registers */
#define E1000E_ICR          0x000c0u /* causes; a read clears all, a write those that are 1 in it */
#define E1000E_ITR          0x000c4u /* throttling without MSI-X, in units of 256 ns */
#define E1000E_IMS          0x000d0u
#define E1000E_IMC          0x000d8u
#define E1000E_EIAC         0x000dcu /* causes that an MSI-X message clears and masks */
#define E1000E_IAM          0x000e0u
#define E1000E_IVAR         0x000e4u /* which cause has which MSI-X vector */
#define E1000E_EITR(vector) (0x000e8u + 4 * (vector))

#define E1000E_INT_TXDW  (1u << 0) /* a descriptor was written back; without MSI-X */
#define E1000E_INT_LSC   (1u << 2) /* link status change */
#define E1000E_INT_RXO   (1u << 6) /* receiver overrun */
#define E1000E_INT_RXT0  (1u << 7) /* a frame was received; without MSI-X */
#define E1000E_INT_RXQ0  (1u << 20)
#define E1000E_INT_TXQ0  (1u << 22)
#define E1000E_INT_OTHER (1u << 24)

#define E1000E_IVAR_RXQ0(vector)  ((8u | (vector)) << 0)
#define E1000E_IVAR_TXQ0(vector)  ((8u | (vector)) << 8)
#define E1000E_IVAR_OTHER(vector) ((8u | (vector)) << 16)

/* 10.2.5 Receive registers */
#define E1000E_RCTL   0x00100u
#define E1000E_RDBAL  0x02800u
#define E1000E_RDBAH  0x02804u
#define E1000E_RDLEN  0x02808u
#define E1000E_RDH    0x02810u
#define E1000E_RDT    0x02818u
#define E1000E_RDTR   0x02820u
#define E1000E_RXDCTL 0x02828u
#define E1000E_RADV   0x0282cu
#define E1000E_RXCSUM 0x05000u
#define E1000E_RFCTL  0x05008u
#define E1000E_MTA    0x05200u
#define E1000E_RAL    0x05400u
#define E1000E_RAH    0x05404u

#define E1000E_MTA_WORDS 128u

#define E1000E_RCTL_EN    (1u << 1)
#define E1000E_RCTL_UPE   (1u << 3)  /* all unicast */
#define E1000E_RCTL_BAM   (1u << 15) /* broadcast */
#define E1000E_RCTL_SECRC (1u << 26) /* take the frame check sequence off */
/* BSIZE 0 without BSEX: buffers of 2,048 bytes. LPE 0: no frame over 1,522. */

#define E1000E_RXCSUM_IPOFL (1u << 8)
#define E1000E_RXCSUM_TUOFL (1u << 9)

/* 10.2.6 Transmit registers */
#define E1000E_TCTL   0x00400u
#define E1000E_TDBAL  0x03800u
#define E1000E_TDBAH  0x03804u
#define E1000E_TDLEN  0x03808u
#define E1000E_TDH    0x03810u
#define E1000E_TDT    0x03818u
#define E1000E_TIDV   0x03820u
#define E1000E_TXDCTL 0x03828u

#define E1000E_TCTL_EN      (1u << 1)
#define E1000E_TCTL_PSP     (1u << 3) /* pad short packets */
#define E1000E_TCTL_CT(n)   ((n) << 4)
#define E1000E_TCTL_COLD(n) ((n) << 12)

/* RXDCTL and TXDCTL: thresholds in descriptors and not in cache lines, and bit 22, which is 1. */
#define E1000E_DCTL_GRAN       (1u << 24)
#define E1000E_TXDCTL_RESERVED (1u << 22)

/* 10.2.7 Statistics; each is cleared by reading it. */
#define E1000E_STATISTICS       0x04000u
#define E1000E_STATISTICS_WORDS 74u
#define E1000E_CRCERRS          0x04000u
#define E1000E_RXERRC           0x0400cu
#define E1000E_MPC              0x04010u /* missed: no room in the device */
#define E1000E_RUC              0x040a4u /* undersize */
#define E1000E_RFC              0x040a8u /* fragments */
#define E1000E_ROC              0x040acu /* oversize */
#define E1000E_RJC              0x040b0u /* jabber */

/*
 * 7.1.3 Legacy receive descriptor and 7.2.10.1 legacy transmit descriptor: two words, the first of
 * which is the buffer's address. Second word, lowest bits first:
 *
 *   receive    length (16 bits), packet checksum (16), status (8), errors (8), special (16)
 *   transmit   length (16), checksum offset (8), command (8), status (8), checksum start (8),
 *              special (16)
 */
struct e1000e_descriptor {
    uint64_t address;
    uint64_t rest;
};

_Static_assert(sizeof(struct e1000e_descriptor) == 16, "as the device sees it");

/* 10.2.5 and 10.2.6, RDLEN and TDLEN: a multiple of 128 bytes; bases are multiples of 16. */
#define E1000E_RING_MIN 8u
#define E1000E_RING_MAX 1024u /* ours; the device's is 65536 */

#define E1000E_DONE (UINT64_C(1) << 32) /* in both */

#define E1000E_RX_EOP        (UINT64_C(1) << 33)
#define E1000E_RX_IXSM       (UINT64_C(1) << 34) /* ignore what it says about checksums */
#define E1000E_RX_UDPCS      (UINT64_C(1) << 36)
#define E1000E_RX_TCPCS      (UINT64_C(1) << 37) /* checked: TCP, or UDP without fragments */
#define E1000E_RX_ERROR_CE   (UINT64_C(1) << 40)
#define E1000E_RX_ERROR_SE   (UINT64_C(1) << 41)
#define E1000E_RX_ERROR_SEQ  (UINT64_C(1) << 42)
#define E1000E_RX_ERROR_CXE  (UINT64_C(1) << 44)
#define E1000E_RX_ERROR_TCPE (UINT64_C(1) << 45)
#define E1000E_RX_ERROR_IPE  (UINT64_C(1) << 46)
#define E1000E_RX_ERROR_RXE  (UINT64_C(1) << 47)

#define E1000E_TX_EOP  (UINT64_C(1) << 24)
#define E1000E_TX_IFCS (UINT64_C(1) << 25) /* the device adds the frame check sequence */
#define E1000E_TX_RS   (UINT64_C(1) << 27) /* it says when this one is done */
