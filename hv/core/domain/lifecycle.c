/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A domain's life after creation: starting, pausing, shutting down and giving everything back.
 * domain_set_state() is the one function that moves d->state. Destruction runs in small steps, each of which
 * leaves a valid state, so that it may be driven by a hypercall or in the background.
 */
#include <hv/domain.h>

#include <stdarg.h>
#include <arch/irq.h>
#include <arch/vcpu.h>
#include <hv/assert.h>
#include <hv/console.h>
#include <hv/control.h>
#include <hv/err.h>
#include <hv/guest_atomic.h>
#include <hv/iommu.h>
#include <hv/log.h>
#include <hv/string.h>
#include <xen/sched.h>

void (*domain_shutdown_hook)(struct domain *d);

/* BUILDING -> ALIVE <-> SHUTDOWN; any of these -> DYING -> DEAD. */
static void domain_set_state(struct domain *d, enum domain_state to)
{
	static const uint8_t from[] = {
		[DOMAIN_ALIVE] = 1u << DOMAIN_BUILDING | 1u << DOMAIN_SHUTDOWN,
		[DOMAIN_SHUTDOWN] = 1u << DOMAIN_ALIVE,
		[DOMAIN_DYING] = 1u << DOMAIN_BUILDING | 1u << DOMAIN_ALIVE | 1u << DOMAIN_SHUTDOWN,
		[DOMAIN_DEAD] = 1u << DOMAIN_DYING,
	};

	assert_always(from[to] & 1u << d->state, "domain states move only as listed");
	write_once(&d->state, (uint8_t)to);
	if (to == DOMAIN_DYING)
		store_release(&d->dying, true);
}

/* ---- running and pausing --------------------------------------------------------------------- */

static void recheck_vcpus(struct domain *d)
{
	struct vcpu *v;

	domain_for_each_vcpu(v, d) vcpu_recheck(v);
}

void domain_pause(struct domain *d)
{
	if (atomic_add(&d->pause_count, 1u) == 1)
		recheck_vcpus(d);
}

void domain_unpause(struct domain *d)
{
	uint32_t n = atomic_sub(&d->pause_count, 1u);

	assert_always(n != ~0u, "a domain is unpaused as often as it was paused");
	if (n == 0)
		recheck_vcpus(d);
}

void domain_built(struct domain *d)
{
	if (d->state == DOMAIN_BUILDING)
		domain_set_state(d, DOMAIN_ALIVE);
}

int domain_start(struct domain *d)
{
	struct vcpu *v = domain_vcpu(d, 0);

	lock_take(&d->lock);
	if (d->state != DOMAIN_BUILDING || !v || !v->initialised) {
		lock_release(&d->lock);
		return refuse(R_NOT_STARTABLE, d->id, DOMAIN_BUILDING, d->state);
	}
	domain_set_state(d, DOMAIN_ALIVE);
	lock_release(&d->lock);
	(void)vcpu_transition(v, VCPU_UP);
	domain_unpause(d);
	return 0;
}

/* ---- shutting down --------------------------------------------------------------------------- */

/* Who waits for it to suspend is told by a port of the domain's instead (XEN_DOMCTL_subscribe). */
static void tell_shutdown(struct domain *d, uint32_t code)
{
	uint32_t port = read_once(&d->suspend_port);

	if (code == SHUTDOWN_suspend && port && !evtchn_send(d, port))
		return;
	evtchn_send_global_virq(VIRQ_DOM_EXC);
}

void domain_shutdown(struct domain *d, uint32_t code)
{
	bool first;

	lock_take(&d->lock);
	first = d->state == DOMAIN_ALIVE;
	if (first) {
		domain_set_state(d, DOMAIN_SHUTDOWN);
		d->shutdown_code = code;
		domain_pause(d); /* before domain_resume() can take it back */
	}
	lock_release(&d->lock);
	if (!first)
		return;
	tell_shutdown(d, code);
	if (domain_shutdown_hook)
		domain_shutdown_hook(d);
}

bool domain_all_down(const struct domain *d)
{
	const struct vcpu *v;

	domain_for_each_vcpu(v, d) if (vcpu_state(v) != VCPU_OFFLINE) return false;
	return true;
}

int domain_resume(struct domain *d)
{
	bool ok;

	lock_take(&d->lock);
	ok = d->state == DOMAIN_SHUTDOWN;
	if (ok) {
		domain_set_state(d, DOMAIN_ALIVE);
		d->shutdown_code = ~0u;
	}
	lock_release(&d->lock);
	if (!ok)
		return refuse(R_NOT_SHUT_DOWN, d->id, DOMAIN_SHUTDOWN, d->state);
	domain_unpause(d);
	return 0;
}

void domain_crash(struct domain *d, const char *fmt, ...)
{
	struct vcpu *v = current_vcpu();
	char why[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprint(why, sizeof(why), fmt, ap);
	va_end(ap);
	if (read_once(&d->state) == DOMAIN_ALIVE) {
		log_error("d%u crashed: %s", d->id, why);
		if (v && v->domain == d)
			arch_vcpu_dump(v);
	}
	domain_shutdown(d, SHUTDOWN_crash);
}

static bool crash_step(struct work *w)
{
	struct domain *d = container_of(w, struct domain, crash_work);

	domain_crash(d, "it wrote without end to memory that the hypervisor changes too");
	domain_put(d);
	return false;
}

void domain_starves_us(struct domain *d)
{
	if (atomic_xchg(&d->starves, true) || !ref_get(&d->ref))
		return;
	d->crash_work = (struct work){ .step = crash_step };
	work_queue(&d->crash_work);
}

/* ---- giving everything back ------------------------------------------------------------------ */

enum destroy_phase {
	DESTROY_VCPUS, /* until no CPU runs or holds one */
	DESTROY_HOLDS, /* domains that it was holding still */
	DESTROY_LINES, /* host interrupts that it was given */
	DESTROY_EVTCHN,
	DESTROY_GNTTAB,
	DESTROY_DETACH,
	DESTROY_GRACE, /* until nobody is under way who found a vCPU's event words or timer before */
	DESTROY_PINS,
	DESTROY_DEVICES, /* before the memory that they reach */
	DESTROY_MEMORY,
	DESTROY_UNLIST,
	DESTROY_DONE,
};

enum { GRACE_NONE, GRACE_RUNS, GRACE_OVER }; /* domain.grace */

#define LINES_STEP 256u

/* Take the interrupts back that it was given; 0 when all have been looked at. */
static int lines_step(struct domain *d)
{
	uint32_t end = MIN(d->destroy_next + LINES_STEP, arch_nr_irqs());

	for (; d->destroy_next < end; d->destroy_next++) {
		struct irq *irq = arch_irq(d->destroy_next);
		bool ours;

		if (!irq)
			continue;
		lock_take(&irq->lock);
		ours = irq->state == IRQ_GUEST && irq->owner == d;
		lock_release(&irq->lock);
		if (ours)
			arch_irq_release(d->destroy_next);
	}
	return d->destroy_next < arch_nr_irqs() ? -ERR_RESTART : 0;
}

/* The next vCPU of this phase, or NULL. */
static struct vcpu *next_vcpu(struct domain *d)
{
	while (d->destroy_next < d->max_vcpus) {
		struct vcpu *v = d->vcpu[d->destroy_next++];

		if (v)
			return v;
	}
	return NULL;
}

/* One vCPU a step: out of the scheduler, no timer, and senders find no event words any more. 0 when all are. */
static int detach_step(struct domain *d)
{
	struct vcpu *v = next_vcpu(d);

	if (!v)
		return 0;
	timer_stop(&v->singleshot);
	vcpu_stop_periodic(v);
	timer_stop(&v->poll);
	arch_vcpu_stop(v);
	store_release(&v->info, (struct vcpu_info *)NULL);
	sched_unit_remove(v);
	return -ERR_RESTART;
}

static void grace_over(struct rcu_head *h)
{
	store_release(&container_of(h, struct domain, rcu)->grace, (uint8_t)GRACE_OVER);
}

/* d->rcu is free for this: the structure's own turn comes after the last reference, and the destroyer has one. */
static int grace_step(struct domain *d)
{
	if (load_acquire(&d->grace) == GRACE_NONE) {
		write_once(&d->grace, (uint8_t)GRACE_RUNS);
		rcu_call(&d->rcu, grace_over);
	}
	return load_acquire(&d->grace) == GRACE_OVER ? 0 : -ERR_RESTART;
}

/* One vCPU a step: the frames that its event words and records were in may go. 0 when all are. */
static int unpin_step(struct domain *d)
{
	struct vcpu *v = next_vcpu(d);

	if (!v)
		return 0;
	arch_vcpu_stop(v); /* what a timer's function that ran at the first time has armed again */
	vcpu_unpin(v);
	return -ERR_RESTART;
}

static int destroy_phase_step(struct domain *d)
{
	switch (d->destroy_phase) {
	case DESTROY_VCPUS: return domain_off_cpu(d) ? 0 : -ERR_RESTART;
	case DESTROY_HOLDS:
		if (d->state_work)
			frame_free(frame_from_va(d->state_work), d->state_order);
		d->state_work = NULL;
		return d->roles & ROLE_CONTROL ? control_let_go_step(d, &d->destroy_next) : 0;
	case DESTROY_LINES: return lines_step(d);
	case DESTROY_EVTCHN: return evtchn_destroy_step(d);
	case DESTROY_GNTTAB: return gnttab_destroy_step(d);
	case DESTROY_DETACH:
		watchdog_stop(d);
		console_release_ring(d);
		evtchn_detach(d);
		return detach_step(d);
	case DESTROY_GRACE: return grace_step(d);
	case DESTROY_PINS: return unpin_step(d);
	case DESTROY_DEVICES: return iommu_context_destroy_step(d);
	case DESTROY_MEMORY: return p2m_destroy_step(d);
	default: /* DESTROY_UNLIST */
		lock_take(&d->lock);
		domain_set_state(d, DOMAIN_DEAD);
		lock_release(&d->lock);
		if (domain_shutdown_hook)
			domain_shutdown_hook(d);
		domain_unlist(d);
		domain_put(d); /* the table's */
		evtchn_send_global_virq(VIRQ_DOM_EXC);
		return 0;
	}
}

bool domain_destroy_waits(const struct domain *d)
{
	switch (read_once(&d->destroy_phase)) {
	case DESTROY_VCPUS: return !domain_off_cpu(d);
	case DESTROY_GRACE: return load_acquire(&d->grace) == GRACE_RUNS;
	/* Its tables are unlinked; they go after a grace period, which begins when this CPU too has left the hypervisor. */
	case DESTROY_MEMORY: return !read_once(&d->p2m.end) && read_once(&d->p2m.busy);
	default: return false;
	}
}

int domain_destroy_step(struct domain *d)
{
	int err;

	if (!read_once(&d->dying)) {
		lock_take(&d->lock);
		if (d->state < DOMAIN_DYING) {
			domain_set_state(d, DOMAIN_DYING);
			d->destroy_phase = DESTROY_VCPUS;
			d->destroy_next = 0;
		}
		lock_release(&d->lock);
		domain_pause(d);
	}
	if (d->destroy_phase == DESTROY_DONE)
		return 0;
	err = destroy_phase_step(d);
	if (err)
		return err;
	d->destroy_next = 0;
	return ++d->destroy_phase == DESTROY_DONE ? 0 : -ERR_RESTART;
}

static bool destroy_work_step(struct work *w)
{
	struct domain *d = container_of(w, struct domain, destroy_work);

	if (control_destroy(d) == -ERR_RESTART)
		return true;
	domain_put(d); /* the work's own; the structure may go now */
	return false;
}

void domain_destroy(struct domain *d)
{
	/* Whoever is first: the work must not be changed while it is queued. */
	if (atomic_xchg(&d->destroying, true) || !ref_get(&d->ref))
		return;
	d->destroy_work = (struct work){ .step = destroy_work_step };
	work_queue(&d->destroy_work);
}
