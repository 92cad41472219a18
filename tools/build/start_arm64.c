/* SPDX-License-Identifier: Apache-2.0 */
/* Linux, Documentation/arch/arm64/booting.rst: x0 is the device tree, MMU and caches are off, EL1. */
#include "fill.h"
#include "start.h"

void start_describe(struct xen_domctl_createdomain *how)
{
	how->flags = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap;
	how->arch.gic_version = XEN_DOMCTL_CONFIG_GIC_V3;
	how->arch.tee_type = XEN_DOMCTL_CONFIG_TEE_NONE;
}

bool start_possible(struct fault *f)
{
	(void)f;
	return true;
}

bool start_set(struct hcall *h, uint16_t domid, const struct build_plan *plan, struct fault *f)
{
	const vcpu_guest_context_t context = {
		.flags = VGCF_online,
		.user_regs = {
			.x0 = plan->argument,
			.pc64 = plan->entry,
			.cpsr = PSR_GUEST64_INIT,
		},
		.sctlr = SCTLR_GUEST_INIT,
	};
	int err = hcall_set_context(h, domid, 0, &context);

	return err == 0 || hypervisor_fault(h, err, "the first vCPU's registers", f);
}
