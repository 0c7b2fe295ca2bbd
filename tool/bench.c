/* SPDX-License-Identifier: BSD-2-Clause */
/* sddf bench: hands over to bench/bench.py, which runs the experiments with this very build. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "system/model.h"
#include "tool/tool.h"

#define PYTHON "/usr/bin/python3" /* Debian's own, whatever else is called so */

/* The runner: next to the build folder, or where this program's sources were. NULL: nowhere. */
static char *find_runner(const char *build)
{
    char *near = model_format("%s/../bench/bench.py", build);
    char *source = model_string(SDDF_SOURCE "/bench/bench.py");
    bool is_near = access(near, R_OK) == 0;
    char *found = is_near ? near : access(source, R_OK) == 0 ? source : NULL;
    free(is_near ? source : near);
    if (found == NULL) {
        free(source);
    }
    return found;
}

static int run(const struct tool_command *self, int argc, char **argv)
{
    char *build = tool_own_folder();
    char *runner = find_runner(build);
    if (runner == NULL) {
        fprintf(stderr,
                "sddf %s: the sources that belong to this program are gone: there is no "
                "bench/bench.py next to its build folder\n",
                self->name);
        free(build);
        return TOOL_MISTAKES;
    }
    /* python3 bench.py --build FOLDER ARGUMENTS... NULL */
    char **words = calloc((size_t)argc + 4, sizeof(*words));
    if (words != NULL) {
        words[0] = PYTHON;
        words[1] = runner;
        words[2] = "--build";
        words[3] = build;
        memcpy(words + 4, argv + 1, (size_t)(argc - 1) * sizeof(*words));
        execv(PYTHON, words);
    }
    fprintf(stderr, "sddf %s: cannot run " PYTHON ": ./setup.sh installs it\n", self->name);
    free(words);
    free(runner);
    free(build);
    return TOOL_MISTAKES;
}

const struct tool_command tool_bench = {
    .name = "bench",
    .summary = "run the experiments of the literature, and make a report",
    .help =
        "sddf bench EXPERIMENT... [OPTIONS]\n"
        "sddf bench --replay ROWS.csv [-o FOLDER]\n"
        "\n"
        "Runs experiments, each system in turns with those that it is compared with, and writes\n"
        "rows.csv, rows.json and index.html, a page with all figures that needs no other file.\n"
        "Ctrl-C ends it in order: the report then has the rows so far. It needs root.\n"
        "\n"
        "  all   all of these:\n"
        "  E1    one client against Linux: achieved over requested\n"
        "  E2    the same: processor time, and what a packet costs\n"
        "  E3    the same: round trips\n"
        "  E4    two equal clients: shares, with two policies\n"
        "  E5    A before B, B's receive queue small\n"
        "  E6    B limited in both directions\n"
        "  E7    B limited to 100 Mb/s by the policy of transmission\n"
        "  E8    1 to 28 clients on one core\n"
        "  E9    1 to 28 clients on several cores\n"
        "  E10   transmit queues of 1 to 512\n"
        "  E11   the same programs as 2, 4 and 5 protection domains\n"
        "  E12   the same echo over DPDK and a bare AF_XDP loop\n"
        "\n"
        "  -o, --output FOLDER   where to write (default: bench-report)\n"
        "  --quick               short rows, few points: all within five minutes\n"
        "  --seconds S           of each row (default: 5; quick: 0.6)\n"
        "  --turns N             how often systems take turns (default: 5; quick: 2)\n"
        "  --points N            of each sweep (default: 13; quick: 5)\n"
        "  --no-realtime         sDDF and its references as ordinary processes\n"
        "  --replay ROWS.csv     measure nothing: make the report from these rows, byte for byte\n"
        "                        the one that was made with them\n"
        "\n"
        "Exit status: 0; 1 if an experiment could not be run or a reply was wrong; 2 after a\n"
        "mistake in the command line; 130 after Ctrl-C.\n"
        "\n"
        "Examples:\n"
        "\n"
        "  sddf bench --quick all -o report\n"
        "  sddf bench E5 E6 E7 --seconds 10\n"
        "\n"
        "docs/measuring.md says how it measures; bench/systems has the descriptions.\n",
    .run = run,
};
