/* SPDX-License-Identifier: BSD-2-Clause */
/* Scenario: as virt_tx.c, with a client that dies at any moment, and starts again. */
#define RESTARTS 1
#include "verify/spin/virt_tx.c"
