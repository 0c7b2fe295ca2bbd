/* SPDX-License-Identifier: BSD-2-Clause */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "system/model.h"
#include "tool/tool.h"

static const struct tool_command *const commands[] = {&tool_check, &tool_build, &tool_run,
                                                      &tool_graph, &tool_top,   &tool_trace,
                                                      &tool_pcap,  &tool_bench};
enum { command_count = sizeof(commands) / sizeof(commands[0]) };

static void help(FILE *out)
{
    fputs("sddf works on system descriptions: XML files that say which protection domains\n"
          "there are, what memory and channels they share, and which devices they use.\n"
          "\n"
          "Usage: sddf COMMAND DESCRIPTION [OPTIONS]\n"
          "       sddf top|trace|pcap STATE [OPTIONS]\n"
          "       sddf bench EXPERIMENT... [OPTIONS]\n"
          "\n",
          out);
    for (size_t i = 0; i < command_count; i++) {
        fprintf(out, "  %-8s %s\n", commands[i]->name, commands[i]->summary);
    }
    fputs("\n"
          "Examples, with the echo system of this project:\n"
          "\n"
          "  sddf check examples/echo/echo.xml\n"
          "  sddf graph examples/echo/echo.xml -o echo.svg\n"
          "  sddf run   examples/echo/echo.xml --netdev veth0\n"
          "  sddf bench --quick all -o report\n"
          "\n"
          "\"sddf COMMAND --help\" explains a command. docs/description.md explains the XML.\n"
          "Exit status: 0 done, 1 there were mistakes, 2 the command line makes no sense.\n",
          out);
}

/*
 * Who is started without standard input or output would open other files under their numbers, and
 * print into them.
 */
static void hold_standard_streams(void)
{
    int fd;
    do {
        fd = open("/dev/null", O_RDWR);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    close(fd);
}

int main(int argc, char **argv)
{
    hold_standard_streams();
    if (argc < 2) {
        help(stderr);
        return TOOL_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        (strcmp(argv[1], "help") == 0 && argc == 2)) {
        help(stdout);
        return TOOL_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("sddf " SDDF_VERSION);
        return TOOL_OK;
    }
    const char *names[command_count];
    for (size_t i = 0; i < command_count; i++) {
        names[i] = commands[i]->name;
        if (strcmp(argv[1], commands[i]->name) != 0) {
            continue;
        }
        for (int j = 2; j < argc && strcmp(argv[j], "--") != 0; j++) {
            if (strcmp(argv[j], "--help") == 0 || strcmp(argv[j], "-h") == 0) {
                fputs(commands[i]->help, stdout);
                return TOOL_OK;
            }
        }
        return commands[i]->run(commands[i], argc - 1, argv + 1);
    }
    const char *nearest = model_nearest(argv[1], names, command_count);
    if (nearest != NULL) {
        fprintf(stderr, "sddf: there is no command \"%s\"; did you mean \"%s\"?\n", argv[1],
                nearest);
    } else {
        fprintf(stderr, "sddf: there is no command \"%s\"; \"sddf --help\" lists them\n", argv[1]);
    }
    return TOOL_USAGE;
}
