/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The areas of physical CPUs. One frame holds a CPU's area and what the scheduler keeps of it. An area is
 * made before its CPU runs and stays; a CPU takes part in scheduling and RCU from cpu_online() on.
 * No lock: areas are made on the boot CPU, and readers see a table that only grows.
 */
#include <hv/cpu.h>

#include <arch/timer.h>
#include <hv/assert.h>
#include <hv/frame.h>
#include <hv/rcu.h>
#include <hv/sched.h>
#include <hv/softirq.h>
#include <hv/timer.h>

struct cpu_area {
	struct cpu cpu;
	struct timer slice, pause;
	uint64_t queue[CPU_QUEUE_WORDS];
};
_Static_assert(sizeof(struct cpu_area) <= PAGE_SIZE, "the area of a CPU is one frame");

struct cpuset cpus_online;
unsigned nr_cpus;
static struct cpu *areas[MAX_CPUS];

struct cpu *cpu_get(unsigned id)
{
	return id < MAX_CPUS ? load_acquire(&areas[id]) : NULL;
}

static void slice_over(struct timer *t)
{
	softirq_raise_here(SOFTIRQ_SCHEDULE);
}

struct cpu *cpu_area_create(unsigned node)
{
	struct cpu_area *a;
	struct cpu *c;
	mfn_t m;

	if (nr_cpus == MAX_CPUS)
		return NULL;
	m = frame_alloc(0, node, 0);
	if (!mfn_valid(m))
		return NULL;
	a = frame_va(m);
	c = &a->cpu;
	c->id = nr_cpus;
	c->node = node;
	c->idle = true;
	c->sched.idle_since = arch_time_ns();
	c->sched.queue = a->queue;
	c->sched.slice = &a->slice;
	timers_cpu_init(c);
	timer_init(&a->slice, slice_over, c);
	work_cpu_init(c, &a->pause);
	rcu_cpu_init(c);
	store_release(&areas[c->id], c);
	write_once(&nr_cpus, c->id + 1);
	return c;
}

void cpu_online(struct cpu *c)
{
	assert_always(c == this_cpu(), "a CPU brings itself online");
	assert_always(sched_cpu_add(c) == 0, "a new CPU is acceptable to the scheduler");
	write_once(&c->mode, CPU_HYPERVISOR);
	(void)atomic_or(&cpus_online.bits[c->id / 64], BIT(c->id % 64));
	softirq_raise_here(SOFTIRQ_SCHEDULE);
}
