/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bounds that hold under speculation as well (Spectre variant 1): an index that came from a guest
 * is clamped where it is checked, not where it is used.
 */
#ifndef HV_NOSPEC_H
#define HV_NOSPEC_H

#include <hv/compiler.h>

/* i when i < n, otherwise 0, without a branch that could be predicted. */
static inline uint64_t index_nospec(uint64_t i, uint64_t n)
{
	uint64_t mask;

	/* The compiler must not know that the caller has checked `i`: it would take the mask to be ones. */
	__asm__("" : "+r"(i));
	mask = (uint64_t)((int64_t)(i - n) >> 63) & ~(uint64_t)((int64_t)i >> 63);
	__asm__("" : "+r"(mask)); /* keeps it from turning that back into a branch */
	return i & mask;
}

#endif
