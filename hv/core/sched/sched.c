/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all scheduling policies share: making the policy's choice current. Policies decide who and for how long
 * under their locks (rank SCHED); here a CPU accounts the time, moves the vCPU's run state and its registers.
 *
 * Registers stay where they are for as long as that is free: a CPU that goes idle because its vCPU blocks keeps it
 * loaded, and the vCPU that comes back costs no switch. unit->held says which CPU has the registers:
 *
 *	free --SCHED_IN on c--> held by c --c loads another, or saves--> free
 *
 * Nobody else runs a held unit. A policy that finds one in its queue leaves its name in unit->wanted, tells the
 * holder (sched_claimable), and is told when the unit is free. A CPU saves a loaded vCPU when it has another one to run,
 * when that vCPU stops for any reason but blocking, and when it is told to schedule while idle and stays idle:
 * so telling the holder is all that it takes, and pausing a vCPU does it (vcpu_recheck).
 *
 * No wake-up is lost. A waker makes the vCPU READY and then looks, under the policy's lock, whether its unit is
 * running; this CPU takes the mark `running` away under that lock and then looks at the state once more.
 * Nothing runs that may not: SCHED_IN fails for a vCPU that is not eligible, whatever the queues say.
 */
#include <hv/sched.h>

#include <arch/timer.h>
#include <arch/vcpu.h>
#include <hv/assert.h>
#include <hv/domain.h>
#include <hv/softirq.h>
#include <hv/string.h>
#include <hv/trace.h>

static const struct sched_ops *const policies[] = { &sched_credit2, &sched_null };
static const struct sched_ops *policy;

#define NOT_IDLE (~(uint64_t)0) /* cpu->sched.idle_since */

int sched_init(const char *name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(policies); i++)
		if (!strcmp(name, policies[i]->name)) {
			policy = policies[i];
			return 0;
		}
	return refuse(R_UNKNOWN_SCHEDULER, 0, 0, 0);
}

const struct sched_ops *sched_policy(void)
{
	return policy;
}

int sched_cpu_add(struct cpu *c)
{
	assert_always(policy, "sched_init() comes before the first CPU");
	return policy->cpu_add(c);
}

/* ---- units ------------------------------------------------------------------------------------ */

int sched_unit_add(struct vcpu *v)
{
	struct sched_unit *u = v->unit;

	*u = (struct sched_unit){ .vcpu = v, .weight = SCHED_WEIGHT_DEFAULT };
	cpuset_set_all(&u->hard);
	cpuset_set_all(&u->soft);
	return policy->unit_add(u);
}

void sched_unit_remove(struct vcpu *v)
{
	assert(sched_unit_idle(v), "a vCPU leaves the scheduler when no CPU has it");
	policy->unit_remove(v->unit);
}

void sched_wake(struct vcpu *v)
{
	policy->wake(v->unit);
}

void sched_sleep(struct vcpu *v)
{
	policy->sleep(v->unit);
}

void sched_yield(struct vcpu *v)
{
	v->unit->yielded = true;
	softirq_raise_here(SOFTIRQ_SCHEDULE);
}

bool sched_unit_idle(const struct vcpu *v)
{
	return !load_acquire(&v->unit->running) && !load_acquire(&v->unit->held);
}

static bool meets_online(const struct cpuset *s)
{
	cpuset_for_each(id, s) if (read_once(&cpus_online.bits[id / 64]) & BIT(id % 64)) return true;
	return false;
}

int sched_set_affinity(struct vcpu *v, const struct cpuset *hard, const struct cpuset *soft)
{
	if (hard && !meets_online(hard))
		return refuse(R_NO_CPU_IN_AFFINITY, v->id, 0, v->domain->id);
	policy->set_affinity(v->unit, hard, soft);
	return 0;
}

static void read_set(struct cpuset *to, const struct cpuset *from)
{
	for (unsigned i = 0; to && i < ARRAY_SIZE(to->bits); i++)
		to->bits[i] = read_once(&from->bits[i]);
}

void sched_get_affinity(const struct vcpu *v, struct cpuset *hard, struct cpuset *soft)
{
	read_set(hard, &v->unit->hard);
	read_set(soft, &v->unit->soft);
}

int sched_set_weight(struct domain *d, uint32_t weight, uint32_t cap)
{
	struct vcpu *v;

	if (weight == 0 || weight > SCHED_WEIGHT_MAX)
		return refuse(R_BAD_WEIGHT, d->id, SCHED_WEIGHT_MAX, weight);
	if (cap)
		return refuse(R_NO_CAPS, d->id, 0, cap);
	domain_for_each_vcpu(v, d) policy->set_weight(v->unit, weight);
	return 0;
}

uint64_t sched_cpu_time(const struct vcpu *v)
{
	struct vcpu_runstate_info info;

	vcpu_runstate((struct vcpu *)(uintptr_t)v, &info);
	return info.time[RUNSTATE_running];
}

uint64_t sched_idle_time(const struct cpu *c)
{
	uint64_t since = read_once(&c->sched.idle_since), now = arch_time_ns();
	uint64_t before = read_once(&c->sched.idle_time);

	return since == NOT_IDLE ? before : before + (now > since ? now - since : 0);
}

/* ---- registers --------------------------------------------------------------------------------- */

bool sched_claimable(struct sched_unit *u, struct cpu *c)
{
	struct cpu *holder = load_acquire(&u->held);

	if (!holder || holder == c)
		return true;
	/* The holder frees the unit and then looks here; we write here and then look again. */
	(void)atomic_xchg(&u->wanted, c);
	holder = atomic_load(&u->held);
	if (!holder)
		return true;
	softirq_raise(holder, SOFTIRQ_SCHEDULE);
	return false;
}

static void free_registers(struct sched_unit *u)
{
	struct cpu *c;

	(void)atomic_xchg(&u->held, (struct cpu *)NULL);
	if (!atomic_load(&u->wanted))
		return;
	c = atomic_xchg(&u->wanted, (struct cpu *)NULL);
	if (c)
		softirq_raise(c, SOFTIRQ_SCHEDULE);
}

/* This CPU's registers become those of `next`; NULL: of nobody. */
static void load(struct cpu *c, struct vcpu *next)
{
	struct vcpu *loaded = c->current;

	if (loaded == next)
		return;
	if (next) {
		assert(!read_once(&next->unit->held), "a unit is free before it is loaded");
		store_release(&next->unit->held, c);
	}
	arch_vcpu_switch(loaded, next);
	c->current = next;
	if (loaded)
		free_registers(loaded->unit);
}

/* It only waits for something, so that it will most likely be the next one here. */
static bool only_waits(const struct vcpu *v)
{
	uint32_t run = read_once(&v->run);

	return (run == VCPU_BLOCKED || run == VCPU_WAITING) &&
	       read_once(&v->domain->pause_count) == 0;
}

/* ---- the switch -------------------------------------------------------------------------------- */

/*
 * Asks the policy until it names somebody who may run. Each round that fails takes a unit off a queue that
 * somebody else made ineligible in the meantime.
 */
static struct sched_unit *choose(struct cpu *c, struct sched_unit *prev, uint64_t now, uint64_t *end)
{
	for (;;) {
		struct sched_unit *next = policy->pick(c, prev, now, end);

		if (prev && prev != next && !read_once(&prev->queued) && vcpu_eligible(prev->vcpu))
			policy->wake(prev);
		if (!next)
			return NULL;
		(void)vcpu_transition(next->vcpu, VCPU_SCHED_IN);
		if (vcpu_state(next->vcpu) == VCPU_RUNNING)
			return next;
		prev = next;
	}
}

void sched_slice(uint64_t end)
{
	struct timer *t = this_cpu()->sched.slice;

	/* Only this CPU arms it, so that looking needs no lock. */
	if (end != SLICE_NONE)
		timer_set(t, end);
	else if (rb_linked(&t->node))
		timer_stop(t);
}

static void end_idle(struct cpu *c, uint64_t now)
{
	uint64_t since = c->sched.idle_since;

	c->idle = false;
	if (since == NOT_IDLE)
		return;
	write_once(&c->sched.idle_time, c->sched.idle_time + (now > since ? now - since : 0));
	write_once(&c->sched.idle_since, NOT_IDLE);
}

static void go_idle(struct cpu *c, bool was_running, uint64_t now)
{
	if (c->current && !(was_running && only_waits(c->current)))
		load(c, NULL);
	if (c->sched.idle_since == NOT_IDLE)
		write_once(&c->sched.idle_since, now);
	c->idle = true;
	softirq_raise_here(SOFTIRQ_WORK);
}

void sched_run(void)
{
	struct cpu *c = this_cpu();
	struct sched_unit *prev = c->sched.running, *next;
	uint64_t now = arch_time_ns(), end = SLICE_NONE;

	c->sched.running = NULL;
	if (prev)
		(void)vcpu_transition(prev->vcpu, VCPU_SCHED_OUT);
	next = choose(c, prev, now, &end);
	sched_slice(end);
	c->sched.running = next;
	if (next && next == prev)
		return;
	if (prev) {
		vcpu_switched_out(prev->vcpu, now);
		trace(TRC_SCHED_SWITCH_INFPREV, prev->vcpu->domain->id, prev->vcpu->id);
	}
	if (!next) {
		go_idle(c, prev != NULL, now);
		return;
	}
	load(c, next->vcpu);
	end_idle(c, now);
	vcpu_switched_in(next->vcpu, now);
	trace(TRC_SCHED_SWITCH_INFNEXT, next->vcpu->domain->id, next->vcpu->id);
}
