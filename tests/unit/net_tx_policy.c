/* SPDX-License-Identifier: BSD-2-Clause */
/* The Tx virtualiser's policies: whose turn it is, over long histories. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "net_rig.h"
#include "network/tx_policy.h"
#include "network/tx_ranges.h"

enum { CLIENTS = NET_CLIENTS_MAX };

static uint64_t state;
static struct tx_policy policy;

static uint32_t random_below(uint32_t limit)
{
    return (uint32_t)(rig_random(&state) % limit);
}

/* Most are large or small, as frames are. */
static uint32_t random_frame(void)
{
    static const uint32_t sizes[] = {NET_FRAME_MIN, 42, 60, 590, NET_FRAME_MAX};
    uint32_t kind = random_below(6);
    return kind < 5 ? sizes[kind] : NET_FRAME_MIN + random_below(NET_FRAME_MAX - NET_FRAME_MIN + 1);
}

static void start(uint32_t kind, const uint32_t *weights)
{
    state = 0x5ddf;
    memset(&policy, 0xff, sizeof(policy)); /* what a restart finds */
    assert_true(tx_policy_start(&policy, kind));
    for (uint32_t i = 0; i < CLIENTS; i++) {
        tx_policy_add(&policy, i, weights == NULL ? 1 : weights[i], i == CLIENTS - 1);
    }
}

/* One turn of a client that has more than it may send, with frames of `size`, or any (0). */
static uint32_t take_turn(struct tx_turn *turn, uint32_t size)
{
    assert_true(tx_policy_next(&policy, turn));
    assert_in_range(turn->entries, 1, TX_POLICY_BURST);
    assert_true(turn->bytes > 0);
    uint32_t bytes = 0, entries = 0;
    while (entries < turn->entries && bytes < turn->bytes) {
        bytes += size != 0 ? size : random_frame();
        entries++;
    }
    tx_policy_used(&policy, entries, bytes);
    turn->entries = entries;
    return bytes;
}

/* ---- signalled ----------------------------------------------------------------------------- */

/* Against a plain list, with every client that signals at random, and rests at random. */
static void test_signalled_is_first_come_first_served(void **unused)
{
    (void)unused;
    start(NET_TX_SIGNALLED, NULL);
    uint32_t line[CLIENTS];
    uint32_t count = 0;
    struct tx_turn turn = {0};
    for (int i = 0; i < 2000000; i++) {
        if (random_below(2) == 0) {
            uint32_t client = random_below(CLIENTS);
            bool waits = false;
            for (uint32_t j = 0; j < count; j++) {
                waits |= line[j] == client;
            }
            tx_policy_wake(&policy, client); /* who waits already keeps its place */
            if (!waits) {
                line[count++] = client;
            }
        } else if (count == 0) {
            assert_false(tx_policy_next(&policy, &turn));
        } else {
            take_turn(&turn, 0);
            assert_int_equal(turn.client, line[0]);
            if (random_below(3) == 0) {
                tx_policy_rest(&policy);
                tx_policy_idle(&policy, turn.client);
                count--;
                memmove(line, line + 1, count * sizeof(line[0]));
            }
        }
    }
}

/* ---- round robin --------------------------------------------------------------------------- */

static void test_round_robin_gives_all_the_same(void **unused)
{
    (void)unused;
    start(NET_TX_ROUND_ROBIN, NULL);
    uint32_t sent[CLIENTS] = {0};
    for (uint32_t i = 0; i < CLIENTS; i++) {
        tx_policy_wake(&policy, i);
    }
    /* A device that takes any number of frames at a time cuts turns short. */
    for (uint32_t done = 0; done < CLIENTS * TX_ROUND_ROBIN_ENTRIES * 100;) {
        struct tx_turn turn = {0};
        assert_true(tx_policy_next(&policy, &turn));
        uint32_t entries = 1 + random_below(turn.entries);
        tx_policy_used(&policy, entries, 0);
        sent[turn.client] += entries;
        done += entries;
    }
    for (uint32_t i = 0; i < CLIENTS; i++) {
        assert_int_equal(sent[i], TX_ROUND_ROBIN_ENTRIES * 100);
    }
}

/*
 * Whoever is awake has its turn before the others have had more than one each (and the one who is
 * at it now, what is left of its own), counted in entries or, with weights, in bytes.
 */
static void check_nobody_starves(uint32_t kind)
{
    uint32_t weights[CLIENTS];
    uint64_t all = 0;
    for (uint32_t i = 0; i < CLIENTS; i++) {
        weights[i] = 1 + i % 3;
        all += kind == NET_TX_ROUND_ROBIN ? TX_ROUND_ROBIN_ENTRIES
                                          : weights[i] * TX_DRR_QUANTUM + NET_FRAME_MAX;
    }
    start(kind, weights);
    bool awake[CLIENTS] = {false};
    uint64_t waited[CLIENTS] = {0};
    for (int i = 0; i < 300000; i++) {
        uint32_t client = random_below(CLIENTS);
        if (!awake[client] && random_below(2) == 0) {
            awake[client] = true;
            waited[client] = 0;
            tx_policy_wake(&policy, client);
        }
        struct tx_turn turn = {0};
        if (!tx_policy_next(&policy, &turn)) {
            continue;
        }
        uint32_t bytes = take_turn(&turn, 0);
        assert_true(awake[turn.client]);
        for (uint32_t j = 0; j < CLIENTS; j++) {
            waited[j] += kind == NET_TX_ROUND_ROBIN ? turn.entries : bytes;
            assert_true(!awake[j] || waited[j] <= all + all / CLIENTS * 2);
        }
        waited[turn.client] = 0;
        if (random_below(4) == 0) {
            tx_policy_rest(&policy);
            tx_policy_idle(&policy, turn.client);
            awake[turn.client] = false;
        }
    }
}

static void test_nobody_starves(void **unused)
{
    (void)unused;
    check_nobody_starves(NET_TX_ROUND_ROBIN);
    check_nobody_starves(NET_TX_DRR);
}

/* ---- priority ------------------------------------------------------------------------------ */

static void test_priority_is_strict(void **unused)
{
    (void)unused;
    start(NET_TX_PRIORITY, NULL);
    uint64_t awake = 0;
    for (int i = 0; i < 2000000; i++) {
        uint32_t client = random_below(CLIENTS);
        tx_policy_wake(&policy, client);
        awake |= UINT64_C(1) << client;
        for (uint32_t n = random_below(3); n > 0 && awake != 0; n--) {
            struct tx_turn turn = {0};
            take_turn(&turn, 0);
            uint64_t urgent = awake & UINT64_C(1) << (CLIENTS - 1);
            uint64_t before = (UINT64_C(1) << turn.client) - 1;
            assert_true((awake >> turn.client & 1) != 0);
            assert_true(turn.client == CLIENTS - 1 || (urgent == 0 && (awake & before) == 0));
            tx_policy_rest(&policy);
            awake &= ~(UINT64_C(1) << turn.client);
        }
    }
}

/* ---- weights ------------------------------------------------------------------------------- */

/* Each sends frames of its own size, or of any. Over 100 rounds the shares are right to 1 %. */
static void check_shares(const uint32_t *weights, const uint32_t *sizes, uint32_t clients)
{
    start(NET_TX_DRR, weights);
    uint64_t sent[CLIENTS] = {0};
    uint64_t total = 0, sum = 0;
    for (uint32_t i = 0; i < clients; i++) {
        tx_policy_wake(&policy, i);
        sum += weights[i];
    }
    while (total < 100 * sum * TX_DRR_QUANTUM) {
        struct tx_turn turn = {0};
        assert_true(tx_policy_next(&policy, &turn));
        uint32_t size = sizes == NULL ? 0 : sizes[turn.client];
        uint32_t bytes = take_turn(&turn, size);
        sent[turn.client] += bytes;
        total += bytes;
        assert_true(policy.drr.credit[turn.client] > -NET_FRAME_MAX);
    }
    for (uint32_t i = 0; i < clients; i++) {
        double due = 100.0 * weights[i] * TX_DRR_QUANTUM;
        /* A frame of its own, and where in the last round the look is taken. */
        assert_true((double)sent[i] > due - NET_FRAME_MAX - weights[i] * TX_DRR_QUANTUM);
        assert_true((double)sent[i] < due + NET_FRAME_MAX + weights[i] * TX_DRR_QUANTUM);
    }
    /* At the end of a round, which is client 0's turn, it is a frame alone: 1 % of 100 rounds. */
    while (policy.drr.turn != 0 || policy.drr.credit[0] > 0) {
        struct tx_turn turn = {0};
        assert_true(tx_policy_next(&policy, &turn));
        sent[turn.client] += take_turn(&turn, sizes == NULL ? 0 : sizes[turn.client]);
    }
    uint64_t rounds = (sent[0] + NET_FRAME_MAX / 2) / ((uint64_t)weights[0] * TX_DRR_QUANTUM);
    for (uint32_t i = 0; i < clients; i++) {
        double due = (double)rounds * weights[i] * TX_DRR_QUANTUM;
        assert_true((double)sent[i] > due * 0.99 && (double)sent[i] < due * 1.01);
    }
}

static void test_shares_follow_the_weights(void **unused)
{
    (void)unused;
    const uint32_t two[CLIENTS] = {1, 3, [2 ... CLIENTS - 1] = 1};
    const uint32_t sizes[CLIENTS] = {60, NET_FRAME_MAX, [2 ... CLIENTS - 1] = 590};
    check_shares(two, sizes, 2);
    check_shares(two, NULL, 2);
    uint32_t weights[CLIENTS];
    for (uint32_t round = 0; round < 20; round++) {
        for (uint32_t i = 0; i < CLIENTS; i++) {
            weights[i] = 1 + (i * 37 + round * 11) % NET_TX_WEIGHT_MAX;
        }
        check_shares(weights, NULL, 2 + round * 3 % (CLIENTS - 2));
    }
}

/* Neither silence nor rests give anybody more than a round's worth of credit. */
static void test_credit_is_bounded(void **unused)
{
    (void)unused;
    uint32_t weights[CLIENTS];
    for (uint32_t i = 0; i < CLIENTS; i++) {
        weights[i] = i % 2 == 0 ? 1 : NET_TX_WEIGHT_MAX;
    }
    start(NET_TX_DRR, weights);
    bool resting[CLIENTS] = {false};
    for (int i = 0; i < 3000000; i++) {
        uint32_t client = random_below(CLIENTS);
        if (resting[client]) {
            tx_policy_idle(&policy, client);
            assert_true(policy.drr.credit[client] <= 0);
            resting[client] = false;
        }
        tx_policy_wake(&policy, client);
        struct tx_turn turn = {0};
        assert_true(tx_policy_next(&policy, &turn));
        if (random_below(3) == 0) {
            tx_policy_used(&policy, turn.entries, 0); /* all refused */
        } else {
            take_turn(&turn, 0);
        }
        int32_t credit = policy.drr.credit[turn.client];
        assert_true(credit > -NET_FRAME_MAX);
        assert_true(credit <= 2 * (int32_t)(weights[turn.client] * TX_DRR_QUANTUM));
        if (random_below(2) == 0 && tx_policy_next(&policy, &turn)) {
            tx_policy_rest(&policy);
            resting[turn.client] = true;
        }
    }
}

/* A device that has room for a few frames only now and then takes them in the same proportions. */
static void test_a_full_device_changes_no_shares(void **unused)
{
    (void)unused;
    const uint32_t weights[CLIENTS] = {1, 4, [2 ... CLIENTS - 1] = 1};
    const uint32_t capacity = 64;
    start(NET_TX_DRR, weights);
    uint64_t sent[2] = {0};
    tx_policy_wake(&policy, 0);
    tx_policy_wake(&policy, 1);
    for (int pass = 0; pass < 100000; pass++) {
        uint32_t room = 1 + random_below(capacity);
        uint32_t budget[2] = {capacity, capacity};
        struct tx_turn turn = {0};
        while (room > 0 && tx_policy_next(&policy, &turn)) {
            if (budget[turn.client] == 0) {
                tx_policy_rest(&policy);
                continue;
            }
            budget[turn.client]--;
            room--;
            uint32_t bytes = random_frame();
            tx_policy_used(&policy, 1, bytes);
            sent[turn.client] += bytes;
        }
        tx_policy_wake(&policy, 0);
        tx_policy_wake(&policy, 1);
    }
    assert_in_range(sent[1], sent[0] * 4 * 99 / 100, sent[0] * 4 * 101 / 100);
}

/* ---- whose buffer it is -------------------------------------------------------------------- */

/* Ranges of all sizes with gaps of all sizes, anywhere, against a look at each of them. */
static void test_ranges(void **unused)
{
    (void)unused;
    state = 0x7a9e5;
    for (int round = 0; round < 2000; round++) {
        struct tx_ranges ranges = {0};
        struct tx_range all[CLIENTS];
        uint32_t count = random_below(CLIENTS + 1);
        uint64_t at = round % 2 == 0 ? 0 : rig_random(&state) >> random_below(40);
        at &= UINT64_MAX >> 1;
        for (uint32_t i = 0; i < count; i++) {
            uint64_t size = round % 3 == 0 ? 1 << 17 : UINT64_C(1) << (11 + random_below(14));
            at += round % 3 == 0 ? 0 : (rig_random(&state) & 3) << random_below(50);
            all[i] = (struct tx_range){at, at + size, i};
            at += size;
        }
        for (uint32_t i = 0; i < count; i++) { /* in another order */
            assert_true(tx_ranges_add(&ranges, all[i % 2 == 0 ? i / 2 : count - 1 - i / 2]));
        }
        tx_ranges_index(&ranges);
        for (int probe = 0; probe < 300; probe++) {
            uint64_t address = rig_random(&state) >> random_below(64);
            if (count != 0 && probe % 4 != 0) {
                const struct tx_range *near = &all[random_below(count)];
                address = (probe % 2 == 0 ? near->begin : near->end) + random_below(5) - 2;
            }
            uint32_t found = tx_ranges_find(&ranges, address);
            uint32_t wanted = CLIENTS;
            for (uint32_t i = 0; i < count; i++) {
                wanted = address >= all[i].begin && address < all[i].end ? i : wanted;
            }
            assert_int_equal(found == TX_RANGES_NONE ? CLIENTS : ranges.range[found].client,
                             wanted);
        }
    }
}

static void test_no_such_policy(void **unused)
{
    (void)unused;
    assert_false(tx_policy_start(&policy, 4));
    assert_false(tx_policy_start(&policy, UINT32_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signalled_is_first_come_first_served),
        cmocka_unit_test(test_round_robin_gives_all_the_same),
        cmocka_unit_test(test_nobody_starves),
        cmocka_unit_test(test_priority_is_strict),
        cmocka_unit_test(test_shares_follow_the_weights),
        cmocka_unit_test(test_credit_is_bounded),
        cmocka_unit_test(test_a_full_device_changes_no_shares),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_no_such_policy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
