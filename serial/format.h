/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Formatted output, a character at a time and without a buffer: what the C library has would bring
 * floating point along, and differs from platform to platform.
 */
#pragma once

#include <stdarg.h>

/*
 * Conversions d i u x X p c s %, with flags '0' '-' '+' ' ' '#', width and precision (numbers or
 * '*'), and h hh l ll z j t. A conversion that it does not know is put out as it stands, and ends
 * the formatting: what its argument is nobody knows.
 */
void format_put(void (*put)(char c), const char *format, va_list arguments);
