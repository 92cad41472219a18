/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The distributor's and redistributors' registers (IHI 0069, 12.9 to 12.11), as a non-secure access sees
 * them: affinity routing always on, one group. Most are arrays with one to eight bits for each
 * interrupt; an access to one becomes an access to each interrupt's own state, under its home's lock. Reserved
 * and unknown ones read as zero and ignore writes.
 *
 * The pending and active bits of an interrupt that another vCPU has in a list register right now are those that
 * were last seen: the hardware has no way to ask.
 */
#include "vgic.h"

#include <arch/irq.h>
#include <arch/vcpu.h>
#include <asm/sysreg.h>
#include <hv/string.h>

enum {
	GICD_CTLR = 0x0000,
	GICD_TYPER = 0x0004,
	GICD_IIDR = 0x0008,
	GICR_CTLR = 0x0000,
	GICR_IIDR = 0x0004,
	GICR_TYPER = 0x0008,
	ISENABLER = 0x0100,
	ICENABLER = 0x0180,
	ISPENDR = 0x0200,
	ICPENDR = 0x0280,
	ISACTIVER = 0x0300,
	ICACTIVER = 0x0380,
	IPRIORITYR = 0x0400,
	IPRIORITYR_END = 0x0800,
	ICFGR = 0x0c00,
	ICFGR_END = 0x0d00,
	IROUTER = 0x6000,
	IROUTER_END = 0x8000,
	PIDR2 = 0xffe8,
	GICR_FRAME = 0x10000,
	GICR_STRIDE = 0x20000,
};

#define GICD_TYPER_IDBITS (9u << 19) /* 10-bit interrupt numbers */
#define GICD_TYPER_NO1N   BIT(25)    /* "any one of" routing goes to one */
#define GICR_TYPER_LAST   BIT(4)
#define PIDR2_GICV3       0x3bu
#define IIDR              (0x4bu << 24 | 0x43bu)
#define IROUTER_ANY       BIT(31)

/* Interrupts and vCPU that an access is about: `v` owns the private ones. */
struct bank {
	struct domain *d;
	struct vcpu *v;
	uint32_t first, end; /* INTIDs that the frame has registers for */
};

/* ---- one interrupt ------------------------------------------------------------------------------- */

/* The guest switches a line of its own on or off: so does the host. */
static void host_enable(const struct virq *q, bool on)
{
	struct irq *irq = q->host >= GIC_PRIVATE ? arch_irq(q->host) : NULL;

	if (!irq)
		return;
	lock_take(&irq->lock);
	if (irq->state == IRQ_GUEST && irq->enabled != on) {
		irq->enabled = on;
		if (on)
			gic_enable(q->host);
		else
			gic_disable(q->host);
	}
	lock_release(&irq->lock);
}

static void set_enabled(struct virq *q, bool on)
{
	if (!(q->flags & VIRQ_ENABLED) == !on)
		return;
	q->flags ^= VIRQ_ENABLED;
	if (q->flags & VIRQ_HW)
		host_enable(q, on);
}

static void clear_pending(struct virq *q)
{
	/* A host interrupt behind it has to be ended, by the CPU that it came to if it is a private one. */
	if (q->lr || q->flags & VIRQ_HW)
		q->ask |= VIRQ_ASK_CLEAR;
	else
		q->flags &= (uint8_t)~VIRQ_PENDING;
}

static void clear_active(struct virq *q)
{
	q->flags &= (uint8_t)~VIRQ_ACTIVE;
	if (q->lr)
		q->ask |= VIRQ_ASK_END;
}

/* One bit was written as 1 to the register of 32 at `reg`. Home locked. */
static void write_bit(struct virq *q, uint32_t reg)
{
	switch (reg) {
	case ISENABLER: set_enabled(q, true); break;
	case ICENABLER: set_enabled(q, false); break;
	case ISPENDR: q->flags |= VIRQ_PENDING; break;
	case ICPENDR: clear_pending(q); break;
	case ISACTIVER: q->flags |= VIRQ_ACTIVE; break;
	case ICACTIVER: clear_active(q); break;
	}
}

static bool read_bit(struct vcpu *home, const struct virq *q, uint32_t reg)
{
	switch (reg) {
	case ISENABLER:
	case ICENABLER: return q->flags & VIRQ_ENABLED;
	case ISPENDR:
	case ICPENDR: return virq_state(home, q) & ICH_LR_PENDING;
	default: return virq_state(home, q) & ICH_LR_ACTIVE;
	}
}

/* ---- registers of 1, 2, 8 bits an interrupt --------------------------------------------------------- */

/* Registers of 32 interrupts: `reg` is the array, `n` the register in it. */
static void access_bits(const struct bank *b, struct io_access *a, uint32_t reg, uint32_t n)
{
	uint32_t value = 0, first = n * 32;

	for (uint32_t i = 0; i < 32; i++) {
		uint32_t intid = first + i;
		struct virq *q;
		struct vcpu *home;
		bool kick = false;

		if (intid < b->first || intid >= b->end)
			continue;
		if (a->write && !(a->value & BIT(i)))
			continue;
		q = virq_of(b->d, b->v, intid);
		home = virq_lock(b->d, q);
		if (!home)
			continue;
		if (a->write) {
			write_bit(q, reg);
			kick = virq_update(home, q, intid);
		} else if (read_bit(home, q, reg)) {
			value |= 1u << i;
		}
		virq_unlock(home);
		if (kick)
			vcpu_kick(home);
	}
	if (!a->write)
		a->value = value;
}

/* 8 bits each, 1 or 4 bytes wide. Five bits of priority count. */
static void access_priority(const struct bank *b, struct io_access *a, uint32_t first)
{
	uint64_t value = 0;

	for (uint32_t i = 0; i < a->size; i++) {
		uint32_t intid = first + i;
		struct virq *q;

		if (intid < b->first || intid >= b->end)
			continue;
		q = virq_of(b->d, b->v, intid);
		/* A byte; whoever composes a list register at the same time sees the old or the new. */
		if (a->write)
			write_once(&q->priority, (uint8_t)(a->value >> (8 * i)) & 0xf8);
		else
			value |= (uint64_t)read_once(&q->priority) << (8 * i);
	}
	if (!a->write)
		a->value = value;
}

/* 2 bits each; the upper one: edge-triggered. Private and linked lines are what they are. */
static void access_config(const struct bank *b, struct io_access *a, uint32_t n)
{
	uint32_t value = 0;

	for (uint32_t i = 0; i < 16; i++) {
		uint32_t intid = n * 16 + i;
		bool edge = a->value & BIT(2 * i + 1);
		struct vcpu *home;
		struct virq *q;

		if (intid < b->first || intid >= b->end)
			continue;
		q = virq_of(b->d, b->v, intid);
		home = virq_lock(b->d, q);
		if (!home)
			continue;
		if (!a->write)
			value |= q->flags & VIRQ_LEVEL ? 0 : 2u << (2 * i);
		else if (intid >= VGIC_PRIVATE && !(q->flags & VIRQ_HW))
			q->flags = (uint8_t)(edge ? q->flags & ~VIRQ_LEVEL : q->flags | VIRQ_LEVEL);
		virq_unlock(home);
	}
	if (!a->write)
		a->value = value;
}

/* What both kinds of frame have. False: the register is none of these. */
static bool access_arrays(const struct bank *b, struct io_access *a, uint32_t offset)
{
	if (offset >= IPRIORITYR && offset < IPRIORITYR_END) {
		if (a->size == 1 || a->size == 4)
			access_priority(b, a, offset - IPRIORITYR);
		return true;
	}
	if (a->size != 4)
		return false;
	if (offset >= ISENABLER && offset < IPRIORITYR) {
		access_bits(b, a, offset & ~0x7fu, (offset & 0x7f) / 4);
		return true;
	}
	if (offset >= ICFGR && offset < ICFGR_END) {
		access_config(b, a, (offset - ICFGR) / 4);
		return true;
	}
	return false;
}

/* ---- the distributor --------------------------------------------------------------------------------- */

/* The group was switched on: what became pending before is looked at again. */
static void update_all(struct domain *d)
{
	struct vcpu *v;
	uint32_t end = VGIC_PRIVATE + d->arch.vgic.nr_spis;

	domain_for_each_vcpu(v, d)
	{
		bool kick = false;

		lock_take(&v->arch.vgic.lock);
		for (uint32_t i = 0; i < VGIC_PRIVATE; i++)
			if (v->arch.vgic.private[i].flags & (VIRQ_PENDING | VIRQ_LINE))
				kick |= virq_update(v, &v->arch.vgic.private[i], i);
		lock_release(&v->arch.vgic.lock);
		if (kick)
			vcpu_kick(v);
	}
	for (uint32_t i = VGIC_PRIVATE; i < end; i++) {
		struct virq *q = virq_of(d, NULL, i);

		if (read_once(&q->flags) & (VIRQ_PENDING | VIRQ_LINE))
			virq_refresh(d, q, i);
	}
}

static void write_ctlr(struct domain *d, uint32_t value)
{
	uint32_t old = atomic_xchg(&d->arch.vgic.ctlr, value & GICD_CTLR_GROUP1);

	if (~old & value & GICD_CTLR_GROUP1)
		update_all(d);
}

/* IROUTER: where the interrupt goes from the next time on that it is raised. */
static void access_route(const struct bank *b, struct io_access *a, uint32_t offset)
{
	uint32_t intid = offset / 8;
	bool upper = offset & 4, kick = false;
	struct vcpu *home;
	struct virq *q;

	if (a->size < 4 || offset & (a->size - 1))
		return;
	if (intid < b->first || intid >= b->end)
		return;
	q = virq_of(b->d, NULL, intid);
	home = virq_lock(b->d, q);
	if (!home)
		return;
	if (!a->write) {
		a->value = upper ? 0 : vcpu_affinity(q->route);
	} else {
		/* The upper half alone: Aff3, which no vCPU has. */
		uint64_t value = upper ? a->value << 32 | vcpu_affinity(q->route) : a->value;
		uint64_t aff = value & MPIDR_AFFINITY;
		uint32_t to = value & IROUTER_ANY || aff >= BIT(24) ? 0 : vcpu_of_affinity(aff);

		/* Somebody who does not exist gets nothing: it stays where it is. */
		if (domain_vcpu(b->d, to) && vcpu_affinity(to) == (value & IROUTER_ANY ? 0 : aff)) {
			q->route = (uint16_t)to;
			if (q->flags & (VIRQ_PENDING | VIRQ_LINE))
				kick = virq_update(home, q, intid);
		}
	}
	virq_unlock(home);
	if (kick)
		vcpu_kick(home);
}

static enum io_result dist_access(struct io_device *dev, struct vcpu *v, struct io_access *a)
{
	struct domain *d = v->domain;
	struct vgic *g = &d->arch.vgic;
	struct bank b = { .d = d, .first = VGIC_PRIVATE, .end = VGIC_PRIVATE + g->nr_spis };
	uint32_t offset = (uint32_t)(a->addr.a - dev->base.a);

	if (!a->write)
		a->value = 0;
	if (access_arrays(&b, a, offset))
		return IO_DONE;
	if (offset >= IROUTER && offset < IROUTER_END) {
		access_route(&b, a, offset - IROUTER);
		return IO_DONE;
	}
	if (a->size != 4)
		return IO_DONE;
	switch (offset) {
	case GICD_CTLR:
		if (a->write)
			write_ctlr(d, (uint32_t)a->value);
		else
			a->value = read_once(&g->ctlr) | GICD_CTLR_ARE;
		break;
	case GICD_TYPER:
		if (!a->write)
			a->value = ROUND_UP(g->nr_spis, 32u) / 32 | GICD_TYPER_IDBITS |
				   GICD_TYPER_NO1N;
		break;
	case GICD_IIDR:
		if (!a->write)
			a->value = IIDR;
		break;
	case PIDR2:
		if (!a->write)
			a->value = PIDR2_GICV3;
		break;
	}
	return IO_DONE;
}

const struct io_device_ops vgic_dist_ops = { .name = "GIC distributor", .access = dist_access };

/* ---- redistributors ------------------------------------------------------------------------------------ */

/* Affinity, number, and whether it is the last of its region. */
static uint64_t redist_typer(const struct vgic_region *region, const struct vcpu *owner)
{
	uint64_t typer = vcpu_affinity(owner->id) << 32 | (uint64_t)owner->id << 8;
	uint32_t next = owner->id + 1;

	if (!domain_vcpu(owner->domain, next) ||
	    (next - region->first + 1) * (uint64_t)GICR_STRIDE > region->dev.size)
		typer |= GICR_TYPER_LAST;
	return typer;
}

static void redist_control(struct vgic_region *region, struct vcpu *owner, struct io_access *a,
			   uint32_t offset)
{
	uint64_t typer;

	if (a->write)
		return;
	switch (offset) {
	case GICR_IIDR: a->value = IIDR; break;
	case GICR_TYPER:
	case GICR_TYPER + 4:
		typer = redist_typer(region, owner);
		a->value = offset == GICR_TYPER ? typer : typer >> 32;
		break;
	case PIDR2: a->value = PIDR2_GICV3; break;
	/* CTLR: no LPIs. WAKER: never asleep. */
	default: break;
	}
}

static enum io_result redist_access(struct io_device *dev, struct vcpu *v, struct io_access *a)
{
	struct vgic_region *region = container_of(dev, struct vgic_region, dev);
	uint64_t offset = a->addr.a - dev->base.a;
	struct vcpu *owner = domain_vcpu(v->domain,
					 region->first + (uint32_t)(offset / GICR_STRIDE));
	struct bank b = { .d = v->domain, .v = owner, .end = VGIC_PRIVATE };

	if (!a->write)
		a->value = 0;
	if (!owner)
		return IO_DONE;
	offset %= GICR_STRIDE;
	if (offset < GICR_FRAME)
		redist_control(region, owner, a, (uint32_t)offset);
	else
		(void)access_arrays(&b, a, (uint32_t)offset - GICR_FRAME);
	return IO_DONE;
}

const struct io_device_ops vgic_redist_ops = { .name = "GIC redistributor",
					       .access = redist_access };

/* ---- life ------------------------------------------------------------------------------------------------ */

int vgic_init(struct domain *d, gpa_t dist, uint32_t spis)
{
	struct vgic *g = &d->arch.vgic;

	spis = ROUND_UP(spis, 32u);
	if (spis > 1020 - VGIC_PRIVATE)
		spis = 1020 - VGIC_PRIVATE;
	for (uint32_t i = 0; i * VIRQS_PER_FRAME < spis; i++) {
		mfn_t m = pool_alloc(&d->pool);

		if (!mfn_valid(m))
			return reason_err(R_POOL_EXHAUSTED);
		g->spi[i] = frame_va(m);
		for (uint32_t j = 0; j < VIRQS_PER_FRAME; j++) {
			g->spi[i][j].next = VIRQ_END;
			g->spi[i][j].flags = VIRQ_LEVEL;
		}
	}
	g->nr_spis = spis;
	g->dist = (struct io_device){ .ops = &vgic_dist_ops, .base = dist, .size = 0x10000 };
	return io_register(d, &g->dist);
}

int vgic_add_region(struct domain *d, gpa_t base, uint64_t size)
{
	struct vgic *g = &d->arch.vgic;
	struct vgic_region *r = &g->region[g->nr_regions], *before = r - 1;
	int err;

	if (g->nr_regions == VGIC_MAX_REGIONS)
		return refuse(R_REDIST_TABLE_FULL, d->id, VGIC_MAX_REGIONS, g->nr_regions);
	r->dev = (struct io_device){ .ops = &vgic_redist_ops, .base = base, .size = size };
	r->first = g->nr_regions ? before->first + (uint32_t)(before->dev.size / GICR_STRIDE) : 0;
	err = io_register(d, &r->dev);
	if (!err)
		g->nr_regions++;
	return err;
}

void vgic_free(struct domain *d)
{
	struct vgic *g = &d->arch.vgic;

	for (unsigned i = 0; i < ARRAY_SIZE(g->spi); i++)
		if (g->spi[i]) {
			pool_free(&d->pool, frame_from_va(g->spi[i]));
			g->spi[i] = NULL;
		}
	g->nr_spis = 0;
}

bool vgic_link_host(struct domain *d, uint32_t intid, uint32_t host, bool level)
{
	struct virq *q = intid >= VGIC_PRIVATE ? virq_of(d, NULL, intid) : NULL;

	if (!q)
		return false;
	/* Before the domain runs, or while the line is free: nobody else looks at it. */
	q->host = (uint16_t)host;
	q->flags = (uint8_t)((q->flags & ~VIRQ_LEVEL) | VIRQ_HW | (level ? VIRQ_LEVEL : 0));
	return true;
}

void vgic_unlink_host(struct domain *d, uint32_t intid)
{
	struct virq *q = intid >= VGIC_PRIVATE ? virq_of(d, NULL, intid) : NULL;

	if (q)
		q->flags &= (uint8_t)~VIRQ_HW;
}
