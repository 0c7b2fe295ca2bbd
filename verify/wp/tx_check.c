/* SPDX-License-Identifier: BSD-2-Clause */
/* What a client may send, and whose buffer the device means. */
#define WP_BITS
#define WP_SHIFT
#include "tx_check.h"
#include "tx_ranges.h"
