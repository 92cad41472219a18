/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a domain's IOMMU context follows its second-stage tables: which types of mapping its devices may use, and the moments at which
 * core/mem/p2m.c says that something changes. p2m lock held.
 */
#include "iommu.h"

#include <hv/domain.h>

/*
 * Devices get what the domain's CPUs may do, but for pages of the hypervisor's own: shared_info and grant frames are no place for DMA.
 */
static const uint8_t device_access[NR_P2M_TYPES] = {
	[P2M_RAM_RW] = IOMMU_READ | IOMMU_WRITE,
	[P2M_RAM_RO] = IOMMU_READ,
	[P2M_LOGDIRTY] = IOMMU_READ, /* DMA is not logged */
	[P2M_MMIO_DIRECT] = IOMMU_READ | IOMMU_WRITE,
	[P2M_GRANT_RW] = IOMMU_READ | IOMMU_WRITE,
	[P2M_GRANT_RO] = IOMMU_READ,
	[P2M_FOREIGN] = IOMMU_READ | IOMMU_WRITE,
};

int iommu_p2m_prepare(struct domain *d, gfn_t g, unsigned order)
{
	return iommu_table_prepare(d, d->iommu, g, order / 9);
}

void iommu_p2m_set(struct domain *d, gfn_t g, mfn_t m, unsigned order, enum p2m_type t)
{
	iommu_table_set(d->iommu, g, m, order / 9, device_access[t]);
}

void iommu_p2m_flush(struct domain *d)
{
	struct iommu_context *c = d->iommu;
	uint64_t n = c->stale_end.n - c->stale.n;

	if (!c->stale_end.n)
		return;
	for (uint32_t i = 0; i < nr_iommus; i++)
		if (c->units & BIT(i))
			iommu_units[i]->ops->flush(iommu_units[i], c, c->stale, n);
	c->stale = c->stale_end = gfn(0);
	if (mfn_valid(c->retired)) {
		pool_free(&d->pool, c->retired);
		c->retired = INVALID_MFN;
	}
}
