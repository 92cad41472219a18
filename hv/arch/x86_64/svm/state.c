/* SPDX-License-Identifier: Apache-2.0 */
/* The accessors of asm/hvm.h: a guest's registers in its control block. */
#include "svm.h"

#include <asm/msr.h>
#include <hv/domain.h>
#include <hv/log.h>

static void segment_out(const struct vmcb_segment *f, struct segment *s)
{
	*s = (struct segment){ f->selector, f->attr, f->limit, f->base };
}

static void segment_in(struct vmcb_segment *t, const struct segment *s)
{
	*t = (struct vmcb_segment){ s->selector, s->attr, s->limit, s->base };
}

static struct vmcb_segment *segment_of(struct vmcb *b, enum segment_name n)
{
	switch (n) {
	case SEG_ES: return &b->es;
	case SEG_CS: return &b->cs;
	case SEG_SS: return &b->ss;
	case SEG_DS: return &b->ds;
	case SEG_FS: return &b->fs;
	case SEG_GS: return &b->gs;
	case SEG_TR: return &b->tr;
	default: return &b->ldtr;
	}
}

void svm_get_paging(struct vcpu *v, struct hvm_paging *p)
{
	const struct vmcb *b = vmcb_of(v);

	*p = (struct hvm_paging){ b->cr0, b->cr3, b->cr4, b->efer };
}

/* Bytes come with faults on data (15.8.4); fewer than all of them end at a page that the guest has not mapped. */
static const uint8_t *fetched(const struct vmcb *b)
{
	return b->exitcode == EXIT_NPF && b->nr_bytes == sizeof(b->bytes) ? b->bytes : NULL;
}

void svm_get_execution(struct vcpu *v, struct hvm_execution *x)
{
	const struct vmcb *b = vmcb_of(v);

	x->rip = b->rip;
	x->rsp = b->rsp;
	x->rflags = b->rflags;
	x->base[0] = b->es.base;
	x->base[1] = b->cs.base;
	x->base[2] = b->ss.base;
	x->base[3] = b->ds.base;
	x->base[4] = b->fs.base;
	x->base[5] = b->gs.base;
	/* Real mode counts as 16 bits. */
	x->bits = wide_code(b) ? 64 : b->cs.attr & BIT(10) ? 32 : 16;
	x->cpl = b->cpl;
	x->bytes = fetched(b);
}

void svm_set_execution(struct vcpu *v, uint64_t rip, uint64_t rsp, uint64_t rflags)
{
	struct vmcb *b = vmcb_of(v);

	b->rip = rip;
	b->rsp = rsp;
	b->rflags = rflags;
	b->shadow &= ~1ull;
}

void svm_get_state(struct vcpu *v, struct hvm_state *s)
{
	struct vmcb *b = vmcb_of(v);

	*s = (struct hvm_state){
		.cr0 = b->cr0,
		.cr2 = b->cr2,
		.cr3 = b->cr3,
		.cr4 = b->cr4,
		.efer = b->efer & ~(uint64_t)EFER_SVME,
		.dr6 = b->dr6,
		.dr7 = b->dr7,
		.pat = b->g_pat,
		.rip = b->rip,
		.rsp = b->rsp,
		.rflags = b->rflags,
		.rax = v->arch.regs.rax,
		.gdtr = { b->gdtr.base, b->gdtr.limit },
		.idtr = { b->idtr.base, b->idtr.limit },
		.star = b->star,
		.lstar = b->lstar,
		.cstar = b->cstar,
		.sfmask = b->sfmask,
		.kernel_gs_base = b->kernel_gs_base,
		.sysenter_cs = b->sysenter_cs,
		.sysenter_esp = b->sysenter_esp,
		.sysenter_eip = b->sysenter_eip,
		.spec_ctrl = b->spec_ctrl,
		.interrupt_shadow = b->shadow & 1,
	};
	for (unsigned i = 0; i < NR_SEGMENTS; i++)
		segment_out(segment_of(b, (enum segment_name)i), &s->seg[i]);
}

void svm_set_state(struct vcpu *v, const struct hvm_state *s)
{
	struct vmcb *b = vmcb_of(v);

	b->cr0 = s->cr0;
	b->cr2 = s->cr2;
	b->cr3 = s->cr3;
	b->cr4 = s->cr4;
	b->efer = s->efer | EFER_SVME; /* VMRUN wants it set in the guest too (15.5.1) */
	b->dr6 = s->dr6;
	b->dr7 = s->dr7;
	b->g_pat = s->pat;
	b->rip = s->rip;
	b->rsp = s->rsp;
	b->rflags = s->rflags;
	v->arch.regs.rax = s->rax;
	b->gdtr = (struct vmcb_segment){ .base = s->gdtr.base, .limit = s->gdtr.limit };
	b->idtr = (struct vmcb_segment){ .base = s->idtr.base, .limit = s->idtr.limit };
	b->star = s->star;
	b->lstar = s->lstar;
	b->cstar = s->cstar;
	b->sfmask = s->sfmask;
	b->kernel_gs_base = s->kernel_gs_base;
	b->sysenter_cs = s->sysenter_cs;
	b->sysenter_esp = s->sysenter_esp;
	b->sysenter_eip = s->sysenter_eip;
	b->spec_ctrl = s->spec_ctrl;
	b->shadow = s->interrupt_shadow & 1;
	for (unsigned i = 0; i < NR_SEGMENTS; i++)
		segment_in(segment_of(b, (enum segment_name)i), &s->seg[i]);
	b->cpl = (b->ss.attr >> 5) & 3;
	b->clean = 0;
}

uint64_t svm_get_rip(struct vcpu *v)
{
	return vmcb_of(v)->rip;
}

void svm_set_rip(struct vcpu *v, uint64_t rip)
{
	vmcb_of(v)->rip = rip;
	vmcb_of(v)->shadow &= ~1ull;
}

uint64_t svm_get_cr(struct vcpu *v, unsigned n)
{
	const struct vmcb *b = vmcb_of(v);

	switch (n) {
	case 0: return b->cr0;
	case 2: return b->cr2;
	case 3: return b->cr3;
	case 4: return b->cr4;
	default: /* CR8 */ return b->interrupt & 15;
	}
}

void svm_set_cr(struct vcpu *v, unsigned n, uint64_t value)
{
	struct vmcb *b = vmcb_of(v);

	switch (n) {
	case 0: b->cr0 = value; break;
	case 2:
		b->cr2 = value;
		touched(v, CLEAN_CR2);
		return;
	case 3: b->cr3 = value; break;
	case 4: b->cr4 = value; break;
	default:
		b->interrupt = (b->interrupt & ~INT_TPR_MASK) | (value & 15);
		touched(v, CLEAN_TPR);
		return;
	}
	touched(v, CLEAN_CR);
}

uint64_t svm_get_efer(struct vcpu *v)
{
	return vmcb_of(v)->efer & ~(uint64_t)EFER_SVME;
}

void svm_set_efer(struct vcpu *v, uint64_t value)
{
	vmcb_of(v)->efer = value | EFER_SVME;
	touched(v, CLEAN_CR);
}

bool svm_port_exit(struct vcpu *v)
{
	return vmcb_of(v)->exitcode == EXIT_IOIO;
}

void svm_dump(struct vcpu *v)
{
	const struct vmcb *b = vmcb_of(v);

	log_error("exit %llx (%llx, %llx) intinfo %llx inject %llx interrupt %llx asid %u",
		  (unsigned long long)b->exitcode, (unsigned long long)b->exitinfo1,
		  (unsigned long long)b->exitinfo2, (unsigned long long)b->exitintinfo,
		  (unsigned long long)b->eventinj, (unsigned long long)b->interrupt, b->asid);
}
