/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the simulator does to core that hardware never does: it makes operations fail that hardly ever do, and
 * it lets nobody touch free memory. On hardware all of this is nothing: a constant, or no code.
 */
#ifndef HV_FAULT_H
#define HV_FAULT_H

#include <stdbool.h>
#include <stdint.h>

enum fault_point {
	FAULT_ALLOC, /* frame_alloc() finds nothing */
	FAULT_POOL,  /* pool_alloc() finds the ceiling reached */
	FAULT_COPY,  /* a guest page turns out absent at the door */
	FAULT_ATOMIC, /* a guest keeps an atomic operation on its memory from ending (hv/guest_atomic.h) */
	NR_FAULT_POINTS
};

#ifdef HV_HOST
/* Is this opportunity to fail one that the test chose? */
bool fault_strikes(enum fault_point p);
/* From now on each access to these frames is an error; until they are permitted again. */
void frames_forbid(uint64_t first, uint64_t n);
void frames_permit(uint64_t first, uint64_t n);
#else
static inline bool fault_strikes(enum fault_point p)
{
	(void)p;
	return false;
}

static inline void frames_forbid(uint64_t first, uint64_t n)
{
	(void)first, (void)n;
}

static inline void frames_permit(uint64_t first, uint64_t n)
{
	(void)first, (void)n;
}
#endif

#endif
