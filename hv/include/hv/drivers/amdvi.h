/* SPDX-License-Identifier: Apache-2.0 */
/* AMD-Vi, the IOMMUs of AMD machines (hv/drivers/iommu/amdvi). Boot only. */
#ifndef HV_DRIVERS_AMDVI_H
#define HV_DRIVERS_AMDVI_H

#include <hv/iommu.h>
#include <hv/pci.h>

struct acpi_header;

/* Remember what the IVRS table says; the table may go afterwards. */
void amdvi_read_ivrs(const struct acpi_header *ivrs);
/*
 * Start every unit, all devices blocked; `map` makes registers reachable for good. Needs configuration space and the interrupt
 * controller; `pins` tells which pins of IO-APICs are open already (NULL: none). False: there is none that works (said why, if there is one at all).
 */
MUST_USE bool amdvi_start(volatile void *(*map)(uint64_t pa, uint64_t size),
			  void (*pins)(iommu_pin_fn *set));
/* Where the registers of each unit are, working or not. */
void amdvi_each_window(void (*each)(uint64_t start, uint64_t size));
/* Which unit sees a function, and as what. */
struct iommu_unit *amdvi_unit_of(const struct pci_dev *dev, uint32_t *dma_id);

#endif
