/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fuzzer's input as a sequence of hypercalls by the vCPUs of three domains on a simulated machine. A program
 * defines FAMILY_FIRST and includes this: operations of that family are chosen more often.
 *
 *	byte 0		bit 0: 0: one call after the other, invariants checked now and then (after
 *			each when FUZZ_CHECK_EACH is in the environment); 1: the vCPUs run on 1..4
 *			CPUs at once, invariants checked at the end. Bits 2..1: CPUs
 *	bytes 1, 2	the machine's seed
 *	then		per operation one byte (who), one (which), and what the operation reads
 *
 * Whatever guests do: no invariant breaks, no sanitizer speaks, and once all domains are destroyed every
 * frame is back.
 */
#ifndef TESTS_FUZZ_SEQUENCE_H
#define TESTS_FUZZ_SEQUENCE_H

#include "../unit/sim.h"
#include <arch/timer.h>
#include <hv/option.h>
#include <xen/domctl.h>
#include <xen/hvm/params.h>
#include <xen/physdev.h>
#include <xen/platform.h>
#include <xen/sysctl.h>
#include <xen/vcpu.h>
#include <xen/version.h>

#define NR_DOMAINS 3u
#define RAM_FRAMES 24u
#define MAX_OPS    200u

enum family { EVTCHN, GNTTAB, MEMORY, SCHED, OTHER, WILD, TOUCH, NR_FAMILIES, CONTROL };

static struct {
	const uint8_t *p, *end;
	unsigned ops;
	struct domain *d[NR_DOMAINS];
	domid_t id[NR_DOMAINS];
} in;

/* ---- reading the input ---- */

static bool more(void)
{
	return in.p < in.end && in.ops < MAX_OPS;
}

static uint8_t u8(void)
{
	return in.p < in.end ? *in.p++ : 0;
}

static uint64_t raw(unsigned bytes)
{
	uint64_t n = 0;

	while (bytes--)
		n = n << 8 | u8();
	return n;
}

static void fill(void *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((uint8_t *)p)[i] = u8();
}

/* ---- values that mean something ---- */

static domid_t some_domain(void)
{
	uint8_t n = u8();

	if (n < 200)
		return in.id[n % NR_DOMAINS];
	if (n < 240)
		return DOMID_SELF;
	return n < 250 ? (domid_t)(0x7ff0 + n % 16) : (domid_t)raw(2);
}

static uint32_t some_small(unsigned below)
{
	uint8_t n = u8();

	return n < 240 ? n % below : (uint32_t)raw(4);
}

static uint32_t some_port(void)
{
	return some_small(24);
}

static uint32_t some_ref(void)
{
	return some_small(16);
}

static uint64_t some_gfn(void)
{
	uint8_t n = u8();

	if (n < 200)
		return n % (RAM_FRAMES + 8);
	if (n < 210)
		return SIM_GRANTS_GFN + n % 4;
	if (n < 220)
		return SIM_SHARED_INFO_GFN;
	if (n < 235)
		return (uint64_t)(n % 4) << 9 | u8();
	return raw(n % 8 + 1);
}

/* Where grants are mapped: few places, so that an unmap meets a map. */
static uint64_t some_map_address(void)
{
	uint8_t n = u8();

	return n < 240 ? (uint64_t)(0x400 + n % 3) << PAGE_SHIFT : raw(8);
}

static uint64_t some_address(void)
{
	uint8_t n = u8();

	if (n < 220)
		return some_gfn() << PAGE_SHIFT | (n & 1 ? raw(2) % PAGE_SIZE : 0);
	return raw(8);
}

/* ---- calls ---- */

static void call(struct vcpu *v, uint64_t nr, uint64_t cmd, const void *arg, size_t n,
		 uint64_t third)
{
	gva_t at = sim_arg(v);

	(void)sim_poke(v, at, arg, n); /* the guest may have given its page away */
	(void)sim_hypercall(v, nr, cmd, at.a, third);
}

static void op_evtchn(struct vcpu *v)
{
	union {
		struct evtchn_bind_interdomain interdomain;
		struct evtchn_bind_virq virq;
		struct evtchn_bind_pirq pirq;
		struct evtchn_close close;
		struct evtchn_send send;
		struct evtchn_status status;
		struct evtchn_alloc_unbound unbound;
		struct evtchn_bind_ipi ipi;
		struct evtchn_bind_vcpu vcpu;
		struct evtchn_unmask unmask;
		struct evtchn_reset reset;
		struct evtchn_set_priority priority;
		uint8_t bytes[32];
	} a;
	uint32_t cmd = u8() % 17;

	memset(&a, 0, sizeof(a));
	switch (cmd) {
	case EVTCHNOP_bind_interdomain:
		a.interdomain.remote_dom = some_domain();
		a.interdomain.remote_port = some_port();
		break;
	case EVTCHNOP_bind_virq:
		a.virq.virq = some_small(NR_VIRQS + 1);
		a.virq.vcpu = some_small(3);
		break;
	case EVTCHNOP_bind_pirq: a.pirq.pirq = some_small(8); break;
	case EVTCHNOP_close: a.close.port = some_port(); break;
	case EVTCHNOP_send: a.send.port = some_port(); break;
	case EVTCHNOP_status:
		a.status.dom = some_domain();
		a.status.port = some_port();
		break;
	case EVTCHNOP_alloc_unbound:
		a.unbound.dom = some_domain();
		a.unbound.remote_dom = some_domain();
		break;
	case EVTCHNOP_bind_ipi: a.ipi.vcpu = some_small(3); break;
	case EVTCHNOP_bind_vcpu:
		a.vcpu.port = some_port();
		a.vcpu.vcpu = some_small(3);
		break;
	case EVTCHNOP_unmask: a.unmask.port = some_port(); break;
	case EVTCHNOP_reset: a.reset.dom = some_domain(); break;
	case EVTCHNOP_set_priority:
		a.priority.port = some_port();
		a.priority.priority = some_small(17);
		break;
	default: fill(&a, sizeof(a));
	}
	call(v, __HYPERVISOR_event_channel_op, cmd, &a, sizeof(a), 0);
}

/* What the guest itself writes into its grant table: through the frame, as it is mapped. */
static void write_grant(struct vcpu *v)
{
	grant_entry_v1_t e = { .domid = some_domain(), .frame = (uint32_t)some_gfn() };
	uint32_t ref = some_ref();
	gva_t at = gva(((uint64_t)SIM_GRANTS_GFN << PAGE_SHIFT) + ref % 512 * sizeof(e));
	uint8_t n = u8();
	struct p2m_entry p;

	e.flags = n < 200 ? GTF_permit_access | (n & 1 ? GTF_readonly : 0) : n;
	if (sim_in_guest()) {
		(void)sim_guest_write(v, at, &e, sizeof(e));
		return;
	}
	p = p2m_lookup(v->domain, gfn(SIM_GRANTS_GFN));
	if (p.type == P2M_SHARED)
		((grant_entry_v1_t *)arch_frame_map(p.mfn))[ref % 512] = e;
}

static void op_gnttab(struct vcpu *v)
{
	union {
		struct gnttab_map_grant_ref map;
		struct gnttab_unmap_grant_ref unmap;
		struct gnttab_unmap_and_replace replace;
		struct gnttab_copy copy;
		struct gnttab_query_size size;
		struct gnttab_setup_table setup;
		struct gnttab_set_version version;
		uint8_t bytes[64];
	} a[3];
	unsigned count = u8() % 3 + 1, cmd = u8() % 15;
	size_t each = 0;

	if (cmd >= 13) {
		write_grant(v);
		return;
	}
	memset(a, 0, sizeof(a));
	for (unsigned i = 0; i < count; i++) {
		char *at = (char *)a + i * each;

		switch (cmd) {
		case GNTTABOP_map_grant_ref: {
			struct gnttab_map_grant_ref m = {
				.host_addr = some_map_address(),
				.flags = u8() < 250 ? (unsigned)(GNTMAP_host_map |
								 (u8() & GNTMAP_readonly))
						    : u8(),
				.ref = some_ref(),
				.dom = some_domain(),
			};

			each = sizeof(m);
			memcpy((char *)a + i * each, &m, each);
			break;
		}
		case GNTTABOP_unmap_grant_ref: {
			struct gnttab_unmap_grant_ref m = {
				.host_addr = some_map_address(),
				.handle = some_small(3),
			};

			each = sizeof(m);
			memcpy((char *)a + i * each, &m, each);
			break;
		}
		case GNTTABOP_copy: {
			struct gnttab_copy m = {
				.source.domid = some_domain(),
				.source.offset = (uint16_t)some_small(4096),
				.dest.domid = some_domain(),
				.dest.offset = (uint16_t)some_small(4096),
				.len = (uint16_t)some_small(4096),
				.flags = u8() & 3,
			};

			if (m.flags & GNTCOPY_source_gref)
				m.source.u.ref = some_ref();
			else
				m.source.u.gmfn = some_gfn();
			if (m.flags & GNTCOPY_dest_gref)
				m.dest.u.ref = some_ref();
			else
				m.dest.u.gmfn = some_gfn();
			each = sizeof(m);
			memcpy((char *)a + i * each, &m, each);
			break;
		}
		case GNTTABOP_query_size: {
			struct gnttab_query_size m = { .dom = some_domain() };

			each = sizeof(m);
			memcpy(at, &m, each);
			break;
		}
		default: each = sizeof(a[0]); fill((char *)a + i * each, each);
		}
	}
	call(v, __HYPERVISOR_grant_table_op, cmd, a, sizeof(a), u8() < 250 ? count : raw(4));
}

static void op_memory(struct vcpu *v)
{
	static const uint8_t cmds[] = {
		XENMEM_decrease_reservation,
		XENMEM_populate_physmap,
		XENMEM_increase_reservation,
		XENMEM_add_to_physmap,
		XENMEM_remove_from_physmap,
		XENMEM_add_to_physmap_batch,
		XENMEM_current_reservation,
		XENMEM_maximum_reservation,
		XENMEM_maximum_gpfn,
		XENMEM_memory_map,
		XENMEM_exchange,
		XENMEM_claim_pages,
		XENMEM_acquire_resource,
		XENMEM_machine_memory_map,
	};
	struct {
		union {
			struct xen_memory_reservation reservation;
			struct xen_add_to_physmap add;
			struct xen_remove_from_physmap remove;
			struct xen_add_to_physmap_batch batch;
			domid_t domid;
			uint8_t bytes[64];
		};
		uint64_t list[16];
	} a;
	uint8_t n = u8();
	uint32_t cmd = n < 250 ? cmds[n % ARRAY_SIZE(cmds)] : raw(2);

	if (n >= 240 && n < 250) {
		uint64_t to = some_address(), from = some_address();

		(void)sim_hypercall(v, HYPERCALL_FILL, some_domain(), to, from, raw(n % 4 + 1));
		return;
	}
	uint64_t list = sim_arg(v).a + offsetof(__typeof__(a), list);

	memset(&a, 0, sizeof(a));
	for (unsigned i = 0; i < 16; i++)
		a.list[i] = some_gfn();
	switch (cmd) {
	case XENMEM_decrease_reservation:
	case XENMEM_increase_reservation:
	case XENMEM_populate_physmap:
		set_xen_guest_handle(a.reservation.extent_start, (xen_pfn_t *)(uintptr_t)list);
		a.reservation.nr_extents = some_small(17);
		a.reservation.extent_order = u8() < 220 ? 0 : some_small(20);
		a.reservation.mem_flags = u8() < 240 ? 0 : (unsigned)raw(4);
		a.reservation.domid = some_domain();
		break;
	case XENMEM_add_to_physmap:
		a.add.domid = some_domain();
		a.add.size = (uint16_t)some_small(4);
		a.add.space = some_small(6);
		a.add.idx = some_small(6);
		a.add.gpfn = some_gfn();
		break;
	case XENMEM_remove_from_physmap:
		a.remove.domid = some_domain();
		a.remove.gpfn = some_gfn();
		break;
	case XENMEM_add_to_physmap_batch:
		a.batch.domid = some_domain();
		a.batch.space = (uint16_t)some_small(6);
		a.batch.size = (uint16_t)some_small(5);
		a.batch.u.foreign_domid = some_domain();
		set_xen_guest_handle(a.batch.idxs, (xen_ulong_t *)(uintptr_t)list);
		set_xen_guest_handle(a.batch.gpfns, (xen_pfn_t *)(uintptr_t)(list + 40));
		set_xen_guest_handle(a.batch.errs, (int *)(uintptr_t)(list + 80));
		break;
	case XENMEM_current_reservation:
	case XENMEM_maximum_reservation:
	case XENMEM_maximum_gpfn: a.domid = some_domain(); break;
	default: fill(a.bytes, sizeof(a.bytes));
	}
	call(v, __HYPERVISOR_memory_op, cmd, &a, sizeof(a), 0);
}

static void op_sched(struct vcpu *v)
{
	uint8_t arg[64];

	memset(arg, 0, sizeof(arg));
	switch (u8() % 12) {
	case 0: (void)sim_hypercall(v, __HYPERVISOR_sched_op, SCHEDOP_yield); break;
	case 1: {
		uint64_t deadline = arch_time_ns() + raw(2);

		memcpy(arg, &deadline, 8);
		call(v, __HYPERVISOR_vcpu_op, VCPUOP_set_singleshot_timer, arg, sizeof(arg), 0);
		break;
	}
	case 2: { /* up, down, is_up, of some vCPU */
		uint8_t cmd = u8() % 16;

		fill(arg, sizeof(arg));
		(void)sim_poke(v, sim_arg(v), arg, sizeof(arg));
		(void)sim_hypercall(v, __HYPERVISOR_vcpu_op, cmd, some_small(3), sim_arg(v).a);
		break;
	}
	case 3: {
		struct sched_poll p = { .nr_ports = some_small(3),
					.timeout = arch_time_ns() + raw(2) + 1 };
		uint32_t port = some_port();

		memcpy(arg + 32, &port, 4);
		set_xen_guest_handle(p.ports, (evtchn_port_t *)(uintptr_t)(sim_arg(v).a + 32));
		memcpy(arg, &p, sizeof(p));
		call(v, __HYPERVISOR_sched_op, SCHEDOP_poll, arg, sizeof(arg), 0);
		break;
	}
	case 4: (void)sim_hypercall(v, __HYPERVISOR_set_timer_op, arch_time_ns() + raw(3)); break;
	case 5:
		fill(arg, 16);
		call(v, __HYPERVISOR_sched_op, SCHEDOP_watchdog, arg, sizeof(arg), 0);
		break;
	case 6:
		if (sim_in_guest())
			sim_guest_pause(v);
		break;
	case 7: {
		struct vcpu_register_vcpu_info info = {
			.mfn = some_gfn(),
			.offset = some_small(64) * 64,
		};

		memcpy(arg, &info, sizeof(info));
		(void)sim_poke(v, sim_arg(v), arg, sizeof(arg));
		(void)sim_hypercall(v, __HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info, v->id,
				    sim_arg(v).a);
		break;
	}
	case 8: {
		struct vcpu_register_runstate_memory_area area = { .addr.p = some_address() };

		memcpy(arg, &area, sizeof(area));
		(void)sim_poke(v, sim_arg(v), arg, sizeof(arg));
		(void)sim_hypercall(v, __HYPERVISOR_vcpu_op, VCPUOP_register_runstate_memory_area,
				    v->id, sim_arg(v).a);
		break;
	}
	case 9: {
		struct vcpu_set_periodic_timer timer = { .period_ns = 1000000 + raw(2) };

		memcpy(arg, &timer, sizeof(timer));
		(void)sim_poke(v, sim_arg(v), arg, sizeof(arg));
		(void)sim_hypercall(v, __HYPERVISOR_vcpu_op, VCPUOP_set_periodic_timer, v->id,
				    sim_arg(v).a);
		break;
	}
	case 10: {
		uint64_t value = some_gfn(), at = sim_arg(v).a;
		struct xen_hvm_param param = {
			.domid = some_domain(),
			.index = some_small(HVM_NR_PARAMS + 1),
			.value = value,
		};

		(void)sim_poke(v, gva(at), &param, sizeof(param));
		(void)sim_hypercall(v, __HYPERVISOR_hvm_op,
				    u8() & 1 ? HVMOP_set_param : HVMOP_get_param, at);
		break;
	}
	default:
		fill(arg, 16);
		call(v, __HYPERVISOR_sched_op,
		     u8() % 8 == SCHEDOP_shutdown ? SCHEDOP_yield : u8() % 8, arg, sizeof(arg), 0);
	}
}

static void op_other(struct vcpu *v)
{
	static const uint8_t nrs[] = {
		__HYPERVISOR_xen_version, __HYPERVISOR_hvm_op,     __HYPERVISOR_physdev_op,
		__HYPERVISOR_vm_assist,   __HYPERVISOR_console_io, __HYPERVISOR_platform_op,
		__HYPERVISOR_multicall,   __HYPERVISOR_sysctl,     __HYPERVISOR_domctl,
		HYPERCALL_REASON,
	};
	uint64_t nr = nrs[u8() % ARRAY_SIZE(nrs)], cmd = u8() % 48;
	uint8_t arg[128];

	fill(arg, sizeof(arg));
	(void)sim_poke(v, sim_arg(v), arg, sizeof(arg));
	if (nr == __HYPERVISOR_console_io)
		(void)sim_hypercall(v, nr, cmd % 3, raw(2), sim_arg(v).a);
	else if (nr == __HYPERVISOR_multicall)
		(void)sim_hypercall(v, nr, sim_arg(v).a, u8() % 4);
	else
		(void)sim_hypercall(v, nr, cmd, sim_arg(v).a, raw(2));
}

/*
 * Domains made by domctl while the input runs: any id between the three and this one. The three themselves may be
 * paused, resized and moved, but not destroyed: the end looks at them.
 */
#define MADE_IDS 12u

static domid_t some_made(void)
{
	uint8_t n = u8();

	return n < 150 ? (domid_t)(in.id[NR_DOMAINS - 1] + 1 + n % MADE_IDS) : some_domain();
}

static bool is_ours(domid_t id)
{
	for (unsigned i = 0; i < NR_DOMAINS; i++)
		if (in.id[i] == id)
			return true;
	return false;
}

static void domctl_create(struct xen_domctl *op)
{
	op->domain = 0;
	op->u.createdomain = (struct xen_domctl_createdomain){
		.flags = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap,
		.max_vcpus = some_small(3) + 1,
		.max_evtchn_port = some_small(300),
		.max_grant_frames = (int32_t)some_small(4) - 1,
		.max_maptrack_frames = (int32_t)some_small(4) - 1,
	};
	if (u8() < 32)
		fill((char *)&op->u.createdomain + u8() % 48, 4);
}

/* The fields of an operation: mostly ones that can be right, with handles into the caller's own frames. */
static void domctl_fields(struct xen_domctl *op)
{
	void *at = (void *)(uintptr_t)(some_gfn() << PAGE_SHIFT);

	switch (op->cmd) {
	case XEN_DOMCTL_createdomain: domctl_create(op); break;
	case XEN_DOMCTL_max_vcpus: op->u.max_vcpus.max = some_small(3) + 1; break;
	case XEN_DOMCTL_max_mem: op->u.max_mem.max_memkb = some_small(200) * 4; break;
	case XEN_DOMCTL_set_paging_mempool_size:
		op->u.paging_mempool.size = (uint64_t)some_small(32) << PAGE_SHIFT;
		break;
	case XEN_DOMCTL_setvcpucontext:
	case XEN_DOMCTL_getvcpucontext:
		op->u.vcpucontext.vcpu = some_small(3);
		op->u.vcpucontext.ctxt.p = at;
		break;
	case XEN_DOMCTL_setvcpuaffinity:
	case XEN_DOMCTL_getvcpuaffinity:
		op->u.vcpuaffinity.vcpu = some_small(3);
		op->u.vcpuaffinity.flags = u8() & 7;
		op->u.vcpuaffinity.cpumap_hard.bitmap.p = at;
		op->u.vcpuaffinity.cpumap_hard.nr_bits = some_small(20);
		op->u.vcpuaffinity.cpumap_soft = op->u.vcpuaffinity.cpumap_hard;
		break;
	case XEN_DOMCTL_gethvmcontext:
	case XEN_DOMCTL_sethvmcontext:
		op->u.hvmcontext.size = some_small(4096);
		op->u.hvmcontext.buffer.p = u8() & 1 ? at : NULL;
		break;
	case XEN_DOMCTL_cacheflush:
		op->u.cacheflush.start_pfn = some_gfn();
		op->u.cacheflush.nr_pfns = some_small(64);
		break;
	case XEN_DOMCTL_shadow_op:
		op->u.shadow_op.op = (const uint8_t[]){ XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY,
							XEN_DOMCTL_SHADOW_OP_CLEAN,
							XEN_DOMCTL_SHADOW_OP_PEEK,
							XEN_DOMCTL_SHADOW_OP_OFF }[u8() & 3];
		op->u.shadow_op.pages = some_small(2000);
		op->u.shadow_op.dirty_bitmap.p = u8() & 3 ? at : NULL;
		break;
	default: fill(&op->u, 40);
	}
}

static void op_domctl(struct vcpu *v)
{
	static const uint8_t cmds[] = {
		XEN_DOMCTL_createdomain,
		XEN_DOMCTL_destroydomain,
		XEN_DOMCTL_pausedomain,
		XEN_DOMCTL_unpausedomain,
		XEN_DOMCTL_getdomaininfo,
		XEN_DOMCTL_max_vcpus,
		XEN_DOMCTL_max_mem,
		XEN_DOMCTL_set_paging_mempool_size,
		XEN_DOMCTL_setvcpucontext,
		XEN_DOMCTL_getvcpucontext,
		XEN_DOMCTL_setvcpuaffinity,
		XEN_DOMCTL_getvcpuaffinity,
		XEN_DOMCTL_scheduler_op,
		XEN_DOMCTL_gethvmcontext,
		XEN_DOMCTL_sethvmcontext,
		XEN_DOMCTL_cacheflush,
		XEN_DOMCTL_resumedomain,
		XEN_DOMCTL_subscribe,
		XEN_DOMCTL_set_target,
		XEN_DOMCTL_settimeoffset,
		XEN_DOMCTL_getpageframeinfo3,
		XEN_DOMCTL_shadow_op,
		XEN_DOMCTL_gethvmcontext_partial,
	};
	struct xen_domctl op = { .cmd = u8() < 224 ? cmds[u8() % ARRAY_SIZE(cmds)] : u8(),
				 .interface_version = XEN_DOMCTL_INTERFACE_VERSION,
				 .domain = some_made() };

	/*
	 * What waits for a grace period, for a vCPU to leave its CPU or for another toolstack, makes progress only while the machine runs; and our own
	 * three are not taken away or left paused.
	 */
	if ((op.cmd == XEN_DOMCTL_destroydomain && is_ours(op.domain)) ||
	    (!sim_in_guest() &&
	     (op.cmd == XEN_DOMCTL_destroydomain || op.cmd == XEN_DOMCTL_gethvmcontext ||
	      op.cmd == XEN_DOMCTL_sethvmcontext || op.cmd == XEN_DOMCTL_gethvmcontext_partial)))
		op.cmd = XEN_DOMCTL_getdomaininfo;
	if (is_ours(op.domain) &&
	    (op.cmd == XEN_DOMCTL_pausedomain || op.cmd == XEN_DOMCTL_setvcpucontext ||
	     op.cmd == XEN_DOMCTL_max_mem || op.cmd == XEN_DOMCTL_sethvmcontext))
		op.cmd = XEN_DOMCTL_getvcpuinfo;
	domctl_fields(&op);
	(void)sim_poke(v, sim_arg(v), &op, sizeof(op));
	(void)sim_hypercall(v, __HYPERVISOR_domctl, sim_arg(v).a);
}

static void op_sysctl(struct vcpu *v)
{
	struct xen_sysctl op = { .cmd = u8() % 32,
				 .interface_version = XEN_SYSCTL_INTERFACE_VERSION };

	fill(&op.u, 48);
	if (op.cmd == XEN_SYSCTL_getdomaininfolist) {
		op.u.getdomaininfolist.max_domains = some_small(8);
		op.u.getdomaininfolist.buffer.p = (void *)(uintptr_t)(some_gfn() << PAGE_SHIFT);
	}
	if (op.cmd == XEN_SYSCTL_debug_keys) /* some of them end the machine */
		op.cmd = XEN_SYSCTL_physinfo;
	(void)sim_poke(v, sim_arg(v), &op, sizeof(op));
	(void)sim_hypercall(v, __HYPERVISOR_sysctl, sim_arg(v).a);
}

static void op_control(struct vcpu *v)
{
	if (u8() < 200)
		op_domctl(v);
	else
		op_sysctl(v);
}

static void op_wild(struct vcpu *v)
{
	uint64_t a[6], nr = u8() < 200 ? u8() % 64 : raw(8);

	for (unsigned i = 0; i < 6; i++) {
		uint8_t kind = u8();

		a[i] = kind < 100 ? kind % 40 : kind < 200 ? some_address() : raw(8);
	}
	/* The end of the machine is no failure, but the end of the run. */
	(void)sim_hypercall6(v, nr, a);
}

static void op_touch(struct vcpu *v)
{
	gva_t at = gva(some_address());
	uint64_t word = raw(1);

	if (!sim_in_guest()) {
		(void)sim_peek(v, at, &word, sizeof(word));
		return;
	}
	if (u8() % 16 == 0)
		(void)sim_guest_io(v, gpa(at.a), 1u << u8() % 4, word & 1, &word);
	else if (u8() & 1)
		(void)sim_guest_write(v, at, &word, sizeof(word));
	else
		(void)sim_guest_read(v, at, &word, sizeof(word));
}

static void one_operation(struct vcpu *v)
{
	uint8_t which = u8();
	unsigned family = which % NR_FAMILIES;

	in.ops++;
#ifdef FAMILY_FIRST
	if (which >= 128)
		family = FAMILY_FIRST;
#endif
	switch (family) {
	case EVTCHN: op_evtchn(v); break;
	case GNTTAB: op_gnttab(v); break;
	case MEMORY: op_memory(v); break;
	case SCHED: op_sched(v); break;
	case OTHER: op_other(v); break;
	case WILD: op_wild(v); break;
	case CONTROL: op_control(v); break;
	default: op_touch(v);
	}
}

/* ---- one input ---- */

static struct domain *make_domain(unsigned i)
{
	struct domain_config cfg = {
		.max_vcpus = 2,
		.max_frames = 2 * RAM_FRAMES,
		.max_evtchn = 256,
		.max_grant_frames = 2,
		.max_maptrack_frames = 1,
		/* One that may manage the others. */
		.roles = i == 0 ? ROLE_CONTROL : 0,
		.node = ALLOC_ANY_NODE,
	};

	return sim_domain_cfg(&cfg, RAM_FRAMES);
}

/* Something to begin with: a channel to the next domain, and grants for it. */
static void acquaint(unsigned i)
{
	struct vcpu *v = in.d[i]->vcpu[0], *next = in.d[(i + 1) % NR_DOMAINS]->vcpu[0];
	struct evtchn_alloc_unbound unbound = { .dom = DOMID_SELF, .remote_dom = next->domain->id };
	struct evtchn_bind_interdomain bind = { .remote_dom = v->domain->id };
	grant_entry_v1_t *table;
	struct p2m_entry p;

	sim_check(sim_evtchn(v, EVTCHNOP_alloc_unbound, &unbound) == 0);
	bind.remote_port = unbound.port;
	sim_check(sim_evtchn(next, EVTCHNOP_bind_interdomain, &bind) == 0);
	p = p2m_lookup(v->domain, gfn(SIM_GRANTS_GFN));
	table = arch_frame_map(p.mfn);
	for (unsigned ref = 8; ref < 12; ref++)
		table[ref] = (grant_entry_v1_t){
			.flags = GTF_permit_access,
			.domid = next->domain->id,
			.frame = ref,
		};
}

static bool run_guest(struct vcpu *v, void *arg)
{
	if (!more())
		return false;
	one_operation(v);
	return true;
}

static void drain(struct vcpu *v, void *arg)
{
	while (sim_next_event(v))
		;
}

static bool all_done(void *arg)
{
	return !more();
}

static void check_all(void)
{
	for (unsigned i = 0; i < NR_DOMAINS; i++)
		domain_check_invariants(in.d[i]);
}

static void run_one_by_one(void)
{
	static int each = -1;

	if (each < 0)
		each = getenv("FUZZ_CHECK_EACH") != NULL;
	while (more()) {
		uint8_t who = u8();
		struct domain *d = in.d[who % NR_DOMAINS];

		one_operation(d->vcpu[who / NR_DOMAINS % 2]);
		if (each || in.ops % 32 == 0)
			check_all();
		/* Timers, work, blocked vCPUs: nothing of it may need a guest. */
		if (who >= 224)
			sim_run_for(1000);
	}
	check_all();
}

static void run_at_once(void)
{
	for (unsigned i = 0; i < NR_DOMAINS; i++) {
		for (unsigned j = 0; j < 2; j++)
			sim_guest_set(in.d[i]->vcpu[j], run_guest, drain, NULL);
		sim_start(in.d[i]);
	}
	(void)sim_run(all_done, NULL);
	check_all();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sim_config cfg = { .memory = 16 << 20, .quiet = true };
	uint8_t mode;

	if (size < 8)
		return -1;
	in.p = data;
	in.end = data + size;
	in.ops = 0;
	mode = u8();
	cfg.seed = raw(2) + 1;
	cfg.cpus = mode & 1 ? (mode >> 1 & 3) + 1 : 1;
	sim_boot_config(&cfg);
	options_parse("");
	for (unsigned i = 0; i < NR_DOMAINS; i++) {
		in.d[i] = make_domain(i);
		in.id[i] = in.d[i]->id;
		sim_map_shared_info(in.d[i]->vcpu[0]);
		(void)sim_add_to_physmap(in.d[i]->vcpu[0], XENMAPSPACE_grant_table, 0,
					 SIM_GRANTS_GFN);
	}
	for (unsigned i = 0; i < NR_DOMAINS; i++)
		acquaint(i);
	if (mode & 1)
		run_at_once();
	else
		run_one_by_one();
	if (sim_ended() == SIM_RUNNING) {
		sim_end_all();
		sim_shutdown();
	} else {
		sim_abandon();
	}
	return 0;
}

#endif
