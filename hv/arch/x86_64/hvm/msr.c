/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Model-specific registers that a guest may touch and that are not simply its own (those are not intercepted). Everything else is
 * #GP, as on a CPU that does not have it. False means #GP.
 */
#include <asm/hvm.h>

#include <asm/fpu.h>
#include <asm/insn.h>
#include <asm/msr.h>
#include <asm/policy.h>
#include <hv/domain.h>
#include <hv/string.h>

#define MSR_HYPERCALL_PAGE 0x40000000u
#define MSR_MTRRCAP        0x000000feu
#define MSR_PLATFORM_ID    0x00000017u
#define MSR_PATCH_LEVEL    0x0000008bu
#define MSR_DEBUGCTL       0x000001d9u
#define MSR_NB_CFG         0xc001001fu
#define MSR_K8_TOP_MEM1    0xc001001au
#define MSR_K8_TOP_MEM2    0xc001001du

/*
 * The hypercall page: 32 bytes for each number: mov $n, %eax; vmmcall; ret (xen/arch-x86/xen-x86_64.h). Number 23, iret, is for PV.
 */
int hvm_fill_hypercall_page(struct domain *d, gfn_t g)
{
	static const uint8_t stub[] = { 0xb8, 0, 0, 0, 0, 0x0f, 0x01, 0xd9, 0xc3 };
	gpa_t page = gfn_to_gpa(g);
	uint8_t code[32];
	int err;

	for (unsigned n = 0; n < PAGE_SIZE / sizeof(code); n++) {
		memset(code, 0xcc, sizeof(code));
		memcpy(code, stub, sizeof(stub));
		code[1] = (uint8_t)n;
		if (n == __HYPERVISOR_iret)
			memset(code, 0xcc, sizeof(stub));
		err = guest_phys_write(d, gpa_add(page, n * sizeof(code)), code, sizeof(code));
		if (err)
			return err;
	}
	return 0;
}

/* The low bits number the page: there is only page 0. */
static bool write_hypercall_page(struct vcpu *v, uint64_t value)
{
	return !(value & (PAGE_SIZE - 1)) &&
	       !hvm_fill_hypercall_page(v->domain, gpa_to_gfn(gpa(value)));
}

/* APM vol. 2, 3.1.7. */
static bool write_efer(struct vcpu *v, uint64_t value)
{
	uint64_t old = hvm->get_efer(v),
		 can = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE | EFER_FFXSR;

	if (value & ~can)
		return false;
	if (((value ^ old) & EFER_LME) && (hvm->get_cr(v, 0) & CR0_PG))
		return false;
	value = (value & ~(uint64_t)EFER_LMA) | (old & EFER_LMA);
	hvm->set_efer(v, value);
	if ((value ^ old) & EFER_NXE)
		hvm->flush_guest_tlb(v);
	return true;
}

bool hvm_pat_valid(uint64_t value)
{
	for (unsigned i = 0; i < 8; i++) {
		uint8_t type = value >> (8 * i) & 0xff;

		if (type > 7 || type == 2 || type == 3)
			return false;
	}
	return true;
}

static bool write_pat(struct vcpu *v, uint64_t value)
{
	struct hvm_state s;

	if (!hvm_pat_valid(value))
		return false;
	hvm->get_state(v, &s);
	s.pat = value;
	hvm->set_state(v, &s);
	return true;
}

/* It comes with RDTSCP and with RDPID. */
static bool has_tsc_aux(const struct vcpu *v)
{
	return (policy_leaf(v->domain, 0x80000001, 0)->edx & BIT(27)) ||
	       (policy_leaf(v->domain, 7, 0)->ecx & BIT(22));
}

static bool x2apic_msr(uint32_t msr)
{
	return msr >= MSR_X2APIC && msr < MSR_X2APIC + 0x100;
}

static bool x2apic_on(const struct vcpu *v)
{
	return v->arch.lapic.base & APIC_BASE_X2APIC;
}

bool hvm_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *value)
{
	struct hvm_state s;

	if (x2apic_msr(msr))
		return x2apic_on(v) && vlapic_read(v, (msr - MSR_X2APIC) << 4, value);
	*value = 0;
	switch (msr) {
	case MSR_APIC_BASE: *value = v->arch.lapic.base; return true;
	case MSR_EFER: *value = hvm->get_efer(v); return true;
	case MSR_PAT:
		hvm->get_state(v, &s);
		*value = s.pat;
		return true;
	case MSR_TSC_AUX: *value = v->arch.tsc_aux; return has_tsc_aux(v);
	case MSR_TSC_DEADLINE: *value = v->arch.lapic.tsc_deadline; return true;
	/* Constant or empty: a kernel looks, and may write back what it saw. */
	case MSR_MTRRCAP:
	case MSR_PLATFORM_ID:
	case MSR_PATCH_LEVEL:
	case MSR_MCG_CAP:
	case MSR_MCG_STATUS:
	case MSR_DEBUGCTL:
	case MSR_SYSCFG:
	case MSR_NB_CFG:
	case MSR_K8_TOP_MEM1:
	case MSR_K8_TOP_MEM2:
	case MSR_VM_CR:
	case MSR_DE_CFG:
	case MSR_MISC_ENABLE: return true;
	case MSR_HWCR: /* TscFreqSel: the TSC runs at the P0 frequency */
		*value = 1u << 24;
		return true;
	case MSR_MTRR_DEF_TYPE: /* enabled, write-back */ *value = 0xc06; return true;
	default: return false;
	}
}

bool hvm_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value)
{
	if (x2apic_msr(msr))
		return x2apic_on(v) && vlapic_write(v, (msr - MSR_X2APIC) << 4, value);
	switch (msr) {
	case MSR_HYPERCALL_PAGE: return write_hypercall_page(v, value);
	case MSR_APIC_BASE: return vlapic_set_base(v, value);
	case MSR_EFER: return write_efer(v, value);
	case MSR_PAT: return write_pat(v, value);
	case MSR_TSC_DEADLINE: vlapic_set_tsc_deadline(v, value); return true;
	case MSR_TSC: hvm->set_tsc_offset(v, value - rdtsc()); return true;
	case MSR_TSC_AUX:
		if (value >> 32 || !has_tsc_aux(v))
			return false;
		v->arch.tsc_aux = value;
		wrmsr(MSR_TSC_AUX, value);
		return true;
	/* Taken without effect, where real CPUs would take it. */
	case MSR_PATCH_LEVEL:
	case MSR_MCG_STATUS:
	case MSR_DEBUGCTL:
	case MSR_HWCR:
	case MSR_NB_CFG:
	case MSR_DE_CFG:
	case MSR_MTRR_DEF_TYPE:
	case MSR_MISC_ENABLE: return true;
	default: return false;
	}
}
