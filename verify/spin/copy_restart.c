/* SPDX-License-Identifier: BSD-2-Clause */
/* Scenario: as copy.c, with a client that dies at any moment, and starts again. */
#define RESTARTS 1
#include "verify/spin/copy.c"
