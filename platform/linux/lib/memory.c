/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What compilers call by themselves, and this library, for programs that bring no C library. (In
 * the archive for such programs only; who brings one links its own.)
 */
#include <stddef.h>

void *memcpy(void *to, const void *from, size_t size)
{
    unsigned char *at = to;
    const unsigned char *source = from;
    for (size_t i = 0; i < size; i++)
        at[i] = source[i];
    return to;
}

void *memmove(void *to, const void *from, size_t size)
{
    unsigned char *at = to;
    const unsigned char *source = from;
    if (at <= source)
        return memcpy(to, from, size);
    while (size-- > 0)
        at[size] = source[size];
    return to;
}

void *memset(void *to, int value, size_t size)
{
    unsigned char *at = to;
    for (size_t i = 0; i < size; i++)
        at[i] = (unsigned char)value;
    return to;
}

int memcmp(const void *a, const void *b, size_t size)
{
    const unsigned char *left = a, *right = b;
    for (size_t i = 0; i < size; i++)
        if (left[i] != right[i])
            return left[i] - right[i];
    return 0;
}

size_t strlen(const char *text)
{
    size_t length = 0;
    while (text[length] != '\0')
        length++;
    return length;
}
