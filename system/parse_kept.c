/* SPDX-License-Identifier: BSD-2-Clause */
/* What of a description is the Microkit's alone, as text (struct system_kept). */
#include <libxml/tree.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "system/model.h"
#include "system/parse.h"

static const char *text_of(const xmlChar *name)
{
    return (const char *)name;
}

static const struct xml_name *kept_name(const struct xml_name *names, const xmlChar *name)
{
    for (; names->name != NULL; names++) {
        if (names->need == XML_KEPT && strcmp(names->name, text_of(name)) == 0) {
            return names;
        }
    }
    return NULL;
}

/* The node as XML. */
static char *text_of_node(const struct parse *p, xmlNodePtr node)
{
    xmlBufferPtr buffer = xmlBufferCreate();
    xmlNodeDump(buffer, p->xml.document, node, 0, 0);
    char *text = model_string(text_of(xmlBufferContent(buffer)));
    xmlBufferFree(buffer);
    return text;
}

/*
 * The file is looked for in the description's folder, and named by its whole path, as the
 * Microkit's tool is started elsewhere. NULL: there is none.
 */
static char *prefill_text(const struct parse *p, xmlNodePtr node)
{
    char *path = xml_string(&p->xml, node, "prefill_path");
    const char *slash = strrchr(p->system->file, '/');
    char whole[PATH_MAX];
    char *text = NULL;
    if (path == NULL) {
        return NULL;
    }
    const int folder = path[0] == '/' || slash == NULL ? 0 : (int)(slash + 1 - p->system->file);
    char *near = model_format("%.*s%s", folder, p->system->file, path);
    if (realpath(near, whole) != NULL && access(whole, R_OK) == 0) {
        /* libxml2 knows how it is written. */
        xmlNodePtr shell = xmlNewNode(NULL, (const xmlChar *)"x");
        xmlNewProp(shell, (const xmlChar *)"prefill_path", (const xmlChar *)whole);
        text = text_of_node(p, (xmlNodePtr)shell->properties);
        xmlFreeNode(shell);
    }
    free(near);
    free(path);
    return text;
}

static struct system_kept *add(struct system *s, const struct system_kept *kept,
                               const struct xml_name *known, xmlNodePtr inside)
{
    struct system_kept *one = model_append(&s->kept, &s->kept_count, sizeof(*one));
    *one = *kept;
    one->name = model_string(known->name);
    one->inside = model_string(text_of(inside->name));
    one->why = known->why;
    one->since = known->since;
    return one;
}

void parse_kept(struct parse *p, xmlNodePtr node, const struct xml_spec *spec,
                enum system_owner owner, size_t index, size_t map)
{
    struct system_kept kept = {
        .owner = owner, .index = index, .map = map, .place = xml_place(&p->xml, node)};
    for (xmlAttrPtr attribute = node->properties; attribute != NULL; attribute = attribute->next) {
        const struct xml_name *known = kept_name(spec->attributes, attribute->name);
        if (known != NULL) {
            add(p->system, &kept, known, node)->text = strcmp(known->name, "prefill_path") == 0
                                                           ? prefill_text(p, node)
                                                           : text_of_node(p, (xmlNodePtr)attribute);
        }
    }
    kept.element = true;
    for (xmlNodePtr child = node->children; child != NULL; child = child->next) {
        const struct xml_name *known =
            child->type == XML_ELEMENT_NODE ? kept_name(spec->children, child->name) : NULL;
        if (known != NULL) {
            kept.place = xml_place(&p->xml, child);
            add(p->system, &kept, known, node)->text = text_of_node(p, child);
        }
    }
}
