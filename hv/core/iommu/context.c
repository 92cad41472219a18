/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The context of one domain: made with the domain, before it has memory; gone before its memory is. The structure and its
 * tables are frames of the domain's pool.
 */
#include "iommu.h"

#include <hv/domain.h>
#include <hv/err.h>
#include <hv/reason.h>

#define FREE_STEP 64u /* tables in one step of destruction */

/* Tags of domains are their ids and one more: 0 is nobody's, and an id is used again only after its context has been flushed. */
static uint16_t tag_of(const struct domain *d)
{
	return (uint16_t)(d->id + 1u);
}

uint32_t iommu_pool_need(uint64_t frames)
{
	uint64_t leaves = (frames >> ORDER_2M) + 1;

	/* The structure, the root, a frame of interrupts for each of some devices, and tables as the second stage has. */
	return (uint32_t)(16 + MIN(leaves / 4 + (leaves >> 9) + 16, (uint64_t)UINT32_MAX / 4));
}

int iommu_context_create(struct domain *d)
{
	struct iommu_context *c;
	mfn_t m, root;
	int err;

	if (!nr_iommus)
		return refuse(R_NO_IOMMU, d->id, 0, 0);
	m = pool_alloc(&d->pool);
	if (!mfn_valid(m))
		return reason_err(R_POOL_EXHAUSTED);
	root = pool_alloc(&d->pool);
	if (!mfn_valid(root)) {
		pool_free(&d->pool, m);
		return reason_err(R_POOL_EXHAUSTED);
	}
	c = frame_va(m);
	*c = (struct iommu_context){
		.domain = d,
		.format = iommu_units[0]->ops->format,
		.root = root,
		.retired = INVALID_MFN,
		.caches_absent = iommu_quarantine.caches_absent,
		.tag = tag_of(d),
	};
	list_init(&c->devices);
	err = iommu_units[0]->ops->context_init(c);
	if (err) {
		pool_free(&d->pool, root);
		pool_free(&d->pool, m);
		return err;
	}
	lock_take(&d->p2m.lock);
	d->iommu = c;
	lock_release(&d->p2m.lock);
	return 0;
}

static struct iommu_device *first_device(struct iommu_context *c)
{
	struct iommu_device *dev;

	lock_take(&iommu_lock);
	dev = list_first(&c->devices, struct iommu_device, link);
	lock_release(&iommu_lock);
	return dev;
}

int iommu_context_destroy_step(struct domain *d)
{
	struct iommu_context *c = d->iommu;
	struct iommu_device *dev;
	bool more;

	if (!c)
		return 0;
	/* Nothing is assigned to a dying domain, so there is an end to this. */
	dev = first_device(c);
	if (dev) {
		int err = iommu_return(dev);

		return err ? err : -ERR_RESTART;
	}
	lock_take(&iommu_lock); /* who looks for a device goes through the contexts */
	lock_take(&d->p2m.lock);
	for (uint32_t i = 0; i < nr_iommus; i++)
		if (c->units & BIT(i))
			iommu_units[i]->ops->flush(iommu_units[i], c, gfn(0), 0);
	c->units = 0;
	more = iommu_table_free(d, c, FREE_STEP);
	if (!more)
		d->iommu = NULL;
	lock_release(&d->p2m.lock);
	lock_release(&iommu_lock);
	if (more)
		return -ERR_RESTART;
	pool_free(&d->pool, c->root);
	pool_free(&d->pool, frame_from_va(c));
	return 0;
}
