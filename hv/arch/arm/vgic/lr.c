/* SPDX-License-Identifier: Apache-2.0 */
/*
 * List registers and the queue behind them: how a virtual interrupt that became pending reaches
 * the guest. virq_update() is the one place that compares what an interrupt should be with what its
 * list register says. On the CPU that has the vCPU loaded it acts at once; anywhere else it
 * queues the interrupt, and vgic_flush() does the same before the vCPU's next instruction.
 *
 * When more interrupts are pending than there are list registers, the ones with the best priority are in
 * them and a maintenance interrupt asks for a refill. Active interrupts always stay in theirs.
 *
 * Locks: a vCPU's VIRQ lock for everything that is at home there. Called by the exit path, by device
 * emulation on any CPU, and by the host's interrupt code.
 */
#include "vgic.h"

#include <asm/gic.h>
#include <asm/sysreg.h>
#include <hv/assert.h>

static uint32_t nr_lrs;  /* [c] list registers that each CPU has */
static uint32_t lr_mask; /* [c] a bit for each of them */
static uint32_t nr_aprs; /* [c] registers of active priorities, per group */

struct vcpu *virq_lock(const struct domain *d, struct virq *q) NO_LOCK_CHECK
{
	for (;;) {
		uint16_t home = read_once(&q->home);
		struct vcpu *v = domain_vcpu(d, home);

		if (unlikely(!v))
			return NULL;
		lock_take(&v->arch.vgic.lock);
		if (likely(read_once(&q->home) == home))
			return v;
		lock_release(&v->arch.vgic.lock);
	}
}

void virq_unlock(struct vcpu *home) NO_LOCK_CHECK
{
	lock_release(&home->arch.vgic.lock);
}

/* The list registers of `v` are in this CPU. */
static inline bool here(const struct vcpu *v)
{
	return v->arch.vgic.on == this_cpu();
}

/* The list register that `q` is in; the mask tells the compiler what it cannot know. */
static inline unsigned lr_of(const struct virq *q)
{
	return (q->lr - 1u) % VGIC_MAX_LR;
}

/* ---- the queue --------------------------------------------------------------------------------- */

static void enqueue(struct vcpu *v, struct virq *q, uint32_t intid)
{
	struct vgic_vcpu *g = &v->arch.vgic;
	unsigned level = read_once(&q->priority) / (256 / VGIC_LEVELS);

	if (q->flags & VIRQ_QUEUED)
		return;
	/* The priority may change while it waits; it keeps its place. */
	q->level = (uint8_t)level;
	q->next = VIRQ_END;
	if (g->waiting & BIT(level))
		virq_of(v->domain, v, g->queue[level].last)->next = (uint16_t)intid;
	else
		g->queue[level].first = (uint16_t)intid;
	g->queue[level].last = (uint16_t)intid;
	write_once(&g->waiting, g->waiting | 1u << level);
	q->flags |= VIRQ_QUEUED;
	atomic_or(&v->arch.work, WORK_VIRQ);
}

/* ---- one interrupt and its list register ---------------------------------------------------------- */

/* The guest is done with the interrupt in list register `i`. */
static void retire(struct vcpu *v, struct virq *q, unsigned i)
{
	/* Until it is overwritten it keeps the maintenance interrupt up. */
	if (v->arch.vgic.lr[i] & ICH_LR_EOI)
		gich_write_lr(i, 0);
	v->arch.vgic.used &= (uint16_t)~BIT(i);
	v->arch.vgic.lr[i] = 0;
	q->lr = 0;
	q->flags &= (uint8_t) ~(VIRQ_ACTIVE | VIRQ_LATCHED);
}

static uint64_t compose(const struct virq *q, uint32_t intid)
{
	uint64_t lr = intid | ICH_LR_PRIORITY(q->priority) | ICH_LR_GROUP1;

	if (q->flags & VIRQ_HW)
		return lr | ICH_LR_HW | ICH_LR_PINTID(q->host);
	/* A line that is up may still be so at the end: then it comes again. */
	return (q->flags & (VIRQ_LEVEL | VIRQ_LINE)) == (VIRQ_LEVEL | VIRQ_LINE) ? lr | ICH_LR_EOI
										 : lr;
}

/* Look for list registers that the guest has emptied. */
static void reap(struct vcpu *v)
{
	struct vgic_vcpu *g = &v->arch.vgic;
	/* One that asks for a maintenance interrupt counts as empty in EISR only (IHI 0069, 12.4.6). */
	uint32_t empty = (uint32_t)(sysreg_read(ich_elrsr_el2) | sysreg_read(ich_eisr_el2)) &
			 g->used;

	for (; empty; empty &= empty - 1) {
		unsigned i = (unsigned)__builtin_ctz(empty);
		uint32_t intid = (uint32_t)g->lr[i];
		struct virq *q = virq_of(v->domain, v, intid);

		retire(v, q, i);
		q->ask = 0;
		/* Still asserted, raised again meanwhile, or to be moved: see to it. */
		if (q->flags & (VIRQ_PENDING | VIRQ_LINE) || q->route != q->home)
			enqueue(v, q, intid);
	}
}

/* A free list register, or -1. */
static int lr_alloc(struct vcpu *v)
{
	struct vgic_vcpu *g = &v->arch.vgic;
	uint32_t free = ~g->used & lr_mask;

	if (unlikely(!free)) {
		reap(v);
		free = ~g->used & lr_mask;
		if (!free)
			return -1;
	}
	return __builtin_ctz(free);
}

static void put_lr(struct vcpu *v, struct virq *q, unsigned i, uint64_t lr)
{
	v->arch.vgic.lr[i] = lr;
	v->arch.vgic.used |= (uint16_t)BIT(i);
	q->lr = (uint8_t)(i + 1);
	gich_write_lr(i, lr);
}

/* Take `q` out of its list register, where it is in state `state`. */
static void drop_lr(struct vcpu *v, struct virq *q)
{
	unsigned i = lr_of(q);

	gich_write_lr(i, 0);
	retire(v, q, i);
}

/* End a host interrupt that the guest will not end any more. */
static void host_deactivate(const struct virq *q)
{
	if (q->flags & VIRQ_HW)
		gic_deactivate(q->host);
}

static inline bool deliverable(const struct domain *d, const struct virq *q)
{
	return (q->flags & VIRQ_ENABLED) && (read_once(&d->arch.vgic.ctlr) & GICD_CTLR_GROUP1);
}

static inline bool wants_pending(const struct virq *q)
{
	if (q->flags & VIRQ_PENDING)
		return true;
	return (q->flags & (VIRQ_LEVEL | VIRQ_LINE)) == (VIRQ_LEVEL | VIRQ_LINE);
}

/* Nothing of it is in a list register. False: none is free. */
static bool enter_lr(struct vcpu *v, struct virq *q, uint32_t intid)
{
	uint64_t state = q->flags & VIRQ_ACTIVE ? ICH_LR_ACTIVE : 0;
	int i;

	if (q->ask & VIRQ_ASK_CLEAR) {
		if (q->flags & VIRQ_PENDING)
			host_deactivate(q); /* nobody else will */
		q->flags &= (uint8_t)~VIRQ_PENDING;
	}
	q->ask = 0;
	if (deliverable(v->domain, q) && wants_pending(q) && !(state && q->flags & VIRQ_HW))
		state |= ICH_LR_PENDING;
	if (!state)
		return true;
	i = lr_alloc(v);
	if (i < 0)
		return false;
	if ((state & ICH_LR_PENDING) && (q->flags & VIRQ_PENDING)) {
		q->flags &= (uint8_t)~VIRQ_PENDING;
		if (q->flags & VIRQ_LEVEL)
			q->flags |= VIRQ_LATCHED;
	}
	put_lr(v, q, (unsigned)i, compose(q, intid) | state);
	return true;
}

/*
 * `q` has a list register in state `lr`, which is not empty. Compute what it should be and write it if that
 * differs.
 */
static void revise_lr(struct vcpu *v, struct virq *q, uint64_t lr)
{
	bool on = deliverable(v->domain, q);
	uint64_t new = lr;

	if (!(lr & ICH_LR_PENDING))
		q->flags &= (uint8_t)~VIRQ_LATCHED;
	if (q->ask & VIRQ_ASK_END) {
		if ((new &ICH_LR_ACTIVE) && (lr & ICH_LR_HW))
			host_deactivate(q);
		new &= ~ICH_LR_ACTIVE;
	}
	if (q->ask & VIRQ_ASK_CLEAR) {
		if ((new &ICH_LR_PENDING) && (lr & ICH_LR_HW) && !(new &ICH_LR_ACTIVE))
			host_deactivate(q);
		new &= ~ICH_LR_PENDING;
		q->flags &= (uint8_t)~VIRQ_LATCHED;
	}
	q->ask = 0;

	if (new &ICH_LR_PENDING) {
		if (!on) { /* disabled: remember, unless only a line said so */
			if (!(q->flags & VIRQ_LEVEL) || q->flags & (VIRQ_HW | VIRQ_LATCHED))
				q->flags |= VIRQ_PENDING;
			new &= ~ICH_LR_PENDING;
		} else if ((q->flags & (VIRQ_LEVEL | VIRQ_LINE | VIRQ_HW | VIRQ_LATCHED |
					VIRQ_PENDING)) == VIRQ_LEVEL) {
			new &= ~ICH_LR_PENDING; /* the line fell before the guest looked */
		} else {
			q->flags &= (uint8_t)~VIRQ_PENDING; /* coalesced */
		}
	} else if (on && (q->flags & VIRQ_PENDING)) {
		/*
		 * Raised while active. A list register cannot be both with a host interrupt behind
		 * (IHI 0069, 12.4.7): that one is ended and the rest goes on without it.
		 */
		if (new &ICH_LR_HW) {
			host_deactivate(q);
			new &= ~(ICH_LR_HW | 0x1ffful << 32);
		}
		new |= ICH_LR_PENDING;
		q->flags &= (uint8_t)~VIRQ_PENDING;
		if (q->flags & VIRQ_LEVEL)
			q->flags |= VIRQ_LATCHED;
	}
	/* A line that goes up while its interrupt is active waits for the end. */
	if ((q->flags & (VIRQ_LEVEL | VIRQ_LINE | VIRQ_HW)) == (VIRQ_LEVEL | VIRQ_LINE) &&
	    (new &LR_STATE))
		new |= ICH_LR_EOI;

	if (!(new &LR_STATE)) {
		drop_lr(v, q);
	} else if (new != lr) {
		v->arch.vgic.lr[lr_of(q)] = new;
		gich_write_lr(lr_of(q), new);
	}
}

/*
 * This CPU has the list registers, `q` is not queued. False: it must be queued: no list register is free,
 * or it has to move to another vCPU.
 */
static bool reconcile(struct vcpu *v, struct virq *q, uint32_t intid)
{
	if (q->lr) {
		uint64_t lr = gich_read_lr(lr_of(q));

		if (lr & LR_STATE) {
			revise_lr(v, q, lr);
			if (q->lr)
				return true;
		} else {
			retire(v, q, lr_of(q));
		}
	}
	if (unlikely(q->route != q->home) && !(q->flags & VIRQ_ACTIVE))
		return false;
	return enter_lr(v, q, intid);
}

bool virq_update(struct vcpu *home, struct virq *q, uint32_t intid)
{
	if (q->flags & VIRQ_QUEUED)
		return true;
	/* At rest: it moves to where it is routed; whoever holds the lock of the old home does it. */
	if (here(home) && reconcile(home, q, intid))
		return true; /* it may be blocked on this CPU */
	if (!q->lr && !(q->flags & (VIRQ_ACTIVE | VIRQ_LINE | VIRQ_PENDING)) && q->route == q->home)
		return false;
	enqueue(home, q, intid);
	return true;
}

uint64_t virq_state(struct vcpu *home, const struct virq *q)
{
	uint64_t state = 0;

	if (q->lr)
		state = (here(home) ? gich_read_lr(lr_of(q)) : home->arch.vgic.lr[lr_of(q)]) &
			LR_STATE;
	else if (q->flags & VIRQ_ACTIVE)
		state = ICH_LR_ACTIVE;
	if (wants_pending(q))
		state |= ICH_LR_PENDING;
	return state;
}

/* ---- raising ----------------------------------------------------------------------------------- */

/*
 * Lock `q` where it is to be delivered: an interrupt that is at rest moves to where it is routed.
 */
static struct vcpu *lock_for_delivery(struct domain *d, struct virq *q) NO_LOCK_CHECK
{
	struct vcpu *home;

	while ((home = virq_lock(d, q)) != NULL) {
		if (likely(q->route == q->home) || q->lr || q->flags & (VIRQ_QUEUED | VIRQ_ACTIVE))
			break;
		write_once(&q->home, q->route);
		virq_unlock(home);
	}
	return home;
}

/* The vCPU that gets it, or NULL: it does not exist yet. */
static struct vcpu *raise(struct domain *d, struct virq *q, uint32_t intid, uint8_t set,
			  uint8_t clear)
{
	struct vcpu *home = lock_for_delivery(d, q);
	bool kick;

	if (!home)
		return NULL;
	q->flags = (uint8_t)((q->flags & ~clear) | set);
	kick = virq_update(home, q, intid);
	virq_unlock(home);
	if (kick)
		vcpu_kick(home);
	return home;
}

void virq_refresh(struct domain *d, struct virq *q, uint32_t intid)
{
	(void)raise(d, q, intid, 0, 0);
}

void vgic_inject(struct domain *d, struct vcpu *v, uint32_t intid)
{
	struct virq *q = virq_of(d, v, intid);

	if (q)
		(void)raise(d, q, intid, VIRQ_PENDING, 0);
}

void vgic_set_line(struct domain *d, struct vcpu *v, uint32_t intid, bool high)
{
	struct virq *q = virq_of(d, v, intid);

	if (q)
		(void)raise(d, q, intid, high ? VIRQ_LINE : 0, high ? 0 : VIRQ_LINE);
}

const struct cpu *vgic_inject_host(struct domain *d, uint32_t intid, uint32_t host)
{
	struct virq *q = virq_of(d, NULL, intid);
	struct vcpu *home = NULL;

	if (q)
		home = raise(d, q, intid, VIRQ_PENDING, 0);
	else
		gic_deactivate(host);
	return home ? read_once(&home->cpu) : NULL;
}

void vgic_inject_vtimer(struct vcpu *v)
{
	struct virq *q = &v->arch.vgic.private[VIRQ_PPI_VTIMER];

	v->arch.vgic.vtimer_fired = true;
	lock_take(&v->arch.vgic.lock);
	/* While it is in a list register the host's is active and cannot fire: what is there is over. */
	if (likely((q->flags & (VIRQ_ENABLED | VIRQ_QUEUED | VIRQ_HW)) == (VIRQ_ENABLED | VIRQ_HW)) &&
	    likely(read_once(&v->domain->arch.vgic.ctlr) & GICD_CTLR_GROUP1)) {
		int i = q->lr ? (int)lr_of(q) : lr_alloc(v);

		if (likely(i >= 0)) {
			put_lr(v, q, (unsigned)i, compose(q, VIRQ_PPI_VTIMER) | ICH_LR_PENDING);
			goto out;
		}
	}
	q->flags |= VIRQ_PENDING;
	if (!(q->flags & VIRQ_QUEUED) && !reconcile(v, q, VIRQ_PPI_VTIMER))
		enqueue(v, q, VIRQ_PPI_VTIMER);
out:
	lock_release(&v->arch.vgic.lock);
}

/* ICC_SGI1R_EL1 (IHI 0069, 12.2.20). */
void vgic_send_sgi(struct vcpu *v, uint64_t value)
{
	struct domain *d = v->domain;
	uint32_t intid = (value >> 24) & 15;

	if (value & BIT(40)) { /* everybody else */
		struct vcpu *other;

		domain_for_each_vcpu(other, d) if (other != v) vgic_inject(d, other, intid);
		return;
	}
	if ((value >> 48) & 0xff) /* Aff3: nobody has one */
		return;
	for (uint32_t list = value & 0xffff; list; list &= list - 1) {
		uint64_t bit = (uint64_t)__builtin_ctz(list) + 16 * ((value >> 44) & 15);
		uint64_t aff = bit | ((value >> 16) & 0xff) << 8 | ((value >> 32) & 0xff) << 16;
		struct vcpu *to = bit < 16 ? domain_find_vcpu(d, vcpu_of_affinity(aff)) : NULL;

		if (to)
			vgic_inject(d, to, intid);
	}
}

/* ---- the vCPU's own CPU ------------------------------------------------------------------------- */

/*
 * All list registers are taken and `q` waits. If one holds a pending interrupt of worse priority, that one waits
 * instead. True when a list register is free now.
 */
static bool displace(struct vcpu *v, const struct virq *q)
{
	struct vgic_vcpu *g = &v->arch.vgic;
	struct virq *worst = NULL;
	uint32_t worst_id = 0;

	for (uint32_t used = g->used; used; used &= used - 1) {
		uint64_t lr = gich_read_lr((unsigned)__builtin_ctz(used));
		struct virq *other = virq_of(v->domain, v, (uint32_t)lr);

		if ((lr & LR_STATE) != ICH_LR_PENDING || other->priority <= q->priority)
			continue;
		if (!worst || other->priority > worst->priority) {
			worst = other;
			worst_id = (uint32_t)lr;
		}
	}
	if (!worst)
		return false;
	if (!(worst->flags & VIRQ_LEVEL) || worst->flags & (VIRQ_HW | VIRQ_LATCHED))
		worst->flags |= VIRQ_PENDING;
	drop_lr(v, worst);
	enqueue(v, worst, worst_id);
	return true;
}

/* The one with the best priority that has waited longest, taken off. There is one. */
static struct virq *dequeue(struct vcpu *v, uint32_t *intid)
{
	struct vgic_vcpu *g = &v->arch.vgic;
	unsigned level = (unsigned)__builtin_ctz(g->waiting);
	struct virq *q = virq_of(v->domain, v, g->queue[level].first);

	*intid = g->queue[level].first;
	g->queue[level].first = q->next;
	if (q->next == VIRQ_END)
		write_once(&g->waiting, g->waiting & ~(1u << level));
	q->flags &= (uint8_t)~VIRQ_QUEUED;
	return q;
}

void vgic_flush(struct vcpu *v) NO_LOCK_CHECK
{
	struct vgic_vcpu *g = &v->arch.vgic;
	bool full = false;

	lock_take(&g->lock);
	atomic_and(&v->arch.work, ~WORK_VIRQ);
	while (g->waiting && !full) {
		uint32_t intid;
		struct virq *q = dequeue(v, &intid);

		if (likely(reconcile(v, q, intid)))
			continue;
		if (q->route != q->home && !q->lr && !(q->flags & VIRQ_ACTIVE)) {
			/* It goes elsewhere: there it is raised again. */
			write_once(&q->home, q->route);
			lock_release(&g->lock);
			virq_refresh(v->domain, q, intid);
			lock_take(&g->lock);
			continue;
		}
		if (displace(v, q) && reconcile(v, q, intid))
			continue;
		enqueue(v, q, intid);
		full = true;
	}
	atomic_and(&v->arch.work, ~WORK_VIRQ); /* what enqueue() above set is known */
	if (unlikely(full || g->maintained)) {
		uint64_t hcr = ICH_HCR_EN;

		if (full) {
			bool any = false;

			for (uint32_t used = g->used; used; used &= used - 1)
				any |= gich_read_lr((unsigned)__builtin_ctz(used)) & ICH_LR_PENDING
					   ? 1
					   : 0;
			/* With all of them active NPIE would be true for ever. */
			hcr |= any ? ICH_HCR_NPIE : ICH_HCR_UIE;
		}
		g->maintained = full;
		sysreg_write(ich_hcr_el2, hcr);
	}
	lock_release(&g->lock);
}

void vgic_maintenance(struct vcpu *v)
{
	if (!v || !here(v)) /* its cause went with the vCPU */
		return;
	lock_take(&v->arch.vgic.lock);
	reap(v);
	lock_release(&v->arch.vgic.lock);
	if (v->arch.vgic.maintained) { /* off until the queue has been looked at */
		sysreg_write(ich_hcr_el2, ICH_HCR_EN);
		atomic_or(&v->arch.work, WORK_VIRQ);
	}
}

bool vgic_pending(struct vcpu *v)
{
	struct vgic_vcpu *g = &v->arch.vgic;

	if (!here(v)) {
		for (uint32_t used = read_once(&g->used); used; used &= used - 1)
			if (g->lr[__builtin_ctz(used)] & ICH_LR_PENDING)
				return true;
		return read_once(&g->waiting) != 0;
	}
	if (read_once(&v->arch.work) & WORK_VIRQ)
		vgic_flush(v);
	for (uint32_t used = g->used; used; used &= used - 1)
		if (gich_read_lr((unsigned)__builtin_ctz(used)) & ICH_LR_PENDING)
			return true;
	return g->waiting != 0;
}

/*
 * The virtual timer's interrupt is linked with this CPU's own host timer, which must not stay active when
 * another vCPU comes. Pending, it is forgotten: the timer fires again wherever the vCPU is loaded next.
 * Active in the guest, the host's is made active there.
 */
static void save_vtimer(struct vcpu *v)
{
	struct virq *q = &v->arch.vgic.private[VIRQ_PPI_VTIMER];

	if (!v->arch.vgic.vtimer_fired)
		return;
	v->arch.vgic.vtimer_fired = false;
	gic_set_active(gic.ppi_virt_timer, false);
	q->flags &= (uint8_t)~VIRQ_PENDING;
	if (q->lr && !(gich_read_lr(lr_of(q)) & ICH_LR_ACTIVE))
		drop_lr(v, q);
}

void vgic_save(struct vcpu *v)
{
	struct vgic_vcpu *g = &v->arch.vgic;

	lock_take(&g->lock);
	reap(v);
	save_vtimer(v);
	for (uint32_t used = g->used; used; used &= used - 1) {
		unsigned i = (unsigned)__builtin_ctz(used);

		g->lr[i] = gich_read_lr(i);
		gich_write_lr(i, 0);
	}
	if (g->maintained) {
		g->maintained = false;
		atomic_or(&v->arch.work,
			  WORK_VIRQ); /* vgic_flush() will see that the queue is too long */
		sysreg_write(ich_hcr_el2, ICH_HCR_EN);
	}
	g->vmcr = sysreg_read(ich_vmcr_el2);
	g->ap0r[0] = (uint32_t)sysreg_read(ich_ap0r0_el2);
	g->ap1r[0] = (uint32_t)sysreg_read(ich_ap1r0_el2);
	if (nr_aprs > 1) {
		g->ap0r[1] = (uint32_t)sysreg_read(ich_ap0r1_el2);
		g->ap1r[1] = (uint32_t)sysreg_read(ich_ap1r1_el2);
	}
	if (nr_aprs > 2) {
		g->ap0r[2] = (uint32_t)sysreg_read(ich_ap0r2_el2);
		g->ap0r[3] = (uint32_t)sysreg_read(ich_ap0r3_el2);
		g->ap1r[2] = (uint32_t)sysreg_read(ich_ap1r2_el2);
		g->ap1r[3] = (uint32_t)sysreg_read(ich_ap1r3_el2);
	}
	g->on = NULL;
	lock_release(&g->lock);
}

void vgic_load(struct vcpu *v)
{
	struct vgic_vcpu *g = &v->arch.vgic;

	lock_take(&g->lock);
	g->on = this_cpu();
	sysreg_write(ich_vmcr_el2, g->vmcr);
	sysreg_write(ich_ap0r0_el2, g->ap0r[0]);
	sysreg_write(ich_ap1r0_el2, g->ap1r[0]);
	if (nr_aprs > 1) {
		sysreg_write(ich_ap0r1_el2, g->ap0r[1]);
		sysreg_write(ich_ap1r1_el2, g->ap1r[1]);
	}
	if (nr_aprs > 2) {
		sysreg_write(ich_ap0r2_el2, g->ap0r[2]);
		sysreg_write(ich_ap0r3_el2, g->ap0r[3]);
		sysreg_write(ich_ap1r2_el2, g->ap1r[2]);
		sysreg_write(ich_ap1r3_el2, g->ap1r[3]);
	}
	for (uint32_t used = g->used; used; used &= used - 1) {
		unsigned i = (unsigned)__builtin_ctz(used);

		gich_write_lr(i, g->lr[i]);
	}
	if (unlikely(g->private[VIRQ_PPI_VTIMER].lr)) {
		gic_set_active(gic.ppi_virt_timer, true);
		g->vtimer_fired = true;
	}
	lock_release(&g->lock);
}

/* ---- state records ------------------------------------------------------------------------------ */

void virq_snapshot(const struct domain *d, struct virq *q, struct virq *to) NO_LOCK_CHECK
{
	struct vcpu *home = virq_lock(d, q);
	uint8_t flags = q->flags;
	uint64_t lr = home && q->lr ? home->arch.vgic.lr[lr_of(q)] : 0;

	/* As revise_lr() and enter_lr() will do it. */
	if (q->ask & VIRQ_ASK_END)
		lr &= ~ICH_LR_ACTIVE;
	if (q->ask & VIRQ_ASK_CLEAR) {
		lr &= ~ICH_LR_PENDING;
		if (!q->lr)
			flags &= (uint8_t)~VIRQ_PENDING;
	}
	/* One that only its line says is pending will be so again. */
	if ((lr & ICH_LR_PENDING) && (!(flags & VIRQ_LEVEL) || flags & (VIRQ_HW | VIRQ_LATCHED)))
		flags |= VIRQ_PENDING;
	if (q->lr)
		flags = (uint8_t)(lr & ICH_LR_ACTIVE ? flags | VIRQ_ACTIVE : flags & ~VIRQ_ACTIVE);
	*to = (struct virq){
		.home = q->home,
		.route = q->route,
		.priority = q->priority,
		.flags = flags &
			 (VIRQ_PENDING | VIRQ_LINE | VIRQ_ENABLED | VIRQ_LEVEL | VIRQ_ACTIVE),
	};
	if (home)
		virq_unlock(home);
}

void virq_forget(struct vcpu *v)
{
	struct vgic_vcpu *g = &v->arch.vgic;

	assert(!g->on, "nobody has its list registers");
	lock_take(&g->lock);
	for (uint32_t used = g->used; used; used &= used - 1) {
		unsigned i = (unsigned)__builtin_ctz(used);
		struct virq *q = virq_of(v->domain, v, (uint32_t)g->lr[i]);

		q->lr = 0;
		q->flags &= (uint8_t) ~(VIRQ_ACTIVE | VIRQ_LATCHED);
		g->lr[i] = 0;
	}
	g->used = 0;
	lock_release(&g->lock);
}

/* Out of the middle of its home's queue. */
static void unqueue(struct vcpu *home, struct virq *q, uint32_t intid)
{
	struct vgic_vcpu *g = &home->arch.vgic;
	uint16_t *link = &g->queue[q->level].first, before = VIRQ_END;

	if (!(q->flags & VIRQ_QUEUED))
		return;
	while (*link != intid) {
		before = *link;
		link = &virq_of(home->domain, home, before)->next;
	}
	*link = q->next;
	if (q->next == VIRQ_END && before == VIRQ_END)
		write_once(&g->waiting, g->waiting & ~(1u << q->level));
	else if (q->next == VIRQ_END)
		g->queue[q->level].last = before;
	q->flags &= (uint8_t)~VIRQ_QUEUED;
}

void virq_restore(struct domain *d, struct virq *q, uint32_t intid,
		  const struct virq *to) NO_LOCK_CHECK
{
	struct vcpu *home = virq_lock(d, q);
	uint8_t flags = to->flags;

	if (!home)
		return;
	unqueue(home, q, intid);
	/*
	 * The virtual timer, active: its list register is what tells the host's timer to be active too wherever
	 * the vCPU is loaded (vgic_load), or it would fire at once.
	 */
	if (intid == VIRQ_PPI_VTIMER && (flags & VIRQ_ACTIVE)) {
		struct vgic_vcpu *g = &home->arch.vgic;

		assert(!g->used, "no interrupt is in a list register");
		q->priority = to->priority;
		q->lr = 1;
		g->used = 1;
		g->lr[0] = compose(q, intid) | ICH_LR_ACTIVE;
	}
	q->flags = (uint8_t)((q->flags & VIRQ_HW) | flags);
	q->priority = to->priority;
	q->ask = 0;
	q->route = to->route;
	write_once(&q->home, to->home);
	virq_unlock(home);
	virq_refresh(d, q, intid);
}

void vgic_priority_bits(unsigned *preempting, unsigned *all)
{
	uint64_t vtr = sysreg_read(ich_vtr_el2);

	*preempting = (unsigned)ICH_VTR_PREBITS(vtr);
	*all = (unsigned)ICH_VTR_PRIBITS(vtr);
}

/* ---- life --------------------------------------------------------------------------------------- */

void vgic_vcpu_reset(struct vcpu *v)
{
	struct vgic_vcpu *g = &v->arch.vgic;

	/* ICH_VMCR_EL2 as ICC_* reset: groups off, everything masked (IHI 0069, 12.4.10). */
	g->vmcr = 0;
	for (unsigned i = 0; i < ARRAY_SIZE(g->ap0r); i++)
		g->ap0r[i] = g->ap1r[i] = 0;
}

void vgic_vcpu_init(struct vcpu *v)
{
	struct vgic_vcpu *g = &v->arch.vgic;

	lock_init(&g->lock, RANK_VIRQ);
	for (unsigned i = 0; i < VGIC_PRIVATE; i++) {
		struct virq *q = &g->private[i];

		q->next = VIRQ_END;
		q->home = q->route = (uint16_t)v->id;
		/* SGIs are edges and always on; PPIs are levels. Neither can be configured. */
		q->flags = i < 16 ? VIRQ_ENABLED : VIRQ_LEVEL;
	}
	g->private[VIRQ_PPI_VTIMER].flags = VIRQ_HW | VIRQ_LEVEL;
	g->private[VIRQ_PPI_VTIMER].host = (uint16_t)gic.ppi_virt_timer;
	vgic_vcpu_reset(v);
}

void vgic_cpu_init(void)
{
	uint64_t vtr = sysreg_read(ich_vtr_el2);
	unsigned nr_lr = (unsigned)MIN(ICH_VTR_LISTREGS(vtr), (uint64_t)VGIC_MAX_LR);
	unsigned bits = (unsigned)ICH_VTR_PREBITS(vtr);

	/* vCPUs move between CPUs: what all have counts. */
	nr_lrs = nr_lrs ? MIN(nr_lrs, nr_lr) : nr_lr;
	lr_mask = (uint32_t)(BIT(nr_lrs) - 1);
	bits = bits >= 7 ? 4 : bits == 6 ? 2 : 1;
	nr_aprs = nr_aprs ? MIN(nr_aprs, bits) : bits;
	for (unsigned i = 0; i < nr_lr; i++)
		gich_write_lr(i, 0);
	sysreg_write(ich_vmcr_el2, 0);
	sysreg_write(ich_hcr_el2, ICH_HCR_EN);
}
