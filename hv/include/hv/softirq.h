/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work that a CPU does between two guest instructions: on its way back to a guest, and in idle.
 * Raising is one atomic or; a CPU in guest mode or idle is kicked. Each kind is one function with
 * bounded work that may raise itself again.
 *
 * What each architecture's exit path does, in a loop: while softirq_pending(), softirq_run(); then, when
 * cpu->idle, store CPU_IDLE in cpu->mode, fence, and arch_cpu_idle() unless a softirq is pending by now; otherwise store
 * CPU_GUEST, fence, look at cpu->softirqs once more, and enter cpu->current. Raising orders the bit before
 * its look at the mode. So either the CPU sees the bit or the raiser sees the mode and kicks.
 *
 * After idle, mode is CPU_HYPERVISOR again and a fence has passed before any interrupt handler runs:
 * RCU does not wait for a CPU that it sees idle.
 */
#ifndef HV_SOFTIRQ_H
#define HV_SOFTIRQ_H

#include <hv/cpu.h>

enum softirq {
	SOFTIRQ_TIMER,    /* timers_run() */
	SOFTIRQ_RCU,      /* rcu_run() */
	SOFTIRQ_FLUSH,    /* arch_flush_local(): second-stage TLB entries to drop (x86) */
	SOFTIRQ_CONSOLE,  /* console_run(): input to deliver, output to push */
	SOFTIRQ_WORK,     /* work_run(): one step of domain destruction and other long work */
	SOFTIRQ_SCHEDULE, /* sched_run(): pick the unit to run; done last */
	NR_SOFTIRQS
};

/* Make `c` run softirq `s` before it executes another guest instruction. Any context. */
void softirq_raise(struct cpu *c, enum softirq s);

static inline void softirq_raise_here(enum softirq s)
{
	atomic_or(&this_cpu()->softirqs, 1u << s);
}

/* True when the calling CPU should return to its exit path soon: long calls ask between steps. */
static inline bool softirq_pending(void)
{
	return read_once(&this_cpu()->softirqs) != 0;
}

/* Runs what is pending on this CPU, scheduling last. Bounded: more may be pending afterwards. */
void softirq_run(void);

/*
 * A piece of long work that runs in steps on the CPU that queued it. While a guest could run there, a step
 * is followed by a pause four times as long; an idle CPU goes on at once.
 */
struct work {
	/* One bounded step; true when there is more to do. When false, the work may be gone already. */
	bool (*step)(struct work *w);
	struct work *next; /* [own CPU's queue] */
	uint32_t queued;   /* [a] in a queue */
};

/* Nothing happens when it is queued already. Not from another CPU while it may be in a step. */
void work_queue(struct work *w);
/* SOFTIRQ_WORK: one step of the first queued work of this CPU; idle CPUs without any clear free frames. */
void work_run(void);
void work_cpu_init(struct cpu *c, struct timer *pause);

#endif
