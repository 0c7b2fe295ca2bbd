/* SPDX-License-Identifier: BSD-2-Clause */
/* What is the Microkit's alone: that it is not on Linux; and the one rule that concerns us. */
#include <string.h>

#include "system/check.h"

static const struct system_kept *kept_of(const struct system *system, enum system_owner owner,
                                         size_t index, const char *name)
{
    for (size_t i = 0; i < system->kept_count; i++) {
        const struct system_kept *kept = &system->kept[i];
        if (kept->owner == owner && kept->index == index && strcmp(kept->name, name) == 0) {
            return kept;
        }
    }
    return NULL;
}

/* Those that sDDF's elements stand for, too, and they are in none. */
static void check_domains(const struct check *c)
{
    const struct system *s = c->system;
    const struct system_kept *domains = kept_of(s, SYSTEM_OF_ALL, 0, "domains");
    for (size_t i = 0; i < s->pd_count && domains != NULL; i++) {
        if (kept_of(s, SYSTEM_OF_PD, i, "domain") == NULL) {
            system_error(c->errors, s->pds[i].place,
                         "\"%s\" is in no domain, and with <domains> (line %d) every protection "
                         "domain is in one",
                         s->pds[i].name, domains->place.line);
        }
    }
}

void check_kept(const struct check *c)
{
    for (size_t i = 0; i < c->system->kept_count; i++) {
        const struct system_kept *kept = &c->system->kept[i];
        if (c->board->microkit) {
            if (kept->text == NULL) {
                system_error(c->errors, kept->place,
                             "the file of \"prefill_path\" is not there; it is looked for in the "
                             "description's folder");
            }
        } else if (kept->element) {
            system_error(c->errors, kept->place,
                         "element <%s> is not supported on this platform: %s", kept->name,
                         kept->why);
        } else {
            system_error(c->errors, kept->place,
                         "attribute \"%s\" of <%s> is not supported on this platform: %s",
                         kept->name, kept->inside, kept->why);
        }
    }
    if (c->board->microkit) {
        check_domains(c);
    }
}
