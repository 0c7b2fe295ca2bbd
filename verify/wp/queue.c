/* SPDX-License-Identifier: BSD-2-Clause */
/* The queue, with the network's entries. (Another entry is another number in the same text.) */
#include "sddf/net.h"
