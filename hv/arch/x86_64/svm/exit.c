/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entering a guest and what its exits mean: the loop from one to the next, tags for its translations, and the simple exits. What
 * is not AMD's alone is asked of shared code (asm/hvm.h, the second half).
 */
#include "svm.h"

#include <asm/hypercall.h>
#include <asm/insn.h>
#include <asm/msr.h>
#include <asm/trap.h>
#include <hv/assert.h>
#include <hv/domain.h>
#include <hv/softirq.h>

#define DR6_BS BIT(14) /* single step */

/* A tag that no stale translation bears: a new one; when this CPU's tags were all used, everything is flushed. */
static NOINLINE void new_asid(struct vcpu *v, struct cpu *c, uint64_t view)
{
	struct vmcb *b = vmcb_of(v);

	if (c->arch.next_asid == svm.max_asid) {
		c->arch.next_asid = 1;
		c->arch.asid_generation++;
		b->tlb_control = TLB_FLUSH_ALL;
	}
	v->arch.asid = c->arch.next_asid++;
	v->arch.asid_cpu = c->id;
	v->arch.asid_generation = c->arch.asid_generation;
	v->arch.view_generation = view;
	b->asid = v->arch.asid;
	touched(v, CLEAN_ASID);
}

/* Length of an intercepted instruction without operands: by next RIP, else by what it must be. */
static void step_over(struct vcpu *v, unsigned length)
{
	struct vmcb *b = vmcb_of(v);

	/* A CPU without next RIP leaves the field as it was made: 0. */
	b->rip = b->next_rip ? b->next_rip : b->rip + length;
	b->shadow &= ~1ull;
}

static void general_protection(struct vcpu *v)
{
	hvm_exception(v, VEC_GP, 0, 0);
}

static void exit_msr(struct vcpu *v, struct vmcb *b)
{
	struct guest_regs *r = &v->arch.regs;
	uint64_t value;

	if (b->exitinfo1) {
		value = (uint32_t)r->rax | r->rdx << 32;
		if (!hvm_wrmsr(v, (uint32_t)r->rcx, value)) {
			general_protection(v);
			return;
		}
	} else {
		if (!hvm_rdmsr(v, (uint32_t)r->rcx, &value)) {
			general_protection(v);
			return;
		}
		r->rax = (uint32_t)value;
		r->rdx = value >> 32;
	}
	step_over(v, 2);
}

/* exitinfo1 (15.10.2): bit 0 IN, 2 string, 3 REP, 4..6 size, 16..31 port; exitinfo2 the next rip. */
static void exit_port(struct vcpu *v, struct vmcb *b)
{
	uint64_t info = b->exitinfo1;
	unsigned size = (unsigned)(info >> 4) & 7;
	struct guest_regs *r = &v->arch.regs;
	uint32_t mask = size == 4 ? ~0u : (1u << size * 8) - 1;
	uint32_t value = (uint32_t)r->rax & mask;
	bool in = info & 1;

	if (info & BIT(2)) {
		hvm_emulate(v);
		return;
	}
	if (!hvm_port(v, (uint16_t)(info >> 16), size, !in, &value))
		return;
	if (in) /* a 32-bit result clears the upper half */
		r->rax = size == 4 ? value : (r->rax & ~(uint64_t)mask) | (value & mask);
	b->rip = b->exitinfo2;
	b->shadow &= ~1ull;
}

/* MOV to CR0 or CR4, LMSW, CLTS: without decode assists the instruction must be read. */
static void exit_write_cr(struct vcpu *v, struct vmcb *b, unsigned n)
{
	static const unsigned gpr_offset[16] = {
		offsetof(struct guest_regs, rax),
		offsetof(struct guest_regs, rcx),
		offsetof(struct guest_regs, rdx),
		offsetof(struct guest_regs, rbx),
		0,
		offsetof(struct guest_regs, rbp),
		offsetof(struct guest_regs, rsi),
		offsetof(struct guest_regs, rdi),
		offsetof(struct guest_regs, r8),
		offsetof(struct guest_regs, r9),
		offsetof(struct guest_regs, r10),
		offsetof(struct guest_regs, r11),
		offsetof(struct guest_regs, r12),
		offsetof(struct guest_regs, r13),
		offsetof(struct guest_regs, r14),
		offsetof(struct guest_regs, r15),
	};
	unsigned gpr = (unsigned)b->exitinfo1 & 15;
	uint64_t value;

	/* Bit 63: it was MOV, and the register is known (15.8.1). */
	if (!svm.decode_assists || !svm.next_rip || !(b->exitinfo1 & BIT(63))) {
		hvm_emulate(v);
		return;
	}
	value = gpr == 4 ? b->rsp : *(uint64_t *)((char *)&v->arch.regs + gpr_offset[gpr]);
	if (!wide_code(b)) /* the upper half is whatever 64-bit code left there */
		value = (uint32_t)value;
	if (!hvm_write_cr(v, n, value)) {
		general_protection(v);
		return;
	}
	step_over(v, 3);
}

static void exit_interrupt(void)
{
	/* The one window on the way: what is pending arrives at the NOP. */
	interrupt_window("nop");
}

/* #DB: the step of nmi_open(), or the guest's own. */
static void exit_debug(struct vcpu *v, struct vmcb *b)
{
	if (!v->arch.nmi_step) {
		hvm_exception(v, 1, -1, 0);
		return;
	}
	v->arch.nmi_step = false;
	b->dr6 &= ~(uint64_t)DR6_BS;
	touched(v, CLEAN_DR);
}

static ALWAYS_INLINE void exit_vmmcall(struct vcpu *v, struct vmcb *b)
{
	if (hvm_hypercall(v, &v->arch.regs, b->cpl, wide_code(b)))
		step_over(v, 3);
}

static void handle_exit(struct vcpu *v, struct vmcb *b)
{
	switch (b->exitcode) {
	case EXIT_NPF: hvm_nested_fault(v, gpa(b->exitinfo2), b->exitinfo1); break;
	case EXIT_MSR: exit_msr(v, b); break;
	case EXIT_CPUID:
		hvm_cpuid(v, &v->arch.regs);
		step_over(v, 2);
		break;
	case EXIT_HLT:
		step_over(v, 1);
		hvm_halt(v);
		break;
	case EXIT_IOIO: exit_port(v, b); break;
	case 0x010:
	case 0x014: exit_write_cr(v, b, (unsigned)b->exitcode & 15); break;
	case 0x018:
		svm_watch_priority(v, false);
		exit_write_cr(v, b, 8);
		break;
	case EXIT_VINTR: /* the window is open: hvm_deliver() will use it */
		b->interrupt &= ~(INT_V_IRQ | INT_V_IGN_TPR);
		b->icpt3 &= (uint32_t)~ICPT3_VINTR;
		touched(v, CLEAN_INTERCEPTS | CLEAN_TPR);
		break;
	case EXIT_NMI: /* pending at the host: taken as soon as GIF was set */
	case EXIT_INIT: break;
	case EXIT_EXCEPTION + VEC_MC: /* taken by the exit: the host's own vector is not entered */
		mcheck_report();
		panic("machine check while d%uv%u ran", v->domain->id, v->id);
	case EXIT_EXCEPTION + 1: exit_debug(v, b); break;
	case EXIT_EXCEPTION + 17: hvm_exception(v, 17, 0, 0); break;
	case EXIT_INVD: /* caches are coherent and shared: losing them is not a guest's right */
	case EXIT_WBINVD: step_over(v, 2); break;
	case EXIT_IRET: /* not executed yet: nmi_open() sees when it was */
		b->icpt3 &= (uint32_t)~ICPT3_IRET;
		touched(v, CLEAN_INTERCEPTS);
		v->arch.nmi_iret = b->rip;
		v->arch.nmi_returning = true;
		break;
	case EXIT_XSETBV:
		if (hvm_xsetbv(v, (uint32_t)v->arch.regs.rcx,
			       (uint32_t)v->arch.regs.rax | v->arch.regs.rdx << 32))
			step_over(v, 3);
		else
			general_protection(v);
		break;
	case EXIT_RDPMC: general_protection(v); break;
	case EXIT_VMRUN:
	case EXIT_VMLOAD:
	case EXIT_VMSAVE:
	case EXIT_STGI:
	case EXIT_CLGI:
	case EXIT_SKINIT:
	case EXIT_INVLPGA:
	case EXIT_MONITOR:
	case EXIT_MWAIT:
	case EXIT_RDPRU:
		hvm_exception(v, 6, -1, 0); /* #UD: not shown in CPUID */
		break;
	case EXIT_TASK_SWITCH:
		domain_crash(v->domain, "hardware task switch at rip %llx: not for PVH guests",
			     (unsigned long long)b->rip);
		break;
	case EXIT_SHUTDOWN: hvm_triple_fault(v); break;
	case EXIT_INVALID:
		domain_crash(v->domain, "VMRUN refuses its state (cr0 %llx cr4 %llx efer %llx)",
			     (unsigned long long)b->cr0, (unsigned long long)b->cr4,
			     (unsigned long long)b->efer);
		break;
	default:
		domain_crash(v->domain, "unexpected exit %llx (%llx, %llx)",
			     (unsigned long long)b->exitcode, (unsigned long long)b->exitinfo1,
			     (unsigned long long)b->exitinfo2);
		break;
	}
}

/* enter.S; all that the compiler keeps in registers is lost. */
#define enter(v, c)                                                                            \
	__asm__ volatile("call svm_enter"                                                      \
			 : "+D"(v), "+S"(c)                                                    \
			 :                                                                     \
			 : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", \
			   "r14", "r15", "cc", "memory")

/*
 * The number of the stay and the mode are stored before softirqs and the view's generation are looked at; whoever raises the one or the other
 * looks at mode and number afterwards, and waits for the end of a stay that may have begun with the generation before (arch_p2m_flush). A
 * kick between there and VMRUN stays pending and ends the stay at once.
 */
void svm_run(struct vcpu *v)
{
	struct cpu *c = this_cpu();
	struct vmcb *b;

	for (;;) {
		uint64_t view;

		if (unlikely(read_once(&v->arch.work)))
			hvm_deliver(v);
		write_once(&c->arch.entries, c->arch.entries + 1);
		write_once(&c->mode, (uint32_t)CPU_GUEST);
		atomic_fence();
		if (unlikely(read_once(&c->softirqs)))
			return;
		b = vmcb_of(v);
		view = load_acquire(&v->domain->p2m.view.generation);
		b->tlb_control = TLB_KEEP;
		if (unlikely(v->arch.view_generation != view))
			new_asid(v, c, view);
		b->rax = v->arch.regs.rax;
		enter(v, c);
		b = vmcb_of(v);
		write_once(&c->mode, (uint32_t)CPU_HYPERVISOR);
		v->arch.regs.rax = b->rax;
		b->clean = svm.clean;
		b->eventinj = 0;
		if (unlikely(b->exitintinfo & EVENTINJ_VALID))
			svm_event_cut_short(v);
		if (likely(b->exitcode == EXIT_VMMCALL))
			exit_vmmcall(v, b);
		else if (b->exitcode == EXIT_INTR)
			exit_interrupt();
		else
			handle_exit(v, b);
	}
}
