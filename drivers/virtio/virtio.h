/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Words of the specification "Virtual I/O Device (VIRTIO) Version 1.2" (OASIS), with the sections
 * that they are from. Everything is little-endian.
 */
#pragma once

#include <stdint.h>

/* 2.1 Device Status Field */
#define VIRTIO_STATUS_ACKNOWLEDGE 0x01u
#define VIRTIO_STATUS_DRIVER      0x02u
#define VIRTIO_STATUS_DRIVER_OK   0x04u
#define VIRTIO_STATUS_FEATURES_OK 0x08u
#define VIRTIO_STATUS_NEEDS_RESET 0x40u
#define VIRTIO_STATUS_FAILED      0x80u

/* 5 Device Types */
#define VIRTIO_ID_NETWORK 1u

/* 6 Reserved Feature Bits */
#define VIRTIO_F_INDIRECT_DESC   (UINT64_C(1) << 28)
#define VIRTIO_F_EVENT_IDX       (UINT64_C(1) << 29)
#define VIRTIO_F_VERSION_1       (UINT64_C(1) << 32)
#define VIRTIO_F_ACCESS_PLATFORM (UINT64_C(1) << 33)
#define VIRTIO_F_RING_PACKED     (UINT64_C(1) << 34)
#define VIRTIO_F_ORDER_PLATFORM  (UINT64_C(1) << 36)

/* 4.2.2 MMIO Device Register Layout */
#define VIRTIO_MMIO_MAGIC             0x000u /* R */
#define VIRTIO_MMIO_VERSION           0x004u /* R */
#define VIRTIO_MMIO_DEVICE_ID         0x008u /* R */
#define VIRTIO_MMIO_DEVICE_FEATURES   0x010u /* R */
#define VIRTIO_MMIO_DEVICE_FEAT_SEL   0x014u /* W */
#define VIRTIO_MMIO_DRIVER_FEATURES   0x020u /* W */
#define VIRTIO_MMIO_DRIVER_FEAT_SEL   0x024u /* W */
#define VIRTIO_MMIO_QUEUE_SEL         0x030u /* W */
#define VIRTIO_MMIO_QUEUE_NUM_MAX     0x034u /* R */
#define VIRTIO_MMIO_QUEUE_NUM         0x038u /* W */
#define VIRTIO_MMIO_QUEUE_READY       0x044u /* RW */
#define VIRTIO_MMIO_QUEUE_NOTIFY      0x050u /* W */
#define VIRTIO_MMIO_INTERRUPT_STATUS  0x060u /* R */
#define VIRTIO_MMIO_INTERRUPT_ACK     0x064u /* W */
#define VIRTIO_MMIO_STATUS            0x070u /* RW */
#define VIRTIO_MMIO_QUEUE_DESC_LOW    0x080u /* W; ..._HIGH 4 behind, as in the next two */
#define VIRTIO_MMIO_QUEUE_DRIVER_LOW  0x090u /* W */
#define VIRTIO_MMIO_QUEUE_DEVICE_LOW  0x0a0u /* W */
#define VIRTIO_MMIO_CONFIG_GENERATION 0x0fcu /* R */
#define VIRTIO_MMIO_CONFIG            0x100u

#define VIRTIO_MMIO_MAGIC_VALUE   0x74726976u /* "virt" */
#define VIRTIO_MMIO_VERSION_VALUE 2u          /* 1 is the legacy interface */
#define VIRTIO_MMIO_SIZE          0x200u      /* as far as any of our devices' registers go */

/* 4.1.4.5 ISR status capability, 4.2.2 InterruptStatus */
#define VIRTIO_INTERRUPT_USED   0x1u
#define VIRTIO_INTERRUPT_CONFIG 0x2u

/* 4.1.2 PCI Device Discovery: a device of this kind has the number 0x1040 + its kind's */
#define VIRTIO_PCI_VENDOR         0x1af4u
#define VIRTIO_PCI_DEVICE         0x1040u
#define VIRTIO_PCI_LEGACY_NETWORK 0x1000u /* transitional: both interfaces */

/* 4.1.4 Virtio Structure PCI Capabilities, by offset: struct virtio_pci_cap */
#define VIRTIO_PCI_CAP_TYPE     3u
#define VIRTIO_PCI_CAP_BAR      4u
#define VIRTIO_PCI_CAP_OFFSET   8u
#define VIRTIO_PCI_CAP_LENGTH   12u
#define VIRTIO_PCI_CAP_MULTIPLY 16u /* 4.1.4.4, of the notification structure */

#define VIRTIO_PCI_CAP_COMMON_CFG 1u
#define VIRTIO_PCI_CAP_NOTIFY_CFG 2u
#define VIRTIO_PCI_CAP_ISR_CFG    3u
#define VIRTIO_PCI_CAP_DEVICE_CFG 4u

/* 4.1.4.3 Common configuration structure layout: struct virtio_pci_common_cfg */
#define VIRTIO_PCI_DEVICE_FEAT_SEL   0x00u /* 32 bits, RW */
#define VIRTIO_PCI_DEVICE_FEATURES   0x04u /* 32, R */
#define VIRTIO_PCI_DRIVER_FEAT_SEL   0x08u /* 32, RW */
#define VIRTIO_PCI_DRIVER_FEATURES   0x0cu /* 32, RW */
#define VIRTIO_PCI_CONFIG_VECTOR     0x10u /* 16, RW */
#define VIRTIO_PCI_NUM_QUEUES        0x12u /* 16, R */
#define VIRTIO_PCI_STATUS            0x14u /* 8, RW */
#define VIRTIO_PCI_CONFIG_GENERATION 0x15u /* 8, R */
#define VIRTIO_PCI_QUEUE_SEL         0x16u /* 16, RW */
#define VIRTIO_PCI_QUEUE_SIZE        0x18u /* 16, RW */
#define VIRTIO_PCI_QUEUE_VECTOR      0x1au /* 16, RW */
#define VIRTIO_PCI_QUEUE_ENABLE      0x1cu /* 16, RW */
#define VIRTIO_PCI_QUEUE_NOTIFY_OFF  0x1eu /* 16, R */
#define VIRTIO_PCI_QUEUE_DESC_LOW    0x20u /* 32, RW; the high half 4 behind, as in the next two */
#define VIRTIO_PCI_QUEUE_DRIVER_LOW  0x28u
#define VIRTIO_PCI_QUEUE_DEVICE_LOW  0x30u
#define VIRTIO_PCI_COMMON_SIZE       0x38u

#define VIRTIO_PCI_NO_VECTOR 0xffffu

/* 2.7.5 The Virtqueue Descriptor Table */
#define VIRTQ_DESC_F_NEXT     0x1u
#define VIRTQ_DESC_F_WRITE    0x2u
#define VIRTQ_DESC_F_INDIRECT 0x4u

struct virtq_desc {
    uint64_t address;
    uint32_t length;
    uint16_t flags;
    uint16_t next;
};

/* 2.7.6 The Virtqueue Available Ring: behind the entries comes used_event */
#define VIRTQ_AVAIL_F_NO_INTERRUPT 0x1u

struct virtq_avail {
    uint16_t flags;
    uint16_t index;
    uint16_t ring[];
};

/* 2.7.8 The Virtqueue Used Ring: behind the entries comes avail_event */
#define VIRTQ_USED_F_NO_NOTIFY 0x1u

struct virtq_used_element {
    uint32_t id;
    uint32_t length;
};

struct virtq_used {
    uint16_t flags;
    uint16_t index;
    struct virtq_used_element ring[];
};

/* 2.8.13 The Virtqueue Descriptor Format; flags besides those above (2.8.1) */
#define VIRTQ_PACKED_F_AVAIL 0x0080u
#define VIRTQ_PACKED_F_USED  0x8000u

struct virtq_packed_desc {
    uint64_t address;
    union {
        struct {
            uint32_t length;
            uint16_t id;
            uint16_t flags;
        };
        uint64_t word; /* all three, lowest bits first */
    };
};

/* 2.8.14 Event Suppression Structure Format: place (15 bits) and round (1), and above them the
 * flags */
#define VIRTQ_PACKED_EVENT_PLACE   0x7fffu
#define VIRTQ_PACKED_EVENT_ROUND   0x8000u
#define VIRTQ_PACKED_EVENT_ENABLE  0u
#define VIRTQ_PACKED_EVENT_DISABLE 1u
#define VIRTQ_PACKED_EVENT_DESC    2u

_Static_assert(sizeof(struct virtq_packed_desc) == 16, "as the device sees it");
_Static_assert(sizeof(struct virtq_desc) == 16 && sizeof(struct virtq_avail) == 4 &&
                   sizeof(struct virtq_used) == 4 && sizeof(struct virtq_used_element) == 8,
               "as the device sees them");
