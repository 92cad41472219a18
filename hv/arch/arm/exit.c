/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a guest's exceptions become C (arm64/entry.S calls in) and what happens before its next
 * instruction: softirqs and scheduling (hv_exit_path), then what other CPUs left for the vCPU to do.
 * Every cause ends in one of: done, an exception for the guest, the same instruction again.
 */
#include <arch/cpu.h>
#include <arch/vcpu.h>
#include <asm/gic.h>
#include <asm/sysreg.h>
#include <asm/vcpu.h>
#include <hv/domain.h>
#include <hv/err.h>
#include <hv/hypercall.h>
#include <hv/log.h>
#include <hv/sched.h>
#include <hv/softirq.h>

/* HVC #XEN_HYPERCALL_TAG, as the whole of ESR_EL2. */
#define ESR_HYPERCALL ((uint64_t)EC_HVC64 << ESR_EC_SHIFT | ESR_IL | XEN_HYPERCALL_TAG)

/* ---- on the way in and out ----------------------------------------------------------------------------- */

/* From here to the exit path nobody needs to kick this CPU. */
static inline void hv_entry(void)
{
	write_once(&this_cpu()->mode, CPU_HYPERVISOR);
}

/* Announce guest mode, then look whether there is a reason not to enter it: whoever has one does it the other way round. */
static inline bool may_enter(struct cpu *c, const struct vcpu *v)
{
	write_once(&c->mode, CPU_GUEST);
	dmb(ish);
	return likely(!(read_once(&c->softirqs) | read_once(&v->arch.work)));
}

static void vcpu_work(struct vcpu *v)
{
	uint32_t work = read_once(&v->arch.work);

	if (work & WORK_RESET) {
		atomic_and(&v->arch.work, ~WORK_RESET);
		arch_vcpu_switch(v, NULL);
		vcpu_reset(v, v->arch.start.entry, v->arch.start.context);
		arch_vcpu_switch(NULL, v);
	}
	if (work & WORK_PTIMER)
		ptimer_evaluate(v);
	if (read_once(&v->arch.work) & WORK_VIRQ)
		vgic_flush(v);
}

struct vcpu *hv_exit_path(void)
{
	struct cpu *c = this_cpu();

	write_once(&c->mode, CPU_HYPERVISOR);
	for (;;) {
		if (softirq_pending()) {
			softirq_run();
		} else if (c->idle) {
			write_once(&c->mode, CPU_IDLE);
			arch_cpu_idle();
			write_once(&c->mode, CPU_HYPERVISOR);
			dmb(ish); /* RCU does not wait for idle CPUs (hv/softirq.h) */
		} else {
			struct vcpu *v = c->current;

			if (read_once(&v->arch.work))
				vcpu_work(v);
			if (may_enter(c, v))
				return v;
			write_once(&c->mode, CPU_HYPERVISOR);
		}
	}
}

/* `v` caused the exit and goes on, unless something else came up. */
static inline struct vcpu *leave(struct vcpu *v)
{
	return may_enter(this_cpu(), v) ? v : hv_exit_path();
}

/* ---- causes ------------------------------------------------------------------------------------------- */

/* WFI, WFE (D17.2.37): bits 1..0 say which. With a time-out (2, 3) they may end at once. */
static void wait_instruction(struct vcpu *v, uint64_t esr)
{
	skip_instruction(&v->arch.regs, esr);
	if ((esr & 3) == 0)
		vcpu_block(v);
	else
		sched_yield(v);
}

static void other_cause(struct vcpu *v, uint64_t esr)
{
	switch (ESR_EC(esr)) {
	case EC_DABT_LOW: data_abort(v, esr); return;
	case EC_WFX: wait_instruction(v, esr); return;
	case EC_SYSREG: sysreg_exit(v, esr); return;
	case EC_IABT_LOW: instruction_abort(v, esr); return;
	case EC_HVC64:
		if ((esr & 0xffff) == 0) {
			smccc_call(v);
			return;
		}
		v->arch.regs.pc -= 4; /* undefined where it stands */
		break;
	case EC_SMC64:
		if ((esr & 0xffff) == 0) {
			skip_instruction(&v->arch.regs, esr);
			smccc_call(v);
			return;
		}
		break;
	default: /* features that the guest was not told of */ break;
	}
	inject_undefined(v);
}

struct vcpu *exit_sync(struct vcpu *v)
{
	uint64_t esr = sysreg_read(esr_el2);

	hv_entry();
	if (likely(esr == ESR_HYPERCALL)) {
		struct guest_regs *r = &v->arch.regs;
		int64_t answer = hypercall(v, r->x[16], r->x);

		if (likely(answer != -ERR_RESTART))
			r->x[0] = (uint64_t)answer;
		else
			r->pc -= 4; /* the same call again, with the arguments that it left */
	} else {
		other_cause(v, esr);
	}
	return leave(v);
}

struct vcpu *exit_irq(struct vcpu *v)
{
	hv_entry();
	irq_interrupt();
	return leave(v);
}

struct vcpu *exit_serror(struct vcpu *v)
{
	uint64_t esr = sysreg_read(esr_el2);

	hv_entry();
	/*
	 * It came while this guest ran, and whatever it did before an earlier vCPU was switched out was
	 * waited for there: it is this guest's. The guest gets it as a virtual SError and decides.
	 */
	log_guest("d%uv%u: SError, syndrome %llx, given to the guest", v->domain->id, v->id,
		  (unsigned long long)esr);
	inject_serror(v);
	return leave(v);
}
