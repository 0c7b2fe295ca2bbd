/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The prover's microkit.h: what the components call. Nobody else runs in a protection domain, so a
 * call changes nothing there; message words and answers may be anything.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint16_t seL4_Uint16;
typedef uint64_t seL4_Word;
typedef unsigned int microkit_channel;
typedef struct {
    seL4_Word words;
} microkit_msginfo;

#define MICROKIT_MAX_CHANNELS   62
#define MICROKIT_PD_NAME_LENGTH 64

extern char microkit_name[MICROKIT_PD_NAME_LENGTH];

void init(void);
void notified(microkit_channel ch);
microkit_msginfo protected(microkit_channel ch, microkit_msginfo msginfo);

/*@ assigns \nothing; */
void microkit_notify(microkit_channel ch);

/*@ assigns \nothing; */
void microkit_deferred_notify(microkit_channel ch);

/*@ assigns \nothing; */
void microkit_irq_ack(microkit_channel ch);

/*@ assigns \nothing; */
microkit_msginfo microkit_ppcall(microkit_channel ch, microkit_msginfo msginfo);

/*@ assigns \nothing; */
microkit_msginfo microkit_msginfo_new(seL4_Word label, seL4_Uint16 count);

/*@ assigns \nothing; */
seL4_Word microkit_msginfo_get_label(microkit_msginfo msginfo);

/*@ assigns \nothing; */
seL4_Word microkit_msginfo_get_count(microkit_msginfo msginfo);

/*@ assigns \nothing; */
void microkit_mr_set(uint8_t word, seL4_Word value);

/*@ assigns \nothing; */
seL4_Word microkit_mr_get(uint8_t word);

/*@ requires \valid_read(text);
  @ assigns \nothing;
  @*/
void microkit_dbg_puts(const char *text);
