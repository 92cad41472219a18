/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AMD-V: the vendor's side of asm/hvm.h. One control block a vCPU, from its domain's pool; it holds the guest's state from the first
 * exit on, so that accessors are plain fields and the clean bits tell the processor what was touched. Nothing is intercepted that
 * need not be: no CR3, no INVLPG, no page fault (nested paging), no TPR.
 */
#include "svm.h"

#include <asm/insn.h>
#include <asm/msr.h>
#include <asm/speculation.h>
#include <asm/trap.h>
#include <arch/memory.h>
#include <hv/assert.h>
#include <hv/domain.h>
#include <hv/log.h>
#include <hv/string.h>

/* MSR permission map: 2 bits an MSR, three ranges of 8192 (APM vol. 2, 15.11); 8 KiB. Port map: 12 KiB and 3 bits. */
#define MSRPM_ORDER 1

struct svm svm;

/* ---- the machine ---------------------------------------------------------------------------------- */

static bool need(bool have, const char *what)
{
	if (!have)
		log_error("this machine has no %s, which Krypton needs", what);
	return have;
}

/* enter.S */
extern uint8_t svm_host_block[], svm_forget[];
uint32_t svm_exit_spec_ctrl; /* [c] */

_Static_assert(offsetof(struct cpu, arch.host_vmcb) > 127,
	       "the instruction there has room for a jump");

/* Let exits go through svm_forget(). The boot CPU, alone; code is read-only but to those who may ignore that. */
static BOOT_TEXT void forget_at_exits(void)
{
	int32_t distance = (int32_t)((uintptr_t)svm_forget - (uintptr_t)svm_host_block - 5);
	uint64_t cr0 = read_cr0();

	svm_exit_spec_ctrl = x86_speculation.at_exit;
	write_cr0(cr0 & ~(uint64_t)CR0_WP);
	svm_host_block[0] = 0xe9; /* JMP */
	memcpy(svm_host_block + 1, &distance, sizeof(distance));
	write_cr0(cr0);
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
	if (x86_speculation.fill_returns)
		forget_at_exits();
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
			      ICPT4_XSETBV | ICPT4_RDPRU);
	/* It empties the caches of everybody, for as long as that takes. Who has no devices has nothing that would not see them. */
	if (!v->domain->arch.physdev)
		b->icpt4 |= (uint32_t)ICPT4_WBINVD;
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
	.drop_pending = svm_drop_pending,
	.interruptible = svm_interruptible,
	.port_exit = svm_port_exit,
	.want_interrupt_window = svm_want_interrupt_window,
	.watch_priority = svm_watch_priority,
	.set_tsc_offset = svm_set_tsc_offset,
	.allow_msr = svm_allow_msr,
	.allow_port = svm_allow_port,
	.flush_guest_tlb = svm_flush_guest_tlb,
	.dump = svm_dump,
};
