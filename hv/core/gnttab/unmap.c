/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GNTTABOP_unmap_grant_ref, unmap_and_replace, and the end of all maps of a dying domain. A handle tracks a host
 * and a device part, which may be undone one by one; with the last the grant's use ends and the handle
 * is free. The caller's addresses must be the handle's own, and only the mapping that the handle made is
 * removed: what has taken its place since stays.
 */
#include "internal.h"

#include <hv/err.h>

/* Handles looked at in one step of destruction, and handles undone. */
#define DESTROY_LOOK 512u
#define DESTROY_UNDO 16u

static int16_t check_addresses(const struct maptrack *mt, const struct unmap *u, uint32_t kinds)
{
	if ((kinds & GNTMAP_host_map) && u->host_addr >> PAGE_SHIFT != mt->gfn.n)
		return bad(GNTST_bad_virt_addr, refuse(R_GRANT_NOT_THERE, u->handle, mt->gfn.n,
						       u->host_addr >> PAGE_SHIFT));
	if ((kinds & GNTMAP_device_map) && u->bus_addr != mfn_to_paddr(mt->frame).a)
		return bad(GNTST_bad_dev_addr, refuse(R_GRANT_NOT_BUS, u->handle,
						      mfn_to_paddr(mt->frame).a, u->bus_addr));
	return GNTST_okay;
}

static void remove_host(struct domain *d, const struct maptrack *mt)
{
	enum p2m_type t = mt->flags & GNTMAP_readonly ? P2M_GRANT_RO : P2M_GRANT_RW;

	if (!p2m_remove_exact(d, mt->gfn, mt->frame, t))
		return; /* the guest has put something else there: nothing of ours is left */
}

/* `mt` is locked by its active entry `a`. *over: the handle is free now. */
static int16_t unmap_locked(struct domain *d, struct maptrack *mt, struct grant_frame *f,
			    struct grant_active *a, const struct unmap *u, bool *over)
    HOLDS(a->lock)
{
	uint32_t kinds = mt->flags & u->kinds;
	int16_t status;

	status = u->check ? check_addresses(mt, u, kinds) : GNTST_okay;
	if (status != GNTST_okay)
		return status;
	if (kinds & GNTMAP_host_map)
		remove_host(d, mt);
	mt->flags &= ~kinds;
	*over = !(mt->flags & MAP_KINDS);
	if (*over) {
		active_unpin(mt->owner, f, mt->ref, a, !(mt->flags & GNTMAP_readonly));
		write_once(&mt->owner, (struct domain *)NULL);
	}
	return GNTST_okay;
}

NO_LOCK_CHECK int16_t unmap_handle(struct domain *d, uint32_t vcpu, const struct unmap *u)
{
	struct maptrack *mt = maptrack_find(d, u->handle);
	struct domain *owner = NULL;
	struct grant_active *a;
	struct grant_frame *f;
	bool over = false;
	int16_t status;

	a = mt ? maptrack_lock(mt, &f) : NULL;
	if (!a)
		return bad(GNTST_bad_handle,
			   refuse(R_NO_SUCH_HANDLE, u->handle,
				  read_once(&d->gnttab.nr_maptrack) * MAPTRACK_PER_FRAME, d->id));
	owner = mt->owner;
	status = unmap_locked(d, mt, f, a, u, &over);
	lock_release(&a->lock);
	if (over) {
		maptrack_give(d, vcpu, u->handle);
		domain_put(owner);
	}
	return status;
}

void gnttab_unmap(struct vcpu *v, struct gnttab_unmap_grant_ref *op)
{
	const struct unmap u = {
		.handle = op->handle,
		.kinds = (op->host_addr ? GNTMAP_host_map : 0u) |
			 (op->dev_bus_addr ? GNTMAP_device_map : 0u),
		.host_addr = op->host_addr,
		.bus_addr = op->dev_bus_addr,
		.check = true,
	};

	op->status = unmap_handle(v->domain, v->id, &u);
}

/* What replaces the mapping is a page-table entry of a PV guest; here only "nothing" can. */
void gnttab_unmap_replace(struct vcpu *v, struct gnttab_unmap_and_replace *op)
{
	const struct unmap u = {
		.handle = op->handle,
		.kinds = op->host_addr ? GNTMAP_host_map : 0u,
		.host_addr = op->host_addr,
		.check = true,
	};

	if (op->new_addr)
		op->status = bad(GNTST_general_error,
				 refuse(R_GRANT_REPLACE, op->handle, 0, op->new_addr));
	else
		op->status = unmap_handle(v->domain, v->id, &u);
}

int gnttab_destroy_step(struct domain *d)
{
	uint32_t undone = 0;

	for (uint32_t n = 0; n < DESTROY_LOOK && undone < DESTROY_UNDO; n++) {
		const struct unmap u = { .handle = d->gnttab.destroy_next, .kinds = MAP_KINDS };
		const struct maptrack *mt = maptrack_find(d, u.handle);

		if (!mt)
			return 0;
		d->gnttab.destroy_next++;
		if (mt->owner && unmap_handle(d, 0, &u) == GNTST_okay)
			undone++;
	}
	return -ERR_RESTART;
}
