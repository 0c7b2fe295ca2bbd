/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Microkit's programming interface, as its manual describes it, for protection domains that
 * run on Linux. A program written against the public interface compiles against this header and
 * links libmicrokit.a from this folder's library without an edit.
 *
 * A PD defines init() and notified(); protected() if it offers a protected procedure; fault() if
 * it has children. It runs one entry point at a time, and none before its own init has returned.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- the seL4 names that come with the interface ------------------------------------------- */

typedef uint8_t seL4_Uint8;
typedef uint16_t seL4_Uint16;
typedef uint32_t seL4_Uint32;
typedef uint64_t seL4_Uint64;
typedef uint64_t seL4_Word;
typedef int8_t seL4_Bool;

#define seL4_True  1
#define seL4_False 0

/* length in bits 0-6, extraCaps 7-8, capsUnwrapped 9-11, label from 12 up, as on 64-bit seL4 */
typedef struct {
    seL4_Word words[1];
} seL4_MessageInfo_t;

#define seL4_MsgMaxLength 120

static inline seL4_MessageInfo_t seL4_MessageInfo_new(seL4_Word label, seL4_Word caps_unwrapped,
                                                      seL4_Word extra_caps, seL4_Word length)
{
    return (seL4_MessageInfo_t){
        {label << 12 | (caps_unwrapped & 7) << 9 | (extra_caps & 3) << 7 | (length & 0x7f)}};
}

static inline seL4_Word seL4_MessageInfo_get_label(seL4_MessageInfo_t info)
{
    return info.words[0] >> 12;
}

static inline seL4_Word seL4_MessageInfo_get_length(seL4_MessageInfo_t info)
{
    return info.words[0] & 0x7f;
}

/* Faults of children: the message's label, and what its words are. */
enum {
    seL4_Fault_NullFault = 0,
    seL4_Fault_CapFault = 1, /* (not on Linux) */
    seL4_Fault_UnknownSyscall = 2,
    seL4_Fault_UserException = 3,
    seL4_Fault_Timeout = 5, /* (not on Linux) */
    seL4_Fault_VMFault = 6,
};

enum {
    seL4_VMFault_IP,
    seL4_VMFault_Addr,
    seL4_VMFault_PrefetchFault, /* 1: execution */
    seL4_VMFault_FSR,           /* as the processor's error code: 1 a right is missing, 2 write */
    seL4_VMFault_Length,
};

enum {
    seL4_UserException_FaultIP,
    seL4_UserException_SP,
    seL4_UserException_FLAGS,
    seL4_UserException_Number, /* the processor's: 0 division, 3 breakpoint, 6 instruction ... */
    seL4_UserException_Code,
    seL4_UserException_Length,
};

enum {
    seL4_UnknownSyscall_RAX,
    seL4_UnknownSyscall_RBX,
    seL4_UnknownSyscall_RCX,
    seL4_UnknownSyscall_RDX,
    seL4_UnknownSyscall_RSI,
    seL4_UnknownSyscall_RDI,
    seL4_UnknownSyscall_RBP,
    seL4_UnknownSyscall_R8,
    seL4_UnknownSyscall_R9,
    seL4_UnknownSyscall_R10,
    seL4_UnknownSyscall_R11,
    seL4_UnknownSyscall_R12,
    seL4_UnknownSyscall_R13,
    seL4_UnknownSyscall_R14,
    seL4_UnknownSyscall_R15,
    seL4_UnknownSyscall_FaultIP,
    seL4_UnknownSyscall_SP,
    seL4_UnknownSyscall_FLAGS,
    seL4_UnknownSyscall_Syscall,
    seL4_UnknownSyscall_Length,
};

void seL4_SetMR(int index, seL4_Word value);
seL4_Word seL4_GetMR(int index);

/* ---- the Microkit -------------------------------------------------------------------------- */

typedef unsigned int microkit_channel;
typedef unsigned int microkit_child;
typedef seL4_MessageInfo_t microkit_msginfo;

#define MICROKIT_MAX_CHANNELS   62
#define MICROKIT_PD_NAME_LENGTH 64

/* This PD's name, NUL-terminated. */
extern char microkit_name[MICROKIT_PD_NAME_LENGTH];

/* Entry points. */
void init(void);
void notified(microkit_channel ch);
microkit_msginfo protected(microkit_channel ch, microkit_msginfo msginfo);
seL4_Bool fault(microkit_child child, microkit_msginfo msginfo, microkit_msginfo *reply_msginfo);

/*
 * Notifies the PD at the other end. Costs no system call if that PD is awake. A call on a channel
 * that this PD does not have prints a message with both names, and returns.
 */
void microkit_notify(microkit_channel ch);

/* Unmasks the interrupt on this channel. */
void microkit_irq_ack(microkit_channel ch);

/*
 * As the two above, at the end of this wake-up, after the last entry point that it runs. There is
 * one slot for both: a second call in the same wake-up replaces the first, which is lost.
 */
void microkit_deferred_notify(microkit_channel ch);
void microkit_deferred_irq_ack(microkit_channel ch);

/*
 * Calls the protected procedure at the other end, which must have a strictly higher priority, and
 * waits for its answer. Up to 64 message words each way (microkit_mr_set, microkit_mr_get).
 * On Linux, if the callee ends, faults or is stopped, the answer's label is MICROKIT_LINUX_GONE.
 */
microkit_msginfo microkit_ppcall(microkit_channel ch, microkit_msginfo msginfo);

/* A label that no sane procedure answers with: all ones, in the 52 bits that a label has. */
#define MICROKIT_LINUX_GONE ((UINT64_C(1) << 52) - 1)

static inline microkit_msginfo microkit_msginfo_new(seL4_Word label, seL4_Uint16 count)
{
    return seL4_MessageInfo_new(label, 0, 0, count);
}

static inline seL4_Word microkit_msginfo_get_label(microkit_msginfo msginfo)
{
    return seL4_MessageInfo_get_label(msginfo);
}

static inline seL4_Word microkit_msginfo_get_count(microkit_msginfo msginfo)
{
    return seL4_MessageInfo_get_length(msginfo);
}

void microkit_mr_set(seL4_Uint8 mr, seL4_Word value);
seL4_Word microkit_mr_get(seL4_Uint8 mr);

/*
 * For a parent: lets the child run from `entry_point` on (its ELF's entry address), with an empty
 * stack and its data as they are; stops it, until it is restarted. Done when they return.
 */
void microkit_pd_restart(microkit_child child, seL4_Word entry_point);
void microkit_pd_stop(microkit_child child);

/*
 * Debug output: lines reach the terminal with the PD's name in front; one that is not ended does so
 * when the PD faults, ends, or has nothing more to say. Never blocks: what finds no room is lost.
 */
void microkit_dbg_putc(int c);
void microkit_dbg_puts(const char *s);
void microkit_dbg_put8(seL4_Uint8 value);
void microkit_dbg_put32(seL4_Uint32 value);
