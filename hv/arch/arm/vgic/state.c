/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interrupt controller's state records (public/state_arm.h): the distributor's shared interrupts, and for
 * each vCPU its private ones and its CPU interface. All of the domain's vCPUs are off their CPUs, so list
 * registers are in memory and are folded into their interrupts when saved; when loaded, what is
 * pending or active is queued and reaches list registers as if it had just been raised.
 */
#include "vgic.h"

#include <hv/state.h>
#include <public/state.h>
#include <public/state_arm.h>

#define GICD KRYPTON_STATE_ARM_GICD
#define GICR KRYPTON_STATE_ARM_GICR

/* ---- one interrupt ------------------------------------------------------------------------------- */

static const struct {
	uint8_t ours, record;
} flag[] = {
	{ VIRQ_PENDING, KRYPTON_ARM_IRQ_PENDING }, { VIRQ_ACTIVE, KRYPTON_ARM_IRQ_ACTIVE },
	{ VIRQ_ENABLED, KRYPTON_ARM_IRQ_ENABLED }, { VIRQ_LEVEL, KRYPTON_ARM_IRQ_LEVEL },
	{ VIRQ_LINE, KRYPTON_ARM_IRQ_LINE },
};

#define ALL_FLAGS                                                                     \
	(KRYPTON_ARM_IRQ_PENDING | KRYPTON_ARM_IRQ_ACTIVE | KRYPTON_ARM_IRQ_ENABLED | \
	 KRYPTON_ARM_IRQ_LEVEL | KRYPTON_ARM_IRQ_LINE)

static void irq_save(const struct domain *d, struct virq *q, struct krypton_state_arm_irq *r)
{
	struct virq now;

	virq_snapshot(d, q, &now);
	for (unsigned i = 0; i < ARRAY_SIZE(flag); i++)
		r->flags |= now.flags & flag[i].ours ? flag[i].record : 0;
	r->priority = now.priority;
	r->home = now.home;
	r->route = now.route;
}

/* Good by itself; priorities have five bits. */
static bool irq_good(const struct domain *d, const struct krypton_state_arm_irq *r)
{
	return !(r->flags & ~ALL_FLAGS) && !(r->priority & 7) && domain_vcpu(d, r->home) &&
	       domain_vcpu(d, r->route) && !r->reserved;
}

static void irq_load(struct domain *d, struct virq *q, uint32_t intid,
		     const struct krypton_state_arm_irq *r)
{
	struct virq to = { .home = r->home, .route = r->route, .priority = r->priority };

	for (unsigned i = 0; i < ARRAY_SIZE(flag); i++)
		to.flags |= r->flags & flag[i].record ? flag[i].ours : 0;
	virq_restore(d, q, intid, &to);
}

/* ---- the distributor ------------------------------------------------------------------------------- */

static struct virq *spi(const struct domain *d, uint32_t i)
{
	return virq_of(d, NULL, VGIC_PRIVATE + i);
}

int vgic_dist_state_save(struct domain *d, struct krypton_state_arm_gicd *r)
{
	struct vgic *g = &d->arch.vgic;
	struct krypton_state_arm_irq *irq = (void *)(r + 1);

	r->ctlr = read_once(&g->ctlr);
	r->nr_spis = g->nr_spis;
	for (uint32_t i = 0; i < g->nr_spis; i++) {
		/* What the host's controller knows of it would be lost. */
		if (read_once(&spi(d, i)->flags) & VIRQ_HW)
			return refuse(R_STATE_HOST_LINE, VGIC_PRIVATE + i, 0, d->id);
		irq_save(d, spi(d, i), &irq[i]);
	}
	return 0;
}

int vgic_dist_state_check(const struct domain *d, const struct krypton_state_arm_gicd *r)
{
	const struct krypton_state_arm_irq *irq = (const void *)(r + 1);

	if (r->ctlr & ~GICD_CTLR_GROUP1)
		return state_bad_field(GICD, struct krypton_state_arm_gicd, ctlr, r->ctlr);
	if (r->nr_spis != d->arch.vgic.nr_spis)
		return state_bad_field(GICD, struct krypton_state_arm_gicd, nr_spis, r->nr_spis);
	if (r->reserved)
		return state_bad_field(GICD, struct krypton_state_arm_gicd, reserved, r->reserved);
	for (uint32_t i = 0; i < r->nr_spis; i++) {
		if (!irq_good(d, &irq[i]))
			return refuse(R_STATE_FIELD, GICD, sizeof(*r) + i * sizeof(*irq),
				      irq[i].flags);
		if (read_once(&spi(d, i)->flags) & VIRQ_HW)
			return refuse(R_STATE_HOST_LINE, VGIC_PRIVATE + i, 0, d->id);
	}
	return 0;
}

void vgic_dist_state_load(struct domain *d, const struct krypton_state_arm_gicd *r)
{
	const struct krypton_state_arm_irq *irq = (const void *)(r + 1);
	struct vcpu *v;

	write_once(&d->arch.vgic.ctlr, r->ctlr);
	domain_for_each_vcpu(v, d) virq_forget(v);
	for (uint32_t i = 0; i < r->nr_spis; i++)
		irq_load(d, spi(d, i), VGIC_PRIVATE + i, &irq[i]);
}

/* ---- redistributor and CPU interface ------------------------------------------------------------------ */

void vgic_vcpu_state_save(struct vcpu *v, struct krypton_state_arm_gicr *r)
{
	struct vgic_vcpu *g = &v->arch.vgic;
	unsigned preempting, all;

	vgic_priority_bits(&preempting, &all);
	r->pre_bits = preempting;
	r->pri_bits = all;
	r->vmcr = (uint32_t)g->vmcr;
	for (unsigned i = 0; i < ARRAY_SIZE(g->ap0r); i++) {
		r->ap0r[i] = g->ap0r[i];
		r->ap1r[i] = g->ap1r[i];
	}
	for (unsigned i = 0; i < VGIC_PRIVATE; i++)
		irq_save(v->domain, &g->private[i], &r -> irq[i]);
}

int vgic_vcpu_state_check(const struct vcpu *v, const struct krypton_state_arm_gicr *r)
{
	unsigned preempting, all;

	vgic_priority_bits(&preempting, &all);
	if (r->pre_bits != preempting)
		return state_bad_field(GICR, struct krypton_state_arm_gicr, pre_bits, r->pre_bits);
	if (r->pri_bits != all)
		return state_bad_field(GICR, struct krypton_state_arm_gicr, pri_bits, r->pri_bits);
	/* No more bits than there are preempting priorities. */
	for (unsigned i = 0; i < ARRAY_SIZE(r->ap0r); i++)
		if ((r->ap0r[i] | r->ap1r[i]) && i >= (1u << preempting) / 32 && i)
			return state_bad_field(GICR, struct krypton_state_arm_gicr, ap0r[i],
					       r->ap0r[i] | r->ap1r[i]);
	for (unsigned i = 0; i < VGIC_PRIVATE; i++) {
		const struct krypton_state_arm_irq *irq = &r->irq[i];
		bool level = irq->flags & KRYPTON_ARM_IRQ_LEVEL;

		/* Private ones stay where they are, and are what they are; SGIs have no line. */
		if (!irq_good(v->domain, irq) || irq->home != v->id || irq->route != v->id ||
		    level != (i >= 16) || (i < 16 && (irq->flags & KRYPTON_ARM_IRQ_LINE)))
			return refuse(R_STATE_FIELD, GICR,
				      offsetof(struct krypton_state_arm_gicr, irq) +
					  i * sizeof(*irq),
				      irq->flags);
	}
	return 0;
}

void vgic_vcpu_state_load(struct vcpu *v, const struct krypton_state_arm_gicr *r)
{
	struct vgic_vcpu *g = &v->arch.vgic;

	g->vmcr = r->vmcr;
	for (unsigned i = 0; i < ARRAY_SIZE(g->ap0r); i++) {
		g->ap0r[i] = r->ap0r[i];
		g->ap1r[i] = r->ap1r[i];
	}
	for (unsigned i = 0; i < VGIC_PRIVATE; i++)
		irq_load(v->domain, &g->private[i], i, &r -> irq[i]);
}
