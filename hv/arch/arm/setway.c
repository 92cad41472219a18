/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cache maintenance by set and way. It works on one CPU's caches and knows nothing of virtual
 * machines, so a guest's attempt (a boot loader, or a kernel that switches its caches off or on)
 * is answered by what it wants: all its memory cleaned and invalidated to the point of coherency, by address.
 *
 * That is done once, in steps, the guest trying the same instruction again until it is finished. Then
 * writes to the registers of translation are watched (HCR_EL2.TVM): until the guest has its caches on,
 * further set/way operations find nothing to do, and when it switches them all is cleaned again.
 */
#include <arch/memory.h>
#include <asm/sysreg.h>
#include <asm/vcpu.h>
#include <hv/domain.h>
#include <hv/softirq.h>

#define SCTLR_M     BIT(0)
#define SCTLR_C     BIT(2)
#define STEP_FRAMES 64u /* cleaned between two looks at what else wants this CPU */

#define NONE        (~(uint64_t)0)

static void clean_frame(mfn_t m)
{
	void *va = arch_frame_map(m);

	arch_clean_invalidate_dcache(va, PAGE_SIZE);
	arch_frame_unmap(va);
}

/* One step of cleaning all RAM of the domain; true when that is finished. */
static bool clean_step(struct vcpu *v)
{
	struct domain *d = v->domain;
	uint64_t g = v->arch.clean_next == NONE ? 0 : v->arch.clean_next;
	uint64_t end = read_once(&d->p2m.max_gfn.n) + 1;

	/* Holes cost a look-up for what the tables have as one piece. */
	for (unsigned budget = STEP_FRAMES; g < end; budget--) {
		struct p2m_entry e = p2m_lookup(d, gfn(g));
		uint64_t next = ROUND_DOWN(g, (uint64_t)1 << e.order) + ((uint64_t)1 << e.order);

		if (!budget) {
			v->arch.clean_next = g;
			return false;
		}
		if (!p2m_type_is_ram(e.type)) {
			g = next;
			continue;
		}
		clean_frame(e.mfn);
		g++;
	}
	v->arch.clean_next = NONE;
	return true;
}

bool setway_clean(struct vcpu *v)
{
	if (v->arch.hcr & HCR_TVM) /* nothing was cached since */
		return true;
	if (!clean_step(v))
		return false;
	v->arch.hcr |= HCR_TVM;
	sysreg_write(hcr_el2, v->arch.hcr);
	return true;
}

/* SCTLR_EL1 changes: caches going on or off need the same treatment first. */
static bool switch_caches(struct vcpu *v, uint64_t value)
{
	uint64_t both = SCTLR_M | SCTLR_C;
	bool was = (sysreg_read(sctlr_el1) & both) == both, now = (value & both) == both;

	if (was != now && !clean_step(v))
		return false;
	if (now) {
		v->arch.hcr &= ~HCR_TVM;
		sysreg_write(hcr_el2, v->arch.hcr);
	}
	sysreg_write(sctlr_el1, value);
	return true;
}

bool setway_vm_register(struct vcpu *v, uint32_t reg, uint64_t value, bool *again)
{
	*again = false;
	switch (reg) {
	case TRAPPED(3, 0, 1, 0, 0): *again = !switch_caches(v, value); break;
	case TRAPPED(3, 0, 2, 0, 0): sysreg_write(ttbr0_el1, value); break;
	case TRAPPED(3, 0, 2, 0, 1): sysreg_write(ttbr1_el1, value); break;
	case TRAPPED(3, 0, 2, 0, 2): sysreg_write(tcr_el1, value); break;
	case TRAPPED(3, 0, 5, 1, 0): sysreg_write(afsr0_el1, value); break;
	case TRAPPED(3, 0, 5, 1, 1): sysreg_write(afsr1_el1, value); break;
	case TRAPPED(3, 0, 5, 2, 0): sysreg_write(esr_el1, value); break;
	case TRAPPED(3, 0, 6, 0, 0): sysreg_write(far_el1, value); break;
	case TRAPPED(3, 0, 10, 2, 0): sysreg_write(mair_el1, value); break;
	case TRAPPED(3, 0, 10, 3, 0): sysreg_write(amair_el1, value); break;
	case TRAPPED(3, 0, 13, 0, 1): sysreg_write(contextidr_el1, value); break;
	default: return false;
	}
	return true;
}
