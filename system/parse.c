/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Microkit's part of a description: XML to model. Regions come first, then protection domains,
 * then what refers to them, whatever their order in the file. parse_sddf.c has sDDF's own elements.
 */
#include <stdlib.h>
#include <string.h>

#include "system/model.h"
#include "system/parse.h"

#define STACK_DEFAULT 0x2000
#define STACK_MAX     0x1000000

/* ---- what each element may have ------------------------------------------------------------ */

#define REFUSED(its_name, reason)                                                                  \
    {                                                                                              \
        .name = its_name, .need = XML_REFUSED, .why = reason                                       \
    }
#define KEPT(its_name, reason, release)                                                            \
    {                                                                                              \
        .name = its_name, .need = XML_KEPT, .why = reason, .since = release                        \
    }

static const struct xml_name no_names[] = {{0}};

static const struct xml_name system_children[] = {
    {.name = "memory_region"},
    {.name = "protection_domain"},
    {.name = "channel"},
    {.name = "io_address_space"},
    {.name = "network"},
    {.name = "timer"},
    {.name = "serial"},
    {.name = "idle"},
    KEPT("domains", "PDs are scheduled by priority and budget, not by time domains",
         SYSTEM_SDF_NEWER),
    {0},
};
static const struct xml_spec system_spec = {no_names, system_children};

static const struct xml_name region_attributes[] = {
    {.name = "name", .need = XML_REQUIRED},
    {.name = "size", .need = XML_REQUIRED},
    {.name = "page_size"},
    {.name = "phys_addr"},
    KEPT("prefill_path", "regions start zeroed; let a PD write what they should hold",
         SYSTEM_SDF_PREFILL),
    REFUSED("prefill_bootinfo", "it tells of an x86_64's firmware"),
    {0},
};
static const struct xml_spec region_spec = {region_attributes, no_names};

static const struct xml_name pd_attributes[] = {
    {.name = "name", .need = XML_REQUIRED},
    {.name = "priority"},
    {.name = "budget"},
    {.name = "period"},
    {.name = "passive"},
    {.name = "stack_size"},
    {.name = "cpu"},
    {.name = "poll"},
    {.name = "shutdown"},
    {.name = "id"},
    {.name = "setvar_id"},
    KEPT("smc", "there is no secure monitor to call", SYSTEM_SDF_OLDEST),
    KEPT("fpu", "a process has its floating-point unit", SYSTEM_SDF_NEWER),
    KEPT("domain", "PDs are scheduled by priority and budget, not by time domains",
         SYSTEM_SDF_NEWER),
    {0},
};
static const struct xml_name pd_children[] = {
    {.name = "program_image", .need = XML_REQUIRED},
    {.name = "map"},
    {.name = "irq"},
    {.name = "setvar"},
    {.name = "protection_domain"},
    KEPT("virtual_machine", "a PD cannot be a hypervisor", SYSTEM_SDF_OLDEST),
    REFUSED("ioport", "no PD may use I/O ports"),
    KEPT("cspace", "there are no seL4 capabilities to place", SYSTEM_SDF_NEWER),
    {0},
};
static const struct xml_spec pd_spec = {pd_attributes, pd_children};

static const struct xml_name image_attributes[] = {
    {.name = "path", .need = XML_REQUIRED},
    REFUSED("path_for_symbols", "what is set is looked for in the program itself"),
    {0},
};
static const struct xml_spec image_spec = {image_attributes, no_names};

static const struct xml_name map_attributes[] = {
    {.name = "mr", .need = XML_REQUIRED},
    {.name = "vaddr", .need = XML_REQUIRED},
    {.name = "perms"},
    {.name = "cached"},
    {.name = "setvar_vaddr"},
    {.name = "setvar_size"},
    KEPT("setvar_prefill_size", "regions start zeroed", SYSTEM_SDF_PREFILL),
    {0},
};
static const struct xml_spec map_spec = {map_attributes, no_names};

static const char pci_reason[] = "a device's interrupts are numbered by its board file; use irq";
static const struct xml_name irq_attributes[] = {
    {.name = "irq", .need = XML_REQUIRED},
    {.name = "id", .need = XML_REQUIRED},
    {.name = "trigger"},
    {.name = "setvar_id"},
    REFUSED("pcidev", pci_reason),
    REFUSED("handle", pci_reason),
    REFUSED("vector", pci_reason),
    REFUSED("pin", pci_reason),
    REFUSED("ioapic", pci_reason),
    REFUSED("level", pci_reason),
    REFUSED("polarity", pci_reason),
    {0},
};
static const struct xml_spec irq_spec = {irq_attributes, no_names};

static const struct xml_name setvar_attributes[] = {
    {.name = "symbol", .need = XML_REQUIRED},
    {.name = "region_paddr", .need = XML_REQUIRED},
    {0},
};
static const struct xml_spec setvar_spec = {setvar_attributes, no_names};

static const struct xml_name channel_children[] = {
    {.name = "end", .need = XML_REQUIRED},
    {0},
};
static const struct xml_spec channel_spec = {no_names, channel_children};

static const struct xml_name end_attributes[] = {
    {.name = "pd", .need = XML_REQUIRED},
    {.name = "id", .need = XML_REQUIRED},
    {.name = "pp"},
    {.name = "notify"},
    {.name = "setvar_id"},
    {0},
};
static const struct xml_spec end_spec = {end_attributes, no_names};

static const char id_reason[] = "the board's device is found by the name of the address space";
static const struct xml_name io_space_attributes[] = {
    {.name = "name", .need = XML_REQUIRED},
    REFUSED("peripheral_id", id_reason),
    REFUSED("domain_id", id_reason),
    {0},
};
static const struct xml_name io_space_children[] = {
    {.name = "iomap", .need = XML_REQUIRED},
    {0},
};
static const struct xml_spec io_space_spec = {io_space_attributes, io_space_children};

static const struct xml_name iomap_attributes[] = {
    {.name = "mr", .need = XML_REQUIRED},
    {.name = "iovaddr", .need = XML_REQUIRED},
    {.name = "perms"},
    {0},
};
static const struct xml_spec iomap_spec = {iomap_attributes, no_names};

/* ---- references ---------------------------------------------------------------------------- */

static size_t reference(const struct parse *p, xmlNodePtr node, const char *attribute,
                        const char *what, const char *plural, const char *const *names,
                        size_t count)
{
    char *name = xml_string(&p->xml, node, attribute);
    if (name == NULL) {
        return SYSTEM_NONE;
    }
    size_t found = SYSTEM_NONE;
    for (size_t i = 0; i < count && found == SYSTEM_NONE; i++) {
        if (strcmp(names[i], name) == 0) {
            found = i;
        }
    }
    if (found == SYSTEM_NONE) {
        char *hint = model_suggest(name, names, count, plural);
        system_error(p->xml.errors, xml_place(&p->xml, node), "there is no %s \"%s\"; %s", what,
                     name, hint);
        free(hint);
    }
    free(name);
    return found;
}

size_t parse_pd_reference(const struct parse *p, xmlNodePtr node)
{
    const char **names = NULL;
    size_t count = 0;
    for (size_t i = 0; i < p->system->pd_count; i++) {
        *(const char **)model_append(&names, &count, sizeof(*names)) = p->system->pds[i].name;
    }
    size_t found =
        reference(p, node, "pd", "protection domain", "protection domains", names, count);
    free(names);
    return found;
}

static size_t region_reference(const struct parse *p, xmlNodePtr node, const char *attribute)
{
    const char **names = NULL;
    size_t count = 0;
    for (size_t i = 0; i < p->system->region_count; i++) {
        *(const char **)model_append(&names, &count, sizeof(*names)) = p->system->regions[i].name;
    }
    size_t found = reference(p, node, attribute, "memory region", "memory regions", names, count);
    free(names);
    return found;
}

/* A channel's, interrupt's or child's number. */
static unsigned parse_id(const struct parse *p, xmlNodePtr node)
{
    uint64_t id = SYSTEM_ID_NONE;
    xml_number(&p->xml, node, "id", 0, SYSTEM_CHANNELS_MAX - 1, &id);
    return (unsigned)id;
}

/* ---- memory regions ------------------------------------------------------------------------ */

static void parse_region(struct parse *p, xmlNodePtr node)
{
    xml_verify(&p->xml, node, &region_spec);
    struct system_region region = {.page_size = 0x1000, .place = xml_place(&p->xml, node)};
    xml_number(&p->xml, node, "size", 0x1000, UINT64_C(1) << 46, &region.size);
    region.has_page_size =
        xml_number(&p->xml, node, "page_size", 0x1000, 0x40000000, &region.page_size);
    if (region.has_page_size && region.page_size != 0x1000 && region.page_size != 0x200000) {
        system_error(p->xml.errors, region.place,
                     "page_size=\"0x%llx\" is no size of pages; it is 0x1000 or 0x200000",
                     (unsigned long long)region.page_size);
        region.page_size = 0x1000;
    }
    region.has_phys = xml_number(&p->xml, node, "phys_addr", 0, UINT64_C(1) << 52, &region.phys);
    region.name = xml_string(&p->xml, node, "name");
    if (region.name == NULL) {
        return; /* reported; nothing can refer to it */
    }
    struct system *s = p->system;
    parse_kept(p, node, &region_spec, SYSTEM_OF_REGION, s->region_count, 0);
    *(struct system_region *)model_append(&s->regions, &s->region_count, sizeof(region)) = region;
}

/* ---- protection domains -------------------------------------------------------------------- */

static void parse_map(struct parse *p, xmlNodePtr node, struct system_pd *pd)
{
    xml_verify(&p->xml, node, &map_spec);
    struct system_map map = {
        .region = region_reference(p, node, "mr"),
        .perms = SYSTEM_READ | SYSTEM_WRITE,
        .cached = true,
        .place = xml_place(&p->xml, node),
    };
    bool placed =
        xml_number(&p->xml, node, "vaddr", SYSTEM_VADDR_MIN, SYSTEM_VADDR_MAX - 1, &map.vaddr);
    if (!placed || map.region == SYSTEM_NONE) {
        map.region = SYSTEM_NONE; /* nothing more to be said about it */
    }
    xml_perms(&p->xml, node, &map.perms);
    xml_bool(&p->xml, node, "cached", &map.cached);
    map.setvar_vaddr = xml_string(&p->xml, node, "setvar_vaddr");
    map.setvar_size = xml_string(&p->xml, node, "setvar_size");
    parse_kept(p, node, &map_spec, SYSTEM_OF_MAP, p->system->pd_count, pd->map_count);
    *(struct system_map *)model_append(&pd->maps, &pd->map_count, sizeof(map)) = map;
}

static void parse_irq(struct parse *p, xmlNodePtr node, struct system_pd *pd)
{
    xml_verify(&p->xml, node, &irq_spec);
    struct system_irq irq = {.irq = UINT64_MAX, .place = xml_place(&p->xml, node)};
    xml_number(&p->xml, node, "irq", 0, UINT32_MAX, &irq.irq);
    irq.id = parse_id(p, node);
    char *trigger = xml_string(&p->xml, node, "trigger");
    if (trigger != NULL) {
        irq.edge = strcmp(trigger, "edge") == 0;
        if (!irq.edge && strcmp(trigger, "level") != 0) {
            system_error(p->xml.errors, irq.place,
                         "trigger=\"%s\" is neither \"level\" nor \"edge\"", trigger);
        }
        free(trigger);
    }
    irq.setvar_id = xml_string(&p->xml, node, "setvar_id");
    *(struct system_irq *)model_append(&pd->irqs, &pd->irq_count, sizeof(irq)) = irq;
}

static void parse_setvar(struct parse *p, xmlNodePtr node, struct system_pd *pd)
{
    xml_verify(&p->xml, node, &setvar_spec);
    struct system_setvar setvar = {
        .region = region_reference(p, node, "region_paddr"),
        .symbol = xml_string(&p->xml, node, "symbol"),
        .place = xml_place(&p->xml, node),
    };
    if (setvar.symbol != NULL) {
        *(struct system_setvar *)model_append(&pd->setvars, &pd->setvar_count, sizeof(setvar)) =
            setvar;
    }
}

static void parse_image(struct parse *p, xmlNodePtr node, struct system_pd *pd)
{
    xmlNodePtr image = xml_child(node, "program_image", NULL);
    if (image == NULL) {
        return;
    }
    xml_verify(&p->xml, image, &image_spec);
    pd->program = xml_string(&p->xml, image, "path");
    xmlNodePtr second = xml_child(node, "program_image", image);
    if (second != NULL) {
        system_error(p->xml.errors, xml_place(&p->xml, second),
                     "a second <program_image>; a protection domain has one program");
    }
}

static void parse_pd_values(struct parse *p, xmlNodePtr node, struct system_pd *pd)
{
    uint64_t priority = 0;
    xml_number(&p->xml, node, "priority", 0, 254, &priority);
    pd->priority = (unsigned)priority;
    pd->budget = 1000;
    xml_number(&p->xml, node, "budget", 1, UINT64_C(1000000000), &pd->budget);
    pd->period = pd->budget;
    if (xml_number(&p->xml, node, "period", 1, UINT64_C(1000000000), &pd->period) &&
        pd->budget > pd->period) {
        system_error(p->xml.errors, pd->place,
                     "budget %llu is more than period %llu; both are in microseconds, and the "
                     "budget is part of the period",
                     (unsigned long long)pd->budget, (unsigned long long)pd->period);
        pd->period = pd->budget;
    }
    xml_bool(&p->xml, node, "passive", &pd->passive);
    pd->stack_size = STACK_DEFAULT;
    if (xml_number(&p->xml, node, "stack_size", 0x1000, STACK_MAX, &pd->stack_size) &&
        pd->stack_size % 0x1000 != 0) {
        system_error(p->xml.errors, pd->place,
                     "stack_size=\"0x%llx\" is no multiple of 0x1000; 0x%llx would be",
                     (unsigned long long)pd->stack_size,
                     (unsigned long long)model_round_up(pd->stack_size, 0x1000));
        pd->stack_size = STACK_DEFAULT;
    }
    uint64_t cpu = 0;
    xml_number(&p->xml, node, "cpu", 0, 63, &cpu);
    pd->cpu = (unsigned)cpu;
    xml_number(&p->xml, node, "poll", 0, SYSTEM_POLL_MAX, &pd->poll);
    xml_bool(&p->xml, node, "shutdown", &pd->shutdown);
}

static void parse_child_values(struct parse *p, xmlNodePtr node, struct system_pd *pd)
{
    bool has_id = xmlHasProp(node, (const xmlChar *)"id") != NULL;
    pd->child_id = SYSTEM_ID_NONE;
    if (pd->parent != SYSTEM_NONE) {
        if (!has_id) {
            system_error(p->xml.errors, pd->place,
                         "a protection domain within another needs an attribute \"id\"");
        }
        pd->child_id = parse_id(p, node);
        pd->child_setvar_id = xml_string(&p->xml, node, "setvar_id");
    } else if (has_id || xmlHasProp(node, (const xmlChar *)"setvar_id") != NULL) {
        system_error(p->xml.errors, pd->place,
                     "\"id\" and \"setvar_id\" are for a protection domain within another; "
                     "remove them here");
    }
}

/* Children behind their parent, so that an element's index is above its parent's. */
static void parse_pd(struct parse *p, xmlNodePtr node, size_t parent)
{
    xml_verify(&p->xml, node, &pd_spec);
    struct system_pd pd = {.parent = parent, .place = xml_place(&p->xml, node)};
    parse_pd_values(p, node, &pd);
    parse_child_values(p, node, &pd);
    parse_image(p, node, &pd);
    for (xmlNodePtr n = NULL; (n = xml_child(node, "map", n)) != NULL;) {
        parse_map(p, n, &pd);
    }
    for (xmlNodePtr n = NULL; (n = xml_child(node, "irq", n)) != NULL;) {
        parse_irq(p, n, &pd);
    }
    for (xmlNodePtr n = NULL; (n = xml_child(node, "setvar", n)) != NULL;) {
        parse_setvar(p, n, &pd);
    }
    pd.name = xml_string(&p->xml, node, "name");
    if (pd.name == NULL) {
        pd.name = model_string("(without a name)"); /* reported; its other mistakes still count */
    }
    struct system *s = p->system;
    size_t index = s->pd_count;
    parse_kept(p, node, &pd_spec, SYSTEM_OF_PD, index, 0);
    *(struct system_pd *)model_append(&s->pds, &s->pd_count, sizeof(pd)) = pd;
    for (xmlNodePtr n = NULL; (n = xml_child(node, "protection_domain", n)) != NULL;) {
        parse_pd(p, n, index);
    }
}

/* ---- what refers to protection domains ----------------------------------------------------- */

static void parse_end(struct parse *p, xmlNodePtr node, struct system_end *end)
{
    xml_verify(&p->xml, node, &end_spec);
    end->pd = parse_pd_reference(p, node);
    end->id = parse_id(p, node);
    end->notify = true;
    xml_bool(&p->xml, node, "pp", &end->pp);
    xml_bool(&p->xml, node, "notify", &end->notify);
    end->setvar_id = xml_string(&p->xml, node, "setvar_id");
    end->place = xml_place(&p->xml, node);
}

static void parse_channel(struct parse *p, xmlNodePtr node)
{
    xml_verify(&p->xml, node, &channel_spec);
    struct system_channel channel = {.place = xml_place(&p->xml, node)};
    channel.end[0].pd = channel.end[1].pd = SYSTEM_NONE;
    channel.end[0].id = channel.end[1].id = SYSTEM_ID_NONE;
    size_t count = 0;
    for (xmlNodePtr n = NULL; (n = xml_child(node, "end", n)) != NULL; count++) {
        if (count < 2) {
            parse_end(p, n, &channel.end[count]);
        }
    }
    if (count != 2 && count != 0) {
        system_error(p->xml.errors, channel.place, "the channel has %zu end%s; it must have two",
                     count, count == 1 ? "" : "s");
    }
    struct system *s = p->system;
    *(struct system_channel *)model_append(&s->channels, &s->channel_count, sizeof(channel)) =
        channel;
}

static void parse_io_space(struct parse *p, xmlNodePtr node)
{
    xml_verify(&p->xml, node, &io_space_spec);
    struct system_io_space space = {
        .name = xml_string(&p->xml, node, "name"),
        .place = xml_place(&p->xml, node),
    };
    for (xmlNodePtr n = NULL; (n = xml_child(node, "iomap", n)) != NULL;) {
        xml_verify(&p->xml, n, &iomap_spec);
        struct system_iomap map = {
            .region = region_reference(p, n, "mr"),
            .perms = SYSTEM_READ | SYSTEM_WRITE,
            .place = xml_place(&p->xml, n),
        };
        xml_io_perms(&p->xml, n, &map.perms);
        if (!xml_number(&p->xml, n, "iovaddr", 0, UINT64_C(1) << 48, &map.iovaddr)) {
            map.region = SYSTEM_NONE;
        }
        *(struct system_iomap *)model_append(&space.maps, &space.map_count, sizeof(map)) = map;
    }
    struct system *s = p->system;
    *(struct system_io_space *)model_append(&s->io_spaces, &s->io_space_count, sizeof(space)) =
        space;
}

/* "examples/echo/echo.xml" is the system "echo". */
static char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *name = model_string(slash == NULL ? path : slash + 1);
    char *dot = strrchr(name, '.');
    if (dot != NULL && dot != name) {
        *dot = '\0';
    }
    return name;
}

bool system_parse(const char *path, struct system *system, struct system_errors *errors)
{
    size_t before = errors->count;
    *system = (struct system){.file = model_string(path), .name = name_of(path)};
    struct parse p = {.system = system};
    if (xml_open(&p.xml, system->file, "system", errors)) {
        xmlNodePtr root = xml_root(&p.xml);
        xml_verify(&p.xml, root, &system_spec);
        parse_kept(&p, root, &system_spec, SYSTEM_OF_ALL, 0, 0);
        for (xmlNodePtr n = NULL; (n = xml_child(root, "memory_region", n)) != NULL;) {
            parse_region(&p, n);
        }
        for (xmlNodePtr n = NULL; (n = xml_child(root, "protection_domain", n)) != NULL;) {
            parse_pd(&p, n, SYSTEM_NONE);
        }
        for (xmlNodePtr n = NULL; (n = xml_child(root, "channel", n)) != NULL;) {
            parse_channel(&p, n);
        }
        for (xmlNodePtr n = NULL; (n = xml_child(root, "io_address_space", n)) != NULL;) {
            parse_io_space(&p, n);
        }
        for (xmlNodePtr n = NULL; (n = xml_child(root, "network", n)) != NULL;) {
            parse_network(&p, n);
        }
        for (xmlNodePtr n = NULL; (n = xml_child(root, "timer", n)) != NULL;) {
            parse_timer(&p, n);
        }
        for (xmlNodePtr n = NULL; (n = xml_child(root, "serial", n)) != NULL;) {
            parse_serial(&p, n);
        }
        for (xmlNodePtr n = NULL; (n = xml_child(root, "idle", n)) != NULL;) {
            parse_idle(&p, n);
        }
    }
    xml_close(&p.xml);
    return errors->count == before;
}
