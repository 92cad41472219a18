/* SPDX-License-Identifier: Apache-2.0 */
/* What the control interface (abi/sysctl*.c, abi/domctl*.c) asks of the architecture: facts of the machine and its own operations. */
#ifndef ARCH_CONTROL_H
#define ARCH_CONTROL_H

#include <hv/domain.h>
#include <xen/domctl.h>
#include <xen/sysctl.h>

/* Fill in kHz, capabilities that depend on the architecture (XEN_SYSCTL_PHYSCAP_*, hw_cap), which core has set to 0. */
void arch_physinfo(struct xen_sysctl_physinfo *info);
/* Where CPU `id`, which exists, sits: core and socket. */
void arch_cpu_topology(unsigned id, struct xen_sysctl_cputopo *t);

/*
 * Judge what a toolstack wants created and complete it where it left the choice to us (`c->arch`); set in `cfg`
 * what depends on the architecture. `c` lives as long as domain_create() runs. R_CREATE_*, R_BAD_VCPU_COUNT.
 */
MUST_USE int arch_domain_config(struct xen_domctl_createdomain *c, struct domain_config *cfg);
/* Fill in the width of guest physical addresses and what the domain was made with. */
void arch_domain_info(const struct domain *d, struct xen_domctl_getdomaininfo *info);

/*
 * Operations that only one architecture has; the caller's permission is checked. `*answer` is set when `op` is
 * to be copied back, also along with a refusal. -ERR_RESTART: enter the call again. `a`: the call's arguments, for progress (hv/control.h).
 * R_NOT_IMPLEMENTED for what it does not have.
 */
MUST_USE int arch_domctl(struct vcpu *caller, struct domain *d, struct xen_domctl *op, bool *answer,
			 uint64_t *a);
MUST_USE int arch_sysctl(struct vcpu *caller, struct xen_sysctl *op, bool *answer, uint64_t *a);

/* XENMEM_* that only one architecture has, without progress. R_NOT_IMPLEMENTED for what it does not have. */
MUST_USE int arch_memory_op(struct vcpu *v, unsigned op, gva_t arg);

#endif
