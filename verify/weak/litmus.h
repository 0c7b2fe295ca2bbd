/* SPDX-License-Identifier: BSD-2-Clause */
/* Small programs, each with an outcome that a model allows or forbids. */
#pragma once

#include "verify/weak/weak.h"

struct litmus {
    struct wk_program program;
    bool c11, c20; /* is the outcome (or a race) allowed? */
};

extern const struct litmus litmus[];
extern const unsigned litmus_count;
