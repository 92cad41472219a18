/* SPDX-License-Identifier: Apache-2.0 */
/*
 * method: wp
 * index_nospec(i, n) is i when i < n and 0 otherwise, for every n that an array can have. The empty asm statement,
 * which only hides the mask from the optimiser, is left out.
 */
#define __asm__(...)
#include <stdint.h>

/*@ requires n <= 0x7fffffffffffffff;
    assigns \nothing;
    ensures in: i < n ==> \result == i;
    ensures out: i >= n ==> \result == 0; */
static inline uint64_t index_nospec(uint64_t i, uint64_t n);

#include <hv/nospec.h>
