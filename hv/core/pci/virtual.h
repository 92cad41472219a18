/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of core/pci share. `f` is a function with an owner, and pci_lock is held throughout.
 *
 *	function.c  who has it; memory that nobody may have
 *	config.c    which register an access is for
 *	bar.c	    memory windows
 *	msi.c	    message interrupts, and the MSI capability
 *	msix.c	    the MSI-X capability and its table
 */
#ifndef CORE_PCI_VIRTUAL_H
#define CORE_PCI_VIRTUAL_H

#include <hv/lock.h>
#include <hv/vpci.h>

extern struct lock pci_lock;

static inline struct domain *owner_of(const struct pci_dev *f)
{
	return iommu_owner(&f->dma);
}

/* Its registers are `d`'s, not on their way out. */
static inline bool is_given(const struct pci_dev *f, const struct domain *d)
{
	return owner_of(f) == d && f->seen.leaving == PCI_STAYS;
}

/* ---- function.c ------------------------------------------------------------------------------------- */

/* It went through a reset by itself: what the owner sees is again what the hardware has. */
void function_was_reset(struct pci_dev *f) HOLDS(pci_lock);

/* ---- bar.c ------------------------------------------------------------------------------------------ */

/* Find windows and their sizes. Nothing decodes meanwhile. */
void bars_find(struct pci_dev *f) HOLDS(pci_lock);
/* The window whose register is the dword at `reg`, NULL: none. */
struct pci_bar *bar_at(struct pci_dev *f, unsigned reg) HOLDS(pci_lock);
uint32_t bar_read(struct pci_dev *f, const struct pci_bar *b, unsigned reg) HOLDS(pci_lock);
/* Take note; bars_settle() acts. */
void bar_write(struct pci_dev *f, struct pci_bar *b, unsigned reg, uint32_t value) HOLDS(pci_lock);
/* Map and unmap, until all windows are where they should be. -ERR_RESTART: call again. Otherwise what p2m_unmap_range() refuses. */
MUST_USE int bars_settle(struct pci_dev *f) HOLDS(pci_lock);
/* Is the hardware no longer as we left it? Is one window? (One that was pulled out reads as all ones.) */
bool bars_were_reset(struct pci_dev *f) HOLDS(pci_lock);
bool bar_in_place(const struct pci_dev *f, const struct pci_bar *b) HOLDS(pci_lock);
/* What the hardware has now is what the owner sees; nothing decodes. */
void bars_reread(struct pci_dev *f) HOLDS(pci_lock);

/* ---- msi.c ------------------------------------------------------------------------------------------ */

struct pci_message {
	struct irq irq;
	struct msi_message guest; /* as the owner wrote it */
	bool bound;               /* leads to the owner */
	bool masked;              /* MSI-X, by the owner */
};
#define MESSAGES_PER_FRAME (PAGE_SIZE / sizeof(struct pci_message))
_Static_assert(MESSAGES_PER_FRAME *PCI_MESSAGE_FRAMES >= PCI_MAX_MESSAGES, "hv/pci.h says so");

/* Find the capabilities, and take memory and interrupts for them from the owner. R_POOL_EXHAUSTED. */
MUST_USE int messages_find(struct pci_dev *f) HOLDS(pci_lock);
/* All off, in the hardware and for the owner. */
void messages_off(struct pci_dev *f) HOLDS(pci_lock);
struct pci_message *message_at(const struct pci_dev *f, unsigned i) HOLDS(pci_lock);
/* Lead what the device sends as message `i` where `guest` says; once bound it may change. What irq_msi_bind() refuses. */
MUST_USE int message_bind(struct pci_dev *f, unsigned i, const struct msi_message *guest)
    HOLDS(pci_lock);
void message_unbind(struct pci_dev *f, unsigned i) HOLDS(pci_lock);
/* Messages that a function can have, by its capabilities. */
unsigned messages_of(const struct pci_dev *f);

uint32_t msi_read(struct pci_dev *f, unsigned reg) HOLDS(pci_lock);
void msi_write(struct pci_dev *f, unsigned reg, uint32_t value, uint32_t bytes) HOLDS(pci_lock);

/* ---- msix.c ----------------------------------------------------------------------------------------- */

#define MSIX_ENTRY   16u
#define MSIX_ENABLE  BIT(15)
#define MSIX_MASKALL BIT(14)

/* Its table lies in a memory window, wholly. */
void msix_find(struct pci_dev *f) HOLDS(pci_lock);
uint32_t msix_read(struct pci_dev *f) HOLDS(pci_lock);
/* -ERR_RESTART: make the same write again. */
MUST_USE int msix_write(struct pci_dev *f, uint32_t value) HOLDS(pci_lock);
/* Memory decoding was switched on: the table is within reach. */
void msix_sync(struct pci_dev *f) HOLDS(pci_lock);
void msix_off(struct pci_dev *f) HOLDS(pci_lock);
/* The pages of window `b` that its table touches, as offsets: [*start, *end); empty when there are none. */
void msix_hole(const struct pci_dev *f, const struct pci_bar *b, uint64_t *start, uint64_t *end)
    HOLDS(pci_lock);
/* An access to one of these pages. False: it is for no page of `f`. */
MUST_USE bool msix_memory(struct pci_dev *f, struct io_access *a) HOLDS(pci_lock);

#endif
