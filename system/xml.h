/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * XML for parse.c and board.c: a file read by libxml2 into its tree, with a table per element of
 * what it may have, and values that report what is wrong with them. Nothing outside the file is
 * ever read: DOCTYPE, and with it every entity, is refused.
 */
#pragma once

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <stdbool.h>
#include <stdint.h>

#include "system/system.h"

#define XML_FILE_MAX (4u << 20) /* bytes; no description is that long */

struct xml_file {
    const char *path;
    struct system_errors *errors;
    xmlParserCtxtPtr context;
    xmlDocPtr document;
};

enum xml_need {
    XML_OPTIONAL,
    XML_REQUIRED,
    XML_REFUSED, /* the Microkit knows it, no board of ours has anything like it */
    XML_KEPT,    /* the Microkit's alone: it is not looked into, and written as it stands */
};

struct xml_name {
    const char *name;
    enum xml_need need;
    const char *why; /* XML_REFUSED; XML_KEPT: why not on Linux */
    unsigned since;  /* XML_KEPT: the release with which it came */
};

/* What an element may have; both arrays end with a NULL name. */
struct xml_spec {
    const struct xml_name *attributes;
    const struct xml_name *children;
};

/* False if the file is no XML, with the mistake reported. Close it in any case. */
bool xml_open(struct xml_file *file, const char *path, const char *root,
              struct system_errors *errors);
void xml_close(struct xml_file *file);
xmlNodePtr xml_root(const struct xml_file *file);

/* Elements of that name in a node, in order; `after` is the last one, or NULL to begin. */
xmlNodePtr xml_child(xmlNodePtr node, const char *name, xmlNodePtr after);
struct system_place xml_place(const struct xml_file *file, xmlNodePtr node);

/* Reports what the element must not have, and what it lacks. */
void xml_verify(const struct xml_file *file, xmlNodePtr node, const struct xml_spec *spec);

/* A copy of the attribute, or NULL if there is none. An empty one is a mistake, and NULL. */
char *xml_string(const struct xml_file *file, xmlNodePtr node, const char *name);

/* The functions below leave the value alone and return false if it is absent or a mistake. */
bool xml_number(const struct xml_file *file, xmlNodePtr node, const char *name, uint64_t min,
                uint64_t max, uint64_t *value);
bool xml_power_of_two(const struct xml_file *file, xmlNodePtr node, const char *name, uint64_t max,
                      uint64_t *value);

/* A unit behind a number, and what it stands for in the smallest one. */
struct xml_unit {
    const char *name;
    uint64_t factor;
};

/* A whole number and a unit: "100Mb/s". The units ascend; `min` and `max` are in the smallest. */
bool xml_quantity(const struct xml_file *file, xmlNodePtr node, const char *name,
                  const struct xml_unit *units, size_t unit_count, uint64_t min, uint64_t max,
                  uint64_t *value);
bool xml_bool(const struct xml_file *file, xmlNodePtr node, const char *name, bool *value);
bool xml_perms(const struct xml_file *file, xmlNodePtr node, unsigned *perms);
bool xml_io_perms(const struct xml_file *file, xmlNodePtr node, unsigned *perms); /* or only w */
bool xml_mac(const struct xml_file *file, xmlNodePtr node, uint8_t mac[6]);
bool xml_ipv4(const struct xml_file *file, xmlNodePtr node, const char *name, uint32_t *address);
bool xml_prefixed_ipv4(const struct xml_file *file, xmlNodePtr node, const char *name,
                       uint32_t *address, unsigned *prefix);
