/* SPDX-License-Identifier: Apache-2.0 */
/* The host's clock and the calling CPU's deadline timer. */
#ifndef ARCH_TIMER_H
#define ARCH_TIMER_H

#include <stdint.h>

/* Nanoseconds since boot; the same on all CPUs, never backwards. Any context. */
uint64_t arch_time_ns(void);

/*
 * Raise SOFTIRQ_TIMER on this CPU at `deadline_ns` (at once if it is past); replaces an earlier
 * one. ~0: none.
 */
void arch_timer_set(uint64_t deadline_ns);

#endif
