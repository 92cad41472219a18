/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seam between what x86 guests are and how a vendor runs them. svm/ and (later) vmx/ are each one struct hvm_ops, chosen at boot; nothing
 * outside those folders knows a VMCB or a VMCS. Accessors act on the vCPU that is loaded on this CPU or on
 * one that is off all CPUs. Exits reach shared code (hvm/) through the functions at the end of this file, as
 * typed questions.
 */
#ifndef ASM_HVM_H
#define ASM_HVM_H

#include <asm/regs.h>
#include <hv/addr.h>
#include <hv/compiler.h>

struct cpu;
struct vcpu;
struct domain;
struct p2m_view;

struct segment {
	uint16_t selector;
	uint16_t attr; /* VMCB form: type 3..0, S 4, DPL 6..5, P 7, AVL 8, L 9, D/B 10, G 11 */
	uint32_t limit;
	uint64_t base;
};

enum segment_name { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_TR, SEG_LDTR, NR_SEGMENTS };

/* All of a vCPU that is not in struct guest_regs, as the guest sees it. */
struct hvm_state {
	uint64_t cr0, cr2, cr3, cr4, efer, dr6, dr7, pat;
	uint64_t rip, rsp, rflags, rax;
	struct segment seg[NR_SEGMENTS];
	struct {
		uint64_t base;
		uint32_t limit;
	} gdtr, idtr;
	uint64_t star, lstar, cstar, sfmask, kernel_gs_base;
	uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
	uint64_t spec_ctrl;        /* 0 where guests do not have the register */
	uint32_t interrupt_shadow; /* 1: after STI or MOV SS */
};

/* What the guest's own translation depends on. */
struct hvm_paging {
	uint64_t cr0, cr3, cr4, efer;
};

/* What executing one instruction for it takes, besides struct guest_regs. */
struct hvm_execution {
	uint64_t rip, rsp, rflags;
	uint64_t base[6]; /* of ES, CS, SS, DS, FS, GS */
	uint8_t bits;     /* of its code: 16, 32, 64 */
	uint8_t cpl;
	const uint8_t *
	    bytes; /* the instruction, 15 bytes as the processor fetched them for this exit; NULL: it did not say */
};

/* An event to inject at the next entry (APM vol. 2, 15.20). */
enum hvm_event_type { EVENT_INTERRUPT = 0, EVENT_NMI = 2, EVENT_EXCEPTION = 3, EVENT_SOFTWARE = 4 };
struct hvm_event {
	uint8_t vector, type;
	bool has_error;
	uint32_t error;
	uint64_t cr2; /* #PF */
};

/*
 * Does the guest raise this event itself, and again when its delivery was cut short? INT n; and INT3 and INTO, which the processor calls exceptions (APM vol. 2,
 * 15.7.2): its rip is still that of the instruction. Injected, it would return there.
 */
static inline bool hvm_event_repeats(uint8_t type, uint8_t vector)
{
	return type == EVENT_SOFTWARE || (type == EVENT_EXCEPTION && (vector == 3 || vector == 4));
}

struct hvm_ops {
	const char *name; /* "AMD SVM" */
	/* Every need that the CPU lacks is named in the log. Boot CPU. */
	MUST_USE bool (*supported)(void);
	/* Switch it on for the calling CPU. */
	MUST_USE bool (*cpu_up)(struct cpu *c);

	MUST_USE int (*domain_init)(struct domain *d); /* permission bitmaps, from the pool */
	void (*domain_free)(struct domain *d);
	MUST_USE int (*vcpu_init)(struct vcpu *v);
	void (*vcpu_free)(struct vcpu *v);
	/* Leave or take the CPU (arch_vcpu_switch). */
	void (*unload)(struct vcpu *v);
	void (*load)(struct vcpu *v);
	/*
	 * Deliver what is pending for `v`, which is loaded, enter it, handle its exit, and so on until a softirq is pending on this CPU. Host
	 * interrupts are let in where they ended a stay in the guest.
	 */
	void (*run)(struct vcpu *v);

	void (*get_state)(struct vcpu *v, struct hvm_state *s);
	void (*set_state)(struct vcpu *v, const struct hvm_state *s);
	uint64_t (*get_rip)(struct vcpu *v);
	void (*set_rip)(struct vcpu *v, uint64_t rip); /* also ends an interrupt shadow */
	void (*get_paging)(struct vcpu *v, struct hvm_paging *p);
	void (*get_execution)(struct vcpu *v, struct hvm_execution *x);
	/* An instruction was executed: its rip, rsp and rflags; ends an interrupt shadow. */
	void (*set_execution)(struct vcpu *v, uint64_t rip, uint64_t rsp, uint64_t rflags);
	uint64_t (*get_cr)(struct vcpu *v, unsigned n);
	void (*set_cr)(struct vcpu *v, unsigned n, uint64_t value); /* checked already */
	uint64_t (*get_efer)(struct vcpu *v);
	void (*set_efer)(struct vcpu *v, uint64_t value);

	/* Deliver at the next entry; at most one is pending (event_pending). */
	void (*inject)(struct vcpu *v, const struct hvm_event *e);
	bool (*event_pending)(struct vcpu *v);
	/* That one. False: none is. Its cr2 is the vCPU's. */
	bool (*get_pending)(struct vcpu *v, struct hvm_event *e);
	void (*drop_pending)(struct vcpu *v); /* if one is */
	/* The same of an NMI, while they are open: further ones are masked until its handler's IRET. */
	void (*inject_nmi)(struct vcpu *v);
	bool (*nmi_open)(struct vcpu *v);
	/* Deliver this vector at the next entry. False: not now; there is an exit as soon as it could be. */
	bool (*inject_interrupt)(struct vcpu *v, uint8_t vector);
	/* Would an external interrupt be taken now? */
	bool (*interruptible)(struct vcpu *v);
	/* Was its last exit for a port? */
	bool (*port_exit)(struct vcpu *v);
	/* Exit as soon as it would. */
	void (*want_interrupt_window)(struct vcpu *v, bool on);
	/* Exit when the guest writes CR8. Once: the exit ends it. */
	void (*watch_priority)(struct vcpu *v, bool on);

	void (*set_tsc_offset)(struct vcpu *v, uint64_t offset);
	/* Let the guest read and write an MSR or a port by itself. */
	void (*allow_msr)(struct domain *d, uint32_t msr, bool read, bool write);
	void (*allow_port)(struct domain *d, uint16_t port, unsigned n);
	/* The guest's own translations (first stage) are stale: INVLPG-like events that we made. */
	void (*flush_guest_tlb)(struct vcpu *v);
	/* A line for arch_vcpu_dump(). */
	void (*dump)(struct vcpu *v);
};

extern const struct hvm_ops *hvm; /* [c] after hvm_boot_init() */
extern const struct hvm_ops svm_ops;

/* Choose and check; panics with the list of what the machine lacks. Boot CPU. */
void hvm_boot_init(void);

/* ---- what a vendor's exit handler asks of shared code (hvm/) ---------------------------------------- */

/* CPUID: fills rax, rbx, rcx, rdx by the domain's policy. */
void hvm_cpuid(struct vcpu *v, struct guest_regs *r);
/* RDMSR, WRMSR with the number in rcx. False: inject #GP. */
MUST_USE bool hvm_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *value);
MUST_USE bool hvm_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value);
/* IN, OUT (not string): value in and out. False: a vCPU state took over (IO_WAIT). */
MUST_USE bool hvm_port(struct vcpu *v, uint16_t port, unsigned size, bool write, uint32_t *value);
/* INS, OUTS, and moves to control registers that the processor did not decode: emulate one step. */
void hvm_emulate(struct vcpu *v);
/*
 * The same for an instruction that met memory which is not RAM. `pa`: where its access led, when the exit says so and not where a walk of the
 * guest's tables was; `write`: what kind it was.
 */
void hvm_emulate_access(struct vcpu *v, gpa_t pa, bool write);
/* Nested page fault: backs, restarts, emulates or crashes. `code` as in APM vol. 2, 15.25.6. */
void hvm_nested_fault(struct vcpu *v, gpa_t pa, uint64_t code);
/* INIT, or STARTUP at `page`, was sent to `v` (any CPU; APM vol. 2, 16.5). */
void hvm_init(struct vcpu *v);
void hvm_startup(struct vcpu *v, uint8_t page);
/* Somebody has given `v` a state to start from: it waits for nothing. Off its CPU. */
void hvm_started(struct vcpu *v);
/* Carries out what arch.start says: on the vCPU's own CPU before it runs, or while it is kept off its CPU. */
void hvm_take_start(struct vcpu *v);
/* HLT. */
void hvm_halt(struct vcpu *v);
/* MOV to a control register, XSETBV: checked as the architecture says. False: inject #GP. */
MUST_USE bool hvm_write_cr(struct vcpu *v, unsigned n, uint64_t value);
MUST_USE bool hvm_xsetbv(struct vcpu *v, uint32_t index, uint64_t value);
/* Values that such a write would accept (their relations to others apart). */
bool hvm_cr0_valid(uint64_t value);
bool hvm_cr4_valid(const struct vcpu *v, uint64_t value);
bool hvm_xcr0_valid(const struct domain *d, uint64_t value);
bool hvm_pat_valid(uint64_t value);
/* Shutdown (triple fault), or an exit that cannot be: the domain ends. */
void hvm_triple_fault(struct vcpu *v);
/* Before an entry, while arch.work is set: pending interrupts and upcalls into the injection queue. Own CPU. */
void hvm_deliver(struct vcpu *v);
/* Bits of arch.work. */
enum hvm_work_bits {
	WORK_UPCALL = 1, /* the event upcall was raised */
	WORK_OTHER = 2,  /* anything that hvm_deliver() looks at */
};
/*
 * Something that hvm_deliver() looks at has just been stored. Who is not the vCPU itself kicks it afterwards, or knows that it does
 * not run. Any CPU.
 */
void hvm_work(struct vcpu *v);
/* An NMI for `v`; wakes or kicks it. Any CPU. */
void hvm_nmi(struct vcpu *v);
/* Queue an exception; two that meet become #DF or the end, by the table of APM vol. 2, 8.2.9. */
void hvm_exception(struct vcpu *v, uint8_t vector, int64_t error /* -1: none */, uint64_t cr2);
/*
 * The vCPU has another state, and `e` (NULL: nothing) to be told in it. What was on its way in the state before is forgotten: an entry that a softirq kept
 * from happening leaves it behind. Its registers are in memory, or it is about to run.
 */
void hvm_event_replace(struct vcpu *v, const struct hvm_event *e);

/* Make the page at `g` of `d` one of hypercalls (hvm/msr.c). R_GFN_NOT_RAM. */
MUST_USE int hvm_fill_hypercall_page(struct domain *d, gfn_t g);

#endif
