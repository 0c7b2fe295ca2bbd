/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parts of the parser share; for parse.c and parse_sddf.c only. */
#pragma once

#include "system/system.h"
#include "system/xml.h"

struct parse {
    struct xml_file xml;
    struct system *system;
};

/* The index of the PD that attribute "pd" names; SYSTEM_NONE with the mistake reported. */
size_t parse_pd_reference(const struct parse *p, xmlNodePtr node);

/* Keeps what of the element is XML_KEPT: whose it is, by index (and map), for who writes it. */
void parse_kept(struct parse *p, xmlNodePtr node, const struct xml_spec *spec,
                enum system_owner owner, size_t index, size_t map);

void parse_network(struct parse *p, xmlNodePtr node);
void parse_timer(struct parse *p, xmlNodePtr node);
void parse_serial(struct parse *p, xmlNodePtr node);
void parse_idle(struct parse *p, xmlNodePtr node);
