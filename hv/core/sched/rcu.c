/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Grace periods. They are numbered; at most one runs at a time. When one begins, every other online CPU that is not
 * idle is asked (SOFTIRQ_RCU) to pass its exit path; the last one to do so ends it. Call-backs wait on the CPU
 * that registered them: first for a grace period to begin, then for that one to end.
 *
 * An idle CPU is not waited for. It stores its mode and fences before it reads anything shared (hv/softirq.h); we
 * fence between the caller's removal of the object and our look at the mode. Either we see that the CPU is not idle,
 * or it does not see the object.
 *
 * The lock (rank RCU) guards the numbers and sets; a CPU's lists are its own.
 */
#include <hv/rcu.h>

#include <hv/bitmap.h>
#include <hv/lock.h>
#include <hv/softirq.h>

#define MAX_BATCH 16

static struct {
	struct lock lock;
	uint64_t begun, ended; /* [l] grace periods so far; unequal: one runs */
	struct cpuset pending; /* [l] CPUs that have not passed since it began */
	struct cpuset waiting; /* [l] CPUs to tell when it has ended */
	bool another;          /* [l] somebody waits for the one after it */
} rcu = { .lock = LOCK_INIT(RANK_RCU) };

void rcu_cpu_init(struct cpu *c)
{
	c->rcu.next = c->rcu.wait = NULL;
	c->rcu.next_tail = &c->rcu.next;
	c->rcu.wait_gen = 0;
}

void rcu_call(struct rcu_head *h, void (*fn)(struct rcu_head *h))
{
	struct cpu *c = this_cpu();

	h->fn = fn;
	h->next = NULL;
	*c->rcu.next_tail = h;
	c->rcu.next_tail = &h->next;
	softirq_raise_here(SOFTIRQ_RCU);
}

/* The calling CPU is between two hypervisor entries, so it need not be asked. */
static void begin(struct cpu *self) HOLDS(rcu.lock)
{
	rcu.begun++;
	rcu.another = false;
	cpuset_clear_all(&rcu.pending);
	atomic_fence();
	for (unsigned id = 0; id < read_once(&nr_cpus); id++) {
		struct cpu *c = cpu_get(id);

		if (c == self || atomic_load(&c->mode) == CPU_IDLE ||
		    atomic_load(&c->mode) == CPU_OFFLINE)
			continue;
		cpuset_set(&rcu.pending, id);
		softirq_raise(c, SOFTIRQ_RCU);
	}
	if (cpuset_empty(&rcu.pending))
		rcu.ended = rcu.begun;
}

/* The running grace period is over; CPUs with call-backs are told, and the next one begins if it is asked for. */
static void end(struct cpu *self) HOLDS(rcu.lock)
{
	rcu.ended = rcu.begun;
	cpuset_for_each(id, &rcu.waiting) softirq_raise(cpu_get(id), SOFTIRQ_RCU);
	cpuset_clear_all(&rcu.waiting);
	if (rcu.another)
		begin(self);
}

static void pass(struct cpu *c) HOLDS(rcu.lock)
{
	if (!cpuset_has(&rcu.pending, c->id))
		return;
	cpuset_clear(&rcu.pending, c->id);
	if (cpuset_empty(&rcu.pending))
		end(c);
}

/* New call-backs of `c` wait for a grace period that begins from now on. */
static void wait_for_next(struct cpu *c) HOLDS(rcu.lock)
{
	c->rcu.wait = c->rcu.next;
	c->rcu.next = NULL;
	c->rcu.next_tail = &c->rcu.next;
	if (rcu.begun == rcu.ended) {
		begin(c);
		c->rcu.wait_gen = rcu.begun;
	} else {
		rcu.another = true;
		c->rcu.wait_gen = rcu.begun + 1;
	}
}

/* True when the waiting call-backs may run. Otherwise the CPU will be told. */
static bool advance(struct cpu *c) HOLDS(rcu.lock)
{
	if (!c->rcu.wait && c->rcu.next)
		wait_for_next(c);
	if (!c->rcu.wait)
		return false;
	if (c->rcu.wait_gen <= rcu.ended)
		return true;
	cpuset_set(&rcu.waiting, c->id);
	return false;
}

static void run_callbacks(struct cpu *c)
{
	for (unsigned n = 0; n < MAX_BATCH && c->rcu.wait; n++) {
		struct rcu_head *h = c->rcu.wait;

		c->rcu.wait = h->next;
		h->fn(h);
	}
	if (c->rcu.wait || c->rcu.next)
		softirq_raise_here(SOFTIRQ_RCU);
}

void rcu_run(void)
{
	struct cpu *c = this_cpu();
	bool due;

	lock_take(&rcu.lock);
	pass(c);
	due = advance(c);
	lock_release(&rcu.lock);
	if (due)
		run_callbacks(c);
}
