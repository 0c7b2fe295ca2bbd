/* SPDX-License-Identifier: BSD-2-Clause */
/* No time passes in the models: what depends on it is not in them. */
#pragma once

#include <stdint.h>

static inline uint64_t sddf_clock_now(void)
{
    return 0;
}
