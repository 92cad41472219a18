/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Virtual CPUs: their frames, their run state and what wakes them. v->run is one atomic word that
 * vcpu_transition() alone changes; everybody else asks it. Who may run is decided here (eligible), where
 * and when by the scheduler. Called by abi handlers, device emulation, timers and the scheduler.
 */
#include <hv/vcpu.h>

#include <arch/cpu.h>
#include <arch/timer.h>
#include <arch/vcpu.h>
#include <hv/assert.h>
#include <hv/domain.h>
#include <hv/guest_atomic.h>
#include <hv/softirq.h>

_Static_assert(sizeof(struct vcpu) <= PAGE_SIZE, "a vCPU is one frame of its domain's pool");

#define RUN_STATE     0xffu
#define RUN_PAUSE_ONE 0x100u

static bool run_eligible(uint32_t run, const struct vcpu *v)
{
	return run == VCPU_READY && read_once(&v->domain->pause_count) == 0;
}

static void runstate_changed(struct vcpu *v);

bool vcpu_eligible(const struct vcpu *v)
{
	return run_eligible(read_once(&v->run), v);
}

/*
 * What `e` makes of the word `run`; the same word when it means nothing there. These are all the
 * legal moves.
 */
static uint32_t next_run(const struct vcpu *v, uint32_t run, enum vcpu_event e)
{
	static const struct {
		uint8_t from, to;
	} move[] = {
		[VCPU_UP] = { VCPU_OFFLINE, VCPU_READY },
		[VCPU_SCHED_OUT] = { VCPU_RUNNING, VCPU_READY },
		[VCPU_BLOCK] = { VCPU_RUNNING, VCPU_BLOCKED },
		[VCPU_WAKE] = { VCPU_BLOCKED, VCPU_READY },
		[VCPU_WAIT] = { VCPU_RUNNING, VCPU_WAITING },
		[VCPU_DONE] = { VCPU_WAITING, VCPU_READY },
	};
	uint32_t pauses = run & ~RUN_STATE;

	switch (e) {
	case VCPU_PAUSE: return run + RUN_PAUSE_ONE;
	case VCPU_UNPAUSE:
		assert_always(pauses != 0, "a vCPU is unpaused as often as it was paused");
		return run - RUN_PAUSE_ONE;
	case VCPU_DOWN: return pauses | VCPU_OFFLINE;
	case VCPU_SCHED_IN: return run_eligible(run, v) ? VCPU_RUNNING : run;
	default: return (run & RUN_STATE) == move[e].from ? pauses | move[e].to : run;
	}
}

enum vcpu_state vcpu_transition(struct vcpu *v, enum vcpu_event e)
{
	uint32_t old, new;

	if (e == VCPU_SCHED_IN)
		write_once(&v->cpu, this_cpu());
	old = read_once(&v->run);
	do {
		new = next_run(v, old, e);
		if (new == old)
			return (enum vcpu_state)(old & RUN_STATE);
	} while (!atomic_cas(&v->run, &old, new));

	switch (e) {
	case VCPU_UP:
	case VCPU_WAKE:
	case VCPU_DONE:
	case VCPU_UNPAUSE:
		runstate_changed(v);
		if (run_eligible(new, v))
			sched_wake(v);
		break;
	case VCPU_PAUSE:
	case VCPU_DOWN: vcpu_recheck(v); break;
	case VCPU_SCHED_IN:
		/* A domain paused since the check above saw this vCPU still READY: leave again. */
		if (read_once(&v->domain->pause_count))
			softirq_raise_here(SOFTIRQ_SCHEDULE);
		break;
	default: break;
	}
	return (enum vcpu_state)(old & RUN_STATE);
}

void vcpu_recheck(struct vcpu *v)
{
	uint32_t run = read_once(&v->run);

	runstate_changed(v);
	if (run_eligible(run, v)) {
		sched_wake(v);
		return;
	}
	sched_sleep(v);
	/* Whatever it was, if a CPU still has it, that CPU must pick again. */
	if (!sched_unit_idle(v))
		softirq_raise(read_once(&v->cpu), SOFTIRQ_SCHEDULE);
}

void vcpu_pause(struct vcpu *v)
{
	(void)vcpu_transition(v, VCPU_PAUSE);
}

void vcpu_unpause(struct vcpu *v)
{
	(void)vcpu_transition(v, VCPU_UNPAUSE);
}

bool vcpu_off_cpu(const struct vcpu *v)
{
	return vcpu_state(v) != VCPU_RUNNING && sched_unit_idle(v);
}

void vcpu_block(struct vcpu *v)
{
	if (arch_vcpu_interrupt_pending(v))
		return;
	(void)vcpu_transition(v, VCPU_BLOCK);
	/*
	 * Whoever makes something pending looks at the state afterwards; we look at what is pending after the
	 * state. One of us sees the other.
	 */
	if (arch_vcpu_interrupt_pending(v))
		vcpu_wake(v);
	softirq_raise_here(SOFTIRQ_SCHEDULE);
}

void vcpu_kick(struct vcpu *v)
{
	atomic_fence(); /* pairs with vcpu_block: pending before state */
	if (vcpu_state(v) == VCPU_RUNNING) {
		struct cpu *c = read_once(&v->cpu);

		if (c != this_cpu())
			arch_cpu_kick(c);
	} else if (vcpu_state(v) == VCPU_BLOCKED) {
		vcpu_wake(v);
	} /* else it will look when it next runs */
}

/* ---- run-state times ------------------------------------------------------------------------- */

#define RUNSTATE_WORD(state, since) ((since) << 2 | (uint64_t)(state))
#define RUNSTATE_OF(word)           ((unsigned)((word)&3))
#define RUNSTATE_SINCE(word)        ((word) >> 2)
_Static_assert(RUNSTATE_offline == 3, "xen/vcpu.h: four states");

/* How the ABI calls the state that the vCPU is in now: paused is offline, except for one that waits for an event. */
static int runstate_of(const struct vcpu *v)
{
	switch (vcpu_state(v)) {
	case VCPU_RUNNING: return RUNSTATE_running;
	case VCPU_READY: return vcpu_eligible(v) ? RUNSTATE_runnable : RUNSTATE_offline;
	case VCPU_OFFLINE: return RUNSTATE_offline;
	default: return RUNSTATE_blocked;
	}
}

/*
 * `v` is in another state from `now` on: the time since the last change goes to the one it was in. While it runs, only
 * its CPU says so, when it switches it out (`own`).
 */
static void runstate_set(struct vcpu *v, int state, uint64_t now, bool own)
{
	uint64_t old = read_once(&v->runstate), since;

	do {
		if (!own &&
		    (RUNSTATE_OF(old) == RUNSTATE_running || RUNSTATE_OF(old) == (unsigned)state))
			return;
		since = RUNSTATE_SINCE(old);
		now = MAX(now, since); /* clocks of two CPUs */
	} while (!atomic_cas(&v->runstate, &old, RUNSTATE_WORD(state, now)));
	(void)atomic_add(&v->time[RUNSTATE_OF(old)], now - since);
}

/* Something happened to it that may have changed its state. */
static void runstate_changed(struct vcpu *v)
{
	runstate_set(v, runstate_of(v), arch_time_ns(), false);
}

/* What has been booked, and the word as it was then. */
static uint64_t runstate_read(const struct vcpu *v, struct vcpu_runstate_info *out)
{
	uint64_t word = load_acquire(&v->runstate);

	for (unsigned i = 0; i < ARRAY_SIZE(v->time); i++)
		out->time[i] = read_once(&v->time[i]);
	out->state = (int)RUNSTATE_OF(word);
	out->state_entry_time = RUNSTATE_SINCE(word) + (uint64_t)v->domain->time_offset;
	return word;
}

void vcpu_runstate(struct vcpu *v, struct vcpu_runstate_info *out)
{
	uint64_t word, now;

	do
		word = runstate_read(v, out);
	while (read_once(&v->runstate) != word);
	now = MAX(arch_time_ns(), RUNSTATE_SINCE(word));
	out->time[out->state] += now - RUNSTATE_SINCE(word);
}

/* Copy into one or two pinned frames. */
static void runstate_store(struct vcpu *v, unsigned at, const void *src, size_t n)
{
	const char *s = src;

	for (size_t i = 0; i < n; i++, at++)
		write_once((char *)v->runstate_pin[at / PAGE_SIZE].va + at % PAGE_SIZE, s[i]);
}

/*
 * A guest that asked for it (VMASST_TYPE_runstate_update_flag) sees XEN_RUNSTATE_UPDATE in state_entry_time
 * while the record is being written (xen/vcpu.h).
 */
static void runstate_publish(struct vcpu *v)
{
	struct vcpu_runstate_info info;
	bool flagged = v->domain->vm_assist & (1u << VMASST_TYPE_runstate_update_flag);
	unsigned at = v->runstate_offset;

	(void)runstate_read(v, &info);
	if (flagged) {
		uint64_t entry = info.state_entry_time | XEN_RUNSTATE_UPDATE;

		runstate_store(v, at + offsetof(struct vcpu_runstate_info, state_entry_time),
			       &entry, sizeof(entry));
		atomic_fence();
		info.state_entry_time = entry;
	}
	runstate_store(v, at, &info, sizeof(info));
	if (flagged) {
		atomic_fence();
		info.state_entry_time &= ~XEN_RUNSTATE_UPDATE;
		runstate_store(v, at + offsetof(struct vcpu_runstate_info, state_entry_time),
			       &info.state_entry_time, sizeof(info.state_entry_time));
	}
}

/* Its timers interrupt the CPU that it runs on, nobody else's. */
static void bring_timers(struct vcpu *v)
{
	struct cpu *here = this_cpu();

	if (likely(read_once(&v->periodic.cpu) == here))
		return;
	timer_migrate(&v->singleshot, here);
	timer_migrate(&v->poll, here);
	timer_migrate(&v->periodic, here);
}

void vcpu_switched_in(struct vcpu *v, uint64_t now)
{
	bring_timers(v);
	runstate_set(v, RUNSTATE_running, now, true);
	if (pin_held(&v->runstate_pin[0]))
		runstate_publish(v);
}

void vcpu_switched_out(struct vcpu *v, uint64_t now)
{
	runstate_set(v, runstate_of(v), now, true);
	runstate_changed(
	    v); /* it was woken, or stopped, in between, and whoever did it saw it run */
	if (pin_held(&v->runstate_pin[0]))
		runstate_publish(v);
}

int vcpu_set_runstate_area(struct vcpu *caller, struct vcpu *v, gva_t area)
{
	unsigned offset = area.a % PAGE_SIZE;
	bool straddles = offset + sizeof(struct vcpu_runstate_info) > PAGE_SIZE;
	struct pin pin[2] = { { .va = NULL }, { .va = NULL } };
	int err;

	/* The guest may name an area that is not mapped yet; it then simply has none. */
	err = pin_get_va(&pin[0], caller, area);
	if (!err && straddles) {
		err = pin_get_va(&pin[1], caller, gva_add(area, PAGE_SIZE - offset));
		if (err)
			pin_put(&pin[0]);
	}
	if (err)
		return err;
	pin_put(&v->runstate_pin[0]);
	pin_put(&v->runstate_pin[1]);
	v->runstate_pin[0] = pin[0];
	v->runstate_pin[1] = pin[1];
	v->runstate_offset = (uint16_t)offset;
	runstate_publish(v);
	return 0;
}

/* ---- vcpu_info ------------------------------------------------------------------------------- */

int vcpu_set_info(const struct vcpu *caller, struct vcpu *v, gfn_t g, unsigned offset)
{
	struct vcpu_info *old, *new;
	struct pin pin = { .va = NULL };

	if (offset > PAGE_SIZE - sizeof(struct vcpu_info) || offset % sizeof(unsigned long))
		return refuse(R_BAD_VCPU_INFO, v->id, PAGE_SIZE - sizeof(struct vcpu_info), offset);
	if (pin_held(&v->info_pin))
		return refuse(R_VCPU_INFO_SET, v->id, 0, g.n);
	if (caller && caller != v && vcpu_state(v) != VCPU_OFFLINE)
		return refuse(R_VCPU_RUNS, v->id, caller->id, VCPUOP_register_vcpu_info);
	if (pin_get(&pin, v->domain, g))
		return refuse(R_VCPU_INFO_NOT_RAM, v->id, 0, g.n);
	new = (struct vcpu_info *)((char *)pin.va + offset);
	old = v->info;
	*new = old ? *old : (struct vcpu_info){ 0 };
	/*
	 * A sender that still uses the old place may be lost: the guest is told to look at everything once.
	 */
	v->info_pin = pin;
	v->info_offset = (uint16_t)offset;
	store_release(&v->info, new);
	(void)guest_or(v->domain, &new->evtchn_pending_sel, ~(xen_ulong_t)0);
	write_once(&new->evtchn_upcall_pending, 1);
	arch_vcpu_raise_upcall(v);
	return 0;
}

void vcpu_unpin(struct vcpu *v)
{
	pin_put(&v->info_pin);
	pin_put(&v->runstate_pin[0]);
	pin_put(&v->runstate_pin[1]);
	arch_vcpu_unpin(v);
}

/* ---- timers of the ABI ----------------------------------------------------------------------- */

static void singleshot_fired(struct timer *t)
{
	evtchn_send_virq_vcpu(container_of(t, struct vcpu, singleshot), VIRQ_TIMER);
}

static void periodic_fired(struct timer *t)
{
	struct vcpu *v = container_of(t, struct vcpu, periodic);
	uint64_t now = arch_time_ns(), period = read_once(&v->period), next = t->expires + period;

	if (!period) /* stopped on another CPU after it came due */
		return;
	evtchn_send_virq_vcpu(v, VIRQ_TIMER);
	/* Ticks missed while the host was busy are not made up. */
	timer_set(t, next > now ? next : now + period);
	if (likely(read_once(&v->period)))
		return;
	timer_stop(t);
	period = read_once(&v->period);
	if (period) /* and set again by now: that must not be what was stopped here */
		timer_set(t, now + period);
}

void vcpu_stop_periodic(struct vcpu *v)
{
	/* The queue's lock is between the two: either periodic_fired() arms it before and we stop it, or it sees the 0. */
	write_once(&v->period, 0);
	timer_stop(&v->periodic);
}

static void poll_timed_out(struct timer *t)
{
	struct vcpu *v = container_of(t, struct vcpu, poll);

	evtchn_poll_end(v);
	vcpu_wake(v);
}

/* ---- life ------------------------------------------------------------------------------------ */

int vcpu_create(struct domain *d, unsigned id, struct vcpu **out)
{
	struct cpu *home = this_cpu();
	struct vcpu *v;
	mfn_t m;
	int err;

	if (id >= d->max_vcpus)
		return refuse(R_NO_SUCH_VCPU, id, d->max_vcpus, id);
	if (d->vcpu[id])
		return refuse(R_VCPU_EXISTS, id, 0, d->id);
	m = pool_alloc(&d->pool);
	if (!mfn_valid(m))
		return reason_err(R_POOL_EXHAUSTED);
	v = frame_va(m);
	v->domain = d;
	v->id = id;
	v->run = VCPU_OFFLINE;
	v->cpu = home;
	v->runstate = RUNSTATE_WORD(RUNSTATE_offline, arch_time_ns());
	v->info = id < XEN_LEGACY_MAX_VCPUS ? (struct vcpu_info *)&d->shared_info->vcpu_info[id]
					    : NULL;
	timer_init(&v->singleshot, singleshot_fired, home);
	timer_init(&v->periodic, periodic_fired, home);
	timer_init(&v->poll, poll_timed_out, home);
	v->own_unit.vcpu = v;
	v->unit = &v->own_unit;
	err = arch_vcpu_init(v);
	if (err)
		goto fail;
	err = sched_unit_add(v);
	if (err)
		goto fail_arch;
	rcu_store(&d->vcpu[id], v);
	*out = v;
	return 0;

fail_arch:
	arch_vcpu_free(v);
fail:
	pool_free(&d->pool, m);
	return err;
}

void vcpu_free(struct vcpu *v)
{
	struct domain *d = v->domain;

	arch_vcpu_free(v);
	pool_free(&d->pool, frame_from_va(v));
}
