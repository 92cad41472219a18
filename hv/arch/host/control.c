/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated machine's part of the control interface: it accepts any domain and has no operations of its own. */
#include <arch/control.h>

void arch_physinfo(struct xen_sysctl_physinfo *info)
{
	info->cpu_khz = 1000000;
}

void arch_cpu_topology(unsigned id, struct xen_sysctl_cputopo *t)
{
	t->core = id;
	t->socket = 0;
}

int arch_domain_config(struct xen_domctl_createdomain *c, struct domain_config *cfg)
{
	return 0;
}

void arch_domain_info(const struct domain *d, struct xen_domctl_getdomaininfo *info)
{
	info->gpaddr_bits = 40;
}

int arch_domctl(struct vcpu *caller, struct domain *d, struct xen_domctl *op, bool *answer,
		uint64_t *a)
{
	return refuse(R_NOT_IMPLEMENTED, op->cmd, 0, __HYPERVISOR_domctl);
}

int arch_sysctl(struct vcpu *caller, struct xen_sysctl *op, bool *answer, uint64_t *a)
{
	return refuse(R_NOT_IMPLEMENTED, op->cmd, 0, __HYPERVISOR_sysctl);
}

int arch_memory_op(struct vcpu *v, unsigned op, gva_t arg)
{
	return refuse(R_NOT_IMPLEMENTED, op, 0, __HYPERVISOR_memory_op);
}
