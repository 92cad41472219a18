/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of CPUs, and finding bits. */
#ifndef HV_BITMAP_H
#define HV_BITMAP_H

#include <hv/atomic.h>

/* The largest CPU number is one below this. It sizes sets only; per-CPU areas are allocated. */
#define MAX_CPUS 256u

struct cpuset {
	uint64_t bits[MAX_CPUS / 64];
};

static inline void cpuset_clear_all(struct cpuset *s)
{
	*s = (struct cpuset){ 0 };
}

static inline void cpuset_set_all(struct cpuset *s)
{
	for (unsigned i = 0; i < ARRAY_SIZE(s->bits); i++)
		s->bits[i] = ~(uint64_t)0;
}

static inline void cpuset_set(struct cpuset *s, unsigned cpu)
{
	s->bits[cpu / 64] |= BIT(cpu % 64);
}

static inline void cpuset_clear(struct cpuset *s, unsigned cpu)
{
	s->bits[cpu / 64] &= ~BIT(cpu % 64);
}

static inline bool cpuset_has(const struct cpuset *s, unsigned cpu)
{
	return (s->bits[cpu / 64] >> (cpu % 64)) & 1;
}

static inline bool cpuset_empty(const struct cpuset *s)
{
	for (unsigned i = 0; i < ARRAY_SIZE(s->bits); i++)
		if (s->bits[i])
			return false;
	return true;
}

/* The lowest member that is at least `from`, or MAX_CPUS. */
static inline unsigned cpuset_next(const struct cpuset *s, unsigned from)
{
	for (unsigned i = from / 64; i < ARRAY_SIZE(s->bits); i++) {
		uint64_t w = s->bits[i];

		if (i == from / 64)
			w &= ~(uint64_t)0 << (from % 64);
		if (w)
			return i * 64 + (unsigned)__builtin_ctzll(w);
	}
	return MAX_CPUS;
}

#define cpuset_for_each(cpu, s) \
	for (unsigned cpu = cpuset_next(s, 0); cpu < MAX_CPUS; cpu = cpuset_next(s, cpu + 1))

#endif
