/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Protected procedures. A call is one word of its own in each direction (struct mk_call_page): the
 * caller writes its message and then a new sequence number; the callee copies the message, runs
 * protected(), writes the answer and then the same sequence number. Either may be hostile: the
 * message is copied once, its length is clamped, and of the sequence only equality counts.
 */
#include <microkit_linux.h>
#include <sys/syscall.h>

#include "pd.h"

static seL4_Word message[MK_CALL_WORDS];

void microkit_mr_set(seL4_Uint8 mr, seL4_Word value)
{
    if (mr < MK_CALL_WORDS)
        message[mr] = value;
}

seL4_Word microkit_mr_get(seL4_Uint8 mr)
{
    return mr < MK_CALL_WORDS ? message[mr] : 0;
}

void seL4_SetMR(int index, seL4_Word value)
{
    if (index >= 0 && index < MK_CALL_WORDS)
        message[index] = value;
}

seL4_Word seL4_GetMR(int index)
{
    return index >= 0 && index < MK_CALL_WORDS ? message[index] : 0;
}

static microkit_msginfo clamp(seL4_Word info)
{
    microkit_msginfo all = {{info}};
    seL4_Word count = microkit_msginfo_get_count(all);
    return microkit_msginfo_new(microkit_msginfo_get_label(all),
                                (seL4_Uint16)(count < MK_CALL_WORDS ? count : MK_CALL_WORDS));
}

static void put(struct mk_call_page *page, microkit_msginfo msginfo, uint32_t sequence)
{
    msginfo = clamp(msginfo.words[0]);
    seL4_Word count = microkit_msginfo_get_count(msginfo);
    for (seL4_Word i = 0; i < count; i++)
        sddf_store_relaxed_u64(&page->word[i], message[i]);
    sddf_store_relaxed_u64(&page->info, msginfo.words[0]);
    /* Release: who sees the new sequence number sees the message. */
    sddf_store_release_u32(&page->sequence, sequence);
}

static microkit_msginfo get(const struct mk_call_page *page)
{
    microkit_msginfo msginfo = clamp(sddf_load_relaxed_u64(&page->info));
    seL4_Word count = microkit_msginfo_get_count(msginfo);
    for (seL4_Word i = 0; i < count; i++)
        message[i] = sddf_load_relaxed_u64(&page->word[i]);
    return msginfo;
}

static bool answered(const struct mk_call_page *answer, uint32_t sequence)
{
    /* Acquire: pairs with the release in put(). */
    return sddf_load_acquire_u32(&answer->sequence) == sequence;
}

microkit_msginfo microkit_ppcall(microkit_channel ch, microkit_msginfo msginfo)
{
    const struct mk_channel *channel = ch < MK_CHANNELS ? &mk_pd.boot->channel[ch] : NULL;
    if (channel == NULL || channel->call_out == 0) {
        mk_no_channel("microkit_ppcall", ch, " to call on");
        return microkit_msginfo_new(0, 0);
    }
    struct mk_call_page *request = (struct mk_call_page *)channel->call_out;
    const struct mk_call_page *answer = (const void *)channel->call_out_answer;
    const sddf_atomic_u32 *dead = &mk_pd.system->dead[channel->peer];

    /* Odd: it does not run. Once it has changed, whoever was called will not answer. */
    uint32_t life = sddf_load_acquire_u32(dead);
    if (life & 1)
        return microkit_msginfo_new(MICROKIT_LINUX_GONE, 0);
    uint32_t sequence = ++mk_pd.called[ch];
    put(request, msginfo, sequence);
    mk_ring(ch);
    struct mk_look look = mk_look_begin();
    while (mk_look_on(&look) && !answered(answer, sequence) && sddf_load_relaxed_u32(dead) == life)
        continue;
    for (;;) {
        /* Dead is looked at first: the last thing that a PD did may have been to answer. */
        bool gone = sddf_load_acquire_u32(dead) != life;
        if (answered(answer, sequence)) {
            mk_look_end(&look);
            return get(answer);
        }
        if (gone)
            return microkit_msginfo_new(MICROKIT_LINUX_GONE, 0);
        mk_lie_down();
        if (!answered(answer, sequence) && sddf_load_relaxed_u32(dead) == life) {
            /* Rings of others wake too; their notifications are found by the event loop. */
            uint64_t rings;
            microkit_linux_syscall(SYS_read, mk_pd.boot->doorbell, (long)&rings, sizeof rings, 0, 0,
                                   0);
        }
        mk_get_up();
    }
}

microkit_channel mk_next_call(void)
{
    struct mk_pd *pd = &mk_pd;
    if (pd->callers == 0)
        return MK_CHANNELS;
    for (unsigned i = 1; i <= MK_CHANNELS; i++) {
        unsigned ch = (pd->last_served + i) % MK_CHANNELS;
        if ((pd->callers & MK_BIT(ch)) == 0)
            continue;
        const struct mk_call_page *request = (const void *)pd->boot->channel[ch].call_in;
        if (sddf_load_relaxed_u32(&request->sequence) != pd->served[ch])
            return ch;
    }
    return MK_CHANNELS;
}

void mk_serve_call(microkit_channel ch)
{
    const struct mk_channel *channel = &mk_pd.boot->channel[ch];
    const struct mk_call_page *request = (const void *)channel->call_in;
    struct mk_call_page *answer = (struct mk_call_page *)channel->call_in_answer;

    /* Acquire: the message was written before its sequence number. */
    uint32_t sequence = sddf_load_acquire_u32(&request->sequence);
    mk_pd.served[ch] = sequence;
    mk_pd.last_served = ch;
    put(answer, protected(ch, get(request)), sequence);
    mk_ring(ch);
}
