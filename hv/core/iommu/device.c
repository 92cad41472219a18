/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which device is in which context. Devices are parts of their owners' structures (struct pci_dev) and live for ever; they begin in quarantine.
 * Lock: iommu_lock (IOMMU_DEVICES), for the lists and the moves. Called by drivers at boot, by whoever gives devices to
 * domains, and by a domain's destruction.
 */
#include "iommu.h"

#include <hv/domain.h>
#include <hv/log.h>
#include <hv/reason.h>
#include <hv/string.h>

struct lock iommu_lock = LOCK_INIT(RANK_IOMMU_DEVICES);
struct iommu_unit *iommu_units[MAX_IOMMUS];
uint32_t nr_iommus;
struct iommu_context iommu_quarantine = {
	.root = { ~(uint64_t)0 },
	.retired = { ~(uint64_t)0 },
	.devices = { &iommu_quarantine.devices, &iommu_quarantine.devices },
};

bool iommu_unit_add(struct iommu_unit *u)
{
	if (nr_iommus == MAX_IOMMUS || (nr_iommus && iommu_units[0]->ops != u->ops)) {
		log_error("%s: an IOMMU is left out: %s", u->ops->name,
			  nr_iommus == MAX_IOMMUS ? "there are too many" : "another kind is in use");
		return false;
	}
	u->number = nr_iommus;
	iommu_units[nr_iommus++] = u;
	/* Contexts are of use on every unit. */
	iommu_quarantine.caches_absent |= u->caches_absent;
	return true;
}

bool iommu_works(void)
{
	return nr_iommus != 0;
}

const char *iommu_name(void)
{
	return nr_iommus ? iommu_units[0]->ops->name : "none";
}

/* ---- looking for one ------------------------------------------------------------------------- */

/* The one that `u` calls `id`, other than `not`. */
static struct iommu_device *find(const struct iommu_unit *u, uint32_t id, struct iommu_context *c,
				 const struct iommu_device * not ) HOLDS(iommu_lock)
{
	struct iommu_device *dev;

	list_for_each(dev, &c->devices,
		      link) if (dev->unit == u && dev->id == id && dev != not ) return dev;
	return NULL;
}

/* The same, among those that domains have. Contexts have no list but that of domains. */
static struct iommu_device *find_given(const struct iommu_unit *u, uint32_t id,
				       const struct iommu_device * not ) HOLDS(iommu_lock)
{
	struct iommu_device *dev = NULL;

	for (struct domain *d = domain_first(); d && !dev; d = domain_next(d)) {
		struct iommu_context *c = read_once(&d->iommu);

		if (c)
			dev = find(u, id, c, not );
	}
	return dev;
}

/* ---- moving ---------------------------------------------------------------------------------- */

void iommu_device_init(struct iommu_device *dev, struct iommu_unit *u, uint32_t id)
{
	*dev = (struct iommu_device){
		.unit = u,
		.id = id,
		.context = &iommu_quarantine,
		.irq_table = INVALID_MFN,
	};
	lock_take(&iommu_lock);
	list_append(&iommu_quarantine.devices, &dev->link);
	if (u)
		u->nr_devices++;
	lock_release(&iommu_lock);
}

static void relink(struct iommu_device *dev, struct iommu_context *c) HOLDS(iommu_lock)
{
	list_remove(&dev->link);
	list_append(&c->devices, &dev->link);
	write_once(&dev->context, c);
	dev->irqs = 0;
	write_once(&dev->faults, 0u);
}

static int move(struct iommu_device *dev, struct iommu_context *c) HOLDS(iommu_lock)
{
	struct domain *d = c->domain;
	int err;

	if (d) {
		lock_take(&d->p2m.lock);
		c->units |= (uint32_t)BIT(dev->unit->number);
		lock_release(&d->p2m.lock);
	}
	err = dev->unit->ops->attach(dev, c);
	if (!err)
		relink(dev, c);
	return err;
}

/*
 * Functions behind an old bridge have one id between them, and so one context: they go to one domain. The first has the interrupts.
 */
static int assign(struct iommu_device *dev, struct domain *d) HOLDS(iommu_lock)
{
	struct iommu_device *partner;

	if (!dev->unit)
		return refuse(R_DEVICE_NOT_ISOLATED, dev->id, 0, 0);
	if (dev->context != &iommu_quarantine)
		return refuse(R_DEVICE_IN_USE, dev->id, 0, dev->context->domain->id);
	if (d->dying)
		return refuse(R_DOMAIN_DYING, d->id, 0, 0);
	if (!d->iommu)
		return refuse(R_NO_IOMMU_CONTEXT, d->id, 0, 0);
	partner = find_given(dev->unit, dev->id, dev);
	if (!partner)
		return move(dev, d->iommu);
	if (partner->context != d->iommu)
		return refuse(R_DEVICE_IN_USE, dev->id, 0, partner->context->domain->id);
	relink(dev, d->iommu);
	return 0;
}

/* Its id stays in use when a partner's is the same: that one takes over. */
static void give_back(struct iommu_device *dev) HOLDS(iommu_lock)
{
	struct iommu_device *partner = find_given(dev->unit, dev->id, dev);

	if (!partner) {
		if (move(dev, &iommu_quarantine) != 0)
			log_error("IOMMU: device %x cannot be blocked",
				  dev->id); /* no driver refuses that */
		return;
	}
	if (mfn_valid(dev->irq_table)) {
		partner->irq_table = dev->irq_table;
		partner->irqs = dev->irqs;
		dev->irq_table = INVALID_MFN;
	}
	relink(dev, &iommu_quarantine);
}

int iommu_assign(struct iommu_device *dev, struct domain *d)
{
	int err;

	lock_take(&iommu_lock);
	err = assign(dev, d);
	lock_release(&iommu_lock);
	return err;
}

int iommu_return(struct iommu_device *dev)
{
	if (dev->leave)
		return dev->leave(dev);
	lock_take(&iommu_lock);
	if (dev->context != &iommu_quarantine)
		give_back(dev);
	lock_release(&iommu_lock);
	return 0;
}

struct domain *iommu_owner(const struct iommu_device *dev)
{
	return read_once(&dev->context)->domain;
}

/* ---- interrupts ------------------------------------------------------------------------------ */

int iommu_irq_alloc(struct iommu_device *dev, uint32_t n, uint32_t *first)
{
	int err = 0;

	lock_take(&iommu_lock);
	if (!dev->unit || !dev->unit->ops->irq_set || dev->context == &iommu_quarantine)
		err = refuse(R_DEVICE_NOT_ISOLATED, dev->id, 0, 0);
	else if (n > dev->unit->ops->max_irqs - dev->irqs)
		err = refuse(R_IOMMU_IRQS, dev->id, dev->unit->ops->max_irqs, dev->irqs + n);
	if (!err) {
		*first = dev->irqs;
		dev->irqs += n;
	}
	lock_release(&iommu_lock);
	return err;
}

int iommu_irq_set(struct iommu_device *dev, uint32_t index, const struct iommu_irq_target *to)
{
	int err;

	lock_take(&iommu_lock);
	if (index >= dev->irqs)
		err = refuse(R_IOMMU_IRQS, dev->id, dev->irqs, index);
	else
		err = dev->unit->ops->irq_set(dev, index, to);
	lock_release(&iommu_lock);
	return err;
}

void iommu_irq_message(const struct iommu_device *dev, uint32_t index, struct msi_message *out)
{
	dev->unit->ops->irq_message(dev, index, out);
}

#define MOST_PIN_CPU 0xffu /* an IO-APIC's entry has no room for more either */

bool iommu_pin_open(uint32_t ioapic, const struct iommu_irq_target *to)
{
	if (!nr_iommus || !iommu_units[0]->ops->pin_set)
		return true;
	if (to->cpu > MOST_PIN_CPU)
		return false;
	iommu_units[0]->ops->pin_set(ioapic, to->vector, to);
	return true;
}

/* ---- reports --------------------------------------------------------------------------------- */

uint32_t iommu_fault(struct iommu_unit *u, const struct iommu_fault *f)
{
	static const char *const what[] = {
		[IOMMU_FAULT_UNMAPPED] = "not mapped", [IOMMU_FAULT_ACCESS] = "not permitted",
		[IOMMU_FAULT_BLOCKED] = "blocked",     [IOMMU_FAULT_IRQ] = "interrupt not given",
		[IOMMU_FAULT_TABLE] = "tables wrong",  [IOMMU_FAULT_HARDWARE] = "hardware error",
	};
	const struct domain *d;
	struct iommu_device *dev;
	char owner[16] = "nobody";
	uint32_t n = ~0u;

	lock_take(&iommu_lock);
	dev = find_given(u, f->device, NULL);
	if (!dev)
		dev = find(u, f->device, &iommu_quarantine, NULL);
	d = dev ? dev->context->domain : NULL;
	if (dev)
		n = atomic_add(&dev->faults, 1u);
	if (d)
		snprint(owner, sizeof(owner), "d%u", d->id);
	lock_release(&iommu_lock);
	log_line(f->kind < IOMMU_FAULT_TABLE ? LOG_GUEST | LOG_WARNING : LOG_ERROR,
		 "%s %u: device %02x:%02x.%x of %s: %s at %llx: %s", u->ops->name, u->number,
		 f->device >> 8 & 0xff, f->device >> 3 & 0x1f, f->device & 7, owner,
		 f->write ? "write" : "read", (unsigned long long)f->address, what[f->kind]);
	return n;
}
