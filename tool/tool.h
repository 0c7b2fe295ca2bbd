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

extern const struct tool_command tool_check, tool_build, tool_run, tool_graph, tool_bench, tool_top,
    tool_trace, tool_pcap;

/* "sddf NAME: ...", then where to read more. Returns TOOL_USAGE. */
int tool_usage(const struct tool_command *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The same, for the option that getopt has just refused. */
void tool_bad_option(const struct tool_command *self, char *const *argv);

/* The folder that this very program is in, to be freed: boards and programs are built next to it.
 */
char *tool_own_folder(void);

/* A description with what it takes to make sense of it. */
struct tool_input {
    const char *description;
    const char *board_name; /* "linux", or the path of a board file */
    const char **folders;   /* of --search-path, in order */
    size_t folder_count;
    const char **cards; /* of --pci, in order */
    size_t card_count;
    struct system system;
    struct board board;
    struct system_search search;
    char **owned; /* search.folders, with the defaults behind those asked for */
    size_t owned_count;
};

/* A Microkit SDK (tool/sdk.c). Who fills the first two in calls tool_sdk_open() next. */
struct tool_sdk {
    const char *folder;
    const char *config; /* "debug", "release" or "benchmark" */
    unsigned release;   /* as SYSTEM_SDF() makes it */
};

/* All of these: false with `*why` set, to be freed. */
bool tool_sdk_open(struct tool_sdk *sdk, const char *board, char **why);
bool tool_sdk_check(unsigned release, const struct system *system, char **why);

/* FOLDER/loader.img of FOLDER/NAME.system, and a report next to it. */
bool tool_sdk_image(const struct tool_sdk *sdk, const char *board, const char *folder,
                    const char *name, char **why);

void tool_add_folder(struct tool_input *input, const char *folder);

/* PCI devices at the board's places (tool/cards.c); once the board is loaded: their cards. */
void tool_add_card(struct tool_input *input, const char *what);
bool tool_choose_cards(struct tool_input *input);

/* The board first, and only it: true if it could be read; otherwise the mistakes are printed. */
bool tool_load_board(struct tool_input *input);

/* Parses, checks and expands; loads the board unless it is loaded. */
bool tool_load(struct tool_input *input);
void tool_close(struct tool_input *input);
