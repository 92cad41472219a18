/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hypercalls as core sees them: a number and up to six arguments in an array that lies in the vCPU's saved
 * registers (where the architecture's layout allows) so that nothing is copied. Results are
 * the ABI's long. A handler that stops between steps rewrites the array to what is left and returns
 * -ERR_RESTART: the arch layer then leaves the guest's program counter at the hypercall instruction.
 */
#ifndef HV_HYPERCALL_H
#define HV_HYPERCALL_H

#include <hv/addr.h>
#include <hv/compiler.h>

#include <xen/xen.h>

struct domain;
struct vcpu;

#define HYPERCALL_ARGS   6u
#define HYPERCALL_FILL   62u /* Krypton's own: copy into another domain */
#define HYPERCALL_REASON 63u /* Krypton's own: read the last refusal */

/* abi/dispatch.c. `a` points at HYPERCALL_ARGS values that may be rewritten. */
int64_t hypercall(struct vcpu *v, uint64_t nr, uint64_t *a);

/* One handler a family. */
typedef int64_t hypercall_fn(struct vcpu *v, uint64_t *a);

hypercall_fn abi_memory_op, abi_xen_version, abi_console_io, abi_grant_table_op, abi_vm_assist,
    abi_vcpu_op, abi_sched_op, abi_event_channel_op, abi_physdev_op, abi_hvm_op, abi_platform_op,
    abi_multicall, abi_set_timer_op, abi_sysctl, abi_domctl, abi_fill, abi_reason;

/* Name each operation once in the log (option "hypercall_trace"). */
extern bool hypercall_trace;

/* A guest handle in a structure that came in through the door. */
#define handle_gva(h) gva((uint64_t)(uintptr_t)(h).p)

/* memory_op: a domain that the caller may manage; RCU. R_NO_SUCH_DOMAIN, R_NOT_PERMITTED. */
MUST_USE int memory_find_domain(struct vcpu *v, domid_t id, struct domain **d);

/*
 * Operations of memory_op and vcpu_op whose arguments are fetched already, for ABIs that lay them out otherwise. `v` is the caller, whose rights
 * are checked; the timer is its own. Errors as the hypercalls have them.
 */
struct xen_add_to_physmap;
struct xen_remove_from_physmap;
struct vcpu_set_singleshot_timer;
MUST_USE int memory_add_to_physmap(struct vcpu *v, const struct xen_add_to_physmap *x);
MUST_USE int memory_remove_from_physmap(struct vcpu *v, const struct xen_remove_from_physmap *x);
MUST_USE int vcpu_set_singleshot(struct vcpu *v, const struct vcpu_set_singleshot_timer *op);

/* Bulk calls ask this between elements: something else wants this CPU. */
bool hypercall_preempt(const struct vcpu *v);

#endif
