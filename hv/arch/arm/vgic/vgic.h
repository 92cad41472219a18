/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of the virtual GIC. */
#ifndef VGIC_VGIC_H
#define VGIC_VGIC_H

#include <asm/gic.h>
#include <asm/vgic.h>
#include <hv/domain.h>

/* GICD_CTLR, GICR and ICH bits (IHI 0069, 12.9 and 12.4). */
#define GICD_CTLR_GROUP1 0x2u /* EnableGrp1A, as a non-secure access sees it */
#define GICD_CTLR_ARE    0x10u

#define LR_STATE         (ICH_LR_PENDING | ICH_LR_ACTIVE)

/* Interrupt `intid` as `v` sees it; NULL: there is none. `v` may be NULL for shared ones. */
static inline struct virq *virq_of(const struct domain *d, struct vcpu *v, uint32_t intid)
{
	if (intid < VGIC_PRIVATE)
		return &v->arch.vgic.private[intid];
	intid -= VGIC_PRIVATE;
	if (intid >= d->arch.vgic.nr_spis)
		return NULL;
	return &d->arch.vgic.spi[intid / VIRQS_PER_FRAME][intid % VIRQS_PER_FRAME];
}

/*
 * Lock the vCPU where `q` is at home and return it. NULL, nothing locked: that vCPU does not exist yet.
 */
struct vcpu *virq_lock(const struct domain *d, struct virq *q);
void virq_unlock(struct vcpu *home);

/*
 * Something about `q` changed: bring list registers and queue in line. `home` is locked. True: kick `home`
 * once it is unlocked.
 */
MUST_USE bool virq_update(struct vcpu *home, struct virq *q, uint32_t intid);

/* The same with locking, moving and kicking. */
void virq_refresh(struct domain *d, struct virq *q, uint32_t intid);

/* State bits as far as they can be known: from the list register if it is here. Home locked. */
uint64_t virq_state(struct vcpu *home, const struct virq *q);

/*
 * For state records (state.c), with all vCPUs of the domain off their CPUs. virq_snapshot: what is known of `q`,
 * with what was asked done: flags are PENDING, LINE, ENABLED, LEVEL, ACTIVE. virq_forget: `v` has no
 * interrupt in a list register any more. virq_restore: `q` becomes what `to` says (flags as above, priority,
 * home, route); no list register holds it.
 */
void virq_snapshot(const struct domain *d, struct virq *q, struct virq *to);
void virq_forget(struct vcpu *v);
void virq_restore(struct domain *d, struct virq *q, uint32_t intid, const struct virq *to);
/* How many bits of a priority this CPU's virtual interface has: that preempt, in all. */
void vgic_priority_bits(unsigned *preempting, unsigned *all);

extern const struct io_device_ops vgic_dist_ops, vgic_redist_ops;

#endif
