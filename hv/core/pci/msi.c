/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Message interrupts. The device's message i is entry i of its interrupt table in the IOMMU, which leads to a host vector (arch_msi_bind),
 * which goes where the owner's own message says. And the MSI capability (PCI Local Bus 3.0, 6.8.1): the owner's address and data are kept
 * and never written to the device. Lock: pci_lock.
 */
#include "virtual.h"

#include <hv/domain.h>
#include <hv/err.h>
#include <hv/log.h>
#include <hv/reason.h>

#define MSI_ENABLE      BIT(0)
#define MSI_CAN_SHIFT   1 /* log2 of messages that it can send */
#define MSI_MAY_SHIFT   4 /* that it may */
#define MSI_MAY         (7u << MSI_MAY_SHIFT)
#define MSI_64          BIT(7)
#define MSI_MASKS       BIT(8)
#define MSI_MOST        5u /* log2; more is reserved */
#define MSIX_SIZE(ctrl) (((ctrl)&0x7ff) + 1u)

/* ---- messages --------------------------------------------------------------------------------------- */

struct pci_message *message_at(const struct pci_dev *f, unsigned i)
{
	return &f->seen.messages.frame[i / MESSAGES_PER_FRAME][i % MESSAGES_PER_FRAME];
}

int message_bind(struct pci_dev *f, unsigned i, const struct msi_message *guest)
{
	struct pci_message *m = message_at(f, i);
	struct iommu_irq_target to;
	int err = arch_msi_bind(&m->irq, owner_of(f), guest, &to);

	if (err || m->bound)
		return err;
	err = iommu_irq_set(&f->dma, i, &to);
	if (err)
		arch_msi_unbind(&m->irq);
	m->bound = !err;
	return err;
}

void message_unbind(struct pci_dev *f, unsigned i)
{
	struct pci_message *m = message_at(f, i);

	if (!m->bound)
		return;
	m->bound = false;
	if (iommu_irq_set(&f->dma, i, NULL)) /* it was set, so it exists */
		log_error("PCI: " PCI_ID_FORMAT ": message %u cannot be blocked",
			  PCI_ID_ARGS(f->id), i);
	arch_msi_unbind(&m->irq);
}

static unsigned msi_can(const struct pci_dev *f)
{
	return MIN(pci_read(f->id, f->msi + 2u, 2) >> MSI_CAN_SHIFT & 7, MSI_MOST);
}

unsigned messages_of(const struct pci_dev *f)
{
	unsigned n = f->msi ? 1u << msi_can(f) : 0;

	if (f->msix)
		n = MAX(n, MSIX_SIZE(pci_read(f->id, f->msix + 2u, 2)));
	return MIN(n, PCI_MAX_MESSAGES);
}

static int take_frames(struct pci_dev *f, unsigned n)
{
	struct domain *d = owner_of(f);

	for (unsigned i = 0; i * MESSAGES_PER_FRAME < n; i++) {
		struct pci_message *m;
		mfn_t frame = pool_alloc(&d->pool);

		if (!mfn_valid(frame)) /* what was taken goes back with the function */
			return reason_err(R_POOL_EXHAUSTED);
		m = frame_va(frame);
		for (unsigned j = 0; j < MESSAGES_PER_FRAME; j++) {
			lock_init(&m[j].irq.lock, RANK_IRQ);
			m[j].masked = true;
		}
		f->seen.messages.frame[i] = m;
	}
	return 0;
}

static unsigned msi_bytes(uint32_t control)
{
	return (control & MSI_64 ? 16 : 12) + (control & MSI_MASKS ? 8 : 0);
}

int messages_find(struct pci_dev *f)
{
	struct pci_messages *all = &f->seen.messages;
	unsigned n = messages_of(f);
	uint32_t first;
	int err;

	*all = (struct pci_messages){ 0 };
	if (f->msi)
		pci_write(f->id, f->msi + 2u, 2, pci_read(f->id, f->msi + 2u, 2) & ~MSI_ENABLE);
	if (f->msix)
		pci_write(f->id, f->msix + 2u, 2,
			  (pci_read(f->id, f->msix + 2u, 2) & ~MSIX_ENABLE) | MSIX_MASKALL);
	/* Without a table of its own (behind an old bridge: docs/limits.md) the capabilities do not show. */
	if (!n || iommu_irq_alloc(&f->dma, n, &first) || first)
		return 0;
	err = take_frames(f, n);
	if (err)
		return err;
	all->nr = (uint16_t)n;
	if (f->msi)
		all->msi_size = (uint8_t)msi_bytes(pci_read(f->id, f->msi + 2u, 2));
	if (f->msix)
		msix_find(f);
	return 0;
}

/* ---- the MSI capability ----------------------------------------------------------------------------- */

/* Places of its registers, in bytes from its start. */
static unsigned data_at(const struct pci_messages *all)
{
	return all->msi_size == 12 || all->msi_size == 20 ? 8 : 12;
}

static void hardware_off(struct pci_dev *f)
{
	uint32_t control = pci_read(f->id, f->msi + 2u, 2);

	pci_write(f->id, f->msi + 2u, 2, control & ~MSI_ENABLE);
}

static void hardware_on(struct pci_dev *f)
{
	const struct pci_messages *all = &f->seen.messages;
	uint32_t control = pci_read(f->id, f->msi + 2u, 2) & ~MSI_MAY;
	struct msi_message m;

	iommu_irq_message(&f->dma, 0, &m);
	pci_write(f->id, f->msi + 4u, 4, (uint32_t)m.address);
	if (data_at(all) == 12)
		pci_write(f->id, f->msi + 8u, 4, (uint32_t)(m.address >> 32));
	pci_write(f->id, f->msi + data_at(all), 2, m.data);
	pci_write(f->id, f->msi + 2u, 2,
		  control | (uint32_t)all->msi_log << MSI_MAY_SHIFT | MSI_ENABLE);
}

/* A device with several messages puts the number into the data's lowest bits; entries of its table begin at 0. */
static int bind_all(struct pci_dev *f) HOLDS(pci_lock)
{
	const struct pci_messages *all = &f->seen.messages;
	uint32_t n = 1u << all->msi_log;
	int err = 0;

	for (uint32_t i = 0; !err && i < n; i++) {
		struct msi_message m = { all->msi_address, (all->msi_data & ~(n - 1)) | i };

		err = message_bind(f, i, &m);
	}
	return err;
}

static void msi_off(struct pci_dev *f) HOLDS(pci_lock)
{
	struct pci_messages *all = &f->seen.messages;

	hardware_off(f);
	for (unsigned i = 0; i < 1u << all->msi_log; i++)
		message_unbind(f, i);
	all->msi_enabled = false;
}

static void msi_control(struct pci_dev *f, uint32_t control) HOLDS(pci_lock)
{
	struct pci_messages *all = &f->seen.messages;
	unsigned log = MIN(control >> MSI_MAY_SHIFT & 7, msi_can(f));

	if (all->msi_enabled && (!(control & MSI_ENABLE) || log != all->msi_log))
		msi_off(f);
	/* One entry of the table has one meaning: MSI-X goes first. */
	if (all->msix_enabled)
		return;
	all->msi_log = (uint8_t)log;
	all->msi_enabled = control & MSI_ENABLE;
}

uint32_t msi_read(struct pci_dev *f, unsigned reg)
{
	const struct pci_messages *all = &f->seen.messages;
	unsigned at = reg - f->msi;
	uint32_t v = pci_read(f->id, reg, 4);

	if (at == 0)
		return (v & ~((MSI_MAY | (uint32_t)MSI_ENABLE) << 16)) |
		       (uint32_t)all->msi_log << (16 + MSI_MAY_SHIFT) |
		       (all->msi_enabled ? (uint32_t)MSI_ENABLE << 16 : 0);
	if (at == 4)
		return (uint32_t)all->msi_address;
	if (at == data_at(all))
		return all->msi_data;
	return at == 8 ? (uint32_t)(all->msi_address >> 32) : v;
}

void msi_write(struct pci_dev *f, unsigned reg, uint32_t value, uint32_t bytes)
{
	struct pci_messages *all = &f->seen.messages;
	unsigned at = reg - f->msi;

	if (at == 0) {
		if (bytes >> 16)
			msi_control(f, value >> 16);
	} else if (at == 4) {
		all->msi_address = (all->msi_address & ~0xffffffffull) | (value & ~3u);
	} else if (at == data_at(all)) {
		all->msi_data = value & 0xffff;
	} else if (at == 8) {
		all->msi_address = (all->msi_address & 0xffffffff) | (uint64_t)value << 32;
	} else { /* masks; pending bits are the device's */
		pci_write(f->id, reg, 4, value);
		return;
	}
	if (!all->msi_enabled)
		return;
	/* Half of an address was written, or there is no vector: as it was, or off. */
	if (bind_all(f) == 0)
		hardware_on(f);
}

/* ---- both ------------------------------------------------------------------------------------------- */

void messages_off(struct pci_dev *f) HOLDS(pci_lock)
{
	struct pci_messages *all = &f->seen.messages;

	if (all->msi_size && all->msi_enabled)
		msi_off(f);
	if (all->msix_nr)
		msix_off(f);
	for (unsigned i = 0; i < all->nr; i++)
		message_unbind(f, i);
}
