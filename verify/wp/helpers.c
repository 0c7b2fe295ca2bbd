/* SPDX-License-Identifier: BSD-2-Clause */
/* What the network's components share. */
#define WP_BITS
#include "buffers.h"
#include "frame.h"
#include "setup.h"
#include "tally.h"
