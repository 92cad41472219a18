/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AMD-Vi as core sees it, and its start at boot. Units are made from frames at boot and stay. A device that belongs to a domain has a frame
 * of that domain's pool as interrupt table. Lock: core's iommu_lock for devices, a unit's own for its commands.
 */
#include "amdvi.h"

#include <hv/atomic.h>
#include <hv/domain.h>
#include <hv/drivers/amdvi.h>
#include <hv/log.h>
#include <hv/reason.h>

static struct ivrs ivrs;                /* [c] after boot */
static struct amdvi *units[MAX_IOMMUS]; /* [c] after boot; NULL: did not start */

/*
 * Interrupt tables of IO-APICs, one for each special device of `ivrs`; INVALID_MFN where there is none. An IO-APIC has the number of a PCI
 * function that may be there as well (5.2.2.6): both have this table then, and the function no messages of its own. A pin's
 * index is its vector, so that the end of a level-triggered interrupt finds its pin.
 */
static mfn_t pin_table[IVRS_MAX_SPECIALS]; /* [c] after boot */

static struct amdvi *amdvi_of(struct iommu_unit *u)
{
	return container_of(u, struct amdvi, unit);
}

/* ---- what core asks -------------------------------------------------------------------------- */

static int context_init(struct iommu_context *c)
{
	c->levels = 4; /* 48 bits: as second-stage tables, and what every unit has (EFR.HATS) */
	return 0;
}

/* Its id is one that the device table was made for. */
static bool has_entry(const struct iommu_device *dev)
{
	return dev->id < amdvi_of(dev->unit)->nr_ids;
}

static mfn_t pins_of(const struct amdvi *u, uint32_t id)
{
	for (uint32_t i = 0; i < ivrs.nr_specials; i++)
		if (ivrs.special[i].kind == SPECIAL_IOAPIC && ivrs.special[i].id == id &&
		    &ivrs.unit[ivrs.special[i].unit] == u->found)
			return pin_table[i];
	return INVALID_MFN;
}

static int attach(struct iommu_device *dev, struct iommu_context *c)
{
	struct amdvi *u = amdvi_of(dev->unit);
	struct domain *d = c->domain;
	mfn_t old = dev->irq_table, table = INVALID_MFN, pins = pins_of(u, dev->id);
	struct amdvi_dte e;

	if (!has_entry(dev)) /* beyond the table the unit refuses everything (2.2.2) */
		return d ? refuse(R_DEVICE_NOT_ISOLATED, dev->id, 0, 0) : 0;
	if (d && !mfn_valid(pins)) {
		table = pool_alloc(&d->pool);
		if (!mfn_valid(table))
			return reason_err(R_POOL_EXHAUSTED);
	}
	if (d)
		amdvi_dte_context(&e, c, table);
	else
		amdvi_dte_block(&e);
	if (mfn_valid(pins))
		amdvi_dte_irqs(&e, pins);
	amdvi_unit_set_device(u, dev->id, &e, dev->context->tag);
	dev->irq_table = table;
	if (mfn_valid(old))
		pool_free(&dev->context->domain->pool, old);
	return 0;
}

static void flush(struct iommu_unit *u, struct iommu_context *c, gfn_t g, uint64_t n)
{
	amdvi_unit_flush(amdvi_of(u), c->tag, g, n);
}

static int irq_set(struct iommu_device *dev, uint32_t index, const struct iommu_irq_target *to)
{
	uint32_t *e;

	/* Behind an old bridge another one with the same id has the table. */
	if (!mfn_valid(dev->irq_table))
		return refuse(R_DEVICE_NOT_ISOLATED, dev->id, 0, 0);
	if (to && to->cpu > 0xff)
		return refuse(R_IOMMU_CPU, dev->id, 0xff, to->cpu);
	e = (uint32_t *)frame_va(dev->irq_table) + index;
	store_release(e, amdvi_irte(to));
	amdvi_unit_flush_irqs(amdvi_of(dev->unit), dev->id);
	return 0;
}

/* The index takes the place of the vector (2.2.5.1). */
static void irq_message(const struct iommu_device *dev, uint32_t index, struct msi_message *out)
{
	*out = (struct msi_message){ .address = 0xfee00000, .data = index };
}

/* Before a unit is on, nothing is kept of its tables. */
static void pin_set(uint32_t ioapic, uint8_t index, const struct iommu_irq_target *to)
{
	for (uint32_t i = 0; i < ivrs.nr_specials; i++) {
		const struct ivrs_special *s = &ivrs.special[i];
		uint32_t *e;

		if (s->kind != SPECIAL_IOAPIC || s->handle != ioapic || !mfn_valid(pin_table[i]))
			continue;
		e = (uint32_t *)frame_va(pin_table[i]) + index;
		if (read_once(e) == amdvi_irte(to))
			return;
		store_release(e, amdvi_irte(to));
		if (units[s->unit])
			amdvi_unit_flush_irqs(units[s->unit], s->id);
		return;
	}
}

const struct iommu_ops amdvi_ops = {
	.name = "AMD-Vi",
	.format = &amdvi_format,
	.context_init = context_init,
	.attach = attach,
	.flush = flush,
	.max_irqs = AMDVI_IRQS,
	.irq_set = irq_set,
	.irq_message = irq_message,
	.pin_set = pin_set,
};

/* ---- boot ------------------------------------------------------------------------------------ */

void amdvi_read_ivrs(const struct acpi_header *table)
{
	ivrs_read(table, &ivrs);
}

/* The capability block (3.1): is it the unit that IVRS describes, and is it on? */
#define CAP_TYPE(header) ((header) >> 16 & 7)
#define CAP_TYPE_IOMMU   3u
#define CAP_ABSENT       BIT(26) /* NpCache */
#define CAP_BASE_ON      1u

static bool check_capability(const struct ivrs_unit *f, pci_id_t id, bool *caches_absent)
{
	bool possible = f->cap >= 0x40 && f->cap <= 0xf0 && !(f->cap & 3);
	uint32_t header = possible ? pci_read(id, f->cap, 4) : 0, low;

	if ((header & 0xff) != PCI_CAP_SECURE || CAP_TYPE(header) != CAP_TYPE_IOMMU) {
		log_error("AMD-Vi: " PCI_ID_FORMAT " is no IOMMU (capability %x: %x)",
			  PCI_ID_ARGS(id), f->cap, header);
		return false;
	}
	*caches_absent = header & CAP_ABSENT;
	low = pci_read(id, f->cap + 4, 4);
	if (!(low & CAP_BASE_ON)) {
		pci_write(id, f->cap + 8, 4, (uint32_t)(f->base >> 32));
		pci_write(id, f->cap + 4, 4, (uint32_t)f->base | CAP_BASE_ON);
	} else if (((uint64_t)pci_read(id, f->cap + 8, 4) << 32 | (low & ~0x3fffu)) != f->base) {
		log_error("AMD-Vi: " PCI_ID_FORMAT " is not at %llx, where ACPI says",
			  PCI_ID_ARGS(id), (unsigned long long)f->base);
		return false;
	}
	return true;
}

/* Interrupts from the pins of IO-APICs go through the unit as well. Without memory for its table an IO-APIC is silent. */
static bool make_pin_tables(void)
{
	bool ok = true;

	for (uint32_t i = 0; i < ivrs.nr_specials; i++) {
		pin_table[i] = INVALID_MFN;
		if (ivrs.special[i].kind == SPECIAL_IOAPIC)
			pin_table[i] = frame_alloc(ORDER_4K, ALLOC_ANY_NODE, 0);
		ok &= ivrs.special[i].kind != SPECIAL_IOAPIC || mfn_valid(pin_table[i]);
	}
	return ok;
}

static void except_ioapics(struct amdvi *u, unsigned number)
{
	for (uint32_t i = 0; i < ivrs.nr_specials; i++) {
		const struct ivrs_special *s = &ivrs.special[i];

		if (s->unit == number && mfn_valid(pin_table[i]) && s->id < u->nr_ids)
			amdvi_dte_irqs(amdvi_dte(u, s->id), pin_table[i]);
	}
}

static struct amdvi *start_one(unsigned number, uint32_t nr_ids,
			       volatile void *(*map)(uint64_t pa, uint64_t size))
{
	const struct ivrs_unit *f = &ivrs.unit[number];
	pci_id_t id = pci_id(f->segment, 0, f->id);
	bool caches_absent;
	struct amdvi *u;
	mfn_t m;

	if (!check_capability(f, id, &caches_absent))
		return NULL;
	m = frame_alloc(ORDER_4K, ALLOC_ANY_NODE, 0);
	if (!mfn_valid(m))
		return NULL;
	u = frame_va(m);
	u->found = f;
	u->id = id;
	u->regs = map(f->base, AMDVI_REGS_SIZE);
	u->unit.caches_absent = caches_absent;
	if (!amdvi_unit_start(u, nr_ids, except_ioapics, number) || !iommu_unit_add(&u->unit))
		return NULL;
	return u;
}

/* Numbers of devices that firmware named or bridges lead to: beyond the table nothing passes. */
static uint32_t ids_in_use(uint16_t segment)
{
	uint32_t last = MAX(ivrs.last_id, pci_last_bus(segment, 0, 0xff) << 8 | 0xff);

	return last + 1;
}

bool amdvi_start(volatile void *(*map)(uint64_t pa, uint64_t size), void (*pins)(iommu_pin_fn *set))
{
	uint32_t n = 0;

	if (!make_pin_tables())
		log_error("AMD-Vi: no memory for the interrupts of IO-APICs");
	if (pins)
		pins(pin_set);
	for (uint32_t i = 0; i < ivrs.nr_units; i++) {
		units[i] = start_one(i, ids_in_use(ivrs.unit[i].segment), map);
		n += units[i] != NULL;
	}
	/* A unit that does not work leaves its devices free to reach everything. */
	if (n != ivrs.nr_units)
		log_error("AMD-Vi: %u of %u units do not work: what they would see is not confined",
			  ivrs.nr_units - n, ivrs.nr_units);
	return n != 0;
}

/* With performance counters 512 KiB, and at a multiple of that (3.4). */
#define REGS_WITH_COUNTERS 0x80000u

void amdvi_each_window(void (*each)(uint64_t start, uint64_t size))
{
	for (uint32_t i = 0; i < ivrs.nr_units; i++) {
		uint64_t base = ivrs.unit[i].base;

		each(base,
		     IS_ALIGNED(base, REGS_WITH_COUNTERS) ? REGS_WITH_COUNTERS : AMDVI_REGS_SIZE);
	}
}

struct iommu_unit *amdvi_unit_of(const struct pci_dev *dev, uint32_t *dma_id)
{
	int i = ivrs_find(&ivrs, (uint16_t)pci_segment(dev->id), (uint16_t)dev->id.n, dma_id);

	return i >= 0 && units[i] && (dev->id.n != units[i]->id.n) ? &units[i]->unit : NULL;
}
