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
    for (char *c = message; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ') { /* a hostile file's control characters stay off terminals */
            *c = ' ';
        }
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

/* "did you mean" among the names that are no refused ones. */
static char *suggest(const struct xml_name *names, const char *name, const char *plural)
{
    const char *candidates[32];
    size_t count = 0;
    for (; names != NULL && names->name != NULL && count < 32; names++) {
        if (names->need != XML_REFUSED) {
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

/* ---- values -------------------------------------------------------------------------------- */

char *xml_string(const struct xml_file *file, xmlNodePtr node, const char *name)
{
    xmlChar *value = xmlGetNoNsProp(node, (const xmlChar *)name);
    if (value == NULL) {
        return NULL;
    }
    char *copy = model_string(text_of(value));
    xmlFree(value);
    if (*copy == '\0') {
        system_error(file->errors, xml_place(file, node),
                     "attribute \"%s\" of <%s> is empty; give it a value, or remove it", name,
                     text_of(node->name));
        free(copy);
        return NULL;
    }
    return copy;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 99;
}

/* Decimal, or hexadecimal behind 0x, with _ between digits. Returns where the number ends. */
static const char *scan_number(const char *text, uint64_t *value, bool *overflow)
{
    uint64_t base = 10;
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X') && digit_of(text[2]) < 16) {
        base = 16;
        text += 2;
    }
    *value = 0;
    *overflow = false;
    if ((uint64_t)digit_of(*text) >= base) {
        return NULL;
    }
    for (;; text++) {
        if (*text == '_' && (uint64_t)digit_of(text[1]) < base) {
            continue;
        }
        uint64_t digit = (uint64_t)digit_of(*text);
        if (digit >= base) {
            return text;
        }
        if (__builtin_mul_overflow(*value, base, value) ||
            __builtin_add_overflow(*value, digit, value)) {
            *overflow = true;
        }
    }
}

/* 4k, 2M, 1GiB: what a person writes who hopes for units. */
static uint64_t unit_of(const char *suffix)
{
    static const struct {
        const char *letters;
        uint64_t bytes;
    } units[] = {{"kK", 1 << 10}, {"mM", 1 << 20}, {"gG", 1 << 30}};
    for (size_t i = 0; i < 3; i++) {
        if (*suffix != '\0' && strchr(units[i].letters, *suffix) != NULL) {
            const char *rest = suffix + 1;
            if (*rest == '\0' || strcmp(rest, "B") == 0 || strcmp(rest, "iB") == 0) {
                return units[i].bytes;
            }
        }
    }
    return 0;
}

bool xml_number(const struct xml_file *file, xmlNodePtr node, const char *name, uint64_t min,
                uint64_t max, uint64_t *value)
{
    char *text = xml_string(file, node, name);
    if (text == NULL) {
        return false;
    }
    struct system_place place = xml_place(file, node);
    uint64_t number;
    bool overflow;
    bool good = false;
    const char *end = scan_number(text, &number, &overflow);
    uint64_t unit = end == NULL ? 0 : unit_of(end);
    uint64_t scaled;
    if (unit != 0 && !overflow && !__builtin_mul_overflow(number, unit, &scaled)) {
        system_error(file->errors, place, "%s=\"%s\" has a unit; write it as 0x%llx", name, text,
                     (unsigned long long)scaled);
    } else if (end == NULL || *end != '\0') {
        system_error(file->errors, place,
                     "%s=\"%s\" is no number; write it in decimal, or in hexadecimal with 0x", name,
                     text);
    } else if (overflow || number < min || number > max) {
        bool large = max > 1000000;
        system_error(file->errors, place,
                     large ? "%s=\"%s\" is out of range; it goes from 0x%llx to 0x%llx"
                           : "%s=\"%s\" is out of range; it goes from %llu to %llu",
                     name, text, (unsigned long long)min, (unsigned long long)max);
    } else {
        *value = number;
        good = true;
    }
    free(text);
    return good;
}

bool xml_bool(const struct xml_file *file, xmlNodePtr node, const char *name, bool *value)
{
    char *text = xml_string(file, node, name);
    if (text == NULL) {
        return false;
    }
    bool yes = strcmp(text, "true") == 0;
    bool good = yes || strcmp(text, "false") == 0;
    if (good) {
        *value = yes;
    } else {
        system_error(file->errors, xml_place(file, node),
                     "%s=\"%s\" is neither \"true\" nor \"false\"", name, text);
    }
    free(text);
    return good;
}

bool xml_perms(const struct xml_file *file, xmlNodePtr node, unsigned *perms)
{
    char *text = xml_string(file, node, "perms");
    if (text == NULL) {
        return false;
    }
    unsigned value = 0;
    bool good = true;
    for (const char *c = text; *c != '\0' && good; c++) {
        unsigned bit = *c == 'r'   ? SYSTEM_READ
                       : *c == 'w' ? SYSTEM_WRITE
                       : *c == 'x' ? SYSTEM_EXECUTE
                                   : 0;
        good = bit != 0 && (value & bit) == 0;
        value |= bit;
    }
    if (!good) {
        system_error(file->errors, xml_place(file, node),
                     "perms=\"%s\" are no rights; write some of r, w and x, each once", text);
    } else if ((value & SYSTEM_READ) == 0 && (value & SYSTEM_WRITE) != 0) {
        system_error(file->errors, xml_place(file, node),
                     "perms=\"%s\" can be written but not read, which no page table can say; "
                     "write \"rw\"",
                     text);
        good = false;
    } else {
        *perms = value;
    }
    free(text);
    return good;
}

bool xml_mac(const struct xml_file *file, xmlNodePtr node, uint8_t mac[6])
{
    char *text = xml_string(file, node, "mac");
    if (text == NULL) {
        return false;
    }
    bool good = strlen(text) == 17;
    uint8_t bytes[6];
    for (size_t i = 0; i < 6 && good; i++) {
        int high = digit_of(text[3 * i]);
        int low = digit_of(text[3 * i + 1]);
        good = high < 16 && low < 16 && text[3 * i + 2] == (i < 5 ? ':' : '\0');
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    if (!good) {
        system_error(file->errors, xml_place(file, node),
                     "mac=\"%s\" is no MAC address; write six bytes, like 52:54:00:00:00:01", text);
    } else {
        memcpy(mac, bytes, sizeof(bytes));
    }
    free(text);
    return good;
}

/* Four decimal bytes; returns where they end, or NULL. */
static const char *scan_ipv4(const char *text, uint32_t *address)
{
    *address = 0;
    for (int i = 0; i < 4; i++) {
        unsigned byte = 0;
        int digits = 0;
        for (; *text >= '0' && *text <= '9' && digits < 4; text++, digits++) {
            byte = byte * 10 + (unsigned)(*text - '0');
        }
        if (digits == 0 || digits > 3 || byte > 255 || (i < 3 && *text++ != '.')) {
            return NULL;
        }
        *address = *address << 8 | byte;
    }
    return text;
}

bool xml_ipv4(const struct xml_file *file, xmlNodePtr node, const char *name, uint32_t *address)
{
    char *text = xml_string(file, node, name);
    if (text == NULL) {
        return false;
    }
    uint32_t value;
    const char *end = scan_ipv4(text, &value);
    bool good = end != NULL && *end == '\0';
    if (good) {
        *address = value;
    } else {
        system_error(file->errors, xml_place(file, node),
                     "%s=\"%s\" is no IPv4 address; write it like 10.0.0.1", name, text);
    }
    free(text);
    return good;
}

bool xml_prefixed_ipv4(const struct xml_file *file, xmlNodePtr node, const char *name,
                       uint32_t *address, unsigned *prefix)
{
    char *text = xml_string(file, node, name);
    if (text == NULL) {
        return false;
    }
    struct system_place place = xml_place(file, node);
    uint32_t value;
    uint64_t bits = 0;
    bool overflow;
    const char *slash = scan_ipv4(text, &value);
    const char *end =
        slash != NULL && *slash == '/' ? scan_number(slash + 1, &bits, &overflow) : NULL;
    bool good = false;
    if (slash != NULL && *slash == '\0') {
        system_error(file->errors, place, "%s=\"%s\" lacks the subnet's prefix; write \"%s/24\"",
                     name, text, text);
    } else if (end == NULL || *end != '\0') {
        system_error(file->errors, place,
                     "%s=\"%s\" is no IPv4 address with prefix; write it like 10.0.0.10/24", name,
                     text);
    } else if (bits < 1 || bits > 30 || overflow) {
        system_error(file->errors, place,
                     "%s=\"%s\" has a bad prefix; it goes from 1 to 30 bits, mostly 24", name,
                     text);
    } else {
        *address = value;
        *prefix = (unsigned)bits;
        good = true;
    }
    free(text);
    return good;
}
