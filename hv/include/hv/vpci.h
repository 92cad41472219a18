/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PCI functions as the domains that own them see them: configuration space with memory windows that the second-stage tables follow, and with
 * message interrupts that go through interrupt remapping. Registers without a meaning for others pass to the hardware.
 *
 *	           vpci_give()                  vpci_release_step()
 *	nobody's --------------> a domain's ----------------------> nobody's
 *
 * What a domain writes is kept as it wrote it (that is what it reads back); what reaches the hardware is what keeps others safe:
 *	memory BARs	only addresses that overlap no RAM and nothing protected; mapped while memory decoding is on, page by
 *			page, without the pages of the MSI-X table
 *	MSI, MSI-X	never the domain's address and data, but an index into the function's interrupt table
 * I/O BARs pass: who may use ports is not decided here.
 *
 * Long work (a large BAR moves) goes on over several calls: IO_WAIT means that the same access is to be made again. Meanwhile the function
 * remembers what it was about, so it does not matter whose access goes on with it. One lock (PCI) for all functions: accesses
 * are rare and short. The hypervisor's own functions, other domains', and nobody's read as all ones.
 */
#ifndef HV_VPCI_H
#define HV_VPCI_H

#include <arch/irq.h>
#include <hv/io.h>
#include <hv/pci.h>

/* Nobody may be given [start, start + size) as a device's memory: RAM, registers of our own. Boot. False: the table is full. */
MUST_USE bool vpci_protect(uint64_t start, uint64_t size);
/* Is the whole range free of what is protected? */
bool vpci_may_map(uint64_t start, uint64_t size);

/* The function that answers as `id`, which may have been plugged in just now. NULL: none does. */
struct pci_dev *vpci_find(pci_id_t id);

/*
 * Give a function to `d`: into its IOMMU context, memory windows found out and mapped where they decode. In steps: -ERR_RESTART until done; a
 * function that `d` has already is brought to its end. R_PCI_HIDDEN, those of iommu_assign(), R_POOL_EXHAUSTED.
 */
MUST_USE int vpci_give(struct pci_dev *f, struct domain *d);
/* Quiet, unmapped, without interrupts, blocked by its IOMMU. In steps; the last after an RCU grace period. No other domain's. */
MUST_USE int vpci_release_step(struct pci_dev *f, struct domain *d);
/* Frames of the pool that the functions of the machine cost who has them all. */
uint32_t vpci_pool_need(void);

/*
 * An access to configuration space by `d`: `size` 1, 2 or 4, `reg` a multiple of it below 4096. A function that was plugged in
 * after boot is given to the domain that owns the machine when that looks at it first. IO_DONE or IO_WAIT.
 */
enum io_result vpci_read(struct domain *d, pci_id_t id, unsigned reg, unsigned size,
			 uint32_t *value);
enum io_result vpci_write(struct domain *d, pci_id_t id, unsigned reg, unsigned size,
			  uint32_t value);
/* An access to memory: a window of configuration space, or a page with an MSI-X table; otherwise IO_NOBODY. */
enum io_result vpci_memory(struct domain *d, struct io_access *a);

#endif
