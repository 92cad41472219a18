/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CPUID of a guest: its policy's leaves, with what depends on the vCPU and the moment filled in, and Xen's own leaves
 * (xen/arch-x86/cpuid.h), which tell a guest where it is.
 */
#include <asm/hvm.h>

#include <asm/fpu.h>
#include <asm/machine.h>
#include <asm/msr.h>
#include <asm/policy.h>
#include <hv/domain.h>
#include <hv/version.h>
#include <xen/arch-x86/cpuid.h>

#define MSR_HYPERCALL_PAGE 0x40000000u
#define OSXSAVE            (1u << 27)

static struct cpuid xen_leaf(struct vcpu *v, uint32_t leaf, uint32_t subleaf)
{
	switch (leaf - XEN_CPUID_FIRST_LEAF) {
	case 0:
		return (struct cpuid){ XEN_CPUID_FIRST_LEAF + 4, XEN_CPUID_SIGNATURE_EBX,
				       XEN_CPUID_SIGNATURE_ECX, XEN_CPUID_SIGNATURE_EDX };
	case 1: return (struct cpuid){ .eax = XEN_MAJOR << 16 | XEN_MINOR };
	case 2: /* one hypercall page, by this MSR */
		return (struct cpuid){ 1, MSR_HYPERCALL_PAGE, 0, 0 };
	case 3:
		if (subleaf == 0)
			return (struct cpuid){
				.eax = 1u << 2 |
				       1u << 3, /* invariant TSC, safe to use (cpuid.h: leaf 4) */
				.ecx = (uint32_t)(tsc_hz / 1000),
			};
		if (subleaf == 1)
			return (struct cpuid){ (uint32_t)(-v->arch.tsc_offset),
					       (uint32_t)(-v->arch.tsc_offset >> 32), tsc_to_ns_mul,
					       (uint32_t)tsc_to_ns_shift };
		if (subleaf == 2)
			return (struct cpuid){ .eax = (uint32_t)(tsc_hz / 1000) };
		return (struct cpuid){ 0 };
	case 4:
		return subleaf
			   ? (struct cpuid){ 0 }
			   : (struct cpuid){
				     XEN_HVM_CPUID_X2APIC_VIRT | XEN_HVM_CPUID_VCPU_ID_PRESENT |
					 XEN_HVM_CPUID_DOMID_PRESENT | XEN_HVM_CPUID_UPCALL_VECTOR |
					 (v->domain->iommu ? XEN_HVM_CPUID_IOMMU_MAPPINGS : 0),
				     v->id, v->domain->id, 0
			     };
	default: return (struct cpuid){ 0 };
	}
}

/* xen: vCPU n has APIC id 2n. */
static uint32_t apic_id_of(const struct vcpu *v)
{
	return v->id * 2;
}

/* Leaf 1: whose APIC it is, of how many, and whether it has switched XSAVE on. */
static void fill_leaf_1(struct vcpu *v, struct guest_regs *r)
{
	r->rbx |= (apic_id_of(v) & 0xff) << 24 | (v->domain->max_vcpus * 2 & 0xff) << 16;
	r->rcx &= ~(uint64_t)OSXSAVE;
	if (hvm->get_cr(v, 4) & CR4_OSXSAVE)
		r->rcx |= OSXSAVE;
}

static void set_registers(struct guest_regs *r, const struct cpuid *c)
{
	r->rax = c->eax;
	r->rbx = c->ebx;
	r->rcx = c->ecx;
	r->rdx = c->edx;
}

static NOINLINE void xen_cpuid(struct vcpu *v, struct guest_regs *r)
{
	struct cpuid c = xen_leaf(v, (uint32_t)r->rax, (uint32_t)r->rcx);

	set_registers(r, &c);
}

void hvm_cpuid(struct vcpu *v, struct guest_regs *r)
{
	uint32_t leaf = (uint32_t)r->rax, subleaf = (uint32_t)r->rcx;

	if (leaf - XEN_CPUID_FIRST_LEAF < 0x100) {
		xen_cpuid(v, r);
		return;
	}
	set_registers(r, policy_leaf(v->domain, leaf, subleaf));
	if (leaf == 1)
		fill_leaf_1(v, r);
	else if (leaf == 0xd && subleaf == 0)
		r->rbx = fpu_guest_xcr0() & 4 ? 832 : 576;
}
