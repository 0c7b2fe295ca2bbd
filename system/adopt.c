/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Configurations that are in the programs already: a plain description (what `sddf build` wrote, or
 * somebody by hand) comes with programs that were patched before. Whoever wants to know what a
 * network looks like, such as the platform that sets a device's filters, finds them in the model
 * then as if they had just been made.
 */
#include <stdlib.h>
#include <string.h>

#include "sddf/config.h"
#include "system/image.h"
#include "system/model.h"

static const char *const symbols[] = {"sddf_net_config", "sddf_timer_config", "sddf_serial_config",
                                      "sddf_idle_config"};

static bool has_patch(const struct system_pd *pd, const char *symbol)
{
    for (size_t i = 0; i < pd->patch_count; i++) {
        if (strcmp(pd->patches[i].symbol, symbol) == 0) {
            return true;
        }
    }
    return false;
}

static const unsigned char *bytes_at(const struct image *image, uint64_t vaddr, uint64_t size)
{
    for (size_t i = 0; i < image->segment_count; i++) {
        const struct image_segment *segment = &image->segments[i];
        uint64_t offset = vaddr - segment->vaddr;
        if (vaddr >= segment->vaddr && offset <= segment->size && size <= segment->size - offset) {
            return segment->bytes + offset;
        }
    }
    return NULL;
}

/* An unpatched program has zeroes there. */
static void adopt(struct system_pd *pd, const struct image *image, const char *symbol)
{
    struct sddf_config_header header;
    uint64_t vaddr, size;
    if (has_patch(pd, symbol) || !image_symbol(image, symbol, &vaddr, &size) ||
        size < sizeof(header)) {
        return;
    }
    const unsigned char *bytes = bytes_at(image, vaddr, size);
    if (bytes == NULL) {
        return;
    }
    memcpy(&header, bytes, sizeof(header));
    if (header.magic != SDDF_CONFIG_MAGIC || header.size != size) {
        return;
    }
    struct system_patch *patch = model_append(&pd->patches, &pd->patch_count, sizeof(*patch));
    patch->symbol = model_string(symbol);
    patch->size = size;
    patch->bytes = malloc(size);
    if (patch->bytes == NULL) {
        abort();
    }
    memcpy(patch->bytes, bytes, size);
}

void system_adopt(struct system *system, const struct system_search *search)
{
    for (size_t i = 0; i < system->pd_count; i++) {
        struct system_pd *pd = &system->pds[i];
        char *why = NULL;
        struct image image = {0};
        char *path = system_find_program(search, pd->program);
        /* A program that cannot be read is a mistake that others report. */
        if (path != NULL && image_load(path, &image, &why)) {
            for (size_t s = 0; s < sizeof(symbols) / sizeof(symbols[0]); s++) {
                adopt(pd, &image, symbols[s]);
            }
        }
        image_free(&image);
        free(path);
        free(why);
    }
}
