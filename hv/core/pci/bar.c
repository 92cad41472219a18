/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory windows (base address registers; PCI Local Bus 3.0, 6.2.5.1). A window has three addresses: what the owner wrote, what the
 * hardware has, and where the owner's second stage maps it. bars_settle() makes the second and third follow the first, one window after
 * the other, in steps. The hardware only ever gets addresses that take nothing from others. Lock: pci_lock.
 */
#include "virtual.h"

#include <hv/domain.h>
#include <hv/err.h>
#include <hv/log.h>

#define BAR_IO          BIT(0)
#define BAR_TYPE_64     BIT(2)
#define BAR_IO_FLAGS    3u
#define BAR_MEM_FLAGS   15u
#define ROM_ENABLE      BIT(0)
#define ROM_MASK        0xfffff800u
#define CLASS_HOST      0x0600u
#define SIZING_LOW      1u
#define SIZING_HIGH     2u
#define COMMAND_DECODES (PCI_COMMAND_MEMORY | 1u)

static unsigned nr_registers(const struct pci_dev *f)
{
	return f->header == 0 ? 6 : f->header == 1 ? 2 : 0;
}

static unsigned register_of(const struct pci_dev *f, unsigned i)
{
	if (i == PCI_ROM_SLOT)
		return f->header == 1 ? PCI_BRIDGE_ROM : PCI_ROM;
	return PCI_BAR + 4 * i;
}

static bool is_memory(const struct pci_bar *b)
{
	return b->kind == PCI_BAR_MEM || b->kind == PCI_BAR_MEM64 || b->kind == PCI_BAR_ROM;
}

/* ---- what there is ---------------------------------------------------------------------------------- */

/* Bits that can be written, by writing ones and putting back what was there. */
static uint32_t probe(struct pci_dev *f, unsigned reg, uint32_t ones, uint32_t *was)
{
	uint32_t got;

	*was = pci_read(f->id, reg, 4);
	pci_write(f->id, reg, 4, ones);
	got = pci_read(f->id, reg, 4);
	pci_write(f->id, reg, 4, *was);
	return got;
}

/* The size is the lowest bit that can be written; an address register has no gaps. */
static uint64_t size_of(uint64_t writable)
{
	return writable & -writable;
}

/* Returns how many registers it takes. */
static unsigned find_one(struct pci_dev *f, unsigned i)
{
	struct pci_bar *b = &f->seen.bar[i];
	uint32_t was, high_was, got = probe(f, register_of(f, i), ~0u, &was);
	uint64_t writable;

	if (got & BAR_IO) {
		b->kind = PCI_BAR_IO;
		return 1;
	}
	b->flags = got & BAR_MEM_FLAGS;
	writable = got & ~BAR_MEM_FLAGS;
	b->hardware = was & ~BAR_MEM_FLAGS;
	if (!(got & BAR_TYPE_64) || i + 1 >= nr_registers(f)) {
		b->size = size_of(writable);
		b->kind = b->size ? PCI_BAR_MEM : PCI_BAR_NONE;
		return 1;
	}
	writable |= (uint64_t)probe(f, register_of(f, i + 1), ~0u, &high_was) << 32;
	b->hardware |= (uint64_t)high_was << 32;
	b->size = size_of(writable);
	if (b->size) {
		b->kind = PCI_BAR_MEM64;
		b[1].kind = PCI_BAR_HIGH;
	}
	return 2;
}

static void find_rom(struct pci_dev *f)
{
	struct pci_bar *b = &f->seen.bar[PCI_ROM_SLOT];
	uint32_t was, got = probe(f, register_of(f, PCI_ROM_SLOT), ROM_MASK, &was);

	b->size = size_of(got & ROM_MASK);
	if (!b->size)
		return;
	b->kind = PCI_BAR_ROM;
	b->hardware = was & ROM_MASK;
	b->flags = was & ROM_ENABLE;
}

void bars_find(struct pci_dev *f)
{
	uint32_t command = pci_read(f->id, PCI_COMMAND, 2);

	for (unsigned i = 0; i < PCI_BARS; i++)
		f->seen.bar[i] = (struct pci_bar){ 0 };
	f->seen.memory_on = command & PCI_COMMAND_MEMORY;
	/* A host bridge's registers, if any, lead to memory for everybody: they show as absent. */
	if (f->class >> 8 == CLASS_HOST)
		return;
	pci_write(f->id, PCI_COMMAND, 2, command & ~COMMAND_DECODES);
	for (unsigned i = 0; i < nr_registers(f);)
		i += find_one(f, i);
	if (f->header <= 1)
		find_rom(f);
	pci_write(f->id, PCI_COMMAND, 2, command);
	for (unsigned i = 0; i < PCI_BARS; i++)
		f->seen.bar[i].value = f->seen.bar[i].hardware;
}

/* ---- registers -------------------------------------------------------------------------------------- */

struct pci_bar *bar_at(struct pci_dev *f, unsigned reg)
{
	if (reg >= PCI_BAR && reg < PCI_BAR + 4 * nr_registers(f))
		return &f->seen.bar[(reg - PCI_BAR) / 4];
	if (f->header <= 1 && reg == register_of(f, PCI_ROM_SLOT))
		return &f->seen.bar[PCI_ROM_SLOT];
	return NULL;
}

uint32_t bar_read(struct pci_dev *f, const struct pci_bar *b, unsigned reg)
{
	switch (b->kind) {
	case PCI_BAR_IO: return pci_read(f->id, reg, 4);
	case PCI_BAR_HIGH: return (uint32_t)(b[-1].value >> 32);
	case PCI_BAR_NONE: return 0;
	default: return (uint32_t)b->value | b->flags;
	}
}

/* An address is a multiple of the size: lower bits cannot be written. */
static void set_value(struct pci_bar *b, uint64_t value)
{
	uint64_t mask = ~(b->size - 1);

	if (b->kind != PCI_BAR_MEM64)
		mask &= 0xffffffff;
	b->value = value & mask;
	b->refused = 0;
}

void bar_write(struct pci_dev *f, struct pci_bar *b, unsigned reg, uint32_t value)
{
	uint32_t low_bits;

	switch (b->kind) {
	case PCI_BAR_IO: pci_write(f->id, reg, 4, value); return;
	case PCI_BAR_NONE: return;
	case PCI_BAR_HIGH:
		b--;
		b->sizing = (b->sizing & SIZING_LOW) | (value == ~0u ? SIZING_HIGH : 0);
		set_value(b, (b->value & 0xffffffff) | (uint64_t)value << 32);
		return;
	case PCI_BAR_ROM:
		b->flags = value & ROM_ENABLE;
		if (!b->flags)
			pci_write(f->id, reg, 4, (uint32_t)b->hardware);
		break;
	default: break;
	}
	low_bits = b->kind == PCI_BAR_ROM ? ~ROM_MASK : BAR_MEM_FLAGS;
	b->sizing = (b->sizing & SIZING_HIGH) | ((value | low_bits) == ~0u ? SIZING_LOW : 0);
	set_value(b, (b->value & ~0xffffffffull) | value);
}

/* ---- following -------------------------------------------------------------------------------------- */

static bool decodes(const struct pci_dev *f, const struct pci_bar *b)
{
	return f->seen.memory_on && is_memory(b) && b->size &&
	       (b->kind != PCI_BAR_ROM || (b->flags & ROM_ENABLE));
}

/* Where the window should be mapped, 0: nowhere. */
static uint64_t wanted(struct pci_dev *f, struct pci_bar *b)
{
	uint64_t first = ROUND_DOWN(b->value, (uint64_t)PAGE_SIZE), end;

	if (!decodes(f, b) || b->value == b->refused || !b->value)
		return 0;
	if (b->sizing) /* until the address is put back, the window stays */
		return b->mapped;
	end = ROUND_UP(b->value + b->size, (uint64_t)PAGE_SIZE);
	if (end >> PAGE_SHIFT <= read_once(&owner_of(f)->p2m.end) &&
	    vpci_may_map(first, end - first))
		return b->value;
	log_guest("PCI: " PCI_ID_FORMAT
		  ": window at %llx (%llu bytes) is not mapped: RAM or registers of "
		  "the hypervisor lie there",
		  PCI_ID_ARGS(f->id), (unsigned long long)b->value, (unsigned long long)b->size);
	b->refused = b->value;
	return 0;
}

/* Both halves change while nothing decodes. */
static void program(struct pci_dev *f, struct pci_bar *b)
{
	unsigned reg = register_of(f, (unsigned)(b - f->seen.bar));
	uint32_t command = pci_read(f->id, PCI_COMMAND, 2), rom = 0;

	if (b->kind == PCI_BAR_ROM)
		rom = b->flags & ROM_ENABLE;
	else if (b->hardware == b->value)
		return;
	pci_write(f->id, PCI_COMMAND, 2, command & ~PCI_COMMAND_MEMORY);
	pci_write(f->id, reg, 4, (uint32_t)b->value | rom);
	if (b->kind == PCI_BAR_MEM64)
		pci_write(f->id, reg + 4, 4, (uint32_t)(b->value >> 32));
	pci_write(f->id, PCI_COMMAND, 2, command);
	b->hardware = b->value;
}

/* Does another window of the owner, mapped for good, lie in the same page? Only windows smaller than pages ask. */
static bool page_is_shared(const struct pci_dev *f, const struct pci_bar *b, uint64_t page)
{
	for (const struct pci_dev *o = pci_next(NULL); o; o = pci_next(o)) {
		if (owner_of(o) != owner_of(f))
			continue;
		for (unsigned i = 0; i < PCI_BARS; i++) {
			const struct pci_bar *other = &o->seen.bar[i];

			if (other != b && other->mapped && other->mapped < page + PAGE_SIZE &&
			    other->mapped + other->size > page)
				return true;
		}
	}
	return false;
}

/* The rest of the part that b->progress is in: before the hole, the hole, behind it. Empty: all is done. */
static uint64_t next_part(const struct pci_dev *f, const struct pci_bar *b, bool *in_hole)
    HOLDS(pci_lock)
{
	uint64_t pages = frames_for(b->size), hole, hole_end;

	msix_hole(f, b, &hole, &hole_end);
	hole >>= PAGE_SHIFT;
	hole_end >>= PAGE_SHIFT;
	*in_hole = b->progress >= hole && b->progress < hole_end;
	if (*in_hole)
		return hole_end - b->progress;
	return (b->progress < hole ? hole : pages) - b->progress;
}

/* One call of the second stage's for each part. Whatever was mapped in the hole goes. */
static int walk(struct pci_dev *f, struct pci_bar *b) HOLDS(pci_lock)
{
	struct domain *d = owner_of(f);
	bool in_hole;
	uint64_t n;

	while ((n = next_part(f, b, &in_hole)) != 0) {
		uint64_t at = (b->mapped >> PAGE_SHIFT) + b->progress, done = 0;
		int err = b->phase == PCI_BAR_MAPS && !in_hole
			      ? p2m_map_range(d, gfn(at), mfn(at), n, P2M_MMIO_DIRECT, &done)
			      : p2m_unmap_range(d, gfn(at), n, &done);

		b->progress += done;
		if (err)
			return err;
	}
	return 0;
}

static void begin(struct pci_bar *b, enum pci_bar_phase phase)
{
	b->phase = (uint8_t)phase;
	b->progress = 0;
}

static int unmap(struct pci_dev *f, struct pci_bar *b) HOLDS(pci_lock)
{
	uint64_t page = ROUND_DOWN(b->mapped, (uint64_t)PAGE_SIZE);
	int err = b->size < PAGE_SIZE && page_is_shared(f, b, page) ? 0 : walk(f, b);

	if (err)
		return err;
	b->mapped = 0;
	begin(b, PCI_BAR_STEADY);
	return 0;
}

static int map(struct pci_dev *f, struct pci_bar *b) HOLDS(pci_lock)
{
	int err = walk(f, b);

	if (err == -ERR_RESTART)
		return err;
	begin(b, PCI_BAR_STEADY);
	if (err) {
		b->refused = b->value;
		begin(b, PCI_BAR_UNMAPS);
	}
	return 0;
}

/* One more step of one window; *more: look again. */
static int settle(struct pci_dev *f, struct pci_bar *b, bool *more) HOLDS(pci_lock)
{
	uint64_t want = wanted(f, b);

	*more = true;
	if (b->mapped && b->mapped != want && b->phase != PCI_BAR_UNMAPS)
		begin(b, PCI_BAR_UNMAPS);
	if (b->phase == PCI_BAR_UNMAPS)
		return unmap(f, b);
	if (b->phase == PCI_BAR_MAPS)
		return map(f, b);
	if (b->mapped == want) {
		*more = false;
		return 0;
	}
	program(f, b);
	b->mapped = want;
	begin(b, PCI_BAR_MAPS);
	return 0;
}

int bars_settle(struct pci_dev *f)
{
	for (unsigned i = 0; i < PCI_BARS; i++) {
		bool more = true;

		while (more) {
			int err = settle(f, &f->seen.bar[i], &more);

			if (err)
				return err;
		}
	}
	return 0;
}

/* ---- resets ----------------------------------------------------------------------------------------- */

static uint64_t in_hardware(const struct pci_dev *f, unsigned i)
{
	const struct pci_bar *b = &f->seen.bar[i];
	unsigned reg = register_of(f, i);
	uint64_t v = pci_read(f->id, reg, 4);

	if (b->kind == PCI_BAR_MEM64)
		v |= (uint64_t)pci_read(f->id, reg + 4, 4) << 32;
	return v & ~(b->size - 1);
}

bool bar_in_place(const struct pci_dev *f, const struct pci_bar *b)
{
	return in_hardware(f, (unsigned)(b - f->seen.bar)) == b->hardware;
}

bool bars_were_reset(struct pci_dev *f)
{
	for (unsigned i = 0; i < PCI_ROM_SLOT; i++)
		if (is_memory(&f->seen.bar[i]) && !bar_in_place(f, &f->seen.bar[i]))
			return true;
	return false;
}

void bars_reread(struct pci_dev *f)
{
	for (unsigned i = 0; i < PCI_BARS; i++) {
		struct pci_bar *b = &f->seen.bar[i];

		if (!is_memory(b))
			continue;
		b->hardware = in_hardware(f, i);
		set_value(b, b->hardware);
		b->sizing = 0;
		if (b->kind == PCI_BAR_ROM)
			b->flags = 0;
	}
}
