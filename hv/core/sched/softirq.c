/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Soft interrupts: raising them on any CPU and running them on one's own. No lock: cpu->softirqs is
 * one atomic word. Interrupt handlers, timers and everything that wants another CPU's attention call in; each
 * architecture's exit path runs them.
 */
#include <hv/softirq.h>

#include <arch/cpu.h>
#include <hv/console.h>
#include <hv/rcu.h>
#include <hv/sched.h>
#include <hv/timer.h>

/* Handlers may raise others; what is still pending after so many rounds waits for the caller's loop. */
#define MAX_ROUNDS 4

void softirq_raise(struct cpu *c, enum softirq s)
{
	uint32_t mode;

	/*
	 * Whoever set the bit sees to the kick. The or and the load are sequentially consistent, as are (or with a
	 * fence between) the target's store of its mode and its load of the bits.
	 */
	if (atomic_or(&c->softirqs, 1u << s) & (1u << s))
		return;
	if (c == this_cpu())
		return;
	mode = atomic_load(&c->mode);
	if (mode == CPU_GUEST || mode == CPU_IDLE)
		arch_cpu_kick(c);
}

void softirq_run(void)
{
	struct cpu *c = this_cpu();

	for (unsigned round = 0; round < MAX_ROUNDS && read_once(&c->softirqs); round++) {
		uint32_t pending = atomic_xchg(&c->softirqs, 0u);

		if (pending & (1u << SOFTIRQ_TIMER))
			timers_run();
		if (pending & (1u << SOFTIRQ_RCU))
			rcu_run();
		if (pending & (1u << SOFTIRQ_FLUSH))
			arch_flush_local();
		if (pending & (1u << SOFTIRQ_CONSOLE))
			console_run();
		if (pending & (1u << SOFTIRQ_WORK))
			work_run();
		if (pending & (1u << SOFTIRQ_SCHEDULE))
			sched_run();
	}
}
