/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The classic litmus tests, whose outcomes are known: what validates the checker. Each names one
 * outcome and whether each of the two models allows it. (Sources: the C11 standard; "Mathematizing
 * C++ Concurrency", Batty and others, POPL 2011; "Repairing Sequential Consistency in C/C++11",
 * Lahav and others, PLDI 2017.)
 */
#include "litmus.h"

#include "verify/weak/weak.h"

static uint32_t x, y;
static uint64_t data;
static uint32_t r[WK_THREADS][2];

#define LD(var, o)       wk_load_u32(__func__, &var, WK_##o)
#define ST(var, val, o)  wk_store_u32(__func__, &var, (val), WK_##o)
#define ADD(var, val, o) wk_add_u32(__func__, &var, (val), WK_##o)
#define FENCE(o)         wk_fence(__func__, WK_##o)
#define T(name, body)                                                                              \
    static void name(void)                                                                         \
    {                                                                                              \
        body                                                                                       \
    }
#define OUTCOME(name, condition)                                                                   \
    static const char *name(void)                                                                  \
    {                                                                                              \
        return (condition) ? "the outcome" : NULL;                                                 \
    }

T(st_x_rlx, ST(x, 1, RELAXED);)
T(st_y_rlx, ST(y, 1, RELAXED);)
T(st_x_sc, ST(x, 1, SEQ_CST);)
T(st_y_sc, ST(y, 1, SEQ_CST);)
T(st_x_rel, ST(x, 1, RELEASE);)
T(st_y_rel, ST(y, 1, RELEASE);)

/* Store buffering: x = 1; r0 = y || y = 1; r1 = x. Both 0? */
T(sb0, ST(x, 1, RELAXED); r[0][0] = LD(y, RELAXED);)
T(sb1, ST(y, 1, RELAXED); r[1][0] = LD(x, RELAXED);)
T(sb0_ra, ST(x, 1, RELEASE); r[0][0] = LD(y, ACQUIRE);)
T(sb1_ra, ST(y, 1, RELEASE); r[1][0] = LD(x, ACQUIRE);)
T(sb0_sc, ST(x, 1, SEQ_CST); r[0][0] = LD(y, SEQ_CST);)
T(sb1_sc, ST(y, 1, SEQ_CST); r[1][0] = LD(x, SEQ_CST);)
T(sb0_f, ST(x, 1, RELAXED); FENCE(SEQ_CST); r[0][0] = LD(y, RELAXED);)
T(sb1_f, ST(y, 1, RELAXED); FENCE(SEQ_CST); r[1][0] = LD(x, RELAXED);)
T(sb1_ar, ST(y, 1, RELAXED); FENCE(ACQ_REL); r[1][0] = LD(x, RELAXED);)
OUTCOME(sb, r[0][0] == 0 && r[1][0] == 0)

/* Message passing: x = 1; y = 1 || r0 = y; r1 = x. 1 and 0? */
T(mp0, ST(x, 1, RELAXED); ST(y, 1, RELAXED);)
T(mp1, r[1][0] = LD(y, RELAXED); r[1][1] = LD(x, RELAXED);)
T(mp0_r, ST(x, 1, RELAXED); ST(y, 1, RELEASE);)
T(mp1_a, r[1][0] = LD(y, ACQUIRE); r[1][1] = LD(x, RELAXED);)
T(mp0_f, ST(x, 1, RELAXED); FENCE(RELEASE); ST(y, 1, RELAXED);)
T(mp1_f, r[1][0] = LD(y, RELAXED); FENCE(ACQUIRE); r[1][1] = LD(x, RELAXED);)
OUTCOME(mp, r[1][0] == 1 && r[1][1] == 0)

/* Load buffering: r0 = x; y = 1 || r1 = y; x = 1. Both 1? */
T(lb0, r[0][0] = LD(x, RELAXED); ST(y, 1, RELAXED);)
T(lb1, r[1][0] = LD(y, RELAXED); ST(x, 1, RELAXED);)
T(lb0_ra, r[0][0] = LD(x, ACQUIRE); ST(y, 1, RELEASE);)
T(lb1_ra, r[1][0] = LD(y, ACQUIRE); ST(x, 1, RELEASE);)
T(lb0_f, r[0][0] = LD(x, RELAXED); FENCE(SEQ_CST); ST(y, 1, RELAXED);)
T(lb1_f, r[1][0] = LD(y, RELAXED); FENCE(SEQ_CST); ST(x, 1, RELAXED);)
OUTCOME(lb, r[0][0] == 1 && r[1][0] == 1)

/* Independent reads of independent writes: x = 1 || y = 1 || x then y || y then x. Disagree? */
T(rd_xy, r[2][0] = LD(x, RELAXED); r[2][1] = LD(y, RELAXED);)
T(rd_yx, r[3][0] = LD(y, RELAXED); r[3][1] = LD(x, RELAXED);)
T(rd_xy_a, r[2][0] = LD(x, ACQUIRE); r[2][1] = LD(y, ACQUIRE);)
T(rd_yx_a, r[3][0] = LD(y, ACQUIRE); r[3][1] = LD(x, ACQUIRE);)
T(rd_xy_sc, r[2][0] = LD(x, SEQ_CST); r[2][1] = LD(y, SEQ_CST);)
T(rd_yx_sc, r[3][0] = LD(y, SEQ_CST); r[3][1] = LD(x, SEQ_CST);)
T(rd_xy_f, r[2][0] = LD(x, RELAXED); FENCE(SEQ_CST); r[2][1] = LD(y, RELAXED);)
T(rd_yx_f, r[3][0] = LD(y, RELAXED); FENCE(SEQ_CST); r[3][1] = LD(x, RELAXED);)
OUTCOME(iriw, r[2][0] == 1 && r[2][1] == 0 && r[3][0] == 1 && r[3][1] == 0)

/* 2+2W: x = 1; y = 2 || y = 1; x = 2. Last x 1 and last y 1? An observer reads twice what is last.
 */
T(w0, ST(x, 1, RELAXED); ST(y, 2, RELAXED);)
T(w1, ST(y, 1, RELAXED); ST(x, 2, RELAXED);)
T(w0_r, ST(x, 1, RELEASE); ST(y, 2, RELEASE);)
T(w1_r, ST(y, 1, RELEASE); ST(x, 2, RELEASE);)
T(w0_sc, ST(x, 1, SEQ_CST); ST(y, 2, SEQ_CST);)
T(w1_sc, ST(y, 1, SEQ_CST); ST(x, 2, SEQ_CST);)
T(w0_f, ST(x, 1, RELAXED); FENCE(SEQ_CST); ST(y, 2, RELAXED);)
T(w1_f, ST(y, 1, RELAXED); FENCE(SEQ_CST); ST(x, 2, RELAXED);)
T(see_x, r[2][0] = LD(x, RELAXED); r[2][1] = LD(x, RELAXED);)
T(see_y, r[3][0] = LD(y, RELAXED); r[3][1] = LD(y, RELAXED);)
OUTCOME(w2p2, r[2][0] == 2 && r[2][1] == 1 && r[3][0] == 2 && r[3][1] == 1)

/* Write to read causality: x = 1 || r0 = x; y = 1 || r1 = y; r2 = x. 1, 1 and 0? */
T(wrc1, r[1][0] = LD(x, RELAXED); ST(y, 1, RELAXED);)
T(wrc2, r[2][0] = LD(y, RELAXED); r[2][1] = LD(x, RELAXED);)
T(wrc1_ra, r[1][0] = LD(x, ACQUIRE); ST(y, 1, RELEASE);)
T(wrc2_a, r[2][0] = LD(y, ACQUIRE); r[2][1] = LD(x, RELAXED);)
T(wrc1_f, r[1][0] = LD(x, RELAXED); FENCE(ACQ_REL); ST(y, 1, RELAXED);)
T(wrc2_f, r[2][0] = LD(y, RELAXED); FENCE(ACQUIRE); r[2][1] = LD(x, RELAXED);)
OUTCOME(wrc, r[1][0] == 1 && r[2][0] == 1 && r[2][1] == 0)

/* S: x = 2; y = 1 || r0 = y; x = 1. r0 1 and last x 2? */
T(s0, ST(x, 2, RELAXED); ST(y, 1, RELAXED);)
T(s1, r[1][0] = LD(y, RELAXED); ST(x, 1, RELAXED);)
T(s0_r, ST(x, 2, RELAXED); ST(y, 1, RELEASE);)
T(s1_a, r[1][0] = LD(y, ACQUIRE); ST(x, 1, RELAXED);)
T(s0_f, ST(x, 2, RELAXED); FENCE(RELEASE); ST(y, 1, RELAXED);)
T(s1_f, r[1][0] = LD(y, RELAXED); FENCE(ACQUIRE); ST(x, 1, RELAXED);)
OUTCOME(s, r[1][0] == 1 && r[2][0] == 1 && r[2][1] == 2)

/* R: x = 1; y = 1 || y = 2; r0 = x. Last y 2 and r0 0? */
T(r1, ST(y, 2, RELAXED); r[1][0] = LD(x, RELAXED);)
T(r1_ra, ST(y, 2, RELEASE); r[1][0] = LD(x, ACQUIRE);)
T(r0_f, ST(x, 1, RELAXED); FENCE(SEQ_CST); ST(y, 1, RELAXED);)
T(r1_f, ST(y, 2, RELAXED); FENCE(SEQ_CST); r[1][0] = LD(x, RELAXED);)
T(see_y2, r[2][0] = LD(y, RELAXED); r[2][1] = LD(y, RELAXED);)
OUTCOME(rr, r[1][0] == 0 && r[2][0] == 1 && r[2][1] == 2)

/* Coherence of reads: x = 1; x = 2 || r0 = x; r1 = x. 2 and 1? And 1 and 0? */
T(co0, ST(x, 1, RELAXED); ST(x, 2, RELAXED);)
T(co1, r[1][0] = LD(x, RELAXED); r[1][1] = LD(x, RELAXED);)
OUTCOME(corr, r[1][0] > r[1][1])

/* Release sequences: the flag goes from 1 to 2 by a store of the same thread, or by an addition. */
T(rs0_same, ST(x, 1, RELAXED); ST(y, 1, RELEASE); ST(y, 2, RELAXED);)
T(rs1_two, r[1][0] = LD(y, ACQUIRE); r[1][1] = LD(x, RELAXED);)
OUTCOME(rs_same, r[1][0] == 2 && r[1][1] == 0)
T(rs0, ST(x, 1, RELAXED); ST(y, 1, RELEASE);)
T(rs_add, r[1][0] = ADD(y, 1, RELAXED);)
T(rs_store, ST(y, 2, RELAXED);)
T(rs2, r[2][0] = LD(y, ACQUIRE); r[2][1] = LD(x, RELAXED);)
T(rs2_rlx, r[2][0] = LD(y, RELAXED); r[2][1] = LD(x, RELAXED);)
T(rs2_f, r[2][0] = LD(y, RELAXED); FENCE(ACQUIRE); r[2][1] = LD(x, RELAXED);)
OUTCOME(rs_add_ok, r[1][0] == 1 && r[2][0] == 2 && r[2][1] == 0)
OUTCOME(rs_store_ok, r[2][0] == 2 && r[2][1] == 0)

/* Two additions never find the same number. */
T(add0, r[0][0] = ADD(x, 1, RELAXED);)
T(add1, r[1][0] = ADD(x, 1, RELAXED);)
OUTCOME(adds, r[0][0] == r[1][0])

/* A race: ordinary data behind a flag. */
T(race0, wk_write_plain(__func__, &data, (struct wk_value){.lo = 1}, 1); ST(y, 1, RELEASE);)
T(race0_rlx, wk_write_plain(__func__, &data, (struct wk_value){.lo = 1}, 1); ST(y, 1, RELAXED);)
T(race1, if (LD(y, ACQUIRE) == 1) wk_read_plain(__func__, &data, 1);)

/* A wake-up: it comes, or it does not. */
static uint32_t bell;
T(wait0, ST(x, 1, RELAXED); ST(bell, 1, RELEASE);)
T(wait0_not, ST(x, 1, RELAXED);)
T(wait1, uint32_t seen = 0; r[1][0] = wk_wait(__func__, &bell, &seen); r[1][1] = LD(x, RELAXED);)
OUTCOME(slept, r[1][0] == 0)
OUTCOME(woke_early, r[1][0] == 1 && r[1][1] == 0)

#define ALLOWED   true, true
#define FORBIDDEN false, false

const struct litmus litmus[] = {
    {{.name = "SB", .threads = 2, .run = {sb0, sb1}, .wrong = sb}, ALLOWED},
    {{.name = "SB, release and acquire", .threads = 2, .run = {sb0_ra, sb1_ra}, .wrong = sb},
     ALLOWED},
    {{.name = "SB, seq_cst", .threads = 2, .run = {sb0_sc, sb1_sc}, .wrong = sb}, FORBIDDEN},
    {{.name = "SB, fences", .threads = 2, .run = {sb0_f, sb1_f}, .wrong = sb}, FORBIDDEN},
    {{.name = "SB, one fence", .threads = 2, .run = {sb0_f, sb1}, .wrong = sb}, ALLOWED},
    {{.name = "SB, one fence only acq_rel", .threads = 2, .run = {sb0_f, sb1_ar}, .wrong = sb},
     ALLOWED},
    {{.name = "MP", .threads = 2, .run = {mp0, mp1}, .wrong = mp}, ALLOWED},
    {{.name = "MP, release only", .threads = 2, .run = {mp0_r, mp1}, .wrong = mp}, ALLOWED},
    {{.name = "MP, acquire only", .threads = 2, .run = {mp0, mp1_a}, .wrong = mp}, ALLOWED},
    {{.name = "MP, release and acquire", .threads = 2, .run = {mp0_r, mp1_a}, .wrong = mp},
     FORBIDDEN},
    {{.name = "MP, fences", .threads = 2, .run = {mp0_f, mp1_f}, .wrong = mp}, FORBIDDEN},
    {{.name = "MP, release and fence", .threads = 2, .run = {mp0_r, mp1_f}, .wrong = mp},
     FORBIDDEN},
    {{.name = "MP, fence and acquire", .threads = 2, .run = {mp0_f, mp1_a}, .wrong = mp},
     FORBIDDEN},
    {{.name = "LB", .threads = 2, .run = {lb0, lb1}, .wrong = lb}, ALLOWED},
    {{.name = "LB, release and acquire", .threads = 2, .run = {lb0_ra, lb1_ra}, .wrong = lb},
     FORBIDDEN},
    {{.name = "LB, fences", .threads = 2, .run = {lb0_f, lb1_f}, .wrong = lb}, FORBIDDEN},
    {{.name = "IRIW", .threads = 4, .run = {st_x_rlx, st_y_rlx, rd_xy, rd_yx}, .wrong = iriw},
     ALLOWED},
    {{.name = "IRIW, release and acquire",
      .threads = 4,
      .run = {st_x_rel, st_y_rel, rd_xy_a, rd_yx_a},
      .wrong = iriw},
     ALLOWED},
    {{.name = "IRIW, seq_cst",
      .threads = 4,
      .run = {st_x_sc, st_y_sc, rd_xy_sc, rd_yx_sc},
      .wrong = iriw},
     FORBIDDEN},
    /* C11's fences are too weak for it, which is what C++20 mended. */
    {{.name = "IRIW, fences",
      .threads = 4,
      .run = {st_x_rlx, st_y_rlx, rd_xy_f, rd_yx_f},
      .wrong = iriw},
     true,
     false},
    {{.name = "2+2W", .threads = 4, .run = {w0, w1, see_x, see_y}, .wrong = w2p2}, ALLOWED},
    {{.name = "2+2W, release", .threads = 4, .run = {w0_r, w1_r, see_x, see_y}, .wrong = w2p2},
     ALLOWED},
    {{.name = "2+2W, seq_cst", .threads = 4, .run = {w0_sc, w1_sc, see_x, see_y}, .wrong = w2p2},
     FORBIDDEN},
    /* C11 orders a fence before a read behind one, not a store before a store. */
    {{.name = "2+2W, fences", .threads = 4, .run = {w0_f, w1_f, see_x, see_y}, .wrong = w2p2},
     true,
     false},
    {{.name = "WRC", .threads = 3, .run = {st_x_rlx, wrc1, wrc2}, .wrong = wrc}, ALLOWED},
    {{.name = "WRC, release and acquire",
      .threads = 3,
      .run = {st_x_rlx, wrc1_ra, wrc2_a},
      .wrong = wrc},
     FORBIDDEN},
    {{.name = "WRC, fences", .threads = 3, .run = {st_x_rlx, wrc1_f, wrc2_f}, .wrong = wrc},
     FORBIDDEN},
    {{.name = "S", .threads = 3, .run = {s0, s1, see_x}, .wrong = s}, ALLOWED},
    {{.name = "S, release and acquire", .threads = 3, .run = {s0_r, s1_a, see_x}, .wrong = s},
     FORBIDDEN},
    {{.name = "S, fences", .threads = 3, .run = {s0_f, s1_f, see_x}, .wrong = s}, FORBIDDEN},
    {{.name = "R", .threads = 3, .run = {mp0, r1, see_y2}, .wrong = rr}, ALLOWED},
    {{.name = "R, release and acquire", .threads = 3, .run = {mp0_r, r1_ra, see_y2}, .wrong = rr},
     ALLOWED},
    {{.name = "R, fences", .threads = 3, .run = {r0_f, r1_f, see_y2}, .wrong = rr}, true, false},
    {{.name = "CoRR", .threads = 2, .run = {co0, co1}, .wrong = corr}, FORBIDDEN},
    {{.name = "release sequence, same thread",
      .threads = 2,
      .run = {rs0_same, rs1_two},
      .wrong = rs_same},
     false,
     true},
    {{.name = "release sequence, addition",
      .threads = 3,
      .run = {rs0, rs_add, rs2},
      .wrong = rs_add_ok},
     FORBIDDEN},
    {{.name = "release sequence, addition, no acquire",
      .threads = 3,
      .run = {rs0, rs_add, rs2_rlx},
      .wrong = rs_add_ok},
     ALLOWED},
    {{.name = "release sequence, addition, fence",
      .threads = 3,
      .run = {rs0, rs_add, rs2_f},
      .wrong = rs_add_ok},
     FORBIDDEN},
    {{.name = "release sequence, another's store",
      .threads = 3,
      .run = {rs0, rs_store, rs2},
      .wrong = rs_store_ok},
     ALLOWED},
    {{.name = "two additions", .threads = 2, .run = {add0, add1}, .wrong = adds, .highest = 2},
     FORBIDDEN},
    {{.name = "race", .threads = 2, .run = {race0_rlx, race1}, .wrong = NULL}, ALLOWED},
    {{.name = "no race", .threads = 2, .run = {race0, race1}, .wrong = NULL}, FORBIDDEN},
    {{.name = "lost wake-up", .threads = 2, .run = {wait0_not, wait1}, .wrong = slept}, ALLOWED},
    {{.name = "no lost wake-up", .threads = 2, .run = {wait0, wait1}, .wrong = slept}, FORBIDDEN},
    {{.name = "a wake-up brings what was before it",
      .threads = 2,
      .run = {wait0, wait1},
      .wrong = woke_early},
     FORBIDDEN},
};

const unsigned litmus_count = sizeof(litmus) / sizeof(litmus[0]);
