/* SPDX-License-Identifier: BSD-2-Clause */
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "system/model.h"
#include "tool/tool.h"

int tool_usage(const struct tool_command *self, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "sddf %s: ", self->name);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n\"sddf %s --help\" shows how to use it.\n", self->name);
    va_end(arguments);
    return TOOL_USAGE;
}

void tool_bad_option(const struct tool_command *self, char *const *argv)
{
    tool_usage(self, "%s is no option of it, or lacks its value", argv[optind - 1]);
}

void tool_add_folder(struct tool_input *input, const char *folder)
{
    *(const char **)model_append(&input->folders, &input->folder_count, sizeof(char *)) = folder;
}

char *tool_own_folder(void)
{
    char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
    if (length <= 0) {
        return model_string(".");
    }
    path[length] = '\0';
    char *slash = strrchr(path, '/');
    if (slash != NULL) {
        *slash = '\0';
    }
    return model_string(path);
}

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL) {
        return model_string(".");
    }
    return model_format("%.*s", slash == path ? 1 : (int)(slash - path), path);
}

static void own(struct tool_input *input, char *folder)
{
    *(char **)model_append(&input->owned, &input->owned_count, sizeof(char *)) = folder;
}

static void find_folders(struct tool_input *input)
{
    for (size_t i = 0; i < input->folder_count; i++) {
        own(input, model_string(input->folders[i]));
    }
    own(input, folder_of(input->description));
    char *here = tool_own_folder();
    if (!input->board.microkit) {
        own(input, model_format("%s/platform/linux", here));
    }
    free(here);
    input->search.folders = (const char *const *)input->owned;
    input->search.count = input->owned_count;
}

static bool finish(struct system_errors *errors)
{
    bool good = errors->count == 0;
    system_errors_print(errors, stderr);
    system_errors_free(errors);
    return good;
}

bool tool_load_board(struct tool_input *input)
{
    struct system_errors errors = {0};
    const char *name = input->board_name;
    char *path;
    if (strchr(name, '/') != NULL || strstr(name, ".xml") != NULL) {
        path = model_string(name);
    } else {
        char *here = tool_own_folder();
        path = model_format("%s/platform/linux/boards/%s.xml", here, name);
        if (access(path, R_OK) != 0) {
            free(path);
            path = model_format("%s/platform/microkit/boards/%s.xml", here, name);
        }
        free(here);
        if (access(path, R_OK) != 0) {
            fprintf(stderr,
                    "sddf: there is no board \"%s\"; the boards are \"linux\", \"linux_tap\", "
                    "\"linux_vfio\", \"qemu_virt_aarch64\" and \"qemu_virt_riscv64\", or give the "
                    "path of a "
                    "board file\n",
                    name);
            free(path);
            return false;
        }
    }
    board_parse(path, &input->board, &errors);
    free(path);
    return finish(&errors);
}

bool tool_load(struct tool_input *input)
{
    if (input->board.file == NULL && !tool_load_board(input)) {
        return false;
    }
    find_folders(input);
    struct system_errors errors = {0};
    system_load(input->description, &input->system, &input->board, &input->search, &errors);
    size_t count = system_errors_count(&errors);
    if (count > 1) {
        finish(&errors);
        fprintf(stderr, "%zu mistakes\n", count);
        return false;
    }
    return finish(&errors);
}

void tool_close(struct tool_input *input)
{
    system_free(&input->system);
    board_free(&input->board);
    for (size_t i = 0; i < input->owned_count; i++) {
        free(input->owned[i]);
    }
    free(input->owned);
    free(input->folders);
    free(input->cards);
}
