/* SPDX-License-Identifier: BSD-2-Clause */
/* A build with a C library (for AddressSanitizer, which needs one) begins here. */
#include "pd.h"

int main(void)
{
    mk_main(mk_hosted());
}
