/* SPDX-License-Identifier: BSD-2-Clause */
#include "format.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conversion {
    bool zero, left, plus, space, alternate;
    bool has_precision;
    unsigned width;
    unsigned precision;
    int size; /* -2 hh, -1 h, 0 int, 1 l, 2 ll and the others of 64 bits */
};

static void put_times(void (*put)(char c), char c, unsigned times)
{
    while (times-- > 0) {
        put(c);
    }
}

/* More than a line can hold is as good as a line. */
#define WIDTH_MAX 4096

static unsigned missing(unsigned wanted, unsigned there)
{
    wanted = wanted < WIDTH_MAX ? wanted : WIDTH_MAX;
    return wanted > there ? wanted - there : 0;
}

static void put_string(void (*put)(char c), const struct conversion *conversion, const char *text)
{
    unsigned length = 0;
    if (text == NULL) {
        text = "(null)";
    }
    while ((!conversion->has_precision || length < conversion->precision) && text[length] != '\0') {
        length++;
    }
    unsigned padding = missing(conversion->width, length);
    put_times(put, ' ', conversion->left ? 0 : padding);
    for (unsigned i = 0; i < length; i++) {
        put(text[i]);
    }
    put_times(put, ' ', conversion->left ? padding : 0);
}

static void put_number(void (*put)(char c), const struct conversion *conversion, uint64_t value,
                       unsigned base, const char *digits, const char *prefix)
{
    char reversed[20]; /* 2^64 has so many decimal digits */
    unsigned count = 0;
    for (; value != 0; value /= base) {
        reversed[count++] = digits[value % base];
    }
    unsigned least = conversion->has_precision ? conversion->precision : 1;
    unsigned sign = prefix[0] == '\0' ? 0 : prefix[1] == '\0' ? 1 : 2;
    unsigned zeroes = missing(least, count);
    unsigned padding = missing(conversion->width, sign + zeroes + count);
    if (conversion->zero && !conversion->left && !conversion->has_precision) {
        zeroes += padding;
        padding = 0;
    }
    put_times(put, ' ', conversion->left ? 0 : padding);
    while (*prefix != '\0') {
        put(*prefix++);
    }
    put_times(put, '0', zeroes);
    while (count > 0) {
        put(reversed[--count]);
    }
    put_times(put, ' ', conversion->left ? padding : 0);
}

static const char *parse_flags(const char *at, struct conversion *conversion)
{
    for (;; at++) {
        switch (*at) {
        case '0':
            conversion->zero = true;
            break;
        case '-':
            conversion->left = true;
            break;
        case '+':
            conversion->plus = true;
            break;
        case ' ':
            conversion->space = true;
            break;
        case '#':
            conversion->alternate = true;
            break;
        default:
            return at;
        }
    }
}

static const char *parse_digits(const char *at, unsigned *number)
{
    for (; *at >= '0' && *at <= '9'; at++) {
        *number = *number < WIDTH_MAX ? *number * 10 + (unsigned)(*at - '0') : *number;
    }
    return at;
}

static const char *parse_size(const char *at, int *size)
{
    switch (*at) {
    case 'h':
        *size = at[1] == 'h' ? -2 : -1;
        return at + (at[1] == 'h' ? 2 : 1);
    case 'l':
        *size = at[1] == 'l' ? 2 : 1;
        return at + (at[1] == 'l' ? 2 : 1);
    case 'z':
    case 'j':
    case 't':
        *size = 2;
        return at + 1;
    default:
        return at;
    }
}

/* A va_list that went by value may not be used further by who gave it; a struct of one may. */
struct arguments {
    va_list list;
};

/* size_t, intmax_t and ptrdiff_t have 64 bits where this runs, as long has. */
_Static_assert(sizeof(long) == 8 && sizeof(size_t) == 8, "64-bit targets only");

static int64_t take_signed(struct arguments *arguments, int size)
{
    if (size > 0) {
        return va_arg(arguments->list, long);
    }
    int value = va_arg(arguments->list, int);
    return size == -2 ? (signed char)value : size == -1 ? (short)value : value;
}

static uint64_t take_unsigned(struct arguments *arguments, int size)
{
    if (size > 0) {
        return va_arg(arguments->list, unsigned long);
    }
    unsigned value = va_arg(arguments->list, unsigned);
    return size == -2 ? (unsigned char)value : size == -1 ? (unsigned short)value : value;
}

/* False: there is no such conversion. */
static bool convert(void (*put)(char c), struct conversion *conversion, char kind,
                    struct arguments *arguments)
{
    static const char lower[] = "0123456789abcdef", upper[] = "0123456789ABCDEF";
    switch (kind) {
    case 'd':
    case 'i': {
        int64_t value = take_signed(arguments, conversion->size);
        uint64_t magnitude = value < 0 ? -(uint64_t)value : (uint64_t)value;
        const char *sign = value < 0 ? "-" : conversion->plus ? "+" : conversion->space ? " " : "";
        put_number(put, conversion, magnitude, 10, lower, sign);
        return true;
    }
    case 'u':
        put_number(put, conversion, take_unsigned(arguments, conversion->size), 10, lower, "");
        return true;
    case 'x':
    case 'X': {
        uint64_t value = take_unsigned(arguments, conversion->size);
        const char *prefix = kind == 'x' ? "0x" : "0X";
        put_number(put, conversion, value, 16, kind == 'x' ? lower : upper,
                   conversion->alternate && value != 0 ? prefix : "");
        return true;
    }
    case 'p':
        put_number(put, conversion, (uintptr_t)va_arg(arguments->list, void *), 16, lower, "0x");
        return true;
    case 'c': {
        char text[2] = {(char)va_arg(arguments->list, int), '\0'};
        put_string(put, conversion, text);
        return true;
    }
    case 's':
        put_string(put, conversion, va_arg(arguments->list, const char *));
        return true;
    case '%':
        put('%');
        return true;
    default:
        return false;
    }
}

void format_put(void (*put)(char c), const char *format, va_list list)
{
    struct arguments arguments;
    va_copy(arguments.list, list);
    while (*format != '\0') {
        if (*format != '%') {
            put(*format++);
            continue;
        }
        struct conversion conversion = {0};
        const char *at = parse_flags(format + 1, &conversion);
        if (*at == '*') {
            int width = va_arg(arguments.list, int);
            conversion.left |= width < 0;
            conversion.width = width < 0 ? -(unsigned)width : (unsigned)width;
            at++;
        } else {
            at = parse_digits(at, &conversion.width);
        }
        if (*at == '.') {
            conversion.has_precision = true;
            if (at[1] == '*') {
                int precision = va_arg(arguments.list, int);
                conversion.has_precision = precision >= 0;
                conversion.precision = precision >= 0 ? (unsigned)precision : 0;
                at += 2;
            } else {
                at = parse_digits(at + 1, &conversion.precision);
            }
        }
        at = parse_size(at, &conversion.size);
        if (!convert(put, &conversion, *at, &arguments)) {
            while (*format != '\0') {
                put(*format++); /* to the end, as it stands */
            }
            break;
        }
        format = at + 1;
    }
    va_end(arguments.list);
}
