/* SPDX-License-Identifier: BSD-2-Clause */
#include <getopt.h>

#include "tool/tool.h"

#define PLURAL(n) (n), (n) == 1 ? "" : "s"

/* Not a mistake (a region may wait for the next program), but seldom meant. */
static void warn_unused(const struct system *s)
{
    for (size_t r = 0; r < s->region_count; r++) {
        bool used = false;
        for (size_t p = 0; p < s->pd_count; p++) {
            for (size_t m = 0; m < s->pds[p].map_count; m++) {
                used |= s->pds[p].maps[m].region == r;
            }
        }
        for (size_t i = 0; i < s->io_space_count; i++) {
            for (size_t m = 0; m < s->io_spaces[i].map_count; m++) {
                used |= s->io_spaces[i].maps[m].region == r;
            }
        }
        if (!used) {
            fprintf(stderr, "%s:%d: warning: memory region \"%s\" is mapped by nobody\n",
                    s->regions[r].place.file, s->regions[r].place.line, s->regions[r].name);
        }
    }
}

static int run(const struct tool_command *self, int argc, char **argv)
{
    static const struct option options[] = {
        {"board", required_argument, NULL, 'b'},
        {"search-path", required_argument, NULL, 's'},
        {0},
    };
    struct tool_input input = {.board_name = "linux"};
    int status = TOOL_USAGE;
    opterr = 0; /* tool_bad_option says it */
    for (int option; (option = getopt_long(argc, argv, "b:", options, NULL)) != -1;) {
        if (option == 'b') {
            input.board_name = optarg;
        } else if (option == 's') {
            tool_add_folder(&input, optarg);
        } else {
            tool_bad_option(self, argv);
            goto out;
        }
    }
    if (argc - optind != 1) {
        tool_usage(self, "give it one description");
        goto out;
    }
    input.description = argv[optind];
    status = TOOL_MISTAKES;
    if (tool_load(&input)) {
        printf("%s is good: %zu protection domain%s, %zu memory region%s, %zu channel%s\n",
               input.description, PLURAL(input.system.pd_count), PLURAL(input.system.region_count),
               PLURAL(input.system.channel_count));
        warn_unused(&input.system);
        status = TOOL_OK;
    }
out:
    tool_close(&input);
    return status;
}

const struct tool_command tool_check = {
    .name = "check",
    .summary = "find the mistakes in a description",
    .help = "sddf check DESCRIPTION [OPTIONS]\n"
            "\n"
            "Reads a description, with the programs that it names, and prints every mistake as\n"
            "FILE:LINE: what is wrong, what would be right.\n"
            "\n"
            "  -b, --board BOARD      linux (the default), linux_tap, or a board file\n"
            "  --search-path FOLDER   look for programs here first; may be repeated. Then come\n"
            "                         the description's folder and the programs built with sddf\n"
            "\n"
            "Examples:\n"
            "\n"
            "  sddf check examples/echo/echo.xml\n"
            "  sddf check my.xml --search-path build/mine\n",
    .run = run,
};
