/* SPDX-License-Identifier: BSD-2-Clause */
/* A program: loaded either way, looked up in, patched, compared and written again. */
#include <string.h>

#include "file.h"
#include "system/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void use(struct image *image, const struct image *before)
{
    uint64_t vaddr, length, offset;
    char name[16];
    char *why = NULL;
    image_symbol(image, "a", &vaddr, &length);
    if (image_function_at(image, image->entry, name, sizeof(name), &offset) &&
        memchr(name, '\0', sizeof(name)) == NULL) {
        abort();
    }
    free(image_set(image, "a", 1, &why) ? NULL : why);
    why = NULL;
    free(image_patch(image, "b", "12345678", 8, &why) ? NULL : why);
    struct image_patch *patches = NULL;
    size_t count = 0;
    why = NULL;
    if (image_changes(image, before, &patches, &count, &why)) {
        free(patches);
    } else {
        free(why);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const char *path = fuzz_file(bytes, size);
    for (int hosted = 0; hosted < 2; hosted++) {
        bool (*load)(const char *, struct image *, char **) =
            hosted ? image_load_hosted : image_load;
        struct image image, before;
        char *why = NULL;
        if (!load(path, &image, &why)) {
            if (why == NULL) {
                abort(); /* it does not say why */
            }
            free(why);
            continue;
        }
        if (!load(path, &before, &why)) {
            abort();
        }
        use(&image, &before);
        image_free(&image);
        image_free(&before);
    }
    return 0;
}
