/* SPDX-License-Identifier: BSD-2-Clause */
/* What a client of a scenario is to do, and has done. */
#pragma once

struct app {
    unsigned me; /* STUB_A or STUB_B */
    unsigned to_send;
    unsigned sent;
    unsigned got; /* a bit per packet, by number */
};
