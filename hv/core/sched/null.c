/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The null policy: each CPU belongs to at most one unit for good, so that nothing is ever decided while guests
 * run. A unit for which no CPU in its affinity is free waits, first come first served, until one is. One lock
 * guards it all; it is taken only when a unit starts, stops, comes or goes. cpu->sched.queue is the CPU's
 * owner.
 */
#include <hv/sched.h>

#include <hv/assert.h>
#include <hv/domain.h>
#include <hv/log.h>
#include <hv/softirq.h>
#include <hv/vcpu.h>
#include <xen/domctl.h>

struct place {
	struct sched_unit *owner; /* [l] NULL: free */
	bool present;             /* [l] */
};
_Static_assert(sizeof(struct place) <= CPU_QUEUE_WORDS * sizeof(uint64_t), "fits the CPU's area");

static struct lock lock = LOCK_INIT(RANK_SCHED);
static struct rbtree waiting; /* [l] units without a CPU, oldest first; `queued` set */

static struct place *place_of(const struct cpu *c)
{
	return c->sched.queue;
}

static bool owns(const struct sched_unit *u, const struct cpu *c)
{
	return place_of(c)->owner == u;
}

static bool in_order_of_arrival(const struct rbnode *a, const struct rbnode *b)
{
	return false;
}

static void assign(struct sched_unit *u, struct cpu *c) HOLDS(lock)
{
	place_of(c)->owner = u;
	write_once(&u->cpu, c);
	softirq_raise(c, SOFTIRQ_SCHEDULE);
}

/* Gives the free CPU `c` to whoever has waited longest for one like it. */
static void offer(struct cpu *c) HOLDS(lock)
{
	for (struct rbnode *n = rb_first(&waiting); n; n = rb_next(n)) {
		struct sched_unit *u = container_of(n, struct sched_unit, node);

		if (!cpuset_has(&u->hard, c->id))
			continue;
		rb_remove(&waiting, n);
		write_once(&u->queued, false);
		assign(u, c);
		return;
	}
}

static void find_place(struct sched_unit *u) HOLDS(lock)
{
	cpuset_for_each(id, &u->hard)
	{
		struct cpu *c = cpu_get(id);

		if (!c)
			break;
		if (place_of(c)->present && !place_of(c)->owner) {
			assign(u, c);
			return;
		}
	}
	/* Nothing but another vCPU's end will help it. */
	log_warning("d%uv%u waits: sched=null has no free CPU for it", u->vcpu->domain->id,
		    u->vcpu->id);
	write_once(&u->queued, true);
	rb_insert(&waiting, &u->node, in_order_of_arrival);
}

static void leave_place(struct sched_unit *u) HOLDS(lock)
{
	if (u->queued) {
		rb_remove(&waiting, &u->node);
		write_once(&u->queued, false);
	} else if (owns(u, u->cpu)) {
		place_of(u->cpu)->owner = NULL;
		softirq_raise(u->cpu, SOFTIRQ_SCHEDULE);
		offer(u->cpu);
	}
}

static int null_cpu_add(struct cpu *c)
{
	lock_take(&lock);
	place_of(c)->present = true;
	offer(c);
	lock_release(&lock);
	return 0;
}

static int null_unit_add(struct sched_unit *u)
{
	lock_take(&lock);
	write_once(&u->cpu, this_cpu());
	find_place(u);
	lock_release(&lock);
	return 0;
}

static void null_unit_remove(struct sched_unit *u)
{
	lock_take(&lock);
	leave_place(u);
	lock_release(&lock);
}

static void null_wake(struct sched_unit *u)
{
	lock_take(&lock);
	if (!u->running && !u->queued && vcpu_eligible(u->vcpu) && owns(u, u->cpu))
		softirq_raise(u->cpu, SOFTIRQ_SCHEDULE);
	lock_release(&lock);
}

static void null_sleep(struct sched_unit *u) {}

static struct sched_unit *null_pick(struct cpu *c, struct sched_unit *prev, uint64_t now,
				    uint64_t *end)
{
	struct sched_unit *u;

	*end = SLICE_NONE;
	lock_take(&lock);
	if (prev) {
		prev->yielded = false;
		write_once(&prev->running, false);
	}
	u = place_of(c)->owner;
	/* Running: on the CPU that it had before, which was told, and wakes it when it has let go. */
	if (u && !u->running && vcpu_eligible(u->vcpu) && sched_claimable(u, c))
		write_once(&u->running, true);
	else
		u = NULL;
	lock_release(&lock);
	return u;
}

static void null_set_affinity(struct sched_unit *u, const struct cpuset *hard,
			      const struct cpuset *soft)
{
	lock_take(&lock);
	if (hard)
		u->hard = *hard;
	if (soft)
		u->soft = *soft;
	if (u->queued || !cpuset_has(&u->hard, u->cpu->id)) {
		leave_place(u);
		find_place(u);
	}
	lock_release(&lock);
}

static void null_set_weight(struct sched_unit *u, uint32_t weight)
{
	lock_take(&lock);
	u->weight = weight;
	lock_release(&lock);
}

const struct sched_ops sched_null = {
	.name = "null",
	.id = XEN_SCHEDULER_NULL,
	.cpu_add = null_cpu_add,
	.unit_add = null_unit_add,
	.unit_remove = null_unit_remove,
	.wake = null_wake,
	.sleep = null_sleep,
	.pick = null_pick,
	.set_affinity = null_set_affinity,
	.set_weight = null_set_weight,
};
