/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GNTTABOP_cache_flush: cache maintenance by machine address, for a guest whose devices do not snoop. The
 * page must be the caller's own or one that it maps by grant now; the latter is looked for among its handles,
 * a frame of them at a time. Invalidating always cleans as well: a guest must not be able to
 * drop what somebody else has just written.
 */
#include "internal.h"

#include <arch/memory.h>
#include <hv/err.h>
#include <hv/hypercall.h>

static void flush(mfn_t m, const struct gnttab_cache_flush *op)
{
	char *va = arch_frame_map(m);

	if (op->op & GNTTAB_CACHE_INVAL)
		arch_clean_invalidate_dcache(va + op->offset, op->length);
	else
		arch_clean_dcache(va + op->offset, op->length);
	arch_frame_unmap(va);
}

/* Flush if the handle maps the frame: its lock keeps it so. */
NO_LOCK_CHECK static bool flush_handle(struct maptrack *mt, mfn_t m,
				       const struct gnttab_cache_flush *op)
{
	struct grant_active *a;
	struct grant_frame *f;
	bool found;

	if (read_once(&mt->frame.n) != m.n)
		return false;
	a = maptrack_lock(mt, &f);
	if (!a)
		return false;
	found = mfn_eq(mt->frame, m);
	if (found)
		flush(m, op);
	lock_release(&a->lock);
	return found;
}

static int flush_granted(struct vcpu *v, mfn_t m, const struct gnttab_cache_flush *op,
			 uint32_t *from)
{
	struct domain *d = v->domain;
	uint32_t frames = load_acquire(&d->gnttab.nr_maptrack);

	for (; *from < frames; ++*from) {
		uint32_t first = *from * MAPTRACK_PER_FRAME;

		for (uint32_t i = 0; i < MAPTRACK_PER_FRAME; i++)
			if (flush_handle(maptrack_find(d, first + i), m, op))
				return 0;
		if (hypercall_preempt(v))
			return -ERR_RESTART;
	}
	return refuse(R_FLUSH_NOT_GRANTED, m.n << PAGE_SHIFT, 0, d->id);
}

int gnttab_cache_flush(struct vcpu *v, const struct gnttab_cache_flush *op, uint32_t *from)
{
	mfn_t m = paddr_to_mfn(paddr(op->a.dev_bus_addr));
	int err;

	if (op->offset >= PAGE_SIZE || op->length > PAGE_SIZE ||
	    (uint32_t)op->offset + op->length > PAGE_SIZE)
		return refuse(R_FLUSH_RANGE, op->offset, PAGE_SIZE, op->length);
	if (op->length == 0 || op->op == 0)
		return 0;
	if (op->op & ~(GNTTAB_CACHE_CLEAN | GNTTAB_CACHE_INVAL))
		return refuse(R_FLUSH_BY_REF, op->op, GNTTAB_CACHE_CLEAN | GNTTAB_CACHE_INVAL, 0);
	if (!frame_valid(m))
		return refuse(R_FLUSH_NOT_RAM, op->a.dev_bus_addr, 0, 0);
	if (!frame_get(m, v->domain)) {
		err = flush_granted(v, m, op, from);
		if (err != -ERR_RESTART)
			*from = 0;
		return err;
	}
	flush(m, op);
	frame_put(m);
	return 0;
}
