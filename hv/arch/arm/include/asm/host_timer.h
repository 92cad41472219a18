/* SPDX-License-Identifier: Apache-2.0 */
/* The physical counter and its relation to nanoseconds since boot. */
#ifndef ASM_HOST_TIMER_H
#define ASM_HOST_TIMER_H

#include <asm/sysreg.h>
#include <hv/compiler.h>

struct host_timer {
	uint64_t start;        /* [c] counter when arch_time_ns() was 0 */
	uint64_t ns_per_tick;  /* [c] 32.32 */
	uint64_t ticks_per_ns; /* [c] 32.32 */
	uint32_t hz;           /* [c] */
};
extern struct host_timer host_timer;

/* Not before what comes earlier in the program: time must not run backwards between two reads. */
static inline uint64_t host_ticks(void)
{
	isb();
	return sysreg_read(cntpct_el0);
}

static inline uint64_t ticks_to_ns(uint64_t ticks)
{
	return (uint64_t)((unsigned __int128)ticks * host_timer.ns_per_tick >> 32);
}

/*
 * Rounded up, so that a deadline that was reached in ticks was reached in nanoseconds. At most so many that the counter's
 * value can be added.
 */
static inline uint64_t ns_to_ticks(uint64_t ns)
{
	unsigned __int128 t = (unsigned __int128)ns * host_timer.ticks_per_ns >> 32;

	return (uint64_t)(t >> 62 ? (uint64_t)1 << 62 : t) + 1;
}

/* Boot CPU; then each CPU, after its interrupt controller. */
void host_timer_init(const void *fdt);
void host_timer_cpu_init(void);

#endif
