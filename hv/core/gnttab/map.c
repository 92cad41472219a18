/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GNTTABOP_map_grant_ref: use another domain's page. One element locks one active entry; the entry's
 * mark in guest memory, the count, the second-stage mapping and the handle come together under it or
 * not at all.
 *
 * References: the active entry holds the frame while anybody uses the grant; the second-stage mapping
 * holds it once more, so a guest that replaces the mapping by other means loses nothing but its own
 * view. What was mapped stays when its owner dies, until it is unmapped.
 *
 * Devices: no IOMMU translates for a guest yet, so a device is given machine addresses; a direct-mapped domain gets
 * them from every map (Linux programs DMA with them) and others when they ask (GNTMAP_device_map).
 * The second stage gets no 1:1 mapping beside the one asked for: no device walks it. Once a
 * domain has an IOMMU context, the context is what needs the 1:1 mapping, counted per frame.
 */
#include "internal.h"

#include <hv/err.h>
#include <hv/policy.h>

#define MAP_FLAGS (MAP_KINDS | (uint32_t)GNTMAP_readonly)

static int16_t map_host(struct domain *d, struct domain *owner, gfn_t g, mfn_t m, bool write)
{
	int err;

	/* The mapping's own reference. */
	if (!frame_get(m, owner))
		return bad(GNTST_bad_page, refuse(R_GRANT_FRAME_GONE, owner->id, 0, m.n));
	err = p2m_change(d, g, m, 0, write ? P2M_GRANT_RW : P2M_GRANT_RO);
	if (!err)
		return GNTST_okay;
	frame_put(m);
	return err == -ENOMEM ? GNTST_no_space : GNTST_bad_virt_addr;
}

/* Everything once names are resolved and a handle is there. The owner's reference goes to the handle. */
static int16_t map_grant(struct domain *d, struct domain *owner, struct gnttab_map_grant_ref *op,
			 uint32_t handle)
{
	bool write = !(op->flags & GNTMAP_readonly);
	gfn_t g = gpa_to_gfn(gpa(op->host_addr));
	struct grant_active *a;
	struct grant_frame *f;
	struct maptrack *mt;
	int16_t status;

	status = active_get(owner, op->ref, &f, &a);
	if (status != GNTST_okay)
		return status;
	lock_take(&a->lock);
	status = active_pin(owner, f, op->ref, a, d, write);
	if (status != GNTST_okay)
		goto out;
	if (op->flags & GNTMAP_host_map) {
		status = map_host(d, owner, g, a->frame, write);
		if (status != GNTST_okay) {
			active_unpin(owner, f, op->ref, a, write);
			goto out;
		}
	}
	mt = maptrack_at(d, handle);
	write_once(&mt->frame.n, a->frame.n);
	mt->gfn = g;
	mt->flags = op->flags;
	write_once(&mt->ref, op->ref);
	rcu_store(&mt->owner, owner);
	op->handle = handle;
	op->dev_bus_addr = d->direct_map || (op->flags & GNTMAP_device_map)
			       ? mfn_to_paddr(a->frame).a
			       : 0;
out:
	lock_release(&a->lock);
	return status;
}

static int16_t map(struct vcpu *v, struct gnttab_map_grant_ref *op)
{
	struct domain *d = v->domain, *owner;
	uint32_t handle;
	int16_t status;

	if (!(op->flags & MAP_KINDS))
		return bad(GNTST_bad_gntref,
			   refuse(R_GRANT_MAP_NOTHING, op->ref, MAP_KINDS, op->flags));
	if (op->flags & ~MAP_FLAGS)
		return bad(GNTST_general_error,
			   refuse(R_GRANT_MAP_FLAGS, op->ref, MAP_FLAGS, op->flags));
	owner = domain_get(op->dom);
	if (!owner)
		return bad(GNTST_bad_domain, refuse(R_NO_SUCH_DOMAIN, op->dom, 0, 0));
	status = GNTST_permission_denied;
	if (policy_grant(d, owner))
		goto out;
	status = GNTST_no_space;
	if (!maptrack_take(d, v->id, &handle))
		goto out;
	status = map_grant(d, owner, op, handle);
	if (status == GNTST_okay)
		return status;
	maptrack_give(d, v->id, handle);
out:
	domain_put(owner);
	return status;
}

void gnttab_map(struct vcpu *v, struct gnttab_map_grant_ref *op)
{
	op->status = map(v, op);
}
