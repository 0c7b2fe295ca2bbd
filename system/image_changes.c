/* SPDX-License-Identifier: BSD-2-Clause */
/* What was written over an image: for programs that the kernel loads, and that set it themselves.
 */
#include <stdlib.h>
#include <string.h>

#include "system/image.h"
#include "system/model.h"

static void add_changes(const struct image_segment *now, const struct image_segment *before,
                        struct image_patch **patches, size_t *count)
{
    for (uint64_t at = 0; at < now->size;) {
        uint64_t end = at;
        while (end < now->size && now->bytes[end] != before->bytes[end]) {
            end++;
        }
        if (end > at) {
            *(struct image_patch *)model_append(patches, count, sizeof(**patches)) =
                (struct image_patch){now->vaddr + at, end - at, now->bytes + at};
        }
        at = end + 1;
    }
}

bool image_changes(const struct image *image, const struct image *before,
                   struct image_patch **patches, size_t *count, char **why)
{
    *patches = NULL;
    *count = 0;
    *why = NULL;
    if (image->segment_count != before->segment_count) {
        *why = model_string("it has changed while it was read");
        return false;
    }
    for (size_t i = 0; i < image->segment_count; i++) {
        const struct image_segment *now = &image->segments[i];
        const struct image_segment *then = &before->segments[i];
        size_t first = *count;
        if (now->size != then->size) {
            *why = model_string("it has changed while it was read");
        } else {
            add_changes(now, then, patches, count);
        }
        if (*why == NULL && *count > first && (now->perms & SYSTEM_WRITE) == 0) {
            *why = model_string("what the description sets in it is constant there, so the "
                                "running program cannot write it");
        }
        if (*why != NULL) {
            free(*patches);
            *patches = NULL;
            *count = 0;
            return false;
        }
    }
    return true;
}
