/* SPDX-License-Identifier: BSD-2-Clause */
/* Where programs are found. */
#include <stdlib.h>
#include <sys/stat.h>

#include "system/model.h"

static bool is_file(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

char *system_find_program(const struct system_search *search, const char *program)
{
    if (program == NULL) {
        return NULL;
    }
    if (program[0] == '/') {
        return is_file(program) ? model_string(program) : NULL;
    }
    for (size_t i = 0; i < search->count; i++) {
        char *path = model_format("%s/%s", search->folders[i], program);
        if (is_file(path)) {
            return path;
        }
        free(path);
    }
    return NULL;
}
