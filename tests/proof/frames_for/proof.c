/* SPDX-License-Identifier: Apache-2.0 */
/*
 * method: wp
 * frames_for() is the smallest number of frames that holds so many bytes; for all 64-bit numbers.
 */
#include <stdint.h>

/*@ assigns \nothing;
    ensures enough: \result * 4096 >= bytes;
    ensures no_more: \result > 0 ==> (\result - 1) * 4096 < bytes; */
static inline uint64_t frames_for(uint64_t bytes);

#include <hv/addr.h>
