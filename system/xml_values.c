/* SPDX-License-Identifier: BSD-2-Clause */
/* Attributes' values: strings, numbers, rights, addresses; and what is wrong with them. */
#include <stdlib.h>
#include <string.h>

#include "system/model.h"
#include "system/xml.h"

static const char *text_of(const xmlChar *text)
{
    return (const char *)text;
}

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

bool xml_power_of_two(const struct xml_file *file, xmlNodePtr node, const char *name, uint64_t max,
                      uint64_t *value)
{
    uint64_t number;
    if (!xml_number(file, node, name, 1, max, &number)) {
        return false;
    }
    if ((number & (number - 1)) != 0) {
        uint64_t below = 1;
        while (below * 2 < number) {
            below *= 2;
        }
        system_error(file->errors, xml_place(file, node),
                     "%s=\"%llu\" is no power of two; %llu or %llu would be", name,
                     (unsigned long long)number, (unsigned long long)below,
                     (unsigned long long)below * 2);
        return false;
    }
    *value = number;
    return true;
}

/* The number in the largest unit that it is whole in; to be freed. */
static char *quantity_text(uint64_t number, const struct xml_unit *units, size_t unit_count)
{
    size_t unit = unit_count - 1;
    while (number % units[unit].factor != 0) {
        unit--;
    }
    return model_format("%llu%s", (unsigned long long)(number / units[unit].factor),
                        units[unit].name);
}

static uint64_t quantity_factor(const char *suffix, const struct xml_unit *units, size_t unit_count)
{
    for (size_t i = 0; i < unit_count; i++) {
        if (strcmp(suffix, units[i].name) == 0) {
            return units[i].factor;
        }
    }
    return 0;
}

static void report_unit(const struct xml_file *file, xmlNodePtr node, const char *name,
                        const char *text, const char *suffix, const struct xml_unit *units,
                        size_t unit_count)
{
    const char **names = NULL;
    size_t count = 0;
    for (size_t i = 0; i < unit_count; i++) {
        *(const char **)model_append(&names, &count, sizeof(*names)) = units[i].name;
    }
    /* Nothing is near to no unit, or all are. */
    char *hint = model_suggest(*suffix == '\0' ? "(no unit)" : suffix, names, count, "units");
    system_error(file->errors, xml_place(file, node),
                 *suffix == '\0' ? "%s=\"%s\" has no unit; %s"
                                 : "%s=\"%s\" has no unit that means something; %s",
                 name, text, hint);
    free(hint);
    free(names);
}

bool xml_quantity(const struct xml_file *file, xmlNodePtr node, const char *name,
                  const struct xml_unit *units, size_t unit_count, uint64_t min, uint64_t max,
                  uint64_t *value)
{
    char *text = xml_string(file, node, name);
    if (text == NULL) {
        return false;
    }
    uint64_t number;
    bool overflow;
    const char *suffix = scan_number(text, &number, &overflow);
    uint64_t factor = suffix == NULL ? 0 : quantity_factor(suffix, units, unit_count);
    bool good = false;
    if (suffix == NULL) {
        system_error(file->errors, xml_place(file, node),
                     "%s=\"%s\" is no number with a unit; \"1%s\" would be one", name, text,
                     units[unit_count - 1].name);
    } else if (factor == 0) {
        report_unit(file, node, name, text, suffix, units, unit_count);
    } else if (overflow || __builtin_mul_overflow(number, factor, &number) || number < min ||
               number > max) {
        char *from = quantity_text(min, units, unit_count);
        char *to = quantity_text(max, units, unit_count);
        system_error(file->errors, xml_place(file, node),
                     "%s=\"%s\" is out of range; it goes from %s to %s", name, text, from, to);
        free(from);
        free(to);
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

static bool perms_of(const struct xml_file *file, xmlNodePtr node, bool write_only, unsigned *perms)
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
    } else if (!write_only && (value & SYSTEM_READ) == 0 && (value & SYSTEM_WRITE) != 0) {
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

bool xml_perms(const struct xml_file *file, xmlNodePtr node, unsigned *perms)
{
    return perms_of(file, node, false, perms);
}

bool xml_io_perms(const struct xml_file *file, xmlNodePtr node, unsigned *perms)
{
    return perms_of(file, node, true, perms);
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
