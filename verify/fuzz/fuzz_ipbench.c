/* SPDX-License-Identifier: BSD-2-Clause */
/* What ipbench's controller says to the echo program, in pieces of any size. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "examples/echo/ipbench.c"

static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_reply(const struct ipbench *t)
{
    check(t->reply_length <= sizeof(t->reply) && t->length < sizeof(t->line));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size < 2) {
        return 0;
    }
    struct ipbench t;
    memset(&t, 0xa5, sizeof(t));
    const size_t piece = 1 + bytes[0] % 64;
    const uint64_t total = (uint64_t)bytes[1] << bytes[1] % 57;
    bytes += 2;
    size -= 2;
    if (total == 1) {
        ipbench_refuse(&t);
        check(!ipbench_open(&t));
        return 0;
    }
    ipbench_begin(&t);
    check_reply(&t);
    while (size > 0 && ipbench_open(&t)) {
        const size_t part = size < piece ? size : piece;
        char *copy = malloc(part); /* what reads on behind it is found out */
        memcpy(copy, bytes, part);
        enum ipbench_event event;
        const size_t taken = ipbench_take(&t, copy, part, &event);
        free(copy);
        check(taken >= 1 && taken <= part);
        if (event == IPBENCH_START) {
            check(t.state == IPBENCH_RUNNING && t.reply_length == 0);
        } else if (event == IPBENCH_STOP) {
            check(t.state == IPBENCH_RUNNING);
            ipbench_measured(&t, piece != 7, 255 - bytes[0], total);
            check(!ipbench_open(&t) && t.reply_length > 0);
        }
        check_reply(&t);
        bytes += taken;
        size -= taken;
    }
    return 0;
}
