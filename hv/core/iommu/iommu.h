/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of core/iommu share: walking and editing a context's tables. p2m lock of the domain held throughout. */
#ifndef CORE_IOMMU_H
#define CORE_IOMMU_H

#include <hv/iommu.h>

#define IOMMU_ENTRIES 512u

/* Ownership of devices, lists of contexts; rank IOMMU_DEVICES. */
extern struct lock iommu_lock;
extern struct iommu_unit *iommu_units[MAX_IOMMUS]; /* [c] after boot */
extern uint32_t nr_iommus;                         /* [c] after boot */

/* iommu_p2m_prepare for one page size. */
MUST_USE int iommu_table_prepare(struct domain *d, struct iommu_context *c, gfn_t g, unsigned level);
/* Write the entry of `g` at `level`; access 0: empty. Where a table was it goes to c->retired. */
void iommu_table_set(struct iommu_context *c, gfn_t g, mfn_t m, unsigned level, unsigned access);
/* Free at most `n` tables of a context that nothing uses; true when there are more. The root stays. */
MUST_USE bool iommu_table_free(struct domain *d, struct iommu_context *c, unsigned n);

#endif
