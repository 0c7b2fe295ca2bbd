/* SPDX-License-Identifier: BSD-2-Clause */
/* The timer's client library. */
#define WP_BITS
#define WP_MEMBERS
#include "sddf/raw.h"
#include "../../timer/client.c"
