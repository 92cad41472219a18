/* SPDX-License-Identifier: Apache-2.0 */
/* Arm's part of the control interface (arch/control.h): creation by a toolstack, and operations that only Arm has. */
#include <arch/control.h>

#include <asm/control.h>
#include <asm/host_timer.h>
#include <asm/vgic.h>

#define REDISTRIBUTOR 0x20000u
#define MAX_SPIS      988u /* INTIDs 32 to 1019 */

void arch_physinfo(struct xen_sysctl_physinfo *info)
{
	info->cpu_khz = host_timer.hz / 1000;
}

/* No tree or table says more than that they are CPUs. */
void arch_cpu_topology(unsigned id, struct xen_sysctl_cputopo *t)
{
	t->core = id;
	t->socket = 0;
}

int arch_domain_config(struct xen_domctl_createdomain *c, struct domain_config *cfg)
{
	if (c->max_vcpus > GUEST_MAX_VCPUS)
		return refuse(R_BAD_VCPU_COUNT, 0, GUEST_MAX_VCPUS, c->max_vcpus);
	if (c->arch.gic_version == XEN_DOMCTL_CONFIG_GIC_NATIVE)
		c->arch.gic_version = XEN_DOMCTL_CONFIG_GIC_V3;
	if (c->arch.gic_version != XEN_DOMCTL_CONFIG_GIC_V3)
		return refuse(R_CREATE_GIC, 0, 3, c->arch.gic_version);
	if (c->arch.tee_type != XEN_DOMCTL_CONFIG_TEE_NONE)
		return refuse(R_CREATE_FIELD, offsetof(__typeof__(*c), arch.tee_type), 0,
			      c->arch.tee_type);
	if (c->arch.nr_spis > MAX_SPIS)
		return refuse(R_CREATE_SPIS, 0, MAX_SPIS, c->arch.nr_spis);
	c->arch.clock_frequency = 0; /* the counter says its own */
	return 0;
}

int control_place_devices(struct domain *d, const struct xen_arch_domainconfig *c)
{
	int err;

	err = vgic_init(d, gpa(GUEST_GICV3_GICD_BASE), c->nr_spis);
	return err ? err
		   : vgic_add_region(d, gpa(GUEST_GICV3_GICR0_BASE),
				     (uint64_t)d->max_vcpus * REDISTRIBUTOR);
}

void arch_domain_info(const struct domain *d, struct xen_domctl_getdomaininfo *info)
{
	uint64_t end = read_once(&d->p2m.end);

	info->gpaddr_bits = end ? (uint8_t)(PAGE_SHIFT + __builtin_ctzll(end)) : 0;
	info->arch_config.gic_version = XEN_DOMCTL_CONFIG_GIC_V3;
	info->arch_config.nr_spis = d->arch.vgic.nr_spis;
}

int arch_domctl(struct vcpu *caller, struct domain *d, struct xen_domctl *op, bool *answer,
		uint64_t *a)
{
	switch (op->cmd) {
	case XEN_DOMCTL_vuart_op: return refuse(R_NO_VUART, d->id, 0, op->u.vuart_op.type);
	/* A domain of this kind is 64 bits wide. */
	case XEN_DOMCTL_set_address_size:
		return op->u.address_size.size == 64
			   ? 0
			   : refuse(R_ADDRESS_WIDTH, d->id, 64, op->u.address_size.size);
	default: return refuse(R_NOT_IMPLEMENTED, op->cmd, 0, __HYPERVISOR_domctl);
	}
}

int arch_sysctl(struct vcpu *caller, struct xen_sysctl *op, bool *answer, uint64_t *a)
{
	return refuse(R_NOT_IMPLEMENTED, op->cmd, 0, __HYPERVISOR_sysctl);
}

int arch_memory_op(struct vcpu *v, unsigned op, gva_t arg)
{
	return refuse(R_NOT_IMPLEMENTED, op, 0, __HYPERVISOR_memory_op);
}
