/* SPDX-License-Identifier: Apache-2.0 */
/* Events for a guest: the one of its next entry, NMIs and when they are open, and the moment at which an interrupt could be taken. */
#include "svm.h"

#include <asm/trap.h>
#include <hv/domain.h>

#define RFLAGS_TF BIT(8)

void svm_inject(struct vcpu *v, const struct hvm_event *e)
{
	struct vmcb *b = vmcb_of(v);

	b->eventinj = e->vector | (uint64_t)e->type << EVENTINJ_TYPE_SHIFT | EVENTINJ_VALID |
		      (e->has_error ? EVENTINJ_ERROR | (uint64_t)e->error << 32 : 0);
	if (e->type == EVENT_EXCEPTION && e->vector == VEC_PF) {
		b->cr2 = e->cr2;
		touched(v, CLEAN_CR2);
	}
}

void svm_inject_nmi(struct vcpu *v)
{
	struct vmcb *b = vmcb_of(v);

	b->eventinj = VEC_NMI | (uint64_t)EVENT_NMI << EVENTINJ_TYPE_SHIFT | EVENTINJ_VALID;
	b->icpt3 |= (uint32_t)ICPT3_IRET;
	touched(v, CLEAN_INTERCEPTS);
	v->arch.nmi_masked = true;
}

/*
 * The processor does not tell that the handler of a guest's NMI has ended: the first IRET is intercepted, before it is executed (APM vol. 2, 15.9). It is
 * over when the vCPU is elsewhere. When one waits for that, the IRET is executed as a single step.
 */
bool svm_nmi_open(struct vcpu *v)
{
	struct vmcb *b = vmcb_of(v);

	if (!v->arch.nmi_masked)
		return true;
	if (!v->arch.nmi_returning)
		return false;
	if (b->rip == v->arch.nmi_iret) {
		if (!v->arch.nmi_step && !(b->rflags & RFLAGS_TF)) {
			v->arch.nmi_step = true;
			b->rflags |= RFLAGS_TF;
		}
		return false;
	}
	v->arch.nmi_masked = v->arch.nmi_returning = false;
	return true;
}

void svm_event_cut_short(struct vcpu *v)
{
	struct vmcb *b = vmcb_of(v);
	uint64_t i = b->exitintinfo;

	if (hvm_event_repeats(i >> EVENTINJ_TYPE_SHIFT & 7, (uint8_t)i))
		return;
	b->eventinj = i;
	hvm_work(v);
}

bool svm_event_pending(struct vcpu *v)
{
	return vmcb_of(v)->eventinj & EVENTINJ_VALID;
}

bool svm_get_pending(struct vcpu *v, struct hvm_event *e)
{
	uint64_t i = vmcb_of(v)->eventinj;

	*e = (struct hvm_event){
		.vector = (uint8_t)i,
		.type = i >> EVENTINJ_TYPE_SHIFT & 7,
		.has_error = i & EVENTINJ_ERROR,
		.error = (uint32_t)(i >> 32),
		.cr2 = vmcb_of(v)->cr2,
	};
	return svm_event_pending(v);
}

void svm_drop_pending(struct vcpu *v)
{
	vmcb_of(v)->eventinj = 0;
}

bool svm_interruptible(struct vcpu *v)
{
	const struct vmcb *b = vmcb_of(v);

	return (b->rflags & BIT(9)) && !(b->shadow & 1) && !svm_event_pending(v);
}

void svm_want_interrupt_window(struct vcpu *v, bool on)
{
	struct vmcb *b = vmcb_of(v);

	if (on == !!(b->icpt3 & ICPT3_VINTR))
		return;
	/* A dummy virtual interrupt, intercepted at the moment it would be taken. */
	if (on) {
		b->interrupt |= INT_V_IRQ | INT_V_IGN_TPR | INT_V_PRIO(15);
		b->icpt3 |= (uint32_t)ICPT3_VINTR;
	} else {
		b->interrupt &= ~(INT_V_IRQ | INT_V_IGN_TPR);
		b->icpt3 &= (uint32_t)~ICPT3_VINTR;
	}
	touched(v, CLEAN_INTERCEPTS | CLEAN_TPR);
}

/* Not by the virtual interrupt's own priority: the emulator (QEMU 7.2, TCG) ends when CR8 is written while that is requested. */
void svm_watch_priority(struct vcpu *v, bool on)
{
	struct vmcb *b = vmcb_of(v);
	const uint32_t bit = (uint32_t)ICPT_CR_WRITE(8);

	if (likely(on == !!(b->icpt_cr & bit)))
		return;
	b->icpt_cr ^= bit;
	touched(v, CLEAN_INTERCEPTS);
}

bool svm_inject_interrupt(struct vcpu *v, uint8_t vector)
{
	bool now = svm_interruptible(v);

	if (now)
		vmcb_of(v)->eventinj = vector | EVENT_INTERRUPT << EVENTINJ_TYPE_SHIFT |
				       EVENTINJ_VALID;
	svm_want_interrupt_window(v, !now);
	return now;
}
