/* SPDX-License-Identifier: BSD-2-Clause */
/* The sddf command: one file a subcommand, and what they share. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "system/system.h"

/* Exit statuses. */
enum {
    TOOL_OK = 0,
    TOOL_MISTAKES = 1, /* in the description, or it could not be done */
    TOOL_USAGE = 2,    /* the command line makes no sense */
};

struct tool_command {
    const char *name;
    const char *summary; /* one line, for sddf --help */
    const char *help;    /* sddf NAME --help */
    int (*run)(const struct tool_command *self, int argc, char **argv); /* argv[0]: the name */
};

extern const struct tool_command tool_check, tool_build, tool_run, tool_graph;

/* "sddf NAME: ...", then where to read more. Returns TOOL_USAGE. */
int tool_usage(const struct tool_command *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A description with what it takes to make sense of it. */
struct tool_input {
    const char *description;
    const char *board_name; /* "linux", or the path of a board file */
    const char **folders;   /* of --search-path, in order */
    size_t folder_count;
    struct system system;
    struct board board;
    struct system_search search;
    char **owned; /* search.folders, with the defaults behind those asked for */
    size_t owned_count;
};

void tool_add_folder(struct tool_input *input, const char *folder);

/* The board first, and only it: true if it could be read; otherwise the mistakes are printed. */
bool tool_load_board(struct tool_input *input);

/* Parses, checks and expands; loads the board unless it is loaded. */
bool tool_load(struct tool_input *input);
void tool_close(struct tool_input *input);
