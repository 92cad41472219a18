/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of this folder have between them: svm.c (the machine, domains and vCPUs, the operations' table), exit.c (entries and
 * exits), state.c (registers) and inject.c (events). The functions are those of struct hvm_ops, which has their contracts.
 */
#ifndef SVM_H
#define SVM_H

#include <asm/hvm.h>
#include <asm/msr.h>
#include <hv/domain.h>
#include "vmcb.h"

/* Of view generations, which count up from 0: the vCPU's tag is not to be used. */
#define NO_GENERATION (~(uint64_t)0)

/* What the machine has; the same on all CPUs. [c] after svm_ops.supported(). */
struct svm {
	uint64_t clean; /* what an exit leaves clean: CLEAN_ALL, or 0 when the CPU has no clean bits */
	uint32_t max_asid;
	bool next_rip, decode_assists, tsc_aux;
};
extern struct svm svm;

static inline struct vmcb *vmcb_of(const struct vcpu *v)
{
	return v->arch.vmcb_va;
}

/* These parts of its block were written. */
static inline void touched(struct vcpu *v, uint64_t clean)
{
	vmcb_of(v)->clean &= ~clean;
}

/* Its code is 64-bit code: CS.L counts in long mode only. */
static inline bool wide_code(const struct vmcb *b)
{
	return (b->cs.attr & BIT(9)) && (b->efer & EFER_LMA);
}

/* exit.c */
void svm_run(struct vcpu *v);

/* state.c */
void svm_get_state(struct vcpu *v, struct hvm_state *s);
void svm_set_state(struct vcpu *v, const struct hvm_state *s);
uint64_t svm_get_rip(struct vcpu *v);
void svm_set_rip(struct vcpu *v, uint64_t rip);
void svm_get_paging(struct vcpu *v, struct hvm_paging *p);
void svm_get_execution(struct vcpu *v, struct hvm_execution *x);
void svm_set_execution(struct vcpu *v, uint64_t rip, uint64_t rsp, uint64_t rflags);
uint64_t svm_get_cr(struct vcpu *v, unsigned n);
void svm_set_cr(struct vcpu *v, unsigned n, uint64_t value);
uint64_t svm_get_efer(struct vcpu *v);
void svm_set_efer(struct vcpu *v, uint64_t value);
bool svm_port_exit(struct vcpu *v);
void svm_dump(struct vcpu *v);

/* inject.c */
void svm_inject(struct vcpu *v, const struct hvm_event *e);
/* The exit cut the delivery of exitintinfo's event short: it is delivered again, unless the guest itself repeats it. */
void svm_event_cut_short(struct vcpu *v);
bool svm_event_pending(struct vcpu *v);
bool svm_get_pending(struct vcpu *v, struct hvm_event *e);
void svm_drop_pending(struct vcpu *v);
void svm_inject_nmi(struct vcpu *v);
bool svm_nmi_open(struct vcpu *v);
bool svm_interruptible(struct vcpu *v);
void svm_want_interrupt_window(struct vcpu *v, bool on);
void svm_watch_priority(struct vcpu *v, bool on);
bool svm_inject_interrupt(struct vcpu *v, uint8_t vector);

#endif
