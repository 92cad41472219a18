/* SPDX-License-Identifier: Apache-2.0 */
/* x86's part of the control interface (arch/control.h): creation by a toolstack, and operations that only x86 has. */
#include <arch/control.h>

#include <asm/machine.h>

void arch_physinfo(struct xen_sysctl_physinfo *info)
{
	info->cpu_khz = (uint32_t)(tsc_hz / 1000);
}

void arch_cpu_topology(unsigned id, struct xen_sysctl_cputopo *t)
{
	t->core = id;
	t->socket = 0;
}

/* A domain has what PVH guests have: a local APIC. */
int arch_domain_config(struct xen_domctl_createdomain *c, struct domain_config *cfg)
{
	if (c->arch.emulation_flags != XEN_X86_EMU_LAPIC)
		return refuse(R_CREATE_EMULATION, 0, XEN_X86_EMU_LAPIC, c->arch.emulation_flags);
	if (c->arch.misc_flags & ~XEN_X86_MSR_RELAXED)
		return refuse(R_CREATE_FIELD, offsetof(__typeof__(*c), arch.misc_flags), 0,
			      c->arch.misc_flags);
	return 0;
}

void arch_domain_info(const struct domain *d, struct xen_domctl_getdomaininfo *info)
{
	uint64_t end = read_once(&d->p2m.end);

	info->gpaddr_bits = end ? (uint8_t)(PAGE_SHIFT + __builtin_ctzll(end)) : 0;
	info->arch_config.emulation_flags = XEN_X86_EMU_LAPIC;
}

int arch_domctl(struct vcpu *caller, struct domain *d, struct xen_domctl *op, bool *answer,
		uint64_t *a)
{
	switch (op->cmd) {
	case XEN_DOMCTL_set_address_size:
		return op->u.address_size.size == 64
			   ? 0
			   : refuse(R_ADDRESS_WIDTH, d->id, 64, op->u.address_size.size);
	case XEN_DOMCTL_get_address_size:
		op->u.address_size.size = 64;
		*answer = true;
		return 0;
	default: return refuse(R_NOT_IMPLEMENTED, op->cmd, 0, __HYPERVISOR_domctl);
	}
}

int arch_sysctl(struct vcpu *caller, struct xen_sysctl *op, bool *answer, uint64_t *a)
{
	return refuse(R_NOT_IMPLEMENTED, op->cmd, 0, __HYPERVISOR_sysctl);
}
