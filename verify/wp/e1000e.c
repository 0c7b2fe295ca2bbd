/* SPDX-License-Identifier: BSD-2-Clause */
/* The 82574L's descriptor rings. */
#include "descriptors.h"
