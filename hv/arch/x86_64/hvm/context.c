/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registers of a vCPU as XEN_DOMCTL_getvcpucontext and _setvcpucontext carry them (xen/arch-x86/xen.h, struct vcpu_guest_context).
 * The structure is that of PV guests: of a PVH guest it has the general registers, the debug registers and the FPU both ways, selectors and
 * control registers to look at only. libxenguest sets the answer of a suspended guest's hypercall with it, when that is to go on
 * here after all; all else of a vCPU is in its state records (hvm/state.c).
 */
#include <arch/vcpu.h>

#include <asm/fpu.h>
#include <asm/hvm.h>
#include <hv/assert.h>
#include <hv/domain.h>
#include <hv/string.h>

/* The XSAVE area (APM vol. 2, 11.5.10). */
#define FXSAVE_SIZE  512u
#define MXCSR_OFFSET 24u
#define X87_AND_SSE  3u

/* clang-format off */
#define GENERAL(X) X(rbx) X(rcx) X(rdx) X(rbp) X(rsi) X(rdi) X(r8) X(r9) X(r10) X(r11) X(r12) X(r13) X(r14) X(r15)
#define STATE(X) X(rax) X(rip) X(rsp) X(rflags)
#define SELECTORS(X) X(es, SEG_ES) X(cs, SEG_CS) X(ss, SEG_SS) X(ds, SEG_DS) X(fs, SEG_FS) X(gs, SEG_GS)
/* clang-format on */

static int context_check(const struct vcpu *v, const vcpu_guest_context_t *c)
{
	uint32_t mxcsr;

	if (c->user_regs.rflags >> 22)
		return refuse(R_BAD_HVM_CONTEXT, v->id, 0, c->user_regs.rflags);
	if (c->debugreg[6] >> 32 || c->debugreg[7] >> 32)
		return refuse(R_BAD_HVM_CONTEXT, v->id, 0, c->debugreg[6] | c->debugreg[7]);
	memcpy(&mxcsr, c->fpu_ctxt.x + MXCSR_OFFSET, sizeof(mxcsr));
	/* Loading it would be refused, and we with it. */
	if ((c->flags & VGCF_I387_VALID) && (mxcsr & ~fpu_mxcsr_mask()))
		return refuse(R_BAD_HVM_CONTEXT, v->id, 0, mxcsr);
	return 0;
}

/* What is wider than SSE stays. */
static void fpu_set(struct vcpu *v, const vcpu_guest_context_t *c)
{
	uint8_t *area = v->arch.fpu;
	uint64_t components;

	memcpy(area, c->fpu_ctxt.x, FXSAVE_SIZE);
	memcpy(&components, area + FXSAVE_SIZE, sizeof(components));
	components |= X87_AND_SSE;
	memcpy(area + FXSAVE_SIZE, &components, sizeof(components));
}

int arch_vcpu_set_context(struct vcpu *v, const vcpu_guest_context_t *c)
{
	struct hvm_state s;
	int err = context_check(v, c);

	if (err)
		return err;
	assert(!v->arch.loaded, "its registers are in memory");
	hvm->get_state(v, &s);
#define SET(name) v->arch.regs.name = c->user_regs.name;
	GENERAL(SET)
#undef SET
#define SET(name) s.name = c->user_regs.name;
	STATE(SET)
#undef SET
	s.rflags |= 2;
	s.dr6 = c->debugreg[6];
	s.dr7 = c->debugreg[7];
	hvm->set_state(v, &s);
	for (unsigned i = 0; i < 4; i++)
		v->arch.dr[i] = c->debugreg[i];
	if (c->flags & VGCF_I387_VALID)
		fpu_set(v, c);
	hvm_started(v);
	return 0;
}

void arch_vcpu_get_context(struct vcpu *v, vcpu_guest_context_t *c)
{
	struct hvm_state s;

	hvm->get_state(v, &s);
	*c = (vcpu_guest_context_t){ .flags = VGCF_I387_VALID };
	if (vcpu_state(v) != VCPU_OFFLINE)
		c->flags |= VGCF_online;
	memcpy(c->fpu_ctxt.x, v->arch.fpu, FXSAVE_SIZE);
#define GET(name) c->user_regs.name = v->arch.regs.name;
	GENERAL(GET)
#undef GET
#define GET(name) c->user_regs.name = s.name;
	STATE(GET)
#undef GET
#define GET(name, n) c->user_regs.name = s.seg[n].selector;
	SELECTORS(GET)
#undef GET
	c->fs_base = s.seg[SEG_FS].base;
	c->ctrlreg[0] = s.cr0;
	c->ctrlreg[2] = s.cr2;
	c->ctrlreg[3] = s.cr3;
	c->ctrlreg[4] = s.cr4;
	for (unsigned i = 0; i < 4; i++)
		c->debugreg[i] = v->arch.dr[i];
	c->debugreg[6] = s.dr6;
	c->debugreg[7] = s.dr7;
}
