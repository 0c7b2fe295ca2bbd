/* SPDX-License-Identifier: BSD-2-Clause */
#include "mix.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define IMIX "18:7,548:4,1472:1" /* less 42 bytes of headers and 4 of frame check sequence */

struct part {
    unsigned size, weight;
    int credit;
};

static bool number(const char **at, unsigned least, unsigned most, unsigned *value)
{
    char *end;
    if (!isdigit((unsigned char)**at)) {
        return false;
    }
    unsigned long n = strtoul(*at, &end, 10);
    *at = end;
    *value = (unsigned)n;
    return n >= least && n <= most;
}

/* Whoever has waited longest in proportion to its weight is next: the smooth weighted turn. */
static void spread(struct mix *mix, struct part *part, unsigned parts)
{
    for (unsigned i = 0; i < mix->length; i++) {
        struct part *next = &part[0];
        for (unsigned j = 0; j < parts; j++) {
            part[j].credit += (int)part[j].weight;
            next = part[j].credit > next->credit ? &part[j] : next;
        }
        next->credit -= (int)mix->length;
        mix->size[i] = (uint16_t)next->size;
    }
}

bool mix_parse(struct mix *mix, const char *text)
{
    struct part part[MIX_LENGTH + 1] = {{0}};
    unsigned parts = 0;
    const char *at = strcmp(text, "imix") == 0 ? IMIX : text;
    *mix = (struct mix){0};
    for (;; at++) {
        struct part *p = &part[parts++];
        p->weight = 1;
        if (!number(&at, MIX_SIZE_MIN, MIX_SIZE_MAX, &p->size) ||
            (*at == ':' && (at++, !number(&at, 1, MIX_LENGTH, &p->weight)))) {
            return false;
        }
        mix->length += p->weight;
        mix->largest = p->size > mix->largest ? p->size : mix->largest;
        if (mix->length > MIX_LENGTH) {
            return false;
        }
        if (*at != ',') {
            break;
        }
    }
    if (*at != '\0') {
        return false;
    }
    if (parts == 1) {
        mix->length = 1; /* "512:3" is one size */
        part[0].weight = 1;
    }
    spread(mix, part, parts);
    return true;
}

double mix_mean(const struct mix *mix)
{
    double sum = 0;
    for (unsigned i = 0; i < mix->length; i++) {
        sum += mix->size[i];
    }
    return mix->length > 0 ? sum / mix->length : 0;
}
