/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Model -> Graphviz. What would make the picture unreadable is put together, and nothing is left
 * out:
 *
 *   - memory that the same PDs share is one table: a line per region, and a column of rights per
 * PD;
 *   - memory that one PD alone maps is a line in its box;
 *   - a device is a box with its registers and interrupts, and lines to the memory that it reaches.
 *
 * PDs of one priority are side by side, higher ones further up. What was expanded from one network
 * stands in one frame.
 */
#include <stdlib.h>
#include <string.h>

#include "system/model.h"

#define COLOUR_FRAMEWORK "#dbe9f6"
#define COLOUR_PD        "#dff2dc"
#define COLOUR_DATA      "#fff3c9"
#define COLOUR_SHARED    "#f4f4f4"
#define COLOUR_DEVICE    "#e6dff0"
#define COLOUR_NOTIFY    "#3b6ea8"
#define COLOUR_CALL      "#c0561f"

/* Regions that the same PDs map. */
struct group {
    uint64_t pds; /* bit i: PD i */
    size_t *regions;
    size_t count;
    bool dma;     /* a device reaches some of them */
    size_t frame; /* the IO address space whose frame it stands in; SYSTEM_NONE */
};

struct drawing {
    const struct system *system;
    const struct board *board;
    FILE *out;
    struct group *groups;
    size_t group_count;
};

/* ---- names --------------------------------------------------------------------------------- */

static void text(FILE *out, const char *s)
{
    for (; *s != '\0'; s++) {
        switch (*s) {
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '&':
            fputs("&amp;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        default:
            fputc(*s, out);
        }
    }
}

/* The network whose name something begins with: "ethernet0_driver" is in ethernet0's frame. */
static size_t frame_of(const struct system *s, const char *name)
{
    for (size_t i = 0; i < s->io_space_count; i++) {
        size_t length = strlen(s->io_spaces[i].name);
        if (strncmp(name, s->io_spaces[i].name, length) == 0 && name[length] == '_') {
            return i;
        }
    }
    return SYSTEM_NONE;
}

/* Was the PD made for a device of the board? */
static bool of_a_device(const struct drawing *d, const char *name)
{
    for (size_t i = 0; i < d->board->device_count; i++) {
        size_t length = strlen(d->board->devices[i].name);
        if (strncmp(name, d->board->devices[i].name, length) == 0 && name[length] == '_') {
            return true;
        }
    }
    return false;
}

/* A name without what its frame says already. */
static const char *short_name(const struct system *s, const char *name)
{
    size_t frame = frame_of(s, name);
    return frame == SYSTEM_NONE ? name : name + strlen(s->io_spaces[frame].name) + 1;
}

static void size_text(FILE *out, uint64_t size)
{
    if (size % (1 << 20) == 0) {
        fprintf(out, "%llu MiB", (unsigned long long)(size >> 20));
    } else {
        fprintf(out, "%llu KiB", (unsigned long long)(size >> 10));
    }
}

static const char *rights(unsigned perms)
{
    static const char *const names[8] = {"", "r", "w", "rw", "x", "rx", "wx", "rwx"};
    return names[perms & 7];
}

/* The PD's rights to a region; of several maps, all that they give together. */
static unsigned rights_of(const struct system *s, size_t pd, size_t region)
{
    unsigned perms = 0;
    for (size_t i = 0; i < s->pds[pd].map_count; i++) {
        if (s->pds[pd].maps[i].region == region) {
            perms |= s->pds[pd].maps[i].perms;
        }
    }
    return perms;
}

/* ---- grouping ------------------------------------------------------------------------------ */

/* What a device may do to it by itself. */
static unsigned device_rights(const struct system *s, size_t region)
{
    unsigned perms = 0;
    for (size_t i = 0; i < s->io_space_count; i++) {
        for (size_t j = 0; j < s->io_spaces[i].map_count; j++) {
            if (s->io_spaces[i].maps[j].region == region) {
                perms |= s->io_spaces[i].maps[j].perms;
            }
        }
    }
    return perms;
}

static bool alone(uint64_t pds)
{
    return pds != 0 && (pds & (pds - 1)) == 0;
}

static void find_groups(struct drawing *d)
{
    const struct system *s = d->system;
    for (size_t r = 0; r < s->region_count; r++) {
        uint64_t pds = 0;
        for (size_t p = 0; p < s->pd_count && p < 64; p++) {
            pds |= rights_of(s, p, r) != 0 ? UINT64_C(1) << p : 0;
        }
        bool dma = device_rights(s, r) != 0;
        if (alone(pds) || (pds == 0 && !dma)) {
            continue;
        }
        size_t g = 0;
        while (g < d->group_count && d->groups[g].pds != pds) {
            g++;
        }
        if (g == d->group_count) {
            struct group *group = model_append(&d->groups, &d->group_count, sizeof(*group));
            group->pds = pds;
            group->frame = frame_of(s, s->regions[r].name);
        }
        struct group *group = &d->groups[g];
        group->dma |= dma;
        *(size_t *)model_append(&group->regions, &group->count, sizeof(r)) = r;
    }
}

/* How much of their short names all of a group's regions have in common, in whole words. */
static size_t common_length(const struct system *s, const struct group *group)
{
    const char *first = short_name(s, s->regions[group->regions[0]].name);
    size_t length = strlen(first);
    for (size_t i = 1; i < group->count; i++) {
        const char *other = short_name(s, s->regions[group->regions[i]].name);
        size_t same = 0;
        while (same < length && first[same] == other[same]) {
            same++;
        }
        length = same;
    }
    while (group->count > 1 && length > 0 && first[length - 1] != '_') {
        length--;
    }
    return length;
}

/* ---- boxes --------------------------------------------------------------------------------- */

static void draw_private_dma(const struct drawing *d, size_t region)
{
    unsigned perms = device_rights(d->system, region);
    if (perms != 0) {
        fprintf(d->out, "<tr><td><font point-size=\"9\">DMA %s</font></td></tr>", rights(perms));
    }
}

static void draw_pd(const struct drawing *d, size_t index)
{
    const struct system *s = d->system;
    const struct system_pd *pd = &s->pds[index];
    const char *colour = of_a_device(d, pd->name) ? COLOUR_FRAMEWORK : COLOUR_PD;
    fprintf(d->out,
            "    pd%zu [shape=box, style=\"rounded,filled\", penwidth=1.4, fillcolor=\"%s\", "
            "label=<<table border=\"0\" cellborder=\"0\" cellspacing=\"0\" cellpadding=\"1\">"
            "<tr><td><font point-size=\"14\"><b>",
            index, colour);
    text(d->out, short_name(s, pd->name));
    fputs("</b></font></td></tr><tr><td>", d->out);
    text(d->out, pd->program != NULL ? pd->program : "");
    fprintf(d->out, "</td></tr><tr><td>priority %u%s", pd->priority,
            pd->passive ? ", passive" : "");
    if (pd->budget != pd->period) {
        fprintf(d->out, ", %llu of %llu us", (unsigned long long)pd->budget,
                (unsigned long long)pd->period);
    }
    if (pd->cpu != 0) {
        fprintf(d->out, ", cpu %u", pd->cpu);
    }
    if (pd->parent != SYSTEM_NONE) {
        fprintf(d->out, ", child %u of ", pd->child_id);
        text(d->out, s->pds[pd->parent].name);
    }
    fputs("</td></tr>", d->out);
    for (size_t i = 0; i < pd->map_count; i++) {
        size_t region = pd->maps[i].region;
        bool shared = s->regions[region].has_phys;
        for (size_t p = 0; p < s->pd_count; p++) {
            shared |= p != index && rights_of(s, p, region) != 0;
        }
        if (!shared) {
            fputs("<tr><td><font point-size=\"9\" color=\"#666666\">", d->out);
            text(d->out, short_name(s, s->regions[region].name));
            fputs("  ", d->out);
            size_text(d->out, s->regions[region].size);
            fprintf(d->out, "  %s</font></td></tr>", rights(pd->maps[i].perms));
            draw_private_dma(d, region);
        }
    }
    fputs("</table>>];\n", d->out);
}

/* The channel that joins exactly the two PDs of a table, or NULL. */
static const struct system_channel *channel_of(const struct system *s, uint64_t pds)
{
    for (size_t i = 0; i < s->channel_count; i++) {
        const struct system_end *ends = s->channels[i].end;
        if (!ends[0].pp && !ends[1].pp && ends[0].pd < 64 && ends[1].pd < 64 &&
            pds == (UINT64_C(1) << ends[0].pd | UINT64_C(1) << ends[1].pd)) {
            return &s->channels[i];
        }
    }
    return NULL;
}

static void draw_group_title(const struct drawing *d, const struct group *group, size_t common)
{
    const struct system *s = d->system;
    const char *first = short_name(s, s->regions[group->regions[0]].name);
    char *title = model_format("%.*s", (int)common, first);
    if (common > 0 && title[common - 1] == '_') {
        title[common - 1] = '\0';
    }
    fputs("<tr><td align=\"left\"><b>", d->out);
    text(d->out, *title != '\0' ? title : "shared");
    fputs("</b></td><td></td>", d->out);
    free(title);
    for (size_t p = 0; p < s->pd_count && p < 64; p++) {
        if ((group->pds >> p & 1) != 0) {
            fputs("<td> <i>", d->out);
            text(d->out, short_name(s, s->pds[p].name));
            fputs("</i> </td>", d->out);
        }
    }
    fputs(group->dma ? "<td> <i>DMA</i> </td></tr>" : "</tr>", d->out);
}

static void draw_group_region(const struct drawing *d, const struct group *group, size_t index,
                              size_t common)
{
    const struct system *s = d->system;
    unsigned device = device_rights(s, index);
    const char *colour = device != 0 ? " bgcolor=\"" COLOUR_DATA "\"" : "";
    fprintf(d->out, "<tr><td align=\"left\"%s>", colour);
    text(d->out, group->count == 1 ? "" : short_name(s, s->regions[index].name) + common);
    fprintf(d->out, "</td><td align=\"right\"%s>", colour);
    size_text(d->out, s->regions[index].size);
    fputs("</td>", d->out);
    for (size_t p = 0; p < s->pd_count && p < 64; p++) {
        if ((group->pds >> p & 1) != 0) {
            fprintf(d->out, "<td%s>%s</td>", colour, rights(rights_of(s, p, index)));
        }
    }
    if (group->dma) {
        fprintf(d->out, "<td%s>%s</td>", colour, rights(device));
    }
    fputs("</tr>", d->out);
}

/* Each PD's number of the channel, and an arrow if it may notify the other. */
static void draw_group_channel(const struct drawing *d, const struct group *group)
{
    const struct system_channel *channel = channel_of(d->system, group->pds);
    if (channel == NULL) {
        return;
    }
    fputs("<tr><td align=\"left\"><font color=\"" COLOUR_NOTIFY "\">channel</font></td><td></td>",
          d->out);
    for (size_t p = 0; p < d->system->pd_count && p < 64; p++) {
        if ((group->pds >> p & 1) != 0) {
            const struct system_end *end = &channel->end[channel->end[0].pd == p ? 0 : 1];
            fprintf(d->out, "<td><font color=\"" COLOUR_NOTIFY "\">%u%s</font></td>", end->id,
                    end->notify ? "" : " (silent)");
        }
    }
    fputs(group->dma ? "<td></td></tr>" : "</tr>", d->out);
}

static void draw_group(const struct drawing *d, size_t index)
{
    const struct group *group = &d->groups[index];
    size_t common = common_length(d->system, group);
    fprintf(d->out,
            "    group%zu [shape=box, style=filled, color=\"#999999\", fillcolor=\"" COLOUR_SHARED
            "\", fontsize=9, label=<<table border=\"0\" cellborder=\"0\" cellspacing=\"0\" "
            "cellpadding=\"1\">",
            index);
    draw_group_title(d, group, common);
    for (size_t i = 0; i < group->count; i++) {
        draw_group_region(d, group, group->regions[i], common);
    }
    draw_group_channel(d, group);
    fputs("</table>>];\n", d->out);
}

static bool has_irq(const struct board_device *device, uint64_t irq)
{
    for (size_t i = 0; i < device->irq_count; i++) {
        if (device->irqs[i].irq == irq) {
            return true;
        }
    }
    return false;
}

static bool has_region(const struct board_device *device, const struct system_region *region)
{
    for (size_t i = 0; i < device->region_count && region->has_phys; i++) {
        const struct board_region *r = &device->regions[i];
        if (!r->memory && region->phys >= r->phys && region->phys - r->phys < r->size) {
            return true;
        }
    }
    return false;
}

/* A device that some PD has an interrupt or a region of, with a line to that PD. */
static void draw_device(const struct drawing *d, size_t index)
{
    const struct system *s = d->system;
    const struct board_device *device = &d->board->devices[index];
    bool drawn = false;
    for (size_t p = 0; p < s->pd_count; p++) {
        bool used = false;
        for (size_t i = 0; i < s->pds[p].irq_count; i++) {
            if (!has_irq(device, s->pds[p].irqs[i].irq)) {
                continue;
            }
            fprintf(d->out,
                    "  device%zu -> pd%zu [color=\"" COLOUR_NOTIFY "\", style=dashed, "
                    "label=\"interrupt %llu\", headlabel=\" %u \"];\n",
                    index, p, (unsigned long long)s->pds[p].irqs[i].irq, s->pds[p].irqs[i].id);
            used = true;
        }
        for (size_t i = 0; i < s->pds[p].map_count; i++) {
            used |= has_region(device, &s->regions[s->pds[p].maps[i].region]);
        }
        if (!used) {
            continue;
        }
        drawn = true;
        fprintf(d->out, "  device%zu -> pd%zu [dir=none, weight=4, label=<", index, p);
        const char *separator = "";
        for (size_t i = 0; i < s->pds[p].map_count; i++) {
            const struct system_map *map = &s->pds[p].maps[i];
            if (has_region(device, &s->regions[map->region])) {
                fputs(separator, d->out);
                text(d->out, short_name(s, s->regions[map->region].name));
                fprintf(d->out, "  %s", rights(map->perms));
                separator = "<br/>";
            }
        }
        fputs(*separator == '\0' ? " " : "", d->out);
        fputs(">];\n", d->out);
    }
    if (!drawn) {
        return;
    }
    fprintf(d->out,
            "  device%zu [shape=component, style=filled, fillcolor=\"" COLOUR_DEVICE "\", "
            "label=<<b>",
            index);
    text(d->out, device->name);
    fputs("</b>>];\n", d->out);
}

/* ---- lines --------------------------------------------------------------------------------- */

static size_t highest(const struct system *s, uint64_t pds)
{
    size_t best = SYSTEM_NONE;
    for (size_t p = 0; p < s->pd_count && p < 64; p++) {
        if ((pds >> p & 1) != 0 &&
            (best == SYSTEM_NONE || s->pds[p].priority > s->pds[best].priority)) {
            best = p;
        }
    }
    return best;
}

/* A table hangs below the highest of its PDs and above the others; arrows point where writes go. */
static void draw_rights(const struct drawing *d, size_t index)
{
    const struct system *s = d->system;
    const struct group *group = &d->groups[index];
    size_t top = highest(s, group->pds);
    for (size_t p = 0; p < s->pd_count && p < 64; p++) {
        if ((group->pds >> p & 1) == 0) {
            continue;
        }
        bool reads = false;
        bool writes = false;
        for (size_t i = 0; i < group->count; i++) {
            unsigned perms = rights_of(s, p, group->regions[i]);
            writes |= (perms & SYSTEM_WRITE) != 0;
            reads |= (perms & SYSTEM_WRITE) == 0;
        }
        const char *label = reads && writes ? "rw, r" : writes ? "rw" : "r";
        fprintf(d->out, p == top ? "  pd%zu -> group%zu" : "  group%zu -> pd%zu",
                p == top ? p : index, p == top ? index : p);
        fprintf(d->out, " [dir=none, color=\"#777777\", penwidth=%s, label=\" %s \"];\n",
                writes ? "1.6" : "0.8", label);
    }
}

/* Is the channel a line of a table already? */
static bool in_table(const struct drawing *d, const struct system_channel *channel)
{
    for (size_t i = 0; i < d->group_count; i++) {
        if (channel_of(d->system, d->groups[i].pds) == channel) {
            return true;
        }
    }
    return false;
}

/* From the caller, or the higher one, to the other; arrows where a call or a notification goes. */
static void draw_channel(const struct drawing *d, const struct system_channel *channel)
{
    const struct system *s = d->system;
    const struct system_end *a = &channel->end[0];
    const struct system_end *b = &channel->end[1];
    if (in_table(d, channel)) {
        return;
    }
    bool calls = a->pp || b->pp;
    if (calls ? b->pp : s->pds[a->pd].priority < s->pds[b->pd].priority) {
        a = &channel->end[1];
        b = &channel->end[0];
    }
    bool forward = calls || a->notify;
    const char *direction = forward && b->notify ? "both"
                            : forward            ? "forward"
                            : b->notify          ? "back"
                                                 : "none";
    const char *colour = calls ? COLOUR_CALL : COLOUR_NOTIFY;
    fprintf(d->out,
            "  pd%zu -> pd%zu [constraint=false, dir=%s, arrowtail=open, style=%s, arrowsize=0.8, "
            "color=\"%s\", fontcolor=\"%s\", label=\"%s\", taillabel=\" %u \", "
            "headlabel=\" %u \"];\n",
            a->pd, b->pd, direction, calls ? "solid" : "dashed", colour, colour,
            !calls      ? ""
            : b->notify ? " call, notified "
                        : " call ",
            a->id, b->id);
}

/* ---- the picture --------------------------------------------------------------------------- */

static void draw_frames(const struct drawing *d)
{
    const struct system *s = d->system;
    for (size_t frame = 0; frame <= s->io_space_count; frame++) {
        bool outside = frame == s->io_space_count;
        if (!outside) {
            fprintf(d->out,
                    "  subgraph cluster%zu {\n    style=\"rounded\"; color=\"#9db7d3\"; "
                    "fontsize=16; labeljust=l; label=<<b>",
                    frame);
            text(d->out, s->io_spaces[frame].name);
            fputs("</b>>;\n", d->out);
        }
        for (size_t i = 0; i < s->pd_count; i++) {
            size_t of = frame_of(s, s->pds[i].name);
            if (of == frame || (outside && of == SYSTEM_NONE)) {
                draw_pd(d, i);
            }
        }
        for (size_t i = 0; i < d->group_count; i++) {
            size_t of = d->groups[i].frame;
            if (of == frame || (outside && of == SYSTEM_NONE)) {
                draw_group(d, i);
            }
        }
        fputs(outside ? "" : "  }\n", d->out);
    }
}

/* PDs of one priority on one level, and the levels in order. */
static void draw_levels(const struct drawing *d)
{
    const struct system *s = d->system;
    size_t above = SYSTEM_NONE;
    for (int priority = 254; priority >= 0; priority--) {
        size_t first = SYSTEM_NONE;
        for (size_t i = 0; i < s->pd_count; i++) {
            if (s->pds[i].priority != (unsigned)priority) {
                continue;
            }
            if (first == SYSTEM_NONE) {
                first = i;
                fputs("  { rank=same;", d->out);
            }
            fprintf(d->out, " pd%zu;", i);
        }
        if (first == SYSTEM_NONE) {
            continue;
        }
        fputs(" }\n", d->out);
        if (above != SYSTEM_NONE) {
            fprintf(d->out, "  pd%zu -> pd%zu [style=invis, weight=0, minlen=1];\n", above, first);
        }
        above = first;
    }
}

bool system_draw(const struct system *system, const struct board *board, FILE *dot)
{
    struct drawing d = {.system = system, .board = board, .out = dot};
    find_groups(&d);
    fputs("digraph system {\n"
          "  graph [rankdir=TB, newrank=true, nodesep=0.35, ranksep=0.45, splines=true, "
          "fontname=\"Helvetica\", labelloc=t, fontsize=18, label=<<b>",
          dot);
    text(dot, system->name);
    fputs("</b><br/><font point-size=\"10\">boxes: protection domains, the higher the priority the "
          "further up; tables: shared memory with each one's rights,<br/>and the channel by which "
          "they notify each other; dashed: other notifications; orange: protected procedure "
          "calls</font>>];\n"
          "  node [fontname=\"Helvetica\", fontsize=10];\n"
          "  edge [fontname=\"Helvetica\", fontsize=9];\n",
          dot);
    draw_frames(&d);
    for (size_t i = 0; i < board->device_count; i++) {
        draw_device(&d, i);
    }
    draw_levels(&d);
    for (size_t i = 0; i < d.group_count; i++) {
        draw_rights(&d, i);
    }
    for (size_t i = 0; i < system->channel_count; i++) {
        draw_channel(&d, &system->channels[i]);
    }
    fputs("}\n", dot);
    for (size_t i = 0; i < d.group_count; i++) {
        free(d.groups[i].regions);
    }
    free(d.groups);
    return fflush(dot) == 0 && !ferror(dot);
}
