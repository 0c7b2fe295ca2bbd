/* SPDX-License-Identifier: BSD-2-Clause */
/* The bandwidth limit. */
#include "tx_limit.h"
