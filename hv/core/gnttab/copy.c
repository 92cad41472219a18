/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GNTTABOP_copy: the hypervisor moves bytes within one page to another. Each side is a grant, used as by a
 * map for the moment of the copy, or a page of the caller itself. No lock is held while bytes move:
 * the uses hold the frames.
 */
#include "internal.h"

#include <arch/memory.h>
#include <hv/policy.h>

/* One end of a copy: a held frame. */
struct side {
	mfn_t frame;
	struct domain *owner; /* of the grant, counted; NULL: a page of the caller */
	struct grant_frame *f;
	struct grant_active *a;
	uint32_t ref;
	bool write;
};

static int16_t hold_grant(struct domain *d, const struct gnttab_copy_ptr *p, struct side *s)
{
	int16_t status;

	s->ref = p->u.ref;
	s->owner = domain_get(p->domid);
	if (!s->owner)
		return bad(GNTST_bad_domain, refuse(R_NO_SUCH_DOMAIN, p->domid, 0, 0));
	status = GNTST_permission_denied;
	if (policy_grant(d, s->owner))
		goto fail;
	status = active_get(s->owner, s->ref, &s->f, &s->a);
	if (status != GNTST_okay)
		goto fail;
	lock_take(&s->a->lock);
	status = active_pin(s->owner, s->f, s->ref, s->a, d, s->write);
	s->frame = s->a->frame;
	lock_release(&s->a->lock);
	if (status == GNTST_okay)
		return status;
fail:
	domain_put(s->owner);
	return status;
}

static int16_t hold_side(struct domain *d, const struct gnttab_copy_ptr *p, bool gref, bool write,
			 struct side *s)
{
	*s = (struct side){ .write = write };
	if (gref)
		return hold_grant(d, p, s);
	if (p->domid != DOMID_SELF)
		return bad(GNTST_permission_denied,
			   refuse(R_GRANT_COPY_FOREIGN, p->domid, 0, p->u.gmfn));
	return p2m_get_frame(d, gfn(p->u.gmfn), write, &s->frame) ? GNTST_bad_page : GNTST_okay;
}

static void release_side(struct side *s)
{
	if (!s->owner) {
		frame_put(s->frame);
		return;
	}
	lock_take(&s->a->lock);
	active_unpin(s->owner, s->f, s->ref, s->a, s->write);
	lock_release(&s->a->lock);
	domain_put(s->owner);
}

/* Source and destination may be the same page. */
static void copy_bytes(const struct side *to, unsigned to_at, const struct side *from,
		       unsigned from_at, unsigned n)
{
	char *src = arch_frame_map(from->frame);
	char *dst = arch_frame_map(to->frame);

	copy_racing(dst + to_at, src + from_at, n);
	arch_frame_unmap(dst);
	arch_frame_unmap(src);
}

static int16_t check_range(const struct gnttab_copy *op)
{
	if (op->source.offset + op->len > PAGE_SIZE)
		return bad(GNTST_bad_copy_arg,
			   refuse(R_GRANT_COPY_RANGE, op->source.offset, PAGE_SIZE, op->len));
	if (op->dest.offset + op->len > PAGE_SIZE)
		return bad(GNTST_bad_copy_arg,
			   refuse(R_GRANT_COPY_RANGE, op->dest.offset, PAGE_SIZE, op->len));
	return GNTST_okay;
}

static int16_t copy(struct domain *d, const struct gnttab_copy *op)
{
	struct side from, to;
	int16_t status;

	status = check_range(op);
	if (status != GNTST_okay)
		return status;
	status = hold_side(d, &op->source, op->flags & GNTCOPY_source_gref, false, &from);
	if (status != GNTST_okay)
		return status;
	status = hold_side(d, &op->dest, op->flags & GNTCOPY_dest_gref, true, &to);
	if (status == GNTST_okay) {
		copy_bytes(&to, op->dest.offset, &from, op->source.offset, op->len);
		release_side(&to);
	}
	release_side(&from);
	return status;
}

void gnttab_copy_one(struct vcpu *v, struct gnttab_copy *op)
{
	op->status = copy(v->domain, op);
}
