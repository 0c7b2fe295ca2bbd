/* SPDX-License-Identifier: BSD-2-Clause */
/* The Rx virtualiser. */
#define WP_BITS
#define WP_HOLDERS
#include "../../network/virt_rx.c"
