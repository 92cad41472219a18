/* SPDX-License-Identifier: Apache-2.0 */
/*
 * XENMEM_*: a domain's memory and what appears in its physical address space.
 *
 * Bulk operations are loops of small finished steps. The command carries, above its six bits, the number of
 * elements that are done; a loop that is interrupted writes it there and is entered again. The three
 * reservation operations answer with that number and never with an error: what stopped them is the reason that was kept.
 */
#include <hv/hypercall.h>

#include <arch/control.h>
#include <hv/domain.h>
#include <hv/err.h>
#include <hv/policy.h>
#include <hv/trace.h>
#include <xen/memory.h>

#define OP_BITS    6u
#define OP_MASK    ((1u << OP_BITS) - 1)
#define START(a)   ((a)[0] >> OP_BITS)

/*
 * The largest extent is what can be cleared in one step. Xen lets a controlling domain have more by default, but it is
 * an option there (memop-max-order), so that tools which ask for 1 GiB go on with 2 MiB when that is refused.
 */
#define MAX_EXTENT ORDER_2M

static int64_t restart(uint64_t *a, uint64_t done)
{
	a[0] = (a[0] & OP_MASK) | done << OP_BITS;
	return -ERR_RESTART;
}

/* Operations without a list take no start extent. */
static int no_start(const uint64_t *a)
{
	return START(a) ? refuse(R_BAD_START_EXTENT, a[0] & OP_MASK, 0, START(a)) : 0;
}

int memory_find_domain(struct vcpu *v, domid_t id, struct domain **d)
{
	*d = domain_find(id);
	if (!*d)
		return refuse(R_NO_SUCH_DOMAIN, id, 0, 0);
	return policy_memory(v->domain, *d);
}

/* ---- reservations ---------------------------------------------------------------------------- */

/* XENMEMF_*: an address limit means below 4 GiB; the node is the domain's own. */
static int alloc_flags(uint32_t mem_flags, unsigned *flags)
{
	unsigned bits = XENMEMF_get_address_bits(mem_flags);

	*flags = 0;
	if (bits == 0 || bits >= 64 || frame_max() <= (uint64_t)1 << (bits > 12 ? bits - 12 : 0))
		return 0;
	if (bits < 32)
		return refuse(R_BAD_ADDRESS_BITS, 0, 32, bits);
	*flags = ALLOC_LOW4G;
	return 0;
}

static int one_extent(unsigned op, struct domain *d, gfn_t g, unsigned order, unsigned flags)
{
	switch (op) {
	case XENMEM_populate_physmap: return domain_populate(d, &g, order, flags);
	case XENMEM_decrease_reservation: return domain_depopulate(d, g, order);
	default: return refuse(R_INCREASE_UNMAPPED, d->id, 0, 0);
	}
}

static int check_reservation(struct vcpu *v, const struct xen_memory_reservation *r, uint64_t start,
			     struct domain **d, unsigned *flags)
{
	int err;

	if (r->nr_extents > UINT32_MAX >> OP_BITS)
		return refuse(R_TOO_MANY_EXTENTS, 0, UINT32_MAX >> OP_BITS, r->nr_extents);
	if (start > r->nr_extents)
		return refuse(R_EXTENT_BEYOND, 0, r->nr_extents, start);
	err = memory_find_domain(v, r->domid, d);
	if (err)
		return err;
	err = alloc_flags(r->mem_flags, flags);
	if (err)
		return err;
	if (r->extent_order > MAX_EXTENT)
		return refuse(R_BAD_ORDER, v->domain->id, MAX_EXTENT, r->extent_order);
	return 0;
}

static int64_t reservation(struct vcpu *v, uint64_t *a)
{
	struct xen_memory_reservation r;
	uint64_t start = START(a), i;
	struct domain *d;
	unsigned flags;

	if (guest_get(v, &r, gva(a[1])) || check_reservation(v, &r, start, &d, &flags))
		return (int64_t)start;
	for (i = start; i < r.nr_extents; i++) {
		gva_t at = gva_add(handle_gva(r.extent_start), i * sizeof(xen_pfn_t));
		xen_pfn_t pfn;

		if (i != start && hypercall_preempt(v))
			return restart(a, i);
		if (guest_get(v, &pfn, at) ||
		    one_extent(a[0] & OP_MASK, d, gfn(pfn), r.extent_order, flags))
			break;
	}
	return (int64_t)i;
}

static int64_t claim(struct vcpu *v, uint64_t *a)
{
	struct xen_memory_reservation r;
	struct domain *d;
	int err = no_start(a);

	if (err)
		return err;
	err = guest_get(v, &r, gva(a[1]));
	if (err)
		return err;
	if (handle_gva(r.extent_start).a)
		return refuse(R_BAD_CLAIM, 0, handle_gva(r.extent_start).a, 0);
	if (r.extent_order)
		return refuse(R_BAD_CLAIM, 2, r.extent_order, 0);
	if (r.mem_flags)
		return refuse(R_BAD_CLAIM, 3, r.mem_flags, 0);
	d = domain_find(r.domid);
	if (!d)
		return refuse(R_CLAIM_NO_DOMAIN, r.domid, 0, 0);
	err = policy_domctl(v->domain, NULL, XENMEM_claim_pages);
	return err ? err : domain_mem_claim(d, r.nr_extents);
}

/* XENMEM_exchange trades machine frames, which only guests without translation see. */
static int64_t exchange(struct vcpu *v, uint64_t *a)
{
	struct xen_memory_exchange x;
	struct domain *d;
	int err = no_start(a);

	if (err)
		return err;
	err = guest_get(v, &x, gva(a[1]));
	if (err)
		return err;
	err = memory_find_domain(v, x.in.domid, &d);
	return err ? err : refuse(R_TRANSLATED_ONLY, XENMEM_exchange, 0, 0);
}

/* ---- numbers --------------------------------------------------------------------------------- */

static int64_t query(struct vcpu *v, uint64_t *a)
{
	struct xen_memory_domain q;
	struct domain *d;
	int err = no_start(a);

	if (err)
		return err;
	err = guest_get(v, &q, gva(a[1]));
	if (err)
		return err;
	err = memory_find_domain(v, q.domid, &d);
	if (err)
		return err;
	switch (a[0] & OP_MASK) {
	case XENMEM_current_reservation: return (int64_t)read_once(&d->mem.used);
	case XENMEM_maximum_reservation: return (int64_t)read_once(&d->mem.max);
	default: return (int64_t)read_once(&d->p2m.max_gfn.n);
	}
}

static int64_t vnuma(struct vcpu *v, uint64_t *a)
{
	struct xen_vnuma_topology_info t;
	struct domain *d;
	int err;

	err = guest_get(v, &t, gva(a[1]));
	if (err)
		return err;
	err = memory_find_domain(v, t.domid, &d);
	return err ? err : refuse(R_NO_VNUMA, d->id, 0, 0);
}

/* ---- what appears at a gfn ------------------------------------------------------------------- */

/*
 * Show `m` at `g`, taking over the caller's reference, which is dropped on refusal. Grants stay where they are until
 * they are unmapped by handle.
 */
static int show(struct domain *d, gfn_t g, mfn_t m, enum p2m_type t)
{
	enum p2m_type now = p2m_lookup(d, g).type;
	int err;

	if (now == P2M_GRANT_RW || now == P2M_GRANT_RO)
		err = refuse(R_GFN_IS_GRANT, g.n, 0, 0);
	else
		err = p2m_change(d, g, m, 0, t);
	if (err)
		frame_put(m);
	return err;
}

/* A frame of the hypervisor's own. */
static int show_ours(struct domain *d, gfn_t g, mfn_t m)
{
	domid_t owner;

	/* It goes with the domain that it belongs to. */
	if (!frame_get_any(m, &owner))
		return refuse(R_DOMAIN_DYING, d->id, 0, 0);
	return show(d, g, m, P2M_SHARED);
}

static int show_grant_table(struct domain *d, uint64_t index, gfn_t g)
{
	mfn_t m;
	int err;

	if (index >= d->gnttab.max_frames)
		return refuse(R_RESOURCE_RANGE, index, d->gnttab.max_frames, 1);
	err = gnttab_shared_frame(d, (uint32_t)index, &m);
	if (err)
		return err;
	err = show_ours(d, g, m);
	if (!err)
		frame_set_gfn(m, g);
	return err;
}

/* Frames of the hypervisor's own that a toolstack reads: trace rings. */
static int show_trace(struct domain *d, mfn_t m, gfn_t g)
{
	domid_t owner;
	int err = policy_sysctl(d, XENMEM_add_to_physmap_batch);

	if (err)
		return err;
	if (!trace_frame_shared(m) || !frame_get_any(m, &owner))
		return refuse(R_FOREIGN_NOT_RAM, m.n, 0, DOMID_XEN);
	return show(d, g, m, P2M_FOREIGN);
}

static int show_foreign(struct domain *d, domid_t from, gfn_t there, gfn_t g)
{
	/* DOMID_SELF is a domain and then the wrong one; its number is none. */
	struct domain *other = from == d->id ? NULL : domain_find(from);
	mfn_t m;
	int err;

	if (from == DOMID_XEN)
		return show_trace(d, mfn(there.n), g);
	if (!other)
		return refuse(R_NO_SUCH_DOMAIN, from, 0, 0);
	if (other == d)
		return refuse(R_FOREIGN_SELF, d->id, 0, 0);
	err = policy_memory(d, other);
	if (err)
		return err;
	if (p2m_get_frame(other, there, true, &m))
		return refuse(R_FOREIGN_NOT_RAM, there.n, 0, other->id);
	return show(d, g, m, P2M_FOREIGN);
}

/* Device registers that the domain already has at their own number may appear once more elsewhere. */
static int show_mmio(struct vcpu *v, struct domain *d, uint64_t index, gfn_t g)
{
	struct p2m_entry e = p2m_lookup(d, gfn(index));
	int err;

	err = policy_hardware(v->domain, XENMEM_add_to_physmap_batch);
	if (err)
		return err;
	if (e.type != P2M_MMIO_DIRECT || e.mfn.n != index)
		return refuse(R_MMIO_NOT_PERMITTED, index, 0, d->id);
	return p2m_change(d, g, e.mfn, 0, P2M_MMIO_DIRECT);
}

static int add_one(struct vcpu *v, struct domain *d, unsigned space, domid_t foreign,
		   uint64_t index, gfn_t g)
{
	switch (space) {
	case XENMAPSPACE_shared_info:
		if (index)
			return refuse(R_BAD_SHARED_INFO_INDEX, 0, 0, index);
		return show_ours(d, g, d->shared_info_mfn);
	case XENMAPSPACE_grant_table: return show_grant_table(d, index, g);
	case XENMAPSPACE_gmfn_foreign: return show_foreign(d, foreign, gfn(index), g);
	case XENMAPSPACE_dev_mmio: return show_mmio(v, d, index, g);
	/* XENMAPSPACE_gmfn moves RAM: x86 firmware only; Arm has never had it. */
	default: return refuse(R_SPACE_NOT_IMPLEMENTED, space, 0, 0);
	}
}

int memory_add_to_physmap(struct vcpu *v, const struct xen_add_to_physmap *x)
{
	struct domain *d;
	int err;

	/* Whose page it is can only be said in a batch. */
	if (x->space == XENMAPSPACE_gmfn_foreign)
		return refuse(R_SPACE_NOT_IMPLEMENTED, x->space, 0, 0);
	err = memory_find_domain(v, x->domid, &d);
	if (err)
		return err;
	return add_one(v, d, x->space, DOMID_INVALID, x->idx, gfn(x->gpfn));
}

static int64_t add_to_physmap(struct vcpu *v, uint64_t *a)
{
	struct xen_add_to_physmap x;
	int err;

	err = guest_get(v, &x, gva(a[1]));
	return err ? err : memory_add_to_physmap(v, &x);
}

/* One element: its result goes into its place of the list. */
static int batch_one(struct vcpu *v, struct domain *d, const struct xen_add_to_physmap_batch *b,
		     uint64_t i)
{
	gva_t errs = gva_add(handle_gva(b->errs), i * sizeof(int));
	xen_ulong_t index;
	xen_pfn_t pfn;
	int err, result;

	err = guest_get(v, &index, gva_add(handle_gva(b->idxs), i * sizeof(index)));
	if (err)
		return err;
	err = guest_get(v, &pfn, gva_add(handle_gva(b->gpfns), i * sizeof(pfn)));
	if (err)
		return err;
	err = guest_writable(v, errs, sizeof(result));
	if (err)
		return err;
	result = add_one(v, d, b->space, b->u.foreign_domid, index, gfn(pfn));
	return guest_put(v, errs, &result);
}

static int64_t add_to_physmap_batch(struct vcpu *v, uint64_t *a)
{
	struct xen_add_to_physmap_batch b;
	uint64_t i = START(a);
	struct domain *d;
	int err;

	err = guest_get(v, &b, gva(a[1]));
	if (err)
		return err;
	if (b.space == XENMAPSPACE_gmfn_range)
		return refuse(R_SPACE_NOT_BATCHED, b.space, 0, 0);
	err = memory_find_domain(v, b.domid, &d);
	if (err)
		return err;
	if (i > b.size || (i && i == b.size))
		return refuse(R_EXTENT_BEYOND, 0, b.size, i);
	if (b.space == XENMAPSPACE_dev_mmio && b.u.res0)
		return refuse(R_RESERVED_UNSUPPORTED, 0, 0, b.u.res0);
	while (i < b.size) {
		err = batch_one(v, d, &b, i);
		if (err)
			return err;
		if (++i < b.size && hypercall_preempt(v))
			return restart(a, i);
	}
	return 0;
}

static int64_t remove_from_physmap(struct vcpu *v, uint64_t *a)
{
	struct xen_remove_from_physmap x;
	int err = no_start(a);

	if (!err)
		err = guest_get(v, &x, gva(a[1]));
	return err ? err : memory_remove_from_physmap(v, &x);
}

int memory_remove_from_physmap(struct vcpu *v, const struct xen_remove_from_physmap *x)
{
	struct p2m_entry e;
	struct domain *d;
	int err;

	err = memory_find_domain(v, x->domid, &d);
	if (err)
		return err;
	e = p2m_lookup(d, gfn(x->gpfn));
	if (p2m_type_is_ram(e.type))
		return domain_depopulate(d, gfn(x->gpfn), 0);
	/* Only what was seen: RAM that another vCPU has put there since would be lost to its owner. */
	if ((e.type == P2M_FOREIGN || e.type == P2M_SHARED) &&
	    p2m_remove_exact(d, gfn(x->gpfn), e.mfn, e.type))
		return 0;
	return refuse(R_NOTHING_MAPPED, x->gpfn, 0, 0);
}

/* ---- resources ------------------------------------------------------------------------------- */

static uint32_t resource_frames(const struct domain *d, const struct xen_mem_acquire_resource *r)
{
	if (r->type == XENMEM_resource_grant_table && r->id == XENMEM_resource_grant_table_id_shared)
		return d->gnttab.max_frames;
	return 0;
}

/* Map the next frames of `d`'s grant table where the caller's list says. */
static int64_t map_resource(struct vcpu *v, struct domain *d,
			    const struct xen_mem_acquire_resource *r, uint32_t max, uint64_t *a)
{
	uint64_t i = START(a);
	int err;

	if (r->frame > max || r->nr_frames > max - r->frame)
		return refuse(R_RESOURCE_RANGE, r->frame, max, r->nr_frames);
	if (i && i >= r->nr_frames)
		return refuse(R_EXTENT_BEYOND, 0, r->nr_frames, i);
	while (i < r->nr_frames) {
		xen_pfn_t pfn;
		mfn_t m;

		err = guest_get(v, &pfn, gva_add(handle_gva(r->frame_list), i * sizeof(pfn)));
		if (err)
			return err;
		err = gnttab_shared_frame(d, (uint32_t)(r->frame + i), &m);
		if (!err)
			err = show_ours(v->domain, gfn(pfn), m);
		if (err)
			return i ? refuse(R_RESOURCE_PARTIAL, i, r->nr_frames, 0) : err;
		if (++i < r->nr_frames && hypercall_preempt(v))
			return restart(a, i);
	}
	return 0;
}

static int64_t acquire_resource(struct vcpu *v, uint64_t *a)
{
	struct xen_mem_acquire_resource r;
	struct domain *d;
	uint32_t max;
	int err;

	err = guest_get(v, &r, gva(a[1]));
	if (err)
		return err;
	if (r.pad)
		return refuse(R_RESERVED_FIELD, 0, 0, r.pad);
	d = r.domid == DOMID_SELF ? NULL : domain_find(r.domid);
	if (!d)
		return refuse(R_NO_SUCH_DOMAIN, r.domid, 0, 0);
	if (d == v->domain)
		return refuse(R_RESOURCE_SELF, d->id, 0, 0);
	err = policy_memory(v->domain, d);
	if (err)
		return err;
	max = resource_frames(d, &r);
	if (!max)
		return refuse(R_NO_SUCH_RESOURCE, r.type, d->id, r.id);
	if (handle_gva(r.frame_list).a)
		return map_resource(v, d, &r, max, a);
	if (r.nr_frames || START(a))
		return refuse(R_RESOURCE_RANGE, r.frame, max, r.nr_frames);
	r.nr_frames = max;
	return guest_put(v, gva_add(gva(a[1]), offsetof(struct xen_mem_acquire_resource, nr_frames)),
			 &r.nr_frames);
}

/* ---------------------------------------------------------------------------------------------- */

int64_t abi_memory_op(struct vcpu *v, uint64_t *a)
{
	unsigned op = a[0] & OP_MASK;
	int err;

	switch (op) {
	case XENMEM_increase_reservation:
	case XENMEM_decrease_reservation:
	case XENMEM_populate_physmap: return reservation(v, a);
	case XENMEM_exchange: return exchange(v, a);
	case XENMEM_maximum_ram_page: err = no_start(a); return err ? err : (int64_t)frame_max();
	case XENMEM_current_reservation:
	case XENMEM_maximum_reservation:
	case XENMEM_maximum_gpfn: return query(v, a);
	case XENMEM_add_to_physmap: return add_to_physmap(v, a);
	case XENMEM_add_to_physmap_batch: return add_to_physmap_batch(v, a);
	case XENMEM_remove_from_physmap: return remove_from_physmap(v, a);
	case XENMEM_claim_pages: return claim(v, a);
	case XENMEM_acquire_resource: return acquire_resource(v, a);
	case XENMEM_get_vnumainfo: return vnuma(v, a);
	case XENMEM_get_sharing_freed_pages:
	case XENMEM_get_sharing_shared_pages: return 0;
	default: err = no_start(a); return err ? err : arch_memory_op(v, op, gva(a[1]));
	}
}
