/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver of virtio's network devices by PCI, with packed rings: drivers/virtio/packed comes
 * first where it is looked for. */
#define FUZZ_PACKED

#include "fuzz_virtio.c"
