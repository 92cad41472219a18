/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One physical CPU as core sees it. Areas are allocated when a CPU comes up (cpu_area_create), so
 * CPUs can come and go; ids are dense from 0. Except where a field says so, only the CPU itself
 * touches its area.
 */
#ifndef HV_CPU_H
#define HV_CPU_H

#include <asm/cpu.h> /* struct arch_cpu, this_cpu(), arch_cpu_relax() */
#include <hv/addr.h>
#include <hv/atomic.h>
#include <hv/bitmap.h>
#include <hv/lock.h>
#include <hv/rbtree.h>
#include <hv/reason.h>
#include <hv/trace.h>

struct vcpu;
struct domain;
struct sched_unit;
struct rcu_head;
struct timer;
struct work;

enum cpu_mode {
	CPU_OFFLINE,    /* no code of ours runs there */
	CPU_HYPERVISOR, /* inside the hypervisor */
	CPU_GUEST,      /* running a vCPU, or about to: softirqs are checked once more */
	CPU_IDLE,       /* waiting for an interrupt: touches nothing that others may free */
};

/* All timers armed on one CPU, earliest first. */
struct timer_queue {
	struct lock lock;    /* rank TIMER */
	struct rbtree tree;  /* [l] struct timer, by expiry */
	uint64_t programmed; /* [own] deadline given to the hardware, ~0: none */
};

struct cpu {
	struct arch_cpu arch; /* first: entry code reaches it by small offsets */
	struct vcpu *current; /* vCPU whose registers this CPU holds; NULL: none */
	uint32_t softirqs;    /* [a] bits of enum softirq, raised by anybody */
	uint32_t mode;        /* [a] enum cpu_mode; written by its own CPU */
	uint32_t id;          /* [c] */
	uint32_t node;        /* [c] NUMA node */
	bool idle;            /* [own] nothing runs, although current may still be loaded */
	struct timer_queue timers;
	struct {
		struct rcu_head *next, **next_tail; /* [own] waiting for a grace period to begin */
		struct rcu_head *wait;              /* [own] waiting for one to end: */
		uint64_t wait_gen;                  /* [own] this one */
	} rcu;
	struct {
		struct work *first, **tail; /* [own] queued */
		struct timer *pause;        /* [c] until the next step, when a guest runs between */
	} work;
	struct {
		void *queue;                /* [c] the policy's part: CPU_QUEUE_WORDS words */
		struct timer *slice;        /* [c] raises SOFTIRQ_SCHEDULE */
		struct sched_unit *running; /* [own] NULL: idle */
		uint64_t idle_since;        /* [own, a] ns, while idle; ~0: it is not */
		uint64_t idle_time;         /* [own, a] ns before that */
	} sched;
	struct refusal refusal;       /* [own] for work done outside any vCPU */
	struct trace_ring *trace;     /* [a] this CPU's ring, NULL while tracing was never on */
	struct trace_ring trace_ring; /* what that points to */
#ifdef HV_DEBUG
	const struct lock *held[8]; /* [own] ranks are checked against these */
	uint32_t nr_held;
#endif
};

/* Room for what a scheduling policy keeps of one CPU. */
#define CPU_QUEUE_WORDS 24u

extern struct cpuset cpus_online; /* [a] grows by atomic ors */
extern unsigned nr_cpus;          /* [a] areas that exist: ids are below this */

/* The area of CPU `id`, NULL when there never was one. Any context. */
struct cpu *cpu_get(unsigned id);
/* Allocate and register the area of the next CPU, one frame. Boot CPU context. NULL: out of memory. */
MUST_USE struct cpu *cpu_area_create(unsigned node);
/* The calling CPU is ready to schedule (sched_init() was called): from now on it is in cpus_online. */
void cpu_online(struct cpu *c);

/* The vCPU on whose behalf this CPU works now, or NULL in idle and boot work. */
static inline struct vcpu *current_vcpu(void)
{
	struct cpu *c = this_cpu();

	return c->idle ? NULL : c->current;
}

#endif
