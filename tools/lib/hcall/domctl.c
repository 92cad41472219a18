/* SPDX-License-Identifier: Apache-2.0 */
/* Each operation is put into a buffer that the hypervisor can reach, called, and copied back. */
#include "domctl.h"
#include "../../../hv/include/public/krypton.h"
#include <errno.h>
#include <string.h>
#include <xen/arch-x86/hvm/start_info.h>
#include <xen/event_channel.h>
#include <xen/hvm/hvm_op.h>
#include <xen/memory.h>

/* A call (command, pointer) or, with command -1, (pointer), whose structure comes back. */
static long call(struct hcall *h, unsigned nr, long command, void *p, size_t n)
{
	void *buffer = h->ops->buffer(h, n);
	uint64_t arg[5] = { 0 };
	long ret = -ENOMEM;

	if (buffer) {
		memcpy(buffer, p, n);
		arg[0] = command < 0 ? (uintptr_t)buffer : (uint64_t)command;
		arg[1] = command < 0 ? 0 : (uintptr_t)buffer;
		ret = h->ops->call(h, nr, arg, command < 0 ? 1 : 2);
		memcpy(p, buffer, n);
	}
	h->ops->free(h, buffer);
	return ret;
}

int hcall_domctl(struct hcall *h, struct xen_domctl *op)
{
	op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
	return (int)call(h, __HYPERVISOR_domctl, -1, op, sizeof(*op));
}

int hcall_create(struct hcall *h, const struct xen_domctl_createdomain *how, uint16_t *domid)
{
	struct xen_domctl op = { .cmd = XEN_DOMCTL_createdomain };
	int err;

	op.u.createdomain = *how;
	err = hcall_domctl(h, &op);
	*domid = op.domain;
	return err;
}

int hcall_simple(struct hcall *h, uint16_t domid, uint32_t cmd)
{
	struct xen_domctl op = { .cmd = cmd, .domain = domid };

	return hcall_domctl(h, &op);
}

int hcall_info(struct hcall *h, uint16_t domid, struct xen_domctl_getdomaininfo *info)
{
	struct xen_domctl op = { .cmd = XEN_DOMCTL_getdomaininfo, .domain = domid };
	int err = hcall_domctl(h, &op);

	*info = op.u.getdomaininfo;
	/* It answers with the next one, if there is none of this number. */
	return err ? err : op.domain == domid ? 0 : -ESRCH;
}

int hcall_max_mem(struct hcall *h, uint16_t domid, uint64_t kib)
{
	struct xen_domctl op = { .cmd = XEN_DOMCTL_max_mem, .domain = domid };

	op.u.max_mem.max_memkb = kib;
	return hcall_domctl(h, &op);
}

int hcall_paging_pool(struct hcall *h, uint16_t domid, uint64_t bytes)
{
	struct xen_domctl op = { .cmd = XEN_DOMCTL_set_paging_mempool_size, .domain = domid };

	op.u.paging_mempool.size = bytes;
	return hcall_domctl(h, &op);
}

/* `copy` in a hypercall buffer, or NULL where there was none. */
static int context_call(struct hcall *h, uint32_t cmd, uint16_t domid, uint32_t vcpu,
			vcpu_guest_context_t *copy)
{
	struct xen_domctl op = { .cmd = cmd, .domain = domid };

	if (!copy)
		return -ENOMEM;
	op.u.vcpucontext.vcpu = vcpu;
	set_xen_guest_handle(op.u.vcpucontext.ctxt, copy);
	return hcall_domctl(h, &op);
}

int hcall_set_context(struct hcall *h, uint16_t domid, uint32_t vcpu,
		      const vcpu_guest_context_t *context)
{
	vcpu_guest_context_t *copy = h->ops->buffer(h, sizeof(*copy));
	int err;

	if (copy)
		*copy = *context;
	err = context_call(h, XEN_DOMCTL_setvcpucontext, domid, vcpu, copy);
	h->ops->free(h, copy);
	return err;
}

int hcall_get_context(struct hcall *h, uint16_t domid, uint32_t vcpu, vcpu_guest_context_t *context)
{
	vcpu_guest_context_t *copy = h->ops->buffer(h, sizeof(*copy));
	int err = context_call(h, XEN_DOMCTL_getvcpucontext, domid, vcpu, copy);

	if (!err)
		*context = *copy;
	h->ops->free(h, copy);
	return err;
}

int hcall_get_state(struct hcall *h, uint16_t domid, void *records, uint32_t *size)
{
	struct xen_domctl op = { .cmd = XEN_DOMCTL_gethvmcontext, .domain = domid };
	uint8_t *copy = records ? h->ops->buffer(h, *size) : NULL;
	int err = -ENOMEM;

	if (copy || !records) {
		op.u.hvmcontext.size = records ? *size : 0;
		set_xen_guest_handle(op.u.hvmcontext.buffer, copy);
		err = hcall_domctl(h, &op);
	}
	if (!err && copy)
		memcpy(records, copy, op.u.hvmcontext.size < *size ? op.u.hvmcontext.size : *size);
	if (!err)
		*size = op.u.hvmcontext.size;
	h->ops->free(h, copy);
	return err;
}

int hcall_set_state(struct hcall *h, uint16_t domid, const void *records, uint32_t size)
{
	struct xen_domctl op = { .cmd = XEN_DOMCTL_sethvmcontext, .domain = domid };
	uint8_t *copy = h->ops->buffer(h, size);
	int err = -ENOMEM;

	if (copy) {
		memcpy(copy, records, size);
		op.u.hvmcontext.size = size;
		set_xen_guest_handle(op.u.hvmcontext.buffer, copy);
		err = hcall_domctl(h, &op);
	}
	h->ops->free(h, copy);
	return err;
}

int hcall_max_gfn(struct hcall *h, uint16_t domid, uint64_t *gfn)
{
	struct xen_memory_domain q = { .domid = domid };
	long ret = call(h, __HYPERVISOR_memory_op, XENMEM_maximum_gpfn, &q, sizeof(q));

	*gfn = ret < 0 ? 0 : (uint64_t)ret;
	return ret < 0 ? (int)ret : 0;
}

int hcall_frames(struct hcall *h, uint16_t domid, uint64_t first, unsigned n, bool *there)
{
	struct xen_domctl op = { .cmd = XEN_DOMCTL_getpageframeinfo3, .domain = domid };
	xen_pfn_t *list = h->ops->buffer(h, n * sizeof(*list));
	int err = -ENOMEM;

	if (list) {
		for (unsigned i = 0; i < n; i++)
			list[i] = first + i;
		op.u.getpageframeinfo3.num = n;
		set_xen_guest_handle(op.u.getpageframeinfo3.array, list);
		err = hcall_domctl(h, &op);
	}
	for (unsigned i = 0; i < n && !err; i++)
		there[i] = (list[i] & XEN_DOMCTL_PFINFO_LTAB_MASK) != XEN_DOMCTL_PFINFO_XTAB;
	h->ops->free(h, list);
	return err;
}

/* An entry as the BIOS gave it (ACPI 6.4, 15.1), which is what the hypervisor keeps. */
struct e820_entry {
	uint64_t start, size;
	uint32_t type;
} __attribute__((packed));

int hcall_set_memory_map(struct hcall *h, uint16_t domid, const struct hvm_memmap_table_entry *map,
			 uint32_t n)
{
	struct xen_foreign_memory_map m = { .domid = domid, .map.nr_entries = n };
	struct e820_entry *copy = h->ops->buffer(h, n * sizeof(*copy));
	int err = -ENOMEM;

	if (copy) {
		for (uint32_t i = 0; i < n; i++)
			copy[i] = (struct e820_entry){ map[i].addr, map[i].size, map[i].type };
		set_xen_guest_handle(m.map.buffer, copy);
		err = (int)call(h, __HYPERVISOR_memory_op, XENMEM_set_memory_map, &m, sizeof(m));
	}
	h->ops->free(h, copy);
	return err;
}

int hcall_set_affinity(struct hcall *h, uint16_t domid, uint32_t vcpu, const void *map,
		       uint32_t bits)
{
	struct xen_domctl op = { .cmd = XEN_DOMCTL_setvcpuaffinity, .domain = domid };
	uint8_t *copy = h->ops->buffer(h, (bits + 7) / 8);
	int err = -ENOMEM;

	if (copy) {
		memcpy(copy, map, (bits + 7) / 8);
		op.u.vcpuaffinity.vcpu = vcpu;
		op.u.vcpuaffinity.flags = XEN_VCPUAFFINITY_HARD;
		op.u.vcpuaffinity.cpumap_hard.nr_bits = bits;
		set_xen_guest_handle(op.u.vcpuaffinity.cpumap_hard.bitmap, copy);
		err = hcall_domctl(h, &op);
	}
	h->ops->free(h, copy);
	return err;
}

int hcall_get_affinity(struct hcall *h, uint16_t domid, uint32_t vcpu, void *map, uint32_t bits)
{
	struct xen_domctl op = { .cmd = XEN_DOMCTL_getvcpuaffinity, .domain = domid };
	uint8_t *copy = h->ops->buffer(h, (bits + 7) / 8);
	int err = -ENOMEM;

	if (copy) {
		op.u.vcpuaffinity.vcpu = vcpu;
		op.u.vcpuaffinity.flags = XEN_VCPUAFFINITY_HARD;
		op.u.vcpuaffinity.cpumap_hard.nr_bits = bits;
		set_xen_guest_handle(op.u.vcpuaffinity.cpumap_hard.bitmap, copy);
		err = hcall_domctl(h, &op);
		memcpy(map, copy, (bits + 7) / 8);
	}
	h->ops->free(h, copy);
	return err;
}

int hcall_vcpu(struct hcall *h, uint16_t domid, uint32_t vcpu, struct xen_domctl_getvcpuinfo *info)
{
	struct xen_domctl op = { .cmd = XEN_DOMCTL_getvcpuinfo, .domain = domid };
	int err;

	op.u.getvcpuinfo.vcpu = vcpu;
	err = hcall_domctl(h, &op);
	*info = op.u.getvcpuinfo;
	return err;
}

static int weight_op(struct hcall *h, uint16_t domid, uint32_t cmd, uint16_t *weight)
{
	struct xen_domctl op = { .cmd = XEN_DOMCTL_scheduler_op, .domain = domid };
	int err;

	op.u.scheduler_op.sched_id = XEN_SCHEDULER_CREDIT2;
	op.u.scheduler_op.cmd = cmd;
	op.u.scheduler_op.u.credit2.weight = *weight;
	err = hcall_domctl(h, &op);
	*weight = op.u.scheduler_op.u.credit2.weight;
	return err;
}

int hcall_weight(struct hcall *h, uint16_t domid, uint16_t *weight)
{
	*weight = 0;
	return weight_op(h, domid, XEN_DOMCTL_SCHEDOP_getinfo, weight);
}

int hcall_set_weight(struct hcall *h, uint16_t domid, uint16_t weight)
{
	return weight_op(h, domid, XEN_DOMCTL_SCHEDOP_putinfo, &weight);
}

int hcall_cacheflush(struct hcall *h, uint16_t domid, uint64_t gfn, uint64_t n)
{
	struct xen_domctl op = { .cmd = XEN_DOMCTL_cacheflush, .domain = domid };

	op.u.cacheflush.start_pfn = gfn;
	op.u.cacheflush.nr_pfns = n;
	return hcall_domctl(h, &op);
}

int hcall_set_param(struct hcall *h, uint16_t domid, uint32_t index, uint64_t value)
{
	struct xen_hvm_param p = { .domid = domid, .index = index, .value = value };

	return (int)call(h, __HYPERVISOR_hvm_op, HVMOP_set_param, &p, sizeof(p));
}

int hcall_get_param(struct hcall *h, uint16_t domid, uint32_t index, uint64_t *value)
{
	struct xen_hvm_param p = { .domid = domid, .index = index };
	int err = (int)call(h, __HYPERVISOR_hvm_op, HVMOP_get_param, &p, sizeof(p));

	*value = p.value;
	return err;
}

long hcall_populate(struct hcall *h, uint16_t domid, const uint64_t *gfn, unsigned n, unsigned order)
{
	xen_pfn_t *list = h->ops->buffer(h, n * sizeof(*list));
	struct xen_memory_reservation r = { .nr_extents = n, .extent_order = order, .domid = domid };
	long done = -ENOMEM;

	if (list) {
		for (unsigned i = 0; i < n; i++)
			list[i] = gfn[i];
		set_xen_guest_handle(r.extent_start, list);
		done = call(h, __HYPERVISOR_memory_op, XENMEM_populate_physmap, &r, sizeof(r));
	}
	h->ops->free(h, list);
	return done;
}

int hcall_alloc_unbound(struct hcall *h, uint16_t domid, uint16_t remote, uint32_t *port)
{
	struct evtchn_alloc_unbound a = { .dom = domid, .remote_dom = remote };
	int err = (int)call(h, __HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, &a, sizeof(a));

	*port = a.port;
	return err;
}

/* ---- contents ----------------------------------------------------------------------------------------- */

#define FILL_STEP  (128u * 1024) /* made reachable at once */
#define FILL_TRIES 8u            /* what was reachable may be taken away before the call */

static long fill_call(struct hcall *h, uint16_t domid, uint64_t at, const void *data, size_t n)
{
	const uint64_t arg[5] = { domid, at, (uintptr_t)data, n };

	return h->ops->call(h, KRYPTON_HYPERCALL_FILL, arg, 4);
}

/* A step from memory that is in the way of nobody: how many bytes, or an error. */
static long fill_step(struct hcall *h, uint16_t domid, uint64_t at, const void *data, size_t n)
{
	long done = -EFAULT;

	for (unsigned i = 0; i < FILL_TRIES && done == -EFAULT; i++) {
		int err = h->ops->reach(h, data, n);

		if (err)
			return err;
		done = fill_call(h, domid, at, data, n);
	}
	return done == -EFAULT ? -EOPNOTSUPP : done;
}

/* The same where only buffers can be reached. */
static long fill_by_buffer(struct hcall *h, uint16_t domid, uint64_t at, const void *data, size_t n)
{
	size_t some = n < 4096 ? n : 4096;
	void *buffer = h->ops->buffer(h, some);
	long done = -ENOMEM;

	if (buffer) {
		memcpy(buffer, data, some);
		done = fill_call(h, domid, at, buffer, some);
	}
	h->ops->free(h, buffer);
	return done;
}

int hcall_fill(struct hcall *h, uint16_t domid, uint64_t at, const void *data, size_t n)
{
	const uint8_t *from = data;
	long some;

	for (size_t done = 0; done < n; done += (size_t)some) {
		size_t step = n - done < FILL_STEP ? n - done : FILL_STEP;

		some = h->ops->reach ? fill_step(h, domid, at + done, from + done, step)
				     : fill_by_buffer(h, domid, at + done, from + done, step);
		if (some <= 0)
			return some == 0 || some == -ENOSYS ? -EOPNOTSUPP : (int)some;
	}
	return 0;
}
