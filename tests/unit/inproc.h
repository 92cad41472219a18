/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The second back end of tools/lib, for tests: calls of a simulated dom0's vCPU, in which the tools run (inproc_vcpu, whose addresses
 * inproc_translate() shows it). Hypercall buffers are pages of dom0, which its translation shows at the addresses that they have here; foreign
 * and granted frames are mapped into dom0 as Linux does it, copied in then, and back when they are unmapped.
 */
#ifndef TESTS_UNIT_INPROC_H
#define TESTS_UNIT_INPROC_H

#include "sim.h"

#include "lib/evtchn/events.h"
#include "lib/fmem/fmem.h"
#include "lib/gnttab/grants.h"
#include "lib/hcall/hcall.h"
#include <hv/guest.h>
#include <hv/hypercall.h>
#include <errno.h>
#include <string.h>

#define WINDOW_PAGES 8u
#define WINDOW_GFN   64u

static struct vcpu *inproc_vcpu;

/* ---- hypercalls ---------------------------------------------------------------------------------------- */

static _Alignas(4096) uint8_t window[WINDOW_PAGES * 4096];
static size_t window_used;

static bool inproc_translate(struct vcpu *v, gva_t va, bool write, gpa_t *pa)
{
	uint64_t base = (uintptr_t)window;

	pa->a = va.a >= base && va.a - base < sizeof(window)
		    ? ((uint64_t)WINDOW_GFN << PAGE_SHIFT) + (va.a - base)
		    : va.a;
	return true;
}

static bool inproc_xen; /* Krypton's own calls do not exist but for the reason */

static long sim_op(struct hcall *h, unsigned op, const uint64_t arg[5], unsigned nr_args)
{
	const gva_t at = gva((uintptr_t)window);
	uint64_t a[6] = { arg[0], arg[1], arg[2], arg[3], arg[4] };
	long ret;

	if (inproc_xen && op == HYPERCALL_FILL)
		return -ENOSYS;
	/* What is in use of it. */
	sim_check(sim_guest_write(inproc_vcpu, at, window, window_used));
	ret = (long)sim_hypercall6(inproc_vcpu, op, a);
	sim_check(sim_guest_read(inproc_vcpu, at, window, window_used));
	return ret;
}

/* Given back in the order in which they were taken, or the other; the last one makes the window empty. */
static unsigned buffers;

static void *sim_buffer(struct hcall *h, size_t size)
{
	void *p = window + window_used;

	window_used += (size + 15) & ~(size_t)15;
	sim_check(window_used <= sizeof(window));
	buffers++;
	return memset(p, 0, size);
}

static void sim_free(struct hcall *h, void *buffer)
{
	if (buffer && --buffers == 0)
		window_used = 0;
}

static const struct hcall_ops sim_ops = { sim_op, sim_buffer, sim_free, NULL, NULL };

/* ---- foreign memory ------------------------------------------------------------------------------------ */

#define FOREIGN_GFN 0x1000u /* where dom0 has no memory */
#define MOST        512u

static uint8_t *mapped;   /* what dom0 sees there; the tools have one mapping at a time */
static bool absent[MOST]; /* of it: frames that could not be mapped */
static bool mapped_rw;

static gva_t foreign(unsigned i)
{
	return gva((uint64_t)(FOREIGN_GFN + i) << PAGE_SHIFT);
}

/* A call whose structure and lists lie in hypercall buffers. */
static long memory_op(unsigned op, void *buffer)
{
	const uint64_t arg[5] = { op, (uintptr_t)buffer };

	return sim_op(NULL, __HYPERVISOR_memory_op, arg, 2);
}

static void *copy_in(unsigned n, bool writable)
{
	sim_check(!mapped);
	mapped_rw = writable;
	mapped = malloc((size_t)n * PAGE_SIZE);
	for (unsigned i = 0; i < n; i++)
		sim_check(absent[i] || sim_guest_read(inproc_vcpu, foreign(i),
						      mapped + i * PAGE_SIZE, PAGE_SIZE));
	return mapped;
}

/* 0, or what the call itself was refused with; each frame's own answer is in `each`. */
static long map_frames(uint16_t domid, const uint64_t *list, unsigned n, int *each)
{
	struct {
		struct xen_add_to_physmap_batch b;
		xen_ulong_t idx[MOST];
		xen_pfn_t gpfn[MOST];
		int err[MOST];
	} *x = sim_buffer(NULL, sizeof(*x));
	long err;

	x->b = (struct xen_add_to_physmap_batch){ .domid = DOMID_SELF,
						  .space = XENMAPSPACE_gmfn_foreign,
						  .size = (uint16_t)n };
	x->b.u.foreign_domid = domid;
	for (unsigned i = 0; i < n; i++) {
		x->idx[i] = list[i];
		x->gpfn[i] = FOREIGN_GFN + i;
	}
	set_xen_guest_handle(x->b.idxs, x->idx);
	set_xen_guest_handle(x->b.gpfns, x->gpfn);
	set_xen_guest_handle(x->b.errs, x->err);
	err = memory_op(XENMEM_add_to_physmap_batch, x);
	for (unsigned i = 0; i < n && !err; i++) {
		each[i] = x->err[i];
		absent[i] = each[i] != 0;
	}
	sim_free(NULL, x);
	return err;
}

static void sim_unmap(struct fmem *m, void *p, unsigned n)
{
	struct xen_remove_from_physmap *r = sim_buffer(NULL, sizeof(*r));

	for (unsigned i = 0; i < n; i++) {
		if (absent[i]) {
			absent[i] = false;
			continue;
		}
		sim_check(!mapped_rw || sim_guest_write(inproc_vcpu, foreign(i),
							mapped + i * PAGE_SIZE, PAGE_SIZE));
		*r = (struct xen_remove_from_physmap){ .domid = DOMID_SELF,
						       .gpfn = FOREIGN_GFN + i };
		sim_check_equal(memory_op(XENMEM_remove_from_physmap, r), 0);
	}
	sim_free(NULL, r);
	free(mapped);
	mapped = NULL;
}

static void *sim_map_some(struct fmem *m, uint16_t domid, const uint64_t *list, unsigned n, int *err)
{
	long failed = map_frames(domid, list, n, err);

	errno = failed ? (int)-failed : 0;
	return failed ? NULL : copy_in(n, false);
}

static void *sim_map(struct fmem *m, uint16_t domid, const uint64_t *list, unsigned n)
{
	int each[MOST];
	long err = map_frames(domid, list, n, each);

	for (unsigned i = 0; i < n && !err; i++)
		err = each[i];
	errno = err ? ENOMEM : 0;
	if (!err)
		return copy_in(n, true);
	memset(absent, 0, sizeof(absent));
	return NULL;
}

static void *sim_grants(struct fmem *m, uint16_t domid)
{
	struct {
		struct xen_mem_acquire_resource r;
		xen_pfn_t gpfn;
	} *x = sim_buffer(NULL, sizeof(*x));
	long err;

	x->r = (struct xen_mem_acquire_resource){ .domid = domid,
						  .type = XENMEM_resource_grant_table,
						  .nr_frames = 1 };
	x->gpfn = FOREIGN_GFN;
	set_xen_guest_handle(x->r.frame_list, &x->gpfn);
	err = memory_op(XENMEM_acquire_resource, x);
	sim_free(NULL, x);
	errno = err ? ENOMEM : 0;
	return err ? NULL : copy_in(1, true);
}

static const struct fmem_ops sim_fmem_ops = { sim_map,   sim_map_some, sim_grants,
					      sim_unmap, NULL,         NULL };

/* ---- event channels -------------------------------------------------------------------------------------- */

/* A call with `n` bytes at `op`, answered in place. */
static int evtchn_op(unsigned cmd, void *op, size_t n)
{
	void *buffer = sim_buffer(NULL, n);
	const uint64_t arg[5] = { cmd, (uintptr_t)buffer };
	long err;

	memcpy(buffer, op, n);
	err = sim_op(NULL, __HYPERVISOR_event_channel_op, arg, 2);
	memcpy(op, buffer, n);
	sim_free(NULL, buffer);
	return (int)err;
}

static int sim_events_alloc(struct events *e, uint16_t remote, uint32_t *port)
{
	struct evtchn_alloc_unbound op = { .dom = DOMID_SELF, .remote_dom = remote };
	int err = evtchn_op(EVTCHNOP_alloc_unbound, &op, sizeof(op));

	*port = op.port;
	return err;
}

static int sim_events_bind(struct events *e, uint16_t remote, uint32_t remote_port, uint32_t *port)
{
	struct evtchn_bind_interdomain op = { .remote_dom = remote, .remote_port = remote_port };
	int err = evtchn_op(EVTCHNOP_bind_interdomain, &op, sizeof(op));

	*port = op.local_port;
	return err;
}

static int sim_events_bind_virq(struct events *e, uint32_t virq, uint32_t *port)
{
	struct evtchn_bind_virq op = { .virq = virq };
	int err = evtchn_op(EVTCHNOP_bind_virq, &op, sizeof(op));

	*port = op.port;
	return err;
}

static int sim_events_unbind(struct events *e, uint32_t port)
{
	struct evtchn_close op = { port };

	return evtchn_op(EVTCHNOP_close, &op, sizeof(op));
}

static int sim_events_notify(struct events *e, uint32_t port)
{
	struct evtchn_send op = { port };

	return evtchn_op(EVTCHNOP_send, &op, sizeof(op));
}

static gva_t mask_word(uint32_t port)
{
	return gva(((uint64_t)SIM_SHARED_INFO_GFN << PAGE_SHIFT) +
		   offsetof(struct shared_info, evtchn_mask) + port / 64 * sizeof(uint64_t));
}

/* As the kernel's device does it: masked when it is handed out. dom0's shared_info is mapped. */
static int sim_events_pending(struct events *e, uint32_t *port)
{
	*port = sim_next_event(inproc_vcpu);
	if (*port)
		sim_check(sim_guest_or(inproc_vcpu, mask_word(*port), 1ul << *port % 64));
	return *port ? 1 : 0;
}

static int sim_events_unmask(struct events *e, uint32_t port)
{
	struct evtchn_unmask op = { port };

	return evtchn_op(EVTCHNOP_unmask, &op, sizeof(op));
}

static int sim_events_fd(struct events *e)
{
	return -1;
}

static const struct events_ops sim_events_ops = {
	.alloc = sim_events_alloc,
	.bind = sim_events_bind,
	.bind_virq = sim_events_bind_virq,
	.unbind = sim_events_unbind,
	.notify = sim_events_notify,
	.pending = sim_events_pending,
	.unmask = sim_events_unmask,
	.fd = sim_events_fd,
};

/* ---- grants ----------------------------------------------------------------------------------------------- */

static grant_handle_t grant_handle[MOST];

static void sim_grants_unmap(struct grants *g, void *p, unsigned n)
{
	struct gnttab_unmap_grant_ref *u = sim_buffer(NULL, sizeof(*u));
	const uint64_t arg[5] = { GNTTABOP_unmap_grant_ref, (uintptr_t)u, 1 };

	for (unsigned i = 0; i < n; i++) {
		/* Of a mapping that may not be written, nothing is copied back. */
		if (p)
			(void)!sim_guest_write(inproc_vcpu, foreign(i), mapped + i * PAGE_SIZE,
					       PAGE_SIZE);
		*u = (struct gnttab_unmap_grant_ref){ .host_addr = foreign(i).a,
						      .handle = grant_handle[i] };
		sim_check_equal(sim_op(NULL, __HYPERVISOR_grant_table_op, arg, 3), 0);
		sim_check_equal(u->status, GNTST_okay);
	}
	sim_free(NULL, u);
	free(mapped);
	mapped = NULL;
}

static void *sim_grants_map(struct grants *g, uint16_t domid, const uint32_t *ref, unsigned n,
			    bool writable)
{
	struct gnttab_map_grant_ref *m = sim_buffer(NULL, sizeof(*m));
	const uint64_t arg[5] = { GNTTABOP_map_grant_ref, (uintptr_t)m, 1 };
	unsigned done = 0;

	for (; done < n; done++) {
		*m = (struct gnttab_map_grant_ref){
			.host_addr = foreign(done).a,
			.flags = GNTMAP_host_map | (writable ? 0 : GNTMAP_readonly),
			.ref = ref[done],
			.dom = domid,
		};
		sim_check_equal(sim_op(NULL, __HYPERVISOR_grant_table_op, arg, 3), 0);
		if (m->status != GNTST_okay)
			break;
		grant_handle[done] = m->handle;
	}
	sim_free(NULL, m);
	if (done == n)
		return copy_in(n, writable);
	sim_grants_unmap(g, NULL, done);
	errno = EINVAL;
	return NULL;
}

static const struct grants_ops sim_grants_ops = { sim_grants_map, sim_grants_unmap, NULL };

#endif
