/* SPDX-License-Identifier: BSD-2-Clause */
/* What the commands that look inside a running system share: top, trace, pcap. */
#pragma once

#include "platform/linux/inspect.h"
#include "tool/tool.h"

/*
 * The running system of the state file that is the command's only argument, behind the options.
 * TOOL_OK, or the exit status, when it has been said what is wrong.
 */
int inside_open(const struct tool_command *self, int argc, char **argv, struct inspect *inspect);

/* What trace and pcap are told alike. */
struct inside_order {
    const char *path; /* NULL: standard output */
    double seconds;   /* 0: until Ctrl-C */
    const char *pds[MK_PDS];
    size_t pd_count;
};
#define INSIDE_OPTIONS                                                                             \
    {"output", required_argument, NULL, 'o'}, {"seconds", required_argument, NULL, 's'},           \
    {                                                                                              \
        "pd", required_argument, NULL, 'p'                                                         \
    }

/* For what getopt has found of these; false: it has been said what is wrong. */
bool inside_option(const struct tool_command *self, int option, char *const *argv,
                   struct inside_order *order);

/* A number of seconds, such as 0.5, from least to most; false: it has been said what is wrong. */
bool inside_seconds(const struct tool_command *self, const char *option, const char *text,
                    double least, double most, double *seconds);

/* Ctrl-C ends the look, and not the process. `seconds` 0: nothing else does but the system's end.
 */
void inside_begin(double seconds);
bool inside_goes_on(const struct inspect *inspect);
void inside_pause(uint64_t ns); /* or until Ctrl-C */

uint64_t inside_now(void); /* ns, CLOCK_MONOTONIC */
