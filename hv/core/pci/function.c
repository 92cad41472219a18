/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions come to a domain and leave it. Coming: into the IOMMU context, then windows, then messages; leaving: the other way round, with
 * an RCU grace period before the frames of messages go back, because an interrupt may just be arriving on another CPU.
 * Lock: pci_lock. Called by boot code, by physdev operations, and by a domain's end (through struct iommu_device).
 */
#include "virtual.h"

#include <hv/assert.h>
#include <hv/domain.h>
#include <hv/err.h>
#include <hv/log.h>
#include <hv/reason.h>

struct lock pci_lock = LOCK_INIT(RANK_PCI);

/* ---- memory that nobody may have -------------------------------------------------------------------- */

#define MOST_PROTECTED 192u

static struct {
	uint64_t start, end;
} protected[MOST_PROTECTED];  /* [c] after boot */
static unsigned nr_protected; /* [c] after boot */

bool vpci_protect(uint64_t start, uint64_t size)
{
	if (nr_protected == MOST_PROTECTED)
		return false;
	protected[nr_protected].start = ROUND_DOWN(start, (uint64_t)PAGE_SIZE);
	protected[nr_protected++].end = ROUND_UP(start + size, (uint64_t)PAGE_SIZE);
	return true;
}

bool vpci_may_map(uint64_t start, uint64_t size)
{
	uint64_t end = start + size;

	if (end <= start)
		return false;
	for (unsigned i = 0; i < nr_protected; i++)
		if (start < protected[i].end && end > protected[i].start)
			return false;
	return true;
}

/* ---- coming ----------------------------------------------------------------------------------------- */

uint32_t vpci_pool_need(void)
{
	uint32_t n = 0;

	/* A table of interrupts each, and frames of messages. */
	for (const struct pci_dev *f = pci_next(NULL); f; f = pci_next(f))
		n += 1 + (messages_of(f) + MESSAGES_PER_FRAME - 1) / MESSAGES_PER_FRAME;
	return n;
}

static int leave(struct iommu_device *dma)
{
	struct pci_dev *f = container_of(dma, struct pci_dev, dma);
	struct domain *d = iommu_owner(dma);

	return d ? vpci_release_step(f, d) : 0;
}

static void free_frames(struct pci_dev *f, struct domain *d)
{
	struct pci_messages *all = &f->seen.messages;

	for (unsigned i = 0; i < PCI_MESSAGE_FRAMES; i++)
		if (all->frame[i])
			pool_free(&d->pool, frame_from_va(all->frame[i]));
	*all = (struct pci_messages){ 0 };
}

static int take(struct pci_dev *f, struct domain *d) HOLDS(pci_lock)
{
	int err;

	if (f->hidden)
		return refuse(R_PCI_HIDDEN, f->id.n, 0, 0);
	pci_refresh(f);
	err = iommu_assign(&f->dma, d);
	if (err)
		return err;
	f->dma.leave = leave;
	f->seen.leaving = PCI_STAYS;
	f->seen.af = f->header == 0 ? (uint8_t)pci_find_cap(f->id, PCI_CAP_AF) : 0;
	bars_find(f);
	err = messages_find(f);
	if (!err)
		return 0;
	/* No message was ever bound: nothing can be arriving. */
	free_frames(f, d);
	f->dma.leave = NULL;
	return err;
}

int vpci_give(struct pci_dev *f, struct domain *d)
{
	struct domain *owner;
	bool undo = false, leaving;
	int err = 0;

	lock_take(&pci_lock);
	owner = owner_of(f);
	if (owner && owner != d)
		err = refuse(R_DEVICE_IN_USE, f->id.n, 0, owner->id);
	else if (!owner) {
		err = take(f, d);
		undo = err && owner_of(f);
	}
	leaving = !err && f->seen.leaving != PCI_STAYS;
	if (!err && !leaving)
		err = bars_settle(f);
	lock_release(&pci_lock);
	if (undo && iommu_return(&f->dma))
		panic("a device without an owner's part is returned at once");
	if (!leaving)
		return err;
	/* It is on its way out of the same domain: first that, then this. */
	err = vpci_release_step(f, d);
	return err ? err : -ERR_RESTART;
}

/* ---- leaving ---------------------------------------------------------------------------------------- */

static void grace_over(struct rcu_head *h)
{
	struct pci_virtual *seen = container_of(h, struct pci_virtual, rcu);
	struct pci_dev *f = container_of(seen, struct pci_dev, seen);

	lock_take(&pci_lock);
	free_frames(f, owner_of(f));
	seen->leaving = PCI_FREED;
	lock_release(&pci_lock);
}

/* No interrupt, no DMA, no memory. */
static int quiet(struct pci_dev *f) HOLDS(pci_lock)
{
	int err;

	messages_off(f);
	f->seen.memory_on = false;
	err = bars_settle(f);
	if (err)
		return err;
	pci_write(f->id, PCI_COMMAND, 2, PCI_COMMAND_NO_INTX);
	f->seen.leaving = PCI_WAITS;
	rcu_call(&f->seen.rcu, grace_over);
	return -ERR_RESTART;
}

/* Its pci_lock part; 0: only the IOMMU still has it. */
static int release(struct pci_dev *f, struct domain *d) HOLDS(pci_lock)
{
	struct domain *owner = owner_of(f);

	if (owner != d)
		return owner ? refuse(R_DEVICE_IN_USE, f->id.n, 0, owner->id) : 0;
	switch ((enum pci_leaving)f->seen.leaving) {
	case PCI_STAYS: return quiet(f);
	case PCI_WAITS: return -ERR_RESTART;
	case PCI_FREED: break;
	}
	f->dma.leave = NULL;
	return 0;
}

int vpci_release_step(struct pci_dev *f, struct domain *d)
{
	int err;

	lock_take(&pci_lock);
	err = release(f, d);
	lock_release(&pci_lock);
	return err ? err : iommu_return(&f->dma);
}

void function_was_reset(struct pci_dev *f)
{
	messages_off(f);
	f->seen.memory_on = false;
	bars_reread(f);
}
