/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hypercalls from 32-bit code. Most structures look the same in both ABIs: those calls go on with their arguments made wide. A few differ
 * in the width of a frame number or in padding: they are fetched here. The rest is refused (docs/abi.md). The layouts are
 * those of the public headers, compiled for 32 bits (layout32.c). No state.
 */
#include <asm/hypercall.h>

#include <asm/layout32.h>
#include <hv/domain.h>
#include <hv/guest.h>
#include <hv/reason.h>
#include <hv/string.h>
#include <xen/event_channel.h>
#include <xen/features.h>
#include <xen/grant_table.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/hvm_vcpu.h>
#include <xen/hvm/params.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>

#define SAME(name) _Static_assert(SIZE32_##name == sizeof(struct name), "the same in both ABIs")
SAME(evtchn_alloc_unbound);
SAME(evtchn_bind_interdomain);
SAME(evtchn_bind_virq);
SAME(evtchn_bind_pirq);
SAME(evtchn_bind_ipi);
SAME(evtchn_close);
SAME(evtchn_send);
SAME(evtchn_status);
SAME(evtchn_bind_vcpu);
SAME(evtchn_unmask);
SAME(evtchn_reset);
SAME(evtchn_init_control);
SAME(evtchn_expand_array);
SAME(evtchn_set_priority);
SAME(gnttab_map_grant_ref);
SAME(gnttab_unmap_grant_ref);
SAME(gnttab_query_size);
SAME(gnttab_get_version);
SAME(gnttab_set_version);
SAME(sched_shutdown);
SAME(sched_remote_shutdown);
SAME(sched_watchdog);
SAME(vcpu_set_periodic_timer);
SAME(vcpu_register_vcpu_info);
SAME(vcpu_hvm_context);
SAME(xen_hvm_param);
SAME(xen_hvm_evtchn_upcall_vector);
SAME(xen_hvm_get_time);
SAME(xen_feature_info);
SAME(xen_memory_domain);

#define OP(n) BIT(n)

/* By hypercall: operations (the first argument) whose structures are the same, or that have none. */
static const struct {
	uint8_t nr;
	uint64_t ops;
} same[] = {
	{ __HYPERVISOR_xen_version, ~OP(XENVER_platform_parameters) },
	{ __HYPERVISOR_console_io, ~0ull },
	{ __HYPERVISOR_vm_assist, ~0ull },
	{ __HYPERVISOR_event_channel_op, ~0ull },
	{ __HYPERVISOR_sched_op, ~OP(SCHEDOP_poll) },
	{ __HYPERVISOR_hvm_op, OP(HVMOP_set_param) | OP(HVMOP_get_param) | OP(HVMOP_get_time) |
				   OP(HVMOP_set_evtchn_upcall_vector) },
	{ __HYPERVISOR_vcpu_op, OP(VCPUOP_initialise) | OP(VCPUOP_up) | OP(VCPUOP_down) |
				    OP(VCPUOP_is_up) | OP(VCPUOP_set_periodic_timer) |
				    OP(VCPUOP_stop_periodic_timer) |
				    OP(VCPUOP_stop_singleshot_timer) |
				    OP(VCPUOP_register_vcpu_info) | OP(VCPUOP_send_nmi) },
	{ __HYPERVISOR_grant_table_op, OP(GNTTABOP_map_grant_ref) | OP(GNTTABOP_unmap_grant_ref) |
					   OP(GNTTABOP_query_size) | OP(GNTTABOP_get_version) |
					   OP(GNTTABOP_set_version) },
	{ __HYPERVISOR_memory_op, OP(XENMEM_maximum_ram_page) | OP(XENMEM_current_reservation) |
				      OP(XENMEM_maximum_reservation) | OP(XENMEM_maximum_gpfn) },
};

static bool is_same(uint32_t nr, uint64_t op)
{
	for (unsigned i = 0; i < ARRAY_SIZE(same); i++)
		if (same[i].nr == nr)
			return op < 64 && (same[i].ops >> op & 1);
	return false;
}

/* A field of a structure that was fetched as bytes. */
static uint64_t field(const uint8_t *from, unsigned at, unsigned size)
{
	uint64_t v = 0;

	memcpy(&v, from + at, size);
	return v;
}
#define FIELD(bytes, s, f, size) field((bytes), OFFSET32_##s##_##f, (size))

static int64_t add_to_physmap(struct vcpu *v, gva_t arg)
{
	uint8_t in[SIZE32_xen_add_to_physmap];
	struct xen_add_to_physmap x;
	int err = guest_read(v, in, arg, sizeof(in));

	if (err)
		return err;
	x = (struct xen_add_to_physmap){
		.domid = (domid_t)FIELD(in, xen_add_to_physmap, domid, 2),
		.size = (uint16_t)FIELD(in, xen_add_to_physmap, size, 2),
		.space = (unsigned)FIELD(in, xen_add_to_physmap, space, 4),
		.idx = FIELD(in, xen_add_to_physmap, idx, 4),
		.gpfn = FIELD(in, xen_add_to_physmap, gpfn, 4),
	};
	return memory_add_to_physmap(v, &x);
}

static int64_t remove_from_physmap(struct vcpu *v, gva_t arg)
{
	uint8_t in[SIZE32_xen_remove_from_physmap];
	struct xen_remove_from_physmap x;
	int err = guest_read(v, in, arg, sizeof(in));

	if (err)
		return err;
	x = (struct xen_remove_from_physmap){
		.domid = (domid_t)FIELD(in, xen_remove_from_physmap, domid, 2),
		.gpfn = FIELD(in, xen_remove_from_physmap, gpfn, 4),
	};
	return memory_remove_from_physmap(v, &x);
}

static int64_t set_singleshot(struct vcpu *v, uint32_t id, gva_t arg)
{
	uint8_t in[SIZE32_vcpu_set_singleshot_timer];
	struct vcpu_set_singleshot_timer x;
	int err;

	if (!domain_vcpu(v->domain, id))
		return refuse(R_NO_SUCH_VCPU, id, v->domain->max_vcpus, id);
	if (id != v->id)
		return refuse(R_NOT_OWN_VCPU, id, v->id, VCPUOP_set_singleshot_timer);
	err = guest_read(v, in, arg, sizeof(in));
	if (err)
		return err;
	x = (struct vcpu_set_singleshot_timer){
		.timeout_abs_ns = FIELD(in, vcpu_set_singleshot_timer, timeout_abs_ns, 8),
		.flags = (uint32_t)FIELD(in, vcpu_set_singleshot_timer, flags, 4),
	};
	return vcpu_set_singleshot(v, &x);
}

/* xen_platform_parameters: one word, which is as wide as the guest's. */
static int64_t platform_parameters(struct vcpu *v, gva_t arg)
{
	uint32_t virt_start = 0;

	return guest_put(v, arg, &virt_start);
}

static int64_t call(struct vcpu *v, uint32_t nr, uint64_t *a)
{
	if (is_same(nr, a[0]))
		return hypercall(v, nr, a);
	if (nr == __HYPERVISOR_memory_op && a[0] == XENMEM_add_to_physmap)
		return add_to_physmap(v, gva(a[1]));
	if (nr == __HYPERVISOR_memory_op && a[0] == XENMEM_remove_from_physmap)
		return remove_from_physmap(v, gva(a[1]));
	if (nr == __HYPERVISOR_vcpu_op && a[0] == VCPUOP_set_singleshot_timer)
		return set_singleshot(v, (uint32_t)a[1], gva(a[2]));
	if (nr == __HYPERVISOR_xen_version && a[0] == XENVER_platform_parameters)
		return platform_parameters(v, gva(a[1]));
	if (nr == __HYPERVISOR_set_timer_op) { /* a time of 64 bits in two registers */
		a[0] |= a[1] << 32;
		return hypercall(v, nr, a);
	}
	return refuse(R_NOT_IMPLEMENTED, a[0], 0, nr);
}

/* Registers in the order of xen-x86_32.h. */
#define ARGUMENTS(X) X(0, rbx) X(1, rcx) X(2, rdx) X(3, rsi) X(4, rdi) X(5, rbp)

bool hvm_hypercall_32(struct vcpu *v, struct guest_regs *r)
{
	uint64_t a[HYPERCALL_ARGS];
	int64_t result;

#define LOAD(i, name) a[i] = (uint32_t)r->name;
	ARGUMENTS(LOAD)
#undef LOAD
	result = call(v, (uint32_t)r->rax, a);
	if (result == -ERR_RESTART) {
#define STORE(i, name) r->name = (uint32_t)a[i];
		ARGUMENTS(STORE)
#undef STORE
		return false;
	}
	r->rax = (uint32_t)result;
	return true;
}
