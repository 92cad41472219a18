/* SPDX-License-Identifier: Apache-2.0 */
/* What domains that a toolstack makes have on x86. */
#ifndef ASM_CONTROL_H
#define ASM_CONTROL_H

#include <hv/compiler.h>
#include <stdbool.h>

struct domain;
struct vcpu;
struct xen_domctl;

/* Give back what control.c keeps of a domain. */
void control_free(struct domain *d);
/*
 * XEN_DOMCTL_{get,set}_ext_vcpucontext, {get,set}vcpuextstate, {get,set}_vcpu_msrs about `d` (hvm/control_vcpu.c), checked by
 * nobody yet but for permission; the domain is held meanwhile. *answer: `op` is to go back to the caller. R_VCPU_NOT_MADE, R_NOT_ON_SELF, R_EXT_ON_SELF,
 * R_EXT_CONTEXT, R_XSTATE_SIZE, R_VCPU_MSRS, those of a state record, of guest memory, -ERR_RESTART.
 */
MUST_USE int control_vcpu(struct vcpu *caller, struct domain *d, struct xen_domctl *op,
			  bool *answer);

#endif
