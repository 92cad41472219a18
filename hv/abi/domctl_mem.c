/* SPDX-License-Identifier: Apache-2.0 */
/* XEN_DOMCTL_*: how much memory a domain may have, what it pays its tables from, and what of the machine it may map. */
#include "ctlmap.h"
#include "domctl.h"

#include <arch/memory.h>
#include <hv/control.h>
#include <hv/domain.h>
#include <hv/err.h>

#define KIB_FRAMES(kib) ((kib) >> (PAGE_SHIFT - 10))
/* As far as Xen's page orders go: no caller wants more at once. */
#define FLUSH_MAX       (1u << MAX_ORDER)
#define MAPPING_MAX     64u
#define FRAME_INFO_MAX  1024u
#define FRAME_INFO_STEP 32u

/* A limit and no promise: that is what XENMEM_claim_pages is for. */
int domctl_max_mem(struct domctl_call *c)
{
	domain_mem_limit(c->d, KIB_FRAMES(c->op.u.max_mem.max_memkb));
	return 0;
}

/* ---- the pool for page tables ---------------------------------------------------------------------- */

int domctl_get_paging_pool(struct domctl_call *c)
{
	struct domain *d = c->d;

	lock_take(&d->lock);
	c->op.u.paging_mempool.size = (uint64_t)(read_once(&d->pool.ceiling) - d->pool_base)
				      << PAGE_SHIFT;
	lock_release(&d->lock);
	c->answer = true;
	return 0;
}

/* The toolstack's share comes on top of what everything else of the domain can need. */
int domctl_set_paging_pool(struct domctl_call *c)
{
	uint64_t size = c->op.u.paging_mempool.size;
	struct domain *d = c->d;
	int err;

	if (size & ~PAGE_MASK || size >> PAGE_SHIFT > INT32_MAX - d->pool_base)
		return refuse(R_POOL_SIZE, d->id, PAGE_SIZE, size);
	lock_take(&d->lock);
	err = pool_resize(&d->pool, d->pool_base + (uint32_t)(size >> PAGE_SHIFT));
	lock_release(&d->lock);
	return err;
}

/* ---- caches ------------------------------------------------------------------------------------------ */

static void flush_frame(struct domain *d, gfn_t g)
{
	void *va;
	mfn_t m;

	if (p2m_get_frame(d, g, false, &m))
		return; /* nothing there: nothing cached of it */
	va = arch_frame_map(m);
	arch_clean_invalidate_dcache(va, PAGE_SIZE);
	arch_frame_unmap(va);
	frame_put(m);
}

/* What the builder wrote through its caches must be in memory before a guest starts with its own off. */
int domctl_cacheflush(struct domctl_call *c)
{
	uint64_t start = c->op.u.cacheflush.start_pfn, n = c->op.u.cacheflush.nr_pfns;
	uint64_t done = control_progress(c->a, 0);

	if (n > FLUSH_MAX || start + n < start)
		return refuse(R_CACHEFLUSH_RANGE, start, FLUSH_MAX, n);
	while (done < n) {
		flush_frame(c->d, gfn(start + done));
		if (++done < n && hypercall_preempt(c->v))
			return domctl_again(c, done);
	}
	return 0;
}

/* ---- what is where ------------------------------------------------------------------------------------ */

/*
 * What each gfn is, in the words of guests without translation: RAM, or nothing. Who looks through all of a domain asks about holes of many gigabytes, one frame
 * after the other: the tables are walked once for as much of a hole as one of their entries covers.
 */
static void frame_info(struct domain *d, xen_pfn_t *list, unsigned n)
{
	uint64_t hole = 0, span = 0;

	for (unsigned i = 0; i < n; i++) {
		const uint64_t g = list[i];
		struct p2m_entry e;

		list[i] = XEN_DOMCTL_PFINFO_XTAB;
		if (g - hole < span)
			continue;
		e = p2m_lookup(d, gfn(g));
		if (p2m_type_is_ram(e.type)) {
			list[i] = XEN_DOMCTL_PFINFO_NOTAB;
		} else if (e.type == P2M_NONE) {
			span = 1ull << e.order;
			hole = g & ~(span - 1);
		}
	}
}

int domctl_frame_info(struct domctl_call *c)
{
	struct xen_domctl_getpageframeinfo3 *f = &c->op.u.getpageframeinfo3;
	uint64_t done = control_progress(c->a, 0);

	if (f->num > FRAME_INFO_MAX)
		return refuse(R_FRAME_INFO_RANGE, c->d->id, FRAME_INFO_MAX, f->num);
	while (done < f->num) {
		gva_t at = gva_add(handle_gva(f->array), done * sizeof(xen_pfn_t));
		const uint64_t left = f->num - done;
		const uint64_t n = left < FRAME_INFO_STEP ? left : FRAME_INFO_STEP;
		xen_pfn_t list[FRAME_INFO_STEP];
		int err = guest_read(c->v, list, at, n * sizeof(list[0]));

		if (err)
			return err;
		frame_info(c->d, list, (unsigned)n);
		err = guest_write(c->v, at, list, n * sizeof(list[0]));
		if (err)
			return err;
		done += n;
		if (done < f->num && hypercall_preempt(c->v))
			return domctl_again(c, done);
	}
	return 0;
}

/* ---- the machine's devices ------------------------------------------------------------------------------ */

static bool range_ok(uint64_t first, uint64_t n, unsigned address_bits)
{
	return n && first + n - 1 >= first && !((first + n - 1) >> (address_bits - PAGE_SHIFT));
}

/*
 * A domain may map device registers when it has been permitted to; who may give the permission must have them
 * itself. Devices of other domains than dom0 come by boot-time assignment, so nothing is kept here yet: taking
 * permission away is always done, giving it is refused.
 */
int domctl_iomem_permission(struct domctl_call *c)
{
	const struct xen_domctl_iomem_permission *p = &c->op.u.iomem_permission;

	if (!range_ok(p->first_mfn, p->nr_mfns, 52))
		return refuse(R_IOMEM_RANGE, p->first_mfn, 52, p->nr_mfns);
	return p->allow_access ? refuse(R_NO_PASSTHROUGH, c->d->id, 0, p->first_mfn) : 0;
}

int domctl_irq_permission(struct domctl_call *c)
{
	const struct xen_domctl_irq_permission *p = &c->op.u.irq_permission;

	return p->allow_access ? refuse(R_NO_PASSTHROUGH, c->d->id, 0, p->pirq) : 0;
}

int domctl_memory_mapping(struct domctl_call *c)
{
	const struct xen_domctl_memory_mapping *m = &c->op.u.memory_mapping;

	if (m->first_mfn + m->nr_mfns - 1 < m->first_mfn ||
	    m->first_gfn + m->nr_mfns - 1 < m->first_gfn)
		return refuse(R_IOMEM_RANGE, m->first_mfn, 52, m->nr_mfns);
	if (m->nr_mfns > MAPPING_MAX)
		return refuse(R_MAPPING_TOO_LONG, m->first_mfn, MAPPING_MAX, m->nr_mfns);
	return refuse(R_MMIO_NOT_PERMITTED, m->first_mfn, 0, c->d->id);
}

/* ---- NUMA ----------------------------------------------------------------------------------------------- */

/* There is one node, and all memory is on it. */
int domctl_node_affinity(struct domctl_call *c)
{
	const struct xenctl_bitmap *map = &c->op.u.nodeaffinity.nodemap;
	struct cpuset nodes = { .bits = { 1 } };
	int err;

	if (c->op.cmd == XEN_DOMCTL_getnodeaffinity)
		return ctlmap_put(c->v, map, &nodes);
	err = ctlmap_get(c->v, &nodes, map);
	if (!err && !(nodes.bits[0] & 1))
		err = refuse(R_NO_SUCH_NODE, c->d->id, 0, nodes.bits[0]);
	return err;
}
