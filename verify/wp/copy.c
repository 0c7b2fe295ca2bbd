/* SPDX-License-Identifier: BSD-2-Clause */
/* The copier. */
#define WP_BITS
#include "../../network/copy.c"
