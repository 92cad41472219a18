/* SPDX-License-Identifier: Apache-2.0 */
/* PVH guests begin in flat 32-bit mode; setting that state takes operations which Krypton does not have on x86-64 yet. */
#include "start.h"

void start_describe(struct xen_domctl_createdomain *how)
{
	how->flags = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap;
	how->arch.emulation_flags = XEN_X86_EMU_LAPIC;
}

bool start_possible(struct fault *f)
{
	return fault_set(
	    f, F_HYPERVISOR,
	    "guests can be created on Arm only yet: on x86-64 they are made at boot time");
}

bool start_set(struct hcall *h, uint16_t domid, const struct build_plan *plan, struct fault *f)
{
	(void)h;
	(void)domid;
	(void)plan;
	return start_possible(f);
}
