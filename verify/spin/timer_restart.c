/* SPDX-License-Identifier: BSD-2-Clause */
/* Scenario: as timer.c, with a client that dies at any moment, and starts anew. */
#define RESTARTS 1
#include "verify/spin/timer.c"
