/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What core asks of virtual CPUs. struct arch_vcpu (<asm/vcpu.h>) is the first member of struct vcpu,
 * struct arch_domain (<asm/domain.h>) of struct domain.
 */
#ifndef ARCH_VCPU_H
#define ARCH_VCPU_H

#include <hv/domain.h>
#include <hv/vcpu.h>

/* Per-domain parts (interrupt controller, timers, ID registers policy), before any vCPU exists. */
MUST_USE int arch_domain_init(struct domain *d, const struct domain_config *cfg);
/* Undo; everything it allocated goes back to the pool. No vCPU left. */
void arch_domain_free(struct domain *d);

/* Reset state; not runnable before arch_vcpu_set_context() or the architecture's own start (PSCI, INIT/SIPI). */
MUST_USE int arch_vcpu_init(struct vcpu *v);
/*
 * Stop the architecture's timers of `v`, whose domain is dying; no CPU has it, and none will. Their functions must not
 * arm them again after that, except one that runs at that moment: so it is called a second time after a grace
 * period. Another one passes before arch_vcpu_free().
 */
void arch_vcpu_stop(struct vcpu *v);
/* Give back what arch_vcpu_init() took. Stopped, or never run. */
void arch_vcpu_free(struct vcpu *v);

/* Move from and to the ABI's form (xen/xen.h, arch). Checks what the guest asks. Not running. */
MUST_USE int arch_vcpu_set_context(struct vcpu *v, const vcpu_guest_context_t *c);
void arch_vcpu_get_context(struct vcpu *v, vcpu_guest_context_t *c);

/*
 * Called by sched_run() on this CPU: save what `prev` has in the CPU and load `next`. Either may be
 * NULL (idle keeps prev loaded; prev is NULL at the first switch). After it, prev may run elsewhere.
 */
void arch_vcpu_switch(struct vcpu *prev, struct vcpu *next);

/* An event is pending for `v` in shared memory: make its upcall interrupt pending and see that it looks (vcpu_kick()). Any CPU. */
void arch_vcpu_raise_upcall(struct vcpu *v);
/* An interrupt that `v` would take now is pending (it must not block). Also true for what the hardware holds. */
bool arch_vcpu_interrupt_pending(struct vcpu *v);

/* Drop the architecture's own pins (vcpu_unpin). */
void arch_vcpu_unpin(struct vcpu *v);

/* hvm_op parameters that have a meaning of their own here. -ENOSYS class refusal: core stores it plainly. */
MUST_USE int arch_hvm_param_set(struct domain *d, uint32_t index, uint64_t value, bool *handled);

/*
 * Operations that only one architecture's ABI has. VCPUOP_* on `v` of the caller's domain; HVMOP_* by `caller`. R_NOT_IMPLEMENTED
 * for what it does not have either.
 */
MUST_USE int arch_vcpu_op(struct vcpu *caller, struct vcpu *v, uint32_t op, gva_t arg);
/*
 * Does the ABI of this architecture have operation `op` of vcpu_op? VCPUOP_register_vcpu_info and
 * _register_runstate_memory_area are there on all, and not asked for.
 */
bool arch_has_vcpu_op(uint32_t op);
MUST_USE int arch_hvm_op(struct vcpu *caller, uint32_t op, gva_t arg);
/*
 * XENPF_* and PHYSDEVOP_* that only one architecture's ABI has. platform_op: `op` was fetched from `arg`, its version and the caller's role are
 * checked. physdev_op: nothing is. R_NOT_IMPLEMENTED as above.
 */
struct xen_platform_op;
MUST_USE int arch_platform_op(struct vcpu *caller, struct xen_platform_op *op, gva_t arg);
MUST_USE int arch_physdev_op(struct vcpu *caller, uint32_t op, gva_t arg);

/* XENFEAT_* submap bits and the capabilities string ("xen-3.0-aarch64 xen-3.0-armv7l"). */
uint32_t arch_features(const struct domain *d, unsigned submap);
const char *arch_capabilities(void);

/* Registers and the top of the stack to the log: of a crashed guest or for debug key 'q'. */
void arch_vcpu_dump(struct vcpu *v);

#endif
