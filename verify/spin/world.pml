/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The model: protection domains that take steps in any order. What a step does is the shipped C
 * (world.h). PDS: how many there are. The assertion: nothing is wrong, and when nobody can run any
 * more, nothing has been lost. The formula: under weak fairness, every client is served at last.
 */
c_decl {
\#include "verify/spin/world.h"
}
c_track "world_hash" "16"
c_track "&world_flags" "4"
c_track "world_block" "WORLD_BLOCK" "UnMatched"

bool ok = true;
bool started;
bool served;

inline look()
{
    c_code {
        now.ok = (world_flags & WORLD_WRONG) == 0;
        now.served = (world_flags >> 16) == (1u << PDS) - 1;
        if (!now.ok) {
            printf("wrong: %s\n", world_why());
        }
    };
    assert(ok)
}

proctype pd(byte me)
{
end:
    do
    :: atomic {
           c_expr { (world_flags >> Ppd->me) & 1 } ->
           c_code { world_step(Ppd->me); };
           look()
       }
    :: atomic {
           c_expr { (world_flags & WORLD_MORTAL(Ppd->me)) != 0 } ->
           c_code { world_restart(Ppd->me); };
           look()
       }
    od
}

init {
    atomic {
        c_code { world_start(); };
        byte i = 0;
        do
        :: i < PDS -> run pd(i); i++
        :: else -> break
        od;
        started = true
    }
}

#ifdef LIVE
ltl service { [] (started -> <> served) }
#endif
