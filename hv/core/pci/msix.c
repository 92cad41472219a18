/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The MSI-X capability (PCI Local Bus 3.0, 6.8.2). Its table lies in a memory window: those pages are left out of the owner's second
 * stage, and its accesses come here. An entry is kept as the owner wrote it; the device's has the index of the interrupt table as
 * message, and is unmasked only while that leads somewhere. Lock: pci_lock.
 */
#include "virtual.h"

#include <arch/device.h>
#include <hv/err.h>
#include <hv/log.h>

#define ENTRY_ADDRESS 0u
#define ENTRY_HIGH    4u
#define ENTRY_DATA    8u
#define ENTRY_CONTROL 12u
#define ENTRY_MASKED  1u
#define CONTROL_SIZE  0x7ffu
#define STEP          16u /* entries between two looks at who else waits */

void msix_find(struct pci_dev *f)
{
	struct pci_messages *all = &f->seen.messages;
	uint32_t place = pci_read(f->id, f->msix + 4u, 4);
	uint32_t n = (pci_read(f->id, f->msix + 2u, 2) & CONTROL_SIZE) + 1;
	const struct pci_bar *b;

	if ((place & 7) >= PCI_ROM_SLOT)
		return;
	b = &f->seen.bar[place & 7];
	if ((b->kind != PCI_BAR_MEM && b->kind != PCI_BAR_MEM64) ||
	    (uint64_t)(place & ~7u) + (uint64_t)n * MSIX_ENTRY > b->size) {
		log_warning("PCI: " PCI_ID_FORMAT ": the MSI-X table is in no window",
			    PCI_ID_ARGS(f->id));
		return;
	}
	all->msix_bar = place & 7;
	all->msix_table = place & ~7u;
	all->msix_all = (uint16_t)n;
	all->msix_nr = (uint16_t)MIN(n, (uint32_t)all->nr);
}

void msix_hole(const struct pci_dev *f, const struct pci_bar *b, uint64_t *start, uint64_t *end)
{
	const struct pci_messages *all = &f->seen.messages;

	*start = *end = 0;
	if (!all->msix_nr || b != &f->seen.bar[all->msix_bar])
		return;
	*start = ROUND_DOWN((uint64_t)all->msix_table, (uint64_t)PAGE_SIZE);
	*end = ROUND_UP((uint64_t)all->msix_table + all->msix_all * MSIX_ENTRY, (uint64_t)PAGE_SIZE);
}

/* ---- the device's table ----------------------------------------------------------------------------- */

static const struct pci_bar *window_of(const struct pci_dev *f)
{
	return &f->seen.bar[f->seen.messages.msix_bar];
}

/* It is where nothing else is, and decodes. */
static bool within_reach(const struct pci_dev *f) HOLDS(pci_lock)
{
	const struct pci_bar *b = window_of(f);

	return b->mapped && b->mapped == b->hardware && bar_in_place(f, b) &&
	       (pci_read(f->id, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY);
}

static paddr_t entry_at(const struct pci_dev *f, unsigned i, unsigned field)
{
	return paddr(window_of(f)->hardware + f->seen.messages.msix_table + i * MSIX_ENTRY + field);
}

static void write_entry(const struct pci_dev *f, unsigned i, bool masked)
{
	struct msi_message m;

	if (masked) {
		arch_device_write(entry_at(f, i, ENTRY_CONTROL), 4, ENTRY_MASKED);
		return;
	}
	iommu_irq_message(&f->dma, i, &m);
	arch_device_write(entry_at(f, i, ENTRY_ADDRESS), 4, (uint32_t)m.address);
	arch_device_write(entry_at(f, i, ENTRY_HIGH), 4, m.address >> 32);
	arch_device_write(entry_at(f, i, ENTRY_DATA), 4, m.data);
	arch_device_write(entry_at(f, i, ENTRY_CONTROL), 4, 0);
}

/* The device's entry follows what the owner wrote. What cannot be led anywhere stays masked. */
static void sync_entry(struct pci_dev *f, unsigned i) HOLDS(pci_lock)
{
	struct pci_message *m = message_at(f, i);
	bool on = f->seen.messages.msix_enabled && !m->masked;

	/* Half of an address may have been written: what was bound stays so. */
	if (on && message_bind(f, i, &m->guest) && !m->bound)
		on = false;
	if (within_reach(f))
		write_entry(f, i, !on);
}

void msix_sync(struct pci_dev *f)
{
	const struct pci_messages *all = &f->seen.messages;

	if (all->msix_enabled)
		for (unsigned i = 0; i < all->msix_nr; i++)
			sync_entry(f, i);
}

/* ---- the capability --------------------------------------------------------------------------------- */

uint32_t msix_read(struct pci_dev *f)
{
	const struct pci_messages *all = &f->seen.messages;
	uint32_t control = (all->msix_enabled ? (uint32_t)MSIX_ENABLE : 0) |
			   (all->msix_masked ? (uint32_t)MSIX_MASKALL : 0) | (all->msix_nr - 1u);

	return (pci_read(f->id, f->msix, 4) & 0xffff) | control << 16;
}

static void write_control(struct pci_dev *f)
{
	const struct pci_messages *all = &f->seen.messages;
	uint32_t control = (all->msix_enabled ? (uint32_t)MSIX_ENABLE : 0) |
			   (all->msix_masked ? (uint32_t)MSIX_MASKALL : 0);

	pci_write(f->id, f->msix + 2u, 2, control);
}

/* Those that are bound are done already when the write is made again. */
static int bind_step(struct pci_dev *f) HOLDS(pci_lock)
{
	const struct pci_messages *all = &f->seen.messages;
	unsigned n = 0;

	for (unsigned i = 0; i < all->msix_nr; i++) {
		struct pci_message *m = message_at(f, i);

		if (m->masked || m->bound)
			continue;
		if (n++ == STEP)
			return -ERR_RESTART;
		if (message_bind(f, i, &m->guest))
			break; /* no vector is left: the others stay masked as well */
	}
	return 0;
}

static int unbind_step(struct pci_dev *f) HOLDS(pci_lock)
{
	unsigned n = 0;

	for (unsigned i = 0; i < f->seen.messages.msix_nr; i++) {
		if (!message_at(f, i)->bound)
			continue;
		if (n++ == STEP)
			return -ERR_RESTART;
		message_unbind(f, i);
	}
	return 0;
}

int msix_write(struct pci_dev *f, uint32_t value)
{
	struct pci_messages *all = &f->seen.messages;
	bool on = value >> 16 & MSIX_ENABLE, was_on = all->msix_enabled;
	int err;

	if (on && all->msi_enabled) /* one of the two has the table of interrupts */
		return 0;
	if (on) {
		err = bind_step(f);
		if (err)
			return err;
	}
	all->msix_enabled = on;
	all->msix_masked = value >> 16 & MSIX_MASKALL;
	if (on && !was_on)
		msix_sync(f);
	write_control(f);
	return on ? 0 : unbind_step(f);
}

void msix_off(struct pci_dev *f)
{
	struct pci_messages *all = &f->seen.messages;

	all->msix_enabled = false;
	all->msix_masked = true;
	write_control(f);
	for (unsigned i = 0; i < all->msix_nr; i++) {
		message_unbind(f, i);
		message_at(f, i)->masked = true;
		message_at(f, i)->guest = (struct msi_message){ 0 };
	}
}

/* ---- accesses to the table -------------------------------------------------------------------------- */

static uint32_t read_field(struct pci_dev *f, unsigned i, unsigned field) HOLDS(pci_lock)
{
	const struct pci_message *m;

	if (i >= f->seen.messages.msix_nr)
		return field == ENTRY_CONTROL ? ENTRY_MASKED : 0;
	m = message_at(f, i);
	switch (field) {
	case ENTRY_ADDRESS: return (uint32_t)m->guest.address;
	case ENTRY_HIGH: return (uint32_t)(m->guest.address >> 32);
	case ENTRY_DATA: return m->guest.data;
	default: return m->masked ? ENTRY_MASKED : 0;
	}
}

static void write_field(struct pci_dev *f, unsigned i, unsigned field, uint32_t value)
    HOLDS(pci_lock)
{
	struct pci_message *m;

	if (i >= f->seen.messages.msix_nr)
		return;
	m = message_at(f, i);
	switch (field) {
	case ENTRY_ADDRESS:
		m->guest.address = (m->guest.address & ~0xffffffffull) | (value & ~3u);
		break;
	case ENTRY_HIGH:
		m->guest.address = (m->guest.address & 0xffffffff) | (uint64_t)value << 32;
		break;
	case ENTRY_DATA: m->guest.data = value; break;
	default: m->masked = value & ENTRY_MASKED; break;
	}
}

/* Aligned words of 4 or 8 bytes; anything else is undefined (6.8.2), and has no effect. */
static void table_access(struct pci_dev *f, uint64_t at, struct io_access *a) HOLDS(pci_lock)
{
	unsigned i = (unsigned)(at / MSIX_ENTRY), field = at % MSIX_ENTRY;

	if ((a->size != 4 && a->size != 8) || at % a->size) {
		a->value = ~0ull;
		return;
	}
	if (!a->write) {
		a->value = read_field(f, i, field);
		if (a->size == 8)
			a->value |= (uint64_t)read_field(f, i, field + 4) << 32;
		return;
	}
	write_field(f, i, field, (uint32_t)a->value);
	if (a->size == 8)
		write_field(f, i, field + 4, (uint32_t)(a->value >> 32));
	if (i < f->seen.messages.msix_nr && f->seen.messages.msix_enabled)
		sync_entry(f, i);
}

/* What else lies in these pages is the owner's, as it is. */
static void device_access(struct pci_dev *f, uint64_t at, struct io_access *a) HOLDS(pci_lock)
{
	paddr_t where = paddr(window_of(f)->hardware + at);

	if (at % a->size || at + a->size > window_of(f)->size || !within_reach(f)) {
		a->value = ~0ull;
		return;
	}
	if (a->write)
		arch_device_write(where, a->size, a->value);
	else
		a->value = arch_device_read(where, a->size);
}

bool msix_memory(struct pci_dev *f, struct io_access *a)
{
	const struct pci_messages *all = &f->seen.messages;
	const struct pci_bar *b;
	uint64_t start, end, at;

	if (!all->msix_nr)
		return false;
	b = window_of(f);
	msix_hole(f, b, &start, &end);
	at = a->addr.a - b->mapped;
	if (!b->mapped || a->addr.a < b->mapped || at < start || at >= MIN(end, b->size))
		return false;
	start = all->msix_table;
	end = start + all->msix_all * MSIX_ENTRY;
	if (at >= start && at < end)
		table_access(f, at - start, a);
	else if (at + a->size <= start || at >= end)
		device_access(f, at, a);
	else /* half of it */
		a->value = ~0ull;
	return true;
}
