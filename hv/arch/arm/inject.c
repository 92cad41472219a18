/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exceptions that a guest takes at EL1 because we say so: what the CPU does on such an exception (DDI 0487,
 * D1.3, AArch64.TakeException), done to the registers of the vCPU that is loaded here. A 64-bit EL1 always;
 * what ran may have been a 32-bit program.
 */
#include <asm/sysreg.h>
#include <asm/vcpu.h>
#include <hv/vcpu.h>

/* Vectors: from EL1 with SP_EL0, with SP_EL1, from a 64-bit EL0, from a 32-bit one. */
#define VECTOR_SP0         0x000u
#define VECTOR_SPX         0x200u
#define VECTOR_EL0         0x400u
#define VECTOR_EL0_32      0x600u

#define PSTATE_MODE        0x1full
#define PSTATE_32          BIT(4)
#define PSTATE_DAIF        0x3c0ull
#define PSTATE_SSBS        BIT(12)
#define PSTATE_PAN         BIT(22)
#define PSTATE_UAO         BIT(23)
#define PSTATE_DIT         BIT(24)
#define PSTATE_NZCV        0xf0000000ull

#define SCTLR_SPAN         BIT(23) /* clear: PAN is set on an exception to EL1 */
#define SCTLR_DSSBS        BIT(44)

#define DFSC_SYNC_EXTERNAL 0x10u
#define ISS_WNR            BIT(6)

static bool from_el0(uint64_t pstate)
{
	return (pstate & PSTATE_32) || (pstate & PSTATE_MODE) == PSR_MODE_EL0t;
}

static void take(struct vcpu *v, uint64_t esr)
{
	struct guest_regs *r = &v->arch.regs;
	uint64_t pstate = r->pstate, new, sctlr = sysreg_read(sctlr_el1);
	unsigned vector;

	if (pstate & PSTATE_32)
		vector = VECTOR_EL0_32;
	else if ((pstate & PSTATE_MODE) == PSR_MODE_EL0t)
		vector = VECTOR_EL0;
	else if ((pstate & PSTATE_MODE) == PSR_MODE_EL1t)
		vector = VECTOR_SP0;
	else
		vector = VECTOR_SPX;

	new = PSR_MODE_EL1h | PSTATE_DAIF;
	new |= pstate &(PSTATE_PAN | PSTATE_DIT);
	if (!(pstate & PSTATE_32))
		new |= pstate &PSTATE_NZCV;
	if (((sysreg_read(id_aa64mmfr1_el1) >> 20) & 15) && !(sctlr & SCTLR_SPAN))
		new |= PSTATE_PAN;
	if (((sysreg_read(id_aa64pfr1_el1) >> 4) & 15) && (sctlr & SCTLR_DSSBS))
		new |= PSTATE_SSBS;

	sysreg_write(elr_el1, r->pc);
	sysreg_write(spsr_el1, pstate);
	sysreg_write(esr_el1, esr);
	r->pc = sysreg_read(vbar_el1) + vector;
	r->pstate = new;
}

void inject_undefined(struct vcpu *v)
{
	/* The faulting instruction is the one at pc: nothing was skipped. IL as for unknown reasons: 1. */
	take(v, (uint64_t)EC_UNKNOWN << ESR_EC_SHIFT | ESR_IL);
}

void inject_data_abort(struct vcpu *v, uint64_t far, bool write)
{
	uint64_t ec = from_el0(v->arch.regs.pstate) ? EC_DABT_LOW : EC_DABT;

	sysreg_write(far_el1, far);
	take(v, ec << ESR_EC_SHIFT | ESR_IL | DFSC_SYNC_EXTERNAL | (write ? ISS_WNR : 0));
}

void inject_instruction_abort(struct vcpu *v, uint64_t far)
{
	uint64_t ec = from_el0(v->arch.regs.pstate) ? EC_IABT_LOW : EC_IABT;

	sysreg_write(far_el1, far);
	take(v, ec << ESR_EC_SHIFT | ESR_IL | DFSC_SYNC_EXTERNAL);
}

void inject_serror(struct vcpu *v)
{
	/* The CPU takes it when the guest has SErrors unmasked, and clears the bit (D1.3.4). */
	v->arch.hcr |= HCR_VSE;
	sysreg_write(hcr_el2, v->arch.hcr);
}
