/* SPDX-License-Identifier: BSD-2-Clause */
/* The rings of an AF_XDP socket. */
#include "ring.h"
