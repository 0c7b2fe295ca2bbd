/* SPDX-License-Identifier: BSD-2-Clause */
/* The receive path with one client, for which two packets come and one buffer is there. */
#define ONE_CLIENT true
#include "verify/spin/rx_path.c"
