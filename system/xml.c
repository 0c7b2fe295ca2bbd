/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <libxml/xmlerror.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "system/model.h"
#include "system/xml.h"

static const char *text_of(const xmlChar *text)
{
    return (const char *)text;
}

/* ---- the file ------------------------------------------------------------------------------ */

/* The parser's own complaint. Only the first says something; the others follow from it. */
static void on_error(void *user, xmlErrorPtr error)
{
    xmlParserCtxtPtr context = user;
    struct xml_file *file = context->_private;
    if (error->level < XML_ERR_ERROR || file->errors->count > 0) {
        return;
    }
    char *message = model_string(error->message != NULL ? error->message : "unreadable");
    size_t length = strlen(message);
    while (length > 0 && (message[length - 1] == '\n' || message[length - 1] == ' ')) {
        message[--length] = '\0';
    }
    system_error(file->errors, (struct system_place){file->path, error->line},
                 "not well-formed XML: %s", message);
    free(message);
}

/* Called at "<!DOCTYPE", before any of its declarations is read. */
static void on_doctype(void *user, const xmlChar *name, const xmlChar *external,
                       const xmlChar *system_id)
{
    (void)name;
    (void)external;
    (void)system_id;
    xmlParserCtxtPtr context = user;
    struct xml_file *file = context->_private;
    system_error(file->errors, (struct system_place){file->path, xmlSAX2GetLineNumber(context)},
                 "a description has no DOCTYPE and no entities; remove it");
    xmlStopParser(context);
}

static char *read_file(const char *path, size_t *size, struct system_errors *errors)
{
    struct system_place place = {path, 0};
    FILE *in = fopen(path, "rb");
    if (in == NULL) {
        system_error(errors, place, "cannot be read: %s", strerror(errno));
        return NULL;
    }
    char *bytes = malloc(XML_FILE_MAX);
    *size = bytes == NULL ? 0 : fread(bytes, 1, XML_FILE_MAX, in);
    bool failed = bytes == NULL || ferror(in);
    int error = errno;
    fclose(in);
    if (failed) {
        system_error(errors, place, "cannot be read: %s", strerror(error));
    } else if (*size == 0) {
        system_error(errors, place, "is empty; a description begins with an element <system>");
    } else if (*size == XML_FILE_MAX) {
        system_error(errors, place, "is longer than %u bytes, which no description is",
                     XML_FILE_MAX - 1);
    } else {
        return bytes;
    }
    free(bytes);
    return NULL;
}

/* In document order, within root. */
static xmlNodePtr next_element(xmlNodePtr node, xmlNodePtr root)
{
    xmlNodePtr child = xmlFirstElementChild(node);
    if (child != NULL) {
        return child;
    }
    for (; node != root; node = node->parent) {
        xmlNodePtr sibling = xmlNextElementSibling(node);
        if (sibling != NULL) {
            return sibling;
        }
    }
    return NULL;
}

/* The byte behind the next `end` at or after `at`, or the end of the text. */
static size_t skip_to(const char *bytes, size_t size, size_t at, const char *end)
{
    const char *found = memmem(bytes + at, size - at, end, strlen(end));
    return found == NULL ? size : (size_t)(found - bytes) + strlen(end);
}

/* The byte behind a start tag, whose attributes may contain ">". */
static size_t skip_tag(const char *bytes, size_t size, size_t at)
{
    char quote = '\0';
    for (; at < size; at++) {
        if (quote != '\0') {
            quote = bytes[at] == quote ? '\0' : quote;
        } else if (bytes[at] == '"' || bytes[at] == '\'') {
            quote = bytes[at];
        } else if (bytes[at] == '>') {
            return at + 1;
        }
    }
    return size;
}

/*
 * Notes at each element the line that it begins in: libxml2 knows only where its start tag ends,
 * which is somewhere else when there is an attribute a line. The text is known to be well-formed,
 * so its start tags are the elements in document order. (In UTF-16 there are none to be seen, and
 * libxml2's lines must do.)
 */
static void note_lines(xmlNodePtr root, const char *bytes, size_t size)
{
    xmlNodePtr node = root;
    uintptr_t line = 1;
    for (size_t at = 0; at < size && node != NULL;) {
        size_t next = at + 1;
        bool starts = false;
        if (bytes[at] == '<') {
            const char *rest = bytes + at + 1;
            size_t left = size - at - 1;
            if (left >= 3 && memcmp(rest, "!--", 3) == 0) {
                next = skip_to(bytes, size, at + 4, "-->");
            } else if (left >= 8 && memcmp(rest, "![CDATA[", 8) == 0) {
                next = skip_to(bytes, size, at + 9, "]]>");
            } else if (left >= 1 && *rest == '?') {
                next = skip_to(bytes, size, at + 2, "?>");
            } else {
                starts = left >= 1 && *rest != '/';
                next = skip_tag(bytes, size, at + 1);
            }
        }
        if (starts) {
            node->_private = (void *)line;
            node = next_element(node, root);
        }
        for (; at < next; at++) {
            line += bytes[at] == '\n';
        }
    }
}

bool xml_open(struct xml_file *file, const char *path, const char *root,
              struct system_errors *errors)
{
    size_t before = errors->count;
    struct system_errors own = {0}; /* so that the first syntax error of this file is known */
    *file = (struct xml_file){.path = path, .errors = errors};
    size_t size;
    char *bytes = read_file(path, &size, errors);
    if (bytes == NULL) {
        return false;
    }
    file->context = xmlNewParserCtxt();
    if (file->context == NULL) {
        free(bytes);
        system_error(errors, (struct system_place){path, 0}, "cannot be read: out of memory");
        return false;
    }
    file->errors = &own;
    file->context->_private = file;
    file->context->sax->serror = on_error;
    file->context->sax->internalSubset = on_doctype;
    file->context->record_info =
        1; /* where elements begin; libxml2's own lines are where tags end */
    file->document = xmlCtxtReadMemory(file->context, bytes, (int)size, path, NULL,
                                       XML_PARSE_NONET | XML_PARSE_BIG_LINES | XML_PARSE_NOCDATA);
    if (own.count == 0 && file->document != NULL) {
        note_lines(xml_root(file), bytes, size);
    }
    free(bytes);
    file->errors = errors;
    for (size_t i = 0; i < own.count; i++) {
        system_error(errors, own.list[i].place, "%s", own.list[i].text);
    }
    bool broken = own.count > 0 || file->document == NULL;
    system_errors_free(&own);
    xmlNodePtr node = xml_root(file);
    if (!broken && (node == NULL || strcmp(text_of(node->name), root) != 0)) {
        system_error(errors, node == NULL ? (struct system_place){path, 0} : xml_place(file, node),
                     "the outermost element is <%s>; it must be <%s>",
                     node == NULL ? "" : text_of(node->name), root);
    } else if (broken && errors->count == before) {
        system_error(errors, (struct system_place){path, 0}, "not well-formed XML");
    }
    return errors->count == before;
}

void xml_close(struct xml_file *file)
{
    xmlFreeDoc(file->document);
    file->document = NULL;
    if (file->context != NULL) {
        xmlFreeParserCtxt(file->context);
        file->context = NULL;
    }
}

xmlNodePtr xml_root(const struct xml_file *file)
{
    return file->document == NULL ? NULL : xmlDocGetRootElement(file->document);
}

/* ---- elements ------------------------------------------------------------------------------ */

xmlNodePtr xml_child(xmlNodePtr node, const char *name, xmlNodePtr after)
{
    xmlNodePtr child = after == NULL ? node->children : after->next;
    while (child != NULL && (child->type != XML_ELEMENT_NODE || child->ns != NULL ||
                             strcmp(text_of(child->name), name) != 0)) {
        child = child->next;
    }
    return child;
}

struct system_place xml_place(const struct xml_file *file, xmlNodePtr node)
{
    long line = node->_private != NULL ? (long)(uintptr_t)node->_private : xmlGetLineNo(node);
    return (struct system_place){file->path, (int)line};
}

static const struct xml_name *find(const struct xml_name *names, const char *name)
{
    for (; names != NULL && names->name != NULL; names++) {
        if (strcmp(names->name, name) == 0) {
            return names;
        }
    }
    return NULL;
}

/* "did you mean" among the names that every board knows. */
static char *suggest(const struct xml_name *names, const char *name, const char *plural)
{
    const char *candidates[32];
    size_t count = 0;
    for (; names != NULL && names->name != NULL && count < 32; names++) {
        if (names->need != XML_REFUSED && names->need != XML_KEPT) {
            candidates[count++] = names->name;
        }
    }
    return model_suggest(name, candidates, count, plural);
}

static void verify_attributes(const struct xml_file *file, xmlNodePtr node,
                              const struct xml_spec *spec)
{
    struct system_place place = xml_place(file, node);
    for (xmlAttrPtr attribute = node->properties; attribute != NULL; attribute = attribute->next) {
        const char *name = text_of(attribute->name);
        const struct xml_name *known = find(spec->attributes, name);
        if (known == NULL || attribute->ns != NULL) {
            char *hint = suggest(spec->attributes, name, "attributes");
            bool prefixed = attribute->ns != NULL && attribute->ns->prefix != NULL;
            system_error(file->errors, place, "<%s> has no attribute \"%s%s%s\"; %s",
                         text_of(node->name), prefixed ? text_of(attribute->ns->prefix) : "",
                         prefixed ? ":" : "", name, hint);
            free(hint);
        } else if (known->need == XML_REFUSED) {
            system_error(file->errors, place,
                         "attribute \"%s\" of <%s> is not supported on this platform: %s", name,
                         text_of(node->name), known->why);
        }
    }
    for (const struct xml_name *known = spec->attributes; known->name != NULL; known++) {
        if (known->need == XML_REQUIRED && xmlHasProp(node, (const xmlChar *)known->name) == NULL) {
            system_error(file->errors, place, "<%s> lacks the attribute \"%s\"",
                         text_of(node->name), known->name);
        }
    }
}

static void verify_child(const struct xml_file *file, xmlNodePtr child, const struct xml_spec *spec)
{
    const char *name = text_of(child->name);
    const char *outer = text_of(child->parent->name);
    const struct xml_name *known = find(spec->children, name);
    if (known == NULL || child->ns != NULL) {
        char *hint = suggest(spec->children, name, "elements in it");
        system_error(file->errors, xml_place(file, child), "<%s> has no element <%s>; %s", outer,
                     name, hint);
        free(hint);
    } else if (known->need == XML_REFUSED) {
        system_error(file->errors, xml_place(file, child),
                     "element <%s> is not supported on this platform: %s", name, known->why);
    }
}

void xml_verify(const struct xml_file *file, xmlNodePtr node, const struct xml_spec *spec)
{
    verify_attributes(file, node, spec);
    for (xmlNodePtr child = node->children; child != NULL; child = child->next) {
        if (child->type == XML_ELEMENT_NODE) {
            verify_child(file, child, spec);
        } else if (child->type == XML_TEXT_NODE && !xmlIsBlankNode(child)) {
            system_error(file->errors, xml_place(file, node),
                         "<%s> contains text; everything is said in attributes and elements",
                         text_of(node->name));
        }
    }
    for (const struct xml_name *known = spec->children; known != NULL && known->name != NULL;
         known++) {
        if (known->need == XML_REQUIRED && xml_child(node, known->name, NULL) == NULL) {
            system_error(file->errors, xml_place(file, node), "<%s> lacks an element <%s>",
                         text_of(node->name), known->name);
        }
    }
}
