/* SPDX-License-Identifier: BSD-2-Clause */
/* "sddf run --unsafe-no-iommu": PCI devices that nothing confines, for who asks for it. */
#pragma once

#include "platform/linux/dma.h"
#include "system/system.h"

/*
 * Before a description is expanded: if the board's PCI devices have no IOMMU in front of them, says
 * what that means, makes memory for them, and has the board's devices take their memory from there
 * and be driven through UIO. With an IOMMU that stays so, and is said. False with `*why` set, to be
 * freed.
 */
bool linux_unsafe_begin(struct board *board, struct linux_dma *dma, char **why);
