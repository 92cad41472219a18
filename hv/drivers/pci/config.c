/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration space: one access in force, chosen while booting; windows of memory with another access for what they do not
 * cover. Devices that are gone read as all ones.
 */
#include <hv/pci.h>

#define MOST_CAPS 48u /* the space behind the header has room for no more */

static uint32_t read_nothing(pci_id_t id, unsigned reg, unsigned size)
{
	return ~0u >> (32 - 8 * size);
}

static void write_nothing(pci_id_t id, unsigned reg, unsigned size, uint32_t value) {}

static const struct pci_access nothing = { "none", read_nothing, write_nothing };
static const struct pci_access *access = &nothing; /* [c] after boot */

static const struct pci_window *windows; /* [c] after boot */
static unsigned nr_windows;
static const struct pci_access *outside = &nothing;

void pci_use_access(const struct pci_access *a)
{
	access = a;
}

uint32_t pci_read(pci_id_t id, unsigned reg, unsigned size)
{
	return access->read(id, reg, size);
}

void pci_write(pci_id_t id, unsigned reg, unsigned size, uint32_t value)
{
	access->write(id, reg, size, value);
}

unsigned pci_find_cap(pci_id_t id, unsigned cap)
{
	unsigned at;

	if (!(pci_read(id, PCI_STATUS, 2) & PCI_STATUS_CAPS))
		return 0;
	at = pci_read(id, PCI_CAPS, 1) & ~3u;
	for (unsigned i = 0; i < MOST_CAPS && at >= 0x40; i++) {
		if (pci_read(id, at, 1) == cap)
			return at;
		at = pci_read(id, at + 1, 1) & ~3u;
	}
	return 0;
}

/* ---- windows --------------------------------------------------------------------------------- */

/* PCI Express 7.2.2: 4 KiB a function, 1 MiB a bus. */
static volatile uint8_t *registers(pci_id_t id, unsigned reg)
{
	for (unsigned i = 0; i < nr_windows; i++) {
		const struct pci_window *w = &windows[i];

		if (w->regs && w->segment == pci_segment(id) && pci_bus(id) >= w->first &&
		    pci_bus(id) <= w->last)
			return w->regs +
			       ((uint64_t)((id.n & 0xffff) - ((uint32_t)w->first << 8)) << 12) +
			       reg;
	}
	return NULL;
}

bool pci_window_find(uint64_t pa, pci_id_t *id, unsigned *reg)
{
	for (unsigned i = 0; i < nr_windows; i++) {
		const struct pci_window *w = &windows[i];
		uint64_t at = pa - w->base.a;

		if (pa < w->base.a || at >> 20 < w->first || at >> 20 > w->last)
			continue;
		*id = (pci_id_t){ (uint32_t)w->segment << 16 | (uint32_t)(at >> 12) };
		*reg = (unsigned)at & 0xfff;
		return true;
	}
	return false;
}

static uint32_t window_read(pci_id_t id, unsigned reg, unsigned size)
{
	volatile uint8_t *p = registers(id, reg);

	if (!p)
		return outside->read(id, reg, size);
	switch (size) {
	case 1: return *p;
	case 2: return *(volatile uint16_t *)p;
	default: return *(volatile uint32_t *)p;
	}
}

static void window_write(pci_id_t id, unsigned reg, unsigned size, uint32_t value)
{
	volatile uint8_t *p = registers(id, reg);

	if (!p)
		outside->write(id, reg, size, value);
	else if (size == 1)
		*p = (uint8_t)value;
	else if (size == 2)
		*(volatile uint16_t *)p = (uint16_t)value;
	else
		*(volatile uint32_t *)p = value;
}

static const struct pci_access in_windows = { "memory", window_read, window_write };

void pci_use_windows(const struct pci_window *w, unsigned n, const struct pci_access *rest)
{
	windows = w;
	nr_windows = n;
	outside = rest;
	access = &in_windows;
}
