/* SPDX-License-Identifier: BSD-2-Clause */
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "tool/inside.h"

#define NS_PER_S 1000000000

static volatile sig_atomic_t interrupted;
static uint64_t end; /* 0: never */

int inside_open(const struct tool_command *self, int argc, char **argv, struct inspect *inspect)
{
    char *why = NULL;
    if (argc - optind != 1) {
        return tool_usage(self, "give it one state file, which \"sddf run --state FILE\" writes");
    }
    if (inspect_open(inspect, argv[optind], &why)) {
        return TOOL_OK;
    }
    fprintf(stderr, "sddf %s: %s\n", self->name, why != NULL ? why : "out of memory");
    free(why);
    return TOOL_MISTAKES;
}

bool inside_seconds(const struct tool_command *self, const char *option, const char *text,
                    double least, double most, double *seconds)
{
    char *rest = NULL;
    *seconds = strtod(text, &rest);
    if (text[0] >= '0' && text[0] <= '9' && *rest == '\0' && *seconds >= least &&
        *seconds <= most) {
        return true;
    }
    tool_usage(self, "%s %s is no number of seconds from %g to %g", option, text, least, most);
    return false;
}

bool inside_option(const struct tool_command *self, int option, char *const *argv,
                   struct inside_order *order)
{
    if (option == 'o') {
        order->path = optarg;
    } else if (option == 's') {
        return inside_seconds(self, "--seconds", optarg, 0.001, 1e6, &order->seconds);
    } else if (option == 'p' && order->pd_count < MK_PDS) {
        order->pds[order->pd_count++] = optarg;
    } else {
        tool_bad_option(self, argv);
        return false;
    }
    return true;
}

static void interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

void inside_begin(double seconds)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        sigaction(signals[i], &(struct sigaction){.sa_handler = interrupt}, NULL);
    }
    end = seconds > 0 ? inside_now() + (uint64_t)(seconds * NS_PER_S) : 0;
}

bool inside_goes_on(const struct inspect *inspect)
{
    return !interrupted && (end == 0 || inside_now() < end) && !inspect_ended(inspect);
}

void inside_pause(uint64_t ns)
{
    struct timespec time = {(time_t)(ns / NS_PER_S), (long)(ns % NS_PER_S)};
    if (!interrupted) {
        nanosleep(&time, NULL);
    }
}

uint64_t inside_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}
