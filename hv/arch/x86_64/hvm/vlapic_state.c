/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state of a local APIC in Xen's two records (asm/state.h). What a guest could not have written is left out of what is loaded, as a
 * write would leave it out; what is another vCPU's is refused.
 */
#include <asm/state.h>

#include "vlapic.h"
#include <asm/hvm.h>
#include <asm/msr.h>
#include <hv/domain.h>
#include <hv/state.h>
#include <hv/string.h>
#include <xen/hvm/save.h>

#define HARDWARE_DISABLED 1u
#define SOFTWARE_DISABLED 2u
#define SET_STEP          16u /* bytes from one 32-bit part of a set to the next */

typedef struct hvm_hw_lapic hidden_record;
typedef struct hvm_hw_lapic_regs regs_record;

/* ---- beside the registers -------------------------------------------------------------------------- */

int vlapic_hidden_save(struct domain *d, struct vcpu *v, void *record)
{
	const struct vlapic *a = &v->arch.lapic;
	hidden_record *r = record;

	r->apic_base_msr = a->base;
	r->disabled = (a->base & APIC_BASE_ENABLE ? 0 : HARDWARE_DISABLED) |
		      (a->svr & SVR_ENABLE ? 0 : SOFTWARE_DISABLED);
	r->timer_divisor = vlapic_divider(a);
	r->tdt_msr = a->tsc_deadline;
	return 0;
}

int vlapic_hidden_check(const struct domain *d, const struct vcpu *v, const void *record)
{
	const uint64_t free = APIC_BASE_ENABLE | APIC_BASE_X2APIC | APIC_BASE_BSP;
	const hidden_record *r = record;
	uint64_t mode = r->apic_base_msr & (APIC_BASE_ENABLE | APIC_BASE_X2APIC);

	if ((r->apic_base_msr & ~free) != APIC_ADDRESS || mode == APIC_BASE_X2APIC)
		return state_bad_field(HVM_SAVE_CODE(LAPIC), hidden_record, apic_base_msr,
				       r->apic_base_msr);
	return 0;
}

void vlapic_hidden_load(struct domain *d, struct vcpu *v, const void *record)
{
	const hidden_record *r = record;

	v->arch.lapic.base = r->apic_base_msr;
	/* Its mode and its count come with the registers; armed there. */
	v->arch.lapic.tsc_deadline = r->tdt_msr;
}

/* ---- registers ------------------------------------------------------------------------------------- */

static void put(regs_record *r, uint32_t offset, uint32_t value)
{
	memcpy(r->data + offset, &value, sizeof(value));
}

static uint32_t get(const regs_record *r, uint32_t offset)
{
	uint32_t value;

	memcpy(&value, r->data + offset, sizeof(value));
	return value;
}

static uint32_t lvt_offset(unsigned i)
{
	return i == LVT_CMCI ? REG_CMCI : REG_LVT_TIMER + (i - LVT_TIMER) * SET_STEP;
}

int vlapic_regs_save(struct domain *d, struct vcpu *v, void *record)
{
	const struct vlapic *a = &v->arch.lapic;
	regs_record *r = record;

	put(r, REG_TPR, vlapic_task_priority(v));
	put(r, REG_ID, a->base & APIC_BASE_X2APIC ? a->id : a->id << 24);
	put(r, REG_VERSION, VERSION);
	put(r, REG_LDR, a->ldr);
	put(r, REG_DFR, a->dfr);
	put(r, REG_SVR, a->svr);
	put(r, REG_ESR, a->esr);
	put(r, REG_ICR, a->icr_low);
	put(r, REG_ICR_HIGH, a->icr_high);
	put(r, REG_INITIAL, a->timer_initial);
	put(r, REG_CURRENT, vlapic_timer_left(a));
	put(r, REG_DIVIDE, a->timer_divide);
	for (unsigned i = 0; i < LVT_COUNT; i++)
		put(r, lvt_offset(i), a->lvt[i]);
	for (unsigned i = 0; i < 8; i++) {
		put(r, REG_ISR + i * SET_STEP, a->isr[i]);
		put(r, REG_TMR + i * SET_STEP, read_once(&a->tmr[i]));
		put(r, REG_IRR + i * SET_STEP, read_once(&a->irr[i]));
	}
	return 0;
}

int vlapic_regs_check(const struct domain *d, const struct vcpu *v, const void *record)
{
	const regs_record *r = record;
	uint32_t id = get(r, REG_ID);

	/* In either form; which one it is says the other record. */
	if (id != v->arch.lapic.id && id != v->arch.lapic.id << 24)
		return refuse(R_STATE_FIELD, HVM_SAVE_CODE(LAPIC_REGS), REG_ID, id);
	if (get(r, REG_CURRENT) > get(r, REG_INITIAL))
		return refuse(R_STATE_FIELD, HVM_SAVE_CODE(LAPIC_REGS), REG_CURRENT,
			      get(r, REG_CURRENT));
	return 0;
}

static void sets_load(struct vlapic *a, const regs_record *r)
{
	for (unsigned i = 0; i < 8; i++) {
		uint32_t real = i == 0 ? 0xffff0000 : ~0u; /* vectors 0 to 15 are none */

		a->isr[i] = get(r, REG_ISR + i * SET_STEP) & real;
		write_once(&a->tmr[i], get(r, REG_TMR + i * SET_STEP) & real);
		/* What arrived since stays. */
		atomic_or(&a->irr[i], get(r, REG_IRR + i * SET_STEP) & real);
	}
	a->highest_isr = vlapic_highest(a->isr);
}

void vlapic_regs_load(struct domain *d, struct vcpu *v, const void *record)
{
	struct vlapic *a = &v->arch.lapic;
	const regs_record *r = record;

	vlapic_set_task_priority(v, (uint8_t)get(r, REG_TPR));
	a->ldr = get(r, REG_LDR) & 0xff000000;
	a->dfr = get(r, REG_DFR) | 0x0fffffff;
	a->svr = get(r, REG_SVR) & 0x3ff;
	a->esr = get(r, REG_ESR);
	a->icr_low = get(r, REG_ICR) & ICR_WRITABLE;
	a->icr_high = get(r, REG_ICR_HIGH);
	for (unsigned i = 0; i < LVT_COUNT; i++)
		write_once(&a->lvt[i], get(r, lvt_offset(i)) & vlapic_lvt_writable[i]);
	sets_load(a, r);
	hvm_work(v);
	a->timer_initial = get(r, REG_INITIAL);
	a->timer_divide = get(r, REG_DIVIDE) & 0xb;
	vlapic_timer_resume(v, get(r, REG_CURRENT));
	if (TIMER_MODE(a->lvt[LVT_TIMER]) == TIMER_DEADLINE)
		vlapic_set_tsc_deadline(v, a->tsc_deadline);
	else
		a->tsc_deadline = 0;
}

void vlapic_regs_still(void *before, void *after)
{
	put(before, REG_CURRENT, 0);
	put(after, REG_CURRENT, 0);
	for (unsigned i = 0; i < 8; i++) { /* interrupts arrive at a paused vCPU too */
		uint32_t at = REG_IRR + i * SET_STEP;

		put(after, at, get(after, at) & get(before, at));
	}
}
