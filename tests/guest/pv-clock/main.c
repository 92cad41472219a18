/* SPDX-License-Identifier: Apache-2.0 */
/* The PV clock never goes backwards: no vCPU reads less than what another one had read before. */
#include "machine.h"

#include <xen/sched.h>

#define CPUS   4
#define ROUNDS 5000u

static volatile uint64_t latest; /* the largest reading so far */
static volatile uint32_t done;

/* xen/xen.h, struct vcpu_time_info: what of it counts is read twice, with an even version in between. */
static uint64_t now(unsigned cpu)
{
	volatile struct vcpu_time_info *t = &shared_info.vcpu_info[cpu].time;
	uint64_t delta, base;
	uint32_t version, mul;
	int8_t shift;

	do {
		version = t->version;
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		__asm__ volatile("lfence" ::: "memory");
		delta = ticks() - t->tsc_timestamp;
		base = t->system_time;
		mul = t->tsc_to_system_mul;
		shift = t->tsc_shift;
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	} while (version & 1 || version != t->version);
	delta = shift < 0 ? delta >> -shift : delta << shift;
	return base + (uint64_t)((unsigned __int128)delta * mul >> 32);
}

static void race(unsigned cpu)
{
	for (unsigned round = 0; round < ROUNDS; round++) {
		uint64_t before = __atomic_load_n(&latest, __ATOMIC_SEQ_CST), t = now(cpu);

		if (t < before)
			fail("the clock goes backwards", t, before);
		while (before < t &&
		       !__atomic_compare_exchange_n(&latest, &before, t, false, __ATOMIC_SEQ_CST,
						    __ATOMIC_SEQ_CST))
			;
		if (round % 2)
			HYPERCALL(sched_op, SCHEDOP_yield, 0);
	}
	__atomic_add_fetch(&done, 1, __ATOMIC_SEQ_CST);
}

void guest_test(void)
{
	uint64_t from, to, start, elapsed;

	map_shared_info();
	from = now(0);
	start = ticks();
	for (unsigned cpu = 1; cpu < CPUS; cpu++)
		CHECK(cpu_start(cpu, race), 0, "another one starts");
	race(0);
	while (done < CPUS)
		HYPERCALL(sched_op, SCHEDOP_yield, 0);
	to = ticks();
	elapsed = now(0) - from;
	/* By the frequency that CPUID names, to the per cent; whoever interrupts us in between makes `elapsed` larger. */
	CHECK_TRUE(elapsed * (ticks_per_second() / 1000) / 1000000 * 100 >= (to - start) * 99,
		   "it is not slow");
}
