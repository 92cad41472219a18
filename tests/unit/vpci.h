/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A PCI function made of registers that tests and the fuzzer of configuration space share: which bits can be written is what its masks say. It
 * has a 64-bit window of 64 KiB with its MSI-X table, a 32-bit one of 2 MiB, a small one, ports, a ROM, MSI with 4 messages, MSI-X with
 * 40, and can be reset. And an IOMMU that remembers what it was told.
 */
#ifndef TESTS_UNIT_VPCI_H
#define TESTS_UNIT_VPCI_H

#include <string.h>
#include <hv/vpci.h>
#include "plain_format.h"

#define FN_ID       pci_id(0, 0, 0x18)
#define FN_MSI      0x50u
#define FN_MSIX     0x70u
#define FN_EXPRESS  0x80u
#define FN_MESSAGES 40u
#define FN_TABLE    0x3000u /* in window 0 */
#define FN_WINDOW0  0xc0000000ull
#define FN_WINDOW2  0xd0000000ull
#define FN_WINDOW3  0xd1000100ull

static struct {
	uint8_t reg[4096], mask[4096];
	uint8_t memory[0x10000]; /* window 0 */
	bool gone;
} fn;

static uint32_t fn_get(unsigned reg, unsigned size)
{
	uint32_t v = 0;

	memcpy(&v, fn.reg + reg, size);
	return v;
}

static void fn_set(unsigned reg, unsigned size, uint32_t value, uint32_t mask)
{
	memcpy(fn.reg + reg, &value, size);
	memcpy(fn.mask + reg, &mask, size);
}

/* As after power-on. */
static void fn_reset(void)
{
	memset(&fn, 0, sizeof(fn));
	fn_set(PCI_VENDOR, 4, 0x10101234, 0);
	fn_set(PCI_COMMAND, 2, 0, 0x0507);
	fn_set(PCI_STATUS, 2, PCI_STATUS_CAPS, 0);
	fn_set(PCI_CLASS, 4, 0x02000001, 0);
	fn_set(PCI_BAR, 4, 0x4, 0xffff0000);
	fn_set(PCI_BAR + 4, 4, 0, ~0u);
	fn_set(PCI_BAR + 8, 4, 0x8, 0xffe00000);
	fn_set(PCI_BAR + 12, 4, 0, 0xffffff00);
	fn_set(PCI_BAR + 16, 4, 1, 0xffffffe0);
	fn_set(PCI_ROM, 4, 0, 0xffff0001);
	fn_set(PCI_CAPS, 1, FN_MSI, 0);
	fn_set(FN_MSI, 4, 0x01840000 | FN_MSIX << 8 | PCI_CAP_MSI, 0x00710000);
	fn_set(FN_MSI + 4, 4, 0, ~3u);
	fn_set(FN_MSI + 8, 4, 0, ~0u);
	fn_set(FN_MSI + 12, 4, 0, 0xffff);
	fn_set(FN_MSI + 16, 4, 0, 0xf);
	fn_set(FN_MSIX, 4, (FN_MESSAGES - 1) << 16 | FN_EXPRESS << 8 | PCI_CAP_MSIX, 0xc0000000);
	fn_set(FN_MSIX + 4, 4, FN_TABLE, 0);
	fn_set(FN_MSIX + 8, 4, FN_TABLE + 0x1000, 0);
	fn_set(FN_EXPRESS, 4, 0x00020000 | PCI_CAP_EXPRESS, 0);
	fn_set(FN_EXPRESS + 4, 4, 0x10000000, 0);
	fn_set(FN_EXPRESS + 8, 2, 0, 0x7fff);
	/* Extended: error reporting, then address translation. */
	fn_set(0x100, 4, 0x14010001, 0);
	fn_set(0x108, 4, 0, ~0u);
	fn_set(0x140, 4, 0x0001000f, 0);
	fn_set(0x144, 4, 0, 0xffff0000);
	for (unsigned i = 0; i < FN_MESSAGES; i++)
		fn.memory[FN_TABLE + 16 * i + 12] = 1;
}

static uint32_t fn_read(pci_id_t id, unsigned reg, unsigned size)
{
	return id.n == FN_ID.n && !fn.gone ? fn_get(reg, size) : ~0u >> (32 - 8 * size);
}

static void fn_write(pci_id_t id, unsigned reg, unsigned size, uint32_t value)
{
	if (id.n != FN_ID.n || fn.gone)
		return;
	for (unsigned i = 0; i < size; i++) {
		uint8_t m = fn.mask[reg + i], v = (uint8_t)(value >> 8 * i);

		fn.reg[reg + i] = (uint8_t)((fn.reg[reg + i] & ~m) | (v & m));
	}
	if (reg == FN_EXPRESS + 8 && value & 0x8000)
		fn_reset();
}

static const struct pci_access fn_access = { "test", fn_read, fn_write };

static uint64_t fn_window0(void)
{
	return (uint64_t)fn_get(PCI_BAR + 4, 4) << 32 | (fn_get(PCI_BAR, 4) & ~15u);
}

/* The only memory that is ever reached behind the owner's back. False: somebody else's was. */
static bool fn_memory(uint64_t pa, unsigned size, bool write, uint64_t *value)
{
	uint64_t at = pa - fn_window0();

	if (pa < fn_window0() || at + size > sizeof(fn.memory) ||
	    !(fn_get(PCI_COMMAND, 2) & PCI_COMMAND_MEMORY))
		return false;
	if (write) {
		memcpy(fn.memory + at, value, size);
	} else {
		*value = 0;
		memcpy(value, fn.memory + at, size);
	}
	return true;
}

/* ---- its IOMMU -------------------------------------------------------------------------------------- */

static struct {
	struct iommu_unit unit;
	uint8_t vector[PCI_MAX_MESSAGES]; /* 0: blocked */
	int attached;
} remap;

static int remap_context(struct iommu_context *c)
{
	c->levels = 4;
	return 0;
}

static int remap_attach(struct iommu_device *dev, struct iommu_context *c)
{
	remap.attached += c->domain ? 1 : -1;
	memset(remap.vector, 0, sizeof(remap.vector));
	return 0;
}

static void remap_flush(struct iommu_unit *u, struct iommu_context *c, gfn_t g, uint64_t n) {}

static int remap_set(struct iommu_device *dev, uint32_t index, const struct iommu_irq_target *to)
{
	remap.vector[index] = to ? to->vector : 0;
	return 0;
}

static void remap_message(const struct iommu_device *dev, uint32_t index, struct msi_message *out)
{
	*out = (struct msi_message){ 0xfee0abc0, 0x100 + index };
}

static const struct iommu_ops remap_ops = {
	.name = "test",
	.format = &plain_format,
	.context_init = remap_context,
	.attach = remap_attach,
	.flush = remap_flush,
	.max_irqs = PCI_MAX_MESSAGES,
	.irq_set = remap_set,
	.irq_message = remap_message,
};

static struct iommu_unit *remap_of(const struct pci_dev *dev, uint32_t *id)
{
	return &remap.unit;
}

static bool remap_start(void)
{
	memset(&remap, 0, sizeof(remap));
	remap.unit.ops = &remap_ops;
	lock_init(&remap.unit.lock, RANK_IOMMU);
	return iommu_unit_add(&remap.unit);
}

#endif
