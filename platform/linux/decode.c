/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Did this x86-64 instruction read or write? The kernel knows, and does not tell a tracer. Only
 * what compilers emit is decoded, and only as far as the question needs; the rest is "unknown".
 */
#include "internal.h"

struct cursor {
    const unsigned char *code;
    size_t size;
    bool wide_map; /* 0f: the second table of opcodes */
};

static void skip(struct cursor *at, size_t count)
{
    count = count < at->size ? count : at->size;
    at->code += count;
    at->size -= count;
}

static bool is_prefix(unsigned char byte)
{
    return byte == 0x66 || byte == 0x67 || byte == 0xf0 || byte == 0xf2 || byte == 0xf3 ||
           byte == 0x2e || byte == 0x36 || byte == 0x3e || byte == 0x26 || byte == 0x64 ||
           byte == 0x65 || (byte & 0xf0) == 0x40;
}

static void skip_prefixes(struct cursor *at)
{
    while (at->size > 0 && is_prefix(at->code[0]))
        skip(at, 1);
    if (at->size > 2 && at->code[0] == 0xc5) {
        skip(at, 2);
        at->wide_map = true;
    } else if (at->size > 3 && at->code[0] == 0xc4) {
        at->wide_map = (at->code[1] & 31) == 1;
        skip(at, at->wide_map ? 3 : at->size); /* (the other tables: unknown) */
    } else if (at->size > 1 && at->code[0] == 0x0f) {
        skip(at, 1);
        at->wide_map = true;
    }
}

static enum linux_access one_byte(unsigned char op, unsigned reg)
{
    if (op < 0x40) /* add or adc sbb and sub xor cmp */
        return (op & 7) <= 1 && op < 0x38 ? LINUX_ACCESS_WRITE : LINUX_ACCESS_READ;
    if (op >= 0x80 && op <= 0x83)
        return reg == 7 ? LINUX_ACCESS_READ : LINUX_ACCESS_WRITE;
    if ((op & 0xfe) == 0xc0 || (op >= 0xd0 && op <= 0xd3))
        return LINUX_ACCESS_WRITE; /* shifts */
    switch (op) {
    case 0x86: /* xchg */
    case 0x87:
    case 0x88: /* mov to memory */
    case 0x89:
    case 0x8f: /* pop */
    case 0xa2:
    case 0xa3:
    case 0xaa: /* stos */
    case 0xab:
    case 0xc6:
    case 0xc7:
        return LINUX_ACCESS_WRITE;
    case 0x63:
    case 0x69:
    case 0x6b:
    case 0x84: /* test */
    case 0x85:
    case 0x8a: /* mov from memory */
    case 0x8b:
    case 0xa0:
    case 0xa1:
    case 0xa6:
    case 0xa7:
    case 0xac:
    case 0xad:
    case 0xae:
    case 0xaf:
        return LINUX_ACCESS_READ;
    case 0xf6: /* test, not, neg, mul ... */
    case 0xf7:
        return reg == 2 || reg == 3 ? LINUX_ACCESS_WRITE : LINUX_ACCESS_READ;
    case 0xfe: /* inc, dec; call, jmp, push through memory */
    case 0xff:
        return reg <= 1 ? LINUX_ACCESS_WRITE : LINUX_ACCESS_READ;
    default:
        return LINUX_ACCESS_UNKNOWN;
    }
}

static enum linux_access two_bytes(unsigned char op, unsigned reg)
{
    if (op >= 0x90 && op <= 0x9f)
        return LINUX_ACCESS_WRITE; /* setcc */
    switch (op) {
    case 0x11: /* vector moves to memory */
    case 0x13:
    case 0x17:
    case 0x29:
    case 0x2b:
    case 0x7f:
    case 0xd6:
    case 0xe7:
    case 0xc3: /* movnti */
    case 0xab: /* bts, btr, btc */
    case 0xb3:
    case 0xbb:
    case 0xb0: /* cmpxchg */
    case 0xb1:
    case 0xc0: /* xadd */
    case 0xc1:
    case 0xc7:
        return LINUX_ACCESS_WRITE;
    case 0x10:
    case 0x12:
    case 0x16:
    case 0x28:
    case 0x6e:
    case 0x6f:
    case 0xb6: /* movzx, movsx */
    case 0xb7:
    case 0xbe:
    case 0xbf:
    case 0xaf:
        return LINUX_ACCESS_READ;
    case 0xba:
        return reg == 4 ? LINUX_ACCESS_READ : LINUX_ACCESS_WRITE;
    default:
        return LINUX_ACCESS_UNKNOWN;
    }
}

enum linux_access linux_decode_access(const unsigned char *code, size_t size, bool near_stack)
{
    struct cursor at = {code, size, false};
    skip_prefixes(&at);
    if (at.size < 2)
        return LINUX_ACCESS_UNKNOWN;
    unsigned char op = at.code[0];
    unsigned reg = at.code[1] >> 3 & 7;
    /* push and call write to the stack, whatever else they read. */
    if (!at.wide_map && near_stack) {
        if ((op >= 0x50 && op <= 0x57) || op == 0xe8 || op == 0x68 || op == 0x6a ||
            (op == 0xff && (reg == 2 || reg == 6)))
            return LINUX_ACCESS_WRITE;
        if ((op >= 0x58 && op <= 0x5f) || op == 0xc3 || op == 0xc9)
            return LINUX_ACCESS_READ;
    }
    if (!at.wide_map && (op == 0xa4 || op == 0xa5))
        return LINUX_ACCESS_UNKNOWN; /* movs does both */
    return at.wide_map ? two_bytes(op, reg) : one_byte(op, reg);
}
