/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AMD-V: the vendor's side of asm/hvm.h. One control block a vCPU, from its domain's pool; it holds the guest's state from the first
 * exit on, so that accessors are plain fields and the clean bits tell the processor what was touched. Nothing is intercepted that
 * need not be: no CR3, no INVLPG, no page fault (nested paging), no TPR.
 */
#include <asm/hvm.h>

#include <asm/hypercall.h>
#include <asm/insn.h>
#include <asm/msr.h>
#include <asm/trap.h>
#include <arch/memory.h>
#include <hv/assert.h>
#include <hv/domain.h>
#include <hv/log.h>
#include <hv/softirq.h>
#include <hv/string.h>
#include "vmcb.h"

/* MSR permission map: 2 bits an MSR, three ranges of 8192 (APM vol. 2, 15.11); 8 KiB. Port map: 12 KiB and 3 bits. */
#define MSRPM_ORDER   1
#define IOPM_PAGES    3

#define RFLAGS_TF     BIT(8)
#define DR6_BS        BIT(14) /* single step */

/* Of view generations, which count up from 0: the vCPU's tag is not to be used. */
#define NO_GENERATION (~(uint64_t)0)

static struct {
	uint64_t clean; /* what an exit leaves clean: CLEAN_ALL, or 0 when the CPU has no clean bits */
	uint32_t max_asid;
	bool next_rip, decode_assists, tsc_aux;
} svm;

static struct vmcb *vmcb_of(const struct vcpu *v)
{
	return v->arch.vmcb_va;
}

static void touched(struct vcpu *v, uint64_t clean)
{
	vmcb_of(v)->clean &= ~clean;
}

/* ---- the machine ---------------------------------------------------------------------------------- */

static bool need(bool have, const char *what)
{
	if (!have)
		log_error("this machine has no %s, which Krypton needs", what);
	return have;
}

static bool svm_supported(void)
{
	struct cpuid max = cpuid(0x80000000, 0), f;
	bool ok = need(cpuid(1, 0).edx & BIT(9), "local APIC");

	if (!need(cpuid(0x80000001, 0).ecx & BIT(2), "AMD-V (SVM)"))
		return false;
	ok &= need(!(rdmsr(MSR_VM_CR) & VM_CR_SVMDIS), "SVM enabled by its firmware");
	f = max.eax >= 0x8000000a ? cpuid(0x8000000a, 0) : (struct cpuid){ 0 };
	ok &= need(f.edx & BIT(0), "nested paging (NPT)");
	svm.next_rip = f.edx & BIT(3);
	svm.clean = f.edx & BIT(5) ? CLEAN_ALL : 0;
	svm.decode_assists = f.edx & BIT(7);
	svm.max_asid = f.ebx;
	svm.tsc_aux = (cpuid(0x80000001, 0).edx & BIT(27)) || (cpuid(7, 0).ecx & BIT(22));
	ok &= need(svm.max_asid >= 2, "address space identifiers");
	log_info("SVM: %u ASIDs%s%s%s%s", svm.max_asid, svm.next_rip ? ", next RIP" : "",
		 svm.decode_assists ? ", decode assists" : "",
		 f.edx & BIT(6) ? ", flush by ASID" : "", svm.clean ? ", clean bits" : "");
	return ok;
}

static bool svm_cpu_up(struct cpu *c)
{
	mfn_t hsave = frame_alloc(0, c->node, 0), host = frame_alloc(0, c->node, 0);

	if (!mfn_valid(hsave) || !mfn_valid(host)) {
		log_error("CPU %u: no memory for its SVM areas", c->id);
		return false;
	}
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME);
	wrmsr(MSR_VM_HSAVE_PA, mfn_to_paddr(hsave).a);
	c->arch.host_vmcb = mfn_to_paddr(host).a;
	/* What entry code loads again after each exit: our FS, GS, TR, system-call MSRs. */
	__asm__ volatile("vmsave" : : "a"(c->arch.host_vmcb) : "memory");
	c->arch.next_asid = 1;
	c->arch.asid_generation = 1;
	return true;
}

/* ---- domains -------------------------------------------------------------------------------------- */

/* Several consecutive cleared frames of the pool do not exist: a small block comes from the heap, charged by its claim. */
static int bitmap_alloc(struct domain *d, unsigned order, void **va, uint64_t *pa)
{
	mfn_t m = frame_alloc(order, d->pool.node, 0);

	if (!mfn_valid(m))
		return refuse(R_NO_MEMORY, d->id, 0, 1u << order);
	*va = frame_va(m);
	*pa = mfn_to_paddr(m).a;
	memset(*va, 0xff, (size_t)PAGE_SIZE << order);
	return 0;
}

static void svm_domain_free(struct domain *d)
{
	if (d->arch.msr_permission)
		frame_free(frame_from_va(d->arch.msr_permission), MSRPM_ORDER);
	if (d->arch.port_permission)
		frame_free(frame_from_va(d->arch.port_permission), 2);
	d->arch.msr_permission = d->arch.port_permission = NULL;
}

static void svm_allow_msr(struct domain *d, uint32_t msr, bool read, bool write)
{
	uint8_t *map = d->arch.msr_permission;
	uint32_t bit;

	if (msr < 0x2000)
		bit = msr * 2;
	else if (msr >= 0xc0000000 && msr < 0xc0002000)
		bit = (msr - 0xc0000000 + 0x2000) * 2;
	else if (msr >= 0xc0010000 && msr < 0xc0012000)
		bit = (msr - 0xc0010000 + 0x4000) * 2;
	else
		return;
	if (read)
		map[bit / 8] &= (uint8_t) ~(1u << bit % 8);
	if (write)
		map[bit / 8] &= (uint8_t) ~(2u << bit % 8);
}

static void svm_allow_port(struct domain *d, uint16_t port, unsigned n)
{
	uint8_t *map = d->arch.port_permission;

	for (unsigned i = port, end = port + n; i < end;) {
		if (i % 8 == 0 && end - i >= 8) {
			map[i / 8] = 0;
			i += 8;
			continue;
		}
		map[i / 8] &= (uint8_t) ~(1u << i % 8);
		i++;
	}
}

static int svm_domain_init(struct domain *d)
{
	static const uint32_t own[] = {
		/* swapped with the vCPU, of no interest to us */
		MSR_SYSENTER_CS, MSR_SYSENTER_ESP,   MSR_SYSENTER_EIP, MSR_STAR,
		MSR_LSTAR,       MSR_CSTAR,          MSR_SFMASK,       MSR_FS_BASE,
		MSR_GS_BASE,     MSR_KERNEL_GS_BASE,
	};
	int err;

	err = bitmap_alloc(d, MSRPM_ORDER, &d->arch.msr_permission, &d->arch.msr_permission_pa);
	if (!err)
		err = bitmap_alloc(d, 2, &d->arch.port_permission, &d->arch.port_permission_pa);
	if (err) {
		svm_domain_free(d);
		return err;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(own); i++)
		svm_allow_msr(d, own[i], true, true);
	return 0;
}

/* ---- vCPUs ---------------------------------------------------------------------------------------- */

static int svm_vcpu_init(struct vcpu *v)
{
	mfn_t m = pool_alloc(&v->domain->pool);
	struct vmcb *b;

	if (!mfn_valid(m))
		return reason_err(R_POOL_EXHAUSTED);
	b = frame_va(m);
	v->arch.vmcb_va = b;
	v->arch.vmcb = mfn_to_paddr(m).a;
	v->arch.asid_cpu = ~0u;
	v->arch.view_generation = NO_GENERATION;

	/* CR0 and CR4 by writes (mode switches, feature policy); CR8 is V_TPR's. */
	b->icpt_cr = (uint32_t)(ICPT_CR_WRITE(0) | ICPT_CR_WRITE(4));
	b->icpt_exception = 1u << 1 | 1u << 17 |
			    1u << VEC_MC; /* #DB and #AC: a guest can make them endless */
	b->icpt3 = (uint32_t)(ICPT3_INTR | ICPT3_NMI | ICPT3_INIT | ICPT3_RDPMC | ICPT3_CPUID |
			      ICPT3_INVD | ICPT3_HLT | ICPT3_INVLPGA | ICPT3_IOIO | ICPT3_MSR |
			      ICPT3_TASK_SWITCH | ICPT3_SHUTDOWN);
	b->icpt4 = (uint32_t)(ICPT4_VMRUN | ICPT4_VMMCALL | ICPT4_VMLOAD | ICPT4_VMSAVE |
			      ICPT4_STGI | ICPT4_CLGI | ICPT4_SKINIT | ICPT4_MONITOR | ICPT4_MWAIT |
			      ICPT4_XSETBV);
	b->iopm = v->domain->arch.port_permission_pa;
	b->msrpm = v->domain->arch.msr_permission_pa;
	b->np_control = 1;
	b->n_cr3 = mfn_to_paddr(v->domain->p2m.view.root).a;
	b->interrupt = INT_V_MASKING;
	b->tsc_offset = v->arch.tsc_offset;
	return 0;
}

static void svm_vcpu_free(struct vcpu *v)
{
	if (v->arch.vmcb_va)
		pool_free(&v->domain->pool, frame_from_va(v->arch.vmcb_va));
}

/* What VMRUN does not switch and a guest changes without an exit: DR0 to DR3. DR7 is 0 while the host runs, so they do nothing. */
static void svm_unload(struct vcpu *v)
{
	uint64_t *dr = v->arch.dr;

	__asm__ volatile("mov %%dr0, %0\n\tmov %%dr1, %1\n\tmov %%dr2, %2\n\tmov %%dr3, %3"
			 : "=r"(dr[0]), "=r"(dr[1]), "=r"(dr[2]), "=r"(dr[3]));
}

static void svm_load(struct vcpu *v)
{
	const struct cpu *c = this_cpu();
	const uint64_t *dr = v->arch.dr;

	__asm__ volatile("mov %0, %%dr0\n\tmov %1, %%dr1\n\tmov %2, %%dr2\n\tmov %3, %%dr3"
			 :
			 : "r"(dr[0]), "r"(dr[1]), "r"(dr[2]), "r"(dr[3]));
	if (svm.tsc_aux)
		wrmsr(MSR_TSC_AUX, v->arch.tsc_aux);
	vmcb_of(v)->clean = 0; /* another block ran here since, perhaps */
	/* The tag is good where it was given, until this CPU's tags were all used: that happens while others are loaded. */
	if (v->arch.asid_cpu != c->id || v->arch.asid_generation != c->arch.asid_generation)
		v->arch.view_generation = NO_GENERATION;
}

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

/* ---- exits ---------------------------------------------------------------------------------------- */

/* Length of an intercepted instruction without operands: by next RIP, else by what it must be. */
static void step_over(struct vcpu *v, unsigned length)
{
	struct vmcb *b = vmcb_of(v);

	/* A CPU without next RIP leaves the field as it was made: 0. */
	b->rip = b->next_rip ? b->next_rip : b->rip + length;
	b->shadow &= ~1ull;
}

/* Its code is 64-bit code: CS.L counts in long mode only. */
static bool wide_code(const struct vmcb *b)
{
	return (b->cs.attr & BIT(9)) && (b->efer & EFER_LMA);
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
	if (!hvm_write_cr(v, n, value)) {
		general_protection(v);
		return;
	}
	step_over(v, 3);
}

static void host_interrupts(void)
{
	/* The one window on the way: what is pending arrives at the NOP. */
	__asm__ volatile("sti; nop; cli" ::: "memory");
}

/* An event whose delivery the exit cut short is delivered again, unless software can repeat it (15.7.2). */
static void requeue_event(struct vcpu *v, struct vmcb *b)
{
	uint64_t e = b->exitintinfo;

	if (!(e & EVENTINJ_VALID) || (e >> EVENTINJ_TYPE_SHIFT & 7) == EVENT_SOFTWARE)
		return;
	b->eventinj = e;
	hvm_work(v);
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
	case EXIT_INTR: host_interrupts(); break;
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
	case EXIT_VINTR: /* the window is open: hvm_deliver() will use it */
		b->interrupt &= ~(INT_V_IRQ | INT_V_IGN_TPR);
		b->icpt3 &= (uint32_t)~ICPT3_VINTR;
		touched(v, CLEAN_INTERCEPTS | CLEAN_TPR);
		break;
	case EXIT_NMI: /* pending at the host: taken as soon as GIF was set */
	case EXIT_INIT:
	case EXIT_EXCEPTION + VEC_MC: /* the host's own vector was or will be entered */ break;
	case EXIT_EXCEPTION + 1: exit_debug(v, b); break;
	case EXIT_EXCEPTION + 17: hvm_exception(v, 17, 0, 0); break;
	case EXIT_INVD: /* caches are coherent and shared: losing them is not a guest's right */
		step_over(v, 2);
		break;
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
static void svm_run(struct vcpu *v)
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
			requeue_event(v, b);
		if (likely(b->exitcode == EXIT_VMMCALL))
			exit_vmmcall(v, b);
		else
			handle_exit(v, b);
	}
}

/* ---- accessors ------------------------------------------------------------------------------------ */

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

static void svm_get_paging(struct vcpu *v, struct hvm_paging *p)
{
	const struct vmcb *b = vmcb_of(v);

	*p = (struct hvm_paging){ b->cr0, b->cr3, b->cr4, b->efer };
}

/* Bytes come with faults on data (15.8.4); fewer than all of them end at a page that the guest has not mapped. */
static const uint8_t *fetched(const struct vmcb *b)
{
	return b->exitcode == EXIT_NPF && b->nr_bytes == sizeof(b->bytes) ? b->bytes : NULL;
}

static void svm_get_execution(struct vcpu *v, struct hvm_execution *x)
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

static void svm_set_execution(struct vcpu *v, uint64_t rip, uint64_t rsp, uint64_t rflags)
{
	struct vmcb *b = vmcb_of(v);

	b->rip = rip;
	b->rsp = rsp;
	b->rflags = rflags;
	b->shadow &= ~1ull;
}

static void svm_get_state(struct vcpu *v, struct hvm_state *s)
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
		.interrupt_shadow = b->shadow & 1,
	};
	for (unsigned i = 0; i < NR_SEGMENTS; i++)
		segment_out(segment_of(b, (enum segment_name)i), &s->seg[i]);
}

static void svm_set_state(struct vcpu *v, const struct hvm_state *s)
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
	b->shadow = s->interrupt_shadow & 1;
	for (unsigned i = 0; i < NR_SEGMENTS; i++)
		segment_in(segment_of(b, (enum segment_name)i), &s->seg[i]);
	b->cpl = (b->ss.attr >> 5) & 3;
	b->clean = 0;
}

static uint64_t svm_get_rip(struct vcpu *v)
{
	return vmcb_of(v)->rip;
}

static void svm_set_rip(struct vcpu *v, uint64_t rip)
{
	vmcb_of(v)->rip = rip;
	vmcb_of(v)->shadow &= ~1ull;
}

static uint64_t svm_get_cr(struct vcpu *v, unsigned n)
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

static void svm_set_cr(struct vcpu *v, unsigned n, uint64_t value)
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

static uint64_t svm_get_efer(struct vcpu *v)
{
	return vmcb_of(v)->efer & ~(uint64_t)EFER_SVME;
}

static void svm_set_efer(struct vcpu *v, uint64_t value)
{
	vmcb_of(v)->efer = value | EFER_SVME;
	touched(v, CLEAN_CR);
}

static void svm_inject(struct vcpu *v, const struct hvm_event *e)
{
	struct vmcb *b = vmcb_of(v);

	b->eventinj = e->vector | (uint64_t)e->type << EVENTINJ_TYPE_SHIFT | EVENTINJ_VALID |
		      (e->has_error ? EVENTINJ_ERROR | (uint64_t)e->error << 32 : 0);
	if (e->type == EVENT_EXCEPTION && e->vector == VEC_PF) {
		b->cr2 = e->cr2;
		touched(v, CLEAN_CR2);
	}
}

static void svm_inject_nmi(struct vcpu *v)
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
static bool svm_nmi_open(struct vcpu *v)
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

static bool svm_event_pending(struct vcpu *v)
{
	return vmcb_of(v)->eventinj & EVENTINJ_VALID;
}

static bool svm_get_pending(struct vcpu *v, struct hvm_event *e)
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

static bool svm_interruptible(struct vcpu *v)
{
	const struct vmcb *b = vmcb_of(v);

	return (b->rflags & BIT(9)) && !(b->shadow & 1) && !svm_event_pending(v);
}

static bool svm_port_exit(struct vcpu *v)
{
	return vmcb_of(v)->exitcode == EXIT_IOIO;
}

static void svm_want_interrupt_window(struct vcpu *v, bool on)
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

static bool svm_inject_interrupt(struct vcpu *v, uint8_t vector)
{
	bool now = svm_interruptible(v);

	if (now)
		vmcb_of(v)->eventinj = vector | EVENT_INTERRUPT << EVENTINJ_TYPE_SHIFT |
				       EVENTINJ_VALID;
	svm_want_interrupt_window(v, !now);
	return now;
}

static void svm_set_tsc_offset(struct vcpu *v, uint64_t offset)
{
	v->arch.tsc_offset = offset;
	vmcb_of(v)->tsc_offset = offset;
	touched(v, CLEAN_INTERCEPTS);
}

static void svm_flush_guest_tlb(struct vcpu *v)
{
	v->arch.view_generation = NO_GENERATION; /* a fresh tag at the next entry */
}

static void svm_dump(struct vcpu *v)
{
	const struct vmcb *b = vmcb_of(v);

	log_error("exit %llx (%llx, %llx) intinfo %llx inject %llx interrupt %llx asid %u",
		  (unsigned long long)b->exitcode, (unsigned long long)b->exitinfo1,
		  (unsigned long long)b->exitinfo2, (unsigned long long)b->exitintinfo,
		  (unsigned long long)b->eventinj, (unsigned long long)b->interrupt, b->asid);
}

const struct hvm_ops svm_ops = {
	.name = "AMD SVM",
	.supported = svm_supported,
	.cpu_up = svm_cpu_up,
	.domain_init = svm_domain_init,
	.domain_free = svm_domain_free,
	.vcpu_init = svm_vcpu_init,
	.vcpu_free = svm_vcpu_free,
	.unload = svm_unload,
	.load = svm_load,
	.run = svm_run,
	.get_state = svm_get_state,
	.set_state = svm_set_state,
	.get_rip = svm_get_rip,
	.set_rip = svm_set_rip,
	.get_paging = svm_get_paging,
	.get_execution = svm_get_execution,
	.set_execution = svm_set_execution,
	.get_cr = svm_get_cr,
	.set_cr = svm_set_cr,
	.get_efer = svm_get_efer,
	.set_efer = svm_set_efer,
	.inject = svm_inject,
	.inject_nmi = svm_inject_nmi,
	.nmi_open = svm_nmi_open,
	.inject_interrupt = svm_inject_interrupt,
	.event_pending = svm_event_pending,
	.get_pending = svm_get_pending,
	.interruptible = svm_interruptible,
	.port_exit = svm_port_exit,
	.want_interrupt_window = svm_want_interrupt_window,
	.set_tsc_offset = svm_set_tsc_offset,
	.allow_msr = svm_allow_msr,
	.allow_port = svm_allow_port,
	.flush_guest_tlb = svm_flush_guest_tlb,
	.dump = svm_dump,
};
