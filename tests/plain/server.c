/* SPDX-License-Identifier: BSD-2-Clause */
/* A passive server: keeps a sum, to which clients add. */
#include <stdint.h>
#include <microkit.h>

static uint64_t sum;

void init(void)
{
    sum = 0;
}

void notified(microkit_channel ch)
{
}

microkit_msginfo protected(microkit_channel ch, microkit_msginfo msginfo)
{
    if (microkit_msginfo_get_label(msginfo) != 1 || microkit_msginfo_get_count(msginfo) != 1)
        return microkit_msginfo_new(0, 0);
    sum += microkit_mr_get(0);
    seL4_SetMR(0, sum);
    return seL4_MessageInfo_new(1, 0, 0, 1);
}
