/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From hypercall number to handler. Arch code calls in with the number and with the arguments where they lie in
 * the vCPU's saved registers. One indexed load and one jump; everything else is the handler's.
 */
#include <hv/hypercall.h>

#include <hv/domain.h>
#include <hv/log.h>
#include <hv/nospec.h>
#include <hv/softirq.h>
#include <hv/trace.h>

/* Families of Xen 4.17 that are not there yet; docs/abi.md says what each would take. */
#define MISSING                                                                              \
	(BIT(__HYPERVISOR_xsm_op) | BIT(__HYPERVISOR_kexec_op) | BIT(__HYPERVISOR_argo_op) | \
	 BIT(__HYPERVISOR_dm_op) | BIT(__HYPERVISOR_hypfs_op) | BIT(__HYPERVISOR_arch_0))

static hypercall_fn *const handlers[64] = {
	[__HYPERVISOR_platform_op] = abi_platform_op,
	[__HYPERVISOR_memory_op] = abi_memory_op,
	[__HYPERVISOR_multicall] = abi_multicall,
	[__HYPERVISOR_set_timer_op] = abi_set_timer_op,
	[__HYPERVISOR_xen_version] = abi_xen_version,
	[__HYPERVISOR_console_io] = abi_console_io,
	[__HYPERVISOR_grant_table_op] = abi_grant_table_op,
	[__HYPERVISOR_vm_assist] = abi_vm_assist,
	[__HYPERVISOR_vcpu_op] = abi_vcpu_op,
	[__HYPERVISOR_sched_op] = abi_sched_op,
	[__HYPERVISOR_event_channel_op] = abi_event_channel_op,
	[__HYPERVISOR_physdev_op] = abi_physdev_op,
	[__HYPERVISOR_hvm_op] = abi_hvm_op,
	[__HYPERVISOR_sysctl] = abi_sysctl,
	[__HYPERVISOR_domctl] = abi_domctl,
	[HYPERCALL_FILL] = abi_fill,
	[HYPERCALL_REASON] = abi_reason,
};

static int64_t no_handler(uint64_t nr, const uint64_t *a)
{
	if (nr < 64 && (MISSING & BIT(nr)))
		return refuse(R_NOT_IMPLEMENTED, a[0], 0, nr);
	return refuse(R_UNKNOWN_HYPERCALL, nr, 0, 0);
}

/*
 * hypercall_trace: name each operation in the log once, so that what a kernel calls can be kept as a
 * test. Bits [number][first argument]: racing CPUs may name one twice.
 */
bool hypercall_trace;

static NOINLINE void name_once(const struct vcpu *v, uint64_t nr, const uint64_t *a)
{
	static uint64_t named[2][64];
	uint64_t *bits = &named[v->domain->id != 0][index_nospec(nr, 64)];
	uint64_t bit = BIT(a[0] & 63);

	if (atomic_or(bits, bit) & bit)
		return;
	log_info("d%u hypercall %llu op %llu", v->domain->id, (unsigned long long)nr,
		 (unsigned long long)(a[0] & 63));
}

static ALWAYS_INLINE int64_t dispatch(struct vcpu *v, uint64_t nr, uint64_t *a)
{
	hypercall_fn *fn;

	if (unlikely(nr >= ARRAY_SIZE(handlers)))
		return no_handler(nr, a);
	fn = handlers[index_nospec(nr, ARRAY_SIZE(handlers))];
	return likely(fn) ? fn(v, a) : no_handler(nr, a);
}

/* Apart, so that the usual way saves no registers. */
static NOINLINE int64_t dispatch_noted(struct vcpu *v, uint64_t nr, uint64_t *a)
{
	if (hypercall_trace)
		name_once(v, nr, a);
	trace(TRC_HVM_VMMCALL, (uint32_t)nr);
	return dispatch(v, nr, a);
}

int64_t hypercall(struct vcpu *v, uint64_t nr, uint64_t *a)
{
	if (unlikely(hypercall_trace || trace_wanted(read_once(&trace_mask), TRC_HVM_VMMCALL)))
		return dispatch_noted(v, nr, a);
	return dispatch(v, nr, a);
}

bool hypercall_preempt(const struct vcpu *v)
{
	return softirq_pending();
}
