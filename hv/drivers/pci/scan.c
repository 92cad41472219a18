/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding PCI functions, as firmware numbered their buses. What devices answer is not trusted: a bus is looked at once, a
 * bridge may only lead to a higher bus, and there is an end to all of it. Nothing is written to a device.
 *
 * Functions are kept in frames, each filled before the next is linked, and never move.
 */
#include <hv/pci.h>

#include <hv/atomic.h>
#include <hv/log.h>

#define NO_DEVICE 0xffffu
#define NR_BUSES  256u

/* A frame of them. */
struct shelf {
	struct shelf *next; /* [a] */
	uint32_t n;         /* [a] */
	struct pci_dev dev[(PAGE_SIZE - 16) / sizeof(struct pci_dev)];
};
_Static_assert(sizeof(struct shelf) <= PAGE_SIZE, "functions are kept in frames");

static struct shelf *first_shelf;
static uint32_t nr_functions;
pci_unit_fn *pci_unit_of;

/* ---- those that are known -------------------------------------------------------------------- */

static struct shelf *shelf_of(const struct pci_dev *dev)
{
	return (struct shelf *)((uintptr_t)dev & ~(uintptr_t)(PAGE_SIZE - 1));
}

struct pci_dev *pci_next(const struct pci_dev *dev)
{
	struct shelf *s = dev ? shelf_of(dev) : load_acquire(&first_shelf);
	uint32_t i = dev ? (uint32_t)(dev - s->dev) + 1 : 0;

	if (s && i == ARRAY_SIZE(s->dev)) {
		s = load_acquire(&s->next);
		i = 0;
	}
	return s && i < load_acquire(&s->n) ? &s->dev[i] : NULL;
}

struct pci_dev *pci_find(pci_id_t id)
{
	struct pci_dev *dev;

	for (dev = pci_next(NULL); dev && dev->id.n != id.n; dev = pci_next(dev))
		;
	return dev;
}

uint32_t pci_count(void)
{
	return read_once(&nr_functions);
}

/* The place for one more; it counts once s->n says so. */
static struct pci_dev *new_place(struct shelf **shelf)
{
	struct shelf **end = &first_shelf;
	mfn_t m;

	while (*end && (*end)->n == ARRAY_SIZE((*end)->dev))
		end = &(*end)->next;
	if (!*end) {
		m = frame_alloc(ORDER_4K, ALLOC_ANY_NODE, 0);
		if (!mfn_valid(m))
			return NULL;
		store_release(end, (struct shelf *)frame_va(m));
	}
	*shelf = *end;
	return &(*end)->dev[(*end)->n];
}

/* ---- one function ---------------------------------------------------------------------------- */

void pci_refresh(struct pci_dev *dev)
{
	pci_id_t id = dev->id;
	uint32_t ids = pci_read(id, PCI_VENDOR, 4);

	dev->vendor = (uint16_t)ids;
	dev->device = (uint16_t)(ids >> 16);
	dev->class = pci_read(id, PCI_CLASS, 4) >> 8;
	dev->header = pci_read(id, PCI_HEADER, 1) & 0x7f;
	dev->msi = (uint8_t)pci_find_cap(id, PCI_CAP_MSI);
	dev->msix = (uint8_t)pci_find_cap(id, PCI_CAP_MSIX);
	dev->express = (uint8_t)pci_find_cap(id, PCI_CAP_EXPRESS);
	if (dev->header == 1) {
		dev->secondary = (uint8_t)pci_read(id, PCI_SECONDARY_BUS, 1);
		dev->last = (uint8_t)pci_read(id, PCI_LAST_BUS, 1);
	}
}

struct pci_dev *pci_add(pci_id_t id, pci_unit_fn *unit_of)
{
	struct pci_dev *dev = pci_find(id);
	uint32_t dma_id = id.n & 0xffff;
	struct iommu_unit *u;
	struct shelf *s;

	if (dev)
		return dev;
	if (pci_read(id, PCI_VENDOR, 2) == NO_DEVICE)
		return NULL;
	dev = new_place(&s);
	if (!dev) {
		log_error("PCI: no memory for " PCI_ID_FORMAT, PCI_ID_ARGS(id));
		return NULL;
	}
	*dev = (struct pci_dev){ .id = id };
	pci_refresh(dev);
	u = unit_of ? unit_of(dev, &dma_id) : NULL;
	iommu_device_init(&dev->dma, u, dma_id);
	store_release(&s->n, s->n + 1);
	nr_functions++;
	return dev;
}

/* ---- all of them ----------------------------------------------------------------------------- */

struct scan {
	uint32_t seen[NR_BUSES / 32], todo[NR_BUSES / 32]; /* buses */
	unsigned last, highest;
	pci_unit_fn *unit_of;
	bool add;
};

static bool bus_in(const uint32_t *set, unsigned bus)
{
	return set[bus / 32] >> (bus % 32) & 1;
}

static void bus_add(uint32_t *set, unsigned bus)
{
	set[bus / 32] |= 1u << (bus % 32);
}

static void follow_bridge(struct scan *s, pci_id_t id)
{
	unsigned to = pci_read(id, PCI_SECONDARY_BUS, 1), last = pci_read(id, PCI_LAST_BUS, 1);

	if (to == 0)
		return; /* firmware left it unnumbered: nothing is reachable behind it */
	if (to <= pci_bus(id) || to > s->last || last < to || bus_in(s->seen, to)) {
		log_warning("PCI: bridge " PCI_ID_FORMAT " leads to bus %02x-%02x: not followed",
			    PCI_ID_ARGS(id), to, last);
		return;
	}
	bus_add(s->seen, to);
	bus_add(s->todo, to);
	s->highest = MAX(s->highest, MIN(last, s->last));
}

/* Is there a function? */
static bool look_at(struct scan *s, pci_id_t id, bool *multi)
{
	unsigned header;

	if (pci_read(id, PCI_VENDOR, 2) == NO_DEVICE)
		return false;
	header = pci_read(id, PCI_HEADER, 1);
	*multi = header & PCI_HEADER_MULTI;
	if (s->add)
		(void)pci_add(id, s->unit_of);
	if ((header & 0x7f) == 1)
		follow_bridge(s, id);
	return true;
}

static void scan_bus(struct scan *s, unsigned segment, unsigned bus)
{
	for (unsigned device = 0; device < 32; device++) {
		bool multi, ignored;

		if (!look_at(s, pci_id(segment, bus, device << 3), &multi) || !multi)
			continue;
		for (unsigned fn = 1; fn < 8; fn++)
			(void)look_at(s, pci_id(segment, bus, device << 3 | fn), &ignored);
	}
}

/* Bridges lead upwards only, so one pass over the numbers visits every bus. */
static void scan_buses(struct scan *s, unsigned segment, unsigned first)
{
	bus_add(s->seen, first);
	bus_add(s->todo, first);
	s->highest = first;
	for (unsigned bus = first; bus <= s->last; bus++)
		if (bus_in(s->todo, bus))
			scan_bus(s, segment, bus);
}

void pci_scan(unsigned segment, unsigned first, unsigned last, pci_unit_fn *unit_of)
{
	struct scan s = { .last = MIN(last, NR_BUSES - 1), .unit_of = unit_of, .add = true };

	pci_unit_of = unit_of;
	scan_buses(&s, segment, first);
}

unsigned pci_last_bus(unsigned segment, unsigned first, unsigned last)
{
	struct scan s = { .last = MIN(last, NR_BUSES - 1) };

	scan_buses(&s, segment, first);
	return s.highest;
}
