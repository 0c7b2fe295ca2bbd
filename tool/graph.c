/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "system/model.h"
#include "tool/tool.h"

/* The formats that a file's ending stands for; "dot" is our own text. */
static const char *format_of(const char *path)
{
    static const char *const formats[] = {"svg", "dot", "pdf", "png"};
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot != NULL && i < sizeof(formats) / sizeof(formats[0]); i++) {
        if (strcmp(dot + 1, formats[i]) == 0) {
            return formats[i];
        }
    }
    return NULL;
}

static int complain(const char *path)
{
    fprintf(stderr, "sddf graph: %s cannot be written: %s\n", path, strerror(errno));
    return TOOL_MISTAKES;
}

static int write_text(const struct tool_input *input, const char *path)
{
    FILE *out = fopen(path, "w");
    if (out == NULL) {
        return complain(path);
    }
    bool good = system_draw(&input->system, &input->board, out);
    good = fclose(out) == 0 && good;
    return good ? TOOL_OK : complain(path);
}

/* Graphviz reads the text from a file without a name, so nothing is left behind on any way out. */
static int render(const struct tool_input *input, const char *path, const char *format)
{
    FILE *text = tmpfile();
    if (text == NULL || !system_draw(&input->system, &input->board, text) ||
        fseek(text, 0, SEEK_SET) != 0) {
        int status = complain("a temporary file");
        if (text != NULL) {
            fclose(text);
        }
        return status;
    }
    int out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (out < 0) {
        int status = complain(path);
        fclose(text);
        return status;
    }
    char *argument = model_format("-T%s", format);
    pid_t child = fork();
    if (child == 0) {
        dup2(fileno(text), STDIN_FILENO);
        dup2(out, STDOUT_FILENO);
        execlp("dot", "dot", argument, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    free(argument);
    fclose(text);
    bool written = close(out) == 0;
    if (child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0 && written) {
        return TOOL_OK;
    }
    unlink(path);
    if (child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 127) {
        fprintf(stderr, "sddf graph: Graphviz's program \"dot\" is not installed; install the "
                        "package graphviz, or write the text with -o NAME.dot\n");
    } else {
        fprintf(stderr, "sddf graph: Graphviz could not draw %s\n", path);
    }
    return TOOL_MISTAKES;
}

static int run(const struct tool_command *self, int argc, char **argv)
{
    static const struct option options[] = {
        {"board", required_argument, NULL, 'b'},
        {"output", required_argument, NULL, 'o'},
        {"search-path", required_argument, NULL, 's'},
        {0},
    };
    struct tool_input input = {.board_name = "linux"};
    const char *path = NULL;
    char *made = NULL;
    int status = TOOL_USAGE;
    opterr = 0; /* tool_bad_option says it */
    for (int option; (option = getopt_long(argc, argv, "b:o:", options, NULL)) != -1;) {
        if (option == 'b') {
            input.board_name = optarg;
        } else if (option == 'o') {
            path = optarg;
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
    if (path != NULL && format_of(path) == NULL) {
        tool_usage(self, "%s: the ending says the format; it is .svg, .pdf, .png or .dot", path);
        goto out;
    }
    input.description = argv[optind];
    if (!tool_load(&input)) {
        status = TOOL_MISTAKES;
        goto out;
    }
    if (path == NULL) {
        path = made = model_format("%s.svg", input.system.name);
    }
    const char *format = format_of(path);
    status = strcmp(format, "dot") == 0 ? write_text(&input, path) : render(&input, path, format);
    if (status == TOOL_OK) {
        printf("%s is drawn\n", path);
    }
out:
    free(made);
    tool_close(&input);
    return status;
}

const struct tool_command tool_graph = {
    .name = "graph",
    .summary = "draw a system as a picture",
    .help = "sddf graph DESCRIPTION [-o FILE] [OPTIONS]\n"
            "\n"
            "Draws protection domains (higher priorities further up), the memory that they share\n"
            "with each one's rights, and the channels between them. Needs Graphviz, but for .dot.\n"
            "\n"
            "  -o, --output FILE      NAME.svg, .pdf, .png or .dot; by default the description's\n"
            "                         name with .svg, in this folder\n"
            "  -b, --board BOARD      linux (the default), linux_tap, or a board file\n"
            "  --search-path FOLDER   look for programs here first; may be repeated\n"
            "\n"
            "Example:\n"
            "\n"
            "  sddf graph examples/echo/echo.xml -o echo.svg\n",
    .run = run,
};
